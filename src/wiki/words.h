/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/words.h: the words of code and prose, as they are looked for.
 *
 * A word is what letters, digits and '_' make in a row, in lower case. An
 * identifier of several words (parseHeader, PARSE_HEADER) is a word as it is
 * written, "parseheader" and "parse_header", and its parts are words as well,
 * "parse" and "header". English endings are taken off: "headers" is found by
 * "header", and is "headers" all the same. Of Chinese and Japanese, which
 * write no blanks, each two neighbours are a word, and each character.
 * Pure.
 */
#pragma once

#include "base/str.h"

enum { WIKI_WORD_BYTES = 64 }; /* the rest of a longer one is cut off */

enum wiki_word {
    WIKI_WORD_WHOLE = 1, /* as it is written */
    WIKI_WORD_PART = 2,  /* of an identifier */
    WIKI_WORD_STEM = 4   /* without its ending */
};

typedef void wiki_word_fn(void *ctx, struct str word, enum wiki_word kind);

/*
 * Each word of `text`, which is valid UTF-8, in order. Words that are numbers stand for themselves;
 * longer ones than eight digits are left out: nobody asks for a row of a table. The word is good
 * during the call.
 */
void wiki_words(struct str text, wiki_word_fn *fn, void *ctx);

/* A word that says nothing about what is asked: "the", "how", "does". */
bool wiki_word_is_idle(struct str word);

/* The length of an ASCII word without its English ending. `word` may be changed: "stories" is
 * "story". */
size_t wiki_stem(char *word, size_t len);
