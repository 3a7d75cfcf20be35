/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/tokens.h: about how many tokens a text is, before a provider says so.
 *
 * The truth is what the provider counts; every model has a vocabulary of its own.
 * The estimate counts words, characters and marks by script, each at a price that was
 * fitted to o200k_base (GPT-4o and later). Measured on pieces of 2,000 characters that the
 * fit had not seen, in percent of what o200k_base counts (docs/decisions/0006-tokens.md has
 * the table and how to repeat it, bench/tokens.mjs):
 *
 *     text               mean   worst      mean on cl100k_base (GPT-4)
 *     English prose      +1.0    -9.5       +1.2
 *     Chinese prose      +2.2   -18.5      -18.7
 *     Chinese poems     -12.7   -22.4      -34.1
 *     C                  +6.4   +18.1       +6.8
 *     JSON               -4.1   -13.6       -5.6
 *
 * Other vocabularies are not corrected for. What a chat's frame costs (three or four tokens a
 * message) is the caller's to add.
 */
#pragma once

#include "base/str.h"

/* What is counted in a text; each costs so many thousandths of a token (tokens.c). */
enum tokens_class {
    TOKENS_WORD,          /* Latin words without accents; a capital within begins another */
    TOKENS_WORD_LONG,     /* letters of such a word past the seventh */
    TOKENS_ACCENT,        /* Latin letters with accents */
    TOKENS_DIGITS,        /* up to three digits */
    TOKENS_MARKS,         /* runs of ASCII punctuation */
    TOKENS_MARKS_LONG,    /* characters of such a run past the first */
    TOKENS_BLANKS,        /* white space, but for one blank between words */
    TOKENS_INDENT,        /* … of it: a line end and blanks behind it */
    TOKENS_CYRILLIC,      /* words */
    TOKENS_CYRILLIC_LONG, /* letters of such a word past the third */
    TOKENS_HAN,           /* characters, as all that follow */
    TOKENS_KANA,
    TOKENS_HANGUL,
    TOKENS_WIDE_MARKS, /* 、。「」 and full-width forms */
    TOKENS_LETTER,     /* of another script */
    TOKENS_SYMBOL,     /* dashes, quotes, arrows, box drawing */
    TOKENS_PICTURE,    /* emoji and all else past U+FFFF */
    TOKENS_CLASSES
};

const char *tokens_class_name(enum tokens_class class_);
/* Adds to `counts`. Bytes that are no UTF-8 count as letters of another script. */
void tokens_count(struct str text, uint64_t counts[TOKENS_CLASSES]);
uint64_t tokens_estimate(struct str text);
