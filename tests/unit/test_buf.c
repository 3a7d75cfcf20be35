/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/buf.h"

static void a_new_buffer_holds_nothing_and_no_memory(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_null(buf.at);
    assert_int_equal(buf_str(&buf).len, 0);
    buf_release(&buf);
    buf_release(&buf);
    struct buf zeroed = {0};
    buf_release(&zeroed);
}

static void what_is_added_stands_in_order_with_a_nul_behind(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add(&buf, "ab\0", 3);
    buf_add_byte(&buf, 'c');
    buf_add_str(&buf, STR("胡同"));
    buf_add(&buf, NULL, 0);
    buf_printf(&buf, "%s-%d", "x", -5);
    assert_int_equal(buf.len, 14);
    assert_memory_equal(buf.at, "ab\0c胡同x--5", 15);
    assert_false(buf.failed);
    buf_release(&buf);
}

static void numbers_are_written_in_full(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf buf;
        buf_init(&buf, 20);
        buf_add_u64(&buf, cases[i].value);
        assert_str_equal(buf_str(&buf), cases[i].text);
        buf_release(&buf);
    }
}

static void growing_keeps_what_was_there(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1u << 20);
    for (uint32_t i = 0; i < 20000; i++) buf_add(&buf, &i, sizeof(i));
    assert_int_equal(buf.len, 80000);
    for (uint32_t i = 0; i < 20000; i++) assert_memory_equal(buf.at + i * sizeof(i), &i, sizeof(i));
    assert_int_equal(buf.at[buf.len], '\0');
    buf_release(&buf);
}

static void the_ceiling_is_reached_exactly_and_then_remembered(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    buf_add(&buf, "12345678", 8);
    buf_printf(&buf, "%d", 90);
    assert_false(buf.failed);
    assert_str_equal(buf_str(&buf), "1234567890");

    buf_add_byte(&buf, 'x');
    assert_true(buf.failed);
    assert_str_equal(buf_str(&buf), "1234567890");

    /* Even what would fit is refused now: a hole in the middle would be worse than an end. */
    buf_reset(&buf, 1000);
    assert_false(buf.failed);
    buf_add(&buf, "12345678", 8);
    buf_add(&buf, "abc", 3);
    buf_add_byte(&buf, 'd');
    buf_printf(&buf, "e");
    assert_true(buf.failed);
    assert_str_equal(buf_str(&buf), "12345678");
    buf_release(&buf);
}

static void a_length_near_the_end_of_numbers_does_not_wrap(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_add(&buf, "ab", 2);
    assert_null(buf_space(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buf_reset(&buf, 1000);
    assert_null(buf_space(&buf, SIZE_MAX - 1));
    assert_int_equal(buf.len, 0);
    buf_release(&buf);
}

static void space_may_be_used_in_part(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    char *space = buf_space(&buf, 500);
    assert_non_null(space);
    memcpy(space, "hello", 5);
    buf_grew(&buf, 5);
    assert_str_equal(buf_str(&buf), "hello");
    buf_grew(&buf, 0);
    assert_int_equal(buf.len, 5);
    buf_release(&buf);
}

static void reset_keeps_small_memory_and_lets_large_go(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100000);
    buf_add(&buf, "small", 5);
    char *memory = buf.at;
    buf_reset(&buf, 4096);
    assert_ptr_equal(buf.at, memory);
    assert_int_equal(buf.len, 0);

    assert_non_null(buf_space(&buf, 50000));
    buf_reset(&buf, 4096);
    assert_null(buf.at);
    assert_int_equal(buf.max, 100000);
    buf_add(&buf, "again", 5);
    assert_str_equal(buf_str(&buf), "again");
    buf_release(&buf);
}

static void grow_past_space(void)
{
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add_byte(&buf, 'a');
    buf_grew(&buf, buf.cap);
}

static void claiming_more_than_there_is_room_for_is_our_mistake(void **state)
{
    (void)state;
    assert_true(aborts(grow_past_space));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_holds_nothing_and_no_memory),
        cmocka_unit_test(what_is_added_stands_in_order_with_a_nul_behind),
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(growing_keeps_what_was_there),
        cmocka_unit_test(the_ceiling_is_reached_exactly_and_then_remembered),
        cmocka_unit_test(a_length_near_the_end_of_numbers_does_not_wrap),
        cmocka_unit_test(space_may_be_used_in_part),
        cmocka_unit_test(reset_keeps_small_memory_and_lets_large_go),
        cmocka_unit_test(claiming_more_than_there_is_room_for_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
