/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_json.c: any bytes as JSON.
 *
 * Held: what is refused says why and where; what is let through is UTF-8
 * without NUL; written with json_put_tree it parses to an equal tree, and
 * writing that gives the same bytes.
 */
#include "base/json.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct json *a, const struct json *b);

static bool is_same_inside(const struct json *a, const struct json *b, bool named)
{
    const struct json *x = json_first(a), *y = json_first(b);
    for (; x && y; x = json_after(x), y = json_after(y)) {
        if (named && strcmp(json_name(x), json_name(y)) != 0) return false;
        if (!is_same(x, y)) return false;
    }
    return x == NULL && y == NULL;
}

static bool is_same(const struct json *a, const struct json *b)
{
    struct str a_text, b_text;
    double a_number, b_number;
    bool a_yes, b_yes;
    if (json_kind(a) != json_kind(b)) return false;
    switch (json_kind(a)) {
    case JSON_NULL: return true;
    case JSON_BOOL: return json_as_bool(a, &a_yes) && json_as_bool(b, &b_yes) && a_yes == b_yes;
    case JSON_NUMBER:
        return json_as_double(a, &a_number) && json_as_double(b, &b_number) &&
               !(a_number < b_number) && !(a_number > b_number);
    case JSON_STRING:
        if (!json_as_str(a, &a_text) || !json_as_str(b, &b_text)) return false;
        ASSERT(utf8_valid(a_text));
        return str_eq(a_text, b_text);
    case JSON_ARRAY:
    case JSON_OBJECT: return is_same_inside(a, b, json_kind(a) == JSON_OBJECT);
    }
    return false;
}

static void write_tree(struct buf *buf, const struct json *tree)
{
    buf_init(buf, 1 << 26);
    struct json_out out = json_begin(buf);
    json_put_tree(&out, NULL, tree);
    ASSERT(!buf->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *tree = NULL, *again = NULL;
    struct why why = {0};
    size_t error_at = 0;
    struct str text = {(const char *)data, size};
    enum err err = json_parse(text, &tree, &error_at, &why);
    if (err) {
        ASSERT(tree == NULL && why.text[0] != '\0' && error_at <= size);
        return 0;
    }
    ASSERT(utf8_valid(text));
    struct buf once, twice;
    write_tree(&once, tree);
    err = json_parse(buf_str(&once), &again, NULL, &why);
    ASSERT(err == OK && is_same(tree, again));
    write_tree(&twice, again);
    ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
    buf_release(&twice);
    buf_release(&once);
    json_free(again);
    json_free(tree);
    return 0;
}
