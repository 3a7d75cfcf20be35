/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * io/loop.h: one event loop, its mailbox, its timers and the end of its turn.
 *
 * A loop belongs to the thread that calls loop_run(). Everything here is for
 * that thread, but loop_post() and loop_stop(), which any thread may call.
 * A turn is: wait, handle what is ready, then run the turn-end hooks; what was
 * written to sockets meanwhile leaves in the hooks, gathered.
 *
 * libuv is behind this and io/socket.h and nowhere else.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"

struct loop;

/* A message to another thread: embedded in what it carries. Runs once, on the receiver. */
struct task {
    struct task *next;
    void (*run)(struct task *task);
};

MUST_USE enum err loop_open(struct loop **loop_out, struct why *why);
/* Serve until loop_stop(), then until every socket and timer is closed. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread */
/* After loop_run() has returned, or when it was never called. Tasks still in the mailbox are run
 * first. */
void loop_close(struct loop *loop);

/*
 * Hand a task to the loop; ownership of what it is embedded in travels with it.
 * Tasks of one sender run in the order they were posted. Any thread.
 */
void loop_post(struct loop *loop, struct task *task);

/* Runs `hook->run` once at the end of the current turn; adding it twice is fine. */
struct turn_hook {
    struct list link; /* list_init() before first use */
    void (*run)(struct turn_hook *hook);
};
void loop_at_turn_end(struct loop *loop, struct turn_hook *hook);

/* Monotonic time, taken once per turn. */
int64_t loop_now_us(const struct loop *loop);

/* A timer of its own; freed with timer_free(), never inside the loop's close. */
struct timer;
struct timer *timer_new(struct loop *loop, void (*fired)(void *ctx), void *ctx);
void timer_start(struct timer *timer, uint64_t after_ms, uint64_t repeat_ms);
void timer_stop(struct timer *timer);
void timer_free(struct timer *timer); /* NULL is fine; `fired` is not called again */

/*
 * A coarse deadline, embedded in its owner: for the many that are set often
 * and almost never reached (a connection's time-outs). Fires within two
 * seconds after `at_us` has passed. Setting a later time costs two stores.
 */
struct deadline {
    struct list link; /* list_init() before first use */
    int64_t at_us;    /* 0: not set */
    void (*fired)(struct deadline *deadline);
};
void deadline_set(struct loop *loop, struct deadline *deadline, int64_t at_us);
void deadline_clear(struct deadline *deadline);
