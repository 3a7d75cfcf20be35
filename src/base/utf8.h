/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/utf8.h: UTF-8 (RFC 3629): validity, counting, cutting.
 *
 * Text from strangers is checked once, at the edge; inside we assert it.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* No overlong forms, no surrogates, nothing past U+10FFFF, nothing cut off. */
bool utf8_valid(struct str s);
/* Code points in valid text. */
size_t utf8_count(struct str s);
/* The largest cut <= `at` that does not split a code point. */
size_t utf8_floor(const char *text, size_t at);

/* Take the first code point out of valid, non-empty text. */
uint32_t utf8_next(struct str *rest);
/* Letters and numbers of every script, and '_': what words are made of. */
bool utf8_is_word(uint32_t point);
enum { UTF8_POINT_BYTES = 4 };
/* The lower case of a code point (its simple mapping), which may be a byte longer; its length. */
size_t utf8_put_lower(char to[UTF8_POINT_BYTES], uint32_t point);
/*
 * Where the character that begins at `at` ends, as a reader counts characters: a letter with its
 * marks, a flag, a family joined of many emoji (extended grapheme clusters, UAX #29). A byte that
 * is no UTF-8 is a character of its own.
 */
size_t utf8_character_end(struct str text, size_t at);

/*
 * A validity check that takes text in pieces, cut anywhere (WebSocket
 * fragments). `state` starts at 0; a piece that can no longer become valid
 * gives false. At the end the text is whole when *state is 0.
 * Björn Höhrmann's automaton: https://bjoern.hoehrmann.de/utf-8/decoder/dfa/
 */
bool utf8_feed(uint32_t *state, const char *bytes, size_t len);

/* The same with LF for every CR LF, as forms of browsers and Windows send them; in the arena where
 * it differs. */
struct str text_lines(struct arena *arena, struct str s);

/*
 * Text a person wrote: valid UTF-8, no control characters but newline and tab
 * (also none of U+0080–U+009F, U+2028/9 or U+FEFF), no lone carriage return.
 * Trims blanks of every width, then counts code points against [min, max].
 * `what` names it in the sentence: "content".
 */
MUST_USE enum err text_check(const char *what, struct str raw, size_t min, size_t max,
                             struct str *trimmed_out, struct why *why);
/* What a program said (valid UTF-8), as text_check() takes it: other ends of lines are newlines,
 * other control characters go. In the arena where it differs. */
struct str text_tidy(struct arena *arena, struct str s);
/* The same as text_check() for what stands in a line among others, a name: no newline, no tab, and
 * nothing that turns the direction of what stands beside it (UAX #9: U+202A–202E, U+2066–2069). */
MUST_USE enum err name_check(const char *what, struct str raw, size_t min, size_t max,
                             struct str *trimmed_out, struct why *why);
