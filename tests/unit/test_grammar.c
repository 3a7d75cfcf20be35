/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/buf.h"
#include "llm/grammar.h"

/* The smallest grammar there is: 28 lines. */
static const char smallest[] =
    "zh chat\n 一\nzh reply\n 二\nzh greet\n 三\nzh post\n 四\nzh comment\n"
    " 五\nzh reflect\n 六\nzh title\n 七\nen chat\n One\nen reply\n Two\n"
    "en greet\n Three\nen post\n Four\nen comment\n Five\nen reflect\n "
    "Six\nen title\n Seven\n";

static enum err parse(struct arena *arena, const char *more, struct grammar **out, struct why *why)
{
    *out = NULL;
    return grammar_parse(arena_printf(arena, "%s%s", smallest, more), "g", out, why);
}

static void a_small_grammar_is_understood(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct grammar *grammar;
    struct why why;
    unsigned flag;
    assert_int_equal(
        parse(&arena,
              "# a comment\n\nhears thanks = 谢谢, Thank you, ^ta$\nen post\n"
              "\t[mood=happy|sad !hears=thanks *7] I saw {=topic}\\nat {place}.{?end}\n"
              "en place\n the café\nen end\n [time=night] Night.\n -\n",
              &grammar, &why),
        OK);
    const struct symbol *post = grammar_symbol(grammar, LANGUAGE_EN, STR("post"));
    const struct way *way = &grammar->ways[grammar->ways[post->first - 1].next - 1];
    assert_int_equal(way->line, 33);
    assert_int_equal(way->weight, 7);
    assert_int_equal(way->condition_count, 2);
    assert_int_equal(way->conditions[0].count, 2);
    assert_true(way->conditions[1].negated);
    assert_int_equal(way->piece_count, 6);
    assert_str_equal(way->mark, "I saw");
    assert_str_equal(way->pieces[2].text, "\nat ");
    assert_true(grammar_flag(grammar, KIND_HEARS, STR("thanks"), &flag));
    assert_true(way->conditions[1].flags[0] == flag);
    assert_int_equal(grammar->class_count, 1);
    assert_str_equal(grammar->classes[0].words[1].text, "thank you");
    assert_true(grammar->classes[0].words[1].whole && !grammar->classes[0].words[0].whole);
    assert_true(grammar->classes[0].words[2].at_start && grammar->classes[0].words[2].at_end);
    assert_null(grammar_symbol(grammar, LANGUAGE_ZH, STR("place")));
    assert_int_equal(post->shortest, 4);
    assert_int_equal(post->longest, 6 + fact_points_max[FACT_TOPIC] + 4 + 8 + 1 + 6);
    grammar_free(grammar);
    arena_release(&arena);
}

/* Added to the smallest grammar, so that its first line is the 29th. */
static const struct {
    const char *more, *complaint;
} broken[] = {
    {"post\n", "g:29: expected a head such as \"zh post\""},
    {"fr post\n", "g:29: expected a head"},
    {"zh Post\n", "g:29: expected a head"},
    {"hears = x\n", "g:29: expected a name of small letters between \"hears\" and ="},
    {"hears none = x\n", "g:29: expected a name"},
    {"smells soup = x\n", "g:29: expected hears, asks, theme"},
    {"mood happy = x\n", "g:29: expected hears, asks, theme"},
    {"hears x = a,,b\n", "g:29: expected words with one comma"},
    {"hears x =\n", "g:29: expected words"},
    {"hears x = ^\n", "g:29: expected words"},
    {"en post\n [mood=hungry] x\n", "g:30: nothing is known as \"hungry\" for mood="},
    {"en post\n [hears=thanks] x\n", "g:30: nothing is known as \"thanks\" for hears="},
    {"en post\n [happy] x\n", "g:30: expected a condition such as mood=happy"},
    {"en post\n [skip=title] x\n", "g:30: expected a condition"},
    {"en post\n [*100] x\n", "g:30: expected a weight from *0 to *99, not \"*100\""},
    {"en post\n [*x] x\n", "g:30: expected a weight"},
    {"en post\n [mood=happy x\n", "g:30: expected ] after ["},
    {"en post\n [mood=happy]\n", "g:30: expected text, or -"},
    {"en post\n I saw {=topic\n", "g:30: expected } after {"},
    {"en post\n I saw =topic}\n", "g:30: expected { before }"},
    {"en post\n I saw {=moon}\n", "g:30: there is no fact {=moon}"},
    {"en post\n I saw {the moon}\n", "g:30: expected {symbol}"},
    {"en post\n\n I saw {moon}\n", "g:31: nothing says {moon}: expected a head \"en moon\""},
    {"zh moon\n x\nen post\n I saw {moon}\n", "g:32: nothing says {moon}"},
    {"en moon\n x\n", "g:29: nobody uses \"en moon\""},
    {"en post\n {moon}\nen moon\n", "g:31: expected ways of saying it below \"en moon\""},
    {"en post\n {moon}\nen moon\n The {sun}\nen sun\n Not {moon}\n", "would say itself"},
    {"en post\n [said=moon] x\n", "said=moon: expected a head of that name"},
    {"en post\n -\n", "g:21: \"en post\" may have nothing to say"},
    {"en title\n {=topic}{=topic}\n",
     "g:27: \"en title\" can become 48 characters long, at most 40"},
    {"en post\n \xFF\n", "g is not valid UTF-8"},
};

static void a_broken_grammar_is_refused_with_its_line(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct grammar *grammar;
    struct why why;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        assert_int_equal(parse(&arena, broken[i].more, &grammar, &why), ERR_INVALID);
        assert_null(grammar);
        assert_contains(why.text, broken[i].complaint);
    }
    assert_int_equal(grammar_parse(STR(" x\n"), "g", &grammar, &why), ERR_INVALID);
    assert_contains(why.text, "g:1: expected a head such as \"zh post\" before this way");
    assert_int_equal(grammar_parse(STR(""), "g", &grammar, &why), ERR_INVALID);
    assert_contains(why.text, "expected a head \"zh chat\" somewhere");
    arena_release(&arena);
}

static void a_task_must_have_something_to_say_in_every_scene(void **state)
{
    (void)state;
    struct why why;
    struct grammar *grammar;
    struct arena arena = {0};
    static const char *const unsure[] = {"[mood=happy] Hurray", "{=topic}", "{x}"};
    for (size_t i = 0; i < COUNT_OF(unsure); i++) {
        struct str text =
            arena_printf(&arena, "%.*s %s\nen x\n [time=noon] x\n",
                         (int)(sizeof(smallest) - 1 - strlen(" Seven\n")), smallest, unsure[i]);
        assert_int_equal(grammar_parse(text, "g", &grammar, &why), ERR_INVALID);
        const char *expected = i == 2 ? "g:27: \"en title\" may have nothing" : "g:27:";
        assert_contains(why.text, expected);
    }
    arena_release(&arena);
}

static void slots_in_slots_end_somewhere(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buf text;
    struct grammar *grammar;
    struct why why;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "en post\n {s0}\n");
    for (int i = 0; i < 40; i++) buf_printf(&text, "en s%d\n {s%d}{s%d}\n", i, i + 1, i + 1);
    buf_printf(&text, "en s40\n x\n");
    assert_int_equal(parse(&arena, text.at, &grammar, &why), ERR_INVALID);
    assert_contains(why.text, "slots within slots more than 16 deep");
    buf_release(&text);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_grammar_is_understood),
        cmocka_unit_test(a_broken_grammar_is_refused_with_its_line),
        cmocka_unit_test(a_task_must_have_something_to_say_in_every_scene),
        cmocka_unit_test(slots_in_slots_end_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
