/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_schema.c: any JSON as a schema for any JSON. A NUL byte parts the
 * two. The verdict must be one, with a sentence where it is against the value; a
 * value always fits the schema that names it.
 */
#include "llm/schema.h"

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_const(struct str value, const struct json *tree)
{
    struct buf text;
    struct json *schema = NULL;
    struct why why;
    buf_init(&text, value.len + 64);
    buf_printf(&text, "{\"anyOf\":[{\"const\":%.*s},false]}", STR_ARGS(value));
    if (json_parse(buf_str(&text), &schema, NULL, &why) == OK) { /* else nested too deep by now */
        ASSERT(schema_check(schema, tree, &why) == OK);
    }
    json_free(schema);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size}, first;
    struct json *schema = NULL, *value = NULL;
    struct why why = {0};
    if (!str_split(&all, '\0', &first)) return 0;
    if (json_parse(first, &schema, NULL, &why) == OK && json_parse(all, &value, NULL, &why) == OK) {
        enum err err = schema_check(schema, value, &why);
        ASSERT(err == OK || (err == ERR_INVALID && why.text[0] != '\0'));
        ASSERT(utf8_valid(str_of(why.text)));
        check_const(all, value);
    }
    json_free(value);
    json_free(schema);
    return 0;
}
