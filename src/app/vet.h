/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/vet.h: what the table of settings cannot know about a value.
 *
 * settings_load() checks types and bounds. Whether a text is an address, a
 * database URL or a secret worth the name, only the rooms above base/ can say.
 * Commands that open something vet everything first, so a slip of the pen ends
 * in a sentence that names the setting, and not in a failure further down.
 * Looks at values only: nothing is opened, made or asked, but the workflow's file is read.
 */
#pragma once

#include "base/settings.h"

struct vet {
    const char *setting;
    enum err (*check)(const struct settings *settings, struct why *why);
};

extern const struct vet vets[];
extern const size_t vets_count;

/* The first wrong one. ERR_INVALID: "setting NAME: …". */
MUST_USE enum err vet_settings(const struct settings *settings, struct why *why);

/* HOST:PORT or [IPv6]:PORT; both NUL-terminated in `arena`, the host without brackets. */
MUST_USE enum err vet_address(struct arena *arena, struct str address, const char **host_out,
                              const char **port_out, struct why *why);

/* Open data; texts NUL-terminated, NULL where not given. */
struct redis_url {
    const char *host, *port, *user, *password;
};
/* redis://USER:PASSWORD@HOST:PORT/NUMBER, all but the host may be missing. */
MUST_USE enum err vet_redis(struct arena *arena, struct str url, struct redis_url *url_out,
                            struct why *why);
