/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/ws.h: a WebSocket connection (RFC 6455) on one loop.
 *
 * An exchange becomes one by ws_accept(); from then on the socket is the
 * WebSocket's and the exchange is over. Pings are answered and sent here; a peer
 * that says nothing for two ping times is dropped.
 *
 * A slow reader is bounded: when more than `queue_max` bytes wait for it, what
 * has not begun to leave is forgotten and it is closed with WS_CODE_SLOW, which
 * tells it to come back and resume. A single frame always finds room in an
 * empty queue, however large; and what only waits for the end of the turn
 * does not make a reader slow.
 */
#pragma once

#include "http/exchange.h"
#include "http/ws_codec.h"

struct ws;

enum { WS_CODE_SLOW = 4010 };

struct ws_owner {
    /* A whole message. May close. */
    void (*text)(void *ctx, struct str message);
    void (*binary)(void *ctx, struct str message);
    /* All that waited has left, after some of it had to wait for the peer. NULL: not wanted. */
    void (*drained)(void *ctx);
    /* The last call; the memory goes after it. */
    void (*closed)(void *ctx);
};

struct ws_options {
    size_t queue_max;
    uint32_t message_max;
    int64_t ping_us;
    struct str protocol; /* the subprotocol to confirm; empty: none */
};

/* Whether the request is a WebSocket handshake (section 4.2.1). ERR_INVALID says what is missing;
 * the reply to that is 426, or 400 when it is a broken one (section 4.2.2). */
MUST_USE enum err ws_check_request(struct http_exchange *x, struct why *why);
/* Does it ask for WebSocket, and for our version? */
bool ws_is_wanted(struct http_exchange *x);
/* Only after ws_check_request(). The exchange is gone when this returns. NULL: the peer has gone.
 */
struct ws *ws_accept(struct http_exchange *x, const struct ws_options *options,
                     const struct ws_owner *owner, void *ctx);

/* A frame, shared or not; takes a reference of its own. Nothing once it is closing. */
void ws_send(struct ws *ws, struct blob *frame);
void ws_send_text(struct ws *ws, struct str text);
/* Say goodbye and close; `closed` comes later. Twice is fine. */
void ws_close(struct ws *ws, unsigned code, struct str reason);
/* Close without a goodbye. */
void ws_abort(struct ws *ws);
bool ws_is_closing(const struct ws *ws);
/* Bytes that wait for the peer, or for the end of the turn: ws_flush() does not wait for that. */
size_t ws_queued(const struct ws *ws);
void ws_flush(struct ws *ws);
const char *ws_peer(const struct ws *ws);
