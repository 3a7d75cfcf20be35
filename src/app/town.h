/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/town.h: what the files of `hutong town` share. All of it on the main thread. */
#pragma once

#include "app/command.h"
#include "store/db.h"
#include "townhall/branch.h"

/* town_command.c */
/*
 * Let both copies of `state` live, write the report into `dir` and print its figures. `alone`: the
 * program does nothing else meanwhile; Ctrl-C ends it (ERR_CANCELLED), and it is told how far it
 * is. `minds` NULL: the rules decide. ERR_INVALID: a setting; see branch_run().
 */
MUST_USE enum err town_branch(struct args *args, struct str state,
                              const struct study_choices *choices, const uint64_t *seed,
                              const char *dir, bool alone, struct minds *minds, struct why *why);

/* town_console.c: the town from the terminal. Gives the exit status, as those below. */
int run_town_console(struct args *args);

/* town_upkeep.c */
int run_town_replay(struct args *args);
int run_town_forget(struct args *args);
/* "Day 1, 08:00", in `arena`. */
const char *town_time_text(struct arena *arena, int64_t minute);
/* After ERR_BUSY, which it gives again: whose town it is, and what to do about that. */
MUST_USE enum err town_say_who_runs_it(struct db *db, struct arena *arena, struct why *why);
