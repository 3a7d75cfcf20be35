/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/unit/test_header.c: what header values mean.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "base/clock.h"
#include "http/header.h"

#include <cmocka.h>

static void assert_str(struct str got, const char *wanted)
{
    if (!str_eq(got, str_of(wanted))) {
        fail_msg("got \"%.*s\", wanted \"%s\"", STR_ARGS(got), wanted);
    }
}

static void lists_keep_order_and_skip_the_empty(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *items[5];
    } cases[] = {
        {"", {NULL}},
        {" , ,\t,", {NULL}},
        {"hutong.live, token.abc", {"hutong.live", "token.abc"}},
        {"a,,b ,\tc", {"a", "b", "c"}},
        {"a;x=\"1,2\", b", {"a;x=\"1,2\"", "b"}},
        {"\"a\\\",b\",c", {"\"a\\\",b\"", "c"}},
        {"a,\"never ends, b, c", {"a", "\"never ends, b, c"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str rest = str_of(cases[i].list), item;
        size_t at = 0;
        while (header_list_next(&rest, &item)) assert_str(item, cases[i].items[at++]);
        assert_null(cases[i].items[at]);
    }
}

static void connection_options_are_found_without_case(void **state)
{
    (void)state;
    assert_true(header_list_has(STR("keep-alive, Upgrade"), STR("upgrade")));
    assert_true(header_list_has(STR("close"), STR("close")));
    assert_false(header_list_has(STR("upgraded, not-upgrade"), STR("upgrade")));
    assert_false(header_list_has(STR(""), STR("upgrade")));
    assert_true(header_is_token(STR("x-A.1~")));
    assert_false(header_is_token(STR("")));
    assert_false(header_is_token(STR("a b")));
    assert_false(header_is_token(STR("a\0b")));
}

static void accept_is_decided_by_the_most_specific_range(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *type;
        unsigned quality;
    } cases[] = {
        {"", "text/html", 1000},
        {"*/*", "text/html", 1000},
        {"text/html", "text/html", 1000},
        {"TEXT/HTML", "text/html", 1000},
        {"application/json", "text/html", 0},
        {"text/*", "text/html", 1000},
        {"text/*;q=0.5, text/html;q=0.2", "text/html", 200},
        {"*/*, text/html;q=0", "text/html", 0},
        {"text/html;q=0, text/*, */*", "text/html", 0},
        {"text/*;q=0.3, */*;q=0.9", "text/html", 300},
        {"text/html;level=1;q=0.4", "text/html", 400},
        {"text/html ; Q=0.123 ", "text/html", 123},
        {"application/json;charset=utf-8", "application/json", 1000},
        {"textual/*", "text/html", 0},
        {"text/htm", "text/html", 0},
        /* malformed elements do not count */
        {"text/html;q=2, */*;q=0.1", "text/html", 100},
        {"text/html;q=0.1234", "text/html", 0},
        {"text/html;q=", "text/html", 0},
        {"text/html;q=1.001", "text/html", 0},
        {"text/html;q=.5", "text/html", 0},
        /* what browsers send */
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html", 1000},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json",
         800},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned quality = header_accept_quality(str_of(cases[i].accept), cases[i].type);
        if (quality != cases[i].quality) fail_msg("%s: %u", cases[i].accept, quality);
        assert_int_equal(header_accepts(str_of(cases[i].accept), cases[i].type), quality > 0);
    }
}

static void codings_need_to_be_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool gzip, br;
    } cases[] = {
        {"", false, false},
        {"gzip, deflate, br", true, true},
        {"gzip;q=1.0, br;q=0", true, false},
        {"*", true, true},
        {"*;q=0", false, false},
        {"br;q=0.5, *;q=0", false, true},
        {"*, gzip;q=0", false, true},
        {"identity", false, false},
        {"X-GZIP", true, false},
        {"gzip;q=0.000", false, false},
        {"gzip;q=0.5, identity;q=1", false, false},
        {"gzip;q=0.5, identity;q=0.4, br", true, true},
        {"identity, *;q=0.1", false, false},
        {"gzip;q=x", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str value = str_of(cases[i].value);
        if (header_accepts_coding(value, "gzip") != cases[i].gzip) fail_msg("%s", cases[i].value);
        if (header_accepts_coding(value, "br") != cases[i].br) fail_msg("%s", cases[i].value);
    }
}

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static void content_types_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *value, *type, *charset, *boundary; /* type NULL: refused */
        bool json;
    } cases[] = {
        {"application/json", "application/json", "", "", true},
        {" Application/JSON ; Charset=\"UTF-8\"", "Application/JSON", "UTF-8", "", true},
        {"application/json; charset=latin1", "application/json", "latin1", "", false},
        {"application/problem+json", "application/problem+json", "", "", true},
        {"application/+json", "application/+json", "", "", false},
        {"text/json", "text/json", "", "", false},
        {"text/html;;charset=gbk; x=y;", "text/html", "gbk", "", false},
        {"multipart/form-data; boundary=----WebKitFormBoundaryAb1", "multipart/form-data", "",
         "----WebKitFormBoundaryAb1", false},
        {"multipart/form-data; boundary=\"a b:c\"", "multipart/form-data", "", "a b:c", false},
        {"multipart/form-data; boundary=\"\\a\\b\"", "multipart/form-data", "", "ab", false},
        {"multipart/form-data; boundary=" SEVENTY, "multipart/form-data", "", SEVENTY, false},
        {"multipart/form-data; boundary=x" SEVENTY, NULL, NULL, NULL, false},
        {"multipart/form-data; boundary=\"\"", NULL, NULL, NULL, false},
        {"multipart/form-data; boundary=\"a \"", NULL, NULL, NULL, false},
        {"multipart/form-data; boundary=a{b", NULL, NULL, NULL, false},
        {"multipart/form-data; boundary=a; boundary=b", NULL, NULL, NULL, false},
        {"text/html; charset=a; CHARSET=b", NULL, NULL, NULL, false},
        {"text/html; charset=\"never ends", NULL, NULL, NULL, false},
        {"text/html; charset", NULL, NULL, NULL, false},
        {"text/html charset=a", NULL, NULL, NULL, false},
        {"text", NULL, NULL, NULL, false},
        {"text/", NULL, NULL, NULL, false},
        {"/html", NULL, NULL, NULL, false},
        {"a/b/c", NULL, NULL, NULL, false},
        {"", NULL, NULL, NULL, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct header_content_type content;
        bool good = header_content_type(str_of(cases[i].value), &content);
        if (good != (cases[i].type != NULL)) fail_msg("%s gave %d", cases[i].value, good);
        if (!good) continue;
        assert_str(content.type, cases[i].type);
        assert_string_equal(content.charset, cases[i].charset);
        assert_string_equal(content.boundary, cases[i].boundary);
        assert_int_equal(header_type_is_json(&content), cases[i].json);
    }
}

static void entity_tags_compare_weakly_in_lists(void **state)
{
    (void)state;
    static const struct {
        const char *value, *etag;
        bool matches;
    } cases[] = {
        {"\"a\"", "\"a\"", true},
        {"W/\"a\"", "\"a\"", true},
        {"\"a\"", "W/\"a\"", true},
        {"\"b\", \"a\"", "\"a\"", true},
        {"\"b\",,W/\"a\" ", "W/\"a\"", true},
        {"*", "\"a\"", true},
        {" * ", "\"a\"", true},
        {"\"x,\", \"a,b\"", "\"a,b\"", true},
        {"\"\"", "\"\"", true},
        {"", "\"a\"", false},
        {"\"A\"", "\"a\"", false},
        {"a", "\"a\"", false},
        {"w/\"a\"", "\"a\"", false},
        {"\"x\" \"a\"", "\"a\"", false},
        {"\"x, \"a\"", "\"a\"", false},
        {"\"b\", *", "\"a\"", false},
        {"\"a", "\"a\"", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool matches = header_etag_matches(str_of(cases[i].value), str_of(cases[i].etag));
        if (matches != cases[i].matches) fail_msg("%s / %s", cases[i].value, cases[i].etag);
    }
}

/* 2026-11-21T03:23:22Z */
#define DATE "Sat, 21 Nov 2026 03:23:22 GMT"

static int64_t date_s(void)
{
    int64_t seconds = 0;
    assert_true(clock_http_parse(STR(DATE), &seconds));
    return seconds;
}

static void dates_decide_whether_something_changed(void **state)
{
    (void)state;
    int64_t then = date_s();
    assert_false(header_modified_since(STR(DATE), then));
    assert_false(header_modified_since(STR(" " DATE " "), then - 1));
    assert_true(header_modified_since(STR(DATE), then + 1));
    assert_true(header_modified_since(STR(""), then));
    assert_true(header_modified_since(STR("yesterday"), then));
    assert_true(header_modified_since(STR("Saturday, 21-Nov-26 03:23:22 GMT"), then));
}

static void single_ranges_are_served_and_others_passed_over(void **state)
{
    (void)state;
    enum { WHOLE = HEADER_RANGE_WHOLE, PART = HEADER_RANGE_PART, OUTSIDE = HEADER_RANGE_OUTSIDE };
    static const struct {
        const char *value;
        uint64_t size;
        int answer;
        uint64_t first, count;
    } cases[] = {
        {"bytes=0-0", 10, PART, 0, 1},
        {"bytes=0-9", 10, PART, 0, 10},
        {"bytes=2-5", 10, PART, 2, 4},
        {"BYTES=2-5", 10, PART, 2, 4},
        {"bytes=5-", 10, PART, 5, 5},
        {"bytes=5-100", 10, PART, 5, 5},
        {"bytes=-3", 10, PART, 7, 3},
        {"bytes=-30", 10, PART, 0, 10},
        {"bytes=0-99999999999999999999999", 10, PART, 0, 10},
        {"bytes=-99999999999999999999999", 10, PART, 0, 10},
        {"bytes=10-", 10, OUTSIDE, 0, 0},
        {"bytes=99999999999999999999999-", 10, OUTSIDE, 0, 0},
        {"bytes=18446744073709551616-", 10, OUTSIDE, 0, 0}, /* 2^64 */
        {"bytes=-0", 10, OUTSIDE, 0, 0},
        {"bytes=0-", 0, OUTSIDE, 0, 0},
        {"bytes=-5", 0, WHOLE, 0, 0},
        {"", 10, WHOLE, 0, 0},
        {"bytes=", 10, WHOLE, 0, 0},
        {"bytes=-", 10, WHOLE, 0, 0},
        {"bytes=5", 10, WHOLE, 0, 0},
        {"bytes=5-2", 10, WHOLE, 0, 0},
        {"bytes=0-1,3-4", 10, WHOLE, 0, 0},
        {"bytes=-1,-2", 10, WHOLE, 0, 0},
        {"bytes=a-b", 10, WHOLE, 0, 0},
        {"bytes=1-2x", 10, WHOLE, 0, 0},
        {"bytes=1--2", 10, WHOLE, 0, 0},
        {"bytes=+1-2", 10, WHOLE, 0, 0},
        {"lines=1-2", 10, WHOLE, 0, 0},
        {"bytes 1-2", 10, WHOLE, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct header_range range = {77, 77};
        int answer = (int)header_range(str_of(cases[i].value), cases[i].size, &range);
        if (answer != cases[i].answer) fail_msg("%s gave %d", cases[i].value, answer);
        bool part = answer == PART;
        assert_int_equal(range.first, part ? cases[i].first : 77);
        assert_int_equal(range.count, part ? cases[i].count : 77);
    }
}

static void if_range_needs_a_strong_match(void **state)
{
    (void)state;
    struct str etag = STR("\"a\"");
    int64_t then = date_s();
    assert_true(header_precondition(STR(""), STR(""), etag, then));
    assert_true(header_precondition(STR("\"b\", \"a\""), STR(""), etag, then));
    assert_false(header_precondition(STR("W/\"a\""), STR(""), etag, then));
    assert_false(header_precondition(STR("\"a\""), STR(""), STR("W/\"a\""), then));
    assert_true(header_precondition(STR(""), STR(DATE), etag, then));
    assert_false(header_precondition(STR(""), STR(DATE), etag, then + 1));
    assert_true(header_if_range(STR(""), etag, then));
    assert_true(header_if_range(STR("\"a\""), etag, then));
    assert_false(header_if_range(STR("W/\"a\""), etag, then));
    assert_false(header_if_range(STR("\"a\""), STR("W/\"a\""), then));
    assert_false(header_if_range(STR("\"b\""), etag, then));
    assert_false(header_if_range(STR("\"a\", \"b\""), etag, then));
    assert_false(header_if_range(STR("*"), etag, then));
    assert_true(header_if_range(STR(DATE), etag, then));
    assert_false(header_if_range(STR(DATE), etag, then + 1));
    assert_false(header_if_range(STR(DATE), etag, then - 1));
    assert_false(header_if_range(STR(DATE), etag, -1));
}

static void cookies_are_found_by_exact_name(void **state)
{
    (void)state;
    static const struct {
        const char *cookies, *value; /* of "sid"; NULL: none */
    } cases[] = {
        {"sid=abc", "abc"},
        {"a=1; sid=abc; b=2", "abc"},
        {"a=1;sid=abc;b=2", "abc"},
        {"sid=first; sid=second", "first"},
        {"sid=a=b==", "a=b=="},
        {"sid=", ""},
        {"sid=\"q\"", "\"q\""},
        {" sid = abc ", "abc"},
        {"xsid=1; sidx=2; SID=3", NULL},
        {"sid", NULL},
        {"a=sid=1", NULL},
        {"a=\"; sid=1\"", "1\""}, /* quotes guard nothing (RFC 6265, 5.4) */
        {"", NULL},
        {";;;", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str value;
        bool found = header_cookie(str_of(cases[i].cookies), "sid", &value);
        if (found != (cases[i].value != NULL)) fail_msg("%s gave %d", cases[i].cookies, found);
        if (found) assert_str(value, cases[i].value);
    }
}

static void credentials_follow_their_scheme(void **state)
{
    (void)state;
    struct str out;
    assert_true(header_credentials(STR("Bearer abc.def"), "Bearer", &out));
    assert_str(out, "abc.def");
    assert_true(header_credentials(STR("bEARER   abc "), "Bearer", &out));
    assert_str(out, "abc");
    assert_false(header_credentials(STR("Basic abc"), "Bearer", &out));
    assert_false(header_credentials(STR("Bearer"), "Bearer", &out));
    assert_false(header_credentials(STR("Bearer  "), "Bearer", &out));
    assert_false(header_credentials(STR("Bearerabc"), "Bearer", &out));
    assert_false(header_credentials(STR(""), "Bearer", &out));
}

static void an_origin_is_compared_with_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *host;
        bool same;
    } cases[] = {
        {"http://localhost:8000", "localhost:8000", true},
        {"http://example.org", "example.org", true},
        {"https://example.org", "EXAMPLE.org", true},
        {"https://example.org", "example.org:443", true},
        {"http://example.org:80", "example.org", true},
        {"http://[::1]:9", "[::1]:9", true},
        {"http://example.org", "example.org:443", false},
        {"http://localhost:8001", "localhost:8000", false},
        {"https://example.org.evil.net", "example.org", false},
        {"https://evil.net", "example.org", false},
        {"https://example.org/", "example.org", false},
        {"https://u@example.org", "example.org", false},
        {"example.org", "example.org", false},
        {"ftp://example.org", "example.org", false},
        {"null", "example.org", false},
        {"", "example.org", false},
        {"https://", "", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool same = header_origin_is_host(str_of(cases[i].origin), str_of(cases[i].host));
        if (same != cases[i].same) fail_msg("%s / %s", cases[i].origin, cases[i].host);
    }
}

static void the_client_is_the_rightmost_address_nobody_vouches_for(void **state)
{
    (void)state;
    struct header_trusted trusted;
    struct why why;
    struct str list = STR("127.0.0.1, ::1, 10.0.0.0/8, 2001:db8:a::/47");
    assert_int_equal(header_trusted_parse(list, &trusted, &why), OK);
    static const struct {
        const char *forwarded, *peer, *client;
    } cases[] = {
        {"", "127.0.0.1", "127.0.0.1"},
        {"203.0.113.9", "127.0.0.1", "203.0.113.9"},
        {"203.0.113.9", "198.51.100.1", "198.51.100.1"}, /* a stranger's claim */
        {"1.1.1.1, 203.0.113.9", "127.0.0.1", "203.0.113.9"},
        {"1.1.1.1, 203.0.113.9, 10.9.8.7", "::ffff:127.0.0.1", "203.0.113.9"},
        {"10.1.1.1,10.2.2.2", "::1", "10.1.1.1"}, /* everybody is trusted */
        {"203.0.113.9, 11.0.0.1", "10.255.255.255", "11.0.0.1"},
        {"203.0.113.9, junk, 10.0.0.1", "127.0.0.1", "10.0.0.1"},
        {"203.0.113.9,, ,", "127.0.0.1", "203.0.113.9"},
        {"203.0.113.9:4711", "127.0.0.1", "203.0.113.9"},
        {"[2001:db8::7]:4711, [2001:db8:b::1]", "127.0.0.1", "2001:db8::7"},
        {"2001:db8:c::1", "2001:db8:b:1::1", "2001:db8:c::1"},
        {"203.0.113.9", "unix", "unix"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str client =
            header_client_address(str_of(cases[i].forwarded), str_of(cases[i].peer), &trusted);
        assert_str(client, cases[i].client);
    }
    struct header_trusted nobody = {0};
    assert_str(header_client_address(STR("1.1.1.1"), STR("127.0.0.1"), &nobody), "127.0.0.1");
}

static void limits_count_a_customer_of_a_network_as_one(void **state)
{
    (void)state;
    static const struct {
        const char *address, *network;
    } cases[] = {
        {"203.0.113.9", "203.0.113.9"},
        {"::ffff:203.0.113.9", "203.0.113.9"},
        {"2001:db8:0:1::7", "2001:db8:0:1::/64"},
        {"2001:DB8:0:1:ffff:1:2:3", "2001:db8:0:1::/64"},
        {"2001:db8:0:2::7", "2001:db8:0:2::/64"},
        {"::1", "::/64"},
        {"unix", "unix"},
        {"", ""},
    };
    char network[HEADER_NETWORK_BYTES];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_str(header_network(str_of(cases[i].address), network), cases[i].network);
    }
}

static void trusted_lists_are_checked_at_start_up(void **state)
{
    (void)state;
    static const char *const bad[] = {"localhost", "10.0.0.0/33", "::1/129",    "10.0.0.0/",
                                      "1.2.3",     "/8",          "1.2.3.4/-1", "127.0.0.1;::1"};
    struct header_trusted trusted;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct why why = {0};
        assert_int_equal(header_trusted_parse(str_of(bad[i]), &trusted, &why), ERR_INVALID);
        assert_non_null(strstr(why.text, bad[i]));
    }
    struct why why;
    assert_int_equal(header_trusted_parse(STR(""), &trusted, &why), OK);
    assert_int_equal(trusted.count, 0);
    assert_int_equal(header_trusted_parse(STR("0.0.0.0/0"), &trusted, &why), OK);
    assert_str(header_client_address(STR("9.9.9.9"), STR("8.8.8.8"), &trusted), "9.9.9.9");
    assert_str(header_client_address(STR("9.9.9.9"), STR("2001:db8::1"), &trusted), "2001:db8::1");
}

static void absent_fields_need_no_pointer(void **state)
{
    (void)state;
    struct str none = {0}, out;
    struct header_content_type content;
    struct header_trusted trusted = {0};
    struct header_range range;
    struct why why;
    assert_false(header_list_has(none, STR("x")));
    assert_true(header_accepts(none, "text/html"));
    assert_false(header_accepts_coding(none, "gzip"));
    assert_false(header_content_type(none, &content));
    assert_false(header_etag_matches(none, STR("\"a\"")));
    assert_true(header_modified_since(none, 0));
    assert_int_equal(header_range(none, 10, &range), HEADER_RANGE_WHOLE);
    assert_true(header_if_range(none, STR("\"a\""), 0));
    assert_false(header_cookie(none, "a", &out));
    assert_false(header_credentials(none, "Bearer", &out));
    assert_false(header_origin_is_host(none, none));
    assert_int_equal(header_trusted_parse(none, &trusted, &why), OK);
    assert_int_equal(header_client_address(none, none, &trusted).len, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_keep_order_and_skip_the_empty),
        cmocka_unit_test(connection_options_are_found_without_case),
        cmocka_unit_test(accept_is_decided_by_the_most_specific_range),
        cmocka_unit_test(codings_need_to_be_asked_for),
        cmocka_unit_test(content_types_are_taken_apart),
        cmocka_unit_test(entity_tags_compare_weakly_in_lists),
        cmocka_unit_test(dates_decide_whether_something_changed),
        cmocka_unit_test(single_ranges_are_served_and_others_passed_over),
        cmocka_unit_test(if_range_needs_a_strong_match),
        cmocka_unit_test(cookies_are_found_by_exact_name),
        cmocka_unit_test(credentials_follow_their_scheme),
        cmocka_unit_test(an_origin_is_compared_with_the_host),
        cmocka_unit_test(the_client_is_the_rightmost_address_nobody_vouches_for),
        cmocka_unit_test(limits_count_a_customer_of_a_network_as_one),
        cmocka_unit_test(trusted_lists_are_checked_at_start_up),
        cmocka_unit_test(absent_fields_need_no_pointer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
