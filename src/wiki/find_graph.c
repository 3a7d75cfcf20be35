/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find_graph.c: chunks by who defines and who mentions what.
 *
 * From the question: what defines the identifiers in it. From the best hits of
 * the words: what defines the symbols they mention, and what their files import
 * (find_imports.c). A name that is defined in many places, or mentioned
 * everywhere, leads nowhere and is passed over.
 */
#include "wiki/find_internal.h"

#include <math.h>

enum {
    HITS_LOOKED_AT = 12,
    DEFINITIONS_MAX = 6, /* a name with more of them is no name of one thing */
    NAMES_OF_A_HIT = 80
};

struct definition {
    int64_t file;
    int first, last;
};

/* Where `name` is defined; *count_out is 0 too where there are too many. */
static enum err definitions_of(struct wiki_index *index, struct str name,
                               struct definition out[DEFINITIONS_MAX], size_t *count_out,
                               struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    size_t count = 0;
    *count_out = 0;
    enum err err = db_prepare(index, WIKI_SYMBOLS_NAMED, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, name);
    sqlite3_bind_int(stmt, 2, DEFINITIONS_MAX + 1);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        if (count < DEFINITIONS_MAX) {
            out[count] =
                (struct definition){sqlite3_column_int64(stmt, 0), sqlite3_column_int(stmt, 2),
                                    sqlite3_column_int(stmt, 3)};
        }
        count++;
    }
    if (!err && count <= DEFINITIONS_MAX) *count_out = count;
    return err;
}

/* The chunk with a line of a file; 0: none. */
static enum err chunk_at(struct wiki_index *index, int64_t file, int line, uint32_t *chunk_out,
                         struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    *chunk_out = 0;
    enum err err = db_prepare(index, WIKI_FILE_BY_ID, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, file);
    err = db_row(index, stmt, &row, why);
    if (err || !row) return err;
    int64_t first = sqlite3_column_int64(stmt, 1), count = sqlite3_column_int64(stmt, 2);
    sqlite3_reset(stmt);
    err = db_prepare(index, WIKI_CHUNK_AT, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, first);
    sqlite3_bind_int64(stmt, 2, first + count);
    sqlite3_bind_int(stmt, 3, line);
    sqlite3_bind_int(stmt, 4, line);
    err = db_row(index, stmt, &row, why);
    if (err || !row) return err;
    *chunk_out = (uint32_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return OK;
}

/* The chunk of each definition of `name` gets its share of `worth`. */
static enum err credit_definitions(struct wiki_index *index, struct arena *arena,
                                   const struct wiki_asked *asked, struct str name, double worth,
                                   struct wiki_order *order, struct why *why)
{
    struct definition definitions[DEFINITIONS_MAX];
    size_t count;
    enum err err = definitions_of(index, name, definitions, &count, why);
    for (size_t i = 0; i < count && !err; i++) {
        uint32_t chunk;
        err = chunk_at(index, definitions[i].file, definitions[i].first, &chunk, why);
        if (err || chunk == 0 || chunk >= index->length_count) continue;
        if (asked->scope && !asked->scope[chunk]) continue;
        double kind = asked->kind_weights[index->files[index->file_of[chunk]].kind];
        wiki_order_add(arena, order, chunk, kind * worth / (double)count);
    }
    return err;
}

/* ---- what the best hits mention ---- */

struct naming {
    struct arena *arena;
    struct str names[NAMES_OF_A_HIT];
    size_t count;
    struct str last; /* the whole word before, whose parts these are */
};

static bool looks_like_a_name(struct str word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '_' && i > 0) return true;
    }
    return false;
}

/* Identifiers of several words: what is one word is rarely meant as a name. */
static void take_name(void *ctx, struct str word, enum wiki_word kind)
{
    struct naming *n = ctx;
    if (kind == WIKI_WORD_WHOLE) n->last = arena_copy(n->arena, word);
    bool of_parts = kind == WIKI_WORD_PART && n->last.len > word.len;
    if (!of_parts && !(kind == WIKI_WORD_WHOLE && looks_like_a_name(word))) return;
    struct str name = n->last;
    for (size_t i = 0; i < n->count; i++) {
        if (str_eq(n->names[i], name)) return;
    }
    if (n->count < NAMES_OF_A_HIT) n->names[n->count++] = name;
}

static enum err names_of_chunk(struct wiki_index *index, uint32_t chunk, struct naming *naming,
                               struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    enum err err = db_prepare(index, WIKI_CHUNK_GET, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, chunk);
    err = db_row(index, stmt, &row, why);
    if (err || !row) return err;
    wiki_words(db_text(stmt, 3), take_name, naming);
    sqlite3_reset(stmt);
    return OK;
}

static enum err follow_hit(struct wiki_index *index, struct arena *arena,
                           const struct wiki_asked *asked, uint32_t chunk, double worth,
                           struct wiki_order *order, struct why *why)
{
    struct naming naming = {.arena = arena};
    enum err err = names_of_chunk(index, chunk, &naming, why);
    for (size_t i = 0; i < naming.count && !err; i++) {
        uint64_t mentions;
        err = wiki_word_count(index, naming.names[i], &mentions, why);
        if (err || mentions * 20 > index->chunks_alive + 200) continue;
        err = credit_definitions(index, arena, asked, naming.names[i],
                                 worth * wiki_rarity(index, mentions), order, why);
    }
    return err;
}

static int compare_chunk(const void *a, const void *b)
{
    const struct wiki_ranked *one = a, *two = b;
    return one->chunk < two->chunk ? -1 : one->chunk > two->chunk;
}

static void add_up(struct wiki_order *order)
{
    size_t count = 0;
    if (order->count == 0) return;
    qsort(order->at, order->count, sizeof(*order->at), compare_chunk);
    for (size_t i = 1; i < order->count; i++) {
        if (order->at[i].chunk == order->at[count].chunk) {
            order->at[count].score += order->at[i].score;
        } else {
            order->at[++count] = order->at[i];
        }
    }
    order->count = count + 1;
}

enum err wiki_find_graph(struct wiki_index *index, struct arena *arena,
                         const struct wiki_asked *asked, const struct wiki_order *best, size_t max,
                         struct wiki_order *order_out, struct why *why)
{
    struct wiki_order order = {0};
    enum err err = OK;
    for (size_t i = 0; i < asked->count && !err; i++) {
        const struct wiki_asked_word *word = &asked->words[i];
        if (word->kind != WIKI_WORD_WHOLE || word->weight == 0.0) continue;
        double worth = word->rarity * (word->named ? 10.0 : 2.0);
        err = credit_definitions(index, arena, asked, word->word, worth, &order, why);
    }
    for (size_t i = 0; i < MIN(best->count, (size_t)HITS_LOOKED_AT) && !err; i++) {
        double worth = best->at[i].score / best->at[0].score / (double)(i + 3);
        err = follow_hit(index, arena, asked, best->at[i].chunk, worth, &order, why);
    }
    if (!err) err = wiki_find_imports(index, arena, best, &order, why);
    if (err) return err;
    add_up(&order);
    wiki_order_sort(&order, max);
    *order_out = order;
    return OK;
}
