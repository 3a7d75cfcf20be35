/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Citations: only what was given, and nothing else is touched. */
#include "wiki/cite.h"

#include "unit.h"

/* Each split of the text in pieces gives the same. */
static void passes(const char *text, const char *expected, unsigned kept, unsigned removed)
{
    struct wiki_source given[] = {{.path = STR("src/parser.py"), .first = 1, .last = 17},
                                  {.path = STR("src/parser.py"), .first = 40, .last = 60},
                                  {.path = STR("Makefile"), .first = 3, .last = 9}};
    for (size_t piece = 1; piece <= 7; piece += 2) {
        struct wiki_cite cite;
        struct buf to;
        struct str all = str_of(text);
        buf_init(&to, 4096);
        wiki_cite_init(&cite, given, COUNT_OF(given));
        for (size_t at = 0; at < all.len; at += piece)
            wiki_cite_put(&cite, str_head(str_from(all, at), piece), &to);
        wiki_cite_end(&cite, &to);
        buf_add_byte(&to, '\0');
        assert_string_equal(to.at, expected);
        assert_int_equal(cite.kept, kept);
        assert_int_equal(cite.removed, removed);
        wiki_cite_release(&cite);
        buf_release(&to);
    }
}

static void same(const char *text)
{
    passes(text, text, 0, 0);
}

static void only_what_was_given_stays(void **state)
{
    (void)state;
    passes("It is [src/parser.py:2-5].", "It is [src/parser.py:2-5].", 1, 0);
    passes("解析器[src/parser.py:2-5]。", "解析器[src/parser.py:2-5]。", 1, 0);
    passes("It is [src/lexer.py:2-5].", "It is .", 0, 1);
    passes("A [src/parser.py:2, src/no.py:3; Makefile:4] b", "A [src/parser.py:2, Makefile:4] b", 2,
           1);
    passes("Sources: [no.md:1]()", "Sources: ", 0, 1);
    passes("`[no.md:1]`", "``", 0, 1);
}

static void what_goes_beyond_is_drawn_in(void **state)
{
    (void)state;
    passes("[src/parser.py:1-400]", "[src/parser.py:40-60]", 1, 0);
    passes("[src/parser.py:5-9999] [src/parser.py:10-30]",
           "[src/parser.py:40-60] [src/parser.py:10-17]", 2, 0);
    passes("[src/parser.py#L2-L4]", "[src/parser.py:2-4]", 1, 0);
    passes("[src/lexer.py#L2-L4]", "", 0, 1);
    passes("[src/parser.py:20-30]", "", 0, 1);
}

static void code_and_diagrams_pass_as_they_are(void **state)
{
    (void)state;
    same("```python\nhead = values[0:10]\nx = [src/no.py:3]\n```\n");
    same("~~~~\n[no.py:3]\n```\n[no.py:4]\n~~~~\n");
    same("```mermaid\ngraph TD\n  A[Port:8080] --> B[src/no.py:1]\n```\n");
    passes("\n```markdown\n# A [no.py:1]\n```py\nx = a[no.py:2]\n```\n[no.py:3]\n```",
           "\n```markdown\n# A \n```py\nx = a[no.py:2]\n```\n\n```", 0, 2);
    passes("```\n[no.py:1]\n```", "```\n\n```", 0, 1);
    passes("A\n```\n[no.py:1]\n```\n[no.py:2]", "A\n```\n[no.py:1]\n```\n", 0, 1);
    passes("a ``` b [no.py:2]", "a ``` b ", 0, 1);
}

static void what_only_looks_like_one_stays(void **state)
{
    (void)state;
    same("values[0:10] and `buf[self.pos:10]`, m[a.b:5] + n[cfg.start:20-30]");
    same("![img.png:5] [12:30] [localhost:8080] [127.0.0.1:80] [see: 5]");
    same("[http://a.b/c:80] [x](y) [ ] [[a]] [open");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_given_stays),
        cmocka_unit_test(what_goes_beyond_is_drawn_in),
        cmocka_unit_test(code_and_diagrams_pass_as_they_are),
        cmocka_unit_test(what_only_looks_like_one_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
