/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/view.c: the town as JSON: what maps draw, and one resident's card.
 */
#include "base/json.h"
#include "base/mem.h"
#include "townhall/between.h"
#include "townhall/internal.h"

enum {
    PHRASE_BYTES = 512,
    MEMORIES_SHOWN = 12,
    RELATIONS_SHOWN = 12,
    AT_ONCE = 4096,
    TALKS_SEEN = 60,         /* newest of the log, in which the words of memories are looked for */
    TALK_MINUTES_MOST = 240, /* a memory of a talk is made at most so long after it began */
};

struct topic_name topic_town(struct town_id id)
{
    struct topic_name name;
    snprintf(name.text, sizeof(name.text), "town:%llu", (unsigned long long)id.value);
    return name;
}

static void put_units(struct json_out *out, const char *key, int32_t tenths)
{
    json_put_double(out, key, (double)tenths / UNIT);
}

static void put_clock(const struct hall *hall, struct json_out *out)
{
    const struct town *town = hall->town;
    int32_t now = town_now(town);
    const struct sky *sky = town_sky(town);
    json_put_i64(out, "minute", now);
    json_put_i64(out, "day", day_of(now));
    json_put_i64(out, "hour", hour_of(now));
    json_put_str(out, "season", str_of(season_name(season_of(now))));
    json_put_str(out, "time_of_day", str_of(day_part_name(day_part_of(now))));
    json_put_str(out, "weather", str_of(weather_name((enum weather)sky->weather)));
    json_open(out, "temperature", '{');
    json_put_double(out, "outdoor", sky->outdoor_mc / 1000.0);
    json_put_double(out, "indoor", sky->indoor_mc / 1000.0);
    json_close(out, '}');
}

/* What it does, for everybody's eyes, and for nobody's where that is between it and a member. */
static void put_deed(struct json_out *out, const struct hall *hall, const struct effect *effect)
{
    if (is_between(effect)) {
        json_put_str(out, "action", str_of(log_type_name(LOG_USE_PHONE)));
        json_put_str(out, "doing", phone_words(hall->cast.players[effect->who].chinese));
        return;
    }
    struct buf buf;
    buf_init(&buf, PHRASE_BYTES);
    phrase_deed(&buf, &hall->cast, effect);
    json_put_str(out, "action", str_of(deed_info((enum deed)effect->deed)->name));
    json_put_str(out, "doing", buf_str(&buf));
    buf_release(&buf);
}

static void put_with(struct json_out *out, const struct hall *hall, const struct effect *effect)
{
    struct user_id with = cast_user(&hall->cast, effect->other);
    if (with.value && !is_between(effect)) json_put_u64(out, "with_id", with.value);
}

/* What it does now, in the form of an effect that began. */
static struct effect now_of(const struct hall *hall, uint32_t who)
{
    const struct resident *resident = town_resident(hall->town, who);
    bool moves = resident->deed == DEED_MOVE_TO;
    bool talks = resident->deed == DEED_TALK_TO || resident->deed == DEED_GREET;
    return (struct effect){.at = resident->deed_at,
                           .who = who,
                           .other = resident->deed_who,
                           .place = moves ? resident->deed_place : resident->place,
                           .kind = EFFECT_BEGAN,
                           .deed = resident->deed,
                           .why = resident->deed_why,
                           .subject = talks ? (uint8_t)(resident->deed_ref & 0xff) : 0,
                           .fine = 1};
}

/* Where it is, and what it does, with the moments that let a map draw the way between. */
static void put_state(const struct hall *hall, struct json_out *out, uint32_t who)
{
    const struct town *town = hall->town;
    const struct resident *resident = town_resident(town, who);
    const struct player *player = &hall->cast.players[who];
    int32_t x, y;
    town_position(town, who, &x, &y);
    json_put_u64(out, "id", player->user.value);
    put_units(out, "x", x);
    put_units(out, "y", y);
    if (resident->place == NOWHERE) {
        json_put_null(out, "location_id");
    } else {
        json_put_u64(out, "location_id", cast_location(&hall->cast, resident->place));
    }
    struct effect effect = now_of(hall, who);
    put_deed(out, hall, &effect);
    json_put_i64(out, "since", resident->deed_at);
    json_put_i64(out, "until", resident->deed_until);
    if (resident->deed == DEED_MOVE_TO) {
        json_put_u64(out, "to_location_id", cast_location(&hall->cast, resident->deed_place));
    }
    put_with(out, hall, &effect);
    json_put_str(out, "emotion", str_of(emotion_name((enum emotion)resident->emotion)));
}

void view_write_town(const struct hall *hall, struct buf *json)
{
    struct json_out out = json_begin(json);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "id", hall->row.id.value);
    json_put_str(&out, "topic", str_of(topic_town(hall->row.id).text));
    json_put_bool(&out, "running", hall->row.running);
    json_put_u64(&out, "speed", hall->row.speed);
    put_clock(hall, &out);
    json_open(&out, "locations", '[');
    const struct places *places = town_places(hall->town, 0);
    for (uint32_t i = 0; i < places->count && i < hall->cast.location_count; i++) {
        const struct place *place = &places->place[i];
        json_open(&out, NULL, '{');
        json_put_u64(&out, "id", place->id);
        json_put_str(&out, "name", hall->cast.locations[i].name);
        json_put_str(&out, "location_type", str_of(place_kind_name((enum place_kind)place->kind)));
        put_units(&out, "x", place->x);
        put_units(&out, "y", place->y);
        put_units(&out, "width", place->width);
        put_units(&out, "height", place->height);
        json_put_bool(&out, "is_indoor", place->indoor);
        json_put_bool(&out, "is_open", place_is_open(place, town_now(hall->town)));
        json_put_u64(&out, "occupants", place->here);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_open(&out, "residents", '[');
    int shown = 0;
    for (uint32_t i = 0; i < hall->cast.count && shown < AT_ONCE; i++) {
        if (town_is_gone(hall->town, i)) continue;
        shown++;
        json_open(&out, NULL, '{');
        json_put_str(&out, "name", hall->cast.players[i].name);
        put_state(hall, &out, i);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    enum budget_state state = budget_state(hall->budget);
    json_open(&out, "models", '{');
    json_put_bool(&out, "asked", has_model(hall) && state == BUDGET_LEFT);
    json_put_opt(&out, "spent",
                 state == BUDGET_LEFT ? (struct str){0} : str_of(budget_state_text(state)));
    json_close(&out, '}');
    json_close(&out, '}');
}

/* --- one resident --- */

static void put_needs(const struct hall *hall, struct json_out *out, uint32_t who)
{
    struct resident body = town_body(hall->town, who);
    json_open(out, "needs", '{');
    for (int i = 0; i < NEED_COUNT; i++)
        json_put_double(out, need_name((enum need)i), (double)body.need[i] / NEED_PERCENT);
    json_put_double(out, "health", (double)body.health / NEED_PERCENT);
    json_close(out, '}');
    json_put_bool(out, "is_tired", body.need[FATIGUE] >= TIRED);
    json_put_bool(out, "is_hungry", body.need[HUNGER] >= HUNGRY);
}

/* In the order of the day, which is not that in which it was made: what comes first wins there. */
static void put_plan(struct json_out *out, const struct resident *resident)
{
    struct plan_step plan[PLAN_STEPS];
    int begin = resident->plan_count ? resident->plan[0].from_min : 0;
    for (int i = 0; i < resident->plan_count; i++) {
        int at = i, from = (resident->plan[i].from_min - begin + MINUTES_PER_DAY) % MINUTES_PER_DAY;
        for (; at > 0; at--) {
            int before = (plan[at - 1].from_min - begin + MINUTES_PER_DAY) % MINUTES_PER_DAY;
            if (before <= from) break;
            plan[at] = plan[at - 1];
        }
        plan[at] = resident->plan[i];
    }
    json_open(out, "plan", '[');
    for (int i = 0; i < resident->plan_count; i++) {
        const struct plan_step *step = &plan[i];
        char clock[8];
        snprintf(clock, sizeof(clock), "%02d:%02d", step->from_min / 60, step->from_min % 60);
        json_open(out, NULL, '{');
        json_put_str(out, "time", str_of(clock));
        json_put_str(out, "activity", str_of(plan_kind_name((enum plan_kind)step->kind)));
        json_put_i64(out, "duration", step->quarters * 15);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static int by_time(const void *a, const void *b)
{
    const struct memory *x = a, *y = b;
    return (x->at < y->at) - (x->at > y->at);
}

/* What was said, newest first: the action log has it (talk.c), a memory only that they talked. */
struct talks {
    struct arena arena;
    const struct hall *hall;
    struct {
        struct user_id with;
        int32_t at;
        uint64_t id;
        struct str said;
    } talk[TALKS_SEEN];
    size_t count;
};

static void see_talk(void *ctx, const struct action_log *log)
{
    struct talks *talks = ctx;
    struct str clock = log->time, hour;
    uint64_t h, m;
    if (!str_eq(log->name, STR(TALK_LOGGED)) || !str_split(&clock, ':', &hour) ||
        !str_to_u64(hour, &h) || !str_to_u64(clock, &m)) {
        return;
    }
    size_t i = talks->count++;
    talks->talk[i].with = log->target;
    talks->talk[i].at = (log->day - 1) * MINUTES_PER_DAY + (int32_t)(h * 60 + m);
    talks->talk[i].id = log->id;
    talks->talk[i].said = arena_copy(&talks->arena, log->result);
}

static void load_talks(struct talks *talks, const struct hall *hall, uint32_t who)
{
    *talks = (struct talks){.hall = hall};
    struct action_logs_query query = {.character = cast_user(&hall->cast, who),
                                      .type = str_of(log_type_name(LOG_TALK)),
                                      .limit = TALKS_SEEN};
    struct why why;
    if (action_logs_list(hall->db, &query, see_talk, talks, &why) != OK) talks->count = 0;
}

/* The last talk with that one that began before it is remembered. */
static void put_said(struct json_out *out, const struct talks *talks, const struct memory *memory)
{
    if (memory->fact != FACT_TALKED && memory->fact != FACT_GREETED) return;
    struct user_id with = cast_user(&talks->hall->cast, memory->who);
    size_t best = talks->count;
    for (size_t i = 0; i < talks->count; i++) {
        int32_t since = memory->at - talks->talk[i].at;
        bool fits =
            talks->talk[i].with.value == with.value && since >= 0 && since <= TALK_MINUTES_MOST;
        if (fits && (best == talks->count || talks->talk[i].at > talks->talk[best].at)) best = i;
    }
    if (best == talks->count) return;
    json_put_u64(out, "log_id", talks->talk[best].id);
    json_put_str(out, "said", talks->talk[best].said);
}

static void put_memories(const struct hall *hall, struct json_out *out, uint32_t who,
                         struct user_id reader)
{
    size_t count;
    const struct memory *memories = town_memories(hall->town, who, &count);
    struct memory *sorted = mem_copy(memories, sizeof(*sorted) * (count ? count : 1));
    if (count) qsort(sorted, count, sizeof(*sorted), by_time);
    struct talks talks;
    load_talks(&talks, hall, who);
    json_open(out, "memories", '[');
    size_t shown = 0;
    for (size_t i = 0; i < count && shown < MEMORIES_SHOWN; i++) {
        const struct memory *memory = &sorted[i];
        if (memory_is_between(memory) && !may_see(&hall->cast, memory->who, reader)) continue;
        shown++;
        struct buf buf;
        buf_init(&buf, PHRASE_BYTES);
        phrase_memory(&buf, &hall->cast, who, memory);
        json_open(out, NULL, '{');
        json_put_i64(out, "minute", memory->at);
        json_put_str(out, "type", str_of(memory_type_name((enum memory_type)memory->type)));
        json_put_i64(out, "importance", memory->importance);
        json_put_str(out, "content", buf_str(&buf));
        put_said(out, &talks, memory);
        json_close(out, '}');
        buf_release(&buf);
    }
    json_close(out, ']');
    arena_release(&talks.arena);
    mem_free(sorted);
}

/* The town goes on knowing members who have deleted their account; nobody else does. */
static bool has_account(const struct hall *hall, uint32_t who, struct user_id user)
{
    struct standing standing;
    struct why why;
    return !is_member(who) || users_load_standing(hall->db, user, &standing, &why) != ERR_NOT_FOUND;
}

/* What it thinks of a member is between the two: it comes of what they wrote to each other. */
static void put_relations(const struct hall *hall, struct json_out *out, uint32_t who,
                          struct user_id reader)
{
    size_t count;
    const struct relation *relations = town_relations(hall->town, who, &count);
    json_open(out, "relations", '[');
    for (size_t i = 0; i < count; i++) {
        const struct relation *relation = &relations[i];
        struct user_id user = cast_user(&hall->cast, relation->who);
        if (user.value == 0) continue; /* it had an account once */
        if (is_member(relation->who) && !may_see(&hall->cast, relation->who, reader)) continue;
        if (!has_account(hall, relation->who, user)) continue;
        json_open(out, NULL, '{');
        json_put_u64(out, "id", user.value);
        json_put_str(out, "name", player_name(&hall->cast, relation->who));
        json_put_i64(out, "liking", relation->liking);
        json_put_i64(out, "familiarity", relation->familiarity);
        json_put_i64(out, "met", relation->met);
        json_put_i64(out, "last_day", relation->last_day);
        json_put_bool(out, "follows", relation->flags & FOLLOWS);
        json_put_bool(out, "followed", relation->flags & FOLLOWED);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void put_things(const struct hall *hall, struct json_out *out, uint32_t who)
{
    size_t count;
    const struct thing *things = town_things(hall->town, who, &count);
    json_open(out, "inventory", '[');
    for (size_t i = 0; i < count; i++) {
        const struct thing_template *template = thing_template((enum thing_kind)things[i].kind);
        json_open(out, NULL, '{');
        json_put_str(out, "item_name",
                     str_of(hall->cast.players[who].chinese ? template->name_zh : template->name));
        json_put_i64(out, "quantity", things[i].quantity);
        json_put_double(out, "weight", template->grams / 1000.0);
        json_close(out, '}');
    }
    json_close(out, ']');
}

enum err view_write_resident(const struct hall *hall, struct user_id user, struct user_id reader,
                             struct buf *json, struct why *why)
{
    uint32_t who = 0;
    while (who < hall->cast.count && hall->cast.players[who].user.value != user.value) who++;
    if (who == hall->cast.count || town_is_gone(hall->town, who))
        return why_set(why, ERR_NOT_FOUND, "no resident of the town has that id");
    const struct resident *resident = town_resident(hall->town, who);
    struct json_out out = json_begin(json);
    json_open(&out, NULL, '{');
    json_put_str(&out, "name", hall->cast.players[who].name);
    put_state(hall, &out, who);
    json_put_str(&out, "occupation", hall->cast.players[who].occupation);
    json_put_i64(&out, "age", resident->age);
    json_put_str(&out, "goals", hall->cast.players[who].goals);
    json_put_u64(&out, "home_location_id", cast_location(&hall->cast, resident->home));
    json_put_u64(&out, "unread_messages", resident->unread);
    put_needs(hall, &out, who);
    put_plan(&out, resident);
    put_memories(hall, &out, who, reader);
    put_relations(hall, &out, who, reader);
    put_things(hall, &out, who);
    json_close(&out, '}');
    return OK;
}

/* --- live --- */

static bool is_for_maps(const struct hall *hall, const struct effect *effect)
{
    /* Whose account went while nobody ran the town is on no map. */
    if (effect->kind == EFFECT_LEFT) return cast_user(&hall->cast, effect->who).value != 0;
    return effect->kind == EFFECT_BEGAN || effect->kind == EFFECT_MET ||
           effect->kind == EFFECT_TALK || effect->kind == EFFECT_WOKE ||
           effect->kind == EFFECT_SKY || effect->kind == EFFECT_CAME;
}

static void put_began(const struct hall *hall, struct json_out *out, const struct effect *effect)
{
    put_deed(out, hall, effect);
    json_put_i64(out, "until", effect->at + effect->minutes);
    if (effect->deed == DEED_MOVE_TO)
        json_put_u64(out, "to_location_id", cast_location(&hall->cast, effect->place));
}

/* Enough to draw somebody who was not there before. */
static void put_came(const struct hall *hall, struct json_out *out, const struct effect *effect)
{
    int32_t x, y;
    town_position(hall->town, effect->who, &x, &y);
    json_put_str(out, "name", hall->cast.players[effect->who].name);
    put_units(out, "x", x);
    put_units(out, "y", y);
    json_put_u64(out, "location_id", cast_location(&hall->cast, effect->place));
}

void view_write_effects(const struct hall *hall, const struct effect *effects, size_t count,
                        struct buf *json)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) any |= is_for_maps(hall, &effects[i]);
    if (!any) return;
    struct json_out out = json_begin(json);
    json_open(&out, NULL, '{');
    put_clock(hall, &out);
    json_open(&out, "happened", '[');
    for (size_t i = 0; i < count; i++) {
        const struct effect *effect = &effects[i];
        if (!is_for_maps(hall, effect)) continue;
        json_open(&out, NULL, '{');
        json_put_str(&out, "what", str_of(effect_kind_name((enum effect_kind)effect->kind)));
        json_put_i64(&out, "minute", effect->at);
        struct user_id who = cast_user(&hall->cast, effect->who);
        if (who.value) json_put_u64(&out, "id", who.value);
        put_with(&out, hall, effect);
        if (effect->kind == EFFECT_BEGAN) put_began(hall, &out, effect);
        if (effect->kind == EFFECT_CAME) put_came(hall, &out, effect);
        if (effect->kind == EFFECT_TALK)
            json_put_str(&out, "about",
                         subject_words(hall->cast.players[effect->who].chinese, effect->subject));
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
}
