/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/encoding.h"

#include <iconv.h>

#include "base/utf8.h"

/* --- into UTF-8 --- */

static void add_point(struct buf *text, uint32_t point)
{
    char bytes[4];
    size_t len = 0;
    if (point < 0x80) {
        bytes[len++] = (char)point;
    } else if (point < 0x800) {
        bytes[len++] = (char)(0xC0 | point >> 6);
        bytes[len++] = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        bytes[len++] = (char)(0xE0 | point >> 12);
        bytes[len++] = (char)(0x80 | (point >> 6 & 0x3F));
        bytes[len++] = (char)(0x80 | (point & 0x3F));
    } else {
        bytes[len++] = (char)(0xF0 | point >> 18);
        bytes[len++] = (char)(0x80 | (point >> 12 & 0x3F));
        bytes[len++] = (char)(0x80 | (point >> 6 & 0x3F));
        bytes[len++] = (char)(0x80 | (point & 0x3F));
    }
    buf_add(text, bytes, len);
}

/* RFC 2781. A lone surrogate is no text. */
static bool add_utf16(struct str bytes, bool big, struct buf *text)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    uint32_t high = 0;
    if (bytes.len % 2) return false;
    for (size_t i = 0; i < bytes.len; i += 2) {
        uint32_t unit = big ? (uint32_t)at[i] << 8 | at[i + 1] : (uint32_t)at[i + 1] << 8 | at[i];
        bool low = unit >= 0xDC00 && unit < 0xE000;
        if (low != (high != 0)) return false;
        if (unit >= 0xD800 && unit < 0xDC00) {
            high = unit;
            continue;
        }
        add_point(text, low ? 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00) : unit);
        high = 0;
    }
    return high == 0;
}

/* Windows-1252 where it differs from Latin-1; 0: no letter stands there. */
static const uint16_t at_80[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
};

static void add_latin(struct str bytes, struct buf *text)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.at[i];
        add_point(text, byte >= 0x80 && byte < 0xA0 ? at_80[byte - 0x80] : byte);
    }
}

static bool add_gb18030(struct str bytes, struct buf *text)
{
    iconv_t turn = iconv_open("UTF-8", "GB18030");
    if (turn == (iconv_t)-1) return false;
    size_t left = bytes.len, room = 2 * bytes.len; /* two bytes become three, four four */
    char *from = (char *)(uintptr_t)bytes.at;      /* iconv() only reads it */
    char *space = buf_space(text, room);
    char *to = space;
    bool good = space && iconv(turn, &from, &left, &to, &room) == 0 && left == 0;
    iconv_close(turn);
    if (good) buf_grew(text, (size_t)(to - space));
    return good;
}

/* --- which one --- */

struct look {
    size_t high;      /* bytes past ASCII */
    size_t pairs;     /* two of them together, as GB 2312 writes its letters */
    size_t hanzi;     /* pairs in the rows of Chinese characters */
    size_t late;      /* of these in the rows that Korean (EUC-KR) has no syllables in */
    size_t kana;      /* pairs in the rows of Japanese syllables (EUC-JP) */
    size_t joined;    /* bytes past ASCII that follow another */
    size_t undefined; /* bytes that are no letter of Windows-1252 */
};

static struct look look_at(struct str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    struct look look = {0};
    for (size_t i = 0; i < bytes.len; i++) {
        if (at[i] < 0x80) continue;
        look.high++;
        if (i > 0 && at[i - 1] >= 0x80) look.joined++;
        if (at[i] < 0xA0 && at_80[at[i] - 0x80] == 0) look.undefined++;
        if (at[i] < 0xA1 || i + 1 == bytes.len || at[i + 1] < 0xA1) continue;
        unsigned row = at[i++];
        look.high++;
        look.joined++;
        look.pairs++;
        look.hanzi += row >= 0xB0 && row <= 0xF7;
        look.late += row >= 0xC9 && row <= 0xD7;
        look.kana += row == 0xA4 || row == 0xA5;
    }
    return look;
}

/*
 * Nearly all in pairs of GB 2312, most of them Chinese characters, and enough of
 * these in the rows C9 to D7, where a third of running Chinese stands (小 心 要 一 有 在
 * 这 中) and Korean has nothing; Japanese is full of its syllables.
 */
static bool is_chinese(const struct look *look)
{
    return look->pairs * 2 * 100 >= look->high * 95 && look->hanzi * 100 >= look->pairs * 60 &&
           look->late * 100 >= look->hanzi * 15 && look->kana * 100 <= look->pairs * 10;
}

/* Letters with accents stand alone among plain ones. */
static bool is_latin(const struct look *look)
{
    return look->undefined == 0 && look->joined * 100 <= look->high * 20;
}

static void join_line_ends(struct buf *text)
{
    char *end = text->at ? memchr(text->at, '\r', text->len) : NULL;
    if (!end) return;
    size_t to = (size_t)(end - text->at);
    for (size_t from = to; from < text->len; from++) {
        bool both = text->at[from] == '\r' && from + 1 < text->len && text->at[from + 1] == '\n';
        if (!both) text->at[to++] = text->at[from];
    }
    text->len = to;
    text->at[to] = '\0';
}

bool wiki_has_wide_mark(struct str bytes)
{
    return str_starts(bytes, STR("\xFF\xFE")) || str_starts(bytes, STR("\xFE\xFF"));
}

static bool decode(struct str bytes, struct buf *text)
{
    if (wiki_has_wide_mark(bytes))
        return add_utf16(str_from(bytes, 2), bytes.at[0] == '\xFE', text);
    if (str_starts(bytes, STR("\xEF\xBB\xBF"))) bytes = str_from(bytes, 3);
    if (utf8_valid(bytes)) {
        buf_add_str(text, bytes);
        return true;
    }
    struct look look = look_at(bytes);
    if (is_chinese(&look)) return add_gb18030(bytes, text);
    if (!is_latin(&look)) return false;
    add_latin(bytes, text);
    return true;
}

bool wiki_decode(struct str bytes, struct buf *text)
{
    buf_reset(text, SIZE_MAX);
    if (!decode(bytes, text) || text->failed) {
        buf_reset(text, SIZE_MAX);
        return false;
    }
    join_line_ends(text);
    return true;
}
