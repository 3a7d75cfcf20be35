/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/whole.h"

#include "base/utf8.h"

static const struct str replacement = {"\xEF\xBF\xBD", 3};

static bool is_high(uint32_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

static void add_pair(struct buf *to, uint32_t high, uint32_t low)
{
    uint32_t point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    const unsigned char bytes[4] = {
        (unsigned char)(0xF0 | point >> 18), (unsigned char)(0x80 | (point >> 12 & 0x3F)),
        (unsigned char)(0x80 | (point >> 6 & 0x3F)), (unsigned char)(0x80 | (point & 0x3F))};
    buf_add(to, bytes, sizeof(bytes));
}

/* ---- bytes ---- */

/* Bytes of the character at the front of `s`; 0: none can come of it; `*cut_out`: it could, with
 * more bytes. `*bad_out`: how many bytes cannot become one (Unicode 15, 3.9, "maximal subpart"). */
static size_t char_len(struct str s, bool *cut_out, size_t *bad_out)
{
    uint32_t state = 0;
    *cut_out = false;
    for (size_t len = 1; len <= MIN(s.len, 4u); len++) {
        if (!utf8_feed(&state, s.at + len - 1, 1)) {
            *bad_out = MAX(len - 1, 1u);
            return 0;
        }
        if (state == 0) return len;
    }
    *cut_out = true;
    *bad_out = s.len;
    return 0;
}

/* The surrogate that three bytes at the front of `s` spell (ED A0..BF 80..BF); 0: none. */
static uint32_t surrogate_at(struct str s)
{
    const unsigned char *at = (const unsigned char *)s.at;
    if (s.len < 3 || at[0] != 0xED || at[1] < 0xA0 || at[1] > 0xBF || (at[2] & 0xC0) != 0x80) {
        return 0;
    }
    return 0xD000u | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3Fu);
}

/* Could `s`, shorter than a surrogate, become one, a low one where that is asked? */
static bool begins_surrogate(struct str s, bool low)
{
    if (s.len == 0) return true;
    if ((unsigned char)s.at[0] != 0xED || s.len > 2) return false;
    unsigned char second = s.len == 2 ? (unsigned char)s.at[1] : 0xB0;
    return second >= (low ? 0xB0 : 0xA0) && second <= 0xBF;
}

/* Reads what stands at the front of `s`, no valid character; returns its length, or 0 when more
 * bytes must be awaited. */
static size_t mend(struct str s, size_t bad, struct buf *to)
{
    uint32_t unit = surrogate_at(s), next = surrogate_at(str_from(s, 3));
    if (is_high(unit) && is_low(next)) {
        add_pair(to, unit, next);
        return 6;
    }
    if (is_high(unit) && begins_surrogate(str_from(s, 3), true)) return 0;
    if (unit == 0 && begins_surrogate(s, false)) return 0;
    buf_add_str(to, replacement);
    return unit ? 3 : bad;
}

static void add_mended(struct whole *whole, struct str s, struct buf *to)
{
    while (s.len > 0) {
        bool cut;
        size_t bad = 0,
               len = char_len(s, &cut, &bad); /* 0: gcc with TSan cannot see that it is set */
        if (len > 0) {
            buf_add(to, s.at, len);
        } else if (!cut) {
            len = mend(s, bad, to);
        }
        if (len == 0) break; /* the rest waits for more */
        s = str_from(s, len);
    }
    ASSERT(s.len <= WHOLE_HELD_MAX);
    if (s.len > 0) memcpy(whole->held, s.at, s.len);
    whole->held_len = (uint8_t)s.len;
}

enum err whole_feed(struct whole *whole, struct str piece, struct buf *scratch,
                    struct str *text_out, struct why *why)
{
    *text_out = piece;
    if (piece.len == 0 || (whole->held_len == 0 && utf8_valid(piece))) return OK;
    buf_reset(scratch, scratch->cap);
    struct buf joined;
    buf_init(&joined, piece.len + WHOLE_HELD_MAX);
    buf_add(&joined, whole->held, whole->held_len);
    buf_add_str(&joined, piece);
    add_mended(whole, buf_str(&joined), scratch);
    buf_release(&joined);
    *text_out = buf_str(scratch);
    if (scratch->failed) return why_set(why, ERR_LIMIT, "a piece of the answer is too long");
    return OK;
}

struct str whole_finish(struct whole *whole)
{
    bool held = whole->held_len > 0;
    whole->held_len = 0;
    return held ? replacement : (struct str){0};
}

/* ---- escapes ---- */

enum { ESCAPE_BYTES = 6 }; /* \ud83d */

/* The UTF-16 unit that `s` begins with as an escape, if it is a surrogate; else 0. */
static uint32_t escaped_at(struct str s)
{
    unsigned char unit[2];
    if (s.len < ESCAPE_BYTES || s.at[0] != '\\' || s.at[1] != 'u') return 0;
    if (s.at[2] != 'd' && s.at[2] != 'D') return 0;
    if (!hex_read(str_head(str_from(s, 2), 4), unit, sizeof(unit))) return 0;
    uint32_t value = (uint32_t)unit[0] << 8 | unit[1];
    return is_high(value) || is_low(value) ? value : 0;
}

/* Bytes of the escape that `s` begins with, a whole pair at once; `*lone_out`: half of one. */
static size_t escape_len(struct str s, bool *lone_out)
{
    uint32_t unit = escaped_at(s);
    bool pair = is_high(unit) && is_low(escaped_at(str_from(s, ESCAPE_BYTES)));
    *lone_out = unit != 0 && !pair;
    if (unit == 0) return MIN(s.len, 2u);
    return pair ? 2 * ESCAPE_BYTES : ESCAPE_BYTES;
}

bool json_has_lone_surrogate(struct str json)
{
    bool lone = false;
    for (;;) {
        json = str_from(json, str_find_byte(json, '\\'));
        if (json.len == 0) return false;
        size_t len = escape_len(json, &lone);
        if (lone) return true;
        json = str_from(json, len);
    }
}

/* Length of the string that `s` begins with, both quotes included, or all of `s`. */
static size_t string_len(struct str s)
{
    for (size_t at = 1; at < s.len; at++) {
        if (s.at[at] == '\\') {
            at++;
        } else if (s.at[at] == '"') {
            return at + 1;
        }
    }
    return s.len;
}

static void add_escape(struct buf *to, uint32_t unit)
{
    buf_printf(to, "\\u%04x", (unsigned)unit);
}

/* What waited for a string of this name goes in front of it; `inside` is without its quotes. */
static void claim(struct halves *halves, struct str inside, struct buf *to)
{
    add_escape(to, is_low(escaped_at(inside)) ? halves->high : 0xFFFD);
    halves->high = 0;
}

/* A string's inside, with no lone half left but the low one that `claimed` has joined. */
static void add_inside(struct halves *next, struct str inside, bool claimed, struct str key,
                       struct buf *to)
{
    for (size_t at = 0; at < inside.len;) {
        struct str rest = str_from(inside, at);
        bool lone = false;
        size_t len = rest.at[0] == '\\' ? escape_len(rest, &lone) : str_find_byte(rest, '\\');
        uint32_t unit = lone ? escaped_at(rest) : 0;
        if (!lone || (claimed && at == 0 && is_low(unit))) {
            buf_add(to, rest.at, len);
        } else if (is_high(unit) && len == rest.len && next->high == 0) {
            next->high = (uint16_t)unit;
            str_copy(next->key, sizeof(next->key), key);
        } else {
            add_escape(to, 0xFFFD);
        }
        at += len;
    }
}

/* Is the string that ends at `at` the name of a member? */
static bool is_key(struct str json, size_t at)
{
    struct str rest = str_trim(str_from(json, at));
    return rest.len > 0 && rest.at[0] == ':';
}

static void rewrite(struct halves *halves, struct str json, struct buf *to)
{
    struct halves next = {0};
    struct str key = {0};
    for (size_t at = 0; at < json.len;) {
        size_t quote = at + str_find_byte(str_from(json, at), '"');
        buf_add(to, json.at + at, quote - at);
        if (quote == json.len) break;
        size_t len = string_len(str_from(json, quote));
        struct str inside = {json.at + quote + 1, len - 1};
        bool ended = len > 1 && inside.at[inside.len - 1] == '"';
        if (ended) inside.len--;
        at = quote + len;

        buf_add_byte(to, '"');
        bool name = is_key(json, at), claims = false;
        if (name) key = inside;
        if (!name && halves->high && inside.len > 0) {
            claims = str_eq(str_head(key, HALVES_KEY_MAX), str_of(halves->key));
        }
        bool low = claims && is_low(escaped_at(inside));
        if (claims) claim(halves, inside, to);
        add_inside(&next, inside, low, key, to);
        if (ended) buf_add_byte(to, '"');
    }
    if (next.high) *halves = next;
}

enum err halves_join(struct halves *halves, struct str json, struct buf *scratch,
                     struct str *json_out, struct why *why)
{
    *json_out = json;
    if (halves->high == 0 && !json_has_lone_surrogate(json)) return OK;
    buf_reset(scratch, scratch->cap);
    rewrite(halves, json, scratch);
    *json_out = buf_str(scratch);
    if (scratch->failed) return why_set(why, ERR_LIMIT, "an event of the answer is too long");
    return OK;
}
