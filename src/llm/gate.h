/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/gate.h: who may ask a site now: how many at once, whether it is worth
 * trying at all, and with which key.
 *
 * One gate stands before each site, shared by all loops. It
 * - lets a limited number through at once. The limit follows the site: up by
 *   one for each limit's worth of good answers, down by 30 % (once a second at
 *   most) when it says 429 or is overloaded, by 10 % when its first words take
 *   twice as long as they used to (additive increase, multiplicative decrease:
 *   Chiu and Jain 1989);
 * - keeps the others in a bounded queue: people before programs before
 *   residents, but every eighth place goes to whoever is last in rank, so that
 *   nobody starves;
 * - opens its circuit after five failures in a row, or when more than half of at least 20 in
 *   30 s failed: then those who wait are turned away and nothing is asked for 10 s, doubling
 *   to five minutes; afterwards one call probes;
 * - allows one retry for ten first attempts, and ten in reserve: retries must not
 *   make a storm worse;
 * - parks keys that were refused, and takes those that work in turn.
 *
 * Any thread; a grant comes to the loop of the one who waits.
 */
#pragma once

#include "llm/llm.h"
#include "llm/provider.h"

struct gate;

/* Waiting for a place; embedded in the call. Lives on one loop. */
struct gate_ticket {
    struct list link;
    struct task grant;
    struct loop *loop;
    /* On the ticket's loop, once, for a ticket that had to wait and was not withdrawn in time: the
     * place is yours, or you were `turned_away`, because the circuit opened meanwhile. */
    void (*granted)(struct gate_ticket *ticket);
    bool turned_away;
    enum llm_class class;
    bool waits, granted_already; /* under the gate's lock */
};

struct gate *gate_new(size_t at_once_max, size_t queue_max);
void gate_free(struct gate *gate);

enum gate_answer {
    GATE_GO,   /* the place is yours: gate_leave() later */
    GATE_WAIT, /* `granted` comes */
    GATE_FULL, /* the queue is */
    GATE_OPEN  /* the circuit is: do not ask */
};
enum gate_answer gate_enter(struct gate *gate, struct gate_ticket *ticket, enum llm_class class,
                            int64_t now_us);
/* No longer interested. True: it was taken out. False: `granted` is on its way. */
bool gate_withdraw(struct gate *gate, struct gate_ticket *ticket);

/* An answer begins: the site is well, which closes the circuit when a call was to find that out.
 * Its end may be minutes away. */
void gate_heard(struct gate *gate);
/*
 * The place is free again. `fault`: how it went, LLM_FAULT_BUSY when nobody can say (cancelled
 * before its end); `first_us`: time to the first piece, -1 unknown.
 */
void gate_leave(struct gate *gate, enum llm_fault fault, int64_t first_us, int64_t now_us);
/* May something be tried once more? */
bool gate_may_retry(struct gate *gate);

/* Index of the key to use now, or -1: all are parked. A site without keys: -1 too. */
int gate_take_key(struct gate *gate, size_t key_count, int64_t now_us);
/* It was refused, and why: leave it alone until then. */
void gate_park_key(struct gate *gate, int key, int64_t until_us, enum llm_fault fault);
/* The first that may be used, when, and why it may not now where that is later. */
struct gate_parked {
    int key;
    int64_t until_us;
    enum llm_fault fault;
};
struct gate_parked gate_first_parked(struct gate *gate, size_t key_count);

struct gate_state {
    size_t running, waiting, limit;
    size_t waiting_of[LLM_CLASSES]; /* the same, by who waits */
    bool open, probing;             /* the circuit; probing: one call finds out */
    uint64_t refused;               /* queue full, or circuit open */
    uint64_t openings;              /* of the circuit */
};
struct gate_state gate_state(struct gate *gate);
