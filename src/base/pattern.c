/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/pattern.h"

#include "base/limits.h"
#include "base/utf8.h"

enum err model_pattern_check(struct str pattern, struct why *why)
{
    bool fits = pattern.len > 0 && pattern.len <= LIMIT_MODEL_BYTES && utf8_valid(pattern);
    for (size_t i = 0; i < pattern.len && fits; i++) fits = (unsigned char)pattern.at[i] > ' ';
    if (fits) return OK;
    return why_set(why, ERR_INVALID,
                   "a model is a name of at most %d bytes without blanks; * stands for anything",
                   LIMIT_MODEL_BYTES);
}

bool model_pattern_matches(struct str pattern, struct str model)
{
    /* Where the last star stood, and how far the name had been read there: on a mismatch that star
     * takes one byte more. No recursion, at most pattern × name steps. */
    size_t p = 0, m = 0, star = pattern.len, star_m = 0;
    while (m < model.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star = p++;
            star_m = m;
        } else if (p < pattern.len && pattern.at[p] == model.at[m]) {
            p++;
            m++;
        } else if (star < pattern.len) {
            p = star + 1;
            m = ++star_m;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*') p++;
    return p == pattern.len;
}
