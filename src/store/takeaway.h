/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/takeaway.h: what is a member's own and no other list shows by member,
 * page by page, for the copy they may take along. Conventions as in store/users.h.
 *
 * Each calls `each` with a page of rows that begin behind `after` (0: at the
 * first), and says in *last_out where the next page begins; 0: that was the last.
 */
#pragma once

#include "store/users.h"

struct taken {
    uint64_t id;        /* of a comment or message; the post of a like */
    uint64_t place;     /* a comment's post, a message's group */
    struct str content; /* .at NULL: a like has none */
    int64_t created_us;
    bool still_in; /* a message: its writer is in that group now */
};
typedef void taken_each(void *ctx, const struct taken *taken);
enum takeaway { TAKE_COMMENTS, TAKE_LIKES, TAKE_SAID /* in groups */ };
MUST_USE enum err takeaway_page(struct db *db, struct user_id user, enum takeaway which,
                                uint64_t after, taken_each *each, void *ctx, uint64_t *last_out,
                                struct why *why);

enum { TAKEAWAY_PARTNERS_MAX = 50 };
/* With whom there is a private conversation, copied into the arena. */
MUST_USE enum err takeaway_partners(struct db *db, struct arena *arena, struct user_id user,
                                    uint64_t after,
                                    struct user_brief partners[TAKEAWAY_PARTNERS_MAX],
                                    size_t *count_out, struct why *why);

struct taken_report {
    uint64_t id;
    int64_t created_us, resolved_us; /* resolved_us 0: it is open */
    struct str kind, reason, note;   /* note.at NULL: none */
    uint64_t object, post;           /* post 0: none */
};
typedef void taken_report_each(void *ctx, const struct taken_report *report);
/* What they told moderators of; not what stood there, nor what was done about it. */
MUST_USE enum err takeaway_reports(struct db *db, struct user_id user, uint64_t after,
                                   taken_report_each *each, void *ctx, uint64_t *last_out,
                                   struct why *why);

struct taken_file {
    struct str name, kind;
    uint64_t bytes;
    int64_t width, height, created_us;
};
typedef void taken_file_each(void *ctx, const struct taken_file *file);
/* `skip`: how many there were before. */
MUST_USE enum err takeaway_files(struct db *db, struct user_id user, uint64_t skip,
                                 taken_file_each *each, void *ctx, uint64_t *count_out,
                                 struct why *why);
