/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/schema.h"

#include "unit.h"

#include "base/mem.h"

static struct json *parse(const char *text)
{
    struct json *tree = NULL;
    struct why why;
    if (json_parse(str_of(text), &tree, NULL, &why)) fail_msg("%s: %s", text, why.text);
    return tree;
}

static const char plan[] =
    "{\"type\":\"object\",\"required\":[\"mood\",\"plan\"],\"additionalProperties\":false,"
    "\"properties\":{\"mood\":{\"type\":\"string\",\"enum\":[\"happy\",\"sad\",\"calm\"]},"
    "\"plan\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":3,\"items\":{\"type\":\"object\","
    "\"required\":[\"what\",\"minutes\"],\"properties\":{\"what\":{\"type\":\"string\","
    "\"minLength\":2,\"maxLength\":4},\"minutes\":{\"type\":\"integer\",\"minimum\":1,"
    "\"maximum\":90.5},\"with\":{\"type\":[\"string\",\"null\"]}}}}}}";

#define A_PLAN(step) "{\"mood\":\"sad\",\"plan\":[{\"what\":\"eat\",\"minutes\":5}," step "]}"

static const struct {
    const char *schema, *value;
    const char *why; /* NULL: it fits */
} cases[] = {
    {plan, A_PLAN("{\"what\":\"喝茶聊天\",\"minutes\":90,\"with\":null,\"more\":1}"), NULL},
    {plan, A_PLAN("{\"what\":\"eat\",\"minutes\":1.0,\"with\":\"Li\"}"), NULL},
    {plan, A_PLAN("{\"what\":\"eat\",\"minutes\":1.5}"), "plan[1].minutes must be a whole number"},
    {plan, A_PLAN("{\"what\":\"eat\",\"minutes\":\"5\"}"),
     "plan[1].minutes must be a whole number"},
    {plan, A_PLAN("{\"what\":\"eat\",\"minutes\":0}"), "plan[1].minutes must be at least 1"},
    {plan, A_PLAN("{\"what\":\"eat\",\"minutes\":91}"), "plan[1].minutes must be at most 90.5"},
    {plan, A_PLAN("{\"what\":\"eat\"}"), "plan[1].minutes is missing"},
    {plan, A_PLAN("{\"what\":\"茶\",\"minutes\":1}"),
     "plan[1].what must have at least 2 characters"},
    {plan, A_PLAN("{\"what\":\"sleep\",\"minutes\":1}"),
     "plan[1].what must have at most 4 characters"},
    {plan, A_PLAN("{\"what\":\"eat\",\"minutes\":1,\"with\":[]}"),
     "plan[1].with must be a text or null"},
    {plan, A_PLAN("7"), "plan[1] must be an object"},
    {plan, "{\"mood\":\"sad\",\"plan\":[]}", "plan must have at least 1 element"},
    {plan, "{\"mood\":\"sad\",\"plan\":{}}", "plan must be an array"},
    {plan, "{\"mood\":\"angry\",\"plan\":[]}", "mood must be \"happy\", \"sad\" or \"calm\""},
    {plan, "{\"mood\":\"sad\"}", "plan is missing"},
    {plan, "{\"plan\":[],\"mood\":\"sad\",\"note\\n\":1}", "plan must have at least 1 element"},
    {plan, "[]", "the answer must be an object"},
    {"{\"additionalProperties\":false}", "{\"a\\nb\":1}",
     "a b is not asked for and must be left out"},
    {"{\"additionalProperties\":{\"type\":\"null\"},\"properties\":{\"a\":{}}}",
     "{\"a\":1,\"b\":null}", NULL},
    {"{\"additionalProperties\":{\"type\":\"null\"}}", "{\"b\":1}", "b must be null"},
    {"{\"additionalProperties\":true}", "{\"b\":1}", NULL},
    {"{\"maxItems\":1}", "[1,2]", "the answer must have at most 1 element"},
    {"{\"items\":{\"type\":\"boolean\"}}", "[true,false,0]", "[2] must be true or false"},
    {"{\"items\":{\"items\":{\"type\":\"number\"}}}", "[[1.5],[1,\"x\"]]",
     "[1][1] must be a number"},
    {"{\"minLength\":3,\"minimum\":5,\"required\":[\"a\"]}", "[1]", NULL}, /* of other kinds */
    {"{\"const\":{\"a\":[1,null],\"b\":true}}", "{\"b\":true,\"a\":[1.0,null]}", NULL},
    {"{\"const\":{\"a\":[1,null]}}", "{\"a\":[1,false]}", "the answer must be {\"a\":[1,null]}"},
    {"{\"const\":{\"a\":1,\"a\":2}}", "{\"a\":1,\"a\":2}", NULL},
    {"{\"const\":{\"a\":1}}", "{\"a\":1,\"b\":1}", "the answer must be {\"a\":1}"},
    {"{\"enum\":[1,\"1\",[2],{}]}", "{}", NULL},
    {"{\"enum\":[1,\"1\",[2],{}]}", "{\"a\":1}", "the answer must be 1, \"1\", [2] or {}"},
    {"{\"enum\":[true,{\"a\":1}]}", "{\"b\":1}", "the answer must be true or {\"a\":1}"},
    {"{\"enum\":[[1]]}", "[1,2]", "the answer must be [1]"},
    {"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\",\"maxLength\":1}]}", "null", NULL},
    {"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\",\"maxLength\":1}]}", "\"ab\"",
     "the answer must have at most 1 character"},
    {"{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}}}",
     "{\"a\":1}", "a has none of the forms that are allowed here"},
    {"{\"properties\":{\"a\":false}}", "{\"a\":1}", "a must be left out"},
    {"true", "1", NULL},
    {"{\"type\":\"text\"}", "\"a\"", "the answer must be of no known type"},
    {"{\"$ref\":\"#\",\"pattern\":\"x\",\"minimum\":\"x\",\"title\":3,\"oneOf\":[]}", "1", NULL},
    {"{\"type\":\"integer\"}", "1e300", NULL},
    {"{\"properties\":{\"\":{\"type\":\"null\"}}}", "{\"\":1}", " must be null"},
};

static void an_answer_fits_or_the_sentence_says_where_it_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *schema = parse(cases[i].schema), *value = parse(cases[i].value);
        struct why why = {0};
        enum err err = schema_check(schema, value, &why);
        if (cases[i].why) {
            assert_int_equal(err, ERR_INVALID);
            assert_string_equal(why.text, cases[i].why);
        } else if (err) {
            fail_msg("%s is refused: %s", cases[i].value, why.text);
        }
        json_free(value);
        json_free(schema);
    }
}

/* However long names, ways and lists are, the sentence is one, and ends with what is wrong. */
static void sentences_stay_short(void **state)
{
    (void)state;
    struct buf schema, value;
    struct why why;
    buf_init(&schema, 10000);
    buf_init(&value, 10000);
    for (int i = 0; i < 8; i++) {
        buf_printf(&schema, "{\"items\":");
        buf_printf(&value, "[");
    }
    buf_printf(&schema, "{\"additionalProperties\":{\"enum\":[\"%0300d\"]}}", 0);
    buf_printf(&value, "{\"胡同%0500d\":1}", 0);
    for (int i = 0; i < 8; i++) {
        buf_printf(&schema, "}");
        buf_printf(&value, "]");
    }
    struct json *rule = parse(schema.at), *answer = parse(value.at);
    assert_int_equal(schema_check(rule, answer, &why), ERR_INVALID);
    assert_true(strlen(why.text) < 200);
    assert_true(str_ends(str_of(why.text), STR(" must be  …")));
    json_free(rule);
    json_free(answer);
    buf_release(&schema);
    buf_release(&value);
}

static void keywords_that_are_not_checked_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *names; /* NULL: all are checked */
    } schemas[] = {
        {plan, NULL},
        {"{\"$schema\":\"s\",\"title\":\"t\",\"description\":\"d\",\"default\":{\"pattern\":1}}",
         NULL},
        {"{\"properties\":{\"pattern\":{\"type\":\"string\"},\"$ref\":true}}", NULL},
        {"{\"$ref\":\"#/x\"}", "\"$ref\""},
        {"{\"properties\":{\"a\":{\"pattern\":\"x\"},\"b\":{\"pattern\":\"y\"}}}", "\"pattern\""},
        {"{\"items\":{\"uniqueItems\":true,\"anyOf\":[{\"not\":{}}]}}", "\"uniqueItems\", \"not\""},
        {"{\"additionalProperties\":{\"format\":\"date\"}}", "\"format\""},
        {"{\"items\":[{\"type\":\"string\"}]}", "\"items\""},
    };
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        struct json *schema = parse(schemas[i].schema);
        struct why why;
        char wanted[200] = "";
        enum err err = schema_vet(schema, &why);
        assert_int_equal(err, schemas[i].names ? ERR_INVALID : OK);
        if (err) {
            snprintf(wanted, sizeof(wanted), "the JSON Schema has %s, which", schemas[i].names);
            if (!str_starts(str_of(why.text), str_of(wanted))) fail_msg("%s", why.text);
        }
        json_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_fits_or_the_sentence_says_where_it_does_not),
        cmocka_unit_test(sentences_stay_short),
        cmocka_unit_test(keywords_that_are_not_checked_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
