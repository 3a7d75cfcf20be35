/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_run.h: an answer under way in a member's conversation.
 *
 * A run belongs to the loop that began it; readers are on any loop. What was
 * said only grows, and each reader knows how much of it it has: whoever joins
 * late gets it from the first word, each once. The answer is stored with its
 * true end before its last event is told. It goes on when its readers vanish,
 * for chat-linger-seconds; a research of a wiki to its end.
 *
 *     chat_run_new() in the transaction that stores the question
 *       → chat_run_begin() on the loop, or chat_run_drop()
 */
#pragma once

#include "api/call.h"
#include "api/wiki_visit.h"
#include "store/chats.h"

struct chat_run;
struct chat_runs; /* those of a process, by their turn */

struct chat_runs *chat_runs_new(void);
void chat_runs_free(struct chat_runs *runs); /* NULL is fine */
/* Answers still `streaming` whose writer has died become `cut_off`. At start, when no other
 * instance is there, all of them. With others, now and then, those that nobody has said to be alive
 * for a minute and a half: every run says so each twenty seconds. Clocks of instances that are
 * further apart than that would take an answer for dead that is not; its true end mends it. */
MUST_USE enum err chat_runs_cut_off(struct api *api, bool alone, struct why *why);

struct chat_plan {
    struct user_id owner;
    uint64_t chat, turn;
    const struct llm_message *messages;
    size_t count;
    struct str model;
    struct str first; /* the JSON of the first event */
    bool wants_title; /* when it is complete */
    const struct wiki_visit_want
        *wiki; /* whose answer it is, but for its turns and model; or NULL */
};

/* Texts are copied. Any thread. */
struct chat_run *chat_run_new(struct api *api, const struct chat_plan *plan);
void chat_run_drop(struct chat_run *run); /* never begun; NULL is fine */
/* Takes the caller's reference. On the loop. */
void chat_run_begin(struct chat_run *run, struct api_loop *home);

/* A reference, or NULL. Any thread. */
struct chat_run *chat_run_find(struct chat_runs *runs, uint64_t turn);
void chat_run_unref(struct chat_run *run);
/* Interrupt it: at once on its loop, or when it begins. Any thread. */
void chat_run_stop_soon(struct chat_run *run);
/* … all of a conversation. */
void chat_runs_stop(struct chat_runs *runs, uint64_t chat);
/* … all of a member, who goes. */
void chat_runs_stop_of(struct chat_runs *runs, struct user_id owner);

/* The call's reply becomes the stream. On the call's loop. */
void chat_run_join(struct chat_run *run, struct call *call);
/* End the answer; the call is answered 204 when that is stored. On the call's loop. */
void chat_run_stop(struct chat_run *run, struct call *call);

/* Stopped through another instance? On the loop. */
void chat_run_notice(struct api_loop *home, const struct hub_notice *notice);
/* The server stops: what is under way is cut off. On the loop. */
void chat_run_drain(struct api_loop *home);

/* --- live connections: all answers of a conversation, as they are written; on one loop --- */

struct chat_hearing;
/* An event without a number, as docs/live.md has it. The text is good until the return; the hearing
 * must not end inside. */
typedef void chat_heard(void *ctx, struct str text);

/* Hears nothing until the first chat_hear_new(). */
struct chat_hearing *chat_hear(struct api_loop *home, uint64_t chat, chat_heard *heard, void *ctx);
/* Join the answers that it does not hear yet; of each, what was said so far comes first. */
void chat_hear_new(struct chat_hearing *hearing);
/* What has been said and is still on its way here, now: before something that must come after. */
void chat_hear_news(struct chat_hearing *hearing);
void chat_hear_end(struct chat_hearing *hearing); /* NULL is fine */
