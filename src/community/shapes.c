/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/shapes.h"

#include "base/limits.h"
#include "community/shelf.h"

void shape_user_brief(struct json_out *out, const char *key, const struct user_brief *user)
{
    json_open(out, key, '{');
    json_put_u64(out, "id", user->id.value);
    json_put_str(out, "username", user->username);
    json_put_str(out, "nickname", user->nickname);
    json_put_opt(out, "avatar_path", user->avatar_path);
    json_put_bool(out, "is_ai", user->is_ai);
    json_close(out, '}');
}

void shape_user_brief_or_null(struct json_out *out, const char *key, const struct user_brief *user)
{
    if (user->id.value) {
        shape_user_brief(out, key, user);
    } else {
        json_put_null(out, key);
    }
}

static void put_tally(struct json_out *out, const struct follow_tally *tally)
{
    json_put_u64(out, "followers_count", tally->followers_count);
    json_put_u64(out, "following_count", tally->following_count);
    json_put_bool(out, "following", tally->following);
}

void shape_tally(struct json_out *out, const char *key, const struct follow_tally *tally)
{
    json_open(out, key, '{');
    put_tally(out, tally);
    json_close(out, '}');
}

void shape_user(struct json_out *out, const char *key, const struct user *user,
                const struct follow_tally *tally, const struct known_wiki *wiki)
{
    json_open(out, key, '{');
    json_put_str(out, "username", user->brief.username);
    json_put_str(out, "nickname", user->brief.nickname);
    json_put_opt(out, "avatar_path", user->brief.avatar_path);
    json_put_opt(out, "bio", user->bio);
    json_put_bool(out, "is_ai", user->brief.is_ai);
    json_put_u64(out, "id", user->brief.id.value);
    json_put_time(out, "created_at", user->created_us);
    json_put_str(out, "role", str_of(role_name(user->role)));
    json_put_u64(out, "posts_count", user->posts_count);
    put_tally(out, tally);
    if (wiki && wiki->id) {
        json_open(out, "wiki", '{');
        json_put_u64(out, "id", wiki->id);
        json_put_str(out, "name", wiki->name);
        json_close(out, '}');
    }
    json_close(out, '}');
}

static void put_time_or_null(struct json_out *out, const char *key, int64_t wall_us)
{
    if (wall_us) {
        json_put_time(out, key, wall_us);
    } else {
        json_put_null(out, key);
    }
}

void shape_post(struct json_out *out, const char *key, const struct post *post)
{
    json_open(out, key, '{');
    json_put_str(out, "content", post->content);
    json_put_opt(out, "image_path", post->image_path);
    json_put_u64(out, "id", post->id.value);
    json_put_u64(out, "author_id", post->author.id.value);
    json_put_u64(out, "likes_count", post->likes_count);
    json_put_time(out, "created_at", post->created_us);
    shape_user_brief(out, "author", &post->author);
    json_put_bool(out, "is_liked", post->is_liked);
    json_put_u64(out, "comments_count", post->comments_count);
    put_time_or_null(out, "edited_at", post->edited_us);
    json_put_bool(out, "image_generated", picture_is_made(post->image_path));
    json_close(out, '}');
}

void shape_comment(struct json_out *out, const char *key, const struct comment *comment)
{
    json_open(out, key, '{');
    json_put_str(out, "content", comment->content);
    json_put_u64(out, "id", comment->id.value);
    json_put_u64(out, "post_id", comment->post.value);
    json_put_u64(out, "author_id", comment->author.id.value);
    json_put_time(out, "created_at", comment->created_us);
    shape_user_brief(out, "author", &comment->author);
    json_put_id(out, "parent_id", comment->parent.value);
    json_close(out, '}');
}

void shape_notification(struct json_out *out, const char *key,
                        const struct notification *notification)
{
    json_open(out, key, '{');
    json_put_u64(out, "id", notification->id.value);
    json_put_str(out, "kind", str_of(notification_kind_name(notification->kind)));
    shape_user_brief(out, "actor", &notification->actor);
    json_put_id(out, "post_id", notification->post.value);
    json_put_id(out, "comment_id", notification->comment.value);
    char excerpt[NOTIFICATION_EXCERPT_MAX * 4 + sizeof("…")];
    snprintf(excerpt, sizeof(excerpt), "%.*s%s", STR_ARGS(notification->excerpt),
             notification->excerpt_cut ? "…" : "");
    json_put_opt(out, "excerpt", str_of(notification->excerpt.at ? excerpt : NULL));
    json_put_bool(out, "is_read", notification->is_read);
    json_put_time(out, "created_at", notification->created_us);
    json_close(out, '}');
}

void shape_message(struct json_out *out, const char *key, const struct message *message)
{
    json_open(out, key, '{');
    json_put_u64(out, "id", message->id.value);
    json_put_u64(out, "sender_id", message->sender.id.value);
    json_put_id(out, "receiver_id", message->receiver.value);
    json_put_id(out, "group_id", message->group.value);
    json_put_str(out, "content", message->content);
    json_put_bool(out, "is_read", message->is_read);
    json_put_time(out, "created_at", message->created_us);
    shape_user_brief(out, "sender", &message->sender);
    json_put_opt(out, "client_id", message->client_id);
    json_close(out, '}');
}

void shape_conversation(struct json_out *out, const struct conversation *conversation)
{
    json_open(out, NULL, '{');
    shape_user_brief(out, "user", &conversation->partner);
    json_open(out, "last_message", '{');
    json_put_u64(out, "id", conversation->last_id.value);
    json_put_str(out, "content", conversation->last_content);
    json_put_time(out, "created_at", conversation->last_created_us);
    json_put_bool(out, "is_mine", conversation->last_is_mine);
    json_close(out, '}');
    json_put_u64(out, "unread_count", conversation->unread_count);
    json_close(out, '}');
}

void shape_group(struct json_out *out, const char *key, const struct group *group)
{
    json_open(out, key, '{');
    json_put_u64(out, "id", group->id.value);
    json_put_str(out, "name", group->name);
    json_put_str(out, "group_type", group->type);
    json_put_id(out, "owner_id", group->owner.value);
    json_put_u64(out, "members_count", group->members_count);
    json_put_u64(out, "messages_count", group->messages_count);
    json_put_u64(out, "unread_count", group->unread_count);
    json_put_u64(out, "read_id", group->read_id);
    json_put_time(out, "created_at", group->created_us);
    if (group->last_id.value) {
        json_open(out, "last_message", '{');
        json_put_u64(out, "id", group->last_id.value);
        json_put_u64(out, "sender_id", group->last_sender.value);
        json_put_str(out, "content", group->last_content);
        json_put_time(out, "created_at", group->last_created_us);
        json_close(out, '}');
    } else {
        json_put_null(out, "last_message");
    }
    json_close(out, '}');
}

void shape_cursor(struct json_out *out, const char *key, bool more, uint64_t id)
{
    if (more) {
        json_put_u64(out, key, id);
    } else {
        json_put_null(out, key);
    }
}

static struct str taken(struct arena *arena, struct buf *buf)
{
    ASSERT(!buf->failed);
    struct str text = arena_copy(arena, buf_str(buf));
    buf_release(buf);
    return text;
}

/* A text of its own out of a shape_x(): every one the same four lines. */
#define SHAPE_TEXT(name, type)                                                                     \
    struct str shape_##name##_text(struct arena *arena, const struct type *value)                  \
    {                                                                                              \
        struct buf buf;                                                                            \
        buf_init(&buf, LIMIT_JSON_BYTES);                                                          \
        struct json_out out = json_begin(&buf);                                                    \
        shape_##name(&out, NULL, value);                                                           \
        return taken(arena, &buf);                                                                 \
    }

SHAPE_TEXT(user_brief, user_brief)
SHAPE_TEXT(post, post)
SHAPE_TEXT(comment, comment)
SHAPE_TEXT(notification, notification)
SHAPE_TEXT(message, message)
SHAPE_TEXT(group, group)
