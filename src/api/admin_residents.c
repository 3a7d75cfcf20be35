/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/admin_residents.c: /admin/residents: who lives in the town, for administrators.
 *
 * Whoever gets an account here moves into the town that runs by itself
 * (townhall/moving.c). A town goes on with the profile it has read; what is
 * changed here it reads when it is started again.
 */
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "community/residents.h"
#include "community/talk.h"

static void put_resident(struct json_out *out, const struct resident *resident)
{
    json_open(out, NULL, '{');
    json_put_u64(out, "id", resident->brief.id.value);
    json_put_str(out, "username", resident->brief.username);
    json_put_str(out, "nickname", resident->brief.nickname);
    json_put_opt(out, "avatar_path", resident->brief.avatar_path);
    json_put_opt(out, "bio", resident->bio);
    json_put_opt(out, "personality", resident->personality);
    json_put_bool(out, "banned", resident->banned);
    json_put_bool(out, "in_town", resident->in_town);
    json_put_id(out, "wiki", resident->wiki);
    json_put_opt(out, "wiki_name", resident->wiki_name);
    json_close(out, '}');
}

/* --- list and export --- */

struct page {
    struct json_out out;
    uint64_t last;
    size_t count;
};

static void put_listed(void *ctx, const struct resident *resident)
{
    struct page *page = ctx;
    put_resident(&page->out, resident);
    page->last = resident->brief.id.value;
    page->count++;
}

enum err admin_get_residents(struct call *call, struct why *why)
{
    uint64_t after = (uint64_t)input_query_int(call, "after", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE), total;
    enum err err = input_check(call, why);
    if (!err) err = counter_load(call->db, "residents", &total, why);
    if (err) return err;
    struct page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = residents_list(call->db, after, limit, put_listed, &page, why);
    json_close(&page.out, ']');
    json_put_u64(&page.out, "total", total);
    json_put_id(&page.out, "next_after", page.count == limit ? page.last : 0);
    json_close(&page.out, '}');
    return err;
}

static void put_exported(void *ctx, const struct resident *resident)
{
    struct json_out *out = ctx;
    json_open(out, NULL, '{');
    resident_put_profile(out, resident);
    json_close(out, '}');
}

enum err admin_export_residents(struct call *call, struct why *why)
{
    struct json_out out = call_json(call);
    http_add_header(call->x, "Content-Disposition", STR("attachment; filename=\"residents.json\""));
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    json_open(&out, NULL, '[');
    enum err err = residents_list(call->db, 0, INT64_MAX, put_exported, &out, why);
    json_close(&out, ']');
    return err;
}

/* --- new ones --- */

static enum err reply_resident(struct call *call, struct user_id id, struct why *why)
{
    struct resident resident;
    enum err err = residents_load(call->db, call->arena, id, &resident, why);
    if (err) return err;
    struct json_out out = call_json(call);
    put_resident(&out, &resident);
    return OK;
}

enum err admin_post_resident(struct call *call, struct why *why)
{
    struct newcomer newcomer;
    struct newcomers newcomers = {.list = &newcomer, .count = 1};
    enum err err = input_json(call, why);
    if (!err) err = newcomer_read(call->arena, call->body, &newcomer, why);
    if (err) return err;
    if (newcomer.avatar_path.len == 0) newcomer.avatar_path = (struct str){0};
    if (newcomer.avatar_path.at)
        err = picture_path_check("avatar_path", newcomer.avatar_path,
                                 call->api->settings->upload_dir, why);
    if (!err) err = newcomers_add(&call->act, &newcomers, why);
    return err ? err : reply_resident(call, newcomer.id, why);
}

static enum err apply_import(void *ctx, struct act *act, struct why *why)
{
    return newcomers_add(act, ctx, why);
}

/* A list is no object, so input_json() would not take it. */
static enum err read_import(struct call *call, struct newcomers *newcomers, struct why *why)
{
    struct str text = buf_str(&call->x->body);
    struct why inner;
    size_t at = 0, line = 1;
    if (json_parse(text, &call->body, &at, &inner) == OK)
        return newcomers_read(call->arena, call->body, newcomers, why);
    for (size_t i = 0; i < at && i < text.len; i++) line += text.at[i] == '\n';
    return why_field(why, "body", text.len == 0 ? "missing" : "json_invalid", "line %zu: %s", line,
                     inner.text);
}

enum err admin_import_residents(struct call *call, struct why *why)
{
    struct newcomers newcomers;
    enum err err = read_import(call, &newcomers, why);
    if (!err && newcomers.count > 0) err = call_write(call, apply_import, &newcomers, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "added", newcomers.count);
    json_close(&out, '}');
    return OK;
}

/* --- changes --- */

enum err admin_put_resident(struct call *call, struct why *why)
{
    struct resident resident;
    struct user_id id = {input_path_id(call, 0, "user_id")};
    enum err err = input_json(call, why);
    if (!err) err = input_check(call, why);
    if (!err)
        err = resident_change(&call->act, id, call->body, call->api->settings->upload_dir,
                              &resident, why);
    if (err) return err;
    struct json_out out = call_json(call);
    put_resident(&out, &resident);
    return OK;
}
