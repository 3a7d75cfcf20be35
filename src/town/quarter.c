/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/quarter.c: a quarter's minutes: its agenda, and what happens when an item
 * comes up.
 *
 * A resident is always in one deed, and the end of that deed stands in the agenda.
 * There it decides and begins the next one in the same moment, so nobody is ever
 * without, whatever a decision came to: that is what keeps the clock going.
 */
#include "town/internal.h"

#include "base/mem.h"

enum {
    FIRST_MINUTES = 10, /* on the first morning not all decide in one minute */
    QUESTIONS_FIRST = 16,
    LATE_MINUTES = 10, /* the original's wait when no decision came */
    SOON = 4,          /* minutes; when the phone is looked at after all */
    ROOMY = 64,        /* memories; with so much room one keeps what everybody knows, too */
};

/* --- making one --- */

void come_home(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    me->place = me->near = me->home;
    me->seat = place_enter(&quarter->places, me->place, quarter->first + local, true);
    if (agenda_now(quarter->agenda) > TOWN_START_MIN)
        mind_plan_rest(quarter, local);
    else
        mind_plan_day(quarter, local); /* the first morning of all */
}

void decide_in(struct quarter *quarter, uint32_t local, int32_t minutes)
{
    struct item item = {.at = agenda_now(quarter->agenda) + minutes,
                        .kind = HAPPEN_DECIDE,
                        .priority = PRIORITY_NORMAL,
                        .who = local};
    agenda_add(quarter->agenda, &item);
}

/* Who it is, and what all know: never forgotten, told to models, and no part of what it thinks of.
 */
static void know_the_world(struct quarter *quarter, uint32_t local)
{
    if (quarter->settings->memory_slots < ROOMY) return;
    int32_t now = agenda_now(quarter->agenda);
    struct memory memory = {.at = now,
                            .who = NOBODY,
                            .place = NOWHERE,
                            .fact = FACT_COMMON,
                            .type = MEMORY_COMMON,
                            .importance = 10};
    for (memory.ref = 1; memory.ref <= COMMON_FACTS; memory.ref++)
        memory_add(memories_of(quarter, local), &memory, now);
    memory.ref = 0;
    memory.who = quarter->first + local;
    memory.fact = FACT_SELF;
    memory.type = MEMORY_IMPORTANT;
    memory_add(memories_of(quarter, local), &memory, now);
}

/* Everything it is but where: come_home(). A seat is kept for it. */
static void make(struct quarter *quarter, uint32_t local, const struct resident_draft *draft)
{
    const struct town_settings *settings = quarter->settings;
    struct resident *me = resident_at(quarter, local);
    int32_t now = agenda_now(quarter->agenda);
    *me = (struct resident){
        .since = now,
        .deed_at = now,
        .deed_until = now,
        .woke_at = now,
        .deed_who = NOBODY,
        .plan_who = NOBODY,
        .place = NOWHERE,
        .near = draft->home,
        .deed_place = NOWHERE,
        .home = draft->home,
        .work = draft->work,
        .health = NEED_FULL,
        .wake_min = draft->wake_min,
        .bed_min = draft->bed_min,
        .work_from = draft->work_from,
        .work_until = draft->work_until,
        .work_days = draft->work_days,
        .emotion = NEUTRAL,
        .age = draft->age,
        .gender = draft->gender,
        .job = draft->job,
    };
    ASSERT(draft->wake_min < MINUTES_PER_DAY && draft->bed_min < MINUTES_PER_DAY);
    memcpy(me->trait, draft->trait, sizeof(me->trait));
    rng_init(&me->rng, settings->seed, quarter->first + local);
    for (int i = 0; i < NEED_COUNT; i++) me->need[i] = (uint16_t)rng_below(&me->rng, 2500);
    me->need[DUTY] = 0;
    me->urge = (uint16_t)rng_below(&me->rng, NEED_FULL / 2);
    bool carries = thing_add(things_of(quarter, local), THING_PHONE, 1) &&
                   thing_add(things_of(quarter, local), THING_FOOD, 2) &&
                   thing_add(things_of(quarter, local), THING_GIFT, 2);
    ASSERT(carries);
    know_the_world(quarter, local);
}

static void settle(struct quarter *quarter, uint32_t local, const struct resident_draft *draft)
{
    make(quarter, local, draft);
    come_home(quarter, local);
    /* Not in the founding minute itself: what is told in that would come before it. */
    decide_in(quarter, local,
              1 + (int32_t)rng_below(&resident_at(quarter, local)->rng, FIRST_MINUTES));
}

void quarter_init(struct quarter *quarter, const struct quarter_draft *draft)
{
    const struct town_settings *settings = quarter->settings;
    uint32_t count = draft->resident_count;
    ASSERT(count > 0 && count <= QUARTER_RESIDENTS_MAX);
    quarter->count = quarter->room = count;
    quarter->agenda = agenda_new(count, TOWN_START_MIN);
    places_init(&quarter->places, draft->places, draft->place_count);
    quarter->resident = mem_alloc(sizeof(struct resident) * count);
    quarter->memory = mem_alloc(sizeof(struct memory) * count * settings->memory_slots);
    quarter->relation = mem_alloc(sizeof(struct relation) * count * settings->relation_slots);
    quarter->thing = mem_alloc(sizeof(struct thing) * count * THINGS_MAX);
    for (uint32_t i = 0; i < count; i++)
        place_keep_seat(&quarter->places, draft->residents[i].home);
    for (uint32_t i = 0; i < count; i++) settle(quarter, i, &draft->residents[i]);
}

/* `had` rows and zeros behind them, for `room`. */
static void *grown(void *rows, size_t had, size_t room, size_t bytes)
{
    char *at = mem_resize(rows, room * bytes);
    memset(at + had * bytes, 0, (room - had) * bytes);
    return at;
}

static void make_rows(struct quarter *quarter)
{
    const struct town_settings *settings = quarter->settings;
    size_t had = quarter->room, room = had + had / 2 + 8;
    quarter->resident = grown(quarter->resident, had, room, sizeof(struct resident));
    quarter->memory =
        grown(quarter->memory, had, room, sizeof(struct memory) * settings->memory_slots);
    quarter->relation =
        grown(quarter->relation, had, room, sizeof(struct relation) * settings->relation_slots);
    quarter->thing = grown(quarter->thing, had, room, sizeof(struct thing) * THINGS_MAX);
    quarter->room = (uint32_t)room;
}

void quarter_add(struct quarter *quarter, const struct resident_draft *draft)
{
    ASSERT(quarter->count < QUARTER_RESIDENTS_MAX);
    if (quarter->count == quarter->room) make_rows(quarter);
    uint32_t local = quarter->count++;
    agenda_grow(quarter->agenda, quarter->count);
    place_keep_seat(&quarter->places, draft->home);
    make(quarter, local, draft);
    resident_at(quarter, local)->feed_seen = quarter->feed->head; /* it does not read up on it */
    come_home(quarter, local);
    decide_in(quarter, local, 1);
}

void quarter_release(struct quarter *quarter)
{
    agenda_free(quarter->agenda);
    places_release(&quarter->places);
    mem_free(quarter->resident);
    mem_free(quarter->memory);
    mem_free(quarter->relation);
    mem_free(quarter->thing);
    mem_free(quarter->question);
    mem_free(quarter->mail);
    mem_free(quarter->effect);
}

struct memories memories_of(const struct quarter *quarter, uint32_t local)
{
    uint8_t slots = quarter->settings->memory_slots;
    return (struct memories){quarter->memory + (size_t)local * slots,
                             &resident_at(quarter, local)->memories, slots};
}

struct relations relations_of(const struct quarter *quarter, uint32_t local)
{
    uint8_t slots = quarter->settings->relation_slots;
    return (struct relations){quarter->relation + (size_t)local * slots,
                              &resident_at(quarter, local)->relations, slots};
}

struct things things_of(const struct quarter *quarter, uint32_t local)
{
    return (struct things){quarter->thing + (size_t)local * THINGS_MAX,
                           &resident_at(quarter, local)->things};
}

/* --- telling --- */

struct effect effect_of(const struct quarter *quarter, uint32_t local, enum effect_kind kind)
{
    return (struct effect){.at = agenda_now(quarter->agenda),
                           .who = quarter->first + local,
                           .other = NOBODY,
                           .place = resident_at(quarter, local)->place,
                           .kind = (uint8_t)kind,
                           .fine = 1};
}

void effect_emit(struct quarter *quarter, const struct effect *effect)
{
    uint32_t words[sizeof(*effect) / 4];
    memcpy(words, effect, sizeof(words));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        quarter->effect_hash = hash_mix(quarter->effect_hash, words[i]);
    quarter->effect_count++;
    if (!quarter->settings->keep_effects) return;
    if (quarter->effects == quarter->effects_max) {
        quarter->effects_max = MAX(quarter->effects_max * 2, (size_t)64);
        quarter->effect =
            mem_resize(quarter->effect, sizeof(*quarter->effect) * quarter->effects_max);
    }
    quarter->effect[quarter->effects++] = *effect;
}

void mail_send(struct quarter *quarter, const struct mail *mail)
{
    if (quarter->mails == quarter->mails_max) {
        quarter->mails_max = MAX(quarter->mails_max * 2, 64U);
        quarter->mail = mem_resize(quarter->mail, sizeof(*quarter->mail) * quarter->mails_max);
    }
    quarter->mail[quarter->mails++] = *mail;
}

void remember(struct quarter *quarter, uint32_t local, const struct memory *memory)
{
    struct resident *me = resident_at(quarter, local);
    memory_add(memories_of(quarter, local), memory, agenda_now(quarter->agenda));
    me->stirred = (uint16_t)MIN(me->stirred + memory->importance, UINT16_MAX);
}

/* --- deeds --- */

void deed_start(struct quarter *quarter, uint32_t local, const struct option *option)
{
    struct resident *me = resident_at(quarter, local);
    ASSERT(me->deed == DEED_IDLE && option->deed != DEED_IDLE && option->deed < DEED_COUNT);
    ASSERT(option->minutes > 0);
    int32_t now = agenda_now(quarter->agenda);
    body_pass(me, now, EXERTION_CALM);
    me->deed = option->deed;
    me->deed_why = option->why;
    me->deed_who = option->who;
    me->deed_at = now;
    me->deed_until = now + option->minutes;
    struct item item = {.at = now,
                        .minutes = option->minutes,
                        .kind = HAPPEN_DEED,
                        .priority = PRIORITY_NORMAL,
                        .status = ITEM_IN_PROGRESS,
                        .who = local};
    me->deed_seq = agenda_add(quarter->agenda, &item);
    quarter->tally.deeds[option->deed]++;
    struct effect effect = effect_of(quarter, local, EFFECT_BEGAN);
    effect.deed = option->deed;
    effect.why = option->why;
    effect.other = option->who;
    effect.minutes = option->minutes;
    if (option->deed == DEED_MOVE_TO) effect.place = me->deed_place;
    effect_emit(quarter, &effect);
}

/* --- asking a model --- */

const struct question *question_find(const struct quarter *quarter, uint32_t who)
{
    for (uint32_t i = 0; i < quarter->questions; i++)
        if (quarter->question[i].who == who) return &quarter->question[i];
    return NULL;
}

void question_drop(struct quarter *quarter, uint32_t who)
{
    for (uint32_t i = 0; i < quarter->questions; i++) {
        if (quarter->question[i].who != who) continue;
        quarter->question[i] = quarter->question[--quarter->questions];
        memset(&quarter->question[quarter->questions], 0, sizeof(struct question));
        return;
    }
}

/* Whether it is what the plan says, or the way there. */
static bool carries_out(const struct resident *me, const struct plan_step *plan,
                        const struct option *option)
{
    if (plan->kind == PLAN_MEET) return option->who != NOBODY && option->who == me->plan_who;
    if (option->deed != DEED_MOVE_TO) return false;
    if (plan->kind == PLAN_WORK) return option->place == me->work;
    if (plan->kind == PLAN_BED) return option->place == me->home;
    return plan->kind != PLAN_FREE && option->why == REASON_HUNGRY;
}

/* Where a model's plan holds: something has happened all the same, or the plan itself leaves open
 * what to do. */
static bool is_open(const struct resident *me, int32_t now, const struct question *question)
{
    const struct plan_step *plan = plan_now(me, now);
    if (!plan) return true;
    if (carries_out(me, plan, &question->option[question->choice])) return false;
    if (plan->kind == PLAN_FREE || plan->kind == PLAN_MEET || me->unread > 0) return true;
    for (uint32_t i = 0; i < question->count; i++)
        if (question->option[i].deed == DEED_TALK_TO) return true; /* somebody is near */
    return false;
}

/*
 * Which decisions deserve a model. Not sleep, work, meals and rest, which the body and the day
 * decide. And where a model has planned the day, it is not asked for each act again: the plan goes
 * on, carried out by the rules, until something happens. That is: no step holds now, the step is
 * free time or a meeting, a message waits, or somebody is near.
 */
static bool deserves_model(struct quarter *quarter, uint32_t local, const struct question *question)
{
    struct resident *me = resident_at(quarter, local);
    const struct town_settings *settings = quarter->settings;
    if (settings->ask_share == 0 || me->asks_today >= MIN(settings->asks_a_day, UINT8_MAX))
        return false;
    uint8_t deed = question->option[question->choice].deed;
    if (deed == DEED_SLEEP || deed == DEED_WORK || deed == DEED_EAT || deed == DEED_REST)
        return false;
    if (me->plan_model && !is_open(me, question->at, question)) return false;
    return rng_below(&me->rng, 100) < settings->ask_share;
}

static void ask(struct quarter *quarter, uint32_t local, struct question *question)
{
    struct resident *me = resident_at(quarter, local);
    if (quarter->questions == quarter->questions_max) {
        quarter->questions_max = MAX(quarter->questions_max * 2, (uint32_t)QUESTIONS_FIRST);
        quarter->question =
            mem_resize(quarter->question, sizeof(*quarter->question) * quarter->questions_max);
    }
    question->number = ++quarter->asked;
    /* Checkpoints are hashed as they stand: what it could not do is zeros. */
    memset(question->option + question->count, 0,
           sizeof(struct option) * (OPTIONS_MAX - question->count));
    quarter->question[quarter->questions++] = *question;
    me->asking = 1;
    me->asked = question->number;
    me->asks_today++;
    quarter->tally.asks++;
    struct option wait = {.who = NOBODY,
                          .place = NOWHERE,
                          .deed = DEED_THINK,
                          .why = REASON_ASKING,
                          .minutes = MAX(quarter->settings->answer_minutes, (uint16_t)1)};
    deed_start(quarter, local, &wait);
    struct effect effect = effect_of(quarter, local, EFFECT_ASK);
    effect.ref = question->number;
    effect_emit(quarter, &effect);
}

static void decide(struct quarter *quarter, uint32_t local)
{
    struct question question; /* half a kilobyte, and most have a dozen options: not zeroed */
    mind_decide(quarter, local, &question);
    quarter->tally.decisions++;
    if (deserves_model(quarter, local, &question))
        ask(quarter, local, &question);
    else
        deed_begin(quarter, local, &question.option[question.choice]);
}

void answer_take(struct quarter *quarter, uint32_t local, uint32_t choice, uint16_t minutes)
{
    struct resident *me = resident_at(quarter, local);
    const struct question *question = question_find(quarter, quarter->first + local);
    ASSERT(me->asking && question);
    struct option option = question->option[MIN(choice, question->count - 1)];
    bool answered = choice < question->count;
    if (!answered) option = question->option[question->choice];
    question_drop(quarter, quarter->first + local);
    me->asking = 0;
    deed_interrupt(quarter, local); /* it has thought enough */
    const struct deed_info *info = deed_info((enum deed)option.deed);
    if (answered) {
        option.why = REASON_MODEL;
        quarter->tally.answers++;
        if (minutes) option.minutes = (uint16_t)MIN(MAX(minutes, info->least), info->most);
    }
    deed_begin(quarter, local, &option);
}

/* --- what comes up --- */

/* Idle, it takes out its phone; what for is `item`. */
static void look_at_phone(struct quarter *quarter, const struct item *item)
{
    struct resident *me = resident_at(quarter, item->who);
    bool message = item->kind == HAPPEN_NOTICE;
    struct option read = {.who = message ? item->data : NOBODY,
                          .place = NOWHERE,
                          .deed = DEED_CHECK_MESSAGES,
                          .why = REASON_MESSAGE,
                          .minutes = (uint16_t)(1 + rng_below(&me->rng, 3))};
    deed_begin(quarter, item->who, &read);
    if (!message) me->deed_ref = item->data;
}

static bool find_buzz(const struct item *item, void *ctx)
{
    struct item *first = ctx;
    if (item->kind != HAPPEN_NOTICE && item->kind != HAPPEN_REMARK) return true;
    if (first->seq == 0 || item->seq < first->seq) *first = *item;
    return true;
}

/* What its phone has buzzed for and it could not look at, the oldest; false: nothing waits. */
static bool take_buzz(struct quarter *quarter, uint32_t local, struct item *item_out)
{
    resident_at(quarter, local)->buzzed = 0;
    struct item first = {.seq = 0};
    agenda_each_of(quarter->agenda, local, find_buzz, &first);
    return first.seq > 0 && agenda_cancel(quarter->agenda, local, first.seq, item_out);
}

static void on_deed_end(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    if (me->asking) {
        /* No answer came in time: the rule mind's own choice holds. */
        const struct question *question = question_find(quarter, quarter->first + local);
        ASSERT(question);
        struct option option = question->option[question->choice];
        if (quarter->settings->late) {
            option = (struct option){
                .who = NOBODY, .place = NOWHERE, .deed = DEED_WAIT, .minutes = LATE_MINUTES};
        }
        question_drop(quarter, quarter->first + local);
        me->asking = 0;
        deed_end(quarter, local, true);
        deed_begin(quarter, local, &option);
        return;
    }
    deed_end(quarter, local, true);
    struct item item;
    if (me->buzzed && take_buzz(quarter, local, &item))
        look_at_phone(quarter, &item);
    else
        decide(quarter, local);
}

/* The phone has buzzed, and this is when it would look; what for is `item`. */
static void on_buzz(struct quarter *quarter, const struct item *item)
{
    uint32_t local = item->who;
    struct resident *me = resident_at(quarter, local);
    int32_t now = agenda_now(quarter->agenda);
    const struct deed_info *doing = deed_info((enum deed)me->deed);
    bool message = item->kind == HAPPEN_NOTICE;
    bool free_to = (doing->can_interrupt || me->deed == DEED_WORK) && !me->asking;
    /* It reads to the end before it looks who has said something about a post. */
    if (!message && doing->phone) free_to = false;
    if (!free_to || (me->deed == DEED_CHECK_MESSAGES && me->deed_until > now)) {
        me->buzzed = 1;
        struct item later = {.at = me->deed == DEED_SLEEP ? me->deed_until + SOON : now + SOON,
                             .kind = item->kind,
                             .priority = PRIORITY_HIGH,
                             .who = local,
                             .data = item->data};
        if (!free_to) later.at = MAX(me->deed_until, now) + SOON;
        agenda_add(quarter->agenda, &later);
        return;
    }
    deed_interrupt(quarter, local);
    look_at_phone(quarter, item);
}

enum { LINE = 64, FETCH_MAX = 512 };

static void fetch(const void *at, size_t bytes)
{
    const char *from = at;
    for (size_t i = 0; i < MIN(bytes, (size_t)FETCH_MAX); i += LINE)
        __builtin_prefetch(from + i, 1);
}

/*
 * In a large town nothing of a resident is in any cache when its turn comes, and a decision reads
 * some twenty lines of it one after the other. So they are asked for two turns before, and where it
 * is, which must be read first, one turn before. Changes nothing but the time it takes.
 */
static void fetch_ahead(const struct quarter *quarter)
{
    const struct town_settings *settings = quarter->settings;
    uint32_t second = agenda_ahead(quarter->agenda, 2), first = agenda_ahead(quarter->agenda, 1);
    if (second != NO_OWNER) {
        fetch(resident_at(quarter, second), sizeof(struct resident));
        fetch(quarter->memory + (size_t)second * settings->memory_slots,
              sizeof(struct memory) * settings->memory_slots);
        fetch(quarter->relation + (size_t)second * settings->relation_slots,
              sizeof(struct relation) * settings->relation_slots);
        fetch(quarter->thing + (size_t)second * THINGS_MAX, sizeof(struct thing) * THINGS_MAX);
    }
    if (first == NO_OWNER) return;
    const struct resident *next = resident_at(quarter, first);
    const struct place *places = quarter->places.place;
    __builtin_prefetch(&places[next->home]);
    if (next->work != NOWHERE) __builtin_prefetch(&places[next->work]);
    if (next->deed_place != NOWHERE) __builtin_prefetch(&places[next->deed_place]);
    if (next->place == NOWHERE) return;
    __builtin_prefetch(&quarter->places.seat[places[next->place].seats_at + next->seat]);
}

void quarter_run(struct quarter *quarter, int32_t until)
{
    struct item item;
    while (agenda_pop(quarter->agenda, until, &item)) {
        fetch_ahead(quarter);
        switch ((enum happening)item.kind) {
        case HAPPEN_DECIDE:
            if (resident_at(quarter, item.who)->deed == DEED_IDLE) {
                body_pass(resident_at(quarter, item.who), item.at, EXERTION_CALM);
                decide(quarter, item.who);
            }
            break;
        case HAPPEN_DEED: on_deed_end(quarter, item.who); break;
        case HAPPEN_NOTICE:
        case HAPPEN_REMARK: on_buzz(quarter, &item); break;
        }
    }
}

/* --- invariants --- */

static bool refuse_item(const struct item *item, void *ctx)
{
    (void)item;
    *(bool *)ctx = true;
    return false;
}

/* It does nothing, is nowhere, and nobody waits for it. */
static void gone_check_in(const struct quarter *quarter, uint32_t local)
{
    const struct resident *me = resident_at(quarter, local);
    bool planned = false;
    agenda_each_of(quarter->agenda, local, refuse_item, &planned);
    ASSERT(!planned && me->deed == DEED_IDLE && me->place == NOWHERE && me->unread == 0);
    ASSERT(!me->asking && me->plan_who == NOBODY && me->plan_count == 0 && !me->planning);
}

static void resident_check_in(const struct quarter *quarter, uint32_t local)
{
    const struct resident *me = resident_at(quarter, local);
    resident_check(me);
    if (me->gone) gone_check_in(quarter, local);
    bool talks = me->deed == DEED_TALK_TO || me->deed == DEED_GREET;
    ASSERT(!talks || !is_gone(quarter, me->deed_who));
    things_check(things_of(quarter, local));
    ASSERT(me->memories <= quarter->settings->memory_slots);
    ASSERT(me->relations <= quarter->settings->relation_slots);
    if (me->place != NOWHERE) {
        const struct place *place = &quarter->places.place[me->place];
        ASSERT(place_sitting(&quarter->places, place, me->seat) == quarter->first + local);
    }
    ASSERT(me->deed != DEED_MOVE_TO || me->place == NOWHERE);
    ASSERT((me->deed == DEED_IDLE) == (me->deed_seq == 0));
    ASSERT(!me->asking == !question_find(quarter, quarter->first + local));
    /* Nobody does two things at once: one item with a length, the end of what it does. */
    struct item item;
    if (me->deed != DEED_IDLE) {
        bool one = agenda_find_conflict(quarter->agenda, local, me->deed_at, me->deed_until, &item);
        ASSERT(one && item.seq == me->deed_seq && item.at + item.minutes == me->deed_until);
    }
}

void quarter_check(const struct quarter *quarter)
{
    agenda_check(quarter->agenda);
    places_check(&quarter->places);
    ASSERT(quarter->count <= quarter->room);
    uint32_t inside = 0;
    for (uint32_t i = 0; i < quarter->places.count; i++) inside += quarter->places.place[i].here;
    uint32_t somewhere = 0;
    uint32_t *out = mem_alloc(sizeof(*out) * quarter->places.count);
    for (uint32_t i = 0; i < quarter->count; i++) {
        const struct resident *me = resident_at(quarter, i);
        resident_check_in(quarter, i);
        somewhere += me->place != NOWHERE;
        out[me->home] += !me->gone && me->place != me->home;
    }
    ASSERT(inside == somewhere);
    /* A seat for each dweller who is out, and for nobody else. */
    for (uint32_t i = 0; i < quarter->places.count; i++)
        ASSERT(quarter->places.place[i].kept == out[i]);
    mem_free(out);
}
