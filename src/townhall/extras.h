/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/extras.h: who plays in a town without a community: names, trades and
 * characters for residents who are nothing but numbers, and names for their places,
 * so that a model can be told of them.
 *
 * All of it is a function of the town: the same numbers have the same names.
 */
#pragma once

#include "townhall/internal.h"

struct extras {
    struct cast cast;        /* its places: of the quarter that extras_scene() was last asked for */
    struct location *places; /* owned; of all quarters, one after the other */
    uint32_t *first;         /* owned; of each quarter's, and one more */
    uint32_t quarters;
};

/* Of all numbers the town has now. */
void extras_make(struct extras *extras, const struct town *town);
/* The cast as somebody of that quarter sees it. Good until it is asked for another one. */
const struct cast *extras_scene(struct extras *extras, uint32_t quarter);
void extras_release(struct extras *extras); /* zeroed is fine */
