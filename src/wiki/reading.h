/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/reading.h: files of a tree, read, split and asked for their symbols ahead
 * of the one who stores them.
 *
 * A thread of its own reads; at most so many files and bytes are ready and not
 * yet taken, then it waits. Between start and end the tree is this thread's.
 */
#pragma once

#include "base/buf.h"
#include "wiki/imports.h"
#include "wiki/split.h"
#include "wiki/tree.h"

/* A file on its way into the index. */
struct wiki_incoming {
    struct str path, blob; /* the tree's */
    struct str language;
    uint64_t bytes;
    enum wiki_left_out named, left_out; /* by the tree's list; after reading */
    struct wiki_piece *pieces;
    size_t piece_count;
    struct wiki_mark *marks;
    size_t mark_count;
    struct wiki_import *imports;
    size_t import_count;
    enum err err; /* nothing else is there, and it is the last */
    struct why why;
    struct arena arena; /* pieces, marks and imports */
    struct buf text;
};

struct wiki_reading;

/* `wanted`: a flag for each file of the tree, good until the end. */
struct wiki_reading *wiki_reading_start(struct wiki_tree *tree, const bool *wanted);
/* Waits. In order of the tree; NULL after the last. The caller frees it. */
struct wiki_incoming *wiki_reading_next(struct wiki_reading *reading);
void wiki_incoming_free(struct wiki_incoming *incoming);
/* At any time: the thread stops after the file that it reads. */
void wiki_reading_end(struct wiki_reading *reading);
