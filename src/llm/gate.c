/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/gate.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/rng.h"
#include "llm/fault.h"

enum {
    SECOND_US = 1000000,
    FAILURES_IN_A_ROW = 5,
    WINDOW_CALLS_MIN = 20,
    WINDOW_US = 30 * SECOND_US,
    OPEN_US = 10 * SECOND_US,
    OPEN_US_MAX = 300 * SECOND_US,
    RANK_TURN = 8,      /* every so many grants the last in rank comes first */
    RETRY_RESERVE = 10, /* retries, … */
    RETRY_SHARE = 10,   /* … and one for so many first attempts */
};

enum circuit { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };

struct gate {
    pthread_mutex_t lock;
    struct list waiting[LLM_CLASSES];
    size_t waits[LLM_CLASSES]; /* how many are in each */
    size_t waiting_count, queue_max, running;
    unsigned grants;
    uint64_t refused, openings;

    double limit, limit_max;
    int64_t lowered_us;
    double first_us, first_us_usual; /* moving averages, quick and slow; 0: none yet */

    enum circuit circuit;
    int in_a_row;
    int64_t window_us; /* its beginning */
    int window_calls, window_failures;
    int64_t open_until_us, open_for_us;

    int retry_tenths;

    int64_t parked_until_us[LLM_KEYS_MAX];
    enum llm_fault parked_for[LLM_KEYS_MAX];
    unsigned next_key;
};

struct gate *gate_new(size_t at_once_max, size_t queue_max)
{
    struct gate *gate = NEW(struct gate);
    pthread_mutex_init(&gate->lock, NULL);
    for (size_t i = 0; i < LLM_CLASSES; i++) list_init(&gate->waiting[i]);
    gate->queue_max = queue_max;
    gate->limit = gate->limit_max = (double)at_once_max;
    gate->open_for_us = OPEN_US;
    gate->retry_tenths = RETRY_RESERVE * RETRY_SHARE;
    return gate;
}

void gate_free(struct gate *gate)
{
    if (gate == NULL) return;
    ASSERT(gate->waiting_count == 0);
    pthread_mutex_destroy(&gate->lock);
    mem_free(gate);
}

/* --- the circuit --- */

static void run_grant(struct task *task)
{
    struct gate_ticket *ticket = CONTAINER_OF(task, struct gate_ticket, grant);
    ticket->granted(ticket);
}

static bool may_pass(struct gate *gate, int64_t now_us)
{
    if (gate->circuit == CIRCUIT_CLOSED) return true;
    if (gate->circuit == CIRCUIT_PROBING || now_us < gate->open_until_us) return false;
    gate->circuit = CIRCUIT_PROBING;
    return true;
}

static void call_ticket(struct gate *gate, struct gate_ticket *ticket, bool turned_away)
{
    gate->waiting_count--;
    gate->waits[ticket->class]--;
    ticket->waits = false;
    ticket->granted_already = true;
    ticket->turned_away = turned_away;
    ticket->grant.run = run_grant;
    loop_post(ticket->loop, &ticket->grant);
}

/* Who waits would only be told the same a little later, and may have another site to ask. */
static void turn_all_away(struct gate *gate)
{
    for (size_t i = 0; i < LLM_CLASSES; i++) {
        for (struct list *link; (link = list_take_first(&gate->waiting[i])) != NULL;) {
            gate->refused++;
            call_ticket(gate, CONTAINER_OF(link, struct gate_ticket, link), true);
        }
    }
}

static void open_circuit(struct gate *gate, int64_t now_us)
{
    if (gate->circuit == CIRCUIT_PROBING) {
        gate->open_for_us = MIN(gate->open_for_us * 2, (int64_t)OPEN_US_MAX);
    }
    gate->circuit = CIRCUIT_OPEN;
    gate->openings++;
    /* Up to a tenth more, so that many processes do not probe together. */
    gate->open_until_us =
        now_us + gate->open_for_us + (int64_t)(random_u64() % (uint64_t)(gate->open_for_us / 10));
    gate->in_a_row = gate->window_calls = gate->window_failures = 0;
    turn_all_away(gate);
}

static void close_after_probe(struct gate *gate)
{
    if (gate->circuit != CIRCUIT_PROBING) return;
    gate->circuit = CIRCUIT_CLOSED;
    gate->open_for_us = OPEN_US;
}

static void note_health(struct gate *gate, bool failed, int64_t now_us)
{
    if (now_us - gate->window_us > WINDOW_US) {
        gate->window_us = now_us;
        gate->window_calls = gate->window_failures = 0;
    }
    gate->window_calls++;
    gate->window_failures += failed;
    gate->in_a_row = failed ? gate->in_a_row + 1 : 0;
    bool sick =
        gate->in_a_row >= FAILURES_IN_A_ROW ||
        (gate->window_calls >= WINDOW_CALLS_MIN && gate->window_failures * 2 > gate->window_calls);
    if (failed && (sick || gate->circuit == CIRCUIT_PROBING)) {
        open_circuit(gate, now_us);
    } else if (!failed) {
        close_after_probe(gate);
    }
}

/* --- how many at once --- */

static void lower(struct gate *gate, double factor, int64_t now_us)
{
    if (now_us - gate->lowered_us < SECOND_US) return;
    gate->lowered_us = now_us;
    gate->limit = MAX(gate->limit * factor, 1.0);
}

static void adapt(struct gate *gate, enum llm_fault fault, int64_t first_us, int64_t now_us)
{
    if (fault == LLM_FAULT_RATE || fault == LLM_FAULT_OVERLOAD) {
        lower(gate, 0.7, now_us);
        return;
    }
    if (fault != LLM_FAULT_NONE) return;
    if (first_us >= 0) {
        double first = (double)MAX(first_us, 1);
        bool none = gate->first_us_usual <= 0;
        gate->first_us = none ? first : gate->first_us * 0.8 + first * 0.2;
        gate->first_us_usual = none ? first : gate->first_us_usual * 0.99 + first * 0.01;
        bool crowded = gate->first_us > 2 * gate->first_us_usual + 0.2 * SECOND_US;
        if (crowded) {
            lower(gate, 0.9, now_us);
            return;
        }
    }
    gate->limit = MIN(gate->limit + 1 / gate->limit, gate->limit_max);
}

/* --- coming and going --- */

static struct gate_ticket *take_next(struct gate *gate)
{
    bool last_first = ++gate->grants % RANK_TURN == 0;
    for (size_t i = 0; i < LLM_CLASSES; i++) {
        size_t rank = last_first ? LLM_CLASSES - 1 - i : i;
        struct list *link = list_take_first(&gate->waiting[rank]);
        if (link) return CONTAINER_OF(link, struct gate_ticket, link);
    }
    return NULL;
}

static void let_in(struct gate *gate)
{
    while (gate->waiting_count > 0 && (double)(gate->running + 1) <= gate->limit) {
        gate->running++;
        call_ticket(gate, take_next(gate), false);
    }
}

/* Who comes before those of this class, and they themselves: the queue is full of these, or not.
 * Programs that wait keep no person out. */
static size_t ahead_of(const struct gate *gate, enum llm_class class)
{
    size_t count = 0;
    for (int at = 0; at <= (int)class; at++) count += gate->waits[at];
    return count;
}

enum gate_answer gate_enter(struct gate *gate, struct gate_ticket *ticket, enum llm_class class,
                            int64_t now_us)
{
    enum gate_answer answer = GATE_GO;
    pthread_mutex_lock(&gate->lock);
    ticket->waits = ticket->granted_already = ticket->turned_away = false;
    if (!may_pass(gate, now_us)) {
        answer = GATE_OPEN;
    } else if (gate->waiting_count == 0 && (double)(gate->running + 1) <= gate->limit) {
        gate->running++;
    } else if (ahead_of(gate, class) >= gate->queue_max) {
        answer = GATE_FULL;
    } else {
        answer = GATE_WAIT;
        ticket->waits = true;
        ticket->class = class;
        gate->waiting_count++;
        gate->waits[class]++;
        list_add_last(&gate->waiting[class], &ticket->link);
    }
    if (answer == GATE_GO || answer == GATE_WAIT) {
        gate->retry_tenths = MIN(gate->retry_tenths + 1, RETRY_RESERVE * RETRY_SHARE);
    } else {
        gate->refused++;
    }
    /* A probe that found no place has not probed. */
    if (answer == GATE_FULL && gate->circuit == CIRCUIT_PROBING) gate->circuit = CIRCUIT_OPEN;
    pthread_mutex_unlock(&gate->lock);
    return answer;
}

bool gate_withdraw(struct gate *gate, struct gate_ticket *ticket)
{
    pthread_mutex_lock(&gate->lock);
    bool waits = ticket->waits;
    if (waits) {
        list_remove(&ticket->link);
        gate->waiting_count--;
        gate->waits[ticket->class]--;
        ticket->waits = false;
        if (gate->circuit == CIRCUIT_PROBING && gate->running == 0 && gate->waiting_count == 0) {
            gate->circuit = CIRCUIT_OPEN;
        }
    }
    pthread_mutex_unlock(&gate->lock);
    return waits;
}

void gate_heard(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    close_after_probe(gate);
    pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate, enum llm_fault fault, int64_t first_us, int64_t now_us)
{
    pthread_mutex_lock(&gate->lock);
    ASSERT(gate->running > 0);
    gate->running--;
    if (fault != LLM_FAULT_BUSY) {
        note_health(gate, llm_fault_rules(fault).counts, now_us);
        adapt(gate, fault, first_us, now_us);
    } else if (gate->circuit == CIRCUIT_PROBING) {
        gate->circuit = CIRCUIT_OPEN; /* its time is over: the next one probes */
    }
    let_in(gate);
    pthread_mutex_unlock(&gate->lock);
}

bool gate_may_retry(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    bool may = gate->retry_tenths >= RETRY_SHARE;
    if (may) gate->retry_tenths -= RETRY_SHARE;
    pthread_mutex_unlock(&gate->lock);
    return may;
}

/* --- keys --- */

int gate_take_key(struct gate *gate, size_t key_count, int64_t now_us)
{
    ASSERT(key_count <= LLM_KEYS_MAX);
    int found = -1;
    pthread_mutex_lock(&gate->lock);
    for (size_t i = 0; i < key_count && found < 0; i++) {
        unsigned at = (gate->next_key + (unsigned)i) % (unsigned)key_count;
        if (gate->parked_until_us[at] <= now_us) found = (int)at;
    }
    if (found >= 0) gate->next_key = (unsigned)found + 1;
    pthread_mutex_unlock(&gate->lock);
    return found;
}

void gate_park_key(struct gate *gate, int key, int64_t until_us, enum llm_fault fault)
{
    if (key < 0) return;
    pthread_mutex_lock(&gate->lock);
    gate->parked_until_us[key] = until_us;
    gate->parked_for[key] = fault;
    pthread_mutex_unlock(&gate->lock);
}

struct gate_parked gate_first_parked(struct gate *gate, size_t key_count)
{
    ASSERT(key_count > 0 && key_count <= LLM_KEYS_MAX);
    size_t first = 0;
    pthread_mutex_lock(&gate->lock);
    for (size_t i = 1; i < key_count; i++)
        if (gate->parked_until_us[i] < gate->parked_until_us[first]) first = i;
    struct gate_parked parked = {(int)first, gate->parked_until_us[first], gate->parked_for[first]};
    pthread_mutex_unlock(&gate->lock);
    return parked;
}

struct gate_state gate_state(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    struct gate_state state = {.running = gate->running,
                               .waiting = gate->waiting_count,
                               .limit = (size_t)gate->limit,
                               .open = gate->circuit != CIRCUIT_CLOSED,
                               .probing = gate->circuit == CIRCUIT_PROBING,
                               .refused = gate->refused,
                               .openings = gate->openings};
    for (size_t i = 0; i < LLM_CLASSES; i++) {
        const struct list *head = &gate->waiting[i];
        for (struct list *at = head->next; at != head; at = at->next) state.waiting_of[i]++;
    }
    pthread_mutex_unlock(&gate->lock);
    return state;
}
