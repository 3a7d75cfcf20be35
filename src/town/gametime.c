/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/gametime.h"

enum season season_of(int32_t at)
{
    return (enum season)(at / MINUTES_PER_DAY / DAYS_PER_SEASON % SEASON_COUNT);
}

enum day_part day_part_of(int32_t at)
{
    int hour = hour_of(at);
    if (hour < 6 || hour >= 22) return NIGHT;
    if (hour < 12) return MORNING;
    if (hour < 14) return NOON;
    return hour < 18 ? AFTERNOON : EVENING;
}

int minutes_until(int32_t at, int minute_of_that_day)
{
    ASSERT(minute_of_that_day >= 0 && minute_of_that_day < MINUTES_PER_DAY);
    int left = minute_of_that_day - minute_of_day(at);
    return left > 0 ? left : left + MINUTES_PER_DAY;
}

const char *season_name(enum season season)
{
    static const char *const names[SEASON_COUNT] = {"spring", "summer", "autumn", "winter"};
    return names[season];
}

const char *day_part_name(enum day_part part)
{
    static const char *const names[DAY_PART_COUNT] = {"morning", "noon", "afternoon", "evening",
                                                      "night"};
    return names[part];
}

void game_time_write(struct buf *buf, int32_t at)
{
    buf_printf(buf, "Day %d, ", (int)day_of(at));
    game_clock_write(buf, at);
}

void game_clock_write(struct buf *buf, int32_t at)
{
    buf_printf(buf, "%02d:%02d", hour_of(at), minute_of_day(at) % MINUTES_PER_HOUR);
}
