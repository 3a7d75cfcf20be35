/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/live/echo_server.c: a WebSocket endpoint that says what it hears.
 *
 * The product never echoes and takes 64 KiB a message; the conformance cases
 * need both. It is the product's own loop, HTTP server and WebSocket with
 * another owner behind them. Prints "port N", serves until its input ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/server.h"
#include "http/ws.h"

enum { MESSAGE_MAX = 17 * 1024 * 1024, QUEUE_MAX = 64 * 1024 * 1024 };

struct echo {
    struct list link; /* in `connections` */
    struct ws *ws;
};

/* All but `stop` is the loop's. */
static struct loop *loop;
static struct http_server *server;
static struct list connections;
static struct task stop;

static void send_back(struct echo *echo, enum ws_opcode opcode, struct str message)
{
    struct blob *frame = ws_frame(opcode, message);
    ws_send(echo->ws, frame);
    blob_unref(frame);
}

static void on_text(void *ctx, struct str message)
{
    send_back(ctx, WS_TEXT, message);
}

static void on_binary(void *ctx, struct str message)
{
    send_back(ctx, WS_BINARY, message);
}

static void on_closed(void *ctx)
{
    struct echo *echo = ctx;
    list_remove(&echo->link);
    mem_free(echo);
}

static const struct ws_owner owner = {.text = on_text, .binary = on_binary, .closed = on_closed};

static void on_head(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    x->body_max = 0;
}

static void on_whole(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    struct why why;
    if (ws_check_request(x, &why) != OK) {
        x->status = 426;
        http_reply(x);
        return;
    }
    struct echo *echo = NEW(struct echo);
    list_init(&echo->link);
    struct ws_options options = {
        .queue_max = QUEUE_MAX, .message_max = MESSAGE_MAX, .ping_us = INT64_C(3600) * 1000000};
    echo->ws = ws_accept(x, &options, &owner, echo);
    if (echo->ws) {
        list_add_last(&connections, &echo->link);
    } else {
        mem_free(echo);
    }
}

static void on_done(void *ctx, struct http_exchange *x)
{
    (void)ctx, (void)x;
}

static void on_fault(void *ctx, struct http_exchange *x, const char *sentence)
{
    (void)ctx;
    buf_add_str(&x->reply, str_of(sentence));
}

static void on_stop(struct task *task)
{
    (void)task;
    for (struct list *at = connections.next; at != &connections; at = at->next) {
        ws_abort(CONTAINER_OF(at, struct echo, link)->ws);
    }
    http_server_close(server);
    loop_stop(loop);
}

static void *wait_for_end_of_input(void *unused)
{
    (void)unused;
    char bytes[64];
    while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0) continue;
    stop.run = on_stop;
    loop_post(loop, &stop);
    return NULL;
}

int main(void)
{
    struct why why;
    char address[64];
    pthread_t reader;
    struct http_limits limits = {.admission = admission_new(1000, 0),
                                 .head_timeout_us = INT64_C(60) * 1000000,
                                 .body_timeout_us = INT64_C(60) * 1000000,
                                 .idle_timeout_us = INT64_C(60) * 1000000};
    struct http_app app = {.head = on_head, .whole = on_whole, .done = on_done, .fault = on_fault};
    list_init(&connections);
    if (loop_open(&loop, &why) != OK ||
        http_server_open(loop, STR("127.0.0.1:0"), &limits, &app, &server, &why) != OK) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    http_server_address(server, address, sizeof(address));
    printf("port %s\n", strrchr(address, ':') + 1);
    fflush(stdout);
    pthread_create(&reader, NULL, wait_for_end_of_input, NULL);
    loop_run(loop);
    pthread_join(reader, NULL);
    loop_close(loop);
    admission_free(limits.admission);
    return 0;
}
