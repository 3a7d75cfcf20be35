/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/outline.h"

#include <stdlib.h>

#include "wiki/outline_internal.h"

enum {
    EDGES = 3000,
    SYMBOLS = 60,
    PAGE_BYTES = 512 * 1024,
    MODULE_FILES = 2, /* fewer are no module of their own */
    MODULE_PAGES = 12,
    SPLIT_SHARE = 40 /* a folder with more per cent of all lines is looked into */
};

/* --- modules --- */

static struct str folder_of(struct str path, int depth)
{
    size_t end = 0;
    for (size_t i = 0; i < path.len && depth > 0; i++) {
        if (path.at[i] != '/') continue;
        end = i;
        depth--;
    }
    return str_head(path, end);
}

static bool in_folder(struct str path, struct str folder)
{
    return folder.len == 0
               ? str_find_byte(path, '/') == path.len
               : str_starts(path, folder) && path.len > folder.len && path.at[folder.len] == '/';
}

const struct module *outline_module_of(const struct outline_facts *facts, struct str path)
{
    const struct module *best = NULL;
    for (size_t i = 0; i < facts->module_count; i++) {
        const struct module *module = &facts->modules[i];
        if (in_folder(path, module->path) && (!best || module->path.len > best->path.len))
            best = module;
    }
    return best;
}

static bool is_readme(struct str path)
{
    struct str name = wiki_path_name(path);
    return name.len >= 6 && str_eq_nocase(str_head(name, 6), STR("readme"));
}

static bool is_at_top(struct str path)
{
    return str_find_byte(path, '/') == path.len;
}

struct str wiki_readme(const struct wiki_index_file *files, size_t count)
{
    struct str best = STR("");
    for (size_t i = 0; i < count; i++) {
        struct str path = files[i].path;
        if (files[i].left_out || !is_readme(path)) continue;
        /* README.md comes before README.zh.md. */
        bool better = best.len == 0 || (is_at_top(path) && !is_at_top(best)) ||
                      (is_at_top(path) && path.len < best.len);
        if (better) best = path;
    }
    return best;
}

static struct module *add_folder(struct module *all, size_t *count, size_t max, struct str folder)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_eq(all[i].path, folder)) return &all[i];
    }
    if (*count == max) return NULL;
    all[*count] = (struct module){.path = folder};
    return &all[(*count)++];
}

static int larger_first(const void *left, const void *right)
{
    const struct module *a = left, *b = right;
    return (a->lines < b->lines) - (a->lines > b->lines);
}

static void count_folders(struct outline_facts *facts, struct module *all, size_t *count,
                          size_t max)
{
    for (size_t i = 0; i < facts->file_count; i++) {
        const struct wiki_index_file *file = &facts->files[i];
        if (file->left_out) continue;
        struct str folder = folder_of(file->path, 1);
        struct module *module = add_folder(all, count, max, folder);
        if (module == NULL) continue;
        module->files++;
        module->lines += (uint64_t)file->lines;
    }
}

static bool is_large(const struct module *tops, size_t count, struct str folder, uint64_t total)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(tops[i].path, folder)) return tops[i].lines * 100 > total * SPLIT_SHARE;
    }
    return false;
}

static struct str language_of(const struct outline_facts *facts, struct str folder)
{
    enum { LANGUAGES = 64 };
    struct module languages[LANGUAGES]; /* by name, in place of a folder's */
    size_t count = 0, best = 0;
    for (size_t i = 0; i < facts->file_count; i++) {
        const struct wiki_index_file *file = &facts->files[i];
        if (file->language.len == 0 || !in_folder(file->path, folder)) continue;
        struct module *language = add_folder(languages, &count, LANGUAGES, file->language);
        if (language) language->lines += (uint64_t)file->lines;
    }
    for (size_t i = 1; i < count; i++) {
        if (languages[i].lines > languages[best].lines) best = i;
    }
    return count ? languages[best].path : STR("");
}

static void find_modules(struct outline_facts *facts)
{
    enum { FOLDERS = 512 };
    struct module *tops = ARENA_ARRAY(facts->arena, struct module, FOLDERS);
    struct module *all = ARENA_ARRAY(facts->arena, struct module, FOLDERS);
    size_t top_count = 0, count = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < facts->file_count; i++) total += (uint64_t)facts->files[i].lines;
    count_folders(facts, tops, &top_count, FOLDERS);
    for (size_t i = 0; i < facts->file_count; i++) {
        const struct wiki_index_file *file = &facts->files[i];
        if (file->left_out) continue;
        struct str folder = folder_of(file->path, 1);
        /* Most repositories have one folder with nearly all: there the next level says more. */
        if (folder.len && is_large(tops, top_count, folder, total))
            folder = folder_of(file->path, 2);
        struct module *module = add_folder(all, &count, FOLDERS, folder);
        if (module == NULL) continue;
        module->files++;
        module->lines += (uint64_t)file->lines;
        if (module->readme.len == 0 && is_readme(file->path)) module->readme = file->path;
    }
    qsort(all, count, sizeof(struct module), larger_first);
    for (size_t i = 0; i < count && facts->module_count < OUTLINE_MODULES; i++) {
        if (all[i].files < MODULE_FILES || all[i].path.len == 0) continue;
        all[i].language = language_of(facts, all[i].path);
        facts->modules[facts->module_count++] = all[i];
    }
}

/* --- the book --- */

static enum err gather(struct outline_facts *facts, struct why *why)
{
    enum err err =
        wiki_index_files(facts->index, facts->arena, &facts->files, &facts->file_count, why);
    if (!err) {
        err = wiki_index_edges(facts->index, facts->arena, EDGES, &facts->edges, &facts->edge_count,
                               why);
    }
    if (!err) {
        err = wiki_index_symbols(facts->index, facts->arena, STR(""), SYMBOLS, &facts->symbols,
                                 &facts->symbol_count, why);
    }
    if (err) return err;
    facts->readme = wiki_readme(facts->files, facts->file_count);
    find_modules(facts);
    return OK;
}

static struct book_page *add_page(struct book *book, struct str slug, struct str title,
                                  const char *importance)
{
    ASSERT(book->page_count < BOOK_PAGES_MAX);
    struct book_page *page = &book->pages[book->page_count++];
    *page = (struct book_page){.slug = slug, .title = title, .importance = str_of(importance)};
    return page;
}

static void begin_page(const struct outline_facts *facts, struct buf *to, struct str title)
{
    buf_printf(to, "# %.*s\n\n", STR_ARGS(title));
    buf_add_str(to, str_of(OUTLINE_SAY(
                        facts, "> Made out of the code itself, without a language model.\n\n",
                        "> 由代码本身生成，没有使用语言模型。\n\n")));
}

static void end_page(const struct outline_facts *facts, struct book_page *page, struct buf *text)
{
    page->content = arena_copy(facts->arena, buf_str(text));
    buf_release(text);
}

static struct str *one_file(const struct outline_facts *facts, struct str path)
{
    struct str *files = ARENA_ARRAY(facts->arena, struct str, 1);
    files[0] = path;
    return files;
}

static enum err write_general(struct outline_facts *facts, struct book *book, struct why *why)
{
    static const struct {
        const char *slug, *english, *chinese, *importance;
        void (*write)(const struct outline_facts *facts, struct buf *to);
    } pages[] = {
        {"overview", "Overview", "概览", "high", NULL},
        {"layout", "Layout", "目录结构", "high", outline_layout},
        {"connections", "How it hangs together", "各部分的联系", "high", outline_connections},
        {"entries", "Where it begins", "入口", "medium", outline_entries},
        {"symbols", "What is used most", "最常用的定义", "medium", outline_symbols},
    };
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(pages) && !err; i++) {
        struct buf text;
        struct str title = str_of(OUTLINE_SAY(facts, pages[i].english, pages[i].chinese));
        struct book_page *page = add_page(book, str_of(pages[i].slug), title, pages[i].importance);
        buf_init(&text, PAGE_BYTES);
        begin_page(facts, &text, title);
        if (pages[i].write)
            pages[i].write(facts, &text);
        else
            err = outline_overview(facts, &text, why);
        if (pages[i].write == NULL && facts->readme.len) {
            page->files = one_file(facts, facts->readme);
            page->file_count = 1;
        }
        end_page(facts, page, &text);
    }
    return err;
}

static enum err write_modules(struct outline_facts *facts, struct book *book, struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < facts->module_count && i < MODULE_PAGES && !err; i++) {
        const struct module *module = &facts->modules[i];
        struct buf text;
        struct str slug = arena_printf(facts->arena, "module-%zu", i + 1);
        struct book_page *page = add_page(book, slug, module->path, i < 4 ? "medium" : "low");
        buf_init(&text, PAGE_BYTES);
        begin_page(facts, &text, module->path);
        err = outline_module(facts, module, &text, why);
        end_page(facts, page, &text);
    }
    return err;
}

static void add_section(const struct outline_facts *facts, struct book *book, const char *slug,
                        const char *title, size_t from)
{
    struct book_section *section = &book->sections[book->section_count++];
    struct str *pages = ARENA_ARRAY(facts->arena, struct str, book->page_count - from + 1);
    size_t count = 0;
    for (size_t i = from; i < book->page_count; i++) pages[count++] = book->pages[i].slug;
    *section = (struct book_section){
        .slug = str_of(slug), .title = str_of(title), .pages = pages, .page_count = count};
}

enum err wiki_outline_write(struct wiki_index *index, struct arena *arena,
                            const struct wiki_outline *outline, struct book *book_out,
                            struct why *why)
{
    struct outline_facts facts = {.wanted = outline, .index = index, .arena = arena};
    *book_out = (struct book){.title = outline->name};
    enum err err = gather(&facts, why);
    if (err) return err;
    book_out->description = str_of(OUTLINE_SAY(
        &facts, "An outline of the repository, made out of its code without a language model.",
        "仓库的概要，由代码本身生成，没有使用语言模型。"));
    err = write_general(&facts, book_out, why);
    add_section(&facts, book_out, "general", OUTLINE_SAY(&facts, "The whole", "整体"), 0);
    size_t from = book_out->page_count;
    if (err || !outline->comprehensive || facts.module_count == 0) return err;
    err = write_modules(&facts, book_out, why);
    add_section(&facts, book_out, "modules", OUTLINE_SAY(&facts, "Its parts", "各部分"), from);
    return err;
}
