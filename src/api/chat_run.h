/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_run.h: an answer under way in a member's conversation.
 *
 * A run belongs to the loop that began it; readers are on any loop. What was
 * said stands in a bounded ring as server-sent events, so whoever joins late
 * gets it from the first word, each once, or is told to load anew. The answer
 * is stored with its true end before its last event is told. It goes on when
 * its readers vanish, for chat-linger-seconds.
 *
 *     chat_run_new() in the transaction that stores the question
 *       → chat_run_begin() on the loop, or chat_run_drop()
 */
#pragma once

#include "api/call.h"
#include "store/chats.h"

struct chat_run;
struct chat_runs; /* those of a process, by their turn */

struct chat_runs *chat_runs_new(void);
void chat_runs_free(struct chat_runs *runs); /* NULL is fine */

/* `first`: the JSON of the first event. Texts are copied. Any thread. */
struct chat_run *chat_run_new(struct api *api, const struct chat *chat, uint64_t turn,
                              const struct llm_message *messages, size_t count, struct str model,
                              struct str first);
void chat_run_drop(struct chat_run *run); /* never begun; NULL is fine */
/* Takes the caller's reference. On the loop. */
void chat_run_begin(struct chat_run *run, struct api_loop *home);

/* A reference, or NULL. Any thread. */
struct chat_run *chat_run_find(struct chat_runs *runs, uint64_t turn);
void chat_run_unref(struct chat_run *run);
/* The call's reply becomes the stream. On the call's loop. */
void chat_run_join(struct chat_run *run, struct call *call);
/* End the answer; the call is answered 204 when that is stored. On the call's loop. */
void chat_run_stop(struct chat_run *run, struct call *call);

/* The server stops: what is under way is cut off. On the loop. */
void chat_run_drain(struct api_loop *home);
