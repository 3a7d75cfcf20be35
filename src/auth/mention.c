/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "auth/mention.h"

#include <utf8proc.h>

#include "auth/username.h"
#include "base/limits.h"
#include "base/utf8.h"

/* --- letters --- */

static bool is_mark(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((int32_t)point);
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
           category == UTF8PROC_CATEGORY_ME;
}

static bool is_blank(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((int32_t)point);
    return category == UTF8PROC_CATEGORY_ZS || (point >= '\t' && point <= '\r') ||
           point == 0x2028 || point == 0x2029 || point == 0xFEFF;
}

/* --- what stands at the front of a text --- */

/* Bytes of its first word, 0: it begins with none. */
static size_t word_len(struct str text, bool with_mark_first)
{
    struct str rest = text;
    while (rest.len > 0) {
        struct str before = rest;
        uint32_t point = utf8_next(&rest);
        bool first = before.at == text.at;
        if (utf8_is_word(point) || (is_mark(point) && (!first || with_mark_first))) continue;
        return text.len - before.len;
    }
    return text.len;
}

/* Bytes of its first name. */
static size_t name_len(struct str text)
{
    size_t len = word_len(text, false);
    while (len > 0 && len < text.len && (text.at[len] == '-' || text.at[len] == '.')) {
        size_t more = word_len(str_from(text, len + 1), true);
        if (more == 0) break;
        len += 1 + more;
    }
    return len;
}

static bool ends_address(uint32_t point)
{
    static const uint32_t ends[] = {'<',    '>',    '"',    '\'',   0xFF0C, 0x3002, 0xFF01,
                                    0xFF1F, 0x3001, 0xFF1B, 0xFF1A, 0xFF09, 0x3011, 0x300B};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (point == ends[i]) return true;
    }
    return is_blank(point);
}

/* Bytes of the address of the web that it begins with, 0: none. */
static size_t address_len(struct str text)
{
    struct str rest = text;
    if (str_starts(text, STR("https://"))) {
        rest = str_from(text, strlen("https://"));
    } else if (str_starts(text, STR("http://"))) {
        rest = str_from(text, strlen("http://"));
    } else {
        return 0;
    }
    struct str from = rest;
    while (rest.len > 0) {
        struct str before = rest;
        if (!ends_address(utf8_next(&rest))) continue;
        rest = before;
        break;
    }
    return rest.at == from.at ? 0 : text.len - rest.len;
}

/* --- all of it --- */

bool mentions_has(const struct mentions *mentions, struct str key)
{
    for (size_t i = 0; i < mentions->count; i++) {
        if (str_eq(mentions->keys[i], key)) return true;
    }
    return false;
}

static void add(struct arena *arena, struct str name, struct mentions *out)
{
    size_t points = utf8_count(name);
    if (points < LIMIT_USERNAME_MIN || points > LIMIT_USERNAME_MAX) return;
    struct str key = username_key(arena, name);
    if (key.len == 0 || out->count == MENTIONS_MAX || mentions_has(out, key)) return;
    out->keys[out->count++] = key;
}

void mentions_find(struct arena *arena, struct str text, struct mentions *out)
{
    ASSERT(utf8_valid(text));
    *out = (struct mentions){0};
    uint32_t before = ' ';
    while (text.len > 0 && out->count < MENTIONS_MAX) {
        size_t skip = address_len(text);
        if (skip > 0) {
            text = str_from(text, skip);
            before = ' '; /* an address ends before something else */
            continue;
        }
        bool inside = utf8_is_word(before) || is_mark(before) || before == '@' || before == '.' ||
                      before == '/';
        before = utf8_next(&text);
        if (before != '@' || inside) continue;
        size_t len = name_len(text);
        add(arena, str_head(text, len), out);
        text = str_from(text, len);
        if (len > 0) before = 'a';
    }
}
