/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/reports.h: what members told moderators of.
 *
 * A row for each who told: of the same thing one member has one open report at
 * most. It keeps what the thing said when it was reported, since that may be
 * edited or taken away before anybody looks. Resolving closes all open reports
 * of the thing at once: it is one decision.
 * Threads and lifetimes of texts as in store/users.h.
 */
#pragma once

#include "store/users.h"

enum report_kind { REPORT_POST, REPORT_COMMENT, REPORT_MESSAGE, REPORT_USER, REPORT_KINDS };
enum report_reason { REASON_SPAM, REASON_ABUSE, REASON_ILLEGAL, REASON_OTHER, REPORT_REASONS };
enum report_outcome { OUTCOME_REMOVED, OUTCOME_DISMISSED, OUTCOME_BANNED, REPORT_OUTCOMES };

const char *report_kind_word(enum report_kind kind);
const char *report_outcome_word(enum report_outcome outcome);
/* False: no such word. */
MUST_USE bool report_kind_parse(struct str word, enum report_kind *kind_out);
MUST_USE bool report_reason_parse(struct str word, enum report_reason *reason_out);
MUST_USE bool report_outcome_parse(struct str word, enum report_outcome *outcome_out);

/* What is reported: a post, a comment, a message or a member, by its id. */
struct report_thing {
    enum report_kind kind;
    uint64_t id;
};

struct report_draft {
    struct user_id reporter;
    struct report_thing thing;
    struct user_id author; /* whose it is */
    uint64_t post;         /* where a comment stands; 0: no comment */
    struct str content;    /* what it says now */
    enum report_reason reason;
    struct str note; /* .at NULL: none */
    int64_t created_us;
};
/* ERR_CONFLICT: the reporter has an open one of this thing. */
MUST_USE enum err reports_add(struct db *db, const struct report_draft *draft, uint64_t *id_out,
                              struct why *why);
/* The reporter's open report of this thing; ERR_NOT_FOUND. */
MUST_USE enum err reports_find_open(struct db *db, struct user_id reporter,
                                    struct report_thing thing, uint64_t *id_out, struct why *why);
/* How many are open, and how many of them are this reporter's. */
MUST_USE enum err reports_count_open(struct db *db, uint64_t *count_out, struct why *why);
MUST_USE enum err reports_count_of(struct db *db, struct user_id reporter, uint64_t *count_out,
                                   struct why *why);

struct report {
    uint64_t id;
    int64_t created_us;
    struct report_thing thing;
    uint64_t post;
    struct str content, reason, note;   /* note.at NULL: none */
    struct user_brief reporter, author; /* id 0: the account is gone */
    bool author_banned;
    struct str outcome; /* .at NULL: open */
    int64_t resolved_us;
    struct user_brief resolver; /* id 0: the account is gone, or it is open */
};
/* ERR_NOT_FOUND with a sentence. */
MUST_USE enum err reports_load(struct db *db, struct arena *arena, uint64_t id,
                               struct report *report_out, struct why *why);
typedef void report_each(void *ctx, const struct report *report);
/* The newest first; `before` 0: from the newest. */
MUST_USE enum err reports_list(struct db *db, bool open, uint64_t before, uint64_t limit,
                               report_each *each, void *ctx, struct why *why);

/* Close all open reports of this thing. ERR_CONFLICT: there is none, somebody was faster. */
MUST_USE enum err reports_resolve(struct db *db, struct report_thing thing,
                                  enum report_outcome outcome, struct user_id by, int64_t now_us,
                                  uint64_t *count_out, struct why *why);
