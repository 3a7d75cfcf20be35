/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/town_study.h: what the two commands of towns share: a copy of a town that goes on with
 * another setting. */
#pragma once

#include "app/command.h"
#include "townhall/branch.h"

/*
 * Let both copies of `state` live, write the report into `dir` and print its figures. `alone`: the
 * program does nothing else meanwhile; Ctrl-C ends it (ERR_CANCELLED), and it is told how far it
 * is. ERR_INVALID: a setting; see branch_run().
 */
MUST_USE enum err town_branch(struct args *args, struct str state,
                              const struct study_choices *choices, const uint64_t *seed,
                              const char *dir, bool alone, struct why *why);
