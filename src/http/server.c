/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/server.c: connections: from bytes to requests.
 *
 * A head is first gathered whole (usually it is, in one read), checked for the
 * line ends that smuggling lives on, copied into its exchange and only then
 * shown to llhttp, so that every span points into the exchange and no header
 * is ever in two pieces. Bodies go through llhttp as they come.
 *
 * The parser stops after each message (it reports HPE_PAUSED); what the client
 * sent ahead waits in `ahead` until the reply has been written.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "http/header.h"
#include "http/internal.h"
#include "http/url.h"

enum { FREE_EXCHANGES_MAX = 64, KEEP_BODY_BYTES = 32 * 1024, LINGER_MS = 5000 };

/* While the server drains: who has connected but said nothing yet is given this long. */
static const int64_t FIRST_REQUEST_US = 1000000;

/* And who keeps a connection this long for one request more, whose reply says that it was the last.
 * Closed at once, a request on its way would be lost, and a proxy repeats no POST. */
enum { LAST_REQUEST_MS = 300 };

static void feed(struct http_connection *connection, const char *bytes, size_t len);
static void peer_is_done(struct http_connection *connection);
static void server_free_when_empty(struct http_server *server);

/* --- exchanges --- */

static struct http_exchange *exchange_new(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct http_exchange *x = server->free_exchanges;
    if (x) {
        server->free_exchanges = x->next_free;
        server->free_count--;
    } else {
        x = NEW(struct http_exchange);
        buf_init(&x->body, 0);
        buf_init(&x->reply_headers, 8 * 1024);
        buf_init(&x->reply, LIMIT_REPLY_BYTES);
    }
    x->server = server;
    x->connection = connection;
    /* Its own: a worker reads it when the socket has long gone. */
    x->peer = arena_copy(&x->arena, str_of(socket_peer(connection->socket))).at;
    x->file = -1;
    list_init(&x->silence.link);
    x->began_us = clock_mono_us();
    server->stats.requests++;
    server->exchanges_out++;
    return x;
}

void exchange_free(struct http_server *server, struct http_exchange *x)
{
    server->app.done(server->app.ctx, x);
    server->exchanges_out--;
    http_reset_reply(x);
    arena_reset(&x->arena);
    buf_reset(&x->body, KEEP_BODY_BYTES);
    buf_reset(&x->reply, KEEP_BODY_BYTES);
    if (server->free_count >= FREE_EXCHANGES_MAX || server->closing) {
        arena_release(&x->arena);
        buf_release(&x->body);
        buf_release(&x->reply);
        buf_release(&x->reply_headers);
        mem_free(x);
        server_free_when_empty(server);
        return;
    }
    *x = (struct http_exchange){.arena = x->arena,
                                .body = x->body,
                                .reply = x->reply,
                                .reply_headers = x->reply_headers,
                                .next_free = server->free_exchanges};
    server->free_exchanges = x;
    server->free_count++;
}

struct str http_find_header(const struct http_exchange *x, struct str name)
{
    for (size_t i = 0; i < x->header_count; i++) {
        if (str_eq_nocase(x->headers[i].name, name)) return x->headers[i].value;
    }
    return (struct str){0};
}

struct str http_find_list(struct http_exchange *x, struct str name)
{
    struct str all = {0};
    for (size_t i = 0; i < x->header_count; i++) {
        struct str value = x->headers[i].value;
        if (!str_eq_nocase(x->headers[i].name, name)) continue;
        all =
            all.at ? arena_printf(&x->arena, "%.*s, %.*s", STR_ARGS(all), STR_ARGS(value)) : value;
    }
    return all;
}

/* --- state --- */

void connection_set_state(struct http_connection *connection, enum connection_state state)
{
    const struct http_limits *limits = &connection->server->limits;
    struct loop *loop = connection->server->loop;
    int64_t now = loop_now_us(loop);
    connection->state = state;
    switch (state) {
    case CONNECTION_IDLE:
        deadline_set(loop, &connection->deadline, now + limits->idle_timeout_us);
        return;
    case CONNECTION_HEAD:
        deadline_set(loop, &connection->deadline, now + limits->head_timeout_us);
        return;
    case CONNECTION_BODY: return; /* the head's deadline goes on until the first byte of the body */
    case CONNECTION_WORKING:
    case CONNECTION_CLOSING: connection->deadline.at_us = 0; return;
    }
}

/* A reader that has taken nothing since the last look is given up. */
static void watch_reader(struct http_connection *connection)
{
    size_t queued = socket_queued(connection->socket);
    bool stuck = queued > 0 && queued == connection->queued_before;
    bool waiting = connection->state == CONNECTION_WORKING || queued > 0;
    if (stuck || !waiting) {
        socket_close(connection->socket);
        return;
    }
    connection->queued_before = queued;
    struct loop *loop = connection->server->loop;
    deadline_set(loop, &connection->deadline, loop_now_us(loop) + HTTP_WRITE_TIMEOUT_US);
}

/* A reply that ends the connection: the rest of what the peer sends is not read. */
static void finish(struct http_connection *connection)
{
    connection_set_state(connection, CONNECTION_CLOSING);
    buf_release(&connection->ahead);
    /* A reader that takes its time gets the whole reply, as on a connection that stays. */
    bool waiting = socket_queued(connection->socket) > 0;
    socket_finish(connection->socket, waiting ? HTTP_WRITE_TIMEOUT_US / 1000 : LINGER_MS);
}

/* We can't make sense of the request: say why, close. */
static void fault(struct http_connection *connection, int status, const char *sentence)
{
    struct http_server *server = connection->server;
    struct http_exchange *x = connection->exchange;
    if (x == NULL) x = connection->exchange = exchange_new(connection);
    x->keep_alive = false;
    x->status = status;
    if (x->id[0] == '\0') str_copy(x->id, sizeof(x->id), STR("-"));
    server->app.fault(server->app.ctx, x, sentence);
    http_reply(x);
}

/* Whoever takes the body piece by piece hears that the rest will not come. False: that ended or
 * answered the request. */
static bool break_sink(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    struct http_sink sink = x->sink;
    if (sink.piece) {
        x->sink.piece = NULL;
        sink.broken(sink.ctx, x);
    }
    return connection->exchange == x && !x->replied;
}

static void on_deadline(struct deadline *deadline)
{
    struct http_connection *connection = CONTAINER_OF(deadline, struct http_connection, deadline);
    switch (connection->state) {
    case CONNECTION_HEAD: fault(connection, 408, "the request did not come in time"); return;
    case CONNECTION_BODY:
        if (break_sink(connection))
            fault(connection, 408, "the body of the request did not come in time");
        return;
    case CONNECTION_IDLE:    /* perhaps the last reply is still leaving */
    case CONNECTION_WORKING: /* a stream or a file */
    case CONNECTION_CLOSING: watch_reader(connection); return;
    }
}

/* The reply is sent: the next request, or the end. */
static void go_on(struct http_connection *connection, bool keep_alive)
{
    bool keep =
        keep_alive && !connection->server->draining && connection->state == CONNECTION_WORKING;
    connection->served = true;
    if (!keep) {
        finish(connection);
        return;
    }
    connection_set_state(connection, CONNECTION_IDLE);
    if (connection->feeding) return; /* feed() goes on by itself */
    if (connection->ahead.len == 0) {
        if (connection->peer_done) peer_is_done(connection);
        return;
    }
    struct buf ahead = connection->ahead;
    buf_init(&connection->ahead, LIMIT_READ_AHEAD_BYTES + LIMIT_READ_BYTES);
    socket_resume(connection->socket);
    feed(connection, ahead.at, ahead.len);
    buf_release(&ahead);
}

void connection_reply_done(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    connection->exchange = NULL;
    bool keep = x->keep_alive;
    exchange_free(connection->server, x);
    go_on(connection, keep);
}

void connection_let_go(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    connection->exchange = NULL;
    x->connection = NULL;
    go_on(connection, x->keep_alive);
}

/* --- heads --- */

/* Position behind the blank line, 0 when it has not come; *fault_out when it can't be a head. */
static size_t head_end(const char *bytes, size_t len, const char **fault_out)
{
    for (size_t i = 0; i < len;) {
        const char *lf = memchr(bytes + i, '\n', len - i);
        if (lf == NULL) return 0;
        size_t at = (size_t)(lf - bytes);
        if (at == 0 || bytes[at - 1] != '\r') {
            *fault_out = "a line of the request does not end in CR LF";
            return 0;
        }
        /* The line is empty: end of the head (an empty first line was skipped before). */
        if (at == i + 1) return at + 1;
        if (memchr(bytes + i, '\r', at - 1 - i) != NULL) {
            *fault_out = "a carriage return inside a line of the request";
            return 0;
        }
        if (memchr(bytes + i, '\0', at - i) != NULL) {
            *fault_out = "a NUL byte in the head of the request";
            return 0;
        }
        i = at + 1;
        if (i < len && (bytes[i] == ' ' || bytes[i] == '\t')) {
            *fault_out = "a header is folded over two lines, which RFC 9112 has taken out";
            return 0;
        }
    }
    return 0;
}

static struct http_exchange *exchange_of(llhttp_t *parser)
{
    return ((struct http_connection *)parser->data)->exchange;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    exchange_of(parser)->target = (struct str){at, len};
    return len > LIMIT_TARGET_BYTES ? HPE_USER : 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_exchange *x = exchange_of(parser);
    if (x->connection->state == CONNECTION_BODY) return 0; /* trailers are read and dropped */
    if (x->header_count == LIMIT_HEADERS) return HPE_USER;
    /* llhttp lets blanks pass in names it does not know; RFC 9112, 5.1: no blank before the colon.
     */
    if (!header_is_token((struct str){at, len})) return HPE_INVALID_HEADER_TOKEN;
    x->headers[x->header_count++] = (struct http_header){.name = {at, len}, .value = STR("")};
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_exchange *x = exchange_of(parser);
    if (x->connection->state == CONNECTION_BODY) return 0;
    ASSERT(x->header_count > 0);
    x->headers[x->header_count - 1].value = str_trim((struct str){at, len});
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_exchange *x = exchange_of(parser);
    if (x->replied) return 0; /* refused by its head: read and drop */
    if (x->sink.piece) {
        x->sink.piece(x->sink.ctx, x, (struct str){at, len});
        return 0;
    }
    buf_add(&x->body, at, len);
    return x->body.failed ? HPE_USER : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static enum http_method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET: return HTTP_GET_;
    case HTTP_HEAD: return HTTP_HEAD_;
    case HTTP_POST: return HTTP_POST_;
    case HTTP_PUT: return HTTP_PUT_;
    case HTTP_PATCH: return HTTP_PATCH_;
    case HTTP_DELETE: return HTTP_DELETE_;
    case HTTP_OPTIONS: return HTTP_OPTIONS_;
    default: return HTTP_OTHER_;
    }
}

static bool is_id(struct str text)
{
    if (text.len == 0 || text.len > 64) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && c != '-' && c != '_' && c != '.') return false;
    }
    return true;
}

/* "5f0c31aa-2b": of this server's life, and which one. By hand: snprintf() takes 200 ns. */
static void name_request(struct http_server *server, char *to)
{
    char digits[16];
    size_t count = 0;
    uint64_t number = server->id_next++;
    do {
        digits[count++] = "0123456789abcdef"[number & 15];
        number >>= 4;
    } while (number > 0);
    size_t at = strlen(server->id_prefix);
    memcpy(to, server->id_prefix, at);
    while (count > 0) to[at++] = digits[--count];
    to[at] = '\0';
}

/* What llhttp leaves to us, and what the application wants to know. A fault sentence, or NULL. */
static const char *understand_head(struct http_connection *connection, struct http_exchange *x)
{
    llhttp_t *parser = &connection->parser;
    struct str authority = url_target_authority(x->target);
    size_t hosts = 0, codings = 0;
    bool only_chunked = true;
    x->http10 = parser->http_minor == 0;
    for (size_t i = 0; i < x->header_count; i++) {
        struct str name = x->headers[i].name, value = x->headers[i].value;
        if (name.len == 0) return "a header without a name";
        if (str_eq_nocase(name, STR("host"))) {
            struct url_host host;
            /* RFC 9112, 3.2; nothing is what one says of a target without an authority. */
            if (value.len > 0 && !url_host_parse(value, &host))
                return "the Host header names no host";
            /* RFC 9112, 3.2.2: an absolute target says it, whatever Host says. */
            if (authority.len > 0) x->headers[i].value = authority;
            hosts++;
        }
        if (str_eq_nocase(name, STR("transfer-encoding"))) {
            codings++;
            only_chunked = str_eq_nocase(value, STR("chunked"));
        }
        if (str_eq_nocase(name, STR("expect")) && str_eq_nocase(value, STR("100-continue"))) {
            x->expects_continue = !x->http10; /* RFC 9110, 10.1.1 */
        }
    }
    if (parser->http_major != 1) return "only HTTP/1.0 and HTTP/1.1 are spoken here";
    if (hosts > 1 || (hosts == 0 && !x->http10)) return "a request needs exactly one Host header";
    x->method = method_of(parser->method);
    x->method_name = str_of(llhttp_method_name((llhttp_method_t)parser->method));
    /* Behind a CONNECT comes, to a proxy that lets it pass, somebody else's conversation. */
    x->keep_alive = llhttp_should_keep_alive(parser) && parser->method != HTTP_CONNECT;
    bool chunked = (parser->flags & F_CHUNKED) != 0;
    if (codings > 1 || !only_chunked || chunked != (codings == 1)) {
        return "the only transfer coding taken here is chunked, said once";
    }
    if (chunked && (x->http10 || (parser->flags & F_CONTENT_LENGTH))) {
        return "Transfer-Encoding does not go with HTTP/1.0 or with Content-Length";
    }
    x->content_length = chunked ? 0 : parser->content_length;
    x->has_body = chunked || parser->content_length > 0;
    struct str id = http_find_header(x, STR("x-request-id"));
    if (is_id(id)) {
        str_copy(x->id, sizeof(x->id), id);
    } else {
        name_request(connection->server, x->id);
    }
    return NULL;
}

/* The application has seen the whole request. */
static void request_whole(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct http_exchange *x = connection->exchange;
    connection_set_state(connection, CONNECTION_WORKING);
    server->app.whole(server->app.ctx, x);
}

/* Whoever waits to be asked for the body is asked: not while it could not be taken. */
static void ask_for_body(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    if (x == NULL || !x->expects_continue || x->replied) return;
    if (connection->state != CONNECTION_BODY) return;
    x->expects_continue = false;
    struct iovec go = {(char *)(uintptr_t) "HTTP/1.1 100 Continue\r\n\r\n", 25};
    socket_send(connection->socket, &go, 1);
}

/* What llhttp, or one of our limits behind it, does not take. */
static void fault_head(struct http_connection *connection, llhttp_errno_t failed, struct str head)
{
    struct str method = str_head(head, str_find_byte(head, ' '));
    if (failed == HPE_USER && connection->exchange->target.len > LIMIT_TARGET_BYTES) {
        fault(connection, 414, "the address of the request is longer than 8 KiB");
    } else if (failed == HPE_USER) {
        fault(connection, 431, "the request has more than 64 headers");
    } else if (failed == HPE_INVALID_METHOD && header_is_token(method)) {
        fault(connection, 501, "no address here knows the method of the request");
    } else {
        fault(connection, 400, "the head of the request is not valid HTTP/1.1");
    }
}

/* Show a whole head to llhttp and to the application. */
static void take_head(struct http_connection *connection, const char *bytes, size_t len)
{
    struct http_server *server = connection->server;
    struct http_exchange *x = connection->exchange = exchange_new(connection);
    struct str head = arena_copy(&x->arena, (struct str){bytes, len});
    connection->chunks = (struct chunk_guard){0};
    llhttp_init(&connection->parser, HTTP_REQUEST, &server->parser_settings);
    connection->parser.data = connection;
    x->headers = server->header_scratch;
    llhttp_errno_t failed = llhttp_execute(&connection->parser, head.at, head.len);
    x->headers = ARENA_ARRAY(&x->arena, struct http_header, x->header_count);
    memcpy(x->headers, server->header_scratch, sizeof(*x->headers) * x->header_count);
    bool whole = failed == HPE_PAUSED || failed == HPE_PAUSED_UPGRADE;
    if (failed != HPE_OK && !whole) {
        log_debug("http.bad_head", "peer=%s reason=%s", x->peer, llhttp_errno_name(failed));
        fault_head(connection, failed, head);
        return;
    }
    const char *bad = understand_head(connection, x);
    if (bad) {
        fault(connection, 400, bad);
        return;
    }
    if (whole) {
        connection_set_state(connection, CONNECTION_WORKING);
    } else {
        connection->state = CONNECTION_BODY; /* keeps the deadline of the head */
        connection->body_due_us = 0;
    }
    server->app.head(server->app.ctx, x);
    if (connection->exchange != x || x->replied) return;
    x->body.max = x->body_max;
    if (whole) {
        server->app.whole(server->app.ctx, x);
    } else if (x->sink.piece == NULL && x->content_length > x->body_max) {
        fault(connection, 413, "the body is larger than this address takes");
    } else if (!connection->body_paused) {
        ask_for_body(connection);
    }
}

/* --- feeding --- */

/* Bytes used up. */
static size_t feed_head(struct http_connection *connection, const char *bytes, size_t len)
{
    /* RFC 9112, 2.2: a server should ignore an empty line before a request; it may come in halves.
     */
    struct buf *held = &connection->ahead;
    if (held->len == 1 && held->at[0] == '\r' && bytes[0] == '\n') {
        buf_reset(held, SIZE_MAX);
        return 1;
    }
    if (connection->state == CONNECTION_IDLE) {
        if (held->len == 0 && len >= 2 && bytes[0] == '\r' && bytes[1] == '\n') return 2;
        connection_set_state(connection, CONNECTION_HEAD);
    }
    size_t before = connection->ahead.len;
    if (before > 0) {
        buf_add(&connection->ahead, bytes, len);
        bytes = connection->ahead.at;
        len = connection->ahead.len;
    }
    const char *bad = NULL;
    size_t end = head_end(bytes, MIN(len, (size_t)LIMIT_HEAD_BYTES), &bad);
    if (bad) {
        fault(connection, 400, bad);
    } else if (end > 0) {
        size_t used = end - before;
        struct buf ahead = connection->ahead;
        buf_init(&connection->ahead, LIMIT_READ_AHEAD_BYTES + LIMIT_READ_BYTES);
        take_head(connection, bytes, end);
        buf_release(&ahead);
        return used;
    } else if (len >= LIMIT_HEAD_BYTES) {
        bool line = memchr(bytes, '\n', LIMIT_HEAD_BYTES) != NULL;
        fault(connection, line ? 431 : 414,
              line ? "the head of the request is larger than 16 KiB"
                   : "the address of the request is longer than 8 KiB");
    } else if (before == 0) {
        buf_add(&connection->ahead, bytes, len);
    }
    return SIZE_MAX; /* all of it */
}

/* Each piece buys time, but a byte now and then does not keep a connection for days. */
static void extend_body_time(struct http_connection *connection, size_t len)
{
    struct http_server *server = connection->server;
    int64_t now_us = loop_now_us(server->loop), pause_us = server->limits.body_timeout_us;
    if (connection->body_due_us == 0) connection->body_due_us = now_us + pause_us;
    connection->body_due_us += (int64_t)len * 1000000 / HTTP_BODY_PACE;
    deadline_set(server->loop, &connection->deadline,
                 MIN(now_us + pause_us, connection->body_due_us));
}

static size_t feed_body(struct http_connection *connection, const char *bytes, size_t len)
{
    llhttp_t *parser = &connection->parser;
    extend_body_time(connection, len);
    bool chunked = (parser->flags & F_CHUNKED) != 0;
    bool framed = !chunked || chunk_guard_look(&connection->chunks, bytes, len);
    llhttp_errno_t failed = framed ? llhttp_execute(parser, bytes, len) : HPE_INVALID_CHUNK_SIZE;
    if (failed == HPE_OK) return len;
    if (failed == HPE_PAUSED || failed == HPE_PAUSED_UPGRADE) {
        size_t used = (size_t)(llhttp_get_error_pos(parser) - bytes);
        request_whole(connection);
        return used;
    }
    if (!break_sink(connection)) return SIZE_MAX;
    if (failed == HPE_USER) {
        fault(connection, 413, "the body is larger than this address takes");
    } else {
        fault(connection, 400, "the body of the request is not framed as HTTP/1.1 wants it");
    }
    return SIZE_MAX;
}

/* Bytes for a request we cannot look at yet. */
static void keep_ahead(struct http_connection *connection, const char *bytes, size_t len)
{
    buf_add(&connection->ahead, bytes, len);
    if (connection->ahead.len >= LIMIT_READ_AHEAD_BYTES) socket_pause(connection->socket);
}

static void feed(struct http_connection *connection, const char *bytes, size_t len)
{
    connection->feeding = true;
    while (len > 0) {
        size_t used = 0;
        if (connection->socket == NULL || connection->state == CONNECTION_CLOSING) break;
        if (connection->state == CONNECTION_WORKING || connection->body_paused) {
            keep_ahead(connection, bytes, len);
            break;
        }
        if (connection->state == CONNECTION_BODY) {
            used = feed_body(connection, bytes, len);
        } else {
            used = feed_head(connection, bytes, len);
        }
        if (used >= len) break;
        bytes += used;
        len -= used;
    }
    connection->feeding = false;
    if (connection->socket == NULL) {
        mem_free(connection); /* upgraded while being fed */
    } else if (connection->peer_done) {
        peer_is_done(connection);
    }
}

void http_body_pause(struct http_exchange *x)
{
    struct http_connection *connection = x->connection;
    if (connection == NULL || connection->body_paused) return;
    connection->body_paused = true;
    connection->deadline.at_us = 0; /* it is us who are slow */
    socket_pause(connection->socket);
}

void http_body_resume(struct http_exchange *x)
{
    struct http_connection *connection = x->connection;
    if (connection == NULL || !connection->body_paused) return;
    connection->body_paused = false;
    struct buf ahead = connection->ahead;
    buf_init(&connection->ahead, LIMIT_READ_AHEAD_BYTES + LIMIT_READ_BYTES);
    /* Our pause was not the peer's. */
    int64_t due_us =
        loop_now_us(connection->server->loop) + connection->server->limits.body_timeout_us;
    connection->body_due_us = MAX(connection->body_due_us, due_us);
    deadline_set(connection->server->loop, &connection->deadline, due_us);
    socket_resume(connection->socket);
    ask_for_body(connection);
    if (ahead.len > 0) feed(connection, ahead.at, ahead.len);
    buf_release(&ahead);
}

/* --- socket events --- */

static void on_data(void *ctx, char *bytes, size_t len)
{
    feed(ctx, bytes, len);
}

/*
 * A half-close is how some clients say "that was all": what they asked before
 * still gets its replies. Called again when a reply has been given.
 */
static void peer_is_done(struct http_connection *connection)
{
    struct http_exchange *x = connection->exchange;
    switch (connection->state) {
    case CONNECTION_WORKING:
        /* Nobody waits for its end. */
        if (x && (x->streaming || x->stream.gone)) socket_close(connection->socket);
        return;
    case CONNECTION_BODY: (void)break_sink(connection); break;
    case CONNECTION_IDLE:
    case CONNECTION_HEAD: break;
    case CONNECTION_CLOSING: return;
    }
    finish(connection);
}

static void on_ended(void *ctx)
{
    struct http_connection *connection = ctx;
    connection->peer_done = true;
    peer_is_done(connection);
}

static void on_drained(void *ctx)
{
    connection_drained(ctx);
}

static void connection_free(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    deadline_clear(&connection->deadline);
    list_remove(&connection->link);
    server->connection_count--;
    buf_release(&connection->ahead);
    connection->socket = NULL;
    if (!connection->feeding) mem_free(connection);
}

static void server_free_when_empty(struct http_server *server)
{
    if (!server->closing || server->connection_count > 0 || server->exchanges_out > 0) return;
    while (server->free_exchanges) {
        struct http_exchange *x = server->free_exchanges;
        server->free_exchanges = x->next_free;
        arena_release(&x->arena);
        buf_release(&x->body);
        buf_release(&x->reply);
        buf_release(&x->reply_headers);
        mem_free(x);
    }
    list_remove(&server->log_hook.link);
    if (server->log_lines.len > 0) log_raw(buf_str(&server->log_lines));
    buf_release(&server->log_lines);
    buf_release(&server->head_scratch);
    mem_free(server);
}

static void on_closed(void *ctx)
{
    struct http_connection *connection = ctx;
    struct http_server *server = connection->server;
    struct http_exchange *x = connection->exchange;
    admission_leave(server->limits.admission, str_of(socket_peer(connection->socket)));
    if (x) {
        x->connection = NULL;
        bool with_app = connection->state == CONNECTION_WORKING && !x->replied;
        if (x->streaming) {
            if (x->stream.gone) x->stream.gone(x->stream.ctx);
        } else if (with_app) {
            if (x->stream.gone) x->stream.gone(x->stream.ctx);
        } else {
            exchange_free(server, x);
        }
    }
    connection_free(connection);
    server_free_when_empty(server);
}

static const struct socket_events connection_events = {
    .data = on_data, .ended = on_ended, .drained = on_drained, .closed = on_closed};

static void on_refused_closed(void *ctx)
{
    (void)ctx;
}

static void on_refused_data(void *ctx, char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
}

static void on_refused_ended(void *ctx)
{
    socket_close(ctx);
}

/* Too many connections: a fixed answer, without the cost of a connection. */
static void refuse(struct http_server *server, struct socket *socket, enum admitted why)
{
    static const struct socket_events events = {.data = on_refused_data,
                                                .ended = on_refused_ended,
                                                .drained = on_refused_closed,
                                                .closed = on_refused_closed};
    server->stats.refused++;
    bool full = why == ADMIT_FULL;
    const char *sentence = full ? "the server has all the connections it takes"
                                : "too many connections from this network address";
    char body[160], answer[512];
    int body_len = snprintf(body, sizeof(body), "{\"status\":%d,\"detail\":\"%s\"}",
                            full ? 503 : 429, sentence);
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 %d %s\r\nConnection: close\r\nRetry-After: 5\r\n"
                       "Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s",
                       full ? 503 : 429, http_status_text(full ? 503 : 429), body_len, body);
    socket_start(socket, &events, socket);
    socket_send(socket, &(struct iovec){answer, (size_t)len}, 1);
    socket_finish(socket, LINGER_MS);
}

/* Draining: its first request may be on the way, and would find the door shut. Not for long. */
static void hurry(struct http_connection *connection)
{
    struct loop *loop = connection->server->loop;
    deadline_set(loop, &connection->deadline, loop_now_us(loop) + FIRST_REQUEST_US);
}

static void on_accepted(void *ctx, struct socket *socket)
{
    struct http_server *server = ctx;
    enum admitted admitted = admission_enter(server->limits.admission, str_of(socket_peer(socket)));
    if (admitted != ADMITTED) {
        refuse(server, socket, admitted);
        return;
    }
    struct http_connection *connection = NEW(struct http_connection);
    connection->server = server;
    connection->socket = socket;
    buf_init(&connection->ahead, LIMIT_READ_AHEAD_BYTES + LIMIT_READ_BYTES);
    list_init(&connection->deadline.link);
    connection->deadline.fired = on_deadline;
    list_add_last(&server->connections, &connection->link);
    server->connection_count++;
    server->stats.accepted++;
    /* A new connection that says nothing is given the time of a head, not of an idle one. */
    connection_set_state(connection, CONNECTION_HEAD);
    connection->state = CONNECTION_IDLE;
    if (server->draining) hurry(connection);
    socket_start(socket, &connection_events, connection);
}

struct socket *connection_give_socket(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct socket *socket = connection->socket;
    server->stats.upgraded++;
    connection_free(connection);
    return socket;
}

/* --- life cycle --- */

static void flush_log(struct turn_hook *hook)
{
    struct http_server *server = CONTAINER_OF(hook, struct http_server, log_hook);
    log_raw(buf_str(&server->log_lines));
    buf_reset(&server->log_lines, 256 * 1024);
}

enum err http_server_open(struct loop *loop, struct str address, const struct http_limits *limits,
                          const struct http_app *app, struct http_server **server_out,
                          struct why *why)
{
    struct http_server *server = NEW(struct http_server);
    enum err err = listener_open(loop, address, on_accepted, server, &server->listener, why);
    if (err) {
        mem_free(server);
        return err;
    }
    server->loop = loop;
    server->limits = *limits;
    server->app = *app;
    list_init(&server->connections);
    list_init(&server->log_hook.link);
    server->log_hook.run = flush_log;
    buf_init(&server->head_scratch, 64 * 1024);
    buf_init(&server->log_lines, 4 * 1024 * 1024);
    snprintf(server->id_prefix, sizeof(server->id_prefix), "%08x-", (uint32_t)random_u64());
    llhttp_settings_init(&server->parser_settings);
    server->parser_settings.on_url = on_url;
    server->parser_settings.on_header_field = on_header_field;
    server->parser_settings.on_header_value = on_header_value;
    server->parser_settings.on_body = on_body;
    server->parser_settings.on_message_complete = on_message_complete;
    *server_out = server;
    return OK;
}

void http_server_address(const struct http_server *server, char *to, size_t to_bytes)
{
    listener_address(server->listener, to, to_bytes);
}

static void on_retired(void *ctx)
{
    struct http_server *server = ctx;
    server->listener = NULL;
}

/* No request more has come from these. */
static void part(void *ctx)
{
    struct http_server *server = ctx;
    for (struct list *at = server->connections.next; at != &server->connections; at = at->next) {
        struct http_connection *connection = CONTAINER_OF(at, struct http_connection, link);
        if (connection->state == CONNECTION_IDLE && connection->served) finish(connection);
    }
}

void http_server_drain(struct http_server *server, unsigned siblings)
{
    if (server->draining) return;
    server->draining = true;
    listener_retire(server->listener, siblings, on_retired);
    for (struct list *at = server->connections.next; at != &server->connections; at = at->next) {
        struct http_connection *connection = CONTAINER_OF(at, struct http_connection, link);
        if (connection->state == CONNECTION_IDLE && !connection->served) hurry(connection);
    }
    server->parting = timer_new(server->loop, part, server);
    timer_start(server->parting, LAST_REQUEST_MS, 0);
}

size_t http_server_open_count(const struct http_server *server)
{
    return server->connection_count + (server->listener ? 1 : 0);
}

void http_server_close(struct http_server *server)
{
    listener_close(server->listener);
    server->listener = NULL;
    timer_free(server->parting);
    server->parting = NULL;
    server->draining = server->closing = true;
    for (struct list *at = server->connections.next; at != &server->connections; at = at->next) {
        socket_close(CONTAINER_OF(at, struct http_connection, link)->socket);
    }
    server_free_when_empty(server);
}

struct http_stats http_server_stats(const struct http_server *server)
{
    struct http_stats stats = server->stats;
    stats.open = server->connection_count;
    return stats;
}
