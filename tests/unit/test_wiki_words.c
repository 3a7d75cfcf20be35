/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/words.h"

#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"

static void take(void *ctx, struct str word, enum wiki_word kind)
{
    struct buf *out = ctx;
    if (out->len) buf_add_byte(out, ' ');
    if (kind & WIKI_WORD_STEM)
        buf_add_byte(out, '~');
    else if (kind & WIKI_WORD_PART)
        buf_add_byte(out, '.');
    buf_add_str(out, word);
}

static void expect(struct str text, const char *words)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    char *copy = mem_copy(text.at, text.len); /* so that ASan sees a step too far */
    wiki_words((struct str){copy, text.len}, take, &out);
    assert_str_equal(buf_str(&out), words);
    mem_free(copy);
    buf_release(&out);
}

/* "." stands before a part, "~" before what is left without the ending. */
static void words_of_code(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", ""},
        {"+-*/ \n", ""},
        {"int x;", "int x"},
        {"parseHeader(s)", "parseheader .parse ~pars .header s"},
        {"ParseHeader", "parseheader .parse ~pars .header"},
        {"HTTPServer", "httpserver .http .server"},
        {"PARSE_HEADER", "parse_header .parse ~pars .header"},
        {"__init__", "__init__ .init"},
        {"utf8_is_word", "utf8_is_word .utf .is .word"},
        {"x86", "x86"},
        {"Header", "header"},
        {"HEADER", "header"},
        {"_", ""},
        {"0x1F 42 0x80070005 123456789 0x123456789", "0x1f 42 0x80070005"},
        {"obj->next_at", "obj next_at .next .at"},
        {"timers", "timers ~timer"},
        {"don't", "don t"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) expect(str_of(cases[i].text), cases[i].words);
}

static void words_of_other_scripts(void **state)
{
    (void)state;
    expect(STR("胡同里"), ".胡 .同 胡同 .里 同里");
    expect(STR("用SQLite存"), ".用 sqlite .sq .lite .存");
    expect(STR("Größe ÄRGER"), "größe ärger");
    expect(STR("naïve_way"), "naïve_way");
    expect(STR("кот Кот"), "кот кот");
    expect(STR("，。！"), "");
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 100; i++) buf_add_byte(&text, 'a');
    char expected[WIKI_WORD_BYTES + 1] = {0};
    memset(expected, 'a', WIKI_WORD_BYTES);
    expect(buf_str(&text), expected);
    buf_reset(&text, 0);
    for (int i = 0; i < 63; i++) buf_add_byte(&text, 'a');
    buf_add_str(&text, STR("éé"));
    expected[WIKI_WORD_BYTES - 1] = '\0';
    expect(buf_str(&text), expected);
    buf_release(&text);
}

static void endings_are_taken_off(void **state)
{
    (void)state;
    static const char *const alike[][2] = {
        {"headers", "header"},         {"parsing", "parse"}, {"parsed", "parse"},
        {"parses", "parse"},           {"running", "run"},   {"stories", "story"},
        {"indexes", "index"},          {"classes", "class"}, {"creating", "create"},
        {"matches", "match"},          {"queries", "query"}, {"stopped", "stop"},
        {"connections", "connection"}, {"opening", "open"},  {"filled", "fill"}};
    static const char *const as_they_are[] = {"class", "status", "this",  "string",
                                              "bus",   "red",    "thing", "analysis"};
    for (size_t i = 0; i < COUNT_OF(alike); i++) {
        char one[32], two[32];
        str_copy(one, sizeof(one), str_of(alike[i][0]));
        str_copy(two, sizeof(two), str_of(alike[i][1]));
        struct str a = {one, wiki_stem(one, strlen(one))}, b = {two, wiki_stem(two, strlen(two))};
        if (!str_eq(a, b)) fail_msg("%.*s %.*s", STR_ARGS(a), STR_ARGS(b));
    }
    for (size_t i = 0; i < COUNT_OF(as_they_are); i++) {
        char word[32];
        str_copy(word, sizeof(word), str_of(as_they_are[i]));
        struct str stem = {word, wiki_stem(word, strlen(word))};
        assert_str_equal(stem, as_they_are[i]);
    }
}

static void words_that_say_nothing(void **state)
{
    (void)state;
    assert_true(wiki_word_is_idle(STR("a")));
    assert_true(wiki_word_is_idle(STR("how")));
    assert_true(wiki_word_is_idle(STR("please")));
    assert_true(wiki_word_is_idle(STR("your")));
    assert_false(wiki_word_is_idle(STR("parser")));
    assert_false(wiki_word_is_idle(STR("ho")));
    assert_false(wiki_word_is_idle(STR("howl")));
    assert_false(wiki_word_is_idle(STR("zebra")));
    assert_false(wiki_word_is_idle((struct str){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_code),
        cmocka_unit_test(words_of_other_scripts),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(endings_are_taken_off),
        cmocka_unit_test(words_that_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
