/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/cite.h"

enum { HELD_BYTES = 600 }; /* a bracket longer than this is no citation */

void wiki_cite_init(struct wiki_cite *cite, struct wiki_source *sources, size_t source_count)
{
    *cite = (struct wiki_cite){.sources = sources, .source_count = source_count};
    buf_init(&cite->held, HELD_BYTES + 1);
}

void wiki_cite_release(struct wiki_cite *cite)
{
    buf_release(&cite->held);
}

/* "12", "L12": a line's number. */
static bool read_line(struct str text, int *line_out)
{
    uint64_t line;
    if (str_starts(text, STR("L")) || str_starts(text, STR("l"))) text = str_from(text, 1);
    if (!str_to_u64(text, &line) || line > INT32_MAX) return false;
    *line_out = (int)line;
    return true;
}

/* "path:12", "path:12-30": false when it is no such thing. */
static bool read_place(struct str text, struct wiki_source *place_out)
{
    text = str_trim(text);
    size_t colon = text.len;
    while (colon > 0 && text.at[colon - 1] != ':') colon--;
    if (colon < 2) return false;
    struct str path = str_trim(str_head(text, colon - 1)), lines = str_from(text, colon), first;
    if (path.len >= 2 && path.at[0] == '`' && str_ends(path, STR("`"))) {
        path = str_head(str_from(path, 1), path.len - 2);
    }
    *place_out = (struct wiki_source){.path = path};
    if (path.len == 0 || str_find(path, STR("//")) < path.len) return false; /* an address */
    if (!str_split(&lines, '-', &first) || !read_line(first, &place_out->first)) return false;
    place_out->last = place_out->first;
    return lines.len == 0 || read_line(lines, &place_out->last);
}

static struct wiki_source *find_source(struct wiki_cite *cite, const struct wiki_source *place)
{
    for (size_t i = 0; i < cite->source_count; i++) {
        struct wiki_source *source = &cite->sources[i];
        if (str_eq(source->path, place->path) && place->first <= source->last &&
            place->last >= source->first) {
            return source;
        }
    }
    return NULL;
}

/* The next place of a list; `separator_out`: what stands before it. */
static bool next_place(struct str *rest, struct str *place_out)
{
    if (rest->len == 0) return false;
    size_t comma = str_find_byte(*rest, ','), semicolon = str_find_byte(*rest, ';');
    size_t end = MIN(comma, semicolon);
    *place_out = str_head(*rest, end);
    *rest = end < rest->len ? str_from(*rest, end + 1) : STR("");
    return true;
}

static bool is_citation(struct str inside)
{
    struct str place;
    struct wiki_source unused;
    bool any = false;
    while (next_place(&inside, &place)) {
        if (!read_place(place, &unused)) return false;
        any = true;
    }
    return any;
}

/* Those places that were given, in one bracket; nothing when there are none. */
static void put_citation(struct wiki_cite *cite, struct str inside, struct buf *to)
{
    struct str text;
    bool any = false;
    while (next_place(&inside, &text)) {
        struct wiki_source place;
        struct wiki_source *source = read_place(text, &place) ? find_source(cite, &place) : NULL;
        if (source == NULL) {
            cite->removed++;
            continue;
        }
        source->cited = true;
        cite->kept++;
        buf_add_str(to, any ? STR(", ") : STR("["));
        buf_add_str(to, str_trim(text));
        any = true;
    }
    if (any) buf_add_byte(to, ']');
    cite->dropped_last = !any;
}

static void let_go(struct wiki_cite *cite, struct buf *to)
{
    buf_add_str(to, buf_str(&cite->held));
    buf_reset(&cite->held, HELD_BYTES);
}

/* One byte of the answer. */
static void take(struct wiki_cite *cite, char byte, struct buf *to)
{
    struct buf *held = &cite->held;
    if (held->len > 0 && held->at[0] == '(') { /* behind a citation that was taken out */
        if (byte != ')') let_go(cite, to);
        buf_reset(held, HELD_BYTES);
        if (byte == ')') return;
    } else if (cite->dropped_last && byte == '(') {
        buf_add_byte(held, byte);
        cite->dropped_last = false;
        return;
    }
    cite->dropped_last = false;
    if (held->len == 0 && byte != '[') {
        buf_add_byte(to, byte);
        return;
    }
    if (byte == '[' || byte == '\n' || held->len == HELD_BYTES) let_go(cite, to);
    if (held->len == 0 && byte != '[') {
        buf_add_byte(to, byte);
        return;
    }
    buf_add_byte(held, byte);
    if (byte != ']') return;
    struct str inside = str_head(str_from(buf_str(held), 1), held->len - 2);
    if (is_citation(inside)) {
        put_citation(cite, inside, to);
        buf_reset(held, HELD_BYTES);
    } else {
        let_go(cite, to);
    }
}

void wiki_cite_put(struct wiki_cite *cite, struct str piece, struct buf *to)
{
    for (size_t i = 0; i < piece.len; i++) take(cite, piece.at[i], to);
}

void wiki_cite_end(struct wiki_cite *cite, struct buf *to)
{
    let_go(cite, to);
}
