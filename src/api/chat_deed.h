/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_deed.h: a change of a conversation that no request waits for: the
 * end of an answer, what came of it so far, a title.
 *
 * Begun on a loop, done where the store wants it (the writer, or a worker with
 * MariaDB), its events told when it is durable, and back on the loop. Embedded
 * in what it works on, which must stay until `done`.
 */
#pragma once

#include "api/call.h"

struct chat_deed {
    /* Set by who begins it: */
    struct user_id owner; /* of the conversation */
    const char *log;      /* the log's word when it fails: "chat.not_stored" */
    /* On another thread, once or twice. May act_tell() in deed->act. */
    enum err (*apply)(struct chat_deed *deed, struct why *why);
    void (*done)(struct chat_deed *deed, enum err err); /* on the loop; the last call */

    /* Its own. */
    struct api_loop *home;
    struct change change;
    struct job job;
    struct task back;
    struct arena arena;
    struct act act;
    enum err err;
};

/* On the loop. `done` is never called inside. */
void chat_deed_begin(struct chat_deed *deed, struct api_loop *home);
