/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/comments.h"

/* A row of COMMENT_COLUMNS; texts are the row's. */
static struct comment read_comment(struct query *q)
{
    return (struct comment){.id = {query_get_u64(q, 0)},
                            .post = {query_get_u64(q, 1)},
                            .content = query_get_str(q, 2),
                            .created_us = query_get_i64(q, 3),
                            .author = user_brief_read(q, 4),
                            .parent = {query_get_u64(q, 9)}};
}

enum err comments_add(struct db *db, const struct comment_draft *draft, int64_t now_us,
                      struct comment_id *id_out, struct why *why)
{
    struct query *q = db_query(db, SQL_COMMENT_ADD);
    query_u64(q, draft->post.value);
    query_u64(q, draft->author.value);
    query_str(q, draft->content);
    query_id(q, draft->parent.value);
    query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (!err) id_out->value = db_last_id(db);
    return err;
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "评论不存在 (no such comment on this post)");
}

enum err comments_load(struct db *db, struct arena *arena, struct comment_id id,
                       struct comment *comment_out, struct why *why)
{
    struct query *q = db_query(db, SQL_COMMENT_LOAD);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *comment_out = read_comment(q);
        comment_out->content = arena_keep(arena, comment_out->content);
        user_brief_keep(arena, &comment_out->author);
    }
    enum err err = query_end(q, why);
    return err || found ? err : not_found(why);
}

enum err comments_list(struct db *db, const struct comments_query *query, comment_each *each,
                       void *ctx, struct why *why)
{
    uint64_t key = query->before ? query->before : query->after;
    struct query *q = db_query(db, query->before  ? SQL_COMMENTS_BEFORE
                                   : query->after ? SQL_COMMENTS_AFTER
                                                  : SQL_COMMENTS_PAGE);
    query_u64(q, query->post.value);
    if (key) query_u64(q, key);
    query_u64(q, query->limit);
    if (!key) query_u64(q, query->skip);
    while (query_next(q)) {
        struct comment comment = read_comment(q);
        each(ctx, &comment);
    }
    return query_end(q, why);
}

enum err comments_remove(struct db *db, struct comment_id id, struct why *why)
{
    struct query *q = db_query(db, SQL_COMMENT_DELETE);
    query_u64(q, id.value);
    enum err err = query_run(q, why);
    if (err) return err;
    return db_changes(db) == 0 ? not_found(why) : OK;
}
