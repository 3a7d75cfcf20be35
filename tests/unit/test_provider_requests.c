/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/unit/test_provider_requests.c: what each provider is asked, to the byte.
 * Expected JSON is written with ' for " and put right by recording_text().
 */
#include "unit.h"

#include "llm/convert.h"
#include "llm/reader.h"
#include "recordings.h"

enum { MESSAGES_MAX = 6 };

struct asked {
    struct arena arena;
    struct llm_wire wire;
    struct why why;
    enum err err;
};

static struct str put_right(struct arena *arena, const char *text)
{
    struct buf buf;
    buf_init(&buf, 64 * 1024);
    recording_text(&buf, text);
    struct str s = arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    return s;
}

static struct llm_site site_of(const struct llm_provider *provider)
{
    struct llm_site site = {.provider = provider, .name = STR("lab")};
    site.base = provider->base ? str_of(provider->base) : STR("https://r.openai.azure.com");
    return site;
}

static struct asked ask(const struct llm_site *site, const char *model,
                        const struct llm_request *request, unsigned quirks)
{
    struct asked asked = {0};
    struct llm_asking asking = {.site = site,
                                .key = STR("k-1"),
                                .model = str_of(model),
                                .request = request,
                                .messages = request->messages,
                                .message_count = request->message_count,
                                .quirks = quirks};
    asked.wire = (struct llm_wire){.arena = &asked.arena, .method = "POST"};
    buf_init(&asked.wire.body, 1024 * 1024);
    asked.err = site->provider->write_chat(&asking, &asked.wire, &asked.why);
    return asked;
}

static void release(struct asked *asked)
{
    buf_release(&asked->wire.body);
    arena_release(&asked->arena);
}

static void check_body(struct asked *asked, const char *expected)
{
    if (asked->err) fail_msg("%s", asked->why.text);
    struct json *tree;
    struct why why;
    assert_int_equal(json_parse(buf_str(&asked->wire.body), &tree, NULL, &why), OK);
    json_free(tree);
    assert_str_equal(buf_str(&asked->wire.body), put_right(&asked->arena, expected).at);
}

static const char *header(const struct asked *asked, const char *name)
{
    for (size_t i = 0; i < asked->wire.header_count; i++) {
        if (str_eq_nocase(asked->wire.headers[i].name, str_of(name))) {
            return asked->wire.headers[i].value.at;
        }
    }
    return "";
}

/* --- the same for all --- */

static struct llm_request short_request(void)
{
    static const struct llm_message messages[] = {{.role = LLM_SYSTEM, .text = {"S", 1}},
                                                  {.role = LLM_USER, .text = {"Q\"", 2}}};
    struct llm_request request = llm_request_plain();
    request.messages = messages;
    request.message_count = COUNT_OF(messages);
    return request;
}

static void a_question_is_asked_in_each_form(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *url, *key_header, *key, *body;
    } cases[] = {
        {&llm_provider_openai, "https://api.openai.com/v1/chat/completions", "Authorization",
         "Bearer k-1",
         "{'model':'m/1','messages':[{'role':'system','content':'S'},{'role':'user','content':"
         "'Q\\\"'}],'stream':true,'stream_options':{'include_usage':true}}"},
        {&llm_provider_azure, "https://r.openai.azure.com/openai/v1/chat/completions", "api-key",
         "k-1",
         "{'model':'m/1','messages':[{'role':'system','content':'S'},{'role':'user','content':"
         "'Q\\\"'}],'stream':true,'stream_options':{'include_usage':true}}"},
        {&llm_provider_google,
         "https://generativelanguage.googleapis.com/v1beta/models/m%2f1:streamGenerateContent"
         "?alt=sse",
         "x-goog-api-key", "k-1",
         "{'systemInstruction':{'parts':[{'text':'S'}]},'contents':[{'role':'user','parts':[{"
         "'text':'Q\\\"'}]}],'generationConfig':{}}"},
        {&llm_provider_anthropic, "https://api.anthropic.com/v1/messages", "x-api-key", "k-1",
         "{'model':'m/1','max_tokens':4096,'stream':true,'system':[{'type':'text','text':'S'}],"
         "'messages':[{'role':'user','content':[{'type':'text','text':'Q\\\"'}]}]}"},
        {&llm_provider_ollama, "http://127.0.0.1:11434/api/chat", "Authorization", "Bearer k-1",
         "{'model':'m/1','messages':[{'role':'system','content':'S'},{'role':'user','content':"
         "'Q\\\"'}],'stream':true,'truncate':false,'options':{'num_ctx':8192}}"},
        {&llm_provider_dashscope,
         "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
         "Authorization", "Bearer k-1",
         "{'model':'m/1','input':{'messages':[{'role':'system','content':'S'},{'role':'user',"
         "'content':'Q\\\"'}]},'parameters':{'result_format':'message','incremental_output':true}"
         "}"},
    };
    assert_int_equal(COUNT_OF(cases), llm_provider_count);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_site site = site_of(cases[i].provider);
        struct llm_request request = short_request();
        struct asked asked = ask(&site, "m/1", &request, 0);
        check_body(&asked, cases[i].body);
        assert_str_equal(asked.wire.url, cases[i].url);
        assert_string_equal(header(&asked, cases[i].key_header), cases[i].key);
        release(&asked);
    }
}

static struct llm_request full_request(void)
{
    struct llm_request request = short_request();
    request.messages++;
    request.message_count = 1;
    request.temperature = 2.0;
    request.top_p = 1.0;
    request.presence_penalty = 0.5;
    request.frequency_penalty = 0.25;
    request.seed = 7;
    request.max_tokens = 2000;
    request.stops[0] = STR("END");
    request.stop_count = 1;
    request.format = LLM_FORMAT_SCHEMA;
    request.schema_name = STR("x");
    request.schema = STR("{\"type\":\"object\"}");
    request.thinking = LLM_THINKING_ON;
    request.whole = true;
    return request;
}

#define USER_Q "[{'role':'user','content':'Q\\\"'}]"

static void every_wish_reaches_those_who_know_it(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *model;
        unsigned quirks;
        const char *body;
    } cases[] = {
        {&llm_provider_openai, "m", LLM_QUIRK_MAX_TOKENS,
         "{'model':'m','messages':" USER_Q ",'max_tokens':2000,'temperature':2,'top_p':1,"
         "'presence_penalty':0.5,'frequency_penalty':0.25,'seed':7,'stop':['END'],"
         "'response_format':{'type':'json_schema','json_schema':{'name':'x','schema':{'type':"
         "'object'},'strict':true}}}"},
        {&llm_provider_openai, "m", LLM_QUIRK_NO_SAMPLING | LLM_QUIRK_NO_SCHEMA,
         "{'model':'m','messages':" USER_Q ",'max_completion_tokens':2000,'stop':['END'],"
         "'response_format':{'type':'json_object'}}"},
        {&llm_provider_openai, "m",
         LLM_QUIRK_NO_SAMPLING | LLM_QUIRK_NO_SCHEMA | LLM_QUIRK_NO_JSON_OBJECT,
         "{'model':'m','messages':" USER_Q ",'max_completion_tokens':2000,'stop':['END']}"},
        {&llm_provider_google, "gemini-2.5-flash", 0,
         "{'contents':[{'role':'user','parts':[{'text':'Q\\\"'}]}],'generationConfig':{"
         "'temperature':2,'topP':1,'presencePenalty':0.5,'frequencyPenalty':0.25,'seed':7,"
         "'maxOutputTokens':2000,'stopSequences':['END'],'responseMimeType':'application/json',"
         "'responseJsonSchema':{'type':'object'},'thinkingConfig':{'includeThoughts':true,"
         "'thinkingBudget':-1}}}"},
        {&llm_provider_google, "gemini-2.0-flash", LLM_QUIRK_NO_SCHEMA | LLM_QUIRK_NO_SAMPLING,
         "{'contents':[{'role':'user','parts':[{'text':'Q\\\"'}]}],'generationConfig':{"
         "'maxOutputTokens':2000,'stopSequences':['END'],'responseMimeType':'application/json'}}"},
        {&llm_provider_anthropic, "m", 0,
         "{'model':'m','max_tokens':2000,'thinking':{'type':'enabled','budget_tokens':1024},"
         "'stop_sequences':['END'],'output_config':{'format':{'type':'json_schema','schema':{"
         "'type':'object'}}},'messages':[{'role':'user','content':[{'type':'text',"
         "'text':'Q\\\"'}]}]}"},
        {&llm_provider_anthropic, "m", LLM_QUIRK_NO_SCHEMA | LLM_QUIRK_NO_THINKING,
         "{'model':'m','max_tokens':2000,'temperature':1,'stop_sequences':['END'],"
         "'messages':[{'role':'user','content':[{'type':'text','text':'Q\\\"'}]}],'tools':[{"
         "'name':'hutong_answer','description':'Give the answer in this form.','input_schema':{"
         "'type':'object'}}],'tool_choice':{'type':'tool','name':'hutong_answer'}}"},
        {&llm_provider_ollama, "m", 0,
         "{'model':'m','messages':" USER_Q ",'stream':false,'truncate':false,'think':true,"
         "'options':{'num_ctx':32000,'num_predict':2000,'temperature':2,'top_p':1,"
         "'presence_penalty':0.5,'frequency_penalty':0.25,'seed':7,'stop':['END']},'format':{"
         "'type':'object'}}"},
        {&llm_provider_dashscope, "m", 0,
         "{'model':'m','input':{'messages':" USER_Q "},'parameters':{'result_format':'message',"
         "'incremental_output':true,'temperature':1.99,'top_p':0.9999,'presence_penalty':0.5,"
         "'seed':7,'max_tokens':2000,'stop':['END'],'enable_thinking':true,'response_format':{"
         "'type':'json_schema','json_schema':{'name':'x','schema':{'type':'object'},'strict':"
         "true}}}}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_site site = site_of(cases[i].provider);
        site.context_tokens = 32000;
        struct llm_request request = full_request();
        struct asked asked = ask(&site, cases[i].model, &request, cases[i].quirks);
        check_body(&asked, cases[i].body);
        release(&asked);
    }
}

/* --- tools --- */

static struct llm_request tool_request(struct llm_message messages[MESSAGES_MAX],
                                       struct arena *arena)
{
    struct llm_request request = llm_request_plain();
    messages[0] = (struct llm_message){.role = LLM_USER, .text = STR("Q")};
    messages[1] = (struct llm_message){
        .role = LLM_ASSISTANT,
        .tool_calls = put_right(arena, "[{'id':'c1','type':'function','function':{'name':'f',"
                                       "'arguments':'{\\\"x\\\":1}'}},{'id':'hutong-1~c2ln','type':"
                                       "'function','function':{'name':'g','arguments':''}}]")};
    messages[2] =
        (struct llm_message){.role = LLM_TOOL, .tool_call_id = STR("c1"), .text = STR("sunny")};
    messages[3] = (struct llm_message){
        .role = LLM_TOOL, .tool_call_id = STR("hutong-1~c2ln"), .text = STR("{\"y\":2}")};
    request.messages = messages;
    request.message_count = 4;
    request.whole = true;
    request.tools = put_right(arena, "[{'type':'function','function':{'name':'f','description':"
                                     "'F','parameters':{'type':'object'}}}]");
    request.tool_choice = STR("\"auto\"");
    return request;
}

static void tools_are_told_in_each_form(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *model, *body;
    } cases[] = {
        {&llm_provider_google, "gemini-3-pro",
         "{'contents':[{'role':'user','parts':[{'text':'Q'}]},{'role':'model','parts':[{"
         "'functionCall':{'id':'c1','name':'f','args':{'x':1}},'thoughtSignature':"
         "'skip_thought_signature_validator'},{'functionCall':{'name':'g','args':{}},"
         "'thoughtSignature':'c2ln'}]},{'role':'user','parts':[{'functionResponse':{'id':'c1',"
         "'name':'f','response':{'result':'sunny'}}},{'functionResponse':{'name':'g','response':{"
         "'y':2}}}]}],'generationConfig':{},'tools':[{'functionDeclarations':[{'name':'f',"
         "'description':'F','parametersJsonSchema':{'type':'object'}}]}],'toolConfig':{"
         "'functionCallingConfig':{'mode':'AUTO'}}}"},
        {&llm_provider_anthropic, "m",
         "{'model':'m','max_tokens':4096,'messages':[{'role':'user','content':[{"
         "'type':'text','text':'Q'}]},{'role':'assistant','content':[{'type':'tool_use','id':"
         "'c1','name':'f','input':{'x':1}},{'type':'tool_use','id':'hutong-1~c2ln','name':'g',"
         "'input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'c1',"
         "'content':'sunny'},{'type':'tool_result','tool_use_id':'hutong-1~c2ln','content':"
         "'{\\\"y\\\":2}'}]}],'tools':[{'name':'f','description':'F','input_schema':{'type':"
         "'object'}}],'tool_choice':{'type':'auto'}}"},
        {&llm_provider_ollama, "m",
         "{'model':'m','messages':[{'role':'user','content':'Q'},{'role':'assistant','content':'',"
         "'tool_calls':[{'function':{'name':'f','arguments':{'x':1}}},{'function':{'name':'g',"
         "'arguments':{}}}]},{'role':'tool','content':'sunny','tool_name':'f'},{'role':'tool',"
         "'content':'{\\\"y\\\":2}','tool_name':'g'}],'stream':false,'truncate':false,'options':{"
         "'num_ctx':8192},'tools':[{'type':'function','function':{'name':'f','description':'F',"
         "'parameters':{'type':'object'}}}]}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = {0};
        struct llm_message messages[MESSAGES_MAX];
        struct llm_site site = site_of(cases[i].provider);
        struct llm_request request = tool_request(messages, &arena);
        struct asked asked = ask(&site, cases[i].model, &request, 0);
        check_body(&asked, cases[i].body);
        release(&asked);
        arena_release(&arena);
    }
}

static void a_choice_of_tool_is_told_or_refused(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *choice, *part; /* NULL: refused */
    } cases[] = {
        {&llm_provider_google, "\"none\"", "{\"mode\":\"NONE\"}"},
        {&llm_provider_google, "\"required\"", "{\"mode\":\"ANY\"}"},
        {&llm_provider_google, "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
         "{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}"},
        {&llm_provider_google, "\"perhaps\"", NULL},
        {&llm_provider_anthropic, "\"required\"", "\"tool_choice\":{\"type\":\"any\"}"},
        {&llm_provider_anthropic, "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
         "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}"},
        {&llm_provider_ollama, "\"required\"", NULL},
        {&llm_provider_ollama, "\"none\"", "\"options\":{\"num_ctx\":8192}}"}, /* no tools */
        {&llm_provider_dashscope, "\"auto\"", "\"tool_choice\":\"auto\""},
        {&llm_provider_openai, "\"required\"", "\"tool_choice\":\"required\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = {0};
        struct llm_message messages[MESSAGES_MAX];
        struct llm_site site = site_of(cases[i].provider);
        struct llm_request request = tool_request(messages, &arena);
        request.tool_choice = str_of(cases[i].choice);
        struct asked asked = ask(&site, "m", &request, 0);
        assert_int_equal(asked.err, cases[i].part ? OK : ERR_INVALID);
        if (cases[i].part) {
            assert_contains(asked.wire.body.at, cases[i].part);
        } else {
            assert_contains(asked.why.text, "tool_choice");
        }
        release(&asked);
        arena_release(&arena);
    }
}

static void calls_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct llm_provider *const providers[] = {
        &llm_provider_google, &llm_provider_anthropic, &llm_provider_ollama};
    static const struct {
        const char *calls, *tools, *answers, *sentence;
    } cases[] = {
        {"[{'id':'c','function':{'name':'f','arguments':'[1]'}}]", "", "c",
         "arguments of a tool call"},
        {"[{'id':'c','function':{'name':'f','arguments':'{'}}]", "", "c",
         "arguments of a tool call"},
        {"[{'id':'c','function':{}}]", "", "c", "function.name"},
        {"[{", "", "c", "no JSON"},
        {"[]", "[{'type':'web_search'}]", "", "function.name"},
        {"[]", "nonsense", "", "no JSON"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t p = 0; p < COUNT_OF(providers); p++) {
            struct arena arena = {0};
            struct llm_message messages[MESSAGES_MAX];
            struct llm_site site = site_of(providers[p]);
            struct llm_request request = tool_request(messages, &arena);
            messages[1].tool_calls = put_right(&arena, cases[i].calls);
            request.message_count = 2;
            request.tools = put_right(&arena, cases[i].tools);
            bool offered_raw = providers[p] == &llm_provider_ollama && cases[i].tools[0];
            struct asked asked = ask(&site, "m", &request, 0);
            if (!offered_raw) {
                assert_int_equal(asked.err, ERR_INVALID);
                assert_contains(asked.why.text, cases[i].sentence);
            }
            release(&asked);
            arena_release(&arena);
        }
    }
}

static void an_answer_to_no_call_is_refused(void **state)
{
    (void)state;
    static const struct llm_provider *const providers[] = {&llm_provider_google,
                                                           &llm_provider_ollama};
    for (size_t p = 0; p < COUNT_OF(providers); p++) {
        struct arena arena = {0};
        struct llm_message messages[MESSAGES_MAX];
        struct llm_site site = site_of(providers[p]);
        struct llm_request request = tool_request(messages, &arena);
        messages[3].tool_call_id = STR("other");
        struct asked asked = ask(&site, "m", &request, 0);
        assert_int_equal(asked.err, ERR_INVALID);
        assert_contains(asked.why.text, "answers a call that no message before it has");
        release(&asked);
        arena_release(&arena);
    }
}

/* --- pictures --- */

static void pictures_go_where_there_is_a_place_for_them(void **state)
{
    (void)state;
    static const char data[] = "[{'type':'text','text':'what?'},{'type':'image_url','image_url':{"
                               "'url':'data:image/png;base64,AAAA'}}]";
    static const char address[] =
        "[{'type':'image_url','image_url':{'url':'https://example.org/a.png'}}]";
    static const struct {
        const struct llm_provider *provider;
        const char *parts, *part; /* NULL: refused */
    } cases[] = {
        {&llm_provider_openai, data, "{'url':'data:image/png;base64,AAAA'}"},
        {&llm_provider_azure, address, "{'url':'https://example.org/a.png'}"},
        {&llm_provider_google, data,
         "{'text':'what?'},{'inlineData':{'mimeType':'image/png','data':'AAAA'}}"},
        {&llm_provider_google, address, NULL},
        {&llm_provider_anthropic, data,
         "{'type':'text','text':'what?'},{'type':'image','source':{'type':'base64','media_type':"
         "'image/png','data':'AAAA'}}"},
        {&llm_provider_anthropic, address,
         "{'type':'image','source':{'type':'url','url':'https://example.org/a.png'}}"},
        {&llm_provider_ollama, data, "'content':'what?','images':['AAAA']"},
        {&llm_provider_ollama, address, NULL},
        {&llm_provider_dashscope, data,
         "'content':[{'text':'what?'},{'image':'data:image/png;base64,AAAA'}]"},
        {&llm_provider_dashscope, address, "'content':[{'image':'https://example.org/a.png'}]"},
        {&llm_provider_google, "[{'type':'input_audio'}]", NULL},
        {&llm_provider_anthropic, "[{'type':'image_url','image_url':{'url':'data:x'}}]", NULL},
        {&llm_provider_ollama, "[{'type':'image_url'}]", NULL},
        {&llm_provider_anthropic, "nonsense", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = {0};
        struct llm_message message = {.role = LLM_USER, .parts = put_right(&arena, cases[i].parts)};
        struct llm_request request = llm_request_plain();
        request.messages = &message;
        request.message_count = 1;
        struct llm_site site = site_of(cases[i].provider);
        struct asked asked = ask(&site, "m", &request, 0);
        assert_int_equal(asked.err, cases[i].part ? OK : ERR_INVALID);
        if (cases[i].part) {
            assert_contains(asked.wire.body.at, put_right(&arena, cases[i].part).at);
        } else {
            assert_true(strlen(asked.why.text) > 20);
        }
        if (cases[i].provider == &llm_provider_dashscope) {
            assert_contains(asked.wire.url.at, "/multimodal-generation/");
        }
        release(&asked);
        arena_release(&arena);
    }
}

/* --- of one provider --- */

static void neighbours_of_one_role_are_merged(void **state)
{
    (void)state;
    static const struct llm_message messages[] = {
        {.role = LLM_SYSTEM, .text = {"S1", 2}}, {.role = LLM_USER, .text = {"a", 1}},
        {.role = LLM_USER, .text = {"b", 1}},    {.role = LLM_SYSTEM, .text = {"S2", 2}},
        {.role = LLM_ASSISTANT, .text = {0}},    {.role = LLM_USER, .text = {"c", 1}}};
    struct llm_request request = llm_request_plain();
    request.messages = messages;
    request.message_count = COUNT_OF(messages);
    struct llm_site site = site_of(&llm_provider_google);
    struct asked asked = ask(&site, "models/m", &request, 0);
    check_body(&asked, "{'systemInstruction':{'parts':[{'text':'S1\\n\\nS2'}]},'contents':[{"
                       "'role':'user','parts':[{'text':'a'},{'text':'b'},{'text':'c'}]}],"
                       "'generationConfig':{}}");
    assert_contains(asked.wire.url.at, "/models/m:stream");
    release(&asked);
    site = site_of(&llm_provider_anthropic);
    asked = ask(&site, "m", &request, 0);
    assert_contains(
        asked.wire.body.at,
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"a\"},{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"c\"}]}]");
    release(&asked);
}

static void instructions_alone_are_asked_as_a_question(void **state)
{
    (void)state;
    static const struct llm_message message = {.role = LLM_SYSTEM, .text = {"S", 1}};
    static const struct {
        const struct llm_provider *provider;
        const char *part;
    } cases[] = {{&llm_provider_google, "\"contents\":[{\"role\":\"user\""},
                 {&llm_provider_anthropic, "\"messages\":[{\"role\":\"user\""},
                 {&llm_provider_dashscope, "\"messages\":[{\"role\":\"user\""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_request request = llm_request_plain();
        request.messages = &message;
        request.message_count = 1;
        struct llm_site site = site_of(cases[i].provider);
        struct asked asked = ask(&site, "m", &request, 0);
        assert_contains(asked.wire.body.at, cases[i].part);
        release(&asked);
    }
}

static void azure_has_two_addresses(void **state)
{
    (void)state;
    struct llm_site site = site_of(&llm_provider_azure);
    struct llm_request request = short_request();
    request.max_tokens = 5;
    site.version = STR("2024-10-21");
    struct asked asked = ask(&site, "my deployment", &request, 0);
    assert_str_equal(asked.wire.url, "https://r.openai.azure.com/openai/deployments/"
                                     "my%20deployment/chat/completions?api-version=2024-10-21");
    assert_contains(asked.wire.body.at, "include_usage");
    assert_contains(asked.wire.body.at, "max_completion_tokens");
    release(&asked);
    site.version = STR("2024-06-01"); /* knows neither */
    asked = ask(&site, "d", &request, 0);
    assert_null(strstr(asked.wire.body.at, "include_usage"));
    assert_contains(asked.wire.body.at, "\"max_tokens\":5");
    release(&asked);
}

static void whether_to_think_is_said_as_each_server_wants_it(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *base, *model;
        bool local;
        const char *off, *on; /* NULL: nothing is said */
    } cases[] = {
        {&llm_provider_openai, "https://api.openai.com/v1", "gpt-5-nano", false,
         "\"reasoning_effort\":\"low\"", NULL},
        {&llm_provider_openai, "https://api.openai.com/v1", "gpt-4o", false, NULL, NULL},
        {&llm_provider_openai, "https://api.deepseek.com", "m", false,
         "\"thinking\":{\"type\":\"disabled\"}", "\"thinking\":{\"type\":\"enabled\"}"},
        {&llm_provider_openai, "https://openrouter.ai/api/v1", "m", false,
         "\"reasoning\":{\"enabled\":false}", "\"reasoning\":{\"enabled\":true}"},
        {&llm_provider_openai, "https://dashscope.aliyuncs.com/compatible-mode/v1", "m", false,
         "\"enable_thinking\":false", "\"enable_thinking\":true"},
        {&llm_provider_openai, "http://127.0.0.1:8000/v1", "m", true,
         "\"chat_template_kwargs\":{\"enable_thinking\":false}",
         "\"chat_template_kwargs\":{\"enable_thinking\":true}"},
        {&llm_provider_openai, "https://other.example/v1", "m", false, NULL, NULL},
        {&llm_provider_ollama, "http://127.0.0.1:11434", "m", true, "\"think\":false",
         "\"think\":true"},
        {&llm_provider_google, "https://g.example", "gemini-2.5-flash", false,
         "\"thinkingBudget\":0", "\"includeThoughts\":true"},
        {&llm_provider_google, "https://g.example", "gemini-3-pro", false,
         "\"thinkingLevel\":\"low\"", "\"includeThoughts\":true"},
        {&llm_provider_anthropic, "https://a.example", "m", false,
         "\"thinking\":{\"type\":\"disabled\"}",
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}"},
        {&llm_provider_dashscope, "https://d.example", "m", false, "\"enable_thinking\":false",
         "\"enable_thinking\":true"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_site site = {
            .provider = cases[i].provider, .base = str_of(cases[i].base), .local = cases[i].local};
        for (int on = 0; on < 2; on++) {
            struct llm_request request = short_request();
            const char *part = on ? cases[i].on : cases[i].off;
            request.thinking = on ? LLM_THINKING_ON : LLM_THINKING_OFF;
            struct asked asked = ask(&site, cases[i].model, &request, 0);
            if (part) assert_contains(asked.wire.body.at, part);
            if (!part) assert_null(strstr(asked.wire.body.at, "reason"));
            release(&asked);
            asked = ask(&site, cases[i].model, &request, LLM_QUIRK_NO_THINKING);
            assert_null(strstr(asked.wire.body.at, "hink"));
            assert_null(strstr(asked.wire.body.at, "reason"));
            release(&asked);
        }
    }
}

static void dashscope_streams_by_a_header(void **state)
{
    (void)state;
    struct llm_site site = site_of(&llm_provider_dashscope);
    struct llm_request request = short_request();
    struct asked asked = ask(&site, "qwen-plus", &request, 0);
    assert_string_equal(header(&asked, "X-DashScope-SSE"), "enable");
    release(&asked);
    asked = ask(&site, "qwen-plus", &request, LLM_QUIRK_CUMULATIVE);
    assert_null(strstr(asked.wire.body.at, "incremental_output"));
    release(&asked);
    request.whole = true;
    asked = ask(&site, "qwen-plus", &request, 0);
    assert_string_equal(header(&asked, "X-DashScope-SSE"), "");
    assert_null(strstr(asked.wire.body.at, "incremental_output"));
    assert_contains(asked.wire.body.at, "\"enable_thinking\":false"); /* refused outside streams */
    release(&asked);
    asked = ask(&site, "qwen-vl-max", &request, 0);
    assert_contains(asked.wire.url.at, "/multimodal-generation/generation");
    assert_contains(asked.wire.body.at, "\"content\":[{\"text\":\"S\"}]");
    release(&asked);
}

static void a_speaker_is_named_where_there_is_a_place_for_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < llm_provider_count; i++) {
        struct llm_site site = site_of(llm_providers[i]);
        struct llm_message message = {.role = LLM_USER, .text = STR("Q"), .name = STR("xiao-ming")};
        struct llm_request request = llm_request_plain();
        request.messages = &message;
        request.message_count = 1;
        struct asked asked = ask(&site, "m", &request, 0);
        struct str body = buf_str(&asked.wire.body);
        bool has_place =
            site.provider == &llm_provider_openai || site.provider == &llm_provider_azure;
        assert_int_equal(str_find(body, STR("\"name\":\"xiao-ming\"")) < body.len, has_place);
        assert_int_equal(str_find(body, STR("xiao-ming")) < body.len, has_place);
        release(&asked);
    }
}

static void headers_of_a_site_go_along(void **state)
{
    (void)state;
    for (size_t i = 0; i < llm_provider_count; i++) {
        struct llm_site site = site_of(llm_providers[i]);
        struct llm_request request = short_request();
        site.headers[0] = (struct http_header){STR("X-Title"), STR("Hutong")};
        site.header_count = 1;
        struct asked asked = ask(&site, "m", &request, 0);
        assert_string_equal(header(&asked, "X-Title"), "Hutong");
        release(&asked);
    }
}

static void texts_are_embedded_in_each_form(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *url, *body;
    } cases[] = {
        {&llm_provider_openai, "https://api.openai.com/v1/embeddings",
         "{'model':'m','input':['a','b'],'encoding_format':'float','dimensions':8}"},
        {&llm_provider_azure, "https://r.openai.azure.com/openai/v1/embeddings",
         "{'model':'m','input':['a','b'],'encoding_format':'float','dimensions':8}"},
        {&llm_provider_google,
         "https://generativelanguage.googleapis.com/v1beta/models/m:batchEmbedContents",
         "{'requests':[{'model':'models/m','content':{'parts':[{'text':'a'}]},'taskType':"
         "'RETRIEVAL_QUERY','outputDimensionality':8},{'model':'models/m','content':{'parts':[{"
         "'text':'b'}]},'taskType':'RETRIEVAL_QUERY','outputDimensionality':8}]}"},
        {&llm_provider_ollama, "http://127.0.0.1:11434/api/embed",
         "{'model':'m','input':['a','b'],'dimensions':8}"},
        {&llm_provider_dashscope,
         "https://dashscope.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding",
         "{'model':'m','input':{'texts':['a','b']},'parameters':{'text_type':'query','dimension':"
         "8}}"},
    };
    static const struct str texts[] = {{"a", 1}, {"b", 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_site site = site_of(cases[i].provider);
        struct llm_embedding_asking asking = {.site = &site,
                                              .key = STR("k-1"),
                                              .model = STR("m"),
                                              .texts = texts,
                                              .count = 2,
                                              .query = true,
                                              .dimensions = 8};
        struct asked asked = {0};
        asked.wire = (struct llm_wire){.arena = &asked.arena, .method = "POST"};
        buf_init(&asked.wire.body, 64 * 1024);
        asked.err = cases[i].provider->write_embedding(&asking, &asked.wire, &asked.why);
        check_body(&asked, cases[i].body);
        assert_str_equal(asked.wire.url, cases[i].url);
        release(&asked);
    }
}

static void reasoning_before_calls_goes_back_where_it_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *base;
        unsigned quirks;
        const char *with, *without; /* what is sent of a call with reasoning, and of one without */
    } cases[] = {
        {"https://api.deepseek.com", 0, "hm", ""},
        {"https://api.deepseek.com", LLM_QUIRK_NO_REASONING_BACK, NULL, NULL},
        {"http://127.0.0.1:8080/v1", 0, "hm", NULL},
        {"http://127.0.0.1:8080/v1", LLM_QUIRK_REASONING_BACK, "hm", ""},
        {"https://api.openai.com/v1", 0, NULL, NULL},
        {"https://api.openai.com/v1", LLM_QUIRK_REASONING_BACK, "hm", ""},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        bool with = i % 2;
        struct llm_message messages[] = {
            {.role = LLM_ASSISTANT, .reasoning = STR("alone")},
            {.role = LLM_ASSISTANT, .tool_calls = STR("[]")},
            {.role = LLM_TOOL, .tool_call_id = STR("c")},
        };
        if (with) messages[1].reasoning = STR("hm");
        struct llm_request request = llm_request_plain();
        request.messages = messages;
        request.message_count = COUNT_OF(messages);
        struct llm_site site = site_of(&llm_provider_openai);
        site.base = str_of(cases[i / 2].base);
        site.local = str_starts(site.base, STR("http:"));
        struct asked asked = ask(&site, "m", &request, cases[i / 2].quirks);
        const char *sent = with ? cases[i / 2].with : cases[i / 2].without;
        struct str member =
            sent ? arena_printf(&asked.arena, "'content':null,'reasoning_content':'%s',", sent)
                 : STR("'content':null,");
        assert_contains(
            asked.wire.body.at,
            put_right(&asked.arena, arena_printf(&asked.arena, "%s'tool_calls':[]", member.at).at)
                .at);
        assert_null(strstr(asked.wire.body.at, "alone"));
        release(&asked);
    }
}

static void models_are_listed_at_each_address(void **state)
{
    (void)state;
    static const struct {
        const struct llm_provider *provider;
        const char *version, *url;
    } cases[] = {
        {&llm_provider_openai, "", "https://api.openai.com/v1/models"},
        {&llm_provider_azure, "", "https://r.openai.azure.com/openai/v1/models"},
        {&llm_provider_azure, "2024-10-21",
         "https://r.openai.azure.com/openai/models?api-version=2024-10-21"},
        {&llm_provider_google, "",
         "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000"},
        {&llm_provider_anthropic, "", "https://api.anthropic.com/v1/models?limit=1000"},
        {&llm_provider_ollama, "", "http://127.0.0.1:11434/api/tags"},
        {&llm_provider_dashscope, "", "https://dashscope.aliyuncs.com/compatible-mode/v1/models"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llm_site site = site_of(cases[i].provider);
        site.version = str_of(cases[i].version);
        struct llm_asking asking = {.site = &site, .key = STR("k-1")};
        struct asked asked = {0};
        asked.wire = (struct llm_wire){.arena = &asked.arena, .method = "POST"};
        assert_int_equal(cases[i].provider->write_models(&asking, &asked.wire, &asked.why), OK);
        assert_string_equal(asked.wire.method, "GET");
        assert_str_equal(asked.wire.url, cases[i].url);
        assert_true(asked.wire.header_count >= 1);
        release(&asked);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_asked_in_each_form),
        cmocka_unit_test(every_wish_reaches_those_who_know_it),
        cmocka_unit_test(tools_are_told_in_each_form),
        cmocka_unit_test(a_choice_of_tool_is_told_or_refused),
        cmocka_unit_test(calls_that_make_no_sense_are_refused),
        cmocka_unit_test(an_answer_to_no_call_is_refused),
        cmocka_unit_test(pictures_go_where_there_is_a_place_for_them),
        cmocka_unit_test(neighbours_of_one_role_are_merged),
        cmocka_unit_test(instructions_alone_are_asked_as_a_question),
        cmocka_unit_test(azure_has_two_addresses),
        cmocka_unit_test(whether_to_think_is_said_as_each_server_wants_it),
        cmocka_unit_test(dashscope_streams_by_a_header),
        cmocka_unit_test(a_speaker_is_named_where_there_is_a_place_for_it),
        cmocka_unit_test(headers_of_a_site_go_along),
        cmocka_unit_test(texts_are_embedded_in_each_form),
        cmocka_unit_test(reasoning_before_calls_goes_back_where_it_is_wanted),
        cmocka_unit_test(models_are_listed_at_each_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
