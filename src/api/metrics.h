/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/metrics.h: what the server counts, and GET /metrics in Prometheus' text
 * format (version 0.0.4).
 *
 * Each loop counts into numbers of its own, which only it changes, with relaxed
 * atomics, so counting takes no lock; reading adds them up. What only the loop
 * may look at (its HTTP server's figures) it publishes here once a second.
 */
#pragma once

#include "api/call.h"

struct metrics;

struct metrics *metrics_new(size_t loops);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* From now on the loop publishes its figures; before its HTTP server is there, zeros. */
void metrics_attend(struct metrics *metrics, const struct api_loop *home);
/* No more, they stay as they are: before the loop's HTTP server closes. Twice is fine. On the
 * loop, or after it has ended. */
void metrics_leave(struct metrics *metrics, int index);

/* An exchange is over: status, bytes and the time since its head came count for the route.
 * NULL, or one that is not of routes_table: requests that found none. On loop `index`. */
void metrics_count(struct metrics *metrics, int index, const struct route *route,
                   const struct http_exchange *x);

/* Of all loops: HTTP connections open, WebSockets not among them, and live ones. Any thread. */
struct metrics_open {
    uint64_t http, live;
};
struct metrics_open metrics_open(const struct metrics *metrics);

/* LANE_READ, ACCESS_OPTIONAL: tells administrators, and who asks from this very machine without a
 * proxy. ERR_DENIED for the others: routes and load are nobody else's business. */
handler metrics_get;
