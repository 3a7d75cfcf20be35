/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_wiki_diagram.c: a page with one diagram: the first byte picks a kind, the rest
 * stands below it.
 *
 * Held: what is mended is no longer than it may be, and stays as it is when it is mended again;
 * what becomes text is the same text; text around the diagram is not touched.
 */
#include "base/buf.h"
#include "wiki/diagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const firsts[] = {
    "graph TD\n", "sequenceDiagram\n", "classDiagram\n", "stateDiagram-v2\n", "erDiagram\n",
    "pie\n",      "mindmap\n",         "timeline\n",     "journey\n",         "gantt\n",
    "",
};

static void page_of(struct buf *page, struct str first, struct str body)
{
    buf_init(page, 1 << 20);
    buf_add_str(page, STR("before\n```mermaid\n"));
    buf_add_str(page, first);
    buf_add_str(page, body);
    buf_add_str(page, STR("\n```\nafter\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf page, once, twice;
    if (size == 0 || size > 8192) return 0;
    struct str body = {(const char *)data + 1, size - 1};
    if (str_find(body, STR("```")) < body.len) return 0; /* one diagram */
    page_of(&page, str_of(firsts[data[0] % COUNT_OF(firsts)]), body);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    size_t dropped = wiki_diagrams_mend(buf_str(&page), &once);
    ASSERT(!once.failed && dropped <= 1 && once.len <= 2 * page.len + 8192);
    ASSERT(str_starts(buf_str(&once), STR("before\n```")));
    ASSERT(str_ends(buf_str(&once), STR("\n```\nafter\n")));
    if (dropped) {
        struct str was = str_from(buf_str(&page), strlen("before\n```mermaid"));
        ASSERT(str_ends(buf_str(&once), was) &&
               once.len == page.len - strlen("mermaid") + strlen("text"));
    }
    ASSERT(wiki_diagrams_mend(buf_str(&once), &twice) == 0);
    ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
    buf_release(&page);
    buf_release(&once);
    buf_release(&twice);
    return 0;
}
