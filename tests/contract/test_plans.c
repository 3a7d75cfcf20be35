/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How SQLite means to carry out every named statement, on the house's schema
 * and without statistics, as on a young database.
 *
 * Nothing may walk a whole table that grows, and nothing may sort what it
 * found: both cost more every day. The exceptions are written down below, each
 * with its reason, and one that is no longer needed fails the test as well.
 */
#include "base/buf.h"
#include "house.h"
#include "unit.h"

/* What has a bounded number of rows. Everything else in the schema grows with use. */
static const char *const bounded[] = {
    "counters",          /* four */
    "locations",         /* places of a town: dozens */
    "pragma_page_count", /* one number each */
    "pragma_page_size",
    "schema_migrations", /* one a release */
    "sqlite_schema",     /* the tables themselves */
    "towns",             /* a handful */
};

struct exception {
    enum sql which;
    const char *step; /* how that line of the plan begins */
    const char *reason;
};
static const struct exception exceptions[] = {
    {SQL_POSTS_PAGE, "SCAN p", "by its key from the newest; LIMIT ends it"},
    {SQL_WIKIS_CUT_OFF, "SCAN wikis", "once, at start; wikis are few, thousands at most"},
    {SQL_WIKI_PROJECTS, "SCAN", "wikis are few, thousands at most; on a worker"},
    {SQL_WIKI_PROJECTS, "USE TEMP B-TREE FOR", "of what was found"},
    {SQL_SOCIETY_HOURS, "USE TEMP B-TREE FOR GROUP BY", "of thirty days, from an index"},
    {SQL_SOCIETY_DEEDS, "USE TEMP B-TREE FOR GROUP BY", "of thirty days, from an index"},
    {SQL_SOCIETY_DEEDS, "USE TEMP B-TREE FOR ORDER BY", "of what was counted"},
    {SQL_ACTION_LOG_SAID, "SCAN lately", "the 400 rows that are found before"},
    {SQL_USERS_LIST, "SCAN users", "by its key from the oldest; LIMIT ends it"},
    {SQL_USERS_SEARCH, "SCAN users",
     "parts of nicknames have no index; on a worker, and 0.1 us a member"},
    {SQL_USERS_SEARCH, "USE TEMP B-TREE FOR ORDER BY", "of what was found"},
    {SQL_POSTS_NEWEST_TEXTS, "SCAN posts", "by its key from the newest; LIMIT ends it"},
    {SQL_POSTS_SEARCH, "SCAN s VIRTUAL TABLE INDEX ",
     "SQLite calls every use of a word index a scan; this is MATCH, in the order of rowids"},
};

/* --- judging a plan --- */

enum { STEPS_MAX = 64 };

struct plan {
    struct str steps[STEPS_MAX];
    size_t count;
};

static bool is_bounded(struct str table)
{
    for (size_t i = 0; i < COUNT_OF(bounded); i++) {
        if (str_eq(table, str_of(bounded[i]))) return true;
    }
    return false;
}

/* Tables are named by their alias in a plan; an alias of ours stands for one that grows. */
static bool is_bad(struct str step)
{
    struct str rest = step, word, object;
    if (!str_split(&rest, ' ', &word) || !str_split(&rest, ' ', &object)) return false;
    if (str_eq(word, STR("SCAN"))) {
        /* "SCAN CONSTANT ROW" reads nothing. */
        return !str_eq(object, STR("CONSTANT")) && !is_bounded(object);
    }
    /* Sorts, and indexes made for one run. */
    return str_starts(step, STR("USE TEMP B-TREE")) || str_find(step, STR("AUTOMATIC")) < step.len;
}

static struct plan plan_of(struct database *d, const char *text)
{
    struct plan plan = {0};
    struct why why;
    struct str explain = arena_printf(&d->arena, "EXPLAIN QUERY PLAN %s", text);
    struct query *q = db_query_text(d->db, explain.at);
    for (size_t i = str_find_byte(explain, '?'); i < explain.len;
         i += 1 + str_find_byte(str_from(explain, i + 1), '?')) {
        query_null(q);
    }
    while (query_next(q)) {
        assert_true(plan.count < STEPS_MAX);
        plan.steps[plan.count++] = arena_copy(&d->arena, query_get_str(q, 3));
    }
    must(query_end(q, &why), &why);
    return plan;
}

static const char *first_bad(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (is_bad(plan->steps[i])) return plan->steps[i].at;
    }
    return NULL;
}

/* Is this step written down as right? Marks the exception as used. */
static bool is_excepted(enum sql which, struct str step, bool used[COUNT_OF(exceptions)])
{
    for (size_t i = 0; i < COUNT_OF(exceptions); i++) {
        if (exceptions[i].which != which) continue;
        if (!str_starts(step, str_of(exceptions[i].step))) continue;
        used[i] = true;
        return true;
    }
    return false;
}

/* --- the tests --- */

static void no_statement_walks_or_sorts_a_table_that_grows(struct database *d)
{
    house_open(d);
    bool used[COUNT_OF(exceptions)] = {false};
    size_t wrong = 0;
    for (size_t which = 0; which < SQL_COUNT; which++) {
        struct plan plan = plan_of(d, sql_sqlite[which]);
        for (size_t i = 0; i < plan.count; i++) {
            if (!is_bad(plan.steps[i])) continue;
            if (is_excepted((enum sql)which, plan.steps[i], used)) continue;
            print_error("%s: %s\n", sql_names[which], plan.steps[i].at);
            wrong++;
        }
    }
    for (size_t i = 0; i < COUNT_OF(exceptions); i++) {
        if (used[i]) continue;
        print_error("%s is excepted for nothing: %s\n", sql_names[exceptions[i].which],
                    exceptions[i].step);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* The proof that the test above can fail: what it must find, and what it must let pass. */
static void bad_statements_are_found(struct database *d)
{
    house_open(d);
    static const struct {
        const char *text, *bad; /* how the bad line begins; NULL: there is none */
    } cases[] = {
        {"SELECT * FROM posts WHERE content = ?", "SCAN posts"},
        {"SELECT * FROM posts p WHERE p.likes_count > ?", "SCAN p"},
        {"SELECT COUNT(*) FROM users", "SCAN users"},
        {"DELETE FROM sessions WHERE client = ?", "SCAN sessions"},
        {"UPDATE topics SET head = 0", "SCAN topics"},
        {"SELECT id FROM comments WHERE post_id = ? ORDER BY created_us",
         "USE TEMP B-TREE FOR ORDER BY"},
        {"SELECT DISTINCT created_us FROM comments WHERE post_id = ?",
         "USE TEMP B-TREE FOR DISTINCT"},
        {"SELECT 1 FROM users WHERE id IN (SELECT sender_id FROM messages)", "SCAN messages"},
        {"SELECT * FROM posts p JOIN users u ON u.nickname = p.content WHERE p.id = ?", "SCAN u"},
        {"SELECT * FROM posts WHERE id = ?", NULL},
        {"SELECT * FROM counters", NULL},
        {"SELECT * FROM locations ORDER BY id", NULL},
        {"SELECT id FROM comments WHERE post_id = ? ORDER BY id LIMIT ?", NULL},
        {"INSERT INTO topics (name) VALUES (?)", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct plan plan = plan_of(d, cases[i].text);
        const char *bad = first_bad(&plan);
        if (cases[i].bad == NULL && bad) fail_msg("%s: wrongly %s", cases[i].text, bad);
        if (cases[i].bad && (!bad || !str_starts(str_of(bad), str_of(cases[i].bad)))) {
            fail_msg("%s: %s, expected %s", cases[i].text, bad ? bad : "fine", cases[i].bad);
        }
    }
}

/* Foreign key columns of a table that no index begins with: removing what they refer to would
 * walk the whole table. */
static size_t count_unindexed(struct database *d, bool tell)
{
    static const char text[] =
        "SELECT m.name, f.\"from\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f"
        " WHERE m.type = 'table' AND NOT EXISTS ("
        " SELECT 1 FROM pragma_index_list(m.name) i, pragma_index_info(i.name) c"
        " WHERE c.seqno = 0 AND c.name = f.\"from\""
        /* A partial index serves where it leaves out only rows that refer to nothing. */
        " AND (i.partial = 0 OR (SELECT s.sql FROM sqlite_schema s WHERE s.name = i.name)"
        " LIKE '%WHERE ' || f.\"from\" || ' IS NOT NULL'))";
    struct why why;
    size_t count = 0;
    struct query *q = db_query_text(d->db, text);
    for (; query_next(q); count++) {
        if (!tell) continue;
        print_error("no index begins with %.*s.%.*s\n", STR_ARGS(query_get_str(q, 0)),
                    STR_ARGS(query_get_str(q, 1)));
    }
    must(query_end(q, &why), &why);
    return count;
}

static void every_foreign_key_has_an_index(struct database *d)
{
    house_open(d);
    assert_true(must_number(d->db, "SELECT COUNT(*) FROM sqlite_schema m,"
                                   " pragma_foreign_key_list(m.name) WHERE m.type = 'table'") > 25);
    assert_int_equal(count_unindexed(d, true), 0);
    /* The proof that this can fail. */
    must_script(d->db,
                "CREATE TABLE planted (id INTEGER PRIMARY KEY, kind TEXT,"
                " user_id INTEGER REFERENCES users (id), post_id INTEGER REFERENCES posts (id));"
                "CREATE INDEX planted_second ON planted (kind, user_id);"
                "CREATE INDEX planted_part ON planted (post_id) WHERE kind = 'x'");
    assert_int_equal(count_unindexed(d, false), 2);
}

static void removing_an_account_walks_no_table(struct database *d)
{
    house_open(d);
    /* The rows of other tables that go along are found by the engine's own statements, which
     * no plan shows; what it looks them up by is the same. */
    struct why why;
    struct arena *arena = &d->arena;
    struct query *q = db_query_text(
        d->db, "SELECT m.name, f.\"from\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f"
               " WHERE m.type = 'table'");
    struct str texts[64];
    size_t count = 0;
    while (query_next(q)) {
        assert_true(count < COUNT_OF(texts));
        texts[count++] = arena_printf(arena, "SELECT 1 FROM %.*s WHERE %.*s = ?",
                                      STR_ARGS(query_get_str(q, 0)), STR_ARGS(query_get_str(q, 1)));
    }
    must(query_end(q, &why), &why);
    for (size_t i = 0; i < count; i++) {
        struct plan plan = plan_of(d, texts[i].at);
        const char *bad = first_bad(&plan);
        if (bad) fail_msg("%s: %s", texts[i].at, bad);
    }
}

/* Each engine understands its words, on the schema it has. */
static void every_statement_is_understood(struct database *d)
{
    house_open(d);
    for (size_t which = 0; which < SQL_COUNT; which++) {
        struct why why;
        const char *text = d->kind == DB_MARIADB ? sql_mariadb[which] : NULL;
        struct str explain = arena_printf(&d->arena, "EXPLAIN %s", text ? text : sql_sqlite[which]);
        if (str_starts(str_from(explain, 8), STR("CREATE"))) continue; /* has no plan */
        struct query *q = db_query_text(d->db, explain.at);
        for (size_t i = str_find_byte(explain, '?'); i < explain.len;
             i += 1 + str_find_byte(str_from(explain, i + 1), '?')) {
            query_i64(q, 1);
        }
        while (query_next(q)) {
        }
        enum err err = query_end(q, &why);
        if (err) fail_msg("%s: %s", sql_names[which], why.text);
    }
}

/* What stands where: "posts.author_id 1" or "posts.author_id users CASCADE". */
static const struct {
    const char *sqlite, *mariadb;
} facts[] = {
    /* columns, and which of them may be NULL */
    {"SELECT m.name, c.name, c.\"notnull\" OR c.pk FROM sqlite_schema m,"
     " pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
     " AND m.name NOT LIKE 'post_search%' AND m.name <> 'schema_migrations'"
     " ORDER BY m.name, c.name",
     "SELECT table_name, column_name, is_nullable = 'NO' FROM information_schema.columns"
     " WHERE table_schema = DATABASE() AND table_name NOT IN ('post_search', 'schema_migrations')"
     " ORDER BY BINARY table_name, BINARY column_name"},
    /* foreign keys, and what becomes of the row */
    {"SELECT m.name, f.\"from\", f.\"table\" || ' ' || f.on_delete FROM sqlite_schema m,"
     " pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.\"from\"",
     "SELECT k.table_name, k.column_name, r.referenced_table_name || ' ' || r.delete_rule"
     " FROM information_schema.key_column_usage k"
     " JOIN information_schema.referential_constraints r"
     " ON r.constraint_schema = k.table_schema AND r.constraint_name = k.constraint_name"
     " AND r.table_name = k.table_name"
     " WHERE k.table_schema = DATABASE() AND k.table_name <> 'post_search'"
     " ORDER BY BINARY k.table_name, BINARY k.column_name"},
};

static struct str list_facts(struct database *d, struct db *db, const char *text)
{
    struct why why;
    struct buf out;
    buf_init(&out, 64 * 1024);
    struct query *q = db_query_text(db, text);
    while (query_next(q)) {
        buf_printf(&out, "%.*s.%.*s %.*s\n", STR_ARGS(query_get_str(q, 0)),
                   STR_ARGS(query_get_str(q, 1)), STR_ARGS(query_get_str(q, 2)));
    }
    must(query_end(q, &why), &why);
    struct str list = arena_copy(&d->arena, buf_str(&out));
    buf_release(&out);
    return list;
}

/* The word index is each engine's own. */
static void both_schemas_say_the_same(struct database *d)
{
    house_open(d);
    struct why why;
    struct db *maria = d->db;
    must(db_open(arena_printf(&d->arena, "sqlite:%s/twin.db", d->dir), DB_WRITE, &d->db, &why),
         &why);
    house_open(d);
    for (size_t i = 0; i < COUNT_OF(facts); i++) {
        struct str here = list_facts(d, d->db, facts[i].sqlite);
        struct str there = list_facts(d, maria, facts[i].mariadb);
        assert_true(here.len > 800);
        assert_string_equal(there.at, here.at);
    }
    db_close(maria);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST_SQLITE(no_statement_walks_or_sorts_a_table_that_grows),
        DATABASE_TEST_SQLITE(bad_statements_are_found),
        DATABASE_TEST_SQLITE(every_foreign_key_has_an_index),
        DATABASE_TEST_SQLITE(removing_an_account_walks_no_table),
        DATABASE_TEST(every_statement_is_understood),
        DATABASE_TEST_MARIADB(both_schemas_say_the_same),
    };
    return database_run_tests("plans", tests, COUNT_OF(tests));
}
