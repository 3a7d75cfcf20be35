/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/db.h: one connection to the database, SQLite or MariaDB, behind a dozen verbs.
 *
 * A statement is named text (store/sql.h), prepared once per connection and
 * kept. Running one reads like this; errors stay inside the query until
 * query_end() or query_run() reports them, so nothing in between is checked:
 *
 *     struct query *q = db_query(db, SQL_POST_LOAD);
 *     query_u64(q, id.value);                       // binds, in the order of the '?'
 *     while (query_next(q)) {
 *         post->author.value = query_get_u64(q, 0); // columns, from 0
 *         post->content = arena_copy(arena, query_get_str(q, 1));
 *     }
 *     return query_end(q, why);
 *
 * A connection belongs to one thread at a time. A query is over at query_end()
 * or query_run(); a statement can't run twice at once on one connection.
 *
 * Errors: ERR_CONFLICT a unique key is taken · ERR_INVALID a foreign key or
 * check failed, a value does not fit its column · ERR_LIMIT a value is too
 * large for the engine · ERR_BUSY locked, deadlock: the transaction is over,
 * try it again · ERR_AWAY MariaDB does not answer, nothing was changed ·
 * ERR_FULL the disk is full · ERR_IO it failed the database and the like; `why`
 * names no SQL and no data, the log line that goes with it does name the
 * statement · ERR_CORRUPT the file is no database or damaged · ERR_UNCERTAIN
 * from db_commit, and from a change made outside of a transaction, when the
 * connection broke before the answer came.
 *
 * A failed statement leaves the transaction open, unless the engine ended it
 * (ERR_BUSY, a full disk, a lost connection): then db_in_transaction() is
 * false, and everything on the connection fails with the same words until
 * db_rollback() or db_commit(). Nothing ever runs outside by accident.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "store/sql.h"

struct db;    /* Lives on one thread at a time. */
struct query; /* Belongs to its connection. */

enum db_kind { DB_SQLITE, DB_MARIADB };

enum db_mode {
    DB_LOOK,  /* DB_READ that leaves no trace: SQLite: where no log lies beside the file, none is
                 made.  Then nobody may be about to write: for doctor and checks. MariaDB: as DB_READ
               */
    DB_READ,  /* SQLite: opened read-only, sees the last commit (WAL). MariaDB: the same as write */
    DB_WRITE, /* SQLite: the writer's connection; creates the file; never checkpoints by itself */
    DB_MAINTAIN, /* as DB_WRITE, for migrations, backups and restores: waits for answers as long as
                    it takes, and SQLite checkpoints by itself */
};

/*
 * `url`: sqlite:PATH or mysql://USER:PASSWORD@HOST:PORT/NAME, percent-encoding
 * allowed in its parts. Also mysql://USER:PASSWORD@/NAME?socket=PATH. Further options:
 * tls=off (default), tls=require (encrypted, whoever answers), tls=verify (certificate checked,
 * with ca=PATH if it is not one of the system's). mariadb:// is the same as mysql://.
 * SQLite: WAL, synchronous=FULL, foreign keys on, busy_timeout 5 s, trusted_schema off.
 * (so triggers can't write to FTS5 tables: SQLite 3.40 counts those as unsafe).
 * MariaDB: utf8mb4 with a binary collation for comparisons, READ COMMITTED, strict
 * mode, UTC, 10 s connect, 30 s read and write time-outs. A connection found dead outside of
 * a transaction is opened anew before it is used; a statement is never sent twice.
 * ERR_INVALID: a URL we don't speak, with an example. ERR_IO: can't open, with the reason.
 */
MUST_USE enum err db_open(struct str url, enum db_mode mode, struct db **db_out, struct why *why);
void db_close(struct db *db); /* NULL is fine; an open transaction is rolled back */
enum db_kind db_kind(const struct db *db);
/* The URL without password, for logs and doctor. In `arena`. */
struct str db_url_public(struct arena *arena, struct str url);

/* To change something. SQLite: takes the write lock at once (on a DB_READ connection: as
 * db_begin_snapshot). MariaDB: sees what others commit meanwhile, locks row by row. */
MUST_USE enum err db_begin(struct db *db, struct why *why);
/* To read several things that belong together: all queries until db_commit or db_rollback see the
 * moment of the first, whatever others commit meanwhile. On any connection; change nothing in it.
 */
MUST_USE enum err db_begin_snapshot(struct db *db, struct why *why);
MUST_USE enum err db_commit(struct db *db, struct why *why);
void db_rollback(struct db *db); /* nothing to roll back is fine */
/* One level: a savepoint inside the running transaction. */
MUST_USE enum err db_savepoint(struct db *db, struct why *why);
MUST_USE enum err db_savepoint_release(struct db *db, struct why *why);
MUST_USE enum err db_savepoint_rollback(struct db *db, struct why *why);
bool db_in_transaction(const struct db *db);

/* Never NULL; a failure to prepare is kept inside. */
struct query *db_query(struct db *db, enum sql which);
/* A statement that is not in the table (migrations, doctor, tests). Freed at its end. */
struct query *db_query_text(struct db *db, const char *text);
/* Several statements separated by ';', no parameters, no results: migrations. */
MUST_USE enum err db_script(struct db *db, struct str text, struct why *why);

/* Bind the next '?'. All of them, before the first query_next. Texts are borrowed until
 * query_end/query_run. A str with NULL `at` is NULL. Numbers above INT64_MAX are ERR_INVALID:
 * SQLite has none. */
void query_u64(struct query *q, uint64_t value);
void query_i64(struct query *q, int64_t value);
void query_double(struct query *q, double value);
void query_str(struct query *q, struct str text);
void query_bytes(struct query *q, struct str bytes);
void query_null(struct query *q);
/* NULL when `id` is 0 */
static inline void query_id(struct query *q, uint64_t id)
{
    if (id) {
        query_u64(q, id);
    } else {
        query_null(q);
    }
}

/* The next row; false at the end and after an error. */
bool query_next(struct query *q);
/* Columns of the current row. Texts are good until the next query_next/query_end. NULL: 0 or empty
 * (`at` NULL). */
uint64_t query_get_u64(struct query *q, int column);
int64_t query_get_i64(struct query *q, int column);
double query_get_double(struct query *q, int column);
struct str query_get_str(struct query *q, int column);
bool query_is_null(struct query *q, int column);

/* Done reading: OK or the first error of preparing, binding or stepping. */
MUST_USE enum err query_end(struct query *q, struct why *why);
/* Step through without reading (changes). */
MUST_USE enum err query_run(struct query *q, struct why *why);

/* After query_run: rows the last change touched (an UPDATE counts those it found), id the last
 * insert of a single row got. */
uint64_t db_changes(const struct db *db);
uint64_t db_last_id(const struct db *db);
/* Grows with every row changed on this connection: tells whether a failed handler left traces. */
uint64_t db_changes_total(const struct db *db);

/*
 * Move committed pages from the WAL into the database file without keeping
 * anybody waiting. On a connection of its own, by a thread that may wait for
 * the disk, or by the writer between two transactions. `pages_out`: how many the
 * log holds, and `left_out`: how many of them could not be moved. The log begins
 * anew with the first change after all of it was moved. MariaDB: OK, 0 and 0.
 */
MUST_USE enum err db_checkpoint(struct db *db, uint64_t *pages_out, uint64_t *left_out,
                                struct why *why);
