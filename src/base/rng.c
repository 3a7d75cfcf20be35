/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/rng.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *to, size_t len)
{
    char *at = to;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR) continue;
        ASSERT(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream)
{
    rng->state = 0;
    rng->stream = stream << 1 | 1;
    rng_u32(rng);
    rng->state += seed;
    rng_u32(rng);
}

uint32_t rng_u32(struct rng *rng)
{
    uint64_t old = rng->state;
    rng->state = old * UINT64_C(6364136223846793005) + rng->stream;
    uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return shifted >> turn | shifted << ((32 - turn) & 31);
}

uint32_t rng_below(struct rng *rng, uint32_t below)
{
    ASSERT(below > 0);
    uint32_t skip = (0 - below) % below;
    for (;;) {
        uint32_t drawn = rng_u32(rng);
        if (drawn >= skip) return drawn % below;
    }
}
