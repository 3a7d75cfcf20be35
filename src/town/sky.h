/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/sky.h: season, weather and temperature, the same for a whole town.
 *
 * Looked at once an hour of game time, however fast the clock runs: with one
 * chance in ten another weather is drawn by the season's weights. Weights,
 * base temperatures and terms are those of the original; temperatures are in
 * thousandths of a degree, so that they are the same on every machine.
 */
#pragma once

#include "base/rng.h"
#include "town/gametime.h"

enum weather { SUNNY, CLOUDY, RAINY, STORMY, SNOWY, FOGGY, WEATHER_COUNT };
const char *weather_name(enum weather weather); /* "sunny" */

struct sky {
    struct rng rng;
    int32_t at; /* the hour it was last looked at, as its first minute */
    int32_t outdoor_mc, indoor_mc;
    uint8_t weather; /* enum weather */
    uint8_t pad[3];
};

/* Sunny, at that time. */
void sky_init(struct sky *sky, uint64_t seed, int32_t at);
/* The weather stays; what comes after it is drawn anew. */
void sky_reseed(struct sky *sky, uint64_t seed);
/* Once at the beginning of every hour. True: the weather has changed. */
bool sky_hour(struct sky *sky, int32_t at);
/* base(season) − |hour − 14| / 14 × 8 + term(weather), in thousandths of a degree Celsius. */
int32_t outdoor_mc(enum season season, int hour, enum weather weather);
/* The season's base, kept between 18 and 26 degrees. */
int32_t indoor_mc(enum season season);
/* Out of doors is no pleasure: rain, storm, snow, or below 5 or above 35 degrees. */
bool sky_is_rough(const struct sky *sky);
