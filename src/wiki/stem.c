/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/stem.c: English words without their endings, gently.
 *
 * Plurals, -ed and -ing, and a few endings that turn a verb into a noun, so
 * that who asks about "parsing headers" finds parse_header(). Porter's rules
 * for a consonant doubled and an e that was lost; not his further steps, which
 * make one word of "general" and "generate".
 */
#include "wiki/words.h"

static bool ends(const char *word, size_t len, const char *ending)
{
    size_t ending_len = strlen(ending);
    return len > ending_len && memcmp(word + len - ending_len, ending, ending_len) == 0;
}

static bool is_vowel(const char *word, size_t at)
{
    if (word[at] == 'y') return at > 0 && !is_vowel(word, at - 1);
    return strchr("aeiou", word[at]) && word[at] != '\0';
}

static bool has_vowel(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (is_vowel(word, i)) return true;
    }
    return false;
}

static bool is_letters(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (word[i] < 'a' || word[i] > 'z') return false;
    }
    return true;
}

static size_t without_plural(char *word, size_t len)
{
    if (ends(word, len, "sses")) return len - 2;
    if (ends(word, len, "ies") && len > 4) {
        word[len - 3] = 'y';
        return len - 2;
    }
    if (ends(word, len, "xes") || ends(word, len, "ches") || ends(word, len, "shes")) {
        return len - 2;
    }
    if (ends(word, len, "ss") || ends(word, len, "us") || ends(word, len, "is")) return len;
    return ends(word, len, "s") ? len - 1 : len;
}

/* What is left of "runn", "pars", "creat". */
static size_t mend(char *word, size_t len)
{
    if (len < 3) return len;
    if (word[len - 1] == word[len - 2] && !is_vowel(word, len - 1) &&
        !strchr("lsz", word[len - 1])) {
        return len - 1;
    }
    return len;
}

static size_t without_verb_ending(char *word, size_t len)
{
    static const char *const endings[] = {"ing", "ed"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (!ends(word, len, endings[i])) continue;
        size_t left = len - ending;
        if (left < 3 || !has_vowel(word, left)) return len;
        return mend(word, left);
    }
    return len;
}

size_t wiki_stem(char *word, size_t len)
{
    if (len < 4 || !is_letters(word, len)) return len;
    len = without_plural(word, len);
    if (len > 4) len = without_verb_ending(word, len);
    /* "parse" is what "parsing" and "parsed" leave, and so has to leave its e. */
    if (len > 4 && word[len - 1] == 'e' && !is_vowel(word, len - 2)) len--;
    return len;
}
