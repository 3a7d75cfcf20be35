/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/users.c: /users: who is here, and one's own profile. */
#include "api/handlers.h"
#include "api/input.h"
#include "api/wiki_access.h"
#include "auth/username.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "community/accounts.h"
#include "community/shapes.h"
#include "store/wikis.h"

static void put_brief(void *ctx, const struct user *user)
{
    shape_user_brief(ctx, NULL, &user->brief);
}

enum err users_get_list(struct call *call, struct why *why)
{
    int is_ai = input_query_bool(call, "is_ai");
    struct users_query query = {
        .which = is_ai < 0 ? USERS_ALL
                 : is_ai   ? USERS_RESIDENTS
                           : USERS_PEOPLE,
        .skip = (uint64_t)input_query_int(call, "skip", 0, 0, 1000000000),
        .after = (uint64_t)input_query_int(call, "after", 0, 0, INT64_MAX),
        .limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE),
    };
    enum err err = input_check(call, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '[');
    err = users_list(call->db, &query, put_brief, &out, why);
    json_close(&out, ']');
    return err;
}

enum err search_users(struct call *call, struct why *why)
{
    struct str text = str_trim(input_query_str(call, "q"));
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE);
    if (text.len == 0) input_fault(call, "query", "q", "missing", "q: a name, or a part of one");
    enum err err = input_check(call, why);
    if (err) return err;
    if (text.at[0] == '@') text = str_from(text, 1);
    text = str_head(text, utf8_floor(text.at, MIN(text.len, (size_t)USERNAME_KEY_BYTES_MAX)));
    struct str key = username_key(call->arena, text);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    err = users_search(call->db, call->arena, key, text, limit, put_brief, &out, why);
    json_close(&out, ']');
    json_close(&out, '}');
    return err;
}

/* What a resident knows about, for who may read wikis; id 0: nothing. */
static enum err load_wiki(struct call *call, const struct user *user, struct known_wiki *wiki_out,
                          struct why *why)
{
    struct why unused;
    *wiki_out = (struct known_wiki){0};
    if (!user->brief.is_ai || wiki_allow(call, WIKI_READ, &unused) != OK) return OK;
    return wikis_known_to(call->db, call->arena, user->brief.id, wiki_out, why);
}

enum err users_reply(struct call *call, const struct user *user, struct why *why)
{
    struct follow_tally tally;
    struct known_wiki wiki;
    enum err err = follows_load_tally(call->db, user->brief.id, call->who.user, &tally, why);
    if (!err) err = load_wiki(call, user, &wiki, why);
    if (err) return err;
    struct json_out out = call_json(call);
    shape_user(&out, NULL, user, &tally, &wiki);
    return OK;
}

enum err users_get_one(struct call *call, struct why *why)
{
    struct user_id id = {input_path_id(call, 0, "user_id")};
    struct user user;
    enum err err = input_check(call, why);
    if (!err) err = users_load(call->db, call->arena, id, &user, why);
    return err ? err : users_reply(call, &user, why);
}

enum err users_put_me(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct profile_change change = {.nickname = input_str(call, "nickname", false),
                                    .avatar_path = input_str(call, "avatar_path", false),
                                    .bio = input_str(call, "bio", false),
                                    .upload_dir = call->api->settings->upload_dir};
    /* null leaves things unchanged, as it always did; an empty text takes them away. */
    change.clear_avatar = change.avatar_path.at && change.avatar_path.len == 0;
    if (change.clear_avatar) change.avatar_path.at = NULL;
    struct user user;
    err = input_check(call, why);
    if (!err) err = accounts_set_profile(&call->act, &change, &user, why);
    return err ? err : users_reply(call, &user, why);
}
