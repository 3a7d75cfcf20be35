/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/graph.c: which symbols matter, and which files lean on which.
 *
 * A file leans on another if it mentions what that defines, or says itself that it
 * needs it (wiki/imports.h).
 *
 * No table of mentions is kept: the words of the index say in which chunks a
 * name stands, so an update has nothing to mend here. A name that is defined in
 * more than a few places is no name of one thing, and one that half of the
 * files mention tells nothing about any of them.
 */
#include "wiki/find_internal.h"

#include "base/map.h"
#include "base/mem.h"
#include "wiki/imports.h"

enum {
    DEFINED_MAX = 3,
    NAME_MIN = 3,
    COMMON_FILES_MIN = 12,
    COMMON_FILES_MAX = 500,
    COMMON_SHARE = 5
};

/* ---- names as words ---- */

struct folding {
    char word[WIKI_WORD_BYTES];
    size_t len, wholes;
    bool parts;
};

static void fold(void *ctx, struct str word, enum wiki_word kind)
{
    struct folding *f = ctx;
    if (kind == WIKI_WORD_PART) f->parts = true;
    if (kind != WIKI_WORD_WHOLE) return;
    f->wholes++;
    f->len = word.len;
    memcpy(f->word, word.at, word.len);
}

/* The word of a symbol's name; false where it is none or several ("operator ++"). */
static bool fold_name(struct str name, struct folding *out)
{
    *out = (struct folding){.len = 0};
    wiki_words(name, fold, out);
    return out->wholes == 1 && out->len >= NAME_MIN;
}

/* ---- symbols ---- */

static enum err list_symbols(struct wiki_index *index, struct arena *arena, sqlite3_stmt *stmt,
                             size_t max, struct wiki_symbol *symbols, size_t *count,
                             struct why *why)
{
    enum err err = OK;
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        if (*count == max) continue;
        symbols[(*count)++] = (struct wiki_symbol){
            .name = arena_copy(arena, db_text(stmt, 0)),
            .kind = arena_copy(arena, db_text(stmt, 1)),
            .scope = arena_copy(arena, db_text(stmt, 2)),
            .path = arena_copy(arena, db_text(stmt, 3)),
            .first = sqlite3_column_int(stmt, 4),
            .last = sqlite3_column_int(stmt, 5),
        };
    }
    return err;
}

static enum err symbols_of_file(struct wiki_index *index, struct arena *arena, struct str path,
                                size_t max, struct wiki_symbol *symbols, size_t *count,
                                struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_SYMBOLS_OF, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, path);
    sqlite3_bind_int64(stmt, 2, (int64_t)max);
    return list_symbols(index, arena, stmt, max, symbols, count, why);
}

struct named {
    struct str name;
    double worth;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *one = a, *two = b;
    if (one->worth != two->worth) return one->worth > two->worth ? -1 : 1;
    int order = memcmp(one->name.at, two->name.at, MIN(one->name.len, two->name.len));
    if (order != 0) return order;
    return one->name.len < two->name.len ? -1 : one->name.len > two->name.len;
}

struct names {
    struct named *at; /* owned */
    size_t count, cap;
};

/* All names that may be of one thing, with what they are worth: how many chunks mention them. One
 * plain word is mostly written without the symbol being meant. */
static enum err rank_names(struct wiki_index *index, struct arena *arena, struct names *names,
                           struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_SYMBOL_NAMES, &stmt, why);
    if (err) return err;
    sqlite3_bind_int(stmt, 1, DEFINED_MAX);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        struct folding folded;
        struct str name = db_text(stmt, 0);
        uint64_t mentions = 0;
        if (!fold_name(name, &folded)) continue;
        err = wiki_word_count(index, (struct str){folded.word, folded.len}, &mentions, why);
        if (err || mentions < 2) continue;
        if (names->count == names->cap) {
            names->cap = names->cap ? 2 * names->cap : 256;
            names->at = mem_resize(names->at, names->cap * sizeof(*names->at));
        }
        double worth = (double)mentions / (folded.parts ? 1.0 : 8.0);
        names->at[names->count++] = (struct named){arena_copy(arena, name), worth};
    }
    if (err) sqlite3_reset(stmt);
    return err;
}

static enum err symbols_of_all(struct wiki_index *index, struct arena *arena, size_t max,
                               struct wiki_symbol *symbols, size_t *count, struct why *why)
{
    struct names names = {0};
    struct arena scratch = {0};
    enum err err = rank_names(index, &scratch, &names, why);
    if (names.count > 0) qsort(names.at, names.count, sizeof(*names.at), compare_named);
    for (size_t i = 0; i < names.count && *count < max && !err; i++) {
        sqlite3_stmt *stmt = NULL;
        err = db_prepare(index, WIKI_SYMBOLS_DEFINED, &stmt, why);
        if (err) break;
        db_bind(stmt, 1, names.at[i].name);
        err = list_symbols(index, arena, stmt, max, symbols, count, why);
    }
    arena_release(&scratch);
    mem_free(names.at);
    return err;
}

enum err wiki_index_symbols(struct wiki_index *index, struct arena *arena, struct str path,
                            size_t max, struct wiki_symbol **symbols_out, size_t *count_out,
                            struct why *why)
{
    struct wiki_symbol *symbols = ARENA_ARRAY(arena, struct wiki_symbol, max + 1);
    size_t count = 0;
    enum err err = db_do(index, WIKI_BEGIN, why);
    if (!err && path.len > 0) {
        err = symbols_of_file(index, arena, path, max, symbols, &count, why);
    } else if (!err) {
        err = symbols_of_all(index, arena, max, symbols, &count, why);
    }
    db_undo(index); /* nothing was written */
    *symbols_out = symbols;
    *count_out = err ? 0 : count;
    return err;
}

/* ---- edges ---- */

struct place {
    int64_t id;
    struct str path;
};

struct edge_sum {
    uint64_t key; /* places of both ends, `from` in the upper half */
    uint64_t weight;
};

struct edging {
    struct wiki_index *index;
    struct arena arena;
    struct place *places; /* of files with chunks, in order of ids */
    size_t place_count;
    uint32_t *place_of; /* owned; of a chunk */
    struct map sums;
    /* the name at hand */
    uint32_t *mentioned; /* places that mention it */
    size_t mentioned_count, mentioned_max;
    bool common;
};

static enum err load_places(struct edging *e, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    size_t cap = 0;
    e->place_of = mem_alloc((e->index->length_count + 1) * sizeof(*e->place_of));
    enum err err = db_prepare(e->index, WIKI_FILES_CHUNKS, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(e->index, stmt, &row, why);
        if (err || !row) break;
        if (e->place_count == cap) {
            size_t more_cap = cap ? 2 * cap : 256;
            struct place *more = ARENA_ARRAY(&e->arena, struct place, more_cap);
            if (cap) memcpy(more, e->places, cap * sizeof(*more));
            e->places = more;
            cap = more_cap;
        }
        e->places[e->place_count] =
            (struct place){sqlite3_column_int64(stmt, 0), arena_copy(&e->arena, db_text(stmt, 1))};
        int64_t first = sqlite3_column_int64(stmt, 2), count = sqlite3_column_int64(stmt, 3);
        for (int64_t i = MAX(first, 0); i < first + count; i++) {
            if ((size_t)i < e->index->length_count) e->place_of[i] = (uint32_t)e->place_count;
        }
        e->place_count++;
    }
    return err;
}

static bool find_place(const struct edging *e, int64_t id, uint32_t *place_out)
{
    size_t low = 0, high = e->place_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (e->places[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    *place_out = (uint32_t)low;
    return low < e->place_count && e->places[low].id == id;
}

static void mention(void *ctx, struct wiki_posting posting)
{
    struct edging *e = ctx;
    if (!(posting.where & WIKI_AS_WHOLE) || posting.chunk >= e->index->length_count) return;
    uint32_t place = e->place_of[posting.chunk];
    /* Chunks of a file stand together, so a look at the last few places is enough. */
    for (size_t i = e->mentioned_count; i > 0 && i + 4 > e->mentioned_count; i--) {
        if (e->mentioned[i - 1] == place) return;
    }
    if (e->mentioned_count == e->mentioned_max)
        e->common = true;
    else
        e->mentioned[e->mentioned_count++] = place;
}

static void add_edge(struct edging *e, uint32_t from, uint32_t to, uint64_t weight)
{
    uint64_t key = (uint64_t)from << 32 | to;
    struct edge_sum *sum = map_find(&e->sums, MAP_KEY(&key));
    if (!sum) {
        sum = ARENA_NEW(&e->arena, struct edge_sum);
        sum->key = key;
        map_add(&e->sums, MAP_KEY(&sum->key), sum);
    }
    sum->weight += weight;
}

static enum err add_edges_of(struct edging *e, struct str name, const struct folding *folded,
                             struct why *why)
{
    e->mentioned_count = 0;
    e->common = false;
    enum err err =
        wiki_postings_each(e->index, (struct str){folded->word, folded->len}, mention, e, why);
    if (err || e->common || e->mentioned_count < 2) return err;
    sqlite3_stmt *stmt = NULL;
    err = db_prepare(e->index, WIKI_SYMBOLS_NAMED, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, name);
    sqlite3_bind_int(stmt, 2, DEFINED_MAX);
    uint32_t defined[DEFINED_MAX];
    size_t defined_count = 0;
    for (bool row = true; !err && row;) {
        err = db_row(e->index, stmt, &row, why);
        if (err || !row) break;
        uint32_t place;
        if (!find_place(e, sqlite3_column_int64(stmt, 0), &place)) continue;
        bool again = defined_count > 0 && defined[defined_count - 1] == place;
        if (!again && defined_count < DEFINED_MAX) defined[defined_count++] = place;
    }
    for (size_t m = 0; m < e->mentioned_count && !err; m++) {
        bool defines = false;
        for (size_t d = 0; d < defined_count; d++) defines |= defined[d] == e->mentioned[m];
        for (size_t d = 0; d < defined_count && !defines; d++) {
            add_edge(e, e->mentioned[m], defined[d], 1);
        }
    }
    return err;
}

/* Names are read first: the statement that lists them must not be open for long. */
static enum err collect_edges(struct edging *e, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = load_places(e, why);
    e->mentioned_max =
        MIN(MAX((size_t)COMMON_FILES_MIN, e->place_count / COMMON_SHARE), (size_t)COMMON_FILES_MAX);
    e->mentioned = ARENA_ARRAY(&e->arena, uint32_t, e->mentioned_max + 1);
    if (!err) err = db_prepare(e->index, WIKI_SYMBOL_NAMES, &stmt, why);
    if (err) return err;
    sqlite3_bind_int(stmt, 1, DEFINED_MAX);
    for (bool row = true; !err && row;) {
        err = db_row(e->index, stmt, &row, why);
        if (err || !row) break;
        struct folding folded;
        if (fold_name(db_text(stmt, 0), &folded)) {
            err = add_edges_of(e, db_text(stmt, 0), &folded, why);
        }
    }
    if (err) sqlite3_reset(stmt);
    return err;
}

/* What files say themselves. */
static enum err collect_imports(struct edging *e, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    struct str *paths = ARENA_ARRAY(&e->arena, struct str, e->place_count + 1);
    for (size_t i = 0; i < e->place_count; i++) paths[i] = e->places[i].path;
    struct wiki_importing *importing = wiki_importing_new(&e->arena, paths, e->place_count);
    enum err err = db_prepare(e->index, WIKI_IMPORTS_ALL, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(e->index, stmt, &row, why);
        uint32_t from;
        if (err || !row || !find_place(e, sqlite3_column_int64(stmt, 0), &from)) continue;
        struct wiki_import import = {db_text(stmt, 1),
                                     (enum wiki_import_kind)sqlite3_column_int(stmt, 2)};
        size_t to = wiki_importing_find(importing, &e->arena, from, &import);
        if (to < e->place_count) add_edge(e, from, (uint32_t)to, WIKI_IMPORT_WEIGHT);
    }
    wiki_importing_free(importing);
    return err;
}

static int compare_edges(const void *a, const void *b)
{
    const struct edge_sum *one = *(struct edge_sum *const *)a, *two = *(struct edge_sum *const *)b;
    if (one->weight != two->weight) return one->weight > two->weight ? -1 : 1;
    return one->key < two->key ? -1 : one->key > two->key;
}

static size_t heaviest(struct edging *e, struct arena *arena, size_t max,
                       struct wiki_edge **edges_out)
{
    struct edge_sum **all = ARENA_ARRAY(&e->arena, struct edge_sum *, e->sums.count + 1);
    size_t count = 0, at = 0;
    for (struct edge_sum *sum; (sum = map_next(&e->sums, &at));) all[count++] = sum;
    qsort(all, count, sizeof(struct edge_sum *), compare_edges);
    count = MIN(count, max);
    *edges_out = ARENA_ARRAY(arena, struct wiki_edge, count + 1);
    for (size_t i = 0; i < count; i++) {
        (*edges_out)[i] = (struct wiki_edge){
            arena_copy(arena, e->places[all[i]->key >> 32].path),
            arena_copy(arena, e->places[all[i]->key & UINT32_MAX].path), all[i]->weight};
    }
    return count;
}

enum err wiki_index_edges(struct wiki_index *index, struct arena *arena, size_t max,
                          struct wiki_edge **edges_out, size_t *count_out, struct why *why)
{
    struct edging e = {.index = index};
    *edges_out = NULL;
    *count_out = 0;
    enum err err = db_do(index, WIKI_BEGIN, why);
    if (!err) err = lengths_load(index, why);
    if (!err) err = collect_edges(&e, why);
    if (!err) err = collect_imports(&e, why);
    if (!err) *count_out = heaviest(&e, arena, max, edges_out);
    db_undo(index); /* nothing was written */
    map_release(&e.sums);
    mem_free(e.place_of);
    arena_release(&e.arena);
    return err;
}
