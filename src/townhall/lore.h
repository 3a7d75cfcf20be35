/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/lore.h: what residents know about, looked up for them outside of this
 * room: the town does not know what a wiki is made of.
 *
 * Excerpts are what strangers wrote. They reach a model as data between marks,
 * and what it says goes through `vet` before anybody sees it.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct lore_want {
    uint64_t wiki;
    struct str question; /* what a member wrote */
    struct str earlier;  /* and before that; may be empty */
    size_t tokens_max;
};

struct lore_place {
    struct str path;
    int first, last; /* lines */
};

enum { LORE_SURE_MAX = 2 };

struct lore {
    struct str text; /* excerpts, each below its "[path:first-last]"; empty: nothing was found */
    struct lore_place *places; /* of all of them */
    size_t place_count;
    /* Where the answer stands as far as one can tell without having understood it. */
    struct lore_place sure[LORE_SURE_MAX];
    size_t sure_count;
};

struct lore_source {
    void *ctx;
    /* On a worker of the town's; may block. All in `arena`. Nothing found is OK. */
    enum err (*find)(void *ctx, struct arena *arena, const struct lore_want *want,
                     struct lore *lore_out, struct why *why);
    /* Append to `to` what a model said, without places that it was not given. `whole`: that was
     * all; else what may still become a place is left out. */
    void (*vet)(const struct lore *lore, struct str said, bool whole, struct buf *to);
};
