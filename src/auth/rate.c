/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/rate.c: GCRA in a fixed table.
 *
 * A stripe is a lock and a number of sets; a set is eight slots, two cache
 * lines, searched straight through. A caller belongs to one set. No chains, no
 * growing, no sweeping: a slot whose time has passed is as good as an empty one.
 */
#include "auth/rate.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

enum { STRIPES = 16, WAYS = 8, SETS_MAX = 1 << 20, CALLER_BYTES_MAX = 256 };

static const int64_t minute_us = INT64_C(60) * 1000 * 1000;

struct slot {
    uint64_t key;    /* 0: never used */
    int64_t full_us; /* when all of the room is back; GCRA calls it the theoretical arrival time */
};

struct stripe {
    pthread_mutex_t lock;
    struct slot *slots; /* owned; sets * WAYS */
};

/* How a class is reckoned with. */
struct pace {
    int64_t step_us; /* one request's worth of time, rounded up; 0: unlimited */
    uint32_t burst;
};

/* Shared by all threads; `paces` and `sets` never change. */
struct rate {
    struct stripe stripes[STRIPES];
    struct pace paces[RATE_CLASSES_MAX];
    size_t classes;
    size_t sets; /* of each stripe; a power of two */
};

struct rate *rate_new(const struct rate_limit *limits, size_t classes, size_t callers)
{
    ASSERT(classes > 0 && classes <= RATE_CLASSES_MAX);
    struct rate *rate = NEW(struct rate);
    rate->classes = classes;
    for (size_t i = 0; i < classes; i++) {
        int64_t per_minute = MIN(limits[i].per_minute, RATE_PER_MINUTE_MAX);
        if (per_minute == 0) continue;
        /* Rounded up, so that no rate is ever exceeded: 7 a minute is 8,571,429 µs. */
        rate->paces[i].step_us = (minute_us + per_minute - 1) / per_minute;
        rate->paces[i].burst = MIN(MAX(limits[i].burst, 1), RATE_BURST_MAX);
    }
    rate->sets = 1;
    while (rate->sets * STRIPES * WAYS < callers && rate->sets < SETS_MAX) rate->sets *= 2;
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_init(&rate->stripes[i].lock, NULL);
        rate->stripes[i].slots = mem_alloc(rate->sets * WAYS * sizeof(struct slot));
    }
    return rate;
}

void rate_free(struct rate *rate)
{
    if (rate == NULL) return;
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_destroy(&rate->stripes[i].lock);
        mem_free(rate->stripes[i].slots);
    }
    mem_free(rate);
}

/* Class and caller under one keyed hash. Two of 2^64 that meet share their room. */
static uint64_t key_of(int class, struct str caller)
{
    char text[1 + CALLER_BYTES_MAX];
    struct str head = str_head(caller, CALLER_BYTES_MAX);
    text[0] = (char)class;
    if (head.len > 0) memcpy(text + 1, head.at, head.len);
    uint64_t key = map_hash((struct str){text, 1 + head.len});
    return key ? key : 1;
}

static struct stripe *stripe_of(struct rate *rate, uint64_t key)
{
    return &rate->stripes[key % STRIPES];
}

static struct slot *set_of(const struct rate *rate, const struct stripe *stripe, uint64_t key)
{
    return &stripe->slots[(key / STRIPES & (rate->sets - 1)) * WAYS];
}

/* The caller's slot; or NULL, and in *stalest_out the one to take for it. */
static struct slot *slot_find(struct slot *set, uint64_t key, struct slot **stalest_out)
{
    *stalest_out = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key) return &set[i];
        if (set[i].full_us < (*stalest_out)->full_us) *stalest_out = &set[i];
    }
    return NULL;
}

static uint32_t seconds_up(int64_t us)
{
    return us <= 0 ? 0 : (uint32_t)MIN((us + 999999) / 1000000, UINT32_MAX);
}

/* The algorithm: everything in microseconds, nothing but the slot's one number remembered. */
static struct rate_verdict judge(const struct pace *pace, int64_t *full_us, int64_t now_us)
{
    int64_t room_us = pace->step_us * pace->burst;
    /* Never further ahead than an empty room: heals after a clock that was wrong for a while. */
    int64_t before_us = MIN(MAX(*full_us, now_us), now_us + room_us);
    int64_t after_us = before_us + pace->step_us;
    struct rate_verdict verdict = {.limit = pace->burst, .allowed = after_us - now_us <= room_us};
    if (!verdict.allowed) {
        verdict.retry_after_s = seconds_up(after_us - room_us - now_us);
        after_us = before_us;
    }
    *full_us = after_us;
    verdict.remaining = (uint32_t)((now_us + room_us - after_us) / pace->step_us);
    verdict.reset_s = seconds_up(after_us - now_us);
    return verdict;
}

struct rate_verdict rate_take(struct rate *rate, int class, struct str caller, int64_t now_us)
{
    ASSERT(class >= 0 && (size_t) class < rate->classes);
    ASSERT(now_us >= 0 && now_us < INT64_MAX / 2);
    const struct pace *pace = &rate->paces[class];
    if (pace->step_us == 0) return (struct rate_verdict){.allowed = true};

    uint64_t key = key_of(class, caller);
    struct stripe *stripe = stripe_of(rate, key);
    pthread_mutex_lock(&stripe->lock);
    struct slot *stalest, *slot = slot_find(set_of(rate, stripe, key), key, &stalest);
    if (slot == NULL) {
        slot = stalest;
        *slot = (struct slot){.key = key};
    }
    struct rate_verdict verdict = judge(pace, &slot->full_us, now_us);
    pthread_mutex_unlock(&stripe->lock);
    return verdict;
}

void rate_forget(struct rate *rate, int class, struct str caller)
{
    ASSERT(class >= 0 && (size_t) class < rate->classes);
    uint64_t key = key_of(class, caller);
    struct stripe *stripe = stripe_of(rate, key);
    pthread_mutex_lock(&stripe->lock);
    struct slot *stalest, *slot = slot_find(set_of(rate, stripe, key), key, &stalest);
    if (slot) *slot = (struct slot){0};
    pthread_mutex_unlock(&stripe->lock);
}

void rate_check(struct rate *rate)
{
    ASSERT((rate->sets & (rate->sets - 1)) == 0);
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &rate->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        for (size_t at = 0; at < rate->sets * WAYS; at++) {
            const struct slot *slot = &stripe->slots[at];
            struct slot *set = &stripe->slots[at / WAYS * WAYS], *unused;
            ASSERT(slot->full_us >= 0);
            if (slot->key == 0) continue;
            ASSERT(stripe_of(rate, slot->key) == stripe);
            ASSERT(set_of(rate, stripe, slot->key) == set);
            ASSERT(slot_find(set, slot->key, &unused) == slot); /* once only */
        }
        pthread_mutex_unlock(&stripe->lock);
    }
}
