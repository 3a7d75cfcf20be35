/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_reply.c: what a program gets: a stream of events, one object, or a failure. */
#include "api/gateway_internal.h"

enum { END_BYTES = 64 * 1024 };

static void begin_stream(struct reader *reader)
{
    struct http_exchange *x = reader->call->x;
    reader->begun = true;
    deadline_clear(&reader->silence);
    x->status = 200;
    x->content_type = "text/event-stream; charset=utf-8";
    http_add_header(x, "Cache-Control", STR("no-cache"));
    http_add_header(x, "X-Accel-Buffering", STR("no")); /* nginx must not gather it */
    call_begin_events(reader->call, (struct http_stream_events){.drained = program_drained,
                                                                .gone = program_gone,
                                                                .ctx = reader});
}

/* The model has not said a word: the head goes out, and what fails from now on is told in the
 * stream. */
static void on_silence(struct deadline *deadline)
{
    reply_events(CONTAINER_OF(deadline, struct reader, silence), str_of(HTTP_COMMENT));
}

void reply_prepare(struct reader *reader)
{
    struct call *call = reader->call;
    struct loop *loop = call->home->loop;
    list_init(&reader->silence.link);
    reader->silence.fired = on_silence;
    if (!reader->stream) return;
    deadline_set(loop, &reader->silence, loop_now_us(loop) + call_silence_us(call));
}

void reply_events(struct reader *reader, struct str events)
{
    if (!reader->begun) begin_stream(reader);
    http_stream_write(reader->call->x, events);
}

void reply_rest(struct reader *reader, const struct said *said)
{
    struct buf *events = &reader->call->home->gateway->events;
    for (bool more = true; more;) {
        buf_reset(events, SAID_BYTES);
        more = said_chunks(said, &reader->mark, reader->call->arena, events);
        if (events->len > 0) reply_events(reader, buf_str(events));
    }
}

/* The stream's last words. */
static void end_stream(struct reader *reader, const struct said *said)
{
    struct buf events;
    buf_init(&events, END_BYTES);
    said_chunk_end(said, &events);
    if (reader->include_usage) said_chunk_usage(said, &events);
    buf_add_str(&events, STR("data: [DONE]\n\n"));
    http_stream_write(reader->call->x, buf_str(&events));
    buf_release(&events);
    http_stream_end(reader->call->x, true);
}

/* Programs look for `error` in an event; there is no finish_reason and no [DONE]. */
static void break_stream(struct reader *reader, const char *type, const char *code,
                         const char *sentence)
{
    struct buf events;
    buf_init(&events, END_BYTES);
    buf_add_str(&events, STR("data: "));
    struct json_out out = json_begin(&events);
    json_open(&out, NULL, '{');
    json_open(&out, "error", '{');
    json_put_str(&out, "message", str_of(sentence));
    json_put_str(&out, "type", str_of(type));
    json_put_null(&out, "param");
    json_put_str(&out, "code", str_of(code));
    json_close(&out, '}');
    json_close(&out, '}');
    buf_add_str(&events, STR("\n\n"));
    http_stream_write(reader->call->x, buf_str(&events));
    buf_release(&events);
    http_stream_end(reader->call->x, true);
}

static void reply_whole(struct call *call, const struct said *said)
{
    call->x->status = 200;
    call->x->content_type = "application/json";
    said_write(said, &call->x->reply);
    call_reply(call);
}

void reply_end(struct reader *reader, const struct said *said, const struct llm_result *failure)
{
    if (reader->begun && failure == NULL) {
        end_stream(reader, said);
    } else if (reader->begun) {
        break_stream(reader, "server_error", gateway_code(failure->fault), failure->why.text);
    } else if (failure) {
        gateway_refuse(reader->call, failure);
    } else {
        reply_whole(reader->call, said);
    }
}

void reply_revoked(struct reader *reader)
{
    if (reader->begun) {
        break_stream(reader, "authentication_error", "invalid_api_key", gateway_revoked);
    } else {
        gateway_refuse_revoked(reader->call);
    }
}
