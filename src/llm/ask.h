/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/ask.h: an answer that is JSON of a wanted shape, or the honest word that there is none.
 *
 * Asks with JSON Schema where the site has it (llm/provider.h steps down to JSON
 * mode or words alone), takes the JSON out of whatever stands around it
 * (llm/extract.h), checks it against the schema (llm/schema.h), and when it does
 * not fit asks once more with what was wrong, at temperature 0. What is still
 * wrong then is ERR_UPSTREAM: the caller has a fall-back of its own. JSON that
 * was cut off is never taken for whole.
 *
 * Lives on one loop, as the calls it makes.
 */
#pragma once

#include "base/json.h"
#include "llm/llm.h"

struct llm_question;

struct llm_answer {
    enum err err;                    /* OK: `value` fits the schema */
    struct why why;                  /* else: what is wrong */
    const struct json *value;        /* good until the return */
    struct str text;                 /* the same, as text; without a value all that was said last */
    bool repaired;                   /* the second round gave it */
    const struct llm_result *result; /* of the last call */
    struct llm_usage usage;          /* of both rounds; -1: nobody said */
};

/* Comes once, never inside llm_ask(); the question is gone after it. */
typedef void llm_answered(void *ctx, const struct llm_answer *answer);

/*
 * `request`: what to ask; its schema must be a JSON Schema (schema_check() has the keywords), its
 * format is set here. It must end with a user's message. Copied.
 */
struct llm_question *llm_ask(struct llm_loop *home, const struct llm_request *request,
                             llm_answered *answered, void *ctx);
/* Nothing is told any more. Gives what was used, as llm_cancel() does. */
struct llm_usage llm_ask_cancel(struct llm_question *question);
