/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "api/chat_title.h"

#define SIXTY "123456789 123456789 123456789 123456789 123456789 123456789 "
#define FAMILY "👨‍👩‍👧" /* one character, five code points */

static const struct {
    const char *said, *title;
} cases[] = {
    {"Baking bread", "Baking bread"},
    {"  \n\n Baking bread \nIt is about bread.", "Baking bread"},
    {"\"Baking bread.\"", "Baking bread"},
    {"**Title: “Baking bread”**", "Baking bread"},
    {"# Baking bread\r\n", "Baking bread"},
    {"标题：《如何烤面包》。", "如何烤面包"},
    {"What's in .NET and C#", "What's in .NET and C#"},
    {SIXTY "more", "123456789 123456789 123456789 123456789 123456789 123456789"},
    {FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY,
     FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY FAMILY},
    {"", ""},
    {"\n \n", ""},
    {"\"\"", ""},
    {"bad \xff bytes", ""},
    {"a bell \a in it", ""},
};

static void a_title_is_one_short_line_without_marks(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str title = chat_title_clean(&arena, str_of(cases[i].said));
        if (!str_eq(title, str_of(cases[i].title))) {
            fail_msg("%s: %.*s", cases[i].said, STR_ARGS(title));
        }
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_title_is_one_short_line_without_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
