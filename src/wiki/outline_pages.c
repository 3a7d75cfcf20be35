/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/outline_pages.c: the pages of an outline. Each says only what the index says, and where.
 */
#include <stdlib.h>

#include "wiki/outline_internal.h"

enum {
    README_LINES = 60,
    LANGUAGES = 40,
    LANGUAGE_ROWS = 12,
    NODES = 12,
    ARROWS = 24,
    CONNECTED_ROWS = 15,
    ENTRY_ROWS = 40,
    FILE_ROWS = 25,
    SYMBOL_ROWS = 40,
    SYMBOLS_A_FILE = 4,
    NEIGHBOURS = 10
};

/* A name and a number, to be put in order. */
struct tally {
    struct str name;
    uint64_t files, weight;
};

static int heavier_first(const void *left, const void *right)
{
    const struct tally *a = left, *b = right;
    return (a->weight < b->weight) - (a->weight > b->weight);
}

static struct tally *tally_of(struct tally *all, size_t *count, size_t max, struct str name)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_eq(all[i].name, name)) return &all[i];
    }
    if (*count == max) return NULL;
    all[*count] = (struct tally){.name = name};
    return &all[(*count)++];
}

static void put_cell(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '|') buf_add_byte(to, '\\');
        buf_add_byte(to, text.at[i] == '\n' ? ' ' : text.at[i]);
    }
}

static void put_source(struct buf *to, struct str path, int first, int last)
{
    buf_printf(to, "[%.*s:%d-%d]", STR_ARGS(path), first, last);
}

static void put_heading(struct buf *to, const struct outline_facts *facts, const char *english,
                        const char *chinese)
{
    buf_printf(to, "## %s\n\n", OUTLINE_SAY(facts, english, chinese));
}

/* --- overview --- */

static void put_size(const struct outline_facts *facts, struct buf *to)
{
    struct tally languages[LANGUAGES];
    size_t count = 0, files = 0;
    uint64_t lines = 0;
    for (size_t i = 0; i < facts->file_count; i++) {
        const struct wiki_index_file *file = &facts->files[i];
        if (file->left_out) continue;
        files++;
        lines += (uint64_t)file->lines;
        struct str name = file->language.len ? file->language : STR("–");
        struct tally *language = tally_of(languages, &count, LANGUAGES, name);
        if (language == NULL) continue;
        language->files++;
        language->weight += (uint64_t)file->lines;
    }
    put_heading(to, facts, "Size", "规模");
    buf_printf(to, OUTLINE_SAY(facts, "%zu files, %llu lines", "%zu 个文件，%llu 行"), files,
               (unsigned long long)lines);
    if (facts->wanted->commit.len) {
        buf_printf(to, OUTLINE_SAY(facts, ", at commit `%.12s`", "，提交 `%.12s`"),
                   facts->wanted->commit.at);
    }
    buf_add_str(to, str_of(OUTLINE_SAY(facts, ".\n\n| Language | Files | Lines |\n|---|--:|--:|\n",
                                       "。\n\n| 语言 | 文件 | 行数 |\n|---|--:|--:|\n")));
    qsort(languages, count, sizeof(struct tally), heavier_first);
    for (size_t i = 0; i < count && i < LANGUAGE_ROWS; i++) {
        buf_add_str(to, STR("| "));
        put_cell(to, languages[i].name);
        buf_printf(to, " | %llu | %llu |\n", (unsigned long long)languages[i].files,
                   (unsigned long long)languages[i].weight);
    }
    buf_add_byte(to, '\n');
}

/* Its first lines, as a quotation: what is in there is its author's. */
static void put_quoted(struct buf *to, struct str text)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        buf_add_str(to, STR("> "));
        buf_add_str(to, line);
        buf_add_byte(to, '\n');
    }
    buf_add_byte(to, '\n');
}

static enum err put_readme(const struct outline_facts *facts, struct str path, struct buf *to,
                           struct why *why)
{
    struct str text;
    int lines;
    if (path.len == 0) return OK;
    enum err err =
        wiki_index_read(facts->index, facts->arena, path, 1, README_LINES, &text, &lines, why);
    if (err) return err == ERR_NOT_FOUND ? OK : err;
    put_heading(to, facts, "What its README says", "README 的内容");
    put_quoted(to, text);
    put_source(to, path, 1, MIN(lines, README_LINES));
    buf_add_str(to, STR("\n\n"));
    return OK;
}

enum err outline_overview(const struct outline_facts *facts, struct buf *to, struct why *why)
{
    enum err err = put_readme(facts, facts->readme, to, why);
    put_size(facts, to);
    return err;
}

/* --- layout --- */

void outline_layout(const struct outline_facts *facts, struct buf *to)
{
    size_t left_out = 0;
    buf_add_str(
        to, str_of(OUTLINE_SAY(facts, "| Folder | Files | Lines | Mostly |\n|---|--:|--:|---|\n",
                               "| 文件夹 | 文件 | 行数 | 主要语言 |\n|---|--:|--:|---|\n")));
    for (size_t i = 0; i < facts->module_count; i++) {
        const struct module *module = &facts->modules[i];
        buf_add_str(to, STR("| `"));
        put_cell(to, module->path);
        buf_printf(to, "` | %zu | %llu | ", module->files, (unsigned long long)module->lines);
        put_cell(to, module->language);
        buf_add_str(to, STR(" |\n"));
    }
    for (size_t i = 0; i < facts->file_count; i++) left_out += facts->files[i].left_out != 0;
    buf_add_byte(to, '\n');
    if (left_out == 0) return;
    buf_printf(to,
               OUTLINE_SAY(facts, "%zu files were left out (generated, binary, excluded …).\n\n",
                           "%zu 个文件未收录（生成的、二进制的、被排除的等）。\n\n"),
               left_out);
}

/* --- connections --- */

/* Between modules: "from\nto" and how many symbols. */
struct arrow {
    const struct module *from, *to;
    uint64_t weight;
};

static int heavier_arrow_first(const void *left, const void *right)
{
    const struct arrow *a = left, *b = right;
    return (a->weight < b->weight) - (a->weight > b->weight);
}

static size_t find_arrows(const struct outline_facts *facts, struct arrow *arrows, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < facts->edge_count; i++) {
        const struct module *from = outline_module_of(facts, facts->edges[i].from);
        const struct module *to = outline_module_of(facts, facts->edges[i].to);
        if (from == NULL || to == NULL || from == to) continue;
        size_t at = 0;
        while (at < count && (arrows[at].from != from || arrows[at].to != to)) at++;
        if (at == max) continue;
        if (at == count) arrows[count++] = (struct arrow){from, to, 0};
        arrows[at].weight += facts->edges[i].weight;
    }
    qsort(arrows, count, sizeof(struct arrow), heavier_arrow_first);
    return count;
}

/* A label of a flow chart: what Mermaid reads as a sign of its own is left out. */
static void put_label(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("\"[](){}<>|;#&`\n\\", text.at[i]) == NULL) buf_add_byte(to, text.at[i]);
    }
}

static void put_chart(const struct outline_facts *facts, struct buf *to)
{
    enum { MAX = OUTLINE_MODULES * OUTLINE_MODULES };
    struct arrow *arrows = ARENA_ARRAY(facts->arena, struct arrow, MAX);
    size_t count = find_arrows(facts, arrows, MAX);
    bool shown[OUTLINE_MODULES] = {false};
    size_t nodes = 0;
    if (count == 0) return;
    buf_add_str(to, STR("```mermaid\ngraph TD\n"));
    for (size_t i = 0, drawn = 0; i < count && drawn < ARROWS; i++) {
        size_t ends[2] = {(size_t)(arrows[i].from - facts->modules),
                          (size_t)(arrows[i].to - facts->modules)};
        size_t fresh = (size_t)!shown[ends[0]] + (size_t)!shown[ends[1]];
        if (nodes + fresh > NODES) continue;
        for (size_t end = 0; end < 2; end++) {
            if (shown[ends[end]]) continue;
            shown[ends[end]] = true;
            buf_printf(to, "    m%zu[\"", ends[end]);
            put_label(to, facts->modules[ends[end]].path);
            buf_add_str(to, STR("\"]\n"));
        }
        nodes += fresh;
        buf_printf(to, "    m%zu -->|%llu| m%zu\n", ends[0], (unsigned long long)arrows[i].weight,
                   ends[1]);
        drawn++;
    }
    buf_add_str(to, STR("```\n\n"));
    buf_add_str(to, str_of(OUTLINE_SAY(
                        facts,
                        "An arrow goes to the folder whose definitions are used; the number says "
                        "how many, counted a file.\n\n",
                        "箭头指向被使用的文件夹，数字是被用到的定义数（按文件计）。\n\n")));
}

void outline_connections(const struct outline_facts *facts, struct buf *to)
{
    enum { MAX = 4096 };
    struct tally *files = ARENA_ARRAY(facts->arena, struct tally, MAX);
    size_t count = 0;
    put_chart(facts, to);
    for (size_t i = 0; i < facts->edge_count; i++) {
        struct tally *file = tally_of(files, &count, MAX, facts->edges[i].to);
        if (file == NULL) continue;
        file->files++;
        file->weight += facts->edges[i].weight;
    }
    if (count == 0) {
        buf_add_str(to, str_of(OUTLINE_SAY(facts, "No file uses what another defines.\n",
                                           "没有文件使用其他文件的定义。\n")));
        return;
    }
    qsort(files, count, sizeof(struct tally), heavier_first);
    put_heading(to, facts, "Files that others rest on", "被依赖最多的文件");
    buf_add_str(to, str_of(OUTLINE_SAY(facts, "| File | Used by files | Uses |\n|---|--:|--:|\n",
                                       "| 文件 | 使用它的文件 | 使用次数 |\n|---|--:|--:|\n")));
    for (size_t i = 0; i < count && i < CONNECTED_ROWS; i++) {
        buf_add_str(to, STR("| `"));
        put_cell(to, files[i].name);
        buf_printf(to, "` | %llu | %llu |\n", (unsigned long long)files[i].files,
                   (unsigned long long)files[i].weight);
    }
    buf_add_byte(to, '\n');
}

/* --- entries --- */

/* Where a program, a package or a build begins, by the names that people give. */
static bool is_entry(struct str path)
{
    static const char *const names[] = {
        "main.",      "index.js",        "index.ts",     "index.tsx",
        "app.py",     "manage.py",       "server.",      "cli.",
        "__main__.",  "setup.py",        "package.json", "pyproject.toml",
        "Cargo.toml", "go.mod",          "Makefile",     "CMakeLists.txt",
        "Dockerfile", "docker-compose.", "pom.xml",      "build.gradle"};
    struct str name = wiki_path_name(path);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct str wanted = str_of(names[i]);
        bool start = wanted.at[wanted.len - 1] == '.';
        if (start ? str_starts(name, wanted) : str_eq(name, wanted)) return true;
    }
    return false;
}

static size_t depth_of(struct str path)
{
    size_t depth = 0;
    for (size_t i = 0; i < path.len; i++) depth += path.at[i] == '/';
    return depth;
}

void outline_entries(const struct outline_facts *facts, struct buf *to)
{
    size_t rows = 0;
    for (size_t depth = 0; depth < 6 && rows < ENTRY_ROWS; depth++) {
        for (size_t i = 0; i < facts->file_count && rows < ENTRY_ROWS; i++) {
            const struct wiki_index_file *file = &facts->files[i];
            if (file->left_out || depth_of(file->path) != depth || !is_entry(file->path)) continue;
            buf_add_str(to, STR("- "));
            put_source(to, file->path, 1, MAX(file->lines, 1));
            if (file->language.len) buf_printf(to, " %.*s", STR_ARGS(file->language));
            buf_add_byte(to, '\n');
            rows++;
        }
    }
    if (rows == 0) {
        buf_add_str(to, str_of(OUTLINE_SAY(facts, "No file has a name that says so.\n",
                                           "没有文件的名字表明是入口。\n")));
    }
    buf_add_byte(to, '\n');
}

/* --- symbols --- */

static void put_symbol_row(struct buf *to, const struct wiki_symbol *symbol)
{
    buf_add_str(to, STR("| `"));
    if (symbol->scope.len) {
        put_cell(to, symbol->scope);
        buf_add_byte(to, '.');
    }
    put_cell(to, symbol->name);
    buf_add_str(to, STR("` | "));
    put_cell(to, symbol->kind);
    buf_add_str(to, STR(" | "));
    put_source(to, symbol->path, symbol->first, MAX(symbol->last, symbol->first));
    buf_add_str(to, STR(" |\n"));
}

void outline_symbols(const struct outline_facts *facts, struct buf *to)
{
    if (facts->symbol_count == 0) {
        buf_add_str(to,
                    str_of(OUTLINE_SAY(facts, "No definitions were found.\n", "没有找到定义。\n")));
        return;
    }
    buf_add_str(to, str_of(OUTLINE_SAY(facts, "| Name | Kind | Where |\n|---|---|---|\n",
                                       "| 名称 | 种类 | 位置 |\n|---|---|---|\n")));
    for (size_t i = 0; i < facts->symbol_count && i < SYMBOL_ROWS; i++)
        put_symbol_row(to, &facts->symbols[i]);
    buf_add_byte(to, '\n');
}

/* --- a module --- */

static bool is_inside(struct str path, const struct module *module)
{
    return str_starts(path, module->path) && path.len > module->path.len &&
           path.at[module->path.len] == '/';
}

static void put_neighbours(const struct outline_facts *facts, const struct module *module,
                           bool uses, struct buf *to)
{
    struct tally all[OUTLINE_MODULES];
    size_t count = 0;
    for (size_t i = 0; i < facts->edge_count; i++) {
        const struct module *from = outline_module_of(facts, facts->edges[i].from);
        const struct module *into = outline_module_of(facts, facts->edges[i].to);
        const struct module *here = uses ? from : into, *there = uses ? into : from;
        if (here != module || there == NULL || there == module) continue;
        struct tally *other = tally_of(all, &count, OUTLINE_MODULES, there->path);
        if (other) other->weight += facts->edges[i].weight;
    }
    if (count == 0) return;
    qsort(all, count, sizeof(struct tally), heavier_first);
    buf_add_str(to, str_of(uses ? OUTLINE_SAY(facts, "It uses ", "使用：")
                                : OUTLINE_SAY(facts, "It is used by ", "被使用于：")));
    for (size_t i = 0; i < count && i < NEIGHBOURS; i++) {
        buf_printf(to, "%s`%.*s` (%llu)", i ? ", " : "", STR_ARGS(all[i].name),
                   (unsigned long long)all[i].weight);
    }
    buf_add_str(to, STR(".\n\n"));
}

static enum err put_file_row(const struct outline_facts *facts, const struct wiki_index_file *file,
                             struct buf *to, struct why *why)
{
    struct wiki_symbol *symbols;
    size_t count;
    enum err err = wiki_index_symbols(facts->index, facts->arena, file->path, SYMBOLS_A_FILE,
                                      &symbols, &count, why);
    if (err) return err;
    buf_add_str(to, STR("| "));
    put_source(to, file->path, 1, MAX(file->lines, 1));
    buf_printf(to, " | %d | ", file->lines);
    for (size_t i = 0; i < count; i++) {
        buf_add_str(to, i ? STR(", `") : STR("`"));
        put_cell(to, symbols[i].name);
        buf_add_byte(to, '`');
    }
    buf_add_str(to, STR(" |\n"));
    return OK;
}

static int more_lines_first(const void *left, const void *right)
{
    const struct wiki_index_file *const *a = left, *const *b = right;
    return ((*a)->lines < (*b)->lines) - ((*a)->lines > (*b)->lines);
}

enum err outline_module(const struct outline_facts *facts, const struct module *module,
                        struct buf *to, struct why *why)
{
    const struct wiki_index_file **inside =
        ARENA_ARRAY(facts->arena, const struct wiki_index_file *, facts->file_count + 1);
    size_t count = 0;
    enum err err = put_readme(facts, module->readme, to, why);
    put_neighbours(facts, module, true, to);
    put_neighbours(facts, module, false, to);
    for (size_t i = 0; i < facts->file_count; i++) {
        if (!facts->files[i].left_out && is_inside(facts->files[i].path, module))
            inside[count++] = &facts->files[i];
    }
    qsort(inside, count, sizeof(*inside), more_lines_first);
    put_heading(to, facts, "Files", "文件");
    buf_add_str(to, str_of(OUTLINE_SAY(facts, "| File | Lines | Defines |\n|---|--:|---|\n",
                                       "| 文件 | 行数 | 定义 |\n|---|--:|---|\n")));
    for (size_t i = 0; i < count && i < FILE_ROWS && !err; i++)
        err = put_file_row(facts, inside[i], to, why);
    if (count > FILE_ROWS) {
        buf_printf(to,
                   OUTLINE_SAY(facts, "\n%zu smaller files are not listed.\n",
                               "\n另有 %zu 个较小的文件未列出。\n"),
                   count - FILE_ROWS);
    }
    buf_add_byte(to, '\n');
    return err;
}
