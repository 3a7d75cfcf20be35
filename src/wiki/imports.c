/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/imports.h"

#include "base/map.h"

struct importing {
    struct arena *arena;
    struct wiki_import *at; /* in the arena */
    size_t count, cap;
    struct map seen;
    bool block; /* of Go: between "import (" and ")" */
};

/* ---- keeping ---- */

static bool is_path_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || (c != '\0' && strchr("_-./+@~", c));
}

static void grow(struct importing *i)
{
    size_t cap = i->cap ? 2 * i->cap : 16;
    struct wiki_import *more = ARENA_ARRAY(i->arena, struct wiki_import, cap);
    if (i->cap) memcpy(more, i->at, i->cap * sizeof(*more));
    i->at = more;
    i->cap = cap;
}

static void keep(struct importing *i, struct str text, enum wiki_import_kind kind)
{
    if (text.len == 0 || text.len > WIKI_IMPORT_BYTES || i->count == WIKI_IMPORTS_MAX) return;
    for (size_t n = 0; n < text.len; n++) {
        if (!is_path_byte(text.at[n])) return;
    }
    if (map_find(&i->seen, text)) return;
    if (i->count == i->cap) grow(i);
    struct wiki_import *import = &i->at[i->count++];
    *import = (struct wiki_import){arena_copy(i->arena, text), kind};
    map_add(&i->seen, import->text, i); /* that it is there is all */
}

/* "a.b" with '/' for each `part`; what is no name in it ends it. */
static void keep_dotted(struct importing *i, struct str name, const char *part, bool parent)
{
    char path[WIKI_IMPORT_BYTES + 1];
    size_t len = 0, step = strlen(part);
    for (size_t n = 0; n < name.len && len < WIKI_IMPORT_BYTES;) {
        if (str_starts(str_from(name, n), str_of(part))) {
            path[len++] = '/';
            n += step;
            continue;
        }
        char c = name.at[n++];
        if (!is_path_byte(c) || strchr("./@~+", c)) break;
        path[len++] = c;
    }
    while (len > 0 && path[len - 1] == '/') len--;
    keep(i, (struct str){path, len}, parent ? WIKI_IMPORT_PARENT : WIKI_IMPORT_FAR);
}

/* What stands in the first quotes of `text`. */
static struct str quoted(struct str text)
{
    for (size_t n = 0; n < text.len; n++) {
        char quote = text.at[n];
        if (quote != '"' && quote != '\'' && quote != '`') continue;
        struct str inside = str_from(text, n + 1);
        size_t end = str_find_byte(inside, quote);
        return end < inside.len ? str_head(inside, end) : STR("");
    }
    return STR("");
}

static bool after(struct str line, const char *word, struct str *rest)
{
    size_t len = strlen(word);
    if (!str_starts(line, str_of(word))) return false;
    char next = line.len > len ? line.at[len] : ' ';
    if (is_path_byte(next) && !strchr("./", next) && (next & 0x80) == 0) return false;
    *rest = str_trim(str_from(line, len));
    return true;
}

/* ---- languages ---- */

static void line_of_c(struct importing *i, struct str line)
{
    struct str rest;
    if (line.at[0] != '#') return;
    line = str_trim(str_from(line, 1));
    if (!after(line, "include", &rest) && !after(line, "import", &rest)) return;
    if (rest.len > 0 && rest.at[0] == '"') keep(i, quoted(rest), WIKI_IMPORT_ANY);
    if (rest.len > 0 && rest.at[0] == '<') {
        keep(i, str_head(str_from(rest, 1), str_find_byte(rest, '>') - 1), WIKI_IMPORT_FAR);
    }
}

/* "from ..a.b import c": a step up for each dot but the first. */
static void keep_relative(struct importing *i, struct str module, struct str name)
{
    size_t dots = 0;
    while (dots < module.len && module.at[dots] == '.') dots++;
    struct str rest = str_from(module, dots);
    char path[WIKI_IMPORT_BYTES + 1];
    size_t len = 0;
    for (size_t n = 1; n < dots && len + 3 < sizeof(path); n++) {
        memcpy(path + len, "../", 3);
        len += 3;
    }
    for (size_t n = 0; n < rest.len && len + 1 < sizeof(path); n++) {
        path[len++] = rest.at[n] == '.' ? '/' : rest.at[n];
    }
    if (name.len > 0 && len + name.len + 1 < sizeof(path)) {
        if (rest.len > 0) path[len++] = '/';
        memcpy(path + len, name.at, name.len);
        len += name.len;
    }
    char near[WIKI_IMPORT_BYTES + 4];
    int all = snprintf(near, sizeof(near), "./%.*s", (int)len, path);
    if (len > 0) keep(i, (struct str){near, (size_t)all}, WIKI_IMPORT_NEAR);
}

static void line_of_python(struct importing *i, struct str line)
{
    struct str rest, one;
    if (after(line, "import", &rest)) {
        while (str_split(&rest, ',', &one)) keep_dotted(i, str_trim(one), ".", false);
        return;
    }
    if (!after(line, "from", &rest)) return;
    size_t at = str_find(rest, STR(" import"));
    if (at >= rest.len) return;
    struct str module = str_trim(str_head(rest, at)), names = str_trim(str_from(rest, at + 7));
    bool relative = str_starts(module, STR("."));
    if (!relative) keep_dotted(i, module, ".", false);
    if (relative && module.at[module.len - 1] != '.') keep_relative(i, module, STR(""));
    /* A name may be a module, too. */
    while (names.len > 0 && strchr("( ", names.at[0])) names = str_from(names, 1);
    while (str_split(&names, ',', &one)) {
        one = str_trim(one);
        size_t len = 0;
        while (len < one.len && is_path_byte(one.at[len]) && !strchr("./-", one.at[len])) len++;
        if (len == 0) continue;
        if (relative) {
            keep_relative(i, module, str_head(one, len));
            continue;
        }
        char path[2 * WIKI_IMPORT_BYTES];
        int all = snprintf(path, sizeof(path), "%.*s.%.*s", (int)MIN(module.len, (size_t)150),
                           module.at, (int)MIN(len, (size_t)100), one.at);
        keep_dotted(i, (struct str){path, (size_t)all}, ".", false);
    }
}

static void line_of_script(struct importing *i, struct str line)
{
    static const char *const words[] = {"from ", "import ", "import(", "require("};
    for (size_t n = 0; n < COUNT_OF(words); n++) {
        size_t at = str_find(line, str_of(words[n]));
        if (at >= line.len || (at > 0 && is_path_byte(line.at[at - 1]))) continue;
        struct str text = quoted(str_from(line, at));
        if (str_starts(text, STR("."))) keep(i, text, WIKI_IMPORT_NEAR);
        /* "@/x" and "~/x" are the folder of the sources to many builders. */
        if (str_starts(text, STR("@/")) || str_starts(text, STR("~/"))) {
            keep(i, str_from(text, 2), WIKI_IMPORT_FAR);
        }
    }
}

static void line_of_go(struct importing *i, struct str line)
{
    struct str rest;
    if (i->block && line.at[0] == ')') i->block = false;
    bool begins = after(line, "import", &rest);
    if (begins && str_starts(rest, STR("("))) i->block = true;
    if (!begins && !i->block) return;
    struct str text = quoted(line);
    if (str_find_byte(text, '/') < text.len) keep(i, text, WIKI_IMPORT_FAR);
}

static void line_of_rust(struct importing *i, struct str line)
{
    struct str rest;
    if (str_starts(line, STR("pub"))) {
        size_t blank = str_find_byte(line, ' ');
        line = str_trim(str_from(line, blank));
    }
    if (after(line, "mod", &rest) && str_ends(rest, STR(";"))) {
        rest = str_trim(str_head(rest, rest.len - 1));
        char path[WIKI_IMPORT_BYTES + 4];
        int len = snprintf(path, sizeof(path), "./%.*s", (int)MIN(rest.len, (size_t)100), rest.at);
        keep(i, (struct str){path, (size_t)len}, WIKI_IMPORT_NEAR);
    }
    if (after(line, "use", &rest) && str_starts(rest, STR("crate::"))) {
        keep_dotted(i, str_from(rest, 7), "::", true);
    }
}

static void line_of_java(struct importing *i, struct str line)
{
    struct str rest;
    if (!after(line, "import", &rest)) return;
    bool part = after(rest, "static", &rest);
    keep_dotted(i, rest, ".", part);
}

static void line_of_ruby(struct importing *i, struct str line)
{
    struct str rest;
    if (after(line, "require_relative", &rest)) {
        char path[WIKI_IMPORT_BYTES + 4];
        struct str text = quoted(rest);
        int len = snprintf(path, sizeof(path), "./%.*s", (int)MIN(text.len, (size_t)190), text.at);
        if (text.len > 0) keep(i, (struct str){path, (size_t)len}, WIKI_IMPORT_NEAR);
    } else if (after(line, "require", &rest) || after(line, "load", &rest)) {
        keep(i, quoted(rest), WIKI_IMPORT_FAR);
    }
}

static void line_of_php(struct importing *i, struct str line)
{
    static const char *const words[] = {"require_once", "require", "include_once", "include"};
    struct str rest;
    if (after(line, "use", &rest)) {
        keep_dotted(i, str_starts(rest, STR("\\")) ? str_from(rest, 1) : rest, "\\", false);
        return;
    }
    for (size_t n = 0; n < COUNT_OF(words); n++) {
        if (!after(line, words[n], &rest)) continue;
        struct str text = quoted(rest);
        while (str_starts(text, STR("/"))) text = str_from(text, 1); /* __DIR__ . '/x' */
        keep(i, text, WIKI_IMPORT_ANY);
        return;
    }
}

static void line_of_perl(struct importing *i, struct str line)
{
    struct str rest;
    if (!after(line, "use", &rest) && !after(line, "require", &rest)) return;
    if (rest.len > 0 && rest.at[0] >= 'A' && rest.at[0] <= 'Z') keep_dotted(i, rest, "::", false);
}

static void line_of_lua(struct importing *i, struct str line)
{
    size_t at = str_find(line, STR("require"));
    if (at < line.len) keep_dotted(i, quoted(str_from(line, at)), ".", false);
}

static void line_of_shell(struct importing *i, struct str line)
{
    struct str rest;
    if (!after(line, "source", &rest) && !(line.at[0] == '.' && after(line, ".", &rest))) return;
    if (line.at[0] == '.' && (line.len < 2 || line.at[1] != ' ')) return;
    struct str text = quoted(rest);
    if (text.len == 0) text = str_head(rest, str_find_byte(rest, ' '));
    /* "$(dirname "$0")/lib.sh": what stands behind the last sign of the shell. */
    for (size_t n = rest.len; n > 0; n--) {
        if (!strchr("$)}\"'", rest.at[n - 1]) || n == rest.len) continue;
        text = str_head(str_from(rest, n), str_find_byte(str_from(rest, n), '"'));
        break;
    }
    while (text.len > 0 && strchr("/\"'", text.at[0])) text = str_from(text, 1);
    keep(i, text, WIKI_IMPORT_ANY);
}

typedef void import_line(struct importing *i, struct str line);

static const struct reader {
    const char *language;
    import_line *read;
    const char *begins; /* what lines that matter begin with; NULL: with anything */
} readers[] = {
    {"C", line_of_c, "#"},
    {"C++", line_of_c, "#"},
    {"Objective-C", line_of_c, "#"},
    {"Python", line_of_python, "if"},
    {"Cython", line_of_python, "if"},
    {"JavaScript", line_of_script, NULL},
    {"TypeScript", line_of_script, NULL},
    {"Vue", line_of_script, NULL},
    {"Svelte", line_of_script, NULL},
    {"Go", line_of_go, NULL},
    {"Rust", line_of_rust, "mpu"},
    {"Java", line_of_java, "i"},
    {"Kotlin", line_of_java, "i"},
    {"Scala", line_of_java, "i"},
    {"Ruby", line_of_ruby, "rl"},
    {"PHP", line_of_php, "uri"},
    {"Perl", line_of_perl, "ur"},
    {"Lua", line_of_lua, NULL},
    {"Shell", line_of_shell, "s."},
};

static const struct reader *reader_of(struct str language)
{
    for (size_t n = 0; n < COUNT_OF(readers); n++) {
        if (str_eq(language, str_of(readers[n].language))) return &readers[n];
    }
    return NULL;
}

size_t wiki_imports(struct arena *arena, struct str path, struct str language, struct str text,
                    struct wiki_import **imports_out)
{
    struct importing i = {.arena = arena};
    const struct reader *reader = path.len > 0 ? reader_of(language) : NULL;
    struct str line;
    while (reader && text.len > 0 && i.count < WIKI_IMPORTS_MAX && str_split(&text, '\n', &line)) {
        while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) line = str_from(line, 1);
        if (line.len == 0 || line.len > WIKI_IMPORT_LINE_BYTES) continue;
        if (reader->begins && !strchr(reader->begins, line.at[0])) continue;
        line = str_trim(line);
        if (line.len > 0) reader->read(&i, line);
    }
    map_release(&i.seen);
    *imports_out = i.at;
    return i.count;
}
