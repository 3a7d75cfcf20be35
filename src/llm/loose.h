/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/loose.h: reads one JSON object or array as models write them, and writes it as it should be.
 *
 * One pass over the text with a stack of brackets, no recursion, no going back.
 * What is mended, and nothing else:
 * - a comma before a closing bracket; a comma missing behind `}` or `]`, or between
 *   a value and a quote on a later line
 * - raw control characters in strings; escapes that JSON does not have (`\'` and
 *   `\_` lose the backslash, `C:\Users` keeps it); half a surrogate pair, and
 *   `\u0000`, which base/json refuses, become U+FFFD
 * - None, NaN, True and False; names without quotes; typographic quotes as delimiters
 * - comments
 * Not: single quotes as delimiters (apostrophes), quotes inside strings, missing
 * values, numbers JSON does not know. Nothing is ever guessed.
 *
 * Where the text ends inside, what is complete is kept and closed: a name without
 * its value, a number or word that could go on, half an escape are dropped, an open
 * string value is closed.
 */
#pragma once

#include "base/buf.h"

enum loose_end {
    LOOSE_WHOLE, /* the closing bracket was found */
    LOOSE_CUT,   /* the text ended before it */
    LOOSE_BROKEN /* no JSON, or none that can be mended, or nested too deep */
};

struct loose {
    enum loose_end end;
    size_t len;    /* bytes read; LOOSE_BROKEN: up to what is wrong */
    bool mended;   /* it was not JSON as it stood (but for being cut) */
    bool credible; /* a name or a value was read: it was meant as JSON */
    bool too_deep;
};

/* `text` begins with `{` or `[` and is valid UTF-8. What is read is added to `out`, which may be
 * NULL; up to six bytes for one. After LOOSE_BROKEN, `out` holds a useless beginning. */
struct loose loose_read(struct str text, struct buf *out);
