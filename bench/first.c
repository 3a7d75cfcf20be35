/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/first.c: how long the first word of a streamed answer takes on several ways
 * to the same provider.
 *
 * One question at a time, on one keep-alive connection for each way, the ways in
 * turn: all of them see the same machine. A round is one question on every way;
 * what a way adds is its time less that of the first way in the same round, so the
 * machine's moods, which last longer than a round, are in neither. It is below
 * nothing when the first way met one of them; such a round counts as 0.
 *
 * The first word is there when what has come of the body holds --expect. Each
 * answer is read to its end. Anything wrong with one ends the run: there is no
 * figure for answers that failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/measure.h"
#include "support/net.h"
#include "support/options.h"
#include "support/reply.h"
#include "support/request.h"

static const char help[] =
    "Usage: first --url URL --url URL... [OPTION...]\n"
    "Ask on each way in turn; print one line of JSON: what each adds to the first.\n"
    "\n"
    "  --url URL         where to POST; repeatable, the first is what others are compared with\n"
    "  --header TEXT     repeatable\n"
    "  --body TEXT       of the request; %d: a number that comes once\n"
    "  --expect TEXT     the first word; %d: the number of its request\n"
    "  --tokens FILE     whose first line is sent as Bearer\n"
    "  --seconds S       measured (5)\n"
    "  --warmup S        run so long before (0.5)\n";

enum { WAYS_MAX = 8, REQUEST_BYTES_MAX = 1024 * 1024, WAIT_S = 10 };

struct way {
    struct endpoint to;
    int fd; /* -1: none yet, or the server has ended it after an answer */
    int64_t took_us;
    struct samples first, added;
};

static struct {
    struct way ways[WAYS_MAX];
    size_t way_count;
    struct request request;
    struct tokens tokens;
    struct str expect;
    double seconds, warmup_seconds;
    uint64_t number, rounds;
    struct buf text, expected;
    struct reply reply;
} run;

static _Noreturn void wrong(const struct way *way, const char *what)
{
    give_up("first", "%s%.*s: %s", way->to.host, STR_ARGS(way->to.path), what);
}

/* A socket that waits, but not for ever. */
static void connect_way(struct way *way)
{
    struct timeval most = {.tv_sec = WAIT_S};
    way->fd = endpoint_connect(&way->to, 0);
    if (way->fd < 0 || fcntl(way->fd, F_SETFL, 0) ||
        setsockopt(way->fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) ||
        setsockopt(way->fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most))) {
        wrong(way, strerror(errno));
    }
}

/* Reads on; true when the answer is complete. */
static bool read_more(struct way *way)
{
    char bytes[16 * 1024];
    ssize_t got = recv(way->fd, bytes, sizeof(bytes), 0);
    if (got < 0) wrong(way, errno == EAGAIN ? "no answer in time" : strerror(errno));
    struct str rest = {bytes, (size_t)got};
    enum reply_step step = got ? reply_feed(&run.reply, &rest) : reply_end(&run.reply);
    if (step == REPLY_BROKEN) wrong(way, got ? "no HTTP" : "an answer was cut off");
    if (rest.len > 0) wrong(way, "more came than was asked for");
    return step == REPLY_DONE;
}

static bool has_first(void)
{
    struct str body = buf_str(&run.reply.body);
    return str_find(body, buf_str(&run.expected)) < body.len;
}

static void ask(struct way *way)
{
    if (way->fd < 0) connect_way(way);
    run.number++;
    run.request.to = way->to;
    buf_reset(&run.text, REQUEST_BYTES_MAX);
    buf_reset(&run.expected, REQUEST_BYTES_MAX);
    request_write(&run.text, &run.request, tokens_get(&run.tokens, 0), run.number);
    template_write(&run.expected, run.expect, (struct str){0}, run.number);
    reply_reset(&run.reply);

    int64_t began_us = clock_mono_us();
    ssize_t sent = send(way->fd, run.text.at, run.text.len, MSG_NOSIGNAL);
    if (sent != (ssize_t)run.text.len) wrong(way, "the question could not be sent");
    bool over = false;
    while (!over && !has_first()) over = read_more(way);
    way->took_us = clock_mono_us() - began_us;

    while (!over) over = read_more(way);
    if (run.reply.status != 200) {
        give_up("first", "%s%.*s: status %d", way->to.host, STR_ARGS(way->to.path),
                run.reply.status);
    }
    if (!has_first()) wrong(way, "an answer without the expected text");
    if (!run.reply.close) return;
    close(way->fd);
    way->fd = -1;
}

static void ask_on_each_way(bool measuring)
{
    for (size_t i = 0; i < run.way_count; i++) {
        struct way *way = &run.ways[i];
        ask(way);
        if (!measuring) continue;
        samples_add(&way->first, way->took_us);
        samples_add(&way->added, way->took_us - run.ways[0].took_us);
    }
    if (measuring) run.rounds++;
}

static void ask_for(double seconds, bool measuring)
{
    int64_t until_us = clock_mono_us() + (int64_t)(seconds * 1e6);
    while (clock_mono_us() < until_us) ask_on_each_way(measuring);
}

static void print(void)
{
    struct buf line;
    buf_init(&line, 16 * 1024);
    struct json_out out = json_begin(&line);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "rounds", run.rounds);
    json_open(&out, "ways", '[');
    for (size_t i = 0; i < run.way_count; i++) {
        json_open(&out, NULL, '{');
        samples_write(&run.ways[i].first, &out, "first_us");
        samples_write(&run.ways[i].added, &out, "added_us");
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    puts(line.at);
    buf_release(&line);
}

static enum err option_way(void *to, struct str value, struct why *why)
{
    (void)to;
    if (run.way_count == WAYS_MAX) return why_set(why, ERR_LIMIT, "at most %d ways", WAYS_MAX);
    struct way *way = &run.ways[run.way_count++];
    way->fd = -1;
    return endpoint_parse(value, &way->to, why);
}

static void read_command_line(int argc, char **argv)
{
    const struct option_row rows[] = {
        ROW_TAKE("url", NULL, option_way),
        ROW_TAKE("header", &run.request, option_header),
        ROW_TEXT("body", &run.request.body),
        ROW_TEXT("expect", &run.expect),
        ROW_TAKE("tokens", &run.tokens, option_tokens),
        ROW_DECIMAL("seconds", &run.seconds, 0.01, 600),
        ROW_DECIMAL("warmup", &run.warmup_seconds, 0, 600),
    };
    struct why why;
    run.seconds = 5;
    run.warmup_seconds = 0.5;
    run.request.method = STR("POST");
    options_read("first", help, rows, COUNT_OF(rows), argc, argv);
    if (run.way_count == 0 || run.expect.len == 0) give_up("first", "needs --url and --expect");
    run.request.to = run.ways[0].to;
    if (request_complete(&run.request, run.tokens.len > 0, &why)) give_up("first", "%s", why.text);
}

int main(int argc, char **argv)
{
    read_command_line(argc, argv);
    run.number = (uint64_t)clock_wall_us(); /* no other run had these */
    buf_init(&run.text, REQUEST_BYTES_MAX);
    buf_init(&run.expected, REQUEST_BYTES_MAX);
    reply_init(&run.reply);
    run.reply.keep_body = true;
    ask_for(run.warmup_seconds, false);
    ask_for(run.seconds, true);
    print();
    for (size_t i = 0; i < run.way_count; i++) {
        if (run.ways[i].fd >= 0) close(run.ways[i].fd);
        samples_release(&run.ways[i].first);
        samples_release(&run.ways[i].added);
    }
    buf_release(&run.text);
    buf_release(&run.expected);
    reply_release(&run.reply);
    tokens_release(&run.tokens);
    return run.rounds == 0;
}
