/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/lore.c: a resident that answers a member looks into what it knows about.
 *
 * Looking blocks on the disk, so it is done by a worker of the town's own; the
 * deed waits meanwhile like one that a model is asked about, and goes on with
 * what was found, with nothing, or with less when the town is very busy. Deeds
 * that nobody of flesh and blood waits for are not looked up.
 *
 * Not here: when somebody speaks. That is the town's, and does not change.
 */
#include "townhall/lore.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/workers.h"
#include "store/wikis.h"
#include "townhall/internal.h"

enum { LORE_TOKENS = 3000, QUEUE_MAX = 64, VETTED_BYTES = 64 * 1024 };

struct lookup {
    struct job job;
    struct task back;
    struct hall *hall;
    struct todo *todo; /* NULL: it waits no more */
    atomic_bool forgotten;
    bool away; /* all below is the worker's */
    struct arena arena;
    struct known_wiki wiki;
    struct lore_want want;
    struct lore lore;
    enum err err;
    struct why why;
};

static void lookup_free(struct lookup *lookup)
{
    arena_release(&lookup->arena);
    mem_free(lookup);
}

static void look(struct job *job, void *own)
{
    (void)own;
    struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);
    const struct lore_source *source = lookup->hall->links.lore;
    if (!atomic_load(&lookup->forgotten)) { /* else whoever closes would wait for it */
        lookup->err =
            source->find(source->ctx, &lookup->arena, &lookup->want, &lookup->lore, &lookup->why);
    }
    loop_post(lookup->hall->loop, &lookup->back);
}

static void come_home(struct task *task)
{
    struct lookup *lookup = CONTAINER_OF(task, struct lookup, back);
    lookup->away = false;
    if (!lookup->todo) {
        lookup_free(lookup);
        return;
    }
    if (lookup->err) {
        lookup->lore = (struct lore){0};
        log_debug("town.lore", "wiki=%llu reason=\"%s\"", (unsigned long long)lookup->wiki.id,
                  lookup->why.text);
    }
    words_go_on(lookup->hall);
}

enum err lore_open(struct hall *hall, struct why *why)
{
    if (!hall->links.lore) return OK;
    return workers_open(1, QUEUE_MAX, (struct workers_hooks){0}, &hall->readers, why);
}

void lore_close(struct hall *hall)
{
    workers_close(hall->readers); /* what is away comes home before the loop ends */
    hall->readers = NULL;
}

static bool answers_member(const struct effect *effect)
{
    if (!is_member(effect->other)) return false;
    return effect->kind == EFFECT_COMMENT || (effect->kind == EFFECT_MESSAGE && effect->ref);
}

bool lore_look(struct todo *todo, struct str question, struct str earlier)
{
    struct hall *hall = todo->hall;
    if (todo->lookup) return todo->lookup->away;
    if (!hall->readers || question.len == 0 || !answers_member(&todo->effect)) return false;
    struct lookup *lookup = NEW(struct lookup);
    struct why why;
    *lookup = (struct lookup){
        .job.work = look, .back.run = come_home, .hall = hall, .todo = todo, .away = true};
    enum err err = wikis_known_to(hall->db, &lookup->arena,
                                  cast_user(&hall->cast, todo->effect.who), &lookup->wiki, &why);
    lookup->want = (struct lore_want){.wiki = lookup->wiki.id,
                                      .question = arena_copy(&lookup->arena, question),
                                      .earlier = arena_copy(&lookup->arena, earlier),
                                      .tokens_max = LORE_TOKENS};
    if (err || lookup->wiki.id == 0 || !workers_submit(hall->readers, &lookup->job)) {
        lookup_free(lookup);
        return false;
    }
    todo->lookup = lookup;
    return true;
}

bool lore_is_away(const struct todo *todo)
{
    return todo->lookup && todo->lookup->away;
}

void lore_forget(struct todo *todo)
{
    struct lookup *lookup = todo->lookup;
    todo->lookup = NULL;
    if (!lookup) return;
    lookup->todo = NULL;
    atomic_store(&lookup->forgotten, true);
    if (!lookup->away) lookup_free(lookup);
}

const struct lore *lore_of(const struct todo *todo, struct str *name_out)
{
    const struct lookup *lookup = todo->lookup;
    if (!lookup || lookup->away || lookup->lore.text.len == 0) return NULL;
    *name_out = lookup->wiki.name;
    return &lookup->lore;
}

bool lore_drop(struct todo *todo)
{
    struct str name;
    bool had = lore_of(todo, &name) != NULL;
    if (had) todo->lookup->lore = (struct lore){0};
    return had;
}

void lore_check(struct todo *todo)
{
    struct hall *hall = todo->hall;
    struct str name;
    if (!lore_of(todo, &name)) return;
    struct arena arena = {0};
    struct known_wiki now = {0};
    struct why why;
    enum err err =
        wikis_known_to(hall->db, &arena, cast_user(&hall->cast, todo->effect.who), &now, &why);
    if (err || now.id != todo->lookup->wiki.id) lore_drop(todo);
    arena_release(&arena);
}

struct str lore_vetted(struct arena *arena, const struct todo *todo, struct str said, bool whole)
{
    struct str name;
    const struct lore *lore = lore_of(todo, &name);
    if (!lore || !todo->paid) return said;
    struct buf vetted;
    buf_init(&vetted, VETTED_BYTES);
    todo->hall->links.lore->vet(lore, said, whole, &vetted);
    struct str kept = arena_copy(arena, buf_str(&vetted));
    buf_release(&vetted);
    return kept;
}

/* "src/x.c:10–40" */
static void put_place(struct buf *to, const struct lore_place *place)
{
    buf_printf(to, "%.*s:%d", STR_ARGS(place->path), place->first);
    if (place->last > place->first) buf_printf(to, "–%d", place->last);
}

bool lore_point_out(const struct todo *todo, struct buf *to)
{
    struct str name;
    const struct lore *lore = lore_of(todo, &name);
    if (!lore || lore->sure_count == 0) return false;
    bool chinese = text_is_chinese(todo->lookup->want.question);
    buf_add_str(to, chinese ? STR("我说不准，不过我会先看 ")
                            : STR("I can't say for sure, but I'd look in "));
    for (size_t i = 0; i < lore->sure_count; i++) {
        if (i > 0) buf_add_str(to, chinese ? STR("，还有 ") : STR(" and "));
        put_place(to, &lore->sure[i]);
    }
    buf_printf(to, chinese ? "（%.*s）。" : " (%.*s).", STR_ARGS(name));
    return true;
}
