/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* http/internal.h: what server.c, reply.c and ws.c share. */
#pragma once

#include <llhttp.h>

#include "http/chunk_guard.h"
#include "http/server.h"
#include "io/socket.h"

/* A reader that takes no byte of a reply for this long is dropped. */
#define HTTP_WRITE_TIMEOUT_US (INT64_C(60) * 1000000)
/* Bytes a second that a body must keep up on the whole; the slowest telephone lines do. */
#define HTTP_BODY_PACE 500

enum connection_state {
    CONNECTION_IDLE,    /* between requests */
    CONNECTION_HEAD,    /* part of a head has come */
    CONNECTION_BODY,    /* head is in, body is coming */
    CONNECTION_WORKING, /* the application has the exchange */
    CONNECTION_CLOSING  /* a last reply is on its way, or nothing more */
};

/* Lives on one loop. */
struct http_connection {
    struct http_server *server;
    struct socket *socket;
    struct http_exchange *exchange; /* owned while it is here; NULL when idle */
    llhttp_t parser;
    struct chunk_guard chunks; /* of the body that is coming */
    struct buf ahead;          /* bytes that came before we could use them */
    struct deadline deadline;
    int64_t body_due_us; /* when the body that is coming must be here; see feed_body() */
    struct list link;    /* in server->connections */
    enum connection_state state;
    bool body_paused, feeding;
    bool peer_done; /* the peer has closed its half: what it asked before still gets its reply */
    bool served;    /* has had a reply: between requests when idle */
    size_t queued_before; /* at the last look of watch_reader() */
};

/* Lives on one loop. */
struct http_server {
    struct loop *loop;
    struct listener *listener;
    struct http_limits limits;
    struct http_app app;
    llhttp_settings_t parser_settings;
    struct list connections;
    size_t connection_count;
    struct http_exchange *free_exchanges; /* a few, kept for the next requests */
    size_t free_count;
    size_t exchanges_out;                             /* alive, here or with the application */
    struct http_header header_scratch[LIMIT_HEADERS]; /* heads of requests are read into it */
    struct buf head_scratch;                          /* reply heads are built here */
    struct buf log_lines;                             /* access log of this turn */
    struct turn_hook log_hook;
    char date[32];
    int64_t date_s;
    char id_prefix[10]; /* "5f0c31aa-" */
    uint64_t id_next;
    struct http_stats stats;
    struct timer *parting; /* while draining: the end of the time for one request more */
    bool draining, closing;
};

/* Every change of a connection's state goes through here: it sets the deadline that belongs to it.
 */
void connection_set_state(struct http_connection *connection, enum connection_state state);
/* The reply has left or is queued: next request, or close. Frees the exchange. */
void connection_reply_done(struct http_connection *connection);
/* The same, but the exchange goes on without the connection: its owner frees it. */
void connection_let_go(struct http_connection *connection);
void connection_drained(struct http_connection *connection);
/* The socket goes to somebody else (WebSocket): the connection's memory is freed. */
struct socket *connection_give_socket(struct http_connection *connection);
void exchange_free(struct http_server *server, struct http_exchange *x);
void access_log(struct http_server *server, const struct http_exchange *x);
