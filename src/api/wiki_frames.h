/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/wiki_frames.h: what is told of an answer about a repository, as JSON (docs/wiki.md). */
#pragma once

#include "base/json.h"
#include "store/wikis.h"
#include "wiki/ask.h"

enum { WIKI_FRAME_BYTES = 8 * 1024 * 1024 };

/* The member `sources` of an object under way. */
void wiki_put_sources(struct json_out *out, const struct wiki_source *sources, size_t count);
/* Each empties the buffer and writes one object. Pieces, and errors before an answer, are those of
 * chat_frames.h. */
void wiki_frame_waiting(struct buf *buf, const struct wiki_progress *progress);
void wiki_frame_start(struct buf *buf, const struct wiki *wiki);
void wiki_frame_round(struct buf *buf, int round, bool last);
void wiki_frame_context(struct buf *buf, const struct wiki_source *sources, size_t count);
void wiki_frame_notice(struct buf *buf, enum wiki_cause cause, struct str sentence);
void wiki_frame_open(struct buf *buf, struct str site, struct str model);
/* `done` or `error`; both say how many citations there were. */
void wiki_frame_end(struct buf *buf, const struct wiki_ask_end *end);
