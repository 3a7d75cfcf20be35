/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_said.c: OpenAI's forms of an answer: one object, or events of a stream. */
#include "api/gateway_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"

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
        buf_init(&tool->id, ARGUMENTS_MAX); /* Gemini's carries its signature */
        buf_init(&tool->name, ARGUMENTS_MAX);
        buf_init(&tool->arguments, ARGUMENTS_MAX);
    }
    struct said_tool *tool = &said->tools[piece->index];
    if (tool->id.len == 0) buf_add_str(&tool->id, piece->id);
    if (tool->name.len == 0) buf_add_str(&tool->name, piece->name);
    buf_add_str(&tool->arguments, piece->arguments);
}

bool said_overflowed(const struct said *said)
{
    bool over = said->text.failed || said->reasoning.failed;
    for (size_t i = 0; i < said->tool_count; i++) {
        const struct said_tool *tool = &said->tools[i];
        over |= tool->id.failed || tool->name.failed || tool->arguments.failed;
    }
    return over;
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

static void put_begin(const struct said *said, struct buf *to)
{
    struct json_out out = begin_event(said, to);
    json_put_str(&out, "role", STR("assistant"));
    json_put_str(&out, "content", STR(""));
    end_event(&out, to, NULL);
}

static void put_text(const struct said *said, const char *member, struct str piece, struct buf *to)
{
    struct json_out out = begin_event(said, to);
    json_put_str(&out, member, piece);
    end_event(&out, to, NULL);
}

static void put_tool(const struct said *said, const struct llm_tool_piece *piece, struct buf *to)
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

/* What stands behind `at`, whole characters and no more than `*room`. */
static struct str take(const struct buf *said, size_t *at, size_t *room)
{
    struct str rest = str_from(text_of(said), *at);
    if (rest.len > *room) rest = str_head(rest, utf8_floor(rest.at, *room));
    *at += rest.len;
    *room -= rest.len;
    return rest;
}

/* True: there is more of it. */
static bool take_tool(const struct said *said, size_t index, size_t *had, size_t *room,
                      struct buf *to)
{
    const struct said_tool *tool = &said->tools[index];
    bool first = *had == 0;
    if (first && tool->id.len + tool->name.len + tool->arguments.len == 0) return false; /* a gap */
    size_t at = first ? 0 : *had - 1;
    struct llm_tool_piece piece = {.index = (int)index,
                                   .arguments = take(&tool->arguments, &at, room)};
    if (first) {
        piece.id = text_of(&tool->id);
        piece.name = text_of(&tool->name);
    }
    *had = at + 1;
    if (first || piece.arguments.len > 0) put_tool(said, &piece, to);
    return at < tool->arguments.len;
}

bool said_chunks(const struct said *said, struct said_mark *mark, struct arena *arena,
                 struct buf *to)
{
    size_t room = SAID_BYTES;
    if (!mark->begun) put_begin(said, to);
    mark->begun = true;
    struct str reasoning = take(&said->reasoning, &mark->reasoning, &room);
    if (reasoning.len > 0) put_text(said, "reasoning_content", reasoning, to);
    struct str text = take(&said->text, &mark->text, &room);
    if (text.len > 0) put_text(said, "content", text, to);
    bool more = mark->reasoning < said->reasoning.len || mark->text < said->text.len;
    if (said->tool_count > 0 && mark->tools == NULL) {
        mark->tools = ARENA_ARRAY(arena, size_t, SAID_TOOLS_MAX);
    }
    for (size_t i = 0; i < said->tool_count; i++) {
        more = take_tool(said, i, &mark->tools[i], &room, to) || more;
    }
    return more;
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
