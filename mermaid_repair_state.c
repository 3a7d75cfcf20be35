/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/mermaid_repair_state.c: state diagrams, read kindly and written anew, line by line.
 */
#include "wiki/mermaid_internal.h"

struct states {
    struct buf *to;
    struct arena arena;
    struct map known; /* states whose long name was said */
    size_t depth;
};

static bool is_fine_id(struct str id)
{
    return mermaid_is_id(id, ".") && !mermaid_keyword(id, mermaid_state_words, true);
}

static struct str safe_id(struct states *states, struct str raw)
{
    if (str_eq(raw, STR("[*]")) || is_fine_id(raw)) return raw;
    struct buf id;
    buf_init(&id, MERMAID_BYTES_MAX);
    mermaid_put_id(&id, raw, mermaid_state_words, true);
    struct str copy = arena_copy(&states->arena, buf_str(&id));
    buf_release(&id);
    return copy;
}

/* A state that is mentioned: one that is called otherwise says what it was first. */
static struct str introduce(struct states *states, struct str raw)
{
    raw = mermaid_bare(raw);
    size_t style = str_find(raw, STR(":::"));
    raw = str_trim(str_head(raw, style));
    if (str_eq(raw, STR("*")) || str_eq(raw, STR("[ * ]"))) return STR("[*]");
    struct str id = safe_id(states, raw);
    if (str_eq(id, raw) || map_find(&states->known, id) != NULL) return id;
    map_add(&states->known, id, states);
    buf_add_str(states->to, STR("    state "));
    mermaid_put_quoted(states->to, raw);
    buf_printf(states->to, " as %.*s\n", STR_ARGS(id));
    return id;
}

/* --- statements --- */

/* Behind "state". */
static void repair_state(struct states *states, struct str rest)
{
    static const char *const kinds[] = {"fork", "join", "choice"};
    bool group = str_ends(rest, STR("{"));
    if (group) rest = str_trim(str_head(rest, rest.len - 1));
    struct str label = {0}, id = rest;
    if (str_starts(rest, STR("\""))) {
        struct str inside = str_from(rest, 1);
        size_t end = str_find_byte(inside, '"');
        label = str_head(inside, end);
        id = str_trim(str_from(inside, end + 1));
        if (str_starts(id, STR("as "))) id = str_trim(str_from(id, 3));
        if (id.len == 0) id = label;
    }
    size_t angles = str_find(id, STR("<<")), square = str_find(id, STR("[["));
    struct str kind = str_from(id, MIN(angles, square) + 2);
    id = str_trim(str_head(id, MIN(angles, square)));
    struct str safe = safe_id(states, id);
    if (label.len == 0 && !str_eq(safe, id)) label = id;
    if (safe.len == 0) return;
    buf_add_str(states->to, STR("    state "));
    if (label.len > 0 && map_find(&states->known, safe) == NULL) {
        map_add(&states->known, safe, states);
        mermaid_put_quoted(states->to, label);
        buf_add_str(states->to, STR(" as "));
    }
    buf_add_str(states->to, safe);
    for (size_t i = 0; i < COUNT_OF(kinds) && !group; i++) {
        if (str_starts(kind, str_of(kinds[i]))) buf_printf(states->to, " <<%s>>", kinds[i]);
    }
    buf_add_str(states->to, group ? STR(" {\n") : STR("\n"));
    states->depth += group;
}

/* "right of X : text", or lines up to "end note" */
static void repair_note(struct states *states, struct str note, struct str *rest)
{
    static const char *const places[] = {"left of", "right of", NULL};
    size_t place = mermaid_keyword(note, places, true), colon = str_find_byte(note, ':');
    struct str who = str_trim(str_from(str_head(note, colon), place)), line;
    if (place == 0 || who.len == 0) return; /* Mermaid has no notes elsewhere */
    struct str id = introduce(states, who);
    buf_printf(states->to, "    note %s of %.*s", place == 7 ? "left" : "right", STR_ARGS(id));
    if (colon < note.len) {
        buf_add_str(states->to, STR(" : "));
        mermaid_put_text(states->to, str_from(note, colon + 1), ":;#");
        buf_add_byte(states->to, '\n');
        return;
    }
    buf_add_byte(states->to, '\n');
    while (mermaid_repair_line(rest, &line) && !str_eq_nocase(line, STR("end note"))) {
        buf_add_str(states->to, STR("        "));
        mermaid_put_text(states->to, line, ":;#");
        buf_add_byte(states->to, '\n');
    }
    buf_add_str(states->to, STR("    end note\n"));
}

static void put_text(struct states *states, struct str text)
{
    text = str_trim(text);
    if (text.len == 0) return;
    buf_add_str(states->to, STR(" : "));
    mermaid_put_text(states->to, mermaid_bare(text), ":;#");
}

/* Where the arrow of a transition stands and ends; false: there is none. */
static bool find_arrow(struct str line, size_t *at_out, size_t *end_out)
{
    static const char *const arrows[] = {"-->", "->>", "->", "==>", "=>", "→"};
    for (size_t at = 1; at < line.len && line.at[at] != ':'; at++) {
        for (size_t i = 0; i < COUNT_OF(arrows); i++) {
            struct str arrow = str_of(arrows[i]);
            if (!str_starts(str_from(line, at), arrow)) continue;
            *at_out = at;
            *end_out = at + arrow.len;
            return true;
        }
    }
    return false;
}

static void repair_transition(struct states *states, struct str line)
{
    size_t at, end, colon;
    if (!find_arrow(line, &at, &end)) {
        colon = str_find_byte(line, ':');
        while (colon + 2 < line.len && str_starts(str_from(line, colon), STR(":::"))) {
            colon += 3 + str_find_byte(str_from(line, colon + 3), ':');
        }
        struct str id = introduce(states, str_head(line, MIN(colon, line.len)));
        buf_printf(states->to, "    %.*s", STR_ARGS(id));
        put_text(states, str_from(line, colon + 1));
        buf_add_byte(states->to, '\n');
        return;
    }
    struct str behind = str_trim(str_from(line, end)), text = {0};
    if (behind.len > 0 && behind.at[0] == '|') { /* as in flow charts */
        behind = str_from(behind, 1);
        size_t bar = str_find_byte(behind, '|');
        text = str_head(behind, bar);
        behind = str_trim(str_from(behind, bar + 1));
    }
    colon = str_find_byte(behind, ':');
    if (str_starts(str_from(behind, colon), STR(":::"))) {
        colon += 3 + str_find_byte(str_from(behind, colon + 3), ':');
    }
    if (colon < behind.len) text = str_from(behind, colon + 1);
    struct str from = introduce(states, str_head(line, at));
    struct str to = introduce(states, str_head(behind, colon));
    buf_printf(states->to, "    %.*s --> %.*s", STR_ARGS(from), STR_ARGS(to));
    put_text(states, text);
    buf_add_byte(states->to, '\n');
}

static void repair_statement(struct states *states, struct str line, struct str *rest)
{
    static const char *const dropped[] = {"click",    "href",  "hide",     "scale",
                                          "classDef", "style", "accTitle", "accDescr",
                                          "title",    "class", NULL};
    size_t at, end;
    bool arrow = find_arrow(line, &at, &end);
    if (!arrow && str_starts(line, STR("state "))) {
        repair_state(states, str_trim(str_from(line, 6)));
    } else if (str_eq(line, STR("}"))) {
        if (states->depth == 0) return;
        states->depth--;
        buf_add_str(states->to, STR("    }\n"));
    } else if (str_eq(line, STR("--"))) {
        buf_add_str(states->to, states->depth > 0 ? STR("    --\n") : STR(""));
    } else if (!arrow && str_eq_nocase(str_head(line, 5), STR("note "))) {
        repair_note(states, str_trim(str_from(line, 5)), rest);
    } else if (!arrow && str_starts(line, STR("direction ")) && line.len == 12) {
        buf_printf(states->to, "    %.*s\n", STR_ARGS(line));
    } else if (arrow || mermaid_keyword(line, dropped, false) == 0) {
        repair_transition(states, line);
    }
}

void mermaid_repair_state(struct str body, struct buf *to)
{
    struct states states = {.to = to};
    struct str line;
    buf_add_byte(to, '\n');
    while (mermaid_repair_line(&body, &line)) repair_statement(&states, line, &body);
    for (; states.depth > 0; states.depth--) buf_add_str(to, STR("    }\n"));
    map_release(&states.known);
    arena_release(&states.arena);
}
