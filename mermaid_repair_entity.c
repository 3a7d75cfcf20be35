/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/mermaid_repair_entity.c: entities and relations, read kindly and written anew, line by line.
 */
#include "wiki/mermaid_internal.h"

static bool one_of(char byte, const char *signs)
{
    return byte != '\0' && strchr(signs, byte) != NULL;
}

/* As it is, or between quotation marks. */
static void put_name(struct buf *to, struct str raw)
{
    raw = mermaid_bare(raw);
    bool digit = raw.len > 0 && raw.at[0] >= '0' && raw.at[0] <= '9';
    bool fine = mermaid_is_id(raw, "-.") && !mermaid_keyword(raw, mermaid_entity_words, true);
    if (fine && !digit) {
        buf_add_str(to, raw);
        return;
    }
    buf_add_byte(to, '"');
    size_t from = to->len;
    mermaid_put_text(to, raw, "\"%\\`");
    if (to->len == from) buf_add_byte(to, '_');
    buf_add_byte(to, '"');
}

static void put_comment(struct buf *to, struct str raw)
{
    raw = mermaid_bare(raw);
    if (raw.len == 0) return;
    buf_add_str(to, STR(" \""));
    mermaid_put_text(to, raw, "\"%\\`");
    buf_add_byte(to, '"');
}

/* --- what is in the braces --- */

/* A type or a name. */
static void put_word(struct buf *to, struct str word)
{
    static const char *const keys[] = {"PK", "FK", "UK", NULL};
    bool digit = word.len > 0 && word.at[0] >= '0' && word.at[0] <= '9';
    if (digit || mermaid_keyword(word, keys, true) > 0) buf_add_byte(to, '_');
    for (size_t i = 0; i < word.len;) {
        size_t wide = mermaid_letter(word, i);
        bool fits = mermaid_is_word(word.at[i]) || (i > 0 && one_of(word.at[i], "-[]().,"));
        if (wide > 0) {
            buf_add(to, word.at + i, wide);
        } else {
            buf_add_byte(to, fits ? word.at[i] : '_');
        }
        i += MAX(wide, 1);
    }
    if (word.len == 0) buf_add_byte(to, '_');
}

/* The next word, past its own brackets: "decimal(10, 2)". */
static struct str next_word(struct str *rest)
{
    size_t end = 0;
    int depth = 0;
    *rest = str_trim(*rest);
    for (; end < rest->len; end++) {
        if (rest->at[end] == '(') depth++;
        if (rest->at[end] == ')') depth--;
        if (depth <= 0 && one_of(rest->at[end], " \t\"")) break;
    }
    struct str word = str_head(*rest, end);
    *rest = str_trim(str_from(*rest, end));
    return word;
}

/* "PK", "PK,", "FK": more keys than one stand behind each other with or without a comma. */
static bool take_key(struct str *rest, struct str *key_out)
{
    static const struct {
        struct str written, key;
    } keys[] = {{STR("PK"), STR("PK")},
                {STR("FK"), STR("FK")},
                {STR("UK"), STR("UK")},
                {STR("UNIQUE"), STR("UK")}};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct str written = keys[i].written, behind = str_from(*rest, written.len);
        if (!str_eq_nocase(str_head(*rest, written.len), written)) continue;
        if (behind.len > 0 && mermaid_is_word(behind.at[0])) continue;
        *key_out = keys[i].key;
        while (behind.len > 0 && one_of(behind.at[0], " ,/\t")) behind = str_from(behind, 1);
        *rest = behind;
        return true;
    }
    return false;
}

static void repair_attribute(struct buf *to, struct str line)
{
    while (str_ends(line, STR(","))) line = str_trim(str_head(line, line.len - 1));
    struct str rest = line, key, first = next_word(&rest);
    if (first.len == 0) return;
    bool turned = str_ends(first, STR(":")); /* "name: type" */
    if (turned) first.len--;
    struct str probe = rest;
    struct str second = take_key(&probe, &key) ? STR("") : next_word(&rest);
    buf_add_str(to, STR("        "));
    if (second.len == 0) { /* a name alone */
        buf_add_str(to, STR("any "));
        put_word(to, first);
    } else {
        put_word(to, turned ? second : first);
        buf_add_byte(to, ' ');
        put_word(to, turned ? first : second);
    }
    for (bool any = false; take_key(&rest, &key); any = true) {
        buf_add_str(to, any ? STR(", ") : STR(" "));
        buf_add_str(to, key);
    }
    put_comment(to, rest);
    buf_add_byte(to, '\n');
}

/* --- relations --- */

/* Which cardinality, by its signs in any order; -1: none. */
static int cardinality(struct str signs)
{
    bool many = str_find_byte(signs, '{') < signs.len || str_find_byte(signs, '}') < signs.len;
    bool none = str_find_byte(signs, 'o') < signs.len, one = str_find_byte(signs, '|') < signs.len;
    if (signs.len != 2) return -1;
    return many ? (none ? 2 : one ? 3 : -1) : (none && one ? 1 : one ? 0 : -1);
}

/* "||--o{" in a line: false: none. */
static bool find_relation(struct str line, size_t *at_out, int *from_out, int *to_out)
{
    for (size_t at = 2; at + 4 <= line.len; at++) {
        bool stroke = (line.at[at] == '-' || line.at[at] == '.') && line.at[at + 1] == line.at[at];
        if (!stroke) continue;
        *from_out = cardinality(str_head(str_from(line, at - 2), 2));
        *to_out = cardinality(str_head(str_from(line, at + 2), 2));
        *at_out = at - 2;
        if (*from_out >= 0 && *to_out >= 0) return true;
    }
    return false;
}

static bool repair_relation(struct buf *to, struct str line)
{
    static const char *const left[] = {"||", "|o", "}o", "}|"}, *const right[] = {"||", "o|", "o{",
                                                                                  "|{"};
    size_t at;
    int from, other;
    if (!find_relation(line, &at, &from, &other)) return false;
    struct str behind = str_trim(str_from(line, at + 6)), label = {0};
    bool quoted = false;
    size_t colon = 0;
    for (; colon < behind.len; colon++) {
        if (behind.at[colon] == '"') quoted = !quoted;
        if (!quoted && behind.at[colon] == ':') break;
    }
    label = mermaid_bare(str_from(behind, colon + 1));
    buf_add_str(to, STR("    "));
    put_name(to, str_head(line, at));
    buf_printf(to, " %s%.2s%s ", left[from], line.at + at + 2, right[other]);
    put_name(to, str_head(behind, colon));
    buf_add_str(to, STR(" : \""));
    mermaid_put_text(to, label, "\"%\\`");
    buf_add_str(to, STR("\"\n"));
    return true;
}

void mermaid_repair_entity(struct str body, struct buf *to)
{
    static const char *const dropped[] = {"style",    "classDef", "class", "title",
                                          "accTitle", "accDescr", "click", NULL};
    struct str line;
    bool in_braces = false;
    buf_add_byte(to, '\n');
    while (mermaid_repair_line(&body, &line)) {
        size_t at, brace = str_find_byte(line, '{');
        int from, other;
        bool relation = !in_braces && find_relation(line, &at, &from, &other);
        bool ends = in_braces && str_ends(line, STR("}"));
        if (in_braces) {
            repair_attribute(to, str_trim(str_head(line, line.len - (ends ? 1 : 0))));
        } else if (relation) {
            repair_relation(to, line);
        } else if (str_starts(line, STR("direction ")) && line.len == 12) {
            buf_printf(to, "    %.*s\n", STR_ARGS(line));
        } else if (brace < line.len) {
            struct str inside = str_trim(str_from(line, brace + 1));
            buf_add_str(to, STR("    "));
            put_name(to, str_head(line, brace));
            buf_add_str(to, STR(" {\n"));
            in_braces = true;
            ends = str_ends(inside, STR("}"));
            repair_attribute(to, str_trim(str_head(inside, inside.len - (ends ? 1 : 0))));
        } else if (mermaid_keyword(line, dropped, false) == 0) {
            if (mermaid_is_id(mermaid_bare(line), "- .")) {
                buf_add_str(to, STR("    "));
                put_name(to, line);
            } else {
                buf_add_str(to, line); /* nobody knows what it means */
            }
            buf_add_byte(to, '\n');
        }
        if (ends) {
            buf_add_str(to, STR("    }\n"));
            in_braces = false;
        }
    }
    if (in_braces) buf_add_str(to, STR("    }\n"));
}
