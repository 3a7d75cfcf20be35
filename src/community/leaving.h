/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/leaving.h: a member deletes their account, with all that is theirs.
 *
 * It may be a hundred thousand rows, and the writer must not stand still for
 * them: so it goes in steps, each a transaction of its own.
 *
 *     leaving_begin()                    the log-ins end, an administrator is none any more
 *     leaving_step() until it says `done`   posts, comments, likes, messages, groups, chats
 *     … the files on disk …
 *     leaving_end()  until it says `done`   what came meanwhile, and the account itself
 *
 * Cut short in between (a power cut) there is an account with less in it, whose
 * owner can log in and delete it again. What is left to the foreign keys are
 * rows that nobody counts and that are few: follows, keys, use of models,
 * log-ins. Others hear of posts, comments, counts and messages in groups as if
 * each was deleted by hand, of a private conversation and of the account by
 * `user.deleted`. Conventions as in community/talk.h.
 */
#pragma once

#include "community/act.h"

/* ERR_CONFLICT: the last administrator, who has to name another one first. */
MUST_USE enum err leaving_begin(struct act *act, struct why *why);
MUST_USE enum err leaving_step(struct act *act, bool *done_out, struct why *why);
MUST_USE enum err leaving_end(struct act *act, bool *done_out, struct why *why);
