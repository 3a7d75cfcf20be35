/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/rate.h: how often a caller may ask, for all loops together.
 *
 * GCRA, the generic cell rate algorithm (ITU-T I.371): a caller has room for
 * `burst` requests, and room grows back evenly at `per_minute`. One number per
 * caller is all it takes: the time at which the room is full again.
 *
 * A caller is whatever text the route's class says: a member's id, an address
 * (of IPv6 give the /64 prefix: one household has all of it), a name someone
 * tries to log in to. Memory is fixed at creation. When there are more callers
 * than room, the one nearest to having its full room again is forgotten, which
 * gives it back the little it had used up. Where a caller's note is kept
 * depends on a hash with a random key, so nobody can aim at another's.
 *
 * Any thread: sixteen stripes, each with a lock held for some 50 ns.
 */
#pragma once

#include "base/str.h"

struct rate;

enum {
    RATE_PER_MINUTE_MAX = 60 * 1000 * 1000,
    RATE_BURST_MAX = 1000 * 1000,
    RATE_CLASSES_MAX = 64
};

/* Open data. */
struct rate_limit {
    uint32_t per_minute; /* 0: unlimited */
    uint32_t burst;      /* how many at once after a pause; 0 counts as 1 */
};

struct rate_verdict {
    bool allowed;
    uint32_t limit;         /* RateLimit-Limit: the burst; 0: unlimited, send no headers */
    uint32_t remaining;     /* RateLimit-Remaining: what is allowed at once, after this one */
    uint32_t reset_s;       /* RateLimit-Reset: until `limit` is allowed at once; rounded up */
    uint32_t retry_after_s; /* Retry-After: until one is allowed; 0 when this one was, else >= 1 */
};

/*
 * Limits by class, copied; larger ones than RATE_*_MAX are cut to that. `callers`
 * is about how many are remembered at a time; 16 bytes each, up to 128 Mi of them.
 */
struct rate *rate_new(const struct rate_limit *limits, size_t classes, size_t callers);
void rate_free(struct rate *rate); /* NULL is fine */

/*
 * One request of `caller`. A refused one costs it nothing. `now_us` is monotonic
 * time; stepping back by what threads differ is fine.
 */
struct rate_verdict rate_take(struct rate *rate, int class, struct str caller, int64_t now_us);
/* Give the caller its full room again, as after a log-in that succeeded. */
void rate_forget(struct rate *rate, int class, struct str caller);

void rate_check(struct rate *rate); /* asserts the invariants; takes the locks */
