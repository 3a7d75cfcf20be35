/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/old_config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "unit.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/hutong-unit-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void leave(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (text == NULL) {
        remove(path);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int remove_folder(void **state)
{
    (void)state;
    leave("lang.json", NULL);
    leave("generator.json", NULL);
    leave("embedder.json", NULL);
    return rmdir(folder);
}

static struct wiki_old_config *config_of(const char *languages, const char *models)
{
    static char model[] = "WIKI_MODEL=gpt-x", empty[] = "EMPTY=";
    static char *const env[] = {model, empty, NULL};
    leave("lang.json", languages);
    leave("generator.json", models);
    return wiki_old_config_new(str_of(folder), env);
}

static void without_a_folder_there_are_ten_languages_and_no_offers(void **state)
{
    (void)state;
    const struct wiki_offer *offers;
    struct wiki_old_config *config = wiki_old_config_new(STR(""), NULL);
    assert_int_equal(wiki_old_locales(config)->count, 10);
    assert_str_equal(wiki_old_locales(config)->at[2].code, "zh");
    assert_str_equal(wiki_old_locales(config)->at[2].name, "Mandarin Chinese (中文)");
    assert_str_equal(wiki_old_locales(config)->standard, "en");
    assert_true(wiki_locale_name(wiki_old_locales(config), STR("kr")).len > 0);
    assert_int_equal(wiki_locale_name(wiki_old_locales(config), STR("ko")).len, 0);
    assert_int_equal(wiki_locale_name(wiki_old_locales(config), STR("")).len, 0);
    assert_int_equal(wiki_offers(config, &offers), 0);
    assert_str_equal(wiki_offer_site(config, STR("openai")), "openai");
    wiki_old_config_free(config);
    wiki_old_config_free(NULL);
}

static void files_are_read_with_what_the_environment_says(void **state)
{
    (void)state;
    const struct wiki_offer *offers;
    struct wiki_old_config *config = config_of(
        "{\"supported_languages\":{\"de\":\"Deutsch\",\"zh\":\"中文\",\"toolongacode\":\"x\","
        "\"it\":7},\"default\":\"zh\"}",
        "{\"default_provider\":\"house\",\"providers\":{"
        "\"house\":{\"client_class\":\"OpenAIClient\",\"default_model\":\"${WIKI_MODEL}\","
        "\"supportsCustomModel\":true,\"models\":{\"first\":{},\"gpt-x\":{\"t\":1},"
        "\"a${UNSET}b${EMPTY}c\":{}}},"
        "\"ollama\":{\"default_model\":\"q\",\"models\":{}},"
        "\"nothing\":{\"models\":{}},\"wrong\":5}}");
    assert_int_equal(wiki_old_locales(config)->count, 2);
    assert_str_equal(wiki_old_locales(config)->at[0].code, "de");
    assert_str_equal(wiki_old_locales(config)->standard, "zh");
    assert_int_equal(wiki_offers(config, &offers), 2);
    assert_str_equal(wiki_offer_standard(config), "house");
    assert_str_equal(offers[0].id, "house");
    assert_str_equal(offers[0].site, "openai");
    assert_true(offers[0].custom);
    assert_int_equal(offers[0].model_count, 3);
    assert_str_equal(offers[0].models[0], "gpt-x"); /* the default first, and once */
    assert_str_equal(offers[0].models[1], "first");
    assert_str_equal(offers[0].models[2], "a${UNSET}bc");
    assert_str_equal(offers[1].site, "ollama");
    assert_false(offers[1].custom);
    assert_str_equal(wiki_offer_site(config, STR("house")), "openai");
    assert_str_equal(wiki_offer_site(config, STR("google")), "google");
    wiki_old_config_free(config);
}

static void what_makes_no_sense_is_as_none(void **state)
{
    (void)state;
    const struct wiki_offer *offers;
    static const char *const bad[] = {
        NULL,
        "",
        "{",
        "[]",
        "7",
        "{\"supported_languages\":[\"en\"],\"providers\":[{\"id\":\"google\"}]}",
        "{\"supported_languages\":{\"\":\"x\",\"e\\nn\":\"y\"},\"providers\":{\"\":{}}}",
        "{\"default\":\"de\",\"default_provider\":\"x\"}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct wiki_old_config *config = config_of(bad[i], bad[i]);
        assert_int_equal(wiki_old_locales(config)->count, 10);
        assert_str_equal(wiki_old_locales(config)->standard, "en");
        assert_int_equal(wiki_offers(config, &offers), 0);
        wiki_old_config_free(config);
    }
    struct wiki_old_config *config =
        config_of("{\"supported_languages\":{\"de\":\"Deutsch\"},\"default\":\"xx\"}", NULL);
    assert_str_equal(wiki_old_locales(config)->standard, "de");
    wiki_old_config_free(config);
}

/* wiki-embedder and its dimensions, "openai/m@256"; "-": none. */
static const char *embedder_of(const char *type, const char *file)
{
    static char said[200], variable[64];
    struct arena arena = {0};
    struct settings settings = {.wiki_config = file ? str_of(folder) : STR("")};
    snprintf(variable, sizeof(variable), "DEEPWIKI_EMBEDDER_TYPE=%s", type ? type : "");
    char *const env[] = {type ? variable : NULL, NULL};
    leave("embedder.json", file);
    wiki_old_embedder(&settings, &arena, env);
    assert_int_equal(settings.wiki_embedder_taken_over, settings.wiki_embedder.len > 0);
    snprintf(said, sizeof(said), "%.*s@%d", STR_ARGS(settings.wiki_embedder),
             (int)settings.wiki_embedder_dimensions);
    if (settings.wiki_embedder.len == 0) str_copy(said, sizeof(said), STR("-"));
    arena_release(&arena);
    return said;
}

static void the_embedder_there_was_is_the_embedder_here(void **state)
{
    (void)state;
    assert_string_equal(embedder_of(NULL, NULL), "-");
    assert_string_equal(embedder_of("openai", NULL), "openai/text-embedding-3-small@256");
    assert_string_equal(embedder_of("google", NULL), "google/gemini-embedding-001@0");
    assert_string_equal(embedder_of("ollama", NULL), "ollama/nomic-embed-text@0");
    assert_string_equal(embedder_of("bedrock", NULL), "-");
    static const char file[] =
        "{\"embedder\":{\"client_class\":\"OpenAIClient\",\"batch_size\":10,\"model_kwargs\":"
        "{\"model\":\"text-embedding-v3\",\"dimensions\":512}},"
        "\"embedder_ollama\":{\"client_class\":\"OllamaClient\",\"model_kwargs\":{\"model\":"
        "\"bge\"}}}";
    assert_string_equal(embedder_of(NULL, file), "openai/text-embedding-v3@512");
    assert_string_equal(embedder_of("ollama", file), "ollama/bge@0");
    assert_string_equal(embedder_of("anything", file), "openai/text-embedding-v3@512");
    static const char other[] = "{\"embedder\":{\"client_class\":\"OllamaClient\",\"model_kwargs\":"
                                "{\"model\":\"mxbai-embed-large\",\"dimensions\":-3}}}";
    assert_string_equal(embedder_of(NULL, other), "ollama/mxbai-embed-large@0");
    assert_string_equal(embedder_of(NULL, "no json"), "openai/text-embedding-3-small@256");
    struct arena arena = {0};
    struct settings settings = {.wiki_embedder = STR("lab/own")};
    char type[] = "DEEPWIKI_EMBEDDER_TYPE=google";
    char *const env[] = {type, NULL};
    wiki_old_embedder(&settings, &arena, env); /* ours is said: it stays */
    assert_true(str_eq(settings.wiki_embedder, STR("lab/own")));
    arena_release(&arena);
}

int main(void)
{
    struct why why;
    if (log_open("/dev/null", LOG_ERROR, &why) != OK) return 1; /* it complains, as it should */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_embedder_there_was_is_the_embedder_here),
        cmocka_unit_test(without_a_folder_there_are_ten_languages_and_no_offers),
        cmocka_unit_test(files_are_read_with_what_the_environment_says),
        cmocka_unit_test(what_makes_no_sense_is_as_none),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
