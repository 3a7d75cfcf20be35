/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git.h: bring a repository here, by the system's git as a child process.
 *
 * A bare repository with one commit of one branch: no work tree is ever made,
 * so no hooks run, no links are followed and no strange names reach the file
 * system. git gets an empty configuration of its own, no terminal, no prompt,
 * the protocols it needs alone, no redirects to other hosts, and the numeric
 * address that was looked at (wiki/address.h). The token goes through its
 * environment, never into arguments, files or URLs, and is struck out of
 * whatever git says.
 *
 * Blocks; on a thread that may wait. Several at once are fine, for different
 * folders.
 */
#pragma once

#include <stdatomic.h>

#include "wiki/address.h"

struct wiki_fetch {
    const struct wiki_address *from;
    struct str pin;     /* of wiki_address_allow() */
    struct str branch;  /* a branch, a tag or a commit; empty: the repository's own choice */
    struct str token;   /* empty: none */
    const char *folder; /* the bare repository; made when it is not there, whole or not at all */
    int64_t time_ms;    /* ERR_TIMEOUT past it */
    uint64_t bytes_max; /* of the folder: ERR_LIMIT past it */
    const atomic_bool *stop; /* ERR_CANCELLED soon after it is true; NULL: never */
    /* What git is at ("receiving", "resolving") and how far, in percent; -1: it does not say. */
    void (*progress)(void *ctx, const char *stage, int percent);
    void *ctx;
};

struct wiki_fetched {
    char commit[65];     /* hex */
    struct str branch;   /* its full name as people say it: "main"; empty for a commit */
    int64_t committed_s; /* when the commit was made, seconds since 1970 */
};

/*
 * ERR_UPSTREAM: not reached, or git broke. ERR_DENIED: the host wants a (better) token.
 * ERR_NOT_FOUND: no such repository or branch. ERR_FULL, ERR_TIMEOUT, ERR_LIMIT. After a failure an
 * older commit in `folder` is still good. `fetched_out` in `arena`.
 */
MUST_USE enum err wiki_git_fetch(struct arena *arena, const struct wiki_fetch *fetch,
                                 struct wiki_fetched *fetched_out, struct why *why);
