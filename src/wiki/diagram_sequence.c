/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_sequence.c: sequence diagrams (https://mermaid.js.org/syntax/sequenceDiagram.html).
 *
 * Beside the lines, Mermaid counts: who was activated, what block is open, who was
 * created and must be written to next. So does this, and takes away what does not
 * come out; what was written and turns out wrong later is painted over, and goes at the end.
 */
#include "wiki/diagram_internal.h"

enum { ACTORS_MAX = DIAGRAM_NAMES_MAX, NO_ACTOR = -1, PAINT = 1 /* a byte that no line has */ };

static const char keywords[] =
    "sequenceDiagram participant actor create destroy as loop rect opt alt else par par_over and "
    "critical option break end left right links link properties details over note activate "
    "deactivate title accTitle accDescr autonumber off box";

static const char blocks[] = "loop rect opt alt par par_over critical break box";

/* https://mermaid.js.org/syntax/sequenceDiagram.html#messages, and what models take for them. */
static const struct diagram_arrow arrows[] = {
    {"->", "->", false},       {"-->", "-->", false},     {"->>", "->>", false},
    {"-->>", "-->>", false},   {"<<->>", "<<->>", false}, {"<<-->>", "<<-->>", false},
    {"->x", "-x", false},      {"-->x", "--x", false},    {"->)", "-)", false},
    {"-->)", "--)", false},    {"--->", "-->", false},    {"--->>", "-->>", false},
    {"->>>", "->>", false},    {"-->>>", "-->>", false},  {"=>", "->>", false},
    {"=>>", "->>", false},     {"==>", "->>", false},     {"==>>", "->>", false},
    {"-.->", "-->", false},    {"-.->>", "-->>", false},  {"..>", "-->", false},
    {"..>>", "-->>", false},   {"~>", "->>", false},      {"~~>", "-->>", false},
    {"\u2192", "->>", false},  {"\u21d2", "->>", false},  {"\u27f6", "->>", false},
    {"\u2014>", "->>", false}, {"\u2013>", "->>", false}, {"\u2014>>", "->>", false},
    {"<->", "<<->>", false},   {"<-->", "<<-->>", false}, {"\u2194", "<<->>", false},
    {"<-", "->>", true},       {"<<-", "->>", true},      {"<--", "-->>", true},
    {"<<--", "-->>", true},    {"\u2190", "->>", true},   {"<=", "->>", true},
    {"--|\\", "--|\\", false}, {"--|/", "--|/", false},   {"/|--", "/|--", false},
    {"\\|--", "\\|--", false}, {"-|\\", "-|\\", false},   {"-|/", "-|/", false},
    {"/|-", "/|-", false},     {"\\|-", "\\|-", false},
};

/* Looked for where there is none of those: they may be parts of names. */
static const struct diagram_arrow weak_arrows[] = {
    {"-x", "-x", false}, {"--x", "--x", false}, {"-X", "-x", false},  {"--X", "--x", false},
    {"-)", "-)", false}, {"--)", "--)", false}, {"--", "-->>", false}};

struct actor {
    struct str id;
    int active;
    size_t box; /* the one it was declared in, 0: none */
};

struct block {
    char kind; /* the first letter, 'r' for par, 'x' for box, 't' for rect, 'k' for break */
    size_t at; /* where its word begins in what is written */
    struct str indent;
};

struct sequence {
    struct diagram *d;
    struct actor actors[ACTORS_MAX];
    size_t actor_count;
    struct block open[DIAGRAM_DEPTH_MAX];
    size_t depth, boxes;
    int created, destroyed;          /* waits for a message, NO_ACTOR: nobody does */
    size_t created_at, destroyed_at; /* where "create" and "destroy" stand */
    size_t destroyed_line;
    int last; /* who sent last */
};

/* ---- actors ---- */

static bool is_safe_name(struct str name)
{
    struct str word = diagram_first_word(name);
    if (name.len == 0 || diagram_is_one_of(word, keywords, false)) return false;
    if (name.at[0] >= '0' && name.at[0] <= '9' && name.len > 1) return false; /* "2 x": a number */
    if (!diagram_is_name_byte(name.at[0])) return false;
    for (size_t i = 1; i < name.len; i++) {
        char c = name.at[i], next = i + 1 < name.len ? name.at[i + 1] : ' ';
        bool dash = c == '-' || c == '/';
        if (dash && diagram_is_name_byte(next) && next != 'x' && next != 'X') continue;
        if (c == '(' && (diagram_is_name_byte(next) || next == ' ')) continue;
        if (dash || c == '(' || !(diagram_is_name_byte(c) || strchr(" .'&)[]!?*$", c)))
            return false;
    }
    /* "a as b" is one to Mermaid only after a participant's word. */
    return str_find(name, STR(" as ")) == name.len && str_find(name, STR("  ")) == name.len;
}

static int actor_of_id(struct sequence *s, struct str id)
{
    for (size_t i = 0; i < s->actor_count; i++) {
        if (str_eq(s->actors[i].id, id)) return (int)i;
    }
    if (s->actor_count == ACTORS_MAX) {
        s->d->too_much = true;
        return 0;
    }
    s->actors[s->actor_count] = (struct actor){.id = id};
    return (int)s->actor_count++;
}

static struct str label_text(struct diagram *d, struct str text)
{
    return diagram_text(d, diagram_bare(text), "#;");
}

/* Of a block: "loop -> x" would be a message of somebody called loop. */
static struct str block_text(struct diagram *d, struct str text)
{
    text = str_trim(text);
    while (text.len > 0 && strchr("-<=.~ /\\", text.at[0])) text = str_from(text, 1);
    return label_text(d, text);
}

static bool in_box(const struct sequence *s)
{
    return s->depth > 0 && s->open[s->depth - 1].kind == 'x';
}

/* Whoever is meant; a name that Mermaid would not read is declared first. */
static int actor_of(struct sequence *s, struct str said)
{
    struct diagram *d = s->d;
    struct str name = diagram_unquoted(d, said);
    const struct diagram_name *known = diagram_known(d, name);
    if (known) return actor_of_id(s, known->id);
    if (is_safe_name(name)) return actor_of_id(s, name);
    struct str label = label_text(d, name);
    if (label.len == 0) d->too_much = true; /* nobody */
    struct str id = diagram_id(d, name);
    diagram_say(d, "participant %.*s as %.*s", STR_ARGS(id), STR_ARGS(label));
    return actor_of_id(s, id);
}

static struct str id_of(const struct sequence *s, int actor)
{
    return s->actors[actor].id;
}

/* ---- blocks ---- */

static bool open_block(struct sequence *s, char kind)
{
    if (s->depth == DIAGRAM_DEPTH_MAX) return false;
    s->open[s->depth++] = (struct block){kind, s->d->to->len + s->d->indent.len, s->d->indent};
    return true;
}

static void close_block(struct sequence *s)
{
    struct str indent = s->d->indent;
    if (s->depth == 0) return; /* an end too many */
    s->d->indent = s->open[--s->depth].indent;
    diagram_say(s->d, "end");
    s->d->indent = indent;
}

/* In a box there are participants only; whatever else comes, its end was forgotten. */
static void leave_box(struct sequence *s)
{
    if (in_box(s)) close_block(s);
}

/* "#f9f" begins a comment. */
static struct str color_of(struct diagram *d, struct str text)
{
    unsigned at[3];
    if (text.len == 0 || text.at[0] != '#') return text;
    struct str hex = diagram_first_word(str_from(text, 1));
    struct str rest = str_from(text, hex.len + 1);
    unsigned char bytes[3];
    if (hex.len == 6 && hex_read(hex, bytes, 3)) {
        for (int i = 0; i < 3; i++) at[i] = bytes[i];
    } else if (hex.len == 3) {
        char twice[6] = {hex.at[0], hex.at[0], hex.at[1], hex.at[1], hex.at[2], hex.at[2]};
        if (!hex_read((struct str){twice, 6}, bytes, 3)) return str_trim(rest);
        for (int i = 0; i < 3; i++) at[i] = bytes[i];
    } else {
        return str_trim(rest);
    }
    return arena_printf(d->arena, "rgb(%u, %u, %u)%.*s", at[0], at[1], at[2], STR_ARGS(rest));
}

static bool begin_block(struct sequence *s, struct str word, struct str rest)
{
    struct diagram *d = s->d;
    char kind = (char)(word.at[0] | 0x20); /* in whatever letters models write it */
    if (kind == 'p') kind = 'r';
    bool box = str_eq_nocase(word, STR("box")), rect = str_eq_nocase(word, STR("rect"));
    leave_box(s);
    if (box || rect) rest = color_of(d, rest);
    if (box && s->depth > 0) return false;
    s->boxes += box;
    if (str_eq_nocase(word, STR("break"))) kind = 'k';
    if (!open_block(s, box ? 'x' : rect ? 't' : kind)) return false;
    struct str text = block_text(d, rest);
    diagram_say(d, "%.*s%s%.*s", STR_ARGS(word), text.len ? " " : "", STR_ARGS(text));
    return true;
}

/* else, and, option: each has blocks that it belongs to, and models mix them up. */
static bool go_on_in_block(struct sequence *s, struct str rest)
{
    size_t depth = s->depth;
    while (depth > 0 && !strchr("aorc", s->open[depth - 1].kind)) depth--;
    if (depth == 0) return false;
    while (s->depth > depth) close_block(s); /* their ends were forgotten */
    struct block *block = &s->open[s->depth - 1];
    if (block->kind == 'o') { /* "opt" has no second half, "alt" has */
        memcpy(s->d->to->at + block->at, "alt", 3);
        block->kind = 'a';
    }
    const char *word = block->kind == 'a' ? "else" : block->kind == 'r' ? "and" : "option";
    struct str text = block_text(s->d, rest);
    diagram_say(s->d, "%s%s%.*s", word, text.len ? " " : "", STR_ARGS(text));
    return true;
}

/* ---- participants ---- */

static void split_as(struct str text, struct str *left_out, struct str *right_out)
{
    size_t at = str_find(text, STR(" as "));
    *left_out = str_trim(str_head(text, at));
    *right_out = at < text.len ? diagram_bare(str_from(text, at + 4)) : STR("");
}

static struct str name_to_declare(struct sequence *s, struct str name, struct str *label)
{
    struct diagram *d = s->d;
    bool one_word = str_find_byte(name, ' ') == name.len;
    if (is_safe_name(name) && (one_word || label->len == 0)) return name;
    /* PlantUML's order: what is shown, then the name. */
    if (label->len > 0 && is_safe_name(*label) && str_find_byte(*label, ' ') == label->len) {
        struct str id = *label;
        *label = name;
        diagram_know(d, name, id);
        return id;
    }
    if (label->len == 0) *label = name;
    return diagram_id(d, name);
}

static bool declare(struct sequence *s, const char *word, struct str rest, bool create)
{
    struct diagram *d = s->d;
    struct str left, label;
    split_as(diagram_bare(rest), &left, &label);
    if (diagram_find(left, "@{") < left.len) return false;
    struct str name = diagram_unquoted(d, left);
    if (name.len == 0) return false;
    label = diagram_unquoted(d, label);
    struct str id = name_to_declare(s, name, &label);
    size_t before = s->actor_count;
    int actor = actor_of_id(s, id);
    create = create && s->actor_count > before;
    if (in_box(s)) {
        size_t *box = &s->actors[actor].box;
        if (*box && *box != s->boxes) return true; /* in two of them: it stays in the first */
        *box = s->boxes;
    }
    if (create) {
        s->created = actor;
        s->created_at = d->to->len + d->indent.len;
    }
    label = label_text(d, label);
    diagram_say(d, "%s%s %.*s%s%.*s", create ? "create " : "", word, STR_ARGS(id),
                label.len ? " as " : "", STR_ARGS(label));
    return true;
}

static bool destroy(struct sequence *s, struct str rest)
{
    (void)!diagram_after(rest, "participant", &rest);
    (void)!diagram_after(rest, "actor", &rest);
    int actor = actor_of(s, diagram_bare(rest));
    s->destroyed = actor;
    s->destroyed_line = s->d->to->len;
    s->destroyed_at = s->destroyed_line + s->d->indent.len;
    diagram_say(s->d, "destroy %.*s", STR_ARGS(id_of(s, actor)));
    return true;
}

/* ---- messages ---- */

/* Mermaid wants to see a message to whom was created, and one with whom is destroyed. */
static void keep_promises(struct sequence *s, int from, int to)
{
    char *written = s->d->to->at;
    if (s->created != NO_ACTOR) {
        if (s->created != to) memset(written + s->created_at, PAINT, strlen("create "));
        s->created = NO_ACTOR;
        if (s->destroyed == NO_ACTOR) return;
    }
    if (s->destroyed == NO_ACTOR) return;
    if (s->destroyed != to && s->destroyed != from) {
        size_t end = s->destroyed_at + strlen("destroy ") + id_of(s, s->destroyed).len;
        memset(written + s->destroyed_line, PAINT, end + 1 - s->destroyed_line);
    }
    s->destroyed = NO_ACTOR;
}

static char sign_of(struct str *name)
{
    if (name->len == 0 || !strchr("+-", name->at[0])) return 0;
    char sign = name->at[0];
    *name = str_trim(str_from(*name, 1));
    return sign;
}

/* "B text": a colon is missing; what is known is the name. */
static void split_unmarked(struct sequence *s, struct str both, struct str *name, struct str *text)
{
    size_t at = 0;
    *name = both;
    *text = STR("");
    while ((at += str_find_byte(str_from(both, at), ' ')) < both.len) {
        struct str head = str_head(both, at);
        for (size_t i = 0; i < s->actor_count; i++) {
            if (!str_eq(s->actors[i].id, head)) continue;
            *name = head;
            *text = str_trim(str_from(both, at));
        }
        at++;
    }
}

static bool message(struct sequence *s, const struct diagram_arrow *arrow, struct str left,
                    struct str right)
{
    struct diagram *d = s->d;
    struct str name, text;
    if (!diagram_colon(right, &name, &text)) split_unmarked(s, diagram_bare(right), &name, &text);
    char sign = sign_of(&name);
    if (!sign && left.len > 1 && strchr("+-", left.at[left.len - 1])) {
        left = str_trim(str_head(left, left.len - 1)); /* "A -->>- B" with a blank in it */
    }
    if (left.len == 0 || name.len == 0 || str_find_byte(left, ':') + 1 < left.len) {
        struct str ignored;
        if (left.len == 0 || name.len == 0 || diagram_colon(left, &ignored, &ignored)) return false;
    }
    leave_box(s);
    int from = actor_of(s, left), to = actor_of(s, name);
    if (arrow->back) {
        int other = from;
        from = to;
        to = other;
    }
    if (sign == '-' && s->actors[from].active == 0) sign = 0; /* it does not work on anything */
    keep_promises(s, from, to);
    if (sign == '+') s->actors[to].active++;
    if (sign == '-') s->actors[from].active--;
    char signs[2] = {sign, 0};
    text = label_text(d, text);
    diagram_say(d, "%.*s%s%s%.*s:%s%.*s", STR_ARGS(id_of(s, from)), arrow->becomes, signs,
                STR_ARGS(id_of(s, to)), text.len ? " " : "", STR_ARGS(text));
    s->last = from;
    return true;
}

static bool is_message(struct diagram *d, struct str *left, struct str *right,
                       const struct diagram_arrow **arrow)
{
    size_t at;
    struct str line = d->line;
    /* An arrow in the text is none of the line's. */
    size_t colon = 0;
    do {
        colon += str_find_byte(str_from(line, colon), ':') + 1;
    } while (colon < line.len && line.at[colon] == ':' && ++colon);
    struct str head = str_head(line, colon);
    if (!diagram_arrow(head, arrows, COUNT_OF(arrows), &at, arrow) &&
        !diagram_arrow(head, weak_arrows, COUNT_OF(weak_arrows), &at, arrow)) {
        return false;
    }
    *left = str_trim(str_head(line, at));
    *right = str_from(line, at + strlen((*arrow)->is));
    if (str_ends(str_of((*arrow)->is), STR(">x")) && right->len > 0 &&
        diagram_is_name_byte(right->at[0])) {
        *arrow = &arrows[(*arrow)->is[1] == '-']; /* the x begins a name */
        *right = str_from(line, at + strlen((*arrow)->is));
    }
    *right = str_trim(*right);
    return true;
}

/* ---- notes ---- */

/* Lines up to "end note", as PlantUML has them, in one. */
enum { NOTE_LINES_MAX = 100 };

static struct str read_note(struct diagram *d)
{
    struct str text = STR("");
    for (size_t lines = 0; lines < NOTE_LINES_MAX && diagram_next(d); lines++) {
        struct str rest;
        if (diagram_after(d->line, "end note", &rest) || diagram_after(d->line, "endnote", &rest)) {
            return text;
        }
        text = text.len ? arena_printf(d->arena, "%.*s<br/>%.*s", STR_ARGS(text), STR_ARGS(d->line))
                        : d->line;
        if (text.len > DIAGRAM_LINE_BYTES_MAX) break;
    }
    d->too_much = true; /* it has no end */
    return text;
}

static const char *place_of(struct str *rest)
{
    static const struct {
        const char *is, *becomes;
    } places[] = {{"left of", "left of"}, {"right of", "right of"}, {"over", "over"},
                  {"left", "left of"},    {"right", "right of"},    {"above", "over"},
                  {"on", "over"},         {"for", "over"},          {"across", "over"}};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct str behind;
        if (!diagram_after(*rest, places[i].is, &behind)) continue;
        *rest = behind;
        return places[i].becomes;
    }
    return "over";
}

static bool note(struct sequence *s, struct str rest)
{
    struct diagram *d = s->d;
    struct str indent = d->indent, names, text, one;
    leave_box(s);
    if (diagram_after(rest, "right:", &one) || diagram_after(rest, "left:", &one)) {
        if (s->last == NO_ACTOR) return false;
        rest = arena_printf(d->arena, "%s %.*s: %.*s", rest.at[0] == 'l' ? "left of" : "right of",
                            STR_ARGS(id_of(s, s->last)), STR_ARGS(one));
    }
    const char *place = place_of(&rest);
    if (!diagram_colon(rest, &names, &text)) {
        names = rest;
        text = read_note(d);
        d->indent = indent;
    }
    int first = NO_ACTOR, last = NO_ACTOR;
    while (str_split(&names, ',', &one)) {
        if (str_trim(one).len == 0) continue;
        last = actor_of(s, str_trim(one));
        if (first == NO_ACTOR) first = last;
    }
    if (first == NO_ACTOR) return false;
    bool two = last != first && str_eq(str_of(place), STR("over"));
    text = label_text(d, text);
    diagram_say(d, "Note %s %.*s%s%.*s: %.*s", place, STR_ARGS(id_of(s, first)), two ? "," : "",
                two ? (int)id_of(s, last).len : 0, id_of(s, last).at, STR_ARGS(text));
    return true;
}

/* ---- lines ---- */

/* "link A: Docs @ https://…" and its kin. */
static bool linked(struct sequence *s, struct str word, struct str rest)
{
    struct str name, text;
    leave_box(s);
    if (!diagram_colon(rest, &name, &text) || name.len == 0) return false;
    int actor = actor_of(s, name);
    diagram_say(s->d, "%.*s %.*s: %.*s", STR_ARGS(word), STR_ARGS(id_of(s, actor)),
                STR_ARGS(label_text(s->d, text)));
    return true;
}

static bool activation(struct sequence *s, struct str rest, bool on)
{
    int actor = actor_of(s, diagram_bare(rest));
    int *active = &s->actors[actor].active;
    leave_box(s);
    if (!on && *active == 0) return true;
    *active += on ? 1 : -1;
    diagram_say(s->d, "%s %.*s", on ? "activate" : "deactivate", STR_ARGS(id_of(s, actor)));
    return true;
}

static bool autonumber(struct sequence *s, struct str rest)
{
    uint64_t number;
    leave_box(s);
    rest = diagram_bare(rest);
    bool fine =
        rest.len == 0 || str_eq(rest, STR("off")) || (rest.len < 6 && str_to_u64(rest, &number));
    if (!fine) rest = STR("");
    diagram_say(s->d, "autonumber%s%.*s", rest.len ? " " : "", STR_ARGS(rest));
    return true;
}

static bool titled(struct sequence *s, struct str word)
{
    struct diagram *d = s->d;
    struct str rest = str_trim(str_from(d->line, word.len));
    bool colon = str_starts(rest, STR(":"));
    struct str text = label_text(d, colon ? str_from(rest, 1) : rest);
    leave_box(s);
    if (text.len == 0) return true;
    bool plain = str_eq_nocase(word, STR("title"));
    if (!plain && !colon) return false;
    diagram_say(d, "%.*s%s %.*s", STR_ARGS(word), colon ? ":" : "", STR_ARGS(text));
    return true;
}

/* What other languages call these. */
static struct str word_of(struct diagram *d, struct str *rest)
{
    static const struct {
        const char *is, *becomes;
    } others[] = {{"else if", "else"}, {"elseif", "else"}, {"elif", "else"},  {"if", "alt"},
                  {"while", "loop"},   {"for", "loop"},    {"endif", "end"},  {"endloop", "end"},
                  {"endalt", "end"},   {"endopt", "end"},  {"endpar", "end"}, {"group", "opt"}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (i == 0) continue; /* "else if x" is an else whose text says so */
        if (diagram_after(d->line, others[i].is, rest)) return str_of(others[i].becomes);
    }
    struct str word = diagram_first_word(d->line);
    struct str behind = str_from(d->line, word.len);
    *rest = str_trim(behind);
    bool apart = behind.len == 0 || strchr(" \t:;", behind.at[0]);
    return apart && diagram_is_one_of(word, keywords, false) ? word : STR("");
}

static bool keyword_line(struct sequence *s, struct str word, struct str rest)
{
    static const struct {
        const char *word;
        bool on;
    } activations[] = {{"activate", true}, {"deactivate", false}};
    struct str behind;
    for (size_t i = 0; i < COUNT_OF(activations); i++) {
        if (str_eq_nocase(word, str_of(activations[i].word))) {
            return activation(s, rest, activations[i].on);
        }
    }
    if (diagram_is_one_of(word, "else and option", false)) return go_on_in_block(s, rest);
    if (diagram_is_one_of(word, "note", false)) return note(s, rest);
    if (diagram_is_one_of(word, "link links properties details", false))
        return linked(s, word, rest);
    if (diagram_is_one_of(word, "autonumber", false)) return autonumber(s, rest);
    if (diagram_is_one_of(word, "title accTitle accDescr", false)) return titled(s, word);
    if (diagram_is_one_of(word, "actor", false)) return declare(s, "actor", rest, false);
    if (diagram_is_one_of(word, "participant", false))
        return declare(s, "participant", rest, false);
    if (diagram_is_one_of(word, "destroy", false)) return destroy(s, rest);
    if (diagram_is_one_of(word, "create", false)) {
        bool actor = diagram_after(rest, "actor", &behind);
        if (!actor && !diagram_after(rest, "participant", &behind)) behind = rest;
        return declare(s, actor ? "actor" : "participant", behind, true);
    }
    return false;
}

static bool sequence_line(struct sequence *s)
{
    struct diagram *d = s->d;
    struct str left, right, rest;
    const struct diagram_arrow *arrow;
    if (diagram_comment(d)) return true;
    d->line = diagram_bare(d->line);
    struct str word = word_of(d, &rest);
    bool sent = is_message(d, &left, &right, &arrow);
    /* "End->>A": a name that is a keyword, too. */
    bool named = sent && (word.len == 0 || left.len <= word.len);
    if (named) return message(s, arrow, left, right);
    if (diagram_is_one_of(word, "end", false)) {
        close_block(s);
        return true;
    }
    if (diagram_is_one_of(word, blocks, false)) return begin_block(s, word, rest);
    return word.len > 0 && keyword_line(s, word, rest);
}

static void without_paint(struct buf *to)
{
    size_t len = 0;
    for (size_t i = 0; i < to->len; i++) {
        if (to->at[i] != PAINT) to->at[len++] = to->at[i];
    }
    to->len = len;
}

bool diagram_sequence(struct diagram *d)
{
    struct sequence *s = ARENA_NEW(d->arena, struct sequence);
    *s = (struct sequence){.d = d, .created = NO_ACTOR, .destroyed = NO_ACTOR, .last = NO_ACTOR};
    while (diagram_next(d)) {
        if (!sequence_line(s) || d->too_much || d->to->failed) return false;
    }
    while (s->depth > 0) close_block(s);
    without_paint(d->to);
    return true;
}
