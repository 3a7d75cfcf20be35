/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * hub/hub.h: who hears of what.
 *
 * A topic is a name: feed, user:7, group:3, post:9, chat:4. Stored events of a topic
 * are numbered 1, 2, 3 … without gaps (store/events.h) and are published here
 * after the commit that numbered them. Ephemeral ones (typing, presence) have
 * the number 0 and are not kept anywhere.
 *
 * One struct hub for the process, one struct hub_loop for each loop. Publishing
 * works from any thread; the rest belongs to the loop. Each loop delivers an
 * event to its own subscribers, so there is no lock on that path.
 *
 * Order: events of one topic reach a loop in the order of their numbers even
 * when two threads commit at once and publish in the other order: a loop holds
 * back a number that comes early until the one before it is there. If it does
 * not come within two seconds (another instance died between its commit and its
 * publish) the subscribers are told there is a gap and read the log.
 *
 * Several instances on one database tell each other through a broker
 * (hub/redis.h). It may lose what it was given, but never for good: it says so
 * afterwards, and hub_resync() makes every reader look into the log.
 */
#pragma once

#include "base/blob.h"
#include "base/list.h"
#include "io/loop.h"
#include "store/users.h"

struct hub;
struct hub_loop;
struct topic;

enum { TOPIC_NAME_BYTES = 40 };

/* "user:7" from a kind and an id. */
struct topic_name {
    char text[TOPIC_NAME_BYTES];
};
struct topic_name topic_feed(void);
struct topic_name topic_user(struct user_id id);
struct topic_name topic_group(struct group_id id);
struct topic_name topic_post(struct post_id id);
struct topic_name topic_chat(uint64_t id); /* a conversation with a model */
struct topic_name topic_presence(struct user_id id);
/* What a member calls it: their own user:ID is "me". */
struct str topic_public_name(const struct topic_name *name);

/* One happening on its way to readers; immutable once published. */
struct event {
    atomic_uint refs;
    struct topic_name topic;
    uint64_t seq;         /* 0: ephemeral */
    struct str kind;      /* "post.created"; inside `payload` */
    struct blob *payload; /* owned: {"event":…,"data":…} */
    struct blob *frame;   /* owned: the WebSocket frame for /live */
    struct str text;      /* the JSON inside `frame` */
    struct blob *legacy;  /* owned: the frame for /messages/ws; NULL: not for them */
};

/* The JSON a reader gets: {"type":"event","topic":…,"id":…,"event":…,"data":…}. In `arena`. */
struct str event_text(struct arena *arena, const struct topic_name *topic, uint64_t seq,
                      struct str payload);
/* Builds the frames. `legacy` (may be empty) is the text of the frame old clients get. */
struct event *event_new(const struct topic_name *topic, uint64_t seq, struct str payload,
                        struct str legacy);
struct event *event_ref(struct event *event);
void event_unref(struct event *event); /* NULL is fine */

/* What changes for sockets that are open: told to every loop of every instance. */
struct hub_notice {
    enum hub_notice_kind {
        NOTICE_SESSION_REVOKED, /* one log-in ended */
        NOTICE_USER_REVOKED,    /* all log-ins of `user` but `session` (0: all) ended */
        NOTICE_LEFT_TOPIC,      /* `user` may not hear `topic` any more */
        NOTICE_KEY_REVOKED,     /* the key for programs whose id is `session` */
        NOTICE_STOP_ANSWER      /* `user` stops the answer of a model whose id is `session` */
    } what;
    struct user_id user;
    uint64_t session;
    struct topic_name topic;
};
typedef void hub_noticed(void *ctx, const struct hub_notice *notice);

/*
 * The way to other instances. Each is called on any thread, must be quick, and
 * may take locks of its own but never call the hub: `present` is called under
 * the hub's lock, so that comings and goings of a member are told in order.
 */
struct hub_broker {
    void *ctx;
    void (*publish)(void *ctx, struct event *const *events, size_t count); /* takes its own refs */
    void (*notify)(void *ctx, const struct hub_notice *notice);
    void (*present)(void *ctx, struct user_id user, bool here);
};

struct hub *hub_new(void);
/* Once, before loops run. Copied; `broker->ctx` lives until the loops have ended. */
void hub_set_broker(struct hub *hub, const struct hub_broker *broker);
void hub_free(struct hub *hub); /* after its loops are closed; NULL is fine */

/* The loop's part. `noticed` is called on the loop. */
struct hub_loop *hub_loop_open(struct hub *hub, struct loop *loop, hub_noticed *noticed, void *ctx);
/* On the loop, when nothing is subscribed any more. NULL is fine. */
void hub_loop_close(struct hub_loop *hub_loop);

/* Takes the references. After the commit, on any thread. To every instance. */
void hub_publish(struct hub *hub, struct event **events, size_t count);
void hub_notify(struct hub *hub, const struct hub_notice *notice);
/* Whether there may be other instances to hear it: a broker is set, and up or not. */
bool hub_has_others(const struct hub *hub);

/* --- what the broker brings, any thread: to the readers here, never on to others --- */

/* Takes the reference. */
void hub_deliver(struct hub *hub, struct event *event);
void hub_deliver_notice(struct hub *hub, const struct hub_notice *notice);
/* Something may have been lost on the way: every reader is told that there is a gap. */
void hub_resync(struct hub *hub);

/*
 * One reader of one topic. Lives on one loop, embedded in its owner.
 * `position` is the number of the last event delivered or known to the reader:
 * only greater numbers are delivered, so nothing comes twice.
 */
struct subscription {
    struct list link;    /* the hub's */
    struct topic *topic; /* the hub's; NULL: not subscribed */
    uint64_t position;
    bool paused; /* the owner is still reading the log: nothing is delivered */
    void (*deliver)(struct subscription *subscription, struct event *event);
    /* Numbers may be missing: read the log from `position`. After hub_resync() also while
     * paused: then the log is read once more, since the reading under way may have begun earlier.
     */
    void (*gap)(struct subscription *subscription);
};
void hub_subscribe(struct hub_loop *hub_loop, struct subscription *subscription,
                   const struct topic_name *name);
void hub_unsubscribe(struct hub_loop *hub_loop, struct subscription *subscription);
const struct topic_name *subscription_topic(const struct subscription *subscription);
/* The newest number this loop has delivered for the topic; 0: none since it has it, or since the
 * last resync. */
uint64_t subscription_head(const struct subscription *subscription);
/*
 * The reader has read the log up to `seq`; the owner sets `position` and ends
 * `paused`. When subscription_head() is past `seq` by then, read on from there first: what was
 * delivered while paused does not come again.
 */
void hub_caught_up(struct subscription *subscription, uint64_t seq);

/* --- presence --- */

/* One more or one less open socket of this member. Any thread. A member that comes or goes is
 * told to topic_presence(user), once per change. */
void hub_present(struct hub *hub, struct user_id user, int by);
/* Here or at another instance. */
bool hub_is_present(struct hub *hub, struct user_id user);
/* For the broker: one instance more or less has sockets of this member. */
void hub_present_elsewhere(struct hub *hub, struct user_id user, int by);
/* For the broker: the members with sockets here, under the same lock as hub_broker.present. */
void hub_tell_present(struct hub *hub,
                      void (*tell)(void *ctx, const struct user_id *users, size_t count),
                      void *ctx);

/* --- figures, any thread --- */
struct hub_stats {
    atomic_ullong published, delivered, gaps;
    atomic_ullong present; /* members with sockets here */
    /* Messages to and from other instances; dropped ones are mended by a resync. */
    atomic_ullong broker_up, broker_sent, broker_received, broker_dropped, resyncs;
};
struct hub_stats *hub_stats(struct hub *hub);
