/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/users.h: accounts, of people and of residents.
 *
 * All calls on the thread of the connection; changes inside a transaction.
 * Texts that come out live in the arena given, or, in `each` callbacks, until
 * the callback returns.
 */
#pragma once

#include "store/db.h"

enum role { ROLE_MEMBER, ROLE_MODERATOR, ROLE_ADMIN, ROLE_RESIDENT };

const char *role_name(enum role role);
/* False: no such role. */
MUST_USE bool role_parse(struct str name, enum role *role_out);

/* What stands beside everything a member wrote. */
struct user_brief {
    struct user_id id;
    struct str username, nickname, avatar_path; /* avatar_path.at NULL: none */
    bool is_ai;
};

/* Of five columns from `column` on: id, username, nickname, avatar_path, is_ai. NULLs of a LEFT
 * JOIN give id 0. Texts are the row's … */
struct user_brief user_brief_read(struct query *q, int column);
/* … until they are kept. */
void user_brief_keep(struct arena *arena, struct user_brief *brief);

struct user {
    struct user_brief brief;
    struct str bio; /* .at NULL: none */
    enum role role;
    bool banned;
    uint64_t posts_count;
    int64_t created_us;
};

struct user_draft {
    struct str username, username_key; /* see auth/username.h */
    struct str password_hash;          /* .at NULL: can't log in */
    struct str nickname, avatar_path, bio, personality;
    bool is_ai;
    enum role role;
    int64_t created_us;
};

/* ERR_CONFLICT: the name is taken. */
MUST_USE enum err users_add(struct db *db, const struct user_draft *draft, struct user_id *id_out,
                            struct why *why);
/* ERR_NOT_FOUND with a sentence. */
MUST_USE enum err users_load(struct db *db, struct arena *arena, struct user_id id,
                             struct user *user_out, struct why *why);
/* Also the password hash (.at NULL: none). ERR_NOT_FOUND. */
MUST_USE enum err users_load_login(struct db *db, struct arena *arena, struct str username_key,
                                   struct user *user_out, struct str *hash_out, struct why *why);
/* The highest cost of imported bcrypt hashes, 0: there are none. Looks at every member. */
MUST_USE enum err users_bcrypt_cost(struct db *db, uint64_t *cost_out, struct why *why);
MUST_USE enum err users_load_password(struct db *db, struct arena *arena, struct user_id id,
                                      struct str *hash_out, struct why *why);

/* What decides whether an old token still counts. ERR_NOT_FOUND. */
struct standing {
    enum role role;
    bool banned;
    int64_t tokens_from_us;
};
/* Hold a member until the transaction is over: who counts what is theirs before adding to it takes
 * this first, since on MariaDB others count at the same moment. */
MUST_USE enum err users_lock(struct db *db, struct user_id user, struct why *why);
MUST_USE enum err users_load_standing(struct db *db, struct user_id id, struct standing *out,
                                      struct why *why);

typedef void user_each(void *ctx, const struct user *user);

struct users_query {
    enum { USERS_ALL, USERS_PEOPLE, USERS_RESIDENTS } which;
    uint64_t skip;  /* by position … */
    uint64_t after; /* … or, when not 0, by id: pages that do not shift */
    uint64_t limit;
};
MUST_USE enum err users_list(struct db *db, const struct users_query *query, user_each *each,
                             void *ctx, struct why *why);

/*
 * Members whose user name begins with `key` (auth/username.h) or whose nickname holds `text`, the
 * exact name first, then by id; banned ones are left out. Looks at every member: some 0.1 µs each,
 * so not on a loop.
 */
MUST_USE enum err users_search(struct db *db, struct arena *arena, struct str key, struct str text,
                               uint64_t limit, user_each *each, void *ctx, struct why *why);

/* An account as those see it who look after the community. */
struct user_account {
    struct user user;
    int64_t seen_us; /* when a log-in of theirs was last begun or renewed; 0: none is known */
};
typedef void user_account_each(void *ctx, const struct user_account *account);
struct users_accounts_query {
    struct str key, text; /* a part of the user name (as a key) or nickname; .len 0, both: any */
    bool by_role, by_banned;
    enum role role;
    bool banned;
    uint64_t before; /* older than this id, newest first (0: from the newest) … */
    uint64_t after;  /* … or, when not 0, newer, oldest first */
    uint64_t limit;
};
/* Walks the accounts until enough are found, so with a rare name it looks at every one; not on a
 * loop. */
MUST_USE enum err users_list_accounts(struct db *db, struct arena *arena,
                                      const struct users_accounts_query *query,
                                      user_account_each *each, void *ctx, struct why *why);
/* Administrators who are not banned. Who they are stays so until the transaction ends. */
MUST_USE enum err users_count_admins(struct db *db, uint64_t *count_out, struct why *why);

MUST_USE enum err users_set_profile(struct db *db, struct user_id id, struct str nickname,
                                    struct str avatar_path, struct str bio, int64_t now_us,
                                    struct why *why);
MUST_USE enum err users_set_password(struct db *db, struct user_id id, struct str hash,
                                     int64_t now_us, struct why *why);
MUST_USE enum err users_set_role(struct db *db, struct user_id id, enum role role, int64_t now_us,
                                 struct why *why);
MUST_USE enum err users_set_banned(struct db *db, struct user_id id, bool banned, int64_t now_us,
                                   struct why *why);
/* Tokens issued before `from_us` are void. */
MUST_USE enum err users_void_tokens(struct db *db, struct user_id id, int64_t from_us,
                                    struct why *why);

/* "users", "residents", "posts": kept exact by the functions that add and remove. "profiles": how
 * often users_set_profile() changed one; whatever else shows a changed name or picture adds to it.
 */
MUST_USE enum err counter_load(struct db *db, const char *name, uint64_t *value_out,
                               struct why *why);
MUST_USE enum err counter_add(struct db *db, const char *name, int64_t by, struct why *why);
