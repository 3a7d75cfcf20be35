/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/events.h: the log of live events, which `resume` reads.
 *
 * Each topic numbers its events 1, 2, 3 … without gaps, in the transaction of
 * the change an event tells of. An event with a `fold` (a counter: the likes of
 * post 7) takes the place of the older one with the same fold in that topic:
 * who comes back gets the newest value once. Retention moves `tail`: events up
 * to it are gone, and who asks for them must load anew.
 */
#pragma once

#include "store/db.h"

struct topic_state {
    uint64_t id, head, tail;
};

/* head 0 when nothing was ever published there. */
MUST_USE enum err topics_load(struct db *db, struct str name, struct topic_state *out,
                              struct why *why);
/* Number and store an event. `payload` is JSON. `fold` empty: none. */
MUST_USE enum err events_add(struct db *db, struct str topic, struct str fold, struct str payload,
                             int64_t now_us, uint64_t *seq_out, struct why *why);
/* The same for words that can be taken back: `mark` is what events_unsay() will find them by, new
 * in that topic. */
MUST_USE enum err events_add_marked(struct db *db, struct str topic, struct str mark,
                                    struct str payload, int64_t now_us, uint64_t *seq_out,
                                    struct why *why);
/* What bears that mark, or has that fold, is gone from the log; the numbers stay as they are. */
MUST_USE enum err events_unsay(struct db *db, struct str topic, struct str mark, struct why *why);
/* What bears that mark says this from now on, under its old number; nothing where it is gone. */
MUST_USE enum err events_reword(struct db *db, struct str topic, struct str mark,
                                struct str payload, struct why *why);
/* Its events go, its numbers go on: who comes back from before must load anew. */
MUST_USE enum err events_forget(struct db *db, struct str name, struct why *why);

typedef void event_each(void *ctx, uint64_t seq, struct str payload);
MUST_USE enum err events_after(struct db *db, uint64_t topic_id, uint64_t seq, uint64_t limit,
                               event_each *each, void *ctx, struct why *why);

/*
 * Drop events that are both older than `before_us` and more than `keep` behind
 * the head, in up to 100 topics from `*at` on (0 at first; 0 again when all
 * were visited).
 */
MUST_USE enum err events_trim(struct db *db, uint64_t *at, uint64_t keep, int64_t before_us,
                              struct why *why);
