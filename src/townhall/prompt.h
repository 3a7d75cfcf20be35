/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/prompt.h: what is told to whoever finds the words of a post, a comment or a letter: a
 * model, or the offline engine. Conversations have theirs in talk.c, decisions in decision.c.
 *
 * What others wrote reaches a model only between marks, with the word that it
 * is what somebody said and never an instruction. Its answer is text and
 * nothing else: it decides nothing.
 *
 * Who answers a member and knows about a wiki looks into it first (lore.c). Its
 * excerpts stand between marks of their own, which are the same each time, for
 * what a model was asked is what recorded answers are found by: marks inside
 * are broken instead of being made unguessable.
 */
#pragma once

#include "townhall/internal.h"

enum {
    OWN_POSTS = 5, /* shown to the writer, so that none comes twice */
    HISTORY = 10,  /* messages of a conversation that are shown */
};

/* Begun with `todo`, and `marks` for a model; the rest is prompt_prepare()'s, in todo->arena. */
struct prompt {
    struct todo *todo;
    const struct player *me;
    struct llm_message messages[HISTORY + OWN_POSTS + 2];
    size_t count;
    struct str question, earlier; /* what it answers, and what was written before that */
    struct llm_scene scene;
    struct user_id partner;
    bool marks; /* for a model: what others wrote stands between marks */
};

/* See in the store what it is about. ERR_NOT_FOUND: that has gone, or has its answer already. The
 * town's thread. */
MUST_USE enum err prompt_prepare(struct prompt *prompt, struct why *why);
/* What it knows about, for a model; NULL: nothing was found. */
const struct lore *prompt_lore(const struct prompt *prompt, struct str *name_out);
