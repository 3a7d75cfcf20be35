/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/book_export.h"

#include <md4c-html.h>

#include "base/json.h"
#include "base/limits.h"
#include "wiki/address.h"
#include "wiki/old_cache.h"

enum { CITATION_MAX = LIMIT_WIKI_PATH_BYTES + 32 };

static const struct {
    const char *word, *type, *ending;
} formats[WIKI_BOOK_FORMATS] = {
    [WIKI_BOOK_AS_MARKDOWN] = {"markdown", "text/markdown; charset=utf-8", ".md"},
    [WIKI_BOOK_AS_HTML] = {"html", "text/html; charset=utf-8", ".html"},
    [WIKI_BOOK_AS_SLIDES] = {"slides", "text/html; charset=utf-8", "-slides.html"},
    [WIKI_BOOK_AS_JSON] = {"json", "application/json", ".json"},
};

bool wiki_book_format_of(struct str word, enum wiki_book_format *format_out)
{
    for (int i = 0; i < WIKI_BOOK_FORMATS; i++) {
        if (!str_eq(word, str_of(formats[i].word))) continue;
        *format_out = (enum wiki_book_format)i;
        return true;
    }
    return false;
}

const char *wiki_book_format_type(enum wiki_book_format format)
{
    return formats[format].type;
}

const char *wiki_book_format_ending(enum wiki_book_format format)
{
    return formats[format].ending;
}

struct export
{
    struct buf *to;
    const struct wiki_book *book;
    const struct wiki_page *pages;
    size_t count;
    struct arena arena; /* addresses of citations */
    struct wiki_address address;
    bool has_address;
};

/* --- words --- */

/* In text and in attributes with double quotes. */
static void add_escaped(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.at[i]) {
        case '&': buf_add_str(to, STR("&amp;")); break;
        case '<': buf_add_str(to, STR("&lt;")); break;
        case '>': buf_add_str(to, STR("&gt;")); break;
        case '"': buf_add_str(to, STR("&quot;")); break;
        default: buf_add_byte(to, text.at[i]);
        }
    }
}

/* A line of Markdown that says just that. */
static void add_plain(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (strchr("\\`*_[]<>#|", c) && c) buf_add_byte(to, '\\');
        buf_add_byte(to, c == '\n' || c == '\r' ? ' ' : c);
    }
}

/* "page-3" in an attribute: slugs of strangers may be anything. */
static void add_id(struct buf *to, const struct export *export, struct str slug)
{
    for (size_t i = 0; i < export->count; i++) {
        if (str_eq(export->pages[i].slug, slug)) buf_printf(to, "page-%zu", i + 1);
    }
}

static bool is_written(const struct wiki_page *page)
{
    return page->content.len > 0;
}

/* --- citations --- */

struct citation {
    struct str path;
    int first, last;
    size_t len; /* of all of it, with its brackets */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "[src/a.c:10-12]" or "[src/a.c:10]" at the beginning of `text`. */
static bool read_citation(struct str text, struct citation *out)
{
    text = str_head(text, CITATION_MAX);
    size_t end = str_find_byte(text, ']');
    if (text.len < 5 || text.at[0] != '[' || end >= text.len) return false;
    size_t at = end, colon;
    while (at > 1 && (is_digit(text.at[at - 1]) || text.at[at - 1] == '-')) at--;
    colon = at - 1;
    if (colon < 2 || text.at[colon] != ':') return false;
    struct str lines = {text.at + at, end - at}, first;
    uint64_t one, two;
    if (!str_split(&lines, '-', &first) || !str_to_u64(first, &one) || one > 10000000) return false;
    two = one;
    if (lines.len && (!str_to_u64(lines, &two) || two > 10000000)) return false;
    *out = (struct citation){{text.at + 1, colon - 1}, (int)one, (int)two, end + 1};
    return str_find_byte(out->path, '\n') == out->path.len &&
           str_find_byte(out->path, '[') == out->path.len;
}

static void add_citation(struct buf *to, struct export *export, const struct citation *cited)
{
    struct str page = STR("");
    if (export->has_address) {
        page = wiki_address_page(&export->arena, &export->address, export->book->commit,
                                 cited->path, cited->first, cited->last);
    }
    buf_add_byte(to, '[');
    add_plain(to, cited->path);
    buf_printf(to, ":%d", cited->first);
    if (cited->last != cited->first) buf_printf(to, "-%d", cited->last);
    buf_add_byte(to, ']');
    if (page.len) buf_printf(to, "(<%.*s>)", STR_ARGS(page));
}

/* The text of a page with its citations as links; code stays as it is. */
static void add_linked(struct buf *to, struct export *export, struct str text)
{
    size_t ticks = 0; /* of the code we are in */
    for (size_t i = 0; i < text.len && !to->failed;) {
        struct citation cited;
        size_t run = 0;
        while (i + run < text.len && text.at[i + run] == '`') run++;
        if (run > 0) {
            ticks = ticks == 0 ? run : ticks == run ? 0 : ticks;
            buf_add(to, text.at + i, run);
            i += run;
        } else if (ticks == 0 && text.at[i] == '[' && read_citation(str_from(text, i), &cited) &&
                   (i + cited.len == text.len || text.at[i + cited.len] != '(')) {
            add_citation(to, export, &cited);
            i += cited.len;
        } else {
            buf_add_byte(to, text.at[i++]);
        }
    }
}

/* --- Markdown --- */

static void add_provenance(struct buf *to, const struct wiki_book *book)
{
    struct str from = book->url.len ? book->url : book->key.repo;
    buf_printf(to, "%.*s", STR_ARGS(from));
    if (book->commit.len) buf_printf(to, " @ %.12s", book->commit.at);
    if (book->provider.len) {
        buf_printf(to, ", %.*s", STR_ARGS(book->provider));
        if (book->model.len) buf_printf(to, "/%.*s", STR_ARGS(book->model));
    } else {
        buf_add_str(to, STR(", made from the code itself, without a model"));
    }
}

static void write_markdown(struct export *export)
{
    struct buf *to = export->to;
    const struct wiki_book *book = export->book;
    buf_add_str(to, STR("# "));
    add_plain(to, book->title);
    buf_add_str(to, STR("\n\n"));
    if (book->description.len) buf_printf(to, "%.*s\n\n", STR_ARGS(book->description));
    buf_add_str(to, STR("*"));
    add_provenance(to, book);
    buf_add_str(to, STR("*\n\n"));
    for (size_t i = 0; i < export->count; i++) {
        buf_add_str(to, STR("- ["));
        add_plain(to, export->pages[i].title);
        buf_printf(to, "](#page-%zu)%s\n", i + 1,
                   is_written(&export->pages[i]) ? "" : " (not written)");
    }
    for (size_t i = 0; i < export->count; i++) {
        if (!is_written(&export->pages[i])) continue;
        buf_printf(to, "\n---\n\n<a id=\"page-%zu\"></a>\n\n", i + 1);
        add_linked(to, export, export->pages[i].content);
        buf_add_byte(to, '\n');
    }
}

/* --- HTML --- */

/* Styles alone: no script, nothing from elsewhere, no form, no frame. A "javascript:" address that
 * got past links_are_fine() is a script too. */
static const char head[] =
    "<!doctype html>\n<html><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>";
static const char look[] =
    ":root{color-scheme:light dark;--ink:#2b2620;--soft:#6b6257;--paper:#fbf8f3;--line:#e2dace;"
    "--link:#9a3b1f}"
    "@media(prefers-color-scheme:dark){:root{--ink:#ece6dc;--soft:#a89f92;--paper:#1d1a17;"
    "--line:#3a342d;--link:#f0a080}}"
    "*{box-sizing:border-box}body{margin:0;color:var(--ink);background:var(--paper);"
    "font:17px/1.6 system-ui,'PingFang SC','Noto Sans CJK SC','Microsoft YaHei',sans-serif}"
    "a{color:var(--link)}h1,h2,h3{line-height:1.25}code,pre{font:14px/1.5 ui-monospace,monospace}"
    "pre{overflow:auto;padding:12px;border:1px solid var(--line);border-radius:8px}"
    "blockquote{margin:0;padding-left:14px;border-left:3px solid var(--line);color:var(--soft)}"
    "table{border-collapse:collapse;display:block;overflow:auto}td,th{border:1px solid "
    "var(--line);padding:4px 8px;text-align:left}.soft{color:var(--soft);font-size:15px;"
    "overflow-wrap:anywhere}";
static const char look_pages[] =
    "main{max-width:46rem;margin:0 auto;padding:16px;overflow-wrap:anywhere}"
    "nav{padding:16px;max-width:46rem;margin:0 auto}nav ul{padding-left:20px}"
    "article{border-top:1px solid var(--line);padding-top:8px}"
    "@media(min-width:1000px){nav{position:fixed;top:0;bottom:0;width:18rem;overflow:auto;"
    "border-right:1px solid var(--line)}main{margin-left:20rem}}"
    "@media print{nav{position:static;width:auto;border:0}main{margin:0;max-width:none}"
    "article{break-before:page}a{color:inherit}}";
static const char look_slides[] =
    "html{scroll-snap-type:y proximity}section{min-height:100vh;padding:6vh "
    "8vw;scroll-snap-align:start;border-bottom:1px solid var(--line);overflow-wrap:anywhere;"
    "font-size:clamp(17px,2vw,26px)}section>*{max-width:60rem}section h1{font-size:1.6em}"
    "@media print{section{break-after:page;min-height:0;border:0}}";

static void add_html(const MD_CHAR *text, MD_SIZE len, void *ctx)
{
    buf_add(ctx, text, len);
}

static bool starts_nocase(struct str text, struct str with)
{
    return text.len >= with.len && str_eq_nocase(str_head(text, with.len), with);
}

/* To the web, to mail, or within the file. */
static bool is_fine_link(struct str address)
{
    return starts_nocase(address, STR("https://")) || starts_nocase(address, STR("http://")) ||
           starts_nocase(address, STR("mailto:")) || str_starts(address, STR("#"));
}

/* What md4c made, without the addresses and pictures of what is not fine. */
static void add_checked(struct buf *to, struct str html)
{
    const struct str link = STR("<a href=\""), picture = STR("<img src=\"");
    while (html.len > 0 && !to->failed) {
        size_t next = str_find_byte(html, '<');
        buf_add_str(to, str_head(html, next));
        html = str_from(html, next);
        bool is_link = str_starts(html, link);
        if (!is_link && !str_starts(html, picture)) {
            buf_add_str(to, str_head(html, 1));
            html = str_from(html, MIN(html.len, (size_t)1));
            continue;
        }
        struct str rest = str_from(html, is_link ? link.len : picture.len);
        struct str address = str_head(rest, str_find_byte(rest, '"'));
        if (is_link && is_fine_link(address)) {
            buf_printf(to, "<a rel=\"noopener\" href=\"%.*s\"", STR_ARGS(address));
        } else {
            buf_add_str(to, is_link ? STR("<a") : STR("<img"));
        }
        html = str_from(rest, MIN(address.len + 1, rest.len));
    }
}

static void add_rendered(struct export *export, struct str markdown)
{
    struct buf linked, html;
    unsigned flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS |
                     MD_FLAG_PERMISSIVEURLAUTOLINKS | MD_FLAG_NOHTML;
    buf_init(&linked, export->to->max);
    buf_init(&html, export->to->max);
    add_linked(&linked, export, markdown);
    int failed =
        linked.failed || linked.len > UINT32_MAX / 2
            ? -1
            : md_html(linked.at ? linked.at : "", (MD_SIZE)linked.len, add_html, &html, flags, 0);
    if (failed || html.failed)
        export->to->failed = true;
    else
        add_checked(export->to, buf_str(&html));
    buf_release(&linked);
    buf_release(&html);
}

static void begin_html(struct export *export, const char *style)
{
    buf_add_str(export->to, str_of(head));
    add_escaped(export->to, export->book->title);
    buf_printf(export->to, "</title>\n<style>%s%s</style></head>\n<body>", look, style);
}

static void add_cover(struct export *export)
{
    struct buf *to = export->to;
    struct buf words;
    buf_add_str(to, STR("<h1>"));
    add_escaped(to, export->book->title);
    buf_add_str(to, STR("</h1>\n<p>"));
    add_escaped(to, export->book->description);
    buf_add_str(to, STR("</p>\n<p class=\"soft\">"));
    buf_init(&words, 16 * 1024);
    add_provenance(&words, export->book);
    add_escaped(to, buf_str(&words));
    buf_release(&words);
    buf_add_str(to, STR("</p>\n"));
}

static void add_entry(struct export *export, const struct wiki_page *page)
{
    struct buf *to = export->to;
    buf_add_str(to, STR("<li>"));
    if (is_written(page)) {
        buf_add_str(to, STR("<a href=\"#"));
        add_id(to, export, page->slug);
        buf_add_str(to, STR("\">"));
    }
    add_escaped(to, page->title);
    buf_add_str(to, is_written(page) ? STR("</a></li>\n") : STR(" …</li>\n"));
}

static void write_html(struct export *export)
{
    struct buf *to = export->to;
    begin_html(export, look_pages);
    buf_add_str(to, STR("<nav><ul>\n"));
    for (size_t i = 0; i < export->count; i++) add_entry(export, &export->pages[i]);
    buf_add_str(to, STR("</ul></nav>\n<main>\n"));
    add_cover(export);
    for (size_t i = 0; i < export->count && !to->failed; i++) {
        if (!is_written(&export->pages[i])) continue;
        buf_printf(to, "<article id=\"page-%zu\">\n", i + 1);
        add_rendered(export, export->pages[i].content);
        buf_add_str(to, STR("</article>\n"));
    }
    buf_add_str(to, STR("</main></body></html>\n"));
}

/* --- slides --- */

/* Where the next heading of the first two levels begins, behind the first line and not in code. */
static size_t next_slide(struct str text)
{
    bool code = false;
    size_t at = 0;
    for (struct str rest = text, line; str_split(&rest, '\n', &line);) {
        bool fence = str_starts(line, STR("```")) || str_starts(line, STR("~~~"));
        if (fence) code = !code;
        bool heading = str_starts(line, STR("# ")) || str_starts(line, STR("## "));
        if (at > 0 && heading && !code) return at;
        at += line.len + 1;
    }
    return text.len;
}

static void write_slides(struct export *export)
{
    struct buf *to = export->to;
    begin_html(export, look_slides);
    buf_add_str(to, STR("<section>"));
    add_cover(export);
    buf_add_str(to, STR("</section>\n"));
    for (size_t i = 0; i < export->count; i++) {
        struct str rest = export->pages[i].content;
        while (rest.len > 0 && !to->failed) {
            size_t end = next_slide(rest);
            if (str_trim(str_head(rest, end)).len > 0) {
                buf_add_str(to, STR("<section>"));
                add_rendered(export, str_head(rest, end));
                buf_add_str(to, STR("</section>\n"));
            }
            rest = str_from(rest, end);
        }
    }
    buf_add_str(to, STR("</body></html>\n"));
}

/* --- JSON --- */

static void write_json(struct export *export)
{
    struct wiki_old_writer writer;
    wiki_old_write_begin(&writer);
    for (size_t i = 0; i < export->count; i++) wiki_old_write_page(&writer, &export->pages[i]);
    wiki_old_write_end(&writer, export->book, export->to);
}

/* --- all of it --- */

static struct export open_export(struct buf *to, const struct wiki_book *book)
{
    struct export export = {.to = to, .book = book};
    struct why unused;
    bool is_folder = str_eq(book->key.kind, STR("local"));
    export.has_address = !is_folder && book->commit.len > 0 &&
                         wiki_address_parse(&export.arena, book->url, book->key.kind,
                                            &export.address, &unused) == OK;
    return export;
}

void wiki_book_export_page(struct buf *to, const struct wiki_book *book, struct str content)
{
    struct export export = open_export(to, book);
    add_linked(to, &export, content);
    arena_release(&export.arena);
}

enum err wiki_book_export(struct buf *to, enum wiki_book_format format,
                          const struct wiki_whole_book *whole, struct why *why)
{
    static void (*const writers[WIKI_BOOK_FORMATS])(struct export *) = {
        [WIKI_BOOK_AS_MARKDOWN] = write_markdown,
        [WIKI_BOOK_AS_HTML] = write_html,
        [WIKI_BOOK_AS_SLIDES] = write_slides,
        [WIKI_BOOK_AS_JSON] = write_json,
    };
    struct export export = open_export(to, &whole->book);
    export.pages = whole->pages;
    export.count = whole->count;
    writers[format](&export);
    arena_release(&export.arena);
    if (!to->failed) return OK;
    return why_set(why, ERR_LIMIT, "the book is too long for one file of %zu bytes", to->max);
}
