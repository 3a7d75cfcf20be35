/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/mermaid_repair_class.c: class diagrams, read kindly and written anew, line by line.
 */
#include "wiki/mermaid_internal.h"

struct classes {
    struct buf *to;
    struct arena arena;
    struct map known; /* names as they are in the diagram */
    bool in_body;
    size_t namespaces;
};

static bool one_of(char byte, const char *signs)
{
    return byte != '\0' && strchr(signs, byte) != NULL;
}

/* --- names --- */

/* "List<String>": the name, and its type. */
static struct str split_type(struct str raw, struct str *type_out)
{
    size_t open = 0;
    while (open < raw.len && raw.at[open] != '<' && raw.at[open] != '~') open++;
    *type_out = str_trim(str_from(raw, open + 1));
    while (type_out->len > 0 && one_of(type_out->at[type_out->len - 1], ">~")) type_out->len--;
    return str_trim(str_head(raw, open));
}

/* A type within "~…~": its own brackets go. */
static void put_type(struct buf *to, struct str type)
{
    buf_add_byte(to, '~');
    for (size_t i = 0; i < type.len; i++) {
        buf_add_byte(to, one_of(type.at[i], "<>~\"{}`;#") ? '_' : type.at[i]);
    }
    buf_add_byte(to, '~');
}

static bool is_fine_name(struct str name)
{
    struct str part, rest = name;
    if (!mermaid_is_id(name, ".")) return false;
    while (str_split(&rest, '.', &part)) {
        if (mermaid_hides_keyword(part, mermaid_class_words, false)) return false;
    }
    return true;
}

/* The name of a class in the diagram, in the arena; without its type. */
static struct str safe_name(struct classes *classes, struct str raw)
{
    raw = mermaid_bare(raw);
    if (is_fine_name(raw)) return raw;
    struct buf name;
    buf_init(&name, MERMAID_BYTES_MAX);
    mermaid_put_id(&name, raw, mermaid_class_words, false);
    struct str copy = arena_copy(&classes->arena, buf_str(&name));
    buf_release(&name);
    return copy;
}

static bool is_known(struct classes *classes, struct str name)
{
    if (map_find(&classes->known, name) != NULL) return true;
    map_add(&classes->known, name, classes);
    return false;
}

/* A class that is mentioned: one with another name than before is declared first. */
static struct str introduce(struct classes *classes, struct str raw, struct str *type_out)
{
    struct str given = mermaid_bare(split_type(str_trim(raw), type_out));
    struct str name = safe_name(classes, given);
    if (is_known(classes, name) || str_eq(name, given)) return name;
    buf_printf(classes->to, "    class %.*s[", STR_ARGS(name));
    mermaid_put_quoted(classes->to, given);
    buf_add_str(classes->to, STR("]\n"));
    return name;
}

/* --- members --- */

/* "+get(): List<String>": braces and brackets that Mermaid would stumble over are put aside. */
static void put_member(struct buf *to, struct str member, bool in_body)
{
    size_t opens = str_find_byte(member, '('), last = member.len;
    while (last > 0 && member.at[last - 1] != ')') last--;
    bool method = last > 0 && opens > 0 && opens < last - 1;
    if (str_starts(member, STR("<<")) && str_ends(member, STR(">>")) && member.len > 4) {
        buf_add_str(to, STR("<<"));
        mermaid_put_id(to, str_head(str_from(member, 2), member.len - 4), mermaid_class_words,
                       false);
        buf_add_str(to, STR(">>"));
        return;
    }
    for (size_t i = 0; i < member.len; i++) {
        char byte = member.at[i];
        size_t entity = mermaid_entity(member, i);
        bool word_before = i > 0 && (mermaid_is_word(member.at[i - 1]) || member.at[i - 1] == '>');
        if (entity > 0) {
            buf_add(to, member.at + i, entity);
            i += entity - 1;
        } else if (byte == '<' || byte == '>') {
            buf_add_str(to, word_before ? STR("~") : byte == '<' ? STR("#lt;") : STR("#gt;"));
        } else if (one_of(byte, "{}\"`;") || (!method && one_of(byte, "()")) ||
                   (!in_body && one_of(byte, ":#") && i > 0) ||
                   str_starts(str_from(member, i), STR("%%")) || (byte == '[' && i == 0)) {
            buf_printf(to, "#%u;", (unsigned)byte);
        } else {
            buf_add_byte(to, byte);
        }
    }
}

static void put_member_line(struct classes *classes, struct str member)
{
    member = str_trim(member);
    if (member.len == 0) return;
    buf_add_str(classes->to, STR("        "));
    put_member(classes->to, member, true);
    buf_add_byte(classes->to, '\n');
}

/* What stands in the braces of a class, as far as this line goes. */
static void repair_body(struct classes *classes, struct str line)
{
    bool ends = str_ends(line, STR("}"));
    /* "+map() {a, b}" has braces of its own */
    size_t opened = 0, closed = 0;
    for (size_t i = 0; i < line.len; i++) {
        opened += line.at[i] == '{';
        closed += line.at[i] == '}';
    }
    ends = ends && closed > opened;
    put_member_line(classes, ends ? str_head(line, line.len - 1) : line);
    if (!ends) return;
    buf_add_str(classes->to, STR("    }\n"));
    classes->in_body = false;
}

/* --- statements --- */

/* "class X<T> {", "interface X", "class X as a label" */
static void repair_class(struct classes *classes, struct str rest, const char *stereotype)
{
    size_t brace = str_find_byte(rest, '{');
    struct str head = str_trim(str_head(rest, brace)), body = str_from(rest, brace + 1), type;
    struct str label = {0};
    size_t angles = str_find(head, STR("<<")), square = str_find_byte(head, '[');
    char kind[32] = "";
    if (angles < head.len) {
        struct str word = str_from(head, angles + 2);
        str_copy(kind, sizeof(kind), str_trim(str_head(word, str_find(word, STR(">>")))));
        head = str_trim(str_head(head, angles));
    }
    if (stereotype != NULL) str_copy(kind, sizeof(kind), str_of(stereotype));
    if (square < head.len) {
        label = str_from(head, square + 1);
        label = mermaid_bare(str_head(label, str_find_byte(label, ']')));
        head = str_trim(str_head(head, square));
    }
    head = str_head(head, str_find(head, STR(":::")));
    struct str given = mermaid_bare(split_type(head, &type)), name = safe_name(classes, given);
    if (given.len == 0) return;
    is_known(classes, name);
    if (label.len == 0 && !str_eq(name, given)) label = given;
    buf_printf(classes->to, "    class %.*s", STR_ARGS(name));
    if (type.len > 0) put_type(classes->to, type);
    if (label.len > 0) {
        buf_add_byte(classes->to, '[');
        mermaid_put_quoted(classes->to, label);
        buf_add_byte(classes->to, ']');
    }
    bool has_body = brace < rest.len;
    buf_add_str(classes->to, has_body ? STR(" {\n") : STR("\n"));
    classes->in_body = has_body;
    if (has_body && kind[0]) buf_printf(classes->to, "        <<%s>>\n", kind);
    if (has_body) repair_body(classes, str_trim(body));
    if (!has_body && kind[0] && mermaid_is_id(str_of(kind), "")) {
        buf_printf(classes->to, "    <<%s>> %.*s\n", kind, STR_ARGS(name));
    }
}

/* The relation in a line: where it stands and ends; false: there is none. */
static bool find_relation(struct str line, size_t *at_out, size_t *end_out)
{
    bool quoted = false;
    for (size_t at = 1; at + 1 < line.len; at++) {
        if (line.at[at] == '"') quoted = !quoted;
        bool stroke = (line.at[at] == '-' || line.at[at] == '.') && line.at[at + 1] == line.at[at];
        bool thin = line.at[at] == '-' && line.at[at + 1] == '>';
        if (quoted || (!stroke && !thin)) continue;
        size_t from = at, end = at + 1;
        while (end < line.len && line.at[end] == line.at[at]) end++;
        while (from > 0 && one_of(line.at[from - 1], "<|>*()")) from--;
        while (end < line.len && one_of(line.at[end], "<|>*()")) end++;
        bool tail = from > 1 && line.at[from - 1] == 'o' && one_of(line.at[from - 2], " \t\"");
        bool head = end + 1 < line.len && line.at[end] == 'o' && one_of(line.at[end + 1], " \t\"");
        *at_out = from - (tail ? 1 : 0);
        *end_out = end + (head ? 1 : 0);
        return true;
    }
    return false;
}

/* An end of a relation: a class, and how many of it. `first`: the class comes first. */
static struct str read_end(struct str text, bool first, struct str *count_out)
{
    *count_out = (struct str){0};
    text = str_trim(text);
    size_t open = str_find_byte(text, '"');
    struct str behind = str_from(text, open + 1);
    size_t close = str_find_byte(behind, '"');
    bool counted = open < text.len && close < behind.len && (first ? open > 0 : open == 0);
    if (counted) {
        *count_out = str_head(behind, close);
        return str_trim(first ? str_head(text, open) : str_from(behind, close + 1));
    }
    /* "A 1 -- * B": without quotation marks */
    size_t blank = first ? text.len : str_find_byte(text, ' ');
    while (first && blank > 0 && text.at[blank - 1] != ' ') blank--;
    struct str count = first ? str_from(text, blank) : str_head(text, blank);
    bool number = count.len > 0 && count.len < 6 && blank > 0 && blank < text.len;
    for (size_t i = 0; i < count.len && number; i++) number = one_of(count.at[i], "0123456789*.nm");
    if (!number) return text;
    *count_out = count;
    return str_trim(first ? str_head(text, blank) : str_from(text, blank));
}

static void put_name(struct classes *classes, struct str name, struct str type)
{
    buf_add_str(classes->to, name);
    if (type.len > 0) put_type(classes->to, type);
}

static void put_count(struct classes *classes, struct str count)
{
    if (count.len == 0) return;
    mermaid_put_quoted(classes->to, count);
    buf_add_byte(classes->to, ' ');
}

static void put_relation(struct buf *to, struct str relation)
{
    static const struct {
        struct str written;
        const char *proper;
    } other[] = {{STR("->"), "-->"},   {STR("<-"), "<--"},   {STR("-|>"), "--|>"},
                 {STR("<|-"), "<|--"}, {STR("--->"), "-->"}, {STR("---"), "--"}};
    for (size_t i = 0; i < COUNT_OF(other); i++) {
        if (str_eq(relation, other[i].written)) relation = str_of(other[i].proper);
    }
    buf_add_str(to, relation);
}

static bool repair_relation(struct classes *classes, struct str line)
{
    size_t at, end;
    if (!find_relation(line, &at, &end)) return false;
    struct str behind = str_from(line, end), label = {0}, counts[2], types[2];
    size_t colon = 0;
    bool quoted = false;
    for (; colon < behind.len; colon++) {
        if (behind.at[colon] == '"') quoted = !quoted;
        if (!quoted && behind.at[colon] == ':') break;
    }
    if (colon < behind.len) label = str_trim(str_from(behind, colon + 1));
    struct str from = read_end(str_head(line, at), true, &counts[0]);
    struct str to = read_end(str_head(behind, colon), false, &counts[1]);
    if (from.len == 0 || to.len == 0) return false;
    from = introduce(classes, from, &types[0]);
    to = introduce(classes, to, &types[1]);
    buf_add_str(classes->to, STR("    "));
    put_name(classes, from, types[0]);
    buf_add_byte(classes->to, ' ');
    put_count(classes, counts[0]);
    put_relation(classes->to, (struct str){line.at + at, end - at});
    buf_add_byte(classes->to, ' ');
    put_count(classes, counts[1]);
    put_name(classes, to, types[1]);
    if (label.len > 0) {
        buf_add_str(classes->to, STR(" : "));
        mermaid_put_text(classes->to, mermaid_bare(label), ":;#(){}\"");
    }
    buf_add_byte(classes->to, '\n');
    return true;
}

/* "note for X "text"", "note "text"" */
static void repair_note(struct classes *classes, struct str rest)
{
    size_t open = str_find_byte(rest, '"');
    struct str text = mermaid_bare(str_from(rest, open)), who = str_trim(str_head(rest, open)),
               type;
    if (text.len == 0) return;
    bool for_one = str_starts(who, STR("for "));
    struct str name = for_one ? introduce(classes, str_from(who, 4), &type) : STR("");
    if (for_one && !is_known(classes, name)) for_one = false; /* nobody knows it: of no class */
    buf_add_str(classes->to, STR("    note "));
    if (for_one) buf_printf(classes->to, "for %.*s ", STR_ARGS(name));
    mermaid_put_quoted(classes->to, text);
    buf_add_byte(classes->to, '\n');
}

static void repair_statement(struct classes *classes, struct str line)
{
    static const struct {
        struct str words;
        const char *stereotype;
    } kinds[] = {{STR("abstract class "), "abstract"}, {STR("interface "), "interface"},
                 {STR("enum "), "enumeration"},        {STR("enumeration "), "enumeration"},
                 {STR("abstract "), "abstract"},       {STR("class "), NULL}};
    static const char *const dropped[] = {"click",    "link",     "callback", "style", "classDef",
                                          "cssClass", "accTitle", "accDescr", "title", NULL};
    size_t at, end;
    struct str type;
    bool relation = find_relation(line, &at, &end);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!str_starts(line, kinds[i].words) ||
            (relation && str_find_byte(line, '{') == line.len)) {
            continue;
        }
        repair_class(classes, str_from(line, kinds[i].words.len), kinds[i].stereotype);
        return;
    }
    size_t colon = str_find_byte(line, ':');
    if (str_eq(line, STR("}"))) {
        if (classes->namespaces == 0) return;
        classes->namespaces--;
        buf_add_str(classes->to, STR("    }\n"));
    } else if (str_starts(line, STR("namespace ")) && str_ends(line, STR("{"))) {
        struct str name = str_trim(str_head(str_from(line, 10), line.len - 11));
        buf_printf(classes->to, "    namespace %.*s {\n", STR_ARGS(safe_name(classes, name)));
        classes->namespaces++;
    } else if (str_starts(line, STR("direction ")) && line.len == 12) {
        buf_printf(classes->to, "    %.*s\n", STR_ARGS(line));
    } else if (str_starts(line, STR("note "))) {
        repair_note(classes, str_trim(str_from(line, 5)));
    } else if (!relation && mermaid_keyword(line, dropped, false) > 0) {
        return;
    } else if (str_starts(line, STR("<<"))) {
        size_t close = str_find(line, STR(">>"));
        struct str name = introduce(classes, str_from(line, close + 2), &type);
        if (!is_known(classes, name)) buf_printf(classes->to, "    class %.*s\n", STR_ARGS(name));
        buf_printf(classes->to, "    %.*s>> %.*s\n", STR_ARGS(str_head(line, close)),
                   STR_ARGS(name));
    } else if (relation && (at < colon) && repair_relation(classes, line)) {
        return;
    } else if (colon > 0 && colon < line.len) {
        struct str name = introduce(classes, str_head(line, colon), &type);
        is_known(classes, name);
        buf_printf(classes->to, "    %.*s : ", STR_ARGS(name));
        put_member(classes->to, str_trim(str_from(line, colon + 1)), false);
        buf_add_byte(classes->to, '\n');
    } else {
        buf_add_str(classes->to, line); /* nobody knows what it means */
        buf_add_byte(classes->to, '\n');
    }
}

void mermaid_repair_class(struct str body, struct buf *to)
{
    struct classes classes = {.to = to};
    struct str line;
    buf_add_byte(to, '\n');
    while (mermaid_repair_line(&body, &line)) {
        if (classes.in_body) {
            repair_body(&classes, line);
        } else {
            repair_statement(&classes, line);
        }
    }
    if (classes.in_body) buf_add_str(to, STR("    }\n"));
    for (; classes.namespaces > 0; classes.namespaces--) buf_add_str(to, STR("    }\n"));
    map_release(&classes.known);
    arena_release(&classes.arena);
}
