/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/reply.h: reads HTTP/1.1 replies as they come, for the measuring tools.
 *
 * Its own reader, not the server's: a tool that shared the server's parser would
 * share its mistakes. Bodies by Content-Length, chunked, and until close; 1xx are
 * passed over except 101. What it cannot understand is REPLY_BROKEN, never guessed.
 *
 *     while (bytes.len && reply_feed(&reply, &bytes) == REPLY_DONE) {
 *         … reply.status, reply.body_bytes …
 *         reply_reset(&reply);
 *     }
 */
#pragma once

#include "base/buf.h"

enum reply_step { REPLY_MORE, REPLY_DONE, REPLY_BROKEN };

enum reply_state {
    REPLY_HEAD,
    REPLY_BODY,
    REPLY_BODY_TO_CLOSE,
    REPLY_CHUNK_SIZE,
    REPLY_CHUNK_DATA,
    REPLY_CHUNK_END,
    REPLY_TRAILERS,
};

struct reply {
    enum reply_state state;
    int status;          /* of the head read last */
    bool close;          /* the server will close after this one */
    uint64_t body_bytes; /* decoded so far */
    uint64_t left;       /* bytes of the body or chunk still to come */
    struct buf line;     /* a head or line that came in pieces */
    bool keep_body;      /* set once by the owner: collect into `body` */
    struct buf body;
    char accept[32]; /* Sec-WebSocket-Accept, for handshakes */
};

void reply_init(struct reply *reply);
void reply_release(struct reply *reply);
/* Ready for the next reply on the same connection. */
void reply_reset(struct reply *reply);
/* Nothing of a reply has come yet. */
bool reply_is_fresh(const struct reply *reply);

/* Takes what belongs to this reply off the front of `*bytes`. */
enum reply_step reply_feed(struct reply *reply, struct str *bytes);
/* The server closed: DONE if that ends a body, else BROKEN. */
enum reply_step reply_end(struct reply *reply);
