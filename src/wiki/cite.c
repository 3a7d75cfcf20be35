/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/cite.h"

enum { HELD_BYTES = 600 }; /* a bracket longer than this is no citation */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

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

/* Behind the last ':', or, as in addresses, behind "#" before "L12". 0: there is none. */
static size_t find_lines(struct str text)
{
    size_t at = text.len;
    while (at > 0 && text.at[at - 1] != ':' && text.at[at - 1] != '#') at--;
    bool address = at > 0 && text.at[at - 1] == '#';
    return address && !str_starts(str_from(text, at), STR("L")) ? 0 : at;
}

/* "path:12", "path:12-30", "path#L12-L30": false when it is no such thing. */
static bool read_place(struct str text, struct wiki_source *place_out)
{
    text = str_trim(text);
    size_t colon = find_lines(text);
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

/* How many lines of the place are the source's. */
static int common_lines(const struct wiki_source *source, const struct wiki_source *place)
{
    if (!str_eq(source->path, place->path)) return 0;
    int first = MAX(source->first, place->first), last = MIN(source->last, place->last);
    return last < first ? 0 : last - first + 1;
}

/* The one that has most of it. */
static struct wiki_source *find_source(struct wiki_cite *cite, const struct wiki_source *place)
{
    struct wiki_source *best = NULL;
    int most = 0;
    for (size_t i = 0; i < cite->source_count; i++) {
        int common = common_lines(&cite->sources[i], place);
        if (common > most) best = &cite->sources[i];
        most = MAX(most, common);
    }
    return best;
}

static bool is_given(const struct wiki_cite *cite, struct str path)
{
    for (size_t i = 0; i < cite->source_count; i++)
        if (str_eq(cite->sources[i].path, path)) return true;
    return false;
}

/* A time, a port, an index are none. */
static bool is_path(const struct wiki_cite *cite, struct str path)
{
    if (is_given(cite, path)) return true;
    bool slash = str_find_byte(path, '/') < path.len, dot = false, blank = false;
    for (size_t i = 0; i < path.len; i++) {
        dot |= path.at[i] == '.' && i + 1 < path.len && !is_digit(path.at[i + 1]);
        blank |= path.at[i] == ' ';
    }
    return dot && !blank && (slash || !cite->glued);
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

static bool is_citation(const struct wiki_cite *cite, struct str inside)
{
    struct str place;
    struct wiki_source found;
    bool any = false;
    while (next_place(&inside, &place)) {
        if (!read_place(place, &found) || !is_path(cite, found.path)) return false;
        any = true;
    }
    return any;
}

/* As the model wrote it, or no more of it than was given, in our own form. */
static void put_place(const struct wiki_source *source, const struct wiki_source *place,
                      struct str text, struct buf *to)
{
    int first = MAX(source->first, place->first), last = MIN(source->last, place->last);
    bool whole = first == place->first && last == place->last;
    if (whole && str_find_byte(text, '#') == text.len) {
        buf_add_str(to, str_trim(text));
    } else {
        buf_printf(to, "%.*s:%d-%d", STR_ARGS(place->path), first, last);
    }
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
        put_place(source, &place, text, to);
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

/* The fence characters at the head of a line are over with `byte`. */
static void end_run(struct wiki_cite *cite, char byte)
{
    bool alone = byte == '\n' || byte == ' ' || byte == '\r';
    if (cite->fence && cite->run_of == cite->fence && cite->run >= cite->fence_len && alone) {
        cite->fence = 0;
    } else if (!cite->fence && cite->run >= 3) {
        cite->fence = cite->run_of;
        cite->fence_len = cite->run;
        if (cite->start == CITE_NOTHING_YET) cite->start = CITE_FIRST_FENCE;
    }
    cite->run = 0;
    if (byte != '\n' && cite->start == CITE_NOTHING_YET) cite->start = CITE_BEGUN;
}

/* Models put a fence around all that they say: the page is within it. */
static void look_at_first_fence(struct wiki_cite *cite, char byte)
{
    if (cite->start != CITE_FIRST_FENCE) return;
    if (byte != '\n') {
        if (cite->info_len < sizeof(cite->info)) cite->info[cite->info_len++] = byte;
        return;
    }
    struct str info = str_trim((struct str){cite->info, cite->info_len});
    bool page = info.len == 0 || str_eq(info, STR("markdown")) || str_eq(info, STR("md"));
    if (page && cite->run_of == '`') cite->fence = 0;
    cite->start = CITE_BEGUN;
}

/* Keeps track of fences (CommonMark 0.31, 4.5). Gives whether the byte is inside of one. */
static bool is_fenced(struct wiki_cite *cite, char byte)
{
    bool was = cite->fence != 0;
    bool fence_char = byte == '`' || byte == '~';
    if (!cite->inside_line && fence_char && (cite->run == 0 || byte == cite->run_of)) {
        cite->run_of = byte;
        cite->run++;
    } else if (!cite->inside_line && (cite->run > 0 || byte != ' ')) {
        cite->inside_line = true;
        end_run(cite, byte);
    }
    look_at_first_fence(cite, byte);
    if (byte == '\n') cite->inside_line = false;
    return was || cite->fence != 0;
}

/* An index, a picture or a call follows what stands before it. */
static bool is_glued(char before)
{
    return is_letter(before) || is_digit(before) ||
           (before != '\0' && strchr("_)]!\"'", before) != NULL);
}

/* One byte of the answer. */
static void take(struct wiki_cite *cite, char byte, struct buf *to)
{
    struct buf *held = &cite->held;
    if (is_fenced(cite, byte)) {
        let_go(cite, to);
        buf_add_byte(to, byte);
        cite->dropped_last = false;
        cite->before = byte;
        return;
    }
    if (byte == '[') cite->glued = is_glued(cite->before);
    cite->before = byte;
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
    if (is_citation(cite, inside)) {
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
