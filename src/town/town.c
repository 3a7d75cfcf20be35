/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/town.c: the quarters together: rounds, the sky, the phone.
 *
 * A round: the sky, if an hour begins; every quarter, on whatever threads; then,
 * on one, the mail of all quarters in their order. Rounds begin at multiples of
 * `mail_minutes`, so none crosses an hour; one may be lived in parts, and what is
 * written waits for its end. Minutes in which nothing is due are not looked at.
 */
#include "town/town.h"

#include "base/mem.h"
#include "town/internal.h"

struct town_settings town_settings_default(uint64_t seed)
{
    return (struct town_settings){.seed = seed,
                                  .feed_slots = 4096,
                                  .memory_slots = 120,
                                  .relation_slots = 64,
                                  .keep_effects = 1,
                                  .ask_share = 0,
                                  .asks_a_day = 24,
                                  .answer_minutes = 5,
                                  .mail_minutes = 1};
}

struct town_settings town_settings_large(uint64_t seed)
{
    struct town_settings settings = town_settings_default(seed);
    settings.memory_slots = 16;
    settings.relation_slots = 10;
    settings.feed_slots = 16384;
    settings.keep_effects = 0;
    settings.mail_minutes = 15;
    return settings;
}

bool town_settings_fit(const struct town_settings *settings)
{
    uint32_t slots = settings->feed_slots;
    return slots >= 64 && slots <= 1U << 20 && (slots & (slots - 1)) == 0 &&
           settings->memory_slots >= MEMORY_SLOTS_MIN &&
           settings->memory_slots <= MEMORY_SLOTS_MAX && settings->relation_slots >= 4 &&
           settings->relation_slots <= MEMORY_SLOTS_MAX && settings->ask_share <= 100 &&
           settings->keep_effects <= 1 && settings->late <= 1 && settings->mail_minutes > 0 &&
           MINUTES_PER_HOUR % settings->mail_minutes == 0;
}

void quarter_join(struct town *town, uint32_t number)
{
    struct quarter *quarter = &town->quarter[number];
    quarter->number = number;
    quarter->first = town->first_of[number];
    quarter->town = town;
    quarter->settings = &town->settings;
    quarter->sky = &town->sky;
    quarter->feed = &town->feed;
}

struct town *town_empty(const struct town_settings *settings, uint32_t quarters)
{
    ASSERT(town_settings_fit(settings));
    struct town *town = NEW(struct town);
    town->settings = *settings;
    town->now = TOWN_START_MIN;
    town->quarters = quarters;
    town->quarter = mem_alloc(sizeof(struct quarter) * quarters);
    town->first_of = mem_alloc(sizeof(uint32_t) * (quarters + 1));
    town->feed.slots = settings->feed_slots;
    town->feed.post = mem_alloc(sizeof(struct wire_post) * settings->feed_slots);
    return town;
}

struct town *town_new(const struct town_settings *settings, const struct quarter_draft *drafts,
                      uint32_t count)
{
    ASSERT(count > 0);
    struct town *town = town_empty(settings, count);
    sky_init(&town->sky, settings->seed, TOWN_START_MIN);
    for (uint32_t i = 0; i < count; i++) {
        town->first_of[i] = town->residents;
        town->residents += drafts[i].resident_count;
        quarter_join(town, i);
        quarter_init(&town->quarter[i], &drafts[i]);
    }
    town->first_of[count] = town->residents;
    ASSERT(town->residents <= TOWN_RESIDENTS_MAX);
    return town;
}

void town_free(struct town *town)
{
    if (!town) return;
    for (uint32_t i = 0; i < town->quarters; i++) quarter_release(&town->quarter[i]);
    mem_free(town->quarter);
    mem_free(town->first_of);
    mem_free(town->feed.post);
    mem_free(town->effects);
    mem_free(town);
}

/* --- who is where --- */

uint32_t town_quarter_of(const struct town *town, uint32_t who)
{
    ASSERT(who < town->residents);
    uint32_t low = 0, high = town->quarters;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (who < town->first_of[middle])
            high = middle;
        else
            low = middle;
    }
    return low;
}

struct quarter *home_of(const struct town *town, uint32_t who, uint32_t *local_out)
{
    struct quarter *quarter = &town->quarter[town_quarter_of(town, who)];
    *local_out = who - quarter->first;
    return quarter;
}

/* --- the phone --- */

static const struct wire_post *feed_add(struct town *town, uint32_t author, enum subject subject,
                                        int mood)
{
    struct feed *feed = &town->feed;
    feed->head++;
    ASSERT(feed->head != 0);
    struct wire_post *post = &feed->post[feed->head % feed->slots];
    *post = (struct wire_post){.serial = feed->head,
                               .author = author,
                               .at = town->now,
                               .subject = (uint8_t)subject,
                               .mood = (int8_t)mood};
    return post;
}

static struct wire_post *feed_find(struct town *town, uint32_t serial)
{
    struct wire_post *post = &town->feed.post[serial % town->feed.slots];
    return serial != 0 && post->serial == serial ? post : NULL;
}

/* Somebody far away did something that concerns a resident. */
static void hear(struct town *town, uint32_t who, enum fact_kind fact, uint32_t from,
                 enum subject subject, int importance, int pleasant, int closer)
{
    if (town_is_gone(town, who)) return;
    uint32_t local;
    struct quarter *quarter = home_of(town, who, &local);
    struct resident *me = resident_at(quarter, local);
    struct memory memory = {.at = town->now,
                            .who = from,
                            .place = NOWHERE,
                            .fact = (uint8_t)fact,
                            .subject = (uint8_t)subject,
                            .type = MEMORY_RELATION,
                            .importance = (uint8_t)importance,
                            .valence = (int8_t)pleasant};
    remember(quarter, local, &memory);
    relation_meet(relation_get(relations_of(quarter, local), from, day_of(town->now)),
                  day_of(town->now), pleasant, closer);
    if (me->deed != DEED_SLEEP) feel(me, HAPPY, 2);
}

static void message_arrives(struct town *town, uint32_t to, uint32_t from)
{
    if (town_is_gone(town, to)) return; /* while it was on its way */
    uint32_t local;
    struct quarter *quarter = home_of(town, to, &local);
    struct resident *me = resident_at(quarter, local);
    if (me->unread < UINT16_MAX) me->unread++;
    struct item notice = {.at = town->now + mind_notice_minutes(quarter, local, from),
                          .kind = HAPPEN_NOTICE,
                          .priority = PRIORITY_HIGH,
                          .who = local,
                          .data = from};
    agenda_add(quarter->agenda, &notice);
}

/* Below a post: what was said to `to`, who looks at it as at a message. */
static void remark_arrives(struct town *town, const struct input *input)
{
    struct wire_post *post = feed_find(town, input->ref);
    if (post && post->comments < UINT16_MAX) post->comments++;
    uint32_t local;
    struct quarter *quarter = home_of(town, input->to, &local);
    hear(town, input->to, input->choice ? FACT_COMMENTED_BY : FACT_HEARD_FROM, input->from,
         post ? (enum subject)post->subject : SUBJECT_NONE, 5, MAX(input->mood, 10), 1);
    struct item notice = {.at = town->now + mind_notice_minutes(quarter, local, input->from),
                          .kind = HAPPEN_REMARK,
                          .priority = PRIORITY_HIGH,
                          .who = local,
                          .data = input->ref};
    agenda_add(quarter->agenda, &notice);
}

static void follow_arrives(struct town *town, uint32_t to, uint32_t from)
{
    if (town_is_gone(town, to)) return;
    uint32_t local;
    struct quarter *quarter = home_of(town, to, &local);
    hear(town, to, FACT_FOLLOWED_BY, from, SUBJECT_NONE, 4, 50, 2);
    relation_get(relations_of(quarter, local), from, day_of(town->now))->flags |= FOLLOWED;
}

static void post_arrives(struct town *town, struct quarter *quarter, const struct mail *mail)
{
    const struct wire_post *post =
        feed_add(town, mail->from, (enum subject)mail->subject, mail->mood);
    struct effect effect = effect_of(quarter, mail->from - quarter->first, EFFECT_POST);
    effect.ref = post->serial;
    effect.other = mail->to; /* whom it is about */
    effect.place = (uint16_t)mail->ref;
    effect.subject = mail->subject;
    effect.mood = mail->mood;
    effect_emit(quarter, &effect);
}

/* Likes and comments: counted, and told to the author if it lives here. */
static void reaction_arrives(struct town *town, const struct mail *mail)
{
    struct wire_post *post = feed_find(town, mail->ref);
    if (!post) return; /* nobody remembers it any more */
    bool like = mail->kind == MAIL_LIKE;
    uint16_t *counter = like ? &post->likes : &post->comments;
    if (*counter < UINT16_MAX) (*counter)++;
    if (is_member(post->author) || post->author == mail->from) return;
    hear(town, post->author, like ? FACT_LIKED_BY : FACT_COMMENTED_BY, mail->from,
         (enum subject)post->subject, like ? 1 : 3, like ? 25 : MAX(mail->mood, 10), 1);
}

static void mail_deliver(struct town *town, struct quarter *quarter)
{
    for (uint32_t i = 0; i < quarter->mails; i++) {
        const struct mail *mail = &quarter->mail[i];
        switch ((enum mail_kind)mail->kind) {
        case MAIL_POST: post_arrives(town, quarter, mail); break;
        case MAIL_LIKE:
        case MAIL_COMMENT: reaction_arrives(town, mail); break;
        case MAIL_MESSAGE: message_arrives(town, mail->to, mail->from); break;
        case MAIL_FOLLOW:
            if (!is_member(mail->to)) follow_arrives(town, mail->to, mail->from);
            break;
        }
    }
    quarter->mails = 0;
}

/* --- time --- */

int32_t town_now(const struct town *town)
{
    return town->now;
}

/* The last minute of the round that `at` is in. */
static int32_t round_end(const struct town *town, int32_t at)
{
    int32_t minutes = town->settings.mail_minutes;
    return at - at % minutes + minutes - 1;
}

int32_t town_next_at(const struct town *town)
{
    int32_t next = INT32_MAX, delivery = round_end(town, town->now);
    for (uint32_t i = 0; i < town->quarters && next > town->now; i++) {
        next = MIN(next, agenda_next_at(town->quarter[i].agenda));
        if (town->quarter[i].mails) next = MIN(next, delivery);
    }
    return next;
}

static void hours_pass(struct town *town, int32_t until)
{
    while (town->sky.at + MINUTES_PER_HOUR <= until) {
        if (!sky_hour(&town->sky, town->sky.at + MINUTES_PER_HOUR)) continue;
        struct effect effect = effect_of(&town->quarter[0], 0, EFFECT_SKY);
        effect.at = town->sky.at;
        effect.who = NOBODY;
        effect.place = NOWHERE;
        effect.fact = town->sky.weather;
        effect_emit(&town->quarter[0], &effect);
    }
}

struct round {
    struct town *town;
    int32_t until;
};

static void run_quarter(void *ctx, uint32_t number)
{
    const struct round *round = ctx;
    quarter_run(&round->town->quarter[number], round->until);
}

/* Up to and including minute `until`, which lies in the round in which something is due next. */
static void run_round(struct town *town, int32_t until, const struct town_runner *runner)
{
    town->now = until;
    hours_pass(town, until);
    struct round round = {town, until};
    if (runner && town->quarters > 1) {
        runner->run(runner->ctx, town->quarters, run_quarter, &round);
    } else {
        for (uint32_t i = 0; i < town->quarters; i++) run_quarter(&round, i);
    }
    if (until < round_end(town, until)) return;
    for (uint32_t i = 0; i < town->quarters; i++) mail_deliver(town, &town->quarter[i]);
}

void town_advance(struct town *town, int32_t until, const struct town_runner *runner)
{
    ASSERT(until >= town->now && until <= TOWN_END_MIN);
    int32_t next;
    while ((next = town_next_at(town)) <= until)
        run_round(town, MIN(round_end(town, next), until), runner);
    if (town->now < until) run_round(town, until, NULL);
}

/* --- effects --- */

const struct effect *town_effects(struct town *town, size_t *count_out)
{
    if (town->quarters == 1) {
        *count_out = town->quarter[0].effects;
        return town->quarter[0].effect;
    }
    size_t count = 0;
    for (uint32_t i = 0; i < town->quarters; i++) count += town->quarter[i].effects;
    if (count > town->effects_max) {
        town->effects = mem_resize(town->effects, sizeof(struct effect) * count);
        town->effects_max = count;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < town->quarters; i++) {
        const struct quarter *quarter = &town->quarter[i];
        if (quarter->effects)
            memcpy(town->effects + at, quarter->effect, sizeof(struct effect) * quarter->effects);
        at += quarter->effects;
    }
    *count_out = count;
    return town->effects;
}

void town_forget_effects(struct town *town)
{
    for (uint32_t i = 0; i < town->quarters; i++) town->quarter[i].effects = 0;
}

uint64_t town_effect_count(const struct town *town)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < town->quarters; i++) count += town->quarter[i].effect_count;
    return count;
}

const char *effect_kind_name(enum effect_kind kind)
{
    static const char *const names[EFFECT_KIND_COUNT] = {
        "began", "deed",   "woke",     "met", "talk", "post",  "like", "comment", "message",
        "read",  "follow", "remember", "ask", "sky",  "taken", "left", "came"};
    return names[kind];
}

/* --- inputs --- */

size_t input_bytes(const struct input *input)
{
    return input->kind == INPUT_MOVE_IN ? sizeof(*input) : offsetof(struct input, draft);
}

bool input_read(struct str bytes, struct input *input_out)
{
    *input_out = (struct input){0};
    if (bytes.len < offsetof(struct input, draft) || bytes.len > sizeof(*input_out)) return false;
    memcpy(input_out, bytes.at, bytes.len);
    return bytes.len == input_bytes(input_out);
}

static enum err resident_get(const struct town *town, uint32_t who, struct why *why)
{
    if (who < town->residents && !town_is_gone(town, who)) return OK;
    if (who < town->residents) return why_set(why, ERR_NOT_FOUND, "resident %u has moved out", who);
    return why_set(why, ERR_INVALID, "the town has residents 0 to %u, not %u", town->residents - 1,
                   who);
}

static enum err input_answer(struct town *town, const struct input *input, struct why *why)
{
    uint32_t local;
    struct quarter *quarter = home_of(town, input->to, &local);
    const struct question *question = question_find(quarter, input->to);
    if (!question || question->number != input->ref)
        return why_set(why, ERR_NOT_FOUND, "resident %u no longer asks question %u", input->to,
                       input->ref);
    if (input->choice != UINT8_MAX && input->choice >= question->count)
        return why_set(why, ERR_INVALID, "question %u has options 0 to %u, not %u", input->ref,
                       question->count - 1, input->choice);
    answer_take(quarter, local, input->choice, input->minutes);
    return OK;
}

static enum err input_invite(struct town *town, const struct input *input, struct why *why)
{
    uint32_t local;
    struct quarter *quarter = home_of(town, input->to, &local);
    if (input->from == input->to || !is_neighbour(quarter, input->from) ||
        is_gone(quarter, input->from))
        return why_set(why, ERR_INVALID, "resident %u has no neighbour %u to see", input->to,
                       input->from);
    mind_plan_visit(quarter, local, input->from, input->minutes);
    return OK;
}

static bool plan_is_late(const struct town *town, const struct resident *me)
{
    return town->now > me->woke_at + PLAN_IN_MINUTES;
}

bool town_is_planning(const struct town *town, uint32_t who)
{
    const struct resident *me = town_resident(town, who);
    return me->planning && !plan_is_late(town, me);
}

static enum err input_plan(struct town *town, const struct input *input, struct why *why)
{
    uint32_t local;
    struct quarter *quarter = home_of(town, input->to, &local);
    struct resident *me = resident_at(quarter, local);
    bool first = input->type == 0, asks = first ? me->planning : me->plan_model;
    bool none = first && input->choice == UINT8_MAX;
    if (!asks || input->ref != (uint32_t)me->woke_at || (!none && plan_is_late(town, me)))
        return why_set(why, ERR_NOT_FOUND, "resident %u does not ask for a plan of minute %u",
                       input->to, input->ref);
    if (none) {
        me->planning = 0;
        return OK;
    }
    struct plan_step step = {
        .from_min = input->minutes, .kind = input->choice, .quarters = input->importance};
    if (!mind_may_plan(quarter, local, &step, input->from) ||
        !mind_plan_step(quarter, local, &step, input->from, first))
        return why_set(why, ERR_INVALID, "resident %u cannot plan %u at minute %u for %u quarters",
                       input->to, input->choice, input->minutes, input->importance);
    quarter->tally.answers += first;
    return OK;
}

static enum err input_set(struct town *town, const struct input *input, struct why *why)
{
    struct town_settings settings = town->settings;
    settings.ask_share = input->choice;
    settings.answer_minutes = input->minutes;
    settings.asks_a_day = (uint16_t)MIN(input->ref, (uint32_t)UINT16_MAX);
    settings.late = input->importance;
    if (!town_settings_fit(&settings))
        return why_set(why, ERR_INVALID, "a town cannot be set so: ask_share %u, late %u",
                       input->choice, input->importance);
    town->settings = settings;
    return OK;
}

static enum err input_text(struct town *town, const struct input *input, struct why *why)
{
    if (input->importance < 1 || input->importance > 10 || input->type >= MEMORY_TYPE_COUNT)
        return why_set(why, ERR_INVALID, "a memory has a type and an importance of 1 to 10");
    uint32_t local;
    struct quarter *quarter = home_of(town, input->to, &local);
    static const uint8_t facts[MEMORY_TYPE_COUNT] = {FACT_COMMON, FACT_DAY, FACT_SELF, FACT_READ,
                                                     FACT_TALKED};
    struct memory memory = {.at = town->now,
                            .who = input->from,
                            .ref = input->ref,
                            .place = NOWHERE,
                            .fact = facts[input->type],
                            .subject = input->subject,
                            .type = input->type,
                            .importance = input->importance,
                            .valence = input->mood};
    remember(quarter, local, &memory);
    return OK;
}

enum err town_input(struct town *town, const struct input *input, struct why *why)
{
    /* Whoever replays a journal runs a minute whole and then tells what was told in it. */
    ASSERT(town_next_at(town) > town->now);
    if (input->kind >= INPUT_KIND_COUNT || input->subject >= SUBJECT_COUNT || input->mood < -100 ||
        input->mood > 100)
        return why_set(why, ERR_INVALID, "no town takes an input of kind %u, subject %u, mood %d",
                       input->kind, input->subject, input->mood);
    bool to_resident = input->kind == INPUT_MESSAGE || input->kind == INPUT_FOLLOW ||
                       input->kind == INPUT_ANSWER || input->kind == INPUT_TEXT ||
                       input->kind == INPUT_MOVE_OUT || input->kind == INPUT_REMARK ||
                       input->kind == INPUT_INVITE || input->kind == INPUT_PLAN;
    enum err err = to_resident ? resident_get(town, input->to, why) : OK;
    if (err) return err;
    switch ((enum input_kind)input->kind) {
    case INPUT_MESSAGE: message_arrives(town, input->to, input->from); return OK;
    case INPUT_FOLLOW: follow_arrives(town, input->to, input->from); return OK;
    case INPUT_ANSWER: return input_answer(town, input, why);
    case INPUT_TEXT: return input_text(town, input, why);
    case INPUT_SET: return input_set(town, input, why);
    case INPUT_MOVE_OUT: move_out(town, input->to); return OK;
    case INPUT_MOVE_BACK: return move_back(town, input->to, why);
    case INPUT_MOVE_IN: return move_in(town, input, why);
    case INPUT_REMARK: remark_arrives(town, input); return OK;
    case INPUT_INVITE: return input_invite(town, input, why);
    case INPUT_PLAN: return input_plan(town, input, why);
    case INPUT_POST: {
        const struct wire_post *post =
            feed_add(town, input->from, (enum subject)input->subject, input->mood);
        struct effect effect = effect_of(&town->quarter[0], 0, EFFECT_TAKEN);
        effect.who = input->from;
        effect.other = input->ref;
        effect.ref = post->serial;
        effect.place = NOWHERE;
        effect_emit(&town->quarter[0], &effect);
        return OK;
    }
    case INPUT_LIKE:
    case INPUT_COMMENT: {
        if (!feed_find(town, input->ref))
            return why_set(why, ERR_NOT_FOUND, "nobody remembers post %u any more", input->ref);
        reaction_arrives(
            town, &(struct mail){.from = input->from,
                                 .ref = input->ref,
                                 .kind = input->kind == INPUT_LIKE ? MAIL_LIKE : MAIL_COMMENT,
                                 .mood = input->mood});
        return OK;
    }
    case INPUT_KIND_COUNT: break;
    }
    return OK;
}

/* --- looking --- */

const struct question *town_question(const struct town *town, uint32_t who)
{
    return question_find(&town->quarter[town_quarter_of(town, who)], who);
}

uint32_t town_questions_open(const struct town *town)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < town->quarters; i++) open += town->quarter[i].questions;
    return open;
}

/* Numbers go round after four billion questions of a quarter; two that wait are near each other. */
static int by_number(const void *a, const void *b)
{
    const struct question *const *one = a, *const *other = b;
    return (int32_t)((*one)->number - (*other)->number) < 0 ? -1 : 1;
}

void town_questions(const struct town *town, const struct question **out)
{
    for (uint32_t i = 0; i < town->quarters; i++) {
        const struct quarter *quarter = &town->quarter[i];
        for (uint32_t n = 0; n < quarter->questions; n++) out[n] = &quarter->question[n];
        qsort(out, quarter->questions, sizeof(*out), by_number);
        out += quarter->questions;
    }
}

uint32_t town_planning(const struct town *town, uint32_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < town->quarters; i++) {
        const struct quarter *quarter = &town->quarter[i];
        for (uint32_t n = 0; n < quarter->count; n++) {
            const struct resident *me = &quarter->resident[n];
            if (!me->planning || plan_is_late(town, me)) continue;
            if (out) out[count] = quarter->first + n;
            count++;
        }
    }
    return count;
}

const struct town_settings *town_settings(const struct town *town)
{
    return &town->settings;
}

const struct sky *town_sky(const struct town *town)
{
    return &town->sky;
}

uint32_t town_resident_count(const struct town *town)
{
    return town->residents;
}

const struct resident *town_resident(const struct town *town, uint32_t who)
{
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    return resident_at(quarter, local);
}

struct resident town_body(const struct town *town, uint32_t who)
{
    struct resident body = *town_resident(town, who);
    if (town->now > body.since)
        body_pass(&body, town->now, deed_info((enum deed)body.deed)->exertion);
    return body;
}

const struct places *town_places(const struct town *town, uint32_t quarter)
{
    ASSERT(quarter < town->quarters);
    return &town->quarter[quarter].places;
}

void town_position(const struct town *town, uint32_t who, int32_t *x_out, int32_t *y_out)
{
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    const struct resident *me = resident_at(quarter, local);
    const struct place *place = quarter->places.place;
    if (me->place != NOWHERE) {
        place_spot(&place[me->place], me->seat, x_out, y_out);
        return;
    }
    place_centre(&place[me->near], x_out, y_out);
    if (me->deed != DEED_MOVE_TO) return; /* it stands before a door */
    int32_t x, y, minutes = me->deed_until - me->deed_at,
                  gone = MIN(town->now - me->deed_at, minutes);
    place_centre(&place[me->deed_place], &x, &y);
    *x_out += (int32_t)((int64_t)(x - *x_out) * gone / minutes);
    *y_out += (int32_t)((int64_t)(y - *y_out) * gone / minutes);
}

const struct memory *town_memories(const struct town *town, uint32_t who, size_t *count_out)
{
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    struct memories memories = memories_of(quarter, local);
    *count_out = *memories.count;
    return memories.memory;
}

const struct relation *town_relations(const struct town *town, uint32_t who, size_t *count_out)
{
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    struct relations relations = relations_of(quarter, local);
    *count_out = *relations.count;
    return relations.relation;
}

const struct thing *town_things(const struct town *town, uint32_t who, size_t *count_out)
{
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    struct things things = things_of(quarter, local);
    *count_out = *things.count;
    return things.thing;
}

enum { NEAR_PEOPLE_MAX = 64, NEAR_UNITS = 30 };

size_t town_people_near(const struct town *town, uint32_t who, uint32_t *found_out, size_t max)
{
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    const struct resident *me = resident_at(quarter, local);
    ASSERT(max > 0 && max <= NEAR_PEOPLE_MAX);
    if (me->place == NOWHERE) return 0;
    const struct place *place = &quarter->places.place[me->place];
    int32_t x, y, far[NEAR_PEOPLE_MAX];
    place_spot(place, me->seat, &x, &y);
    size_t count = 0;
    for (uint32_t seat = 0; seat < place->here; seat++) {
        if (seat == me->seat) continue;
        int32_t ox, oy;
        place_spot(place, seat, &ox, &oy);
        int32_t d = distance_between(x, y, ox, oy);
        if (d > NEAR_UNITS * UNIT) continue;
        size_t at = count;
        while (at > 0 && far[at - 1] > d) at--;
        if (at == max) continue;
        if (count < max) count++;
        for (size_t i = count - 1; i > at; i--) {
            far[i] = far[i - 1];
            found_out[i] = found_out[i - 1];
        }
        far[at] = d;
        found_out[at] = place_sitting(&quarter->places, place, seat);
    }
    return count;
}

uint32_t town_feed_head(const struct town *town)
{
    return town->feed.head;
}

const struct wire_post *town_post(const struct town *town, uint32_t serial)
{
    const struct wire_post *post = &town->feed.post[serial % town->feed.slots];
    return serial != 0 && post->serial == serial ? post : NULL;
}

struct town_tally town_tally(const struct town *town)
{
    /* A tally is counters and nothing else. */
    static_assert(sizeof(struct town_tally) % sizeof(uint64_t) == 0, "only counters");
    struct town_tally sum = {0};
    uint64_t words[sizeof(sum) / sizeof(uint64_t)], more[COUNT_OF(words)];
    memset(words, 0, sizeof(words));
    for (uint32_t i = 0; i < town->quarters; i++) {
        memcpy(more, &town->quarter[i].tally, sizeof(more));
        for (size_t j = 0; j < COUNT_OF(words); j++) words[j] += more[j];
    }
    memcpy(&sum, words, sizeof(sum));
    return sum;
}

size_t town_bytes(const struct town *town)
{
    const struct town_settings *settings = &town->settings;
    size_t bytes = sizeof(*town) + sizeof(struct wire_post) * town->feed.slots;
    for (uint32_t i = 0; i < town->quarters; i++) {
        const struct quarter *quarter = &town->quarter[i];
        size_t each = sizeof(struct resident) + sizeof(struct memory) * settings->memory_slots +
                      sizeof(struct relation) * settings->relation_slots +
                      sizeof(struct thing) * THINGS_MAX;
        bytes += sizeof(*quarter) + each * quarter->room + agenda_bytes(quarter->agenda) +
                 (sizeof(struct place) + sizeof(uint16_t)) * quarter->places.count +
                 sizeof(uint32_t) * quarter->places.seat_count +
                 sizeof(struct mail) * quarter->mails_max +
                 sizeof(struct effect) * quarter->effects_max +
                 sizeof(struct question) * quarter->questions_max;
    }
    return bytes;
}

void town_check(const struct town *town)
{
    for (uint32_t i = 0; i < town->quarters; i++) {
        quarter_check(&town->quarter[i]);
        ASSERT(town->quarter[i].mails == 0 || town->now < round_end(town, town->now));
    }
    for (uint32_t i = 0; i < town->feed.slots; i++)
        ASSERT(town->feed.post[i].serial == 0 || town->feed.post[i].serial % town->feed.slots == i);
}
