/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/server.h: HTTP/1.1 (RFC 9112) on one loop.
 *
 * Strict where requests can be smuggled: line ends must be CRLF, no folded
 * headers, never Content-Length beside Transfer-Encoding, one Host. One request
 * of a connection is worked on at a time; what a client pipelines waits, up
 * to a ceiling, then we stop reading from it.
 *
 * A slow client holds a connection at most head_timeout from the first byte of
 * a request to the first byte of its body; every further piece of the body has
 * body_timeout, and all of it that plus a second for each HTTP_BODY_PACE bytes;
 * a reader that takes no byte of a reply for 60 s is dropped.
 *
 * llhttp is behind this and nowhere else. TLS and HTTP/2 are a proxy's work.
 */
#pragma once

#include "http/admission.h"
#include "http/exchange.h"
#include "io/loop.h"

struct http_server;

struct http_app {
    /*
     * The head of a request is in. Set `body_max` or a `sink`, or reply at once
     * (then the body is not read and the connection closes). On the loop.
     */
    void (*head)(void *ctx, struct http_exchange *x);
    /* The request is whole, unless `head` has replied. Reply now or later. On the loop. */
    void (*whole)(void *ctx, struct http_exchange *x);
    /* The exchange is over and about to be freed: let go of `own`. On the loop. */
    void (*done)(void *ctx, struct http_exchange *x);
    /* The request cannot be understood: status is set, write a body for it. On the loop. */
    void (*fault)(void *ctx, struct http_exchange *x, const char *sentence);
    void *ctx;
};

/* Shared by the servers of all loops of a process. */
struct http_limits {
    struct admission *admission; /* who may connect; see http/admission.h */
    int64_t head_timeout_us, body_timeout_us, idle_timeout_us;
    bool gzip, access_log;
};

struct http_stats {
    uint64_t accepted, open, refused, requests, upgraded;
};

/* `address`: HOST:PORT; see listener_open() for errors. */
MUST_USE enum err http_server_open(struct loop *loop, struct str address,
                                   const struct http_limits *limits, const struct http_app *app,
                                   struct http_server **server_out, struct why *why);
void http_server_address(const struct http_server *server, char *to, size_t to_bytes);
/* Hand the address over (see listener_retire() for `siblings`), let running requests and
 * those on their way finish: a kept connection has 300 ms for one more, whose reply says
 * Connection: close. On the loop. */
void http_server_drain(struct http_server *server, unsigned siblings);
/* Connections still open (upgraded ones are not ours any more), and the listener. On the loop. */
size_t http_server_open_count(const struct http_server *server);
/* Close what is left. Its memory goes when the last connection has. On the loop. */
void http_server_close(struct http_server *server);
/* A copy; on the loop. */
struct http_stats http_server_stats(const struct http_server *server);
