/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/keys.h"

static void bind_limit(struct query *q, int64_t limit)
{
    if (limit > 0) {
        query_i64(q, limit);
    } else {
        query_null(q);
    }
}

enum err keys_add(struct db *db, const struct api_key *key, struct str hash, struct key_id *id_out,
                  struct why *why)
{
    ASSERT(hash.len == KEY_HASH_BYTES);
    struct query *q = db_query(db, SQL_KEY_ADD);
    query_u64(q, key->user.value);
    query_str(q, key->name);
    query_bytes(q, hash);
    query_str(q, key->last_four);
    bind_limit(q, key->requests_per_minute);
    bind_limit(q, key->tokens_per_day);
    query_str(q, key->models);
    query_i64(q, key->created_us);
    enum err err = query_run(q, why);
    if (!err) id_out->value = db_last_id(db);
    return err;
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "no such key");
}

/* A row of KEY_COLUMNS; texts are good until the next. */
static struct api_key read_row(struct query *q)
{
    return (struct api_key){.id = {query_get_u64(q, 0)},
                            .user = {query_get_u64(q, 1)},
                            .name = query_get_str(q, 2),
                            .last_four = query_get_str(q, 3),
                            .requests_per_minute = query_get_i64(q, 4),
                            .tokens_per_day = query_get_i64(q, 5),
                            .models = query_get_str(q, 6),
                            .created_us = query_get_i64(q, 7),
                            .used_us = query_get_i64(q, 8)};
}

enum err keys_load(struct db *db, struct arena *arena, struct user_id user, struct key_id id,
                   struct api_key *key_out, struct why *why)
{
    struct query *q = db_query(db, SQL_KEY_LOAD);
    query_u64(q, id.value);
    query_u64(q, user.value);
    bool found = query_next(q);
    if (found) {
        *key_out = read_row(q);
        key_out->name = arena_keep(arena, key_out->name);
        key_out->last_four = arena_keep(arena, key_out->last_four);
        key_out->models = arena_keep(arena, key_out->models);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err keys_find(struct db *db, struct arena *arena, struct str hash, struct api_key *key_out,
                   struct why *why)
{
    struct query *q = db_query(db, SQL_KEY_BY_HASH);
    query_bytes(q, hash);
    bool found = query_next(q);
    if (found) {
        *key_out = (struct api_key){.id = {query_get_u64(q, 0)},
                                    .user = {query_get_u64(q, 1)},
                                    .requests_per_minute = query_get_i64(q, 2),
                                    .tokens_per_day = query_get_i64(q, 3),
                                    .models = arena_keep(arena, query_get_str(q, 4))};
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err keys_count(struct db *db, struct user_id user, uint64_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_KEYS_COUNT);
    query_u64(q, user.value);
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err keys_change(struct db *db, const struct api_key *key, struct why *why)
{
    struct query *q = db_query(db, SQL_KEY_CHANGE);
    query_str(q, key->name);
    bind_limit(q, key->requests_per_minute);
    bind_limit(q, key->tokens_per_day);
    query_str(q, key->models);
    query_u64(q, key->id.value);
    return query_run(q, why);
}

enum err keys_revoke(struct db *db, struct user_id user, struct key_id id, int64_t now_us,
                     struct why *why)
{
    struct query *q = db_query(db, SQL_KEY_REVOKE);
    query_i64(q, now_us);
    query_u64(q, id.value);
    query_u64(q, user.value);
    enum err err = query_run(q, why);
    if (!err && db_changes(db) == 0) return not_found(why);
    return err;
}

enum err keys_set_used(struct db *db, struct key_id id, int64_t used_us, struct why *why)
{
    struct query *q = db_query(db, SQL_KEY_USED);
    query_i64(q, used_us);
    query_u64(q, id.value);
    query_i64(q, used_us);
    return query_run(q, why);
}

enum err keys_list(struct db *db, struct user_id user, key_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_KEYS_OF_USER);
    query_u64(q, user.value);
    while (query_next(q)) {
        struct api_key key = read_row(q);
        each(ctx, &key);
    }
    return query_end(q, why);
}
