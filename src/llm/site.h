/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/site.h: the sites of a process: which providers are set up, where, with which keys.
 *
 * Made once out of the settings; what is learnt afterwards (quirks of models)
 * is behind a lock. Any thread.
 */
#pragma once

#include "llm/gate.h"
#include "llm/journal.h"
#include "llm/offline.h"
#include "llm/reader.h"

enum { LLM_SITES_MAX = 24, LLM_PLAN_MAX = 8 };

struct llm_clocks {
    int64_t connect_ms, first_us, idle_us, total_us, queue_us;
};

struct llm_place {
    struct llm_site site;
    struct gate *gate; /* owned */
    struct llm_clocks clocks;
};

struct llm {
    struct arena arena; /* names, addresses, keys */
    const struct settings *settings;
    struct llm_place places[LLM_SITES_MAX];
    size_t place_count;
    struct str model;          /* the default, SITE/MODEL */
    struct journal *journal;   /* owned; NULL: none */
    struct offline *offline;   /* owned */
    struct llm_learnt *learnt; /* owned */
};

/* One thing to try: a site and a model of it. */
struct llm_choice {
    struct llm_place *place;
    struct str model; /* in the arena of llm_plan() */
};

/*
 * What to ask for a model as requested, in order: itself, then the fall-backs unless `only_this`.
 * ERR_NOT_FOUND: no such site; the sentence names those there are.
 */
MUST_USE enum err llm_plan(struct llm *llm, struct arena *arena, struct str model, bool only_this,
                           struct llm_choice plan[LLM_PLAN_MAX], size_t *count_out,
                           struct why *why);
struct llm_place *llm_find_place(struct llm *llm, struct str name); /* NULL: none */
bool llm_is_offline(const struct llm_place *place);

/* Quirks of a model that an error taught us, for as long as the process lives. */
unsigned llm_quirks(struct llm *llm, const struct llm_site *site, struct str model);
/* True: something new was learnt from it, so asking once more makes sense. */
bool llm_learn(struct llm *llm, const struct llm_site *site, struct str model,
               const struct llm_trouble *trouble);
