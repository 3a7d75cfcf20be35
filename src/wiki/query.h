/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/query.h: what is searched for, as the embedder's vector.
 *
 * Asked before the look-up, on the asker's loop. It is worth a moment, not
 * more: an embedder that does not answer within some WIKI_QUERY_US, or fails,
 * leaves the question to its words.
 */
#pragma once

#include "base/arena.h"
#include "base/settings.h"
#include "io/loop.h"
#include "llm/embed.h"

enum { WIKI_QUERY_US = 2000000 };

/* Embedded in the asker. */
struct wiki_query {
    struct llm_embed *asked; /* NULL: not under way */
    struct deadline deadline;
    struct loop *loop;
    struct arena *arena;
    float *values; /* in `arena`; NULL: none */
    size_t dimensions;
    void (*done)(struct wiki_query *query); /* told once, never inside wiki_query_start() */
};

/* False: there is no embedder, and nothing will be told. `done`, `loop` and `arena` are set. */
MUST_USE bool wiki_query_start(struct wiki_query *query, struct llm_loop *home,
                               const struct settings *settings, struct str text);
void wiki_query_cancel(struct wiki_query *query); /* not under way is fine */
