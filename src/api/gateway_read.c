/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway_read.c: the body of POST /v1/chat/completions as a request to a
 * model. Every field has a row; one that would change the answer and that we
 * cannot pass on is refused by name, never dropped.
 */
#include "api/gateway_internal.h"
#include "api/input.h"
#include "llm/tokens.h"

enum {
    MESSAGES_MAX = 10000,
    NAME_BYTES = 64,
};

struct reading {
    struct call *call;
    struct chat_asked *asked;
    struct why *why;
};

typedef enum err read_value(struct reading *r, const char *name, const struct json *value);

/* --- small --- */

static enum err wrong(struct reading *r, const char *name, const char *sentence)
{
    return why_field(r->why, name, "invalid_value", "%s %s", name, sentence);
}

static enum err unsupported(struct reading *r, const char *name, const char *sentence)
{
    return why_field(r->why, name, "unsupported_parameter", "%s is not supported here: %s", name,
                     sentence);
}

static struct str written(struct reading *r, const struct json *value)
{
    struct buf buf;
    buf_init(&buf, LIMIT_GATEWAY_BYTES * 2);
    struct json_out out = json_begin(&buf);
    json_put_tree(&out, NULL, value);
    struct str text = arena_copy(r->call->arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

static bool is_null(const struct json *value)
{
    return value == NULL || json_kind(value) == JSON_NULL;
}

static enum err read_number(struct reading *r, const char *name, const struct json *value,
                            double min, double max, double *to)
{
    if (json_as_double(value, to) && *to >= min && *to <= max) return OK;
    return why_field(r->why, name, "invalid_value", "%s must be a number from %g to %g", name, min,
                     max);
}

/* --- messages --- */

/* "messages[3].content" */
static const char *place(struct reading *r, size_t index, const char *member)
{
    return arena_printf(r->call->arena, "messages[%zu]%s%s", index, member[0] ? "." : "", member)
        .at;
}

static bool read_role(struct str name, enum llm_role *role_out)
{
    static const struct {
        const char *name;
        enum llm_role role;
    } roles[] = {{"system", LLM_SYSTEM},
                 {"developer", LLM_SYSTEM},
                 {"user", LLM_USER},
                 {"assistant", LLM_ASSISTANT},
                 {"tool", LLM_TOOL}};
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        if (!str_eq(name, str_of(roles[i].name))) continue;
        *role_out = roles[i].role;
        return true;
    }
    return false;
}

/* Text parts become the text; with pictures the list goes on as it is. */
static enum err read_parts(struct reading *r, const char *where, const struct json *list,
                           struct llm_message *message)
{
    struct buf text;
    buf_init(&text, LIMIT_GATEWAY_BYTES);
    enum err err = OK;
    bool pictures = false;
    for (const struct json *at = json_first(list); at && !err; at = json_after(at)) {
        struct str type = {0}, piece;
        if (!json_as_str(json_get(at, "type"), &type)) {
            err = wrong(r, where, "must be a text or a list of parts with a type");
        } else if (str_eq(type, STR("text"))) {
            if (!json_as_str(json_get(at, "text"), &piece)) {
                err = wrong(r, where, "has a text part without text");
            } else {
                buf_add_str(&text, piece);
            }
        } else if (str_eq(type, STR("image_url")) && message->role == LLM_USER) {
            pictures = true;
            if (!json_as_str(json_get(json_get(at, "image_url"), "url"), &piece)) {
                err = wrong(r, where, "has a picture without image_url.url");
            }
        } else {
            err = unsupported(r, where, "parts are of type text, or image_url from the user");
        }
    }
    if (!err) message->text = text.len ? arena_copy(r->call->arena, buf_str(&text)) : STR("");
    if (!err && pictures) message->parts = written(r, list);
    buf_release(&text);
    return err;
}

static enum err read_content(struct reading *r, size_t index, const struct json *value,
                             struct llm_message *message)
{
    if (is_null(value) && message->tool_calls.len > 0) return OK;
    if (json_as_str(value, &message->text)) return OK;
    const char *where = place(r, index, "content");
    if (value && json_kind(value) == JSON_ARRAY) return read_parts(r, where, value, message);
    return wrong(r, where, "must be a text or a list of parts");
}

/* Members of a message that have no counterpart, and what of them does no harm. */
static enum err check_members(struct reading *r, size_t index, const struct json *object)
{
    /* What an answer of ours or of others had, and programs send back with it. */
    static const char *const known[] = {
        "role",      "content", "tool_calls", "tool_call_id", "reasoning_content",
        "reasoning", "parsed",  "name"};
    for (const struct json *at = json_first(object); at; at = json_after(at)) {
        bool fine = json_kind(at) == JSON_NULL;
        fine |= strcmp(json_name(at), "annotations") == 0 && json_first(at) == NULL;
        for (size_t i = 0; i < COUNT_OF(known) && !fine; i++) {
            fine = strcmp(json_name(at), known[i]) == 0;
        }
        if (fine) continue;
        const char *member = arena_copy(r->call->arena, str_head(str_of(json_name(at)), 60)).at;
        return unsupported(r, place(r, index, member), "leave it out");
    }
    return OK;
}

/* As OpenAI takes it; whoever sends one to a model elsewhere hears of a mistake all the same. What
 * a tool is called stands in its call. */
static enum err read_name(struct reading *r, size_t index, const struct json *value,
                          struct llm_message *message)
{
    struct str name;
    if (is_null(value)) return OK;
    bool fits = json_as_str(value, &name) && name.len > 0 && name.len <= NAME_BYTES;
    for (size_t i = 0; fits && i < name.len; i++) {
        fits = (unsigned char)name.at[i] > ' ' && !strchr("<|\\/>", name.at[i]);
    }
    if (!fits) {
        return wrong(r, place(r, index, "name"),
                     "must be 1 to 64 bytes without blanks and none of < | \\ / >");
    }
    if (message->role != LLM_TOOL) message->name = name;
    return OK;
}

/* What a model thought before it called tools, under the name it had in the answer. Behind other
 * messages nobody wants it. */
static void read_reasoning(const struct json *object, struct llm_message *message)
{
    if (message->tool_calls.len == 0) return;
    if (json_as_str(json_get(object, "reasoning_content"), &message->reasoning)) return;
    if (!json_as_str(json_get(object, "reasoning"), &message->reasoning)) {
        message->reasoning = (struct str){0};
    }
}

static enum err read_message(struct reading *r, size_t index, const struct json *object,
                             struct llm_message *message)
{
    struct str role = {0};
    if (json_kind(object) != JSON_OBJECT || !json_as_str(json_get(object, "role"), &role) ||
        !read_role(role, &message->role)) {
        return wrong(r, place(r, index, "role"),
                     "must be system, developer, user, assistant or tool");
    }
    enum err err = check_members(r, index, object);
    const struct json *calls = json_get(object, "tool_calls");
    if (!err && !is_null(calls)) {
        if (json_kind(calls) != JSON_ARRAY || message->role != LLM_ASSISTANT) {
            return wrong(r, place(r, index, "tool_calls"), "must be a list, of the assistant");
        }
        if (json_first(calls)) message->tool_calls = written(r, calls);
        read_reasoning(object, message);
    }
    const struct json *id = json_get(object, "tool_call_id");
    if (!err && message->role == LLM_TOOL && !json_as_str(id, &message->tool_call_id)) {
        return wrong(r, place(r, index, "tool_call_id"), "must say which call this answers");
    }
    if (!err) err = read_name(r, index, json_get(object, "name"), message);
    if (!err) err = read_content(r, index, json_get(object, "content"), message);
    return err;
}

static enum err read_messages(struct reading *r, const char *name, const struct json *value)
{
    size_t count = 0;
    if (json_kind(value) == JSON_ARRAY) {
        for (const struct json *at = json_first(value); at; at = json_after(at)) count++;
    }
    if (count == 0 || count > MESSAGES_MAX) return wrong(r, name, "must be a list of messages");
    struct llm_message *messages = ARENA_ARRAY(r->call->arena, struct llm_message, count);
    size_t index = 0;
    for (const struct json *at = json_first(value); at; at = json_after(at), index++) {
        enum err err = read_message(r, index, at, &messages[index]);
        if (err) return err;
    }
    r->asked->request.messages = messages;
    r->asked->request.message_count = count;
    return OK;
}

/* --- one reader a field --- */

static enum err read_model(struct reading *r, const char *name, const struct json *value)
{
    struct str *model = &r->asked->request.model;
    if (json_as_str(value, model) && model->len <= LIMIT_MODEL_BYTES) return OK;
    return wrong(r, name, "must be the name of a model, see GET /v1/models");
}

static enum err read_stream(struct reading *r, const char *name, const struct json *value)
{
    return json_as_bool(value, &r->asked->stream) ? OK : wrong(r, name, "must be true or false");
}

static enum err read_stream_options(struct reading *r, const char *name, const struct json *value)
{
    if (json_kind(value) != JSON_OBJECT) return wrong(r, name, "must be an object");
    for (const struct json *at = json_first(value); at; at = json_after(at)) {
        /* Padding against those who guess words by sizes: we never pad. */
        bool off = false, padding = strcmp(json_name(at), "include_obfuscation") == 0;
        if (padding && json_as_bool(at, &off) && !off) continue;
        if (strcmp(json_name(at), "include_usage") != 0) {
            return unsupported(r, name, "only include_usage may be in it");
        }
        if (!json_as_bool(at, &r->asked->include_usage)) {
            return wrong(r, name, "has an include_usage that is neither true nor false");
        }
    }
    return OK;
}

static enum err read_temperature(struct reading *r, const char *name, const struct json *value)
{
    return read_number(r, name, value, 0, 2, &r->asked->request.temperature);
}

static enum err read_top_p(struct reading *r, const char *name, const struct json *value)
{
    return read_number(r, name, value, 0, 1, &r->asked->request.top_p);
}

static enum err read_presence(struct reading *r, const char *name, const struct json *value)
{
    return read_number(r, name, value, -2, 2, &r->asked->request.presence_penalty);
}

static enum err read_frequency(struct reading *r, const char *name, const struct json *value)
{
    return read_number(r, name, value, -2, 2, &r->asked->request.frequency_penalty);
}

static enum err read_max_tokens(struct reading *r, const char *name, const struct json *value)
{
    int64_t *max = &r->asked->request.max_tokens;
    if (json_as_i64(value, max) && *max >= 1 && *max <= INT32_MAX) return OK;
    return wrong(r, name, "must be a whole number from 1");
}

static enum err read_seed(struct reading *r, const char *name, const struct json *value)
{
    int64_t *seed = &r->asked->request.seed;
    if (json_as_i64(value, seed) && *seed >= 0) return OK;
    return wrong(r, name, "must be a whole number from 0");
}

static enum err read_stop(struct reading *r, const char *name, const struct json *value)
{
    struct llm_request *request = &r->asked->request;
    if (json_as_str(value, &request->stops[0])) {
        request->stop_count = 1;
        return OK;
    }
    bool fits = json_kind(value) == JSON_ARRAY;
    for (const struct json *at = json_first(value); at && fits; at = json_after(at)) {
        fits = request->stop_count < LLM_STOPS_MAX &&
               json_as_str(at, &request->stops[request->stop_count]);
        request->stop_count++;
    }
    return fits ? OK : wrong(r, name, "must be a text or a list of up to four");
}

/* What stands beside the schema; what is null is not there. */
static enum err read_strict(struct reading *r, const char *name, const struct json *inner)
{
    struct llm_request *request = &r->asked->request;
    const struct json *strict = json_get(inner, "strict");
    const struct json *description = json_get(inner, "description");
    bool on = false;
    request->schema_strict = LLM_STRICT_DEFAULT;
    if (!is_null(strict)) {
        if (!json_as_bool(strict, &on)) {
            return wrong(r, name, "has a json_schema.strict that is neither true nor false");
        }
        request->schema_strict = on ? LLM_STRICT : LLM_STRICT_OFF;
    }
    if (is_null(description) || json_as_str(description, &request->schema_description)) return OK;
    return wrong(r, name, "has a json_schema.description that is no text");
}

static enum err read_format(struct reading *r, const char *name, const struct json *value)
{
    struct llm_request *request = &r->asked->request;
    struct str type = {0};
    if (!json_as_str(json_get(value, "type"), &type)) return wrong(r, name, "must have a type");
    request->format_or_nothing = true;
    if (str_eq(type, STR("text"))) return OK;
    if (str_eq(type, STR("json_object"))) {
        request->format = LLM_FORMAT_JSON;
        return OK;
    }
    const struct json *inner = json_get(value, "json_schema"), *schema = json_get(inner, "schema");
    if (!str_eq(type, STR("json_schema"))) {
        return unsupported(r, name, "its type is text, json_object or json_schema");
    }
    if (schema == NULL || json_kind(schema) != JSON_OBJECT ||
        !json_as_str(json_get(inner, "name"), &request->schema_name)) {
        return wrong(r, name, "must have json_schema.name and json_schema.schema");
    }
    request->format = LLM_FORMAT_SCHEMA;
    request->schema = written(r, schema);
    return read_strict(r, name, inner);
}

static enum err read_tools(struct reading *r, const char *name, const struct json *value)
{
    if (json_kind(value) != JSON_ARRAY) return wrong(r, name, "must be a list");
    for (const struct json *at = json_first(value); at; at = json_after(at)) {
        struct str type = {0}, function;
        if (!json_as_str(json_get(at, "type"), &type) || !str_eq(type, STR("function"))) {
            return unsupported(r, name, "tools are of type function");
        }
        if (!json_as_str(json_get(json_get(at, "function"), "name"), &function)) {
            return wrong(r, name, "has a function without a name");
        }
    }
    if (json_first(value) == NULL) return OK;
    r->asked->request.tools = written(r, value);
    return OK;
}

static enum err read_tool_choice(struct reading *r, const char *name, const struct json *value)
{
    struct str word = {0};
    bool known = json_as_str(value, &word)
                     ? str_eq(word, STR("auto")) || str_eq(word, STR("none")) ||
                           str_eq(word, STR("required"))
                     : json_get(value, "function") != NULL;
    if (!known) return unsupported(r, name, "auto, none, required or one function");
    r->asked->request.tool_choice = written(r, value);
    return OK;
}

static enum err read_effort(struct reading *r, const char *name, const struct json *value)
{
    struct str word = {0};
    if (!json_as_str(value, &word) || !str_eq(word, STR("none"))) {
        return unsupported(r, name, "only none, which switches thinking off");
    }
    r->asked->request.thinking = LLM_THINKING_OFF;
    return OK;
}

/* --- fields that may only say what is so anyway --- */

static enum err only_one(struct reading *r, const char *name, const struct json *value)
{
    int64_t number;
    if (json_as_i64(value, &number) && number == 1) return OK;
    return unsupported(r, name, "one answer a request; ask again for another");
}

static enum err only_false(struct reading *r, const char *name, const struct json *value)
{
    bool on;
    return json_as_bool(value, &on) && !on ? OK : unsupported(r, name, "leave it out");
}

static enum err only_true(struct reading *r, const char *name, const struct json *value)
{
    bool on = false;
    return json_as_bool(value, &on) && on ? OK : unsupported(r, name, "leave it out");
}

static enum err only_empty(struct reading *r, const char *name, const struct json *value)
{
    bool holder = json_kind(value) == JSON_OBJECT || json_kind(value) == JSON_ARRAY;
    return holder && json_first(value) == NULL ? OK : unsupported(r, name, "leave it out");
}

static enum err only_text(struct reading *r, const char *name, const struct json *value)
{
    struct str word = {0};
    const struct json *first = json_first(value);
    bool text = first && json_after(first) == NULL && json_as_str(first, &word);
    if (text && str_eq(word, STR("text"))) return OK;
    return unsupported(r, name, "answers are text");
}

static enum err only_usual(struct reading *r, const char *name, const struct json *value)
{
    struct str word = {0};
    bool usual =
        json_as_str(value, &word) && (str_eq(word, STR("auto")) || str_eq(word, STR("default")));
    return usual ? OK : unsupported(r, name, "auto or default");
}

/* A hint for the provider's own bookkeeping, which changes no answer. */
static enum err any_hint(struct reading *r, const char *name, const struct json *value)
{
    struct str word;
    return json_as_str(value, &word) ? OK : wrong(r, name, "must be a text");
}

static const struct {
    const char *name;
    read_value *read;
} fields[] = {
    {"model", read_model},
    {"messages", read_messages},
    {"stream", read_stream},
    {"stream_options", read_stream_options},
    {"temperature", read_temperature},
    {"top_p", read_top_p},
    {"presence_penalty", read_presence},
    {"frequency_penalty", read_frequency},
    {"max_tokens", read_max_tokens},
    {"max_completion_tokens", read_max_tokens},
    {"seed", read_seed},
    {"stop", read_stop},
    {"response_format", read_format},
    {"tools", read_tools},
    {"tool_choice", read_tool_choice},
    {"reasoning_effort", read_effort},
    {"parallel_tool_calls", only_true},
    {"n", only_one},
    {"logprobs", only_false},
    {"store", only_false},
    {"logit_bias", only_empty},
    {"metadata", only_empty},
    {"modalities", only_text},
    {"service_tier", only_usual},
    {"user", any_hint},
    {"safety_identifier", any_hint},
    {"prompt_cache_key", any_hint},
};

static enum err read_field(struct reading *r, const struct json *value)
{
    const char *name = json_name(value);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (strcmp(name, fields[i].name) != 0) continue;
        return json_kind(value) == JSON_NULL ? OK : fields[i].read(r, fields[i].name, value);
    }
    if (json_kind(value) == JSON_NULL) return OK;
    name = arena_copy(r->call->arena, str_head(str_of(name), 100)).at;
    return unsupported(r, name, "leave it out");
}

enum err gateway_read_chat(struct call *call, struct chat_asked *asked_out, struct why *why)
{
    *asked_out = (struct chat_asked){.request = llm_request_plain()};
    struct reading reading = {call, asked_out, why};
    enum err err = input_json(call, why);
    for (const struct json *at = json_first(call->body); at && !err; at = json_after(at)) {
        err = read_field(&reading, at);
    }
    if (err) return err;
    struct llm_request *request = &asked_out->request;
    asked_out->input_estimate =
        llm_input_estimate(request, request->messages, request->message_count);
    if (request->model.at == NULL) return wrong(&reading, "model", "is missing");
    if (request->messages == NULL) return wrong(&reading, "messages", "is missing");
    if (request->tool_choice.len > 0 && request->tools.len == 0) {
        return wrong(&reading, "tool_choice", "needs tools");
    }
    if (asked_out->include_usage && !asked_out->stream) {
        return wrong(&reading, "stream_options", "is for streams only");
    }
    request->class = LLM_PROGRAM;
    request->whole = !asked_out->stream;
    return OK;
}

/* --- the same request or another? --- */

struct str gateway_mark(struct arena *arena, const struct llm_request *request)
{
    struct buf buf;
    buf_init(&buf, LIMIT_GATEWAY_BYTES * 4);
    llm_request_mark(&buf, request);
    struct str mark = arena_copy(arena, buf_str(&buf));
    if (buf.failed) mark.len = 0;
    buf_release(&buf);
    return mark;
}
