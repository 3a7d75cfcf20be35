/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_ask.c: POST /wikis/{wiki}/ask: an answer about a repository as server-sent events
 * (docs/wiki.md).
 *
 * The reader who goes ends it, look-up and model both. A slow one stops the
 * reading from the provider.
 */
#include "api/chat_frames.h"
#include "api/chat_wiki.h"
#include "api/handlers.h"
#include "api/input.h"
#include "api/wiki_access.h"
#include "api/wiki_frames.h"
#include "api/wiki_shapes.h"
#include "api/wiki_visit.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { QUESTION_MAX = 32000, HISTORY_MAX = 100, QUEUE_HIGH_BYTES = 64 * 1024 };

/* Lives on one loop. */
struct reading {
    struct call *call;
    struct http_exchange *x;
    struct wiki_visit *visit;
    struct buf frame;
    bool paused;
};

static void send_frame(struct reading *reading)
{
    http_stream_event(reading->x, buf_str(&reading->frame));
    if (reading->paused || http_stream_queued(reading->x) <= QUEUE_HIGH_BYTES) return;
    http_stream_flush(reading->x);
    if (http_stream_queued(reading->x) <= QUEUE_HIGH_BYTES) return;
    reading->paused = true;
    wiki_visit_pause(reading->visit);
}

static void on_drained(void *ctx)
{
    struct reading *reading = ctx;
    if (!reading->paused) return;
    reading->paused = false;
    wiki_visit_resume(reading->visit);
}

static void finish(struct reading *reading)
{
    http_stream_end(reading->x, true);
    buf_release(&reading->frame);
    mem_free(reading);
}

static void on_gone(void *ctx)
{
    struct reading *reading = ctx;
    wiki_visit_cancel(reading->visit);
    http_stream_end(reading->x, false);
    buf_release(&reading->frame);
    mem_free(reading);
}

static void on_waiting(void *ctx, const struct wiki_progress *progress)
{
    struct reading *reading = ctx;
    wiki_frame_waiting(&reading->frame, progress);
    send_frame(reading);
}

static void on_failed(void *ctx, enum err err, const struct why *why)
{
    struct reading *reading = ctx;
    chat_frame_error(&reading->frame, err_name(err), why->text);
    send_frame(reading);
    finish(reading);
}

static void on_begun(void *ctx, const struct wiki *wiki)
{
    struct reading *reading = ctx;
    wiki_frame_start(&reading->frame, wiki);
    send_frame(reading);
}

static void on_round(void *ctx, int round, bool last)
{
    struct reading *reading = ctx;
    wiki_frame_round(&reading->frame, round, last);
    send_frame(reading);
}

static void on_context(void *ctx, const struct wiki_source *sources, size_t count)
{
    struct reading *reading = ctx;
    wiki_frame_context(&reading->frame, sources, count);
    send_frame(reading);
}

static void on_notice(void *ctx, enum wiki_cause cause, struct str sentence)
{
    struct reading *reading = ctx;
    wiki_frame_notice(&reading->frame, cause, sentence);
    send_frame(reading);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct reading *reading = ctx;
    wiki_frame_open(&reading->frame, site, model);
    send_frame(reading);
}

static void on_text(void *ctx, struct str piece)
{
    struct reading *reading = ctx;
    chat_frame_piece(&reading->frame, "delta", piece);
    send_frame(reading);
}

static void on_end(void *ctx, const struct wiki_ask_end *end)
{
    struct reading *reading = ctx;
    wiki_frame_end(&reading->frame, end);
    send_frame(reading);
    finish(reading);
}

static const struct wiki_visit_events events = {.waiting = on_waiting,
                                                .failed = on_failed,
                                                .begun = on_begun,
                                                .answer = {.round = on_round,
                                                           .context = on_context,
                                                           .notice = on_notice,
                                                           .open = on_open,
                                                           .text = on_text,
                                                           .end = on_end}};

static void begin(struct call *call)
{
    struct http_exchange *x = call->x;
    if (call->home->llm == NULL) {
        struct why why;
        enum err err = why_set(&why, ERR_BUSY, "the server is stopping");
        call_refuse(call, err, &why);
        return;
    }
    struct reading *reading = NEW(struct reading);
    reading->call = call;
    reading->x = x;
    buf_init(&reading->frame, WIKI_FRAME_BYTES);
    reading->visit = wiki_visit_start(call->home, call->visit, &events, reading);
    http_reset_reply(x);
    x->status = 200;
    x->content_type = "text/event-stream";
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "X-Accel-Buffering", STR("no"));
    call_begin_events(
        call, (struct http_stream_events){.drained = on_drained, .gone = on_gone, .ctx = reading});
    if (x->connection == NULL) on_gone(reading);
}

/* --- what is asked --- */

static enum err read_turn(const struct json *at, struct llm_message *turn, struct why *why)
{
    struct str role, text;
    if (!json_as_str(json_get(at, "role"), &role) || !json_as_str(json_get(at, "content"), &text)) {
        return why_field(why, "history", "value_error",
                         "history is a list of {role, content}, oldest first");
    }
    turn->role = str_eq(role, STR("assistant")) ? LLM_ASSISTANT : LLM_USER;
    turn->text = text;
    if (turn->role == LLM_ASSISTANT || str_eq(role, STR("user"))) return OK;
    return why_field(why, "history", "enum", "a role in history is user or assistant");
}

/* The history, then the question. */
static enum err read_turns(struct call *call, struct str question, struct wiki_asking *asking,
                           struct why *why)
{
    struct llm_message *turns = ARENA_ARRAY(call->arena, struct llm_message, HISTORY_MAX + 1);
    size_t count = 0;
    const struct json *history = json_get(call->body, "history");
    enum err err = OK;
    for (const struct json *at = json_first(history); at && !err; at = json_after(at)) {
        if (count == HISTORY_MAX) {
            return why_field(why, "history", "too_long", "history has at most %d turns",
                             HISTORY_MAX);
        }
        err = read_turn(at, &turns[count++], why);
    }
    turns[count++] = (struct llm_message){.role = LLM_USER, .text = question};
    asking->turns = turns;
    asking->turn_count = count;
    return err;
}

static enum err read_want(struct call *call, struct wiki_visit_want *want, struct why *why)
{
    struct str question;
    bool research = false;
    enum err err = input_json(call, why);
    if (err) return err;
    struct str said = input_str(call, "question", true), model = input_str(call, "model", false);
    struct str language = input_str(call, "language", false);
    struct str file = input_str(call, "file", false);
    const struct json *deep = json_get(call->body, "research");
    if (deep && !json_as_bool(deep, &research))
        input_fault(call, "body", "research", "bool_type", "research must be true or false");
    err = input_check(call, why);
    if (!err) err = text_check("question", said, 1, QUESTION_MAX, &question, why);
    if (err) return err;
    want->asking = (struct wiki_asking){.model = model.at ? model : STR(""),
                                        .file = file.at ? file : STR(""),
                                        .research = research};
    err = chat_wiki_language(call, language, &want->asking.language, why);
    if (err) return err;
    return read_turns(call, question, &want->asking, why);
}

enum err wikis_ask(struct call *call, struct why *why)
{
    struct wiki_visit_want *want = ARENA_NEW(call->arena, struct wiki_visit_want);
    struct wiki wiki;
    enum err err = wiki_allow(call, WIKI_ASK, why);
    if (!err) err = wiki_of_path(call, &wiki, why);
    if (!err) err = read_want(call, want, why);
    if (err) return err;
    want->who = call->who;
    want->wiki = wiki.id;
    want->url = want->kind = want->token = want->include = want->exclude = STR("");
    call->visit = want;
    call->after = begin;
    return OK;
}
