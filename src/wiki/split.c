/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/split.c: runs of lines that belong together, then pieces of a fair size.
 *
 * First the file is laid out as runs: a function with the comment above it,
 * what stands between two functions, a section of prose. Then the runs are
 * packed: small neighbours share a piece, a large run is cut. So no rule about
 * functions has to know about sizes, and none about sizes about functions.
 */
#include "wiki/split.h"

#include "base/utf8.h"

enum {
    ABOVE_LINES_MAX = 80, /* a comment longer than this is no comment on a function */
    DEPTH_MAX = 12,       /* classes in classes in namespaces */
    TAB_COLUMNS = 4
};

void wiki_runs_add(struct arena *arena, struct wiki_runs *runs, struct wiki_run run)
{
    if (run.first >= run.last) return;
    if (runs->count == runs->cap) {
        size_t cap = runs->cap ? 2 * runs->cap : 32;
        struct wiki_run *more = ARENA_ARRAY(arena, struct wiki_run, cap);
        if (runs->count) memcpy(more, runs->at, runs->count * sizeof(*more));
        runs->at = more;
        runs->cap = cap;
    }
    runs->at[runs->count++] = run;
}

static struct wiki_lines find_lines(struct arena *arena, struct str text)
{
    struct wiki_lines lines = {.text = text};
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) count += text.at[i] == '\n';
    lines.start = ARENA_ARRAY(arena, size_t, count + 1);
    lines.start[0] = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n' && i + 1 < text.len) lines.start[++lines.count] = i + 1;
    }
    lines.start[++lines.count] = text.len;
    return lines;
}

static size_t run_bytes(const struct wiki_lines *lines, int first, int last)
{
    return lines->start[last] - lines->start[first];
}

static bool is_blank(struct str line)
{
    return str_trim(line).len == 0;
}

/* ---- code: which lines belong to what has a name ---- */

/* A named thing that is worth a run of its own. */
struct unit {
    int first, last; /* lines from 0; `last` is behind the last one */
    struct str label;
};

static bool kind_is_one_of(struct str kind, const char *const *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(kind, str_of(kinds[i]))) return true;
    }
    return false;
}

/* Kinds that span much of a file and are none of its parts. */
static bool is_frame(struct str kind)
{
    static const char *const frames[] = {"package", "file", "import", "header", "unknown"};
    return kind_is_one_of(kind, frames, COUNT_OF(frames));
}

/* Kinds that have a body, even where ctags does not know where it ends. */
static bool has_body(struct str kind)
{
    static const char *const bodies[] = {"function",        "method",     "class",     "func",
                                         "procedure",       "subroutine", "interface", "trait",
                                         "singletonMethod", "module"};
    return kind_is_one_of(kind, bodies, COUNT_OF(bodies));
}

static int compare_units(const void *a, const void *b)
{
    const struct unit *one = a, *two = b;
    if (one->first != two->first) return one->first < two->first ? -1 : 1;
    return one->last > two->last ? -1 : one->last < two->last; /* the outer one first */
}

/* In order, properly nested: one that only overlaps is cut to what is left of it. */
static size_t find_units(struct arena *arena, const struct wiki_lines *lines,
                         const struct wiki_mark *marks, size_t mark_count, struct unit **units_out)
{
    struct unit *units = ARENA_ARRAY(arena, struct unit, mark_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < mark_count; i++) {
        const struct wiki_mark *mark = &marks[i];
        if (mark->first < 1 || mark->first > lines->count || is_frame(mark->kind)) continue;
        if (mark->last <= mark->first && !has_body(mark->kind)) continue;
        int last = mark->last < mark->first ? 0 : MIN(mark->last, lines->count);
        units[count++] = (struct unit){mark->first - 1, last, mark->label};
    }
    qsort(units, count, sizeof(*units), compare_units);
    /* Where no end is known, it is where the next one begins. */
    for (size_t i = 0; i < count; i++) {
        if (units[i].last > 0) continue;
        size_t next = i + 1;
        while (next < count && units[next].first == units[i].first) next++;
        units[i].last = next < count ? units[next].first : lines->count;
    }
    qsort(units, count, sizeof(*units), compare_units);
    *units_out = units;
    return count;
}

/* A line of the preprocessor: it looks like a comment of other languages. */
static bool is_directive(struct str line)
{
    static const char *const words[] = {"include", "define", "if",     "ifdef", "ifndef",
                                        "else",    "elif",   "endif",  "undef", "pragma",
                                        "error",   "import", "region", "line"};
    if (line.len == 0 || line.at[0] != '#') return false;
    line = str_trim(str_from(line, 1));
    size_t len = 0;
    while (len < line.len && line.at[len] >= 'a' && line.at[len] <= 'z') len++;
    return kind_is_one_of(str_head(line, len), words, COUNT_OF(words));
}

/* May this line stand between a function and what belongs to it above? Comments, attributes,
 * decorators, the type on a line of its own; not the end of something else. */
static bool belongs_below(struct str line)
{
    line = str_trim(line);
    if (line.len == 0 || is_directive(line)) return false;
    if (str_starts(line, STR("//")) || str_starts(line, STR("/*")) || line.at[0] == '*' ||
        line.at[0] == '#' || line.at[0] == '@' || line.at[0] == '[' ||
        str_starts(line, STR("--")) || str_starts(line, STR(";")) || str_ends(line, STR("*/"))) {
        return true;
    }
    return !strchr(";{}:,", line.at[line.len - 1]);
}

/* The first line of what belongs to the thing that begins at `first`; not before `floor`. */
static int reach_up(const struct wiki_lines *lines, int floor, int first)
{
    int lowest = MAX(floor, first - ABOVE_LINES_MAX);
    int at = first;
    while (at > lowest) {
        struct str line = str_trim(wiki_line(lines, at - 1));
        if (!belongs_below(line)) break;
        at--;
        if (!str_ends(line, STR("*/")) || str_find(line, STR("/*")) < line.len) continue;
        /* A comment of several lines, blank ones among them: to where it opens. */
        int open = at;
        while (open > lowest &&
               str_find(wiki_line(lines, open), STR("/*")) == wiki_line(lines, open).len) {
            open--;
        }
        if (str_find(wiki_line(lines, open), STR("/*")) < wiki_line(lines, open).len) at = open;
    }
    return at;
}

struct layout {
    struct arena *arena;
    const struct wiki_lines *lines;
    const struct unit *units;
    size_t count, next; /* units in order; the next one to be placed */
    struct wiki_runs *runs;
};

/* Lines [first, last) of something called `label`, with the units in it. */
static void lay_out(struct layout *l, int first, int last, struct str label, int depth)
{
    int at = first;
    while (l->next < l->count && l->units[l->next].first < last) {
        const struct unit *unit = &l->units[l->next++];
        int end = MIN(unit->last, last);
        if (end <= at) continue; /* inside of what is placed already */
        int begin = reach_up(l->lines, at, MAX(unit->first, at));
        wiki_runs_add(l->arena, l->runs, (struct wiki_run){at, begin, label, true});
        at = end;
        if (run_bytes(l->lines, begin, end) > WIKI_PIECE_BYTES && depth < DEPTH_MAX) {
            lay_out(l, begin, end, unit->label, depth + 1);
            continue;
        }
        wiki_runs_add(l->arena, l->runs, (struct wiki_run){begin, end, unit->label, true});
        while (l->next < l->count && l->units[l->next].last <= end) l->next++;
    }
    wiki_runs_add(l->arena, l->runs, (struct wiki_run){at, last, label, true});
}

/* ---- sizes ---- */

struct packing {
    struct arena *arena;
    const struct wiki_lines *lines;
    struct wiki_piece *at;
    size_t count, cap;
};

static void put_piece(struct packing *p, size_t from, size_t to, int first, int last,
                      struct str label)
{
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 32;
        struct wiki_piece *more = ARENA_ARRAY(p->arena, struct wiki_piece, cap);
        if (p->count) memcpy(more, p->at, p->count * sizeof(*more));
        p->at = more;
        p->cap = cap;
    }
    ASSERT(to > from && to - from <= WIKI_PIECE_MAX);
    p->at[p->count++] =
        (struct wiki_piece){{p->lines->text.at + from, to - from}, first + 1, last, label};
}

/* One line that is longer than a piece may be: between characters, at a break if there is one. */
static void cut_line(struct packing *p, int line, struct str label)
{
    const char *text = p->lines->text.at;
    size_t from = p->lines->start[line], end = p->lines->start[line + 1];
    while (end - from > WIKI_PIECE_MAX) {
        size_t to = utf8_floor(text, from + WIKI_PIECE_BYTES);
        for (size_t i = to; i > from + WIKI_PIECE_BYTES / 2; i--) {
            if (!strchr(" ;,}\t", text[i - 1]) || text[i - 1] == '\0') continue;
            to = i;
            break;
        }
        put_piece(p, from, to, line, line + 1, label);
        from = to;
    }
    put_piece(p, from, end, line, line + 1, label);
}

static int indent_of(struct str line)
{
    int columns = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == '\t')
            columns += TAB_COLUMNS;
        else if (line.at[i] == ' ')
            columns++;
        else
            return line.at[i] == '\n' ? 0 : columns;
    }
    return 0;
}

/* How bad it is to cut before `line`: inner lines are worse than outer ones, a blank line before
 * helps, and a closing bracket belongs to what it closes. */
static int cut_cost(const struct wiki_lines *lines, int line)
{
    struct str here = wiki_line(lines, line);
    if (is_blank(here)) return 100;
    int cost = 2 * MIN(indent_of(here), 40);
    if (!is_blank(wiki_line(lines, line - 1))) cost += 12;
    if (strchr("})]", str_trim(here).at[0])) cost += 30;
    return cost;
}

/* The line before which to cut [first, last), which is too long; behind it at most a full piece. */
static int best_cut(const struct wiki_lines *lines, int first, int last)
{
    int best = 0, best_cost = 0;
    for (int line = first + 1; line < last; line++) {
        size_t bytes = run_bytes(lines, first, line);
        if (bytes > WIKI_PIECE_MAX) break;
        if (best && bytes > WIKI_PIECE_BYTES + WIKI_PIECE_BYTES / 4) break;
        int cost = cut_cost(lines, line);
        if (bytes < WIKI_PIECE_BYTES / 2) cost += 200; /* only when nothing else is left */
        if (best && cost > best_cost) continue;
        best = line;
        best_cost = cost;
    }
    return best ? best : first + 1;
}

/* A run of any size. */
static void put_run(struct packing *p, int first, int last, struct str label)
{
    while (first < last) {
        if (run_bytes(p->lines, first, first + 1) > WIKI_PIECE_MAX) {
            cut_line(p, first++, label);
            continue;
        }
        int end = last;
        if (run_bytes(p->lines, first, last) > WIKI_PIECE_BYTES + WIKI_PIECE_BYTES / 2) {
            end = best_cut(p->lines, first, last);
        }
        put_piece(p, p->lines->start[first], p->lines->start[end], first, end, label);
        first = end;
    }
}

/* "a, b": what is in a piece, as far as there is room; a name once. */
static struct str join_labels(struct arena *arena, struct str a, struct str b)
{
    if (a.len == 0 || b.len == 0) return a.len ? a : b;
    size_t found = str_find(a, b);
    if (found < a.len && (found + b.len == a.len || a.at[found + b.len] == ',')) return a;
    if (a.len + b.len + 2 > WIKI_LABEL_BYTES) return a;
    return arena_printf(arena, "%.*s, %.*s", STR_ARGS(a), STR_ARGS(b));
}

static void pack(struct packing *p, const struct wiki_runs *runs)
{
    for (size_t i = 0; i < runs->count;) {
        int first = runs->at[i].first, last = runs->at[i].last;
        struct str label = runs->at[i].label;
        size_t next = i + 1;
        for (; next < runs->count && runs->at[next].joins; next++) {
            if (run_bytes(p->lines, first, runs->at[next].last) > WIKI_PIECE_BYTES) break;
            last = runs->at[next].last;
            label = join_labels(p->arena, label, runs->at[next].label);
        }
        label = str_head(label, WIKI_LABEL_BYTES);
        if (label.len == WIKI_LABEL_BYTES) label.len = utf8_floor(label.at, label.len);
        put_run(p, first, last, label);
        i = next;
    }
}

void wiki_split(struct arena *arena, struct str path, struct str text,
                const struct wiki_mark *marks, size_t mark_count, struct wiki_piece **pieces_out,
                size_t *count_out)
{
    *pieces_out = NULL;
    *count_out = 0;
    if (text.len == 0) return;
    struct wiki_lines lines = find_lines(arena, text);
    struct wiki_runs runs = {0};
    if (wiki_is_prose(path)) {
        wiki_split_prose(arena, path, &lines, &runs);
    } else {
        struct unit *units;
        size_t count = find_units(arena, &lines, marks, mark_count, &units);
        struct layout layout = {arena, &lines, units, count, 0, &runs};
        lay_out(&layout, 0, lines.count, (struct str){0}, 0);
    }
    struct packing packing = {arena, &lines, NULL, 0, 0};
    pack(&packing, &runs);
    *pieces_out = packing.at;
    *count_out = packing.count;
}
