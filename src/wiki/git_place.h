/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git_place.h: the folder of a bare repository, ours alone while we hold it.
 *
 * The lock is on the folder itself and ends with the process. A folder beside
 * ("NAME.new-…") is made whole first and then takes the name of the real one.
 * What a process that was killed left beside is removed by the next.
 */
#pragma once

#include "wiki/git_call.h"

struct wiki_place {
    const char *folder; /* in the arena */
    int lock;           /* of the folder; 0: none */
    bool beside;        /* goes with wiki_place_close() unless it was taken */
};

/* ERR_NOT_FOUND: there is nothing. ERR_BUSY: another one is at it. */
MUST_USE enum err wiki_place_open(struct wiki_place *place, struct arena *arena, const char *folder,
                                  struct why *why);
/* An empty one beside `folder`, whose own folder is made if need be. */
MUST_USE enum err wiki_place_beside(struct wiki_place *place, struct arena *arena,
                                    const char *folder, struct why *why);
/* A repository in it, whatever was there. */
MUST_USE enum err wiki_place_init(struct wiki_place *place, struct wiki_git *git, bool sha256,
                                  struct why *why);
/* It is `folder` from now on; what was there goes. */
MUST_USE enum err wiki_place_take(struct wiki_place *place, const char *folder, struct why *why);
void wiki_place_close(struct wiki_place *place);

/* Away with what a killed git left: its locks, half a pack. */
void wiki_place_sweep(const struct wiki_place *place);
bool wiki_place_is_sha256(struct wiki_git *git);
size_t wiki_place_packs(const struct wiki_place *place);
