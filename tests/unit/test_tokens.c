/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/tokens.h"

#include "unit.h"

#include "base/mem.h"

static void estimates_are_near_what_a_tokenizer_counts(void **state)
{
    (void)state;
    /* `real`: counted with o200k_base (gpt-tokenizer 4.0.0). */
    static const struct {
        unsigned real;
        const char *text;
    } cases[] = {
        {32, "The baker opens her shop at six. By seven the lane smells of bread, and by eight the "
             "neighbours have told each other everything that happened since yesterday evening."},
        {60, "胡同口的面包店六点开门，七点整条巷子都是面包香，八点的时候邻居们已经把昨天晚上发生的"
             "事情互相说了一遍。今天天气不错，我想去公园走走，你要不要一起来？"},
        {67, "static size_t count_digits(struct str s, uint64_t counts[TOKENS_CLASSES])\n{\n    "
             "size_t len = 0;\n    while (len < s.len && is_digit(s.at[len])) len++;\n    "
             "counts[TOKENS_DIGITS] += (len + 2) / 3;\n    return len;\n}\n"},
        {43,
         "{\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1721075651,"
         "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" the\"},\"finish_reason\":null}]}"},
        {51,
         "パン屋は六時に開きます。七時には路地じゅうがパンの香りでいっぱいになり、八時にはご近所"
         "さんが昨夜の出来事をすべて話し終えています。"},
        {55, "빵집은 여섯 시에 문을 엽니다. 일곱 시가 되면 골목에 빵 냄새가 가득하고, 여덟 시에는 "
             "이웃들이 어젯밤 이야기를 모두 나눈 뒤입니다."},
        {41, "Булочная открывается в шесть. К семи весь переулок пахнет хлебом, а к восьми соседи "
             "уже рассказали друг другу обо всём, что случилось вчера вечером."},
        {39,
         "Die Bäckerei öffnet um sechs. Um sieben duftet die ganze Gasse nach Brot, und um acht "
         "haben sich die Nachbarn schon alles erzählt, was gestern Abend geschehen ist."},
        {22, "1234567890 3.14159 2026-11-24 15:38:13"},
        {13, "😀😂🎉👍🏽🐼🏮🥟"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double is = (double)tokens_estimate(str_of(cases[i].text)), real = cases[i].real;
        if (is < 0.7 * real || is > 1.3 * real) {
            fail_msg("%.0f estimated, %.0f real: %s", is, real, cases[i].text);
        }
    }
}

static void any_bytes_have_an_estimate(void **state)
{
    (void)state;
    assert_int_equal(tokens_estimate((struct str){0}), 0);
    assert_int_equal(tokens_estimate(STR("a")), 1);
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second += 5) {
            char *bytes = mem_copy((char[]){(char)first, (char)second}, 2);
            uint64_t tokens = tokens_estimate((struct str){bytes, 2});
            assert_true(tokens <= 6);
            assert_true(tokens > 0 || bytes[0] == ' ');
            mem_free(bytes);
        }
    }
}

/* What is counted, as "word=2 digits=1". */
static void expect_counts(const char *text, const char *expected)
{
    uint64_t counts[TOKENS_CLASSES] = {0};
    char is[200] = "";
    tokens_count(str_of(text), counts);
    for (int i = 0; i < TOKENS_CLASSES; i++) {
        size_t len = strlen(is);
        if (counts[i] == 0) continue;
        snprintf(is + len, sizeof(is) - len, "%s%s=%u", len ? " " : "",
                 tokens_class_name((enum tokens_class)i), (unsigned)counts[i]);
    }
    assert_string_equal(is, expected);
}

static void texts_are_counted_as_tokenizers_cut_them(void **state)
{
    (void)state;
    expect_counts("two words", "word=2");
    expect_counts("parseJSONText HTTP Ab", "word=5");
    expect_counts("neighbourhood", "word=1 word_long=6");
    expect_counts("1234567", "digits=3");
    expect_counts("a 12", "word=1 digits=1 blanks=1");
    expect_counts("if (a) {\n    b\n}", "word=3 marks=4 blanks=2 indent=1");
    expect_counts("->=", "marks=1 marks_long=2");
    expect_counts("é胡ひ한。ș", "accent=2 han=1 kana=1 hangul=1 wide_marks=1");
    expect_counts("Привет мир", "cyrillic=2 cyrillic_long=3");
    expect_counts("ελ “a” 😀 𠀀", "word=1 han=1 letter=2 symbol=2 picture=1");
    expect_counts("────────────────────────────────", "symbol=3");
    expect_counts("\xFF\xE8\x83", "letter=3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_are_near_what_a_tokenizer_counts),
        cmocka_unit_test(any_bytes_have_an_estimate),
        cmocka_unit_test(texts_are_counted_as_tokenizers_cut_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
