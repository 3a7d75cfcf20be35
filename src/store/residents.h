/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/residents.h: the accounts that live in the town, with what only theirs have.
 *
 * Conventions as in store/users.h.
 */
#pragma once

#include "store/users.h"

struct resident {
    struct user_brief brief;
    struct str bio, personality; /* .at NULL: none */
    bool banned;
    bool in_town;  /* it has a number in a town, and is not banned: it lives there */
    uint64_t wiki; /* that it was given to know about, whoever may see that now; 0: none */
    struct str wiki_name;
};
typedef void resident_each(void *ctx, const struct resident *resident);

/* By id, from behind `after`, at most `limit`. */
MUST_USE enum err residents_list(struct db *db, uint64_t after, uint64_t limit, resident_each *each,
                                 void *ctx, struct why *why);
/* ERR_NOT_FOUND: nobody, or a member. */
MUST_USE enum err residents_load(struct db *db, struct arena *arena, struct user_id id,
                                 struct resident *resident_out, struct why *why);
/* .at NULL: none. */
MUST_USE enum err residents_set_personality(struct db *db, struct user_id id,
                                            struct str personality, struct why *why);
/* 0: none. ERR_INVALID: there is no such wiki. */
MUST_USE enum err residents_set_wiki(struct db *db, struct user_id id, uint64_t wiki,
                                     struct why *why);
/* Texts of its own, in `arena`. */
struct resident resident_copy(struct arena *arena, const struct resident *resident);
