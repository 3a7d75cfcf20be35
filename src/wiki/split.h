/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/split.h: a file in pieces that a reader would cut out of it.
 *
 * Code is cut where its functions and classes begin and end, prose at its
 * headings, everything else between lines where it hurts least. What is small
 * is put together with its neighbours, what is large is cut at blank and outer
 * lines; a line longer than a piece may be is cut between characters. The
 * pieces in order are the file, byte for byte: nothing is lost, nothing twice.
 * Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum {
    WIKI_PIECE_BYTES = 1600, /* what a piece should have: some forty lines of code */
    WIKI_PIECE_MAX = 3200,   /* and has at most */
    WIKI_LABEL_BYTES = 160   /* of a piece's label */
};

/* Something with a name in a file, as wiki/symbols.h finds it. */
struct wiki_mark {
    struct str name, kind, scope;
    struct str label; /* what people call it: "Store.get", "class Store" */
    int first, last;  /* lines, from 1; last 0: not known */
};

struct wiki_piece {
    struct str text;  /* of the file's text */
    int first, last;  /* lines */
    struct str label; /* of the symbols in it, or the headings above it; empty: none */
};

/*
 * `text`: valid UTF-8. `marks` in any order, with any numbers in them: what makes no sense is
 * passed over. Pieces in order of lines, in `arena` as their labels are.
 */
void wiki_split(struct arena *arena, struct str path, struct str text,
                const struct wiki_mark *marks, size_t mark_count, struct wiki_piece **pieces_out,
                size_t *count_out);

/* Is this, by its name, text for people: headings rather than functions? */
bool wiki_is_prose(struct str path);

/* --- for split.c and split_prose.c alone --- */

/* Where the lines of a text begin; start[count] is its end. */
struct wiki_lines {
    struct str text;
    size_t *start;
    int count;
};

static inline struct str wiki_line(const struct wiki_lines *lines, int at)
{
    return (struct str){lines->text.at + lines->start[at], lines->start[at + 1] - lines->start[at]};
}

/* Lines that belong together, from 0; `last` is behind the last one. */
struct wiki_run {
    int first, last;
    struct str label;
    bool joins; /* may share a piece with the run before it */
};

struct wiki_runs {
    struct wiki_run *at;
    size_t count, cap;
};

void wiki_runs_add(struct arena *arena, struct wiki_runs *runs, struct wiki_run run);
void wiki_split_prose(struct arena *arena, struct str path, const struct wiki_lines *lines,
                      struct wiki_runs *runs);
