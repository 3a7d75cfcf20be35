/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/book_sources.h: the files that a page of a book was written from, each with a digest of what
 * was in it: as long as none of them changes, the page need not be written again.
 *
 * Read out of the index: on a worker, or whatever thread has one.
 */
#pragma once

#include "wiki/cite.h"
#include "wiki/index.h"

/* JSON: [{path, digest}], in `arena`; a file that is not in the index is left out. */
struct str wiki_book_sources(struct wiki_index *index, struct arena *arena,
                             const struct wiki_source *sources, size_t count);
/* Is each of them what it was? Of none at all nothing is known: false. */
bool wiki_book_sources_hold(struct wiki_index *index, struct str sources);
