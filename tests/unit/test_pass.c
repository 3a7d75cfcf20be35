/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/keyring.h"
#include "auth/pass.h"

static const int64_t now_s = 1700000000;

static struct keyring *two_keys(void)
{
    struct signing_key keys[2] = {{.kid = "old", .created_s = 1}, {.kid = "new", .created_s = 2}};
    memset(keys[0].secret, 1, sizeof(keys[0].secret));
    memset(keys[1].secret, 2, sizeof(keys[1].secret));
    return keyring_new(keys, 2, STR(""));
}

static bool holds(const struct keyring *keyring, const char *text, int64_t at_s)
{
    return pass_holds(keyring, STR("wiki"), STR("sesame"), str_of(text), at_s);
}

static void a_note_holds_until_its_end_for_its_purpose_and_secret(void **state)
{
    (void)state;
    struct keyring *keyring = two_keys();
    char text[PASS_BYTES];
    pass_sign(keyring, STR("wiki"), STR("sesame"), now_s + 10, text);
    assert_true(holds(keyring, text, now_s));
    assert_true(holds(keyring, text, now_s + 9));
    assert_false(holds(keyring, text, now_s + 10));
    assert_false(pass_holds(keyring, STR("other"), STR("sesame"), str_of(text), now_s));
    assert_false(pass_holds(keyring, STR("wiki"), STR("sesame2"), str_of(text), now_s));
    assert_false(pass_holds(keyring, STR("wiki"), STR(""), str_of(text), now_s));
    /* What stands before a border counts as that, not as what stands behind it. */
    assert_false(pass_holds(keyring, STR("wikis"), STR("esame"), str_of(text), now_s));
    assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-"),
                     strlen(text));
    keyring_free(keyring);
}

static void every_changed_character_undoes_it(void **state)
{
    (void)state;
    struct keyring *keyring = two_keys();
    char text[PASS_BYTES];
    pass_sign(keyring, STR("wiki"), STR("sesame"), now_s + 10, text);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char was = text[i];
        text[i] = was == '9' ? '8' : '9';
        assert_false(holds(keyring, text, now_s));
        text[i] = '\0';
        assert_false(holds(keyring, text, now_s));
        text[i] = was;
    }
    assert_true(holds(keyring, text, now_s));
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "1800000000.new.",
                                      "1800000000.gone.AAAA",
                                      "x.new.AAAA",
                                      "9999999999999999999999999.new.AAAA"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(holds(keyring, bad[i], now_s));
    keyring_free(keyring);
}

static void an_older_key_still_verifies_and_a_key_that_went_does_not(void **state)
{
    (void)state;
    struct signing_key old = {.kid = "old", .created_s = 1};
    memset(old.secret, 1, sizeof(old.secret));
    struct keyring *before = keyring_new(&old, 1, STR("")), *after = two_keys();
    struct signing_key other = {.kid = "other", .created_s = 3};
    struct keyring *strange = keyring_new(&other, 1, STR(""));
    char text[PASS_BYTES], newer[PASS_BYTES];
    pass_sign(before, STR("wiki"), STR("sesame"), now_s + 10, text);
    pass_sign(after, STR("wiki"), STR("sesame"), now_s + 10, newer);
    assert_true(holds(after, text, now_s));
    assert_false(holds(before, newer, now_s));
    assert_false(holds(strange, text, now_s));
    keyring_free(before);
    keyring_free(after);
    keyring_free(strange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_holds_until_its_end_for_its_purpose_and_secret),
        cmocka_unit_test(every_changed_character_undoes_it),
        cmocka_unit_test(an_older_key_still_verifies_and_a_key_that_went_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
