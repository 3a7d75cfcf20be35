/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_anthropic.c: Anthropic's Messages API.
 *
 * Content is blocks: text, pictures, calls, answers to calls. System messages
 * stand apart, neighbours of one role are merged, and a ceiling for the answer
 * must be named.
 *
 * Models that know no schema are made to call one tool whose input is the
 * schema (LLM_QUIRK_NO_SCHEMA): what they write into that call is the answer,
 * and is told as its text.
 *
 * Not sent back: thoughts of earlier turns, for which OpenAI's form has no
 * place. Anthropic wants them only where a tool was called while thinking was
 * on; so while a tool's answer waits for the model, thinking is off.
 */
#include "llm/convert.h"
#include "llm/reader.h"

enum { TOKENS_USUAL = 4096, THINKING_LEAST = 1024 };

static const char answer_tool[] = "hutong_answer";

/* --- requests --- */

struct writer {
    struct json_out *out;
    const struct llm_asking *asking;
    size_t at;        /* of the message in hand */
    const char *role; /* of the message that is open; NULL: none */
};

static void close_message(struct writer *writer)
{
    if (writer->role == NULL) return;
    json_close(writer->out, ']');
    json_close(writer->out, '}');
    writer->role = NULL;
}

static void enter(struct writer *writer, const char *role)
{
    if (writer->role && strcmp(writer->role, role) == 0) return;
    close_message(writer);
    json_open(writer->out, NULL, '{');
    json_put_str(writer->out, "role", str_of(role));
    json_open(writer->out, "content", '[');
    writer->role = role;
}

static void put_text_block(struct json_out *out, struct str text)
{
    json_open(out, NULL, '{');
    json_put_str(out, "type", STR("text"));
    json_put_str(out, "text", text);
    json_close(out, '}');
}

static void put_picture(struct json_out *out, const struct llm_part *part)
{
    json_open(out, NULL, '{');
    json_put_str(out, "type", STR("image"));
    json_open(out, "source", '{');
    if (part->data.len > 0) {
        json_put_str(out, "type", STR("base64"));
        json_put_str(out, "media_type", part->type);
        json_put_str(out, "data", part->data);
    } else {
        json_put_str(out, "type", STR("url"));
        json_put_str(out, "url", part->url);
    }
    json_close(out, '}');
    json_close(out, '}');
}

static enum err put_part(void *ctx, const struct llm_part *part, struct why *why)
{
    struct writer *writer = ctx;
    (void)why;
    bool assistant = writer->asking->messages[writer->at].role == LLM_ASSISTANT;
    enter(writer, assistant ? "assistant" : "user");
    if (part->text.len > 0) {
        put_text_block(writer->out, part->text);
    } else {
        put_picture(writer->out, part);
    }
    return OK;
}

static enum err put_called(void *ctx, const struct llm_called *called, struct why *why)
{
    struct writer *writer = ctx;
    (void)why;
    enter(writer, "assistant");
    json_open(writer->out, NULL, '{');
    json_put_str(writer->out, "type", STR("tool_use"));
    json_put_str(writer->out, "id", called->id);
    json_put_str(writer->out, "name", called->name);
    json_put_raw(writer->out, "input", called->arguments);
    json_close(writer->out, '}');
    return OK;
}

static enum err put_tool_answer(struct writer *writer, const struct llm_message *message,
                                struct why *why)
{
    struct buf text;
    buf_init(&text, LLM_BODY_MAX);
    enum err err = llm_join_text(message, &text, why);
    if (!err) {
        enter(writer, "user");
        json_open(writer->out, NULL, '{');
        json_put_str(writer->out, "type", STR("tool_result"));
        json_put_str(writer->out, "tool_use_id", message->tool_call_id);
        json_put_str(writer->out, "content", buf_str(&text));
        json_close(writer->out, '}');
    }
    buf_release(&text);
    return err;
}

static enum err put_messages(struct writer *writer, bool system_too, struct why *why)
{
    const struct llm_asking *asking = writer->asking;
    enum err err = OK;
    json_open(writer->out, "messages", '[');
    for (writer->at = 0; writer->at < asking->message_count && !err; writer->at++) {
        const struct llm_message *message = &asking->messages[writer->at];
        if (message->role == LLM_SYSTEM && !system_too) continue;
        if (message->role == LLM_TOOL) {
            err = put_tool_answer(writer, message, why);
            continue;
        }
        err = llm_read_parts(message, put_part, writer, why);
        if (!err) err = llm_read_called(message, put_called, writer, why);
    }
    close_message(writer);
    json_close(writer->out, ']');
    return err;
}

static enum err put_system(const struct llm_asking *asking, struct json_out *out, struct why *why)
{
    enum err err = OK;
    bool opened = false;
    for (size_t i = 0; i < asking->message_count && !err; i++) {
        if (asking->messages[i].role != LLM_SYSTEM) continue;
        struct buf text;
        buf_init(&text, LLM_BODY_MAX);
        err = llm_join_text(&asking->messages[i], &text, why);
        if (!err && text.len > 0) {
            if (!opened) json_open(out, "system", '[');
            opened = true;
            put_text_block(out, buf_str(&text));
        }
        buf_release(&text);
    }
    if (opened) json_close(out, ']');
    return err;
}

static bool answers_tool(const struct llm_asking *asking)
{
    size_t count = asking->message_count;
    return count > 0 && asking->messages[count - 1].role == LLM_TOOL;
}

/* The schema as a tool: where schemas are not known, and no other tool is on offer. */
static bool schema_is_tool(const struct llm_asking *asking)
{
    const struct llm_request *request = asking->request;
    return request->format == LLM_FORMAT_SCHEMA && request->tools.len == 0 &&
           (asking->quirks & LLM_QUIRK_NO_SCHEMA) && !(asking->quirks & LLM_QUIRK_NO_JSON);
}

/* Writes what there is to say; true: the model thinks. */
static bool put_thinking(const struct llm_asking *asking, struct json_out *out, int64_t tokens_max)
{
    enum llm_thinking wish = asking->request->thinking;
    if (wish == LLM_THINKING_DEFAULT || (asking->quirks & LLM_QUIRK_NO_THINKING)) return false;
    bool room = tokens_max > THINKING_LEAST;
    bool on = wish == LLM_THINKING_ON && room && !answers_tool(asking) && !schema_is_tool(asking);
    json_open(out, "thinking", '{');
    json_put_str(out, "type", on ? STR("enabled") : STR("disabled"));
    if (on) json_put_i64(out, "budget_tokens", MAX(tokens_max / 2, THINKING_LEAST));
    json_close(out, '}');
    return on;
}

/* Newer models take one of temperature and top_p; models that think, neither. */
static void put_sampling(const struct llm_asking *asking, struct json_out *out, bool thinks)
{
    const struct llm_request *request = asking->request;
    if (thinks || (asking->quirks & LLM_QUIRK_NO_SAMPLING)) return;
    if (request->temperature > LLM_UNSET) {
        json_put_double(out, "temperature", MIN(MAX(request->temperature, 0.0), 1.0));
    } else if (request->top_p > LLM_UNSET) {
        json_put_double(out, "top_p", request->top_p);
    }
}

static void put_limits(const struct llm_asking *asking, struct json_out *out)
{
    const struct llm_request *request = asking->request;
    int64_t tokens_max = request->max_tokens > 0 ? request->max_tokens : TOKENS_USUAL;
    json_put_i64(out, "max_tokens", tokens_max);
    if (!request->whole) json_put_bool(out, "stream", true);
    put_sampling(asking, out, put_thinking(asking, out, tokens_max));
    if (request->stop_count > 0) {
        json_open(out, "stop_sequences", '[');
        for (size_t i = 0; i < request->stop_count; i++) json_put_str(out, NULL, request->stops[i]);
        json_close(out, ']');
    }
    if (llm_format_left(asking) == LLM_FORMAT_SCHEMA) {
        json_open(out, "output_config", '{');
        json_open(out, "format", '{');
        json_put_str(out, "type", STR("json_schema"));
        json_put_raw(out, "schema", request->schema);
        json_close(out, '}');
        json_close(out, '}');
    }
}

static void put_answer_tool(const struct llm_asking *asking, struct json_out *out)
{
    json_open(out, "tools", '[');
    json_open(out, NULL, '{');
    json_put_str(out, "name", str_of(answer_tool));
    json_put_str(out, "description", STR("Give the answer in this form."));
    json_put_raw(out, "input_schema", asking->request->schema);
    json_close(out, '}');
    json_close(out, ']');
    json_open(out, "tool_choice", '{');
    json_put_str(out, "type", STR("tool"));
    json_put_str(out, "name", str_of(answer_tool));
    json_close(out, '}');
}

static enum err put_offered(void *ctx, const struct llm_offered *offered, struct why *why)
{
    struct json_out *out = ctx;
    (void)why;
    json_open(out, NULL, '{');
    json_put_str(out, "name", offered->name);
    if (offered->description.len > 0) json_put_str(out, "description", offered->description);
    if (offered->parameters) {
        json_put_tree(out, "input_schema", offered->parameters);
    } else {
        json_put_raw(out, "input_schema", STR("{\"type\":\"object\"}"));
    }
    json_close(out, '}');
    return OK;
}

static enum err put_tools(const struct llm_asking *asking, struct arena *arena,
                          struct json_out *out, struct why *why)
{
    static const char *const types[] = {[LLM_MUST_NOT] = "none",
                                        [LLM_MUST_MAY] = "auto",
                                        [LLM_MUST_ANY] = "any",
                                        [LLM_MUST_NAMED] = "tool"};
    if (schema_is_tool(asking)) put_answer_tool(asking, out);
    if (asking->request->tools.len == 0) return OK;
    json_open(out, "tools", '[');
    enum err err = llm_read_offered(asking->request->tools, put_offered, out, why);
    json_close(out, ']');
    enum llm_must must = LLM_MUST_UNSAID;
    struct str name = {0};
    if (!err) err = llm_read_must(arena, asking->request->tool_choice, &must, &name, why);
    if (err || must == LLM_MUST_UNSAID) return err;
    json_open(out, "tool_choice", '{');
    json_put_str(out, "type", str_of(types[must]));
    if (name.len > 0) json_put_str(out, "name", name);
    json_close(out, '}');
    return OK;
}

static void write_headers(const struct llm_site *site, struct str key, struct llm_wire *wire)
{
    if (key.len > 0) llm_wire_header(wire, "x-api-key", key);
    llm_wire_header(wire, "anthropic-version",
                    site->version.len > 0 ? site->version : STR("2023-06-01"));
    llm_wire_site_headers(wire, site);
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    llm_wire_url(wire, asking->site, "/v1/messages", STR(""));
    write_headers(asking->site, asking->key, wire);
    bool only_system = llm_only_system(asking);
    struct json_out out = json_begin(&wire->body);
    struct writer writer = {.out = &out, .asking = asking};
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    put_limits(asking, &out);
    enum err err = only_system ? OK : put_system(asking, &out, why);
    if (!err) err = put_messages(&writer, only_system, why);
    if (!err) err = put_tools(asking, wire->arena, &out, why);
    json_close(&out, '}');
    return err || schema_is_tool(asking) ? err : llm_keep_format(asking, why);
}

/* --- answers --- */

/* What came from a cache, or was put into one, was read as well. */
static void read_usage(struct llm_reader *reader, const struct json *usage)
{
    int64_t input = llm_json_count(usage, "input_tokens");
    int64_t cached = llm_json_count(usage, "cache_read_input_tokens");
    int64_t made = llm_json_count(usage, "cache_creation_input_tokens");
    if (input >= 0) input += MAX(cached, 0) + MAX(made, 0);
    llm_read_usage(reader, input, llm_json_count(usage, "output_tokens"), cached, -1);
}

static void read_stop(struct llm_reader *reader, const struct json *holder)
{
    static const struct {
        const char *reason;
        enum llm_finish finish;
    } table[] = {
        {"end_turn", LLM_FINISH_STOP},     {"stop_sequence", LLM_FINISH_STOP},
        {"max_tokens", LLM_FINISH_LENGTH}, {"model_context_window_exceeded", LLM_FINISH_LENGTH},
        {"pause_turn", LLM_FINISH_LENGTH}, /* it would go on if asked */
        {"refusal", LLM_FINISH_FILTER}};
    struct str reason = llm_json_text(holder, "stop_reason");
    if (reason.len == 0) return;
    enum llm_finish finish = LLM_FINISH_LENGTH; /* a word we do not know: perhaps not whole */
    if (str_eq(reason, STR("tool_use")))
        finish = reader->said_tool ? LLM_FINISH_TOOL : LLM_FINISH_STOP;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (str_eq(reason, str_of(table[i].reason))) finish = table[i].finish;
    }
    llm_read_finish(reader, finish);
}

/* The block an event is about; NULL: of none of ours. */
static struct llm_block *block_of(struct llm_reader *reader, const struct json *data)
{
    int64_t index = llm_json_count(data, "index");
    return index >= 0 && index < LLM_BLOCKS_MAX ? &reader->blocks[index] : NULL;
}

static void begin_call(struct llm_reader *reader, const struct json *data,
                       const struct json *content)
{
    struct llm_block *block = block_of(reader, data);
    struct str name = llm_json_text(content, "name");
    if (block == NULL) {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL, "a tool call stands in no block");
    } else if (str_eq(name, str_of(answer_tool))) {
        *block = (struct llm_block){.tool = -1};
    } else {
        int index = reader->tools.count;
        llm_read_call(reader, index, llm_json_text(content, "id"), name, NULL);
        *block = (struct llm_block){.tool = (int8_t)(MIN(index, LLM_TOOLS_MAX) + 1)};
    }
}

static void begin_block(struct llm_reader *reader, const struct json *data)
{
    const struct json *content = json_get(data, "content_block");
    struct str type = llm_json_text(content, "type");
    if (str_eq(type, STR("tool_use"))) begin_call(reader, data, content);
    llm_read_text(reader, llm_json_text(content, "text"));
    llm_read_reasoning(reader, llm_json_text(content, "thinking"));
}

static void read_arguments(struct llm_reader *reader, struct llm_block *block, struct str part)
{
    if (block == NULL || block->tool == 0 || part.len == 0) return;
    block->filled = true;
    if (block->tool < 0) {
        llm_read_text(reader, part);
    } else {
        struct llm_tool_piece piece = {.index = block->tool - 1, .arguments = part};
        llm_read_tool(reader, &piece);
    }
}

static void read_delta(struct llm_reader *reader, const struct json *data)
{
    const struct json *delta = json_get(data, "delta");
    llm_read_text(reader, llm_json_text(delta, "text"));
    llm_read_reasoning(reader, llm_json_text(delta, "thinking"));
    read_arguments(reader, block_of(reader, data), llm_json_text(delta, "partial_json"));
}

static void end_block(struct llm_reader *reader, const struct json *data)
{
    struct llm_block *block = block_of(reader, data);
    if (block && !block->filled) read_arguments(reader, block, STR("{}"));
}

static void begin_message(struct llm_reader *reader, const struct json *data)
{
    const struct json *message = json_get(data, "message");
    llm_read_open(reader, llm_json_text(message, "model"));
    read_usage(reader, json_get(message, "usage"));
}

static void read_message_delta(struct llm_reader *reader, const struct json *data)
{
    read_usage(reader, json_get(data, "usage"));
    read_stop(reader, json_get(data, "delta"));
}

static void end_message(struct llm_reader *reader, const struct json *data)
{
    (void)data;
    llm_read_end(reader);
}

static void read_event(struct llm_reader *reader, struct str name, const struct json *data)
{
    static const struct {
        const char *type;
        void (*read)(struct llm_reader *reader, const struct json *data);
    } table[] = {
        {"content_block_delta", read_delta},   {"content_block_start", begin_block},
        {"content_block_stop", end_block},     {"message_start", begin_message},
        {"message_delta", read_message_delta}, {"message_stop", end_message},
    };
    (void)name; /* the data says the same */
    struct str type = llm_json_text(data, "type");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (!str_eq(type, str_of(table[i].type))) continue;
        table[i].read(reader, data);
        return;
    }
}

static void read_block(struct llm_reader *reader, const struct json *block)
{
    struct str name = llm_json_text(block, "name");
    llm_read_reasoning(reader, llm_json_text(block, "thinking"));
    llm_read_text(reader, llm_json_text(block, "text"));
    if (!str_eq(llm_json_text(block, "type"), STR("tool_use"))) return;
    if (!str_eq(name, str_of(answer_tool))) {
        llm_read_call(reader, reader->tools.count, llm_json_text(block, "id"), name,
                      json_get(block, "input"));
        return;
    }
    struct buf text;
    buf_init(&text, LLM_TEXT_MAX);
    struct json_out out = json_begin(&text);
    json_put_tree(&out, NULL, json_get(block, "input"));
    llm_read_text(reader, buf_str(&text));
    buf_release(&text);
}

static void read_whole(struct llm_reader *reader, const struct json *body)
{
    llm_read_open(reader, llm_json_text(body, "model"));
    const struct json *block = json_first(json_get(body, "content"));
    for (; block; block = json_after(block)) read_block(reader, block);
    read_usage(reader, json_get(body, "usage"));
    read_stop(reader, body);
    llm_read_end(reader);
}

/* --- models --- */

static enum err write_models(const struct llm_asking *asking, struct llm_wire *wire,
                             struct why *why)
{
    (void)why;
    wire->method = "GET";
    llm_wire_url(wire, asking->site, "/v1/models?limit=1000", STR(""));
    write_headers(asking->site, asking->key, wire);
    return OK;
}

const struct llm_provider llm_provider_anthropic = {
    .name = "anthropic",
    .base = "https://api.anthropic.com",
    .framing = LLM_FRAMING_SSE,
    .write_chat = write_chat,
    .read_event = read_event,
    .read_whole = read_whole,
    .write_models = write_models,
    .read_models = llm_openai_read_models, /* the same form */
};
