/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/experiment.h: towns that differ in a setting, compared over several seeds.
 *
 *     {
 *       "name": "Do larger memories make friends?",
 *       "seeds": [1, 2, 3, 4, 5],          // or a number: so many, from 1 on
 *       "settings": {"residents": 200, "days": 14},
 *       "arms": [
 *         {"name": "usual"},
 *         {"name": "small", "memory_slots": 16}
 *       ]
 *     }
 *
 * What can be set is in study_options. Every arm runs once with every seed, so that
 * arms meet the same people; figures are those of study_measure(). Intervals are
 * Student's t, differences are from the first arm, with Welch's interval (1947),
 * which does not ask for equal spread.
 */
#pragma once

#include "townhall/crew.h"
#include "townhall/study.h"

enum { ARMS_MAX = 32, SEEDS_MAX = 1000, EXPERIMENT_BYTES_MAX = 1 << 20 };

struct experiment;

/* ERR_INVALID: a sentence with the line or the field, and what is allowed. */
MUST_USE enum err experiment_read(struct str text, struct experiment **experiment_out,
                                  struct why *why);
void experiment_free(struct experiment *experiment); /* NULL is fine */

/* Run all; the crew takes a run each. False: `watch` ended it; runs under way are left out then.
 * `watch` is called by one thread at a time, with minutes of all runs together. */
bool experiment_run(struct experiment *experiment, struct crew *crew, study_watch *watch,
                    void *ctx);
/* Runs that came to their end. */
uint32_t experiment_done(const struct experiment *experiment);
/* Of their hashes, in order: the same for the same file. */
uint64_t experiment_hash(const struct experiment *experiment);

/* runs.csv, comparison.csv, comparison.json and report.html. The folder is there. */
MUST_USE enum err experiment_report(const struct experiment *experiment, const char *dir,
                                    struct why *why);

/* --- statistics --- */

struct spread {
    uint32_t count;
    double mean, sd;  /* sd: NAN with fewer than two */
    double low, high; /* the 95 % interval of the mean; NAN with fewer than two */
};
/* Of the finite ones among `values`. */
struct spread spread_of(const double *values, size_t count);
/* b - a; sd is NAN. */
struct spread spread_difference(const struct spread *a, const struct spread *b);
