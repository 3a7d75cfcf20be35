/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/fanout.c: many WebSockets that listen, and what each event to all of
 * them costs the server.
 *
 * Opens N sockets, says --hello on each and waits for --ack. Then rounds: post
 * F events at once, each on a connection of its own, and wait until every
 * socket has got every one. An event carries a running number behind a marker
 * text; each socket keeps the set of numbers it has seen in this round, so a
 * frame that is missing, came twice or belongs to an earlier round is counted
 * as what it is. One thread: the reader must be as simple as that of
 * bench/floor, whose figures stand beside these.
 *
 * The server's CPU time is taken from before the first post to a moment after
 * the last delivery, so that storing, logging and what it does afterwards are
 * all in it.
 *
 * With --idle nothing is posted: the server's memory before and after the
 * sockets were opened is compared.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "support/measure.h"
#include "support/net.h"
#include "support/options.h"
#include "support/reply.h"
#include "support/request.h"
#include "support/ticket.h"
#include "support/wsock.h"

static const char help[] =
    "Usage: fanout --url ws://127.0.0.1:PORT/PATH --post-url http://… [OPTION…]\n"
    "       fanout --url ws://127.0.0.1:PORT/PATH --idle [OPTION…]\n"
    "Open many WebSockets, post events, see that all arrive; print one line of JSON.\n"
    "\n"
    "The sockets\n"
    "  --sockets N          how many (5000)\n"
    "  --header TEXT        for the handshake, repeatable\n"
    "  --tokens FILE        a token a line, spread over sockets; %t in URL or headers,\n"
    "                       else sent as Bearer\n"
    "  --ticket-url URL     POST here with the socket's token before each handshake;\n"
    "                       %t in --url is then the ticket\n"
    "  --ticket-member NAME member of the JSON reply that holds it (ticket)\n"
    "  --hello TEXT         message to send first\n"
    "  --ack TEXT           wait for a message that holds this, on every socket\n"
    "  --sources N          spread over client addresses 127.0.0.1 to 127.0.0.N (1)\n"
    "The events\n"
    "  --post-url URL       where to POST\n"
    "  --post-header TEXT   repeatable; %t is one of --tokens, else sent as Bearer\n"
    "  --post-body TEXT     %d is the running number\n"
    "  --marker TEXT        what stands before that number in every frame (bench-event-)\n"
    "  --first N            number of the first event (1)\n"
    "  --rounds K           measured rounds (50), after --warmup rounds (2)\n"
    "  --in-flight F        events posted at once in a round (1)\n"
    "  --timeout S          a round, or opening a socket, that takes longer has failed (10)\n"
    "Memory\n"
    "  --idle               no events; memory of the server before and after\n"
    "  --hold S             hold the sockets so long before measuring again (3)\n"
    "\n"
    "  --pid LIST           processes that make up the server\n"
    "Exit status: 0 all arrived once, 1 something did not, 2 usage or set-up.\n";

enum {
    SOCKETS_MAX = 200000,
    IN_FLIGHT_MAX = 64, /* one bit each */
    HANDSHAKES_AT_ONCE = 128,
    READ_BYTES = 256 * 1024,
    OUT_BYTES_MAX = 1024 * 1024,
    EVENTS = 512,
    /* Trailing work of the server that a round causes but does not wait for. */
    SETTLE_MS = 100,
};

struct plan {
    struct request open, post, ticket;
    struct tokens tokens; /* owned */
    struct pids pids;
    struct str ticket_member, hello, ack, marker;
    uint64_t sockets, sources, first, rounds, warmup, in_flight;
    double timeout_seconds, hold_seconds;
    bool idle;
};

enum kind { KIND_SOCKET, KIND_POSTER };

enum socket_state {
    SOCKET_NONE,
    SOCKET_CONNECTING,
    SOCKET_HANDSHAKE,
    SOCKET_ACK,
    SOCKET_OPEN,
    SOCKET_LOST
};

struct listener {
    enum kind kind; /* first: what an epoll event points to */
    enum socket_state state;
    int fd;
    unsigned index;
    uint64_t seen; /* events of this round, one bit each */
    struct fanout *fanout;
    struct reply *reply; /* owned; during the handshake */
    struct wsock wsock;
};

struct poster {
    enum kind kind;
    int fd;
    unsigned index;
    bool waiting;
    int64_t issued_us, replied_us;
    struct fanout *fanout;
    struct reply reply;
};

struct fanout {
    const struct plan *plan;
    int epoll;
    struct ticket_desk desk;
    char *read_buffer;          /* owned */
    struct listener *listeners; /* owned */
    struct poster *posters;     /* owned */
    size_t next, opening, open, lost;
    struct buf scratch;

    uint64_t base;    /* number of this round's first event */
    uint64_t arrived; /* in this round */
    unsigned replies; /* in this round */
    int64_t now_us;   /* when the bytes at hand were read */
    int64_t last_us;  /* when the round's last delivery came */
    bool measuring;

    uint64_t deliveries, missing, duplicates, strays, post_errors, payload_bytes;
    struct samples each, round, after_reply, reply;
};

static void fail(struct fanout *fanout, const struct listener *listener, const char *what)
{
    if (fanout->lost == 0) fprintf(stderr, "fanout: socket %u: %s\n", listener->index, what);
}

static void watch(struct fanout *fanout, int fd, void *whose, int operation, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted, .data.ptr = whose};
    if (epoll_ctl(fanout->epoll, operation, fd, &event)) {
        give_up("fanout", "epoll: %s", strerror(errno));
    }
}

/* Small writes on sockets with nothing in flight: the kernel takes them whole. */
static bool send_whole(int fd, const struct buf *bytes)
{
    return send(fd, bytes->at, bytes->len, MSG_NOSIGNAL) == (ssize_t)bytes->len;
}

/* ---- opening ---- */

static void listener_set_state(struct listener *listener, enum socket_state state)
{
    struct fanout *fanout = listener->fanout;
    bool was_opening = listener->state != SOCKET_NONE && listener->state < SOCKET_OPEN;
    bool is_opening = state != SOCKET_NONE && state < SOCKET_OPEN;
    fanout->open += (state == SOCKET_OPEN) - (size_t)(listener->state == SOCKET_OPEN);
    fanout->opening += is_opening - (size_t)was_opening;
    listener->state = state;
}

static void listener_lose(struct listener *listener, const char *what)
{
    struct fanout *fanout = listener->fanout;
    if (listener->state == SOCKET_LOST) return;
    fail(fanout, listener, what);
    fanout->lost++;
    listener_set_state(listener, SOCKET_LOST);
    close(listener->fd);
    listener->fd = -1;
}

static void listener_connect(struct fanout *fanout, struct listener *listener)
{
    listener->fd =
        endpoint_connect(&fanout->plan->open.to, listener->index % (unsigned)fanout->plan->sources);
    if (listener->fd < 0) give_up("fanout", "connect: %s", strerror(errno));
    listener_set_state(listener, SOCKET_CONNECTING);
    watch(fanout, listener->fd, listener, EPOLL_CTL_ADD, EPOLLOUT);
}

static void listener_handshake(struct fanout *fanout, struct listener *listener)
{
    const struct plan *plan = fanout->plan;
    struct str token = tokens_get(&plan->tokens, listener->index);
    struct buf ticket;
    buf_init(&ticket, 64 * 1024);
    if (socket_error(listener->fd)) {
        listener_lose(listener, "connection refused");
        return;
    }
    if (ticket_desk_is_open(&fanout->desk)) {
        ticket_fetch(&fanout->desk, token, &ticket);
        token = buf_str(&ticket);
    }
    buf_reset(&fanout->scratch, OUT_BYTES_MAX);
    request_write(&fanout->scratch, &plan->open, token, listener->index);
    buf_release(&ticket);
    listener->reply = mem_alloc(sizeof(*listener->reply));
    reply_init(listener->reply);
    listener_set_state(listener, SOCKET_HANDSHAKE);
    watch(fanout, listener->fd, listener, EPOLL_CTL_MOD, EPOLLIN);
    if (!send_whole(listener->fd, &fanout->scratch)) listener_lose(listener, "handshake not taken");
}

static void listener_greet(struct fanout *fanout, struct listener *listener)
{
    const struct plan *plan = fanout->plan;
    listener_set_state(listener, plan->ack.len ? SOCKET_ACK : SOCKET_OPEN);
    if (!plan->hello.at) return;
    buf_reset(&fanout->scratch, OUT_BYTES_MAX);
    wsock_write(&fanout->scratch, WSOCK_TEXT, plan->hello);
    if (!send_whole(listener->fd, &fanout->scratch)) listener_lose(listener, "hello not taken");
}

/* Takes the head off `*bytes`; frames may follow in the same read. */
static void listener_take_head(struct fanout *fanout, struct listener *listener, struct str *bytes)
{
    char said[80];
    switch (reply_feed(listener->reply, bytes)) {
    case REPLY_MORE: return;
    case REPLY_BROKEN: listener_lose(listener, "unreadable handshake"); return;
    case REPLY_DONE: break;
    }
    int status = listener->reply->status;
    bool accepted = status == 101 && str_eq(str_of(listener->reply->accept), STR(WSOCK_ACCEPT));
    reply_release(listener->reply);
    mem_free(listener->reply);
    listener->reply = NULL;
    if (accepted) {
        listener_greet(fanout, listener);
        return;
    }
    snprintf(said, sizeof(said), "handshake refused, status %d", status);
    listener_lose(listener, said);
}

/* ---- listening ---- */

/* One marker and what follows it. */
static void count_event(struct fanout *fanout, struct listener *listener, struct str digits)
{
    uint64_t number;
    size_t len = 0;
    while (len < digits.len && digits.at[len] >= '0' && digits.at[len] <= '9') {
        len++;
    }
    if (!str_to_u64(str_head(digits, len), &number) || number < fanout->base ||
        number >= fanout->base + fanout->plan->in_flight) {
        fanout->strays++;
        return;
    }
    uint64_t bit = UINT64_C(1) << (number - fanout->base);
    if (listener->seen & bit) {
        fanout->duplicates++;
        return;
    }
    listener->seen |= bit;
    fanout->arrived++;
    fanout->last_us = fanout->now_us;
    if (!fanout->measuring) return;
    fanout->deliveries++;
    samples_add(&fanout->each, fanout->now_us - fanout->posters[number - fanout->base].issued_us);
}

static void count_events(struct fanout *fanout, struct listener *listener, struct str payload)
{
    struct str marker = fanout->plan->marker;
    bool any = false;
    for (size_t at; (at = str_find(payload, marker)) < payload.len; any = true) {
        if (!any && fanout->measuring) fanout->payload_bytes += payload.len;
        payload = str_from(payload, at + marker.len);
        count_event(fanout, listener, payload);
    }
}

static void answer_ping(struct fanout *fanout, struct listener *listener, struct str payload)
{
    buf_reset(&fanout->scratch, OUT_BYTES_MAX);
    wsock_write(&fanout->scratch, WSOCK_PONG, payload);
    if (!send_whole(listener->fd, &fanout->scratch)) listener_lose(listener, "pong not taken");
}

static void listener_on_close(struct listener *listener, struct str payload)
{
    char said[64];
    const unsigned char *code = (const unsigned char *)payload.at;
    snprintf(said, sizeof(said), "closed by the server, code %d",
             payload.len >= 2 ? code[0] << 8 | code[1] : 1005);
    listener_lose(listener, said);
}

static void listener_on_frame(void *ctx, enum wsock_opcode opcode, struct str payload)
{
    struct listener *listener = ctx;
    struct fanout *fanout = listener->fanout;
    if (listener->state == SOCKET_LOST || opcode == WSOCK_PONG) return;
    if (opcode == WSOCK_PING) {
        answer_ping(fanout, listener, payload);
    } else if (opcode == WSOCK_CLOSE) {
        listener_on_close(listener, payload);
    } else if (listener->state == SOCKET_ACK) {
        if (str_find(payload, fanout->plan->ack) < payload.len) {
            listener_set_state(listener, SOCKET_OPEN);
        }
    } else {
        count_events(fanout, listener, payload);
    }
}

static void listener_on_ready(struct fanout *fanout, struct listener *listener)
{
    if (listener->state == SOCKET_CONNECTING) {
        listener_handshake(fanout, listener);
        return;
    }
    ssize_t got = recv(listener->fd, fanout->read_buffer, READ_BYTES, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        listener_lose(listener, "connection cut");
        return;
    }
    struct str bytes = {fanout->read_buffer, (size_t)got};
    if (listener->state == SOCKET_HANDSHAKE) listener_take_head(fanout, listener, &bytes);
    if (listener->state < SOCKET_ACK || listener->state == SOCKET_LOST || !bytes.len) return;
    if (!wsock_feed(&listener->wsock, bytes, listener_on_frame, listener)) {
        listener_lose(listener, "broken frame");
    }
}

/* ---- posting ---- */

static void poster_connect(struct fanout *fanout, struct poster *poster)
{
    poster->fd = connect_wait(&fanout->plan->post.to);
    watch(fanout, poster->fd, poster, EPOLL_CTL_ADD, EPOLLIN);
}

static void poster_end(struct fanout *fanout, struct poster *poster, bool fine)
{
    if (!poster->waiting) return;
    poster->waiting = false;
    poster->replied_us = fanout->now_us;
    fanout->replies++;
    if (!fine) fanout->post_errors++;
    if (fanout->measuring) samples_add(&fanout->reply, poster->replied_us - poster->issued_us);
}

static void poster_lose(struct fanout *fanout, struct poster *poster)
{
    poster_end(fanout, poster, false);
    close(poster->fd);
    reply_reset(&poster->reply);
    poster_connect(fanout, poster);
}

static void poster_on_ready(struct fanout *fanout, struct poster *poster)
{
    ssize_t got = recv(poster->fd, fanout->read_buffer, READ_BYTES, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        poster_lose(fanout, poster);
        return;
    }
    struct str bytes = {fanout->read_buffer, (size_t)got};
    enum reply_step step = reply_feed(&poster->reply, &bytes);
    if (step == REPLY_MORE) return;
    bool fine = step == REPLY_DONE && poster->reply.status / 100 == 2;
    if (!fine && fanout->post_errors == 0) {
        fprintf(stderr, "fanout: post %u: status %d\n", poster->index, poster->reply.status);
    }
    poster_end(fanout, poster, fine);
    if (poster->reply.close || step == REPLY_BROKEN) {
        poster_lose(fanout, poster);
    } else {
        reply_reset(&poster->reply);
    }
}

static void post_all(struct fanout *fanout)
{
    const struct plan *plan = fanout->plan;
    for (size_t i = 0; i < plan->in_flight; i++) {
        struct poster *poster = &fanout->posters[i];
        buf_reset(&fanout->scratch, OUT_BYTES_MAX);
        request_write(&fanout->scratch, &plan->post, tokens_get(&plan->tokens, i),
                      fanout->base + i);
        poster->waiting = true;
        poster->issued_us = clock_mono_us();
        if (!send_whole(poster->fd, &fanout->scratch)) poster_lose(fanout, poster);
    }
}

/* ---- rounds ---- */

static void turn(struct fanout *fanout, int64_t until_us)
{
    struct epoll_event events[EVENTS];
    int64_t left_ms = MAX(until_us - clock_mono_us(), 0) / 1000 + 1;
    int ready = epoll_wait(fanout->epoll, events, EVENTS, (int)MIN(left_ms, (int64_t)1000));
    for (int i = 0; i < ready; i++) {
        enum kind *kind = events[i].data.ptr;
        fanout->now_us = clock_mono_us();
        if (*kind == KIND_SOCKET) {
            struct listener *listener = events[i].data.ptr;
            if (listener->fd >= 0) listener_on_ready(fanout, listener);
        } else {
            poster_on_ready(fanout, events[i].data.ptr);
        }
    }
}

static int64_t deadline_us(const struct fanout *fanout)
{
    return clock_mono_us() + (int64_t)(fanout->plan->timeout_seconds * 1e6);
}

/* All sockets, as many handshakes at once as a listen queue is sure to take. */
static void open_all(struct fanout *fanout)
{
    const struct plan *plan = fanout->plan;
    int64_t until_us = deadline_us(fanout);
    size_t settled = 0;
    while (fanout->open + fanout->lost < plan->sockets) {
        while (fanout->next < plan->sockets && fanout->opening < HANDSHAKES_AT_ONCE) {
            listener_connect(fanout, &fanout->listeners[fanout->next++]);
        }
        turn(fanout, until_us);
        if (fanout->open + fanout->lost > settled) {
            settled = fanout->open + fanout->lost;
            until_us = deadline_us(fanout);
        }
        if (clock_mono_us() > until_us) {
            give_up("fanout", "%zu of %zu sockets are open, %zu lost; the next ones do not open",
                    fanout->open, (size_t)plan->sockets, fanout->lost);
        }
    }
    if (fanout->lost) give_up("fanout", "%zu sockets could not be opened", fanout->lost);
}

static void count_round(struct fanout *fanout)
{
    const struct plan *plan = fanout->plan;
    int64_t issued_us = fanout->posters[0].issued_us, replied_us = 0;
    uint64_t expected = plan->sockets * plan->in_flight;
    if (fanout->arrived < expected) fanout->missing += expected - fanout->arrived;
    if (!fanout->measuring || fanout->arrived < expected) return;
    for (size_t i = 0; i < plan->in_flight; i++) {
        replied_us = MAX(replied_us, fanout->posters[i].replied_us);
    }
    samples_add(&fanout->round, fanout->last_us - issued_us);
    samples_add(&fanout->after_reply, fanout->last_us - replied_us);
}

static void run_round(struct fanout *fanout)
{
    const struct plan *plan = fanout->plan;
    uint64_t expected = plan->sockets * plan->in_flight;
    int64_t until_us = deadline_us(fanout);
    for (size_t i = 0; i < plan->sockets; i++) {
        fanout->listeners[i].seen = 0;
    }
    fanout->arrived = 0;
    fanout->replies = 0;
    post_all(fanout);
    while ((fanout->arrived < expected || fanout->replies < plan->in_flight) &&
           clock_mono_us() < until_us) {
        turn(fanout, until_us);
    }
    count_round(fanout);
    fanout->base += plan->in_flight;
}

static bool is_clean(const struct fanout *fanout)
{
    return !(fanout->missing || fanout->duplicates || fanout->strays || fanout->post_errors ||
             fanout->lost);
}

/* Frames that come when nobody waits any more are duplicates or strays: look for them. */
static void settle(struct fanout *fanout, int64_t ms)
{
    int64_t until_us = clock_mono_us() + ms * 1000;
    while (clock_mono_us() < until_us) {
        turn(fanout, until_us);
    }
}

static void read_cpu(const struct plan *plan, int64_t *ns_out)
{
    struct why why;
    if (cpu_read(&plan->pids, ns_out, &why)) give_up("fanout", "%s", why.text);
}

/* The server's CPU time in the measured rounds. A round that fails ends the run: it proves nothing.
 */
static int64_t run_rounds(struct fanout *fanout)
{
    const struct plan *plan = fanout->plan;
    int64_t before_ns, after_ns;
    fanout->base = plan->first;
    for (uint64_t i = 0; i < plan->warmup && is_clean(fanout); i++) {
        run_round(fanout);
    }
    settle(fanout, SETTLE_MS);
    read_cpu(plan, &before_ns);
    fanout->measuring = true;
    for (uint64_t i = 0; i < plan->rounds && is_clean(fanout); i++) {
        run_round(fanout);
    }
    fanout->measuring = false;
    settle(fanout, SETTLE_MS);
    read_cpu(plan, &after_ns);
    return after_ns - before_ns;
}

/* ---- reports ---- */

static void put_health(const struct fanout *fanout, struct json_out *out)
{
    json_put_u64(out, "sockets", fanout->plan->sockets);
    json_put_u64(out, "lost", fanout->lost);
    json_put_u64(out, "missing", fanout->missing);
    json_put_u64(out, "duplicates", fanout->duplicates);
    json_put_u64(out, "strays", fanout->strays);
    json_put_u64(out, "post_errors", fanout->post_errors);
}

static void print_line(const struct buf *line)
{
    printf("%.*s\n", STR_ARGS(buf_str(line)));
}

static void report_rounds(struct fanout *fanout, int64_t server_ns, int64_t own_ns)
{
    struct buf line;
    buf_init(&line, 64 * 1024);
    struct json_out out = json_begin(&line);
    double deliveries = (double)fanout->deliveries;
    bool known = fanout->plan->pids.len > 0;
    json_open(&out, NULL, '{');
    put_health(fanout, &out);
    json_put_u64(&out, "in_flight", fanout->plan->in_flight);
    json_put_u64(&out, "rounds", fanout->round.len);
    json_put_u64(&out, "deliveries", fanout->deliveries);
    put_ratio(&out, "payload_bytes", (double)fanout->payload_bytes, deliveries);
    put_ratio(&out, "server_cpu_us", (double)server_ns / 1e3, known ? deliveries : 0);
    put_ratio(&out, "own_cpu_us", (double)own_ns / 1e3, deliveries);
    samples_write(&fanout->round, &out, "post_to_last_us");
    samples_write(&fanout->after_reply, &out, "reply_to_last_us");
    samples_write(&fanout->reply, &out, "post_to_reply_us");
    samples_write(&fanout->each, &out, "each_us");
    json_put_u64(&out, "next_number", fanout->base);
    json_close(&out, '}');
    print_line(&line);
    buf_release(&line);
}

static void report_idle(const struct fanout *fanout, const struct memory_use *before,
                        const struct memory_use *after, int64_t server_ns)
{
    struct buf line;
    buf_init(&line, 4096);
    struct json_out out = json_begin(&line);
    double sockets = (double)fanout->plan->sockets;
    json_open(&out, NULL, '{');
    put_health(fanout, &out);
    json_put_i64(&out, "rss_bytes_before", before->rss_bytes);
    json_put_i64(&out, "rss_bytes_after", after->rss_bytes);
    json_put_i64(&out, "pss_bytes_before", before->pss_bytes);
    json_put_i64(&out, "pss_bytes_after", after->pss_bytes);
    put_ratio(&out, "rss_bytes_each", (double)(after->rss_bytes - before->rss_bytes), sockets);
    put_ratio(&out, "pss_bytes_each", (double)(after->pss_bytes - before->pss_bytes), sockets);
    put_ratio(&out, "private_bytes_each", (double)(after->private_bytes - before->private_bytes),
              sockets);
    put_ratio(&out, "server_cpu_us_each_second", (double)server_ns / 1e3,
              sockets * fanout->plan->hold_seconds);
    json_close(&out, '}');
    print_line(&line);
    buf_release(&line);
}

static void measure_idle(struct fanout *fanout)
{
    const struct plan *plan = fanout->plan;
    struct memory_use before, after;
    int64_t before_ns, after_ns;
    struct why why;
    if (memory_read(&plan->pids, &before, &why)) give_up("fanout", "%s", why.text);
    open_all(fanout);
    read_cpu(plan, &before_ns);
    settle(fanout, (int64_t)(plan->hold_seconds * 1000));
    read_cpu(plan, &after_ns);
    if (memory_read(&plan->pids, &after, &why)) give_up("fanout", "%s", why.text);
    report_idle(fanout, &before, &after, after_ns - before_ns);
}

static void measure_rounds(struct fanout *fanout)
{
    open_all(fanout);
    for (size_t i = 0; i < fanout->plan->in_flight; i++) {
        poster_connect(fanout, &fanout->posters[i]);
    }
    int64_t own_ns = cpu_self_ns();
    int64_t server_ns = run_rounds(fanout);
    report_rounds(fanout, server_ns, cpu_self_ns() - own_ns);
}

/* ---- life ---- */

static void plan_check(struct plan *plan)
{
    struct why why;
    static const struct str upgrade[] = {
        {"Connection: Upgrade", 19},
        {"Upgrade: websocket", 18},
        {"Sec-WebSocket-Version: 13", 25},
        {"Sec-WebSocket-Key: " WSOCK_KEY, 19 + sizeof(WSOCK_KEY) - 1},
    };
    bool tickets = plan->ticket.to.path.len > 0, tokens = plan->tokens.len > 0;
    if (!plan->open.to.path.len) give_up("fanout", "--url is missing; see --help");
    if (tickets && str_find(plan->open.to.path, STR("%t")) == plan->open.to.path.len) {
        give_up("fanout", "--ticket-url needs %%t in --url, where the ticket goes");
    }
    if (plan->idle && !plan->pids.len) give_up("fanout", "--idle needs --pid");
    if (!plan->idle && (!plan->post.to.path.len || !plan->post.body.at)) {
        give_up("fanout", "--post-url and --post-body are missing, or --idle; see --help");
    }
    for (size_t i = 0; i < COUNT_OF(upgrade); i++) {
        if (request_add_header(&plan->open, upgrade[i], &why)) give_up("fanout", "%s", why.text);
    }
    plan->post.method = plan->ticket.method = STR("POST");
    plan->ticket.body = STR("{}");
    if (request_complete(&plan->open, tokens && !tickets, &why) ||
        request_complete(&plan->post, tokens, &why) ||
        request_complete(&plan->ticket, tokens, &why) ||
        descriptors_raise(plan->sockets + IN_FLIGHT_MAX + 64, &why)) {
        give_up("fanout", "%s", why.text);
    }
}

static void plan_read(struct plan *plan, int argc, char **argv)
{
    *plan = (struct plan){.ticket_member = STR("ticket"),
                          .marker = STR("bench-event-"),
                          .sockets = 5000,
                          .sources = 1,
                          .first = 1,
                          .rounds = 50,
                          .warmup = 2,
                          .in_flight = 1,
                          .timeout_seconds = 10,
                          .hold_seconds = 3};
    const struct option_row rows[] = {
        ROW_TAKE("url", &plan->open.to, option_endpoint),
        ROW_COUNT("sockets", &plan->sockets, 1, SOCKETS_MAX),
        ROW_TAKE("header", &plan->open, option_header),
        ROW_TAKE("tokens", &plan->tokens, option_tokens),
        ROW_TAKE("ticket-url", &plan->ticket.to, option_endpoint),
        ROW_TEXT("ticket-member", &plan->ticket_member),
        ROW_TEXT("hello", &plan->hello),
        ROW_TEXT("ack", &plan->ack),
        ROW_COUNT("sources", &plan->sources, 1, 250),
        ROW_TAKE("post-url", &plan->post.to, option_endpoint),
        ROW_TAKE("post-header", &plan->post, option_header),
        ROW_TEXT("post-body", &plan->post.body),
        ROW_TEXT("marker", &plan->marker),
        ROW_COUNT("first", &plan->first, 0, 1e15),
        ROW_COUNT("rounds", &plan->rounds, 1, 1e6),
        ROW_COUNT("warmup", &plan->warmup, 0, 1e6),
        ROW_COUNT("in-flight", &plan->in_flight, 1, IN_FLIGHT_MAX),
        ROW_DECIMAL("timeout", &plan->timeout_seconds, 0.1, 3600),
        ROW_FLAG("idle", &plan->idle),
        ROW_DECIMAL("hold", &plan->hold_seconds, 0.1, 86400),
        ROW_TAKE("pid", &plan->pids, option_pids),
    };
    options_read("fanout", help, rows, COUNT_OF(rows), argc, argv);
    plan_check(plan);
}

static void fanout_init(struct fanout *fanout, const struct plan *plan)
{
    *fanout = (struct fanout){.plan = plan};
    fanout->desk =
        (struct ticket_desk){.request = &plan->ticket, .member = plan->ticket_member, .fd = -1};
    fanout->epoll = epoll_create1(EPOLL_CLOEXEC);
    fanout->read_buffer = mem_alloc_raw(READ_BYTES);
    buf_init(&fanout->scratch, OUT_BYTES_MAX);
    fanout->listeners = mem_alloc(plan->sockets * sizeof(*fanout->listeners));
    fanout->posters = mem_alloc(plan->in_flight * sizeof(*fanout->posters));
    for (unsigned i = 0; i < plan->sockets; i++) {
        fanout->listeners[i] =
            (struct listener){.kind = KIND_SOCKET, .fd = -1, .index = i, .fanout = fanout};
        wsock_init(&fanout->listeners[i].wsock);
    }
    for (unsigned i = 0; i < plan->in_flight; i++) {
        fanout->posters[i] =
            (struct poster){.kind = KIND_POSTER, .fd = -1, .index = i, .fanout = fanout};
        reply_init(&fanout->posters[i].reply);
    }
}

static void fanout_release(struct fanout *fanout)
{
    for (size_t i = 0; i < fanout->plan->sockets; i++) {
        struct listener *listener = &fanout->listeners[i];
        if (listener->fd >= 0) close(listener->fd);
        if (listener->reply) reply_release(listener->reply);
        mem_free(listener->reply);
        wsock_release(&listener->wsock);
    }
    for (size_t i = 0; i < fanout->plan->in_flight; i++) {
        if (fanout->posters[i].fd >= 0) close(fanout->posters[i].fd);
        reply_release(&fanout->posters[i].reply);
    }
    ticket_desk_release(&fanout->desk);
    close(fanout->epoll);
    buf_release(&fanout->scratch);
    mem_free(fanout->read_buffer);
    mem_free(fanout->listeners);
    mem_free(fanout->posters);
    samples_release(&fanout->each);
    samples_release(&fanout->round);
    samples_release(&fanout->after_reply);
    samples_release(&fanout->reply);
}

int main(int argc, char **argv)
{
    struct plan plan;
    struct fanout fanout;
    plan_read(&plan, argc, argv);
    fanout_init(&fanout, &plan);
    if (plan.idle) {
        measure_idle(&fanout);
    } else {
        measure_rounds(&fanout);
    }
    bool fine = is_clean(&fanout);
    fanout_release(&fanout);
    tokens_release(&plan.tokens);
    return fine ? 0 : 1;
}
