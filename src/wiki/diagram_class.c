/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_class.c: class diagrams (https://mermaid.js.org/syntax/classDiagram.html).
 *
 * Bodies of classes take nearly everything but braces. Outside of them a name with
 * signs in it goes into backticks, List<T> is List~T~, a text holds no ':' and no ';'.
 * What must not stand in a namespace (everything but classes) is put behind it.
 */
#include "wiki/diagram_internal.h"

#include "base/utf8.h"

static const char keywords[] =
    "class link click note style namespace callback href classDef cssClass call o direction "
    "accTitle accDescr classDiagram _self _blank _parent _top";

/* Where the line of a relation is drawn, whatever stands at its ends. */
static const struct diagram_arrow lines[] = {
    {"--", "--", false},  {"..", "..", false},      {"---", "--", false},    {"-", "--", false},
    {"=", "--", false},   {"==", "--", false},      {"-.-", "..", false},    {"----", "--", false},
    {"...", "..", false}, {"\u2192", "-->", false}, {"\u2014", "--", false}, {"-.", "..", false}};

/* What stands at the ends of it. */
static const struct diagram_arrow left_ends[] = {
    {"<|", "<|", false}, {"<", "<", false},   {"*", "*", false},  {"o", "o", false},
    {"()", "()", false}, {"|>", "<|", false}, {"<<", "<", false}, {"<<|", "<|", false}};
static const struct diagram_arrow right_ends[] = {
    {"|>", "|>", false}, {">", ">", false},   {"*", "*", false},  {"o", "o", false},
    {"()", "()", false}, {"<|", "|>", false}, {">>", ">", false}, {"|>>", "|>", false}};

/* "A extends B", which Mermaid takes for one name of a class. */
static const struct {
    const char *word, *arrow;
} verbs[] = {
    {"extends", "--|>"},    {"inherits from", "--|>"}, {"inherits", "--|>"}, {"extend", "--|>"},
    {"implements", "..|>"}, {"implement", "..|>"},     {"realizes", "..|>"}, {"uses", "..>"},
    {"depends on", "..>"},  {"contains", "*--"},       {"has", "-->"},       {"owns", "*--"},
    {"references", "-->"},  {"calls", "..>"},          {"creates", "..>"}};

struct class_diagram {
    struct diagram *d;
    struct buf later; /* owned; what stood in a namespace and must not */
    size_t namespaces;
    bool in_class;
    bool empty; /* the namespace that is open has no class yet, which is an error */
};

static void say_later(struct class_diagram *c, struct str line)
{
    if (c->namespaces == 0) {
        diagram_say(c->d, "%.*s", STR_ARGS(line));
        return;
    }
    buf_add_str(&c->later, line);
    buf_add_byte(&c->later, '\n');
}

static void flush_later(struct class_diagram *c)
{
    if (c->namespaces > 0) return;
    struct str rest = arena_copy(c->d->arena, buf_str(&c->later)), line;
    buf_reset(&c->later, 1 << 16);
    while (rest.len > 0 && str_split(&rest, '\n', &line)) diagram_say(c->d, "%.*s", STR_ARGS(line));
}

/* ---- names ---- */

/* A letter that its parser's table surely has. */
static bool is_letter(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{'0', '9'},       {'A', 'Z'},      {'_', '_'},       {'a', 'z'},
                  {0xc0, 0xd6},     {0xd8, 0xf6},    {0xf8, 0x2c1},    {0x391, 0x3a1},
                  {0x3a3, 0x3ce},   {0x400, 0x481},  {0x3041, 0x3096}, {0x30a1, 0x30fa},
                  {0x4e00, 0x9fcc}, {0xac00, 0xd7a3}};
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) return true;
    }
    return false;
}

/* Letters, with single '.' and '-' between them; no part of it a keyword. */
static bool is_plain_name(struct str name)
{
    bool between = true;
    if (name.len == 0) return false;
    for (struct str rest = name; rest.len > 0;) {
        if (between && diagram_is_one_of(diagram_first_word(rest), keywords, true)) return false;
        uint32_t point = utf8_next(&rest);
        bool sign = point == '.' || point == '-';
        if (sign ? between || rest.len == 0 : !is_letter(point)) return false;
        between = sign || point >= 0x80;
    }
    return true;
}

/* Only what can stand between '~' and '~'. */
static struct str generic_text(struct diagram *d, struct str inside)
{
    struct buf out;
    buf_init(&out, inside.len + 8);
    for (size_t i = 0; i < inside.len; i++) {
        char c = inside.at[i];
        const char *at = strchr("<>~()", c);
        if (at && c)
            buf_add_byte(&out, "[]|[]"[strchr("<>~()", c) - "<>~()"]);
        else if (diagram_is_name_byte(c) || strchr(" ,[].*&:?|", c))
            buf_add_byte(&out, c);
    }
    struct str text = str_trim(arena_copy(d->arena, buf_str(&out)));
    buf_release(&out);
    if (diagram_is_one_of(diagram_first_word(text), keywords, true)) {
        text = arena_printf(d->arena, "[%.*s]", STR_ARGS(text));
    }
    return text;
}

static struct str name_of(struct diagram *d, struct str said)
{
    said = diagram_unquoted(d, said);
    size_t open = str_find_byte(said, '<'), tilde = str_find_byte(said, '~');
    if (tilde < open) open = tilde;
    char last = said.len ? said.at[said.len - 1] : 0;
    struct str base = said, generic = STR("");
    if (open > 0 && open + 1 < said.len && (last == '>' || last == '~')) {
        base = diagram_unquoted(d, str_head(said, open));
        generic = generic_text(d, str_head(str_from(said, open + 1), said.len - open - 2));
    }
    base = str_trim(diagram_replace(d, diagram_replace(d, base, '`', ""), '~', ""));
    if (base.len == 0) {
        d->too_much = true;
        return base;
    }
    struct str word = diagram_first_word(base);
    bool quotable = diagram_is_name_byte(base.at[0]) && !diagram_is_one_of(word, keywords, true);
    struct str name = base;
    if (!is_plain_name(base)) {
        base = diagram_text(d, base, ";#{}");
        name = quotable ? arena_printf(d->arena, "`%.*s`", STR_ARGS(base)) : diagram_id(d, base);
    }
    if (generic.len == 0) return name;
    return arena_printf(d->arena, "%.*s~%.*s~", STR_ARGS(name), STR_ARGS(generic));
}

static struct str label_of(struct diagram *d, struct str text)
{
    return diagram_text(d, diagram_bare(text), ":;");
}

/* ---- relations ---- */

struct relation {
    struct str left, right, left_count, right_count, label;
    const char *left_end, *right_end, *line;
};

/* "2 A", "A 0..*": a count without its quotes. */
static bool is_count(struct str word)
{
    if (diagram_is_one_of(word, "* n m N M many one", true)) return true;
    bool digit = false;
    for (size_t i = 0; i < word.len; i++) {
        if (!strchr("0123456789.*nm", word.at[i])) return false;
        digit |= word.at[i] >= '0' && word.at[i] <= '9';
    }
    return digit;
}

static struct str take_count(struct diagram *d, struct str *side, bool behind)
{
    struct str all = *side, count;
    size_t open = str_find_byte(all, '"');
    if (open < all.len) {
        size_t close = open + 1 + str_find_byte(str_from(all, open + 1), '"');
        struct str before = str_trim(str_head(all, open)),
                   after = str_trim(str_from(all, close + 1));
        if (before.len > 0 && after.len > 0) return STR("");
        if (before.len == 0 && after.len == 0) return STR(""); /* the name itself */
        *side = before.len ? before : after;
        return diagram_text(d, str_head(str_from(all, open + 1), close - open - 1), ";");
    }
    size_t blank = str_find_byte(all, ' ');
    if (blank == all.len) return STR("");
    if (behind) {
        blank = all.len - 1;
        while (all.at[blank] != ' ') blank--;
        count = str_from(all, blank + 1);
        if (!is_count(count)) return STR("");
        *side = str_trim(str_head(all, blank));
        return count;
    }
    count = str_head(all, blank);
    if (!is_count(count)) return STR("");
    *side = str_trim(str_from(all, blank));
    return count;
}

static const char *left_end(struct str *left)
{
    const char *becomes = "";
    size_t longest = 0;
    for (size_t i = 0; i < COUNT_OF(left_ends); i++) {
        struct str is = str_of(left_ends[i].is);
        if (is.len <= longest || !str_ends(*left, is)) continue;
        /* "Foo--": the o is of the name. */
        char before = left->len > is.len ? left->at[left->len - is.len - 1] : ' ';
        if (is.at[0] == 'o' && before != ' ' && before != '"') continue;
        if (is.at[0] == '(' && before != ' ') continue;
        longest = is.len;
        becomes = left_ends[i].becomes;
    }
    *left = str_trim(str_head(*left, left->len - longest));
    return becomes;
}

static const char *right_end(struct str *right)
{
    const char *becomes = "";
    size_t longest = 0;
    for (size_t i = 0; i < COUNT_OF(right_ends); i++) {
        struct str is = str_of(right_ends[i].is);
        if (is.len <= longest || !str_starts(*right, is)) continue;
        char behind = right->len > is.len ? right->at[is.len] : ' ';
        if (is.at[0] == 'o' && diagram_is_name_byte(behind)) continue;
        longest = is.len;
        becomes = right_ends[i].becomes;
    }
    *right = str_trim(str_from(*right, longest));
    return becomes;
}

/* "-->|text| B", as flowcharts have it. */
static void take_piped(struct str *right, struct str *label)
{
    if (!str_starts(*right, STR("|")) || str_starts(*right, STR("|>"))) return;
    size_t close = 1 + str_find_byte(str_from(*right, 1), '|');
    if (close >= right->len) return;
    *label = str_trim(str_head(str_from(*right, 1), close - 1));
    *right = str_trim(str_from(*right, close + 1));
}

static bool say_relation(struct class_diagram *c, struct relation *r)
{
    struct diagram *d = c->d;
    r->left_count = take_count(d, &r->left, true);
    r->right_count = take_count(d, &r->right, false);
    size_t blank = diagram_find(r->right, " ");
    if (r->label.len == 0 && blank < r->right.len && is_plain_name(str_head(r->right, blank))) {
        r->label = str_trim(str_from(r->right, blank)); /* a colon is missing */
        r->right = str_head(r->right, blank);
    }
    if (r->left.len == 0 || r->right.len == 0) return false;
    if (diagram_find(r->left, ":") < r->left.len && diagram_find(r->left, "::") == r->left.len)
        return false;
    if (strchr("<>|*", r->left.at[r->left.len - 1]) && str_find_byte(r->left, '<') == r->left.len)
        return false;
    struct str left = name_of(d, r->left), right = name_of(d, r->right),
               label = label_of(d, r->label);
    struct str a = r->left_count, b = r->right_count;
    const char *qa = a.len ? "\"" : "", *qb = b.len ? "\"" : "";
    struct str line = arena_printf(
        d->arena, "%.*s %s%.*s%s%s%s%s%s %s%.*s%s%s%.*s%s%.*s", STR_ARGS(left), qa, STR_ARGS(a), qa,
        a.len ? " " : "", r->left_end, r->line, r->right_end, qb, STR_ARGS(b), qb, b.len ? " " : "",
        STR_ARGS(right), label.len ? " : " : "", STR_ARGS(label));
    say_later(c, line);
    return true;
}

/* Where the line of a relation is in `text`, if it has one. */
static bool find_line(struct str text, size_t *at, const struct diagram_arrow **line)
{
    static const size_t sure = 2; /* "--" and ".." decide, if there are any */
    if (diagram_arrow(text, lines, sure, at, line)) {
        struct str from = str_from(text, *at);
        const struct diagram_arrow *longer;
        size_t where;
        /* Counts may have dots in them: "0..1 --> B". */
        size_t dashes = diagram_find(text, "--");
        if (dashes < text.len && (*line)->is[0] == '.') *at = dashes, from = str_from(text, dashes);
        if (diagram_arrow(from, lines, COUNT_OF(lines), &where, &longer) && where == 0)
            *line = longer;
        if (*at > 0 && text.at[*at - 1] == '-' && (*line)->is[0] == '.') *at -= 1;
        return true;
    }
    for (size_t i = 0; i + 1 < text.len; i++) {
        struct str rest = str_from(text, i);
        bool arrow = str_starts(rest, STR("->")) || str_starts(rest, STR("-|>")) ||
                     str_starts(rest, STR("=>")) || str_starts(rest, STR("\u2192"));
        bool back = i > 0 && (text.at[i - 1] == '<' || text.at[i - 1] == '|') && text.at[i] == '-';
        if (!arrow && !back) continue;
        *at = i;
        return diagram_arrow(rest, lines, COUNT_OF(lines), &i, line);
    }
    return false;
}

static bool relation(struct class_diagram *c, struct str text, bool *fine)
{
    struct relation r = {.label = STR("")};
    struct str before, behind, rest = text;
    if (diagram_colon(text, &before, &behind)) {
        rest = before;
        r.label = behind;
    }
    const struct diagram_arrow *line;
    size_t at;
    if (!find_line(rest, &at, &line)) return false;
    bool unicode = str_eq(str_of(line->becomes), STR("-->"));
    r.line = unicode ? "--" : line->becomes;
    r.left = str_trim(str_head(rest, at));
    r.right = str_from(rest, at + strlen(line->is));
    r.left_end = left_end(&r.left);
    r.right_end = right_end(&r.right);
    if (unicode) r.right_end = ">";
    take_piped(&r.right, &r.label);
    *fine = say_relation(c, &r);
    return true;
}

static bool verb(struct class_diagram *c, struct str text, bool *fine)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        struct str word = str_of(verbs[i].word);
        size_t at = str_find(text, word);
        if (at == 0 || at + word.len >= text.len) continue;
        if (text.at[at - 1] != ' ' || text.at[at + word.len] != ' ') continue;
        struct str left = str_trim(str_head(text, at));
        struct str right = str_trim(str_from(text, at + word.len));
        if (str_find_byte(left, ' ') < left.len || str_find_byte(right, ' ') < right.len) continue;
        left = name_of(c->d, left);
        right = name_of(c->d, right);
        say_later(c, arena_printf(c->d->arena, "%.*s %s %.*s", STR_ARGS(left), verbs[i].arrow,
                                  STR_ARGS(right)));
        *fine = true;
        return true;
    }
    return false;
}

/* ---- bodies ---- */

static struct str with_tildes(struct diagram *d, struct str text)
{
    struct buf out;
    size_t depth = 0;
    buf_init(&out, text.len + 8);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool opens = c == '<' && i > 0 && diagram_is_name_byte(text.at[i - 1]) &&
                     str_find_byte(str_from(text, i), '>') < text.len - i;
        if (opens) depth++;
        bool closes = c == '>' && depth > 0;
        if (closes) depth--;
        buf_add_byte(&out, opens || closes ? '~' : c);
    }
    struct str done = arena_copy(d->arena, buf_str(&out));
    buf_release(&out);
    return done;
}

/* Mermaid takes what has a ')' for a method, and looks for its name and its '('. */
static struct str with_pairs(struct diagram *d, struct str text)
{
    size_t open = 1 + str_find_byte(str_from(text, 1), '(');
    bool pair = open < text.len && str_find_byte(str_from(text, open), ')') < text.len - open;
    return pair ? text : diagram_text(d, text, "()");
}

static void say_member(struct class_diagram *c, struct str text)
{
    struct diagram *d = c->d;
    text = diagram_bare(text);
    if (text.len == 0) return;
    text = with_pairs(d, diagram_text(d, with_tildes(d, text), "{};"));
    /* Quotes and keywords at the very beginning of a line would be read. */
    diagram_say(d, "%s%.*s", d->indent.len ? "" : "    ", STR_ARGS(text));
}

/* How many braces are closed more than opened. */
static int surplus(struct str text)
{
    int count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '}' ? 1 : text.at[i] == '{' ? -1 : 0;
    return count;
}

static void end_class(struct class_diagram *c)
{
    c->in_class = false;
    diagram_say(c->d, "}");
}

static void members(struct class_diagram *c, struct str text)
{
    struct str one;
    while (str_split(&text, ';', &one)) say_member(c, one);
}

static void class_body_line(struct class_diagram *c)
{
    struct str line = diagram_bare(c->d->line);
    if (surplus(line) > 0 && str_ends(line, STR("}"))) {
        say_member(c, str_head(line, line.len - 1));
        end_class(c);
        return;
    }
    say_member(c, line);
}

/* ---- statements ---- */

/* Behind the name: ["label"], :::style, <<annotation>>; each once. */
struct heading {
    struct str name, label, css, annotation;
};

static struct str cut(struct str *text, const char *open, const char *close)
{
    size_t at = diagram_find(*text, open), start = at + strlen(open);
    if (at >= text->len) return STR("");
    size_t end = start + str_find(str_from(*text, start), str_of(close));
    struct str inside = str_trim(str_head(str_from(*text, start), end - start));
    *text = str_trim(str_head(*text, at));
    return inside;
}

static bool read_heading(struct diagram *d, struct str text, struct heading *h)
{
    struct str left;
    *h = (struct heading){.label = STR("")};
    h->annotation = cut(&text, "<<", ">>");
    size_t css = diagram_find(text, ":::");
    if (css < text.len) {
        h->css = diagram_first_word(str_from(text, css + 3));
        text = str_trim(str_head(text, css));
    }
    if (str_ends(text, STR("]")) && diagram_find(text, "[") > 0) {
        size_t open = str_find_byte(text, '[');
        h->label = str_trim(str_head(str_from(text, open + 1), text.len - open - 2));
        text = str_trim(str_head(text, open));
    }
    size_t as = str_find(text, STR(" as "));
    if (as < text.len) { /* "Long name" as Short */
        left = str_trim(str_head(text, as));
        text = str_trim(str_from(text, as + 4));
        bool swapped = str_starts(text, STR("\"")); /* Short as "Long name" */
        h->label = swapped ? text : left;
        text = swapped ? left : text;
    }
    if (text.len == 0) return false;
    h->name = name_of(d, text);
    h->label = diagram_text(d, diagram_unquoted(d, h->label), ";");
    if (!diagram_is_word(h->annotation)) h->annotation = STR("");
    return true;
}

static void say_class(struct class_diagram *c, const struct heading *h, bool body)
{
    c->empty = false;
    diagram_say(c->d, "class %.*s%s%.*s%s%s%.*s%s", STR_ARGS(h->name), h->label.len ? "[\"" : "",
                STR_ARGS(h->label), h->label.len ? "\"]" : "", h->css.len ? ":::" : "",
                STR_ARGS(h->css), body ? " {" : "");
    c->in_class = body;
}

/* "X extends Y": the relation goes behind the class. */
static void take_parents(struct class_diagram *c, struct str *text)
{
    static const struct {
        const char *word, *arrow;
    } kinds[] = {{" implements ", "..|>"}, {" extends ", "--|>"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        size_t at = str_find(*text, str_of(kinds[i].word));
        if (at >= text->len) continue;
        struct str parents = str_from(*text, at + strlen(kinds[i].word)), one;
        struct str before = str_trim(str_head(*text, at));
        struct str name = before;
        size_t other = str_find(name, STR(" extends "));
        name = name_of(c->d, str_head(name, other));
        while (str_split(&parents, ',', &one)) {
            if (str_trim(one).len == 0) continue;
            struct str parent = name_of(c->d, one);
            buf_add_str(&c->later, arena_printf(c->d->arena, "%.*s %s %.*s\n", STR_ARGS(name),
                                                kinds[i].arrow, STR_ARGS(parent)));
        }
        *text = before;
    }
}

static bool class_line(struct class_diagram *c, struct str text, const char *annotation)
{
    struct heading h;
    size_t open = diagram_find(text, "{");
    bool body = open < text.len;
    struct str inside = body ? str_trim(str_from(text, open + 1)) : STR("");
    text = str_trim(str_head(text, open));
    take_parents(c, &text);
    if (!read_heading(c->d, text, &h)) return false;
    if (annotation) h.annotation = str_of(annotation);
    bool annotated = h.annotation.len > 0;
    bool ends = surplus(inside) > 0 && str_ends(inside, STR("}"));
    if (ends) inside = str_trim(str_head(inside, inside.len - 1));
    bool empty = ends && inside.len == 0;
    bool opens = (body && !empty) || annotated;
    say_class(c, &h, opens);
    if (!opens) {
        flush_later(c);
        return true;
    }
    struct str indent = c->d->indent;
    c->d->indent = arena_printf(c->d->arena, "%.*s    ", STR_ARGS(indent));
    if (annotated) diagram_say(c->d, "<<%.*s>>", STR_ARGS(h.annotation));
    members(c, inside);
    c->d->indent = indent;
    if (ends || !body) {
        end_class(c);
        flush_later(c);
    }
    return true;
}

static bool note_line(struct class_diagram *c, struct str rest)
{
    struct diagram *d = c->d;
    struct str name = STR(""), text = rest, behind;
    bool about = diagram_after(rest, "for", &behind) || diagram_after(rest, "right of", &behind) ||
                 diagram_after(rest, "left of", &behind) || diagram_after(rest, "over", &behind);
    if (about) {
        size_t quote = str_find_byte(behind, '"');
        struct str head = str_trim(str_head(behind, quote));
        size_t colon = str_find_byte(head, ':');
        if (quote < behind.len && colon + 1 >= head.len && head.len > 0) {
            name = str_trim(str_head(behind, quote));
            text = str_from(behind, quote);
            if (str_ends(name, STR(":"))) name = str_trim(str_head(name, name.len - 1));
        } else if (!diagram_colon(behind, &name, &text)) {
            return false;
        }
    } else if (str_starts(text, STR(":"))) {
        text = str_from(text, 1);
    }
    text = diagram_text(d, diagram_unquoted(d, diagram_bare(text)), ";");
    if (text.len == 0) return true;
    if (name.len > 0) name = name_of(d, name);
    say_later(c, arena_printf(d->arena, "note %s%.*s%s\"%.*s\"", name.len ? "for " : "",
                              STR_ARGS(name), name.len ? " " : "", STR_ARGS(text)));
    return true;
}

static bool annotation_line(struct class_diagram *c)
{
    struct diagram *d = c->d;
    size_t end = str_find(d->line, STR(">>"));
    struct str word = str_trim(str_head(str_from(d->line, 2), end - 2));
    struct str name = str_trim(str_from(d->line, MIN(end + 2, d->line.len)));
    if (name.len == 0 || end >= d->line.len) return false;
    word = diagram_replace(d, word, ' ', "_");
    if (!diagram_is_word(word)) return true;
    return class_line(
        c, name,
        arena_copy(d->arena, word).at); /* it need not be known yet, so its class is begun */
}

static bool namespace_line(struct class_diagram *c, struct str rest)
{
    struct diagram *d = c->d;
    rest = str_trim(str_head(rest, str_find_byte(rest, '{')));
    struct str name = name_of(d, rest);
    if (c->namespaces >= DIAGRAM_DEPTH_MAX) return false;
    c->namespaces++;
    c->empty = true;
    diagram_say(d, "namespace %.*s {", STR_ARGS(name));
    return true;
}

static bool member_line(struct class_diagram *c, bool *fine)
{
    struct diagram *d = c->d;
    struct str name, text;
    if (!diagram_colon(d->line, &name, &text)) return false;
    text = with_pairs(d, diagram_text(d, with_tildes(d, diagram_bare(text)), ":;"));
    *fine = str_find_byte(name, ' ') == name.len || str_starts(name, STR("`"));
    if (!*fine || text.len == 0) return true;
    name = name_of(d, name);
    say_later(c, arena_printf(d->arena, "%.*s : %.*s", STR_ARGS(name), STR_ARGS(text)));
    return true;
}

static void close_one(struct class_diagram *c)
{
    if (c->namespaces == 0) return;
    if (c->empty) c->d->too_much = true; /* nothing in it: no program reads that */
    c->namespaces--;
    diagram_say(c->d, "}");
    flush_later(c);
}

/* Words of other languages that begin a class. */
static bool foreign_class(struct class_diagram *c, bool *fine)
{
    static const struct {
        const char *word, *annotation;
    } kinds[] = {{"abstract class", "abstract"},
                 {"interface", "interface"},
                 {"enum", "enumeration"},
                 {"abstract", "abstract"},
                 {"struct", "struct"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct str rest;
        if (!diagram_after(c->d->line, kinds[i].word, &rest) || rest.len == 0) continue;
        if (!diagram_is_name_byte(rest.at[0])) continue;
        *fine = class_line(c, rest, kinds[i].annotation);
        return true;
    }
    return false;
}

static bool outer_line(struct class_diagram *c)
{
    struct diagram *d = c->d;
    struct str rest;
    bool fine = false;
    d->line = diagram_bare(d->line);
    struct str line = d->line;
    if (str_eq(line, STR("}"))) {
        close_one(c);
        return true;
    }
    if (diagram_after(line, "class", &rest) && rest.len > 0 && diagram_find(rest, "--") == rest.len)
        return class_line(c, rest, NULL);
    if (diagram_after(line, "namespace", &rest) && rest.len > 0) return namespace_line(c, rest);
    if (c->namespaces > 0 && diagram_after(line, "direction", &rest)) return true;
    if (diagram_looks(d, "style classDef cssClass click link callback accTitle accDescr"))
        return true;
    if (str_starts(line, STR("accTitle")) || str_starts(line, STR("title "))) return true;
    if (diagram_after(line, "note", &rest)) return note_line(c, rest);
    if (str_starts(line, STR("<<"))) return annotation_line(c);
    if (relation(c, line, &fine) || foreign_class(c, &fine)) return fine;
    size_t open = str_find_byte(line, '{');
    if (open > 0 && open < line.len && str_find_byte(line, ':') >= open)
        return class_line(c, line, NULL);
    if (verb(c, line, &fine) || member_line(c, &fine)) return fine;
    if (str_find_byte(line, ' ') < line.len) return false;
    rest = name_of(d, line);
    say_later(c, rest);
    return true;
}

static bool one_line(struct class_diagram *c)
{
    struct str rest;
    if (diagram_comment(c->d)) return true;
    if (c->in_class) {
        /* The end of the one before was forgotten. */
        bool another = diagram_after(c->d->line, "class", &rest) && str_ends(rest, STR("{"));
        if (!another) {
            class_body_line(c);
            if (!c->in_class) flush_later(c);
            return true;
        }
        end_class(c);
    }
    return outer_line(c);
}

bool diagram_class(struct diagram *d)
{
    struct class_diagram c = {.d = d};
    bool fine = true;
    d->straight = true;
    buf_init(&c.later, 1 << 16);
    while (fine && diagram_next(d)) fine = one_line(&c) && !d->too_much && !d->to->failed;
    d->indent = STR("");
    if (fine && c.in_class) end_class(&c);
    while (fine && c.namespaces > 0) close_one(&c);
    flush_later(&c);
    fine = fine && !c.later.failed;
    buf_release(&c.later);
    return fine;
}
