/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/backup.h: a copy of the whole database in one file, and the way back.
 *
 * Taken while the server runs, as of one moment. From SQLite the file is an
 * SQLite database; from MariaDB a dump of our own (store/dump.h). It is written
 * as PATH.part-PID, verified by reading it again, made durable, and only then
 * gets its name: a file named PATH is whole. A killed process leaves a .part-
 * file behind, which may be deleted.
 *
 * Beside it lies PATH.sha256 (store/checksum.h), which gets its name first: an
 * engine finds damage to its pages, but not to a text inside one. A check and a
 * restore compare when it is there.
 *
 * A restore goes into an empty place only, of the engine the backup came from,
 * and leaves it empty when it fails. On a thread that may wait; sentences are
 * for the operator and name paths.
 */
#pragma once

#include "store/db.h"

struct backup_info {
    enum db_kind kind;
    uint64_t bytes, tables, rows;
    bool summed; /* there is a PATH.sha256, and it fits */
};

/* Called now and then: pages or rows done, of about `total`. False: stop, ERR_CANCELLED. */
typedef bool backup_tell(void *ctx, uint64_t done, uint64_t total);

/*
 * `info_out`: what is in the finished file. `tell` may be NULL.
 * ERR_CONFLICT: `path` or its checksum exists. ERR_FULL: no room. ERR_IO: no connection.
 * ERR_CORRUPT: the database is damaged; there is no file then. ERR_INVALID: no folder for the file;
 * or the database holds what we don't back up (MariaDB: views, triggers).
 */
MUST_USE enum err backup_write(struct str url, const char *path, struct backup_info *info_out,
                               struct why *why, backup_tell *tell, void *ctx);
/* Reads all of it. ERR_CORRUPT: damaged, cut off, or no backup of ours. */
MUST_USE enum err backup_check(const char *path, struct backup_info *info_out, struct why *why);
/*
 * Checks the file first. ERR_CONFLICT: the place is not empty (SQLite: there is a file; MariaDB:
 * there are tables). ERR_INVALID: the backup is of the other engine.
 */
MUST_USE enum err backup_restore(const char *path, struct str url, struct backup_info *info_out,
                                 struct why *why, backup_tell *tell, void *ctx);
