/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/respond.h"

static int status_of(enum err err, const struct why *why)
{
    switch (err) {
    case OK: return 200;
    case ERR_INVALID: return why->field ? 422 : 400;
    case ERR_UNKNOWN_CALLER: return 401;
    case ERR_DENIED: return 403;
    case ERR_NOT_FOUND: return 404;
    case ERR_CONFLICT: return 409;
    case ERR_LIMIT: return 429;
    case ERR_TIMEOUT: return 504;
    case ERR_UPSTREAM: return 502;
    case ERR_BUSY:
    case ERR_AWAY: return 503;
    case ERR_FULL: return 507;
    case ERR_CANCELLED:
    case ERR_UNCERTAIN:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_COUNT: return 500;
    }
    return 500;
}

static void put_error(struct json_out *out, const char *where, const char *field, struct str msg,
                      const char *type)
{
    json_open(out, NULL, '{');
    json_open(out, "loc", '[');
    json_put_str(out, NULL, str_of(where));
    if (strcmp(where, field) != 0) json_put_str(out, NULL, str_of(field));
    json_close(out, ']');
    json_put_str(out, "msg", msg);
    json_put_str(out, "type", str_of(type));
    json_close(out, '}');
}

static void put_errors(struct json_out *out, const struct call *call, const struct why *why)
{
    json_open(out, "errors", '[');
    for (size_t i = 0; i < call->fault_count; i++) {
        const struct field_fault *fault = &call->faults[i];
        put_error(out, fault->where, fault->field, fault->sentence, fault->type);
    }
    if (call->fault_count == 0) {
        put_error(out, "body", why->field, str_of(why->text),
                  why->type ? why->type : "value_error");
    }
    json_close(out, ']');
}

/* Where the page of the older wiki asks its own server, and for folders, it reads `error`. */
static bool says_error(const struct call *call)
{
    struct str path = str_of(call->route->path);
    return str_starts(path, STR("/api/")) || str_eq(path, STR("/local_repo/structure"));
}

static void write_problem(struct http_exchange *x, int status, const char *name, struct str detail,
                          const struct call *call, const struct why *why)
{
    x->status = status;
    x->content_type = "application/problem+json";
    struct json_out out = json_begin(&x->reply);
    json_open(&out, NULL, '{');
    json_put_str(&out, "type", str_of(name ? name : "about:blank"));
    json_put_str(&out, "title", str_of(http_status_text(status)));
    json_put_i64(&out, "status", status);
    json_put_str(&out, "detail", detail);
    if (call && status == 422) put_errors(&out, call, why);
    json_put_str(&out, "request_id", str_of(x->id));
    if (call && says_error(call)) json_put_str(&out, "error", detail);
    json_close(&out, '}');
    if (status == 401) http_add_header(x, "WWW-Authenticate", STR("Bearer"));
}

/* OpenAI's form of an error, for programs. */
static void write_program_error(struct call *call, int status, struct str message,
                                const struct why *why)
{
    struct http_exchange *x = call->x;
    const char *type = status == 401   ? "authentication_error"
                       : status == 403 ? "permission_error"
                       : status == 429 ? "rate_limit_error"
                       : status < 500  ? "invalid_request_error"
                                       : "server_error";
    const char *code = call->error_code ? call->error_code : why ? why->type : NULL;
    x->status = status;
    x->content_type = "application/json";
    struct json_out out = json_begin(&x->reply);
    json_open(&out, NULL, '{');
    json_open(&out, "error", '{');
    json_put_str(&out, "message", message);
    json_put_str(&out, "type", str_of(call->error_type ? call->error_type : type));
    json_put_opt(&out, "param", str_of(why ? why->field : NULL));
    json_put_opt(&out, "code", str_of(code));
    json_close(&out, '}');
    json_close(&out, '}');
    if (status == 401) http_add_header(x, "WWW-Authenticate", STR("Bearer"));
    if (call->no_retry) http_add_header(x, "X-Should-Retry", STR("false"));
}

void respond_program(struct call *call, int status, const char *sentence)
{
    http_reset_reply(call->x);
    write_program_error(call, status, str_of(sentence), NULL);
}

void respond_problem(struct call *call, enum err err, const struct why *why)
{
    struct http_exchange *x = call->x;
    int status = status_of(err, why);
    http_reset_reply(x);
    char name[64];
    snprintf(name, sizeof(name), "urn:hutong:problem:%s", err_name(err));
    /* What went wrong inside is for the operator's log, which has the request's id. */
    struct str detail = str_of(why->text);
    if (err == ERR_UNCERTAIN) {
        detail =
            STR("无法确定是否已保存 (we cannot tell whether this was saved: look before you try "
                "again)");
    } else if (status == 500) {
        detail = STR("something went wrong on our side; nothing was changed");
    }
    if (call->route->access == ACCESS_KEY) {
        if (err == ERR_INVALID) status = 400; /* as OpenAI has it */
        write_program_error(call, status, detail, why);
    } else {
        write_problem(x, status, name, detail, call, why);
    }
    if (status == 503) http_add_header(x, "Retry-After", STR("2"));
    if (status == 429 && call->rate.retry_after_s > 0) {
        http_add_header(x, "Retry-After",
                        arena_printf(call->arena, "%u", call->rate.retry_after_s));
    }
}

void respond_status(struct http_exchange *x, int status, const char *sentence)
{
    http_reset_reply(x);
    write_problem(x, status, NULL, str_of(sentence), NULL, NULL);
}

/* --- CORS (WHATWG Fetch, 3.2) --- */

bool respond_origin_allowed(const struct api *api, const struct http_exchange *x)
{
    struct str origin = http_find_header(x, STR("origin"));
    if (origin.len == 0) return false;
    if (str_eq(origin, STR("http://localhost:3000")) ||
        str_eq(origin, STR("http://127.0.0.1:3000"))) {
        return true;
    }
    struct str rest = api->settings->cors_origins, one;
    while (str_split(&rest, ',', &one)) {
        if (str_eq(str_trim(one), origin)) return true;
    }
    return false;
}

bool respond_origin_fits(const struct call *call)
{
    struct str origin = http_find_header(call->x, STR("origin")), one;
    if (origin.len == 0 || call->allowed_origin) return true;
    if (header_origin_is_host(origin, http_find_header(call->x, STR("host")))) return true;
    struct str rest = call->api->settings->live_origins;
    while (str_split(&rest, ',', &one)) {
        if (str_eq(str_trim(one), origin)) return true;
    }
    return false;
}

static void add_cors(struct call *call)
{
    struct http_exchange *x = call->x;
    http_add_header(x, "Access-Control-Allow-Origin", http_find_header(x, STR("origin")));
    http_add_header(x, "Access-Control-Allow-Credentials", STR("true"));
    http_add_header(x, "Access-Control-Expose-Headers",
                    STR("Live-Position, X-Request-Id, Retry-After, RateLimit-Limit, "
                        "RateLimit-Remaining, RateLimit-Reset"));
    http_add_header(x, "Access-Control-Expose-Headers", STR("ETag"));
    http_add_header(x, "Vary", STR("Origin"));
}

/* As in draft-ietf-httpapi-ratelimit-headers-03. Straight into the buffer: every page of the feed
 * has them. */
static void add_rate(struct buf *headers, const struct rate_verdict *rate)
{
    buf_add_str(headers, STR("RateLimit-Limit: "));
    buf_add_u64(headers, rate->limit);
    buf_add_str(headers, STR("\r\nRateLimit-Remaining: "));
    buf_add_u64(headers, rate->remaining);
    buf_add_str(headers, STR("\r\nRateLimit-Reset: "));
    buf_add_u64(headers, rate->reset_s);
    buf_add_str(headers, STR("\r\n"));
}

void respond_common(struct call *call)
{
    if (call->rate.limit > 0) add_rate(&call->x->reply_headers, &call->rate);
    if (call->allowed_origin) add_cors(call);
}

void respond_preflight(struct call *call, struct str origin)
{
    struct http_exchange *x = call->x;
    x->content_type = "text/plain; charset=utf-8";
    http_add_header(x, "Vary", STR("Origin"));
    if (!call->allowed_origin) {
        x->status = 400;
        buf_add_str(&x->reply, STR("Disallowed CORS origin"));
        return;
    }
    x->status = 200;
    buf_add_str(&x->reply, STR("OK"));
    http_add_header(x, "Access-Control-Allow-Origin", origin);
    http_add_header(x, "Access-Control-Allow-Credentials", STR("true"));
    http_add_header(x, "Access-Control-Allow-Methods",
                    STR("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"));
    http_add_header(x, "Access-Control-Max-Age", STR("600"));
    struct str wanted = http_find_list(x, STR("access-control-request-headers"));
    if (wanted.len > 0) http_add_header(x, "Access-Control-Allow-Headers", wanted);
}
