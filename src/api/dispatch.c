/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/dispatch.c: from a request to its handler, on the thread its lane asks
 * for, and back.
 *
 *   loop    head: route, origin, who, rate, body ceiling
 *   loop    whole: straight to the handler (READ on SQLite), or the call is
 *           given away: to the writer, or to a worker
 *   there   confirm who, handle
 *   loop    back: reply
 *
 * A call given away touches nothing of the loop's until it is back.
 */
#include "api/api.h"

#include "api/chat.h"
#include "api/chat_run.h"
#include "api/chat_title.h"
#include "api/conversation_cache.h"
#include "api/errand.h"
#include "api/feed_cache.h"
#include "api/files.h"
#include "api/gateway.h"
#include "api/handlers.h"
#include "api/input.h"
#include "api/live.h"
#include "api/metrics.h"
#include "api/respond.h"
#include "api/tokens.h"
#include "api/wiki_access.h"
#include "api/wiki_visit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "community/act.h"
#include "store/records.h"

/* Requests that have no body may still send a little; it is read and ignored. */
enum { STRAY_BODY_BYTES = 64 * 1024, KEY_MAX = 200 };

static const int64_t IDEMPOTENCY_US = INT64_C(24) * 3600 * 1000000;

static struct call *call_of(const struct http_exchange *x)
{
    return x->own;
}

bool call_is_encrypted(const struct call *call)
{
    struct str said = http_find_list(call->x, STR("x-forwarded-proto"));
    return str_eq(said, STR("https")) &&
           header_is_trusted(&call->api->trusted, str_of(call->x->peer));
}

/* --- replies --- */

struct json_out call_json(struct call *call)
{
    call->x->status = call->route->status;
    call->x->content_type = "application/json";
    return json_begin(&call->x->reply);
}

bool call_unchanged(struct call *call, struct str etag)
{
    call->x->etag = etag;
    http_add_header(call->x, "Cache-Control", STR("private, no-cache"));
    struct str asked = http_find_list(call->x, STR("if-none-match"));
    if (asked.len == 0 || !header_etag_matches(asked, etag)) return false;
    call_json(call); /* becomes 304 */
    return true;
}

void call_no_content(struct call *call)
{
    call->x->status = 204;
}

static void send_reply(struct call *call)
{
    struct http_exchange *x = call->x;
    ASSERT(x->status != 0);
    if (x->reply.failed) {
        struct why why;
        respond_problem(call, why_set(&why, ERR_IO, "reply too large"), &why);
        log_error("reply.too_large", "id=%s route=\"%s\"", x->id, call->route->path);
    }
    respond_common(call);
    http_reply(x);
}

void call_begin_stream(struct call *call, struct http_stream_events events)
{
    respond_common(call);
    json_free(call->body);
    call->body = NULL;
    buf_release(&call->x->body);
    http_stream_begin(call->x, events);
}

/* Proxies give up after a minute, some clients after less. */
int64_t call_silence_us(const struct call *call)
{
    enum { SILENCE_S = 15 };
    return MIN(SILENCE_S, call->api->settings->live_ping_s) * 1000000;
}

void call_begin_events(struct call *call, struct http_stream_events events)
{
    call_begin_stream(call, events);
    http_stream_comment(call->x, call_silence_us(call));
}

void call_reply(struct call *call)
{
    send_reply(call);
}

void call_refuse(struct call *call, enum err err, const struct why *why)
{
    respond_problem(call, err, why);
    send_reply(call);
}

/* What the handler said becomes the reply; on the loop. */
static void finish(struct call *call)
{
    if (call->confirmed) token_remember(call->home->tokens, call);
    if (call->err == ERR_IO || call->err == ERR_CORRUPT || call->err == ERR_UNCERTAIN ||
        call->err == ERR_AWAY) {
        log_error("request.failed", "id=%s route=\"%s\" err=%s reason=\"%s\"", call->x->id,
                  call->route->path, err_name(call->err), call->why.text);
    }
    if (call->err) respond_problem(call, call->err, &call->why);
    if (!call->err && call->after) {
        call->after(call); /* takes the exchange over */
        return;
    }
    send_reply(call);
}

static void come_back(struct task *task)
{
    finish(CONTAINER_OF(task, struct call, back));
}

/* --- who --- */

/* Whoever does not say who they are, or not rightly, may come as far as the handler. */
static bool strangers_may(const struct call *call)
{
    return call->route->access < ACCESS_MEMBER;
}

static bool bearer(struct call *call, struct str *token_out)
{
    struct str header = http_find_header(call->x, STR("authorization"));
    return header.len > 0 && header_credentials(header, "bearer", token_out) && token_out->len > 0;
}

static enum err identify(struct call *call, struct why *why)
{
    struct str token;
    if (call->route->access == ACCESS_ANYONE || call->route->access == ACCESS_KEY) return OK;
    bool shown = bearer(call, &token);
    if (!shown && strangers_may(call)) return OK;
    if (!shown) return why_set(why, ERR_UNKNOWN_CALLER, "Not authenticated");
    enum err err = token_identify(call->home->tokens, call, token, why);
    if (err && strangers_may(call)) {
        call->who = (struct caller){0};
        return OK;
    }
    return err;
}

static bool may(enum role role, enum access access)
{
    switch (access) {
    case ACCESS_ANYONE:
    case ACCESS_OPTIONAL:
    case ACCESS_LIVE:
    case ACCESS_KEY:
    case ACCESS_MEMBER: return true;
    case ACCESS_MODERATOR: return role == ROLE_MODERATOR || role == ROLE_ADMIN;
    case ACCESS_ADMIN: return role == ROLE_ADMIN;
    }
    return false;
}

/* With call->db at hand: is the session still good, and the role enough? */
static enum err confirm(struct call *call, struct why *why)
{
    if (call->who.user.value == 0) return OK;
    if (!call->confirmed) {
        enum err err = token_confirm(call, why);
        if (err == ERR_UNKNOWN_CALLER && strangers_may(call)) {
            call->who = (struct caller){0};
            return OK;
        }
        if (err) return err;
    }
    call->x->log_user = call->who.user.value;
    if (may(call->who.role, call->route->access)) return OK;
    return why_set(why, ERR_DENIED,
                   call->route->access == ACCESS_ADMIN
                       ? "权限不足 (this needs an administrator)"
                       : "权限不足 (this needs a moderator or an administrator)");
}

/* --- rate --- */

struct str call_network(struct call *call)
{
    char text[HEADER_NETWORK_BYTES];
    struct str network = header_network(call->address, text);
    return network.at == text ? arena_copy(call->arena, network) : network;
}

/* A member's number as it lies in memory: only the limits know it by this. */
static struct str caller_name(struct call *call)
{
    struct str member = {(const char *)&call->who.user.value, sizeof(call->who.user.value)};
    return call->who.user.value ? member : call_network(call);
}

static enum err take_rate(struct call *call, struct why *why)
{
    enum rate_class class = call->route->rate;
    if (class == RATE_NONE) return OK;
    call->rate = rate_take(call->api->rate, (int)class, caller_name(call), clock_mono_us());
    if (call->rate.allowed) return OK;
    return why_set(why, ERR_LIMIT,
                   "请求过于频繁，请 %u 秒后再试 (too many requests: try again in %u s)",
                   call->rate.retry_after_s, call->rate.retry_after_s);
}

/* --- changes that carry a key --- */

static struct str idempotency_key(const struct call *call)
{
    return http_find_header(call->x, STR("idempotency-key"));
}

/* What the key stands for: the same key with something else is a mistake of the client. */
static struct str request_mark(struct call *call)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: no secret, must be the same after a restart */
    struct str parts[] = {call->x->method_name, call->x->target, buf_str(&call->x->body)};
    for (size_t p = 0; p < COUNT_OF(parts); p++) {
        for (size_t i = 0; i < parts[p].len; i++) {
            hash = (hash ^ (unsigned char)parts[p].at[i]) * 1099511628211u;
        }
    }
    return arena_printf(call->arena, "%016llx", (unsigned long long)hash);
}

/* True: answered from what was stored. */
static enum err replay(struct call *call, struct db *db, struct str key, struct str mark,
                       bool *replayed_out, struct why *why)
{
    struct idempotent past;
    *replayed_out = false;
    enum err err = idempotent_load(db, call->arena, call->who.user, key, &past, why);
    if (err == ERR_NOT_FOUND) return OK;
    if (err) return err;
    if (past.at_us < call->act.now_us - IDEMPOTENCY_US) return OK;
    if (!str_eq(past.route, str_of(call->route->path)) || !str_eq(past.request, mark)) {
        return why_set(why, ERR_CONFLICT,
                       "this Idempotency-Key was used for a different request within a day");
    }
    call->x->status = past.status;
    if (past.status != 204) call->x->content_type = "application/json";
    buf_add_str(&call->x->reply, past.body);
    http_add_header(call->x, "Idempotency-Replayed", STR("true"));
    *replayed_out = true;
    return OK;
}

static enum err handle_once(struct call *call, struct db *db, struct why *why)
{
    struct str key = idempotency_key(call);
    if (key.len == 0 || call->who.user.value == 0) return call->route->handle(call, why);
    if (key.len > KEY_MAX || !utf8_valid(key)) {
        return why_set(why, ERR_INVALID, "Idempotency-Key must be text of at most %d bytes",
                       KEY_MAX);
    }
    struct str mark = request_mark(call);
    bool replayed;
    enum err err = replay(call, db, key, mark, &replayed, why);
    if (err || replayed) return err;
    err = call->route->handle(call, why);
    if (err) return err;
    struct idempotent answer = {.route = str_of(call->route->path),
                                .request = mark,
                                .status = call->x->status,
                                .body = call->x->reply.len ? buf_str(&call->x->reply) : STR(""),
                                .at_us = call->act.now_us};
    return idempotent_save(db, call->who.user, key, &answer, call->act.now_us - IDEMPOTENCY_US,
                           why);
}

/* --- lanes --- */

/* LANE_WRITE; most calls have none. In the call's arena. */
struct call_change {
    struct change change;
    struct call *call;
};

static enum err apply_call(struct change *change, struct db *db, struct why *why)
{
    struct call *call = CONTAINER_OF(change, struct call_change, change)->call;
    http_reset_reply(call->x); /* it may be the second try */
    call->fault_count = 0;
    call->db = db;
    act_init(&call->act, db, call->arena, clock_wall_us(), call->who.user, call->who.role);
    call->act.address = call->address;
    enum err err = handle_once(call, db, why);
    return err ? err : act_store(&call->act, why);
}

static void settled_call(struct change *change, enum err err, const struct why *why)
{
    struct call *call = CONTAINER_OF(change, struct call_change, change)->call;
    call->err = err;
    call->why = *why;
    if (!err) act_publish(&call->act, call->api->hub);
    loop_post(call->home->loop, &call->back);
}

static struct call_change *change_new(struct call *call)
{
    struct call_change *new = ARENA_NEW(call->arena, struct call_change);
    *new = (struct call_change){{.apply = apply_call, .settled = settled_call}, call};
    return new;
}

static void run_read(struct call *call)
{
    call->err = confirm(call, &call->why);
    if (!call->err) call->err = call->route->handle(call, &call->why);
}

/* On a worker, with the worker's own connection. */
static void work_call(struct job *job, void *own)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    call->db = own;
    if (call->route->lane == LANE_WRITE) { /* MariaDB */
        call->err = confirm(call, &call->why);
        if (!call->err) {
            store_settle_here(own, &call->change->change);
            return;
        }
    } else {
        run_read(call);
    }
    loop_post(call->home->loop, &call->back);
}

static void give_to_workers(struct call *call)
{
    bool hash = call->route->lane == LANE_HASH;
    call->job.work = work_call;
    if (workers_submit(hash ? call->api->hashers : call->api->workers, &call->job)) return;
    why_set(&call->why, ERR_BUSY, "服务器繁忙 (the server is busy; try again in a moment)");
    call->err = ERR_BUSY;
    finish(call);
}

static void give_to_writer(struct call *call)
{
    call->db = call->home->db;
    call->err = confirm(call, &call->why);
    if (call->err) {
        finish(call);
        return;
    }
    store_submit(call->api->store, &call->change->change);
}

/* A handler that says OK has taken the exchange over: `call` may be gone by then. */
static void dispatch_here(struct call *call)
{
    enum err err = call->route->handle(call, &call->why);
    if (err == OK) return;
    call->err = err;
    finish(call);
}

static void dispatch(struct call *call)
{
    bool embedded = call->home->db != NULL;
    /* A body may take its time, and a log-out must not wait for it. */
    if (call->confirmed && call->x->has_body) token_recheck(call->home->tokens, call);
    call->back.run = come_back;
    switch (call->route->lane) {
    case LANE_READ:
        if (!embedded) {
            give_to_workers(call);
            return;
        }
        call->db = call->home->db;
        run_read(call);
        finish(call);
        return;
    case LANE_WRITE:
        call->change = change_new(call);
        if (embedded) {
            give_to_writer(call);
        } else {
            give_to_workers(call);
        }
        return;
    case LANE_SLOW:
    case LANE_HASH: give_to_workers(call); return;
    case LANE_LOOP:
        call->db = call->home->db;
        dispatch_here(call);
        return;
    }
}

/* --- LANE_SLOW changes --- */

struct slow_change {
    struct call *call;
    call_apply *apply;
    void *ctx;
    struct act act;
};

static enum err apply_slow(void *ctx, struct db *db, struct why *why)
{
    struct slow_change *slow = ctx;
    struct call *call = slow->call;
    act_init(&slow->act, db, call->arena, clock_wall_us(), call->who.user, call->who.role);
    slow->act.address = call->address;
    enum err err = slow->apply(slow->ctx, &slow->act, why);
    return err ? err : act_store(&slow->act, why);
}

enum err call_write(struct call *call, call_apply *apply, void *ctx, struct why *why)
{
    struct slow_change slow = {.call = call, .apply = apply, .ctx = ctx};
    enum err err = store_write(call->api->store, call->db, apply_slow, &slow, why);
    if (!err) act_publish(&slow.act, call->api->hub);
    return err;
}

struct deed {
    enum audit_action action;
    const char *kind;
    struct str detail;
};

static enum err note_deed(void *ctx, struct act *act, struct why *why)
{
    const struct deed *deed = ctx;
    return act_audit(act, deed->action, deed->kind, 0, deed->detail, why);
}

void call_audit(struct call *call, enum audit_action action, const char *kind, struct str detail)
{
    struct deed deed = {.action = action, .kind = kind, .detail = detail};
    struct why why;
    if (call_write(call, note_deed, &deed, &why) == OK) return;
    log_error("audit.failed", "actor=%llu action=%s detail=\"%.*s\" reason=\"%s\"",
              (unsigned long long)call->who.user.value, audit_word(action), STR_ARGS(detail),
              why.text);
}

/* --- heads --- */

static void write_allow(struct call *call, unsigned methods)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    struct buf list;
    buf_init(&list, 128);
    if (methods & 1u << HTTP_GET_) methods |= 1u << HTTP_HEAD_;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!(methods & 1u << i)) continue;
        if (list.len) buf_add(&list, ", ", 2);
        buf_add_str(&list, str_of(names[i]));
    }
    http_add_header(call->x, "Allow", buf_str(&list));
    buf_release(&list);
}

/* "/posts/" for "/posts", "/users" for "/users/": the one spelling that has a route. */
static bool other_spelling(struct call *call, struct str *path_out)
{
    struct str path = call->target.path;
    struct str other = str_ends(path, STR("/")) && path.len > 1
                           ? str_head(path, path.len - 1)
                           : arena_printf(call->arena, "%.*s/", STR_ARGS(path));
    struct router_match match = router_find(call->api->router, HTTP_OTHER_, other);
    *path_out = other;
    return match.methods != 0;
}

static void redirect(struct call *call, struct str path)
{
    struct str host = http_find_header(call->x, STR("host"));
    struct str scheme = call_is_encrypted(call) ? STR("https") : STR("http");
    struct str query = call->target.query;
    http_add_header(call->x, "Location",
                    arena_printf(call->arena, "%.*s://%.*s%.*s%s%.*s", STR_ARGS(scheme),
                                 STR_ARGS(host), STR_ARGS(path), query.at ? "?" : "",
                                 STR_ARGS(query)));
    call->x->status = 307;
}

/* A browser that goes to an address, not a program that asks for data. */
static bool is_visit(struct http_exchange *x)
{
    struct str accept = http_find_list(x, STR("accept"));
    return (x->method == HTTP_GET_ || x->method == HTTP_HEAD_) &&
           header_accept_quality(accept, "text/html") >
               header_accept_quality(accept, "application/json");
}

/* In the form of the address, when it is known already. */
static void respond_refused(struct call *call, struct http_exchange *x, int status,
                            const char *sentence)
{
    if (call && call->route && call->route->access == ACCESS_KEY) {
        respond_program(call, status, sentence);
    } else {
        respond_status(x, status, sentence);
    }
}

/* A request without a route: preflight, redirect, 404 or 405. */
static void answer_unrouted(struct call *call, unsigned methods)
{
    static const struct route unrouted = {.path = "(none)"};
    static const struct route for_programs = {.path = "(none)", .access = ACCESS_KEY};
    struct http_exchange *x = call->x;
    struct str origin = http_find_header(x, STR("origin")), path;
    call->route = str_starts(call->target.path, STR("/v1/")) ? &for_programs : &unrouted;
    bool preflight = x->method == HTTP_OPTIONS_ && origin.len > 0 &&
                     http_find_header(x, STR("access-control-request-method")).len > 0;
    if (preflight) {
        respond_preflight(call, origin);
        http_reply(x);
        return;
    }
    if (methods) {
        call->error_code = "method_not_allowed";
        respond_refused(call, x, 405, "Method Not Allowed");
        write_allow(call, methods);
    } else if (other_spelling(call, &path)) {
        redirect(call, path);
    } else {
        if (is_visit(x) && app_missing(call, &call->why) == OK) return;
        call->error_code = "unknown_url"; /* as OpenAI has it */
        respond_refused(call, x, 404, "Not Found");
        http_add_header(x, "Vary", STR("Accept"));
    }
    send_reply(call);
}

/* "OPTIONS *" asks the server itself, which has nothing to say beyond that it is there (RFC 9110,
 * 9.3.7). */
static void answer_for_server(struct call *call)
{
    static const struct route server = {.path = "*"};
    call->route = &server;
    call->x->status = 204;
    send_reply(call);
}

static enum err read_target(struct call *call, struct why *why)
{
    enum err err = url_target_parse(call->x->target, &call->target, why);
    if (!err) call->target.path = url_path_plain(call->arena, call->target.path);
    if (err || call->target.query.len == 0) return err;
    err = url_params_parse(call->arena, call->target.query, &call->query, why);
    return err == ERR_LIMIT ? ERR_INVALID : err; /* one request too much, not too many of them */
}

static void refuse_head(struct call *call, enum err err)
{
    static const struct route unrouted = {.path = "(none)"};
    if (call->route == NULL) call->route = &unrouted;
    respond_problem(call, err, &call->why);
    send_reply(call);
}

/* RFC 9110, 8.4: nothing that a body went through besides (identity). */
static bool is_plain(const struct http_exchange *x)
{
    struct str coding = http_find_header(x, STR("content-encoding"));
    return coding.len == 0 || str_eq_nocase(coding, STR("identity"));
}

/* RFC 9110, 15.5.16. A body of 128 KiB is not worth the bombs. */
static void refuse_coding(struct call *call)
{
    static const char sentence[] = "the body is compressed: send it without Content-Encoding";
    respond_refused(call, call->x, 415, sentence);
    http_add_header(call->x, "Accept-Encoding", STR("identity"));
    send_reply(call);
}

/* What goes to disk as it comes is taken from members who still are some. On MariaDB, where the
 * loop cannot look them up, the body has to wait until a worker has. */
static enum err admit_upload(struct call *call, struct why *why)
{
    call->db = call->home->db;
    enum err err = call->db ? confirm(call, why) : OK;
    if (!err) err = upload_begin(call, why);
    return err || call->confirmed ? err : upload_confirm(call, why);
}

static void on_head(void *ctx, struct http_exchange *x)
{
    struct api_loop *home = ctx;
    struct call *call = ARENA_NEW(&x->arena, struct call);
    x->own = call;
    call->x = x;
    call->arena = &x->arena;
    call->home = home;
    call->api = home->api;
    call->allowed_origin = respond_origin_allowed(home->api, x);
    call->address = header_client_address(http_find_list(x, STR("x-forwarded-for")),
                                          str_of(x->peer), &home->api->trusted);
    x->log_client = call->address;
    if (x->method == HTTP_OPTIONS_ && str_eq(x->target, STR("*"))) {
        answer_for_server(call);
        return;
    }
    enum err err = read_target(call, &call->why);
    if (err) {
        refuse_head(call, err);
        return;
    }
    struct router_match match = router_find(home->api->router, x->method, call->target.path);
    if (match.route == NULL) {
        answer_unrouted(call, match.methods);
        return;
    }
    call->route = match.route;
    x->label = call->route->path;
    for (size_t i = 0; i < match.param_count; i++) call->params[i] = match.params[i];

    if (x->has_body && !is_plain(x)) {
        refuse_coding(call);
        return;
    }
    err = identify(call, &call->why);
    if (!err) err = take_rate(call, &call->why);
    if (!err && call->route->body == BODY_UPLOAD) err = admit_upload(call, &call->why);
    if (!err && call->route->body == BODY_WIKI) err = wiki_allow(call, WIKI_READ, &call->why);
    if (err) {
        refuse_head(call, err);
        return;
    }
    x->body_max = call->route->body == BODY_NONE        ? STRAY_BODY_BYTES
                  : call->route->body == BODY_WIKI      ? LIMIT_BOOK_BYTES
                  : call->route->access == ACCESS_KEY   ? LIMIT_GATEWAY_BYTES
                  : call->route->access == ACCESS_ADMIN ? LIMIT_ADMIN_BYTES
                                                        : LIMIT_JSON_BYTES;
}

static void on_whole(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    struct call *call = call_of(x);
    if (call->upload && !upload_whole(call, dispatch)) return; /* goes on when it is on disk */
    dispatch(call);
}

static void on_done(void *ctx, struct http_exchange *x)
{
    const struct api_loop *home = ctx;
    struct call *call = call_of(x);
    metrics_count(home->api->metrics, home->index, call ? call->route : NULL, x);
    if (call == NULL) return;
    json_free(call->body);
    upload_free(call);
    chat_run_drop(call->run);
    x->own = NULL;
}

static void on_fault(void *ctx, struct http_exchange *x, const char *sentence)
{
    (void)ctx;
    respond_refused(call_of(x), x, x->status, sentence);
    if (call_of(x))
        respond_common(call_of(x)); /* else a page in a browser sees a network failure */
}

struct http_app api_http_app(struct api_loop *home)
{
    return (struct http_app){
        .head = on_head, .whole = on_whole, .done = on_done, .fault = on_fault, .ctx = home};
}

/* --- life cycle --- */

struct router *api_router_new(void)
{
    struct router *router = router_new();
    for (size_t i = 0; i < routes_count; i++) {
        router_add(router, routes_table[i].method, routes_table[i].path, &routes_table[i]);
    }
    return router;
}

static struct rate_limit per_minute(int64_t limit)
{
    /* A tenth of a minute's worth at once, but never less than a page load needs. */
    uint32_t rate = (uint32_t)MIN(limit, INT32_MAX);
    return (struct rate_limit){rate, MAX(rate / 10, MIN(rate, 20u))};
}

struct rate *api_rate_new(const struct settings *settings)
{
    struct rate_limit limits[RATE_CLASSES] = {
        [RATE_READ] = per_minute(settings->rate_read),
        [RATE_WRITE] = per_minute(settings->rate_write),
        [RATE_LOGIN_ADDRESS] = per_minute(settings->rate_login),
        [RATE_LOGIN_ACCOUNT] = per_minute(settings->rate_login),
        [RATE_UPLOAD] = per_minute(settings->rate_upload),
        [RATE_CHAT] = per_minute(settings->rate_chat),
    };
    return rate_new(limits, COUNT_OF(limits), 65536);
}

static void on_notice(void *ctx, const struct hub_notice *notice)
{
    struct api_loop *home = ctx;
    token_forget(home->tokens, notice);
    live_notice(home, notice);
    gateway_notice(home, notice);
    chat_notice(home, notice);
    chat_run_notice(home, notice);
    wiki_visits_notice(home, notice);
    wiki_old_notice(home, notice);
}

enum err api_loop_open(struct api_loop *home, struct api *api, struct loop *loop, int index,
                       struct why *why)
{
    *home = (struct api_loop){.api = api, .loop = loop, .index = index};
    list_init(&home->live);
    list_init(&home->chats);
    list_init(&home->runs);
    list_init(&home->titles);
    list_init(&home->errands);
    list_init(&home->visits);
    list_init(&home->asking);
    if (store_kind(api->store) == DB_SQLITE) {
        enum err err = store_connect(api->store, &home->db, why);
        if (err) return err;
    }
    home->tokens = token_cache_new();
    home->feed = feed_cache_new();
    home->llm = llm_loop_open(api->llm, loop);
    home->gateway = gateway_loop_open(home);
    home->conversations = conversation_cache_new();
    home->hub_loop = hub_loop_open(api->hub, loop, on_notice, home);
    metrics_attend(api->metrics, home);
    return OK;
}

void api_loop_drain(struct api_loop *home)
{
    metrics_leave(home->api->metrics, home->index); /* its server may be gone any moment now */
    live_drain(home);
    chat_drain(home);
    wiki_old_drain(home);
    chat_run_drain(home);
    chat_title_drain(home);
}

void api_loop_abort(struct api_loop *home)
{
    live_abort(home);
    gateway_abort(home);
    chat_abort(home);
    errands_abort(home);
    wiki_visits_abort(home);
    wiki_old_abort(home);
    llm_loop_close(home->llm);
    home->llm = NULL;
    metrics_leave(home->api->metrics, home->index); /* when the loop never served: not drained */
}

void api_loop_close(struct api_loop *home)
{
    token_cache_free(home->tokens);
    feed_cache_free(home->feed);
    gateway_loop_close(home->gateway);
    conversation_cache_free(home->conversations);
    hub_loop_close(home->hub_loop);
    db_close(home->db);
}
