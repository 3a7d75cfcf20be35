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
#include "llm/tally.h"

enum { LLM_SITES_MAX = 24, LLM_PLAN_MAX = 8 };

struct llm_clocks {
    int64_t connect_ms, first_us, idle_us, total_us, queue_us;
    int64_t thinking_first_us, thinking_idle_us; /* of models that think */
};

struct llm_place {
    struct llm_site site;
    struct gate *gate; /* owned */
    struct llm_clocks clocks;
    struct llm_tally tally;
};

/* One thing to try: a site and a model of it. */
struct llm_choice {
    struct llm_place *place;
    struct str model; /* empty: the site's own; see llm_known_model() */
    bool site_named;  /* the site named the model when it was asked */
    bool no_site;     /* it was asked for as SITE/MODEL, and there is no such site */
};

struct llm {
    struct arena arena; /* names, addresses, keys */
    const struct settings *settings;
    struct str filed; /* the file of keys */
    struct llm_place places[LLM_SITES_MAX];
    size_t place_count;
    struct llm_choice standard; /* when no model is named */
    struct str standard_name;   /* the same as SITE/MODEL, or SITE/ */
    struct llm_choice fallback[LLM_PLAN_MAX - 1];
    size_t fallback_count;
    struct journal *journal;   /* owned; NULL: none */
    struct offline *offline;   /* owned */
    struct llm_learnt *learnt; /* owned */
};

struct llm_place *llm_find_place(struct llm *llm, struct str name); /* NULL: none */
bool llm_is_offline(const struct llm_place *place);
/* Known by its name to be silent for minutes before it answers. */
bool llm_model_thinks(struct str model);

/* --- keys.c --- */

/* The key to ask with, in turn; -1: the site has none. Where all were refused for good, one of them
 * is asked again, as a lone key is: it may be valid by now, and if not, the reason is the one that
 * is told. `*rest_us_out` is 0, or for how long all have to rest, as too much was asked with them.
 */
int llm_take_key(const struct llm_place *place, int64_t *rest_us_out);
/* The key was refused, if that is what `fault` is, and rests. Is there another that does not? A
 * lone key is asked again, there is no choice. `hint_ms`: when to come back, -1: not said. */
bool llm_another_key(const struct llm_place *place, int key, enum llm_fault fault, int64_t hint_ms);

/* --- plan.c --- */

/* Standard model and fall-backs out of the settings. ERR_NOT_FOUND: a site that is none, the
 * sentence names those there are. At start. */
MUST_USE enum err llm_plan_defaults(struct llm *llm, struct why *why);
/* What to ask for a model as requested, in order: itself, then the fall-backs unless `only_this`.
 * Gives how many; they are in `arena`, names there or as long as `llm`. */
size_t llm_plan(struct llm *llm, struct arena *arena, struct str model, bool only_this,
                struct llm_choice **plan_out);

/* One sentence for the person, as llm_fault_sentence(); of a model that is none it also says when
 * its name began with what could have been a site, and which sites there are. */
void llm_choice_sentence(const struct llm *llm, enum llm_fault fault,
                         const struct llm_choice *choice, const struct llm_trouble *trouble,
                         struct why *why);

struct llm_learnt *llm_learnt_new(void);
void llm_learnt_free(struct llm_learnt *learnt);
/* The model of a site when none is named: set up, or learnt when it was asked; empty: ask it. */
struct str llm_known_model(struct llm *llm, const struct llm_place *place, struct arena *arena);
/* Empty: forget it, it is gone there. */
void llm_learn_model(struct llm *llm, const struct llm_place *place, struct str model);
/* Quirks of a model, with those an error taught us, for as long as the process lives. */
unsigned llm_quirks(struct llm *llm, const struct llm_site *site, struct str model);
/* A model that refused a question with the quirks `before` took it with those of `after`
 * (llm/repair.h): it is asked so from now on. */
void llm_learn(struct llm *llm, const struct llm_site *site, struct str model, unsigned before,
               unsigned after);
