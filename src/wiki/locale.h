/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* wiki/locale.h: the languages in which wikis are written. The codes are the older clients'. */
#pragma once

#include "base/str.h"

struct wiki_locale {
    const char *code, *name;
};

enum { WIKI_LOCALES = 10 };
extern const struct wiki_locale wiki_locales[WIKI_LOCALES];

/* NULL: no such code. */
const struct wiki_locale *wiki_locale_find(struct str code);
