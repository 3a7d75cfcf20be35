/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/embedder.h: gives the chunks of wikis their vectors, in the background.
 *
 * Which embedder: the setting wiki-embedder, SITE/MODEL; empty: none, and words
 * alone lead to chunks. One wiki after the other, a batch of texts at a time,
 * each stored before the next is asked for, so that a crash or a restart costs
 * a batch. Nobody waits for it: a question is answered with the vectors there
 * are.
 *
 * A text that the embedder will not have is cut in half, twice, then passed
 * over for good and counted. When the embedder itself fails, all rests, for a
 * minute at first and then longer up to an hour; its sentence is in the state
 * meanwhile.
 *
 * A thread with a loop of its own. All functions: any thread.
 */
#pragma once

#include "llm/llm.h"
#include "wiki/library.h"

struct wiki_embedder;

struct wiki_embedder_links {
    const struct settings *settings;
    struct store *store;
    struct wiki_library *library;
    struct llm *llm;
    bool one; /* only what wiki_embedder_take_up() names: beside a server that has its own */
};

/* Takes up all wikis that have an index (unless `one`), and whatever the library indexes from now
 * on. NULL and OK: no embedder is configured. ERR_INVALID: it is no SITE/MODEL of a site there is
 * (one that was taken over from an older configuration is left out then). All of `links` must
 * outlive it. */
MUST_USE enum err wiki_embedder_open(const struct wiki_embedder_links *links,
                                     struct wiki_embedder **embedder_out, struct why *why);
/* NULL is fine. Before the library closes. */
void wiki_embedder_close(struct wiki_embedder *embedder);

/* Give vectors to what of this wiki has none. */
void wiki_embedder_take_up(struct wiki_embedder *embedder, uint64_t wiki);

struct wiki_embedding {
    bool known;            /* it has been looked at */
    bool under_way;        /* it works on it, or will */
    uint64_t chunks, have; /* all, and those done */
    uint64_t refused;      /* of those done: the embedder would not have them */
    char note[300];        /* what failed last; empty: nothing */
};

/* NULL: nothing is known. */
struct wiki_embedding wiki_embedder_state(struct wiki_embedder *embedder, uint64_t wiki);

/* One word for what the numbers of vectors depend on: the model and how many numbers are asked of
 * it. In `arena`; empty: no embedder is configured. */
struct str wiki_embedder_name(struct arena *arena, const struct settings *settings);

/* Is it SITE/MODEL of a site that is set up and has embeddings? ERR_INVALID says what would be. */
MUST_USE enum err wiki_embedder_check(const struct settings *settings, struct llm *llm,
                                      struct why *why);

/* What some models want before a question, or before what is searched ("search_query: "); "". A
 * literal. */
const char *wiki_embedder_prefix(struct str model, bool question);
