/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/pictures.h: the residents' picture queue (table image_gen_queue).
 *
 * A row is made together with its post, `pending`; who runs the town makes it
 * `processing`, under the number by which the picture server knows it, and then
 * `completed` or `failed`. Back to `pending` when a try failed and another is
 * due, or when an administrator asks for one. Who works on rows proves first, in
 * the same transaction, that it still holds the town (pictures_fence).
 *
 * Thread and text lifetimes as in store/users.h.
 */
#pragma once

#include "store/towns.h"

enum picture_state {
    PICTURE_PENDING,
    PICTURE_PROCESSING,
    PICTURE_COMPLETED,
    PICTURE_FAILED,
    PICTURE_STATE_COUNT
};
/* As in the table: "pending" … */
const char *picture_state_name(enum picture_state state);
/* False: there is no such state. */
MUST_USE bool picture_state_parse(struct str name, enum picture_state *state_out);

struct picture_row {
    uint64_t id;
    struct user_id character;
    struct post_id post; /* 0: removed since, or none was ever named */
    struct str prompt;
    enum picture_state state;
    struct str result_path; /* .at NULL: none yet */
    struct str prompt_id;   /* the picture server's; .at NULL: not asked */
    struct str error;       /* of the last try; .at NULL: none failed */
    uint32_t seed;
    uint64_t tries;
    int64_t next_try_us, created_us, updated_us;
};

/* Pending, due at once: `character`, `post`, `prompt` and `seed` count. */
MUST_USE enum err pictures_add(struct db *db, const struct picture_row *row, int64_t now_us,
                               uint64_t *id_out, struct why *why);
/* How many were queued for a resident from `since_us` on. */
MUST_USE enum err pictures_count_since(struct db *db, struct user_id character, int64_t since_us,
                                       uint64_t *count_out, struct why *why);
/* ERR_NOT_FOUND with a sentence. */
MUST_USE enum err pictures_load(struct db *db, struct arena *arena, uint64_t id,
                                struct picture_row *row_out, struct why *why);
/* What to work on now: the oldest that is processing (somebody was interrupted), else the one that
 * is due for the longest time. ERR_NOT_FOUND: nothing. */
MUST_USE enum err pictures_next(struct db *db, struct arena *arena, int64_t now_us,
                                struct picture_row *row_out, struct why *why);

/* ERR_CONFLICT: not the holder of the town any more; keeps others from taking it until the commit.
 */
MUST_USE enum err pictures_fence(struct db *db, struct town_id town, uint64_t fence,
                                 struct why *why);
/* Everything of `row` that moves: state, prompt_id, error, result_path, tries, next_try_us.
 * ERR_CONFLICT: it is not in state `from` any more. */
MUST_USE enum err pictures_save(struct db *db, const struct picture_row *row,
                                enum picture_state from, int64_t now_us, struct why *why);

struct pictures_query {
    int state;       /* enum picture_state; -1: all */
    uint64_t before; /* 0: from the newest */
    uint64_t limit;
};
typedef void picture_row_each(void *ctx, const struct picture_row *row);
/* Newest first. */
MUST_USE enum err pictures_list(struct db *db, const struct pictures_query *query,
                                picture_row_each *each, void *ctx, struct why *why);
MUST_USE enum err pictures_count(struct db *db, enum picture_state state, uint64_t *count_out,
                                 struct why *why);
