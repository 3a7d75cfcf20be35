/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/sse.h: server-sent events (WHATWG HTML, 9.2), from bytes that come cut anywhere.
 *
 * Bytes go into sse_feed() as they arrive; whole events come out. An event that
 * lies inside one piece is told from where it lies; only what the end of a piece
 * cuts is gathered, so memory follows the bytes of one line and one event, and
 * both have ceilings.
 *
 * Kinder than the standard where providers are sloppy:
 * - an event that the end of the stream leaves unfinished is told by sse_finish();
 * - `error: {…}` as a field (llama.cpp before 2025-09) is an event of its own,
 *   named "error", with that data;
 * - lines from the first that begins with `{`, `[` or `<` and is no field are kept
 *   (sse_stray): Gemini puts its error behind the events without any framing, and
 *   proxies answer with a page.
 * `id` and `retry` are read over: no provider resumes a stream.
 *
 * Bytes are not judged: that data is UTF-8 or JSON is the reader's question.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/*
 * `name` and `data` are good until the callback returns. `name` is empty when the event has none.
 * `data` has LF between its lines; it is empty only when the event has a name: an unnamed event
 * without content is a sign of life and told as an empty comment. A callback must neither feed nor
 * release its decoder; it may call sse_stop(). `comment` may be NULL.
 */
struct sse_events {
    void (*event)(void *ctx, struct str name, struct str data);
    void (*comment)(void *ctx, struct str text);
    void *ctx;
};

/* Lives with one stream. Open only so that it can be embedded. */
struct sse {
    struct buf line;                 /* owned; a line that the end of a piece cut */
    struct buf name_kept, data_kept; /* owned; of the event in hand, when a piece ended within */
    struct buf stray;                /* owned; what is no event stream */
    struct str name, data;           /* of the event in hand: in the piece, or kept */
    size_t line_max;
    bool has_data;
    bool after_cr;  /* the last piece ended with CR: a LF belongs to it */
    bool past_head; /* the first line, which may carry a byte order mark, is over */
    bool stopped;
};

/* Longer lines, and events with more data, end the stream. */
void sse_init(struct sse *sse, size_t line_max, size_t event_max);
void sse_release(struct sse *sse); /* zeroed and released ones are fine */
void sse_check(const struct sse *sse);

/* ERR_LIMIT: a line or an event past its ceiling; events before it were told, the decoder has
 * stopped. */
MUST_USE enum err sse_feed(struct sse *sse, struct str bytes, const struct sse_events *to,
                           struct why *why);
/* The stream is over: tells what is unfinished. Fails as sse_feed() does. */
MUST_USE enum err sse_finish(struct sse *sse, const struct sse_events *to, struct why *why);

/* Nothing more is told; what still comes is swallowed. */
static inline void sse_stop(struct sse *sse)
{
    sse->stopped = true;
}

/* The first bytes of what stood outside of events, or nothing. Good until the next feed. */
static inline struct str sse_stray(const struct sse *sse)
{
    return buf_str(&sse->stray);
}
