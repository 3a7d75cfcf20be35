/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/leaving.h: what a member leaves behind, a few rows at a time.
 *
 * The foreign keys would take all of it along with the account at once. What
 * is counted elsewhere, what others are told of and what may be a hundred
 * thousand rows is taken away before, in steps that are short for the writer;
 * community/leaving.h says in which order. Conventions as in store/users.h.
 */
#pragma once

#include "store/users.h"

enum belonging {
    BELONGING_KEY, /* for programs, not revoked */
    BELONGING_POST,
    BELONGING_COMMENT,  /* its post beside it */
    BELONGING_LIKE,     /* the post */
    BELONGING_PARTNER,  /* of a private conversation */
    BELONGING_SAID,     /* a message in a group */
    BELONGING_IN_GROUP, /* the group */
    BELONGING_CHAT,
    BELONGING_COUNT
};
enum { BELONGINGS_MAX = 200 };
struct belongings {
    size_t count;
    uint64_t ids[BELONGINGS_MAX], beside[BELONGINGS_MAX];
};
/* The first `limit` (at most BELONGINGS_MAX) that are left. */
MUST_USE enum err belongings_list(struct db *db, struct user_id user, enum belonging which,
                                  size_t limit, struct belongings *out, struct why *why);

enum { LETTERS_MAX = 500 };
/* Up to LETTERS_MAX messages of a private conversation, of both sides, and which they were;
 * `*removed_out` less than that: there are no more, and the conversation is gone from both lists.
 */
MUST_USE enum err leaving_remove_letters(struct db *db, struct user_id user, struct user_id partner,
                                         uint64_t ids[LETTERS_MAX], size_t *removed_out,
                                         struct why *why);

/* Up to `limit` rows of what was lived in the town: the action log and memories of a resident, and
 * their name in those of others. `*removed_out` 0: there are no more. */
MUST_USE enum err leaving_forget_life(struct db *db, struct user_id user, size_t limit,
                                      size_t *removed_out, struct why *why);

/* The account, and what hangs on it still. */
MUST_USE enum err users_remove(struct db *db, const struct user *user, struct why *why);
