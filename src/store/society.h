/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/society.h: what is counted of a town, for plots.
 *
 * Deeds are counted from the action log by an index that holds all that is asked
 * for, but of talks and thoughts, where more stands in the log than was done: the
 * words of a talk, and what models were asked. Needs are kept once a game hour; what models cost by
 * real days. Only what the present town did counts: logs of one that was forgotten stay in the log.
 */
#pragma once

#include "store/towns.h"

struct society {
    struct town_id town;
    int64_t minute; /* committed */
    int64_t founded_us;
};
/* ERR_NOT_FOUND: there is no town. */
MUST_USE enum err society_load(struct db *db, struct society *out, struct why *why);

/* --- deeds --- */

typedef void society_hour_each(void *ctx, struct str type, int hour, uint64_t count);
/* By kind of deed and hour of the day (0–23), from game day `from_day` on; what nobody did is left
 * out. */
MUST_USE enum err society_hours(struct db *db, const struct society *society, int32_t from_day,
                                society_hour_each *each, void *ctx, struct why *why);
typedef void society_deeds_each(void *ctx, struct user_id character, struct str type,
                                uint64_t count);
/* By resident and kind of deed, one resident's together. */
MUST_USE enum err society_deeds(struct db *db, const struct society *society, int32_t from_day,
                                society_deeds_each *each, void *ctx, struct why *why);

/* --- needs --- */

struct society_need {
    int64_t hour;    /* game minutes / 60 */
    struct str need; /* as in a resident's card: "hunger" */
    /* In hundredths of a per cent, over those who live there; quartiles. */
    uint64_t mean, low, middle, high;
};
/* Again for the same hour and need is the last one. */
MUST_USE enum err society_needs_add(struct db *db, struct town_id town,
                                    const struct society_need *need, struct why *why);
/* Those of hours before `hour` go. */
MUST_USE enum err society_needs_prune(struct db *db, struct town_id town, int64_t hour,
                                      struct why *why);
typedef void society_need_each(void *ctx, const struct society_need *need);
/* From `hour` on, by hour and need. */
MUST_USE enum err society_needs(struct db *db, struct town_id town, int64_t hour,
                                society_need_each *each, void *ctx, struct why *why);

/* --- money --- */

typedef void society_spending_each(void *ctx, int64_t day, const struct town_spending *spent);
/* From `day` (since 1970-01-01 UTC) on; days without any are left out. */
MUST_USE enum err society_spending(struct db *db, int64_t day, society_spending_each *each,
                                   void *ctx, struct why *why);
