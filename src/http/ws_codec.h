/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/ws_codec.h: WebSocket frames (RFC 6455), the server's side, without sockets.
 *
 * Reading: bytes go into ws_feed() as they come, cut anywhere; whole messages
 * and control frames come out as events. A message that arrives in one frame
 * and in one read is unmasked where it lies and handed over from there; only
 * what is cut by a fragment or by the end of a read is gathered on the heap.
 * So an idle connection costs a struct ws_parser and nothing else, and a
 * stranger's header alone reserves nothing: memory follows the bytes that came.
 *
 * Writing: a frame is built once, as a blob, and shared by all its readers; a
 * server does not mask. ws_head() writes a header alone, for bytes that are
 * already somewhere else.
 *
 * The parser ends with the first fault, with a close frame, and when a callback
 * says so. An ended parser swallows what still comes.
 *
 * Not here: the upgrade request but for its key, answers to pings and closes
 * (the connection's), and permessage-deflate (RFC 7692). The latter costs
 * about 44 kB a connection for inflate and 256 kB for deflate with the usual
 * windows, many times of all else that we keep for a connection, and our
 * messages are small JSON. It would take: the negotiation, always with
 * both no_context_takeover parameters, so that one pair of zlib states serves a
 * whole loop and a shared frame is deflated once for all; RSV1 on the first frame of
 * a message; the ceiling checked against inflated bytes; and a rule that
 * members' text is never compressed together with secrets (CRIME).
 */
#pragma once

#include "base/blob.h"
#include "base/err.h"
#include "base/str.h"

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA
};

/* Close codes (section 7.4.1 and the IANA registry) that the codec or its callers send or tell. */
enum ws_code {
    WS_CODE_NORMAL = 1000,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_NOTHING = 1005, /* never on the wire: a close frame without a code */
    WS_CODE_NOT_UTF8 = 1007,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_INTERNAL = 1011,
    WS_CODE_RESTART = 1012,
    WS_CODE_TRY_LATER = 1013
};

enum {
    WS_HEAD_BYTES = 10, /* the longest header that we send */
    WS_CONTROL_BYTES = 125,
    WS_REASON_BYTES = WS_CONTROL_BYTES - 2,
    WS_ACCEPT_BYTES = 29 /* with its NUL */
};

/*
 * What the peer said. The bytes are good until the callback returns. `text` is
 * valid UTF-8, as is `reason`. Each but the last returns whether to go on; false
 * ends the parser. All must be set. A callback must neither feed nor release
 * its parser: a connection that wants to go is buried later.
 */
struct ws_events {
    bool (*text)(void *ctx, struct str message);
    bool (*binary)(void *ctx, struct str message);
    bool (*ping)(void *ctx, struct str payload); /* answer with the same payload */
    bool (*pong)(void *ctx, struct str payload);
    /* `code` is WS_CODE_NOTHING when the peer gave none. Answer with the same code. */
    void (*close)(void *ctx, unsigned code, struct str reason);
};

/* Why the connection must be failed: what to put into the close frame. */
struct ws_fault {
    unsigned code;      /* 1002, 1007 or 1009 */
    const char *reason; /* a literal, short enough for a close frame */
};

struct ws_partial;

/* Lives on one loop. Open only so that it can be embedded; look at it through the functions. */
struct ws_parser {
    struct ws_partial *partial; /* owned; what was gathered; NULL between messages */
    uint32_t message_max;
    uint32_t payload_len; /* of the frame in hand */
    uint32_t payload_at;  /* bytes of it already read */
    uint8_t phase;
    uint8_t head_len;
    unsigned char head[14]; /* of the frame in hand */
};

/* Larger messages are a fault (1009), known from the header that announces them. */
void ws_parser_init(struct ws_parser *parser, uint32_t message_max);
void ws_parser_release(struct ws_parser *parser); /* zeroed and released ones are fine */
void ws_parser_check(const struct ws_parser *parser);
/* Heap bytes held now: 0 between messages. */
size_t ws_parser_held(const struct ws_parser *parser);

/*
 * Read `len` bytes, which are changed in place. OK: everything was read, or the
 * parser has ended with a close frame. ERR_INVALID and ERR_LIMIT: the peer broke
 * the protocol or its message is too large, see `*fault_out`; what it said before
 * has been told. ERR_CANCELLED: a callback stopped. Fails as soon as no further
 * byte could mend it, so bad UTF-8 is noticed inside an unfinished message.
 */
MUST_USE enum err ws_feed(struct ws_parser *parser, char *bytes, size_t len,
                          const struct ws_events *events, void *ctx, struct ws_fault *fault_out);

/* The header of a whole, unmasked frame; returns its length. */
size_t ws_head(char to[WS_HEAD_BYTES], enum ws_opcode opcode, size_t payload_len);
/* One reference, the caller's. A control frame's payload has at most WS_CONTROL_BYTES. */
struct blob *ws_frame(enum ws_opcode opcode, struct str payload);
struct blob *ws_frame_text(struct str payload);
/* WS_CODE_NOTHING: no code, no reason. A reason too long is cut between code points. */
struct blob *ws_frame_close(unsigned code, struct str reason);

/*
 * The value of Sec-WebSocket-Accept for that of Sec-WebSocket-Key, NUL-terminated.
 * ERR_INVALID: the key is not the base64 of 16 bytes.
 */
MUST_USE enum err ws_accept_key(struct str key, char out[WS_ACCEPT_BYTES], struct why *why);
