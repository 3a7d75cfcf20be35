/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "io/workers.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake, begun_wake;
    struct list queue; /* of struct job */
    size_t waiting, queue_max;
    bool closing;
    int begun;          /* well or not */
    enum err begin_err; /* of the first that could not */
    struct why begin_why;
    struct workers_hooks hooks;
    int count;
    pthread_t threads[];
};

static struct job *take(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    while (list_is_empty(&workers->queue) && !workers->closing) {
        pthread_cond_wait(&workers->wake, &workers->lock);
    }
    struct list *link = list_take_first(&workers->queue);
    if (link) workers->waiting--;
    pthread_mutex_unlock(&workers->lock);
    return link ? CONTAINER_OF(link, struct job, link) : NULL;
}

/* The kernel's struct sched_attr as of Linux 3.14; the C library has none (sched_setattr(2)). */
struct sched_attr_v0 {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/*
 * This thread takes less of the processor, and in short slices: from Linux 6.12 on a thread that
 * runs is left alone until its slice (3 ms otherwise) is over, however nice it is, and a loop
 * that wakes up would wait that long. Refused or not known, it works all the same.
 */
static void stand_back(int niceness)
{
    struct sched_attr_v0 attr = {
        .size = sizeof(attr), .policy = SCHED_BATCH, .nice = niceness, .runtime_ns = 100 * 1000};
    if (syscall(SYS_sched_setattr, 0, &attr, 0) != 0) {
        setpriority(PRIO_PROCESS, (id_t)gettid(), niceness);
    }
}

static bool begin(struct workers *workers, void **own_out)
{
    const struct workers_hooks *hooks = &workers->hooks;
    struct why why;
    enum err err = hooks->begin ? hooks->begin(hooks->ctx, own_out, &why) : OK;
    pthread_mutex_lock(&workers->lock);
    workers->begun++;
    if (err && !workers->begin_err) {
        workers->begin_err = err;
        workers->begin_why = why;
    }
    pthread_cond_signal(&workers->begun_wake);
    pthread_mutex_unlock(&workers->lock);
    return err == OK;
}

static void *worker_main(void *ctx)
{
    struct workers *workers = ctx;
    void *own = NULL;
    log_context("thread=worker");
    if (workers->hooks.niceness > 0) stand_back(workers->hooks.niceness);
    if (!begin(workers, &own)) return NULL;
    for (struct job *job; (job = take(workers)) != NULL;) job->work(job, own);
    if (workers->hooks.end) workers->hooks.end(own);
    return NULL;
}

static enum err wait_for_begin(struct workers *workers, struct why *why)
{
    pthread_mutex_lock(&workers->lock);
    while (workers->begun < workers->count) {
        pthread_cond_wait(&workers->begun_wake, &workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    if (workers->begin_err) *why = workers->begin_why;
    return workers->begin_err;
}

enum err workers_open(int count, size_t queue_max, struct workers_hooks hooks,
                      struct workers **workers_out, struct why *why)
{
    ASSERT(count > 0);
    struct workers *workers = mem_alloc(sizeof(*workers) + sizeof(pthread_t) * (size_t)count);
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->wake, NULL);
    pthread_cond_init(&workers->begun_wake, NULL);
    list_init(&workers->queue);
    workers->queue_max = queue_max;
    workers->hooks = hooks;
    for (int i = 0; i < count; i++) {
        int failed = pthread_create(&workers->threads[i], NULL, worker_main, workers);
        if (failed) {
            workers_close(workers);
            return why_set(why, ERR_IO, "cannot start a worker thread: %s", strerror(failed));
        }
        workers->count++;
    }
    enum err err = wait_for_begin(workers, why);
    if (err) {
        workers_close(workers);
        return err;
    }
    *workers_out = workers;
    return OK;
}

void workers_close(struct workers *workers)
{
    if (workers == NULL) return;
    pthread_mutex_lock(&workers->lock);
    workers->closing = true;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->count; i++) pthread_join(workers->threads[i], NULL);
    ASSERT(list_is_empty(&workers->queue));
    pthread_cond_destroy(&workers->begun_wake);
    pthread_cond_destroy(&workers->wake);
    pthread_mutex_destroy(&workers->lock);
    mem_free(workers);
}

bool workers_submit(struct workers *workers, struct job *job)
{
    pthread_mutex_lock(&workers->lock);
    bool room = workers->waiting < workers->queue_max && !workers->closing;
    if (room) {
        list_init(&job->link);
        list_add_last(&workers->queue, &job->link);
        workers->waiting++;
        pthread_cond_signal(&workers->wake);
    }
    pthread_mutex_unlock(&workers->lock);
    return room;
}

size_t workers_waiting(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    size_t waiting = workers->waiting;
    pthread_mutex_unlock(&workers->lock);
    return waiting;
}
