/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git.h: bring a repository here, by the system's git as a child process.
 *
 * A bare repository with one commit of one branch: no work tree is ever made,
 * so no hooks run, no links are followed and no strange names reach the file
 * system. Where the host can, files that are too large for a wiki are not even
 * fetched. git gets an empty configuration of its own, no terminal, no prompt,
 * the protocols it needs alone, no redirects to other hosts, and the numeric
 * address that was looked at (wiki/address.h). The token goes through its
 * environment, never into arguments, files or URLs, and is struck out of
 * whatever git says.
 *
 * Blocks; on a thread that may wait. Several at once are fine; of two for the
 * same folder the second is ERR_BUSY, also when it is of another process.
 */
#pragma once

#include <stdatomic.h>

#include "wiki/address.h"

struct wiki_fetch {
    const struct wiki_address *from;
    struct str pin;     /* of wiki_address_allow(), which is where it goes */
    struct str branch;  /* a branch, a tag or a commit; empty: the repository's own choice */
    struct str token;   /* of http and https; empty: none. "user:password" is one as well */
    const char *folder; /* the bare repository; made when it is not there, whole or not at all */
    int64_t time_ms;    /* ERR_TIMEOUT past it */
    uint64_t bytes_max; /* of the folder: ERR_LIMIT past it; 0: any */
    const atomic_bool *stop; /* ERR_CANCELLED soon after it is true; NULL: never */
    /* What git is at ("connecting", "preparing", "receiving", "resolving") and how far, in percent;
     * -1: it does not say. On the thread that called. */
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
 * ERR_NOT_FOUND: no such repository, branch or commit. ERR_INVALID: no branch can be called so, or
 * a token that ssh and files have no use for. ERR_FULL, ERR_TIMEOUT, ERR_LIMIT, ERR_BUSY. After a
 * failure, and after a power cut in the middle, an older commit in `folder` is still good.
 * `fetched_out` in `arena`. A folder that is damaged is made again.
 */
MUST_USE enum err wiki_git_fetch(struct arena *arena, const struct wiki_fetch *fetch,
                                 struct wiki_fetched *fetched_out, struct why *why);
