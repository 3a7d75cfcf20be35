/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/ndjson.h: one JSON value a line (Ollama), from bytes that come cut anywhere.
 *
 * Lines end with LF; blanks, tabs and CR around a line are cut off, empty lines
 * skipped, a byte order mark in front of the first is dropped. A line inside one
 * piece is told from where it lies. Whether it is JSON is the reader's question.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* `line` is good until the callback returns, and never empty. It must neither feed nor release its
 * decoder; it may call ndjson_stop(). */
struct ndjson_events {
    void (*line)(void *ctx, struct str line);
    void *ctx;
};

/* Lives with one stream. */
struct ndjson {
    struct buf line; /* owned; a line that the end of a piece cut */
    bool past_head;  /* the first line is over */
    bool stopped;
};

/* A longer line ends the stream. */
void ndjson_init(struct ndjson *ndjson, size_t line_max);
void ndjson_release(struct ndjson *ndjson); /* zeroed and released ones are fine */

/* ERR_LIMIT: a line past its ceiling; lines before it were told, the decoder has stopped. */
MUST_USE enum err ndjson_feed(struct ndjson *ndjson, struct str bytes,
                              const struct ndjson_events *to, struct why *why);
/* The stream is over: tells a last line without LF. */
MUST_USE enum err ndjson_finish(struct ndjson *ndjson, const struct ndjson_events *to,
                                struct why *why);

/* Nothing more is told; what still comes is swallowed. */
static inline void ndjson_stop(struct ndjson *ndjson)
{
    ndjson->stopped = true;
}
