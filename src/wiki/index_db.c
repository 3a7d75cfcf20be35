/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/index_db.c: the file of an index: opening it, its statements, its failures.
 *
 * WAL, so that readers see the last commit while an update takes its time. An
 * index can be made again out of its tree, so a commit waits for the disk once
 * (synchronous=NORMAL): a power cut may take back the last update, and never
 * damages the file.
 */
#include "wiki/internal.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

enum { BUSY_TIMEOUT_MS = 10000 };

static const char *const statement_texts[] = {
#define X(name, text) text,
    WIKI_STATEMENTS(X)
#undef X
};

static const char schema[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    /* Words in the text of each chunk, two bytes each, 32,768 chunks a row. */
    "CREATE TABLE lengths (part INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    /* `named`: what the tree said of it before it was read. Its chunks have one number after the
     * other from chunk_first on. */
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, blob TEXT NOT NULL,"
    " named INTEGER NOT NULL, left_out INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, language TEXT NOT NULL, chunk_first INTEGER NOT NULL,"
    " chunk_count INTEGER NOT NULL, symbol_count INTEGER NOT NULL);"
    /* `key`: of what it says (wiki/vectors.h). */
    "CREATE TABLE chunks (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, key BLOB NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL);"
    /* Blocks of postings (wiki/postings.h). */
    "CREATE TABLE words (word TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " count INTEGER NOT NULL, postings BLOB NOT NULL, PRIMARY KEY (word, first)) WITHOUT ROWID;"
    "CREATE TABLE symbols (file INTEGER NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL,"
    " kind TEXT NOT NULL, scope TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " PRIMARY KEY (file, n)) WITHOUT ROWID;"
    /* What a file says it needs, as it says it (wiki/imports.h). */
    "CREATE TABLE imports (file INTEGER NOT NULL, n INTEGER NOT NULL, text TEXT NOT NULL,"
    " kind INTEGER NOT NULL, PRIMARY KEY (file, n)) WITHOUT ROWID;"
    "CREATE INDEX symbols_name ON symbols (name COLLATE NOCASE);";

/* ---- failures ---- */

enum err db_damaged(struct why *why)
{
    return why_set(why, ERR_CORRUPT, "the index of this wiki is damaged; it has to be made again");
}

enum err db_fault(sqlite3 *db, struct why *why)
{
    int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    log_warn("wiki_index.failed", "code=%d message=\"%s\"", code, db ? sqlite3_errmsg(db) : "");
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: return db_damaged(why); /* a table that is not there */
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return why_set(why, ERR_BUSY, "the index of this wiki is being written");
    case SQLITE_FULL: return why_set(why, ERR_FULL, "there is no room left on the server's disk");
    default: return why_set(why, ERR_IO, "the disk failed the index of this wiki");
    }
}

enum err db_fail(struct wiki_index *index, struct why *why)
{
    return db_fault(index->db, why);
}

/* ---- statements ---- */

enum err db_prepare(struct wiki_index *index, enum wiki_statement which, sqlite3_stmt **stmt_out,
                    struct why *why)
{
    sqlite3_stmt **kept = &index->statements[which];
    *stmt_out = NULL;
    if (!*kept && sqlite3_prepare_v3(index->db, statement_texts[which], -1,
                                     SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK) {
        return db_fail(index, why);
    }
    *stmt_out = *kept;
    return OK;
}

enum err db_row(struct wiki_index *index, sqlite3_stmt *stmt, bool *row_out, struct why *why)
{
    int code = sqlite3_step(stmt);
    *row_out = code == SQLITE_ROW;
    if (code == SQLITE_ROW) return OK;
    enum err err = code == SQLITE_DONE ? OK : db_fail(index, why);
    sqlite3_reset(stmt);
    return err;
}

enum err db_run(struct wiki_index *index, sqlite3_stmt *stmt, struct why *why)
{
    bool row;
    enum err err = db_row(index, stmt, &row, why);
    if (row) sqlite3_reset(stmt);
    return err;
}

enum err db_do(struct wiki_index *index, enum wiki_statement which, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, which, &stmt, why);
    return err ? err : db_run(index, stmt, why);
}

void db_undo(struct wiki_index *index)
{
    for (int i = 0; i < WIKI_STATEMENT_COUNT; i++) {
        if (index->statements[i]) sqlite3_reset(index->statements[i]);
    }
    if (!sqlite3_get_autocommit(index->db)) {
        sqlite3_exec(index->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

void db_tidy(struct wiki_index *index)
{
    sqlite3_busy_timeout(index->db, 0); /* readers keep the log: then it waits for the next time */
    sqlite3_wal_checkpoint_v2(index->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(index->db, BUSY_TIMEOUT_MS);
}

enum err db_meta(struct wiki_index *index, const char *key, int64_t *value_out, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    *value_out = 0;
    enum err err = db_prepare(index, WIKI_META_GET, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, str_of(key));
    err = db_row(index, stmt, &row, why);
    if (err || !row) return err;
    *value_out = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return OK;
}

enum err db_meta_put(struct wiki_index *index, const char *key, int64_t value, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_META_PUT, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, str_of(key));
    sqlite3_bind_int64(stmt, 2, value);
    return db_run(index, stmt, why);
}

/* ---- opening ---- */

static enum err run_text(struct wiki_index *index, const char *text, struct why *why)
{
    int code = sqlite3_exec(index->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : db_fail(index, why);
}

static enum err read_version(struct wiki_index *index, int *version_out, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = OK;
    if (sqlite3_prepare_v2(index->db, "PRAGMA user_version", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        err = db_fail(index, why);
    } else {
        *version_out = sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return err;
}

static enum err make_tables(struct wiki_index *index, struct why *why)
{
    char text[64];
    snprintf(text, sizeof(text), "PRAGMA user_version=%d; COMMIT;", WIKI_INDEX_VERSION);
    enum err err = run_text(index, "BEGIN IMMEDIATE", why);
    int version = 0;
    if (!err) err = read_version(index, &version, why);
    if (!err && version == 0) err = run_text(index, schema, why);
    if (!err) err = run_text(index, text, why);
    if (err) db_undo(index);
    return err;
}

static enum err check_version(struct wiki_index *index, struct why *why)
{
    int version = 0;
    enum err err = read_version(index, &version, why);
    if (err || version == WIKI_INDEX_VERSION) return err;
    if (version == 0 && index->writes) return make_tables(index, why);
    if (version == 0) return why_set(why, ERR_NOT_FOUND, "this wiki has no index yet");
    return why_set(why, ERR_CORRUPT,
                   "the index of this wiki is of another version; it has to be made again");
}

static enum err configure(struct wiki_index *index, struct why *why)
{
    sqlite3_extended_result_codes(index->db, 1);
    sqlite3_busy_timeout(index->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(index->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    enum err err = run_text(index,
                            "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                            "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;",
                            why);
    if (err || !index->writes) return err;
    /* Pages of 8 KiB: a block of postings lies in its leaf, five of them. */
    return run_text(index,
                    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                    "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=0;"
                    "PRAGMA journal_size_limit=16777216;",
                    why);
}

static enum err open_file(const char *file, bool writes, struct wiki_index **index_out,
                          struct why *why)
{
    struct wiki_index *index = NEW(struct wiki_index);
    index->file = mem_copy_text(file);
    index->writes = writes;
    index->generation = -1;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    enum err err = OK;
    if (sqlite3_open_v2(file, &index->db, flags, NULL) != SQLITE_OK) err = db_fail(index, why);
    if (!err) err = configure(index, why);
    if (!err) err = check_version(index, why);
    if (err) {
        wiki_index_close(index);
        return err;
    }
    *index_out = index;
    return OK;
}

enum err wiki_index_open(const char *file, struct wiki_index **index_out, struct why *why)
{
    *index_out = NULL;
    return open_file(file, true, index_out, why);
}

enum err wiki_index_open_reader(const char *file, struct wiki_index **index_out, struct why *why)
{
    struct stat info;
    *index_out = NULL;
    if (stat(file, &info) != 0) {
        if (errno == ENOENT) return why_set(why, ERR_NOT_FOUND, "this wiki has no index yet");
        return why_set(why, ERR_IO, "the disk failed the index of this wiki");
    }
    return open_file(file, false, index_out, why);
}

void wiki_index_close(struct wiki_index *index)
{
    if (!index) return;
    for (int i = 0; i < WIKI_STATEMENT_COUNT; i++) sqlite3_finalize(index->statements[i]);
    sqlite3_close(index->db);
    mem_free(index->lengths);
    mem_free(index->scores);
    mem_free(index->file_of);
    mem_free(index->files);
    wiki_neighbours_free(index->neighbours);
    mem_free(index->file);
    mem_free(index);
}
