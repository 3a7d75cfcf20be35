/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/needs.h"

#include <stdlib.h>

#include "base/mem.h"

uint32_t *needs_people(const struct town *town, uint32_t *count_out)
{
    uint32_t *people = mem_alloc(sizeof(*people) * (town_living_count(town) + 1)), count = 0;
    for (uint32_t who = 0; who < town_resident_count(town); who++)
        if (!town_is_gone(town, who)) people[count++] = who;
    *count_out = count;
    return people;
}

static int by_size(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static struct need_spread spread(uint16_t *seen, uint32_t count)
{
    ASSERT(count > 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += seen[i];
    qsort(seen, count, sizeof(seen[0]), by_size);
    return (struct need_spread){.mean = (uint16_t)(sum / count),
                                .low = seen[(count - 1) / 4],
                                .middle = seen[(count - 1) / 2],
                                .high = seen[(count - 1) * 3 / 4]};
}

void needs_look(const struct town *town, const uint32_t *people, uint32_t count,
                struct need_spread out[NEED_COUNT])
{
    ASSERT(count > 0);
    uint16_t seen[NEED_COUNT][NEEDS_SAMPLE_MAX];
    uint32_t sampled = MIN(count, (uint32_t)NEEDS_SAMPLE_MAX);
    for (uint32_t i = 0; i < sampled; i++) {
        struct resident body = town_body(town, people[(uint64_t)i * count / sampled]);
        for (int need = 0; need < NEED_COUNT; need++) seen[need][i] = body.need[need];
    }
    for (int need = 0; need < NEED_COUNT; need++) out[need] = spread(seen[need], sampled);
}
