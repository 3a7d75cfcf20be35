/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/writer.h: the one thread that changes the embedded database.
 *
 * Group commit: it takes all changes that wait (up to a bound), applies them in
 * one transaction, makes that durable with one fsync, then tells each how it
 * went. While one group is on its way to the disk the next one gathers, so
 * groups grow with the load and nobody waits for company but who says so: a
 * `patient` change goes with the next that is not, or when WRITER_PATIENCE_US
 * have passed since the last patient one; to an idle writer at once.
 *
 * A change that fails before it has changed anything costs the others nothing.
 * One that fails after it has changed something makes the group start again
 * with a savepoint around each, so it is taken back alone. A savepoint around
 * each from the start was measured and refused: it makes FTS5 write a segment
 * per post.
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "store/db.h"

struct writer;

enum { WRITER_PATIENCE_US = 20 * 1000 };

/* Embedded in what it works on; given away from writer_submit() until `settled`. */
struct change {
    struct list link;
    /* Do it. Called once or twice, each time as if it were the first. On the writer. */
    enum err (*apply)(struct change *change, struct db *db, struct why *why);
    /* It is durable (OK), or nothing of it has happened. On the writer; must not wait. */
    void (*settled)(struct change *change, enum err err, const struct why *why);
    bool patient;
    /* The writer's own. */
    enum err err;
    struct why why;
};

enum { WRITER_GROUP_BUCKETS = 8 }; /* 1, 2, up to 4, 8, 16, 32, 64, more */

/* Read at any time, on any thread. */
struct writer_stats {
    atomic_ullong groups, changes, failed, retried_groups, commit_us_total;
    atomic_ullong group_sizes[WRITER_GROUP_BUCKETS];
    /* Monotonic; 0: waiting for work. Since the first of the changes that wait, or whose commit
     * failed while others came: a database that refuses group after group is as good as stuck. */
    atomic_llong busy_since_us;
    atomic_ullong waiting;
};

/* `url` is a sqlite: one, already migrated. Starts the writer and its checkpointer. */
MUST_USE enum err writer_open(struct str url, size_t group_max, struct writer **writer_out,
                              struct why *why);
/* Apply what still waits, then stop. NULL is fine. */
void writer_close(struct writer *writer);
/* Any thread. The queue has no ceiling of its own: each connection has one request in work. */
void writer_submit(struct writer *writer, struct change *change);
const struct writer_stats *writer_stats(const struct writer *writer);
/* See store_watch_others(). */
typedef void writer_told(void *ctx);
void writer_watch_others(struct writer *writer, writer_told *told, void *ctx);
