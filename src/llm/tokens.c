/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/tokens.c: one pass, a price a class.
 *
 * The classes follow how tokenizers cut a text before they look into their
 * vocabulary: a word takes the blank before it along, digits go in threes, marks in
 * runs. A vocabulary of our own would be exact for one family of models only, at 1.7
 * to 3.6 MB each (docs/decisions/0006-tokens.md).
 */
#include "llm/tokens.h"

enum {
    WORD_FREE = 7, /* letters of a word that cost nothing of their own */
    CYRILLIC_FREE = 3,
    RULE_TOKEN = 16 /* characters of a rule that make one more token */
};

static const struct {
    const char *name;
    unsigned milli; /* tokens each, in thousandths */
} classes[TOKENS_CLASSES] = {
    [TOKENS_WORD] = {"word", 940},
    [TOKENS_WORD_LONG] = {"word_long", 310},
    [TOKENS_ACCENT] = {"accent", 50},
    [TOKENS_DIGITS] = {"digits", 1000},
    [TOKENS_MARKS] = {"marks", 710},
    [TOKENS_MARKS_LONG] = {"marks_long", 200},
    [TOKENS_BLANKS] = {"blanks", 1190},
    [TOKENS_INDENT] = {"indent", 640},
    [TOKENS_CYRILLIC] = {"cyrillic", 1180},
    [TOKENS_CYRILLIC_LONG] = {"cyrillic_long", 110},
    [TOKENS_HAN] = {"han", 640},
    [TOKENS_KANA] = {"kana", 650},
    [TOKENS_HANGUL] = {"hangul", 720},
    [TOKENS_WIDE_MARKS] = {"wide_marks", 2310},
    [TOKENS_LETTER] = {"letter", 400},
    [TOKENS_SYMBOL] = {"symbol", 1190},
    [TOKENS_PICTURE] = {"picture", 1940},
};

const char *tokens_class_name(enum tokens_class class_)
{
    ASSERT(class_ < TOKENS_CLASSES);
    return classes[class_].name;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One word: capitals, then small letters; "parseJSONText" has three. */
static size_t count_word(struct str s, uint64_t counts[TOKENS_CLASSES])
{
    size_t len = 0;
    while (len < s.len && is_upper(s.at[len])) len++;
    bool acronym = len > 1 && len < s.len && is_lower(s.at[len]);
    if (acronym) {
        len--; /* its last capital begins the next word */
    } else {
        while (len < s.len && is_lower(s.at[len])) len++;
    }
    counts[TOKENS_WORD]++;
    if (len > WORD_FREE) counts[TOKENS_WORD_LONG] += len - WORD_FREE;
    return len;
}

static size_t count_digits(struct str s, uint64_t counts[TOKENS_CLASSES])
{
    size_t len = 0;
    while (len < s.len && is_digit(s.at[len])) len++;
    counts[TOKENS_DIGITS] += (len + 2) / 3;
    return len;
}

static size_t count_blanks(struct str s, uint64_t counts[TOKENS_CLASSES])
{
    size_t len = 0;
    while (len < s.len && is_white(s.at[len])) len++;
    /* A word takes the blank before it along, a number does not. */
    bool free = len == 1 && s.at[0] == ' ' && !(s.len > 1 && is_digit(s.at[1]));
    counts[TOKENS_BLANKS] += !free;
    counts[TOKENS_INDENT] += len > 2 && s.at[len - 2] == ' ' && s.at[0] != ' ';
    return len;
}

static bool is_mark(char c)
{
    return (unsigned char)c < 0x80 && !is_lower(c) && !is_upper(c) && !is_digit(c) && !is_white(c);
}

static size_t count_marks(struct str s, uint64_t counts[TOKENS_CLASSES])
{
    size_t len = 0;
    while (len < s.len && is_mark(s.at[len])) len++;
    counts[TOKENS_MARKS]++;
    counts[TOKENS_MARKS_LONG] += len - 1;
    return len;
}

static size_t count_ascii(struct str s, uint64_t counts[TOKENS_CLASSES])
{
    if (is_lower(s.at[0]) || is_upper(s.at[0])) return count_word(s, counts);
    if (is_white(s.at[0])) return count_blanks(s, counts);
    return is_digit(s.at[0]) ? count_digits(s, counts) : count_marks(s, counts);
}

/* The character that `s` begins with, past ASCII, and its length; bytes that are none are U+FFFD.
 */
static uint32_t char_at(struct str s, size_t *len_out)
{
    unsigned char lead = (unsigned char)s.at[0];
    size_t len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint32_t point = lead & (0x7Fu >> len);
    *len_out = 1;
    if (lead < 0xC2 || s.len < len) return 0xFFFD;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)s.at[i] & 0xC0) != 0x80) return 0xFFFD;
        point = point << 6 | ((unsigned char)s.at[i] & 0x3F);
    }
    *len_out = len;
    return point;
}

/* Blocks of Unicode by their last character. */
static const struct {
    uint32_t last;
    enum tokens_class class_;
} blocks[] = {
    {0x00BF, TOKENS_SYMBOL},      {0x024F, TOKENS_ACCENT},   {0x03FF, TOKENS_LETTER},
    {0x052F, TOKENS_CYRILLIC},    {0x10FF, TOKENS_LETTER},   {0x11FF, TOKENS_HANGUL},
    {0x1DFF, TOKENS_LETTER},      {0x1EFF, TOKENS_ACCENT},   {0x1FFF, TOKENS_LETTER},
    {0x2E7F, TOKENS_SYMBOL},      {0x2FFF, TOKENS_HAN},      {0x303F, TOKENS_WIDE_MARKS},
    {0x30FF, TOKENS_KANA},        {0x312F, TOKENS_HAN},      {0x318F, TOKENS_HANGUL},
    {0x9FFF, TOKENS_HAN},         {0xABFF, TOKENS_LETTER},   {0xD7FF, TOKENS_HANGUL},
    {0xF8FF, TOKENS_LETTER},      {0xFAFF, TOKENS_HAN},      {0xFDFF, TOKENS_LETTER},
    {0xFE4F, TOKENS_WIDE_MARKS},  {0xFEFF, TOKENS_LETTER},   {0xFFEF, TOKENS_WIDE_MARKS},
    {0xFFFF, TOKENS_LETTER},      {0x1FFFF, TOKENS_PICTURE}, {0x3FFFF, TOKENS_HAN},
    {UINT32_MAX, TOKENS_PICTURE},
};

static enum tokens_class class_of(uint32_t point)
{
    size_t i = 0;
    while (point > blocks[i].last) i++;
    return blocks[i].class_;
}

/* How many characters of `class_` stand at the front of `s`; `*len_out`: their bytes. */
static size_t letters_run(struct str s, enum tokens_class class_, size_t *len_out)
{
    size_t letters = 0, at = 0, len;
    for (; at < s.len && (unsigned char)s.at[at] >= 0x80; at += len) {
        if (class_of(char_at(str_from(s, at), &len)) != class_) break;
        letters++;
    }
    *len_out = at;
    return letters;
}

/* Bytes of the character of `len` bytes that `s` begins with and of its repetitions: rules. */
static size_t repeated_len(struct str s, size_t len)
{
    size_t end = len;
    while (end + len <= s.len && memcmp(s.at + end, s.at, len) == 0) end += len;
    return end;
}

/* A character past ASCII, a word of Cyrillic ones, or a rule: ────. */
static size_t count_wide(struct str s, uint64_t counts[TOKENS_CLASSES])
{
    size_t len;
    enum tokens_class class_ = class_of(char_at(s, &len));
    counts[class_]++;
    if (class_ == TOKENS_CYRILLIC) {
        size_t letters = letters_run(s, class_, &len);
        if (letters > CYRILLIC_FREE) counts[TOKENS_CYRILLIC_LONG] += letters - CYRILLIC_FREE;
    } else if (class_ == TOKENS_SYMBOL) {
        size_t one = len;
        len = repeated_len(s, one);
        counts[TOKENS_SYMBOL] += len / one / RULE_TOKEN;
    }
    return len;
}

void tokens_count(struct str text, uint64_t counts[TOKENS_CLASSES])
{
    while (text.len > 0) {
        bool ascii = (unsigned char)text.at[0] < 0x80;
        text = str_from(text, ascii ? count_ascii(text, counts) : count_wide(text, counts));
    }
}

uint64_t tokens_estimate(struct str text)
{
    uint64_t counts[TOKENS_CLASSES] = {0}, milli = 0;
    tokens_count(text, counts);
    for (size_t i = 0; i < TOKENS_CLASSES; i++) {
        milli += counts[i] * classes[i].milli;
    }
    return (milli + 999) / 1000;
}
