/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/sql.h: the names of all statements.
 *
 * Their text is in sql_sqlite.c; where MariaDB needs other words, sql_mariadb.c
 * has them, and a statement without a row there is the same in both. One
 * contract suite runs them on both engines, and a test asks SQLite for the
 * plan of each and fails on a full scan of a table that grows.
 */
#pragma once

enum sql {
    SQL_MIGRATIONS_ALL,
    SQL_MIGRATION_ADD,
    SQL_COUNT
};

/* Indexed by enum sql. In sql_mariadb a NULL means: as in sql_sqlite. */
extern const char *const sql_sqlite[SQL_COUNT];
extern const char *const sql_mariadb[SQL_COUNT];
/* "SQL_POST_LOAD": for logs and test reports. */
extern const char *const sql_names[SQL_COUNT];
