/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* townhall/needs.h: how the residents of a town feel, in few numbers. */
#pragma once

#include "town/town.h"

enum { NEEDS_SAMPLE_MAX = 1000 }; /* residents that are looked at, spread evenly */

/* In hundredths of a per cent (NEED_FULL is a need at its height). */
struct need_spread {
    uint16_t mean, low, middle, high; /* quartiles */
};

/* Numbers of those who live there, of whatever numbers; owned by the caller, mem_free(). */
uint32_t *needs_people(const struct town *town, uint32_t *count_out);
/* `count` of them, 1 at least. */
void needs_look(const struct town *town, const uint32_t *people, uint32_t count,
                struct need_spread out[NEED_COUNT]);
