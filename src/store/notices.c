/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/notices.h"

/* Is there a town to tell? */
static enum err concerns_town(struct db *db, enum sql which, uint64_t what, struct user_id actor,
                              bool *concerns_out, struct why *why)
{
    struct query *q = db_query(db, which);
    query_u64(q, what);
    query_u64(q, actor.value);
    *concerns_out = query_next(q) && query_get_i64(q, 0) != 0;
    return query_end(q, why);
}

static enum err add(struct db *db, struct user_id actor, struct user_id followed,
                    struct post_id post, struct why *why)
{
    struct query *q = db_query(db, SQL_NOTICE_ADD);
    query_u64(q, actor.value);
    query_id(q, followed.value);
    query_id(q, post.value);
    return query_run(q, why);
}

enum err town_notices_add_like(struct db *db, struct user_id actor, struct post_id post,
                               struct why *why)
{
    bool concerns;
    enum err err = concerns_town(db, SQL_NOTICE_OF_POST, post.value, actor, &concerns, why);
    return err || !concerns ? err : add(db, actor, (struct user_id){0}, post, why);
}

enum err town_notices_add_follow(struct db *db, struct user_id actor, struct user_id followed,
                                 struct why *why)
{
    bool concerns;
    enum err err = concerns_town(db, SQL_NOTICE_OF_USER, followed.value, actor, &concerns, why);
    return err || !concerns ? err : add(db, actor, followed, (struct post_id){0}, why);
}

enum err town_notices_list(struct db *db, struct town_id town, uint64_t limit,
                           town_notice_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_NOTICES_UNTOLD);
    query_u64(q, town.value);
    query_u64(q, town.value);
    query_u64(q, limit);
    while (query_next(q)) {
        bool is_follow = !query_is_null(q, 2);
        each(ctx, &(struct town_notice){.id = query_get_u64(q, 0),
                                        .actor = {query_get_u64(q, 1)},
                                        .is_follow = is_follow,
                                        .to = (uint32_t)query_get_u64(q, is_follow ? 2 : 3)});
    }
    return query_end(q, why);
}

enum err town_notices_mark(struct db *db, uint64_t id, struct why *why)
{
    struct query *q = db_query(db, SQL_NOTICE_TOLD);
    query_u64(q, id);
    return query_run(q, why);
}

enum err town_notices_clear(struct db *db, struct why *why)
{
    return query_run(db_query(db, SQL_NOTICES_CLEAR), why);
}
