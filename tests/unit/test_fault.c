/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/utf8.h"
#include "llm/fault.h"
#include "recordings.h"

static struct llm_trouble read_error(int status, const char *text)
{
    struct buf body;
    buf_init(&body, 64 * 1024);
    recording_text(&body, text);
    struct json *tree;
    struct why why;
    if (json_parse(buf_str(&body), &tree, NULL, &why) != OK) fail_msg("%s: %s", text, why.text);
    struct llm_trouble trouble = llm_fault_read(status, tree);
    json_free(tree);
    buf_release(&body);
    return trouble;
}

static void errors_of_every_form_have_a_kind(void **state)
{
    (void)state;
    static const struct {
        int status; /* 0: inside a stream */
        const char *body;
        enum llm_fault fault;
        const char *code, *text;
    } cases[] = {
        /* OpenAI */
        {401, "{'error':{'message':'no','type':'x','param':null,'code':'invalid_api_key'}}",
         LLM_FAULT_AUTH, "invalid_api_key", "no"},
        {429, "{'error':{'message':'no','type':'insufficient_quota','code':'insufficient_quota'}}",
         LLM_FAULT_BILLING, "insufficient_quota", "no"},
        {429, "{'error':{'message':'no','type':'requests','code':'rate_limit_exceeded'}}",
         LLM_FAULT_RATE, "rate_limit_exceeded", "no"},
        {400, "{'error':{'message':'long','code':'context_length_exceeded'}}", LLM_FAULT_TOO_LONG,
         "context_length_exceeded", "long"},
        {404, "{'error':{'message':'no','code':'model_not_found'}}", LLM_FAULT_MODEL,
         "model_not_found", "no"},
        {400,
         "{'error':{'message':'Unsupported parameter: max_tokens','code':"
         "'unsupported_parameter'}}",
         LLM_FAULT_REQUEST, "unsupported_parameter", "Unsupported parameter: max_tokens"},
        {400, "{'error':{'message':'no','code':'content_policy_violation'}}", LLM_FAULT_FILTER,
         "content_policy_violation", "no"},
        {500, "{'error':{'message':'no','type':'server_error','code':null}}", LLM_FAULT_SERVER,
         "server_error", "no"},
        {503, "{'error':{'message':'slow down'}}", LLM_FAULT_OVERLOAD, "", "slow down"},
        /* DeepSeek: a retired name is no 404 */
        {400, "{'error':{'message':'The supported API model names are a, b','code':'x'}}",
         LLM_FAULT_MODEL, "x", "The supported API model names are a, b"},
        {402, "{'error':{'message':'Insufficient Balance'}}", LLM_FAULT_BILLING, "",
         "Insufficient Balance"},
        /* vLLM, old and new; llama.cpp; LM Studio */
        {400, "{'object':'error','message':'maximum context length is 9','code':400}",
         LLM_FAULT_TOO_LONG, "", "maximum context length is 9"},
        {400, "{'error':{'code':400,'message':'x','type':'exceed_context_size_error'}}",
         LLM_FAULT_TOO_LONG, "exceed_context_size_error", "x"},
        {0, "{'error':{'code':503,'message':'Loading','type':'unavailable_error'}}",
         LLM_FAULT_OVERLOAD, "unavailable_error", "Loading"},
        {404, "{'error':'No models loaded. Please load a model'}", LLM_FAULT_MODEL, "",
         "No models loaded. Please load a model"},
        /* OpenRouter */
        {0, "{'error':{'code':502,'message':'down','metadata':{'provider_name':'p'}}}",
         LLM_FAULT_OVERLOAD, "", "down"},
        {403, "{'error':{'code':403,'message':'flagged','metadata':{'reasons':['x']}}}",
         LLM_FAULT_FILTER, "", "flagged"},
        {0, "{'error':{'code':403,'message':'flagged','metadata':{'reasons':['x']}}}",
         LLM_FAULT_FILTER, "", "flagged"},
        {403, "{'error':{'code':403,'message':'no','metadata':{'reasons':[]}}}", LLM_FAULT_AUTH, "",
         "no"},
        {403, "{'error':{'code':403,'message':'no','metadata':{'provider_name':'p'}}}",
         LLM_FAULT_AUTH, "", "no"},
        /* Azure, and its edge */
        {400,
         "{'error':{'code':'content_filter','message':'x','innererror':{'code':"
         "'ResponsibleAIPolicyViolation'}}}",
         LLM_FAULT_FILTER, "content_filter", "x"},
        {404, "{'error':{'code':'DeploymentNotFound','message':'x'}}", LLM_FAULT_MODEL,
         "DeploymentNotFound", "x"},
        {0, "{'error':{'code':'429','message':'x'}}", LLM_FAULT_RATE, "429", "x"},
        {0, "{'statusCode':429,'message':'Rate limit is exceeded'}", LLM_FAULT_RATE, "",
         "Rate limit is exceeded"},
        {401, "{'Message':'Access denied'}", LLM_FAULT_AUTH, "", "Access denied"},
        /* Gemini */
        {429, "{'error':{'code':429,'message':'x','status':'RESOURCE_EXHAUSTED'}}", LLM_FAULT_RATE,
         "RESOURCE_EXHAUSTED", "x"},
        {0, "[{'error':{'code':503,'message':'x','status':'UNAVAILABLE'}}]", LLM_FAULT_OVERLOAD,
         "UNAVAILABLE", "x"},
        {400,
         "{'error':{'code':400,'message':'x','status':'INVALID_ARGUMENT','details':[{"
         "'@type':'t/google.rpc.ErrorInfo','reason':'API_KEY_INVALID'}]}}",
         LLM_FAULT_AUTH, "INVALID_ARGUMENT", "x"},
        {429,
         "{'error':{'code':429,'message':'x','status':'RESOURCE_EXHAUSTED','details':[{"
         "'violations':[{'quotaId':'GenerateRequestsPerDayPerProject'}]}]}}",
         LLM_FAULT_QUOTA, "RESOURCE_EXHAUSTED", "x"},
        {403, "{'error':{'code':403,'message':'x','status':'PERMISSION_DENIED'}}", LLM_FAULT_AUTH,
         "PERMISSION_DENIED", "x"},
        {504, "{'error':{'code':504,'message':'x','status':'DEADLINE_EXCEEDED'}}",
         LLM_FAULT_OVERLOAD, "DEADLINE_EXCEEDED", "x"},
        /* Ollama */
        {404, "{'error':'model \\'m\\' not found'}", LLM_FAULT_MODEL, "", "model 'm' not found"},
        {503, "{'error':'server busy, please try again'}", LLM_FAULT_OVERLOAD, "",
         "server busy, please try again"},
        {400, "{'error':'m does not support tools'}", LLM_FAULT_REQUEST, "",
         "m does not support tools"},
        /* DashScope */
        {401, "{'code':'InvalidApiKey','message':'x','request_id':'r'}", LLM_FAULT_AUTH,
         "InvalidApiKey", "x"},
        {400, "{'code':'Arrearage','message':'x'}", LLM_FAULT_BILLING, "Arrearage", "x"},
        {400, "{'code':'DataInspectionFailed','message':'x'}", LLM_FAULT_FILTER,
         "DataInspectionFailed", "x"},
        {429, "{'code':'Throttling.RateQuota','message':'x'}", LLM_FAULT_RATE,
         "Throttling.RateQuota", "x"},
        {429, "{'code':'Throttling.AllocationQuota','message':'x'}", LLM_FAULT_QUOTA,
         "Throttling.AllocationQuota", "x"},
        {403, "{'code':'AllocationQuota.FreeTierOnly','message':'x'}", LLM_FAULT_BILLING,
         "AllocationQuota.FreeTierOnly", "x"},
        {403, "{'code':'Model.AccessDenied','message':'x'}", LLM_FAULT_MODEL, "Model.AccessDenied",
         "x"},
        {500, "{'code':'InternalError.Timeout','message':'x'}", LLM_FAULT_SERVER,
         "InternalError.Timeout", "x"},
        /* Anthropic */
        {529, "{'type':'error','error':{'type':'overloaded_error','message':'x'}}",
         LLM_FAULT_OVERLOAD, "overloaded_error", "x"},
        {0, "{'type':'error','error':{'type':'rate_limit_error','message':'x'}}", LLM_FAULT_RATE,
         "rate_limit_error", "x"},
        {402, "{'type':'error','error':{'type':'billing_error','message':'x'}}", LLM_FAULT_BILLING,
         "billing_error", "x"},
        {400,
         "{'type':'error','error':{'type':'invalid_request_error','message':"
         "'prompt is too long: 9 tokens > 8 maximum'}}",
         LLM_FAULT_TOO_LONG, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"},
        {413, "{'type':'error','error':{'type':'request_too_large','message':'x'}}",
         LLM_FAULT_TOO_LONG, "request_too_large", "x"},
        /* FastAPI, and nothing at all */
        {422, "{'detail':[{'loc':['body','model'],'msg':'field required','type':'missing'}]}",
         LLM_FAULT_REQUEST, "", "field required"},
        {404, "{'detail':'Not Found'}", LLM_FAULT_PROTOCOL, "no_path", "Not Found"},
        {500, "{}", LLM_FAULT_SERVER, "", ""},
        {401, "null", LLM_FAULT_AUTH, "", ""},
        {408, "[]", LLM_FAULT_OVERLOAD, "", ""},
        {0, "{'error':{}}", LLM_FAULT_SERVER, "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_trouble trouble = read_error(cases[i].status, cases[i].body);
        if (trouble.fault != cases[i].fault) {
            fail_msg("%d %s: %s", cases[i].status, cases[i].body, llm_fault_name(trouble.fault));
        }
        assert_string_equal(trouble.code, cases[i].code);
        assert_string_equal(trouble.text, cases[i].text);
    }
}

static void bodies_that_are_no_json_have_a_kind_too(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *text;
        enum llm_fault fault;
    } cases[] = {
        {502, "<html>bad</html>", "a web page stood in the place of an answer", LLM_FAULT_OVERLOAD},
        {530, "<!doctype html>", "a web page stood in the place of an answer", LLM_FAULT_OVERLOAD},
        {404, "404 page not found", "404 page not found", LLM_FAULT_PROTOCOL},
        {404, "<html>", "a web page stood in the place of an answer", LLM_FAULT_PROTOCOL},
        {404, "model 'm' not found", "model 'm' not found", LLM_FAULT_MODEL},
        {500, "", "", LLM_FAULT_SERVER},
        {401, "Unauthorized", "Unauthorized", LLM_FAULT_AUTH},
        {301, "moved", "moved", LLM_FAULT_PROTOCOL},
        {200, "hello", "hello", LLM_FAULT_PROTOCOL},
        {500, "bad \xFF\xFE bytes\n", "bad    bytes ", LLM_FAULT_SERVER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_trouble trouble = llm_fault_read_text(cases[i].status, str_of(cases[i].body));
        assert_int_equal(trouble.fault, cases[i].fault);
        assert_string_equal(trouble.text, cases[i].text);
    }
}

static void hints_of_time_are_understood(void **state)
{
    (void)state;
    static const int64_t now_us = INT64_C(1790000000) * 1000000; /* Mon, 21 Sep 2026 14:13:20 */
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"7", 7000},
        {" 7 ", 7000},
        {"1.5", 1500},
        {"1s", 1000},
        {"17ms", 17},
        {"6m0s", 360000},
        {"1h2m3s", 3723000},
        {"37s", 37000},
        {"1.5s", 1500},
        {"86400", 86400000},
        {"Mon, 21 Sep 2026 14:13:50 GMT", 30000},
        {"Mon, 21 Sep 2026 14:13:00 GMT", 0},
        {"", -1},
        {"soon", -1},
        {"-5", -1},
        {"1.2.3", -1},
        {"5 minutes", -1},
        {"99999999999999999999", -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ms = llm_retry_after_ms(str_of(cases[i].text), now_us);
        if (ms != cases[i].ms) fail_msg("\"%s\" gave %lld", cases[i].text, (long long)ms);
    }
    struct llm_trouble trouble =
        read_error(429, "{'error':{'code':429,'status':'RESOURCE_EXHAUSTED','details':[{'@type':"
                        "'t/google.rpc.RetryInfo','retryDelay':'37s'}]}}");
    assert_int_equal(trouble.retry_after_ms, 37000);
    trouble = read_error(429, "{'error':{'code':429}}");
    assert_int_equal(trouble.retry_after_ms, -1);
}

static void keys_never_reach_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *said, *kept;
    } cases[] = {
        {"Incorrect API key provided: sk-proj-abc123.", "Incorrect API key provided: [key]"},
        {"bad header Authorization: Bearer abc.def-ghi!", "bad header Authorization: [key]"},
        {"sk-ant-api03-xyz", "[key]"},
        {"GET /v1?key=AIzaSyA1234567 failed", "GET /v1?[key] failed"},
        {"AIzaSyA1234567", "[key]"},
        {"\"sk-or-v1-0123456789\" and gsk_0123456789", "\"[key]\" and [key]"},
        {"token eyJhbGciOiJIUzI1NiJ9.e30.x", "token [key]"},
        {"the disk-full task-force met", "the disk-full task-force met"},
        {"Bearer token missing", "Bearer token missing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_trouble trouble = llm_fault_read_text(401, str_of(cases[i].said));
        assert_string_equal(trouble.text, cases[i].kept);
    }
    /* At every place, also where the room for the sentence ends. */
    for (int before = 0; before < 300; before++) {
        char said[512];
        snprintf(said, sizeof(said), "%*s sk-secretsecretsecret", before, "x");
        struct llm_trouble trouble = llm_fault_read_text(401, str_of(said));
        assert_null(strstr(trouble.text, "sk-"));
        assert_null(strstr(trouble.text, "secret"));
    }
    struct llm_trouble trouble = read_error(401, "{'code':'sk-0123456789','message':'x'}");
    assert_string_equal(trouble.code, "[key]");
}

static void long_sentences_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t before = 0; before < 4; before++) {
        struct buf said;
        buf_init(&said, 4096);
        for (size_t i = 0; i < before; i++) buf_add_byte(&said, 'x');
        for (size_t i = 0; i < 200; i++) buf_add_str(&said, STR("茶"));
        struct llm_trouble trouble = llm_fault_read_text(500, buf_str(&said));
        assert_true(utf8_valid(str_of(trouble.text)));
        assert_true(strlen(trouble.text) > 250);
        struct why why;
        llm_fault_sentence(LLM_FAULT_REQUEST, NULL, STR("m"), &trouble, &why);
        assert_true(utf8_valid(str_of(why.text)));
        assert_contains(why.text, "茶茶");
        buf_release(&said);
    }
}

static void every_kind_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    struct llm_site site = {.name = STR("lab")};
    struct llm_trouble trouble = {.text = "unknown field top_k"};
    for (int fault = 0; fault < LLM_FAULT_COUNT; fault++) {
        struct why why = {0}, other = {0};
        llm_fault_sentence((enum llm_fault)fault, &site, STR("m-7"), &trouble, &why);
        assert_true(strlen(why.text) > 20);
        assert_null(strchr(why.text, '%'));
        assert_true(strlen(llm_fault_name((enum llm_fault)fault)) > 2);
        for (int before = 0; before < fault; before++) {
            llm_fault_sentence((enum llm_fault)before, &site, STR("m-7"), &trouble, &other);
            assert_string_not_equal(other.text, why.text);
            assert_string_not_equal(llm_fault_name((enum llm_fault)before),
                                    llm_fault_name((enum llm_fault)fault));
        }
        /* Without a site and a model it is a sentence still. */
        llm_fault_sentence((enum llm_fault)fault, NULL, (struct str){0}, NULL, &why);
        assert_true(strlen(why.text) > 20);
    }
    struct why why;
    char long_name[1000];
    memset(long_name, 'm', sizeof(long_name));
    struct str model = {long_name, sizeof(long_name)};
    llm_fault_sentence(LLM_FAULT_MODEL, &site, model, NULL, &why);
    assert_contains(why.text, "lab has no model mmm");
    llm_fault_sentence(LLM_FAULT_MODEL, &site, STR("m-7"), NULL, &why);
    assert_contains(why.text, "lab has no model m-7");
    llm_fault_sentence(LLM_FAULT_REQUEST, &site, STR("m-7"), &trouble, &why);
    assert_contains(why.text, "unknown field top_k");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_every_form_have_a_kind),
        cmocka_unit_test(bodies_that_are_no_json_have_a_kind_too),
        cmocka_unit_test(hints_of_time_are_understood),
        cmocka_unit_test(keys_never_reach_a_sentence),
        cmocka_unit_test(long_sentences_are_cut_between_characters),
        cmocka_unit_test(every_kind_has_a_name_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
