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
 * What can be set is in study_options, and "mind": "rule" or "model". Every arm runs once with
 * every seed, so that arms meet the same people; figures are those of study_measure(). Intervals
 * are Student's t, differences are from the first arm, with Welch's interval (1947), which does not
 * ask for equal spread.
 */
#pragma once

#include "townhall/crew.h"
#include "townhall/study.h"

enum { ARMS_MAX = 32, SEEDS_MAX = 1000, EXPERIMENT_BYTES_MAX = 1 << 20 };

struct experiment;

/* ERR_INVALID: a sentence with the line or the field, and what is allowed. */
/* `usual`: what holds where the file says nothing. */
MUST_USE enum err experiment_read(struct str text, const struct study_choices *usual,
                                  struct experiment **experiment_out, struct why *why);
/* Whether an arm of it has models decide. */
bool experiment_has_models(const struct experiment *experiment);
void experiment_free(struct experiment *experiment); /* NULL is fine */

/* Run all; the crew takes a run each. False: `watch` ended it, or a run failed; runs under way are
 * left out then. `watch` is called by one thread at a time, with minutes of all runs together.
 * `minds` may be NULL without models; they stay until the experiment is freed. */
bool experiment_run(struct experiment *experiment, struct crew *crew, study_watch *watch, void *ctx,
                    struct minds *minds);
/* Why a run failed: of mind_run_decide(). OK: none did. */
MUST_USE enum err experiment_failed(const struct experiment *experiment, struct why *why);
/* What models did in all of it, and who was asked. */
struct mind_figures experiment_minds(const struct experiment *experiment, struct str *model_out);
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
