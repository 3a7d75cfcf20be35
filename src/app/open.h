/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/open.h: what several commands open in the same way. Main thread. */
#pragma once

#include "api/api.h"

MUST_USE enum err open_log(const struct settings *settings, struct why *why);
/* Make the data folder (0700) and the upload folders when they are missing. */
MUST_USE enum err open_data_folder(const struct settings *settings, struct why *why);
MUST_USE enum err open_keyring(const struct settings *settings, struct keyring **keyring_out,
                               struct why *why);
/* The folders and the store, migrated. A database elsewhere comes first: for one that cannot be had
 * nothing is made here. */
MUST_USE enum err open_database(const struct settings *settings, struct store **store_out,
                                struct why *why);
/* For who looks only: ERR_NOT_FOUND where there is no database, and none comes to be. Leaves no
 * trace. */
MUST_USE enum err open_to_look(const struct settings *settings, struct db **db_out,
                               struct why *why);
/* Store and a connection of one's own, for commands that change something. */
MUST_USE enum err open_store(const struct settings *settings, struct store **store_out,
                             struct db **db_out, struct why *why);
