/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/populate.h"

#include "base/mem.h"

enum {
    BLOCK_UNITS = 12,  /* between the corners of neighbouring places */
    HOUSEHOLD_MAX = 4, /* 1 to 4, two and a half on average */
    GUESTS = 3,
    HOUR = MINUTES_PER_HOUR,
};

/* Places a quarter has, one for so many residents; at least one of each. */
static const struct kind_plan {
    uint16_t residents_each;
    uint16_t seats;
    uint8_t kind, indoor;
    uint8_t open_hour, close_hour;
    uint8_t units; /* a side's length */
} kind_plans[] = {
    {25, 40, PLACE_WORKPLACE, 1, 6, 22, 10},    {50, 60, PLACE_COMMERCIAL, 1, 6, 24, 9},
    {300, 160, PLACE_EDUCATION, 1, 7, 20, 10},  {250, 300, PLACE_PUBLIC, 0, 0, 24, 11},
    {250, 300, PLACE_RECREATION, 0, 0, 24, 11}, {1000, 80, PLACE_MEDICAL, 1, 0, 24, 10},
    {1000, 60, PLACE_GOVERNMENT, 1, 8, 18, 10},
};

enum place_kind job_place(enum job_kind job)
{
    switch (job) {
    case JOB_SHOP:
    case JOB_CAFE: return PLACE_COMMERCIAL;
    case JOB_TEACHER:
    case JOB_STUDENT: return PLACE_EDUCATION;
    case JOB_DOCTOR: return PLACE_MEDICAL;
    case JOB_CLERK: return PLACE_GOVERNMENT;
    case JOB_ARTIST: return PLACE_RESIDENTIAL;
    case JOB_NONE:
    case JOB_OFFICE:
    case JOB_RETIRED:
    case JOB_COUNT: break;
    }
    return PLACE_WORKPLACE;
}

/* About normal, mean 0: three dice. */
static int8_t draw_trait(struct rng *rng)
{
    int sum = 0;
    for (int i = 0; i < 3; i++) sum += (int)rng_below(rng, 67) - 33;
    return (int8_t)sum;
}

static enum job_kind draw_job(struct rng *rng, uint8_t age)
{
    if (age < 23) return JOB_STUDENT;
    if (age >= 65) return JOB_RETIRED;
    static const uint8_t shares[JOB_COUNT] = {
        [JOB_NONE] = 8,    [JOB_OFFICE] = 52, [JOB_SHOP] = 12, [JOB_CAFE] = 9,
        [JOB_TEACHER] = 6, [JOB_DOCTOR] = 4,  [JOB_CLERK] = 4, [JOB_ARTIST] = 5};
    int drawn = (int)rng_below(rng, 100), job = 0;
    while (drawn >= shares[job]) drawn -= shares[job++];
    return (enum job_kind)job;
}

static void draw_hours(struct rng *rng, struct resident_draft *draft)
{
    int early = (int)rng_below(rng, 61) - 30;
    switch ((enum job_kind)draft->job) {
    case JOB_STUDENT:
    case JOB_TEACHER: draft->work_from = 8 * HOUR, draft->work_until = 16 * HOUR; break;
    case JOB_SHOP: draft->work_from = 10 * HOUR, draft->work_until = 19 * HOUR; break;
    case JOB_CAFE: draft->work_from = 8 * HOUR, draft->work_until = 17 * HOUR; break;
    case JOB_ARTIST: draft->work_from = 10 * HOUR, draft->work_until = 17 * HOUR; break;
    case JOB_OFFICE:
    case JOB_DOCTOR:
    case JOB_CLERK: draft->work_from = 9 * HOUR, draft->work_until = 18 * HOUR; break;
    case JOB_NONE:
    case JOB_RETIRED:
    case JOB_COUNT: break;
    }
    bool works = draft->work_until > 0;
    int wake = works ? draft->work_from - 105 + early / 2 : 7 * HOUR + 30 + early * 2;
    draft->wake_min = (uint16_t)wake;
    draft->bed_min =
        (uint16_t)((wake + 16 * HOUR + (int)rng_below(rng, 41) - 20) % MINUTES_PER_DAY);
    if (!works) return;
    bool weekends = draft->job == JOB_SHOP || draft->job == JOB_CAFE || draft->job == JOB_DOCTOR;
    uint32_t off = weekends ? rng_below(rng, 7) : 5; /* who serves others is off on other days */
    draft->work_days = (uint8_t)(0x7fU & ~(1U << off) & ~(1U << (off + 1) % 7));
}

struct resident_draft resident_draw(struct rng *rng, uint8_t age, enum job_kind job)
{
    struct resident_draft draft = {.home = NOWHERE, .work = NOWHERE};
    draft.age = age ? age : (uint8_t)(16 + rng_below(rng, 65));
    draft.gender = (uint8_t)rng_below(rng, 2);
    draft.job = (uint8_t)(job == JOB_COUNT ? draw_job(rng, draft.age) : job);
    for (int i = 0; i < TRAIT_COUNT; i++) draft.trait[i] = draw_trait(rng);
    draw_hours(rng, &draft);
    return draft;
}

/* --- a quarter --- */

struct site {
    struct place *places;
    uint32_t count, columns;
};

static struct place *build(struct site *site, enum place_kind kind, uint16_t seats, int units)
{
    struct place *place = &site->places[site->count];
    *place = (struct place){
        .id = site->count,
        .x = (int32_t)(site->count % site->columns) * BLOCK_UNITS * UNIT,
        .y = (int32_t)(site->count / site->columns) * BLOCK_UNITS * UNIT,
        .width = units * UNIT,
        .height = units * UNIT,
        .seats = seats,
        .open_min = 0,
        .close_min = MINUTES_PER_DAY,
        .kind = (uint8_t)kind,
        .indoor = 1,
    };
    site->count++;
    return place;
}

static void shuffle(struct rng *rng, struct place *places, uint32_t count)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = rng_below(rng, i + 1);
        struct place swap = places[i];
        places[i].x = places[j].x, places[i].y = places[j].y;
        places[j].x = swap.x, places[j].y = swap.y;
    }
}

/* One of a kind with a seat left for a worker; NOWHERE: none in so many tries. */
static uint16_t find_work(struct rng *rng, const struct place *places, uint32_t count,
                          enum place_kind kind, uint16_t *taken)
{
    uint32_t first = 0;
    while (first < count && places[first].kind != kind) first++;
    uint32_t last = first;
    while (last < count && places[last].kind == kind) last++;
    if (first == last) return NOWHERE;
    for (int tries = 0; tries < 8; tries++) {
        uint32_t at = first + rng_below(rng, last - first);
        if (taken[at] >= places[at].seats * 3 / 4) continue;
        taken[at]++;
        return (uint16_t)at;
    }
    return NOWHERE;
}

static void quarter_draw(struct rng *rng, uint32_t residents, struct place *places,
                         struct resident_draft *drafts, struct quarter_draft *out)
{
    struct site site = {places, 0, 1};
    while (site.columns * site.columns < residents) site.columns++;
    for (size_t k = 0; k < COUNT_OF(kind_plans); k++) {
        const struct kind_plan *plan = &kind_plans[k];
        uint32_t wanted = MAX((residents + plan->residents_each / 2) / plan->residents_each, 1U);
        for (uint32_t i = 0; i < wanted; i++) {
            struct place *place =
                build(&site, (enum place_kind)plan->kind, plan->seats, plan->units);
            place->indoor = plan->indoor;
            place->open_min = (uint16_t)(plan->open_hour * HOUR);
            place->close_min = (uint16_t)(plan->close_hour * HOUR);
        }
    }
    uint16_t *taken = mem_alloc(sizeof(*taken) * (site.count + residents));
    for (uint32_t at = 0; at < residents;) {
        uint32_t household = 1 + rng_below(rng, HOUSEHOLD_MAX);
        household = MIN(household, residents - at);
        uint16_t home = (uint16_t)site.count;
        build(&site, PLACE_RESIDENTIAL, (uint16_t)(household + GUESTS), 8);
        for (uint32_t i = 0; i < household; i++, at++) {
            drafts[at] = resident_draw(rng, 0, JOB_COUNT);
            drafts[at].home = home;
            if (drafts[at].work_until == 0) continue;
            enum place_kind kind = job_place((enum job_kind)drafts[at].job);
            drafts[at].work =
                kind == PLACE_RESIDENTIAL ? home : find_work(rng, places, site.count, kind, taken);
        }
    }
    mem_free(taken);
    shuffle(rng, places, site.count);
    *out = (struct quarter_draft){places, site.count, drafts, residents};
}

static void shift_traits(struct resident_draft *draft, const int8_t mean[TRAIT_COUNT])
{
    for (int i = 0; i < TRAIT_COUNT; i++)
        draft->trait[i] = (int8_t)MIN(MAX(draft->trait[i] + mean[i], -100), 100);
}

struct town *town_found(const struct town_settings *settings, uint32_t residents)
{
    static const int8_t as_drawn[TRAIT_COUNT];
    return town_found_as(settings, residents, as_drawn);
}

struct town *town_found_as(const struct town_settings *settings, uint32_t residents,
                           const int8_t trait_mean[TRAIT_COUNT])
{
    ASSERT(residents > 0 && residents <= TOWN_RESIDENTS_MAX);
    struct rng rng;
    rng_init(&rng, settings->seed, UINT64_MAX - 1);
    uint32_t count = (residents + QUARTER_SIZE - 1) / QUARTER_SIZE;
    struct quarter_draft *quarters = mem_alloc(sizeof(*quarters) * count);
    struct resident_draft *drafts = mem_alloc(sizeof(*drafts) * residents);
    uint32_t each = 2 * QUARTER_SIZE + 64; /* more places than any quarter has */
    struct place *places = mem_alloc(sizeof(*places) * each * count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t here = MIN(residents - i * QUARTER_SIZE, (uint32_t)QUARTER_SIZE);
        quarter_draw(&rng, here, places + (size_t)each * i, drafts + (size_t)i * QUARTER_SIZE,
                     &quarters[i]);
    }
    for (uint32_t i = 0; i < residents; i++) shift_traits(&drafts[i], trait_mean);
    struct town *town = town_new(settings, quarters, count);
    mem_free(places);
    mem_free(drafts);
    mem_free(quarters);
    return town;
}
