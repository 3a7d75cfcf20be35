/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/contract/test_providers.c: one suite over all providers: a recorded
 * answer of each, cut, broken, refused and buried in noise in every way the
 * reference's section 19 names. What only one provider has is in
 * tests/unit/test_provider_answers.c.
 */
#include "unit.h"

#include "base/rng.h"
#include "hearing.h"
#include "llm/fault.h"
#include "recordings.h"

#define EACH(recording)                                                                            \
    for (const struct recording *recording = recordings; recording < recordings + recording_count; \
         recording++)

static bool is_sse(const struct recording *recording)
{
    return recording->provider->framing == LLM_FRAMING_SSE;
}

static void begin(struct hearing *h, const struct recording *recording)
{
    hear_begin(h, recording->provider, recording->quirks, 200, recording->type, true);
}

static struct buf joined(const struct recording *recording, int from, int end)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    recording_join(&text, recording, from, end);
    return text;
}

static struct buf text_of(const char *text)
{
    struct buf buf;
    buf_init(&buf, 1024 * 1024);
    recording_text(&buf, text);
    return buf;
}

static void check_said(const struct recording *recording, const struct hearing *h)
{
    char call[80];
    snprintf(call, sizeof(call), "0 " RECORDED_TOOL " %s\n", recording->call_id);
    if (!str_eq(buf_str(&h->text), STR(RECORDED_TEXT))) {
        fail_msg("%s: text \"%s\"", recording->name, h->text.at);
    }
    assert_str_equal(buf_str(&h->reasoning), RECORDED_THOUGHT);
    assert_str_equal(buf_str(&h->tools), call);
    assert_str_equal(buf_str(&h->arguments[0]), RECORDED_ARGUMENTS);
    assert_int_equal(h->opens, 1);
    assert_string_equal(h->model, recording->model);
}

static void check_complete(const struct recording *recording, const struct hearing *h)
{
    check_said(recording, h);
    if (h->result.end != LLM_COMPLETE) {
        fail_msg("%s: %s, %s: %s", recording->name, llm_end_name(h->result.end),
                 llm_fault_name(h->result.fault), h->trouble.text);
    }
    assert_int_equal(h->result.finish, LLM_FINISH_TOOL);
    const struct llm_usage *is = &h->result.usage, *wanted = &recording->usage;
    assert_int_equal(is->input, wanted->input);
    assert_int_equal(is->output, wanted->output);
    assert_int_equal(is->cached, wanted->cached);
    assert_int_equal(is->reasoning, wanted->reasoning);
}

/* Feeds `bytes` in two pieces; a cut at its end makes it one. */
static void hear_cut(struct hearing *h, struct str bytes, size_t at)
{
    hear(h, str_head(bytes, at));
    hear(h, str_from(bytes, at));
}

/* --- vector 1 --- */

static void however_an_answer_is_cut_it_is_the_same(void **state)
{
    (void)state;
    EACH(recording)
    {
        struct buf stream = joined(recording, 0, -1);
        struct hearing whole, h;
        begin(&whole, recording);
        hear(&whole, buf_str(&stream));
        hear_end(&whole, false);
        check_complete(recording, &whole);

        begin(&h, recording);
        for (size_t i = 0; i < stream.len; i++) hear(&h, (struct str){stream.at + i, 1});
        hear_end(&h, false);
        assert_str_equal(buf_str(&h.log), whole.log.at);
        hear_release(&h);

        for (size_t at = 1; at < stream.len; at++) {
            begin(&h, recording);
            hear_cut(&h, buf_str(&stream), at);
            hear_end(&h, false);
            if (!str_eq(buf_str(&h.log), buf_str(&whole.log))) {
                fail_msg("%s cut at %zu: %s\nnot %s", recording->name, at, h.log.at, whole.log.at);
            }
            hear_release(&h);
        }
        hear_release(&whole);
        buf_release(&stream);
    }
}

/* --- vector 2 --- */

/* Every line ends with `end`; `noise`: a mark of byte order, comments, data over several lines. */
static struct buf reframed(struct str stream, const char *end, bool noise)
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    if (noise) buf_add_str(&out, STR("\xEF\xBB\xBF"));
    for (size_t i = 0; i < stream.len; i++) {
        if (stream.at[i] == '\r') continue;
        if (stream.at[i] != '\n') {
            buf_add_byte(&out, stream.at[i]);
            bool opens = stream.at[i] == '{' && str_ends(buf_str(&out), STR("data: {"));
            if (noise && opens) buf_printf(&out, "%s: x%sretry: 9%sdata: ", end, end, end);
            continue;
        }
        buf_add_str(&out, str_of(end));
        if (noise) buf_printf(&out, ": keep-alive%sid: 4%s", end, end);
    }
    return out;
}

static void line_ends_comments_and_lines_of_data_change_nothing(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    EACH(recording)
    {
        if (!is_sse(recording)) continue;
        struct buf stream = joined(recording, 0, -1);
        for (size_t i = 0; i < COUNT_OF(ends) * 2; i++) {
            struct buf other = reframed(buf_str(&stream), ends[i / 2], i % 2);
            for (size_t step = 1; step < 4; step++) {
                struct hearing h;
                begin(&h, recording);
                for (size_t at = 0; at < other.len; at += step) {
                    hear(&h, str_head(str_from(buf_str(&other), at), step));
                }
                hear_end(&h, false);
                check_complete(recording, &h);
                hear_release(&h);
            }
            buf_release(&other);
        }
        buf_release(&stream);
    }
}

/* --- vector 5, and an end at every byte --- */

static void hear_pieces(struct hearing *h, const struct recording *recording, int skip, bool broken)
{
    begin(h, recording);
    for (int i = 0; i < PIECES_MAX && recording->pieces[i]; i++) {
        struct buf piece = text_of(recording->pieces[i]);
        if (i != skip) hear(h, buf_str(&piece));
        buf_release(&piece);
    }
    hear_end(h, broken);
}

static void an_answer_without_its_reason_is_cut_off(void **state)
{
    (void)state;
    EACH(recording)
    {
        struct hearing h;
        hear_pieces(&h, recording, recording->finish, false);
        /* Accumulated calls are told when they are whole. */
        if (!(recording->quirks & LLM_QUIRK_CUMULATIVE)) check_said(recording, &h);
        assert_int_equal(h.result.end, LLM_CUT_OFF);
        assert_int_equal(h.result.fault, LLM_FAULT_TRUNCATED);
        hear_release(&h);
    }
}

static void an_answer_without_its_marker_is_complete(void **state)
{
    (void)state;
    EACH(recording)
    {
        if (recording->marker < 0 || recording->marker == recording->finish) continue;
        struct hearing h;
        hear_pieces(&h, recording, recording->marker, false);
        check_complete(recording, &h);
        hear_release(&h);
    }
}

/* How many bytes must have come before the reason to stop is known: its line, without its end. */
static size_t bytes_to_finish(const struct recording *recording)
{
    struct buf head = joined(recording, 0, recording->finish + 1);
    size_t len = str_trim(buf_str(&head)).len;
    buf_release(&head);
    return len;
}

static void a_cut_at_any_byte_is_never_taken_for_the_end(void **state)
{
    (void)state;
    EACH(recording)
    {
        struct buf stream = joined(recording, 0, -1);
        size_t known = bytes_to_finish(recording);
        for (size_t len = 0; len < stream.len * 2; len++) {
            bool broken = len % 2;
            struct hearing h;
            begin(&h, recording);
            hear(&h, str_head(buf_str(&stream), len / 2));
            hear_end(&h, broken);
            bool complete = h.result.end == LLM_COMPLETE;
            if (complete != (len / 2 >= known)) {
                fail_msg("%s cut at %zu of %zu: %s", recording->name, len / 2, known,
                         llm_end_name(h.result.end));
            }
            if (!complete) {
                assert_int_equal(h.result.end, h.pieces > 0 ? LLM_CUT_OFF : LLM_FAILED);
                assert_int_equal(h.result.fault,
                                 broken ? LLM_FAULT_CONNECTION : LLM_FAULT_TRUNCATED);
                assert_true(llm_fault_rules(h.result.fault).again);
            }
            assert_true(str_starts(STR(RECORDED_TEXT), str_head(buf_str(&h.text), h.text.len)) ||
                        str_ends(buf_str(&h.text), STR("\xEF\xBF\xBD"))); /* half an emoji */
            hear_release(&h);
        }
        buf_release(&stream);
    }
}

/* --- vectors 6 and 7 --- */

static void errors_inside_a_stream_end_it(void **state)
{
    (void)state;
    EACH(recording)
    {
        for (int i = 0; i < NOTATIONS_MAX && recording->errors[i].text; i++) {
            for (int after = 0; after < 2; after++) {
                struct buf stream = joined(recording, 0, after ? recording->three : 0);
                recording_text(&stream, recording->errors[i].text);
                /* What still comes is not told. */
                if (is_sse(recording) && recording->errors[i].text[0] != '{' &&
                    recording->errors[i].text[0] != '[') {
                    recording_join(&stream, recording, recording->three, -1);
                }
                for (size_t step = 1; step <= stream.len; step += stream.len - 1) {
                    struct hearing h;
                    begin(&h, recording);
                    for (size_t at = 0; at < stream.len; at += step) {
                        hear(&h, str_head(str_from(buf_str(&stream), at), step));
                    }
                    hear_end(&h, false);
                    enum llm_fault fault = recording->errors[i].fault;
                    if (h.result.fault != fault) {
                        fail_msg("%s, error %d: %s", recording->name, i,
                                 llm_fault_name(h.result.fault));
                    }
                    assert_int_equal(h.result.end, fault == LLM_FAULT_FILTER ? LLM_REFUSED
                                                   : after                   ? LLM_CUT_OFF
                                                                             : LLM_FAILED);
                    assert_str_equal(buf_str(&h.text), after ? RECORDED_TEXT : "");
                    assert_int_equal(h.calls, 0);
                    hear_release(&h);
                }
                buf_release(&stream);
            }
        }
    }
}

static void an_error_in_the_place_of_an_answer_is_known(void **state)
{
    (void)state;
    EACH(recording)
    {
        struct buf body = text_of(recording->refused.text);
        static const int statuses[] = {200, 200, 400};
        for (size_t i = 0; i < COUNT_OF(statuses); i++) {
            struct hearing h;
            hear_begin(&h, recording->provider, recording->quirks, statuses[i], "application/json",
                       i > 0);
            hear_cut(&h, buf_str(&body), 9);
            hear_end(&h, false);
            if (h.result.fault != recording->refused.fault) {
                fail_msg("%s: %s", recording->name, llm_fault_name(h.result.fault));
            }
            assert_int_equal(h.pieces, 0);
            assert_int_equal(h.result.end, LLM_FAILED);
            hear_release(&h);
        }
        buf_release(&body);
    }
}

static void a_page_of_a_proxy_is_no_answer(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum llm_fault fault;
    } cases[] = {{502, LLM_FAULT_OVERLOAD}, {524, LLM_FAULT_OVERLOAD}, {200, LLM_FAULT_PROTOCOL}};
    EACH(recording)
    {
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct hearing h;
            hear_begin(&h, recording->provider, 0, cases[i].status, "text/html", true);
            hear(&h, STR("<html><body><h1>502 Bad Gateway</h1></body></html>"));
            hear_end(&h, false);
            assert_int_equal(h.result.end, LLM_FAILED);
            assert_int_equal(h.result.fault, cases[i].fault);
            assert_null(strchr(h.trouble.text, '<'));
            hear_release(&h);
        }
    }
}

static void an_error_framed_as_events_is_read(void **state)
{
    (void)state;
    EACH(recording)
    {
        if (!is_sse(recording)) continue;
        struct buf body = text_of("id:1\nevent:error\n:HTTP_STATUS/400\n"
                                  "data:{'code':'InvalidParameter','message':'url error'}\n\n");
        struct hearing h;
        hear_begin(&h, recording->provider, 0, 400, "application/json", true);
        hear(&h, buf_str(&body));
        hear_end(&h, false);
        assert_int_equal(h.result.fault, LLM_FAULT_REQUEST);
        assert_string_equal(h.trouble.code, "InvalidParameter");
        assert_string_equal(h.trouble.text, "url error");
        hear_release(&h);
        buf_release(&body);
    }
}

/* --- whole bodies --- */

static void a_whole_body_says_the_same(void **state)
{
    (void)state;
    EACH(recording)
    {
        struct buf body = text_of(recording->whole);
        for (size_t step = 1; step <= body.len; step += body.len - 1) {
            for (int streamed = 0; streamed < 2; streamed++) { /* and when a stream was asked for */
                struct hearing h;
                hear_begin(&h, recording->provider, recording->quirks, 200, "application/json",
                           streamed);
                for (size_t at = 0; at < body.len; at += step) {
                    hear(&h, str_head(str_from(buf_str(&body), at), step));
                }
                hear_end(&h, false);
                check_complete(recording, &h);
                hear_release(&h);
            }
        }
        for (size_t len = 0; len < str_trim(buf_str(&body)).len; len++) {
            struct hearing h;
            hear_begin(&h, recording->provider, recording->quirks, 200, "application/json", false);
            hear(&h, str_head(buf_str(&body), len));
            hear_end(&h, true);
            assert_int_equal(h.result.end, LLM_FAILED);
            assert_int_equal(h.result.fault, LLM_FAULT_CONNECTION);
            assert_int_equal(h.pieces, 0);
            hear_release(&h);
        }
        buf_release(&body);
    }
}

static void a_stream_nobody_asked_for_is_read(void **state)
{
    (void)state;
    EACH(recording)
    {
        if (!is_sse(recording)) continue;
        struct buf stream = joined(recording, 0, -1);
        struct hearing h;
        hear_begin(&h, recording->provider, recording->quirks, 200, "application/json", true);
        hear(&h, buf_str(&stream));
        hear_end(&h, false);
        check_complete(recording, &h);
        hear_release(&h);
        buf_release(&stream);
    }
}

/* --- vectors 19 and 20 --- */

static void hear_many(struct hearing *h, const char *unit, size_t count)
{
    for (size_t i = 0; i < count; i++) hear(h, str_of(unit));
}

static void lines_events_and_nesting_have_ceilings(void **state)
{
    (void)state;
    EACH(recording)
    {
        const char *start = is_sse(recording) ? "data: {\"x\":" : "{\"x\":";
        static const char long_line[] = "0123456789abcdef0123456789abcdef";
        struct hearing h;
        begin(&h, recording);
        hear(&h, str_of(start));
        hear_many(&h, long_line, 2 * 1024 * 1024 / (sizeof(long_line) - 1));
        hear_end(&h, false);
        assert_int_equal(h.result.fault, LLM_FAULT_PROTOCOL);
        assert_true(h.reader.sse.line.cap <= 2 * LLM_LINE_MAX);
        assert_true(h.reader.ndjson.line.cap <= 2 * LLM_LINE_MAX);
        hear_release(&h);

        begin(&h, recording);
        hear(&h, str_of(start));
        hear_many(&h, "[", 10000);
        hear(&h, STR("\n\n"));
        hear_end(&h, false);
        assert_int_equal(h.result.fault, LLM_FAULT_PROTOCOL);
        hear_release(&h);

        if (!is_sse(recording)) continue;
        begin(&h, recording);
        for (size_t i = 0; i < 6; i++) {
            hear(&h, STR("data: "));
            hear_many(&h, long_line, 1000 * 1000 / (sizeof(long_line) - 1));
            hear(&h, STR("\n"));
        }
        hear_end(&h, false);
        assert_int_equal(h.result.fault, LLM_FAULT_PROTOCOL);
        hear_release(&h);
    }
}

/* hear_end() judges: one verdict that makes sense. */
static void damaged_answers_do_no_harm(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7, 1);
    EACH(recording)
    {
        struct buf stream = joined(recording, 0, -1);
        for (int round = 0; round < 300; round++) {
            struct buf bad;
            buf_init(&bad, 1024 * 1024);
            buf_add_str(&bad, buf_str(&stream));
            for (int i = 0; i < 1 + round % 5; i++) {
                bad.at[rng_below(&rng, (uint32_t)bad.len)] = (char)rng_below(&rng, 256);
            }
            struct hearing h;
            begin(&h, recording);
            hear_cut(&h, buf_str(&bad), rng_below(&rng, (uint32_t)bad.len));
            hear_end(&h, round % 2);
            hear_release(&h);
            buf_release(&bad);
        }
        buf_release(&stream);
    }
}

static void an_owner_who_goes_hears_nothing_more(void **state)
{
    (void)state;
    EACH(recording)
    {
        struct buf stream = joined(recording, 0, -1);
        struct hearing h;
        begin(&h, recording);
        hear(&h, str_head(buf_str(&stream), stream.len / 2));
        int before = h.pieces;
        llm_reader_stop(&h.reader);
        hear(&h, str_from(buf_str(&stream), stream.len / 2));
        assert_int_equal(h.pieces, before);
        hear_release(&h);
        buf_release(&stream);
    }
}

static void go_at_open(void *ctx, struct str model)
{
    (void)model;
    llm_reader_stop(ctx);
}

static void go_at_text(void *ctx, struct str piece)
{
    (void)piece;
    llm_reader_stop(ctx);
}

static void go_at_tool(void *ctx, const struct llm_tool_piece *piece)
{
    (void)piece;
    llm_reader_stop(ctx);
}

static void hear_nothing(void *ctx, struct str text)
{
    (void)ctx;
    (void)text;
}

/* A whole body is told when it is over: why it ended stands behind the text, and is not read. */
static void an_owner_who_goes_while_a_whole_body_is_told_gets_no_verdict(void **state)
{
    (void)state;
    const struct llm_reader_events first = {go_at_open, go_at_text, go_at_text, go_at_tool},
                                   later = {hear_nothing, go_at_text, go_at_text, go_at_tool};
    EACH(recording)
    {
        struct buf body = text_of(recording->whole);
        for (int late = 0; late < 2; late++) {
            struct llm_reader reader;
            llm_reader_init(&reader, recording->provider, recording->quirks, 200,
                            STR("application/json"), false, late ? &later : &first, &reader);
            llm_reader_feed(&reader, buf_str(&body));
            struct llm_result result = {.end = LLM_CANCELLED};
            llm_reader_verdict(&reader, false, &result);
            assert_int_equal(result.end, LLM_CANCELLED);
            llm_reader_release(&reader);
        }
        buf_release(&body);
    }
}

static void every_provider_is_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < llm_provider_count; i++) {
        bool found = false;
        EACH(recording) found = found || recording->provider == llm_providers[i];
        if (!found) fail_msg("no recording of %s", llm_providers[i]->name);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_provider_is_recorded),
        cmocka_unit_test(however_an_answer_is_cut_it_is_the_same),
        cmocka_unit_test(line_ends_comments_and_lines_of_data_change_nothing),
        cmocka_unit_test(an_answer_without_its_reason_is_cut_off),
        cmocka_unit_test(an_answer_without_its_marker_is_complete),
        cmocka_unit_test(a_cut_at_any_byte_is_never_taken_for_the_end),
        cmocka_unit_test(errors_inside_a_stream_end_it),
        cmocka_unit_test(an_error_in_the_place_of_an_answer_is_known),
        cmocka_unit_test(a_page_of_a_proxy_is_no_answer),
        cmocka_unit_test(an_error_framed_as_events_is_read),
        cmocka_unit_test(a_whole_body_says_the_same),
        cmocka_unit_test(a_stream_nobody_asked_for_is_read),
        cmocka_unit_test(lines_events_and_nesting_have_ceilings),
        cmocka_unit_test(damaged_answers_do_no_harm),
        cmocka_unit_test(an_owner_who_goes_while_a_whole_body_is_told_gets_no_verdict),
        cmocka_unit_test(an_owner_who_goes_hears_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
