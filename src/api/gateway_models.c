/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway_models.c: what every site says it has, asked all at once: for
 * programs in OpenAI's form (GET /v1/models), for members to choose from
 * (GET /chat/models). The list is kept for a minute on each loop, so that
 * programs that ask before every call don't make the sites pay for it. A site
 * that does not answer within ten seconds is left out: the others are good to know.
 */
#include "api/gateway_internal.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "community/keys.h"
#include "llm/models.h"
#include "store/wikis.h"

enum { LIST_BYTES_MAX = 4 * 1024 * 1024, WIKIS_MAX = 500 };

static const int64_t KEEP_US = INT64_C(60) * 1000000, KEEP_FAILED_US = INT64_C(10) * 1000000;

/* Names of a loop's models, "SITE/MODEL" one a line. Lives with the loop. */
struct models {
    struct buf names;
    int64_t until_us; /* monotonic; 0: not known */
    int64_t told_us;  /* when they came, of all sites or some; 0: never */
    struct buf coming;
    size_t missing; /* sites that have not answered; 0: nobody asks */
    bool failed;    /* one could not be asked: ask again soon */
    struct list waiting;
};

/* One request; in its call's arena. */
struct waiter {
    struct list link;
    struct call *call;
    struct str wikis;    /* "wiki:NAME" a line: those of the key's owner, the newest */
    struct str patterns; /* of its key */
    void (*reply)(const struct waiter *waiter, struct str names);
    gateway_names *then; /* of reply_other */
};

struct models *models_new(void)
{
    struct models *models = NEW(struct models);
    buf_init(&models->names, LIST_BYTES_MAX);
    buf_init(&models->coming, LIST_BYTES_MAX);
    list_init(&models->waiting);
    return models;
}

void models_free(struct models *models)
{
    if (models == NULL) return;
    ASSERT(list_is_empty(&models->waiting));
    buf_release(&models->names);
    buf_release(&models->coming);
    mem_free(models);
}

/* --- replies --- */

static void put_model(struct json_out *out, struct str name)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", name);
    json_put_str(out, "object", STR("model"));
    json_put_i64(out, "created", 0); /* nobody says */
    bool wiki = gateway_wiki_of(name, &(struct str){0});
    json_put_str(out, "owned_by", wiki ? STR("wiki") : str_head(name, str_find_byte(name, '/')));
    json_close(out, '}');
}

/* Of the models, then of the wikis. */
static bool next_name(struct str *names, struct str *wikis, struct str *name_out)
{
    while (str_split(names, '\n', name_out) || str_split(wikis, '\n', name_out)) {
        if (name_out->len > 0) return true; /* behind the last line end is nothing */
    }
    return false;
}

static void reply_list(const struct waiter *waiter, struct str names)
{
    struct json_out out = call_json(waiter->call);
    struct str name;
    json_open(&out, NULL, '{');
    json_put_str(&out, "object", STR("list"));
    json_open(&out, "data", '[');
    for (struct str wikis = waiter->wikis; next_name(&names, &wikis, &name);) {
        if (key_allows(waiter->patterns, name)) put_model(&out, name);
    }
    json_close(&out, ']');
    json_close(&out, '}');
    call_reply(waiter->call);
}

static void reply_choice(const struct waiter *waiter, struct str names)
{
    struct json_out out = call_json(waiter->call);
    struct str name;
    json_open(&out, NULL, '{');
    json_put_str(&out, "default", llm_default_model(waiter->call->api->llm));
    json_open(&out, "items", '[');
    while (str_split(&names, '\n', &name)) {
        struct str site = str_head(name, str_find_byte(name, '/'));
        json_open(&out, NULL, '{');
        json_put_str(&out, "id", name);
        json_put_str(&out, "site", site);
        json_put_bool(&out, "offline", str_eq(site, STR("offline")));
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    call_reply(waiter->call);
}

/* "openai/gpt-4o", in one or two segments of the path, encoded or not. */
static struct str wanted_model(struct call *call)
{
    struct str first, second;
    struct why why;
    if (url_segment_decode(call->arena, call->params[0], &first, &why)) return STR("");
    if (call->params[1].at == NULL) return first;
    if (url_segment_decode(call->arena, call->params[1], &second, &why)) return STR("");
    return arena_printf(call->arena, "%.*s/%.*s", STR_ARGS(first), STR_ARGS(second));
}

static void reply_one(const struct waiter *waiter, struct str names)
{
    struct str name, wanted = wanted_model(waiter->call);
    for (struct str wikis = waiter->wikis; next_name(&names, &wikis, &name);) {
        if (!str_eq(name, wanted) || !key_allows(waiter->patterns, name)) continue;
        struct json_out out = call_json(waiter->call);
        put_model(&out, name);
        call_reply(waiter->call);
        return;
    }
    struct why why;
    waiter->call->error_code = "model_not_found";
    enum err err = why_set(&why, ERR_NOT_FOUND, "there is no model %.*s; GET /v1/models lists all",
                           STR_ARGS(str_head(wanted, LIMIT_MODEL_BYTES)));
    call_refuse(waiter->call, err, &why);
}

/* --- asking --- */

struct naming {
    struct models *models;
    struct str site;
};

static void add_name(void *ctx, struct str id, int64_t context_tokens)
{
    struct naming *naming = ctx;
    struct buf *to = &naming->models->coming;
    struct why why;
    (void)context_tokens;
    if (model_pattern_check(id, &why)) return; /* no name that could be asked for */
    if (to->len > 0) buf_add_byte(to, '\n');
    buf_printf(to, "%.*s/%.*s", STR_ARGS(naming->site), STR_ARGS(id));
}

static struct str names_of(const struct models *models)
{
    return models->names.len ? buf_str(&models->names) : STR("");
}

static void all_known(struct models *models)
{
    struct buf old = models->names;
    models->names = models->coming;
    models->coming = old;
    models->told_us = clock_mono_us();
    models->until_us = models->failed ? 0 : models->told_us + KEEP_US;
    while (!list_is_empty(&models->waiting)) {
        struct list *first = list_take_first(&models->waiting);
        struct waiter *waiter = CONTAINER_OF(first, struct waiter, link);
        waiter->reply(waiter, names_of(models));
    }
}

static void on_answer(void *ctx, const struct llm_models *answer)
{
    struct models *models = ctx;
    struct naming naming = {models, answer->site};
    if (answer->fault != LLM_FAULT_NONE) models->failed = true;
    llm_models_each(answer, add_name, &naming);
    if (--models->missing == 0) all_known(models);
}

static void ask_sites(struct models *models, struct api_loop *home)
{
    models->failed = false;
    buf_reset(&models->coming, LIST_BYTES_MAX);
    models->missing = llm_site_count(home->api->llm);
    for (size_t site = 0; site < llm_site_count(home->api->llm); site++) {
        llm_models_ask(home->llm, site, on_answer, models);
    }
}

static void wait_for_names(struct waiter *waiter)
{
    struct api_loop *home = waiter->call->home;
    struct models *models = home->gateway->models;
    if (models->until_us > clock_mono_us()) {
        waiter->reply(waiter, names_of(models));
        return;
    }
    list_add_last(&models->waiting, &waiter->link);
    if (models->missing == 0) ask_sites(models, home);
}

/* --- wikis, which can be asked like models --- */

static void add_wiki(void *ctx, const struct wiki *wiki)
{
    if (wiki->indexed_us) buf_printf(ctx, "wiki:%.*s\n", STR_ARGS(wiki->name));
}

static void look_for_wikis(struct job *job, void *own)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    struct waiter *waiter = call->gateway_own;
    struct wiki_reader reader = {.user = call->who.user};
    struct buf wikis;
    buf_init(&wikis, LIST_BYTES_MAX);
    call->err = wikis_list(own, &reader, 0, WIKIS_MAX, add_wiki, &wikis, &call->why);
    waiter->wikis = arena_copy(call->arena, buf_str(&wikis));
    buf_release(&wikis);
    loop_post(call->home->loop, &call->back);
}

static void on_wikis_known(struct task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, back);
    if (!call->err && call->home->gateway->closed) {
        call->err = why_set(&call->why, ERR_BUSY, "the server is stopping");
    }
    if (call->err) {
        call_refuse(call, call->err, &call->why);
    } else {
        wait_for_names(call->gateway_own);
    }
}

static enum err begin_models(struct call *call, const struct api_key *key, struct why *why)
{
    enum err err = gateway_admit(call, key, 0, why);
    if (err) return err;
    struct waiter *waiter = ARENA_NEW(call->arena, struct waiter);
    waiter->call = call;
    waiter->patterns = arena_keep(call->arena, key->models);
    waiter->reply = call->params[0].at ? reply_one : reply_list;
    call->gateway_own = waiter;
    call->back.run = on_wikis_known;
    call->job.work = look_for_wikis;
    if (workers_submit(call->api->workers, &call->job)) return OK;
    return why_set(why, ERR_BUSY, "the server is busy; try again in a moment");
}

enum err gateway_models(struct call *call, struct why *why)
{
    return gateway_with_key(call, begin_models, why);
}

static void begin_choice(struct call *call)
{
    struct waiter *waiter = ARENA_NEW(call->arena, struct waiter);
    waiter->call = call;
    waiter->reply = reply_choice;
    wait_for_names(waiter);
}

enum err chat_models(struct call *call, struct why *why)
{
    (void)why;
    call->after = begin_choice;
    return OK;
}

static void reply_other(const struct waiter *waiter, struct str names)
{
    waiter->then(waiter->call, names);
}

void gateway_with_names(struct call *call, gateway_names *then)
{
    const struct models *models = call->home->gateway->models;
    /* Anybody may ask this: a site that is down must not be asked each time. */
    if (models->told_us && models->told_us + KEEP_FAILED_US > clock_mono_us()) {
        then(call, names_of(models));
        return;
    }
    struct waiter *waiter = ARENA_NEW(call->arena, struct waiter);
    waiter->call = call;
    waiter->reply = reply_other;
    waiter->then = then;
    wait_for_names(waiter);
}

void models_abort(struct models *models)
{
    struct why why;
    while (!list_is_empty(&models->waiting)) {
        struct list *first = list_take_first(&models->waiting);
        why_set(&why, ERR_BUSY, "the server is stopping");
        call_refuse(CONTAINER_OF(first, struct waiter, link)->call, ERR_BUSY, &why);
    }
}
