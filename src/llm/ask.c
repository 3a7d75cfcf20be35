/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/ask.h"

#include "base/mem.h"
#include "llm/extract.h"
#include "llm/reader.h"
#include "llm/schema.h"

enum { REPAIR_MESSAGES = 2 };

struct llm_question {
    struct llm_loop *home;
    struct arena arena;
    struct llm_request request; /* its texts in `arena` */
    struct llm_message *messages;
    struct json *schema; /* owned */
    struct llm_call *call;
    llm_answered *answered;
    void *ctx;
    struct buf text; /* the answer so far */
    bool repairing;
    struct llm_usage used; /* by rounds that are over */
};

static void free_question(struct llm_question *question)
{
    json_free(question->schema);
    buf_release(&question->text);
    arena_release(&question->arena);
    mem_free(question);
}

static void on_text(void *ctx, struct str piece)
{
    struct llm_question *question = ctx;
    buf_add_str(&question->text, piece);
}

/* OK: `*value_out` is to be freed. */
static enum err read_answer(struct llm_question *question, const struct llm_result *result,
                            struct buf *json, struct json **value_out, struct why *why)
{
    bool partial = false;
    if (result->end == LLM_CUT_OFF) {
        return why_set(why, ERR_UPSTREAM, "the answer was cut off before its end");
    }
    enum err err = extract_json(buf_str(&question->text), EXTRACT_ANY, json, &partial, why);
    if (!err && partial) {
        err = why_set(why, ERR_UPSTREAM, "the JSON of the answer is not complete");
    }
    if (!err) err = json_parse(buf_str(json), value_out, NULL, why);
    if (!err) err = schema_check(question->schema, *value_out, why);
    return err;
}

static void begin(struct llm_question *question);

/* The same question with the bad answer and what was wrong with it. */
static void ask_again(struct llm_question *question, const struct why *wrong)
{
    struct llm_request *request = &question->request;
    size_t at = request->message_count;
    question->messages[at++] = (struct llm_message){
        .role = LLM_ASSISTANT, .text = arena_copy(&question->arena, buf_str(&question->text))};
    question->messages[at++] = (struct llm_message){
        .role = LLM_USER,
        .text = arena_printf(&question->arena,
                             "That is not what was asked for: %s. Answer again with nothing but "
                             "JSON of the wanted shape.",
                             wrong->text)};
    request->message_count = at;
    request->temperature = 0;
    question->repairing = true;
    buf_reset(&question->text, 0);
    begin(question);
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct llm_question *question = ctx;
    struct llm_answer answer = {.result = result, .repaired = question->repairing};
    struct json *value = NULL;
    struct buf json;
    buf_init(&json, LLM_TEXT_MAX);
    question->call = NULL;
    llm_usage_add(&question->used, &result->usage);
    bool spoke = result->end == LLM_COMPLETE || result->end == LLM_CUT_OFF;
    if (!spoke) {
        answer.why = result->why;
        answer.err = ERR_UPSTREAM;
    } else {
        answer.err = read_answer(question, result, &json, &value, &answer.why);
    }
    if (answer.err && result->end == LLM_COMPLETE && !question->repairing) {
        ask_again(question, &answer.why);
    } else {
        if (answer.err) answer.err = ERR_UPSTREAM;
        answer.value = answer.err ? NULL : value;
        answer.text = buf_str(answer.err ? &question->text : &json);
        answer.usage = question->used;
        question->answered(question->ctx, &answer);
        free_question(question);
    }
    json_free(value);
    buf_release(&json);
}

static void begin(struct llm_question *question)
{
    static const struct llm_events events = {.text = on_text, .end = on_end};
    question->call = llm_start(question->home, &question->request, &events, question);
}

struct llm_question *llm_ask(struct llm_loop *home, const struct llm_request *request,
                             llm_answered *answered, void *ctx)
{
    struct llm_question *question = NEW(struct llm_question);
    struct arena *arena = &question->arena;
    question->home = home;
    question->answered = answered;
    question->ctx = ctx;
    question->used = (struct llm_usage){-1, -1, -1, -1, false};
    llm_request_copy(arena, request, &question->request);
    if (request->schema_name.len == 0) question->request.schema_name = STR("answer");
    question->request.format = LLM_FORMAT_SCHEMA;
    question->request.whole = true;
    size_t count = request->message_count;
    question->messages = ARENA_ARRAY(arena, struct llm_message, count + REPAIR_MESSAGES);
    for (size_t i = 0; i < count; i++) question->messages[i] = question->request.messages[i];
    question->request.messages = question->messages;
    struct why why;
    enum err err = json_parse(request->schema, &question->schema, NULL, &why);
    ASSERT(err == OK); /* schemas are the program's own, or checked by who brings them */
    buf_init(&question->text, LLM_TEXT_MAX);
    begin(question);
    return question;
}

struct llm_usage llm_ask_cancel(struct llm_question *question)
{
    if (question->call) {
        struct llm_usage usage = llm_cancel(question->call);
        llm_usage_add(&question->used, &usage);
    }
    struct llm_usage used = question->used;
    free_question(question);
    return used;
}
