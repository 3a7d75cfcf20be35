/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/hub.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/ws_codec.h"

enum { LOOPS_MAX = 256, EARLY_MAX = 1024 };

static const int64_t GAP_PATIENCE_US = 2 * 1000000;

/* Lives on one loop. */
struct topic {
    struct topic_name name; /* also the key in the map */
    struct list subscriptions;
    bool counting;     /* `head` is known: what comes past the next number is early */
    uint64_t head;     /* newest number delivered */
    struct list early; /* of struct early, by number */
    size_t early_count;
    struct deadline patience; /* set while something is early */
    struct hub_loop *hub_loop;
};

/* A number that came before the one before it. */
struct early {
    struct list link;
    struct event *event; /* owned */
};

struct present {
    struct user_id user; /* also the key */
    int sockets;         /* here */
    int elsewhere;       /* other instances where there are some */
};

struct hub_loop {
    struct hub *hub;
    struct loop *loop;
    hub_noticed *noticed;
    void *ctx;
    struct map topics; /* of struct topic, owned */
};

struct hub {
    struct hub_loop *loops[LOOPS_MAX];
    atomic_size_t loop_count;
    pthread_mutex_t presence_lock;
    struct map presence; /* of struct present, owned; under the lock */
    size_t present_here; /* under the lock */
    struct hub_broker broker;
    struct hub_stats stats;
};

/* --- names --- */

static struct topic_name topic_numbered(const char *kind, uint64_t id)
{
    struct topic_name name;
    snprintf(name.text, sizeof(name.text), "%s:%llu", kind, (unsigned long long)id);
    return name;
}

struct topic_name topic_feed(void)
{
    return (struct topic_name){"feed"};
}

struct topic_name topic_user(struct user_id id)
{
    return topic_numbered("user", id.value);
}

struct topic_name topic_group(struct group_id id)
{
    return topic_numbered("group", id.value);
}

struct topic_name topic_post(struct post_id id)
{
    return topic_numbered("post", id.value);
}

struct topic_name topic_chat(uint64_t id)
{
    return topic_numbered("chat", id);
}

struct topic_name topic_presence(struct user_id id)
{
    return topic_numbered("presence", id.value);
}

struct str topic_public_name(const struct topic_name *name)
{
    struct str text = str_of(name->text);
    return str_starts(text, STR("user:")) ? STR("me") : text;
}

/* --- events --- */

enum { EVENT_HEAD_BYTES = 128 };

/* {"type":"event","topic":"feed","id":12, and behind it `payload` without its first brace. */
static size_t write_event_head(char to[EVENT_HEAD_BYTES], const struct topic_name *topic,
                               uint64_t seq)
{
    struct str name = topic_public_name(topic);
    int len =
        snprintf(to, EVENT_HEAD_BYTES, "{\"type\":\"event\",\"topic\":\"%.*s\",", STR_ARGS(name));
    if (seq > 0) {
        len += snprintf(to + len, EVENT_HEAD_BYTES - (size_t)len, "\"id\":%llu,",
                        (unsigned long long)seq);
    }
    return (size_t)len;
}

struct str event_text(struct arena *arena, const struct topic_name *topic, uint64_t seq,
                      struct str payload)
{
    char head[EVENT_HEAD_BYTES];
    size_t len = write_event_head(head, topic, seq);
    char *text = arena_alloc(arena, len + payload.len);
    memcpy(text, head, len);
    memcpy(text + len, payload.at + 1, payload.len - 1);
    return (struct str){text, len + payload.len - 1};
}

static struct blob *build_frame(const struct topic_name *topic, uint64_t seq, struct str payload,
                                struct str *text_out)
{
    char head[EVENT_HEAD_BYTES], ws[WS_HEAD_BYTES];
    size_t len = write_event_head(head, topic, seq);
    size_t total = len + payload.len - 1, ws_len = ws_head(ws, WS_TEXT, total);
    struct blob *frame = blob_new(ws_len + total);
    memcpy(frame->at, ws, ws_len);
    memcpy(frame->at + ws_len, head, len);
    memcpy(frame->at + ws_len + len, payload.at + 1, payload.len - 1);
    *text_out = (struct str){frame->at + ws_len, total};
    return frame;
}

/* The name of the event inside {"event":"NAME",…}. */
static struct str kind_of(struct str payload)
{
    struct str rest = str_from(payload, sizeof("{\"event\":\"") - 1);
    return str_head(rest, str_find_byte(rest, '"'));
}

struct event *event_new(const struct topic_name *topic, uint64_t seq, struct str payload,
                        struct str legacy)
{
    ASSERT(str_starts(payload, STR("{\"event\":\"")));
    struct event *event = NEW(struct event);
    atomic_init(&event->refs, 1);
    event->topic = *topic;
    event->seq = seq;
    event->payload = blob_copy(payload);
    event->kind = kind_of(blob_str(event->payload));
    event->frame = build_frame(topic, seq, payload, &event->text);
    event->legacy = legacy.len > 0 ? ws_frame_text(legacy) : NULL;
    return event;
}

struct event *event_ref(struct event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
    return event;
}

void event_unref(struct event *event)
{
    if (event == NULL) return;
    if (atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) != 1) return;
    blob_unref(event->payload);
    blob_unref(event->frame);
    blob_unref(event->legacy);
    mem_free(event);
}

/* --- delivering, on a loop --- */

static void deliver(struct topic *topic, struct event *event)
{
    struct hub_stats *stats = &topic->hub_loop->hub->stats;
    topic->head = MAX(topic->head, event->seq);
    unsigned long long count = 0;
    for (struct list *at = topic->subscriptions.next, *next; at != &topic->subscriptions;
         at = next) {
        next = at->next; /* a reader may leave while it is told */
        struct subscription *subscription = CONTAINER_OF(at, struct subscription, link);
        if (subscription->paused) continue;
        if (event->seq > 0) {
            if (event->seq <= subscription->position) continue;
            subscription->position = event->seq;
        }
        subscription->deliver(subscription, event);
        count++;
    }
    atomic_fetch_add_explicit(&stats->delivered, count, memory_order_relaxed);
}

static void keep_early(struct topic *topic, struct event *event)
{
    struct early *early = NEW(struct early);
    early->event = event_ref(event);
    list_init(&early->link);
    struct list *at = topic->early.prev;
    while (at != &topic->early && CONTAINER_OF(at, struct early, link)->event->seq > event->seq) {
        at = at->prev;
    }
    list_add_last(at->next, &early->link); /* behind `at` */
    topic->early_count++;
    if (topic->patience.at_us == 0) {
        struct loop *loop = topic->hub_loop->loop;
        deadline_set(loop, &topic->patience, loop_now_us(loop) + GAP_PATIENCE_US);
    }
}

/* Deliver what was early and is next now; drop what was overtaken. */
static void deliver_early(struct topic *topic)
{
    while (!list_is_empty(&topic->early)) {
        struct early *early = CONTAINER_OF(topic->early.next, struct early, link);
        if (early->event->seq > topic->head + 1) return;
        list_remove(&early->link);
        topic->early_count--;
        if (early->event->seq == topic->head + 1) deliver(topic, early->event);
        event_unref(early->event);
        mem_free(early);
    }
    topic->patience.at_us = 0;
}

/* Gives the last number among them, or 0. */
static uint64_t drop_early(struct topic *topic)
{
    uint64_t last = 0;
    for (struct list *link; (link = list_take_first(&topic->early)) != NULL;) {
        struct early *early = CONTAINER_OF(link, struct early, link);
        last = early->event->seq;
        event_unref(early->event);
        mem_free(early);
    }
    topic->early_count = 0;
    topic->patience.at_us = 0;
    return last;
}

/* Numbers are missing for good: the readers look into the log themselves. */
static void give_up_waiting(struct topic *topic)
{
    atomic_fetch_add(&topic->hub_loop->hub->stats.gaps, 1);
    topic->head = MAX(topic->head, drop_early(topic));
    for (struct list *at = topic->subscriptions.next, *next; at != &topic->subscriptions;
         at = next) {
        next = at->next;
        struct subscription *subscription = CONTAINER_OF(at, struct subscription, link);
        if (!subscription->paused) subscription->gap(subscription);
    }
}

static void on_patience_over(struct deadline *deadline)
{
    give_up_waiting(CONTAINER_OF(deadline, struct topic, patience));
}

static void arrive(struct hub_loop *hub_loop, struct event *event)
{
    struct topic *topic = map_find(&hub_loop->topics, str_of(event->topic.text));
    if (topic == NULL) return;
    if (event->seq <= topic->head + 1 || !topic->counting) {
        if (event->seq > 0) topic->counting = true;
        deliver(topic, event);
        if (!list_is_empty(&topic->early)) deliver_early(topic);
    } else {
        keep_early(topic, event);
        if (topic->early_count > EARLY_MAX) give_up_waiting(topic);
    }
}

/*
 * Something may be missing that nobody will bring any more. Which number comes
 * next is not known until a reader has looked into the log, as when the topic
 * was new here; what was early is in the log too.
 */
static void resync_topic(struct topic *topic)
{
    drop_early(topic);
    topic->head = 0;
    topic->counting = false;
    for (struct list *at = topic->subscriptions.next, *next; at != &topic->subscriptions;
         at = next) {
        next = at->next;
        struct subscription *subscription = CONTAINER_OF(at, struct subscription, link);
        subscription->gap(subscription);
    }
}

/* By name, since a reader that is told may leave and take topics away. */
static void resync_loop(struct hub_loop *hub_loop)
{
    size_t count = 0, at = 0;
    struct topic_name *names = mem_alloc(hub_loop->topics.count * sizeof(*names));
    for (struct topic *topic; (topic = map_next(&hub_loop->topics, &at)) != NULL;) {
        /* Who is there is not in the log; the broker tells it anew. */
        if (!str_starts(str_of(topic->name.text), STR("presence:"))) names[count++] = topic->name;
    }
    for (size_t i = 0; i < count; i++) {
        struct topic *topic = map_find(&hub_loop->topics, str_of(names[i].text));
        if (topic) resync_topic(topic);
    }
    mem_free(names);
}

/* --- between threads --- */

/* Carries events, a notice, or the word that something was lost, to one loop. */
struct parcel {
    struct task task;
    struct hub_loop *to;
    enum { PARCEL_EVENTS, PARCEL_NOTICE, PARCEL_RESYNC } what;
    struct hub_notice notice;
    size_t count;
    struct event *events[]; /* references owned */
};

static void open_parcel(struct task *task)
{
    struct parcel *parcel = CONTAINER_OF(task, struct parcel, task);
    if (parcel->what == PARCEL_NOTICE) parcel->to->noticed(parcel->to->ctx, &parcel->notice);
    if (parcel->what == PARCEL_RESYNC) resync_loop(parcel->to);
    for (size_t i = 0; i < parcel->count; i++) {
        arrive(parcel->to, parcel->events[i]);
        event_unref(parcel->events[i]);
    }
    mem_free(parcel);
}

static size_t loop_count(struct hub *hub)
{
    return atomic_load_explicit(&hub->loop_count, memory_order_acquire);
}

static struct parcel *parcel_new(struct hub_loop *to, size_t count)
{
    struct parcel *parcel = mem_alloc(sizeof(*parcel) + count * sizeof(struct event *));
    parcel->task.run = open_parcel;
    parcel->to = to;
    parcel->count = count;
    return parcel;
}

static void deliver_here(struct hub *hub, struct event **events, size_t count)
{
    size_t loops = loop_count(hub);
    for (size_t i = 0; i < loops; i++) {
        struct parcel *parcel = parcel_new(hub->loops[i], count);
        for (size_t e = 0; e < count; e++) parcel->events[e] = event_ref(events[e]);
        loop_post(parcel->to->loop, &parcel->task);
    }
    for (size_t e = 0; e < count; e++) event_unref(events[e]);
}

void hub_publish(struct hub *hub, struct event **events, size_t count)
{
    atomic_fetch_add_explicit(&hub->stats.published, count, memory_order_relaxed);
    if (hub->broker.publish) hub->broker.publish(hub->broker.ctx, events, count);
    deliver_here(hub, events, count);
}

void hub_deliver(struct hub *hub, struct event *event)
{
    deliver_here(hub, &event, 1);
}

void hub_notify(struct hub *hub, const struct hub_notice *notice)
{
    if (hub->broker.notify) hub->broker.notify(hub->broker.ctx, notice);
    hub_deliver_notice(hub, notice);
}

bool hub_has_others(const struct hub *hub)
{
    return hub->broker.notify != NULL;
}

void hub_deliver_notice(struct hub *hub, const struct hub_notice *notice)
{
    size_t loops = loop_count(hub);
    for (size_t i = 0; i < loops; i++) {
        struct parcel *parcel = parcel_new(hub->loops[i], 0);
        parcel->what = PARCEL_NOTICE;
        parcel->notice = *notice;
        loop_post(parcel->to->loop, &parcel->task);
    }
}

void hub_resync(struct hub *hub)
{
    size_t loops = loop_count(hub);
    atomic_fetch_add_explicit(&hub->stats.resyncs, 1, memory_order_relaxed);
    for (size_t i = 0; i < loops; i++) {
        struct parcel *parcel = parcel_new(hub->loops[i], 0);
        parcel->what = PARCEL_RESYNC;
        loop_post(parcel->to->loop, &parcel->task);
    }
}

/* --- subscriptions --- */

static struct topic *topic_open(struct hub_loop *hub_loop, const struct topic_name *name)
{
    struct topic *topic = map_find(&hub_loop->topics, str_of(name->text));
    if (topic) return topic;
    topic = NEW(struct topic);
    topic->name = *name;
    topic->hub_loop = hub_loop;
    list_init(&topic->subscriptions);
    list_init(&topic->early);
    list_init(&topic->patience.link);
    topic->patience.fired = on_patience_over;
    map_add(&hub_loop->topics, str_of(topic->name.text), topic);
    return topic;
}

static void topic_close(struct topic *topic)
{
    map_remove(&topic->hub_loop->topics, str_of(topic->name.text));
    deadline_clear(&topic->patience);
    drop_early(topic);
    mem_free(topic);
}

void hub_subscribe(struct hub_loop *hub_loop, struct subscription *subscription,
                   const struct topic_name *name)
{
    ASSERT(subscription->topic == NULL);
    subscription->topic = topic_open(hub_loop, name);
    list_init(&subscription->link);
    list_add_last(&subscription->topic->subscriptions, &subscription->link);
}

void hub_unsubscribe(struct hub_loop *hub_loop, struct subscription *subscription)
{
    struct topic *topic = subscription->topic;
    if (topic == NULL) return;
    ASSERT(topic->hub_loop == hub_loop);
    list_remove(&subscription->link);
    subscription->topic = NULL;
    if (list_is_empty(&topic->subscriptions)) topic_close(topic);
}

const struct topic_name *subscription_topic(const struct subscription *subscription)
{
    return &subscription->topic->name;
}

uint64_t subscription_head(const struct subscription *subscription)
{
    return subscription->topic->head;
}

void hub_caught_up(struct subscription *subscription, uint64_t seq)
{
    struct topic *topic = subscription->topic;
    /* A loop that follows the topic already goes on counting for its other readers. */
    if (topic->counting) return;
    topic->counting = true;
    topic->head = seq;
}

/* --- life cycle --- */

struct hub *hub_new(void)
{
    struct hub *hub = NEW(struct hub);
    pthread_mutex_init(&hub->presence_lock, NULL);
    return hub;
}

void hub_set_broker(struct hub *hub, const struct hub_broker *broker)
{
    hub->broker = *broker;
}

void hub_free(struct hub *hub)
{
    if (hub == NULL) return;
    size_t at = 0;
    for (struct present *p; (p = map_next(&hub->presence, &at)) != NULL;) mem_free(p);
    map_release(&hub->presence);
    pthread_mutex_destroy(&hub->presence_lock);
    mem_free(hub);
}

struct hub_loop *hub_loop_open(struct hub *hub, struct loop *loop, hub_noticed *noticed, void *ctx)
{
    struct hub_loop *hub_loop = NEW(struct hub_loop);
    *hub_loop = (struct hub_loop){.hub = hub, .loop = loop, .noticed = noticed, .ctx = ctx};
    size_t count = atomic_load(&hub->loop_count);
    ASSERT(count < LOOPS_MAX);
    hub->loops[count] = hub_loop;
    atomic_store_explicit(&hub->loop_count, count + 1, memory_order_release);
    return hub_loop;
}

void hub_loop_close(struct hub_loop *hub_loop)
{
    if (hub_loop == NULL) return;
    ASSERT(hub_loop->topics.count == 0);
    map_release(&hub_loop->topics);
    mem_free(hub_loop);
}

/* --- presence --- */

/* To the readers here: other instances learn it from the broker and tell their own. */
static void tell_presence(struct hub *hub, struct user_id user, bool online)
{
    char text[128];
    int len = snprintf(text, sizeof(text),
                       "{\"event\":\"presence\",\"data\":{\"user_id\":%llu,\"online\":%s}}",
                       (unsigned long long)user.value, online ? "true" : "false");
    struct topic_name topic = topic_presence(user);
    hub_deliver(hub, event_new(&topic, 0, (struct str){text, (size_t)len}, STR("")));
}

/* Under the lock. */
static struct present *find_or_add(struct hub *hub, struct user_id user)
{
    struct present *present = map_find(&hub->presence, MAP_KEY(&user.value));
    if (present) return present;
    present = NEW(struct present);
    present->user = user;
    map_add(&hub->presence, MAP_KEY(&present->user.value), present);
    return present;
}

/* Under the lock. */
static void count_here(struct hub *hub, struct user_id user, bool here)
{
    hub->present_here += here ? 1 : (size_t)-1;
    atomic_store(&hub->stats.present, hub->present_here);
    if (hub->broker.present) hub->broker.present(hub->broker.ctx, user, here);
}

static void change_presence(struct hub *hub, struct user_id user, int sockets, int elsewhere)
{
    pthread_mutex_lock(&hub->presence_lock);
    struct present *present = find_or_add(hub, user);
    bool was_here = present->sockets > 0, was = was_here || present->elsewhere > 0;
    present->sockets += sockets;
    present->elsewhere += elsewhere;
    ASSERT(present->sockets >= 0 && present->elsewhere >= 0);
    bool is_here = present->sockets > 0, is = is_here || present->elsewhere > 0;
    if (was_here != is_here) count_here(hub, user, is_here);
    if (!is) {
        map_remove(&hub->presence, MAP_KEY(&user.value));
        mem_free(present);
    }
    /* Told under the lock: the word that a member went must not overtake the one that they came. */
    if (was != is) tell_presence(hub, user, is);
    pthread_mutex_unlock(&hub->presence_lock);
}

void hub_present(struct hub *hub, struct user_id user, int by)
{
    change_presence(hub, user, by, 0);
}

void hub_present_elsewhere(struct hub *hub, struct user_id user, int by)
{
    change_presence(hub, user, 0, by);
}

void hub_tell_present(struct hub *hub,
                      void (*tell)(void *ctx, const struct user_id *users, size_t count), void *ctx)
{
    pthread_mutex_lock(&hub->presence_lock);
    struct user_id *users = mem_alloc(hub->presence.count * sizeof(*users));
    size_t count = 0, at = 0;
    for (struct present *p; (p = map_next(&hub->presence, &at)) != NULL;) {
        if (p->sockets > 0) users[count++] = p->user;
    }
    tell(ctx, users, count);
    pthread_mutex_unlock(&hub->presence_lock);
    mem_free(users);
}

bool hub_is_present(struct hub *hub, struct user_id user)
{
    pthread_mutex_lock(&hub->presence_lock);
    bool is = map_find(&hub->presence, MAP_KEY(&user.value)) != NULL;
    pthread_mutex_unlock(&hub->presence_lock);
    return is;
}

struct hub_stats *hub_stats(struct hub *hub)
{
    return &hub->stats;
}
