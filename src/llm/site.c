/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/site.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "llm/probe.h"
#include "llm/reader.h"

enum { SECOND_US = 1000000, LOCAL_AT_ONCE = 8, HOSTED_AT_ONCE = 256, KEYS_FILE_BYTES = 64 * 1024 };

/* Of the offline site: never called, only compared. */
static const struct llm_provider offline_provider = {.name = "offline"};

bool llm_is_offline(const struct llm_place *place)
{
    return place->site.provider == &offline_provider;
}

/* --- making sites --- */

/* 127/8, ::1, localhost and the private ranges of RFC 1918: a machine that may have to load its
 * model before it speaks. Only for time-outs. */
static bool is_local(struct str base)
{
    size_t at = str_find(base, STR("://"));
    struct str host = str_from(base, at + 3);
    static const char *const starts[] = {"127.", "localhost", "[::1]",
                                         "10.",  "192.168.",  "172.16."};
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        if (str_starts(host, str_of(starts[i]))) return true;
    }
    return false;
}

static void take_keys(struct llm_site *site, struct str keys, char between)
{
    struct str key;
    while (str_split(&keys, between, &key)) {
        key = str_trim(key);
        if (key.len > 0 && site->key_count < LLM_KEYS_MAX) site->keys[site->key_count++] = key;
    }
}

/* The model of a hosted site when none is named: those of the system we replace. */
static struct str usual_model(const char *name)
{
    static const char *const usual[][2] = {{"openai", "gpt-5-nano"},
                                           {"google", "gemini-2.5-flash"},
                                           {"dashscope", "qwen-plus"},
                                           {"openrouter", "openai/gpt-5-nano"}};
    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        if (strcmp(usual[i][0], name) == 0) return str_of(usual[i][1]);
    }
    return (struct str){0};
}

static void set_clocks(struct llm_place *place, const struct settings *s)
{
    bool local = place->site.local;
    place->clocks = (struct llm_clocks){
        .connect_ms = (s->llm_connect_s ? s->llm_connect_s
                       : local          ? 2
                                        : 5) *
                      1000,
        .first_us = (s->llm_first_s ? s->llm_first_s
                     : local        ? 300
                                    : 60) *
                    SECOND_US,
        .idle_us = (s->llm_idle_s ? s->llm_idle_s
                    : local       ? 300
                                  : 180) *
                   SECOND_US,
        .total_us = (s->llm_total_s ? s->llm_total_s
                     : local        ? 1800
                                    : 600) *
                    SECOND_US,
        .queue_us = s->llm_queue_s * SECOND_US,
    };
    size_t at_once = s->llm_at_once ? (size_t)s->llm_at_once
                     : local        ? LOCAL_AT_ONCE
                                    : HOSTED_AT_ONCE;
    if (llm_is_offline(place)) at_once = 100000; /* it costs microseconds */
    place->gate = gate_new(at_once, (size_t)s->llm_queue_max);
}

static enum err check_base(struct str name, struct str base, struct why *why)
{
    if (str_starts(base, STR("http://")) || str_starts(base, STR("https://"))) return OK;
    return why_set(why, ERR_INVALID,
                   "the address of the model site %.*s is \"%.*s\"; it must begin with http:// or "
                   "https://",
                   STR_ARGS(name), STR_ARGS(base));
}

static struct str without_slash(struct str base)
{
    while (base.len > 0 && base.at[base.len - 1] == '/') base.len--;
    return base;
}

/* Ollama's own variable may be "0.0.0.0:11434" or "host". */
static struct str ollama_address(struct llm *llm, struct str base)
{
    if (str_find(base, STR("://")) < base.len) return base;
    struct str host = str_starts(base, STR("0.0.0.0")) ? str_from(base, 7) : base;
    const char *local = host.len < base.len ? "127.0.0.1" : "";
    const char *port = str_find_byte(host, ':') == host.len ? ":11434" : "";
    return arena_printf(&llm->arena, "http://%s%.*s%s", local, STR_ARGS(host), port);
}

static enum err add_site(struct llm *llm, const char *name, const struct llm_provider *provider,
                         struct str base, struct str keys, struct llm_site **site_out,
                         struct why *why)
{
    enum err err = base.len > 0 ? check_base(str_of(name), base, why) : OK;
    if (err) return err;
    if (llm->place_count == LLM_SITES_MAX) {
        return why_set(why, ERR_LIMIT, "there are more than %d model sites", LLM_SITES_MAX);
    }
    if (llm_find_place(llm, str_of(name))) {
        return why_set(why, ERR_INVALID, "there are two model sites named %s", name);
    }
    struct llm_place *place = &llm->places[llm->place_count++];
    place->site = (struct llm_site){
        .provider = provider,
        .name = arena_copy(&llm->arena, str_of(name)),
        .base = without_slash(base.len > 0 || !provider->base ? base : str_of(provider->base)),
        .local = is_local(base),
    };
    /* At an address of one's own only the server knows what it has. */
    if (base.len == 0 || !str_eq(str_of(name), STR("openai")))
        place->site.model = usual_model(name);
    take_keys(&place->site, keys, ',');
    set_clocks(place, llm->settings);
    *site_out = &place->site;
    return OK;
}

static enum err add_compatible(struct llm *llm, const char *name, struct str base, struct str keys,
                               unsigned quirks, struct why *why)
{
    struct llm_site *site;
    enum err err = add_site(llm, name, &llm_provider_openai, base, keys, &site, why);
    if (!err) site->quirks = quirks;
    return err;
}

/* Whatever of openai's settings stands elsewhere than at OpenAI speaks the older dialect. */
static enum err add_openai(struct llm *llm, const struct settings *s, struct why *why)
{
    bool own = s->openai_base.len > 0 &&
               str_find(s->openai_base, STR("api.openai.com")) == s->openai_base.len;
    /* The template of the older system has "not-needed" there. */
    bool key = s->openai_key.len > 0 && !str_eq(s->openai_key, STR("not-needed"));
    if (!own && !key) return OK;
    return add_compatible(llm, "openai", s->openai_base, key ? s->openai_key : STR(""),
                          own ? LLM_QUIRK_MAX_TOKENS : 0, why);
}

static enum err add_dashscope(struct llm *llm, const struct settings *s, struct why *why)
{
    if (s->dashscope_key.len == 0) return OK;
    struct str base = without_slash(s->dashscope_base);
    bool compatible = str_ends(base, STR("/compatible-mode/v1"));
    struct llm_site *site;
    enum err err = add_site(llm, "dashscope",
                            compatible ? &llm_provider_openai : llm_provider_find(STR("dashscope")),
                            base, s->dashscope_key, &site, why);
    if (err) return err;
    if (compatible) site->quirks = LLM_QUIRK_MAX_TOKENS;
    if (s->dashscope_workspace.len > 0) {
        site->headers[site->header_count++] =
            (struct http_header){STR("X-DashScope-WorkSpace"), s->dashscope_workspace};
    }
    return OK;
}

static enum err add_openrouter(struct llm *llm, const struct settings *s, struct why *why)
{
    if (s->openrouter_key.len == 0) return OK;
    struct llm_site *site;
    enum err err = add_site(llm, "openrouter", &llm_provider_openai,
                            STR("https://openrouter.ai/api/v1"), s->openrouter_key, &site, why);
    if (err) return err;
    site->quirks = LLM_QUIRK_MAX_TOKENS;
    site->headers[site->header_count++] = (struct http_header){STR("X-Title"), STR("Hutong")};
    return OK;
}

static enum err add_plain(struct llm *llm, const char *name, struct str base, struct str key,
                          bool wanted, struct str version, struct why *why)
{
    const struct llm_provider *provider = llm_provider_find(str_of(name));
    if (!wanted || provider == NULL) return OK;
    struct llm_site *site;
    enum err err = add_site(llm, name, provider, base, key, &site, why);
    if (!err) site->version = version;
    return err;
}

static enum err add_hosted(struct llm *llm, const struct settings *s, struct why *why)
{
    struct str none = {0};
    enum err err = add_openai(llm, s, why);
    if (!err) {
        err = add_plain(llm, "azure", s->azure_base, s->azure_key, s->azure_base.len > 0,
                        s->azure_version, why);
    }
    if (!err) {
        err = add_plain(llm, "google", s->google_base, s->google_key, s->google_key.len > 0, none,
                        why);
    }
    if (!err) {
        err = add_plain(llm, "anthropic", s->anthropic_base, s->anthropic_key,
                        s->anthropic_key.len > 0, none, why);
    }
    if (!err) err = add_dashscope(llm, s, why);
    if (!err) err = add_openrouter(llm, s, why);
    if (!err && s->deepseek_key.len > 0) {
        err = add_compatible(llm, "deepseek", STR("https://api.deepseek.com"), s->deepseek_key,
                             LLM_QUIRK_MAX_TOKENS | LLM_QUIRK_NO_SCHEMA, why);
    }
    return err;
}

static enum err add_listed(struct llm *llm, const struct settings *s, struct why *why)
{
    struct str rest = s->llm_sites, one;
    enum err err = OK;
    while (!err && str_split(&rest, ',', &one)) {
        one = str_trim(one);
        size_t equals = str_find_byte(one, '=');
        if (one.len == 0) continue;
        if (equals == 0 || equals == one.len || str_find_byte(one, '/') < equals) {
            return why_set(why, ERR_INVALID,
                           "setting llm-sites has \"%.*s\"; allowed: NAME=URL, separated by commas",
                           STR_ARGS(one));
        }
        struct str name = arena_copy(&llm->arena, str_trim(str_head(one, equals)));
        err = add_compatible(llm, name.at, str_trim(str_from(one, equals + 1)), STR(""),
                             LLM_QUIRK_MAX_TOKENS, why);
    }
    return err;
}

/* Model servers of this machine: where the settings say, or where they answer. */
static enum err add_local(struct llm *llm, const struct settings *s, struct why *why)
{
    bool look = s->llm_probe && llm->place_count == 0 && s->ollama_base.len == 0 &&
                s->lmstudio_base.len == 0;
    struct str lmstudio = s->lmstudio_base, ollama = s->ollama_base;
    if (look && llm_probe_port(1234)) lmstudio = STR("http://127.0.0.1:1234/v1");
    if (look && llm_probe_port(11434)) ollama = STR("http://127.0.0.1:11434");
    enum err err = OK;
    if (lmstudio.len > 0) {
        err = add_compatible(llm, "lmstudio", lmstudio, STR(""),
                             LLM_QUIRK_MAX_TOKENS | LLM_QUIRK_NO_JSON_OBJECT, why);
    }
    if (!err && ollama.len > 0) {
        err = add_plain(llm, "ollama", ollama_address(llm, ollama), STR(""), true, (struct str){0},
                        why);
    }
    return err;
}

/* --- the file of keys --- */

static enum err use_keys_line(struct llm *llm, struct str line, struct why *why)
{
    line = str_trim(line);
    if (line.len == 0 || line.at[0] == '#') return OK;
    size_t blank = str_find_byte(line, ' ');
    struct llm_place *place = llm_find_place(llm, str_head(line, blank));
    if (place == NULL) {
        return why_set(why, ERR_INVALID,
                       "the file of model keys names a site %.*s that is not set "
                       "up; hosted ones need their key in the environment, others "
                       "stand in llm-sites",
                       STR_ARGS(str_head(line, blank)));
    }
    take_keys(&place->site, str_from(line, blank), ' ');
    return OK;
}

static enum err read_keys(struct llm *llm, struct str path, struct why *why)
{
    char name[4096];
    str_copy(name, sizeof(name), path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) != 0) {
        enum err err = why_set(why, ERR_IO, "cannot read the file of model keys %s: %s", name,
                               strerror(errno));
        if (fd >= 0) close(fd);
        return err;
    }
    char *text = arena_alloc(&llm->arena, KEYS_FILE_BYTES);
    ssize_t len = read(fd, text, KEYS_FILE_BYTES);
    close(fd);
    if (stat.st_mode & 077) {
        return why_set(why, ERR_INVALID,
                       "others can read the file of model keys %s; run: chmod 600 %s", name, name);
    }
    if (len < 0 || len == KEYS_FILE_BYTES) {
        return why_set(why, ERR_INVALID,
                       "the file of model keys %s cannot be read or is larger "
                       "than 64 kB",
                       name);
    }
    struct str rest = {text, (size_t)len}, line;
    enum err err = OK;
    while (!err && str_split(&rest, '\n', &line)) err = use_keys_line(llm, line, why);
    return err;
}

/* --- opening --- */

struct llm_learnt {
    pthread_mutex_t lock;
    struct arena arena;
    struct map quirks; /* SITE/MODEL → unsigned, in `arena` */
};

static enum err add_offline(struct llm *llm, struct why *why)
{
    struct llm_site *site;
    enum err err = offline_open(&llm->offline, why);
    if (!err) err = add_site(llm, "offline", &offline_provider, STR(""), STR(""), &site, why);
    if (!err) site->model = STR("hutong-offline");
    return err;
}

static enum err set_default(struct llm *llm, const struct settings *s, struct why *why)
{
    llm->model = s->llm_model;
    if (llm->model.len == 0) {
        llm->model = arena_printf(&llm->arena, "%.*s/", STR_ARGS(llm->places[0].site.name));
        return OK;
    }
    struct llm_choice plan[LLM_PLAN_MAX];
    size_t count;
    struct str slash = str_find_byte(llm->model, '/') < llm->model.len ? STR("") : STR("/");
    if (llm_find_place(llm, llm->model)) {
        llm->model = arena_printf(&llm->arena, "%.*s%.*s", STR_ARGS(llm->model), STR_ARGS(slash));
    }
    return llm_plan(llm, &llm->arena, llm->model, false, plan, &count, why);
}

enum err llm_open(const struct settings *settings, struct llm **llm_out, struct why *why)
{
    struct llm *llm = NEW(struct llm);
    llm->settings = settings;
    llm->learnt = NEW(struct llm_learnt);
    pthread_mutex_init(&llm->learnt->lock, NULL);
    enum err err = add_hosted(llm, settings, why);
    if (!err) err = add_listed(llm, settings, why);
    if (!err) err = add_local(llm, settings, why);
    if (!err) err = add_offline(llm, why);
    if (!err && settings->llm_keys_file.len > 0) err = read_keys(llm, settings->llm_keys_file, why);
    if (!err) err = set_default(llm, settings, why);
    if (!err) {
        err = journal_open(settings->llm_record, settings->llm_replay, &llm->journal, why);
    }
    if (err) {
        llm_free(llm);
        return err;
    }
    *llm_out = llm;
    return OK;
}

void llm_free(struct llm *llm)
{
    if (llm == NULL) return;
    for (size_t i = 0; i < llm->place_count; i++) gate_free(llm->places[i].gate);
    journal_close(llm->journal);
    offline_free(llm->offline);
    map_release(&llm->learnt->quirks);
    arena_release(&llm->learnt->arena);
    pthread_mutex_destroy(&llm->learnt->lock);
    mem_free(llm->learnt);
    arena_release(&llm->arena);
    mem_free(llm);
}

struct llm_place *llm_find_place(struct llm *llm, struct str name)
{
    for (size_t i = 0; i < llm->place_count; i++) {
        if (str_eq(llm->places[i].site.name, name)) return &llm->places[i];
    }
    return NULL;
}

/* --- what to ask --- */

static enum err no_site(struct llm *llm, struct str name, struct why *why)
{
    char names[200] = "";
    size_t len = 0;
    for (size_t i = 0; i < llm->place_count && len < sizeof(names); i++) {
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.*s", i ? ", " : "",
                                STR_ARGS(llm->places[i].site.name));
    }
    return why_set(why, ERR_NOT_FOUND, "there is no model site \"%.60s\"; there are: %s",
                   arena_copy(&llm->arena, str_head(name, 60)).at, names);
}

/* "SITE/MODEL" when SITE is one of ours; else all of it is a model of the default site: names of
 * models have slashes too ("openai/gpt-oss-20b" at OpenRouter). */
static enum err resolve(struct llm *llm, struct arena *arena, struct str model,
                        struct llm_choice *choice, struct why *why)
{
    size_t slash = str_find_byte(model, '/');
    struct llm_place *place =
        slash < model.len ? llm_find_place(llm, str_head(model, slash)) : NULL;
    struct str name = place ? str_from(model, slash + 1) : model;
    if (place == NULL) {
        struct str home = str_head(llm->model, str_find_byte(llm->model, '/'));
        place = llm_find_place(llm, home);
        if (place == NULL) return no_site(llm, home, why);
    }
    choice->place = place;
    choice->model = arena_copy(arena, name.len > 0 ? name : place->site.model);
    return OK;
}

enum err llm_plan(struct llm *llm, struct arena *arena, struct str model, bool only_this,
                  struct llm_choice plan[LLM_PLAN_MAX], size_t *count_out, struct why *why)
{
    *count_out = 0;
    enum err err = resolve(llm, arena, model.len > 0 ? model : llm->model, &plan[0], why);
    if (err) return err;
    size_t count = 1;
    struct str rest = llm->settings->llm_fallback, one;
    while (!only_this && count < LLM_PLAN_MAX && str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0) continue;
        if (llm_find_place(llm, one)) one = arena_printf(arena, "%.*s/", STR_ARGS(one));
        size_t slash = str_find_byte(one, '/');
        if (llm_find_place(llm, str_head(one, slash)) == NULL) {
            return no_site(llm, str_head(one, slash), why);
        }
        err = resolve(llm, arena, one, &plan[count], why);
        if (err) return err;
        count++;
    }
    *count_out = count;
    return OK;
}

/* --- quirks that errors teach --- */

static struct str quirks_key(struct arena *arena, const struct llm_site *site, struct str model)
{
    return arena_printf(arena, "%.*s/%.*s", STR_ARGS(site->name), STR_ARGS(model));
}

unsigned llm_quirks(struct llm *llm, const struct llm_site *site, struct str model)
{
    struct llm_learnt *learnt = llm->learnt;
    pthread_mutex_lock(&learnt->lock);
    unsigned quirks = site->quirks;
    if (learnt->quirks.count > 0) {
        struct arena arena = {0};
        const unsigned *known = map_find(&learnt->quirks, quirks_key(&arena, site, model));
        if (known) quirks = *known;
        arena_release(&arena);
    }
    pthread_mutex_unlock(&learnt->lock);
    return quirks;
}

static bool names(const struct llm_trouble *trouble, const char *word)
{
    return strstr(trouble->text, word) != NULL;
}

/* What the sentence complains of, as the quirk that avoids it. */
static unsigned quirks_after(unsigned quirks, const struct llm_trouble *trouble)
{
    if (names(trouble, "max_completion_tokens") || names(trouble, "max_tokens")) {
        return quirks ^ LLM_QUIRK_MAX_TOKENS;
    }
    if (names(trouble, "stream_options")) return quirks | LLM_QUIRK_NO_USAGE;
    if (names(trouble, "temperature") || names(trouble, "top_p") || names(trouble, "penalty")) {
        return quirks | LLM_QUIRK_NO_SAMPLING;
    }
    if (names(trouble, "json_schema") || names(trouble, "responseSchema") ||
        names(trouble, "response_format") || names(trouble, "output_config")) {
        return quirks | (quirks & LLM_QUIRK_NO_SCHEMA ? LLM_QUIRK_NO_JSON : LLM_QUIRK_NO_SCHEMA);
    }
    return quirks;
}

bool llm_learn(struct llm *llm, const struct llm_site *site, struct str model,
               const struct llm_trouble *trouble)
{
    if (trouble->fault != LLM_FAULT_REQUEST) return false;
    unsigned quirks = llm_quirks(llm, site, model), better = quirks_after(quirks, trouble);
    if (better == quirks) return false;
    struct llm_learnt *learnt = llm->learnt;
    pthread_mutex_lock(&learnt->lock);
    struct str key = quirks_key(&learnt->arena, site, model);
    unsigned *known = map_find(&learnt->quirks, key);
    if (known == NULL) {
        known = ARENA_NEW(&learnt->arena, unsigned);
        map_add(&learnt->quirks, key, known);
    }
    *known = better;
    pthread_mutex_unlock(&learnt->lock);
    return true;
}
