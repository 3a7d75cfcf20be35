/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Patterns as gitignore(5) describes them, sentence by sentence. That git itself
 * agrees is seen in tests/contract/test_wiki_ignore.c.
 */
#include "wiki/ignore.h"

#include "unit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/buf.h"

/* What `lines` say of a path: "out", "in", "-"; a path that ends in '/' is a folder. */
static const char *say(const char *lines, const char *path)
{
    static const char *const words[] = {"-", "out", "in"};
    struct arena arena = {0};
    struct str text = str_of(path);
    bool folder = str_ends(text, STR("/"));
    if (folder) text.len--;
    const struct wiki_ignore *ignore = wiki_ignore_parse(&arena, str_of(lines));
    const char *word = words[wiki_ignore_match(ignore, text, folder)];
    arena_release(&arena);
    return word;
}

struct row {
    const char *lines, *path, *says;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *is = say(rows[i].lines, rows[i].path);
        if (strcmp(is, rows[i].says) != 0) {
            fail_msg("\"%s\" says %s of %s, expected %s", rows[i].lines, is, rows[i].path,
                     rows[i].says);
        }
    }
}
#define CHECK(rows) check_rows(rows, COUNT_OF(rows))

static void lines_that_are_no_patterns(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "a", "-"},
        {"\n\n  \n", "a", "-"},
        {"#a", "#a", "-"},
        {"\\#a", "#a", "out"},
        {"a\r\n", "a", "out"},
        {"\xEF\xBB\xBF"
         "a",
         "a", "out"},
        {"a  ", "a", "out"},
        {"a\\ ", "a ", "out"},
        {"a\\  ", "a ", "out"},
        {"a ", "a ", "-"},
        {" a", " a", "out"},
        {"!", "!", "-"},
        {"\\!a", "!a", "out"},
        {"/", "a", "-"},
        {"a\\", "a", "-"},
        {"a\\", "a\\", "-"},
        {"a\t", "a\t", "out"},
    };
    CHECK(rows);
}

static void slashes_tie_a_line_to_its_folder(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a", "a", "out"},       {"a", "x/y/a", "out"},   {"/a", "a", "out"},
        {"/a", "x/a", "-"},      {"x/a", "x/a", "out"},   {"x/a", "y/x/a", "-"},
        {"/x/a", "x/a", "out"},  {"a/", "a/", "out"},     {"a/", "a", "-"},
        {"a/", "x/a/", "out"},   {"x/a/", "y/x/a/", "-"}, {"a//", "a/", "-"},
        {"//a", "a", "-"},       {"x//a", "x/a", "-"},    {"x\\/a", "x/a", "out"},
        {"*.c", "x/y.c", "out"}, {"/*.c", "x/y.c", "-"},  {"x/*", "x/a", "out"},
        {"x/*", "x/a/b", "-"},
    };
    CHECK(rows);
}

static void two_stars_stand_for_folders(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"**/a", "a", "out"},
        {"**/a", "x/y/a", "out"},
        {"**/x/a", "y/x/a", "out"},
        {"x/**", "x/a", "out"},
        {"x/**", "x/a/b", "out"},
        {"x/**", "x/", "-"},
        {"x/**/a", "x/a", "out"},
        {"x/**/a", "x/y/z/a", "out"},
        {"x/**/a", "xa", "-"},
        {"x/**/a", "x/ya", "-"},
        {"**", "x/a", "out"},
        {"/**", "x/a", "out"},
        {"**/", "x/", "out"},
        {"**/", "x", "-"},
        {"x**a", "xyya", "out"},
        {"x**a", "x/a", "-"},
        {"/x**a", "x/y/a", "-"},
        {"x/***/a", "x/y/z/a", "out"},
        {"**/a/**", "x/a/y/z", "out"},
        {"a/**/b/**/c", "a/b/b/x/c", "out"},
        {"a/**/b/**/c", "a/x/c", "-"},
        {"**\\/a", "x/a", "out"},
        {"**\\/a", "a", "-"},
        /* what git does and no manual says: see compile_stars() */
        {"z**/c", "z/a/c", "out"},
        {"z**/c", "zc", "out"},
        {"z**/c", "zy/x/c", "out"},
        {"z**/c", "y/c", "-"},
        {"?z**/c", "az/a/c", "-"},
    };
    CHECK(rows);
}

static void wildcards_and_classes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"?", "a", "out"},
        {"?", "ab", "-"},
        {"a?c", "a/c", "-"},
        {"*", "a", "out"},
        {"a*b*c", "axxbxxc", "out"},
        {"a*b*c", "axxcxxb", "-"},
        {"[ab]", "b", "out"},
        {"[ab]", "c", "-"},
        {"[!ab]", "c", "out"},
        {"[^ab]", "a", "-"},
        {"[a-c]", "b", "out"},
        {"[a-c]", "d", "-"},
        {"[c-a]", "b", "-"},
        {"[]a]", "]", "out"},
        {"[!]a]", "]", "-"},
        {"[!]a]", "b", "out"},
        {"[a-]", "-", "out"},
        {"[-a]", "-", "out"},
        {"[a-c-e]", "d", "-"},
        {"[a-c-e]", "-", "out"},
        {"[a-c-e]", "e", "out"},
        {"[\\]]", "]", "out"},
        {"[\\a-\\c]", "b", "out"},
        {"[a", "a", "-"},
        {"[a", "[a", "-"},
        {"[", "[", "-"},
        {"\\[a", "[a", "out"},
        {"[[:digit:]]x", "7x", "out"},
        {"[[:digit:]]x", "ax", "-"},
        {"[[:nobody:]]", "a", "-"},
        {"[[:alpha:]_]", "_", "out"},
        {"[[:a]", ":", "out"},
        {"[[:a]", "[", "out"},
        {"[![:space:]]", "a", "out"},
        {"[[:upper:]]", "\xC4", "-"},
        {"x/[a/b]", "x/a", "out"},
        {"x[a/b]y", "x/y", "-"},
        {"x[!a]y", "x/y", "-"},
        {"\\*", "*", "out"},
        {"\\*", "a", "-"},
        {"\\a", "a", "out"},
        {"\xE4\xB8\xAD?",
         "\xE4\xB8\xAD"
         "a",
         "out"},
    };
    CHECK(rows);
}

static void the_last_line_that_matches_counts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"*.c\n!a.c", "a.c", "in"}, {"!a.c\n*.c", "a.c", "out"}, {"*.c\n!a.c", "b.c", "out"},
        {"*.c\n!a.c", "a.h", "-"},  {"!a/\na", "a/", "out"},     {"a\n!a/", "a/", "in"},
        {"a\n!a/", "a", "out"},
    };
    CHECK(rows);
}

static void what_lies_in_a_folder_that_is_out_is_covered(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct wiki_ignore *ignore =
        wiki_ignore_parse(&arena, STR("src/\n!src/a.c\n*.h\n!b.h\n"));
    assert_true(wiki_ignore_covers(ignore, STR("src/a.c"), false));
    assert_true(wiki_ignore_covers(ignore, STR("x/src/y/z"), false));
    assert_false(wiki_ignore_covers(ignore, STR("src"), false));
    assert_true(wiki_ignore_covers(ignore, STR("src"), true));
    assert_true(wiki_ignore_covers(ignore, STR("lib/a.h"), false));
    assert_false(wiki_ignore_covers(ignore, STR("lib/b.h"), false));
    assert_false(wiki_ignore_covers(NULL, STR("a"), false));
    arena_release(&arena);
}

static void parts_that_are_named(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct wiki_ignore *ignore =
        wiki_ignore_parse(&arena, STR("/vendor/lib/\n!docs\n*.js\n"));
    assert_true(wiki_ignore_names(ignore, STR("vendor")));
    assert_true(wiki_ignore_names(ignore, STR("lib")));
    assert_true(wiki_ignore_names(ignore, STR("*.js")));
    assert_false(wiki_ignore_names(ignore, STR("docs")));
    assert_false(wiki_ignore_names(ignore, STR("a.js")));
    assert_false(wiki_ignore_names(NULL, STR("vendor")));
    arena_release(&arena);
}

static void filters_with_mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *told;
    } rows[] = {
        {"*.c\nsrc/[a\n", "\"src/[a\""},
        {"a\\", "a \\ at the end"},
        {"/", "nothing"},
        {"!", "nothing"},
        {"./src", "a dot"},
        {"!../x", "a dot"},
        {"[[:nobody:]]", "class"},
        {"\xFF", "UTF-8"},
    };
    struct why why;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(wiki_ignore_check(str_of(rows[i].lines), &why), ERR_INVALID);
        assert_contains(why.text, rows[i].told);
    }
    assert_int_equal(wiki_ignore_check(STR("# fine\n\n*.c\r\n!/a/**/b[0-9]\n.x\n..\n"), &why), OK);
    assert_int_equal(wiki_ignore_check((struct str){0}, &why), OK);

    struct buf many;
    buf_init(&many, 10 * LIMIT_WIKI_PATTERNS);
    for (int i = 0; i <= LIMIT_WIKI_PATTERNS; i++) buf_printf(&many, "a%d\n", i);
    assert_int_equal(wiki_ignore_check(buf_str(&many), &why), ERR_INVALID);
    buf_release(&many);
}

/* What takes other matchers hours: many stars, and a name that nearly fits. */
static void hostile_patterns_end(void **state)
{
    (void)state;
    char pattern[LIMIT_WIKI_PATTERN_BYTES + 1], path[LIMIT_WIKI_PATH_BYTES + 1];
    for (size_t i = 0; i < sizeof(pattern) - 1; i++) pattern[i] = i % 2 ? 'a' : '*';
    memcpy(pattern + sizeof(pattern) - 4, "**b", 4);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    int64_t begin = clock_mono_us();
    assert_string_equal(say(pattern, path), "-");
    for (size_t i = 0; i + 3 < sizeof(pattern) - 1; i += 3) memcpy(pattern + i, "**/", 3);
    memcpy(pattern + sizeof(pattern) - 5, "/b/c", 5);
    for (size_t i = 1; i < sizeof(path) - 1; i += 2) path[i] = '/';
    assert_string_equal(say(pattern, path), "-");
    assert_true(clock_mono_us() - begin < 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_are_no_patterns),
        cmocka_unit_test(slashes_tie_a_line_to_its_folder),
        cmocka_unit_test(two_stars_stand_for_folders),
        cmocka_unit_test(wildcards_and_classes),
        cmocka_unit_test(the_last_line_that_matches_counts),
        cmocka_unit_test(what_lies_in_a_folder_that_is_out_is_covered),
        cmocka_unit_test(parts_that_are_named),
        cmocka_unit_test(filters_with_mistakes_are_told),
        cmocka_unit_test(hostile_patterns_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
