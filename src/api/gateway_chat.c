/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway_chat.c: POST /v1/chat/completions.
 *
 * A flight is one call of a model; its readers are the requests that wait for
 * it: one, or, with llm-share, all of the process that asked the very same.
 * What has been said is kept in the flight and each reader knows how much of it
 * it has: one who comes late hears all from the first word, and one who reads
 * slowly gets larger pieces later and holds nobody up. Only when all are slow
 * is the model held back. The last reader who leaves cancels the call.
 *
 * The call belongs to the loop that began it, its home. Readers there are near:
 * they get each piece as it comes. The others are far: listeners of the flight
 * (api/audience.h), who take what has come once a turn of their own loop. They
 * change nothing at home but by a task to it. Without llm-share there is neither
 * lock nor table.
 *
 * The call is booked on its first reader; the others cost their keys nothing.
 *
 * An answer that was cut short ends with an error event, never with a
 * finish_reason and [DONE]. "length" is no such case: the program, or the model, set that limit.
 */
#include "api/gateway_internal.h"
#include "base/mem.h"
#include "community/keys.h"

enum {
    OUTPUT_TOKENS = 1024, /* reserved where the program set no limit */
    QUEUE_HIGH = 256 * 1024
};

static const struct llm_usage nothing = {0};

/* What attempts took elsewhere than where the answer came from. */
struct flight_spent {
    char site[USAGE_SITE_BYTES], model[USAGE_MODEL_BYTES];
    struct llm_usage usage;
};

struct flight {
    atomic_uint refs; /* its home's, each reader's, each task's */
    struct gateway *gateway;
    struct audience far; /* of struct reader, by `listener` */
    struct buf mark;     /* of what was asked; empty: not shared, not kept */
    bool shared;         /* others may join: what follows is under the lock of `far` */
    bool keep;           /* the answer may be kept */

    struct said *said;          /* a reference; never changed once it is over */
    bool opened, over;          /* over: everybody has been booked */
    struct llm_result failure;  /* when it is over; without site and model */
    bool good;                  /* there was none */
    size_t readers, stuck;      /* how many there are, and how many of them are */
    uint64_t joined;            /* how many there ever were */
    bool held;                  /* the model is */
    struct flight_spent *spent; /* owned; at choices that were given up */
    size_t spent_count;
    struct payer payer; /* the last reader, when it has left and the call is not over */
    bool resuming;      /* the task is on its way */
    struct task resume, abandon;

    /* Its home's. */
    struct list link; /* in home->flights */
    struct gateway_loop *home;
    struct llm_call *call; /* NULL: over */
    struct list near;      /* of struct reader, by `near` */
};

static void lock(struct flight *flight)
{
    if (flight->shared) pthread_mutex_lock(&flight->far.lock);
}

static void unlock(struct flight *flight)
{
    if (flight->shared) pthread_mutex_unlock(&flight->far.lock);
}

static void unref_flight(struct flight *flight)
{
    if (atomic_fetch_sub(&flight->refs, 1) != 1) return;
    audience_release(&flight->far);
    buf_release(&flight->mark);
    mem_free(flight->spent);
    said_unref(flight->said);
    mem_free(flight);
}

static bool is_near(const struct reader *reader)
{
    return reader->flight->home == reader->call->home->gateway;
}

#define EACH_NEAR(flight, reader)                                                                  \
    for (struct list *at_ = (flight)->near.next, *next_ = at_->next;                               \
         at_ != &(flight)->near && ((reader) = CONTAINER_OF(at_, struct reader, near), true);      \
         at_ = next_, next_ = at_->next)

/* --- booking --- */

static void settle(struct ledger *ledger, const struct said *said, const struct payer *payer,
                   const struct llm_usage *usage, bool shared)
{
    struct ledger_use use = {.key = payer->key,
                             .reserved = payer->reserved,
                             .site = str_of(said->site),
                             .model = str_of(said->asked[0] ? said->asked : said->model),
                             .usage = *usage,
                             .input_estimate = payer->input_estimate,
                             .shared = shared};
    ledger_settle(ledger, &use);
}

/* `usage`: of the call; NULL: it came to nothing. Under the lock. */
static void book(struct flight *flight, const struct payer *payer, const struct llm_usage *usage,
                 bool pays)
{
    struct ledger *ledger = flight->gateway->ledger;
    if (usage == NULL) {
        ledger_release(ledger, payer->key, payer->reserved);
    } else {
        settle(ledger, flight->said, payer, pays ? usage : &nothing, !pays);
    }
    for (size_t i = 0; pays && i < flight->spent_count; i++) {
        const struct flight_spent *spent = &flight->spent[i];
        struct ledger_use use = {.key = payer->key,
                                 .site = str_of(spent->site),
                                 .model = str_of(spent->model),
                                 .usage = spent->usage};
        ledger_settle(ledger, &use);
    }
}

/* All readers, the first of them with the call. Under the lock. */
static void book_all(struct flight *flight, const struct llm_usage *usage)
{
    struct list *near = flight->near.next, *far = flight->far.listeners.next;
    if (flight->readers == 0) book(flight, &flight->payer, usage, true);
    for (bool first = true; near != &flight->near || far != &flight->far.listeners; first = false) {
        struct reader *here =
            near != &flight->near ? CONTAINER_OF(near, struct reader, near) : NULL;
        struct reader *there =
            far != &flight->far.listeners ? CONTAINER_OF(far, struct reader, listener.link) : NULL;
        ASSERT(here || there);
        bool takes_near = there == NULL || (here && here->rank < there->rank);
        book(flight, takes_near ? &here->payer : &there->payer, usage, first);
        if (takes_near)
            near = near->next;
        else
            far = far->next;
    }
}

/* --- holding the model back --- */

/* At home. */
static void hold_if_all_are_stuck(struct flight *flight)
{
    lock(flight);
    bool hold = !flight->held && flight->stuck == flight->readers && flight->readers > 0;
    if (hold) flight->held = true;
    unlock(flight);
    if (hold && flight->call) llm_pause(flight->call);
}

/* At home. */
static void let_go(struct flight *flight)
{
    lock(flight);
    bool held = flight->held;
    flight->held = flight->resuming = false;
    unlock(flight);
    if (held && flight->call) llm_resume(flight->call);
}

static void on_resume(struct task *task)
{
    struct flight *flight = CONTAINER_OF(task, struct flight, resume);
    let_go(flight);
    unref_flight(flight);
}

/* The readers have changed, or one has caught up: who is still too slow will hold it again. Under
 * the lock, so that home is still there. */
static void ask_home_to_go_on(struct flight *flight)
{
    if (!flight->held || flight->resuming || flight->over) return;
    flight->resuming = true;
    atomic_fetch_add(&flight->refs, 1);
    flight->resume.run = on_resume;
    loop_post(flight->home->home->loop, &flight->resume);
}

static void set_stuck(struct reader *reader, bool stuck)
{
    struct flight *flight = reader->flight;
    if (reader->stuck == stuck) return;
    lock(flight);
    reader->stuck = stuck;
    flight->stuck += stuck ? 1 : (size_t)-1;
    if (!stuck) ask_home_to_go_on(flight);
    unlock(flight);
}

/* --- telling --- */

static bool is_too_slow(struct http_exchange *x)
{
    if (http_stream_queued(x) < QUEUE_HIGH) return false;
    http_stream_flush(x);
    return http_stream_queued(x) >= QUEUE_HIGH;
}

/* What has been said and the reader does not have, unless too much waits for it already. */
static void feed(struct reader *reader)
{
    struct flight *flight = reader->flight;
    struct call *call = reader->call;
    struct buf *events = &call->home->gateway->events;
    bool more = reader->stream;
    while (more && !is_too_slow(call->x)) {
        buf_reset(events, SAID_BYTES);
        lock(flight);
        more = flight->opened && said_chunks(flight->said, &reader->mark, call->arena, events);
        unlock(flight);
        if (events->len > 0) reply_events(reader, buf_str(events));
    }
    set_stuck(reader, more);
}

/* Its exchange is over. */
static void free_reader(struct reader *reader)
{
    list_remove(&reader->of_loop);
    deadline_clear(&reader->silence);
    if (reader->listener.audience) {
        listener_end(&reader->listener);
        return;
    }
    struct flight *flight = reader->flight;
    mem_free(reader);
    if (flight) unref_flight(flight);
}

static void free_far_reader(struct listener *listener)
{
    struct reader *reader = CONTAINER_OF(listener, struct reader, listener);
    struct flight *flight = reader->flight;
    mem_free(reader);
    unref_flight(flight);
}

/* The flight is over, and the reader booked. */
static void finish(struct reader *reader)
{
    const struct flight *flight = reader->flight;
    /* An answer of no word is a stream too. */
    if (reader->stream && (flight->opened || flight->good)) reply_rest(reader, flight->said);
    reply_end(reader, flight->said, flight->good ? NULL : &flight->failure);
    free_reader(reader);
}

static void far_news(struct listener *listener)
{
    struct reader *reader = CONTAINER_OF(listener, struct reader, listener);
    struct flight *flight = reader->flight;
    lock(flight);
    bool over = flight->over;
    if (over) audience_drop(listener);
    unlock(flight);
    if (over) {
        finish(reader);
    } else {
        feed(reader);
    }
}

void program_drained(void *ctx)
{
    struct reader *reader = ctx;
    if (reader->asks_wiki) {
        counsel_drained(reader);
    } else if (reader->stuck) {
        feed(reader);
    }
}

/* --- the end of a flight --- */

/* Nobody can join it any more. The table's lock comes before the flight's. */
static void unlist(struct flight *flight)
{
    struct gateway *gateway = flight->gateway;
    if (!flight->shared) return;
    pthread_mutex_lock(&gateway->lock);
    struct str mark = buf_str(&flight->mark);
    if (map_find(&gateway->shared, mark) == flight) map_remove(&gateway->shared, mark);
    pthread_mutex_unlock(&gateway->lock);
}

/* At home. Books everybody; those here get their end now, the others when they hear of it. */
static void land(struct flight *flight, const struct llm_result *result, bool good)
{
    flight->call = NULL;
    unlist(flight);
    bool asked = result->usage.input >= 0 || result->usage.output >= 0;
    lock(flight);
    flight->failure = *result;
    flight->failure.site = flight->failure.model = (struct str){0};
    flight->good = good;
    flight->over = true;
    book_all(flight, asked ? &result->usage : NULL);
    audience_wake(&flight->far);
    unlock(flight);
    while (!list_is_empty(&flight->near)) {
        struct reader *reader = CONTAINER_OF(flight->near.next, struct reader, near);
        list_remove(&reader->near);
        finish(reader);
    }
    list_remove(&flight->link);
    unref_flight(flight);
}

/* Until an answer comes, those who leave are booked under who is asked. At home. */
static void name_asked(struct flight *flight)
{
    struct said *said = flight->said;
    lock(flight);
    if (!flight->opened) {
        str_copy(said->site, sizeof(said->site), llm_call_site(flight->call));
        str_copy(said->asked, sizeof(said->asked), llm_call_model(flight->call));
    }
    unlock(flight);
}

/* At home: it is ended by us. Closes the connection to the provider. */
static void ground(struct flight *flight, enum llm_end end, enum llm_fault fault,
                   const char *sentence)
{
    struct llm_result result = {.end = end, .fault = fault, .retry_after_ms = -1};
    name_asked(flight);
    result.usage = llm_cancel(flight->call);
    why_write(&result.why, "%s", sentence);
    land(flight, &result, false);
}

static void abandon(struct flight *flight)
{
    ground(flight, LLM_CANCELLED, LLM_FAULT_NONE, "nobody waits for it any more");
}

static void on_abandon(struct task *task)
{
    struct flight *flight = CONTAINER_OF(task, struct flight, abandon);
    if (flight->call) abandon(flight); /* else it ended by itself meanwhile */
    unref_flight(flight);
}

/* --- leaving --- */

/* Takes the reader out, and books it for nothing unless it is the last. Gives whether home has to
 * give the call up. Under both locks. */
static bool take_out(struct reader *reader, bool near)
{
    struct flight *flight = reader->flight;
    if (near) {
        list_remove(&reader->near);
    } else {
        audience_drop(&reader->listener);
    }
    if (flight->over) return false; /* it has been booked */
    flight->readers--;
    flight->stuck -= reader->stuck;
    if (flight->readers > 0) {
        book(flight, &reader->payer, &nothing, false); /* those who stay pay */
        ask_home_to_go_on(flight);
        return false;
    }
    struct str mark = buf_str(&flight->mark);
    struct map *shared = &flight->gateway->shared;
    if (flight->shared && map_find(shared, mark) == flight) map_remove(shared, mark);
    flight->payer = reader->payer;
    if (near) return true;
    atomic_fetch_add(&flight->refs, 1);
    flight->abandon.run = on_abandon;
    loop_post(flight->home->home->loop, &flight->abandon);
    return false;
}

/* The reader still has to end its exchange, and to be freed. */
static void leave(struct reader *reader)
{
    struct flight *flight = reader->flight;
    bool near = is_near(reader);
    if (flight->shared) pthread_mutex_lock(&flight->gateway->lock);
    lock(flight);
    bool last = take_out(reader, near);
    unlock(flight);
    if (flight->shared) pthread_mutex_unlock(&flight->gateway->lock);
    if (last) abandon(flight);
}

void program_gone(void *ctx)
{
    struct reader *reader = ctx;
    struct http_exchange *x = reader->call->x;
    bool begun = reader->begun;
    if (reader->asks_wiki) {
        counsel_gone(reader);
        return;
    }
    leave(reader);
    free_reader(reader);
    if (begun) {
        http_stream_end(x, false);
    } else {
        x->status = 499; /* as nginx says it in logs */
        http_reply(x);
    }
}

/* --- the model speaks --- */

/* Something was added. At home; `said` is behind the lock that was let go. */
static void tell(struct flight *flight)
{
    struct reader *reader;
    EACH_NEAR(flight, reader) feed(reader);
    hold_if_all_are_stuck(flight);
}

static void on_spent(void *ctx, struct str site, struct str model, const struct llm_usage *usage)
{
    struct flight *flight = ctx;
    lock(flight);
    size_t bytes = (flight->spent_count + 1) * sizeof(*flight->spent);
    flight->spent = mem_resize(flight->spent, bytes);
    struct flight_spent *spent = &flight->spent[flight->spent_count++];
    str_copy(spent->site, sizeof(spent->site), site);
    str_copy(spent->model, sizeof(spent->model), model);
    spent->usage = *usage;
    unlock(flight);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct flight *flight = ctx;
    lock(flight);
    str_copy(flight->said->site, sizeof(flight->said->site), site);
    str_copy(flight->said->model, sizeof(flight->said->model), model);
    if (flight->call) {
        str_copy(flight->said->asked, sizeof(flight->said->asked), llm_call_model(flight->call));
    }
    flight->opened = true;
    audience_wake(&flight->far);
    unlock(flight);
    tell(flight);
}

/* After something was added, under the lock, which is let go. */
static void told(struct flight *flight)
{
    bool too_long = said_overflowed(flight->said);
    audience_wake(&flight->far);
    unlock(flight);
    if (too_long) {
        ground(flight, LLM_CUT_OFF, LLM_FAULT_TRUNCATED,
               "the answer is longer than this server passes on");
    } else {
        tell(flight);
    }
}

static void on_text(void *ctx, struct str piece)
{
    struct flight *flight = ctx;
    lock(flight);
    buf_add_str(&flight->said->text, piece);
    told(flight);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct flight *flight = ctx;
    lock(flight);
    buf_add_str(&flight->said->reasoning, piece);
    told(flight);
}

static void on_tool(void *ctx, const struct llm_tool_piece *piece)
{
    struct flight *flight = ctx;
    lock(flight);
    said_add_tool(flight->said, piece);
    told(flight);
}

bool said_is_answer(const struct said *said, const struct llm_result *result)
{
    bool words = said->text.len > 0 || said->tool_count > 0;
    switch (result->end) {
    case LLM_COMPLETE: return true;
    case LLM_CUT_OFF:
        return result->finish == LLM_FINISH_LENGTH &&
               (result->fault == LLM_FAULT_NONE || result->fault == LLM_FAULT_TRUNCATED);
    case LLM_REFUSED: return words;
    case LLM_CANCELLED:
    case LLM_FAILED: return false;
    }
    return false;
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct flight *flight = ctx;
    struct said *said = flight->said;
    lock(flight);
    said->finish = result->finish;
    said->refused = result->end == LLM_REFUSED;
    said->usage = result->usage;
    if (result->model.len > 0) str_copy(said->asked, sizeof(said->asked), result->model);
    if (!flight->opened) {
        str_copy(said->site, sizeof(said->site), result->site);
        str_copy(said->model, sizeof(said->model), result->model);
    }
    unlock(flight);
    bool good = said_is_answer(said, result);
    /* Who answers in the place of another does so this once. */
    if (result->end == LLM_COMPLETE && good && flight->keep && result->instead.len == 0) {
        answers_keep(flight->gateway->answers, buf_str(&flight->mark), said);
    }
    land(flight, result, good);
}

static const struct llm_events flight_events = {.spent = on_spent,
                                                .open = on_open,
                                                .text = on_text,
                                                .reasoning = on_reasoning,
                                                .tool = on_tool,
                                                .end = on_end};

/* --- beginning --- */

static struct flight *flight_new(struct api_loop *home, struct str mark, bool shared, bool keep)
{
    struct flight *flight = NEW(struct flight);
    atomic_init(&flight->refs, 1);
    flight->gateway = home->api->gateway;
    flight->home = home->gateway;
    flight->said = said_new();
    flight->shared = shared;
    flight->keep = keep;
    audience_init(&flight->far);
    list_init(&flight->near);
    list_init(&flight->link);
    list_add_last(&home->gateway->flights, &flight->link);
    buf_init(&flight->mark, mark.len);
    buf_add_str(&flight->mark, mark);
    return flight;
}

/* Of a shared one the table's lock is held. */
static void join(struct flight *flight, struct reader *reader)
{
    atomic_fetch_add(&flight->refs, 1);
    reader->flight = flight;
    lock(flight);
    reader->rank = flight->joined++;
    flight->readers++;
    if (is_near(reader)) {
        list_add_last(&flight->near, &reader->near);
    } else {
        reader->listener.loop = reader->call->home->loop;
        reader->listener.news = far_news;
        reader->listener.free = free_far_reader;
        audience_add(&flight->far, &reader->listener);
    }
    ask_home_to_go_on(flight);
    unlock(flight);
}

static void attend(struct reader *reader)
{
    struct flight *flight = reader->flight;
    lock(flight);
    bool opened = flight->opened;
    unlock(flight);
    if (reader->stream && opened) {
        feed(reader);
    } else {
        http_watch(reader->call->x,
                   (struct http_stream_events){.gone = program_gone, .ctx = reader});
    }
}

/* Joins the flight of those who asked the same, or begins one. Gives it when it is new. */
static struct flight *find_or_begin(struct reader *reader, struct str mark, bool keep)
{
    struct api_loop *home = reader->call->home;
    struct gateway *gateway = home->api->gateway;
    bool shared = gateway->share && mark.len > 0;
    if (shared) pthread_mutex_lock(&gateway->lock);
    struct flight *flight = shared ? map_find(&gateway->shared, mark) : NULL;
    bool new = flight == NULL;
    if (new) flight = flight_new(home, mark, shared, keep);
    if (new &&shared) map_add(&gateway->shared, buf_str(&flight->mark), flight);
    join(flight, reader);
    if (shared) pthread_mutex_unlock(&gateway->lock);
    return new ? flight : NULL;
}

/* An answer that was kept, told like any other. */
static void tell_kept(struct reader *reader, struct said *said)
{
    settle(reader->call->api->gateway->ledger, said, &reader->payer, &nothing, true);
    if (reader->stream) reply_rest(reader, said);
    reply_end(reader, said, NULL);
    free_reader(reader);
    said_unref(said);
}

static void start(struct reader *reader, const struct llm_request *request)
{
    struct api_loop *home = reader->call->home;
    struct gateway *gateway = home->api->gateway;
    bool keep = gateway->answers && request->temperature == 0;
    struct str mark = {0};
    if (keep || gateway->share) mark = gateway_mark(reader->call->arena, request);
    struct said *kept = keep && mark.len > 0 ? answers_find(gateway->answers, mark) : NULL;
    if (kept) {
        atomic_fetch_add(&gateway->kept, 1);
        tell_kept(reader, kept);
        return;
    }
    struct flight *new = find_or_begin(reader, mark, keep && mark.len > 0);
    atomic_fetch_add(new ? &gateway->asked : &gateway->shared_answers, 1);
    attend(reader);
    if (new == NULL) return;
    new->call = llm_start(home->llm, request, &flight_events, new);
    name_asked(new);
}

static enum err begin_chat(struct call *call, const struct api_key *key, struct why *why)
{
    struct chat_asked asked;
    struct str wiki;
    enum err err = gateway_read_chat(call, &asked, why);
    if (err) return err;
    if (!key_allows(key->models, asked.request.model)) {
        call->error_code = "model_not_allowed";
        return why_set(why, ERR_DENIED, "this key may not use the model %.*s",
                       STR_ARGS(asked.request.model));
    }
    if (gateway_wiki_of(asked.request.model, &wiki)) {
        return gateway_begin_wiki(call, key, &asked, wiki, why);
    }
    asked.request.only_this = key->models.at != NULL; /* else a fall-back might be one it may not */
    int64_t output = asked.request.max_tokens > 0 ? asked.request.max_tokens : OUTPUT_TOKENS;
    uint64_t tokens = asked.input_estimate + (uint64_t)output;
    err = gateway_admit(call, key, tokens, why);
    if (err) return err;
    struct reader *reader = NEW(struct reader);
    *reader = (struct reader){.call = call,
                              .payer = {key->id, tokens, asked.input_estimate},
                              .stream = asked.stream,
                              .include_usage = asked.include_usage};
    list_init(&reader->near);
    list_add_last(&call->home->gateway->readers, &reader->of_loop);
    reply_prepare(reader);
    start(reader, &asked.request);
    return OK;
}

enum err gateway_chat(struct call *call, struct why *why)
{
    return gateway_with_key(call, begin_chat, why);
}

/* --- from outside --- */

/* With everybody else's answer going on. */
static void put_out(struct reader *reader, const char *sentence)
{
    struct llm_result result = {
        .end = LLM_CANCELLED, .fault = LLM_FAULT_BUSY, .retry_after_ms = -1};
    why_write(&result.why, "%s", sentence);
    leave(reader);
    reply_end(reader, NULL, &result);
    free_reader(reader);
}

void gateway_chat_end_key(struct gateway_loop *gateway, struct key_id key)
{
    struct list *next;
    for (struct list *at = gateway->readers.next; at != &gateway->readers; at = next) {
        next = at->next;
        struct reader *reader = CONTAINER_OF(at, struct reader, of_loop);
        if (reader->payer.key.value != key.value) continue;
        leave(reader);
        reply_revoked(reader);
        free_reader(reader);
    }
}

void gateway_chat_abort(struct gateway_loop *gateway)
{
    static const char *const sentence = "the server is stopping";
    while (!list_is_empty(&gateway->readers)) {
        put_out(CONTAINER_OF(gateway->readers.next, struct reader, of_loop), sentence);
    }
    while (!list_is_empty(&gateway->flights)) { /* readers elsewhere wait for them */
        ground(CONTAINER_OF(gateway->flights.next, struct flight, link), LLM_CANCELLED,
               LLM_FAULT_BUSY, sentence);
    }
}
