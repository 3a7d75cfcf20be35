/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/locale.h"

/* clang-format off: a table */
#define LOCALE(code, name)                                                                         \
    {                                                                                              \
        {code, sizeof(code) - 1},                                                                  \
        {                                                                                          \
            name, sizeof(name) - 1                                                                 \
        }                                                                                          \
    }
static const struct wiki_locale usual[] = {
    LOCALE("en", "English"),
    LOCALE("ja", "Japanese (日本語)"),
    LOCALE("zh", "Mandarin Chinese (中文)"),
    LOCALE("zh-tw", "Traditional Chinese (繁體中文)"),
    LOCALE("es", "Spanish (Español)"),
    LOCALE("kr", "Korean (한국어)"),
    LOCALE("vi", "Vietnamese (Tiếng Việt)"),
    LOCALE("pt-br", "Brazilian Portuguese (Português Brasileiro)"),
    LOCALE("fr", "Français (French)"),
    LOCALE("ru", "Русский (Russian)"),
};
/* clang-format on */

const struct wiki_locales wiki_locales_usual = {
    .at = usual, .count = COUNT_OF(usual), .standard = {"en", 2}};

struct str wiki_locale_name(const struct wiki_locales *locales, struct str code)
{
    for (size_t i = 0; i < locales->count; i++) {
        if (str_eq(code, locales->at[i].code)) return locales->at[i].name;
    }
    return STR("");
}
