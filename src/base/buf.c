/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/buf.h"

#include <stdarg.h>

#include "base/mem.h"

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_release(struct buf *buf)
{
    mem_free(buf->at);
    *buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf, size_t keep)
{
    if (buf->cap > keep) buf_release(buf);
    buf->len = 0;
    buf->failed = false;
}

char *buf_space_anew(struct buf *buf, size_t len)
{
    if (buf->failed || len > buf->max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    size_t needed = buf->len + len + 1;
    if (needed > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 256;
        while (cap < needed) cap *= 2;
        buf->at = mem_resize(buf->at, cap);
        buf->cap = cap;
    }
    return buf->at + buf->len;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    char *space = buf_space(buf, len);
    if (space == NULL) return;
    if (len > 0) memcpy(space, bytes, len);
    buf_grew(buf, len);
}

void buf_add_byte(struct buf *buf, char byte)
{
    buf_add(buf, &byte, 1);
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(buf, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    size_t room = buf->cap - buf->len;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(room ? buf->at + buf->len : NULL, room, format, args);
    va_end(args);
    ASSERT(len >= 0);
    char *space = buf_space(buf, (size_t)len);
    if (space) {
        if ((size_t)len >= room) vsnprintf(space, (size_t)len + 1, format, again);
        buf_grew(buf, (size_t)len);
    } else if (room) {
        buf->at[buf->len] = '\0';
    }
    va_end(again);
}
