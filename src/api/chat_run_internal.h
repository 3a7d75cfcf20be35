/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/chat_run_internal.h: what chat_run.c (answers) and chat_readers.c (who reads them) share. */
#pragma once

#include "api/audience.h"
#include "api/chat_deed.h"
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

    struct audience audience; /* under its lock: */
    bool ended, stop;
    int64_t idle_us; /* since when nobody reads; 0: somebody does */
    /* Written by the home loop under the lock, so it reads them without. They only grow. */
    struct buf answer, reasoning;
    char site[100], named[200]; /* empty until the first piece */

    /* The home loop's. */
    struct list link; /* in home->runs */
    struct api_loop *home;
    struct llm_call *call;
    struct deadline linger, save;
    bool saving;     /* what came so far is on its way to the store */
    size_t saved;    /* bytes of it that are there */
    struct buf last; /* its last event; never changed once it has ended */
    char detail[400], status[16];
    struct chat_deed end;
};
