/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram_internal.h: what the kinds of diagrams share (wiki/diagram.h).
 *
 * Each kind reads its diagram line by line and writes what it understood: a line is one of
 * the statements of its kind, or the diagram is none that we vouch for. What is written is
 * a narrower language than Mermaid's: names that are plain words (others get an id, and are
 * shown as they were), texts without the signs that would end them.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum { DIAGRAM_LINE_BYTES_MAX = 4096, DIAGRAM_NAMES_MAX = 200, DIAGRAM_DEPTH_MAX = 16 };

/* What somebody is called in the diagram, and what it gets to be called in ours. */
struct diagram_name {
    struct str said, id;
};

struct diagram {
    struct arena *arena;
    struct str whole, rest; /* below the first line; what is not read yet of it */
    struct buf *to;
    bool straight; /* “these” quotes are read as "these" */

    struct str indent, line; /* the line that is read, without blanks around it */
    struct diagram_name names[DIAGRAM_NAMES_MAX];
    size_t name_count;
    size_t statements; /* written so far; comments are none */
    bool too_much;     /* more than there is place for: no diagram */
};

/* The next line, with blanks for what looks like blanks; false at the end. */
bool diagram_next(struct diagram *d);
/* One line, as far in as the one that was read. */
void diagram_say(struct diagram *d, const char *format, ...) PRINTF_LIKE(2, 3);
/* The line as it is: a comment, or nothing. True where it is one of them. */
bool diagram_comment(struct diagram *d);
/* The kinds' entries: false where there is a line that is no statement. */
bool diagram_flow(struct diagram *d);
bool diagram_sequence(struct diagram *d);
bool diagram_class(struct diagram *d);
bool diagram_state(struct diagram *d);
bool diagram_er(struct diagram *d);
bool diagram_pie(struct diagram *d);
bool diagram_mindmap(struct diagram *d);
bool diagram_timeline(struct diagram *d);
bool diagram_journey(struct diagram *d);

/* ---- texts ---- */

/* `text` with each of `bad` as Mermaid's #number; what is such a number already stays. */
struct str diagram_text(struct diagram *d, struct str text, const char *bad);
/* What stands in quotes, or all of it; `"` within becomes `'`. */
struct str diagram_unquoted(struct diagram *d, struct str text);
/* Without signs at the end that belong to another language: `;` and blanks. */
struct str diagram_bare(struct str text);
struct str diagram_replace(struct diagram *d, struct str text, char what, const char *with);

/* ---- words ---- */

bool diagram_is_name_byte(char c); /* a letter, a digit, `_`, or beyond ASCII */
bool diagram_is_word(struct str text);
/* Is it one of the words between blanks in `list`? Letters' case counts only where `exact`. */
bool diagram_is_one_of(struct str word, const char *list, bool exact);
/* The first word of letters that keywords can have; empty where there is none. */
struct str diagram_first_word(struct str text);
/* `word`, then a blank or the end: true, and what follows. Case does not count. */
bool diagram_after(struct str text, const char *word, struct str *rest_out);
/* Where `part` stands outside of "" and ``; text.len: nowhere. */
size_t diagram_find(struct str text, const char *part);
/* At ':' that is none of a '::', outside of quotes: before and behind it. False: none. */
bool diagram_colon(struct str text, struct str *before_out, struct str *behind_out);
/* A plain id for `said`, the same each time, and none that the diagram has already. */
struct str diagram_id(struct diagram *d, struct str said);
/* The id that was given, NULL: none. */
const struct diagram_name *diagram_known(const struct diagram *d, struct str said);
struct str diagram_know(struct diagram *d, struct str said, struct str id);

/* "direction XX", "style …", "classDef …" and such: about looks only. True: it was one, and it
 * is written if it is surely right, and left away if not. */
bool diagram_looks(struct diagram *d, const char *words);

/* One of several ways to draw an edge. */
struct diagram_arrow {
    const char *is, *becomes;
    bool back; /* it points to the left: both sides change places */
};

/* The first arrow of a table in `text`, the longest of those at one place; false: none. */
bool diagram_arrow(struct str text, const struct diagram_arrow *arrows, size_t count,
                   size_t *at_out, const struct diagram_arrow **arrow_out);
