/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/groups.c: /groups: group chats and who is in them. Their messages are in api/messages.c. */
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "community/letters.h"
#include "community/shapes.h"

static void put_group(void *ctx, const struct group *group)
{
    shape_group(ctx, NULL, group);
}

enum err groups_get_list(struct call *call, struct why *why)
{
    uint64_t after = (uint64_t)input_query_int(call, "after", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE);
    enum err err = input_check(call, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    err = groups_list(call->db, call->who.user, after, limit, put_group, &out, why);
    json_close(&out, ']');
    json_close(&out, '}');
    return err;
}

static size_t read_members(struct call *call, uint64_t *ids, size_t max)
{
    const struct json *list = json_get(call->body, "members");
    size_t count = 0;
    if (list == NULL || json_kind(list) == JSON_NULL) return 0;
    if (json_kind(list) != JSON_ARRAY) {
        input_fault(call, "body", "members", "list_type", "members must be a list of ids");
        return 0;
    }
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        if (count == max) {
            input_fault(call, "body", "members", "too_long", "at most %zu members at once", max);
            return 0;
        }
        if (!json_as_u64(at, &ids[count++])) {
            input_fault(call, "body", "members", "int_type", "members must be a list of ids");
            return 0;
        }
    }
    return count;
}

static void reply_group(struct call *call, const struct group *group)
{
    struct json_out out = call_json(call);
    put_group(&out, group);
}

enum err groups_post(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str name = input_str(call, "name", true);
    uint64_t members[100];
    size_t count = read_members(call, members, COUNT_OF(members));
    struct group group;
    err = input_check(call, why);
    if (!err) err = groups_create(&call->act, name, members, count, &group, why);
    if (!err) reply_group(call, &group);
    return err;
}

static void put_member(void *ctx, const struct group_member *member)
{
    struct json_out *out = ctx;
    json_open(out, NULL, '{');
    shape_user_brief(out, "user", &member->user);
    json_put_time(out, "joined_at", member->joined_us);
    json_put_u64(out, "read_id", member->read_id);
    json_close(out, '}');
}

enum err groups_get_one(struct call *call, struct why *why)
{
    struct group_id id = {input_path_id(call, 0, "group_id")};
    struct group group;
    enum err err = input_check(call, why);
    if (!err) err = groups_load(call->db, call->arena, id, call->who.user, &group, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    shape_group(&out, "group", &group);
    json_open(&out, "members", '[');
    err = groups_members(call->db, id, LIMIT_GROUP_MEMBERS, put_member, &out, why);
    json_close(&out, ']');
    json_close(&out, '}');
    return err;
}

enum err groups_put(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct group_id id = {input_path_id(call, 0, "group_id")};
    struct str name = input_str(call, "name", true);
    struct group group;
    err = input_check(call, why);
    if (!err) err = groups_set_name(&call->act, id, name, &group, why);
    if (!err) reply_group(call, &group);
    return err;
}

enum err groups_post_member(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct group_id id = {input_path_id(call, 0, "group_id")};
    struct user_id user = {0};
    if (!json_as_u64(json_get(call->body, "user_id"), &user.value)) {
        input_fault(call, "body", "user_id", "int_type", "user_id must be the id of a member");
    }
    err = input_check(call, why);
    if (!err) err = groups_invite(&call->act, id, user, why);
    if (!err) call_no_content(call);
    return err;
}

enum err groups_delete_member(struct call *call, struct why *why)
{
    struct group_id id = {input_path_id(call, 0, "group_id")};
    struct user_id user = {input_path_id(call, 1, "user_id")};
    enum err err = input_check(call, why);
    if (!err) err = groups_remove_from(&call->act, id, user, why);
    if (!err) call_no_content(call);
    return err;
}

enum err groups_post_read(struct call *call, struct why *why)
{
    struct group_id id = {input_path_id(call, 0, "group_id")};
    enum err err = input_check(call, why);
    if (!err) err = groups_mark_read(&call->act, id, why);
    if (!err) call_no_content(call);
    return err;
}
