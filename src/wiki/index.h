/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/index.h: what is written in a repository, ready to be asked.
 *
 * One SQLite file for each wiki, made out of its tree and nothing else: lose
 * it, and it is made again. Files are split into chunks along their structure
 * (wiki/split.h); a chunk knows its path, its lines and its symbol. Words made
 * for code (wiki/words.h) lead to chunks by postings (wiki/postings.h), symbols
 * and who mentions them make a graph.
 *
 * An update compares blob ids: what is the same stays, what is gone goes, what
 * is new is read and split. It is one transaction; readers see the old or the
 * new index, and after a crash the old.
 *
 * A handle is one thread's at a time; any number of readers beside one writer.
 */
#pragma once

#include <stdatomic.h>

#include "wiki/tree.h"

struct wiki_index;

/* Made when it is not there. ERR_CORRUPT: damaged, or of another version of this program: delete it
 * and make it again. */
MUST_USE enum err wiki_index_open(const char *file, struct wiki_index **index_out, struct why *why);
/* To ask only; ERR_NOT_FOUND: nothing was made yet. */
MUST_USE enum err wiki_index_open_reader(const char *file, struct wiki_index **index_out,
                                         struct why *why);
void wiki_index_close(struct wiki_index *index); /* NULL is fine */

struct wiki_update {
    struct wiki_tree *tree;
    const atomic_bool *stop; /* ERR_CANCELLED soon after; NULL: never */
    void (*progress)(void *ctx, uint64_t files_done, uint64_t files_all);
    void *ctx;
};

struct wiki_index_state {
    uint64_t files, chunks, symbols, lines, bytes;
    uint64_t left_out[WIKI_LEFT_COUNT]; /* files, by why */
    uint64_t changed;                   /* files read by the last update */
};

MUST_USE enum err wiki_index_update(struct wiki_index *index, const struct wiki_update *update,
                                    struct wiki_index_state *state_out, struct why *why);
MUST_USE enum err wiki_index_state(struct wiki_index *index, struct wiki_index_state *state_out,
                                   struct why *why);

struct wiki_chunk {
    uint64_t id;
    struct str path;
    int first, last;   /* lines, from 1 */
    struct str symbol; /* "client_open", "class Store"; of prose its heading; empty: none */
    struct str text;
};

/* A file of the index; `left_out` says why it has no chunks. */
struct wiki_index_file {
    struct str path;
    uint64_t bytes;
    int lines;
    struct str language; /* "C", "Markdown" …; empty: not known */
    enum wiki_left_out left_out;
};

/* All files in order of paths. In `arena`. */
MUST_USE enum err wiki_index_files(struct wiki_index *index, struct arena *arena,
                                   struct wiki_index_file **files_out, size_t *count_out,
                                   struct why *why);
/* The text of lines `first` to `last` (last 0: to the end) as it was indexed. ERR_NOT_FOUND: no
 * such file, or it was left out. In `arena`. */
MUST_USE enum err wiki_index_read(struct wiki_index *index, struct arena *arena, struct str path,
                                  int first, int last, struct str *text_out, int *lines_out,
                                  struct why *why);

/* A place where a symbol is defined. */
struct wiki_symbol {
    struct str name, kind; /* "function", "class", "macro" … */
    struct str scope;      /* "Store" for a method of it; empty: none */
    struct str path;
    int first, last;
};

/* Of one file (path empty: of all, those that most chunks mention first), at most `max`. */
MUST_USE enum err wiki_index_symbols(struct wiki_index *index, struct arena *arena, struct str path,
                                     size_t max, struct wiki_symbol **symbols_out,
                                     size_t *count_out, struct why *why);

/* What it counts that a file imports another, beside the symbols of it that it mentions: it says
 * so itself, and a header may be needed for what has no name of its own. */
enum { WIKI_IMPORT_WEIGHT = 3 };

/* One file leans on another: how many different symbols that this one defines it mentions, and
 * WIKI_IMPORT_WEIGHT more for each import of it. */
struct wiki_edge {
    struct str from, to;
    uint64_t weight;
};

/* Heaviest first, at most `max`. */
MUST_USE enum err wiki_index_edges(struct wiki_index *index, struct arena *arena, size_t max,
                                   struct wiki_edge **edges_out, size_t *count_out,
                                   struct why *why);
