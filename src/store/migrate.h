/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once
#include "store/db.h"
#include "store/embedded.h"
MUST_USE enum err migrate_run(struct db *db, const struct embedded_file *files, struct why *why);
