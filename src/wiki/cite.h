/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/cite.h: only what was given may be cited.
 *
 * A model is asked to cite as `[path:first-last]`, several separated by commas
 * or semicolons, with or without "Sources:" before or `()` behind, as older
 * pages want it. Its words run through here in pieces. A bracket is held back
 * until it is whole; if it is a citation, each place in it is looked up among
 * the sources that the model was given, and one that does not touch any of
 * them is taken out and counted; one that goes beyond what was given is drawn
 * in to it. Fenced code passes as it is (not a fence around the whole answer), diagrams among it,
 * and so does what only looks like a citation: `values[0:10]`, `![a.png:5]`, `[12:30]`.
 *
 * Pure; one answer's.
 */
#pragma once

#include "base/buf.h"

/* A run of lines that was given to the model. */
struct wiki_source {
    struct str path;
    int first, last;
    struct str symbol; /* empty: none */
    bool cited;        /* set by the filter */
};

struct wiki_cite {
    struct wiki_source *sources; /* borrowed */
    size_t source_count;
    struct buf held;   /* an open bracket and what follows */
    bool dropped_last; /* a citation was taken out: an empty () behind it goes too */
    char before;       /* the byte before what is held */
    bool glued;        /* what is held follows a name, as an index does */
    bool inside_line;  /* more than blanks and `run` has been seen of this line */
    char run_of;       /* '`' or '~': so many of them begin the line */
    size_t run;
    char fence; /* 0: none is open */
    size_t fence_len;
    char info[12]; /* behind a fence that begins the whole answer, while that line lasts */
    size_t info_len;
    enum wiki_cite_start { CITE_NOTHING_YET, CITE_FIRST_FENCE, CITE_BEGUN } start;
    uint64_t kept, removed;
};

void wiki_cite_init(struct wiki_cite *cite, struct wiki_source *sources, size_t source_count);
void wiki_cite_release(struct wiki_cite *cite);
/* Append to `to` what of the answer can go out. */
void wiki_cite_put(struct wiki_cite *cite, struct str piece, struct buf *to);
/* What is held back, at the end of the answer. */
void wiki_cite_end(struct wiki_cite *cite, struct buf *to);
