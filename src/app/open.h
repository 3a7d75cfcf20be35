/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/open.h: what several commands open in the same way. Main thread. */
#pragma once

#include "api/api.h"

MUST_USE enum err open_log(const struct settings *settings, struct why *why);
/* Make the data folder (0700) and the upload folders when they are missing. */
MUST_USE enum err open_data_folder(const struct settings *settings, struct why *why);
MUST_USE enum err open_keyring(const struct settings *settings, struct keyring **keyring_out,
                               struct why *why);
/* Store and a connection of one's own, for commands that change something. */
MUST_USE enum err open_store(const struct settings *settings, struct store **store_out,
                             struct db **db_out, struct why *why);
