/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_flow.c: flowcharts (https://mermaid.js.org/syntax/flowchart.html): labels in
 * quotes where they have to be, everything else byte by byte as it was.
 */
#include "wiki/diagram_internal.h"

/* Longer ones first: "([" would be found as "(". */
static const struct shape {
    const char *open, *close;
} shapes[] = {{"(((", ")))"}, {"([", "])"}, {"[[", "]]"}, {"[(", ")]"},
              {"((", "))"},   {"{{", "}}"}, {"[/", "/]"}, {"[\\", "\\]"},
              {"[", "]"},     {"(", ")"},   {"{", "}"},   {">", "]"}};

/* What a label cannot say without quotes. */
static bool needs_quotes(struct str label)
{
    for (size_t i = 0; i < label.len; i++) {
        if (strchr("()[]{}<>|\"#;", label.at[i])) return true;
    }
    return false;
}

static bool is_quoted(struct str label)
{
    return label.len >= 2 && label.at[0] == '"' && label.at[label.len - 1] == '"' &&
           str_find_byte(str_head(str_from(label, 1), label.len - 2), '"') == label.len - 2;
}

static void add_label(struct buf *to, struct str label)
{
    struct str bare = str_trim(label);
    if (is_quoted(bare) || !needs_quotes(bare)) {
        buf_add_str(to, label);
        return;
    }
    if (bare.len >= 2 && bare.at[0] == '"' && bare.at[bare.len - 1] == '"') {
        bare = str_head(str_from(bare, 1), bare.len - 2);
    }
    buf_add_byte(to, '"');
    for (size_t i = 0; i < bare.len; i++) {
        if (bare.at[i] == '"')
            buf_add_str(to, STR("#quot;"));
        else
            buf_add_byte(to, bare.at[i]);
    }
    buf_add_byte(to, '"');
}

/* Behind a node: the end of its statement, an edge, another node or a class. */
static bool ends_node(struct str rest)
{
    while (rest.len > 0 && (rest.at[0] == ' ' || rest.at[0] == '\t')) rest = str_from(rest, 1);
    if (rest.len == 0) return true;
    if (strchr("-=.<&;~", rest.at[0])) return true;
    return str_starts(rest, STR(":::")) || str_starts(rest, STR("%%")) ||
           str_starts(rest, STR("o--")) || str_starts(rest, STR("x--")) ||
           str_starts(rest, STR("@{"));
}

/* Where a label that began at `text` ends; text.len: nowhere. In quotes as far as these go. */
static size_t label_end(struct str text, struct str close)
{
    size_t from = 0;
    if (text.len > 0 && text.at[0] == '"') {
        size_t end = str_find_byte(str_from(text, 1), '"') + 2;
        if (end <= text.len && str_starts(str_from(text, end), close)) return end;
    }
    while (from < text.len) {
        size_t at = from + str_find(str_from(text, from), close);
        if (at >= text.len) break;
        if (ends_node(str_from(text, at + close.len))) return at;
        from = at + 1;
    }
    return text.len;
}

/* "[label]" at the beginning of `text`; gives its length, 0: there is none that ends. */
static size_t mend_shape(struct str text, struct buf *to)
{
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct str open = str_of(shapes[i].open), close = str_of(shapes[i].close);
        if (!str_starts(text, open)) continue;
        struct str inside = str_from(text, open.len);
        size_t end = label_end(inside, close);
        if (end == inside.len) continue;
        buf_add_str(to, open);
        add_label(to, str_head(inside, end));
        buf_add_str(to, close);
        return open.len + end + close.len;
    }
    return 0;
}

/* "|label|" of an edge. */
static size_t mend_edge(struct str text, struct buf *to)
{
    size_t end = str_find_byte(str_from(text, 1), '|') + 1;
    if (end >= text.len) return 0;
    buf_add_byte(to, '|');
    add_label(to, str_head(str_from(text, 1), end - 1));
    buf_add_byte(to, '|');
    return end + 1;
}

static bool is_statement_of_its_own(struct str line)
{
    static const char *const words[] = {"classDef ",  "class ", "style ", "linkStyle ", "click ",
                                        "direction ", "end",    "%%",     "accTitle",   "accDescr"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_starts(line, str_of(words[i]))) return true;
    }
    return false;
}

/* False: a bracket that belongs to nothing. */
static bool mend_line(struct str line, struct buf *to)
{
    if (line.len > DIAGRAM_LINE_BYTES_MAX)
        return false; /* each label looks along the rest of its line */
    if (is_statement_of_its_own(str_trim(line))) {
        buf_add_str(to, line);
        return true;
    }
    for (size_t i = 0; i < line.len;) {
        char c = line.at[i];
        size_t taken = 0;
        bool behind_name = i > 0 && diagram_is_name_byte(line.at[i - 1]);
        bool opens = c == '[' || c == '(' || c == '{' || (c == '>' && behind_name);
        if (opens && !(behind_name || str_starts(str_trim(line), STR("subgraph")))) return false;
        if (opens) taken = mend_shape(str_from(line, i), to);
        if (c == '|') taken = mend_edge(str_from(line, i), to);
        if ((opens && c != '>' && taken == 0) || c == ']' || c == ')' || c == '}') return false;
        if (taken == 0) {
            buf_add_byte(to, c);
            taken = 1;
        }
        i += taken;
    }
    return true;
}

bool diagram_flow(struct diagram *d)
{
    struct str line;
    while (d->rest.len > 0) {
        bool ends = str_find_byte(d->rest, '\n') < d->rest.len;
        (void)str_split(&d->rest, '\n', &line);
        if (!mend_line(line, d->to)) return false;
        if (ends) buf_add_byte(d->to, '\n');
        d->statements += str_trim(line).len > 0;
    }
    return true;
}
