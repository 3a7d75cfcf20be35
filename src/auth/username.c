/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/username.c: names, by the categories that utf8proc knows, and by a small
 * table of scripts, which it doesn't.
 *
 * Not here: names that are of one script as a whole and look like one of
 * another (Cyrillic сосо). Telling those apart needs the confusables table and
 * refuses honest names; members see the number behind a name on its profile.
 */
#include "auth/username.h"

#include <utf8proc.h>

#include "base/limits.h"
#include "base/utf8.h"

/* The most that any script puts on one letter; more is drawing over other lines. */
enum { MARKS_IN_A_ROW_MAX = 4 };

enum kind { KIND_LETTER, KIND_MARK, KIND_PUNCTUATION, KIND_OTHER };

static enum kind kind_of(int32_t point)
{
    if (point == '_') return KIND_LETTER; /* may begin a name */
    if (point == '-' || point == '.') return KIND_PUNCTUATION;
    const utf8proc_property_t *property = utf8proc_get_property(point);
    /* Letters that nobody sees, such as U+3164 HANGUL FILLER, and variation selectors. */
    if (property->ignorable) return KIND_OTHER;
    switch (property->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND: return KIND_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC: return KIND_MARK;
    }
    return KIND_OTHER;
}

/* --- scripts --- */

/* One bit for each; what is common to all has none. */
enum script {
    SCRIPT_COMMON = 0,
    SCRIPT_LATIN = 1 << 0,
    SCRIPT_HAN = 1 << 1,
    SCRIPT_HIRAGANA = 1 << 2,
    SCRIPT_KATAKANA = 1 << 3,
    SCRIPT_BOPOMOFO = 1 << 4,
    SCRIPT_HANGUL = 1 << 5,
    SCRIPT_GREEK = 1 << 6,
    SCRIPT_CYRILLIC = 1 << 7,
    SCRIPT_ARMENIAN = 1 << 8,
    SCRIPT_HEBREW = 1 << 9,
    SCRIPT_ARABIC = 1 << 10,
    SCRIPT_THAANA = 1 << 11,
    SCRIPT_DEVANAGARI = 1 << 12,
    SCRIPT_BENGALI = 1 << 13,
    SCRIPT_GURMUKHI = 1 << 14,
    SCRIPT_GUJARATI = 1 << 15,
    SCRIPT_ORIYA = 1 << 16,
    SCRIPT_TAMIL = 1 << 17,
    SCRIPT_TELUGU = 1 << 18,
    SCRIPT_KANNADA = 1 << 19,
    SCRIPT_MALAYALAM = 1 << 20,
    SCRIPT_SINHALA = 1 << 21,
    SCRIPT_THAI = 1 << 22,
    SCRIPT_LAO = 1 << 23,
    SCRIPT_TIBETAN = 1 << 24,
    SCRIPT_MYANMAR = 1 << 25,
    SCRIPT_GEORGIAN = 1 << 26,
    SCRIPT_ETHIOPIC = 1 << 27,
    SCRIPT_KHMER = 1 << 28,
    SCRIPT_OTHER = 1 << 29
};

/* From each point on, up to the next. */
static const struct {
    int32_t first;
    int32_t script;
} scripts[] = {
#include "auth/username_scripts.inc"
};

static int32_t script_of(int32_t point)
{
    size_t low = 0, high = COUNT_OF(scripts); /* the last that begins at `point` or before */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (scripts[middle].first <= point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? scripts[low - 1].script : SCRIPT_COMMON;
}

static bool go_together(int32_t found)
{
    static const int32_t sets[] = {
        SCRIPT_LATIN | SCRIPT_HAN | SCRIPT_HIRAGANA | SCRIPT_KATAKANA,
        SCRIPT_LATIN | SCRIPT_HAN | SCRIPT_BOPOMOFO,
        SCRIPT_LATIN | SCRIPT_HAN | SCRIPT_HANGUL,
    };
    if ((found & (found - 1)) == 0) return true; /* one, or none */
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        if ((found & ~sets[i]) == 0) return true;
    }
    return false;
}

/* --- points --- */

/* The next code point of valid text. */
static int32_t next_point(struct str *rest)
{
    int32_t point = 0;
    utf8proc_ssize_t used =
        utf8proc_iterate((const utf8proc_uint8_t *)rest->at, (utf8proc_ssize_t)rest->len, &point);
    ASSERT(used > 0);
    *rest = str_from(*rest, (size_t)used);
    return point;
}

static enum err points_check(struct str name, struct why *why)
{
    int marks = 0;
    for (struct str rest = name; rest.len > 0;) {
        bool first = rest.at == name.at;
        int32_t point = next_point(&rest);
        enum kind kind = kind_of(point);
        if (point == ' ')
            return why_field(why, "username", "value_error", "a username has no blanks");
        if (kind == KIND_OTHER) {
            return why_field(
                why, "username", "value_error",
                "a username may have letters, digits, '_', '-' and '.', but not U+%04X",
                (unsigned)point);
        }
        if (first && kind != KIND_LETTER) {
            return why_field(why, "username", "value_error",
                             "a username begins with a letter, a digit or an underscore");
        }
        marks = kind == KIND_MARK ? marks + 1 : 0;
        if (marks > MARKS_IN_A_ROW_MAX) {
            return why_field(why, "username", "value_error",
                             "a username has at most %d accents on one letter", MARKS_IN_A_ROW_MAX);
        }
    }
    return OK;
}

/* Of a key: what stands for another letter is that letter there. */
static enum err scripts_check(struct str key, struct why *why)
{
    int32_t found = 0;
    while (key.len > 0) {
        int32_t point = next_point(&key);
        if (kind_of(point) == KIND_PUNCTUATION || point == '_') continue;
        found |= script_of(point);
        if (go_together(found)) continue;
        return why_field(
            why, "username", "value_error",
            "用户名不能混用不同文字 (a username has letters of one script, or Chinese, "
            "Japanese or Korean with Latin; U+%04X is of another)",
            (unsigned)point);
    }
    return OK;
}

enum err username_check(struct str raw, struct str *trimmed_out, struct why *why)
{
    struct str name = {0};
    enum err err = text_check("username", raw, LIMIT_USERNAME_MIN, LIMIT_USERNAME_MAX, &name, why);
    if (err) return err;
    err = points_check(name, why);
    if (err) return err;

    /* A few letters turn into several characters, some of them blanks (U+037A). */
    struct arena arena = {0};
    struct str key = username_key(&arena, name);
    if (key.len > USERNAME_KEY_BYTES_MAX || key.len == 0 || points_check(key, why) != OK) {
        err = why_field(why, "username", "value_error",
                        "a username cannot have letters that stand for others");
    }
    if (!err) err = scripts_check(key, why);
    arena_release(&arena);
    if (!err) *trimmed_out = name;
    return err;
}

/* One pass of NFKC_Casefold. The length is given, so a NUL is a character like others. */
static struct str fold(struct arena *arena, struct str text)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t len = utf8proc_map(
        (const utf8proc_uint8_t *)text.at, (utf8proc_ssize_t)text.len, &folded,
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
    ASSERT(len >= 0); /* fails for bad UTF-8 and without memory only */
    struct str copy = arena_copy(arena, (struct str){(const char *)folded, (size_t)len});
    free(folded);
    return copy;
}

struct str username_key(struct arena *arena, struct str name)
{
    ASSERT(utf8_valid(name));
    struct str key = str_trim(name);
    if (key.len == 0) return (struct str){0};
    /* Folding can leave something to fold: the mapping works letter by letter, composing joins
     * letters afterwards. A key that is no key of itself would let one name be taken twice. */
    for (int pass = 0; pass < 4; pass++) {
        struct str before = key;
        key = str_trim(fold(arena, key));
        if (key.len == 0 || str_eq(key, before)) break;
    }
    return key;
}
