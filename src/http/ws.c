/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http/ws.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/internal.h"

enum { GOODBYE_MS = 5000 };

/* Lives on one loop. Small: there are tens of thousands. */
struct ws {
    struct socket *socket;
    struct admission *admission; /* it holds its place there until the end */
    const struct ws_owner *owner;
    void *ctx;
    struct ws_parser parser;
    struct deadline ping;
    int64_t ping_us;
    size_t queue_max;
    bool closing, heard;
};

static bool has_token(struct str list, struct str token)
{
    struct str item;
    while (str_split(&list, ',', &item)) {
        if (str_eq_nocase(str_trim(item), token)) return true;
    }
    return false;
}

bool ws_is_wanted(struct http_exchange *x)
{
    return x->method == HTTP_GET_ && !x->http10 &&
           has_token(http_find_list(x, STR("upgrade")), STR("websocket")) &&
           has_token(http_find_list(x, STR("connection")), STR("upgrade")) &&
           str_eq(http_find_header(x, STR("sec-websocket-version")), STR("13"));
}

enum err ws_check_request(struct http_exchange *x, struct why *why)
{
    char accept[WS_ACCEPT_BYTES];
    if (x->method != HTTP_GET_ || x->http10 ||
        !has_token(http_find_list(x, STR("upgrade")), STR("websocket")) ||
        !has_token(http_find_list(x, STR("connection")), STR("upgrade"))) {
        return why_set(why, ERR_INVALID, "this address speaks WebSocket: send an upgrade request");
    }
    if (!str_eq(http_find_header(x, STR("sec-websocket-version")), STR("13"))) {
        return why_set(why, ERR_INVALID, "only version 13 of WebSocket is spoken here");
    }
    return ws_accept_key(http_find_header(x, STR("sec-websocket-key")), accept, why);
}

/* --- what the peer says --- */

static bool on_text(void *ctx, struct str message)
{
    struct ws *ws = ctx;
    ws->owner->text(ws->ctx, message);
    return !ws->closing;
}

static bool on_binary(void *ctx, struct str message)
{
    struct ws *ws = ctx;
    ws->owner->binary(ws->ctx, message);
    return !ws->closing;
}

static bool on_ping(void *ctx, struct str payload)
{
    struct ws *ws = ctx;
    struct blob *pong = ws_frame(WS_PONG, payload);
    ws_send(ws, pong);
    blob_unref(pong);
    return !ws->closing;
}

static bool on_pong(void *ctx, struct str payload)
{
    (void)payload;
    return !((struct ws *)ctx)->closing;
}

static void on_close(void *ctx, unsigned code, struct str reason)
{
    (void)reason;
    ws_close(ctx, code, STR(""));
}

static const struct ws_events parser_events = {
    .text = on_text, .binary = on_binary, .ping = on_ping, .pong = on_pong, .close = on_close};

/* --- socket events --- */

static void on_data(void *ctx, char *bytes, size_t len)
{
    struct ws *ws = ctx;
    struct ws_fault fault;
    if (ws->closing) return;
    ws->heard = true;
    enum err err = ws_feed(&ws->parser, bytes, len, &parser_events, ws, &fault);
    if (err == ERR_INVALID || err == ERR_LIMIT) ws_close(ws, fault.code, str_of(fault.reason));
}

static void on_ended(void *ctx)
{
    struct ws *ws = ctx;
    ws->closing = true;
    socket_close(ws->socket);
}

static void on_drained(void *ctx)
{
    struct ws *ws = ctx;
    if (!ws->closing && ws->owner->drained) ws->owner->drained(ws->ctx);
}

static void on_closed(void *ctx)
{
    struct ws *ws = ctx;
    deadline_clear(&ws->ping);
    ws_parser_release(&ws->parser);
    admission_leave(ws->admission, str_of(socket_peer(ws->socket)));
    ws->owner->closed(ws->ctx);
    mem_free(ws);
}

static const struct socket_events ws_socket_events = {
    .data = on_data, .ended = on_ended, .drained = on_drained, .closed = on_closed};

static void on_ping_due(struct deadline *deadline)
{
    struct ws *ws = CONTAINER_OF(deadline, struct ws, ping);
    if (ws->closing) return;
    if (!ws->heard) { /* silent through a whole ping time: the peer is not there any more */
        on_ended(ws);
        return;
    }
    ws->heard = false;
    struct blob *ping = ws_frame(WS_PING, STR(""));
    ws_send(ws, ping);
    blob_unref(ping);
    struct loop *loop = socket_loop(ws->socket);
    deadline_set(loop, &ws->ping, loop_now_us(loop) + ws->ping_us);
}

struct ws *ws_accept(struct http_exchange *x, const struct ws_options *options,
                     const struct ws_owner *owner, void *ctx)
{
    struct http_server *server = x->server;
    struct why why;
    char accept[WS_ACCEPT_BYTES];
    enum err err = ws_accept_key(http_find_header(x, STR("sec-websocket-key")), accept, &why);
    ASSERT(err == OK); /* checked before */
    x->replied = true;
    x->status = 101;
    access_log(server, x);
    struct http_connection *connection = x->connection;
    if (connection == NULL) {
        exchange_free(server, x);
        return NULL;
    }
    struct buf *head = &server->head_scratch;
    buf_reset(head, SIZE_MAX);
    buf_printf(head,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n",
               accept);
    if (options->protocol.len > 0) {
        buf_printf(head, "Sec-WebSocket-Protocol: %.*s\r\n", STR_ARGS(options->protocol));
    }
    buf_printf(head, "X-Request-Id: %s\r\n\r\n", x->id);
    connection->exchange = NULL;
    exchange_free(server, x);

    struct ws *ws = NEW(struct ws);
    ws->admission = server->limits.admission;
    ws->owner = owner;
    ws->ctx = ctx;
    ws->queue_max = options->queue_max;
    ws->ping_us = options->ping_us;
    ws->heard = true;
    ws_parser_init(&ws->parser, options->message_max);
    ws->socket = connection_give_socket(connection);
    list_init(&ws->ping.link);
    ws->ping.fired = on_ping_due;
    deadline_set(server->loop, &ws->ping, loop_now_us(server->loop) + ws->ping_us);
    socket_send(ws->socket, &(struct iovec){head->at, head->len}, 1);
    socket_start(ws->socket, &ws_socket_events, ws);
    return ws;
}

static bool has_room(struct ws *ws, size_t len)
{
    size_t queued = socket_queued(ws->socket);
    return queued == 0 || queued + len <= ws->queue_max;
}

void ws_send(struct ws *ws, struct blob *frame)
{
    if (ws->closing) return;
    if (!has_room(ws, frame->len)) socket_flush(ws->socket);
    if (!has_room(ws, frame->len)) {
        log_info("ws.slow", "peer=%s waiting=%zu", ws_peer(ws), socket_queued(ws->socket));
        socket_unqueue(ws->socket);
        ws_close(ws, WS_CODE_SLOW, STR("too slow: come back and resume"));
        return;
    }
    socket_queue(ws->socket, frame);
}

void ws_send_text(struct ws *ws, struct str text)
{
    struct blob *frame = ws_frame_text(text);
    ws_send(ws, frame);
    blob_unref(frame);
}

void ws_close(struct ws *ws, unsigned code, struct str reason)
{
    if (ws->closing) return;
    ws->closing = true;
    socket_queue_give(ws->socket, ws_frame_close(code, reason));
    socket_finish(ws->socket, GOODBYE_MS);
}

void ws_abort(struct ws *ws)
{
    ws->closing = true;
    socket_close(ws->socket);
}

size_t ws_queued(const struct ws *ws)
{
    return socket_queued(ws->socket);
}

void ws_flush(struct ws *ws)
{
    socket_flush(ws->socket);
}

bool ws_is_closing(const struct ws *ws)
{
    return ws->closing;
}

const char *ws_peer(const struct ws *ws)
{
    return socket_peer(ws->socket);
}
