/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/db_url.h: where a database is, as an operator writes it, taken apart.
 *
 * For the drivers, and for commands that look at a place before they open it.
 * Whoever prints one prints db_url_public(): the password is in here.
 */
#pragma once

#include "store/db.h"

/* Open data. */
struct db_url {
    enum db_kind kind;
    const char *path;                                        /* SQLite */
    const char *user, *password, *host, *name, *socket, *ca; /* MariaDB; NULL where not given */
    unsigned port;
    enum { TLS_OFF, TLS_REQUIRE, TLS_VERIFY } tls;
};

/* Everything in `arena`, NUL-terminated. ERR_INVALID: the sentence repeats no part of the URL. */
MUST_USE enum err db_url_parse(struct arena *arena, struct str url, struct db_url *url_out,
                               struct why *why);
