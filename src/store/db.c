/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/db.c: what both databases have in common.
 *
 * Sticky errors live here: a query that failed swallows every further call, and
 * query_end() hands out the first failure. So does the state of the
 * transaction, because engines end one on their own (a deadlock, a full disk)
 * and whatever the caller still does then must not take effect by itself.
 */
#include "store/db.h"

#include <stdarg.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

enum err db_open(struct str url, enum db_mode mode, struct db **db_out, struct why *why)
{
    static const struct db_driver *const drivers[] = {
        [DB_SQLITE] = &db_driver_sqlite,
        [DB_MARIADB] = &db_driver_mariadb,
    };
    *db_out = NULL;
    struct arena arena = {0};
    struct db_url parsed;
    enum err err = db_url_parse(&arena, url, &parsed, why);
    if (err) goto out;
    err = drivers[parsed.kind]->open(&parsed, mode, db_out, why);
    if (err) goto out;
    (*db_out)->driver = drivers[parsed.kind];
    (*db_out)->mode = mode;
out:
    arena_release(&arena);
    return err;
}

static void query_free(struct query *q)
{
    q->db->driver->release(q);
    mem_free(q);
}

void db_close(struct db *db)
{
    if (db == NULL) return;
    ASSERT(db->running == 0);
    db_rollback(db);
    for (size_t i = 0; i < SQL_COUNT; i++) {
        if (db->kept[i]) query_free(db->kept[i]);
    }
    db->driver->close(db);
}

enum db_kind db_kind(const struct db *db)
{
    return db->driver->kind;
}

/* Transactions. */

static enum err say_lost(const struct db *db, struct why *why)
{
    *why = db->lost_why;
    return db->lost;
}

void db_lost(struct db *db, enum err err, const struct why *why)
{
    if (db->tx != DB_TX_OPEN) return;
    db->tx = DB_TX_LOST;
    db->savepoint = false;
    db->lost = err;
    db->lost_why = *why;
}

static enum err begin(struct db *db, enum db_command command, struct why *why)
{
    ASSERT(db->tx == DB_TX_NONE);
    enum err err = db->driver->command(db, command, why);
    if (err) return err;
    db->tx = DB_TX_OPEN;
    return OK;
}

enum err db_begin(struct db *db, struct why *why)
{
    return begin(db, DB_BEGIN, why);
}

enum err db_begin_snapshot(struct db *db, struct why *why)
{
    return begin(db, DB_BEGIN_SNAPSHOT, why);
}

enum err db_commit(struct db *db, struct why *why)
{
    ASSERT(db->tx != DB_TX_NONE);
    ASSERT(!db->savepoint);
    enum err err =
        db->tx == DB_TX_LOST ? say_lost(db, why) : db->driver->command(db, DB_COMMIT, why);
    if (err) {
        db_rollback(db); /* some failures leave it open, and our contract says it is over */
        return err;
    }
    db->tx = DB_TX_NONE;
    return OK;
}

void db_rollback(struct db *db)
{
    if (db->tx == DB_TX_OPEN) {
        struct why why;
        /* A rollback that fails has lost its connection or its transaction: it is rolled back. */
        enum err err = db->driver->command(db, DB_ROLLBACK, &why);
        if (err) log_warn("db_rollback_failed", "error=%s", err_name(err));
    }
    db->tx = DB_TX_NONE;
    db->savepoint = false;
}

static enum err savepoint_command(struct db *db, enum db_command command, struct why *why)
{
    ASSERT(db->tx != DB_TX_NONE);
    if (db->tx == DB_TX_LOST) return say_lost(db, why);
    ASSERT(db->savepoint == (command != DB_SAVEPOINT));
    enum err err = db->driver->command(db, command, why);
    if (err) return err;
    db->savepoint = command == DB_SAVEPOINT;
    return OK;
}

enum err db_savepoint(struct db *db, struct why *why)
{
    return savepoint_command(db, DB_SAVEPOINT, why);
}

enum err db_savepoint_release(struct db *db, struct why *why)
{
    return savepoint_command(db, DB_SAVEPOINT_RELEASE, why);
}

enum err db_savepoint_rollback(struct db *db, struct why *why)
{
    return savepoint_command(db, DB_SAVEPOINT_ROLLBACK, why);
}

bool db_in_transaction(const struct db *db)
{
    return db->tx == DB_TX_OPEN;
}

/* Queries. */

void query_fail(struct query *q, enum err err, const char *format, ...)
{
    ASSERT(err != OK);
    if (q->err) return;
    q->err = err;
    va_list args;
    va_start(args, format);
    vsnprintf(q->why.text, sizeof(q->why.text), format, args);
    va_end(args);
}

static struct query *query_new(struct db *db, const char *name, const char *text)
{
    struct query *q = mem_alloc(db->driver->query_bytes);
    q->db = db;
    q->name = name;
    q->text = text;
    return q;
}

static struct query *query_start(struct query *q)
{
    struct db *db = q->db;
    ASSERT(!q->running); /* a statement can't run twice at once on one connection */
    q->running = true;
    q->stepped = q->row = q->done = false;
    q->bound = 0;
    q->err = OK;
    db->running++;
    if (db->tx == DB_TX_LOST) {
        query_fail(q, db->lost, "%s", db->lost_why.text);
    } else {
        db->driver->prepare(q); /* nothing to do when it is prepared */
    }
    return q;
}

struct query *db_query(struct db *db, enum sql which)
{
    ASSERT((unsigned)which < SQL_COUNT);
    struct query *q = db->kept[which];
    if (q == NULL) {
        const char *text = db->driver->texts[which];
        q = query_new(db, sql_names[which], text ? text : sql_sqlite[which]);
        q->kept = true;
        db->kept[which] = q;
    }
    return query_start(q);
}

struct query *db_query_text(struct db *db, const char *text)
{
    return query_start(query_new(db, "text", text));
}

enum err db_script(struct db *db, struct str text, struct why *why)
{
    if (db->tx == DB_TX_LOST) return say_lost(db, why);
    return db->driver->script(db, text, why);
}

/* The number of the parameter to bind next, or 0 when the query has failed already. */
static inline int next_param(struct query *q)
{
    ASSERT(q->running && !q->stepped);
    if (q->err) return 0;
    ASSERT(q->bound < q->params);
    return ++q->bound;
}

void query_i64(struct query *q, int64_t value)
{
    int at = next_param(q);
    if (at) q->db->driver->bind_i64(q, at, value);
}

void query_u64(struct query *q, uint64_t value)
{
    int at = next_param(q);
    if (at == 0) return;
    if (value > INT64_MAX) {
        /* SQLite has no such number; refusing it on both beats two orders of rows. */
        query_fail(q, ERR_INVALID, "a number is larger than 9223372036854775807");
        return;
    }
    q->db->driver->bind_i64(q, at, (int64_t)value);
}

void query_double(struct query *q, double value)
{
    int at = next_param(q);
    if (at) q->db->driver->bind_double(q, at, value);
}

void query_str(struct query *q, struct str text)
{
    int at = next_param(q);
    if (at == 0) return;
    if (text.at) {
        q->db->driver->bind_str(q, at, text);
    } else {
        q->db->driver->bind_null(q, at);
    }
}

void query_bytes(struct query *q, struct str bytes)
{
    int at = next_param(q);
    if (at == 0) return;
    if (bytes.at) {
        q->db->driver->bind_bytes(q, at, bytes);
    } else {
        q->db->driver->bind_null(q, at);
    }
}

void query_null(struct query *q)
{
    int at = next_param(q);
    if (at) q->db->driver->bind_null(q, at);
}

bool query_next(struct query *q)
{
    ASSERT(q->running);
    if (q->err || q->done) return false;
    ASSERT(q->bound == q->params);
    q->row = q->db->driver->next(q);
    q->stepped = true;
    q->done = !q->row;
    return q->row;
}

static inline void check_column(const struct query *q, int column)
{
    ASSERT(q->row);
    ASSERT(column >= 0 && column < q->columns);
}

uint64_t query_get_u64(struct query *q, int column)
{
    check_column(q, column);
    return (uint64_t)q->db->driver->get_i64(q, column);
}

int64_t query_get_i64(struct query *q, int column)
{
    check_column(q, column);
    return q->db->driver->get_i64(q, column);
}

double query_get_double(struct query *q, int column)
{
    check_column(q, column);
    return q->db->driver->get_double(q, column);
}

struct str query_get_str(struct query *q, int column)
{
    check_column(q, column);
    return q->db->driver->get_str(q, column);
}

bool query_is_null(struct query *q, int column)
{
    check_column(q, column);
    return q->db->driver->is_null(q, column);
}

enum err query_end(struct query *q, struct why *why)
{
    ASSERT(q->running);
    ASSERT(q->stepped || q->err); /* else it never ran */
    enum err err = q->err;
    if (err) *why = q->why;
    q->db->driver->reset(q);
    q->db->running--;
    q->running = q->row = false;
    if (!q->kept) query_free(q);
    return err;
}

enum err query_run(struct query *q, struct why *why)
{
    while (query_next(q)) { /* rows of a RETURNING are not for us */
    }
    return query_end(q, why);
}

uint64_t db_changes(const struct db *db)
{
    return db->driver->changes(db);
}

uint64_t db_last_id(const struct db *db)
{
    return db->driver->last_id(db);
}

uint64_t db_changes_total(const struct db *db)
{
    return db->driver->changes_total(db);
}

enum err db_checkpoint(struct db *db, uint64_t *pages_out, uint64_t *left_out, struct why *why)
{
    return db->driver->checkpoint(db, pages_out, left_out, why);
}
