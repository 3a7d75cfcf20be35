/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_compat_models.c: /models/config: which models older pages may choose from.
 *
 * Our own sites are its providers, by their names, which are theirs: google,
 * openai, openrouter, ollama, azure, dashscope. Pages take the first model of a
 * provider for its standard, so the one that we would ask comes first. Where the
 * operator kept generator.json, that says what is offered, as far as a site of
 * ours can be asked. It never fails: a stranger who may not read gets an empty
 * list, since the page cannot do without one.
 */
#include "api/gateway.h"
#include "api/wiki_access.h"
#include "api/wiki_compat.h"
#include "llm/models.h"
#include "llm/site.h"
#include "wiki/old_config.h"

/* "openai" → "Openai" */
static void put_provider(struct json_out *out, struct call *call, struct str id, bool custom)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", id);
    char first = id.len > 0 ? id.at[0] : '?';
    if (first >= 'a' && first <= 'z') first = (char)(first - 'a' + 'A');
    json_put_str(out, "name",
                 arena_printf(call->arena, "%c%.*s", first, STR_ARGS(str_from(id, 1))));
    json_put_bool(out, "supportsCustomModel", custom);
    json_open(out, "models", '[');
}

static void put_model(struct json_out *out, struct str name)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", name);
    json_put_str(out, "name", name);
    json_close(out, '}');
}

static void end_provider(struct json_out *out)
{
    json_close(out, ']');
    json_close(out, '}');
}

static struct json_out begin(struct call *call)
{
    struct json_out out = call_json(call);
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    json_open(&out, NULL, '{');
    json_open(&out, "providers", '[');
    return out;
}

static void end(struct json_out *out, struct str standard)
{
    json_close(out, ']');
    json_put_str(out, "defaultProvider", standard);
    json_close(out, '}');
}

/* --- what the operator's file offers --- */

static bool can_be_asked(struct call *call, const struct wiki_offer *offer)
{
    return llm_find_place(call->api->llm, offer->site) != NULL;
}

/* How many of the file's providers can be asked. */
static size_t usable_offers(struct call *call, const struct wiki_offer *offers, size_t count)
{
    size_t usable = 0;
    for (size_t i = 0; i < count; i++) usable += can_be_asked(call, &offers[i]);
    return usable;
}

static void put_offers(struct call *call, const struct wiki_offer *offers, size_t count)
{
    struct str wanted = wiki_offer_standard(call->api->wiki_config), standard = {0};
    struct json_out out = begin(call);
    for (size_t i = 0; i < count; i++) {
        const struct wiki_offer *offer = &offers[i];
        if (!can_be_asked(call, offer)) continue;
        if (standard.at == NULL || str_eq(offer->id, wanted)) standard = offer->id;
        put_provider(&out, call, offer->id, offer->custom);
        for (size_t j = 0; j < offer->model_count; j++) put_model(&out, offer->models[j]);
        end_provider(&out);
    }
    end(&out, standard);
}

/* --- what there is --- */

static struct str site_of(struct str name)
{
    return str_head(name, str_find_byte(name, '/'));
}

/* The model of a site that answers when none is named; empty: nobody knows. */
static struct str standard_model(struct call *call, struct str site)
{
    struct str standard = llm_default_model(call->api->llm);
    struct llm_place *place = llm_find_place(call->api->llm, site);
    if (str_eq(site_of(standard), site) && standard.len > site.len + 1) {
        return str_from(standard, site.len + 1);
    }
    return place ? llm_known_model(call->api->llm, place, call->arena) : STR("");
}

static bool has_models(struct str names, struct str site)
{
    struct str name;
    while (str_split(&names, '\n', &name)) {
        if (str_eq(site_of(name), site)) return true;
    }
    return false;
}

static void put_site(struct json_out *out, struct call *call, const struct llm_place *place,
                     struct str names)
{
    struct str site = place->site.name, name, standard = standard_model(call, site);
    if (standard.len == 0 && !has_models(names, site)) return; /* nothing to choose */
    put_provider(out, call, site, !llm_is_offline(place));
    if (standard.len > 0) put_model(out, standard);
    while (str_split(&names, '\n', &name)) {
        struct str model = str_from(name, site.len + 1);
        if (str_eq(site_of(name), site) && !str_eq(model, standard)) put_model(out, model);
    }
    end_provider(out);
}

static void reply_sites(struct call *call, struct str names)
{
    const struct llm *llm = call->api->llm;
    struct json_out out = begin(call);
    for (size_t i = 0; i < llm->place_count; i++) put_site(&out, call, &llm->places[i], names);
    end(&out, site_of(llm_default_model(llm)));
    call_reply(call);
}

static void ask_sites(struct call *call)
{
    gateway_with_names(call, reply_sites);
}

enum err wiki_models_config(struct call *call, struct why *why)
{
    const struct wiki_offer *offers;
    size_t count = wiki_offers(call->api->wiki_config, &offers);
    if (wiki_allow(call, WIKI_READ, why)) {
        struct json_out out = begin(call);
        end(&out, STR(""));
    } else if (usable_offers(call, offers, count) > 0) {
        put_offers(call, offers, count);
    } else {
        call->after = ask_sites;
    }
    return OK;
}
