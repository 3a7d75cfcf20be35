/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/crew.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t begun, done;
    /* Under the lock. */
    uint64_t round; /* counts calls of crew_run() */
    uint32_t busy;  /* helpers that have not yet finished this round */
    bool ends;
    /* Of the present round: written under the lock before it begins, then only read. */
    town_job *job;
    void *ctx;
    uint32_t count;
    _Atomic uint32_t next; /* the next number nobody has taken */
    uint32_t helpers;
    pthread_t helper[]; /* the crew but for the caller */
};

static void work_along(struct crew *crew)
{
    for (;;) {
        uint32_t number = atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed);
        if (number >= crew->count) return;
        crew->job(crew->ctx, number);
    }
}

static void *help(void *arg)
{
    struct crew *crew = arg;
    uint64_t seen = 0;
    pthread_mutex_lock(&crew->lock);
    for (;;) {
        while (crew->round == seen && !crew->ends) pthread_cond_wait(&crew->begun, &crew->lock);
        if (crew->ends) break;
        seen = crew->round;
        pthread_mutex_unlock(&crew->lock);
        work_along(crew);
        pthread_mutex_lock(&crew->lock);
        if (--crew->busy == 0) pthread_cond_signal(&crew->done);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

enum err crew_open(uint32_t threads, struct crew **crew_out, struct why *why)
{
    ASSERT(threads >= 1 && threads <= CREW_THREADS_MAX);
    struct crew *crew = mem_alloc(sizeof(*crew) + sizeof(pthread_t) * (threads - 1));
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->begun, NULL);
    pthread_cond_init(&crew->done, NULL);
    while (crew->helpers < threads - 1) {
        int error = pthread_create(&crew->helper[crew->helpers], NULL, help, crew);
        if (error) {
            crew_close(crew);
            return why_set(why, ERR_IO, "cannot make %u threads: %s", threads, strerror(error));
        }
        crew->helpers++;
    }
    *crew_out = crew;
    return OK;
}

void crew_close(struct crew *crew)
{
    if (!crew) return;
    pthread_mutex_lock(&crew->lock);
    crew->ends = true;
    pthread_cond_broadcast(&crew->begun);
    pthread_mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->helpers; i++) pthread_join(crew->helper[i], NULL);
    pthread_cond_destroy(&crew->done);
    pthread_cond_destroy(&crew->begun);
    pthread_mutex_destroy(&crew->lock);
    mem_free(crew);
}

void crew_run(struct crew *crew, uint32_t count, town_job *job, void *ctx)
{
    pthread_mutex_lock(&crew->lock);
    crew->job = job;
    crew->ctx = ctx;
    crew->count = count;
    atomic_store_explicit(&crew->next, 0, memory_order_relaxed);
    crew->busy = crew->helpers;
    crew->round++;
    if (crew->helpers) pthread_cond_broadcast(&crew->begun);
    pthread_mutex_unlock(&crew->lock);
    work_along(crew);
    pthread_mutex_lock(&crew->lock);
    while (crew->busy) pthread_cond_wait(&crew->done, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

static void run(void *ctx, uint32_t count, town_job *job, void *job_ctx)
{
    crew_run(ctx, count, job, job_ctx);
}

struct town_runner crew_runner(struct crew *crew)
{
    return (struct town_runner){run, crew};
}
