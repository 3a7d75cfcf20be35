/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/live.c: live connections: opening, what the peer says, closing.
 *
 * Opening: find out who it is (ticket, token in a header, in the subprotocol
 * or, for old clients, in the query), look the account up, upgrade. A refused
 * WebSocket is accepted first and then closed with its code, because browsers
 * show scripts a close code but never a status.
 */
#include "api/live.h"

#include "api/input.h"
#include "api/live_internal.h"
#include "api/respond.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { PRESENCE_MAX = 200 };

/* --- sending --- */

static void send_stream_event(struct live *live, struct str text);

void live_send_text(struct live *live, struct str text)
{
    if (live->ws) {
        ws_send_text(live->ws, text);
    } else {
        send_stream_event(live, text);
    }
}

size_t live_waiting(struct live *live)
{
    if (live->ws) {
        ws_flush(live->ws);
        return ws_queued(live->ws);
    }
    http_stream_flush(live->x);
    return http_stream_queued(live->x);
}

static void on_drained(void *ctx)
{
    live_go_on(ctx);
}

/* A small message of ours, built by the caller in `buf`. */
static void send_built(struct live *live, struct buf *buf)
{
    live_send_text(live, buf_str(buf));
    buf_release(buf);
}

static struct json_out begin_message(struct buf *buf, const char *type)
{
    buf_init(buf, 64 * 1024);
    struct json_out out = json_begin(buf);
    json_open(&out, NULL, '{');
    json_put_str(&out, "type", str_of(type));
    return out;
}

void live_send_topic(struct live *live, const char *type, const struct topic_name *topic,
                     uint64_t id)
{
    struct buf buf;
    struct json_out out = begin_message(&buf, type);
    json_put_str(&out, "topic", topic_public_name(topic));
    json_put_u64(&out, "id", id);
    json_close(&out, '}');
    send_built(live, &buf);
}

void live_send_error(struct live *live, const char *sentence, struct str topic)
{
    struct buf buf;
    struct json_out out = begin_message(&buf, "error");
    json_put_str(&out, "detail", str_of(sentence));
    if (topic.len > 0 && utf8_valid(topic)) json_put_str(&out, "topic", topic);
    json_close(&out, '}');
    send_built(live, &buf);
}

static void put_heads(struct live *live, struct json_out *out)
{
    for (struct list *at = live->subscriptions.next; at != &live->subscriptions; at = at->next) {
        struct live_sub *sub = CONTAINER_OF(at, struct live_sub, link);
        const struct topic_name *name = subscription_topic(&sub->sub);
        if (str_starts(str_of(name->text), STR("presence:"))) continue;
        char key[TOPIC_NAME_BYTES];
        str_copy(key, sizeof(key), topic_public_name(name));
        json_put_u64(out, key, MAX(sub->sub.position, subscription_head(&sub->sub)));
    }
}

/* --- what the peer says --- */

static void say_subscribe(struct live *live, const struct json *message)
{
    struct str topic = STR("");
    struct topic_name name;
    uint64_t after = 0;
    const struct json *position = json_get(message, "after");
    if (!json_as_str(json_get(message, "topic"), &topic) || !live_topic_parse(live, topic, &name)) {
        live_send_error(live, LIVE_TOPICS, topic);
    } else if (position && !json_as_u64(position, &after)) {
        live_send_error(live, "after must be the number of the last event you have", topic);
    } else {
        live_subscribe(live, &name, position != NULL, after);
    }
}

static void say_unsubscribe(struct live *live, const struct json *message)
{
    struct str topic = STR("");
    struct topic_name name;
    if (!json_as_str(json_get(message, "topic"), &topic) || !live_topic_parse(live, topic, &name)) {
        live_send_error(live, "topic must be one you have subscribed to", topic);
        return;
    }
    struct live_sub *sub = live_find(live, &name);
    if (sub) live_unsubscribe(sub);
    live_send_topic(live, "unsubscribed", &name, 0);
}

/* {"topics":{"feed":12,"me":5}}: everything a client had before its connection broke. */
static void say_resume(struct live *live, const struct json *message)
{
    const struct json *topics = json_get(message, "topics");
    if (topics == NULL || json_kind(topics) != JSON_OBJECT) {
        live_send_error(live, "topics must be an object of topics and numbers", STR(""));
        return;
    }
    for (const struct json *at = json_first(topics); at; at = json_after(at)) {
        struct topic_name name;
        uint64_t after;
        struct str topic = str_of(json_name(at));
        if (!live_topic_parse(live, topic, &name)) {
            live_send_error(live, LIVE_TOPICS, topic);
        } else if (!json_as_u64(at, &after)) {
            live_send_error(live, "the number of a topic is that of its last event", topic);
        } else {
            live_subscribe(live, &name, true, after);
        }
    }
}

static void say_ping(struct live *live, const struct json *message)
{
    (void)message;
    live_send_text(live, STR("{\"type\":\"pong\"}"));
}

static void say_presence(struct live *live, const struct json *message)
{
    uint64_t users[PRESENCE_MAX];
    size_t count = 0;
    const struct json *list = json_get(message, "users");
    bool valid = list && json_kind(list) == JSON_ARRAY;
    for (const struct json *at = valid ? json_first(list) : NULL; at; at = json_after(at)) {
        if (count == PRESENCE_MAX || !json_as_u64(at, &users[count++])) valid = false;
        if (!valid) break;
    }
    if (!valid) {
        live_send_error(live, "users must be a list of at most 200 ids", STR(""));
        return;
    }
    live_watch_presence(live, users, count);
    struct buf buf;
    struct json_out out = begin_message(&buf, "presence");
    json_open(&out, "users", '{');
    for (size_t i = 0; i < count; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%llu", (unsigned long long)users[i]);
        json_put_bool(&out, key, hub_is_present(live->home->api->hub, (struct user_id){users[i]}));
    }
    json_close(&out, '}');
    json_close(&out, '}');
    send_built(live, &buf);
}

/* {"to":{"user_id":7}} or {"to":{"group_id":3}}: told at once, kept nowhere. */
static void say_typing(struct live *live, const struct json *message)
{
    const struct json *to = json_get(message, "to");
    uint64_t id;
    struct topic_name name;
    bool to_group = false;
    if (json_as_u64(json_get(to, "user_id"), &id) && id != live->who.user.value) {
        name = topic_user((struct user_id){id});
    } else if (json_as_u64(json_get(to, "group_id"), &id)) {
        name = topic_group((struct group_id){id});
        to_group = true;
        struct live_sub *sub = live_find(live, &name);
        if (sub == NULL || sub->sub.paused) { /* who may hear a group may be heard in it */
            live_send_error(live, "subscribe to the group first", topic_public_name(&name));
            return;
        }
    } else {
        live_send_error(live, "to must be {\"user_id\":ID} or {\"group_id\":ID}", STR(""));
        return;
    }
    char text[160];
    int len = snprintf(text, sizeof(text), "{\"event\":\"typing\",\"data\":{\"user_id\":%llu",
                       (unsigned long long)live->who.user.value);
    if (to_group) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, ",\"group_id\":%llu",
                        (unsigned long long)id);
    }
    len += snprintf(text + len, sizeof(text) - (size_t)len, "}}");
    struct event *event = event_new(&name, 0, (struct str){text, (size_t)len}, STR(""));
    hub_publish(live->home->api->hub, &event, 1);
}

static const struct verb {
    const char *type;
    void (*say)(struct live *live, const struct json *message);
} verbs[] = {
    {"ping", say_ping},     {"subscribe", say_subscribe}, {"unsubscribe", say_unsubscribe},
    {"resume", say_resume}, {"presence", say_presence},   {"typing", say_typing},
};

/* A peer that talks faster than any person or program of good will. */
static bool talks_too_much(struct live *live)
{
    /* The loop's own time may be a second old when it has slept. */
    int64_t now_s = clock_mono_us() / 1000000;
    if (now_s != live->heard_s) {
        live->heard_s = now_s;
        live->heard_count = 0;
    }
    if (++live->heard_count <= LIVE_MESSAGES_PER_SECOND) return false;
    ws_close(live->ws, WS_CODE_POLICY, STR("too many messages a second"));
    return true;
}

static void app_text(void *ctx, struct str text)
{
    struct live *live = ctx;
    struct json *message;
    struct why why;
    struct str type = STR("");
    if (talks_too_much(live)) return;
    if (json_parse(text, &message, NULL, &why) != OK) {
        live_send_error(live, why.text, STR(""));
        return;
    }
    bool known = false;
    if (json_as_str(json_get(message, "type"), &type)) {
        for (size_t i = 0; i < COUNT_OF(verbs) && !known; i++) {
            if (!str_eq(type, str_of(verbs[i].type))) continue;
            verbs[i].say(live, message);
            known = true;
        }
    }
    if (!known) {
        live_send_error(
            live, "type must be subscribe, unsubscribe, resume, presence, typing or ping", STR(""));
    }
    json_free(message);
}

static void app_binary(void *ctx, struct str bytes)
{
    (void)bytes;
    live_send_error(ctx, "messages are JSON in text frames", STR(""));
}

/* Old clients say ping and nothing else; whatever else they say is ignored, as it always was. */
static void legacy_text(void *ctx, struct str text)
{
    struct live *live = ctx;
    struct json *message;
    struct why why;
    struct str type;
    if (talks_too_much(live) || json_parse(text, &message, NULL, &why) != OK) return;
    if (json_as_str(json_get(message, "type"), &type) && str_eq(type, STR("ping"))) {
        say_ping(live, message);
    }
    json_free(message);
}

static void legacy_binary(void *ctx, struct str bytes)
{
    (void)ctx, (void)bytes;
}

/* --- life --- */

static void live_free(struct live *live)
{
    live_stop_answers(live);
    while (!list_is_empty(&live->subscriptions)) {
        live_unsubscribe(CONTAINER_OF(live->subscriptions.next, struct live_sub, link));
    }
    deadline_clear(&live->beat);
    list_remove(&live->link);
    live->home->live_count--;
    if (live->who.user.value) hub_present(live->home->api->hub, live->who.user, -1);
    mem_free(live);
}

static void live_close(struct live *live, unsigned code, const char *reason)
{
    if (live->ws) {
        ws_close(live->ws, code, str_of(reason));
    } else {
        http_stream_end(live->x, true);
        live_free(live);
    }
}

static void sign_out(struct live *live)
{
    live_close(live, live->kind == LIVE_LEGACY ? LIVE_CODE_BAD_TOKEN : LIVE_CODE_SIGNED_OUT,
               "signed out");
}

void live_sign_out_soon(struct live *live)
{
    live->signed_out = true;
    deadline_set(live->home->loop, &live->beat, loop_now_us(live->home->loop));
}

static void on_beat(struct deadline *deadline)
{
    struct live *live = CONTAINER_OF(deadline, struct live, beat);
    struct loop *loop = live->home->loop;
    int64_t now_us = loop_now_us(loop);
    if (live->signed_out && !live->cut) {
        sign_out(live);
        return;
    }
    if (live->cut || (live->ends_us && now_us >= live->ends_us)) {
        live_close(live, LIVE_CODE_BAD_TOKEN, "token expired");
        return;
    }
    live_go_on(live);
    if (live->kind != LIVE_LEGACY) {
        struct buf buf;
        struct json_out out = begin_message(&buf, "heartbeat");
        json_open(&out, "heads", '{');
        put_heads(live, &out);
        json_close(&out, '}');
        json_close(&out, '}');
        send_built(live, &buf);
    }
    int64_t next_us = now_us + live->home->api->settings->live_ping_s * 1000000;
    if (live->ends_us) next_us = MIN(next_us, live->ends_us);
    deadline_set(loop, &live->beat, MAX(next_us, now_us + 1000000));
}

static struct live *live_new(struct api_loop *home, enum live_kind kind, const struct caller *who,
                             bool by_token)
{
    struct live *live = NEW(struct live);
    live->home = home;
    live->kind = kind;
    live->who = *who;
    list_init(&live->subscriptions);
    list_init(&live->asked);
    list_init(&live->link);
    list_init(&live->beat.link);
    list_add_last(&home->live, &live->link);
    home->live_count++;
    live->beat.fired = on_beat;
    int64_t now_us = loop_now_us(home->loop);
    int64_t beat_us = now_us + home->api->settings->live_ping_s * 1000000;
    if (by_token && who->expires_s) {
        live->ends_us = now_us + (who->expires_s * 1000000 - clock_wall_us());
        beat_us = MIN(beat_us, MAX(live->ends_us, now_us + 1));
    }
    deadline_set(home->loop, &live->beat, beat_us);
    if (who->user.value) hub_present(home->api->hub, who->user, 1);
    return live;
}

static void ws_gone(void *ctx)
{
    live_free(ctx);
}

static const struct ws_owner app_owner = {
    .text = app_text, .binary = app_binary, .drained = on_drained, .closed = ws_gone};
static const struct ws_owner legacy_owner = {
    .text = legacy_text, .binary = legacy_binary, .closed = ws_gone};

static void hello(struct live *live)
{
    struct buf buf;
    struct json_out out = begin_message(&buf, "hello");
    json_put_u64(&out, "user_id", live->who.user.value);
    json_put_i64(&out, "heartbeat_s", live->home->api->settings->live_ping_s);
    json_close(&out, '}');
    send_built(live, &buf);
}

/* --- opening --- */

/* What stands behind a subprotocol "bearer.TOKEN". */
static struct str protocol_token(struct http_exchange *x, struct str *item_out)
{
    struct str rest = http_find_list(x, STR("sec-websocket-protocol")), item;
    while (header_list_next(&rest, &item)) {
        if (!str_starts(item, STR("bearer."))) continue;
        *item_out = item;
        return str_from(item, 7);
    }
    return (struct str){0};
}

struct str live_choose_protocol(struct http_exchange *x, struct str ours)
{
    struct str list = http_find_list(x, STR("sec-websocket-protocol")), item = {0};
    if (header_list_has(list, ours)) return ours;
    return protocol_token(x, &item).len > 0 ? item : (struct str){0};
}

static const struct url_param *query_of(struct call *call, const char *name)
{
    return url_params_find(&call->query, name);
}

bool live_claim(struct call *call, unsigned ways, unsigned *code_out, const char **reason_out)
{
    struct why why;
    struct str item, token = {0}, header = http_find_header(call->x, STR("authorization"));
    const struct url_param *ticket = ways & LIVE_BY_TICKET ? query_of(call, "ticket") : NULL;
    const struct url_param *query = ways & LIVE_BY_QUERY ? query_of(call, "token") : NULL;
    if (ticket) {
        struct ticket_holder holder;
        if (ticket_take(call->api->tickets, ticket->value, clock_mono_us(), &holder, &why) == OK) {
            call->who = (struct caller){.user = holder.user, .session = holder.session};
            return true;
        }
        *code_out = LIVE_CODE_BAD_TOKEN;
        *reason_out = "Invalid ticket";
        return false;
    }
    if (query) token = query->value;
    if (token.len == 0 && !header_credentials(header, "bearer", &token)) token = (struct str){0};
    if (token.len == 0) token = protocol_token(call->x, &item);
    if (token.len == 0) {
        *code_out = LIVE_CODE_NO_TOKEN;
        *reason_out = "Missing token";
        return false;
    }
    if (token_identify(call->home->tokens, call, token, &why) == OK) return true;
    *code_out = LIVE_CODE_BAD_TOKEN;
    *reason_out = "Invalid token";
    return false;
}

static struct live *accept_ws(struct call *call, bool legacy, const struct caller *who,
                              bool by_token)
{
    struct api_loop *home = call->home;
    const struct settings *settings = home->api->settings;
    struct ws_options options = {.queue_max = (size_t)settings->live_queue_bytes,
                                 .message_max = LIMIT_WS_MESSAGE_BYTES,
                                 .ping_us = settings->live_ping_s * 1000000,
                                 .protocol = live_choose_protocol(call->x, STR("hutong.v1"))};
    struct live *live = live_new(home, legacy ? LIVE_LEGACY : LIVE_APP, who, by_token);
    live->ws = ws_accept(call->x, &options, legacy ? &legacy_owner : &app_owner, live);
    if (live->ws) return live;
    live_free(live);
    return NULL;
}

static void refuse_ws(struct call *call, bool legacy, unsigned code, const char *reason)
{
    struct caller nobody = {0};
    struct live *live = accept_ws(call, legacy, &nobody, false);
    if (live) ws_close(live->ws, code, str_of(reason));
}

static void open_ws(struct call *call, bool legacy)
{
    if (call->err == ERR_UNKNOWN_CALLER && !legacy) {
        refuse_ws(call, legacy, LIVE_CODE_SIGNED_OUT, "signed out");
        return;
    }
    if (call->err == ERR_UNKNOWN_CALLER) {
        refuse_ws(call, legacy, call->no_account ? LIVE_CODE_NO_USER : LIVE_CODE_BAD_TOKEN,
                  call->no_account ? "User not found" : "Invalid token");
        return;
    }
    if (call->err) {
        refuse_ws(call, legacy, WS_CODE_TRY_LATER, "try again in a moment");
        return;
    }
    struct caller who = call->who;
    bool by_token = call->token.len > 0;
    if (by_token) token_remember(call->home->tokens, call);
    struct live *live = accept_ws(call, legacy, &who, by_token);
    if (live == NULL) return;
    if (legacy) {
        live_subscribe_legacy(live);
    } else {
        hello(live);
    }
}

static void open_stream(struct call *call);

/* The account has been looked up: the second half of opening, on the loop. */
static void go_on(struct call *call)
{
    if (call->route->handle == live_events) {
        open_stream(call);
    } else {
        open_ws(call, call->route->handle == live_legacy_ws);
    }
}

static void on_confirmed(struct task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, back);
    call->after(call);
}

static void confirm_on_worker(struct job *job, void *own)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    call->db = own;
    call->err = token_confirm(call, &call->why);
    loop_post(call->home->loop, &call->back);
}

void live_confirm(struct call *call, void (*after)(struct call *call))
{
    call->x->log_user = call->who.user.value;
    call->after = after;
    call->back.run = on_confirmed;
    call->job.work = confirm_on_worker;
    if (call->home->db) {
        call->err = token_confirm(call, &call->why);
        after(call);
    } else if (!workers_submit(call->api->workers, &call->job)) {
        call->err = ERR_BUSY;
        after(call);
    }
}

enum err live_take_chat_rate(struct api_loop *home, const struct caller *who, const char *address,
                             struct why *why)
{
    char name[64];
    snprintf(name, sizeof(name), "u%llu", (unsigned long long)who->user.value);
    struct str caller = str_of(who->user.value ? name : address);
    struct rate_verdict verdict = rate_take(home->api->rate, RATE_CHAT, caller, clock_mono_us());
    if (verdict.limit == 0 || verdict.allowed) return OK;
    return why_set(why, ERR_LIMIT,
                   "提问过于频繁，请 %u 秒后再试 (too many questions: try again in %u s)",
                   verdict.retry_after_s, verdict.retry_after_s);
}

void live_ask_for_upgrade(struct call *call, const struct why *why)
{
    if (ws_is_wanted(call->x)) {
        respond_status(call->x, 400, why->text);
        call_reply(call);
        return;
    }
    respond_status(call->x, 426, why->text);
    http_add_header(call->x, "Upgrade", STR("websocket"));
    http_add_header(call->x, "Connection", STR("Upgrade"));
    http_add_header(call->x, "Sec-WebSocket-Version", STR("13"));
    call_reply(call);
}

static enum err begin_ws(struct call *call, bool legacy, struct why *why)
{
    unsigned code = 0;
    const char *reason = NULL;
    if (ws_check_request(call->x, why) != OK) {
        live_ask_for_upgrade(call, why);
        return OK;
    }
    if (!legacy && !respond_origin_fits(call)) {
        return why_set(why, ERR_DENIED, "this page may not open live connections here");
    }
    if (call->home->api->draining) {
        refuse_ws(call, legacy, WS_CODE_RESTART, "the server restarts");
    } else if (!live_claim(call, legacy ? LIVE_BY_QUERY : LIVE_BY_TICKET, &code, &reason)) {
        refuse_ws(call, legacy, code, reason);
    } else {
        live_confirm(call, go_on);
    }
    return OK;
}

enum err live_ws(struct call *call, struct why *why)
{
    return begin_ws(call, false, why);
}

enum err live_legacy_ws(struct call *call, struct why *why)
{
    return begin_ws(call, true, why);
}

enum err live_ticket(struct call *call, struct why *why)
{
    char text[TICKET_TEXT_BYTES];
    struct ticket_holder holder = {
        .user = call->who.user, .session = call->who.session, .role = (int)call->who.role};
    enum err err = ticket_give(call->api->tickets, &holder, clock_mono_us(), text, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "ticket", str_of(text));
    json_put_u64(&out, "expires_in", (uint64_t)call->api->settings->live_ticket_s);
    json_close(&out, '}');
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    return OK;
}

/* --- server-sent events (WHATWG HTML, 9.2) --- */

/*
 * The id of each event names the position in every topic of the stream
 * ("feed=12;me=5"), because a browser remembers only the last one it got. A
 * topic that has no position yet is not named.
 */
static void put_positions(struct live *live, struct buf *buf)
{
    bool first = true;
    for (struct list *at = live->subscriptions.next; at != &live->subscriptions; at = at->next) {
        struct live_sub *sub = CONTAINER_OF(at, struct live_sub, link);
        if (!sub->placed) continue;
        struct str name = topic_public_name(subscription_topic(&sub->sub));
        buf_printf(buf, "%s%.*s=%llu", first ? "id: " : ";", STR_ARGS(name),
                   (unsigned long long)sub->sub.position);
        first = false;
    }
    if (!first) buf_add_byte(buf, '\n'); /* an empty id would make a browser forget its own */
}

static bool stream_has_room(struct live *live, size_t len)
{
    size_t max = (size_t)live->home->api->settings->live_queue_bytes;
    size_t waiting = http_stream_queued(live->x);
    if (waiting > 0 && waiting + len > max) waiting = live_waiting(live);
    return waiting == 0 || waiting + len <= max;
}

static void send_stream_event(struct live *live, struct str text)
{
    struct buf buf;
    if (live->cut) return;
    buf_init(&buf, LIMIT_REPLY_BYTES);
    put_positions(live, &buf);
    buf_add_str(&buf, STR("data: "));
    buf_add_str(&buf, text); /* JSON of ours: no line ends in it */
    buf_add_str(&buf, STR("\n\n"));
    if (!stream_has_room(live, buf.len)) {
        /* Too slow: not a word more, or there would be a gap. It comes back with its last id. */
        live->cut = true;
        live->beat.at_us = 0;
        deadline_set(live->home->loop, &live->beat, loop_now_us(live->home->loop));
    } else {
        http_stream_write(live->x, buf_str(&buf));
    }
    buf_release(&buf);
}

static void stream_gone(void *ctx)
{
    struct live *live = ctx;
    http_stream_end(live->x, false);
    live_free(live);
}

/* The position of a topic in "feed=12;me=5". */
static bool find_position(struct str positions, struct str topic, uint64_t *seq_out)
{
    struct str one;
    while (str_split(&positions, ';', &one)) {
        size_t equals = str_find_byte(one, '=');
        if (equals < one.len && str_eq(str_head(one, equals), topic)) {
            return str_to_u64(str_from(one, equals + 1), seq_out);
        }
    }
    return false;
}

/* "feed=12;me=5", and nothing else. */
static bool are_positions(struct str text)
{
    struct str one;
    while (str_split(&text, ';', &one)) {
        uint64_t unused;
        size_t equals = str_find_byte(one, '=');
        if (equals == one.len || !str_to_u64(str_from(one, equals + 1), &unused)) return false;
    }
    return true;
}

static void open_stream(struct call *call)
{
    struct http_exchange *x = call->x;
    if (call->err) {
        call_refuse(call, call->err, &call->why);
        return;
    }
    const struct url_param *topics = query_of(call, "topics");
    struct str rest = topics ? topics->value : STR("feed"), one;
    const struct url_param *passed_on = query_of(call, "last_event_id");
    /* A browser sends the header when it comes back by itself, with what it heard since. */
    struct str last = http_find_header(x, STR("last-event-id"));
    if (last.len == 0 && passed_on) last = passed_on->value;
    bool lost = last.len > 0 && !are_positions(last);
    struct live *live = live_new(call->home, LIVE_STREAM, &call->who, call->token.len > 0);
    live->x = x;
    x->status = 200;
    x->content_type = "text/event-stream";
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "X-Accel-Buffering", STR("no"));
    call_begin_stream(
        call, (struct http_stream_events){.drained = on_drained, .gone = stream_gone, .ctx = live});
    if (x->connection == NULL) {
        stream_gone(live);
        return;
    }
    while (str_split(&rest, ',', &one)) {
        struct topic_name name;
        uint64_t after = 0;
        one = str_trim(one);
        if (!live_topic_parse(live, one, &name)) {
            live_send_error(live, LIVE_TOPICS, one);
            continue;
        }
        bool resume = find_position(last, one, &after);
        /* From where nobody can tell: as from the future, that is to load anew. */
        if (lost) resume = true, after = INT64_MAX;
        (void)live_join(live, &name, resume, after);
    }
    /* All have their places before the first event leaves: its id names them all. */
    for (struct list *at = live->subscriptions.next, *next; at != &live->subscriptions; at = next) {
        next = at->next;
        live_catch_up(CONTAINER_OF(at, struct live_sub, link));
    }
}

enum err live_events(struct call *call, struct why *why)
{
    unsigned code = 0;
    const char *reason = NULL;
    if (!respond_origin_fits(call)) {
        return why_set(why, ERR_DENIED, "this page may not open live connections here");
    }
    if (!live_claim(call, LIVE_BY_TICKET, &code, &reason)) {
        return why_set(why, ERR_UNKNOWN_CALLER, "%s", reason);
    }
    live_confirm(call, go_on);
    return OK;
}

/* --- from outside --- */

bool live_is_meant(const struct caller *who, const struct hub_notice *notice)
{
    bool signs_out = notice->what == NOTICE_SESSION_REVOKED || notice->what == NOTICE_USER_REVOKED;
    if (who->user.value == 0 || !signs_out) return false;
    if (notice->what == NOTICE_SESSION_REVOKED) return who->session == notice->session;
    return who->user.value == notice->user.value &&
           (notice->session == 0 || who->session != notice->session);
}

static void leave(struct live *live, const struct hub_notice *notice)
{
    if (live->who.user.value != notice->user.value) return;
    struct live_sub *sub = live_find(live, &notice->topic);
    if (sub == NULL) return;
    live_unsubscribe(sub);
    live_send_topic(live, "unsubscribed", &notice->topic, 0);
}

void live_notice(struct api_loop *home, const struct hub_notice *notice)
{
    for (struct list *at = home->live.next, *next; at != &home->live; at = next) {
        next = at->next;
        struct live *live = CONTAINER_OF(at, struct live, link);
        if (notice->what == NOTICE_LEFT_TOPIC) {
            leave(live, notice);
        } else if (live_is_meant(&live->who, notice)) {
            sign_out(live);
        }
    }
}

void live_drain(struct api_loop *home)
{
    for (struct list *at = home->live.next, *next; at != &home->live; at = next) {
        next = at->next;
        live_close(CONTAINER_OF(at, struct live, link), WS_CODE_RESTART, "the server restarts");
    }
}

void live_abort(struct api_loop *home)
{
    for (struct list *at = home->live.next, *next; at != &home->live; at = next) {
        next = at->next;
        struct live *live = CONTAINER_OF(at, struct live, link);
        if (live->ws) {
            ws_abort(live->ws);
        } else {
            live_close(live, WS_CODE_RESTART, "");
        }
    }
}
