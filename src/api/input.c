/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/input.h"

#include <stdarg.h>

void input_fault(struct call *call, const char *where, const char *field, const char *type,
                 const char *format, ...)
{
    if (call->fault_count == CALL_FAULTS_MAX) return;
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (call->faults == NULL) {
        call->faults = ARENA_ARRAY(call->arena, struct field_fault, CALL_FAULTS_MAX);
    }
    call->faults[call->fault_count++] =
        (struct field_fault){where, field, type, arena_copy(call->arena, str_of(text))};
}

void input_note(struct call *call, const char *field, const struct why *why)
{
    input_fault(call, "body", field, why->type ? why->type : "value_error", "%s", why->text);
}

enum err input_check(struct call *call, struct why *why)
{
    if (call->fault_count == 0) return OK;
    const struct field_fault *first = &call->faults[0];
    return why_field(why, first->field, first->type, "%s", first->sentence.at);
}

uint64_t input_path_id(struct call *call, size_t index, const char *name)
{
    int64_t value;
    struct str text;
    struct why ignored;
    bool decoded = url_segment_decode(call->arena, call->params[index], &text, &ignored) == OK;
    if (decoded && str_to_i64(text, &value)) return value > 0 ? (uint64_t)value : 0;
    input_fault(call, "path", name, "int_parsing", "%s must be a whole number", name);
    return 0;
}

static const struct url_param *find(struct call *call, const char *name)
{
    return url_params_find(&call->query, name);
}

int64_t input_query_int(struct call *call, const char *name, int64_t initial, int64_t min,
                        int64_t max)
{
    const struct url_param *param = find(call, name);
    if (param == NULL) return initial;
    int64_t value;
    if (!str_to_i64(str_trim(param->value), &value)) {
        input_fault(call, "query", name, "int_parsing", "%s must be a whole number", name);
        return initial;
    }
    if (value < min) {
        input_fault(call, "query", name, "greater_than_equal", "%s must be at least %lld", name,
                    (long long)min);
        return initial;
    }
    if (value > max) {
        input_fault(call, "query", name, "less_than_equal", "%s must be at most %lld", name,
                    (long long)max);
        return initial;
    }
    return value;
}

int input_query_bool(struct call *call, const char *name)
{
    static const char *const yes[] = {"true", "1", "yes", "on", "t", "y"};
    static const char *const no[] = {"false", "0", "no", "off", "f", "n"};
    const struct url_param *param = find(call, name);
    if (param == NULL) return -1;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (str_eq_nocase(param->value, str_of(yes[i]))) return 1;
        if (str_eq_nocase(param->value, str_of(no[i]))) return 0;
    }
    input_fault(call, "query", name, "bool_parsing", "%s must be true or false", name);
    return -1;
}

struct str input_query_str(struct call *call, const char *name)
{
    const struct url_param *param = find(call, name);
    return param ? param->value : (struct str){0};
}

void input_query_cursors(struct call *call, uint64_t *before_out, uint64_t *after_out)
{
    *before_out = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    *after_out = (uint64_t)input_query_int(call, "after", 0, 0, INT64_MAX);
    if (*before_out && *after_out) {
        input_fault(call, "query", "after", "value_error", "use before or after, not both");
    }
}

enum err input_json(struct call *call, struct why *why)
{
    if (call->body) return OK;
    struct str type = http_find_header(call->x, STR("content-type"));
    struct header_content_type content;
    if (type.len > 0 && (!header_content_type(type, &content) || !header_type_is_json(&content))) {
        return why_field(why, "body", "model_attributes_type",
                         "the body must be a JSON object (Content-Type: application/json)");
    }
    size_t at;
    struct str text = buf_str(&call->x->body);
    if (call->route->body == BODY_WIKI && json_count(text) > LIMIT_BOOK_VALUES) {
        return why_set(why, ERR_INVALID, "the body has more than %d values", LIMIT_BOOK_VALUES);
    }
    enum err err = json_parse(text, &call->body, &at, why);
    if (text.len == 0) {
        return why_field(why, "body", "missing", "the body is missing: a JSON object is wanted");
    }
    if (err) {
        why->field = "body";
        why->type = "json_invalid";
        return err;
    }
    if (json_kind(call->body) == JSON_OBJECT) return OK;
    return why_field(why, "body", "model_attributes_type", "the body must be a JSON object");
}

struct str input_str(struct call *call, const char *name, bool required)
{
    const struct json *value = json_get(call->body, name);
    struct str text = {0};
    if (value == NULL && required) {
        input_fault(call, "body", name, "missing", "%s is missing", name);
    } else if (value != NULL && json_kind(value) == JSON_NULL && !required) {
        return text;
    } else if (value != NULL && !json_as_str(value, &text)) {
        input_fault(call, "body", name, "string_type", "%s must be a text", name);
    }
    return text;
}

uint64_t input_id(struct call *call, const char *name)
{
    const struct json *value = call->body ? json_get(call->body, name) : NULL;
    uint64_t id = 0;
    if (value == NULL || json_kind(value) == JSON_NULL) return 0;
    if (json_as_u64(value, &id) && id > 0 && id <= INT64_MAX) return id;
    input_fault(call, "body", name, "int_type", "%s must be an id: a whole number from 1", name);
    return 0;
}

bool input_has(struct call *call, const char *name)
{
    return json_get(call->body, name) != NULL;
}
