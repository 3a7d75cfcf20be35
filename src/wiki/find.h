/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find.h: the chunks of a repository that say most about a question.
 *
 * Three signals: words (BM25 over code-aware tokens), meaning (vectors, when
 * there are some; without them the other two answer) and the graph of symbols
 * (what the best hits define and mention). Each gives an order; the orders are
 * fused by reciprocal rank
 * (Cormack, Clarke, Büttcher: Reciprocal rank fusion outperforms Condorcet,
 * SIGIR 2009; k = 60).
 */
#pragma once

#include "wiki/index.h"
#include "wiki/matrix.h"

enum wiki_signal { WIKI_WORDS = 1, WIKI_GRAPH = 2, WIKI_VECTORS = 4, WIKI_ALL = 7 };

/* What an embedder makes of a question, and of the chunks it is held against. */
struct wiki_meaning {
    const struct wiki_matrix *matrix;
    const float *vector; /* as many numbers as the matrix has dimensions */
};

struct wiki_question {
    struct str text;
    size_t limit;     /* chunks wanted, at most 200 */
    unsigned signals; /* of enum wiki_signal; WIKI_ALL but in tests and measurements */
    struct str path;  /* only files below it; empty: all */
    const struct wiki_meaning *meaning; /* NULL: no vectors */
};

struct wiki_hit {
    struct wiki_chunk chunk;
    double score;     /* comparable within one answer */
    unsigned signals; /* which found it */
};

/* In `arena`, best first. A question without any word we know gives none, which is OK. */
MUST_USE enum err wiki_find(struct wiki_index *index, struct arena *arena,
                            const struct wiki_question *question, struct wiki_hit **hits_out,
                            size_t *count_out, struct why *why);
