/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_access.h: who may do what with wikis, for every door to them.
 *
 * Members may all of it. What strangers may with wikis that are for everyone is
 * the operator's choice (wiki-guests), and each right has those below it: who
 * may add may ask, who may ask may read. Which wikis are for everyone, and which
 * for members, a group or one member, is for the store to say.
 *
 * With wiki-auth-mode strangers need the access code for all but reading, as in
 * deepwiki-open, whose page asks people for it. There it kept nothing but one
 * button; here a good POST /auth/validate sets a signed cookie for a day, and
 * with that the same page may go on without knowing of it. Who has shown the code
 * may all that strangers can be allowed.
 *
 * A stranger is known by nothing, so any web page could use their browser to
 * spend our tokens: whatever is more than reading must come from a page of ours
 * or of an allowed origin, or from a program.
 */
#pragma once

#include "api/call.h"

enum wiki_right {
    WIKI_READ, /* see wikis, their lists, which models there are */
    WIKI_ASK,  /* ask about a repository that is here: costs tokens */
    WIKI_ADD   /* bring a repository here, write, hand in and delete wikis */
};

/*
 * May whoever asks? On any thread that has the call, also before its body has come; on LANE_LOOP
 * after the caller was looked up, as live_confirm() does. ERR_UNKNOWN_CALLER: with a log-in, or
 * with the code. ERR_DENIED: not from that web page.
 */
MUST_USE enum err wiki_allow(struct call *call, enum wiki_right right, struct why *why);
/* The same for a request that has the code in it; .at NULL: it has none. A wrong one is
 * ERR_UNKNOWN_CALLER, too many of them are ERR_LIMIT. */
MUST_USE enum err wiki_allow_with(struct call *call, enum wiki_right right, struct str code,
                                  struct why *why);
/* A member, or somebody who has shown the code: more than a passer-by. */
bool wiki_is_insider(const struct call *call);

handler wiki_auth_status, wiki_auth_validate; /* LANE_READ */
