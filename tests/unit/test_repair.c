/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/repair.h"

#include "unit.h"

enum {
    OLD = LLM_QUIRK_MAX_TOKENS,
    USAGE = LLM_QUIRK_NO_USAGE,
    SAMPLING = LLM_QUIRK_NO_SAMPLING,
    SCHEMA = LLM_QUIRK_NO_SCHEMA,
    JSON = LLM_QUIRK_NO_JSON,
    THINKING = LLM_QUIRK_NO_THINKING
};

struct said {
    const char *code, *param, *text;
    unsigned before, after;
};

static void assert_mends(const struct said *said)
{
    struct llm_trouble trouble = {.fault = LLM_FAULT_REQUEST};
    str_copy(trouble.code, sizeof(trouble.code), str_of(said->code));
    str_copy(trouble.param, sizeof(trouble.param), str_of(said->param));
    str_copy(trouble.text, sizeof(trouble.text), str_of(said->text));
    unsigned after = llm_quirks_after(said->before, &trouble);
    if (after != said->after) fail_msg("%s: %u, not %u", said->text, after, said->after);
    trouble.fault = LLM_FAULT_SERVER;
    assert_int_equal(llm_quirks_after(said->before, &trouble), said->before);
}

static void what_a_model_lacks_is_left_out(void **state)
{
    (void)state;
    static const struct said cases[] = {
        /* OpenAI's models that think */
        {"unsupported_parameter", "max_tokens",
         "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.",
         OLD, 0},
        {"unsupported_parameter", "",
         "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.",
         OLD, 0},
        {"unsupported_value", "temperature",
         "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default "
         "(1) value is supported.",
         0, SAMPLING},
        {"unsupported_parameter", "top_p",
         "Unsupported parameter: 'top_p' is not supported with this model.", OLD, OLD | SAMPLING},
        {"unsupported_value", "reasoning_effort",
         "Unsupported value: 'reasoning_effort' does not support 'low' with this model.", 0,
         THINKING},
        {"invalid_request_error", "",
         "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this "
         "model.",
         0, SCHEMA},
        {"invalid_request_error", "",
         "Invalid parameter: 'response_format' of type 'json_object' is not supported with this "
         "model.",
         SCHEMA, SCHEMA | JSON},
        {"unknown_parameter", "chat_template_kwargs", "Unknown parameter: 'chat_template_kwargs'.",
         0, THINKING},
        /* Azure, DeepSeek, Groq, Moonshot, xAI */
        {"", "", "Unrecognized request argument supplied: max_completion_tokens", 0, OLD},
        {"", "", "Unrecognized request argument supplied: stream_options", OLD, OLD | USAGE},
        {"invalid_request_error", "", "This response_format type is unavailable now", OLD,
         OLD | SCHEMA},
        {"invalid_request_error", "", "This model does not support response format `json_schema`.",
         OLD, OLD | SCHEMA},
        {"invalid_request_error", "", "invalid temperature: only 1 is allowed for this model", OLD,
         OLD | SAMPLING},
        {"", "", "Argument not supported on this model: presencePenalty", OLD, OLD | SAMPLING},
        /* Anthropic, Gemini, Ollama, DashScope */
        {"invalid_request_error", "", "`temperature` is deprecated for this model.", 0, SAMPLING},
        {"invalid_request_error", "", "output_config: Extra inputs are not permitted", 0, SCHEMA},
        {"INVALID_ARGUMENT", "",
         "Invalid JSON payload received. Unknown name \"responseJsonSchema\" at "
         "'generation_config': Cannot find field.",
         0, SCHEMA},
        {"INVALID_ARGUMENT", "", "Penalty is not enabled for models/gemini-x", 0, SAMPLING},
        {"", "", "\"m\" does not support thinking", 0, THINKING},
        {"InvalidParameter", "",
         "The value of the enable_thinking parameter is restricted to True.", 0, THINKING},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_mends(&cases[i]);
}

static void what_a_program_did_wrong_changes_nothing(void **state)
{
    (void)state;
    static const struct said cases[] = {
        {"invalid_request_error", "",
         "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", OLD, OLD},
        {"", "max_tokens",
         "max_tokens is too large: 99999. This model supports at most 16384 completion tokens, "
         "whereas you provided 99999.",
         OLD, OLD},
        {"", "", "temperature 3 is not supported: must be between 0 and 2", OLD, OLD},
        {"invalid_request_error", "", "temperature must be between 0 and 1", OLD, OLD},
        {"decimal_above_max_value", "temperature",
         "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 "
         "instead.",
         0, 0},
        {"invalid_function_parameters", "tools[0].function.parameters",
         "Invalid schema for function 'get_temperature': object schema missing properties.", OLD,
         OLD},
        {"unsupported_parameter", "tools[0].temperature", "Unsupported parameter: temperature", 0,
         0},
        {"", "", "Unknown parameter: get_temperature", 0, 0},
        {"INVALID_ARGUMENT", "",
         "Invalid JSON payload received. Unknown name \"temperature\" at 'tools[0]."
         "function_declarations[0].parameters.properties[0].value': Cannot find field.",
         0, 0},
        {"invalid_request_error", "",
         "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is "
         "required to be supplied and to be false.",
         0, 0},
        {"invalid_json_schema", "response_format",
         "Invalid schema for response_format 'x': 'not' is not supported.", 0, 0},
        {"invalid_request_error", "",
         "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
         "'json_object'.",
         0, 0},
        {"", "", "'response_format.type' must be 'json_schema' or 'text'", OLD, OLD},
        {"invalid_request_error", "", "Thinking is not supported when tool_choice forces tool use.",
         0, 0},
        /* What was not sent is not to blame. */
        {"unsupported_parameter", "max_tokens", "Unsupported parameter: 'max_tokens'", 0, 0},
        {"unsupported_value", "messages[0].role",
         "Unsupported value: 'messages[0].role' does not support 'system' with this model.", 0, 0},
        {"", "", "", OLD, OLD},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_mends(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_model_lacks_is_left_out),
        cmocka_unit_test(what_a_program_did_wrong_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
