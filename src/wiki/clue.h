/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/clue.h: what of a repository fits something that was said in passing.
 *
 * Whoever asks a wiki means its repository; whoever talks to somebody who knows
 * one may as well say good morning. So beside the excerpts (wiki/context.h)
 * stands which of them one may point at without having understood a word: the
 * text is a question, and the place has two of its words, or an identifier of
 * it, or is called like one.
 *
 * Blocks on the disk: on a worker.
 */
#pragma once

#include "wiki/context.h"
#include "wiki/library.h"

enum { WIKI_SURE_MAX = 2 };

struct wiki_clue {
    struct wiki_context context;
    const struct wiki_source *sure[WIKI_SURE_MAX]; /* of the context, in its order */
    size_t sure_count;
};

/* Everything in `arena`. Nothing found is OK, with an empty text. ERR_NOT_FOUND: that wiki has no
 * index yet. */
MUST_USE enum err wiki_clue_find(struct wiki_library *library, uint64_t wiki, struct arena *arena,
                                 const struct wiki_context_want *want, struct wiki_clue *clue_out,
                                 struct why *why);

/* The places of `clue->context` that one may point at; pure. */
void wiki_clue_judge(struct arena *arena, struct str question, struct wiki_clue *clue);
