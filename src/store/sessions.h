/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/sessions.h: log-ins. An access token names its session; a session that
 * is revoked or gone makes every token of it void.
 *
 * Refresh tokens rotate, and all those of a session begin with the same secret,
 * its family. The row keeps hashes: of the family, of the rest of the valid
 * token, and of the rest of the one before. So a token that was replaced long
 * ago still finds its session, and whoever shows it has a stolen copy (or the
 * thief has gone on with ours).
 */
#pragma once

#include "store/users.h"

struct session_id {
    uint64_t value;
};

struct session_draft {
    struct user_id user;
    struct str family_hash, refresh_hash; /* .at NULL, both: a log-in that cannot be refreshed */
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
enum refresh_match {
    REFRESH_CURRENT,  /* the valid one */
    REFRESH_PREVIOUS, /* the one that it replaced */
    REFRESH_OTHER     /* of this family, and neither of the two */
};
/*
 * Whose refresh token this is, and which of theirs. ERR_NOT_FOUND: a family of
 * nobody's. `client` and `address` are not filled in. Inside the transaction
 * that rotates it.
 */
MUST_USE enum err sessions_find_refresh(struct db *db, struct str family_hash,
                                        struct str refresh_hash, struct session *session_out,
                                        enum refresh_match *match_out, struct why *why);
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
