/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/messages.h"

#include "store/groups.h"

/* A row of MESSAGE_COLUMNS; texts are the row's. */
static struct message read_message(struct query *q)
{
    return (struct message){.id = {query_get_u64(q, 0)},
                            .receiver = {query_get_u64(q, 2)},
                            .group = {query_get_u64(q, 3)},
                            .content = query_get_str(q, 4),
                            .client_id = query_get_str(q, 5),
                            .created_us = query_get_i64(q, 6),
                            .sender = {.id = {query_get_u64(q, 1)},
                                       .username = query_get_str(q, 7),
                                       .nickname = query_get_str(q, 8),
                                       .avatar_path = query_get_str(q, 9),
                                       .is_ai = query_get_i64(q, 10) != 0}};
}

static void bind_pair(struct query *q, struct user_id a, struct user_id b)
{
    query_u64(q, MIN(a.value, b.value));
    query_u64(q, MAX(a.value, b.value));
}

static enum err count_in_conversation(struct db *db, struct user_id user, struct user_id partner,
                                      struct message_id last, unsigned unread, struct why *why)
{
    struct query *q = db_query(db, SQL_CONVERSATION_ADD);
    query_u64(q, user.value);
    query_u64(q, partner.value);
    query_u64(q, last.value);
    query_u64(q, unread);
    return query_run(q, why);
}

static enum err count_in_group(struct db *db, const struct message_draft *draft,
                               struct message_id last, struct why *why)
{
    struct query *q = db_query(db, SQL_GROUP_COUNT_MESSAGE);
    query_u64(q, last.value);
    query_u64(q, draft->group.value);
    enum err err = query_run(q, why);
    if (err) return err;
    /* Who writes has read what stands above. */
    q = db_query(db, SQL_GROUP_READ);
    query_u64(q, draft->group.value);
    query_u64(q, draft->sender.value);
    return query_run(q, why);
}

/* Hold what the message is counted in, before it gets its id. */
static enum err lock_place(struct db *db, struct group_id group, struct user_id a, struct user_id b,
                           struct why *why)
{
    if (group.value) return groups_lock(db, group, why);
    struct query *q = db_query(db, SQL_CONVERSATION_LOCK);
    bind_pair(q, a, b);
    return query_run(q, why);
}

/* Both sides, in the same order whoever wrote: two that write at once can't wait for each other. */
static enum err count_in_pair(struct db *db, const struct message_draft *draft,
                              struct message_id last, struct why *why)
{
    struct user_id from = draft->sender, to = draft->receiver;
    bool sender_first = from.value < to.value;
    enum err err = sender_first ? count_in_conversation(db, from, to, last, 0, why)
                                : count_in_conversation(db, to, from, last, 1, why);
    if (err) return err;
    return sender_first ? count_in_conversation(db, to, from, last, 1, why)
                        : count_in_conversation(db, from, to, last, 0, why);
}

enum err messages_add(struct db *db, const struct message_draft *draft, struct message_id *id_out,
                      struct why *why)
{
    bool in_group = draft->group.value != 0;
    ASSERT(in_group != (draft->receiver.value != 0));
    enum err err = lock_place(db, draft->group, draft->sender, draft->receiver, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_MESSAGE_ADD);
    query_u64(q, draft->sender.value);
    query_id(q, draft->receiver.value);
    query_id(q, draft->group.value);
    if (in_group) {
        query_u64(q, 0);
        query_u64(q, 0);
    } else {
        bind_pair(q, draft->sender, draft->receiver);
    }
    query_str(q, draft->content);
    query_str(q, draft->client_id);
    query_i64(q, draft->created_us);
    err = query_run(q, why);
    if (err) return err;
    id_out->value = db_last_id(db);
    return in_group ? count_in_group(db, draft, *id_out, why)
                    : count_in_pair(db, draft, *id_out, why);
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "消息不存在 (no such message)");
}

static enum err load_one(struct db *db, struct query *q, struct arena *arena,
                         struct message *message, struct why *why)
{
    bool found = query_next(q);
    if (found) {
        *message = read_message(q);
        message->content = arena_keep(arena, message->content);
        message->client_id = arena_keep(arena, message->client_id);
        user_brief_keep(arena, &message->sender);
    }
    enum err err = query_end(q, why);
    if (err) return err;
    if (!found) return not_found(why);
    if (message->receiver.value == 0) return OK;
    struct conversation_side side;
    err = conversations_load(db, message->receiver, message->sender.id, &side, why);
    if (!err) message->is_read = message->id.value <= side.read_id;
    return err;
}

enum err messages_load(struct db *db, struct arena *arena, struct message_id id,
                       struct message *message_out, struct why *why)
{
    struct query *q = db_query(db, SQL_MESSAGE_LOAD);
    query_u64(q, id.value);
    return load_one(db, q, arena, message_out, why);
}

enum err messages_load_by_client(struct db *db, struct arena *arena, struct user_id sender,
                                 struct str client_id, struct message *message_out, struct why *why)
{
    struct query *q = db_query(db, SQL_MESSAGE_BY_CLIENT);
    query_u64(q, sender.value);
    query_str(q, client_id);
    return load_one(db, q, arena, message_out, why);
}

static enum err last_of_pair(struct db *db, const struct message *message, uint64_t *last_out,
                             struct why *why)
{
    struct query *q = db_query(db, SQL_MESSAGES_PAIR_LAST);
    bind_pair(q, message->sender.id, message->receiver);
    *last_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

/* `received`: the message, where it came from the partner and may have been unread; 0: own. */
static enum err uncount_side(struct db *db, struct user_id user, struct user_id partner,
                             uint64_t last, uint64_t received, struct why *why)
{
    struct query *q = db_query(db, SQL_CONVERSATION_REMOVED);
    query_u64(q, last);
    query_u64(q, received);
    query_u64(q, user.value);
    query_u64(q, partner.value);
    return query_run(q, why);
}

static enum err uncount_in_group(struct db *db, const struct message *message, struct why *why)
{
    struct query *q = db_query(db, SQL_MESSAGES_GROUP_LAST);
    query_u64(q, message->group.value);
    uint64_t last = query_next(q) ? query_get_u64(q, 0) : 0;
    enum err err = query_end(q, why);
    if (err) return err;
    q = db_query(db, SQL_GROUP_MESSAGE_REMOVED);
    query_u64(q, last);
    query_u64(q, message->group.value);
    err = query_run(q, why);
    if (err) return err;
    q = db_query(db, SQL_GROUP_UNCOUNT_READ);
    query_u64(q, message->group.value);
    query_u64(q, message->id.value);
    return query_run(q, why);
}

static enum err uncount_in_pair(struct db *db, const struct message *message, struct why *why)
{
    uint64_t last;
    enum err err = last_of_pair(db, message, &last, why);
    if (err) return err;
    err = uncount_side(db, message->sender.id, message->receiver, last, 0, why);
    if (err) return err;
    return uncount_side(db, message->receiver, message->sender.id, last, message->id.value, why);
}

enum err messages_remove(struct db *db, const struct message *message, struct why *why)
{
    enum err err = lock_place(db, message->group, message->sender.id, message->receiver, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_MESSAGE_DELETE);
    query_u64(q, message->id.value);
    err = query_run(q, why);
    if (err) return err;
    if (db_changes(db) == 0) return not_found(why);
    return message->group.value ? uncount_in_group(db, message, why)
                                : uncount_in_pair(db, message, why);
}

static struct query *query_of(struct db *db, const struct messages_query *query)
{
    uint64_t key = query->before ? query->before : query->after;
    struct query *q;
    if (query->group.value) {
        q = db_query(db, query->after ? SQL_MESSAGES_GROUP_AFTER : SQL_MESSAGES_GROUP_BEFORE);
        query_u64(q, query->group.value);
        query_u64(q, key ? key : INT64_MAX);
        query_u64(q, query->limit);
        return q;
    }
    q = db_query(db, query->before  ? SQL_MESSAGES_PAIR_BEFORE
                     : query->after ? SQL_MESSAGES_PAIR_AFTER
                                    : SQL_MESSAGES_PAIR_PAGE);
    bind_pair(q, query->reader, query->partner);
    if (key) query_u64(q, key);
    query_u64(q, query->limit);
    if (!key) query_u64(q, query->skip);
    return q;
}

enum err messages_list(struct db *db, const struct messages_query *query, message_each *each,
                       void *ctx, struct why *why)
{
    struct conversation_side mine = {0}, theirs = {0};
    if (query->group.value == 0) {
        enum err err = conversations_load(db, query->reader, query->partner, &mine, why);
        if (!err) err = conversations_load(db, query->partner, query->reader, &theirs, why);
        if (err) return err;
    }
    struct query *q = query_of(db, query);
    while (query_next(q)) {
        struct message message = read_message(q);
        bool own = message.sender.id.value == query->reader.value;
        message.is_read = message.id.value <= (own ? theirs.read_id : mine.read_id);
        each(ctx, &message);
    }
    return query_end(q, why);
}

enum err conversations_load(struct db *db, struct user_id user, struct user_id partner,
                            struct conversation_side *side_out, struct why *why)
{
    struct query *q = db_query(db, SQL_CONVERSATION_LOAD);
    query_u64(q, user.value);
    query_u64(q, partner.value);
    *side_out = (struct conversation_side){0};
    if (query_next(q)) {
        *side_out = (struct conversation_side){query_get_u64(q, 0), query_get_u64(q, 1),
                                               query_get_u64(q, 2), query_get_u64(q, 3)};
    }
    return query_end(q, why);
}

enum err conversations_read(struct db *db, struct user_id user, struct user_id partner,
                            bool *changed_out, struct why *why)
{
    /* As whoever writes in it does: the place first, then the sides. */
    enum err err = lock_place(db, (struct group_id){0}, user, partner, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_CONVERSATION_READ);
    query_u64(q, user.value);
    query_u64(q, partner.value);
    err = query_run(q, why);
    *changed_out = !err && db_changes(db) > 0;
    return err;
}

enum err conversations_list(struct db *db, struct user_id user, uint64_t before, uint64_t limit,
                            conversation_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_CONVERSATIONS_LIST);
    query_u64(q, user.value);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    while (query_next(q)) {
        struct conversation conversation = {
            .partner = {.id = {query_get_u64(q, 0)},
                        .username = query_get_str(q, 2),
                        .nickname = query_get_str(q, 3),
                        .avatar_path = query_get_str(q, 4),
                        .is_ai = query_get_i64(q, 5) != 0},
            .unread_count = query_get_u64(q, 1),
            .last_id = {query_get_u64(q, 6)},
            .last_content = query_get_str(q, 7),
            .last_created_us = query_get_i64(q, 8),
            .last_is_mine = query_get_u64(q, 9) == user.value,
        };
        each(ctx, &conversation);
    }
    return query_end(q, why);
}

bool conversations_load_version(struct db *db, struct str topic, struct conversations_version *out,
                                struct query **moment_out)
{
    struct query *q = *moment_out = db_query(db, SQL_CONVERSATIONS_VERSION);
    query_str(q, topic);
    if (!query_next(q)) return false;
    *out = (struct conversations_version){query_get_u64(q, 0), query_get_u64(q, 1)};
    return true;
}

enum err conversations_unread(struct db *db, struct user_id user, uint64_t *count_out,
                              struct why *why)
{
    struct query *q = db_query(db, SQL_UNREAD_TOTAL);
    query_u64(q, user.value);
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}
