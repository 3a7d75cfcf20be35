/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find_imports.c: chunks of files that the files of the best hits import.
 *
 * A hit says little of which of two similar places is meant; what its file
 * imports says a little. Of an imported file the best chunk gets the credit, if
 * the words have found one: nothing comes in here that has no word of the
 * question. Which file an import is, is asked with all paths in memory, made
 * once for each state of the index.
 */
#include "wiki/find_internal.h"
#include "wiki/imports.h"

#include <math.h>

#include "base/mem.h"

enum { HITS_LOOKED_AT = 12, IMPORTS_OF_A_FILE = 60 };

/* What a file that imports nothing else passes on, in the measure of wiki_rarity(). */
static const double import_worth = 6.0;

/* Paths and numbers of all files, in the order of index->files. */
struct wiki_neighbours {
    struct arena arena;
    struct wiki_importing *importing;
    int64_t *ids;
    size_t count;
    int64_t generation;
};

void wiki_neighbours_free(struct wiki_neighbours *neighbours)
{
    if (!neighbours) return;
    wiki_importing_free(neighbours->importing);
    arena_release(&neighbours->arena);
    mem_free(neighbours);
}

static enum err read_paths(struct wiki_index *index, struct wiki_neighbours *n, struct str *paths,
                           struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_FILES_CHUNKS, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        if (n->count == index->file_count) {
            sqlite3_reset(stmt);
            return db_damaged(why);
        }
        n->ids[n->count] = sqlite3_column_int64(stmt, 0);
        paths[n->count++] = arena_copy(&n->arena, db_text(stmt, 1));
    }
    return err;
}

/* After files_load(). */
static enum err load_neighbours(struct wiki_index *index, struct why *why)
{
    if (index->neighbours && index->neighbours->generation == index->generation) return OK;
    wiki_neighbours_free(index->neighbours);
    index->neighbours = NULL;
    struct wiki_neighbours *n = NEW(struct wiki_neighbours);
    n->ids = ARENA_ARRAY(&n->arena, int64_t, index->file_count + 1);
    struct str *paths = ARENA_ARRAY(&n->arena, struct str, index->file_count + 1);
    enum err err = read_paths(index, n, paths, why);
    if (err) {
        wiki_neighbours_free(n);
        return err;
    }
    n->importing = wiki_importing_new(&n->arena, paths, n->count);
    n->generation = index->generation;
    index->neighbours = n;
    return OK;
}

/* The best chunk of a file among the hits; the first ones are the best. */
static void credit_file(const struct wiki_index *index, struct arena *arena,
                        const struct wiki_order *best, size_t file, double worth,
                        struct wiki_order *order)
{
    for (size_t i = 0; i < best->count; i++) {
        if (index->file_of[best->at[i].chunk] != file) continue;
        wiki_order_add(arena, order, best->at[i].chunk, worth);
        return;
    }
}

static enum err follow_file(struct wiki_index *index, struct arena *arena,
                            const struct wiki_order *best, size_t file, double worth,
                            struct wiki_order *order, struct why *why)
{
    const struct wiki_neighbours *n = index->neighbours;
    size_t imported[IMPORTS_OF_A_FILE], count = 0;
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_IMPORTS_OF, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, n->ids[file]);
    sqlite3_bind_int(stmt, 2, IMPORTS_OF_A_FILE);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        struct wiki_import import = {db_text(stmt, 0),
                                     (enum wiki_import_kind)sqlite3_column_int(stmt, 1)};
        size_t to = wiki_importing_find(n->importing, arena, file, &import);
        if (to < n->count) imported[count++] = to;
    }
    for (size_t i = 0; i < count && !err; i++) {
        credit_file(index, arena, best, imported[i], worth / sqrt((double)count), order);
    }
    return err;
}

enum err wiki_find_imports(struct wiki_index *index, struct arena *arena,
                           const struct wiki_order *best, struct wiki_order *order, struct why *why)
{
    enum err err = best->count ? load_neighbours(index, why) : OK;
    for (size_t i = 0; i < MIN(best->count, (size_t)HITS_LOOKED_AT) && !err; i++) {
        double worth = import_worth * best->at[i].score / best->at[0].score / (double)(i + 3);
        size_t file = index->file_of[best->at[i].chunk];
        err = follow_file(index, arena, best, file, worth, order, why);
    }
    return err;
}
