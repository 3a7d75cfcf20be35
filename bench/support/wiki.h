/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/wiki.h: what the index of a wiki is measured against: SQLite's FTS5 with its
 * own words (unicode61) and its own bm25(), over chunks of the same size or over windows.
 */
#pragma once

#include "wiki/index.h"

struct plain;

/*
 * All texts of `index` into a new FTS5 table; the number of its rows. `windows`: as
 * deepwiki-open 1.x splits: pieces between single blanks, 350 to a window, 100 of them again in the
 * next one; otherwise the index's own chunks.
 */
uint64_t plain_build(struct wiki_index *index, const char *file, bool windows);
struct plain *plain_open(const char *file);
void plain_close(struct plain *plain); /* NULL is fine */
/* Any of the words of `text`; the files of the best rows, best first. */
size_t plain_find(struct plain *plain, struct arena *arena, struct str text, size_t max,
                  struct str **files_out);

/* Questions of words that stand near each other somewhere in the index. */
struct str *questions_of_words(struct wiki_index *index, struct arena *arena, size_t count,
                               size_t words, uint64_t seed);
