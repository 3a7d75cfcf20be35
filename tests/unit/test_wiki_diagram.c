/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/diagram.h"

#include <stdio.h>

#include "unit.h"

/* A line below "flowchart TD", and what becomes of it; NULL: the diagram becomes text. */
struct line {
    const char *is, *becomes;
};

static const struct line lines[] = {
    {"A --> B", "A --> B"},
    {"A[one] --> B(two)", "A[one] --> B(two)"},
    {"A[read(fd)] --> B{ok?}", "A[\"read(fd)\"] --> B{ok?}"},
    {"A[\"read(fd)\"] --> B", "A[\"read(fd)\"] --> B"},
    {"A[say \"hi\"] --> B", "A[\"say #quot;hi#quot;\"] --> B"},
    {"A[\"say \"hi\"\"]", "A[\"say #quot;hi#quot;\"]"},
    {"A[a[0]] --> B[b]", "A[\"a[0]\"] --> B[b]"},
    {"A([round (x)]) --> B[(db {1})]", "A([\"round (x)\"]) --> B[(\"db {1}\")]"},
    {"A[x] -->|f(y)| B[z]", "A[x] -->|\"f(y)\"| B[z]"},
    {"A[x] -->|yes| B[z]", "A[x] -->|yes| B[z]"},
    {"A[x] -- text --> B((z))", "A[x] -- text --> B((z))"},
    {"A[x]:::big & B[f()] ==> C", "A[x]:::big & B[\"f()\"] ==> C"},
    {"茶[壶(大)] --> B", "茶[\"壶(大)\"] --> B"},
    {"subgraph one [Title (x)]", "subgraph one [\"Title (x)\"]"},
    {"end", "end"},
    {"classDef big fill:#f9f,stroke:#333", "classDef big fill:#f9f,stroke:#333"},
    {"style A fill:#f9f", "style A fill:#f9f"},
    {"%% note (a", "%% note (a"},
    {"A[x --> B", NULL},
    {"A --> ) B", NULL},
    {"(A) --> B", NULL},
};

static struct str mend(struct buf *to, const char *line)
{
    struct buf page;
    buf_init(&page, 4096);
    buf_printf(&page, "# T\n\n```mermaid\nflowchart TD\n    %s\n```\n\nend\n", line);
    buf_init(to, 8192);
    (void)!wiki_diagrams_mend(buf_str(&page), to);
    buf_release(&page);
    return buf_str(to);
}

static void labels_are_quoted_where_they_have_to_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct buf to, wanted;
        struct str is = mend(&to, lines[i].is);
        buf_init(&wanted, 8192);
        buf_printf(&wanted, "# T\n\n```%s\nflowchart TD\n    %s\n```\n\nend\n",
                   lines[i].becomes ? "mermaid" : "text",
                   lines[i].becomes ? lines[i].becomes : lines[i].is);
        if (!str_eq(is, buf_str(&wanted))) fail_msg("%s: %.*s", lines[i].is, STR_ARGS(is));
        buf_release(&to);
        buf_release(&wanted);
    }
}

/* ---- tests/unit/wiki_diagrams.md ---- */

static void read_samples(struct buf *to)
{
    char bytes[4096];
    size_t len;
    FILE *file = fopen("tests/unit/wiki_diagrams.md", "r");
    buf_init(to, 1 << 20);
    if (!file) fail_msg("run it from the top of the tree");
    while ((len = fread(bytes, 1, sizeof(bytes), file)) > 0) buf_add(to, bytes, len);
    fclose(file);
}

/* The blocks of one sample, fences and all: as it is, and what becomes of it. */
static size_t read_blocks(struct str sample, struct str blocks[2])
{
    size_t count = 0;
    while (count < 2) {
        size_t open = str_find(sample, STR("```"));
        if (open == sample.len) break;
        sample = str_from(sample, open);
        size_t end = 3 + str_find(str_from(sample, 3), STR("\n```\n")) + strlen("\n```\n");
        blocks[count++] = str_head(sample, end);
        sample = str_from(sample, end);
    }
    return count;
}

static void check_mended(struct str is, struct str wanted, struct str name)
{
    struct buf once, twice;
    buf_init(&once, 1 << 16);
    buf_init(&twice, 1 << 16);
    bool text = str_starts(wanted, STR("```text"));
    assert_int_equal(wiki_diagrams_mend(is, &once), text ? 1 : 0);
    if (!str_eq(buf_str(&once), wanted)) {
        fail_msg("%.*s:\n%.*s", STR_ARGS(name), STR_ARGS(buf_str(&once)));
    }
    assert_int_equal(wiki_diagrams_mend(buf_str(&once), &twice), 0);
    if (!str_eq(buf_str(&twice), wanted)) fail_msg("%.*s, again", STR_ARGS(name));
    buf_release(&once);
    buf_release(&twice);
}

static void what_models_write_is_mended(void **state)
{
    (void)state;
    struct buf all;
    size_t count = 0;
    read_samples(&all);
    struct str rest = buf_str(&all);
    for (size_t at; (at = str_find(rest, STR("\n## "))) < rest.len; count++) {
        rest = str_from(rest, at + 4);
        struct str sample = str_head(rest, str_find(rest, STR("\n## "))), blocks[2];
        struct str name = str_head(sample, str_find_byte(sample, '\n'));
        size_t found = read_blocks(sample, blocks);
        assert_true(found > 0);
        check_mended(blocks[0], blocks[found - 1], name);
    }
    assert_true(count > 80);
    buf_release(&all);
}

/* More lines, names and blocks than anybody draws, and lines without an end. */
static void what_is_too_large_becomes_text(void **state)
{
    (void)state;
    static const struct {
        const char *first, *line;
        int count;
    } pages[] = {{"sequenceDiagram", "A->>B: ;;;;;;;;;;;;;;;;", 5000},
                 {"sequenceDiagram", "alt x", 40},
                 {"stateDiagram-v2", "state A {", 40},
                 {"classDiagram", "namespace a {", 40}};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        struct buf page, to;
        buf_init(&page, 1 << 20);
        buf_init(&to, 1 << 20);
        buf_printf(&page, "```mermaid\n%s\n", pages[i].first);
        for (int n = 0; n < pages[i].count; n++) buf_printf(&page, "%s\n", pages[i].line);
        buf_add_str(&page, STR("```\n"));
        assert_int_equal(wiki_diagrams_mend(buf_str(&page), &to), 1);
        buf_release(&page);
        buf_release(&to);
    }
}

/* All of it is there again, byte by byte. */
static void everything_else_stays(void **state)
{
    (void)state;
    static const char *const pages[] = {
        "",
        "no line end",
        "# T\n\n```c\nint a[read(1)];\n```\n",
        "```mermaid\nsequenceDiagram\n    A->>B: f(x)[0]\n```\n",
        "```mermaid\nflowchart LR\n    A --> B\n",
        "```mermaid\n---\ntitle: a (b\n---\ngraph TD\n    A --> B\n```\n",
        "text ```mermaid``` text\n\n\n",
        "- a\n  - b\n    ```mermaid\n    graph TD\n    A --> B\n    ```\n\nafter\n",
    };
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        struct buf to;
        buf_init(&to, 8192);
        assert_int_equal(wiki_diagrams_mend(str_of(pages[i]), &to), 0);
        if (!str_eq(buf_str(&to), str_of(pages[i])))
            fail_msg("%zu: %.*s", i, STR_ARGS(buf_str(&to)));
        buf_release(&to);
    }
}

/* Whatever bytes there are: an end, and no more than twice as long. */
static void rubbish_has_an_end(void **state)
{
    (void)state;
    static const char signs[] = "A[](){}|\"-=>;& \n#:<~`.";
    static const char *const kinds[] = {"graph TD",        "sequenceDiagram", "classDiagram",
                                        "stateDiagram-v2", "erDiagram",       "pie",
                                        "mindmap"};
    uint32_t seed = 7;
    for (size_t round = 0; round < 2000; round++) {
        struct buf page, to;
        buf_init(&page, 4096);
        buf_init(&to, 16384);
        buf_printf(&page, "```mermaid\n%s\n", kinds[round % COUNT_OF(kinds)]);
        for (int i = 0; i < 60; i++) {
            seed = seed * 1664525 + 1013904223;
            buf_add_byte(&page, signs[(seed >> 16) % (sizeof(signs) - 1)]);
        }
        (void)!wiki_diagrams_mend(buf_str(&page), &to);
        assert_false(to.failed);
        buf_release(&page);
        buf_release(&to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_quoted_where_they_have_to_be),
        cmocka_unit_test(what_models_write_is_mended),
        cmocka_unit_test(what_is_too_large_becomes_text),
        cmocka_unit_test(everything_else_stays),
        cmocka_unit_test(rubbish_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
