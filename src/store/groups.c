/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/groups.h"

/* The columns SQL_GROUP_LOAD and SQL_GROUPS_OF_USER share; texts are the row's. */
static struct group read_group(struct query *q)
{
    return (struct group){.id = {query_get_u64(q, 0)},
                          .name = query_get_str(q, 1),
                          .type = query_get_str(q, 2),
                          .owner = {query_get_u64(q, 3)},
                          .created_us = query_get_i64(q, 4),
                          .messages_count = query_get_u64(q, 5),
                          .unread_count = query_get_u64(q, 6),
                          .members_count = query_get_u64(q, 7),
                          .read_id = query_get_u64(q, 8),
                          .last_id = {query_get_u64(q, 9)},
                          .last_content = query_get_str(q, 10),
                          .last_created_us = query_get_i64(q, 11),
                          .last_sender = {query_get_u64(q, 12)}};
}

enum err groups_add(struct db *db, struct str name, struct str type, struct user_id owner,
                    int64_t now_us, struct group_id *id_out, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_ADD);
    query_str(q, name);
    query_str(q, type);
    query_u64(q, owner.value);
    query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (!err) id_out->value = db_last_id(db);
    return err;
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "群聊不存在 (no such group, or you are not in it)");
}

enum err groups_lock(struct db *db, struct group_id id, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_LOCK);
    query_u64(q, id.value);
    bool found = query_next(q);
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err groups_load(struct db *db, struct arena *arena, struct group_id id, struct user_id member,
                     struct group *group_out, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_LOAD);
    query_u64(q, member.value);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *group_out = read_group(q);
        group_out->name = arena_copy(arena, group_out->name);
        group_out->type = arena_copy(arena, group_out->type);
        group_out->last_content = arena_copy(arena, group_out->last_content);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err groups_list(struct db *db, struct user_id member, uint64_t after, uint64_t limit,
                     group_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUPS_OF_USER);
    query_u64(q, member.value);
    query_u64(q, after);
    query_u64(q, limit);
    while (query_next(q)) {
        struct group group = read_group(q);
        each(ctx, &group);
    }
    return query_end(q, why);
}

enum err groups_rename(struct db *db, struct group_id id, struct str name, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_RENAME);
    query_str(q, name);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err groups_set_owner(struct db *db, struct group_id id, struct user_id owner, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_SET_OWNER);
    query_u64(q, owner.value);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err groups_remove(struct db *db, struct group_id id, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_DELETE);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err groups_add_member(struct db *db, struct group_id id, struct user_id user, int64_t now_us,
                           struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_MEMBER_ADD);
    query_u64(q, user.value);
    query_i64(q, now_us);
    query_u64(q, id.value);
    enum err err = query_run(q, why);
    if (err) return err;
    return db_changes(db) == 0 ? not_found(why) : OK;
}

enum err groups_remove_member(struct db *db, struct group_id id, struct user_id user,
                              bool *was_member_out, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_MEMBER_REMOVE);
    query_u64(q, id.value);
    query_u64(q, user.value);
    enum err err = query_run(q, why);
    *was_member_out = !err && db_changes(db) > 0;
    return err;
}

enum err groups_is_member(struct db *db, struct group_id id, struct user_id user, bool *member_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_IS_MEMBER);
    query_u64(q, id.value);
    query_u64(q, user.value);
    *member_out = query_next(q);
    return query_end(q, why);
}

enum err groups_first_member(struct db *db, struct group_id id, struct user_id *user_out,
                             struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_FIRST_MEMBER);
    query_u64(q, id.value);
    query_u64(q, id.value);
    user_out->value = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err groups_members(struct db *db, struct group_id id, uint64_t limit, group_member_each *each,
                        void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_MEMBERS);
    query_u64(q, id.value);
    query_u64(q, limit);
    while (query_next(q)) {
        struct group_member member = {.user = user_brief_read(q, 0),
                                      .joined_us = query_get_i64(q, 5),
                                      .read_id = query_get_u64(q, 6)};
        each(ctx, &member);
    }
    return query_end(q, why);
}

enum err groups_count_members(struct db *db, struct group_id id, uint64_t *count_out,
                              struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_MEMBER_COUNT);
    query_u64(q, id.value);
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err groups_read(struct db *db, struct group_id id, struct user_id member, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_READ);
    query_u64(q, id.value);
    query_u64(q, member.value);
    return query_run(q, why);
}
