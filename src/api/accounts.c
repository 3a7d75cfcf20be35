/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/accounts.c: /auth: coming in, staying in, going out. */
#include "community/accounts.h"

#include "api/handlers.h"
#include "api/input.h"
#include "api/respond.h"
#include "auth/token.h"
#include "auth/username.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "community/shapes.h"
#include "http/multipart.h"

static const int64_t MINUTE_US = INT64_C(60) * 1000000, DAY_US = INT64_C(86400) * 1000000;

/* --- register --- */

struct registration {
    struct account_draft draft;
    struct user user;
};

static enum err apply_register(void *ctx, struct act *act, struct why *why)
{
    struct registration *registration = ctx;
    return accounts_create(act, &registration->draft, &registration->user, why);
}

/* The one-time code makes the first account an administrator. Taken here, so that two who show it
 * at once are not both; given back when the registration comes to nothing. */
static enum err role_of_new(struct call *call, struct str code, enum role *role_out,
                            struct why *why)
{
    *role_out = ROLE_MEMBER;
    if (code.at == NULL) return OK;
    struct str right = str_of(call->api->admin_code);
    bool fits = right.len > 0 && str_eq_secret(code, right);
    if (!fits || atomic_exchange(&call->api->admin_code_used, true)) {
        return why_set(why, ERR_DENIED, "the admin code is wrong or was used already");
    }
    *role_out = ROLE_ADMIN;
    return OK;
}

/* Everything that is wrong with a newcomer's form, in one answer. */
static enum err check_registration(struct call *call, const struct account_draft *draft,
                                   struct str password, struct why *why)
{
    struct str ignored;
    if (draft->username.at && username_check(draft->username, &ignored, why)) {
        input_note(call, "username", why);
    }
    if (password.at && password_check(password, why)) input_note(call, "password", why);
    if (draft->nickname.at &&
        name_check("nickname", draft->nickname, 1, LIMIT_NICKNAME_MAX, &ignored, why)) {
        input_note(call, "nickname", why);
    }
    return input_check(call, why);
}

static enum err add_account(struct call *call, struct registration *registration,
                            struct str password, struct why *why)
{
    char hash[PASSWORD_HASH_BYTES];
    enum err err = password_hash(&call->api->passwords, password, hash, why);
    if (err) return err;
    registration->draft.password_hash = str_of(hash);
    err = call_write(call, apply_register, registration, why);
    if (err != ERR_CONFLICT) return err;
    return why_set(why, ERR_INVALID, "用户名已存在 (this user name is taken)");
}

enum err auth_register(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct registration registration = {.draft = {.username = input_str(call, "username", true),
                                                  .nickname = input_str(call, "nickname", true)}};
    struct str password = input_str(call, "password", true);
    struct str code = input_str(call, "admin_code", false);
    /* Everything cheap is checked before the expensive hash. */
    err = check_registration(call, &registration.draft, password, why);
    if (err) return err;
    if (!call->api->settings->registration && code.at == NULL) {
        return why_set(why, ERR_DENIED,
                       "此社区不开放注册 (this community is not open to newcomers)");
    }
    err = role_of_new(call, code, &registration.draft.role, why);
    if (err) return err;
    err = add_account(call, &registration, password, why);
    if (err) {
        if (registration.draft.role == ROLE_ADMIN) atomic_store(&call->api->admin_code_used, false);
        return err;
    }
    struct json_out out = call_json(call);
    shape_user(&out, NULL, &registration.user, &(struct follow_tally){0}, NULL);
    return OK;
}

/* --- log in --- */

struct credentials {
    struct str username, password;
    bool is_form; /* an older client: one long token, no refresh */
};

static struct str form_value(struct call *call, const char *name, bool required)
{
    const struct url_param *param = url_params_find(&call->form, name);
    if (param) return param->value;
    if (required) input_fault(call, "body", name, "missing", "%s is missing", name);
    return (struct str){0};
}

/* The parts of a multipart form, as if they had come url-encoded. */
struct form_parts {
    struct call *call;
    struct url_param items[MULTIPART_PARTS_MAX];
    size_t count;
    struct str name;
    struct buf value; /* owned */
    bool is_file;
};

static enum err begin_part(void *ctx, const struct multipart_part *part, struct why *why)
{
    struct form_parts *parts = ctx;
    (void)why;
    parts->name = arena_copy(parts->call->arena, part->name);
    parts->is_file = part->filename.at != NULL;
    buf_reset(&parts->value, 0);
    return OK;
}

static enum err part_data(void *ctx, struct str bytes, struct why *why)
{
    struct form_parts *parts = ctx;
    (void)why;
    buf_add_str(&parts->value, bytes);
    return OK;
}

static enum err end_part(void *ctx, struct why *why)
{
    struct form_parts *parts = ctx;
    struct arena *arena = parts->call->arena;
    ASSERT(!parts->value.failed); /* the whole body is no larger */
    if (parts->is_file) {
        return why_set(why, ERR_INVALID, "%.*s is a file, but must be a text",
                       STR_ARGS(str_head(parts->name, 50)));
    }
    struct str value = parts->value.len ? arena_copy(arena, buf_str(&parts->value)) : STR("");
    parts->items[parts->count++] = (struct url_param){parts->name, value};
    return OK;
}

static enum err parse_multipart(struct call *call, const struct header_content_type *type,
                                struct why *why)
{
    static const struct multipart_sink sink = {begin_part, part_data, end_part};
    if (type->boundary[0] == '\0') return why_set(why, ERR_INVALID, "the form has no boundary");
    struct form_parts *parts = ARENA_NEW(call->arena, struct form_parts);
    parts->call = call;
    buf_init(&parts->value, LIMIT_JSON_BYTES);
    struct multipart form;
    multipart_init(&form, str_of(type->boundary), &sink, parts);
    enum err err = multipart_feed(&form, buf_str(&call->x->body), why);
    if (!err) err = multipart_finish(&form, why);
    multipart_release(&form);
    buf_release(&parts->value);
    call->form = (struct url_params){parts->items, parts->count};
    return err;
}

/* Into call->form, when it is one. */
static enum err parse_form(struct call *call, bool *is_form_out, struct why *why)
{
    struct header_content_type type;
    *is_form_out = false;
    if (!header_content_type(http_find_header(call->x, STR("content-type")), &type)) return OK;
    bool encoded = header_type_is(&type, "application/x-www-form-urlencoded");
    *is_form_out = encoded || header_type_is(&type, "multipart/form-data");
    if (!*is_form_out) return OK;
    enum err err = encoded
                       ? url_params_parse(call->arena, buf_str(&call->x->body), &call->form, why)
                       : parse_multipart(call, &type, why);
    if ((err != ERR_INVALID && err != ERR_LIMIT) || why->field) return err;
    input_fault(call, "body", "body", "value_error", "%s", why->text);
    return input_check(call, why);
}

static enum err read_credentials(struct call *call, struct credentials *out, struct why *why)
{
    enum err err = parse_form(call, &out->is_form, why);
    if (err) return err;
    if (out->is_form) {
        out->username = form_value(call, "username", true);
        out->password = form_value(call, "password", true);
        struct str grant = form_value(call, "grant_type", false);
        if (grant.len > 0 && !str_eq(grant, STR("password"))) {
            input_fault(call, "body", "grant_type", "string_pattern_mismatch",
                        "grant_type must be password");
        }
    } else {
        err = input_json(call, why);
        if (err) return err;
        out->username = input_str(call, "username", true);
        out->password = input_str(call, "password", true);
    }
    err = input_check(call, why);
    if (!err && !(utf8_valid(out->username) && utf8_valid(out->password))) {
        return why_field(why, "username", "string_unicode", "name and password must be UTF-8");
    }
    return err;
}

static enum err wrong(struct why *why)
{
    return why_set(why, ERR_UNKNOWN_CALLER, "用户名或密码错误 (wrong user name or password)");
}

/* Whether or not anybody has that name, the same limit answers in the same way. */
static enum err limit_account(struct call *call, struct str key, struct why *why)
{
    struct rate_verdict verdict =
        rate_take(call->api->rate, RATE_LOGIN_ACCOUNT, key, clock_mono_us());
    if (verdict.allowed) return OK;
    call->rate = verdict;
    return why_set(why, ERR_LIMIT, "尝试次数过多，请 %u 秒后再试 (too many attempts: wait %u s)",
                   verdict.retry_after_s, verdict.retry_after_s);
}

/* Takes the same time for a wrong name, a resident and a wrong password. */
static enum err check_credentials(struct call *call, const struct credentials *credentials,
                                  struct user *user_out, bool *rehash_out, struct why *why)
{
    struct passwords *passwords = &call->api->passwords;
    struct str hash = {0};
    if (credentials->username.len > LIMIT_USERNAME_MAX * 8) return wrong(why);
    struct str key = username_key(call->arena, credentials->username);
    enum err err = limit_account(call, key, why);
    if (err) return err;
    err = users_load_login(call->db, call->arena, key, user_out, &hash, why);
    if (err && err != ERR_NOT_FOUND) return err;
    bool nobody = err == ERR_NOT_FOUND || hash.at == NULL || user_out->brief.is_ai;
    if (nobody) hash = password_dummy(passwords);
    err = password_verify(passwords, hash, credentials->password, rehash_out, why);
    if (err == ERR_UNKNOWN_CALLER || err == ERR_CORRUPT || nobody) return wrong(why);
    if (err) return err;
    if (user_out->banned) return why_set(why, ERR_DENIED, "账号已被停用 (this account is banned)");
    rate_forget(call->api->rate, RATE_LOGIN_ACCOUNT, key);
    return OK;
}

struct coming_in {
    struct login login;
    struct session_id session;
    char refresh[REFRESH_TEXT_BYTES];
};

static enum err apply_log_in(void *ctx, struct act *act, struct why *why)
{
    struct coming_in *in = ctx;
    return accounts_log_in(act, &in->login, &in->session, in->refresh, why);
}

static enum err write_tokens(struct call *call, struct user_id user, struct session_id session,
                             int64_t minutes, const char *refresh, struct why *why)
{
    int64_t now_s = clock_wall_us() / 1000000;
    struct token_claims claims = {.user = user,
                                  .session = session.value,
                                  .issued_s = now_s,
                                  .expires_s = now_s + minutes * 60};
    struct buf token;
    buf_init(&token, TOKEN_BYTES_MAX);
    enum err err = token_sign(call->api->keyring, &claims, &token, why);
    if (!err) {
        struct json_out out = call_json(call);
        json_open(&out, NULL, '{');
        json_put_str(&out, "access_token", buf_str(&token));
        json_put_str(&out, "token_type", STR("bearer"));
        json_put_i64(&out, "expires_in", minutes * 60);
        if (refresh) json_put_str(&out, "refresh_token", str_of(refresh));
        json_close(&out, '}');
        http_add_header(call->x, "Cache-Control", STR("no-store"));
    }
    buf_release(&token);
    return err;
}

static struct str client_name(struct call *call)
{
    struct str agent = http_find_header(call->x, STR("user-agent"));
    return agent.len && utf8_valid(agent)
               ? str_head(agent, utf8_floor(agent.at, MIN(agent.len, (size_t)200)))
               : (struct str){0};
}

enum err auth_login(struct call *call, struct why *why)
{
    struct credentials credentials;
    enum err err = read_credentials(call, &credentials, why);
    if (err) return err;
    struct user user;
    bool rehash = false;
    err = check_credentials(call, &credentials, &user, &rehash, why);
    if (err) {
        if (err == ERR_UNKNOWN_CALLER) {
            log_info("auth.refused", "peer=%.*s", STR_ARGS(call->address));
        }
        return err;
    }
    const struct settings *settings = call->api->settings;
    int64_t minutes =
        credentials.is_form ? settings->token_minutes_form : settings->token_minutes_app;
    struct coming_in in = {.login = {.user = user.brief.id,
                                     .refreshable = !credentials.is_form,
                                     .refresh_us = settings->refresh_days * DAY_US,
                                     .token_us = minutes * MINUTE_US,
                                     .client = client_name(call),
                                     .address = call->address}};
    char hash[PASSWORD_HASH_BYTES];
    if (rehash) { /* an imported member's old hash, or a cost that has been raised */
        err = password_hash(&call->api->passwords, credentials.password, hash, why);
        if (err) return err;
        in.login.new_password_hash = str_of(hash);
    }
    err = call_write(call, apply_log_in, &in, why);
    if (err) return err;
    return write_tokens(call, user.brief.id, in.session, minutes,
                        in.login.refreshable ? in.refresh : NULL, why);
}

enum err auth_refresh(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str refresh = input_str(call, "refresh_token", true);
    err = input_check(call, why);
    if (err) return err;
    const struct settings *settings = call->api->settings;
    enum refreshed outcome;
    struct session session;
    char fresh[REFRESH_TEXT_BYTES];
    err = accounts_refresh(&call->act, refresh, settings->refresh_days * DAY_US, &outcome, &session,
                           fresh, why);
    if (err) return err;
    if (outcome == REFRESH_STOLEN) { /* once a log-in: it is over then */
        log_warn("auth.refresh_stolen", "member=%llu session=%llu peer=%.*s",
                 (unsigned long long)session.user.value, (unsigned long long)session.id.value,
                 STR_ARGS(call->address));
    }
    switch (outcome) {
    case REFRESHED:
        return write_tokens(call, session.user, session.id, settings->token_minutes_app, fresh,
                            why);
    case REFRESH_RACED:
        return why_set(why, ERR_CONFLICT, "this token was just replaced: use the newer one");
    case REFRESH_UNKNOWN:
    case REFRESH_STOLEN:
        /* An answer, not a failure: that a stolen log-in has ended must be stored. */
        why_set(why, ERR_UNKNOWN_CALLER, "登录已失效 (please sign in again)");
        respond_problem(call, ERR_UNKNOWN_CALLER, why);
        return OK;
    }
    return OK;
}

/* --- staying and going --- */

enum err auth_logout(struct call *call, struct why *why)
{
    enum err err = accounts_log_out(&call->act, call->who.session, why);
    if (!err) call_no_content(call);
    return err;
}

enum err auth_logout_all(struct call *call, struct why *why)
{
    enum err err = accounts_log_out_everywhere(&call->act, 0, why);
    if (!err) call_no_content(call);
    return err;
}

enum err auth_me(struct call *call, struct why *why)
{
    struct user user;
    enum err err = users_load(call->db, call->arena, call->who.user, &user, why);
    return err ? err : users_reply(call, &user, why);
}

static enum err apply_password(void *ctx, struct act *act, struct why *why)
{
    struct call *call = ctx;
    return accounts_set_password(act, call->token, call->who.session, why);
}

enum err auth_password(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str old = input_str(call, "old_password", true);
    struct str new = input_str(call, "new_password", true);
    if (new.at && password_check(new, why)) input_note(call, "new_password", why);
    err = input_check(call, why);
    if (err) return err;
    struct str hash = {0};
    err = users_load_password(call->db, call->arena, call->who.user, &hash, why);
    if (err) return err;
    bool unused;
    err = password_verify(&call->api->passwords, hash, old, &unused, why);
    if (err == ERR_UNKNOWN_CALLER) {
        return why_set(why, ERR_DENIED, "原密码错误 (the old password is wrong)");
    }
    if (err) return err;
    char fresh[PASSWORD_HASH_BYTES];
    err = password_hash(&call->api->passwords, new, fresh, why);
    if (err) return err;
    struct str token = call->token;
    call->token = str_of(fresh);
    err = call_write(call, apply_password, call, why);
    call->token = token;
    if (!err) call_no_content(call);
    return err;
}

struct session_list {
    struct json_out out;
    uint64_t current;
};

void sessions_put(struct json_out *out, const struct session *session, uint64_t current)
{
    json_open(out, NULL, '{');
    json_put_u64(out, "id", session->id.value);
    json_put_bool(out, "current", session->id.value == current);
    json_put_opt(out, "client", session->client);
    json_put_opt(out, "address", session->address);
    json_put_time(out, "created_at", session->created_us);
    json_put_time(out, "used_at", session->used_us);
    json_put_time(out, "expires_at", session->expires_us);
    json_close(out, '}');
}

static void put_session(void *ctx, const struct session *session)
{
    struct session_list *list = ctx;
    sessions_put(&list->out, session, list->current);
}

enum err auth_sessions(struct call *call, struct why *why)
{
    struct session_list list = {call_json(call), call->who.session};
    json_open(&list.out, NULL, '{');
    json_open(&list.out, "items", '[');
    enum err err =
        sessions_list(call->db, call->who.user, clock_wall_us(), put_session, &list, why);
    json_close(&list.out, ']');
    json_close(&list.out, '}');
    return err;
}

enum err auth_end_session(struct call *call, struct why *why)
{
    uint64_t id = input_path_id(call, 0, "session_id");
    enum err err = input_check(call, why);
    if (!err) err = accounts_end_session(&call->act, id, why);
    if (!err) call_no_content(call);
    return err;
}
