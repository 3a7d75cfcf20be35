/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/comments.c: /posts/{post_id}/comments. */
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "community/shapes.h"
#include "community/talk.h"

struct comment_page {
    struct json_out out;
    uint64_t last_id, count;
};

static void put_comment(void *ctx, const struct comment *comment)
{
    struct comment_page *page = ctx;
    shape_comment(&page->out, NULL, comment);
    page->last_id = comment->id.value;
    page->count++;
}

enum err comments_get_list(struct call *call, struct why *why)
{
    struct comments_query query = {
        .post = {input_path_id(call, 0, "post_id")},
        .skip = (uint64_t)input_query_int(call, "skip", 0, 0, INT32_MAX),
        .limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE),
    };
    input_query_cursors(call, &query.before, &query.after);
    uint64_t likes, total;
    enum err err = input_check(call, why);
    if (!err) err = posts_load_counts(call->db, query.post, &likes, &total, why);
    if (err) return err;
    struct comment_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = comments_list(call->db, &query, put_comment, &page, why);
    json_close(&page.out, ']');
    json_put_u64(&page.out, "total", total);
    shape_cursor(&page.out, query.before ? "next_before" : "next_after", page.count == query.limit,
                 page.last_id);
    json_close(&page.out, '}');
    return err;
}

enum err comments_post(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct post_id post = {input_path_id(call, 0, "post_id")};
    struct str content = input_str(call, "content", true);
    struct comment_id parent = {input_id(call, "parent_id")};
    struct comment comment;
    err = input_check(call, why);
    if (!err) err = talk_comment(&call->act, post, parent, content, &comment, why);
    if (err) return err;
    struct json_out out = call_json(call);
    shape_comment(&out, NULL, &comment);
    return OK;
}

enum err comments_delete(struct call *call, struct why *why)
{
    struct post_id post = {input_path_id(call, 0, "post_id")};
    struct comment_id id = {input_path_id(call, 1, "comment_id")};
    enum err err = input_check(call, why);
    if (!err) err = talk_remove_comment(&call->act, post, id, why);
    if (!err) call_no_content(call);
    return err;
}
