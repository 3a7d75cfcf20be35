/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Threads that share numbered jobs, studies of towns, and the arithmetic of comparing them. */
#include <math.h>
#include <stdatomic.h>

#include "unit.h"

#include "townhall/experiment.h"

enum { JOBS = 1000 };

struct counts {
    _Atomic uint32_t done[JOBS];
};

static void count(void *ctx, uint32_t number)
{
    struct counts *counts = ctx;
    atomic_fetch_add(&counts->done[number], 1);
}

static void a_crew_does_every_job_once_in_every_round(void **state)
{
    (void)state;
    struct why why;
    for (uint32_t threads = 1; threads <= 4; threads++) {
        struct crew *crew;
        assert_int_equal(crew_open(threads, &crew, &why), OK);
        struct counts counts = {0};
        for (uint32_t round = 1; round <= 50; round++) {
            crew_run(crew, JOBS, count, &counts);
            for (int i = 0; i < JOBS; i++) assert_int_equal(counts.done[i], round);
        }
        crew_run(crew, 0, count, &counts);
        crew_close(crew);
    }
    crew_close(NULL);
}

static struct study_plan small_plan(void)
{
    struct study_choices choices = {0};
    struct why why;
    assert_int_equal(study_choose(&choices, study_option_find(STR("residents")), 30, &why), OK);
    assert_int_equal(study_choose(&choices, study_option_find(STR("days")), 2, &why), OK);
    return study_plan(3, &choices);
}

static bool until_noon(void *ctx, int32_t minutes, int32_t minutes_all)
{
    int *asked = ctx;
    ++*asked;
    assert_int_equal(minutes_all, 2 * MINUTES_PER_DAY);
    return minutes < 4 * MINUTES_PER_HOUR;
}

static void a_study_can_be_ended_and_says_so(void **state)
{
    (void)state;
    struct study_plan plan = small_plan();
    int asked = 0;
    struct study *cut = study_run(&plan, NULL, until_noon, &asked);
    assert_false(cut->whole);
    assert_int_equal(cut->minutes, 4 * MINUTES_PER_HOUR);
    assert_int_equal(cut->hours, 4);
    assert_int_equal(cut->days, 1);
    assert_int_equal(asked, 4 * MINUTES_PER_HOUR + 1);
    struct study *whole = study_run(&plan, NULL, NULL, NULL);
    assert_true(whole->whole);
    assert_int_equal(whole->hours, 48);
    assert_int_not_equal(whole->hash, cut->hash);
    study_free(cut);
    study_free(whole);
    study_free(NULL);
}

static void large_towns_get_small_heads_unless_told_otherwise(void **state)
{
    (void)state;
    struct study_choices choices = {0};
    struct why why;
    int residents = study_option_find(STR("residents")),
        memory = study_option_find(STR("memory_slots"));
    assert_int_equal(study_choose(&choices, residents, STUDY_AUDIENCE_MAX, &why), OK);
    assert_int_equal(study_plan(1, &choices).town.memory_slots, 120);
    assert_int_equal(study_choose(&choices, residents, STUDY_AUDIENCE_MAX + 1, &why), OK);
    struct study_plan plan = study_plan(1, &choices);
    assert_int_equal(plan.town.memory_slots, 16);
    assert_int_equal(plan.town.keep_effects, 0);
    assert_int_equal(plan.town.mail_minutes, 15);
    assert_int_equal(study_choose(&choices, memory, 40, &why), OK);
    assert_int_equal(study_plan(1, &choices).town.memory_slots, 40);
    assert_int_equal(study_choose(&choices, memory, 241, &why), ERR_INVALID);
    assert_int_equal(study_option_find(STR("speed")), -1);
}

/* Worked by hand: mean 3, sd sqrt(2.5), t(4) = 2.776; the difference with Welch's 8 degrees. */
static void spreads_are_those_of_the_textbook(void **state)
{
    (void)state;
    const double low[] = {1, 2, 3, 4, 5, NAN}, high[] = {11, 12, 13, 14, 15};
    struct spread a = spread_of(low, COUNT_OF(low)), b = spread_of(high, COUNT_OF(high));
    assert_int_equal(a.count, 5);
    assert_true(fabs(a.mean - 3) < 1e-12 && fabs(a.sd - 1.58114) < 1e-5);
    assert_true(fabs(a.high - (3 + 2.776 * 1.58114 / sqrt(5))) < 1e-4);
    struct spread off = spread_difference(&a, &b);
    assert_true(fabs(off.mean - 10) < 1e-12);
    assert_true(fabs(off.low - (10 - 2.306)) < 1e-9 && fabs(off.high - (10 + 2.306)) < 1e-9);

    struct spread one = spread_of(low, 1), none = spread_of(low + 5, 1);
    assert_true(one.mean == 1 && isnan(one.sd) && isnan(one.low));
    assert_true(none.count == 0 && isnan(none.mean));
    assert_true(isnan(spread_difference(&a, &one).low));
    const double same[] = {2, 2, 2};
    struct spread flat = spread_of(same, 3);
    assert_true(spread_difference(&flat, &flat).low == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crew_does_every_job_once_in_every_round),
        cmocka_unit_test(a_study_can_be_ended_and_says_so),
        cmocka_unit_test(large_towns_get_small_heads_unless_told_otherwise),
        cmocka_unit_test(spreads_are_those_of_the_textbook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
