/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/crew.h: threads that do numbered jobs side by side and wait for each other.
 *
 * Made for town_advance(), which has a job for each quarter and ends its minute when
 * all are done, so the threads stay, and a minute costs two rounds of waking and no
 * thread is made. Who calls works along; numbers are taken from one counter, so that
 * a slow quarter holds up nobody but its own thread.
 *
 *     crew_open(2, &crew, &why);
 *     struct town_runner runner = crew_runner(crew);
 *     town_advance(town, until, &runner);
 *     crew_close(crew);
 *
 * One caller at a time.
 */
#pragma once

#include "base/err.h"
#include "town/town.h"

struct crew;

enum { CREW_THREADS_MAX = 256 };

/* `threads` with the caller's own: 1 makes none. ERR_IO: no more threads. */
MUST_USE enum err crew_open(uint32_t threads, struct crew **crew_out, struct why *why);
void crew_close(struct crew *crew); /* NULL is fine */

/* job(ctx, 0) … job(ctx, count - 1); returns when all are done. */
void crew_run(struct crew *crew, uint32_t count, town_job *job, void *ctx);
/* Good as long as the crew is. */
struct town_runner crew_runner(struct crew *crew);
