/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/act.h: what every deed of a member needs: a connection inside a
 * transaction, who acts, when, and a place for the events that tell of it.
 *
 * A deed says by act_tell() what is to be told. When it has done everything
 * else, act_store() numbers and stores the events in the deed's own transaction;
 * once that is committed, act_publish() hands all of them to the hub. A deed
 * that fails, or whose transaction is taken back, publishes nothing.
 *
 * Numbering holds a topic's row until the commit. All topics are numbered last
 * and in the order of their names, so two deeds that tell the same ones (each
 * writes to the other) wait for each other once and never in a ring.
 */
#pragma once

#include "base/json.h"
#include "hub/hub.h"
#include "store/audit.h"

struct told; /* one event on its way */

enum { ACT_NOTICES_MAX = 4 };

struct act {
    struct db *db;
    struct arena *arena;
    int64_t now_us;
    struct user_id me;
    enum role role;
    struct str address; /* where the request came from; .at NULL: not known */
    struct told *told;  /* in `arena`, by the name of the topic */
    size_t told_count;
    struct hub_notice notices[ACT_NOTICES_MAX];
    size_t notice_count;
};

void act_init(struct act *act, struct db *db, struct arena *arena, int64_t now_us,
              struct user_id me, enum role role);

/*
 * Tell a topic. `data` is the JSON of the event's data. `fold`: see
 * store/events.h; it lives as long as the arena. `legacy`: also tell the old
 * clients' sockets that listen to this topic, in their form.
 */
void act_tell(struct act *act, struct topic_name topic, const char *kind, struct str fold,
              struct str data, bool legacy);
/* Words that may be taken back: act_unsay() finds them by `mark`. */
void act_tell_words(struct act *act, struct topic_name topic, const char *kind, struct str mark,
                    struct str data, bool legacy);
/* What bears the mark, or has that fold, is taken out of what those hear who come back later; an
 * empty mark: all that was told there. In the order of what is told to that topic. */
void act_unsay(struct act *act, struct topic_name topic, struct str mark);
/* What bears the mark is heard as this by those who come back later, as if it had been said so; who
 * is there hears nothing. */
void act_reword(struct act *act, struct topic_name topic, const char *kind, struct str mark,
                struct str data);
/* "KIND:ID", in the arena. */
struct str act_mark(struct act *act, const char *kind, uint64_t id);
/* Number and store what was told: the last step before the commit. */
MUST_USE enum err act_store(struct act *act, struct why *why);
/* Tell every loop what changes for open sockets (log-out, leaving a group), after the commit. */
void act_notify(struct act *act, const struct hub_notice *notice);
/*
 * Note in the audit log what is being done here: of `object` of that `kind`
 * (store/audit.h). `detail`: .at NULL: nothing to add.
 */
MUST_USE enum err act_audit(struct act *act, enum audit_action action, const char *kind,
                            uint64_t object, struct str detail, struct why *why);
/* After the commit, on any thread. */
void act_publish(struct act *act, struct hub *hub);
