/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/act.h"

#include "base/mem.h"
#include "store/events.h"

struct told {
    struct told *next;
    struct topic_name topic;
    uint64_t seq; /* 0: not stored yet */
    struct str fold, payload, legacy;
    enum {
        TELL,
        TELL_WORDS, /* `fold` is a mark: it takes nobody's place */
        UNSAY,      /* nothing is told: what has that mark or fold goes */
        REWORD,     /* nothing is told: what has that mark says `payload` from now on */
    } deed;
};

void act_init(struct act *act, struct db *db, struct arena *arena, int64_t now_us,
              struct user_id me, enum role role)
{
    *act = (struct act){.db = db, .arena = arena, .now_us = now_us, .me = me, .role = role};
}

/* Behind those of the same topic, which keep their order. */
static void insert(struct act *act, struct told *told)
{
    struct told **at = &act->told;
    while (*at && strcmp((*at)->topic.text, told->topic.text) <= 0) at = &(*at)->next;
    told->next = *at;
    *at = told;
    act->told_count++;
}

static struct told *tell(struct act *act, struct topic_name topic, const char *kind,
                         struct str data, bool legacy)
{
    struct told *told = ARENA_NEW(act->arena, struct told);
    told->topic = topic;
    told->payload =
        arena_printf(act->arena, "{\"event\":\"%s\",\"data\":%.*s}", kind, STR_ARGS(data));
    if (legacy) {
        told->legacy =
            arena_printf(act->arena, "{\"type\":\"new_message\",\"data\":%.*s}", STR_ARGS(data));
    }
    insert(act, told);
    return told;
}

void act_tell(struct act *act, struct topic_name topic, const char *kind, struct str fold,
              struct str data, bool legacy)
{
    tell(act, topic, kind, data, legacy)->fold = fold;
}

void act_tell_words(struct act *act, struct topic_name topic, const char *kind, struct str mark,
                    struct str data, bool legacy)
{
    struct told *told = tell(act, topic, kind, data, legacy);
    told->fold = mark;
    told->deed = TELL_WORDS;
}

struct str act_mark(struct act *act, const char *kind, uint64_t id)
{
    return arena_printf(act->arena, "%s:%llu", kind, (unsigned long long)id);
}

void act_unsay(struct act *act, struct topic_name topic, struct str mark)
{
    struct told *told = ARENA_NEW(act->arena, struct told);
    told->topic = topic;
    told->fold = mark;
    told->deed = UNSAY;
    insert(act, told);
}

void act_reword(struct act *act, struct topic_name topic, const char *kind, struct str mark,
                struct str data)
{
    struct told *told = tell(act, topic, kind, data, false);
    told->fold = mark;
    told->deed = REWORD;
}

static enum err store(struct act *act, struct told *told, struct why *why)
{
    struct str topic = str_of(told->topic.text);
    switch (told->deed) {
    case TELL:
        return events_add(act->db, topic, told->fold, told->payload, act->now_us, &told->seq, why);
    case TELL_WORDS:
        return events_add_marked(act->db, topic, told->fold, told->payload, act->now_us, &told->seq,
                                 why);
    case UNSAY:
        if (told->fold.len == 0) return events_forget(act->db, topic, why);
        return events_unsay(act->db, topic, told->fold, why);
    case REWORD: return events_reword(act->db, topic, told->fold, told->payload, why);
    }
    return OK;
}

enum err act_store(struct act *act, struct why *why)
{
    enum err err = OK;
    for (struct told *told = act->told; told && !err; told = told->next)
        err = store(act, told, why);
    return err;
}

void act_notify(struct act *act, const struct hub_notice *notice)
{
    ASSERT(act->notice_count < ACT_NOTICES_MAX);
    act->notices[act->notice_count++] = *notice;
}

enum err act_audit(struct act *act, enum audit_action action, const char *kind, uint64_t object,
                   struct str detail, struct why *why)
{
    struct audit_entry entry = {.at_us = act->now_us,
                                .actor = act->me,
                                .action = action,
                                .kind = kind,
                                .object = object,
                                .detail = detail,
                                .address = act->address};
    return audit_add(act->db, &entry, why);
}

void act_publish(struct act *act, struct hub *hub)
{
    for (size_t i = 0; i < act->notice_count; i++) hub_notify(hub, &act->notices[i]);
    if (act->told_count == 0) return;
    struct event **events = ARENA_ARRAY(act->arena, struct event *, act->told_count);
    size_t count = 0;
    for (struct told *told = act->told; told; told = told->next) {
        if (told->deed == UNSAY || told->deed == REWORD) continue;
        ASSERT(told->seq > 0); /* whoever began the deed stores its events before it commits */
        events[count++] = event_new(&told->topic, told->seq, told->payload, told->legacy);
    }
    hub_publish(hub, events, count);
}
