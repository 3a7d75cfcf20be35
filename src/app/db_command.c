/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/db_command.c: `hutong db`: migrate, look at, back up and restore the database. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "app/page.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/backup.h"
#include "store/checksum.h"
#include "store/db_url.h"
#include "store/inspect.h"
#include "store/migrate.h"

/* A signal flag: Ctrl-C ends a copy cleanly; a second one ends the process. */
static volatile sig_atomic_t stop_asked;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static void catch_stop(void)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* One `hutong db` at work. */
struct errand {
    struct args *args;
    struct arena *arena;
    struct str url;
    const char *place; /* the URL without password */
};

static bool tell(void *ctx, uint64_t done, uint64_t total)
{
    progress_tell(ctx, done, total);
    return !stop_asked;
}

/* A field and what it says, wrapped. */
static void field(const char *name, const char *text)
{
    printf("%-11s", name);
    page_wrap(str_of(text), 11, 11);
}

/* Where a database comes to be that there may not be yet. */
static enum err make_place(const struct errand *errand, struct why *why)
{
    bool here = str_starts(errand->url, STR("sqlite:"));
    return here ? open_data_folder(&errand->args->settings, why) : OK;
}

/* --- migrate, status --- */

static size_t count_done(const struct migration *list, size_t count)
{
    size_t done = 0;
    for (size_t i = 0; i < count; i++) done += list[i].state == MIGRATION_DONE;
    return done;
}

static int migrate(struct errand *errand)
{
    struct db *db = NULL;
    struct migration *before, *after;
    size_t before_count, after_count, applied = 0;
    struct why why;
    enum err err = make_place(errand, &why);
    if (!err) err = db_open(errand->url, DB_MAINTAIN, &db, &why);
    if (err) return fail(&why);
    err = migrate_status(errand->arena, db, embedded_files, &before, &before_count, &why);
    if (!err) err = migrate_run(db, embedded_files, &why);
    if (!err) err = migrate_status(errand->arena, db, embedded_files, &after, &after_count, &why);
    db_close(db);
    if (err) return fail(&why);
    for (size_t i = 0; i < after_count; i++) {
        if (i < before_count && before[i].state == MIGRATION_DONE) continue;
        printf("applied %llu %.*s\n", (unsigned long long)after[i].version,
               STR_ARGS(after[i].name));
        applied++;
    }
    printf("%s is %s version %zu\n", errand->place, applied ? "now at" : "already at",
           count_done(after, after_count));
    return 0;
}

static void print_migration(const struct migration *migration)
{
    char when[CLOCK_ISO_BYTES];
    printf("%7llu  %-24.*s  ", (unsigned long long)migration->version, STR_ARGS(migration->name));
    if (migration->applied_us == 0) {
        puts(migration_state_name(migration->state));
        return;
    }
    clock_iso_short(migration->applied_us, when);
    printf("%-16s  %sZ\n", migration_state_name(migration->state), when);
}

static int status(struct errand *errand)
{
    struct db *db = NULL;
    struct migration *list = NULL;
    size_t count = 0;
    struct why why, verdict;
    enum err err = open_to_look(&errand->args->settings, &db, &why);
    if (err) return fail(&why);
    err = migrate_status(errand->arena, db, embedded_files, &list, &count, &why);
    enum err found = err ? err : migrate_check(db, embedded_files, &verdict);
    db_close(db);
    if (err) return fail(&why);
    printf("%s\n\nversion  %-24s  state\n", errand->place, "name");
    for (size_t i = 0; i < count; i++) print_migration(&list[i]);
    putchar('\n');
    page_wrap(str_of(found ? verdict.text : "The database is up to date."), 0, 0);
    return found ? 1 : 0;
}

/* --- backup, restore, check --- */

static const char *describe(struct arena *arena, const struct backup_info *info)
{
    return arena_printf(arena, "%s, %s, %s", page_count(arena, info->tables, "table"),
                        page_count(arena, info->rows, "row"), page_bytes(arena, info->bytes))
        .at;
}

static const char *kind_name(enum db_kind kind)
{
    return kind == DB_SQLITE ? "SQLite" : "MariaDB";
}

/* What is known of the backup's bytes. */
static void field_checksum(struct errand *errand, const char *path, const struct backup_info *info)
{
    const char *sum = checksum_path(errand->arena, path);
    struct str text =
        info->summed
            ? arena_printf(errand->arena, "as in %s", sum)
            : arena_printf(errand->arena,
                           "none: with %s beside it, damage inside a text would show", sum);
    field("checksum", text.at);
}

static int backup(struct errand *errand, const char *path)
{
    struct backup_info info;
    struct why why;
    struct progress progress = {.what = "copying"};
    struct db *db = NULL;
    enum err err =
        open_to_look(&errand->args->settings, &db, &why); /* says it better when nothing is there */
    if (err) return fail(&why);
    db_close(db);
    int64_t began_us = clock_mono_us();
    err = backup_write(errand->url, path, &info, &why, tell, &progress);
    progress_end(&progress);
    if (err) return fail(&why);
    field("backup", path);
    field("of", errand->place);
    field("holds", describe(errand->arena, &info));
    field("verified", "read again and compared with what was copied");
    field("checksum", arena_printf(errand->arena, "in %s", checksum_path(errand->arena, path)).at);
    field("took", page_duration(errand->arena, clock_mono_us() - began_us));
    return 0;
}

/* How far the restored database is from this program; no reason to fail: it is back. */
static const char *version_note(struct errand *errand)
{
    struct db *db = NULL;
    struct why *why = ARENA_NEW(errand->arena, struct why);
    enum err err = db_open(errand->url, DB_LOOK, &db, why);
    if (!err) err = migrate_check(db, embedded_files, why);
    db_close(db);
    return err ? why->text : "up to date";
}

/* Any program's SQLite file begins as our backups do. Others than those are told off elsewhere. */
static bool is_foreign(struct errand *errand, const char *path)
{
    struct db *db = NULL;
    struct why why;
    if (db_open(arena_printf(errand->arena, "sqlite:%s", path), DB_LOOK, &db, &why)) return false;
    struct query *q = db_query_text(
        db,
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'");
    bool missing = query_next(q) && query_get_u64(q, 0) == 0;
    bool foreign = query_end(q, &why) == OK && missing;
    db_close(db);
    return foreign;
}

static int tell_foreign(const char *path)
{
    struct why why;
    why_set(&why, ERR_CORRUPT, "%s is no backup of a community", path);
    return fail(&why);
}

/* How much of a path is there: 8 of "/srv/new/deep" where only "/srv/new" is. */
static size_t length_there(struct str path)
{
    char part[4096];
    size_t there = 0;
    for (size_t i = 1; i <= path.len && i < sizeof(part); i++) {
        if (i < path.len && path.at[i] != '/') continue;
        str_copy(part, sizeof(part), str_head(path, i));
        if (access(part, F_OK) == 0) there = i;
    }
    return there;
}

/* Folders that a failed restore has made are no community: gone again, if nothing is in them. */
static void unmake_folders(struct str path, size_t was_there)
{
    char part[4096];
    for (size_t i = MIN(path.len, sizeof(part) - 1); i > was_there; i--) {
        if (i < path.len && path.at[i] != '/') continue;
        str_copy(part, sizeof(part), str_head(path, i));
        (void)rmdir(part);
    }
}

static int restore(struct errand *errand, const char *path)
{
    struct backup_info info;
    struct why why;
    struct progress progress = {.what = "restoring"};
    int64_t began_us = clock_mono_us();
    if (is_foreign(errand, path)) return tell_foreign(path);
    const struct settings *settings = &errand->args->settings;
    size_t data_there = length_there(settings->data_dir);
    size_t upload_there = length_there(settings->upload_dir);
    enum err err = make_place(errand, &why);
    if (!err) err = backup_restore(path, errand->url, &info, &why, tell, &progress);
    progress_end(&progress);
    if (err) {
        unmake_folders(settings->upload_dir, upload_there);
        unmake_folders(settings->data_dir, data_there);
        return fail(&why);
    }
    field("restored", errand->place);
    field("from", path);
    field("holds", describe(errand->arena, &info));
    field_checksum(errand, path, &info);
    field("schema", version_note(errand));
    field("took", page_duration(errand->arena, clock_mono_us() - began_us));
    return 0;
}

static int check_file(struct errand *errand, const char *path)
{
    struct backup_info info;
    struct why why;
    int64_t began_us = clock_mono_us();
    enum err err = backup_check(path, &info, &why);
    if (err) return fail(&why);
    if (info.kind == DB_SQLITE && is_foreign(errand, path)) return tell_foreign(path);
    field("backup", path);
    field("of", kind_name(info.kind));
    field("holds", describe(errand->arena, &info));
    field("sound", "yes, all of it was read");
    field_checksum(errand, path, &info);
    field("took", page_duration(errand->arena, clock_mono_us() - began_us));
    return 0;
}

static int check_database(struct errand *errand)
{
    struct db *db = NULL;
    struct why schema, sound, why;
    bool whole;
    int64_t began_us = clock_mono_us();
    enum err err = open_to_look(&errand->args->settings, &db, &why);
    if (err) return fail(&why);
    enum err unsound = inspect_run(db, 0, &whole, &sound);
    enum err outdated = migrate_check(db, embedded_files, &schema);
    bool sqlite = db_kind(db) == DB_SQLITE;
    db_close(db);
    field("database", errand->place);
    field("sound", unsound  ? sound.text
                   : sqlite ? "yes: pages, indexes, references"
                            : "yes: every table");
    field("schema", outdated ? schema.text : "up to date");
    field("took", page_duration(errand->arena, clock_mono_us() - began_us));
    return unsound || outdated ? 1 : 0;
}

int run_db(struct args *args)
{
    static const struct {
        const char *name;
        int (*run)(struct errand *errand);
        int (*run_file)(struct errand *errand, const char *path);
    } verbs[] = {{"migrate", migrate, NULL},
                 {"status", status, NULL},
                 {"backup", NULL, backup},
                 {"restore", NULL, restore},
                 {"check", check_database, check_file}};
    struct errand errand = {.args = args,
                            .arena = &args->arena,
                            .url = args->settings.database,
                            .place = db_url_public(&args->arena, args->settings.database).at};
    struct why why;
    /* The sentences say it all; the lines of a server's log would stand between them. */
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why);
    umask(0077); /* a backup holds everything */
    catch_stop();
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (args->word_count == 0 || strcmp(args->words[0], verbs[i].name) != 0) continue;
        if (args->word_count == 1 && verbs[i].run) return verbs[i].run(&errand);
        if (args->word_count == 2 && verbs[i].run_file && args->words[1][0] == '\0') {
            return usage_error("db %s needs one FILE, and \"\" names none", verbs[i].name);
        }
        if (args->word_count == 2 && verbs[i].run_file) {
            return verbs[i].run_file(&errand, args->words[1]);
        }
        return usage_error("db %s %s", verbs[i].name,
                           verbs[i].run_file ? "needs one FILE" : "takes nothing behind it");
    }
    return usage_error("db: say migrate, status, backup FILE, restore FILE or check [FILE]");
}
