/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/health.h: is the server alive, and may a balancer send it members?
 *
 *   /health        an answer on the loop: the process runs. The old clients' one, with what the
 *                  checks of an older wiki look for: this machine's time, and who answers
 *   /health/live   a fixed answer, under the name orchestrators look for
 *   /health/ready  200 or 503, with a sentence for each thing it looked at:
 *                  database, writer, disk, draining
 */
#pragma once

#include "api/call.h"

/* The database cannot take a change when less is free; a tenth of it is a busy hour of posts. */
#define HEALTH_DISK_FREE_MIN (UINT64_C(64) << 20)

/* One thing that was looked at: a sentence of what was seen, and whether that will do. */
struct health_check {
    const char *name;
    bool ok;
    struct why saw;
};
enum { HEALTH_CHECKS = 4 };
/* Whether all will do. On a thread with call->db. */
bool health_look(struct call *call, struct health_check checks_out[HEALTH_CHECKS]);
/* As member `checks`: an object with one of {ok, detail} each. */
void health_put_checks(struct json_out *out, const struct health_check checks[HEALTH_CHECKS]);

/* Of the disk with the data folder. ERR_IO: it cannot be looked at. */
struct health_disk {
    uint64_t free_bytes, total_bytes;
};
MUST_USE enum err health_disk(const struct settings *settings, struct health_disk *out,
                              struct why *why);

handler health_get, health_live_get; /* LANE_LOOP */
handler health_ready_get;            /* LANE_READ */
