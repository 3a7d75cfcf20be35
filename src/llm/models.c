/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/models.h"

#include "base/mem.h"
#include "llm/fault.h"
#include "llm/loop.h"

enum { BODY_MAX = 8 * 1024 * 1024, ASK_US = 10 * 1000000 };

struct listing {
    struct list link;
    struct llm_loop *home;
    struct llm_place *place;
    llm_models_answer *answer;
    void *ctx;
    struct http_fetch *fetch; /* NULL: none, or over */
    struct turn_hook soon;    /* the answer, when there is nobody to ask; or the next key */
    struct deadline deadline;
    struct buf body;
    int status, key;
    size_t asked; /* how often */
};

size_t llm_site_count(const struct llm *llm)
{
    return llm->place_count;
}

struct str llm_default_model(const struct llm *llm)
{
    return llm->standard_name;
}

bool llm_is_default_model(struct llm *llm, struct str model)
{
    struct arena arena = {0};
    struct llm_choice *choice;
    llm_plan(llm, &arena, model, true, &choice);
    struct str named = choice->model, usual = llm->standard.model;
    if (named.len == 0) named = llm_known_model(llm, choice->place, &arena);
    if (usual.len == 0) usual = llm_known_model(llm, llm->standard.place, &arena);
    bool is = llm_is_offline(choice->place) ||
              (choice->place == llm->standard.place && str_eq(named, usual));
    arena_release(&arena);
    return is;
}

static void drop(struct listing *listing)
{
    if (listing->fetch) http_fetch_cancel(listing->fetch);
    deadline_clear(&listing->deadline);
    list_remove(&listing->soon.link);
    list_remove(&listing->link);
    buf_release(&listing->body);
    mem_free(listing);
}

void llm_models_close(struct llm_loop *home)
{
    while (!list_is_empty(&home->listing)) {
        drop(CONTAINER_OF(home->listing.next, struct listing, link));
    }
}

static void count_one(void *ctx, struct str id, int64_t context_tokens)
{
    (void)id;
    (void)context_tokens;
    ++*(size_t *)ctx;
}

void llm_models_each(const struct llm_models *models, llm_each_model *each, void *ctx)
{
    if (models->offline) {
        each(ctx, STR("hutong-offline"), -1);
    } else if (models->body && models->replayed) {
        journal_models(models->body, each, ctx);
    } else if (models->body && models->fault == LLM_FAULT_NONE) {
        models->provider->read_models(models->body, each, ctx);
    }
}

static void record_one(void *ctx, struct str id, int64_t context_tokens)
{
    journal_add_model(ctx, id, context_tokens);
}

static void record(const struct listing *listing, const struct llm_models *models)
{
    char key[JOURNAL_KEY_BYTES];
    struct buf list;
    struct llm_result result = {.end = models->fault == LLM_FAULT_NONE ? LLM_COMPLETE : LLM_FAILED,
                                .fault = models->fault,
                                .why = models->why,
                                .usage = {-1, -1, -1, -1, false},
                                .site = models->site};
    buf_init(&list, BODY_MAX);
    llm_models_each(models, record_one, &list);
    struct journal_said said = {
        .kind = JOURNAL_MODELS, .models = buf_str(&list), .too_long = list.failed};
    journal_key_models(models->site, key);
    journal_write(listing->home->llm->journal, key, &said, &result);
    buf_release(&list);
}

static void ask_next(struct turn_hook *hook);

static struct llm_models models_of(const struct listing *listing)
{
    const struct llm_site *site = &listing->place->site;
    return (struct llm_models){.site = site->name,
                               .address = site->address,
                               .offline = llm_is_offline(listing->place),
                               .provider = site->provider};
}

static void end(struct listing *listing, struct llm_models *models)
{
    llm_models_each(models, count_one, &models->count);
    listing->answer(listing->ctx, models);
    drop(listing);
}

/* The key was refused, and the list is asked for with another. A 403 may be of this list alone
 * (OpenAI's keys for some purposes): such a key may be good for questions, and does not rest. */
static bool try_another_key(struct listing *listing, const struct llm_trouble *trouble)
{
    size_t count = listing->place->site.key_count;
    if (!llm_fault_rules(trouble->fault).next_key || listing->asked >= count) return false;
    bool rests = listing->status != 403;
    if (rests &&
        !llm_another_key(listing->place, listing->key, trouble->fault, trouble->retry_after_ms)) {
        return false;
    }
    listing->soon.run = ask_next;
    loop_at_turn_end(listing->home->loop, &listing->soon);
    return true;
}

/* Tells how it went, and ends, or asks once more. `trouble` may be NULL: the body says. */
static void tell(struct listing *listing, const struct llm_trouble *trouble)
{
    struct llm_models models = models_of(listing);
    struct llm_trouble found = {.retry_after_ms = -1};
    struct json *body = NULL;
    if (trouble) {
        found = *trouble;
    } else if (!models.offline) {
        found = llm_fault_read_body(listing->status, buf_str(&listing->body), &body);
        if (found.fault == LLM_FAULT_MODEL) llm_fault_note_path(&found); /* none was named */
    }
    if (try_another_key(listing, &found)) return; /* there is no body then */
    models.body = body;
    models.fault = found.fault;
    if (found.fault != LLM_FAULT_NONE) {
        llm_fault_sentence(found.fault, &listing->place->site, STR(""), &found, &models.why);
    }
    if (journal_records(listing->home->llm->journal) && !models.offline) record(listing, &models);
    end(listing, &models);
    json_free(body);
}

static void replay(struct listing *listing)
{
    struct llm_models models = models_of(listing);
    struct llm_result result = {.end = LLM_FAILED};
    char key[JOURNAL_KEY_BYTES];
    journal_key_models(models.site, key);
    models.body = llm_replayed(listing->home, key, &result);
    models.replayed = true;
    models.fault = result.fault;
    models.why = result.why;
    end(listing, &models);
}

static void on_head(void *ctx, struct http_fetch *fetch, int status)
{
    (void)fetch;
    ((struct listing *)ctx)->status = status;
}

static void on_piece(void *ctx, struct http_fetch *fetch, struct str bytes)
{
    (void)fetch;
    buf_add_str(&((struct listing *)ctx)->body, bytes);
}

static void on_done(void *ctx, struct http_fetch *fetch, const struct http_fetch_end *end)
{
    struct listing *listing = ctx;
    struct llm_trouble trouble = llm_fetch_trouble(end);
    (void)fetch;
    listing->fetch = NULL;
    tell(listing, trouble.fault == LLM_FAULT_NONE ? NULL : &trouble);
}

static void on_late(struct deadline *deadline)
{
    struct llm_trouble trouble = {.fault = LLM_FAULT_TIMEOUT, .retry_after_ms = -1};
    tell(CONTAINER_OF(deadline, struct listing, deadline), &trouble);
}

static void tell_soon(struct turn_hook *hook)
{
    struct listing *listing = CONTAINER_OF(hook, struct listing, soon);
    bool replays = journal_replays(listing->home->llm->journal);
    if (replays && !llm_is_offline(listing->place)) {
        replay(listing);
    } else {
        tell(listing, NULL);
    }
}

static enum err fetch_list(struct listing *listing, struct why *why)
{
    static const struct http_fetch_events events = {on_head, on_piece, on_done};
    struct llm_place *place = listing->place;
    struct arena arena = {0};
    struct llm_wire wire = {.arena = &arena, .method = "GET"};
    buf_init(&wire.body, BODY_MAX);
    struct llm_request request = llm_request_plain();
    int64_t rest_us; /* a list is little: it is asked for all the same */
    listing->key = llm_take_key(place, &rest_us);
    listing->asked++;
    buf_reset(&listing->body, BODY_MAX);
    struct llm_asking asking = {.site = &place->site,
                                .key = listing->key >= 0 ? place->site.keys[listing->key]
                                                         : (struct str){0},
                                .request = &request};
    enum err err = place->site.provider->write_models(&asking, &wire, why);
    if (!err) {
        listing->fetch = llm_fetch(listing->home, place, &wire, false, &events, listing);
    }
    buf_release(&wire.body);
    arena_release(&arena);
    return err;
}

static void ask_next(struct turn_hook *hook)
{
    struct listing *listing = CONTAINER_OF(hook, struct listing, soon);
    struct llm_trouble trouble = {.fault = LLM_FAULT_REQUEST, .retry_after_ms = -1};
    struct why why;
    if (fetch_list(listing, &why) == OK) return;
    str_copy(trouble.text, sizeof(trouble.text), str_of(why.text));
    tell(listing, &trouble);
}

void llm_models_ask(struct llm_loop *home, size_t site, llm_models_answer *answer, void *ctx)
{
    ASSERT(site < home->llm->place_count);
    struct listing *listing = NEW(struct listing);
    listing->home = home;
    listing->place = &home->llm->places[site];
    listing->answer = answer;
    listing->ctx = ctx;
    listing->soon.run = tell_soon;
    listing->deadline.fired = on_late;
    list_init(&listing->soon.link);
    list_init(&listing->deadline.link);
    buf_init(&listing->body, BODY_MAX);
    list_add_last(&home->listing, &listing->link);
    struct why why;
    bool asks = !llm_is_offline(listing->place) && !journal_replays(home->llm->journal) &&
                listing->place->site.provider->write_models;
    if (!asks || fetch_list(listing, &why) != OK) {
        loop_at_turn_end(home->loop, &listing->soon);
    } else {
        deadline_set(home->loop, &listing->deadline, loop_now_us(home->loop) + ASK_US);
    }
}
