/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway.c: whose key it is, whether it may ask now, and what a failure
 * looks like. A key is looked up in the store once a second while it is used;
 * a revocation also comes as a notice, and ends what runs with the key.
 */
#include "api/gateway.h"

#include "api/gateway_internal.h"
#include "auth/apikey.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "community/keys.h"

enum { KEYS_MAX = 20000 };

static const int64_t CONFIRM_EVERY_US = 1000000;

struct seen_key {
    uint8_t hash[APIKEY_HASH_BYTES];
    struct api_key key; /* its models are behind this struct */
    int64_t confirmed_us;
    char models[];
};

/* One look-up, in the call's arena; travels to a worker and back on MariaDB. */
struct looking {
    struct call *call;
    gateway_begin *begin;
    uint8_t hash[APIKEY_HASH_BYTES];
    struct api_key key;
    uint64_t notices;
    int64_t day;
    uint64_t tokens; /* used on that day, as stored */
};

/* --- life cycle --- */

enum err gateway_open(const struct settings *settings, struct store *store, struct workers *workers,
                      struct gateway **gateway_out, struct why *why)
{
    struct prices *prices;
    enum err err = prices_open(settings->llm_prices, &prices, why);
    if (err) return err;
    struct gateway *gateway = NEW(struct gateway);
    gateway->store = store;
    gateway->prices = prices;
    gateway->ledger = ledger_new(store, workers, prices);
    gateway->share = settings->llm_share;
    pthread_mutex_init(&gateway->lock, NULL);
    if (settings->llm_cache) gateway->answers = answers_new((size_t)settings->llm_cache_bytes);
    *gateway_out = gateway;
    return OK;
}

void gateway_flush(struct gateway *gateway)
{
    struct db *db;
    struct why why;
    enum err err = store_connect(gateway->store, &db, &why);
    if (err) {
        log_warn("usage.write", "reason=\"%s\"", why.text);
        return;
    }
    ledger_flush(gateway->ledger, db);
    db_close(db);
}

void gateway_free(struct gateway *gateway)
{
    if (gateway == NULL) return;
    ledger_free(gateway->ledger);
    prices_free(gateway->prices);
    answers_free(gateway->answers);
    ASSERT(gateway->shared.count == 0);
    map_release(&gateway->shared);
    pthread_mutex_destroy(&gateway->lock);
    mem_free(gateway);
}

struct gateway_counts gateway_counts(const struct gateway *gateway)
{
    return (struct gateway_counts){atomic_load(&gateway->asked),
                                   atomic_load(&gateway->shared_answers),
                                   atomic_load(&gateway->kept)};
}

struct gateway_loop *gateway_loop_open(struct api_loop *home)
{
    struct gateway_loop *gateway = NEW(struct gateway_loop);
    gateway->home = home;
    list_init(&gateway->readers);
    list_init(&gateway->flights);
    buf_init(&gateway->events, 2 * LIMIT_REPLY_BYTES);
    list_init(&gateway->embeddings);
    list_init(&gateway->counsels);
    gateway->models = models_new();
    return gateway;
}

static void forget_keys(struct gateway_loop *gateway)
{
    size_t at = 0;
    for (struct seen_key *seen; (seen = map_next(&gateway->keys, &at)) != NULL;) mem_free(seen);
    map_release(&gateway->keys);
    gateway->keys = (struct map){0};
}

void gateway_abort(struct api_loop *home)
{
    if (home->gateway == NULL) return;
    home->gateway->closed = true;
    gateway_chat_abort(home->gateway);
    gateway_embed_abort(home->gateway);
    models_abort(home->gateway->models);
}

void gateway_loop_close(struct gateway_loop *gateway)
{
    if (gateway == NULL) return;
    ASSERT(list_is_empty(&gateway->readers) && list_is_empty(&gateway->flights));
    ASSERT(list_is_empty(&gateway->counsels));
    forget_keys(gateway);
    buf_release(&gateway->events);
    models_free(gateway->models);
    mem_free(gateway);
}

void gateway_notice(struct api_loop *home, const struct hub_notice *notice)
{
    struct gateway_loop *gateway = home->gateway;
    bool key = notice->what == NOTICE_KEY_REVOKED;
    if (!key && notice->what != NOTICE_USER_REVOKED) return;
    gateway->notices++;
    size_t at = 0;
    for (struct seen_key *seen; (seen = map_next(&gateway->keys, &at)) != NULL;) {
        bool meant = key ? seen->key.id.value == notice->session
                         : seen->key.user.value == notice->user.value;
        if (meant) seen->confirmed_us = 0;
    }
    if (!key) return;
    gateway_chat_end_key(gateway, (struct key_id){notice->session});
    gateway_embed_end_key(gateway, (struct key_id){notice->session});
    gateway_wiki_end_key(gateway, (struct key_id){notice->session});
}

/* --- whose key --- */

static enum err no_key(struct call *call, struct why *why)
{
    call->error_code = "invalid_api_key";
    return why_set(why, ERR_UNKNOWN_CALLER,
                   "this needs a valid API key (Authorization: Bearer sk-hutong-…); members make "
                   "theirs with POST /keys");
}

/* With a connection at hand, on any thread. */
static enum err look_up(struct looking *looking, struct db *db, struct why *why)
{
    struct str hash = {(const char *)looking->hash, sizeof(looking->hash)};
    enum err err = keys_find(db, looking->call->arena, hash, &looking->key, why);
    if (err == ERR_NOT_FOUND) return no_key(looking->call, why);
    looking->day = ledger_today();
    if (err || looking->key.tokens_per_day == 0) return err;
    return usage_tokens_of_day(db, looking->key.id, looking->day, &looking->tokens, why);
}

static void remember(struct gateway_loop *gateway, const struct looking *looking)
{
    struct str hash = {(const char *)looking->hash, sizeof(looking->hash)};
    struct seen_key *seen = map_remove(&gateway->keys, hash);
    mem_free(seen);
    if (looking->notices != gateway->notices) return; /* it may have been revoked meanwhile */
    if (gateway->keys.count >= KEYS_MAX) forget_keys(gateway);
    struct str models = looking->key.models;
    seen = mem_alloc(sizeof(*seen) + models.len + 1);
    memcpy(seen->hash, looking->hash, sizeof(seen->hash));
    seen->key = looking->key;
    if (models.at) {
        memcpy(seen->models, models.at, models.len);
        seen->key.models.at = seen->models;
    }
    seen->confirmed_us = clock_mono_us();
    map_add(&gateway->keys, (struct str){(const char *)seen->hash, sizeof(seen->hash)}, seen);
}

static enum err go_on(struct call *call, gateway_begin *begin, const struct api_key *key,
                      struct why *why)
{
    call->who.user = key->user;
    call->x->log_user = key->user.value;
    if (call->home->gateway->closed) return why_set(why, ERR_BUSY, "the server is stopping");
    /* While a worker looked: nobody would tell the model to stop. */
    if (http_is_gone(call->x)) return why_set(why, ERR_CANCELLED, "the program has gone");
    return begin(call, key, why);
}

static enum err looked_up(struct looking *looking, struct why *why)
{
    struct call *call = looking->call;
    remember(call->home->gateway, looking);
    if (looking->key.tokens_per_day > 0) {
        ledger_note_stored(call->api->gateway->ledger, looking->key.id, looking->day,
                           looking->tokens);
    }
    return go_on(call, looking->begin, &looking->key, why);
}

static void look_up_on_worker(struct job *job, void *own)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    call->err = look_up(call->gateway_own, own, &call->why);
    loop_post(call->home->loop, &call->back);
}

static void come_back(struct task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, back);
    enum err err = call->err;
    if (!err) err = looked_up(call->gateway_own, &call->why);
    /* Else it is taken, and may have been answered: an answer that was kept is told at once. */
    if (err) call_refuse(call, err, &call->why);
}

enum err gateway_with_key(struct call *call, gateway_begin *begin, struct why *why)
{
    struct gateway_loop *gateway = call->home->gateway;
    struct looking *looking = ARENA_NEW(call->arena, struct looking);
    struct str header = http_find_header(call->x, STR("authorization")), text;
    if (!header_credentials(header, "bearer", &text) || !apikey_hash(text, looking->hash)) {
        return no_key(call, why);
    }
    struct str hash = {(const char *)looking->hash, sizeof(looking->hash)};
    const struct seen_key *seen = map_find(&gateway->keys, hash);
    if (seen && seen->confirmed_us && clock_mono_us() - seen->confirmed_us < CONFIRM_EVERY_US) {
        return go_on(call, begin, &seen->key, why);
    }
    looking->call = call;
    looking->begin = begin;
    looking->notices = gateway->notices;
    call->gateway_own = looking;
    if (call->db) {
        enum err err = look_up(looking, call->db, why);
        return err ? err : looked_up(looking, why);
    }
    call->back.run = come_back;
    call->job.work = look_up_on_worker;
    if (workers_submit(call->api->workers, &call->job)) return OK;
    return why_set(why, ERR_BUSY, "the server is busy; try again in a moment");
}

/* --- may it ask now? --- */

enum err gateway_admit(struct call *call, const struct api_key *key, uint64_t tokens,
                       struct why *why)
{
    struct ledger_verdict verdict = ledger_admit(call->api->gateway->ledger, key, tokens);
    if (verdict.limit == LEDGER_ADMITTED) return OK;
    call->rate = (struct rate_verdict){.limit = (uint32_t)MIN(verdict.max, UINT32_MAX),
                                       .remaining = (uint32_t)MIN(verdict.remaining, UINT32_MAX),
                                       .reset_s = verdict.reset_s,
                                       .retry_after_s = verdict.retry_after_s};
    call->error_code = "rate_limit_exceeded";
    if (verdict.limit == LEDGER_TOO_FAST) {
        call->error_type = "requests";
        return why_set(why, ERR_LIMIT, "this key may ask %llu times a minute: try again in %u s",
                       (unsigned long long)verdict.max, verdict.retry_after_s);
    }
    call->error_type = "tokens";
    call->no_retry = true; /* clients that wait and try again by themselves would wait for hours */
    return why_set(why, ERR_LIMIT,
                   "this key may use %llu tokens a day; %llu are left, and this request may take "
                   "%llu. The day ends in %u s (UTC)",
                   (unsigned long long)verdict.max, (unsigned long long)verdict.remaining,
                   (unsigned long long)tokens, verdict.retry_after_s);
}

/* --- failures of models --- */

const char gateway_revoked[] = "this key has been revoked";

enum err gateway_err(enum llm_fault fault)
{
    switch (fault) {
    case LLM_FAULT_RATE:
    case LLM_FAULT_QUOTA:
    case LLM_FAULT_BILLING: return ERR_LIMIT;
    case LLM_FAULT_OVERLOAD:
    case LLM_FAULT_BUSY:
    case LLM_FAULT_SETUP: return ERR_BUSY;
    case LLM_FAULT_TIMEOUT: return ERR_TIMEOUT;
    case LLM_FAULT_TOO_LONG:
    case LLM_FAULT_FILTER:
    case LLM_FAULT_REQUEST: return ERR_INVALID;
    case LLM_FAULT_MODEL: return ERR_NOT_FOUND;
    case LLM_FAULT_NONE:
    case LLM_FAULT_AUTH: /* our key, not theirs */
    case LLM_FAULT_SERVER:
    case LLM_FAULT_CONNECTION:
    case LLM_FAULT_TRUNCATED:
    case LLM_FAULT_EMPTY:
    case LLM_FAULT_PROTOCOL:
    case LLM_FAULT_COUNT: break;
    }
    return ERR_UPSTREAM;
}

const char *gateway_code(enum llm_fault fault)
{
    switch (fault) {
    case LLM_FAULT_TOO_LONG: return "context_length_exceeded";
    case LLM_FAULT_MODEL: return "model_not_found";
    case LLM_FAULT_FILTER: return "content_filter";
    case LLM_FAULT_RATE: return "rate_limit_exceeded";
    case LLM_FAULT_QUOTA:
    case LLM_FAULT_BILLING: return "insufficient_quota";
    default: return llm_fault_name(fault);
    }
}

void gateway_refuse(struct call *call, const struct llm_result *result)
{
    struct why why = result->why;
    why.field = result->fault == LLM_FAULT_TOO_LONG ? "messages"
                : result->fault == LLM_FAULT_MODEL  ? "model"
                                                    : NULL;
    call->error_code = gateway_code(result->fault);
    call->no_retry = result->fault == LLM_FAULT_QUOTA || result->fault == LLM_FAULT_BILLING;
    if (result->retry_after_ms >= 0) {
        call->rate.retry_after_s = (uint32_t)MIN((result->retry_after_ms + 999) / 1000, 86400);
    }
    call_refuse(call, gateway_err(result->fault), &why);
}

void gateway_refuse_revoked(struct call *call)
{
    struct why why;
    call->error_code = "invalid_api_key";
    enum err err = why_set(&why, ERR_UNKNOWN_CALLER, "%s", gateway_revoked);
    call_refuse(call, err, &why);
}
