/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "auth/apikey.h"
#include "base/pattern.h"

#include "community/keys.h"
#include "unit.h"

static void every_key_is_new_and_hashes_to_itself(void **state)
{
    (void)state;
    char a[APIKEY_TEXT_BYTES], b[APIKEY_TEXT_BYTES];
    uint8_t hash_a[APIKEY_HASH_BYTES], hash_b[APIKEY_HASH_BYTES], again[APIKEY_HASH_BYTES];
    apikey_new(a);
    apikey_new(b);
    assert_int_equal(strlen(a), APIKEY_TEXT_BYTES - 1);
    assert_true(str_starts(str_of(a), STR("sk-hutong-")));
    assert_string_not_equal(a, b);
    assert_true(apikey_hash(str_of(a), hash_a));
    assert_true(apikey_hash(str_of(b), hash_b));
    assert_true(apikey_hash(str_of(a), again));
    assert_memory_equal(hash_a, again, sizeof(again));
    assert_memory_not_equal(hash_a, hash_b, sizeof(again));
}

static void other_texts_are_nobodys(void **state)
{
    (void)state;
    char key[APIKEY_TEXT_BYTES];
    uint8_t hash[APIKEY_HASH_BYTES];
    apikey_new(key);
    assert_false(apikey_hash(STR(""), hash));
    assert_false(apikey_hash(STR("sk-hutong-"), hash));
    assert_false(apikey_hash(str_head(str_of(key), APIKEY_TEXT_BYTES - 2), hash));
    key[0] = 'p';
    assert_false(apikey_hash(str_of(key), hash));
}

static void a_star_stands_for_anything(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *model;
        bool matches;
    } cases[] = {
        {"gpt-4o", "gpt-4o", true},
        {"gpt-4o", "gpt-4o-mini", false},
        {"gpt-*", "gpt-4o-mini", true},
        {"gpt-*", "my-gpt-4o", false},
        {"*", "", true},
        {"*", "a/b", true},
        {"*mini", "gpt-4o-mini", true},
        {"*mini", "gpt-4o-mini-2", false},
        {"a*b*c", "a-b-b-c", true},
        {"a*b*c", "a-c-b", false},
        {"openai/*", "gpt-4o", false},
        {"openai/*", "openai/gpt-4o", true},
        {"**", "x", true},
        {"x", "", false},
        {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool matches = model_pattern_matches(str_of(cases[i].pattern), str_of(cases[i].model));
        if (matches != cases[i].matches) fail_msg("%s %s", cases[i].pattern, cases[i].model);
    }
    assert_true(key_allows((struct str){0}, STR("anything")));
    assert_true(key_allows(STR("a\nb*"), STR("bc")));
    assert_false(key_allows(STR("a\nb*"), STR("a2")));
}

static void patterns_are_short_words(void **state)
{
    (void)state;
    struct why why;
    char much[300];
    memset(much, 'x', sizeof(much));
    assert_int_equal(model_pattern_check(STR("qwen/*"), &why), OK);
    assert_int_equal(model_pattern_check(STR("模型"), &why), OK);
    assert_int_equal(model_pattern_check(STR(""), &why), ERR_INVALID);
    assert_int_equal(model_pattern_check(STR("a b"), &why), ERR_INVALID);
    assert_int_equal(model_pattern_check(STR("a\nb"), &why), ERR_INVALID);
    assert_int_equal(model_pattern_check((struct str){much, sizeof(much)}, &why), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_new_and_hashes_to_itself),
        cmocka_unit_test(other_texts_are_nobodys),
        cmocka_unit_test(a_star_stands_for_anything),
        cmocka_unit_test(patterns_are_short_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
