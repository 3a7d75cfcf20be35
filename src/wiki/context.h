/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/context.h: what of a repository is put before a model for a question.
 *
 * The best chunks (wiki/find.h), after files that the question names by their
 * paths. Chunks that touch or almost touch become one run of lines; runs of a
 * file stand together, files in the order of their best chunk. Each line has
 * its number before it, so that what is cited can be true. All of it stays
 * within a budget of tokens (llm/tokens.h).
 *
 * Blocks on the disk: on a worker.
 */
#pragma once

#include "wiki/cite.h"
#include "wiki/find.h"

struct wiki_context_want {
    struct str question; /* as asked; a long instruction is searched for what it quotes and names */
    struct str earlier;  /* what was asked before, for "and where is that called?"; may be empty */
    struct str file;     /* a file whose whole text is wanted too; empty: none */
    size_t tokens_max;   /* of everything together */
    const struct wiki_meaning *meaning; /* of wiki_context_search_text(); NULL: by words alone */
};

struct wiki_context {
    /* In `arena`: the file when there is one, then the runs in the order of the text. */
    struct wiki_source *sources;
    size_t *ends; /* where the text of each source ends; the file has none */
    size_t source_count;
    struct str text;      /* the runs, each below its "[path:first-last]"; empty: nothing found */
    struct str file_text; /* of `file`, numbered; empty: none wanted, or not there */
    size_t tokens;        /* about, of both texts */
};

/* What the index is asked for, which is what an embedder has to be given; in `arena` or of `want`.
 */
struct str wiki_context_search_text(struct arena *arena, const struct wiki_context_want *want);

/* Everything in `arena`. Nothing found is OK, with an empty text. */
MUST_USE enum err wiki_context_gather(struct wiki_index *index, struct arena *arena,
                                      const struct wiki_context_want *want,
                                      struct wiki_context *context_out, struct why *why);

/* A part of it that costs `tokens_max` at most: its first runs, and no file when that alone takes
 * more than half. Its sources are some of those. */
struct wiki_context wiki_context_shorter(const struct wiki_context *context, size_t tokens_max);
