/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/prices.h"
#include "unit.h"

static struct prices *prices_of(const char *text)
{
    struct prices *prices;
    struct why why;
    assert_int_equal(prices_open(str_of(text), &prices, &why), OK);
    return prices;
}

static void the_first_row_that_fits_counts(void **state)
{
    (void)state;
    static const struct {
        const char *site, *model;
        uint64_t input, output, micro;
        bool priced;
    } cases[] = {
        {"openai", "gpt-4o", 1000, 100, 1000 * 5 / 2 + 100 * 10, true},
        {"lab", "qwen-max", 10, 10, 4 + 12, true},
        {"free", "gpt-4o", 1, 1, 13, true}, /* 12.5 rounded; by its name, before its site */
        {"free", "anything", 1000, 1000, 0, true},
        {"openai", "gpt-5", 1000, 1000, 0, false},
        {"openai", "gpt-4o", 0, 0, 0, true},
    };
    struct prices *prices = prices_of(" gpt-4o=2.5/10, qwen*=0.4/1.2 ,, free/*=0/0");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t micro = 0;
        assert_int_equal(prices_cost(prices, str_of(cases[i].site), str_of(cases[i].model),
                                     cases[i].input, cases[i].output, &micro),
                         cases[i].priced);
        assert_int_equal(micro, cases[i].micro);
    }
    prices_free(prices);
}

static void a_row_that_is_none_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"gpt",       "=1/2",      "gpt=1",           "gpt=1/",
                                      "gpt=/1",    "gpt=-1/2",  "a b=1/2",         "gpt=1e3/2",
                                      "gpt=1/2/3", "gpt=nan/1", "gpt=2000000000/1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct prices *prices = NULL;
        struct why why;
        char text[64];
        snprintf(text, sizeof(text), "ok=1/1,%s", bad[i]);
        assert_int_equal(prices_open(str_of(text), &prices, &why), ERR_INVALID);
        assert_non_null(strstr(why.text, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_row_that_fits_counts),
        cmocka_unit_test(a_row_that_is_none_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
