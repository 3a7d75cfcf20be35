/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/unit/test_url.c: targets, parameters, hosts and escapes.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "http/url.h"

#include <cmocka.h>

static void assert_str(struct str got, const char *wanted)
{
    if (!str_eq(got, str_of(wanted))) {
        fail_msg("got \"%.*s\", wanted \"%s\"", STR_ARGS(got), wanted);
    }
}

static void targets_are_split_into_path_and_query(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query, *authority;
    } cases[] = {
        {"/", "/", NULL, ""},
        {"/posts?page=2&page_size=20", "/posts", "page=2&page_size=20", ""},
        {"/posts?", "/posts", "", ""},
        {"/a?b?c/../d", "/a", "b?c/../d", ""},
        {"//evil.example/x", "//evil.example/x", NULL, ""},
        {"/...", "/...", NULL, ""},
        {"/.a/..b/c.", "/.a/..b/c.", NULL, ""},
        {"/%E4%BD%A0%E5%A5%BD", "/%E4%BD%A0%E5%A5%BD", NULL, ""},
        {"/w/owner%2Frepo", "/w/owner%2Frepo", NULL, ""},
        {"/a+b;c=d,e:@!$&'()*~|[]", "/a+b;c=d,e:@!$&'()*~|[]", NULL, ""},
        {"/s?q={\"a\"|b}^`\\<>", "/s", "q={\"a\"|b}^`\\<>", ""},
        {"http://example.org/x?y", "/x", "y", "example.org"},
        {"HTTPS://example.org:8443", "/", NULL, "example.org:8443"},
        {"http://[::1]:80?y=/z", "/", "y=/z", "[::1]:80"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct url_target target;
        struct why why = {0};
        enum err err = url_target_parse(str_of(cases[i].target), &target, &why);
        if (err) fail_msg("%s: %s", cases[i].target, why.text);
        assert_str(target.path, cases[i].path);
        assert_str(target.query, cases[i].query ? cases[i].query : "");
        assert_int_equal(target.query.at == NULL, cases[i].query == NULL);
        assert_str(target.authority, cases[i].authority);
    }
}

static void targets_with_two_readings_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "*",
        "posts",
        "example.org:443",
        "?a",
        "ftp://example.org/",
        "http:/example.org",
        "http://",
        "http:///x",
        "http://user@example.org/",
        "http://user:pass@example.org/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://exa mple/",
        "http://a\\b/",
        "/a b",
        "/a\tb",
        "/a\x7f",
        "/\xE4\xBD\xA0",
        "/a#b",
        "/a?b#c",
        "/a?b c",
        "/a\\b",
        "/<a>",
        "/%",
        "/%4",
        "/%zz",
        "/%4/a",
        "/a%0",
        "/%00",
        "/%ff",
        "/%C0%AF",
        "/%ED%A0%80",
        "/%E4%BD",
        "/%E4/%BD%A0",
        /* dot-segments, plain and escaped */
        "/.",
        "/..",
        "/./a",
        "/a/../b",
        "/a/..",
        "/%2e%2e/a",
        "/.%2E/",
        "/a/%2e",
        "/%2E./x",
        "http://example.org/..",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct url_target target = {.path = STR("untouched")};
        struct why why = {0};
        if (url_target_parse(str_of(cases[i]), &target, &why) != ERR_INVALID) {
            fail_msg("%s was let through", cases[i]);
        }
        assert_str(target.path, "untouched");
        assert_true(why.text[0] != '\0');
    }
    struct why why;
    struct url_target target;
    assert_int_equal(url_target_parse(STR("/a\0b"), &target, &why), ERR_INVALID);
}

static void paths_are_walked_by_segments(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *segments[5];
    } cases[] = {
        {"/", {""}},
        {"/posts", {"posts"}},
        {"/posts/12/comments/", {"posts", "12", "comments", ""}},
        {"/a//b", {"a", "", "b"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str rest = str_of(cases[i].path), segment;
        size_t at = 0;
        while (url_path_next(&rest, &segment)) assert_str(segment, cases[i].segments[at++]);
        assert_null(cases[i].segments[at]);
    }
}

static void escapes_of_plain_characters_are_undone_in_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *plain;
    } cases[] = {
        {"/posts", "/posts"},       {"/%70osts/%31%2d%7E%5f", "/posts/1-~_"},
        {"/a%2Fb%2f", "/a%2Fb%2f"}, {"/%E8%83%a1%20%25", "/%E8%83%a1%20%25"},
        {"/%2570", "/%2570"}, /* once, and not what comes of it */
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_str(url_path_plain(&arena, str_of(cases[i].path)), cases[i].plain);
    arena_release(&arena);
}

static void segments_are_decoded_or_borrowed(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct why why;
    struct str text;
    static const struct {
        const char *raw, *text;
    } cases[] = {
        {"", ""},         {"a+b", "a+b"},     {"%41%7a", "Az"}, {"%e5%B0%8f%E6%98%8e", "小明"},
        {"a%2Fb", "a/b"}, {"100%25", "100%"}, {"%2B", "+"},     {"...%2e", "...."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str raw = str_of(cases[i].raw);
        assert_int_equal(url_segment_decode(&arena, raw, &text, &why), OK);
        assert_str(text, cases[i].text);
        if (strchr(cases[i].raw, '%') == NULL) assert_ptr_equal(text.at, raw.at);
    }
    static const char *const bad[] = {"%", "%2", "%g1", "%00", "%80", "%2e", "%2E%2e", ".."};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(url_segment_decode(&arena, str_of(bad[i]), &text, &why), ERR_INVALID);
    }
    arena_release(&arena);
}

/* "a=1&b=" from parsed parameters, names and values in brackets, for easy comparing. */
static struct str shown(struct arena *arena, const struct url_params *params)
{
    struct str text = STR("");
    for (size_t i = 0; i < params->count; i++) {
        text = arena_printf(arena, "%.*s[%.*s=%.*s]", STR_ARGS(text),
                            STR_ARGS(params->items[i].name), STR_ARGS(params->items[i].value));
    }
    return text;
}

static void parameters_are_read_as_browsers_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"a=1&b=2", "[a=1][b=2]"},
        {"a", "[a=]"},
        {"=x", "[=x]"},
        {"&&a=1&", "[a=1]"},
        {"a=b=c", "[a=b=c]"},
        {"q=a+b%20c%2B", "[q=a b c+]"},
        {"%71+r=x", "[q r=x]"},
        {"name=%E5%B0%8F%E6%98%8E", "[name=小明]"},
        {"a;b=1", "[a;b=1]"},
        {"q=100%&r=%zz%4", "[q=100%][r=%zz%4]"},
        {"q=\xE5\xB0\x8F", "[q=小]"},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct url_params params;
        struct why why;
        assert_int_equal(url_params_parse(&arena, str_of(cases[i].text), &params, &why), OK);
        assert_str(shown(&arena, &params), cases[i].shown);
    }
    arena_release(&arena);
}

static void the_last_of_equal_parameters_wins(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct url_params params;
    struct why why;
    assert_int_equal(url_params_parse(&arena, STR("a=1&b=2&%61=3&A=4"), &params, &why), OK);
    assert_int_equal(params.count, 4);
    assert_str(url_params_find(&params, "a")->value, "3");
    assert_str(url_params_find(&params, "b")->value, "2");
    assert_null(url_params_find(&params, "c"));
    assert_int_equal(url_params_parse(&arena, (struct str){0}, &params, &why), OK);
    assert_null(url_params_find(&params, "a"));
    arena_release(&arena);
}

static void parameters_that_are_no_text_or_too_many_are_refused(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct url_params params;
    struct why why;
    assert_int_equal(url_params_parse(&arena, STR("a=%00"), &params, &why), ERR_INVALID);
    assert_int_equal(url_params_parse(&arena, STR("a=1&%ff=2"), &params, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "parameter 2"));

    char many[4 * (URL_PARAMS_MAX + 1)];
    for (size_t i = 0; i <= URL_PARAMS_MAX; i++) memcpy(many + 4 * i, "a=1&", 4);
    struct str fits = {many, (size_t)4 * URL_PARAMS_MAX};
    assert_int_equal(url_params_parse(&arena, fits, &params, &why), OK);
    assert_int_equal(params.count, URL_PARAMS_MAX);
    struct str all = {many, sizeof(many)};
    assert_int_equal(url_params_parse(&arena, all, &params, &why), ERR_LIMIT);
    arena_release(&arena);
}

static void hosts_are_split_from_their_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host; /* NULL: refused */
        unsigned port;
    } cases[] = {
        {"example.org", "example.org", 0},
        {"example.org:", "example.org", 0},
        {"localhost:8000", "localhost", 8000},
        {"my_host-1.lan:65535", "my_host-1.lan", 65535},
        {"192.0.2.1:80", "192.0.2.1", 80},
        {"[2001:db8::1]:443", "[2001:db8::1]", 443},
        {"[::1]", "[::1]", 0},
        {"", NULL, 0},
        {":80", NULL, 0},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:99999999999999999999", NULL, 0},
        {"a:8 0", NULL, 0},
        {"a:-1", NULL, 0},
        {"a:80:90", NULL, 0},
        {"u@a", NULL, 0},
        {"a/b", NULL, 0},
        {"a b", NULL, 0},
        {"::1", NULL, 0},
        {"[::1", NULL, 0},
        {"[]", NULL, 0},
        {"[::g]", NULL, 0},
        {"[fe80::1%25eth0]", NULL, 0},
        {"[::1]x", NULL, 0},
        {"[192.0.2.1]", NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct url_host host;
        bool good = url_host_parse(str_of(cases[i].text), &host);
        if (good != (cases[i].host != NULL)) fail_msg("\"%s\" gave %d", cases[i].text, good);
        if (!good) continue;
        assert_str(host.host, cases[i].host);
        assert_int_equal(host.port, cases[i].port);
    }
}

static void every_byte_survives_escaping(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1024);
    char all[256], back[768];
    for (size_t i = 0; i < sizeof(all); i++) all[i] = (char)i;
    url_add_escaped(&buf, (struct str){all, sizeof(all)});
    size_t len;
    assert_true(url_unescape(buf_str(&buf), back, &len));
    assert_int_equal(len, sizeof(all));
    assert_memory_equal(back, all, sizeof(all));

    buf_reset(&buf, 1024);
    buf_add_str(&buf, STR("/s?"));
    url_add_param(&buf, "q", STR("a b&c=小"));
    url_add_param(&buf, "page", STR("2"));
    assert_str(buf_str(&buf), "/s?q=a%20b%26c%3D%E5%B0%8F&page=2");
    buf_reset(&buf, 1024);
    url_add_param(&buf, "a", STR("~._-"));
    assert_str(buf_str(&buf), "a=~._-");
    buf_release(&buf);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_split_into_path_and_query),
        cmocka_unit_test(targets_with_two_readings_are_refused),
        cmocka_unit_test(paths_are_walked_by_segments),
        cmocka_unit_test(escapes_of_plain_characters_are_undone_in_paths),
        cmocka_unit_test(segments_are_decoded_or_borrowed),
        cmocka_unit_test(parameters_are_read_as_browsers_write_them),
        cmocka_unit_test(the_last_of_equal_parameters_wins),
        cmocka_unit_test(parameters_that_are_no_text_or_too_many_are_refused),
        cmocka_unit_test(hosts_are_split_from_their_ports),
        cmocka_unit_test(every_byte_survives_escaping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
