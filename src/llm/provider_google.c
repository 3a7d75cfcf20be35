/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_google.c: Gemini (generateContent of the Generative Language API).
 *
 * Contents have two roles; neighbours of one role are merged. System messages
 * stand apart. A stream is a row of whole answers without an end mark: the
 * reason to stop is the end.
 *
 * Gemini signs the thoughts behind a tool call and wants the signature back
 * with the call, but OpenAI's form, which our callers speak, has no place for
 * it: it travels in the call's id, behind a '~' (which base64 does not have).
 */
#include <math.h>

#include "base/mem.h"
#include "llm/convert.h"
#include "llm/reader.h"

/* --- requests --- */

struct writer {
    struct json_out *out;
    struct arena *arena;
    const struct llm_asking *asking;
    size_t at;        /* of the message in hand */
    const char *role; /* of the content that is open; NULL: none */
    bool signed_call; /* the first call of this content was written */
};

static void close_content(struct writer *writer)
{
    if (writer->role == NULL) return;
    json_close(writer->out, ']');
    json_close(writer->out, '}');
    writer->role = NULL;
}

/* Parts that follow are of this role. */
static void enter(struct writer *writer, const char *role)
{
    if (writer->role && strcmp(writer->role, role) == 0) return;
    close_content(writer);
    json_open(writer->out, NULL, '{');
    json_put_str(writer->out, "role", str_of(role));
    json_open(writer->out, "parts", '[');
    writer->role = role;
    writer->signed_call = false;
}

static const char *role_of(const struct llm_message *message)
{
    return message->role == LLM_ASSISTANT ? "model" : "user";
}

static enum err put_part(void *ctx, const struct llm_part *part, struct why *why)
{
    struct writer *writer = ctx;
    if (part->url.len > 0) {
        return why_set(why, ERR_INVALID,
                       "Gemini takes pictures as data: URLs only, not from an address");
    }
    enter(writer, role_of(&writer->asking->messages[writer->at]));
    json_open(writer->out, NULL, '{');
    if (part->data.len > 0) {
        json_open(writer->out, "inlineData", '{');
        json_put_str(writer->out, "mimeType", part->type);
        json_put_str(writer->out, "data", part->data);
        json_close(writer->out, '}');
    } else {
        json_put_str(writer->out, "text", part->text);
    }
    json_close(writer->out, '}');
    return OK;
}

/* The id as Gemini knows it; ours it never saw. */
static void put_id(struct json_out *out, struct str id)
{
    id = str_head(id, str_find_byte(id, '~'));
    if (id.len > 0 && !str_starts(id, STR(LLM_OWN_ID))) json_put_str(out, "id", id);
}

/* Gemini 3 refuses a call without the signature of its thoughts; for calls of other models its
 * makers name this word. Of several calls at once only the first is signed. */
static struct str signature_of(const struct writer *writer, struct str id)
{
    struct str signature = str_from(id, str_find_byte(id, '~') + 1);
    if (signature.len > 0 || writer->signed_call) return signature;
    bool wanted = str_starts(writer->asking->model, STR("gemini-3"));
    return wanted ? STR("skip_thought_signature_validator") : (struct str){0};
}

static enum err put_called(void *ctx, const struct llm_called *called, struct why *why)
{
    struct writer *writer = ctx;
    (void)why;
    enter(writer, "model");
    json_open(writer->out, NULL, '{');
    json_open(writer->out, "functionCall", '{');
    put_id(writer->out, called->id);
    json_put_str(writer->out, "name", called->name);
    json_put_raw(writer->out, "args", called->arguments);
    json_close(writer->out, '}');
    struct str signature = signature_of(writer, called->id);
    if (signature.len > 0) json_put_str(writer->out, "thoughtSignature", signature);
    writer->signed_call = true;
    json_close(writer->out, '}');
    return OK;
}

static bool is_object(struct str text)
{
    struct json *tree = NULL;
    struct why why;
    bool object = json_parse(text, &tree, NULL, &why) == OK && json_kind(tree) == JSON_OBJECT;
    json_free(tree);
    return object;
}

/* What a tool answered must be an object here. */
static enum err put_tool_answer(struct writer *writer, struct why *why)
{
    const struct llm_message *message = &writer->asking->messages[writer->at];
    struct str name;
    struct buf text;
    buf_init(&text, LLM_BODY_MAX);
    enum err err = llm_called_name(writer->arena, writer->asking, writer->at, &name, why);
    if (!err) err = llm_join_text(message, &text, why);
    if (err) goto out;
    enter(writer, "user");
    json_open(writer->out, NULL, '{');
    json_open(writer->out, "functionResponse", '{');
    put_id(writer->out, message->tool_call_id);
    json_put_str(writer->out, "name", name);
    if (is_object(buf_str(&text))) {
        json_put_raw(writer->out, "response", buf_str(&text));
    } else {
        json_open(writer->out, "response", '{');
        json_put_str(writer->out, "result", buf_str(&text));
        json_close(writer->out, '}');
    }
    json_close(writer->out, '}');
    json_close(writer->out, '}');
out:
    buf_release(&text);
    return err;
}

static enum err put_contents(struct writer *writer, bool system_too, struct why *why)
{
    const struct llm_asking *asking = writer->asking;
    enum err err = OK;
    json_open(writer->out, "contents", '[');
    for (writer->at = 0; writer->at < asking->message_count && !err; writer->at++) {
        const struct llm_message *message = &asking->messages[writer->at];
        if (message->role == LLM_SYSTEM && !system_too) continue;
        if (message->role == LLM_TOOL) {
            err = put_tool_answer(writer, why);
            continue;
        }
        err = llm_read_parts(message, put_part, writer, why);
        if (!err) err = llm_read_called(message, put_called, writer, why);
    }
    close_content(writer);
    json_close(writer->out, ']');
    return err;
}

static enum err put_system(const struct llm_asking *asking, struct json_out *out, struct why *why)
{
    struct buf text;
    buf_init(&text, LLM_BODY_MAX);
    enum err err = OK;
    for (size_t i = 0; i < asking->message_count && !err; i++) {
        if (asking->messages[i].role != LLM_SYSTEM) continue;
        if (text.len > 0) buf_add_str(&text, STR("\n\n"));
        err = llm_join_text(&asking->messages[i], &text, why);
    }
    if (!err && text.len > 0) {
        json_open(out, "systemInstruction", '{');
        json_open(out, "parts", '[');
        json_open(out, NULL, '{');
        json_put_str(out, "text", buf_str(&text));
        json_close(out, '}');
        json_close(out, ']');
        json_close(out, '}');
    }
    buf_release(&text);
    return err;
}

/* Which models think, and how little they can be made to, by the beginning of their names. */
static void put_thinking(const struct llm_asking *asking, struct json_out *out)
{
    static const struct {
        const char *model, *off, *on;
    } table[] = {
        {"gemini-2.5-pro", "{\"thinkingBudget\":128}", "{\"includeThoughts\":true}"},
        {"gemini-2.5", "{\"thinkingBudget\":0}",
         "{\"includeThoughts\":true,\"thinkingBudget\":-1}"},
        {"gemini-3", "{\"thinkingLevel\":\"low\"}", "{\"includeThoughts\":true}"},
    };
    enum llm_thinking wish = asking->request->thinking;
    if (wish == LLM_THINKING_DEFAULT || (asking->quirks & LLM_QUIRK_NO_THINKING)) return;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (!str_starts(asking->model, str_of(table[i].model))) continue;
        const char *value = wish == LLM_THINKING_OFF ? table[i].off : table[i].on;
        json_put_raw(out, "thinkingConfig", str_of(value));
        return;
    }
}

static void put_number(struct json_out *out, const char *name, double value)
{
    if (value > LLM_UNSET) json_put_double(out, name, value);
}

static void put_sampling(const struct llm_asking *asking, struct json_out *out)
{
    const struct llm_request *request = asking->request;
    if (asking->quirks & LLM_QUIRK_NO_SAMPLING) return;
    put_number(out, "temperature", request->temperature);
    put_number(out, "topP", request->top_p);
    put_number(out, "presencePenalty", request->presence_penalty);
    put_number(out, "frequencyPenalty", request->frequency_penalty);
    if (request->seed >= 0) json_put_i64(out, "seed", request->seed);
}

static void put_config(const struct llm_asking *asking, struct json_out *out)
{
    const struct llm_request *request = asking->request;
    enum llm_format format = llm_format_left(asking);
    json_open(out, "generationConfig", '{');
    put_sampling(asking, out);
    if (request->max_tokens > 0) json_put_i64(out, "maxOutputTokens", request->max_tokens);
    if (request->stop_count > 0) {
        json_open(out, "stopSequences", '[');
        for (size_t i = 0; i < request->stop_count; i++) json_put_str(out, NULL, request->stops[i]);
        json_close(out, ']');
    }
    if (format != LLM_FORMAT_TEXT) json_put_str(out, "responseMimeType", STR("application/json"));
    if (format == LLM_FORMAT_SCHEMA) json_put_raw(out, "responseJsonSchema", request->schema);
    put_thinking(asking, out);
    json_close(out, '}');
}

static enum err put_offered(void *ctx, const struct llm_offered *offered, struct why *why)
{
    struct json_out *out = ctx;
    (void)why;
    json_open(out, NULL, '{');
    json_put_str(out, "name", offered->name);
    json_put_str(out, "description", offered->description);
    /* `parameters` would be a dialect that refuses words of JSON Schema. */
    if (offered->parameters) json_put_tree(out, "parametersJsonSchema", offered->parameters);
    json_close(out, '}');
    return OK;
}

static enum err put_tools(const struct llm_asking *asking, struct arena *arena,
                          struct json_out *out, struct why *why)
{
    static const char *const modes[] = {[LLM_MUST_NOT] = "NONE",
                                        [LLM_MUST_MAY] = "AUTO",
                                        [LLM_MUST_ANY] = "ANY",
                                        [LLM_MUST_NAMED] = "ANY"};
    if (asking->request->tools.len == 0) return OK;
    json_open(out, "tools", '[');
    json_open(out, NULL, '{');
    json_open(out, "functionDeclarations", '[');
    enum err err = llm_read_offered(asking->request->tools, put_offered, out, why);
    json_close(out, ']');
    json_close(out, '}');
    json_close(out, ']');
    enum llm_must must = LLM_MUST_UNSAID;
    struct str name;
    if (!err) err = llm_read_must(arena, asking->request->tool_choice, &must, &name, why);
    if (err || must == LLM_MUST_UNSAID) return err;
    json_open(out, "toolConfig", '{');
    json_open(out, "functionCallingConfig", '{');
    json_put_str(out, "mode", str_of(modes[must]));
    if (must == LLM_MUST_NAMED) {
        json_open(out, "allowedFunctionNames", '[');
        json_put_str(out, NULL, name);
        json_close(out, ']');
    }
    json_close(out, '}');
    json_close(out, '}');
    return OK;
}

static struct str bare(struct str model)
{
    return str_starts(model, STR("models/")) ? str_from(model, 7) : model;
}

static void write_headers(const struct llm_site *site, struct str key, struct llm_wire *wire)
{
    if (key.len > 0) llm_wire_header(wire, "x-goog-api-key", key);
    llm_wire_site_headers(wire, site);
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    llm_wire_url(wire, asking->site,
                 asking->request->whole ? "/models/{}:generateContent"
                                        : "/models/{}:streamGenerateContent?alt=sse",
                 bare(asking->model));
    write_headers(asking->site, asking->key, wire);
    struct llm_asking named = *asking;
    named.model = bare(asking->model);
    bool only_system = llm_only_system(asking);
    struct json_out out = json_begin(&wire->body);
    struct writer writer = {.out = &out, .arena = wire->arena, .asking = &named};
    json_open(&out, NULL, '{');
    enum err err = only_system ? OK : put_system(asking, &out, why);
    if (!err) err = put_contents(&writer, only_system, why);
    if (!err) put_config(&named, &out);
    if (!err) err = put_tools(asking, wire->arena, &out, why);
    json_close(&out, '}');
    return err ? err : llm_keep_format(&named, why);
}

/* --- answers --- */

static enum llm_finish finish_of(struct llm_reader *reader, struct str reason)
{
    static const char *const filters[] = {"SAFETY",     "RECITATION", "BLOCKLIST",
                                          "PROHIBITED", "SPII",       "IMAGE_"};
    if (str_eq(reason, STR("STOP"))) {
        return reader->said_tool ? LLM_FINISH_TOOL : LLM_FINISH_STOP;
    }
    if (str_eq(reason, STR("MAX_TOKENS"))) return LLM_FINISH_LENGTH;
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        if (str_starts(reason, str_of(filters[i]))) return LLM_FINISH_FILTER;
    }
    return LLM_FINISH_NONE;
}

static void read_finish(struct llm_reader *reader, const struct json *candidate)
{
    struct str reason = llm_json_text(candidate, "finishReason");
    if (reason.len == 0) return;
    enum llm_finish finish = finish_of(reader, reason);
    if (finish != LLM_FINISH_NONE) {
        llm_read_finish(reader, finish);
        return;
    }
    /* OTHER, LANGUAGE, MALFORMED_FUNCTION_CALL …: it broke; the same may go well next time. */
    char word[64], text[128];
    str_copy(word, sizeof(word), reason);
    snprintf(text, sizeof(text), "the answer stopped for the reason %s", word);
    llm_read_fault(reader, LLM_FAULT_SERVER, text);
}

static void read_called(struct llm_reader *reader, const struct json *part)
{
    const struct json *call = json_get(part, "functionCall");
    struct str signature = llm_json_text(part, "thoughtSignature");
    struct str id = llm_json_text(call, "id");
    struct buf signed_id;
    buf_init(&signed_id, LLM_LINE_MAX);
    if (signature.len > 0) {
        if (id.len == 0) buf_printf(&signed_id, LLM_OWN_ID "%d", reader->tools.count);
        buf_add_str(&signed_id, id);
        buf_add_byte(&signed_id, '~');
        buf_add_str(&signed_id, signature);
        id = buf_str(&signed_id);
    }
    llm_read_call(reader, reader->tools.count, id, llm_json_text(call, "name"),
                  json_get(call, "args"));
    buf_release(&signed_id);
}

static void read_part(struct llm_reader *reader, const struct json *part)
{
    bool thought = false;
    struct str text = llm_json_text(part, "text");
    if (json_as_bool(json_get(part, "thought"), &thought) && thought) {
        llm_read_reasoning(reader, text);
    } else {
        llm_read_text(reader, text);
    }
    if (json_get(part, "functionCall")) read_called(reader, part);
}

static void read_usage(struct llm_reader *reader, const struct json *usage)
{
    int64_t answer = llm_json_count(usage, "candidatesTokenCount");
    int64_t thoughts = llm_json_count(usage, "thoughtsTokenCount");
    int64_t output = answer < 0 && thoughts < 0 ? -1 : MAX(answer, 0) + MAX(thoughts, 0);
    llm_read_usage(reader, llm_json_count(usage, "promptTokenCount"), output,
                   llm_json_count(usage, "cachedContentTokenCount"), thoughts);
}

static void read_answer(struct llm_reader *reader, const struct json *data)
{
    llm_read_open(reader, llm_json_text(data, "modelVersion"));
    const struct json *candidate = json_first(json_get(data, "candidates"));
    const struct json *part = json_first(json_get(json_get(candidate, "content"), "parts"));
    for (; part; part = json_after(part)) read_part(reader, part);
    read_usage(reader, json_get(data, "usageMetadata"));
    if (llm_json_text(json_get(data, "promptFeedback"), "blockReason").len > 0) {
        llm_read_finish(reader, LLM_FINISH_FILTER);
    }
    read_finish(reader, candidate);
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
    llm_wire_url(wire, asking->site, "/models?pageSize=1000", STR(""));
    write_headers(asking->site, asking->key, wire);
    return OK;
}

/* Those that talk or embed: others make pictures or films. */
static bool is_ours(const struct json *model)
{
    const struct json *method = json_first(json_get(model, "supportedGenerationMethods"));
    for (; method; method = json_after(method)) {
        struct str name;
        if (!json_as_str(method, &name)) continue;
        if (str_eq(name, STR("generateContent")) || str_eq(name, STR("embedContent"))) return true;
    }
    return false;
}

static void read_models(const struct json *body, llm_each_model *each, void *ctx)
{
    const struct json *model = json_first(json_get(body, "models"));
    for (; model; model = json_after(model)) {
        struct str id = bare(llm_json_text(model, "name"));
        if (id.len > 0 && is_ours(model)) each(ctx, id, llm_json_count(model, "inputTokenLimit"));
    }
}

static void put_text_to_embed(struct json_out *out, const struct llm_embedding_asking *asking,
                              struct arena *arena, struct str text)
{
    json_open(out, NULL, '{');
    json_put_str(out, "model", arena_printf(arena, "models/%.*s", STR_ARGS(bare(asking->model))));
    json_open(out, "content", '{');
    json_open(out, "parts", '[');
    json_open(out, NULL, '{');
    json_put_str(out, "text", text);
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
    json_put_str(out, "taskType",
                 asking->query ? STR("RETRIEVAL_QUERY") : STR("RETRIEVAL_DOCUMENT"));
    if (asking->dimensions > 0) json_put_i64(out, "outputDimensionality", asking->dimensions);
    json_close(out, '}');
}

static enum err write_embedding(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why)
{
    (void)why;
    llm_wire_url(wire, asking->site, "/models/{}:batchEmbedContents", bare(asking->model));
    write_headers(asking->site, asking->key, wire);
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_open(&out, "requests", '[');
    for (size_t i = 0; i < asking->count; i++) {
        put_text_to_embed(&out, asking, wire->arena, asking->texts[i]);
    }
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

struct unit {
    llm_each_vector *each;
    void *ctx;
};

/* Vectors of fewer dimensions than the model's own come as they were cut. */
static void pass_unit(void *ctx, size_t index, const float *values, size_t count)
{
    const struct unit *unit = ctx;
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += (double)values[i] * values[i];
    float *scaled = mem_copy(values, count * sizeof(*values));
    double length = sqrt(squares);
    for (size_t i = 0; i < count && length > 0; i++) scaled[i] = (float)(values[i] / length);
    unit->each(unit->ctx, index, scaled, count);
    mem_free(scaled);
}

static enum err read_embedding(const struct json *body, size_t count, llm_each_vector *each,
                               void *ctx, struct llm_usage *usage, struct why *why)
{
    (void)usage; /* Gemini does not say */
    struct unit unit = {each, ctx};
    return llm_read_vectors(json_get(body, "embeddings"), "values", count, pass_unit, &unit, why);
}

const struct llm_provider llm_provider_google = {
    .name = "google",
    .base = "https://generativelanguage.googleapis.com/v1beta",
    .framing = LLM_FRAMING_SSE,
    .embed_max = 100,
    .write_chat = write_chat,
    .read_event = read_event,
    .read_whole = read_answer,
    .write_models = write_models,
    .read_models = read_models,
    .write_embedding = write_embedding,
    .read_embedding = read_embedding,
};
