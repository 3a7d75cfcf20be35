/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/api.h: what the handlers of a process share, and what each loop has.
 * Filled by app/serve.c before any loop runs; read-only afterwards but for
 * what says otherwise.
 */
#pragma once

#include <stdatomic.h>

#include "auth/keyring.h"
#include "auth/password.h"
#include "auth/rate.h"
#include "auth/ticket.h"
#include "base/settings.h"
#include "http/header.h"
#include "http/router.h"
#include "http/server.h"
#include "hub/hub.h"
#include "io/workers.h"
#include "llm/llm.h"
#include "store/store.h"

struct gateway;
struct hall;
struct wiki_embedder;
struct wiki_library;
struct wiki_scribe;
struct gateway_loop;
struct metrics;
struct token_cache;
struct feed_cache;
struct chat_runs;
struct conversation_cache;
struct wiki_old_config;

struct api {
    const struct settings *settings;
    struct store *store;
    struct hub *hub;
    struct workers *workers; /* everything slow but passwords */
    struct workers *hashers; /* passwords, with a queue of their own */
    struct keyring *keyring;
    struct passwords passwords;
    struct rate *rate;
    struct tickets *tickets;
    struct router *router;
    struct header_trusted trusted;
    struct llm *llm;         /* language models */
    struct gateway *gateway; /* what programs use of them */
    struct hall *hall;       /* the town; NULL: none runs here */
    struct wiki_library *wikis;
    struct wiki_embedder *embedder; /* makes vectors of them; NULL: none is configured */
    struct wiki_scribe *scribe;     /* writes about them */
    struct metrics *metrics;
    struct chat_runs *chat_runs;
    struct wiki_old_config *wiki_config; /* languages, and what older pages are offered */
    char admin_code[33]; /* lets the first account become admin; "" when there is one */
    atomic_bool admin_code_used;
    atomic_bool draining;   /* about to stop; set before any loop tells its connections so */
    atomic_int uploads;     /* under way */
    int64_t started_us;     /* wall */
    struct api_loop *loops; /* owned by app */
    size_t loop_count;
};

/* Lives on one loop. */
struct api_loop {
    struct api *api;
    struct loop *loop;
    struct http_server *server;
    struct hub_loop *hub_loop;
    struct db *db; /* its own reader; NULL for MariaDB */
    struct token_cache *tokens;
    struct feed_cache *feed;
    struct llm_loop *llm; /* calls of this loop; NULL once it stops */
    struct gateway_loop *gateway;
    struct conversation_cache *conversations;
    struct list live; /* open live connections, of struct live (live.c) */
    size_t live_count;
    struct list chats; /* open sockets of /chat, of struct chat_socket (chat_ws.c) */
    size_t chat_count;
    struct list runs;    /* answers under way, of struct chat_run (chat_run.c) */
    struct list titles;  /* being asked for, of struct chat_title (chat_title.c) */
    struct list errands; /* calls that wait for a model, of struct errand (errand.c) */
    struct list visits;  /* questions about repositories, of struct wiki_visit (wiki_visit.c) */
    struct list asking;  /* open sockets of /ws/chat, of struct old_socket (wiki_old_doors.c) */
    int index;
};

enum rate_class {
    RATE_NONE,
    RATE_READ,
    RATE_WRITE,
    RATE_LOGIN_ADDRESS, /* attempts from one address */
    RATE_LOGIN_ACCOUNT, /* attempts on one account */
    RATE_UPLOAD,
    RATE_CHAT, /* questions to a model */
    RATE_CLASSES
};

/* The application behind a loop's HTTP server. */
struct http_app api_http_app(struct api_loop *home);
/* Build the router out of the table. */
struct router *api_router_new(void);
/* Limits from the settings. */
struct rate *api_rate_new(const struct settings *settings);
/* Per-loop parts; after the loop, the hub and the store are there. */
MUST_USE enum err api_loop_open(struct api_loop *home, struct api *api, struct loop *loop,
                                int index, struct why *why);
/* Tell the live connections to come back; api->draining is set: nothing new is taken. On the loop.
 */
void api_loop_drain(struct api_loop *home);
/* Cut off the live connections that did not go, and keep the loop from ending no longer. On the
 * loop, or before it runs; also when api_loop_open() failed. */
void api_loop_abort(struct api_loop *home);
/* After api_loop_abort(), and after the loop has ended. */
void api_loop_close(struct api_loop *home);
