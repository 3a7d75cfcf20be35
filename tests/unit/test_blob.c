/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* That a blob is freed with its last reference, and not before, is LeakSanitizer's and
 * AddressSanitizer's to notice: every test here ends with none left. */
#include "unit.h"

#include <pthread.h>

#include "base/blob.h"

static void a_copy_stands_alone_with_a_nul_behind(void **state)
{
    (void)state;
    char from[] = "event";
    struct blob *blob = blob_copy(str_of(from));
    memset(from, '#', sizeof(from));
    assert_str_equal(blob_str(blob), "event");
    assert_int_equal(blob->at[5], '\0');
    blob_unref(blob);

    blob = blob_copy((struct str){0});
    assert_int_equal(blob_str(blob).len, 0);
    blob_unref(blob);
}

static void the_last_reference_frees(void **state)
{
    (void)state;
    struct blob *blob = blob_new(3);
    memcpy(blob->at, "abc", 3);
    assert_ptr_equal(blob_ref(blob), blob);
    blob_ref_many(blob, 5);
    assert_int_equal(blob->refs, 7);
    blob_unref(blob);
    blob_unref_many(blob, 4);
    blob_unref_many(blob, 0);
    assert_str_equal(blob_str(blob), "abc");
    blob_unref_many(blob, 2);
}

static void nothing_can_be_dropped(void **state)
{
    (void)state;
    blob_unref(NULL);
    blob_unref_many(NULL, 3);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *take_and_drop(void *ctx)
{
    struct blob *blob = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        blob_ref(blob);
        blob_ref_many(blob, 3);
        assert_int_equal(blob->at[0], 'x');
        blob_unref_many(blob, 3);
        blob_unref(blob);
    }
    blob_unref(blob); /* the one that came with the thread */
    return NULL;
}

static void references_may_come_and_go_on_any_thread(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(STR("x"));
    blob_ref_many(blob, THREADS);
    blob_unref(blob); /* whoever comes last frees it, and that is a thread */
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, blob), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void drop_too_many(void)
{
    struct blob *blob = blob_new(1);
    blob_unref_many(blob, 2);
}

static void dropping_more_than_there_are_is_our_mistake(void **state)
{
    (void)state;
    assert_true(aborts(drop_too_many));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_stands_alone_with_a_nul_behind),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(nothing_can_be_dropped),
        cmocka_unit_test(references_may_come_and_go_on_any_thread),
        cmocka_unit_test(dropping_more_than_there_are_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
