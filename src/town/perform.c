/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/perform.c: what deeds do when they begin and when they end.
 *
 * An option was possible when it was offered. A model may have taken a while to
 * choose it, so it is looked at once more as it begins: who was to be spoken to
 * may have left. Then the resident stands there for a few minutes and thinks
 * again; a failed deed never leaves anybody without the next one.
 */
#include "town/internal.h"

enum {
    FAILED_MINUTES = 2,
    AGAIN_MINUTES = 4, /* until a phone that was put down is looked at */
    TURN_MINUTES = 3,  /* of a conversation */
    ENCOUNTER_IN = 10, /* the original's chance that two in a place come upon each other: 3 in 10 */
    ENCOUNTER_CHANCE = 3,
    MEAL_FILLS = 75 * NEED_PERCENT,
    SNACK_FILLS = 30 * NEED_PERCENT,
    REST_MENDS = 5 * NEED_PERCENT,
    SLEEP_OF_NIGHT = 4 * MINUTES_PER_HOUR, /* shorter ones are naps and end no day */
    DAY_AWAKE = 6 * MINUTES_PER_HOUR,
    FEED_LOOK = 5, /* posts it reads at a time */
    PROFILE_LOOK = 3,
    ANSWERS_MAX = 3, /* senders it answers in one look at the phone */
    SAID_A_DAY = 4,  /* to one person: what keeps two residents from answering for ever */
    WAGES = 5,       /* coins of a day's work, and what a gift costs */
    GIFTS_KEPT = 2,
};

/* --- telling --- */

static int32_t now_of(const struct quarter *quarter)
{
    return agenda_now(quarter->agenda);
}

static void remember_fact(struct quarter *quarter, uint32_t local, enum fact_kind fact,
                          uint32_t who, enum subject subject, int importance, int valence)
{
    const struct resident *me = resident_at(quarter, local);
    struct memory memory = {
        .at = now_of(quarter),
        .who = who,
        .place = me->place,
        .fact = (uint8_t)fact,
        .subject = (uint8_t)subject,
        .type = (uint8_t)(who == NOBODY ? MEMORY_KNOWLEDGE : MEMORY_RELATION),
        .importance = (uint8_t)MIN(MAX(importance, 1), 10),
        .valence = (int8_t)MIN(MAX(valence, -100), 100),
    };
    remember(quarter, local, &memory);
}

static struct relation *know(struct quarter *quarter, uint32_t local, uint32_t who)
{
    return relation_get(relations_of(quarter, local), who, day_of(now_of(quarter)));
}

/* How much the subject means to somebody, 0 to 99: a taste it is born with. */
static int interest(uint32_t who, enum subject subject)
{
    uint32_t mixed = (who * UINT32_C(2654435761)) ^ ((uint32_t)subject * UINT32_C(2246822519));
    mixed ^= mixed >> 15;
    mixed *= UINT32_C(2246822519);
    mixed ^= mixed >> 13;
    return (int)(mixed % 100);
}

static enum subject some_subject(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    uint32_t who = quarter->first + local;
    enum subject best = SUBJECT_WEATHER;
    for (int i = 0; i < 3; i++) {
        enum subject subject = (enum subject)(1 + rng_below(&me->rng, SUBJECT_COUNT - 1));
        if (interest(who, subject) >= interest(who, best)) best = subject;
    }
    return best;
}

/* --- beginning --- */

static void fail(struct quarter *quarter, uint32_t local, const struct option *option)
{
    struct effect effect = effect_of(quarter, local, EFFECT_DEED);
    effect.deed = option->deed;
    effect.why = option->why;
    effect.other = option->who;
    effect.fine = 0;
    effect_emit(quarter, &effect);
    quarter->tally.failed++;
    struct option pause = {
        .who = NOBODY, .place = NOWHERE, .minutes = FAILED_MINUTES, .deed = DEED_WAIT};
    deed_start(quarter, local, &pause);
}

void leave_place(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    if (me->place == NOWHERE) return;
    uint32_t moved = place_leave(&quarter->places, me->place, me->seat, me->place == me->home);
    if (moved != NOBODY) resident_at(quarter, moved - quarter->first)->seat = me->seat;
    me->near = me->place;
    me->place = NOWHERE;
    me->seat = 0;
}

static void begin_move(struct quarter *quarter, uint32_t local, const struct option *option)
{
    struct resident *me = resident_at(quarter, local);
    if (option->place >= quarter->places.count || option->place == me->place) {
        fail(quarter, local, option);
        return;
    }
    leave_place(quarter, local);
    me->deed_place = option->place;
    struct option walk = *option;
    walk.minutes = (uint16_t)walk_minutes(
        place_distance(&quarter->places.place[me->near], &quarter->places.place[option->place]));
    deed_start(quarter, local, &walk);
}

/* What a conversation is like, for both: alike people in good mood like each other's company. */
static int talk_mood(struct quarter *quarter, uint32_t a, uint32_t b)
{
    struct resident *me = resident_at(quarter, a), *other = resident_at(quarter, b);
    int apart = 0;
    for (int i = 0; i < TRAIT_COUNT; i++) apart += abs(me->trait[i] - other->trait[i]);
    int alike = 40 - apart / TRAIT_COUNT; /* similarity attracts (Byrne 1971) */
    int kind = (me->trait[AGREEABLENESS] + other->trait[AGREEABLENESS]) / 5;
    int moods = (emotion_valence((enum emotion)me->emotion) +
                 emotion_valence((enum emotion)other->emotion)) /
                5;
    int luck = (int)rng_below(&me->rng, 61) - 20;
    return MIN(MAX(alike + kind + moods + luck, -100), 100);
}

/* Topic, mood and turns of a conversation travel in deed_ref, the same for both. */
static uint32_t talk_pack(enum subject subject, int mood, int turns)
{
    return (uint32_t)subject | (uint32_t)(mood + 128) << 8 | (uint32_t)turns << 16;
}

static void begin_talk(struct quarter *quarter, uint32_t local, const struct option *option)
{
    struct resident *me = resident_at(quarter, local);
    if (!is_neighbour(quarter, option->who) || option->who == quarter->first + local) {
        fail(quarter, local, option);
        return;
    }
    uint32_t partner = option->who - quarter->first;
    struct resident *other = resident_at(quarter, partner);
    bool here = me->place != NOWHERE && other->place == me->place;
    bool free_to = deed_info((enum deed)other->deed)->can_interrupt && !other->asking;
    const struct relation *their = relation_find(relations_of(quarter, partner), option->who);
    bool wants = !their || their->liking > -30;
    if (!here || !free_to || !wants) {
        fail(quarter, local, option);
        return;
    }
    deed_interrupt(quarter, partner);
    bool greeting = option->deed == DEED_GREET;
    int turns = greeting ? 2 : MIN(2 + option->minutes / TURN_MINUTES, 12);
    int mood = talk_mood(quarter, local, partner);
    enum subject subject = greeting                          ? SUBJECT_NONE
                           : option->subject != SUBJECT_NONE ? (enum subject)option->subject
                                                             : some_subject(quarter, local);
    me->deed_ref = other->deed_ref = talk_pack(subject, mood, turns);
    deed_start(quarter, local, option);
    struct option theirs = *option;
    theirs.who = quarter->first + local;
    theirs.why = REASON_ENCOUNTER;
    deed_start(quarter, partner, &theirs);

    struct effect effect = effect_of(quarter, local, EFFECT_TALK);
    effect.deed = option->deed;
    effect.why = option->why;
    effect.other = option->who;
    effect.minutes = option->minutes;
    effect.subject = (uint8_t)subject;
    effect.mood = (int8_t)mood;
    effect.ref = (uint32_t)turns;
    effect_emit(quarter, &effect);
    quarter->tally.talks += !greeting;
}

/* The day in one line, told to the one who falls asleep. */
static void end_day(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = now_of(quarter);
    const struct memory *best = memory_best_since(memories_of(quarter, local), me->woke_at);
    struct memory day = {.at = me->woke_at,
                         .who = NOBODY,
                         .place = NOWHERE,
                         .fact = FACT_DAY,
                         .type = MEMORY_DAILY,
                         .importance = 5};
    if (best) {
        day.who = best->who;
        day.place = best->place;
        day.about = best->fact;
        day.subject = best->subject;
        day.valence = best->valence;
        day.importance = MIN(best->importance + 1, 10);
    }
    memory_add(memories_of(quarter, local), &day, now);
    struct effect effect = effect_of(quarter, local, EFFECT_REMEMBER);
    effect.at = me->woke_at;
    effect.other = day.who;
    effect.place = day.place;
    effect.fact = FACT_DAY;
    effect.deed = day.about;
    effect.subject = day.subject;
    effect.importance = day.importance;
    effect.mood = day.valence;
    effect_emit(quarter, &effect);
}

static void begin_sleep(struct quarter *quarter, uint32_t local, const struct option *option)
{
    const struct resident *me = resident_at(quarter, local);
    if (now_of(quarter) - me->woke_at >= DAY_AWAKE && option->minutes >= SLEEP_OF_NIGHT)
        end_day(quarter, local);
    deed_start(quarter, local, option);
}

static void begin_give(struct quarter *quarter, uint32_t local, const struct option *option)
{
    struct resident *me = resident_at(quarter, local);
    if (!is_neighbour(quarter, option->who)) {
        fail(quarter, local, option);
        return;
    }
    uint32_t partner = option->who - quarter->first;
    struct resident *other = resident_at(quarter, partner);
    struct things mine = things_of(quarter, local), theirs = things_of(quarter, partner);
    enum thing_kind kind = thing_quantity(mine, THING_GIFT) > 0 ? THING_GIFT : THING_FOOD;
    bool here = me->place != NOWHERE && me->place == other->place;
    if (!here || thing_quantity(mine, kind) == 0 || !thing_add(theirs, kind, 1)) {
        fail(quarter, local, option);
        return;
    }
    bool taken = thing_take(mine, kind, 1);
    ASSERT(taken);
    relation_meet(know(quarter, partner, quarter->first + local), day_of(now_of(quarter)), 80, 4);
    feel(other, HAPPY, 8);
    remember_fact(quarter, partner, FACT_GOT, quarter->first + local, SUBJECT_NONE, 6, 80);
    remember_fact(quarter, local, FACT_GAVE, option->who, SUBJECT_NONE, 4, 60);
    me->deed_ref = kind;
    deed_start(quarter, local, option);
}

/* The phone reaches whoever lives in the town; who has moved out meanwhile does not. */
static bool reaches_nobody(const struct quarter *quarter, enum deed deed, uint32_t who)
{
    bool by_phone =
        deed == DEED_SEND_MESSAGE || deed == DEED_VIEW_USER_PROFILE || deed == DEED_FOLLOW;
    return by_phone && is_gone(quarter, who);
}

void deed_begin(struct quarter *quarter, uint32_t local, const struct option *option)
{
    struct resident *me = resident_at(quarter, local);
    me->deed_ref = 0;
    if (reaches_nobody(quarter, (enum deed)option->deed, option->who)) {
        fail(quarter, local, option);
        return;
    }
    switch ((enum deed)option->deed) {
    case DEED_MOVE_TO: begin_move(quarter, local, option); return;
    case DEED_TALK_TO:
    case DEED_GREET: begin_talk(quarter, local, option); return;
    case DEED_SLEEP: begin_sleep(quarter, local, option); return;
    case DEED_GIVE: begin_give(quarter, local, option); return;
    case DEED_IDLE:
    case DEED_WAIT:
    case DEED_LOOK_AROUND:
    case DEED_REST:
    case DEED_EAT:
    case DEED_WORK:
    case DEED_USE_ITEM:
    case DEED_THINK:
    case DEED_BROWSE_POSTS:
    case DEED_CREATE_POST:
    case DEED_CHECK_MESSAGES:
    case DEED_SEND_MESSAGE:
    case DEED_VIEW_USER_PROFILE:
    case DEED_FOLLOW:
    case DEED_COUNT: deed_start(quarter, local, option); return;
    }
}

/* --- ending: places and people --- */

/* Somebody here it comes upon, or nobody. */
static void come_upon(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    const struct place *place = &quarter->places.place[me->place];
    if (place->here < 2) return;
    uint32_t seat = rng_below(&me->rng, place->here);
    uint32_t who = place_sitting(&quarter->places, place, seat);
    if (seat == me->seat || rng_below(&me->rng, ENCOUNTER_IN) >= ENCOUNTER_CHANCE) return;
    uint32_t partner = who - quarter->first, self = quarter->first + local;
    struct resident *other = resident_at(quarter, partner);
    if (other->deed == DEED_SLEEP) return;
    if (!relation_find(relations_of(quarter, local), who)) {
        remember_fact(quarter, local, FACT_MET, who, SUBJECT_NONE, 4, 20);
        remember_fact(quarter, partner, FACT_MET, self, SUBJECT_NONE, 4, 20);
    }
    know(quarter, local, who)->familiarity |= 1;
    know(quarter, partner, self)->familiarity |= 1;
    struct effect effect = effect_of(quarter, local, EFFECT_MET);
    effect.other = who;
    effect_emit(quarter, &effect);
    quarter->tally.meetings++;
}

/* With what it has earned, for whoever it likes. */
static void buy_gift(struct quarter *quarter, uint32_t local)
{
    struct things things = things_of(quarter, local);
    if (thing_quantity(things, THING_GIFT) >= GIFTS_KEPT) return;
    if (thing_quantity(things, THING_MONEY) < WAGES || !thing_add(things, THING_GIFT, 1)) return;
    bool paid = thing_take(things, THING_MONEY, WAGES);
    ASSERT(paid);
}

static bool end_move(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    bool home = me->deed_place == me->home;
    enum entry entry = place_entry(&quarter->places.place[me->deed_place], now_of(quarter), home);
    me->near = me->deed_place;
    if (entry != ENTRY_FINE) {
        /* It stands before the door, and thinks of something else. */
        remember_fact(quarter, local, FACT_TURNED_AWAY, NOBODY, SUBJECT_NONE, 2, -30);
        return false;
    }
    me->place = me->deed_place;
    me->seat = place_enter(&quarter->places, me->place, quarter->first + local, home);
    if (home && thing_quantity(things_of(quarter, local), THING_FOOD) < 3)
        (void)!thing_add(things_of(quarter, local), THING_FOOD,
                         2); /* from the kitchen, if it can */
    if (quarter->places.place[me->place].kind == PLACE_COMMERCIAL) buy_gift(quarter, local);
    come_upon(quarter, local);
    return true;
}

static void end_talk(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = now_of(quarter);
    int mood = (int)(me->deed_ref >> 8 & 0xff) - 128;
    enum subject subject = (enum subject)(me->deed_ref & 0xff);
    int minutes = now - me->deed_at;
    struct relation *relation = know(quarter, local, me->deed_who);
    bool greeting = me->deed == DEED_GREET;
    relation_meet(relation, day_of(now), greeting ? MAX(mood, 10) : mood,
                  greeting ? 1 : 2 + minutes / 8);
    need_add(me, LONELINESS, greeting ? -300 : -minutes * 110);
    need_add(me, BOREDOM, mood > 0 ? -minutes * 50 : 0);
    if (greeting) {
        remember_fact(quarter, local, FACT_GREETED, me->deed_who, SUBJECT_NONE, 1, MAX(mood, 10));
        return;
    }
    if (me->talks_today < UINT8_MAX) me->talks_today++;
    if (mood > 35) feel(me, mood > 65 ? EXCITED : HAPPY, (uint8_t)(4 + mood / 10));
    if (mood < -20) feel(me, me->trait[NEUROTICISM] > 0 ? SAD : ANGRY, 6);
    if (me->deed_who == me->plan_who) me->plan_who = NOBODY; /* they have met, as planned */
    int importance = 3 + minutes / 10 + abs(mood) / 25;
    remember_fact(quarter, local, FACT_TALKED, me->deed_who, subject, importance, mood);
    me->urge = (uint16_t)MIN(me->urge + 600, NEED_FULL);
}

/* --- ending: body and mind --- */

static void end_meal(struct quarter *quarter, uint32_t local, int fills)
{
    struct resident *me = resident_at(quarter, local);
    need_add(me, HUNGER, -fills);
    need_add(me, BOREDOM, -500);
    health_add(me, 100);
    if (me->meals_today < UINT8_MAX) me->meals_today++;
    quarter->tally.meals++;
    if (me->place == NOWHERE || fills < MEAL_FILLS) return;
    /* Whoever eats at the same table is company. */
    const struct place *place = &quarter->places.place[me->place];
    uint32_t seat = place->here > 1 ? (uint32_t)(me->seat + 1) % place->here : me->seat;
    if (seat == me->seat) return;
    uint32_t who = place_sitting(&quarter->places, place, seat);
    if (resident_at(quarter, who - quarter->first)->deed != DEED_EAT) return;
    relation_meet(know(quarter, local, who), day_of(now_of(quarter)), 30, 1);
    need_add(me, LONELINESS, -1200);
    remember_fact(quarter, local, FACT_ATE_WITH, who, SUBJECT_FOOD, 3, 30);
}

static void end_work(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = now_of(quarter);
    if (now - me->deed_at < 60) return;
    bool day_done = minute_of_day(now) + 30 >= me->work_until;
    if (day_done) {
        (void)!thing_add(things_of(quarter, local), THING_MONEY, WAGES); /* or its purse is full */
        remember_fact(quarter, local, FACT_WORKED, NOBODY, SUBJECT_WORK, 2,
                      me->trait[CONSCIENTIOUSNESS] / 2);
    }
    if (me->trait[NEUROTICISM] > 40 && me->need[FATIGUE] > TIRED) feel(me, ANXIOUS, 4);
}

/* Reflection: who or what it has had most to do with lately, and what that has come to mean. */
static void end_thought(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = now_of(quarter);
    need_add(me, BOREDOM, -200);
    if (me->stirred < 100) return;
    me->stirred = 0;
    const struct memory *found[5];
    struct cue cue = {.who = NOBODY, .place = NOWHERE, .subject = SUBJECT_NONE};
    size_t count = memory_recall(memories_of(quarter, local), &cue, now, found, COUNT_OF(found));
    struct memory thought = {.at = now,
                             .who = NOBODY,
                             .place = NOWHERE,
                             .fact = FACT_THOUGHT,
                             .type = MEMORY_IMPORTANT,
                             .importance = 7};
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t same = 0;
        for (size_t j = 0; j < count; j++) same += found[j]->who == found[i]->who;
        if (found[i]->who == NOBODY || same <= most) continue;
        most = same;
        thought.who = found[i]->who;
    }
    int sum = 0;
    for (size_t i = 0; i < count; i++) {
        bool counts = thought.who == NOBODY || found[i]->who == thought.who;
        if (!counts) continue;
        sum += found[i]->valence;
        thought.about = found[i]->fact;
        thought.subject = found[i]->subject;
    }
    thought.valence = (int8_t)(count ? sum / (int)count : 0);
    remember(quarter, local, &thought);
    if (thought.who != NOBODY) {
        struct relation *relation = know(quarter, local, thought.who);
        relation->liking = (int8_t)MIN(MAX(relation->liking + thought.valence / 20, -100), 100);
    }
    struct effect effect = effect_of(quarter, local, EFFECT_REMEMBER);
    effect.other = thought.who;
    effect.fact = FACT_THOUGHT;
    effect.deed = thought.about;
    effect.subject = thought.subject;
    effect.importance = thought.importance;
    effect.mood = thought.valence;
    effect_emit(quarter, &effect);
    if (thought.valence < -20) feel(me, SAD, 4);
}

static void end_sleep(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = now_of(quarter);
    if (now - me->deed_at < SLEEP_OF_NIGHT) return;
    health_add(me, 400);
    feel(me, NEUTRAL, 0);
    me->emotion = NEUTRAL;
    me->emotion_quarters = 0;
    me->woke_at = now;
    if (me->days_lived < UINT16_MAX) me->days_lived++;
    me->posts_today = me->messages_today = me->talks_today = me->meals_today = 0;
    me->browsed_today = me->asks_today = 0;
    mind_plan_day(quarter, local);
    bool risen = !is_bed_time(me, now) || minutes_until(now, me->wake_min) <= MINUTES_PER_HOUR;
    if (risen && quarter->settings->ask_share > 0 && quarter->settings->asks_a_day > 0) {
        me->planning = 1;
        me->asks_today++;
        quarter->tally.asks++;
    }
    struct effect effect = effect_of(quarter, local, EFFECT_WOKE);
    effect_emit(quarter, &effect);
}

/* --- ending: the phone --- */

static void react(struct quarter *quarter, uint32_t local, const struct wire_post *post)
{
    struct resident *me = resident_at(quarter, local);
    uint32_t self = quarter->first + local;
    if (post->author == self || is_gone(quarter, post->author)) return;
    const struct relation *relation = relation_find(relations_of(quarter, local), post->author);
    int bond = relation ? relation_bond(relation) : 0;
    int liking = relation ? relation->liking : 0;
    int taste = interest(self, (enum subject)post->subject);
    int chance = 6 + taste / 5 + bond / 2 + liking / 5 + me->trait[AGREEABLENESS] / 10 +
                 (is_member(post->author) ? 10 : 0);
    need_add(me, BOREDOM, -taste * 4);
    if (relation && relation->flags & FOLLOWS) chance += 20;
    if ((int)rng_below(&me->rng, 100) < chance) {
        mail_send(quarter, &(struct mail){.from = self,
                                          .to = post->author,
                                          .ref = post->serial,
                                          .kind = MAIL_LIKE,
                                          .subject = post->subject});
        struct effect effect = effect_of(quarter, local, EFFECT_LIKE);
        effect.other = post->author;
        effect.ref = post->serial;
        effect_emit(quarter, &effect);
        quarter->tally.likes++;
    }
    /* What nobody has answered yet draws a word sooner; where many have spoken, fewer do. */
    int words = chance / 4 + me->trait[EXTRAVERSION] / 20 +
                (post->comments == 0   ? 10
                 : post->comments > 20 ? -10
                                       : 0);
    if ((int)rng_below(&me->rng, 100) >= words) return;
    mail_send(quarter, &(struct mail){.from = self,
                                      .to = post->author,
                                      .ref = post->serial,
                                      .kind = MAIL_COMMENT,
                                      .subject = post->subject,
                                      .mood = (int8_t)MIN(20 + bond / 2, 100)});
    struct effect effect = effect_of(quarter, local, EFFECT_COMMENT);
    effect.other = post->author;
    effect.ref = post->serial;
    effect.subject = post->subject;
    effect.mood = (int8_t)emotion_valence((enum emotion)me->emotion);
    effect_emit(quarter, &effect);
    quarter->tally.comments++;
    remember_fact(quarter, local, FACT_READ, post->author, (enum subject)post->subject, 2, 20);
}

static const struct wire_post *feed_post(const struct feed *feed, uint32_t serial)
{
    const struct wire_post *post = &feed->post[serial % feed->slots];
    return serial != 0 && post->serial == serial ? post : NULL;
}

/* The newest first, and none twice: it keeps the serial of the newest one it has seen. */
static void end_browse(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    const struct feed *feed = quarter->feed;
    uint32_t head = feed->head;
    uint32_t fresh = MIN(head - me->feed_seen, feed->slots);
    uint32_t reads = MIN(fresh, (uint32_t)FEED_LOOK);
    for (uint32_t i = 0; i < reads; i++) {
        /* Spread over what is new, so that a busy feed is not only its last minute. */
        uint32_t serial = head - (uint32_t)((uint64_t)fresh * i / reads);
        const struct wire_post *post = feed_post(feed, serial);
        if (post) react(quarter, local, post);
    }
    me->feed_seen = head;
    if (me->browsed_today < UINT8_MAX) me->browsed_today++;
    need_add(me, BOREDOM, -600 - 300 * (int)reads);
    need_add(me, LONELINESS, -60 * (int)reads);
    if (reads == 0) feel(me, BORED, 2);
}

static void end_post(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = now_of(quarter);
    const struct memory *about =
        memory_best_since(memories_of(quarter, local), now - MINUTES_PER_DAY);
    bool tells = about && about->subject != SUBJECT_NONE && rng_below(&me->rng, 3) > 0;
    enum subject subject = tells ? (enum subject)about->subject : some_subject(quarter, local);
    mail_send(quarter, &(struct mail){.from = quarter->first + local,
                                      .to = tells ? about->who : NOBODY,
                                      .kind = MAIL_POST,
                                      .subject = (uint8_t)subject,
                                      .mood = (int8_t)emotion_valence((enum emotion)me->emotion),
                                      .ref = me->place});
    me->urge = 0;
    if (me->posts_today < UINT8_MAX) me->posts_today++;
    need_add(me, BOREDOM, -800);
    need_add(me, LONELINESS, -400);
    remember_fact(quarter, local, FACT_POSTED, NOBODY, subject, 3, 20);
    quarter->tally.posts++;
}

static void write_to(struct quarter *quarter, uint32_t local, uint32_t who, bool answer)
{
    struct resident *me = resident_at(quarter, local);
    int32_t day = day_of(now_of(quarter));
    struct relation *relation = know(quarter, local, who);
    relation_meet(relation, day, 25, 1);
    if (relation->said_today < UINT8_MAX) relation->said_today++;
    /* Answering members keeps nobody from writing to its neighbours. */
    if (!is_member(who) && me->messages_today < UINT8_MAX) me->messages_today++;
    need_add(me, LONELINESS, -700);
    enum subject subject = some_subject(quarter, local);
    if (!is_member(who))
        mail_send(quarter, &(struct mail){.from = quarter->first + local,
                                          .to = who,
                                          .kind = MAIL_MESSAGE,
                                          .subject = (uint8_t)subject,
                                          .mood = (int8_t)MIN(relation_bond(relation), 100)});
    struct effect effect = effect_of(quarter, local, EFFECT_MESSAGE);
    effect.other = who;
    effect.ref = answer;
    effect.subject = (uint8_t)subject;
    effect.mood = (int8_t)emotion_valence((enum emotion)me->emotion);
    effect_emit(quarter, &effect);
    quarter->tally.messages++;
    remember_fact(quarter, local, FACT_WROTE_TO, who, subject, 2, 20);
}

/* Members are answered whenever they write (how often in an hour is for whoever performs it);
 * residents less and less often on one day. */
static bool will_answer(struct quarter *quarter, uint32_t local, uint32_t who)
{
    struct resident *me = resident_at(quarter, local);
    if (is_gone(quarter, who)) return false;
    const struct relation *relation = know(quarter, local, who);
    bool today = relation->last_day == (uint16_t)day_of(now_of(quarter));
    int said = today ? relation->said_today : 0;
    if (is_member(who)) return true;
    if (said >= SAID_A_DAY) return false;
    return (int)rng_below(&me->rng, 100) < 75 + relation_bond(relation) / 5 - 22 * said;
}

struct senders {
    uint32_t who[ANSWERS_MAX], seq[ANSWERS_MAX];
    size_t count;
};

static bool note_sender(const struct item *item, void *ctx)
{
    struct senders *senders = ctx;
    if (item->kind != HAPPEN_NOTICE) return true;
    senders->who[senders->count] = item->data;
    senders->seq[senders->count++] = item->seq;
    return senders->count < ANSWERS_MAX;
}

static void read_from(struct quarter *quarter, uint32_t local, uint32_t who)
{
    struct resident *me = resident_at(quarter, local);
    remember_fact(quarter, local, FACT_HEARD_FROM, who, SUBJECT_NONE, is_member(who) ? 5 : 3, 30);
    if (me->unread > 0) me->unread--;
    need_add(me, LONELINESS, -400);
    struct effect effect = effect_of(quarter, local, EFFECT_READ);
    effect.other = who;
    effect_emit(quarter, &effect);
    if (will_answer(quarter, local, who)) write_to(quarter, local, who, true);
}

/* What a member has said to it below a post: it says something back, and what that is finds whoever
 * writes it. Only members are answered so. */
static void answer_remark(struct quarter *quarter, uint32_t local, uint32_t serial)
{
    struct resident *me = resident_at(quarter, local);
    need_add(me, LONELINESS, -400);
    const struct wire_post *post = feed_post(quarter->feed, serial);
    struct effect effect = effect_of(quarter, local, EFFECT_COMMENT);
    effect.other = effect.who;
    effect.ref = serial;
    effect.subject = post ? post->subject : SUBJECT_NONE;
    effect.mood = (int8_t)emotion_valence((enum emotion)me->emotion);
    effect_emit(quarter, &effect);
    quarter->tally.comments++;
}

/* Whoever made the phone buzz comes first, then others who wait, the newest on top. */
static void end_check(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    if (me->deed_ref) answer_remark(quarter, local, me->deed_ref);
    if (me->deed_who != NOBODY) read_from(quarter, local, me->deed_who);
    struct senders senders = {0};
    agenda_each_of(quarter->agenda, local, note_sender, &senders);
    for (size_t i = 0; i < senders.count; i++) {
        struct item item;
        bool was = agenda_cancel(quarter->agenda, local, senders.seq[i], &item);
        ASSERT(was);
        if (senders.who[i] == me->deed_who) { /* answered already, with all it wrote */
            if (me->unread > 0) me->unread--;
            continue;
        }
        read_from(quarter, local, senders.who[i]);
    }
    if (senders.count < ANSWERS_MAX) me->unread = 0;
}

static void end_follow(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    struct relation *relation = know(quarter, local, me->deed_who);
    if (relation->flags & FOLLOWS) return;
    relation->flags |= FOLLOWS;
    mail_send(
        quarter,
        &(struct mail){.from = quarter->first + local, .to = me->deed_who, .kind = MAIL_FOLLOW});
    struct effect effect = effect_of(quarter, local, EFFECT_FOLLOW);
    effect.other = me->deed_who;
    effect_emit(quarter, &effect);
    quarter->tally.follows++;
}

/* Posts of one person among the newest. */
static void end_profile(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    const struct feed *feed = quarter->feed;
    struct relation *relation = know(quarter, local, me->deed_who);
    relation->familiarity = (uint8_t)MIN(relation->familiarity + 3, 100);
    relation->last_day = (uint16_t)MIN(day_of(now_of(quarter)), UINT16_MAX);
    need_add(me, BOREDOM, -400);
    int reads = 0;
    uint32_t oldest = feed->head > 256 ? feed->head - 256 : 0;
    for (uint32_t serial = feed->head; serial > MAX(oldest, me->feed_seen) && reads < PROFILE_LOOK;
         serial--) {
        const struct wire_post *post = feed_post(feed, serial);
        if (!post || post->author != me->deed_who) continue;
        need_add(me, BOREDOM, -interest(quarter->first + local, (enum subject)post->subject) * 4);
        reads++;
    }
}

/* --- the end of any deed --- */

static bool end_whole(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    if (reaches_nobody(quarter, (enum deed)me->deed, me->deed_who)) return false;
    switch ((enum deed)me->deed) {
    case DEED_MOVE_TO: return end_move(quarter, local);
    case DEED_TALK_TO:
    case DEED_GREET: end_talk(quarter, local); break;
    case DEED_REST:
        need_add(me, FATIGUE, -REST_MENDS);
        health_add(me, 150);
        break;
    case DEED_SLEEP: end_sleep(quarter, local); break;
    case DEED_EAT: end_meal(quarter, local, MEAL_FILLS); break;
    case DEED_WORK: end_work(quarter, local); break;
    case DEED_USE_ITEM:
        if (!thing_use(things_of(quarter, local), THING_FOOD)) return false;
        end_meal(quarter, local, SNACK_FILLS);
        break;
    case DEED_THINK: end_thought(quarter, local); break;
    case DEED_BROWSE_POSTS: end_browse(quarter, local); break;
    case DEED_CREATE_POST: end_post(quarter, local); break;
    case DEED_CHECK_MESSAGES: end_check(quarter, local); break;
    case DEED_SEND_MESSAGE: write_to(quarter, local, me->deed_who, false); break;
    case DEED_VIEW_USER_PROFILE: end_profile(quarter, local); break;
    case DEED_FOLLOW: end_follow(quarter, local); break;
    case DEED_LOOK_AROUND:
        need_add(me, BOREDOM, -60 * (now_of(quarter) - me->deed_at));
        if (me->place != NOWHERE) come_upon(quarter, local);
        break;
    case DEED_IDLE:
    case DEED_WAIT:
    case DEED_GIVE:
    case DEED_COUNT: break;
    }
    return true;
}

void deed_end(struct quarter *quarter, uint32_t local, bool whole)
{
    struct resident *me = resident_at(quarter, local);
    ASSERT(me->deed != DEED_IDLE);
    int32_t now = now_of(quarter);
    body_pass(me, now, deed_info((enum deed)me->deed)->exertion);
    struct effect effect = effect_of(quarter, local, EFFECT_DEED);
    effect.at = me->deed_at;
    effect.minutes = (uint16_t)(now - me->deed_at);
    effect.deed = me->deed;
    effect.why = me->deed_why;
    effect.other = me->deed_who;
    effect.place = me->deed == DEED_MOVE_TO ? me->deed_place : me->place;
    if (me->deed == DEED_TALK_TO || me->deed == DEED_GREET) {
        effect.subject = (uint8_t)(me->deed_ref & 0xff);
        effect.mood = (int8_t)((int)(me->deed_ref >> 8 & 0xff) - 128);
    }
    /* What a broken-off deed did so far counts for the body alone. */
    effect.fine = !whole || end_whole(quarter, local);
    effect.ref = whole;
    if (!effect.fine) quarter->tally.failed++;
    effect_emit(quarter, &effect);
    quarter->tally.by_hour[hour_of(me->deed_at)][me->deed] += effect.minutes;
    me->before = me->deed;
    me->deed = DEED_IDLE;
    me->deed_why = REASON_NONE;
    me->deed_who = NOBODY;
    me->deed_ref = 0;
    me->deed_seq = 0;
    me->deed_place = NOWHERE;
    me->deed_at = me->deed_until = now;
}

/* Spoken to with the phone in its hand: what a member wrote is looked at when that is over. */
static void look_again(struct quarter *quarter, uint32_t local)
{
    const struct resident *me = resident_at(quarter, local);
    bool remark = me->deed_ref != 0;
    if (me->deed != DEED_CHECK_MESSAGES || !(remark || is_member(me->deed_who))) return;
    struct item again = {.at = now_of(quarter) + AGAIN_MINUTES,
                         .kind = remark ? HAPPEN_REMARK : HAPPEN_NOTICE,
                         .priority = PRIORITY_HIGH,
                         .who = local,
                         .data = remark ? me->deed_ref : me->deed_who};
    agenda_add(quarter->agenda, &again);
}

void deed_interrupt(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    if (me->deed == DEED_IDLE) return;
    struct item item;
    bool was = agenda_cancel(quarter->agenda, local, me->deed_seq, &item);
    ASSERT(was && item.kind == HAPPEN_DEED);
    look_again(quarter, local);
    deed_end(quarter, local, false);
}
