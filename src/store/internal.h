/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/internal.h: what db.c and the two drivers share. For src/store/db*.c,
 * migrate and backup only.
 *
 * db.c keeps the promises that do not depend on the engine: sticky errors, one
 * bind per '?', the state of the transaction. A driver is one table of
 * functions; each is called only for a query that has not failed yet, and
 * reports by query_fail().
 *
 * Why a table of functions and no `if (kind == …)` in an inline path: measured on
 * a point read of six columns, db.c and the table together cost 100 ns of 2.4 µs
 * over bare SQLite, and db.c stays ignorant of both engines.
 */
#pragma once

#include "store/db.h"
#include "store/db_url.h"

enum db_command {
    DB_BEGIN,
    DB_BEGIN_SNAPSHOT,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_SAVEPOINT,
    DB_SAVEPOINT_RELEASE,
    DB_SAVEPOINT_ROLLBACK,
    DB_COMMANDS
};

/*
 * Lost: the engine ended the transaction by itself (deadlock, disk full, broken
 * connection). What follows would run outside of any transaction, so everything
 * fails with the same words until db_rollback or db_commit closes the chapter.
 */
enum db_tx { DB_TX_NONE, DB_TX_OPEN, DB_TX_LOST };

struct db {
    const struct db_driver *driver;
    enum db_mode mode;
    enum db_tx tx;
    bool savepoint;   /* inside db_savepoint … release or rollback */
    unsigned running; /* queries between db_query and query_end */
    enum err lost;    /* DB_TX_LOST: why */
    struct why lost_why;
    struct query *kept[SQL_COUNT]; /* owned; NULL until first used */
};

struct query {
    struct db *db;
    const char *name; /* for logs: "SQL_POST_LOAD", or "text" */
    const char *text;
    bool kept;     /* named, lives as long as the connection */
    bool prepared; /* the driver has a statement; `params` is known */
    bool running;  /* between db_query and query_end */
    bool stepped;  /* executed: no more binds */
    bool row;      /* a row stands ready for query_get_… */
    bool done;     /* no more rows */
    int params, bound, columns;
    enum err err;
    struct why why;
};

struct db_driver {
    enum db_kind kind;
    const char *const *texts; /* by enum sql; NULL: as in sql_sqlite */
    size_t query_bytes;       /* of the driver's struct that starts with a struct query */

    enum err (*open)(const struct db_url *url, enum db_mode mode, struct db **db_out,
                     struct why *why);
    void (*close)(struct db *db); /* every query is released already */
    enum err (*command)(struct db *db, enum db_command command, struct why *why);
    enum err (*script)(struct db *db, struct str text, struct why *why);
    enum err (*checkpoint)(struct db *db, uint64_t *pages_out, uint64_t *left_out, struct why *why);
    uint64_t (*changes)(const struct db *db);
    uint64_t (*last_id)(const struct db *db);
    uint64_t (*changes_total)(const struct db *db);

    void (*prepare)(struct query *q); /* fills params and columns */
    void (*reset)(struct query *q);   /* forget rows; ready to bind anew */
    void (*release)(struct query *q); /* free what prepare made */
    void (*bind_i64)(struct query *q, int at, int64_t value);
    void (*bind_double)(struct query *q, int at, double value);
    void (*bind_str)(struct query *q, int at, struct str text);
    void (*bind_bytes)(struct query *q, int at, struct str bytes);
    void (*bind_null)(struct query *q, int at);
    bool (*next)(struct query *q);
    int64_t (*get_i64)(struct query *q, int column);
    double (*get_double)(struct query *q, int column);
    struct str (*get_str)(struct query *q, int column);
    bool (*is_null)(struct query *q, int column);
};

extern const struct db_driver db_driver_sqlite;
extern const struct db_driver db_driver_mariadb;

/* Keep the first failure of a query. */
void query_fail(struct query *q, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);
/* The engine ended the open transaction. No transaction is open: nothing happens. */
void db_lost(struct db *db, enum err err, const struct why *why);

/* The engine's own connection. For what db.h has no verb for: backups. The caller sends nothing
 * through db.h while it uses it. */
struct sqlite3;
struct sqlite3 *db_sqlite_handle(struct db *db);
/* Did a result code come of a disk (a quota, a limit) that holds no more? */
bool db_sqlite_is_full(struct sqlite3 *handle, int code);
struct st_mysql;
struct st_mysql *db_mariadb_handle(struct db *db);

/* backup_sqlite.c, backup_mariadb.c: the engines' halves of backup.h. `to` does not exist; it is
 * durable and verified after OK, and may be left half-written after a failure. */
struct backup_info;
struct backup_job {
    bool (*tell)(void *ctx, uint64_t done, uint64_t total); /* may be NULL */
    void *ctx;
};
MUST_USE enum err backup_goes_on(const struct backup_job *job, uint64_t done, uint64_t total,
                                 struct why *why);
MUST_USE enum err backup_sqlite_copy(const char *from, const char *to, const struct backup_job *job,
                                     struct backup_info *info_out, struct why *why);
MUST_USE enum err backup_sqlite_check(const char *path, struct backup_info *info_out,
                                      struct why *why);
MUST_USE enum err backup_mariadb_write(struct str url, const char *to, const struct backup_job *job,
                                       struct backup_info *info_out, struct why *why);
MUST_USE enum err backup_mariadb_check(const char *path, struct backup_info *info_out,
                                       struct why *why);
MUST_USE enum err backup_mariadb_restore(const char *path, struct str url,
                                         const struct backup_job *job, struct backup_info *info_out,
                                         struct why *why);
