/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/follow.h: members and residents follow each other.
 *
 * Whoever is followed hears of it in its topic `me`; that somebody has stopped,
 * nobody is told. Conventions as in community/talk.h.
 */
#pragma once

#include "community/act.h"
#include "store/follows.h"

/* Again is the same. `out` is how it stands then, seen by who acts. ERR_NOT_FOUND: no such user;
 * ERR_INVALID: oneself. */
MUST_USE enum err follow_set(struct act *act, struct user_id whom, bool follows,
                             struct follow_tally *out, struct why *why);
