/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/errand.h: a call that waits on its loop for what a model or its server says.
 *
 * Put a `struct errand` into what the waiting needs (not into the call's arena:
 * the call may be gone first) and begin it in call->after. It ends in one of
 * three ways, once:
 *
 *   errand_settle()   the answer is here; reply then, and free what waits
 *   dropped           the reader has gone, the time is over or the server stops;
 *                     the call has been answered. Cancel what is asked
 */
#pragma once

#include "api/call.h"

struct errand {
    struct list link;  /* in home->errands */
    struct call *call; /* NULL: answered, see errand_outlive() */
    struct deadline late;
    /* Cancel what is asked and free: nothing is to be told any more. What cannot be cancelled:
     * errand_outlive(), unless the loop is `ending`. */
    void (*dropped)(struct errand *errand);
    bool ending;
};

/* Wait, for at most so long. On the loop. False: it ends, and the call has been answered. */
MUST_USE bool errand_begin(struct errand *errand, struct call *call, int64_t patience_us,
                           void (*dropped)(struct errand *errand));
/* In `dropped`: an answer will still come, then settle and free. `dropped` comes once more if the
 * loop ends before. */
void errand_outlive(struct errand *errand, struct api_loop *home);
/* No longer waiting: the caller answers errand->call. */
void errand_settle(struct errand *errand);
/* The loop stops: end all of them. */
void errands_abort(struct api_loop *home);
