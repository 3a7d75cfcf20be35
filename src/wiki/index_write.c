/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/index_write.c: an index brought up to its tree, in one transaction.
 *
 * Both lists of files are in order of paths, so one walk along both tells what
 * is gone, what is new and what has other bytes. What is gone is taken out
 * first, then what is new is put in, read and split by a thread of its own. Words are collected in
 * memory and written in order when they get many.
 */
#include "wiki/internal.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "wiki/reading.h"
#include "wiki/vectors.h"

enum { TERMS_MAX_BYTES = 96 << 20, PROGRESS_EVERY = 64 };

/* A file that the index has. */
struct known {
    int64_t id;
    struct str path, blob;
    int named, left_out;
    int64_t chunk_first, chunk_count;
    bool gone;
};

struct updating {
    struct wiki_index *index;
    const struct wiki_update *update;
    struct arena arena; /* what is known of the old files */
    struct known *known;
    size_t known_count;
    bool *wanted; /* of the tree's files: to be read */
    struct wiki_terms *terms;
    uint64_t changed, done;
    int64_t next_file;
    uint32_t next_chunk;
    int64_t next_gone;                    /* the least chunk that may be taken out next */
    uint32_t touched_first, touched_last; /* chunks whose lengths have changed */
};

static enum err stopped(const struct updating *u, struct why *why)
{
    if (!u->update->stop || !atomic_load(u->update->stop)) return OK;
    return why_set(why, ERR_CANCELLED, "indexing was stopped");
}

static void tell(const struct updating *u, uint64_t all)
{
    if (u->update->progress && (u->done % PROGRESS_EVERY == 0 || u->done == all)) {
        u->update->progress(u->update->ctx, u->done, all);
    }
}

/* ---- what has changed ---- */

static enum err load_known(struct updating *u, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    size_t cap = 0;
    enum err err = db_prepare(u->index, WIKI_FILES_KNOWN, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(u->index, stmt, &row, why);
        if (err || !row) break;
        if (u->known_count == cap) {
            cap = cap ? 2 * cap : 256;
            u->known = mem_resize(u->known, cap * sizeof(*u->known));
        }
        u->known[u->known_count++] = (struct known){
            sqlite3_column_int64(stmt, 0),
            arena_copy(&u->arena, db_text(stmt, 1)),
            arena_copy(&u->arena, db_text(stmt, 2)),
            sqlite3_column_int(stmt, 3),
            sqlite3_column_int(stmt, 4),
            sqlite3_column_int64(stmt, 5),
            sqlite3_column_int64(stmt, 6),
            false,
        };
    }
    return err;
}

static int compare_paths(struct str a, struct str b)
{
    int order = a.len && b.len ? memcmp(a.at, b.at, MIN(a.len, b.len)) : 0;
    if (order != 0) return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* What could not be read is tried again. */
static bool is_same(const struct known *known, const struct wiki_file *file,
                    enum wiki_left_out left_out)
{
    return str_eq(known->blob, file->blob) && known->named == (int)left_out &&
           known->left_out != WIKI_LEFT_UNREADABLE;
}

static void compare(struct updating *u)
{
    size_t count = wiki_tree_count(u->update->tree), old = 0;
    u->wanted = mem_alloc(count + 1);
    for (size_t i = 0; i < count; i++) {
        enum wiki_left_out left_out;
        const struct wiki_file *file = wiki_tree_file(u->update->tree, i, &left_out);
        while (old < u->known_count && compare_paths(u->known[old].path, file->path) < 0) {
            u->known[old++].gone = true;
        }
        struct known *known = old < u->known_count ? &u->known[old] : NULL;
        if (known && str_eq(known->path, file->path)) {
            old++;
            if (is_same(known, file, left_out)) continue;
            known->gone = true;
        }
        u->wanted[i] = true;
        u->changed++;
    }
    while (old < u->known_count) u->known[old++].gone = true;
}

/* ---- out ---- */

static void touch(struct updating *u, uint32_t chunk, uint16_t length)
{
    lengths_set(u->index, chunk, length);
    u->touched_first = MIN(u->touched_first, chunk);
    u->touched_last = MAX(u->touched_last, chunk + 1);
}

static enum err drop_words_of(struct updating *u, const struct known *known, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(u->index, WIKI_CHUNKS_OF, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, known->chunk_first);
    sqlite3_bind_int64(stmt, 2, known->chunk_first + known->chunk_count);
    for (bool row = true; !err && row;) {
        err = db_row(u->index, stmt, &row, why);
        if (err || !row) break;
        int64_t chunk = sqlite3_column_int64(stmt, 0);
        struct str label = db_text(stmt, 3), text = db_text(stmt, 4);
        /* Postings are collected in order of chunks. */
        if (chunk < u->next_gone || chunk >= u->next_chunk || !utf8_valid(label) ||
            !utf8_valid(text)) {
            err = db_damaged(why);
            break;
        }
        u->next_gone = chunk + 1;
        words_of_chunk(u->terms, (uint32_t)chunk, known->path, label, text);
        touch(u, (uint32_t)chunk, 0);
    }
    if (err) sqlite3_reset(stmt);
    return err;
}

static enum err drop_rows_of(struct updating *u, const struct known *known, struct why *why)
{
    static const enum wiki_statement drops[] = {WIKI_FILE_DROP, WIKI_SYMBOLS_DROP,
                                                WIKI_IMPORTS_DROP, WIKI_CHUNKS_DROP};
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(drops) && !err; i++) {
        sqlite3_stmt *stmt = NULL;
        err = db_prepare(u->index, drops[i], &stmt, why);
        if (err) return err;
        sqlite3_bind_int64(stmt, 1, drops[i] == WIKI_CHUNKS_DROP ? known->chunk_first : known->id);
        if (drops[i] == WIKI_CHUNKS_DROP) {
            sqlite3_bind_int64(stmt, 2, known->chunk_first + known->chunk_count);
        }
        err = db_run(u->index, stmt, why);
    }
    return err;
}

static int compare_chunks(const void *a, const void *b)
{
    const struct known *one = a, *two = b;
    return one->chunk_first < two->chunk_first ? -1 : one->chunk_first > two->chunk_first;
}

static enum err drop_gone(struct updating *u, struct why *why)
{
    enum err err = OK;
    if (u->known_count > 0) {
        qsort(u->known, u->known_count, sizeof(*u->known), compare_chunks);
    }
    for (size_t i = 0; i < u->known_count && !err; i++) {
        if (!u->known[i].gone) continue;
        err = stopped(u, why);
        if (!err) err = drop_words_of(u, &u->known[i], why);
        if (!err) err = drop_rows_of(u, &u->known[i], why);
        if (!err && wiki_terms_bytes(u->terms) > TERMS_MAX_BYTES) {
            err = words_drop(u->index, u->terms, why);
            wiki_terms_reset(u->terms);
        }
    }
    if (!err) err = words_drop(u->index, u->terms, why);
    wiki_terms_reset(u->terms);
    return err;
}

/* ---- in ---- */

static enum err add_file_row(struct updating *u, const struct wiki_incoming *in, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(u->index, WIKI_FILE_ADD, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, u->next_file);
    db_bind(stmt, 2, in->path);
    db_bind(stmt, 3, in->blob);
    sqlite3_bind_int(stmt, 4, (int)in->named);
    sqlite3_bind_int(stmt, 5, (int)in->left_out);
    sqlite3_bind_int64(stmt, 6, (int64_t)in->bytes);
    sqlite3_bind_int(stmt, 7, in->piece_count ? in->pieces[in->piece_count - 1].last : 0);
    db_bind(stmt, 8, in->language);
    sqlite3_bind_int64(stmt, 9, u->next_chunk);
    sqlite3_bind_int64(stmt, 10, (int64_t)in->piece_count);
    sqlite3_bind_int64(stmt, 11, (int64_t)in->mark_count);
    return db_run(u->index, stmt, why);
}

static enum err add_chunk(struct updating *u, const struct wiki_incoming *in,
                          const struct wiki_piece *piece, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    uint8_t key[WIKI_VECTOR_KEY];
    enum err err = db_prepare(u->index, WIKI_CHUNK_ADD, &stmt, why);
    if (err) return err;
    uint32_t chunk = u->next_chunk++;
    sqlite3_bind_int64(stmt, 1, chunk);
    sqlite3_bind_int64(stmt, 2, u->next_file);
    wiki_vector_key(in->path, piece->label, piece->text, key);
    db_bind_blob(stmt, 3, (struct str){(const char *)key, sizeof(key)});
    sqlite3_bind_int(stmt, 4, piece->first);
    sqlite3_bind_int(stmt, 5, piece->last);
    db_bind(stmt, 6, piece->label);
    db_bind(stmt, 7, piece->text);
    err = db_run(u->index, stmt, why);
    touch(u, chunk, words_of_chunk(u->terms, chunk, in->path, piece->label, piece->text));
    return err;
}

static enum err add_symbol(struct updating *u, size_t n, const struct wiki_mark *mark,
                           struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(u->index, WIKI_SYMBOL_ADD, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, u->next_file);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    db_bind(stmt, 3, mark->name);
    db_bind(stmt, 4, mark->kind);
    db_bind(stmt, 5, mark->scope);
    sqlite3_bind_int(stmt, 6, mark->first);
    sqlite3_bind_int(stmt, 7, MAX(mark->first, mark->last));
    return db_run(u->index, stmt, why);
}

static enum err add_import(struct updating *u, size_t n, const struct wiki_import *import,
                           struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(u->index, WIKI_IMPORT_ADD, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, u->next_file);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    db_bind(stmt, 3, import->text);
    sqlite3_bind_int(stmt, 4, (int)import->kind);
    return db_run(u->index, stmt, why);
}

static enum err add_incoming(struct updating *u, const struct wiki_incoming *in, struct why *why)
{
    enum err err = add_file_row(u, in, why);
    for (size_t i = 0; i < in->piece_count && !err; i++) {
        err = add_chunk(u, in, &in->pieces[i], why);
    }
    for (size_t i = 0; i < in->mark_count && !err; i++) err = add_symbol(u, i, &in->marks[i], why);
    for (size_t i = 0; i < in->import_count && !err; i++) {
        err = add_import(u, i, &in->imports[i], why);
    }
    u->next_file++;
    if (!err && wiki_terms_bytes(u->terms) > TERMS_MAX_BYTES) {
        err = words_put(u->index, u->terms, why);
        wiki_terms_reset(u->terms);
    }
    return err;
}

static enum err add_new(struct updating *u, struct why *why)
{
    size_t count = wiki_tree_count(u->update->tree);
    u->done = count - u->changed;
    if (u->changed == 0) tell(u, count);
    struct wiki_reading *reading = wiki_reading_start(u->update->tree, u->wanted);
    enum err err = OK;
    for (struct wiki_incoming *in; !err && (in = wiki_reading_next(reading));) {
        err = stopped(u, why);
        if (!err && in->err) {
            *why = in->why;
            /* Of the repository, not of the index, which would be made again for it. */
            err = in->err == ERR_CORRUPT ? ERR_IO : in->err;
        }
        if (!err) err = add_incoming(u, in, why);
        wiki_incoming_free(in);
        u->done++;
        if (!err) tell(u, count);
    }
    wiki_reading_end(reading);
    return err ? err : words_put(u->index, u->terms, why);
}

/* ---- all of it ---- */

static enum err load_counters(struct updating *u, struct why *why)
{
    int64_t next_chunk;
    enum err err = lengths_load(u->index, why);
    if (!err) err = db_meta(u->index, "next_chunk", &next_chunk, why);
    if (!err) err = db_meta(u->index, "next_file", &u->next_file, why);
    if (err) return err;
    /* Numbers are not used twice: when they run out, the index is made again. */
    if (next_chunk > INT32_MAX) return db_damaged(why);
    u->next_chunk = (uint32_t)MAX(next_chunk, 1);
    u->next_file = MAX(u->next_file, 1);
    u->touched_first = UINT32_MAX;
    return OK;
}

static enum err save_counters(struct updating *u, struct why *why)
{
    enum err err = lengths_save(u->index, u->touched_first, u->touched_last, why);
    if (!err) err = db_meta_put(u->index, "next_chunk", u->next_chunk, why);
    if (!err) err = db_meta_put(u->index, "next_file", u->next_file, why);
    if (!err) err = db_meta_put(u->index, "changed", (int64_t)u->changed, why);
    if (!err) err = db_meta_put(u->index, "generation", u->index->generation + 1, why);
    return err;
}

static enum err update_inside(struct updating *u, struct why *why)
{
    enum err err = load_counters(u, why);
    if (!err) err = load_known(u, why);
    if (err) return err;
    compare(u);
    err = drop_gone(u, why);
    if (!err) err = add_new(u, why);
    return err ? err : save_counters(u, why);
}

enum err wiki_index_update(struct wiki_index *index, const struct wiki_update *update,
                           struct wiki_index_state *state_out, struct why *why)
{
    ASSERT(index->writes);
    struct updating u = {.index = index, .update = update, .terms = wiki_terms_new()};
    enum err err = db_do(index, WIKI_BEGIN_WRITE, why);
    if (!err) err = update_inside(&u, why);
    if (!err) err = db_do(index, WIKI_COMMIT, why);
    if (err) db_undo(index);
    index->generation = -1; /* what is in memory may be of what never came */
    if (!err) db_tidy(index);
    wiki_terms_free(u.terms);
    mem_free(u.known);
    mem_free(u.wanted);
    arena_release(&u.arena);
    return err ? err : wiki_index_state(index, state_out, why);
}
