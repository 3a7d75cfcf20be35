/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/reply.c: from a filled-in exchange to bytes on the wire.
 *
 * Small replies leave as head and body in one writev(). Files go in pieces of
 * 64 KiB, the next when the last has left, so a slow reader of a large file
 * costs one piece of memory. Growing replies are chunked (RFC 9112, 7.1).
 */
#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/header.h"
#include "http/internal.h"

enum { COMPRESS_MIN_BYTES = 1024, FILE_PIECE_BYTES = 64 * 1024 };

const char *http_status_text(int status)
{
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    }
    return "Status";
}

void http_add_header(struct http_exchange *x, const char *name, struct str value)
{
    ASSERT(str_find_byte(value, '\r') == value.len && str_find_byte(value, '\n') == value.len);
    buf_add_str(&x->reply_headers, str_of(name));
    buf_add(&x->reply_headers, ": ", 2);
    buf_add_str(&x->reply_headers, value);
    buf_add(&x->reply_headers, "\r\n", 2);
}

void http_reset_reply(struct http_exchange *x)
{
    buf_reset(&x->reply, SIZE_MAX);
    buf_reset(&x->reply_headers, SIZE_MAX);
    blob_unref(x->reply_blob);
    x->reply_blob = NULL;
    if (x->file >= 0) close(x->file);
    x->file = -1;
    x->content_type = NULL;
    x->etag = (struct str){0};
    x->status = 0;
}

/* --- compression --- */

static bool is_text(const char *type)
{
    struct str t = str_of(type);
    return str_starts(t, STR("text/")) || str_starts(t, STR("application/json")) ||
           str_starts(t, STR("application/problem+json")) ||
           str_starts(t, STR("application/javascript"));
}

static bool may_be_packed(const struct http_exchange *x)
{
    const struct http_server *server = x->server;
    return server->limits.gzip && !x->no_compress && x->content_type && is_text(x->content_type);
}

/* Replace the body by its gzip form where that is allowed and shorter. */
static void compress_reply(struct http_exchange *x)
{
    if (!may_be_packed(x) || x->reply.len < COMPRESS_MIN_BYTES) return;
    http_add_header(x, "Vary", STR("Accept-Encoding"));
    if (!header_accepts_coding(http_find_list(x, STR("accept-encoding")), "gzip")) return;
    z_stream z = {0};
    /* 15 + 16: a gzip wrapper. Level 1: most of the gain, and the loop is waiting. */
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    struct buf packed;
    buf_init(&packed, x->reply.len);
    z.next_in = (Bytef *)x->reply.at;
    z.avail_in = (uInt)x->reply.len;
    z.next_out = (Bytef *)buf_space(&packed, x->reply.len - 1);
    z.avail_out = (uInt)x->reply.len - 1;
    bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (done) {
        buf_grew(&packed, z.total_out);
        struct buf old = x->reply;
        x->reply = packed;
        x->reply.max = old.max;
        packed = old;
        http_add_header(x, "Content-Encoding", STR("gzip"));
    }
    deflateEnd(&z);
    buf_release(&packed);
}

/* --- conditional requests --- */

static void make_conditional(struct http_exchange *x)
{
    if (x->etag.len == 0) return;
    http_add_header(x, "ETag", x->etag);
    bool readable = x->method == HTTP_GET_ || x->method == HTTP_HEAD_;
    struct str asked = http_find_list(x, STR("if-none-match"));
    if (!readable || x->status != 200 || asked.len == 0) return;
    if (!header_etag_matches(asked, x->etag)) return;
    x->status = 304;
    /* What the 200 would have said (RFC 9110, 15.4.5); nobody has written a body where the list was
     * known to be the same. */
    bool packed = x->reply.len == 0 || x->reply.len >= COMPRESS_MIN_BYTES;
    if (packed && may_be_packed(x)) http_add_header(x, "Vary", STR("Accept-Encoding"));
    buf_reset(&x->reply, SIZE_MAX);
    blob_unref(x->reply_blob);
    x->reply_blob = NULL;
    x->file_len = 0;
}

/* --- heads --- */

static struct str date_now(struct http_server *server)
{
    int64_t now_s = loop_now_us(server->loop) / 1000000;
    if (now_s != server->date_s || server->date[0] == '\0') {
        clock_http(clock_wall_us(), server->date);
        server->date_s = now_s;
    }
    return (struct str){server->date, 29};
}

static void build_head(struct http_exchange *x, uint64_t body_bytes)
{
    struct http_server *server = x->server;
    struct buf *head = &server->head_scratch;
    buf_reset(head, SIZE_MAX);
    if (x->status == 200) {
        buf_add_str(head, STR("HTTP/1.1 200 OK\r\nDate: "));
    } else {
        buf_printf(head, "HTTP/1.1 %d %s\r\nDate: ", x->status, http_status_text(x->status));
    }
    buf_add_str(head, date_now(server));
    if (x->content_type && x->status != 304) {
        buf_add_str(head, STR("\r\nContent-Type: "));
        buf_add_str(head, str_of(x->content_type));
    }
    if (x->chunked) {
        buf_add_str(head, STR("\r\nTransfer-Encoding: chunked"));
    } else if (x->status != 204 && x->status != 304 && x->status >= 200 && !x->streaming) {
        buf_add_str(head, STR("\r\nContent-Length: "));
        buf_add_u64(head, body_bytes);
    }
    buf_add_str(head, STR("\r\nX-Request-Id: "));
    buf_add_str(head, str_of(x->id));
    if (!x->keep_alive) {
        buf_add_str(head, STR("\r\nConnection: close"));
    } else if (x->http10) {
        buf_add_str(head, STR("\r\nConnection: keep-alive"));
    }
    buf_add(head, "\r\n", 2);
    buf_add_str(head, buf_str(&x->reply_headers));
    buf_add(head, "\r\n", 2);
}

/* A stranger wrote it: what would end the quotes or the line is percent-encoded, as it should have
 * come. */
static void log_path(struct buf *line, struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];
        if (c > ' ' && c < 0x7f && c != '"' && c != '\\') {
            buf_add(line, &c, 1);
        } else {
            buf_printf(line, "%%%02X", (unsigned char)c);
        }
    }
}

void access_log(struct http_server *server, const struct http_exchange *x)
{
    if (!server->limits.access_log) return;
    char when[CLOCK_ISO_BYTES];
    clock_iso(clock_wall_us(), when);
    /* Never the query: old clients put tokens there. Nor addresses of private pages' partners:
     * the route's label stands for the path where there is one. */
    struct str path = str_head(x->target, str_find_byte(x->target, '?'));
    struct str client = x->log_client.len > 0 ? x->log_client : str_of(x->peer);
    buf_printf(&server->log_lines, "%s info http.request id=%s method=%.*s route=\"", when, x->id,
               STR_ARGS(x->method_name));
    if (x->label) {
        buf_add_str(&server->log_lines, str_of(x->label));
    } else {
        log_path(&server->log_lines, str_head(path, 200));
    }
    buf_printf(&server->log_lines, "\" status=%d bytes=%llu us=%lld peer=%.*s user=%llu\n",
               x->status, (unsigned long long)x->sent_bytes,
               (long long)(clock_mono_us() - x->began_us), STR_ARGS(client),
               (unsigned long long)x->log_user);
    loop_at_turn_end(server->loop, &server->log_hook);
}

/* --- files --- */

/* Queue the next piece of the file; true when there is more to come. */
static bool pump_file(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    while (x->file_len > 0 && socket_queued(connection->socket) == 0) {
        struct blob *piece = blob_new(MIN(x->file_len, (uint64_t)FILE_PIECE_BYTES));
        ssize_t got = pread(x->file, piece->at, piece->len, (off_t)x->file_at);
        if (got <= 0) { /* the file shrank or the disk failed: never pretend it was whole */
            blob_unref(piece);
            log_error("file.read", "reason=\"%s\"", got < 0 ? strerror(errno) : "file shrank");
            socket_close(connection->socket);
            return true;
        }
        x->file_at += (uint64_t)got;
        x->file_len -= (uint64_t)got;
        x->sent_bytes += (uint64_t)got;
        socket_send(connection->socket, &(struct iovec){piece->at, (size_t)got}, 1);
        blob_unref(piece);
    }
    return x->file_len > 0;
}

void connection_drained(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    if (x == NULL || connection->state != CONNECTION_WORKING) return;
    if (x->streaming) {
        if (x->stream.drained) x->stream.drained(x->stream.ctx);
    } else if (x->replied && !pump_file(connection)) {
        access_log(connection->server, x);
        connection_reply_done(connection);
    }
}

/* --- replying --- */

static void end_before_body(struct http_exchange *x)
{
    struct http_connection *connection = x->connection;
    /* The rest of an unread body would be taken for the next request. */
    if (connection->state == CONNECTION_BODY) x->keep_alive = false;
}

void http_reply(struct http_exchange *x)
{
    struct http_server *server = x->server;
    struct http_connection *connection = x->connection;
    ASSERT(!x->replied && x->status >= 200);
    x->replied = true;
    x->stream = (struct http_stream_events){0}; /* of http_watch() */
    if (connection == NULL) {
        exchange_free(server, x);
        return;
    }
    end_before_body(x);
    if (server->draining) x->keep_alive = false;
    make_conditional(x);
    compress_reply(x);
    struct str body = x->reply_blob ? blob_str(x->reply_blob) : buf_str(&x->reply);
    uint64_t body_bytes = x->file >= 0 ? x->file_len : body.len;
    build_head(x, body_bytes);
    if (x->method == HTTP_HEAD_ || x->status == 204 || x->status == 304) {
        body.len = 0;
        x->file_len = 0;
    }
    struct iovec parts[2] = {{server->head_scratch.at, server->head_scratch.len},
                             {(char *)(uintptr_t)body.at, body.len}};
    x->sent_bytes = body.len;
    socket_send(connection->socket, parts, body.len > 0 && x->file < 0 ? 2 : 1);
    if (x->file >= 0 && x->file_len > 0) {
        connection->state = CONNECTION_WORKING;
        deadline_set(server->loop, &connection->deadline,
                     loop_now_us(server->loop) + HTTP_WRITE_TIMEOUT_US);
        if (pump_file(connection)) return;
    }
    access_log(server, x);
    connection_reply_done(connection);
}

/* --- growing replies --- */

struct blob *http_chunk(struct str bytes)
{
    char size[20];
    int digits = snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
    struct blob *chunk = blob_new((size_t)digits + bytes.len + 2);
    memcpy(chunk->at, size, (size_t)digits);
    if (bytes.len > 0) memcpy(chunk->at + digits, bytes.at, bytes.len);
    memcpy(chunk->at + digits + bytes.len, "\r\n", 2);
    return chunk;
}

/* The peer closed its half while a worker had the exchange: `gone` comes in a turn of its own. */
bool http_is_gone(const struct http_exchange *x)
{
    return x->connection == NULL || x->connection->peer_done;
}

static void close_if_left(struct http_exchange *x)
{
    if (x->connection && http_is_gone(x)) socket_close(x->connection->socket);
}

void http_watch(struct http_exchange *x, struct http_stream_events events)
{
    ASSERT(!x->replied);
    x->stream = events;
    close_if_left(x);
}

void http_stream_begin(struct http_exchange *x, struct http_stream_events events)
{
    struct http_connection *connection = x->connection;
    ASSERT(!x->replied && x->status >= 200);
    x->replied = x->streaming = true;
    x->stream = events;
    if (connection == NULL) return;
    end_before_body(x);
    x->chunked = !x->http10;
    if (x->http10) x->keep_alive = false;
    build_head(x, 0);
    connection_set_state(connection, CONNECTION_WORKING);
    struct http_server *server = x->server;
    deadline_set(server->loop, &connection->deadline,
                 loop_now_us(server->loop) + HTTP_WRITE_TIMEOUT_US);
    /* At the end of the turn, with the first of the body if that is there already. */
    socket_queue_give(connection->socket, blob_copy(buf_str(&server->head_scratch)));
    if (x->method == HTTP_HEAD_) {
        connection_let_go(connection);
    } else {
        close_if_left(x);
    }
}

void http_stream_write(struct http_exchange *x, struct str bytes)
{
    if (x->connection == NULL || bytes.len == 0) return;
    x->sent_bytes += bytes.len;
    x->written_us = loop_now_us(((struct http_server *)x->server)->loop);
    socket_queue_give(x->connection->socket, x->chunked ? http_chunk(bytes) : blob_copy(bytes));
}

/* --- signs of life --- */

static void await_silence(struct http_exchange *x)
{
    struct http_server *server = x->server;
    int64_t soonest_us = loop_now_us(server->loop) + 1000000;
    deadline_set(server->loop, &x->silence, MAX(x->written_us + x->silence_us, soonest_us));
}

static void on_silence(struct deadline *deadline)
{
    struct http_exchange *x = CONTAINER_OF(deadline, struct http_exchange, silence);
    struct http_server *server = x->server;
    if (x->connection == NULL) return;
    bool silent = loop_now_us(server->loop) >= x->written_us + x->silence_us;
    /* Who reads slowly has something on its way. */
    if (silent && http_stream_queued(x) == 0) http_stream_write(x, str_of(HTTP_COMMENT));
    await_silence(x);
}

void http_stream_comment(struct http_exchange *x, int64_t every_us)
{
    struct http_server *server = x->server;
    x->silence.fired = on_silence;
    x->silence_us = every_us;
    x->written_us = loop_now_us(server->loop);
    await_silence(x);
}

void http_stream_event(struct http_exchange *x, struct str data)
{
    struct buf event;
    buf_init(&event, data.len + 16);
    buf_add_str(&event, STR("data: "));
    buf_add_str(&event, data);
    buf_add_str(&event, STR("\n\n"));
    http_stream_write(x, buf_str(&event));
    buf_release(&event);
}

void http_stream_write_blob(struct http_exchange *x, struct blob *chunked_bytes)
{
    if (x->connection == NULL) return;
    ASSERT(x->chunked);
    x->sent_bytes += chunked_bytes->len;
    socket_queue(x->connection->socket, chunked_bytes);
}

size_t http_stream_queued(const struct http_exchange *x)
{
    return x->connection ? socket_queued(x->connection->socket) : 0;
}

void http_stream_flush(struct http_exchange *x)
{
    if (x->connection) socket_flush(x->connection->socket);
}

void http_stream_end(struct http_exchange *x, bool complete)
{
    struct http_server *server = x->server;
    struct http_connection *connection = x->connection;
    access_log(server, x);
    deadline_clear(&x->silence);
    x->streaming = false;
    if (connection == NULL) {
        exchange_free(server, x);
        return;
    }
    if (!complete) { /* no last chunk: the reader sees that it was cut off (RFC 9112, 8) */
        x->keep_alive = false;
    } else if (x->chunked) {
        socket_send(connection->socket, &(struct iovec){(char *)(uintptr_t) "0\r\n\r\n", 5}, 1);
    }
    connection_reply_done(connection);
}
