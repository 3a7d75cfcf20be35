/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_readers.c: who reads an answer under way: the streams of requests,
 * whoever waits for its end, and live connections that hear a conversation.
 *
 * Readers are on any loop (api/audience.h). Each knows what it has of the
 * answer and takes the rest once a turn, pieces that came together as one. A
 * stream that is slow takes it later. A live connection has a bounded queue of
 * its own and must hear the pieces before the event that ends them, so it takes
 * at once; one that comes in the middle gets the whole answer so far in one
 * event, in place of what it may have from before.
 */
#include "api/chat_frames.h"
#include "api/chat_run_internal.h"
#include "base/mem.h"

enum { READER_BYTES = 256 * 1024, NEWS_BYTES = 32 * CHAT_ANSWER_BYTES };

/* Lives on its loop. */
struct run_reader {
    struct listener listener;
    struct chat_run *run; /* a reference */
    bool has_start;
    size_t facts, reasoning, answer; /* how much of them it has */
    /* A stream, or who waits for the end: */
    struct call *call;
    struct http_exchange *x;
    bool has_first;
    /* A live connection: */
    struct chat_hearing *hearing;
    struct list of_hearing; /* in hearing->readers */
    bool fresh;             /* it has got nothing yet */
};

static void free_reader(struct listener *listener)
{
    struct run_reader *reader = CONTAINER_OF(listener, struct run_reader, listener);
    chat_run_unref(reader->run);
    mem_free(reader);
}

static void leave(struct run_reader *reader)
{
    struct chat_run *run = reader->run;
    pthread_mutex_lock(&run->audience.lock);
    audience_drop(&reader->listener);
    if (list_is_empty(&run->audience.listeners)) run->idle_us = loop_now_us(reader->listener.loop);
    pthread_mutex_unlock(&run->audience.lock);
    list_remove(&reader->of_hearing);
    listener_end(&reader->listener);
}

static struct run_reader *reader_new(struct chat_run *run, struct api_loop *home,
                                     void (*news)(struct listener *listener))
{
    struct run_reader *reader = NEW(struct run_reader);
    atomic_fetch_add(&run->refs, 1);
    reader->run = run;
    reader->listener.loop = home->loop;
    reader->listener.news = news;
    reader->listener.free = free_reader;
    list_init(&reader->of_hearing);
    pthread_mutex_lock(&run->audience.lock);
    audience_add(&run->audience, &reader->listener);
    run->idle_us = 0;
    pthread_mutex_unlock(&run->audience.lock);
    return reader;
}

/* What a reader gets at once, as JSON: start, reasoning and delta at most. Facts of a wiki, a line
 * each, come before: who reads an answer should know what it is made of. */
struct pieces {
    struct buf facts;
    struct buf json[3];
    size_t count;
};

static struct buf *add_piece(struct pieces *pieces)
{
    ASSERT(pieces->count < COUNT_OF(pieces->json));
    struct buf *buf = &pieces->json[pieces->count++];
    buf_init(buf, NEWS_BYTES);
    return buf;
}

static void release_pieces(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++) buf_release(&pieces->json[i]);
    buf_release(&pieces->facts);
}

static void each_piece(const struct pieces *pieces, void (*tell)(void *ctx, struct str json),
                       void *ctx)
{
    struct str facts = pieces->facts.len ? buf_str(&pieces->facts) : STR(""), line;
    while (str_split(&facts, '\n', &line)) {
        if (line.len) tell(ctx, line);
    }
    for (size_t i = 0; i < pieces->count; i++) tell(ctx, buf_str(&pieces->json[i]));
}

static void take_new(const char *type, const struct buf *said, size_t *has, struct pieces *to)
{
    if (*has == said->len) return;
    chat_frame_piece(add_piece(to), type, str_from(buf_str(said), *has));
    *has = said->len;
}

/* What has been said and the reader does not have. Under the lock. */
static void take_said(struct run_reader *reader, struct pieces *to)
{
    struct chat_run *run = reader->run;
    bool begun = run->answer.len + run->reasoning.len > 0;
    if (reader->facts < run->facts.len) {
        buf_init(&to->facts, NEWS_BYTES);
        buf_add_str(&to->facts, str_from(buf_str(&run->facts), reader->facts));
        reader->facts = run->facts.len;
    }
    if (begun && !reader->has_start) {
        chat_frame_start(add_piece(to), str_of(run->site), str_of(run->named),
                         str_of(run->instead));
        reader->has_start = true;
    }
    take_new("reasoning", &run->reasoning, &reader->reasoning, to);
    take_new("delta", &run->answer, &reader->answer, to);
}

/* --- streams --- */

static void send_piece(void *ctx, struct str json)
{
    http_stream_event(ctx, json);
}

static void stream_news(struct listener *listener)
{
    struct run_reader *reader = CONTAINER_OF(listener, struct run_reader, listener);
    struct chat_run *run = reader->run;
    struct pieces pieces = {0};
    if (http_stream_queued(reader->x) > READER_BYTES) return;
    pthread_mutex_lock(&run->audience.lock);
    bool ended = run->ended;
    take_said(reader, &pieces);
    pthread_mutex_unlock(&run->audience.lock);
    if (!reader->has_first) http_stream_event(reader->x, run->first);
    reader->has_first = true;
    each_piece(&pieces, send_piece, reader->x);
    release_pieces(&pieces);
    if (!ended) return;
    if (run->last.len > 0) http_stream_event(reader->x, buf_str(&run->last));
    http_stream_end(reader->x, true);
    leave(reader);
}

static void on_drained(void *ctx)
{
    stream_news(&((struct run_reader *)ctx)->listener);
}

static void on_stream_gone(void *ctx)
{
    struct run_reader *reader = ctx;
    http_stream_end(reader->x, false);
    leave(reader);
}

void chat_run_join(struct chat_run *run, struct call *call)
{
    struct http_exchange *x = call->x;
    struct run_reader *reader = reader_new(run, call->home, stream_news);
    reader->x = x;
    http_reset_reply(x);
    x->status = 200;
    x->content_type = "text/event-stream";
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "X-Accel-Buffering", STR("no"));
    call_begin_events(call, (struct http_stream_events){
                                .drained = on_drained, .gone = on_stream_gone, .ctx = reader});
    if (x->connection == NULL) {
        on_stream_gone(reader);
    } else {
        stream_news(&reader->listener);
    }
}

/* --- the end --- */

static void end_news(struct listener *listener)
{
    struct run_reader *reader = CONTAINER_OF(listener, struct run_reader, listener);
    pthread_mutex_lock(&reader->run->audience.lock);
    bool ended = reader->run->ended;
    pthread_mutex_unlock(&reader->run->audience.lock);
    if (!ended) return;
    call_no_content(reader->call);
    call_reply(reader->call);
    leave(reader);
}

void chat_run_stop(struct chat_run *run, struct call *call)
{
    struct run_reader *reader = reader_new(run, call->home, end_news);
    reader->call = call;
    chat_run_stop_soon(run);
    end_news(&reader->listener); /* it may have ended */
}

/* --- live connections --- */

/* Lives on one loop. */
struct chat_hearing {
    struct api_loop *home;
    uint64_t chat;
    chat_heard *heard;
    void *ctx;
    struct list readers; /* of struct run_reader, by `of_hearing`; owned */
    struct buf frame;
};

/* {"type":"delta",…} becomes an event of the topic, which says of which turn. */
static void say_piece(struct chat_hearing *hearing, uint64_t turn, struct str json)
{
    struct buf *to = &hearing->frame;
    buf_reset(to, 4096);
    buf_printf(to,
               "{\"type\":\"event\",\"topic\":\"chat:%llu\",\"event\":\"chat.piece\",\"data\":"
               "{\"turn\":%llu,",
               (unsigned long long)hearing->chat, (unsigned long long)turn);
    buf_add_str(to, str_from(json, 1));
    buf_add_byte(to, '}');
    hearing->heard(hearing->ctx, buf_str(to));
}

/* Everything so far, in place of what the reader may have. Nothing when nobody has begun to answer.
 * Under the lock. */
static void take_so_far(struct run_reader *reader, struct pieces *to)
{
    struct chat_run *run = reader->run;
    reader->fresh = false;
    bool begun = run->answer.len + run->reasoning.len > 0;
    if (!begun && run->facts.len == 0) return;
    struct buf found = {0};
    buf_init(&found, NEWS_BYTES);
    if (run->want) chat_found_write(&run->found, &found);
    chat_frame_so_far(add_piece(to), str_of(run->site), str_of(run->named), str_of(run->instead),
                      buf_str(&run->reasoning), buf_str(&run->answer),
                      found.len ? buf_str(&found) : STR(""));
    buf_release(&found);
    reader->has_start = begun;
    reader->facts = run->facts.len;
    reader->reasoning = run->reasoning.len;
    reader->answer = run->answer.len;
}

static void hear_piece(void *ctx, struct str json)
{
    struct run_reader *reader = ctx;
    say_piece(reader->hearing, reader->run->turn.id, json);
}

static void live_news(struct listener *listener)
{
    struct run_reader *reader = CONTAINER_OF(listener, struct run_reader, listener);
    struct chat_run *run = reader->run;
    struct pieces pieces = {0};
    pthread_mutex_lock(&run->audience.lock);
    bool ended = run->ended;
    if (reader->fresh) {
        take_so_far(reader, &pieces);
    } else {
        take_said(reader, &pieces);
    }
    pthread_mutex_unlock(&run->audience.lock);
    each_piece(&pieces, hear_piece, reader);
    release_pieces(&pieces);
    if (ended) leave(reader);
}

struct chat_hearing *chat_hear(struct api_loop *home, uint64_t chat, chat_heard *heard, void *ctx)
{
    struct chat_hearing *hearing = NEW(struct chat_hearing);
    hearing->home = home;
    hearing->chat = chat;
    hearing->heard = heard;
    hearing->ctx = ctx;
    list_init(&hearing->readers);
    buf_init(&hearing->frame, NEWS_BYTES);
    return hearing;
}

static bool hears(const struct chat_hearing *hearing, const struct chat_run *run)
{
    for (struct list *at = hearing->readers.next; at != &hearing->readers; at = at->next) {
        if (CONTAINER_OF(at, struct run_reader, of_hearing)->run == run) return true;
    }
    return false;
}

void chat_hear_news(struct chat_hearing *hearing)
{
    for (struct list *at = hearing->readers.next, *next; at != &hearing->readers; at = next) {
        next = at->next;
        live_news(&CONTAINER_OF(at, struct run_reader, of_hearing)->listener);
    }
}

void chat_hear_new(struct chat_hearing *hearing)
{
    struct chat_runs *runs = hearing->home->api->chat_runs;
    pthread_mutex_lock(&runs->lock);
    struct chat_run *run = map_find(&runs->by_chat, MAP_KEY(&hearing->chat));
    for (; run; run = run->sibling) {
        if (hears(hearing, run)) continue;
        struct run_reader *reader = reader_new(run, hearing->home, live_news);
        reader->hearing = hearing;
        reader->fresh = true;
        list_add_last(&hearing->readers, &reader->of_hearing);
    }
    pthread_mutex_unlock(&runs->lock);
    chat_hear_news(hearing);
}

void chat_hear_end(struct chat_hearing *hearing)
{
    if (hearing == NULL) return;
    while (!list_is_empty(&hearing->readers)) {
        leave(CONTAINER_OF(hearing->readers.next, struct run_reader, of_hearing));
    }
    buf_release(&hearing->frame);
    mem_free(hearing);
}
