/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Towns and what belongs to them, on both engines. */
#include "house.h"
#include "store/towns.h"
#include "unit.h"

static void assert_spent(struct database *d, int64_t day, uint64_t tokens, uint64_t micro)
{
    struct why why;
    struct town_spending spent = {1, 1};
    must(town_spending_load(d->db, day, &spent, &why), &why);
    assert_int_equal(spent.tokens, tokens);
    assert_int_equal(spent.cost_micro, micro);
}

static void what_models_cost_adds_up_by_days(struct database *d)
{
    house_open(d);
    struct why why;
    const struct town_spending small = {.tokens = 7, .cost_micro = 11},
                               huge = {.tokens = UINT32_MAX, .cost_micro = UINT64_C(1) << 50};
    assert_spent(d, 20000, 0, 0);
    change_begin(d);
    must(town_spending_add(d->db, 20000, &small, &why), &why);
    must(town_spending_add(d->db, 20000, &huge, &why), &why);
    must(town_spending_add(d->db, 20001, &small, &why), &why);
    change_end(d);
    assert_spent(d, 20000, UINT64_C(7) + UINT32_MAX, 11 + (UINT64_C(1) << 50));
    assert_spent(d, 20001, 7, 11);
    assert_spent(d, 19999, 0, 0);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(what_models_cost_adds_up_by_days),
    };
    return database_run_tests("towns", tests, COUNT_OF(tests));
}
