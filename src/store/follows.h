/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/follows.h: who follows whom.
 *
 * A set of (follower, followed). Numbers of followers are counted by an index
 * whenever somebody asks, so they stay exact also when an account goes and its
 * follows with it; ten thousand of them take SQLite just under a millisecond.
 * Conventions as in store/users.h.
 */
#pragma once

#include "store/users.h"

/* True in *changed_out: it was not so before. ERR_INVALID: one of the two is not there, or both are
 * the same. */
MUST_USE enum err follows_set(struct db *db, struct user_id follower, struct user_id followed,
                              bool follows, int64_t now_us, bool *changed_out, struct why *why);

/* What stands beside a member's profile. */
struct follow_tally {
    uint64_t followers_count, following_count; /* who follow it, and whom it follows */
    bool following;                            /* the viewer that was asked for follows it */
};
/* Of somebody who is not there: zeros. `viewer` 0: nobody, who follows nobody. */
MUST_USE enum err follows_load_tally(struct db *db, struct user_id user, struct user_id viewer,
                                     struct follow_tally *out, struct why *why);

struct follow {
    uint64_t id; /* where the list goes on */
    int64_t created_us;
    struct user_brief user; /* the other one */
};
typedef void follow_each(void *ctx, const struct follow *follow);
struct follows_query {
    struct user_id user;
    bool followers;  /* who follows `user`; false: whom it follows */
    uint64_t before; /* 0: from the newest */
    uint64_t limit;
};
/* The newest first. */
MUST_USE enum err follows_list(struct db *db, const struct follows_query *query, follow_each *each,
                               void *ctx, struct why *why);
