/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/wiki_old.h"

#include "http/url.h"
#include "llm/site.h"
#include "wiki/old_config.h"

enum { MESSAGES_MAX = 1000, LIST_BYTES = 64 * 1024 };

static const char tag[] = "[DEEP RESEARCH]";

/* --- members --- */

/* Absent and null are empty. */
static enum err read_text(const struct json *body, const char *name, struct str *text_out,
                          struct why *why)
{
    const struct json *value = json_get(body, name);
    *text_out = STR("");
    if (value == NULL || json_kind(value) == JSON_NULL || json_as_str(value, text_out)) return OK;
    return why_field(why, name, "string_type", "%s must be a text", name);
}

/* Each line of a list, decoded, with what a pattern needs before and behind it. */
static enum err add_patterns(struct arena *arena, const struct json *body, const char *name,
                             const char *before, const char *behind, struct buf *to,
                             struct why *why)
{
    struct str list, line;
    enum err err = read_text(body, name, &list, why);
    while (!err && str_split(&list, '\n', &line)) {
        struct str pattern = str_trim(line);
        if (pattern.len == 0) continue;
        err = url_segment_decode(arena, pattern, &pattern, why);
        while (str_starts(pattern, STR("./"))) pattern = str_from(pattern, 2);
        while (str_ends(pattern, STR("/"))) pattern.len--;
        if (err || pattern.len == 0) continue;
        bool star = pattern.at[0] == '*';
        buf_printf(to, "%s%.*s%s\n", star ? "" : before, STR_ARGS(pattern), behind);
    }
    return err;
}

static enum err read_filters(struct arena *arena, const struct json *body,
                             struct wiki_visit_want *want, struct why *why)
{
    struct buf include, exclude;
    buf_init(&include, LIST_BYTES);
    buf_init(&exclude, LIST_BYTES);
    enum err err = add_patterns(arena, body, "included_dirs", "", "/", &include, why);
    /* There the end of a name was enough: ".py" stood for all of Python. */
    if (!err) err = add_patterns(arena, body, "included_files", "*", "", &include, why);
    if (!err) err = add_patterns(arena, body, "excluded_dirs", "", "/", &exclude, why);
    if (!err) err = add_patterns(arena, body, "excluded_files", "", "", &exclude, why);
    if (!err && (include.failed || exclude.failed)) {
        err = why_set(why, ERR_LIMIT, "the filters have more than %d bytes", LIST_BYTES);
    }
    want->include = arena_copy(arena, buf_str(&include));
    /* Who asked for some files there was not asked which to leave out. */
    want->exclude = include.len ? STR("") : arena_copy(arena, buf_str(&exclude));
    buf_release(&include);
    buf_release(&exclude);
    return err;
}

/* A provider that is not set up here, or a model of it, is nothing we could ask: then the standard
 * model answers. */
static struct str model_name(struct arena *arena, struct llm *llm, struct str provider,
                             struct str model)
{
    if (provider.len == 0 || llm_find_place(llm, provider) == NULL) return STR("");
    if (model.len == 0) return provider;
    return arena_printf(arena, "%.*s/%.*s", STR_ARGS(provider), STR_ARGS(model));
}

/* --- messages --- */

static bool has(struct str text, const char *part)
{
    for (size_t i = 0; i + strlen(part) <= text.len; i++) {
        if (str_eq_nocase(str_head(str_from(text, i), strlen(part)), str_of(part))) return true;
    }
    return false;
}

static struct str without_tag(struct arena *arena, struct str text)
{
    size_t at = str_find(text, str_of(tag));
    while (at < text.len) {
        text = arena_printf(arena, "%.*s%.*s", (int)at, text.at,
                            STR_ARGS(str_from(text, at + strlen(tag))));
        at = str_find(text, str_of(tag));
    }
    return str_trim(text);
}

static enum err read_messages(struct arena *arena, const struct json *body,
                              struct wiki_asking *asking, struct why *why)
{
    const struct json *list = json_get(body, "messages");
    if (list == NULL || json_kind(list) != JSON_ARRAY) {
        return why_field(why, "messages", list ? "list_type" : "missing",
                         "messages must be a list of {role, content}");
    }
    size_t count = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) count++;
    if (count > MESSAGES_MAX) {
        return why_field(why, "messages", "too_long", "messages has at most %d", MESSAGES_MAX);
    }
    struct llm_message *turns = ARENA_ARRAY(arena, struct llm_message, count + 1);
    asking->turns = turns;
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        struct llm_message *turn = &turns[asking->turn_count++];
        struct str role;
        if (!json_as_str(json_get(at, "role"), &role) ||
            !json_as_str(json_get(at, "content"), &turn->text)) {
            return why_field(why, "messages", "missing", "a message has a role and a content");
        }
        turn->role = str_eq(role, STR("user"))        ? LLM_USER
                     : str_eq(role, STR("assistant")) ? LLM_ASSISTANT
                                                      : LLM_SYSTEM;
    }
    if (count == 0) return why_set(why, ERR_INVALID, "No messages provided");
    if (turns[count - 1].role == LLM_USER) return OK;
    return why_set(why, ERR_INVALID, "Last message must be from the user");
}

/* Which round of a research it is, if it is one. */
static void see_research(struct arena *arena, struct wiki_asking *asking)
{
    struct llm_message *turns = (struct llm_message *)(uintptr_t)asking->turns; /* ours */
    struct llm_message *last = &turns[asking->turn_count - 1];
    bool research = false;
    int answers = 0;
    for (size_t i = 0; i < asking->turn_count; i++) {
        research = research || str_find(turns[i].text, str_of(tag)) < turns[i].text.len;
        answers += turns[i].role == LLM_ASSISTANT;
    }
    if (!research) return;
    asking->round = MIN(answers + 1, WIKI_ROUNDS);
    if (answers > 0 && has(last->text, "continue") && has(last->text, "research")) {
        for (size_t i = 0; i < asking->turn_count; i++) {
            if (turns[i].role != LLM_USER) continue;
            last->text = turns[i].text;
            break;
        }
    }
    last->text = without_tag(arena, last->text);
}

enum err wiki_old_read(struct arena *arena, const struct api *api, const struct json *body,
                       struct wiki_visit_want *want, struct why *why)
{
    struct str provider, model;
    if (json_kind(body) != JSON_OBJECT)
        return why_field(why, "body", "dict_type", "the request must be a JSON object");
    if (!json_as_str(json_get(body, "repo_url"), &want->url)) {
        return why_field(why, "repo_url", json_get(body, "repo_url") ? "string_type" : "missing",
                         "repo_url must be the address of a repository");
    }
    want->asking = (struct wiki_asking){0};
    want->wiki = 0;
    enum err err = read_messages(arena, body, &want->asking, why);
    if (!err) err = read_text(body, "type", &want->kind, why);
    if (!err) err = read_text(body, "token", &want->token, why);
    if (!err) err = read_text(body, "filePath", &want->asking.file, why);
    if (!err) err = read_text(body, "provider", &provider, why);
    if (!err) err = read_text(body, "model", &model, why);
    if (!err) err = read_text(body, "language", &want->asking.language, why);
    if (!err) err = read_filters(arena, body, want, why);
    if (err) return err;
    want->asking.model =
        model_name(arena, api->llm, wiki_offer_site(api->wiki_config, provider), model);
    const struct wiki_locales *locales = wiki_old_locales(api->wiki_config);
    if (want->asking.language.len == 0) want->asking.language = locales->standard;
    want->asking.language = wiki_locale_name(locales, want->asking.language);
    if (want->asking.language.len == 0) want->asking.language = STR("English");
    see_research(arena, &want->asking);
    return OK;
}

/* --- faults --- */

/* Providers as older clients call them. */
static const char *display_name(struct str site)
{
    static const char *const names[][2] = {{"openai", "Openai"},
                                           {"openrouter", "OpenRouter"},
                                           {"bedrock", "AWS Bedrock"},
                                           {"azure", "Azure AI"},
                                           {"dashscope", "Dashscope"}};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_eq(site, str_of(names[i][0]))) return names[i][1];
    }
    return NULL;
}

struct str wiki_old_fault(struct arena *arena, const struct wiki_ask_end *end)
{
    if (end->complete) return STR("");
    if (end->result == NULL) return arena_printf(arena, "\nError: %s", end->why.text);
    const char *name = display_name(end->result->site);
    if (name == NULL) return arena_printf(arena, "\nError: %s", end->result->why.text);
    return arena_printf(arena, "\nError with %s API: %s\n\n", name, end->result->why.text);
}
