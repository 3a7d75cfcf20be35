/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/store.h: the database as the rest of the house sees it: where reads
 * get a connection and where changes go.
 *
 * Embedded SQLite: each loop and worker reads on a connection of its own, every
 * change goes through the writer. MariaDB: each worker has a connection and
 * runs changes on it in a transaction of their own; loops never touch it.
 */
#pragma once

#include "store/writer.h"

struct store;

/* Opens, migrates and starts the writer where there is one. Main thread. */
MUST_USE enum err store_open(struct str url, size_t group_max, struct store **store_out,
                             struct why *why);
void store_close(struct store *store); /* NULL is fine */
/*
 * After everything of a store is closed: SQLite's log goes into the database file, and away. The
 * readers of the loops close last, and they may not do it. Leaves a database alone that another
 * process has open, and a log that cannot be moved (it is read at the next start).
 */
void store_tidy(struct str url);
enum db_kind store_kind(const struct store *store);
/* NULL for MariaDB. */
const struct writer_stats *store_writer_stats(const struct store *store);

/*
 * `told(ctx)` is called on the writer, at most every two seconds, after other processes have
 * changed the embedded database. It must not wait. MariaDB: never called; instances that share one
 * tell each other through the broker.
 */
void store_watch_others(struct store *store, writer_told *told, void *ctx);

/*
 * Is this the only instance at its MariaDB? Told by named locks that a connection of its own holds
 * as long as the store is open: ask at the start and now and then, since the others come and go and
 * a connection breaks. One thread at a time. SQLite: always.
 */
MUST_USE enum err store_is_alone(struct store *store, bool *alone_out, struct why *why);
/* Are there several, as somebody sees who is none of them? */
MUST_USE enum err store_has_several(struct db *db, bool *several_out, struct why *why);

/* A connection for one thread: a loop's (SQLite only) or a worker's. Close with db_close(). */
MUST_USE enum err store_connect(struct store *store, struct db **db_out, struct why *why);

/* Hand a change to the writer; see writer_submit(). SQLite only. */
void store_submit(struct store *store, struct change *change);
/* Apply a change on this connection, with a transaction and again after a deadlock, then settle
 * it, on this thread. MariaDB only. */
void store_settle_here(struct db *db, struct change *change);

/*
 * Change something and wait until it is durable: for workers and commands.
 * `db` is the worker's own connection. `apply` may be called more than once.
 */
typedef enum err store_apply(void *ctx, struct db *db, struct why *why);
MUST_USE enum err store_write(struct store *store, struct db *db, store_apply *apply, void *ctx,
                              struct why *why);
