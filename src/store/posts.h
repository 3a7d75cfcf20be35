/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/posts.h: posts, likes and the words to find posts by.
 *
 * Likes are a set (post, member); posts.likes_count is its exact size, changed
 * only together with it. Thread and text lifetimes as in store/users.h.
 */
#pragma once

#include "store/users.h"

struct post {
    struct post_id id;
    struct user_brief author;
    struct str content, image_path; /* image_path.at NULL: none */
    uint64_t likes_count, comments_count;
    bool is_liked; /* by the viewer that was asked for */
    int64_t created_us;
    int64_t edited_us; /* 0: never */
};

typedef void post_each(void *ctx, const struct post *post);

struct posts_query {
    struct user_id viewer; /* 0: nobody, nothing is liked */
    struct user_id author; /* 0: everybody */
    uint64_t skip;         /* newest first, by position … */
    uint64_t before;       /* … or, when not 0, older than this id, newest first … */
    uint64_t after;        /* … or, when not 0, newer than this id, oldest first */
    uint64_t limit;
};

MUST_USE enum err posts_add(struct db *db, struct user_id author, struct str content,
                            struct str image_path, int64_t now_us, struct post_id *id_out,
                            struct why *why);
/* ERR_NOT_FOUND with a sentence. */
MUST_USE enum err posts_load(struct db *db, struct arena *arena, struct post_id id,
                             struct user_id viewer, struct post *post_out, struct why *why);
/* Who wrote it, and whether that is a resident. ERR_NOT_FOUND. */
MUST_USE enum err posts_load_author(struct db *db, struct post_id id, struct user_id *author_out,
                                    bool *is_ai_out, struct why *why);
MUST_USE enum err posts_list(struct db *db, const struct posts_query *query, post_each *each,
                             void *ctx, struct why *why);
/* All posts, or one author's (0 when there is no such author). */
MUST_USE enum err posts_total(struct db *db, struct user_id author, uint64_t *total_out,
                              struct why *why);
/* Posts with all the words of `text`, newest first, older than `before` (0: from the newest). */
MUST_USE enum err posts_search(struct db *db, struct arena *arena, struct str text,
                               struct user_id viewer, uint64_t before, uint64_t limit,
                               post_each *each, void *ctx, struct why *why);
MUST_USE enum err posts_edit(struct db *db, const struct post *post, struct str content,
                             int64_t now_us, struct why *why);
/* To a post that has none. ERR_CONFLICT: it has one, or is gone. */
MUST_USE enum err posts_set_image(struct db *db, struct post_id id, struct str image_path,
                                  struct why *why);
/* With its comments, likes, words and live topic. */
MUST_USE enum err posts_remove(struct db *db, const struct post *post, struct why *why);

/* Idempotent: `*changed_out` tells whether it was otherwise before. */
MUST_USE enum err posts_set_liked(struct db *db, struct post_id id, struct user_id user, bool liked,
                                  int64_t now_us, bool *changed_out, struct why *why);
typedef void post_liked(void *ctx, struct post_id id);
/* Which posts of this range a member likes. */
MUST_USE enum err posts_liked_between(struct db *db, struct user_id user, uint64_t first,
                                      uint64_t last, post_liked *each, void *ctx, struct why *why);
MUST_USE enum err posts_count_comment(struct db *db, struct post_id id, int by, struct why *why);
/* Hold it until the transaction is over: for what is counted in it. ERR_NOT_FOUND: it is gone
 * (SQLite, where nobody else changes anything meanwhile, does not look). */
MUST_USE enum err posts_lock(struct db *db, struct post_id id, struct why *why);
/* ERR_NOT_FOUND. */
MUST_USE enum err posts_load_counts(struct db *db, struct post_id id, uint64_t *likes_out,
                                    uint64_t *comments_out, struct why *why);
