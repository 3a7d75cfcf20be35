/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/follows.h"

enum err follows_set(struct db *db, struct user_id follower, struct user_id followed, bool follows,
                     int64_t now_us, bool *changed_out, struct why *why)
{
    *changed_out = false;
    struct query *q = db_query(db, follows ? SQL_FOLLOW_ADD : SQL_FOLLOW_REMOVE);
    query_u64(q, follower.value);
    query_u64(q, followed.value);
    if (follows) query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (err == ERR_CONFLICT) return OK; /* MariaDB's way of saying: followed already */
    if (err) return err;
    *changed_out = db_changes(db) > 0;
    return OK;
}

enum err follows_load_tally(struct db *db, struct user_id user, struct user_id viewer,
                            struct follow_tally *out, struct why *why)
{
    *out = (struct follow_tally){0};
    struct query *q = db_query(db, SQL_FOLLOW_TALLY);
    query_u64(q, user.value);
    query_u64(q, user.value);
    query_u64(q, viewer.value);
    query_u64(q, user.value);
    if (query_next(q)) {
        *out = (struct follow_tally){.followers_count = query_get_u64(q, 0),
                                     .following_count = query_get_u64(q, 1),
                                     .following = query_get_i64(q, 2) != 0};
    }
    return query_end(q, why);
}

enum err follows_list(struct db *db, const struct follows_query *query, follow_each *each,
                      void *ctx, struct why *why)
{
    struct query *q = db_query(db, query->followers ? SQL_FOLLOWERS : SQL_FOLLOWING);
    query_u64(q, query->user.value);
    query_i64(q, query->before ? (int64_t)query->before : INT64_MAX);
    query_u64(q, query->limit);
    while (query_next(q)) {
        struct follow follow = {.id = query_get_u64(q, 0),
                                .created_us = query_get_i64(q, 1),
                                .user = user_brief_read(q, 2)};
        each(ctx, &follow);
    }
    return query_end(q, why);
}
