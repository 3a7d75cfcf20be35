/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_title.h: a conversation gets a title by itself.
 *
 * It is named by the first words of its question at once. When its first answer
 * is complete, the model that gave it is asked for a few words more fitting;
 * they take the place of the first words unless a member has chosen a title
 * meanwhile. Whatever goes wrong, or takes half a minute, leaves the first words.
 */
#pragma once

#include "api/call.h"

struct chat_entitled {
    struct user_id owner;
    uint64_t chat;
    struct str model; /* as the answer was asked for */
    struct str question, answer;
};

/* All is copied. On the loop. */
void chat_title_ask(struct api_loop *home, const struct chat_entitled *chat);
/* The server stops: nobody waits for titles. On the loop. */
void chat_title_drain(struct api_loop *home);

/* A title out of what a model said: one line, no quotes or marks around it, at most 60 characters.
 * Empty: there is none in it. In `arena`. */
struct str chat_title_clean(struct arena *arena, struct str said);
