/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_wiki_split.c: any text with any marks, cut in pieces. The pieces in order are the
 * text, none is too large, and none begins in the middle of a character. What the text imports,
 * read as each language, is within its ceilings.
 *
 * The first byte chooses the name; then, up to a zero byte, three bytes for each mark.
 */
#include "wiki/split.h"

#include "base/utf8.h"
#include "wiki/imports.h"
#include "wiki/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MARKS_MAX = 32 };

/* In whatever language: within the ceilings, and resolved to a file or to none. */
static void check_imports(struct arena *arena, struct str text)
{
    static const char *const files[] = {"a/b.c",  "a/c.h",  "x.py",      "x/__init__.py", "y.js",
                                        "m.go",   "s/l.rs", "J.java",    "r.rb",          "p.php",
                                        "P/m.pm", "l.lua",  "bin/run.sh"};
    struct str paths[COUNT_OF(files)];
    for (size_t i = 0; i < COUNT_OF(files); i++) paths[i] = str_of(files[i]);
    struct wiki_importing *importing = wiki_importing_new(arena, paths, COUNT_OF(files));
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct wiki_import *imports;
        size_t count = wiki_imports(arena, paths[i], wiki_language(paths[i]), text, &imports);
        ASSERT(count <= WIKI_IMPORTS_MAX);
        for (size_t n = 0; n < count; n++) {
            ASSERT(imports[n].text.len > 0 && imports[n].text.len <= WIKI_IMPORT_BYTES);
            size_t found = wiki_importing_find(importing, arena, i, &imports[n]);
            ASSERT(found <= COUNT_OF(files) && found != i);
        }
    }
    wiki_importing_free(importing);
}

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
    check_imports(&arena, text);
    arena_release(&arena);
    return 0;
}
