/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/talk.h"

#include <limits.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "community/notify.h"
#include "community/picture.h"
#include "community/shapes.h"
#include "store/files.h"
#include "store/notices.h"

static bool is_moderator(const struct act *act)
{
    return act->role == ROLE_MODERATOR || act->role == ROLE_ADMIN;
}

/* Whoever takes away what another wrote leaves a note of whose it was, and what it said. */
static enum err note_removed(struct act *act, enum audit_action action, const char *kind,
                             uint64_t id, const struct user_brief *author, struct str content,
                             struct why *why)
{
    if (author->id.value == act->me.value) return OK;
    struct str detail =
        arena_printf(act->arena, "@%.*s: %.*s", STR_ARGS(author->username), STR_ARGS(content));
    return act_audit(act, action, kind, id, detail, why);
}

/* A plain file in our folder: nothing else is ever served. */
static bool is_uploaded(struct str upload_dir, struct str path)
{
    char file[PATH_MAX];
    struct stat info;
    int len = snprintf(file, sizeof(file), "%.*s/%.*s", STR_ARGS(upload_dir), STR_ARGS(path));
    return len < (int)sizeof(file) && lstat(file, &info) == 0 && S_ISREG(info.st_mode);
}

/*
 * A picture a member names is fetched by everybody who sees it, so a foreign
 * address would tell a stranger who reads what. Only what was uploaded here.
 */
enum err picture_path_check(const char *field, struct str path, struct str upload_dir,
                            struct why *why)
{
    static const char *const folders[] = {"/files/images/", "/files/avatars/"};
    bool ours = false;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct str folder = str_of(folders[i]);
        ours =
            ours || (str_starts(path, folder) && picture_name_is_safe(str_from(path, folder.len)));
    }
    if (!ours) {
        return why_field(why, field, "value_error",
                         "%s must be the url that an upload was answered with, like "
                         "/files/images/NAME",
                         field);
    }
    if (is_uploaded(upload_dir, str_from(path, strlen("/files/")))) return OK;
    return why_field(why, field, "value_error",
                     "图片不存在，请先上传 (no such picture here: upload it first)");
}

/* --- posts --- */

enum err talk_post(struct act *act, const struct post_draft *draft, struct post *post_out,
                   struct why *why)
{
    struct str content;
    enum err err = text_check("content", text_lines(act->arena, draft->content), 1, LIMIT_POST_MAX,
                              &content, why);
    if (err) return err;
    if (draft->image_path.at) {
        err = picture_path_check("image_path", draft->image_path, draft->upload_dir, why);
        if (err) return err;
    }
    struct post_id id;
    err = posts_add(act->db, act->me, content, draft->image_path, act->now_us, &id, why);
    if (err) return err;
    struct user author;
    err = users_load(act->db, act->arena, act->me, &author, why);
    if (err) return err;
    *post_out = (struct post){.id = id,
                              .author = author.brief,
                              .content = arena_copy(act->arena, content),
                              .image_path = draft->image_path,
                              .created_us = act->now_us};
    act_tell_words(act, topic_feed(), "post.created", act_mark(act, "post", id.value),
                   shape_post_text(act->arena, post_out), false);
    return notify_post(act, id, STR(""), content, why);
}

static void tell_updated(struct act *act, const struct post *post)
{
    struct post shared = *post;
    shared.is_liked = false; /* the author's own mark is nobody else's */
    struct str data = shape_post_text(act->arena, &shared);
    struct str fold = act_mark(act, "text", post->id.value);
    act_reword(act, topic_feed(), "post.created", act_mark(act, "post", post->id.value), data);
    act_tell(act, topic_feed(), "post.updated", fold, data, false);
    act_tell(act, topic_post(post->id), "post.updated", fold, data, false);
}

enum err talk_edit_post(struct act *act, struct post_id id, struct str raw, struct post *post_out,
                        struct why *why)
{
    struct str content;
    enum err err =
        text_check("content", text_lines(act->arena, raw), 1, LIMIT_POST_MAX, &content, why);
    if (err) return err;
    err = posts_load(act->db, act->arena, id, act->me, post_out, why);
    if (err) return err;
    if (post_out->author.id.value != act->me.value) {
        return why_set(why, ERR_DENIED, "只能编辑自己的帖子 (only its author can edit a post)");
    }
    err = posts_edit(act->db, post_out, content, act->now_us, why);
    if (!err) err = notify_post(act, id, post_out->content, content, why);
    if (err) return err;
    post_out->content = arena_copy(act->arena, content);
    post_out->edited_us = act->now_us;
    tell_updated(act, post_out);
    return OK;
}

enum err talk_add_picture(struct act *act, struct post_id id, struct str image_path,
                          struct str upload_dir, struct why *why)
{
    struct post post;
    enum err err = picture_path_check("image_path", image_path, upload_dir, why);
    if (!err) err = posts_load(act->db, act->arena, id, act->me, &post, why);
    if (err) return err;
    if (post.author.id.value != act->me.value) {
        return why_set(why, ERR_DENIED, "只能编辑自己的帖子 (only its author can edit a post)");
    }
    err = posts_set_image(act->db, id, image_path, why);
    if (err) return err;
    post.image_path = image_path;
    tell_updated(act, &post);
    return OK;
}

enum err talk_remove_post(struct act *act, struct post_id id, struct why *why)
{
    struct post post;
    enum err err = posts_load(act->db, act->arena, id, act->me, &post, why);
    if (err) return err;
    if (post.author.id.value != act->me.value && !is_moderator(act)) {
        return why_set(why, ERR_DENIED, "只能删除自己的帖子 (only its author can delete a post)");
    }
    err = notify_post_gone(act, id, why);
    if (!err) err = posts_remove(act->db, &post, why);
    if (!err) err = files_put_down(act->db, post.image_path, why);
    if (!err) {
        err = note_removed(act, AUDIT_POST_REMOVED, "post", id.value, &post.author, post.content,
                           why);
    }
    if (err) return err;
    struct str data = arena_printf(act->arena, "{\"id\":%llu}", (unsigned long long)id.value);
    act_unsay(act, topic_feed(), act_mark(act, "post", id.value));
    act_unsay(act, topic_feed(), act_mark(act, "text", id.value));
    act_unsay(act, topic_post(id), STR("")); /* what others wrote below it too */
    act_tell(act, topic_feed(), "post.deleted", STR(""), data, false);
    act_tell(act, topic_post(id), "post.deleted", STR(""), data, false);
    return OK;
}

/* Counters are folded: who comes back gets the newest once, not every step. */
static enum err tell_counts(struct act *act, struct post_id id, uint64_t *likes_out,
                            struct why *why)
{
    uint64_t likes, comments;
    enum err err = posts_load_counts(act->db, id, &likes, &comments, why);
    if (err) return err;
    if (likes_out) *likes_out = likes;
    struct str data = arena_printf(
        act->arena, "{\"id\":%llu,\"likes_count\":%llu,\"comments_count\":%llu}",
        (unsigned long long)id.value, (unsigned long long)likes, (unsigned long long)comments);
    struct str fold = arena_printf(act->arena, "counts:%llu", (unsigned long long)id.value);
    act_tell(act, topic_feed(), "post.counts", fold, data, false);
    act_tell(act, topic_post(id), "post.counts", STR("counts"), data, false);
    return OK;
}

enum err talk_like(struct act *act, struct post_id id, enum liking liking, bool *liked_out,
                   uint64_t *likes_count_out, struct why *why)
{
    uint64_t comments;
    enum err err = posts_load_counts(act->db, id, likes_count_out, &comments, why);
    if (err) return err;
    bool changed = false;
    *liked_out = liking != LIKE_OFF;
    err = posts_set_liked(act->db, id, act->me, *liked_out, act->now_us, &changed, why);
    if (err) return err;
    if (!changed && liking == LIKE_TOGGLE) {
        *liked_out = false;
        err = posts_set_liked(act->db, id, act->me, false, act->now_us, &changed, why);
        if (err) return err;
    }
    if (!changed) return OK;
    err = *liked_out ? town_notices_add_like(act->db, act->me, id, why) : OK;
    if (!err) err = notify_like(act, id, *liked_out, why);
    return err ? err : tell_counts(act, id, likes_count_out, why);
}

/* --- comments --- */

/* Of the same post: whoever reads one there finds what it answers. */
static enum err parent_check(struct act *act, struct post_id post, struct comment_id id,
                             struct why *why)
{
    struct comment parent;
    if (id.value == 0) return OK;
    enum err err = comments_load(act->db, act->arena, id, &parent, why);
    if (err && err != ERR_NOT_FOUND) return err;
    if (!err && parent.post.value == post.value) return OK;
    return why_field(why, "parent_id", "value_error",
                     "要回复的评论不在这条动态下 (parent_id: no such comment on this post)");
}

enum err talk_comment(struct act *act, struct post_id post, struct comment_id parent,
                      struct str raw, struct comment *comment_out, struct why *why)
{
    uint64_t likes, comments;
    enum err err = posts_lock(act->db, post, why);
    if (!err) err = posts_load_counts(act->db, post, &likes, &comments, why);
    if (err) return err;
    struct str content;
    err = text_check("content", text_lines(act->arena, raw), 1, LIMIT_COMMENT_MAX, &content, why);
    if (!err) err = parent_check(act, post, parent, why);
    if (err) return err;
    struct comment_draft draft = {post, parent, act->me, content};
    struct comment_id id;
    err = comments_add(act->db, &draft, act->now_us, &id, why);
    if (!err) err = posts_count_comment(act->db, post, 1, why);
    if (!err) err = comments_load(act->db, act->arena, id, comment_out, why);
    if (!err) err = notify_comment(act, comment_out, why);
    if (err) return err;
    act_tell_words(act, topic_post(post), "comment.created", act_mark(act, "comment", id.value),
                   shape_comment_text(act->arena, comment_out), false);
    return tell_counts(act, post, NULL, why);
}

enum err talk_remove_comment(struct act *act, struct post_id post, struct comment_id id,
                             struct why *why)
{
    struct comment comment;
    enum err err = posts_lock(act->db, post, why);
    if (!err) err = comments_load(act->db, act->arena, id, &comment, why);
    if (err) return err;
    if (comment.post.value != post.value) {
        return why_set(why, ERR_NOT_FOUND, "评论不存在 (no such comment on this post)");
    }
    if (comment.author.id.value != act->me.value && !is_moderator(act)) {
        return why_set(why, ERR_DENIED,
                       "只能删除自己的评论 (only its author can delete a comment)");
    }
    err = notify_comment_gone(act, id, why);
    if (!err) err = comments_remove(act->db, id, why);
    if (!err) err = posts_count_comment(act->db, post, -1, why);
    if (!err) {
        err = note_removed(act, AUDIT_COMMENT_REMOVED, "comment", id.value, &comment.author,
                           comment.content, why);
    }
    if (err) return err;
    struct str data = arena_printf(act->arena, "{\"id\":%llu,\"post_id\":%llu}",
                                   (unsigned long long)id.value, (unsigned long long)post.value);
    act_unsay(act, topic_post(post), act_mark(act, "comment", id.value));
    act_tell(act, topic_post(post), "comment.deleted", STR(""), data, false);
    return tell_counts(act, post, NULL, why);
}
