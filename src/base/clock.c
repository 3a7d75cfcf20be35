/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/clock.h"

static int64_t now_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

/* Civil date from days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"): plain arithmetic, no time zones to look at, and every answer prints several. */
static void civil(int64_t days, int *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int)(year_of_era + era * 400) + (*month <= 2);
}

static char *two(char *to, unsigned value)
{
    to[0] = (char)('0' + value / 10 % 10);
    to[1] = (char)('0' + value % 10);
    return to + 2;
}

void clock_iso_short(int64_t wall_us, char to[CLOCK_ISO_BYTES])
{
    int64_t seconds = wall_us / 1000000 - (wall_us % 1000000 < 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    unsigned of_day = (unsigned)(seconds - days * 86400);
    int year;
    unsigned month, day;
    civil(days, &year, &month, &day);
    ASSERT(year >= 0 && year <= 9999);
    char *at = two(two(to, (unsigned)year / 100), (unsigned)year % 100);
    *at++ = '-';
    at = two(at, month);
    *at++ = '-';
    at = two(at, day);
    *at++ = 'T';
    at = two(at, of_day / 3600);
    *at++ = ':';
    at = two(at, of_day / 60 % 60);
    *at++ = ':';
    at = two(at, of_day % 60);
    *at = '\0';
}

void clock_iso(int64_t wall_us, char to[CLOCK_ISO_BYTES])
{
    clock_iso_short(wall_us, to);
    int64_t fraction = wall_us % 1000000;
    if (fraction < 0) fraction += 1000000;
    unsigned us = (unsigned)fraction;
    char *at = to + 19;
    *at++ = '.';
    at = two(two(two(at, us / 10000), us / 100), us);
    *at++ = 'Z';
    *at = '\0';
}

/* Seconds east of Greenwich. Zones change theirs on quarters of an hour, and to look one up costs
 * as much as all the rest of an answer. */
static int64_t offset_here(int64_t wall_s)
{
    enum { QUARTER_S = 900 };
    static _Thread_local struct {
        int64_t quarter, offset_s;
    } last = {.quarter = -1};
    if (wall_s / QUARTER_S != last.quarter) {
        time_t seconds = (time_t)wall_s;
        struct tm tm;
        localtime_r(&seconds, &tm);
        last.offset_s = tm.tm_gmtoff;
        last.quarter = wall_s / QUARTER_S;
    }
    return last.offset_s;
}

void clock_iso_local(int64_t wall_us, char to[CLOCK_ISO_BYTES])
{
    clock_iso(wall_us + offset_here(wall_us / 1000000) * 1000000, to);
    to[strlen(to) - 1] = '\0'; /* without the 'Z' */
}

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void clock_http(int64_t wall_us, char to[CLOCK_HTTP_BYTES])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(to, CLOCK_HTTP_BYTES, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             day_names + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, month_names + 3 * tm.tm_mon,
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static bool number(struct str text, size_t at, size_t len, int *value_out)
{
    uint64_t value;
    if (!str_to_u64(str_head(str_from(text, at), len), &value)) return false;
    *value_out = (int)value;
    return true;
}

bool clock_http_parse(struct str text, int64_t *wall_s_out)
{
    struct tm tm = {0};
    if (text.len != 29) return false;
    size_t month = str_find(str_of(month_names), str_head(str_from(text, 8), 3));
    if (month >= 36 || month % 3 != 0) return false;
    if (!number(text, 5, 2, &tm.tm_mday) || !number(text, 12, 4, &tm.tm_year) ||
        !number(text, 17, 2, &tm.tm_hour) || !number(text, 20, 2, &tm.tm_min) ||
        !number(text, 23, 2, &tm.tm_sec)) {
        return false;
    }
    tm.tm_mon = (int)month / 3;
    tm.tm_year -= 1900;
    int64_t wall_s = timegm(&tm);
    /* Whatever we would not have written ourselves is not of this form: a 30th of February, the
     * wrong day of the week, an 'x' for a blank. */
    char again[CLOCK_HTTP_BYTES];
    clock_http(wall_s * 1000000, again);
    if (!str_eq(text, str_of(again))) return false;
    *wall_s_out = wall_s;
    return true;
}
