/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/thing.h: what residents carry.
 *
 * A thing is four bytes: a template, how many, and how worn they are. Limits
 * and templates are the original's, weights in grams: at most 50 kg together,
 * a stack holds at most what its template says, a second stack begins when the
 * first is full. Whoever has no phone gets one.
 */
#pragma once

#include "base/base.h"

enum thing_kind {
    THING_NONE,
    THING_PHONE,
    THING_FOOD,
    THING_MONEY,
    THING_PHOTO,
    THING_BOOK,
    THING_GIFT,
    THING_KIND_COUNT
};

struct thing_template {
    const char *name, *name_zh; /* "phone", "手机" */
    const char *type;           /* one of the original's item types */
    uint32_t grams;
    uint8_t stack_max;
    uint8_t durability; /* 0: does not wear */
};
const struct thing_template *thing_template(enum thing_kind kind);

enum { THINGS_MAX = 6, CARRY_GRAMS_MAX = 50 * 1000 };

struct thing {
    uint8_t kind; /* enum thing_kind */
    uint8_t quantity;
    uint8_t durability; /* uses left, of those that wear */
    uint8_t pad;
};

/* THINGS_MAX of them belong to one resident, `*count` are filled. */
struct things {
    struct thing *thing;
    uint8_t *count;
};

uint32_t things_grams(struct things things);
int thing_quantity(struct things things, enum thing_kind kind);
/* False: too heavy, or no place for another stack; then nothing has changed. */
bool thing_add(struct things things, enum thing_kind kind, int quantity);
/* False: it has not that many. */
bool thing_take(struct things things, enum thing_kind kind, int quantity);
/* One use: food is eaten, what wears wears. False: has none, or it is broken. */
bool thing_use(struct things things, enum thing_kind kind);
void things_check(struct things things);
