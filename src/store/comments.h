/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* store/comments.h: what members say under a post. Lifetimes as in store/users.h. */
#pragma once

#include "store/users.h"

struct comment {
    struct comment_id id;
    struct post_id post;
    struct comment_id parent; /* what it answers, of the same post; 0: the post */
    struct user_brief author;
    struct str content;
    int64_t created_us;
};

typedef void comment_each(void *ctx, const struct comment *comment);

struct comments_query {
    struct post_id post;
    uint64_t skip;   /* oldest first, by position … */
    uint64_t after;  /* … or newer than this id, oldest first … */
    uint64_t before; /* … or older than this id, newest first */
    uint64_t limit;
};

struct comment_draft {
    struct post_id post;
    struct comment_id parent; /* 0: none; that it is of `post` is the caller's to see */
    struct user_id author;
    struct str content;
};
/* Both of these are for who holds the post, posts_lock(): what counts in it holds it first, so that
 * two of them never wait for each other, and none adds to what another takes away. */
MUST_USE enum err comments_add(struct db *db, const struct comment_draft *draft, int64_t now_us,
                               struct comment_id *id_out, struct why *why);
/* ERR_NOT_FOUND with a sentence. */
MUST_USE enum err comments_load(struct db *db, struct arena *arena, struct comment_id id,
                                struct comment *comment_out, struct why *why);
MUST_USE enum err comments_list(struct db *db, const struct comments_query *query,
                                comment_each *each, void *ctx, struct why *why);
/* Its answers stay and answer the post. ERR_NOT_FOUND: somebody was faster. Counting it off the
 * post is the caller's. */
MUST_USE enum err comments_remove(struct db *db, struct comment_id id, struct why *why);
