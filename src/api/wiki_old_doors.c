/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_old_doors.c: the two ways in which older clients ask about a repository, with one answer
 * behind both (docs/wiki.md):
 *
 *   POST /chat/completions/stream   the words as they come, as a body that grows. It is called
 *                                   text/event-stream and is none
 *   /ws/chat                        one JSON frame in, the words as text frames, close 1000
 *
 * Neither says how an answer ended but in its words, so what goes wrong stands there.
 */
#include "api/handlers.h"
#include "api/input.h"
#include "api/live_internal.h"
#include "api/respond.h"
#include "api/tokens.h"
#include "api/wiki_access.h"
#include "api/wiki_old.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

enum { QUEUE_HIGH_BYTES = 64 * 1024 };

#define PREPARING "Error preparing retriever: "

/* --- HTTP --- */

/* Lives on one loop. */
struct growing {
    struct call *call;
    struct http_exchange *x;
    struct wiki_visit *visit;
    bool begun, paused;
};

static void growing_gone(void *ctx)
{
    struct growing *growing = ctx;
    wiki_visit_cancel(growing->visit);
    if (growing->begun) {
        http_stream_end(growing->x, false);
    } else {
        growing->x->status = 499;
        http_reply(growing->x);
    }
    mem_free(growing);
}

static void growing_drained(void *ctx)
{
    struct growing *growing = ctx;
    if (!growing->paused) return;
    growing->paused = false;
    wiki_visit_resume(growing->visit);
}

/* Before anything of an answer: an ordinary error, in the status that older clients know. */
static void growing_failed(void *ctx, enum err err, const struct why *why)
{
    struct growing *growing = ctx;
    struct call *call = growing->call;
    struct why said = *why;
    bool begun = growing->begun;
    mem_free(growing);
    if (begun) {
        http_stream_end(call->x, false);
        return;
    }
    if (err == ERR_UNKNOWN_CALLER || err == ERR_BUSY) {
        call_refuse(call, err, &said);
        return;
    }
    why_write(&said, PREPARING "%s", why->text);
    respond_status(call->x, 500, said.text);
    call_reply(call);
}

static void growing_begun(void *ctx, const struct wiki *wiki)
{
    struct growing *growing = ctx;
    struct http_exchange *x = growing->x;
    (void)wiki;
    growing->begun = true;
    http_reset_reply(x);
    x->status = 200;
    x->content_type = "text/event-stream; charset=utf-8";
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "X-Accel-Buffering", STR("no"));
    call_begin_stream(growing->call, (struct http_stream_events){.drained = growing_drained,
                                                                 .gone = growing_gone,
                                                                 .ctx = growing});
}

static void growing_text(void *ctx, struct str piece)
{
    struct growing *growing = ctx;
    http_stream_write(growing->x, piece);
    if (growing->paused || http_stream_queued(growing->x) <= QUEUE_HIGH_BYTES) return;
    http_stream_flush(growing->x);
    if (http_stream_queued(growing->x) <= QUEUE_HIGH_BYTES) return;
    growing->paused = true;
    wiki_visit_pause(growing->visit);
}

static void growing_end(void *ctx, const struct wiki_ask_end *end)
{
    struct growing *growing = ctx;
    struct arena arena = {0};
    struct str fault = wiki_old_fault(&arena, end);
    if (fault.len) http_stream_write(growing->x, fault);
    http_stream_end(growing->x, true);
    arena_release(&arena);
    mem_free(growing);
}

static const struct wiki_visit_events growing_events = {
    .failed = growing_failed,
    .begun = growing_begun,
    .answer = {.text = growing_text, .end = growing_end}};

static void begin_growing(struct call *call)
{
    if (call->home->llm == NULL) {
        struct why why;
        enum err err = why_set(&why, ERR_BUSY, "the server is stopping");
        call_refuse(call, err, &why);
        return;
    }
    struct growing *growing = NEW(struct growing);
    growing->call = call;
    growing->x = call->x;
    growing->visit = wiki_visit_start(call->home, call->visit, &growing_events, growing);
    http_watch(call->x, (struct http_stream_events){.gone = growing_gone, .ctx = growing});
}

static bool may(struct call *call, enum wiki_right right)
{
    struct why unused;
    return wiki_allow(call, right, &unused) == OK;
}

enum err wiki_old_stream(struct call *call, struct why *why)
{
    struct wiki_visit_want *want = ARENA_NEW(call->arena, struct wiki_visit_want);
    enum err err = wiki_allow(call, WIKI_ASK, why);
    if (!err) err = input_json(call, why);
    if (!err) err = wiki_old_read(call->arena, call->api, call->body, want, why);
    if (err) return err;
    want->who = call->who;
    want->may_add = may(call, WIKI_ADD);
    call->visit = want;
    call->after = begin_growing;
    return OK;
}

/* --- WebSocket --- */

/* Lives on one loop. */
struct old_socket {
    struct list link; /* in home->asking */
    struct api_loop *home;
    struct caller who;
    char network[HEADER_NETWORK_BYTES];
    bool may_ask, may_add, asked, paused;
    struct why why; /* unless may_ask */
    struct ws *ws;
    struct wiki_visit *visit;
};

static void say(struct old_socket *socket, const char *before, const char *text)
{
    struct arena arena = {0};
    ws_send_text(socket->ws, arena_printf(&arena, "%s%s", before, text));
    arena_release(&arena);
}

static void say_goodbye(struct old_socket *socket)
{
    socket->visit = NULL;
    ws_close(socket->ws, 1000, STR(""));
}

static void socket_failed(void *ctx, enum err err, const struct why *why)
{
    struct old_socket *socket = ctx;
    say(socket, err == ERR_UNKNOWN_CALLER ? "Error: " : PREPARING, why->text);
    say_goodbye(socket);
}

static void socket_said(void *ctx, struct str piece)
{
    struct old_socket *socket = ctx;
    ws_send_text(socket->ws, piece);
    if (socket->paused || ws_queued(socket->ws) <= QUEUE_HIGH_BYTES) return;
    ws_flush(socket->ws);
    if (ws_queued(socket->ws) <= QUEUE_HIGH_BYTES) return;
    socket->paused = true;
    wiki_visit_pause(socket->visit);
}

static void socket_answered(void *ctx, const struct wiki_ask_end *end)
{
    struct old_socket *socket = ctx;
    struct arena arena = {0};
    struct str fault = wiki_old_fault(&arena, end);
    if (fault.len) ws_send_text(socket->ws, fault);
    arena_release(&arena);
    say_goodbye(socket);
}

static const struct wiki_visit_events socket_events = {
    .failed = socket_failed, .answer = {.text = socket_said, .end = socket_answered}};

static enum err take_request(struct old_socket *socket, struct arena *arena, struct str text,
                             struct why *why)
{
    struct wiki_visit_want want = {.who = socket->who, .may_add = socket->may_add};
    struct json *body = NULL;
    enum err err = OK;
    if (json_count(text) > LIMIT_BOOK_VALUES)
        err = why_set(why, ERR_LIMIT, "the request has more than %d values", LIMIT_BOOK_VALUES);
    if (!err) err = json_parse(text, &body, NULL, why);
    if (!err) err = wiki_old_read(arena, socket->home->api, body, &want, why);
    if (!err && socket->home->llm == NULL) err = why_set(why, ERR_BUSY, "the server is stopping");
    if (!err) socket->visit = wiki_visit_start(socket->home, &want, &socket_events, socket);
    json_free(body);
    return err;
}

/* The one frame that is read; later ones are not. */
static void socket_text(void *ctx, struct str text)
{
    struct old_socket *socket = ctx;
    struct arena arena = {0};
    struct why why = socket->why;
    if (socket->asked) return;
    socket->asked = true;
    enum err err = socket->may_ask ? OK : ERR_DENIED;
    if (!err) err = live_take_chat_rate(socket->home, &socket->who, socket->network, &why);
    if (!err) err = take_request(socket, &arena, text, &why);
    if (err) say(socket, "Error: ", why.text);
    if (socket->visit == NULL) say_goodbye(socket);
    arena_release(&arena);
}

static void socket_binary(void *ctx, struct str bytes)
{
    struct old_socket *socket = ctx;
    (void)bytes;
    if (socket->asked) return;
    socket->asked = true;
    say(socket, "Error: ", "'text'"); /* these very words */
    say_goodbye(socket);
}

static void socket_drained(void *ctx)
{
    struct old_socket *socket = ctx;
    if (!socket->paused) return;
    socket->paused = false;
    if (socket->visit) wiki_visit_resume(socket->visit);
}

static void socket_closed(void *ctx)
{
    struct old_socket *socket = ctx;
    if (socket->visit) wiki_visit_cancel(socket->visit);
    list_remove(&socket->link);
    socket->home->chat_count--;
    mem_free(socket);
}

static const struct ws_owner socket_owner = {.text = socket_text,
                                             .binary = socket_binary,
                                             .drained = socket_drained,
                                             .closed = socket_closed};

static void accept_socket(struct call *call)
{
    struct old_socket *socket = NEW(struct old_socket);
    socket->home = call->home;
    socket->who = call->who;
    socket->may_ask = wiki_allow(call, WIKI_ASK, &socket->why) == OK;
    socket->may_add = may(call, WIKI_ADD);
    str_copy(socket->network, sizeof(socket->network), call_network(call));
    list_init(&socket->link);
    list_add_last(&call->home->asking, &socket->link);
    call->home->chat_count++;
    struct ws_options options = {.queue_max = (size_t)call->api->settings->live_queue_bytes,
                                 .message_max = LIMIT_WIKI_BYTES,
                                 .ping_us = call->api->settings->live_ping_s * 1000000,
                                 .protocol = live_choose_protocol(call->x, STR(""))};
    socket->ws = ws_accept(call->x, &options, &socket_owner, socket);
    if (socket->ws == NULL) socket_closed(socket);
}

/* Who it is has been looked up; whoever is not known is a stranger. */
static void open_socket(struct call *call)
{
    if (call->err) {
        call->who = (struct caller){0};
    } else if (call->token.len > 0) {
        token_remember(call->home->tokens, call);
    }
    accept_socket(call);
}

enum err wiki_old_ws(struct call *call, struct why *why)
{
    unsigned code = 0;
    const char *reason = NULL;
    if (ws_check_request(call->x, why) != OK) {
        live_ask_for_upgrade(call, why);
    } else if (live_claim(call, LIVE_BY_TICKET | LIVE_BY_QUERY, &code, &reason)) {
        live_confirm(call, open_socket);
    } else {
        call->who = (struct caller){0};
        accept_socket(call);
    }
    return OK;
}

/* Questions under way end by themselves (wiki_visits_notice()), and their sockets with them. */
void wiki_old_notice(struct api_loop *home, const struct hub_notice *notice)
{
    for (struct list *at = home->asking.next, *next; at != &home->asking; at = next) {
        next = at->next;
        struct old_socket *socket = CONTAINER_OF(at, struct old_socket, link);
        if (socket->visit == NULL && live_is_meant(&socket->who, notice)) say_goodbye(socket);
    }
}

void wiki_old_drain(struct api_loop *home)
{
    for (struct list *at = home->asking.next, *next; at != &home->asking; at = next) {
        next = at->next;
        struct old_socket *socket = CONTAINER_OF(at, struct old_socket, link);
        if (socket->visit == NULL)
            ws_close(socket->ws, WS_CODE_RESTART, STR("the server restarts"));
    }
}

void wiki_old_abort(struct api_loop *home)
{
    for (struct list *at = home->asking.next, *next; at != &home->asking; at = next) {
        next = at->next;
        ws_abort(CONTAINER_OF(at, struct old_socket, link)->ws);
    }
}
