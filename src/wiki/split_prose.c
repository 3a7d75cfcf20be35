/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/split_prose.c: headings of Markdown, reStructuredText, AsciiDoc, Texinfo, manual pages.
 *
 * A section is called by its headings from the outermost on: "Install > Debian".
 * Only what a line or two tell is looked at; a heading that is missed costs a
 * label, no text.
 */
#include "wiki/split.h"

#include "base/utf8.h"
#include "wiki/glob.h"
#include "wiki/language.h"

enum {
    LEVELS = 8,
    TITLE_BYTES = 80,
    HEADINGS_MAX = 20 * 1000 /* of one file; what is below the last of them is one section */
};

enum prose { PROSE_NONE, PROSE_MARKDOWN, PROSE_RST, PROSE_ASCIIDOC, PROSE_TEXINFO, PROSE_MANUAL };

static struct str extension_of(struct str path)
{
    for (size_t i = path.len; i > 0 && path.at[i - 1] != '/'; i--) {
        if (path.at[i - 1] == '.') return str_from(path, i);
    }
    return (struct str){0};
}

/* Names that are prose with no extension to say so. */
static bool is_prose_name(struct str name)
{
    static const char *const names[] = {"README",  "CHANGES", "NEWS",    "INSTALL", "TODO",
                                        "COPYING", "AUTHORS", "LICENSE", "HACKING"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    }
    return false;
}

static enum prose prose_of(struct str path)
{
    static const struct {
        const char *extension;
        enum prose prose;
    } kinds[] = {
        {"md", PROSE_MARKDOWN},  {"markdown", PROSE_MARKDOWN}, {"mdx", PROSE_MARKDOWN},
        {"mkd", PROSE_MARKDOWN}, {"rst", PROSE_RST},           {"rest", PROSE_RST},
        {"txt", PROSE_RST},      {"adoc", PROSE_ASCIIDOC},     {"asciidoc", PROSE_ASCIIDOC},
        {"asc", PROSE_ASCIIDOC}, {"texi", PROSE_TEXINFO},      {"texinfo", PROSE_TEXINFO},
    };
    if (str_eq(wiki_language(path), STR("CMake"))) return PROSE_NONE; /* CMakeLists.txt */
    struct str extension = extension_of(path);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_eq_nocase(extension, str_of(kinds[i].extension))) return kinds[i].prose;
    }
    if (extension.len == 1 && extension.at[0] >= '1' && extension.at[0] <= '9') return PROSE_MANUAL;
    return is_prose_name(wiki_path_name(path)) ? PROSE_RST : PROSE_NONE;
}

bool wiki_is_prose(struct str path)
{
    return prose_of(path) != PROSE_NONE;
}

/* What is under way in a file of prose. */
struct headings {
    enum prose prose;
    bool fenced; /* inside of a block of code */
    char fence;
    char marks[LEVELS];      /* reStructuredText: which mark is which level, as they come */
    struct str path[LEVELS]; /* the headings we are under */
};

/* How many times its first character begins `line`. */
static size_t run_of(struct str line, char mark)
{
    size_t count = 0;
    while (count < line.len && line.at[count] == mark) count++;
    return count;
}

/* A line of one mark and nothing else, long enough to stand under `title`. */
static bool underlines(struct str line, struct str title)
{
    line = str_trim(line);
    title = str_trim(title);
    if (line.len < 2 || title.len == 0 || !strchr("=-~^\"'`#*+.:_", line.at[0])) return false;
    return run_of(line, line.at[0]) == line.len && line.len + 2 >= utf8_count(title);
}

/* The level of a mark: those seen first are the outer ones. */
static int level_of_mark(struct headings *h, char mark)
{
    for (int i = 0; i < LEVELS; i++) {
        if (h->marks[i] == mark) return i + 1;
        if (h->marks[i]) continue;
        h->marks[i] = mark;
        return i + 1;
    }
    return LEVELS;
}

static bool turns_fence(struct headings *h, struct str line)
{
    line = str_trim(line);
    char mark = line.len >= 3 ? line.at[0] : '\0';
    if ((mark != '`' && mark != '~') || run_of(line, mark) < 3) return false;
    if (h->fenced && mark != h->fence) return false;
    h->fenced = !h->fenced;
    h->fence = mark;
    return true;
}

/* "## Title ##" and "== Title". */
static int marked_heading(struct str line, char mark, struct str *title_out)
{
    size_t level = run_of(line, mark);
    if (level == 0 || level > 6 || level >= line.len || line.at[level] != ' ') return 0;
    struct str title = str_trim(str_from(line, level));
    while (title.len > 0 && title.at[title.len - 1] == mark) title.len--;
    *title_out = str_trim(title);
    return title_out->len > 0 ? (int)level : 0;
}

static int texinfo_heading(struct str line, struct str *title_out)
{
    static const struct {
        const char *word;
        int level;
    } words[] = {{"@chapter ", 1},      {"@unnumbered ", 1},    {"@appendix ", 1},
                 {"@section ", 2},      {"@unnumberedsec ", 2}, {"@subsection ", 3},
                 {"@subsubsection ", 4}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!str_starts(line, str_of(words[i].word))) continue;
        *title_out = str_trim(str_from(line, strlen(words[i].word)));
        return words[i].level;
    }
    return 0;
}

static int manual_heading(struct str line, struct str *title_out)
{
    if (line.len < 5 || line.at[0] != '.' || (line.at[1] != 'S' && line.at[1] != 's')) return 0;
    int level = line.at[2] == 'H' || line.at[2] == 'h' ? 1 : line.at[2] == 'S' ? 2 : 0;
    if (level == 0 || line.at[3] != ' ') return 0;
    struct str title = str_trim(str_from(line, 4));
    if (title.len > 1 && title.at[0] == '"' && title.at[title.len - 1] == '"') {
        title = (struct str){title.at + 1, title.len - 2};
    }
    *title_out = title;
    return title.len ? level : 0;
}

/* The level of a heading that begins at `line`, or 0. */
static int heading_at(struct headings *h, const struct wiki_lines *lines, int line,
                      struct str *title_out)
{
    struct str here = wiki_line(lines, line);
    struct str next = line + 1 < lines->count ? wiki_line(lines, line + 1) : (struct str){0};
    switch (h->prose) {
    case PROSE_NONE: return 0;
    case PROSE_MARKDOWN:
        if (turns_fence(h, here) || h->fenced) return 0;
        if (marked_heading(here, '#', title_out)) return marked_heading(here, '#', title_out);
        if (next.len >= 3 && str_trim(next).len >= 3 && underlines(next, here) &&
            strchr("=-", next.at[0]) && !strchr("-*>|#", str_trim(here).at[0])) {
            *title_out = str_trim(here);
            return next.at[0] == '=' ? 1 : 2;
        }
        return 0;
    case PROSE_RST:
        if (here.len == 0 || strchr(" \t\n", here.at[0]) || next.len == 0 || next.at[0] == ' ' ||
            !underlines(next, here) || underlines(here, here)) {
            return 0;
        }
        *title_out = str_trim(here);
        return level_of_mark(h, next.at[0]);
    case PROSE_ASCIIDOC: return marked_heading(here, '=', title_out);
    case PROSE_TEXINFO: return texinfo_heading(here, title_out);
    case PROSE_MANUAL: return manual_heading(here, title_out);
    }
    return 0;
}

/* The outermost are kept when it becomes too long for a label. */
static struct str label_of(struct arena *arena, const struct headings *h)
{
    char label[LEVELS * (TITLE_BYTES + 3)];
    size_t len = 0;
    for (int i = 0; i < LEVELS; i++) {
        struct str part = h->path[i];
        if (part.len == 0) continue;
        if (len > 0) {
            memcpy(label + len, " > ", 3);
            len += 3;
        }
        memcpy(label + len, part.at, part.len);
        len += part.len;
    }
    if (len > WIKI_LABEL_BYTES) len = utf8_floor(label, WIKI_LABEL_BYTES);
    return arena_copy(arena, (struct str){label, len});
}

static void enter(struct headings *h, int level, struct str title)
{
    for (int i = level - 1; i < LEVELS; i++) h->path[i] = (struct str){0};
    if (title.len > TITLE_BYTES) title.len = utf8_floor(title.at, TITLE_BYTES);
    h->path[level - 1] = title;
}

void wiki_split_prose(struct arena *arena, struct str path, const struct wiki_lines *lines,
                      struct wiki_runs *runs)
{
    struct headings h = {.prose = prose_of(path)};
    struct wiki_run run = {0, 0, {0}, true};
    int headings = 0;
    for (int line = 0; line < lines->count && headings < HEADINGS_MAX; line++) {
        struct str title;
        int level = heading_at(&h, lines, line, &title);
        if (level == 0) continue;
        headings++;
        run.last = line;
        wiki_runs_add(arena, runs, run);
        enter(&h, MIN(level, (int)LEVELS), title);
        /* A section of its own begins a piece; what is below it may share that. */
        run = (struct wiki_run){line, 0, label_of(arena, &h), level > 2};
    }
    run.last = lines->count;
    wiki_runs_add(arena, runs, run);
}
