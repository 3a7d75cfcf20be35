/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/shapes.h: the JSON forms of what members see, in replies and in
 * events alike. Field names and order are those of the system we replace;
 * what is ours comes behind them.
 */
#pragma once

#include "base/json.h"
#include "store/comments.h"
#include "store/follows.h"
#include "store/groups.h"
#include "store/notifications.h"
#include "store/posts.h"
#include "store/wikis.h"

void shape_user_brief(struct json_out *out, const char *key, const struct user_brief *user);
/* null for id 0: an account that is gone, or none. */
void shape_user_brief_or_null(struct json_out *out, const char *key, const struct user_brief *user);
/* `tally`: for who reads this. `wiki`: NULL, or id 0: nothing is said of it. */
void shape_user(struct json_out *out, const char *key, const struct user *user,
                const struct follow_tally *tally, const struct known_wiki *wiki);
void shape_tally(struct json_out *out, const char *key, const struct follow_tally *tally);
void shape_post(struct json_out *out, const char *key, const struct post *post);
void shape_comment(struct json_out *out, const char *key, const struct comment *comment);
void shape_notification(struct json_out *out, const char *key,
                        const struct notification *notification);
void shape_message(struct json_out *out, const char *key, const struct message *message);
void shape_conversation(struct json_out *out, const struct conversation *conversation);
void shape_group(struct json_out *out, const char *key, const struct group *group);
/* Where a list goes on: `id` of its last item, null when there is no `more`. */
void shape_cursor(struct json_out *out, const char *key, bool more, uint64_t id);

/* The same as a text of its own, in `arena`. */
struct str shape_user_brief_text(struct arena *arena, const struct user_brief *user);
struct str shape_post_text(struct arena *arena, const struct post *post);
struct str shape_comment_text(struct arena *arena, const struct comment *comment);
struct str shape_notification_text(struct arena *arena, const struct notification *notification);
struct str shape_message_text(struct arena *arena, const struct message *message);
struct str shape_group_text(struct arena *arena, const struct group *group);
