/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/exchange.h: one request and the reply to it.
 *
 * The server fills in the request and calls the application (http/server.h)
 * on the loop. The application fills in the reply, there or on another thread
 * that it gives the exchange to, and ends with one of, on the loop:
 *
 *     http_reply(x)            status, headers and body as they stand in x
 *     http_stream_begin(x) …   a body that grows: chunks, later http_stream_end(x)
 *     http_upgrade(x, …)       the connection becomes a WebSocket (http/ws.h)
 *
 * An exchange given to another thread must come back, even when the peer has
 * gone meanwhile: http_reply() then only frees it.
 */
#pragma once

#include "base/arena.h"
#include "base/blob.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "io/loop.h"

enum http_method {
    HTTP_GET_,
    HTTP_HEAD_,
    HTTP_POST_,
    HTTP_PUT_,
    HTTP_PATCH_,
    HTTP_DELETE_,
    HTTP_OPTIONS_,
    HTTP_OTHER_
};

struct http_header {
    struct str name, value;
};

struct http_connection; /* http/server.c */
struct http_exchange;

/* Takes a body as it comes instead of gathering it. On the loop. */
struct http_sink {
    /* May call http_body_pause(); the bytes are good until the return. */
    void (*piece)(void *ctx, struct http_exchange *x, struct str bytes);
    /* The peer has gone before the body was whole: the last call, nothing will be read. */
    void (*broken)(void *ctx, struct http_exchange *x);
    void *ctx;
};

/* What a growing reply wants to know. On the loop. */
struct http_stream_events {
    void (*drained)(void *ctx); /* all that was written has left; may be NULL */
    void (*gone)(void *ctx);    /* the peer has gone; still call http_stream_end() */
    void *ctx;
};

struct http_exchange {
    struct arena arena; /* dies with the exchange */

    /* The request; everything is in `arena`. */
    enum http_method method;
    struct str method_name;
    struct str target;           /* as sent */
    struct http_header *headers; /* in the arena */
    size_t header_count;
    bool has_body; /* announced by Content-Length > 0 or chunked */
    uint64_t content_length;
    struct buf body;
    const char *peer; /* numeric address, good while the exchange lives */
    char id[65];      /* X-Request-Id: the peer's or ours */
    int64_t began_us; /* monotonic */

    /* Set by the application in its `head` call. */
    size_t body_max;       /* gathered bodies; larger: 413. 0 at first */
    struct http_sink sink; /* .piece NULL: gather into `body` */

    /* The reply. */
    int status;
    const char *content_type; /* NULL: none */
    struct buf reply_headers; /* use http_add_header() */
    struct buf reply;         /* the body … */
    struct blob *reply_blob;  /* … or this one (a reference of ours) … */
    int file;                 /* … or bytes of this descriptor, closed by us; -1: none */
    uint64_t file_at, file_len;
    struct str etag; /* quoted; makes conditional GET work. Empty: none */
    bool no_compress;

    const char *label;     /* what the access log calls the route; NULL: nothing */
    uint64_t log_user;     /* the member in the access log; 0: nobody */
    struct str log_client; /* and the address; empty: the peer's */

    /* The application's own: freed by it in `done`. */
    void *own;

    /* The server's own. */
    struct http_connection *connection; /* NULL: the peer has gone. Only on the loop */
    void *server;
    struct http_exchange *next_free;
    struct http_stream_events stream;
    bool keep_alive, streaming, chunked, http10, expects_continue, replied;
    uint64_t sent_bytes;
    struct deadline silence; /* of http_stream_comment() */
    int64_t silence_us, written_us;
};

/* First header of that name (any case), or empty. For those that hold one value. */
struct str http_find_header(const struct http_exchange *x, struct str name);
/* For those that hold a list: all lines of that name as the one list they are, in the order they
 * came, with commas between them (RFC 9110, 5.3). Empty: none. In the exchange's arena. */
struct str http_find_list(struct http_exchange *x, struct str name);
/* One more reply header. Line ends in the value are an error of ours. */
void http_add_header(struct http_exchange *x, const char *name, struct str value);
/* Forget whatever was put into the reply. */
void http_reset_reply(struct http_exchange *x);

void http_reply(struct http_exchange *x);
/* For an answer that takes its time: `gone` is told when the peer leaves before the reply; reply
 * nevertheless. A peer that only closes its half counts as gone. http_stream_begin() sets its own
 * events instead. */
void http_watch(struct http_exchange *x, struct http_stream_events events);

/* Would http_watch() find it gone already? It tells in a later turn only. */
bool http_is_gone(const struct http_exchange *x);

/* Back-pressure for a sink that cannot take more now. */
void http_body_pause(struct http_exchange *x);
void http_body_resume(struct http_exchange *x);

/* Send the head; from now on http_stream_write(). `events` are copied. To HEAD that is all: the
 * exchange is left without its connection, as when the peer had gone before. */
void http_stream_begin(struct http_exchange *x, struct http_stream_events events);
/* One piece of the body; takes a reference of its own. Nothing when the peer has gone. */
void http_stream_write(struct http_exchange *x, struct str bytes);
/* The same as a server-sent event: data without line ends, and no name. */
void http_stream_event(struct http_exchange *x, struct str data);
/* After http_stream_begin() of a stream of server-sent events, which is written an event at a time:
 * whenever nothing was written for so long, a comment is, so that nobody between us and the reader
 * takes the stream for dead. */
void http_stream_comment(struct http_exchange *x, int64_t every_us);
#define HTTP_COMMENT ": still at it\n\n"
void http_stream_write_blob(struct http_exchange *x, struct blob *chunked_bytes);
/* Bytes that wait for the peer, or for the end of the turn: http_stream_flush() does not wait for
 * that. */
size_t http_stream_queued(const struct http_exchange *x);
void http_stream_flush(struct http_exchange *x);
/* The body is whole (`complete`), or must be seen as cut off: the connection breaks. Frees x. */
void http_stream_end(struct http_exchange *x, bool complete);
/* A piece framed as a chunk (RFC 9112, 7.1), to be shared by many streams. One reference. */
struct blob *http_chunk(struct str bytes);

const char *http_status_text(int status);
