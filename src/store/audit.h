/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/audit.h: who did what, and when: the record that nobody edits.
 *
 * A deed is noted in its own transaction, so there is neither a deed without
 * its row nor a row without its deed. What it was is one of a list of fixed
 * words; adding one: a line in AUDIT_ACTIONS, its sentence in the app
 * (`moderate.action` of web/src/i18n) and, where who runs the community did it, `true`.
 *
 * Deeds of who runs the community and the log-ins of everybody stand in one
 * table: who looks into a break-in wants both in their order. Lists show the
 * former alone unless they are asked.
 *
 * The actor may go, and what it did stays on record without a name; so may
 * what the row speaks of. Lifetimes of texts as in store/users.h.
 */
#pragma once

#include "store/users.h"

/* name, word, whether it is a deed of who runs the community */
#define AUDIT_ACTIONS(X)                                                                           \
    X(AUDIT_ACCOUNT_CREATED, "account.created", false)                                             \
    X(AUDIT_LOGIN, "login", false)                                                                 \
    X(AUDIT_LOGIN_FAILED, "login.failed", false)                                                   \
    X(AUDIT_LOGOUT, "logout", false)                                                               \
    X(AUDIT_LOGOUT_EVERYWHERE, "logout.everywhere", false)                                         \
    X(AUDIT_REFRESH_STOLEN, "refresh.stolen", false)                                               \
    X(AUDIT_PASSWORD_CHANGED, "password.changed", false)                                           \
    X(AUDIT_ACCOUNT_DELETED, "account.deleted", false)                                             \
    X(AUDIT_KEY_CREATED, "key.created", false)                                                     \
    X(AUDIT_KEY_CHANGED, "key.changed", false)                                                     \
    X(AUDIT_KEY_REVOKED, "key.revoked", false)                                                     \
    X(AUDIT_ROLE_CHANGED, "role.changed", true)                                                    \
    X(AUDIT_BANNED, "banned", true)                                                                \
    X(AUDIT_UNBANNED, "unbanned", true)                                                            \
    X(AUDIT_POST_REMOVED, "post.removed", true)                                                    \
    X(AUDIT_COMMENT_REMOVED, "comment.removed", true)                                              \
    X(AUDIT_MESSAGE_REMOVED, "message.removed", true)                                              \
    X(AUDIT_WIKI_REMOVED, "wiki.removed", true)                                                    \
    X(AUDIT_REPORT_RESOLVED, "report.resolved", true)                                              \
    X(AUDIT_RESIDENT_ADDED, "resident.added", true)                                                \
    X(AUDIT_RESIDENT_CHANGED, "resident.changed", true)                                            \
    X(AUDIT_RESIDENT_REMOVED, "resident.removed", true)                                            \
    X(AUDIT_COMMUNITY_CHANGED, "community.changed", true)                                          \
    X(AUDIT_PLACES_ADDED, "places.added", true)                                                    \
    X(AUDIT_TOWN_CONTROLLED, "town.controlled", true)                                              \
    X(AUDIT_BACKUP_MADE, "backup.made", true)                                                      \
    X(AUDIT_BACKUP_TAKEN, "backup.taken", true)                                                    \
    X(AUDIT_BACKUP_DELETED, "backup.deleted", true)

enum audit_action {
#define AUDIT_NAME(name, word, deed) name,
    AUDIT_ACTIONS(AUDIT_NAME)
#undef AUDIT_NAME
        AUDIT_ACTION_COUNT
};

const char *audit_word(enum audit_action action);
/* False: no such action. */
MUST_USE bool audit_parse(struct str word, enum audit_action *action_out);

enum { AUDIT_DETAIL_BYTES = 1000 };

struct audit_entry {
    int64_t at_us;
    struct user_id actor; /* 0: nobody known, as on the command line */
    enum audit_action action;
    const char *kind;   /* of `object`: "user", "post" … at most 30 bytes; NULL: of nothing */
    uint64_t object;    /* 0: `kind` has no ids; then `detail` names it */
    struct str detail;  /* for people; what is over AUDIT_DETAIL_BYTES is cut. .at NULL: none */
    struct str address; /* .at NULL: none */
};
/* Inside the transaction of the deed. In the community: act_audit() (community/act.h). */
MUST_USE enum err audit_add(struct db *db, const struct audit_entry *entry, struct why *why);

struct audit_row {
    uint64_t id;
    int64_t at_us;
    struct str action;       /* also one that only a newer or older program knows */
    struct user_brief actor; /* id 0: nobody, or an account that is gone */
    struct str kind;         /* .at NULL: of nothing */
    uint64_t object;
    struct user_brief user; /* where `kind` is "user": who it is now; id 0: gone */
    struct str detail, address;
};
typedef void audit_each(void *ctx, const struct audit_row *row);
struct audit_query {
    struct str action; /* .at NULL: all … */
    bool accounts;     /* … of accounts and log-ins, or else of who runs the community */
    uint64_t before;   /* 0: from the newest */
    uint64_t limit;
};
/* The newest first. */
MUST_USE enum err audit_list(struct db *db, const struct audit_query *query, audit_each *each,
                             void *ctx, struct why *why);
