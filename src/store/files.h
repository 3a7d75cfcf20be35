/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/files.h: the pictures that were uploaded or made. Their bytes stand on the shelf
 * (community/shelf.h), under the name that is the key here and says what is in them; who shows one
 * names its path, "/files/images/NAME". Lifetimes as in store/users.h.
 */
#pragma once

#include "store/users.h"

struct file_record {
    struct str name, kind; /* kind: "image" or "avatar" */
    struct user_id owner;
    uint64_t bytes;
    int width, height;
    int64_t created_us;
};
/* A file with that name (so, that content) may be known already: fine, and it is new again. */
MUST_USE enum err files_add(struct db *db, const struct file_record *file, struct why *why);

/* One of them; in the arena. */
struct stored_file {
    struct str name, folder; /* "images" or "avatars" */
    int64_t created_us;      /* 0: put down */
    bool shown;              /* by a post or as an avatar: it stays */
};
enum { STORED_FILES_MAX = 50 };

/* The first that have this owner; `shown` is by somebody else. */
MUST_USE enum err files_of(struct db *db, struct arena *arena, struct user_id owner,
                           struct stored_file files[STORED_FILES_MAX], size_t *count_out,
                           struct why *why);
/* Bytes of all that this owner has, without the smaller ones made of them. */
MUST_USE enum err files_bytes_of(struct db *db, struct user_id owner, uint64_t *bytes_out,
                                 struct why *why);

/* How far somebody has looked; {0}: behind what was put down; {-1}: not yet. */
struct files_place {
    int64_t created_us;
    char name[256];
};
/* The next in the order of age that are older than `before_us`, and `*at` moves behind them. */
MUST_USE enum err files_older(struct db *db, struct arena *arena, struct files_place *at,
                              int64_t before_us, struct stored_file files[STORED_FILES_MAX],
                              size_t *count_out, struct why *why);
/* Nobody needs what stands at this path any more but who shows it: it is the oldest from now on.
 * A path of no file of ours, or empty: nothing. */
MUST_USE enum err files_put_down(struct db *db, struct str path, struct why *why);
/* It was put down by one, and is shown by another: no more the oldest of all. */
MUST_USE enum err files_leave_up(struct db *db, const struct stored_file *file, struct why *why);

/* Forget the file, or, when somebody shows it, whose it was. */
MUST_USE enum err files_drop(struct db *db, const struct stored_file *file, struct why *why);
