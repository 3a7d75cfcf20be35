/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "api/conversation_cache.h"
#include "base/mem.h"

static const struct conversations_version now = {.events = 7, .profiles = 3};

static struct conversations_query question(uint64_t reader, uint64_t before, uint64_t limit)
{
    return (struct conversations_query){{reader}, before, limit};
}

/* The list that is kept for the question, or "none". */
static void assert_kept(struct conversation_cache *cache, struct conversations_query query,
                        struct conversations_version version, const char *expected)
{
    struct buf body;
    buf_init(&body, 1024);
    bool found = conversation_cache_find(cache, &query, version, &body);
    assert_str_equal(found ? buf_str(&body) : STR("none"), expected);
    buf_release(&body);
}

static void keep(struct conversation_cache *cache, struct conversations_query query,
                 struct conversations_version version, const char *body)
{
    conversation_cache_keep(cache, &query, version, str_of(body));
    conversation_cache_check(cache);
}

static void a_list_belongs_to_one_reader_and_one_question(void **state)
{
    (void)state;
    struct conversation_cache *cache = conversation_cache_new();
    assert_kept(cache, question(1, 0, 100), now, "none");
    keep(cache, question(1, 0, 100), now, "of 1");
    keep(cache, question(2, 0, 100), now, "of 2");
    keep(cache, question(1, 9, 100), now, "of 1, before 9");
    assert_kept(cache, question(1, 0, 100), now, "of 1");
    assert_kept(cache, question(2, 0, 100), now, "of 2");
    assert_kept(cache, question(1, 9, 100), now, "of 1, before 9");
    assert_kept(cache, question(2, 9, 100), now, "none");
    assert_kept(cache, question(1, 0, 99), now, "none");
    conversation_cache_free(cache);
}

static void a_list_of_another_version_is_dropped(void **state)
{
    (void)state;
    struct conversation_cache *cache = conversation_cache_new();
    static const struct conversations_version others[] = {{8, 3}, {7, 4}, {6, 3}, {3, 7}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        keep(cache, question(1, 0, 100), now, "of its time");
        assert_kept(cache, question(1, 0, 100), others[i], "none");
        assert_int_equal(conversation_cache_check(cache), 0);
    }
    keep(cache, question(1, 0, 100), now, "old");
    keep(cache, question(1, 0, 100), others[0], "new");
    assert_kept(cache, question(1, 0, 100), others[0], "new");
    conversation_cache_free(cache);
}

static void past_the_ceiling_those_asked_for_the_longest_ago_go(void **state)
{
    (void)state;
    enum { LIST_BYTES = 64 * 1024, ROOM = CONVERSATION_CACHE_BYTES_MAX / LIST_BYTES };
    struct conversation_cache *cache = conversation_cache_new();
    struct str body = {mem_alloc(LIST_BYTES), LIST_BYTES};
    struct buf got;
    buf_init(&got, 2 * LIST_BYTES);
    for (uint64_t i = 1; i <= 3 * ROOM; i++) {
        struct conversations_query query = question(i, 0, 100), first = question(1, 0, 100);
        conversation_cache_keep(cache, &query, now, body);
        buf_reset(&got, SIZE_MAX);
        assert_true(conversation_cache_find(cache, &first, now, &got)); /* always in demand */
        assert_int_equal(got.len, LIST_BYTES);
        assert_true(conversation_cache_check(cache) <= CONVERSATION_CACHE_BYTES_MAX);
    }
    struct conversations_query last = question(3 * ROOM, 0, 100), second = question(2, 0, 100);
    assert_true(conversation_cache_find(cache, &last, now, &got));
    assert_false(conversation_cache_find(cache, &second, now, &got));
    assert_true(conversation_cache_check(cache) > CONVERSATION_CACHE_BYTES_MAX - 2 * LIST_BYTES);
    buf_release(&got);
    mem_free((char *)(uintptr_t)body.at);
    conversation_cache_free(cache);
}

static void a_very_long_list_is_not_kept_and_its_older_form_goes(void **state)
{
    (void)state;
    enum { BYTES = CONVERSATION_CACHE_LIST_BYTES_MAX + 1 };
    struct conversation_cache *cache = conversation_cache_new();
    struct conversations_query query = question(1, 0, 100);
    char *long_body = mem_alloc(BYTES);
    keep(cache, query, now, "short");
    conversation_cache_keep(cache, &query, now, (struct str){long_body, BYTES});
    assert_int_equal(conversation_cache_check(cache), 0);
    assert_kept(cache, query, now, "none");
    conversation_cache_keep(cache, &query, now, (struct str){long_body, BYTES - 1});
    assert_true(conversation_cache_check(cache) >= BYTES - 1);
    mem_free(long_body);
    conversation_cache_free(cache);
    conversation_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_belongs_to_one_reader_and_one_question),
        cmocka_unit_test(a_list_of_another_version_is_dropped),
        cmocka_unit_test(past_the_ceiling_those_asked_for_the_longest_ago_go),
        cmocka_unit_test(a_very_long_list_is_not_kept_and_its_older_form_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
