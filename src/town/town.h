/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/town.h: a simulated town, whole: the only header others need to run one.
 *
 * A town is a function of its settings, its drafts and the journal of its inputs:
 * the same three give the same bytes on every machine, at every optimisation and
 * with any number of threads. It does no I/O, reads no clock, and names nobody:
 * people are numbers here, and what they say is a subject and a mood. Whoever runs
 * a town (townhall/) performs its effects, finds the words, and tells it as inputs
 * what members and models did.
 *
 *     town = town_new(&settings, quarters, count);
 *     for (;;) {
 *         town_advance(town, town_next_at(town), NULL);
 *         effects = town_effects(town, &count);   … perform them …
 *         town_forget_effects(town);
 *         town_input(town, &input);               … journal it first …
 *     }
 *
 * A town has quarters. Residents live, work and meet within theirs, in the total
 * order of its agenda; quarters share the sky and the phone: posts, likes and
 * messages, to neighbours too, travel at the end of each round of `mail_minutes`,
 * in the order of the quarters. So quarters can be run by different threads and
 * nobody can tell.
 *
 * One thread at a time but for the runner of town_advance().
 */
#pragma once

#include "base/err.h"
#include "town/deed.h"
#include "town/memory.h"
#include "town/place.h"
#include "town/sky.h"
#include "town/thing.h"

struct town;

/* Of these, who has moved out counts for ever: its number is nobody else's. */
enum { QUARTER_RESIDENTS_MAX = 65536, TOWN_RESIDENTS_MAX = 4 * 1000 * 1000 };

/* Members of the community are people of no quarter: this bit and their number. */
#define MEMBER_BIT (UINT32_C(1) << 31)
static inline bool is_member(uint32_t who)
{
    return who != NOBODY && (who & MEMBER_BIT) != 0;
}

struct town_settings {
    uint64_t seed;
    uint32_t feed_slots;     /* posts the phone remembers; a power of two, 64 to 2^20 */
    uint8_t memory_slots;    /* memories a resident can have, 8 to 240 */
    uint8_t relation_slots;  /* people it can know, 4 to 240 */
    uint8_t keep_effects;    /* 0: only counted and hashed, for runs without an audience */
    uint8_t ask_share;       /* per cent of free decisions that go to a model; 0: rule mind alone */
    uint16_t asks_a_day;     /* at most so many questions a resident and day */
    uint16_t answer_minutes; /* game minutes after which the rule mind answers for the model */
    uint8_t late;         /* 1: who got no answer in time waits ten minutes; 0: the rule mind's */
    uint8_t mail_minutes; /* phones fetch what others wrote every so many minutes; divides 60 */
    uint8_t pad[2];       /* 0: settings are hashed as they stand */
};
/* For a small town with an audience. */
struct town_settings town_settings_default(uint64_t seed);
/*
 * For a large one without: about 1 kB a resident, and phones fetch every fifteen minutes. Until
 * then a quarter needs no other, so it can be run for a quarter of an hour while its residents are
 * in the processor's cache (the lookahead of conservative parallel simulation: Fujimoto, "Parallel
 * discrete event simulation", CACM 33(10), 1990).
 */
struct town_settings town_settings_large(uint64_t seed);

struct resident_draft {
    uint16_t home, work; /* places of its quarter; `work` may be NOWHERE */
    uint16_t wake_min, bed_min, work_from, work_until;
    uint8_t age, gender, job, work_days;
    int8_t trait[TRAIT_COUNT];
    uint8_t pad[3]; /* 0: journalled as it stands */
};
static_assert(sizeof(struct resident_draft) == 24, "no padding");

struct quarter_draft {
    const struct place *places; /* at least one; homes need a seat for each dweller and one more */
    uint32_t place_count;
    const struct resident_draft *residents;
    uint32_t resident_count; /* 1 to QUARTER_RESIDENTS_MAX */
};

/* Copies the drafts. It is day 1, 08:00; everybody is at home and about to decide,
 * from the next minute on: nothing is due in the one in which a town is founded. */
struct town *town_new(const struct town_settings *settings, const struct quarter_draft *quarters,
                      uint32_t count);
void town_free(struct town *town); /* NULL is fine */

/* --- time --- */

int32_t town_now(const struct town *town);
/* When something happens next; never before town_now(). */
int32_t town_next_at(const struct town *town);

/* Runs job(ctx, 0) … job(ctx, count - 1), in any order, on any threads; returns when all are done.
 */
typedef void town_job(void *ctx, uint32_t number);
struct town_runner {
    void (*run)(void *ctx, uint32_t count, town_job *job, void *job_ctx);
    void *ctx;
};
/* Let everything happen up to and including minute `until`. `runner` NULL: on this thread. */
void town_advance(struct town *town, int32_t until, const struct town_runner *runner);

/* --- what happened --- */

enum effect_kind {
    EFFECT_BEGAN, /* a deed began: for maps; `at` + `minutes` is its end, `place` where it leads */
    EFFECT_DEED,  /* a deed ended: for the action log; `at` is when it began */
    EFFECT_WOKE,
    EFFECT_MET,      /* two came upon each other */
    EFFECT_TALK,     /* who and other talk for `minutes`, about `subject`; `ref`: how many turns */
    EFFECT_POST,     /* `ref`: its serial */
    EFFECT_LIKE,     /* of post `ref` */
    EFFECT_COMMENT,  /* on post `ref`, by `other`; `other` the resident itself: it answers what a
                        member has said to it below that post */
    EFFECT_MESSAGE,  /* to `other`; `ref` 1: it answers what it had from it */
    EFFECT_READ,     /* what `other` had written */
    EFFECT_FOLLOW,   /* `other` */
    EFFECT_REMEMBER, /* a memory worth keeping outside: `fact`, `subject`, `importance` … */
    EFFECT_ASK,      /* a model is to decide: town_question(who) */
    EFFECT_SKY,      /* the weather changed; `fact` is the enum weather */
    EFFECT_TAKEN,    /* a post from outside got serial `ref`; `other`: the number it came with */
    EFFECT_LEFT,     /* moved out; what it did was broken off before */
    EFFECT_CAME,     /* moved in, or back, and is at home, `place` */
    EFFECT_KIND_COUNT
};
const char *effect_kind_name(enum effect_kind kind);

struct effect {
    int32_t at;
    uint32_t who, other; /* NOBODY: none */
    uint32_t ref;
    uint16_t place; /* NOWHERE: on the way */
    uint16_t minutes;
    uint8_t kind, deed, why;
    uint8_t fine; /* 0: it did not come to it: closed, full, busy, gone */
    uint8_t subject;
    uint8_t fact; /* enum fact_kind; what it is about */
    uint8_t importance;
    int8_t mood; /* -100 to 100 */
};
static_assert(sizeof(struct effect) == 28, "no padding: effects are hashed as they stand");

/* Since they were last forgotten, in order. Good until the next call that changes the town. */
const struct effect *town_effects(struct town *town, size_t *count_out);
void town_forget_effects(struct town *town);
/* How many there ever were, kept or not. */
uint64_t town_effect_count(const struct town *town);

/* --- what comes from outside --- */

enum input_kind {
    INPUT_MESSAGE,  /* `from` wrote to resident `to` */
    INPUT_POST,     /* `from`, a member, posted about `subject`, or a resident had before it lived
                       here; `ref` comes back in EFFECT_TAKEN */
    INPUT_LIKE,     /* `from` liked the post with serial `ref` */
    INPUT_COMMENT,  /* `from` said something below it, to nobody here */
    INPUT_FOLLOW,   /* `from` follows resident `to` */
    INPUT_ANSWER,   /* a model's: to question `ref` of `to`, option `choice`, for `minutes` (0: as
                       planned); choice 255: it gave none */
    INPUT_TEXT,     /* resident `to` remembers the text `ref`, of `importance`, about `from` */
    INPUT_SET,      /* settings of models from now on: `choice` ask_share, `minutes` answer_minutes,
                       `ref` asks_a_day, `importance` late */
    INPUT_MOVE_OUT, /* resident `to` leaves: town_is_gone() from now on */
    INPUT_MOVE_BACK, /* `to` had left, and comes back to its home with all it remembers */
    INPUT_MOVE_IN,   /* a new one, as in `draft`; `to` is its number, town_resident_count() */
    INPUT_REMARK, /* `from`, a member, said something to resident `to` below post `ref`: `choice` 1:
                     it is a post of `to`, 0: `to` had commented there */
    INPUT_INVITE, /* resident `to` means to see its neighbour `from`, from now on, for `minutes` */
    INPUT_PLAN, /* a model's plan for the day of `to` that it rose to in minute `ref`, a step each:
                   `choice` (enum plan_kind) from minute of the day `minutes` on, for `importance`
                   quarters of an hour; `from`: whom it means to meet. `type` 0: it is the first,
                   and replaces the plan; choice 255: the model gave none */
    INPUT_KIND_COUNT
};

struct input {
    uint32_t from, to, ref;
    uint16_t minutes;
    uint8_t kind, subject;
    uint8_t choice, importance;
    int8_t mood;
    uint8_t type;                /* enum memory_type of INPUT_TEXT */
    struct resident_draft draft; /* of INPUT_MOVE_IN; its places are those of the last quarter */
};
static_assert(offsetof(struct input, draft) == 20 && sizeof(struct input) == 44,
              "journalled as it stands");
/* How many of its bytes are journalled: 44 of INPUT_MOVE_IN, 20 of all others. */
size_t input_bytes(const struct input *input);
/* Out of a journal. False: these bytes are none. */
MUST_USE bool input_read(struct str bytes, struct input *input_out);

/*
 * Told at town_now(), after everything that happened in that minute. The caller has journalled it
 * with that minute. ERR_INVALID: no such resident, kind, choice; ERR_NOT_FOUND: the question or the
 * post is gone, the resident has moved out; ERR_CONFLICT: it lives here already; ERR_LIMIT: there
 * is no room for one more; nothing has changed then, and a replay refuses it in the same way.
 *
 * Who moves in or back is at home and decides a minute later. Who has moved out does nothing, is
 * nowhere, and nobody meets it or writes to it; others remember it, and may talk about it.
 */
MUST_USE enum err town_input(struct town *town, const struct input *input, struct why *why);

/*
 * Other settings for a town that lives, from now on, and so much added to everybody's traits. Who
 * has more memories or ties than there is room for now loses the weakest; a phone that remembers
 * less keeps the newest posts. With another seed all dice are thrown anew, from its beginning. Not
 * journalled: this is for copies.
 */
void town_change(struct town *town, const struct town_settings *settings,
                 const int8_t trait_shift[TRAIT_COUNT]);

/* --- what a model is asked --- */

enum { OPTIONS_MAX = 24 };

struct option {
    uint32_t who;
    uint16_t place, minutes;
    uint8_t deed, why;
    uint8_t subject, pad;
    int32_t score; /* the rule mind's */
};

struct question {
    uint32_t number, who;
    int32_t at;
    uint32_t count;
    uint32_t choice; /* the rule mind's */
    struct option option[OPTIONS_MAX];
};
/* What `who` could do when it was asked; NULL: it is not asking. */
const struct question *town_question(const struct town *town, uint32_t who);
/* Everything that waits for an answer now. */
uint32_t town_questions_open(const struct town *town);
/* These, quarter by quarter, each as they were asked; `out` has room for town_questions_open().
 * Good until the town changes. */
void town_questions(const struct town *town, const struct question **out);

/*
 * Who has risen, not too long ago, and waits, beside its usual plan, for a model's: the rules'
 * holds until the first INPUT_PLAN. `out` has room for so many as are returned; NULL: they are only
 * counted.
 */
uint32_t town_planning(const struct town *town, uint32_t *out);
/* One of them. */
bool town_is_planning(const struct town *town, uint32_t who);
/* What a model's plan is held to. */
enum {
    PLAN_IN_MINUTES = 180,  /* after rising; a later one comes too late */
    PLAN_BED_MINUTES = 180, /* so far from its habit it may mean to go to bed */
};

/* --- looking --- */

const struct town_settings *town_settings(const struct town *town);
const struct sky *town_sky(const struct town *town);
/* Numbers are below it; who has moved out keeps its own and counts. */
uint32_t town_resident_count(const struct town *town);
/* Those who have not moved out. */
uint32_t town_living_count(const struct town *town);
bool town_is_gone(const struct town *town, uint32_t who);
/* Borrowed until the town changes; needs are of resident->since (town_body() for now). */
const struct resident *town_resident(const struct town *town, uint32_t who);
/* A copy with needs and mood of this minute. */
struct resident town_body(const struct town *town, uint32_t who);
const struct places *town_places(const struct town *town, uint32_t quarter);
uint32_t town_quarter_of(const struct town *town, uint32_t who);
/* Where on the map, tenths of a unit: in its place, or how far it has come on the way. */
void town_position(const struct town *town, uint32_t who, int32_t *x_out, int32_t *y_out);
const struct memory *town_memories(const struct town *town, uint32_t who, size_t *count_out);
const struct relation *town_relations(const struct town *town, uint32_t who, size_t *count_out);
const struct thing *town_things(const struct town *town, uint32_t who, size_t *count_out);
/* What it can perceive: people in the same place within 30 units, nearest first. At most `max`. */
size_t town_people_near(const struct town *town, uint32_t who, uint32_t *found_out, size_t max);

struct wire_post {
    uint32_t serial, author;
    int32_t at;
    uint16_t likes, comments;
    uint8_t subject;
    int8_t mood;
    uint16_t pad;
};
/* The newest post's serial; 0: none yet. */
uint32_t town_feed_head(const struct town *town);
/* NULL: too old, or not yet. */
const struct wire_post *town_post(const struct town *town, uint32_t serial);

/* Counted since the beginning, whether effects are kept or not. */
struct town_tally {
    uint64_t decisions, deeds[DEED_COUNT], failed, meals, meetings, talks, posts, likes, comments,
        messages, follows, asks, answers;
    uint64_t by_hour[24][DEED_COUNT]; /* minutes spent with each deed, by the hour it began */
};
struct town_tally town_tally(const struct town *town);

/* --- checkpoints --- */

/* All of it as bytes (of this machine's byte order). */
void town_write(const struct town *town, struct buf *buf);
MUST_USE enum err town_read(struct str bytes, struct town **town_out, struct why *why);
/* Of the state and of every effect there ever was; not of how the agenda lays out its items, which
 * may change: what they come to is in the effects. */
uint64_t town_hash(const struct town *town);

size_t town_bytes(const struct town *town); /* of memory */
void town_check(const struct town *town);   /* asserts every invariant; slow */
