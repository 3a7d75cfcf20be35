/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/between.h: what is between a resident and a member.
 *
 * Everybody may watch the town, and residents have no secrets from each other's
 * neighbours. Who of the members writes to a resident, and when, is theirs: maps
 * and the action log say that the resident uses the phone, and what it remembers
 * and thinks of a member is shown to that member and to administrators. Likes,
 * comments and follows anybody can see where they were made, here too.
 */
#pragma once

#include "townhall/internal.h"

/* A deed: it reads or writes private messages, and not with another resident. */
bool is_between(const struct effect *effect);
/* It comes of private messages with a member. */
bool memory_is_between(const struct memory *memory);
/* `reader` is that member, or 0: one who may see all. */
bool may_see(const struct cast *cast, uint32_t member, struct user_id reader);
/* What others see of such a deed. */
struct str phone_words(bool chinese);
/* A text of a model's has the name of a member in it that some resident knows. */
bool names_member(const struct cast *cast, struct str text);
