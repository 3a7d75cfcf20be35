/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/internal.h: the index's file, shared by the files of this room that read and write it.
 *
 * Statements are prepared once for each handle and kept. A statement failed: db_fail() says it
 * in words for people, logs SQLite's, and gives the code.
 */
#pragma once

#include <sqlite3.h>

#include "base/buf.h"
#include "wiki/file_kind.h"
#include "wiki/index.h"
#include "wiki/postings.h"

/* Moves with the tables, the words (wiki/words.h) and the pieces (wiki/split.h): an index of
 * another version is made again. */
enum { WIKI_INDEX_VERSION = 2 };

#define WIKI_STATEMENTS(X)                                                                         \
    X(BEGIN, "BEGIN")                                                                              \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                              \
    X(COMMIT, "COMMIT")                                                                            \
    X(META_GET, "SELECT value FROM meta WHERE key = ?")                                            \
    X(META_PUT, "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")                          \
    X(LENGTHS_GET, "SELECT part, bytes FROM lengths ORDER BY part")                                \
    X(LENGTHS_PUT, "INSERT OR REPLACE INTO lengths (part, bytes) VALUES (?, ?)")                   \
    X(FILES_KNOWN, "SELECT id, path, blob, named, left_out, chunk_first, chunk_count "             \
                   "FROM files ORDER BY path")                                                     \
    X(FILES_LIST, "SELECT path, bytes, lines, language, left_out FROM files ORDER BY path")        \
    X(FILE_BY_PATH, "SELECT id, lines, left_out, chunk_first, chunk_count FROM files "             \
                    "WHERE path = ?")                                                              \
    X(FILES_BELOW, "SELECT chunk_first, chunk_count FROM files WHERE path >= ? AND path < ?")      \
    X(FILE_BY_ID, "SELECT path, chunk_first, chunk_count FROM files WHERE id = ?")                 \
    X(FILE_ADD, "INSERT INTO files (id, path, blob, named, left_out, bytes, lines, language, "     \
                "chunk_first, chunk_count, symbol_count) "                                         \
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                        \
    X(FILE_DROP, "DELETE FROM files WHERE id = ?")                                                 \
    X(CHUNK_ADD, "INSERT INTO chunks (id, file, key, first, last, label, text) "                   \
                 "VALUES (?, ?, ?, ?, ?, ?, ?)")                                                   \
    X(CHUNK_GET, "SELECT chunks.first, chunks.last, chunks.label, chunks.text, files.path, "       \
                 "chunks.file FROM chunks JOIN files ON files.id = chunks.file "                   \
                 "WHERE chunks.id = ?")                                                            \
    X(CHUNKS_OF, "SELECT id, first, last, label, text FROM chunks WHERE id >= ? AND id < ? "       \
                 "ORDER BY id")                                                                    \
    X(CHUNK_AT, "SELECT id FROM chunks WHERE id >= ? AND id < ? AND first <= ? AND last >= ? "     \
                "ORDER BY id LIMIT 1")                                                             \
    X(CHUNKS_DROP, "DELETE FROM chunks WHERE id >= ? AND id < ?")                                  \
    X(WORD_GET, "SELECT first, count, postings FROM words WHERE word = ? ORDER BY first")          \
    X(WORD_LAST, "SELECT first, last, count, postings FROM words WHERE word = ? "                  \
                 "ORDER BY first DESC LIMIT 1")                                                    \
    /* The first block of a word that ends at ?3 or behind it and begins at ?2 or before. */       \
    X(WORD_BETWEEN, "SELECT first, count, postings FROM words WHERE word = ?1 AND first >= "       \
                    "coalesce((SELECT max(first) FROM words WHERE word = ?1 AND first <= ?3), 0) " \
                    "AND first <= ?2 AND last >= ?3 ORDER BY first LIMIT 1")                       \
    X(WORD_PUT, "INSERT OR REPLACE INTO words (word, first, last, count, postings) "               \
                "VALUES (?, ?, ?, ?, ?)")                                                          \
    X(WORD_DROP, "DELETE FROM words WHERE word = ? AND first = ?")                                 \
    X(WORD_COUNT, "SELECT sum(count) FROM words WHERE word = ?")                                   \
    X(SYMBOL_ADD, "INSERT INTO symbols (file, n, name, kind, scope, first, last) "                 \
                  "VALUES (?, ?, ?, ?, ?, ?, ?)")                                                  \
    X(SYMBOLS_DROP, "DELETE FROM symbols WHERE file = ?")                                          \
    X(SYMBOLS_OF, "SELECT symbols.name, kind, scope, path, first, last FROM symbols "              \
                  "JOIN files ON files.id = symbols.file WHERE path = ? ORDER BY n LIMIT ?")       \
    X(SYMBOL_NAMES, "SELECT name, count(*) FROM symbols GROUP BY name COLLATE NOCASE "             \
                    "HAVING count(*) <= ?")                                                        \
    X(SYMBOLS_DEFINED, "SELECT symbols.name, kind, scope, path, first, last, file FROM symbols "   \
                       "JOIN files ON files.id = symbols.file WHERE name = ? COLLATE NOCASE "      \
                       "ORDER BY path, n")                                                         \
    X(FILES_CHUNKS, "SELECT id, path, chunk_first, chunk_count FROM files WHERE chunk_count > 0 "  \
                    "ORDER BY id")                                                                 \
    X(SYMBOLS_NAMED, "SELECT file, kind, first, last, name FROM symbols "                          \
                     "WHERE name = ? COLLATE NOCASE LIMIT ?")                                      \
    X(IMPORT_ADD, "INSERT INTO imports (file, n, text, kind) VALUES (?, ?, ?, ?)")                 \
    X(IMPORTS_DROP, "DELETE FROM imports WHERE file = ?")                                          \
    X(IMPORTS_OF, "SELECT text, kind FROM imports WHERE file = ? ORDER BY n LIMIT ?")              \
    X(IMPORTS_ALL, "SELECT file, text, kind FROM imports ORDER BY file, n")                        \
    X(COUNTS_LEFT, "SELECT left_out, count(*), sum(lines), sum(bytes), sum(chunk_count), "         \
                   "sum(symbol_count) FROM files GROUP BY left_out")

enum wiki_statement {
#define X(name, text) WIKI_##name,
    WIKI_STATEMENTS(X)
#undef X
        WIKI_STATEMENT_COUNT
};

/* What a query wants of every file that has chunks. */
struct wiki_indexed_file {
    uint32_t words; /* the sum of its chunks' lengths */
    enum wiki_file_kind kind;
};

/* Lives on one thread at a time. */
struct wiki_index {
    sqlite3 *db;                                    /* owned */
    sqlite3_stmt *statements[WIKI_STATEMENT_COUNT]; /* owned; NULL until first used */
    char *file;                                     /* owned */
    bool writes;

    /* What a query wants of every chunk, kept as long as `generation` is that of the file. */
    int64_t generation;
    uint16_t *lengths; /* owned; words in a chunk's text by its id, 0: gone */
    size_t length_count;
    uint64_t chunks_alive, words_all;
    float *scores; /* owned; of each chunk, all zero between queries */
    size_t score_count;

    uint32_t *file_of;               /* owned; of each chunk the number of its file, from 0 on */
    struct wiki_indexed_file *files; /* owned */
    size_t file_count;
    int64_t files_generation; /* of these */

    struct wiki_neighbours *neighbours; /* owned; see find_imports.c; NULL: not asked for yet */
};

struct wiki_neighbours;
void wiki_neighbours_free(struct wiki_neighbours *neighbours); /* NULL is fine */

/* ---- index_db.c ---- */

/* Ready to be bound and stepped; never NULL but after a failure to prepare, which is in `err`. */
MUST_USE enum err db_prepare(struct wiki_index *index, enum wiki_statement which,
                             sqlite3_stmt **stmt_out, struct why *why);
/* ERR_CORRUPT: what was read makes no sense. The index can be made again, see wiki/library.c. */
MUST_USE enum err db_damaged(struct why *why);
MUST_USE enum err db_fail(struct wiki_index *index, struct why *why);
MUST_USE enum err db_fault(sqlite3 *db, struct why *why); /* the same of any connection */
/* Steps a statement that gives no rows, and resets it. */
MUST_USE enum err db_run(struct wiki_index *index, sqlite3_stmt *stmt, struct why *why);
/* *row_out is false at the end; then, and after failures, the statement is reset. */
MUST_USE enum err db_row(struct wiki_index *index, sqlite3_stmt *stmt, bool *row_out,
                         struct why *why);
MUST_USE enum err db_do(struct wiki_index *index, enum wiki_statement which, struct why *why);
void db_undo(struct wiki_index *index); /* ends a transaction whatever it takes */
/* The log into the file, as far as nobody reads what was before. */
void db_tidy(struct wiki_index *index);

static inline void db_bind(sqlite3_stmt *stmt, int at, struct str text)
{
    sqlite3_bind_text64(stmt, at, text.at ? text.at : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static inline void db_bind_blob(sqlite3_stmt *stmt, int at, struct str bytes)
{
    sqlite3_bind_blob64(stmt, at, bytes.at ? bytes.at : "", bytes.len, SQLITE_STATIC);
}

static inline struct str db_text(sqlite3_stmt *stmt, int at)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);
    return (struct str){text, text ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static inline struct str db_blob(sqlite3_stmt *stmt, int at)
{
    const char *bytes = sqlite3_column_blob(stmt, at);
    return (struct str){bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

MUST_USE enum err db_meta(struct wiki_index *index, const char *key, int64_t *value_out,
                          struct why *why); /* 0 where there is none */
MUST_USE enum err db_meta_put(struct wiki_index *index, const char *key, int64_t value,
                              struct why *why);

/* ---- index_words.c ---- */

/* Put all of `terms` behind what is there. */
MUST_USE enum err words_put(struct wiki_index *index, const struct wiki_terms *terms,
                            struct why *why);
/* Take them away. */
MUST_USE enum err words_drop(struct wiki_index *index, const struct wiki_terms *terms,
                             struct why *why);
/* The words of a chunk into `terms`; gives how many its text has. */
uint16_t words_of_chunk(struct wiki_terms *terms, uint32_t chunk, struct str path, struct str label,
                        struct str text);

/* Brings `lengths` and `scores` up to date; inside of a transaction. */
MUST_USE enum err lengths_load(struct wiki_index *index, struct why *why);
/* Brings `files` up to date, after lengths_load(). */
MUST_USE enum err files_load(struct wiki_index *index, struct why *why);
/* Writes those parts of `lengths` that hold ids in [first, last). */
MUST_USE enum err lengths_save(struct wiki_index *index, uint32_t first, uint32_t last,
                               struct why *why);
void lengths_set(struct wiki_index *index, uint32_t chunk, uint16_t length);
