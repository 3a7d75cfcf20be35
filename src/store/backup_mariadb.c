/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/backup_mariadb.c: MariaDB's half of backup.h: a consistent dump through
 * the protocol, for whoever has an account on a server but no shell there.
 *
 * Rows are streamed, never held: the text protocol unbuffered on the way out, a
 * prepared insert on the way in. Tables only; a database with views, triggers
 * or routines is refused rather than saved in part. Names of tables and columns
 * come from the catalogue and are quoted; a name cannot be a parameter.
 */
#include "store/backup.h"

#include <mysql.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/dump.h"
#include "store/internal.h"

enum { TELL_ROWS = 1000, COMMIT_ROWS = 1000, TEXT_MAX = 1 << 20 };

static enum err refused(MYSQL *handle, const char *what, struct why *why)
{
    return why_set(why, ERR_IO, "%s failed: %s", what, mysql_error(handle));
}

static enum err command(MYSQL *handle, const char *text, struct why *why)
{
    return mysql_query(handle, text) ? refused(handle, "preparing the connection", why) : OK;
}

/* "name", with quotes doubled (ANSI_QUOTES). */
static void add_name(struct buf *text, struct str name)
{
    buf_add_byte(text, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"') buf_add_byte(text, '"');
        buf_add_byte(text, name.at[i]);
    }
    buf_add_byte(text, '"');
}

/* One number out of one row. */
static enum err ask_number(MYSQL *handle, struct str text, uint64_t *value_out, struct why *why)
{
    *value_out = 0;
    if (mysql_real_query(handle, text.at, text.len)) return refused(handle, "counting", why);
    MYSQL_RES *result = mysql_store_result(handle);
    if (result == NULL) return refused(handle, "counting", why);
    MYSQL_ROW row = mysql_fetch_row(result);
    bool ok = row && row[0] && str_to_u64(str_of(row[0]), value_out);
    mysql_free_result(result);
    return ok ? OK : why_set(why, ERR_IO, "the server gave no number when counting");
}

static enum err count_rows(MYSQL *handle, struct str table, uint64_t *rows_out, struct why *why)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_add_str(&text, STR("SELECT COUNT(*) FROM "));
    add_name(&text, table);
    enum err err = ask_number(handle, buf_str(&text), rows_out, why);
    buf_release(&text);
    return err;
}

/* Writing. */

struct table {
    struct str name;
    struct str ddl;
    struct dump_column columns[DUMP_COLUMNS_MAX];
    bool as_double[DUMP_COLUMNS_MAX]; /* a FLOAT prints too few digits */
    size_t count;
};

struct writing {
    struct db *db; /* owned */
    MYSQL *handle; /* of db */
    struct arena arena;
    struct str *names; /* of the tables; in the arena */
    size_t name_count;
    uint64_t about; /* rows, the server's estimate */
    struct dump_writer out;
    const struct backup_job *job;
};

static enum err check_tables_only(struct writing *w, struct why *why)
{
    uint64_t others = 0;
    enum err err = ask_number(
        w->handle,
        STR("SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND table_type <> 'BASE TABLE')"
            " + (SELECT COUNT(*) FROM information_schema.triggers"
            " WHERE trigger_schema = DATABASE())"
            " + (SELECT COUNT(*) FROM information_schema.routines"
            " WHERE routine_schema = DATABASE())"),
        &others, why);
    if (err || others == 0) return err;
    return why_set(
        why, ERR_INVALID,
        "the database has %llu views, triggers or routines, which are not ours and which "
        "this backup would leave out",
        (unsigned long long)others);
}

static enum err list_tables(struct writing *w, struct why *why)
{
    struct query *q = db_query_text(
        w->db, "SELECT table_name, table_rows, COUNT(*) OVER () FROM information_schema.tables"
               " WHERE table_schema = DATABASE() ORDER BY table_name");
    while (query_next(q)) {
        if (w->names == NULL) {
            w->names = ARENA_ARRAY(&w->arena, struct str, query_get_u64(q, 2));
        }
        w->names[w->name_count++] = arena_copy(&w->arena, query_get_str(q, 0));
        w->about += query_get_u64(q, 1);
    }
    return query_end(q, why);
}

static enum err load_columns(struct writing *w, struct table *table, struct why *why)
{
    struct query *q = db_query_text(
        w->db, "SELECT column_name, data_type FROM information_schema.columns"
               " WHERE table_schema = DATABASE() AND table_name = ?"
               " AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position");
    query_str(q, table->name);
    while (query_next(q) && table->count < DUMP_COLUMNS_MAX) {
        struct str type = query_get_str(q, 1);
        table->columns[table->count] = (struct dump_column){
            .name = arena_copy(&w->arena, query_get_str(q, 0)),
            .bytes = str_ends(type, STR("blob")) || str_ends(type, STR("binary")) ||
                     str_eq(type, STR("bit")),
        };
        table->as_double[table->count] = str_eq(type, STR("float"));
        table->count++;
    }
    return query_end(q, why);
}

static enum err load_ddl(struct writing *w, struct table *table, struct why *why)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_add_str(&text, STR("SHOW CREATE TABLE "));
    add_name(&text, table->name);
    MYSQL_RES *result = NULL;
    enum err err = OK;
    if (mysql_real_query(w->handle, text.at, text.len) == 0) result = mysql_store_result(w->handle);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    if (row && mysql_num_fields(result) >= 2 && row[1]) {
        table->ddl = arena_copy(&w->arena, str_of(row[1]));
    } else {
        err = refused(w->handle, "reading a table's definition", why);
    }
    if (result) mysql_free_result(result);
    buf_release(&text);
    return err;
}

static void select_text(const struct table *table, struct buf *text)
{
    buf_add_str(text, STR("SELECT "));
    for (size_t i = 0; i < table->count; i++) {
        if (i > 0) buf_add_byte(text, ',');
        if (table->as_double[i]) buf_add_str(text, STR("CAST("));
        add_name(text, table->columns[i].name);
        if (table->as_double[i]) buf_add_str(text, STR(" AS DOUBLE)"));
    }
    buf_add_str(text, STR(" FROM "));
    add_name(text, table->name);
}

static enum err stream_rows(struct writing *w, const struct table *table, MYSQL_RES *result,
                            struct why *why)
{
    struct str cells[DUMP_COLUMNS_MAX];
    enum err err = OK;
    MYSQL_ROW row = NULL;
    while (!err && !dump_failed(&w->out) && (row = mysql_fetch_row(result)) != NULL) {
        const unsigned long *lengths = mysql_fetch_lengths(result);
        for (size_t i = 0; i < table->count; i++) {
            cells[i] = (struct str){row[i], row[i] ? lengths[i] : 0};
        }
        dump_row(&w->out, cells, table->count);
        if (w->out.rows % TELL_ROWS == 0) err = backup_goes_on(w->job, w->out.rows, w->about, why);
    }
    if (!err && row == NULL && mysql_errno(w->handle)) {
        err = refused(w->handle, "reading rows", why);
    }
    return err;
}

static enum err write_rows(struct writing *w, const struct table *table, struct why *why)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    select_text(table, &text);
    MYSQL_RES *result = NULL;
    if (mysql_real_query(w->handle, text.at, text.len) == 0) result = mysql_use_result(w->handle);
    buf_release(&text);
    if (result == NULL) return refused(w->handle, "reading rows", why);
    enum err err = stream_rows(w, table, result, why);
    mysql_free_result(result); /* reads what is left */
    return err;
}

static enum err write_table(struct writing *w, struct table *table, struct why *why)
{
    uint64_t rows = 0;
    enum err err = load_columns(w, table, why);
    if (!err) err = load_ddl(w, table, why);
    if (!err) err = count_rows(w->handle, table->name, &rows, why);
    if (err) return err;
    dump_table(&w->out, table->name, table->ddl, table->columns, table->count);
    err = write_rows(w, table, why);
    dump_table_end(&w->out);
    if (err || dump_failed(&w->out) || rows == w->out.table_rows) return err;
    return why_set(why, ERR_CORRUPT, "a table counts %llu rows and gives %llu",
                   (unsigned long long)rows, (unsigned long long)w->out.table_rows);
}

static enum err write_tables(struct writing *w, struct why *why)
{
    struct table *table = NEW(struct table);
    enum err err = OK;
    for (size_t i = 0; !err && !dump_failed(&w->out) && i < w->name_count; i++) {
        *table = (struct table){.name = w->names[i]};
        err = write_table(w, table, why);
    }
    mem_free(table);
    return err;
}

static enum err open_snapshot(struct writing *w, struct str url, struct why *why)
{
    enum err err = db_open(url, DB_MAINTAIN, &w->db, why);
    if (err) return err;
    w->handle = db_mariadb_handle(w->db);
    /* Our disk may be slower than the server's patience with a reader. */
    err = command(w->handle, "SET SESSION net_write_timeout = 3600", why);
    if (!err) err = db_begin_snapshot(w->db, why);
    if (!err) err = check_tables_only(w, why);
    return err ? err : list_tables(w, why);
}

enum err backup_mariadb_write(struct str url, const char *to, const struct backup_job *job,
                              struct backup_info *info_out, struct why *why)
{
    struct writing w = {.job = job};
    enum err err = open_snapshot(&w, url, why);
    if (!err) err = dump_begin(&w.out, to, why);
    if (!err) err = write_tables(&w, why);
    if (!err) err = dump_end(&w.out, why);
    dump_writer_release(&w.out);
    db_close(w.db);
    arena_release(&w.arena);
    if (!err) err = backup_mariadb_check(to, info_out, why);
    if (err || (info_out->rows == w.out.rows && info_out->tables == w.out.tables)) return err;
    return why_set(why, ERR_CORRUPT, "the file does not hold what was written; check the disk");
}

/* Checking. */

enum err backup_mariadb_check(const char *path, struct backup_info *info_out, struct why *why)
{
    struct dump_reader r;
    struct dump_record record = {0};
    enum err err = dump_open(&r, path, why);
    while (!err && !r.ended) {
        err = dump_next(&r, &record, why);
    }
    *info_out = (struct backup_info){
        .kind = DB_MARIADB, .bytes = r.size, .tables = r.tables, .rows = r.rows};
    dump_reader_release(&r);
    return err;
}

/* Restoring. */

struct restoring {
    struct db *db;          /* owned */
    MYSQL *handle;          /* of db */
    MYSQL_STMT *insert;     /* owned; for the current table */
    MYSQL_BIND *binds;      /* owned */
    unsigned long *lengths; /* owned */
    bool *bytes;            /* owned: columns that hold bytes */
    struct arena arena;
    struct dump_reader in;
    uint64_t total;
    const struct backup_job *job;
};

static void release_insert(struct restoring *r)
{
    if (r->insert) mysql_stmt_close(r->insert);
    mem_free(r->binds);
    mem_free(r->lengths);
    mem_free(r->bytes);
    r->insert = NULL;
    r->binds = NULL;
    r->lengths = NULL;
    r->bytes = NULL;
}

static void insert_text(const struct dump_record *table, struct buf *text)
{
    buf_add_str(text, STR("INSERT INTO "));
    add_name(text, table->table);
    for (size_t i = 0; i < table->count; i++) {
        buf_add_byte(text, i ? ',' : '(');
        add_name(text, table->columns[i].name);
    }
    buf_add_str(text, STR(") VALUES "));
    for (size_t i = 0; i < table->count; i++) {
        buf_add_str(text, i ? STR(",?") : STR("(?"));
    }
    buf_add_byte(text, ')');
}

static enum err restore_table(struct restoring *r, const struct dump_record *table, struct why *why)
{
    if (mysql_real_query(r->handle, table->ddl.at, table->ddl.len)) {
        return refused(r->handle, "making a table", why);
    }
    struct buf text;
    buf_init(&text, TEXT_MAX);
    insert_text(table, &text);
    release_insert(r);
    r->insert = mysql_stmt_init(r->handle);
    ASSERT(r->insert);
    bool ok = mysql_stmt_prepare(r->insert, text.at, text.len) == 0 &&
              mysql_stmt_param_count(r->insert) == table->count;
    buf_release(&text);
    if (!ok) return refused(r->handle, "preparing to insert", why);
    r->binds = mem_alloc(sizeof(*r->binds) * table->count);
    r->lengths = mem_alloc(sizeof(*r->lengths) * table->count);
    r->bytes = mem_alloc(sizeof(*r->bytes) * table->count);
    for (size_t i = 0; i < table->count; i++) {
        r->bytes[i] = table->columns[i].bytes;
    }
    return OK;
}

static void *unconst(const void *memory) /* parameters are only read */
{
    union {
        const void *in;
        void *out;
    } both = {.in = memory};
    return both.out;
}

static enum err restore_row(struct restoring *r, const struct dump_record *row, struct why *why)
{
    for (size_t i = 0; i < row->count; i++) {
        struct str cell = row->cells[i];
        r->lengths[i] = cell.len;
        r->binds[i] = (MYSQL_BIND){
            .buffer_type = cell.at == NULL ? MYSQL_TYPE_NULL
                           : r->bytes[i]   ? MYSQL_TYPE_BLOB
                                           : MYSQL_TYPE_STRING,
            .buffer = unconst(cell.at),
            .buffer_length = cell.len,
            .length = &r->lengths[i],
        };
    }
    if (mysql_stmt_bind_param(r->insert, r->binds) || mysql_stmt_execute(r->insert)) {
        return refused(r->handle, "inserting a row", why);
    }
    if (r->in.rows % COMMIT_ROWS) return OK;
    if (mysql_commit(r->handle)) return refused(r->handle, "committing", why);
    return backup_goes_on(r->job, r->in.rows, r->total, why);
}

static enum err restore_records(struct restoring *r, struct why *why)
{
    struct dump_record record;
    struct str table = {0};
    enum err err = OK;
    while (!err && !r->in.ended) {
        uint64_t rows = 0;
        err = dump_next(&r->in, &record, why);
        if (err) break;
        switch (record.kind) {
        case DUMP_TABLE:
            table = arena_copy(&r->arena, record.table);
            err = restore_table(r, &record, why);
            break;
        case DUMP_ROW: err = restore_row(r, &record, why); break;
        case DUMP_TABLE_END:
            err = count_rows(r->handle, table, &rows, why);
            if (!err && rows != r->in.table_rows) {
                err = why_set(why, ERR_CORRUPT, "the server did not keep every row");
            }
            break;
        case DUMP_END:
            if (mysql_commit(r->handle)) err = refused(r->handle, "committing", why);
            break;
        }
    }
    return err;
}

static enum err count_tables(MYSQL *handle, uint64_t *count_out, struct why *why)
{
    return ask_number(handle,
                      STR("SELECT COUNT(*) FROM information_schema.tables"
                          " WHERE table_schema = DATABASE()"),
                      count_out, why);
}

static enum err drop_tables(struct db *db, struct why *why)
{
    struct writing list = {.db = db};
    MYSQL *handle = db_mariadb_handle(db);
    enum err err = list_tables(&list, why);
    if (!err) err = command(handle, "SET SESSION foreign_key_checks = 0", why);
    for (size_t i = 0; !err && i < list.name_count; i++) {
        struct buf text;
        buf_init(&text, TEXT_MAX);
        buf_add_str(&text, STR("DROP TABLE "));
        add_name(&text, list.names[i]);
        err = command(handle, text.at, why);
        buf_release(&text);
    }
    arena_release(&list.arena);
    return err;
}

/* It was empty before, so everything there is ours. */
static void empty_again(struct restoring *r, struct str url)
{
    struct why why;
    release_insert(r);
    db_close(r->db); /* whatever state it is in */
    r->db = NULL;
    struct db *db = NULL;
    enum err err = db_open(url, DB_MAINTAIN, &db, &why);
    if (!err) err = drop_tables(db, &why);
    if (err) log_error("restore_left_tables", "error=\"%s\"", why.text);
    db_close(db);
}

enum err backup_mariadb_restore(const char *path, struct str url, const struct backup_job *job,
                                struct backup_info *info_out, struct why *why)
{
    struct restoring r = {.job = job};
    uint64_t tables = 0;
    enum err err = backup_mariadb_check(path, info_out, why);
    if (err) return err;
    r.total = info_out->rows;
    err = db_open(url, DB_MAINTAIN, &r.db, why);
    if (err) return err;
    r.handle = db_mariadb_handle(r.db);
    err = count_tables(r.handle, &tables, why);
    if (!err && tables > 0) {
        err = why_set(why, ERR_CONFLICT,
                      "the database has %llu tables already; a restore needs an empty one",
                      (unsigned long long)tables);
    }
    if (err) {
        db_close(r.db);
        return err;
    }
    /* Tables come by name, children before parents; a row may have the id 0. */
    err = command(r.handle,
                  "SET SESSION foreign_key_checks = 0, unique_checks = 0, autocommit = 0,"
                  " sql_mode = @@sql_mode || ',NO_AUTO_VALUE_ON_ZERO'",
                  why);
    if (!err) err = dump_open(&r.in, path, why);
    if (!err) err = restore_records(&r, why);
    if (err) empty_again(&r, url);
    release_insert(&r);
    dump_reader_release(&r.in);
    arena_release(&r.arena);
    db_close(r.db);
    return err;
}
