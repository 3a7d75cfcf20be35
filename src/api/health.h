/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/health.h: is the server alive, and may a balancer send it members?
 *
 *   /health        a fixed answer on the loop: the process runs. The old clients' one
 *   /health/live   the same, under the name orchestrators look for
 *   /health/ready  200 or 503, with a sentence for each thing it looked at:
 *                  database, writer, disk, draining
 */
#pragma once

#include "api/call.h"

/* The database cannot take a change when less is free; a tenth of it is a busy hour of posts. */
#define HEALTH_DISK_FREE_MIN (UINT64_C(64) << 20)

handler health_get;       /* LANE_LOOP */
handler health_ready_get; /* LANE_READ */
