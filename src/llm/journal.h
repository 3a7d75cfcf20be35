/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/journal.h: what models answered, written down, and read back in their place.
 *
 * A run that is to be repeated records every call (setting llm-record), whether
 * for an answer, for embeddings or for a site's list of models, and is later
 * answered from the file (llm-replay) without any site being asked. One line of
 * JSON a call: its kind (none: an answer), a key made of all that was asked, and
 * the whole outcome, failures too. The n-th time the same is asked gives the
 * n-th line with that key; lists are asked for by the clock, so their last line
 * counts for all that come after it. What the file does not have fails, and
 * never falls back to a model.
 *
 * Lines hold what was answered but not what was asked. Written without fsync:
 * a crash of the machine may lose the last seconds. Any thread.
 */
#pragma once

#include "llm/embed.h"

struct journal;

enum { JOURNAL_KEY_BYTES = 33 };

/* Append to `record`, answer from `replay`; either may be empty, both empty gives NULL. Half a line
 * at the end is removed from `record`, and left out of `replay`; the log says so.
 * ERR_INVALID: a line is no record; the sentence has its number. */
MUST_USE enum err journal_open(struct str record, struct str replay, struct journal **journal_out,
                               struct why *why);
void journal_close(struct journal *journal); /* NULL is fine */
bool journal_records(const struct journal *journal);
bool journal_replays(const struct journal *journal);

/* 32 hex digits over everything of a request that could change its answer. */
void journal_key(const struct llm_request *request, char key[JOURNAL_KEY_BYTES]);
void journal_key_embedding(const struct llm_embed_request *request, char key[JOURNAL_KEY_BYTES]);
void journal_key_models(struct str site, char key[JOURNAL_KEY_BYTES]);

/* What came, of one kind. Lists are pieces as the functions below append them. */
struct journal_said {
    enum { JOURNAL_ANSWER, JOURNAL_EMBEDDING, JOURNAL_MODELS } kind;
    struct str text, reasoning, tools, spent; /* of an answer */
    struct str vectors, models;
    bool too_long; /* there was more: nothing is written */
};
void journal_add_tool(struct buf *tools, const struct llm_tool_piece *piece);
void journal_add_spent(struct buf *spent, struct str site, struct str model,
                       const struct llm_usage *usage);
void journal_add_vector(struct buf *vectors, size_t index, const float *values, size_t count);
void journal_add_model(struct buf *models, struct str id, int64_t context_tokens);
/* One outcome. */
void journal_write(struct journal *journal, const char *key, const struct journal_said *said,
                   const struct llm_result *result);

/* What was recorded next for the key; NULL: nothing (any more). Good as long as the journal. */
const struct json *journal_next(struct journal *journal, const char *key);
/* Its parts, as they were given to journal_write(); strings are good as long as the journal. */
void journal_result(const struct json *entry, struct llm_result *result_out);
struct str journal_text(const struct json *entry);
struct str journal_reasoning(const struct json *entry);
void journal_tools(const struct json *entry, void (*each)(void *ctx, const struct llm_tool_piece *),
                   void *ctx);
void journal_spent(const struct json *entry,
                   void (*each)(void *ctx, struct str site, struct str model,
                                const struct llm_usage *),
                   void *ctx);
void journal_vectors(const struct json *entry, llm_each_vector *each, void *ctx);
void journal_models(const struct json *entry, llm_each_model *each, void *ctx);
