/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/glob.c: one line of gitignore(5), compiled and matched.
 *
 * A pattern becomes segments, one for each part between slashes; a segment is
 * a run of steps (this byte, any byte, a set of bytes, a star) or stands for any
 * number of folders ("**"). Both levels are matched by the same thought: on a
 * mismatch the last star takes one more. No recursion, no list of choices, so
 * "a*a*a*a*b" costs its length times the path's and no more.
 *
 * A slash inside of [] is one of the set and never matches, as in git.
 */
#include "wiki/glob.h"

#include <ctype.h>

#include "base/limits.h"

enum step_kind { STEP_BYTE, STEP_ANY, STEP_SET, STEP_STAR };

struct step {
    enum step_kind kind;
    unsigned char byte;
    const struct byte_set *set;
};

struct byte_set {
    uint64_t bits[4];
};

struct glob_segment {
    const struct step *steps;
    size_t count;
    bool literal;     /* nothing but bytes: `text` says it */
    bool any_folders; /* "**" between slashes; `text` is what stands before it */
    bool not_none;    /* of these at least one, which is how git reads an escaped slash behind it */
    struct str text;
};

/* --- compiling --- */

struct compiler {
    struct arena *arena;
    struct str text;
    size_t at;
    struct step *steps; /* of all segments, one behind the other */
    size_t count;
    bool wild;         /* something that is no plain byte was seen */
    bool slash;        /* ended the segment: there is another, be it empty */
    const char *wrong; /* why it can never match */
};

static bool at_end(const struct compiler *c)
{
    return c->at >= c->text.len;
}

static unsigned char next_byte(struct compiler *c)
{
    return (unsigned char)c->text.at[c->at++];
}

static void set_add(struct byte_set *set, unsigned first, unsigned last)
{
    for (unsigned byte = first; byte <= last; byte++)
        set->bits[byte / 64] |= UINT64_C(1) << byte % 64;
}

static bool set_has(const struct byte_set *set, unsigned char byte)
{
    return set->bits[byte / 64] >> byte % 64 & 1;
}

typedef int class_of(int byte);

static const struct {
    const char *name;
    class_of *has;
} classes[] = {
    {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
    {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
    {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
};

static bool set_add_class(struct byte_set *set, struct str name)
{
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if (!str_eq(name, str_of(classes[i].name))) continue;
        /* ASCII alone: git's tables know no more, and the locale must not matter */
        for (int byte = 0; byte < 128; byte++) {
            if (classes[i].has(byte)) set_add(set, (unsigned)byte, (unsigned)byte);
        }
        return true;
    }
    return false;
}

/* "[:alpha:]" at the '['. What only looks like the beginning of one is a '[' of the set. */
static bool compile_class(struct compiler *c, struct byte_set *set, unsigned *before)
{
    struct str rest = str_from(c->text, c->at + 1); /* behind "[:" */
    size_t close = str_find_byte(rest, ']');
    if (close == rest.len) {
        c->wrong = "a [ that is never closed";
        return false;
    }
    if (close == 0 || rest.at[close - 1] != ':') {
        set_add(set, '[', '[');
        *before = '[';
        return true;
    }
    if (!set_add_class(set, str_head(rest, close - 1))) {
        c->wrong = "a class of characters that nobody knows";
        return false;
    }
    c->at += 1 + close + 1;
    *before = 0;
    return true;
}

/* One member of a set. `before`: the byte a '-' would count from, 0: none. */
static bool compile_member(struct compiler *c, struct byte_set *set, unsigned *before)
{
    unsigned byte = next_byte(c);
    bool range = byte == '-' && *before && !at_end(c) && c->text.at[c->at] != ']';
    if (byte == '[' && !at_end(c) && c->text.at[c->at] == ':') return compile_class(c, set, before);
    if (range) byte = next_byte(c);
    if (byte == '\\') {
        if (at_end(c)) return false;
        byte = next_byte(c);
    }
    set_add(set, range ? *before : byte, byte);
    *before = range ? 0 : byte;
    return true;
}

/* Behind the '['. */
static bool compile_set(struct compiler *c, struct step *step)
{
    struct byte_set *set = ARENA_NEW(c->arena, struct byte_set);
    bool negated = !at_end(c) && (c->text.at[c->at] == '!' || c->text.at[c->at] == '^');
    if (negated) c->at++;
    unsigned before = 0;
    bool first = true;
    for (;; first = false) {
        if (at_end(c)) break;
        if (!first && c->text.at[c->at] == ']') {
            c->at++;
            for (size_t i = 0; i < 4 && negated; i++) set->bits[i] = ~set->bits[i];
            *step = (struct step){STEP_SET, 0, set};
            return true;
        }
        if (!compile_member(c, set, &before)) break;
    }
    if (!c->wrong) c->wrong = "a [ that is never closed";
    return false;
}

/*
 * Does this run of stars stand for any number of folders? It does between slashes. And, which no
 * manual says, behind the bytes that a pattern begins with: git takes these away before it looks
 * at the rest, so "ab**" + "/c" means "ab/x/y/c" as well.
 */
static bool compile_stars(struct compiler *c, const struct glob_segment *segment)
{
    size_t stars = 1;
    for (; !at_end(c) && c->text.at[c->at] == '*'; c->at++) stars++;
    struct str rest = str_from(c->text, c->at);
    return stars > 1 && (segment->count == 0 || !c->wild) &&
           (rest.len == 0 || rest.at[0] == '/' || str_starts(rest, STR("\\/")));
}

static struct str literal_bytes(struct arena *arena, const struct glob_segment *segment)
{
    char *text = arena_alloc(arena, segment->count + 1);
    for (size_t i = 0; i < segment->count; i++) text[i] = (char)segment->steps[i].byte;
    return (struct str){text, segment->count};
}

/* Up to the next slash, which is taken. False: the pattern can never match. */
static bool compile_segment(struct compiler *c, struct glob_segment *segment, bool whole_path)
{
    struct step *first = &c->steps[c->count];
    *segment = (struct glob_segment){.steps = first, .literal = true};
    c->slash = false;
    while (!at_end(c)) {
        struct step step = {STEP_BYTE, next_byte(c), NULL};
        bool escaped = step.byte == '\\';
        if (escaped && at_end(c)) {
            c->wrong = "a \\ at the end";
            return false;
        }
        if (escaped) step.byte = next_byte(c);
        c->slash = step.byte == '/';
        segment->not_none = c->slash && escaped;
        if (c->slash) break;
        if (escaped) {
            step.kind = STEP_BYTE;
        } else if (step.byte == '?') {
            step.kind = STEP_ANY;
        } else if (step.byte == '[') {
            if (!compile_set(c, &step)) return false;
        } else if (step.byte == '*') {
            step.kind = STEP_STAR;
            segment->any_folders = compile_stars(c, segment) && whole_path;
            if (segment->any_folders) segment->text = literal_bytes(c->arena, segment);
        }
        if (escaped || step.kind != STEP_BYTE) c->wild = true;
        if (step.kind != STEP_BYTE) segment->literal = false;
        c->steps[c->count++] = step;
        segment->count++;
    }
    if (segment->literal) segment->text = literal_bytes(c->arena, segment);
    return true;
}

/* Blanks at the end do not count, unless a backslash stands before them. */
static struct str without_blanks(struct str line)
{
    size_t end = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == '\\' && i + 1 < line.len) {
            end = ++i + 1;
        } else if (line.at[i] != ' ') {
            end = i + 1;
        }
    }
    return str_head(line, end);
}

const char *wiki_glob_compile(struct arena *arena, struct str line, struct wiki_glob *glob_out,
                              bool *empty_out)
{
    line = without_blanks(line);
    *empty_out = line.len == 0;
    if (line.len == 0) return NULL;
    if (line.len > LIMIT_WIKI_PATTERN_BYTES) return "too long";

    struct wiki_glob p = {0};
    p.negated = line.at[0] == '!';
    if (p.negated) line = str_from(line, 1);
    p.folder_only = str_ends(line, STR("/"));
    if (p.folder_only) line.len--;
    p.whole_path = str_find_byte(line, '/') < line.len;
    p.line = line;
    if (p.whole_path && line.at[0] == '/') line = str_from(line, 1);
    if (line.len == 0) return "nothing";

    size_t slashes = 0;
    for (size_t i = 0; i < line.len; i++) slashes += line.at[i] == '/';
    struct compiler c = {.arena = arena, .text = line};
    c.steps = ARENA_ARRAY(arena, struct step, line.len);
    p.segments = ARENA_ARRAY(arena, struct glob_segment, slashes + 1);
    do {
        if (!compile_segment(&c, &p.segments[p.count++], p.whole_path)) return c.wrong;
    } while (c.slash);
    *glob_out = p;
    return NULL;
}

/* --- matching --- */

static bool step_matches(const struct step *step, unsigned char byte)
{
    switch (step->kind) {
    case STEP_BYTE: return step->byte == byte;
    case STEP_ANY: return true;
    case STEP_SET: return set_has(step->set, byte);
    case STEP_STAR: break;
    }
    return false;
}

static bool segment_matches(const struct glob_segment *segment, struct str part)
{
    if (segment->literal) return str_eq(segment->text, part);
    /* Where the last star stood, and how far the part had been read there. */
    size_t s = 0, at = 0, star = segment->count, star_at = 0;
    while (at < part.len) {
        if (s < segment->count && segment->steps[s].kind == STEP_STAR) {
            star = s++;
            star_at = at;
        } else if (s < segment->count &&
                   step_matches(&segment->steps[s], (unsigned char)part.at[at])) {
            s++;
            at++;
        } else if (star < segment->count) {
            s = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (s < segment->count && segment->steps[s].kind == STEP_STAR) s++;
    return s == segment->count;
}

static struct str part_at(struct str path, size_t at)
{
    struct str rest = str_from(path, at);
    return str_head(rest, str_find_byte(rest, '/'));
}

/* `at` is where a part of the path begins; past the end there is none left. */
static bool path_matches(const struct wiki_glob *glob, struct str path)
{
    size_t s = 0, at = 0, star = glob->count, star_at = 0;
    while (at <= path.len) {
        struct str part = part_at(path, at);
        const struct glob_segment *segment = &glob->segments[MIN(s, glob->count - 1)];
        if (s < glob->count && segment->any_folders && str_starts(part, segment->text)) {
            at += segment->not_none ? part.len + 1 : segment->text.len;
            star = s++;
            star_at = at;
            if (s == glob->count) return true; /* at the end: everything inside */
        } else if (s < glob->count && !segment->any_folders && segment_matches(segment, part)) {
            s++;
            at += part.len + 1;
        } else if (star < glob->count) {
            star_at += part_at(path, star_at).len + 1;
            s = star + 1;
            at = star_at;
        } else {
            return false;
        }
    }
    return s == glob->count;
}

struct str wiki_path_name(struct str path)
{
    size_t at = path.len;
    while (at > 0 && path.at[at - 1] != '/') at--;
    return str_from(path, at);
}

bool wiki_glob_matches(const struct wiki_glob *glob, struct str path)
{
    if (!glob->whole_path) return segment_matches(&glob->segments[0], wiki_path_name(path));
    return path_matches(glob, path);
}
