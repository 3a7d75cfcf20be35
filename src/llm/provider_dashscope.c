/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_dashscope.c: Alibaba's DashScope (Qwen) in its native form.
 *
 * An event has either what is new (incremental_output, which we ask for) or,
 * on servers and models that know nothing else, all that was said so far. One
 * piece does not tell: "ha", "haha" may be either. So a piece that begins with
 * all before it is held back until the next one: if each of three begins with
 * the one before, longer each time, and they are not one thing again and again
 * ("哈", "哈哈", "哈哈哈"), the answer is accumulated, for no text repeats its
 * beginning so. With the last event of an answer two are enough. Any other
 * piece shows that they are increments, and what was held goes on as it came.
 * Nearly every answer is decided by its second piece, with nothing held.
 *
 * What stays wrong: an accumulated answer of one thing again and again, tool
 * calls before any text, and increments that are the beginning of the answer
 * over and over. Where the operator says so (LLM_QUIRK_CUMULATIVE) nothing is guessed.
 * Of accumulated text only the suffix goes on; one that does not begin with
 * what went on already cannot be told any more and ends the answer.
 *
 * The compatible form (/compatible-mode/v1) is a site of "openai".
 */
#include "llm/convert.h"
#include "llm/reader.h"

/* --- requests --- */

/* Models that see live at a path of their own, where content is a list. */
static bool is_multimodal(const struct llm_asking *asking)
{
    struct str model = asking->model;
    return llm_has_pictures(asking) || str_find(model, STR("-vl")) < model.len ||
           str_starts(model, STR("qvq"));
}

/* Some models think in streams only; the reader takes a stream for a whole answer too. */
static bool is_streamed(const struct llm_asking *asking)
{
    return !asking->request->whole || asking->request->thinking == LLM_THINKING_ON;
}

static enum err put_part(void *ctx, const struct llm_part *part, struct why *why)
{
    struct json_out *out = ctx;
    (void)why;
    json_open(out, NULL, '{');
    if (part->data.len > 0) {
        struct buf url;
        buf_init(&url, LLM_BODY_MAX);
        buf_printf(&url, "data:%.*s;base64,", STR_ARGS(part->type));
        buf_add_str(&url, part->data);
        json_put_str(out, "image", buf_str(&url));
        buf_release(&url);
    } else if (part->url.len > 0) {
        json_put_str(out, "image", part->url);
    } else {
        json_put_str(out, "text", part->text);
    }
    json_close(out, '}');
    return OK;
}

static enum err put_content_list(struct json_out *out, const struct llm_message *message,
                                 struct why *why)
{
    static const char *const roles[] = {[LLM_SYSTEM] = "system",
                                        [LLM_USER] = "user",
                                        [LLM_ASSISTANT] = "assistant",
                                        [LLM_TOOL] = "tool"};
    json_open(out, NULL, '{');
    json_put_str(out, "role", str_of(roles[message->role]));
    json_open(out, "content", '[');
    enum err err = llm_read_parts(message, put_part, out, why);
    json_close(out, ']');
    if (message->tool_calls.len > 0) json_put_raw(out, "tool_calls", message->tool_calls);
    if (message->tool_call_id.len > 0) json_put_str(out, "tool_call_id", message->tool_call_id);
    json_close(out, '}');
    return err;
}

static enum err put_messages(struct json_out *out, const struct llm_asking *asking, struct why *why)
{
    bool list = is_multimodal(asking), only_system = llm_only_system(asking);
    enum err err = OK;
    json_open(out, "messages", '[');
    for (size_t i = 0; i < asking->message_count && !err; i++) {
        struct llm_message plain = asking->messages[i];
        struct buf text;
        if (only_system) plain.role = LLM_USER; /* it wants one from the user */
        if (list) {
            err = put_content_list(out, &plain, why);
            continue;
        }
        buf_init(&text, LLM_BODY_MAX);
        err = llm_join_text(&plain, &text, why);
        plain.parts = plain.name = plain.reasoning = (struct str){0};
        plain.text = buf_str(&text);
        if (!err) llm_openai_put_message(out, &plain);
        buf_release(&text);
    }
    json_close(out, ']');
    return err;
}

/* Both ends of the ranges are refused. */
static double between(double value, double least, double most)
{
    return MIN(MAX(value, least), most);
}

static void put_sampling(struct json_out *out, const struct llm_asking *asking)
{
    const struct llm_request *request = asking->request;
    if (asking->quirks & LLM_QUIRK_NO_SAMPLING) return;
    if (request->temperature > LLM_UNSET) {
        json_put_double(out, "temperature", between(request->temperature, 0, 1.99));
    }
    if (request->top_p > LLM_UNSET) {
        json_put_double(out, "top_p", between(request->top_p, 0.0001, 0.9999));
    }
    if (request->presence_penalty > LLM_UNSET) {
        json_put_double(out, "presence_penalty", request->presence_penalty);
    }
    if (request->seed >= 0) json_put_i64(out, "seed", request->seed);
}

/* Open models that think by themselves refuse to do so in an answer that is not streamed. */
static void put_thinking(struct json_out *out, const struct llm_asking *asking)
{
    enum llm_thinking wish = asking->request->thinking;
    if (asking->quirks & LLM_QUIRK_NO_THINKING) return;
    if (wish == LLM_THINKING_ON) json_put_bool(out, "enable_thinking", true);
    if (wish == LLM_THINKING_OFF || !is_streamed(asking)) {
        json_put_bool(out, "enable_thinking", false);
    }
}

static void put_parameters(struct json_out *out, const struct llm_asking *asking)
{
    const struct llm_request *request = asking->request;
    json_open(out, "parameters", '{');
    json_put_str(out, "result_format", STR("message"));
    if (is_streamed(asking) && !(asking->quirks & LLM_QUIRK_CUMULATIVE)) {
        json_put_bool(out, "incremental_output", true);
    }
    put_sampling(out, asking);
    if (request->max_tokens > 0) json_put_i64(out, "max_tokens", request->max_tokens);
    if (request->stop_count > 0) {
        json_open(out, "stop", '[');
        for (size_t i = 0; i < request->stop_count; i++) json_put_str(out, NULL, request->stops[i]);
        json_close(out, ']');
    }
    put_thinking(out, asking);
    llm_openai_put_format(out, asking);
    if (request->tools.len > 0) json_put_raw(out, "tools", request->tools);
    if (request->tool_choice.len > 0) json_put_raw(out, "tool_choice", request->tool_choice);
    json_close(out, '}');
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    llm_wire_url(wire, asking->site,
                 is_multimodal(asking) ? "/api/v1/services/aigc/multimodal-generation/generation"
                                       : "/api/v1/services/aigc/text-generation/generation",
                 STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    if (is_streamed(asking)) llm_wire_header(wire, "X-DashScope-SSE", STR("enable"));
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "input", '{');
    enum err err = put_messages(&out, asking, why);
    json_close(&out, '}');
    put_parameters(&out, asking);
    json_close(&out, '}');
    return err ? err : llm_keep_format(asking, why);
}

/* --- answers --- */

/* Text, or a list of objects with text (models that see). */
static void join_content(const struct json *content, struct buf *text)
{
    struct str words;
    if (json_as_str(content, &words)) {
        buf_add_str(text, words);
        return;
    }
    const struct json *part = json_first(content);
    for (; part; part = json_after(part)) buf_add_str(text, llm_json_text(part, "text"));
}

typedef void pass_piece(struct llm_reader *reader, struct str piece);

/* What is new of text that holds all so far; false: it was written anew. */
static bool take_suffix(struct buf *passed, struct str text, struct str *new_out)
{
    *new_out = (struct str){0};
    if (text.len == 0) return true; /* an event about something else */
    if (!str_starts(text, buf_str(passed))) return false;
    *new_out = str_from(text, passed->len);
    buf_add_str(passed, *new_out);
    return true;
}

static void read_accumulated(struct llm_reader *reader, struct llm_so_far *so_far, struct str text,
                             pass_piece *pass)
{
    struct str piece;
    if (take_suffix(&so_far->passed, text, &piece)) {
        pass(reader, piece);
    } else {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL,
                       "the answer was written anew while it was being told");
    }
}

static struct str last_of(const struct llm_so_far *so_far)
{
    return so_far->held.len ? str_from(buf_str(&so_far->held), so_far->last_at)
                            : buf_str(&so_far->passed);
}

static void let_go(struct llm_reader *reader, struct llm_so_far *so_far, pass_piece *pass)
{
    if (so_far->held.len == 0) return;
    if (reader->incremental) {
        pass(reader, buf_str(&so_far->held));
    } else {
        read_accumulated(reader, so_far, last_of(so_far), pass);
    }
    buf_reset(&so_far->held, LLM_TEXT_MAX);
}

static void settle(struct llm_reader *reader, bool accumulated)
{
    reader->incremental = !accumulated;
    if (accumulated) reader->quirks |= LLM_QUIRK_CUMULATIVE;
    let_go(reader, &reader->thought_so_far, llm_read_reasoning);
    let_go(reader, &reader->so_far, llm_read_text);
}

static bool is_settled(const struct llm_reader *reader)
{
    return reader->incremental || (reader->quirks & LLM_QUIRK_CUMULATIVE);
}

/* Is it `one`, again and again? */
static bool repeats(struct str text, struct str one)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != one.at[i % one.len]) return false;
    }
    return true;
}

/* Have pieces grown out of the first, and not by its repetition? */
static bool has_grown(const struct llm_so_far *so_far, int times)
{
    return so_far->growths >= times && !repeats(last_of(so_far), buf_str(&so_far->passed));
}

/* The very same again is what an accumulated answer of one piece ends with; of a word or two it
 * may be a repetition. */
static bool is_said_again(const struct llm_so_far *so_far)
{
    enum { TOO_LONG_TO_REPEAT = 16 };
    return so_far->held.len > 0 && so_far->passed.len >= TOO_LONG_TO_REPEAT;
}

static void read_undecided(struct llm_reader *reader, struct llm_so_far *so_far, struct str text,
                           bool over, pass_piece *pass)
{
    if (text.len == 0) return;
    if (so_far->passed.len == 0) {
        buf_add_str(&so_far->passed, text);
        pass(reader, text);
        return;
    }
    struct str last = last_of(so_far);
    if (!str_starts(text, last) || so_far->held.len + text.len > LLM_TEXT_MAX) {
        settle(reader, false);
        pass(reader, text);
        return;
    }
    if (text.len > last.len) so_far->growths++;
    so_far->last_at = so_far->held.len;
    buf_add_str(&so_far->held, text);
    if (has_grown(so_far, over ? 1 : 2) || (over && is_said_again(so_far))) settle(reader, true);
}

static void read_said(struct llm_reader *reader, struct llm_so_far *so_far, struct str text,
                      bool over, pass_piece *pass)
{
    if (reader->quirks & LLM_QUIRK_CUMULATIVE) {
        read_accumulated(reader, so_far, text, pass);
    } else if (reader->incremental) {
        pass(reader, text);
    } else {
        read_undecided(reader, so_far, text, over, pass);
    }
}

/* The stream broke off. */
static void read_end(struct llm_reader *reader)
{
    if (is_settled(reader)) return;
    settle(reader, has_grown(&reader->so_far, 1) || has_grown(&reader->thought_so_far, 1));
}

/* While it runs the reason is the word "null". */
static bool is_over(struct str reason)
{
    return reason.len > 0 && !str_eq(reason, STR("null"));
}

static void read_message(struct llm_reader *reader, const struct json *message, bool over)
{
    struct buf text;
    buf_init(&text, LLM_EVENT_MAX);
    join_content(json_get(message, "reasoning_content"), &text);
    read_said(reader, &reader->thought_so_far, buf_str(&text), over, llm_read_reasoning);
    buf_reset(&text, LLM_EVENT_MAX);
    join_content(json_get(message, "content"), &text);
    read_said(reader, &reader->so_far, buf_str(&text), over, llm_read_text);
    buf_release(&text);
    if (over && !is_settled(reader)) settle(reader, false);
    /* Accumulated arguments are told once, when they are whole. */
    if (over || !(reader->quirks & LLM_QUIRK_CUMULATIVE)) llm_openai_read_calls(reader, message);
}

static void read_finish(struct llm_reader *reader, struct str reason)
{
    if (!is_over(reason)) return;
    enum llm_finish finish = llm_openai_finish(reason);
    if (finish == LLM_FINISH_STOP && reader->said_tool) finish = LLM_FINISH_TOOL;
    llm_read_finish(reader, finish);
}

static void read_usage(struct llm_reader *reader, const struct json *usage)
{
    llm_read_usage(reader, llm_json_count(usage, "input_tokens"),
                   llm_json_count(usage, "output_tokens"),
                   llm_json_count(json_get(usage, "prompt_tokens_details"), "cached_tokens"),
                   llm_json_count(json_get(usage, "output_tokens_details"), "reasoning_tokens"));
}

static void read_answer(struct llm_reader *reader, const struct json *data)
{
    const struct json *output = json_get(data, "output");
    if (output == NULL && json_get(data, "code")) { /* an error that is not named one */
        llm_read_trouble(reader, data);
        return;
    }
    llm_read_open(reader, STR(""));
    const struct json *choice = json_first(json_get(output, "choices"));
    struct str reason = llm_json_text(choice ? choice : output, "finish_reason");
    if (choice) {
        read_message(reader, json_get(choice, "message"), is_over(reason));
    } else { /* models that do not know result_format */
        read_said(reader, &reader->so_far, llm_json_text(output, "text"), is_over(reason),
                  llm_read_text);
        if (is_over(reason) && !is_settled(reader)) settle(reader, false);
    }
    read_usage(reader, json_get(data, "usage"));
    read_finish(reader, reason);
}

static void read_event(struct llm_reader *reader, struct str name, const struct json *data)
{
    (void)name;
    read_answer(reader, data);
}

/* --- models and embeddings --- */

/* The native form has no list; the compatible one lists the same models. */
static enum err write_models(const struct llm_asking *asking, struct llm_wire *wire,
                             struct why *why)
{
    (void)why;
    wire->method = "GET";
    llm_wire_url(wire, asking->site, "/compatible-mode/v1/models", STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    return OK;
}

static enum err write_embedding(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why)
{
    (void)why;
    llm_wire_url(wire, asking->site, "/api/v1/services/embeddings/text-embedding/text-embedding",
                 STR(""));
    llm_wire_bearer(wire, asking->site, asking->key);
    struct json_out out = json_begin(&wire->body);
    json_open(&out, NULL, '{');
    json_put_str(&out, "model", asking->model);
    json_open(&out, "input", '{');
    json_open(&out, "texts", '[');
    for (size_t i = 0; i < asking->count; i++) json_put_str(&out, NULL, asking->texts[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    json_open(&out, "parameters", '{');
    json_put_str(&out, "text_type", asking->query ? STR("query") : STR("document"));
    if (asking->dimensions > 0) json_put_i64(&out, "dimension", asking->dimensions);
    json_close(&out, '}');
    json_close(&out, '}');
    return OK;
}

static enum err read_embedding(const struct json *body, size_t count, llm_each_vector *each,
                               void *ctx, struct llm_usage *usage, struct why *why)
{
    usage->input = llm_json_count(json_get(body, "usage"), "total_tokens");
    const struct json *list = json_get(json_get(body, "output"), "embeddings");
    return llm_read_vectors(list, "embedding", count, each, ctx, why);
}

const struct llm_provider llm_provider_dashscope = {
    .name = "dashscope",
    .base = "https://dashscope.aliyuncs.com",
    .framing = LLM_FRAMING_SSE,
    .embed_max = 10,
    .write_chat = write_chat,
    .read_event = read_event,
    .read_whole = read_answer,
    .read_end = read_end,
    .write_models = write_models,
    .read_models = llm_openai_read_models,
    .write_embedding = write_embedding,
    .read_embedding = read_embedding,
};
