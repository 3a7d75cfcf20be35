/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * io/workers.h: threads for slow, blocking, straight-line work.
 *
 * A job is embedded in what it works on and given away until it comes back;
 * how it comes back is the job's business (usually loop_post() at its end).
 * The queue has a ceiling: past it a job is refused, and the one who wanted it
 * answers ERR_BUSY.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"

struct workers;

struct job {
    struct list link;
    /* `own` is what `begin` made for this worker (a database connection, say). */
    void (*work)(struct job *job, void *own);
};

struct workers_hooks {
    /* Called on each worker thread at its start and end; may be NULL. No `end` after a `begin`
     * that failed. */
    enum err (*begin)(void *ctx, void **own_out, struct why *why);
    void (*end)(void *own);
    void *ctx;
    int niceness; /* 0 to 19: how far the threads stand back when others want the processor */
};

/* Waits until every one has begun. ERR_IO: no more threads; else what the first `begin` to fail
 * said, and those that had begun have ended. */
MUST_USE enum err workers_open(int count, size_t queue_max, struct workers_hooks hooks,
                               struct workers **workers_out, struct why *why);
/* Work off what is queued, then end the threads. NULL is fine. */
void workers_close(struct workers *workers);
/* Any thread. False: the queue is full, the job is still the caller's. */
MUST_USE bool workers_submit(struct workers *workers, struct job *job);
/* Jobs waiting now: for metrics and for admission. Any thread. */
size_t workers_waiting(struct workers *workers);
