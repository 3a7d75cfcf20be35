/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/tags.h: the #words of the newest posts, to complete one that is being written.
 *
 * Read out of the newest TAGS_POSTS posts whenever somebody asks, which takes
 * some milliseconds: what is talked about now is what one wants to join, and
 * there is no table that edits, deletions and accounts that go would have to
 * keep right. Conventions as in store/users.h.
 */
#pragma once

#include "store/db.h"

enum { TAGS_POSTS = 2000, TAGS_MAX = 50 };

struct tag {
    struct str text; /* without its #, as it was written last; in the arena */
    uint64_t posts_count;
};
/* Those that begin with `prefix` (any case; empty: all), the most used first, up to `limit` (at
 * most TAGS_MAX). */
MUST_USE enum err tags_find(struct db *db, struct arena *arena, struct str prefix, size_t limit,
                            struct tag tags[TAGS_MAX], size_t *count_out, struct why *why);
