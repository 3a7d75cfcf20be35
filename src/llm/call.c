/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/call.c: one request to a model, from llm_start() to its end.
 *
 *   READY → (QUEUED →) (NAMING →) ASKING → ANSWERING → OVER
 *     ↑_______________RESTING____________|
 *
 * READY takes the next choice of the plan; QUEUED waits for a place at its
 * gate; NAMING asks the site which models it has, when none was named; ASKING
 * waits for the first piece, ANSWERING is after it. What fails before the first
 * piece may rest and try again, take another key, or go on to the next choice;
 * what fails after it ends the call. `tell_end` is the one way out.
 *
 * A call that is cancelled while a grant of its gate is on the way lives on
 * until that comes, deaf.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "llm/fault.h"
#include "llm/loop.h"
#include "llm/repair.h"
#include "llm/tokens.h"

enum {
    ATTEMPTS_PER_SITE = 3,
    SECOND_US = 1000000,
    HINT_MS_MAX = 20000,      /* a longer wait the provider asks for is not worth it here */
    BACKOFF_MS = 500,         /* doubling … */
    BACKOFF_MS_MAX = 8000,    /* … up to this, and a random part of it */
    AFTER_END_US = SECOND_US, /* for the end of a body whose protocol said all */
    OFFLINE_PIECE_MS = 25,    /* about as fast as a person reads */
    NAME_BODY_MAX = 4 * 1024 * 1024,
};

enum call_state {
    CALL_READY,
    CALL_QUEUED,
    CALL_NAMING,
    CALL_ASKING,
    CALL_ANSWERING,
    CALL_RESTING,
    CALL_OVER
};

struct llm_call {
    struct list link;
    struct llm_loop *home;
    struct arena arena;
    struct llm_request request; /* copied */
    const struct llm_events *events;
    void *ctx;

    enum call_state state;
    struct llm_choice *plan; /* in the arena */
    size_t plan_count, plan_at;
    int attempts, attempts_here;
    bool shortened;
    bool has_place; /* at the gate of the present choice */
    bool paused;    /* by a slow reader */
    bool mends;     /* what the model refused is left out: `quirks` are not those known of it */
    unsigned quirks, quirks_known;
    bool thinks; /* who is asked at present has longer */
    int key;
    struct turn_hook advance;
    struct gate_ticket ticket;
    struct deadline deadline;
    struct timer *timer; /* rests, and the offline pace; NULL until needed */

    struct http_fetch *fetch;
    bool reading; /* `reader` is in use */
    struct llm_reader reader;
    struct buf names; /* NAMING: the list of models */
    int status;
    struct str answering; /* the model's name in the answer, or as asked; in the arena */
    int64_t hint_ms;      /* when to come back, by the head; -1: not said */
    int64_t said_tokens;  /* our estimate of what was told */

    struct llm_usage spent; /* input and output of attempts at this choice that came to nothing */
    struct buf offline_text;
    size_t offline_at;

    /* With a journal. */
    char record_key[JOURNAL_KEY_BYTES];
    struct buf record_text, record_reasoning, record_tools, record_spent;

    struct why instead; /* what the first choice's failure was, when another is asked; or empty */

    int64_t began_us, asked_us, first_us; /* monotonic; first: -1 until it came */
    struct llm_result result;
};

static void go_on(struct turn_hook *hook);

/* --- the end --- */

static struct llm_place *place_of(const struct llm_call *call)
{
    return call->plan[call->plan_at].place;
}

static int64_t now_us(const struct llm_call *call)
{
    return loop_now_us(call->home->loop);
}

/* The present attempt stops: its connection, its clocks, its place at the gate, which learns how it
 * went. The reader may be on the stack, and stays. */
static void stop_attempt(struct llm_call *call, enum llm_fault fault)
{
    if (call->fetch) http_fetch_cancel(call->fetch);
    call->fetch = NULL;
    deadline_clear(&call->deadline);
    if (call->timer) timer_stop(call->timer);
    if (!call->has_place) return;
    int64_t first = call->first_us >= 0 ? call->first_us - call->asked_us : -1;
    llm_tally_answer(&place_of(call)->tally, fault);
    gate_leave(place_of(call)->gate, fault, first, clock_mono_us());
    call->has_place = false;
}

static void drop_attempt(struct llm_call *call, enum llm_fault fault)
{
    stop_attempt(call, fault);
    if (call->reading) llm_reader_release(&call->reader);
    call->reading = false;
}

static void free_call(struct llm_call *call)
{
    list_remove(&call->link);
    list_remove(&call->advance.link);
    if (call->reading) llm_reader_release(&call->reader);
    timer_free(call->timer);
    buf_release(&call->names);
    buf_release(&call->offline_text);
    buf_release(&call->record_text);
    buf_release(&call->record_reasoning);
    buf_release(&call->record_tools);
    buf_release(&call->record_spent);
    arena_release(&call->arena);
    mem_free(call);
}

static const struct llm_message *asked_messages(const struct llm_call *call, size_t *count_out)
{
    *count_out = call->shortened ? call->request.shorter_count : call->request.message_count;
    return call->shortened ? call->request.shorter : call->request.messages;
}

/* Whatever the provider did not count is estimated, and marked so. */
static void fill_usage(struct llm_call *call, struct llm_usage *usage)
{
    if (call->first_us < 0 && call->asked_us == 0) return; /* nothing was asked */
    /* Servers that do not count say nought. */
    if (usage->input == 0 && usage->output == 0 && call->said_tokens > 0) {
        usage->input = usage->output = -1;
    }
    if (usage->input < 0) {
        size_t count;
        const struct llm_message *messages = asked_messages(call, &count);
        usage->input = (int64_t)llm_input_estimate(&call->request, messages, count);
        usage->estimated = true;
    }
    if (usage->output < 0) {
        usage->output = call->said_tokens;
        usage->estimated = true;
    }
}

/* What attempts took that came to nothing is paid for as well. */
static void add_spent(const struct llm_call *call, struct llm_usage *usage)
{
    if (call->spent.input == 0 && call->spent.output == 0) return;
    usage->input = MAX(usage->input, 0) + call->spent.input;
    usage->output = MAX(usage->output, 0) + call->spent.output;
    usage->estimated |= call->spent.estimated;
}

/* Of an attempt that another follows, or nothing. Who was too slow for us has worked for it. */
static void note_spent(struct llm_call *call, enum llm_fault fault)
{
    static const struct llm_usage unknown = {-1, -1, -1, -1, false};
    struct llm_usage usage = call->reading ? call->reader.usage : unknown;
    if (fault == LLM_FAULT_TIMEOUT) fill_usage(call, &usage);
    call->spent.input += MAX(usage.input, 0);
    call->spent.output += MAX(usage.output, 0);
    call->spent.estimated |= usage.estimated;
    call->result.usage = unknown;
}

static void record(struct llm_call *call, const struct llm_result *result)
{
    struct journal *journal = call->home->llm->journal;
    if (!journal_records(journal)) return;
    struct journal_said said = {.kind = JOURNAL_ANSWER,
                                .text = buf_str(&call->record_text),
                                .reasoning = buf_str(&call->record_reasoning),
                                .tools = buf_str(&call->record_tools),
                                .spent = buf_str(&call->record_spent)};
    journal_write(journal, call->record_key, &said, result);
}

static void tell_end(struct llm_call *call)
{
    ASSERT(call->state != CALL_OVER);
    struct llm_result *result = &call->result;
    call->state = CALL_OVER;
    if (result->end != LLM_FAILED || call->first_us >= 0) fill_usage(call, &result->usage);
    add_spent(call, &result->usage);
    result->attempts = call->attempts;
    if (call->instead.text[0]) result->instead = str_of(call->instead.text);
    result->first_us = call->first_us >= 0 ? call->first_us - call->began_us : -1;
    result->total_us = clock_mono_us() - call->began_us;
    if (call->plan_count > 0) {
        result->site = place_of(call)->site.name;
        result->model = call->plan[call->plan_at].model;
        if (llm_is_offline(place_of(call))) result->model = STR("hutong-offline");
        llm_tally_end(&place_of(call)->tally, LLM_KIND_CHAT, result);
    }
    record(call, result);
    drop_attempt(call, result->fault);
    call->events->end(call->ctx, result);
    free_call(call);
}

static void fail(struct llm_call *call, enum llm_fault fault, const struct llm_trouble *trouble)
{
    const struct llm_choice *choice = &call->plan[call->plan_at];
    call->result.fault = fault;
    bool said = call->first_us >= 0;
    call->result.end = fault == LLM_FAULT_FILTER ? LLM_REFUSED : said ? LLM_CUT_OFF : LLM_FAILED;
    llm_choice_sentence(call->home->llm, fault, choice, trouble, &call->result.why);
    log_info("llm.failed", "site=%.*s model=%.*s fault=%s code=%s attempts=%d reason=\"%s\"",
             STR_ARGS(choice->place->site.name), STR_ARGS(choice->model), llm_fault_name(fault),
             trouble && trouble->code[0] ? trouble->code : "-", call->attempts,
             trouble ? trouble->text : "");
    tell_end(call);
}

/* --- after a failure before the first piece --- */

static void rest(struct llm_call *call, int64_t for_ms);

static void next_turn(struct llm_call *call)
{
    call->state = CALL_READY;
    loop_at_turn_end(call->home->loop, &call->advance);
}

/* What a program asks of a model that the offline engine is not: a shape, a tool, eyes. */
static bool offline_falls_short(const struct llm_request *request)
{
    if (request->class != LLM_PROGRAM) return false;
    if (request->format != LLM_FORMAT_TEXT) return true;
    struct str choice = request->tool_choice;
    bool may =
        choice.len == 0 || str_eq(choice, STR("\"auto\"")) || str_eq(choice, STR("\"none\""));
    if (!may) return true;
    for (size_t i = 0; i < request->message_count; i++)
        if (request->messages[i].parts.len > 0) return true;
    return false;
}

/* A program that asks for a model of a site that is none. People hear who speaks; a program would
 * take the offline engine for that model. */
static bool is_misnamed(const struct llm_call *call)
{
    return call->plan[0].no_site && call->request.class == LLM_PROGRAM;
}

/* The present choice is given up. */
static void tell_spent(struct llm_call *call)
{
    const struct llm_choice *choice = &call->plan[call->plan_at];
    struct llm_usage spent = {call->spent.input, call->spent.output, -1, -1, call->spent.estimated};
    call->spent = (struct llm_usage){0};
    if (spent.input == 0 && spent.output == 0) return;
    llm_tally_spent(&choice->place->tally, &spent);
    if (journal_records(call->home->llm->journal)) {
        journal_add_spent(&call->record_spent, choice->place->site.name, choice->model, &spent);
    }
    if (call->events->spent) {
        call->events->spent(call->ctx, choice->place->site.name, choice->model, &spent);
    }
}

/* `fault` is why not the present one. */
static bool take_next_choice(struct llm_call *call, enum llm_fault fault,
                             const struct llm_trouble *trouble)
{
    if (call->plan_at + 1 >= call->plan_count) return false;
    bool offline = llm_is_offline(call->plan[call->plan_at + 1].place);
    bool misnamed = fault == LLM_FAULT_MODEL && is_misnamed(call);
    /* Why it failed says more. */
    if (offline && (misnamed || offline_falls_short(&call->request))) return false;
    if (call->plan_at == 0) {
        llm_choice_sentence(call->home->llm, fault, call->plan, trouble, &call->instead);
    }
    tell_spent(call);
    call->plan_at++;
    call->attempts_here = 0;
    call->mends = false;
    return true;
}

/* Full jitter (Brooker, "Exponential backoff and jitter", 2015), or what the provider asks. */
static int64_t pause_ms(const struct llm_call *call, int64_t hint_ms)
{
    if (hint_ms >= 0) return hint_ms + (int64_t)(random_u64() % (uint64_t)(hint_ms / 10 + 1));
    int64_t most = MIN((int64_t)BACKOFF_MS << call->attempts_here, (int64_t)BACKOFF_MS_MAX);
    return (int64_t)(random_u64() % (uint64_t)(most + 1));
}

/* The model that the site once named is gone there: ask it for another. */
static bool forget_model(struct llm_call *call, enum llm_fault fault)
{
    struct llm_choice *choice = &call->plan[call->plan_at];
    if (fault != LLM_FAULT_MODEL || !choice->site_named || choice->model.len == 0) return false;
    llm_learn_model(call->home->llm, choice->place, STR(""));
    choice->model = STR("");
    call->mends = false;
    return true;
}

/* The model lacks a part of what it was asked: without that part, then. A program that asked for a
 * format would take an answer without it for one in it. */
static bool mend(struct llm_call *call, const struct llm_trouble *trouble)
{
    unsigned quirks = llm_quirks_after(call->quirks, trouble), changed = quirks ^ call->quirks;
    bool format = changed & (LLM_QUIRK_NO_SCHEMA | LLM_QUIRK_NO_JSON);
    if (changed == 0 || (format && call->request.format_or_nothing)) return false;
    call->quirks = quirks;
    call->mends = true;
    return true;
}

static void recover(struct llm_call *call, enum llm_fault fault, const struct llm_trouble *trouble)
{
    struct llm_place *place = place_of(call);
    int64_t hint_ms = trouble ? trouble->retry_after_ms : -1;
    if (fault == LLM_FAULT_RATE && hint_ms > 120000) fault = LLM_FAULT_QUOTA;
    struct llm_fault_rules rules = llm_fault_rules(fault);
    bool in_time = clock_mono_us() - call->began_us < place->clocks.first_us;
    bool again =
        rules.again && call->attempts_here < ATTEMPTS_PER_SITE && in_time && hint_ms <= HINT_MS_MAX;
    note_spent(call, fault);
    drop_attempt(call, fault);
    call->result.retry_after_ms = hint_ms;
    if (fault == LLM_FAULT_TOO_LONG && call->request.shorter && !call->shortened) {
        call->shortened = true;
        next_turn(call);
    } else if (call->attempts_here < ATTEMPTS_PER_SITE && forget_model(call, fault)) {
        next_turn(call);
    } else if (trouble && call->attempts_here < ATTEMPTS_PER_SITE && mend(call, trouble)) {
        next_turn(call);
    } else if (call->attempts_here < LLM_KEYS_MAX &&
               llm_another_key(place, call->key, fault, hint_ms)) {
        next_turn(call);
    } else if (again && gate_may_retry(place->gate)) {
        rest(call, pause_ms(call, hint_ms));
    } else if (rules.next_site && take_next_choice(call, fault, trouble)) {
        next_turn(call);
    } else {
        fail(call, fault, trouble);
    }
}

/* --- reading --- */

static bool thinks(const struct llm_call *call)
{
    return call->request.thinking == LLM_THINKING_ON ||
           llm_model_thinks(call->plan[call->plan_at].model);
}

/* Between two pieces. Who is not listened to is not silent. */
static void set_idle_clock(struct llm_call *call)
{
    const struct llm_clocks *clocks = &place_of(call)->clocks;
    int64_t ends = call->began_us + clocks->total_us;
    int64_t idle = now_us(call) + (call->thinks ? clocks->thinking_idle_us : clocks->idle_us);
    deadline_set(call->home->loop, &call->deadline, call->paused ? ends : MIN(idle, ends));
}

/* Who answers, and why when it is another than was asked. The owner may go inside. */
static void tell_open(struct llm_call *call, struct str site, struct str model)
{
    if (call->instead.text[0] && call->events->instead) {
        call->events->instead(call->ctx, str_of(call->instead.text));
    }
    if (call->events->open && call->state != CALL_OVER) call->events->open(call->ctx, site, model);
}

/* The model took what it had refused before. */
static void learn(const struct llm_call *call)
{
    const struct llm_choice *choice = &call->plan[call->plan_at];
    if (!call->mends) return;
    llm_learn(call->home->llm, &choice->place->site, choice->model, call->quirks_known,
              call->quirks);
}

/* Before each piece. Who answers is told with the first one: until then another may. False: that
 * made the owner go. */
static bool note_piece(struct llm_call *call)
{
    bool first = call->first_us < 0;
    if (first) {
        call->first_us = clock_mono_us();
        call->state = CALL_ANSWERING;
        gate_heard(place_of(call)->gate);
        learn(call);
    }
    set_idle_clock(call);
    if (first) tell_open(call, place_of(call)->site.name, call->answering);
    return call->state != CALL_OVER;
}

static void on_open(void *ctx, struct str model)
{
    struct llm_call *call = ctx;
    const struct llm_choice *choice = &call->plan[call->plan_at];
    call->answering = model.len > 0 ? arena_copy(&call->arena, model) : choice->model;
}

static void on_text(void *ctx, struct str piece)
{
    struct llm_call *call = ctx;
    if (!note_piece(call)) return;
    call->said_tokens += (int64_t)tokens_estimate(piece);
    if (journal_records(call->home->llm->journal)) buf_add_str(&call->record_text, piece);
    if (call->events->text) call->events->text(call->ctx, piece);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct llm_call *call = ctx;
    if (!note_piece(call)) return;
    call->said_tokens += (int64_t)tokens_estimate(piece);
    if (journal_records(call->home->llm->journal)) buf_add_str(&call->record_reasoning, piece);
    if (call->events->reasoning) call->events->reasoning(call->ctx, piece);
}

static void on_tool(void *ctx, const struct llm_tool_piece *piece)
{
    struct llm_call *call = ctx;
    if (!note_piece(call)) return;
    call->said_tokens += (int64_t)tokens_estimate(piece->arguments);
    if (journal_records(call->home->llm->journal)) journal_add_tool(&call->record_tools, piece);
    if (call->events->tool) call->events->tool(call->ctx, piece);
}

static const struct llm_reader_events reader_events = {on_open, on_text, on_reasoning, on_tool};

/* The body is over, or enough of it is known. May end the call. */
static void judge(struct llm_call *call, bool broken)
{
    struct llm_result *result = &call->result;
    llm_reader_verdict(&call->reader, broken, result);
    if (call->state == CALL_OVER) return; /* cancelled by what was let go */
    struct llm_trouble trouble = call->reader.trouble;
    if (trouble.retry_after_ms < 0) trouble.retry_after_ms = call->hint_ms;
    if (result->end == LLM_COMPLETE) {
        tell_end(call);
    } else if (call->first_us < 0 && result->end == LLM_FAILED) {
        recover(call, result->fault, &trouble);
    } else {
        llm_choice_sentence(call->home->llm, result->fault, &call->plan[call->plan_at], &trouble,
                            &result->why);
        tell_end(call);
    }
}

static void on_head(void *ctx, struct http_fetch *fetch, int status)
{
    struct llm_call *call = ctx;
    const struct llm_choice *choice = &call->plan[call->plan_at];
    call->status = status;
    call->hint_ms = status >= 400 ? llm_fetch_hint_ms(fetch) : -1;
    if (call->state == CALL_NAMING) return;
    llm_reader_init(&call->reader, choice->place->site.provider, call->quirks, status,
                    http_fetch_header(fetch, "content-type"), !call->request.whole, &reader_events,
                    call);
    call->reading = true;
}

static void on_piece(void *ctx, struct http_fetch *fetch, struct str bytes)
{
    struct llm_call *call = ctx;
    (void)fetch;
    if (call->state == CALL_NAMING) {
        buf_add_str(&call->names, bytes);
        return;
    }
    llm_reader_feed(&call->reader, bytes);
    if (call->state == CALL_OVER) return; /* cancelled inside an event */
    if (call->reader.trouble.fault != LLM_FAULT_NONE) {
        judge(call, false); /* no use in waiting for the end of it */
    } else if (call->reader.marked_end) {
        deadline_set(call->home->loop, &call->deadline, now_us(call) + AFTER_END_US);
    }
}

static void use_first_name(void *ctx, struct str id, int64_t context_tokens)
{
    (void)context_tokens;
    struct llm_call *call = ctx;
    struct llm_choice *choice = &call->plan[call->plan_at];
    bool embeds = str_find(id, STR("embed")) < id.len;
    if (choice->model.len == 0 && !embeds) choice->model = arena_copy(&call->arena, id);
}

/* The site says which models it has: the first is remembered for those who come later. */
static void on_names(struct llm_call *call, const struct http_fetch_end *end)
{
    struct llm_choice *choice = &call->plan[call->plan_at];
    struct llm_trouble trouble = llm_fetch_trouble(end);
    struct json *body = NULL;
    if (trouble.fault == LLM_FAULT_NONE) {
        trouble = llm_fault_read_body(call->status, buf_str(&call->names), &body);
        if (trouble.fault == LLM_FAULT_MODEL) llm_fault_note_path(&trouble); /* none was named */
    }
    if (body) choice->place->site.provider->read_models(body, use_first_name, call);
    if (body && choice->model.len == 0) trouble.fault = LLM_FAULT_MODEL;
    json_free(body);
    buf_reset(&call->names, 0);
    if (trouble.fault != LLM_FAULT_NONE) {
        recover(call, trouble.fault, &trouble);
        return;
    }
    llm_learn_model(call->home->llm, choice->place, choice->model);
    drop_attempt(call, LLM_FAULT_BUSY); /* the place comes again at once */
    call->attempts_here--;              /* that was no question yet */
    next_turn(call);
}

static void on_done(void *ctx, struct http_fetch *fetch, const struct http_fetch_end *end)
{
    struct llm_call *call = ctx;
    (void)fetch;
    call->fetch = NULL; /* it goes by itself */
    if (call->state == CALL_NAMING) {
        on_names(call, end);
    } else if (!call->reading) {
        struct llm_trouble trouble = llm_fetch_trouble(end);
        recover(call, trouble.fault, &trouble);
    } else {
        judge(call, end->fault != HTTP_FETCH_OK);
    }
}

static const struct http_fetch_events fetch_events = {on_head, on_piece, on_done};

/* --- asking --- */

static void pass_by(struct llm_call *call, enum llm_fault fault);

static void on_deadline(struct deadline *deadline)
{
    struct llm_call *call = CONTAINER_OF(deadline, struct llm_call, deadline);
    struct llm_trouble trouble = {.fault = LLM_FAULT_TIMEOUT, .retry_after_ms = -1};
    if (call->state == CALL_QUEUED) {
        if (!gate_withdraw(place_of(call)->gate, &call->ticket)) return; /* its turn has come */
        pass_by(call, LLM_FAULT_BUSY);
    } else if (call->reading && call->reader.marked_end) {
        judge(call, false);
    } else if (call->first_us < 0) {
        recover(call, LLM_FAULT_TIMEOUT, &trouble);
    } else {
        fail(call, LLM_FAULT_TIMEOUT, &trouble);
    }
}

static void on_timer(void *ctx);

static void rest(struct llm_call *call, int64_t for_ms)
{
    call->state = CALL_RESTING;
    if (call->timer == NULL) call->timer = timer_new(call->home->loop, on_timer, call);
    timer_start(call->timer, (uint64_t)for_ms, 0);
}

static void send_wire(struct llm_call *call, struct llm_wire *wire)
{
    const struct llm_place *place = place_of(call);
    /* Of an answer in one piece the first byte may be as late as the last. */
    bool whole = call->state == CALL_ASKING && call->request.whole;
    bool streamed = call->state == CALL_ASKING && !whole;
    call->thinks = call->state == CALL_ASKING && thinks(call);
    int64_t wait_us = whole          ? place->clocks.total_us
                      : call->thinks ? place->clocks.thinking_first_us
                                     : place->clocks.first_us;
    call->asked_us = clock_mono_us();
    deadline_set(call->home->loop, &call->deadline, now_us(call) + wait_us);
    call->fetch = llm_fetch(call->home, place, wire, streamed, &fetch_events, call);
    buf_release(&wire->body);
}

static enum err write_wire(struct llm_call *call, struct llm_wire *wire, struct why *why)
{
    struct llm_choice *choice = &call->plan[call->plan_at];
    const struct llm_site *site = &choice->place->site;
    struct llm_asking asking = {.site = site,
                                .key = call->key >= 0 ? site->keys[call->key] : (struct str){0},
                                .model = choice->model,
                                .request = &call->request,
                                .quirks = call->quirks};
    asking.messages = asked_messages(call, &asking.message_count);
    return call->state == CALL_NAMING ? site->provider->write_models(&asking, wire, why)
                                      : site->provider->write_chat(&asking, wire, why);
}

static void choose_model(struct llm_call *call)
{
    struct llm_choice *choice = &call->plan[call->plan_at];
    if (choice->model.len > 0) return;
    choice->model = llm_known_model(call->home->llm, choice->place, &call->arena);
    choice->site_named = choice->place->site.model.len == 0;
}

/* False: all rest for a moment, and so does the call, or it goes elsewhere. */
static bool take_key(struct llm_call *call)
{
    int64_t rest_us;
    call->key = llm_take_key(place_of(call), &rest_us);
    if (rest_us == 0) return true;
    struct llm_trouble trouble = {.fault = LLM_FAULT_RATE, .retry_after_ms = rest_us / 1000 + 1};
    call->key = -1; /* none was refused by this */
    recover(call, LLM_FAULT_RATE, &trouble);
    return false;
}

static void ask(struct llm_call *call)
{
    struct llm_place *place = place_of(call);
    const struct llm_site *site = &place->site;
    if (!take_key(call)) return;
    choose_model(call);
    struct str model = call->plan[call->plan_at].model;
    bool nameless = model.len == 0;
    if (!call->mends) {
        call->quirks = call->quirks_known = llm_quirks(call->home->llm, site, model);
    }
    call->attempts++;
    call->attempts_here++;
    llm_tally_request(&place->tally, call->attempts_here > 1);
    call->state = nameless && site->provider->write_models ? CALL_NAMING : CALL_ASKING;
    struct llm_wire wire = {.arena = &call->arena, .method = "POST"};
    buf_init(&wire.body, LLM_BODY_MAX);
    struct why why;
    if (write_wire(call, &wire, &why) != OK) {
        struct llm_trouble trouble = {.fault = LLM_FAULT_REQUEST, .retry_after_ms = -1};
        str_copy(trouble.text, sizeof(trouble.text), str_of(why.text));
        buf_release(&wire.body);
        recover(call, LLM_FAULT_REQUEST, &trouble);
        return;
    }
    send_wire(call, &wire);
}

/* --- with no model at all --- */

static void say_offline(struct llm_call *call)
{
    struct str text = buf_str(&call->offline_text);
    bool paced = call->request.class != LLM_PROGRAM && !call->request.whole;
    size_t to = paced ? offline_next_piece(text, call->offline_at) : text.len;
    struct str piece = {text.at + call->offline_at, to - call->offline_at};
    call->offline_at = to;
    if (call->first_us < 0) call->first_us = clock_mono_us();
    call->state = CALL_ANSWERING;
    /* The end comes in a turn of its own. */
    timer_start(call->timer, to < text.len ? OFFLINE_PIECE_MS : 0, 0);
    if (journal_records(call->home->llm->journal)) buf_add_str(&call->record_text, piece);
    if (call->events->text) call->events->text(call->ctx, piece);
}

static void limit_offline(struct llm_call *call)
{
    const struct llm_request *request = &call->request;
    bool length;
    call->offline_text.len = offline_limit(buf_str(&call->offline_text), request->stops,
                                           request->stop_count, request->max_tokens, &length);
    call->result.finish = length ? LLM_FINISH_LENGTH : LLM_FINISH_STOP;
}

static void begin_offline(struct llm_call *call)
{
    struct llm *llm = call->home->llm;
    const struct llm_choice *choice = &call->plan[call->plan_at];
    if (choice->no_site && is_misnamed(call)) {
        recover(call, LLM_FAULT_MODEL, NULL);
        return;
    }
    if (choice->no_site) {
        llm_choice_sentence(llm, LLM_FAULT_MODEL, choice, NULL, &call->instead);
    }
    if (offline_falls_short(&call->request)) {
        struct llm_trouble trouble = {.fault = LLM_FAULT_REQUEST, .retry_after_ms = -1};
        str_copy(trouble.text, sizeof(trouble.text),
                 STR("the offline engine is no language model: it writes plain text only"));
        recover(call, LLM_FAULT_REQUEST, &trouble);
        return;
    }
    size_t count;
    const struct llm_message *messages = asked_messages(call, &count);
    struct offline_request request = {
        .messages = messages,
        .count = count,
        .scene = call->request.scene,
        .seed = call->request.seed >= 0 ? (uint64_t)call->request.seed : random_u64(),
    };
    call->attempts++;
    llm_tally_request(&place_of(call)->tally, false);
    call->asked_us = clock_mono_us();
    buf_init(&call->offline_text, LLM_TEXT_MAX);
    offline_write(llm->offline, &request, &call->offline_text);
    limit_offline(call);
    if (call->timer == NULL) call->timer = timer_new(call->home->loop, on_timer, call);
    call->state = CALL_ASKING;
    timer_start(call->timer, 0, 0);
    tell_open(call, STR("offline"), STR("hutong-offline"));
}

static void go_on_offline(struct llm_call *call)
{
    if (call->offline_at < call->offline_text.len) {
        say_offline(call);
        return;
    }
    struct llm_result *result = &call->result;
    bool whole = result->finish == LLM_FINISH_STOP;
    result->end = whole ? LLM_COMPLETE : LLM_CUT_OFF;
    if (!whole) {
        llm_choice_sentence(call->home->llm, LLM_FAULT_NONE, &call->plan[call->plan_at], NULL,
                            &result->why);
    }
    result->usage = (struct llm_usage){0, 0, 0, 0, false}; /* no model read or wrote a token */
    tell_end(call);
}

/* --- from the journal --- */

static void tell_recorded(struct llm_call *call, const struct json *entry)
{
    struct llm_result *result = &call->result;
    struct str reasoning = journal_reasoning(entry), text = journal_text(entry);
    call->first_us = clock_mono_us();
    call->state = CALL_ANSWERING;
    if (call->events->spent) journal_spent(entry, call->events->spent, call->ctx);
    if (result->instead.len > 0) why_write(&call->instead, "%.*s", STR_ARGS(result->instead));
    tell_open(call, result->site, result->model);
    if (reasoning.len > 0 && call->events->reasoning && call->state != CALL_OVER) {
        call->events->reasoning(call->ctx, reasoning);
    }
    if (text.len > 0 && call->events->text && call->state != CALL_OVER) {
        call->events->text(call->ctx, text);
    }
    if (call->events->tool && call->state != CALL_OVER) {
        journal_tools(entry, call->events->tool, call->ctx);
    }
}

static void replay(struct llm_call *call)
{
    const struct json *entry = llm_replayed(call->home, call->record_key, &call->result);
    call->plan_count = 0; /* nobody is asked: site and model are the record's */
    if (entry) tell_recorded(call, entry);
    if (call->result.end == LLM_CANCELLED) {
        call->result.end = LLM_CUT_OFF;
        call->result.fault = LLM_FAULT_TRUNCATED;
        why_write(&call->result.why, "who had asked stopped the recorded answer here");
    }
    if (call->state != CALL_OVER) tell_end(call);
}

/* --- the gate --- */

static void begin_attempt(struct llm_call *call)
{
    call->has_place = true;
    deadline_clear(&call->deadline);
    if (llm_is_offline(place_of(call))) {
        begin_offline(call);
    } else {
        ask(call);
    }
}

/* This site takes no call now: the next one, or none. */
static void pass_by(struct llm_call *call, enum llm_fault fault)
{
    if (take_next_choice(call, fault, NULL)) {
        next_turn(call);
    } else {
        fail(call, fault, NULL);
    }
}

static void on_granted(struct gate_ticket *ticket)
{
    struct llm_call *call = CONTAINER_OF(ticket, struct llm_call, ticket);
    if (call->state == CALL_OVER) { /* cancelled meanwhile */
        if (!ticket->turned_away) {
            gate_leave(place_of(call)->gate, LLM_FAULT_BUSY, -1, clock_mono_us());
        }
        free_call(call);
    } else if (ticket->turned_away) {
        deadline_clear(&call->deadline);
        pass_by(call, LLM_FAULT_OVERLOAD);
    } else {
        begin_attempt(call);
    }
}

static void enter_gate(struct llm_call *call)
{
    struct llm_place *place = place_of(call);
    call->ticket.loop = call->home->loop;
    call->ticket.granted = on_granted;
    call->state = CALL_QUEUED;
    switch (gate_enter(place->gate, &call->ticket, call->request.class, now_us(call))) {
    case GATE_GO: begin_attempt(call); return;
    case GATE_WAIT:
        deadline_set(call->home->loop, &call->deadline, now_us(call) + place->clocks.queue_us);
        return;
    case GATE_FULL: pass_by(call, LLM_FAULT_BUSY); return;
    case GATE_OPEN: pass_by(call, LLM_FAULT_OVERLOAD); return;
    }
}

static void on_timer(void *ctx)
{
    struct llm_call *call = ctx;
    if (call->state == CALL_RESTING) {
        enter_gate(call);
    } else {
        go_on_offline(call);
    }
}

static void go_on(struct turn_hook *hook)
{
    struct llm_call *call = CONTAINER_OF(hook, struct llm_call, advance);
    if (call->state == CALL_OVER) {
        free_call(call); /* cancelled in this turn */
    } else if (journal_replays(call->home->llm->journal)) {
        replay(call);
    } else {
        enter_gate(call);
    }
}

/* --- from outside --- */

struct llm_call *llm_start(struct llm_loop *home, const struct llm_request *request,
                           const struct llm_events *events, void *ctx)
{
    ASSERT(request->stop_count <= LLM_STOPS_MAX);
    ASSERT(events->end);
    struct llm_call *call = NEW(struct llm_call);
    call->home = home;
    call->events = events;
    call->ctx = ctx;
    call->key = -1;
    call->first_us = -1;
    call->began_us = clock_mono_us();
    call->result.usage = (struct llm_usage){-1, -1, -1, -1, false};
    call->result.retry_after_ms = -1;
    call->hint_ms = -1;
    call->advance.run = go_on;
    call->deadline.fired = on_deadline;
    list_init(&call->advance.link);
    list_init(&call->deadline.link);
    list_init(&call->ticket.link);
    list_add_last(&home->calls, &call->link);
    buf_init(&call->names, NAME_BODY_MAX);
    llm_request_copy(&call->arena, request, &call->request);
    buf_init(&call->record_text, LLM_TEXT_MAX);
    buf_init(&call->record_reasoning, LLM_TEXT_MAX);
    buf_init(&call->record_tools, LLM_TEXT_MAX);
    buf_init(&call->record_spent, LLM_TEXT_MAX);
    if (home->llm->journal) journal_key(request, call->record_key);
    call->plan_count =
        llm_plan(home->llm, &call->arena, call->request.model, request->only_this, &call->plan);
    if (!journal_replays(home->llm->journal)) {
        llm_tally_start(&place_of(call)->tally, LLM_KIND_CHAT);
    }
    loop_at_turn_end(home->loop, &call->advance);
    return call;
}

struct llm_usage llm_cancel(struct llm_call *call)
{
    ASSERT(call->state != CALL_OVER);
    /* While it waits, rests or asks for a name, no question is with the provider. */
    bool asked = call->state == CALL_ASKING || call->state == CALL_ANSWERING;
    struct llm_usage usage =
        call->reading ? call->reader.usage : (struct llm_usage){-1, -1, -1, -1, false};
    if (asked && llm_is_offline(place_of(call))) {
        usage = (struct llm_usage){0, 0, 0, 0, false};
    } else if (asked) {
        fill_usage(call, &usage);
    }
    add_spent(call, &usage);
    bool grant_on_its_way = call->state == CALL_QUEUED &&
                            !gate_withdraw(place_of(call)->gate, &call->ticket) &&
                            call->ticket.granted_already;
    if (call->reading) llm_reader_stop(&call->reader);
    if (call->plan_count > 0 && !journal_replays(call->home->llm->journal)) {
        struct llm_result result = {.end = LLM_CANCELLED, .usage = usage, .first_us = -1};
        if (call->first_us >= 0) result.first_us = call->first_us - call->began_us;
        llm_tally_end(&place_of(call)->tally, LLM_KIND_CHAT, &result);
    }
    call->state = CALL_OVER;
    if (asked) {
        struct llm_result result = {.end = LLM_CANCELLED,
                                    .site = place_of(call)->site.name,
                                    .model = llm_call_model(call),
                                    .usage = usage,
                                    .first_us = -1};
        record(call, &result);
    }
    stop_attempt(call, LLM_FAULT_BUSY);
    list_remove(&call->advance.link);
    /* It may be on the stack: gone at the end of the turn. */
    if (!grant_on_its_way) loop_at_turn_end(call->home->loop, &call->advance);
    return usage;
}

struct str llm_call_site(const struct llm_call *call)
{
    return call->plan_count > 0 ? place_of(call)->site.name : STR("");
}

struct str llm_call_model(const struct llm_call *call)
{
    return call->plan_count > 0 ? call->plan[call->plan_at].model : STR("");
}

void llm_pause(struct llm_call *call)
{
    if (call->fetch == NULL || call->state != CALL_ANSWERING) return;
    http_fetch_pause(call->fetch);
    call->paused = true;
    set_idle_clock(call);
}

void llm_resume(struct llm_call *call)
{
    if (!call->paused) return;
    call->paused = false;
    if (call->fetch == NULL || call->state != CALL_ANSWERING) return;
    http_fetch_resume(call->fetch);
    if (!call->reader.marked_end) set_idle_clock(call);
}

struct llm_loop *llm_loop_open(struct llm *llm, struct loop *loop)
{
    struct llm_loop *home = NEW(struct llm_loop);
    home->llm = llm;
    home->loop = loop;
    home->client = http_client_open(loop);
    list_init(&home->calls);
    list_init(&home->listing);
    return home;
}

void llm_loop_close(struct llm_loop *home)
{
    if (home == NULL) return;
    while (!list_is_empty(&home->calls)) {
        struct llm_call *call = CONTAINER_OF(home->calls.next, struct llm_call, link);
        bool over = call->state == CALL_OVER;
        if (!over) llm_cancel(call);
        list_remove(&call->link);
        /* No turn will end any more; one whose grant is on its way goes with the mailbox. */
        if (!list_is_empty(&call->advance.link)) free_call(call);
    }
    llm_models_close(home);
    http_client_close(home->client);
    mem_free(home);
}

const char *llm_end_name(enum llm_end end)
{
    static const char *const names[] = {"complete", "cut_off", "refused", "cancelled", "failed"};
    return names[end];
}
