/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/rng.h"

static void the_stream_is_the_published_one(void **state)
{
    (void)state;
    /* pcg32-demo of the reference implementation: seed 42, stream 54. */
    static const uint32_t expected[] = {0xa15c02b7, 0x7b47f409, 0xba1d3330,
                                        0x83d2f293, 0xbfa4784b, 0xcbed606e};
    struct rng rng;
    rng_init(&rng, 42, 54);
    for (size_t i = 0; i < COUNT_OF(expected); i++) assert_int_equal(rng_u32(&rng), expected[i]);
}

static void seeds_and_streams_differ(void **state)
{
    (void)state;
    struct rng same, again, seed, stream;
    rng_init(&same, 1, 1);
    rng_init(&again, 1, 1);
    rng_init(&seed, 2, 1);
    rng_init(&stream, 1, 2);
    int seed_hits = 0, stream_hits = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t drawn = rng_u32(&same);
        assert_int_equal(drawn, rng_u32(&again));
        seed_hits += drawn == rng_u32(&seed);
        stream_hits += drawn == rng_u32(&stream);
    }
    assert_in_range(seed_hits, 0, 2);
    assert_in_range(stream_hits, 0, 2);
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9, 9);
    for (int i = 0; i < 100; i++) assert_int_equal(rng_below(&rng, 1), 0);

    enum { SIDES = 6, THROWS = 600000 };
    int seen[SIDES] = {0};
    for (int i = 0; i < THROWS; i++) {
        uint32_t side = rng_below(&rng, SIDES);
        assert_in_range(side, 0, SIDES - 1);
        seen[side]++;
    }
    /* Five standard deviations of a fair die are 1,450. */
    for (int i = 0; i < SIDES; i++) assert_in_range(seen[i], 98500, 101500);
}

static void below_has_no_modulo_bias(void **state)
{
    (void)state;
    /* A plain modulo would throw the lower half twice as often as the upper one. */
    struct rng rng;
    rng_init(&rng, 3, 3);
    const uint32_t below = 0xC0000000;
    int low = 0;
    for (int i = 0; i < 100000; i++) low += rng_below(&rng, below) < 0x40000000;
    assert_in_range(low, 32400, 34300);
}

static void kernel_randomness_fills_exactly_and_differs(void **state)
{
    (void)state;
    unsigned char bytes[1000];
    memset(bytes, 0, sizeof(bytes));
    random_bytes(bytes + 1, 998);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[999], 0);
    int zeros = 0;
    for (size_t i = 1; i < 999; i++) zeros += bytes[i] == 0;
    assert_in_range(zeros, 0, 30);
    random_bytes(bytes, 0);
    assert_true(random_u64() != random_u64());
}

static void draw_below_nothing(void)
{
    struct rng rng;
    rng_init(&rng, 1, 1);
    rng_below(&rng, 0);
}

static void drawing_below_nothing_is_our_mistake(void **state)
{
    (void)state;
    assert_true(aborts(draw_below_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_is_the_published_one),
        cmocka_unit_test(seeds_and_streams_differ),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(below_has_no_modulo_bias),
        cmocka_unit_test(kernel_randomness_fills_exactly_and_differs),
        cmocka_unit_test(drawing_below_nothing_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
