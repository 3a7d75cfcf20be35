/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/hall.c: a town's thread: its pace, its steps, its beginning and end.
 *
 * A tick a few times a second: what members did since the last one is told to
 * the town; the town goes on to where its pace has it by now; what happened is
 * committed (commit.c), then told to the hub, and words are begun (words.c). A
 * step that the store does not take stays as it is and is tried again: the town
 * waits for its store, never the other way round.
 */
#include "townhall/hall.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/notices.h"
#include "townhall/holder.h"
#include "townhall/internal.h"
#include "townhall/replay.h"

enum {
    TICK_MS = 200,
    LOOK_AGAIN_S = 5,         /* for residents, or for a town whose holder is gone */
    SAVE_AGAIN_S = 5,         /* of a paused town: its lease */
    STEP_EFFECTS = 256,       /* a step ends after about so many … */
    STEPS_A_TICK = 64,        /* … and a tick after so many steps */
    TODO_BEHIND = 1000,       /* so many deeds without their words: the clock waits for them */
    MINUTES_SKIP = 480,       /* the original's max_time_skip */
    CHECKPOINT_MINUTES = 360, /* game time */
    LIVE_BYTES = 1024 * 1024,
    FIRST_POSTS = 32,    /* those of before its founding that a town reads */
    PARTY = 3,           /* so many see each other on its first morning … */
    PARTY_MINUTES = 180, /* … within so long */
};

/* --- founding and finding --- */

struct founding {
    struct cast *cast;
    struct town_row row;
    struct buf state;
};

static enum err apply_founding(void *ctx, struct db *db, struct why *why)
{
    struct founding *founding = ctx;
    int64_t now_us = clock_wall_us();
    enum err err = town_news_heads(db, FIRST_POSTS, &founding->row, why);
    if (!err) err = town_notices_clear(db, why);
    if (!err) err = towns_add(db, &founding->row, now_us, &founding->row.id, why);
    for (uint32_t i = 0; i < founding->cast->count && !err; i++)
        err = town_people_add(db, founding->row.id, i, founding->cast->players[i].user, why);
    struct town_checkpoint first = {.minute = founding->row.minute,
                                    .state = buf_str(&founding->state)};
    if (!err) err = town_checkpoints_add(db, founding->row.id, &first, 1, now_us, why);
    return err;
}

static struct town_settings settings_of(const struct hall *hall)
{
    uint64_t seed = (uint64_t)hall->links.settings->town_seed;
    return town_settings_default(seed ? seed : random_u64() >> 1);
}

/*
 * Nobody knows anybody in a new town, and each would go about its own day. So on the first morning
 * neighbours call on each other, by threes; who would be left alone joins the last three.
 */
static void introduce(struct town *town)
{
    uint32_t count = town_resident_count(town), alone = count % PARTY == 1 ? count - 1 : count;
    for (uint32_t who = 1; who < count; who++) {
        uint32_t host = who - (who == alone ? PARTY : who % PARTY);
        struct input input = {
            .kind = INPUT_INVITE, .to = who, .from = host, .minutes = PARTY_MINUTES};
        struct why why;
        if (host != who && town_input(town, &input, &why) != OK)
            log_warn("town.introduce", "reason=\"%s\"", why.text);
        if (host + 1 != who) continue;
        /* Who is called on stays in for it. */
        input.to = host;
        input.from = who;
        if (town_input(town, &input, &why) != OK)
            log_warn("town.introduce", "reason=\"%s\"", why.text);
    }
}

/* A first town, of everybody who lives nowhere. ERR_NOT_FOUND: nobody does. */
static enum err found(struct hall *hall, struct why *why)
{
    struct cast cast;
    enum err err = cast_call(&cast, hall->db, why);
    if (err) return err;
    struct town_settings settings = settings_of(hall);
    struct town *town = cast_found(&cast, &settings);
    introduce(town); /* before the first checkpoint, so no journal needs to tell it */
    struct founding founding = {.cast = &cast};
    founding.row = (struct town_row){.name = STR("AI社区"),
                                     .seed = settings.seed,
                                     .running = true,
                                     .speed = (uint64_t)hall->links.settings->town_speed,
                                     .minute = town_now(town),
                                     .effects = town_effect_count(town)};
    buf_init(&founding.state, CHECKPOINT_BYTES_MAX);
    town_write(town, &founding.state);
    err = store_write(hall->links.store, hall->db, apply_founding, &founding, why);
    if (!err) {
        log_info("town.founded", "town=%llu residents=%u places=%u seed=%llu",
                 (unsigned long long)founding.row.id.value, cast.count, cast.location_count,
                 (unsigned long long)settings.seed);
    }
    buf_release(&founding.state);
    town_free(town);
    cast_release(&cast);
    return err;
}

struct claim {
    struct hall *hall;
    struct town_row row;
    bool dead; /* who holds it is no more: the town need not wait for the lease to run out */
};

static enum err apply_claim(void *ctx, struct db *db, struct why *why)
{
    struct claim *claim = ctx;
    int64_t now_us = clock_wall_us();
    return towns_claim(db, claim->row.id, str_of(claim->hall->holder),
                       claim->dead ? INT64_MAX : now_us, now_us + INT64_C(1000000) * LEASE_S,
                       &claim->row.fence, why);
}

/* --- going on from where it was --- */

static void note_todo(void *ctx, uint64_t number, struct str bytes)
{
    struct hall *hall = ctx;
    struct effect effect;
    if (bytes.len != sizeof(effect)) return;
    memcpy(&effect, bytes.at, sizeof(effect));
    if (effect.who < hall->cast.count) words_add(hall, number, &effect);
}

static enum err bring_back(struct hall *hall, const struct town_row *row, struct town **town_out,
                           struct why *why)
{
    struct replay replay = {.from = row->minute, .until = row->minute};
    enum err err = replay_town(hall->db, row, &replay, why);
    if (err) return err;
    if (town_effect_count(replay.town) != row->effects) {
        err = why_set(why, ERR_CORRUPT,
                      "the town's journal does not lead from its checkpoint to where it was "
                      "(%llu effects, %llu expected): start the version that ran it last once "
                      "more and stop it, then this one",
                      (unsigned long long)town_effect_count(replay.town),
                      (unsigned long long)row->effects);
        town_free(replay.town);
        return err;
    }
    *town_out = replay.town;
    log_info("town.back", "town=%llu minute=%lld from=%lld inputs=%llu",
             (unsigned long long)row->id.value, (long long)row->minute, (long long)replay.from,
             (unsigned long long)replay.told);
    return OK;
}

static void set_pace(struct hall *hall)
{
    hall->paced_us = clock_mono_us();
    hall->paced_minute = town_now(hall->town);
}

static void drop_town(struct hall *hall)
{
    words_release(hall);
    talk_release(hall);
    mind_release(hall);
    pictures_drop(hall->pictures);
    town_free(hall->town);
    hall->town = NULL;
    cast_release(&hall->cast);
    atomic_store(&hall->stats.residents, 0);
    atomic_store(&hall->stats.running, 0);
}

static enum err let_move(struct hall *hall, struct why *why);

/* Find the town, hold it, bring it to where it was. */
static enum err take(struct hall *hall, struct why *why)
{
    struct arena arena = {0};
    struct claim claim = {.hall = hall};
    enum err err = towns_load_first(hall->db, &arena, &claim.row, why);
    if (err == ERR_NOT_FOUND) {
        err = found(hall, why);
        if (!err) err = towns_load_first(hall->db, &arena, &claim.row, why);
    }
    if (!err) claim.dead = holder_look(claim.row.holder) == HOLDER_DEAD;
    if (!err) err = store_write(hall->links.store, hall->db, apply_claim, &claim, why);
    /* Whoever held it may have gone on until now. */
    uint64_t fence = claim.row.fence;
    if (!err) err = towns_load_first(hall->db, &arena, &claim.row, why);
    struct town *town = NULL;
    if (!err) err = budget_load(hall->budget, hall->db, why);
    if (!err) err = bring_back(hall, &claim.row, &town, why);
    if (!err) {
        err = cast_load(&hall->cast, hall->db, claim.row.id, town_resident_count(town), why);
        if (err) town_free(town);
    }
    if (!err) {
        hall->town = town;
        hall->row = claim.row;
        hall->row.fence = fence;
        hall->row.name = hall->row.holder = STR("");
        hall->checkpoint_at = (int32_t)hall->row.minute + CHECKPOINT_MINUTES;
        hall->needs_hour = -1; /* one more look after a start costs nothing */
        hall->told_minute = (int32_t)hall->row.minute;
        set_pace(hall);
        err = town_todo_list(hall->db, hall->row.id, note_todo, hall, why);
        /* Accounts that came or went while nobody ran it: before the clock goes on. */
        hall->moves_us = 0;
        while (!err && hall->moves_us == 0) err = let_move(hall, why);
        if (err) drop_town(hall);
        /* What it asked before the start is asked again. */
        for (uint32_t who = 0; !err && who < hall->cast.count; who++) {
            if (town_question(town, who)) mind_ask(hall, who);
            mind_ask_plan(hall, who);
        }
    }
    arena_release(&arena);
    return err;
}

static void look_for_town(struct hall *hall)
{
    int64_t now_us = clock_mono_us();
    if (hall->looked_us && now_us - hall->looked_us < INT64_C(1000000) * LOOK_AGAIN_S) return;
    bool first = hall->looked_us == 0;
    hall->looked_us = now_us;
    struct why why;
    enum err err = hall->looked = take(hall, &why);
    if (err) hall->looked_why = why;
    if (!err || err == ERR_NOT_FOUND) return;
    if (err == ERR_BUSY) {
        if (first) log_info("town.held", "%s", why.text);
        return;
    }
    log_error("town.take", "reason=\"%s\"", why.text);
}

/* --- what members did --- */

struct news {
    struct batch *batch;
    uint64_t *cursor;
    enum input_kind kind;
};

static void note_news(void *ctx, const struct town_news *told)
{
    struct news *news = ctx;
    struct batch *batch = news->batch;
    *news->cursor = told->id;
    if (told->from.value >= MEMBER_BIT || told->id > UINT32_MAX) return;
    struct input input = {.kind = (uint8_t)news->kind,
                          .from = MEMBER_BIT | (uint32_t)told->from.value};
    if (news->kind == INPUT_POST) {
        input.subject = SUBJECT_NEWS;
        input.ref = (uint32_t)told->id;
        if (told->has_resident) input.from = told->resident;
    } else if (news->kind == INPUT_COMMENT) {
        input.mood = 20;
        input.ref = told->post;
        if (told->has_resident) {
            input.kind = INPUT_REMARK;
            input.to = told->resident;
            input.choice = told->on_post;
        }
    } else {
        input.to = told->resident;
    }
    batch->inputs[batch->input_count++].input = input;
}

static void note_notice(void *ctx, const struct town_notice *notice)
{
    struct batch *batch = ctx;
    batch->notices[batch->notice_count++] = notice->id;
    if (notice->actor.value >= MEMBER_BIT) return;
    struct input input = {.from = MEMBER_BIT | (uint32_t)notice->actor.value};
    if (notice->is_follow) {
        input.kind = INPUT_FOLLOW;
        input.to = notice->to;
    } else {
        input.kind = INPUT_LIKE;
        input.ref = notice->to;
    }
    batch->inputs[batch->input_count++].input = input;
}

/* At most INPUTS_MAX at a time; the cursors stand where the last one told was. */
static enum err gather_news(struct hall *hall, struct batch *batch, struct why *why)
{
    struct news news = {.batch = batch};
    struct town_row *row = &batch->row;
    news.kind = INPUT_MESSAGE;
    news.cursor = &row->message_id;
    enum err err = town_messages_after(hall->db, row->id, row->message_id,
                                       INPUTS_MAX - batch->input_count, note_news, &news, why);
    if (err || batch->input_count == INPUTS_MAX) return err;
    news.kind = INPUT_POST;
    news.cursor = &row->post_id;
    err = town_posts_after(hall->db, row->id, row->post_id, INPUTS_MAX - batch->input_count,
                           note_news, &news, why);
    if (err || batch->input_count == INPUTS_MAX) return err;
    news.kind = INPUT_COMMENT;
    news.cursor = &row->comment_id;
    err = town_comments_after(hall->db, row->id, row->comment_id, INPUTS_MAX - batch->input_count,
                              note_news, &news, why);
    if (err || batch->input_count == INPUTS_MAX) return err;
    return town_notices_list(hall->db, row->id, INPUTS_MAX - batch->input_count, note_notice, batch,
                             why);
}

static void tell_town(struct hall *hall, struct batch *batch)
{
    batch->inputs_minute = town_now(hall->town);
    for (size_t i = 0; i < batch->input_count; i++) {
        struct telling *telling = &batch->inputs[i];
        const struct input *input = &telling->input;
        const struct question *question =
            input->kind == INPUT_ANSWER ? town_question(hall->town, input->to) : NULL;
        if (question && question->number == input->ref && input->choice < question->count)
            telling->chosen = question->option[input->choice];
        if (telling->chosen.place == NOWHERE) /* as it was offered (decision.c) */
            telling->chosen.place = town_resident(hall->town, input->to)->place;
        struct why why;
        telling->taken = town_input(hall->town, input, &why) == OK;
        if (!telling->taken) {
            log_debug("town.input", "refused=\"%s\"", why.text);
            telling->chosen = (struct option){0};
        }
        if (telling->chosen.deed != DEED_IDLE)
            cast_note_reason(&hall->cast, input->to, telling->reason);
    }
    batch->row.inputs += batch->input_count;
}

/* --- a step --- */

static void tell_maps(struct hall *hall, const struct batch *batch)
{
    struct buf data;
    buf_init(&data, LIVE_BYTES);
    view_write_effects(hall, batch->effects, batch->effect_count, &data);
    if (data.len > 0 && !data.failed) {
        buf_reset(&hall->live, LIVE_BYTES);
        buf_add_str(&hall->live, STR("{\"event\":\"town.happened\",\"data\":"));
        buf_add_str(&hall->live, buf_str(&data));
        buf_add_byte(&hall->live, '}');
        struct topic_name topic = topic_town(hall->row.id);
        struct event *event = event_new(&topic, 0, buf_str(&hall->live), STR(""));
        hub_publish(hall->links.hub, &event, 1);
    }
    buf_release(&data);
}

static void note_words(struct hall *hall, const struct batch *batch)
{
    uint64_t number = batch->row.effects - batch->effect_count;
    for (size_t i = 0; i < batch->effect_count; i++, number++) {
        const struct effect *effect = &batch->effects[i];
        if (batch->waits[i]) words_add(hall, number, effect);
        if (effect->kind == EFFECT_ASK) mind_ask(hall, effect->who);
        if (effect->kind == EFFECT_WOKE) mind_ask_plan(hall, effect->who);
    }
}

/* Once in a game hour, for plots; a step that passes several leaves the last one's. */
static void look_at_needs(const struct hall *hall, struct batch *batch)
{
    if (batch->row.minute / 60 == hall->needs_hour) return;
    uint32_t count;
    uint32_t *people = needs_people(hall->town, &count);
    batch->has_needs = count > 0;
    if (count > 0) needs_look(hall->town, people, count, batch->needs);
    mem_free(people);
}

/*
 * Make durable what the town has done since the last time, and tell it. Failure: the store did not
 * take it; the town's thread tries again until it does, or until somebody else holds the town.
 */
static enum err commit(struct hall *hall, struct batch *batch, struct why *why)
{
    batch->hall = hall;
    batch->effects = town_effects(hall->town, &batch->effect_count);
    batch->row.minute = town_now(hall->town);
    batch->row.effects = town_effect_count(hall->town);
    ASSERT(batch->row.effects == hall->row.effects + batch->effect_count);
    batch->checkpoint |= batch->row.minute >= hall->checkpoint_at;
    for (size_t i = 0; i < batch->effect_count; i++)
        cast_meet(&hall->cast, hall->db, batch->effects[i].other);
    look_at_needs(hall, batch);
    enum err err = batch_commit(batch, why);
    for (int tries = 0; err && err != ERR_CONFLICT && tries < 100; tries++) {
        log_warn("town.commit", "reason=\"%s\"", why->text);
        usleep(100 * 1000); /* nothing else waits for this thread */
        err = batch_commit(batch, why);
    }
    if (err) return err;
    if (batch->checkpoint) hall->checkpoint_at = (int32_t)batch->row.minute + CHECKPOINT_MINUTES;
    budget_saved(hall->budget);
    if (batch->has_needs) hall->needs_hour = batch->row.minute / 60;
    hall->row = batch->row;
    hall->saved_us = clock_mono_us();
    batch_publish(batch);
    tell_maps(hall, batch);
    lines_happened(hall, batch->effects, batch->effect_count);
    note_words(hall, batch);
    atomic_store(&hall->stats.minute, hall->row.minute);
    atomic_fetch_add(&hall->stats.steps, 1);
    atomic_fetch_add(&hall->stats.effects, batch->effect_count);
    atomic_fetch_add(&hall->stats.inputs, batch->input_count);
    town_forget_effects(hall->town);
    return OK;
}

/* Let the town go on to `until`, or until enough has happened. */
static void go_on(struct hall *hall, int32_t until)
{
    size_t count = 0;
    do {
        int32_t next = town_next_at(hall->town);
        town_advance(hall->town, MIN(MAX(next, town_now(hall->town)), until), NULL);
        (void)town_effects(hall->town, &count);
    } while (count < STEP_EFFECTS && town_now(hall->town) < until);
}

/* `*there_out`: it is where it may be now, which is before `until` while the clock waits. */
static enum err step(struct hall *hall, int32_t until, bool *there_out, struct why *why)
{
    struct batch batch = {.row = hall->row};
    mind_take_answers(hall, &batch);
    enum err err = gather_news(hall, &batch, why);
    if (!err) {
        tell_town(hall, &batch);
        int32_t most = MAX(mind_hold(hall, until), town_now(hall->town));
        go_on(hall, MIN(most, mind_reach(hall)));
        *there_out = town_now(hall->town) >= most;
        err = commit(hall, &batch, why);
    }
    batch_release(&batch);
    return err;
}

/* Between two steps: a town that stands is moved into and out of, too. */
static enum err let_move(struct hall *hall, struct why *why)
{
    struct batch batch = {.row = hall->row};
    enum err err = moving_tell(hall, &batch, why);
    if (!err && batch.input_count > 0) err = commit(hall, &batch, why);
    if (!err) moving_settle(hall, &batch);
    batch_release(&batch);
    return err;
}

static int32_t minute_by_pace(const struct hall *hall)
{
    int64_t passed_us = clock_mono_us() - hall->paced_us;
    int64_t minutes = passed_us * (int64_t)hall->row.speed / (INT64_C(60) * 1000000);
    return (int32_t)MIN(hall->paced_minute + minutes, (int64_t)TOWN_END_MIN);
}

static void lose_town(struct hall *hall, enum err err, const struct why *why)
{
    if (err == ERR_CONFLICT)
        log_warn("town.lost", "reason=\"%s\"", why->text);
    else
        log_error("town.stopped", "reason=\"%s\"", why->text);
    drop_town(hall); /* and take it again, from what is stored */
}

static void run_paced(struct hall *hall)
{
    struct why why;
    bool there = false;
    int32_t until = minute_by_pace(hall);
    if (until <= town_now(hall->town) && hall->answer_count == 0) return;
    if (atomic_load(&hall->stats.todo) > TODO_BEHIND) {
        set_pace(hall);
        return;
    }
    until = MAX(until, town_now(hall->town));
    for (int steps = 0; steps < STEPS_A_TICK && (!there || hall->answer_count); steps++) {
        enum err err = step(hall, until, &there, &why);
        if (err) {
            lose_town(hall, err, &why);
            return;
        }
    }
    /* Faster than it can, or it waits: from here on, rather than ever further behind. */
    if (town_now(hall->town) < until) set_pace(hall);
}

/* A paused town keeps its lease. */
static void keep_lease(struct hall *hall)
{
    if (clock_mono_us() - hall->saved_us < INT64_C(1000000) * SAVE_AGAIN_S) return;
    struct batch batch = {.row = hall->row};
    struct why why;
    enum err err = commit(hall, &batch, &why);
    batch_release(&batch);
    if (err) lose_town(hall, err, &why);
}

static void see_who_moves(struct hall *hall)
{
    struct why why;
    if (!moving_is_due(hall)) return;
    enum err err = let_move(hall, &why);
    if (err) lose_town(hall, err, &why);
}

static void tell_budget(struct hall *hall)
{
    struct hall_stats *stats = &hall->stats;
    struct budget_figures figures = budget_figures(hall->budget);
    atomic_store(&stats->tokens, figures.tokens);
    atomic_store(&stats->tokens_most, figures.tokens_most);
    atomic_store(&stats->micro, figures.micro);
    atomic_store(&stats->micro_most, figures.micro_most);
    atomic_store(&stats->budget, (int)budget_state(hall->budget));
}

static void steps_go_on(struct hall *hall, bool all);

static void on_tick(void *ctx)
{
    struct hall *hall = ctx;
    if (!hall->town) look_for_town(hall);
    steps_go_on(hall, !hall->town);
    if (!hall->town) return;
    see_who_moves(hall);
    if (!hall->town) return;
    if (hall->row.running && !hall->held) run_paced(hall);
    if (hall->town) keep_lease(hall);
    if (!hall->town) return;
    minds_go_on(hall);
    words_go_on(hall);
    pictures_go_on(hall->pictures);
    talk_go_on(hall);
    atomic_store(&hall->stats.running, hall->row.running && !hall->held);
    atomic_store(&hall->stats.questions, town_questions_open(hall->town));
    tell_budget(hall);
}

/* --- asking the town's thread --- */

struct errand {
    struct task task;
    struct list link; /* hall->stepping */
    struct hall *hall;
    enum err (*run)(struct errand *errand, struct why *why);
    enum hall_verb verb;
    uint64_t speed;
    struct user_id user, reader;
    uint32_t most;    /* residents */
    struct buf *json; /* what is written: JSON, or a checkpoint */
    enum err err;
    struct why *why;
    pthread_mutex_t lock;
    pthread_cond_t done_wake;
    bool done;
    bool frank; /* without a town, say why: not for members */
};

static void do_errand(struct errand *errand)
{
    const struct hall *hall = errand->hall;
    enum err err;
    if (hall->town) {
        err = errand->run(errand, errand->why);
    } else if (errand->frank && hall->looked) {
        err = hall->looked;
        *errand->why = hall->looked_why;
    } else {
        err = why_set(errand->why, ERR_NOT_FOUND,
                      hall->looked == ERR_BUSY
                          ? "another instance of this server runs the town: ask that one"
                          : "there is no town here now");
    }
    pthread_mutex_lock(&errand->lock);
    errand->err = err;
    errand->done = true;
    pthread_cond_signal(&errand->done_wake);
    pthread_mutex_unlock(&errand->lock);
}

/* As the original does it: who decides has decided when the clock jumps to the next end. */
static void run_errand(struct task *task)
{
    struct errand *errand = CONTAINER_OF(task, struct errand, task);
    struct hall *hall = errand->hall;
    if (!hall->town) look_for_town(hall);
    if (hall->town && errand->verb == HALL_STEP && mind_is_awaited(hall))
        list_add_last(&hall->stepping, &errand->link);
    else
        do_errand(errand);
}

/* Steps whose decisions have been made; `all`: whatever has become of those. */
static void steps_go_on(struct hall *hall, bool all)
{
    struct list *link;
    while ((all || !mind_is_awaited(hall)) && (link = list_take_first(&hall->stepping)))
        do_errand(CONTAINER_OF(link, struct errand, link));
}

static enum err send(struct errand *errand)
{
    errand->task.run = run_errand;
    pthread_mutex_init(&errand->lock, NULL);
    pthread_cond_init(&errand->done_wake, NULL);
    loop_post(errand->hall->loop, &errand->task);
    pthread_mutex_lock(&errand->lock);
    while (!errand->done) pthread_cond_wait(&errand->done_wake, &errand->lock);
    pthread_mutex_unlock(&errand->lock);
    pthread_mutex_destroy(&errand->lock);
    pthread_cond_destroy(&errand->done_wake);
    return errand->err;
}

static enum err do_control(struct errand *errand, struct why *why)
{
    struct hall *hall = errand->hall;
    struct batch batch = {.row = hall->row};
    switch (errand->verb) {
    case HALL_START:
        batch.row.running = true;
        hall->held = false;
        break;
    case HALL_HOLD: hall->held = true; return OK;
    case HALL_SAVE: batch.checkpoint = true; break;
    case HALL_PAUSE: batch.row.running = false; break;
    case HALL_SPEED: batch.row.speed = errand->speed; break;
    case HALL_STEP: break;
    }
    bool there;
    int32_t next = town_next_at(hall->town);
    enum err err = errand->verb == HALL_STEP
                       ? step(hall, MIN(next, town_now(hall->town) + MINUTES_SKIP), &there, why)
                       : commit(hall, &batch, why);
    batch_release(&batch);
    /* What the store did not take has not happened: from what is stored, as a paced step does. */
    if (err)
        lose_town(hall, err, why);
    else
        set_pace(hall);
    return err;
}

static enum err do_nothing(struct errand *errand, struct why *why)
{
    (void)errand, (void)why;
    return OK;
}

enum err hall_find_town(struct hall *hall, struct why *why)
{
    struct errand errand = {.hall = hall, .run = do_nothing, .why = why, .frank = true};
    return send(&errand);
}

enum err hall_control(struct hall *hall, enum hall_verb verb, uint64_t speed, struct why *why)
{
    struct errand errand = {
        .hall = hall, .run = do_control, .verb = verb, .speed = speed, .why = why};
    return send(&errand);
}

static enum err do_write_town(struct errand *errand, struct why *why)
{
    (void)why;
    view_write_town(errand->hall, errand->json);
    return OK;
}

enum err hall_write_town(struct hall *hall, struct buf *json, struct why *why)
{
    struct errand errand = {.hall = hall, .run = do_write_town, .json = json, .why = why};
    return send(&errand);
}

static enum err do_write_resident(struct errand *errand, struct why *why)
{
    struct hall *hall = errand->hall;
    for (uint32_t who = 0; who < hall->cast.count; who++)
        if (hall->cast.players[who].user.value == errand->user.value)
            cast_meet_friends(&hall->cast, hall->db, hall->town, who);
    return view_write_resident(hall, errand->user, errand->reader, errand->json, why);
}

enum err hall_write_resident(struct hall *hall, struct user_id user, struct user_id reader,
                             struct buf *json, struct why *why)
{
    struct errand errand = {.hall = hall,
                            .run = do_write_resident,
                            .user = user,
                            .reader = reader,
                            .json = json,
                            .why = why};
    return send(&errand);
}

static enum err do_write_ties(struct errand *errand, struct why *why)
{
    (void)why;
    ties_write(errand->hall, errand->most, errand->json);
    return OK;
}

enum err hall_write_ties(struct hall *hall, uint32_t most, struct buf *json, struct why *why)
{
    struct errand errand = {
        .hall = hall, .run = do_write_ties, .most = most, .json = json, .why = why};
    return send(&errand);
}

static enum err do_write_state(struct errand *errand, struct why *why)
{
    town_write(errand->hall->town, errand->json);
    if (!errand->json->failed) return OK;
    return why_set(why, ERR_LIMIT, "the town has more than %zu bytes", errand->json->max);
}

enum err hall_write_state(struct hall *hall, struct buf *state, struct why *why)
{
    struct errand errand = {.hall = hall, .run = do_write_state, .json = state, .why = why};
    return send(&errand);
}

const struct hall_stats *hall_stats(const struct hall *hall)
{
    return &hall->stats;
}

/* --- the thread --- */

static void *hall_main(void *ctx)
{
    struct hall *hall = ctx;
    log_context("town");
    loop_run(hall->loop);
    return NULL;
}

enum err hall_open(const struct hall_links *links, struct hall **hall_out, struct why *why)
{
    *hall_out = NULL;
    if (!links->settings->town) return OK;
    struct hall *hall = NEW(struct hall);
    hall->links = *links;
    hall->held = links->held;
    list_init(&hall->todos);
    list_init(&hall->minds);
    list_init(&hall->stepping);
    list_init(&hall->speeches);
    buf_init(&hall->live, LIVE_BYTES);
    holder_name(hall->holder);
    enum err err = loop_open(&hall->loop, why);
    if (!err) err = store_connect(links->store, &hall->db, why);
    if (!err) err = offline_open(&hall->offline, why);
    if (!err) err = budget_open(links->settings, links->llm, &hall->budget, why);
    if (!err) err = pictures_open(hall, &hall->pictures, why);
    if (!err) err = lore_open(hall, why);
    if (!err) {
        hall->llm = llm_loop_open(links->llm, hall->loop);
        hall->tick = timer_new(hall->loop, on_tick, hall);
        timer_start(hall->tick, 0, TICK_MS);
        int failed = pthread_create(&hall->thread, NULL, hall_main, hall);
        hall->started = !failed;
        if (failed)
            err = why_set(why, ERR_IO, "cannot start the town's thread: %s", strerror(failed));
    }
    if (err)
        hall_close(hall);
    else
        *hall_out = hall;
    return err;
}

struct ending {
    struct task task;
    struct hall *hall;
};

static enum err apply_let_go(void *ctx, struct db *db, struct why *why)
{
    const struct hall *hall = ctx;
    return towns_let_go(db, hall->row.id, hall->row.fence, why);
}

/* A last checkpoint, so that the next start is short. */
static void put_to_bed(struct hall *hall)
{
    struct batch batch = {.row = hall->row, .checkpoint = true};
    struct why why;
    enum err err = commit(hall, &batch, &why);
    batch_release(&batch);
    if (!err) err = store_write(hall->links.store, hall->db, apply_let_go, hall, &why);
    if (err) log_warn("town.put_to_bed", "reason=\"%s\"", why.text);
}

static void run_ending(struct task *task)
{
    struct hall *hall = CONTAINER_OF(task, struct ending, task)->hall;
    timer_free(hall->tick);
    hall->tick = NULL;
    steps_go_on(hall, true); /* nobody is left waiting */
    if (hall->town) {
        words_release(hall);
        mind_release(hall);
        put_to_bed(hall);
        drop_town(hall);
    }
    pictures_close(hall->pictures);
    hall->pictures = NULL;
    lore_close(hall);
    llm_loop_close(hall->llm);
    hall->llm = NULL;
    loop_stop(hall->loop);
}

void hall_close(struct hall *hall)
{
    if (!hall) return;
    struct ending ending = {.task.run = run_ending, .hall = hall};
    if (hall->started) {
        loop_post(hall->loop, &ending.task);
        pthread_join(hall->thread, NULL);
    } else {
        timer_free(hall->tick);
        pictures_close(hall->pictures);
        lore_close(hall);
        llm_loop_close(hall->llm);
    }
    if (hall->loop) loop_close(hall->loop);
    db_close(hall->db);
    offline_free(hall->offline);
    budget_free(hall->budget);
    buf_release(&hall->live);
    mem_free(hall->answers);
    mem_free(hall);
}
