/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/json.h: JSON (RFC 8259), read into a tree and written straight into a buffer.
 *
 * Reading: json_parse() gives a tree that the caller frees with json_free();
 * everything taken from it is borrowed until then. Stricter than the RFC where
 * strangers could fool us: bad UTF-8, a NUL in a string, a lone surrogate, a
 * number past a double's range or 63 characters and too deep nesting are errors. When an object
 * names a member twice, the first counts.
 *
 * Writing: struct json_out puts commas and escapes; keys are literals and are
 * not escaped. One line per member:
 *
 *     struct json_out out = json_begin(&buf);
 *     json_open(&out, NULL, '{');
 *     json_put_u64(&out, "id", 7);
 *     json_put_str(&out, "name", name);
 *     json_open(&out, "tags", '[');
 *     json_put_str(&out, NULL, STR("a"));   // inside arrays the key is NULL
 *     json_close(&out, ']');
 *     json_close(&out, '}');
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct json; /* one value of a parsed tree */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/*
 * About how many values a text has, without reading it: its commas and opening brackets outside of
 * strings. A value takes some 64 bytes of memory, whatever it takes in the text, so a large text
 * from strangers is counted before it is parsed.
 */
size_t json_count(struct str text);
/* `error_at_out` (may be NULL): byte offset of the first thing that is wrong, give or take one. */
MUST_USE enum err json_parse(struct str text, struct json **tree_out, size_t *error_at_out,
                             struct why *why);
void json_free(struct json *tree); /* NULL is fine */

enum json_kind json_kind(const struct json *value);
/* Member of an object by exact name, the last of several; NULL when absent or when `object` is no
 * object or NULL. */
const struct json *json_get(const struct json *object, const char *name);
/* Elements of an array or members of an object, in order; NULL at the end. Of NULL, as of a value
 * that is neither, the first is NULL. */
const struct json *json_first(const struct json *value);
const struct json *json_after(const struct json *value);
const char *json_name(const struct json *member);

/* Each: false when the value is NULL or of another kind. */
MUST_USE bool json_as_str(const struct json *value, struct str *out);
MUST_USE bool json_as_bool(const struct json *value, bool *out);
/* Whole numbers within ±2^53 only. */
MUST_USE bool json_as_i64(const struct json *value, int64_t *out);
MUST_USE bool json_as_u64(const struct json *value, uint64_t *out);
MUST_USE bool json_as_double(const struct json *value, double *out);

struct json_out {
    struct buf *buf;
    bool comma; /* something stands before the next value on this level */
};

struct json_out json_begin(struct buf *buf);
/* A parsed value, written again. */
void json_put_tree(struct json_out *out, const char *key, const struct json *value);

/* The same with the key's length: compilers know it for literals, so the inline forms below cost
 * nothing for finding it. Replies are mostly keys. */
void json_open_n(struct json_out *out, const char *key, size_t key_len, char bracket);
void json_put_str_n(struct json_out *out, const char *key, size_t key_len, struct str value);
void json_put_u64_n(struct json_out *out, const char *key, size_t key_len, uint64_t value);
void json_put_i64_n(struct json_out *out, const char *key, size_t key_len, int64_t value);
void json_put_double_n(struct json_out *out, const char *key, size_t key_len, double value);
void json_put_time_n(struct json_out *out, const char *key, size_t key_len, int64_t wall_us);
/* `json` is already JSON. */
void json_put_raw_n(struct json_out *out, const char *key, size_t key_len, struct str json);
void json_close(struct json_out *out, char bracket);

#define JSON_KEY_LEN(key) ((key) ? __builtin_strlen(key) : 0)

static inline void json_open(struct json_out *out, const char *key, char bracket)
{
    json_open_n(out, key, JSON_KEY_LEN(key), bracket);
}

static inline void json_put_str(struct json_out *out, const char *key, struct str value)
{
    json_put_str_n(out, key, JSON_KEY_LEN(key), value);
}

static inline void json_put_u64(struct json_out *out, const char *key, uint64_t value)
{
    json_put_u64_n(out, key, JSON_KEY_LEN(key), value);
}

static inline void json_put_i64(struct json_out *out, const char *key, int64_t value)
{
    json_put_i64_n(out, key, JSON_KEY_LEN(key), value);
}

static inline void json_put_double(struct json_out *out, const char *key, double value)
{
    json_put_double_n(out, key, JSON_KEY_LEN(key), value);
}

static inline void json_put_raw(struct json_out *out, const char *key, struct str json)
{
    json_put_raw_n(out, key, JSON_KEY_LEN(key), json);
}

static inline void json_put_bool(struct json_out *out, const char *key, bool value)
{
    json_put_raw(out, key, value ? STR("true") : STR("false"));
}

static inline void json_put_null(struct json_out *out, const char *key)
{
    json_put_raw(out, key, STR("null"));
}

/* null when `id` is 0 */
static inline void json_put_id(struct json_out *out, const char *key, uint64_t id)
{
    if (id) {
        json_put_u64(out, key, id);
    } else {
        json_put_null(out, key);
    }
}

/* null when `value.at` is NULL */
static inline void json_put_opt(struct json_out *out, const char *key, struct str value)
{
    if (value.at) {
        json_put_str(out, key, value);
    } else {
        json_put_null(out, key);
    }
}

/* Wall time as the old clients parse it, see clock_iso_short(). */
static inline void json_put_time(struct json_out *out, const char *key, int64_t wall_us)
{
    json_put_time_n(out, key, JSON_KEY_LEN(key), wall_us);
}
