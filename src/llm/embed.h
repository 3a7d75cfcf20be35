/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/embed.h: vectors for texts, from the same sites as answers.
 *
 * Texts go in batches of what the provider takes, one batch after the other,
 * each once it has a place at the site's gate. A batch that failed in a way
 * that may pass is asked again, twice. There is no fall-back to another site:
 * vectors of two models don't compare. On the loop of `home`.
 */
#pragma once

#include "llm/provider.h"

struct llm_embed;

struct llm_embed_request {
    struct str model; /* as llm_request.model, and must name one */
    const struct str *texts;
    size_t count; /* at least 1 */
    bool query;
    int64_t dimensions; /* 0: the model's own */
    enum llm_class class;
};

struct llm_embed_events {
    /* One vector; texts may come in any order. */
    void (*vector)(void *ctx, size_t index, const float *values, size_t count);
    /* The last call, never inside llm_embed_start(). LLM_COMPLETE: every text had its vector; else
     * LLM_FAILED. Of the usage only `input` is meant. */
    void (*end)(void *ctx, const struct llm_result *result);
};

/* Everything is copied; `events` must stay. */
struct llm_embed *llm_embed_start(struct llm_loop *home, const struct llm_embed_request *request,
                                  const struct llm_embed_events *events, void *ctx);
/* Who is asked; good as long as `embed`. Empty: nobody, as in a replay. */
void llm_embed_choice(const struct llm_embed *embed, struct str *site_out, struct str *model_out);
/* What was used so far; unknown (-1) with a batch under way. False: nothing was, as it waits for
 * its first place, or rests after attempts that came to nothing. */
bool llm_embed_used(const struct llm_embed *embed, struct llm_usage *usage_out);
/* No more events, its connection closes. Not inside them. All must be cancelled or over before
 * llm_loop_close(). */
void llm_embed_cancel(struct llm_embed *embed);
