/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/buf.h: an owned, growing run of bytes, born with a ceiling.
 *
 * Past its ceiling an append adds nothing and the buffer remembers it in
 * `failed`, so a writer checks once, at the end. Always NUL-terminated for
 * convenience once something was added. One thread at a time.
 */
#pragma once

#include "base/str.h"

struct buf {
    char *at;    /* owned; NULL until the first append */
    size_t len;  /* bytes used */
    size_t cap;  /* bytes allocated, including the NUL */
    size_t max;  /* ceiling for len */
    bool failed; /* an append did not fit; stays until reset */
};

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf); /* zeroed and released ones are fine */
/* Empty; keeps its memory unless that is more than `keep` bytes. */
void buf_reset(struct buf *buf, size_t keep);

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_byte(struct buf *buf, char byte);
void buf_add_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for `len` bytes to be written at the end, or NULL past the ceiling; then buf_grew(). */
static inline char *buf_space(struct buf *buf, size_t len);
static inline void buf_grew(struct buf *buf, size_t len);

static inline void buf_add_str(struct buf *buf, struct str s)
{
    buf_add(buf, s.at, s.len);
}

/* Good until the next append. */
static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->at, buf->len};
}

/* --- how: inline, because replies are written in thousands of small pieces --- */

char *buf_space_anew(struct buf *buf, size_t len); /* the slow half of buf_space() */

static inline char *buf_space(struct buf *buf, size_t len)
{
    bool fits = !buf->failed && len < buf->cap - buf->len && len <= buf->max - buf->len;
    return fits ? buf->at + buf->len : buf_space_anew(buf, len);
}

static inline void buf_grew(struct buf *buf, size_t len)
{
    ASSERT(buf->len + len < buf->cap);
    buf->len += len;
    buf->at[buf->len] = '\0';
}
