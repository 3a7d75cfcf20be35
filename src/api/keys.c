/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/keys.c: /keys and /usage: a member's keys for programs, and what was used with them. */
#include "community/keys.h"

#include "api/handlers.h"
#include "api/input.h"
#include "auth/apikey.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "base/utf8.h"
#include "store/usage.h"

static_assert((int)APIKEY_HASH_BYTES == (int)KEY_HASH_BYTES, "the store keeps that hash");

enum { USAGE_ROWS_MAX = 1000 };

static const int64_t DAY_US = INT64_C(86400) * 1000000, LIMIT_MAX = INT64_C(1000000000000);

/* --- shapes --- */

static void put_limit(struct json_out *out, const char *name, int64_t limit)
{
    if (limit > 0) {
        json_put_i64(out, name, limit);
    } else {
        json_put_null(out, name);
    }
}

static void put_models(struct json_out *out, struct str patterns)
{
    struct str one;
    if (patterns.at == NULL) {
        json_put_null(out, "models");
        return;
    }
    json_open(out, "models", '[');
    while (str_split(&patterns, '\n', &one)) json_put_str(out, NULL, one);
    json_close(out, ']');
}

/* `text`: the key itself, for the one time it is shown; .at NULL: not again. */
void keys_put(struct json_out *out, const struct api_key *key, struct str text)
{
    json_open(out, NULL, '{');
    json_put_u64(out, "id", key->id.value);
    json_put_str(out, "name", key->name);
    json_put_str(out, "last_four", key->last_four);
    put_limit(out, "requests_per_minute", key->requests_per_minute);
    put_limit(out, "tokens_per_day", key->tokens_per_day);
    put_models(out, key->models);
    json_put_time(out, "created_at", key->created_us);
    if (key->used_us > 0) {
        json_put_time(out, "last_used_at", key->used_us);
    } else {
        json_put_null(out, "last_used_at");
    }
    if (text.at) json_put_str(out, "key", text);
    json_close(out, '}');
}

/* --- input --- */

/* A limit of the body: absent keeps what `*limit` is, null takes it away. */
static void read_limit(struct call *call, const char *name, int64_t *limit)
{
    const struct json *value = json_get(call->body, name);
    int64_t number = 0;
    if (value == NULL) return;
    if (json_kind(value) != JSON_NULL &&
        (!json_as_i64(value, &number) || number < 1 || number > LIMIT_MAX)) {
        input_fault(call, "body", name, "int_type", "%s must be a whole number from 1, or null",
                    name);
        return;
    }
    *limit = number;
}

/* The list as lines. ERR_INVALID: not a list of patterns. */
static enum err join_models(struct call *call, const struct json *list, struct str *models_out,
                            struct why *why)
{
    struct buf lines;
    buf_init(&lines, LIMIT_KEY_MODELS * (LIMIT_MODEL_BYTES + 1));
    enum err err = OK;
    size_t count = 0;
    for (const struct json *at = json_first(list); at && !err; at = json_after(at)) {
        struct str one = {0};
        count++;
        if (!json_as_str(at, &one)) one = STR("");
        err = model_pattern_check(one, why);
        if (lines.len > 0) buf_add_byte(&lines, '\n');
        buf_add_str(&lines, one);
    }
    if (!err && (count == 0 || count > LIMIT_KEY_MODELS || lines.failed)) {
        err = why_set(why, ERR_INVALID, "models must be a list of 1 to %d names, or null",
                      LIMIT_KEY_MODELS);
    }
    if (!err) *models_out = arena_copy(call->arena, buf_str(&lines));
    buf_release(&lines);
    return err;
}

static void read_models(struct call *call, struct str *models)
{
    const struct json *value = json_get(call->body, "models");
    struct why why;
    if (value == NULL) return;
    if (json_kind(value) == JSON_NULL) {
        *models = (struct str){0};
    } else if (json_kind(value) != JSON_ARRAY) {
        input_fault(call, "body", "models", "list_type", "models must be a list of names, or null");
    } else if (join_models(call, value, models, &why)) {
        input_fault(call, "body", "models", "value_error", "%s", why.text);
    }
}

/* Whatever the body says goes into `key`; what it does not say stays. */
static enum err read_key(struct call *call, struct api_key *key, struct why *why)
{
    struct str name = input_str(call, "name", key->name.at == NULL);
    if (name.at && name_check("name", name, 1, LIMIT_KEY_NAME_MAX, &key->name, why)) {
        input_note(call, "name", why);
    }
    read_limit(call, "requests_per_minute", &key->requests_per_minute);
    read_limit(call, "tokens_per_day", &key->tokens_per_day);
    read_models(call, &key->models);
    return input_check(call, why);
}

/* --- keys --- */

struct new_key {
    struct api_key key;
    uint8_t hash[APIKEY_HASH_BYTES];
};

static enum err apply_make(void *ctx, struct act *act, struct why *why)
{
    struct new_key *new = ctx;
    return keys_make(act, &new->key, (struct str){(const char *)new->hash, sizeof(new->hash)}, why);
}

/* Not LANE_WRITE: what that lane answers may be kept for an Idempotency-Key, and this answer holds
 * a secret. */
enum err keys_post(struct call *call, struct why *why)
{
    struct new_key new = {0};
    char text[APIKEY_TEXT_BYTES];
    enum err err = input_json(call, why);
    if (!err) err = read_key(call, &new.key, why);
    if (err) return err;
    apikey_new(text);
    bool ours = apikey_hash(str_of(text), new.hash);
    ASSERT(ours);
    new.key.last_four = str_from(str_of(text), APIKEY_TEXT_BYTES - 1 - APIKEY_LAST);
    err = call_write(call, apply_make, &new, why);
    if (err) return err;
    struct json_out out = call_json(call);
    keys_put(&out, &new.key, str_of(text));
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    return OK;
}

static void put_listed(void *ctx, const struct api_key *key)
{
    keys_put(ctx, key, (struct str){0});
}

enum err keys_get_list(struct call *call, struct why *why)
{
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    enum err err = keys_list(call->db, call->who.user, put_listed, &out, why);
    json_close(&out, ']');
    json_close(&out, '}');
    return err;
}

enum err keys_patch(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct key_id id = {input_path_id(call, 0, "key_id")};
    struct api_key key;
    err = input_check(call, why);
    if (!err) err = keys_load(call->db, call->arena, call->who.user, id, &key, why);
    if (!err) err = read_key(call, &key, why);
    if (!err) err = keys_edit(&call->act, &key, why);
    if (err) return err;
    struct json_out out = call_json(call);
    keys_put(&out, &key, (struct str){0});
    return OK;
}

enum err keys_delete(struct call *call, struct why *why)
{
    struct key_id id = {input_path_id(call, 0, "key_id")};
    enum err err = input_check(call, why);
    if (!err) err = keys_end(&call->act, id, why);
    if (!err) call_no_content(call);
    return err;
}

/* --- usage --- */

/* "2026-11-21" as a day's number. */
static int64_t query_day(struct call *call, const char *name, int64_t initial)
{
    struct str text = input_query_str(call, name);
    if (text.at == NULL) return initial;
    struct tm date = {0};
    char copy[16], back[16] = "";
    str_copy(copy, sizeof(copy), text);
    const char *end = strptime(copy, "%Y-%m-%d", &date);
    int64_t day = end && *end == '\0' ? timegm(&date) / 86400 : -1;
    /* The 31st of February would be some day in March. */
    if (day >= 0) strftime(back, sizeof(back), "%Y-%m-%d", &date);
    if (str_eq(text, str_of(back))) return day;
    input_fault(call, "query", name, "date_parsing", "%s must be a day like 2026-11-21", name);
    return initial;
}

struct usage_page {
    struct json_out out;
    uint64_t count;
};

void usage_put(struct json_out *out, const struct usage_row *row)
{
    const struct usage_sums *sums = &row->sums;
    char day[CLOCK_ISO_BYTES];
    clock_iso_short(row->day * DAY_US, day);
    json_open(out, NULL, '{');
    json_put_str(out, "day", (struct str){day, 10});
    json_put_u64(out, "key_id", row->key.value);
    json_put_str(out, "key_name", row->key_name);
    json_put_u64(out, "user_id", row->user.value);
    json_put_str(out, "username", row->username);
    json_put_str(out, "site", row->site);
    json_put_str(out, "model", row->model);
    json_put_u64(out, "requests", sums->requests);
    json_put_u64(out, "shared_requests", sums->shared);
    json_put_u64(out, "unknown_requests", sums->unknown);
    json_put_u64(out, "unpriced_requests", sums->unpriced);
    json_put_u64(out, "input_tokens", sums->input_tokens);
    json_put_u64(out, "output_tokens", sums->output_tokens);
    json_put_u64(out, "cached_tokens", sums->cached_tokens);
    json_put_u64(out, "estimated_tokens", sums->estimated_tokens);
    if (sums->unpriced > 0 && sums->unpriced + sums->shared == sums->requests) {
        json_put_null(out, "cost_micro"); /* nobody knows, which is not nothing */
    } else {
        json_put_u64(out, "cost_micro", sums->cost_micro);
    }
    json_close(out, '}');
}

static void put_usage(void *ctx, const struct usage_row *row)
{
    struct usage_page *page = ctx;
    if (page->count++ >= USAGE_ROWS_MAX) return; /* the one that tells that there are more */
    usage_put(&page->out, row);
}

enum err usage_get(struct call *call, struct why *why)
{
    int64_t today = clock_wall_us() / DAY_US;
    struct user_id me = call->who.user;
    struct usage_query query = {
        .user = {(uint64_t)input_query_int(call, "user_id", 0, 1, INT64_MAX)},
        .from_day = query_day(call, "from", today - 30),
        .to_day = query_day(call, "to", today),
        .limit = USAGE_ROWS_MAX + 1,
    };
    enum err err = input_check(call, why);
    if (err) return err;
    bool all = call->who.role == ROLE_ADMIN;
    if (!all && query.user.value != 0 && query.user.value != me.value) {
        return why_set(why, ERR_DENIED, "权限不足 (only administrators see what others used)");
    }
    if (!all) query.user = me;
    struct usage_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = usage_list(call->db, &query, put_usage, &page, why);
    json_close(&page.out, ']');
    json_put_bool(&page.out, "more", page.count > USAGE_ROWS_MAX);
    json_close(&page.out, '}');
    return err;
}
