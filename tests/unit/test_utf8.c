/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/rng.h"
#include "base/utf8.h"

/* RFC 3629 read literally, slowly: bytes of the code point at `s`, 0 when it is none. */
static size_t decode(struct str s, uint32_t *point_out)
{
    const unsigned char *at = (const unsigned char *)s.at;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xC0 ? 0
                 : at[0] < 0xE0 ? 2
                 : at[0] < 0xF0 ? 3
                 : at[0] < 0xF8 ? 4
                                : 0;
    if (len == 0 || len > s.len) return 0;
    uint32_t point = len == 1 ? at[0] : at[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        point = point << 6 | (at[i] & 0x3F);
    }
    if (point < smallest[len] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return 0;
    *point_out = point;
    return len;
}

static bool valid_by_the_letter(struct str s)
{
    uint32_t point;
    while (s.len > 0) {
        size_t len = decode(s, &point);
        if (len == 0) return false;
        s = str_from(s, len);
    }
    return true;
}

static size_t encode(uint32_t point, char to[4])
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, point >>= 6) to[i] = (char)(0x80 | (point & 0x3F));
    to[0] = (char)((0xF00u >> len & 0xFF) | point);
    return len;
}

static void known_texts_are_judged_rightly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii that is longer than eight", true},
        {"胡同, les voisins, соседи, 😀", true},
        {"\x7F", true},
        {"\xC2\x80", true},
        {"\xDF\xBF", true},
        {"\xE0\xA0\x80", true},
        {"\xED\x9F\xBF", true},
        {"\xEE\x80\x80", true},
        {"\xEF\xBF\xBF", true},
        {"\xF0\x90\x80\x80", true},
        {"\xF4\x8F\xBF\xBF", true},
        /* continuation without a start */
        {"\x80", false},
        {"\xBF", false},
        {"abcdefgh\x80", false},
        {"abcdefghi\xBFjklmnopqr", false},
        /* overlong: '/' and NUL in disguise */
        {"\xC0\xAF", false},
        {"\xC0\x80", false},
        {"\xC1\xBF", false},
        {"\xE0\x80\xAF", false},
        {"\xE0\x9F\xBF", false},
        {"\xF0\x80\x80\xAF", false},
        {"\xF0\x8F\xBF\xBF", false},
        /* surrogates, also as the pair that CESU-8 writes */
        {"\xED\xA0\x80", false},
        {"\xED\xBF\xBF", false},
        {"\xED\xA0\xBD\xED\xB8\x80", false},
        /* past the last code point */
        {"\xF4\x90\x80\x80", false},
        {"\xF5\x80\x80\x80", false},
        {"\xF8\x88\x80\x80\x80", false},
        {"\xFC\x84\x80\x80\x80\x80", false},
        {"\xFE", false},
        {"\xFF", false},
        /* cut off, or broken by something else */
        {"\xC2", false},
        {"\xE4\xBD", false},
        {"\xF0\x9F\x98", false},
        {"\xE4\xBD!", false},
        {"\xF0\x9F\x98\xC2\x80", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str s = str_of(cases[i].text);
        if (utf8_valid(s) != cases[i].valid) fail_msg("case %zu: \"%s\"", i, cases[i].text);
        assert_int_equal(valid_by_the_letter(s), cases[i].valid);
    }
    assert_true(utf8_valid((struct str){0}));
    assert_true(utf8_valid(STR("a\0b"))); /* U+0000 is a code point; text_check() refuses it */
}

static void every_code_point_is_valid_but_surrogates(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x110000; point++) {
        char text[4];
        struct str s = {text, encode(point, text)};
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        if (utf8_valid(s) != (!surrogate && point <= 0x10FFFF)) fail_msg("U+%04X", point);
        if (!surrogate && utf8_count(s) != 1)
            fail_msg("U+%04X counts as %zu", point, utf8_count(s));
    }
}

static void every_short_sequence_is_judged_as_the_rfc_says(void **state)
{
    (void)state;
    for (uint32_t all = 0; all <= 0xFFFFFF; all++) {
        /* A first byte below 0xC0 decides nothing about the two others; one is enough. */
        if (all >> 16 < 0xC0 && all >> 16 != 'a' && all >> 16 != 0x80) continue;
        char text[3] = {(char)(all >> 16), (char)(all >> 8), (char)all};
        struct str s = {text, sizeof(text)};
        if (utf8_valid(s) != valid_by_the_letter(s)) fail_msg("%06X", all);
    }
}

/* Mostly good text with a byte spoilt now and then. */
static size_t random_text(struct rng *rng, char *to, size_t bytes)
{
    size_t len = 0;
    while (len + 4 <= bytes && rng_below(rng, 40) != 0) {
        static const uint32_t below[] = {0x80, 0x800, 0xD800, 0x110000};
        uint32_t point = rng_below(rng, below[rng_below(rng, 4)]);
        len += encode(point, to + len);
    }
    if (len > 0 && rng_below(rng, 3) == 0) to[rng_below(rng, (uint32_t)len)] ^= (char)0x80;
    return len;
}

static void text_in_pieces_is_judged_as_in_one(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 20261121, 1);
    for (int round = 0; round < 20000; round++) {
        char text[128];
        size_t len = random_text(&rng, text, sizeof(text));
        uint32_t now = 0;
        bool good = true;
        for (size_t at = 0; at < len && good;) {
            size_t piece = rng_below(&rng, 12);
            piece = MIN(piece, len - at);
            good = utf8_feed(&now, text + at, piece);
            at += piece;
        }
        assert_int_equal(good && now == 0, valid_by_the_letter((struct str){text, len}));
    }
}

static void a_spoilt_piece_is_noticed_at_once(void **state)
{
    (void)state;
    uint32_t now = 0;
    assert_true(utf8_feed(&now, "ok \xE4", 4));
    assert_int_not_equal(now, 0);
    assert_false(utf8_feed(&now, "\xFFrest", 5));
}

static void floor_never_splits_a_code_point(void **state)
{
    (void)state;
    const char *text = "a胡😀";
    static const size_t expected[] = {0, 1, 1, 1, 4, 4, 4, 4, 8};
    for (size_t at = 0; at < COUNT_OF(expected); at++) {
        assert_int_equal(utf8_floor(text, at), expected[at]);
    }
}

static void text_of_people_is_trimmed_and_counted(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *trimmed;
    } cases[] = {
        {"hi", "hi"},
        {"  hi\r\n", "hi"},
        {"\xE3\x80\x80 \xC2\xA0胡同\xC2\xA0\t\xE3\x80\x80", "胡同"},
        /* em space, thin space, zero width; a line of U+2003 inside stays */
        {"\xE2\x80\x83\xE2\x80\x89胡\xE2\x80\x83同\xE2\x80\x8B\xE2\x80\xAF", "胡\xE2\x80\x83同"},
        {"\xE2\x80\x8Cx\xE2\x80\x8D", "\xE2\x80\x8Cx\xE2\x80\x8D"}, /* joiners are letters' */
        {"two\nlines\tand a tab", "two\nlines\tand a tab"},
        {"Windows\r\nlines", "Windows\r\nlines"},
        {"12345", "12345"},
        {"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str trimmed = {0};
        struct why why = {0};
        assert_int_equal(text_check("content", str_of(cases[i].raw), 1, 25, &trimmed, &why), OK);
        assert_str_equal(trimmed, cases[i].trimmed);
    }
    struct str empty = STR("x");
    struct why why = {0};
    assert_int_equal(text_check("bio", STR("  "), 0, 5, &empty, &why), OK);
    assert_int_equal(empty.len, 0);
}

static void text_that_is_refused_gets_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *sentence;
    } cases[] = {
        {"\xFF", "content is not valid UTF-8"},
        {" \n\xE3\x80\x80", "content is empty"},
        {"\xE2\x80\x83\xE2\x80\x8B\xE1\x9A\x80", "content is empty"},
        {"ab", "content has 2 characters, at least 3 needed"},
        {" a胡 ", "content has 2 characters, at least 3 needed"},
        {"abcdef", "content has 6 characters, at most 5 allowed"},
        {"胡同胡同胡同", "content has 6 characters, at most 5 allowed"},
        {"a\x01z",
         "content has a control character (U+0001) at byte 1; only newline and tab are allowed"},
        {"ab\x7F", "(U+007F) at byte 2"},
        {"ab\vc", "(U+000B) at byte 2"},
        {"a\rb", "(U+000D) at byte 1"},
        {"abc\xC2\x85z", "(U+0085) at byte 3"},
        {"a\xC2\x9Fz", "(U+009F) at byte 1"},
        {"a\xE2\x80\xA8z", "(U+2028) at byte 1"},
        {"a\xE2\x80\xA9z", "(U+2029) at byte 1"},
        {"\xEF\xBB\xBF"
         "abc",
         "(U+FEFF) at byte 0"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str trimmed = STR("untouched");
        struct why why = {0};
        assert_int_equal(text_check("content", str_of(cases[i].raw), 3, 5, &trimmed, &why),
                         ERR_INVALID);
        assert_contains(why.text, cases[i].sentence);
        assert_str_equal(trimmed, "untouched");
    }
    struct str trimmed;
    struct why why = {0};
    assert_int_equal(text_check("content", STR("a\0b"), 1, 5, &trimmed, &why), ERR_INVALID);
    assert_contains(why.text, "(U+0000) at byte 1");
}

static void characters_end_where_readers_see_them_end(void **state)
{
    (void)state;
    static const char *const characters[] = {
        "a",
        "胡",
        "e\u0301",                                    /* a letter and its accent */
        "\U0001F468\u200D\U0001F469\u200D\U0001F467", /* a family */
        "\U0001F1E8\U0001F1F3",                       /* two flags, each of two halves */
        "\U0001F1EB\U0001F1F7",
        "\U0001F44D\U0001F3FD", /* a thumb with its colour */
        "\u2764\uFE0F",
        "1\uFE0F\u20E3",
        "\r\n",
        "\xFF", /* no UTF-8: on its own */
        "z",
    };
    char text[256];
    size_t len = 0, at = 0;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", characters[i]);
    }
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        size_t end = utf8_character_end((struct str){text, len}, at);
        assert_int_equal(end - at, strlen(characters[i]));
        at = end;
    }
    assert_int_equal(utf8_character_end((struct str){text, len}, len), len);
}

static void code_points_are_taken_one_by_one(void **state)
{
    (void)state;
    static const uint32_t points[] = {'a',    0x7F,   0x80,    0x7FF,   0x800,
                                      0x80E1, 0xFFFF, 0x10000, 0x10FFFF};
    char text[64];
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(points); i++) len += encode(points[i], text + len);
    struct str rest = {text, len};
    for (size_t i = 0; i < COUNT_OF(points); i++) assert_int_equal(utf8_next(&rest), points[i]);
    assert_int_equal(rest.len, 0);
}

static void words_and_their_lower_case_are_those_of_every_script(void **state)
{
    (void)state;
    static const uint32_t words[] = {'a', 'Z', '_', '0', 0xDF, 0x4E2D, 0x0416, 0x661, 0x20BB7};
    static const uint32_t others[] = {' ', '-', '#', 0x3002, 0x301, 0x1F600, 0x3000};
    for (size_t i = 0; i < COUNT_OF(words); i++) assert_true(utf8_is_word(words[i]));
    for (size_t i = 0; i < COUNT_OF(others); i++) assert_false(utf8_is_word(others[i]));
    static const struct {
        uint32_t upper;
        const char *lower;
    } pairs[] = {{'A', "a"}, {0xC4, "ä"}, {0x416, "ж"}, {0x4E2D, "中"}, {0x23A, "ⱥ"}, {'_', "_"}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char to[UTF8_POINT_BYTES];
        size_t len = utf8_put_lower(to, pairs[i].upper);
        assert_int_equal(len, strlen(pairs[i].lower));
        assert_memory_equal(to, pairs[i].lower, len);
    }
}

static void what_a_program_said_is_made_a_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"as it is", "as it is"},
        {" \xC2\xA0trimmed\xE3\x80\x80 ", "trimmed"},
        {"a\r\nb\rc\xE2\x80\xA8"
         "d",
         "a\nb\nc\nd"},
        {"c\x07\x1B[31mred\x7F", "c[31mred"},
        {"\xC2\x85x\xEF\xBB\xBFy", "xy"},
        {"\xEF\xBB\xBF\xE2\x80\x8B", ""},
        {"\xE4\xBD\xA0\t\xE5\xA5\xBD", "\xE4\xBD\xA0\t\xE5\xA5\xBD"},
        {"", ""},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str tidy = text_tidy(&arena, str_of(cases[i][0])), checked;
        struct why why;
        assert_str_equal(tidy, cases[i][1]);
        if (tidy.len > 0) assert_int_equal(text_check("it", tidy, 1, 100, &checked, &why), OK);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_program_said_is_made_a_text),
        cmocka_unit_test(known_texts_are_judged_rightly),
        cmocka_unit_test(every_code_point_is_valid_but_surrogates),
        cmocka_unit_test(every_short_sequence_is_judged_as_the_rfc_says),
        cmocka_unit_test(text_in_pieces_is_judged_as_in_one),
        cmocka_unit_test(a_spoilt_piece_is_noticed_at_once),
        cmocka_unit_test(floor_never_splits_a_code_point),
        cmocka_unit_test(text_of_people_is_trimmed_and_counted),
        cmocka_unit_test(text_that_is_refused_gets_a_sentence),
        cmocka_unit_test(characters_end_where_readers_see_them_end),
        cmocka_unit_test(code_points_are_taken_one_by_one),
        cmocka_unit_test(words_and_their_lower_case_are_those_of_every_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
