/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/admin_models.c: /admin/models: which sites are set up, and whether one answers now.
 *
 * A look (on a slow worker, 0.6 s at most) asks nobody anything: it tries whether something listens
 * where LM Studio and Ollama do, as the start does when no site is set up. A check asks a site for
 * its models, as `hutong llm check` does, and then its model for a word, which costs some tokens. A
 * check is on the loop, which waits for nobody. Keys are never shown, nor secrets in an address.
 */
#include "api/errand.h"
#include "api/handlers.h"
#include "api/input.h"
#include "base/clock.h"
#include "base/mem.h"
#include "llm/models.h"
#include "llm/probe.h"
#include "llm/site.h"

enum { NAMES_BYTES_MAX = 64 * 1024, NAMES_MAX = 200, WORD_TOKENS = 16 };

static const int64_t PATIENCE_US = 60 * INT64_C(1000000);

/* --- what is set up --- */

static void put_names(struct json_out *out, const struct llm *llm)
{
    json_open(out, "fallback", '[');
    for (size_t i = 0; i < llm->fallback_count; i++) {
        const struct llm_choice *choice = &llm->fallback[i];
        struct buf name;
        buf_init(&name, 512);
        buf_printf(&name, "%.*s/%.*s", STR_ARGS(choice->place->site.name), STR_ARGS(choice->model));
        json_put_str(out, NULL, buf_str(&name));
        buf_release(&name);
    }
    json_close(out, ']');
}

static void put_site(struct json_out *out, struct llm_place *place)
{
    const struct llm_site *site = &place->site;
    const struct llm_tally *tally = &place->tally;
    bool offline = llm_is_offline(place);
    json_open(out, NULL, '{');
    json_put_str(out, "site", site->name);
    json_put_opt(out, "address", site->address.len ? site->address : (struct str){0});
    json_put_opt(out, "model", site->model.len ? site->model : (struct str){0});
    json_put_u64(out, "keys", site->key_count);
    json_put_bool(out, "offline", offline);
    json_put_u64(out, "requests", tally->requests);
    uint64_t failures = 0;
    for (size_t i = 0; i < LLM_FAULT_COUNT; i++) failures += tally->failures[i];
    json_put_u64(out, "failures", failures);
    json_put_u64(out, "input_tokens", tally->input);
    json_put_u64(out, "output_tokens", tally->output);
    json_close(out, '}');
}

enum err admin_get_models(struct call *call, struct why *why)
{
    (void)why;
    struct llm *llm = call->api->llm;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "default", llm_default_model(llm));
    put_names(&out, llm);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < llm->place_count; i++) put_site(&out, &llm->places[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

/* --- a look around this machine --- */

enum err admin_look_for_models(struct call *call, struct why *why)
{
    (void)why;
    struct llm *llm = call->api->llm;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "at_start", call->api->settings->llm_probe);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < LLM_LOCALS; i++) {
        struct str site = str_of(llm_locals[i].site);
        json_open(&out, NULL, '{');
        json_put_str(&out, "site", site);
        json_put_str(&out, "address", str_of(llm_locals[i].base));
        json_put_bool(&out, "listens", llm_probe_port(llm_locals[i].port));
        json_put_bool(&out, "set_up", llm_find_place(llm, site) != NULL);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

/* --- a check --- */

struct checking {
    struct errand errand;
    struct arena arena;
    struct api_loop *home;
    size_t site;
    bool listing; /* its models are being asked for: that cannot be cancelled */
    int64_t began_us;
    struct llm_call *asked;
    /* What was found. */
    enum llm_fault fault;
    struct why why;
    int64_t listed_us, first_us;
    size_t count;
    struct buf names; /* a line each */
    size_t named;
    struct str model; /* that answered */
};

static void checking_free(struct checking *checking)
{
    buf_release(&checking->names);
    arena_release(&checking->arena);
    mem_free(checking);
}

static void on_dropped(struct errand *errand)
{
    struct checking *checking = CONTAINER_OF(errand, struct checking, errand);
    if (checking->asked) llm_cancel(checking->asked);
    if (checking->listing && !errand->ending)
        errand_outlive(errand, checking->home);
    else
        checking_free(checking);
}

static void put_ms(struct json_out *out, const char *key, int64_t us)
{
    if (us >= 0)
        json_put_i64(out, key, us / 1000);
    else
        json_put_null(out, key);
}

static void reply(struct checking *checking)
{
    struct call *call = checking->errand.call;
    bool answers = checking->fault == LLM_FAULT_NONE;
    struct str rest = buf_str(&checking->names), name;
    errand_settle(&checking->errand);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "site", checking->home->api->llm->places[checking->site].site.name);
    json_put_bool(&out, "reachable", checking->listed_us >= 0);
    json_put_bool(&out, "answers", answers);
    put_ms(&out, "listed_ms", checking->listed_us);
    put_ms(&out, "first_ms", checking->first_us);
    json_put_u64(&out, "model_count", checking->count);
    json_open(&out, "models", '[');
    while (str_split(&rest, '\n', &name))
        if (name.len) json_put_str(&out, NULL, name);
    json_close(&out, ']');
    json_put_opt(&out, "model", checking->model);
    json_put_opt(&out, "fault",
                 answers ? (struct str){0} : str_of(llm_fault_name(checking->fault)));
    json_put_opt(&out, "detail", answers ? (struct str){0} : str_of(checking->why.text));
    json_close(&out, '}');
    call_reply(call);
    checking_free(checking);
}

static void on_word(void *ctx, const struct llm_result *result)
{
    struct checking *checking = ctx;
    checking->asked = NULL;
    bool spoke = result->end == LLM_COMPLETE || result->end == LLM_CUT_OFF;
    checking->first_us = result->first_us;
    checking->model = arena_copy(&checking->arena, result->model);
    /* Sixteen tokens may all go into thinking: then it has answered, too. */
    if (!spoke && result->fault != LLM_FAULT_EMPTY) {
        checking->fault = result->fault == LLM_FAULT_NONE ? LLM_FAULT_FILTER : result->fault;
        checking->why = result->why;
    }
    reply(checking);
}

static void ask_word(struct checking *checking)
{
    static const struct llm_events events = {.end = on_word};
    const struct llm_message message = {.role = LLM_USER, .text = STR("Say: yes")};
    struct llm_request request = llm_request_plain();
    const struct llm *llm = checking->home->api->llm;
    struct str site = llm->places[checking->site].site.name, standard = llm_default_model(llm);
    struct str prefix = arena_printf(&checking->arena, "%.*s/", STR_ARGS(site));
    request.model = str_starts(standard, prefix) ? standard : site;
    request.messages = &message;
    request.message_count = 1;
    request.max_tokens = WORD_TOKENS;
    request.thinking = LLM_THINKING_OFF;
    request.class = LLM_PERSON;
    request.only_this = true;
    checking->asked = llm_start(checking->home->llm, &request, &events, checking);
}

static void take_name(void *ctx, struct str id, int64_t context_tokens)
{
    struct checking *checking = ctx;
    (void)context_tokens;
    if (checking->named == NAMES_MAX || checking->names.len + id.len + 1 > NAMES_BYTES_MAX) return;
    if (str_find_byte(id, '\n') < id.len) return;
    checking->named++;
    buf_add_str(&checking->names, id);
    buf_add_byte(&checking->names, '\n');
}

static void on_models(void *ctx, const struct llm_models *models)
{
    struct checking *checking = ctx;
    checking->listing = false;
    if (checking->errand.call == NULL) {
        errand_settle(&checking->errand);
        checking_free(checking);
        return;
    }
    checking->fault = models->fault;
    checking->why = models->why;
    checking->count = models->count;
    if (models->fault != LLM_FAULT_NONE) {
        reply(checking);
        return;
    }
    checking->listed_us = clock_mono_us() - checking->began_us;
    llm_models_each(models, take_name, checking);
    ask_word(checking);
}

/* Below llm_site_count(), or that. */
static size_t find_site(const struct llm *llm, struct str name)
{
    size_t at = 0;
    while (at < llm->place_count && !str_eq(llm->places[at].site.name, name)) at++;
    return at;
}

static void begin_check(struct call *call)
{
    struct checking *checking = NEW(struct checking);
    checking->home = call->home;
    checking->site = find_site(call->api->llm, input_str(call, "site", true));
    checking->began_us = clock_mono_us();
    checking->listed_us = checking->first_us = -1;
    buf_init(&checking->names, NAMES_BYTES_MAX + 1);
    checking->listing = true;
    if (errand_begin(&checking->errand, call, PATIENCE_US, on_dropped))
        llm_models_ask(call->home->llm, checking->site, on_models, checking);
    else
        checking_free(checking);
}

enum err admin_check_model(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str site = input_str(call, "site", true);
    err = input_check(call, why);
    if (err) return err;
    if (find_site(call->api->llm, site) == llm_site_count(call->api->llm))
        return why_set(why, ERR_NOT_FOUND,
                       "no site of that name is set up; GET /admin/models "
                       "lists them");
    call->after = begin_check;
    return OK;
}
