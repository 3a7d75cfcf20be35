/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/messages.h: messages, private and in groups, and the list of conversations.
 *
 * A private conversation has one row for each side (what it shows in its list:
 * last message, how many are unread, up to where it has read). Whether a
 * message was read follows from the receiver's row; no message is ever
 * rewritten for it, so marking a thousand messages read costs one change.
 * Lifetimes as in store/users.h.
 */
#pragma once

#include "store/users.h"

struct message {
    struct message_id id;
    struct user_brief sender;
    struct user_id receiver; /* 0 in groups */
    struct group_id group;   /* 0 in private */
    struct str content;
    struct str client_id; /* .at NULL: none */
    bool is_read;
    int64_t created_us;
};

typedef void message_each(void *ctx, const struct message *message);

struct message_draft {
    struct user_id sender, receiver;
    struct group_id group;
    struct str content, client_id;
    int64_t created_us;
};

/* Also counts it in the conversation rows or the group. ERR_CONFLICT: that client id was used. */
MUST_USE enum err messages_add(struct db *db, const struct message_draft *draft,
                               struct message_id *id_out, struct why *why);
/* `is_read` is filled in for private ones. ERR_NOT_FOUND. */
MUST_USE enum err messages_load(struct db *db, struct arena *arena, struct message_id id,
                                struct message *message_out, struct why *why);
/* The message the sender gave that name. ERR_NOT_FOUND. */
MUST_USE enum err messages_load_by_client(struct db *db, struct arena *arena, struct user_id sender,
                                          struct str client_id, struct message *message_out,
                                          struct why *why);
/* Also uncounts it. ERR_NOT_FOUND: somebody was faster. */
MUST_USE enum err messages_remove(struct db *db, const struct message *message, struct why *why);

struct messages_query {
    struct user_id reader, partner; /* private … */
    struct group_id group;          /* … or, when not 0, this group */
    uint64_t skip;                  /* newest first, by position (private only) … */
    uint64_t before;                /* … or older than this id, newest first … */
    uint64_t after;                 /* … or newer than this id, oldest first */
    uint64_t limit;
};
MUST_USE enum err messages_list(struct db *db, const struct messages_query *query,
                                message_each *each, void *ctx, struct why *why);

/* One side of a private conversation; all zero when there is none. */
struct conversation_side {
    uint64_t last_message_id, messages_count, unread_count, read_id;
};
MUST_USE enum err conversations_load(struct db *db, struct user_id user, struct user_id partner,
                                     struct conversation_side *side_out, struct why *why);
/* Everything from `partner` counts as read by `user`. */
MUST_USE enum err conversations_read(struct db *db, struct user_id user, struct user_id partner,
                                     bool *changed_out, struct why *why);

struct conversation {
    struct user_brief partner;
    uint64_t unread_count;
    struct message_id last_id;
    struct str last_content;
    int64_t last_created_us;
    bool last_is_mine;
};
typedef void conversation_each(void *ctx, const struct conversation *conversation);
/* Newest last message first; `before` (0: from the newest) is a last message's id. */
MUST_USE enum err conversations_list(struct db *db, struct user_id user, uint64_t before,
                                     uint64_t limit, conversation_each *each, void *ctx,
                                     struct why *why);

/*
 * Of which state a member's list is: neither number ever goes back, and nothing that the list shows
 * changes without one of them. `topic` is the member's own, where letters.c tells of all that
 * happens to their conversations.
 */
struct conversations_version {
    uint64_t events;   /* the number of `topic` */
    uint64_t profiles; /* the counter of changed profiles, everybody's */
};
/*
 * False: it could not be read. Either way `*moment_out` is for the caller to end, and says why.
 * What is read before that is of the same moment (SQLite), and pays for no transaction of its own.
 */
bool conversations_load_version(struct db *db, struct str topic, struct conversations_version *out,
                                struct query **moment_out);
MUST_USE enum err conversations_unread(struct db *db, struct user_id user, uint64_t *count_out,
                                       struct why *why);
