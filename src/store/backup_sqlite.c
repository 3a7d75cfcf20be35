/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/backup_sqlite.c: SQLite's half of backup.h.
 *
 * The pages are copied inside one read transaction: what writers do meanwhile
 * stays in the log, so the copy is of one moment and never starts over, which
 * the backup interface would otherwise do at every commit. The price is a log
 * that grows until the copy is done.
 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

enum { STEP_PAGES = 1024, RETRY_MS = 10 };

/* Tables, rows, and a fingerprint of the count of each. */
struct census {
    uint64_t tables, rows;
    unsigned char print[crypto_generichash_BYTES];
};

static enum err open_file(const char *path, struct db **db_out, struct why *why)
{
    struct arena arena = {0};
    char *url = arena_alloc(&arena, strlen("sqlite:") + 3 * strlen(path) + 1);
    size_t len = strlen("sqlite:");
    memcpy(url, "sqlite:", len);
    for (; *path; path++) {
        url[len++] = *path;
        if (*path != '%') continue;
        url[len++] = '2';
        url[len++] = '5';
    }
    enum err err = db_open((struct str){url, len}, DB_READ, db_out, why);
    arena_release(&arena);
    return err;
}

static enum err count_table(struct db *db, struct str name, uint64_t *rows_out, struct why *why)
{
    /* The one kind of text we assemble: a name cannot be a parameter. */
    char *text = sqlite3_mprintf("SELECT count(*) FROM \"%.*w\"", (int)name.len, name.at);
    ASSERT(text);
    struct query *q = db_query_text(db, text);
    if (query_next(q)) *rows_out = query_get_u64(q, 0);
    enum err err = query_end(q, why);
    sqlite3_free(text);
    return err;
}

static enum err take_census(struct db *db, struct census *census_out, struct why *why)
{
    crypto_generichash_state print;
    crypto_generichash_init(&print, NULL, 0, sizeof(census_out->print));
    *census_out = (struct census){0};
    struct query *q = db_query_text(db, "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                        " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name");
    enum err err = OK;
    while (!err && query_next(q)) {
        uint64_t rows = 0;
        struct str name = query_get_str(q, 0);
        err = count_table(db, name, &rows, why);
        census_out->tables++;
        census_out->rows += rows;
        crypto_generichash_update(&print, (const unsigned char *)name.at, name.len + 1);
        crypto_generichash_update(&print, (const unsigned char *)&rows, sizeof(rows));
    }
    struct why said;
    enum err ended = query_end(q, &said);
    if (!err && ended) *why = said;
    crypto_generichash_final(&print, census_out->print, sizeof(census_out->print));
    return err ? err : ended;
}

static uint64_t pragma_number(struct db *db, const char *text)
{
    struct why why;
    struct query *q = db_query_text(db, text);
    uint64_t value = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, &why) ? 0 : value;
}

/* The engine takes what is missing of the last page for zeros. */
static bool is_cut_off(struct db *db, const char *path)
{
    struct stat info;
    uint64_t pages = pragma_number(db, "PRAGMA page_count");
    uint64_t page_bytes = pragma_number(db, "PRAGMA page_size");
    return stat(path, &info) != 0 || page_bytes == 0 || (uint64_t)info.st_size < pages * page_bytes;
}

/* The engine's own checks: pages, indexes, references. */
static enum err check_insides(struct db *db, const char *path, struct why *why)
{
    if (is_cut_off(db, path)) return why_set(why, ERR_CORRUPT, "%s is cut off", path);
    struct query *q = db_query_text(db, "PRAGMA integrity_check(1)");
    bool answered = query_next(q);
    bool sound = answered && str_eq(query_get_str(q, 0), STR("ok"));
    struct why said;
    enum err err = query_end(q, &said);
    if (err || !sound) return why_set(why, ERR_CORRUPT, "the database in %s is damaged", path);
    q = db_query_text(db, "PRAGMA foreign_key_check");
    bool broken = query_next(q);
    err = query_end(q, why);
    if (err) return err;
    if (!broken) return OK;
    return why_set(why, ERR_CORRUPT, "the database in %s holds rows that refer to nothing", path);
}

static enum err check_file(const char *path, struct census *census_out, struct why *why)
{
    struct db *db = NULL;
    enum err err = open_file(path, &db, why);
    if (!err) err = check_insides(db, path, why);
    if (!err) err = take_census(db, census_out, why);
    db_close(db);
    return err;
}

static enum err tell_info(const char *path, const struct census *census,
                          struct backup_info *info_out, struct why *why)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return why_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    *info_out = (struct backup_info){
        .kind = DB_SQLITE,
        .bytes = (uint64_t)info.st_size,
        .tables = census->tables,
        .rows = census->rows,
    };
    return OK;
}

enum err backup_sqlite_check(const char *path, struct backup_info *info_out, struct why *why)
{
    struct census census;
    enum err err = check_file(path, &census, why);
    return err ? err : tell_info(path, &census, info_out, why);
}

static enum err copy_failed(sqlite3 *to, int code, struct why *why)
{
    if (db_sqlite_is_full(to, code)) return why_set(why, ERR_FULL, "the disk is full");
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return why_set(why, ERR_CORRUPT, "the database is damaged");
    default:
        return why_set(why, ERR_IO, "writing the copy failed: %s: %s", sqlite3_errstr(code),
                       strerror(sqlite3_system_errno(to)));
    }
}

static enum err copy_pages(sqlite3 *from, sqlite3 *to, const struct backup_job *job,
                           struct why *why)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL) return copy_failed(to, sqlite3_extended_errcode(to), why);
    enum err err = OK;
    int code = SQLITE_OK;
    while (!err && code != SQLITE_DONE) {
        code = sqlite3_backup_step(backup, STEP_PAGES);
        if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) {
            sqlite3_sleep(RETRY_MS);
        } else if (code != SQLITE_OK && code != SQLITE_DONE) {
            err = copy_failed(to, code, why);
            break;
        }
        int total = sqlite3_backup_pagecount(backup);
        err = backup_goes_on(job, (uint64_t)(total - sqlite3_backup_remaining(backup)),
                             (uint64_t)total, why);
    }
    int finished = sqlite3_backup_finish(backup);
    return err ? err : finished ? copy_failed(to, finished, why) : OK;
}

/* Copy into a file of its own, without a log beside it. */
static enum err copy_into(sqlite3 *from, const char *path, const struct backup_job *job,
                          struct why *why)
{
    sqlite3 *to = NULL;
    enum err err = OK;
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    /* Nobody needs a half copy back, and it is made durable once, at the end. */
    if (!code) {
        code =
            sqlite3_exec(to, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF", NULL, NULL, NULL);
    }
    if (code) err = copy_failed(to, code, why);
    if (!err) err = copy_pages(from, to, job, why);
    if (!err) {
        code = sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
        if (code) err = copy_failed(to, code, why);
    }
    code = sqlite3_close(to);
    ASSERT(code == SQLITE_OK);
    return err;
}

static enum err make_durable(const char *path, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) close(fd);
    return ok ? OK : why_set(why, ERR_IO, "cannot make %s durable: %s", path, strerror(error));
}

static enum err copy_and_count(const char *from, const char *to, const struct backup_job *job,
                               struct census *census_out, struct why *why)
{
    struct db *db = NULL;
    enum err err = open_file(from, &db, why);
    if (!err) err = db_begin_snapshot(db, why);
    if (!err) err = take_census(db, census_out, why); /* takes the snapshot, too */
    if (!err) err = copy_into(db_sqlite_handle(db), to, job, why);
    db_close(db);
    return err;
}

enum err backup_sqlite_copy(const char *from, const char *to, const struct backup_job *job,
                            struct backup_info *info_out, struct why *why)
{
    struct census before, after;
    enum err err = copy_and_count(from, to, job, &before, why);
    if (!err) err = check_file(to, &after, why);
    if (err) return err;
    if (memcmp(before.print, after.print, sizeof(before.print)) != 0) {
        return why_set(why, ERR_CORRUPT, "the copy does not hold what was copied; check the disk");
    }
    err = make_durable(to, why);
    return err ? err : tell_info(to, &after, info_out, why);
}
