/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/sql.h: the names and texts of all statements.
 *
 * A statement is one row in sql_list.inc: its name, its text, and, where
 * MariaDB needs other words, those right below. Adding one touches that row
 * and nothing else. One contract suite runs them on both engines, and a test
 * asks SQLite for the plan of each and fails on a full scan of a table that grows.
 */
#pragma once

enum sql {
#define SAME(name, text) name,
#define BOTH(name, sqlite, mariadb) name,
#include "store/sql_list.inc"
#undef SAME
#undef BOTH
    SQL_COUNT
};

/* Indexed by enum sql. In sql_mariadb a NULL means: as in sql_sqlite. */
extern const char *const sql_sqlite[SQL_COUNT];
extern const char *const sql_mariadb[SQL_COUNT];
/* "SQL_POST_LOAD": for logs and test reports. */
extern const char *const sql_names[SQL_COUNT];
