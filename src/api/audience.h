/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/audience.h: who hears an answer that is written on another loop.
 *
 * Something grows on one loop, behind a lock; its listeners are on any. Whoever adds to it wakes
 * them: each by a task to its own loop, at most one under way, so what comes together is taken
 * together. What there is to take, and how far a listener has come, is theirs to know.
 */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "io/loop.h"

struct audience {
    pthread_mutex_t lock; /* of all that its owner puts under it */
    struct list listeners;
};

/* Embedded in what listens, on its own memory: it may outlive the leaving. Lives on one loop. */
struct listener {
    struct list link;
    struct task wake;
    bool posted; /* under the lock: the task is on its way */
    bool left;
    struct audience *audience; /* must stay until `free` */
    struct loop *loop;
    void (*news)(struct listener *listener); /* on its loop */
    void (*free)(struct listener *listener); /* it has left, and nothing is on its way to it */
};

void audience_init(struct audience *audience);
void audience_release(struct audience *audience); /* nobody listens */

/* --- under the lock --- */

void audience_add(struct audience *audience, struct listener *listener);
void audience_wake(struct audience *audience);
/* On the listener's loop; listener_end() must follow. Twice is fine. */
void audience_drop(struct listener *listener);

/* After audience_drop(), without the lock: frees it, now or when its task has come. */
void listener_end(struct listener *listener);
