/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/prompt.h: what is said to a model about a repository.
 *
 * What does not change stands first, so that providers can keep it. Whatever
 * comes out of the repository stands between marks with a number that nobody
 * can know beforehand, and the model is told that nothing in there is meant for
 * it: strangers write repositories.
 */
#pragma once

#include "base/arena.h"
#include "llm/message.h"
#include "wiki/context.h"

/* A number nobody can know beforehand, and a text between marks that have it. */
struct wiki_mark {
    char text[9];
};
struct wiki_mark wiki_mark_new(void);
void wiki_mark_put(struct buf *to, const char *what, const struct wiki_mark *mark, struct str text);

struct wiki_prompt {
    struct str name, url;            /* of the repository */
    struct str language;             /* its name; empty: that of the question */
    int round;                       /* of a research; 0: none */
    bool last;                       /* … and the one that concludes */
    const struct llm_message *turns; /* the last is the question */
    size_t turn_count;
    const struct wiki_context *context; /* NULL: nothing is given */
    struct str file;                    /* whose text context->file_text is */
    bool cut;                           /* it had to be left away, as too long */
};

/* The messages, in `arena`; at least two. */
struct llm_message *wiki_prompt_write(struct arena *arena, const struct wiki_prompt *prompt,
                                      size_t *count_out);

/* Instead of an answer where no model is set up: where to look. In `arena`. */
struct str wiki_prompt_places(struct arena *arena, struct str question,
                              const struct wiki_context *context);
