/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/reader.c: bytes of an answer in, pieces and one verdict out.
 *
 * The verdict, by what was seen when the body ended:
 *
 *   trouble (an error, a limit)             failed, or cut off when something was said
 *   a reason to stop                        by that reason, with or without the end marker
 *   the end marker, no reason, some text    cut off: truncated
 *   the end marker and nothing else         failed: empty
 *   neither, or the connection broke        cut off, or failed when nothing was said
 *
 * A reason to stop without a word before it is an empty answer.
 */
#include "llm/reader.h"

#include "base/map.h"
#include "base/utf8.h"
#include "llm/fault.h"

/* --- init and release --- */

static bool type_is(struct str type, struct str wanted)
{
    return str_eq_nocase(str_head(type, wanted.len), wanted);
}

/* A body of lines is read as such whatever it is called: a whole answer is one line of it. */
static enum llm_body body_kind(enum llm_framing framing, int status, struct str type, bool streamed)
{
    if (status >= 300) return LLM_BODY_ERROR;
    if (type_is(type, STR("text/html"))) return LLM_BODY_ERROR;
    bool one = type_is(type, STR("application/json")) && framing != LLM_FRAMING_NDJSON;
    return !streamed || one ? LLM_BODY_WHOLE : LLM_BODY_STREAM;
}

void llm_reader_init(struct llm_reader *reader, const struct llm_provider *provider,
                     unsigned quirks, int status, struct str type, bool streamed,
                     const struct llm_reader_events *events, void *ctx)
{
    *reader = (struct llm_reader){.provider = provider,
                                  .events = events,
                                  .ctx = ctx,
                                  .quirks = quirks,
                                  .status = status,
                                  .body = body_kind(provider->framing, status, type, streamed),
                                  .usage = {-1, -1, -1, -1, false},
                                  .trouble.retry_after_ms = -1};
    buf_init(&reader->so_far.passed, LLM_TEXT_MAX);
    buf_init(&reader->so_far.held, LLM_TEXT_MAX);
    buf_init(&reader->thought_so_far.passed, LLM_TEXT_MAX);
    buf_init(&reader->thought_so_far.held, LLM_TEXT_MAX);
    buf_init(&reader->gathered, reader->body == LLM_BODY_ERROR ? LLM_ERROR_BODY_MAX : LLM_BODY_MAX);
    buf_init(&reader->scratch, 3 * (size_t)LLM_BODY_MAX + 16);
    buf_init(&reader->scratch_halves, (size_t)LLM_BODY_MAX + 16);
    sse_init(&reader->sse, LLM_LINE_MAX, LLM_EVENT_MAX);
    ndjson_init(&reader->ndjson, LLM_LINE_MAX);
    think_init(&reader->think, (quirks & LLM_QUIRK_THINKS_INSIDE) != 0);
}

void llm_reader_release(struct llm_reader *reader)
{
    buf_release(&reader->so_far.passed);
    buf_release(&reader->so_far.held);
    buf_release(&reader->thought_so_far.passed);
    buf_release(&reader->thought_so_far.held);
    buf_release(&reader->gathered);
    buf_release(&reader->scratch);
    buf_release(&reader->scratch_halves);
    sse_release(&reader->sse);
    ndjson_release(&reader->ndjson);
}

/* --- what provider files say --- */

static bool is_deaf(const struct llm_reader *reader)
{
    return reader->stopped || reader->trouble.fault != LLM_FAULT_NONE;
}

void llm_read_fault(struct llm_reader *reader, enum llm_fault fault, const char *text)
{
    if (is_deaf(reader)) return;
    reader->trouble.fault = fault;
    str_copy(reader->trouble.text, sizeof(reader->trouble.text), str_of(text));
}

void llm_read_trouble(struct llm_reader *reader, const struct json *error)
{
    if (is_deaf(reader)) return;
    int status = reader->http_hint ? reader->http_hint : reader->status;
    reader->trouble = llm_fault_read(status >= 400 ? status : 0, error);
}

void llm_read_open(struct llm_reader *reader, struct str model)
{
    if (reader->opened || is_deaf(reader)) return;
    reader->opened = true;
    if (reader->events->open) reader->events->open(reader->ctx, model);
}

/* True when the answer may grow by so much. */
static bool take_room(struct llm_reader *reader, size_t bytes)
{
    reader->text_bytes += bytes;
    if (reader->text_bytes <= LLM_TEXT_MAX) return true;
    llm_read_fault(reader, LLM_FAULT_TRUNCATED, "the answer is longer than 4 MiB");
    str_copy(reader->trouble.code, sizeof(reader->trouble.code), STR(LLM_CODE_TOO_MUCH));
    return false;
}

static void pass_text(void *ctx, struct str piece)
{
    struct llm_reader *reader = ctx;
    if (is_deaf(reader)) return;
    llm_read_open(reader, STR("")); /* it came without a beginning */
    reader->said = reader->said_text = true;
    if (reader->events->text) reader->events->text(reader->ctx, piece);
}

static void pass_reasoning(void *ctx, struct str piece)
{
    struct llm_reader *reader = ctx;
    if (is_deaf(reader)) return;
    llm_read_open(reader, STR(""));
    reader->said = true;
    if (reader->events->reasoning) reader->events->reasoning(reader->ctx, piece);
}

/* Whole characters of a piece; false when there are none yet. */
static bool make_whole(struct llm_reader *reader, struct whole *whole, struct str piece,
                       struct str *text_out)
{
    struct why why;
    if (is_deaf(reader) || piece.len == 0 || !take_room(reader, piece.len)) return false;
    if (whole_feed(whole, piece, &reader->scratch, text_out, &why) != OK) {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL, why.text);
        return false;
    }
    return text_out->len > 0;
}

void llm_read_text(struct llm_reader *reader, struct str piece)
{
    struct str text;
    if (!make_whole(reader, &reader->whole_text, piece, &text)) return;
    struct think_events to = {pass_text, pass_reasoning, reader};
    think_feed(&reader->think, text, &to);
}

void llm_read_reasoning(struct llm_reader *reader, struct str piece)
{
    struct str text;
    if (make_whole(reader, &reader->whole_thought, piece, &text)) pass_reasoning(reader, text);
}

/* Servers repeat the name in every fragment, or have no ids. */
static void tell_tool(struct llm_reader *reader, struct llm_tool_piece piece)
{
    uint64_t bit = UINT64_C(1) << piece.index;
    char own[32];
    if (reader->tools.named & bit) {
        piece.id = piece.name = (struct str){0};
        if (piece.arguments.len == 0) return;
    } else if (piece.id.len == 0) {
        snprintf(own, sizeof(own), LLM_OWN_ID "%d", piece.index);
        piece.id = str_of(own);
    }
    reader->tools.named |= bit;
    llm_read_open(reader, STR(""));
    reader->said = reader->said_tool = true;
    if (reader->events->tool) reader->events->tool(reader->ctx, &piece);
}

void llm_read_tool(struct llm_reader *reader, const struct llm_tool_piece *piece)
{
    struct llm_tool_notes *tools = &reader->tools;
    size_t bytes = piece->id.len + piece->name.len + piece->arguments.len;
    if (is_deaf(reader) || bytes == 0 || !take_room(reader, bytes)) return;
    if (piece->index < 0 || piece->index >= LLM_TOOLS_MAX) {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL, "the answer has more than 64 tool calls");
        return;
    }
    tools->last = piece->index;
    tools->count = MAX(tools->count, piece->index + 1);
    if (piece->id.len > 0) tools->last_id = map_hash(piece->id);
    if (piece->name.len > 0) tools->last_name = map_hash(piece->name);
    tell_tool(reader, *piece);
}

void llm_read_call(struct llm_reader *reader, int index, struct str id, struct str name,
                   const struct json *arguments)
{
    struct llm_tool_piece piece = {index, id, name, {0}};
    struct buf text;
    buf_init(&text, LLM_TEXT_MAX);
    if (arguments && json_kind(arguments) == JSON_OBJECT) {
        struct json_out out = json_begin(&text);
        json_put_tree(&out, NULL, arguments);
        piece.arguments = buf_str(&text);
    } else if (arguments && !json_as_str(arguments, &piece.arguments)) {
        piece.arguments = (struct str){0};
    }
    if (text.failed) {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL, "the arguments of a tool call are too long");
    } else {
        llm_read_tool(reader, &piece);
    }
    buf_release(&text);
}

void llm_read_finish(struct llm_reader *reader, enum llm_finish finish)
{
    if (is_deaf(reader) || reader->finish == LLM_FINISH_FILTER) return;
    reader->finish = finish;
}

void llm_read_end(struct llm_reader *reader)
{
    reader->marked_end = true;
}

void llm_read_usage(struct llm_reader *reader, int64_t input, int64_t output, int64_t cached,
                    int64_t reasoning)
{
    if (reader->stopped) return;
    if (input >= 0) reader->usage.input = input;
    if (output >= 0) reader->usage.output = output;
    if (cached >= 0) reader->usage.cached = cached;
    if (reasoning >= 0) reader->usage.reasoning = reasoning;
}

int64_t llm_json_count(const struct json *object, const char *name)
{
    int64_t count;
    return json_as_i64(json_get(object, name), &count) && count >= 0 ? count : -1;
}

struct str llm_json_text(const struct json *object, const char *name)
{
    struct str text;
    return json_as_str(json_get(object, name), &text) ? text : (struct str){0};
}

/* --- bytes --- */

/* {"error": …}, or {"object": "error", …} of older vLLM. */
static bool is_error(const struct json *tree)
{
    const struct json *error = json_get(tree, "error");
    if (error && (json_kind(error) == JSON_OBJECT || json_kind(error) == JSON_STRING)) return true;
    return str_eq(llm_json_text(tree, "object"), STR("error"));
}

/* "\u0000" is JSON, and no text of ours may hold it (base/json.h): U+FFFD in its place. False:
 * there was none. */
static bool mend_nul(struct str text, struct buf *to)
{
    const struct str nul = STR("\\u0000");
    bool found = false;
    buf_add_str(to, text);
    for (size_t i = 0; i + nul.len <= to->len; i++) {
        if (to->at[i] != '\\') continue;
        if (memcmp(to->at + i, nul.at, nul.len) == 0) {
            memcpy(to->at + i, "\\ufffd", nul.len);
            found = true;
        }
        i++; /* what is escaped begins no escape */
    }
    return found;
}

static struct json *parse_mended(struct str text)
{
    struct json *tree = NULL;
    struct why why;
    struct buf mended;
    buf_init(&mended, text.len);
    if (!mend_nul(text, &mended) || json_parse(buf_str(&mended), &tree, NULL, &why) != OK) {
        tree = NULL;
    }
    buf_release(&mended);
    return tree;
}

/* The JSON of an event, a line or a body; NULL: not JSON. Free it. A server that cuts its model's
 * bytes inside a character costs that character, not the answer. */
static struct json *parse(struct llm_reader *reader, struct str text)
{
    struct json *tree = NULL;
    struct why why;
    struct whole mend = {0};
    struct buf *halves = &reader->scratch_halves;
    if (!utf8_valid(text) && whole_feed(&mend, text, &reader->scratch, &text, &why) != OK) {
        return NULL;
    }
    if (halves_join(&reader->halves, text, halves, &text, &why) != OK) return NULL;
    return json_parse(text, &tree, NULL, &why) == OK ? tree : parse_mended(text);
}

static void read_event(struct llm_reader *reader, struct str name, struct str data)
{
    if (is_deaf(reader) || data.len == 0) return;
    struct json *tree = parse(reader, data);
    if (tree == NULL) {
        /* Text of a server that broke in mid-line; but the end of the body may cut any line, and
         * says so itself. */
        bool object = data.at[0] == '{' || str_eq(name, STR("error"));
        if (object && !reader->ending) {
            llm_read_fault(reader, LLM_FAULT_PROTOCOL, "an event is no JSON");
        }
        return;
    }
    if (is_error(tree) || reader->body == LLM_BODY_ERROR) {
        llm_read_trouble(reader, tree);
    } else if (str_eq(name, STR("error"))) {
        llm_read_trouble(reader, tree);
        llm_read_fault(reader, LLM_FAULT_SERVER, "an error without a word");
    } else if (json_kind(tree) == JSON_OBJECT) {
        reader->provider->read_event(reader, name, tree);
    }
    json_free(tree);
}

static void on_sse_event(void *ctx, struct str name, struct str data)
{
    struct llm_reader *reader = ctx;
    if (str_starts(str_trim(data), STR("[DONE]"))) {
        llm_read_end(reader);
        sse_stop(&reader->sse);
    } else {
        read_event(reader, name, str_trim(data));
    }
    if (is_deaf(reader)) sse_stop(&reader->sse);
}

/* DashScope says the true status of an event in a comment: ":HTTP_STATUS/400". */
static void on_sse_comment(void *ctx, struct str text)
{
    struct llm_reader *reader = ctx;
    uint64_t status;
    if (str_starts(text, STR("HTTP_STATUS/")) && str_to_u64(str_from(text, 12), &status) &&
        status < 1000) {
        reader->http_hint = (int)status;
    }
}

static void on_line(void *ctx, struct str line)
{
    struct llm_reader *reader = ctx;
    if (line.at[0] != '{' && !reader->ending) {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL, "a line is no JSON object");
    }
    read_event(reader, STR(""), line);
    if (is_deaf(reader)) ndjson_stop(&reader->ndjson);
}

static struct sse_events sse_to(struct llm_reader *reader)
{
    return (struct sse_events){on_sse_event, on_sse_comment, reader};
}

static void feed_stream(struct llm_reader *reader, struct str bytes)
{
    struct why why;
    enum err err;
    if (reader->provider->framing == LLM_FRAMING_SSE) {
        struct sse_events to = sse_to(reader);
        err = sse_feed(&reader->sse, bytes, &to, &why);
    } else {
        struct ndjson_events to = {on_line, reader};
        err = ndjson_feed(&reader->ndjson, bytes, &to, &why);
    }
    if (err) llm_read_fault(reader, LLM_FAULT_PROTOCOL, why.text);
}

void llm_reader_feed(struct llm_reader *reader, struct str bytes)
{
    if (is_deaf(reader)) return;
    if (reader->body == LLM_BODY_STREAM) {
        feed_stream(reader, bytes);
        return;
    }
    buf_add_str(&reader->gathered, bytes);
    if (reader->gathered.failed && reader->body == LLM_BODY_WHOLE) {
        llm_read_fault(reader, LLM_FAULT_PROTOCOL, "the answer is longer than 64 MiB");
    }
}

void llm_reader_stop(struct llm_reader *reader)
{
    reader->stopped = true;
    sse_stop(&reader->sse);
    ndjson_stop(&reader->ndjson);
}

/* --- the end --- */

static void finish_stream(struct llm_reader *reader)
{
    struct why why;
    enum err err;
    if (reader->provider->framing == LLM_FRAMING_SSE) {
        struct sse_events to = sse_to(reader);
        err = sse_finish(&reader->sse, &to, &why);
    } else {
        struct ndjson_events to = {on_line, reader};
        err = ndjson_finish(&reader->ndjson, &to, &why);
    }
    if (err) llm_read_fault(reader, LLM_FAULT_PROTOCOL, why.text);
    struct str stray = sse_stray(&reader->sse);
    if (stray.len == 0 || is_deaf(reader)) return;
    struct json *tree = parse(reader, stray);
    if (tree) {
        llm_read_trouble(reader, tree);
    } else if (!reader->said && reader->finish == LLM_FINISH_NONE) {
        reader->trouble = llm_fault_read_text(reader->status, stray);
    }
    json_free(tree);
}

static bool looks_like_events(struct str body)
{
    return str_starts(body, STR("data:")) || str_starts(body, STR("event:")) ||
           str_starts(body, STR("id:")) || str_starts(body, STR(":"));
}

/* The JSON inside a body that is framed as events where none should be (DashScope's errors), or of
 * a server that streams though nobody asked. */
static void finish_framed(struct llm_reader *reader)
{
    struct why why;
    struct sse_events to = sse_to(reader);
    struct str body = buf_str(&reader->gathered);
    enum err err = sse_feed(&reader->sse, body, &to, &why);
    if (!err) err = sse_finish(&reader->sse, &to, &why);
    if (err) llm_read_fault(reader, LLM_FAULT_PROTOCOL, why.text);
    if (reader->body == LLM_BODY_ERROR) llm_read_trouble(reader, NULL);
}

static void finish_whole(struct llm_reader *reader, bool broken)
{
    struct str body = str_trim(buf_str(&reader->gathered)); /* DeepSeek waits in empty lines */
    if (looks_like_events(body)) {
        finish_framed(reader);
        return;
    }
    struct json *tree = parse(reader, body);
    if (reader->body == LLM_BODY_ERROR && tree) {
        llm_read_trouble(reader, tree);
        llm_read_fault(reader, LLM_FAULT_SERVER, "an error without a word");
    } else if (reader->body == LLM_BODY_ERROR) {
        reader->trouble = llm_fault_read_text(reader->status, body);
    } else if (tree == NULL && !broken) {
        llm_read_fault(reader, body.len ? LLM_FAULT_PROTOCOL : LLM_FAULT_EMPTY,
                       body.len ? "the answer is no JSON" : "the answer is empty");
    } else if (tree && (is_error(tree) || json_kind(tree) == JSON_ARRAY)) {
        llm_read_trouble(reader, tree);
    } else if (tree) {
        reader->provider->read_whole(reader, tree);
    }
    json_free(tree);
}

/* What was held back, when no more can come that would complete it. */
static void let_go(struct llm_reader *reader)
{
    if (is_deaf(reader)) return;
    struct think_events to = {pass_text, pass_reasoning, reader};
    struct str rest = whole_finish(&reader->whole_text);
    if (rest.len == 0 && halves_waits(&reader->halves)) rest = STR("\xef\xbf\xbd"); /* U+FFFD */
    if (rest.len > 0) think_feed(&reader->think, rest, &to);
    think_finish(&reader->think, &to);
    rest = whole_finish(&reader->whole_thought);
    if (rest.len > 0) pass_reasoning(reader, rest);
}

static void judge_finish(struct llm_reader *reader, struct llm_result *result)
{
    bool spoke = reader->said_text || reader->said_tool;
    switch (reader->finish) {
    case LLM_FINISH_STOP:
    case LLM_FINISH_TOOL:
        result->end = spoke ? LLM_COMPLETE : LLM_FAILED;
        result->fault = spoke ? LLM_FAULT_NONE : LLM_FAULT_EMPTY;
        break;
    case LLM_FINISH_LENGTH:
        result->end = LLM_CUT_OFF;
        result->fault = LLM_FAULT_NONE;
        break;
    case LLM_FINISH_FILTER:
        result->end = LLM_REFUSED;
        result->fault = LLM_FAULT_FILTER;
        break;
    case LLM_FINISH_NONE: ASSERT(false);
    }
}

static enum llm_fault missing_end(const struct llm_reader *reader, bool broken)
{
    if (broken) return LLM_FAULT_CONNECTION;
    return reader->marked_end && !reader->said ? LLM_FAULT_EMPTY : LLM_FAULT_TRUNCATED;
}

void llm_reader_verdict(struct llm_reader *reader, bool broken, struct llm_result *result)
{
    reader->ending = true;
    if (reader->body == LLM_BODY_STREAM) {
        finish_stream(reader);
    } else {
        finish_whole(reader, broken);
    }
    if (reader->provider->read_end) reader->provider->read_end(reader);
    let_go(reader);
    if (reader->stopped) return; /* what had not been read yet never will be */
    bool no_reason = reader->finish == LLM_FINISH_NONE;
    if (no_reason && !broken && reader->marked_end && reader->said &&
        (reader->quirks & LLM_QUIRK_NO_FINISH)) {
        reader->finish = LLM_FINISH_STOP;
        no_reason = false;
    }
    if (no_reason && reader->trouble.fault == LLM_FAULT_NONE) {
        llm_read_fault(reader, missing_end(reader, broken), "");
    }
    result->finish = reader->finish;
    result->usage = reader->usage;
    result->fault = reader->trouble.fault;
    result->retry_after_ms = reader->trouble.retry_after_ms;
    if (result->fault == LLM_FAULT_FILTER) {
        result->end = LLM_REFUSED;
    } else if (result->fault != LLM_FAULT_NONE) {
        result->end = reader->said ? LLM_CUT_OFF : LLM_FAILED;
    } else {
        judge_finish(reader, result);
    }
}
