/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/db_mariadb.c: MariaDB and MySQL, by prepared statements of libmariadb.
 *
 * A result is taken whole from the wire when its statement runs
 * (mysql_stmt_store_result): pages are bounded, and so another statement may
 * run while one is read, as with SQLite. Numbers land in their cell; of texts
 * the first bytes do, and the rest of a longer one is fetched when it is asked for.
 *
 * A connection that broke is opened anew, but only where nothing can be lost
 * or done twice: outside of a transaction, before something is sent. An idle
 * connection whose socket is readable has been closed by the server (a time-out,
 * a restart, KILL); asking the socket costs a microsecond and spares guessing
 * afterwards whether a statement was carried out.
 *
 * Messages of the server quote data ("Duplicate entry 'alice'"), so what is
 * logged of a statement that ran is number and state only.
 */
#include "store/internal.h"

#include <errno.h>
#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>
#include <pthread.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    CONNECT_TIMEOUT_S = 10,
    ANSWER_TIMEOUT_S = 30,
    CELL_BYTES = 64,             /* most names and all numbers as text */
    CELL_KEEP_BYTES = 64 * 1024, /* a longer text's memory goes with its query */
};

/* Errors of servers newer than the header of Debian's client. */
enum { ERR_NO_CHECK_CONSTRAINT = 3819, ERR_QUERY_TIMEOUT = 3024 };

struct maria {
    struct db db;
    MYSQL *handle;       /* owned; NULL while there is no connection */
    bool broken;         /* the connection is gone; open it anew where that is safe */
    unsigned generation; /* counts connections: a statement of an older one is void */
    struct arena arena;  /* owned; holds what `url` points to */
    struct db_url url;
    uint64_t changes, last_id, changes_total;
};

struct param {
    unsigned long len;
    union {
        int64_t i64;
        double real;
    };
};

struct cell {
    enum { CELL_I64, CELL_REAL, CELL_TEXT } kind;
    union {
        int64_t i64;
        double real;
    };
    my_bool null, cut;
    unsigned long len; /* of the whole text */
    char *more;        /* owned; a text that did not fit `text` */
    size_t more_cap;
    bool whole; /* `more` holds the current row's text */
    char text[CELL_BYTES];
};

struct maria_query {
    struct query q;
    MYSQL_STMT *stmt;     /* owned */
    unsigned generation;  /* of the connection it was prepared on */
    bool reads;           /* changes nothing */
    MYSQL_BIND *binds;    /* owned; one for each parameter */
    struct param *params; /* owned */
    struct cell *cells;   /* owned; one for each column */
    int cell_count;
};

static struct maria *maria_of(struct db *db)
{
    return CONTAINER_OF(db, struct maria, db);
}

static const struct maria *maria_of_const(const struct db *db)
{
    return (const struct maria *)(const void *)db;
}

static inline struct maria_query *mq_of(struct query *q)
{
    return CONTAINER_OF(q, struct maria_query, q);
}

/* Failures. */

static const char gone[] = "数据库没有响应，什么都没有改变，请稍后再试 (the database does not "
                           "answer; nothing was changed: "
                           "try again later)";

struct failure {
    unsigned code;
    enum err err;
    bool broken; /* the connection is no longer usable */
    const char *sentence;
};

static const struct failure *failure_of(unsigned code)
{
    static const char exists[] = "this exists already";
    static const char refers[] = "this refers to something that does not exist";
    static const char refused[] = "the database does not take this value";
    static const char large[] = "this is too large for the database";
    static const char busy[] = "the database is busy; try again";
    static const char full[] = "现在无法保存 (cannot save now: the server's disk is full)";

    static const char damaged[] = "a table of the database is damaged";
    static const struct failure failures[] = {
        {ER_DUP_ENTRY, ERR_CONFLICT, false, exists},
        {ER_DUP_KEY, ERR_CONFLICT, false, exists},
        {ER_DUP_UNIQUE, ERR_CONFLICT, false, exists},
        {ER_DUP_ENTRY_WITH_KEY_NAME, ERR_CONFLICT, false, exists},
        {ER_NO_REFERENCED_ROW, ERR_INVALID, false, refers},
        {ER_NO_REFERENCED_ROW_2, ERR_INVALID, false, refers},
        {ER_ROW_IS_REFERENCED, ERR_INVALID, false, "something else still refers to this"},
        {ER_ROW_IS_REFERENCED_2, ERR_INVALID, false, "something else still refers to this"},
        {ER_CONSTRAINT_FAILED, ERR_INVALID, false, refused},
        {ERR_NO_CHECK_CONSTRAINT, ERR_INVALID, false, refused},
        {ER_BAD_NULL_ERROR, ERR_INVALID, false, refused},
        {ER_NO_DEFAULT_FOR_FIELD, ERR_INVALID, false, refused},
        {ER_DATA_TOO_LONG, ERR_INVALID, false, refused},
        {ER_WARN_DATA_OUT_OF_RANGE, ERR_INVALID, false, refused},
        {ER_DATA_OUT_OF_RANGE, ERR_INVALID, false, refused},
        {ER_TRUNCATED_WRONG_VALUE, ERR_INVALID, false, refused},
        {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ERR_INVALID, false, refused},
        {WARN_DATA_TRUNCATED, ERR_INVALID, false, refused},
        {ER_TOO_BIG_ROWSIZE, ERR_LIMIT, false, large},
        {ER_NET_PACKET_TOO_LARGE, ERR_LIMIT, true, large},
        {CR_NET_PACKET_TOO_LARGE, ERR_LIMIT, true, large},
        {ER_LOCK_DEADLOCK, ERR_BUSY, false, busy},
        {ER_LOCK_WAIT_TIMEOUT, ERR_BUSY, false, busy},
        {ER_CHECKREAD, ERR_BUSY, false, busy},
        {ER_QUERY_INTERRUPTED, ERR_BUSY, false, busy},
        {ER_STATEMENT_TIMEOUT, ERR_BUSY, false, busy},
        {ERR_QUERY_TIMEOUT, ERR_BUSY, false, busy},
        {ER_DISK_FULL, ERR_FULL, false, full},
        {ER_RECORD_FILE_FULL, ERR_FULL, false, full},
        {ER_OPTION_PREVENTS_STATEMENT, ERR_IO, false, "the database is read-only"},
        {ER_READ_ONLY_MODE, ERR_IO, false, "the database is read-only"},
        {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ERR_IO, false, "the database is read-only"},
        {ER_NOT_KEYFILE, ERR_CORRUPT, false, damaged},
        {ER_CRASHED_ON_USAGE, ERR_CORRUPT, false, damaged},
        {ER_CONNECTION_KILLED, ERR_AWAY, true, gone},
        {ER_SERVER_SHUTDOWN, ERR_AWAY, true, gone},
        {ER_NET_READ_ERROR, ERR_AWAY, true, gone},
        {ER_NET_READ_INTERRUPTED, ERR_AWAY, true, gone},
        {ER_NET_ERROR_ON_WRITE, ERR_AWAY, true, gone},
        {ER_NET_WRITE_INTERRUPTED, ERR_AWAY, true, gone},
    };
    static const struct failure other = {0, ERR_IO, false,
                                         "the database did not understand a statement"};
    static const struct failure client = {0, ERR_AWAY, true,
                                          gone}; /* the client's own, 2000–2999 */
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        if (failures[i].code == code) return &failures[i];
    }
    return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR ? &client : &other;
}

static enum err fail(struct maria *m, const char *name, unsigned code, const char *state,
                     const char *message, struct why *why)
{
    const struct failure *failure = failure_of(code);
    if (failure->err != ERR_CONFLICT && failure->err != ERR_INVALID) {
        log_warn("db_failed", "statement=%s code=%u state=%s message=\"%s\"", name, code, state,
                 message);
    }
    why_set(why, failure->err, "%s", failure->sentence);
    if (failure->broken) m->broken = true;
    if (m->db.tx == DB_TX_OPEN && failure->err == ERR_BUSY) {
        /* A deadlock ended the transaction; after a lock wait it stands half-done. Make both one.
         * If this fails the connection is closed below, and the server rolls back. */
        if (mysql_real_query(m->handle, "ROLLBACK", 8)) m->broken = true;
        db_lost(&m->db, ERR_BUSY, why);
    }
    if (m->broken) db_lost(&m->db, failure->err, why);
    return failure->err;
}

static enum err fail_command(struct maria *m, const char *name, struct why *why)
{
    return fail(m, name, mysql_errno(m->handle), mysql_sqlstate(m->handle), mysql_error(m->handle),
                why);
}

static void fail_query(struct query *q)
{
    struct maria_query *mq = mq_of(q);
    struct maria *m = maria_of(q->db);
    struct why why;
    /* Preparing, a message can only quote our own text. */
    const char *message = q->prepared ? "" : mysql_stmt_error(mq->stmt);
    bool in_transaction = m->db.tx != DB_TX_NONE;
    enum err err =
        fail(m, q->name, mysql_stmt_errno(mq->stmt), mysql_stmt_sqlstate(mq->stmt), message, &why);
    if (m->broken && err == ERR_AWAY && q->prepared && !in_transaction && !mq->reads) {
        err = ERR_UNCERTAIN;
    }
    query_fail(q, err, "%s", why.text);
}

/* Connecting. */

static void set_options(MYSQL *handle, const struct db_url *url, enum db_mode mode)
{
    const unsigned connect_s = CONNECT_TIMEOUT_S, answer_s = ANSWER_TIMEOUT_S, no = 0;
    const unsigned tcp = MYSQL_PROTOCOL_TCP;
    const my_bool yes = 1;
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    if (mode != DB_MAINTAIN) {
        mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_s);
        mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    }
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no); /* a server must not read our files */
    /* A host means TCP, also "localhost", for which the library would look for a socket. */
    if (url->socket == NULL) mysql_options(handle, MYSQL_OPT_PROTOCOL, &tcp);
    if (url->tls != TLS_OFF) mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes);
    if (url->tls == TLS_VERIFY) mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    if (url->ca) mysql_options(handle, MYSQL_OPT_SSL_CA, url->ca);
}

/* What the session must be like before the first statement. */
static int set_session(MYSQL *handle)
{
    static const char *const words =
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin, time_zone = '+00:00', autocommit = 1,"
        " innodb_lock_wait_timeout = 5,"
        " sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
        "NO_ENGINE_SUBSTITUTION,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'";
    /* Each statement sees what is committed: less locking than the server's default. */
    static const char *const isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    int code = mysql_query(handle, words);
    return code ? code : mysql_query(handle, isolation);
}

static void library_init(void)
{
    mysql_library_init(0, NULL, NULL);
}

static MYSQL *new_handle(const struct db_url *url, enum db_mode mode)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* not safe from two threads at once */
    pthread_once(&once, library_init);
    MYSQL *handle = mysql_init(NULL);
    ASSERT(handle); /* fails for want of memory only */
    set_options(handle, url, mode);
    return handle;
}

/* `why` is for the operator. */
static enum err say_refused(MYSQL *handle, const struct db_url *url, struct why *why)
{
    unsigned code = mysql_errno(handle);
    if (code == ER_BAD_DB_ERROR) {
        return why_set(why, ERR_IO,
                       "the server has no database %s; create it with CREATE DATABASE %s "
                       "CHARACTER SET utf8mb4",
                       url->name, url->name);
    }
    if (code == 0) {
        return why_set(why, ERR_IO,
                       "the database server does not speak TLS, and the URL asks it to");
    }
    return why_set(why, ERR_IO,
                   "no connection to the database server at %s:%u (setting database): %s",
                   url->host, url->port, mysql_error(handle));
}

/* A fresh connection in `m`, which has none. */
static enum err connect_now(struct maria *m, enum db_mode mode, struct why *why)
{
    const struct db_url *url = &m->url;
    MYSQL *handle = new_handle(url, mode);
    /* FOUND_ROWS: an UPDATE counts the rows it found, as SQLite does. */
    bool ok = mysql_real_connect(handle, url->host, url->user, url->password, url->name, url->port,
                                 url->socket, CLIENT_FOUND_ROWS) != NULL;
    /* "Enforce" is a wish to the library: it goes on in clear text if the server has no TLS. */
    if (ok && url->tls != TLS_OFF) ok = mysql_get_ssl_cipher(handle) != NULL;
    if (!ok || set_session(handle)) {
        enum err err = say_refused(handle, url, why);
        mysql_close(handle);
        return err;
    }
    m->handle = handle;
    m->broken = false;
    m->generation++;
    return OK;
}

static void disconnect(struct maria *m)
{
    if (m->handle) mysql_close(m->handle); /* statements stay, void, until released */
    m->handle = NULL;
    m->broken = true;
}

static const char *keep(struct arena *arena, const char *text)
{
    return text ? arena_copy(arena, str_of(text)).at : NULL;
}

static void maria_close(struct db *db)
{
    struct maria *m = maria_of(db);
    disconnect(m);
    arena_release(&m->arena);
    mem_free(m);
}

static enum err maria_open(const struct db_url *url, enum db_mode mode, struct db **db_out,
                           struct why *why)
{
    struct maria *m = NEW(struct maria);
    m->url = (struct db_url){
        .kind = DB_MARIADB,
        .user = keep(&m->arena, url->user),
        .password = keep(&m->arena, url->password),
        .host = keep(&m->arena, url->host),
        .name = keep(&m->arena, url->name),
        .socket = keep(&m->arena, url->socket),
        .ca = keep(&m->arena, url->ca),
        .port = url->port,
        .tls = url->tls,
    };
    enum err err = connect_now(m, mode, why);
    if (err) {
        maria_close(&m->db);
        return err;
    }
    *db_out = &m->db;
    return OK;
}

static bool socket_is_quiet(MYSQL *handle)
{
    struct pollfd fd = {.fd = mysql_get_socket(handle), .events = POLLIN | POLLRDHUP};
    int ready = 0;
    do {
        ready = poll(&fd, 1, 0);
    } while (ready < 0 && errno == EINTR);
    return ready == 0;
}

/* A connection that works, as far as one can know. `reading`: queries that still hold rows. */
static enum err make_ready(struct maria *m, unsigned reading, struct why *why)
{
    if (m->db.tx == DB_TX_OPEN) return OK; /* if it is gone, its transaction must learn of it */
    if (!m->broken && socket_is_quiet(m->handle)) return OK;
    m->broken = true;
    if (reading > 0) return why_set(why, ERR_AWAY, "%s", gone);
    disconnect(m);
    struct why details;
    if (connect_now(m, m->db.mode, &details)) {
        log_error("db_reconnect_failed", "error=\"%s\"", details.text);
        return why_set(why, ERR_AWAY, "%s", gone);
    }
    log_info("db_reconnected", "generation=%u", m->generation);
    return OK;
}

/* Commands and scripts. */

static enum err maria_command(struct db *db, enum db_command command, struct why *why)
{
    static const char *const texts[] = {
        [DB_BEGIN] = "START TRANSACTION",
        [DB_BEGIN_SNAPSHOT] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        [DB_COMMIT] = "COMMIT",
        [DB_ROLLBACK] = "ROLLBACK",
        [DB_SAVEPOINT] = "SAVEPOINT one",
        [DB_SAVEPOINT_RELEASE] = "RELEASE SAVEPOINT one",
        /* The name stays usable: a new savepoint of the same name replaces this one. */
        [DB_SAVEPOINT_ROLLBACK] = "ROLLBACK TO SAVEPOINT one",
    };
    struct maria *m = maria_of(db);
    const char *text = texts[command];
    if (command == DB_BEGIN || command == DB_BEGIN_SNAPSHOT) {
        enum err err = make_ready(m, db->running, why);
        if (err) return err;
    }
    /* For the next transaction only. */
    if (command == DB_BEGIN_SNAPSHOT &&
        mysql_query(m->handle, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")) {
        return fail_command(m, text, why);
    }
    if (mysql_real_query(m->handle, text, strlen(text)) == 0) return OK;
    enum err err = fail_command(m, text, why);
    if (command == DB_COMMIT && m->broken) {
        return why_set(why, ERR_UNCERTAIN,
                       "the connection to the database broke while the change was confirmed");
    }
    return err;
}

/* A migration's author reads this: the server's own words, and where. */
static enum err script_failed(struct maria *m, int number, struct why *why)
{
    char message[200];
    str_copy(message, sizeof(message), str_of(mysql_error(m->handle)));
    struct why plain;
    enum err err = fail_command(m, "script", &plain);
    return why_set(why, err, "statement %d: %s", number, message);
}

static enum err run_script(struct maria *m, struct str text, struct why *why)
{
    int code = mysql_real_query(m->handle, text.at, text.len);
    for (int number = 1;; number++) {
        if (code > 0) {
            /* What stands behind the last ';' may be a comment only. */
            if (mysql_errno(m->handle) == ER_EMPTY_QUERY) return OK;
            return script_failed(m, number, why);
        }
        MYSQL_RES *result = mysql_store_result(m->handle);
        if (result) mysql_free_result(result);
        if (!mysql_more_results(m->handle)) return OK;
        code = mysql_next_result(m->handle);
    }
}

static enum err maria_script(struct db *db, struct str text, struct why *why)
{
    struct maria *m = maria_of(db);
    enum err err = make_ready(m, db->running, why);
    if (err) return err;
    if (mysql_set_server_option(m->handle, MYSQL_OPTION_MULTI_STATEMENTS_ON)) {
        return fail_command(m, "script", why);
    }
    err = run_script(m, text, why);
    /* Off again: with it, a slip elsewhere would be an injection of whole statements. */
    if (!m->broken && mysql_set_server_option(m->handle, MYSQL_OPTION_MULTI_STATEMENTS_OFF)) {
        m->broken = true;
    }
    return err;
}

static enum err maria_checkpoint(struct db *db, uint64_t *pages_out, uint64_t *left_out,
                                 struct why *why)
{
    (void)db;
    (void)why;
    *pages_out = *left_out = 0; /* the server keeps house by itself */
    return OK;
}

static uint64_t maria_changes(const struct db *db)
{
    return maria_of_const(db)->changes;
}

static uint64_t maria_last_id(const struct db *db)
{
    return maria_of_const(db)->last_id;
}

static uint64_t maria_changes_total(const struct db *db)
{
    return maria_of_const(db)->changes_total;
}

/* Queries: preparing. */

static bool text_reads(const char *text)
{
    static const char *const words[] = {"SELECT", "SHOW", "WITH", "EXPLAIN", "("};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_eq_nocase(str_head(str_of(text), strlen(words[i])), str_of(words[i]))) return true;
    }
    return false;
}

static void free_cells(struct maria_query *mq)
{
    for (int i = 0; i < mq->cell_count; i++) {
        mem_free(mq->cells[i].more);
    }
    mem_free(mq->cells);
    mq->cells = NULL;
    mq->cell_count = 0;
}

static void maria_release(struct query *q)
{
    struct maria_query *mq = mq_of(q);
    if (mq->stmt) mysql_stmt_close(mq->stmt);
    mq->stmt = NULL;
    mem_free(mq->binds);
    mem_free(mq->params);
    mq->binds = NULL;
    mq->params = NULL;
    free_cells(mq);
    q->prepared = false;
}

static void maria_prepare(struct query *q)
{
    struct maria_query *mq = mq_of(q);
    struct maria *m = maria_of(q->db);
    struct why why;
    enum err err = make_ready(m, m->db.running - 1, &why);
    if (err) {
        query_fail(q, err, "%s", why.text);
        return;
    }
    if (q->prepared && mq->generation == m->generation) return;
    maria_release(q);
    mq->stmt = mysql_stmt_init(m->handle);
    ASSERT(mq->stmt); /* fails for want of memory only */
    if (mysql_stmt_prepare(mq->stmt, q->text, strlen(q->text))) {
        fail_query(q);
        return;
    }
    q->prepared = true;
    q->params = (int)mysql_stmt_param_count(mq->stmt);
    q->columns = (int)mysql_stmt_field_count(mq->stmt);
    mq->generation = m->generation;
    mq->reads = text_reads(q->text);
    mq->binds = mem_alloc(sizeof(*mq->binds) * (size_t)q->params);
    mq->params = mem_alloc(sizeof(*mq->params) * (size_t)q->params);
}

static void maria_reset(struct query *q)
{
    struct maria_query *mq = mq_of(q);
    if (mq->stmt && q->stepped && q->columns > 0) mysql_stmt_free_result(mq->stmt);
    for (int i = 0; i < mq->cell_count; i++) {
        struct cell *cell = &mq->cells[i];
        if (cell->more_cap <= CELL_KEEP_BYTES) continue;
        mem_free(cell->more);
        cell->more = NULL;
        cell->more_cap = 0;
    }
}

/* Queries: binding. */

/* The library's struct is for both directions and has no const; parameters are only read. */
static void *unconst(const void *memory)
{
    union {
        const void *in;
        void *out;
    } both = {.in = memory};
    return both.out;
}

static struct param *bind(struct query *q, int at, enum enum_field_types type, const void *memory,
                          size_t len)
{
    struct maria_query *mq = mq_of(q);
    struct param *param = &mq->params[at - 1];
    param->len = len;
    mq->binds[at - 1] = (MYSQL_BIND){
        .buffer_type = type,
        .buffer = unconst(memory),
        .buffer_length = len,
        .length = &param->len,
    };
    return param;
}

static void maria_bind_i64(struct query *q, int at, int64_t value)
{
    struct param *param = &mq_of(q)->params[at - 1];
    bind(q, at, MYSQL_TYPE_LONGLONG, &param->i64, sizeof(value))->i64 = value;
}

static void maria_bind_double(struct query *q, int at, double value)
{
    struct param *param = &mq_of(q)->params[at - 1];
    bind(q, at, MYSQL_TYPE_DOUBLE, &param->real, sizeof(value))->real = value;
}

static void maria_bind_str(struct query *q, int at, struct str text)
{
    bind(q, at, MYSQL_TYPE_STRING, text.at, text.len);
}

static void maria_bind_bytes(struct query *q, int at, struct str bytes)
{
    bind(q, at, MYSQL_TYPE_BLOB, bytes.at, bytes.len);
}

static void maria_bind_null(struct query *q, int at)
{
    bind(q, at, MYSQL_TYPE_NULL, NULL, 0);
}

/* Queries: rows. */

static MYSQL_BIND cell_bind(struct cell *cell, const MYSQL_FIELD *field)
{
    MYSQL_BIND bind_out = {.is_null = &cell->null, .error = &cell->cut, .length = &cell->len};
    if (IS_NUM(field->type) && field->type != MYSQL_TYPE_DECIMAL &&
        field->type != MYSQL_TYPE_NEWDECIMAL && field->type != MYSQL_TYPE_TIMESTAMP) {
        bool real = field->type == MYSQL_TYPE_DOUBLE || field->type == MYSQL_TYPE_FLOAT;
        cell->kind = real ? CELL_REAL : CELL_I64;
        bind_out.buffer_type = real ? MYSQL_TYPE_DOUBLE : MYSQL_TYPE_LONGLONG;
        bind_out.buffer = real ? (void *)&cell->real : (void *)&cell->i64;
        bind_out.buffer_length = sizeof(cell->i64);
        bind_out.is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
    } else {
        cell->kind = CELL_TEXT;
        bind_out.buffer_type = MYSQL_TYPE_STRING;
        bind_out.buffer = cell->text;
        bind_out.buffer_length = sizeof(cell->text);
    }
    return bind_out;
}

/* After each execution, because the type of a column may depend on the parameters. */
static bool bind_result(struct maria_query *mq)
{
    int columns = (int)mysql_stmt_field_count(mq->stmt);
    if (columns != mq->cell_count) {
        free_cells(mq);
        mq->cells = mem_alloc(sizeof(*mq->cells) * (size_t)columns);
        mq->cell_count = mq->q.columns = columns;
    }
    MYSQL_RES *meta = mysql_stmt_result_metadata(mq->stmt);
    if (meta == NULL) return false;
    const MYSQL_FIELD *fields = mysql_fetch_fields(meta);
    MYSQL_BIND *binds = mem_alloc(sizeof(*binds) * (size_t)columns);
    for (int i = 0; i < columns; i++) {
        binds[i] = cell_bind(&mq->cells[i], &fields[i]);
    }
    bool ok =
        mysql_stmt_bind_result(mq->stmt, binds) == 0 && mysql_stmt_store_result(mq->stmt) == 0;
    mem_free(binds);
    mysql_free_result(meta);
    return ok;
}

static bool execute(struct maria_query *mq)
{
    struct maria *m = maria_of(mq->q.db);
    if (mq->q.params > 0 && mysql_stmt_bind_param(mq->stmt, mq->binds)) return false;
    if (mysql_stmt_execute(mq->stmt)) return false;
    if (mysql_stmt_field_count(mq->stmt) > 0 && !bind_result(mq)) return false;
    if (mq->reads) return true;
    uint64_t changed = mysql_stmt_affected_rows(mq->stmt);
    m->changes = changed == UINT64_MAX ? 0 : changed;
    m->changes_total += m->changes;
    if (mysql_stmt_insert_id(mq->stmt)) m->last_id = mysql_stmt_insert_id(mq->stmt);
    return true;
}

static bool maria_next(struct query *q)
{
    struct maria_query *mq = mq_of(q);
    if (!q->stepped && !execute(mq)) {
        fail_query(q);
        return false;
    }
    if (mysql_stmt_field_count(mq->stmt) == 0) return false;
    for (int i = 0; i < mq->cell_count; i++) {
        mq->cells[i].whole = false;
    }
    int code = mysql_stmt_fetch(mq->stmt);
    if (code == 0 || code == MYSQL_DATA_TRUNCATED) return true;
    if (code != MYSQL_NO_DATA) fail_query(q);
    return false;
}

/* The text of a cell that is one. */
static struct str cell_text(struct query *q, int column)
{
    struct maria_query *mq = mq_of(q);
    struct cell *cell = &mq->cells[column];
    if (cell->len <= sizeof(cell->text)) return (struct str){cell->text, cell->len};
    if (cell->whole) return (struct str){cell->more, cell->len};
    if (cell->more_cap < cell->len) {
        cell->more_cap = cell->len;
        cell->more = mem_resize(cell->more, cell->more_cap);
    }
    unsigned long len = 0;
    my_bool null = 0, cut = 0;
    MYSQL_BIND whole = {
        .buffer_type = MYSQL_TYPE_STRING,
        .buffer = cell->more,
        .buffer_length = cell->len,
        .length = &len,
        .is_null = &null,
        .error = &cut,
    };
    int code = mysql_stmt_fetch_column(mq->stmt, &whole, (unsigned)column, 0);
    ASSERT(code == 0 && len == cell->len); /* the row is in our memory already */
    cell->whole = true;
    return (struct str){cell->more, cell->len};
}

/* A sum of integers comes as a decimal, which is a text. */
static double cell_number(struct query *q, int column)
{
    char digits[CELL_BYTES];
    str_copy(digits, sizeof(digits), cell_text(q, column));
    return strtod(digits, NULL);
}

/* As SQLite converts: towards zero, and to the nearest end of the range. */
static int64_t whole_number(double real)
{
    if (real >= 0x1p63) return INT64_MAX;
    if (real <= -0x1p63) return INT64_MIN;
    return real == real ? (int64_t)real : 0;
}

static int64_t maria_get_i64(struct query *q, int column)
{
    struct cell *cell = &mq_of(q)->cells[column];
    if (cell->null) return 0;
    switch (cell->kind) {
    case CELL_I64: return cell->i64;
    case CELL_REAL: return whole_number(cell->real);
    case CELL_TEXT: break;
    }
    int64_t value = 0;
    if (str_to_i64(cell_text(q, column), &value)) return value;
    return whole_number(cell_number(q, column));
}

static double maria_get_double(struct query *q, int column)
{
    struct cell *cell = &mq_of(q)->cells[column];
    if (cell->null) return 0;
    switch (cell->kind) {
    case CELL_I64: return (double)cell->i64;
    case CELL_REAL: return cell->real;
    case CELL_TEXT: break;
    }
    return cell_number(q, column);
}

static struct str maria_get_str(struct query *q, int column)
{
    struct cell *cell = &mq_of(q)->cells[column];
    if (cell->null) return (struct str){0};
    int len = 0;
    switch (cell->kind) {
    case CELL_I64:
        len = snprintf(cell->text, sizeof(cell->text), "%lld", (long long)cell->i64);
        break;
    case CELL_REAL: len = snprintf(cell->text, sizeof(cell->text), "%.15g", cell->real); break;
    case CELL_TEXT: return cell_text(q, column);
    }
    return (struct str){cell->text, (size_t)len};
}

static bool maria_is_null(struct query *q, int column)
{
    return mq_of(q)->cells[column].null;
}

MYSQL *db_mariadb_handle(struct db *db)
{
    ASSERT(db_kind(db) == DB_MARIADB);
    return maria_of(db)->handle;
}

const struct db_driver db_driver_mariadb = {
    .kind = DB_MARIADB,
    .texts = sql_mariadb,
    .query_bytes = sizeof(struct maria_query),
    .open = maria_open,
    .close = maria_close,
    .command = maria_command,
    .script = maria_script,
    .checkpoint = maria_checkpoint,
    .changes = maria_changes,
    .last_id = maria_last_id,
    .changes_total = maria_changes_total,
    .prepare = maria_prepare,
    .reset = maria_reset,
    .release = maria_release,
    .bind_i64 = maria_bind_i64,
    .bind_double = maria_bind_double,
    .bind_str = maria_bind_str,
    .bind_bytes = maria_bind_bytes,
    .bind_null = maria_bind_null,
    .next = maria_next,
    .get_i64 = maria_get_i64,
    .get_double = maria_get_double,
    .get_str = maria_get_str,
    .is_null = maria_is_null,
};
