/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/prices.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pattern.h"

enum { PRICES_MAX = 200 };

struct price {
    struct str pattern;
    double input, output; /* of a million tokens; so of one, in millionths */
};

struct prices {
    size_t count;
    struct price rows[PRICES_MAX];
};

bool prices_read_amount(struct str text, double *amount_out)
{
    char copy[32], *end;
    text = str_trim(text);
    if (text.len == 0 || text.len >= sizeof(copy)) return false;
    str_copy(copy, sizeof(copy), text);
    for (size_t i = 0; i < text.len; i++) {
        if (copy[i] != '.' && (copy[i] < '0' || copy[i] > '9')) return false;
    }
    *amount_out = strtod(copy, &end);
    return *end == '\0' && isfinite(*amount_out) && *amount_out <= 1e9;
}

static bool read_row(struct str text, struct price *price_out)
{
    struct why why;
    size_t equals = str_find_byte(text, '=');
    struct str numbers = str_from(text, equals + 1), input;
    price_out->pattern = str_trim(str_head(text, equals));
    if (equals == text.len || model_pattern_check(price_out->pattern, &why)) return false;
    return str_split(&numbers, '/', &input) && prices_read_amount(input, &price_out->input) &&
           prices_read_amount(numbers, &price_out->output);
}

enum err prices_open(struct str text, struct prices **prices_out, struct why *why)
{
    struct prices *prices = NEW(struct prices);
    struct str one;
    while (str_split(&text, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0) continue;
        if (prices->count == PRICES_MAX || !read_row(one, &prices->rows[prices->count])) {
            prices_free(prices);
            return why_set(why, ERR_INVALID,
                           "setting llm-prices: \"%.*s\"; at most %d rows like gpt-4o=2.5/10",
                           STR_ARGS(str_head(one, 100)), PRICES_MAX);
        }
        prices->count++;
    }
    *prices_out = prices;
    return OK;
}

void prices_free(struct prices *prices)
{
    mem_free(prices);
}

bool prices_cost(const struct prices *prices, struct str site, struct str model, uint64_t input,
                 uint64_t output, uint64_t *micro_out)
{
    char full[400];
    int len = snprintf(full, sizeof(full), "%.*s/%.*s", STR_ARGS(str_head(site, 100)),
                       STR_ARGS(str_head(model, 250)));
    for (size_t i = 0; i < prices->count; i++) {
        const struct price *price = &prices->rows[i];
        if (!model_pattern_matches(price->pattern, model) &&
            !model_pattern_matches(price->pattern, (struct str){full, (size_t)len})) {
            continue;
        }
        *micro_out =
            (uint64_t)llround((double)input * price->input + (double)output * price->output);
        return true;
    }
    return false;
}
