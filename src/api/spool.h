/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/spool.h: a reply that is too long for memory, written into a file without a name, which then
 * goes out like a picture: with its length and at the reader's pace. For handlers of LANE_SLOW.
 */
#pragma once

#include "api/call.h"

struct spool {
    struct buf buf; /* to be written to; what is not in the file yet */
    int fd;
    uint64_t bytes;
    enum err err; /* of the file; what is told is in `why` */
    struct why why;
};

/* Whether or not it fails, spool_close() follows. */
MUST_USE enum err spool_open(struct spool *spool, struct call *call, struct why *why);
/* Behind each item, none of which may be larger than 32 MiB: empties the buffer when it is full. */
void spool_flush_some(struct spool *spool);
/* `err`, or else what the file failed of. */
MUST_USE enum err spool_check(const struct spool *spool, enum err err, struct why *why);
/* Writes the rest and makes it the reply, with status 200. */
MUST_USE enum err spool_reply(struct spool *spool, struct call *call, const char *type,
                              struct why *why);
void spool_close(struct spool *spool);
