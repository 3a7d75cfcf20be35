/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/migrate.h"
enum err migrate_run(struct db *db, const struct embedded_file *files, struct why *why)
{
    struct query *q = db_query_text(db, "SELECT 1 FROM sqlite_master WHERE name = 'users'");
    bool there = query_next(q);
    enum err err = query_end(q, why);
    if (err || there) return err;
    for (; files->path; files++) {
        if (!str_starts(str_of(files->path), STR("migrations/sqlite/"))) continue;
        err = db_script(db, (struct str){files->at, (size_t)(files->end - files->at)}, why);
        if (err) return err;
    }
    return OK;
}
