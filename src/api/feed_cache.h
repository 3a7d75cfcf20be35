/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/feed_cache.h: pages of the feed a loop has written lately.
 *
 * All a page shows changes only together with an event in the topic `feed`
 * (posts, counts, names and pictures of authors), so a page written at the same
 * number of that topic is the same page for everybody, but for one's own
 * hearts. Those are written as `false` and set afterwards, in place: `true` and
 * a blank are as long as `false`. When the number moves all pages are dropped.
 *
 * Lives on one loop. Not used with MariaDB, whose reads run on workers.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

struct feed_cache;

enum { FEED_PAGE_POSTS_MAX = 100, FEED_CACHE_PAGES_MAX = 64 };

/* Which posts stand where in a written page. */
struct feed_marks {
    size_t count;
    uint64_t ids[FEED_PAGE_POSTS_MAX];
    uint32_t at[FEED_PAGE_POSTS_MAX]; /* where its `false` begins */
};

struct feed_cache *feed_cache_new(void);
void feed_cache_free(struct feed_cache *cache); /* NULL is fine */

/* Append the page to `body`; false: not there. `key` names the question. */
MUST_USE bool feed_cache_find(struct feed_cache *cache, uint64_t head, struct str key,
                              struct buf *body, struct feed_marks *marks_out);
void feed_cache_keep(struct feed_cache *cache, uint64_t head, struct str key, struct str body,
                     const struct feed_marks *marks);

/* Note where the post that `body` ends with has its heart. */
void feed_marks_add(struct feed_marks *marks, uint64_t post, const struct buf *body);
/* Set one heart. Posts that are not on the page are ignored. */
void feed_marks_like(const struct feed_marks *marks, uint64_t post, struct buf *body);
