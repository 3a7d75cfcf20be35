/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/sql.h"

#include <stddef.h>

const char *const sql_sqlite[SQL_COUNT] = {
#define SAME(name, text) [name] = (text),
#define BOTH(name, sqlite, mariadb) [name] = (sqlite),
#include "store/sql_list.inc"
#undef SAME
#undef BOTH
};

const char *const sql_mariadb[SQL_COUNT] = {
#define SAME(name, text) [name] = NULL,
#define BOTH(name, sqlite, mariadb) [name] = (mariadb),
#include "store/sql_list.inc"
#undef SAME
#undef BOTH
};

const char *const sql_names[SQL_COUNT] = {
#define SAME(name, text) [name] = #name,
#define BOTH(name, sqlite, mariadb) [name] = #name,
#include "store/sql_list.inc"
#undef SAME
#undef BOTH
};
