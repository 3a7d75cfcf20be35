/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * support/database.h: a fresh, empty database for one test, on either engine.
 *
 * A contract suite is an array of cmocka tests run twice:
 *
 *     int main(void) { return database_run_tests("db", tests, COUNT_OF(tests)); }
 *
 * Each test finds its `struct database *` in *state, and its folder and
 * database are gone afterwards.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "store/db.h"

struct database {
    struct arena arena;
    enum db_kind kind;
    char dir[64];   /* a temporary folder, also for files of the test */
    struct str url; /* of the empty database */
    struct db *db;  /* a DB_WRITE connection; a test may close it and put NULL */
};

struct database_test {
    const char *name;
    void (*run)(struct database *database);
    unsigned engines; /* 1 << enum db_kind of each it is for */
};
#define DATABASE_TEST(function)                                                                    \
    {                                                                                              \
#function, function, 1u << DB_SQLITE | 1u << DB_MARIADB                                    \
    }
/* For what only one of them can do wrong. */
#define DATABASE_TEST_SQLITE(function)                                                             \
    {                                                                                              \
#function, function, 1u << DB_SQLITE                                                       \
    }
#define DATABASE_TEST_MARIADB(function)                                                            \
    {                                                                                              \
#function, function, 1u << DB_MARIADB                                                      \
    }

/* Runs every test on SQLite, then on MariaDB. The number of failures. */
int database_run_tests(const char *suite, const struct database_test *tests, size_t count);

/* A second connection. Fails the test if it can't. */
struct db *database_connect(struct database *database, enum db_mode mode);
/* An empty database beside the first. Gone at the end of the test, too. */
struct str database_another(struct database *database);
/* The words for this engine. */
const char *database_words(const struct database *database, const char *sqlite,
                           const char *mariadb);
/* A path in the test's folder. In the test's arena, NUL-terminated. */
struct str database_path(struct database *database, const char *name);

/* Shorthands that fail the test with the sentence. */
void must(enum err err, const struct why *why);
void must_script(struct db *db, const char *text);
void must_run(struct db *db, const char *text);       /* without parameters */
int64_t must_number(struct db *db, const char *text); /* the first column of the first row */
