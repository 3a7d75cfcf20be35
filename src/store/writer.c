/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/writer.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    /* Commits between two passes of the checkpointer. */
    CHECKPOINT_EVERY = 64,
    /* Under unbroken load the checkpointer never catches the end of the log, which then only grows;
     * past this many pages the writer moves the rest itself, between two groups, and its next
     * change begins the log anew. */
    WAL_PAGES_MAX = 16384,
};

static const int64_t OTHERS_EVERY_US = 2 * 1000000;

struct writer {
    struct db *db;         /* the writer's */
    struct db *checkpoint; /* the checkpointer's */
    size_t group_max;
    pthread_mutex_t lock;
    pthread_cond_t wake, wake_checkpoint;
    struct list queue;  /* of struct change */
    size_t pressing;    /* of these: not patient */
    int64_t patient_us; /* monotonic: not sooner for the patient ones alone */
    bool closing, checkpoint_due;
    writer_told *told; /* under the lock */
    void *told_ctx;
    uint64_t version; /* of the database, as others leave it. The writer's own */
    int64_t looked_us;
    atomic_ullong log_pages;
    struct writer_stats stats;
    pthread_t thread, checkpointer;
};

static struct change *change_of(struct list *link)
{
    return CONTAINER_OF(link, struct change, link);
}

/* --- one group --- */

enum group_fate { GROUP_APPLIED, GROUP_SPOILT };

/* Without savepoints: spoilt when a change failed half-way, or the engine took all back. */
static enum group_fate apply_plainly(struct writer *writer, struct list *group)
{
    for (struct list *at = group->next; at != group; at = at->next) {
        struct change *change = change_of(at);
        uint64_t before = db_changes_total(writer->db);
        change->err = change->apply(change, writer->db, &change->why);
        if (change->err == OK) continue;
        bool traces = db_changes_total(writer->db) != before;
        if (traces || !db_in_transaction(writer->db)) return GROUP_SPOILT;
    }
    return GROUP_APPLIED;
}

static void apply_guarded(struct writer *writer, struct change *change)
{
    struct why ignored;
    change->err = db_savepoint(writer->db, &change->why);
    if (change->err) return;
    change->err = change->apply(change, writer->db, &change->why);
    if (change->err == OK) {
        change->err = db_savepoint_release(writer->db, &change->why);
    } else if (db_savepoint_rollback(writer->db, &ignored) != OK) {
        log_error("writer.savepoint", "reason=\"%s\"", ignored.text);
        db_rollback(writer->db);
    }
}

static void fail_all(struct list *group, enum err err, const struct why *why)
{
    for (struct list *at = group->next; at != group; at = at->next) {
        struct change *change = change_of(at);
        if (change->err) continue;
        change->err = err;
        change->why = *why;
    }
}

/* Each behind a savepoint. Not OK: the engine took the whole transaction back, `why` says why. */
static enum err apply_carefully(struct writer *writer, struct list *group, struct why *why)
{
    for (struct list *at = group->next; at != group; at = at->next) {
        struct change *change = change_of(at);
        apply_guarded(writer, change);
        if (db_in_transaction(writer->db)) continue;
        *why = change->why;
        return change->err ? change->err : ERR_IO;
    }
    return OK;
}

static void clear_results(struct list *group)
{
    for (struct list *at = group->next; at != group; at = at->next) {
        change_of(at)->err = OK;
    }
}

/* Apply and commit; every change has its result afterwards. False: nothing was committed. */
static bool run_group(struct writer *writer, struct list *group)
{
    struct why why = {0};
    clear_results(group);
    enum err err = db_begin(writer->db, &why);
    if (!err && apply_plainly(writer, group) == GROUP_SPOILT) {
        db_rollback(writer->db);
        atomic_fetch_add(&writer->stats.retried_groups, 1);
        clear_results(group);
        err = db_begin(writer->db, &why);
        if (!err) err = apply_carefully(writer, group, &why);
    }
    if (!err) err = db_commit(writer->db, &why);
    if (!err) return true;
    db_rollback(writer->db);
    log_error("writer.commit", "err=%s reason=\"%s\"", err_name(err), why.text);
    fail_all(group, err, &why);
    return false;
}

static void settle(struct writer *writer, struct list *group)
{
    for (struct list *link; (link = list_take_first(group)) != NULL;) {
        struct change *change = change_of(link);
        if (change->err) atomic_fetch_add(&writer->stats.failed, 1);
        change->settled(change, change->err, &change->why); /* the change is gone after this */
    }
}

/* --- the thread --- */

/* Under the lock: until there is a reason to go on. */
static void wait_for_work(struct writer *writer)
{
    int64_t look_us = clock_mono_us() + OTHERS_EVERY_US;
    while (writer->pressing == 0 && !writer->closing) {
        bool some = !list_is_empty(&writer->queue);
        int64_t until_us = some ? MIN(writer->patient_us, look_us) : look_us;
        if (clock_mono_us() >= until_us) return;
        struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
        pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
    }
}

/* Under the lock. */
static struct change *take_change(struct writer *writer)
{
    struct list *link = list_take_first(&writer->queue);
    if (link == NULL) return NULL;
    struct change *change = change_of(link);
    if (change->patient) {
        writer->patient_us = clock_mono_us() + WRITER_PATIENCE_US;
    } else {
        writer->pressing--;
    }
    return change;
}

/* None when nothing came for a while. False: it is over. */
static bool take_group(struct writer *writer, struct list *group, size_t *count_out)
{
    size_t count = 0;
    pthread_mutex_lock(&writer->lock);
    wait_for_work(writer);
    while (count < writer->group_max) {
        struct change *change = take_change(writer);
        if (change == NULL) break;
        list_add_last(group, &change->link);
        count++;
    }
    bool over = writer->closing && count == 0;
    pthread_mutex_unlock(&writer->lock);
    *count_out = count;
    return !over;
}

static void count_group(struct writer *writer, size_t size, int64_t began_us)
{
    struct writer_stats *stats = &writer->stats;
    size_t bucket = 0;
    while (bucket < WRITER_GROUP_BUCKETS - 1 && size > (size_t)1 << bucket) bucket++;
    atomic_fetch_add(&stats->group_sizes[bucket], 1);
    atomic_fetch_add(&stats->changes, size);
    atomic_fetch_sub(&stats->waiting, size);
    atomic_fetch_add(&stats->commit_us_total, (uint64_t)(clock_mono_us() - began_us));
    uint64_t groups = atomic_fetch_add(&stats->groups, 1) + 1;
    if (groups % CHECKPOINT_EVERY != 0) return;
    pthread_mutex_lock(&writer->lock);
    writer->checkpoint_due = true;
    pthread_cond_signal(&writer->wake_checkpoint);
    pthread_mutex_unlock(&writer->lock);
}

static void checkpoint(struct writer *writer, struct db *db)
{
    uint64_t pages = 0, left = 0;
    struct why why;
    enum err err = db_checkpoint(db, &pages, &left, &why);
    if (err && err != ERR_BUSY) log_warn("writer.checkpoint", "reason=\"%s\"", why.text);
    /* What the checkpointer has moved to the end may have gone on meanwhile. */
    bool begins_anew = db == writer->db && left == 0;
    atomic_store(&writer->log_pages, err || begins_anew ? 0 : pages);
}

/* SQLite: changes when another connection has committed, never by our own commits. All of this
 * process are ours: nothing else in it writes. */
static enum err load_version(struct db *db, uint64_t *version_out, struct why *why)
{
    struct query *q = db_query_text(db, "PRAGMA data_version");
    *version_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

static void look_for_others(struct writer *writer)
{
    uint64_t version;
    struct why why;
    int64_t now_us = clock_mono_us();
    if (now_us - writer->looked_us < OTHERS_EVERY_US) return;
    writer->looked_us = now_us;
    if (load_version(writer->db, &version, &why) != OK || version == writer->version) return;
    writer->version = version;
    pthread_mutex_lock(&writer->lock);
    writer_told *told = writer->told;
    void *ctx = writer->told_ctx;
    pthread_mutex_unlock(&writer->lock);
    if (told) told(ctx);
}

static void do_group(struct writer *writer, struct list *group, size_t size)
{
    struct writer_stats *stats = &writer->stats;
    int64_t began_us = clock_mono_us();
    if (atomic_load(&stats->busy_since_us) == 0) atomic_store(&stats->busy_since_us, began_us);
    bool committed = run_group(writer, group);
    settle(writer, group);
    count_group(writer, size, began_us);
    if (atomic_load(&writer->log_pages) > WAL_PAGES_MAX) checkpoint(writer, writer->db);
    /* After a failure with nothing behind it there is nobody to wait: the next one will tell. */
    if (committed || atomic_load(&stats->waiting) == 0) atomic_store(&stats->busy_since_us, 0);
}

static void *writer_main(void *ctx)
{
    struct writer *writer = ctx;
    log_context("thread=writer");
    struct list group;
    list_init(&group);
    for (size_t size; take_group(writer, &group, &size);) {
        if (size > 0) do_group(writer, &group, size);
        look_for_others(writer);
    }
    return NULL;
}

static void *checkpointer_main(void *ctx)
{
    struct writer *writer = ctx;
    log_context("thread=checkpointer");
    for (;;) {
        pthread_mutex_lock(&writer->lock);
        while (!writer->checkpoint_due && !writer->closing) {
            pthread_cond_wait(&writer->wake_checkpoint, &writer->lock);
        }
        writer->checkpoint_due = false;
        bool closing = writer->closing;
        pthread_mutex_unlock(&writer->lock);
        if (closing) return NULL;
        checkpoint(writer, writer->checkpoint);
    }
}

/* The last change is settled when this returns. */
static void end_thread(struct writer *writer, pthread_t thread)
{
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    pthread_cond_broadcast(&writer->wake);
    pthread_cond_broadcast(&writer->wake_checkpoint);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(thread, NULL);
}

/* Both or none; 0 or the errno. */
static int start_threads(struct writer *writer)
{
    int failed = pthread_create(&writer->thread, NULL, writer_main, writer);
    if (failed) return failed;
    failed = pthread_create(&writer->checkpointer, NULL, checkpointer_main, writer);
    if (failed) end_thread(writer, writer->thread);
    return failed;
}

static void writer_free(struct writer *writer)
{
    db_close(writer->checkpoint);
    db_close(writer->db);
    pthread_cond_destroy(&writer->wake);
    pthread_cond_destroy(&writer->wake_checkpoint);
    pthread_mutex_destroy(&writer->lock);
    mem_free(writer);
}

enum err writer_open(struct str url, size_t group_max, struct writer **writer_out, struct why *why)
{
    struct writer *writer = NEW(struct writer);
    writer->group_max = group_max;
    list_init(&writer->queue);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* the clock of clock_mono_us() */
    pthread_cond_init(&writer->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&writer->wake_checkpoint, NULL);
    enum err err = db_open(url, DB_WRITE, &writer->db, why);
    if (!err) err = db_open(url, DB_WRITE, &writer->checkpoint, why);
    if (!err) err = load_version(writer->db, &writer->version, why);
    int failed = err ? 0 : start_threads(writer);
    if (failed) err = why_set(why, ERR_IO, "cannot start the writer: %s", strerror(failed));
    if (err) {
        writer_free(writer);
        return err;
    }
    *writer_out = writer;
    return OK;
}

void writer_close(struct writer *writer)
{
    if (writer == NULL) return;
    end_thread(writer, writer->thread);
    end_thread(writer, writer->checkpointer);
    ASSERT(list_is_empty(&writer->queue));
    writer_free(writer);
}

void writer_submit(struct writer *writer, struct change *change)
{
    list_init(&change->link);
    atomic_fetch_add(&writer->stats.waiting, 1);
    pthread_mutex_lock(&writer->lock);
    bool idle = writer->pressing == 0; /* else it is awake, or about to be */
    list_add_last(&writer->queue, &change->link);
    if (!change->patient) writer->pressing++;
    if (idle) pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
}

void writer_watch_others(struct writer *writer, writer_told *told, void *ctx)
{
    pthread_mutex_lock(&writer->lock);
    writer->told = told;
    writer->told_ctx = ctx;
    pthread_mutex_unlock(&writer->lock);
}

const struct writer_stats *writer_stats(const struct writer *writer)
{
    return &writer->stats;
}
