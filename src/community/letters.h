/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/letters.h: what members say to each other: private messages and
 * group chats. Conventions as in community/talk.h. Private messages are told
 * to user:SENDER and user:RECEIVER, so all devices of both hear of them; group
 * messages to group:ID.
 */
#pragma once

#include "community/act.h"
#include "store/groups.h"
#include "store/messages.h"

struct letter_draft {
    struct user_id to;     /* private … */
    struct group_id group; /* … or, when not 0, a group */
    struct str content;    /* 1 to 2,000 code points after trimming */
    struct str client_id;  /* .at NULL: none; the same one again gives the stored message */
};
/* ERR_NOT_FOUND: no such member or group. ERR_INVALID: to oneself. ERR_CONFLICT: the client_id was
 * used for a message to somebody else. */
MUST_USE enum err letters_send(struct act *act, const struct letter_draft *draft,
                               struct message *message_out, struct why *why);
/* The sender only. */
MUST_USE enum err letters_remove(struct act *act, struct message_id id, struct why *why);
/* A moderator, of a message that was reported: whoever calls has seen to that. */
MUST_USE enum err letters_remove_reported(struct act *act, struct message_id id, struct why *why);
/* Everything from that member was read; fine when there is nothing, or nobody. */
MUST_USE enum err letters_read(struct act *act, struct user_id from, struct why *why);

MUST_USE enum err groups_create(struct act *act, struct str name, const uint64_t *members,
                                size_t member_count, struct group *group_out, struct why *why);
/* Any member may invite. ERR_CONFLICT: is there already. */
MUST_USE enum err groups_invite(struct act *act, struct group_id id, struct user_id user,
                                struct why *why);
/* Oneself (leave), or, for the owner, somebody else. The last one out ends the group; when the
 * owner leaves, the oldest account takes over. */
MUST_USE enum err groups_remove_from(struct act *act, struct group_id id, struct user_id user,
                                     struct why *why);
/* The owner. */
MUST_USE enum err groups_set_name(struct act *act, struct group_id id, struct str name,
                                  struct group *group_out, struct why *why);
MUST_USE enum err groups_mark_read(struct act *act, struct group_id id, struct why *why);
