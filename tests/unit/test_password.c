/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <crypt.h>

#include "auth/password.h"

static struct passwords cheap;

static int open_cheap(void **state)
{
    (void)state;
    struct why why = {0};
    return passwords_open(&cheap, PASSWORD_COST_TESTS, &why) == OK ? 0 : -1;
}

static enum err verify(const char *hash, const char *password, bool *rehash)
{
    struct why why = {0};
    enum err err = password_verify(&cheap, str_of(hash), str_of(password), rehash, &why);
    assert_true(err == OK || why.text[0] != '\0');
    return err;
}

static void a_password_verifies_against_its_own_hash_only(void **state)
{
    (void)state;
    static const char *const passwords[] = {
        "secret1",
        "",
        "with blanks  ",
        "密码是个秘密",
        "\xF0\x9F\x94\x91\xF0\x9F\x94\x91",
        /* past the 72 bytes of bcrypt */
        "a long long long long long long long long long long long long long long long password",
    };
    struct why why = {0};
    for (size_t i = 0; i < COUNT_OF(passwords); i++) {
        char hash[PASSWORD_HASH_BYTES];
        assert_int_equal(password_hash(&cheap, str_of(passwords[i]), hash, &why), OK);
        assert_memory_equal(hash, "$argon2id$v=19$m=8,t=1,p=1$", 27);
        for (size_t other = 0; other < COUNT_OF(passwords); other++) {
            bool rehash = true;
            enum err err = verify(hash, passwords[other], &rehash);
            assert_int_equal(err, other == i ? OK : ERR_UNKNOWN_CALLER);
            assert_false(rehash);
        }
    }
}

static void the_same_password_never_has_the_same_hash(void **state)
{
    (void)state;
    struct why why = {0};
    char one[PASSWORD_HASH_BYTES], two[PASSWORD_HASH_BYTES];
    assert_int_equal(password_hash(&cheap, STR("again and again"), one, &why), OK);
    assert_int_equal(password_hash(&cheap, STR("again and again"), two, &why), OK);
    assert_string_not_equal(one, two);
}

static void a_nul_is_refused_in_new_passwords_and_matches_nothing(void **state)
{
    (void)state;
    struct why why = {0};
    char hash[PASSWORD_HASH_BYTES];
    struct str with_nul = STR("secret\0more"), cut = STR("secret");
    assert_int_equal(password_hash(&cheap, with_nul, hash, &why), ERR_INVALID);
    assert_int_equal(password_check(with_nul, &why), ERR_INVALID);

    char setting[CRYPT_OUTPUT_SIZE];
    struct crypt_data data = {0};
    str_copy(setting, sizeof(setting),
             str_of(crypt_r("secret", "$2b$04$abcdefghijklmnopqrstuu", &data)));
    bool rehash;
    assert_int_equal(password_verify(&cheap, str_of(setting), cut, &rehash, &why), OK);
    assert_int_equal(password_verify(&cheap, str_of(setting), with_nul, &rehash, &why),
                     ERR_UNKNOWN_CALLER);
}

/* Made by libsodium, as those of servers before 0.1.0 are. */
static void argon2id_hashes_of_another_implementation_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *hash, *password;
    } rows[] = {
        {"$argon2id$v=19$m=64,t=2,p=1$C/a1hHwKAX7IPKZF+D/XyQ$l95GKpiGZLr9GbYc7RvWbZ/"
         "1OxPyyFlkiji78HC19jU",
         "open sesame"},
        {"$argon2id$v=19$m=64,t=2,p=1$UMnuG3J+akHwP84aHY+uTw$"
         "mWeVAMhlDnLvsiUcOdHB7kFAneQ8ZMqmLbDHVXuWY8Y",
         "密码 pässwörd"},
        {"$argon2id$v=19$m=64,t=2,p=1$XhFGCu9RLUPH07u8RA0/"
         "Jg$uScHuo8MnlGK9AAmHob8FeUBrS2YOoVeKYQd8NpvYpU",
         ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool rehash = true;
        assert_int_equal(verify(rows[i].hash, rows[i].password, &rehash), OK);
        assert_false(rehash);
        assert_int_equal(verify(rows[i].hash, "open sesam", &rehash), ERR_UNKNOWN_CALLER);
    }
}

/* Made by another implementation: the test vectors of crypt_blowfish; the last at the cost of the
 * old system. */
static void bcrypt_hashes_of_imported_members_are_accepted_and_due_for_a_new_one(void **state)
{
    (void)state;
    static const struct {
        const char *hash, *password;
        enum err wanted;
    } rows[] = {
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", OK},
        {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", OK},
        {"$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", OK},
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*", OK},
        {"$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U", OK},
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", "", OK},
        {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*u", ERR_UNKNOWN_CALLER},
        {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "", ERR_UNKNOWN_CALLER},
        {"$2b$12$abcdefghijklmnopqrstuuLM1VwmLethpbFyB/JHqu.llBWW8TZGW", "密码 pässwörd", OK},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool rehash = true;
        assert_int_equal(verify(rows[i].hash, rows[i].password, &rehash), rows[i].wanted);
        assert_int_equal(rehash, rows[i].wanted == OK);
    }
}

static void bcrypt_ignores_what_is_past_72_bytes_and_argon2_does_not(void **state)
{
    (void)state;
    char same[80], longer[100], shorter[72];
    memset(same, 'p', sizeof(same));
    memset(longer, 'p', sizeof(longer));
    memset(shorter, 'p', sizeof(shorter));
    same[79] = longer[99] = shorter[71] = '\0'; /* 79, 99 and 71 bytes */

    struct crypt_data data = {0};
    char hash[PASSWORD_HASH_BYTES];
    str_copy(hash, sizeof(hash), str_of(crypt_r(same, "$2b$04$abcdefghijklmnopqrstuu", &data)));
    bool rehash;
    assert_int_equal(verify(hash, same, &rehash), OK);
    assert_int_equal(verify(hash, longer, &rehash), OK);
    assert_int_equal(verify(hash, shorter, &rehash), ERR_UNKNOWN_CALLER);

    struct why why = {0};
    assert_int_equal(password_hash(&cheap, str_of(same), hash, &why), OK);
    assert_int_equal(verify(hash, same, &rehash), OK);
    assert_int_equal(verify(hash, longer, &rehash), ERR_UNKNOWN_CALLER);
}

static void damaged_and_ruinous_hashes_are_the_operators_business(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "",
        "secret",
        "$",
        "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
        "$argon2i$v=19$m=8,t=3,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$",
        "$argon2id$v=19$m=8,t=1$c29tZXNhbHRzb21lc2FsdA$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$not base64",
        "$argon2id$v=19$m=-8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ",
        /* 4 GiB, a thousand passes, 1,000 lanes: must not be computed */
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
        "$argon2id$v=19$m=8,t=1000,p=1$c29tZXNhbHRzb21lc2FsdA$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ",
        "$argon2id$v=19$m=8000,t=1,p=1000$c29tZXNhbHRzb21lc2FsdA$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2b$05$CCCCCCCCCCCC!CCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$xx$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", /* days */
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    };
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        bool rehash = true;
        enum err err = verify(hashes[i], "U*U", &rehash);
        if (err != ERR_CORRUPT) print_error("hash %zu: %s\n", i, err_name(err));
        assert_int_equal(err, ERR_CORRUPT);
        assert_false(rehash);
    }
    char endless[400];
    memset(endless, 'a', sizeof(endless));
    memcpy(endless, "$argon2id$v=19$m=8,t=1,p=1$", 27);
    struct why why = {0};
    bool rehash;
    struct str text = {endless, sizeof(endless)};
    assert_int_equal(password_verify(&cheap, text, STR("x"), &rehash, &why), ERR_CORRUPT);
}

enum { MIB = 1024 * 1024 };

static void weaker_hashes_are_due_for_a_new_one_and_stronger_ones_are_not(void **state)
{
    (void)state;
    static const struct {
        struct password_cost made, wanted;
        bool rehash;
    } rows[] = {
        {{1, 8192}, {1, 8192}, false},
        {{1, 8192}, {2, 8192}, true},
        {{1, 8192}, {1, 16384}, true},
        {{2, 8192}, {1, 8192}, false},
        {{1, 16384}, {1, 8192}, false},
        {{2, 8192}, {1, 16384}, true},
        {{1, 8192}, {1, 9000}, false}, /* 9,000 bytes are made as 8 KiB */
        /* OWASP's sets are as strong as each other; a little less than one of them is not. */
        {{1, 46 * MIB}, {5, 7 * MIB}, false},
        {{2, 19 * MIB}, {5, 7 * MIB}, false},
        {{3, 12 * MIB}, {5, 7 * MIB}, false},
        {{4, 9 * MIB}, {5, 7 * MIB}, false},
        {{5, 7 * MIB}, {2, 19 * MIB}, false},
        {{6, 8 * MIB}, {2, 19 * MIB}, false},
        {{1, 19 * MIB}, {5, 7 * MIB}, true},
        {{2, 18 * MIB}, {5, 7 * MIB}, true},
        {{4, 7 * MIB}, {5, 7 * MIB}, true},
        {{5, 7 * MIB}, {3, 19 * MIB}, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct passwords made, wanted;
        struct why why = {0};
        char hash[PASSWORD_HASH_BYTES];
        bool rehash;
        assert_int_equal(passwords_open(&made, rows[i].made, &why), OK);
        assert_int_equal(passwords_open(&wanted, rows[i].wanted, &why), OK);
        assert_int_equal(password_hash(&made, STR("open sesame"), hash, &why), OK);
        assert_int_equal(password_verify(&wanted, str_of(hash), STR("open sesame"), &rehash, &why),
                         OK);
        assert_int_equal(rehash, rows[i].rehash);
    }
}

static void the_dummy_costs_what_a_login_costs_and_fits_nothing(void **state)
{
    (void)state;
    bool rehash;
    struct str dummy = password_dummy(&cheap);
    assert_true(str_starts(dummy, STR("$argon2id$v=19$m=8,t=1,p=1$")));
    assert_int_equal(verify(dummy.at, "", &rehash), ERR_UNKNOWN_CALLER);
    assert_int_equal(verify(dummy.at, dummy.at, &rehash), ERR_UNKNOWN_CALLER);

    struct passwords owasp;
    struct why why = {0};
    assert_int_equal(passwords_open(&owasp, PASSWORD_COST_OWASP, &why), OK);
    assert_true(str_starts(password_dummy(&owasp), STR("$argon2id$v=19$m=7168,t=5,p=1$")));
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* The CPU time of a wrong password. */
static int64_t refusal_us(const struct passwords *passwords, const char *hash)
{
    bool rehash;
    struct why why;
    int64_t began_us = cpu_us();
    assert_int_equal(password_verify(passwords, str_of(hash), STR("not this one"), &rehash, &why),
                     ERR_UNKNOWN_CALLER);
    return cpu_us() - began_us;
}

/* Only a floor is asked for: bcrypt of cost 10 takes a thousand times as long as `cheap`. */
static void while_there_are_bcrypt_hashes_every_wrong_password_costs_one(void **state)
{
    (void)state;
    static const char imported[] = "$2b$10$abcdefghijklmnopqrstuu0F.YUnHs2l3GhuFbai9Syxekkn1a.r6";
    struct passwords passwords = cheap;
    int64_t bcrypt_us = refusal_us(&passwords, imported);
    assert_true(refusal_us(&passwords, passwords.dummy) < bcrypt_us / 2);
    passwords_expect_bcrypt(&passwords, 10);
    assert_true(refusal_us(&passwords, passwords.dummy) > bcrypt_us / 2);
    passwords_expect_bcrypt(&passwords, 0);
    assert_true(refusal_us(&passwords, passwords.dummy) < bcrypt_us / 2);
}

static void costs_out_of_range_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct password_cost rows[] = {
        {0, 8192}, {13, 8192}, {1, 0}, {1, 8191}, {1, UINT64_C(1) << 31}, {UINT64_MAX, UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct passwords passwords;
        struct why why = {0};
        assert_int_equal(passwords_open(&passwords, rows[i], &why), ERR_INVALID);
        assert_non_null(strstr(why.text, "passwords can be hashed in"));
    }
}

static void new_passwords_have_6_to_100_characters_of_any_script(void **state)
{
    (void)state;
    const struct {
        struct str password;
        enum err wanted;
    } rows[] = {
        {STR("12345"), ERR_INVALID},
        {STR("123456"), OK},
        {STR("      "), OK},
        {STR("密码密码密"), ERR_INVALID},
        {STR("密码密码密码"), OK},
        {STR("abc\xFF\xFE\xFD"), ERR_INVALID},
        {STR(""), ERR_INVALID},
        {STR("tab\tand\nline"), OK},
        {STR("ab\0cdefgh"), ERR_INVALID},
    };
    struct why why = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(password_check(rows[i].password, &why), rows[i].wanted);
    }
    char many[404];
    for (size_t i = 0; i < sizeof(many); i += 4) memcpy(many + i, "\xF0\x9F\x94\x91", 4);
    assert_int_equal(password_check((struct str){many, 400}, &why), OK);
    assert_int_equal(password_check((struct str){many, 404}, &why), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_verifies_against_its_own_hash_only),
        cmocka_unit_test(the_same_password_never_has_the_same_hash),
        cmocka_unit_test(a_nul_is_refused_in_new_passwords_and_matches_nothing),
        cmocka_unit_test(argon2id_hashes_of_another_implementation_are_accepted),
        cmocka_unit_test(bcrypt_hashes_of_imported_members_are_accepted_and_due_for_a_new_one),
        cmocka_unit_test(bcrypt_ignores_what_is_past_72_bytes_and_argon2_does_not),
        cmocka_unit_test(damaged_and_ruinous_hashes_are_the_operators_business),
        cmocka_unit_test(weaker_hashes_are_due_for_a_new_one_and_stronger_ones_are_not),
        cmocka_unit_test(the_dummy_costs_what_a_login_costs_and_fits_nothing),
        cmocka_unit_test(while_there_are_bcrypt_hashes_every_wrong_password_costs_one),
        cmocka_unit_test(costs_out_of_range_are_refused_with_a_sentence),
        cmocka_unit_test(new_passwords_have_6_to_100_characters_of_any_script),
    };
    return cmocka_run_group_tests(tests, open_cheap, NULL);
}
