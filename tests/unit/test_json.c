/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/rng.h"

static struct json *parsed(struct str text)
{
    struct json *tree = NULL;
    struct why why = {0};
    if (json_parse(text, &tree, NULL, &why)) fail_msg("%.*s: %s", STR_ARGS(text), why.text);
    return tree;
}

static void values_of_every_kind_are_read(void **state)
{
    (void)state;
    struct json *tree =
        parsed(STR(" {\"s\":1,\"s\":\"x\",\"n\":-1.5e2,\"t\":true,\"f\":false,\"z\":null,"
                   "\"a\":[1,\"two\",[]],\"o\":{\"in\":{}}}\r\n\t "));
    struct str s;
    bool yes;
    double number;
    int64_t whole;
    assert_int_equal(json_kind(tree), JSON_OBJECT);
    assert_true(json_as_str(json_get(tree, "s"), &s));
    assert_str_equal(s, "x");
    assert_true(json_as_double(json_get(tree, "n"), &number) && number == -150);
    assert_true(json_as_i64(json_get(tree, "n"), &whole) && whole == -150);
    assert_true(json_as_bool(json_get(tree, "t"), &yes) && yes);
    assert_true(json_as_bool(json_get(tree, "f"), &yes) && !yes);
    assert_int_equal(json_kind(json_get(tree, "z")), JSON_NULL);

    const struct json *element = json_first(json_get(tree, "a"));
    assert_int_equal(json_kind(element), JSON_NUMBER);
    element = json_after(element);
    assert_true(json_as_str(element, &s));
    assert_str_equal(s, "two");
    element = json_after(element);
    assert_int_equal(json_kind(element), JSON_ARRAY);
    assert_null(json_first(element));
    assert_null(json_after(element));

    const struct json *member = json_first(json_get(tree, "o"));
    assert_string_equal(json_name(member), "in");
    assert_null(json_first(json_get(tree, "s")));
    assert_null(json_first(json_get(tree, "absent")));
    json_free(tree);
    json_free(NULL);
    json_free(parsed(STR("\xEF\xBB\xBF{}"))); /* a byte order mark is let pass (RFC 8259, 8.1) */
}

static void asking_for_the_wrong_kind_gives_false(void **state)
{
    (void)state;
    struct json *tree = parsed(STR("{\"s\":\"1\",\"n\":1,\"t\":true,\"z\":null}"));
    static const char *const names[] = {"s", "n", "t", "z", "absent"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct json *value = json_get(tree, names[i]);
        struct str s;
        bool yes;
        double number;
        int64_t i64;
        uint64_t u64;
        assert_int_equal(json_as_str(value, &s), i == 0);
        assert_int_equal(json_as_double(value, &number), i == 1);
        assert_int_equal(json_as_i64(value, &i64), i == 1);
        assert_int_equal(json_as_u64(value, &u64), i == 1);
        assert_int_equal(json_as_bool(value, &yes), i == 2);
    }
    assert_null(json_get(NULL, "s"));
    assert_null(json_get(json_get(tree, "s"), "s"));
    json_free(tree);
}

static void whole_numbers_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_whole;
        int64_t whole;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"1e2", true, 100},
        {"2.0", true, 2},
        {"9007199254740992", true, INT64_C(1) << 53},
        {"-9007199254740992", true, -(INT64_C(1) << 53)},
        {"9007199254740994", false, 0},
        {"1.5", false, 0},
        {"1e300", false, 0},
        {"-1e300", false, 0},
        {"1e-300", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *tree = parsed(str_of(cases[i].text));
        int64_t i64 = 7;
        uint64_t u64 = 7;
        assert_int_equal(json_as_i64(tree, &i64), cases[i].is_whole);
        assert_true(i64 == (cases[i].is_whole ? cases[i].whole : 7));
        assert_int_equal(json_as_u64(tree, &u64), cases[i].is_whole && cases[i].whole >= 0);
        json_free(tree);
    }
}

static void names_are_exact_and_the_last_of_two_counts(void **state)
{
    (void)state;
    struct json *tree = parsed(STR("{\"Id\":1,\"id\":2,\"id\":3}"));
    int64_t id;
    assert_true(json_as_i64(json_get(tree, "id"), &id) && id == 3);
    assert_true(json_as_i64(json_get(tree, "Id"), &id) && id == 1);
    assert_null(json_get(tree, "ID"));
    json_free(tree);
}

static void escapes_become_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u80e1\\u540C\"", "Aé胡同"},
        {"\"\\ud83d\\ude00 \\uD83D\\uDE00\"", "😀 😀"},
        {"\"\\uffff\\udbff\\udfff\"", "\xEF\xBF\xBF\xF4\x8F\xBF\xBF"},
        {"\"\\\\u0000\"", "\\u0000"}, /* a backslash and five letters, no NUL */
        {"\"\\u0001\"", "\x01"},
        {"\"胡同\"", "胡同"},
        {"\"\"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *tree = parsed(str_of(cases[i].json));
        struct str s;
        assert_true(json_as_str(tree, &s));
        assert_str_equal(s, cases[i].text);
        json_free(tree);
    }
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        size_t at;
        const char *sentence;
    } cases[] = {
#define CASE(text, at, sentence) {{text, sizeof(text) - 1}, at, sentence}
        CASE("", 0, "not JSON"),
        CASE("  ", 2, "not JSON"),
        CASE("{", 1, "not JSON"),
        CASE("[1,", 3, "not JSON"),
        CASE("[1,]", 3, "not JSON"),
        CASE("[1 2]", 3, "not JSON"),
        CASE("[1]]", 3, "more text after"),
        CASE("1 1", 2, "more text after"),
        CASE("nullx", 4, "more text after"),
        CASE("{\"a\"}", 4, "not JSON"),
        CASE("{a:1}", 1, "not JSON"),
        CASE("{'a':1}", 1, "not JSON"),
        CASE("{\"a\":1,}", 7, "not JSON"),
        CASE("True", 0, "not JSON"),
        CASE("nul", 0, "not JSON"),
        CASE("\"open", 1, "not JSON"),
        CASE("\"\\x41\"", 1, "not JSON"),
        CASE("\"\\u12\"", 1, "no four hex digits at byte 1"),
        CASE("\"\\u12G4\"", 1, "no four hex digits at byte 1"),
        CASE("\"\\u00g0\"", 1, "no four hex digits at byte 1"),
        CASE("\"\\u", 1, "no four hex digits at byte 1"),
        /* Surrogates: alone, in the wrong order, the first with something else behind. */
        CASE("\"\\ud83d\"", 1, "not JSON"),
        CASE("\"\\ude00\"", 1, "not JSON"),
        CASE("\"\\ude00\\ud83d\"", 1, "not JSON"),
        CASE("\"\\ud83dx\"", 1, "not JSON"),
        CASE("\"\\ud83d\\n\"", 1, "not JSON"),
        CASE("\"\\ud83d\\u0041\"", 1, "not JSON"),
        CASE("\"\\ud83d\\ud83d\"", 1, "not JSON"),
        /* What C strings would swallow. */
        CASE("\"a\\u0000b\"", 2, "an escaped NUL at byte 2"),
        CASE("{\"a\\u0000\":1}", 3, "an escaped NUL at byte 3"),
        CASE("\"a\0b\"", 2, "a NUL byte at byte 2"),
        CASE("1\0", 1, "a NUL byte at byte 1"),
        CASE("\"a\nb\"", 2, "an unescaped control character at byte 2"),
        CASE("\"a\x1F\"", 2, "an unescaped control character at byte 2"),
        CASE("[1,\x01 2]", 3, "a control character at byte 3"),
        CASE("\v1", 0, "a control character at byte 0"),
        CASE("\"\xFF\"", 0, "not valid UTF-8"),
        CASE("\"\xED\xA0\x80\"", 0, "not valid UTF-8"),
        /* Numbers that strtod would take. */
        CASE("01", 0, "no JSON number at byte 0"),
        CASE("[-01]", 1, "no JSON number at byte 1"),
        CASE("[1.]", 1, "no JSON number at byte 1"),
        CASE("[.5]", 1, "no JSON number at byte 1"),
        CASE("[-.5]", 1, "no JSON number at byte 1"),
        CASE("+1", 0, "no JSON number at byte 0"),
        CASE("-", 0, "no JSON number at byte 0"),
        CASE("1e", 0, "no JSON number at byte 0"),
        CASE("1e+", 0, "no JSON number at byte 0"),
        CASE("1.e5", 0, "no JSON number at byte 0"),
        CASE("1.5.2", 3, "no JSON number at byte 3"),
        CASE("1-1", 1, "more text after"),
        CASE("1e400", 0, "no JSON number at byte 0"),
        CASE("-1e999999999", 0, "no JSON number at byte 0"),
        CASE("0x10", 1, "more text after"),
        CASE("NaN", 0, "not JSON"),
        CASE("Infinity", 0, "not JSON"),
#undef CASE
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *tree = NULL;
        struct why why = {0};
        size_t at = 999;
        enum err err = json_parse(cases[i].text, &tree, &at, &why);
        if (err != ERR_INVALID) fail_msg("case %zu is taken: %s", i, cases[i].text.at);
        assert_null(tree);
        assert_contains(why.text, cases[i].sentence);
        if (at > cases[i].at + 1 || at + 1 < cases[i].at) {
            fail_msg("%s: at %zu, said %zu", cases[i].text.at, cases[i].at, at);
        }
    }
}

static void numbers_of_the_rfc_are_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "10",
                                        "0.5",
                                        "-0.5e-3",
                                        "1E+2",
                                        "1e2",
                                        "0e0",
                                        "1e-400",
                                        "1.0E5",
                                        "123456789012345678901"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct json *tree = parsed(str_of(texts[i]));
        double number;
        assert_true(json_as_double(tree, &number));
        assert_true(number == strtod(texts[i], NULL));
        json_free(tree);
    }
}

static void values_are_counted_without_reading_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } rows[] = {{"", 0},
                {"7", 0},
                {"[]", 1},
                {"[1,2,3]", 3},
                {"{\"a\":[{},{}],\"b\":1}", 6},
                {"[\",,,[[[\",\"\\\",[\"]", 2},
                {"[1,2", 2}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(json_count(str_of(rows[i].text)), rows[i].count);
}

static void nesting_ends_at_the_limit(void **state)
{
    (void)state;
    for (int depth = LIMIT_JSON_DEPTH - 1; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
        char text[2 * (LIMIT_JSON_DEPTH + 1) + 1];
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct json *tree = NULL;
        struct why why = {0};
        enum err err = json_parse((struct str){text, 2 * (size_t)depth}, &tree, NULL, &why);
        assert_int_equal(err, depth > LIMIT_JSON_DEPTH ? ERR_INVALID : OK);
        if (err) assert_string_equal(why.text, "nested deeper than 32 levels");
        json_free(tree);
    }
    /* Brackets in strings and one after another are not nesting. */
    struct buf buf;
    buf_init(&buf, 10000);
    buf_add(&buf, "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"", 46);
    for (int i = 0; i < 100; i++) buf_add(&buf, ",[]", 3);
    buf_add_byte(&buf, ']');
    json_free(parsed(buf_str(&buf)));
    buf_release(&buf);
}

static void writing_puts_commas_and_keys(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    struct json_out out = json_begin(&buf);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "u", UINT64_MAX);
    json_put_i64(&out, "i", INT64_MIN);
    json_put_double(&out, "d", 0.5);
    json_put_double(&out, "nan", NAN);
    json_put_bool(&out, "t", true);
    json_put_bool(&out, "f", false);
    json_put_null(&out, "z");
    json_put_opt(&out, "none", (struct str){0});
    json_put_opt(&out, "some", STR(""));
    json_put_raw(&out, "raw", STR("[1]"));
    json_put_time(&out, "at", INT64_C(1795231402123456));
    json_open(&out, "list", '[');
    json_put_str(&out, NULL, STR("a"));
    json_open(&out, NULL, '[');
    json_close(&out, ']');
    json_open(&out, NULL, '{');
    json_close(&out, '}');
    json_put_u64(&out, NULL, 1);
    json_close(&out, ']');
    json_put_u64(&out, "last", 0);
    json_close(&out, '}');
    assert_str_equal(buf_str(&buf),
                     "{\"u\":18446744073709551615,\"i\":-9223372036854775808,\"d\":0.5,"
                     "\"nan\":null,\"t\":true,\"f\":false,\"z\":null,\"none\":null,\"some\":\"\","
                     "\"raw\":[1],\"at\":\"2026-11-21T03:23:22\",\"list\":[\"a\",[],{},1],"
                     "\"last\":0}");
    buf_release(&buf);
}

static void every_character_survives_writing_and_reading(void **state)
{
    (void)state;
    /* Each byte at each place of a run, past the eight-at-a-time path and into it. */
    for (int c = 1; c < 0x80; c++) {
        for (size_t place = 0; place < 20; place++) {
            char text[20];
            memset(text, 'x', sizeof(text));
            text[place] = (char)c;
            struct buf buf;
            buf_init(&buf, 1000);
            struct json_out out = json_begin(&buf);
            json_put_str(&out, NULL, (struct str){text, sizeof(text)});
            struct json *tree = parsed(buf_str(&buf));
            struct str back;
            assert_true(json_as_str(tree, &back));
            assert_true(str_eq(back, (struct str){text, sizeof(text)}));
            json_free(tree);
            buf_release(&buf);
        }
    }
    struct buf buf;
    buf_init(&buf, 1000);
    struct json_out out = json_begin(&buf);
    json_put_str(&out, NULL, STR("胡同 😀 é \x7F \x01 </script>"));
    assert_str_equal(buf_str(&buf), "\"胡同 😀 é \x7F \\u0001 </script>\"");
    buf_release(&buf);
}

static void past_the_ceiling_the_buffer_remembers(void **state)
{
    (void)state;
    for (size_t max = 0; max < 30; max++) {
        struct buf buf;
        buf_init(&buf, max);
        struct json_out out = json_begin(&buf);
        json_open(&out, NULL, '{');
        json_put_str(&out, "name", STR("\"quoted\"")); /* 21 bytes with its braces */
        json_close(&out, '}');
        assert_int_equal(buf.failed, max < 21);
        assert_true(buf.len <= max);
        buf_release(&buf);
    }
}

static void put_random(struct json_out *out, struct rng *rng, const char *key, int depth)
{
    static const char *const texts[] = {"", "a", "胡同", "quote \" slash \\ line \n", "\x01"};
    switch (rng_below(rng, depth > 4 ? 6 : 8)) {
    case 0: json_put_null(out, key); return;
    case 1: json_put_bool(out, key, rng_below(rng, 2)); return;
    case 2: json_put_i64(out, key, (int64_t)rng_u32(rng) - INT64_C(2000000000)); return;
    case 3: json_put_double(out, key, (double)rng_u32(rng) / 4294967296.0); return;
    case 4:
    case 5: json_put_str(out, key, str_of(texts[rng_below(rng, COUNT_OF(texts))])); return;
    case 6:
        json_open(out, key, '[');
        for (uint32_t n = rng_below(rng, 4); n > 0; n--) put_random(out, rng, NULL, depth + 1);
        json_close(out, ']');
        return;
    }
    static const char *const keys[] = {"id", "name", "名", "x-y", "A"};
    json_open(out, key, '{');
    uint32_t n = rng_below(rng, COUNT_OF(keys) + 1);
    for (uint32_t i = 0; i < n; i++) put_random(out, rng, keys[i], depth + 1);
    json_close(out, '}');
}

static void a_tree_written_again_is_the_same_text(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7, 7);
    for (int round = 0; round < 2000; round++) {
        struct buf first, second;
        buf_init(&first, 1u << 20);
        buf_init(&second, 1u << 20);
        struct json_out out = json_begin(&first);
        put_random(&out, &rng, NULL, 0);
        struct json *tree = parsed(buf_str(&first));
        out = json_begin(&second);
        json_put_tree(&out, NULL, tree);
        assert_true(str_eq(buf_str(&first), buf_str(&second)));
        json_free(tree);
        buf_release(&first);
        buf_release(&second);
    }
}

static void names_of_strangers_are_escaped_when_written_again(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\\"b\":{\"\\n\":[1,{\"\":2}]},\"c\":null}";
    struct json *tree = parsed(str_of(text));
    struct buf buf;
    buf_init(&buf, 1000);
    struct json_out out = json_begin(&buf);
    json_put_tree(&out, NULL, tree);
    assert_str_equal(buf_str(&buf), text);
    json_free(tree);
    buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_kind_are_read),
        cmocka_unit_test(asking_for_the_wrong_kind_gives_false),
        cmocka_unit_test(whole_numbers_are_exact_or_refused),
        cmocka_unit_test(names_are_exact_and_the_last_of_two_counts),
        cmocka_unit_test(escapes_become_utf8),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(numbers_of_the_rfc_are_taken),
        cmocka_unit_test(values_are_counted_without_reading_them),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(writing_puts_commas_and_keys),
        cmocka_unit_test(every_character_survives_writing_and_reading),
        cmocka_unit_test(past_the_ceiling_the_buffer_remembers),
        cmocka_unit_test(a_tree_written_again_is_the_same_text),
        cmocka_unit_test(names_of_strangers_are_escaped_when_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
