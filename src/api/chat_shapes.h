/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_shapes.h: conversations and turns as JSON, and what is told of them.
 *
 * The topic chat:ID hears what happens in a conversation; `me` hears which
 * conversations there are, so that a list on another device follows.
 */
#pragma once

#include "base/json.h"
#include "community/act.h"
#include "store/chats.h"

struct call;
/* That of the path, {chat_id}, if it is the caller's own. */
MUST_USE enum err chat_of_call(struct call *call, struct chat *chat_out, struct why *why);

void chat_put(struct json_out *out, const char *key, const struct chat *chat);
void chat_put_turn(struct json_out *out, const char *key, const struct chat_turn *turn);
/* A number of tokens; null when it is -1: nobody said. */
void chat_put_tokens(struct json_out *out, const char *key, int64_t tokens);

/* chat.asked, chat.answered, chat.updated, chat.deleted: docs/live.md. act->me owns it. */
void chat_tell_asked(struct act *act, const struct chat_turn *question,
                     const struct chat_turn *answer);
/* Without the words: they went out as they came, and may be a megabyte. */
void chat_tell_answered(struct act *act, const struct chat_turn *turn);
void chat_tell_updated(struct act *act, const struct chat *chat);
void chat_tell_deleted(struct act *act, uint64_t chat);

/* What a conversation is called until somebody names it. */
struct str chat_first_words(struct str question);
