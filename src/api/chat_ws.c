/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_ws.c: /chat, a WebSocket to a model (docs/chat.md).
 *
 * Two dialects on one machine. Old clients send a question as plain text and
 * get the answer as plain text, ended by one blank frame; there a piece of
 * white space alone would be taken for that end, so it waits for the piece
 * behind it. Clients that ask for hutong.chat.v1 get JSON frames with types.
 *
 * At most one answer is under way. A new question interrupts it; one that says
 * `wait` stands in a queue of at most WAITING_MAX instead. What was said so far
 * stays in the history, which lasts as long as the connection and forgets its
 * oldest words when it grows too long.
 *
 * A reader that is slower than the model stops the reading from the provider:
 * nothing piles up here but what one read brings.
 */
#include "api/chat.h"

#include "api/chat_frames.h"
#include "api/live_internal.h"
#include "api/respond.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/utf8.h"
#include "llm/models.h"

enum {
    WAITING_MAX = 100,
    HISTORY_TURNS = 200,
    HISTORY_BYTES = 256 * 1024,
    ANSWER_BYTES = 1024 * 1024, /* the longest a model of today says at once is a quarter of it */
    QUEUE_HIGH_BYTES = 64 * 1024,
    QUESTION_MAX = 32000,                            /* code points */
    QUESTION_FRAME_BYTES = 12 * QUESTION_MAX + 4096, /* each escaped as two halves, at worst */
};

/* Something said, or a question that waits. */
struct saying {
    struct list link;
    enum llm_role role;
    size_t len;
    char *model; /* owned; of a question that waits, NULL: the default */
    char text[];
};

/* Lives on one loop. */
struct chat_socket {
    struct list link; /* in home->chats */
    struct api_loop *home;
    struct caller who; /* user 0: a stranger */
    int64_t ends_us;   /* monotonic: the token's end; 0: none */
    char network[HEADER_NETWORK_BYTES];
    struct ws *ws;
    bool typed; /* hutong.chat.v1 */
    struct list history, waiting;
    size_t history_count, history_bytes, waiting_count;
    struct llm_call *call; /* NULL: nobody speaks */
    bool paused;
    struct why instead; /* of the answer that begins */
    struct buf answer;  /* what was said so far */
    struct buf blank;   /* old dialect: white space that waits for words */
    struct buf frame;
};

/* --- history --- */

static void free_saying(struct saying *saying)
{
    list_remove(&saying->link);
    mem_free(saying->model);
    mem_free(saying);
}

static struct saying *add_saying(struct list *to, enum llm_role role, struct str text)
{
    struct saying *saying = mem_alloc(sizeof(*saying) + text.len);
    saying->role = role;
    saying->len = text.len;
    if (text.len) memcpy(saying->text, text.at, text.len);
    list_init(&saying->link);
    list_add_last(to, &saying->link);
    return saying;
}

static struct saying *first(struct list *list)
{
    return CONTAINER_OF(list->next, struct saying, link);
}

static void forget_first(struct chat_socket *socket)
{
    struct saying *saying = first(&socket->history);
    socket->history_count--;
    socket->history_bytes -= saying->len;
    free_saying(saying);
}

static void remember(struct chat_socket *socket, enum llm_role role, struct str text)
{
    if (text.len == 0) return;
    add_saying(&socket->history, role, text);
    socket->history_count++;
    socket->history_bytes += text.len;
    while (socket->history_count > 1 &&
           (socket->history_count > HISTORY_TURNS || socket->history_bytes > HISTORY_BYTES)) {
        forget_first(socket);
    }
}

/* --- saying --- */

static void send_frame(struct chat_socket *socket)
{
    ws_send_text(socket->ws, buf_str(&socket->frame));
}

/* Something that went wrong before, or instead of, an answer. */
static void send_error(struct chat_socket *socket, const char *fault, const char *detail)
{
    if (socket->typed) {
        chat_frame_error(&socket->frame, fault, detail);
        send_frame(socket);
        return;
    }
    buf_reset(&socket->frame, 4096);
    buf_printf(&socket->frame, "Error: %s", detail);
    send_frame(socket);
    ws_send_text(socket->ws, STR(""));
}

/* Hold the provider back when the reader is slow. */
static void mind_the_queue(struct chat_socket *socket)
{
    if (socket->paused || ws_queued(socket->ws) <= QUEUE_HIGH_BYTES) return;
    ws_flush(socket->ws);
    if (ws_queued(socket->ws) <= QUEUE_HIGH_BYTES || socket->call == NULL) return;
    socket->paused = true;
    llm_pause(socket->call);
}

static void on_drained(void *ctx)
{
    struct chat_socket *socket = ctx;
    if (!socket->paused) return;
    socket->paused = false;
    if (socket->call) llm_resume(socket->call);
}

/* --- the answer --- */

static void ask_next(struct chat_socket *socket);

/* Blank as a page's trim() sees it: ASCII, U+0085, U+00A0, U+1680, U+2000–200A, U+2028/9, U+202F,
 * U+205F, U+3000, U+FEFF. */
static bool is_blank(struct str text)
{
    static const char *const wide[] = {"\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
                                       "\u2003", "\u2004", "\u2005", "\u2006", "\u2007",
                                       "\u2008", "\u2009", "\u200a", "\u2028", "\u2029",
                                       "\u202f", "\u205f", "\u3000", "\ufeff", "\xc2\x85"};
    while (text.len > 0) {
        size_t step = strchr(" \t\n\v\f\r", text.at[0]) && text.at[0] ? 1 : 0;
        for (size_t i = 0; step == 0 && i < COUNT_OF(wide); i++) {
            if (str_starts(text, str_of(wide[i]))) step = strlen(wide[i]);
        }
        if (step == 0) return false;
        text = str_from(text, step);
    }
    return true;
}

static void on_instead(void *ctx, struct str sentence)
{
    why_write(&((struct chat_socket *)ctx)->instead, "%.*s", STR_ARGS(sentence));
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct chat_socket *socket = ctx;
    if (!socket->typed) return;
    chat_frame_start(&socket->frame, site, model, str_of(socket->instead.text));
    send_frame(socket);
}

static void send_plain(struct chat_socket *socket, struct str piece)
{
    buf_add_str(&socket->blank, piece);
    if (is_blank(piece)) return;
    ws_send_text(socket->ws, buf_str(&socket->blank));
    buf_reset(&socket->blank, 4096);
}

static void on_text(void *ctx, struct str piece)
{
    struct chat_socket *socket = ctx;
    buf_add_str(&socket->answer, piece);
    if (socket->typed) {
        chat_frame_piece(&socket->frame, "delta", piece);
        send_frame(socket);
    } else {
        send_plain(socket, piece);
    }
    mind_the_queue(socket);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct chat_socket *socket = ctx;
    if (!socket->typed) return;
    chat_frame_piece(&socket->frame, "reasoning", piece);
    send_frame(socket);
    mind_the_queue(socket);
}

static void finish_answer(struct chat_socket *socket)
{
    socket->call = NULL;
    socket->paused = false;
    socket->instead = (struct why){0};
    remember(socket, LLM_ASSISTANT, buf_str(&socket->answer));
    buf_reset(&socket->answer, 4096);
    buf_reset(&socket->blank, 4096);
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct chat_socket *socket = ctx;
    finish_answer(socket);
    if (socket->typed) {
        chat_frame_end(&socket->frame, result);
        send_frame(socket);
    } else if (result->end != LLM_COMPLETE) {
        send_error(socket, "", result->why.text);
    } else {
        ws_send_text(socket->ws, STR(""));
    }
    ask_next(socket);
}

static const struct llm_events answer_events = {.instead = on_instead,
                                                .open = on_open,
                                                .text = on_text,
                                                .reasoning = on_reasoning,
                                                .end = on_end};

static void interrupt(struct chat_socket *socket)
{
    if (socket->call == NULL) return;
    struct llm_usage usage = llm_cancel(socket->call);
    finish_answer(socket);
    if (socket->typed) {
        chat_frame_interrupted(&socket->frame, &usage);
        send_frame(socket);
    } else {
        ws_send_text(socket->ws, STR(""));
    }
}

/* --- the question --- */

static void start_answer(struct chat_socket *socket, struct str model)
{
    struct llm_message messages[HISTORY_TURNS];
    size_t count = 0;
    for (struct list *at = socket->history.next; at != &socket->history; at = at->next) {
        struct saying *saying = CONTAINER_OF(at, struct saying, link);
        messages[count++] =
            (struct llm_message){.role = saying->role, .text = {saying->text, saying->len}};
    }
    struct llm_request request = llm_request_plain();
    request.model = model;
    request.messages = messages;
    request.message_count = count;
    if (count > 1) { /* too long: the question alone */
        request.shorter = &messages[count - 1];
        request.shorter_count = 1;
    }
    request.class = LLM_PERSON;
    socket->call = llm_start(socket->home->llm, &request, &answer_events, socket);
}

static void ask(struct chat_socket *socket, struct str text, struct str model)
{
    remember(socket, LLM_USER, text);
    start_answer(socket, model);
}

static void ask_next(struct chat_socket *socket)
{
    if (socket->waiting_count == 0 || socket->call || ws_is_closing(socket->ws)) return;
    struct saying *next = first(&socket->waiting);
    ask(socket, (struct str){next->text, next->len}, str_of(next->model ? next->model : ""));
    socket->waiting_count--;
    free_saying(next);
}

static void queue_up(struct chat_socket *socket, struct str text, struct str model)
{
    if (socket->waiting_count == WAITING_MAX) {
        send_error(socket, "busy",
                   "100 questions wait on this connection already: let some be answered first");
        return;
    }
    struct saying *saying = add_saying(&socket->waiting, LLM_USER, text);
    if (model.len) {
        saying->model = mem_alloc(model.len + 1);
        memcpy(saying->model, model.at, model.len);
    }
    socket->waiting_count++;
    ask_next(socket);
}

static bool token_is_over(struct chat_socket *socket)
{
    if (socket->ends_us == 0 || loop_now_us(socket->home->loop) < socket->ends_us) return false;
    ws_close(socket->ws, LIVE_CODE_BAD_TOKEN, STR("token expired"));
    return true;
}

static void take_question(struct chat_socket *socket, struct str raw, struct str model, bool wait)
{
    struct why why;
    struct str text;
    if (token_is_over(socket)) return;
    if (text_check("text", raw, 1, QUESTION_MAX, &text, &why) != OK) {
        send_error(socket, "bad_request", why.text);
    } else if (live_take_chat_rate(socket->home, &socket->who, socket->network, &why) != OK) {
        send_error(socket, "rate_limited", why.text);
    } else if (wait) {
        queue_up(socket, text, model);
    } else {
        interrupt(socket);
        ask(socket, text, model);
    }
}

/* --- what the peer says --- */

static void plain_text(void *ctx, struct str text)
{
    take_question(ctx, text, STR(""), false);
}

/* Strangers cost what the operator has decided on. */
static bool may_ask(const struct chat_socket *socket, struct str model)
{
    const struct api *api = socket->home->api;
    struct str rest = api->settings->chat_open_models, one;
    if (socket->who.user.value != 0 || model.len == 0) return true;
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.len > 0 && model_pattern_matches(one, model)) return true;
    }
    return llm_is_default_model(api->llm, model);
}

static void say_ask(struct chat_socket *socket, const struct json *message)
{
    struct str text, model = STR("");
    const struct json *named = json_get(message, "model"), *waits = json_get(message, "wait");
    bool wait = false;
    if (!json_as_str(json_get(message, "text"), &text)) {
        send_error(socket, "bad_request", "text must be the question");
    } else if (named && !json_as_str(named, &model)) {
        send_error(socket, "bad_request", "model must be a text, SITE/MODEL");
    } else if (!may_ask(socket, model)) {
        send_error(
            socket, "model_not_allowed",
            "without an account only the usual model can be asked; sign in to choose another");
    } else if (waits && !json_as_bool(waits, &wait)) {
        send_error(socket, "bad_request", "wait must be true or false");
    } else {
        take_question(socket, text, model, wait);
    }
}

/* Ends the answer and whatever waits behind it. */
static void say_stop(struct chat_socket *socket)
{
    while (!list_is_empty(&socket->waiting)) free_saying(first(&socket->waiting));
    socket->waiting_count = 0;
    interrupt(socket);
}

static void typed_text(void *ctx, struct str text)
{
    struct chat_socket *socket = ctx;
    struct json *message;
    struct why why;
    struct str type = STR("");
    if (json_parse(text, &message, NULL, &why) != OK) {
        send_error(socket, "bad_request", why.text);
        return;
    }
    bool said = json_as_str(json_get(message, "type"), &type);
    if (said && str_eq(type, STR("ask"))) {
        say_ask(socket, message);
    } else if (said && str_eq(type, STR("stop"))) {
        say_stop(socket);
    } else {
        send_error(socket, "bad_request", "type must be ask or stop");
    }
    json_free(message);
}

static void on_binary(void *ctx, struct str bytes)
{
    (void)bytes;
    send_error(ctx, "bad_request", "messages are text frames");
}

/* --- life --- */

/* Nobody reads any more: the provider is told at once. */
static void hang_up(struct chat_socket *socket)
{
    if (socket->call) llm_cancel(socket->call);
    socket->call = NULL;
}

static void on_closed(void *ctx)
{
    struct chat_socket *socket = ctx;
    hang_up(socket);
    while (!list_is_empty(&socket->waiting)) free_saying(first(&socket->waiting));
    while (!list_is_empty(&socket->history)) free_saying(first(&socket->history));
    buf_release(&socket->answer);
    buf_release(&socket->blank);
    buf_release(&socket->frame);
    list_remove(&socket->link);
    socket->home->chat_count--;
    mem_free(socket);
}

static const struct ws_owner plain_owner = {
    .text = plain_text, .binary = on_binary, .drained = on_drained, .closed = on_closed};
static const struct ws_owner typed_owner = {
    .text = typed_text, .binary = on_binary, .drained = on_drained, .closed = on_closed};

static struct chat_socket *socket_new(struct call *call)
{
    struct chat_socket *socket = NEW(struct chat_socket);
    socket->home = call->home;
    socket->who = call->who;
    if (call->who.user.value && call->token.len > 0 && call->who.expires_s) {
        socket->ends_us =
            loop_now_us(call->home->loop) + (call->who.expires_s * 1000000 - clock_wall_us());
    }
    str_copy(socket->network, sizeof(socket->network), call_network(call));
    list_init(&socket->history);
    list_init(&socket->waiting);
    buf_init(&socket->answer, ANSWER_BYTES);
    buf_init(&socket->blank, ANSWER_BYTES);
    buf_init(&socket->frame, 8 * ANSWER_BYTES); /* every byte escaped */
    list_init(&socket->link);
    list_add_last(&call->home->chats, &socket->link);
    call->home->chat_count++;
    return socket;
}

static struct chat_socket *accept_chat(struct call *call)
{
    const struct settings *settings = call->api->settings;
    struct str offered = http_find_list(call->x, STR("sec-websocket-protocol"));
    struct chat_socket *socket = socket_new(call);
    socket->typed = header_list_has(offered, STR("hutong.chat.v1"));
    struct ws_options options = {.queue_max = (size_t)settings->live_queue_bytes,
                                 .message_max = QUESTION_FRAME_BYTES,
                                 .ping_us = settings->live_ping_s * 1000000,
                                 .protocol = live_choose_protocol(call->x, STR("hutong.chat.v1"))};
    socket->ws = ws_accept(call->x, &options, socket->typed ? &typed_owner : &plain_owner, socket);
    if (socket->ws) return socket;
    on_closed(socket);
    return NULL;
}

static void refuse_chat(struct call *call, unsigned code, const char *reason)
{
    call->who = (struct caller){0};
    struct chat_socket *socket = accept_chat(call);
    if (socket) ws_close(socket->ws, code, str_of(reason));
}

/* Who it is has been looked up. */
static void open_chat(struct call *call)
{
    if (call->err == ERR_UNKNOWN_CALLER) {
        refuse_chat(call, LIVE_CODE_SIGNED_OUT, "signed out");
    } else if (call->err) {
        refuse_chat(call, WS_CODE_TRY_LATER, "try again in a moment");
    } else {
        if (call->token.len > 0) token_remember(call->home->tokens, call);
        (void)accept_chat(call);
    }
}

enum err chat_ws(struct call *call, struct why *why)
{
    unsigned code = 0;
    const char *reason = NULL;
    if (ws_check_request(call->x, why) != OK) {
        live_ask_for_upgrade(call, why);
    } else if (call->home->api->draining) {
        refuse_chat(call, WS_CODE_RESTART, "the server restarts");
    } else if (live_claim(call, LIVE_BY_TICKET | LIVE_BY_QUERY, &code, &reason)) {
        live_confirm(call, open_chat);
    } else if (code == LIVE_CODE_NO_TOKEN && call->api->settings->chat_open) {
        call->who = (struct caller){0};
        (void)accept_chat(call);
    } else {
        refuse_chat(call, code, reason); /* a token that is no good is a mistake, not a stranger */
    }
    return OK;
}

void chat_notice(struct api_loop *home, const struct hub_notice *notice)
{
    for (struct list *at = home->chats.next, *next; at != &home->chats; at = next) {
        next = at->next;
        struct chat_socket *socket = CONTAINER_OF(at, struct chat_socket, link);
        if (!live_is_meant(&socket->who, notice)) continue;
        hang_up(socket);
        ws_close(socket->ws, LIVE_CODE_SIGNED_OUT, STR("signed out"));
    }
}

void chat_drain(struct api_loop *home)
{
    for (struct list *at = home->chats.next, *next; at != &home->chats; at = next) {
        next = at->next;
        struct chat_socket *socket = CONTAINER_OF(at, struct chat_socket, link);
        hang_up(socket);
        ws_close(socket->ws, WS_CODE_RESTART, STR("the server restarts"));
    }
}

void chat_abort(struct api_loop *home)
{
    for (struct list *at = home->chats.next, *next; at != &home->chats; at = next) {
        next = at->next;
        struct chat_socket *socket = CONTAINER_OF(at, struct chat_socket, link);
        hang_up(socket);
        ws_abort(socket->ws);
    }
}
