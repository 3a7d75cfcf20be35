/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/overview.h"

#include "store/reports.h"
#include "store/towns.h"

static const int64_t DAY_US = INT64_C(24) * 3600 * 1000000;

static enum err load_usage(struct db *db, int64_t day, struct overview *out, struct why *why)
{
    struct query *q = db_query(db, SQL_USAGE_DAY);
    query_i64(q, day);
    if (query_next(q)) {
        out->key_requests = query_get_u64(q, 0);
        out->key_unpriced = query_get_u64(q, 1);
        out->key_micro = query_get_u64(q, 2);
    }
    enum err err = query_end(q, why);
    if (err) return err;
    struct town_spending town;
    err = town_spending_load(db, day, &town, why);
    if (!err) out->town_micro = town.cost_micro;
    return err;
}

static enum err load_number(struct query *q, uint64_t *number_out, struct why *why)
{
    if (query_next(q)) *number_out = query_get_u64(q, 0);
    return query_end(q, why);
}

enum err overview_load(struct db *db, int64_t day, struct overview *out, struct why *why)
{
    *out = (struct overview){0};
    enum err err = counter_load(db, "users", &out->users, why);
    if (!err) err = counter_load(db, "residents", &out->residents, why);
    if (!err) err = counter_load(db, "posts", &out->posts, why);
    if (!err) err = reports_count_open(db, &out->reports_open, why);
    if (!err) err = load_usage(db, day, out, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_POSTS_SINCE);
    query_i64(q, day * DAY_US);
    err = load_number(q, &out->posts_today, why);
    if (err) return err;
    return load_number(db_query(db, SQL_DATABASE_BYTES), &out->database_bytes, why);
}
