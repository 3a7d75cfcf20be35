/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/db_sqlite.c: the embedded database.
 *
 * WAL with synchronous=FULL: a commit is one fsync of the log, readers see the
 * last commit and wait for nobody. Pages move from the log into the file by
 * db_checkpoint() on a thread of its own, because two more fsyncs in the middle
 * of a group commit are felt by everybody in that group.
 *
 * The file is opened with everything off that we do not use and a damaged or
 * planted schema could: functions in the schema, double-quoted texts, writes to
 * the engine's own tables.
 */
#include "store/internal.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { BUSY_TIMEOUT_MS = 5000, OPEN_RETRY_MS = 10 };

struct sqlite {
    struct db db;
    sqlite3 *handle;                     /* owned */
    sqlite3_stmt *commands[DB_COMMANDS]; /* owned; NULL until first used */
};

struct sqlite_query {
    struct query q;
    sqlite3_stmt *stmt; /* owned */
};

static struct sqlite *sqlite_of(struct db *db)
{
    return CONTAINER_OF(db, struct sqlite, db);
}

static sqlite3 *handle_of(const struct db *db)
{
    return ((const struct sqlite *)(const void *)db)->handle;
}

static inline sqlite3_stmt *stmt_of(struct query *q)
{
    return CONTAINER_OF(q, struct sqlite_query, q)->stmt;
}

/* What went wrong, for the program and in words for a member. */
struct failure {
    int code; /* an extended code, or a primary one for all of its kind */
    enum err err;
    const char *sentence;
};

static const struct failure *failure_of(int extended)
{
    static const struct failure failures[] = {
        {SQLITE_CONSTRAINT_UNIQUE, ERR_CONFLICT, "this exists already"},
        {SQLITE_CONSTRAINT_PRIMARYKEY, ERR_CONFLICT, "this exists already"},
        {SQLITE_CONSTRAINT_ROWID, ERR_CONFLICT, "this exists already"},
        {SQLITE_CONSTRAINT_FOREIGNKEY, ERR_INVALID, "this refers to something that does not exist"},
        {SQLITE_CONSTRAINT, ERR_INVALID, "the database does not take this value"},
        {SQLITE_MISMATCH, ERR_INVALID, "the database does not take this value"},
        {SQLITE_TOOBIG, ERR_LIMIT, "this is too large for the database"},
        {SQLITE_BUSY, ERR_BUSY, "the database is busy; try again"},
        {SQLITE_LOCKED, ERR_BUSY, "the database is busy; try again"},
        {SQLITE_FULL, ERR_FULL, "现在无法保存 (cannot save now: the server's disk is full)"},
        {SQLITE_READONLY, ERR_IO, "the database is read-only"},
        {SQLITE_CANTOPEN, ERR_IO, "the database file cannot be opened"},
        {SQLITE_PERM, ERR_IO, "the database file may not be used"},
        {SQLITE_IOERR, ERR_IO, "the disk failed the database"},
        {SQLITE_CORRUPT, ERR_CORRUPT, "the database file is damaged"},
        {SQLITE_NOTADB, ERR_CORRUPT, "the file is not a database"},
    };
    static const struct failure other = {0, ERR_IO, "the database did not understand a statement"};
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        if (failures[i].code == extended) return &failures[i];
    }
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        if (failures[i].code == (extended & 0xff)) return &failures[i];
    }
    return &other;
}

/* Conflicts and bad references are answers; what else goes wrong, somebody must read about. */
static void log_failure(const char *name, const struct failure *failure, int code,
                        const char *message)
{
    if (failure->err == ERR_CONFLICT || failure->err == ERR_INVALID) return;
    log_warn("db_failed", "statement=%s code=%d message=\"%s\"", name, code, message);
}

/* SQLite itself takes ENOSPC alone for a full disk. What errno was, each of its two files knows:
 * sqlite3_system_errno() has been overwritten by then. */
bool db_sqlite_is_full(sqlite3 *handle, int code)
{
    int error = 0;
    if (code != SQLITE_IOERR && code != SQLITE_IOERR_WRITE) return (code & 0xff) == SQLITE_FULL;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    if (err_is_full(error)) return true;
    sqlite3_file *log = NULL;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log == NULL || log->pMethods == NULL) return false;
    return log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
           err_is_full(error);
}

static enum err fail(struct sqlite *s, const char *name, struct why *why)
{
    int code = sqlite3_extended_errcode(s->handle);
    if (db_sqlite_is_full(s->handle, code)) code = SQLITE_FULL;
    const struct failure *failure = failure_of(code);
    log_failure(name, failure, code, sqlite3_errmsg(s->handle));
    why_set(why, failure->err, "%s", failure->sentence);
    if (failure->err == ERR_BUSY && s->db.tx == DB_TX_OPEN) {
        sqlite3_exec(s->handle, "ROLLBACK", NULL, NULL,
                     NULL); /* busy means over, on both engines */
    }
    /* Some failures end the transaction, see "Response To Errors Within A Transaction". */
    if (sqlite3_get_autocommit(s->handle)) db_lost(&s->db, failure->err, why);
    return failure->err;
}

static void fail_query(struct query *q)
{
    struct why why;
    enum err err = fail(sqlite_of(q->db), q->name, &why);
    query_fail(q, err, "%s", why.text);
}

/* Opening. */

static bool reads_only(enum db_mode mode)
{
    return mode == DB_READ || mode == DB_LOOK;
}

static int run_pragmas(sqlite3 *handle, enum db_mode mode)
{
    static const struct {
        const char *text;
        bool write_only;
    } pragmas[] = {
        {"PRAGMA journal_mode=WAL", true},
        {"PRAGMA synchronous=FULL", false},
        {"PRAGMA foreign_keys=ON", false},
        {"PRAGMA trusted_schema=OFF", false},
        {"PRAGMA temp_store=MEMORY", false},
        {"PRAGMA cache_size=-16384", false}, /* KiB */
        /* Measured on 186 MB, random point reads: mapped 2.9 µs instead of 4.6 while nobody writes,
         * but 12 instead of 7.6 with a commit before every 50 reads, which is our life. */
        {"PRAGMA mmap_size=0", false},
        {"PRAGMA journal_size_limit=67108864", true},
        {"SELECT count(*) FROM sqlite_schema", false}, /* meets a damaged file here, not later */
    };
    for (size_t i = 0; i < COUNT_OF(pragmas); i++) {
        if (pragmas[i].write_only && reads_only(mode)) continue;
        int code = sqlite3_exec(handle, pragmas[i].text, NULL, NULL, NULL);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

static int configure(sqlite3 *handle, enum db_mode mode)
{
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
    if (mode == DB_WRITE) sqlite3_wal_autocheckpoint(handle, 0);
    /* Two processes that turn a new file into a WAL database at once get "busy" without being
     * made to wait, whatever the timeout says: the engine sees a deadlock coming. */
    int64_t give_up_us = clock_mono_us() + BUSY_TIMEOUT_MS * 1000;
    for (;;) {
        int code = run_pragmas(handle, mode);
        if ((code & 0xff) != SQLITE_BUSY || clock_mono_us() > give_up_us) return code;
        sqlite3_sleep(OPEN_RETRY_MS);
    }
}

/*
 * Connections never share a thread, so SQLite needs no locks of its own around
 * each call, and nobody reads its memory statistics, which take one for every
 * allocation.
 */
static void configure_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/*
 * A reader of a WAL database makes the log and its index when they are missing, and cannot take
 * them away again. Without both nobody has the file open, and it may be read as it lies.
 */
static int open_handle(const char *path, enum db_mode mode, sqlite3 **handle_out)
{
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
        (reads_only(mode) ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (mode != DB_LOOK) return sqlite3_open_v2(path, handle_out, flags, NULL);
    struct arena arena = {0};
    struct stat info;
    bool alone = lstat(arena_printf(&arena, "%s-wal", path).at, &info) != 0 &&
                 lstat(arena_printf(&arena, "%s-shm", path).at, &info) != 0;
    char *uri = arena_alloc(&arena, 3 * strlen(path) + 1), *to = uri;
    for (const char *at = path; *at; at++) {
        *to++ = *at;
        if (!strchr("%?#", *at)) continue;
        to[-1] = '%'; /* these three mean something in a URI */
        hex_write(to, at, 1);
        to += 2;
    }
    const char *name = arena_printf(&arena, "file:%s%s%s", path[0] == '/' ? "//" : "", uri,
                                    alone ? "?immutable=1" : "")
                           .at;
    int code = sqlite3_open_v2(name, handle_out, flags | SQLITE_OPEN_URI, NULL);
    arena_release(&arena);
    return code;
}

static enum err sqlite_open(const struct db_url *url, enum db_mode mode, struct db **db_out,
                            struct why *why)
{
    static const char *const sentences[] = {
        [ERR_CORRUPT] = "is damaged or no SQLite database; restore a backup",
        [ERR_BUSY] = "is locked by another process",
    };
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
    struct sqlite *s = NEW(struct sqlite);
    int code = open_handle(url->path, mode, &s->handle);
    if (code == SQLITE_OK) code = configure(s->handle, mode);
    if (code == SQLITE_OK) {
        *db_out = &s->db;
        return OK;
    }
    enum err err = failure_of(code)->err;
    int system = sqlite3_system_errno(s->handle);
    const char *said = (size_t)err < COUNT_OF(sentences) ? sentences[err] : NULL;
    if (said) {
        why_set(why, err, "the file %s %s", url->path, said);
    } else {
        why_set(why, err, "the database %s cannot be opened: %s", url->path,
                system ? strerror(system) : sqlite3_errmsg(s->handle));
    }
    sqlite3_close(s->handle);
    mem_free(s);
    return err;
}

static void sqlite_close(struct db *db)
{
    struct sqlite *s = sqlite_of(db);
    for (size_t i = 0; i < DB_COMMANDS; i++) {
        sqlite3_finalize(s->commands[i]);
    }
    int code = sqlite3_close(s->handle);
    ASSERT(code == SQLITE_OK); /* else a statement was not finalized */
    mem_free(s);
}

/* Commands and scripts. */

static enum err sqlite_command(struct db *db, enum db_command command, struct why *why)
{
    static const char *const texts[] = {
        [DB_BEGIN] = "BEGIN IMMEDIATE",
        [DB_BEGIN_SNAPSHOT] = "BEGIN",
        [DB_COMMIT] = "COMMIT",
        [DB_ROLLBACK] = "ROLLBACK",
        [DB_SAVEPOINT] = "SAVEPOINT one",
        [DB_SAVEPOINT_RELEASE] = "RELEASE one",
        /* "Rollback to" leaves the savepoint standing; the next one would nest inside. */
        [DB_SAVEPOINT_ROLLBACK] = "ROLLBACK TO one",
    };
    struct sqlite *s = sqlite_of(db);
    if (command == DB_BEGIN && reads_only(db->mode)) command = DB_BEGIN_SNAPSHOT;
    const char *text = texts[command];
    sqlite3_stmt **stmt = &s->commands[command];
    if (*stmt == NULL &&
        sqlite3_prepare_v3(s->handle, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL)) {
        return fail(s, text, why);
    }
    int code = sqlite3_step(*stmt);
    enum err err = OK;
    if (code != SQLITE_DONE) {
        err = fail(s, text, why);
        /* The log may hold the commit, and a crash now would bring it to life. */
        if (command == DB_COMMIT && code == SQLITE_IOERR_FSYNC) err = ERR_UNCERTAIN;
    }
    sqlite3_reset(*stmt);
    if (err || command != DB_SAVEPOINT_ROLLBACK) return err;
    return sqlite_command(db, DB_SAVEPOINT_RELEASE, why);
}

/* A migration's author reads this: the engine's own words, and where. */
static enum err script_failed(struct sqlite *s, int number, struct why *why)
{
    struct why plain;
    char message[200];
    str_copy(message, sizeof(message), str_of(sqlite3_errmsg(s->handle)));
    enum err err = fail(s, "script", &plain);
    return why_set(why, err, "statement %d: %s", number, message);
}

static enum err sqlite_script(struct db *db, struct str text, struct why *why)
{
    struct sqlite *s = sqlite_of(db);
    const char *at = text.at, *end = text.at + text.len;
    for (int number = 1; at < end; number++) {
        sqlite3_stmt *stmt = NULL;
        const char *tail = end;
        int code = sqlite3_prepare_v2(s->handle, at, (int)(end - at), &stmt, &tail);
        at = tail;
        if (code == SQLITE_OK && stmt == NULL) continue; /* blanks and comments */
        if (code == SQLITE_OK) {
            do {
                code = sqlite3_step(stmt);
            } while (code == SQLITE_ROW);
        }
        enum err err =
            code == SQLITE_OK || code == SQLITE_DONE ? OK : script_failed(s, number, why);
        sqlite3_finalize(stmt);
        if (err) return err;
    }
    return OK;
}

static enum err sqlite_checkpoint(struct db *db, uint64_t *pages_out, uint64_t *left_out,
                                  struct why *why)
{
    struct sqlite *s = sqlite_of(db);
    int frames = 0, moved = 0;
    *pages_out = *left_out = 0;
    int code =
        sqlite3_wal_checkpoint_v2(s->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return fail(s, "checkpoint", why);
    if (frames <= 0) return OK;
    *pages_out = (uint64_t)frames;
    *left_out = frames > moved ? (uint64_t)(frames - moved) : 0;
    return OK;
}

static uint64_t sqlite_changes(const struct db *db)
{
    return (uint64_t)sqlite3_changes64(handle_of(db));
}

static uint64_t sqlite_last_id(const struct db *db)
{
    return (uint64_t)sqlite3_last_insert_rowid(handle_of(db));
}

static uint64_t sqlite_changes_total(const struct db *db)
{
    return (uint64_t)sqlite3_total_changes64(handle_of(db));
}

/* Queries. */

static void sqlite_prepare(struct query *q)
{
    struct sqlite_query *sq = CONTAINER_OF(q, struct sqlite_query, q);
    if (q->prepared) return;
    struct sqlite *s = sqlite_of(q->db);
    const char *tail = NULL;
    int code = sqlite3_prepare_v3(s->handle, q->text, -1, q->kept ? SQLITE_PREPARE_PERSISTENT : 0,
                                  &sq->stmt, &tail);
    if (code != SQLITE_OK) {
        fail_query(q);
        return;
    }
    ASSERT(sq->stmt && *tail == '\0'); /* exactly one statement */
    q->prepared = true;
    q->params = sqlite3_bind_parameter_count(sq->stmt);
    q->columns = sqlite3_column_count(sq->stmt);
}

static void sqlite_reset(struct query *q)
{
    sqlite3_reset(stmt_of(q)); /* its code repeats what step said */
}

static void sqlite_release(struct query *q)
{
    sqlite3_finalize(stmt_of(q));
}

static void sqlite_bind_i64(struct query *q, int at, int64_t value)
{
    if (sqlite3_bind_int64(stmt_of(q), at, value)) fail_query(q);
}

static void sqlite_bind_double(struct query *q, int at, double value)
{
    if (sqlite3_bind_double(stmt_of(q), at, value)) fail_query(q);
}

static void sqlite_bind_str(struct query *q, int at, struct str text)
{
    int code = sqlite3_bind_text64(stmt_of(q), at, text.at, text.len, SQLITE_STATIC, SQLITE_UTF8);
    if (code) fail_query(q);
}

static void sqlite_bind_bytes(struct query *q, int at, struct str bytes)
{
    if (sqlite3_bind_blob64(stmt_of(q), at, bytes.at, bytes.len, SQLITE_STATIC)) fail_query(q);
}

static void sqlite_bind_null(struct query *q, int at)
{
    if (sqlite3_bind_null(stmt_of(q), at)) fail_query(q);
}

static bool sqlite_next(struct query *q)
{
    int code = sqlite3_step(stmt_of(q));
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail_query(q);
    return false;
}

static int64_t sqlite_get_i64(struct query *q, int column)
{
    return sqlite3_column_int64(stmt_of(q), column);
}

static double sqlite_get_double(struct query *q, int column)
{
    return sqlite3_column_double(stmt_of(q), column);
}

static struct str sqlite_get_str(struct query *q, int column)
{
    /* One look into the row instead of three. Such a value may be asked like any other, since
     * configure_library() has left SQLite's locks out ("Protected And Unprotected Values"). */
    sqlite3_value *value = sqlite3_column_value(stmt_of(q), column);
    bool bytes = sqlite3_value_type(value) == SQLITE_BLOB;
    const char *at = bytes ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
    size_t len = (size_t)sqlite3_value_bytes(value);
    /* An empty blob has no address; NULL is what has none for us. */
    if (at == NULL && bytes) at = "";
    return (struct str){at, len};
}

static bool sqlite_is_null(struct query *q, int column)
{
    return sqlite3_column_type(stmt_of(q), column) == SQLITE_NULL;
}

sqlite3 *db_sqlite_handle(struct db *db)
{
    ASSERT(db_kind(db) == DB_SQLITE);
    return sqlite_of(db)->handle;
}

const struct db_driver db_driver_sqlite = {
    .kind = DB_SQLITE,
    .texts = sql_sqlite,
    .query_bytes = sizeof(struct sqlite_query),
    .open = sqlite_open,
    .close = sqlite_close,
    .command = sqlite_command,
    .script = sqlite_script,
    .checkpoint = sqlite_checkpoint,
    .changes = sqlite_changes,
    .last_id = sqlite_last_id,
    .changes_total = sqlite_changes_total,
    .prepare = sqlite_prepare,
    .reset = sqlite_reset,
    .release = sqlite_release,
    .bind_i64 = sqlite_bind_i64,
    .bind_double = sqlite_bind_double,
    .bind_str = sqlite_bind_str,
    .bind_bytes = sqlite_bind_bytes,
    .bind_null = sqlite_bind_null,
    .next = sqlite_next,
    .get_i64 = sqlite_get_i64,
    .get_double = sqlite_get_double,
    .get_str = sqlite_get_str,
    .is_null = sqlite_is_null,
};
