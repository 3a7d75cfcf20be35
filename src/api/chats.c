/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chats.c: /chat/conversations: what a member and a model said, kept.
 *
 * The question and an empty answer are stored in one transaction; when that is
 * durable the answer begins (api/chat_run.h) and the reply becomes its stream.
 * An edited question or another answer is a branch: a turn with the same parent.
 */
#include "api/chat_run.h"
#include "api/chat_shapes.h"
#include "api/chat_wiki.h"
#include "api/handlers.h"
#include "api/input.h"
#include "base/utf8.h"
#include "community/shapes.h"
#include "store/events.h"

enum { CONTEXT_TURNS = 100, CONTEXT_BYTES = 256 * 1024, QUESTION_MAX = 32000 };

/* --- conversations --- */

struct page {
    struct json_out out;
    uint64_t last, count;
};

static void put_chat_item(void *ctx, const struct chat *chat)
{
    struct page *page = ctx;
    chat_put(&page->out, NULL, chat);
    page->last = chat->id;
    page->count++;
}

static void end_page(struct page *page, const char *key, uint64_t limit)
{
    json_close(&page->out, ']');
    shape_cursor(&page->out, key, page->count == limit, page->last);
    json_close(&page->out, '}');
}

enum err chats_get_list(struct call *call, struct why *why)
{
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE);
    uint64_t wiki = (uint64_t)input_query_int(call, "wiki", 0, 1, INT64_MAX);
    enum err err = input_check(call, why);
    if (err) return err;
    struct user_id me = call->who.user;
    struct page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    if (wiki) {
        err = chats_list_of_wiki(call->db, me, wiki, before, limit, put_chat_item, &page, why);
    } else {
        err = chats_list(call->db, me, before, limit, put_chat_item, &page, why);
    }
    end_page(&page, "next_before", limit);
    return err;
}

/* What of the three is there replaces what stands in `chat`. */
static enum err read_draft(struct call *call, struct chat *chat, struct why *why)
{
    enum err err = call->x->body.len ? input_json(call, why) : OK;
    if (err) return err;
    struct str title = input_str(call, "title", false), model = input_str(call, "model", false);
    struct str system = input_str(call, "system", false);
    err = input_check(call, why);
    if (!err && title.at) err = name_check("title", title, 1, 200, &chat->title, why);
    if (title.at) chat->automatic = false;
    if (!err && model.at) err = text_check("model", model, 0, 200, &chat->model, why);
    if (!err && system.at) err = text_check("system", system, 0, QUESTION_MAX, &chat->system, why);
    return err;
}

static enum err answer_chat(struct call *call, const struct chat *chat)
{
    struct json_out out = call_json(call);
    chat_put(&out, NULL, chat);
    return OK;
}

enum err chats_post(struct call *call, struct why *why)
{
    struct chat chat = {
        .title = STR(""), .model = STR(""), .system = STR(""), .created_us = call->act.now_us};
    enum err err = read_draft(call, &chat, why);
    if (!err && call->body) err = chat_wiki_choose(call, &chat, why);
    if (!err) err = chats_add(call->db, call->who.user, &chat, &chat.id, why);
    if (err) return err;
    chat_tell_updated(&call->act, &chat);
    return answer_chat(call, &chat);
}

enum err chat_of_call(struct call *call, struct chat *chat_out, struct why *why)
{
    uint64_t id = input_path_id(call, 0, "chat_id");
    enum err err = input_check(call, why);
    return err ? err : chats_load(call->db, call->arena, call->who.user, id, chat_out, why);
}

enum err chats_get_one(struct call *call, struct why *why)
{
    struct chat chat;
    enum err err = chat_of_call(call, &chat, why);
    return err ? err : answer_chat(call, &chat);
}

enum err chats_patch(struct call *call, struct why *why)
{
    struct chat chat;
    enum err err = chat_of_call(call, &chat, why);
    if (!err) err = read_draft(call, &chat, why);
    if (!err) err = chat_wiki_check(&chat, why);
    if (!err) err = chats_save(call->db, &chat, why);
    if (err) return err;
    chat_tell_updated(&call->act, &chat);
    return answer_chat(call, &chat);
}

/* It is durable: nobody needs what is still being written there. */
static void stop_answers(struct call *call)
{
    uint64_t chat;
    if (str_to_u64(call->params[0], &chat)) chat_runs_stop(call->api->chat_runs, chat);
    call_reply(call);
}

enum err chats_delete(struct call *call, struct why *why)
{
    struct chat chat;
    enum err err = chat_of_call(call, &chat, why);
    if (!err) err = events_forget(call->db, str_of(topic_chat(chat.id).text), why);
    if (!err) err = chats_remove(call->db, chat.id, why);
    if (err) return err;
    chat_tell_deleted(&call->act, chat.id);
    call_no_content(call);
    call->after = stop_answers;
    return OK;
}

static void put_turn_item(void *ctx, const struct chat_turn *turn)
{
    struct page *page = ctx;
    chat_put_turn(&page->out, NULL, turn);
    page->last = turn->id;
    page->count++;
}

enum err chats_get_messages(struct call *call, struct why *why)
{
    struct chat chat;
    uint64_t before, after;
    input_query_cursors(call, &before, &after);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE);
    enum err err = chat_of_call(call, &chat, why);
    if (err) return err;
    struct page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    if (before)
        err = chat_turns_list_before(call->db, chat.id, before, limit, put_turn_item, &page, why);
    else
        err = chat_turns_list(call->db, chat.id, after, limit, put_turn_item, &page, why);
    end_page(&page, before ? "next_before" : "next_after", limit);
    return err;
}

/* --- one line of a conversation --- */

/* From the turn back to the beginning, as far as a model can be told; the newest first. */
struct line {
    struct chat_turn turns[CONTEXT_TURNS];
    size_t count;
};

static enum err load_line(struct call *call, uint64_t chat, uint64_t turn, struct line *line_out,
                          struct why *why)
{
    size_t bytes = 0;
    line_out->count = 0;
    while (turn != 0 && line_out->count < CONTEXT_TURNS && bytes < CONTEXT_BYTES) {
        struct chat_turn *at = &line_out->turns[line_out->count];
        enum err err = chat_turns_load(call->db, call->arena, chat, turn, at, why);
        if (err) return err;
        line_out->count++;
        bytes += at->content.len;
        turn = at->parent;
    }
    return OK;
}

/* --- asking --- */

/* Back on the loop, the question is durable. */
static void begin_answer(struct call *call)
{
    struct chat_run *run = call->run;
    call->run = NULL;
    chat_run_join(run, call); /* first: it has a reader from the beginning */
    chat_run_begin(run, call->home);
}

static size_t write_messages(const struct chat *chat, const struct line *line,
                             struct llm_message *messages)
{
    size_t count = 0;
    if (chat->system.len) {
        messages[count++] = (struct llm_message){.role = LLM_SYSTEM, .text = chat->system};
    }
    for (size_t i = line->count; i-- > 0;) {
        const struct chat_turn *turn = &line->turns[i];
        if (turn->content.len == 0) continue; /* an answer that failed */
        messages[count++] = (struct llm_message){.role = turn->by_model ? LLM_ASSISTANT : LLM_USER,
                                                 .text = turn->content};
    }
    return count;
}

/* Nobody has named it, and no answer in this line has been asked for a name. */
static bool wants_title(const struct chat *chat, const struct line *line)
{
    if (!chat->automatic || line->turns[line->count - 1].parent != 0) return false;
    for (size_t i = 0; i < line->count; i++) {
        const struct chat_turn *turn = &line->turns[i];
        if (turn->by_model && str_eq(turn->status, STR("complete"))) return false;
    }
    return true;
}

/* Store the empty answer to `question` and plan it. The reply as it stands then is what an
 * Idempotency-Key gives again: the ids. */
static enum err plan_answer(struct call *call, struct chat *chat, uint64_t question,
                            struct str model, struct why *why)
{
    struct line *line = ARENA_NEW(call->arena, struct line);
    struct llm_message messages[CONTEXT_TURNS + 1];
    struct chat_turn answer = {.chat = chat->id,
                               .parent = question,
                               .by_model = true,
                               .status = STR("streaming"),
                               .content = STR(""),
                               .input_tokens = -1,
                               .output_tokens = -1,
                               .created_us = call->act.now_us};
    chat_run_drop(call->run); /* it may be the second try */
    call->run = NULL;
    struct wiki_visit_want want;
    enum err err = load_line(call, chat->id, question, line, why);
    if (!err && chat->wiki) err = chat_wiki_plan(call, chat, line->turns[0].about, &want, why);
    if (!err) err = chat_turns_add(call->db, &answer, &answer.id, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "type", STR("turns"));
    chat_put_turn(&out, "question", &line->turns[0]);
    chat_put_turn(&out, "answer", &answer);
    json_close(&out, '}');
    chat_tell_asked(&call->act, &line->turns[0], &answer);
    struct chat_plan plan = {.owner = call->who.user,
                             .chat = chat->id,
                             .turn = answer.id,
                             .messages = messages,
                             .count = write_messages(chat, line, messages),
                             .model = model.len ? model : chat->model,
                             .first = buf_str(&call->x->reply),
                             .wants_title = wants_title(chat, line),
                             .wiki = chat->wiki ? &want : NULL};
    call->run = chat_run_new(call->api, &plan);
    call->after = begin_answer;
    return OK;
}

/* A conversation without a title is named by its first words. */
static enum err name_chat(struct call *call, struct chat *chat, struct str text, struct why *why)
{
    if (chat->title.len) return OK;
    chat->title = chat_first_words(text);
    chat->automatic = true;
    enum err err = chats_save(call->db, chat, why);
    if (!err) chat_tell_updated(&call->act, chat);
    return err;
}

/* Where the question goes: `parent`, 0 for a new beginning, else behind the newest. */
static enum err find_parent(struct call *call, const struct chat *chat, uint64_t *parent_out,
                            struct why *why)
{
    struct chat_turn parent;
    const struct json *named = json_get(call->body, "parent");
    *parent_out = chat->head;
    if (named && !json_as_u64(named, parent_out)) {
        return why_field(why, "parent", "int_type", "parent must be the id of a message, or 0");
    }
    if (*parent_out == 0) return OK;
    enum err err = chat_turns_load(call->db, call->arena, chat->id, *parent_out, &parent, why);
    if (err) return err;
    if (!parent.by_model) {
        return why_field(why, "parent", "value_error", "a question follows an answer, or 0");
    }
    if (!str_eq(parent.status, STR("streaming"))) return OK;
    return why_set(why, ERR_CONFLICT, "this answer is still being written: stop it first, or wait");
}

enum err chats_post_message(struct call *call, struct why *why)
{
    struct chat chat;
    struct chat_turn question = {.status = STR("complete"), .created_us = call->act.now_us};
    enum err err = chat_of_call(call, &chat, why);
    if (!err) err = input_json(call, why);
    if (err) return err;
    struct str raw = input_str(call, "text", true), model = input_str(call, "model", false);
    err = input_check(call, why);
    if (!err) err = text_check("text", raw, 1, QUESTION_MAX, &question.content, why);
    if (!err) err = chat_wiki_read(call, &chat, &question.about, why);
    if (!err) err = find_parent(call, &chat, &question.parent, why);
    question.chat = chat.id;
    if (!err) err = chat_turns_add(call->db, &question, &question.id, why);
    if (!err) err = name_chat(call, &chat, question.content, why);
    return err ? err : plan_answer(call, &chat, question.id, model, why);
}

static enum err load_answer(struct call *call, struct chat *chat, struct chat_turn *answer_out,
                            struct why *why)
{
    uint64_t id = input_path_id(call, 1, "turn_id");
    enum err err = chat_of_call(call, chat, why);
    if (!err) err = chat_turns_load(call->db, call->arena, chat->id, id, answer_out, why);
    if (err || answer_out->by_model) return err;
    return why_set(why, ERR_NOT_FOUND, "this message is no answer");
}

enum err chats_regenerate(struct call *call, struct why *why)
{
    struct chat chat;
    struct chat_turn answer;
    enum err err = load_answer(call, &chat, &answer, why);
    return err ? err : plan_answer(call, &chat, answer.parent, STR(""), why);
}

/* --- an answer under way --- */

static void join_run(struct call *call)
{
    chat_run_join(call->joined, call);
    chat_run_unref(call->joined);
}

static void stop_run(struct call *call)
{
    chat_run_stop(call->joined, call);
    chat_run_unref(call->joined);
}

/* An answer that is over, in the words of one under way. */
static void write_past(struct call *call, const struct chat_turn *turn)
{
    struct buf *to = &call->x->reply;
    struct json_out out;
    call->x->status = 200;
    call->x->content_type = "text/event-stream";
    buf_add_str(to, STR("data: "));
    out = json_begin(to);
    json_open(&out, NULL, '{');
    json_put_str(&out, "type", STR("stored"));
    chat_put_turn(&out, "answer", turn);
    json_close(&out, '}');
    buf_add_str(to, STR("\n\n"));
}

/* The run is looked for before the row: one that ends in between is then in the row. Neither: its
 * writer is another instance, and `call->joined` is NULL. */
static enum err find_run(struct call *call, struct chat_turn *answer, struct why *why)
{
    struct chat chat;
    struct chat_run *run = chat_run_find(call->api->chat_runs, input_path_id(call, 1, "turn_id"));
    enum err err = load_answer(call, &chat, answer, why);
    if (err && run) chat_run_unref(run);
    if (err) return err;
    call->joined = run;
    return OK;
}

static bool is_elsewhere(const struct call *call, const struct chat_turn *answer)
{
    return call->joined == NULL && str_eq(answer->status, STR("streaming"));
}

static enum err refuse_elsewhere(struct why *why)
{
    return why_set(why, ERR_CONFLICT, "another instance of this server writes this answer");
}

enum err chats_stream(struct call *call, struct why *why)
{
    struct chat_turn answer;
    enum err err = find_run(call, &answer, why);
    if (!err && is_elsewhere(call, &answer)) err = refuse_elsewhere(why);
    if (err) return err;
    if (call->joined) {
        call->after = join_run;
    } else {
        write_past(call, &answer);
    }
    return OK;
}

enum err chats_stop(struct call *call, struct why *why)
{
    struct chat_turn answer;
    enum err err = find_run(call, &answer, why);
    bool elsewhere = !err && is_elsewhere(call, &answer);
    if (elsewhere && !hub_has_others(call->api->hub)) err = refuse_elsewhere(why);
    if (err) return err;
    call_no_content(call);
    if (elsewhere) {
        struct hub_notice notice = {
            .what = NOTICE_STOP_ANSWER, .user = call->who.user, .session = answer.id};
        hub_notify(call->api->hub, &notice);
    } else if (call->joined) {
        call->after = stop_run;
    }
    return OK;
}
