/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/symbols.h: what a file defines, as Universal Ctags sees it.
 *
 * ctags runs as a child that is asked file after file: it gets a name and the
 * bytes, opens nothing (its sandbox sees to that, where it was built with one;
 * else the log says so), and answers with a line of JSON for each symbol. It
 * reads strangers' bytes with parsers for a hundred languages, so it may die or
 * hang on any of them: then that file has no symbols, and a new child goes on
 * with the next one. After 50 in a row, or a minute that was waited in vain, it
 * is given up for this tree. Without ctags on this machine no file has symbols.
 *
 * One thread at a time. Blocks, at most `time_ms` for a file.
 */
#pragma once

#include "base/arena.h"
#include "wiki/split.h"

struct wiki_tagger;

enum { WIKI_TAGGER_TIME_MS = 5000 };

/* `program`: NULL for the system's. Nothing is started before the first file. */
struct wiki_tagger *wiki_tagger_new(const char *program, int64_t time_ms);
void wiki_tagger_free(struct wiki_tagger *tagger); /* NULL is fine */

/* Marks in order of lines, in `arena`; none where nothing can be told. */
void wiki_tagger_marks(struct wiki_tagger *tagger, struct arena *arena, struct str path,
                       struct str text, struct wiki_mark **marks_out, size_t *count_out);
