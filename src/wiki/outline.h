/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/outline.h: a wiki made out of the code itself, without any model.
 *
 * What a reader of a strange repository looks for first, taken from its index:
 * what its README says, how big it is and in which languages, its folders, how
 * they depend on each other (as a Mermaid graph), where it begins, what is
 * mentioned most, and a page for each larger folder. Every page says that no
 * model wrote it, and cites the lines it rests on.
 */
#pragma once

#include "wiki/book.h"
#include "wiki/index.h"

/* The README of the whole: the one at the top with the shortest name, else one below; empty: there
 * is none. */
struct str wiki_readme(const struct wiki_index_file *files, size_t count);

struct wiki_outline {
    struct str name;    /* of the repository */
    struct str commit;  /* empty: a folder */
    bool chinese;       /* else English */
    bool comprehensive; /* a page for each larger folder too */
};

/* In `arena`. */
MUST_USE enum err wiki_outline_write(struct wiki_index *index, struct arena *arena,
                                     const struct wiki_outline *outline, struct book *book_out,
                                     struct why *why);
