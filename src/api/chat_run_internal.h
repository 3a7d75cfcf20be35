/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/chat_run_internal.h: what chat_run.c (answers), chat_run_wiki.c (those about a wiki) and
 * chat_readers.c (who reads them) share. */
#pragma once

#include "api/audience.h"
#include "api/chat_deed.h"
#include "api/chat_found.h"
#include "api/chat_run.h"
#include "base/map.h"

enum { CHAT_ANSWER_BYTES = 1024 * 1024 };

struct chat_runs {
    pthread_mutex_t lock; /* before a run's */
    struct map by_turn;
    struct map by_chat; /* the newest of each conversation; the others hang on `sibling` */
};

struct chat_run {
    atomic_uint refs;
    struct api *api;
    struct user_id owner;
    struct chat_run *sibling; /* an older one of this conversation; under the registry's lock */
    struct chat_turn turn;    /* texts point into what follows; set when it ends */
    struct arena arena;       /* what is asked */
    struct llm_message *messages;
    size_t message_count;
    struct str model;
    struct str first; /* its first event */
    bool wants_title;
    struct wiki_visit_want *want; /* in the arena; NULL: it is about no wiki */

    struct audience audience; /* under its lock: */
    bool ended, stop;
    int64_t idle_us; /* since when nobody reads; 0: somebody does */
    /* Written by the home loop under the lock, so it reads them without. They only grow. */
    struct buf answer, reasoning;
    char site[100], named[200]; /* empty until the first piece */
    char instead[320];          /* why not who was asked; empty: it is */
    struct buf facts;           /* of a wiki: events, a line each; only grows */
    struct chat_found found;    /* … and what they come to */

    /* The home loop's. */
    struct list link; /* in home->runs */
    struct api_loop *home;
    struct llm_call *call; /* under way: one of the two */
    struct wiki_visit *visit;
    struct buf fact, about; /* of a wiki: one event; `found` as JSON */
    char stage[40];         /* of a wiki that is being fetched: the last that was told */
    bool reasoning_cut;     /* more of it came than is kept, and it says so */
    bool overlong;          /* more comes than is kept: it ends soon */
    struct deadline linger, save;
    bool saving;     /* what came so far is on its way to the store */
    size_t saved;    /* bytes of it that are there */
    struct buf last; /* its last event; never changed once it has ended */
    char detail[400], status[16];
    struct chat_deed end;
};

/* chat_run.c, for the other: on the home loop. */
void chat_run_named(struct chat_run *run, struct str site, struct str model);
void chat_run_said(struct chat_run *run, struct buf *kept, struct str piece);
/* run->last is told when the end is durable. */
void chat_run_store_end(struct chat_run *run, const char *status, const struct llm_usage *used);
/* From inside an event. `status` and `detail` are literals. */
void chat_run_end_soon(struct chat_run *run, const char *status, const char *detail);

/* chat_run_wiki.c; the first: any thread, NULL is fine. */
void chat_run_take_wiki(struct chat_run *run, const struct wiki_visit_want *from);
void chat_run_release_wiki(struct chat_run *run);
void chat_run_ask_wiki(struct chat_run *run);
struct llm_usage chat_run_leave_wiki(struct chat_run *run); /* what it took */
/* What is kept with the answer; .at NULL: nothing. Good until the next. */
struct str chat_run_about(struct chat_run *run);
