/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "auth/mention.h"

#include "base/buf.h"
#include "unit.h"

static void assert_names(const char *text, const char *expected)
{
    struct arena arena = {0};
    struct mentions found;
    mentions_find(&arena, str_of(text), &found);
    char list[2048] = "";
    size_t len = 0;
    for (size_t i = 0; i < found.count; i++) {
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%.*s", i ? " " : "",
                                STR_ARGS(found.keys[i]));
    }
    if (strcmp(list, expected) != 0) fail_msg("\"%s\": \"%s\", not \"%s\"", text, list, expected);
    arena_release(&arena);
}

/* The same rows as in web/tests/parts.test.ts: whoever is told sees a link. */
static void names_are_found_where_the_app_shows_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names;
    } rows[] = {
        {"", ""},
        {"@", ""},
        {"@tom", "tom"},
        {"@to", ""},
        {"hi @tom, and @Li_2!", "tom li_2"},
        {"去问 @小明同学，好", "小明同学"},
        {"去问@小明同学", ""},
        {"(@tom) \"@ann\" -@bob #@liu", "tom ann bob liu"},
        {"@tom.", "tom"},
        {"@tom...", "tom"},
        {"@tom.x-y_z.", "tom.x-y_z"},
        {"@tom--x", "tom"},
        {"@-tom @.tom", ""},
        {"@tom@ann", "tom"},
        {"@@tom a@tom .@tom /@tom _@tom 7@tom", ""},
        {"tom@example.org", ""},
        {"@हिन्दी हिन्दी@tom", "हिन्दी"},
        {"https://a.example/?x=@tom @ann", "ann"},
        {"https://a.example/，@tom", "tom"},
        {"https:// @tom http://x@tom", "tom"},
        {"看https://a.example/一@tom。@ann", "ann"},
        {"@abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijx", ""},
        {"😀@tom😀", "tom"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) assert_names(rows[i].text, rows[i].names);
}

static void a_name_counts_once_however_it_is_written(void **state)
{
    (void)state;
    assert_names("@tom @TOM @ｔｏｍ @Tom", "tom");
}

static void twenty_of_a_text_count(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 4096);
    for (int i = 0; i < MENTIONS_MAX + 5; i++) buf_printf(&text, "@tom%d @tom0 ", i);
    struct arena arena = {0};
    struct mentions found;
    mentions_find(&arena, buf_str(&text), &found);
    assert_int_equal(found.count, MENTIONS_MAX);
    assert_true(mentions_has(&found, STR("tom19")));
    assert_false(mentions_has(&found, STR("tom20")));
    arena_release(&arena);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_where_the_app_shows_them),
        cmocka_unit_test(a_name_counts_once_however_it_is_written),
        cmocka_unit_test(twenty_of_a_text_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
