/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/replay.h: a town brought back from what is stored: a checkpoint and
 * the inputs journalled since. Nothing is performed, nothing is written.
 */
#pragma once

#include "store/towns.h"
#include "town/town.h"

struct replay {
    int64_t from;  /* in: the newest checkpoint at or before this minute; out: that one's minute */
    int64_t until; /* and on to here, with everything told in that minute; at most row->minute */
    /* Out. */
    struct town *town;
    uint64_t told, refused; /* inputs; the town refuses the same ones again */
};

/* Free `replay->town` with town_free(). ERR_CORRUPT: the journal does not fit the checkpoint. */
MUST_USE enum err replay_town(struct db *db, const struct town_row *row, struct replay *replay,
                              struct why *why);
