/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/branch.h: two copies of a town that lives go on for some days, one with
 * another setting: what has the setting done?
 *
 * Both are lived by the same minds, with nobody from outside: no member writes. They
 * differ in what was chosen and in nothing else, so until it
 * matters for the first time they do the same.
 */
#pragma once

#include "townhall/study.h"

struct branch {
    struct study *as_it_was, *changed; /* owned */
};

/*
 * `state`: a checkpoint (town_write()). `seed` NULL: the same dice. `watch` gets the minutes of
 * both. `minds` NULL: the rules decide. ERR_INVALID: what was chosen cannot be, or nothing was;
 * ERR_CORRUPT; what mind_run_decide() says. Free with branch_release(), whatever came of it.
 */
MUST_USE enum err branch_run(struct str state, const struct study_choices *choices,
                             const uint64_t *seed, study_watch *watch, void *ctx,
                             struct minds *minds, struct branch *branch_out, struct why *why);
/* dir/as-it-was and dir/changed, each with the files of report_study(), and dir/comparison.csv. The
 * folder `dir` is made when it is missing. ERR_IO. */
MUST_USE enum err branch_report(const char *dir, const struct branch *branch, struct why *why);
void branch_release(struct branch *branch); /* zeroed is fine */
