/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/load.c: asks one HTTP/1.1 server for one thing, many times, and says
 * what that cost the server.
 *
 * One thread, epoll, keep-alive connections with one request (or --pipeline K)
 * in flight each. The figure it exists for is the server's CPU time per
 * request; rates and latencies of a closed loop on a shared machine say as much
 * about this program as about the server. With --rate the loop is open:
 * requests fall due by the clock and latency counts from when one fell due, so
 * that a server that stalls cannot hide it by not being asked.
 *
 * Every reply is read to its end and its status looked at. Whatever is not the
 * expected class, cut off, unreadable or too late is counted, shown in the
 * result, and makes the exit status 1.
 *
 * Not here: TLS, HTTP/2, think times, redirects.
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

static const char help[] =
    "Usage: load --url http://127.0.0.1:PORT/PATH [OPTION…]\n"
    "Send one kind of request over keep-alive connections; print one line of JSON.\n"
    "\n"
    "  --connections N     connections at once (64)\n"
    "  --seconds S         measure so long (5)\n"
    "  --requests N        measure exactly N requests instead; no warm-up\n"
    "  --warmup S          run so long before measuring (0.5)\n"
    "  --pipeline K        requests in flight on each connection (1)\n"
    "  --rate R            open loop: R requests a second, latency from when due\n"
    "  --method NAME       GET\n"
    "  --header TEXT       repeatable\n"
    "  --body-template T   body; a JSON content type unless a header says otherwise\n"
    "  --tokens FILE       a token a line, spread over connections, sent as Bearer\n"
    "                      unless a header or the path holds %t\n"
    "  --first N           running number to begin with (1)\n"
    "  --last N            after this number begin with --first again\n"
    "  --status N          expected status, or class: 2 (default) is 200 to 299\n"
    "  --expect TEXT       every body must hold this; %d: the number of its request\n"
    "  --sources N         spread over client addresses 127.0.0.1 to 127.0.0.N (1)\n"
    "  --timeout S         a reply that takes longer is an error (10)\n"
    "  --pid LIST          processes that make up the server, for their CPU time\n"
    "\n"
    "In path, headers and body: %d running number, %t token, %% per cent sign.\n"
    "Exit status: 0 fine, 1 something went wrong on the wire (see \"errors\"), 2 usage.\n";

enum {
    CONNECTIONS_MAX = 60000,
    PIPELINE_MAX = 64,
    READ_BYTES = 256 * 1024,
    REQUEST_BYTES_MAX = 32 * 1024 * 1024,
    /* So many connections lost before one reply came: nobody is there. */
    FRUITLESS_CONNECTS_MAX = 200,
    TICK_US = 50000,
};

struct plan {
    struct request request;
    struct tokens tokens; /* owned */
    struct pids pids;
    struct str expect;
    uint64_t connections, requests, pipeline, first, last, status, sources;
    double seconds, warmup_seconds, rate, timeout_seconds;
};

enum failure {
    FAIL_STATUS,
    FAIL_BODY,
    FAIL_CONNECT,
    FAIL_CLOSED,
    FAIL_BROKEN,
    FAIL_TIMEOUT,
    FAIL_COUNT
};
static const char *const failure_names[FAIL_COUNT] = {
    [FAIL_STATUS] = "status", [FAIL_BODY] = "body",     [FAIL_CONNECT] = "connect",
    [FAIL_CLOSED] = "closed", [FAIL_BROKEN] = "broken", [FAIL_TIMEOUT] = "timeout",
};

struct sent {
    int64_t since_us; /* when it was due */
    uint64_t number;
};

struct conn {
    int fd; /* -1: none */
    bool connecting, wants_write;
    unsigned index;
    struct reply reply;
    struct buf out;
    size_t out_sent;
    struct sent sent[PIPELINE_MAX]; /* ring: the requests in flight */
    size_t oldest, in_flight;
};

enum phase { PHASE_WARMUP, PHASE_MEASURE, PHASE_OVER };

struct load {
    const struct plan *plan;
    int epoll;
    struct conn *conns;  /* owned */
    char *read_buffer;   /* owned */
    struct buf expected; /* of the reply looked at */
    enum phase phase;
    uint64_t issued, finished; /* since measuring began */
    uint64_t number;           /* of the next request */
    double due_us;             /* open loop: when the next request falls due */
    size_t next_conn;          /* open loop: where to look for a free connection */

    int64_t began_us, ended_us, server_ns, own_ns; /* own and server: first before, then used */
    uint64_t failures[FAIL_COUNT];
    uint64_t reconnects, body_bytes, body_min, body_max;
    struct samples latency;
    unsigned fruitless_connects;
    int first_bad_status;
};

/* ---- accounts ---- */

static void count_failure(struct load *load, enum failure kind, uint64_t times)
{
    load->failures[kind] += times;
}

static uint64_t failure_sum(const struct load *load)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < FAIL_COUNT; i++) {
        sum += load->failures[i];
    }
    return sum;
}

static void read_cpu(const struct load *load, int64_t *server_ns_out)
{
    struct why why;
    if (cpu_read(&load->plan->pids, server_ns_out, &why)) give_up("load", "%s", why.text);
}

static void begin_measuring(struct load *load)
{
    load->phase = PHASE_MEASURE;
    load->issued = 0;
    read_cpu(load, &load->server_ns);
    load->own_ns = cpu_self_ns();
    load->began_us = clock_mono_us();
}

static void end_measuring(struct load *load)
{
    int64_t server_ns;
    load->phase = PHASE_OVER;
    load->ended_us = clock_mono_us();
    load->own_ns = cpu_self_ns() - load->own_ns;
    read_cpu(load, &server_ns);
    load->server_ns = server_ns - load->server_ns;
}

static bool status_fits(const struct plan *plan, int status)
{
    uint64_t got = (uint64_t)status;
    return plan->status < 10 ? got / 100 == plan->status : got == plan->status;
}

static bool body_fits(struct load *load, const struct reply *reply, uint64_t number)
{
    if (!load->plan->expect.len) return true;
    buf_reset(&load->expected, REQUEST_BYTES_MAX);
    template_write(&load->expected, load->plan->expect, (struct str){0}, number);
    struct str body = buf_str(&reply->body);
    return str_find(body, buf_str(&load->expected)) < body.len;
}

/* The reply to the oldest request is complete. Failures count during warm-up too: they are never
 * expected. */
static void count_reply(struct load *load, const struct conn *conn, int64_t now_us)
{
    const struct reply *reply = &conn->reply;
    const struct sent *sent = &conn->sent[conn->oldest];
    load->fruitless_connects = 0;
    if (!status_fits(load->plan, reply->status)) {
        if (!load->first_bad_status) {
            load->first_bad_status = reply->status;
            fprintf(stderr, "load: first unexpected status: %d\n", reply->status);
        }
        count_failure(load, FAIL_STATUS, 1);
    } else if (!body_fits(load, reply, sent->number)) {
        count_failure(load, FAIL_BODY, 1);
    }
    if (load->phase != PHASE_MEASURE) return;
    if (load->finished == 0) load->body_min = UINT64_MAX;
    load->finished++;
    load->body_bytes += reply->body_bytes;
    load->body_min = MIN(load->body_min, reply->body_bytes);
    load->body_max = MAX(load->body_max, reply->body_bytes);
    samples_add(&load->latency, now_us - sent->since_us);
    if (load->plan->requests && load->finished >= load->plan->requests) end_measuring(load);
}

/* ---- connections ---- */

static void conn_watch(struct load *load, struct conn *conn, int operation)
{
    uint32_t wanted = conn->connecting || conn->wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
    struct epoll_event event = {.events = wanted, .data.ptr = conn};
    if (epoll_ctl(load->epoll, operation, conn->fd, &event)) {
        give_up("load", "epoll: %s", strerror(errno));
    }
}

static void conn_open(struct load *load, struct conn *conn)
{
    if (load->fruitless_connects++ >= FRUITLESS_CONNECTS_MAX + load->plan->connections) {
        give_up("load", "connection after connection is lost without a reply");
    }
    unsigned source = conn->index % (unsigned)load->plan->sources;
    conn->fd = endpoint_connect(&load->plan->request.to, source);
    if (conn->fd < 0) give_up("load", "connect: %s", strerror(errno));
    conn->connecting = true;
    conn_watch(load, conn, EPOLL_CTL_ADD);
}

/* What was in flight is lost and counted; a new connection takes its place. */
static void conn_renew(struct load *load, struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
    conn->wants_write = false;
    conn->oldest = conn->in_flight = conn->out_sent = 0;
    buf_reset(&conn->out, REQUEST_BYTES_MAX);
    reply_reset(&conn->reply);
    if (load->phase != PHASE_OVER) conn_open(load, conn);
}

static void conn_fail(struct load *load, struct conn *conn, enum failure kind)
{
    if (load->phase == PHASE_OVER) return;
    count_failure(load, kind, MAX(conn->in_flight, (size_t)1));
    if (load->plan->requests) load->issued -= conn->in_flight; /* asked again: N must come */
    conn_renew(load, conn);
}

static void conn_flush(struct load *load, struct conn *conn)
{
    while (conn->out_sent < conn->out.len) {
        ssize_t sent = send(conn->fd, conn->out.at + conn->out_sent, conn->out.len - conn->out_sent,
                            MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) {
            conn_fail(load, conn, FAIL_CLOSED);
            return;
        }
        conn->out_sent += (size_t)sent;
    }
    bool all = conn->out_sent == conn->out.len;
    if (all) {
        conn->out_sent = 0;
        buf_reset(&conn->out, REQUEST_BYTES_MAX);
    }
    if (conn->wants_write == all) {
        conn->wants_write = !all;
        conn_watch(load, conn, EPOLL_CTL_MOD);
    }
}

static void conn_put_request(struct load *load, struct conn *conn, int64_t since_us)
{
    const struct plan *plan = load->plan;
    request_write(&conn->out, &plan->request, tokens_get(&plan->tokens, conn->index), load->number);
    if (conn->out.failed) give_up("load", "the request is too large");
    conn->sent[(conn->oldest + conn->in_flight++) % PIPELINE_MAX] =
        (struct sent){since_us, load->number};
    load->number = load->number == plan->last ? plan->first : load->number + 1;
    load->issued++;
}

static bool may_issue(const struct load *load, const struct conn *conn)
{
    const struct plan *plan = load->plan;
    return conn->fd >= 0 && !conn->connecting && conn->in_flight < plan->pipeline &&
           load->phase != PHASE_OVER && (!plan->requests || load->issued < plan->requests);
}

/* Closed loop: as much as may be in flight on this connection. */
static void conn_fill(struct load *load, struct conn *conn, int64_t now_us)
{
    if (load->plan->rate > 0 || !may_issue(load, conn)) return;
    while (may_issue(load, conn)) {
        conn_put_request(load, conn, now_us);
    }
    conn_flush(load, conn);
}

/* Open loop: what has fallen due goes to free connections; the rest waits, its clock running. */
static void issue_due(struct load *load, int64_t now_us)
{
    const struct plan *plan = load->plan;
    for (size_t looked = 0; looked < plan->connections && load->due_us <= (double)now_us;) {
        struct conn *conn = &load->conns[load->next_conn++ % plan->connections];
        if (may_issue(load, conn)) {
            conn_put_request(load, conn, (int64_t)load->due_us);
            conn_flush(load, conn);
            load->due_us += 1e6 / plan->rate;
            looked = 0;
        } else {
            looked++;
        }
    }
}

static void conn_take(struct load *load, struct conn *conn, struct str bytes, int64_t now_us)
{
    while (bytes.len && conn->in_flight) {
        enum reply_step step = reply_feed(&conn->reply, &bytes);
        if (step == REPLY_MORE) return;
        if (step == REPLY_BROKEN) {
            conn_fail(load, conn, FAIL_BROKEN);
            return;
        }
        count_reply(load, conn, now_us);
        conn->oldest = (conn->oldest + 1) % PIPELINE_MAX;
        conn->in_flight--;
        bool closing = conn->reply.close;
        reply_reset(&conn->reply);
        if (closing) {
            load->reconnects++;
            if (conn->in_flight) count_failure(load, FAIL_CLOSED, conn->in_flight);
            conn_renew(load, conn);
            return;
        }
    }
    if (bytes.len) conn_fail(load, conn, FAIL_BROKEN); /* nobody asked for that */
}

/* The server ended the connection: it may, between replies. */
static void conn_on_end(struct load *load, struct conn *conn, int64_t now_us)
{
    if (conn->in_flight == 0) {
        load->reconnects++;
        conn_renew(load, conn);
        return;
    }
    if (conn->in_flight == 1 && reply_end(&conn->reply) == REPLY_DONE) {
        count_reply(load, conn, now_us);
        load->reconnects++;
        conn_renew(load, conn);
        return;
    }
    conn_fail(load, conn, FAIL_CLOSED);
}

static void conn_on_ready(struct load *load, struct conn *conn, uint32_t events)
{
    int64_t now_us = clock_mono_us();
    if (conn->connecting) {
        if (socket_error(conn->fd)) {
            conn_fail(load, conn, FAIL_CONNECT);
            return;
        }
        conn->connecting = false;
        conn_watch(load, conn, EPOLL_CTL_MOD);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t got = recv(conn->fd, load->read_buffer, READ_BYTES, 0);
        if (got == 0) {
            conn_on_end(load, conn, now_us);
            return;
        }
        if (got < 0 && errno != EAGAIN) {
            conn_fail(load, conn, FAIL_CLOSED);
            return;
        }
        if (got > 0) conn_take(load, conn, (struct str){load->read_buffer, (size_t)got}, now_us);
    }
    if (conn->wants_write) conn_flush(load, conn);
    conn_fill(load, conn, now_us);
}

/* ---- the run ---- */

static void drop_late(struct load *load, int64_t now_us)
{
    int64_t limit_us = now_us - (int64_t)(load->plan->timeout_seconds * 1e6);
    for (size_t i = 0; i < load->plan->connections; i++) {
        struct conn *conn = &load->conns[i];
        if (conn->in_flight && conn->sent[conn->oldest].since_us < limit_us) {
            conn_fail(load, conn, FAIL_TIMEOUT);
        }
    }
}

static int64_t wait_us(const struct load *load, int64_t now_us)
{
    double due = load->due_us - (double)now_us;
    /* Past due means that every connection is busy: a reply will wake us. */
    if (load->plan->rate <= 0 || due <= 0) return TICK_US;
    return (int64_t)MAX(1.0, MIN(due, (double)TICK_US));
}

static void turn(struct load *load, int64_t now_us)
{
    struct epoll_event events[512];
    struct timespec timeout = {.tv_nsec = wait_us(load, now_us) * 1000};
    int ready = epoll_pwait2(load->epoll, events, COUNT_OF(events), &timeout, NULL);
    if (ready < 0 && errno != EINTR) give_up("load", "epoll: %s", strerror(errno));
    for (int i = 0; i < ready; i++) {
        struct conn *conn = events[i].data.ptr;
        if (load->phase != PHASE_OVER && conn->fd >= 0) conn_on_ready(load, conn, events[i].events);
    }
}

static void run(struct load *load)
{
    const struct plan *plan = load->plan;
    int64_t start_us = clock_mono_us(), late_check_us = start_us;
    load->number = plan->first;
    load->due_us = (double)start_us;
    if (plan->requests) begin_measuring(load);
    for (size_t i = 0; i < plan->connections; i++) {
        conn_open(load, &load->conns[i]);
    }
    while (load->phase != PHASE_OVER) {
        int64_t now_us = clock_mono_us();
        if (plan->rate > 0) issue_due(load, now_us);
        turn(load, now_us);
        if (load->phase == PHASE_OVER) break;
        now_us = clock_mono_us();
        if (load->phase == PHASE_WARMUP &&
            now_us - start_us >= (int64_t)(plan->warmup_seconds * 1e6)) {
            begin_measuring(load);
        }
        if (!plan->requests && load->phase == PHASE_MEASURE &&
            now_us - load->began_us >= (int64_t)(plan->seconds * 1e6)) {
            end_measuring(load);
        }
        if (now_us - late_check_us > TICK_US) {
            drop_late(load, now_us);
            late_check_us = now_us;
        }
    }
}

static void report(struct load *load)
{
    struct buf line;
    buf_init(&line, 64 * 1024);
    struct json_out out = json_begin(&line);
    double seconds = (double)(load->ended_us - load->began_us) / 1e6;
    double finished = (double)load->finished;
    json_open(&out, NULL, '{');
    json_put_u64(&out, "requests", load->finished);
    json_put_u64(&out, "errors", failure_sum(load));
    json_open(&out, "errors_by_kind", '{');
    for (size_t i = 0; i < FAIL_COUNT; i++) {
        if (load->failures[i]) json_put_u64(&out, failure_names[i], load->failures[i]);
    }
    json_close(&out, '}');
    if (load->first_bad_status) json_put_i64(&out, "first_bad_status", load->first_bad_status);
    json_put_u64(&out, "reconnects", load->reconnects);
    put_ratio(&out, "seconds", seconds, 1);
    put_ratio(&out, "rps", finished, seconds);
    samples_write(&load->latency, &out, "latency_us");
    put_ratio(&out, "body_bytes", (double)load->body_bytes, finished);
    json_put_u64(&out, "body_bytes_min", load->body_min);
    json_put_u64(&out, "body_bytes_max", load->body_max);
    double server_us = load->plan->pids.len ? (double)load->server_ns / 1e3 : 0;
    put_ratio(&out, "server_cpu_us", server_us, load->plan->pids.len ? finished : 0);
    put_ratio(&out, "own_cpu_us", (double)load->own_ns / 1e3, finished);
    json_put_u64(&out, "next_number", load->number);
    json_close(&out, '}');
    printf("%.*s\n", STR_ARGS(buf_str(&line)));
    buf_release(&line);
}

/* ---- the command line ---- */

static void plan_read(struct plan *plan, int argc, char **argv)
{
    *plan = (struct plan){.connections = 64,
                          .pipeline = 1,
                          .first = 1,
                          .last = UINT64_MAX,
                          .status = 2,
                          .sources = 1,
                          .seconds = 5,
                          .warmup_seconds = 0.5,
                          .timeout_seconds = 10};
    const struct option_row rows[] = {
        ROW_TAKE("url", &plan->request.to, option_endpoint),
        ROW_COUNT("connections", &plan->connections, 1, CONNECTIONS_MAX),
        ROW_DECIMAL("seconds", &plan->seconds, 0.01, 86400),
        ROW_COUNT("requests", &plan->requests, 1, 1e9),
        ROW_DECIMAL("warmup", &plan->warmup_seconds, 0, 3600),
        ROW_COUNT("pipeline", &plan->pipeline, 1, PIPELINE_MAX),
        ROW_DECIMAL("rate", &plan->rate, 0.01, 1e7),
        ROW_TEXT("method", &plan->request.method),
        ROW_TAKE("header", &plan->request, option_header),
        ROW_TEXT("body-template", &plan->request.body),
        ROW_TAKE("tokens", &plan->tokens, option_tokens),
        ROW_COUNT("first", &plan->first, 0, 1e15),
        ROW_COUNT("last", &plan->last, 0, 1e15),
        ROW_COUNT("status", &plan->status, 1, 599),
        ROW_TEXT("expect", &plan->expect),
        ROW_COUNT("sources", &plan->sources, 1, 250),
        ROW_DECIMAL("timeout", &plan->timeout_seconds, 0.01, 3600),
        ROW_TAKE("pid", &plan->pids, option_pids),
    };
    options_read("load", help, rows, COUNT_OF(rows), argc, argv);
    if (!plan->request.to.path.len) give_up("load", "--url is missing; see --help");
    struct why why;
    if (request_complete(&plan->request, plan->tokens.len > 0, &why) ||
        descriptors_raise(plan->connections + 64, &why)) {
        give_up("load", "%s", why.text);
    }
}

static void load_release(struct load *load)
{
    for (size_t i = 0; i < load->plan->connections; i++) {
        if (load->conns[i].fd >= 0) close(load->conns[i].fd);
        buf_release(&load->conns[i].out);
        reply_release(&load->conns[i].reply);
    }
    close(load->epoll);
    mem_free(load->conns);
    mem_free(load->read_buffer);
    buf_release(&load->expected);
    samples_release(&load->latency);
}

int main(int argc, char **argv)
{
    struct plan plan;
    plan_read(&plan, argc, argv);

    struct load load = {.plan = &plan, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    load.read_buffer = mem_alloc_raw(READ_BYTES);
    buf_init(&load.expected, REQUEST_BYTES_MAX);
    load.conns = mem_alloc(plan.connections * sizeof(*load.conns));
    for (size_t i = 0; i < plan.connections; i++) {
        load.conns[i].fd = -1;
        load.conns[i].index = (unsigned)i;
        buf_init(&load.conns[i].out, REQUEST_BYTES_MAX);
        reply_init(&load.conns[i].reply);
        load.conns[i].reply.keep_body = plan.expect.len > 0;
    }
    run(&load);
    report(&load);
    bool fine = failure_sum(&load) == 0 && load.finished > 0;
    load_release(&load);
    tokens_release(&plan.tokens);
    return fine ? 0 : 1;
}
