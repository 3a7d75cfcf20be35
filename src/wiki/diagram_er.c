/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_er.c: entities and relations
 * (https://mermaid.js.org/syntax/entityRelationshipDiagram.html).
 *
 * Names that are no plain words stand in quotes, each relation has a label, an attribute is
 * a type, a name, its keys, and a comment in quotes for all else that was said of it.
 */
#include "wiki/diagram_internal.h"

enum { WORDS_MAX = 24 };

static const char keywords[] =
    "one zero many to only optionally end style class classDef subgraph u "
    "direction title erDiagram accTitle accDescr";

/* How many there are: both ends of a relation are written with the same signs in other orders. */
static const struct count {
    const char *is, *left, *right;
} counts[] = {
    {"||", "||", "||"},
    {"|", "||", "||"},
    {"1", "||", "||"},
    {"one", "||", "||"},
    {"only one", "||", "||"},
    {"exactly one", "||", "||"},
    {"|o", "|o", "o|"},
    {"o|", "|o", "o|"},
    {"|0", "|o", "o|"},
    {"0|", "|o", "o|"},
    {"0..1", "|o", "o|"},
    {"zero or one", "|o", "o|"},
    {"one or zero", "|o", "o|"},
    {"}o", "}o", "o{"},
    {"o{", "}o", "o{"},
    {"o}", "}o", "o{"},
    {"{o", "}o", "o{"},
    {"}0", "}o", "o{"},
    {"0{", "}o", "o{"},
    {"*", "}o", "o{"},
    {"0..*", "}o", "o{"},
    {"0..n", "}o", "o{"},
    {"0+", "}o", "o{"},
    {"n", "}o", "o{"},
    {"N", "}o", "o{"},
    {"M", "}o", "o{"},
    {"m", "}o", "o{"},
    {"many", "}o", "o{"},
    {"zero or more", "}o", "o{"},
    {"zero or many", "}o", "o{"},
    {"many(0)", "}o", "o{"},
    {"}|", "}|", "|{"},
    {"|{", "}|", "|{"},
    {"|}", "}|", "|{"},
    {"{|", "}|", "|{"},
    {"}", "}|", "|{"},
    {"{", "}|", "|{"},
    {"1..*", "}|", "|{"},
    {"1..n", "}|", "|{"},
    {"1+", "}|", "|{"},
    {"one or more", "}|", "|{"},
    {"one or many", "}|", "|{"},
    {"many(1)", "}|", "|{"},
};

struct er_diagram {
    struct diagram *d;
    bool in_block;
};

static struct str entity_of(struct diagram *d, struct str said)
{
    struct str name = diagram_unquoted(d, diagram_bare(said));
    name = diagram_replace(d, diagram_replace(d, name, '%', " "), '\\', "/");
    name = diagram_unquoted(d, name);
    bool plain = name.len > 0 && !diagram_is_one_of(diagram_first_word(name), keywords, false);
    bool quoted = !plain || (name.at[0] >= '0' && name.at[0] <= '9');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool between = (c == '-' || c == '.') && i > 0 && i + 1 < name.len && c != name.at[i - 1];
        if (!diagram_is_name_byte(c) && !between) quoted = true;
    }
    if (name.len == 0) d->too_much = true;
    if (!quoted) return name;
    return arena_printf(d->arena, "\"%.*s\"", STR_ARGS(name));
}

/* ---- relations ---- */

static const struct count *count_of(struct str text)
{
    text = str_trim(text);
    if (text.len > 2 && text.at[0] == '"') text = str_head(str_from(text, 1), text.len - 2);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        if (str_eq(text, str_of(counts[i].is))) return &counts[i];
    }
    return NULL;
}

/* The longest end of `side` that says how many; the rest is the name. */
static const struct count *take_left(struct str *side)
{
    for (size_t at = 1; at < side->len; at++) {
        const struct count *count = count_of(str_from(*side, at));
        char before = side->at[at - 1];
        bool word = diagram_is_name_byte(side->at[at]) && side->at[at] != 'o';
        if (!count || (word && before != ' ')) continue;
        if (side->at[at] == 'o' && diagram_is_name_byte(before)) continue;
        *side = str_trim(str_head(*side, at));
        return count;
    }
    return NULL;
}

static const struct count *take_right(struct str *side)
{
    for (size_t len = side->len - (side->len > 0); len > 0; len--) {
        const struct count *count = count_of(str_head(*side, len));
        bool word = diagram_is_name_byte(side->at[len - 1]);
        if (!count || (word && diagram_is_name_byte(side->at[len]))) continue;
        *side = str_trim(str_from(*side, len));
        return count;
    }
    return NULL;
}

static bool find_line(struct str text, size_t *at, size_t *len, const char **line)
{
    static const struct diagram_arrow lines[] = {
        {"--", "--", false},  {"..", "..", false},  {"-.", "..", false},
        {".-", "..", false},  {"---", "--", false}, {" optionally to ", "..", false},
        {" to ", "--", false}};
    const struct diagram_arrow *found;
    size_t dashes = diagram_find(text, "--");
    if (dashes < text.len) {
        *at = dashes;
        *len = str_starts(str_from(text, dashes), STR("---")) ? 3 : 2;
        *line = "--";
        return true;
    }
    if (!diagram_arrow(text, lines, COUNT_OF(lines), at, &found)) return false;
    *len = strlen(found->is);
    *line = found->becomes;
    return true;
}

static bool relation(struct er_diagram *e, bool *fine)
{
    struct diagram *d = e->d;
    struct str rest = d->line, label = STR(""), before, behind;
    size_t at, len;
    const char *line;
    if (diagram_colon(rest, &before, &behind)) {
        rest = before;
        label = behind;
    }
    if (!find_line(rest, &at, &len, &line)) return false;
    struct str left = str_trim(str_head(rest, at)), right = str_trim(str_from(rest, at + len));
    const struct count *from = take_left(&left), *to = take_right(&right);
    *fine = from && to && left.len > 0 && right.len > 0;
    if (!*fine) return true;
    size_t blank = diagram_find(right, " ");
    if (label.len == 0 && blank < right.len && right.at[0] != '"') { /* a colon is missing */
        label = str_trim(str_from(right, blank));
        right = str_head(right, blank);
    }
    left = entity_of(d, left);
    right = entity_of(d, right);
    label = diagram_text(d, diagram_unquoted(d, diagram_bare(label)), ";");
    bool plain = diagram_is_word(label) && diagram_first_word(label).len == label.len &&
                 !(label.at[0] >= '0' && label.at[0] <= '9') &&
                 !diagram_is_one_of(label, keywords, false);
    const char *quote = plain ? "" : "\"";
    diagram_say(d, "%.*s %s%s%s %.*s : %s%.*s%s", STR_ARGS(left), from->left, line, to->right,
                STR_ARGS(right), quote, STR_ARGS(label), quote);
    return true;
}

/* ---- attributes ---- */

struct attribute {
    struct str words[WORDS_MAX];
    size_t count;
    struct str keys[3];
    size_t key_count;
    struct str comment;
};

static bool is_type(struct str word)
{
    static const char types[] = "int integer bigint smallint tinyint serial bigserial string "
                                "varchar char text bool boolean "
                                "float double decimal numeric real date datetime timestamp "
                                "timestamptz time uuid json jsonb "
                                "blob bytea binary enum array object number long byte";
    return diagram_is_one_of(diagram_first_word(word), types, false);
}

/* As Mermaid takes words of attributes. */
static struct str attribute_word(struct diagram *d, struct str word)
{
    struct buf out;
    bool optional = str_ends(word, STR("?"));
    size_t opens = 0, closes = 0;
    for (size_t i = 0; i < word.len; i++) {
        opens += word.at[i] == '(' || word.at[i] == '<';
        closes += word.at[i] == ')' || word.at[i] == '>';
    }
    buf_init(&out, word.len + 8);
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        bool wide = (unsigned char)c >= 0x80; /* from U+00C0 on; those below are rare enough */
        bool fine = wide || diagram_is_name_byte(c) || (i > 0 && strchr("-[]().,*", c));
        bool alone = opens != closes && strchr("()<>", c); /* of a pair */
        /* "--" draws a relation. */
        bool again = c == '-' && out.len > 0 && out.at[out.len - 1] == '-';
        if (alone || again) c = '_';
        if (i == 0 && c >= '0' && c <= '9') buf_add_byte(&out, '_');
        if (c == '<')
            buf_add_byte(&out, '(');
        else if (c == '>')
            buf_add_byte(&out, ')');
        else if (fine)
            buf_add_byte(&out, c);
        else if (!(optional && i + 1 == word.len) && !strchr("\"'`", c))
            buf_add_byte(&out, '_');
    }
    size_t len = out.len;
    while (len > 0 && strchr(",.", out.at[len - 1])) len--;
    struct str done = arena_copy(d->arena, str_head(buf_str(&out), len));
    buf_release(&out);
    if (diagram_is_one_of(done, "PK FK UK", false))
        done = arena_printf(d->arena, "%.*s_", STR_ARGS(done));
    return done;
}

static void add_key(struct attribute *a, const char *key)
{
    for (size_t i = 0; i < a->key_count; i++) {
        if (str_eq(a->keys[i], str_of(key))) return;
    }
    if (a->key_count < 3) a->keys[a->key_count++] = str_of(key);
}

/* "PK", "PK,FK", "primary key": true, and how many words it was. */
static size_t take_key(struct attribute *a, const struct str *words, size_t count)
{
    static const struct {
        const char *first, *second, *key;
    } keys[] = {{"PK", NULL, "PK"},       {"FK", NULL, "FK"},          {"UK", NULL, "UK"},
                {"primary", "key", "PK"}, {"foreign", "key", "FK"},    {"unique", "key", "UK"},
                {"unique", NULL, "UK"},   {"primary_key", NULL, "PK"}, {"foreign_key", NULL, "FK"}};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (!str_eq_nocase(words[0], str_of(keys[i].first))) continue;
        bool second =
            keys[i].second && count > 1 && str_eq_nocase(words[1], str_of(keys[i].second));
        if (keys[i].second && !second) continue;
        add_key(a, keys[i].key);
        return second ? 2 : 1;
    }
    return 0;
}

static void add_comment(struct diagram *d, struct attribute *a, struct str text)
{
    text = diagram_replace(d, text, '"', "'");
    a->comment = a->comment.len
                     ? arena_printf(d->arena, "%.*s %.*s", STR_ARGS(a->comment), STR_ARGS(text))
                     : text;
}

/* Blanks and, behind the first two words, commas and slashes part words; "(10, 2)" is one. */
static size_t split_words(struct diagram *d, struct str text, struct str words[WORDS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < text.len && count < WORDS_MAX;) {
        size_t depth = 0, start = i;
        for (; i < text.len; i++) {
            char c = text.at[i];
            depth += c == '(' || c == '<';
            depth -= depth > 0 && (c == ')' || c == '>');
            if (depth == 0 && (c == ' ' || c == '\t')) break;
            if (depth == 0 && count >= 2 && strchr(",/|+&", c)) break;
        }
        struct str word = str_head(str_from(text, start), i - start);
        word = diagram_replace(d, word, ' ', "");
        if (word.len > 0) words[count++] = word;
        i++;
    }
    return count;
}

static bool comment_begins(struct str text, size_t at)
{
    struct str rest = str_from(text, at);
    return at > 0 && text.at[at - 1] == ' ' &&
           (str_starts(rest, STR("//")) || str_starts(rest, STR("-- ")) ||
            str_starts(rest, STR("# ")));
}

static void take_comment(struct diagram *d, struct attribute *a, struct str *text)
{
    size_t open = str_find_byte(*text, '"');
    if (open < text->len) {
        struct str rest = str_from(*text, open + 1);
        size_t close = str_find_byte(rest, '"');
        while (close + 1 < rest.len &&
               str_find_byte(str_from(rest, close + 1), '"') < rest.len - close - 1)
            close += 1 + str_find_byte(str_from(rest, close + 1), '"');
        if (close > 0) add_comment(d, a, str_head(rest, close));
        struct str behind = close < rest.len ? str_from(rest, close + 1) : STR("");
        *text =
            arena_printf(d->arena, "%.*s %.*s", STR_ARGS(str_head(*text, open)), STR_ARGS(behind));
        return;
    }
    for (size_t i = 1; i < text->len; i++) {
        if (!comment_begins(*text, i)) continue;
        struct str comment = str_from(*text, i);
        while (comment.len > 0 && strchr("/-# ", comment.at[0])) comment = str_from(comment, 1);
        add_comment(d, a, comment);
        *text = str_head(*text, i);
        return;
    }
}

/* "name: type" is the other way round. */
static struct str in_order(struct diagram *d, struct str text)
{
    struct str name, type;
    if (!diagram_colon(text, &name, &type) || !diagram_is_word(name) || type.len == 0) return text;
    struct str word = str_head(type, str_find_byte(type, ' '));
    return arena_printf(d->arena, "%.*s %.*s %.*s", STR_ARGS(word), STR_ARGS(name),
                        STR_ARGS(str_from(type, word.len)));
}

static void say_attribute(struct diagram *d, struct attribute *a)
{
    bool swapped =
        a->count >= 2 && is_type(a->words[1]) && !is_type(a->words[0]) && a->words[0].at[0] != '_';
    struct str type = a->count >= 2 ? a->words[swapped ? 1 : 0] : STR("_");
    struct str name = a->count >= 2 ? a->words[swapped ? 0 : 1] : a->words[0];
    bool optional = str_ends(type, STR("?"));
    for (size_t i = 2; i < a->count; i++) add_comment(d, a, a->words[i]);
    type = attribute_word(d, type);
    name = attribute_word(d, name);
    if (type.len == 0) type = STR("_");
    if (name.len == 0) name = STR("_");
    struct str keys = STR("");
    for (size_t i = 0; i < a->key_count; i++) {
        keys = arena_printf(d->arena, "%.*s%s%.*s", STR_ARGS(keys), i ? ", " : " ",
                            STR_ARGS(a->keys[i]));
    }
    struct str comment = diagram_unquoted(d, a->comment);
    diagram_say(d, "%.*s%s %.*s%.*s%s%.*s%s", STR_ARGS(type), optional ? "?" : "", STR_ARGS(name),
                STR_ARGS(keys), comment.len ? " \"" : "", STR_ARGS(comment),
                comment.len ? "\"" : "");
}

static void attribute_line(struct diagram *d, struct str text)
{
    struct attribute a = {.comment = STR("")};
    struct str words[WORDS_MAX];
    text = diagram_bare(text);
    while (text.len > 0 && strchr(",;", text.at[text.len - 1]))
        text = diagram_bare(str_head(text, text.len - 1));
    if (str_starts(text, STR("+ ")) || str_starts(text, STR("- ")))
        text = str_trim(str_from(text, 2));
    take_comment(d, &a, &text);
    text = in_order(d, str_trim(text));
    size_t count = split_words(d, text, words);
    for (size_t i = 0; i < count;) {
        size_t taken = count > 1 ? take_key(&a, words + i, count - i) : 0;
        if (taken == 0) a.words[a.count++] = words[i++];
        i += taken;
    }
    if (a.count > 0) say_attribute(d, &a);
}

static void attributes(struct diagram *d, struct str text)
{
    struct str one, indent = d->indent;
    char parts = str_find_byte(text, ';') < text.len ? ';' : ',';
    bool quoted = str_find_byte(text, '"') < text.len || str_find_byte(text, '(') < text.len;
    d->indent = arena_printf(d->arena, "%.*s    ", STR_ARGS(indent));
    if (quoted && parts == ',')
        attribute_line(d, text);
    else
        while (str_split(&text, parts, &one)) attribute_line(d, one);
    d->indent = indent;
}

/* ---- lines ---- */

static void end_block(struct er_diagram *e)
{
    e->in_block = false;
    diagram_say(e->d, "}");
}

static bool entity_line(struct er_diagram *e)
{
    struct diagram *d = e->d;
    struct str line = d->line, label = STR("");
    size_t open = diagram_find(line, "{");
    struct str inside = open < line.len ? str_trim(str_from(line, open + 1)) : STR("");
    struct str name = str_trim(str_head(line, open));
    name = str_trim(str_head(name, diagram_find(name, ":::")));
    (void)!diagram_after(name, "entity", &name);
    (void)!diagram_after(name, "table", &name);
    size_t bracket = diagram_find(name, "[");
    if (bracket > 0 && bracket < name.len && str_ends(name, STR("]"))) {
        label = entity_of(d, str_head(str_from(name, bracket + 1), name.len - bracket - 2));
        name = str_trim(str_head(name, bracket));
    }
    if (name.len == 0) return false;
    if (open == line.len && name.at[0] != '"' && str_find_byte(name, ' ') < name.len) return false;
    name = entity_of(d, name);
    const char *before = label.len ? "[" : "", *behind = label.len ? "]" : "";
    e->in_block = open < line.len;
    diagram_say(d, "%.*s%s%.*s%s%s", STR_ARGS(name), before, STR_ARGS(label), behind,
                e->in_block ? " {" : "");
    bool ends = e->in_block && str_ends(inside, STR("}"));
    if (ends) inside = str_head(inside, inside.len - 1);
    if (e->in_block) attributes(d, inside);
    if (ends) end_block(e);
    return true;
}

static void block_line(struct er_diagram *e)
{
    struct str line = diagram_bare(e->d->line);
    bool ends = str_ends(line, STR("}"));
    if (ends) line = str_trim(str_head(line, line.len - 1));
    if (line.len > 0) attribute_line(e->d, line);
    if (ends) end_block(e);
}

static bool one_line(struct er_diagram *e)
{
    struct diagram *d = e->d;
    struct str rest;
    bool fine = false;
    if (diagram_comment(d)) return true;
    if (e->in_block) {
        bool another = str_ends(d->line, STR("{")) || diagram_find(d->line, "--") + 3 < d->line.len;
        another = another && diagram_find(d->line, "\"") == d->line.len &&
                  diagram_find(d->line, "-- ") == d->line.len;
        if (!another) {
            block_line(e);
            return true;
        }
        end_block(e);
    }
    d->line = diagram_bare(d->line);
    if (str_eq(d->line, STR("}"))) return true;
    if (diagram_looks(d, "style classDef class title accTitle accDescr")) return true;
    if (str_starts(d->line, STR("accTitle")) || str_starts(d->line, STR("accDescr"))) return true;
    if (diagram_after(d->line, "subgraph", &rest)) return false;
    if (relation(e, &fine)) return fine;
    return entity_line(e);
}

bool diagram_er(struct diagram *d)
{
    struct er_diagram e = {.d = d};
    d->straight = true;
    while (diagram_next(d)) {
        if (!one_line(&e) || d->too_much || d->to->failed) return false;
    }
    d->indent = STR("");
    if (e.in_block) end_block(&e);
    return true;
}
