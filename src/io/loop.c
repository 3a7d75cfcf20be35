/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/internal.h"

struct timer {
    uv_timer_t uv;
    void (*fired)(void *ctx);
    void *ctx;
};

static void on_hurry(uv_idle_t *hurry)
{
    (void)hurry;
}

static void run_mailbox(struct loop *loop)
{
    /* Take all at once; turn newest-first into the order of posting. */
    struct task *newest = atomic_exchange_explicit(&loop->mailbox, NULL, memory_order_acquire);
    struct task *oldest = NULL;
    while (newest) {
        struct task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct task *next = oldest->next;
        oldest->run(oldest); /* may free itself */
        oldest = next;
    }
}

/*
 * At most HOOKS_PER_TURN, the oldest first; the rest in the next turn, which then does not wait.
 * An event for 5,000 sockets takes 25 ms to write: meanwhile requests want their answers, and
 * what else is told to the same sockets can leave in the same write.
 */
static void run_hooks(struct loop *loop)
{
    for (int i = 0; i < HOOKS_PER_TURN; i++) {
        struct list *link = list_take_first(&loop->hooks);
        if (link == NULL) break;
        struct turn_hook *hook = CONTAINER_OF(link, struct turn_hook, link);
        hook->run(hook);
    }
    bool more = !list_is_empty(&loop->hooks);
    if (more == loop->hurrying || uv_is_closing((uv_handle_t *)&loop->hurry)) return;
    loop->hurrying = more;
    if (more) {
        uv_idle_start(&loop->hurry, on_hurry); /* an active idle handle makes the wait a look */
    } else {
        uv_idle_stop(&loop->hurry);
    }
}

/* Sockets and timers are their owners' to close: loop_run() ends when the last of them has. */
static void close_own(struct loop *loop)
{
    if (uv_is_closing((uv_handle_t *)&loop->wake)) return;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->before_wait, NULL);
    uv_close((uv_handle_t *)&loop->after_wait, NULL);
    uv_close((uv_handle_t *)&loop->second, NULL);
    uv_close((uv_handle_t *)&loop->hurry, NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    loop->now_us = clock_mono_us();
    run_mailbox(loop);
    if (atomic_load(&loop->stopping)) {
        while (!list_is_empty(&loop->hooks)) run_hooks(loop);
        close_own(loop);
    }
}

static void end_turn(struct loop *loop)
{
    loop->heard = 0;
    run_hooks(loop);
    loop->now_us = clock_mono_us();
}

static void on_after_wait(uv_check_t *check)
{
    end_turn(check->data);
}

/*
 * libuv hands over all that is ready, a thousand descriptors and more, before the check comes.
 * A turn is shorter: otherwise the first of a thousand tokens would wait for the last one to be
 * read, and where they never stop coming more would be read in a turn than its hooks may write.
 */
void loop_heard(struct loop *loop)
{
    if (++loop->heard == HEARD_PER_TURN) end_turn(loop);
}

/* What timers wrote before the wait; the rest of a long list has its turn after it. */
static void on_before_wait(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    if (!loop->hurrying) run_hooks(loop);
}

static void sweep_slot(struct loop *loop, struct list *slot)
{
    struct list due;
    list_init(&due);
    list_move_all(&due, slot);
    for (struct list *link; (link = list_take_first(&due)) != NULL;) {
        struct deadline *deadline = CONTAINER_OF(link, struct deadline, link);
        if (deadline->at_us == 0) continue;
        if (deadline->at_us > loop->now_us) {
            deadline_set(loop, deadline, deadline->at_us); /* was moved, or a round away */
            continue;
        }
        deadline->at_us = 0;
        deadline->fired(deadline);
    }
}

static void on_second(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->now_us = clock_mono_us();
    int64_t now_s = loop->now_us / 1000000;
    /* After a long stall one round is enough: it visits every slot. */
    int64_t from = MAX(loop->swept_s + 1, now_s - DEADLINE_SLOTS + 1);
    for (int64_t s = from; s <= now_s; s++) sweep_slot(loop, &loop->deadlines[s % DEADLINE_SLOTS]);
    loop->swept_s = now_s;
}

/*
 * libuv asks for a descriptor for each loop, then for a pipe with the first one, and calls abort()
 * when it gets the one and not the other (seen in 1.44). So see whether there is room for both.
 * 0, or as libuv would say it.
 */
static int try_descriptors(void)
{
    int ends[2], spare = eventfd(0, EFD_CLOEXEC);
    if (spare < 0) return uv_translate_sys_error(errno);
    int failed = pipe2(ends, O_CLOEXEC) == 0 ? 0 : uv_translate_sys_error(errno);
    if (!failed) {
        close(ends[0]);
        close(ends[1]);
    }
    close(spare);
    return failed;
}

enum err loop_open(struct loop **loop_out, struct why *why)
{
    struct loop *loop = NEW(struct loop);
    int failed = try_descriptors();
    if (failed == 0) failed = uv_loop_init(&loop->uv);
    if (failed == 0) {
        failed = uv_async_init(&loop->uv, &loop->wake, on_wake);
        if (failed != 0) uv_loop_close(&loop->uv);
    }
    if (failed != 0) {
        mem_free(loop);
        return why_set(why, ERR_IO, "cannot make an event loop: %s", uv_strerror(failed));
    }
    uv_prepare_init(&loop->uv, &loop->before_wait);
    uv_check_init(&loop->uv, &loop->after_wait);
    uv_timer_init(&loop->uv, &loop->second);
    uv_idle_init(&loop->uv, &loop->hurry);
    loop->wake.data = loop->before_wait.data = loop->after_wait.data = loop->second.data = loop;
    uv_prepare_start(&loop->before_wait, on_before_wait);
    uv_check_start(&loop->after_wait, on_after_wait);
    uv_timer_start(&loop->second, on_second, 1000, 1000);
    list_init(&loop->hooks);
    for (size_t i = 0; i < DEADLINE_SLOTS; i++) list_init(&loop->deadlines[i]);
    loop->now_us = clock_mono_us();
    loop->swept_s = loop->now_us / 1000000;
    *loop_out = loop;
    return OK;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    uv_async_send(&loop->wake);
}

void loop_close(struct loop *loop)
{
    if (!atomic_load(&loop->stopping)) loop_stop(loop);
    run_mailbox(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop->uv);
    ASSERT(busy == 0);
    mem_free(loop);
}

void loop_post(struct loop *loop, struct task *task)
{
    struct task *head = atomic_load_explicit(&loop->mailbox, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->mailbox, &head, task,
                                                    memory_order_release, memory_order_relaxed));
    /* Only the first of a batch needs to ring: the others are found with it. */
    if (head == NULL && !atomic_load_explicit(&loop->stopping, memory_order_relaxed)) {
        uv_async_send(&loop->wake);
    }
}

void loop_at_turn_end(struct loop *loop, struct turn_hook *hook)
{
    if (list_is_empty(&hook->link)) list_add_last(&loop->hooks, &hook->link);
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

static void on_timer(uv_timer_t *uv)
{
    struct timer *timer = CONTAINER_OF(uv, struct timer, uv);
    timer->fired(timer->ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF((uv_timer_t *)(void *)handle, struct timer, uv));
}

struct timer *timer_new(struct loop *loop, void (*fired)(void *ctx), void *ctx)
{
    struct timer *timer = NEW(struct timer);
    timer->fired = fired;
    timer->ctx = ctx;
    uv_timer_init(&loop->uv, &timer->uv);
    return timer;
}

void timer_start(struct timer *timer, uint64_t after_ms, uint64_t repeat_ms)
{
    uv_timer_start(&timer->uv, on_timer, after_ms, repeat_ms);
}

void timer_stop(struct timer *timer)
{
    uv_timer_stop(&timer->uv);
}

void timer_free(struct timer *timer)
{
    if (timer == NULL) return;
    ASSERT(!uv_is_closing((uv_handle_t *)&timer->uv));
    uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

void deadline_set(struct loop *loop, struct deadline *deadline, int64_t at_us)
{
    ASSERT(at_us > 0);
    bool waiting = !list_is_empty(&deadline->link);
    /* Linked under an earlier second already: the sweep will find it and move it on. */
    if (waiting && at_us >= deadline->at_us && deadline->at_us != 0) {
        deadline->at_us = at_us;
        return;
    }
    list_remove(&deadline->link);
    deadline->at_us = at_us;
    int64_t slot_s = MAX(at_us / 1000000, loop->swept_s) + 1;
    slot_s = MIN(slot_s, loop->swept_s + DEADLINE_SLOTS);
    list_add_last(&loop->deadlines[slot_s % DEADLINE_SLOTS], &deadline->link);
}

void deadline_clear(struct deadline *deadline)
{
    deadline->at_us = 0;
    list_remove(&deadline->link);
}
