/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/models.h: which models a site has, and whether it answers at all.
 * On the loop of `home`.
 */
#pragma once

#include "llm/provider.h"

struct llm_models {
    struct str site, address;
    bool offline;         /* the engine inside the program: always answers */
    enum llm_fault fault; /* LLM_FAULT_NONE: it answered */
    struct why why;       /* else: one sentence */
    size_t count;
    const struct llm_provider *provider;
    const struct json *body;
    bool replayed; /* `body` is a journal's entry */
};

/* Everything is good until the return. Comes once, never inside llm_models_ask(). */
typedef void llm_models_answer(void *ctx, const struct llm_models *models);

size_t llm_site_count(const struct llm *llm);
/* The model that answers when none is named: SITE/MODEL, or SITE/ for the site's own choice. */
struct str llm_default_model(const struct llm *llm);
/* Would that name be answered by the default model, or by the offline engine, which costs nothing?
 */
bool llm_is_default_model(struct llm *llm, struct str model);
/* `site`: below llm_site_count(). Takes 10 s at most. Cannot be cancelled: dropped, untold, when
 * the loop's part closes. */
void llm_models_ask(struct llm_loop *home, size_t site, llm_models_answer *answer, void *ctx);
void llm_models_each(const struct llm_models *models, llm_each_model *each, void *ctx);
