/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/chats.h: conversations of members with a model.
 *
 * Turns form a tree by their parents; `head` is the newest. An answer is
 * `streaming` until its true end is known and stored; one that a dead process
 * left so is cut off. Lifetimes as in store/users.h.
 */
#pragma once

#include "store/users.h"

struct chat {
    uint64_t id;
    uint64_t wiki;        /* what it is about; 0: nothing. It may be gone (store/wikis.h) … */
    struct str wiki_name; /* … and was called so at the last question */
    struct str title, model, system;
    bool automatic; /* nobody has chosen the title */
    uint64_t head;  /* 0: nothing was said yet */
    int64_t created_us;
};

struct chat_turn {
    uint64_t id, chat, parent; /* parent 0: begins the conversation */
    bool by_model;
    struct str status, content, reasoning, site, model, detail;
    /* JSON: how a question about a wiki wants to be answered, or what its answer was made of
     * (api/chat_wiki.h); .at NULL: about no wiki. */
    struct str about;
    int64_t input_tokens, output_tokens; /* -1: nobody said */
    bool estimated;
    int64_t created_us;
};

typedef void chat_each(void *ctx, const struct chat *chat);
typedef void chat_turn_each(void *ctx, const struct chat_turn *turn);

MUST_USE enum err chats_add(struct db *db, struct user_id owner, const struct chat *draft,
                            uint64_t *id_out, struct why *why);
/* ERR_NOT_FOUND also when it is somebody else's. */
MUST_USE enum err chats_load(struct db *db, struct arena *arena, struct user_id owner, uint64_t id,
                             struct chat *chat_out, struct why *why);
/* The newest first, from before that id (0: from the newest). */
MUST_USE enum err chats_list(struct db *db, struct user_id owner, uint64_t before, uint64_t limit,
                             chat_each *each, void *ctx, struct why *why);
/* … of those about a wiki. */
MUST_USE enum err chats_list_of_wiki(struct db *db, struct user_id owner, uint64_t wiki,
                                     uint64_t before, uint64_t limit, chat_each *each, void *ctx,
                                     struct why *why);
/* Title, who chose it, model and system prompt. */
MUST_USE enum err chats_save(struct db *db, const struct chat *chat, struct why *why);
/* What its wiki is called. */
MUST_USE enum err chats_name_wiki(struct db *db, uint64_t id, struct str name, struct why *why);
/* Another title, if nobody has chosen the one it has; `*changed_out`: nobody had. */
MUST_USE enum err chats_entitle(struct db *db, uint64_t id, struct str title, bool *changed_out,
                                struct why *why);
/* With all its turns. */
MUST_USE enum err chats_remove(struct db *db, uint64_t id, struct why *why);

/* Something said; it becomes the head. `draft`: chat, parent, by_model, status, content,
 * about, time. */
MUST_USE enum err chat_turns_add(struct db *db, const struct chat_turn *draft, uint64_t *id_out,
                                 struct why *why);
MUST_USE enum err chat_turns_load(struct db *db, struct arena *arena, uint64_t chat, uint64_t id,
                                  struct chat_turn *turn_out, struct why *why);
/* All branches: those above `after`, oldest first, or with `before` those below it, newest first.
 */
MUST_USE enum err chat_turns_list(struct db *db, uint64_t chat, uint64_t after, uint64_t limit,
                                  chat_turn_each *each, void *ctx, struct why *why);
MUST_USE enum err chat_turns_list_before(struct db *db, uint64_t chat, uint64_t before,
                                         uint64_t limit, chat_turn_each *each, void *ctx,
                                         struct why *why);
/* Which follows which, of all branches: the newest below `before` first. */
typedef void chat_parent_each(void *ctx, uint64_t id, uint64_t parent);
MUST_USE enum err chat_turns_parents(struct db *db, uint64_t chat, uint64_t before, uint64_t limit,
                                     chat_parent_each *each, void *ctx, struct why *why);
/* What came of an answer so far: words, site, model and what it is made of; and that it is being
 * written. Nothing when it has ended. */
/* *there_out is false when it is streaming no more: deleted, or ended by somebody else. */
MUST_USE enum err chat_turns_save(struct db *db, const struct chat_turn *turn, int64_t now_us,
                                  bool *there_out, struct why *why);
/* What an answer has become, also when it was given up as cut off meanwhile. `*there_out` false: it
 * was deleted meanwhile, nothing is changed. */
MUST_USE enum err chat_turns_end(struct db *db, const struct chat_turn *turn, bool *there_out,
                                 struct why *why);
/* Whoever wrote those that were not heard of since `before_us` is gone. `each` gets them as they
 * are then; it must not ask `db`. */
MUST_USE enum err chat_turns_cut_off(struct db *db, int64_t before_us, struct str detail,
                                     chat_turn_each *each, void *ctx, struct why *why);
