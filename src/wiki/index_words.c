/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/index_words.c: blocks of postings in the table `words`, and the lengths of chunks.
 *
 * Numbers of chunks only grow, so what is new goes behind the last block of its
 * word. What is gone is taken out of the blocks it is in, because its text is
 * still there to say which words it has: the index after an update is that of
 * the new tree, and no query meets the dead.
 */
#include "wiki/internal.h"

#include "base/mem.h"
#include "wiki/words.h"

enum { LENGTHS_A_PART = 32768, LENGTH_MAX = 65535 };

/* ---- words of a chunk ---- */

struct taking {
    struct wiki_terms *terms;
    uint32_t chunk, where;
    size_t count;
};

static void take_word(void *ctx, struct str word, enum wiki_word kind)
{
    struct taking *t = ctx;
    t->count += !(kind & WIKI_WORD_STEM);
    uint32_t whole = kind == WIKI_WORD_WHOLE && t->where == 0 ? WIKI_AS_WHOLE : 0;
    wiki_terms_add(t->terms, word, t->chunk, t->where | whole);
}

uint16_t words_of_chunk(struct wiki_terms *terms, uint32_t chunk, struct str path, struct str label,
                        struct str text)
{
    struct taking taking = {terms, chunk, 0, 0};
    wiki_words(text, take_word, &taking);
    size_t length = MAX(taking.count, (size_t)1);
    taking.where = WIKI_IN_LABEL;
    wiki_words(label, take_word, &taking);
    taking.where = WIKI_IN_PATH;
    wiki_words(path, take_word, &taking);
    return (uint16_t)MIN(length, (size_t)LENGTH_MAX);
}

/* ---- blocks ---- */

static enum err put_block(struct wiki_index *index, struct str word,
                          const struct wiki_block_out *block, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_WORD_PUT, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, word);
    sqlite3_bind_int64(stmt, 2, block->first);
    sqlite3_bind_int64(stmt, 3, block->last);
    sqlite3_bind_int64(stmt, 4, block->count);
    db_bind_blob(stmt, 5, (struct str){block->bytes, block->len});
    return db_run(index, stmt, why);
}

static enum err drop_block(struct wiki_index *index, struct str word, uint32_t first,
                           struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_WORD_DROP, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, word);
    sqlite3_bind_int64(stmt, 2, first);
    return db_run(index, stmt, why);
}

/* The last block of a word, to be gone on with; empty when there is none or it is full. */
static enum err last_block(struct wiki_index *index, struct str word, struct wiki_block_out *block,
                           struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    block->len = 0;
    block->count = 0;
    enum err err = db_prepare(index, WIKI_WORD_LAST, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, word);
    err = db_row(index, stmt, &row, why);
    if (err || !row) return err;
    struct str bytes = db_blob(stmt, 3);
    if (bytes.len <= WIKI_BLOCK_BYTES) {
        memcpy(block->bytes, bytes.at, bytes.len);
        block->len = bytes.len;
        block->first = (uint32_t)sqlite3_column_int64(stmt, 0);
        block->last = (uint32_t)sqlite3_column_int64(stmt, 1);
        block->count = (uint32_t)sqlite3_column_int64(stmt, 2);
        if (wiki_block_is_full(block)) block->len = block->count = 0;
    }
    sqlite3_reset(stmt);
    return OK;
}

static enum err put_term(struct wiki_index *index, const struct wiki_term *term, bool fresh,
                         struct why *why)
{
    struct wiki_block_out block = {.len = 0};
    enum err err = fresh ? OK : last_block(index, term->word, &block, why);
    if (err) return err;
    if (block.count > 0 && block.last >= term->block.first) return db_damaged(why);
    struct str rest = term->block.bytes;
    uint32_t chunk = term->block.first;
    struct wiki_posting posting;
    while (wiki_posting_next(&rest, &chunk, &posting)) {
        if (wiki_block_is_full(&block)) {
            err = put_block(index, term->word, &block, why);
            if (err) return err;
            block.len = block.count = 0;
        }
        wiki_block_add(&block, posting);
    }
    return put_block(index, term->word, &block, why);
}

static enum err has_words(struct wiki_index *index, bool *has_out, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    *has_out = false;
    if (sqlite3_prepare_v2(index->db, "SELECT 1 FROM words LIMIT 1", -1, &stmt, NULL) !=
        SQLITE_OK) {
        return db_fail(index, why);
    }
    enum err err = db_row(index, stmt, has_out, why);
    sqlite3_finalize(stmt);
    return err;
}

enum err words_put(struct wiki_index *index, const struct wiki_terms *terms, struct why *why)
{
    struct wiki_term *sorted;
    size_t count = wiki_terms_sorted(terms, &sorted);
    bool has = true;
    enum err err = has_words(index, &has, why);
    for (size_t i = 0; i < count && !err; i++) err = put_term(index, &sorted[i], !has, why);
    mem_free(sorted);
    return err;
}

/* What of a block is not in `gone`, of which *next is the first that may be in it. */
static void filter(struct str bytes, uint32_t first, struct str *gone, uint32_t *gone_chunk,
                   struct wiki_posting *next, bool *more, struct wiki_block_out *out)
{
    struct wiki_posting posting;
    uint32_t chunk = first;
    while (wiki_posting_next(&bytes, &chunk, &posting)) {
        while (*more && next->chunk < posting.chunk) {
            *more = wiki_posting_next(gone, gone_chunk, next);
        }
        if (*more && next->chunk == posting.chunk) continue;
        wiki_block_add(out, posting);
    }
}

static enum err drop_term(struct wiki_index *index, const struct wiki_term *term, struct why *why)
{
    struct str gone = term->block.bytes;
    uint32_t gone_chunk = term->block.first;
    struct wiki_posting next;
    bool more = wiki_posting_next(&gone, &gone_chunk, &next);
    uint32_t from = term->block.first;
    while (more) {
        /* One block at a time: the table must not change under a statement that reads it. */
        sqlite3_stmt *stmt = NULL;
        bool row;
        enum err err = db_prepare(index, WIKI_WORD_BETWEEN, &stmt, why);
        if (err) return err;
        db_bind(stmt, 1, term->word);
        sqlite3_bind_int64(stmt, 2, term->block.last);
        sqlite3_bind_int64(stmt, 3, MAX(from, next.chunk));
        err = db_row(index, stmt, &row, why);
        if (err || !row) return err;
        uint32_t first = (uint32_t)sqlite3_column_int64(stmt, 0);
        uint32_t count = (uint32_t)sqlite3_column_int64(stmt, 1);
        struct str bytes = db_blob(stmt, 2);
        struct wiki_block_out out = {.len = 0};
        uint32_t last = first;
        if (bytes.len <= WIKI_BLOCK_BYTES) {
            struct str all = bytes;
            struct wiki_posting posting;
            while (wiki_posting_next(&all, &last, &posting)) {
            }
            filter(bytes, first, &gone, &gone_chunk, &next, &more, &out);
        }
        sqlite3_reset(stmt);
        if (out.count < count) {
            err = drop_block(index, term->word, first, why);
            if (!err && out.count > 0) err = put_block(index, term->word, &out, why);
            if (err) return err;
        }
        if (last < from || last == UINT32_MAX)
            return db_damaged(why); /* it ends before it begins */
        from = last + 1;
        while (more && next.chunk < from) more = wiki_posting_next(&gone, &gone_chunk, &next);
    }
    return OK;
}

enum err words_drop(struct wiki_index *index, const struct wiki_terms *terms, struct why *why)
{
    struct wiki_term *sorted;
    size_t count = wiki_terms_sorted(terms, &sorted);
    enum err err = OK;
    for (size_t i = 0; i < count && !err; i++) err = drop_term(index, &sorted[i], why);
    mem_free(sorted);
    return err;
}

/* ---- lengths ---- */

void lengths_set(struct wiki_index *index, uint32_t chunk, uint16_t length)
{
    if (chunk >= index->length_count) {
        size_t count = MAX((size_t)chunk + 1, 2 * index->length_count);
        count = (count + LENGTHS_A_PART - 1) / LENGTHS_A_PART * LENGTHS_A_PART;
        index->lengths = mem_resize(index->lengths, count * sizeof(*index->lengths));
        memset(index->lengths + index->length_count, 0,
               (count - index->length_count) * sizeof(*index->lengths));
        index->length_count = count;
    }
    uint16_t before = index->lengths[chunk];
    index->chunks_alive += (length > 0) - (before > 0);
    index->words_all += length;
    index->words_all -= before;
    index->lengths[chunk] = length;
}

static enum err load_parts(struct wiki_index *index, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_LENGTHS_GET, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        uint64_t part = (uint64_t)sqlite3_column_int64(stmt, 0);
        struct str bytes = db_blob(stmt, 1);
        if (bytes.len != LENGTHS_A_PART * sizeof(uint16_t) || part > UINT32_MAX / LENGTHS_A_PART) {
            sqlite3_reset(stmt);
            return db_damaged(why);
        }
        for (size_t i = 0; i < LENGTHS_A_PART; i++) {
            uint16_t length;
            memcpy(&length, bytes.at + i * sizeof(length), sizeof(length));
            if (length) lengths_set(index, (uint32_t)(part * LENGTHS_A_PART + i), length);
        }
    }
    return err;
}

enum err lengths_load(struct wiki_index *index, struct why *why)
{
    int64_t generation;
    enum err err = db_meta(index, "generation", &generation, why);
    if (err || generation == index->generation) return err;
    mem_free(index->lengths);
    index->lengths = NULL;
    index->length_count = 0;
    index->chunks_alive = index->words_all = 0;
    index->generation = -1;
    err = load_parts(index, why);
    if (err) return err;
    mem_free(index->scores);
    index->scores = mem_alloc((index->length_count + 1) * sizeof(*index->scores));
    index->score_count = index->length_count;
    index->generation = generation;
    return OK;
}

enum err lengths_save(struct wiki_index *index, uint32_t first, uint32_t last, struct why *why)
{
    for (size_t part = first / LENGTHS_A_PART;
         part * LENGTHS_A_PART < MIN((size_t)last, index->length_count); part++) {
        sqlite3_stmt *stmt = NULL;
        enum err err = db_prepare(index, WIKI_LENGTHS_PUT, &stmt, why);
        if (err) return err;
        sqlite3_bind_int64(stmt, 1, (int64_t)part);
        db_bind_blob(stmt, 2,
                     (struct str){(const char *)(index->lengths + part * LENGTHS_A_PART),
                                  LENGTHS_A_PART * sizeof(*index->lengths)});
        err = db_run(index, stmt, why);
        if (err) return err;
    }
    return OK;
}

/* ---- files ---- */

static void take_file(struct wiki_index *index, sqlite3_stmt *stmt)
{
    uint32_t number = (uint32_t)index->file_count++;
    struct wiki_indexed_file *file = &index->files[number];
    int64_t first = sqlite3_column_int64(stmt, 2), count = sqlite3_column_int64(stmt, 3);
    *file = (struct wiki_indexed_file){0, wiki_file_kind(db_text(stmt, 1))};
    for (int64_t at = MAX(first, 0); at - first < count && at < (int64_t)index->length_count;
         at++) {
        index->file_of[at] = number;
        file->words += index->lengths[at];
    }
}

enum err files_load(struct wiki_index *index, struct why *why)
{
    if (index->file_of && index->files_generation == index->generation) return OK;
    mem_free(index->file_of);
    index->file_of = mem_alloc((index->length_count + 1) * sizeof(*index->file_of));
    index->file_count = 0;
    index->files_generation = -1;
    size_t cap = 256;
    index->files = mem_resize(index->files, cap * sizeof(*index->files));
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_FILES_CHUNKS, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        if (index->file_count == cap) {
            cap *= 2;
            index->files = mem_resize(index->files, cap * sizeof(*index->files));
        }
        take_file(index, stmt);
    }
    if (!err) index->files_generation = index->generation;
    return err;
}
