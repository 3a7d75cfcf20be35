/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * hub/redis.c: two connections, two threads.
 *
 * Blocking calls of hiredis in straight lines: Redis can then be slow or silent
 * without a loop noticing. A connection that subscribes cannot publish, hence
 * two; each finds its own way back. The listener waits in poll(2) and not in
 * hiredis, whose time-outs end the connection.
 *
 * What a resync promises: an event is in the log before it is published, so
 * whoever reads the log after the word "resync" finds all that was dropped
 * before that word. Therefore `publishing` becomes true first, the word is sent
 * after it, and events between the two are queued, not dropped.
 */
#include "hub/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "hub/peers.h"
#include "hub/wire.h"

enum {
    QUEUE_MAX = 32768,
    QUEUE_BYTES_MAX = 64 * 1024 * 1024,
    BATCH_MAX = 256, /* messages in one write */
    CONNECT_MS = 2000,
    ANSWER_MS = 2000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    TICK_MS = 1000,
    PING_S = 10,    /* the listener says something */
    SILENCE_S = 25, /* and hears something, or the connection is dead */
    HERE_S = 10,
    /* Several who come back at once (a new Redis) cause one look into the log, not one each. */
    RESYNC_PAUSE_MS = 50,
};

static const int64_t MS = 1000, S = 1000000;

/* One message that waits. */
struct item {
    struct item *next;
    enum wire_kind kind;
    struct event *event; /* a reference owned, or NULL */
    struct hub_notice notice;
    struct user_id user;
    bool here;
};

struct redis {
    struct hub *hub;
    struct redis_url url;
    char id[WIRE_ID_BYTES];
    char channel[32];
    char own_start[64]; /* how our own messages begin */
    pthread_t publisher, listener;
    int stop_fd; /* owned; readable when the listener shall end */

    pthread_mutex_t lock;
    pthread_cond_t wake; /* the publisher */
    /* Under the lock: */
    struct item *first, **end; /* owned */
    size_t count, bytes;
    bool publishing, listening; /* the connections stand */
    bool owes_resync, owes_here;
    bool stopping;
    enum { TOLD_NOTHING, TOLD_UP, TOLD_DOWN } told; /* what the log says */

    /* The listener's: */
    struct peers *peers; /* owned */
    struct arena arena;
    int64_t resync_us; /* when to; 0: not */
};

static struct hub_stats *stats(struct redis *redis)
{
    return hub_stats(redis->hub);
}

/* --- state --- */

/* `side` is one of the two flags. `reason` says why it is down. */
static void set_side(struct redis *redis, bool *side, bool up, const char *reason)
{
    pthread_mutex_lock(&redis->lock);
    *side = up;
    bool both = redis->publishing && redis->listening;
    bool says_up = both && redis->told != TOLD_UP, says_down = !up && redis->told != TOLD_DOWN;
    if (says_up) redis->told = TOLD_UP;
    if (says_down) redis->told = TOLD_DOWN;
    atomic_store(&stats(redis)->broker_up, both);
    pthread_mutex_unlock(&redis->lock);
    if (says_up) {
        log_info("broker.up", "host=%s port=%d channel=%s instance=%s", redis->url.host,
                 redis->url.port, redis->channel, redis->id);
    }
    if (says_down) {
        log_warn("broker.down", "host=%s port=%d reason=\"%s\" then=\"other instances hear later\"",
                 redis->url.host, redis->url.port, reason);
    }
}

static int64_t backoff_us(unsigned tries)
{
    int64_t most_ms = MIN((int64_t)BACKOFF_MIN_MS << MIN(tries, 10u), BACKOFF_MAX_MS);
    /* Instances that lost the same Redis shall not come back in step. */
    return (most_ms / 2 + (int64_t)(random_u64() % (uint64_t)(most_ms / 2))) * MS;
}

/* --- the queue, any thread --- */

static size_t item_bytes(const struct item *item)
{
    return sizeof(*item) + (item->event ? item->event->payload->len : 0);
}

static void item_free(struct item *item)
{
    event_unref(item->event);
    mem_free(item);
}

/* Under the lock. Presence that is dropped is mended by the next `here`, not by a resync. */
static void count_dropped(struct redis *redis, const struct item *item)
{
    if (item->kind == WIRE_PRESENT) return;
    redis->owes_resync = true;
    atomic_fetch_add(&stats(redis)->broker_dropped, 1);
}

/* Takes the item. Under the lock. */
static void give(struct redis *redis, struct item *item)
{
    size_t bytes = item_bytes(item);
    if (!redis->publishing || redis->count >= QUEUE_MAX || redis->bytes + bytes > QUEUE_BYTES_MAX) {
        count_dropped(redis, item);
        item_free(item);
        return;
    }
    *redis->end = item;
    redis->end = &item->next;
    redis->count++;
    redis->bytes += bytes;
}

static void broker_publish(void *ctx, struct event *const *events, size_t count)
{
    struct redis *redis = ctx;
    pthread_mutex_lock(&redis->lock);
    for (size_t i = 0; i < count; i++) {
        struct item *item = NEW(struct item);
        item->kind = WIRE_EVENT;
        item->event = event_ref(events[i]);
        give(redis, item);
    }
    pthread_cond_signal(&redis->wake);
    pthread_mutex_unlock(&redis->lock);
}

static void give_one(struct redis *redis, struct item *item)
{
    pthread_mutex_lock(&redis->lock);
    give(redis, item);
    pthread_cond_signal(&redis->wake);
    pthread_mutex_unlock(&redis->lock);
}

static void broker_notify(void *ctx, const struct hub_notice *notice)
{
    struct item *item = NEW(struct item);
    item->kind = WIRE_NOTICE;
    item->notice = *notice;
    give_one(ctx, item);
}

static void broker_present(void *ctx, struct user_id user, bool here)
{
    struct item *item = NEW(struct item);
    item->kind = WIRE_PRESENT;
    item->user = user;
    item->here = here;
    give_one(ctx, item);
}

/* Up to BATCH_MAX items, in order. Under the lock. */
static struct item *take_batch(struct redis *redis)
{
    struct item *batch = redis->first, **end = &redis->first;
    for (size_t taken = 0; taken < BATCH_MAX && *end; taken++) {
        redis->count--;
        redis->bytes -= item_bytes(*end);
        end = &(*end)->next;
    }
    redis->first = *end;
    *end = NULL;
    if (redis->first == NULL) redis->end = &redis->first;
    return batch;
}

/* --- connections --- */

static bool is_right(redisContext *c, redisReply *reply, struct why *why)
{
    bool right = reply && reply->type != REDIS_REPLY_ERROR;
    if (reply == NULL) {
        why_write(why, "%s", c->err ? c->errstr : "no answer");
    } else if (!right) {
        why_write(why, "%s", reply->str);
    }
    freeReplyObject(reply);
    return right;
}

static bool log_in(struct redis *redis, redisContext *c, struct why *why)
{
    const struct redis_url *url = &redis->url;
    if (url->password[0] == '\0') return true;
    return is_right(c,
                    url->user[0] ? redisCommand(c, "AUTH %s %s", url->user, url->password)
                                 : redisCommand(c, "AUTH %s", url->password),
                    why);
}

static struct timeval timeval_of_ms(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* NULL: it did not work out. */
static redisContext *connect_once(struct redis *redis, struct why *why)
{
    redisContext *c =
        redisConnectWithTimeout(redis->url.host, redis->url.port, timeval_of_ms(CONNECT_MS));
    if (c == NULL || c->err) {
        why_write(why, "%s", c ? c->errstr : "no memory");
    } else if (redisSetTimeout(c, timeval_of_ms(ANSWER_MS)) != REDIS_OK) {
        why_write(why, "%s", c->errstr);
    } else if (log_in(redis, c, why)) {
        redisEnableKeepAlive(c);
        return c;
    }
    if (c) redisFree(c);
    return NULL;
}

/* --- the publisher --- */

struct outgoing {
    struct redis *redis;
    redisContext *c;
    struct buf buf;
    size_t count; /* commands in the pipe */
};

static void append(struct outgoing *out, struct wire *wire)
{
    str_copy(wire->from, sizeof(wire->from), str_of(out->redis->id));
    buf_reset(&out->buf, 64 * 1024);
    wire_write(&out->buf, wire);
    if (out->buf.failed) return; /* more members than one message takes: the first ones stay told */
    redisAppendCommand(out->c, "PUBLISH %s %b", out->redis->channel, out->buf.at, out->buf.len);
    out->count++;
}

static void append_item(struct outgoing *out, const struct item *item)
{
    struct wire wire = {.kind = item->kind, .notice = item->notice, .here = item->here};
    wire.users = &item->user;
    wire.count = 1;
    if (item->event) {
        wire.topic = item->event->topic;
        wire.seq = item->event->seq;
        wire.legacy = item->event->legacy != NULL;
        wire.payload = blob_str(item->event->payload);
    }
    append(out, &wire);
}

static void append_here(void *ctx, const struct user_id *users, size_t count)
{
    struct wire wire = {.kind = WIRE_HERE, .users = users, .count = count};
    append(ctx, &wire);
}

/* All commands leave in one write; then their answers. */
static bool flush(struct outgoing *out, struct why *why)
{
    for (; out->count > 0; out->count--) {
        void *reply = NULL;
        redisGetReply(out->c, &reply);
        if (!is_right(out->c, reply, why)) return false;
        atomic_fetch_add_explicit(&stats(out->redis)->broker_sent, 1, memory_order_relaxed);
    }
    return true;
}

static void drop_items(struct redis *redis, struct item *item)
{
    for (struct item *next; item; item = next) {
        next = item->next;
        count_dropped(redis, item);
        item_free(item);
    }
}

/* What one turn of the publisher has to do. */
struct work {
    struct item *items; /* owned */
    bool resync, here, stop;
};

static struct work wait_for_work(struct redis *redis, int64_t until_us)
{
    struct work work = {0};
    struct timespec until = {.tv_sec = until_us / S, .tv_nsec = until_us % S * 1000};
    int failed = 0;
    pthread_mutex_lock(&redis->lock);
    while (redis->count == 0 && !redis->owes_resync && !redis->owes_here && !redis->stopping &&
           failed != ETIMEDOUT) {
        failed = pthread_cond_timedwait(&redis->wake, &redis->lock, &until);
    }
    work.items = take_batch(redis);
    /* While there is a backlog others need not read the log for what they may get anyway. */
    work.resync = redis->owes_resync && redis->count == 0;
    work.here = redis->owes_here;
    work.stop = redis->stopping && redis->count == 0;
    if (work.resync) redis->owes_resync = false;
    redis->owes_here = false;
    pthread_mutex_unlock(&redis->lock);
    return work;
}

static bool do_work(struct outgoing *out, const struct work *work, struct why *why)
{
    for (const struct item *item = work->items; item; item = item->next) append_item(out, item);
    if (work->resync) append(out, &(struct wire){.kind = WIRE_RESYNC});
    if (work->here) hub_tell_present(out->redis->hub, append_here, out);
    return flush(out, why);
}

/* Until the connection breaks (false) or the end has come. */
static bool publish_all(struct redis *redis, redisContext *c, struct why *why)
{
    struct outgoing out = {.redis = redis, .c = c};
    int64_t here_us = clock_mono_us();
    bool right = true, stop = false;
    buf_init(&out.buf, WIRE_BYTES_MAX);
    while (right && !stop) {
        struct work work = wait_for_work(redis, here_us);
        if (clock_mono_us() >= here_us) work.here = true;
        if (work.here) here_us = clock_mono_us() + HERE_S * S;
        right = do_work(&out, &work, why);
        stop = work.stop;
        if (right) {
            for (struct item *item = work.items, *next; item; item = next) {
                next = item->next;
                item_free(item);
            }
        } else { /* some may have arrived: a reader who knows a number drops it */
            pthread_mutex_lock(&redis->lock);
            drop_items(redis, work.items);
            pthread_mutex_unlock(&redis->lock);
        }
    }
    buf_release(&out.buf);
    return right;
}

static void begin_publishing(struct redis *redis)
{
    pthread_mutex_lock(&redis->lock);
    redis->owes_resync = redis->owes_here = true;
    pthread_mutex_unlock(&redis->lock);
    set_side(redis, &redis->publishing, true, "");
}

static void end_publishing(struct redis *redis, const char *reason)
{
    set_side(redis, &redis->publishing, false, reason);
    pthread_mutex_lock(&redis->lock);
    while (redis->first) drop_items(redis, take_batch(redis));
    pthread_mutex_unlock(&redis->lock);
}

/* True: the end has come. */
static bool pause_publisher(struct redis *redis, unsigned tries)
{
    int64_t until_us = clock_mono_us() + backoff_us(tries);
    struct timespec until = {.tv_sec = until_us / S, .tv_nsec = until_us % S * 1000};
    int failed = 0;
    pthread_mutex_lock(&redis->lock);
    while (!redis->stopping && failed != ETIMEDOUT) {
        failed = pthread_cond_timedwait(&redis->wake, &redis->lock, &until);
    }
    bool stopping = redis->stopping;
    pthread_mutex_unlock(&redis->lock);
    return stopping;
}

static void *publisher_main(void *ctx)
{
    struct redis *redis = ctx;
    log_context("broker=publisher");
    for (unsigned tries = 0;; tries++) {
        struct why why = {0};
        redisContext *c = connect_once(redis, &why);
        if (c) {
            tries = 0;
            begin_publishing(redis);
            bool ended = publish_all(redis, c, &why);
            redisFree(c);
            if (ended) return NULL;
        }
        end_publishing(redis, why.text);
        if (pause_publisher(redis, tries)) return NULL;
    }
}

/* --- the listener --- */

static void ask_publisher(struct redis *redis, bool *owes)
{
    pthread_mutex_lock(&redis->lock);
    *owes = true;
    pthread_cond_signal(&redis->wake);
    pthread_mutex_unlock(&redis->lock);
}

static void plan_resync(struct redis *redis)
{
    if (redis->resync_us == 0) redis->resync_us = clock_mono_us() + RESYNC_PAUSE_MS * MS;
}

static void take_wire(struct redis *redis, const struct wire *wire)
{
    int64_t now_us = clock_mono_us();
    switch (wire->kind) {
    case WIRE_EVENT: hub_deliver(redis->hub, wire_event(&redis->arena, wire)); break;
    case WIRE_NOTICE: hub_deliver_notice(redis->hub, &wire->notice); break;
    case WIRE_PRESENT:
        peers_change(redis->peers, wire->from, wire->users[0], wire->here, now_us);
        break;
    case WIRE_HERE: peers_set(redis->peers, wire->from, wire->users, wire->count, now_us); break;
    case WIRE_RESYNC:
        plan_resync(redis);
        ask_publisher(redis, &redis->owes_here);
        break;
    case WIRE_KINDS: break; /* a count, no kind */
    }
}

static void take_text(struct redis *redis, struct str text)
{
    struct wire wire;
    struct why why;
    if (str_starts(text, str_of(redis->own_start))) return;
    enum err err = wire_read(&redis->arena, text, &wire, &why);
    if (!err && !str_eq(str_of(wire.from), str_of(redis->id))) {
        atomic_fetch_add_explicit(&stats(redis)->broker_received, 1, memory_order_relaxed);
        take_wire(redis, &wire);
    } else if (err == ERR_INVALID) {
        atomic_fetch_add(&stats(redis)->broker_dropped, 1);
        log_debug("broker.nonsense", "bytes=%zu reason=\"%s\"", text.len, why.text);
    }
    arena_reset(&redis->arena);
}

/* ["message", CHANNEL, TEXT]; anything else is an answer to us. */
static void take_reply(struct redis *redis, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return;
    const redisReply *kind = reply->element[0], *text = reply->element[2];
    if (kind->type != REDIS_REPLY_STRING || text->type != REDIS_REPLY_STRING) return;
    if (!str_eq((struct str){kind->str, (size_t)kind->len}, STR("message"))) return;
    take_text(redis, (struct str){text->str, (size_t)text->len});
}

static bool take_all(struct redis *redis, redisContext *c)
{
    if (redisBufferRead(c) != REDIS_OK) return false;
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(c, &reply) != REDIS_OK) return false;
        if (reply == NULL) return true;
        take_reply(redis, reply);
        freeReplyObject(reply);
    }
}

static bool send_ping(redisContext *c)
{
    int done = 0;
    if (redisAppendCommand(c, "PING") != REDIS_OK) return false;
    while (!done) {
        if (redisBufferWrite(c, &done) != REDIS_OK) return false;
    }
    return true;
}

/* What is due by the clock, with or without a connection. */
static void tick(struct redis *redis, int64_t now_us)
{
    peers_expire(redis->peers, now_us);
    if (redis->resync_us == 0 || now_us < redis->resync_us) return;
    redis->resync_us = 0;
    hub_resync(redis->hub);
}

/* True: the end has come. `c` may be NULL. */
static bool wait_to_hear(struct redis *redis, redisContext *c, int64_t until_us, bool *heard_out)
{
    int64_t now_us = clock_mono_us();
    if (redis->resync_us) until_us = MIN(until_us, redis->resync_us);
    int timeout_ms = (int)(MAX(until_us - now_us, 0) / MS + 1);
    struct pollfd fds[2] = {{.fd = redis->stop_fd, .events = POLLIN},
                            {.fd = c ? c->fd : -1, .events = POLLIN}};
    int count = poll(fds, COUNT_OF(fds), MIN(timeout_ms, TICK_MS));
    *heard_out = count > 0 && fds[1].revents != 0;
    tick(redis, clock_mono_us());
    return count > 0 && fds[0].revents != 0;
}

/* Until the connection breaks (false) or the end has come. */
static bool listen_on(struct redis *redis, redisContext *c, struct why *why)
{
    int64_t heard_us = clock_mono_us(), ping_us = heard_us + PING_S * S;
    for (;;) {
        bool heard;
        if (wait_to_hear(redis, c, ping_us, &heard)) return true;
        int64_t now_us = clock_mono_us();
        bool right = true;
        if (heard) {
            right = take_all(redis, c);
            heard_us = now_us;
        }
        if (right && now_us >= ping_us) {
            right = send_ping(c);
            ping_us = now_us + PING_S * S;
        }
        if (!right || now_us - heard_us > SILENCE_S * S) {
            why_write(why, "%s", right ? "silence" : c->errstr);
            return false;
        }
    }
}

static bool subscribe(struct redis *redis, redisContext *c, struct why *why)
{
    if (!is_right(c, redisCommand(c, "SUBSCRIBE %s", redis->channel), why)) return false;
    set_side(redis, &redis->listening, true, "");
    /* What was said before is lost: here, look into the log; others, say who is there. */
    plan_resync(redis);
    ask_publisher(redis, &redis->owes_resync);
    return true;
}

static bool pause_listener(struct redis *redis, unsigned tries)
{
    int64_t until_us = clock_mono_us() + backoff_us(tries);
    while (clock_mono_us() < until_us) {
        bool heard;
        if (wait_to_hear(redis, NULL, until_us, &heard)) return true;
    }
    return false;
}

static void *listener_main(void *ctx)
{
    struct redis *redis = ctx;
    bool ended = false;
    log_context("broker=listener");
    for (unsigned tries = 0; !ended; tries++) {
        struct why why = {0};
        redisContext *c = connect_once(redis, &why);
        if (c && subscribe(redis, c, &why)) {
            tries = 0;
            ended = listen_on(redis, c, &why);
        }
        if (c) redisFree(c);
        if (ended) break;
        set_side(redis, &redis->listening, false, why.text);
        ended = pause_listener(redis, tries);
    }
    return NULL;
}

/* --- life --- */

static void name_ourselves(struct redis *redis)
{
    uint64_t id = random_u64();
    hex_write(redis->id, &id, sizeof(id));
    snprintf(redis->channel, sizeof(redis->channel), "hutong:%d:events", redis->url.number);
    snprintf(redis->own_start, sizeof(redis->own_start), "{\"v\":1,\"from\":\"%s\"", redis->id);
}

static void end_listener(struct redis *redis)
{
    uint64_t one = 1;
    ASSERT(write(redis->stop_fd, &one, sizeof(one)) == sizeof(one));
    pthread_join(redis->listener, NULL);
}

enum err redis_open(struct str url, struct hub *hub, struct redis **redis_out, struct why *why)
{
    struct redis *redis = NEW(struct redis);
    enum err err = redis_url_parse(url, &redis->url, why);
    if (err) {
        mem_free(redis);
        return err;
    }
    redis->hub = hub;
    redis->end = &redis->first;
    redis->peers = peers_new(hub);
    name_ourselves(redis);
    pthread_mutex_init(&redis->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&redis->wake, &attr);
    pthread_condattr_destroy(&attr);
    redis->stop_fd = eventfd(0, EFD_CLOEXEC);
    int failed = redis->stop_fd < 0 ? errno : 0;
    if (!failed) failed = pthread_create(&redis->listener, NULL, listener_main, redis);
    if (!failed) {
        failed = pthread_create(&redis->publisher, NULL, publisher_main, redis);
        if (failed) end_listener(redis);
    }
    if (failed) {
        peers_free(redis->peers);
        redis_free(redis);
        return why_set(why, ERR_IO, "cannot start the broker: %s", strerror(failed));
    }
    hub_set_broker(hub, &(struct hub_broker){.ctx = redis,
                                             .publish = broker_publish,
                                             .notify = broker_notify,
                                             .present = broker_present});
    *redis_out = redis;
    return OK;
}

void redis_close(struct redis *redis)
{
    if (redis == NULL) return;
    pthread_mutex_lock(&redis->lock);
    redis->stopping = true;
    pthread_cond_signal(&redis->wake);
    pthread_mutex_unlock(&redis->lock);
    pthread_join(redis->publisher, NULL);
    end_listener(redis);
    pthread_mutex_lock(&redis->lock);
    redis->publishing = false;
    pthread_mutex_unlock(&redis->lock);
    peers_free(redis->peers); /* tells the loops, which still run */
}

void redis_free(struct redis *redis)
{
    if (redis == NULL) return;
    drop_items(redis, redis->first);
    arena_release(&redis->arena);
    if (redis->stop_fd >= 0) close(redis->stop_fd);
    pthread_cond_destroy(&redis->wake);
    pthread_mutex_destroy(&redis->lock);
    mem_free(redis);
}
