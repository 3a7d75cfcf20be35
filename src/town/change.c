/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/change.c: other settings for a town that lives.
 *
 * What stands in flat arrays of so many slots each is laid out anew; what has no
 * room any more is forgotten as it would have been. Everything else in the
 * settings is read where it matters, so setting it is enough.
 */
#include "base/mem.h"
#include "town/internal.h"

/* `count` rows of `from` slots each, as rows of `to`. */
static void *relaid(void *rows, size_t count, size_t from, size_t to, size_t bytes)
{
    char *old = rows, *new = mem_alloc(count * to * bytes);
    for (size_t i = 0; i < count; i++)
        memcpy(new + i *to *bytes, old + i * from * bytes, MIN(from, to) * bytes);
    mem_free(old);
    return new;
}

static void change_memories(struct quarter *quarter, uint8_t slots)
{
    uint8_t had = quarter->settings->memory_slots;
    if (slots == had) return;
    for (uint32_t i = 0; i < quarter->count; i++)
        memory_trim(memories_of(quarter, i), slots, agenda_now(quarter->agenda));
    quarter->memory = relaid(quarter->memory, quarter->room, had, slots, sizeof(struct memory));
}

static void change_relations(struct quarter *quarter, uint8_t slots)
{
    uint8_t had = quarter->settings->relation_slots;
    if (slots == had) return;
    for (uint32_t i = 0; i < quarter->count; i++)
        relation_trim(relations_of(quarter, i), slots, day_of(agenda_now(quarter->agenda)));
    quarter->relation =
        relaid(quarter->relation, quarter->room, had, slots, sizeof(struct relation));
}

static void change_people(struct quarter *quarter, const uint64_t *seed,
                          const int8_t trait_shift[TRAIT_COUNT])
{
    for (uint32_t i = 0; i < quarter->count; i++) {
        struct resident *me = resident_at(quarter, i);
        if (seed) rng_init(&me->rng, *seed, quarter->first + i);
        for (int t = 0; t < TRAIT_COUNT; t++)
            me->trait[t] = (int8_t)MIN(MAX(me->trait[t] + trait_shift[t], -100), 100);
    }
}

static void change_feed(struct feed *feed, uint32_t slots)
{
    if (slots == feed->slots) return;
    struct wire_post *post = mem_alloc(sizeof(*post) * slots);
    uint32_t kept = MIN(MIN(slots, feed->slots), feed->head);
    for (uint32_t serial = feed->head - kept + 1; serial <= feed->head; serial++)
        post[serial % slots] = feed->post[serial % feed->slots];
    mem_free(feed->post);
    feed->post = post;
    feed->slots = slots;
}

void town_change(struct town *town, const struct town_settings *settings,
                 const int8_t trait_shift[TRAIT_COUNT])
{
    ASSERT(town_settings_fit(settings));
    const uint64_t *seed = settings->seed != town->settings.seed ? &settings->seed : NULL;
    for (uint32_t i = 0; i < town->quarters; i++) {
        struct quarter *quarter = &town->quarter[i];
        change_memories(quarter, settings->memory_slots);
        change_relations(quarter, settings->relation_slots);
        change_people(quarter, seed, trait_shift);
    }
    if (seed) sky_reseed(&town->sky, *seed);
    change_feed(&town->feed, settings->feed_slots);
    town->settings = *settings;
}
