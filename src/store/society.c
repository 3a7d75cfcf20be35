/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/society.h"

enum err society_load(struct db *db, struct society *out, struct why *why)
{
    struct query *q = db_query(db, SQL_SOCIETY);
    bool there = query_next(q);
    if (there) {
        *out = (struct society){.town = {query_get_u64(q, 0)},
                                .minute = query_get_i64(q, 1),
                                .founded_us = query_get_i64(q, 2)};
    }
    enum err err = query_end(q, why);
    if (err || there) return err;
    return why_set(why, ERR_NOT_FOUND, "there is no town yet");
}

/* The log's rows that count, for both questions. */
static struct query *ask_log(struct db *db, enum sql question, const struct society *society,
                             int32_t from_day)
{
    struct query *q = db_query(db, question);
    query_i64(q, from_day);
    query_i64(q, society->founded_us);
    return q;
}

enum err society_hours(struct db *db, const struct society *society, int32_t from_day,
                       society_hour_each *each, void *ctx, struct why *why)
{
    struct query *q = ask_log(db, SQL_SOCIETY_HOURS, society, from_day);
    while (query_next(q)) {
        uint64_t hour = 0;
        if (str_to_u64(query_get_str(q, 1), &hour) && hour < 24)
            each(ctx, query_get_str(q, 0), (int)hour, query_get_u64(q, 2));
    }
    return query_end(q, why);
}

enum err society_deeds(struct db *db, const struct society *society, int32_t from_day,
                       society_deeds_each *each, void *ctx, struct why *why)
{
    struct query *q = ask_log(db, SQL_SOCIETY_DEEDS, society, from_day);
    while (query_next(q))
        each(ctx, (struct user_id){query_get_u64(q, 0)}, query_get_str(q, 1), query_get_u64(q, 2));
    return query_end(q, why);
}

enum err society_needs_add(struct db *db, struct town_id town, const struct society_need *need,
                           struct why *why)
{
    struct query *q = db_query(db, SQL_SOCIETY_NEED_ADD);
    query_u64(q, town.value);
    query_i64(q, need->hour);
    query_str(q, need->need);
    query_u64(q, need->mean);
    query_u64(q, need->low);
    query_u64(q, need->middle);
    query_u64(q, need->high);
    return query_run(q, why);
}

enum err society_needs_prune(struct db *db, struct town_id town, int64_t hour, struct why *why)
{
    struct query *q = db_query(db, SQL_SOCIETY_NEEDS_PRUNE);
    query_u64(q, town.value);
    query_i64(q, hour);
    return query_run(q, why);
}

enum err society_needs(struct db *db, struct town_id town, int64_t hour, society_need_each *each,
                       void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_SOCIETY_NEEDS);
    query_u64(q, town.value);
    query_i64(q, hour);
    while (query_next(q)) {
        struct society_need need = {.hour = query_get_i64(q, 0),
                                    .need = query_get_str(q, 1),
                                    .mean = query_get_u64(q, 2),
                                    .low = query_get_u64(q, 3),
                                    .middle = query_get_u64(q, 4),
                                    .high = query_get_u64(q, 5)};
        each(ctx, &need);
    }
    return query_end(q, why);
}

enum err society_spending(struct db *db, int64_t day, society_spending_each *each, void *ctx,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_SOCIETY_SPENDING);
    query_i64(q, day);
    while (query_next(q)) {
        struct town_spending spent = {.tokens = query_get_u64(q, 1),
                                      .cost_micro = query_get_u64(q, 2)};
        each(ctx, query_get_i64(q, 0), &spent);
    }
    return query_end(q, why);
}
