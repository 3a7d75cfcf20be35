/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/cite.h: only what was given may be cited.
 *
 * A model is asked to cite as `[path:first-last]`, several separated by commas
 * or semicolons, with or without "Sources:" before or `()` behind, as older
 * pages want it. Its words run through here in pieces. A bracket is held back
 * until it is whole; if it is a citation, each place in it is looked up among
 * the sources that the model was given, and one that does not touch any of
 * them is taken out and counted. All else passes unchanged.
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
    uint64_t kept, removed;
};

void wiki_cite_init(struct wiki_cite *cite, struct wiki_source *sources, size_t source_count);
void wiki_cite_release(struct wiki_cite *cite);
/* Append to `to` what of the answer can go out. */
void wiki_cite_put(struct wiki_cite *cite, struct str piece, struct buf *to);
/* What is held back, at the end of the answer. */
void wiki_cite_end(struct wiki_cite *cite, struct buf *to);
