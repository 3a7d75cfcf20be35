/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/hall.h: a town that lives in the community.
 *
 * The residents of the community (accounts with is_ai) live in a simulated town
 * (town/town.h). What they do there becomes facts here through the same
 * functions members use: posts, comments, likes and messages are stored, pushed
 * and counted like anybody's. What members do (write to a resident, post,
 * comment) is told to the town, and noticed there when somebody looks at the
 * phone. Words come from a model, or from the offline engine without one.
 *
 * Nothing is lost and nothing happens twice: a step's effects, the inputs told
 * to the town, and how far it has come are committed in one transaction. After
 * kill -9 the town goes on from there: its last checkpoint, with the journalled
 * inputs told again. What still needs words stands in a table until it is done.
 *
 * One thread of its own for each town, with a loop for models and timers. An
 * instance holds the town by a lease with a fence; another takes over when the
 * lease runs out.
 *
 * The functions here may be called on any thread but a loop's: they ask the
 * town's thread and wait for the end of its step, a few milliseconds.
 */
#pragma once

#include "base/settings.h"
#include "hub/hub.h"
#include "llm/llm.h"
#include "store/store.h"
#include "town/town.h"
#include "townhall/lore.h"

struct hall;

/* What happens, in lines for people. On the town's thread, which waits meanwhile. */
typedef void hall_tell(void *ctx, struct str lines);

struct hall_links {
    const struct settings *settings;
    struct store *store;
    struct hub *hub;
    struct llm *llm;
    const struct lore_source *lore; /* NULL: residents know about nothing */
    bool held;                      /* stands still here until HALL_START, whatever is stored */
    hall_tell *tell;                /* NULL: nobody reads along */
    void *tell_ctx;
};

/*
 * Start. `*hall_out` is NULL, with OK, when the setting `town` is off. Without residents and
 * places the town stays empty, and looks for them again every few seconds.
 */
MUST_USE enum err hall_open(const struct hall_links *links, struct hall **hall_out,
                            struct why *why);
/* Finish the step, write a checkpoint, let the town go. NULL is fine. */
void hall_close(struct hall *hall);

/* Look for a town now. ERR_NOT_FOUND: no residents or no places. ERR_BUSY: another instance runs
 * it, and `why` says which. */
MUST_USE enum err hall_find_town(struct hall *hall, struct why *why);

/* Paused is stored, and holds for whoever runs the town next; held (HALL_HOLD) is this process's.
 * HALL_SAVE: a checkpoint now. */
enum hall_verb { HALL_START, HALL_PAUSE, HALL_STEP, HALL_SPEED, HALL_HOLD, HALL_SAVE };
/* `speed` for HALL_SPEED: game minutes in a real one. ERR_NOT_FOUND: there is no town yet.
 * HALL_STEP: to the next end of a deed, and the town stays paused. */
MUST_USE enum err hall_control(struct hall *hall, enum hall_verb verb, uint64_t speed,
                               struct why *why);

/* JSON, as docs/town.md describes it. ERR_NOT_FOUND: no town, no such resident. */
MUST_USE enum err hall_write_town(struct hall *hall, struct buf *json, struct why *why);
/* `reader` is told what is between the resident and itself, and nothing of what is between the
 * resident and other members. 0: one who may see all. */
MUST_USE enum err hall_write_resident(struct hall *hall, struct user_id user, struct user_id reader,
                                      struct buf *json, struct why *why);

/* Who is close to whom: the `most` residents with the most ties, and the ties between them. */
MUST_USE enum err hall_write_ties(struct hall *hall, uint32_t most, struct buf *json,
                                  struct why *why);

/* The town as a checkpoint (town_write()), as it stands now; for copies. ERR_LIMIT: it has more
 * bytes than `state` takes. */
MUST_USE enum err hall_write_state(struct hall *hall, struct buf *state, struct why *why);

/* Any thread, at any time. */
struct hall_stats {
    atomic_llong minute;
    atomic_ullong steps, effects, inputs, words, words_offline, todo, questions;
    atomic_ullong running, residents;
    /* What models cost today (townhall/budget.h); money in millionths, `most` 0: no limit. */
    atomic_ullong tokens, tokens_most, micro, micro_most;
    atomic_int budget;         /* enum budget_state */
    atomic_ullong pictures[4]; /* in the queue, by enum picture_state (store/pictures.h) */
};
const struct hall_stats *hall_stats(const struct hall *hall);
