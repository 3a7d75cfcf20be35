/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/ignore.c: lists of patterns, the last that matches first.
 *
 * What a pattern is, is told in wiki/glob.c; here is what a file of them is:
 * which lines count, and whose word.
 */
#include "wiki/ignore.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "wiki/glob.h"

struct wiki_ignore {
    struct wiki_glob *patterns;
    size_t count;
};

/* The next line that may be a pattern: no comment, and without the '\r' of other systems. */
static bool next_line(struct str *rest, struct str *line_out)
{
    while (str_split(rest, '\n', line_out)) {
        if (str_ends(*line_out, STR("\r"))) line_out->len--;
        if (line_out->len > 0 && line_out->at[0] != '#') return true;
    }
    return false;
}

static struct str without_mark(struct str text)
{
    return str_starts(text, STR("\xEF\xBB\xBF")) ? str_from(text, 3) : text;
}

static size_t count_lines(struct str text)
{
    size_t lines = 0;
    struct str line;
    while (next_line(&text, &line)) lines++;
    return MIN(lines, LIMIT_WIKI_PATTERNS);
}

const struct wiki_ignore *wiki_ignore_parse(struct arena *arena, struct str text)
{
    text = without_mark(text);
    size_t lines = count_lines(text);
    if (lines == 0) return NULL;
    struct wiki_ignore *ignore = ARENA_NEW(arena, struct wiki_ignore);
    ignore->patterns = ARENA_ARRAY(arena, struct wiki_glob, lines);
    struct str line;
    while (lines-- > 0 && next_line(&text, &line)) {
        bool empty;
        if (wiki_glob_compile(arena, line, &ignore->patterns[ignore->count], &empty) || empty)
            continue;
        ignore->count++;
    }
    return ignore->count > 0 ? ignore : NULL;
}

enum err wiki_ignore_check(struct str text, struct why *why)
{
    if (!utf8_valid(text)) return why_set(why, ERR_INVALID, "a pattern is text in UTF-8");
    struct arena arena = {0};
    struct str line, rest = without_mark(text);
    size_t lines = 0;
    enum err err = OK;
    while (err == OK && next_line(&rest, &line)) {
        struct wiki_glob pattern;
        bool empty;
        const char *wrong = wiki_glob_compile(&arena, line, &pattern, &empty);
        struct str begin = str_starts(line, STR("!")) ? str_from(line, 1) : line;
        if (!wrong && (str_starts(begin, STR("./")) || str_starts(begin, STR("../")))) {
            wrong = "a dot before the first /; patterns count from the top of the repository";
        }
        if (wrong) {
            size_t shown = line.len > 80 ? utf8_floor(line.at, 80) : line.len;
            err = why_set(why, ERR_INVALID, "the pattern \"%.*s\" matches nothing: it has %s",
                          STR_ARGS(str_head(line, shown)), wrong);
        } else if (++lines > LIMIT_WIKI_PATTERNS) {
            err = why_set(why, ERR_INVALID, "at most %d patterns count", LIMIT_WIKI_PATTERNS);
        }
    }
    arena_release(&arena);
    return err;
}

enum wiki_ignore_says wiki_ignore_match(const struct wiki_ignore *ignore, struct str path,
                                        bool is_folder)
{
    if (!ignore) return WIKI_SAYS_NOTHING;
    for (size_t i = ignore->count; i-- > 0;) {
        const struct wiki_glob *pattern = &ignore->patterns[i];
        if (pattern->folder_only && !is_folder) continue;
        if (!wiki_glob_matches(pattern, path)) continue;
        return pattern->negated ? WIKI_SAYS_IN : WIKI_SAYS_OUT;
    }
    return WIKI_SAYS_NOTHING;
}

bool wiki_ignore_covers(const struct wiki_ignore *ignore, struct str path, bool is_folder)
{
    for (size_t at = 0; ignore && at < path.len; at++) {
        at += str_find_byte(str_from(path, at), '/');
        bool folder = at < path.len || is_folder;
        if (wiki_ignore_match(ignore, str_head(path, at), folder) == WIKI_SAYS_OUT) return true;
    }
    return false;
}

bool wiki_ignore_names(const struct wiki_ignore *ignore, struct str part)
{
    for (size_t i = 0; ignore && i < ignore->count; i++) {
        struct str rest = ignore->patterns[i].line, written;
        if (ignore->patterns[i].negated) continue;
        while (str_split(&rest, '/', &written)) {
            if (str_eq(written, part)) return true;
        }
    }
    return false;
}

/* --- attributes --- */

struct attribute_line {
    struct wiki_glob pattern;
    struct wiki_linguist says;
};

struct wiki_attributes {
    struct attribute_line *lines;
    size_t count;
};

/* "name", "name=true", "-name", "name=false", "!name" */
static void read_attribute(struct str word, struct str name, enum wiki_ignore_says *says)
{
    bool off = str_starts(word, STR("-")) || str_starts(word, STR("!"));
    if (off) word = str_from(word, 1);
    if (!str_starts(word, name)) return;
    struct str value = str_from(word, name.len);
    if (value.len > 0 && value.at[0] != '=') return;
    off = off || str_eq_nocase(value, STR("=false"));
    *says = off ? WIKI_SAYS_IN : WIKI_SAYS_OUT;
}

static struct str next_word(struct str *rest)
{
    *rest = str_trim(*rest);
    size_t end = 0;
    while (end < rest->len && rest->at[end] != ' ' && rest->at[end] != '\t') end++;
    struct str word = str_head(*rest, end);
    *rest = str_from(*rest, end);
    return word;
}

/* Patterns with blanks stand in quotes there. Rare, and not worth a second grammar: such a line is
 * passed over. */
static bool compile_attributes(struct arena *arena, struct str line, struct attribute_line *out)
{
    *out = (struct attribute_line){0};
    struct str written = next_word(&line);
    if (written.len == 0 || written.at[0] == '"' || written.at[0] == '!') return false;
    while (line.len > 0) {
        struct str word = next_word(&line);
        read_attribute(word, STR("linguist-generated"), &out->says.generated);
        read_attribute(word, STR("linguist-vendored"), &out->says.vendored);
    }
    if (!out->says.generated && !out->says.vendored) return false;
    bool empty;
    if (wiki_glob_compile(arena, written, &out->pattern, &empty) || empty) return false;
    return !out->pattern.folder_only;
}

const struct wiki_attributes *wiki_attributes_parse(struct arena *arena, struct str text)
{
    text = without_mark(text);
    if (str_find(text, STR("linguist-")) == text.len) return NULL;
    struct wiki_attributes *attributes = ARENA_NEW(arena, struct wiki_attributes);
    size_t lines = count_lines(text);
    attributes->lines = ARENA_ARRAY(arena, struct attribute_line, lines);
    struct str line;
    while (lines-- > 0 && next_line(&text, &line)) {
        if (compile_attributes(arena, line, &attributes->lines[attributes->count])) {
            attributes->count++;
        }
    }
    return attributes->count > 0 ? attributes : NULL;
}

struct wiki_linguist wiki_attributes_match(const struct wiki_attributes *attributes,
                                           struct str path)
{
    struct wiki_linguist says = {WIKI_SAYS_NOTHING, WIKI_SAYS_NOTHING};
    for (size_t i = attributes ? attributes->count : 0; i-- > 0;) {
        const struct attribute_line *line = &attributes->lines[i];
        if ((says.generated || !line->says.generated) && (says.vendored || !line->says.vendored)) {
            continue;
        }
        if (!wiki_glob_matches(&line->pattern, path)) continue;
        if (!says.generated) says.generated = line->says.generated;
        if (!says.vendored) says.vendored = line->says.vendored;
    }
    return says;
}
