/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/posts.c: /posts: the feed, posts, likes, search. */
#include "api/feed_cache.h"
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/utf8.h"
#include "community/shapes.h"
#include "community/talk.h"
#include "store/tags.h"
#include "store/events.h"

static void put_post(void *ctx, const struct post *post)
{
    shape_post(ctx, NULL, post);
}

/* Remembers where a cursor page ended, and where its hearts are. */
struct post_page {
    struct json_out out;
    struct feed_marks marks;
};

static void put_page_post(void *ctx, const struct post *post)
{
    struct post_page *page = ctx;
    shape_post(&page->out, NULL, post);
    feed_marks_add(&page->marks, post->id.value, page->out.buf);
}

static uint64_t last_id(const struct post_page *page)
{
    return page->marks.count ? page->marks.ids[page->marks.count - 1] : 0;
}

/* The number of the page. */
static int64_t read_query(struct call *call, struct posts_query *query)
{
    int64_t page = input_query_int(call, "page", 1, 1, INT32_MAX);
    int64_t size = input_query_int(call, "page_size", 20, 1, LIMIT_PAGE_SIZE);
    query->viewer = call->who.user;
    query->author.value = (uint64_t)input_query_int(call, "author_id", 0, 0, INT64_MAX);
    input_query_cursors(call, &query->before, &query->after);
    query->skip = (uint64_t)(page - 1) * (uint64_t)size;
    query->limit = (uint64_t)input_query_int(call, "limit", size, 1, LIMIT_PAGE_SIZE);
    return page;
}

/* The number of the feed, the viewer and the question name the answer (api/feed_cache.h); a member
 * who likes something moves the number too. */
static struct str name_answer(struct call *call, uint64_t head)
{
    return arena_printf(call->arena, "W/\"f%llx-%llx-%llx\"", (unsigned long long)head,
                        (unsigned long long)call->who.user.value,
                        (unsigned long long)map_hash(call->target.query));
}

static enum err write_page(struct call *call, const struct posts_query *query, int64_t page_number,
                           struct post_page *page, struct why *why)
{
    uint64_t total;
    enum err err = posts_total(call->db, query->author, &total, why);
    if (err) return err;
    json_open(&page->out, NULL, '{');
    json_open(&page->out, "items", '[');
    err = posts_list(call->db, query, put_page_post, page, why);
    if (err) return err;
    json_close(&page->out, ']');
    json_put_u64(&page->out, "total", total);
    json_put_i64(&page->out, "page", page_number);
    json_put_u64(&page->out, "page_size", query->limit);
    bool more = page->marks.count == query->limit;
    shape_cursor(&page->out, query->after ? "next_after" : "next_before", more, last_id(page));
    json_close(&page->out, '}');
    return OK;
}

static void put_heart(void *ctx, struct post_id id)
{
    struct post_page *page = ctx;
    feed_marks_like(&page->marks, id.value, page->out.buf);
}

/* The page as everybody sees it, from the loop's cache or the store; then one's own hearts. */
static enum err answer_page(struct call *call, struct posts_query *query, int64_t page_number,
                            uint64_t head, struct why *why)
{
    struct feed_cache *cache = call->db == call->home->db ? call->home->feed : NULL;
    struct user_id viewer = query->viewer;
    query->viewer = (struct user_id){0};
    struct str key = {(const char *)query, sizeof(*query)};
    struct post_page page = {.out = call_json(call)};
    if (cache == NULL || !feed_cache_find(cache, head, key, page.out.buf, &page.marks)) {
        enum err err = write_page(call, query, page_number, &page, why);
        if (err) return err;
        if (cache) feed_cache_keep(cache, head, key, buf_str(page.out.buf), &page.marks);
    }
    if (viewer.value == 0 || page.marks.count == 0) return OK;
    uint64_t first = page.marks.ids[0], last = last_id(&page);
    return posts_liked_between(call->db, viewer, MIN(first, last), MAX(first, last), put_heart,
                               &page, why);
}

static enum err answer_list(struct call *call, struct posts_query *query, int64_t page_number,
                            struct why *why)
{
    struct topic_state feed;
    enum err err = topics_load(call->db, STR("feed"), &feed, why);
    if (err) return err;
    http_add_header(call->x, "Live-Position",
                    arena_printf(call->arena, "feed=%llu", (unsigned long long)feed.head));
    if (call_unchanged(call, name_answer(call, feed.head))) return OK;
    return answer_page(call, query, page_number, feed.head, why);
}

enum err posts_get_list(struct call *call, struct why *why)
{
    struct posts_query query;
    memset(&query, 0, sizeof(query)); /* also what lies between the fields: it is a key */
    int64_t page = read_query(call, &query);
    enum err err = input_check(call, why);
    if (!err) err = db_begin_snapshot(call->db, why); /* the position belongs to the state */
    if (err) return err;
    err = answer_list(call, &query, page, why);
    db_rollback(call->db);
    return err;
}

/* --- search --- */

struct found_posts {
    struct json_out *out;
    uint64_t last_id, count;
};

static void put_found_post(void *ctx, const struct post *post)
{
    struct found_posts *found = ctx;
    shape_post(found->out, NULL, post);
    found->last_id = post->id.value;
    found->count++;
}

enum err search_posts(struct call *call, struct why *why)
{
    struct str text = input_query_str(call, "q");
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE);
    if (text.len == 0) input_fault(call, "query", "q", "missing", "q: the words to look for");
    enum err err = input_check(call, why);
    if (err) return err;
    struct str head = str_head(text, utf8_floor(text.at, MIN(text.len, (size_t)500)));
    struct json_out out = call_json(call);
    struct found_posts found = {.out = &out};
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    err = posts_search(call->db, call->arena, head, call->who.user, before, limit, put_found_post,
                       &found, why);
    json_close(&out, ']');
    shape_cursor(&out, "next_before", found.count == limit, found.last_id);
    json_close(&out, '}');
    return err;
}

enum err search_tags(struct call *call, struct why *why)
{
    struct str prefix = input_query_str(call, "q");
    size_t limit = (size_t)input_query_int(call, "limit", 8, 1, TAGS_MAX);
    enum err err = input_check(call, why);
    if (err) return err;
    if (str_starts(prefix, STR("#"))) prefix = str_from(prefix, 1);
    prefix = str_head(prefix, utf8_floor(prefix.at, MIN(prefix.len, (size_t)200)));
    struct tag tags[TAGS_MAX];
    size_t count;
    err = tags_find(call->db, call->arena, prefix, limit, tags, &count, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(&out, NULL, '{');
        json_put_str(&out, "tag", tags[i].text);
        json_put_u64(&out, "posts_count", tags[i].posts_count);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
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
                               .image_path = input_str(call, "image_path", false),
                               .upload_dir = call->api->settings->upload_dir};
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
