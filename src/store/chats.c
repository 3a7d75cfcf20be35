/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/chats.h"

static struct chat read_chat(struct query *q)
{
    return (struct chat){.id = query_get_u64(q, 0),
                         .title = query_get_str(q, 1),
                         .model = query_get_str(q, 2),
                         .system = query_get_str(q, 3),
                         .head = query_get_u64(q, 4),
                         .created_us = query_get_i64(q, 5),
                         .automatic = query_get_i64(q, 6) != 0,
                         .wiki = query_get_u64(q, 7),
                         .wiki_name = query_get_str(q, 8)};
}

enum err chats_add(struct db *db, struct user_id owner, const struct chat *draft, uint64_t *id_out,
                   struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_ADD);
    query_u64(q, owner.value);
    query_str(q, draft->title);
    query_str(q, draft->model);
    query_str(q, draft->system);
    query_i64(q, draft->created_us);
    query_id(q, draft->wiki);
    query_str(q, draft->wiki ? draft->wiki_name : STR(""));
    enum err err = query_run(q, why);
    if (!err) *id_out = db_last_id(db);
    return err;
}

enum err chats_load(struct db *db, struct arena *arena, struct user_id owner, uint64_t id,
                    struct chat *chat_out, struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_LOAD);
    query_u64(q, id);
    query_u64(q, owner.value);
    bool found = query_next(q);
    if (found) {
        *chat_out = read_chat(q);
        chat_out->title = arena_copy(arena, chat_out->title);
        chat_out->model = arena_copy(arena, chat_out->model);
        chat_out->system = arena_copy(arena, chat_out->system);
        chat_out->wiki_name = arena_copy(arena, chat_out->wiki_name);
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "对话不存在 (no such conversation)");
}

static enum err tell_chats(struct query *q, chat_each *each, void *ctx, struct why *why)
{
    while (query_next(q)) {
        struct chat chat = read_chat(q);
        each(ctx, &chat);
    }
    return query_end(q, why);
}

enum err chats_list(struct db *db, struct user_id owner, uint64_t before, uint64_t limit,
                    chat_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_CHATS_LIST);
    query_u64(q, owner.value);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    return tell_chats(q, each, ctx, why);
}

enum err chats_list_of_wiki(struct db *db, struct user_id owner, uint64_t wiki, uint64_t before,
                            uint64_t limit, chat_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_CHATS_OF_WIKI);
    query_u64(q, owner.value);
    query_u64(q, wiki);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    return tell_chats(q, each, ctx, why);
}

enum err chats_save(struct db *db, const struct chat *chat, struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_SAVE);
    query_str(q, chat->title);
    query_str(q, chat->model);
    query_str(q, chat->system);
    query_i64(q, chat->automatic);
    query_u64(q, chat->id);
    return query_run(q, why);
}

enum err chats_name_wiki(struct db *db, uint64_t id, struct str name, struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_NAME_WIKI);
    query_str(q, name);
    query_u64(q, id);
    return query_run(q, why);
}

enum err chats_entitle(struct db *db, uint64_t id, struct str title, bool *changed_out,
                       struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_ENTITLE);
    query_str(q, title);
    query_u64(q, id);
    enum err err = query_run(q, why);
    *changed_out = !err && db_changes(db) > 0;
    return err;
}

enum err chats_remove(struct db *db, uint64_t id, struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_DELETE);
    query_u64(q, id);
    return query_run(q, why);
}

/* --- turns --- */

static int64_t read_tokens(struct query *q, int column)
{
    return query_is_null(q, column) ? -1 : query_get_i64(q, column);
}

static struct chat_turn read_turn(struct query *q)
{
    return (struct chat_turn){.id = query_get_u64(q, 0),
                              .chat = query_get_u64(q, 1),
                              .parent = query_get_u64(q, 2),
                              .by_model = str_eq(query_get_str(q, 3), STR("assistant")),
                              .status = query_get_str(q, 4),
                              .content = query_get_str(q, 5),
                              .reasoning = query_get_str(q, 6),
                              .site = query_get_str(q, 7),
                              .model = query_get_str(q, 8),
                              .detail = query_get_str(q, 9),
                              .input_tokens = read_tokens(q, 10),
                              .output_tokens = read_tokens(q, 11),
                              .estimated = query_get_i64(q, 12) != 0,
                              .created_us = query_get_i64(q, 13),
                              .about = query_get_str(q, 14)};
}

static enum err set_head(struct db *db, uint64_t chat, uint64_t head, struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_SET_HEAD);
    query_u64(q, head);
    query_u64(q, chat);
    return query_run(q, why);
}

/* The chat's row first: on MariaDB two devices that ask at once would else wait for each other. */
static enum err lock_chat(struct db *db, uint64_t chat, struct why *why)
{
    struct query *q = db_query(db, SQL_CHAT_LOCK);
    query_u64(q, chat);
    (void)query_next(q);
    return query_end(q, why);
}

enum err chat_turns_add(struct db *db, const struct chat_turn *draft, uint64_t *id_out,
                        struct why *why)
{
    enum err err = lock_chat(db, draft->chat, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_TURN_ADD);
    query_u64(q, draft->chat);
    query_u64(q, draft->parent);
    query_str(q, draft->by_model ? STR("assistant") : STR("user"));
    query_str(q, draft->status);
    query_str(q, draft->content);
    query_i64(q, draft->created_us);
    query_i64(q, draft->created_us);
    query_str(q, draft->about);
    err = query_run(q, why);
    if (err) return err;
    *id_out = db_last_id(db);
    return set_head(db, draft->chat, *id_out, why);
}

enum err chat_turns_load(struct db *db, struct arena *arena, uint64_t chat, uint64_t id,
                         struct chat_turn *turn_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TURN_LOAD);
    query_u64(q, id);
    query_u64(q, chat);
    bool found = query_next(q);
    if (found) {
        *turn_out = read_turn(q);
        struct str *texts[] = {&turn_out->status, &turn_out->content, &turn_out->reasoning,
                               &turn_out->site,   &turn_out->model,   &turn_out->detail};
        for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_copy(arena, *texts[i]);
        turn_out->about = arena_keep(arena, turn_out->about);
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "消息不存在 (no such message)");
}

static enum err list_turns(struct query *q, uint64_t chat, uint64_t cursor, uint64_t limit,
                           chat_turn_each *each, void *ctx, struct why *why)
{
    query_u64(q, chat);
    query_u64(q, cursor);
    query_u64(q, limit);
    while (query_next(q)) {
        struct chat_turn turn = read_turn(q);
        each(ctx, &turn);
    }
    return query_end(q, why);
}

enum err chat_turns_list(struct db *db, uint64_t chat, uint64_t after, uint64_t limit,
                         chat_turn_each *each, void *ctx, struct why *why)
{
    return list_turns(db_query(db, SQL_TURNS_AFTER), chat, after, limit, each, ctx, why);
}

enum err chat_turns_list_before(struct db *db, uint64_t chat, uint64_t before, uint64_t limit,
                                chat_turn_each *each, void *ctx, struct why *why)
{
    return list_turns(db_query(db, SQL_TURNS_BEFORE), chat, before, limit, each, ctx, why);
}

static void bind_tokens(struct query *q, int64_t tokens)
{
    if (tokens < 0) {
        query_null(q);
    } else {
        query_i64(q, tokens);
    }
}

enum err chat_turns_parents(struct db *db, uint64_t chat, uint64_t before, uint64_t limit,
                            chat_parent_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_TURN_PARENTS);
    query_u64(q, chat);
    query_u64(q, before);
    query_u64(q, limit);
    while (query_next(q)) each(ctx, query_get_u64(q, 0), query_get_u64(q, 1));
    return query_end(q, why);
}

enum err chat_turns_save(struct db *db, const struct chat_turn *turn, int64_t now_us,
                         bool *there_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TURN_SAVE);
    query_str(q, turn->content);
    query_str(q, turn->reasoning);
    query_str(q, turn->site);
    query_str(q, turn->model);
    query_str(q, turn->about);
    query_i64(q, now_us);
    query_u64(q, turn->id);
    enum err err = query_run(q, why);
    *there_out = !err && db_changes(db) > 0;
    return err;
}

enum err chat_turns_end(struct db *db, const struct chat_turn *turn, bool *there_out,
                        struct why *why)
{
    struct query *q = db_query(db, SQL_TURN_END);
    query_str(q, turn->status);
    query_str(q, turn->content);
    query_str(q, turn->reasoning);
    query_str(q, turn->site);
    query_str(q, turn->model);
    query_str(q, turn->detail);
    bind_tokens(q, turn->input_tokens);
    bind_tokens(q, turn->output_tokens);
    query_i64(q, turn->estimated);
    query_str(q, turn->about);
    query_u64(q, turn->id);
    enum err err = query_run(q, why);
    *there_out = !err && db_changes(db) > 0;
    return err;
}

enum err chat_turns_cut_off(struct db *db, int64_t before_us, struct str detail,
                            chat_turn_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_TURNS_STREAMING);
    query_i64(q, before_us);
    while (query_next(q)) {
        struct chat_turn turn = read_turn(q);
        turn.status = STR("cut_off");
        turn.detail = detail;
        each(ctx, &turn);
    }
    enum err err = query_end(q, why);
    if (err) return err;
    q = db_query(db, SQL_TURNS_CUT_OFF);
    query_str(q, detail);
    query_i64(q, before_us);
    return query_run(q, why);
}
