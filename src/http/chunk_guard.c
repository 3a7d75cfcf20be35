/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http/chunk_guard.h"

enum state {
    SIZE,      /* digits of a size, at least one */
    EXTENSION, /* behind a ';', up to the CR */
    SIZE_LF,   /* the LF of the size's line */
    DATA,
    DATA_CR,
    DATA_LF,
    LINE, /* at the start of a trailer line, or of the last one */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    END /* what follows is another request's */
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* RFC 9110, 5.6.2: what names are made of. */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Visible characters, blanks, and bytes past ASCII. */
static bool is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static bool go(struct chunk_guard *guard, enum state to)
{
    guard->state = (uint8_t)to;
    return true;
}

static bool on_size(struct chunk_guard *guard, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (++guard->count > 16) return false;
        guard->left = guard->left << 4 | (uint64_t)digit;
        return true;
    }
    if (guard->count == 0) return false;
    guard->count = 0;
    if (c == ';') return go(guard, EXTENSION);
    return c == '\r' && go(guard, SIZE_LF);
}

static bool on_extension(struct chunk_guard *guard, char c)
{
    if (++guard->count > CHUNK_EXTENSION_BYTES_MAX) return false;
    if (c == '\r') return go(guard, SIZE_LF);
    return is_text(c);
}

static bool on_trailer(struct chunk_guard *guard, char c)
{
    if (++guard->count > TRAILER_BYTES_MAX) return false;
    switch ((enum state)guard->state) {
    case LINE:
        if (c == '\r') return go(guard, END_LF);
        return is_token_char(c) && go(guard, NAME);
    case NAME: return c == ':' ? go(guard, VALUE) : is_token_char(c);
    case VALUE: return c == '\r' ? go(guard, VALUE_LF) : is_text(c);
    case VALUE_LF: return c == '\n' && go(guard, LINE);
    default: return false;
    }
}

static bool on_byte(struct chunk_guard *guard, char c)
{
    switch ((enum state)guard->state) {
    case SIZE: return on_size(guard, c);
    case EXTENSION: return on_extension(guard, c);
    case SIZE_LF: guard->count = 0; return c == '\n' && go(guard, guard->left > 0 ? DATA : LINE);
    case DATA_CR: return c == '\r' && go(guard, DATA_LF);
    case DATA_LF: return c == '\n' && go(guard, SIZE);
    case LINE:
    case NAME:
    case VALUE:
    case VALUE_LF: return on_trailer(guard, c);
    case END_LF: return c == '\n' && go(guard, END);
    case DATA: /* taken in one piece by the caller */
    case END: break;
    }
    return false;
}

bool chunk_guard_look(struct chunk_guard *guard, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && guard->state != END;) {
        if (guard->state != DATA) {
            if (!on_byte(guard, bytes[i++])) return false;
            continue;
        }
        size_t piece = (size_t)MIN(guard->left, (uint64_t)(len - i));
        guard->left -= piece;
        i += piece;
        if (guard->left == 0) go(guard, DATA_CR);
    }
    return true;
}
