/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/notify.h"

#include "auth/mention.h"
#include "community/shapes.h"

/* --- one occasion --- */

/* One place in the log for each: who comes back hears how it stands, and not every step. */
static struct str fold_of(struct act *act, struct notification_id id)
{
    return arena_printf(act->arena, "notification:%llu", (unsigned long long)id.value);
}

static void tell_gone(struct act *act, struct user_id user, struct notification_id id)
{
    struct str data = arena_printf(act->arena, "{\"id\":%llu}", (unsigned long long)id.value);
    act_tell(act, topic_user(user), "notification.deleted", fold_of(act, id), data, false);
}

static enum err tell_of(struct act *act, struct notification_id id, struct why *why)
{
    struct notification notification;
    enum err err = notifications_load(act->db, act->arena, id, &notification, why);
    if (err) return err;
    act_tell(act, topic_user(notification.user), "notification.created", fold_of(act, id),
             shape_notification_text(act->arena, &notification), false);
    return OK;
}

/* `is_ai`: of who is told. */
static enum err set(struct act *act, const struct occasion *occasion, bool is_ai, bool stands,
                    struct why *why)
{
    if (is_ai || occasion->user.value == act->me.value) return OK;
    struct notification_id id;
    enum err err = notifications_set(act->db, occasion, stands, act->now_us, &id, why);
    if (err || id.value == 0) return err;
    if (stands) return tell_of(act, id, why);
    tell_gone(act, occasion->user, id);
    return OK;
}

enum err notify_follow(struct act *act, const struct user *whom, bool follows, struct why *why)
{
    struct occasion occasion = {.kind = NOTIFY_FOLLOW, .user = whom->brief.id, .actor = act->me};
    return set(act, &occasion, whom->brief.is_ai, follows, why);
}

enum err notify_like(struct act *act, struct post_id post, bool likes, struct why *why)
{
    struct occasion occasion = {.kind = NOTIFY_LIKE, .actor = act->me, .post = post};
    bool is_ai;
    enum err err = posts_load_author(act->db, post, &occasion.user, &is_ai, why);
    return err ? err : set(act, &occasion, is_ai, likes, why);
}

/* --- names --- */

/* The member of that name is told of `occasion`; a name that nobody has is only a word. */
static enum err set_named(struct act *act, struct str key, struct occasion occasion, bool stands,
                          struct why *why)
{
    struct user user;
    struct str hash;
    enum err err = users_load_login(act->db, act->arena, key, &user, &hash, why);
    if (err == ERR_NOT_FOUND) return OK;
    if (err) return err;
    occasion.user = user.brief.id;
    return set(act, &occasion, user.brief.is_ai, stands, why);
}

enum err notify_post(struct act *act, struct post_id post, struct str before, struct str now,
                     struct why *why)
{
    struct occasion occasion = {.kind = NOTIFY_MENTION, .actor = act->me, .post = post};
    struct mentions was, is;
    mentions_find(act->arena, before, &was);
    mentions_find(act->arena, now, &is);
    enum err err = OK;
    for (size_t i = 0; i < was.count && !err; i++) {
        if (!mentions_has(&is, was.keys[i]))
            err = set_named(act, was.keys[i], occasion, false, why);
    }
    for (size_t i = 0; i < is.count && !err; i++) {
        if (!mentions_has(&was, is.keys[i])) err = set_named(act, is.keys[i], occasion, true, why);
    }
    return err;
}

/* --- comments --- */

/* The store tells each once of a comment, so who comes first here is told as that. */
enum err notify_comment(struct act *act, const struct comment *comment, struct why *why)
{
    struct occasion occasion = {.actor = act->me, .post = comment->post, .comment = comment->id};
    enum err err = OK;
    bool is_ai;
    if (comment->parent.value) {
        struct comment parent;
        err = comments_load(act->db, act->arena, comment->parent, &parent, why);
        if (err) return err;
        occasion.kind = NOTIFY_REPLY;
        occasion.user = parent.author.id;
        err = set(act, &occasion, parent.author.is_ai, true, why);
    }
    if (!err) err = posts_load_author(act->db, comment->post, &occasion.user, &is_ai, why);
    if (err) return err;
    occasion.kind = NOTIFY_COMMENT;
    err = set(act, &occasion, is_ai, true, why);
    struct mentions named;
    mentions_find(act->arena, comment->content, &named);
    occasion.kind = NOTIFY_MENTION;
    for (size_t i = 0; i < named.count && !err; i++) {
        err = set_named(act, named.keys[i], occasion, true, why);
    }
    return err;
}

static void tell_comment_gone(void *ctx, struct user_id user, struct notification_id id)
{
    tell_gone(ctx, user, id);
}

enum err notify_comment_gone(struct act *act, struct comment_id comment, struct why *why)
{
    /* Who is named, whose post it is, and whom it answers. */
    return notifications_of_comment(act->db, comment, MENTIONS_MAX + 2, tell_comment_gone, act,
                                    why);
}

/* --- posts --- */

struct goodbye {
    struct act *act;
    struct str data;
};

static void tell_post_gone(void *ctx, struct user_id user, struct notification_id id)
{
    struct goodbye *goodbye = ctx;
    (void)id;
    act_tell(goodbye->act, topic_user(user), "notification.deleted", STR(""), goodbye->data, false);
}

enum err notify_post_gone(struct act *act, struct post_id post, struct why *why)
{
    struct goodbye goodbye = {
        act, arena_printf(act->arena, "{\"post_id\":%llu}", (unsigned long long)post.value)};
    return notifications_of_post(act->db, post, NOTIFY_GONE_MAX, tell_post_gone, &goodbye, why);
}

/* --- reading --- */

enum err notify_read(struct act *act, uint64_t up_to, uint64_t *unread_out, struct why *why)
{
    enum err err = notifications_read(act->db, act->me, up_to, &up_to, why);
    if (!err) err = notifications_unread(act->db, act->me, unread_out, why);
    if (err || up_to == 0) return err;
    struct str data = arena_printf(act->arena, "{\"up_to\":%llu}", (unsigned long long)up_to);
    act_tell(act, topic_user(act->me), "notification.read", STR("notification.read"), data, false);
    return OK;
}
