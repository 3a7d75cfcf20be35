/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/study.h: a town without a community, run from its first morning for so
 * many days, and what was seen of it.
 *
 * Everything but the times is a function of the plan, and of what models answered
 * where they decide: two studies with the same plan are equal, on any machine and with
 * any number of threads. A day here is 24
 * hours from where it begins, 08:00 for a town that is founded; hours of the day are
 * those of the clock.
 *
 * A study holds figures and no town; it is plain data, freed in one go.
 */
#pragma once

#include "base/json.h"
#include "townhall/minds.h"
#include "townhall/needs.h"

enum {
    STUDY_DAYS_MAX = 36500,
    STUDY_AUDIENCE_MAX = 10000,
    STUDY_TIE_BOND = 30, /* a bond above it is a tie */
    STUDY_DEGREE_MAX = MEMORY_SLOTS_MAX,
    STUDY_CASCADE_MAX = 256, /* posts with as many reactions or more share a line */
};

struct study_plan {
    struct town_settings town;
    uint32_t residents, days;
    int8_t trait_mean[TRAIT_COUNT]; /* added to every trait that is drawn */
};

/* What can be chosen, by name: the command line and experiment files share the table. */
enum study_number { ANY_NUMBER, POWER_OF_TWO, DIVIDES_60 };
struct study_option {
    const char *name; /* "memory_slots" */
    int32_t least, most;
    enum study_number kind;
};
enum { STUDY_OPTIONS = 14 };
extern const struct study_option study_options[STUDY_OPTIONS];
/* Its number, or -1: there is none of that name. */
int study_option_find(struct str name);

/* Zeroed: nothing chosen yet. */
struct study_choices {
    int32_t value[STUDY_OPTIONS];
    bool given[STUDY_OPTIONS];
    bool model; /* a model decides what it is asked; false: the rules decide everything */
    int32_t usual_share, usual_calls; /* model_share and model_calls unless they are chosen */
};
/* Who decides: "rule" or "model". ERR_INVALID. */
MUST_USE enum err study_choose_mind(struct study_choices *choices, struct str mind,
                                    struct why *why);
/* ERR_INVALID, with a sentence that says what is allowed. */
MUST_USE enum err study_choose(struct study_choices *choices, int option, int64_t value,
                               struct why *why);

/* Whether a town that lives can go on with another value of it. */
bool study_may_change(int option);
/* Of what was chosen, for how long and who decides only. */
struct study_choices study_days_alone(const struct study_choices *choices);
bool study_choices_equal(const struct study_choices *a, const struct study_choices *b);

/*
 * 100 residents for 7 days unless chosen otherwise. The one rule of sizes: up to STUDY_AUDIENCE_MAX
 * residents have the memories (120), ties (64) and phone (4,096 posts) of a town with an audience,
 * and its effects are looked at; more have 16, 10 and 16,384, and effects are only counted and
 * hashed: about 1 kB a resident; and phones fetch every fifteen minutes, not every one. Then what
 * was chosen.
 */
struct study_plan study_plan(uint64_t seed, const struct study_choices *choices);
int32_t study_chosen(const struct study_plan *plan, int option);

struct study_day {
    uint64_t posts, likes, comments, messages, talks;
    /* When effects are kept. Openings: messages that answer none; answered before their writer
     * wrote to the same person again. Repeats: messages about what one wrote to the same person
     * on that calendar day already. */
    uint64_t openings, answered, repeats;
};

struct study {
    struct study_plan plan;
    int32_t from; /* the minute it began in */
    bool whole;   /* it was not ended before its time */
    enum err err; /* why it was not, unless `watch` ended it: of mind_run_decide() */
    struct why why;
    struct mind_figures mind; /* zeros where the rules decide */
    struct str model;         /* who was asked, of minds_model(); empty: the rules decided */
    int32_t minutes;
    uint64_t hash; /* town_hash() at the end */
    int64_t wall_us, cpu_us;
    uint64_t bytes; /* of memory, at the end */
    struct town_tally tally;
    uint32_t sampled, hours, days;           /* days: begun ones */
    struct need_spread (*need)[NEED_COUNT];  /* owned; at the end of each hour */
    struct study_day *day;                   /* owned */
    uint64_t degree[STUDY_DEGREE_MAX + 1];   /* how many have so many ties, at the end */
    uint64_t ties, mutual;                   /* one way each; with one the other way */
    uint64_t cascade[STUDY_CASCADE_MAX + 1]; /* posts with so many likes and comments … */
    uint64_t posts_seen, reactions;          /* … of those the phone still knows at the end */
};

/* Called at least once a simulated minute, and while models are waited for; false ends the study
 * there. */
typedef bool study_watch(void *ctx, int32_t minutes, int32_t minutes_all);

/* `runner` NULL: on this thread. `watch` may be NULL. The rules decide. Free with study_free(). */
struct study *study_run(const struct study_plan *plan, const struct town_runner *runner,
                        study_watch *watch, void *ctx);
/* The town of a plan, on its first morning. Free with town_free(). */
struct town *study_found(const struct study_plan *plan);
/* The same with a town that is there, which lives plan->days from now on; it stays the caller's.
 * Figures are of these days alone. `plan->residents` is how many it has.
 * `minds` NULL: nobody answers what residents ask, and the plan must say that they do not; `label`
 * is the run's name in their journal. */
struct study *study_run_on(struct town *town, const struct study_plan *plan,
                           const struct town_runner *runner, study_watch *watch, void *ctx,
                           struct minds *minds, struct str label);
/*
 * Make a town that has lived ready for study_run_on(): what was chosen is changed in it
 * (town_change()), `seed` too unless it is NULL, and the rule mind is alone from now on unless
 * `choices->model`.
 * `trait_mean`: what had been added to its traits. ERR_INVALID, with a sentence, for what cannot
 * be: other residents, more days than there are; the town is unchanged then.
 */
MUST_USE enum err study_go_on(struct town *town, const struct study_choices *choices,
                              const uint64_t *seed, const int8_t trait_mean[TRAIT_COUNT],
                              struct study_plan *plan_out, struct why *why);
void study_free(struct study *study); /* NULL is fine */

/* --- figures to compare studies by --- */

struct measure {
    const char *name; /* "posts" */
    const char *unit, *unit_zh;
    const char *english, *chinese;
};
enum { MEASURES = 29 };
extern const struct measure measures[MEASURES];
/* NAN: there is no such figure (effects were not kept, or nothing of the kind happened). */
void study_measure(const struct study *study, double values_out[MEASURES]);
