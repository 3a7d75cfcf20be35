/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_wiki.h: a question in a conversation about a wiki (api/chats.c).
 *
 * How it wants to be answered is kept with the question, so that another answer
 * to it is asked for in the same way. Whether its owner may still see the wiki
 * is looked up at every question.
 */
#pragma once

#include "api/wiki_visit.h"
#include "store/chats.h"

struct chat_wiki_want {
    bool research;
    struct str file, language; /* as a code; each empty: none */
};

/* The wiki that a new conversation is about, out of the body; 0: none. ERR_NOT_FOUND also for one
 * that the member may not see. */
MUST_USE enum err chat_wiki_choose(struct call *call, struct chat *chat, struct why *why);
/* ERR_INVALID: it is about a wiki and has instructions as well. */
MUST_USE enum err chat_wiki_check(const struct chat *chat, struct why *why);
/* How the body wants it answered, as JSON; .at NULL: in this conversation nothing is to be said
 * about that, and nothing was. */
MUST_USE enum err chat_wiki_read(struct call *call, const struct chat *chat, struct str *about_out,
                                 struct why *why);
/* The visit that answers it; all but its turns. ERR_CONFLICT: the wiki is gone, or its owner may
 * not see it any more. Takes over what the wiki is called now. */
MUST_USE enum err chat_wiki_plan(struct call *call, struct chat *chat, struct str about,
                                 struct wiki_visit_want *want_out, struct why *why);
/* What a code of a language is for a model. Empty is that of the question. */
MUST_USE enum err chat_wiki_language(struct call *call, struct str code, struct str *name_out,
                                     struct why *why);
