/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/prices.h: what tokens cost, out of the setting llm-prices:
 *
 *     gpt-4o=2.5/10, qwen*=0.4/1.2, *=0/0
 *
 * a pattern of models, what a million tokens of input cost, and of output. The
 * first row that fits counts; it is compared with MODEL and with SITE/MODEL.
 * Read-only after opening, on any thread.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct prices;

/* An amount as prices have it: digits with at most one point, at most a billion. */
bool prices_read_amount(struct str text, double *amount_out);

/* ERR_INVALID names the row. `text` must stay. */
MUST_USE enum err prices_open(struct str text, struct prices **prices_out, struct why *why);
void prices_free(struct prices *prices); /* NULL is fine */
/* In millionths, rounded. False: there is no price for it. */
bool prices_cost(const struct prices *prices, struct str site, struct str model, uint64_t input,
                 uint64_t output, uint64_t *micro_out);
