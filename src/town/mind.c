/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/mind.c: what a resident could do here and now, and what the rule mind
 * thinks of each.
 *
 * Two halves. What is offered depends on body, place, people, hour and phone; a
 * decision, whoever makes it, can only be one of these. What each is worth is a
 * utility: needs count by their square, so that small ones leave room for fun
 * and great ones drown everything (Mark, "Behavioral Mathematics for Game AI",
 * 2009), and the day's plan, habits, traits and relations add to it. A little
 * noise from the resident's own dice keeps days from being alike.
 *
 * Scores are whole numbers; about 10,000 is a need at its height.
 */
#include "town/internal.h"

enum {
    PEOPLE_MAX = 4, /* it takes in at a time */
    LOOK_SEATS = 8, /* out of so many seats beside its own */
    SEE_UNITS = 30,
    NOISE = 1200,
    PLAN_BONUS = 3500,
    BED_BONUS = 6000,
    LATE = 4000,      /* what going out is worth less at bedtime */
    ARRIVED = 2500,   /* and going on at once from where one has just come to */
    REFLECT_AT = 150, /* Park et al. 2023, section 4.2: importance summed up since the last time */
    POSTS_A_DAY = 6,
    MESSAGES_A_DAY = 12,
    BROWSE_A_DAY = 12,
    URGE_LEAST = 3000,
    EVENT_URGE = 6000, /* to tell of it, when something is on */
};

struct seen {
    uint32_t local;
    const struct relation *relation; /* NULL: a stranger */
};

struct view {
    struct quarter *quarter;
    uint32_t local;
    struct resident *me;
    int32_t now;
    const struct place *here; /* NULL: out of doors, on the way */
    struct relations relations;
    struct things things;
    const struct plan_step *plan;
    bool bed_time, work_time;
    struct seen people[PEOPLE_MAX];
    size_t count;
    struct question *out;
};

static int squared(int need)
{
    return need * need / NEED_FULL;
}

static void look(struct view *view)
{
    const struct quarter *quarter = view->quarter;
    struct resident *me = view->me;
    if (!view->here || view->here->here < 2) return;
    int32_t x, y;
    place_spot(view->here, me->seat, &x, &y);
    uint32_t seats = view->here->here, tries = MIN(seats, (uint32_t)LOOK_SEATS);
    uint32_t from = rng_below(&me->rng, seats);
    for (uint32_t i = 0; i < tries && view->count < PEOPLE_MAX; i++) {
        uint32_t seat = (from + i) % seats;
        if (seat == me->seat) continue;
        int32_t ox, oy;
        place_spot(view->here, seat, &ox, &oy);
        if (distance_between(x, y, ox, oy) > SEE_UNITS * UNIT) continue;
        uint32_t who = place_sitting(&quarter->places, view->here, seat);
        /* What it does is asked for in offer_company(), by when it has come. */
        __builtin_prefetch(&quarter->resident[who - quarter->first].deed);
        view->people[view->count++] =
            (struct seen){who - quarter->first, relation_find(view->relations, who)};
    }
}

/* --- offering --- */

static void offer(struct view *view, enum deed deed, enum reason why, int minutes, int score,
                  uint32_t who, uint16_t place)
{
    struct question *out = view->out;
    if (out->count == OPTIONS_MAX || minutes <= 0) return;
    const struct deed_info *info = deed_info(deed);
    score += (int)rng_below(&view->me->rng, NOISE);
    out->option[out->count] = (struct option){
        .who = who,
        .place = place,
        .minutes = (uint16_t)MIN(MAX(minutes, info->least), info->most),
        .deed = (uint8_t)deed,
        .why = (uint8_t)why,
        .score = score,
    };
    if (score > out->option[out->choice].score) out->choice = out->count;
    out->count++;
}

static void offer_here(struct view *view, enum deed deed, enum reason why, int minutes, int score)
{
    offer(view, deed, why, minutes, score, NOBODY, NOWHERE);
}

static bool plan_says(const struct view *view, enum plan_kind kind)
{
    return view->plan && view->plan->kind == kind;
}

static bool plan_says_meal(const struct view *view)
{
    return plan_says(view, PLAN_BREAKFAST) || plan_says(view, PLAN_LUNCH) ||
           plan_says(view, PLAN_DINNER);
}

static int bed_score(const struct view *view)
{
    int score = squared(view->me->need[FATIGUE]);
    return view->bed_time ? score + BED_BONUS : score;
}

/* What lying down is worth where one can: by day a nap, which does not keep anybody from work. */
static int lying_score(const struct view *view, bool night)
{
    return night ? bed_score(view) : squared(view->me->need[FATIGUE]) / 3;
}

/* Shortly before its hour one goes to bed for the night, and does not take a nap. */
static bool goes_early(const struct view *view)
{
    return minutes_until(view->now, view->me->bed_min) <= 150;
}

static bool wants_bed(const struct view *view)
{
    int fatigue = view->me->need[FATIGUE];
    /* Who wakes a little early gets up. */
    bool soon = minutes_until(view->now, view->me->wake_min) <= 60;
    if (view->bed_time) return !soon && fatigue >= 30 * NEED_PERCENT;
    return fatigue >= (goes_early(view) ? EXHAUSTED : SLEEPY);
}

static int meal_score(const struct view *view)
{
    int hunger = view->me->need[HUNGER];
    if (hunger < (plan_says_meal(view) ? 20 : 35) * NEED_PERCENT) return 0;
    return squared(hunger) + (plan_says_meal(view) ? PLAN_BONUS : 0);
}

static int work_score(const struct view *view)
{
    const struct resident *me = view->me;
    if (!view->work_time) return 0;
    return 3500 + squared(me->need[DUTY]) / 2 + me->trait[CONSCIENTIOUSNESS] * 15;
}

static int company_score(const struct view *view)
{
    const struct resident *me = view->me;
    int score =
        squared(me->need[LONELINESS]) + 900 + me->trait[EXTRAVERSION] * 12 - me->talks_today * 250;
    return view->work_time ? score - 1500 : score;
}

static int sleep_minutes(struct view *view)
{
    struct resident *me = view->me;
    if (!view->bed_time && !goes_early(view)) return 45 + (int)rng_below(&me->rng, 46);
    int minutes = minutes_until(view->now, me->wake_min) + (int)rng_below(&me->rng, 41) - 20;
    return MIN(MAX(minutes, 30), 11 * MINUTES_PER_HOUR);
}

static void offer_body(struct view *view)
{
    struct resident *me = view->me;
    int fatigue = me->need[FATIGUE], hunger = me->need[HUNGER];
    bool at_home = me->place == me->home;
    if (fatigue >= TIRED || me->health < UNWELL) {
        int score = squared(fatigue) / 3 + (me->health < UNWELL ? 3000 : 0);
        offer_here(view, DEED_REST, me->health < UNWELL ? REASON_UNWELL : REASON_TIRED,
                   30 + (int)rng_below(&me->rng, 31), score);
    }
    if (wants_bed(view) && (at_home || fatigue >= EXHAUSTED)) {
        bool night = view->bed_time || goes_early(view);
        int score = lying_score(view, at_home && night);
        offer_here(view, DEED_SLEEP, view->bed_time ? REASON_BEDTIME : REASON_TIRED,
                   sleep_minutes(view), score);
    }
    bool table = at_home || (view->here && view->here->kind == PLACE_COMMERCIAL);
    int meal = meal_score(view);
    if (meal > 0 && table) {
        offer_here(view, DEED_EAT, plan_says_meal(view) ? REASON_MEAL_TIME : REASON_HUNGRY,
                   20 + (int)rng_below(&me->rng, 26), meal + (at_home ? 0 : 300));
    } else if (hunger >= HUNGRY && thing_quantity(view->things, THING_FOOD) > 0) {
        offer_here(view, DEED_USE_ITEM, REASON_HUNGRY, 10, squared(hunger) * 7 / 10);
    }
}

static void offer_work(struct view *view)
{
    struct resident *me = view->me;
    if (me->place != me->work || !view->work_time || plan_says(view, PLAN_LUNCH)) return;
    int left = me->work_until - minute_of_day(view->now);
    int minutes = 60 + (int)rng_below(&me->rng, 61);
    minutes = MIN(minutes, left);
    if (left - minutes < 30) minutes = left;
    offer_here(view, DEED_WORK, REASON_WORK_TIME, minutes, work_score(view));
}

/* A park, a square: one stays for a while because it is nice there. */
static bool is_pleasant(const struct place *place)
{
    return place && (place->kind == PLACE_RECREATION || place->kind == PLACE_PUBLIC);
}

/* Whom it means to see is here, and may be at table still, or is on the way to it. */
static bool awaits_friend(const struct view *view)
{
    const struct resident *me = view->me;
    if (me->plan_who == NOBODY || me->place == NOWHERE || !plan_says(view, PLAN_MEET)) return false;
    const struct resident *friend = resident_at(view->quarter, me->plan_who - view->quarter->first);
    if (friend->deed == DEED_WORK || friend->deed == DEED_SLEEP) return false;
    return friend->place == me->place ||
           (friend->deed == DEED_MOVE_TO && friend->deed_place == me->place);
}

static void offer_quiet(struct view *view)
{
    struct resident *me = view->me;
    if (awaits_friend(view))
        offer_here(view, DEED_WAIT, REASON_FOND, 5 + (int)rng_below(&me->rng, 6), PLAN_BONUS);
    else
        offer_here(view, DEED_WAIT, REASON_NONE, 10 + (int)rng_below(&me->rng, 21), 300);
    bool arrived = me->before == DEED_MOVE_TO, pleasant = is_pleasant(view->here);
    offer_here(view, DEED_LOOK_AROUND, pleasant ? REASON_BORED : REASON_CURIOUS,
               pleasant ? 20 + (int)rng_below(&me->rng, 41) : 5,
               pleasant  ? 1200 + squared(me->need[BOREDOM]) * 7 / 10
               : arrived ? 1000 + me->trait[OPENNESS] * 6
                         : 200);
    int thoughts = me->stirred >= REFLECT_AT ? 2800 : 200 + me->trait[OPENNESS] * 3;
    offer_here(view, DEED_THINK, REASON_NONE, 5 + (int)rng_below(&me->rng, 11), thoughts);
}

static int walk_to(const struct view *view, uint16_t place)
{
    const struct places *places = &view->quarter->places;
    return walk_minutes(place_distance(&places->place[view->me->near], &places->place[place]));
}

static void offer_move(struct view *view, uint16_t place, enum reason why, int score, uint32_t who)
{
    if (place == view->me->place || place == NOWHERE) return;
    const struct place *target = &view->quarter->places.place[place];
    bool home = place == view->me->home;
    if (place_entry(target, view->now, home) != ENTRY_FINE) return;
    int minutes = walk_to(view, place);
    if (view->me->before == DEED_MOVE_TO && view->me->place != NOWHERE) score -= ARRIVED;
    if (!target->indoor && sky_is_rough(view->quarter->sky)) score -= 2500;
    offer(view, DEED_MOVE_TO, why, minutes, score - minutes * 25, who, place);
}

/* The nearer of two tables, so that not everybody eats at the same one. */
static uint16_t somewhere_to_eat(struct view *view)
{
    const struct places *places = &view->quarter->places;
    uint32_t count = places_of_kind(places, PLACE_COMMERCIAL);
    if (count == 0) return NOWHERE;
    uint16_t a = places_nth_of_kind(places, PLACE_COMMERCIAL, rng_below(&view->me->rng, count));
    uint16_t b = places_nth_of_kind(places, PLACE_COMMERCIAL, rng_below(&view->me->rng, count));
    return walk_to(view, a) <= walk_to(view, b) ? a : b;
}

static void offer_outings(struct view *view)
{
    static const uint8_t kinds[] = {PLACE_RECREATION, PLACE_PUBLIC, PLACE_COMMERCIAL,
                                    PLACE_EDUCATION};
    struct resident *me = view->me;
    const struct places *places = &view->quarter->places;
    int score = squared(me->need[BOREDOM]) * 6 / 10 + squared(me->need[LONELINESS]) * 5 / 10 + 500 +
                me->trait[EXTRAVERSION] * 6 + (plan_says(view, PLAN_FREE) ? 900 : 0);
    if (view->bed_time) score -= LATE;
    if (view->work_time) score -= 3000;
    if (me->before == DEED_MOVE_TO || is_pleasant(view->here)) score -= 1500;
    for (int i = 0; i < 2; i++) {
        uint8_t kind = kinds[rng_below(&me->rng, COUNT_OF(kinds))];
        uint32_t count = places_of_kind(places, (enum place_kind)kind);
        if (count == 0) continue;
        offer_move(
            view, places_nth_of_kind(places, (enum place_kind)kind, rng_below(&me->rng, count)),
            me->need[LONELINESS] > me->need[BOREDOM] ? REASON_LONELY : REASON_BORED, score, NOBODY);
    }
}

/* Go where the friend is whom it means to see. */
static void offer_visit(struct view *view)
{
    struct resident *me = view->me;
    if (me->plan_who == NOBODY || !plan_says(view, PLAN_MEET)) return;
    const struct resident *friend = resident_at(view->quarter, me->plan_who - view->quarter->first);
    if (friend->place == NOWHERE || friend->deed == DEED_SLEEP || friend->deed == DEED_WORK) return;
    offer_move(view, friend->place, REASON_FOND, PLAN_BONUS + 1500, me->plan_who);
}

static void offer_moves(struct view *view)
{
    struct resident *me = view->me;
    bool at_home = me->place == me->home;
    int meal = meal_score(view);
    if (!at_home) {
        int score = 500;
        enum reason why = REASON_HOME;
        /* Worth what can be done there: worth more, it would go home, and to work again. */
        int lying = lying_score(view, view->bed_time || goes_early(view));
        if (wants_bed(view) && lying > score) {
            score = lying;
            why = view->bed_time ? REASON_BEDTIME : REASON_TIRED;
        }
        if (meal > score) {
            score = meal;
            why = REASON_HUNGRY;
        }
        offer_move(view, me->home, why, score, NOBODY);
    }
    if (view->work_time && me->work != me->place && !plan_says(view, PLAN_LUNCH))
        offer_move(view, me->work, REASON_WORK_TIME, work_score(view) + 500, NOBODY);
    if (meal > 0 && !at_home && !(view->here && view->here->kind == PLACE_COMMERCIAL))
        offer_move(view, somewhere_to_eat(view), REASON_HUNGRY, meal + 200, NOBODY);
    offer_visit(view);
    if (!view->bed_time || me->need[FATIGUE] < TIRED) offer_outings(view);
}

static bool can_be_spoken_to(const struct resident *other)
{
    return deed_info((enum deed)other->deed)->can_interrupt && !other->asking;
}

static void offer_company(struct view *view)
{
    struct resident *me = view->me;
    int company = company_score(view);
    int32_t day = day_of(view->now);
    for (size_t i = 0; i < view->count; i++) {
        const struct seen *seen = &view->people[i];
        uint32_t who = view->quarter->first + seen->local;
        const struct resident *other = resident_at(view->quarter, seen->local);
        if (!can_be_spoken_to(other)) continue;
        int bond = seen->relation ? relation_bond(seen->relation) : 0;
        int liking = seen->relation ? seen->relation->liking : 0;
        bool today = seen->relation && seen->relation->last_day == (uint16_t)day;
        bool meant = who == me->plan_who && plan_says(view, PLAN_MEET);
        int score = company + bond * 25 + MIN(liking, 0) * 40 + (today ? -800 : 0) +
                    (meant ? PLAN_BONUS : 0);
        int minutes = 8 + bond / 5 + (int)rng_below(&me->rng, 15);
        offer(view, DEED_TALK_TO, bond > 30 ? REASON_FOND : REASON_LONELY, minutes, score, who,
              NOWHERE);
        if (!today)
            offer(view, DEED_GREET, REASON_ENCOUNTER, 2,
                  (seen->relation ? 900 : -200) + me->trait[EXTRAVERSION] * 8, who, NOWHERE);
        bool gives = thing_quantity(view->things, THING_GIFT) > 0 ||
                     thing_quantity(view->things, THING_FOOD) > 1;
        if (bond > 30 && !today && gives)
            offer(view, DEED_GIVE, REASON_FOND, 5, bond * 12 + me->trait[AGREEABLENESS] * 8, who,
                  NOWHERE);
    }
}

static bool may_write_to(const struct relation *relation, int32_t day)
{
    return relation->last_day != (uint16_t)day || relation->said_today == 0;
}

static void offer_phone(struct view *view)
{
    struct resident *me = view->me;
    int32_t day = day_of(view->now);
    if (thing_quantity(view->things, THING_PHONE) == 0) return;
    int work = view->work_time ? -900 : 0, late = view->bed_time ? -1500 : 0;
    enum day_part part = day_part_of(view->now);
    int leisure = part == EVENING || part == NOON ? 900 : part == MORNING ? -400 : 0;
    if (me->browsed_today < BROWSE_A_DAY)
        offer_here(view, DEED_BROWSE_POSTS, REASON_BORED, 8 + (int)rng_below(&me->rng, 13),
                   700 + squared(me->need[BOREDOM]) / 2 - me->browsed_today * 220 + work + late);
    if (me->urge >= URGE_LEAST && me->posts_today < POSTS_A_DAY)
        offer_here(view, DEED_CREATE_POST, REASON_TELL, 5 + (int)rng_below(&me->rng, 6),
                   squared(me->urge) * 7 / 10 + me->trait[EXTRAVERSION] * 8 -
                       me->posts_today * 2500 + leisure + work + late);
    if (me->unread > 0)
        offer_here(view, DEED_CHECK_MESSAGES, REASON_MESSAGE, 4 + 2 * MIN(me->unread, 5),
                   2400 + 400 * MIN(me->unread, 10) + late);
    if (me->messages_today >= MESSAGES_A_DAY || view->relations.relation == NULL) return;

    /* One person comes to mind; what one may do about it depends on how well one knows it. */
    uint8_t count = *view->relations.count;
    if (count == 0) return;
    const struct relation *relation = &view->relations.relation[rng_below(&me->rng, count)];
    if (is_gone(view->quarter, relation->who)) return;
    int bond = relation_bond(relation);
    if (bond >= 15 && may_write_to(relation, day))
        offer(view, DEED_SEND_MESSAGE, REASON_FOND, 3 + (int)rng_below(&me->rng, 4),
              bond * 22 + squared(me->need[LONELINESS]) / 2 - me->messages_today * 500 + work +
                  late,
              relation->who, NOWHERE);
    if (relation->familiarity < 25 && relation->last_day != (uint16_t)day)
        offer(view, DEED_VIEW_USER_PROFILE, REASON_CURIOUS, 5, 200 + me->trait[OPENNESS] * 6 + work,
              relation->who, NOWHERE);
    if (relation->liking >= 15 && !(relation->flags & FOLLOWS))
        offer(view, DEED_FOLLOW, REASON_FOND, 1, 1500 + relation->liking * 10, relation->who,
              NOWHERE);
}

void mind_decide(struct quarter *quarter, uint32_t local, struct question *question_out)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = agenda_now(quarter->agenda);
    struct view view = {
        .quarter = quarter,
        .local = local,
        .me = me,
        .now = now,
        .here = me->place == NOWHERE ? NULL : &quarter->places.place[me->place],
        .relations = relations_of(quarter, local),
        .things = things_of(quarter, local),
        .plan = plan_now(me, now),
        .bed_time = is_bed_time(me, now),
        .work_time = is_work_time(me, now),
        .out = question_out,
    };
    /* A model's plan may take an hour off, and be early in bed. */
    if (me->plan_model && view.plan) {
        view.bed_time |= view.plan->kind == PLAN_BED;
        view.work_time &= view.plan->kind != PLAN_FREE && view.plan->kind != PLAN_MEET;
    }
    question_out->who = quarter->first + local;
    question_out->at = now;
    question_out->count = question_out->choice = 0;
    look(&view);
    offer_quiet(&view);
    offer_body(&view);
    offer_work(&view);
    offer_company(&view);
    offer_phone(&view);
    offer_moves(&view);
}

/* --- the day --- */

static void plan_add(struct resident *me, enum plan_kind kind, int from_min, int minutes)
{
    if (me->plan_count == PLAN_STEPS || minutes < 15) return;
    me->plan[me->plan_count++] =
        (struct plan_step){.from_min = (uint16_t)((from_min + MINUTES_PER_DAY) % MINUTES_PER_DAY),
                           .kind = (uint8_t)kind,
                           .quarters = (uint8_t)MIN(minutes / 15, UINT8_MAX)};
}

/* The one it would most like to see, with a little chance; NOBODY: it knows none well enough. */
static uint32_t choose_friend(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    struct relations relations = relations_of(quarter, local);
    uint32_t best = NOBODY;
    int best_score = 20;
    for (size_t i = 0; i < *relations.count; i++) {
        const struct relation *relation = &relations.relation[i];
        if (!is_neighbour(quarter, relation->who) || is_gone(quarter, relation->who)) continue;
        int score = relation_bond(relation) + (int)rng_below(&me->rng, 25);
        if (score <= best_score) continue;
        best = relation->who;
        best_score = score;
    }
    return best;
}

void mind_plan_day(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = agenda_now(quarter->agenda);
    int risen = minute_of_day(now);
    memset(me->plan, 0, sizeof(me->plan));
    me->plan_count = me->plan_model = me->planning = 0;
    bool works = me->work != NOWHERE && (me->work_days >> weekday_of(now) & 1);
    plan_add(me, PLAN_BREAKFAST, risen, 75);
    int lunch = 12 * MINUTES_PER_HOUR + (int)rng_below(&me->rng, 60);
    int dinner = 18 * MINUTES_PER_HOUR + (int)rng_below(&me->rng, 75);
    if (works) plan_add(me, PLAN_WORK, me->work_from, lunch - me->work_from);
    plan_add(me, PLAN_LUNCH, lunch, 60);
    if (works) plan_add(me, PLAN_WORK, lunch + 60, me->work_until - lunch - 60);
    plan_add(me, PLAN_DINNER, dinner, 75);
    bool goes_out = rng_below(&me->rng, 200) < (uint32_t)(100 + me->trait[EXTRAVERSION]);
    me->plan_who = goes_out ? choose_friend(quarter, local) : NOBODY;
    int evening = works ? dinner + 75 : 15 * MINUTES_PER_HOUR;
    if (me->plan_who != NOBODY)
        plan_add(me, PLAN_MEET, evening, 120);
    else
        plan_add(me, PLAN_FREE, evening, 150);
    plan_add(me, PLAN_BED, me->bed_min, 8 * MINUTES_PER_HOUR);
}

void mind_plan_visit(struct quarter *quarter, uint32_t local, uint32_t who, int minutes)
{
    struct resident *me = resident_at(quarter, local);
    me->plan_who = who;
    /* The first step that holds counts; of a full plan the last one goes. */
    me->plan_count = MIN(me->plan_count, PLAN_STEPS - 1);
    memmove(me->plan + 1, me->plan, sizeof(me->plan[0]) * me->plan_count);
    me->plan_count++;
    me->plan[0] =
        (struct plan_step){.from_min = (uint16_t)minute_of_day(agenda_now(quarter->agenda)),
                           .kind = PLAN_MEET,
                           .quarters = (uint8_t)MIN(MAX(minutes, 15) / 15, UINT8_MAX)};
    feel(me, EXCITED, 4);
    me->urge = MAX(me->urge, (uint16_t)EVENT_URGE);
}

/* --- a model's day --- */

/* Minutes from its rising to that minute of the day. */
static int from_rising(const struct resident *me, int minute)
{
    return (minute - minute_of_day(me->woke_at) + MINUTES_PER_DAY) % MINUTES_PER_DAY;
}

static int plan_end(const struct resident *me, const struct plan_step *step)
{
    return from_rising(me, step->from_min) + step->quarters * 15;
}

/* Work is done in working hours, and nights are slept about as usual. */
bool mind_may_plan(const struct quarter *quarter, uint32_t local, const struct plan_step *step,
                   uint32_t who)
{
    const struct resident *me = resident_at(quarter, local);
    if (step->kind >= PLAN_KIND_COUNT || step->from_min >= MINUTES_PER_DAY || step->quarters == 0 ||
        plan_end(me, step) > MINUTES_PER_DAY + 8 * MINUTES_PER_HOUR)
        return false;
    if (step->kind == PLAN_WORK)
        return is_work_time(me, me->woke_at + from_rising(me, step->from_min)) &&
               step->from_min + step->quarters * 15 <= me->work_until;
    if (step->kind == PLAN_MEET)
        return who != quarter->first + local && is_neighbour(quarter, who) &&
               !is_gone(quarter, who);
    if (step->kind != PLAN_BED) return true;
    int late = (step->from_min - me->bed_min + 2 * MINUTES_PER_DAY) % MINUTES_PER_DAY;
    return late <= PLAN_BED_MINUTES || late >= MINUTES_PER_DAY - PLAN_BED_MINUTES;
}

bool mind_plan_step(struct quarter *quarter, uint32_t local, const struct plan_step *step,
                    uint32_t who, bool first)
{
    struct resident *me = resident_at(quarter, local);
    if (first) {
        memset(me->plan, 0, sizeof(me->plan));
        me->plan_count = me->planning = 0;
        me->plan_who = NOBODY;
        me->plan_model = 1;
    }
    int count = me->plan_count;
    if (count == PLAN_STEPS) return false;
    if (count > 0 && plan_end(me, &me->plan[count - 1]) > from_rising(me, step->from_min))
        return false;
    if (step->kind == PLAN_MEET) {
        for (int i = 0; i < count; i++)
            if (me->plan[i].kind == PLAN_MEET) return false; /* it keeps one person in mind */
        me->plan_who = who;
    }
    me->plan[me->plan_count++] = *step;
    return true;
}

/* --- the rest of a day --- */

/* Minutes from now on until it begins; what is over is over, but the next night comes. */
static int begins_in(const struct plan_step *step, int now)
{
    int in = step->from_min - now;
    bool over = in + step->quarters * 15 <= 0;
    return over && step->kind == PLAN_BED ? in + MINUTES_PER_DAY : in;
}

/* What is left of it from minute `now` of the day on; false: nothing. */
static bool cut_to_rest(const struct resident *me, struct plan_step *step, int now)
{
    enum { BREAKFAST_UNTIL = 11 * MINUTES_PER_HOUR };
    if (step->kind == PLAN_BREAKFAST) { /* was put where it came, not where it rose */
        step->from_min = MAX(step->from_min, me->wake_min);
        return step->from_min < BREAKFAST_UNTIL;
    }
    int in = begins_in(step, now), left = in + step->quarters * 15;
    if (in >= 0) return true;
    step->from_min = (uint16_t)now;
    step->quarters = (uint8_t)MAX(left / 15, 0);
    return step->quarters > 0;
}

void mind_plan_rest(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    int now = minute_of_day(agenda_now(quarter->agenda));
    struct plan_step rest[PLAN_STEPS];
    int count = 0;
    mind_plan_day(quarter, local);
    for (int i = 0; i < me->plan_count; i++) {
        struct plan_step step = me->plan[i];
        if (!cut_to_rest(me, &step, now)) continue;
        int at = count++;
        for (; at > 0 && begins_in(&rest[at - 1], now) > begins_in(&step, now); at--)
            rest[at] = rest[at - 1];
        rest[at] = step;
    }
    memset(me->plan, 0, sizeof(me->plan));
    memcpy(me->plan, rest, sizeof(*rest) * (size_t)count);
    me->plan_count = (uint8_t)count;
}

int mind_notice_minutes(struct quarter *quarter, uint32_t local, uint32_t from)
{
    struct resident *me = resident_at(quarter, local);
    int32_t now = agenda_now(quarter->agenda);
    const struct deed_info *doing = deed_info((enum deed)me->deed);
    if (me->deed == DEED_SLEEP) /* the phone lies face down until the morning */
        return me->deed_until - now + 3 + (int)rng_below(&me->rng, 20);
    if (doing->phone) return 1 + (int)rng_below(&me->rng, 2);
    const struct relation *relation = relation_find(relations_of(quarter, local), from);
    int bond = relation ? relation_bond(relation) : 0;
    int patience = is_member(from) ? 6 - bond / 25 : 15 - bond / 10;
    int minutes = 1 + (int)rng_below(&me->rng, (uint32_t)MAX(patience, 2));
    if (doing->can_interrupt) return minutes;
    /* At work one looks now and then, for a friend sooner; a talk is finished first. */
    int left = me->deed_until - now;
    if (me->deed == DEED_WORK)
        return MIN(left + 1, minutes + (bond > 40 ? 8 : is_member(from) ? 14 : 25));
    return left + minutes;
}
