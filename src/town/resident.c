/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/resident.h"

/*
 * Changes of needs a minute, in ten-thousandths.
 *
 * Fatigue: the original's 0.1 % a minute when active, 0.2 walking; asleep it has to fall as much in
 * 8 hours as it rises in 16 (the two processes of Borbély 1982, made linear), which its unused
 * constant of 1 % a minute would do in a hundred minutes. Hunger reaches the original's "hungry"
 * (50 %) five hours after a meal and grows at a third of that in sleep, so that one is hungry on
 * waking and not starved. Loneliness and boredom fill in one and a half to two days alone.
 */
static const int8_t rates[][NEED_COUNT] = {
    [EXERTION_SLEEP] = {[FATIGUE] = -20, [HUNGER] = 5, [LONELINESS] = 1, [BOREDOM] = -6},
    [EXERTION_REST] = {[FATIGUE] = -12, [HUNGER] = 14, [LONELINESS] = 5, [BOREDOM] = 5},
    [EXERTION_CALM] = {[FATIGUE] = 9, [HUNGER] = 16, [LONELINESS] = 5, [BOREDOM] = 6},
    [EXERTION_WORK] = {[FATIGUE] = 11, [HUNGER] = 17, [LONELINESS] = 4, [BOREDOM] = 9},
    [EXERTION_WALK] = {[FATIGUE] = 20, [HUNGER] = 20, [LONELINESS] = 4, [BOREDOM] = 0},
};
enum {
    DUTY_WAITS = 25,  /* in working hours, away from work */
    DUTY_DONE = -30,  /* at work */
    DUTY_FADES = -8,  /* the day is over */
    URGE_GROWS = 4,   /* something to tell about every other day, if nothing happens */
    HEALTH_MENDS = 2, /* with food and sleep: two days from half to whole */
    HEALTH_STARVED = -2,
    HEALTH_TIRED = -2,
    QUARTER = 15,
};

const char *need_name(enum need need)
{
    static const char *const names[NEED_COUNT] = {"fatigue", "hunger", "loneliness", "boredom",
                                                  "duty"};
    return names[need];
}

const char *emotion_name(enum emotion emotion)
{
    static const char *const names[EMOTION_COUNT] = {"happy",   "neutral", "sad",   "angry",
                                                     "anxious", "excited", "tired", "bored"};
    return names[emotion];
}

const char *plan_kind_name(enum plan_kind kind)
{
    static const char *const names[PLAN_KIND_COUNT] = {"breakfast", "work", "lunch", "dinner",
                                                       "free time", "meet", "bed"};
    return names[kind];
}

static uint16_t bounded(int value)
{
    return (uint16_t)MIN(MAX(value, 0), NEED_FULL);
}

void need_add(struct resident *resident, enum need need, int change)
{
    resident->need[need] = bounded(resident->need[need] + change);
}

void health_add(struct resident *resident, int change)
{
    resident->health = bounded(resident->health + change);
}

static void emotion_pass(struct resident *resident, int minutes)
{
    if (resident->emotion == NEUTRAL) return;
    int quarters = (minutes + QUARTER / 2) / QUARTER;
    if (quarters < resident->emotion_quarters) {
        resident->emotion_quarters = (uint8_t)(resident->emotion_quarters - quarters);
        return;
    }
    resident->emotion = NEUTRAL;
    resident->emotion_quarters = 0;
}

void body_pass(struct resident *resident, int32_t at, enum exertion exertion)
{
    ASSERT(at >= resident->since);
    int minutes = at - resident->since;
    if (minutes == 0) return;
    int duty = DUTY_FADES;
    if (exertion == EXERTION_WORK)
        duty = DUTY_DONE;
    else if (is_work_time(resident, resident->since))
        duty = DUTY_WAITS;
    for (int i = 0; i < DUTY; i++) need_add(resident, (enum need)i, rates[exertion][i] * minutes);
    need_add(resident, DUTY, duty * minutes);
    if (exertion != EXERTION_SLEEP) resident->urge = bounded(resident->urge + URGE_GROWS * minutes);

    bool starved = resident->need[HUNGER] >= STARVING, spent = resident->need[FATIGUE] >= EXHAUSTED;
    int health = starved || spent ? 0 : HEALTH_MENDS;
    if (starved) health += HEALTH_STARVED;
    if (spent) health += HEALTH_TIRED;
    health_add(resident, health * minutes);

    emotion_pass(resident, minutes);
    if (spent) feel(resident, TIRED_OUT, 2);
    resident->since = at;
}

void feel(struct resident *resident, enum emotion emotion, uint8_t quarters)
{
    if (emotion != resident->emotion && quarters < resident->emotion_quarters) return;
    resident->emotion = (uint8_t)emotion;
    resident->emotion_quarters = emotion == NEUTRAL ? 0 : quarters;
}

int emotion_valence(enum emotion emotion)
{
    /* After the circumplex of affect (Russell 1980), the pleasant axis alone. */
    static const int8_t valences[EMOTION_COUNT] = {80, 0, -70, -80, -60, 70, -20, -30};
    return valences[emotion];
}

bool is_work_time(const struct resident *resident, int32_t at)
{
    if (resident->work == UINT16_MAX || !(resident->work_days >> weekday_of(at) & 1)) return false;
    int now = minute_of_day(at);
    return now >= resident->work_from && now < resident->work_until;
}

bool is_bed_time(const struct resident *resident, int32_t at)
{
    int now = minute_of_day(at), bed = resident->bed_min % MINUTES_PER_DAY;
    if (bed < resident->wake_min) return now >= bed && now < resident->wake_min;
    return now >= bed || now < resident->wake_min;
}

const struct plan_step *plan_now(const struct resident *resident, int32_t at)
{
    int now = minute_of_day(at);
    for (int i = 0; i < resident->plan_count; i++) {
        const struct plan_step *step = &resident->plan[i];
        int past = now - step->from_min;
        if (past < 0) past += MINUTES_PER_DAY; /* plans of night workers cross midnight */
        if (past < step->quarters * QUARTER) return step;
    }
    return NULL;
}

void resident_check(const struct resident *resident)
{
    for (int i = 0; i < NEED_COUNT; i++) ASSERT(resident->need[i] <= NEED_FULL);
    ASSERT(resident->health <= NEED_FULL && resident->urge <= NEED_FULL);
    ASSERT(resident->emotion < EMOTION_COUNT && resident->job < JOB_COUNT);
    ASSERT(resident->plan_count <= PLAN_STEPS);
    ASSERT(resident->deed_until >= resident->deed_at && resident->since >= resident->deed_at);
    for (int i = 0; i < TRAIT_COUNT; i++)
        ASSERT(resident->trait[i] >= -100 && resident->trait[i] <= 100);
}
