/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/wiki_access.h"

#include "api/input.h"
#include "api/respond.h"
#include "auth/pass.h"
#include "base/clock.h"
#include "http/header.h"

enum { PASS_LIFE_S = 24 * 3600 };

#define COOKIE "hutong_wiki"

/* --- rights --- */

/* The strongest right that strangers have; -1: none. */
static int guests_may(const struct settings *settings)
{
    static const char *const words[] = {
        [WIKI_READ] = "read", [WIKI_ASK] = "ask", [WIKI_ADD] = "add"};
    for (int i = 0; i < (int)COUNT_OF(words); i++) {
        if (str_eq(settings->wiki_guests, str_of(words[i]))) return i;
    }
    return -1;
}

static bool has_shown_code(const struct call *call)
{
    const struct settings *settings = call->api->settings;
    struct str text;
    return settings->wiki_auth_mode &&
           header_cookie(http_find_header(call->x, STR("cookie")), COOKIE, &text) &&
           pass_holds(call->api->keyring, STR("wiki"), settings->wiki_auth_code, text,
                      clock_wall_us() / 1000000);
}

bool wiki_is_insider(const struct call *call)
{
    return call->who.user.value != 0 || call->shown_code || has_shown_code(call);
}

static enum err refuse_page(struct why *why)
{
    return why_set(why, ERR_DENIED,
                   "此网页不可使用本站的百科 (this web page may not use the wikis here: its origin "
                   "is not allowed)");
}

static enum err refuse_stranger(const struct call *call, struct why *why)
{
    if (call->api->settings->wiki_auth_mode) {
        return why_set(why, ERR_UNKNOWN_CALLER,
                       "请先输入访问码 (enter the access code first, or log in)");
    }
    return why_set(why, ERR_UNKNOWN_CALLER,
                   "请先登录 (log in first: this is for members of the community)");
}

enum err wiki_allow(struct call *call, enum wiki_right right, struct why *why)
{
    const struct settings *settings = call->api->settings;
    if (call->who.user.value) return OK; /* a token says it, which no other page has */
    if (right > WIKI_READ && !respond_origin_fits(call)) return refuse_page(why);
    if (has_shown_code(call)) return OK;
    if (settings->wiki_auth_mode && right > WIKI_READ) return refuse_stranger(call, why);
    return (int)right <= guests_may(settings) ? OK : refuse_stranger(call, why);
}

/* --- the code --- */

/* Each look at a code counts as an attempt to log in from that address. */
static enum err take_guess(struct call *call, struct why *why)
{
    call->rate =
        rate_take(call->api->rate, RATE_LOGIN_ADDRESS, call_network(call), clock_mono_us());
    if (call->rate.limit == 0 || call->rate.allowed) return OK;
    return why_set(why, ERR_LIMIT,
                   "请求过于频繁，请 %u 秒后再试 (too many requests: try again in %u s)",
                   call->rate.retry_after_s, call->rate.retry_after_s);
}

static bool is_code(const struct call *call, struct str code)
{
    struct str right = call->api->settings->wiki_auth_code;
    return right.len > 0 && str_eq_secret(code, right);
}

enum err wiki_allow_with(struct call *call, enum wiki_right right, struct str code, struct why *why)
{
    bool counts = call->api->settings->wiki_auth_mode && call->who.user.value == 0;
    if (code.at == NULL || !counts) return wiki_allow(call, right, why);
    if (!respond_origin_fits(call)) return refuse_page(why);
    enum err err = take_guess(call, why);
    if (err) return err;
    call->shown_code = is_code(call, code);
    if (call->shown_code) return OK;
    return why_set(why, ERR_UNKNOWN_CALLER, "访问码不正确 (the access code is wrong)");
}

enum err wiki_auth_status(struct call *call, struct why *why)
{
    (void)why;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "auth_required", call->api->settings->wiki_auth_mode);
    json_close(&out, '}');
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    return OK;
}

static void give_pass(struct call *call)
{
    char text[PASS_BYTES];
    pass_sign(call->api->keyring, STR("wiki"), call->api->settings->wiki_auth_code,
              clock_wall_us() / 1000000 + PASS_LIFE_S, text);
    http_add_header(call->x, "Set-Cookie",
                    arena_printf(call->arena,
                                 COOKIE "=%s; Path=/; Max-Age=%d; HttpOnly; "
                                        "SameSite=Lax%s",
                                 text, PASS_LIFE_S, call_is_encrypted(call) ? "; Secure" : ""));
}

enum err wiki_auth_validate(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str code = input_str(call, "code", true);
    err = input_check(call, why);
    if (err) return err;
    bool right = is_code(call, code);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "success", right);
    json_close(&out, '}');
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    if (right && call->api->settings->wiki_auth_mode) give_pass(call);
    return OK;
}
