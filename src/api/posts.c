/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/posts.c: /posts: the feed, posts, likes, search. */
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "base/map.h"
#include "community/shapes.h"
#include "community/talk.h"
#include "store/events.h"

static void put_post(void *ctx, const struct post *post)
{
    shape_post(ctx, NULL, post);
}

/* Remembers where a cursor page ended. */
struct post_page {
    struct json_out out;
    uint64_t last_id, count;
};

static void put_page_post(void *ctx, const struct post *post)
{
    struct post_page *page = ctx;
    shape_post(&page->out, NULL, post);
    page->last_id = post->id.value;
    page->count++;
}

static void put_cursor(struct json_out *out, const char *key, bool more, uint64_t id)
{
    if (more) {
        json_put_u64(out, key, id);
    } else {
        json_put_null(out, key);
    }
}

static struct posts_query read_query(struct call *call, int64_t *page_out)
{
    int64_t page = input_query_int(call, "page", 1, 1, INT32_MAX);
    int64_t size = input_query_int(call, "page_size", 20, 1, LIMIT_PAGE_SIZE);
    int64_t limit = input_query_int(call, "limit", size, 1, LIMIT_PAGE_SIZE);
    *page_out = page;
    return (struct posts_query){
        .viewer = call->who.user,
        .author = {(uint64_t)input_query_int(call, "author_id", 0, 0, INT64_MAX)},
        .before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX),
        .after = (uint64_t)input_query_int(call, "after", 0, 0, INT64_MAX),
        .skip = (uint64_t)(page - 1) * (uint64_t)size,
        .limit = (uint64_t)limit,
    };
}

/*
 * Whatever a feed page shows changes only together with an event in `feed`
 * (posts, counts, names and pictures of authors; one's own likes count too), so
 * its number, the viewer and the question name the answer.
 */
static enum err name_answer(struct call *call, struct why *why)
{
    struct topic_state feed;
    enum err err = topics_load(call->db, STR("feed"), &feed, why);
    if (err) return err;
    struct arena *arena = call->arena;
    call->x->etag = arena_printf(arena, "W/\"f%llx-%llx-%llx\"", (unsigned long long)feed.head,
                                 (unsigned long long)call->who.user.value,
                                 (unsigned long long)map_hash(call->target.query));
    http_add_header(call->x, "Live-Position",
                    arena_printf(arena, "feed=%llu", (unsigned long long)feed.head));
    http_add_header(call->x, "Cache-Control", STR("private, no-cache"));
    return OK;
}

static bool has_it_already(struct call *call)
{
    struct str asked = http_find_header(call->x, STR("if-none-match"));
    return asked.len > 0 && header_etag_matches(asked, call->x->etag);
}

static enum err write_page(struct call *call, const struct posts_query *query, int64_t page_number,
                           struct why *why)
{
    uint64_t total;
    enum err err = posts_total(call->db, query->author, &total, why);
    if (err) return err;
    struct post_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = posts_list(call->db, query, put_page_post, &page, why);
    if (err) return err;
    json_close(&page.out, ']');
    json_put_u64(&page.out, "total", total);
    json_put_i64(&page.out, "page", page_number);
    json_put_u64(&page.out, "page_size", query->limit);
    bool more = page.count == query->limit;
    put_cursor(&page.out, query->after ? "next_after" : "next_before", more, page.last_id);
    json_close(&page.out, '}');
    return OK;
}

enum err posts_get_list(struct call *call, struct why *why)
{
    int64_t page;
    struct posts_query query = read_query(call, &page);
    enum err err = input_check(call, why);
    if (err) return err;
    /* One snapshot: the position in the head belongs to the state in the body. */
    bool own = !db_in_transaction(call->db);
    if (own) err = db_begin_snapshot(call->db, why);
    if (!err) err = name_answer(call, why);
    if (!err && has_it_already(call)) {
        call_json(call);
    } else if (!err) {
        err = write_page(call, &query, page, why);
    }
    if (own) db_rollback(call->db);
    return err;
}

enum err search_posts(struct call *call, struct why *why)
{
    struct str text = input_query_str(call, "q");
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE);
    if (text.len == 0) input_fault(call, "query", "q", "missing", "q: the words to look for");
    enum err err = input_check(call, why);
    if (err) return err;
    struct post_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = posts_search(call->db, call->arena, str_head(text, 500), call->who.user, before, limit,
                       put_page_post, &page, why);
    json_close(&page.out, ']');
    put_cursor(&page.out, "next_before", page.count == limit, page.last_id);
    json_close(&page.out, '}');
    return err;
}

static void reply_post(struct call *call, const struct post *post)
{
    struct json_out out = call_json(call);
    put_post(&out, post);
}

enum err posts_post(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct post_draft draft = {.content = input_str(call, "content", true),
                               .image_path = input_str(call, "image_path", false)};
    if (draft.image_path.len == 0) draft.image_path.at = NULL; /* old clients send "" for none */
    struct post post;
    err = input_check(call, why);
    if (!err) err = talk_post(&call->act, &draft, &post, why);
    if (!err) reply_post(call, &post);
    return err;
}

enum err posts_get_one(struct call *call, struct why *why)
{
    struct post_id id = {input_path_id(call, 0, "post_id")};
    struct post post;
    enum err err = input_check(call, why);
    if (!err) err = posts_load(call->db, call->arena, id, call->who.user, &post, why);
    if (!err) reply_post(call, &post);
    return err;
}

enum err posts_put(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct post_id id = {input_path_id(call, 0, "post_id")};
    struct str content = input_str(call, "content", true);
    struct post post;
    err = input_check(call, why);
    if (!err) err = talk_edit_post(&call->act, id, content, &post, why);
    if (!err) reply_post(call, &post);
    return err;
}

enum err posts_delete(struct call *call, struct why *why)
{
    struct post_id id = {input_path_id(call, 0, "post_id")};
    enum err err = input_check(call, why);
    if (!err) err = talk_remove_post(&call->act, id, why);
    if (!err) call_no_content(call);
    return err;
}

static enum err like(struct call *call, enum liking liking, struct why *why)
{
    struct post_id id = {input_path_id(call, 0, "post_id")};
    bool liked;
    uint64_t likes;
    enum err err = input_check(call, why);
    if (!err) err = talk_like(&call->act, id, liking, &liked, &likes, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "liked", liked);
    json_put_u64(&out, "likes_count", likes);
    json_close(&out, '}');
    return OK;
}

enum err posts_toggle_like(struct call *call, struct why *why)
{
    return like(call, LIKE_TOGGLE, why);
}

enum err posts_put_like(struct call *call, struct why *why)
{
    return like(call, LIKE_ON, why);
}

enum err posts_delete_like(struct call *call, struct why *why)
{
    return like(call, LIKE_OFF, why);
}
