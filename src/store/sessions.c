/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/sessions.h"

static void bind_hash(struct query *q, struct str hash)
{
    if (hash.at) {
        query_bytes(q, hash);
    } else {
        query_null(q);
    }
}

enum err sessions_add(struct db *db, const struct session_draft *draft, struct session_id *id_out,
                      struct why *why)
{
    ASSERT((draft->family_hash.at == NULL) == (draft->refresh_hash.at == NULL));
    struct query *q = db_query(db, SQL_SESSION_ADD);
    query_u64(q, draft->user.value);
    bind_hash(q, draft->family_hash);
    bind_hash(q, draft->refresh_hash);
    query_i64(q, draft->created_us);
    query_i64(q, draft->created_us);
    query_i64(q, draft->expires_us);
    query_str(q, draft->client);
    query_str(q, draft->address);
    enum err err = query_run(q, why);
    if (!err) id_out->value = db_last_id(db);
    return err;
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "no such session");
}

enum err sessions_load_state(struct db *db, struct session_id id, struct session *session_out,
                             struct why *why)
{
    struct query *q = db_query(db, SQL_SESSION_STATE);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *session_out = (struct session){.id = id,
                                        .user = {query_get_u64(q, 0)},
                                        .revoked = !query_is_null(q, 1),
                                        .expires_us = query_get_i64(q, 2)};
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

static enum refresh_match match_of(struct query *q, struct str refresh_hash)
{
    if (str_eq(query_get_str(q, 5), refresh_hash)) return REFRESH_CURRENT;
    return str_eq(query_get_str(q, 6), refresh_hash) ? REFRESH_PREVIOUS : REFRESH_OTHER;
}

enum err sessions_find_refresh(struct db *db, struct str family_hash, struct str refresh_hash,
                               struct session *session_out, enum refresh_match *match_out,
                               struct why *why)
{
    ASSERT(refresh_hash.len > 0); /* or it would match the previous one of a new log-in */
    struct query *q = db_query(db, SQL_SESSION_BY_FAMILY);
    query_bytes(q, family_hash);
    bool found = query_next(q);
    if (found) {
        *session_out = (struct session){.id = {query_get_u64(q, 0)},
                                        .user = {query_get_u64(q, 1)},
                                        .used_us = query_get_i64(q, 2),
                                        .expires_us = query_get_i64(q, 3),
                                        .revoked = !query_is_null(q, 4)};
        *match_out = match_of(q, refresh_hash);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err sessions_rotate(struct db *db, struct session_id id, struct str new_hash, int64_t now_us,
                         int64_t expires_us, struct why *why)
{
    struct query *q = db_query(db, SQL_SESSION_ROTATE);
    query_bytes(q, new_hash);
    query_i64(q, now_us);
    query_i64(q, expires_us);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err sessions_revoke(struct db *db, struct session_id id, int64_t now_us, struct why *why)
{
    struct query *q = db_query(db, SQL_SESSION_REVOKE);
    query_i64(q, now_us);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err sessions_revoke_all(struct db *db, struct user_id user, struct session_id keep,
                             int64_t now_us, struct why *why)
{
    struct query *q =
        db_query(db, keep.value ? SQL_SESSIONS_REVOKE_OTHERS : SQL_SESSIONS_REVOKE_ALL);
    query_i64(q, now_us);
    query_u64(q, user.value);
    if (keep.value) query_u64(q, keep.value);
    return query_run(q, why);
}

enum err sessions_list(struct db *db, struct user_id user, int64_t now_us, session_each *each,
                       void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_SESSIONS_OF_USER);
    query_u64(q, user.value);
    query_i64(q, now_us);
    while (query_next(q)) {
        struct session session = {.id = {query_get_u64(q, 0)},
                                  .user = user,
                                  .created_us = query_get_i64(q, 1),
                                  .used_us = query_get_i64(q, 2),
                                  .expires_us = query_get_i64(q, 3),
                                  .client = query_get_str(q, 4),
                                  .address = query_get_str(q, 5)};
        each(ctx, &session);
    }
    return query_end(q, why);
}

enum err sessions_purge(struct db *db, int64_t expired_before_us, struct why *why)
{
    struct query *q = db_query(db, SQL_SESSIONS_PURGE);
    query_i64(q, expired_before_us);
    return query_run(q, why);
}
