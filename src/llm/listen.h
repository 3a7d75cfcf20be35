/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/listen.h: what the offline engine understands of a request.
 *
 * A scene and a conversation go in; flags ("mood=happy", "hears=thanks") and
 * facts (names, places, words worth picking up) come out. Facts are text of
 * strangers: only short, harmless ones that fit the language are kept.
 *
 * Private to the offline engine.
 */
#pragma once

#include "base/rng.h"
#include "llm/grammar.h"
#include "llm/offline.h"

struct heard {
    enum language language;
    enum llm_task task;
    struct flags flags;
    struct str facts[FACT_COUNT]; /* empty: not known */
    struct str spoken;            /* all that was said, one message after the other */
    struct str own;               /* of that, what the speaker said */
};

/* All text in `*heard_out` lives in the arena. `rng` decides which trait, which happening. */
void listen_to(struct arena *arena, const struct grammar *grammar,
               const struct offline_request *request, struct rng *rng, struct heard *heard_out);

/* Where `word` stands in `text`, whose ASCII letters are small; or text.len. */
size_t listen_find(struct str text, const struct word *word);
/* The ASCII letters made small. */
struct str listen_small(struct arena *arena, struct str text);
/* Is this message part of the conversation? */
bool listen_counts(const struct llm_message *message);
