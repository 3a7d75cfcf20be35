/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/leaving.h"

#include "store/wiki_books.h"

enum err leaving_lock(struct db *db, struct user_id user, struct why *why)
{
    struct query *q = db_query(db, SQL_LEAVING_LOCK);
    query_u64(q, user.value);
    return query_run(q, why);
}

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

/* --- files --- */

/* Whoever shows it may name the picture or one of its smaller ones. */
static enum err look_who_shows(struct db *db, struct arena *arena, struct user_id owner,
                               struct left_file *file, struct why *why)
{
    struct str stem = str_head(file->name, str_find_byte(file->name, '.'));
    struct str paths[3] = {
        arena_printf(arena, "/files/%.*s/%.*s", STR_ARGS(file->folder), STR_ARGS(file->name)),
        arena_printf(arena, "/files/%.*s/%.*s_320.webp", STR_ARGS(file->folder), STR_ARGS(stem)),
        arena_printf(arena, "/files/%.*s/%.*s_1280.webp", STR_ARGS(file->folder), STR_ARGS(stem))};
    struct query *q = db_query(db, SQL_FILE_SHOWN);
    for (size_t i = 0; i < 6; i++) query_str(q, paths[i % 3]);
    query_u64(q, owner.value);
    file->shown = query_next(q) && query_get_i64(q, 0) != 0;
    return query_end(q, why);
}

enum err leaving_files(struct db *db, struct arena *arena, struct user_id user,
                       struct left_file files[LEFT_FILES_MAX], size_t *count_out, struct why *why)
{
    size_t count = 0;
    struct query *q = db_query(db, SQL_FILES_OF);
    query_u64(q, user.value);
    query_u64(q, LEFT_FILES_MAX);
    for (; query_next(q); count++) {
        bool avatar = str_eq(query_get_str(q, 1), STR("avatar"));
        files[count] = (struct left_file){.name = arena_copy(arena, query_get_str(q, 0)),
                                          .folder = avatar ? STR("avatars") : STR("images")};
    }
    enum err err = query_end(q, why);
    for (size_t i = 0; i < count && !err; i++) {
        err = look_who_shows(db, arena, user, &files[i], why);
    }
    *count_out = count;
    return err;
}

enum err leaving_drop_file(struct db *db, const struct left_file *file, struct why *why)
{
    struct query *q = db_query(db, file->shown ? SQL_FILE_DISOWN : SQL_FILE_DELETE);
    query_str(q, file->name);
    return query_run(q, why);
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
