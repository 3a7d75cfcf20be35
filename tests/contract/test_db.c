/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What store/db.h promises, on both engines. */
#include "database.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/internal.h"

enum { WAIT_US = 10 * 1000 * 1000, POLL_US = 5000 };

static void make_things(struct database *d)
{
    must_script(d->db,
                database_words(d,
                               "CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                               " name TEXT UNIQUE, number INTEGER, real_number REAL,"
                               " bytes BLOB, body TEXT) STRICT;"
                               "CREATE TABLE parts (id INTEGER PRIMARY KEY, thing_id INTEGER"
                               " NOT NULL REFERENCES things (id), size INTEGER"
                               " CHECK (size > 0)) STRICT;",
                               "CREATE TABLE things (id BIGINT PRIMARY KEY AUTO_INCREMENT,"
                               " name VARCHAR(100) UNIQUE, number BIGINT, real_number DOUBLE,"
                               " bytes LONGBLOB, body LONGTEXT) ENGINE=InnoDB;"
                               "CREATE TABLE parts (id BIGINT PRIMARY KEY AUTO_INCREMENT,"
                               " thing_id BIGINT NOT NULL,"
                               " size BIGINT CHECK (size > 0),"
                               " FOREIGN KEY (thing_id) REFERENCES things (id))"
                               " ENGINE=InnoDB;"));
}

static enum err add_thing(struct db *db, const char *name, int64_t number, struct why *why)
{
    struct query *q = db_query_text(db, "INSERT INTO things (name, number) VALUES (?, ?)");
    query_str(q, str_of(name));
    query_i64(q, number);
    return query_run(q, why);
}

static int64_t count_things(struct db *db)
{
    return must_number(db, "SELECT COUNT(*) FROM things");
}

static void assert_str(struct str got, struct str wanted)
{
    assert_int_equal(got.len, wanted.len);
    if (wanted.len > 0) assert_memory_equal(got.at, wanted.at, wanted.len);
}

/* Values. */

static void numbers_come_back_to_the_last_bit(struct database *d)
{
    static const int64_t numbers[] = {
        0, 1, -1, 255, 256, 1LL << 31, -(1LL << 31), 1LL << 53, INT64_MAX, INT64_MIN};
    struct why why;
    make_things(d);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct query *q = db_query_text(d->db, "INSERT INTO things (number) VALUES (?)");
        query_i64(q, numbers[i]);
        must(query_run(q, &why), &why);
        assert_int_equal(db_last_id(d->db), i + 1);
        q = db_query_text(d->db, "SELECT number FROM things WHERE id = ? AND number = ?");
        query_u64(q, i + 1);
        query_i64(q, numbers[i]);
        assert_true(query_next(q));
        assert_true(query_get_i64(q, 0) == numbers[i]);
        assert_true(query_get_u64(q, 0) == (uint64_t)numbers[i]);
        assert_true(query_get_double(q, 0) == (double)numbers[i]);
        assert_false(query_next(q));
        must(query_end(q, &why), &why);
    }
}

static void unsigned_numbers_beyond_the_signed_range_are_refused(struct database *d)
{
    struct why why;
    make_things(d);
    struct query *q = db_query_text(d->db, "INSERT INTO things (number) VALUES (?)");
    query_u64(q, (uint64_t)INT64_MAX + 1);
    assert_int_equal(query_run(q, &why), ERR_INVALID);
    assert_int_equal(count_things(d->db), 0);
    q = db_query_text(d->db, "INSERT INTO things (number) VALUES (?)");
    query_u64(q, INT64_MAX);
    must(query_run(q, &why), &why);
    assert_true(must_number(d->db, "SELECT number FROM things") == INT64_MAX);
}

static void doubles_come_back(struct database *d)
{
    static const double numbers[] = {0, 0.1, -1.5, 1e300, 1e-300, 3.141592653589793};
    struct why why;
    make_things(d);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct query *q = db_query_text(d->db, "INSERT INTO things (real_number) VALUES (?)");
        query_double(q, numbers[i]);
        must(query_run(q, &why), &why);
        q = db_query_text(d->db, "SELECT real_number FROM things WHERE id = ?");
        query_u64(q, i + 1);
        assert_true(query_next(q));
        assert_true(query_get_double(q, 0) == numbers[i]);
        must(query_end(q, &why), &why);
    }
}

static void texts_of_all_scripts_come_back(struct database *d)
{
    static const char *const texts[] = {
        "hello",
        "",
        " blanks kept inside ",
        "胡同",
        "🏮",
        "👩‍👩‍👧‍👦 family",
        "Zürich ¼ ﷽",
        "𠮷野家",
        "it's \"quoted\" \\n back\\slash",
        "line\nline\ttab",
        "100% _under_",
        "sixty-four bytes are exactly what fits the small buffer of a col",
        "sixty-five bytes are one more than what fits the buffer of a col."};
    struct why why;
    make_things(d);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct query *q = db_query_text(d->db, "INSERT INTO things (name, body) VALUES (?, ?)");
        query_str(q, str_of(texts[i]));
        query_str(q, str_of(texts[i]));
        must(query_run(q, &why), &why);
        q = db_query_text(d->db, "SELECT name, body FROM things WHERE name = ? AND body = ?");
        query_str(q, str_of(texts[i]));
        query_str(q, str_of(texts[i]));
        assert_true(query_next(q));
        assert_str(query_get_str(q, 0), str_of(texts[i]));
        assert_str(query_get_str(q, 1), str_of(texts[i]));
        assert_str(query_get_str(q, 1), str_of(texts[i])); /* twice is the same */
        assert_false(query_is_null(q, 0));
        assert_non_null(query_get_str(q, 0).at);
        must(query_end(q, &why), &why);
    }
}

static void letters_compare_by_their_bytes(struct database *d)
{
    struct why why;
    make_things(d);
    must(add_thing(d->db, "name", 1, &why), &why);
    must(add_thing(d->db, "NAME", 2, &why), &why); /* no conflict */
    must(add_thing(d->db, "näme", 3, &why), &why);
    assert_int_equal(must_number(d->db, "SELECT number FROM things WHERE name = 'NAME'"), 2);
    assert_int_equal(must_number(d->db, "SELECT 'a' = 'A'"), 0);
    assert_int_equal(must_number(d->db, "SELECT 'a' || 'b' = 'ab'"), 1);
    assert_int_equal(must_number(d->db, "SELECT length('\\n')"), 2);
}

static void a_megabyte_comes_back_and_short_rows_follow(struct database *d)
{
    enum { BYTES = 1 << 20 };
    struct why why;
    make_things(d);
    char *big = mem_alloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        big[i] = (char)('a' + i % 26);
    }
    for (int i = 0; i < 3; i++) {
        struct query *q = db_query_text(d->db, "INSERT INTO things (body, bytes) VALUES (?, ?)");
        query_str(q, i == 1 ? STR("short") : (struct str){big, BYTES - (size_t)i});
        query_bytes(q, (struct str){big, (size_t)i * 1000});
        must(query_run(q, &why), &why);
    }
    struct query *q = db_query_text(d->db, "SELECT body, bytes FROM things ORDER BY id");
    assert_true(query_next(q));
    assert_str(query_get_str(q, 0), (struct str){big, BYTES});
    assert_str(query_get_str(q, 1), STR(""));
    assert_true(query_next(q));
    assert_str(query_get_str(q, 0), STR("short"));
    assert_str(query_get_str(q, 1), (struct str){big, 1000});
    assert_true(query_next(q));
    assert_str(query_get_str(q, 1), (struct str){big, 2000});
    assert_str(query_get_str(q, 0), (struct str){big, BYTES - 2});
    assert_false(query_next(q));
    must(query_end(q, &why), &why);
    mem_free(big);
}

static void bytes_may_hold_anything(struct database *d)
{
    struct why why;
    unsigned char all[256];
    make_things(d);
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (unsigned char)i;
    }
    struct str bytes = {(const char *)all, sizeof(all)};
    struct query *q = db_query_text(d->db, "INSERT INTO things (bytes) VALUES (?)");
    query_bytes(q, bytes);
    must(query_run(q, &why), &why);
    q = db_query_text(d->db, "SELECT bytes FROM things WHERE bytes = ?");
    query_bytes(q, bytes);
    assert_true(query_next(q));
    assert_str(query_get_str(q, 0), bytes);
    must(query_end(q, &why), &why);
}

static void null_and_empty_are_different(struct database *d)
{
    struct why why;
    make_things(d);
    must_run(d->db, "INSERT INTO things (name) VALUES ('nulls')");
    struct query *q = db_query_text(d->db, "INSERT INTO things (number, real_number, bytes, body)"
                                           " VALUES (?, ?, ?, ?)");
    query_null(q);
    query_null(q);
    query_bytes(q, STR(""));
    query_str(q, STR(""));
    must(query_run(q, &why), &why);
    q = db_query_text(d->db, "INSERT INTO things (body, bytes) VALUES (?, ?)");
    query_str(q, (struct str){0});
    query_bytes(q, (struct str){0});
    must(query_run(q, &why), &why);

    q = db_query_text(d->db, "SELECT number, real_number, bytes, body FROM things ORDER BY id");
    for (int row = 0; row < 3; row++) {
        assert_true(query_next(q));
        assert_true(query_is_null(q, 0));
        assert_int_equal(query_get_i64(q, 0), 0);
        assert_true(query_get_double(q, 1) == 0);
        assert_null(query_get_str(q, 0).at);
        for (int column = 2; column < 4; column++) {
            assert_int_equal(query_is_null(q, column), row != 1);
            assert_int_equal(query_get_str(q, column).at == NULL, row != 1);
            assert_int_equal(query_get_str(q, column).len, 0);
        }
    }
    assert_false(query_next(q));
    must(query_end(q, &why), &why);
}

static void numbers_read_as_text_and_sums_as_numbers(struct database *d)
{
    struct why why;
    make_things(d);
    must(add_thing(d->db, "a", 1LL << 60, &why), &why);
    must(add_thing(d->db, "b", 5, &why), &why);
    struct query *q = db_query_text(d->db, "SELECT SUM(number), AVG(number), number FROM things"
                                           " WHERE name = 'b' GROUP BY number");
    assert_true(query_next(q));
    assert_int_equal(query_get_i64(q, 0), 5);
    assert_true(query_get_double(q, 1) == 5);
    assert_str(query_get_str(q, 2), STR("5"));
    must(query_end(q, &why), &why);
    assert_int_equal(must_number(d->db, "SELECT SUM(number) FROM things"), (1LL << 60) + 5);
}

static void a_column_may_change_its_type_with_the_parameter(struct database *d)
{
    struct why why;
    struct query *q = NULL;
    for (int round = 0; round < 2; round++) {
        q = db_query_text(d->db, "SELECT ?");
        query_i64(q, 7);
        assert_true(query_next(q));
        assert_int_equal(query_get_i64(q, 0), 7);
        must(query_end(q, &why), &why);
        q = db_query_text(d->db, "SELECT ?");
        query_str(q, STR("seven"));
        assert_true(query_next(q));
        assert_str(query_get_str(q, 0), STR("seven"));
        must(query_end(q, &why), &why);
    }
}

/* Errors. */

static void a_taken_key_is_a_conflict(struct database *d)
{
    struct why why;
    make_things(d);
    must(add_thing(d->db, "secretname", 1, &why), &why);
    assert_int_equal(add_thing(d->db, "secretname", 2, &why), ERR_CONFLICT);
    assert_null(strstr(why.text, "secretname")); /* no data in sentences */
    assert_null(strstr(why.text, "things"));
    assert_int_equal(count_things(d->db), 1);
    struct query *q = db_query_text(d->db, "INSERT INTO things (id) VALUES (1)");
    assert_int_equal(query_run(q, &why), ERR_CONFLICT);
}

static void a_dangling_reference_is_invalid(struct database *d)
{
    static const char *const refused[] = {
        "INSERT INTO parts (thing_id, size) VALUES (99, 1)",
        "DELETE FROM things",
        "INSERT INTO parts (thing_id, size) VALUES (1, 0)",
        "INSERT INTO parts (thing_id, size) VALUES (NULL, 1)",
        "UPDATE parts SET thing_id = 99",
    };
    struct why why;
    make_things(d);
    must(add_thing(d->db, "a", 1, &why), &why);
    must_run(d->db, "INSERT INTO parts (thing_id, size) VALUES (1, 1)");
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_int_equal(query_run(db_query_text(d->db, refused[i]), &why), ERR_INVALID);
        assert_true(why.text[0] != '\0');
    }
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM parts"), 1);
}

static void the_first_error_of_a_query_stays(struct database *d)
{
    struct why why;
    struct query *q = db_query_text(d->db, "SELECT x FROM nowhere WHERE y = ? AND z = ?");
    query_u64(q, 1); /* nothing was prepared: none of these may crash or count */
    query_str(q, STR("text"));
    query_null(q);
    assert_false(query_next(q));
    assert_false(query_next(q));
    assert_int_equal(query_end(q, &why), ERR_IO);
    assert_null(strstr(why.text, "nowhere"));
    assert_int_equal(must_number(d->db, "SELECT 1"), 1);
}

static void a_statement_works_again_after_it_failed(struct database *d)
{
    struct why why;
    must_script(d->db, database_words(d,
                                      "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY,"
                                      " name TEXT, checksum TEXT, state TEXT, applied_us INTEGER)",
                                      "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY,"
                                      " name TEXT, checksum TEXT, state TEXT, applied_us BIGINT)"));
    static const struct {
        uint64_t version;
        enum err err;
    } steps[] = {{1, OK}, {1, ERR_CONFLICT}, {2, OK}, {UINT64_MAX, ERR_INVALID}, {3, OK}};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct query *q = db_query(d->db, SQL_MIGRATION_ADD);
        query_u64(q, steps[i].version);
        query_str(q, STR("name"));
        query_str(q, STR("checksum"));
        query_str(q, STR("done"));
        query_i64(q, 1000);
        assert_int_equal(query_run(q, &why), steps[i].err);
    }
    for (int round = 0; round < 3; round++) { /* the same statement, also stopped half-way */
        struct query *q = db_query(d->db, SQL_MIGRATIONS_ALL);
        for (int row = 0; row <= round; row++) {
            assert_true(query_next(q));
            assert_int_equal(query_get_u64(q, 0), row + 1);
        }
        must(query_end(q, &why), &why);
    }
}

static void a_named_statement_that_could_not_be_prepared_can_be_later(struct database *d)
{
    struct why why;
    struct query *q = db_query(d->db, SQL_MIGRATIONS_ALL);
    assert_false(query_next(q));
    assert_int_equal(query_end(q, &why), ERR_IO);
    must_script(d->db, "CREATE TABLE schema_migrations (version INTEGER, name TEXT, checksum TEXT,"
                       " state TEXT, applied_us INTEGER)");
    q = db_query(d->db, SQL_MIGRATIONS_ALL);
    assert_false(query_next(q));
    must(query_end(q, &why), &why);
}

static void two_queries_may_be_read_in_turns(struct database *d)
{
    struct why why;
    make_things(d);
    for (int i = 1; i <= 3; i++) {
        must(add_thing(d->db, i == 1 ? "a" : i == 2 ? "b" : "c", i * 10, &why), &why);
    }
    int64_t sum = 0;
    struct query *outer = db_query_text(d->db, "SELECT id FROM things ORDER BY id");
    while (query_next(outer)) {
        struct query *inner = db_query_text(d->db, "SELECT number FROM things WHERE id >= ?");
        query_i64(inner, query_get_i64(outer, 0));
        while (query_next(inner)) {
            sum += query_get_i64(inner, 0);
        }
        must(query_end(inner, &why), &why);
        must_run(d->db, "UPDATE things SET real_number = 1");
    }
    must(query_end(outer, &why), &why);
    assert_int_equal(sum, 60 + 50 + 30);
}

static void a_script_says_which_statement_failed(struct database *d)
{
    struct why why;
    make_things(d);
    enum err err = db_script(d->db,
                             STR("INSERT INTO things (name) VALUES ('a;b'); -- a ; comment\n"
                                 "INSERT INTO things (name) VALUES ('c');\n"
                                 "INSERT INTO nowhere VALUES (1);\n"
                                 "INSERT INTO things (name) VALUES ('never');"),
                             &why);
    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(why.text, "statement 3"));
    assert_non_null(strstr(why.text, "nowhere")); /* scripts are the operator's */
    assert_int_equal(count_things(d->db), 2);
    must_script(d->db, "  \n-- nothing but a comment\n");
    must_script(d->db, "INSERT INTO things (name) VALUES ('d'); \n -- the end\n");
    assert_int_equal(count_things(d->db), 3);
}

static void one_query_is_one_statement(struct database *d)
{
    /* Several at once are switched off again after a script. */
    struct why why;
    make_things(d);
    struct query *q = db_query_text(d->db, "SELECT 1; DROP TABLE things");
    assert_false(query_next(q));
    assert_int_equal(query_end(q, &why), ERR_IO);
    assert_int_equal(count_things(d->db), 0);
}

/* Counting. */

static void changes_and_ids_are_told(struct database *d)
{
    struct why why;
    make_things(d);
    uint64_t before = db_changes_total(d->db);
    must(add_thing(d->db, "a", 1, &why), &why);
    assert_int_equal(db_changes(d->db), 1);
    assert_int_equal(db_last_id(d->db), 1);
    must(add_thing(d->db, "b", 1, &why), &why);
    assert_int_equal(db_last_id(d->db), 2);
    must_run(d->db, "UPDATE things SET number = 1"); /* found two, though nothing differs */
    assert_int_equal(db_changes(d->db), 2);
    must_run(d->db, "UPDATE things SET number = 2 WHERE id = 77");
    assert_int_equal(db_changes(d->db), 0);
    assert_int_equal(db_changes_total(d->db) - before, 4);
    assert_int_equal(count_things(d->db), 2);
    assert_int_equal(db_changes_total(d->db) - before, 4); /* reading is no change */
    must_run(d->db, "DELETE FROM things");
    assert_int_equal(db_changes(d->db), 2);
    assert_int_equal(db_last_id(d->db), 2);
    assert_int_equal(db_changes_total(d->db) - before, 6);
    must(add_thing(d->db, "c", 1, &why), &why);
    assert_int_equal(db_last_id(d->db), 3); /* ids are not used again */
}

static void returning_gives_rows(struct database *d)
{
    struct why why;
    make_things(d);
    struct query *q =
        db_query_text(d->db, "INSERT INTO things (name) VALUES (?) RETURNING id, name");
    query_str(q, STR("new"));
    assert_true(query_next(q));
    assert_int_equal(query_get_u64(q, 0), 1);
    assert_str(query_get_str(q, 1), STR("new"));
    assert_false(query_next(q));
    must(query_end(q, &why), &why);
    assert_int_equal(db_changes(d->db), 1);
    assert_int_equal(count_things(d->db), 1);
}

/* Transactions. */

static void others_see_only_what_is_committed(struct database *d)
{
    struct why why;
    make_things(d);
    struct db *reader = database_connect(d, DB_READ);
    assert_false(db_in_transaction(d->db));
    must(db_begin(d->db, &why), &why);
    assert_true(db_in_transaction(d->db));
    must(add_thing(d->db, "a", 1, &why), &why);
    assert_int_equal(count_things(d->db), 1);
    assert_int_equal(count_things(reader), 0);
    must(db_commit(d->db, &why), &why);
    assert_false(db_in_transaction(d->db));
    assert_int_equal(count_things(reader), 1);
    db_close(reader);
}

static void a_snapshot_is_one_moment(struct database *d)
{
    struct why why;
    make_things(d);
    static const enum db_mode modes[] = {DB_READ, DB_WRITE, DB_MAINTAIN};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        char name[2] = {(char)('a' + i), '\0'};
        int64_t before = (int64_t)i;
        struct db *reader = database_connect(d, modes[i]);
        must(db_begin_snapshot(reader, &why), &why);
        assert_int_equal(count_things(reader), before);
        must(add_thing(d->db, name, 1, &why), &why);
        assert_int_equal(count_things(reader), before);
        must(db_commit(reader, &why), &why);
        assert_int_equal(count_things(reader), before + 1);
        db_close(reader);
    }
}

static void a_snapshot_takes_no_change(struct database *d)
{
    struct why why;
    make_things(d);
    struct db *reader = database_connect(d, DB_READ);
    must(db_begin_snapshot(reader, &why), &why);
    assert_int_equal(add_thing(reader, "a", 1, &why), ERR_IO);
    db_rollback(reader);
    assert_int_equal(count_things(d->db), 0);
    must(db_begin_snapshot(d->db, &why), &why);
    db_rollback(d->db);
    must(db_begin(d->db, &why), &why); /* the next transaction is an ordinary one */
    must(add_thing(d->db, "a", 1, &why), &why);
    must(db_commit(d->db, &why), &why);
    db_close(reader);
}

static void in_mariadb_every_connection_may_write(struct database *d)
{
    struct why why;
    make_things(d);
    struct db *reader = database_connect(d, DB_READ);
    must(db_begin(reader, &why), &why);
    must(add_thing(d->db, "a", 1, &why), &why);
    must(add_thing(reader, "b", 1, &why), &why);
    assert_int_equal(count_things(reader), 2); /* READ COMMITTED */
    must(db_commit(reader, &why), &why);
    db_close(reader);
    assert_int_equal(count_things(d->db), 2);
}

static void rollback_takes_everything_back(struct database *d)
{
    struct why why;
    make_things(d);
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "a", 1, &why), &why);
    db_rollback(d->db);
    assert_false(db_in_transaction(d->db));
    assert_int_equal(count_things(d->db), 0);
    db_rollback(d->db); /* nothing to roll back is fine */
    must(add_thing(d->db, "b", 1, &why), &why);
    assert_int_equal(count_things(d->db), 1);
}

static void closing_rolls_back(struct database *d)
{
    struct why why;
    make_things(d);
    struct db *other = database_connect(d, DB_WRITE);
    must(db_begin(other, &why), &why);
    must(add_thing(other, "a", 1, &why), &why);
    db_close(other);
    assert_int_equal(count_things(d->db), 0);
    must(add_thing(d->db, "a", 1, &why), &why); /* and no lock is left */
}

static void a_savepoint_takes_back_its_own_part_only(struct database *d)
{
    struct why why;
    make_things(d);
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "kept", 1, &why), &why);
    for (int round = 0; round < 3; round++) {
        must(db_savepoint(d->db, &why), &why);
        must(add_thing(d->db, "undone", 1, &why), &why);
        assert_int_equal(add_thing(d->db, "kept", 1, &why), ERR_CONFLICT);
        must(db_savepoint_rollback(d->db, &why), &why);
        assert_true(db_in_transaction(d->db));
        must(db_savepoint(d->db, &why), &why);
        must(add_thing(d->db, round == 0 ? "r0" : round == 1 ? "r1" : "r2", 1, &why), &why);
        must(db_savepoint_release(d->db, &why), &why);
    }
    must(db_commit(d->db, &why), &why);
    assert_int_equal(count_things(d->db), 4);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM things WHERE name = 'undone'"), 0);
}

static void a_failed_statement_leaves_the_transaction_standing(struct database *d)
{
    struct why why;
    make_things(d);
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "a", 1, &why), &why);
    assert_int_equal(add_thing(d->db, "a", 2, &why), ERR_CONFLICT);
    assert_true(db_in_transaction(d->db));
    must(add_thing(d->db, "b", 2, &why), &why);
    must(db_commit(d->db, &why), &why);
    assert_int_equal(count_things(d->db), 2);
}

/*
 * A transaction that meets a lock is over, on both engines, and what is still
 * sent fails with the same words instead of taking effect on its own.
 */
static void a_lock_is_busy_and_ends_the_transaction(struct database *d)
{
    struct why why;
    make_things(d);
    must(add_thing(d->db, "a", 1, &why), &why);
    struct db *other = database_connect(d, DB_WRITE);
    must(db_begin(d->db, &why), &why);
    must_run(d->db, "UPDATE things SET number = 2 WHERE id = 1");
    if (d->kind == DB_SQLITE) {
        must_number(other, "PRAGMA busy_timeout=50");
        assert_int_equal(db_begin(other, &why), ERR_BUSY);
        assert_false(db_in_transaction(other));
        assert_int_equal(add_thing(other, "b", 1, &why), ERR_BUSY);
    } else {
        must_run(other, "SET innodb_lock_wait_timeout = 0"); /* none: fail at once */
        must(db_begin(other, &why), &why);
        must(add_thing(other, "b", 1, &why), &why);
        struct query *q = db_query_text(other, "UPDATE things SET number = 3 WHERE id = 1");
        assert_int_equal(query_run(q, &why), ERR_BUSY);
        assert_false(db_in_transaction(other));
        assert_int_equal(add_thing(other, "c", 1, &why), ERR_BUSY);
        assert_int_equal(db_savepoint(other, &why), ERR_BUSY);
        assert_int_equal(db_commit(other, &why), ERR_BUSY);
    }
    must(db_commit(d->db, &why), &why);
    assert_int_equal(count_things(d->db), 1);
    must(db_begin(other, &why), &why); /* try it again */
    must(add_thing(other, "b", 1, &why), &why);
    must(db_commit(other, &why), &why);
    assert_int_equal(count_things(d->db), 2);
    db_close(other);
}

static void busy_in_the_middle_ends_the_transaction(struct database *d)
{
    struct why why;
    make_things(d);
    must(add_thing(d->db, "a", 1, &why), &why);
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "b", 1, &why), &why);
    struct query *reading = db_query_text(d->db, "SELECT id FROM things");
    assert_true(query_next(reading));
    assert_int_equal(query_run(db_query_text(d->db, "DROP TABLE things"), &why), ERR_BUSY);
    assert_false(db_in_transaction(d->db));
    assert_int_equal(add_thing(d->db, "c", 1, &why), ERR_BUSY);
    must(query_end(reading, &why), &why); /* what it gave was true when it gave it */
    db_rollback(d->db);
    assert_int_equal(count_things(d->db), 1);
}

static void a_stale_snapshot_cannot_become_a_writer(struct database *d)
{
    /* MariaDB locks rows instead: see the deadlock. */
    struct why why;
    make_things(d);
    struct db *first = database_connect(d, DB_WRITE);
    must_run(first, "BEGIN"); /* behind db.h's back: db_begin takes the lock at once */
    assert_int_equal(count_things(first), 0);
    must(add_thing(d->db, "a", 1, &why), &why);
    assert_int_equal(add_thing(first, "b", 1, &why), ERR_BUSY);
    must_run(first, "ROLLBACK");
    db_close(first);
}

/* Connections. */

static void a_url_we_do_not_speak_is_invalid(struct database *d)
{
    static const char *const urls[] = {
        "",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:a%zz",
        "sqlite:a%00b",
        "postgres://u:secret@h/n",
        "mysql://secret",
        "mysql://u:secret@h",
        "mysql://u:secret@h/",
        "mysql://u:secret@/n",
        "mysql://:secret@h/n",
        "mysql://u:secret@h:0/n",
        "mysql://u:secret@h:65536/n",
        "mysql://u:secret@h:x/n",
        "mysql://u:secret@[::1/n",
        "mysql://u:secret@[::1]x/n",
        "mysql://u:secret%@h/n",
        "mysql://u:secret@h/n?tls=maybe",
        "mysql://u:secret@h/n?secret=1",
    };
    struct why why;
    struct db *db = NULL;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        why.text[0] = '\0';
        assert_int_equal(db_open(str_of(urls[i]), DB_READ, &db, &why), ERR_INVALID);
        assert_null(db);
        assert_true(why.text[0] != '\0');
        assert_null(strstr(why.text, "secret"));
        assert_str(db_url_public(&d->arena, str_of(urls[i])), STR("(not a database URL)"));
    }
}

static void a_url_is_read_to_its_last_part(struct database *d)
{
    static const struct {
        const char *url, *public;
        struct db_url parts;
    } cases[] = {
        {"sqlite:/a/b%20c.db", "sqlite:/a/b c.db", {.kind = DB_SQLITE, .path = "/a/b c.db"}},
        {"mysql://u:p%40%2F:x@h:3307/n",
         "mysql://u@h:3307/n",
         {.kind = DB_MARIADB,
          .user = "u",
          .password = "p@/:x",
          .host = "h",
          .name = "n",
          .port = 3307}},
        {"mariadb://u:p@@h/n",
         "mysql://u@h:3306/n",
         {.kind = DB_MARIADB, .user = "u", .password = "p@", .host = "h", .name = "n"}},
        {"mysql://u@[::1]:1/n?tls=verify&ca=/c",
         "mysql://u@::1:1/n",
         {.kind = DB_MARIADB,
          .user = "u",
          .host = "::1",
          .name = "n",
          .port = 1,
          .ca = "/c",
          .tls = TLS_VERIFY}},
        {"mysql://u:@/n?socket=%2Frun%2Fs",
         "mysql://u@/n?socket=/run/s",
         {.kind = DB_MARIADB, .user = "u", .password = "", .name = "n", .socket = "/run/s"}},
    };
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct db_url got;
        const struct db_url *want = &cases[i].parts;
        must(db_url_parse(&d->arena, str_of(cases[i].url), &got, &why), &why);
        const char *const pairs[][2] = {
            {got.path, want->path}, {got.user, want->user}, {got.password, want->password},
            {got.host, want->host}, {got.name, want->name}, {got.socket, want->socket},
            {got.ca, want->ca},
        };
        for (size_t p = 0; p < COUNT_OF(pairs); p++) {
            assert_int_equal(pairs[p][0] == NULL, pairs[p][1] == NULL);
            if (pairs[p][0]) assert_string_equal(pairs[p][0], pairs[p][1]);
        }
        assert_int_equal(got.kind, want->kind);
        assert_int_equal(got.port, want->port);
        assert_int_equal(got.tls, want->tls);
        assert_str(db_url_public(&d->arena, str_of(cases[i].url)), str_of(cases[i].public));
    }
}

static void opening_what_is_not_there_says_why(struct database *d)
{
    struct why why;
    struct db *db = NULL;
    struct str url = d->kind == DB_SQLITE
                         ? arena_printf(&d->arena, "sqlite:%s/no/such.db", d->dir)
                         : arena_printf(&d->arena, "mysql://root:secret@/n?socket=%s/none", d->dir);
    assert_int_equal(db_open(url, DB_WRITE, &db, &why), ERR_IO);
    assert_null(db);
    assert_null(strstr(why.text, "secret"));
    assert_non_null(strstr(why.text, d->dir));
    if (d->kind == DB_SQLITE) {
        url = arena_printf(&d->arena, "sqlite:%s/absent.db", d->dir);
        assert_int_equal(db_open(url, DB_READ, &db, &why), ERR_IO); /* a reader creates nothing */
    } else {
        url = arena_printf(&d->arena, "%.*s&tls=require", STR_ARGS(d->url));
        assert_int_equal(db_open(url, DB_READ, &db, &why), ERR_IO); /* this server has no TLS */
        url = arena_printf(&d->arena, "mysql://root@/nosuch%.*s",
                           STR_ARGS(str_from(d->url, str_find_byte(d->url, '?'))));
        assert_int_equal(db_open(url, DB_READ, &db, &why), ERR_IO);
        assert_non_null(strstr(why.text, "CREATE DATABASE"));
    }
}

static void write_file(const char *path, const void *bytes, size_t len, long at)
{
    FILE *file = fopen(path, at < 0 ? "we" : "r+e");
    assert_non_null(file);
    if (at > 0) assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void a_file_that_is_no_database_is_corrupt(struct database *d)
{
    static const char novel[] = "It was a dark and stormy night, and nobody had made a backup.\n";
    struct why why;
    struct db *db = NULL;
    struct str path = database_path(d, "novel.db");
    for (int lines = 0; lines < 200; lines++) {
        write_file(path.at, novel, sizeof(novel) - 1, lines ? (long)lines * 62 : -1);
    }
    struct str url = arena_printf(&d->arena, "sqlite:%s", path.at);
    assert_int_equal(db_open(url, DB_WRITE, &db, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.text, "novel.db"));
    assert_int_equal(db_open(url, DB_READ, &db, &why), ERR_CORRUPT);
}

static void a_damaged_page_is_corrupt(struct database *d)
{
    struct why why;
    make_things(d);
    for (int i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "name %d", i);
        must(add_thing(d->db, name, i, &why), &why);
    }
    must_number(d->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    db_close(d->db);
    d->db = NULL;
    char rubbish[4096 * 4];
    memset(rubbish, 0x5a, sizeof(rubbish));
    write_file(str_from(d->url, 7).at, rubbish, sizeof(rubbish), 4096 * 8);
    d->db = database_connect(d, DB_READ);
    struct query *q = db_query_text(d->db, "SELECT SUM(number) FROM things");
    assert_false(query_next(q));
    assert_int_equal(query_end(q, &why), ERR_CORRUPT);
}

static void a_full_disk_is_said_and_ends_nothing_else(struct database *d)
{
    /* A ceiling on pages stands for the disk. */
    struct why why;
    make_things(d);
    must_number(d->db, "PRAGMA max_page_count=20");
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "a", 1, &why), &why);
    enum err err = OK;
    for (int i = 0; i < 50 && err == OK; i++) {
        struct query *q = db_query_text(d->db, "INSERT INTO things (body) VALUES (?)");
        char text[4000];
        memset(text, 'x', sizeof(text));
        query_str(q, (struct str){text, sizeof(text)});
        err = query_run(q, &why);
    }
    assert_int_equal(err, ERR_FULL);
    assert_non_null(strstr(why.text, "disk is full"));
    db_rollback(d->db);
    assert_int_equal(count_things(d->db), 0);
    must(add_thing(d->db, "a", 1, &why), &why);
}

static void a_checkpoint_moves_the_log_and_waits_for_readers(struct database *d)
{
    struct why why;
    uint64_t pages = 77, left = 77;
    make_things(d);
    struct db *keeper = database_connect(d, DB_WRITE);
    must(db_checkpoint(keeper, &pages, &left, &why), &why);
    assert_int_equal(left, 0);
    if (d->kind == DB_SQLITE) {
        struct db *reader = database_connect(d, DB_READ);
        must(db_begin(reader, &why), &why);
        count_things(reader);
        must(add_thing(d->db, "a", 1, &why), &why);
        must(add_thing(d->db, "b", 1, &why), &why);
        must(db_checkpoint(keeper, &pages, &left, &why), &why);
        assert_true(left > 0);
        must(db_commit(reader, &why), &why);
        must(db_checkpoint(keeper, &pages, &left, &why), &why);
        assert_int_equal(left, 0);
        db_close(reader);
    }
    db_close(keeper);
}

static void sqlite_is_set_up_to_be_durable(struct database *d)
{
    assert_int_equal(must_number(d->db, "PRAGMA synchronous"), 2);
    assert_int_equal(must_number(d->db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(must_number(d->db, "PRAGMA trusted_schema"), 0);
    assert_int_equal(must_number(d->db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(must_number(d->db, "PRAGMA busy_timeout"), 5000);
    struct why why;
    struct query *q = db_query_text(d->db, "PRAGMA journal_mode");
    assert_true(query_next(q));
    assert_str(query_get_str(q, 0), STR("wal"));
    must(query_end(q, &why), &why);
}

/* MariaDB only: broken connections. */

static void kill_connection(struct database *d, struct db *victim)
{
    char text[128];
    struct db *killer = database_connect(d, DB_WRITE);
    int64_t id = must_number(victim, "SELECT CONNECTION_ID()");
    snprintf(text, sizeof(text), "KILL %lld", (long long)id);
    must_run(killer, text);
    snprintf(text, sizeof(text),
             "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %lld", (long long)id);
    int64_t until_us = clock_mono_us() + WAIT_US;
    while (must_number(killer, text) != 0) {
        assert_true(clock_mono_us() < until_us);
        usleep(POLL_US);
    }
    db_close(killer);
}

static void a_broken_connection_is_opened_anew(struct database *d)
{
    struct why why;
    must_script(d->db, "CREATE TABLE schema_migrations (version INTEGER, name TEXT, checksum TEXT,"
                       " state TEXT, applied_us INTEGER)");
    for (int round = 0; round < 2; round++) {
        struct query *q = db_query(d->db, SQL_MIGRATIONS_ALL); /* prepared on the old one */
        assert_false(query_next(q));
        must(query_end(q, &why), &why);
        kill_connection(d, d->db);
    }
    struct query *q = db_query(d->db, SQL_MIGRATIONS_ALL);
    assert_false(query_next(q));
    must(query_end(q, &why), &why);
    kill_connection(d, d->db);
    must(db_begin(d->db, &why), &why);
    must_run(d->db, "INSERT INTO schema_migrations (version) VALUES (1)");
    must(db_commit(d->db, &why), &why);
    kill_connection(d, d->db);
    must_script(d->db, "INSERT INTO schema_migrations (version) VALUES (2);");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM schema_migrations"), 2);
    /* The session is as it was. */
    assert_int_equal(must_number(d->db, "SELECT 'a' = 'A'"), 0);
    assert_int_equal(must_number(d->db, "SELECT @@session.time_zone = '+00:00'"), 1);
}

static void a_connection_broken_in_a_transaction_is_an_error(struct database *d)
{
    struct why why;
    make_things(d);
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "a", 1, &why), &why);
    kill_connection(d, d->db);
    assert_int_equal(add_thing(d->db, "b", 1, &why), ERR_AWAY);
    assert_false(db_in_transaction(d->db));
    assert_int_equal(add_thing(d->db, "c", 1, &why), ERR_AWAY); /* not on a new connection either */
    assert_int_equal(db_savepoint(d->db, &why), ERR_AWAY);
    db_rollback(d->db);
    assert_int_equal(count_things(d->db), 0);
}

static void a_connection_broken_at_the_commit_leaves_it_uncertain(struct database *d)
{
    struct why why;
    make_things(d);
    must(db_begin(d->db, &why), &why);
    must(add_thing(d->db, "a", 1, &why), &why);
    kill_connection(d, d->db);
    assert_int_equal(db_commit(d->db, &why), ERR_UNCERTAIN);
    assert_false(db_in_transaction(d->db));
    must(add_thing(d->db, "b", 1, &why), &why);
    assert_int_equal(count_things(d->db), 1);
}

struct blocked {
    struct db *db;
    enum err err;
};

static void *update_second(void *arg)
{
    struct blocked *blocked = arg;
    struct why why;
    struct query *q = db_query_text(blocked->db, "UPDATE things SET number = 10 WHERE id = 2");
    blocked->err = query_run(q, &why);
    return NULL;
}

static void a_deadlock_is_busy_for_one_and_nothing_for_the_other(struct database *d)
{
    struct why why;
    make_things(d);
    must(add_thing(d->db, "a", 1, &why), &why);
    must(add_thing(d->db, "b", 1, &why), &why);
    struct db *other = database_connect(d, DB_WRITE), *watcher = database_connect(d, DB_READ);
    must(db_begin(d->db, &why), &why);
    must(db_begin(other, &why), &why);
    must_run(d->db, "UPDATE things SET number = 10 WHERE id = 1");
    must_run(other, "UPDATE things SET number = 20 WHERE id = 2");
    struct blocked blocked = {.db = d->db};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, update_second, &blocked), 0);
    int64_t until_us = clock_mono_us() + WAIT_US;
    while (must_number(watcher, "SELECT COUNT(*) FROM information_schema.innodb_trx"
                                " WHERE trx_state = 'LOCK WAIT'") == 0) {
        assert_true(clock_mono_us() < until_us);
        usleep(120 * 1000); /* the server refreshes that table every 100 ms, if nobody looks */
    }
    struct query *q = db_query_text(other, "UPDATE things SET number = 20 WHERE id = 1");
    enum err err = query_run(q, &why);
    pthread_join(thread, NULL);
    assert_true((err == ERR_BUSY && blocked.err == OK) || (err == OK && blocked.err == ERR_BUSY));
    assert_int_equal(db_in_transaction(other), err == OK);
    assert_int_equal(db_in_transaction(d->db), blocked.err == OK);
    assert_int_equal(db_commit(other, &why), err);
    assert_int_equal(db_commit(d->db, &why), blocked.err);
    assert_int_equal(must_number(other, "SELECT SUM(number) FROM things"),
                     blocked.err == OK ? 20 : 40);
    db_close(watcher);
    db_close(other);
}

static void values_that_do_not_fit_are_invalid(struct database *d)
{
    /* A text in SQLite has no length. */
    struct why why;
    make_things(d);
    char text[200];
    memset(text, 'x', sizeof(text));
    struct query *q = db_query_text(d->db, "INSERT INTO things (name) VALUES (?)");
    query_str(q, (struct str){text, sizeof(text)});
    assert_int_equal(query_run(q, &why), ERR_INVALID);
    assert_int_equal(count_things(d->db), 0);
    assert_true(must_number(d->db, "SELECT 18446744073709551615") == -1); /* unsigned, same bits */
    q = db_query_text(d->db, "SELECT 18446744073709551615");
    assert_true(query_next(q));
    assert_true(query_get_u64(q, 0) == UINT64_MAX);
    must(query_end(q, &why), &why);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(numbers_come_back_to_the_last_bit),
        DATABASE_TEST(unsigned_numbers_beyond_the_signed_range_are_refused),
        DATABASE_TEST(doubles_come_back),
        DATABASE_TEST(texts_of_all_scripts_come_back),
        DATABASE_TEST(letters_compare_by_their_bytes),
        DATABASE_TEST(a_megabyte_comes_back_and_short_rows_follow),
        DATABASE_TEST(bytes_may_hold_anything),
        DATABASE_TEST(null_and_empty_are_different),
        DATABASE_TEST(numbers_read_as_text_and_sums_as_numbers),
        DATABASE_TEST(a_column_may_change_its_type_with_the_parameter),
        DATABASE_TEST(a_taken_key_is_a_conflict),
        DATABASE_TEST(a_dangling_reference_is_invalid),
        DATABASE_TEST(the_first_error_of_a_query_stays),
        DATABASE_TEST(a_statement_works_again_after_it_failed),
        DATABASE_TEST(a_named_statement_that_could_not_be_prepared_can_be_later),
        DATABASE_TEST(two_queries_may_be_read_in_turns),
        DATABASE_TEST(a_script_says_which_statement_failed),
        DATABASE_TEST_MARIADB(one_query_is_one_statement),
        DATABASE_TEST(changes_and_ids_are_told),
        DATABASE_TEST(returning_gives_rows),
        DATABASE_TEST(others_see_only_what_is_committed),
        DATABASE_TEST(a_snapshot_is_one_moment),
        DATABASE_TEST(a_snapshot_takes_no_change),
        DATABASE_TEST_MARIADB(in_mariadb_every_connection_may_write),
        DATABASE_TEST(rollback_takes_everything_back),
        DATABASE_TEST(closing_rolls_back),
        DATABASE_TEST(a_savepoint_takes_back_its_own_part_only),
        DATABASE_TEST(a_failed_statement_leaves_the_transaction_standing),
        DATABASE_TEST(a_lock_is_busy_and_ends_the_transaction),
        DATABASE_TEST_SQLITE(busy_in_the_middle_ends_the_transaction),
        DATABASE_TEST_SQLITE(a_stale_snapshot_cannot_become_a_writer),
        DATABASE_TEST(a_url_we_do_not_speak_is_invalid),
        DATABASE_TEST(a_url_is_read_to_its_last_part),
        DATABASE_TEST(opening_what_is_not_there_says_why),
        DATABASE_TEST_SQLITE(a_file_that_is_no_database_is_corrupt),
        DATABASE_TEST_SQLITE(a_damaged_page_is_corrupt),
        DATABASE_TEST_SQLITE(a_full_disk_is_said_and_ends_nothing_else),
        DATABASE_TEST(a_checkpoint_moves_the_log_and_waits_for_readers),
        DATABASE_TEST_SQLITE(sqlite_is_set_up_to_be_durable),
        DATABASE_TEST_MARIADB(a_broken_connection_is_opened_anew),
        DATABASE_TEST_MARIADB(a_connection_broken_in_a_transaction_is_an_error),
        DATABASE_TEST_MARIADB(a_connection_broken_at_the_commit_leaves_it_uncertain),
        DATABASE_TEST_MARIADB(a_deadlock_is_busy_for_one_and_nothing_for_the_other),
        DATABASE_TEST_MARIADB(values_that_do_not_fit_are_invalid),
    };
    return database_run_tests("db", tests, COUNT_OF(tests));
}
