/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* townhall/snippet.c: texts of people and models, cut to what may stand in a post, an entry of the
 * log or a prompt. */
#include "base/utf8.h"
#include "townhall/internal.h"

/* Models put quotes around what they say, and say too much. */
struct str trimmed_words(struct str text, size_t chars)
{
    text = str_trim(text);
    if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"')
        text = str_trim(str_head(str_from(text, 1), text.len - 2));
    size_t end = 0;
    for (size_t count = 0; end < text.len && count < chars; count++)
        end = utf8_character_end(text, end);
    while (utf8_count(str_head(text, end)) > chars) end = utf8_floor(text.at, end - 1);
    return str_trim(str_head(text, end));
}

struct str one_line(struct arena *arena, struct str text, size_t chars)
{
    struct str copy = arena_copy(arena, text);
    char *at = (char *)(uintptr_t)copy.at;
    for (size_t i = 0; i < copy.len; i++)
        if ((unsigned char)at[i] < ' ') at[i] = ' ';
    struct str head = trimmed_words(copy, chars);
    return head.len < str_trim(copy).len ? arena_printf(arena, "%.*s…", STR_ARGS(head)) : head;
}

/* "<said>", and what a model may take for it: "</Said >". */
static bool is_mark(struct str text)
{
    static const char *const names[] = {"said", "excerpts", "about"};
    if (!str_starts(text, STR("<"))) return false;
    text = str_from(text, str_starts(text, STR("</")) ? 2 : 1);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq_nocase(str_head(text, strlen(names[i])), str_of(names[i]))) return true;
    return false;
}

struct str without_marks(struct arena *arena, struct str text)
{
    struct str safe = arena_copy(arena, text);
    char *at = (char *)(uintptr_t)safe.at;
    for (size_t i = 0; i < safe.len; i++)
        if (is_mark(str_from(safe, i))) at[i] = '(';
    return safe;
}
