/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/resident.h: one resident: character, body, mood and what it is doing.
 *
 * Plain data without pointers, so that a million fit into memory and a
 * checkpoint is a copy. What belongs to a resident and comes in numbers
 * (relations, memories, things it carries) stands beside it in its quarter.
 *
 * Needs are whole numbers from 0, nothing wanted, to NEED_FULL, nothing else
 * matters; that is a hundred to one of the original's percent. They grow with
 * time at a rate that depends on what one does, and are brought up to date when
 * somebody looks (body_pass), so that a resident that sleeps costs nothing.
 */
#pragma once

#include "base/rng.h"
#include "town/gametime.h"

#define NOBODY UINT32_MAX

enum need {
    FATIGUE,    /* 16 hours awake fill it, eight of sleep empty it */
    HUNGER,     /* a meal every five hours or so */
    LONELINESS, /* wants company */
    BOREDOM,    /* wants something pleasant */
    DUTY,       /* work that waits */
    NEED_COUNT
};
const char *need_name(enum need need); /* "fatigue" */

enum {
    NEED_FULL = 10000,
    NEED_PERCENT = NEED_FULL / 100,
    /* The original's thresholds. */
    TIRED = 60 * NEED_PERCENT,
    SLEEPY = 70 * NEED_PERCENT,
    EXHAUSTED = 85 * NEED_PERCENT,
    HUNGRY = 50 * NEED_PERCENT,
    STARVING = 80 * NEED_PERCENT,
    UNWELL = 50 * NEED_PERCENT, /* health below it wants rest */
};

enum emotion { HAPPY, NEUTRAL, SAD, ANGRY, ANXIOUS, EXCITED, TIRED_OUT, BORED, EMOTION_COUNT };
const char *emotion_name(enum emotion emotion); /* "happy" … "tired", "bored" */

/* The five factors (Costa & McCrae 1992), -100 to 100. */
enum trait { OPENNESS, CONSCIENTIOUSNESS, EXTRAVERSION, AGREEABLENESS, NEUROTICISM, TRAIT_COUNT };

/* What somebody earns a living with; decides hours and the kind of workplace. */
enum job_kind {
    JOB_NONE,
    JOB_OFFICE,
    JOB_SHOP,
    JOB_CAFE,
    JOB_TEACHER,
    JOB_STUDENT,
    JOB_DOCTOR,
    JOB_CLERK,
    JOB_ARTIST,
    JOB_RETIRED,
    JOB_COUNT
};

/* A step of the day's plan. */
enum plan_kind {
    PLAN_BREAKFAST,
    PLAN_WORK,
    PLAN_LUNCH,
    PLAN_DINNER,
    PLAN_FREE,
    PLAN_MEET, /* somebody in particular */
    PLAN_BED,
    PLAN_KIND_COUNT
};
const char *plan_kind_name(enum plan_kind kind);

enum { PLAN_STEPS = 8 };
struct plan_step {
    uint16_t from_min; /* of the day */
    uint8_t kind;      /* enum plan_kind */
    uint8_t quarters;  /* how long, in quarters of an hour */
};

struct resident {
    struct rng rng;     /* its own stream: what others do never moves its dice */
    int32_t since;      /* the minute its needs are of */
    int32_t deed_at;    /* what it does now: since when … */
    int32_t deed_until; /* … and until when */
    int32_t woke_at;
    uint32_t deed_seq;   /* the agenda's item for the end of it; 0: idle */
    uint32_t deed_who;   /* with or to whom; NOBODY */
    uint32_t deed_ref;   /* which post */
    uint32_t feed_seen;  /* newest post it has looked at */
    uint32_t plan_who;   /* whom it means to meet today; NOBODY */
    uint16_t place;      /* where it is; NOWHERE: on the way */
    uint16_t seat;       /* and on which seat */
    uint16_t near;       /* at whose door it stands, or where it sets out from */
    uint16_t deed_place; /* where it is going */
    uint16_t home, work; /* places; `work` may be NOWHERE */
    uint16_t need[NEED_COUNT];
    uint16_t health;            /* 0 to NEED_FULL, high is well */
    uint16_t urge;              /* to tell the world something, 0 to NEED_FULL */
    uint16_t stirred;           /* importance of what happened since it last reflected */
    uint16_t unread;            /* messages on its phone */
    uint16_t wake_min, bed_min; /* its habit, minutes of the day; bed may be past midnight */
    uint16_t work_from, work_until;
    uint16_t days_lived;
    struct plan_step plan[PLAN_STEPS];
    int8_t trait[TRAIT_COUNT];
    uint8_t deed;             /* enum deed: what it does now */
    uint8_t deed_why;         /* enum reason */
    uint8_t emotion;          /* enum emotion */
    uint8_t emotion_quarters; /* of an hour until it fades */
    uint8_t age, gender, job;
    uint8_t plan_count;
    uint8_t work_days; /* a bit a weekday, 1 for Monday */
    uint8_t posts_today, messages_today, talks_today, meals_today, browsed_today;
    uint8_t relations, memories, things; /* how many of each it has */
    uint8_t asking;                      /* a model has been asked what to do next */
    uint8_t asks_today;
    uint8_t before;     /* enum deed: what it did before this */
    uint8_t gone;       /* it has moved out: idle and nowhere until it comes back */
    uint8_t buzzed;     /* its phone has, and it could not look: it does when this deed is over */
    uint8_t planning;   /* a model has been asked for the plan of its day */
    uint8_t plan_model; /* … and has made it */
    uint8_t pad[3];
    uint32_t asked; /* that question's number */
};
static_assert(sizeof(struct resident) == 160, "no padding: checkpoints are hashed as they stand");

/* How bodies change: what somebody does decides the rates (body_pass). */
enum exertion { EXERTION_SLEEP, EXERTION_REST, EXERTION_CALM, EXERTION_WORK, EXERTION_WALK };

/*
 * Bring needs, health and emotion up to minute `at`. `exertion`: of what it did since. Duty grows
 * only within working hours away from work.
 */
void body_pass(struct resident *resident, int32_t at, enum exertion exertion);
/* Change a need and keep it in its range. */
void need_add(struct resident *resident, enum need need, int change);
void health_add(struct resident *resident, int change);

/* Something that moves it, for so many quarters of an hour; a stronger feeling is not displaced by
 * a weaker of less time left. */
void feel(struct resident *resident, enum emotion emotion, uint8_t quarters);
/* -100 to 100: how pleasant the emotion is. */
int emotion_valence(enum emotion emotion);

/* Its working hours on that day; false: it does not work then. */
bool is_work_time(const struct resident *resident, int32_t at);
/* Between its bedtime and its hour of rising. */
bool is_bed_time(const struct resident *resident, int32_t at);
/* The step of the plan that holds now, or NULL. */
const struct plan_step *plan_now(const struct resident *resident, int32_t at);

void resident_check(const struct resident *resident);
