/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/migrate.h"

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

/* MIGRATIONS_MAX: one in a release, for centuries. */
enum { WAIT_S = 600, LOCK_TRY_S = 20, MIGRATIONS_MAX = 999 };
enum { CHECKSUM_CHARS = 2 * crypto_hash_sha256_BYTES };

/* One version, as the program knows it and as the database does. */
struct entry {
    struct migration migration;
    struct str text;     /* the program's; NULL: unknown to it */
    struct str checksum; /* of the applied text; NULL: not applied */
    struct str applied_name;
};

struct plan {
    struct arena arena;
    struct entry *entries; /* by version, from 1; in the arena */
    size_t known, applied, count;
};

static void checksum_of(struct str text, char to[CHECKSUM_CHARS + 1])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)text.at, text.len);
    hex_write(to, hash, sizeof(hash));
}

/* Version and name out of "migrations/DIALECT/0001_name.sql"; false: for the other dialect. */
static bool parse_path(const char *path, enum db_kind kind, uint64_t *version_out,
                       struct str *name_out)
{
    struct str rest = str_of(path);
    struct str prefix = kind == DB_SQLITE ? STR("migrations/sqlite/") : STR("migrations/mariadb/");
    if (!str_starts(rest, prefix)) return false;
    rest = str_from(rest, prefix.len);
    size_t line = str_find_byte(rest, '_');
    ASSERT(str_ends(rest, STR(".sql")));
    ASSERT(str_to_u64(str_head(rest, line), version_out));
    *name_out = str_head(str_from(rest, line + 1), rest.len - line - 1 - 4);
    return true;
}

static enum err table_exists(struct db *db, bool *exists_out, struct why *why)
{
    struct query *q = db_query(db, SQL_MIGRATIONS_EXIST);
    *exists_out = query_next(q);
    return query_end(q, why);
}

static size_t count_files(enum db_kind kind, const struct embedded_file *files)
{
    size_t count = 0;
    uint64_t version = 0;
    struct str name;
    for (; files->path; files++) {
        if (!parse_path(files->path, kind, &version, &name)) continue;
        count++;
        ASSERT(version == count); /* numbered without gaps, and sorted */
    }
    ASSERT(count <= MIGRATIONS_MAX);
    return count;
}

static struct entry *entry_at(struct plan *plan, uint64_t version)
{
    ASSERT(version >= 1 && version <= plan->count);
    return &plan->entries[version - 1];
}

static enum migration_state state_of(const struct entry *entry, struct str said)
{
    char checksum[CHECKSUM_CHARS + 1];
    if (entry->checksum.at == NULL) return MIGRATION_PENDING;
    if (!str_eq(said, STR("done"))) return MIGRATION_HALF;
    if (entry->text.at == NULL) return MIGRATION_UNKNOWN;
    checksum_of(entry->text, checksum);
    return str_eq(entry->checksum, str_of(checksum)) ? MIGRATION_DONE : MIGRATION_CHANGED;
}

static void add_applied(struct plan *plan, struct query *q)
{
    uint64_t version = query_get_u64(q, 0);
    while (plan->count < version) {
        plan->entries[plan->count].migration.version = plan->count + 1;
        plan->count++;
    }
    struct entry *entry = entry_at(plan, version);
    entry->applied_name = arena_copy(&plan->arena, query_get_str(q, 1));
    entry->checksum = arena_copy(&plan->arena, query_get_str(q, 2));
    entry->migration.state = state_of(entry, query_get_str(q, 3));
    entry->migration.applied_us = query_get_i64(q, 4);
    if (entry->text.at == NULL) entry->migration.name = entry->applied_name;
    plan->applied++;
}

static enum err load_applied(struct plan *plan, struct db *db, struct why *why)
{
    int64_t odd = 1; /* the last that is no version; 1 is one, so it says "none" */
    struct query *q = db_query(db, SQL_MIGRATIONS_ALL);
    while (query_next(q)) {
        int64_t version = query_get_i64(q, 0);
        if (version >= 1 && version <= MIGRATIONS_MAX) {
            add_applied(plan, q);
        } else {
            odd = version;
        }
    }
    enum err err = query_end(q, why);
    if (err || odd == 1) return err;
    return why_set(why, ERR_CORRUPT,
                   "the table schema_migrations has a version %lld, and versions go from 1 to %d: "
                   "something else has written there; restore a backup, or remove that row if "
                   "you know where it came from",
                   (long long)odd, MIGRATIONS_MAX);
}

/* Both sides' migrations, in plan->entries. */
static enum err load(struct plan *plan, struct db *db, const struct embedded_file *files,
                     struct why *why)
{
    enum db_kind kind = db_kind(db);
    plan->known = plan->count = count_files(kind, files);
    plan->applied = 0;
    plan->entries = ARENA_ARRAY(&plan->arena, struct entry, MIGRATIONS_MAX);
    for (; files->path; files++) {
        uint64_t version = 0;
        struct str name;
        if (!parse_path(files->path, kind, &version, &name)) continue;
        struct entry *entry = entry_at(plan, version);
        entry->migration = (struct migration){.version = version, .name = name};
        entry->text = (struct str){files->at, (size_t)(files->end - files->at)};
    }
    bool exists = false;
    enum err err = table_exists(db, &exists, why);
    if (err || !exists) return err;
    return load_applied(plan, db, why);
}

/* Is what the database says consistent with what the program has? */
static enum err check(const struct plan *plan, struct why *why)
{
    if (plan->count > plan->known) {
        return why_set(why, ERR_CONFLICT,
                       "the database is newer than this program: it is at version %zu, the program "
                       "knows versions up to %zu; start the newer program or restore a backup",
                       plan->count, plan->known);
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct entry *entry = &plan->entries[i];
        const struct migration *m = &entry->migration;
        switch (m->state) {
        case MIGRATION_DONE: break;
        case MIGRATION_PENDING:
            if (i >= plan->applied) break;
            return why_set(why, ERR_CORRUPT,
                           "migration %zu was never applied to this database, but a later one was; "
                           "restore a backup",
                           i + 1);
        case MIGRATION_HALF:
            return why_set(why, ERR_CORRUPT,
                           "migration %zu (%.*s) stopped half-way, and this engine cannot undo it: "
                           "restore the backup made before, or finish its statements by hand and "
                           "set its state to 'done' in schema_migrations",
                           i + 1, STR_ARGS(m->name));
        case MIGRATION_CHANGED:
            return why_set(why, ERR_CONFLICT,
                           "migration %zu (%.*s) was applied with another text than this program "
                           "has (checksum %.12s… in the database): it is not the program that made "
                           "this database",
                           i + 1, STR_ARGS(m->name), entry->checksum.at);
        case MIGRATION_UNKNOWN: break; /* counted above */
        }
    }
    return OK;
}

static enum err write_down(struct db *db, const struct entry *entry, const char *state,
                           struct why *why)
{
    char checksum[CHECKSUM_CHARS + 1];
    checksum_of(entry->text, checksum);
    struct query *q = db_query(db, SQL_MIGRATION_ADD);
    query_u64(q, entry->migration.version);
    query_str(q, entry->migration.name);
    query_str(q, str_of(checksum));
    query_str(q, str_of(state));
    query_i64(q, clock_wall_us());
    return query_run(q, why);
}

static enum err run_script(struct db *db, const struct entry *entry, struct why *why)
{
    const struct migration *m = &entry->migration;
    struct why said;
    enum err err = db_script(db, entry->text, &said);
    if (err) {
        return why_set(why, err, "migration %llu (%.*s): %s", (unsigned long long)m->version,
                       STR_ARGS(m->name), said.text);
    }
    log_info("migration_applied", "version=%llu name=%.*s", (unsigned long long)m->version,
             STR_ARGS(m->name));
    return OK;
}

/* SQLite. */

/* Like db_begin, but as patient as another process's migration may need. */
static enum err begin_patiently(struct db *db, struct why *why)
{
    int64_t until_us = clock_mono_us() + (int64_t)WAIT_S * 1000 * 1000;
    for (;;) {
        enum err err = db_begin(db, why);
        if (err != ERR_BUSY) return err;
        if (clock_mono_us() > until_us) {
            return why_set(why, ERR_BUSY, "another process keeps the database locked");
        }
    }
}

static enum err check_foreign_keys(struct db *db, const struct entry *entry, struct why *why)
{
    struct query *q = db_query_text(db, "PRAGMA foreign_key_check");
    bool broken = query_next(q);
    struct str table = broken ? query_get_str(q, 0) : STR("");
    const struct migration *m = &entry->migration;
    if (broken) {
        why_set(why, ERR_INVALID, "migration %llu (%.*s) leaves rows of %.*s that refer to nothing",
                (unsigned long long)m->version, STR_ARGS(m->name), STR_ARGS(table));
    }
    struct why said;
    enum err err = query_end(q, &said);
    if (err) *why = said;
    return err ? err : broken ? ERR_INVALID : OK;
}

/* One pending migration in one transaction. `*more_out`: there was one. */
static enum err sqlite_step(struct db *db, const struct embedded_file *files, bool *more_out,
                            struct why *why)
{
    struct plan plan = {0};
    *more_out = false;
    enum err err = begin_patiently(db, why);
    if (err) return err;
    /* What another process did while we waited shows inside the lock only. */
    err = query_run(db_query(db, SQL_MIGRATIONS_CREATE), why);
    if (!err) err = load(&plan, db, files, why);
    if (!err) err = check(&plan, why);
    if (err || plan.applied == plan.known) goto out;
    const struct entry *next = &plan.entries[plan.applied];
    err = run_script(db, next, why);
    if (!err) err = check_foreign_keys(db, next, why);
    if (!err) err = write_down(db, next, "done", why);
    *more_out = !err;
out:
    if (err) {
        db_rollback(db);
    } else {
        err = db_commit(db, why);
    }
    arena_release(&plan.arena);
    return err;
}

static enum err sqlite_run(struct db *db, const struct embedded_file *files, struct why *why)
{
    /* A table is rebuilt by dropping the old one, which would take its children along. Has an
     * effect outside of transactions only. */
    enum err err = db_script(db, STR("PRAGMA foreign_keys=OFF"), why);
    bool more = true;
    while (!err && more) {
        err = sqlite_step(db, files, &more, why);
    }
    struct why said;
    enum err on = db_script(db, STR("PRAGMA foreign_keys=ON"), &said);
    if (!err && on) *why = said;
    return err ? err : on;
}

/* MariaDB. */

static enum err lock(struct db *db, struct why *why)
{
    /* In small portions: an ordinary connection waits 30 s for an answer and no longer. */
    for (int waited_s = 0; waited_s < WAIT_S; waited_s += LOCK_TRY_S) {
        struct query *q = db_query(db, SQL_MIGRATIONS_LOCK);
        query_i64(q, LOCK_TRY_S);
        bool got = query_next(q) && query_get_i64(q, 0) == 1;
        enum err err = query_end(q, why);
        if (err) return err;
        if (got) return OK;
    }
    return why_set(why, ERR_BUSY, "another process keeps migrating this database");
}

static void unlock(struct db *db)
{
    struct why why;
    enum err err = query_run(db_query(db, SQL_MIGRATIONS_UNLOCK), &why);
    if (err) log_warn("migration_unlock_failed", "error=%s", err_name(err)); /* ends with us */
}

static enum err mariadb_step(struct db *db, const struct entry *entry, struct why *why)
{
    enum err err = write_down(db, entry, "running", why);
    if (err) return err;
    err = run_script(db, entry, why);
    if (err) return err;
    struct query *q = db_query(db, SQL_MIGRATION_DONE);
    query_i64(q, clock_wall_us());
    query_u64(q, entry->migration.version);
    return query_run(q, why);
}

static enum err mariadb_run(struct db *db, const struct embedded_file *files, struct why *why)
{
    struct plan plan = {0};
    enum err err = lock(db, why);
    if (err) return err;
    err = query_run(db_query(db, SQL_MIGRATIONS_CREATE), why);
    if (!err) err = load(&plan, db, files, why);
    if (!err) err = check(&plan, why);
    for (size_t i = plan.applied; !err && i < plan.known; i++) {
        err = mariadb_step(db, &plan.entries[i], why);
    }
    unlock(db);
    arena_release(&plan.arena);
    return err;
}

/* For both. */

enum err migrate_run(struct db *db, const struct embedded_file *files, struct why *why)
{
    ASSERT(!db_in_transaction(db));
    switch (db_kind(db)) {
    case DB_SQLITE: return sqlite_run(db, files, why);
    case DB_MARIADB: return mariadb_run(db, files, why);
    }
    ASSERT(false);
    return ERR_INVALID;
}

enum err migrate_status(struct arena *arena, struct db *db, const struct embedded_file *files,
                        struct migration **list_out, size_t *count_out, struct why *why)
{
    struct plan plan = {0};
    enum err err = load(&plan, db, files, why);
    if (!err) {
        *count_out = plan.count;
        *list_out = ARENA_ARRAY(arena, struct migration, plan.count + 1);
        for (size_t i = 0; i < plan.count; i++) {
            (*list_out)[i] = plan.entries[i].migration;
            (*list_out)[i].name = arena_copy(arena, plan.entries[i].migration.name);
        }
    }
    arena_release(&plan.arena);
    return err;
}

enum err migrate_check(struct db *db, const struct embedded_file *files, struct why *why)
{
    struct plan plan = {0};
    enum err err = load(&plan, db, files, why);
    if (!err) err = check(&plan, why);
    if (!err && plan.applied < plan.known) {
        err = why_set(why, ERR_NOT_FOUND,
                      "the database is at version %zu and this program needs version %zu: "
                      "run hutong db migrate",
                      plan.applied, plan.known);
    }
    arena_release(&plan.arena);
    return err;
}

const char *migration_state_name(enum migration_state state)
{
    static const char *const names[] = {
        [MIGRATION_PENDING] = "pending",
        [MIGRATION_DONE] = "applied",
        [MIGRATION_HALF] = "stopped half-way",
        [MIGRATION_CHANGED] = "applied with another text",
        [MIGRATION_UNKNOWN] = "unknown to this program",
    };
    ASSERT((size_t)state < COUNT_OF(names));
    return names[state];
}
