/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_wiki_split.c: any text with any marks, cut in pieces. The pieces in order are the
 * text, none is too large, and none begins in the middle of a character.
 *
 * The first byte chooses the name; then, up to a zero byte, three bytes for each mark.
 */
#include "wiki/split.h"

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MARKS_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"a.c", "a.md", "a.rst", "a.adoc", "a.texi", "a.1"};
    static const char *const kinds[] = {"function", "class", "member", ""};
    if (size == 0) return 0;
    struct str path = str_of(paths[data[0] % COUNT_OF(paths)]);
    struct wiki_mark marks[MARKS_MAX];
    size_t count = 0, at = 1;
    while (at + 3 <= size && data[at] != 0 && count < MARKS_MAX) {
        marks[count++] = (struct wiki_mark){
            STR("f"), str_of(kinds[data[at + 2] % 4]), {0}, STR("f"), data[at] - 3, data[at + 1]};
        at += 3;
    }
    struct str text = {(const char *)data + at, size - at};
    if (!utf8_valid(text)) return 0;

    struct arena arena = {0};
    struct wiki_piece *pieces;
    size_t pieces_count, done = 0;
    wiki_split(&arena, path, text, marks, count, &pieces, &pieces_count);
    for (size_t i = 0; i < pieces_count; i++) {
        ASSERT(pieces[i].text.at == text.at + done && pieces[i].text.len > 0);
        ASSERT(pieces[i].text.len <= WIKI_PIECE_MAX && utf8_valid(pieces[i].text));
        ASSERT(pieces[i].first >= 1 && pieces[i].last >= pieces[i].first);
        ASSERT(pieces[i].label.len <= WIKI_LABEL_BYTES && utf8_valid(pieces[i].label));
        done += pieces[i].text.len;
    }
    ASSERT(done == text.len);
    arena_release(&arena);
    return 0;
}
