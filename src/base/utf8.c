/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/utf8.h"

#include <utf8proc.h>

enum { ACCEPT = 0, REJECT = 12 };

/* The first 256 entries map bytes to classes, the rest is the transition table. */
static const uint8_t automaton[] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
    1,  1,  1,  1,  1,  1,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  8,  8,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  10, 3,  3,  3,  3,  3,
    3,  3,  3,  3,  3,  3,  3,  4,  3,  3,  11, 6,  6,  6,  5,  8,  8,  8,  8,  8,  8,  8,  8,
    8,  8,  8,  0,  12, 24, 36, 60, 96, 84, 12, 12, 12, 48, 72, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 12, 12, 12, 12, 0,  12, 12, 12, 12, 12, 0,  12, 0,  12, 12, 12, 24, 12, 12, 12, 12, 12,
    24, 12, 24, 12, 12, 12, 12, 12, 12, 12, 12, 12, 24, 12, 12, 12, 12, 12, 24, 12, 12, 12, 12,
    12, 12, 12, 24, 12, 12, 12, 12, 12, 12, 12, 12, 12, 36, 12, 36, 12, 12, 12, 36, 12, 12, 12,
    12, 12, 36, 12, 36, 12, 12, 12, 36, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12};

bool utf8_feed(uint32_t *state, const char *bytes, size_t len)
{
    uint32_t now = *state;
    size_t i = 0;
    while (i < len) {
        /* Eight plain ASCII bytes at a time: most of what people and programs send. */
        if (now == ACCEPT) {
            uint64_t eight;
            while (i + 8 <= len && (memcpy(&eight, bytes + i, 8), true) &&
                   (eight & UINT64_C(0x8080808080808080)) == 0) {
                i += 8;
            }
            if (i >= len) break;
        }
        now = automaton[256 + now + automaton[(unsigned char)bytes[i]]];
        if (now == REJECT) return false;
        i++;
    }
    *state = now;
    return true;
}

bool utf8_valid(struct str s)
{
    uint32_t state = ACCEPT;
    return utf8_feed(&state, s.at, s.len) && state == ACCEPT;
}

size_t utf8_count(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++) count += ((unsigned char)s.at[i] & 0xC0) != 0x80;
    return count;
}

size_t utf8_floor(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    return at;
}

uint32_t utf8_next(struct str *rest)
{
    ASSERT(rest->len > 0);
    const unsigned char *at = (const unsigned char *)rest->at;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    ASSERT(len <= rest->len);
    uint32_t point = len == 1 ? at[0] : at[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) point = point << 6 | (at[i] & 0x3F);
    *rest = str_from(*rest, len);
    return point;
}

/* Bytes of the code point at `at`; at something that is none: 1, and *point_out is -1. */
bool utf8_is_word(uint32_t point)
{
    if (point == '_') return true;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

size_t utf8_put_lower(char to[UTF8_POINT_BYTES], uint32_t point)
{
    utf8proc_int32_t lower = utf8proc_tolower((utf8proc_int32_t)point);
    return (size_t)utf8proc_encode_char(lower, (utf8proc_uint8_t *)to);
}

static size_t point_at(struct str text, size_t at, utf8proc_int32_t *point_out)
{
    utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text.at + at,
                                            (utf8proc_ssize_t)(text.len - at), point_out);
    return len > 0 ? (size_t)len : 1;
}

size_t utf8_character_end(struct str text, size_t at)
{
    utf8proc_int32_t before, after, state = 0;
    if (at >= text.len) return text.len;
    size_t end = at + point_at(text, at, &before);
    while (end < text.len && before >= 0) {
        size_t len = point_at(text, end, &after);
        if (after < 0 || utf8proc_grapheme_break_stateful(before, after, &state)) break;
        before = after;
        end += len;
    }
    return end;
}

/* The forbidden code point at `s`, which is valid UTF-8 and not empty; else -1. */
static int forbidden(struct str s)
{
    const unsigned char *at = (const unsigned char *)s.at;
    if (at[0] < 0x20) return at[0] == '\n' || at[0] == '\t' ? -1 : at[0];
    if (at[0] == 0x7F) return 0x7F;
    if (at[0] == 0xC2 && at[1] < 0xA0) return at[1];
    if (at[0] == 0xE2 && at[1] == 0x80 && (at[2] == 0xA8 || at[2] == 0xA9)) return 0x1F80 + at[2];
    if (at[0] == 0xEF && at[1] == 0xBB && at[2] == 0xBF) return 0xFEFF;
    return -1;
}

/* Bytes of the blank at the front of `s`: Unicode's White_Space past ASCII, and U+200B, which
 * looks like nothing at all; 0: there is none. */
static size_t blank_len(struct str s)
{
    static const char *const blanks[] = {
        "\xC2\xA0",     "\xE1\x9A\x80", /* U+00A0, U+1680 */
        "\xE2\x80\xAF", "\xE2\x81\x9F", /* U+202F, U+205F */
        "\xE3\x80\x80",                 /* U+3000, the ideographic one */
    };
    if (s.len < 2 || (unsigned char)s.at[0] < 0xC2 || (unsigned char)s.at[0] > 0xE3) return 0;
    for (size_t i = 0; i < COUNT_OF(blanks); i++) {
        if (str_starts(s, str_of(blanks[i]))) return strlen(blanks[i]);
    }
    bool general = s.len >= 3 && str_starts(s, STR("\xE2\x80")) && (unsigned char)s.at[2] >= 0x80 &&
                   (unsigned char)s.at[2] <= 0x8B;
    return general ? 3 : 0; /* U+2000 to U+200B */
}

/* Takes off the blanks that people leave at the ends. */
static struct str trim(struct str s)
{
    for (;;) {
        struct str before = s;
        s = str_trim(s);
        s = str_from(s, blank_len(s));
        for (size_t len = 2; len <= 3; len++) {
            if (s.len >= len && blank_len(str_from(s, s.len - len)) == len) s.len -= len;
        }
        if (s.len == before.len) return s;
    }
}

struct str text_lines(struct arena *arena, struct str s)
{
    if (str_find_byte(s, '\r') == s.len) return s;
    char *to = arena_alloc(arena, s.len);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool end = s.at[i] == '\r' && i + 1 < s.len && s.at[i + 1] == '\n';
        if (!end) to[len++] = s.at[i];
    }
    return (struct str){to, len};
}

struct str text_tidy(struct arena *arena, struct str s)
{
    size_t at = 0, len = 0;
    while (at < s.len && forbidden(str_from(s, at)) < 0) at++;
    if (at == s.len) return trim(s);
    char *to = arena_alloc(arena, s.len);
    while (s.len > 0) {
        struct str rest = s;
        uint32_t point = utf8_next(&rest);
        bool ends_line = point == '\r' || point == 0x2028 || point == 0x2029;
        size_t bytes = s.len - rest.len;
        if (ends_line && !str_starts(rest, STR("\n"))) {
            to[len++] = '\n';
        } else if (forbidden(s) < 0) {
            memcpy(to + len, s.at, bytes);
            len += bytes;
        }
        s = rest;
    }
    return trim((struct str){to, len});
}

enum err text_check(const char *what, struct str raw, size_t min, size_t max,
                    struct str *trimmed_out, struct why *why)
{
    if (!utf8_valid(raw)) {
        return why_field(why, what, "string_unicode", "%s is not valid UTF-8", what);
    }
    struct str s = trim(raw);
    for (size_t i = 0; i < s.len; i++) {
        if (((unsigned char)s.at[i] & 0xC0) == 0x80) continue;
        if (s.at[i] == '\r' && i + 1 < s.len && s.at[i + 1] == '\n') continue;
        int bad = forbidden(str_from(s, i));
        if (bad >= 0) {
            return why_field(why, what, "value_error",
                             "%s has a control character (U+%04X) at byte %zu; only newline and "
                             "tab are allowed",
                             what, (unsigned)bad, i);
        }
    }
    size_t count = utf8_count(s);
    if (count < min) {
        return count == 0
                   ? why_field(why, what, "string_too_short", "%s is empty", what)
                   : why_field(why, what, "string_too_short",
                               "%s has %zu characters, at least %zu needed", what, count, min);
    }
    if (count > max) {
        return why_field(why, what, "string_too_long", "%s has %zu characters, at most %zu allowed",
                         what, count, max);
    }
    *trimmed_out = s;
    return OK;
}

static bool turns(uint32_t point)
{
    return (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

enum err name_check(const char *what, struct str raw, size_t min, size_t max,
                    struct str *trimmed_out, struct why *why)
{
    struct str s;
    enum err err = text_check(what, raw, min, max, &s, why);
    if (err) return err;
    bool one = str_find_byte(s, '\n') == s.len && str_find_byte(s, '\t') == s.len;
    if (!one) return why_field(why, what, "value_error", "%s must be one line", what);
    for (size_t i = 0; i + 2 < s.len; i++) {
        const unsigned char *at = (const unsigned char *)s.at + i;
        if (at[0] != 0xE2) continue;
        if (turns(0x2000u | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu))) {
            return why_field(why, what, "value_error",
                             "%s has a character that turns the direction of writing", what);
        }
    }
    *trimmed_out = s;
    return OK;
}
