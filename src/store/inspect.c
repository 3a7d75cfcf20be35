/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/inspect.h"

#include <sqlite3.h>

#include "base/clock.h"
#include "store/internal.h"

enum { LOOK_EVERY = 10000 }; /* steps of SQLite's machine: about a millisecond */

struct deadline {
    int64_t at_us; /* monotonic; 0: none */
    bool passed;
};

static int is_over(void *ctx)
{
    struct deadline *deadline = ctx;
    deadline->passed = clock_mono_us() >= deadline->at_us;
    return deadline->passed;
}

/* SQLite. */

static enum err check_pages(struct db *db, const char *text, struct why *why)
{
    struct query *q = db_query_text(db, text);
    char said[200] = "";
    if (query_next(q)) str_copy(said, sizeof(said), query_get_str(q, 0));
    enum err err = query_end(q, why);
    if (err || strcmp(said, "ok") == 0) return err;
    return why_set(why, ERR_CORRUPT, "the database is damaged: %s", said);
}

static enum err check_references(struct db *db, struct why *why)
{
    struct query *q = db_query_text(db, "PRAGMA foreign_key_check");
    char table[100] = "";
    if (query_next(q)) str_copy(table, sizeof(table), query_get_str(q, 0));
    enum err err = query_end(q, why);
    if (err || table[0] == '\0') return err;
    return why_set(why, ERR_CORRUPT, "rows of the table %s refer to nothing", table);
}

static enum err inspect_sqlite(struct db *db, struct deadline *deadline, struct why *why)
{
    if (deadline->at_us == 0) {
        enum err err = check_pages(db, "PRAGMA integrity_check(1)", why);
        return err ? err : check_references(db, why);
    }
    sqlite3_progress_handler(db_sqlite_handle(db), LOOK_EVERY, is_over, deadline);
    enum err err = check_pages(db, "PRAGMA quick_check(1)", why);
    sqlite3_progress_handler(db_sqlite_handle(db), 0, NULL, NULL);
    return deadline->passed ? OK : err; /* stopped by us, which the engine reports as a failure */
}

/* MariaDB. */

struct table_name {
    struct table_name *next;
    const char *text; /* quoted */
};

static enum err list_tables(struct arena *arena, struct db *db, struct table_name **list_out,
                            struct why *why)
{
    struct query *q = db_query_text(
        db, "SELECT CONCAT('`', REPLACE(table_name, '`', '``'), '`') FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name");
    while (query_next(q)) {
        struct table_name *name = ARENA_NEW(arena, struct table_name);
        name->text = arena_copy(arena, query_get_str(q, 0)).at;
        name->next = NULL;
        *list_out = name;
        list_out = &name->next;
    }
    return query_end(q, why);
}

/* Rows of (table, "check", kind of message, message); the last one is the verdict. */
static enum err check_table(struct arena *arena, struct db *db, const char *name, struct why *why)
{
    /* A name cannot be a parameter; the server itself quoted this one. */
    struct query *q = db_query_text(db, arena_printf(arena, "CHECK TABLE %s", name).at);
    char said[200] = "no answer";
    bool sound = false;
    while (query_next(q)) {
        struct str kind = query_get_str(q, 2), message = query_get_str(q, 3);
        bool bad = str_eq(kind, STR("error")) || str_eq(kind, STR("warning"));
        sound = str_eq(kind, STR("status")) && str_eq(message, STR("OK"));
        if (bad || (!sound && str_eq(kind, STR("status")))) str_copy(said, sizeof(said), message);
    }
    enum err err = query_end(q, why);
    if (err || sound) return err;
    return why_set(why, ERR_CORRUPT, "the table %s is damaged: %s", name, said);
}

static enum err inspect_mariadb(struct db *db, struct deadline *deadline, struct why *why)
{
    struct arena arena = {0};
    struct table_name *at = NULL;
    enum err err = list_tables(&arena, db, &at, why);
    for (; !err && at; at = at->next) {
        if (deadline->at_us && is_over(deadline)) break;
        err = check_table(&arena, db, at->text, why);
    }
    arena_release(&arena);
    return err;
}

enum err inspect_run(struct db *db, int64_t at_most_us, bool *whole_out, struct why *why)
{
    ASSERT(at_most_us >= 0 && !db_in_transaction(db));
    struct deadline deadline = {.at_us = at_most_us ? clock_mono_us() + at_most_us : 0};
    enum err err = OK;
    switch (db_kind(db)) {
    case DB_SQLITE: err = inspect_sqlite(db, &deadline, why); break;
    case DB_MARIADB: err = inspect_mariadb(db, &deadline, why); break;
    }
    *whole_out = !deadline.passed;
    return err;
}
