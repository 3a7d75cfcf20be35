/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/keys.h: members' keys for programs: made, changed, revoked. What a
 * key opens is the gateway's (docs/gateway.md). Conventions as in
 * community/talk.h.
 */
#pragma once

#include "community/act.h"
#include "store/keys.h"

/* `hash` and `key->last_four` are of the new key's text; fills in id, user and times.
 * ERR_CONFLICT: they have as many as anybody may. */
MUST_USE enum err keys_make(struct act *act, struct api_key *key, struct str hash, struct why *why);
/* Name, limits and models of one's own key. ERR_NOT_FOUND. */
MUST_USE enum err keys_edit(struct act *act, const struct api_key *key, struct why *why);
/* Every loop forgets it, and ends what runs with it. ERR_NOT_FOUND. */
MUST_USE enum err keys_end(struct act *act, struct key_id id, struct why *why);

/* Whether a key with these patterns (one a line; .at NULL: all) may ask this model. */
bool key_allows(struct str patterns, struct str model);
