/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/child.h: another program, in a process group of its own.
 *
 * It gets the environment it is given and nothing else, no descriptor but its
 * three, and no signal we ignore. Whoever started it ends it: everything in its
 * group, its helpers too. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct wiki_child {
    pid_t pid;  /* 0: none */
    int in;     /* what it reads; -1: nothing */
    int out;    /* what it writes */
    int err;    /* what it complains of; -1: nobody listens */
    int status; /* of waitpid(), once wiki_child_ended() said so */
};

struct wiki_child_setup {
    const char *const *argv; /* the program is looked for in PATH of this process; ends in NULL */
    const char *const *env;  /* "NAME=VALUE"; ends in NULL */
    bool write_to, hear_errors;
    uint64_t file_bytes_max; /* of one file that it writes */
    uint64_t memory_max;
};

/* Our ends are non-blocking. ERR_UPSTREAM: there is no such program here. ERR_BUSY: no process or
 * descriptor is to be had. */
MUST_USE enum err wiki_child_start(const struct wiki_child_setup *setup,
                                   struct wiki_child *child_out, struct why *why);
/* Without waiting. */
bool wiki_child_ended(struct wiki_child *child);
/* It and all it started: asked to end, and after two seconds made to. A zeroed one is fine. */
void wiki_child_close(struct wiki_child *child);
