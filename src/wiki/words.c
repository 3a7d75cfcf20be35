/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/words.c: a million lines pass through here, so ASCII has a way of its
 * own: a table says what a byte is, and a word is copied once.
 */
#include "wiki/words.h"

#include "base/utf8.h"

enum { DIGITS_MAX = 8, HEX_MAX = 10, STEM_MIN = 4 };

enum byte { OTHER, LOWER, UPPER, DIGIT, LINE, WIDE };

static inline enum byte kind_of(unsigned char byte)
{
    if (byte >= 'a' && byte <= 'z') return LOWER;
    if (byte >= 'A' && byte <= 'Z') return UPPER;
    if (byte >= '0' && byte <= '9') return DIGIT;
    if (byte == '_') return LINE;
    return byte >= 0x80 ? WIDE : OTHER;
}

static void say(wiki_word_fn *fn, void *ctx, const char *at, size_t len, enum wiki_word kind)
{
    if (len > WIKI_WORD_BYTES) len = utf8_floor(at, WIKI_WORD_BYTES);
    if (len > 0) fn(ctx, (struct str){at, len}, kind);
}

static void say_with_stem(wiki_word_fn *fn, void *ctx, const char *at, size_t len,
                          enum wiki_word kind)
{
    char stem[WIKI_WORD_BYTES];
    say(fn, ctx, at, len, kind);
    if (len < STEM_MIN || len > sizeof(stem)) return;
    memcpy(stem, at, len);
    size_t stem_len = wiki_stem(stem, len);
    if (stem_len != len || memcmp(stem, at, len) != 0) {
        say(fn, ctx, stem, stem_len, kind | WIKI_WORD_STEM);
    }
}

/* Where the part of an identifier that begins at `at` ends: parse|Header, HTTP|Server, utf|8. */
static size_t part_end(const char *word, size_t len, size_t at)
{
    enum byte first = kind_of((unsigned char)word[at]);
    size_t end = at + 1;
    while (end < len && kind_of((unsigned char)word[end]) == first) end++;
    if (first != UPPER || end == len || kind_of((unsigned char)word[end]) != LOWER) return end;
    if (end - at > 1) return end - 1;
    while (end < len && kind_of((unsigned char)word[end]) == LOWER) end++;
    return end;
}

static void say_parts(wiki_word_fn *fn, void *ctx, const char *written, const char *lower,
                      size_t len)
{
    for (size_t at = 0; at < len;) {
        enum byte first = kind_of((unsigned char)written[at]);
        size_t end = part_end(written, len, at);
        /* A letter or a number alone says nothing of an identifier. */
        if (first != LINE && first != DIGIT && end - at > 1) {
            say_with_stem(fn, ctx, lower + at, end - at, WIKI_WORD_PART);
        }
        at = end;
    }
}

static bool is_number(const char *word, size_t len)
{
    return kind_of((unsigned char)word[0]) == DIGIT && len > 0;
}

/* A word of ASCII alone. */
static void say_ascii(wiki_word_fn *fn, void *ctx, const char *word, size_t len)
{
    char lower[WIKI_WORD_BYTES];
    if (is_number(word, len)) {
        bool hex = len > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
        if (len > (hex ? HEX_MAX : DIGITS_MAX)) return;
    }
    len = MIN(len, sizeof(lower));
    bool changes = false;
    enum byte before = OTHER;
    for (size_t i = 0; i < len; i++) {
        enum byte kind = kind_of((unsigned char)word[i]);
        changes |= i > 0 && kind != before && !(before == UPPER && kind == LOWER && i == 1);
        lower[i] = kind == UPPER ? (char)(word[i] + ('a' - 'A')) : word[i];
        before = kind;
    }
    if (!changes) {
        if (before != LINE) say_with_stem(fn, ctx, lower, len, WIKI_WORD_WHOLE);
        return;
    }
    say(fn, ctx, lower, len, WIKI_WORD_WHOLE);
    if (!is_number(word, len)) say_parts(fn, ctx, word, lower, len);
}

/* Scripts that write no blanks between words. */
static bool is_dense(uint32_t point)
{
    return (point >= 0x3040 && point <= 0x30FF) || (point >= 0x3400 && point <= 0x4DBF) ||
           (point >= 0x4E00 && point <= 0x9FFF) || (point >= 0xF900 && point <= 0xFAFF) ||
           (point >= 0x20000 && point <= 0x3FFFF) || (point >= 0x0E00 && point <= 0x0EFF) ||
           (point >= 0x1000 && point <= 0x109F) || (point >= 0x1780 && point <= 0x17FF);
}

/* A run of such characters: each, and each two. */
static struct str say_dense(wiki_word_fn *fn, void *ctx, struct str rest)
{
    const char *before = NULL;
    while (rest.len > 0) {
        struct str next = rest;
        uint32_t point = utf8_next(&next);
        if (!is_dense(point) || !utf8_is_word(point)) break;
        say(fn, ctx, rest.at, (size_t)(next.at - rest.at), WIKI_WORD_PART);
        if (before) say(fn, ctx, before, (size_t)(next.at - before), WIKI_WORD_WHOLE);
        before = rest.at;
        rest = next;
    }
    return rest;
}

/* A word of other scripts, in which ASCII may stand as well. */
static struct str say_wide(wiki_word_fn *fn, void *ctx, struct str rest)
{
    char lower[WIKI_WORD_BYTES + UTF8_POINT_BYTES];
    size_t len = 0;
    while (rest.len > 0) {
        struct str next = rest;
        uint32_t point = utf8_next(&next);
        if (!utf8_is_word(point) || is_dense(point)) break;
        if (len < WIKI_WORD_BYTES) len += utf8_put_lower(lower + len, point);
        rest = next;
    }
    say(fn, ctx, lower, len, WIKI_WORD_WHOLE);
    return rest;
}

/* What begins with a byte past ASCII. */
static struct str take_wide(wiki_word_fn *fn, void *ctx, struct str rest)
{
    struct str next = rest;
    uint32_t point = utf8_next(&next);
    if (!utf8_is_word(point)) return next;
    return is_dense(point) ? say_dense(fn, ctx, rest) : say_wide(fn, ctx, rest);
}

void wiki_words(struct str text, wiki_word_fn *fn, void *ctx)
{
    struct str rest = text;
    while (rest.len > 0) {
        enum byte kind = kind_of((unsigned char)rest.at[0]);
        if (kind == OTHER) {
            rest = (struct str){rest.at + 1, rest.len - 1};
            continue;
        }
        if (kind == WIDE) {
            rest = take_wide(fn, ctx, rest);
            continue;
        }
        size_t len = 1;
        while (len < rest.len && (kind = kind_of((unsigned char)rest.at[len])) != OTHER &&
               kind != WIDE) {
            len++;
        }
        if (len < rest.len && kind == WIDE) {
            struct str next = str_from(rest, len);
            uint32_t point = utf8_next(&next);
            if (utf8_is_word(point) && !is_dense(point)) {
                rest = say_wide(fn, ctx, rest);
                continue;
            }
        }
        say_ascii(fn, ctx, rest.at, len);
        rest = str_from(rest, len);
    }
}

bool wiki_word_is_idle(struct str word)
{
    static const char *const idle[] = {
        "a",     "about", "after", "all",  "also",   "am",    "an",     "and",   "any",   "are",
        "as",    "at",    "be",    "been", "being",  "but",   "by",     "can",   "could", "did",
        "do",    "does",  "doing", "done", "for",    "from",  "get",    "gets",  "had",   "has",
        "have",  "how",   "i",     "if",   "in",     "into",  "is",     "it",    "its",   "just",
        "me",    "more",  "most",  "my",   "no",     "not",   "of",     "on",    "only",  "or",
        "other", "our",   "out",   "over", "please", "same",  "should", "show",  "so",    "some",
        "such",  "tell",  "than",  "that", "the",    "their", "them",   "then",  "there", "these",
        "they",  "this",  "those", "to",   "too",    "under", "up",     "use",   "used",  "very",
        "was",   "we",    "were",  "what", "when",   "where", "which",  "while", "who",   "why",
        "will",  "with",  "would", "you",  "your"};
    size_t low = 0, high = word.len > 0 ? COUNT_OF(idle) : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct str here = str_of(idle[middle]);
        int order = memcmp(here.at, word.at, MIN(here.len, word.len));
        if (order == 0) order = here.len < word.len ? -1 : here.len > word.len;
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
