/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/loose.c: a small automaton: what may come next, and a stack of brackets.
 *
 * Commas and names are written late, when the value behind them begins, and
 * `keep` is how much of the output is complete: where the text ends, all behind
 * it goes and the brackets are closed.
 */
#include "llm/loose.h"

#include "base/limits.h"

enum expect {
    VALUE_OR_CLOSE, /* behind `[` */
    VALUE,          /* behind a comma in an array */
    NAME_OR_CLOSE,  /* behind `{` */
    NAME,           /* behind a comma in an object */
    COLON,
    MEMBER_VALUE,  /* behind a colon */
    COMMA_OR_CLOSE /* behind a value */
};

enum step { ON, END_CUT, END_BROKEN };

struct reader {
    struct str text;
    size_t at;
    struct buf *out; /* NULL: only looks */
    size_t keep;     /* of out */
    enum expect expect;
    bool comma_due;     /* a value stands before the next one on this level */
    bool after_bracket; /* the last value ended with a bracket */
    bool new_line;      /* a line end since the last value */
    bool mended, credible, too_deep;
    int depth;
    char stack[LIMIT_JSON_DEPTH];
};

static void put(struct reader *r, const char *bytes, size_t len)
{
    if (r->out) buf_add(r->out, bytes, len);
}

static void put_str(struct reader *r, struct str s)
{
    put(r, s.at, s.len);
}

/* Puts what was not there like this. */
static void put_mended(struct reader *r, struct str s)
{
    r->mended = true;
    put_str(r, s);
}

static struct str rest(const struct reader *r)
{
    return str_from(r->text, r->at);
}

static bool at_end(const struct reader *r)
{
    return r->at >= r->text.len;
}

static bool in_object(const struct reader *r)
{
    return r->stack[r->depth - 1] == '{';
}

/* ---- blanks and comments ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum step skip_comment(struct reader *r)
{
    struct str s = rest(r);
    if (s.len == 1) return END_CUT;
    if (s.at[1] != '/' && s.at[1] != '*') return END_BROKEN;
    bool line = s.at[1] == '/';
    struct str body = str_from(s, 2);
    size_t len = line ? str_find_byte(body, '\n') : str_find(body, STR("*/"));
    if (len == body.len) return END_CUT;
    r->at += 2 + len + (line ? 0 : 2);
    r->mended = true;
    return ON;
}

static enum step skip_blanks(struct reader *r)
{
    for (; !at_end(r); r->at++) {
        char c = r->text.at[r->at];
        if (c == '\n') r->new_line = true;
        if (is_blank(c)) continue;
        if (c != '/') return ON;
        enum step step = skip_comment(r);
        if (step != ON) return step;
        r->at--; /* the loop steps on */
    }
    return END_CUT;
}

/* ---- strings ---- */

/* Bytes of the typographic quote (“ ” „ ‟) that `s` begins with, or 0. */
static size_t curly_len(struct str s)
{
    bool curly = s.len >= 3 && s.at[0] == '\xE2' && s.at[1] == '\x80' && s.at[2] >= '\x9C' &&
                 s.at[2] <= '\x9F';
    return curly ? 3 : 0;
}

/* Does a string that a typographic quote opened end with the quote of `len` bytes at the reader?
 * Such quotes stand inside of texts as well, so what follows decides. */
static bool curly_closes(const struct reader *r, size_t len)
{
    size_t at = r->at + len;
    while (at < r->text.len && is_blank(r->text.at[at])) at++;
    if (at == r->text.len) return true;
    char c = r->text.at[at];
    return c == ':' || c == ',' || c == '}' || c == ']';
}

/* Bytes of the closing quote at the reader, or 0. */
static size_t closing_len(const struct reader *r, bool curly)
{
    struct str s = rest(r);
    if (!curly) return s.at[0] == '"';
    size_t len = s.at[0] == '"' ? 1 : curly_len(s);
    return len && curly_closes(r, len) ? len : 0;
}

static void read_control(struct reader *r, char c)
{
    char escape[8];
    snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)c);
    struct str text = c == '\n' ? STR("\\n") : c == '\t' ? STR("\\t") : str_of(escape);
    put_mended(r, c ? text : STR("\\ufffd"));
    r->at++;
}

/* The UTF-16 unit of the escape `\uXXXX` that `s` begins with; -1: there is none. */
static int32_t unit_at(struct str s)
{
    unsigned char unit[2];
    if (s.len < 6 || s.at[0] != '\\' || s.at[1] != 'u') return -1;
    if (!hex_read(str_head(str_from(s, 2), 4), unit, sizeof(unit))) return -1;
    return unit[0] << 8 | unit[1];
}

/* Could `s`, shorter than an escape, become one? */
static bool begins_unit(struct str s)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    if (s.len >= 6 || (s.len > 0 && s.at[0] != '\\') || (s.len > 1 && s.at[1] != 'u')) return false;
    for (size_t i = 2; i < s.len; i++) {
        if (strchr(digits, s.at[i]) == NULL || s.at[i] == '\0') return false;
    }
    return true;
}

static enum step read_unit(struct reader *r)
{
    struct str s = rest(r);
    int32_t unit = unit_at(s);
    if (unit < 0 && begins_unit(s)) return END_CUT;
    if (unit < 0) { /* "C:\users" */
        put_mended(r, STR("\\\\u"));
        r->at += 2;
        return ON;
    }
    bool high = unit >= 0xD800 && unit < 0xDC00, low = unit >= 0xDC00 && unit < 0xE000;
    struct str next = str_from(s, 6);
    if (high && begins_unit(next)) return END_CUT;
    int32_t second = unit_at(next);
    size_t len = high && second >= 0xDC00 && second < 0xE000 ? 12 : 6;
    if (unit == 0 || low || (high && len == 6)) {
        put_mended(r, STR("\\ufffd"));
    } else {
        put(r, s.at, len);
    }
    r->at += len;
    return ON;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum step read_escape(struct reader *r)
{
    struct str s = rest(r);
    if (s.len < 2) return END_CUT;
    char c = s.at[1];
    if (c == 'u') return read_unit(r);
    if (c != '\0' && strchr("\"\\/bfnrt", c)) {
        put(r, s.at, 2);
        r->at += 2;
    } else if (c > ' ' && c != '\x7F' && !is_letter(c) && !is_digit(c)) {
        put_mended(r, (struct str){s.at + 1, 1}); /* \' and \_ */
        r->at += 2;
    } else {
        put_mended(r, STR("\\\\"));
        r->at += 1;
    }
    return ON;
}

/* From behind the opening quote to behind the closing one. */
static enum step read_inside(struct reader *r, bool curly)
{
    while (!at_end(r)) {
        size_t from = r->at, closing = 0;
        while (!at_end(r)) {
            char c = r->text.at[r->at];
            if ((unsigned char)c < 0x20 || c == '\\' || c == '"') break;
            if (curly && curly_len(rest(r))) break;
            r->at++;
        }
        put(r, r->text.at + from, r->at - from);
        if (at_end(r)) break;
        char c = r->text.at[r->at];
        closing = closing_len(r, curly);
        if (closing > 0) {
            r->at += closing;
            return ON;
        }
        if (c == '\\') {
            enum step step = read_escape(r);
            if (step != ON) return step;
        } else if (c == '"') { /* inside typographic ones */
            put_mended(r, STR("\\\""));
            r->at++;
        } else if ((unsigned char)c < 0x20) {
            read_control(r, c);
        } else {
            put(r, r->text.at + r->at, 3);
            r->at += 3;
        }
    }
    return END_CUT;
}

/* At a quote. A value that is cut keeps what there is of it. */
static enum step read_string(struct reader *r, bool is_value)
{
    size_t curly = curly_len(rest(r));
    if (curly) r->mended = true;
    r->at += curly ? curly : 1;
    put_str(r, STR("\""));
    enum step step = read_inside(r, curly > 0);
    if (step == END_BROKEN || (step == END_CUT && !is_value)) return step;
    put_str(r, STR("\""));
    if (r->out) r->keep = is_value ? r->out->len : r->keep;
    return step;
}

/* ---- numbers and words ---- */

static size_t digits_len(struct str s)
{
    size_t len = 0;
    while (len < s.len && is_digit(s.at[len])) len++;
    return len;
}

/* Length of the number (RFC 8259, 6) that `s` begins with, or 0. */
static size_t number_len(struct str s)
{
    size_t at = s.at[0] == '-', count = digits_len(str_from(s, at));
    if (count == 0 || (count > 1 && s.at[at] == '0')) return 0;
    at += count;
    if (at < s.len && s.at[at] == '.') {
        count = digits_len(str_from(s, at + 1));
        if (count == 0) return 0;
        at += 1 + count;
    }
    if (at < s.len && (s.at[at] == 'e' || s.at[at] == 'E')) {
        size_t sign = at + 1 < s.len && (s.at[at + 1] == '+' || s.at[at + 1] == '-');
        count = digits_len(str_from(s, at + 1 + sign));
        if (count == 0) return 0;
        at += 1 + sign + count;
    }
    return at;
}

static bool is_number_byte(char c)
{
    return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static enum step read_number(struct reader *r)
{
    struct str s = rest(r);
    size_t run = 0;
    while (run < s.len && is_number_byte(s.at[run])) run++;
    if (run == s.len) return END_CUT; /* 12 may have been going to be 1234 */
    if (number_len(s) != run) return END_BROKEN;
    put(r, s.at, run);
    r->at += run;
    return ON;
}

static bool is_name_byte(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '$' || c == '-' ||
           (unsigned char)c >= 0x80;
}

/* Length of the word, or unquoted name, that `s` begins with. */
static size_t word_len(struct str s)
{
    size_t len = 0;
    while (len < s.len && is_name_byte(s.at[len]) && !curly_len(str_from(s, len))) len++;
    return len;
}

static enum step read_word(struct reader *r)
{
    static const char *const words[][2] = {{"true", "true"}, {"false", "false"}, {"null", "null"},
                                           {"True", "true"}, {"False", "false"}, {"None", "null"},
                                           {"NaN", "null"}};
    struct str s = rest(r), word = str_head(s, word_len(s));
    if (word.len == s.len) return END_CUT;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!str_eq(word, str_of(words[i][0]))) continue;
        put_str(r, str_of(words[i][1]));
        r->mended = r->mended || i > 2;
        r->at += word.len;
        return ON;
    }
    return END_BROKEN;
}

/* ---- structure ---- */

static bool is_quote(struct str s)
{
    return s.at[0] == '"' || curly_len(s);
}

static void put_due_comma(struct reader *r)
{
    if (r->comma_due) put_str(r, STR(","));
    r->comma_due = false;
}

static enum step open_bracket(struct reader *r)
{
    char bracket = r->text.at[r->at];
    if (r->depth == LIMIT_JSON_DEPTH) {
        r->too_deep = true;
        return END_BROKEN;
    }
    r->stack[r->depth++] = bracket;
    put(r, &bracket, 1);
    r->at++;
    r->expect = bracket == '{' ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
    r->comma_due = false;
    if (r->out) r->keep = r->out->len;
    return ON;
}

static void value_ends(struct reader *r, bool bracket)
{
    r->expect = COMMA_OR_CLOSE;
    r->comma_due = true;
    r->after_bracket = bracket;
    r->new_line = false;
    r->credible = true;
    if (r->out) r->keep = r->out->len;
}

static enum step close_bracket(struct reader *r)
{
    char opened = r->stack[r->depth - 1], closes = r->text.at[r->at];
    if (closes != (opened == '{' ? '}' : ']')) return END_BROKEN;
    if (r->expect == VALUE || r->expect == NAME) r->mended = true; /* a comma too many */
    put(r, &closes, 1);
    r->at++;
    r->depth--;
    value_ends(r, true);
    return ON;
}

static enum step read_value(struct reader *r)
{
    struct str s = rest(r);
    bool string = is_quote(s);
    enum step step;
    if (s.at[0] == '{' || s.at[0] == '[') {
        put_due_comma(r);
        return open_bracket(r);
    }
    if (!string && !is_digit(s.at[0]) && s.at[0] != '-' && word_len(s) == 0) {
        r->credible = r->credible || s.at[0] == '\''; /* Python's way of writing it */
        return END_BROKEN;
    }
    put_due_comma(r);
    if (string) {
        step = read_string(r, true);
        r->credible = true;
    } else {
        step = is_digit(s.at[0]) || s.at[0] == '-' ? read_number(r) : read_word(r);
    }
    if (step == ON) value_ends(r, false);
    return step;
}

static enum step read_name(struct reader *r)
{
    struct str s = rest(r);
    enum step step = ON;
    r->credible = r->credible || s.at[0] == '"' || s.at[0] == '\'';
    put_due_comma(r);
    if (is_quote(s)) {
        step = read_string(r, false);
    } else {
        size_t len = is_digit(s.at[0]) || s.at[0] == '-' ? 0 : word_len(s);
        if (len == 0) return END_BROKEN;
        if (len == s.len) return END_CUT;
        put_mended(r, STR("\""));
        put(r, s.at, len);
        put_str(r, STR("\""));
        r->at += len;
    }
    r->expect = COLON;
    return step;
}

/* May what comes next stand behind the last value although no comma does? */
static bool comma_is_missing(const struct reader *r, struct str s)
{
    bool opens = s.at[0] == '{' || s.at[0] == '[', quote = is_quote(s);
    if (in_object(r) && opens) return false; /* a value without a name */
    return (r->after_bracket && (opens || quote)) || (r->new_line && quote);
}

static enum step read_separator(struct reader *r)
{
    struct str s = rest(r);
    bool comma = s.at[0] == ',';
    if (!comma && !comma_is_missing(r, s)) return END_BROKEN;
    if (!comma) r->mended = true;
    r->at += comma;
    r->expect = in_object(r) ? NAME : VALUE;
    return ON;
}

static enum step read_next(struct reader *r)
{
    enum step step = skip_blanks(r);
    if (step != ON) return step;
    char c = r->text.at[r->at];
    bool closes = c == '}' || c == ']';
    switch (r->expect) {
    case VALUE_OR_CLOSE:
    case VALUE: return closes ? close_bracket(r) : read_value(r);
    case NAME_OR_CLOSE:
    case NAME: return closes ? close_bracket(r) : read_name(r);
    case COLON:
        if (c != ':') return END_BROKEN;
        put_str(r, STR(":"));
        r->credible = true;
        r->at++;
        r->expect = MEMBER_VALUE;
        return ON;
    case MEMBER_VALUE: return read_value(r);
    case COMMA_OR_CLOSE: return closes ? close_bracket(r) : read_separator(r);
    }
    return END_BROKEN;
}

/* Takes back what is incomplete and closes what is open. */
static void close_all(struct reader *r)
{
    if (r->out == NULL || r->out->failed) return;
    r->out->len = r->keep;
    while (r->depth > 0) {
        put_str(r, r->stack[--r->depth] == '{' ? STR("}") : STR("]"));
    }
}

struct loose loose_read(struct str text, struct buf *out)
{
    ASSERT(text.len > 0 && (text.at[0] == '{' || text.at[0] == '['));
    struct reader r = {.text = text, .out = out};
    enum step step = open_bracket(&r);
    while (step == ON && r.depth > 0) step = read_next(&r);
    if (step == END_CUT) close_all(&r);
    return (struct loose){
        .end = step == ON        ? LOOSE_WHOLE
               : step == END_CUT ? LOOSE_CUT
                                 : LOOSE_BROKEN,
        .len = step == END_CUT ? text.len : r.at,
        .mended = r.mended,
        .credible = r.credible,
        .too_deep = r.too_deep,
    };
}
