/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway_wiki.c: POST /v1/chat/completions with the model "wiki:NAME": an answer about a
 * repository in OpenAI's form, for programs that know nothing else.
 *
 * What is read for it (wiki/ask.h) is looked up here and given to the server's
 * usual model; its citations stand in the text. What the reader of our own door
 * is told beside the text (that less was read, that nothing was found) comes as
 * reasoning_content, where programs show what is no answer. One that is still
 * being fetched is waited for.
 */
#include "api/gateway_internal.h"
#include "api/wiki_visit.h"
#include "base/mem.h"

enum { OUTPUT_TOKENS = 1024, QUEUE_HIGH = 256 * 1024 };

static const struct llm_usage unknown = {-1, -1, -1, -1, false};

/* Lives on one loop. */
struct counsel {
    struct list link; /* in gateway_loop->counsels */
    struct reader reader;
    struct said *said;
    struct wiki_visit *visit;
    char site[USAGE_SITE_BYTES], model[USAGE_MODEL_BYTES]; /* that is asked */
    bool paused;
};

bool gateway_wiki_of(struct str model, struct str *name_out)
{
    const struct str prefix = STR("wiki:");
    if (!str_starts(model, prefix)) return false;
    *name_out = str_from(model, prefix.len);
    return true;
}

/* --- its end --- */

static void free_counsel(struct counsel *counsel)
{
    list_remove(&counsel->link);
    deadline_clear(&counsel->reader.silence);
    said_unref(counsel->said);
    mem_free(counsel);
}

/* `usage`: of the model that was asked; of unknown numbers: none was. */
static void book(struct counsel *counsel, const struct llm_usage *usage)
{
    struct ledger *ledger = counsel->reader.call->api->gateway->ledger;
    const struct payer *payer = &counsel->reader.payer;
    if (usage->input < 0) {
        ledger_release(ledger, payer->key, payer->reserved);
        return;
    }
    struct ledger_use use = {.key = payer->key,
                             .reserved = payer->reserved,
                             .site = str_of(counsel->site),
                             .model = str_of(counsel->model),
                             .usage = *usage,
                             .input_estimate = payer->input_estimate};
    ledger_settle(ledger, &use);
}

static void end_with(struct counsel *counsel, const struct llm_result *failure)
{
    if (failure == NULL && counsel->reader.stream) reply_rest(&counsel->reader, counsel->said);
    reply_end(&counsel->reader, counsel->said, failure);
    free_counsel(counsel);
}

static enum llm_fault fault_of(enum err err)
{
    switch (err) {
    case ERR_NOT_FOUND: return LLM_FAULT_MODEL;
    case ERR_BUSY:
    case ERR_LIMIT: return LLM_FAULT_BUSY;
    case ERR_TIMEOUT: return LLM_FAULT_TIMEOUT;
    case ERR_INVALID: return LLM_FAULT_REQUEST;
    default: return LLM_FAULT_SERVER;
    }
}

static void fail(struct counsel *counsel, enum llm_fault fault, const char *sentence)
{
    struct llm_result result = {
        .end = LLM_FAILED, .fault = fault, .retry_after_ms = -1, .usage = {-1, -1, -1, -1, false}};
    why_write(&result.why, "%s", sentence);
    end_with(counsel, &result);
}

/* --- what it is told --- */

static void tell(struct counsel *counsel)
{
    struct reader *reader = &counsel->reader;
    struct buf *events = &reader->call->home->gateway->events;
    if (!reader->stream) return;
    for (bool more = true; more;) {
        buf_reset(events, SAID_BYTES);
        more = said_chunks(counsel->said, &reader->mark, reader->call->arena, events);
        if (events->len > 0) reply_events(reader, buf_str(events));
    }
    struct http_exchange *x = reader->call->x;
    if (counsel->paused || http_stream_queued(x) < QUEUE_HIGH) return;
    http_stream_flush(x);
    if (http_stream_queued(x) < QUEUE_HIGH) return;
    counsel->paused = true;
    wiki_visit_pause(counsel->visit);
}

static void remark(struct counsel *counsel, struct str sentence)
{
    buf_add_str(&counsel->said->reasoning, sentence);
    buf_add_byte(&counsel->said->reasoning, '\n');
    tell(counsel);
}

static void on_failed(void *ctx, enum err err, const struct why *why)
{
    struct counsel *counsel = ctx;
    struct llm_usage spent = wiki_visit_spent(counsel->visit);
    book(counsel, &spent);
    fail(counsel, fault_of(err), why->text);
}

static void on_notice(void *ctx, enum wiki_cause cause, struct str sentence)
{
    (void)cause;
    remark(ctx, sentence);
}

static void on_spent(void *ctx, struct str site, struct str model, const struct llm_usage *usage)
{
    struct counsel *counsel = ctx;
    struct ledger_use use = {
        .key = counsel->reader.payer.key, .site = site, .model = model, .usage = *usage};
    ledger_settle(counsel->reader.call->api->gateway->ledger, &use);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct counsel *counsel = ctx;
    str_copy(counsel->site, sizeof(counsel->site), site);
    str_copy(counsel->model, sizeof(counsel->model), model);
}

static void on_text(void *ctx, struct str piece)
{
    struct counsel *counsel = ctx;
    buf_add_str(&counsel->said->text, piece);
    if (!said_overflowed(counsel->said)) tell(counsel);
}

static void on_end(void *ctx, const struct wiki_ask_end *end)
{
    struct counsel *counsel = ctx;
    const struct llm_result *result = end->result;
    book(counsel, result ? &result->usage : &unknown);
    if (result) {
        counsel->said->usage = result->usage;
        counsel->said->finish = result->finish;
    }
    if (said_overflowed(counsel->said)) {
        fail(counsel, LLM_FAULT_TRUNCATED, "the answer is longer than this server passes on");
    } else if (end->err) {
        fail(counsel, fault_of(end->err), end->why.text);
    } else {
        counsel->said->refused = result && result->end == LLM_REFUSED;
        bool good = end->complete || (result && said_is_answer(counsel->said, result));
        end_with(counsel, good ? NULL : result);
    }
}

static const struct wiki_visit_events events = {
    .failed = on_failed,
    .answer = {
        .notice = on_notice, .spent = on_spent, .open = on_open, .text = on_text, .end = on_end}};

/* --- its reader --- */

void counsel_drained(struct reader *reader)
{
    struct counsel *counsel = CONTAINER_OF(reader, struct counsel, reader);
    if (!counsel->paused) return;
    counsel->paused = false;
    wiki_visit_resume(counsel->visit);
}

void counsel_gone(struct reader *reader)
{
    struct counsel *counsel = CONTAINER_OF(reader, struct counsel, reader);
    struct http_exchange *x = reader->call->x;
    bool begun = reader->begun;
    struct llm_usage usage = wiki_visit_cancel(counsel->visit);
    book(counsel, &usage);
    free_counsel(counsel);
    if (begun) {
        http_stream_end(x, false);
    } else {
        x->status = 499; /* as nginx says it in logs */
        http_reply(x);
    }
}

/* --- its beginning --- */

/* Sampling is the server's own affair here; what would change the form of the answer is refused.
 * `count_out`: the turns up to the question, which comes last. */
static enum err check_asked(const struct llm_request *request, size_t *count_out, struct why *why)
{
    size_t count = request->message_count;
    while (count > 0 && request->messages[count - 1].role == LLM_SYSTEM) count--;
    bool question = count > 0 && request->messages[count - 1].role == LLM_USER;
    *count_out = count;
    for (size_t i = 0; i < request->message_count; i++) {
        const struct llm_message *message = &request->messages[i];
        if (message->role == LLM_TOOL || message->parts.len > 0 || message->tool_calls.len > 0) {
            return why_field(why, "messages", "value_error",
                             "a wiki is asked in words: no pictures, no tools");
        }
    }
    const struct {
        const char *field;
        bool set;
    } refused[] = {{"messages", !question},
                   {"tools", request->tools.len > 0},
                   {"stop", request->stop_count > 0},
                   {"max_tokens", request->max_tokens > 0},
                   {"response_format", request->format != LLM_FORMAT_TEXT}};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (!refused[i].set) continue;
        return why_field(why, refused[i].field, "value_error",
                         i == 0 ? "the last of the %s must be a question of the user"
                                : "a wiki takes no %s: leave it out",
                         refused[i].field);
    }
    return OK;
}

enum err gateway_begin_wiki(struct call *call, const struct api_key *key,
                            const struct chat_asked *asked, struct str name, struct why *why)
{
    const struct llm_request *request = &asked->request;
    size_t turns = 0;
    enum err err = check_asked(request, &turns, why);
    uint64_t input = asked->input_estimate + (uint64_t)call->api->settings->wiki_context_tokens;
    if (!err) err = gateway_admit(call, key, input + OUTPUT_TOKENS, why);
    if (err) return err;
    struct counsel *counsel = NEW(struct counsel);
    counsel->said = said_new();
    snprintf(counsel->said->model, sizeof(counsel->said->model), "wiki:%.*s", STR_ARGS(name));
    counsel->reader = (struct reader){.call = call,
                                      .asks_wiki = true,
                                      .payer = {key->id, input + OUTPUT_TOKENS, input},
                                      .stream = asked->stream,
                                      .include_usage = asked->include_usage};
    list_add_last(&call->home->gateway->counsels, &counsel->link);
    reply_prepare(&counsel->reader);
    struct wiki_visit_want want = {.who = {.user = key->user},
                                   .unattended = true,
                                   .name = name,
                                   .asking = {.turns = request->messages, .turn_count = turns}};
    counsel->visit = wiki_visit_start(call->home, &want, &events, counsel);
    http_watch(call->x, (struct http_stream_events){.gone = program_gone, .ctx = &counsel->reader});
    return OK;
}

void gateway_wiki_end_key(struct gateway_loop *gateway, struct key_id key)
{
    for (struct list *at = gateway->counsels.next, *next; at != &gateway->counsels; at = next) {
        next = at->next;
        struct counsel *counsel = CONTAINER_OF(at, struct counsel, link);
        if (counsel->reader.payer.key.value != key.value) continue;
        struct llm_usage usage = wiki_visit_cancel(counsel->visit);
        book(counsel, &usage);
        reply_revoked(&counsel->reader);
        free_counsel(counsel);
    }
}
