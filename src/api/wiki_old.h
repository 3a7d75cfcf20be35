/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_old.h: the question of an older client (deepwiki-open 1.x), the same over HTTP and
 * WebSocket: {repo_url, messages, filePath?, token?, type?, provider?, model?, language?,
 * excluded_dirs?, excluded_files?, included_dirs?, included_files?}. Unknown members are ignored.
 *
 * Its lists are separated by line ends and percent-encoded; they become lines of gitignore(5).
 * A message with [DEEP RESEARCH] makes it a round of a research: the one after as many as there
 * are answers. "Continue the research" stands for what was asked first.
 */
#pragma once

#include "api/wiki_visit.h"

/*
 * `want`: its `who` and `may_add` are left alone, all else is filled in, in `arena`. ERR_INVALID
 * with a field: not of that form (422); without: no messages, or the last is not a member's (400),
 * in the words that older clients know.
 */
MUST_USE enum err wiki_old_read(struct arena *arena, const struct api *api, const struct json *body,
                                struct wiki_visit_want *want, struct why *why);
/* What went wrong in the middle of an answer, as it stands in the text. In `arena`; empty: nothing
 * did. */
struct str wiki_old_fault(struct arena *arena, const struct wiki_ask_end *end);
