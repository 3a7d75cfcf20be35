/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/imports_find.c: which file an import is.
 *
 * No build is read, so folders that a compiler is told to look into are not known: a path is
 * looked for beside the file that names it, then as the end of any path. Where several end
 * like it, the one that is nearest (has most folders in common with the one who asks) is
 * meant; where two are as near, nobody knows, and it is none.
 */
#include "wiki/imports.h"

#include "base/map.h"
#include "wiki/language.h"

enum { LOOKED_AT = 64 /* files of one name; a name with more of them is no name of one */ };

struct item {
    size_t file;
    struct item *next;
};

/* Files whose last part, without its extension, is this. */
struct shelf {
    struct item *first;
    size_t count;
};

struct wiki_importing {
    const struct str *paths;
    struct str *modules;   /* what each is called without its extension */
    const char **families; /* of languages that import each other */
    size_t count;
    struct map by_name; /* of struct shelf, by the last part of a module */
};

static struct str folder_of(struct str path)
{
    size_t len = path.len;
    while (len > 0 && path.at[len - 1] != '/') len--;
    return str_head(path, len > 0 ? len - 1 : 0);
}

static struct str last_part(struct str path)
{
    struct str folder = folder_of(path);
    return folder.len > 0 || str_starts(path, STR("/")) ? str_from(path, folder.len + 1) : path;
}

static struct str without_extension(struct str path)
{
    struct str name = last_part(path);
    size_t dot = name.len;
    while (dot > 1 && name.at[dot - 1] != '.') dot--;
    return dot > 1 ? str_head(path, path.len - name.len + dot - 1) : path;
}

static void shelve(struct wiki_importing *w, struct arena *arena, struct str name, size_t file)
{
    struct shelf *shelf = map_find(&w->by_name, name);
    if (!shelf) {
        shelf = ARENA_NEW(arena, struct shelf);
        map_add(&w->by_name, name, shelf);
    }
    struct item *item = ARENA_NEW(arena, struct item);
    *item = (struct item){file, shelf->first};
    shelf->first = item;
    shelf->count++;
}

static const char *family_of(struct str language)
{
    static const struct {
        const char *language, *family;
    } families[] = {{"TypeScript", "JavaScript"},
                    {"Vue", "JavaScript"},
                    {"Svelte", "JavaScript"},
                    {"Cython", "Python"},
                    {"Kotlin", "Java"},
                    {"Scala", "Java"},
                    {"C++", "C"},
                    {"Objective-C", "C"}};
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        if (str_eq(language, str_of(families[i].language))) return families[i].family;
    }
    return language.len > 0 ? language.at : ""; /* literals */
}

/* A folder stands for its index, a package of Go for all of its files. */
static struct str module_of(struct str path, const char *family)
{
    static const char *const heads[] = {"index", "__init__", "mod"};
    struct str module = without_extension(path), name = last_part(module);
    bool head = str_eq(str_of(family), STR("Go"));
    for (size_t i = 0; i < COUNT_OF(heads); i++) head |= str_eq(name, str_of(heads[i]));
    struct str folder = folder_of(path);
    return head && folder.len > 0 ? folder : module;
}

struct wiki_importing *wiki_importing_new(struct arena *arena, const struct str *paths,
                                          size_t count)
{
    struct wiki_importing *w = ARENA_NEW(arena, struct wiki_importing);
    w->paths = paths;
    w->count = count;
    w->modules = ARENA_ARRAY(arena, struct str, count + 1);
    w->families = ARENA_ARRAY(arena, const char *, count + 1);
    /* The last on a shelf is looked at first: of equals that is the first path. */
    for (size_t i = count; i-- > 0;) {
        w->families[i] = family_of(wiki_language(paths[i]));
        w->modules[i] = module_of(paths[i], w->families[i]);
        shelve(w, arena, last_part(w->modules[i]), i);
        struct str name = last_part(without_extension(paths[i]));
        if (!str_eq(name, last_part(w->modules[i]))) shelve(w, arena, name, i);
    }
    return w;
}

void wiki_importing_free(struct wiki_importing *w)
{
    if (w) map_release(&w->by_name);
}

/* ---- one path ---- */

static bool ends_like(struct str path, struct str end)
{
    if (!str_ends(path, end)) return false;
    return path.len == end.len || path.at[path.len - end.len - 1] == '/';
}

/* What is asked for, and how exactly. */
struct wanted {
    size_t from;
    struct str text;
    bool whole; /* all of the path, not only its end */
};

static bool fits(const struct wanted *wanted, struct str path)
{
    return wanted->whole ? str_eq(path, wanted->text) : ends_like(path, wanted->text);
}

/* One part is the name of much: of a module beside the one who asks, or at the top. */
static bool is_close(const struct wiki_importing *w, const struct wanted *wanted, size_t file)
{
    if (wanted->whole || str_find_byte(wanted->text, '/') < wanted->text.len) return true;
    struct str folder = folder_of(w->modules[file]);
    return folder.len == 0 || str_eq(folder, folder_of(w->paths[wanted->from])) ||
           str_eq(folder, STR("src")) || str_eq(folder, STR("lib"));
}

static bool is_meant(const struct wiki_importing *w, const struct wanted *wanted, size_t file)
{
    if (file == wanted->from) return false;
    if (fits(wanted, w->paths[file])) return true;
    if (w->families[file] != w->families[wanted->from] &&
        !str_eq(str_of(w->families[file]), str_of(w->families[wanted->from]))) {
        return false;
    }
    if (fits(wanted, w->modules[file])) return is_close(w, wanted, file);
    /* "./x.js" is x.ts before it is compiled. */
    struct wanted bare = *wanted;
    bare.text = without_extension(wanted->text);
    bool script = str_eq(str_of(w->families[file]), STR("JavaScript"));
    return script && bare.text.len < wanted->text.len && fits(&bare, w->modules[file]);
}

/* Bytes of folders that both paths begin with. */
static size_t nearness(struct str a, struct str b)
{
    size_t common = 0;
    for (size_t i = 0; i < a.len && i < b.len && a.at[i] == b.at[i]; i++) {
        if (a.at[i] == '/') common = i + 1;
    }
    return common;
}

static size_t nearest(const struct wiki_importing *w, const struct wanted *wanted)
{
    size_t best = w->count, best_near = 0;
    bool tie = false;
    struct str names[2] = {last_part(wanted->text), last_part(without_extension(wanted->text))};
    for (size_t n = 0; n < 2; n++) {
        if (n == 1 && str_eq(names[0], names[1])) break;
        const struct shelf *shelf = map_find(&w->by_name, names[n]);
        if (!shelf || shelf->count > LOOKED_AT) continue;
        for (const struct item *item = shelf->first; item; item = item->next) {
            if (!is_meant(w, wanted, item->file)) continue;
            size_t near = nearness(w->paths[item->file], w->paths[wanted->from]);
            bool same = best < w->count && str_eq(w->modules[best], w->modules[item->file]);
            if (best < w->count && (same || near < best_near)) continue;
            tie = best < w->count && near == best_near;
            best = item->file;
            best_near = near;
        }
    }
    return tie ? w->count : best;
}

/* "a/./b/../c" from a folder; empty: it leads out of the repository. */
static struct str joined(struct arena *arena, struct str folder, struct str text)
{
    char path[2048];
    size_t len = 0;
    struct str parts[2] = {folder, text}, part;
    if (folder.len + text.len + 2 > sizeof(path)) return STR("");
    for (size_t i = 0; i < 2; i++) {
        while (parts[i].len > 0 && str_split(&parts[i], '/', &part)) {
            if (part.len == 0 || str_eq(part, STR("."))) continue;
            if (str_eq(part, STR(".."))) {
                if (len == 0) return STR("");
                len = folder_of((struct str){path, len}).len;
                continue;
            }
            if (len > 0) path[len++] = '/';
            memcpy(path + len, part.at, part.len);
            len += part.len;
        }
    }
    return arena_copy(arena, (struct str){path, len});
}

static size_t find_near(const struct wiki_importing *w, struct arena *scratch, size_t from,
                        struct str text)
{
    struct str folder = folder_of(w->paths[from]);
    struct wanted wanted = {from, joined(scratch, folder, text), true};
    size_t found = wanted.text.len > 0 ? nearest(w, &wanted) : w->count;
    if (found < w->count || !str_eq(str_of(w->families[from]), STR("Rust"))) return found;
    /* What foo.rs calls x is foo/x.rs. */
    wanted.text = joined(scratch, without_extension(w->paths[from]), text);
    return wanted.text.len > 0 ? nearest(w, &wanted) : w->count;
}

/* The end of a path; else, without the parts that name the repository itself, all of one. */
static size_t find_far(const struct wiki_importing *w, size_t from, struct str text)
{
    struct wanted wanted = {from, text, false};
    size_t found = nearest(w, &wanted);
    bool hosted =
        str_find_byte(str_head(text, str_find_byte(text, '/')), '.') < str_find_byte(text, '/');
    /* The first part of a PHP name is a folder that is called otherwise. */
    wanted.whole = !str_eq(str_of(w->families[from]), STR("PHP"));
    while (found == w->count) {
        size_t slash = str_find_byte(wanted.text, '/');
        if (slash >= wanted.text.len) break;
        wanted.text = str_from(wanted.text, slash + 1);
        bool last = str_find_byte(wanted.text, '/') >= wanted.text.len;
        if (last && !hosted && str_find_byte(wanted.text, '.') >= wanted.text.len) break;
        if (wanted.text.len > 0) found = nearest(w, &wanted);
    }
    return found;
}

size_t wiki_importing_find(const struct wiki_importing *w, struct arena *scratch, size_t from,
                           const struct wiki_import *import)
{
    ASSERT(from < w->count);
    size_t found = w->count;
    struct str text = import->text;
    if (import->kind == WIKI_IMPORT_NEAR || import->kind == WIKI_IMPORT_ANY) {
        found = find_near(w, scratch, from, text);
    }
    if (import->kind != WIKI_IMPORT_NEAR && found == w->count) found = find_far(w, from, text);
    while (import->kind == WIKI_IMPORT_PARENT && found == w->count && text.len > 0) {
        text = folder_of(text); /* the last part is inside of a file */
        if (text.len > 0) found = find_far(w, from, text);
    }
    return found;
}
