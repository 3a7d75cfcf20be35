/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki.h"

#include <sqlite3.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "measure.h"

enum { WINDOW = 350, OVERLAP = 100, CHUNK_BYTES = 1600, QUERY_WORDS_MAX = 64 };

struct plain {
    sqlite3 *db;
    sqlite3_stmt *add, *find;
};

static void must(int code, sqlite3 *db)
{
    if (code != SQLITE_OK && code != SQLITE_DONE) give_up("wiki", "%s", sqlite3_errmsg(db));
}

struct plain *plain_open(const char *file)
{
    struct plain *plain = NEW(struct plain);
    must(sqlite3_open(file, &plain->db), plain->db);
    must(sqlite3_exec(plain->db,
                      "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-65536;"
                      "CREATE VIRTUAL TABLE IF NOT EXISTS texts USING "
                      "fts5(path UNINDEXED, text, tokenize='unicode61');",
                      NULL, NULL, NULL),
         plain->db);
    must(sqlite3_prepare_v2(plain->db, "INSERT INTO texts (path, text) VALUES (?, ?)", -1,
                            &plain->add, NULL),
         plain->db);
    must(sqlite3_prepare_v2(plain->db,
                            "SELECT path FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT ?", -1,
                            &plain->find, NULL),
         plain->db);
    return plain;
}

void plain_close(struct plain *plain)
{
    if (!plain) return;
    sqlite3_finalize(plain->add);
    sqlite3_finalize(plain->find);
    sqlite3_close(plain->db);
    mem_free(plain);
}

static void add(struct plain *plain, struct str path, struct str text)
{
    sqlite3_bind_text(plain->add, 1, path.at, (int)path.len, SQLITE_STATIC);
    sqlite3_bind_text(plain->add, 2, text.at, (int)text.len, SQLITE_STATIC);
    must(sqlite3_step(plain->add), plain->db);
    sqlite3_reset(plain->add);
}

/* Chunk i holds pieces i*250 to i*250+349; the last one ends with the text. */
static uint64_t add_windows(struct plain *plain, struct str path, struct str text)
{
    size_t cap = 1, count = 0;
    for (size_t i = 0; i < text.len; i++) cap += text.at[i] == ' ';
    size_t *ends = mem_alloc(cap * sizeof(*ends));
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == ' ') ends[count++] = i + 1;
    }
    ends[count++] = text.len;
    uint64_t rows = 0;
    for (size_t first = 0;; first += WINDOW - OVERLAP) {
        size_t last = MIN(first + WINDOW, count);
        size_t from = first > 0 ? ends[first - 1] : 0;
        add(plain, path, (struct str){text.at + from, ends[last - 1] - from});
        rows++;
        if (last == count) break;
    }
    mem_free(ends);
    return rows;
}

static uint64_t add_chunks(struct plain *plain, struct str path, struct str text)
{
    uint64_t rows = 0;
    for (; text.len > 0; rows++) {
        size_t len = text.len <= CHUNK_BYTES ? text.len : utf8_floor(text.at, CHUNK_BYTES);
        add(plain, path, str_head(text, len));
        text = str_from(text, len);
    }
    return rows;
}

uint64_t plain_build(struct wiki_index *index, const char *file, bool windows)
{
    struct arena arena = {0};
    struct why why;
    struct wiki_index_file *files;
    size_t count;
    uint64_t rows = 0;
    unlink(file);
    struct plain *plain = plain_open(file);
    must(sqlite3_exec(plain->db, "BEGIN", NULL, NULL, NULL), plain->db);
    if (wiki_index_files(index, &arena, &files, &count, &why)) give_up("wiki", "%s", why.text);
    for (size_t i = 0; i < count; i++) {
        struct arena one = {0};
        struct str text;
        int lines;
        if (files[i].left_out != WIKI_TAKEN) continue;
        if (wiki_index_read(index, &one, files[i].path, 1, 0, &text, &lines, &why)) {
            give_up("wiki", "%s", why.text);
        }
        if (text.len > 0) {
            rows += windows ? add_windows(plain, files[i].path, text)
                            : add_chunks(plain, files[i].path, text);
        }
        arena_release(&one);
    }
    must(sqlite3_exec(plain->db, "COMMIT", NULL, NULL, NULL), plain->db);
    plain_close(plain);
    arena_release(&arena);
    return rows;
}

/* "how" OR "does" …: letters and digits in a row, as unicode61 sees them. */
static struct str plain_query(struct arena *arena, struct str text)
{
    struct buf query;
    size_t words = 0;
    buf_init(&query, 1 << 20);
    while (text.len > 0 && words < QUERY_WORDS_MAX) {
        struct str rest = text;
        size_t len = 0;
        while (rest.len > 0) {
            uint32_t point = utf8_next(&rest);
            if (!utf8_is_word(point) || point == '_') break;
            len = text.len - rest.len;
        }
        if (len > 0) {
            buf_printf(&query, "%s\"%.*s\"", words++ ? " OR " : "", (int)len, text.at);
            text = str_from(text, len);
        } else {
            utf8_next(&text);
        }
    }
    struct str kept = arena_copy(arena, buf_str(&query));
    buf_release(&query);
    return kept;
}

size_t plain_find(struct plain *plain, struct arena *arena, struct str text, size_t max,
                  struct str **files_out)
{
    struct str query = plain_query(arena, text);
    size_t count = 0;
    *files_out = ARENA_ARRAY(arena, struct str, max + 1);
    if (query.len == 0) return 0;
    sqlite3_bind_text(plain->find, 1, query.at, (int)query.len, SQLITE_STATIC);
    sqlite3_bind_int64(plain->find, 2, (int64_t)max);
    while (sqlite3_step(plain->find) == SQLITE_ROW && count < max) {
        (*files_out)[count++] =
            arena_copy(arena, str_of((const char *)sqlite3_column_text(plain->find, 0)));
    }
    sqlite3_reset(plain->find);
    return count;
}

struct str *questions_of_words(struct wiki_index *index, struct arena *arena, size_t count,
                               size_t words, uint64_t seed)
{
    struct why why;
    struct wiki_index_file *files;
    size_t file_count;
    struct rng rng;
    struct str *questions = ARENA_ARRAY(arena, struct str, count);
    rng_init(&rng, seed, 1);
    if (wiki_index_files(index, arena, &files, &file_count, &why)) give_up("wiki", "%s", why.text);
    for (size_t i = 0; i < count;) {
        const struct wiki_index_file *file = &files[rng_below(&rng, (uint32_t)file_count)];
        struct str text;
        int lines;
        if (file->left_out != WIKI_TAKEN || file->lines < 30) continue;
        int first = 1 + (int)rng_below(&rng, (uint32_t)file->lines - 20);
        if (wiki_index_read(index, arena, file->path, first, first + 20, &text, &lines, &why)) {
            continue;
        }
        struct buf question;
        size_t found = 0;
        buf_init(&question, 1 << 16);
        for (size_t at = 0; at < text.len && found < words;) {
            size_t len = 0;
            while (at + len < text.len && ((text.at[at + len] | 32) >= 'a') &&
                   ((text.at[at + len] | 32) <= 'z')) {
                len++;
            }
            if (len >= 3 && rng_below(&rng, 3) == 0) {
                buf_printf(&question, "%s%.*s", found++ ? " " : "", (int)len, text.at + at);
            }
            at += len + 1;
        }
        if (found == words) questions[i++] = arena_copy(arena, buf_str(&question));
        buf_release(&question);
    }
    return questions;
}
