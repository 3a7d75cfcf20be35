/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/gametime.h: the town's own clock.
 *
 * Time in a town is a count of whole minutes since day 1, 00:00. It has no
 * relation to the time outside: it goes on when somebody lets it. A variable
 * that holds such a time ends in `_min` or is called `at`; lengths of time are
 * called `minutes`. A year has 120 days, four seasons of thirty.
 */
#pragma once

#include "base/buf.h"

enum {
    MINUTES_PER_HOUR = 60,
    MINUTES_PER_DAY = 1440,
    DAYS_PER_SEASON = 30,
    /* Towns begin in the morning of their first day. */
    TOWN_START_MIN = 8 * MINUTES_PER_HOUR,
    /* No town lives longer than this: about 2,900 years of 120 days. */
    TOWN_END_MIN = 500 * 1000 * 1000,
};

enum season { SPRING, SUMMER, AUTUMN, WINTER, SEASON_COUNT };
/* 6–11, 12–13, 14–17, 18–21, 22–5. */
enum day_part { MORNING, NOON, AFTERNOON, EVENING, NIGHT, DAY_PART_COUNT };

/* 1 for the first day. */
static inline int32_t day_of(int32_t at)
{
    return at / MINUTES_PER_DAY + 1;
}
/* 0 to 1439. */
static inline int minute_of_day(int32_t at)
{
    return at % MINUTES_PER_DAY;
}
static inline int hour_of(int32_t at)
{
    return minute_of_day(at) / MINUTES_PER_HOUR;
}
/* 0 for Monday; day 1 is one. */
static inline int weekday_of(int32_t at)
{
    return (at / MINUTES_PER_DAY) % 7;
}

enum season season_of(int32_t at);
enum day_part day_part_of(int32_t at);
/* Until the clock next shows that minute of the day: 1 to 1440. */
int minutes_until(int32_t at, int minute_of_that_day);

/* Words of the original's interfaces: "spring", "morning". */
const char *season_name(enum season season);
const char *day_part_name(enum day_part part);
/* "Day 3, 08:05". */
void game_time_write(struct buf *buf, int32_t at);
/* "08:05". */
void game_clock_write(struct buf *buf, int32_t at);
