/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/metrics.h: what the server counts, and GET /metrics in Prometheus' text
 * format (version 0.0.4). Each loop counts into numbers of its own with relaxed
 * atomics, so counting takes no lock; reading adds them up.
 */
#pragma once

#include "api/call.h"

struct metrics;

struct metrics *metrics_new(size_t loops);
void metrics_free(struct metrics *metrics); /* NULL is fine */
/* A reply is about to leave: route, status, time since its head came. On loop `index`. */
void metrics_count(struct metrics *metrics, int index, const struct route *route,
                   const struct http_exchange *x);

handler metrics_get;                                   /* LANE_LOOP does not fit: LANE_READ */
handler health_get, health_live_get, health_ready_get; /* /health, /health/live, /health/ready */
