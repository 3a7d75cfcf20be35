/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/fault.c: a dozen notations of failure, one list of kinds.
 *
 * The provider's own word (its code or type) says more than the status, so it
 * is asked first; words in the sentence decide only where nothing else does.
 */
#include "llm/fault.h"

#include "base/clock.h"
#include "base/utf8.h"

/* --- what the provider said --- */

struct said {
    struct str code, inner, type, param, message; /* inner: Azure's filter behind a general code */
    int status;                                   /* of the body, where it names one; 0: none */
    bool moderated; /* OpenRouter names its reasons to let a question through to no model */
};

/* A status may stand in the place of a code, as a number or (Azure) as a string of digits. */
static void take_number(const struct json *value, struct said *said)
{
    int64_t number = 0;
    struct str digits;
    bool known =
        json_as_str(value, &digits) ? str_to_i64(digits, &number) : json_as_i64(value, &number);
    if (known && number >= 400 && number < 600) said->status = (int)number;
}

/* The object that carries code and message, wherever it stands. */
static void read_object(const struct json *object, struct said *said)
{
    const struct json *code = json_get(object, "code");
    if (code == NULL) code = json_get(object, "status");
    if (code == NULL) code = json_get(object, "statusCode");
    if (code && json_kind(code) == JSON_STRING) said->code = llm_json_text(object, "code");
    if (code) take_number(code, said);
    struct str status = llm_json_text(object, "status"); /* Gemini: "RESOURCE_EXHAUSTED" */
    if (status.len > 0) said->code = status;
    said->inner = llm_json_text(json_get(object, "innererror"), "code");
    said->type = llm_json_text(object, "type");
    said->param = llm_json_text(object, "param");
    said->moderated = json_first(json_get(json_get(object, "metadata"), "reasons")) != NULL;
    said->message = llm_json_text(object, "message");
    if (said->message.len == 0) said->message = llm_json_text(object, "Message");
    if (said->message.len == 0) said->message = llm_json_text(object, "detail");
}

static struct said read_said(const struct json *body)
{
    struct said said = {0};
    if (body && json_kind(body) == JSON_ARRAY) body = json_first(body);
    if (body == NULL) return said;
    const struct json *error = json_get(body, "error");
    if (error && json_kind(error) == JSON_STRING) {
        said.message = llm_json_text(body, "error");
    } else if (error && json_kind(error) == JSON_OBJECT) {
        read_object(error, &said);
    } else {
        read_object(body, &said);
    }
    const struct json *first = json_first(json_get(body, "detail")); /* a list of field errors */
    if (said.message.len == 0 && first) said.message = llm_json_text(first, "msg");
    return said;
}

static bool has(struct str text, struct str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++) {
        if (str_eq_nocase((struct str){text.at + at, part.len}, part)) return true;
    }
    return false;
}

/* --- kinds --- */

struct word {
    const char *word; /* of code or type, any case; found anywhere in it */
    enum llm_fault fault;
};

/* In this order: the special before the general. */
static const struct word words[] = {
    {"insufficient_quota", LLM_FAULT_BILLING},
    {"billing", LLM_FAULT_BILLING},
    {"Arrearage", LLM_FAULT_BILLING},
    {"FreeTierOnly", LLM_FAULT_BILLING},
    {"AllocationQuota", LLM_FAULT_QUOTA},
    {"content_filter", LLM_FAULT_FILTER},
    {"content_policy", LLM_FAULT_FILTER},
    {"ResponsibleAIPolicyViolation", LLM_FAULT_FILTER},
    {"DataInspectionFailed", LLM_FAULT_FILTER},
    {"data_inspection_failed", LLM_FAULT_FILTER},
    {"context_length_exceeded", LLM_FAULT_TOO_LONG},
    {"exceed_context_size", LLM_FAULT_TOO_LONG},
    {"request_too_large", LLM_FAULT_TOO_LONG},
    {"invalid_api_key", LLM_FAULT_AUTH},
    {"InvalidApiKey", LLM_FAULT_AUTH},
    {"authentication", LLM_FAULT_AUTH},
    {"permission", LLM_FAULT_AUTH},
    {"Model.AccessDenied", LLM_FAULT_MODEL},
    {"AccessDenied", LLM_FAULT_AUTH},
    {"model_not_found", LLM_FAULT_MODEL},
    {"ModelNotFound", LLM_FAULT_MODEL},
    {"DeploymentNotFound", LLM_FAULT_MODEL},
    {"rate_limit", LLM_FAULT_RATE},
    {"Throttling", LLM_FAULT_RATE},
    {"LimitRequests", LLM_FAULT_RATE},
    {"RESOURCE_EXHAUSTED", LLM_FAULT_RATE},
    {"overloaded", LLM_FAULT_OVERLOAD},
    {"UNAVAILABLE", LLM_FAULT_OVERLOAD},
    {"unavailable_error", LLM_FAULT_OVERLOAD},
    {"insufficient_system_resource", LLM_FAULT_OVERLOAD},
    {"DEADLINE_EXCEEDED", LLM_FAULT_OVERLOAD},
    {"timeout_error", LLM_FAULT_OVERLOAD},
    {"RequestTimeOut", LLM_FAULT_OVERLOAD},
    {"api_error", LLM_FAULT_SERVER},
    {"server_error", LLM_FAULT_SERVER},
    {"InternalError", LLM_FAULT_SERVER},
    {"INTERNAL", LLM_FAULT_SERVER},
};

/* Phrases of sentences, for what comes without a code or with one that says too little. */
static const struct word phrases[] = {
    /* "See supported models at …" may follow. */
    {"is not supported with this model", LLM_FAULT_REQUEST},
    {"not support response format", LLM_FAULT_REQUEST},
    {"api key not valid", LLM_FAULT_AUTH},
    {"API_KEY_INVALID", LLM_FAULT_AUTH},
    {"incorrect api key", LLM_FAULT_AUTH},
    {"context length", LLM_FAULT_TOO_LONG},
    {"prompt is too long", LLM_FAULT_TOO_LONG},
    {"context size", LLM_FAULT_TOO_LONG},
    {"context window", LLM_FAULT_TOO_LONG},
    {"exceeds the maximum number of tokens", LLM_FAULT_TOO_LONG},
    {"Range of input length", LLM_FAULT_TOO_LONG},
    {"model not found", LLM_FAULT_MODEL},
    {"does not exist", LLM_FAULT_MODEL},
    {"model not exist", LLM_FAULT_MODEL}, /* DeepSeek */
    {"supported models", LLM_FAULT_MODEL},
    {"supported API model names", LLM_FAULT_MODEL},
    {"is not a valid model", LLM_FAULT_MODEL},
    {"no models loaded", LLM_FAULT_MODEL},
    {"try pulling it first", LLM_FAULT_MODEL},
    {"no endpoints found", LLM_FAULT_MODEL}, /* OpenRouter */
    {"billing", LLM_FAULT_BILLING},
    {"insufficient balance", LLM_FAULT_BILLING},
    {"insufficient credits", LLM_FAULT_BILLING},
    {"overloaded", LLM_FAULT_OVERLOAD},
    {"rate limit", LLM_FAULT_RATE},
};

static enum llm_fault find_word(const struct word *table, size_t count, struct str text)
{
    if (text.len == 0) return LLM_FAULT_NONE;
    for (size_t i = 0; i < count; i++) {
        if (has(text, str_of(table[i].word))) return table[i].fault;
    }
    return LLM_FAULT_NONE;
}

static enum llm_fault by_status(int status)
{
    switch (status) {
    case 401:
    case 403: return LLM_FAULT_AUTH;
    case 402: return LLM_FAULT_BILLING;
    case 404: return LLM_FAULT_MODEL;
    case 408:
    case 409:
    case 502:
    case 503:
    case 504:
    case 529: return LLM_FAULT_OVERLOAD;
    case 413: return LLM_FAULT_TOO_LONG;
    case 429: return LLM_FAULT_RATE;
    case 530: return LLM_FAULT_OVERLOAD;
    default: break;
    }
    if (status >= 520 && status <= 526) return LLM_FAULT_OVERLOAD;
    if (status >= 500 || status == 424) return LLM_FAULT_SERVER;
    if (status >= 400) return LLM_FAULT_REQUEST;
    return status >= 300 ? LLM_FAULT_PROTOCOL : LLM_FAULT_SERVER;
}

static enum llm_fault kind_of(int status, const struct said *said)
{
    if (status == 403 && said->moderated) return LLM_FAULT_FILTER;
    enum llm_fault fault = find_word(words, COUNT_OF(words), said->code);
    if (fault == LLM_FAULT_NONE) fault = find_word(words, COUNT_OF(words), said->inner);
    if (fault == LLM_FAULT_NONE) fault = find_word(words, COUNT_OF(words), said->type);
    /* "It is your request", says the status, whatever else is said of servers. */
    if (fault == LLM_FAULT_SERVER && status >= 400 && status < 500) fault = LLM_FAULT_NONE;
    /* A status names its kind only roughly where it stands for "your request was wrong". */
    bool vague = status == 0 || status == 400 || status == 403 || status == 404 || status == 422 ||
                 status == 429 || status >= 500;
    if (fault == LLM_FAULT_NONE && vague) {
        fault = find_word(phrases, COUNT_OF(phrases), said->message);
    }
    return fault == LLM_FAULT_NONE ? by_status(status) : fault;
}

/* What servers say of an address in which they have nothing, OpenAI, vLLM, llama.cpp, LM Studio
 * (with status 200) and Go among them. */
static bool is_wrong_path(int status, const struct said *said)
{
    static const char *const parts[] = {
        "page not found", "file not found",      "resource not found",
        "invalid URL",    "unexpected endpoint", "method not allowed",
        "cannot GET /",   "cannot POST /",       "no route matches"};
    bool may = status == 404 || status == 405 || (status >= 200 && status < 300);
    if (may && str_eq_nocase(str_trim(said->message), STR("not found"))) return true;
    for (size_t i = 0; may && i < COUNT_OF(parts); i++) {
        if (has(said->message, str_of(parts[i]))) return true;
    }
    return false;
}

void llm_fault_note_path(struct llm_trouble *trouble)
{
    trouble->fault = LLM_FAULT_PROTOCOL;
    str_copy(trouble->code, sizeof(trouble->code), STR(LLM_CODE_WRONG_PATH));
}

/* --- hints of time --- */

/* "1h2m3s", "6m0s", "17ms", "1.5s", "37" (seconds). */
static int64_t read_duration_ms(struct str text)
{
    double total_ms = 0;
    size_t at = 0;
    while (at < text.len) {
        double number = 0, place = 0;
        size_t from = at;
        for (; at < text.len && (strchr("0123456789.", text.at[at]) && text.at[at]); at++) {
            if (text.at[at] == '.') {
                if (place > 0) return -1;
                place = 1;
            } else if (place > 0) {
                place /= 10;
                number += place * (text.at[at] - '0');
            } else {
                number = number * 10 + (text.at[at] - '0');
            }
        }
        if (at == from || number > 1e9) return -1;
        struct str unit = str_from(text, at);
        double unit_ms = 1000;
        size_t unit_len = 1;
        if (str_starts(unit, STR("ms"))) {
            unit_ms = 1;
            unit_len = 2;
        } else if (str_starts(unit, STR("h"))) {
            unit_ms = 3600000;
        } else if (str_starts(unit, STR("m"))) {
            unit_ms = 60000;
        } else if (unit.len == 0) {
            unit_len = 0;
        } else if (!str_starts(unit, STR("s"))) {
            return -1;
        }
        at += unit_len;
        total_ms += number * unit_ms;
    }
    return text.len == 0 ? -1 : (int64_t)total_ms;
}

int64_t llm_retry_after_ms(struct str text, int64_t wall_us)
{
    text = str_trim(text);
    int64_t wall_s;
    if (clock_http_parse(text, &wall_s)) return MAX(wall_s * 1000 - wall_us / 1000, 0);
    return read_duration_ms(text);
}

/* Gemini: error.details[] has a RetryInfo with "37s", names of quotas that end with the day, and
 * the true reason of a refused key. */
static void read_details(const struct json *body, struct llm_trouble *trouble)
{
    if (body && json_kind(body) == JSON_ARRAY) body = json_first(body);
    const struct json *detail = json_first(json_get(json_get(body, "error"), "details"));
    for (; detail; detail = json_after(detail)) {
        struct str delay = llm_json_text(detail, "retryDelay");
        if (delay.len > 0) trouble->retry_after_ms = read_duration_ms(delay);
        const struct json *violation = json_first(json_get(detail, "violations"));
        for (; violation; violation = json_after(violation)) {
            bool day = has(llm_json_text(violation, "quotaId"), STR("PerDay"));
            if (day && trouble->fault == LLM_FAULT_RATE) trouble->fault = LLM_FAULT_QUOTA;
        }
        if (str_eq(llm_json_text(detail, "reason"), STR("API_KEY_INVALID"))) {
            trouble->fault = LLM_FAULT_AUTH;
        }
    }
}

/* --- the trouble --- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Bytes of what looks like a key at the front of `text`; 0: it does not. */
static size_t key_bytes(struct str text)
{
    static const char *const starts[] = {"sk-", "pk-", "Bearer ",   "AIza", "gsk_",    "xai-",
                                         "hf_", "eyJ", "api-key: ", "key=", "api_key="};
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        struct str start = str_of(starts[i]);
        if (text.len < start.len || !str_eq_nocase(str_head(text, start.len), start)) continue;
        size_t len = start.len;
        while (len < text.len && !strchr(" \t\r\n\"'<>,;)}]", text.at[len])) len++;
        return len - start.len >= 6 ? len : 0; /* "sk-fold" and "Bearer token" are words */
    }
    return 0;
}

/* Providers repeat keys in their sentences, proxies whole headers. Neither goes into logs. */
static void copy_clean(char *to, size_t to_bytes, struct str text)
{
    struct buf clean;
    bool ascii_only = !utf8_valid(text); /* of plain bodies, which may be anything */
    buf_init(&clean, to_bytes + 8);
    for (size_t i = 0; i < text.len && clean.len < to_bytes; i++) {
        bool begins = i == 0 || !is_word(text.at[i - 1]);
        size_t key = begins ? key_bytes(str_from(text, i)) : 0;
        if (key > 0) {
            buf_add_str(&clean, STR("[key]"));
            i += key - 1;
        } else {
            unsigned char byte = (unsigned char)text.at[i];
            bool bad = byte < ' ' || byte == 0x7F || (ascii_only && byte > 0x7F);
            buf_add_byte(&clean, bad ? ' ' : text.at[i]);
        }
    }
    str_copy(to, to_bytes, buf_str(&clean));
    buf_release(&clean);
}

struct llm_trouble llm_fault_read(int status, const struct json *body)
{
    struct llm_trouble trouble = {.retry_after_ms = -1};
    struct said said = read_said(body);
    if (status == 0) status = said.status;
    trouble.fault = kind_of(status, &said);
    read_details(body, &trouble);
    copy_clean(trouble.code, sizeof(trouble.code), said.code.len ? said.code : said.type);
    copy_clean(trouble.param, sizeof(trouble.param), said.param);
    copy_clean(trouble.text, sizeof(trouble.text), said.message);
    bool roughly = trouble.fault == by_status(status) || trouble.fault == LLM_FAULT_SERVER;
    if (roughly && is_wrong_path(status, &said)) llm_fault_note_path(&trouble);
    return trouble;
}

struct llm_trouble llm_fault_read_text(int status, struct str body)
{
    struct llm_trouble trouble = {.retry_after_ms = -1};
    struct said said = {.message = body};
    bool page = body.len > 0 && body.at[0] == '<';
    if (page) said.message = STR("a web page stood in the place of an answer");
    trouble.fault = status >= 400 ? kind_of(status, &said) : LLM_FAULT_PROTOCOL;
    copy_clean(trouble.text, sizeof(trouble.text), said.message);
    bool missing = (status == 404 || status == 405) && trouble.fault == by_status(status);
    if (missing && (page || is_wrong_path(status, &said))) llm_fault_note_path(&trouble);
    return trouble;
}

/* LM Studio reports errors with status 200. */
static bool is_error(const struct json *body)
{
    const struct json *error = json_kind(body) == JSON_OBJECT ? json_get(body, "error") : NULL;
    return error && (json_kind(error) == JSON_OBJECT || json_kind(error) == JSON_STRING);
}

struct llm_trouble llm_fault_read_body(int status, struct str body, struct json **tree_out)
{
    struct llm_trouble trouble = {.retry_after_ms = -1};
    struct json *tree = NULL;
    struct why why;
    if (json_parse(str_trim(body), &tree, NULL, &why) != OK) {
        trouble = llm_fault_read_text(status, body);
    } else if (status < 200 || status > 299 || is_error(tree)) {
        trouble = llm_fault_read(status, tree);
        json_free(tree);
        tree = NULL;
    }
    *tree_out = tree;
    return trouble;
}

/* --- what to do, and what to say --- */

struct llm_fault_rules llm_fault_rules(enum llm_fault fault)
{
    static const struct llm_fault_rules rules[LLM_FAULT_COUNT] = {
        [LLM_FAULT_AUTH] = {.next_key = true, .next_site = true},
        [LLM_FAULT_BILLING] = {.next_key = true, .next_site = true},
        [LLM_FAULT_RATE] = {.again = true, .next_key = true, .next_site = true},
        [LLM_FAULT_QUOTA] = {.next_key = true, .next_site = true},
        [LLM_FAULT_OVERLOAD] = {.again = true, .next_site = true, .counts = true},
        [LLM_FAULT_SERVER] = {.again = true, .next_site = true, .counts = true},
        [LLM_FAULT_CONNECTION] = {.again = true, .next_site = true, .counts = true},
        [LLM_FAULT_TIMEOUT] = {.next_site = true, .counts = true},
        [LLM_FAULT_TRUNCATED] = {.again = true, .next_site = true, .counts = true},
        [LLM_FAULT_EMPTY] = {.again = true, .next_site = true, .counts = true},
        [LLM_FAULT_PROTOCOL] = {.next_site = true, .counts = true},
        [LLM_FAULT_MODEL] = {.next_site = true},
        [LLM_FAULT_BUSY] = {.next_site = true},
    };
    return rules[fault];
}

static const char *const fault_names[LLM_FAULT_COUNT] = {
    [LLM_FAULT_NONE] = "none",           [LLM_FAULT_AUTH] = "bad_key",
    [LLM_FAULT_BILLING] = "no_credit",   [LLM_FAULT_RATE] = "rate_limited",
    [LLM_FAULT_QUOTA] = "quota",         [LLM_FAULT_OVERLOAD] = "overloaded",
    [LLM_FAULT_SERVER] = "server_error", [LLM_FAULT_CONNECTION] = "unreachable",
    [LLM_FAULT_TIMEOUT] = "timeout",     [LLM_FAULT_TRUNCATED] = "truncated",
    [LLM_FAULT_EMPTY] = "empty_answer",  [LLM_FAULT_TOO_LONG] = "too_long",
    [LLM_FAULT_FILTER] = "filtered",     [LLM_FAULT_MODEL] = "no_such_model",
    [LLM_FAULT_REQUEST] = "bad_request", [LLM_FAULT_PROTOCOL] = "protocol",
    [LLM_FAULT_BUSY] = "busy",           [LLM_FAULT_SETUP] = "not_configured",
};

const char *llm_fault_name(enum llm_fault fault)
{
    return fault_names[fault];
}

/* %1: the site, %2: the model. */
static const char *const sentences[LLM_FAULT_COUNT] = {
    [LLM_FAULT_NONE] = "the answer of %1 reached its length limit; ask it to go on",
    [LLM_FAULT_AUTH] = "%1 does not accept the key; set a valid key for it",
    [LLM_FAULT_BILLING] = "the account at %1 has no credit left; top it up or choose another model",
    [LLM_FAULT_RATE] = "%1 gets too many requests at the moment; try again in a while",
    [LLM_FAULT_QUOTA] = "the quota at %1 is used up for now; choose another model or wait",
    [LLM_FAULT_OVERLOAD] = "%1 is overloaded; try again in a while or choose another model",
    [LLM_FAULT_SERVER] = "%1 had an error of its own; try again or choose another model",
    [LLM_FAULT_CONNECTION] =
        "%1 cannot be reached, or the connection broke; check that it runs and "
        "that its address is right",
    [LLM_FAULT_TIMEOUT] = "%1 was silent for too long; try again or choose a faster model",
    [LLM_FAULT_TRUNCATED] = "the answer of %1 broke off before its end; ask again",
    [LLM_FAULT_EMPTY] = "%1 gave an empty answer; ask again or put it differently",
    [LLM_FAULT_TOO_LONG] = "this is more text than %2 at %1 can read; shorten it or start a new "
                           "conversation",
    [LLM_FAULT_FILTER] = "the content filter of %1 stopped this answer; put the question "
                         "differently",
    [LLM_FAULT_MODEL] = "%1 has no model %2; `hutong llm models` lists those there are",
    [LLM_FAULT_REQUEST] = "%1 did not accept the request",
    [LLM_FAULT_PROTOCOL] = "%1 answered what no model server says; check its address",
    [LLM_FAULT_BUSY] = "too many questions wait for a model already; try again in a while",
    [LLM_FAULT_SETUP] = "no model is set up that could answer; `hutong llm check` tells what is "
                        "missing",
};

static bool has_path(struct str base)
{
    struct str rest = str_from(base, str_find(base, STR("://")) + 3);
    return str_find_byte(rest, '/') < rest.len;
}

/* Of a server that has nothing in the place that was asked: what such addresses look like. */
static const char *path_sentence(const struct llm_site *site)
{
    struct str base = site ? site->base : STR("");
    const char *provider = site ? site->provider->name : "";
    if (strcmp(provider, "openai") == 0) {
        if (!str_ends(base, STR("/v1")))
            return "%1 knows nothing of models at its address; most such addresses end in /v1";
    } else if (strcmp(provider, "google") == 0) {
        if (!str_ends(base, STR("/v1beta")))
            return "%1 knows nothing of models at its address; it should end in /v1beta";
    } else if (has_path(base)) {
        return "%1 knows nothing of models at its address; it should be that of the server alone, "
               "without a path";
    }
    return "%1 knows nothing of models at its address; check it";
}

static const char *sentence_of(enum llm_fault fault, const struct llm_site *site, struct str model,
                               const struct llm_trouble *trouble)
{
    const char *code = trouble ? trouble->code : "";
    if (fault == LLM_FAULT_TRUNCATED && strcmp(code, LLM_CODE_TOO_MUCH) == 0)
        return "the answer of %1 is longer than the 4 MiB that are taken";
    if (fault == LLM_FAULT_MODEL && model.len == 0)
        return "%1 lists no model that could answer; load one there, or name one that it has";
    if (fault != LLM_FAULT_PROTOCOL) return sentences[fault];
    if (strcmp(code, LLM_CODE_NO_URL) == 0)
        return "the address of %1 is none that can be called; correct it in the settings";
    if (strcmp(code, LLM_CODE_NO_HTTP) == 0)
        return "what listens at the address of %1 does not speak HTTP; check host and port";
    if (strcmp(code, LLM_CODE_WRONG_PATH) == 0) return path_sentence(site);
    return sentences[fault];
}

void llm_fault_sentence(enum llm_fault fault, const struct llm_site *site, struct str model,
                        const struct llm_trouble *trouble, struct why *why)
{
    struct buf text;
    buf_init(&text, 16 * sizeof(why->text)); /* why_write() cuts, names may be long */
    struct str name = site ? site->name : STR("the model");
    for (const char *at = sentence_of(fault, site, model, trouble); *at; at++) {
        if (*at != '%') {
            buf_add_byte(&text, *at);
            continue;
        }
        at++;
        buf_add_str(&text, *at == '1' ? name : model);
    }
    /* What it did not accept only the provider can say. */
    if (fault == LLM_FAULT_REQUEST && trouble && trouble->text[0]) {
        size_t len = utf8_floor(trouble->text, MIN(strlen(trouble->text), 180u));
        buf_add_str(&text, STR(": "));
        buf_add(&text, trouble->text, len);
    }
    why_write(why, "%.*s", STR_ARGS(buf_str(&text)));
    buf_release(&text);
}
