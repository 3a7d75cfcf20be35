/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "auth/username.h"
#include "base/buf.h"
#include "base/utf8.h"

static void names_of_every_script_are_taken_and_trimmed(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *trimmed;
    } rows[] = {
        {"bob", "bob"},
        {"  Bob_the-2nd.x \n", "Bob_the-2nd.x"},
        {"_under", "_under"},
        {"007", "007"},
        {"小明同学", "小明同学"},
        {"\xE3\x80\x80小明同学\xE3\x80\x80", "小明同学"},
        {"Жанна", "Жанна"},
        {"محمد", "محمد"},
        {"हिन्दी", "हिन्दी"},             /* vowel signs are marks */
        {"zoe\xCC\x88", "zoe\xCC\x88"}, /* an accent of its own */
        {"ａｂｃ", "ａｂｃ"},
        /* One script and what is common to all, or what is written together. */
        {"Жанна_7", "Жанна_7"},
        {"山田taro", "山田taro"},
        {"ヤマダのハルー", "ヤマダのハルー"},
        {"李小龙Bruce", "李小龙Bruce"},
        {"金철수kim", "金철수kim"},
        {"ㄅㄆㄇ中文zhuyin", "ㄅㄆㄇ中文zhuyin"},
        {"佐々木", "佐々木"},
        {"𠮷野家", "𠮷野家"},
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij",
         "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct why why = {0};
        struct str trimmed = {0};
        enum err err = username_check(str_of(rows[i].raw), &trimmed, &why);
        if (err) print_error("%s: %s\n", rows[i].raw, why.text);
        assert_int_equal(err, OK);
        assert_true(str_eq(trimmed, str_of(rows[i].trimmed)));
    }
}

static void names_that_would_confuse_people_or_programs_are_refused(void **state)
{
    (void)state;
    const struct str rows[] = {
        STR(""),
        STR("  "),
        STR("ab"),
        STR("小明"),
        STR("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijk"),
        STR("two words"),
        STR("tab\there"),
        STR("line\nbreak"),
        STR("nul\0nul"),
        STR("bell\a"),
        STR("bob@home"),
        STR("a/b/c"),
        STR("a\\b\\c"),
        STR("<b>bob"),
        STR("bob?"),
        STR("bob#1"),
        STR("100%"),
        STR("a+b"),
        STR("-bob"),
        STR(".bob"),
        STR("..."),
        STR("\xCC\x88oe"), /* an accent on nothing */
        STR("bad\xFFutf"),
        STR("bad\xED\xA0\x80"),
        STR("bob\xF0\x9F\x98\x80"), /* a face */
        STR("bob\xE2\x80\x8D"),     /* zero-width joiner */
        STR("bob\xE2\x80\xAEx"),    /* right-to-left override */
        STR("bob\xC2\xA0x"),        /* no-break space */
        STR("bob\xE3\x85\xA4"),     /* Hangul filler: a letter that nobody sees */
        STR("\xE3\x85\xA4\xE3\x85\xA4\xE3\x85\xA4"),
        STR("bob\xEF\xB8\x8F"),   /* variation selector */
        STR("bob\xEF\xBC\x8Fx"),  /* full-width slash */
        STR("bob\xEF\xBC\xA0x"),  /* full-width at sign */
        STR("bob\xCD\xBA"),       /* becomes a blank and an iota */
        STR("bob\xEF\xB7\xBA"),   /* one sign that becomes four words */
        STR("bob\xE2\x91\xA0"),   /* a circled 1 */
        STR("p\xD0\xB0ul"),       /* a Cyrillic letter that looks like an a */
        STR("b\xD0\xBE\xD0\xB1"), /* … and more of them than Latin ones */
        STR("\xCE\x91lice"),      /* Greek */
        STR("\xD5\xB8icholas"),   /* Armenian */
        STR("\xEA\xAE\x93zzy"),   /* Cherokee */
        STR("\xC2\xB5ser"),       /* a sign of measure that stands for a Greek letter */
        STR("\xE4\xB8\xAD\xE6\x96\x87\xD0\x96"),                 /* Han and Cyrillic */
        STR("\xE3\x81\x8B\xE3\x81\xAA\xED\x95\x9C\xEA\xB8\x80"), /* Kana and Hangul */
        STR("a\xCC\x80\xCC\x81\xCC\x82\xCC\x83\xCC\x84xyz"),     /* five accents on one letter */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct why why = {0};
        struct str trimmed = STR("untouched");
        enum err err = username_check(rows[i], &trimmed, &why);
        if (err != ERR_INVALID) print_error("row %zu was taken\n", i);
        assert_int_equal(err, ERR_INVALID);
        assert_non_null(strstr(why.text, "username"));
        assert_true(str_eq(trimmed, STR("untouched")));
    }
}

static void names_that_look_the_same_have_one_key(void **state)
{
    (void)state;
    const struct {
        struct str one, two;
        bool same;
    } rows[] = {
        {STR("bob"), STR("BOB"), true},
        {STR("bob"), STR("Bob  "), true},
        {STR("bob"), STR("ｂｏｂ"), true},
        {STR("Straße"), STR("STRASSE"), true},
        {STR("ΣΊΣΥΦΟΣ"), STR("σίσυφος"), true},
        {STR("Zo\xC3\xAB"), STR("zoe\xCC\x88"), true},
        {STR("ｶﾞ二三"), STR("ガ二三"), true},
        {STR("bo\xE2\x80\x8D"
             "b"),
         STR("bob"), true},
        {STR("bob"),
         STR("b\xC3\xB6"
             "b"),
         false},
        {STR("bob"), STR("b0b"), false},
        {STR("bob"), STR("bobo"), false},
        {STR("小明"), STR("小名"), false},
        {STR("a b"), STR("ab"), false},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str one = username_key(&arena, rows[i].one);
        struct str two = username_key(&arena, rows[i].two);
        if (str_eq(one, two) != rows[i].same) print_error("row %zu\n", i);
        assert_int_equal(str_eq(one, two), rows[i].same);
    }
    arena_release(&arena);
}

static void any_valid_text_has_a_key(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_int_equal(username_key(&arena, STR("")).len, 0);
    assert_int_equal(username_key(&arena, STR("   ")).len, 0);
    assert_int_equal(username_key(&arena, STR("\xE3\x85\xA4\xE3\x85\xA4")).len, 0);
    assert_true(str_eq(username_key(&arena, STR("Mr. O'Neil @home")), STR("mr. o'neil @home")));
    assert_true(str_eq(username_key(&arena, STR("A\0B")), STR("a\0b")));
    assert_true(str_eq(username_key(&arena, STR("\xF0\x9F\x98\x80")), STR("\xF0\x9F\x98\x80")));
    arena_release(&arena);
}

/* All code points but surrogates; a sample of the great uniform blocks, to be quick. */
static int32_t point_after(int32_t point)
{
    bool uniform = (point >= 0x3400 && point < 0x9F00) || (point >= 0xAC00 && point < 0xD700) ||
                   (point >= 0x20000 && point < 0x2F700) || (point >= 0x30000 && point < 0xDFF00) ||
                   (point >= 0xE1000 && point < 0x10FF00);
    point += uniform ? 61 : 1;
    return point >= 0xD800 && point <= 0xDFFF ? 0xE000 : point;
}

/* A key that is no key of itself would let one name be taken twice. */
static void every_code_point_has_a_key_that_is_its_own_key(void **state)
{
    (void)state;
    struct arena arena = {0};
    size_t longest = 0;
    for (int32_t point = 1; point <= 0x10FFFF; point = point_after(point)) {
        char text[8];
        struct str name = {text, (size_t)utf8proc_encode_char(point, (utf8proc_uint8_t *)text)};
        struct str key = username_key(&arena, name);
        assert_true(utf8_valid(key));
        assert_true(str_eq(username_key(&arena, key), key));
        longest = MAX(longest, key.len / name.len);
        arena_reset(&arena);
    }
    assert_true(longest <= 11); /* as the header says */
    arena_release(&arena);
}

static void no_name_that_passes_has_a_key_longer_than_promised(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (int32_t point = 0x80; point <= 0x10FFFF; point = point_after(point)) {
        char text[4 * 50];
        struct buf name;
        buf_init(&name, sizeof(text));
        ssize_t bytes = utf8proc_encode_char(point, (utf8proc_uint8_t *)text);
        for (int i = 0; i < 50; i++) buf_add(&name, text, (size_t)bytes);
        struct str trimmed;
        struct why why;
        if (username_check(buf_str(&name), &trimmed, &why) == OK) {
            assert_in_range(username_key(&arena, trimmed).len, 1, USERNAME_KEY_BYTES_MAX);
            arena_reset(&arena);
        }
        buf_release(&name);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_every_script_are_taken_and_trimmed),
        cmocka_unit_test(names_that_would_confuse_people_or_programs_are_refused),
        cmocka_unit_test(names_that_look_the_same_have_one_key),
        cmocka_unit_test(any_valid_text_has_a_key),
        cmocka_unit_test(every_code_point_has_a_key_that_is_its_own_key),
        cmocka_unit_test(no_name_that_passes_has_a_key_longer_than_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
