/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/store.h"

#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/migrate.h"

enum { TRIES_MAX = 6 };

struct store {
    char *url; /* owned */
    enum db_kind kind;
    struct writer *writer; /* SQLite only */
    struct db *presence;   /* owned; MariaDB only: holds the locks of store_is_alone() */
};

enum err store_open(struct str url, size_t group_max, struct store **store_out, struct why *why)
{
    struct db *db;
    enum err err = db_open(url, DB_MAINTAIN, &db, why);
    if (err) return err;
    struct store *store = NEW(struct store);
    store->kind = db_kind(db);
    err = migrate_run(db, embedded_files, why);
    db_close(db);
    if (!err && store->kind == DB_SQLITE) err = writer_open(url, group_max, &store->writer, why);
    if (err) {
        mem_free(store);
        return err;
    }
    store->url = mem_alloc(url.len + 1);
    memcpy(store->url, url.at, url.len);
    *store_out = store;
    return OK;
}

void store_close(struct store *store)
{
    if (store == NULL) return;
    writer_close(store->writer);
    db_close(store->presence);
    mem_free(store->url);
    mem_free(store);
}

void store_tidy(struct str url)
{
    struct db *db = NULL;
    struct why why;
    if (!str_starts(url, STR("sqlite:"))) return;
    /* What the last one to close does, if it may write. */
    if (db_open(url, DB_MAINTAIN, &db, &why) != OK)
        log_warn("store.tidy", "reason=\"%s\"", why.text);
    db_close(db);
}

enum db_kind store_kind(const struct store *store)
{
    return store->kind;
}

const struct writer_stats *store_writer_stats(const struct store *store)
{
    return store->writer ? writer_stats(store->writer) : NULL;
}

void store_watch_others(struct store *store, writer_told *told, void *ctx)
{
    if (store->writer) writer_watch_others(store->writer, told, ctx);
}

enum err store_connect(struct store *store, struct db **db_out, struct why *why)
{
    return db_open(str_of(store->url), DB_READ, db_out, why);
}

static enum err ask(struct db *db, enum sql which, bool *yes_out, struct why *why)
{
    struct query *q = db_query(db, which);
    *yes_out = query_next(q) && query_get_u64(q, 0) == 1;
    return query_end(q, why);
}

enum err store_is_alone(struct store *store, bool *alone_out, struct why *why)
{
    enum err err = OK;
    bool held;
    *alone_out = true;
    if (store->kind == DB_SQLITE) return OK;
    if (store->presence == NULL) err = store_connect(store, &store->presence, why);
    if (!err) err = ask(store->presence, SQL_INSTANCE_FIRST, alone_out, why);
    if (err) return err;
    return ask(store->presence, *alone_out ? SQL_INSTANCE_OTHER_DROP : SQL_INSTANCE_OTHER, &held,
               why);
}

enum err store_has_several(struct db *db, bool *several_out, struct why *why)
{
    return ask(db, SQL_INSTANCE_OTHER_IS_THERE, several_out, why);
}

void store_submit(struct store *store, struct change *change)
{
    writer_submit(store->writer, change);
}

/* Two changes that met in a deadlock should not meet again at once. */
static void pause_before_retry(int tries)
{
    uint64_t below_us = UINT64_C(1000) << tries;
    struct timespec pause = {.tv_nsec = (long)(random_u64() % below_us) * 1000};
    nanosleep(&pause, NULL);
}

static enum err apply_once(struct db *db, struct change *change)
{
    enum err err = db_begin(db, &change->why);
    if (err) return err;
    err = change->apply(change, db, &change->why);
    if (!err) err = db_commit(db, &change->why);
    if (err) db_rollback(db);
    return err;
}

void store_settle_here(struct db *db, struct change *change)
{
    enum err err = OK;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        err = apply_once(db, change);
        if (err != ERR_BUSY) break;
        pause_before_retry(tries);
    }
    change->settled(change, err, &change->why);
}

/* A change somebody waits for. */
struct waited {
    struct change change;
    store_apply *apply;
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t done_wake;
    bool done;
    enum err err;
    struct why why;
};

static enum err apply_waited(struct change *change, struct db *db, struct why *why)
{
    struct waited *waited = CONTAINER_OF(change, struct waited, change);
    return waited->apply(waited->ctx, db, why);
}

static void settled_waited(struct change *change, enum err err, const struct why *why)
{
    struct waited *waited = CONTAINER_OF(change, struct waited, change);
    pthread_mutex_lock(&waited->lock);
    waited->err = err;
    waited->why = *why;
    waited->done = true;
    pthread_cond_signal(&waited->done_wake);
    pthread_mutex_unlock(&waited->lock);
}

enum err store_write(struct store *store, struct db *db, store_apply *apply, void *ctx,
                     struct why *why)
{
    struct waited waited = {.change = {.apply = apply_waited, .settled = settled_waited},
                            .apply = apply,
                            .ctx = ctx,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .done_wake = PTHREAD_COND_INITIALIZER};
    if (store->writer) {
        writer_submit(store->writer, &waited.change);
    } else {
        store_settle_here(db, &waited.change);
    }
    pthread_mutex_lock(&waited.lock);
    while (!waited.done) pthread_cond_wait(&waited.done_wake, &waited.lock);
    pthread_mutex_unlock(&waited.lock);
    *why = waited.why;
    return waited.err;
}
