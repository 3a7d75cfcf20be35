/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/diagram_internal.h"

#include <stdarg.h>

#include "base/utf8.h"

/* ---- lines ---- */

static bool is_blank_point(uint32_t point)
{
    return point == 0xa0 || point == 0x85 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200b) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202f) || point == 0x205f || point == 0x2060 ||
           point == 0x3000 || point == 0xfeff;
}

static struct str cleaned(struct diagram *d, struct str line)
{
    struct buf out;
    struct str rest = line;
    buf_init(&out, line.len + 8);
    while (rest.len > 0) {
        struct str at = rest;
        uint32_t point = utf8_next(&rest);
        bool quote = d->straight && point >= 0x201c && point <= 0x201f;
        if (quote)
            buf_add_byte(&out, '"');
        else if (is_blank_point(point) || (point < 0x20 && point != '\t') || point == 0x7f)
            buf_add_byte(&out, ' ');
        else
            buf_add(&out, at.at, at.len - rest.len);
    }
    struct str text = arena_copy(d->arena, buf_str(&out));
    buf_release(&out);
    return text;
}

/* Mermaid looks for these before anything else: in the middle of a text they are an order. */
static bool orders_a_direction(struct str line)
{
    static const char *const ways[] = {"TB", "BT", "RL", "LR"};
    for (size_t at = 0; (at += str_find(str_from(line, at), STR("irection"))) < line.len; at++) {
        struct str rest = str_from(line, at + 8);
        struct str way = str_head(str_trim(rest), 2);
        bool apart = rest.len > 0 && (rest.at[0] == ' ' || rest.at[0] == '\t');
        for (size_t i = 0; apart && i < COUNT_OF(ways); i++) {
            if (str_eq_nocase(way, str_of(ways[i]))) return true;
        }
    }
    return false;
}

bool diagram_next(struct diagram *d)
{
    struct str line;
    if (d->rest.len == 0 || !str_split(&d->rest, '\n', &line)) return false;
    if (line.len > DIAGRAM_LINE_BYTES_MAX || !utf8_valid(line)) {
        d->too_much = true;
        return false;
    }
    line = cleaned(d, line);
    size_t in = 0;
    while (in < line.len && (line.at[in] == ' ' || line.at[in] == '\t')) in++;
    d->indent = str_head(line, in);
    d->line = str_trim(line);
    if (!str_starts(d->line, STR("direction")) && orders_a_direction(d->line)) d->too_much = true;
    return true;
}

void diagram_say(struct diagram *d, const char *format, ...)
{
    char line[4 * DIAGRAM_LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(line)) {
        d->too_much = true;
        return;
    }
    buf_add_str(d->to, d->indent);
    buf_add(d->to, line, (size_t)len);
    buf_add_byte(d->to, '\n');
    d->statements++;
}

bool diagram_comment(struct diagram *d)
{
    bool comment = str_starts(d->line, STR("%%")) && !str_starts(d->line, STR("%%{"));
    if (d->line.len > 0 && !comment) return false;
    /* One with nothing in it is no comment to Mermaid. */
    if (d->line.len > 2) {
        buf_add_str(d->to, d->indent);
        buf_add_str(d->to, d->line);
    }
    buf_add_byte(d->to, '\n');
    return true;
}

/* ---- texts ---- */

/* "#35;" or "#quot;" at the beginning: its length. A color is none. */
static size_t entity_bytes(struct str text)
{
    size_t at = 1, digits = 0;
    if (text.len < 3 || text.at[0] != '#') return 0;
    struct str word = diagram_first_word(str_head(str_from(text, 1), 9));
    at += word.len;
    for (size_t i = 0; i < word.len; i++) digits += word.at[i] >= '0' && word.at[i] <= '9';
    bool pure = word.len > 0 && word.len <= 8 && (digits == 0 || digits == word.len);
    return pure && at < text.len && text.at[at] == ';' ? at + 1 : 0;
}

struct str diagram_text(struct diagram *d, struct str text, const char *bad)
{
    struct buf out;
    buf_init(&out, 6 * text.len + 8);
    for (size_t i = 0; i < text.len;) {
        size_t entity = entity_bytes(str_from(text, i));
        if (entity > 0)
            buf_add(&out, text.at + i, entity);
        else if (strchr(bad, text.at[i]))
            buf_printf(&out, "#%d;", text.at[i]);
        else
            buf_add_byte(&out, text.at[i]);
        i += entity > 0 ? entity : 1;
    }
    struct str done = arena_copy(d->arena, buf_str(&out));
    buf_release(&out);
    return done;
}

struct str diagram_replace(struct diagram *d, struct str text, char what, const char *with)
{
    struct buf out;
    buf_init(&out, strlen(with) * text.len + text.len + 8);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == what)
            buf_add_str(&out, str_of(with));
        else
            buf_add_byte(&out, text.at[i]);
    }
    struct str done = arena_copy(d->arena, buf_str(&out));
    buf_release(&out);
    return done;
}

struct str diagram_bare(struct str text)
{
    text = str_trim(text);
    while (text.len > 0 && text.at[text.len - 1] == ';') {
        size_t hash = text.len - 1;
        while (hash > 0 && diagram_is_name_byte(text.at[hash - 1])) hash--;
        if (hash > 0 && entity_bytes(str_from(text, hash - 1)) == text.len - hash + 1) break;
        text = str_trim(str_head(text, text.len - 1));
    }
    return text;
}

static bool is_quoted(struct str text, char quote)
{
    return text.len >= 2 && text.at[0] == quote && text.at[text.len - 1] == quote;
}

static struct str inside_of(struct str text)
{
    return str_trim(str_head(str_from(text, 1), text.len - 2));
}

struct str diagram_unquoted(struct diagram *d, struct str text)
{
    text = str_trim(text);
    while (is_quoted(text, '"') || is_quoted(text, '`')) text = inside_of(text);
    text = diagram_replace(d, text, '"', "'");
    while (is_quoted(text, '\'') && str_find_byte(inside_of(text), '\'') == inside_of(text).len) {
        text = inside_of(text);
    }
    return text;
}

/* ---- words ---- */

bool diagram_is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

bool diagram_is_word(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!diagram_is_name_byte(text.at[i])) return false;
    }
    return text.len > 0;
}

bool diagram_is_one_of(struct str word, const char *list, bool exact)
{
    struct str rest = str_of(list), one;
    while (str_split(&rest, ' ', &one)) {
        if (exact ? str_eq(one, word) : str_eq_nocase(one, word)) return true;
    }
    return false;
}

struct str diagram_first_word(struct str text)
{
    size_t len = 0;
    while (len < text.len && diagram_is_name_byte(text.at[len]) &&
           (unsigned char)text.at[len] < 0x80) {
        len++;
    }
    return str_head(text, len);
}

bool diagram_after(struct str text, const char *word, struct str *rest_out)
{
    size_t len = strlen(word);
    if (!str_eq_nocase(str_head(text, len), str_of(word))) return false;
    if (text.len > len && text.at[len] != ' ' && text.at[len] != '\t') return false;
    *rest_out = str_trim(str_from(text, len));
    return true;
}

size_t diagram_find(struct str text, const char *part)
{
    char quote = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (quote == 0 && str_starts(str_from(text, i), str_of(part))) return i;
        if (quote == text.at[i])
            quote = 0;
        else if (quote == 0 && (text.at[i] == '"' || text.at[i] == '`'))
            quote = text.at[i];
    }
    return text.len;
}

bool diagram_colon(struct str text, struct str *before_out, struct str *behind_out)
{
    size_t at = 0;
    for (;;) {
        at += diagram_find(str_from(text, at), ":");
        if (at >= text.len) return false;
        size_t run = 1;
        while (at + run < text.len && text.at[at + run] == ':') run++;
        if (run == 1) break;
        at += run;
    }
    *before_out = str_trim(str_head(text, at));
    *behind_out = str_trim(str_from(text, at + 1));
    return true;
}

const struct diagram_name *diagram_known(const struct diagram *d, struct str said)
{
    for (size_t i = 0; i < d->name_count; i++) {
        if (str_eq(d->names[i].said, said)) return &d->names[i];
    }
    return NULL;
}

struct str diagram_know(struct diagram *d, struct str said, struct str id)
{
    if (diagram_known(d, said)) return id;
    if (d->name_count == DIAGRAM_NAMES_MAX)
        d->too_much = true;
    else
        d->names[d->name_count++] = (struct diagram_name){said, id};
    return id;
}

/* Letters and digits of it with "_" between. */
static struct str plain_id(struct diagram *d, struct str said)
{
    struct buf out;
    buf_init(&out, said.len + 16);
    for (size_t i = 0; i < said.len && out.len < 60; i++) {
        bool fine = diagram_is_name_byte(said.at[i]) && (unsigned char)said.at[i] < 0x80;
        bool again = out.len > 0 && buf_str(&out).at[out.len - 1] == '_';
        if (fine || (out.len > 0 && !again)) buf_add_byte(&out, fine ? said.at[i] : '_');
    }
    size_t len = out.len;
    while (len > 0 && out.at[len - 1] == '_') len--;
    struct str id = arena_copy(d->arena, str_head(buf_str(&out), len));
    buf_release(&out);
    return id;
}

static bool is_taken(const struct diagram *d, struct str id)
{
    for (size_t i = 0; i < d->name_count; i++) {
        if (str_eq(d->names[i].id, id)) return true;
    }
    return str_find(d->whole, id) < d->whole.len;
}

struct str diagram_id(struct diagram *d, struct str said)
{
    const struct diagram_name *known = diagram_known(d, said);
    if (known) return known->id;
    struct str base = plain_id(d, said), id = base;
    bool digit = base.len > 0 && base.at[0] >= '0' && base.at[0] <= '9';
    /* With a sign that no word of the language has; keywords are ids otherwise. */
    if (base.len == 0 || digit || str_find_byte(base, '_') == base.len) {
        base = id = arena_printf(d->arena, "n_%.*s", STR_ARGS(base));
    }
    for (int n = 2; n < 50 && is_taken(d, id); n++) {
        id = arena_printf(d->arena, "%.*s_%d", STR_ARGS(base), n);
    }
    return diagram_know(d, said, id);
}

/* ---- looks ---- */

static bool is_surely_style(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool ascii = diagram_is_name_byte(c) && (unsigned char)c < 0x80;
        if (!ascii && !strchr(" #:,-", c)) return false;
    }
    return str_find(text, STR(", ")) == text.len && str_find(text, STR(" ,")) == text.len;
}

static bool say_direction(struct diagram *d)
{
    struct str way;
    if (!diagram_after(d->line, "direction", &way)) return false;
    way = diagram_bare(way);
    if (str_eq_nocase(way, STR("TD"))) way = STR("TB");
    if (diagram_is_one_of(way, "TB BT LR RL", true))
        diagram_say(d, "direction %.*s", STR_ARGS(way));
    return true;
}

bool diagram_looks(struct diagram *d, const char *words)
{
    if (say_direction(d)) return true;
    struct str word = diagram_first_word(d->line), rest, name, style;
    if (!diagram_is_one_of(word, words, true)) return false;
    rest = str_from(d->line, word.len);
    if (rest.len == 0 || rest.at[0] != ' ') return false;
    rest = diagram_bare(rest);
    /* Here it is a name: "click --> link". */
    if (rest.len > 0 && strchr("-<.*|=:", rest.at[0])) return false;
    name = str_head(rest, str_find_byte(rest, ' '));
    style = str_trim(str_from(rest, name.len));
    bool about = str_eq(word, STR("style")) || str_eq(word, STR("classDef"));
    bool sure = about && diagram_is_word(name) && is_surely_style(style) &&
                str_find_byte(style, ':') < style.len && str_find_byte(style, ' ') == style.len &&
                !str_eq(name, STR("default"));
    /* Drawn without it, it says the same. */
    if (sure) diagram_say(d, "%.*s %.*s %.*s", STR_ARGS(word), STR_ARGS(name), STR_ARGS(style));
    return true;
}

bool diagram_arrow(struct str text, const struct diagram_arrow *arrows, size_t count,
                   size_t *at_out, const struct diagram_arrow **arrow_out)
{
    *arrow_out = NULL;
    char quote = 0;
    for (size_t at = 0; at < text.len && !*arrow_out; at++) {
        size_t longest = 0;
        for (size_t i = 0; i < count && quote == 0; i++) {
            struct str is = str_of(arrows[i].is);
            if (is.len <= longest || !str_starts(str_from(text, at), is)) continue;
            *arrow_out = &arrows[i];
            longest = is.len;
        }
        if (quote == text.at[at])
            quote = 0;
        else if (quote == 0 && (text.at[at] == '"' || text.at[at] == '`'))
            quote = text.at[at];
        *at_out = at;
    }
    return *arrow_out != NULL;
}
