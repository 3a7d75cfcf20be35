/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/diagram.h"

enum { LINE_BYTES_MAX = 4096 };

/* Longer ones first: "([" would be found as "(". */
static const struct shape {
    const char *open, *close;
} shapes[] = {{"(((", ")))"}, {"([", "])"}, {"[[", "]]"}, {"[(", ")]"},
              {"((", "))"},   {"{{", "}}"}, {"[/", "/]"}, {"[\\", "\\]"},
              {"[", "]"},     {"(", ")"},   {"{", "}"},   {">", "]"}};

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

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
    if (line.len > LINE_BYTES_MAX) return false; /* each label looks along the rest of its line */
    if (is_statement_of_its_own(str_trim(line))) {
        buf_add_str(to, line);
        return true;
    }
    for (size_t i = 0; i < line.len;) {
        char c = line.at[i];
        size_t taken = 0;
        bool behind_name = i > 0 && is_name(line.at[i - 1]);
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

static bool is_flowchart(struct str block)
{
    struct str line;
    while (str_split(&block, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0 || str_starts(line, STR("%%"))) continue;
        return str_starts(line, STR("graph")) || str_starts(line, STR("flowchart"));
    }
    return false;
}

static bool mend_block(struct str block, struct buf *to)
{
    struct str line;
    if (!is_flowchart(block)) {
        buf_add_str(to, block);
        return true;
    }
    bool fine = true, front = false;
    while (block.len > 0 && fine) {
        (void)str_split(&block, '\n', &line);
        if (str_eq(str_trim(line), STR("---"))) front = !front; /* its settings */
        if (front)
            buf_add_str(to, line);
        else
            fine = mend_line(line, to);
        buf_add_byte(to, '\n');
    }
    return fine;
}

/* Where the block that begins at `text` ends: its closing fence. */
static size_t block_end(struct str text)
{
    size_t at = 0;
    for (struct str rest = text, line; str_split(&rest, '\n', &line);) {
        if (str_starts(str_trim(line), STR("```"))) return at;
        at += line.len + 1;
    }
    return text.len;
}

size_t wiki_diagrams_mend(struct str markdown, struct buf *to)
{
    size_t dropped = 0;
    struct str line;
    while (markdown.len > 0 && !to->failed) {
        bool ends = str_find_byte(markdown, '\n') < markdown.len;
        (void)str_split(&markdown, '\n', &line);
        struct str word = str_trim(line);
        if (!str_eq_nocase(word, STR("```mermaid"))) {
            buf_add_str(to, line);
            if (ends) buf_add_byte(to, '\n');
            continue;
        }
        struct str block = str_head(markdown, block_end(markdown));
        struct buf mended;
        buf_init(&mended, 2 * block.len + 4096);
        bool fine = mend_block(block, &mended) && !mended.failed;
        dropped += !fine;
        buf_add_str(to, str_head(line, str_find_byte(line, '`'))); /* as far in as it was */
        buf_add_str(to, fine ? STR("```mermaid\n") : STR("```text\n"));
        buf_add_str(to, fine ? buf_str(&mended) : block);
        buf_release(&mended);
        markdown = str_from(markdown, block.len);
    }
    return dropped;
}
