/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/chat_shapes.h"

#include "base/buf.h"
#include "base/limits.h"

enum { TITLE_CHARS = 60 };

void chat_put(struct json_out *out, const char *key, const struct chat *chat)
{
    json_open(out, key, '{');
    json_put_u64(out, "id", chat->id);
    json_put_str(out, "title", chat->title);
    json_put_str(out, "model", chat->model);
    json_put_str(out, "system", chat->system);
    json_put_u64(out, "head", chat->head);
    if (chat->wiki) {
        json_open(out, "wiki", '{');
        json_put_u64(out, "id", chat->wiki);
        json_put_str(out, "name", chat->wiki_name);
        json_close(out, '}');
    } else {
        json_put_null(out, "wiki");
    }
    json_put_time(out, "created_at", chat->created_us);
    json_close(out, '}');
}

void chat_put_tokens(struct json_out *out, const char *key, int64_t tokens)
{
    if (tokens < 0) {
        json_put_null(out, key);
    } else {
        json_put_i64(out, key, tokens);
    }
}

static void put_end(struct json_out *out, const struct chat_turn *turn)
{
    json_put_str(out, "site", turn->site);
    json_put_str(out, "model", turn->model);
    json_put_bool(out, "offline", str_eq(turn->site, STR("offline")));
    json_put_str(out, "detail", turn->detail);
    chat_put_tokens(out, "input_tokens", turn->input_tokens);
    chat_put_tokens(out, "output_tokens", turn->output_tokens);
    json_put_bool(out, "estimated", turn->estimated);
}

/* Of a wiki: JSON as it is kept. */
static void put_about(struct json_out *out, const char *key, struct str about)
{
    json_put_raw(out, key, about.len ? about : STR("null"));
}

void chat_put_turn(struct json_out *out, const char *key, const struct chat_turn *turn)
{
    json_open(out, key, '{');
    json_put_u64(out, "id", turn->id);
    json_put_u64(out, "parent", turn->parent);
    json_put_str(out, "role", turn->by_model ? STR("assistant") : STR("user"));
    json_put_str(out, "status", turn->status);
    json_put_str(out, "content", turn->content);
    json_put_str(out, "reasoning", turn->reasoning);
    put_end(out, turn);
    put_about(out, "asked", turn->by_model ? (struct str){0} : turn->about);
    put_about(out, "found", turn->by_model ? turn->about : (struct str){0});
    json_put_time(out, "created_at", turn->created_us);
    json_close(out, '}');
}

/* --- telling --- */

static struct json_out begin_data(struct buf *buf)
{
    buf_init(buf, LIMIT_REPLY_BYTES);
    struct json_out out = json_begin(buf);
    json_open(&out, NULL, '{');
    return out;
}

static void tell(struct act *act, struct topic_name topic, const char *kind, struct str fold,
                 struct buf *data)
{
    act_tell(act, topic, kind, fold, buf_str(data), false);
    buf_release(data);
}

void chat_tell_asked(struct act *act, const struct chat_turn *question,
                     const struct chat_turn *answer)
{
    struct buf data;
    struct json_out out = begin_data(&data);
    chat_put_turn(&out, "question", question);
    chat_put_turn(&out, "answer", answer);
    json_close(&out, '}');
    tell(act, topic_chat(answer->chat), "chat.asked", (struct str){0}, &data);
}

void chat_tell_answered(struct act *act, const struct chat_turn *turn)
{
    struct buf data;
    struct json_out out = begin_data(&data);
    json_put_u64(&out, "turn", turn->id);
    json_put_str(&out, "status", turn->status);
    put_end(&out, turn);
    json_close(&out, '}');
    tell(act, topic_chat(turn->chat), "chat.answered", (struct str){0}, &data);
}

/* One fold for all that is told of a conversation to its owner's list: who comes back gets how it
 * is now, or that it is gone, and no title stays in the log behind it. */
static struct str fold_of(struct act *act, uint64_t chat)
{
    return arena_printf(act->arena, "chat:%llu", (unsigned long long)chat);
}

void chat_tell_updated(struct act *act, const struct chat *chat)
{
    struct topic_name topics[] = {topic_chat(chat->id), topic_user(act->me)};
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        struct buf data;
        buf_init(&data, LIMIT_REPLY_BYTES);
        struct json_out out = json_begin(&data);
        chat_put(&out, NULL, chat);
        tell(act, topics[i], "chat.updated", fold_of(act, chat->id), &data);
    }
}

void chat_tell_deleted(struct act *act, uint64_t chat)
{
    struct topic_name topics[] = {topic_chat(chat), topic_user(act->me)};
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        struct buf data;
        struct json_out out = begin_data(&data);
        json_put_u64(&out, "id", chat);
        json_close(&out, '}');
        tell(act, topics[i], "chat.deleted", fold_of(act, chat), &data);
    }
}

struct str chat_first_words(struct str question)
{
    size_t len = 0, chars = 0;
    while (len < question.len && chars < TITLE_CHARS && question.at[len] != '\n') {
        do len++;
        while (len < question.len && ((unsigned char)question.at[len] & 0xc0) == 0x80);
        chars++;
    }
    return str_head(question, len);
}
