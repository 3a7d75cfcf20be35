/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/keys.h: members' keys for programs. The store has a hash of each key
 * and its last four characters, never the key. A revoked key keeps its row, for
 * the sake of what was used with it. Conventions as in store/users.h.
 */
#pragma once

#include "store/users.h"

enum { KEY_HASH_BYTES = 32 };

struct api_key {
    struct key_id id;
    struct user_id user;
    struct str name, last_four;
    int64_t requests_per_minute, tokens_per_day; /* 0: no limit */
    struct str models;                           /* patterns, one a line; .at NULL: all */
    int64_t created_us, used_us;                 /* used_us 0: never */
};

/* `id` and `used_us` are not looked at. */
MUST_USE enum err keys_add(struct db *db, const struct api_key *key, struct str hash,
                           struct key_id *id_out, struct why *why);
/* A member's own, not revoked. ERR_NOT_FOUND. */
MUST_USE enum err keys_load(struct db *db, struct arena *arena, struct user_id user,
                            struct key_id id, struct api_key *key_out, struct why *why);
/* The one with that hash, not revoked, of a member who is not banned; without names and times.
 * ERR_NOT_FOUND. */
MUST_USE enum err keys_find(struct db *db, struct arena *arena, struct str hash,
                            struct api_key *key_out, struct why *why);
MUST_USE enum err keys_count(struct db *db, struct user_id user, uint64_t *count_out,
                             struct why *why);
/* Name, limits and models of `key->id`. */
MUST_USE enum err keys_change(struct db *db, const struct api_key *key, struct why *why);
/* ERR_NOT_FOUND: not one of theirs, or revoked before. */
MUST_USE enum err keys_revoke(struct db *db, struct user_id user, struct key_id id, int64_t now_us,
                              struct why *why);
/* Never backwards. */
MUST_USE enum err keys_set_used(struct db *db, struct key_id id, int64_t used_us, struct why *why);

typedef void key_each(void *ctx, const struct api_key *key);
/* The newest first. */
MUST_USE enum err keys_list(struct db *db, struct user_id user, key_each *each, void *ctx,
                            struct why *why);
