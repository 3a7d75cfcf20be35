/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/locale.h"

const struct wiki_locale wiki_locales[WIKI_LOCALES] = {
    {"en", "English"},
    {"ja", "Japanese (日本語)"},
    {"zh", "Mandarin Chinese (中文)"},
    {"zh-tw", "Traditional Chinese (繁體中文)"},
    {"es", "Spanish (Español)"},
    {"kr", "Korean (한국어)"},
    {"vi", "Vietnamese (Tiếng Việt)"},
    {"pt-br", "Brazilian Portuguese (Português Brasileiro)"},
    {"fr", "Français (French)"},
    {"ru", "Русский (Russian)"},
};

const struct wiki_locale *wiki_locale_find(struct str code)
{
    for (size_t i = 0; i < WIKI_LOCALES; i++) {
        if (str_eq(code, str_of(wiki_locales[i].code))) return &wiki_locales[i];
    }
    return NULL;
}
