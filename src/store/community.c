/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/community.h"

enum err community_load(struct db *db, struct arena *arena, struct community *out, struct why *why)
{
    struct query *q = db_query(db, SQL_COMMUNITY_LOAD);
    bool found = query_next(q);
    if (found) {
        *out = (struct community){.name = arena_copy(arena, query_get_str(q, 0)),
                                  .about = arena_copy(arena, query_get_str(q, 1)),
                                  .language = arena_keep(arena, query_get_str(q, 2)),
                                  .set_up_us = query_get_i64(q, 3)};
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_CORRUPT, "the table community has no row");
}

enum err community_lock(struct db *db, struct why *why)
{
    return query_run(db_query(db, SQL_COMMUNITY_LOCK), why);
}

enum err community_save(struct db *db, const struct community *community, struct why *why)
{
    struct query *q = db_query(db, SQL_COMMUNITY_SAVE);
    query_str(q, community->name);
    query_str(q, community->about);
    query_str(q, community->language);
    query_id(q, (uint64_t)community->set_up_us);
    return query_run(q, why);
}
