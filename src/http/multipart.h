/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/multipart.h: a multipart/form-data body (RFC 7578, RFC 2046, 5.1) read as it comes.
 *
 * The body arrives in pieces that are cut anywhere; what is in the parts leaves
 * through a sink at once, so a picture of 10 MB needs no 10 MB of memory. Only
 * the head of one part is ever kept, at most MULTIPART_HEAD_MAX bytes.
 *
 *     multipart_init(&form, content.boundary, &sink, ctx);
 *     for each piece: err = multipart_feed(&form, piece, why);
 *     at the end:     err = multipart_finish(&form, why);
 *     multipart_release(&form);
 *
 * For each part the sink sees begin, then data as often as it takes (perhaps
 * never), then end. How the body was cut moves the borders between two calls of
 * data and nothing else. After a failure, ours or the sink's, the part that was
 * open is never ended and every further call gives the same code again.
 *
 * Strict where leniency would let two programs read two different forms: each
 * part needs one Content-Disposition of type form-data with one name, bare line
 * feeds and folded lines in heads are refused, and so is a transfer encoding
 * that changes bytes (RFC 7578, 4.7). Preamble and epilogue are passed over; how
 * long they may be is for the ceiling on the whole body.
 *
 * Lives where its request lives; one thread at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    /* Browsers send about 200 bytes and a file name, which file systems hold to 255 bytes. */
    MULTIPART_HEAD_MAX = 8 * 1024,
    /* Our forms have three fields at most; each part costs its receiver something. */
    MULTIPART_PARTS_MAX = 32,
    MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046, 5.1.1 */
};

/* Valid UTF-8 without control characters; good until `begin` returns. */
struct multipart_part {
    struct str name;
    /*
     * As the client tells it, directories and all: a label, never a path. `at`
     * is NULL when absent: the part is a plain field. Of `filename` and
     * `filename*` (RFC 8187) the second wins.
     */
    struct str filename;
    struct str content_type; /* raw; "text/plain" when absent (RFC 7578, 4.4) */
};

/* A failure stops the parse and is what multipart_feed returns. */
struct multipart_sink {
    enum err (*begin)(void *ctx, const struct multipart_part *part, struct why *why);
    enum err (*data)(void *ctx, struct str bytes, struct why *why); /* never empty */
    enum err (*end)(void *ctx, struct why *why);
};

/* Private, but for its size. */
struct multipart {
    const struct multipart_sink *sink;
    void *ctx;
    struct buf head;                            /* of the part that begins */
    char delimiter[MULTIPART_BOUNDARY_MAX + 4]; /* CRLF "--" boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter that the last bytes seen might be */
    size_t lent;    /* of those, how many are no data if they are no delimiter after all */
    unsigned parts;
    enum multipart_state {
        MULTIPART_PREAMBLE,
        MULTIPART_DELIMITER, /* behind a delimiter: "--", or blanks and CRLF */
        MULTIPART_DASH,      /* behind its first '-' */
        MULTIPART_PADDING,   /* in the blanks */
        MULTIPART_LINE_END,  /* behind the CR */
        MULTIPART_HEAD,
        MULTIPART_DATA,
        MULTIPART_EPILOGUE,
    } state;
    enum err failed;
};

/* `boundary` has 1 to MULTIPART_BOUNDARY_MAX bytes, none of them CR: header_content_type() saw to
 * it. It is copied; sink and ctx must outlive the parser. */
void multipart_init(struct multipart *multipart, struct str boundary,
                    const struct multipart_sink *sink, void *ctx);
/* Zeroed and released ones are fine. */
void multipart_release(struct multipart *multipart);

/* ERR_INVALID: not such a body. ERR_LIMIT: too many parts, or too long a head. Else the sink's. */
MUST_USE enum err multipart_feed(struct multipart *multipart, struct str piece, struct why *why);
/* The body is over. ERR_INVALID when its last delimiter has not come. */
MUST_USE enum err multipart_finish(struct multipart *multipart, struct why *why);
/* Asserts the invariants. */
void multipart_check(const struct multipart *multipart);
