/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_openai.c: OpenAI's chat completions and every server that speaks
 * them (LM Studio, vLLM, llama.cpp, DeepSeek, Qwen's compatible mode, OpenRouter …).
 *
 * Reference: OpenAI's API description; what the others do differently is in the
 * quirks of their sites and in what is tolerated here: every field of an answer
 * but the text may be missing.
 */
#include "llm/reader.h"

static const char *role_name(enum llm_role role)
{
    switch (role) {
    case LLM_SYSTEM: return "system";
    case LLM_USER: return "user";
    case LLM_ASSISTANT: return "assistant";
    case LLM_TOOL: return "tool";
    }
    return "user";
}

static void put_message(struct json_out *out, const struct llm_message *message)
{
    json_open(out, NULL, '{');
    json_put_str(out, "role", str_of(role_name(message->role)));
    if (message->parts.len > 0) {
        json_put_raw(out, "content", message->parts);
    } else if (message->text.len == 0 && message->tool_calls.len > 0) {
        json_put_null(out, "content");
    } else {
        json_put_str(out, "content", message->text);
    }
    if (message->tool_calls.len > 0) json_put_raw(out, "tool_calls", message->tool_calls);
    if (message->tool_call_id.len > 0) json_put_str(out, "tool_call_id", message->tool_call_id);
    json_close(out, '}');
}

static void put_sampling(struct json_out *out, const struct llm_asking *asking)
{
    const struct llm_request *request = asking->request;
    if (request->max_tokens > 0) {
        bool old_name = asking->quirks & LLM_QUIRK_MAX_TOKENS;
        json_put_i64(out, old_name ? "max_tokens" : "max_completion_tokens", request->max_tokens);
    }
    if (asking->quirks & LLM_QUIRK_NO_SAMPLING) return;
    if (request->temperature > LLM_UNSET) json_put_double(out, "temperature", request->temperature);
    if (request->top_p > LLM_UNSET) json_put_double(out, "top_p", request->top_p);
    if (request->presence_penalty > LLM_UNSET) {
        json_put_double(out, "presence_penalty", request->presence_penalty);
    }
    if (request->frequency_penalty > LLM_UNSET) {
        json_put_double(out, "frequency_penalty", request->frequency_penalty);
    }
    if (request->seed >= 0) json_put_i64(out, "seed", request->seed);
}

static void put_format(struct json_out *out, const struct llm_asking *asking)
{
    const struct llm_request *request = asking->request;
    bool schema = request->format == LLM_FORMAT_SCHEMA && !(asking->quirks & LLM_QUIRK_NO_SCHEMA);
    if (request->format == LLM_FORMAT_TEXT || (asking->quirks & LLM_QUIRK_NO_JSON)) return;
    if (!schema && (asking->quirks & LLM_QUIRK_NO_JSON_OBJECT)) return;
    json_open(out, "response_format", '{');
    json_put_str(out, "type", schema ? STR("json_schema") : STR("json_object"));
    if (schema) {
        json_open(out, "json_schema", '{');
        json_put_str(out, "name", request->schema_name);
        json_put_raw(out, "schema", request->schema);
        json_put_bool(out, "strict", true);
        json_close(out, '}');
    }
    json_close(out, '}');
}

static void put_stops(struct json_out *out, const struct llm_request *request)
{
    if (request->stop_count == 0) return;
    json_open(out, "stop", '[');
    for (size_t i = 0; i < request->stop_count; i++) json_put_str(out, NULL, request->stops[i]);
    json_close(out, ']');
}

void llm_openai_write_body(const struct llm_asking *asking, struct llm_wire *wire)
{
    const struct llm_request *request = asking->request;
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "messages", '[');
    for (size_t i = 0; i < asking->message_count; i++) put_message(&out, &asking->messages[i]);
    json_close(&out, ']');
    if (!request->whole) {
        json_put_bool(&out, "stream", true);
        if (!(asking->quirks & LLM_QUIRK_NO_USAGE)) {
            json_put_raw(&out, "stream_options", STR("{\"include_usage\":true}"));
        }
    }
    put_sampling(&out, asking);
    put_stops(&out, request);
    put_format(&out, asking);
    if (request->tools.len > 0) json_put_raw(&out, "tools", request->tools);
    if (request->tool_choice.len > 0) json_put_raw(&out, "tool_choice", request->tool_choice);
    json_close(&out, '}');
}

static void write_headers(const struct llm_site *site, struct str key, struct llm_wire *wire)
{
    if (key.len > 0) {
        llm_wire_header(wire, "Authorization",
                        arena_printf(wire->arena, "Bearer %.*s", STR_ARGS(key)));
    }
    for (size_t i = 0; i < site->header_count; i++) {
        wire->headers[wire->header_count++] = site->headers[i];
    }
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    (void)why;
    llm_wire_url(wire, asking->site, "/chat/completions", STR(""));
    write_headers(asking->site, asking->key, wire);
    llm_openai_write_body(asking, wire);
    return OK;
}

/* --- answers --- */

static enum llm_finish finish_of(struct str reason)
{
    if (str_eq(reason, STR("length"))) return LLM_FINISH_LENGTH;
    if (str_eq(reason, STR("content_filter"))) return LLM_FINISH_FILTER;
    if (str_eq(reason, STR("tool_calls")) || str_eq(reason, STR("function_call"))) {
        return LLM_FINISH_TOOL;
    }
    return LLM_FINISH_STOP;
}

static void read_usage(struct llm_reader *reader, const struct json *usage)
{
    if (usage == NULL || json_kind(usage) != JSON_OBJECT) return;
    const struct json *input = json_get(usage, "prompt_tokens_details");
    const struct json *output = json_get(usage, "completion_tokens_details");
    llm_read_usage(
        reader, llm_json_count(usage, "prompt_tokens"), llm_json_count(usage, "completion_tokens"),
        llm_json_count(input, "cached_tokens"), llm_json_count(output, "reasoning_tokens"));
}

/* One call of a message or delta. Servers leave out the index, or repeat the name. */
static void read_tool(struct llm_reader *reader, const struct json *call, int position)
{
    const struct json *function = json_get(call, "function");
    int64_t index = llm_json_count(call, "index");
    struct llm_tool_piece piece = {
        .index = index >= 0 ? (int)MIN(index, 1000) : position,
        .id = llm_json_text(call, "id"),
        .name = llm_json_text(function, "name"),
        .arguments = llm_json_text(function, "arguments"),
    };
    const struct json *arguments = json_get(function, "arguments");
    struct buf whole;
    buf_init(&whole, LLM_EVENT_MAX);
    if (arguments && json_kind(arguments) == JSON_OBJECT) {
        struct json_out out = json_begin(&whole);
        json_put_tree(&out, NULL, arguments);
        piece.arguments = buf_str(&whole);
    }
    llm_read_tool(reader, &piece);
    buf_release(&whole);
}

static void read_words(struct llm_reader *reader, const struct json *words)
{
    struct str reasoning = llm_json_text(words, "reasoning_content");
    if (reasoning.len == 0) reasoning = llm_json_text(words, "reasoning");
    llm_read_reasoning(reader, reasoning);
    llm_read_text(reader, llm_json_text(words, "content"));
    struct str refusal = llm_json_text(words, "refusal");
    if (refusal.len > 0) {
        llm_read_text(reader, refusal);
        llm_read_finish(reader, LLM_FINISH_FILTER);
    }
    int position = 0;
    const struct json *calls = json_get(words, "tool_calls");
    for (const struct json *call = json_first(calls); call; call = json_after(call)) {
        read_tool(reader, call, position++);
    }
}

static void read_choice(struct llm_reader *reader, const struct json *choice, const char *words)
{
    read_words(reader, json_get(choice, words));
    struct str reason = llm_json_text(choice, "finish_reason");
    if (reason.len == 0) return;
    if (str_eq(reason, STR("insufficient_system_resource"))) {
        llm_read_fault(reader, LLM_FAULT_OVERLOAD, "the provider has no room for it now");
    } else if (str_eq(reason, STR("error")) || str_eq(reason, STR("abort"))) {
        llm_read_fault(reader, LLM_FAULT_SERVER, "the provider gave up in mid-answer");
    } else {
        llm_read_finish(reader, reader->said_tool && str_eq(reason, STR("stop"))
                                    ? LLM_FINISH_TOOL
                                    : finish_of(reason));
    }
}

static void read_chunk(struct llm_reader *reader, const struct json *data, const char *words)
{
    llm_read_open(reader, llm_json_text(data, "model"));
    const struct json *choice = json_first(json_get(data, "choices"));
    if (choice) read_choice(reader, choice, words);
    read_usage(reader, json_get(data, "usage"));
}

void llm_openai_read_event(struct llm_reader *reader, struct str name, const struct json *data)
{
    (void)name;
    read_chunk(reader, data, "delta");
}

void llm_openai_read_whole(struct llm_reader *reader, const struct json *body)
{
    read_chunk(reader, body, "message");
    llm_read_end(reader);
}

/* --- models and embeddings --- */

static enum err write_models(const struct llm_asking *asking, struct llm_wire *wire,
                             struct why *why)
{
    (void)why;
    wire->method = "GET";
    llm_wire_url(wire, asking->site, "/models", STR(""));
    write_headers(asking->site, asking->key, wire);
    return OK;
}

static void read_models(const struct json *body, llm_each_model *each, void *ctx)
{
    const struct json *model = json_first(json_get(body, "data"));
    for (; model; model = json_after(model)) {
        struct str id = llm_json_text(model, "id");
        int64_t context = llm_json_count(model, "max_model_len");           /* vLLM */
        if (context < 0) context = llm_json_count(model, "context_length"); /* OpenRouter */
        if (context < 0) context = llm_json_count(json_get(model, "meta"), "n_ctx_train");
        if (id.len > 0) each(ctx, id, context);
    }
}

static enum err write_embedding(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why)
{
    (void)why;
    llm_wire_url(wire, asking->site, "/embeddings", STR(""));
    write_headers(asking->site, asking->key, wire);
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "input", '[');
    for (size_t i = 0; i < asking->count; i++) json_put_str(&out, NULL, asking->texts[i]);
    json_close(&out, ']');
    json_put_str(&out, "encoding_format", STR("float"));
    if (asking->dimensions > 0) json_put_i64(&out, "dimensions", asking->dimensions);
    json_close(&out, '}');
    return OK;
}

static enum err read_embedding(const struct json *body, size_t count, llm_each_vector *each,
                               void *ctx, struct llm_usage *usage, struct why *why)
{
    enum err err = llm_read_vectors(json_get(body, "data"), "embedding", count, each, ctx, why);
    usage->input = llm_json_count(json_get(body, "usage"), "prompt_tokens");
    return err;
}

const struct llm_provider llm_provider_openai = {
    .name = "openai",
    .base = "https://api.openai.com/v1",
    .framing = LLM_FRAMING_SSE,
    .needs_key = true,
    .embed_max = 512,
    .write_chat = write_chat,
    .read_event = llm_openai_read_event,
    .read_whole = llm_openai_read_whole,
    .write_models = write_models,
    .read_models = read_models,
    .write_embedding = write_embedding,
    .read_embedding = read_embedding,
};
