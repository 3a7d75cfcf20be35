/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/moderate.h: members tell moderators of what should not be here, and
 * moderators answer. Conventions as in community/talk.h; each deed of a
 * moderator is noted in the audit log.
 */
#pragma once

#include "community/act.h"
#include "store/reports.h"

struct complaint {
    struct report_thing thing;
    enum report_reason reason;
    struct str note; /* up to 500 code points; .at NULL or blank: none */
};
/*
 * Once while it is open: again is the same report. A message only by who received it.
 * ERR_NOT_FOUND: no such thing, or not for the eyes of who asks. ERR_INVALID: it is one's own.
 * ERR_CONFLICT: too many of one's reports are open.
 */
MUST_USE enum err moderate_report(struct act *act, const struct complaint *complaint,
                                  uint64_t *id_out, struct why *why);

/*
 * Close a report, and all others that are open about the same thing, and do what was decided:
 * OUTCOME_REMOVED takes the thing away (fine when it is gone already), OUTCOME_BANNED bans whose it
 * is. ERR_CONFLICT: it was closed before. ERR_INVALID: a member cannot be taken away. And what
 * accounts_set_banned() says.
 */
MUST_USE enum err moderate_resolve(struct act *act, uint64_t report, enum report_outcome outcome,
                                   struct why *why);
