/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/wiki_visit.h"

#include "api/live_internal.h"
#include "base/mem.h"

enum { TELL_MS = 1000 };

/* Lives on one loop; while `away`, what the look finds is the worker's to write. */
struct wiki_visit {
    struct list link; /* in home->visits */
    struct api_loop *home;
    const struct wiki_visit_events *events;
    void *ctx;
    struct arena arena;
    struct wiki_visit_want want;
    bool away, waits, cancelled, waited, paused;
    struct job job; /* looking for the wiki */
    struct task back;
    struct wiki_waiter waiter;
    struct timer *teller;
    struct wiki wiki;
    enum err err;
    struct why why;
    struct wiki_ask *ask;
    struct llm_usage spent;
};

static void free_visit(struct wiki_visit *visit)
{
    list_remove(&visit->link);
    timer_free(visit->teller);
    arena_release(&visit->arena);
    mem_free(visit);
}

static void fail(struct wiki_visit *visit, enum err err, const struct why *why)
{
    visit->events->failed(visit->ctx, err, why);
    free_visit(visit);
}

/* --- asking --- */

static void on_round(void *ctx, int round, bool last)
{
    struct wiki_visit *visit = ctx;
    if (visit->events->answer.round) visit->events->answer.round(visit->ctx, round, last);
}

static void on_context(void *ctx, const struct wiki_source *sources, size_t count)
{
    struct wiki_visit *visit = ctx;
    if (visit->events->answer.context) visit->events->answer.context(visit->ctx, sources, count);
}

static void on_notice(void *ctx, enum wiki_cause cause, struct str sentence)
{
    struct wiki_visit *visit = ctx;
    if (visit->events->answer.notice) visit->events->answer.notice(visit->ctx, cause, sentence);
}

static void on_spent(void *ctx, struct str site, struct str model, const struct llm_usage *usage)
{
    struct wiki_visit *visit = ctx;
    if (visit->events->answer.spent) visit->events->answer.spent(visit->ctx, site, model, usage);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct wiki_visit *visit = ctx;
    if (visit->events->answer.open) visit->events->answer.open(visit->ctx, site, model);
}

static void on_text(void *ctx, struct str piece)
{
    struct wiki_visit *visit = ctx;
    visit->events->answer.text(visit->ctx, piece);
}

static void on_end(void *ctx, const struct wiki_ask_end *end)
{
    struct wiki_visit *visit = ctx;
    visit->events->answer.end(visit->ctx, end);
    free_visit(visit);
}

static const struct wiki_ask_events passed_on = {.round = on_round,
                                                 .context = on_context,
                                                 .notice = on_notice,
                                                 .spent = on_spent,
                                                 .open = on_open,
                                                 .text = on_text,
                                                 .end = on_end};

static void ask(struct wiki_visit *visit)
{
    struct api_loop *home = visit->home;
    struct wiki_desk desk = {.library = home->api->wikis,
                             .workers = home->api->workers,
                             .loop = home->loop,
                             .llm = home->api->llm,
                             .models = home->llm,
                             .settings = home->api->settings};
    struct wiki_asking *asking = &visit->want.asking;
    asking->wiki = visit->wiki.id;
    asking->name = visit->wiki.name;
    asking->url = str_eq(visit->wiki.kind, STR("local")) ? STR("") : visit->wiki.url;
    /* Others end with the log-in, or hold a token that opened it. */
    struct wiki_reader reader = {visit->want.who.user, visit->want.who.role == ROLE_ADMIN};
    asking->reader = visit->want.unattended ? &reader : NULL;
    if (visit->events->begun) visit->events->begun(visit->ctx, &visit->wiki);
    visit->ask = wiki_ask_start(&desk, asking, &passed_on, visit);
    if (visit->paused) wiki_ask_pause(visit->ask);
}

/* --- finding --- */

/* By its address. What a token opened is found by that token alone. */
static enum err find_by_address(struct wiki_visit *visit, struct db *db)
{
    const struct wiki_visit_want *want = &visit->want;
    struct wiki_address address;
    enum err err = wiki_address_parse(&visit->arena, want->url, want->kind, &address, &visit->why);
    if (err) return err;
    struct wiki draft = wiki_draft(&address);
    draft.include = want->include;
    draft.exclude = want->exclude;
    draft.access = want->token.len ? WIKI_OWNER : WIKI_EVERYONE;
    draft.owner_id = want->who.user;
    struct str scope = STR("");
    if (want->token.len) scope = arena_printf(&visit->arena, "token %.*s", STR_ARGS(want->token));
    struct str identity = wiki_identity(&visit->arena, &draft, scope);
    err = wikis_find_identity(db, &visit->arena, identity, &visit->wiki, &visit->why);
    if (err == OK && (visit->wiki.indexed_us || visit->waited)) {
        /* A token is as good as a right to see what it opened. */
        if (want->token.len) return OK;
        struct wiki_reader reader = {.user = want->who.user, .admin = want->who.role == ROLE_ADMIN};
        return wikis_load(db, &visit->arena, &reader, visit->wiki.id, &visit->wiki, &visit->why);
    }
    if (err && err != ERR_NOT_FOUND) return err;
    if (!want->may_add || (wiki_address_is_trusted(&address) && want->who.role != ROLE_ADMIN)) {
        return why_set(&visit->why, ERR_UNKNOWN_CALLER,
                       "this repository is not here yet, and only members may add one (the "
                       "operator can change that: wiki-guests)");
    }
    visit->wiki = draft;
    return wiki_library_add(visit->home->api->wikis, db, &visit->arena, &visit->wiki, want->token,
                            &visit->why);
}

static void look(struct job *job, void *own)
{
    struct wiki_visit *visit = CONTAINER_OF(job, struct wiki_visit, job);
    struct wiki_reader reader = {.user = visit->want.who.user,
                                 .admin = visit->want.who.role == ROLE_ADMIN};
    if (visit->want.wiki) {
        visit->err =
            wikis_load(own, &visit->arena, &reader, visit->want.wiki, &visit->wiki, &visit->why);
    } else if (visit->want.name.len) {
        visit->err =
            wikis_named(own, &visit->arena, &reader, visit->want.name, &visit->wiki, &visit->why);
    } else {
        visit->err = find_by_address(visit, own);
    }
    loop_post(visit->home->loop, &visit->back);
}

static void look_again(struct wiki_visit *visit)
{
    if (workers_submit(visit->home->api->workers, &visit->job)) {
        visit->away = true;
        return;
    }
    struct why why;
    enum err err = why_set(&why, ERR_BUSY, "too much to do: try again in a moment");
    fail(visit, err, &why);
}

static void on_tell(void *ctx)
{
    struct wiki_visit *visit = ctx;
    struct wiki_progress progress = wiki_library_progress(visit->home->api->wikis, visit->wiki.id);
    if (progress.under_way && visit->events->waiting) visit->events->waiting(visit->ctx, &progress);
}

static void on_updated(struct task *task)
{
    struct wiki_visit *visit = CONTAINER_OF(task, struct wiki_visit, waiter.task);
    visit->waits = false;
    timer_free(visit->teller);
    visit->teller = NULL;
    visit->waited = true;
    if (visit->cancelled) {
        free_visit(visit);
    } else {
        look_again(visit);
    }
}

static void wait_for_it(struct wiki_visit *visit)
{
    visit->waits = wiki_library_wait(visit->home->api->wikis, visit->wiki.id, &visit->waiter);
    if (visit->waits) {
        visit->teller = timer_new(visit->home->loop, on_tell, visit);
        timer_start(visit->teller, TELL_MS, TELL_MS);
        on_tell(visit);
    } else { /* it has ended in between */
        visit->waited = true;
        look_again(visit);
    }
}

/* The error that its last update met. */
static enum err fault_of(const struct wiki *wiki)
{
    for (enum err err = OK + 1; err < ERR_COUNT; err++) {
        if (str_eq(wiki->fault, str_of(err_name(err)))) return err;
    }
    return ERR_UPSTREAM;
}

static void on_looked(struct task *task)
{
    struct wiki_visit *visit = CONTAINER_OF(task, struct wiki_visit, back);
    visit->away = false;
    if (visit->cancelled) {
        free_visit(visit);
    } else if (visit->err) {
        fail(visit, visit->err, &visit->why);
    } else if (visit->wiki.indexed_us) {
        ask(visit);
    } else if (!visit->waited) {
        wait_for_it(visit);
    } else {
        struct why why = {0};
        why_write(&why, "%.*s", STR_ARGS(visit->wiki.note));
        fail(visit, fault_of(&visit->wiki), &why);
    }
}

/* --- life --- */

static void copy_want(struct wiki_visit *visit, const struct wiki_visit_want *from)
{
    struct wiki_visit_want *want = &visit->want;
    *want = *from;
    struct str *const texts[] = {
        &want->name,       &want->url,     &want->kind,         &want->token,
        &want->include,    &want->exclude, &want->asking.model, &want->asking.language,
        &want->asking.file};
    for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_copy(&visit->arena, *texts[i]);
    struct llm_message *turns =
        ARENA_ARRAY(&visit->arena, struct llm_message, from->asking.turn_count);
    for (size_t i = 0; i < from->asking.turn_count; i++) {
        turns[i] =
            (struct llm_message){.role = from->asking.turns[i].role,
                                 .text = arena_copy(&visit->arena, from->asking.turns[i].text)};
    }
    want->asking.turns = turns;
}

struct wiki_visit *wiki_visit_start(struct api_loop *home, const struct wiki_visit_want *want,
                                    const struct wiki_visit_events *events, void *ctx)
{
    struct wiki_visit *visit = NEW(struct wiki_visit);
    visit->home = home;
    visit->events = events;
    visit->ctx = ctx;
    visit->spent = (struct llm_usage){-1, -1, -1, -1, false};
    copy_want(visit, want);
    visit->job.work = look;
    visit->back.run = on_looked;
    visit->waiter.task.run = on_updated;
    visit->waiter.loop = home->loop;
    list_init(&visit->link);
    list_add_last(&home->visits, &visit->link);
    visit->away = true;
    if (!workers_submit(home->api->workers, &visit->job)) {
        visit->err = why_set(&visit->why, ERR_BUSY, "too much to do: try again in a moment");
        loop_post(home->loop, &visit->back);
    }
    return visit;
}

struct llm_usage wiki_visit_cancel(struct wiki_visit *visit)
{
    struct llm_usage usage = {-1, -1, -1, -1, false};
    if (visit->ask) usage = wiki_ask_cancel(visit->ask);
    visit->ask = NULL;
    visit->cancelled = true;
    if (visit->waits && wiki_library_wait_no_more(visit->home->api->wikis, &visit->waiter))
        visit->waits = false;
    if (!visit->away && !visit->waits) free_visit(visit);
    return usage;
}

void wiki_visit_count(const struct wiki_visit *visit, uint64_t *cited_out, uint64_t *removed_out)
{
    *cited_out = *removed_out = 0;
    if (visit->ask) wiki_ask_count(visit->ask, cited_out, removed_out);
}

void wiki_visit_pause(struct wiki_visit *visit)
{
    visit->paused = true;
    if (visit->ask) wiki_ask_pause(visit->ask);
}

void wiki_visit_resume(struct wiki_visit *visit)
{
    visit->paused = false;
    if (visit->ask) wiki_ask_resume(visit->ask);
}

/* From outside: told, and gone. */
static void end_visit(struct wiki_visit *visit, enum err err, const char *sentence)
{
    struct why why;
    why_write(&why, "%s", sentence);
    if (visit->ask) visit->spent = wiki_ask_cancel(visit->ask);
    visit->ask = NULL;
    visit->events->failed(visit->ctx, err, &why);
    wiki_visit_cancel(visit);
}

struct llm_usage wiki_visit_spent(const struct wiki_visit *visit)
{
    return visit->spent;
}

void wiki_visits_notice(struct api_loop *home, const struct hub_notice *notice)
{
    for (struct list *at = home->visits.next, *next; at != &home->visits; at = next) {
        next = at->next;
        struct wiki_visit *visit = CONTAINER_OF(at, struct wiki_visit, link);
        bool meant = !visit->want.unattended && live_is_meant(&visit->want.who, notice);
        if (!visit->cancelled && meant) end_visit(visit, ERR_UNKNOWN_CALLER, "signed out");
    }
}

void wiki_visits_abort(struct api_loop *home)
{
    for (struct list *at = home->visits.next, *next; at != &home->visits; at = next) {
        next = at->next;
        struct wiki_visit *visit = CONTAINER_OF(at, struct wiki_visit, link);
        if (!visit->cancelled) end_visit(visit, ERR_BUSY, "the server is stopping");
    }
}
