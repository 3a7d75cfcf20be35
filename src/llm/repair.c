/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/repair.h"

/* Codes that say it by themselves, of OpenAI and who follows it. */
static const char *const codes[] = {"unsupported_parameter", "unsupported_value",
                                    "unknown_parameter"};

/* How sentences say it, in any case. */
static const char *const lacks[] = {
    "unsupported",
    "not support",
    "n't support",
    "unknown parameter",
    "unknown field",
    "unknown name",              /* Gemini */
    "unrecognized",              /* Azure */
    "inputs are not permitted",  /* Anthropic, Fireworks: "Extra …" */
    "fields not permitted",      /* FastAPI */
    "is not enabled",            /* Gemini: "Penalty …" */
    "is unavailable",            /* DeepSeek: "This response_format type …" */
    "is deprecated",             /* Anthropic: "`temperature` … for this model" */
    "is allowed for this model", /* Moonshot: "invalid temperature: only 1 …" */
    "restricted to true",        /* DashScope's models that always think */
};

/* What else they speak of when the mistake is in the question: its schema, its tools, a number, two
 * wishes at once. */
static const char *const mistakes[] = {
    "schema for",     "invalid schema", "properties", "function", "tool",     "messages",
    "range",          "must be",        "at most",    "at least", "between",  "maximum",
    "minimum",        "too large",      "too small",  "too high", "too low",  "less than",
    "greater than",   "exceed",         " when ",     " while ",  "together", "combin",
    "cannot both be", "with stream"};

/* Fields, by any of the names they go by. */
static const struct {
    const char *name;
    unsigned quirk;
} fields[] = {
    {"stream_options", LLM_QUIRK_NO_USAGE},
    {"temperature", LLM_QUIRK_NO_SAMPLING},
    {"top_p", LLM_QUIRK_NO_SAMPLING},
    {"topP", LLM_QUIRK_NO_SAMPLING},
    {"penalty", LLM_QUIRK_NO_SAMPLING},
    {"presence_penalty", LLM_QUIRK_NO_SAMPLING},
    {"presencePenalty", LLM_QUIRK_NO_SAMPLING},
    {"frequency_penalty", LLM_QUIRK_NO_SAMPLING},
    {"frequencyPenalty", LLM_QUIRK_NO_SAMPLING},
    {"response_format", LLM_QUIRK_NO_SCHEMA},
    {"response format", LLM_QUIRK_NO_SCHEMA},
    {"json_schema", LLM_QUIRK_NO_SCHEMA},
    {"responseSchema", LLM_QUIRK_NO_SCHEMA},
    {"responseJsonSchema", LLM_QUIRK_NO_SCHEMA},
    {"output_config", LLM_QUIRK_NO_SCHEMA},
    {"json mode", LLM_QUIRK_NO_SCHEMA},
    {"reasoning_effort", LLM_QUIRK_NO_THINKING},
    {"reasoning", LLM_QUIRK_NO_THINKING},
    {"enable_thinking", LLM_QUIRK_NO_THINKING},
    {"chat_template_kwargs", LLM_QUIRK_NO_THINKING},
    {"thinkingConfig", LLM_QUIRK_NO_THINKING},
    {"thinking", LLM_QUIRK_NO_THINKING},
    {"think", LLM_QUIRK_NO_THINKING},
};

static bool says(const char *text, const char *const *phrases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(text, phrases[i])) return true;
    return false;
}

static bool is_lack(const struct llm_trouble *trouble)
{
    if (trouble->fault != LLM_FAULT_REQUEST) return false;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (strcmp(trouble->code, codes[i]) == 0) return true;
    return says(trouble->text, lacks, COUNT_OF(lacks)) &&
           !says(trouble->text, mistakes, COUNT_OF(mistakes));
}

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* As a name of its own: `get_temperature` is a tool. */
static bool has_name(const char *text, const char *name)
{
    for (const char *at = text; (at = strcasestr(at, name)) != NULL; at++) {
        bool begins = at == text || !is_of_name(at[-1]);
        if (begins && !is_of_name(at[strlen(name)])) return true;
    }
    return false;
}

/* Where the provider names the field, that alone counts: "temperature", "response_format.type",
 * but not "tools[0].function.parameters". */
static bool blames(const struct llm_trouble *trouble, const char *name)
{
    size_t len = strlen(name);
    if (trouble->param[0] == '\0') return has_name(trouble->text, name);
    return strncmp(trouble->param, name, len) == 0 && !is_of_name(trouble->param[len]);
}

/* "… must be passed back", "Missing …": DeepSeek wants it, and others do not know it. */
static unsigned reasoning_after(unsigned quirks, const struct llm_trouble *trouble)
{
    static const char *const wanted[] = {"passed", "missing"};
    return quirks | (says(trouble->text, wanted, COUNT_OF(wanted)) ? LLM_QUIRK_REASONING_BACK
                                                                   : LLM_QUIRK_NO_REASONING_BACK);
}

unsigned llm_quirks_after(unsigned quirks, const struct llm_trouble *trouble)
{
    bool refused = trouble->fault == LLM_FAULT_REQUEST;
    if (refused && strstr(trouble->text, "reasoning_content"))
        return reasoning_after(quirks, trouble);
    if (!is_lack(trouble)) return quirks;
    /* The sentence mostly names the other one, too. */
    const char *ceiling = quirks & LLM_QUIRK_MAX_TOKENS ? "max_tokens" : "max_completion_tokens";
    if (blames(trouble, ceiling)) return quirks ^ LLM_QUIRK_MAX_TOKENS;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!blames(trouble, fields[i].name)) continue;
        bool more = fields[i].quirk == LLM_QUIRK_NO_SCHEMA && (quirks & LLM_QUIRK_NO_SCHEMA);
        return quirks | (more ? LLM_QUIRK_NO_JSON : fields[i].quirk);
    }
    return quirks;
}
