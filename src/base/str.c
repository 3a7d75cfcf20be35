/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/str.h"

#include "base/utf8.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) return false;
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_head(s, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

size_t str_find_byte(struct str s, char byte)
{
    const char *found = s.len ? memchr(s.at, byte, s.len) : NULL;
    return found ? (size_t)(found - s.at) : s.len;
}

size_t str_find(struct str s, struct str part)
{
    const char *found = s.len && part.len ? memmem(s.at, s.len, part.at, part.len) : NULL;
    if (part.len == 0) return 0;
    return found ? (size_t)(found - s.at) : s.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.at[0])) s = str_from(s, 1);
    while (s.len > 0 && is_blank(s.at[s.len - 1])) s.len--;
    return s;
}

bool str_split(struct str *rest, char byte, struct str *piece_out)
{
    if (rest->at == NULL) return false;
    size_t end = str_find_byte(*rest, byte);
    *piece_out = str_head(*rest, end);
    *rest = end < rest->len ? str_from(*rest, end + 1) : (struct str){NULL, 0};
    return true;
}

bool str_to_u64(struct str s, uint64_t *value_out)
{
    if (s.len == 0) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value)) return false;
    }
    *value_out = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *value_out)
{
    bool negative = s.len > 0 && s.at[0] == '-';
    uint64_t size;
    if (!str_to_u64(str_from(s, negative ? 1 : 0), &size)) return false;
    if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
    *value_out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

void str_copy(char *to, size_t to_bytes, struct str from)
{
    ASSERT(to_bytes > 0);
    size_t len = from.len;
    if (len >= to_bytes) len = utf8_floor(from.at, to_bytes - 1);
    if (len > 0) memcpy(to, from.at, len);
    to[len] = '\0';
}

bool str_eq_secret(struct str a, struct str b)
{
    if (a.len != b.len) return false;
    volatile unsigned char different = 0;
    for (size_t i = 0; i < a.len; i++) different |= (unsigned char)(a.at[i] ^ b.at[i]);
    return different == 0;
}

void hex_write(char *to, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
    to[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_read(struct str s, void *bytes, size_t len)
{
    if (s.len != 2 * len) return false;
    unsigned char *to = bytes;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(s.at[2 * i]), low = hex_digit(s.at[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
