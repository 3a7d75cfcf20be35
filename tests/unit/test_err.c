/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* err.h, list.h and mem.h: three small rooms under one roof. */
#include "unit.h"

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/utf8.h"

static void why_set_returns_what_it_was_given(void **state)
{
    (void)state;
    struct why why = {0};
    assert_int_equal(why_set(&why, ERR_BUSY, "%d wait", 3), ERR_BUSY);
    assert_string_equal(why.text, "3 wait");
    assert_int_equal(why_set(&why, ERR_IO, "later"), ERR_IO);
    assert_string_equal(why.text, "later");
}

static void a_long_sentence_is_cut_between_code_points(void **state)
{
    (void)state;
    /* Shift the cut through every byte of a four-byte character. */
    for (int shift = 0; shift < 4; shift++) {
        char text[800];
        size_t len = (size_t)snprintf(text, sizeof(text), "%.*s", shift, "abc");
        while (len + 5 < sizeof(text)) len += (size_t)snprintf(text + len, 5, "😀");
        struct why why = {0};
        assert_int_equal(why_set(&why, ERR_LIMIT, "%s", text), ERR_LIMIT);
        struct str sentence = str_of(why.text);
        assert_true(utf8_valid(sentence));
        assert_in_range(sentence.len, sizeof(why.text) - 4, sizeof(why.text) - 1);
        assert_true(str_starts(str_of(text), sentence));
    }
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (enum err err = OK; err < ERR_COUNT; err++) {
        assert_non_null(err_name(err));
        for (enum err other = OK; other < err; other++) {
            assert_string_not_equal(err_name(err), err_name(other));
        }
    }
    assert_string_equal(err_name(ERR_NOT_FOUND), "not_found");
}

struct item {
    int number;
    struct list link;
};

static int take_number(struct list *head)
{
    struct list *first = list_take_first(head);
    return first ? CONTAINER_OF(first, struct item, link)->number : -1;
}

static void a_list_keeps_its_order(void **state)
{
    (void)state;
    struct list head, other;
    list_init(&head);
    list_init(&other);
    struct item items[5];
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_init(&items[i].link);
        list_add_last(&head, &items[i].link);
    }
    list_remove(&items[2].link);
    list_remove(&items[2].link); /* in no list: nothing happens */
    assert_int_equal(take_number(&head), 0);

    list_add_last(&other, &items[2].link);
    list_move_all(&other, &head);
    assert_true(list_is_empty(&head));
    list_move_all(&other, &head); /* nothing to move */
    static const int expected[] = {2, 1, 3, 4, -1, -1};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(take_number(&other), expected[i]);
    }
    assert_true(list_is_empty(&other));
}

static void memory_is_there_even_for_nothing(void **state)
{
    (void)state;
    unsigned char *zeroed = mem_alloc(1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(zeroed[i], 0);
    zeroed = mem_resize(zeroed, 5000);
    for (int i = 0; i < 1000; i++) assert_int_equal(zeroed[i], 0);
    mem_free(zeroed);
    void *nothing[] = {mem_alloc(0), mem_alloc_raw(0), mem_copy(NULL, 0), mem_resize(NULL, 0)};
    for (size_t i = 0; i < COUNT_OF(nothing); i++) {
        assert_non_null(nothing[i]);
        mem_free(nothing[i]);
    }
    char *text = mem_copy_text("胡同");
    assert_string_equal(text, "胡同");
    mem_free(text);
    mem_free(NULL);
}

static void fail_an_assertion(void)
{
    ASSERT(1 > 2);
}

static void a_failed_assertion_ends_the_program(void **state)
{
    (void)state;
    ASSERT(2 > 1);
    assert_true(aborts(fail_an_assertion));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(why_set_returns_what_it_was_given),
        cmocka_unit_test(a_long_sentence_is_cut_between_code_points),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(a_list_keeps_its_order),
        cmocka_unit_test(memory_is_there_even_for_nothing),
        cmocka_unit_test(a_failed_assertion_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
