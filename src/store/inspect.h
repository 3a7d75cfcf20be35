/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/inspect.h: is what a database holds sound?
 *
 * Changes nothing and may run beside a server. SQLite: pages, indexes and, in
 * a whole inspection, references between rows. MariaDB: the engine's own check
 * of each table. On a thread that may wait.
 */
#pragma once

#include "store/db.h"

/*
 * Everything, however long it takes; or, with `at_most_us` above 0, a quick
 * look at the pages that stops then: `*whole_out` is false when it did, and
 * what was seen is sound. MariaDB looks in time between two tables.
 * ERR_CORRUPT: damaged, with a sentence for the operator.
 */
MUST_USE enum err inspect_run(struct db *db, int64_t at_most_us, bool *whole_out, struct why *why);
