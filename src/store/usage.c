/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/usage.h"

enum err usage_add(struct db *db, const struct usage_row *row, struct why *why)
{
    const struct usage_sums *sums = &row->sums;
    struct query *q = db_query(db, SQL_USAGE_ADD);
    query_i64(q, row->day);
    query_str(q, row->site);
    query_str(q, row->model);
    query_u64(q, sums->requests);
    query_u64(q, sums->shared);
    query_u64(q, sums->unknown);
    query_u64(q, sums->unpriced);
    query_u64(q, sums->input_tokens);
    query_u64(q, sums->output_tokens);
    query_u64(q, sums->cached_tokens);
    query_u64(q, sums->estimated_tokens);
    query_u64(q, sums->cost_micro);
    query_u64(q, row->key.value);
    return query_run(q, why);
}

enum err usage_tokens_of_day(struct db *db, struct key_id key, int64_t day, uint64_t *tokens_out,
                             struct why *why)
{
    struct query *q = db_query(db, SQL_USAGE_OF_KEY_DAY);
    query_u64(q, key.value);
    query_i64(q, day);
    *tokens_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

static struct usage_row read_row(struct query *q)
{
    return (struct usage_row){.day = query_get_i64(q, 0),
                              .key = {query_get_u64(q, 1)},
                              .key_name = query_get_str(q, 2),
                              .user = {query_get_u64(q, 3)},
                              .username = query_get_str(q, 4),
                              .site = query_get_str(q, 5),
                              .model = query_get_str(q, 6),
                              .sums = {.requests = query_get_u64(q, 7),
                                       .shared = query_get_u64(q, 8),
                                       .unknown = query_get_u64(q, 9),
                                       .unpriced = query_get_u64(q, 10),
                                       .input_tokens = query_get_u64(q, 11),
                                       .output_tokens = query_get_u64(q, 12),
                                       .cached_tokens = query_get_u64(q, 13),
                                       .estimated_tokens = query_get_u64(q, 14),
                                       .cost_micro = query_get_u64(q, 15)}};
}

enum err usage_list(struct db *db, const struct usage_query *query, usage_each *each, void *ctx,
                    struct why *why)
{
    struct query *q = db_query(db, query->user.value ? SQL_USAGE_LIST_USER : SQL_USAGE_LIST);
    if (query->user.value) query_u64(q, query->user.value);
    query_i64(q, query->from_day);
    query_i64(q, query->to_day);
    query_u64(q, query->limit);
    while (query_next(q)) {
        struct usage_row row = read_row(q);
        each(ctx, &row);
    }
    return query_end(q, why);
}
