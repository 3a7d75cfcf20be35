/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/live_topics.c: what a live connection hears, and catching up.
 *
 * Subscribing goes: join the topic in the hub but paused; read the log (here,
 * or on a worker where the database is another server); send what was missed;
 * go live from the number the log was read up to. If the loop has delivered
 * more than that by then, read again from there. So nothing is missed and
 * nothing comes twice, whichever of the two was quicker.
 *
 * The log is read in pieces, and the next one only when the reader has taken
 * half of what may wait for it: what was missed may be more than a reader's
 * queue holds, and one that is closed for being slow while it catches up would
 * come back and be closed for ever.
 *
 * Questions are answered in their order, so the log is looked into for one of a
 * connection at a time: workers would bring the answers in any order, and three
 * hundred topics of one member would keep all of them from everybody else.
 */
#include "api/live_internal.h"

#include "base/mem.h"
#include "store/chats.h"
#include "store/events.h"
#include "store/groups.h"
#include "store/sessions.h"

/* A look into the log, on the loop or on a worker. Given away while it reads. */
struct catch_up {
    struct job job;
    struct task back;
    struct live_sub *sub; /* NULL: the subscription has gone meanwhile. Only on the loop */
    struct api *api;
    struct api_loop *home;
    struct topic_name name;
    struct user_id reader;
    uint64_t after;
    bool resume; /* `after` counts */
    bool quiet;  /* not the first look: no answer to send */
    bool again;  /* something may have been lost since it began. Only on the loop */
    uint64_t session;
    /* Found: */
    struct arena arena;
    enum err err;
    struct why why;
    struct topic_state topic;
    bool reload, more;                   /* more: the log goes on behind `missed` */
    struct missed *missed, **missed_end; /* in `arena` */
    size_t count;
};

struct missed {
    struct missed *next;
    uint64_t seq;
    struct str text;
};

/* --- names --- */

static bool parse_numbered(struct str text, const char *kind, struct topic_name *name_out)
{
    struct str prefix = str_of(kind);
    uint64_t id;
    if (!str_starts(text, prefix) || !str_to_u64(str_from(text, prefix.len), &id) || id == 0 ||
        id > INT64_MAX) {
        return false;
    }
    snprintf(name_out->text, sizeof(name_out->text), "%s%llu", kind, (unsigned long long)id);
    return true;
}

bool live_topic_parse(const struct live *live, struct str text, struct topic_name *name_out)
{
    if (str_eq(text, STR("feed"))) {
        *name_out = topic_feed();
        return true;
    }
    if (str_eq(text, STR("me"))) {
        *name_out = topic_user(live->who.user);
        return true;
    }
    return parse_numbered(text, "group:", name_out) || parse_numbered(text, "post:", name_out) ||
           parse_numbered(text, "chat:", name_out) || parse_numbered(text, "town:", name_out);
}

/* --- reading the log --- */

static void keep_missed(void *ctx, uint64_t seq, struct str payload)
{
    struct catch_up *look = ctx;
    struct missed *missed = ARENA_NEW(&look->arena, struct missed);
    missed->seq = seq;
    look->more = ++look->count == LIVE_REPLAY_PIECE;
    missed->text = event_text(&look->arena, &look->name, seq, payload);
    *look->missed_end = missed;
    look->missed_end = &missed->next;
}

/* The number in "group:7", when it is one of that kind. */
static bool is_numbered(const struct topic_name *name, const char *kind, uint64_t *id_out)
{
    struct str text = str_of(name->text), prefix = str_of(kind);
    return str_starts(text, prefix) && str_to_u64(str_from(text, prefix.len), id_out);
}

static enum err check_member(struct catch_up *look, struct db *db, struct group_id group,
                             struct why *why)
{
    bool member;
    enum err err = groups_is_member(db, group, look->reader, &member, why);
    if (err || member) return err;
    return why_set(why, ERR_DENIED, "no such group, or you are not in it");
}

static enum err check_owner(struct catch_up *look, struct db *db, uint64_t id, struct why *why)
{
    struct chat chat;
    enum err err = chats_load(db, &look->arena, look->reader, id, &chat, why);
    if (err != ERR_NOT_FOUND) return err;
    return why_set(why, ERR_DENIED, "no such conversation, or it is not yours");
}

static enum err check_right(struct catch_up *look, struct db *db, struct why *why)
{
    uint64_t id;
    if (is_numbered(&look->name, "group:", &id)) {
        return check_member(look, db, (struct group_id){id}, why);
    }
    if (is_numbered(&look->name, "chat:", &id)) return check_owner(look, db, id, why);
    return OK;
}

/* Between instances the notice of a log-out can be lost; whoever looks again notices it here. */
static enum err check_session(struct catch_up *look, struct db *db, struct why *why)
{
    struct session session;
    if (look->session == 0) return OK;
    enum err err = sessions_load_state(db, (struct session_id){look->session}, &session, why);
    bool gone = err == ERR_NOT_FOUND || (!err && session.revoked);
    return gone ? why_set(why, ERR_UNKNOWN_CALLER, "signed out") : err;
}

static enum err read_log(struct catch_up *look, struct db *db, struct why *why)
{
    enum err err = look->quiet ? check_session(look, db, why) : OK;
    if (!err) err = check_right(look, db, why);
    if (!err) err = topics_load(db, str_of(look->name.text), &look->topic, why);
    if (err || !look->resume) return err;
    bool known = look->after >= look->topic.tail && look->after <= look->topic.head;
    if (!known || look->topic.head - look->after > LIVE_REPLAY_MAX) {
        look->reload = true;
        return OK;
    }
    return events_after(db, look->topic.id, look->after, LIVE_REPLAY_PIECE, keep_missed, look, why);
}

/* One snapshot, so that the number and the events belong together. */
static void look_into_log(struct catch_up *look, struct db *db)
{
    look->err = db_begin_snapshot(db, &look->why);
    if (look->err) return;
    look->err = read_log(look, db, &look->why);
    db_rollback(db);
}

static void free_look(struct catch_up *look)
{
    arena_release(&look->arena);
    mem_free(look);
}

static void start_look(struct live_sub *sub, bool resume, uint64_t after, bool quiet);

static void answer_one(struct live *live, struct live_sub *sub)
{
    live->answered = sub;
    start_look(sub, sub->placed, sub->sub.position, false);
}

/* Where the log is read on the spot this goes round once for each question, or until a reader
 * has to take some first. */
static void answer_next(struct live *live)
{
    if (live->answering) return; /* further up */
    live->answering = true;
    while (live->answered == NULL) {
        struct list *link = list_take_first(&live->asked);
        if (link == NULL) break;
        answer_one(live, CONTAINER_OF(link, struct live_sub, ask));
    }
    live->answering = false;
}

/* `sub` has got its answer, or wants none any more. */
static void end_answer(struct live *live, const struct live_sub *sub)
{
    if (live->answered != sub) return;
    live->answered = NULL;
    answer_next(live);
}

void live_stop_answers(struct live *live)
{
    live->answering = true;
}

/* It may be the end of `sub`. */
static void look_failed(struct catch_up *look, struct live_sub *sub)
{
    struct live *live = sub->live;
    if (look->err == ERR_UNKNOWN_CALLER) {
        live_sign_out_soon(live);
    } else if (live->kind != LIVE_LEGACY) {
        live_send_error(live, look->err == ERR_DENIED ? look->why.text : "try again in a moment",
                        topic_public_name(&look->name));
        live_unsubscribe(sub);
    }
}

/* False when that was not all of it: the reader must take some first, or the log goes on. */
static bool send_missed(struct live_sub *sub, const struct catch_up *look)
{
    struct live *live = sub->live;
    size_t enough = (size_t)live->home->api->settings->live_queue_bytes / 2;
    for (const struct missed *m = look->missed; m; m = m->next) {
        sub->sub.position = m->seq;
        if (sub->hearing) chat_hear_news(sub->hearing);
        live_send_text(live, m->text);
        if (m->next && live_waiting(live) > enough) return false;
    }
    return !look->more;
}

static void read_on_later(struct live_sub *sub, struct catch_up *look)
{
    bool quiet = look->quiet;
    uint64_t at = sub->sub.position;
    free_look(look);
    if (live_waiting(sub->live) > 0) {
        sub->behind = true;
        sub->quiet = quiet;
    } else {
        start_look(sub, true, at, quiet);
    }
}

void live_go_on(struct live *live)
{
    for (struct list *at = live->subscriptions.next, *next; at != &live->subscriptions; at = next) {
        next = at->next;
        struct live_sub *sub = CONTAINER_OF(at, struct live_sub, link);
        if (!sub->behind) continue;
        sub->behind = false;
        start_look(sub, true, sub->sub.position, sub->quiet);
    }
}

static void on_piece(void *ctx, struct str text)
{
    const struct live_sub *sub = ctx;
    live_send_text(sub->live, text);
}

/* What is written in a conversation right now, of which the log knows the questions only. */
static void hear_answers(struct live_sub *sub)
{
    uint64_t chat;
    if (sub->hearing == NULL && is_numbered(subscription_topic(&sub->sub), "chat:", &chat)) {
        sub->hearing = chat_hear(sub->live->home, chat, on_piece, sub);
    }
    if (sub->hearing) chat_hear_new(sub->hearing);
}

/* Back on the loop. */
static void finish_look(struct catch_up *look)
{
    struct live_sub *sub = look->sub;
    if (sub) sub->catch_up = NULL;
    if (sub && look->err) look_failed(look, sub);
    /* Old clients have no way to catch up: for them it was about the session alone. */
    if (sub == NULL || look->err || sub->live->kind == LIVE_LEGACY) {
        free_look(look);
        return;
    }
    struct live *live = sub->live;
    if (!send_missed(sub, look)) {
        read_on_later(sub, look);
        return;
    }
    bool again = look->again;
    uint64_t head = look->topic.head;
    sub->sub.position = head;
    sub->placed = true;
    if (look->reload) {
        live_send_topic(live, "reload", &look->name, head);
    } else if (!look->quiet) {
        live_send_topic(live, "subscribed", &look->name, head);
    }
    free_look(look);
    end_answer(live, sub);
    hub_caught_up(&sub->sub, head);
    if (again || subscription_head(&sub->sub) > head) {
        start_look(sub, true, head, true);
    } else {
        sub->sub.paused = false;
        hear_answers(sub);
    }
}

static void on_look_back(struct task *task)
{
    finish_look(CONTAINER_OF(task, struct catch_up, back));
}

static void on_look_work(struct job *job, void *own)
{
    struct catch_up *look = CONTAINER_OF(job, struct catch_up, job);
    look_into_log(look, own);
    loop_post(look->home->loop, &look->back);
}

/* A resync makes all readers look at once, more than may wait for a worker: the others keep still
 * and look at their next beat. */
static void put_off(struct live_sub *sub, struct catch_up *look)
{
    sub->catch_up = NULL;
    sub->behind = sub->live->kind != LIVE_LEGACY;
    sub->quiet = true;
    free_look(look);
}

static void start_look(struct live_sub *sub, bool resume, uint64_t after, bool quiet)
{
    struct live *live = sub->live;
    struct catch_up *look = NEW(struct catch_up);
    look->sub = sub;
    look->api = live->home->api;
    look->home = live->home;
    look->name = *subscription_topic(&sub->sub);
    look->reader = live->who.user;
    look->resume = resume;
    look->after = after;
    look->quiet = quiet;
    look->session = live->who.session;
    look->missed_end = &look->missed;
    look->back.run = on_look_back;
    look->job.work = on_look_work;
    sub->catch_up = look;
    sub->sub.paused = live->kind != LIVE_LEGACY;
    if (live->home->db) {
        look_into_log(look, live->home->db);
        finish_look(look);
    } else if (!workers_submit(look->api->workers, &look->job)) {
        if (quiet) {
            put_off(sub, look);
            return;
        }
        look->err = why_set(&look->why, ERR_BUSY, "the server is busy");
        finish_look(look);
    }
}

/* --- subscriptions --- */

static void deliver_to_app(struct subscription *subscription, struct event *event)
{
    struct live_sub *sub = CONTAINER_OF(subscription, struct live_sub, sub);
    struct live *live = sub->live;
    if (sub->hearing) chat_hear_news(sub->hearing); /* the event may be the end of what it brings */
    if (live->ws) {
        ws_send(live->ws, event->frame);
    } else {
        live_send_text(live, event->text);
    }
    if (sub->hearing) chat_hear_new(sub->hearing); /* … or a question: its answer begins */
}

static void deliver_to_legacy(struct subscription *subscription, struct event *event)
{
    struct live_sub *sub = CONTAINER_OF(subscription, struct live_sub, sub);
    if (event->legacy) ws_send(sub->live->ws, event->legacy);
}

static void on_gap(struct subscription *subscription)
{
    struct live_sub *sub = CONTAINER_OF(subscription, struct live_sub, sub);
    if (sub->catch_up) {
        sub->catch_up->again = true;
    } else if (!sub->behind && list_is_empty(&sub->ask)) { /* else it will look anyway */
        start_look(sub, sub->live->kind != LIVE_LEGACY, subscription->position, true);
    }
}

static struct live_sub *join(struct live *live, const struct topic_name *name)
{
    struct live_sub *sub = NEW(struct live_sub);
    sub->live = live;
    sub->sub.deliver = live->kind == LIVE_LEGACY ? deliver_to_legacy : deliver_to_app;
    sub->sub.gap = on_gap;
    list_init(&sub->link);
    list_init(&sub->ask);
    list_add_last(&live->subscriptions, &sub->link);
    live->subscription_count++;
    hub_subscribe(live->home->hub_loop, &sub->sub, name);
    return sub;
}

struct live_sub *live_find(struct live *live, const struct topic_name *name)
{
    for (struct list *at = live->subscriptions.next; at != &live->subscriptions; at = at->next) {
        struct live_sub *sub = CONTAINER_OF(at, struct live_sub, link);
        if (strcmp(subscription_topic(&sub->sub)->text, name->text) == 0) return sub;
    }
    return NULL;
}

void live_unsubscribe(struct live_sub *sub)
{
    struct live *live = sub->live;
    if (sub->catch_up) sub->catch_up->sub = NULL;
    chat_hear_end(sub->hearing);
    hub_unsubscribe(live->home->hub_loop, &sub->sub);
    list_remove(&sub->link);
    list_remove(&sub->ask);
    live->subscription_count--;
    end_answer(live, sub);
    mem_free(sub);
}

static bool has_room(struct live *live, struct str topic)
{
    if (live->subscription_count < LIVE_SUBSCRIPTIONS_MAX) return true;
    live_send_error(live, "too many topics on one connection: unsubscribe from some", topic);
    return false;
}

struct live_sub *live_join(struct live *live, const struct topic_name *name, bool resume,
                           uint64_t after)
{
    struct live_sub *sub = live_find(live, name);
    if (sub) live_unsubscribe(sub); /* again: from the position it names now */
    if (!has_room(live, topic_public_name(name))) return NULL;
    sub = join(live, name);
    sub->sub.paused = true;
    sub->placed = resume;
    sub->sub.position = resume ? after : 0;
    return sub;
}

void live_catch_up(struct live_sub *sub)
{
    list_add_last(&sub->live->asked, &sub->ask);
    answer_next(sub->live);
}

void live_subscribe(struct live *live, const struct topic_name *name, bool resume, uint64_t after)
{
    struct live_sub *sub = live_join(live, name, resume, after);
    if (sub) live_catch_up(sub);
}

static bool is_presence(const struct live_sub *sub)
{
    return str_starts(str_of(subscription_topic(&sub->sub)->text), STR("presence:"));
}

static bool is_watched(const struct live_sub *sub, const uint64_t *users, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct topic_name name = topic_presence((struct user_id){users[i]});
        if (strcmp(subscription_topic(&sub->sub)->text, name.text) == 0) return true;
    }
    return false;
}

void live_watch_presence(struct live *live, const uint64_t *users, size_t count)
{
    for (struct list *at = live->subscriptions.next, *next; at != &live->subscriptions; at = next) {
        next = at->next;
        struct live_sub *sub = CONTAINER_OF(at, struct live_sub, link);
        if (is_presence(sub) && !is_watched(sub, users, count)) live_unsubscribe(sub);
    }
    for (size_t i = 0; i < count; i++) {
        struct topic_name name = topic_presence((struct user_id){users[i]});
        if (live_find(live, &name)) continue;
        if (!has_room(live, STR("presence"))) return;
        join(live, &name);
    }
}

void live_subscribe_legacy(struct live *live)
{
    struct topic_name name = topic_user(live->who.user);
    join(live, &name);
}
