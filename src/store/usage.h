/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/usage.h: what was used with members' keys: one row for each key, day,
 * site and model. Days are whole days since 1970-01-01 UTC.
 *
 * All numbers are sums. `unknown` requests are those for which the provider did
 * not say what they took; they are counted with our estimate, and what was
 * estimated stands in `estimated_tokens` too.
 */
#pragma once

#include "store/users.h"

enum { USAGE_SITE_BYTES = 64, USAGE_MODEL_BYTES = 200 };

struct usage_sums {
    uint64_t requests;
    uint64_t shared;   /* of them: answered without asking the provider again */
    uint64_t unknown;  /* of them */
    uint64_t unpriced; /* of them: no price is set for the model */
    uint64_t input_tokens, output_tokens;
    uint64_t cached_tokens; /* of the input */
    uint64_t estimated_tokens;
    uint64_t cost_micro; /* millionths of whatever unit prices are in */
};

struct usage_row {
    int64_t day;
    struct key_id key;
    struct user_id user;
    struct str key_name, username;
    struct str site, model;
    struct usage_sums sums;
};

/* Adds to the row of key, day, site and model; `user` and the names are not looked at. A key that
 * is gone adds nothing. */
MUST_USE enum err usage_add(struct db *db, const struct usage_row *row, struct why *why);
/* Input and output of all models. */
MUST_USE enum err usage_tokens_of_day(struct db *db, struct key_id key, int64_t day,
                                      uint64_t *tokens_out, struct why *why);

typedef void usage_each(void *ctx, const struct usage_row *row);
struct usage_query {
    struct user_id user; /* 0: everybody's */
    int64_t from_day, to_day;
    uint64_t limit;
};
/* The newest day first. */
MUST_USE enum err usage_list(struct db *db, const struct usage_query *query, usage_each *each,
                             void *ctx, struct why *why);
