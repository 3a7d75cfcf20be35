/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* store/overview.h: the numbers at a glance that only the database knows. */
#pragma once

#include "store/db.h"

struct overview {
    uint64_t users, residents, posts; /* all there are */
    uint64_t posts_today, reports_open;
    /* What models cost today: asked with members' keys, and by the town. Money in millionths of
     * whatever unit prices are in. */
    uint64_t key_requests, key_unpriced, key_micro, town_micro;
    uint64_t database_bytes;
};
/* `day`: of today, since 1970-01-01 UTC. Reads what was posted and used today: not on a loop. */
MUST_USE enum err overview_load(struct db *db, int64_t day, struct overview *out, struct why *why);
