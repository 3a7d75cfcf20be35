/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/records.h"

enum err idempotent_load(struct db *db, struct arena *arena, struct user_id user, struct str key,
                         struct idempotent *out, struct why *why)
{
    struct query *q = db_query(db, SQL_IDEMPOTENT_LOAD);
    query_u64(q, user.value);
    query_str(q, key);
    bool found = query_next(q);
    if (found) {
        *out = (struct idempotent){.route = arena_copy(arena, query_get_str(q, 0)),
                                   .request = arena_copy(arena, query_get_str(q, 1)),
                                   .status = (int)query_get_i64(q, 2),
                                   .body = arena_copy(arena, query_get_str(q, 3)),
                                   .at_us = query_get_i64(q, 4)};
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "a new key");
}

enum err idempotent_save(struct db *db, struct user_id user, struct str key,
                         const struct idempotent *answer, int64_t expired_before_us,
                         struct why *why)
{
    struct query *q = db_query(db, SQL_IDEMPOTENT_REMOVE);
    query_u64(q, user.value);
    query_str(q, key);
    query_i64(q, expired_before_us);
    enum err err = query_run(q, why);
    if (err) return err;
    q = db_query(db, SQL_IDEMPOTENT_ADD);
    query_u64(q, user.value);
    query_str(q, key);
    query_str(q, answer->route);
    query_bytes(q, answer->request);
    query_i64(q, answer->status);
    query_str(q, answer->body);
    query_i64(q, answer->at_us);
    err = query_run(q, why);
    if (err != ERR_CONFLICT) return err;
    return why_set(why, ERR_BUSY, "the same request came twice at once");
}

enum err idempotent_purge(struct db *db, int64_t before_us, struct why *why)
{
    struct query *q = db_query(db, SQL_IDEMPOTENT_PURGE);
    query_i64(q, before_us);
    return query_run(q, why);
}

enum err locations_add(struct db *db, const struct location *place, struct why *why)
{
    struct query *q = db_query(db, SQL_PLACE_ADD);
    query_str(q, place->name);
    query_str(q, place->type);
    query_double(q, place->x);
    query_double(q, place->y);
    query_double(q, place->width);
    query_double(q, place->height);
    query_str(q, place->description);
    return query_run(q, why);
}

enum err locations_list(struct db *db, location_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_PLACES_ALL);
    while (query_next(q)) {
        struct location place = {.id = query_get_u64(q, 0),
                                 .name = query_get_str(q, 1),
                                 .type = query_get_str(q, 2),
                                 .x = query_get_double(q, 3),
                                 .y = query_get_double(q, 4),
                                 .width = query_get_double(q, 5),
                                 .height = query_get_double(q, 6),
                                 .description = query_get_str(q, 7)};
        each(ctx, &place);
    }
    return query_end(q, why);
}
