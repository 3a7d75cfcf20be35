/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/think.h"

#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

struct heard {
    struct buf text, reason;
};

static void hear(struct buf *to, struct str piece)
{
    assert_true(piece.len > 0);
    assert_true(utf8_valid(piece));
    buf_add_str(to, piece);
}

static void hear_text(void *ctx, struct str piece)
{
    hear(&((struct heard *)ctx)->text, piece);
}

static void hear_reason(void *ctx, struct str piece)
{
    hear(&((struct heard *)ctx)->reason, piece);
}

static void feed(struct think *think, struct str piece, struct heard *heard)
{
    const struct think_events to = {.text = hear_text, .reason = hear_reason, .ctx = heard};
    char *copy = mem_copy(piece.at, piece.len);
    think_feed(think, (struct str){copy, piece.len}, &to);
    mem_free(copy);
}

static bool between_chars(struct str s, size_t at)
{
    return at >= s.len || ((unsigned char)s.at[at] & 0xC0) != 0x80;
}

/* In one or two pieces, or, `cut` being 0, character by character. */
static void split(struct str answer, size_t cut, bool starts_inside, struct heard *heard)
{
    struct think think;
    const struct think_events to = {.text = hear_text, .reason = hear_reason, .ctx = heard};
    buf_init(&heard->text, 10000);
    buf_init(&heard->reason, 10000);
    think_init(&think, starts_inside);
    size_t fed = cut;
    if (cut > 0) feed(&think, str_head(answer, cut), heard);
    for (size_t end = cut; end < answer.len; fed = end) {
        end = cut ? answer.len : end + 1;
        while (!between_chars(answer, end)) end++;
        feed(&think, (struct str){answer.at + fed, end - fed}, heard);
        /* What is held back is all that was not told, and never more than the bound. */
        size_t told = heard->text.len + heard->reason.len;
        assert_true(think.held_len <= THINK_HELD_MAX && told + think.held_len <= end);
    }
    think_finish(&think, &to);
}

static const struct {
    const char *answer;
    const char *reason, *text;
    bool starts_inside;
} answers[] = {
    {"<think>why</think>what", "why", "what", false},
    {"<thinking>why</thinking>what", "why", "what", false},
    {"<reasoning>why</reasoning>what", "why", "what", false},
    {"\n \t<think>\nwhy\n</think>\n\nwhat\n", "why\n", "what\n", false},
    {"plain", "", "plain", false},
    {"  plain", "", "  plain", false},
    {"            twelve", "", "            twelve", false},
    {"             <think>a</think>b", "a", "        b", false}, /* 5 fit beside <think */
    {"", "", "", false},
    {"  ", "", "  ", false},
    {"<", "", "<", false},
    {" <thinkin", "", " <thinkin", false},
    {"<think", "", "<think", false},
    {"<thinker>a</think>", "", "<thinker>a</think>", false},
    {"<th<think>a</think>", "", "<th<think>a</think>", false},
    {"<Think>a</Think>", "", "<Think>a</Think>", false},
    {"<div>a</div>", "", "<div>a</div>", false},
    {"a <think>b</think> c", "", "a <think>b</think> c", false},
    {"```\n<think>b</think>\n```", "", "```\n<think>b</think>\n```", false},
    {"a</think>b", "", "a</think>b", false},
    {"a</think>b", "a", "b", true},
    {"a</thinking>b", "a", "b", true},
    {"\na</reasoning>\nb", "\na", "b", true},
    {"<think>a</think>b", "<think>a", "b", true},
    {"<think>a</thinking></reasoning>b</think>c", "a</thinking></reasoning>b", "c", false},
    {"<think>a</thi</think>b", "a</thi", "b", false},
    {"<think>a <</think>b", "a <", "b", false},
    {"<think>a < b</thin", "a < b</thin", "", false},
    {"<think></think>b", "", "b", false},
    {"<think>\n\n</think>\n\n<think>a</think>\n\nb", "a", "b", false},
    {"<think>a</think>b<think>c</think>", "a", "b<think>c</think>", false},
    {"<think>a</think>   b", "a", "   b", false},
    {"<think>never closed", "never closed", "", false},
    {"胡同<think>", "", "胡同<think>", false},
    {"<think>胡同<é</think>😀", "胡同<é", "😀", false},
    {"<think>\n```c\nf(\"</think>\");\n```\nb</think>c", "```c\nf(\"</think>\");\n```\nb", "c",
     false},
    {"<think>\n~~~~\n</th ~~~ a</think>\n~~~\n b</think>\n~~~~\n</think>c",
     "~~~~\n</th ~~~ a</think>\n~~~\n b</think>\n~~~~\n", "c", false},
    {"<think>\n```\nleft open\n</think>c", "```\nleft open\n", "c", false},
    {"<think>\n```code``` a</think>c", "```code``` a", "c", false},
    {"<think>a ``` b</think>c", "a ``` b", "c", false},
    {"<think>\n``\na</think>c", "``\na", "c", false},
};

static void reasoning_is_split_off_however_the_answer_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct str answer = str_of(answers[i].answer);
        for (size_t cut = 0; cut <= answer.len; cut++) {
            if (!between_chars(answer, cut)) continue;
            struct heard heard;
            split(answer, cut, answers[i].starts_inside, &heard);
            assert_str_equal(buf_str(&heard.text), answers[i].text);
            assert_str_equal(buf_str(&heard.reason), answers[i].reason);
            buf_release(&heard.text);
            buf_release(&heard.reason);
        }
    }
}

static void text_is_not_held_back_once_it_has_begun(void **state)
{
    (void)state;
    struct think think;
    struct heard heard;
    buf_init(&heard.text, 100);
    buf_init(&heard.reason, 100);
    think_init(&think, false);
    feed(&think, STR(" \n<thin"), &heard);
    assert_int_equal(heard.text.len, 0);
    feed(&think, STR("g <think"), &heard);
    assert_str_equal(buf_str(&heard.text), " \n<thing <think");
    buf_release(&heard.text);
    buf_release(&heard.reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasoning_is_split_off_however_the_answer_is_cut),
        cmocka_unit_test(text_is_not_held_back_once_it_has_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
