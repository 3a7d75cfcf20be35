/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/extract.h"

#include "unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

#define ANY EXTRACT_ANY
#define OBJECT EXTRACT_OBJECT
#define ARRAY EXTRACT_ARRAY

/* What json_parse() makes of `text`, written again: equal texts are equal values. */
static void canonical(struct str text, struct buf *out)
{
    struct json *tree = NULL;
    struct why why;
    if (json_parse(text, &tree, NULL, &why)) fail_msg("%.*s: %s", STR_ARGS(text), why.text);
    struct json_out json = json_begin(out);
    json_put_tree(&json, NULL, tree);
    json_free(tree);
}

/* Takes from a copy of exactly that size, so that ASan sees a step too far. */
static enum err extract(struct str text, enum extract_want want, struct buf *out, bool *partial,
                        struct why *why)
{
    char *copy = mem_copy(text.at, text.len);
    enum err err = extract_json((struct str){copy, text.len}, want, out, partial, why);
    mem_free(copy);
    return err;
}

struct answer {
    const char *answer;
    enum extract_want want;
    const char *json; /* as json_put_tree() writes it */
};

static const struct answer answers[] = {
    /* as it stands */
    {"{\"a\":1}", ANY, "{\"a\":1}"},
    {"\xEF\xBB\xBF \n[1, 2]\n", ANY, "[1,2]"},
    {"{}", OBJECT, "{}"},
    /* reasoning */
    {"<think>maybe {\"a\":0}</think>{\"a\":1}", ANY, "{\"a\":1}"},
    {"<thinking>[0]</thinking>\n[1]", ARRAY, "[1]"},
    {"{\"a\":\"</think>\"}", ANY, "{\"a\":\"</think>\"}"},
    {"<think>x</think>{\"a\":\"</think>\"}", ANY, "{\"a\":\"</think>\"}"},
    {"<think>[1]</think>So: [\"</think> [] \", {\"b\":1}]", ANY, "[\"</think> [] \",{\"b\":1}]"},
    {"<think>[x {</think>[\"</think>\",2,]", ARRAY, "[\"</think>\",2]"},
    /* fences */
    {"Sure:\n```json\n{\"a\":1}\n```\nBye.", ANY, "{\"a\":1}"},
    {"```\n{\"a\":1}\n```", ANY, "{\"a\":1}"},
    {"~~~~ JSON\n{\"a\":\"~~~\"}\n~~~~", ANY, "{\"a\":\"~~~\"}"},
    {"  ```json\r\n{\"a\":1}\r\n  ```\r\n", ANY, "{\"a\":1}"},
    {"```json\n{\"a\":1}", ANY, "{\"a\":1}"},
    {"```json\n{\"a\":1}\n```\n```\nsome code\n```", ANY, "{\"a\":1}"},
    {"```json\n{\"a\":1,}\n```", ANY, "{\"a\":1}"},
    {"```json {\"a\":1} ```", ANY, "{\"a\":1}"},
    /* prose around it */
    {"Here it is: {\"a\": \"b}\"} I hope that helps.", ANY, "{\"a\":\"b}\"}"},
    {"[note] {\"a\":1}", ANY, "{\"a\":1}"},
    {"[note: {\"a\":1}]", ANY, "{\"a\":1}"},
    {"答案：{\"心情\":\"好\"}。", ANY, "{\"心情\":\"好\"}"},
    /* mended */
    {"{\"a\":1,}", ANY, "{\"a\":1}"},
    {"[1,2,]", ANY, "[1,2]"},
    {"{\"a\":[{\"b\":1,},],}", ANY, "{\"a\":[{\"b\":1}]}"},
    {"{\"a\":\"one\ntwo\tthree\x01\"}", ANY, "{\"a\":\"one\\ntwo\\tthree\\u0001\"}"},
    {"{\"a\":\"it\\'s a \\_b\\_\"}", ANY, "{\"a\":\"it's a _b_\"}"},
    {"{\"a\":\"C:\\Users\\users\\\xE8\x83\xA1\"}", ANY,
     "{\"a\":\"C:\\\\Users\\\\users\\\\\xE8\x83\xA1\"}"},
    {"{\"a\":None,\"b\":True,\"c\":False,\"d\":NaN}", ANY,
     "{\"a\":null,\"b\":true,\"c\":false,\"d\":null}"},
    {"{\"a\":\"None, True\"}", ANY, "{\"a\":\"None, True\"}"},
    {"{“a”: “b”, ”c” : \"d “e”\"}", ANY, "{\"a\":\"b\",\"c\":\"d “e”\"}"},
    {"{“a”: “he said ”no” and \"yes\" once”}", ANY,
     "{\"a\":\"he said ”no” and \\\"yes\\\" once\"}"},
    {"{// first\n\"a\":1, /* \"b\":2, */ \"c\":\"//\"}", ANY, "{\"a\":1,\"c\":\"//\"}"},
    {"[{\"a\":1} {\"b\":2}\n{\"c\":3}]", ANY, "[{\"a\":1},{\"b\":2},{\"c\":3}]"},
    {"{\"a\":{\"b\":1} \"c\":2}", ANY, "{\"a\":{\"b\":1},\"c\":2}"},
    {"[\"a\"\n\"b\"]", ANY, "[\"a\",\"b\"]"},
    {"{\"a\":1\n \"b\":\"x\"\n \"c\":3}", ANY, "{\"a\":1,\"b\":\"x\",\"c\":3}"},
    {"{a: 1, b_2: {c-d: 3}, 心情: 4}", ANY, "{\"a\":1,\"b_2\":{\"c-d\":3},\"心情\":4}"},
    {"{\"a\":\"\\ud83d\\ude00 \\ud83d \\ude00\\u0000\"}", ANY,
     "{\"a\":\"😀 \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\"}"},
    {"{\"a\":\"\\/\\b\\u00e9\"}", ANY, "{\"a\":\"/\\u0008é\"}"},
    {"{\"a\":-1.5e+3,\"b\":0}", ANY, "{\"a\":-1500,\"b\":0}"},
};

/* With more than one candidate. */
static const struct answer choices[] = {
    {"maybe {\"a\":0}</think>\n{\"a\":1}", OBJECT, "{\"a\":1}"},
    {"```json\n{\"draft\":true, \"longer\":1}\n```\nBetter:\n```json\n{\"a\":1}\n```", ANY,
     "{\"a\":1}"},
    {"```json\n[1]\n```\nand\n```json\n{\"a\":1}\n```", ARRAY, "[1]"},
    {"As {name} said [1]: {\"a\":[1,2]}", ANY, "{\"a\":[1,2]}"},
    {"As {name} said [1]: {\"a\":[1,2]}", ARRAY, "[1]"},
    {"{\"a\":1} or rather {\"a\":2}", ANY, "{\"a\":2}"},
    {"{\"long\":\"enough\"} or {\"a\":2}", ANY, "{\"long\":\"enough\"}"},
    {"{a:1, longer:2} or {\"a\":2}", ANY, "{\"a\":2}"},
    {"{\"a\":1}\n{\"b\":2}\n{\"c\":3}", ARRAY, "[{\"a\":1},{\"b\":2},{\"c\":3}]"},
    {"Three: {\"a\":1},\n{\"b\":[2],}, {\"c\":3}.", ARRAY, "[{\"a\":1},{\"b\":[2]},{\"c\":3}]"},
    {"{\"a\":1} and {\"b\":2}\n{\"c\":3}", ARRAY, "[{\"b\":2},{\"c\":3}]"},
    {"{\"a\":1}\n{\"b\":2}\n[7]", ARRAY, "[7]"},
};

static void expect(const struct answer *answer)
{
    struct buf out, is;
    struct why why = {0};
    bool partial = true;
    buf_init(&out, 10000);
    buf_init(&is, 10000);
    enum err err = extract(str_of(answer->answer), answer->want, &out, &partial, &why);
    if (err) fail_msg("%s: %s", answer->answer, why.text);
    canonical(buf_str(&out), &is);
    assert_str_equal(buf_str(&is), answer->json);
    if (partial) fail_msg("partial: %s", answer->answer);
    buf_release(&is);
    buf_release(&out);
}

static void the_json_in_an_answer_is_found_and_mended(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        expect(&answers[i]);
    }
}

static void of_several_the_best_is_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        expect(&choices[i]);
    }
}

static void what_holds_no_answer_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum extract_want want;
        const char *why;
    } cases[] = {
        {"", ANY, "there is no JSON value in the answer"},
        {"I cannot do that.", OBJECT, "there is no JSON object in the answer"},
        {"42", ANY, "there is no JSON value in the answer"},
        {"[1]", OBJECT, "the JSON in the answer is an array, an object is wanted"},
        {"{\"a\":[1]}", ARRAY, "the JSON in the answer is an object, an array is wanted"},
        {"<think>[1]", ANY, "the answer ends within its reasoning"},
        {"<think>[1]</think>", ANY, "there is no JSON value in the answer"},
        {"\xFF", ANY, "the answer is not valid UTF-8"},
        /* single quotes, missing values and quotes in strings are not guessed at */
        {"{'a':{\"b\":1}}", ANY,
         "the JSON in the answer has a mistake at byte 1 of 13, before: 'a':{'b':1}}"},
        {"{\"a\":,\"b\":{\"c\":1}}", ANY,
         "the JSON in the answer has a mistake at byte 5 of 18, before: ,'b':{'c':1}}"},
        {"{\"a\":\"say \"hi\" now\",\"b\":{}}", ANY,
         "the JSON in the answer has a mistake at byte 11 of 27, before: hi' now','b':{}}"},
        {"[1,,2]", ANY, "the JSON in the answer has a mistake at byte 3 of 6, before: ,2]"},
        {"[1 2]", ANY, "the JSON in the answer has a mistake at byte 3 of 5, before: 2]"},
        {"[\"a\" \"b\"]", ANY, "the JSON in the answer has a mistake at byte 5 of 9, before: 'b']"},
        {"{\"a\":01}", ANY, "the JSON in the answer has a mistake at byte 5 of 8, before: 01}"},
        {"{\"a\":1]", ANY, "the JSON in the answer has a mistake at byte 6 of 7, before: ]"},
        {"{\"a\":1e999}", ANY, "the JSON in the answer cannot be used: no JSON number at byte 5"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        struct why why = {0};
        bool partial;
        buf_init(&out, 10000);
        enum err err = extract(str_of(cases[i].answer), cases[i].want, &out, &partial, &why);
        if (err == OK) fail_msg("%s gave %s", cases[i].answer, out.at);
        assert_int_equal(err, ERR_INVALID);
        assert_string_equal(why.text, cases[i].why);
        buf_release(&out);
    }
}

static void what_was_cut_off_is_closed_and_marked(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum extract_want want;
        const char *json;
    } cases[] = {
        {"{", ANY, "{}"},
        {"{\"a", ANY, "{}"},
        {"{\"a\":", ANY, "{}"},
        {"{\"a\":12", ANY, "{}"}, /* it may have been going to be 123 */
        {"{\"a\":12,", ANY, "{\"a\":12}"},
        {"{\"a\":tru", ANY, "{}"},
        {"{\"a\":1,\"b\":{\"c\":[1,{\"d\":\"x", ANY, "{\"a\":1,\"b\":{\"c\":[1,{\"d\":\"x\"}]}}"},
        {"{\"a\":\"x\\", ANY, "{\"a\":\"x\"}"},
        {"{\"a\":\"x\\u00e", ANY, "{\"a\":\"x\"}"},
        {"{\"a\":\"x\\ud83d", ANY, "{\"a\":\"x\"}"},
        {"{\"a\":\"x\\ud83d\\ude0", ANY, "{\"a\":\"x\"}"},
        {"{\"a\":1, // the \"b\":2}", ANY, "{\"a\":1}"},
        {"Well: ```json\n[{\"a\":1},{\"b\":2", ARRAY, "[{\"a\":1},{}]"},
        {"{\"a\":1}\n{\"b\":2}\n{\"c\":", ARRAY, "[{\"a\":1},{\"b\":2}]"},
        {"```json\n{\"a\":1}\n```\nBetter:\n```json\n{\"a\":2,\"b", ANY, "{\"a\":1}"},
        {"For instance {\"a\":1}. So: {\"a\":22,\"b\":33,", ANY, "{\"a\":22,\"b\":33}"},
        /* the outer one is broken and never ends: what is inside is not the answer */
        {"{\"a\":x, \"b\":{\"c\":1}", ANY, "{\"c\":1}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out, is;
        struct why why = {0};
        bool partial = false;
        buf_init(&out, 10000);
        buf_init(&is, 10000);
        enum err err = extract(str_of(cases[i].answer), cases[i].want, &out, &partial, &why);
        if (err) fail_msg("%s: %s", cases[i].answer, why.text);
        canonical(buf_str(&out), &is);
        assert_str_equal(buf_str(&is), cases[i].json);
        if (!partial) fail_msg("not partial: %s", cases[i].answer);
        buf_release(&is);
        buf_release(&out);
    }
}

/* Of each prefix: nothing, or partial, or the same value as the whole answer gives. */
static void try_prefixes(struct str answer, enum extract_want want)
{
    struct buf out, is, whole;
    struct why why = {0};
    bool partial = false;
    buf_init(&out, 1 << 16);
    buf_init(&is, 1 << 16);
    buf_init(&whole, 1 << 16);
    buf_add(&whole, "", 0);
    if (extract(answer, want, &out, &partial, &why) == OK) canonical(buf_str(&out), &whole);
    for (size_t len = 0; len < answer.len; len++) {
        struct str prefix = str_head(answer, len);
        buf_reset(&is, is.cap);
        enum err err = extract(prefix, want, &out, &partial, &why);
        assert_true(err == OK || (err == ERR_INVALID && why.text[0] != '\0'));
        if (err == OK) canonical(buf_str(&out), &is);
        if (err == OK && !partial && !str_eq(buf_str(&is), buf_str(&whole))) {
            fail_msg("\"%.*s\" gave %s, whole it gives %s", STR_ARGS(prefix), is.at, whole.at);
        }
    }
    buf_release(&whole);
    buf_release(&is);
    buf_release(&out);
}

/* Not of `choices`: between drafts or list entries a text may end unnoticed, as the header says. */
static void a_prefix_is_never_taken_for_the_whole(void **state)
{
    (void)state;
    static const char *const more[] = {
        "{\"name\":\"小明\",\"plan\":[{\"at\":\"08:00\",\"what\":\"买菜\",\"minutes\":30},{\"at\":"
        "\"09:00\",\"what\":\"say \\\"hi\\\" \\ud83d\\ude00\",\"minutes\":5}],\"mood\":-0.25e1,"
        "\"ok\":true,\"none\":null,\"empty\":{},\"list\":[[],[[1,2],3]]}",
        "{name: “小明”, plan: [{at: \"8\", minutes: 30,}, // first }\n {at: \"9\" /* ] */,\n"
        "\"minutes\":5}\n{\"x\":True}],\n\"c\":\"\\_a\\'s\" \n\"d\":None,}",
        "<think>perhaps [1,2,3] or {\"a\":9}</think>Here:\n\n```json\n{\n  \"a\": [1, 22, 333],\n"
        "  \"b\": {\"c\": \"```\"}\n}\n```\nThat is all.",
        "The plan {as asked}: [{\"a\":1}, {\"b\":[{\"c\":2}]}, {\"d\":{\"e\":\"}]\"}}] is ready.",
        "{\"a\":x, \"b\":{\"c\":1}}",
        "{'a':{\"b\":1}, 'c':[1,2]}",
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        try_prefixes(str_of(answers[i].answer), answers[i].want);
    }
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        for (enum extract_want want = ANY; want <= ARRAY; want++) {
            try_prefixes(str_of(more[i]), want);
        }
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (size_t depth = LIMIT_JSON_DEPTH - 1; depth <= 20000;
         depth = depth < 40 ? depth + 1 : depth * 20) {
        char *text = mem_alloc(2 * depth);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct buf out;
        struct why why;
        bool partial;
        buf_init(&out, 1 << 20);
        enum err err = extract((struct str){text, 2 * depth}, ANY, &out, &partial, &why);
        bool fits = depth <= LIMIT_JSON_DEPTH;
        assert_true(fits ? err == OK && !partial : err == OK || err == ERR_INVALID);
        err = extract((struct str){text, depth}, ANY, &out, &partial, &why);
        assert_true(err == ERR_INVALID || partial);
        buf_release(&out);
        mem_free(text);
    }
}

/* In processor seconds, far above what a linear pass needs and far below what a quadratic one does.
 */
static void expect_in_time(struct str text, enum extract_want want, struct buf *out)
{
    struct why why;
    bool partial;
    clock_t began = clock();
    enum err err = extract_json(text, want, out, &partial, &why);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    assert_true(err == OK || err == ERR_INVALID);
    if (seconds > 2) fail_msg("%.1f s for %.*s…", seconds, STR_ARGS(str_head(text, 20)));
}

static void hostile_text_costs_no_more_than_its_length(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "[",   "{",      "[/*",     "[/*</think>", "[1,",          "{\"a\":", "[\"",
        "\"[", "{”",     "```\n",   "</think>",    "[</think>",    "[[[[x]",  "[1 1",
        "\\",  "[\"\\u", "{“a” \t", "{\"a\" ",     "{\"a\":1}{\"",
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct buf text, out;
        buf_init(&text, EXTRACT_TEXT_MAX / 4);
        while (!text.failed) buf_add_str(&text, str_of(parts[i]));
        buf_init(&out, 8 * EXTRACT_TEXT_MAX);
        for (enum extract_want want = ANY; want <= ARRAY; want++) {
            expect_in_time(buf_str(&text), want, &out);
        }
        memcpy(text.at + text.len - 4, "*/ x", 4);
        expect_in_time(buf_str(&text), ANY, &out);
        memcpy(text.at + text.len - 4, "\"]} ", 4);
        expect_in_time(buf_str(&text), ANY, &out);
        buf_release(&out);
        buf_release(&text);
    }
}

static void too_long_a_text_and_too_small_a_buffer_are_refused(void **state)
{
    (void)state;
    struct buf out;
    struct why why;
    bool partial;
    char *text = mem_alloc(EXTRACT_TEXT_MAX + 1);
    memset(text, ' ', EXTRACT_TEXT_MAX + 1);
    buf_init(&out, 4);
    enum err err =
        extract_json((struct str){text, EXTRACT_TEXT_MAX + 1}, ANY, &out, &partial, &why);
    assert_int_equal(err, ERR_LIMIT);
    assert_string_equal(why.text, "the answer has 1048577 bytes, JSON is looked for in 1048576");
    assert_int_equal(extract(STR("{\"a\":1}"), ANY, &out, &partial, &why), ERR_LIMIT);
    assert_int_equal(extract(STR("see {\"a\":1"), ANY, &out, &partial, &why), ERR_LIMIT);
    assert_int_equal(extract(STR("{}"), ANY, &out, &partial, &why), OK);
    mem_free(text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_json_in_an_answer_is_found_and_mended),
        cmocka_unit_test(of_several_the_best_is_chosen),
        cmocka_unit_test(what_holds_no_answer_says_why),
        cmocka_unit_test(what_was_cut_off_is_closed_and_marked),
        cmocka_unit_test(a_prefix_is_never_taken_for_the_whole),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(hostile_text_costs_no_more_than_its_length),
        cmocka_unit_test(too_long_a_text_and_too_small_a_buffer_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
