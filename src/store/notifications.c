/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/notifications.h"

#include "base/utf8.h"

enum { PRUNE_BITS = 6 }; /* one in 64 */

static const char *const kind_names[] = {[NOTIFY_FOLLOW] = "follow",
                                         [NOTIFY_LIKE] = "like",
                                         [NOTIFY_COMMENT] = "comment",
                                         [NOTIFY_REPLY] = "reply",
                                         [NOTIFY_MENTION] = "mention"};

const char *notification_kind_name(enum notification_kind kind)
{
    return kind_names[kind];
}

static enum notification_kind kind_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(kind_names); i++) {
        if (str_eq(name, str_of(kind_names[i]))) return (enum notification_kind)i;
    }
    return NOTIFY_FOLLOW; /* the table allows no other */
}

/* --- telling --- */

/* What makes it the same as another one for the same member. */
struct occasion_name {
    char text[64];
};

static struct occasion_name name_of(const struct occasion *occasion)
{
    struct occasion_name name;
    unsigned long long actor = occasion->actor.value, post = occasion->post.value;
    if (occasion->comment.value) {
        snprintf(name.text, sizeof(name.text), "comment:%llu",
                 (unsigned long long)occasion->comment.value);
    } else if (occasion->kind == NOTIFY_FOLLOW) {
        snprintf(name.text, sizeof(name.text), "follow:%llu", actor);
    } else {
        snprintf(name.text, sizeof(name.text), "%s:%llu:%llu",
                 notification_kind_name(occasion->kind), post, actor);
    }
    return name;
}

/* id_out->value 0: nobody was ever told of it. */
static enum err find(struct db *db, const struct occasion *occasion, struct notification_id *id_out,
                     bool *stands_out, struct why *why)
{
    struct occasion_name name = name_of(occasion);
    struct query *q = db_query(db, SQL_NOTIFICATION_FIND);
    query_u64(q, occasion->user.value);
    query_str(q, str_of(name.text));
    bool found = query_next(q);
    id_out->value = found ? query_get_u64(q, 0) : 0;
    *stands_out = found && query_get_i64(q, 1) == 0;
    return query_end(q, why);
}

/* The newest of a member but for `skip`; 0: it has no more than those. */
static enum err find_last(struct db *db, struct user_id user, uint64_t skip, uint64_t *id_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_NOTIFICATIONS_LAST);
    query_u64(q, user.value);
    query_u64(q, skip);
    *id_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

/* Now and then, spread evenly over whatever ids a member happens to get: looking for what is
 * too old walks over all that is kept, on the writer. */
static bool is_time_to_prune(struct notification_id id)
{
    return (id.value * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - PRUNE_BITS) == 0;
}

static enum err drop_old(struct db *db, struct user_id user, struct why *why)
{
    uint64_t last;
    enum err err = find_last(db, user, NOTIFICATIONS_KEPT, &last, why);
    if (err || last == 0) return err;
    struct query *q = db_query(db, SQL_NOTIFICATIONS_DROP);
    query_u64(q, user.value);
    query_u64(q, last);
    return query_run(q, why);
}

static enum err add(struct db *db, const struct occasion *occasion, int64_t now_us,
                    struct notification_id *id_out, struct why *why)
{
    struct occasion_name name = name_of(occasion);
    struct query *q = db_query(db, SQL_NOTIFICATION_ADD);
    query_u64(q, occasion->user.value);
    query_str(q, str_of(name.text));
    query_str(q, str_of(notification_kind_name(occasion->kind)));
    query_u64(q, occasion->actor.value);
    query_id(q, occasion->post.value);
    query_id(q, occasion->comment.value);
    query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (err == ERR_CONFLICT) return OK; /* told at this moment by another writer */
    if (err) return err;
    id_out->value = db_last_id(db);
    return is_time_to_prune(*id_out) ? drop_old(db, occasion->user, why) : OK;
}

enum err notifications_set(struct db *db, const struct occasion *occasion, bool stands,
                           int64_t now_us, struct notification_id *id_out, struct why *why)
{
    ASSERT(occasion->user.value != occasion->actor.value);
    struct notification_id id;
    bool stood;
    id_out->value = 0;
    enum err err = find(db, occasion, &id, &stood, why);
    if (err || stands == stood) return err;
    if (id.value == 0) return add(db, occasion, now_us, id_out, why);
    struct query *q = db_query(db, SQL_NOTIFICATION_UNDO);
    query_i64(q, !stands);
    query_u64(q, id.value);
    err = query_run(q, why);
    if (!err) *id_out = id;
    return err;
}

/* --- reading --- */

/* A row of NOTIFICATION_COLUMNS; texts are the row's. */
static struct notification read_notification(struct query *q)
{
    struct notification n = {.id = {query_get_u64(q, 0)},
                             .kind = kind_of(query_get_str(q, 1)),
                             .user = {query_get_u64(q, 2)},
                             .post = {query_get_u64(q, 3)},
                             .comment = {query_get_u64(q, 4)},
                             .is_read = query_get_i64(q, 5) != 0,
                             .created_us = query_get_i64(q, 6),
                             .actor = user_brief_read(q, 7),
                             .excerpt = query_get_str(q, 12)};
    n.excerpt_cut = utf8_count(n.excerpt) > NOTIFICATION_EXCERPT_MAX;
    if (n.excerpt_cut) n.excerpt.len = utf8_floor(n.excerpt.at, n.excerpt.len - 1);
    return n;
}

enum err notifications_load(struct db *db, struct arena *arena, struct notification_id id,
                            struct notification *out, struct why *why)
{
    struct query *q = db_query(db, SQL_NOTIFICATION_LOAD);
    query_u64(q, id.value);
    bool found = query_next(q);
    if (found) {
        *out = read_notification(q);
        out->excerpt = arena_keep(arena, out->excerpt);
        user_brief_keep(arena, &out->actor);
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "通知不存在 (no such notification)");
}

enum err notifications_list(struct db *db, struct user_id user, uint64_t before, uint64_t limit,
                            notification_each *each, void *ctx, struct why *why)
{
    uint64_t too_old;
    enum err err = find_last(db, user, NOTIFICATIONS_KEPT, &too_old, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_NOTIFICATIONS_LIST);
    query_u64(q, user.value);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, too_old);
    query_u64(q, limit);
    while (query_next(q)) {
        struct notification notification = read_notification(q);
        each(ctx, &notification);
    }
    return query_end(q, why);
}

enum err notifications_unread(struct db *db, struct user_id user, uint64_t *count_out,
                              struct why *why)
{
    struct query *q = db_query(db, SQL_NOTIFICATIONS_UNREAD);
    query_u64(q, user.value);
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    *count_out = MIN(*count_out, (uint64_t)NOTIFICATIONS_KEPT); /* as many as can be seen */
    return query_end(q, why);
}

enum err notifications_read(struct db *db, struct user_id user, uint64_t up_to, uint64_t *up_to_out,
                            struct why *why)
{
    uint64_t last;
    *up_to_out = 0;
    enum err err = find_last(db, user, 0, &last, why);
    if (err) return err;
    if (up_to == 0 || up_to > last) up_to = last;
    struct query *q = db_query(db, SQL_NOTIFICATIONS_READ);
    query_u64(q, user.value);
    query_u64(q, up_to);
    err = query_run(q, why);
    if (!err && db_changes(db) > 0) *up_to_out = up_to;
    return err;
}

/* --- who was told --- */

enum err notifications_of_comment(struct db *db, struct comment_id comment, uint64_t limit,
                                  notification_told *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_NOTIFICATIONS_OF_COMMENT);
    query_u64(q, comment.value);
    query_u64(q, limit);
    while (query_next(q)) {
        each(ctx, (struct user_id){query_get_u64(q, 1)},
             (struct notification_id){query_get_u64(q, 0)});
    }
    return query_end(q, why);
}

enum err notifications_of_post(struct db *db, struct post_id post, uint64_t limit,
                               notification_told *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_NOTIFIED_OF_POST);
    query_u64(q, post.value);
    query_u64(q, limit);
    while (query_next(q)) {
        each(ctx, (struct user_id){query_get_u64(q, 0)}, (struct notification_id){0});
    }
    return query_end(q, why);
}
