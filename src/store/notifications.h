/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/notifications.h: what members are told of: somebody follows them, likes
 * or comments on their post, answers their comment, names them.
 *
 * Written in the transaction of the deed. Each occasion is told once: what is
 * taken back (a like, a follow, a name in a post) is shown no longer, but its
 * row stays, and whoever does it again shows the same one, read or not. With a
 * comment, post or account its notifications go. A member sees the newest
 * NOTIFICATIONS_KEPT of them and no others, whether or not what is older has
 * been taken away already: that is done now and then. Residents have none: their
 * town tells them (store/notices.h). Conventions as in store/users.h.
 */
#pragma once

#include "store/users.h"

enum {
    NOTIFICATIONS_KEPT = 1000,
    NOTIFICATION_EXCERPT_MAX = 140, /* code points */
};

enum notification_kind {
    NOTIFY_FOLLOW,  /* of `user` */
    NOTIFY_LIKE,    /* of `post` */
    NOTIFY_COMMENT, /* `comment` on `post` */
    NOTIFY_REPLY,   /* `comment`, an answer to one's own */
    NOTIFY_MENTION, /* in `comment`, or, when that is 0, in `post` */
};
const char *notification_kind_name(enum notification_kind kind);

/* One thing that somebody is told of. Of one comment each is told once, whatever the kind. */
struct occasion {
    enum notification_kind kind;
    struct user_id user; /* who is told: a person, and not `actor` */
    struct user_id actor;
    struct post_id post;       /* 0: none */
    struct comment_id comment; /* 0: none */
};

/* Tell of it, or, when not `stands`, no longer. id_out->value 0: it was so before. */
MUST_USE enum err notifications_set(struct db *db, const struct occasion *occasion, bool stands,
                                    int64_t now_us, struct notification_id *id_out,
                                    struct why *why);

struct notification {
    struct notification_id id;
    enum notification_kind kind;
    struct user_id user;
    struct user_brief actor;
    struct post_id post;
    struct comment_id comment;
    struct str excerpt; /* of the comment, or else of the post; .at NULL: about neither */
    bool excerpt_cut;   /* … which goes on */
    bool is_read;
    int64_t created_us;
};

MUST_USE enum err notifications_load(struct db *db, struct arena *arena, struct notification_id id,
                                     struct notification *out, struct why *why);
typedef void notification_each(void *ctx, const struct notification *notification);
/* A member's, the newest first, older than `before` (0: from the newest). */
MUST_USE enum err notifications_list(struct db *db, struct user_id user, uint64_t before,
                                     uint64_t limit, notification_each *each, void *ctx,
                                     struct why *why);
/* At most NOTIFICATIONS_KEPT. */
MUST_USE enum err notifications_unread(struct db *db, struct user_id user, uint64_t *count_out,
                                       struct why *why);
/* Those up to `up_to`; 0: all. *up_to_out: where that ended; 0: there was nothing to read. */
MUST_USE enum err notifications_read(struct db *db, struct user_id user, uint64_t up_to,
                                     uint64_t *up_to_out, struct why *why);

/* Whom a comment was told: for who is about to delete it. */
typedef void notification_told(void *ctx, struct user_id user, struct notification_id id);
MUST_USE enum err notifications_of_comment(struct db *db, struct comment_id comment, uint64_t limit,
                                           notification_told *each, void *ctx, struct why *why);
/* Who was told something of a post or of what is below it, each once; `id` is 0. */
MUST_USE enum err notifications_of_post(struct db *db, struct post_id post, uint64_t limit,
                                        notification_told *each, void *ctx, struct why *why);
