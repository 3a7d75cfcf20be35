/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "database.h"

#include <ftw.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "mariadb.h"

enum { OTHERS_MAX = 8 };

/* What cmocka hands to a test's setup: which test, on which engine. */
struct planned {
    const struct database_test *test;
    enum db_kind kind;
    char name[128];
};

struct holder {
    struct database database;
    const struct database_test *test;
    struct str others[OTHERS_MAX]; /* MariaDB: further databases to drop */
    size_t other_count;
};

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static struct str new_place(struct database *database, const char *name)
{
    if (database->kind == DB_MARIADB) return mariadb_new_database(&database->arena);
    return arena_printf(&database->arena, "sqlite:%s/%s", database->dir, name);
}

void must(enum err err, const struct why *why)
{
    if (err) fail_msg("%s: %s", err_name(err), why->text);
}

struct db *database_connect(struct database *database, enum db_mode mode)
{
    struct db *db = NULL;
    struct why why;
    must(db_open(database->url, mode, &db, &why), &why);
    return db;
}

struct str database_another(struct database *database)
{
    struct holder *holder = CONTAINER_OF(database, struct holder, database);
    char name[32];
    snprintf(name, sizeof(name), "other%zu.db", holder->other_count);
    assert_true(holder->other_count < OTHERS_MAX);
    struct str url = new_place(database, name);
    holder->others[holder->other_count++] = url;
    return url;
}

const char *database_words(const struct database *database, const char *sqlite, const char *mariadb)
{
    return database->kind == DB_SQLITE ? sqlite : mariadb;
}

struct str database_path(struct database *database, const char *name)
{
    return arena_printf(&database->arena, "%s/%s", database->dir, name);
}

void must_script(struct db *db, const char *text)
{
    struct why why;
    must(db_script(db, str_of(text), &why), &why);
}

void must_run(struct db *db, const char *text)
{
    struct why why;
    must(query_run(db_query_text(db, text), &why), &why);
}

int64_t must_number(struct db *db, const char *text)
{
    struct why why;
    struct query *q = db_query_text(db, text);
    int64_t value = query_next(q) ? query_get_i64(q, 0) : INT64_MIN;
    must(query_end(q, &why), &why);
    return value;
}

static int setup(void **state)
{
    const struct planned *planned = *state;
    struct holder *holder = NEW(struct holder);
    struct database *database = &holder->database;
    holder->test = planned->test;
    database->kind = planned->kind;
    const char *tmp = getenv("TMPDIR");
    snprintf(database->dir, sizeof(database->dir), "%.40s/hutong-test-XXXXXX", tmp ? tmp : "/tmp");
    if (mkdtemp(database->dir) == NULL) return -1;
    database->url = new_place(database, "first.db");
    database->db = database_connect(database, DB_WRITE);
    *state = database;
    return 0;
}

static int teardown(void **state)
{
    struct database *database = *state;
    struct holder *holder = CONTAINER_OF(database, struct holder, database);
    db_close(database->db);
    if (database->kind == DB_MARIADB) {
        mariadb_drop_database(database->url);
        for (size_t i = 0; i < holder->other_count; i++) {
            mariadb_drop_database(holder->others[i]);
        }
    }
    nftw(database->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_release(&database->arena);
    mem_free(holder);
    return 0;
}

static void run_one(void **state)
{
    struct database *database = *state;
    CONTAINER_OF(database, struct holder, database)->test->run(database);
}

static int run_engine(const char *suite, enum db_kind kind, const struct database_test *tests,
                      size_t count)
{
    static const char *const engines[] = {[DB_SQLITE] = "sqlite", [DB_MARIADB] = "mariadb"};
    struct planned *plan = mem_alloc(sizeof(*plan) * count);
    struct CMUnitTest *units = mem_alloc(sizeof(*units) * count);
    size_t planned = 0;
    for (size_t i = 0; i < count; i++) {
        if ((tests[i].engines & 1u << kind) == 0) continue;
        struct planned *p = &plan[planned];
        *p = (struct planned){.test = &tests[i], .kind = kind};
        snprintf(p->name, sizeof(p->name), "%s: %s", engines[kind], tests[i].name);
        units[planned++] = (struct CMUnitTest){p->name, run_one, setup, teardown, p};
    }
    int failed = _cmocka_run_group_tests(suite, units, planned, NULL, NULL);
    mem_free(units);
    mem_free(plan);
    return failed;
}

int database_run_tests(const char *suite, const struct database_test *tests, size_t count)
{
    struct why why;
    enum log_level level = getenv("HUTONG_TEST_LOG") ? LOG_DEBUG : LOG_ERROR;
    if (log_open(NULL, level, &why)) return 1;
    int failed =
        run_engine(suite, DB_SQLITE, tests, count) + run_engine(suite, DB_MARIADB, tests, count);
    mariadb_stop();
    return failed;
}
