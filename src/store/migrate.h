/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/migrate.h: how a database comes to have today's schema.
 *
 * A migration is a script, `migrations/DIALECT/0001_name.sql`, numbered from 1
 * without gaps and never changed once released. What was applied stands in the
 * table schema_migrations with the SHA-256 of its text. SQLite runs each in one
 * transaction, foreign keys checked at its end rather than on the way, so a
 * table may be rebuilt. MariaDB commits at every DDL statement: there a
 * migration is written down as 'running' before and 'done' after, and one found
 * 'running' stops everything with a sentence that says what to do.
 *
 * Several processes may start at once: one migrates, the others wait for it.
 */
#pragma once

#include "store/db.h"
#include "base/embedded.h"

enum migration_state {
    MIGRATION_PENDING, /* known to the program, not applied */
    MIGRATION_DONE,
    MIGRATION_HALF,    /* began and did not finish */
    MIGRATION_CHANGED, /* applied with another text than the program has */
    MIGRATION_UNKNOWN, /* applied by a newer program */
};

struct migration {
    uint64_t version;
    struct str name; /* "base" of 0001_base.sql */
    enum migration_state state;
    int64_t applied_us; /* wall time; 0: not applied */
};

/*
 * Bring the database up to the last of `files` that is for its dialect
 * (embedded_files, or a test's own). Best on a DB_MAINTAIN connection: DDL on a
 * large table takes its time. Each one applied is a line in the log.
 * ERR_CONFLICT: the database is newer than the program, or knows another text
 * of a migration. ERR_CORRUPT: one stopped half-way, the list has a hole, or a
 * number in it is no version.
 * ERR_BUSY: another process did not finish migrating within ten minutes.
 * Sentences are for the operator and may quote the engine.
 */
MUST_USE enum err migrate_run(struct db *db, const struct embedded_file *files, struct why *why);

/* Every migration the program or the database knows, by version. In `arena`. Changes nothing. */
MUST_USE enum err migrate_status(struct arena *arena, struct db *db,
                                 const struct embedded_file *files, struct migration **list_out,
                                 size_t *count_out, struct why *why);
/* OK when nothing is pending and nothing is wrong; else as migrate_run would refuse, or
 * ERR_NOT_FOUND when migrations are pending. For processes that must not migrate. */
MUST_USE enum err migrate_check(struct db *db, const struct embedded_file *files, struct why *why);
const char *migration_state_name(enum migration_state state);
