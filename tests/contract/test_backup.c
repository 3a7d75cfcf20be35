/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "database.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/backup.h"

enum { BIG_ROWS = 24, BIG_BYTES = 256 * 1024 };

/* Children sort before parents, names want quoting, values want care. */
static void fill(struct database *d)
{
    static const char bytes[] = {0, 1, '\'', '"', '\\', (char)0xff, 0, '\n'};
    static const double reals[] = {0.1 + 0.2, 1e300, -1.5, 3.141592653589793, 1e-7};
    struct why why;
    must_script(d->db,
                database_words(d,
                               "CREATE TABLE a_child (id INTEGER PRIMARY KEY, parent_id INTEGER"
                               " REFERENCES \"the \"\"parents\"\"\" (id)) STRICT;"
                               "CREATE TABLE \"the \"\"parents\"\"\" (id INTEGER PRIMARY KEY"
                               " AUTOINCREMENT, name TEXT UNIQUE, number INTEGER, amount REAL,"
                               " bytes BLOB) STRICT;"
                               "CREATE TABLE empty (id INTEGER PRIMARY KEY);"
                               "CREATE VIRTUAL TABLE search USING fts5 (body);"
                               "INSERT INTO search VALUES ('find me'), ('and me');",
                               "CREATE TABLE a_child (id BIGINT PRIMARY KEY, parent_id BIGINT);"
                               "CREATE TABLE \"the \"\"parents\"\"\" (id BIGINT PRIMARY KEY"
                               " AUTO_INCREMENT, name VARCHAR(100) UNIQUE, number BIGINT,"
                               " amount DOUBLE, bytes LONGBLOB,"
                               " twice BIGINT GENERATED ALWAYS AS (number % 10 * 2) VIRTUAL);"
                               "CREATE TABLE empty (id BIGINT PRIMARY KEY);"
                               "CREATE TABLE search (small FLOAT, flag BIT(3), at TIMESTAMP(6),"
                               " UNIQUE (small));"
                               "INSERT INTO search VALUES (1.23456789, b'101',"
                               " '2026-11-21 03:04:05.678901'), (0, b'0', '2026-01-01 00:00:00');"
                               "ALTER TABLE a_child ADD FOREIGN KEY (parent_id) REFERENCES"
                               " \"the \"\"parents\"\"\" (id)"));
    static const char *const names[] = {"", "胡同 🏮", "O'Neill \\ \"quoted\"", "tab\tline\n",
                                        "plain"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct query *q =
            db_query_text(d->db, "INSERT INTO \"the \"\"parents\"\"\""
                                 " (name, number, amount, bytes) VALUES (?, ?, ?, ?)");
        query_str(q, str_of(names[i]));
        query_i64(q, i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : (int64_t)i);
        query_double(q, reals[i]);
        query_bytes(q, (struct str){bytes, i == 4 ? 0 : sizeof(bytes)});
        must(query_run(q, &why), &why);
    }
    must_run(d->db, "INSERT INTO \"the \"\"parents\"\"\" (name) VALUES (NULL)");
    must_run(d->db, "INSERT INTO a_child VALUES (1, 1), (2, 2), (3, NULL)");
}

/* Large enough for several steps of a copy. */
static void fill_much(struct database *d)
{
    struct why why;
    char *big = mem_alloc(BIG_BYTES);
    must_script(d->db, database_words(d, "CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT)",
                                      "CREATE TABLE big (id BIGINT PRIMARY KEY, body LONGTEXT)"));
    memset(big, 'x', BIG_BYTES);
    for (int i = 1; i <= BIG_ROWS; i++) {
        struct query *q = db_query_text(d->db, "INSERT INTO big VALUES (?, ?)");
        query_i64(q, i);
        query_str(q, (struct str){big, BIG_BYTES});
        must(query_run(q, &why), &why);
    }
    must_script(d->db, database_words(d, "CREATE TABLE many (id INTEGER PRIMARY KEY)",
                                      "CREATE TABLE many (id BIGINT PRIMARY KEY)"));
    must_run(d->db, "INSERT INTO many WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
                    " SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n");
    must_run(d->db, "INSERT INTO many SELECT id + 1000 FROM many");
    must_run(d->db, "INSERT INTO many SELECT id + 2000 FROM many");
    mem_free(big);
}

/* Everything in every table, as one long text. */
static struct str contents(struct arena *arena, struct db *db)
{
    static const char *const texts[] = {
        "SELECT id, name, number, amount, bytes FROM \"the \"\"parents\"\"\" ORDER BY id",
        "SELECT id, parent_id, 0, 0, 0 FROM a_child ORDER BY id",
        "SELECT COUNT(*), 0, 0, 0, 0 FROM empty",
        NULL,
    };
    const char *search = db_kind(db) == DB_SQLITE
                             ? "SELECT rowid, body, 0, 0, 0 FROM search WHERE search MATCH 'me'"
                             : "SELECT small, flag, CAST(at AS CHAR), CAST(small AS DOUBLE), 0"
                               " FROM search ORDER BY 1";
    struct buf all;
    struct why why;
    buf_init(&all, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct query *q = db_query_text(db, texts[i] ? texts[i] : search);
        while (query_next(q)) {
            for (int column = 0; column < 5; column++) {
                struct str cell = query_get_str(q, column);
                if (column == 3) buf_printf(&all, "%.17g", query_get_double(q, column));
                buf_printf(&all, "%zu%c", cell.len, cell.at ? ':' : '-');
                buf_add_str(&all, cell);
            }
        }
        must(query_end(q, &why), &why);
    }
    struct str copy = arena_copy(arena, buf_str(&all));
    buf_release(&all);
    return copy;
}

static int files_in(const char *dir, const char *part)
{
    int count = 0;
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (strstr(entry->d_name, part)) count++;
    }
    closedir(folder);
    return count;
}

static void write_backup(struct database *d, const char *path, struct backup_info *info)
{
    struct why why;
    must(backup_write(d->url, path, info, &why, NULL, NULL), &why);
    assert_int_equal(files_in(d->dir, ".part"), 0);
}

static void a_backup_comes_back_with_every_value(struct database *d)
{
    struct why why;
    struct backup_info written, checked, restored;
    const char *path = database_path(d, "copy 100%.backup").at;
    fill(d);
    write_backup(d, path, &written);
    must(backup_check(path, &checked, &why), &why);
    assert_int_equal(checked.kind, d->kind);
    assert_int_equal(checked.rows, written.rows);
    assert_int_equal(checked.tables, written.tables);
    assert_true(checked.rows >= 11);
    assert_true(checked.bytes > 500);

    struct str other = database_another(d);
    must(backup_restore(path, other, &restored, &why, NULL, NULL), &why);
    assert_int_equal(restored.rows, written.rows);
    struct db *db = NULL;
    must(db_open(other, DB_WRITE, &db, &why), &why);
    struct str before = contents(&d->arena, d->db), after = contents(&d->arena, db);
    assert_true(before.len > 300);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.at, after.at, before.len);
    /* Keys hold, and ids go on where they were. */
    assert_int_equal(query_run(db_query_text(db, "INSERT INTO a_child VALUES (9, 99)"), &why),
                     ERR_INVALID);
    must_run(db, "INSERT INTO \"the \"\"parents\"\"\" (name) VALUES ('next')");
    assert_int_equal(db_last_id(db), 7);
    db_close(db);
    assert_int_equal(files_in(d->dir, ".part"), 0);
}

static void an_empty_database_can_be_backed_up(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    write_backup(d, path, &info);
    assert_int_equal(info.rows, 0);
    assert_int_equal(info.tables, 0);
    must(backup_restore(path, database_another(d), &info, &why, NULL, NULL), &why);
}

struct intruder {
    struct db *db; /* writes while the backup runs */
    int calls;
    int stop_at;
    uint64_t last_done, total;
};

static bool write_meanwhile(void *ctx, uint64_t done, uint64_t total)
{
    struct intruder *intruder = ctx;
    assert_true(done >= intruder->last_done);
    intruder->last_done = done;
    intruder->total = total;
    intruder->calls++;
    if (intruder->db) {
        struct why why;
        must(db_begin(intruder->db, &why), &why);
        must_run(intruder->db, "DELETE FROM many WHERE id <= 1000");
        must_run(intruder->db, db_kind(intruder->db) == DB_SQLITE
                                   ? "INSERT OR REPLACE INTO big VALUES (1000, 'late')"
                                   : "REPLACE INTO big VALUES (1000, 'late')");
        must(db_commit(intruder->db, &why), &why);
    }
    return intruder->calls != intruder->stop_at;
}

static void a_backup_is_of_one_moment_while_others_write(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill_much(d);
    struct intruder intruder = {.db = database_connect(d, DB_WRITE)};
    must(backup_write(d->url, path, &info, &why, write_meanwhile, &intruder), &why);
    db_close(intruder.db);
    assert_true(intruder.calls >= 2);
    assert_true(intruder.last_done > 0);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM many"), 2700);
    assert_int_equal(info.rows, BIG_ROWS + 3600);
    struct str other = database_another(d);
    must(backup_restore(path, other, &info, &why, NULL, NULL), &why);
    struct db *db = NULL;
    must(db_open(other, DB_READ, &db, &why), &why);
    assert_int_equal(must_number(db, "SELECT COUNT(*) FROM many"), 3600);
    assert_int_equal(must_number(db, "SELECT COUNT(*) FROM big"), BIG_ROWS);
    db_close(db);
}

static void a_stopped_backup_leaves_nothing(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill_much(d);
    struct intruder intruder = {.stop_at = 2};
    assert_int_equal(backup_write(d->url, path, &info, &why, write_meanwhile, &intruder),
                     ERR_CANCELLED);
    assert_int_equal(files_in(d->dir, "backup"), 0);
}

static void a_stopped_restore_leaves_the_place_empty(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill_much(d);
    write_backup(d, path, &info);
    struct str other = database_another(d);
    struct intruder intruder = {.stop_at = 2};
    assert_int_equal(backup_restore(path, other, &info, &why, write_meanwhile, &intruder),
                     ERR_CANCELLED);
    assert_int_equal(files_in(d->dir, "other"), 0);
    must(backup_restore(path, other, &info, &why, NULL, NULL), &why); /* still an empty place */
}

static void a_backup_that_does_not_fit_leaves_nothing(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    struct rlimit before, small = {0};
    fill_much(d);
    must_number(d->db, database_words(d, "PRAGMA wal_checkpoint(TRUNCATE)", "SELECT 1"));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err err = backup_write(d->url, path, &info, &why, NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, ERR_FULL);
    assert_int_equal(files_in(d->dir, "backup"), 0);
    write_backup(d, path, &info); /* with room again */
}

static void a_backup_replaces_no_file(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill(d);
    write_backup(d, path, &info);
    assert_int_equal(backup_write(d->url, path, &info, &why, NULL, NULL), ERR_CONFLICT);
    assert_non_null(strstr(why.text, path));
    must(backup_check(path, &info, &why), &why);
}

static void a_restore_replaces_no_database(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill(d);
    write_backup(d, path, &info);
    assert_int_equal(backup_restore(path, d->url, &info, &why, NULL, NULL), ERR_CONFLICT);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM a_child"), 3);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void a_log_left_behind_is_no_empty_place(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill(d);
    write_backup(d, path, &info);
    struct str other = database_another(d);
    const char *log = arena_printf(&d->arena, "%s-wal", other.at + strlen("sqlite:")).at;
    write_file(log, "old", 3);
    assert_int_equal(backup_restore(path, other, &info, &why, NULL, NULL), ERR_CONFLICT);
    assert_non_null(strstr(why.text, "-wal"));
    assert_int_equal(unlink(log), 0);
    must(backup_restore(path, other, &info, &why, NULL, NULL), &why);
}

static void what_is_no_backup_is_said_to_be_none(struct database *d)
{
    static const struct {
        const char *bytes;
        size_t len;
    } files[] = {
        {"", 0},
        {"a poem", 6},
        {"hutong dump 1\n", 14},
        {"hutong dump 2\nZ", 15},
        {"hutong dump 1\nZ\377\377\377\377", 19},
        {"hutong dump 1\nR\0\0\0\0", 19},
        {"hutong dump 1\nT\4\0\0\0\377\377\377\377", 23},
        {"SQLite format 3\0 and then nothing", 33},
    };
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    struct str other = database_another(d);
    assert_int_equal(backup_check(path, &info, &why), ERR_IO);
    assert_non_null(strstr(why.text, path));
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        write_file(path, files[i].bytes, files[i].len);
        assert_int_equal(backup_check(path, &info, &why), ERR_CORRUPT);
        assert_non_null(strstr(why.text, path));
        enum err err = backup_restore(path, other, &info, &why, NULL, NULL);
        assert_true(err == ERR_CORRUPT || err == ERR_INVALID); /* or of the other engine */
    }
}

static void a_backup_of_the_other_engine_is_refused(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill(d);
    write_backup(d, path, &info);
    struct str wrong = d->kind == DB_SQLITE ? STR("mysql://u@nowhere.invalid/n")
                                            : arena_printf(&d->arena, "sqlite:%s/x.db", d->dir);
    assert_int_equal(backup_restore(path, wrong, &info, &why, NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(why.text, "MariaDB"));
    assert_non_null(strstr(why.text, "SQLite"));
}

static char *load_file(const char *path, size_t *len_out)
{
    struct stat info;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    *len_out = (size_t)info.st_size;
    char *bytes = mem_alloc(*len_out);
    assert_int_equal(fread(bytes, 1, *len_out, file), *len_out);
    fclose(file);
    return bytes;
}

static void a_cut_off_backup_is_noticed(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at, *cut = database_path(d, "cut").at;
    size_t len = 0;
    fill(d);
    write_backup(d, path, &info);
    char *bytes = load_file(path, &len);
    for (size_t keep = 0; keep < len; keep += len / 64 + 1) {
        write_file(cut, bytes, keep);
        assert_int_equal(backup_check(cut, &info, &why), ERR_CORRUPT);
    }
    write_file(cut, bytes, len - 1);
    assert_int_equal(backup_check(cut, &info, &why), ERR_CORRUPT);
    mem_free(bytes);
}

static void every_flipped_bit_of_a_dump_is_noticed(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at, *bad = database_path(d, "bad").at;
    size_t len = 0;
    fill(d);
    write_backup(d, path, &info);
    char *bytes = load_file(path, &len);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
        write_file(bad, bytes, len);
        assert_int_equal(backup_check(bad, &info, &why), ERR_CORRUPT);
        bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
    }
    write_file(bad, bytes, len);
    must(backup_check(bad, &info, &why), &why);
    char *longer = mem_alloc(len + 1);
    memcpy(longer, bytes, len);
    write_file(bad, longer, len + 1);
    assert_int_equal(backup_check(bad, &info, &why), ERR_CORRUPT);
    mem_free(longer);
    mem_free(bytes);
}

static void a_damaged_database_gets_no_backup(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    size_t len = 0;
    fill_much(d);
    must_number(d->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    db_close(d->db);
    d->db = NULL;
    const char *file = d->url.at + strlen("sqlite:");
    char *bytes = load_file(file, &len);
    memset(bytes + len - 4096, 0x5a, 4096); /* the last page: of `many` */
    write_file(file, bytes, len);
    mem_free(bytes);
    assert_int_equal(backup_write(d->url, path, &info, &why, NULL, NULL), ERR_CORRUPT);
    assert_int_equal(files_in(d->dir, "backup"), 0);
}

static void a_view_is_refused_rather_than_left_out(struct database *d)
{
    struct why why;
    struct backup_info info;
    const char *path = database_path(d, "backup").at;
    fill(d);
    must_script(d->db, "CREATE VIEW looking AS SELECT id FROM a_child");
    assert_int_equal(backup_write(d->url, path, &info, &why, NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(why.text, "1 views"));
    assert_int_equal(files_in(d->dir, "backup"), 0);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(a_backup_comes_back_with_every_value),
        DATABASE_TEST(an_empty_database_can_be_backed_up),
        DATABASE_TEST(a_backup_is_of_one_moment_while_others_write),
        DATABASE_TEST(a_stopped_backup_leaves_nothing),
        DATABASE_TEST(a_stopped_restore_leaves_the_place_empty),
        DATABASE_TEST(a_backup_that_does_not_fit_leaves_nothing),
        DATABASE_TEST(a_backup_replaces_no_file),
        DATABASE_TEST(a_restore_replaces_no_database),
        DATABASE_TEST_SQLITE(a_log_left_behind_is_no_empty_place),
        DATABASE_TEST(what_is_no_backup_is_said_to_be_none),
        DATABASE_TEST(a_backup_of_the_other_engine_is_refused),
        DATABASE_TEST(a_cut_off_backup_is_noticed),
        DATABASE_TEST_MARIADB(every_flipped_bit_of_a_dump_is_noticed),
        DATABASE_TEST_SQLITE(a_damaged_database_gets_no_backup),
        DATABASE_TEST_MARIADB(a_view_is_refused_rather_than_left_out),
    };
    return database_run_tests("backup", tests, COUNT_OF(tests));
}
