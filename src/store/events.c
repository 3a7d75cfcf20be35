/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/events.h"

enum err topics_load(struct db *db, struct str name, struct topic_state *out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOPIC_LOAD);
    query_str(q, name);
    *out = (struct topic_state){0};
    if (query_next(q)) {
        *out = (struct topic_state){query_get_u64(q, 0), query_get_u64(q, 1), query_get_u64(q, 2)};
    }
    return query_end(q, why);
}

/* Holds the topic's row until the transaction ends, so numbers are given out one by one. */
static enum err lock_topic(struct db *db, struct str name, struct topic_state *out, bool *found_out,
                           struct why *why)
{
    struct query *q = db_query(db, SQL_TOPIC_LOCK);
    query_str(q, name);
    *found_out = query_next(q);
    if (*found_out) *out = (struct topic_state){query_get_u64(q, 0), query_get_u64(q, 1), 0};
    return query_end(q, why);
}

/* The statement that adds waits for another that adds the same one, and holds what that made. */
static enum err lock_or_add(struct db *db, struct str name, struct topic_state *topic,
                            struct why *why)
{
    bool found;
    enum err err = lock_topic(db, name, topic, &found, why);
    if (err || found) return err;
    struct query *q = db_query(db, SQL_TOPIC_ADD);
    query_str(q, name);
    err = query_run(q, why);
    if (!err) err = lock_topic(db, name, topic, &found, why);
    if (err || found) return err;
    return why_set(why, ERR_CORRUPT, "a topic is not there after it was added");
}

static enum err next_number(struct db *db, struct str name, struct topic_state *topic,
                            struct why *why)
{
    enum err err = lock_or_add(db, name, topic, why);
    if (err) return err;
    topic->head++;
    struct query *q = db_query(db, SQL_TOPIC_SET_HEAD);
    query_u64(q, topic->head);
    query_u64(q, topic->id);
    return query_run(q, why);
}

static enum err unfold(struct db *db, uint64_t topic, struct str fold, struct why *why)
{
    struct query *q = db_query(db, SQL_EVENT_UNFOLD);
    query_u64(q, topic);
    query_str(q, fold);
    return query_run(q, why);
}

/* Behind next_number(). */
static enum err append(struct db *db, const struct topic_state *topic, struct str fold,
                       struct str payload, int64_t now_us, struct why *why)
{
    struct query *q = db_query(db, SQL_EVENT_ADD);
    query_u64(q, topic->id);
    query_u64(q, topic->head);
    query_i64(q, now_us);
    query_str(q, fold.len > 0 ? fold : (struct str){0});
    query_str(q, payload);
    return query_run(q, why);
}

enum err events_add(struct db *db, struct str name, struct str fold, struct str payload,
                    int64_t now_us, uint64_t *seq_out, struct why *why)
{
    struct topic_state topic;
    enum err err = next_number(db, name, &topic, why);
    if (!err && fold.len > 0) err = unfold(db, topic.id, fold, why);
    if (!err) err = append(db, &topic, fold, payload, now_us, why);
    if (!err) *seq_out = topic.head;
    return err;
}

enum err events_add_marked(struct db *db, struct str name, struct str mark, struct str payload,
                           int64_t now_us, uint64_t *seq_out, struct why *why)
{
    struct topic_state topic;
    enum err err = next_number(db, name, &topic, why);
    if (!err) err = append(db, &topic, mark, payload, now_us, why);
    if (!err) *seq_out = topic.head;
    return err;
}

enum err events_unsay(struct db *db, struct str name, struct str mark, struct why *why)
{
    struct topic_state topic;
    bool found;
    enum err err = lock_topic(db, name, &topic, &found, why);
    return err || !found ? err : unfold(db, topic.id, mark, why);
}

enum err events_reword(struct db *db, struct str name, struct str mark, struct str payload,
                       struct why *why)
{
    struct topic_state topic;
    bool found;
    enum err err = lock_topic(db, name, &topic, &found, why);
    if (err || !found) return err;
    struct query *q = db_query(db, SQL_EVENT_REWORD);
    query_str(q, payload);
    query_u64(q, topic.id);
    query_str(q, mark);
    return query_run(q, why);
}

enum err events_forget(struct db *db, struct str name, struct why *why)
{
    struct topic_state topic;
    bool found;
    enum err err = lock_topic(db, name, &topic, &found, why);
    if (err || !found) return err;
    struct query *q = db_query(db, SQL_EVENTS_TRIM);
    query_u64(q, topic.id);
    query_u64(q, topic.head);
    err = query_run(q, why);
    if (err) return err;
    q = db_query(db, SQL_TOPIC_SET_TAIL);
    query_u64(q, topic.head);
    query_u64(q, topic.id);
    return query_run(q, why);
}

enum err events_after(struct db *db, uint64_t topic_id, uint64_t seq, uint64_t limit,
                      event_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_EVENTS_AFTER);
    query_u64(q, topic_id);
    query_u64(q, seq);
    query_u64(q, limit);
    while (query_next(q)) each(ctx, query_get_u64(q, 0), query_get_str(q, 1));
    return query_end(q, why);
}

static enum err trim_topic(struct db *db, const struct topic_state *topic, uint64_t keep,
                           int64_t before_us, struct why *why)
{
    struct query *q = db_query(db, SQL_EVENTS_OLDEST_KEPT);
    query_u64(q, topic->id);
    query_u64(q, topic->head - keep);
    query_i64(q, before_us);
    uint64_t last = query_next(q) ? query_get_u64(q, 0) : 0;
    enum err err = query_end(q, why);
    if (err || last <= topic->tail) return err;
    q = db_query(db, SQL_EVENTS_TRIM);
    query_u64(q, topic->id);
    query_u64(q, last);
    err = query_run(q, why);
    if (err) return err;
    q = db_query(db, SQL_TOPIC_SET_TAIL);
    query_u64(q, last);
    query_u64(q, topic->id);
    return query_run(q, why);
}

enum err events_trim(struct db *db, uint64_t *at, uint64_t keep, int64_t before_us, struct why *why)
{
    struct topic_state topics[100];
    size_t count = 0;
    struct query *q = db_query(db, SQL_TOPICS_LONG);
    query_u64(q, *at);
    query_u64(q, keep);
    while (query_next(q) && count < COUNT_OF(topics)) {
        topics[count++] =
            (struct topic_state){query_get_u64(q, 0), query_get_u64(q, 1), query_get_u64(q, 2)};
    }
    enum err err = query_end(q, why);
    for (size_t i = 0; i < count && !err; i++)
        err = trim_topic(db, &topics[i], keep, before_us, why);
    *at = count == COUNT_OF(topics) ? topics[count - 1].id : 0;
    return err;
}
