/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "townhall/routine.h"

enum { NO = ROUTINE_UNSAID };

static void clock_times_beside_words_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct routine routine;
    } cases[] = {
        {"7:00 起床", {420, NO, NO, NO}},
        {"7:00 起床\n9:00-18:00 工作\n23:30 睡觉", {420, 1410, 540, 1080}},
        {"早上七点起床", {NO, NO, NO, NO}},
        {"6点半起床，8点上班，17点下班，晚上10点半睡", {390, 1350, 480, 1020}},
        {"07：15 起床", {435, NO, NO, NO}},
        {"morning: gets up at 6:30 am, works 9am - 5pm, to bed at 10:30 PM",
         {390, 1350, 540, 1020}},
        {"wake_up: 05:45\nsleep: 22:00\nwork_start: 8:00\nwork_end: 16:00", {345, 1320, 480, 960}},
        {"23:00-7:00 睡觉", {420, 1380, NO, NO}},
        {"13:00 午睡\n12:30 nap", {NO, NO, NO, NO}},
        {"homework 17:00", {NO, NO, NO, NO}},
        {"99:99 起床, 7:75 起床, 7 起床", {NO, NO, NO, NO}},
        {"7:00 起床\n8:00 起床", {420, NO, NO, NO}},
        {"123456789012345678901234567890:00 work", {NO, NO, NO, NO}},
        {"", {NO, NO, NO, NO}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct routine got = routine_read(str_of(cases[i].text)), want = cases[i].routine;
        bool same = got.wake == want.wake && got.bed == want.bed &&
                    got.work_from == want.work_from && got.work_until == want.work_until;
        if (!same) {
            fail_msg("%s: %d %d %d %d", cases[i].text, got.wake, got.bed, got.work_from,
                     got.work_until);
        }
    }
}

static const struct resident_draft drawn = {
    .wake_min = 435, .bed_min = 1400, .work_from = 540, .work_until = 1080, .work_days = 0x1f};

static struct resident_draft applied(struct routine routine, struct resident_draft draft)
{
    routine_apply(&routine, &draft);
    return draft;
}

static void what_was_said_takes_the_place_of_what_was_drawn(void **state)
{
    (void)state;
    struct resident_draft draft = applied((struct routine){390, 1350, 480, 1020}, drawn);
    assert_int_equal(draft.wake_min, 390);
    assert_int_equal(draft.bed_min, 1350);
    assert_int_equal(draft.work_from, 480);
    assert_int_equal(draft.work_until, 1020);
    draft = applied((struct routine){NO, 30, NO, NO}, drawn);
    assert_int_equal(draft.bed_min, 30);
    assert_int_equal(draft.wake_min, drawn.wake_min);
    struct resident_draft idle = drawn;
    idle.work_from = idle.work_until = idle.work_days = 0;
    draft = applied((struct routine){NO, NO, 600, 960}, idle);
    assert_int_equal(draft.work_days, 0x1f);
}

static void a_day_nobody_can_live_stays_as_it_was_drawn(void **state)
{
    (void)state;
    static const struct routine cases[] = {
        {60, NO, NO, NO},   {800, NO, NO, NO},   {NO, 720, NO, NO},
        {420, 239, NO, NO}, {NO, NO, 1080, 540}, {NO, NO, 300, 600},
        {NO, NO, 540, 560}, {NO, NO, NO, 1439},  {NO, NO, NO, NO},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resident_draft draft = applied(cases[i], drawn);
        assert_memory_equal(&draft, &drawn, sizeof(draft));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_times_beside_words_are_understood),
        cmocka_unit_test(what_was_said_takes_the_place_of_what_was_drawn),
        cmocka_unit_test(a_day_nobody_can_live_stays_as_it_was_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
