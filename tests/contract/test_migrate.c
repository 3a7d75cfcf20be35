/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "database.h"

#include <sys/wait.h>
#include <unistd.h>

#include "store/migrate.h"

#define FILE_OF(path, text)                                                                        \
    {                                                                                              \
        (path), (text), (text) + sizeof(text) - 1                                                  \
    }

/* The same story in both dialects: people, then a column, then letters. */
static const char people[] = "CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(50));\n"
                             "INSERT INTO people VALUES (1, 'Mei');\n";
static const char ages[] = "ALTER TABLE people ADD COLUMN age BIGINT;\n"
                           "UPDATE people SET age = 30; -- all of them\n";
static const char letters[] = "CREATE TABLE letters (id BIGINT PRIMARY KEY, person_id BIGINT,\n"
                              " FOREIGN KEY (person_id) REFERENCES people (id));\n"
                              "INSERT INTO letters VALUES (1, 1);\n";
static const char ages_otherwise[] = "ALTER TABLE people ADD COLUMN age INTEGER;\n";
static const char breaks[] = "CREATE TABLE first_part (id BIGINT PRIMARY KEY);\n"
                             "INSERT INTO nowhere VALUES (1);\n";

#define BOTH_DIALECTS(file, text)                                                                  \
    FILE_OF("migrations/sqlite/" file, text), FILE_OF("migrations/mariadb/" file, text)

static const struct embedded_file none[] = {{0}};
static const struct embedded_file one[] = {BOTH_DIALECTS("0001_people.sql", people), {0}};
static const struct embedded_file three[] = {
    BOTH_DIALECTS("0001_people.sql", people),
    BOTH_DIALECTS("0002_ages.sql", ages),
    BOTH_DIALECTS("0003_letters.sql", letters),
    {0},
};
static const struct embedded_file changed[] = {
    BOTH_DIALECTS("0001_people.sql", people),
    BOTH_DIALECTS("0002_ages.sql", ages_otherwise),
    BOTH_DIALECTS("0003_letters.sql", letters),
    {0},
};
static const struct embedded_file broken[] = {
    BOTH_DIALECTS("0001_people.sql", people),
    BOTH_DIALECTS("0002_breaks.sql", breaks),
    {0},
};
/* One dialect may have a step the other does not need. */
static const struct embedded_file lopsided[] = {
    FILE_OF("migrations/sqlite/0001_people.sql", people),
    FILE_OF("migrations/mariadb/0001_people.sql", people),
    FILE_OF("migrations/mariadb/0002_ages.sql", ages),
    {0},
};

static size_t pending(struct database *d, const struct embedded_file *files)
{
    struct why why;
    struct migration *list = NULL;
    size_t count = 0, found = 0;
    must(migrate_status(&d->arena, d->db, files, &list, &count, &why), &why);
    for (size_t i = 0; i < count; i++) {
        if (list[i].state == MIGRATION_PENDING) found++;
    }
    return found;
}

static void run(struct database *d, const struct embedded_file *files, size_t wanted)
{
    struct why why;
    assert_int_equal(pending(d, files), wanted);
    must(migrate_run(d->db, files, &why), &why);
    assert_int_equal(pending(d, files), 0);
    must(migrate_check(d->db, files, &why), &why);
}

static void an_empty_database_gets_everything_once(struct database *d)
{
    struct why why;
    assert_int_equal(migrate_check(d->db, three, &why), ERR_NOT_FOUND);
    run(d, three, 3);
    run(d, three, 0);
    assert_int_equal(must_number(d->db, "SELECT age FROM people WHERE name = 'Mei'"), 30);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM letters"), 1);
}

static void later_migrations_follow_earlier_ones(struct database *d)
{
    struct why why;
    run(d, none, 0);
    run(d, one, 1);
    assert_int_equal(migrate_check(d->db, three, &why), ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "version 1"));
    assert_non_null(strstr(why.text, "version 3"));
    run(d, three, 2);
}

static void each_dialect_has_its_own_numbers(struct database *d)
{
    run(d, lopsided, d->kind == DB_SQLITE ? 1 : 2);
}

static void the_status_names_every_migration(struct database *d)
{
    struct why why;
    struct migration *list = NULL;
    size_t count = 0;
    must(migrate_status(&d->arena, d->db, three, &list, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].state, MIGRATION_PENDING);
    run(d, one, 1);
    must(migrate_status(&d->arena, d->db, three, &list, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].version, 1);
    assert_true(str_eq(list[0].name, STR("people")));
    assert_int_equal(list[0].state, MIGRATION_DONE);
    assert_true(list[0].applied_us > 1000000000000000);
    assert_int_equal(list[1].state, MIGRATION_PENDING);
    assert_int_equal(list[1].applied_us, 0);
    assert_true(str_eq(list[2].name, STR("letters")));
    run(d, three, 2);
    must(migrate_status(&d->arena, d->db, one, &list, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_int_equal(list[2].state, MIGRATION_UNKNOWN);
    assert_true(str_eq(list[2].name, STR("letters")));
    must(migrate_status(&d->arena, d->db, changed, &list, &count, &why), &why);
    assert_int_equal(list[1].state, MIGRATION_CHANGED);
    for (size_t i = MIGRATION_PENDING; i <= MIGRATION_UNKNOWN; i++) {
        assert_true(strlen(migration_state_name((enum migration_state)i)) > 3);
    }
}

static void a_newer_database_is_refused(struct database *d)
{
    struct why why;
    run(d, three, 3);
    assert_int_equal(migrate_run(d->db, one, &why), ERR_CONFLICT);
    assert_non_null(strstr(why.text, "version 3"));
    assert_non_null(strstr(why.text, "up to 1"));
    assert_int_equal(migrate_check(d->db, one, &why), ERR_CONFLICT);
}

static void a_changed_migration_is_refused(struct database *d)
{
    struct why why;
    run(d, three, 3);
    assert_int_equal(migrate_run(d->db, changed, &why), ERR_CONFLICT);
    assert_non_null(strstr(why.text, "migration 2 (ages)"));
}

static void a_hole_is_refused(struct database *d)
{
    struct why why;
    run(d, three, 3);
    must_run(d->db, "DELETE FROM schema_migrations WHERE version = 2");
    assert_int_equal(migrate_run(d->db, three, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.text, "migration 2"));
}

/* Nothing of ours writes such a number; somebody or something else has been at the table. */
static void a_number_that_is_no_version_is_refused(struct database *d)
{
    static const char *const numbers[] = {"0", "-1", "1000", "9223372036854775807"};
    struct why why;
    struct migration *list = NULL;
    size_t count = 0;
    run(d, three, 3);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct str insert = arena_printf(
            &d->arena,
            "INSERT INTO schema_migrations (version, name, checksum, state, applied_us)"
            " VALUES (%s, 'odd', 'x', 'done', 1)",
            numbers[i]);
        struct str wanted = arena_printf(&d->arena, "has a version %s", numbers[i]);
        must_run(d->db, insert.at);
        assert_int_equal(migrate_run(d->db, three, &why), ERR_CORRUPT);
        assert_non_null(strstr(why.text, wanted.at));
        assert_int_equal(migrate_check(d->db, three, &why), ERR_CORRUPT);
        assert_non_null(strstr(why.text, wanted.at));
        assert_int_equal(migrate_status(&d->arena, d->db, three, &list, &count, &why), ERR_CORRUPT);
        assert_false(db_in_transaction(d->db));
        must_run(d->db, "DELETE FROM schema_migrations WHERE name = 'odd'");
        run(d, three, 0);
    }
}

/* The last number there is room for is a version like any other. */
static void the_highest_version_is_one_of_a_newer_program(struct database *d)
{
    struct why why;
    run(d, three, 3);
    must_run(d->db, "INSERT INTO schema_migrations (version, name, checksum, state, applied_us)"
                    " VALUES (999, 'last', 'x', 'done', 1)");
    assert_int_equal(migrate_run(d->db, three, &why), ERR_CONFLICT);
    assert_non_null(strstr(why.text, "version 999"));
}

static void a_failing_migration_leaves_nothing_in_sqlite(struct database *d)
{
    struct why why;
    assert_int_equal(migrate_run(d->db, broken, &why), ERR_IO);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM people"), 1); /* the first stays */
    assert_non_null(strstr(why.text, "migration 2 (breaks): statement 2: no such table: nowhere"));
    assert_int_equal(
        must_number(d->db, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'first_part'"), 0);
    assert_int_equal(must_number(d->db, "PRAGMA foreign_keys"), 1);
    assert_false(db_in_transaction(d->db));
    run(d, three, 2); /* a mended program goes on from there */
}

static void a_failing_migration_stops_everything_in_mariadb(struct database *d)
{
    struct why why;
    assert_int_equal(migrate_run(d->db, broken, &why), ERR_IO);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM people"), 1); /* the first stays */
    assert_non_null(strstr(why.text, "migration 2 (breaks): statement 2:"));
    assert_int_equal(migrate_run(d->db, broken, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.text, "migration 2 (breaks) stopped half-way"));
    assert_non_null(strstr(why.text, "schema_migrations"));
    /* As the sentence says: finish it by hand. */
    must_run(d->db, "UPDATE schema_migrations SET state = 'done' WHERE version = 2");
    run(d, broken, 0);
}

static const char parents[] = "CREATE TABLE parents (id INTEGER PRIMARY KEY);\n"
                              "CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER"
                              " REFERENCES parents (id) ON DELETE CASCADE);\n"
                              "INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1);";
static const char rebuild[] = "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT);\n"
                              "INSERT INTO new (id) SELECT id FROM parents;\n"
                              "DROP TABLE parents; ALTER TABLE new RENAME TO parents;";
static const char orphans[] = "DELETE FROM parents;";

static void a_table_with_children_can_be_rebuilt(struct database *d)
{
    static const struct embedded_file files[] = {
        FILE_OF("migrations/sqlite/0001_parents.sql", parents),
        FILE_OF("migrations/sqlite/0002_rebuild.sql", rebuild),
        {0},
    };
    run(d, files, 2);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM children"), 1);
    struct why why;
    struct query *q = db_query_text(d->db, "INSERT INTO children VALUES (2, 99)");
    assert_int_equal(query_run(q, &why), ERR_INVALID); /* keys hold again */
}

static void a_migration_that_leaves_orphans_is_taken_back(struct database *d)
{
    static const struct embedded_file files[] = {
        FILE_OF("migrations/sqlite/0001_parents.sql", parents),
        FILE_OF("migrations/sqlite/0002_orphans.sql", orphans),
        {0},
    };
    struct why why;
    assert_int_equal(migrate_run(d->db, files, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "children"));
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM parents"), 1);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM schema_migrations"), 1);
}

/* Several programs start at the same moment; every one finds a ready database. */
static void processes_that_start_at_once_migrate_once(struct database *d)
{
    enum { PROCESSES = 6 };
    struct why why;
    int gate[2];
    pid_t pids[PROCESSES];
    struct str url = database_another(d); /* a new file: making it a WAL database races as well */
    db_close(d->db);                      /* a connection does not survive a fork */
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] > 0) continue;
        char go = 0;
        struct db *db = NULL;
        close(gate[1]);
        if (read(gate[0], &go, 1) != 0) _exit(100); /* closed: all start */
        if (db_open(url, DB_MAINTAIN, &db, &why)) _exit(101);
        if (migrate_run(db, three, &why)) {
            fprintf(stderr, "%s\n", why.text);
            _exit(102);
        }
        db_close(db);
        _exit(0);
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0); /* a second migration would have failed */
    }
    must(db_open(url, DB_WRITE, &d->db, &why), &why);
    run(d, three, 0);
}

static void what_the_program_carries_can_be_applied(struct database *d)
{
    struct why why;
    must(migrate_run(d->db, embedded_files, &why), &why);
    must(migrate_check(d->db, embedded_files, &why), &why);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(an_empty_database_gets_everything_once),
        DATABASE_TEST(later_migrations_follow_earlier_ones),
        DATABASE_TEST(each_dialect_has_its_own_numbers),
        DATABASE_TEST(the_status_names_every_migration),
        DATABASE_TEST(a_newer_database_is_refused),
        DATABASE_TEST(a_changed_migration_is_refused),
        DATABASE_TEST(a_hole_is_refused),
        DATABASE_TEST(a_number_that_is_no_version_is_refused),
        DATABASE_TEST(the_highest_version_is_one_of_a_newer_program),
        DATABASE_TEST_SQLITE(a_failing_migration_leaves_nothing_in_sqlite),
        DATABASE_TEST_MARIADB(a_failing_migration_stops_everything_in_mariadb),
        DATABASE_TEST_SQLITE(a_table_with_children_can_be_rebuilt),
        DATABASE_TEST_SQLITE(a_migration_that_leaves_orphans_is_taken_back),
        DATABASE_TEST(processes_that_start_at_once_migrate_once),
        DATABASE_TEST(what_the_program_carries_can_be_applied),
    };
    return database_run_tests("migrate", tests, COUNT_OF(tests));
}
