/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/diagram.h"

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
    static const char signs[] = "A[](){}|\"-=>;& \n#";
    uint32_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        struct buf page, to;
        buf_init(&page, 4096);
        buf_init(&to, 16384);
        buf_add_str(&page, STR("```mermaid\ngraph TD\n"));
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
        cmocka_unit_test(everything_else_stays),
        cmocka_unit_test(rubbish_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
