/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/records.h: small tables with one use each: answers to repeated
 * changes, places of the town.
 */
#pragma once

#include "store/users.h"

/* What was answered to a change that carried this key. */
struct idempotent {
    struct str route;
    struct str request; /* hash of what was asked */
    int status;
    struct str body;
    int64_t at_us;
};
/* ERR_NOT_FOUND: the key is new. */
MUST_USE enum err idempotent_load(struct db *db, struct arena *arena, struct user_id user,
                                  struct str key, struct idempotent *out, struct why *why);
/* Takes the place of an answer that is older than `expired_before_us`. ERR_BUSY: there is a younger
 * one; the same request ran elsewhere at this moment. Take all back and look again. */
MUST_USE enum err idempotent_save(struct db *db, struct user_id user, struct str key,
                                  const struct idempotent *answer, int64_t expired_before_us,
                                  struct why *why);
MUST_USE enum err idempotent_purge(struct db *db, int64_t before_us, struct why *why);

struct location {
    uint64_t id;
    struct str name, type, description;
    double x, y, width, height;
};
MUST_USE enum err locations_add(struct db *db, const struct location *place, struct why *why);
typedef void location_each(void *ctx, const struct location *place);
MUST_USE enum err locations_list(struct db *db, location_each *each, void *ctx, struct why *why);
