/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/json.c: cJSON behind our words for reading, our own writer.
 *
 * cJSON is lenient and keeps C strings, so what it would let through or cut
 * off is looked for before it sees the text (check_text). `struct json` is
 * never defined: a pointer to it is a pointer to a cJSON node.
 */
#include "base/json.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"

static const cJSON *node(const struct json *value)
{
    return (const cJSON *)(const void *)value;
}

static const struct json *value_of(const cJSON *item)
{
    return (const struct json *)(const void *)item;
}

static size_t digits(struct str s, size_t from)
{
    size_t at = from;
    while (at < s.len && s.at[at] >= '0' && s.at[at] <= '9') at++;
    return at - from;
}

/* Bytes of the number that `s` begins with, as RFC 8259, 6 writes it, in a double's range; 0: none.
 * cJSON would hand "01", "1." or "1e400" to strtod and be content. */
static size_t number_len(struct str s)
{
    size_t at = s.at[0] == '-', count = digits(s, at);
    if (count == 0 || (count > 1 && s.at[at] == '0')) return 0;
    at += count;
    if (at < s.len && s.at[at] == '.') {
        count = digits(s, at + 1);
        if (count == 0) return 0;
        at += 1 + count;
    }
    char text[64]; /* as long as cJSON reads */
    if (at < s.len && (s.at[at] == 'e' || s.at[at] == 'E')) {
        at++;
        if (at < s.len && (s.at[at] == '+' || s.at[at] == '-')) at++;
        count = digits(s, at);
        at += count;
        if (count == 0 || at >= sizeof(text)) return 0;
        str_copy(text, sizeof(text), str_head(s, at));
        if (!isfinite(strtod(text, NULL))) return 0;
    }
    return at < sizeof(text) ? at : 0;
}

/* cJSON takes digits that are none for a zero, and a zero for the end of the string. */
static enum err check_escape(struct str s, size_t at, struct why *why)
{
    unsigned char unit[2];
    if (s.len < 2 || s.at[1] != 'u') return OK;
    if (!hex_read(str_head(str_from(s, 2), 4), unit, sizeof(unit))) {
        return why_set(why, ERR_INVALID, "no four hex digits at byte %zu", at);
    }
    if (unit[0] == 0 && unit[1] == 0) {
        return why_set(why, ERR_INVALID, "an escaped NUL at byte %zu", at);
    }
    return OK;
}

/* Finds what cJSON would accept or silently cut: depth, "\u0000", control characters, numbers. */
static enum err check_text(struct str text, size_t *at, struct why *why)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        *at = i;
        if (c == 0) return why_set(why, ERR_INVALID, "a NUL byte at byte %zu", i);
        if (in_string) {
            if (c < 0x20) {
                return why_set(why, ERR_INVALID, "an unescaped control character at byte %zu", i);
            }
            if (c == '"') in_string = false;
            if (c != '\\') continue;
            enum err err = check_escape(str_from(text, i), i, why);
            if (err) return err;
            i++;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH) {
                return why_set(why, ERR_INVALID, "nested deeper than %d levels", LIMIT_JSON_DEPTH);
            }
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9')) {
            size_t len = number_len(str_from(text, i));
            if (len == 0) return why_set(why, ERR_INVALID, "no JSON number at byte %zu", i);
            i += len - 1;
        } else if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
            return why_set(why, ERR_INVALID, "a control character at byte %zu", i);
        }
    }
    return OK;
}

size_t json_count(struct str text)
{
    size_t count = 0;
    bool inside = false; /* of a string */
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];
        if (inside && byte == '\\')
            i++;
        else if (byte == '"')
            inside = !inside;
        else if (!inside)
            count += byte == ',' || byte == '[' || byte == '{';
    }
    return count;
}

enum err json_parse(struct str text, struct json **tree_out, size_t *error_at_out, struct why *why)
{
    size_t unused;
    size_t *at = error_at_out ? error_at_out : &unused;
    *at = 0;
    if (!utf8_valid(text)) return why_set(why, ERR_INVALID, "the JSON is not valid UTF-8");
    enum err err = check_text(text, at, why);
    if (err) return err;

    const char *end = text.at;
    cJSON *tree = text.len == 0 ? NULL : cJSON_ParseWithLengthOpts(text.at, text.len, &end, false);
    if (tree == NULL) {
        *at = text.len ? MIN((size_t)(end - text.at), text.len) : 0;
        return why_set(why, ERR_INVALID, "not JSON: stopped at byte %zu of %zu", *at, text.len);
    }
    struct str rest = str_trim(str_from(text, (size_t)(end - text.at)));
    if (rest.len > 0) {
        cJSON_Delete(tree);
        *at = (size_t)(rest.at - text.at);
        return why_set(why, ERR_INVALID, "more text after the JSON value, from byte %zu", *at);
    }
    *tree_out = (struct json *)(void *)tree;
    return OK;
}

void json_free(struct json *tree)
{
    cJSON_Delete((cJSON *)(void *)tree);
}

enum json_kind json_kind(const struct json *value)
{
    switch (node(value)->type & 0xFF) {
    case cJSON_False:
    case cJSON_True: return JSON_BOOL;
    case cJSON_Number: return JSON_NUMBER;
    case cJSON_String: return JSON_STRING;
    case cJSON_Array: return JSON_ARRAY;
    case cJSON_Object: return JSON_OBJECT;
    }
    return JSON_NULL;
}

const struct json *json_get(const struct json *object, const char *name)
{
    if (object == NULL || !cJSON_IsObject(node(object))) return NULL;
    /* Of two with the name the last, as nearly everybody reads it (RFC 8259, 4). */
    const cJSON *found = NULL, *at;
    cJSON_ArrayForEach(at, node(object))
    {
        if (strcmp(at->string, name) == 0) found = at;
    }
    return value_of(found);
}

const struct json *json_first(const struct json *value)
{
    if (value == NULL) return NULL;
    enum json_kind kind = json_kind(value);
    return kind == JSON_ARRAY || kind == JSON_OBJECT ? value_of(node(value)->child) : NULL;
}

const struct json *json_after(const struct json *value)
{
    return value_of(node(value)->next);
}

const char *json_name(const struct json *member)
{
    return node(member)->string;
}

bool json_as_str(const struct json *value, struct str *out)
{
    if (value == NULL || !cJSON_IsString(node(value))) return false;
    *out = str_of(node(value)->valuestring);
    return true;
}

bool json_as_bool(const struct json *value, bool *out)
{
    if (value == NULL || !cJSON_IsBool(node(value))) return false;
    *out = cJSON_IsTrue(node(value));
    return true;
}

bool json_as_double(const struct json *value, double *out)
{
    if (value == NULL || !cJSON_IsNumber(node(value))) return false;
    *out = node(value)->valuedouble;
    return true;
}

bool json_as_i64(const struct json *value, int64_t *out)
{
    double number;
    if (!json_as_double(value, &number)) return false;
    if (!(fabs(number) <= 9007199254740992.0) || floor(number) != number) return false;
    *out = (int64_t)number;
    return true;
}

bool json_as_u64(const struct json *value, uint64_t *out)
{
    int64_t number;
    if (!json_as_i64(value, &number) || number < 0) return false;
    *out = (uint64_t)number;
    return true;
}

struct json_out json_begin(struct buf *buf)
{
    return (struct json_out){.buf = buf};
}

/* The comma and the key that stand before a value, and room for `more` bytes behind them; NULL past
 * the ceiling. The caller writes there, then calls put_end(). */
static inline char *lead(struct json_out *out, const char *key, size_t key_len, size_t more)
{
    char *to = buf_space(out->buf, key_len + 4 + more);
    if (to == NULL) return NULL;
    if (out->comma) *to++ = ',';
    out->comma = true;
    if (key == NULL) return to;
    *to++ = '"';
    memcpy(to, key, key_len);
    to += key_len;
    *to++ = '"';
    *to++ = ':';
    return to;
}

static inline void put_end(struct json_out *out, const char *end)
{
    buf_grew(out->buf, (size_t)(end - (out->buf->at + out->buf->len)));
}

void json_put_raw_n(struct json_out *out, const char *key, size_t key_len, struct str json)
{
    char *to = lead(out, key, key_len, json.len);
    if (to == NULL) return;
    memcpy(to, json.at, json.len);
    put_end(out, to + json.len);
}

void json_open_n(struct json_out *out, const char *key, size_t key_len, char bracket)
{
    json_put_raw_n(out, key, key_len, (struct str){&bracket, 1});
    out->comma = false;
}

void json_close(struct json_out *out, char bracket)
{
    buf_add_byte(out->buf, bracket);
    out->comma = true;
}

static void add_escaped(struct buf *buf, unsigned char c)
{
    switch (c) {
    case '"': buf_add(buf, "\\\"", 2); return;
    case '\\': buf_add(buf, "\\\\", 2); return;
    case '\n': buf_add(buf, "\\n", 2); return;
    case '\r': buf_add(buf, "\\r", 2); return;
    case '\t': buf_add(buf, "\\t", 2); return;
    }
    buf_printf(buf, "\\u%04x", c);
}

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

/* Start of the next byte that needs an escape, eight at a time while there is none. */
static size_t plain_run(struct str s, size_t from)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    size_t i = from;
    for (uint64_t word; i + 8 <= s.len; i += 8) {
        memcpy(&word, s.at + i, 8);
        uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
        uint64_t low = (word - ones * 0x20) & ~word;
        if (((low | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & highs) != 0) break;
    }
    while (i < s.len && is_plain((unsigned char)s.at[i])) i++;
    return i;
}

void json_put_str_n(struct json_out *out, const char *key, size_t key_len, struct str value)
{
    char *to = lead(out, key, key_len, value.len + 2);
    if (to == NULL) return;
    *to++ = '"';
    size_t end = plain_run(value, 0);
    if (end > 0) memcpy(to, value.at, end);
    to += end;
    if (end == value.len) { /* nothing to escape, as in most of what people write */
        *to++ = '"';
        put_end(out, to);
        return;
    }
    put_end(out, to);
    while (end < value.len) {
        add_escaped(out->buf, (unsigned char)value.at[end]);
        size_t start = end + 1;
        end = plain_run(value, start);
        buf_add(out->buf, value.at + start, end - start);
    }
    buf_add_byte(out->buf, '"');
}

enum { DIGITS_MAX = 20 };

static char *write_digits(char *to, uint64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(to, digits + at, sizeof(digits) - at);
    return to + (sizeof(digits) - at);
}

void json_put_u64_n(struct json_out *out, const char *key, size_t key_len, uint64_t value)
{
    char *to = lead(out, key, key_len, DIGITS_MAX);
    if (to) put_end(out, write_digits(to, value));
}

void json_put_i64_n(struct json_out *out, const char *key, size_t key_len, int64_t value)
{
    char *to = lead(out, key, key_len, DIGITS_MAX + 1);
    if (to == NULL) return;
    if (value < 0) *to++ = '-';
    put_end(out, write_digits(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value));
}

void json_put_double_n(struct json_out *out, const char *key, size_t key_len, double value)
{
    char text[32] = "null";
    /* The shortest of these that reads back as the same number: 0.1, not 0.1000…01. */
    for (int digits = 15; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    json_put_raw_n(out, key, key_len, str_of(text));
}

void json_put_time_n(struct json_out *out, const char *key, size_t key_len, int64_t wall_us)
{
    char *to = lead(out, key, key_len, CLOCK_ISO_BYTES + 2);
    if (to == NULL) return;
    *to = '"';
    clock_iso_short(wall_us, to + 1);
    to[20] = '"';
    put_end(out, to + 21);
}

void json_put_tree(struct json_out *out, const char *key, const struct json *value)
{
    double number;
    int64_t whole;
    bool yes;
    struct str text;
    if (value == NULL || json_kind(value) == JSON_NULL) {
        json_put_null(out, key);
    } else if (json_as_str(value, &text)) {
        json_put_str(out, key, text);
    } else if (json_as_i64(value, &whole)) {
        json_put_i64(out, key, whole);
    } else if (json_as_double(value, &number)) {
        json_put_double(out, key, number);
    } else if (json_as_bool(value, &yes)) {
        json_put_bool(out, key, yes);
    } else {
        bool object = json_kind(value) == JSON_OBJECT;
        json_open(out, key, object ? '{' : '[');
        for (const struct json *at = json_first(value); at; at = json_after(at)) {
            struct str name = object ? str_of(json_name(at)) : (struct str){0};
            if (object) { /* names from strangers need their escapes, unlike our literal keys */
                json_put_str(out, NULL, name);
                buf_add_byte(out->buf, ':');
                out->comma = false;
            }
            json_put_tree(out, NULL, at);
        }
        json_close(out, object ? '}' : ']');
    }
}
