/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/sse.h"

#include "unit.h"

#include "base/mem.h"

enum { LINE_MAX_BYTES = 1000, EVENT_MAX_BYTES = 2000 };

/* What was told, as text: "[name|data]" and "(comment)". */
struct heard {
    struct buf log;
    struct sse *stop; /* at the first event */
};

static void hear_event(void *ctx, struct str name, struct str data)
{
    struct heard *heard = ctx;
    buf_printf(&heard->log, "[%.*s|", STR_ARGS(name));
    buf_add_str(&heard->log, data);
    buf_add_byte(&heard->log, ']');
    if (heard->stop) sse_stop(heard->stop);
}

static void hear_comment(void *ctx, struct str text)
{
    struct heard *heard = ctx;
    buf_printf(&heard->log, "(%.*s)", STR_ARGS(text));
}

/* Feeds a copy of exactly that size, so that ASan sees a step too far. */
static enum err feed(struct sse *sse, struct str bytes, struct heard *heard, struct why *why)
{
    const struct sse_events to = {.event = hear_event, .comment = hear_comment, .ctx = heard};
    char *copy = mem_copy(bytes.at, bytes.len);
    enum err err = sse_feed(sse, (struct str){copy, bytes.len}, &to, why);
    mem_free(copy);
    sse_check(sse);
    return err;
}

static enum err finish(struct sse *sse, struct heard *heard, struct why *why)
{
    const struct sse_events to = {.event = hear_event, .comment = hear_comment, .ctx = heard};
    enum err err = sse_finish(sse, &to, why);
    sse_check(sse);
    return err;
}

static void expect(struct str stream, size_t first, size_t step, const char *expected)
{
    struct sse sse;
    struct heard heard = {0};
    struct why why = {0};
    buf_init(&heard.log, 1 << 16);
    buf_add(&heard.log, "", 0);
    sse_init(&sse, LINE_MAX_BYTES, EVENT_MAX_BYTES);
    enum err err = feed(&sse, str_head(stream, first), &heard, &why);
    for (size_t at = first; at < stream.len && err == OK; at += step) {
        err = feed(&sse, str_head(str_from(stream, at), step), &heard, &why);
    }
    assert_int_equal(err, OK);
    assert_int_equal(finish(&sse, &heard, &why), OK);
    assert_str_equal(buf_str(&heard.log), expected);
    sse_release(&sse);
    buf_release(&heard.log);
}

static const struct {
    const char *stream;
    const char *told;
} streams[] = {
    {"data: a\n\n", "[|a]"},
    {"data: a\r\n\r\n", "[|a]"},
    {"data: a\r\r", "[|a]"},
    {"data: a\r\n\ndata: b\n\r\ndata: c\r\rdata: d\n\n", "[|a][|b][|c][|d]"},
    {"\xEF\xBB\xBF"
     "data: a\n\n",
     "[|a]"},
    {"\xEF\xBB\xBF"
     "\ndata: \xEF\xBB\xBF\n\n",
     "[|\xEF\xBB\xBF]"},
    {"data:a\n\ndata:  a\n\n", "[|a][| a]"},
    {"data: a\ndata: b\ndata:\ndata\ndata: c\n\n", "[|a\nb\n\n\nc]"},
    {"event: x\ndata: a\n\ndata: b\n\n", "[x|a][|b]"},
    {"event: x\nevent: y\ndata: a\nid: 1\nretry: 5\n\n", "[y|a]"},
    {"data: a\n: one\ndata: b\n:two\n\n:\n", "(one)(two)[|a\nb]()"},
    {"event: x\n\ndata: a\n\n", "[|a]"}, /* no data, no event */
    {"data:\n\ndata\n\nevent: end\ndata:\n\n", "()()[end|]"},
    {"data: a", "[|a]"}, /* the stream ends within an event */
    {"event: x\ndata: a\n", "[x|a]"},
    {"data: [DONE]", "[|[DONE]]"},
    {"error: {\"code\":500}\n\n", "[error|{\"code\":500}]"},
    {"event: x\ndata: a\nerror: b\ndata: c\n\n", "[x|a][error|b][|c]"},
    {"event: error\ndata: b\n\n", "[error|b]"},
    {":HTTP_STATUS/200\nid:1\nevent:result\ndata:{\"a\":1}\n\n",
     "(HTTP_STATUS/200)[result|{\"a\":1}]"},
    {"data: \xE8\x83\xA1\xE5\x90\x8C \xF0\x9F\x98\x80\n\n",
     "[|\xE8\x83\xA1\xE5\x90\x8C \xF0\x9F\x98\x80]"},
    {"whatever: a\nnothing\n\n", ""},
    {"\n\n\r\r\n", ""},
    {"", ""},
};

static void events_are_the_same_however_the_bytes_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        struct str stream = str_of(streams[i].stream);
        for (size_t first = 0; first <= stream.len; first++) {
            expect(stream, first, stream.len + 1, streams[i].told);
            expect(stream, first, 1, streams[i].told);
        }
    }
}

static void lines_and_events_past_their_ceiling_end_the_stream(void **state)
{
    (void)state;
    static const struct {
        size_t line, lines;
        const char *sentence; /* NULL: fits */
    } cases[] = {
        {LINE_MAX_BYTES, 1, NULL},
        {LINE_MAX_BYTES + 1, 1, "a line of the event stream has more than 1000 bytes"},
        {700, 2, NULL},
        {700, 3, "an event of the stream has more than 2000 bytes"},
    };
    for (size_t i = 0; i < COUNT_OF(cases) * 3; i++) {
        static const size_t steps[] = {1, 7, 5000};
        size_t line = cases[i / 3].line, step = steps[i % 3];
        const char *sentence = cases[i / 3].sentence;
        struct buf stream;
        buf_init(&stream, 10000);
        buf_printf(&stream, "data: a\n\n");
        for (size_t j = 0; j < cases[i / 3].lines; j++) {
            buf_printf(&stream, "data: %0*d\n", (int)line - 6, 0);
        }
        buf_printf(&stream, "\ndata: after\n\n");

        struct sse sse;
        struct heard heard = {0};
        struct why why = {0};
        enum err err = OK;
        buf_init(&heard.log, 1 << 16);
        sse_init(&sse, LINE_MAX_BYTES, EVENT_MAX_BYTES);
        for (size_t at = 0; at < stream.len && err == OK; at += step) {
            err = feed(&sse, str_head(str_from(buf_str(&stream), at), step), &heard, &why);
        }
        assert_int_equal(err, sentence ? ERR_LIMIT : OK);
        if (sentence) {
            assert_string_equal(why.text, sentence);
            assert_int_equal(feed(&sse, STR("\n\ndata: b\n\n"), &heard, &why), OK);
            assert_int_equal(finish(&sse, &heard, &why), OK);
            assert_str_equal(buf_str(&heard.log), "[|a]");
        } else {
            assert_true(str_ends(buf_str(&heard.log), STR("[|after]")));
        }
        sse_release(&sse);
        buf_release(&heard.log);
        buf_release(&stream);
    }
}

static void a_line_without_end_stays_within_its_ceiling(void **state)
{
    (void)state;
    struct sse sse;
    struct heard heard = {0};
    struct why why;
    enum err err = OK;
    sse_init(&sse, LINE_MAX_BYTES, EVENT_MAX_BYTES);
    assert_int_equal(feed(&sse, STR("data: "), &heard, &why), OK);
    size_t fed = 6;
    for (; err == OK; fed += 10) err = feed(&sse, STR("0123456789"), &heard, &why);
    assert_int_equal(err, ERR_LIMIT);
    assert_true(fed <= LINE_MAX_BYTES + 10 + 6);
    assert_true(sse.line.cap <= 2 * LINE_MAX_BYTES);
    sse_release(&sse);
}

static void a_callback_can_stop_the_rest(void **state)
{
    (void)state;
    struct str stream = STR("data: a\n\n: c\ndata: b\n\nerror: c\n\ndata: d");
    for (size_t cut = 0; cut < stream.len; cut++) {
        struct sse sse;
        struct heard heard = {.stop = &sse};
        struct why why;
        buf_init(&heard.log, 100);
        sse_init(&sse, LINE_MAX_BYTES, EVENT_MAX_BYTES);
        assert_int_equal(feed(&sse, str_head(stream, cut), &heard, &why), OK);
        assert_int_equal(feed(&sse, str_from(stream, cut), &heard, &why), OK);
        assert_int_equal(finish(&sse, &heard, &why), OK);
        assert_str_equal(buf_str(&heard.log), "[|a]");
        sse_release(&sse);
        buf_release(&heard.log);
    }
}

static void what_stands_outside_of_events_is_kept(void **state)
{
    (void)state;
    struct str stream = STR("data: {\"a\":1}\n\n[{\n  \"error\": {\n    \"code\": 429\n  }\n}]\n");
    for (size_t cut = 0; cut <= stream.len; cut++) {
        struct sse sse;
        struct heard heard = {0};
        struct why why;
        buf_init(&heard.log, 100);
        sse_init(&sse, LINE_MAX_BYTES, EVENT_MAX_BYTES);
        assert_int_equal(feed(&sse, str_head(stream, cut), &heard, &why), OK);
        assert_int_equal(feed(&sse, str_from(stream, cut), &heard, &why), OK);
        assert_int_equal(finish(&sse, &heard, &why), OK);
        assert_str_equal(buf_str(&heard.log), "[|{\"a\":1}]");
        assert_str_equal(sse_stray(&sse), "[{\n  \"error\": {\n    \"code\": 429\n  }\n}]\n");
        sse_release(&sse);
        buf_release(&heard.log);
    }
}

static void what_stands_outside_is_bounded_and_unknown_fields_are_not_it(void **state)
{
    (void)state;
    struct sse sse;
    struct heard heard = {0};
    struct why why;
    sse_init(&sse, LINE_MAX_BYTES, EVENT_MAX_BYTES);
    assert_int_equal(feed(&sse, STR("unknown: a\nnothing\n"), &heard, &why), OK);
    assert_int_equal(sse_stray(&sse).len, 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(feed(&sse, STR("<p>a page</p>\n"), &heard, &why), OK);
    }
    assert_int_equal(sse_stray(&sse).len, 16 * 1024);
    sse_release(&sse);
}

static void little_is_kept_between_events(void **state)
{
    (void)state;
    struct sse sse;
    struct heard heard = {0};
    struct why why;
    buf_init(&heard.log, 1 << 16);
    sse_init(&sse, 1 << 16, 1 << 16);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(feed(&sse, i ? STR("0123456789") : STR("data: "), &heard, &why), OK);
    }
    assert_true(sse.line.cap > 10000);
    assert_int_equal(feed(&sse, STR("\n\n"), &heard, &why), OK);
    assert_true(heard.log.len > 10000);
    assert_true(sse.line.cap + sse.data_kept.cap + sse.name_kept.cap <= 3 * 1024);
    sse_release(&sse);
    buf_release(&heard.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_however_the_bytes_are_cut),
        cmocka_unit_test(lines_and_events_past_their_ceiling_end_the_stream),
        cmocka_unit_test(a_line_without_end_stays_within_its_ceiling),
        cmocka_unit_test(a_callback_can_stop_the_rest),
        cmocka_unit_test(what_stands_outside_of_events_is_kept),
        cmocka_unit_test(what_stands_outside_is_bounded_and_unknown_fields_are_not_it),
        cmocka_unit_test(little_is_kept_between_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
