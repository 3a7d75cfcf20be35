/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/sky.h"

enum {
    CHANGE_IN = 10, /* one chance in ten an hour */
    DEGREE = 1000,
    COLD_MC = 5 * DEGREE,
    HOT_MC = 35 * DEGREE,
};

/* Per cent; they need not add up, the draw is in proportion. */
static const uint8_t weights[SEASON_COUNT][WEATHER_COUNT] = {
    [SPRING] = {[SUNNY] = 40, [CLOUDY] = 30, [RAINY] = 25, [STORMY] = 5, [FOGGY] = 10},
    [SUMMER] = {[SUNNY] = 50, [CLOUDY] = 30, [RAINY] = 15, [STORMY] = 10, [FOGGY] = 10},
    [AUTUMN] = {[SUNNY] = 40, [CLOUDY] = 35, [RAINY] = 15, [STORMY] = 5, [FOGGY] = 20},
    [WINTER] =
        {[SUNNY] = 20, [CLOUDY] = 40, [RAINY] = 15, [STORMY] = 5, [SNOWY] = 20, [FOGGY] = 10},
};
static const int8_t bases[SEASON_COUNT] = {18, 28, 15, 5};
static const int8_t terms[WEATHER_COUNT] = {2, 0, -3, -5, -8, -2};

const char *weather_name(enum weather weather)
{
    static const char *const names[WEATHER_COUNT] = {"sunny",  "cloudy", "rainy",
                                                     "stormy", "snowy",  "foggy"};
    return names[weather];
}

int32_t outdoor_mc(enum season season, int hour, enum weather weather)
{
    int32_t off = hour > 14 ? hour - 14 : 14 - hour;
    int32_t cooler = (off * 8 * DEGREE + 7) / 14; /* rounded */
    return bases[season] * DEGREE - cooler + terms[weather] * DEGREE;
}

int32_t indoor_mc(enum season season)
{
    return MIN(MAX(bases[season], 18), 26) * DEGREE;
}

static void measure(struct sky *sky, int32_t at)
{
    sky->at = at - at % MINUTES_PER_HOUR;
    sky->outdoor_mc = outdoor_mc(season_of(at), hour_of(at), (enum weather)sky->weather);
    sky->indoor_mc = indoor_mc(season_of(at));
}

void sky_init(struct sky *sky, uint64_t seed, int32_t at)
{
    *sky = (struct sky){.weather = SUNNY};
    rng_init(&sky->rng, seed, UINT64_MAX); /* a stream that no resident has */
    measure(sky, at);
}

void sky_reseed(struct sky *sky, uint64_t seed)
{
    rng_init(&sky->rng, seed, UINT64_MAX);
}

static enum weather draw(struct rng *rng, enum season season)
{
    uint32_t sum = 0;
    for (int i = 0; i < WEATHER_COUNT; i++) sum += weights[season][i];
    uint32_t drawn = rng_below(rng, sum);
    int weather = 0;
    while (drawn >= weights[season][weather]) drawn -= weights[season][weather++];
    return (enum weather)weather;
}

bool sky_hour(struct sky *sky, int32_t at)
{
    uint8_t before = sky->weather;
    if (rng_below(&sky->rng, CHANGE_IN) == 0)
        sky->weather = (uint8_t)draw(&sky->rng, season_of(at));
    measure(sky, at);
    return sky->weather != before;
}

bool sky_is_rough(const struct sky *sky)
{
    return sky->weather == RAINY || sky->weather == STORMY || sky->weather == SNOWY ||
           sky->outdoor_mc < COLD_MC || sky->outdoor_mc > HOT_MC;
}
