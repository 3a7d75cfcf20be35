/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_state.c: state diagrams (https://mermaid.js.org/syntax/stateDiagram.html).
 *
 * A state is called by a plain word; one with another name gets such a word, and
 * `state "its name" as word` before it is first met.
 */
#include "wiki/diagram_internal.h"

static const char keywords[] = "state note click href default style class classDef scale direction "
                               "accTitle accDescr hide end as stateDiagram __proto__ constructor";

static const struct diagram_arrow arrows[] = {
    {"-->", "-->", false},     {"->", "-->", false},      {"--->", "-->", false},
    {"->>", "-->", false},     {"-->>", "-->", false},    {"=>", "-->", false},
    {"==>", "-->", false},     {"..>", "-->", false},     {"-.->", "-->", false},
    {"---->", "-->", false},   {"\u2192", "-->", false},  {"\u21d2", "-->", false},
    {"\u2014>", "-->", false}, {"\u2013>", "-->", false}, {"<--", "-->", true},
    {"<-", "-->", true},       {"\u2190", "-->", true},   {"-right->", "-->", false},
    {"-left->", "-->", false}, {"-down->", "-->", false}, {"-up->", "-->", false},
};

/* One with a body can be described once; who has no body, as often as one likes. */
struct described {
    struct str id;
    int texts;
    bool body;
};

struct state_diagram {
    struct diagram *d;
    size_t depth;
    struct described states[DIAGRAM_NAMES_MAX];
    size_t count;
};

static bool is_plain_state(struct str name)
{
    return diagram_is_word(name) && !diagram_is_one_of(diagram_first_word(name), keywords, false);
}

static struct str shown(struct diagram *d, struct str text)
{
    bool stereotype = str_find(text, STR("<<")) < text.len || str_find(text, STR("[[")) < text.len;
    return diagram_text(d, diagram_unquoted(d, diagram_bare(text)), stereotype ? ";<[" : ";");
}

/* The word of a state; declared where it is not its name. */
static struct str state_of(struct diagram *d, struct str said)
{
    struct str name = diagram_bare(said);
    if (diagram_is_one_of(name, "[*] (*) * [**] [start] [end]", false)) return STR("[*]");
    size_t css = diagram_find(name, ":::");
    name = diagram_unquoted(d, str_head(name, css));
    const struct diagram_name *known = diagram_known(d, name);
    if (known) return known->id;
    if (is_plain_state(name)) return name;
    if (name.len == 0) d->too_much = true;
    struct str id = diagram_id(d, name);
    diagram_say(d, "state \"%.*s\" as %.*s", STR_ARGS(shown(d, name)), STR_ARGS(id));
    return id;
}

/* Of a transition: neither ';' nor "::", and no ':' at the end. */
static struct str description(struct diagram *d, struct str text)
{
    text = diagram_text(d, diagram_bare(text), ";");
    bool twice = str_find(text, STR("::")) < text.len || str_ends(text, STR(":")) ||
                 str_starts(text, STR(":"));
    return twice ? diagram_text(d, text, ":") : text;
}

static void say_transition(struct diagram *d, struct str from, struct str to, struct str text)
{
    from = state_of(d, from);
    to = state_of(d, to);
    text = description(d, text);
    diagram_say(d, "%.*s --> %.*s%s%.*s", STR_ARGS(from), STR_ARGS(to), text.len ? " : " : "",
                STR_ARGS(text));
}

/* "|text|" before the state, as flowcharts have it. */
static struct str piped(struct str *right)
{
    size_t close =
        right->len > 0 && right->at[0] == '|' ? 1 + str_find_byte(str_from(*right, 1), '|') : 0;
    if (close == 0 || close >= right->len) return STR("");
    struct str text = str_head(str_from(*right, 1), close - 1);
    *right = str_trim(str_from(*right, close + 1));
    return text;
}

/* "A --> B : text", also with more of them in a row. */
static bool transition(struct diagram *d, bool *fine)
{
    const struct diagram_arrow *arrow, *next;
    struct str before, text = STR(""), rest = d->line;
    size_t at;
    if (diagram_colon(rest, &before, &text)) rest = before;
    if (!diagram_arrow(rest, arrows, COUNT_OF(arrows), &at, &arrow)) return false;
    struct str from = str_trim(str_head(rest, at));
    rest = str_trim(str_from(rest, at + strlen(arrow->is)));
    *fine = from.len > 0;
    while (*fine) {
        struct str label = piped(&rest);
        bool more = diagram_arrow(rest, arrows, COUNT_OF(arrows), &at, &next);
        struct str to = str_trim(str_head(rest, more ? at : rest.len));
        *fine = to.len > 0;
        if (!*fine) break;
        bool back = arrow->back;
        say_transition(d, back ? to : from, back ? from : to,
                       label.len ? label
                       : more    ? STR("")
                                 : text);
        if (!more) break;
        rest = str_trim(str_from(rest, at + strlen(next->is)));
        from = to;
        arrow = next;
    }
    return true;
}

static void describe(struct state_diagram *s, struct str id, bool text, bool body)
{
    size_t i = 0;
    while (i < s->count && !str_eq(s->states[i].id, id)) i++;
    if (i == DIAGRAM_NAMES_MAX) {
        s->d->too_much = true;
        return;
    }
    if (i == s->count) s->states[s->count++] = (struct described){.id = id};
    s->states[i].texts += text;
    s->states[i].body |= body;
}

/* ---- notes ---- */

static bool note(struct diagram *d, struct str rest)
{
    struct str behind, name, text, indent = d->indent;
    bool left = diagram_after(rest, "left of", &behind) || diagram_after(rest, "left", &behind);
    bool other = left || diagram_after(rest, "right of", &behind) ||
                 diagram_after(rest, "over", &behind) || diagram_after(rest, "for", &behind) ||
                 diagram_after(rest, "right", &behind);
    if (!other) return false;
    const char *place = left ? "left of" : "right of";
    if (diagram_colon(behind, &name, &text) && text.len > 0) {
        text = diagram_text(d, diagram_bare(text), ":;");
    } else {
        name = str_ends(behind, STR(":")) ? str_head(behind, behind.len - 1) : behind;
        size_t quote = str_find(name, STR(" \""));
        text = STR("");
        if (quote < name.len) {
            text = diagram_text(d, diagram_unquoted(d, str_from(name, quote)), ":;");
            name = str_head(name, quote);
        }
        size_t blank = str_find_byte(name, ' ');
        if (text.len == 0 && blank < name.len && is_plain_state(str_head(name, blank))) {
            text = diagram_text(d, str_trim(str_from(name, blank)), ":;"); /* a colon is missing */
            name = str_head(name, blank);
        }
    }
    name = state_of(d, name);
    if (str_starts(name, STR("["))) return false;
    if (text.len > 0) {
        diagram_say(d, "note %s %.*s : %.*s", place, STR_ARGS(name), STR_ARGS(text));
        return true;
    }
    diagram_say(d, "note %s %.*s", place, STR_ARGS(name));
    while (diagram_next(d)) {
        bool end = diagram_after(d->line, "end note", &behind) ||
                   diagram_after(d->line, "endnote", &behind);
        if (end) d->indent = indent;
        if (end || d->line.len > 0) {
            diagram_say(d, "%.*s", STR_ARGS(end ? STR("end note") : diagram_text(d, d->line, "")));
        }
        if (end) return true;
    }
    return false; /* it has no end */
}

/* ---- states ---- */

static bool stereotyped(struct diagram *d, struct str rest)
{
    size_t open = str_find(rest, STR("<<"));
    const char *close = ">>";
    if (open == rest.len) {
        open = str_find(rest, STR("[["));
        close = "]]";
    }
    if (open == rest.len || diagram_find(rest, "{") < rest.len) return false;
    struct str inside = str_from(rest, open + 2);
    struct str word = str_trim(str_head(inside, str_find(inside, str_of(close))));
    struct str name = state_of(d, str_head(rest, open));
    if (str_starts(name, STR("["))) return true;
    bool known = diagram_is_one_of(word, "fork join choice", false);
    if (known)
        diagram_say(d, "state %.*s <<%.*s>>", STR_ARGS(name), STR_ARGS(word));
    else
        diagram_say(d, "%.*s", STR_ARGS(name));
    return true;
}

/* What is shown and the word, in whatever order they stand around "as". */
static void read_names(struct diagram *d, struct str text, struct str *label, struct str *id)
{
    size_t as = diagram_find(text, " as ");
    *label = str_trim(str_head(text, as));
    *id = as < text.len ? str_trim(str_from(text, as + 4)) : STR("");
    if (str_starts(*id, STR("\""))) {
        struct str other = *label;
        *label = *id;
        *id = other;
    }
    *label = diagram_unquoted(d, *label);
    if (is_plain_state(*id)) {
        diagram_know(d, *label, *id);
        return;
    }
    if (id->len == 0 && is_plain_state(*label)) {
        *id = *label;
        *label = STR("");
        return;
    }
    *id = diagram_id(d, *label);
}

static bool state_line(struct state_diagram *s, struct str rest)
{
    struct diagram *d = s->d;
    struct str before, text = STR(""), label, id;
    if (stereotyped(d, rest)) return true;
    size_t open = diagram_find(rest, "{");
    bool body = open < rest.len;
    struct str inside = body ? diagram_bare(str_from(rest, open + 1)) : STR("");
    rest = str_trim(str_head(rest, open));
    size_t css = diagram_find(rest, ":::");
    rest = str_trim(str_head(rest, css));
    if (diagram_colon(rest, &before, &text)) rest = before;
    if (rest.len == 0 || (inside.len > 0 && !str_eq(inside, STR("}")))) return false;
    const struct diagram_name *known = diagram_known(d, diagram_unquoted(d, rest));
    if (known) {
        id = known->id;
        label = STR("");
    } else {
        read_names(d, rest, &label, &id);
    }
    label = shown(d, label);
    text = description(d, text);
    if (text.len > 0) diagram_say(d, "%.*s : %.*s", STR_ARGS(id), STR_ARGS(text));
    const char *brace = body && inside.len == 0 ? " {" : "";
    describe(s, id, text.len > 0, body);
    describe(s, id, label.len > 0, body);
    if (*brace && ++s->depth > DIAGRAM_DEPTH_MAX) return false;
    if (label.len > 0)
        diagram_say(d, "state \"%.*s\" as %.*s%s", STR_ARGS(label), STR_ARGS(id), brace);
    else if (text.len == 0 || *brace) /* without a body its word would look into the next line */
        diagram_say(d, "%s%.*s%s", *brace ? "state " : "", STR_ARGS(id), brace);
    return true;
}

static bool described(struct state_diagram *s)
{
    struct diagram *d = s->d;
    struct str name, text;
    if (!diagram_colon(d->line, &name, &text)) {
        bool one = str_find_byte(d->line, ' ') == d->line.len || str_starts(d->line, STR("\""));
        if (one) name = state_of(d, d->line);
        if (one) diagram_say(d, "%.*s", STR_ARGS(name));
        return one;
    }
    bool fine = name.len > 0 && name.len < 60;
    name = state_of(d, name);
    text = description(d, text);
    if (str_starts(name, STR("["))) return fine;
    describe(s, name, text.len > 0, false);
    diagram_say(d, "%.*s%s%.*s", STR_ARGS(name), text.len ? " : " : "", STR_ARGS(text));
    return fine;
}

static bool one_line(struct state_diagram *s)
{
    struct diagram *d = s->d;
    struct str rest;
    bool fine = false;
    if (diagram_comment(d)) return true;
    d->line = diagram_bare(d->line);
    if (str_eq(d->line, STR("}"))) {
        if (s->depth > 0) diagram_say(d, "}");
        s->depth -= s->depth > 0;
        return true;
    }
    if (str_eq(d->line, STR("--")) || str_eq(d->line, STR("---")) || str_eq(d->line, STR("||"))) {
        if (s->depth > 0) diagram_say(d, "--"); /* outside, nothing is parted by it */
        return true;
    }
    if (diagram_looks(d, "style classDef class click scale accTitle accDescr title skinparam"))
        return true;
    if (str_starts(d->line, STR("accTitle")) || str_starts(d->line, STR("accDescr"))) return true;
    if (diagram_after(d->line, "hide", &rest)) return true;
    if (diagram_after(d->line, "note", &rest)) return note(d, rest);
    if (transition(d, &fine)) return fine;
    if (diagram_after(d->line, "state", &rest)) return state_line(s, rest);
    return described(s);
}

bool diagram_state(struct diagram *d)
{
    struct state_diagram *s = ARENA_NEW(d->arena, struct state_diagram);
    s->d = d;
    d->straight = true;
    while (diagram_next(d)) {
        if (!one_line(s) || d->too_much || d->to->failed) return false;
    }
    d->indent = STR("");
    for (; s->depth > 0; s->depth--) diagram_say(d, "}");
    for (size_t i = 0; i < s->count; i++) {
        if (s->states[i].body && s->states[i].texts > 1) return false;
    }
    return true;
}
