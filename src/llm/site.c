/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/site.c: sites out of the settings, in the order in which the first is the
 * default: hosted ones that have a key, those of llm-sites, model servers of
 * this machine, and at the end the offline engine, which is always there.
 */
#include "llm/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "llm/probe.h"
#include "llm/reader.h"

enum {
    SECOND_US = 1000000,
    LOCAL_AT_ONCE = 8,
    HOSTED_AT_ONCE = 256,
    OFFLINE_AT_ONCE = 100000, /* it costs microseconds */
    KEYS_FILE_BYTES = 64 * 1024
};

/* Of the offline site: never called, only compared. */
static const struct llm_provider offline_provider = {.name = "offline"};

bool llm_is_offline(const struct llm_place *place)
{
    return place->site.provider == &offline_provider;
}

/* --- making sites --- */

/* Host of an address, without its port and in no certain case; of IPv6 without the brackets. */
static struct str host_of(struct str base)
{
    struct str host = str_from(base, str_find(base, STR("://")) + 3);
    host = str_head(host, str_find_byte(host, '/'));
    for (size_t at; (at = str_find_byte(host, '@')) < host.len;) host = str_from(host, at + 1);
    if (str_starts(host, STR("["))) {
        return str_from(str_head(host, str_find_byte(host, ']')), 1);
    }
    return str_head(host, str_find_byte(host, ':'));
}

/* Loopback, RFC 1918, link-local, and of IPv6 also RFC 4193. */
static bool is_private_ip(struct str host, bool *is_ip_out)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char ip[16];
    str_copy(text, sizeof(text), host);
    *is_ip_out = true;
    if (inet_pton(AF_INET, text, ip) == 1) {
        return ip[0] == 127 || ip[0] == 10 || (ip[0] == 192 && ip[1] == 168) ||
               (ip[0] == 172 && ip[1] >= 16 && ip[1] < 32) || (ip[0] == 169 && ip[1] == 254);
    }
    if (inet_pton(AF_INET6, text, ip) == 1) {
        static const unsigned char loopback[16] = {[15] = 1};
        return memcmp(ip, loopback, sizeof(ip)) == 0 || (ip[0] & 0xFE) == 0xFC ||
               (ip[0] == 0xFE && (ip[1] & 0xC0) == 0x80);
    }
    *is_ip_out = false;
    return false;
}

static bool ends_nocase(struct str s, struct str end)
{
    return s.len >= end.len && str_eq_nocase(str_from(s, s.len - end.len), end);
}

/*
 * On this machine or its network: it may have to load its model before it speaks. Only for
 * time-outs and for how many are asked at once. Names without a dot are of a local network (or of
 * Docker's), and so are those below the domains that nobody can register. Ollama and LM Studio load
 * models wherever they are, but for Ollama's own service.
 */
static bool is_local(const char *name, const struct llm_provider *provider, struct str base)
{
    static const char *const ends[] = {".localhost", ".local", ".lan",        ".internal",
                                       ".home.arpa", ".home",  ".localdomain"};
    struct str host = host_of(base);
    bool is_ip, local = is_private_ip(host, &is_ip);
    if (is_ip || host.len == 0) return local;
    if (provider == &llm_provider_ollama) {
        return !str_eq_nocase(host, STR("ollama.com")) && !ends_nocase(host, STR(".ollama.com"));
    }
    if (strcmp(name, "lmstudio") == 0 || str_find_byte(host, '.') == host.len) return true;
    for (size_t i = 0; i < COUNT_OF(ends); i++) local = local || ends_nocase(host, str_of(ends[i]));
    return local;
}

static size_t find_blank(struct str s)
{
    return MIN(str_find_byte(s, ' '), str_find_byte(s, '\t'));
}

/* A line of the file of keys: "SITE KEY [KEY...]", also with "=" behind the site, which no name has
 * in it. False: nothing, or a comment. */
static bool read_filed(struct str line, struct str *site_out, struct str *keys_out)
{
    line = str_trim(line);
    if (line.len == 0 || line.at[0] == '#') return false;
    size_t end = MIN(find_blank(line), str_find_byte(line, '='));
    struct str keys = str_trim(str_from(line, end));
    *site_out = str_head(line, end);
    *keys_out = str_starts(keys, STR("=")) ? str_trim(str_from(keys, 1)) : keys;
    return true;
}

/* What the file of keys has for a site: keys with blanks between, or nothing. */
static struct str filed_keys(const struct llm *llm, struct str name)
{
    struct str rest = llm->filed, line, site, keys;
    while (str_split(&rest, '\n', &line)) {
        if (read_filed(line, &site, &keys) && str_eq(site, name)) return keys;
    }
    return (struct str){0};
}

static bool has_key(const struct llm *llm, const char *name, struct str in_environment)
{
    return in_environment.len > 0 || filed_keys(llm, str_of(name)).len > 0;
}

static void take_key(struct llm_site *site, struct str key)
{
    if (key.len > 0 && site->key_count < LLM_KEYS_MAX) site->keys[site->key_count++] = key;
}

static void take_keys(struct llm_site *site, struct str keys)
{
    struct str key;
    while (str_split(&keys, ',', &key)) take_key(site, str_trim(key));
}

static void take_filed(struct llm_site *site, struct str keys)
{
    while (keys.len > 0) {
        size_t end = find_blank(keys);
        take_key(site, str_head(keys, end));
        keys = str_trim(str_from(keys, end));
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

/* As set, or what is usual for hosted sites and for local ones. */
static int64_t usual(int64_t set, bool is_local, int64_t hosted, int64_t local)
{
    return set ? set : is_local ? local : hosted;
}

bool llm_model_thinks(struct str model)
{
    static const char *const begins[] = {"o1",    "o3",  "o4",        "gpt-5",          "gpt-oss",
                                         "qwq",   "qvq", "magistral", "gemini-2.5-pro", "gemini-3",
                                         "grok-4"};
    static const char *const parts[] = {"reason", "think", "-r1"};
    for (size_t slash; (slash = str_find_byte(model, '/')) < model.len;) {
        model = str_from(model, slash + 1);
    }
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        struct str start = str_of(begins[i]);
        if (str_eq_nocase(str_head(model, start.len), start)) return true;
    }
    for (size_t at = 0; at < model.len; at++) {
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            struct str part = str_of(parts[i]);
            if (str_eq_nocase(str_head(str_from(model, at), part.len), part)) return true;
        }
    }
    return false;
}

static void set_clocks(struct llm_place *place, const struct settings *s)
{
    bool local = place->site.local;
    place->clocks = (struct llm_clocks){
        .connect_ms = usual(s->llm_connect_s, local, 5, 2) * 1000,
        .first_us = usual(s->llm_first_s, local, 60, 300) * SECOND_US,
        .thinking_first_us = usual(s->llm_first_s, local, 300, 300) * SECOND_US,
        .idle_us = usual(s->llm_idle_s, local, 180, 300) * SECOND_US,
        .thinking_idle_us = usual(s->llm_idle_s, local, 300, 300) * SECOND_US,
        .total_us = usual(s->llm_total_s, local, 600, 1800) * SECOND_US,
        .queue_us = s->llm_queue_s * SECOND_US,
    };
    int64_t at_once = usual(s->llm_at_once, local, HOSTED_AT_ONCE, LOCAL_AT_ONCE);
    if (llm_is_offline(place)) at_once = OFFLINE_AT_ONCE;
    place->gate = gate_new((size_t)at_once, (size_t)s->llm_queue_max);
}

/* What is no address is not shown: a key stands there as soon as not. */
static enum err check_base(struct str name, struct str base, struct why *why)
{
    if (str_starts(base, STR("http://")) || str_starts(base, STR("https://"))) return OK;
    return why_set(why, ERR_INVALID,
                   "the address of the model site %.*s must begin with http:// or https://",
                   STR_ARGS(name));
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
        .local = is_local(name, provider, base),
        .context_tokens = llm->settings->llm_context_tokens,
    };
    /* At an address of one's own only the server knows what it has. */
    bool own = base.len > 0 && str_eq(str_of(name), STR("openai"));
    if (!own) place->site.model = usual_model(name);
    place->site.address = setting_hide_secrets(&llm->arena, place->site.base);
    take_keys(&place->site, keys);
    take_filed(&place->site, filed_keys(llm, str_of(name)));
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
    bool none = str_eq(s->openai_key, STR("not-needed"));
    struct str key = none ? STR("") : s->openai_key;
    if (!own && !has_key(llm, "openai", key)) return OK;
    return add_compatible(llm, "openai", s->openai_base, key, own ? LLM_QUIRK_MAX_TOKENS : 0, why);
}

static enum err add_dashscope(struct llm *llm, const struct settings *s, struct why *why)
{
    if (!has_key(llm, "dashscope", s->dashscope_key)) return OK;
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
    if (!has_key(llm, "openrouter", s->openrouter_key)) return OK;
    struct llm_site *site;
    enum err err = add_site(llm, "openrouter", &llm_provider_openai,
                            STR("https://openrouter.ai/api/v1"), s->openrouter_key, &site, why);
    if (err) return err;
    site->quirks = LLM_QUIRK_MAX_TOKENS;
    site->headers[site->header_count++] = (struct http_header){STR("X-Title"), STR("Hutong")};
    return OK;
}

/* A site of the provider of the same name. */
static enum err add_plain(struct llm *llm, const char *name, struct str base, struct str key,
                          struct str version, struct why *why)
{
    struct llm_site *site;
    enum err err = add_site(llm, name, llm_provider_find(str_of(name)), base, key, &site, why);
    if (!err) site->version = version;
    return err;
}

static enum err add_hosted(struct llm *llm, const struct settings *s, struct why *why)
{
    struct str none = {0};
    enum err err = add_openai(llm, s, why);
    if (!err && s->azure_base.len > 0) {
        err = add_plain(llm, "azure", s->azure_base, s->azure_key, s->azure_version, why);
    }
    if (!err && has_key(llm, "google", s->google_key)) {
        err = add_plain(llm, "google", s->google_base, s->google_key, none, why);
    }
    if (!err && has_key(llm, "anthropic", s->anthropic_key)) {
        err = add_plain(llm, "anthropic", s->anthropic_base, s->anthropic_key, none, why);
    }
    if (!err) err = add_dashscope(llm, s, why);
    if (!err) err = add_openrouter(llm, s, why);
    if (!err && has_key(llm, "deepseek", s->deepseek_key)) {
        err = add_compatible(llm, "deepseek", STR("https://api.deepseek.com"), s->deepseek_key,
                             LLM_QUIRK_MAX_TOKENS | LLM_QUIRK_NO_SCHEMA, why);
    }
    return err;
}

static enum err add_listed(struct llm *llm, const struct settings *s, struct why *why)
{
    struct str rest = s->llm_sites, one;
    enum err err = OK;
    for (size_t number = 1; !err && str_split(&rest, ',', &one); number++) {
        one = str_trim(one);
        size_t equals = str_find_byte(one, '=');
        if (one.len == 0) continue;
        if (equals == 0 || equals == one.len || str_find_byte(one, '/') < equals) {
            return why_set(why, ERR_INVALID,
                           "entry %zu of the setting llm-sites is no NAME=URL; several are "
                           "separated by commas",
                           number);
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
    if (look && llm_probe_port(llm_locals[LLM_LOCAL_LMSTUDIO].port))
        lmstudio = str_of(llm_locals[LLM_LOCAL_LMSTUDIO].base);
    if (look && llm_probe_port(llm_locals[LLM_LOCAL_OLLAMA].port))
        ollama = str_of(llm_locals[LLM_LOCAL_OLLAMA].base);
    enum err err = OK;
    if (lmstudio.len > 0) {
        err = add_compatible(llm, "lmstudio", lmstudio, STR(""),
                             LLM_QUIRK_MAX_TOKENS | LLM_QUIRK_NO_JSON_OBJECT, why);
    }
    if (!err && ollama.len > 0) {
        err = add_plain(llm, "ollama", ollama_address(llm, ollama), STR(""), STR(""), why);
    }
    return err;
}

/* --- quirks an operator knows of --- */

static enum err set_quirk(struct llm *llm, struct str one, struct why *why)
{
    static const struct {
        const char *word;
        unsigned quirk;
    } words[] = {{"thinks-inside", LLM_QUIRK_THINKS_INSIDE},
                 {"no-finish", LLM_QUIRK_NO_FINISH},
                 {"cumulative", LLM_QUIRK_CUMULATIVE},
                 {"no-usage", LLM_QUIRK_NO_USAGE},
                 {"no-sampling", LLM_QUIRK_NO_SAMPLING},
                 {"no-schema", LLM_QUIRK_NO_SCHEMA},
                 {"no-json", LLM_QUIRK_NO_JSON}};
    size_t colon = str_find_byte(one, ':');
    struct str word = str_from(one, colon + 1);
    struct llm_place *place = llm_find_place(llm, str_head(one, colon));
    for (size_t i = 0; place && i < COUNT_OF(words); i++) {
        if (!str_eq(word, str_of(words[i].word))) continue;
        place->site.quirks |= words[i].quirk;
        return OK;
    }
    return why_set(why, ERR_INVALID,
                   "setting llm-quirks has \"%.*s\"; allowed: SITE:WORD of a site that is set up, "
                   "WORD one of thinks-inside no-finish cumulative no-usage no-sampling no-schema "
                   "no-json",
                   STR_ARGS(one));
}

static enum err set_quirks(struct llm *llm, const struct settings *s, struct why *why)
{
    struct str rest = s->llm_quirks, one;
    enum err err = OK;
    while (!err && str_split(&rest, ',', &one)) {
        if (str_trim(one).len > 0) err = set_quirk(llm, str_trim(one), why);
    }
    return err;
}

/* --- the file of keys --- */

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
                       "the file of model keys %s cannot be read, or is larger than 64 kB", name);
    }
    llm->filed = (struct str){text, (size_t)len};
    return OK;
}

/* A key for nobody is a mistake somebody wants to hear of. What stands in the line is not shown:
 * its first word may be a key. */
static enum err check_filed(struct llm *llm, struct why *why)
{
    struct str rest = llm->filed, line, name, keys;
    for (size_t number = 1; str_split(&rest, '\n', &line); number++) {
        if (!read_filed(line, &name, &keys)) continue;
        if (llm_find_place(llm, name) && keys.len > 0) continue;
        return why_set(why, ERR_INVALID,
                       "line %zu of the file of model keys is no \"SITE KEY\"; sites are openai "
                       "azure google anthropic dashscope openrouter deepseek, and those set up by "
                       "llm-sites or an address",
                       number);
    }
    return OK;
}

/* --- opening --- */

static enum err add_offline(struct llm *llm, struct why *why)
{
    struct llm_site *site;
    enum err err = offline_open(&llm->offline, why);
    if (!err) err = add_site(llm, "offline", &offline_provider, STR(""), STR(""), &site, why);
    if (!err) site->model = STR("hutong-offline");
    return err;
}

enum err llm_open(const struct settings *settings, struct llm **llm_out, struct why *why)
{
    struct llm *llm = NEW(struct llm);
    llm->settings = settings;
    llm->learnt = llm_learnt_new();
    enum err err = OK;
    if (settings->llm_keys_file.len > 0) err = read_keys(llm, settings->llm_keys_file, why);
    if (!err) err = add_hosted(llm, settings, why);
    if (!err) err = add_listed(llm, settings, why);
    if (!err) err = add_local(llm, settings, why);
    if (!err) err = add_offline(llm, why);
    if (!err) err = check_filed(llm, why);
    if (!err) err = set_quirks(llm, settings, why);
    if (!err) err = llm_plan_defaults(llm, why);
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
    llm_learnt_free(llm->learnt);
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
