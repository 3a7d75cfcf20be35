/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/file_kind.h"

static const struct kind {
    double weight;
    const char *parts[16]; /* a part of its path is one of these, in letters of any case */
    const char *ends[12];  /* or it ends with one of these */
    const char *words[20]; /* of a question about such files */
} kinds[WIKI_FILE_KINDS] = {
    [WIKI_FILE_USUAL] = {.weight = 1.0},
    [WIKI_FILE_BUILD] = {.weight = 0.6,
                         .parts = {"build-aux", "m4", "po", "locale", "locales", "i18n", "gnulib",
                                   "gl"},
                         .ends = {".m4", ".po", ".pot", ".in", ".ac", ".am", ".mk"},
                         .words = {"build", "builds", "building", "compile", "configure", "install",
                                   "makefile", "autoconf", "translate", "translation",
                                   "translations", "locale", "gettext", "构建", "编译", "安装",
                                   "翻译"}},
    [WIKI_FILE_TEST] = {.weight = 0.7,
                        .parts = {"test", "tests", "testing", "testsuite", "spec", "specs",
                                  "__tests__", "example", "examples", "bench", "benchmarks",
                                  "fixtures"},
                        .words = {"test", "tests", "tested", "testing", "spec", "example",
                                  "examples", "sample", "benchmark", "benchmarks", "fixture",
                                  "fixtures", "测试", "示例", "例子"}},
    [WIKI_FILE_NEWS] = {.weight = 0.6,
                        .parts = {"NEWS", "TODO", "CHANGES", "CHANGELOG", "CHANGELOG.md",
                                  "CHANGES.md", "HISTORY", "HISTORY.md", "INSTALL", "THANKS",
                                  "AUTHORS", "releases"},
                        .words = {"news",    "change",   "changed",  "changes", "changelog",
                                  "release", "released", "releases", "version", "versions",
                                  "todo",    "install",  "author",   "authors", "history",
                                  "版本",    "发布",     "更新",     "安装",    "作者"}},
};

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count && words[i]; i++) {
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    }
    return false;
}

static bool is_of_kind(const struct kind *kind, struct str path)
{
    struct str rest = path, part;
    while (str_split(&rest, '/', &part)) {
        if (is_one_of(part, kind->parts, COUNT_OF(kind->parts))) return true;
    }
    for (size_t i = 0; i < COUNT_OF(kind->ends) && kind->ends[i]; i++) {
        if (str_ends(path, str_of(kind->ends[i]))) return true;
    }
    return false;
}

enum wiki_file_kind wiki_file_kind(struct str path)
{
    for (int kind = WIKI_FILE_BUILD; kind < WIKI_FILE_KINDS; kind++) {
        if (is_of_kind(&kinds[kind], path)) return (enum wiki_file_kind)kind;
    }
    return WIKI_FILE_USUAL;
}

double wiki_file_kind_weight(enum wiki_file_kind kind)
{
    return kinds[kind].weight;
}

bool wiki_file_kind_is_asked(enum wiki_file_kind kind, struct str word)
{
    return is_one_of(word, kinds[kind].words, COUNT_OF(kinds[kind].words));
}
