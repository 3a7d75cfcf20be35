/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/users.h"

static const char *const role_names[] = {[ROLE_MEMBER] = "member",
                                         [ROLE_MODERATOR] = "moderator",
                                         [ROLE_ADMIN] = "admin",
                                         [ROLE_RESIDENT] = "resident"};

const char *role_name(enum role role)
{
    return role_names[role];
}

bool role_parse(struct str name, enum role *role_out)
{
    for (size_t i = 0; i < COUNT_OF(role_names); i++) {
        if (!str_eq(name, str_of(role_names[i]))) continue;
        *role_out = (enum role)i;
        return true;
    }
    return false;
}

struct user_brief user_brief_read(struct query *q, int column)
{
    return (struct user_brief){.id = {query_get_u64(q, column)},
                               .username = query_get_str(q, column + 1),
                               .nickname = query_get_str(q, column + 2),
                               .avatar_path = query_get_str(q, column + 3),
                               .is_ai = query_get_i64(q, column + 4) != 0};
}

void user_brief_keep(struct arena *arena, struct user_brief *brief)
{
    brief->username = arena_keep(arena, brief->username);
    brief->nickname = arena_keep(arena, brief->nickname);
    brief->avatar_path = arena_keep(arena, brief->avatar_path);
}

/* A row of USER_COLUMNS; texts are the row's. */
static struct user read_user(struct query *q)
{
    struct user user = {.brief = user_brief_read(q, 0),
                        .bio = query_get_str(q, 5),
                        .banned = !query_is_null(q, 7),
                        .posts_count = query_get_u64(q, 8),
                        .created_us = query_get_i64(q, 9)};
    if (!role_parse(query_get_str(q, 6), &user.role)) user.role = ROLE_MEMBER;
    return user;
}

static void keep_user(struct arena *arena, struct user *user)
{
    user_brief_keep(arena, &user->brief);
    user->bio = arena_keep(arena, user->bio);
}

enum err counter_add(struct db *db, const char *name, int64_t by, struct why *why)
{
    struct query *q = db_query(db, SQL_COUNTER_ADD);
    query_i64(q, by);
    query_str(q, str_of(name));
    return query_run(q, why);
}

enum err counter_load(struct db *db, const char *name, uint64_t *value_out, struct why *why)
{
    struct query *q = db_query(db, SQL_COUNTER_GET);
    query_str(q, str_of(name));
    *value_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err users_add(struct db *db, const struct user_draft *draft, struct user_id *id_out,
                   struct why *why)
{
    struct query *q = db_query(db, SQL_USER_ADD);
    query_str(q, draft->username);
    query_str(q, draft->username_key);
    query_str(q, draft->password_hash);
    query_str(q, draft->nickname);
    query_str(q, draft->avatar_path);
    query_str(q, draft->bio);
    query_i64(q, draft->is_ai);
    query_str(q, str_of(role_name(draft->role)));
    query_str(q, draft->personality);
    query_i64(q, draft->created_us);
    query_i64(q, draft->created_us);
    enum err err = query_run(q, why);
    if (err == ERR_CONFLICT) {
        return why_set(why, err, "用户名已存在 (the user name \"%.*s\" is taken)",
                       STR_ARGS(draft->username));
    }
    if (err) return err;
    id_out->value = db_last_id(db);
    return counter_add(db, draft->is_ai ? "residents" : "users", 1, why);
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "用户不存在 (no such user)");
}

enum err users_load(struct db *db, struct arena *arena, struct user_id id, struct user *user_out,
                    struct why *why)
{
    struct query *q = db_query(db, SQL_USER_LOAD);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *user_out = read_user(q);
        keep_user(arena, user_out);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err users_load_login(struct db *db, struct arena *arena, struct str username_key,
                          struct user *user_out, struct str *hash_out, struct why *why)
{
    struct query *q = db_query(db, SQL_USER_LOAD_BY_KEY);
    query_str(q, username_key);
    bool found = query_next(q);
    if (found) {
        *user_out = read_user(q);
        keep_user(arena, user_out);
        *hash_out = arena_keep(arena, query_get_str(q, 10));
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err users_bcrypt_cost(struct db *db, uint64_t *cost_out, struct why *why)
{
    struct query *q = db_query(db, SQL_USERS_BCRYPT);
    *cost_out = 0;
    if (query_next(q) && !str_to_u64(query_get_str(q, 0), cost_out)) *cost_out = 0;
    return query_end(q, why);
}

enum err users_load_password(struct db *db, struct arena *arena, struct user_id id,
                             struct str *hash_out, struct why *why)
{
    struct query *q = db_query(db, SQL_USER_PASSWORD);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) *hash_out = arena_keep(arena, query_get_str(q, 0));
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err users_lock(struct db *db, struct user_id user, struct why *why)
{
    struct query *q = db_query(db, SQL_USER_LOCK);
    query_u64(q, user.value);
    return query_run(q, why);
}

enum err users_load_standing(struct db *db, struct user_id id, struct standing *out,
                             struct why *why)
{
    struct query *q = db_query(db, SQL_USER_STANDING);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *out = (struct standing){.banned = !query_is_null(q, 1),
                                 .tokens_from_us = query_get_i64(q, 2)};
        if (!role_parse(query_get_str(q, 0), &out->role)) out->role = ROLE_MEMBER;
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err users_list(struct db *db, const struct users_query *query, user_each *each, void *ctx,
                    struct why *why)
{
    bool all = query->which == USERS_ALL, by_id = query->after != 0;
    struct query *q = db_query(db, by_id ? (all ? SQL_USERS_AFTER : SQL_USERS_AFTER_AI)
                                         : (all ? SQL_USERS_LIST : SQL_USERS_LIST_AI));
    if (!all) query_i64(q, query->which == USERS_RESIDENTS);
    if (by_id) query_u64(q, query->after);
    query_u64(q, query->limit);
    if (!by_id) query_u64(q, query->skip);
    while (query_next(q)) {
        struct user user = read_user(q);
        each(ctx, &user);
    }
    return query_end(q, why);
}

/* A pattern of LIKE that means this very text, ESCAPE '!'. */
static struct str like(struct arena *arena, const char *before, struct str text)
{
    char *at = arena_alloc(arena, 2 * text.len + 3);
    size_t len = 0;
    for (; *before; before++) at[len++] = *before;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%' || c == '_' || c == '!') at[len++] = '!';
        at[len++] = c;
    }
    at[len++] = '%';
    return (struct str){at, len};
}

enum err users_search(struct db *db, struct arena *arena, struct str key, struct str text,
                      uint64_t limit, user_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_USERS_SEARCH);
    query_str(q, like(arena, "", key));
    query_str(q, like(arena, "%", text));
    query_str(q, key);
    query_u64(q, limit);
    while (query_next(q)) {
        struct user user = read_user(q);
        each(ctx, &user);
    }
    return query_end(q, why);
}

/* Each that is not asked for is NULL twice or thrice over. */
static void bind_filters(struct query *q, struct arena *arena,
                         const struct users_accounts_query *query)
{
    struct str key = {0}, text = {0}, role = {0};
    if (query->text.len > 0) {
        key = like(arena, "%", query->key);
        text = like(arena, "%", query->text);
    }
    if (query->by_role) role = str_of(role_name(query->role));
    query_str(q, key);
    query_str(q, key);
    query_str(q, text);
    query_str(q, role);
    query_str(q, role);
    query_i64(q, !query->by_banned);
    query_i64(q, query->banned);
}

enum err users_list_accounts(struct db *db, struct arena *arena,
                             const struct users_accounts_query *query, user_account_each *each,
                             void *ctx, struct why *why)
{
    bool newer = query->after != 0;
    struct query *q = db_query(db, newer ? SQL_MEMBERS_AFTER : SQL_MEMBERS_BEFORE);
    if (newer) {
        query_u64(q, query->after);
    } else {
        query_i64(q, query->before ? (int64_t)query->before : INT64_MAX);
    }
    bind_filters(q, arena, query);
    query_u64(q, query->limit);
    while (query_next(q)) {
        struct user_account account = {.user = read_user(q), .seen_us = query_get_i64(q, 10)};
        each(ctx, &account);
    }
    return query_end(q, why);
}

enum err users_count_admins(struct db *db, uint64_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_ADMINS_LOCK);
    *count_out = 0;
    while (query_next(q)) *count_out += query_is_null(q, 0);
    return query_end(q, why);
}

/* Run a change of one user: nothing matched means there is no such user. */
static enum err run_on_user(struct db *db, struct query *q, struct why *why)
{
    enum err err = query_run(q, why);
    if (err) return err;
    return db_changes(db) == 0 ? not_found(why) : OK;
}

enum err users_set_profile(struct db *db, struct user_id id, struct str nickname,
                           struct str avatar_path, struct str bio, int64_t now_us, struct why *why)
{
    struct query *q = db_query(db, SQL_USER_SET_PROFILE);
    query_str(q, nickname);
    query_str(q, avatar_path);
    query_str(q, bio);
    query_i64(q, now_us);
    query_u64(q, id.value);
    enum err err = run_on_user(db, q, why);
    return err ? err : counter_add(db, "profiles", 1, why);
}

enum err users_set_password(struct db *db, struct user_id id, struct str hash, int64_t now_us,
                            struct why *why)
{
    struct query *q = db_query(db, SQL_USER_SET_PASSWORD);
    query_str(q, hash);
    query_i64(q, now_us);
    query_u64(q, id.value);
    return run_on_user(db, q, why);
}

enum err users_set_role(struct db *db, struct user_id id, enum role role, int64_t now_us,
                        struct why *why)
{
    struct query *q = db_query(db, SQL_USER_SET_ROLE);
    query_str(q, str_of(role_name(role)));
    query_i64(q, now_us);
    query_u64(q, id.value);
    return run_on_user(db, q, why);
}

enum err users_set_banned(struct db *db, struct user_id id, bool banned, int64_t now_us,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_USER_SET_BANNED);
    if (banned) {
        query_i64(q, now_us);
    } else {
        query_null(q);
    }
    query_i64(q, now_us);
    query_u64(q, id.value);
    return run_on_user(db, q, why);
}

enum err users_void_tokens(struct db *db, struct user_id id, int64_t from_us, struct why *why)
{
    struct query *q = db_query(db, SQL_USER_VOID_TOKENS);
    query_i64(q, from_us);
    query_u64(q, id.value);
    return run_on_user(db, q, why);
}
