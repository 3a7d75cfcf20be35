/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * hub/peers.h: who is at which other instance, as far as the broker told.
 *
 * Every word about an instance keeps it known; one that is silent for thirty
 * seconds is forgotten with all its members. Repeating a word changes nothing.
 * One thread at a time (the broker's listener).
 */
#pragma once

#include "hub/hub.h"

enum { PEERS_SILENCE_S = 30, PEERS_MAX = 256 };

struct peers;

struct peers *peers_new(struct hub *hub);
void peers_free(struct peers *peers); /* forgets them all; NULL is fine */

/* A member's first socket came there, or the last one went. */
void peers_change(struct peers *peers, const char *from, struct user_id user, bool here,
                  int64_t now_us);
/* All who are there. */
void peers_set(struct peers *peers, const char *from, const struct user_id *users, size_t count,
               int64_t now_us);
void peers_expire(struct peers *peers, int64_t now_us);
