/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway_chat.c: POST /v1/chat/completions.
 *
 * A flight is one call of a model; its readers are the requests that wait for
 * it: one, or, with llm-share, all on this loop that asked the very same. What
 * has been said is kept in the flight, so that a reader who comes late hears
 * it from the first word. The last reader who leaves cancels the call.
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
    QUEUE_HIGH = 256 * 1024,
    QUEUE_HIGH_SHARED = 4 * 1024 * 1024,
    EVENT_BYTES_MAX = 32 * 1024 * 1024
};

struct flight {
    struct list link;
    struct gateway_loop *home;
    struct llm_call *call; /* NULL: over */
    struct list readers;
    struct said *said; /* a reference */
    struct buf mark;   /* of what was asked; empty: not shared, not kept */
    bool shared;       /* in home->shared */
    bool keep;         /* the answer may be kept */
    bool opened, paused;
};

/* Lives in its call's arena. */
struct reader {
    struct list link;
    struct flight *flight;
    struct call *call;
    struct key_id key;
    uint64_t reserved, input_estimate;
    bool stream, include_usage, begun;
};

#define EACH_READER(flight, reader)                                                                \
    for (struct list *at_ = (flight)->readers.next, *next_ = at_->next;                            \
         at_ != &(flight)->readers && ((reader) = CONTAINER_OF(at_, struct reader, link), true);   \
         at_ = next_, next_ = at_->next)

/* --- booking --- */

static void settle(const struct flight *flight, const struct reader *reader,
                   const struct llm_usage *usage, bool shared)
{
    struct ledger_use use = {.key = reader->key,
                             .reserved = reader->reserved,
                             .site = str_of(flight->said->site),
                             .model = str_of(flight->said->model),
                             .usage = *usage,
                             .input_estimate = reader->input_estimate,
                             .shared = shared};
    ledger_settle(reader->call->api->gateway->ledger, &use);
}

/* --- streams --- */

static void reader_gone(void *ctx);
static void reader_drained(void *ctx);

static void begin_stream(struct reader *reader)
{
    struct http_exchange *x = reader->call->x;
    reader->begun = true;
    x->status = 200;
    x->content_type = "text/event-stream; charset=utf-8";
    http_add_header(x, "Cache-Control", STR("no-cache"));
    http_add_header(x, "X-Accel-Buffering", STR("no")); /* nginx must not gather it */
    call_begin_stream(
        reader->call,
        (struct http_stream_events){.drained = reader_drained, .gone = reader_gone, .ctx = reader});
}

static void write_events(struct reader *reader, const struct buf *events)
{
    struct flight *flight = reader->flight;
    struct http_exchange *x = reader->call->x;
    http_stream_write(x, buf_str(events));
    if (flight == NULL || flight->call == NULL || flight->paused) return;
    /* A slow reader holds the model back; those who share it, only when very much waits. */
    bool alone = flight->readers.next->next == &flight->readers;
    size_t high = alone ? QUEUE_HIGH : QUEUE_HIGH_SHARED;
    if (http_stream_queued(x) < high) return;
    http_stream_flush(x);
    if (http_stream_queued(x) < high) return;
    flight->paused = true;
    llm_pause(flight->call);
}

/* The readers have changed, or one has caught up: who is still too slow will pause it again. */
static void go_on(struct flight *flight)
{
    if (!flight->paused || flight->call == NULL) return;
    flight->paused = false;
    llm_resume(flight->call);
}

static void reader_drained(void *ctx)
{
    struct reader *reader = ctx;
    if (reader->flight) go_on(reader->flight);
}

static void catch_up(struct reader *reader)
{
    struct buf events;
    begin_stream(reader);
    buf_init(&events, EVENT_BYTES_MAX);
    said_chunk_past(reader->flight->said, &events);
    write_events(reader, &events);
    buf_release(&events);
}

static void write_all(struct flight *flight, const struct buf *events)
{
    struct reader *reader;
    EACH_READER(flight, reader)
    {
        if (reader->stream) write_events(reader, events);
    }
}

/* --- replies --- */

/* The stream's last words. */
static void end_stream(struct reader *reader, const struct said *said)
{
    struct buf events;
    buf_init(&events, 64 * 1024);
    said_chunk_end(said, &events);
    if (reader->include_usage) said_chunk_usage(said, &events);
    buf_add_str(&events, STR("data: [DONE]\n\n"));
    http_stream_write(reader->call->x, buf_str(&events));
    buf_release(&events);
    http_stream_end(reader->call->x, true);
}

/* Programs look for `error` in an event; there is no finish_reason and no [DONE]. */
static void break_stream(struct reader *reader, const struct llm_result *result)
{
    struct buf events;
    buf_init(&events, 64 * 1024);
    buf_add_str(&events, STR("data: "));
    struct json_out out = json_begin(&events);
    json_open(&out, NULL, '{');
    json_open(&out, "error", '{');
    json_put_str(&out, "message", str_of(result->why.text));
    json_put_str(&out, "type", STR("server_error"));
    json_put_null(&out, "param");
    json_put_str(&out, "code", str_of(llm_fault_name(result->fault)));
    json_close(&out, '}');
    json_close(&out, '}');
    buf_add_str(&events, STR("\n\n"));
    http_stream_write(reader->call->x, buf_str(&events));
    buf_release(&events);
    http_stream_end(reader->call->x, true);
}

static void reply_whole(struct call *call, const struct said *said)
{
    call->x->status = 200;
    call->x->content_type = "application/json";
    said_write(said, &call->x->reply);
    call_reply(call);
}

/* Takes the reader's exchange to its end; it is in no flight any more. */
static void finish_reader(struct reader *reader, const struct said *said,
                          const struct llm_result *result)
{
    bool good = result == NULL;
    if (reader->begun && good) {
        end_stream(reader, said);
    } else if (reader->begun) {
        break_stream(reader, result);
    } else if (!good) {
        gateway_refuse(reader->call, result);
    } else {
        reply_whole(reader->call, said);
    }
}

/* --- flights --- */

static void unshare(struct flight *flight)
{
    if (flight->shared) map_remove(&flight->home->shared, buf_str(&flight->mark));
    flight->shared = false;
}

static void free_flight(struct flight *flight)
{
    unshare(flight);
    list_remove(&flight->link);
    buf_release(&flight->mark);
    said_unref(flight->said);
    mem_free(flight);
}

static void detach(struct reader *reader)
{
    list_remove(&reader->link);
    reader->flight = NULL;
}

/* Nobody waits any more: close the connection to the provider. */
static void cancel_flight(struct flight *flight, const struct reader *last)
{
    struct llm_usage usage = llm_cancel(flight->call);
    if (usage.input < 0) { /* it still waited: nobody was asked */
        ledger_release(last->call->api->gateway->ledger, last->key, last->reserved);
    } else {
        settle(flight, last, &usage, false);
    }
    free_flight(flight);
}

static void leave(struct reader *reader)
{
    struct flight *flight = reader->flight;
    detach(reader);
    if (list_is_empty(&flight->readers)) {
        cancel_flight(flight, reader);
    } else {
        static const struct llm_usage nothing = {0};
        settle(flight, reader, &nothing, true); /* those who stay pay */
        go_on(flight);
    }
}

static void reader_gone(void *ctx)
{
    struct reader *reader = ctx;
    struct http_exchange *x = reader->call->x;
    if (reader->flight) leave(reader);
    if (reader->begun) {
        http_stream_end(x, false);
    } else {
        x->status = 499; /* as nginx says it in logs */
        http_reply(x);
    }
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct flight *flight = ctx;
    str_copy(flight->said->site, sizeof(flight->said->site), site);
    str_copy(flight->said->model, sizeof(flight->said->model), model);
    flight->opened = true;
    struct reader *reader;
    EACH_READER(flight, reader)
    {
        if (reader->stream) catch_up(reader);
    }
}

static void say(struct flight *flight, const char *member, struct buf *to, struct str piece)
{
    struct buf events;
    buf_init(&events, EVENT_BYTES_MAX);
    buf_add_str(to, piece);
    said_chunk_text(flight->said, member, piece, &events);
    write_all(flight, &events);
    buf_release(&events);
}

static void on_text(void *ctx, struct str piece)
{
    struct flight *flight = ctx;
    say(flight, "content", &flight->said->text, piece);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct flight *flight = ctx;
    say(flight, "reasoning_content", &flight->said->reasoning, piece);
}

static void on_tool(void *ctx, const struct llm_tool_piece *piece)
{
    struct flight *flight = ctx;
    struct buf events;
    buf_init(&events, EVENT_BYTES_MAX);
    said_add_tool(flight->said, piece);
    said_chunk_tool(flight->said, piece, &events);
    write_all(flight, &events);
    buf_release(&events);
}

/* What may be told as an answer: all of it, all up to a limit that was set, or what a filter left.
 */
static bool is_answer(const struct said *said, const struct llm_result *result)
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
    flight->call = NULL;
    unshare(flight);
    said->finish = result->finish;
    said->refused = result->end == LLM_REFUSED;
    said->usage = result->usage;
    if (!flight->opened) {
        str_copy(said->site, sizeof(said->site), result->site);
        str_copy(said->model, sizeof(said->model), result->model);
    }
    bool good = is_answer(said, result) && !said->text.failed && !said->reasoning.failed;
    if (result->end == LLM_COMPLETE && good && flight->keep) {
        answers_keep(flight->home->home->api->gateway->answers, buf_str(&flight->mark), said);
    }
    bool asked = result->end != LLM_FAILED, first = true;
    static const struct llm_usage nothing = {0};
    struct reader *reader;
    EACH_READER(flight, reader)
    {
        if (asked) {
            settle(flight, reader, first ? &result->usage : &nothing, !first);
        } else {
            ledger_release(reader->call->api->gateway->ledger, reader->key, reader->reserved);
        }
        first = false;
        detach(reader);
        finish_reader(reader, said, good ? NULL : result);
    }
    free_flight(flight);
}

static const struct llm_events flight_events = {on_open, on_text, on_reasoning, on_tool, on_end};

static void join(struct flight *flight, struct reader *reader)
{
    reader->flight = flight;
    list_add_last(&flight->readers, &reader->link);
    go_on(flight);
    if (reader->stream && flight->opened) {
        catch_up(reader);
    } else {
        http_watch(reader->call->x,
                   (struct http_stream_events){.gone = reader_gone, .ctx = reader});
    }
}

static void take_off(struct reader *reader, const struct llm_request *request, struct str mark,
                     bool keep)
{
    struct api_loop *home = reader->call->home;
    struct flight *flight = NEW(struct flight);
    flight->home = home->gateway;
    flight->said = said_new();
    flight->keep = keep;
    list_init(&flight->readers);
    list_add_last(&home->gateway->flights, &flight->link);
    buf_init(&flight->mark, mark.len);
    buf_add_str(&flight->mark, mark);
    flight->shared = home->api->gateway->share && mark.len > 0;
    if (flight->shared) map_add(&home->gateway->shared, buf_str(&flight->mark), flight);
    join(flight, reader);
    flight->call = llm_start(home->llm, request, &flight_events, flight);
}

/* --- beginning --- */

/* An answer that was kept, told like any other. */
static void tell_kept(struct reader *reader, struct said *said)
{
    static const struct llm_usage nothing = {0};
    struct flight kept = {.said = said};
    settle(&kept, reader, &nothing, true);
    if (reader->stream) {
        reader->flight = &kept;
        list_init(&kept.readers);
        list_add_last(&kept.readers, &reader->link);
        catch_up(reader);
        detach(reader);
    }
    finish_reader(reader, said, NULL);
    said_unref(said);
}

static void start(struct reader *reader, const struct llm_request *request)
{
    struct gateway *gateway = reader->call->api->gateway;
    bool keep = gateway->answers && request->temperature == 0;
    struct str mark = {0};
    if (keep || gateway->share) mark = gateway_mark(reader->call->arena, request);
    struct said *kept = keep && mark.len > 0 ? answers_find(gateway->answers, mark) : NULL;
    if (kept) {
        atomic_fetch_add(&gateway->kept, 1);
        tell_kept(reader, kept);
        return;
    }
    struct flight *flight =
        gateway->share && mark.len ? map_find(&reader->call->home->gateway->shared, mark) : NULL;
    if (flight) {
        atomic_fetch_add(&gateway->shared, 1);
        join(flight, reader);
    } else {
        atomic_fetch_add(&gateway->asked, 1);
        take_off(reader, request, mark, keep && mark.len > 0);
    }
}

static enum err begin_chat(struct call *call, const struct api_key *key, struct why *why)
{
    struct chat_asked asked;
    enum err err = gateway_read_chat(call, &asked, why);
    if (err) return err;
    if (!key_allows(key->models, asked.request.model)) {
        call->error_code = "model_not_allowed";
        return why_set(why, ERR_DENIED, "this key may not use the model %.*s",
                       STR_ARGS(asked.request.model));
    }
    asked.request.only_this = key->models.at != NULL; /* else a fall-back might be one it may not */
    int64_t output = asked.request.max_tokens > 0 ? asked.request.max_tokens : OUTPUT_TOKENS;
    uint64_t tokens = asked.input_estimate + (uint64_t)output;
    err = gateway_admit(call, key, tokens, why);
    if (err) return err;
    struct reader *reader = ARENA_NEW(call->arena, struct reader);
    *reader = (struct reader){.call = call,
                              .key = key->id,
                              .reserved = tokens,
                              .input_estimate = asked.input_estimate,
                              .stream = asked.stream,
                              .include_usage = asked.include_usage};
    start(reader, &asked.request);
    return OK;
}

enum err gateway_chat(struct call *call, struct why *why)
{
    return gateway_with_key(call, begin_chat, why);
}

/* --- from outside --- */

static void put_out(struct reader *reader, enum llm_fault fault, const char *sentence)
{
    struct llm_result result = {.end = LLM_CANCELLED, .fault = fault, .retry_after_ms = -1};
    why_write(&result.why, "%s", sentence);
    struct said *said = said_ref(reader->flight->said);
    leave(reader);
    finish_reader(reader, said, &result);
    said_unref(said);
}

void gateway_chat_end_key(struct gateway_loop *gateway, struct key_id key)
{
    struct list *next;
    for (struct list *at = gateway->flights.next; at != &gateway->flights; at = next) {
        next = at->next;
        struct flight *flight = CONTAINER_OF(at, struct flight, link);
        struct reader *reader;
        size_t left = 0;
        EACH_READER(flight, reader) left += reader->key.value != key.value;
        bool stays = left > 0;
        EACH_READER(flight, reader)
        {
            if (reader->key.value != key.value) continue;
            bool last = !stays && flight->readers.next->next == &flight->readers;
            put_out(reader, LLM_FAULT_BUSY, "this key has been revoked");
            if (last) break; /* the flight is gone */
        }
    }
}

void gateway_chat_abort(struct gateway_loop *gateway)
{
    while (!list_is_empty(&gateway->flights)) {
        struct flight *flight = CONTAINER_OF(gateway->flights.next, struct flight, link);
        put_out(CONTAINER_OF(flight->readers.next, struct reader, link), LLM_FAULT_BUSY,
                "the server is stopping");
    }
}
