/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

static void letters_compare_without_case_and_only_ascii_ones(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"", "", true},    {"Host", "hOST", true}, {"a", "ab", false}, {"[", "{", false},
        {"@", "`", false}, {"Z9_", "z9_", true},   {"É", "é", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(str_eq_nocase(str_of(cases[i].a), str_of(cases[i].b)), cases[i].equal);
    }
}

static void ends_are_found_at_both_sides(void **state)
{
    (void)state;
    struct str s = STR("gzip, br");
    assert_true(str_starts(s, STR("gzip")));
    assert_true(str_starts(s, STR("")));
    assert_true(str_starts(s, s));
    assert_false(str_starts(s, STR("gzip, brotli")));
    assert_true(str_ends(s, STR("br")));
    assert_true(str_ends(s, STR("")));
    assert_false(str_ends(s, STR("b")));
    assert_false(str_ends(STR("r"), STR("br")));
}

static void what_is_not_found_is_at_the_end(void **state)
{
    (void)state;
    struct str s = STR("one\0two three");
    assert_int_equal(str_find_byte(s, '\0'), 3);
    assert_int_equal(str_find_byte(s, 'x'), s.len);
    assert_int_equal(str_find(s, STR("two")), 4);
    assert_int_equal(str_find(s, STR("")), 0);
    assert_int_equal(str_find(s, STR("threes")), s.len);
    assert_int_equal(str_find((struct str){0}, STR("a")), 0);
    assert_int_equal(str_find_byte((struct str){0}, 'a'), 0);
}

static void slices_never_leave_the_text(void **state)
{
    (void)state;
    struct str s = STR("hutong");
    assert_str_equal(str_from(s, 2), "tong");
    assert_str_equal(str_from(s, 6), "");
    assert_str_equal(str_from(s, 99), "");
    assert_str_equal(str_head(s, 2), "hu");
    assert_str_equal(str_head(s, 99), "hutong");
}

static void trim_takes_ascii_blanks_only_from_the_ends(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},         {" \t\r\n", ""},
        {" a b ", "a b"}, {"\n\n胡同\t", "胡同"},
        {"\v", "\v"},     {"\xC2\xA0x", "\xC2\xA0x"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_str_equal(str_trim(str_of(cases[i][0])), cases[i][1]);
    }
    assert_int_equal(str_trim((struct str){0}).len, 0);
}

static void split_gives_every_piece_and_empty_ones_too(void **state)
{
    (void)state;
    static const struct {
        const char *text, *joined; /* pieces, each followed by '|' */
    } cases[] = {{"a,,b", "a||b|"}, {"a", "a|"}, {"", "|"}, {",", "||"}, {"a,", "a||"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char joined[32] = "";
        size_t len = 0;
        struct str rest = str_of(cases[i].text), piece;
        while (str_split(&rest, ',', &piece)) {
            len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%.*s|", STR_ARGS(piece));
        }
        assert_string_equal(joined, cases[i].joined);
    }
    struct str nothing = {0}, piece;
    assert_false(str_split(&nothing, ',', &piece));
}

static void whole_numbers_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_u64, is_i64;
        uint64_t u64;
        int64_t i64;
    } cases[] = {
        {"0", true, true, 0, 0},
        {"0012", true, true, 12, 12},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", true, false, UINT64_C(1) << 63, 0},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"99999999999999999999999", false, false, 0, 0},
        {"-0", false, true, 0, 0},
        {"-17", false, true, 0, -17},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"--1", false, false, 0, 0},
        {"+1", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1 ", false, false, 0, 0},
        {"0x10", false, false, 0, 0},
        {"1e3", false, false, 0, 0},
        {"１", false, false, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t u64 = 7;
        int64_t i64 = 7;
        assert_int_equal(str_to_u64(str_of(cases[i].text), &u64), cases[i].is_u64);
        assert_int_equal(str_to_i64(str_of(cases[i].text), &i64), cases[i].is_i64);
        assert_true(u64 == (cases[i].is_u64 ? cases[i].u64 : 7));
        assert_true(i64 == (cases[i].is_i64 ? cases[i].i64 : 7));
    }
}

static void copy_is_cut_between_code_points(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        size_t bytes;
        const char *to;
    } cases[] = {
        {"ab", 3, "ab"},       {"ab", 2, "a"},      {"ab", 1, ""},     {"", 1, ""},
        {"a胡同", 8, "a胡同"}, {"a胡同", 7, "a胡"}, {"a胡同", 4, "a"}, {"a胡同", 5, "a胡"},
        {"😀", 4, ""},          {"😀", 5, "😀"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char to[16];
        memset(to, '#', sizeof(to));
        str_copy(to, cases[i].bytes, str_of(cases[i].from));
        assert_string_equal(to, cases[i].to);
        for (size_t at = cases[i].bytes; at < sizeof(to); at++) assert_int_equal(to[at], '#');
    }
}

static void secrets_compare_as_other_texts_do(void **state)
{
    (void)state;
    assert_true(str_eq_secret(STR("hunter2"), STR("hunter2")));
    assert_false(str_eq_secret(STR("hunter2"), STR("hunter3")));
    assert_false(str_eq_secret(STR("hunter2"), STR("Hunter2")));
    assert_false(str_eq_secret(STR("hunter2"), STR("hunter")));
    assert_true(str_eq_secret((struct str){0}, STR("")));
}

static void hex_goes_there_and_back(void **state)
{
    (void)state;
    unsigned char bytes[256], back[256];
    char text[513];
    for (unsigned i = 0; i < 256; i++) bytes[i] = (unsigned char)i;
    hex_write(text, bytes, sizeof(bytes));
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
    assert_true(hex_read(str_of(text), back, sizeof(back)));
    assert_memory_equal(bytes, back, sizeof(bytes));

    assert_true(hex_read(STR("CaFe"), back, 2));
    assert_memory_equal(back, "\xCA\xFE", 2);
    assert_false(hex_read(STR("cafe0"), back, 2));
    assert_false(hex_read(STR("caf"), back, 2));
    assert_false(hex_read(STR("cag0"), back, 2));
    assert_false(hex_read(STR("ca:0"), back, 2));
    assert_true(hex_read(STR(""), back, 0));
}

static void copy_into_no_room(void)
{
    char none;
    str_copy(&none, 0, STR("a"));
}

static void copying_into_an_array_without_bytes_is_our_mistake(void **state)
{
    (void)state;
    assert_true(aborts(copy_into_no_room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_compare_without_case_and_only_ascii_ones),
        cmocka_unit_test(ends_are_found_at_both_sides),
        cmocka_unit_test(what_is_not_found_is_at_the_end),
        cmocka_unit_test(slices_never_leave_the_text),
        cmocka_unit_test(trim_takes_ascii_blanks_only_from_the_ends),
        cmocka_unit_test(split_gives_every_piece_and_empty_ones_too),
        cmocka_unit_test(whole_numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(copy_is_cut_between_code_points),
        cmocka_unit_test(secrets_compare_as_other_texts_do),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(copying_into_an_array_without_bytes_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
