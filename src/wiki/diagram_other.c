/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_other.c: small kinds of diagrams: pies, mind maps, timelines and journeys.
 */
#include "wiki/diagram_internal.h"

/* ---- pie: "label" : number ---- */

static struct str leading_number(struct str text)
{
    size_t len = 0, dots = 0;
    while (len < text.len &&
           ((text.at[len] >= '0' && text.at[len] <= '9') || text.at[len] == '.')) {
        dots += text.at[len] == '.';
        len++;
    }
    while (len > 0 && text.at[len - 1] == '.') len--;
    return dots <= 1 && len > 0 && text.at[0] != '.' ? str_head(text, len) : STR("");
}

static bool slice(struct diagram *d)
{
    struct str label, value;
    size_t at = d->line.len;
    while (at > 0 && d->line.at[at - 1] != ':') at--;
    if (at == 0) return false;
    label = diagram_unquoted(d, str_head(d->line, at - 1));
    value = str_trim(str_from(d->line, at));
    struct str number = leading_number(value), unit = str_trim(str_from(value, number.len));
    bool fine = number.len > 0 && number.len < 15 &&
                (unit.len == 0 || str_eq(unit, STR("%")) || str_eq(unit, STR(",")));
    if (!fine || label.len == 0) return false;
    label = diagram_replace(d, diagram_text(d, label, "#;"), '\\', "/");
    diagram_say(d, "\"%.*s\" : %.*s", STR_ARGS(label), STR_ARGS(number));
    return true;
}

bool diagram_pie(struct diagram *d)
{
    struct str rest;
    d->straight = true;
    while (diagram_next(d)) {
        if (diagram_comment(d)) continue;
        d->line = diagram_bare(d->line);
        if (str_eq(d->line, STR("showData"))) {
            diagram_say(d, "showData");
        } else if (diagram_after(d->line, "title", &rest)) {
            diagram_say(d, "title %.*s",
                        STR_ARGS(diagram_text(d, diagram_unquoted(d, rest), "#;")));
            d->statements--; /* nothing to see yet */
        } else if (!slice(d)) {
            return false;
        }
        if (d->too_much || d->to->failed) return false;
    }
    return true;
}

/* ---- mindmap: one root, deeper lines below it ---- */

static const struct shape {
    const char *open, *close;
} shapes[] = {{"((", "))"}, {"{{", "}}"}, {"))", "(("}, {"[", "]"}, {"(", ")"}, {")", "("}};

static bool holds(struct str text, const char *signs)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(signs, text.at[i])) return true;
    }
    return false;
}

/* id[text]: the text in quotes where it has signs of its own. */
static bool shaped(struct diagram *d)
{
    size_t open = 0;
    while (open < d->line.len && diagram_is_name_byte(d->line.at[open])) open++;
    struct str id = str_head(d->line, open), rest = str_from(d->line, open);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct str left = str_of(shapes[i].open), right = str_of(shapes[i].close);
        if (!str_starts(rest, left) || !str_ends(rest, right) || rest.len < left.len + right.len)
            continue;
        struct str text = str_head(str_from(rest, left.len), rest.len - left.len - right.len);
        text = diagram_unquoted(d, text);
        if (text.len == 0) return false;
        const char *quote = holds(text, "()[]{}`") ? "\"" : "";
        diagram_say(d, "%.*s%s%s%.*s%s%s", STR_ARGS(id), shapes[i].open, quote,
                    STR_ARGS(diagram_text(d, text, ";")), quote, shapes[i].close);
        return true;
    }
    return false;
}

static bool node(struct diagram *d)
{
    bool plain = !holds(d->line, "()[]{}\"`") && !str_starts(d->line, STR(":")) &&
                 !str_starts(d->line, STR("%%")) && str_find(d->line, STR(":::")) == d->line.len &&
                 str_find(d->line, STR("%%")) == d->line.len;
    if (plain) {
        diagram_say(d, "%.*s", STR_ARGS(d->line));
        return true;
    }
    if (shaped(d)) return true;
    if (str_starts(d->line, STR("::"))) return true; /* an icon: there are none here */
    if (str_find(d->line, STR("%%")) < d->line.len) return false;
    struct str text = diagram_unquoted(d, d->line);
    text = diagram_text(d, diagram_replace(d, text, '`', "'"), ";");
    const char *quote = holds(text, "()[]{}`") ? "\"" : "";
    diagram_say(d, "n%zu[%s%.*s%s]", d->statements + 1, quote, STR_ARGS(text), quote);
    return true;
}

/* A tab counts as one column for Mermaid, too. */
bool diagram_mindmap(struct diagram *d)
{
    size_t root = 0;
    while (diagram_next(d)) {
        if (d->line.len == 0 || diagram_comment(d)) continue; /* it takes no empty lines */
        d->line = diagram_bare(d->line);
        if (d->line.len == 0) continue;
        if (str_starts(d->line, STR("- ")) || str_starts(d->line, STR("* "))) {
            d->line = str_trim(str_from(d->line, 2)); /* a list's sign */
        }
        if (d->statements == 0)
            root = d->indent.len;
        else if (d->indent.len <= root)
            return false; /* two roots */
        if (!node(d) || d->too_much || d->to->failed) return false;
    }
    return true;
}

/* ---- timeline and journey: words between colons ---- */

static bool titled(struct diagram *d, bool *seen)
{
    struct str rest;
    bool title = diagram_after(d->line, "title", &rest);
    if (!title && !diagram_after(d->line, "section", &rest)) return false;
    rest = diagram_replace(d, diagram_text(d, rest, "#;"), ':', "-");
    if (rest.len == 0) return true;
    diagram_say(d, "%s %.*s", title ? "title" : "section", STR_ARGS(rest));
    d->statements--; /* nothing to see yet */
    *seen = false;
    return true;
}

enum { EVENTS_MAX = 50 }; /* in a line; more is no timeline, and each is copied */

/* "period : event : event", and ": event" for more of them. */
static bool period(struct diagram *d, bool *seen)
{
    struct str rest = diagram_text(d, d->line, "#;"), one, done = STR("");
    bool first = true;
    size_t events = 0;
    while (rest.len > 0 && str_split(&rest, ':', &one)) {
        if (++events > EVENTS_MAX) return false;
        one = str_trim(one);
        bool begins = first;
        first = false;
        if (one.len == 0 && !begins) continue;
        if (one.len == 0 && !*seen) return false; /* of which one? */
        done = begins ? one : arena_printf(d->arena, "%.*s : %.*s", STR_ARGS(done), STR_ARGS(one));
    }
    *seen = true;
    done = str_trim(done);
    if (done.len > 0) diagram_say(d, "%.*s", STR_ARGS(done));
    return true;
}

bool diagram_timeline(struct diagram *d)
{
    bool seen = false;
    while (diagram_next(d)) {
        if (diagram_comment(d)) continue;
        d->line = diagram_bare(d->line);
        if (!titled(d, &seen) && !period(d, &seen)) return false;
        if (d->too_much || d->to->failed) return false;
    }
    return true;
}

/* "task: 5: who, who" */
static bool task(struct diagram *d)
{
    struct str rest = diagram_text(d, d->line, "#;"), name, score;
    uint64_t number;
    if (!str_split(&rest, ':', &name) || !str_split(&rest, ':', &score)) return false;
    name = str_trim(name);
    score = str_trim(score);
    if (name.len == 0 || !str_to_u64(score, &number) || number > 10) return false;
    struct str who = str_trim(diagram_replace(d, rest, ':', " "));
    diagram_say(d, "%.*s: %.*s%s%.*s", STR_ARGS(name), STR_ARGS(score), who.len ? ": " : "",
                STR_ARGS(who));
    return true;
}

bool diagram_journey(struct diagram *d)
{
    bool seen = false;
    while (diagram_next(d)) {
        if (diagram_comment(d)) continue;
        d->line = diagram_bare(d->line);
        if (!titled(d, &seen) && !task(d)) return false;
        if (d->too_much || d->to->failed) return false;
    }
    return true;
}
