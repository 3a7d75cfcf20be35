/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/asker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "llm/ask.h"
#include "llm/site.h"

enum {
    SECOND_US = 1000000,
    PAUSE_US = SECOND_US,  /* before who was turned away comes again */
    PULSE_NS = 200000000,  /* 5 times a second */
    SAID_BYTES_MAX = 4096, /* of an answer that is kept */
};

struct asker {
    int64_t answer_us;
    pthread_t thread;
    bool started;
    struct loop *loop;
    struct llm_loop *home;
    /* The rest lives on the asker's thread. */
    struct list waiting, active; /* of struct asking */
    uint32_t at_once;
    bool down; /* one that was turned away has waited in vain, and nobody has answered since */
    atomic_uint under_way, queued; /* for others to look at */
};

/* What one town waits for. */
struct asking_round {
    struct task beginning, ending;
    struct asker *asker;
    struct asking **askings;
    size_t count;
    bool called_off;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    size_t left; /* under the lock; 0: all is told */
};

/* --- on the asker's thread --- */

static struct str kept(struct str text)
{
    if (text.len > SAID_BYTES_MAX) text = str_head(text, utf8_floor(text.at, SAID_BYTES_MAX));
    char *copy = mem_alloc(text.len + 1);
    if (text.len) memcpy(copy, text.at, text.len);
    return (struct str){copy, text.len};
}

void asking_release(struct asking *asking)
{
    mem_free((void *)(uintptr_t)asking->site.at);
    mem_free((void *)(uintptr_t)asking->model.at);
    mem_free((void *)(uintptr_t)asking->said.at);
}

static void begin_more(struct asker *asker);

static void note_load(struct asker *asker, int begun, int queued)
{
    atomic_fetch_add(&asker->under_way, (unsigned)begun);
    atomic_fetch_add(&asker->queued, (unsigned)queued);
}

static void round_less(struct asking_round *round, size_t by)
{
    pthread_mutex_lock(&round->lock);
    round->left -= by;
    /* Who waits may be gone as soon as the lock is open. */
    if (round->left == 0) pthread_cond_signal(&round->wake);
    pthread_mutex_unlock(&round->lock);
}

static void finish(struct asking *asking, struct decided decided, struct str said)
{
    struct asker *asker = asking->asker;
    deadline_clear(&asking->alarm);
    list_remove(&asking->link);
    note_load(asker, -1, 0);
    asking->decided = decided;
    asking->said = kept(said);
    asking->over = true;
    round_less(asking->round, 1);
    begin_more(asker);
}

/* Nobody was asked: the circuit is open, or the queue is full. */
static bool was_turned_away(const struct llm_answer *answer)
{
    const struct llm_result *result = answer->result;
    return answer->err && result->attempts == 0 &&
           (result->fault == LLM_FAULT_OVERLOAD || result->fault == LLM_FAULT_BUSY);
}

static void on_answer(void *ctx, const struct llm_answer *answer)
{
    struct asking *asking = ctx;
    struct asker *asker = asking->asker;
    asking->call = NULL;
    llm_usage_add(&asking->usage, &answer->usage);
    if (was_turned_away(answer) && !asker->down) {
        deadline_clear(&asking->alarm);
        deadline_set(asker->loop, &asking->alarm,
                     MIN(loop_now_us(asker->loop) + PAUSE_US, asking->until_us));
        return;
    }
    if (answer->result->end == LLM_COMPLETE) asker->down = false;
    asking->repaired = answer->repaired && answer->err == OK;
    asking->site = kept(answer->result->site);
    asking->model = kept(answer->result->model);
    finish(asking,
           asking->frame ? day_plan_read(answer, asking->frame)
                         : decision_read(answer, asking->options),
           answer->err ? str_of(answer->why.text) : answer->text);
}

static void put(struct asking *asking)
{
    asking->call = llm_ask(asking->asker->home, asking->request, on_answer, asking);
    deadline_set(asking->asker->loop, &asking->alarm, asking->until_us);
}

static void on_alarm(struct deadline *alarm)
{
    struct asking *asking = CONTAINER_OF(alarm, struct asking, alarm);
    struct asker *asker = asking->asker;
    if (asking->call) {
        struct llm_usage usage = llm_ask_cancel(asking->call);
        asking->call = NULL;
        llm_usage_add(&asking->usage, &usage);
        finish(asking, undecided(DECIDED_LATE), STR("no answer in time"));
    } else if (loop_now_us(asker->loop) < asking->until_us) {
        put(asking);
    } else {
        asker->down = true;
        finish(asking, undecided(DECIDED_FAILED), STR("the model's site takes no calls"));
    }
}

static void begin_more(struct asker *asker)
{
    while (atomic_load(&asker->under_way) < asker->at_once) {
        struct list *link = list_take_first(&asker->waiting);
        if (!link) return;
        struct asking *asking = CONTAINER_OF(link, struct asking, link);
        list_add_last(&asker->active, link);
        note_load(asker, 1, -1);
        asking->until_us = loop_now_us(asker->loop) + asker->answer_us;
        put(asking);
    }
}

static void run_round(struct task *task)
{
    struct asking_round *round = CONTAINER_OF(task, struct asking_round, beginning);
    struct asker *asker = round->asker;
    for (size_t i = 0; i < round->count; i++) {
        struct asking *asking = round->askings[i];
        asking->asker = asker;
        asking->round = round;
        asking->usage = (struct llm_usage){-1, -1, -1, -1, false};
        asking->alarm.fired = on_alarm;
        list_init(&asking->alarm.link);
        list_add_last(&asker->waiting, &asking->link);
    }
    note_load(asker, 0, (int)round->count);
    begin_more(asker);
}

/* Whether it was under way. What it took so far is known then. */
static bool call_off(struct asking *asking)
{
    bool begun = asking->until_us != 0;
    deadline_clear(&asking->alarm);
    list_remove(&asking->link);
    if (!asking->call) return begun;
    struct llm_usage usage = llm_ask_cancel(asking->call);
    asking->call = NULL;
    llm_usage_add(&asking->usage, &usage);
    return begun;
}

static void run_calling_off(struct task *task)
{
    struct asking_round *round = CONTAINER_OF(task, struct asking_round, ending);
    struct asker *asker = round->asker;
    size_t open = 0;
    for (size_t i = 0; i < round->count; i++) {
        if (round->askings[i]->over) continue;
        bool begun = call_off(round->askings[i]);
        note_load(asker, begun ? -1 : 0, begun ? 0 : -1);
        open++;
    }
    begin_more(asker);
    round->called_off = true;
    round_less(round, open + 1);
}

static void *asker_main(void *ctx)
{
    struct asker *asker = ctx;
    log_context("asker");
    loop_run(asker->loop);
    return NULL;
}

/* --- on the thread of who asks --- */

/* False: not yet, after a fifth of a second. */
static bool wait_a_little(struct asking_round *round)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PULSE_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&round->lock);
    int late = 0;
    while (round->left > 0 && !late)
        late = pthread_cond_timedwait(&round->wake, &round->lock, &until);
    bool done = round->left == 0;
    pthread_mutex_unlock(&round->lock);
    return done;
}

/* Answers may overtake it; its task is waited for even then, so it counts as one that is not over.
 */
static void call_all_off(struct asking_round *round)
{
    pthread_mutex_lock(&round->lock);
    round->left++;
    pthread_mutex_unlock(&round->lock);
    loop_post(round->asker->loop, &round->ending);
    while (!wait_a_little(round)) continue;
}

bool asker_ask(struct asker *asker, struct asking **askings, size_t count, asker_pulse *pulse,
               void *ctx)
{
    struct asking_round round = {.beginning.run = run_round,
                                 .ending.run = run_calling_off,
                                 .asker = asker,
                                 .askings = askings,
                                 .count = count,
                                 .left = count};
    if (count == 0) return true;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&round.lock, NULL);
    pthread_cond_init(&round.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    loop_post(asker->loop, &round.beginning);
    bool goes_on = true, done = false;
    while (!done && goes_on) {
        done = wait_a_little(&round);
        goes_on = pulse(ctx) || done;
    }
    if (!done) call_all_off(&round);
    pthread_mutex_destroy(&round.lock);
    pthread_cond_destroy(&round.wake);
    return !round.called_off;
}

void asker_look(const struct asker *asker, uint32_t *under_way_out, uint32_t *waiting_out)
{
    *under_way_out = atomic_load(&asker->under_way);
    *waiting_out = atomic_load(&asker->queued);
}

/* --- opening and closing --- */

enum err asker_open(struct llm *llm, int64_t answer_s, struct asker **asker_out, struct why *why)
{
    struct asker *asker = NEW(struct asker);
    asker->answer_us = answer_s * SECOND_US;
    asker->at_once = (uint32_t)MAX(gate_state(llm->standard.place->gate).limit, (size_t)1);
    list_init(&asker->waiting);
    list_init(&asker->active);
    enum err err = loop_open(&asker->loop, why);
    if (!err) {
        asker->home = llm_loop_open(llm, asker->loop);
        int failed = pthread_create(&asker->thread, NULL, asker_main, asker);
        asker->started = !failed;
        if (failed)
            err = why_set(why, ERR_IO, "cannot start a thread that asks: %s", strerror(failed));
    }
    if (err)
        asker_close(asker);
    else
        *asker_out = asker;
    return err;
}

struct ending {
    struct task task;
    struct asker *asker;
};

static void run_ending(struct task *task)
{
    struct asker *asker = CONTAINER_OF(task, struct ending, task)->asker;
    ASSERT(list_is_empty(&asker->waiting) && list_is_empty(&asker->active));
    llm_loop_close(asker->home);
    asker->home = NULL;
    loop_stop(asker->loop);
}

void asker_close(struct asker *asker)
{
    if (!asker) return;
    struct ending ending = {.task.run = run_ending, .asker = asker};
    if (asker->started) {
        loop_post(asker->loop, &ending.task);
        pthread_join(asker->thread, NULL);
    } else {
        llm_loop_close(asker->home);
    }
    if (asker->loop) loop_close(asker->loop);
    mem_free(asker);
}
