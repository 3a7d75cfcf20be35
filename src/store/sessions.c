/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/sessions.h"

enum err sessions_add(struct db *db, const struct session_draft *draft, struct session_id *id_out,
                      struct why *why)
{
    struct query *q = db_query(db, SQL_SESSION_ADD);
    query_u64(q, draft->user.value);
    if (draft->refresh_hash.at) {
        query_bytes(q, draft->refresh_hash);
    } else {
        query_null(q);
    }
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

static enum err find_hash(struct db *db, enum sql which, struct str hash, struct session *session,
                          bool *found_out, struct why *why)
{
    struct query *q = db_query(db, which);
    query_bytes(q, hash);
    *found_out = query_next(q);
    if (*found_out) {
        *session = (struct session){.id = {query_get_u64(q, 0)},
                                    .user = {query_get_u64(q, 1)},
                                    .revoked = !query_is_null(q, 3)};
        int64_t when = query_get_i64(q, 2);
        *(which == SQL_SESSION_BY_REFRESH ? &session->expires_us : &session->used_us) = when;
    }
    return query_end(q, why);
}

enum err sessions_find_refresh(struct db *db, struct str hash, struct session *session_out,
                               bool *reused_out, struct why *why)
{
    bool found;
    *reused_out = false;
    enum err err = find_hash(db, SQL_SESSION_BY_REFRESH, hash, session_out, &found, why);
    if (err || found) return err;
    err = find_hash(db, SQL_SESSION_BY_PREVIOUS, hash, session_out, reused_out, why);
    if (err) return err;
    return *reused_out ? OK : not_found(why);
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
