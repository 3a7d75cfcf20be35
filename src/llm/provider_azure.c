/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider_azure.c: OpenAI's models as Azure serves them.
 *
 * The same words as OpenAI's (provider_openai.c) behind other addresses: a
 * deployment stands in the path and the api-version in the query; with no
 * version set, the newer address in which the deployment is the model. What is
 * different in answers (a first chunk without choices, verdicts of the filter
 * that come late and without a delta) OpenAI's reader knows.
 */
#include "llm/convert.h"
#include "llm/reader.h"

/* `what`: "chat/completions". The version is the operator's, a date. */
static void write_url(const struct llm_site *site, struct str deployment, const char *what,
                      struct llm_wire *wire)
{
    struct str path = site->version.len > 0
                          ? arena_printf(wire->arena, "/openai/deployments/{}/%s?api-version=%.*s",
                                         what, STR_ARGS(site->version))
                          : arena_printf(wire->arena, "/openai/v1/%s", what);
    llm_wire_url(wire, site, path.at, site->version.len > 0 ? deployment : STR(""));
}

static void write_headers(const struct llm_site *site, struct str key, struct llm_wire *wire)
{
    if (key.len > 0) llm_wire_header(wire, "api-key", key);
    llm_wire_site_headers(wire, site);
}

/* Versions before 2024-09 know neither usage in streams nor the new name of max_tokens. */
static unsigned quirks_of(const struct llm_site *site)
{
    static const char first[] = "2024-09";
    bool old = site->version.len >= 7 && memcmp(site->version.at, first, 7) < 0;
    return old ? LLM_QUIRK_NO_USAGE | LLM_QUIRK_MAX_TOKENS : 0;
}

static enum err write_chat(const struct llm_asking *asking, struct llm_wire *wire, struct why *why)
{
    struct llm_asking older = *asking;
    older.quirks |= quirks_of(asking->site);
    write_url(asking->site, asking->model, "chat/completions", wire);
    write_headers(asking->site, asking->key, wire);
    llm_openai_write_body(&older, wire);
    return llm_keep_format(asking, why);
}

/* The models there could be; which are deployed only the control plane tells. Good for seeing
 * whether address and key are right. */
static enum err write_models(const struct llm_asking *asking, struct llm_wire *wire,
                             struct why *why)
{
    (void)why;
    const struct llm_site *site = asking->site;
    wire->method = "GET";
    struct str path =
        site->version.len > 0
            ? arena_printf(wire->arena, "/openai/models?api-version=%.*s", STR_ARGS(site->version))
            : STR("/openai/v1/models");
    llm_wire_url(wire, site, path.at, STR(""));
    write_headers(site, asking->key, wire);
    return OK;
}

static enum err write_embedding(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why)
{
    (void)why;
    write_url(asking->site, asking->model, "embeddings", wire);
    write_headers(asking->site, asking->key, wire);
    llm_openai_write_embedding_body(asking, wire);
    return OK;
}

const struct llm_provider llm_provider_azure = {
    .name = "azure",
    .framing = LLM_FRAMING_SSE,
    .embed_max = 512,
    .write_chat = write_chat,
    .read_event = llm_openai_read_event,
    .read_whole = llm_openai_read_whole,
    .write_models = write_models,
    .read_models = llm_openai_read_models,
    .write_embedding = write_embedding,
    .read_embedding = llm_openai_read_embedding,
};
