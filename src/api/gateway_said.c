/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_said.c: OpenAI's forms of an answer: one object, or events of a stream. */
#include "api/gateway_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

enum { ARGUMENTS_MAX = 1024 * 1024 };

/* Drawn many at a time: a call of the kernel costs as much as reading a short question. */
static uint64_t new_id(void)
{
    static _Thread_local uint64_t drawn[32];
    static _Thread_local size_t left;
    if (left == 0) {
        random_bytes(drawn, sizeof(drawn));
        left = COUNT_OF(drawn);
    }
    return drawn[--left];
}

struct said *said_new(void)
{
    struct said *said = NEW(struct said);
    atomic_init(&said->refs, 1);
    snprintf(said->id, sizeof(said->id), "chatcmpl-%016llx", (unsigned long long)new_id());
    said->created_s = clock_wall_us() / 1000000;
    said->usage = (struct llm_usage){-1, -1, -1, -1, false};
    buf_init(&said->text, LIMIT_REPLY_BYTES / 4);
    buf_init(&said->reasoning, LIMIT_REPLY_BYTES / 4);
    return said;
}

struct said *said_ref(struct said *said)
{
    atomic_fetch_add(&said->refs, 1);
    return said;
}

void said_unref(struct said *said)
{
    if (said == NULL || atomic_fetch_sub(&said->refs, 1) > 1) return;
    buf_release(&said->text);
    buf_release(&said->reasoning);
    for (size_t i = 0; i < said->tool_count; i++) {
        buf_release(&said->tools[i].id);
        buf_release(&said->tools[i].name);
        buf_release(&said->tools[i].arguments);
    }
    mem_free(said->tools);
    mem_free(said);
}

size_t said_bytes(const struct said *said)
{
    ASSERT(said->tools != NULL || said->tool_count == 0);
    size_t bytes = sizeof(*said) + said->text.cap + said->reasoning.cap;
    if (said->tools) bytes += SAID_TOOLS_MAX * sizeof(*said->tools);
    for (size_t i = 0; i < said->tool_count; i++) {
        const struct said_tool *tool = &said->tools[i];
        bytes += tool->id.cap + tool->name.cap + tool->arguments.cap;
    }
    return bytes;
}

void said_add_tool(struct said *said, const struct llm_tool_piece *piece)
{
    if (piece->index < 0 || piece->index >= SAID_TOOLS_MAX) return;
    if (said->tools == NULL) said->tools = mem_alloc(SAID_TOOLS_MAX * sizeof(*said->tools));
    for (; said->tool_count <= (size_t)piece->index; said->tool_count++) {
        struct said_tool *tool = &said->tools[said->tool_count];
        buf_init(&tool->id, LIMIT_MODEL_BYTES);
        buf_init(&tool->name, LIMIT_MODEL_BYTES);
        buf_init(&tool->arguments, ARGUMENTS_MAX);
    }
    struct said_tool *tool = &said->tools[piece->index];
    if (tool->id.len == 0) buf_add_str(&tool->id, piece->id);
    if (tool->name.len == 0) buf_add_str(&tool->name, piece->name);
    buf_add_str(&tool->arguments, piece->arguments);
}

/* --- parts --- */

static struct str text_of(const struct buf *buf)
{
    return buf->len ? buf_str(buf) : STR("");
}

static const char *reason_of(const struct said *said)
{
    if (said->refused) return "content_filter";
    switch (said->finish) {
    case LLM_FINISH_LENGTH: return "length";
    case LLM_FINISH_TOOL: return "tool_calls";
    case LLM_FINISH_FILTER: return "content_filter";
    case LLM_FINISH_NONE:
    case LLM_FINISH_STOP: break;
    }
    return said->tool_count ? "tool_calls" : "stop";
}

static void put_usage(struct json_out *out, const struct said *said)
{
    const struct llm_usage *usage = &said->usage;
    if (usage->input < 0 || usage->output < 0) {
        json_put_null(out, "usage"); /* unknown is not nothing */
        return;
    }
    json_open(out, "usage", '{');
    json_put_i64(out, "prompt_tokens", usage->input);
    json_put_i64(out, "completion_tokens", usage->output);
    json_put_i64(out, "total_tokens", usage->input + usage->output);
    if (usage->cached >= 0) {
        json_open(out, "prompt_tokens_details", '{');
        json_put_i64(out, "cached_tokens", usage->cached);
        json_close(out, '}');
    }
    if (usage->reasoning >= 0) {
        json_open(out, "completion_tokens_details", '{');
        json_put_i64(out, "reasoning_tokens", usage->reasoning);
        json_close(out, '}');
    }
    if (usage->estimated) json_put_bool(out, "estimated", true);
    json_close(out, '}');
}

static void put_head(struct json_out *out, const struct said *said, const char *object)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", str_of(said->id));
    json_put_str(out, "object", str_of(object));
    json_put_i64(out, "created", said->created_s);
    json_put_str(out, "model", str_of(said->model));
}

static void put_function(struct json_out *out, struct str name, struct str arguments)
{
    json_open(out, "function", '{');
    if (name.len > 0) json_put_str(out, "name", name);
    json_put_str(out, "arguments", arguments);
    json_close(out, '}');
}

/* --- whole --- */

void said_write(const struct said *said, struct buf *to)
{
    struct json_out out = json_begin(to);
    put_head(&out, said, "chat.completion");
    json_open(&out, "choices", '[');
    json_open(&out, NULL, '{');
    json_put_i64(&out, "index", 0);
    json_open(&out, "message", '{');
    json_put_str(&out, "role", STR("assistant"));
    bool calls_only = said->text.len == 0 && said->tool_count > 0;
    json_put_opt(&out, "content", calls_only ? (struct str){0} : text_of(&said->text));
    json_put_null(&out, "refusal");
    if (said->reasoning.len > 0) json_put_str(&out, "reasoning_content", text_of(&said->reasoning));
    if (said->tool_count > 0) json_open(&out, "tool_calls", '[');
    for (size_t i = 0; i < said->tool_count; i++) {
        const struct said_tool *tool = &said->tools[i];
        json_open(&out, NULL, '{');
        json_put_str(&out, "id", text_of(&tool->id));
        json_put_str(&out, "type", STR("function"));
        put_function(&out, text_of(&tool->name), text_of(&tool->arguments));
        json_close(&out, '}');
    }
    if (said->tool_count > 0) json_close(&out, ']');
    json_close(&out, '}');
    json_put_null(&out, "logprobs");
    json_put_str(&out, "finish_reason", str_of(reason_of(said)));
    json_close(&out, '}');
    json_close(&out, ']');
    put_usage(&out, said);
    json_close(&out, '}');
}

/* --- events --- */

/* Up to and with "delta":{ ; out is inside it. */
static struct json_out begin_event(const struct said *said, struct buf *to)
{
    buf_add_str(to, STR("data: "));
    struct json_out out = json_begin(to);
    put_head(&out, said, "chat.completion.chunk");
    json_open(&out, "choices", '[');
    json_open(&out, NULL, '{');
    json_put_i64(&out, "index", 0);
    json_open(&out, "delta", '{');
    return out;
}

static void end_event(struct json_out *out, struct buf *to, const char *reason)
{
    json_close(out, '}');
    json_put_opt(out, "finish_reason", str_of(reason));
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
    buf_add_str(to, STR("\n\n"));
}

void said_chunk_begin(const struct said *said, struct buf *to)
{
    struct json_out out = begin_event(said, to);
    json_put_str(&out, "role", STR("assistant"));
    json_put_str(&out, "content", STR(""));
    end_event(&out, to, NULL);
}

void said_chunk_text(const struct said *said, const char *member, struct str piece, struct buf *to)
{
    struct json_out out = begin_event(said, to);
    json_put_str(&out, member, piece);
    end_event(&out, to, NULL);
}

void said_chunk_tool(const struct said *said, const struct llm_tool_piece *piece, struct buf *to)
{
    struct json_out out = begin_event(said, to);
    json_open(&out, "tool_calls", '[');
    json_open(&out, NULL, '{');
    json_put_i64(&out, "index", piece->index);
    if (piece->id.len > 0) {
        json_put_str(&out, "id", piece->id);
        json_put_str(&out, "type", STR("function"));
    }
    put_function(&out, piece->name, piece->arguments);
    json_close(&out, '}');
    json_close(&out, ']');
    end_event(&out, to, NULL);
}

void said_chunk_past(const struct said *said, struct buf *to)
{
    said_chunk_begin(said, to);
    if (said->reasoning.len > 0) {
        said_chunk_text(said, "reasoning_content", buf_str(&said->reasoning), to);
    }
    if (said->text.len > 0) said_chunk_text(said, "content", buf_str(&said->text), to);
    for (size_t i = 0; i < said->tool_count; i++) {
        const struct said_tool *tool = &said->tools[i];
        struct llm_tool_piece piece = {(int)i, text_of(&tool->id), text_of(&tool->name),
                                       text_of(&tool->arguments)};
        said_chunk_tool(said, &piece, to);
    }
}

void said_chunk_end(const struct said *said, struct buf *to)
{
    struct json_out out = begin_event(said, to);
    end_event(&out, to, reason_of(said));
}

void said_chunk_usage(const struct said *said, struct buf *to)
{
    buf_add_str(to, STR("data: "));
    struct json_out out = json_begin(to);
    put_head(&out, said, "chat.completion.chunk");
    json_open(&out, "choices", '[');
    json_close(&out, ']');
    put_usage(&out, said);
    json_close(&out, '}');
    buf_add_str(to, STR("\n\n"));
}
