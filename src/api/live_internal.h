/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/live_internal.h: what live.c (connections) and live_topics.c (subscriptions) share. */
#pragma once

#include "api/chat_run.h"
#include "api/live.h"
#include "http/ws.h"

enum live_kind {
    LIVE_APP,    /* /live */
    LIVE_LEGACY, /* /messages/ws */
    LIVE_STREAM  /* /live/events */
};

enum {
    LIVE_SUBSCRIPTIONS_MAX = 300, /* one's groups, posts on screen, people one looks at */
    LIVE_REPLAY_MAX = 1000,       /* more missed events than this: load anew */
    LIVE_REPLAY_PIECE = 100,      /* read from the log at once */
    LIVE_MESSAGES_PER_SECOND = 50
};

/* Close codes of our own; docs/live.md lists them. */
enum {
    LIVE_CODE_NO_TOKEN = 4001,
    LIVE_CODE_BAD_TOKEN = 4002,
    LIVE_CODE_NO_USER = 4003,
    LIVE_CODE_SIGNED_OUT = 4401
};

/* One open connection. Lives on one loop. */
struct live {
    struct list link; /* in home->live */
    struct api_loop *home;
    enum live_kind kind;
    struct caller who;
    struct ws *ws;             /* LIVE_APP, LIVE_LEGACY */
    struct http_exchange *x;   /* LIVE_STREAM */
    struct list subscriptions; /* of struct live_sub, owned */
    size_t subscription_count;
    struct list asked;         /* of struct live_sub, by `ask`: to be answered in this order */
    struct live_sub *answered; /* the one whose answer is under way; NULL: none */
    bool answering;            /* the next one is being chosen, or nobody is to be any more */
    struct deadline beat;
    int64_t ends_us; /* monotonic: the token's end; 0: as long as the session */
    bool signed_out;
    int64_t heard_s; /* the second `heard_count` counts in */
    int heard_count;
    bool cut; /* LIVE_STREAM: too slow, hears nothing more and ends at the next beat */
};

/* One topic a connection hears. */
struct live_sub {
    struct subscription sub;
    struct list link;
    struct list ask; /* in live->asked, until its log is looked into */
    struct live *live;
    struct catch_up *catch_up;    /* reading the log; NULL: not now */
    bool placed;                  /* `sub.position` means something */
    bool behind;                  /* the rest of the log is sent when the reader has taken some */
    bool quiet;                   /* with `behind`: no answer is owed at the end */
    struct chat_hearing *hearing; /* owned: a conversation's answers as they come; else NULL */
};

void live_send_text(struct live *live, struct str text);
/* Bytes that wait for the peer, after what can leave now has left. */
size_t live_waiting(struct live *live);
/* Build and send {"type":TYPE,"topic":…,"id":…}. */
void live_send_topic(struct live *live, const char *type, const struct topic_name *topic,
                     uint64_t id);
/* The log-in has ended, as a look into the store showed: close within two seconds, not at once,
 * since whoever looks may be walking over the subscriptions. */
void live_sign_out_soon(struct live *live);
void live_send_error(struct live *live, const char *sentence, struct str topic);

/* --- opening a socket, for /chat too --- */

/* Where a token may stand besides the Authorization header and the subprotocol. */
enum { LIVE_BY_TICKET = 1, LIVE_BY_QUERY = 2 };
/* Who opens it; the store has not been asked yet. `*code_out`: what to close with otherwise. */
MUST_USE bool live_claim(struct call *call, unsigned ways, unsigned *code_out,
                         const char **reason_out);
/* A browser insists that one of the protocols it offered is chosen: ours, else what the token
 * stood in. */
struct str live_choose_protocol(struct http_exchange *x, struct str ours);
/* Look the claim up, here or on a worker; then `after` on the loop, with call->err. */
void live_confirm(struct call *call, void (*after)(struct call *call));
/* Every question over a socket is a call upstream, so each is counted, and not each connection.
 * ERR_LIMIT: too many; when to try again. */
MUST_USE enum err live_take_chat_rate(struct api_loop *home, const struct caller *who,
                                      const char *address, struct why *why);
/* 426. RFC 9110, 15.5.22: say which protocol, and RFC 6455, 4.4: which version of it. 400 where
 * both were right and the rest of the handshake is not. */
void live_ask_for_upgrade(struct call *call, const struct why *why);
/* The notice ends this log-in. */
bool live_is_meant(const struct caller *who, const struct hub_notice *notice);

#define LIVE_TOPICS "topic must be feed, me, group:ID, post:ID, chat:ID or town:ID"
/* "feed", "me", "group:3", "post:9", "chat:4" as a member writes it. */
MUST_USE bool live_topic_parse(const struct live *live, struct str text,
                               struct topic_name *name_out);
/*
 * Hear a topic, after looking whether the member may and, with `resume`, after
 * sending what came after `after`. Answers with subscribed, reload or error.
 */
void live_subscribe(struct live *live, const struct topic_name *name, bool resume, uint64_t after);
/* The two halves of it: nothing is sent before the second. NULL: no room, which was said. */
struct live_sub *live_join(struct live *live, const struct topic_name *name, bool resume,
                           uint64_t after);
void live_catch_up(struct live_sub *sub);
/* The connection ends: nobody is answered any more. */
void live_stop_answers(struct live *live);
/* The reader has taken what waited: send more of what it missed. */
void live_go_on(struct live *live);
/* Hear whether these members are there, and no others any more. */
void live_watch_presence(struct live *live, const uint64_t *users, size_t count);
/* Old clients: only what has a form for them, from now on. */
void live_subscribe_legacy(struct live *live);
struct live_sub *live_find(struct live *live, const struct topic_name *name);
void live_unsubscribe(struct live_sub *sub);
