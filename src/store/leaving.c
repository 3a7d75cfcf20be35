/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/leaving.h"

#include "store/wiki_books.h"

enum err belongings_list(struct db *db, struct user_id user, enum belonging which, size_t limit,
                         struct belongings *out, struct why *why)
{
    static const enum sql lists[BELONGING_COUNT] = {
        [BELONGING_KEY] = SQL_KEYS_HELD,       [BELONGING_POST] = SQL_POSTS_OF,
        [BELONGING_COMMENT] = SQL_COMMENTS_OF, [BELONGING_LIKE] = SQL_LIKES_OF,
        [BELONGING_PARTNER] = SQL_PARTNERS_OF, [BELONGING_SAID] = SQL_SAID_IN_GROUPS,
        [BELONGING_IN_GROUP] = SQL_GROUPS_OF,  [BELONGING_CHAT] = SQL_CHATS_OF};
    ASSERT(limit <= BELONGINGS_MAX);
    struct query *q = db_query(db, lists[which]);
    query_u64(q, user.value);
    query_u64(q, limit);
    for (out->count = 0; query_next(q); out->count++) {
        out->ids[out->count] = query_get_u64(q, 0);
        out->beside[out->count] = which == BELONGING_COMMENT ? query_get_u64(q, 1) : 0;
    }
    return query_end(q, why);
}

static enum err remove_side(struct db *db, struct user_id user, struct user_id partner,
                            struct why *why)
{
    struct query *q = db_query(db, SQL_CONVERSATION_DELETE);
    query_u64(q, user.value);
    query_u64(q, partner.value);
    return query_run(q, why);
}

static struct query *ask_pair(struct db *db, enum sql which, struct user_id one,
                              struct user_id other)
{
    struct query *q = db_query(db, which);
    query_u64(q, MIN(one.value, other.value));
    query_u64(q, MAX(one.value, other.value));
    query_u64(q, LETTERS_MAX);
    return q;
}

enum err leaving_remove_letters(struct db *db, struct user_id user, struct user_id partner,
                                uint64_t ids[LETTERS_MAX], size_t *removed_out, struct why *why)
{
    size_t count = 0;
    struct query *q = ask_pair(db, SQL_PAIR_IDS, user, partner);
    while (query_next(q)) ids[count++] = query_get_u64(q, 0);
    enum err err = query_end(q, why);
    if (!err) err = query_run(ask_pair(db, SQL_PAIR_DELETE, user, partner), why);
    if (err) return err;
    *removed_out = count;
    if (count == LETTERS_MAX) return OK;
    err = remove_side(db, user, partner, why);
    return err ? err : remove_side(db, partner, user, why);
}

enum err leaving_forget_life(struct db *db, struct user_id user, size_t limit, size_t *removed_out,
                             struct why *why)
{
    static const enum sql parts[] = {SQL_LIFE_DELETE_LOG, SQL_LIFE_DELETE_MEMORIES,
                                     SQL_LIFE_LEAVE_LOG, SQL_LIFE_LEAVE_MEMORIES};
    enum err err = OK;
    *removed_out = 0;
    for (size_t i = 0; i < COUNT_OF(parts) && !err && *removed_out == 0; i++) {
        struct query *q = db_query(db, parts[i]);
        query_u64(q, user.value);
        query_u64(q, limit);
        err = query_run(q, why);
        if (!err) *removed_out = (size_t)db_changes(db);
    }
    return err;
}

/* --- the account --- */

enum err users_remove(struct db *db, const struct user *user, struct why *why)
{
    enum err err = wiki_books_remove_private(db, user->brief.id, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_USER_DELETE);
    query_u64(q, user->brief.id.value);
    err = query_run(q, why);
    if (err) return err;
    if (db_changes(db) == 0) return why_set(why, ERR_NOT_FOUND, "用户不存在 (no such user)");
    err = counter_add(db, user->brief.is_ai ? "residents" : "users", -1, why);
    /* It is gone from every list of conversations. */
    return err ? err : counter_add(db, "profiles", 1, why);
}
