/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/ledger.c: accounts of keys in memory under one lock, held for well under a
 * microsecond, and rows on their way to the store.
 *
 * There are two sets of rows: `open` gathers, `sent` is being written. A write
 * waits for its turn (the writer takes 50 of these a second, see `patient`) and
 * only then takes what has gathered. When it is settled and something has
 * gathered meanwhile, the next one goes. A write that failed gives its rows back
 * to `open`; they go with whatever is booked next.
 */
#include "api/ledger.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

static const int64_t DAY_US = INT64_C(86400) * 1000000, MINUTE_US = INT64_C(60) * 1000000;

/* What a key may still do. */
struct account {
    uint64_t key;
    int64_t day;
    uint64_t used, reserved; /* tokens of that day */
    int64_t full_us;         /* monotonic: when all of its room for requests is back (GCRA) */
};

/* What waits for the store. */
struct row {
    struct {
        uint64_t key;
        int64_t day;
        char site[USAGE_SITE_BYTES], model[USAGE_MODEL_BYTES];
    } name; /* zeroed to its end: it is a map's key */
    struct usage_sums sums;
    int64_t used_us;
};

struct ledger {
    struct store *store;
    struct workers *workers;
    const struct prices *prices;
    pthread_mutex_t lock;
    struct map accounts; /* of struct account, owned */
    struct map open;     /* of struct row, owned */
    struct map sent;     /* the same; the writer's while `writing` */
    bool writing;        /* from being sent until settled */
    struct change change;
    struct job job;
};

/* --- rows --- */

static void add_sums(struct usage_sums *to, const struct usage_sums *more)
{
    to->requests += more->requests;
    to->shared += more->shared;
    to->unknown += more->unknown;
    to->unpriced += more->unpriced;
    to->input_tokens += more->input_tokens;
    to->output_tokens += more->output_tokens;
    to->cached_tokens += more->cached_tokens;
    to->estimated_tokens += more->estimated_tokens;
    to->cost_micro += more->cost_micro;
}

static void free_rows(struct map *rows)
{
    size_t at = 0;
    for (struct row *row; (row = map_next(rows, &at)) != NULL;) mem_free(row);
    map_release(rows);
    *rows = (struct map){0};
}

/* `row` is owned afterwards. */
static void gather(struct ledger *ledger, struct row *row)
{
    struct str name = {(const char *)&row->name, sizeof(row->name)};
    struct row *known = map_find(&ledger->open, name);
    if (known == NULL) {
        map_add(&ledger->open, name, row);
        return;
    }
    add_sums(&known->sums, &row->sums);
    known->used_us = MAX(known->used_us, row->used_us);
    mem_free(row);
}

/* --- to the store --- */

static enum err write_rows(struct ledger *ledger, struct db *db, struct why *why)
{
    size_t at = 0;
    enum err err = OK;
    for (struct row *row; !err && (row = map_next(&ledger->sent, &at)) != NULL;) {
        struct usage_row usage = {.day = row->name.day,
                                  .key = {row->name.key},
                                  .site = str_of(row->name.site),
                                  .model = str_of(row->name.model),
                                  .sums = row->sums};
        err = usage_add(db, &usage, why);
        if (!err) err = keys_set_used(db, usage.key, row->used_us, why);
    }
    return err;
}

/* Under the lock. */
static void take_open(struct ledger *ledger)
{
    ASSERT(ledger->writing && ledger->sent.count == 0);
    ledger->sent = ledger->open;
    ledger->open = (struct map){0};
}

static enum err apply_rows(struct change *change, struct db *db, struct why *why)
{
    struct ledger *ledger = CONTAINER_OF(change, struct ledger, change);
    pthread_mutex_lock(&ledger->lock);
    if (ledger->sent.count == 0) take_open(ledger); /* else it is the second try */
    pthread_mutex_unlock(&ledger->lock);
    return write_rows(ledger, db, why);
}

static void write_on_worker(struct job *job, void *own)
{
    store_settle_here(own, &CONTAINER_OF(job, struct ledger, job)->change);
}

/* Under the lock: a write is over. */
static void put_back(struct ledger *ledger)
{
    size_t at = 0;
    for (struct row *row; (row = map_next(&ledger->sent, &at)) != NULL;) gather(ledger, row);
    map_release(&ledger->sent);
    ledger->sent = (struct map){0};
}

/* Outside of the lock; the one who set `writing`. */
static void send(struct ledger *ledger)
{
    if (store_kind(ledger->store) == DB_SQLITE) {
        store_submit(ledger->store, &ledger->change);
        return;
    }
    if (workers_submit(ledger->workers, &ledger->job)) return;
    pthread_mutex_lock(&ledger->lock);
    ledger->writing = false;
    pthread_mutex_unlock(&ledger->lock);
}

static void settled_rows(struct change *change, enum err err, const struct why *why)
{
    struct ledger *ledger = CONTAINER_OF(change, struct ledger, change);
    /* ERR_UNCERTAIN may have been stored: booking it twice is worse than losing a second of it. */
    if (err) {
        log_warn("usage.write", "rows=%zu reason=\"%s\"", ledger->sent.count, why->text);
    }
    pthread_mutex_lock(&ledger->lock);
    if (err && err != ERR_UNCERTAIN) {
        put_back(ledger); /* they go with what is booked next */
    } else {
        free_rows(&ledger->sent);
    }
    bool more = ledger->writing = !err && ledger->open.count > 0;
    pthread_mutex_unlock(&ledger->lock);
    if (more) send(ledger);
}

/* --- life cycle --- */

struct ledger *ledger_new(struct store *store, struct workers *workers, const struct prices *prices)
{
    struct ledger *ledger = NEW(struct ledger);
    ledger->store = store;
    ledger->workers = workers;
    ledger->prices = prices;
    ledger->change.apply = apply_rows;
    ledger->change.settled = settled_rows;
    ledger->change.patient = true;
    ledger->job.work = write_on_worker;
    pthread_mutex_init(&ledger->lock, NULL);
    return ledger;
}

static enum err apply_last(void *ctx, struct db *db, struct why *why)
{
    return write_rows(ctx, db, why);
}

void ledger_flush(struct ledger *ledger, struct db *db)
{
    struct why why;
    for (;;) {
        pthread_mutex_lock(&ledger->lock);
        bool busy = ledger->writing;
        ledger->writing = true;
        if (!busy) take_open(ledger);
        pthread_mutex_unlock(&ledger->lock);
        if (!busy) break;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* the writer is at it */
    }
    enum err err =
        ledger->sent.count ? store_write(ledger->store, db, apply_last, ledger, &why) : OK;
    if (err) log_warn("usage.write", "rows=%zu reason=\"%s\"", ledger->sent.count, why.text);
    free_rows(&ledger->sent);
    pthread_mutex_lock(&ledger->lock);
    ledger->writing = false;
    pthread_mutex_unlock(&ledger->lock);
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) return;
    size_t at = 0;
    for (struct account *account; (account = map_next(&ledger->accounts, &at)) != NULL;) {
        mem_free(account);
    }
    map_release(&ledger->accounts);
    free_rows(&ledger->open);
    free_rows(&ledger->sent);
    pthread_mutex_destroy(&ledger->lock);
    mem_free(ledger);
}

/* --- accounts --- */

int64_t ledger_today(void)
{
    return clock_wall_us() / DAY_US;
}

static struct account *get_account(struct ledger *ledger, struct key_id key)
{
    struct account *account = map_find(&ledger->accounts, MAP_KEY(&key.value));
    if (account == NULL) {
        account = NEW(struct account);
        account->key = key.value;
        map_add(&ledger->accounts, MAP_KEY(&account->key), account);
    }
    int64_t today = ledger_today();
    if (account->day < today) {
        account->day = today;
        account->used = 0; /* what is reserved is for today as well: it will be used today */
    }
    return account;
}

void ledger_note_stored(struct ledger *ledger, struct key_id key, int64_t day, uint64_t tokens)
{
    pthread_mutex_lock(&ledger->lock);
    struct account *account = get_account(ledger, key);
    if (account->day == day) account->used = MAX(account->used, tokens);
    pthread_mutex_unlock(&ledger->lock);
}

static uint32_t seconds_up(int64_t us)
{
    return us <= 0 ? 0 : (uint32_t)((us + 999999) / 1000000);
}

/* GCRA, as auth/rate.c has it; all of a minute's requests may come at once. */
static bool take_request(struct account *account, uint64_t per_minute, int64_t now_us,
                         struct ledger_verdict *verdict)
{
    if (per_minute == 0) return true;
    int64_t step_us = MAX((MINUTE_US + (int64_t)per_minute - 1) / (int64_t)per_minute, 1);
    int64_t room_us = step_us * (int64_t)per_minute;
    int64_t after_us = MAX(account->full_us, now_us) + step_us;
    if (after_us - now_us <= room_us) {
        account->full_us = after_us;
        return true;
    }
    *verdict = (struct ledger_verdict){.limit = LEDGER_TOO_FAST,
                                       .max = per_minute,
                                       .reset_s = seconds_up(after_us - step_us - now_us),
                                       .retry_after_s = seconds_up(after_us - room_us - now_us)};
    return false;
}

static bool reserve(struct account *account, uint64_t per_day, uint64_t tokens,
                    struct ledger_verdict *verdict)
{
    uint64_t taken = account->used + account->reserved;
    if (per_day == 0 || (taken <= per_day && tokens <= per_day - taken)) {
        account->reserved += tokens;
        return true;
    }
    uint32_t midnight = seconds_up(DAY_US - clock_wall_us() % DAY_US);
    *verdict = (struct ledger_verdict){.limit = LEDGER_NO_TOKENS,
                                       .max = per_day,
                                       .remaining = taken < per_day ? per_day - taken : 0,
                                       .reset_s = midnight,
                                       .retry_after_s = midnight};
    return false;
}

struct ledger_verdict ledger_admit(struct ledger *ledger, const struct api_key *key,
                                   uint64_t tokens)
{
    struct ledger_verdict verdict = {.limit = LEDGER_ADMITTED};
    int64_t now_us = clock_mono_us();
    pthread_mutex_lock(&ledger->lock);
    struct account *account = get_account(ledger, key->id);
    int64_t full_us = account->full_us;
    if (take_request(account, (uint64_t)key->requests_per_minute, now_us, &verdict) &&
        !reserve(account, (uint64_t)key->tokens_per_day, tokens, &verdict)) {
        account->full_us = full_us; /* a refusal costs nothing */
    }
    pthread_mutex_unlock(&ledger->lock);
    return verdict;
}

void ledger_release(struct ledger *ledger, struct key_id key, uint64_t reserved)
{
    pthread_mutex_lock(&ledger->lock);
    struct account *account = get_account(ledger, key);
    ASSERT(account->reserved >= reserved);
    account->reserved -= reserved;
    pthread_mutex_unlock(&ledger->lock);
}

/* --- booking --- */

static struct usage_sums sums_of(const struct ledger *ledger, const struct ledger_use *use)
{
    struct usage_sums sums = {.requests = 1, .shared = use->shared};
    if (use->shared) return sums;
    const struct llm_usage *said = &use->usage;
    bool unknown = said->input < 0 || said->output < 0;
    sums.unknown = unknown || said->estimated;
    sums.input_tokens = said->input < 0 ? use->input_estimate : (uint64_t)said->input;
    sums.output_tokens = (uint64_t)MAX(said->output, 0);
    sums.cached_tokens = said->cached < 0 ? 0 : (uint64_t)said->cached;
    if (said->estimated || said->input < 0) sums.estimated_tokens += sums.input_tokens;
    if (said->estimated || said->output < 0) sums.estimated_tokens += sums.output_tokens;
    bool priced = prices_cost(ledger->prices, use->site, use->model, sums.input_tokens,
                              sums.output_tokens, &sums.cost_micro);
    sums.unpriced = !priced;
    return sums;
}

void ledger_settle(struct ledger *ledger, const struct ledger_use *use)
{
    struct row *row = NEW(struct row);
    row->sums = sums_of(ledger, use);
    row->name.key = use->key.value;
    str_copy(row->name.site, sizeof(row->name.site), use->site);
    str_copy(row->name.model, sizeof(row->name.model), use->model);
    row->used_us = clock_wall_us();
    row->name.day = row->used_us / DAY_US;
    pthread_mutex_lock(&ledger->lock);
    struct account *account = get_account(ledger, use->key);
    ASSERT(account->reserved >= use->reserved);
    account->reserved -= use->reserved;
    account->used += row->sums.input_tokens + row->sums.output_tokens;
    gather(ledger, row);
    bool go = !ledger->writing;
    ledger->writing = true;
    pthread_mutex_unlock(&ledger->lock);
    if (go) send(ledger);
}
