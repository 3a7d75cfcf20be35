/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/str.h: a borrowed piece of text or bytes: pointer and length, by value.
 *
 * Whoever hands one out says until when it is good. Not NUL-terminated unless
 * the giver says so. The empty str has length 0; its pointer may be NULL.
 */
#pragma once

#include "base/base.h"

struct str {
    const char *at;
    size_t len;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
/* For printf: "%.*s", STR_ARGS(s) */
#define STR_ARGS(s) ((int)(s).len), ((s).at ? (s).at : "")

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline struct str str_from(struct str s, size_t start)
{
    if (start > s.len) start = s.len;
    /* The pointer of an empty str may be NULL, and C allows no arithmetic on that. */
    return (struct str){start > 0 ? s.at + start : s.at, s.len - start};
}

static inline struct str str_head(struct str s, size_t len)
{
    return (struct str){s.at, MIN(len, s.len)};
}

bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Position of the first `byte`, or `s.len`. */
size_t str_find_byte(struct str s, char byte);
/* Position of the first `part`, or `s.len`. */
size_t str_find(struct str s, struct str part);
/* Cut off blanks, tabs and line ends on both sides (ASCII). */
struct str str_trim(struct str s);
/*
 * Take the piece before the next `byte` out of `*rest` into `*piece_out`;
 * false when nothing is left. "a,,b" gives "a", "", "b".
 */
bool str_split(struct str *rest, char byte, struct str *piece_out);

/* Whole text must be a decimal number in range; no blanks; '-' only for i64. */
MUST_USE bool str_to_u64(struct str s, uint64_t *value_out);
MUST_USE bool str_to_i64(struct str s, int64_t *value_out);

/* Copy into a fixed array, always NUL-terminated, cut between code points. */
void str_copy(char *to, size_t to_bytes, struct str from);

/* Compare in a time that depends on the lengths only. For secrets. */
bool str_eq_secret(struct str a, struct str b);

/* Two lower-case digits a byte; `to` takes 2 * len + 1 bytes. */
void hex_write(char *to, const void *bytes, size_t len);
/* `s` must be 2 * len hex digits. */
MUST_USE bool hex_read(struct str s, void *bytes, size_t len);
