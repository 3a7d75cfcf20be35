/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/old_export.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/utf8.h"

static struct str text_of(const struct json *page, const char *name)
{
    struct str text = STR("");
    bool there = json_as_str(json_get(page, name), &text);
    ASSERT(there); /* wiki_old_pages_check() */
    return text;
}

/* --- Markdown --- */

/* A heading, or the words of a link, end with their line. */
static void add_line(struct buf *to, struct str text)
{
    struct str line;
    for (bool first = true; str_split(&text, '\n', &line); first = false) {
        if (!first) buf_add_byte(to, ' ');
        buf_add_str(to, line);
    }
}

/* Inside of an attribute in single quotes. */
static void add_attribute(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.at[i]) {
        case '&': buf_add_str(to, STR("&amp;")); break;
        case '<': buf_add_str(to, STR("&lt;")); break;
        case '>': buf_add_str(to, STR("&gt;")); break;
        case '\'': buf_add_str(to, STR("&#39;")); break;
        default: buf_add_byte(to, text.at[i]);
        }
    }
}

static void add_link(struct buf *to, const struct json *page)
{
    buf_add_byte(to, '[');
    add_line(to, text_of(page, "title"));
    buf_add_str(to, STR("](#"));
    add_line(to, text_of(page, "id"));
    buf_add_byte(to, ')');
}

static void add_related(struct buf *to, const struct json *page, const struct map *by_id)
{
    bool any = false;
    for (const struct json *at = json_first(json_get(page, "relatedPages")); at && !to->failed;
         at = json_after(at)) {
        struct str id;
        const struct json *other = json_as_str(at, &id) ? map_find(by_id, id) : NULL;
        if (other == NULL) continue;
        buf_add_str(to, any ? STR(", ") : STR("### Related Pages\n\n"));
        add_link(to, other);
        any = true;
    }
    if (any) buf_add_str(to, STR("\n\n"));
}

static void add_page(struct buf *to, const struct json *page, const struct map *by_id)
{
    buf_add_str(to, STR("<a id='"));
    add_attribute(to, text_of(page, "id"));
    buf_add_str(to, STR("'></a>\n\n## "));
    add_line(to, text_of(page, "title"));
    buf_add_str(to, STR("\n\n"));
    add_related(to, page, by_id);
    buf_add_str(to, text_of(page, "content"));
    buf_add_str(to, STR("\n\n---\n\n"));
}

void wiki_old_export_markdown(struct buf *to, struct str url, const struct json *pages,
                              int64_t now_us)
{
    struct map by_id = {0};
    char now[CLOCK_ISO_BYTES];
    clock_iso_local(now_us, now);
    buf_add_str(to, STR("# Wiki Documentation for "));
    add_line(to, url);
    buf_printf(to, "\n\nGenerated on: %.10s %.8s\n\n## Table of Contents\n\n", now, now + 11);
    for (const struct json *page = json_first(pages); page; page = json_after(page)) {
        struct str id = text_of(page, "id");
        if (!map_find(&by_id, id)) map_add(&by_id, id, (void *)(uintptr_t)page);
        buf_add_str(to, STR("- "));
        add_link(to, page);
        buf_add_byte(to, '\n');
    }
    buf_add_byte(to, '\n');
    for (const struct json *page = json_first(pages); page; page = json_after(page)) {
        add_page(to, page, &by_id);
    }
    map_release(&by_id);
}

/* --- JSON --- */

static void add_unit(struct buf *to, unsigned unit)
{
    static const char digits[] = "0123456789abcdef";
    const char text[6] = {'\\',
                          'u',
                          digits[unit >> 12 & 15],
                          digits[unit >> 8 & 15],
                          digits[unit >> 4 & 15],
                          digits[unit & 15]};
    buf_add(to, text, sizeof(text));
}

/* RFC 8259, 7: what is past the first plane is a pair of UTF-16. */
static void add_point(struct buf *to, uint32_t point)
{
    static const char plain[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *special = point < 0x80 && point > 0 ? strchr(plain, (int)point) : NULL;
    if (special) {
        buf_add_byte(to, '\\');
        buf_add_byte(to, letters[special - plain]);
    } else if (point >= 0x10000) {
        add_unit(to, 0xd800 + ((point - 0x10000) >> 10));
        add_unit(to, 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else if (point < 0x20 || point >= 0x80) {
        add_unit(to, point);
    } else {
        buf_add_byte(to, (char)point);
    }
}

static void add_string(struct buf *to, struct str text)
{
    buf_add_byte(to, '"');
    while (text.len > 0 && !to->failed) add_point(to, utf8_next(&text));
    buf_add_byte(to, '"');
}

static void add_member(struct buf *to, const char *indent, const char *name, struct str text)
{
    buf_printf(to, "%s\"%s\": ", indent, name);
    add_string(to, text);
}

/* An empty list stays on its line. */
static void add_list(struct buf *to, const char *name, const struct json *list)
{
    const char *before = "\n";
    buf_printf(to, "      \"%s\": [", name);
    for (const struct json *at = json_first(list); at && !to->failed; at = json_after(at)) {
        struct str text = STR("");
        bool there = json_as_str(at, &text);
        ASSERT(there);
        buf_printf(to, "%s        ", before);
        add_string(to, text);
        before = ",\n";
    }
    buf_add_str(to, json_first(list) ? STR("\n      ]") : STR("]"));
}

static void add_json_page(struct buf *to, const struct json *page)
{
    static const char *const head[] = {"id", "title", "content"};
    buf_add_str(to, STR("    {\n"));
    for (size_t i = 0; i < COUNT_OF(head); i++) {
        add_member(to, "      ", head[i], text_of(page, head[i]));
        buf_add_str(to, STR(",\n"));
    }
    add_list(to, "filePaths", json_get(page, "filePaths"));
    buf_add_str(to, STR(",\n"));
    add_member(to, "      ", "importance", text_of(page, "importance"));
    buf_add_str(to, STR(",\n"));
    add_list(to, "relatedPages", json_get(page, "relatedPages"));
    buf_add_str(to, STR("\n    }"));
}

void wiki_old_export_json(struct buf *to, struct str url, const struct json *pages, int64_t now_us)
{
    char now[CLOCK_ISO_BYTES];
    uint64_t count = 0;
    clock_iso_local(now_us, now);
    for (const struct json *page = json_first(pages); page; page = json_after(page)) count++;
    buf_add_str(to, STR("{\n  \"metadata\": {\n"));
    add_member(to, "    ", "repository", url);
    buf_add_str(to, STR(",\n"));
    add_member(to, "    ", "generated_at", str_of(now));
    buf_add_str(to, STR(",\n    \"page_count\": "));
    buf_add_u64(to, count);
    buf_add_str(to, STR("\n  },\n  \"pages\": ["));
    const char *before = "\n";
    for (const struct json *page = json_first(pages); page; page = json_after(page)) {
        buf_add_str(to, str_of(before));
        add_json_page(to, page);
        before = ",\n";
    }
    buf_add_str(to, count ? STR("\n  ]\n}") : STR("]\n}"));
}

/* --- the name --- */

struct str wiki_old_export_name(struct arena *arena, struct str url, const char *ending,
                                int64_t now_us)
{
    char now[CLOCK_ISO_BYTES], name[101];
    size_t len = 0, last;
    while (str_ends(url, STR("/"))) url.len--;
    for (last = url.len; last > 0 && url.at[last - 1] != '/'; last--) {
    }
    for (size_t i = last; i < url.len && len + 1 < sizeof(name); i++) {
        char c = url.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '_';
        name[len++] = plain ? c : '_';
    }
    if (len == 0) name[len++] = '_';
    clock_iso_local(now_us, now);
    return arena_printf(arena, "%.*s_wiki_%.4s%.2s%.2s_%.2s%.2s%.2s%s", (int)len, name, now,
                        now + 5, now + 8, now + 11, now + 14, now + 17, ending);
}
