/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/plan.c: which site and model are asked for a name, in which order; and
 * what was learnt about models on the way.
 */
#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "llm/fault.h"
#include "llm/site.h"

/* Names of models come from callers; no more of them are remembered than this. */
enum { LEARNT_MAX = 10000 };

/* --- what to ask --- */

enum { SITE_NAMES_BYTES = 200 };

static void list_sites(const struct llm *llm, char names[SITE_NAMES_BYTES])
{
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; i < llm->place_count && len < SITE_NAMES_BYTES; i++) {
        len += (size_t)snprintf(names + len, SITE_NAMES_BYTES - len, "%s%.*s", i ? ", " : "",
                                STR_ARGS(llm->places[i].site.name));
    }
}

static enum err no_site(const struct llm *llm, struct str name, struct why *why)
{
    char names[SITE_NAMES_BYTES];
    list_sites(llm, names);
    return why_set(why, ERR_NOT_FOUND, "there is no model site \"%.*s\"; there are: %s",
                   STR_ARGS(str_head(name, 60)), names);
}

void llm_choice_sentence(const struct llm *llm, enum llm_fault fault,
                         const struct llm_choice *choice, const struct llm_trouble *trouble,
                         struct why *why)
{
    struct str site = str_head(choice->model, str_find_byte(choice->model, '/'));
    char names[SITE_NAMES_BYTES];
    if (fault != LLM_FAULT_MODEL || !choice->no_site) {
        llm_fault_sentence(fault, &choice->place->site, choice->model, trouble, why);
    } else if (llm_is_offline(choice->place)) {
        (void)no_site(llm, site, why);
    } else {
        list_sites(llm, names);
        why_write(why, "%.*s has no model %.*s, and there is no model site \"%.*s\"; there are: %s",
                  STR_ARGS(choice->place->site.name), STR_ARGS(str_head(choice->model, 100)),
                  STR_ARGS(str_head(site, 60)), names);
    }
}

/* "SITE" or "SITE/MODEL" when SITE is one of ours; else `place` is NULL. */
static struct llm_choice split(struct llm *llm, struct str model)
{
    size_t slash = str_find_byte(model, '/');
    return (struct llm_choice){.place = llm_find_place(llm, str_head(model, slash)),
                               .model = str_from(model, slash + 1)};
}

enum err llm_plan_defaults(struct llm *llm, struct why *why)
{
    struct str rest = llm->settings->llm_fallback, one;
    struct str model = llm->settings->llm_model;
    llm->standard = (struct llm_choice){.place = &llm->places[0]};
    if (model.len > 0) {
        llm->standard = split(llm, model);
        if (llm->standard.place == NULL) return no_site(llm, model, why);
    }
    llm->standard_name =
        arena_printf(&llm->arena, "%.*s%s%.*s", STR_ARGS(llm->standard.place->site.name),
                     llm->standard.model.len ? "/" : "", STR_ARGS(llm->standard.model));
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0) continue;
        struct llm_choice choice = split(llm, one);
        if (choice.place == NULL) return no_site(llm, one, why);
        if (llm->fallback_count == LLM_PLAN_MAX - 1) {
            return why_set(why, ERR_LIMIT, "setting llm-fallback has more than %d sites",
                           LLM_PLAN_MAX - 1);
        }
        llm->fallback[llm->fallback_count++] = choice;
    }
    return OK;
}

/* Names of models have slashes too ("openai/gpt-oss-20b" at OpenRouter): what begins with no site
 * of ours is a model of the standard one, if that has it. */
static struct llm_choice first_choice(struct llm *llm, struct arena *arena, struct str model)
{
    if (model.len == 0) return llm->standard;
    struct llm_choice choice = split(llm, model);
    if (choice.place == NULL) {
        size_t slash = str_find_byte(model, '/');
        choice = (struct llm_choice){.place = llm->standard.place,
                                     .model = model,
                                     .no_site = slash > 0 && slash < model.len};
    }
    choice.model = arena_copy(arena, choice.model);
    return choice;
}

size_t llm_plan(struct llm *llm, struct arena *arena, struct str model, bool only_this,
                struct llm_choice **plan_out)
{
    size_t more = only_this ? 0 : llm->fallback_count;
    struct llm_choice *plan = ARENA_ARRAY(arena, struct llm_choice, 1 + more);
    plan[0] = first_choice(llm, arena, model);
    for (size_t i = 0; i < more; i++) plan[1 + i] = llm->fallback[i];
    *plan_out = plan;
    return 1 + more;
}

/* --- what was learnt --- */

struct llm_learnt {
    pthread_mutex_t lock;
    struct arena arena;
    struct map quirks;           /* SITE/MODEL → unsigned, in `arena` */
    char *models[LLM_SITES_MAX]; /* owned; the first a site named, NULL: not asked */
};

struct llm_learnt *llm_learnt_new(void)
{
    struct llm_learnt *learnt = NEW(struct llm_learnt);
    pthread_mutex_init(&learnt->lock, NULL);
    return learnt;
}

void llm_learnt_free(struct llm_learnt *learnt)
{
    for (size_t i = 0; i < COUNT_OF(learnt->models); i++) mem_free(learnt->models[i]);
    map_release(&learnt->quirks);
    arena_release(&learnt->arena);
    pthread_mutex_destroy(&learnt->lock);
    mem_free(learnt);
}

static char **model_of(struct llm *llm, const struct llm_place *place)
{
    return &llm->learnt->models[place - llm->places];
}

struct str llm_known_model(struct llm *llm, const struct llm_place *place, struct arena *arena)
{
    if (place->site.model.len > 0) return place->site.model;
    pthread_mutex_lock(&llm->learnt->lock);
    struct str model = arena_copy(arena, str_of(*model_of(llm, place)));
    pthread_mutex_unlock(&llm->learnt->lock);
    return model;
}

void llm_learn_model(struct llm *llm, const struct llm_place *place, struct str model)
{
    struct arena copy = {0};
    pthread_mutex_lock(&llm->learnt->lock);
    char **known = model_of(llm, place);
    mem_free(*known);
    *known = model.len ? mem_copy_text(arena_copy(&copy, model).at) : NULL;
    pthread_mutex_unlock(&llm->learnt->lock);
    arena_release(&copy);
}

static struct str quirks_key(struct arena *arena, const struct llm_site *site, struct str model)
{
    return arena_printf(arena, "%.*s/%.*s", STR_ARGS(site->name), STR_ARGS(model));
}

unsigned llm_quirks(struct llm *llm, const struct llm_site *site, struct str model)
{
    struct llm_learnt *learnt = llm->learnt;
    pthread_mutex_lock(&learnt->lock);
    unsigned quirks = site->quirks;
    if (learnt->quirks.count > 0) {
        struct arena arena = {0};
        const unsigned *known = map_find(&learnt->quirks, quirks_key(&arena, site, model));
        if (known) quirks = *known;
        arena_release(&arena);
    }
    pthread_mutex_unlock(&learnt->lock);
    return quirks;
}

/* Under the lock. NULL: too many are known. */
static unsigned *find_or_add(struct llm_learnt *learnt, const struct llm_site *site,
                             struct str model)
{
    struct arena look = {0};
    unsigned *known = map_find(&learnt->quirks, quirks_key(&look, site, model));
    arena_release(&look);
    if (known == NULL && learnt->quirks.count < LEARNT_MAX) {
        known = ARENA_NEW(&learnt->arena, unsigned);
        *known = site->quirks;
        map_add(&learnt->quirks, quirks_key(&learnt->arena, site, model), known);
    }
    return known;
}

void llm_learn(struct llm *llm, const struct llm_site *site, struct str model, unsigned before,
               unsigned after)
{
    pthread_mutex_lock(&llm->learnt->lock);
    unsigned *known = find_or_add(llm->learnt, site, model);
    /* Others may have learnt something else meanwhile. */
    if (known) *known = (*known | (after & ~before)) & ~(before & ~after);
    pthread_mutex_unlock(&llm->learnt->lock);
}
