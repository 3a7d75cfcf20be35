/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/notices.h: likes and follows of members that a town has yet to hear of.
 *
 * Written in the transaction of the like or follow, and marked in that of the
 * town's step that hears of it: each is told once, whatever moment the power
 * fails. There is no position to keep, as there is for messages (store/towns.h):
 * with several writers a smaller id may become visible after a larger one, and
 * a mark in the row misses nothing. The row stays, so who takes a like back and
 * gives it again, however often, is heard of once.
 */
#pragma once

#include "store/posts.h"
#include "store/towns.h"

/* Nothing happens unless a town shows that post, or that person lives in one; and residents tell
 * each other inside. */
MUST_USE enum err town_notices_add_like(struct db *db, struct user_id actor, struct post_id post,
                                        struct why *why);
MUST_USE enum err town_notices_add_follow(struct db *db, struct user_id actor,
                                          struct user_id followed, struct why *why);

struct town_notice {
    uint64_t id;
    struct user_id actor;
    bool is_follow; /* else a like */
    uint32_t to;    /* follows: the resident's number; likes: the post's serial */
};
typedef void town_notice_each(void *ctx, const struct town_notice *notice);
/* What concerns that town and is not marked yet, oldest first. */
MUST_USE enum err town_notices_list(struct db *db, struct town_id town, uint64_t limit,
                                    town_notice_each *each, void *ctx, struct why *why);
MUST_USE enum err town_notices_mark(struct db *db, uint64_t id, struct why *why);
/* For a new town, which has heard of nothing and hears only what comes. */
MUST_USE enum err town_notices_clear(struct db *db, struct why *why);
