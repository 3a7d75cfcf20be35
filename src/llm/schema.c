/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/schema.c: schema and value, walked side by side.
 *
 * The recursion ends because both are trees of json_parse(), which bounds their
 * depth; there is no $ref that could lead back up. The way down is a chain of
 * steps on the stack, written out only for a sentence.
 */
#include "llm/schema.h"

#include <math.h>

#include "base/utf8.h"

struct step {
    const struct step *up; /* NULL: this is the answer itself */
    const char *name;      /* of a member; NULL: an element */
    size_t index;
};

static enum err check(const struct json *schema, const struct json *value, const struct step *at,
                      struct why *why);

/* ---- sentences ---- */

enum { NAME_BYTES = 64, LIST_BYTES = 160, PATH_BYTES = 120 };

/* A name or text from the model, short and on one line. */
static void add_plain(struct buf *out, const char *name)
{
    char plain[NAME_BYTES];
    str_copy(plain, sizeof(plain), str_of(name));
    for (char *c = plain; *c; c++) {
        if ((unsigned char)*c < 0x20) *c = ' ';
    }
    buf_printf(out, "%s", plain);
}

static void add_path(struct buf *out, const struct step *at)
{
    if (at->up == NULL) return;
    add_path(out, at->up);
    if (at->name == NULL) {
        buf_printf(out, "[%zu]", at->index);
    } else {
        if (at->up->up) buf_add_byte(out, '.');
        add_plain(out, at->name);
    }
}

/* "plan[2].minutes", or "the answer"; of a very long way its end. */
static void write_path(char to[PATH_BYTES], const struct step *at)
{
    struct buf path;
    buf_init(&path, 64 * 1024);
    if (at->up == NULL) buf_printf(&path, "the answer");
    add_path(&path, at);
    size_t cut = path.len < PATH_BYTES ? 0 : path.len - PATH_BYTES / 2;
    while (((unsigned char)path.at[cut] & 0xC0) == 0x80) cut++;
    snprintf(to, PATH_BYTES, "%s%s", cut ? "…" : "", path.at + cut);
    buf_release(&path);
}

/* ERR_INVALID: "PATH WHAT". */
static enum err wrong(const struct step *at, struct why *why, const char *what)
{
    char path[PATH_BYTES];
    write_path(path, at);
    return why_set(why, ERR_INVALID, "%s %s", path, what);
}

/* ERR_INVALID: "PATH must have at least 3 characters", or without a unit "PATH must be at least 3".
 */
static enum err bound(const struct step *at, struct why *why, bool most, double limit,
                      const char *unit)
{
    char what[100];
    bool one = !(limit < 1) && !(limit > 1);
    snprintf(what, sizeof(what), "must %s at %s %.15g%s%s%s", unit ? "have" : "be",
             most ? "most" : "least", limit, unit ? " " : "", unit ? unit : "",
             unit && !one ? "s" : "");
    return wrong(at, why, what);
}

/* Values of `list` as JSON, "a", "b" or "c"; what is too much becomes an ellipsis. */
static void write_choices(char to[LIST_BYTES], const struct json *list)
{
    struct buf all;
    buf_init(&all, LIST_BYTES - 8);
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        size_t before = all.len;
        if (before > 0) buf_printf(&all, json_after(at) ? ", " : " or ");
        struct json_out out = json_begin(&all);
        json_put_tree(&out, NULL, at);
        if (!all.failed) continue;
        all.len = before;
        break;
    }
    snprintf(to, LIST_BYTES, "%.*s%s", STR_ARGS(buf_str(&all)), all.failed ? " …" : "");
    buf_release(&all);
}

/* ---- kinds ---- */

static bool is_whole(const struct json *value)
{
    double number;
    return json_as_double(value, &number) && !(floor(number) < number);
}

static const struct type {
    const char *name, *called;
    enum json_kind kind;
} types[] = {
    {"object", "an object", JSON_OBJECT},
    {"array", "an array", JSON_ARRAY},
    {"string", "a text", JSON_STRING},
    {"number", "a number", JSON_NUMBER},
    {"integer", "a whole number", JSON_NUMBER},
    {"boolean", "true or false", JSON_BOOL},
    {"null", "null", JSON_NULL},
};

static const struct type *type_of(const struct json *name)
{
    struct str text;
    for (size_t i = 0; json_as_str(name, &text) && i < COUNT_OF(types); i++) {
        if (str_eq(text, str_of(types[i].name))) return &types[i];
    }
    return NULL;
}

static bool has_type(const struct json *name, const struct json *value)
{
    const struct type *type = type_of(name);
    if (type == NULL || type->kind != json_kind(value)) return false;
    return strcmp(type->name, "integer") != 0 || is_whole(value);
}

static enum err check_type(const struct json *type, const struct json *value, const struct step *at,
                           struct why *why)
{
    bool several = json_kind(type) == JSON_ARRAY;
    char what[200] = "must be ";
    if (!several && json_kind(type) != JSON_STRING) return OK;
    for (const struct json *one = several ? json_first(type) : type; one;) {
        if (has_type(one, value)) return OK;
        const struct type *known = type_of(one);
        const struct json *next = several ? json_after(one) : NULL;
        size_t len = strlen(what);
        snprintf(what + len, sizeof(what) - len, "%s%s", known ? known->called : "of no known type",
                 next ? " or " : "");
        one = next;
    }
    return wrong(at, why, what);
}

/* ---- one of these ---- */

static bool is_equal(const struct json *a, const struct json *b);

static size_t count_of(const struct json *value)
{
    size_t count = 0;
    for (const struct json *at = json_first(value); at; at = json_after(at)) count++;
    return count;
}

static bool in_same_order(const struct json *a, const struct json *b)
{
    const struct json *x = json_first(a), *y = json_first(b);
    if (json_kind(a) == JSON_ARRAY) return true;
    for (; x && y && strcmp(json_name(x), json_name(y)) == 0; x = json_after(x)) y = json_after(y);
    return x == NULL && y == NULL;
}

/* The names of objects are compared first, so that nothing inside is compared twice. */
static bool is_equal_inside(const struct json *a, const struct json *b)
{
    bool ordered = in_same_order(a, b);
    if (count_of(a) != count_of(b)) return false;
    const struct json *y = json_first(b);
    for (const struct json *x = json_first(a); x; x = json_after(x)) {
        const struct json *other = ordered ? y : json_get(b, json_name(x));
        if (other == NULL || !is_equal(x, other)) return false;
        y = json_after(y);
    }
    return true;
}

static bool is_equal(const struct json *a, const struct json *b)
{
    struct str a_text, b_text;
    double a_number, b_number;
    bool a_yes, b_yes;
    if (json_kind(a) != json_kind(b)) return false;
    if (json_as_str(a, &a_text) && json_as_str(b, &b_text)) return str_eq(a_text, b_text);
    if (json_as_bool(a, &a_yes) && json_as_bool(b, &b_yes)) return a_yes == b_yes;
    if (json_as_double(a, &a_number) && json_as_double(b, &b_number)) {
        return !(a_number < b_number) && !(a_number > b_number);
    }
    return json_kind(a) == JSON_NULL || is_equal_inside(a, b);
}

static enum err check_choice(const struct json *schema, const struct json *value,
                             const struct step *at, struct why *why)
{
    const struct json *list = json_get(schema, "enum"), *only = json_get(schema, "const");
    char choices[LIST_BYTES], what[LIST_BYTES + 20];
    if (only && !is_equal(only, value)) {
        struct buf text;
        buf_init(&text, LIST_BYTES);
        struct json_out out = json_begin(&text);
        json_put_tree(&out, NULL, only);
        snprintf(what, sizeof(what), "must be %s", text.failed ? "another value" : text.at);
        buf_release(&text);
        return wrong(at, why, what);
    }
    if (list == NULL || json_kind(list) != JSON_ARRAY) return OK;
    for (const struct json *one = json_first(list); one; one = json_after(one)) {
        if (is_equal(one, value)) return OK;
    }
    write_choices(choices, list);
    snprintf(what, sizeof(what), "must be %s", choices);
    return wrong(at, why, what);
}

/* One branch must fit. Else the sentence is that of the branch whose type does, if one's does. */
static enum err check_any_of(const struct json *branches, const struct json *value,
                             const struct step *at, struct why *why)
{
    if (branches == NULL || json_kind(branches) != JSON_ARRAY) return OK;
    const struct json *nearest = NULL;
    for (const struct json *one = json_first(branches); one; one = json_after(one)) {
        const struct json *type = json_get(one, "type");
        struct why unused;
        if (check(one, value, at, &unused) == OK) return OK;
        if (nearest == NULL && type && check_type(type, value, at, &unused) == OK) nearest = one;
    }
    if (nearest) return check(nearest, value, at, why);
    return wrong(at, why, "has none of the forms that are allowed here");
}

/* ---- bounds ---- */

static bool limit_of(const struct json *schema, const char *name, double *out)
{
    return json_as_double(json_get(schema, name), out);
}

static enum err check_between(const struct json *schema, const char *const names[2], double is,
                              const char *unit, const struct step *at, struct why *why)
{
    double limit;
    if (limit_of(schema, names[0], &limit) && is < limit) return bound(at, why, false, limit, unit);
    if (limit_of(schema, names[1], &limit) && is > limit) return bound(at, why, true, limit, unit);
    return OK;
}

static enum err check_bounds(const struct json *schema, const struct json *value,
                             const struct step *at, struct why *why)
{
    static const char *const of_number[] = {"minimum", "maximum"};
    static const char *const of_text[] = {"minLength", "maxLength"};
    static const char *const of_array[] = {"minItems", "maxItems"};
    struct str text;
    double number;
    if (json_as_double(value, &number)) {
        return check_between(schema, of_number, number, NULL, at, why);
    }
    if (json_as_str(value, &text)) {
        return check_between(schema, of_text, (double)utf8_count(text), "character", at, why);
    }
    if (json_kind(value) == JSON_ARRAY) {
        return check_between(schema, of_array, (double)count_of(value), "element", at, why);
    }
    return OK;
}

/* ---- what is inside ---- */

static enum err check_required(const struct json *required, const struct json *value,
                               const struct step *at, struct why *why)
{
    if (required == NULL) return OK;
    for (const struct json *name = json_first(required); name; name = json_after(name)) {
        struct str text;
        if (!json_as_str(name, &text) || json_get(value, text.at)) continue;
        struct step member = {at, text.at, 0};
        return wrong(&member, why, "is missing");
    }
    return OK;
}

static enum err check_member(const struct json *schema, const struct json *member,
                             const struct step *at, struct why *why)
{
    struct step step = {at, json_name(member), 0};
    const struct json *known = json_get(json_get(schema, "properties"), json_name(member));
    const struct json *more = json_get(schema, "additionalProperties");
    bool allowed = true;
    if (known) return check(known, member, &step, why);
    if (more == NULL) return OK;
    if (json_as_bool(more, &allowed) && !allowed) {
        return wrong(&step, why, "is not asked for and must be left out");
    }
    return check(more, member, &step, why);
}

static enum err check_object(const struct json *schema, const struct json *value,
                             const struct step *at, struct why *why)
{
    enum err err = check_required(json_get(schema, "required"), value, at, why);
    for (const struct json *one = json_first(value); one && err == OK; one = json_after(one)) {
        err = check_member(schema, one, at, why);
    }
    return err;
}

static enum err check_array(const struct json *schema, const struct json *value,
                            const struct step *at, struct why *why)
{
    const struct json *items = json_get(schema, "items");
    struct step step = {at, NULL, 0};
    enum err err = OK;
    if (items == NULL) return OK;
    for (const struct json *one = json_first(value); one && err == OK; one = json_after(one)) {
        err = check(items, one, &step, why);
        step.index++;
    }
    return err;
}

static enum err check(const struct json *schema, const struct json *value, const struct step *at,
                      struct why *why)
{
    bool yes = true;
    if (json_as_bool(schema, &yes) && !yes) return wrong(at, why, "must be left out");
    if (json_kind(schema) != JSON_OBJECT) return OK;
    const struct json *type = json_get(schema, "type");
    enum err err = type ? check_type(type, value, at, why) : OK;
    if (err == OK) err = check_choice(schema, value, at, why);
    if (err == OK) err = check_any_of(json_get(schema, "anyOf"), value, at, why);
    if (err == OK) err = check_bounds(schema, value, at, why);
    if (err == OK && json_kind(value) == JSON_OBJECT) err = check_object(schema, value, at, why);
    if (err == OK && json_kind(value) == JSON_ARRAY) err = check_array(schema, value, at, why);
    return err;
}

enum err schema_check(const struct json *schema, const struct json *value, struct why *why)
{
    ASSERT(schema != NULL && value != NULL);
    struct step top = {0};
    return check(schema, value, &top, why);
}

/* ---- schemas of others ---- */

static bool is_one_of(const char *name, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0) return true;
    }
    return false;
}

static bool is_checked(const struct json *keyword)
{
    static const char *const checked[] = {
        "type",
        "enum",
        "const",
        "anyOf",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
    };
    /* $defs asks nothing without a $ref. */
    static const char *const silent[] = {
        "title",    "description", "default",  "examples",  "example", "$schema",     "$id",
        "$comment", "deprecated",  "readOnly", "writeOnly", "$defs",   "definitions",
    };
    const char *name = json_name(keyword);
    /* One schema for each element is of older drafts. */
    if (strcmp(name, "items") == 0 && json_kind(keyword) == JSON_ARRAY) return false;
    return is_one_of(name, checked, COUNT_OF(checked)) || is_one_of(name, silent, COUNT_OF(silent));
}

static void find_unchecked(const struct json *schema, struct buf *names);

static void find_in_each(const struct json *list, struct buf *names)
{
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        find_unchecked(at, names);
    }
}

/* Adds their names, each once. */
static void find_unchecked(const struct json *schema, struct buf *names)
{
    if (schema == NULL || json_kind(schema) != JSON_OBJECT) return;
    for (const struct json *at = json_first(schema); at; at = json_after(at)) {
        struct buf name;
        if (is_checked(at)) continue;
        buf_init(&name, 2 * NAME_BYTES);
        buf_printf(&name, "\"");
        add_plain(&name, json_name(at));
        buf_printf(&name, "\"");
        bool known = names->len > 0 && str_find(buf_str(names), buf_str(&name)) < names->len;
        if (!known) {
            buf_printf(names, "%s%.*s", names->len ? ", " : "", STR_ARGS(buf_str(&name)));
        }
        buf_release(&name);
    }
    find_in_each(json_get(schema, "properties"), names);
    find_in_each(json_get(schema, "anyOf"), names);
    find_unchecked(json_get(schema, "items"), names);
    find_unchecked(json_get(schema, "additionalProperties"), names);
}

enum err schema_vet(const struct json *schema, struct why *why)
{
    struct buf names;
    enum err err = OK;
    buf_init(&names, 64 * 1024);
    find_unchecked(schema, &names);
    if (names.len > 0) {
        err =
            why_set(why, ERR_INVALID,
                    "the JSON Schema has %.*s, which answers are not checked for; leave that out, "
                    "or say it in the question",
                    STR_ARGS(buf_str(&names)));
    }
    buf_release(&names);
    return err;
}
