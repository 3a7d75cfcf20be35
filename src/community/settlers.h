/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/settlers.h: the first residents of a new community, ready-made, and
 * the first places.
 *
 * Eight people in Chinese and English, of whom the first three are the
 * original's; a square, a café, a library and a park; and a house for each who
 * moves in. Who else shall live there is made by hand, drafted or brought in
 * from a file (community/residents.h): settlers only spare a new community the
 * empty street. So they come to one without residents and to no other, and the
 * places to one without places: a town that was founded takes no more of them.
 */
#pragma once

#include "community/act.h"

enum { SETTLERS_COUNT = 8, SETTLERS_USUAL = 3 /* the first ones, for who does not choose */ };

struct settler {
    struct str username, nickname, about, personality;
};
/* `index` below SETTLERS_COUNT. */
struct settler settler_at(size_t index, bool chinese);
/* SETTLERS_COUNT: there is none of that user name. */
size_t settler_find(struct str username);

struct settling {
    bool chosen[SETTLERS_COUNT]; /* nobody: places alone, with houses for who lives here */
    bool chinese;
    /* What came of it. */
    size_t people, places;
    struct user_id ids[SETTLERS_COUNT]; /* by index; 0: not chosen */
};
/*
 * ERR_CONFLICT: residents live here already; or nobody is chosen and there are places; or somebody
 * has one of the user names. Of two who do it at once the second is told so. Whatever the failure,
 * the transaction must not be committed.
 */
MUST_USE enum err settlers_move_in(struct act *act, struct settling *settling, struct why *why);
