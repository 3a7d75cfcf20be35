/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/clock.h"
#include "base/rng.h"

static const int64_t first_s = INT64_C(-62167219200); /* 0000-01-01 */
static const int64_t last_s = INT64_C(253402300799);  /* 9999-12-31T23:59:59 */

static int64_t random_s(struct rng *rng)
{
    uint64_t wide = (uint64_t)rng_u32(rng) << 32 | rng_u32(rng);
    return first_s + (int64_t)(wide % (uint64_t)(last_s - first_s + 1));
}

static void known_moments_are_written_rightly(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_us;
        const char *iso, *http;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {1, "1970-01-01T00:00:00.000001Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {INT64_C(784111777000000), "1994-11-06T08:49:37.000000Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {INT64_C(1795231402123456), "2026-11-21T03:23:22.123456Z", "Sat, 21 Nov 2026 03:23:22 GMT"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z", "Tue, 29 Feb 2000 00:00:00 GMT"},
        {INT64_C(4107542399999999), "2100-02-28T23:59:59.999999Z", "Sun, 28 Feb 2100 23:59:59 GMT"},
        {INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z", "Mon, 01 Mar 2100 00:00:00 GMT"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char iso[CLOCK_ISO_BYTES], http[CLOCK_HTTP_BYTES];
        clock_iso(cases[i].wall_us, iso);
        assert_string_equal(iso, cases[i].iso);
        clock_http(cases[i].wall_us, http);
        assert_string_equal(http, cases[i].http);
        clock_iso_short(cases[i].wall_us, iso);
        assert_int_equal(strlen(iso), 19);
        assert_memory_equal(iso, cases[i].iso, 19);
    }
    /* Before 1970 the fraction still counts upwards. */
    char iso[CLOCK_ISO_BYTES];
    clock_iso(-1, iso);
    assert_string_equal(iso, "1969-12-31T23:59:59.999999Z");
}

static void calendar_agrees_with_the_c_library(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1582, 1);
    for (int i = 0; i < 200000; i++) {
        /* Random moments, and both sides of every day's border around now. */
        int64_t wall_s =
            i < 150000 ? random_s(&rng) : (int64_t)(i - 150000 + 10000) / 2 * 86400 - i % 2;
        char iso[CLOCK_ISO_BYTES], expected[80];
        time_t seconds = (time_t)wall_s;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        clock_iso_short(wall_s * 1000000, iso);
        assert_string_equal(iso, expected);
        clock_iso_short(wall_s * 1000000 + 999999, iso);
        assert_string_equal(iso, expected);
    }
}

static void http_dates_go_there_and_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9110, 1);
    for (int i = 0; i < 100000; i++) {
        int64_t wall_s = random_s(&rng), back = 0;
        char text[CLOCK_HTTP_BYTES];
        clock_http(wall_s * 1000000, text);
        assert_true(clock_http_parse(str_of(text), &back));
        assert_true(back == wall_s);
    }
}

static void other_dates_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Sat, 21 Nov 2026 03:23:22",
        "Sat, 21 Nov 2026 03:23:22 gmt",
        "Sat, 21 Nov 2026 03:23:22 UTC",
        "Sat, 21 Nov 2026 03:23:22 GMT ",
        "Fri, 21 Nov 2026 03:23:22 GMT", /* it was a Saturday */
        "sat, 21 Nov 2026 03:23:22 GMT",
        "Sat, 21 nov 2026 03:23:22 GMT",
        "Sat, 21 ovD 2026 03:23:22 GMT",
        "Sat, 21 Nov 2026 24:00:00 GMT",
        "Sat, 21 Nov 2026 03:60:22 GMT",
        "Sat, 21 Nov 2026 03:23:61 GMT",
        "Sat, 00 Nov 2026 03:23:22 GMT",
        "Mon, 30 Feb 2026 03:23:22 GMT",
        "Sat, 21xNov 2026 03:23:22 GMT",
        "Sat, 21 Nov-2026 03:23:22 GMT",
        "Sat, 21 Nov 2026 03x23x22 GMT",
        "Sat; 21 Nov 2026 03:23:22 GMT",
        "Sat,  1 Nov 2026 03:23:22 GMT",
        "Sat, -1 Nov 2026 03:23:22 GMT",
        "Saturday, 21-Nov-26 03:23:22 GMT",
        "Sat Nov 21 03:23:22 2026     ",
        "2026-11-21T03:23:22.123456Z  ",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int64_t untouched = 7;
        if (clock_http_parse(str_of(texts[i]), &untouched)) fail_msg("taken: %s", texts[i]);
        assert_true(untouched == 7);
    }
}

static void clocks_tell_the_time(void **state)
{
    (void)state;
    int64_t wall_us = clock_wall_us();
    int64_t by_library = (int64_t)time(NULL);
    assert_in_range(wall_us / 1000000 - by_library + 5, 0, 10);
    int64_t before = clock_mono_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_us();
        assert_true(now >= before);
        before = now;
    }
}

static void local_time_is_that_of_the_zone(void **state)
{
    (void)state;
    /* A zone is looked up once in a quarter of an hour, so each has one of its own. */
    static const struct {
        const char *zone, *text;
        int64_t wall_us;
    } cases[] = {
        {"UTC0", "2026-11-21T03:23:22.123456", INT64_C(1795231402123456)},
        {"CST-8", "2026-11-21T11:38:22.000000", INT64_C(1795232302000000)},
        {"CST-8", "2026-11-21T11:38:22.999999", INT64_C(1795232302999999)},
        {"EST5", "2026-11-20T22:53:22.100001", INT64_C(1795233202100001)},
        {"<+0545>-5:45", "2026-11-21T09:53:22.000000", INT64_C(1795234102000000)},
        /* The hour that summer time ends in comes twice. */
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T02:59:59.999999", INT64_C(1792889999999999)},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T02:00:00.000000", INT64_C(1792890000000000)},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char to[CLOCK_ISO_BYTES];
        setenv("TZ", cases[i].zone, 1);
        tzset();
        clock_iso_local(cases[i].wall_us, to);
        assert_string_equal(to, cases[i].text);
    }
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_moments_are_written_rightly),
        cmocka_unit_test(calendar_agrees_with_the_c_library),
        cmocka_unit_test(http_dates_go_there_and_back),
        cmocka_unit_test(other_dates_are_refused),
        cmocka_unit_test(clocks_tell_the_time),
        cmocka_unit_test(local_time_is_that_of_the_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
