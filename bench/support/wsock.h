/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/wsock.h: the client's side of WebSocket framing (RFC 6455), for
 * the measuring tools. Again not the server's codec, for the same reason as in
 * reply.h. It accepts less than the RFC allows: a message in fragments, a masked
 * frame or a reserved bit is refused, because no server needs them for an event.
 */
#pragma once

#include "base/buf.h"

enum wsock_opcode {
    WSOCK_TEXT = 1,
    WSOCK_BINARY = 2,
    WSOCK_CLOSE = 8,
    WSOCK_PING = 9,
    WSOCK_PONG = 10,
};

/* The handshake always sends this key, so the answer to it is always the same. */
#define WSOCK_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WSOCK_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* One frame; `payload` is good during the call. */
typedef void wsock_frame_fn(void *ctx, enum wsock_opcode opcode, struct str payload);

/* A frame that came in pieces. Zeroed by wsock_init; owns memory only meanwhile. */
struct wsock {
    struct buf rest;
};

void wsock_init(struct wsock *wsock);
void wsock_release(struct wsock *wsock);
/* False: the server broke the rules; the connection is of no more use. */
MUST_USE bool wsock_feed(struct wsock *wsock, struct str bytes, wsock_frame_fn *frame, void *ctx);
/* One whole, masked frame. */
void wsock_write(struct buf *buf, enum wsock_opcode opcode, struct str payload);
