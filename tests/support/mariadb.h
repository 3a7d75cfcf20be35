/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * support/mariadb.h: a real MariaDB for a test program.
 *
 * The first call starts one in a temporary folder of its own, reachable by its
 * own socket and nowhere else; it serves the whole program and ends with it,
 * however the program ends. Its system tables are made once and kept under
 * build/ as a template, so a start takes about a second. With
 * HUTONG_TEST_MARIADB=URL an account on a running server that may create
 * databases is used instead, so several programs can share one.
 *
 * Failing to start is a failure of the test, with the server's log on standard
 * error: nothing is skipped.
 */
#pragma once

#include "base/arena.h"

/* A URL of an empty database made for the caller. In `arena`. */
struct str mariadb_new_database(struct arena *arena);
void mariadb_drop_database(struct str url);
/* End the server if we started it. Called at exit by itself. */
void mariadb_stop(void);
