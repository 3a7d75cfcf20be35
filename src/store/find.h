/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/find.h: messages that hold some words, in the conversations and groups of one member.
 *
 * By looking, not by an index: one would make every message dearer to write,
 * hold a second copy of what is private, and has to be kept from telling one
 * member of another's words; looked for is seldom, and only in what is one's
 * own. So places are taken from the one where something was said last, and each
 * is read back from its newest message until enough is found. Some 2 µs a
 * message: a call reads about FIND_MESSAGES_MAX and then says from where another
 * one goes on. A part of a word is found as well, whatever its case; accents
 * count. Conventions as in store/users.h.
 */
#pragma once

#include "store/groups.h"

enum { FIND_MESSAGES_MAX = 50 * 1000, FIND_HITS_MAX = 100 };

struct find_query {
    struct user_id reader;
    struct user_id with;   /* this conversation alone … */
    struct group_id group; /* … or this group alone, of which the reader is a member; 0, 0: all */
    struct str text;       /* all of its words, up to 16 */
    uint64_t before;       /* older than this id; 0: from the newest */
    size_t limit;          /* up to FIND_HITS_MAX */
};

struct find_hit {
    struct message message;
    struct user_brief partner; /* of a private conversation; id 0: in a group */
    struct str group_name;
};
typedef void find_each(void *ctx, const struct find_hit *hit);
/* The newest first. *next_out: the `before` that goes on; 0: there are no more. */
MUST_USE enum err messages_find(struct db *db, struct arena *arena, const struct find_query *query,
                                find_each *each, void *ctx, uint64_t *next_out, struct why *why);
