/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_wiki_ignore.c: the first line as a path, the rest as a .gitignore, as a
 * .gitattributes and as filters.
 *
 * Held: a line that is refused as a filter has its sentence and matches nothing; a line that is
 * written literally matches itself; the same question has the same answer with empty lines and
 * comments between, and with '\r' at the ends.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "wiki/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_one_line(struct arena *arena, struct str line, struct str path)
{
    struct why why = {{0}, NULL, NULL};
    struct str begin = str_starts(line, STR("!")) ? str_from(line, 1) : line;
    bool dotted = str_starts(begin, STR("./")) || str_starts(begin, STR("../"));
    enum err err = wiki_ignore_check(line, &why);
    const struct wiki_ignore *ignore = wiki_ignore_parse(arena, line);
    if (!err) return;
    ASSERT(err == ERR_INVALID && why.text[0] != '\0' && utf8_valid(str_of(why.text)));
    if (!utf8_valid(line) || dotted) return;
    ASSERT(wiki_ignore_match(ignore, path, true) == WIKI_SAYS_NOTHING);
}

static void check_literal(struct arena *arena, struct str path)
{
    struct buf line;
    if (path.len == 0 || path.len > LIMIT_WIKI_PATTERN_BYTES / 2) return;
    if (path.at[0] == '/' || path.at[path.len - 1] == '/') return;
    if (path.at[path.len - 1] == '\r') return; /* no line can name it */
    buf_init(&line, LIMIT_WIKI_PATTERN_BYTES + 8);
    buf_add_byte(&line, '/');
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] != '/') buf_add_byte(&line, '\\');
        buf_add_byte(&line, path.at[i]);
    }
    const struct wiki_ignore *ignore = wiki_ignore_parse(arena, buf_str(&line));
    bool fine = str_find(path, STR("//")) == path.len;
    if (fine) ASSERT(wiki_ignore_match(ignore, path, false) == WIKI_SAYS_OUT);
    buf_release(&line);
}

static void check_spread(struct arena *arena, struct str lines, struct str path,
                         enum wiki_ignore_says says)
{
    struct buf spread;
    struct str rest = lines, line;
    buf_init(&spread, 8 * lines.len + 64);
    while (str_split(&rest, '\n', &line)) {
        buf_add_str(&spread, line);
        buf_add_str(&spread, str_ends(line, STR("\r")) ? STR("\n\n# x\n") : STR("\r\n\n# x\n"));
    }
    const struct wiki_ignore *again = wiki_ignore_parse(arena, buf_str(&spread));
    ASSERT(spread.failed || wiki_ignore_match(again, path, false) == says);
    buf_release(&spread);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str lines = {(const char *)data, size}, path, line;
    struct arena arena = {0};
    if (size == 0 || size > 8192 || !str_split(&lines, '\n', &path)) return 0;
    if (path.len > LIMIT_WIKI_PATH_BYTES || memchr(data, '\0', size)) return 0;
    check_literal(&arena, path);
    if (lines.at == NULL) lines = STR("");
    const struct wiki_ignore *ignore = wiki_ignore_parse(&arena, lines);
    enum wiki_ignore_says says = wiki_ignore_match(ignore, path, false);
    (void)wiki_ignore_covers(ignore, path, true);
    if (says == WIKI_SAYS_OUT) ASSERT(wiki_ignore_covers(ignore, path, false));
    (void)wiki_ignore_names(ignore, path);
    (void)wiki_attributes_match(wiki_attributes_parse(&arena, lines), path);
    check_spread(&arena, lines, path, says);
    for (int i = 0; i < 64 && str_split(&lines, '\n', &line); i++)
        check_one_line(&arena, line, path);
    arena_release(&arena);
    return 0;
}
