/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/split.h"

#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

struct pieces {
    struct arena arena;
    struct wiki_piece *at;
    size_t count;
};

static struct pieces split(const char *path, struct str text, const struct wiki_mark *marks,
                           size_t count)
{
    struct pieces p = {0};
    wiki_split(&p.arena, str_of(path), text, marks, count, &p.at, &p.count);
    return p;
}

/* The pieces are the file: in order, nothing lost, nothing twice, none too large, lines true. */
static void check_whole(const struct pieces *p, struct str text)
{
    size_t at = 0;
    int line = 1;
    for (size_t i = 0; i < p->count; i++) {
        const struct wiki_piece *piece = &p->at[i];
        assert_ptr_equal(piece->text.at, text.at + at);
        assert_in_range(piece->text.len, 1, WIKI_PIECE_MAX);
        assert_true(piece->label.len <= WIKI_LABEL_BYTES);
        assert_int_equal(piece->first, line);
        size_t ends = 0;
        for (size_t b = 0; b < piece->text.len; b++) ends += piece->text.at[b] == '\n';
        bool whole_line = piece->text.at[piece->text.len - 1] == '\n';
        assert_int_equal(piece->last, line + (int)ends - (whole_line ? 1 : 0));
        line += (int)ends;
        at += piece->text.len;
    }
    assert_int_equal(at, text.len);
}

static const struct wiki_piece *piece_with(const struct pieces *p, const char *part)
{
    for (size_t i = 0; i < p->count; i++) {
        if (str_find(p->at[i].text, str_of(part)) < p->at[i].text.len) return &p->at[i];
    }
    fail_msg("no piece has %s", part);
    return NULL;
}

static void fill(struct buf *buf, int lines, const char *line)
{
    for (int i = 0; i < lines; i++) buf_printf(buf, "%s %d;\n", line, i);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    struct pieces p = split("a.c", (struct str){0}, NULL, 0);
    assert_int_equal(p.count, 0);
    arena_release(&p.arena);
}

static void a_small_file_is_one_piece(void **state)
{
    (void)state;
    struct str text = STR("int one(void);\n\nint two(void);");
    struct pieces p = split("a.h", text, NULL, 0);
    check_whole(&p, text);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.at[0].first, 1);
    assert_int_equal(p.at[0].last, 3);
    arena_release(&p.arena);
}

static void functions_are_pieces_with_their_comments(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(
        &text,
        "#include <stdio.h>\n\n/*\n * Opens.\n *\n * And more.\n */\nint\nopen_it(void)\n{\n");
    fill(&text, 40, "    first_of_them(x);  /* work */");
    buf_printf(&text, "}\n\n__attribute__((cold))\nvoid close_it(void)\n{\n");
    fill(&text, 40, "    second_of_them(x); /* work */");
    buf_printf(&text, "}\n");
    struct wiki_mark marks[] = {
        {STR("open_it"), STR("function"), {0}, STR("open_it"), 9, 51},
        {STR("close_it"), STR("function"), {0}, STR("close_it"), 54, 96},
        {STR("x"), STR("variable"), {0}, STR("x"), 20, 20},
    };
    struct pieces p = split("a.c", buf_str(&text), marks, COUNT_OF(marks));
    check_whole(&p, buf_str(&text));
    const struct wiki_piece *one = piece_with(&p, "open_it(void)");
    assert_true(str_find(one->text, STR("/*\n * Opens.")) < one->text.len);
    assert_true(str_eq(one->label, STR("open_it")));
    const struct wiki_piece *two = piece_with(&p, "close_it(void)");
    assert_true(str_starts(two->text, STR("__attribute__")) ||
                str_starts(two->text, STR("\n__att")));
    assert_true(str_eq(two->label, STR("close_it")));
    assert_int_equal(two->last, 96);
    arena_release(&p.arena);
    buf_release(&text);
}

static void a_large_class_is_cut_at_its_methods(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "class Store:\n    \"\"\"Keeps things.\"\"\"\n");
    struct wiki_mark marks[4] = {{STR("Store"), STR("class"), {0}, STR("class Store"), 1, 0}};
    int line = 3;
    for (int m = 0; m < 3; m++) {
        static const char *const names[] = {"Store.get", "Store.put", "Store.drop"};
        buf_printf(&text, "\n    @cached\n    def %s(self):\n", names[m] + 6);
        fill(&text, 30, "        self.do_something_useful_here()");
        marks[m + 1] = (struct wiki_mark){str_of(names[m] + 6), STR("member"), STR("Store"),
                                          str_of(names[m]),     line + 2,      line + 32};
        marks[m + 1].kind = STR("method");
        line += 33;
    }
    marks[0].last = line - 1;
    struct pieces p = split("a.py", buf_str(&text), marks, 4);
    check_whole(&p, buf_str(&text));
    assert_true(str_eq(piece_with(&p, "def get")->label, STR("class Store, Store.get")) ||
                str_eq(piece_with(&p, "def get")->label, STR("Store.get")));
    const struct wiki_piece *put = piece_with(&p, "def put");
    assert_true(str_find(put->label, STR("Store.put")) < put->label.len);
    assert_true(str_find(put->text, STR("@cached")) < put->text.len);
    assert_true(str_find(put->text, STR("def drop")) == put->text.len);
    arena_release(&p.arena);
    buf_release(&text);
}

static void a_giant_function_keeps_its_name(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "void giant(void)\n{\n");
    for (int i = 0; i < 40; i++) {
        fill(&text, 9, "        inner_work_of_it(a, b, c)");
        buf_printf(&text, "\n    outer_%d();\n", i);
    }
    buf_printf(&text, "}\n");
    struct wiki_mark mark = {STR("giant"), STR("function"), {0}, STR("giant"), 1, 2 + 40 * 11 + 1};
    struct pieces p = split("a.c", buf_str(&text), &mark, 1);
    check_whole(&p, buf_str(&text));
    assert_true(p.count > 5);
    for (size_t i = 0; i < p.count; i++) assert_true(str_eq(p.at[i].label, STR("giant")));
    /* cut before outer lines or after blank ones, never inside of the rows of work */
    for (size_t i = 1; i < p.count; i++) {
        assert_true(str_starts(p.at[i].text, STR("    outer_")) ||
                    str_starts(p.at[i].text, STR("        inner_work_of_it(a, b, c) 0;")));
    }
    arena_release(&p.arena);
    buf_release(&text);
}

static void small_things_share_a_piece(void **state)
{
    (void)state;
    struct str text = STR("int a(void)\n{\n}\n\nint b(void)\n{\n}\n");
    struct wiki_mark marks[] = {{STR("a"), STR("function"), {0}, STR("a"), 1, 3},
                                {STR("b"), STR("function"), {0}, STR("b"), 5, 7}};
    struct pieces p = split("a.c", text, marks, 2);
    check_whole(&p, text);
    assert_int_equal(p.count, 1);
    assert_true(str_eq(p.at[0].label, STR("a, b")));
    arena_release(&p.arena);
}

static void long_lines_are_cut_between_characters(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 3000; i++) buf_add_str(&text, STR("胡同"));
    buf_add_str(&text, STR("\nend\n"));
    struct pieces p = split("a.min.js", buf_str(&text), NULL, 0);
    check_whole(&p, buf_str(&text));
    for (size_t i = 0; i < p.count; i++) assert_true(utf8_valid(p.at[i].text));
    assert_int_equal(p.at[0].first, 1);
    assert_int_equal(p.at[1].last, 1);
    assert_int_equal(p.at[p.count - 1].last, 2);
    arena_release(&p.arena);
    buf_release(&text);
}

struct heading {
    const char *path, *text, *part, *label;
};

static const struct heading headings[] = {
    {"README.md", "# Top\nx\n\n## Install\ny\n\n### Debian\nneedle\n", "needle",
     "Top, Top > Install, Top > Install > Debian"},
    {"README.md", "Top\n===\nx\n\nPart\n----\nneedle\n", "needle", "Top, Top > Part"},
    {"a.md", "# Top\n```sh\n# no heading\nneedle\n```\n", "needle", "Top"},
    {"a.rst", "Title\n=====\n\nPart\n----\n\nneedle\n", "needle", "Title, Title > Part"},
    {"a.rst", "=====\nTitle\n=====\n\nneedle\n", "needle", "Title"},
    {"a.adoc", "= Title\n\n== Part\nneedle\n", "needle", "Title, Title > Part"},
    {"a.texi", "@chapter One\nx\n@section Two\nneedle\n", "needle", "One, One > Two"},
    {"x.1", ".TH X 1\n.SH NAME\nneedle\n", "needle", "NAME"},
    {"x.1", ".SH \"SEE ALSO\"\nneedle\n", "needle", "SEE ALSO"},
    {"src/a.c", "# Top\nneedle\n", "needle", ""},
    {"CMakeLists.txt", "Top\n===\nneedle\n", "needle", ""},
};

static void headings_name_what_is_below(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headings); i++) {
        const struct heading *h = &headings[i];
        struct pieces p = split(h->path, str_of(h->text), NULL, 0);
        check_whole(&p, str_of(h->text));
        struct str label = piece_with(&p, h->part)->label;
        if (!str_ends(str_of(h->label), label) || (label.len == 0) != (h->label[0] == '\0')) {
            fail_msg("%s: %.*s", h->text, STR_ARGS(label));
        }
        arena_release(&p.arena);
    }
}

/* A heading in every line, each below long ones: labels and their number stay bounded. */
static void headings_of_strangers(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 8 << 20);
    for (int level = 1; level <= 5; level++) {
        buf_printf(&text, "%.*s ", level, "######");
        for (int i = 0; i < 40; i++) buf_add_str(&text, STR("\xE8\x8C\xB6"));
        buf_add_byte(&text, '\n');
    }
    fill(&text, 100000, "###### x\n");
    struct pieces p = split("a.md", buf_str(&text), NULL, 0);
    check_whole(&p, buf_str(&text));
    for (size_t i = 0; i < p.count; i++) {
        struct str label = p.at[i].label;
        assert_true(label.len <= WIKI_LABEL_BYTES && utf8_valid(label));
    }
    arena_release(&p.arena);
    buf_release(&text);
}

static void marks_of_strangers(void **state)
{
    (void)state;
    struct str text = STR("a\nb\nc\nd\n");
    struct wiki_mark marks[] = {
        {STR("f"), STR("function"), {0}, STR("f"), -5, 2},
        {STR("g"), STR("function"), {0}, STR("g"), 3, 900},
        {STR("h"), STR("function"), {0}, STR("h"), 2, 3},
        {STR("i"), STR("function"), {0}, STR("i"), 4, 1},
        {STR("j"), STR("function"), {0}, STR("j"), 2147483647, 2147483647},
        {STR("k"), STR("function"), {0}, STR("k"), 0, 0},
    };
    struct pieces p = split("a.c", text, marks, COUNT_OF(marks));
    check_whole(&p, text);
    arena_release(&p.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(a_small_file_is_one_piece),
        cmocka_unit_test(functions_are_pieces_with_their_comments),
        cmocka_unit_test(a_large_class_is_cut_at_its_methods),
        cmocka_unit_test(a_giant_function_keeps_its_name),
        cmocka_unit_test(small_things_share_a_piece),
        cmocka_unit_test(long_lines_are_cut_between_characters),
        cmocka_unit_test(headings_name_what_is_below),
        cmocka_unit_test(headings_of_strangers),
        cmocka_unit_test(marks_of_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
