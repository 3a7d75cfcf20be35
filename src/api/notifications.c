/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/notifications.c: /notifications: what others did that is one's own to know. */
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "community/notify.h"
#include "community/shapes.h"
#include "store/events.h"

struct notification_page {
    struct json_out out;
    uint64_t last_id, count;
};

static void put_notification(void *ctx, const struct notification *notification)
{
    struct notification_page *page = ctx;
    shape_notification(&page->out, NULL, notification);
    page->last_id = notification->id.value;
    page->count++;
}

static enum err write_page(struct call *call, uint64_t before, uint64_t limit, struct why *why)
{
    struct user_id me = call->who.user;
    uint64_t unread;
    enum err err = notifications_unread(call->db, me, &unread, why);
    if (err) return err;
    struct notification_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = notifications_list(call->db, me, before, limit, put_notification, &page, why);
    json_close(&page.out, ']');
    json_put_u64(&page.out, "unread_count", unread);
    shape_cursor(&page.out, "next_before", page.count == limit, page.last_id);
    json_close(&page.out, '}');
    return err;
}

static enum err add_position(struct call *call, struct why *why)
{
    struct topic_name me = topic_user(call->who.user);
    struct topic_state topic;
    enum err err = topics_load(call->db, str_of(me.text), &topic, why);
    if (err) return err;
    http_add_header(call->x, "Live-Position",
                    arena_printf(call->arena, "me=%llu", (unsigned long long)topic.head));
    return OK;
}

enum err notifications_get_list(struct call *call, struct why *why)
{
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE);
    enum err err = input_check(call, why);
    if (!err) err = db_begin_snapshot(call->db, why); /* the position belongs to the state */
    if (err) return err;
    err = add_position(call, why);
    if (!err) err = write_page(call, before, limit, why);
    db_rollback(call->db);
    return err;
}

static void reply_unread(struct call *call, uint64_t count)
{
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "unread_count", count);
    json_close(&out, '}');
}

enum err notifications_get_unread(struct call *call, struct why *why)
{
    uint64_t count;
    enum err err = notifications_unread(call->db, call->who.user, &count, why);
    if (!err) reply_unread(call, count);
    return err;
}

enum err notifications_post_read(struct call *call, struct why *why)
{
    uint64_t unread;
    /* Nothing said at all is everything. */
    enum err err = call->x->body.len > 0 ? input_json(call, why) : OK;
    if (err) return err;
    uint64_t up_to = input_id(call, "up_to");
    err = input_check(call, why);
    if (!err) err = notify_read(&call->act, up_to, &unread, why);
    if (!err) reply_unread(call, unread);
    return err;
}
