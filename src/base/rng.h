/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/rng.h: randomness, of two kinds that never meet.
 *
 * random_bytes comes from the kernel and is for secrets, ids and jitter.
 * struct rng is a repeatable stream for simulations and tests: the same seed
 * gives the same numbers on every machine. PCG-XSH-RR 64/32 (O'Neill 2014).
 */
#pragma once

#include "base/base.h"

/* Cryptographically strong; aborts if the kernel has none to give. Any thread. */
void random_bytes(void *to, size_t len);
uint64_t random_u64(void);

struct rng {
    uint64_t state, stream;
};

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream);
static inline uint32_t rng_u32(struct rng *rng)
{
    uint64_t old = rng->state;
    rng->state = old * UINT64_C(6364136223846793005) + rng->stream;
    uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return shifted >> turn | shifted << ((32 - turn) & 31);
}
/* Even over [0, below), below > 0, without modulo bias. Here, because a town throws some thirty
 * times a decision: where `below` is a constant, no division is left of it. */
static inline uint32_t rng_below(struct rng *rng, uint32_t below)
{
    ASSERT(below > 0);
    for (;;) {
        uint32_t drawn = rng_u32(rng);
        /* The first 2^32 % below numbers are one too many, and there are fewer than `below`. */
        if (drawn >= below || drawn >= (0 - below) % below) return drawn % below;
    }
}
