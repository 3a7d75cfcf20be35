/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/unit/test_provider_answers.c: what only one provider, or a few servers,
 * do. What holds for all is in tests/contract/test_providers.c.
 */
#include "unit.h"

#include "base/utf8.h"
#include "hearing.h"
#include "llm/fault.h"
#include "recordings.h"

struct example {
    const char *stream;
    const char *text, *reasoning, *tools, *arguments; /* of call 0; NULL: none */
    enum llm_end end;
    enum llm_finish finish;
    enum llm_fault fault;
};

static void try_with(const struct llm_provider *provider, unsigned quirks,
                     const struct example *example)
{
    struct buf stream;
    struct hearing h;
    buf_init(&stream, 64 * 1024);
    recording_text(&stream, example->stream);
    bool lines = provider->framing == LLM_FRAMING_NDJSON;
    hear_begin(&h, provider, quirks, 200, lines ? "application/x-ndjson" : "text/event-stream",
               true);
    hear(&h, buf_str(&stream));
    hear_end(&h, false);
    bool same = h.result.end == example->end && h.result.finish == example->finish &&
                h.result.fault == example->fault;
    if (!same) fail_msg("%s\ngave %s", example->stream, h.log.at);
    assert_str_equal(buf_str(&h.text), example->text ? example->text : "");
    assert_str_equal(buf_str(&h.reasoning), example->reasoning ? example->reasoning : "");
    assert_str_equal(buf_str(&h.tools), example->tools ? example->tools : "");
    assert_str_equal(buf_str(&h.arguments[0]), example->arguments ? example->arguments : "");
    hear_release(&h);
    buf_release(&stream);
}

static void try_all(const struct llm_provider *provider, unsigned quirks,
                    const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) try_with(provider, quirks, &examples[i]);
}

#define DELTA(delta, more) "data: {'choices':[{'index':0,'delta':{" delta "}" more "}]}\n\n"
#define STOP DELTA("", ",'finish_reason':'stop'")
#define DONE "data: [DONE]\n\n"

static void openai_chunks_may_lack_anything(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"data: {'choices':[]}\n\n" DELTA("'content':null", "")
             DELTA("'content':''", "") "data: {'choices':[{'index':0}]}\n\n" DELTA(
                 "'content':'a'", "") "data: {'object':'ping'}\n\ndata:\n\ndata: 7\n\n" STOP DONE,
         .text = "a", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {DELTA("'content':'a'", "") STOP "data:  [DONE]  ", .text = "a", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_STOP},
        {DELTA("'content':'a'", "") DONE, .text = "a", .end = LLM_CUT_OFF,
         .fault = LLM_FAULT_TRUNCATED},
        {DONE, .end = LLM_FAILED, .fault = LLM_FAULT_EMPTY},
        {STOP DONE, .end = LLM_FAILED, .finish = LLM_FINISH_STOP, .fault = LLM_FAULT_EMPTY},
        {"", .end = LLM_FAILED, .fault = LLM_FAULT_TRUNCATED},
        {DELTA("'content':'a'", "") STOP DONE DELTA("'content':'b'", ""), .text = "a",
         .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {DELTA("'content':'a'", ",'finish_reason':'length'") DONE, .text = "a", .end = LLM_CUT_OFF,
         .finish = LLM_FINISH_LENGTH},
        {DELTA("'reasoning':'r','reasoning_content':'r'", "") DELTA("'content':'a'", "") STOP,
         .text = "a", .reasoning = "r", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {DELTA("'reasoning':'r'", "") STOP DONE, .reasoning = "r", .end = LLM_FAILED,
         .finish = LLM_FINISH_STOP, .fault = LLM_FAULT_EMPTY},
        {DELTA("'refusal':'I will not'", "") STOP DONE, .text = "I will not", .end = LLM_REFUSED,
         .finish = LLM_FINISH_FILTER, .fault = LLM_FAULT_FILTER},
        {DELTA("'content':'a'", "") "data: {'object':'error','message':'x','code':400}\n\n",
         .text = "a", .end = LLM_CUT_OFF, .fault = LLM_FAULT_REQUEST},
        {DELTA("'content':'a'", "") "data: {broken\n\n" STOP, .text = "a", .end = LLM_CUT_OFF,
         .fault = LLM_FAULT_PROTOCOL},
        {DELTA("'content':'a\xE4\xBD'", "") STOP, .text = "a\xEF\xBF\xBD", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_STOP},
    };
    try_all(&llm_provider_openai, 0, examples, COUNT_OF(examples));
    static const struct example lax = {DELTA("'content':'a'", "") DONE, .text = "a",
                                       .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP};
    try_with(&llm_provider_openai, LLM_QUIRK_NO_FINISH, &lax);
}

#define CALLS(calls) DELTA("'tool_calls':[" calls "]", "")
#define TOOL_DONE DELTA("", ",'finish_reason':'tool_calls'") DONE

static void openai_calls_come_in_many_forms(void **state)
{
    (void)state;
    static const struct example examples[] = {
        /* without an index */
        {CALLS("{'id':'a','function':{'name':'f','arguments':'{'}}")
             CALLS("{'function':{'arguments':'}'}}") TOOL_DONE,
         .tools = "0 f a\n", .arguments = "{}", .end = LLM_COMPLETE, .finish = LLM_FINISH_TOOL},
        /* the name again, or empty, in every fragment */
        {CALLS("{'index':0,'id':'a','function':{'name':'f','arguments':'{'}}")
             CALLS("{'index':0,'id':'a','function':{'name':'f','arguments':''}}")
                 CALLS("{'index':0,'id':'','function':{'name':'','arguments':'}'}}") TOOL_DONE,
         .tools = "0 f a\n", .arguments = "{}", .end = LLM_COMPLETE, .finish = LLM_FINISH_TOOL},
        /* the same without index and id */
        {CALLS("{'function':{'name':'f','arguments':'{'}}")
             CALLS("{'function':{'name':'f','arguments':'}'}}") TOOL_DONE,
         .tools = "0 f hutong-0\n", .arguments = "{}", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_TOOL},
        /* several at once, and one after another, without an index */
        {CALLS("{'id':'a','function':{'name':'f','arguments':'{}'}},"
               "{'id':'b','function':{'name':'f','arguments':'{}'}}")
             CALLS("{'id':'c','function':{'name':'f','arguments':'{}'}}") TOOL_DONE,
         .tools = "0 f a\n1 f b\n2 f c\n", .arguments = "{}", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_TOOL},
        /* arguments as an object; "stop" though there is a call */
        {CALLS("{'function':{'name':'f','arguments':{'x':[1,2]}}}") STOP, .tools = "0 f hutong-0\n",
         .arguments = "{\"x\":[1,2]}", .end = LLM_COMPLETE, .finish = LLM_FINISH_TOOL},
        {CALLS("{'index':64,'id':'a','function':{'name':'f'}}") TOOL_DONE, .end = LLM_FAILED,
         .fault = LLM_FAULT_PROTOCOL},
    };
    try_all(&llm_provider_openai, 0, examples, COUNT_OF(examples));
}

static void think_tags_are_found_however_deltas_cut_them(void **state)
{
    (void)state;
    static const char content[] = "<think>because</think>\\n\\nso";
    for (size_t at = 0; at <= sizeof(content) - 1; at++) {
        if (at > 0 && content[at - 1] == '\\') continue; /* inside an escape of JSON */
        char stream[512];
        snprintf(stream, sizeof(stream),
                 DELTA("'content':'%.*s'", "") DELTA("'content':'%s'", "") STOP, (int)at, content,
                 content + at);
        struct example example = {stream, .text = "so", .reasoning = "because", .end = LLM_COMPLETE,
                                  .finish = LLM_FINISH_STOP};
        try_with(&llm_provider_openai, 0, &example);
    }
    static const struct example inside = {DELTA("'content':'because</think>so'", "") STOP,
                                          .text = "so", .reasoning = "because", .end = LLM_COMPLETE,
                                          .finish = LLM_FINISH_STOP};
    try_with(&llm_provider_openai, LLM_QUIRK_THINKS_INSIDE, &inside);
}

static void azure_may_withdraw_an_answer_at_its_end(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {DELTA("'content':'a'", "") STOP
         "data: {'choices':[{'index':0,'finish_reason':'content_filter','content_filter_results':"
         "{'hate':{'filtered':true,'severity':'high'}}}]}\n\n" DONE,
         .text = "a", .end = LLM_REFUSED, .finish = LLM_FINISH_FILTER, .fault = LLM_FAULT_FILTER},
    };
    try_all(&llm_provider_azure, 0, examples, COUNT_OF(examples));
}

static void gemini_ends_in_many_ways(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"data: {'promptFeedback':{'blockReason':'SAFETY'},'usageMetadata':{}}\r\n\r\n",
         .end = LLM_REFUSED, .finish = LLM_FINISH_FILTER, .fault = LLM_FAULT_FILTER},
        {"data: {'candidates':[{'finishReason':'MAX_TOKENS','index':0}]}\r\n\r\n",
         .end = LLM_CUT_OFF, .finish = LLM_FINISH_LENGTH},
        {"data: {'candidates':[{'content':{'role':'model'},'finishReason':'STOP'}]}\r\n\r\n",
         .end = LLM_FAILED, .finish = LLM_FINISH_STOP, .fault = LLM_FAULT_EMPTY},
        {"data: {'candidates':[{'content':{'parts':[{'text':'a'}]},'finishReason':'RECITATION'}]}"
         "\r\n\r\n",
         .text = "a", .end = LLM_REFUSED, .finish = LLM_FINISH_FILTER, .fault = LLM_FAULT_FILTER},
        {"data: {'candidates':[{'finishReason':'MALFORMED_FUNCTION_CALL'}]}\r\n\r\n",
         .end = LLM_FAILED, .fault = LLM_FAULT_SERVER},
        {"data: {'candidates':[{'finishReason':'SOMETHING_NEW'}]}\r\n\r\n", .end = LLM_FAILED,
         .fault = LLM_FAULT_SERVER},
        {"data: {'candidates':[{'content':{'parts':[{'functionCall':{'name':'f'}},{'functionCall':"
         "{'id':'x','name':'g','args':{}}}]},'finishReason':'STOP'}]}\r\n\r\n",
         .tools = "0 f hutong-0\n1 g x\n", .end = LLM_COMPLETE, .finish = LLM_FINISH_TOOL},
        {"data: {'candidates':[{'content':{'parts':[{'text':'a'}]}}]}\r\n\r\n"
         "{\n 'error': {\n 'code': 503,\n 'status': 'UNAVAILABLE'\n }\n}",
         .text = "a", .end = LLM_CUT_OFF, .fault = LLM_FAULT_OVERLOAD},
    };
    try_all(&llm_provider_google, 0, examples, COUNT_OF(examples));
}

static void a_long_reason_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t before = 0; before < 3; before++) {
        struct buf stream;
        struct hearing h;
        buf_init(&stream, 4096);
        recording_text(&stream, "data: {'candidates':[{'finishReason':'");
        for (size_t i = 0; i < before; i++) buf_add_byte(&stream, 'x');
        for (size_t i = 0; i < 50; i++) buf_add_str(&stream, STR("茶"));
        recording_text(&stream, "'}]}\r\n\r\n");
        hear_begin(&h, &llm_provider_google, 0, 200, "text/event-stream", true);
        hear(&h, buf_str(&stream));
        hear_end(&h, false);
        assert_true(utf8_valid(str_of(h.trouble.text)));
        assert_contains(h.trouble.text, "reason");
        hear_release(&h);
        buf_release(&stream);
    }
}

#define EVENT(type, more) "event: " type "\ndata: {'type':'" type "'" more "}\n\n"
#define START(index, block)                                                                        \
    EVENT("content_block_start", ",'index':" index ",'content_block':{" block "}")
#define PART(index, json)                                                                          \
    EVENT("content_block_delta",                                                                   \
          ",'index':" index ",'delta':{'type':'input_json_delta','partial_json':'" json "'}")
#define END(index) EVENT("content_block_stop", ",'index':" index)
#define OVER(reason)                                                                               \
    EVENT("message_delta", ",'delta':{'stop_reason':'" reason "'},'usage':{'output_tokens':9}")    \
    EVENT("message_stop", "")

static void anthropic_blocks_may_interleave(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {START("0", "'type':'tool_use','id':'a','name':'f','input':{}")
             START("1", "'type':'tool_use','id':'b','name':'g','input':{}") PART("1", "{}")
                 PART("0", "{\\\"x\\\":") EVENT("ping", "") EVENT("news", ",'index':0")
                     PART("0", "1}") END("1") END("0") OVER("tool_use"),
         .tools = "0 f a\n1 g b\n", .arguments = "{\"x\":1}", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_TOOL},
        /* no arguments at all are an empty object */
        {START("0", "'type':'tool_use','id':'a','name':'f','input':{}") END("0") OVER("tool_use"),
         .tools = "0 f a\n", .arguments = "{}", .end = LLM_COMPLETE, .finish = LLM_FINISH_TOOL},
        /* the provider's own tools are not ours */
        {START("0", "'type':'server_tool_use','id':'s','name':'web_search'") PART("0", "{}")
             END("0") START("1", "'type':'text','text':'a'") END("1") OVER("end_turn"),
         .text = "a", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        /* a schema asked for as a tool: the call is the answer */
        {START("0", "'type':'tool_use','id':'a','name':'hutong_answer','input':{}")
             PART("0", "{\\\"x\\\":") PART("0", "1}") END("0") OVER("tool_use"),
         .text = "{\"x\":1}", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {START("0", "'type':'text','text':'a'") OVER("refusal"), .text = "a", .end = LLM_REFUSED,
         .finish = LLM_FINISH_FILTER, .fault = LLM_FAULT_FILTER},
        {START("0", "'type':'text','text':'a'") OVER("max_tokens"), .text = "a", .end = LLM_CUT_OFF,
         .finish = LLM_FINISH_LENGTH},
        {START("0", "'type':'text','text':'a'") OVER("pause_turn"), .text = "a", .end = LLM_CUT_OFF,
         .finish = LLM_FINISH_LENGTH},
        {START("99", "'type':'tool_use','id':'a','name':'f'"), .end = LLM_FAILED,
         .fault = LLM_FAULT_PROTOCOL},
    };
    try_all(&llm_provider_anthropic, 0, examples, COUNT_OF(examples));
}

/* A connection that was spliced, or a proxy that swallowed the first event. */
static void an_answer_without_its_beginning_is_opened_all_the_same(void **state)
{
    (void)state;
    struct buf stream;
    struct hearing h;
    buf_init(&stream, 4096);
    recording_text(&stream, EVENT("content_block_delta", ",'index':0,'delta':{'text':'a'}") EVENT(
                                "message_start", ",'message':{'model':'m'}") OVER("end_turn"));
    hear_begin(&h, &llm_provider_anthropic, 0, 200, "text/event-stream", true);
    hear(&h, buf_str(&stream));
    hear_end(&h, false);
    assert_int_equal(h.result.end, LLM_COMPLETE);
    assert_true(str_starts(buf_str(&h.log), STR("o 0 \nt 1 a\n")));
    assert_int_equal(h.opens, 1);
    hear_release(&h);
    buf_release(&stream);
}

static void ollama_counts_may_be_missing(void **state)
{
    (void)state;
    struct hearing h;
    hear_begin(&h, &llm_provider_ollama, 0, 200, "application/x-ndjson", true);
    hear(&h, STR("{\"message\":{\"content\":\"a\"},\"done\":false}\n"
                 "{\"done\":true,\"done_reason\":\"stop\",\"eval_count\":3}"));
    hear_end(&h, false);
    assert_int_equal(h.result.end, LLM_COMPLETE);
    assert_int_equal(h.result.usage.input, -1);
    assert_int_equal(h.result.usage.output, 3);
    hear_release(&h);
}

static void ollama_ends_in_many_ways(void **state)
{
    (void)state;
#define SAY "{'message':{'content':'a'},'done':false}\n"
    static const struct example examples[] = {
        {SAY, .text = "a", .end = LLM_CUT_OFF, .fault = LLM_FAULT_TRUNCATED},
        {SAY "{'error':'runner crashed'}\n", .text = "a", .end = LLM_CUT_OFF,
         .fault = LLM_FAULT_SERVER},
        {SAY "{'done':true,'done_reason':'length'}\n", .text = "a", .end = LLM_CUT_OFF,
         .finish = LLM_FINISH_LENGTH},
        {"{'message':{'content':''},'done':true,'done_reason':'load'}\n", .end = LLM_FAILED,
         .fault = LLM_FAULT_EMPTY},
        {SAY "oops\n", .text = "a", .end = LLM_CUT_OFF, .fault = LLM_FAULT_PROTOCOL},
        {"{'message':{'tool_calls':[{'function':{'index':0,'name':'f','arguments':{}}}]}}\n"
         "{'message':{'tool_calls':[{'function':{'index':0,'name':'g','arguments':{}}}]}}\n"
         "{'done':true,'done_reason':'stop'}\n",
         .tools = "0 f hutong-0\n1 g hutong-1\n", .arguments = "{}", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_TOOL},
    };
    try_all(&llm_provider_ollama, 0, examples, COUNT_OF(examples));
    try_all(&llm_provider_ollama, 0,
            &(struct example){"{'message':{'content':'a'},'done':true}", .text = "a",
                              .end = LLM_CUT_OFF, .fault = LLM_FAULT_TRUNCATED},
            1);
}

#define QWEN(content, reason)                                                                      \
    "data:{'output':{'choices':[{'message':{'content':'" content "'},'finish_reason':" reason      \
    "}]}}\n\n"

static void dashscope_deltas_are_what_was_asked_for(void **state)
{
    (void)state;
    static const struct example incremental[] = {
        {QWEN("ha", "'null'") QWEN("haha", "null") QWEN("", "'stop'"), .text = "hahaha",
         .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("ha", "'null'") QWEN("ha", "'null'"), .text = "haha", .end = LLM_CUT_OFF,
         .fault = LLM_FAULT_TRUNCATED},
        {"data:{'output':{'text':'a','finish_reason':'null'}}\n\n"
         "data:{'output':{'text':'b','finish_reason':'stop'}}\n\n",
         .text = "ab", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
    };
    try_all(&llm_provider_dashscope, 0, incremental, COUNT_OF(incremental));
    static const struct example unasked[] = {
        /* Accumulated though it was not to be. */
        {QWEN("He", "'null'") QWEN("Hello", "'null'") QWEN("Hello", "'null'")
             QWEN("Hello wo", "'null'") QWEN("Hello world", "'stop'"),
         .text = "Hello world", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("你", "'null'") QWEN("你好", "'stop'"), .text = "你好", .end = LLM_COMPLETE,
         .finish = LLM_FINISH_STOP},
        {QWEN("All of it at once.", "'null'") QWEN("All of it at once.", "'stop'"),
         .text = "All of it at once.", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("He", "'null'") QWEN("Hello", "'null'"), .text = "Hello", .end = LLM_CUT_OFF,
         .fault = LLM_FAULT_TRUNCATED},
        {QWEN("','reasoning_content':'hm", "'null'") QWEN("','reasoning_content':'hm, so", "'null'")
             QWEN("','reasoning_content':'hm, so it", "'null'")
                 QWEN("yes','reasoning_content':'hm, so it", "'null'")
                     QWEN("yes!','reasoning_content':'hm, so it", "'stop'"),
         .text = "yes!", .reasoning = "hm, so it", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        /* Increments that look like it for a while. */
        {QWEN("天", "'null'") QWEN("天向上", "'null'") QWEN("!", "'stop'"), .text = "天天向上!",
         .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("天", "'null'") QWEN("天向上", "'null'") QWEN("", "'stop'"), .text = "天天向上",
         .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("哈", "'null'") QWEN("哈哈", "'null'") QWEN("哈哈哈", "'null'") QWEN("。", "'stop'"),
         .text = "哈哈哈哈哈哈。", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("=", "'null'") QWEN("==", "'null'") QWEN("====", "'stop'"),
         .text = "=======", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("a", "'null'") QWEN("b", "'null'") QWEN("bc", "'null'") QWEN("bcd", "'stop'"),
         .text = "abbcbcd", .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
    };
    try_all(&llm_provider_dashscope, 0, unasked, COUNT_OF(unasked));
    static const struct example cumulative[] = {
        {QWEN("ha", "'null'") QWEN("haha", "null") QWEN("haha", "'stop'"), .text = "haha",
         .end = LLM_COMPLETE, .finish = LLM_FINISH_STOP},
        {QWEN("你", "'null'") QWEN("", "'null'") QWEN("你好", "'length'"), .text = "你好",
         .end = LLM_CUT_OFF, .finish = LLM_FINISH_LENGTH},
        {QWEN("one", "'null'") QWEN("two and", "'null'") QWEN("two and", "'stop'"), .text = "one",
         .end = LLM_CUT_OFF, .fault = LLM_FAULT_PROTOCOL},
        {QWEN("one", "'null'") QWEN("on", "'stop'"), .text = "one", .end = LLM_CUT_OFF,
         .fault = LLM_FAULT_PROTOCOL},
    };
    try_all(&llm_provider_dashscope, LLM_QUIRK_CUMULATIVE, cumulative, COUNT_OF(cumulative));
}

/* --- models and embeddings --- */

struct told {
    struct buf text;
    size_t vectors, length;
    float first[8];
};

static void on_model(void *ctx, struct str id, int64_t context)
{
    struct told *told = ctx;
    buf_printf(&told->text, "%.*s %lld\n", STR_ARGS(id), (long long)context);
}

static void on_vector(void *ctx, size_t index, const float *values, size_t count)
{
    struct told *told = ctx;
    told->vectors++;
    told->length = count;
    assert_true(index < COUNT_OF(told->first));
    told->first[index] = values[0];
}

static struct json *parse(const char *text)
{
    struct buf body;
    struct json *tree;
    struct why why;
    buf_init(&body, 64 * 1024);
    recording_text(&body, text);
    assert_int_equal(json_parse(buf_str(&body), &tree, NULL, &why), OK);
    buf_release(&body);
    return tree;
}

static void lists_of_models_are_read(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *body, *models;
    } cases[] = {
        {&llm_provider_openai, "{'data':[{'id':'a','max_model_len':9},{'id':'b'},{}]}",
         "a 9\nb -1\n"},
        {&llm_provider_azure, "{'data':[{'id':'a'}]}", "a -1\n"},
        {&llm_provider_anthropic, "{'data':[{'id':'a','type':'model'}],'has_more':false}",
         "a -1\n"},
        {&llm_provider_google,
         "{'models':[{'name':'models/a','inputTokenLimit':9,'supportedGenerationMethods':["
         "'generateContent']},{'name':'models/film','supportedGenerationMethods':['predict']}]}",
         "a 9\n"},
        {&llm_provider_ollama, "{'models':[{'name':'a:latest','model':'a'}]}", "a:latest -1\n"},
        {&llm_provider_dashscope, "{'data':[{'id':'a'}]}", "a -1\n"},
        {&llm_provider_openai, "{'error':'x'}", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct told told = {0};
        buf_init(&told.text, 4096);
        struct json *tree = parse(cases[i].body);
        cases[i].provider->read_models(tree, on_model, &told);
        assert_str_equal(buf_str(&told.text), cases[i].models);
        json_free(tree);
        buf_release(&told.text);
    }
}

static void embeddings_are_read_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *body;
        int64_t tokens;
    } cases[] = {
        {&llm_provider_openai,
         "{'data':[{'index':1,'embedding':[0,1]},{'index':0,'embedding':[1,0]}],'usage':{"
         "'prompt_tokens':5}}",
         5},
        {&llm_provider_azure, "{'data':[{'embedding':[1,0]},{'embedding':[0,1]}]}", -1},
        {&llm_provider_google, "{'embeddings':[{'values':[5,0]},{'values':[0,0.1]}]}", -1},
        {&llm_provider_ollama, "{'embeddings':[[1,0],[0,1]],'prompt_eval_count':5}", 5},
        {&llm_provider_dashscope,
         "{'output':{'embeddings':[{'text_index':1,'embedding':[0,1]},{'text_index':0,"
         "'embedding':[1,0]}]},'usage':{'total_tokens':5}}",
         5},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct told told = {0};
        struct llm_usage usage = {-1, -1, -1, -1, false};
        struct why why;
        struct json *tree = parse(cases[i].body);
        enum err err = cases[i].provider->read_embedding(tree, 2, on_vector, &told, &usage, &why);
        assert_int_equal(err, OK);
        assert_int_equal(told.vectors, 2);
        assert_int_equal(told.length, 2);
        assert_true(told.first[0] > 0.999f && told.first[0] < 1.001f);
        assert_true(told.first[1] > -0.001f && told.first[1] < 0.001f);
        assert_int_equal(usage.input, cases[i].tokens);
        json_free(tree);
    }
}

static void embeddings_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{'data':[{'index':0,'embedding':[1]}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':0,'embedding':[1]}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':2,'embedding':[1]}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':-1,'embedding':[1]}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':1,'embedding':[1,2]}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':1,'embedding':['x']}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':1,'embedding':[]}]}",
        "{'data':[{'index':0,'embedding':[1]},{'index':1,'embedding':'AACAPw=='}]}",
        "{'data':[{'embedding':[1]},{'embedding':[1]},{'embedding':[1]}]}",
        "{'data':[]}",
        "{}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct told told = {0};
        struct llm_usage usage = {-1, -1, -1, -1, false};
        struct why why = {0};
        struct json *tree = parse(bad[i]);
        enum err err = llm_provider_openai.read_embedding(tree, 2, on_vector, &told, &usage, &why);
        if (err != ERR_UPSTREAM) fail_msg("%s was taken", bad[i]);
        assert_true(strlen(why.text) > 10);
        json_free(tree);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_chunks_may_lack_anything),
        cmocka_unit_test(openai_calls_come_in_many_forms),
        cmocka_unit_test(think_tags_are_found_however_deltas_cut_them),
        cmocka_unit_test(azure_may_withdraw_an_answer_at_its_end),
        cmocka_unit_test(gemini_ends_in_many_ways),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(anthropic_blocks_may_interleave),
        cmocka_unit_test(an_answer_without_its_beginning_is_opened_all_the_same),
        cmocka_unit_test(ollama_counts_may_be_missing),
        cmocka_unit_test(ollama_ends_in_many_ways),
        cmocka_unit_test(dashscope_deltas_are_what_was_asked_for),
        cmocka_unit_test(lists_of_models_are_read),
        cmocka_unit_test(embeddings_are_read_in_their_order),
        cmocka_unit_test(embeddings_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
