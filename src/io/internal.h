/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* io/internal.h: what loop.c and socket.c share. */
#pragma once

#include <stdatomic.h>
#include <uv.h>

#include "base/limits.h"
#include "io/loop.h"

enum {
    DEADLINE_SLOTS = 128, /* seconds; later ones go round again */
    HOOKS_PER_TURN = 128, /* at about 5 µs a write: well under a millisecond */
    HEARD_PER_TURN = 64,  /* fewer than the hooks: what comes in may cause a write each */
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_wait;
    uv_check_t after_wait;
    uv_timer_t second;
    uv_idle_t hurry; /* active while hooks are left over */
    bool hurrying;
    _Atomic(struct task *) mailbox; /* newest first */
    atomic_bool stopping;
    struct list hooks;
    int heard; /* in this turn */
    struct list deadlines[DEADLINE_SLOTS];
    int64_t now_us, swept_s;
    char read_buffer[LIMIT_READ_BYTES]; /* every read of every socket lands here */
};

/* A descriptor was ready and its owner has done with it: called last of all in libuv's callback,
 * because the turn may end here. */
void loop_heard(struct loop *loop);
