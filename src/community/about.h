/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/about.h: what the community is called and says of itself, as
 * administrators set it. Conventions as in community/talk.h.
 */
#pragma once

#include "community/act.h"
#include "store/community.h"

/* .at NULL keeps what is there; empty takes it away. */
struct about_change {
    struct str name, about;
    struct str language; /* "zh" or "en" */
    bool has_set_up;     /* whether `set_up` counts */
    bool set_up;         /* the first-run page is done with */
};

/* What was so already changes nothing, and is not noted. ERR_INVALID with the field. */
MUST_USE enum err about_set(struct act *act, const struct about_change *change,
                            struct community *now_out, struct why *why);

/* Members of the object that is open: name, about and language; null: none. */
void about_put(struct json_out *out, const struct community *community);
