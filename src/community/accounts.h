/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/accounts.h: who may come in: accounts, log-ins, roles.
 *
 * Hashing passwords is not done here: it is slow, and these run inside a
 * transaction. Conventions as in community/talk.h. What ends log-ins also ends
 * open sockets, through the hub.
 */
#pragma once

#include "community/act.h"
#include "store/sessions.h"

struct account_draft {
    struct str username, nickname; /* checked here */
    struct str password_hash;      /* .at NULL: can't log in */
    struct str bio, avatar_path, personality;
    bool is_ai;
    enum role role;
};
/* ERR_CONFLICT: the name is taken. ERR_INVALID with the field. */
MUST_USE enum err accounts_create(struct act *act, const struct account_draft *draft,
                                  struct user *user_out, struct why *why);

struct login {
    struct user_id user;
    bool refreshable;
    int64_t refresh_us; /* how long it may be refreshed */
    int64_t token_us;   /* how long its first access token lives */
    struct str client, address;
    struct str new_password_hash; /* .at NULL: keep the old one */
};
/* `refresh_out`: REFRESH_TEXT_BYTES, filled when refreshable. */
MUST_USE enum err accounts_log_in(struct act *act, const struct login *login,
                                  struct session_id *session_out, char *refresh_out,
                                  struct why *why);

enum refreshed {
    REFRESHED,
    REFRESH_UNKNOWN, /* never ours, expired, or logged out */
    REFRESH_RACED,   /* replaced a moment ago: another tab was quicker */
    REFRESH_STOLEN   /* any older one came back: the log-in and its sockets have been ended */
};
/*
 * OK whatever the outcome: also ending a stolen log-in must be stored. Whose it
 * was stands in `*session_out` unless REFRESH_UNKNOWN. `refresh_out` as above,
 * filled when REFRESHED.
 */
MUST_USE enum err accounts_refresh(struct act *act, struct str refresh, int64_t refresh_us,
                                   enum refreshed *outcome_out, struct session *session_out,
                                   char *refresh_out, struct why *why);

/* End this log-in; session 0 (a token of the older system, which belongs to none): all of them. */
MUST_USE enum err accounts_log_out(struct act *act, uint64_t session, struct why *why);
/* One of one's own. ERR_NOT_FOUND. */
MUST_USE enum err accounts_end_session(struct act *act, uint64_t session, struct why *why);
/* Everywhere, but for `keep` (0: nowhere). */
MUST_USE enum err accounts_log_out_everywhere(struct act *act, uint64_t keep, struct why *why);
/* Also ends the other log-ins. */
MUST_USE enum err accounts_set_password(struct act *act, struct str hash, uint64_t keep,
                                        struct why *why);

/* .at NULL keeps what is there. */
struct profile_change {
    struct str nickname, avatar_path, bio;
    struct str upload_dir; /* where a new picture must be; the old one stays whatever it is */
    bool clear_avatar;
};
MUST_USE enum err accounts_set_profile(struct act *act, const struct profile_change *change,
                                       struct user *user_out, struct why *why);

/* ERR_CONFLICT: nobody would be left who is an administrator. As it is already: fine, and no note.
 */
MUST_USE enum err accounts_set_role(struct act *act, struct user_id user, enum role role,
                                    struct why *why);
/* ERR_DENIED: oneself, an administrator, or, for a moderator, another one. As it is already: fine.
 */
MUST_USE enum err accounts_set_banned(struct act *act, struct user_id user, bool banned,
                                      struct why *why);
