/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/routine.h: what a profile's daily routine says about somebody's hours.
 *
 * A routine is written by people: "7:00 起床", "09:00-18:00 工作", "sleep: 23:30".
 * Understood are clock times (7:00, 07：30, 7点, 7点半, 7am, 10:30 pm) beside a word for
 * getting up, going to bed, work or its end. A line, or a part of it between
 * commas, says one thing. Everything else is for models to read.
 */
#pragma once

#include "base/str.h"
#include "town/town.h"

enum { ROUTINE_UNSAID = -1 };

/* Minutes of the day, or ROUTINE_UNSAID. */
struct routine {
    int wake, bed, work_from, work_until;
};

struct routine routine_read(struct str text);
/*
 * Change what the draft has drawn to what was said, where that is a day somebody can live: up
 * between 03:00 and 12:00, to bed between 18:00 and 04:00, 5 to 12 hours of sleep, 2 to 14 of work
 * within the hours awake. What does not fit leaves the draft as it was drawn. `work` is the
 * caller's.
 */
void routine_apply(const struct routine *routine, struct resident_draft *draft);
