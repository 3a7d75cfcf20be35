/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/internal.h: one quarter of a town, as the files of this room see it.
 *
 *   quarter.c  its agenda, and what happens when an item comes up
 *   mind.c     what a resident sees, what it could do, and what the rule mind thinks of it
 *   perform.c  what each deed does when it begins and when it ends
 *   move.c     who comes and goes
 *   town.c     quarters together: sky, phone, minutes
 *   checkpoint.c  all of it to bytes and back
 *
 * While a round runs, a quarter changes nothing but itself and reads nothing but
 * itself, the sky, the feed and who has moved out, which only inputs change; what
 * concerns others is put into its mail.
 */
#pragma once

#include "town/agenda.h"
#include "town/town.h"

/* Kinds of agenda items. */
enum happening {
    HAPPEN_DECIDE, /* nothing to do: think of something */
    HAPPEN_DEED,   /* the end of a deed */
    HAPPEN_NOTICE, /* the phone: `data` has written */
    HAPPEN_REMARK, /* the phone: a member has said something to it below post `data` */
};

enum mail_kind { MAIL_POST, MAIL_LIKE, MAIL_COMMENT, MAIL_MESSAGE, MAIL_FOLLOW };
struct mail {
    uint32_t from, to, ref;
    uint8_t kind, subject;
    int8_t mood;
    uint8_t pad;
};

/* What all quarters see and none changes while a round runs. */
struct feed {
    struct wire_post *post; /* owned; slots */
    uint32_t slots, head;   /* newest serial */
};

struct quarter {
    uint32_t number, first, count; /* residents `first` … `first` + `count` - 1 of the town */
    uint32_t room;                 /* there is memory for so many; the rows behind are zeros */
    const struct town *town;
    const struct town_settings *settings;
    const struct sky *sky;
    const struct feed *feed;
    struct agenda *agenda; /* owned, as what follows */
    struct places places;
    struct resident *resident;
    struct memory *memory;
    struct relation *relation;
    struct thing *thing;
    struct question *question; /* open ones, in no order that matters */
    uint32_t questions, questions_max;
    struct mail *mail;
    uint32_t mails, mails_max;
    struct effect *effect;
    size_t effects, effects_max;
    uint64_t effect_count, effect_hash;
    uint32_t asked; /* numbers of questions */
    struct town_tally tally;
};

struct town {
    struct town_settings settings;
    int32_t now;
    uint32_t residents, quarters;
    uint32_t gone;           /* how many of the residents have moved out */
    struct quarter *quarter; /* owned */
    uint32_t *first_of;      /* owned; quarters + 1 */
    struct sky sky;
    struct feed feed;
    struct effect *effects; /* owned; of all quarters, once asked for */
    size_t effects_max;
};

/* An empty one: settings, room for quarters and the feed. */
struct town *town_empty(const struct town_settings *settings, uint32_t quarters);
bool town_settings_fit(const struct town_settings *settings);
/* Tell a quarter which it is; `first_of` is known. */
void quarter_join(struct town *town, uint32_t number);

void quarter_init(struct quarter *quarter, const struct quarter_draft *draft);
void quarter_release(struct quarter *quarter);
/* A town_job's body: everything up to and including minute `until`. */
void quarter_run(struct quarter *quarter, int32_t until);
void quarter_check(const struct quarter *quarter);
/* One more, at home from now on. Its home has room, and the quarter is the town's last. */
void quarter_add(struct quarter *quarter, const struct resident_draft *draft);

/* --- shared by the files of this room --- */

/* town.c. Whose row stands where: the quarter, and the number in it. */
struct quarter *home_of(const struct town *town, uint32_t who, uint32_t *local_out);

/* One more word in a hash, as splitmix64 mixes (Steele et al. 2014): cheap, and order counts. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}
/* `len` bytes off the front. False: there are not so many. */
static inline bool bytes_take(struct str *bytes, void *to, size_t len)
{
    if (bytes->len < len) return false;
    if (len) memcpy(to, bytes->at, len);
    *bytes = str_from(*bytes, len);
    return true;
}

static inline struct resident *resident_at(const struct quarter *quarter, uint32_t local)
{
    ASSERT(local < quarter->count);
    return &quarter->resident[local];
}
static inline bool is_neighbour(const struct quarter *quarter, uint32_t who)
{
    return who - quarter->first < quarter->count;
}
struct memories memories_of(const struct quarter *quarter, uint32_t local);
struct relations relations_of(const struct quarter *quarter, uint32_t local);
struct things things_of(const struct quarter *quarter, uint32_t local);

/* An effect of `local`, now; whatever is not set is nobody, nowhere, nothing. */
struct effect effect_of(const struct quarter *quarter, uint32_t local, enum effect_kind kind);
void effect_emit(struct quarter *quarter, const struct effect *effect);
void mail_send(struct quarter *quarter, const struct mail *mail);
void remember(struct quarter *quarter, uint32_t local, const struct memory *memory);

/* mind.c */
/* Everything it could do now, and which the rule mind chooses. All is written but the number and
 * the options behind the last. */
void mind_decide(struct quarter *quarter, uint32_t local, struct question *question_out);
/* In the morning. */
void mind_plan_day(struct quarter *quarter, uint32_t local);
/* The same for one who comes in the middle of a day: what is still to come of it, in its order. */
void mind_plan_rest(struct quarter *quarter, uint32_t local);
/* For so many minutes from now on it means to see that neighbour. */
void mind_plan_visit(struct quarter *quarter, uint32_t local, uint32_t who, int minutes);
/* Whether a model may plan its day that far: `step`, of the day it rose to in minute me->woke_at,
 * with `who`. Nothing is said of the steps before it. */
bool mind_may_plan(const struct quarter *quarter, uint32_t local, const struct plan_step *step,
                   uint32_t who);
/* A model's step, behind those it has given; the first one replaces what was planned. False: it
 * begins before they end, or there are too many. */
MUST_USE bool mind_plan_step(struct quarter *quarter, uint32_t local, const struct plan_step *step,
                             uint32_t who, bool first);
/* Whether and when it looks at its phone for what `from` wrote: in so many minutes. */
int mind_notice_minutes(struct quarter *quarter, uint32_t local, uint32_t from);

/* move.c */
void move_out(struct town *town, uint32_t who);
MUST_USE enum err move_back(struct town *town, uint32_t who, struct why *why);
MUST_USE enum err move_in(struct town *town, const struct input *input, struct why *why);
/* Whether `who`, of whatever quarter, has moved out. False for members and NOBODY. */
static inline bool is_gone(const struct quarter *quarter, uint32_t who)
{
    const struct town *town = quarter->town;
    return town->gone > 0 && who < town->residents && town_is_gone(town, who);
}

/* perform.c */
/* Begin an option; it may turn out to be impossible by now: then it waits a little. */
void deed_begin(struct quarter *quarter, uint32_t local, const struct option *option);
/* What it does has come to its end, or is broken off. Leaves it idle. */
void deed_end(struct quarter *quarter, uint32_t local, bool whole);
/* Break off what it does, and take its end out of the agenda. */
void deed_interrupt(struct quarter *quarter, uint32_t local);
/* Into the street, if it is somewhere. */
void leave_place(struct quarter *quarter, uint32_t local);

/* quarter.c */
void deed_start(struct quarter *quarter, uint32_t local, const struct option *option);
void answer_take(struct quarter *quarter, uint32_t local, uint32_t choice, uint16_t minutes);
const struct question *question_find(const struct quarter *quarter, uint32_t who);
/* Nobody waits for an answer any more. */
void question_drop(struct quarter *quarter, uint32_t who);
/* It is at home, where a seat was kept, and its day is planned. */
void come_home(struct quarter *quarter, uint32_t local);
/* Who does nothing decides in so many minutes. */
void decide_in(struct quarter *quarter, uint32_t local, int32_t minutes);
