/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/community.h: what the community is called and says of itself. There is
 * one row, from the first migration on. Conventions as in store/users.h.
 */
#pragma once

#include "store/db.h"

struct community {
    struct str name;     /* empty: none was chosen, and it is called as the program is */
    struct str about;    /* a sentence; may be empty */
    struct str language; /* "zh" or "en"; .at NULL: as each reader's browser has it */
    int64_t set_up_us;   /* when the first-run page was done with; 0: it was not */
};

MUST_USE enum err community_load(struct db *db, struct arena *arena, struct community *out,
                                 struct why *why);
/* Others who would do the same wait here until the transaction ends; load it afterwards. */
MUST_USE enum err community_lock(struct db *db, struct why *why);
MUST_USE enum err community_save(struct db *db, const struct community *community, struct why *why);
