/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/locale.h: the languages in which wikis are written and questions answered.
 * The codes are the older clients' own ("kr", not "ko"), and their operators may
 * have others (wiki/old_config.h).
 */
#pragma once

#include "base/str.h"

struct wiki_locale {
    struct str code, name; /* "zh", "Mandarin Chinese (中文)" */
};

struct wiki_locales {
    const struct wiki_locale *at;
    size_t count;
    struct str standard; /* the code that is meant when none is named */
};

/* The ten that older clients know. */
extern const struct wiki_locales wiki_locales_usual;

/* Empty: no such code. */
struct str wiki_locale_name(const struct wiki_locales *locales, struct str code);
