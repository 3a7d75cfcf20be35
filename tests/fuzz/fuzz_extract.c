/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_extract.c: any text as a model's answer. What is taken out of it is
 * JSON of the kind wanted, again found whole when it is all there is, and cutting it
 * short is noticed. Tokens are estimated for the same text.
 */
#include "llm/extract.h"

#include "base/json.h"
#include "llm/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_found(struct str json, enum extract_want want, size_t cut)
{
    struct json *tree = NULL;
    struct why why;
    struct buf again;
    bool partial = true;
    ASSERT(json_parse(json, &tree, NULL, &why) == OK);
    ASSERT(want != EXTRACT_OBJECT || json_kind(tree) == JSON_OBJECT);
    ASSERT(want != EXTRACT_ARRAY || json_kind(tree) == JSON_ARRAY);
    json_free(tree);

    buf_init(&again, 1 << 24);
    ASSERT(extract_json(json, want, &again, &partial, &why) == OK && !partial);
    ASSERT(str_eq(json, buf_str(&again)));
    enum err err = extract_json(str_head(json, cut % json.len), want, &again, &partial, &why);
    ASSERT(err == ERR_INVALID || (err == OK && partial));
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf out;
    ASSERT(tokens_estimate(text) <= 5 * size);
    buf_init(&out, 1 << 24);
    for (enum extract_want want = EXTRACT_ANY; want <= EXTRACT_ARRAY; want++) {
        bool partial;
        struct why why = {0};
        enum err err = extract_json(text, want, &out, &partial, &why);
        ASSERT(err == OK || (err == ERR_INVALID && why.text[0] != '\0'));
        if (err == OK) check_found(buf_str(&out), want, size ? data[size / 2] * 7u : 0);
    }
    buf_release(&out);
    return 0;
}
