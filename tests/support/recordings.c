/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "recordings.h"

#define CHUNK(choice)                                                                              \
    "data: {'id':'c-1','object':'chat.completion.chunk','created':1790000000,'model':'m-1',"       \
    "'choices':[{'index':0," choice "}],'usage':null}\n\n"
#define ANSWER_WHOLE(thought)                                                                      \
    "{'id':'c-1','object':'chat.completion','model':'m-1','choices':[{'index':0,'message':{"       \
    "'role':'assistant','content':'你好, 世界 🌏!','" thought "':'想一想','tool_calls':[{"       \
    "'id':'call_9','type':'function','function':{'name':'look_up','arguments':"                    \
    "'{\\\"q\\\":\\\"茶\\\"}'}}]},'finish_reason':'tool_calls'}],'usage':" OPENAI_USAGE "}"
#define OPENAI_USAGE                                                                               \
    "{'prompt_tokens':21,'completion_tokens':9,'total_tokens':30,"                                 \
    "'prompt_tokens_details':{'cached_tokens':4},"                                                 \
    "'completion_tokens_details':{'reasoning_tokens':3}}"
#define GEMINI(parts, more)                                                                        \
    "data: {'candidates':[{'content':{'parts':[" parts "],'role':'model'},'index':0" more "}],"    \
    "'usageMetadata':{'promptTokenCount':21,'candidatesTokenCount':6,'thoughtsTokenCount':3,"      \
    "'cachedContentTokenCount':4,'totalTokenCount':30},'modelVersion':'m-1'}\r\n\r\n"
#define BLOCK(name, index, more)                                                                   \
    "event: " name "\ndata: {'type':'" name "','index':" index "," more "}\n\n"
#define LINE(message, more)                                                                        \
    "{'model':'m-1','created_at':'2026-11-24T12:00:00Z','message':{'role':'assistant'," message    \
    "}," more "}\n"
#define DASH(id, message, reason)                                                                  \
    "id:" id "\nevent:result\n:HTTP_STATUS/200\ndata:{'output':{'choices':[{'message':{"           \
    "'role':'assistant'," message "},'finish_reason':'" reason "'}]},'usage':{"                    \
    "'input_tokens':21,'output_tokens':9,'total_tokens':30,'prompt_tokens_details':{"              \
    "'cached_tokens':4},'output_tokens_details':{'reasoning_tokens':3}},'request_id':'r'}\n\n"
#define DASH_CALL                                                                                  \
    "'tool_calls':[{'index':0,'id':'call_9','type':'function','function':{'name':'look_up',"       \
    "'arguments':'{\\\"q\\\":\\\"茶\\\"}'}}]"
#define DASH_WHOLE                                                                                 \
    "{'output':{'choices':[{'message':{'role':'assistant','content':'你好, 世界 🌏!',"       \
    "'reasoning_content':'想一想'," DASH_CALL "},'finish_reason':'tool_calls'}]},'usage':{"        \
    "'input_tokens':21,'output_tokens':9,'total_tokens':30,'prompt_tokens_details':{"              \
    "'cached_tokens':4},'output_tokens_details':{'reasoning_tokens':3}},'request_id':'r'}"
#define DASH_ERRORS                                                                                \
    {                                                                                              \
        {"id:9\nevent:error\n:HTTP_STATUS/429\ndata:{'code':'Throttling.RateQuota',"               \
         "'message':'slower','request_id':'r'}\n\n",                                               \
         LLM_FAULT_RATE},                                                                          \
            {"id:9\nevent:error\n:HTTP_STATUS/500\ndata:{'code':'x','message':'y'}\n\n",           \
             LLM_FAULT_SERVER},                                                                    \
            {"data:{'code':'DataInspectionFailed','message':'no'}\n\n", LLM_FAULT_FILTER},         \
    }

const struct recording recordings[] = {
    {
        .name = "openai",
        .provider = &llm_provider_openai,
        .type = "text/event-stream; charset=utf-8",
        .pieces = {CHUNK("'delta':{'role':'assistant','content':''},'finish_reason':null"),
                   CHUNK("'delta':{'reasoning_content':'想一'},'finish_reason':null"),
                   CHUNK("'delta':{'reasoning_content':'想','content':null},'finish_reason':null"),
                   CHUNK("'delta':{'content':'你好, '},'finish_reason':null"),
                   CHUNK("'delta':{'content':'世界 \\ud83c'},'finish_reason':null"),
                   CHUNK("'delta':{'content':'\\udf0f!'},'finish_reason':null"),
                   CHUNK("'delta':{'tool_calls':[{'index':0,'id':'call_9','type':'function',"
                         "'function':{'name':'look_up','arguments':''}}]},'finish_reason':null"),
                   CHUNK("'delta':{'tool_calls':[{'index':0,'function':{'arguments':"
                         "'{\\\"q\\\":'}}]},'finish_reason':null"),
                   CHUNK("'delta':{'tool_calls':[{'index':0,'function':{'arguments':"
                         "'\\\"茶\\\"}'}}]},'finish_reason':null"),
                   CHUNK("'delta':{},'finish_reason':'tool_calls'"),
                   "data: {'id':'c-1','model':'m-1','choices':[],'usage':" OPENAI_USAGE "}\n\n",
                   "data: [DONE]\n\n"},
        .three = 6,
        .finish = 9,
        .marker = 11,
        .whole = "\n\n" ANSWER_WHOLE("reasoning_content"),
        .errors = {{"data: {'error':{'message':'x','type':'tokens','code':'rate_limit_exceeded'}}"
                    "\n\ndata: [DONE]\n\n",
                    LLM_FAULT_RATE},
                   {"error: {'code':503,'message':'x','type':'unavailable_error'}\n\n",
                    LLM_FAULT_OVERLOAD},
                   {"data: {'error':'model crashed'}\n\n", LLM_FAULT_SERVER},
                   {CHUNK("'delta':{},'finish_reason':'insufficient_system_resource'"),
                    LLM_FAULT_OVERLOAD}},
        .refused = {"{'error':{'message':'x','type':'invalid_request_error','param':null,"
                    "'code':'context_length_exceeded'}}",
                    LLM_FAULT_TOO_LONG},
        .call_id = "call_9",
        .model = "m-1",
        .usage = {21, 9, 4, 3, false},
    },
    {
        .name = "openrouter",
        .provider = &llm_provider_openai,
        .type = "text/event-stream",
        .pieces = {": OPENROUTER PROCESSING\n\n",
                   CHUNK("'delta':{'role':'assistant','content':'','reasoning':null,"
                         "'reasoning_details':[{'type':'reasoning.summary','summary':'想一'}]}"),
                   CHUNK("'delta':{'content':'','reasoning':'想','reasoning_details':[{"
                         "'type':'reasoning.text','text':'想'}]},'finish_reason':null"),
                   ": OPENROUTER PROCESSING\n\n",
                   CHUNK("'delta':{'content':'你好, '},'finish_reason':null"),
                   CHUNK("'delta':{'content':'世界 '},'finish_reason':null"),
                   CHUNK("'delta':{'content':'🌏!'},'finish_reason':null"),
                   CHUNK("'delta':{'tool_calls':[{'id':'call_9','type':'function',"
                         "'function':{'name':'look_up','arguments':{'q':'茶'}}}]}"),
                   CHUNK("'delta':{'content':''},'finish_reason':'stop',"
                         "'native_finish_reason':'stop'"),
                   "data: {'id':'c-1','model':'m-1','choices':[{'index':0,'delta':{'content':''},"
                   "'finish_reason':null}],'usage':" OPENAI_USAGE "}\n\n",
                   "data: [DONE]"},
        .three = 7,
        .finish = 8,
        .marker = 10,
        .whole = ANSWER_WHOLE("reasoning"),
        .errors = {{"data: {'id':'g','error':{'code':502,'message':'Provider disconnected'},"
                    "'choices':[{'index':0,'delta':{'content':''},'finish_reason':'error'}]}\n\n",
                    LLM_FAULT_OVERLOAD},
                   {"data: {'id':'g','error':{'code':'server_error','message':'x'}}\n\n",
                    LLM_FAULT_SERVER},
                   {CHUNK("'delta':{'content':''},'finish_reason':'error'"), LLM_FAULT_SERVER}},
        .refused = {"{'error':{'code':402,'message':'Insufficient credits'}}", LLM_FAULT_BILLING},
        .call_id = "call_9",
        .model = "m-1",
        .usage = {21, 9, 4, 3, false},
    },
    {
        .name = "azure",
        .provider = &llm_provider_azure,
        .type = "text/event-stream",
        .pieces = {"data: {'id':'','object':'','created':0,'model':'','choices':[],"
                   "'prompt_filter_results':[{'prompt_index':0,'content_filter_results':{}}]}\n\n",
                   CHUNK("'delta':{'role':'assistant'},'content_filter_results':{}"),
                   CHUNK("'delta':{'reasoning_content':'想一想'}"),
                   CHUNK("'delta':{'content':'你好, '},'content_filter_results':{'hate':{"
                         "'filtered':false,'severity':'safe'}}"),
                   CHUNK("'finish_reason':null,'content_filter_results':{},"
                         "'content_filter_offsets':{'check_offset':0,'start_offset':0,"
                         "'end_offset':4}"),
                   CHUNK("'delta':{'content':'世界 \\ud83c'}"),
                   CHUNK("'delta':{'content':'\\udf0f!'}"),
                   CHUNK("'delta':{'tool_calls':[{'index':0,'id':'call_9','type':'function',"
                         "'function':{'name':'look_up','arguments':'{\\\"q\\\":\\\"茶\\\"}'}}]}"),
                   CHUNK("'delta':{},'finish_reason':'tool_calls'"),
                   "data: {'id':'c-1','model':'m-1','choices':[],'usage':" OPENAI_USAGE "}\n\n",
                   "data: [DONE]\n\n"},
        .three = 7,
        .finish = 8,
        .marker = 10,
        .whole = ANSWER_WHOLE("reasoning_content"),
        .errors = {{"data: {'error':{'code':'429','message':'x'}}\n\n", LLM_FAULT_RATE},
                   {"data: {'error':{'code':'BadRequest','message':'x','innererror':{"
                    "'code':'ResponsibleAIPolicyViolation'}}}\n\n",
                    LLM_FAULT_FILTER}},
        .refused = {"{'error':{'code':'DeploymentNotFound','message':'x'}}", LLM_FAULT_MODEL},
        .call_id = "call_9",
        .model = "m-1",
        .usage = {21, 9, 4, 3, false},
    },
    {
        .name = "google",
        .provider = &llm_provider_google,
        .type = "text/event-stream",
        .pieces = {GEMINI("{'text':'想一','thought':true}", ""),
                   GEMINI("{'text':'想','thought':true},{'text':''}", ""),
                   GEMINI("{'text':'你好, '}", ""), GEMINI("{'text':'世界 \\ud83c'}", ""),
                   GEMINI("{'text':'\\udf0f!'}", ""),
                   GEMINI("{'functionCall':{'name':'look_up','args':{'q':'茶'}},"
                          "'thoughtSignature':'c2ln+/='}",
                          ""),
                   GEMINI("{'text':''}", ",'finishReason':'STOP'")},
        .three = 5,
        .finish = 6,
        .marker = -1,
        .whole = "{'candidates':[{'content':{'parts':[{'text':'想一想','thought':true},"
                 "{'text':'你好, 世界 🌏!'},{'functionCall':{'name':'look_up','args':{'q':'茶'}},"
                 "'thoughtSignature':'c2ln+/='}],'role':'model'},'finishReason':'STOP'}],"
                 "'usageMetadata':{'promptTokenCount':21,'candidatesTokenCount':6,"
                 "'thoughtsTokenCount':3,'cachedContentTokenCount':4},'modelVersion':'m-1'}",
        .errors = {{"{\n  'error': {\n    'code': 503,\n    'message': 'overloaded',\n"
                    "    'status': 'UNAVAILABLE'\n  }\n}\n",
                    LLM_FAULT_OVERLOAD},
                   {"[{'error': {'code': 429, 'message': 'x', 'status': 'RESOURCE_EXHAUSTED'}}]",
                    LLM_FAULT_RATE},
                   {"data: {'error':{'code':500,'message':'x','status':'INTERNAL'}}\r\n\r\n",
                    LLM_FAULT_SERVER},
                   {GEMINI("{'text':''}", ",'finishReason':'MALFORMED_FUNCTION_CALL'"),
                    LLM_FAULT_SERVER}},
        .refused = {"[{'error':{'code':403,'message':'x','status':'PERMISSION_DENIED'}}]",
                    LLM_FAULT_AUTH},
        .call_id = "hutong-0~c2ln+/=",
        .model = "m-1",
        .usage = {21, 9, 4, 3, false},
    },
    {
        .name = "anthropic",
        .provider = &llm_provider_anthropic,
        .type = "text/event-stream; charset=utf-8",
        .pieces = {"event: message_start\ndata: {'type':'message_start','message':{'id':'x',"
                   "'model':'m-1','content':[],'usage':{'input_tokens':12,"
                   "'cache_creation_input_tokens':5,'cache_read_input_tokens':4,"
                   "'output_tokens':1}}}\n\n",
                   BLOCK("content_block_start", "0",
                         "'content_block':{'type':'thinking','thinking':''}"),
                   "event: ping\ndata: {'type':'ping'}\n\n",
                   BLOCK("content_block_delta", "0",
                         "'delta':{'type':'thinking_delta','thinking':'想一想'}"),
                   BLOCK("content_block_delta", "0",
                         "'delta':{'type':'signature_delta','signature':'c2ln'}")
                       BLOCK("content_block_stop", "0", "'x':0"),
                   BLOCK("content_block_start", "1", "'content_block':{'type':'text','text':''}"),
                   BLOCK("content_block_delta", "1",
                         "'delta':{'type':'text_delta','text':'你好, "
                         "'}"),
                   BLOCK("content_block_delta", "1",
                         "'delta':{'type':'text_delta','text':'世界 \\ud83c'}"),
                   BLOCK("content_block_delta", "1",
                         "'delta':{'type':'text_delta','text':'\\udf0f!'}"),
                   "event: something_new\ndata: {'type':'something_new','delta':{'text':'?'}}\n\n",
                   BLOCK("content_block_stop", "1", "'x':0")
                       BLOCK("content_block_start", "2",
                             "'content_block':{'type':'tool_use','id':'toolu_9','name':'look_up',"
                             "'input':{}}"),
                   BLOCK("content_block_delta", "2",
                         "'delta':{'type':'input_json_delta','partial_json':''}"),
                   BLOCK("content_block_delta", "2",
                         "'delta':{'type':'input_json_delta','partial_json':'{\\\"q\\\":'}"),
                   BLOCK("content_block_delta", "2",
                         "'delta':{'type':'input_json_delta','partial_json':'\\\"茶\\\"}'}"),
                   BLOCK("content_block_stop", "2", "'x':0"),
                   "event: message_delta\ndata: {'type':'message_delta','delta':{'stop_reason':"
                   "'tool_use','stop_sequence':null},'usage':{'output_tokens':9}}\n\n",
                   "event: message_stop\ndata: {'type':'message_stop'}\n\n"},
        .three = 9,
        .finish = 15,
        .marker = 16,
        .whole = "{'id':'x','type':'message','role':'assistant','model':'m-1','content':["
                 "{'type':'thinking','thinking':'想一想','signature':'c2ln'},"
                 "{'type':'text','text':'你好, 世界 🌏!'},{'type':'tool_use','id':'toolu_9',"
                 "'name':'look_up','input':{'q':'茶'}}],'stop_reason':'tool_use','usage':{"
                 "'input_tokens':12,'cache_creation_input_tokens':5,'cache_read_input_tokens':4,"
                 "'output_tokens':9}}",
        .errors = {{"event: error\ndata: {'type':'error','error':{'type':'overloaded_error',"
                    "'message':'Overloaded'}}\n\n",
                    LLM_FAULT_OVERLOAD},
                   {"event: error\ndata: {'type':'error','error':{'type':'api_error',"
                    "'message':'x'}}\n\n",
                    LLM_FAULT_SERVER}},
        .refused = {"{'type':'error','error':{'type':'authentication_error','message':'x'},"
                    "'request_id':'r'}",
                    LLM_FAULT_AUTH},
        .call_id = "toolu_9",
        .model = "m-1",
        .usage = {21, 9, 4, -1, false},
    },
    {
        .name = "ollama",
        .provider = &llm_provider_ollama,
        .type = "application/x-ndjson",
        .pieces = {LINE("'content':'','thinking':'想一'", "'done':false"),
                   LINE("'content':'','thinking':'想'", "'done':false"),
                   LINE("'content':'你好, '", "'done':false"),
                   LINE("'content':'世界 \\ud83c'", "'done':false"),
                   LINE("'content':'\\udf0f!'", "'done':false"),
                   LINE("'content':'','tool_calls':[{'id':'call_9','function':{'index':0,"
                        "'name':'look_up','arguments':{'q':'茶'}}}]",
                        "'done':false"),
                   LINE("'content':''", "'done':true,'done_reason':'stop','total_duration':5,"
                                        "'prompt_eval_count':21,'eval_count':9")},
        .three = 5,
        .finish = 6,
        .marker = 6,
        .whole = "{'model':'m-1','message':{'role':'assistant','content':'你好, 世界 🌏!',"
                 "'thinking':'想一想','tool_calls':[{'id':'call_9','function':{'name':'look_up',"
                 "'arguments':{'q':'茶'}}}]},'done':true,'done_reason':'stop',"
                 "'prompt_eval_count':21,'eval_count':9}",
        .errors = {{"{'error':'an error was encountered while running the model'}\n",
                    LLM_FAULT_SERVER},
                   {"{'error':'model \\'m\\' not found, try pulling it first'}\n",
                    LLM_FAULT_MODEL}},
        .refused = {"{'error':'prompt exceeds the context length'}", LLM_FAULT_TOO_LONG},
        .call_id = "call_9",
        .model = "m-1",
        .usage = {21, 9, -1, -1, false},
    },
    {
        .name = "dashscope",
        .provider = &llm_provider_dashscope,
        .type = "text/event-stream;charset=UTF-8",
        .pieces = {DASH("1", "'content':'','reasoning_content':'想一'", "null"),
                   DASH("2", "'content':'','reasoning_content':'想'", "null"),
                   DASH("3", "'content':[{'text':'你好'},{'text':', '}],'reasoning_content':''",
                        "null"),
                   DASH("4", "'content':'世界 \\ud83c'", "null"),
                   DASH("5", "'content':'\\udf0f!'", "null"),
                   DASH("6", "'content':''," DASH_CALL, "null"),
                   DASH("7", "'content':''", "tool_calls")},
        .three = 5,
        .finish = 6,
        .marker = -1,
        .whole = DASH_WHOLE,
        .errors = DASH_ERRORS,
        .refused = {"{'code':'InvalidApiKey','message':'x','request_id':'r'}", LLM_FAULT_AUTH},
        .call_id = "call_9",
        .model = "",
        .usage = {21, 9, 4, 3, false},
    },
    {
        .name = "dashscope, cumulative",
        .provider = &llm_provider_dashscope,
        .quirks = LLM_QUIRK_CUMULATIVE,
        .type = "text/event-stream;charset=UTF-8",
        .pieces = {DASH("1", "'content':'','reasoning_content':'想一'", "null"),
                   DASH("2", "'content':'','reasoning_content':'想一想'", "null"),
                   DASH("3", "'content':'你好, ','reasoning_content':'想一想'", "null"),
                   DASH("4", "'content':'你好, 世界 ','reasoning_content':''", "null"),
                   DASH("5", "'content':'你好, 世界 🌏!'", "null"),
                   DASH("6", "'content':'你好, 世界 🌏!'," DASH_CALL, "null"),
                   DASH("7", "'content':'你好, 世界 🌏!'," DASH_CALL, "tool_calls")},
        .three = 5,
        .finish = 6,
        .marker = -1,
        .whole = DASH_WHOLE,
        .errors = DASH_ERRORS,
        .refused = {"{'code':'Arrearage','message':'x','request_id':'r'}", LLM_FAULT_BILLING},
        .call_id = "call_9",
        .model = "",
        .usage = {21, 9, 4, 3, false},
    },
};
const size_t recording_count = COUNT_OF(recordings);

void recording_text(struct buf *to, const char *text)
{
    for (const char *at = text; *at; at++) {
        bool kept = *at == '\\' && at[1] == '\''; /* \' stays what it is: ' */
        if (kept) at++;
        buf_add_byte(to, *at == '\'' && !kept ? '"' : *at);
    }
}

void recording_join(struct buf *to, const struct recording *recording, int from, int end)
{
    for (int i = from; i < PIECES_MAX && recording->pieces[i] && i != end; i++) {
        recording_text(to, recording->pieces[i]);
    }
}
