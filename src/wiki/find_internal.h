/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find_internal.h: the signals of wiki/find.c, each of which gives an order of chunks.
 *
 * All of it inside of one transaction and one call of wiki_find(), in its scratch arena.
 */
#pragma once

#include "wiki/find.h"
#include "wiki/internal.h"
#include "wiki/words.h"

struct wiki_ranked {
    uint32_t chunk;
    unsigned signals;
    double score;
};

struct wiki_order {
    struct wiki_ranked *at;
    size_t count, cap;
};

void wiki_order_add(struct arena *arena, struct wiki_order *order, uint32_t chunk, double score);
/* Best first; equal ones by number, so that a question has one answer. */
void wiki_order_sort(struct wiki_order *order, size_t max);

enum { WIKI_ASKED_MAX = 64 };

/* A word of the question. */
struct wiki_asked_word {
    struct str word;
    enum wiki_word kind;
    bool named;      /* an identifier of several words, which nobody writes by chance */
    double weight;   /* how much it counts before its rarity */
    uint64_t chunks; /* that have it */
    double rarity;
};

struct wiki_asked {
    struct wiki_asked_word words[WIKI_ASKED_MAX];
    size_t count;
    double kind_weights[WIKI_FILE_KINDS];
    const uint8_t *scope; /* a byte for each chunk: may it be given? NULL: all may */
};

enum err wiki_scope_load(struct wiki_index *index, struct arena *arena, struct str path,
                         struct wiki_asked *asked, struct why *why);
enum err wiki_ask(struct wiki_index *index, struct arena *arena, struct str text,
                  struct wiki_asked *asked, struct why *why);
enum err wiki_find_words(struct wiki_index *index, struct arena *arena,
                         const struct wiki_asked *asked, size_t max, struct wiki_order *order_out,
                         struct why *why);
/* `best`: what the words have found. */
enum err wiki_find_graph(struct wiki_index *index, struct arena *arena,
                         const struct wiki_asked *asked, const struct wiki_order *best, size_t max,
                         struct wiki_order *order_out, struct why *why);

enum err wiki_find_vectors(struct wiki_index *index, struct arena *arena,
                           const struct wiki_asked *asked, const struct wiki_meaning *meaning,
                           size_t max, struct wiki_order *order_out, struct why *why);

/* More of the graph, behind what is in `order`; after files_load(). */
enum err wiki_find_imports(struct wiki_index *index, struct arena *arena,
                           const struct wiki_order *best, struct wiki_order *order,
                           struct why *why);

/* log((N - n + 0.5) / (n + 0.5) + 1) */
double wiki_rarity(const struct wiki_index *index, uint64_t chunks);
/* In how many chunks a word stands. */
enum err wiki_word_count(struct wiki_index *index, struct str word, uint64_t *count_out,
                         struct why *why);

/* Calls back for each posting of a word. */
typedef void wiki_posting_fn(void *ctx, struct wiki_posting posting);
enum err wiki_postings_each(struct wiki_index *index, struct str word, wiki_posting_fn *fn,
                            void *ctx, struct why *why);
