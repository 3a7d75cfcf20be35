/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_readers.c: who reads an answer under way: the streams of requests,
 * whoever waits for its end, and live connections that hear a conversation.
 *
 * Readers are on any loop. They are woken by a task to their own, at most one
 * under way for each, so tokens that come together leave together. A stream
 * that is slow takes from the ring at its pace. A live connection has a bounded
 * queue of its own and must hear the pieces before the event that ends them,
 * so it takes at once; one that comes in the middle, or falls behind the ring,
 * gets the whole answer so far in one piece: a frame of any size finds room in
 * an empty queue, thousands of small ones would not.
 */
#include "api/chat_frames.h"
#include "api/chat_run_internal.h"
#include "base/mem.h"

enum { READER_BYTES = 256 * 1024, NEWS_BYTES = 32 * CHAT_ANSWER_BYTES };

/* Lives on its loop. */
struct run_reader {
    struct listener listener;
    struct chat_run *run; /* a reference */
    uint64_t at;          /* in the ring, counted from the first event */
    /* A stream, or who waits for the end: */
    struct call *call;
    struct http_exchange *x;
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

/* What the reader does not have yet goes behind `news`, unless the ring has lost some of it. Gives
 * whether that was the end. Under the lock. */
static bool take_news(struct run_reader *reader, struct buf *news, bool *lost_out)
{
    struct chat_run *run = reader->run;
    *lost_out = reader->at < run->ring_start;
    if (!*lost_out) buf_add_str(news, str_from(buf_str(&run->ring), reader->at - run->ring_start));
    reader->at = run->ring_start + run->ring.len;
    return run->ended;
}

/* --- streams --- */

static void stream_news(struct listener *listener)
{
    struct run_reader *reader = CONTAINER_OF(listener, struct run_reader, listener);
    struct buf news;
    bool lost;
    if (http_stream_queued(reader->x) > READER_BYTES) return;
    buf_init(&news, NEWS_BYTES);
    pthread_mutex_lock(&reader->run->audience.lock);
    bool ended = take_news(reader, &news, &lost);
    pthread_mutex_unlock(&reader->run->audience.lock);
    if (lost) buf_add_str(&news, STR("data: {\"type\":\"reload\"}\n\n"));
    http_stream_write(reader->x, buf_str(&news));
    if (ended || lost) {
        http_stream_end(reader->x, true);
        leave(reader);
    }
    buf_release(&news);
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
    call_begin_stream(call, (struct http_stream_events){
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

/* {"type":"delta",…} of the ring or ours becomes an event of the topic, which says of which turn.
 */
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

/* The turns and the end of an answer are events of their own, with numbers. */
static bool is_piece(struct str json)
{
    static const char *const kinds[] = {"start", "delta", "reasoning"};
    struct str head = STR("{\"type\":\""), rest = str_from(json, head.len);
    struct str kind = str_head(rest, str_find_byte(rest, '"'));
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_eq(kind, str_of(kinds[i]))) return true;
    }
    return false;
}

static void say_ring(struct chat_hearing *hearing, uint64_t turn, struct str events)
{
    while (events.len > 0) {
        size_t end = str_find(events, STR("\n\n"));
        struct str json = str_from(str_head(events, end), STR("data: ").len);
        if (is_piece(json)) say_piece(hearing, turn, json);
        events = str_from(events, end + 2);
    }
}

/* Everything so far, in place of what the reader may have. Nothing when nobody has begun to answer.
 * Under the lock. */
static void write_so_far(struct run_reader *reader, struct buf *news)
{
    struct chat_run *run = reader->run;
    reader->at = run->ring_start + run->ring.len;
    if (run->site[0] == '\0') return;
    chat_frame_so_far(news, str_of(run->site), str_of(run->named), buf_str(&run->reasoning),
                      buf_str(&run->answer));
}

static void live_news(struct listener *listener)
{
    struct run_reader *reader = CONTAINER_OF(listener, struct run_reader, listener);
    struct chat_run *run = reader->run;
    struct buf news;
    bool lost;
    buf_init(&news, NEWS_BYTES);
    pthread_mutex_lock(&run->audience.lock);
    bool so_far = reader->fresh, ended = run->ended;
    if (!so_far) {
        take_news(reader, &news, &lost);
        so_far = lost;
    }
    if (so_far) write_so_far(reader, &news);
    reader->fresh = false;
    pthread_mutex_unlock(&run->audience.lock);
    if (!so_far) {
        say_ring(reader->hearing, run->turn.id, buf_str(&news));
    } else if (news.len > 0) {
        say_piece(reader->hearing, run->turn.id, buf_str(&news));
    }
    if (ended) leave(reader);
    buf_release(&news);
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
