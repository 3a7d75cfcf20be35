/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/embed.c: one batch after the other: gate, request, body, vectors.
 *
 *   READY → (QUEUED →) ASKING → READY … → over
 *
 * With a journal that replays there is no site: READY → over.
 */
#include "llm/embed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "llm/fault.h"
#include "llm/loop.h"

enum {
    TRIES = 3,
    REST_MS = 500,
    REST_MS_MAX = 20000,
    /* A batch of 512 vectors of 4,096 numbers, each some 12 characters. */
    BODY_MAX = 32 * 1024 * 1024,
    RECORD_MAX = 60 * 1024 * 1024,
};

struct llm_embed {
    struct llm_loop *home;
    struct arena arena;
    struct str model;
    struct str *texts;
    size_t count, done, batch; /* `batch` texts from `done` on are being asked for */
    bool query;
    int64_t dimensions;
    enum llm_class class;
    const struct llm_embed_events *events;
    void *ctx;
    struct llm_choice choice;
    bool has_place, queued, cancelled;
    int tries, status, key;
    int64_t hint_ms; /* when to come back, by the head of an error; -1: not said */
    struct gate_ticket ticket;
    struct turn_hook advance;
    struct deadline deadline;
    struct timer *timer;
    struct http_fetch *fetch;
    struct buf body;
    int64_t began_us;
    struct llm_result result;

    /* With a journal. */
    char record_key[JOURNAL_KEY_BYTES];
    struct buf record_vectors;
};

static void free_embed(struct llm_embed *embed)
{
    list_remove(&embed->advance.link);
    deadline_clear(&embed->deadline);
    timer_free(embed->timer);
    buf_release(&embed->body);
    buf_release(&embed->record_vectors);
    arena_release(&embed->arena);
    mem_free(embed);
}

static void leave_gate(struct llm_embed *embed, enum llm_fault fault)
{
    deadline_clear(&embed->deadline);
    if (embed->fetch) http_fetch_cancel(embed->fetch);
    embed->fetch = NULL;
    if (!embed->has_place) return;
    llm_tally_answer(&embed->choice.place->tally, fault);
    gate_leave(embed->choice.place->gate, fault, -1, clock_mono_us());
    embed->has_place = false;
}

static void tell_end(struct llm_embed *embed, enum llm_fault fault)
{
    struct llm_result *result = &embed->result;
    leave_gate(embed, fault);
    result->end = fault == LLM_FAULT_NONE ? LLM_COMPLETE : LLM_FAILED;
    result->fault = fault;
    result->total_us = clock_mono_us() - embed->began_us;
    if (embed->choice.place) {
        result->site = embed->choice.place->site.name;
        result->model = embed->choice.model;
        llm_tally_end(&embed->choice.place->tally, LLM_KIND_EMBEDDING, result);
    }
    if (journal_records(embed->home->llm->journal)) {
        struct journal_said said = {.kind = JOURNAL_EMBEDDING,
                                    .vectors = buf_str(&embed->record_vectors),
                                    .too_long = embed->record_vectors.failed};
        journal_write(embed->home->llm->journal, embed->record_key, &said, result);
    }
    embed->events->end(embed->ctx, result);
    free_embed(embed);
}

/* Once more, with another key or after a rest, or the end. */
static void recover(struct llm_embed *embed, const struct llm_trouble *trouble)
{
    enum llm_fault fault = trouble->fault;
    const struct llm_place *place = embed->choice.place;
    int64_t rest_ms = trouble->retry_after_ms;
    if (rest_ms < 0) rest_ms = (int64_t)(random_u64() % (REST_MS << embed->tries));
    leave_gate(embed, fault);
    if (embed->tries < LLM_KEYS_MAX &&
        llm_another_key(place, embed->key, fault, trouble->retry_after_ms)) {
        loop_at_turn_end(embed->home->loop, &embed->advance);
        return;
    }
    if (llm_fault_rules(fault).again && embed->tries < TRIES && rest_ms <= REST_MS_MAX &&
        gate_may_retry(place->gate)) {
        timer_start(embed->timer, (uint64_t)rest_ms, 0);
        return;
    }
    embed->result.retry_after_ms = trouble->retry_after_ms;
    llm_choice_sentence(embed->home->llm, fault, &embed->choice, trouble, &embed->result.why);
    tell_end(embed, fault);
}

/* --- reading --- */

static void on_vector(void *ctx, size_t index, const float *values, size_t count)
{
    struct llm_embed *embed = ctx;
    index += embed->done;
    if (journal_records(embed->home->llm->journal)) {
        journal_add_vector(&embed->record_vectors, index, values, count);
    }
    embed->events->vector(embed->ctx, index, values, count);
}

static void add_usage(struct llm_usage *to, const struct llm_usage *batch)
{
    if (batch->input < 0) to->estimated = true; /* a part is unknown, so the sum is */
    if (batch->input >= 0) to->input = MAX(to->input, 0) + batch->input;
}

static void read_body(struct llm_embed *embed)
{
    struct llm_trouble trouble = {.retry_after_ms = -1};
    struct llm_usage usage = {-1, -1, -1, -1, false};
    struct json *body;
    struct why why;
    trouble = llm_fault_read_body(embed->status, buf_str(&embed->body), &body);
    if (trouble.fault == LLM_FAULT_NONE &&
        embed->choice.place->site.provider->read_embedding(body, embed->batch, on_vector, embed,
                                                           &usage, &why) != OK) {
        trouble.fault = LLM_FAULT_PROTOCOL;
        str_copy(trouble.text, sizeof(trouble.text), str_of(why.text));
    }
    json_free(body);
    if (trouble.fault != LLM_FAULT_NONE) {
        if (trouble.retry_after_ms < 0) trouble.retry_after_ms = embed->hint_ms;
        recover(embed, &trouble);
        return;
    }
    add_usage(&embed->result.usage, &usage);
    embed->done += embed->batch;
    embed->tries = 0;
    leave_gate(embed, LLM_FAULT_NONE);
    if (embed->done == embed->count) {
        tell_end(embed, LLM_FAULT_NONE);
    } else {
        loop_at_turn_end(embed->home->loop, &embed->advance);
    }
}

static void on_head(void *ctx, struct http_fetch *fetch, int status)
{
    struct llm_embed *embed = ctx;
    embed->status = status;
    embed->hint_ms = status >= 400 ? llm_fetch_hint_ms(fetch) : -1;
}

static void on_piece(void *ctx, struct http_fetch *fetch, struct str bytes)
{
    (void)fetch;
    buf_add_str(&((struct llm_embed *)ctx)->body, bytes);
}

static void on_done(void *ctx, struct http_fetch *fetch, const struct http_fetch_end *end)
{
    struct llm_embed *embed = ctx;
    (void)fetch;
    embed->fetch = NULL;
    struct llm_trouble trouble = llm_fetch_trouble(end);
    if (trouble.fault == LLM_FAULT_NONE) {
        read_body(embed);
    } else {
        recover(embed, &trouble);
    }
}

/* --- asking --- */

static enum err send(struct llm_embed *embed, struct llm_wire *wire, struct why *why)
{
    static const struct http_fetch_events events = {on_head, on_piece, on_done};
    const struct llm_place *place = embed->choice.place;
    struct llm_embedding_asking asking = {.site = &place->site,
                                          .key = embed->key >= 0 ? place->site.keys[embed->key]
                                                                 : (struct str){0},
                                          .model = embed->choice.model,
                                          .texts = embed->texts + embed->done,
                                          .count = embed->batch,
                                          .query = embed->query,
                                          .dimensions = embed->dimensions};
    enum err err = place->site.provider->write_embedding(&asking, wire, why);
    if (err) return err;
    embed->fetch = llm_fetch(embed->home, place, wire, false, &events, embed);
    deadline_set(embed->home->loop, &embed->deadline,
                 loop_now_us(embed->home->loop) + place->clocks.first_us);
    return OK;
}

static void ask(struct llm_embed *embed)
{
    const struct llm_site *site = &embed->choice.place->site;
    struct llm_trouble trouble = {.fault = LLM_FAULT_RATE, .retry_after_ms = -1};
    struct why why;
    int64_t rest_us;
    embed->has_place = true;
    embed->batch = MIN(embed->count - embed->done, site->provider->embed_max);
    embed->key = llm_take_key(embed->choice.place, &rest_us);
    if (rest_us > 0) {
        embed->key = -1; /* none was refused by this */
        trouble.retry_after_ms = rest_us / 1000 + 1;
        recover(embed, &trouble);
        return;
    }
    embed->tries++;
    llm_tally_request(&embed->choice.place->tally, embed->tries > 1);
    struct llm_wire wire = {.arena = &embed->arena, .method = "POST"};
    buf_init(&wire.body, BODY_MAX);
    buf_reset(&embed->body, BODY_MAX);
    enum err err = send(embed, &wire, &why);
    buf_release(&wire.body);
    if (!err) return;
    trouble.fault = LLM_FAULT_REQUEST;
    str_copy(trouble.text, sizeof(trouble.text), str_of(why.text));
    recover(embed, &trouble);
}

/* This site takes no call now, and vectors of another would not fit the caller's. */
static void pass_by(struct llm_embed *embed, enum llm_fault fault)
{
    struct llm_trouble trouble = {.fault = fault, .retry_after_ms = -1};
    embed->tries = TRIES;
    recover(embed, &trouble);
}

static void on_granted(struct gate_ticket *ticket)
{
    struct llm_embed *embed = CONTAINER_OF(ticket, struct llm_embed, ticket);
    deadline_clear(&embed->deadline);
    embed->queued = false;
    if (embed->cancelled) { /* meanwhile */
        if (!ticket->turned_away) {
            gate_leave(embed->choice.place->gate, LLM_FAULT_BUSY, -1, clock_mono_us());
        }
        free_embed(embed);
    } else if (ticket->turned_away) {
        pass_by(embed, LLM_FAULT_OVERLOAD);
    } else {
        ask(embed);
    }
}

static void go_on(struct llm_embed *embed)
{
    struct llm_place *place = embed->choice.place;
    int64_t now_us = loop_now_us(embed->home->loop);
    embed->ticket.loop = embed->home->loop;
    embed->ticket.granted = on_granted;
    switch (gate_enter(place->gate, &embed->ticket, embed->class, now_us)) {
    case GATE_GO: ask(embed); return;
    case GATE_WAIT:
        embed->queued = true;
        deadline_set(embed->home->loop, &embed->deadline, now_us + place->clocks.queue_us);
        return;
    case GATE_FULL: pass_by(embed, LLM_FAULT_BUSY); return;
    case GATE_OPEN: pass_by(embed, LLM_FAULT_OVERLOAD); return;
    }
}

static void replay(struct llm_embed *embed)
{
    const struct json *entry = llm_replayed(embed->home, embed->record_key, &embed->result);
    if (entry) journal_vectors(entry, on_vector, embed);
    tell_end(embed, embed->result.fault);
}

static void on_advance(struct turn_hook *hook)
{
    struct llm_embed *embed = CONTAINER_OF(hook, struct llm_embed, advance);
    if (embed->choice.place == NULL) {
        replay(embed);
    } else if (embed->result.fault != LLM_FAULT_NONE) {
        tell_end(embed, embed->result.fault); /* it could not even begin */
    } else {
        go_on(embed);
    }
}

static void on_rested(void *ctx)
{
    go_on(ctx);
}

static void on_late(struct deadline *deadline)
{
    struct llm_embed *embed = CONTAINER_OF(deadline, struct llm_embed, deadline);
    struct llm_trouble trouble = {.fault = LLM_FAULT_TIMEOUT, .retry_after_ms = -1};
    if (!embed->queued) {
        recover(embed, &trouble);
    } else if (gate_withdraw(embed->choice.place->gate, &embed->ticket)) { /* else its turn comes */
        embed->queued = false;
        pass_by(embed, LLM_FAULT_BUSY);
    }
}

/* --- beginning, and giving up --- */

static enum err choose(struct llm_embed *embed, struct why *why)
{
    struct llm_choice *plan;
    (void)llm_plan(embed->home->llm, &embed->arena, embed->model, true, &plan);
    embed->choice = plan[0];
    const struct llm_site *site = &plan[0].place->site;
    bool can = !llm_is_offline(plan[0].place) && site->provider->write_embedding;
    if (!can && embed->choice.no_site) {
        embed->result.fault = LLM_FAULT_MODEL;
        llm_choice_sentence(embed->home->llm, LLM_FAULT_MODEL, &embed->choice, NULL, why);
        return ERR_NOT_FOUND;
    }
    if (!can || embed->choice.model.len == 0) {
        embed->result.fault = LLM_FAULT_REQUEST;
        return why_set(why, ERR_INVALID, "%.*s %s", STR_ARGS(site->name),
                       can ? "has several models: name the one that makes embeddings"
                           : "has no embeddings; choose a model of another site");
    }
    return OK;
}

static void begin(struct llm_embed *embed)
{
    if (choose(embed, &embed->result.why) != OK) ASSERT(embed->result.fault != LLM_FAULT_NONE);
    llm_tally_start(&embed->choice.place->tally, LLM_KIND_EMBEDDING);
}

struct llm_embed *llm_embed_start(struct llm_loop *home, const struct llm_embed_request *request,
                                  const struct llm_embed_events *events, void *ctx)
{
    ASSERT(request->count > 0);
    struct llm_embed *embed = NEW(struct llm_embed);
    embed->home = home;
    embed->model = arena_copy(&embed->arena, request->model);
    embed->texts = ARENA_ARRAY(&embed->arena, struct str, request->count);
    for (size_t i = 0; i < request->count; i++) {
        embed->texts[i] = arena_copy(&embed->arena, request->texts[i]);
    }
    embed->count = request->count;
    embed->query = request->query;
    embed->dimensions = request->dimensions;
    embed->class = request->class;
    embed->events = events;
    embed->ctx = ctx;
    embed->began_us = clock_mono_us();
    embed->result.usage = (struct llm_usage){-1, 0, -1, -1, false};
    embed->result.retry_after_ms = -1;
    embed->advance.run = on_advance;
    embed->deadline.fired = on_late;
    embed->timer = timer_new(home->loop, on_rested, embed);
    list_init(&embed->advance.link);
    list_init(&embed->deadline.link);
    list_init(&embed->ticket.link);
    buf_init(&embed->body, BODY_MAX);
    buf_init(&embed->record_vectors, RECORD_MAX);
    if (home->llm->journal) journal_key_embedding(request, embed->record_key);
    if (!journal_replays(home->llm->journal)) begin(embed);
    loop_at_turn_end(home->loop, &embed->advance);
    return embed;
}

void llm_embed_choice(const struct llm_embed *embed, struct str *site_out, struct str *model_out)
{
    *site_out = embed->choice.place ? embed->choice.place->site.name : STR("");
    *model_out = embed->choice.model;
}

bool llm_embed_used(const struct llm_embed *embed, struct llm_usage *usage_out)
{
    bool asking = embed->fetch != NULL;
    *usage_out = embed->result.usage;
    if (asking) usage_out->input = -1;
    return asking || embed->done > 0;
}

void llm_embed_cancel(struct llm_embed *embed)
{
    bool coming = embed->queued && !gate_withdraw(embed->choice.place->gate, &embed->ticket) &&
                  embed->ticket.granted_already;
    leave_gate(embed, LLM_FAULT_BUSY);
    struct llm_result *result = &embed->result;
    result->end = LLM_CANCELLED;
    result->fault = LLM_FAULT_NONE;
    if (embed->choice.place) {
        llm_tally_end(&embed->choice.place->tally, LLM_KIND_EMBEDDING, result);
    }
    timer_stop(embed->timer);
    list_remove(&embed->advance.link);
    embed->cancelled = true;
    if (!coming) free_embed(embed); /* else when its grant comes */
}
