/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/follows.c: /users/{user_id}/follow, /followers and /following. */
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "community/follow.h"
#include "community/shapes.h"

/* --- oneself and somebody --- */

static enum err set(struct call *call, bool follows, struct why *why)
{
    struct user_id id = {input_path_id(call, 0, "user_id")};
    struct follow_tally tally;
    enum err err = input_check(call, why);
    if (!err) err = follow_set(&call->act, id, follows, &tally, why);
    if (err) return err;
    struct json_out out = call_json(call);
    shape_tally(&out, NULL, &tally);
    return OK;
}

enum err follows_put(struct call *call, struct why *why)
{
    return set(call, true, why);
}

enum err follows_delete(struct call *call, struct why *why)
{
    return set(call, false, why);
}

enum err follows_get(struct call *call, struct why *why)
{
    struct user_id id = {input_path_id(call, 0, "user_id")};
    struct user user;
    struct follow_tally tally;
    enum err err = input_check(call, why);
    if (!err) err = users_load(call->db, call->arena, id, &user, why);
    if (!err) err = follows_load_tally(call->db, id, call->who.user, &tally, why);
    if (err) return err;
    struct json_out out = call_json(call);
    shape_tally(&out, NULL, &tally);
    return OK;
}

/* --- lists --- */

struct follow_page {
    struct json_out out;
    uint64_t last_id, count;
};

static void put_follow(void *ctx, const struct follow *follow)
{
    struct follow_page *page = ctx;
    json_open(&page->out, NULL, '{');
    shape_user_brief(&page->out, "user", &follow->user);
    json_put_time(&page->out, "followed_at", follow->created_us);
    json_close(&page->out, '}');
    page->last_id = follow->id;
    page->count++;
}

static enum err list(struct call *call, bool followers, struct why *why)
{
    struct follows_query query = {
        .user = {input_path_id(call, 0, "user_id")},
        .followers = followers,
        .before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX),
        .limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE),
    };
    struct user user;
    struct follow_tally tally;
    enum err err = input_check(call, why);
    if (!err) err = users_load(call->db, call->arena, query.user, &user, why);
    if (!err) err = follows_load_tally(call->db, query.user, call->who.user, &tally, why);
    if (err) return err;
    struct follow_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = follows_list(call->db, &query, put_follow, &page, why);
    json_close(&page.out, ']');
    json_put_u64(&page.out, "total", followers ? tally.followers_count : tally.following_count);
    shape_cursor(&page.out, "next_before", page.count == query.limit, page.last_id);
    json_close(&page.out, '}');
    return err;
}

enum err follows_get_followers(struct call *call, struct why *why)
{
    return list(call, true, why);
}

enum err follows_get_following(struct call *call, struct why *why)
{
    return list(call, false, why);
}
