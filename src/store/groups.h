/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/groups.h: group chats and who is in them. Their messages are in
 * store/messages.h. How many are unread is the difference of two counters, so
 * a message to 500 members changes one row. Lifetimes as in store/users.h.
 */
#pragma once

#include "store/messages.h"

struct group {
    struct group_id id;
    struct str name, type; /* type: "online" or "offline" */
    struct user_id owner;  /* 0: the owner's account is gone */
    uint64_t messages_count, unread_count, members_count;
    uint64_t read_id;
    int64_t created_us;
    /* The newest message; id 0: none yet. Filled by groups_list only. */
    struct message_id last_id;
    struct str last_content;
    int64_t last_created_us;
    struct user_id last_sender;
};

struct group_member {
    struct user_brief user;
    int64_t joined_us;
    uint64_t read_id;
};

typedef void group_each(void *ctx, const struct group *group);
typedef void group_member_each(void *ctx, const struct group_member *member);

MUST_USE enum err groups_add(struct db *db, struct str name, struct str type, struct user_id owner,
                             int64_t now_us, struct group_id *id_out, struct why *why);
/* Hold it and who is in it until the transaction is over: whoever decides by its members takes
 * this first, since on MariaDB others come and go meanwhile. ERR_NOT_FOUND: no such group
 * (not on SQLite, where nobody else changes anything meanwhile). */
MUST_USE enum err groups_lock(struct db *db, struct group_id id, struct why *why);
/* As this member sees it; ERR_NOT_FOUND also when they are no member. */
MUST_USE enum err groups_load(struct db *db, struct arena *arena, struct group_id id,
                              struct user_id member, struct group *group_out, struct why *why);
MUST_USE enum err groups_list(struct db *db, struct user_id member, uint64_t after, uint64_t limit,
                              group_each *each, void *ctx, struct why *why);
MUST_USE enum err groups_rename(struct db *db, struct group_id id, struct str name,
                                struct why *why);
MUST_USE enum err groups_set_owner(struct db *db, struct group_id id, struct user_id owner,
                                   struct why *why);
MUST_USE enum err groups_remove(struct db *db, struct group_id id, struct why *why);

/* ERR_CONFLICT: is a member already. ERR_INVALID: no such user. ERR_NOT_FOUND: no such group. */
MUST_USE enum err groups_add_member(struct db *db, struct group_id id, struct user_id user,
                                    int64_t now_us, struct why *why);
MUST_USE enum err groups_remove_member(struct db *db, struct group_id id, struct user_id user,
                                       bool *was_member_out, struct why *why);
MUST_USE enum err groups_is_member(struct db *db, struct group_id id, struct user_id user,
                                   bool *member_out, struct why *why);
/* The person with the smallest id, else the resident; 0: nobody is left. */
MUST_USE enum err groups_first_member(struct db *db, struct group_id id, struct user_id *user_out,
                                      struct why *why);
MUST_USE enum err groups_members(struct db *db, struct group_id id, uint64_t limit,
                                 group_member_each *each, void *ctx, struct why *why);
MUST_USE enum err groups_count_members(struct db *db, struct group_id id, uint64_t *count_out,
                                       struct why *why);
/* The member has read everything. */
MUST_USE enum err groups_read(struct db *db, struct group_id id, struct user_id member,
                              struct why *why);
