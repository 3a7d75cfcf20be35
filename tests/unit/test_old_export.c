/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/old_export.h"

#include <stdlib.h>
#include <time.h>

#include "unit.h"
#include "wiki/old_cache.h"

static const int64_t now_us = INT64_C(1795231402123456);

static const char pages_text[] =
    "{\"pages\":[{\"id\":\"page-1\",\"title\":\"Über\",\"content\":\"# 一\\n\\n<b>x</b> "
    "\\ud83d\\ude00\","
    "\"filePaths\":[\"a.c\",\"b\\\\c\"],\"importance\":\"high\",\"relatedPages\":[\"p'2\",\"gone\","
    "\"page-1\"],"
    "\"parentId\":\"dropped\"},"
    "{\"id\":\"p'2\",\"title\":\"Two\\nlines\",\"content\":\"\",\"filePaths\":[],"
    "\"importance\":\"low\",\"relatedPages\":[\"gone\"]}]}";

struct fixture {
    struct json *tree;
    const struct json *pages;
    struct buf to;
};

static void fixture_open(struct fixture *f, const char *text, size_t max)
{
    struct why why;
    assert_int_equal(json_parse(str_of(text), &f->tree, NULL, &why), OK);
    f->pages = json_get(f->tree, "pages");
    buf_init(&f->to, max);
    setenv("TZ", "CST-8", 1);
    tzset();
}

static void fixture_close(struct fixture *f)
{
    json_free(f->tree);
    buf_release(&f->to);
    unsetenv("TZ");
    tzset();
}

static void markdown_has_contents_anchors_and_what_belongs_together(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, pages_text, 10000);
    wiki_old_export_markdown(&f.to, STR("https://github.com/o/r"), f.pages, now_us);
    assert_str_equal(buf_str(&f.to), "# Wiki Documentation for https://github.com/o/r\n"
                                     "\n"
                                     "Generated on: 2026-11-21 11:23:22\n"
                                     "\n"
                                     "## Table of Contents\n"
                                     "\n"
                                     "- [Über](#page-1)\n"
                                     "- [Two lines](#p'2)\n"
                                     "\n"
                                     "<a id='page-1'></a>\n"
                                     "\n"
                                     "## Über\n"
                                     "\n"
                                     "### Related Pages\n"
                                     "\n"
                                     "[Two lines](#p'2), [Über](#page-1)\n"
                                     "\n"
                                     "# 一\n"
                                     "\n"
                                     "<b>x</b> 😀\n"
                                     "\n"
                                     "---\n"
                                     "\n"
                                     "<a id='p&#39;2'></a>\n"
                                     "\n"
                                     "## Two lines\n"
                                     "\n"
                                     "\n"
                                     "\n"
                                     "---\n"
                                     "\n");
    fixture_close(&f);
}

static void json_is_ascii_with_two_blanks_a_level(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, pages_text, 10000);
    wiki_old_export_json(&f.to, STR("https://github.com/o/é"), f.pages, now_us);
    assert_str_equal(buf_str(&f.to),
                     "{\n"
                     "  \"metadata\": {\n"
                     "    \"repository\": \"https://github.com/o/\\u00e9\",\n"
                     "    \"generated_at\": \"2026-11-21T11:23:22.123456\",\n"
                     "    \"page_count\": 2\n"
                     "  },\n"
                     "  \"pages\": [\n"
                     "    {\n"
                     "      \"id\": \"page-1\",\n"
                     "      \"title\": \"\\u00dcber\",\n"
                     "      \"content\": \"# \\u4e00\\n\\n<b>x</b> \\ud83d\\ude00\",\n"
                     "      \"filePaths\": [\n"
                     "        \"a.c\",\n"
                     "        \"b\\\\c\"\n"
                     "      ],\n"
                     "      \"importance\": \"high\",\n"
                     "      \"relatedPages\": [\n"
                     "        \"p'2\",\n"
                     "        \"gone\",\n"
                     "        \"page-1\"\n"
                     "      ]\n"
                     "    },\n"
                     "    {\n"
                     "      \"id\": \"p'2\",\n"
                     "      \"title\": \"Two\\nlines\",\n"
                     "      \"content\": \"\",\n"
                     "      \"filePaths\": [],\n"
                     "      \"importance\": \"low\",\n"
                     "      \"relatedPages\": [\n"
                     "        \"gone\"\n"
                     "      ]\n"
                     "    }\n"
                     "  ]\n"
                     "}");
    fixture_close(&f);
    fixture_open(&f, "{\"pages\":[]}", 1000);
    wiki_old_export_json(&f.to, STR("\x01\x7f\t\"\\/"), f.pages, now_us);
    assert_true(str_ends(buf_str(&f.to), STR("  },\n  \"pages\": []\n}")));
    assert_true(str_find(buf_str(&f.to), STR("\"\\u0001\x7f\\t\\\"\\\\/\"")) < f.to.len);
    fixture_close(&f);
}

static void what_would_grow_without_end_stops_at_the_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    /* Pages that name each other under long titles: a small wish for a large file. */
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_add_str(&text, STR("{\"pages\":["));
    for (int i = 0; i < 100; i++) {
        buf_printf(&text,
                   "%s{\"id\":\"p\",\"title\":\"%0500d\",\"content\":\"\",\"filePaths\":[],"
                   "\"importance\":\"\",\"relatedPages\":[\"p\"",
                   i ? "," : "", i);
        for (int j = 0; j < 100; j++) buf_add_str(&text, STR(",\"p\""));
        buf_add_str(&text, STR("]}"));
    }
    buf_add_str(&text, STR("]}"));
    fixture_open(&f, text.at, 100 * 1000);
    wiki_old_export_markdown(&f.to, STR("u"), f.pages, now_us);
    assert_true(f.to.failed && f.to.len <= 100 * 1000);
    fixture_close(&f);
    buf_release(&text);
}

static void names_of_files_can_stand_in_a_header(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://github.com/o/deepwiki-open", "deepwiki-open_wiki_20261121_112322.md"},
        {"https://github.com/o/r///", "r_wiki_20261121_112322.md"},
        {"r", "r_wiki_20261121_112322.md"},
        {"https://h/a b\"\r\nX: é", "a_b___X_____wiki_20261121_112322.md"},
        {"", "__wiki_20261121_112322.md"},
        {"///", "__wiki_20261121_112322.md"},
    };
    struct arena arena = {0};
    setenv("TZ", "CST-8", 1);
    tzset();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str name = wiki_old_export_name(&arena, str_of(cases[i][0]), ".md", now_us);
        assert_str_equal(name, cases[i][1]);
    }
    char long_url[400];
    memset(long_url, 'x', sizeof(long_url));
    struct str name = wiki_old_export_name(&arena, (struct str){long_url, 400}, ".json", now_us);
    assert_int_equal(name.len, 100 + strlen("_wiki_20261121_112322.json"));
    arena_release(&arena);
    unsetenv("TZ");
    tzset();
}

static void note(void *ctx, const char *where, const char *type, const char *sentence)
{
    (void)type;
    (void)sentence;
    snprintf(ctx, 100, "%s", where);
}

static void only_whole_pages_are_taken(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "pages"},
        {"{\"pages\":{}}", "pages"},
        {"{\"pages\":[7]}", "pages.0"},
        {"{\"pages\":[{\"id\":\"a\",\"title\":\"\",\"content\":\"\",\"filePaths\":[],"
         "\"importance\":\"\",\"relatedPages\":[7]}]}",
         "pages.0.relatedPages.0"},
    };
    struct arena arena = {0};
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        char where[100] = "";
        fixture_open(&f, cases[i][0], 10);
        assert_int_equal(wiki_old_pages_check(&arena, f.tree, note, where, &why), ERR_INVALID);
        assert_string_equal(where, cases[i][1]);
        fixture_close(&f);
    }
    struct fixture f;
    fixture_open(&f, pages_text, 10);
    assert_int_equal(wiki_old_pages_check(&arena, f.tree, note, NULL, &why), OK);
    fixture_close(&f);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markdown_has_contents_anchors_and_what_belongs_together),
        cmocka_unit_test(json_is_ascii_with_two_blanks_a_level),
        cmocka_unit_test(what_would_grow_without_end_stops_at_the_ceiling),
        cmocka_unit_test(names_of_files_can_stand_in_a_header),
        cmocka_unit_test(only_whole_pages_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
