/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_openai.c: OpenAI's chat completions and every server that speaks
 * them (LM Studio, vLLM, llama.cpp, DeepSeek, Qwen's compatible mode, OpenRouter …).
 *
 * Reference: OpenAI's API description; what the others do differently is in the
 * quirks of their sites and in what is tolerated here: every field of an answer
 * but the text may be missing.
 */
#include "base/map.h"
#include "llm/convert.h"
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

void llm_openai_put_message(struct json_out *out, const struct llm_message *message)
{
    json_open(out, NULL, '{');
    json_put_str(out, "role", str_of(role_name(message->role)));
    if (message->name.len > 0) json_put_str(out, "name", message->name);
    if (message->parts.len > 0) {
        json_put_raw(out, "content", message->parts);
    } else if (message->text.len == 0 && message->tool_calls.len > 0) {
        json_put_null(out, "content");
    } else {
        json_put_str(out, "content", message->text);
    }
    if (message->reasoning.at) json_put_str(out, "reasoning_content", message->reasoning);
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

void llm_openai_put_format(struct json_out *out, const struct llm_asking *asking)
{
    enum llm_format format = llm_format_left(asking);
    if (format == LLM_FORMAT_TEXT) return;
    bool schema = format == LLM_FORMAT_SCHEMA;
    json_open(out, "response_format", '{');
    json_put_str(out, "type", schema ? STR("json_schema") : STR("json_object"));
    if (schema) {
        json_open(out, "json_schema", '{');
        json_put_str(out, "name", asking->request->schema_name);
        struct str description = asking->request->schema_description;
        if (description.len > 0) json_put_str(out, "description", description);
        json_put_raw(out, "schema", asking->request->schema);
        enum llm_strict strict = asking->request->schema_strict;
        if (strict != LLM_STRICT_DEFAULT) json_put_bool(out, "strict", strict == LLM_STRICT);
        json_close(out, '}');
    }
    json_close(out, '}');
}

/*
 * Whether to think has as many names as there are servers; who they are shows in their address.
 * OpenAI's own models that think cannot all be stopped, but all can be told to do little of it.
 */
struct thinking {
    const char *base;  /* in the site's address; NULL: a server on our own machine or network */
    const char *model; /* what the model's name begins with */
    const char *member, *off, *on;
};

static const struct thinking thinkings[] = {
    {"api.openai.com", "o", "reasoning_effort", "\"low\"", NULL},
    {"api.openai.com", "gpt-5", "reasoning_effort", "\"low\"", NULL},
    {"api.deepseek.com", "", "thinking", "{\"type\":\"disabled\"}", "{\"type\":\"enabled\"}"},
    {"openrouter.ai", "", "reasoning", "{\"enabled\":false}", "{\"enabled\":true}"},
    {"aliyuncs.com", "", "enable_thinking", "false", "true"},
    {NULL, "", "chat_template_kwargs", "{\"enable_thinking\":false}", "{\"enable_thinking\":true}"},
};

static bool thinks_so(const struct thinking *how, const struct llm_asking *asking)
{
    struct str base = asking->site->base;
    bool here = how->base ? str_find(base, str_of(how->base)) < base.len : asking->site->local;
    return here && str_starts(asking->model, str_of(how->model));
}

static void put_thinking(struct json_out *out, const struct llm_asking *asking)
{
    enum llm_thinking wish = asking->request->thinking;
    if (wish == LLM_THINKING_DEFAULT || (asking->quirks & LLM_QUIRK_NO_THINKING)) return;
    for (size_t i = 0; i < COUNT_OF(thinkings); i++) {
        const struct thinking *how = &thinkings[i];
        if (!thinks_so(how, asking)) continue;
        const char *value = wish == LLM_THINKING_OFF ? how->off : how->on;
        if (value) json_put_raw(out, how->member, str_of(value));
        return;
    }
}

/*
 * DeepSeek answers 400 when what it thought before a tool call is not there with the call, be it
 * empty. Templates of models on our own machines have a place for it, and servers of others refuse
 * a member they do not know; an error says so, and is learnt. Without a call nobody wants it.
 */
static struct str reasoning_back(const struct llm_asking *asking, const struct llm_message *message)
{
    const struct str none = {0}, deepseek = STR("api.deepseek.com"), base = asking->site->base;
    if (message->tool_calls.len == 0 || (asking->quirks & LLM_QUIRK_NO_REASONING_BACK)) return none;
    bool always =
        (asking->quirks & LLM_QUIRK_REASONING_BACK) || str_find(base, deepseek) < base.len;
    if (always) return message->reasoning.len > 0 ? message->reasoning : STR("");
    return asking->site->local && message->reasoning.len > 0 ? message->reasoning : none;
}

static void put_messages(struct json_out *out, const struct llm_asking *asking)
{
    json_open(out, "messages", '[');
    for (size_t i = 0; i < asking->message_count; i++) {
        struct llm_message message = asking->messages[i];
        message.reasoning = reasoning_back(asking, &message);
        llm_openai_put_message(out, &message);
    }
    json_close(out, ']');
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
    put_messages(&out, asking);
    if (!request->whole) {
        json_put_bool(&out, "stream", true);
        if (!(asking->quirks & LLM_QUIRK_NO_USAGE)) {
            json_put_raw(&out, "stream_options", STR("{\"include_usage\":true}"));
        }
    }
    put_sampling(&out, asking);
    put_stops(&out, request);
    llm_openai_put_format(&out, asking);
    put_thinking(&out, asking);
    if (request->tools.len > 0) json_put_raw(&out, "tools", request->tools);
    if (request->tool_choice.len > 0) json_put_raw(&out, "tool_choice", request->tool_choice);
    json_close(&out, '}');
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    llm_wire_url(wire, asking->site, "/chat/completions", STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    llm_openai_write_body(asking, wire);
    return llm_keep_format(asking, why);
}

/* --- answers --- */

/* "stop", and what compatible servers say for it. Whoever has another word (Mistral's
 * "model_length") was cut short: an answer is whole only when that is known. */
enum llm_finish llm_openai_finish(struct str reason)
{
    static const char *const whole[] = {"stop", "eos", "eos_token", "end_turn", "stop_sequence"};
    if (str_eq(reason, STR("content_filter"))) return LLM_FINISH_FILTER;
    if (str_eq(reason, STR("tool_calls")) || str_eq(reason, STR("function_call"))) {
        return LLM_FINISH_TOOL;
    }
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        if (str_eq_nocase(reason, str_of(whole[i]))) return LLM_FINISH_STOP;
    return LLM_FINISH_LENGTH;
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

/* Which call this is, where the server does not count: a new id or a new name begins the next,
 * anything else goes on with the last, or stands at its place in the list. */
static int index_of(const struct llm_reader *reader, const struct json *call, int position)
{
    const struct llm_tool_notes *tools = &reader->tools;
    int64_t said = llm_json_count(call, "index");
    struct str id = llm_json_text(call, "id");
    struct str name = llm_json_text(json_get(call, "function"), "name");
    if (said >= 0) return (int)MIN(said, LLM_TOOLS_MAX);
    if (tools->count == 0) return position;
    if (id.len > 0) return map_hash(id) == tools->last_id ? tools->last : tools->count;
    if (name.len > 0) {
        bool same = map_hash(name) == tools->last_name && position == 0;
        return same ? tools->last : tools->count;
    }
    return position > 0 ? position : tools->last;
}

void llm_openai_read_calls(struct llm_reader *reader, const struct json *words)
{
    const struct json *calls = json_get(words, "tool_calls");
    int position = 0;
    for (const struct json *call = json_first(calls); call; call = json_after(call)) {
        const struct json *function = json_get(call, "function");
        llm_read_call(reader, index_of(reader, call, position++), llm_json_text(call, "id"),
                      llm_json_text(function, "name"), json_get(function, "arguments"));
    }
}

/* OpenRouter: a list of texts and summaries. */
static void read_reasoning_details(struct llm_reader *reader, const struct json *details)
{
    for (const struct json *part = json_first(details); part; part = json_after(part)) {
        llm_read_reasoning(reader, llm_json_text(part, "text"));
        llm_read_reasoning(reader, llm_json_text(part, "summary"));
    }
}

/* The same text may come under several names. */
static void read_reasoning(struct llm_reader *reader, const struct json *words)
{
    struct str reasoning = llm_json_text(words, "reasoning_content");
    if (reasoning.len == 0) reasoning = llm_json_text(words, "reasoning");
    if (reasoning.len > 0) {
        llm_read_reasoning(reader, reasoning);
    } else {
        read_reasoning_details(reader, json_get(words, "reasoning_details"));
    }
}

static void read_words(struct llm_reader *reader, const struct json *words)
{
    read_reasoning(reader, words);
    llm_read_text(reader, llm_json_text(words, "content"));
    struct str refusal = llm_json_text(words, "refusal");
    if (refusal.len > 0) {
        llm_read_text(reader, refusal);
        llm_read_finish(reader, LLM_FINISH_FILTER);
    }
    llm_openai_read_calls(reader, words);
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
                                    : llm_openai_finish(reason));
    }
}

static void read_chunk(struct llm_reader *reader, const struct json *data, const char *words)
{
    struct str model = llm_json_text(data, "model");
    const struct json *choice = json_first(json_get(data, "choices"));
    if (model.len > 0 || choice) llm_read_open(reader, model); /* Azure's first chunk has neither */
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
    llm_wire_bearer(wire, asking->site, asking->key);
    return OK;
}

void llm_openai_read_models(const struct json *body, llm_each_model *each, void *ctx)
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

void llm_openai_write_embedding_body(const struct llm_embedding_asking *asking,
                                     struct llm_wire *wire)
{
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "input", '[');
    for (size_t i = 0; i < asking->count; i++) json_put_str(&out, NULL, asking->texts[i]);
    json_close(&out, ']');
    json_put_str(&out, "encoding_format", STR("float"));
    if (asking->dimensions > 0) json_put_i64(&out, "dimensions", asking->dimensions);
    json_close(&out, '}');
}

static enum err write_embedding(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why)
{
    (void)why;
    llm_wire_url(wire, asking->site, "/embeddings", STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    llm_openai_write_embedding_body(asking, wire);
    return OK;
}

enum err llm_openai_read_embedding(const struct json *body, size_t count, llm_each_vector *each,
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
    .embed_max = 512,
    .write_chat = write_chat,
    .read_event = llm_openai_read_event,
    .read_whole = llm_openai_read_whole,
    .write_models = write_models,
    .read_models = llm_openai_read_models,
    .write_embedding = write_embedding,
    .read_embedding = llm_openai_read_embedding,
};
