/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/chat_frames.h: what hutong.chat.v1 says of an answer, as JSON (docs/chat.md). */
#pragma once

#include "base/json.h"
#include "llm/llm.h"
#include "wiki/cite.h"

/* The member `usage` of an object under way. */
void chat_frame_usage(struct json_out *out, const struct llm_usage *usage);
/* Each empties the buffer and writes one object. */
/* `instead`: why not who was asked, a sentence; empty: it is. */
void chat_frame_start(struct buf *buf, struct str site, struct str model, struct str instead);
/* `type`: "delta" or "reasoning". */
void chat_frame_piece(struct buf *buf, const char *type, struct str text);
/* The whole answer as far as it has come, for who joins in the middle. `found`: JSON of
 * chat_found.h; empty: it is about no wiki. */
void chat_frame_so_far(struct buf *buf, struct str site, struct str model, struct str instead,
                       struct str reasoning, struct str text, struct str found);
/* Places of a repository that the answer is made from. */
void chat_frame_sources(struct buf *buf, const struct wiki_source *sources, size_t count);
/* The one last word about an answer that ended by itself: `done` or `error`. */
void chat_frame_end(struct buf *buf, const struct llm_result *result);
/* … about a wiki. `status`: that of the turn; `fault`: of `failed`. */
struct chat_wiki_end {
    struct str status, site, model;
    const char *fault, *detail;
    struct llm_usage used;
    uint64_t cited, removed;
    int rounds;
};
void chat_frame_wiki_end(struct buf *buf, const struct chat_wiki_end *end);
void chat_frame_interrupted(struct buf *buf, const struct llm_usage *usage);
void chat_frame_error(struct buf *buf, const char *fault, const char *detail);
