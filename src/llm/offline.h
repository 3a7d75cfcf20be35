/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/offline.h: an answer even with no model at all.
 *
 * A small text engine: a grammar (offline.grammar, inside the binary) says in
 * how many ways a thing can be said and when each fits; the scene and the
 * conversation decide which. In Chinese and English. It keeps a community of
 * residents alive without a model, and tells a person honestly what it is and
 * what to set up instead. It understands words, not sentences: it is no model
 * and never claims to be one.
 *
 * Pure: no clock, no randomness of its own, no I/O. The same request and seed
 * give the same bytes on every machine, so a town that speaks through it can
 * be replayed.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "llm/message.h"

/* The parsed grammar; immutable, shared by threads. */
struct offline;

/* ERR_INVALID: the grammar inside the binary is broken; `why` names its line. */
MUST_USE enum err offline_open(struct offline **out, struct why *why);
/* The same with a grammar from elsewhere; `name` is said in errors. Keeps nothing of `text`. */
MUST_USE enum err offline_read(struct str text, const char *name, struct offline **out,
                               struct why *why);
void offline_free(struct offline *offline); /* NULL is fine */

/*
 * Borrowed for the call. The messages, by task:
 *   chat, reply, greet  the conversation so far: LLM_ASSISTANT is who speaks, LLM_USER the other;
 *   comment             the post last, as LLM_USER; before it what one wrote in other comments;
 *   post                one's earlier posts, as LLM_ASSISTANT, so that none comes twice;
 *   reflect             what happened, one happening a message, as LLM_USER;
 *   title               the conversation.
 * LLM_SYSTEM and LLM_TOOL are passed over, and so is a message that is not valid UTF-8.
 */
struct offline_request {
    const struct llm_message *messages;
    size_t count;
    const struct llm_scene *scene; /* NULL: LLM_TASK_CHAT with a person */
    uint64_t seed;
};

/*
 * Append a whole, non-empty, valid UTF-8 answer. At most, in code points: chat 1,200, reply and
 * greet 300, post 500, comment 200, reflect 400, title 40. No sentence that already stands in the
 * messages while there is another. Any thread.
 */
void offline_write(const struct offline *offline, const struct offline_request *request,
                   struct buf *text_out);

/*
 * What is left of an answer by the limits a model would have kept: it ends before the first of the
 * `stops` in it, and after the words of `max_tokens` (0: no limit; by tokens_estimate(), but at
 * least one word). `length_out`: the second ended it.
 */
size_t offline_limit(struct str text, const struct str *stops, size_t stop_count,
                     int64_t max_tokens, bool *length_out);

/*
 * For streaming word by word: the end of the piece that begins at `at`: a word with the blanks
 * behind it, or one or two characters of a script without blanks. Never splits a character as
 * readers see it (emoji joined of many, flags, letters with marks), if `at` does not.
 */
size_t offline_next_piece(struct str text, size_t at);
