/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/stream.c: many answers that stream through a server, token by token.
 *
 * Is both ends: a model provider (OpenAI's events) that gives every open stream
 * one token each --every-ms, and the readers who asked the server in between.
 * Streams do not speak in step, as providers' do not: each millisecond has its
 * share of them.
 * Each token carries the time at which it was written, so a reader knows how
 * long it was on the way; what this program needs itself is in that too, which
 * is why a plain proxy (nginx) is measured with the same program in the same run.
 *
 * With --cancel some readers close their connections, one at a time, while all others
 * go on: how long until the provider sees that stream, and no other, closed? Who is
 * whose is told by a "question N" in the body (--body '... question %d ...').
 *
 * The provider's port is named on the command line, because the server under test
 * must know it before anything is asked. One thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "support/measure.h"
#include "support/net.h"
#include "support/options.h"
#include "support/request.h"

static const char help[] =
    "Usage: stream --provider-port PORT --url URL [OPTION...]\n"
    "Stream answers of an own provider through a server; print one line of JSON.\n"
    "\n"
    "  --provider-port PORT  where the provider listens on 127.0.0.1, and the server asks\n"
    "  --url URL             where to POST\n"
    "  --header TEXT         repeatable\n"
    "  --body TEXT           of the request; %d: the number of the stream\n"
    "  --tokens FILE         whose first line is sent as Bearer\n"
    "  --streams N           open at once (2000)\n"
    "  --every-ms N          between two tokens of a stream (20)\n"
    "  --seconds N           measured (5), after one of warming up\n"
    "  --cancel N            so many are closed by their readers meanwhile, one by one (0)\n"
    "  --pid PID[,PID...]    the server's processes; without them no CPU time, no memory\n";

enum { EVENTS = 512, TAIL = 32, STAMP = 16, CANCEL_US_MAX = 10000000 };

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";

struct peer {
    int fd;
    bool upstream;   /* a stream of ours to the server; else a reader */
    bool open;       /* upstream: asked, and gets tokens */
    bool asked;      /* reader: the request is out */
    uint64_t number; /* of the question, from 1; 0: it said none */
    char tail[TAIL];
    size_t tail_len;
};

static struct {
    uint64_t streams, every_ms, cancel, provider_port;
    double seconds;
    struct request request;
    struct pids pids;
    struct tokens tokens;
    int epoll, listener;
    struct peer *peers; /* by descriptor */
    size_t peers_max, open;
    bool measuring;
    uint64_t phase; /* which streams are next: descriptors modulo every_ms */
    uint64_t asked, sent, got, broken;
    struct samples delays;
    uint64_t closing; /* the stream whose reader has gone, until the provider sees it; or 0 */
    int64_t closed_us;
    uint64_t lost; /* closed by the reader, and never at the provider */
    struct samples cancels;
} run;

static void watch(int fd, uint32_t what, bool upstream)
{
    if ((size_t)fd >= run.peers_max) give_up("stream", "descriptor %d is too high", fd);
    run.peers[fd] = (struct peer){.fd = fd, .upstream = upstream};
    struct epoll_event event = {.events = what, .data.fd = fd};
    epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &event);
}

static void drop(struct peer *peer)
{
    if (peer->open) run.open--;
    if (peer->upstream && run.closing && peer->number == run.closing) {
        samples_add(&run.cancels, clock_mono_us() - run.closed_us);
        run.closing = 0;
    } else if (!peer->upstream || peer->open) {
        run.broken++;
    }
    peer->open = false;
    close(peer->fd);
}

/* --- the provider --- */

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(run.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        watch(fd, EPOLLIN, true);
    }
}

static void hear_request(struct peer *peer)
{
    char bytes[16384];
    ssize_t len = recv(peer->fd, bytes, sizeof(bytes), 0);
    if (len <= 0) {
        if (len == 0 || errno != EAGAIN) drop(peer);
        return;
    }
    if (peer->open) return;
    peer->open = true;
    if (!question_number((struct str){bytes, (size_t)len}, &peer->number)) peer->number = 0;
    run.open++;
    if (send(peer->fd, head, sizeof(head) - 1, MSG_NOSIGNAL) < 0) drop(peer);
}

static void give_token(struct peer *peer)
{
    char data[256], chunk[320];
    int len = snprintf(data, sizeof(data),
                       "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
                       "\"created\":1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,"
                       "\"delta\":{\"content\":\"tk%0*" PRId64 " \"},\"finish_reason\":null}]}\n\n",
                       STAMP, clock_mono_us());
    int all = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", (unsigned)len, data);
    if (send(peer->fd, chunk, (size_t)all, MSG_NOSIGNAL) == all && run.measuring) run.sent++;
}

static void give_tokens(void)
{
    for (size_t fd = 0; fd < run.peers_max; fd++) {
        struct peer *peer = &run.peers[fd];
        if (peer->upstream && peer->open) give_token(peer);
    }
}

/* The share of the milliseconds that have passed; all of them once, when the last tick is long ago.
 */
static void give_share(uint64_t ticks)
{
    for (uint64_t left = MIN(ticks, run.every_ms); left > 0; left--) {
        for (size_t fd = run.phase; fd < run.peers_max; fd += run.every_ms) {
            struct peer *peer = &run.peers[fd];
            if (peer->upstream && peer->open) give_token(peer);
        }
        run.phase = (run.phase + 1) % run.every_ms;
    }
}

/* --- the readers --- */

static void ask(struct peer *peer)
{
    struct buf text;
    buf_init(&text, 65536);
    peer->number = ++run.asked;
    request_write(&text, &run.request, tokens_get(&run.tokens, 0), peer->number);
    if (send(peer->fd, text.at, text.len, MSG_NOSIGNAL) != (ssize_t)text.len) drop(peer);
    buf_release(&text);
    peer->asked = true;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = peer->fd};
    epoll_ctl(run.epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static void count_tokens(struct peer *peer, const char *bytes, size_t len)
{
    int64_t now = clock_mono_us();
    const char *at = bytes, *end = bytes + len;
    while ((at = memmem(at, (size_t)(end - at), "tk", 2)) && end - at >= 2 + STAMP) {
        char digits[STAMP + 1] = {0};
        memcpy(digits, at + 2, STAMP);
        at += 2 + STAMP;
        if (!run.measuring) continue;
        run.got++;
        samples_add(&run.delays, now - strtoll(digits, NULL, 10));
    }
    /* What may be the beginning of one waits for the next read. */
    size_t keep = at ? (size_t)(end - at) : MIN(len, (size_t)1);
    if (!at && keep && bytes[len - 1] != 't') keep = 0;
    memcpy(peer->tail, end - keep, keep);
    peer->tail_len = keep;
}

static void hear_answer(struct peer *peer)
{
    char bytes[TAIL + 16384];
    memcpy(bytes, peer->tail, peer->tail_len);
    ssize_t len = recv(peer->fd, bytes + peer->tail_len, 16384, 0);
    if (len > 0) {
        count_tokens(peer, bytes, peer->tail_len + (size_t)len);
    } else if (len == 0 || errno != EAGAIN) {
        drop(peer);
    }
}

/* --- the run --- */

static void turn(int timer)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(run.epoll, events, EVENTS, 1000);
    for (int i = 0; i < count; i++) {
        struct peer *peer = &run.peers[events[i].data.fd];
        uint64_t ticks;
        if (events[i].data.fd == timer) {
            if (read(timer, &ticks, sizeof(ticks)) == sizeof(ticks)) give_share(ticks);
        } else if (events[i].data.fd == run.listener) {
            accept_all();
        } else if (peer->upstream) {
            hear_request(peer);
        } else if (!peer->asked) {
            ask(peer);
        } else {
            hear_answer(peer);
        }
    }
}

static void run_until(int timer, int64_t until_us)
{
    while (clock_mono_us() < until_us) turn(timer);
}

/* A reader leaves; the run goes on until the provider has seen it. */
static void cancel_one(int timer, struct peer *reader)
{
    run.closing = reader->number;
    run.closed_us = clock_mono_us();
    close(reader->fd);
    while (run.closing && clock_mono_us() < run.closed_us + CANCEL_US_MAX) turn(timer);
    if (run.closing) run.lost++;
    run.closing = 0;
}

/* Evenly over the time there is, so that the server is met at whatever it is doing. */
static void run_and_cancel(int timer, int64_t until_us)
{
    int64_t now_us = clock_mono_us(), each_us = (until_us - now_us) / (int64_t)run.cancel;
    uint64_t left = run.cancel;
    for (size_t fd = 0; fd < run.peers_max && left && !run.lost; fd++) {
        struct peer *reader = &run.peers[fd];
        if (reader->upstream || !reader->asked) continue;
        cancel_one(timer, reader);
        run_until(timer, now_us += each_us);
        left--;
    }
}

static void open_streams(int timer)
{
    for (uint64_t i = 0; i < run.streams; i++) {
        int fd = endpoint_connect(&run.request.to, (unsigned)(i % 8));
        if (fd < 0) give_up("stream", "cannot connect: %s", strerror(errno));
        watch(fd, EPOLLOUT, false);
        if (i % 50 == 49) turn(timer);
    }
    int64_t until_us = clock_mono_us() + 30000000;
    while (run.open < run.streams && clock_mono_us() < until_us) turn(timer);
    if (run.open < run.streams) {
        give_up("stream", "only %zu of %" PRIu64 " streams reached the provider", run.open,
                run.streams);
    }
}

struct figures {
    int64_t cpu_ns, bytes;
};

static void read_or_give_up(enum err err, const struct why *why)
{
    if (err) give_up("stream", "%s", why->text);
}

static int64_t cpu_ns(void)
{
    int64_t ns = 0;
    struct why why;
    if (run.pids.len > 0) read_or_give_up(cpu_read(&run.pids, &ns, &why), &why);
    return ns;
}

static int64_t memory_bytes(void)
{
    struct memory_use memory = {0};
    struct why why;
    if (run.pids.len > 0) read_or_give_up(memory_read(&run.pids, &memory, &why), &why);
    return memory.private_bytes;
}

/* Opens, warms up, measures. Memory is read when every stream has had one token and nothing waits.
 */
static struct figures measure(int timer)
{
    struct figures figures = {.bytes = -memory_bytes()};
    struct timespec ms = {.tv_nsec = 1000000};
    struct itimerspec spec = {.it_interval = ms, .it_value = ms};
    open_streams(timer);
    run.measuring = true;
    give_tokens();
    int64_t until_us = clock_mono_us() + 10000000;
    while (run.got < run.sent && clock_mono_us() < until_us) turn(timer);
    figures.bytes += memory_bytes();
    run.measuring = false;
    run.sent = run.got = run.delays.len = 0;
    timerfd_settime(timer, 0, &spec, NULL);
    run_until(timer, clock_mono_us() + 1000000);
    figures.cpu_ns = -cpu_ns();
    run.measuring = true;
    until_us = clock_mono_us() + (int64_t)(run.seconds * 1000000);
    if (run.cancel) run_and_cancel(timer, until_us);
    run_until(timer, until_us);
    run.measuring = false;
    figures.cpu_ns += cpu_ns();
    return figures;
}

static void print(const struct figures *figures)
{
    struct buf text;
    buf_init(&text, 4096);
    struct json_out out = json_begin(&text);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "streams", run.streams);
    json_put_u64(&out, "sent", run.sent);
    json_put_u64(&out, "got", run.got);
    json_put_u64(&out, "broken", run.broken);
    json_put_u64(&out, "cancelled", run.cancels.len);
    json_put_u64(&out, "lost", run.lost);
    bool known = run.pids.len > 0;
    put_ratio(&out, "server_cpu_us", (double)figures->cpu_ns / 1000, known ? (double)run.got : 0);
    put_ratio(&out, "bytes_each", (double)figures->bytes, known ? (double)run.streams : 0);
    samples_write(&run.delays, &out, "delay_us");
    samples_write(&run.cancels, &out, "cancel_us");
    json_close(&out, '}');
    puts(text.at);
    buf_release(&text);
}

int main(int argc, char **argv)
{
    run.streams = 2000;
    run.every_ms = 20;
    run.seconds = 5;
    run.request.method = STR("POST");
    const struct option_row rows[] = {
        ROW_COUNT("provider-port", &run.provider_port, 1, 65535),
        ROW_TAKE("url", &run.request.to, option_endpoint),
        ROW_TAKE("header", &run.request, option_header),
        ROW_TEXT("body", &run.request.body),
        ROW_TAKE("tokens", &run.tokens, option_tokens),
        ROW_COUNT("streams", &run.streams, 1, 100000),
        ROW_COUNT("every-ms", &run.every_ms, 1, 10000),
        ROW_DECIMAL("seconds", &run.seconds, 0.01, 600),
        ROW_COUNT("cancel", &run.cancel, 0, 100000),
        ROW_TAKE("pid", &run.pids, option_pids),
    };
    options_read("stream", help, rows, COUNT_OF(rows), argc, argv);
    struct why why;
    uint16_t port = (uint16_t)run.provider_port;
    if (port == 0 || run.request.to.path.len == 0)
        give_up("stream", "needs --provider-port and --url");
    if (run.cancel > run.streams) give_up("stream", "--cancel is more than --streams");
    read_or_give_up(request_complete(&run.request, run.tokens.len > 0, &why), &why);
    read_or_give_up(descriptors_raise(run.streams * 2 + 100, &why), &why);
    run.peers_max = run.streams * 2 + 1000;
    run.peers = mem_alloc(run.peers_max * sizeof(*run.peers));
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.listener = listen_local(&port);
    if (run.listener < 0) give_up("stream", "cannot listen on port %u: %s", port, strerror(errno));
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(run.listener, EPOLLIN, false);
    watch(timer, EPOLLIN, false);
    struct figures figures = measure(timer);
    print(&figures);
    samples_release(&run.delays);
    samples_release(&run.cancels);
    tokens_release(&run.tokens);
    mem_free(run.peers);
    return run.got == 0 || run.broken > 0 || run.lost > 0;
}
