/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_ollama.c: Ollama's own API.
 *
 * Its compatible one (/v1) has no place for the size of the context, without
 * which Ollama chooses one by the memory there is and cuts longer prompts
 * without a word. So num_ctx is always sent, and truncate off: a prompt that
 * does not fit is an error that our callers can mend.
 */
#include "llm/convert.h"
#include "llm/reader.h"

enum { CONTEXT_TOKENS_USUAL = 8192 };

/* --- requests --- */

/* A message is one text and a list of pictures. */
struct content {
    struct buf text;
    struct buf pictures; /* a JSON list without its brackets */
    struct json_out list;
};

static enum err take_part(void *ctx, const struct llm_part *part, struct why *why)
{
    struct content *content = ctx;
    if (part->url.len > 0) {
        return why_set(why, ERR_INVALID,
                       "Ollama takes pictures as data: URLs only, not from an address");
    }
    buf_add_str(&content->text, part->text);
    if (part->data.len > 0) json_put_str(&content->list, NULL, part->data);
    return OK;
}

static enum err put_content(struct json_out *out, const struct llm_message *message,
                            struct why *why)
{
    struct content content = {0};
    buf_init(&content.text, LLM_BODY_MAX);
    buf_init(&content.pictures, LLM_BODY_MAX);
    content.list = json_begin(&content.pictures);
    json_open(&content.list, NULL, '[');
    enum err err = llm_read_parts(message, take_part, &content, why);
    bool pictures = content.pictures.len > 1;
    json_close(&content.list, ']');
    if (!err) json_put_str(out, "content", buf_str(&content.text));
    if (!err && pictures) json_put_raw(out, "images", buf_str(&content.pictures));
    buf_release(&content.text);
    buf_release(&content.pictures);
    return err;
}

static enum err put_called(void *ctx, const struct llm_called *called, struct why *why)
{
    struct json_out *out = ctx;
    (void)why;
    json_open(out, NULL, '{');
    json_open(out, "function", '{');
    json_put_str(out, "name", called->name);
    json_put_raw(out, "arguments", called->arguments);
    json_close(out, '}');
    json_close(out, '}');
    return OK;
}

static enum err put_message(struct json_out *out, const struct llm_asking *asking, size_t at,
                            struct arena *arena, struct why *why)
{
    static const char *const roles[] = {[LLM_SYSTEM] = "system",
                                        [LLM_USER] = "user",
                                        [LLM_ASSISTANT] = "assistant",
                                        [LLM_TOOL] = "tool"};
    const struct llm_message *message = &asking->messages[at];
    json_open(out, NULL, '{');
    json_put_str(out, "role", str_of(roles[message->role]));
    enum err err = put_content(out, message, why);
    if (!err && message->tool_calls.len > 0) {
        json_open(out, "tool_calls", '[');
        err = llm_read_called(message, put_called, out, why);
        json_close(out, ']');
    }
    if (!err && message->role == LLM_TOOL) {
        struct str name;
        err = llm_called_name(arena, asking, at, &name, why);
        if (!err) json_put_str(out, "tool_name", name);
    }
    json_close(out, '}');
    return err;
}

static void put_number(struct json_out *out, const char *name, double value)
{
    if (value > LLM_UNSET) json_put_double(out, name, value);
}

static void put_options(struct json_out *out, const struct llm_asking *asking)
{
    const struct llm_request *request = asking->request;
    int64_t context = asking->site->context_tokens;
    json_open(out, "options", '{');
    json_put_i64(out, "num_ctx", context > 0 ? context : CONTEXT_TOKENS_USUAL);
    if (request->max_tokens > 0) json_put_i64(out, "num_predict", request->max_tokens);
    put_number(out, "temperature", request->temperature);
    put_number(out, "top_p", request->top_p);
    put_number(out, "presence_penalty", request->presence_penalty);
    put_number(out, "frequency_penalty", request->frequency_penalty);
    if (request->seed >= 0) json_put_i64(out, "seed", request->seed);
    if (request->stop_count > 0) {
        json_open(out, "stop", '[');
        for (size_t i = 0; i < request->stop_count; i++) json_put_str(out, NULL, request->stops[i]);
        json_close(out, ']');
    }
    json_close(out, '}');
}

/* Ollama offers tools, or does not: it cannot be made to call one. */
static enum err put_tools(struct json_out *out, const struct llm_asking *asking,
                          struct arena *arena, struct why *why)
{
    const struct llm_request *request = asking->request;
    enum llm_must must;
    struct str name;
    if (request->tools.len == 0) return OK;
    enum err err = llm_read_must(arena, request->tool_choice, &must, &name, why);
    if (err) return err;
    if (must == LLM_MUST_ANY || must == LLM_MUST_NAMED) {
        return why_set(why, ERR_INVALID,
                       "Ollama cannot be made to call a tool; let tool_choice be \"auto\"");
    }
    if (must != LLM_MUST_NOT) json_put_raw(out, "tools", request->tools);
    return OK;
}

static void put_format(struct json_out *out, const struct llm_asking *asking)
{
    enum llm_format format = llm_format_left(asking);
    if (format == LLM_FORMAT_JSON) json_put_str(out, "format", STR("json"));
    if (format == LLM_FORMAT_SCHEMA) json_put_raw(out, "format", asking->request->schema);
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    const struct llm_request *request = asking->request;
    llm_wire_url(wire, asking->site, "/api/chat", STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "messages", '[');
    enum err err = OK;
    for (size_t i = 0; i < asking->message_count && !err; i++) {
        err = put_message(&out, asking, i, wire->arena, why);
    }
    json_close(&out, ']');
    json_put_bool(&out, "stream", !request->whole);
    json_put_bool(&out, "truncate", false);
    if (request->thinking != LLM_THINKING_DEFAULT && !(asking->quirks & LLM_QUIRK_NO_THINKING)) {
        json_put_bool(&out, "think", request->thinking == LLM_THINKING_ON);
    }
    put_options(&out, asking);
    put_format(&out, asking);
    if (!err) err = put_tools(&out, asking, wire->arena, why);
    json_close(&out, '}');
    return err ? err : llm_keep_format(asking, why);
}

/* --- answers --- */

static void read_words(struct llm_reader *reader, const struct json *message)
{
    llm_read_reasoning(reader, llm_json_text(message, "thinking"));
    llm_read_text(reader, llm_json_text(message, "content"));
    const struct json *call = json_first(json_get(message, "tool_calls"));
    for (; call; call = json_after(call)) {
        const struct json *function = json_get(call, "function");
        /* Each comes whole; its index counts anew in every line of some versions. */
        llm_read_call(reader, reader->tools.count, llm_json_text(call, "id"),
                      llm_json_text(function, "name"), json_get(function, "arguments"));
    }
}

/* "load" and "unload" are answers to no question. */
static void read_done(struct llm_reader *reader, const struct json *data)
{
    struct str reason = llm_json_text(data, "done_reason");
    llm_read_usage(reader, llm_json_count(data, "prompt_eval_count"),
                   llm_json_count(data, "eval_count"), -1, -1);
    if (str_eq(reason, STR("length"))) {
        llm_read_finish(reader, LLM_FINISH_LENGTH);
    } else if (str_eq(reason, STR("stop"))) {
        llm_read_finish(reader, reader->said_tool ? LLM_FINISH_TOOL : LLM_FINISH_STOP);
    }
    llm_read_end(reader);
}

static void read_answer(struct llm_reader *reader, const struct json *data)
{
    bool done = false;
    llm_read_open(reader, llm_json_text(data, "model"));
    read_words(reader, json_get(data, "message"));
    if (json_as_bool(json_get(data, "done"), &done) && done) read_done(reader, data);
}

static void read_event(struct llm_reader *reader, struct str name, const struct json *data)
{
    (void)name;
    read_answer(reader, data);
}

/* --- models and embeddings --- */

static enum err write_models(const struct llm_asking *asking, struct llm_wire *wire,
                             struct why *why)
{
    (void)why;
    wire->method = "GET";
    llm_wire_url(wire, asking->site, "/api/tags", STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    return OK;
}

static void read_models(const struct json *body, llm_each_model *each, void *ctx)
{
    const struct json *model = json_first(json_get(body, "models"));
    for (; model; model = json_after(model)) {
        struct str name = llm_json_text(model, "name");
        if (name.len > 0) each(ctx, name, -1);
    }
}

static enum err write_embedding(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why)
{
    (void)why;
    llm_wire_url(wire, asking->site, "/api/embed", STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "input", '[');
    for (size_t i = 0; i < asking->count; i++) json_put_str(&out, NULL, asking->texts[i]);
    json_close(&out, ']');
    if (asking->dimensions > 0) json_put_i64(&out, "dimensions", asking->dimensions);
    json_close(&out, '}');
    return OK;
}

static enum err read_embedding(const struct json *body, size_t count, llm_each_vector *each,
                               void *ctx, struct llm_usage *usage, struct why *why)
{
    usage->input = llm_json_count(body, "prompt_eval_count");
    return llm_read_vectors(json_get(body, "embeddings"), NULL, count, each, ctx, why);
}

const struct llm_provider llm_provider_ollama = {
    .name = "ollama",
    .base = "http://127.0.0.1:11434",
    .framing = LLM_FRAMING_NDJSON,
    .embed_max = 64,
    .write_chat = write_chat,
    .read_event = read_event,
    .read_whole = read_answer,
    .write_models = write_models,
    .read_models = read_models,
    .write_embedding = write_embedding,
    .read_embedding = read_embedding,
};
