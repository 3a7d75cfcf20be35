/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/doctor.h: the visit of `hutong doctor`, shared by its checks.
 *
 * A check looks at one thing and tells what it saw, once or several times, or
 * not at all where the thing does not concern this community. It changes
 * nothing: no file is made, no row written.
 */
#pragma once

#include "app/command.h"
#include "store/db_url.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_WRONG, FINDINGS };

struct visit {
    struct arena *arena;
    const struct settings *settings;
    struct db_url url; /* where `has_url` */
    struct db *db;     /* NULL: there is none yet, or it cannot be opened */
    bool has_url, has_schema;
    bool colour;
    size_t count[FINDINGS];
};

/* One line: what was seen. `mend`, on the next line, is what to do, NULL for nothing. */
void visit_tell(struct visit *visit, enum finding finding, const char *name, const char *mend,
                const char *format, ...) PRINTF_LIKE(5, 6);

/* doctor_net.c: what takes a connection. */
void doctor_port(struct visit *visit);
void doctor_redis(struct visit *visit);
/* doctor_comfyui.c */
void doctor_comfyui(struct visit *visit);
/* doctor_wiki.c */
void doctor_wiki(struct visit *visit);
