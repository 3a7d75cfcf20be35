/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git_said.h: what git prints while it works, understood.
 *
 * Progress is for whoever waits; complaints become one code and one sentence in
 * words of ours. A line of git's own is repeated only where we have no words for
 * it, and then without the secret, addresses and folders. What the other side
 * says ("remote: …") is progress at most. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct wiki_said {
    char line[512]; /* the one that comes in */
    size_t len;
    const char *stage;     /* "preparing", "receiving", "resolving"; NULL: none yet */
    int percent;           /* -1: it does not say */
    struct buf complaints; /* owned; lines */
    bool moved;            /* judged: the host says that it is elsewhere */
    char location[512];    /* where to, when it was asked to trace what the host says */
};

void wiki_said_init(struct wiki_said *said);
void wiki_said_reset(struct wiki_said *said); /* for the next program */
void wiki_said_release(struct wiki_said *said);

/* Bytes as they come, cut anywhere. True: stage or percent have moved. */
bool wiki_said_hear(struct wiki_said *said, struct str bytes);

/*
 * Why it failed. `secret`: what was given as a token; any form of it is struck out.
 * ERR_CORRUPT: the repository here is damaged, not the one there.
 */
MUST_USE enum err wiki_said_judge(struct wiki_said *said, struct str secret, struct why *why);

/* "Basic …" of RFC 7617 for "user:password". In `arena`. */
struct str wiki_basic(struct arena *arena, struct str user_and_password);
/* `line` with the secret in any form it may have there, and all addresses and paths, struck out. */
struct str wiki_strike(struct arena *arena, struct str line, struct str secret);
