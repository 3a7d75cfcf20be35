/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/convert.h"

#include "llm/reader.h"

/* --- content --- */

/* "data:image/png;base64,…" */
static enum err read_data_url(struct str url, struct llm_part *part, struct why *why)
{
    size_t comma = str_find_byte(url, ',');
    struct str head = str_from(str_head(url, comma), 5);
    size_t mark = str_find(head, STR(";base64"));
    if (comma == url.len || mark == head.len || mark == 0) {
        return why_set(why, ERR_INVALID,
                       "a picture's data: URL must be data:TYPE;base64,DATA, like "
                       "data:image/png;base64,iVBORw0…");
    }
    part->type = str_head(head, mark);
    part->data = str_from(url, comma + 1);
    return OK;
}

static enum err read_picture(const struct json *item, struct llm_part *part, struct why *why)
{
    const struct json *picture = json_get(item, "image_url");
    struct str url = llm_json_text(picture, "url");
    if (url.len == 0) url = llm_json_text(item, "image_url");
    if (str_starts(url, STR("data:"))) return read_data_url(url, part, why);
    if (url.len == 0) return why_set(why, ERR_INVALID, "a picture of a message has no image_url");
    part->url = url;
    return OK;
}

static enum err read_part(const struct json *item, struct llm_part *part, struct why *why)
{
    struct str type = llm_json_text(item, "type");
    *part = (struct llm_part){0};
    if (str_eq(type, STR("image_url"))) return read_picture(item, part, why);
    if (!str_eq(type, STR("text"))) {
        char word[40];
        str_copy(word, sizeof(word), type);
        return why_set(why, ERR_INVALID,
                       "a message has a part of type \"%s\"; there are text and image_url", word);
    }
    part->text = llm_json_text(item, "text");
    return OK;
}

enum err llm_read_parts(const struct llm_message *message, llm_each_part *each, void *ctx,
                        struct why *why)
{
    if (message->parts.len == 0) {
        struct llm_part part = {.text = message->text};
        return message->text.len > 0 ? each(ctx, &part, why) : OK;
    }
    struct json *tree;
    enum err err = json_parse(message->parts, &tree, NULL, why);
    if (err) return why_set(why, ERR_INVALID, "the parts of a message are no JSON");
    for (const struct json *item = json_first(tree); item && !err; item = json_after(item)) {
        struct llm_part part;
        err = read_part(item, &part, why);
        if (!err && part.text.len + part.data.len + part.url.len > 0) err = each(ctx, &part, why);
    }
    json_free(tree);
    return err;
}

static enum err join_part(void *ctx, const struct llm_part *part, struct why *why)
{
    struct buf *text = ctx;
    if (part->text.len == 0) {
        return why_set(why, ERR_INVALID,
                       "pictures can stand in messages of the user only, not in the system's "
                       "or a tool's");
    }
    buf_add_str(text, part->text);
    return OK;
}

enum err llm_join_text(const struct llm_message *message, struct buf *text, struct why *why)
{
    return llm_read_parts(message, join_part, text, why);
}

bool llm_has_pictures(const struct llm_asking *asking)
{
    for (size_t i = 0; i < asking->message_count; i++) {
        struct str parts = asking->messages[i].parts;
        if (str_find(parts, STR("\"image_url\"")) < parts.len) return true;
    }
    return false;
}

/* --- calls --- */

/* `arguments` of OpenAI's form is a string that holds JSON; nothing stands for no arguments. */
static enum err read_arguments(const struct json *function, struct buf *text,
                               struct llm_called *called, struct why *why)
{
    struct json *tree = NULL;
    const struct json *arguments = json_get(function, "arguments");
    called->arguments = llm_json_text(function, "arguments");
    if (arguments && json_kind(arguments) == JSON_OBJECT) {
        struct json_out out = json_begin(text);
        json_put_tree(&out, NULL, arguments);
        called->arguments = buf_str(text);
    }
    if (str_trim(called->arguments).len == 0) called->arguments = STR("{}");
    enum err err = json_parse(called->arguments, &tree, NULL, why);
    bool object = !err && json_kind(tree) == JSON_OBJECT;
    json_free(tree);
    if (object) return OK;
    return why_set(why, ERR_INVALID, "the arguments of a tool call are no JSON object");
}

static enum err read_called(const struct json *item, llm_each_called *each, void *ctx,
                            struct why *why)
{
    const struct json *function = json_get(item, "function");
    struct llm_called called = {.id = llm_json_text(item, "id"),
                                .name = llm_json_text(function, "name")};
    struct buf text;
    buf_init(&text, LLM_BODY_MAX);
    enum err err = read_arguments(function, &text, &called, why);
    if (!err && called.name.len == 0) {
        err = why_set(why, ERR_INVALID, "a tool call of a message has no function.name");
    }
    if (!err) err = each(ctx, &called, why);
    buf_release(&text);
    return err;
}

enum err llm_read_called(const struct llm_message *message, llm_each_called *each, void *ctx,
                         struct why *why)
{
    if (message->tool_calls.len == 0) return OK;
    struct json *tree;
    enum err err = json_parse(message->tool_calls, &tree, NULL, why);
    if (err) return why_set(why, ERR_INVALID, "the tool calls of a message are no JSON");
    for (const struct json *item = json_first(tree); item && !err; item = json_after(item)) {
        err = read_called(item, each, ctx, why);
    }
    json_free(tree);
    return err;
}

struct wanted {
    struct arena *arena;
    struct str id, name;
};

static enum err match_called(void *ctx, const struct llm_called *called, struct why *why)
{
    struct wanted *wanted = ctx;
    (void)why;
    if (str_eq(called->id, wanted->id)) wanted->name = arena_copy(wanted->arena, called->name);
    return OK;
}

enum err llm_called_name(struct arena *arena, const struct llm_asking *asking, size_t at,
                         struct str *name_out, struct why *why)
{
    struct wanted wanted = {arena, asking->messages[at].tool_call_id, {0}};
    while (at-- > 0 && wanted.name.len == 0) {
        enum err err = llm_read_called(&asking->messages[at], match_called, &wanted, why);
        if (err) return err;
    }
    *name_out = wanted.name;
    if (wanted.name.len > 0) return OK;
    return why_set(why, ERR_INVALID, "a tool message answers a call that no message before it has");
}

/* --- tools --- */

enum err llm_read_offered(struct str tools, llm_each_offered *each, void *ctx, struct why *why)
{
    if (tools.len == 0) return OK;
    struct json *tree;
    enum err err = json_parse(tools, &tree, NULL, why);
    if (err) return why_set(why, ERR_INVALID, "tools is no JSON");
    for (const struct json *item = json_first(tree); item && !err; item = json_after(item)) {
        const struct json *function = json_get(item, "function");
        struct llm_offered offered = {llm_json_text(function, "name"),
                                      llm_json_text(function, "description"),
                                      json_get(function, "parameters")};
        err = offered.name.len > 0 ? each(ctx, &offered, why)
                                   : why_set(why, ERR_INVALID,
                                             "a tool has no function.name; only functions can be "
                                             "offered");
    }
    json_free(tree);
    return err;
}

/* The function of {"type": "function", "function": {"name": …}}. */
static struct str named_tool(struct arena *arena, struct str tool_choice)
{
    struct json *tree;
    struct why why;
    if (json_parse(tool_choice, &tree, NULL, &why) != OK) return (struct str){0};
    struct str name = arena_copy(arena, llm_json_text(json_get(tree, "function"), "name"));
    json_free(tree);
    return name;
}

enum err llm_read_must(struct arena *arena, struct str tool_choice, enum llm_must *must_out,
                       struct str *name_out, struct why *why)
{
    static const struct {
        struct str word;
        enum llm_must must;
    } words[] = {{{"", 0}, LLM_MUST_UNSAID},
                 {{"\"none\"", 6}, LLM_MUST_NOT},
                 {{"\"auto\"", 6}, LLM_MUST_MAY},
                 {{"\"required\"", 10}, LLM_MUST_ANY}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!str_eq(str_trim(tool_choice), words[i].word)) continue;
        *must_out = words[i].must;
        return OK;
    }
    *must_out = LLM_MUST_NAMED;
    *name_out = named_tool(arena, tool_choice);
    if (name_out->len > 0) return OK;
    return why_set(why, ERR_INVALID,
                   "tool_choice must be \"none\", \"auto\", \"required\" or name a function");
}

/* --- the whole --- */

bool llm_only_system(const struct llm_asking *asking)
{
    for (size_t i = 0; i < asking->message_count; i++) {
        if (asking->messages[i].role != LLM_SYSTEM) return false;
    }
    return true;
}

enum llm_format llm_format_left(const struct llm_asking *asking)
{
    enum llm_format format = asking->request->format;
    if (asking->quirks & LLM_QUIRK_NO_JSON) return LLM_FORMAT_TEXT;
    bool schema = format == LLM_FORMAT_SCHEMA && !(asking->quirks & LLM_QUIRK_NO_SCHEMA);
    if (format == LLM_FORMAT_TEXT || schema) return format;
    return asking->quirks & LLM_QUIRK_NO_JSON_OBJECT ? LLM_FORMAT_TEXT : LLM_FORMAT_JSON;
}

enum err llm_keep_format(const struct llm_asking *asking, struct why *why)
{
    const struct llm_request *request = asking->request;
    if (!request->format_or_nothing || llm_format_left(asking) == request->format) return OK;
    return why_set(why, ERR_INVALID,
                   "%.*s has no response_format of type %s; leave it out or choose another model",
                   STR_ARGS(str_head(asking->model, 80)),
                   request->format == LLM_FORMAT_SCHEMA ? "json_schema" : "json_object");
}
