/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* llm/request.c: a request as data: empty, kept, and told apart from others. */
#include "base/arena.h"
#include "llm/llm.h"
#include "llm/tokens.h"

struct llm_request llm_request_plain(void)
{
    return (struct llm_request){.temperature = LLM_UNSET,
                                .top_p = LLM_UNSET,
                                .presence_penalty = LLM_UNSET,
                                .frequency_penalty = LLM_UNSET,
                                .seed = -1};
}

/* --- copies --- */

static struct llm_message *copy_messages(struct arena *arena, const struct llm_message *from,
                                         size_t count)
{
    struct llm_message *to = ARENA_ARRAY(arena, struct llm_message, count + 1);
    for (size_t i = 0; i < count; i++) {
        to[i] = (struct llm_message){.role = from[i].role,
                                     .text = arena_copy(arena, from[i].text),
                                     .parts = arena_copy(arena, from[i].parts),
                                     .tool_calls = arena_copy(arena, from[i].tool_calls),
                                     .tool_call_id = arena_copy(arena, from[i].tool_call_id),
                                     .name = arena_copy(arena, from[i].name),
                                     .reasoning = arena_copy(arena, from[i].reasoning)};
    }
    return to;
}

static struct llm_scene *copy_scene(struct arena *arena, const struct llm_scene *from)
{
    if (from == NULL) return NULL;
    struct llm_scene *to = ARENA_NEW(arena, struct llm_scene);
    *to = (struct llm_scene){.task = from->task,
                             .language = arena_copy(arena, from->language),
                             .name = arena_copy(arena, from->name),
                             .occupation = arena_copy(arena, from->occupation),
                             .traits = arena_copy(arena, from->traits),
                             .partner = arena_copy(arena, from->partner),
                             .mood = arena_copy(arena, from->mood),
                             .place = arena_copy(arena, from->place),
                             .topic = arena_copy(arena, from->topic),
                             .weather = arena_copy(arena, from->weather),
                             .hour = from->hour};
    return to;
}

void llm_request_copy(struct arena *arena, const struct llm_request *from, struct llm_request *to)
{
    *to = *from;
    to->model = arena_copy(arena, from->model);
    to->messages = copy_messages(arena, from->messages, from->message_count);
    if (from->shorter) to->shorter = copy_messages(arena, from->shorter, from->shorter_count);
    for (size_t i = 0; i < from->stop_count; i++) to->stops[i] = arena_copy(arena, from->stops[i]);
    to->schema_name = arena_copy(arena, from->schema_name);
    to->schema = arena_copy(arena, from->schema);
    to->schema_description = arena_copy(arena, from->schema_description);
    to->tools = arena_copy(arena, from->tools);
    to->tool_choice = arena_copy(arena, from->tool_choice);
    to->scene = copy_scene(arena, from->scene);
}

/* --- the same request or another? --- */

/* With its length, so that two texts cannot trade a byte. */
static void mark_text(struct buf *to, struct str text)
{
    buf_add_u64(to, text.len);
    buf_add_byte(to, ':');
    buf_add_str(to, text);
}

static void mark_texts(struct buf *to, const struct str *texts, size_t count)
{
    buf_printf(to, ";%zu;", count);
    for (size_t i = 0; i < count; i++) mark_text(to, texts[i]);
}

static void mark_message(struct buf *to, const struct llm_message *message)
{
    const struct str texts[] = {message->text, message->parts, message->tool_calls,
                                message->tool_call_id};
    buf_add_byte(to, (char)('0' + message->role));
    mark_texts(to, texts, COUNT_OF(texts));
    /* Nothing where they are empty, as marks in older journals are. */
    if (message->name.len > 0) {
        buf_add_byte(to, '@');
        mark_text(to, message->name);
    }
    if (message->reasoning.len > 0) {
        buf_add_byte(to, '~');
        mark_text(to, message->reasoning);
    }
}

/* Behind the stops, where a message begins with a digit and a scene with ';'. Nothing of what our
 * own requests say, as marks in older journals are. */
static void mark_schema(struct buf *to, const struct llm_request *request)
{
    if (request->schema_strict == LLM_STRICT && request->schema_description.len == 0) return;
    buf_printf(to, "!%d", (int)request->schema_strict);
    mark_text(to, request->schema_description);
}

static void mark_scene(struct buf *to, const struct llm_scene *scene)
{
    const struct str texts[] = {scene->language, scene->name,    scene->occupation,
                                scene->traits,   scene->partner, scene->mood,
                                scene->place,    scene->topic,   scene->weather};
    buf_printf(to, ";%d %d", (int)scene->task, scene->hour);
    mark_texts(to, texts, COUNT_OF(texts));
}

static uint64_t pictures_in(struct str parts)
{
    struct str mark = STR("\"image_url\":");
    uint64_t count = 0;
    for (size_t at; (at = str_find(parts, mark)) < parts.len; count++) {
        parts = str_from(parts, at + mark.len);
    }
    return count;
}

uint64_t llm_input_estimate(const struct llm_request *request, const struct llm_message *messages,
                            size_t count)
{
    enum { FRAME = 3, MESSAGE = 4, PICTURE = 1000 /* about a large one at most providers */ };
    uint64_t tokens = FRAME + tokens_estimate(request->tools) + tokens_estimate(request->schema) +
                      tokens_estimate(request->schema_description);
    for (size_t i = 0; i < count; i++) {
        const struct llm_message *message = &messages[i];
        tokens += MESSAGE + tokens_estimate(message->text) + tokens_estimate(message->tool_calls) +
                  tokens_estimate(message->reasoning) + PICTURE * pictures_in(message->parts);
    }
    return tokens;
}

void llm_request_mark(struct buf *to, const struct llm_request *request)
{
    const struct str texts[] = {request->model, request->schema_name, request->schema,
                                request->tools, request->tool_choice};
    mark_texts(to, texts, COUNT_OF(texts));
    buf_printf(to, "%a %a %a %a %lld %lld %d %d %d", request->temperature, request->top_p,
               request->presence_penalty, request->frequency_penalty,
               (long long)request->max_tokens, (long long)request->seed, (int)request->format,
               (int)request->thinking, (int)request->only_this);
    mark_texts(to, request->stops, request->stop_count);
    mark_schema(to, request);
    for (size_t i = 0; i < request->message_count; i++) mark_message(to, &request->messages[i]);
    if (request->scene) mark_scene(to, request->scene);
}

static int64_t joined(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a + b;
}

void llm_usage_add(struct llm_usage *used, const struct llm_usage *more)
{
    used->input = joined(used->input, more->input);
    used->output = joined(used->output, more->output);
    used->cached = joined(used->cached, more->cached);
    used->reasoning = joined(used->reasoning, more->reasoning);
    used->estimated |= more->estimated;
}
