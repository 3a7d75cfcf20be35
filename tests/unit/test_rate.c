/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "auth/rate.h"
#include "base/rng.h"

enum { SECOND = 1000 * 1000 };

static const struct rate_limit limits[] = {
    {.per_minute = 60, .burst = 5},
    {.per_minute = 0, .burst = 3},
    {.per_minute = 7, .burst = 1},
    {.per_minute = 6000, .burst = 0},
    {.per_minute = UINT32_MAX, .burst = UINT32_MAX},
};
enum { CLASS_SECOND, CLASS_UNLIMITED, CLASS_SEVEN, CLASS_NO_BURST, CLASS_HUGE };

static struct rate *new_rate(size_t callers)
{
    return rate_new(limits, COUNT_OF(limits), callers);
}

static void a_burst_is_allowed_then_one_at_a_time(void **state)
{
    (void)state;
    static const struct {
        int64_t at_us;
        struct rate_verdict wanted;
    } rows[] = {
        {100 * SECOND, {true, 5, 4, 1, 0}},
        {100 * SECOND, {true, 5, 3, 2, 0}},
        {100 * SECOND, {true, 5, 2, 3, 0}},
        {100 * SECOND, {true, 5, 1, 4, 0}},
        {100 * SECOND, {true, 5, 0, 5, 0}},
        {100 * SECOND, {false, 5, 0, 5, 1}},
        {100 * SECOND + 1, {false, 5, 0, 5, 1}},
        {101 * SECOND - 1, {false, 5, 0, 5, 1}},
        {101 * SECOND, {true, 5, 0, 5, 0}},
        {101 * SECOND, {false, 5, 0, 5, 1}},
        {103 * SECOND + SECOND / 2, {true, 5, 1, 4, 0}},
        {200 * SECOND, {true, 5, 4, 1, 0}},
    };
    struct rate *rate = new_rate(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rate_verdict got = rate_take(rate, CLASS_SECOND, STR("10.0.0.1"), rows[i].at_us);
        const struct rate_verdict *wanted = &rows[i].wanted;
        if (got.remaining != wanted->remaining) print_error("row %zu\n", i);
        assert_int_equal(got.allowed, wanted->allowed);
        assert_int_equal(got.limit, wanted->limit);
        assert_int_equal(got.remaining, wanted->remaining);
        assert_int_equal(got.reset_s, wanted->reset_s);
        assert_int_equal(got.retry_after_s, wanted->retry_after_s);
    }
    rate_check(rate);
    rate_free(rate);
}

static void who_waits_as_told_is_let_in(void **state)
{
    (void)state;
    struct rate *rate = new_rate(1000);
    int64_t now_us = 12345;
    for (int i = 0; i < 200; i++) {
        struct rate_verdict verdict = rate_take(rate, CLASS_SEVEN, STR("bob"), now_us);
        if (verdict.allowed) {
            assert_int_equal(verdict.retry_after_s, 0);
            verdict = rate_take(rate, CLASS_SEVEN, STR("bob"), now_us);
            assert_false(verdict.allowed);
        }
        assert_in_range(verdict.retry_after_s, 1, 9);
        now_us += (int64_t)verdict.retry_after_s * SECOND;
        assert_true(rate_take(rate, CLASS_SEVEN, STR("bob"), now_us).allowed);
    }
    rate_free(rate);
}

static void callers_and_classes_do_not_share_their_room(void **state)
{
    (void)state;
    struct rate *rate = new_rate(1000);
    assert_true(rate_take(rate, CLASS_SEVEN, STR("a"), 0).allowed);
    assert_false(rate_take(rate, CLASS_SEVEN, STR("a"), 0).allowed);
    assert_true(rate_take(rate, CLASS_SEVEN, STR("b"), 0).allowed);
    assert_true(rate_take(rate, CLASS_SEVEN, STR(""), 0).allowed);
    assert_true(rate_take(rate, CLASS_SECOND, STR("a"), 0).allowed);
    assert_false(rate_take(rate, CLASS_SEVEN, STR("a"), 0).allowed);
    rate_forget(rate, CLASS_SEVEN, STR("a"));
    rate_forget(rate, CLASS_SEVEN, STR("nobody"));
    assert_true(rate_take(rate, CLASS_SEVEN, STR("a"), 0).allowed);
    assert_false(rate_take(rate, CLASS_SEVEN, STR("b"), 0).allowed);
    rate_check(rate);
    rate_free(rate);
}

static void no_limit_means_no_limit_and_no_headers(void **state)
{
    (void)state;
    struct rate *rate = new_rate(1000);
    for (int i = 0; i < 100000; i++) {
        struct rate_verdict verdict = rate_take(rate, CLASS_UNLIMITED, STR("a"), 0);
        assert_true(verdict.allowed && verdict.limit == 0 && verdict.retry_after_s == 0);
    }
    rate_free(rate);
}

static void limits_out_of_range_are_cut_and_never_divide_by_zero(void **state)
{
    (void)state;
    struct rate *rate = new_rate(0);
    struct rate_verdict verdict = rate_take(rate, CLASS_NO_BURST, STR("a"), 7);
    assert_true(verdict.allowed && verdict.limit == 1 && verdict.remaining == 0);
    assert_false(rate_take(rate, CLASS_NO_BURST, STR("a"), 7 + 9999).allowed);
    assert_true(rate_take(rate, CLASS_NO_BURST, STR("a"), 7 + 10000).allowed);

    verdict = rate_take(rate, CLASS_HUGE, STR("a"), INT64_MAX / 2 - 1);
    assert_true(verdict.allowed);
    assert_int_equal(verdict.limit, RATE_BURST_MAX);
    assert_int_equal(verdict.remaining, RATE_BURST_MAX - 1);
    rate_check(rate);
    rate_free(rate);
}

static void over_a_long_time_no_more_pass_than_the_limit_says(void **state)
{
    (void)state;
    struct rate *rate = new_rate(1000);
    struct rng rng;
    rng_init(&rng, 7, 7);
    int64_t now_us = 5 * SECOND, start_us = now_us;
    uint64_t passed = 0;
    while (now_us - start_us < INT64_C(3600) * SECOND) {
        passed += rate_take(rate, CLASS_SEVEN, STR("bob"), now_us).allowed;
        now_us += rng_below(&rng, 3 * SECOND);
    }
    assert_in_range(passed, 350, 7 * 60 + 1);
    rate_free(rate);
}

static void a_clock_that_steps_back_locks_nobody_out_for_long(void **state)
{
    (void)state;
    struct rate *rate = new_rate(1000);
    int64_t late_us = INT64_C(1000000) * SECOND;
    assert_true(rate_take(rate, CLASS_SECOND, STR("a"), late_us).allowed);
    /* A little: threads read the clock before they have the lock. */
    assert_true(rate_take(rate, CLASS_SECOND, STR("a"), late_us - 50).allowed);
    /* A lot: never further from its room than an empty room is. */
    struct rate_verdict verdict = rate_take(rate, CLASS_SECOND, STR("a"), 0);
    assert_false(verdict.allowed);
    assert_int_equal(verdict.retry_after_s, 1);
    assert_int_equal(verdict.reset_s, 5);
    assert_true(rate_take(rate, CLASS_SECOND, STR("a"), SECOND).allowed);
    rate_free(rate);
}

static void many_addresses_push_out_the_idle_and_keep_the_eager(void **state)
{
    (void)state;
    struct rate *rate = new_rate(256);
    int64_t now_us = 0;
    for (int i = 0; i < 5; i++) {
        assert_true(rate_take(rate, CLASS_SECOND, STR("eager"), now_us).allowed);
    }
    /* Each newcomer has used one of five; the eager one, all five. */
    for (uint64_t i = 0; i < 100000; i++) {
        struct str caller = {(const char *)&i, sizeof(i)};
        rate_take(rate, CLASS_SECOND, caller, now_us);
    }
    assert_false(rate_take(rate, CLASS_SECOND, STR("eager"), now_us).allowed);
    rate_check(rate);
    rate_free(rate);
}

struct many {
    struct rate *rate;
    uint64_t passed;
};

static void *take_many(void *ctx)
{
    struct many *many = ctx;
    for (int i = 0; i < 20000; i++) {
        many->passed += rate_take(many->rate, CLASS_SECOND, STR("shared"), 777).allowed;
        uint64_t own = (uint64_t)i % 50;
        rate_take(many->rate, CLASS_SECOND, ((struct str){(const char *)&own, sizeof(own)}), 777);
    }
    return NULL;
}

static void threads_share_one_room(void **state)
{
    (void)state;
    struct rate *rate = new_rate(4096);
    struct many many[4];
    pthread_t threads[COUNT_OF(many)];
    uint64_t passed = 0;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = (struct many){.rate = rate};
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &many[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        pthread_join(threads[i], NULL);
        passed += many[i].passed;
    }
    assert_int_equal(passed, 5);
    rate_check(rate);
    rate_free(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_allowed_then_one_at_a_time),
        cmocka_unit_test(who_waits_as_told_is_let_in),
        cmocka_unit_test(callers_and_classes_do_not_share_their_room),
        cmocka_unit_test(no_limit_means_no_limit_and_no_headers),
        cmocka_unit_test(limits_out_of_range_are_cut_and_never_divide_by_zero),
        cmocka_unit_test(over_a_long_time_no_more_pass_than_the_limit_says),
        cmocka_unit_test(a_clock_that_steps_back_locks_nobody_out_for_long),
        cmocka_unit_test(many_addresses_push_out_the_idle_and_keep_the_eager),
        cmocka_unit_test(threads_share_one_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
