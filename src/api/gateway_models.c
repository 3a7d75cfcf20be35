/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway_models.c: what every site says it has, asked all at once: for
 * programs in OpenAI's form (GET /v1/models), for members to choose from
 * (GET /chat/models). Each loop keeps the lists, and asks a site at most once a
 * minute, so that programs that ask before every call don't make the sites pay
 * for it. Who asks waits for what the sites say, together with all others and
 * three seconds at most; a site that was late or failed is waited for by
 * nobody until it has answered again: its list comes in behind their backs.
 */
#include "api/gateway_internal.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "community/keys.h"
#include "llm/models.h"
#include "llm/site.h"
#include "store/wikis.h"

enum { LIST_BYTES_MAX = 4 * 1024 * 1024, WIKIS_MAX = 500 };

static const int64_t KEEP_US = INT64_C(60) * 1000000, WAIT_US = INT64_C(3) * 1000000;

/* What a site said last. */
struct site_names {
    struct models *models;
    struct buf names; /* "SITE/MODEL" one a line; none after a failure */
    int64_t asked_us; /* monotonic; 0: never */
    bool asking;
    bool late; /* it kept somebody waiting, or failed: nobody waits for it */
};

/* Lives with the loop. */
struct models {
    struct site_names sites[LLM_SITES_MAX];
    struct buf names; /* of all sites, written before a reply */
    struct list waiting;
    struct deadline patience; /* runs while somebody waits */
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

static void on_patience_over(struct deadline *deadline);

struct models *models_new(void)
{
    struct models *models = NEW(struct models);
    for (size_t i = 0; i < LLM_SITES_MAX; i++) {
        models->sites[i].models = models;
        buf_init(&models->sites[i].names, LIST_BYTES_MAX);
    }
    buf_init(&models->names, LLM_SITES_MAX * (size_t)LIST_BYTES_MAX);
    list_init(&models->waiting);
    list_init(&models->patience.link);
    models->patience.fired = on_patience_over;
    return models;
}

void models_free(struct models *models)
{
    if (models == NULL) return;
    ASSERT(list_is_empty(&models->waiting));
    deadline_clear(&models->patience);
    for (size_t i = 0; i < LLM_SITES_MAX; i++) buf_release(&models->sites[i].names);
    buf_release(&models->names);
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
    struct buf *to;
    struct str site;
};

static void add_name(void *ctx, struct str id, int64_t context_tokens)
{
    struct naming *naming = ctx;
    struct why why;
    (void)context_tokens;
    if (model_pattern_check(id, &why)) return; /* no name that could be asked for */
    buf_printf(naming->to, "%.*s/%.*s\n", STR_ARGS(naming->site), STR_ARGS(id));
}

static struct str all_names(struct models *models)
{
    buf_reset(&models->names, models->names.max);
    for (size_t i = 0; i < LLM_SITES_MAX; i++) {
        if (models->sites[i].names.len > 0) {
            buf_add_str(&models->names, buf_str(&models->sites[i].names));
        }
    }
    /* Without the last line end, behind which is no name. */
    return models->names.len ? str_head(buf_str(&models->names), models->names.len - 1) : STR("");
}

static bool is_worth_waiting(const struct models *models)
{
    for (size_t i = 0; i < LLM_SITES_MAX; i++) {
        if (models->sites[i].asking && !models->sites[i].late) return true;
    }
    return false;
}

static void reply_all(struct models *models)
{
    struct str names = all_names(models);
    deadline_clear(&models->patience);
    while (!list_is_empty(&models->waiting)) {
        struct list *first = list_take_first(&models->waiting);
        struct waiter *waiter = CONTAINER_OF(first, struct waiter, link);
        waiter->reply(waiter, names);
    }
}

static void on_patience_over(struct deadline *deadline)
{
    struct models *models = CONTAINER_OF(deadline, struct models, patience);
    for (size_t i = 0; i < LLM_SITES_MAX; i++) models->sites[i].late |= models->sites[i].asking;
    reply_all(models);
}

static void on_answer(void *ctx, const struct llm_models *answer)
{
    struct site_names *site = ctx;
    struct naming naming = {&site->names, answer->site};
    site->asking = false;
    site->late = answer->fault != LLM_FAULT_NONE;
    buf_reset(&site->names, LIST_BYTES_MAX);
    llm_models_each(answer, add_name, &naming);
    if (!is_worth_waiting(site->models)) reply_all(site->models);
}

static void ask_sites(struct models *models, struct api_loop *home)
{
    int64_t now_us = clock_mono_us();
    for (size_t i = 0; i < llm_site_count(home->api->llm); i++) {
        struct site_names *site = &models->sites[i];
        if (site->asking || (site->asked_us && now_us - site->asked_us < KEEP_US)) continue;
        site->asking = true;
        site->asked_us = now_us;
        llm_models_ask(home->llm, i, on_answer, site);
    }
}

static void wait_for_names(struct waiter *waiter)
{
    struct api_loop *home = waiter->call->home;
    struct models *models = home->gateway->models;
    ask_sites(models, home);
    if (!is_worth_waiting(models)) {
        waiter->reply(waiter, all_names(models));
        return;
    }
    if (list_is_empty(&models->waiting)) {
        deadline_set(home->loop, &models->patience, loop_now_us(home->loop) + WAIT_US);
    }
    list_add_last(&models->waiting, &waiter->link);
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
    struct waiter *waiter = ARENA_NEW(call->arena, struct waiter);
    waiter->call = call;
    waiter->reply = reply_other;
    waiter->then = then;
    wait_for_names(waiter);
}

void models_abort(struct models *models)
{
    struct why why;
    deadline_clear(&models->patience);
    while (!list_is_empty(&models->waiting)) {
        struct list *first = list_take_first(&models->waiting);
        why_set(&why, ERR_BUSY, "the server is stopping");
        call_refuse(CONTAINER_OF(first, struct waiter, link)->call, ERR_BUSY, &why);
    }
}
