/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/move.c: who comes to a town that lives, and who leaves it.
 *
 * Numbers are what everything else names people by, so none is ever used again:
 * who moves out keeps its row, with all it remembers, and is marked in it. It has
 * nothing in the agenda and sits nowhere, so nobody comes upon it; what could
 * still reach it by its number (a phone, a plan, an option offered before) asks
 * is_gone(). Who moves in gets the next number, in the last quarter: numbers of
 * quarters behind it would have to change.
 *
 * All of it happens between two minutes, as every input does.
 */
#include "town/internal.h"

enum { LEFT_ALONE_MINUTES = 2 };

bool town_is_gone(const struct town *town, uint32_t who)
{
    ASSERT(who < town->residents);
    if (town->gone == 0) return false;
    uint32_t local;
    const struct quarter *quarter = home_of(town, who, &local);
    return resident_at(quarter, local)->gone;
}

uint32_t town_living_count(const struct town *town)
{
    return town->residents - town->gone;
}

/* --- out --- */

/* Whoever talks with it stands there alone, and thinks again in a moment. */
static void leave_company(struct quarter *quarter, uint32_t local)
{
    const struct resident *me = resident_at(quarter, local);
    bool talks = me->deed == DEED_TALK_TO || me->deed == DEED_GREET;
    if (!talks || !is_neighbour(quarter, me->deed_who)) return;
    uint32_t partner = me->deed_who - quarter->first;
    struct resident *other = resident_at(quarter, partner);
    if (other->deed != me->deed || other->deed_who != quarter->first + local) return;
    deed_interrupt(quarter, partner);
    struct option pause = {
        .who = NOBODY, .place = NOWHERE, .minutes = LEFT_ALONE_MINUTES, .deed = DEED_WAIT};
    deed_start(quarter, partner, &pause);
}

/* What it has done and no round has carried out yet is not done. */
static void take_back_mail(struct quarter *quarter, uint32_t who)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < quarter->mails; i++)
        if (quarter->mail[i].from != who) quarter->mail[kept++] = quarter->mail[i];
    quarter->mails = kept;
}

void move_out(struct town *town, uint32_t who)
{
    uint32_t local;
    struct quarter *quarter = home_of(town, who, &local);
    struct resident *me = resident_at(quarter, local);
    leave_company(quarter, local);
    question_drop(quarter, who);
    me->asking = 0;
    deed_interrupt(quarter, local);
    agenda_cancel_all(quarter->agenda, local);
    take_back_mail(quarter, who);
    leave_place(quarter, local);
    place_drop_seat(&quarter->places, me->home);
    me->near = me->home;
    me->unread = 0;
    me->plan_who = NOBODY;
    memset(me->plan, 0, sizeof(me->plan));
    me->plan_count = me->planning = me->plan_model = 0;
    me->gone = 1;
    town->gone++;
    struct effect effect = effect_of(quarter, local, EFFECT_LEFT);
    effect_emit(quarter, &effect);
}

/* --- in --- */

static enum err full(struct why *why)
{
    return why_set(why, ERR_LIMIT, "this home has no room for one more");
}

static void tell_came(struct quarter *quarter, uint32_t local)
{
    struct effect effect = effect_of(quarter, local, EFFECT_CAME);
    effect_emit(quarter, &effect);
}

/* Its body is as it was, however long that is ago; the day begins anew. */
static void wake(struct quarter *quarter, uint32_t local)
{
    struct resident *me = resident_at(quarter, local);
    me->gone = 0;
    me->since = me->deed_at = me->deed_until = me->woke_at = agenda_now(quarter->agenda);
    me->need[DUTY] = 0;
    me->emotion = NEUTRAL;
    me->emotion_quarters = 0;
    me->posts_today = me->messages_today = me->talks_today = me->meals_today = 0;
    me->browsed_today = me->asks_today = 0;
    me->feed_seen = quarter->feed->head;
}

enum err move_back(struct town *town, uint32_t who, struct why *why)
{
    if (who >= town->residents)
        return why_set(why, ERR_INVALID, "the town has residents 0 to %u, not %u",
                       town->residents - 1, who);
    uint32_t local;
    struct quarter *quarter = home_of(town, who, &local);
    const struct resident *me = resident_at(quarter, local);
    if (!me->gone) return why_set(why, ERR_CONFLICT, "resident %u has not moved out", who);
    if (!place_make_room(&quarter->places, me->home)) return full(why);
    place_keep_seat(&quarter->places, me->home);
    wake(quarter, local);
    town->gone--;
    come_home(quarter, local);
    decide_in(quarter, local, 1);
    tell_came(quarter, local);
    return OK;
}

static bool draft_fits(const struct resident_draft *draft, uint32_t places)
{
    bool fits = draft->home < places && (draft->work < places || draft->work == NOWHERE) &&
                draft->wake_min < MINUTES_PER_DAY && draft->bed_min < MINUTES_PER_DAY &&
                draft->work_from <= MINUTES_PER_DAY && draft->work_until <= MINUTES_PER_DAY &&
                draft->job < JOB_COUNT;
    for (int i = 0; i < TRAIT_COUNT; i++)
        fits = fits && draft->trait[i] >= -100 && draft->trait[i] <= 100;
    return fits;
}

enum err move_in(struct town *town, const struct input *input, struct why *why)
{
    struct quarter *quarter = &town->quarter[town->quarters - 1];
    const struct resident_draft *draft = &input->draft;
    if (input->to != town->residents)
        return why_set(why, ERR_INVALID, "the next resident is number %u, not %u", town->residents,
                       input->to);
    if (!draft_fits(draft, quarter->places.count))
        return why_set(why, ERR_INVALID, "nobody can live so: home %u, work %u, job %u",
                       draft->home, draft->work, draft->job);
    if (quarter->count >= QUARTER_RESIDENTS_MAX || town->residents >= TOWN_RESIDENTS_MAX)
        return why_set(why, ERR_LIMIT, "the town has had %u residents and takes no more",
                       town->residents);
    if (!place_make_room(&quarter->places, draft->home)) return full(why);
    quarter_add(quarter, draft);
    town->residents++;
    town->first_of[town->quarters] = town->residents;
    tell_came(quarter, quarter->count - 1);
    return OK;
}
