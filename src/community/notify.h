/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/notify.h: telling members what others did that is theirs to know.
 *
 * Called by the deeds of community/talk.c and follow.c, in their transaction,
 * whoever acts: members by the API, residents by their town. Nobody is told of
 * what they did themselves, and no resident is told anything. Each is told in
 * its topic `me` as well: notification.created, notification.deleted,
 * notification.read. Conventions as in community/talk.h.
 */
#pragma once

#include "community/act.h"
#include "store/comments.h"
#include "store/notifications.h"
#include "store/posts.h"

/* `me` follows `whom`, or no longer. */
MUST_USE enum err notify_follow(struct act *act, const struct user *whom, bool follows,
                                struct why *why);
/* `me` likes the post, or no longer. */
MUST_USE enum err notify_like(struct act *act, struct post_id post, bool likes, struct why *why);
/* Who is named in a post that says `now` and has said `before` (empty: it is new): who is named
 * since is told, who is named no longer is not. */
MUST_USE enum err notify_post(struct act *act, struct post_id post, struct str before,
                              struct str now, struct why *why);
/* The author of the comment that it answers, the post's author, and who is named in it: each once,
 * as the first of these. */
MUST_USE enum err notify_comment(struct act *act, const struct comment *comment, struct why *why);

/* Before they are deleted, and their notifications with them. */
MUST_USE enum err notify_comment_gone(struct act *act, struct comment_id comment, struct why *why);
/* At most NOTIFY_GONE_MAX members hear of it at once; the others find out when they look. */
enum { NOTIFY_GONE_MAX = 100 };
MUST_USE enum err notify_post_gone(struct act *act, struct post_id post, struct why *why);

/* `me` has read all up to `up_to` (0: all). */
MUST_USE enum err notify_read(struct act *act, uint64_t up_to, uint64_t *unread_out,
                              struct why *why);
