/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/whole.h"

#include "unit.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#define BAD "\xEF\xBF\xBD"

static void feed(struct whole *whole, struct str piece, struct buf *told)
{
    struct buf scratch;
    struct str text;
    struct why why;
    char *copy = mem_copy(piece.at, piece.len);
    buf_init(&scratch, 3 * piece.len + 16);
    enum err err = whole_feed(whole, (struct str){copy, piece.len}, &scratch, &text, &why);
    assert_int_equal(err, OK);
    assert_true(utf8_valid(text));
    buf_add_str(told, text);
    buf_release(&scratch);
    mem_free(copy);
}

static void text_is_the_same_however_its_bytes_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"é胡😀", "é胡😀"},
        {"a\xED\xA0\xBD\xED\xB8\x80z", "a😀z"},
        {"\xED\xA0\xBD\xED\xA0\xBD\xED\xB8\x80", BAD "😀"},
        {"\xED\xA0\xBDz", BAD "z"},
        {"\xED\xA0\xBD\xED", BAD},
        {"\xED\xA0\xBD\xED\x95\x9C", BAD "한"}, /* begins as a low half would */
        {"\xED\xB8\x80z", BAD "z"},
        {"\xED\xA0\xBD", BAD},
        {"\xED\xA0", BAD},
        {"a\xE8\x83", "a" BAD},
        {"\xE8\x83z", BAD "z"},
        {"\xFF\xFEz", BAD BAD "z"},
        {"\xC0\xAF", BAD BAD},
        {"\xF0\x9F\x98", BAD},
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD},
        {"\x80z\xE8", BAD "z" BAD},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str bytes = str_of(cases[i].bytes);
        for (size_t cut = 0; cut <= bytes.len; cut++) {
            struct whole whole = {0};
            struct buf told;
            buf_init(&told, 100);
            buf_add(&told, "", 0);
            feed(&whole, str_head(bytes, cut), &told);
            for (size_t at = cut; cut == 0 && at < bytes.len; at++) {
                feed(&whole, (struct str){bytes.at + at, 1}, &told);
            }
            if (cut > 0) feed(&whole, str_from(bytes, cut), &told);
            buf_add_str(&told, whole_finish(&whole));
            assert_str_equal(buf_str(&told), cases[i].text);
            assert_int_equal(whole_finish(&whole).len, 0);
            buf_release(&told);
        }
    }
}

static void clean_text_is_not_copied(void **state)
{
    (void)state;
    struct whole whole = {0};
    struct buf scratch;
    struct str piece = STR("邻居"), text;
    struct why why;
    buf_init(&scratch, 0);
    assert_int_equal(whole_feed(&whole, piece, &scratch, &text, &why), OK);
    assert_ptr_equal(text.at, piece.at);
    assert_int_equal(whole_feed(&whole, STR("\xFF"), &scratch, &text, &why), ERR_LIMIT);
    assert_string_equal(why.text, "a piece of the answer is too long");
    buf_release(&scratch);
}

static void halves_of_pairs_are_seen_in_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool lone;
    } cases[] = {
        {"{}", false},
        {"\"\\ud83d\\ude00\"", false},
        {"\"\\uD83D\\uDE00\\n\\u4f60\"", false},
        {"\"\\ud83d\"", true},
        {"\"\\uDE00\"", true},
        {"\"\\ud83d\\n\\ude00\"", true},
        {"\"\\ude00\\ud83d\"", true},
        {"\"\\ud83d\\ud83d\\ude00\"", true},
        {"\"\\\\ud83d\"", false}, /* a backslash and letters */
        {"\"\\\\\\ud83d\"", true},
        {"\"\\ud83", false},
        {"\"\\", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *copy = mem_copy(cases[i].json, strlen(cases[i].json));
        struct str json = {copy, strlen(cases[i].json)};
        assert_int_equal(json_has_lone_surrogate(json), cases[i].lone);
        mem_free(copy);
    }
}

/* The events of one stream, and what they say once joined: their texts, one behind the other. */
static void halves_of_pairs_meet_across_events(void **state)
{
    (void)state;
    static const struct {
        const char *events[4];
        const char *joined[4]; /* NULL: as it was */
        bool waits;
    } cases[] = {
        {{"{\"content\":\"a\"}"}, {NULL}, false},
        {{"{\"content\":\"a\\ud83d\"}", "{\"content\":\"\\ude00b\"}"},
         {"{\"content\":\"a\"}", "{\"content\":\"\\ud83d\\ude00b\"}"},
         false},
        {{"{\"content\":\"\\uD83D\"}", "{\"ping\":1}", "{\"content\":\"\"}",
          "{\"content\" : \"\\uDE00\"}"},
         {"{\"content\":\"\"}", NULL, NULL, "{\"content\" : \"\\ud83d\\uDE00\"}"},
         false},
        {{"{\"content\":\"a\\ud83d\"}", "{\"content\":\"b\"}"},
         {"{\"content\":\"a\"}", "{\"content\":\"\\ufffdb\"}"},
         false},
        {{"{\"content\":\"a\\ud83d\"}", "{\"id\":\"x\",\"content\":\"\\ud83d\"}",
          "{\"content\":\"\\ude00\"}"},
         {"{\"content\":\"a\"}", "{\"id\":\"x\",\"content\":\"\\ufffd\"}",
          "{\"content\":\"\\ud83d\\ude00\"}"},
         false},
        {{"{\"content\":\"a\\ud83d\"}", "{\"reasoning\":\"\\ude00\",\"content\":\"\\ude00\"}"},
         {"{\"content\":\"a\"}", "{\"reasoning\":\"\\ufffd\",\"content\":\"\\ud83d\\ude00\"}"},
         false},
        {{"{\"a\":\"\\ud83d\",\"b\":\"\\ud83d\"}", "{\"a\":\"\\ude00\"}"},
         {"{\"a\":\"\",\"b\":\"\\ufffd\"}", "{\"a\":\"\\ud83d\\ude00\"}"},
         false},
        {{"{\"a\":\"\\ud83dx\\\"\\ude00 \\\\ud83d\"}"},
         {"{\"a\":\"\\ufffdx\\\"\\ufffd \\\\ud83d\"}"},
         false},
        {{"{\"a\":\"x\\ud83d\"}"}, {"{\"a\":\"x\"}"}, true},
        {{"{\"a\\\"\\ud83d"}, {"{\"a\\\""}, true}, /* not JSON, and not made worse */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct halves halves = {0};
        for (size_t j = 0; j < COUNT_OF(cases[i].events) && cases[i].events[j]; j++) {
            const char *event = cases[i].events[j], *expected = cases[i].joined[j];
            struct str json;
            struct buf scratch;
            struct why why;
            buf_init(&scratch, strlen(event) + 16);
            assert_int_equal(halves_join(&halves, str_of(event), &scratch, &json, &why), OK);
            assert_str_equal(json, expected ? expected : event);
            assert_false(json_has_lone_surrogate(json));
            buf_release(&scratch);
        }
        assert_int_equal(halves_waits(&halves), cases[i].waits);
    }
}

static void an_event_is_copied_only_when_it_must_change(void **state)
{
    (void)state;
    struct halves halves = {0};
    struct buf scratch;
    struct why why;
    struct str event = STR("{\"content\":\"\\n\\ud83d\\ude00\"}"), json;
    buf_init(&scratch, 0);
    assert_int_equal(halves_join(&halves, event, &scratch, &json, &why), OK);
    assert_ptr_equal(json.at, event.at);
    event = STR("{\"content\":\"\\ud83d\"}");
    assert_int_equal(halves_join(&halves, event, &scratch, &json, &why), ERR_LIMIT);
    buf_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_the_same_however_its_bytes_are_cut),
        cmocka_unit_test(clean_text_is_not_copied),
        cmocka_unit_test(halves_of_pairs_are_seen_in_escapes),
        cmocka_unit_test(halves_of_pairs_meet_across_events),
        cmocka_unit_test(an_event_is_copied_only_when_it_must_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
