/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/clue.h"

#include "unit.h"

/* Which of these two one may point at, as digits. */
static void expect(const char *question, const char *sure)
{
    struct arena arena = {0};
    struct wiki_source sources[] = {
        {.path = STR("src/pot.c"), .first = 7, .last = 11, .symbol = STR("pot_pour")},
        {.path = STR("docs/tea.md"), .first = 1, .last = 3, .symbol = STR("Brewing")}};
    struct str first = STR("[src/pot.c:7-11] pot_pour\n7| /* Pours a cup. */\n"
                           "8| int pot_pour(int left, int cup)\n"
                           "9| fillPot(utf8);\n");
    struct str second = STR("[docs/tea.md:1-3] Brewing\n1| # Brewing\n2| 先把水烧热，再倒进茶壶。\n"
                            "3| Good morning, and have a nice day with warm tea.\n");
    size_t ends[] = {first.len, first.len + second.len};
    struct wiki_clue clue = {
        .context = {.sources = sources,
                    .ends = ends,
                    .source_count = 2,
                    .text = arena_printf(&arena, "%.*s%.*s", STR_ARGS(first), STR_ARGS(second))}};
    char said[3] = "";
    wiki_clue_judge(&arena, str_of(question), &clue);
    for (size_t i = 0; i < clue.sure_count; i++) said[i] = clue.sure[i] == &sources[0] ? '1' : '2';
    assert_string_equal(said, sure);
    arena_release(&arena);
}

static void one_points_at_what_a_question_names(void **state)
{
    (void)state;
    expect("Where is a cup poured?", "1"); /* two words, one of them by its stem */
    expect("where do you pour a cup", "1");
    expect("What does pot_pour do?", "1"); /* an identifier is enough */
    expect("What does fillPot do?", "1");
    expect("How does brewing go?", "2"); /* what it is called */
    expect("茶壶里的水怎么烧热？", "2");
    expect("How is the cup of warm tea poured?", "12");
}

static void one_points_at_nothing_when_somebody_just_talks(void **state)
{
    (void)state;
    expect("", "");
    expect("?", "");
    expect("I poured a cup of warm tea.", ""); /* no question */
    expect("Good morning, how is your day? Is it nice?", "");
    expect("早上好，今天忙吗？", "");
    expect("How warm is it?", ""); /* one word alone is chance */
    expect("Where is the kettle?", "");
    expect("Where is emptyPot?", "");
    expect("What is utf8?", ""); /* no identifier, and one word */
}

static void a_question_may_be_longer_than_what_is_looked_at(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str text = STR("Where");
    for (int i = 0; i < 300; i++)
        text = arena_printf(&arena, "%.*s word%d words%dy", STR_ARGS(text), i, i);
    expect(text.at, "");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_points_at_what_a_question_names),
        cmocka_unit_test(one_points_at_nothing_when_somebody_just_talks),
        cmocka_unit_test(a_question_may_be_longer_than_what_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
