/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/residents.h"

/* A row of RESIDENT_COLUMNS; texts are the row's. */
static struct resident read_resident(struct query *q)
{
    bool banned = !query_is_null(q, 7);
    return (struct resident){.brief = user_brief_read(q, 0),
                             .bio = query_get_str(q, 5),
                             .personality = query_get_str(q, 6),
                             .banned = banned,
                             .in_town = !query_is_null(q, 8) && !banned,
                             .wiki = query_get_u64(q, 9),
                             .wiki_name = query_get_str(q, 10)};
}

enum err residents_list(struct db *db, uint64_t after, uint64_t limit, resident_each *each,
                        void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_RESIDENTS_LIST);
    query_u64(q, after);
    query_u64(q, limit);
    while (query_next(q)) {
        struct resident resident = read_resident(q);
        each(ctx, &resident);
    }
    return query_end(q, why);
}

struct resident resident_copy(struct arena *arena, const struct resident *resident)
{
    struct resident copy = *resident;
    user_brief_keep(arena, &copy.brief);
    copy.bio = arena_keep(arena, copy.bio);
    copy.personality = arena_keep(arena, copy.personality);
    copy.wiki_name = arena_keep(arena, copy.wiki_name);
    return copy;
}

enum err residents_load(struct db *db, struct arena *arena, struct user_id id,
                        struct resident *resident_out, struct why *why)
{
    struct query *q = db_query(db, SQL_RESIDENT_LOAD);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        struct resident resident = read_resident(q);
        *resident_out = resident_copy(arena, &resident);
    }
    enum err err = query_end(q, why);
    if (err || found) return err;
    return why_set(why, ERR_NOT_FOUND, "居民不存在 (no such resident)");
}

enum err residents_set_personality(struct db *db, struct user_id id, struct str personality,
                                   struct why *why)
{
    struct query *q = db_query(db, SQL_RESIDENT_SET_PERSONALITY);
    query_str(q, personality);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err residents_set_wiki(struct db *db, struct user_id id, uint64_t wiki, struct why *why)
{
    struct query *q = db_query(db, SQL_RESIDENT_SET_WIKI);
    query_id(q, wiki);
    query_u64(q, id.value);
    return query_run(q, why);
}
