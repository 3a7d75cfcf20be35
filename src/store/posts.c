/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/posts.h"

#include "store/search.h"

/* A row of POST_COLUMNS; texts are the row's. */
static struct post read_post(struct query *q)
{
    return (struct post){.id = {query_get_u64(q, 0)},
                         .content = query_get_str(q, 1),
                         .image_path = query_get_str(q, 2),
                         .likes_count = query_get_u64(q, 3),
                         .comments_count = query_get_u64(q, 4),
                         .created_us = query_get_i64(q, 5),
                         .edited_us = query_get_i64(q, 6),
                         .author = user_brief_read(q, 7),
                         .is_liked = query_get_i64(q, 12) != 0};
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "帖子不存在 (no such post)");
}

static enum err count_posts(struct db *db, struct user_id author, int by, struct why *why)
{
    /* The counter is everybody's, so it is the first to be locked: whoever waits for it holds no
     * author that a post before it may want to tell something. */
    enum err err = counter_add(db, "posts", by, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_USER_COUNT_POST);
    query_i64(q, by);
    query_u64(q, author.value);
    err = query_run(q, why);
    if (err || db_changes(db) > 0) return err;
    err = counter_add(db, "posts", -by, why); /* nothing was changed */
    return err ? err : why_set(why, ERR_INVALID, "用户不存在 (no such user)");
}

enum err posts_add(struct db *db, struct user_id author, struct str content, struct str image_path,
                   int64_t now_us, struct post_id *id_out, struct why *why)
{
    /* Count first: whoever holds the counter's row gets the next id, so that with several writers
     * a smaller id is never seen after a larger one, and pages by id miss nothing. */
    enum err err = count_posts(db, author, 1, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_POST_ADD);
    query_u64(q, author.value);
    query_str(q, content);
    query_str(q, image_path);
    query_i64(q, now_us);
    err = query_run(q, why);
    if (err) return err;
    id_out->value = db_last_id(db);
    return search_add_post(db, id_out->value, content, why);
}

enum err posts_load(struct db *db, struct arena *arena, struct post_id id, struct user_id viewer,
                    struct post *post_out, struct why *why)
{
    struct query *q = db_query(db, SQL_POST_LOAD);
    query_u64(q, viewer.value);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *post_out = read_post(q);
        post_out->content = arena_keep(arena, post_out->content);
        post_out->image_path = arena_keep(arena, post_out->image_path);
        user_brief_keep(arena, &post_out->author);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err posts_load_author(struct db *db, struct post_id id, struct user_id *author_out,
                           bool *is_ai_out, struct why *why)
{
    struct query *q = db_query(db, SQL_POST_AUTHOR);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        author_out->value = query_get_u64(q, 0);
        *is_ai_out = query_get_i64(q, 1) != 0;
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

static enum err each_post(struct query *q, post_each *each, void *ctx, struct why *why)
{
    while (query_next(q)) {
        struct post post = read_post(q);
        each(ctx, &post);
    }
    return query_end(q, why);
}

enum err posts_list(struct db *db, const struct posts_query *query, post_each *each, void *ctx,
                    struct why *why)
{
    bool one = query->author.value != 0;
    uint64_t key = query->before ? query->before : query->after;
    enum sql which = query->before  ? (one ? SQL_POSTS_BEFORE_AUTHOR : SQL_POSTS_BEFORE)
                     : query->after ? (one ? SQL_POSTS_AFTER_AUTHOR : SQL_POSTS_AFTER)
                                    : (one ? SQL_POSTS_PAGE_AUTHOR : SQL_POSTS_PAGE);
    struct query *q = db_query(db, which);
    query_u64(q, query->viewer.value);
    if (one) query_u64(q, query->author.value);
    if (key) query_u64(q, key);
    query_u64(q, query->limit);
    if (!key) query_u64(q, query->skip);
    return each_post(q, each, ctx, why);
}

enum err posts_total(struct db *db, struct user_id author, uint64_t *total_out, struct why *why)
{
    if (author.value == 0) return counter_load(db, "posts", total_out, why);
    struct query *q = db_query(db, SQL_POST_AUTHOR_TOTAL);
    query_u64(q, author.value);
    *total_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err posts_search(struct db *db, struct arena *arena, struct str text, struct user_id viewer,
                      uint64_t before, uint64_t limit, post_each *each, void *ctx, struct why *why)
{
    struct str match = search_match(db, arena, text);
    if (match.len == 0) return OK;
    struct query *q = db_query(db, SQL_POSTS_SEARCH);
    query_u64(q, viewer.value);
    query_str(q, match);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    return each_post(q, each, ctx, why);
}

enum err posts_edit(struct db *db, const struct post *post, struct str content, int64_t now_us,
                    struct why *why)
{
    struct query *q = db_query(db, SQL_POST_EDIT);
    query_str(q, content);
    query_i64(q, now_us);
    query_u64(q, post->id.value);
    enum err err = query_run(q, why);
    if (err) return err;
    if (db_changes(db) == 0) return not_found(why);
    err = search_remove_post(db, post->id.value, post->content, why);
    return err ? err : search_add_post(db, post->id.value, content, why);
}

enum err posts_set_image(struct db *db, struct post_id id, struct str image_path, struct why *why)
{
    struct query *q = db_query(db, SQL_POST_SET_IMAGE);
    query_str(q, image_path);
    query_u64(q, id.value);
    enum err err = query_run(q, why);
    if (err || db_changes(db) == 1) return err;
    return why_set(why, ERR_CONFLICT, "the post has a picture already, or is gone");
}

enum err posts_remove(struct db *db, const struct post *post, struct why *why)
{
    struct query *q = db_query(db, SQL_POST_DELETE);
    query_u64(q, post->id.value);
    enum err err = query_run(q, why);
    if (err) return err;
    if (db_changes(db) == 0) return not_found(why);
    err = search_remove_post(db, post->id.value, post->content, why);
    return err ? err : count_posts(db, post->author.id, -1, why);
}

static enum err count(struct db *db, enum sql which, struct post_id id, int by, struct why *why)
{
    struct query *q = db_query(db, which);
    query_i64(q, by);
    query_u64(q, id.value);
    return query_run(q, why);
}

enum err posts_lock(struct db *db, struct post_id id, struct why *why)
{
    struct query *q = db_query(db, SQL_POST_LOCK);
    query_u64(q, id.value);
    bool found = query_next(q);
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err posts_set_liked(struct db *db, struct post_id id, struct user_id user, bool liked,
                         int64_t now_us, bool *changed_out, struct why *why)
{
    *changed_out = false;
    enum err err = posts_lock(db, id, why);
    if (err == ERR_NOT_FOUND && !liked) return OK; /* what is gone is liked by nobody */
    if (err) return err;
    struct query *q = db_query(db, liked ? SQL_LIKE_ADD : SQL_LIKE_REMOVE);
    query_u64(q, id.value);
    query_u64(q, user.value);
    if (liked) query_i64(q, now_us);
    err = query_run(q, why);
    if (err == ERR_CONFLICT) return OK; /* MariaDB's way of saying: liked already */
    if (err) return err;
    *changed_out = db_changes(db) > 0;
    return *changed_out ? count(db, SQL_POST_COUNT_LIKE, id, liked ? 1 : -1, why) : OK;
}

enum err posts_liked_between(struct db *db, struct user_id user, uint64_t first, uint64_t last,
                             post_liked *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_LIKED_BETWEEN);
    query_u64(q, user.value);
    query_u64(q, first);
    query_u64(q, last);
    while (query_next(q)) each(ctx, (struct post_id){query_get_u64(q, 0)});
    return query_end(q, why);
}

enum err posts_count_comment(struct db *db, struct post_id id, int by, struct why *why)
{
    return count(db, SQL_POST_COUNT_COMMENT, id, by, why);
}

enum err posts_load_counts(struct db *db, struct post_id id, uint64_t *likes_out,
                           uint64_t *comments_out, struct why *why)
{
    struct query *q = db_query(db, SQL_POST_COUNTS);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *likes_out = query_get_u64(q, 0);
        *comments_out = query_get_u64(q, 1);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}
