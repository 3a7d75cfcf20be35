/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/old_config.h"

#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { FILE_BYTES_MAX = 1024 * 1024, OFFERS_MAX = 50, MODELS_MAX = 500, NAME_MAX_CHARS = 200 };

struct wiki_old_config {
    struct arena arena;
    struct wiki_locales locales;
    struct wiki_offer *offers;
    size_t offer_count;
    struct str offer_standard;
};

/* --- files --- */

/* Where a file's words go. */
struct reading {
    struct arena *arena;
    const char *file; /* its name, for the log */
    char *const *env;
};

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str environment(char *const *env, struct str name)
{
    for (; env && *env; env++) {
        struct str entry = str_of(*env);
        size_t equals = str_find_byte(entry, '=');
        if (equals < entry.len && str_eq(str_head(entry, equals), name)) {
            return str_from(entry, equals + 1);
        }
    }
    return (struct str){0};
}

/* ${NAME}, where `text` begins; its length, or 0. */
static size_t name_at(struct str text, struct str *name_out)
{
    if (!str_starts(text, STR("${"))) return 0;
    size_t end = 2;
    while (end < text.len && is_name_byte(text.at[end])) end++;
    if (end == 2 || end == text.len || text.at[end] != '}') return 0;
    *name_out = str_head(str_from(text, 2), end - 2);
    return end + 1;
}

/* What has no value stays as it stands, as it did there. */
static struct str replace(const struct reading *reading, struct str text)
{
    struct buf out;
    buf_init(&out, 64 * 1024);
    while (text.len > 0) {
        struct str name, value = {0};
        size_t len = name_at(text, &name);
        if (len > 0) value = environment(reading->env, name);
        if (len > 0 && value.at == NULL) {
            log_warn("wiki.config", "file=%s unset=%.*s", reading->file, STR_ARGS(name));
        }
        buf_add_str(&out, value.at ? value : str_head(text, MAX(len, 1u)));
        text = str_from(text, MAX(len, 1u));
    }
    struct str result = arena_copy(reading->arena, buf_str(&out));
    buf_release(&out);
    return result;
}

static bool read_file(struct str folder, const char *name, struct buf *text)
{
    char path[4096];
    if (folder.len + strlen(name) + 2 > sizeof(path)) return false;
    snprintf(path, sizeof(path), "%.*s/%s", STR_ARGS(folder), name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        log_warn("wiki.config", "file=%s reason=\"%s\"", name, strerror(errno));
        return false;
    }
    char piece[4096];
    size_t len;
    while ((len = fread(piece, 1, sizeof(piece), file)) > 0) buf_add(text, piece, len);
    bool fine = !ferror(file) && !text->failed;
    fclose(file);
    if (!fine) log_warn("wiki.config", "file=%s reason=\"not readable, or too large\"", name);
    return fine;
}

/* NULL: none, or none that makes sense, which the log has. */
static struct json *load(struct str folder, const char *name)
{
    struct buf text;
    struct json *tree = NULL;
    struct why why;
    buf_init(&text, FILE_BYTES_MAX);
    if (read_file(folder, name, &text) && json_parse(buf_str(&text), &tree, NULL, &why)) {
        log_warn("wiki.config", "file=%s reason=\"%s\"", name, why.text);
    }
    buf_release(&text);
    return tree;
}

/* A text of the file that may be shown and asked for: one line. */
static bool read_text(const struct reading *reading, struct str raw, size_t max,
                      struct str *text_out)
{
    struct why why;
    struct str text;
    if (text_check("name", replace(reading, raw), 1, max, &text, &why)) return false;
    *text_out = text;
    return str_find_byte(text, '\n') == text.len && str_find_byte(text, '\t') == text.len;
}

/* --- languages --- */

static void read_languages(struct wiki_old_config *config, const struct reading *reading,
                           const struct json *tree)
{
    const struct json *map = json_get(tree, "supported_languages");
    struct wiki_locale *list = ARENA_ARRAY(reading->arena, struct wiki_locale, WIKI_LOCALES_MAX);
    size_t count = 0;
    struct str name, standard = {0};
    for (const struct json *at = json_first(map); at && json_kind(map) == JSON_OBJECT;
         at = json_after(at)) {
        struct wiki_locale *one = &list[count];
        if (count < WIKI_LOCALES_MAX && json_as_str(at, &name) &&
            read_text(reading, str_of(json_name(at)), WIKI_LOCALE_MAX, &one->code) &&
            read_text(reading, name, NAME_MAX_CHARS, &one->name)) {
            count++;
        } else {
            log_warn("wiki.config", "file=%s reason=\"a language that is left out\"",
                     reading->file);
        }
    }
    if (count == 0) {
        if (tree) log_warn("wiki.config", "file=%s reason=\"no languages\"", reading->file);
        return;
    }
    config->locales = (struct wiki_locales){.at = list, .count = count, .standard = list[0].code};
    bool known = json_as_str(json_get(tree, "default"), &standard) &&
                 wiki_locale_name(&config->locales, standard).len > 0;
    if (known) config->locales.standard = arena_copy(reading->arena, standard);
}

/* --- models --- */

/* Which of our sites speaks what a class of theirs spoke. */
static struct str site_of_class(struct str name)
{
    static const struct {
        const char *name, *site;
    } classes[] = {
        {"GoogleGenAIClient", "google"},    {"OpenAIClient", "openai"},
        {"OpenRouterClient", "openrouter"}, {"OllamaClient", "ollama"},
        {"BedrockClient", "bedrock"},       {"AzureAIClient", "azure"},
        {"DashscopeClient", "dashscope"},   {"GoogleEmbedderClient", "google"},
    };
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if (str_eq(name, str_of(classes[i].name))) return str_of(classes[i].site);
    }
    return STR("");
}

static void add_model(struct wiki_offer *offer, struct str name)
{
    for (size_t i = 0; i < offer->model_count; i++) {
        if (str_eq(offer->models[i], name)) return;
    }
    if (offer->model_count < MODELS_MAX) offer->models[offer->model_count++] = name;
}

static bool read_offer(const struct reading *reading, const struct json *provider,
                       struct wiki_offer *offer)
{
    struct str text, name;
    if (json_kind(provider) != JSON_OBJECT) return false;
    *offer = (struct wiki_offer){.models = ARENA_ARRAY(reading->arena, struct str, MODELS_MAX)};
    if (!read_text(reading, str_of(json_name(provider)), NAME_MAX_CHARS, &offer->id)) return false;
    offer->site = offer->id;
    if (json_as_str(json_get(provider, "client_class"), &text) && site_of_class(text).len > 0) {
        offer->site = site_of_class(text);
    }
    if (!json_as_bool(json_get(provider, "supportsCustomModel"), &offer->custom)) {
        offer->custom = false;
    }
    if (json_as_str(json_get(provider, "default_model"), &text) &&
        read_text(reading, text, NAME_MAX_CHARS, &name)) {
        add_model(offer, name);
    }
    const struct json *models = json_get(provider, "models");
    for (const struct json *at = json_first(models); at && json_kind(models) == JSON_OBJECT;
         at = json_after(at)) {
        if (read_text(reading, str_of(json_name(at)), NAME_MAX_CHARS, &name)) {
            add_model(offer, name);
        }
    }
    return offer->model_count > 0;
}

static void read_offers(struct wiki_old_config *config, const struct reading *reading,
                        const struct json *tree)
{
    const struct json *map = json_get(tree, "providers");
    struct str standard;
    config->offers = ARENA_ARRAY(reading->arena, struct wiki_offer, OFFERS_MAX);
    for (const struct json *at = json_first(map); at && json_kind(map) == JSON_OBJECT;
         at = json_after(at)) {
        if (config->offer_count < OFFERS_MAX &&
            read_offer(reading, at, &config->offers[config->offer_count])) {
            config->offer_count++;
        } else {
            log_warn("wiki.config", "file=%s reason=\"a provider that is left out\"",
                     reading->file);
        }
    }
    if (tree && config->offer_count == 0) {
        log_warn("wiki.config", "file=%s reason=\"no providers\"", reading->file);
    }
    if (json_as_str(json_get(tree, "default_provider"), &standard)) {
        config->offer_standard = replace(reading, standard);
    }
}

/* --- the embedder --- */

/* What there was where the file says nothing. */
static const struct {
    const char *type, *block, *model;
    int64_t dimensions;
} embedders[] = {
    {"openai", "embedder", "text-embedding-3-small", 256},
    {"google", "embedder_google", "gemini-embedding-001", 0},
    {"ollama", "embedder_ollama", "nomic-embed-text", 0},
};

static void read_embedder(struct settings *settings, const struct reading *reading,
                          const struct json *tree, struct str type)
{
    size_t which = 0; /* anything else was the first, too */
    struct str text, model;
    for (size_t i = 0; i < COUNT_OF(embedders); i++) {
        if (str_eq(type, str_of(embedders[i].type))) which = i;
    }
    const struct json *block = json_get(tree, embedders[which].block);
    const struct json *arguments = json_get(block, "model_kwargs");
    struct str site = str_of(embedders[which].type);
    if (json_as_str(json_get(block, "client_class"), &text) && site_of_class(text).len > 0) {
        site = site_of_class(text);
    }
    bool named = json_as_str(json_get(arguments, "model"), &text) &&
                 read_text(reading, text, NAME_MAX_CHARS, &model);
    if (!named) model = str_of(embedders[which].model);
    int64_t dimensions = block ? 0 : embedders[which].dimensions;
    int64_t asked;
    if (json_as_i64(json_get(arguments, "dimensions"), &asked) && asked >= 0 && asked <= 8192) {
        dimensions = asked;
    }
    settings->wiki_embedder =
        arena_printf(reading->arena, "%.*s/%.*s", STR_ARGS(site), STR_ARGS(model));
    settings->wiki_embedder_dimensions = dimensions;
    settings->wiki_embedder_taken_over = true;
}

void wiki_old_embedder(struct settings *settings, struct arena *arena, char *const *env)
{
    struct reading reading = {arena, "embedder.json", env};
    struct str type = environment(env, STR("DEEPWIKI_EMBEDDER_TYPE")),
               folder = settings->wiki_config;
    char path[4096];
    if (settings->wiki_embedder.len > 0) return;
    snprintf(path, sizeof(path), "%.*s/%s", STR_ARGS(folder), reading.file);
    bool filed = folder.len > 0 && access(path, F_OK) == 0;
    if (type.len == 0 && !filed) return;
    if (str_eq(type, STR("bedrock"))) {
        log_warn("wiki.config", "unsupported=\"DEEPWIKI_EMBEDDER_TYPE=bedrock\" "
                                "advice=\"name another with wiki-embedder\"");
        return;
    }
    struct json *tree = filed ? load(folder, reading.file) : NULL;
    read_embedder(settings, &reading, tree, type);
    json_free(tree);
}

/* --- life cycle --- */

struct wiki_old_config *wiki_old_config_new(struct str folder, char *const *env)
{
    struct wiki_old_config *config = NEW(struct wiki_old_config);
    config->locales = wiki_locales_usual;
    if (folder.len == 0) return config;
    struct reading reading = {&config->arena, "lang.json", env};
    struct json *tree = load(folder, reading.file);
    read_languages(config, &reading, tree);
    json_free(tree);
    reading.file = "generator.json";
    tree = load(folder, reading.file);
    read_offers(config, &reading, tree);
    json_free(tree);
    return config;
}

void wiki_old_config_free(struct wiki_old_config *config)
{
    if (config == NULL) return;
    arena_release(&config->arena);
    mem_free(config);
}

/* --- asking --- */

const struct wiki_locales *wiki_old_locales(const struct wiki_old_config *config)
{
    return &config->locales;
}

size_t wiki_offers(const struct wiki_old_config *config, const struct wiki_offer **list_out)
{
    *list_out = config->offers;
    return config->offer_count;
}

struct str wiki_offer_standard(const struct wiki_old_config *config)
{
    return config->offer_standard;
}

struct str wiki_offer_site(const struct wiki_old_config *config, struct str id)
{
    for (size_t i = 0; i < config->offer_count; i++) {
        if (str_eq(config->offers[i].id, id)) return config->offers[i].site;
    }
    return id;
}
