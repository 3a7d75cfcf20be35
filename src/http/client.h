/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/client.h: requests of ours to other servers, on one loop (libcurl's multi interface).
 *
 * Thousands at once, without a thread for each; connections are kept and used
 * again. HTTP/1.1 only: one connection a request, so that giving a request up
 * is closing its connection. Redirects are not followed, so a key never
 * reaches a host that it was not meant for. Proxies are taken from the
 * environment (https_proxy, http_proxy, no_proxy).
 *
 * A fetch lives from http_fetch_start() until its `done`, or until
 * http_fetch_cancel(). All calls on the thread of the loop; libcurl is behind
 * this and nowhere else.
 */
#pragma once

#include "base/err.h"
#include "http/exchange.h"
#include "io/loop.h"

struct http_client; /* one for each loop */
struct http_fetch;

struct http_client *http_client_open(struct loop *loop);
/* Cancels what is under way, without `done`. Before the loop ends. NULL is fine. */
void http_client_close(struct http_client *client);

struct http_fetch_request {
    const char *method; /* "GET" … */
    struct str url;     /* http:// or https:// */
    const struct http_header *headers;
    size_t header_count;
    struct str body;    /* copied; at == NULL: none */
    int64_t connect_ms; /* name, connection and TLS together */
    bool trickles;      /* the reply comes in small pieces, for a long time */
};

/* How it went, when it is over. */
enum http_fetch_fault {
    HTTP_FETCH_OK,      /* the reply came whole */
    HTTP_FETCH_URL,     /* not an address we can call */
    HTTP_FETCH_RESOLVE, /* nobody knows the name */
    HTTP_FETCH_CONNECT, /* refused, unreachable */
    HTTP_FETCH_SLOW,    /* no connection within connect_ms */
    HTTP_FETCH_TLS,     /* certificate or handshake */
    HTTP_FETCH_BROKEN,  /* broke off after the connection was made */
    HTTP_FETCH_STRANGE, /* somebody answered, but not in HTTP */
};

struct http_fetch_end {
    enum http_fetch_fault fault;
    const char *message; /* for logs; good until the return */
};

struct http_fetch_events {
    /* The head of the reply is in: once, before any piece. */
    void (*head)(void *ctx, struct http_fetch *fetch, int status);
    /* Good until the return. */
    void (*piece)(void *ctx, struct http_fetch *fetch, struct str bytes);
    /* The last call; the memory goes after it. Never inside http_fetch_start(). */
    void (*done)(void *ctx, struct http_fetch *fetch, const struct http_fetch_end *end);
};

/* `request` and what it points to may go after the return; `events` must stay. */
struct http_fetch *http_fetch_start(struct http_client *client,
                                    const struct http_fetch_request *request,
                                    const struct http_fetch_events *events, void *ctx);
/* Close it, at the end of this turn at the latest; no more events. May be called inside them. */
void http_fetch_cancel(struct http_fetch *fetch);
/* A header of the reply, from `head` on, or empty; good until `done` returns. */
struct str http_fetch_header(struct http_fetch *fetch, const char *name);
/* Stop reading until resumed: back-pressure towards the other server. Not inside `done`. Reading
 * goes on at the end of the turn: no event comes inside these. */
void http_fetch_pause(struct http_fetch *fetch);
void http_fetch_resume(struct http_fetch *fetch);
