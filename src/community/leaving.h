/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/leaving.h: a member deletes their account, with all that is theirs; or
 * a resident is sent away, and its account goes in the same way.
 *
 * It may be a hundred thousand rows, and the writer must not stand still for
 * them: so it goes in steps, each a transaction of its own.
 *
 *     leaving_begin()                    the log-ins end, an administrator is none any more;
 *                                        a resident is banned, so that the town lets it go
 *     leaving_step() until it says `done`   posts, comments, likes, messages, groups, chats,
 *                                        what was lived in the town
 *     … the files on disk …
 *     leaving_end()  until it says `done`   what came meanwhile, and the account itself
 *
 * `act->me` is who leaves, in all of them. The town notices by itself
 * (townhall/moving.c) and puts it into its journal; what it still does for a
 * resident meanwhile goes with the next step, the last of them at the end.
 *
 * Cut short in between (a power cut) there is an account with less in it, whose
 * owner can log in and delete it again; a resident is banned then, and can be
 * sent away again. What is left to the foreign keys are
 * rows that nobody counts and that are few: follows, keys, use of models,
 * log-ins. Others hear of posts, comments, counts and messages in groups as if
 * each was deleted by hand, of a private conversation and of the account by
 * `user.deleted`. Conventions as in community/talk.h.
 */
#pragma once

#include "community/act.h"

/* ERR_CONFLICT: the last administrator, who has to name another one first. */
MUST_USE enum err leaving_begin(struct act *act, struct why *why);
/* The same for a resident. ERR_NOT_FOUND: nobody, or a member. */
MUST_USE enum err leaving_begin_resident(struct act *act, struct why *why);
MUST_USE enum err leaving_step(struct act *act, bool *done_out, struct why *why);
/* `by`: the administrator who sends a resident away; 0: a member goes by itself. For the audit log.
 * ERR_NOT_FOUND: it is gone already. */
MUST_USE enum err leaving_end(struct act *act, struct user_id by, bool *done_out, struct why *why);
