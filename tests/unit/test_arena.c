/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/arena.h"
#include "base/rng.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct rng rng;
    rng_init(&rng, 1, 1);
    struct {
        unsigned char *at;
        size_t bytes;
    } taken[2000];
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        size_t bytes = rng_below(&rng, rng_below(&rng, 50) == 0 ? 20000 : 100);
        unsigned char *at = arena_alloc(&arena, bytes);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        for (size_t b = 0; b < bytes; b++) assert_int_equal(at[b], 0);
        memset(at, (int)(i & 0xFF), bytes);
        taken[i].at = at;
        taken[i].bytes = bytes;
    }
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        for (size_t b = 0; b < taken[i].bytes; b++) assert_int_equal(taken[i].at[b], i & 0xFF);
    }
    arena_release(&arena);
}

static void an_empty_arena_can_be_reset_and_released(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_reset(&arena);
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 0));
    arena_release(&arena);
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 1));
    arena_release(&arena);
}

static void reset_hands_out_the_newest_memory_zeroed_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (int i = 0; i < 500; i++) memset(arena_alloc(&arena, 100), 0xEE, 100);
    struct arena_chunk *newest = arena.chunks;
    arena_reset(&arena);
    unsigned char *again = arena_alloc(&arena, 100);
    for (int i = 0; i < 100; i++) assert_int_equal(again[i], 0);
    for (int i = 0; i < 30; i++) arena_alloc(&arena, 100); /* as large as chunks become */
    assert_ptr_equal(arena.chunks, newest);
    arena_release(&arena);
}

static void one_large_request_does_not_stay_after_reset(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_alloc(&arena, 1u << 20);
    arena_reset(&arena);
    assert_null(arena.chunks);
    assert_non_null(arena_alloc(&arena, 10));
    arena_release(&arena);
}

static void copies_stand_alone_with_a_nul_behind(void **state)
{
    (void)state;
    struct arena arena = {0};
    char from[] = "胡同 and more";
    struct str copy = arena_copy(&arena, str_head(str_of(from), 6));
    memset(from, '#', sizeof(from));
    assert_str_equal(copy, "胡同");
    assert_int_equal(copy.at[copy.len], '\0');

    struct str empty = arena_copy(&arena, (struct str){0});
    assert_non_null(empty.at);
    assert_int_equal(empty.len, 0);
    assert_int_equal(empty.at[0], '\0');
    arena_release(&arena);
}

static void printf_takes_texts_of_any_length(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_str_equal(arena_printf(&arena, "%d %s", 7, "lanes"), "7 lanes");
    assert_str_equal(arena_printf(&arena, "%s", ""), "");
    struct str wide = arena_printf(&arena, "%100000d", 1);
    assert_int_equal(wide.len, 100000);
    assert_int_equal(wide.at[99999], '1');
    assert_int_equal(wide.at[100000], '\0');
    arena_release(&arena);
}

static void arrays_and_structs_come_zeroed(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str *one = ARENA_NEW(&arena, struct str);
    assert_null(one->at);
    uint64_t *many = ARENA_ARRAY(&arena, uint64_t, 1000);
    for (size_t i = 0; i < 1000; i++) assert_true(many[i] == 0);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(an_empty_arena_can_be_reset_and_released),
        cmocka_unit_test(reset_hands_out_the_newest_memory_zeroed_again),
        cmocka_unit_test(one_large_request_does_not_stay_after_reset),
        cmocka_unit_test(copies_stand_alone_with_a_nul_behind),
        cmocka_unit_test(printf_takes_texts_of_any_length),
        cmocka_unit_test(arrays_and_structs_come_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
