/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/vectors.c: one connection to the file of vectors, with the index beside it to read.
 *
 * So one statement says which chunks are still without, and one gives each
 * chunk its vector. A file that is damaged is begun anew: it can be, it only
 * costs.
 */
#include "wiki/vectors.h"

#include <sodium.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "wiki/dir.h"
#include "wiki/internal.h"

enum { BUSY_TIMEOUT_MS = 10000, FORMAT = 1, SWEEP_ABOVE = 1000 };

/* Lives on one thread at a time. */
struct wiki_vectors {
    sqlite3 *db;       /* owned */
    size_t dimensions; /* 0: none put yet */
};

static const char schema[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    /* An empty vector: the embedder refused the text. */
    "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;";

/* ---- texts and keys ---- */

struct str wiki_vector_text(struct arena *arena, struct str path, struct str label, struct str text)
{
    return arena_printf(arena, "%.*s\n%.*s\n%.*s", STR_ARGS(path), STR_ARGS(label), STR_ARGS(text));
}

void wiki_vector_key(struct str path, struct str label, struct str text,
                     uint8_t key_out[WIKI_VECTOR_KEY])
{
    const struct str parts[] = {path, STR("\n"), label, STR("\n"), text};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, WIKI_VECTOR_KEY);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const void *bytes = parts[i].at ? parts[i].at : "";
        crypto_generichash_update(&state, bytes, parts[i].len);
    }
    crypto_generichash_final(&state, key_out, WIKI_VECTOR_KEY);
}

/* ---- statements ---- */

static enum err prepare(struct wiki_vectors *vectors, const char *text, sqlite3_stmt **stmt_out,
                        struct why *why)
{
    if (sqlite3_prepare_v2(vectors->db, text, -1, stmt_out, NULL) == SQLITE_OK) return OK;
    return db_fault(vectors->db, why);
}

static enum err step(struct wiki_vectors *vectors, sqlite3_stmt *stmt, bool *row_out,
                     struct why *why)
{
    int code = sqlite3_step(stmt);
    *row_out = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : db_fault(vectors->db, why);
}

static enum err run(struct wiki_vectors *vectors, const char *text, struct why *why)
{
    int code = sqlite3_exec(vectors->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : db_fault(vectors->db, why);
}

/* The one number that a statement gives; 0: no row. */
static enum err number(struct wiki_vectors *vectors, const char *text, int64_t *value_out,
                       struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    *value_out = 0;
    enum err err = prepare(vectors, text, &stmt, why);
    if (!err) err = step(vectors, stmt, &row, why);
    if (!err && row) *value_out = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return err;
}

/* ---- opening ---- */

static enum err attach_index(struct wiki_vectors *vectors, const char *index_file, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    int64_t version = 0;
    if (access(index_file, R_OK) != 0) {
        return why_set(why, ERR_NOT_FOUND, "this wiki has no index yet");
    }
    enum err err = prepare(vectors, "ATTACH ? AS ix", &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, str_of(index_file));
    err = step(vectors, stmt, &row, why);
    sqlite3_finalize(stmt);
    if (!err) err = number(vectors, "PRAGMA ix.user_version", &version, why);
    if (!err && version != WIKI_INDEX_VERSION) err = db_damaged(why);
    return err;
}

static enum err connect(const char *file, int flags, struct wiki_vectors **vectors_out,
                        struct why *why)
{
    struct wiki_vectors *vectors = NEW(struct wiki_vectors);
    *vectors_out = vectors;
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(file, &vectors->db, flags, NULL) != SQLITE_OK) {
        return db_fault(vectors->db, why);
    }
    sqlite3_busy_timeout(vectors->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(vectors->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    return run(vectors, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;", why);
}

/* Whose it is; false: of another embedder or another form of file. */
static enum err is_of(struct wiki_vectors *vectors, struct str embedder, bool *is_out,
                      struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int64_t dimensions = 0;
    enum err err = prepare(vectors, "SELECT value FROM meta WHERE key = 'embedder'", &stmt, why);
    if (!err) err = step(vectors, stmt, &row, why);
    *is_out = !err && row && str_eq(db_text(stmt, 0), embedder);
    sqlite3_finalize(stmt);
    if (!err) {
        err = number(vectors, "SELECT value FROM meta WHERE key = 'dimensions'", &dimensions, why);
    }
    if (dimensions < 0 || dimensions > WIKI_DIMENSIONS_MAX) *is_out = false;
    vectors->dimensions = *is_out ? (size_t)dimensions : 0;
    return err;
}

static enum err make_tables(struct wiki_vectors *vectors, struct str embedder, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    char version[64];
    snprintf(version, sizeof(version), "PRAGMA user_version=%d; COMMIT;", FORMAT);
    enum err err = run(vectors, "BEGIN IMMEDIATE", why);
    if (!err) err = run(vectors, schema, why);
    if (!err) err = prepare(vectors, "INSERT INTO meta VALUES ('embedder', ?)", &stmt, why);
    if (!err) {
        db_bind(stmt, 1, embedder);
        err = step(vectors, stmt, &row, why);
    }
    sqlite3_finalize(stmt);
    return err ? err : run(vectors, version, why);
}

/* *fits_out false: to be begun anew. */
static enum err open_own(const char *file, struct str embedder, struct wiki_vectors **vectors_out,
                         bool *fits_out, struct why *why)
{
    int64_t format = 0;
    *fits_out = true;
    enum err err = connect(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vectors_out, why);
    if (!err) {
        err =
            run(*vectors_out,
                "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", why);
    }
    if (!err) err = number(*vectors_out, "PRAGMA user_version", &format, why);
    if (!err && format == 0) err = make_tables(*vectors_out, embedder, why);
    if (!err && format > 0) {
        err = format == FORMAT ? is_of(*vectors_out, embedder, fits_out, why) : OK;
        if (format != FORMAT) *fits_out = false;
    }
    if (err == ERR_CORRUPT) *fits_out = false; /* a table that is not there is that, too */
    return *fits_out ? err : OK;
}

enum err wiki_vectors_open(const char *file, const char *index_file, struct str embedder,
                           struct wiki_vectors **vectors_out, struct why *why)
{
    bool fits;
    enum err err = open_own(file, embedder, vectors_out, &fits, why);
    if (!fits) {
        log_info("wiki.vectors", "file=%s what=\"begun anew\"", file);
        wiki_vectors_close(*vectors_out);
        *vectors_out = NULL;
        if (!wiki_dir_remove_database(file))
            return why_set(why, ERR_IO, "the disk failed this wiki's vectors");
        err = open_own(file, embedder, vectors_out, &fits, why);
        if (!err && !fits) err = db_damaged(why);
    }
    if (!err) err = attach_index(*vectors_out, index_file, why);
    if (!err) return OK;
    wiki_vectors_close(*vectors_out);
    *vectors_out = NULL;
    return err;
}

void wiki_vectors_close(struct wiki_vectors *vectors)
{
    if (!vectors) return;
    sqlite3_close(vectors->db);
    mem_free(vectors);
}

/* ---- filling ---- */

enum err wiki_vectors_unseen(struct wiki_vectors *vectors, struct arena *arena, uint32_t *chunk_at,
                             size_t max, size_t bytes_max, struct wiki_unseen **unseen_out,
                             size_t *count_out, struct why *why)
{
    static const char text[] =
        "SELECT c.id, c.key, f.path, c.label, c.text FROM ix.chunks c "
        "JOIN ix.files f ON f.id = c.file WHERE c.id >= ? "
        "AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.key = c.key) ORDER BY c.id LIMIT ?";
    sqlite3_stmt *stmt = NULL;
    struct wiki_unseen *unseen = ARENA_ARRAY(arena, struct wiki_unseen, max + 1);
    size_t count = 0, bytes = 0;
    enum err err = prepare(vectors, text, &stmt, why);
    if (!err) {
        sqlite3_bind_int64(stmt, 1, *chunk_at);
        sqlite3_bind_int64(stmt, 2, (int64_t)max);
    }
    for (bool row = true; !err && row && bytes < bytes_max;) {
        err = step(vectors, stmt, &row, why);
        if (err || !row) break;
        struct str key = db_blob(stmt, 1);
        if (key.len != WIKI_VECTOR_KEY) err = db_damaged(why);
        if (err) break;
        struct wiki_unseen *one = &unseen[count++];
        one->chunk = (uint32_t)sqlite3_column_int64(stmt, 0);
        memcpy(one->key, key.at, WIKI_VECTOR_KEY);
        one->text = wiki_vector_text(arena, db_text(stmt, 2), db_text(stmt, 3), db_text(stmt, 4));
        bytes += one->text.len;
        *chunk_at = one->chunk + 1;
    }
    sqlite3_finalize(stmt);
    *unseen_out = unseen;
    *count_out = err ? 0 : count;
    return err;
}

static enum err put_all(struct wiki_vectors *vectors, const struct wiki_vector *list, size_t count,
                        size_t dimensions, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    int8_t packed[WIKI_DIMENSIONS_MAX];
    enum err err = prepare(vectors, "INSERT OR REPLACE INTO vectors VALUES (?, ?)", &stmt, why);
    for (size_t i = 0; i < count && !err; i++) {
        bool row;
        size_t bytes = list[i].values ? dimensions : 0;
        if (bytes) wiki_vector_pack(list[i].values, dimensions, packed);
        sqlite3_reset(stmt);
        db_bind_blob(stmt, 1, (struct str){(const char *)list[i].key, WIKI_VECTOR_KEY});
        db_bind_blob(stmt, 2, (struct str){(const char *)packed, bytes});
        err = step(vectors, stmt, &row, why);
    }
    sqlite3_finalize(stmt);
    return err;
}

static enum err put_dimensions(struct wiki_vectors *vectors, size_t dimensions, struct why *why)
{
    char text[96];
    snprintf(text, sizeof(text), "INSERT OR REPLACE INTO meta VALUES ('dimensions', %zu)",
             dimensions);
    return run(vectors, text, why);
}

enum err wiki_vectors_put(struct wiki_vectors *vectors, const struct wiki_vector *list,
                          size_t count, size_t dimensions, struct why *why)
{
    bool first = vectors->dimensions == 0 && dimensions > 0;
    if (dimensions > WIKI_DIMENSIONS_MAX) {
        return why_set(why, ERR_INVALID, "vectors of %zu numbers are too large: at most %d",
                       dimensions, WIKI_DIMENSIONS_MAX);
    }
    if (!first && dimensions != vectors->dimensions && dimensions > 0) {
        return why_set(why, ERR_INVALID, "the embedder gives %zu numbers now, and gave %zu before",
                       dimensions, vectors->dimensions);
    }
    /* Not IMMEDIATE: that would lock the index beside it, too, which an update holds for long. */
    enum err err = run(vectors, "BEGIN", why);
    if (!err && first) err = put_dimensions(vectors, dimensions, why);
    if (!err) err = put_all(vectors, list, count, dimensions, why);
    if (!err) err = run(vectors, "COMMIT", why);
    if (err) {
        sqlite3_exec(vectors->db, "ROLLBACK", NULL, NULL, NULL);
    } else if (first) {
        vectors->dimensions = dimensions;
    }
    return err;
}

/* ---- telling ---- */

enum err wiki_vectors_coverage(struct wiki_vectors *vectors, struct wiki_coverage *out,
                               struct why *why)
{
    static const char text[] =
        "SELECT count(*), count(v.key), sum(v.key IS NOT NULL AND length(v.vector) = 0) "
        "FROM ix.chunks c LEFT JOIN vectors v ON v.key = c.key";
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    *out = (struct wiki_coverage){0};
    enum err err = prepare(vectors, text, &stmt, why);
    if (!err) err = step(vectors, stmt, &row, why);
    if (!err && row) {
        out->chunks = (uint64_t)sqlite3_column_int64(stmt, 0);
        out->have = (uint64_t)sqlite3_column_int64(stmt, 1);
        out->refused = (uint64_t)sqlite3_column_int64(stmt, 2);
    }
    sqlite3_finalize(stmt);
    return err;
}

enum err wiki_vectors_sweep(struct wiki_vectors *vectors, struct why *why)
{
    int64_t all, chunks;
    enum err err = number(vectors, "SELECT count(*) FROM vectors", &all, why);
    if (!err) err = number(vectors, "SELECT count(*) FROM ix.chunks", &chunks, why);
    /* An index without chunks was begun, and not made yet. */
    if (err || chunks == 0 || all <= 2 * chunks + SWEEP_ABOVE) return err;
    return run(vectors, "DELETE FROM vectors WHERE key NOT IN (SELECT key FROM ix.chunks); VACUUM;",
               why);
}

/* ---- loading ---- */

static enum err fill(struct wiki_vectors *vectors, struct wiki_matrix *matrix, struct why *why)
{
    static const char text[] = "SELECT c.id, v.vector FROM ix.chunks c "
                               "JOIN vectors v ON v.key = c.key ORDER BY c.id";
    sqlite3_stmt *stmt = NULL;
    enum err err = prepare(vectors, text, &stmt, why);
    for (bool row = true; !err && row;) {
        err = step(vectors, stmt, &row, why);
        if (err || !row) break;
        struct str packed = db_blob(stmt, 1);
        int64_t chunk = sqlite3_column_int64(stmt, 0);
        if (packed.len == 0) continue; /* refused */
        if (packed.len != vectors->dimensions || chunk < 0 || chunk > UINT32_MAX) {
            err = db_damaged(why);
        } else {
            wiki_matrix_add(matrix, (uint32_t)chunk, (const int8_t *)packed.at);
        }
    }
    sqlite3_finalize(stmt);
    return err;
}

enum err wiki_vectors_load(const char *file, const char *index_file, struct str embedder,
                           struct wiki_matrix **matrix_out, struct why *why)
{
    struct wiki_vectors *vectors = NULL;
    int64_t format = 0;
    bool is = false;
    *matrix_out = NULL;
    if (access(file, R_OK) != 0) return OK;
    enum err err = connect(file, SQLITE_OPEN_READWRITE, &vectors, why);
    if (!err) err = number(vectors, "PRAGMA user_version", &format, why);
    if (!err && format == FORMAT) err = is_of(vectors, embedder, &is, why);
    if (!err && is && vectors->dimensions > 0) err = attach_index(vectors, index_file, why);
    if (!err && is && vectors->dimensions > 0) {
        *matrix_out = wiki_matrix_new(vectors->dimensions);
        err = fill(vectors, *matrix_out, why);
    }
    if (err || (*matrix_out && wiki_matrix_count(*matrix_out) == 0)) {
        wiki_matrix_release(*matrix_out);
        *matrix_out = NULL;
    }
    wiki_vectors_close(vectors);
    return err;
}
