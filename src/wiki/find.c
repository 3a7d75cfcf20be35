/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find.c: several orders of chunks made into one.
 *
 * Each signal says in which order it would give the chunks, not how sure it is:
 * points of different signals cannot be compared, places can. The fused order
 * is then thinned, so that one large file does not fill an answer.
 */
#include "wiki/find.h"

#include <math.h>

#include "base/mem.h"
#include "wiki/find_internal.h"

enum { CANDIDATES = 200, RANK_K = 60, QUOTA_MIN = 3, NEAR_SHARE = 6 };

/* How much a place in the order of each signal counts. The graph finds what words do not, but knows
 * less well what is meant: it moves a chunk by a place or two, and adds at the end. So do vectors
 * where the question names an identifier, which words cannot mistake; elsewhere they weigh more.
 * docs/decisions/0009-wiki-index.md has what was measured. */
static const double words_weight = 1.0, graph_weight = 0.03;
static const double vectors_weight = 0.25, vectors_weight_named = 0.05;

static double weight_of_vectors(const struct wiki_asked *asked)
{
    for (size_t i = 0; i < asked->count; i++) {
        if (asked->words[i].named && asked->words[i].chunks > 0) return vectors_weight_named;
    }
    return vectors_weight;
}

/* ---- orders ---- */

static int compare_ranked(const void *a, const void *b)
{
    const struct wiki_ranked *one = a, *two = b;
    if (one->score != two->score) return one->score > two->score ? -1 : 1;
    return one->chunk < two->chunk ? -1 : one->chunk > two->chunk;
}

void wiki_order_sort(struct wiki_order *order, size_t max)
{
    if (order->count > 0) qsort(order->at, order->count, sizeof(*order->at), compare_ranked);
    order->count = MIN(order->count, max);
}

void wiki_order_add(struct arena *arena, struct wiki_order *order, uint32_t chunk, double score)
{
    if (order->count == order->cap) {
        size_t cap = order->cap ? 2 * order->cap : 64;
        struct wiki_ranked *more = ARENA_ARRAY(arena, struct wiki_ranked, cap);
        if (order->count) memcpy(more, order->at, order->count * sizeof(*more));
        order->at = more;
        order->cap = cap;
    }
    order->at[order->count++] = (struct wiki_ranked){chunk, 0, score};
}

/* Chunks named several times become one, with their scores added up and their signals together. */
static void merge_same(struct wiki_order *order)
{
    struct wiki_ranked *at = order->at;
    size_t count = 0;
    for (size_t i = 0; i < order->count; i++) {
        size_t same = 0;
        while (same < count && at[same].chunk != at[i].chunk) same++;
        if (same == count) {
            at[count++] = at[i];
            continue;
        }
        at[same].score += at[i].score;
        at[same].signals |= at[i].signals;
    }
    order->count = count;
}

static void fuse(struct arena *arena, struct wiki_order *into, const struct wiki_order *from,
                 enum wiki_signal signal, double weight)
{
    for (size_t i = 0; i < from->count; i++) {
        wiki_order_add(arena, into, from->at[i].chunk, weight / (double)(RANK_K + i + 1));
        into->at[into->count - 1].signals = signal;
    }
}

/* ---- hits ---- */

struct gathering {
    struct wiki_index *index;
    struct arena *arena;
    struct wiki_hit *hits;
    int64_t *files; /* of the hits */
    size_t count, limit, quota;
};

static size_t hits_of_file(const struct gathering *g, int64_t file)
{
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++) count += g->files[i] == file;
    return count;
}

static enum err gather(struct gathering *g, const struct wiki_ranked *ranked, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    enum err err = db_prepare(g->index, WIKI_CHUNK_GET, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, ranked->chunk);
    err = db_row(g->index, stmt, &row, why);
    if (err || !row) return err;
    int64_t file = sqlite3_column_int64(stmt, 5);
    if (hits_of_file(g, file) < g->quota) {
        g->files[g->count] = file;
        g->hits[g->count++] = (struct wiki_hit){
            .chunk = {.id = ranked->chunk,
                      .path = arena_copy(g->arena, db_text(stmt, 4)),
                      .first = sqlite3_column_int(stmt, 0),
                      .last = sqlite3_column_int(stmt, 1),
                      .symbol = arena_copy(g->arena, db_text(stmt, 2)),
                      .text = arena_copy(g->arena, db_text(stmt, 3))},
            .score = ranked->score,
            .signals = ranked->signals,
        };
    }
    sqlite3_reset(stmt);
    return OK;
}

static bool has_hit(const struct gathering *g, uint32_t chunk)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->hits[i].chunk.id == chunk) return true;
    }
    return false;
}

/* The best of `fused`, until there are `count` hits. */
static enum err gather_best(struct gathering *g, const struct wiki_order *fused, size_t count,
                            struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < fused->count && g->count < count && !err; i++) {
        if (!has_hit(g, fused->at[i].chunk)) err = gather(g, &fused->at[i], why);
    }
    return err;
}

/* What vectors alone find stands behind all that has many words of the question, however near it
 * is: the last places of an answer are for the nearest. */
static enum err gather_nearest(struct gathering *g, const struct wiki_order *near,
                               const struct wiki_order *fused, struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < near->count && g->count < g->limit && !err; i++) {
        uint32_t chunk = near->at[i].chunk;
        size_t at = 0;
        while (fused->at[at].chunk != chunk) at++;
        if (!has_hit(g, chunk)) err = gather(g, &fused->at[at], why);
    }
    return err;
}

static enum err find_inside(struct wiki_index *index, struct arena *arena, struct arena *scratch,
                            const struct wiki_question *question, struct gathering *g,
                            struct why *why)
{
    struct wiki_order words = {0}, near = {0}, graph = {0}, fused = {0};
    struct wiki_asked asked = {0};
    enum err err = lengths_load(index, why);
    if (!err) err = wiki_scope_load(index, scratch, question->path, &asked, why);
    if (!err) err = wiki_ask(index, scratch, question->text, &asked, why);
    if (!err) err = wiki_find_words(index, scratch, &asked, CANDIDATES, &words, why);
    if (!err && question->meaning && (question->signals & WIKI_VECTORS)) {
        err = wiki_find_vectors(index, scratch, &asked, question->meaning, CANDIDATES, &near, why);
    }
    if (!err && (question->signals & WIKI_GRAPH)) {
        err = wiki_find_graph(index, scratch, &asked, &words, CANDIDATES, &graph, why);
    }
    if (err) return err;
    if (question->signals & WIKI_WORDS) fuse(scratch, &fused, &words, WIKI_WORDS, words_weight);
    fuse(scratch, &fused, &near, WIKI_VECTORS, weight_of_vectors(&asked));
    fuse(scratch, &fused, &graph, WIKI_GRAPH, graph_weight);
    merge_same(&fused);
    wiki_order_sort(&fused, fused.count);
    g->hits = ARENA_ARRAY(arena, struct wiki_hit, g->limit + 1);
    g->files = ARENA_ARRAY(scratch, int64_t, g->limit + 1);
    err = gather_best(g, &fused, near.count ? g->limit - g->limit / NEAR_SHARE : g->limit, why);
    if (!err) err = gather_nearest(g, &near, &fused, why);
    return err ? err : gather_best(g, &fused, g->limit, why);
}

enum err wiki_find(struct wiki_index *index, struct arena *arena,
                   const struct wiki_question *question, struct wiki_hit **hits_out,
                   size_t *count_out, struct why *why)
{
    struct arena scratch = {0};
    struct gathering g = {.index = index, .arena = arena};
    g.limit = MIN(question->limit, (size_t)CANDIDATES);
    g.quota = MAX((size_t)QUOTA_MIN, g.limit / 5);
    enum err err = db_do(index, WIKI_BEGIN, why);
    if (!err) err = find_inside(index, arena, &scratch, question, &g, why);
    db_undo(index); /* nothing was written */
    arena_release(&scratch);
    *hits_out = g.hits;
    *count_out = err ? 0 : g.count;
    return err;
}
