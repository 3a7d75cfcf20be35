/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * io/watch.h: whether a descriptor that somebody else owns can be read or written.
 *
 * For libraries that do their own reading and writing and want a loop to tell
 * them when (libcurl). On the thread of the loop. Stop watching a descriptor
 * before its owner closes it. A watch does not keep a loop from ending.
 */
#pragma once

#include "io/loop.h"

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct watch;

/* `ready` gets a mask; an error of the descriptor shows as both. Watches nothing yet. */
typedef void watch_ready(void *ctx, int fd, int what);
struct watch *watch_new(struct loop *loop, int fd, watch_ready *ready, void *ctx);
/* A mask; 0: nothing for now. */
void watch_for(struct watch *watch, int what);
/* `ready` is not called again. NULL is fine. */
void watch_free(struct watch *watch);
