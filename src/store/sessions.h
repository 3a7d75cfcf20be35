/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/sessions.h: log-ins. An access token names its session; a session that
 * is revoked or gone makes every token of it void. Refresh tokens rotate: the
 * row keeps the hash of the valid one and of the one before it, and whoever
 * shows the one before has a stolen copy (or the thief has ours).
 */
#pragma once

#include "store/users.h"

struct session_id {
    uint64_t value;
};

struct session_draft {
    struct user_id user;
    struct str refresh_hash; /* .at NULL: a log-in that cannot be refreshed */
    struct str client, address;
    int64_t created_us, expires_us;
};
MUST_USE enum err sessions_add(struct db *db, const struct session_draft *draft,
                               struct session_id *id_out, struct why *why);

struct session {
    struct session_id id;
    struct user_id user;
    int64_t created_us, used_us, expires_us;
    bool revoked;
    struct str client, address;
};
/* ERR_NOT_FOUND. Only `user`, `revoked` and `expires_us` are filled in. */
MUST_USE enum err sessions_load_state(struct db *db, struct session_id id,
                                      struct session *session_out, struct why *why);
/*
 * Who has this refresh token. `*reused_out`: it is the one before the valid one.
 * ERR_NOT_FOUND: nobody's. Inside the transaction that rotates it.
 */
MUST_USE enum err sessions_find_refresh(struct db *db, struct str hash, struct session *session_out,
                                        bool *reused_out, struct why *why);
MUST_USE enum err sessions_rotate(struct db *db, struct session_id id, struct str new_hash,
                                  int64_t now_us, int64_t expires_us, struct why *why);
MUST_USE enum err sessions_revoke(struct db *db, struct session_id id, int64_t now_us,
                                  struct why *why);
/* All of a member's, but `keep` (0: none is kept). */
MUST_USE enum err sessions_revoke_all(struct db *db, struct user_id user, struct session_id keep,
                                      int64_t now_us, struct why *why);

typedef void session_each(void *ctx, const struct session *session);
/* The valid ones, newest first. */
MUST_USE enum err sessions_list(struct db *db, struct user_id user, int64_t now_us,
                                session_each *each, void *ctx, struct why *why);
MUST_USE enum err sessions_purge(struct db *db, int64_t expired_before_us, struct why *why);
