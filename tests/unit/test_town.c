/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include <pthread.h>

#include "base/mem.h"
#include "town/populate.h"

enum { RESIDENTS = 60, DAY = MINUTES_PER_DAY };
#define GOLDEN UINT64_C(0xccfb34303132f870)

static struct town *found(uint64_t seed, uint32_t residents)
{
    struct town_settings settings = town_settings_default(seed);
    settings.feed_slots = 256;
    return town_found(&settings, residents);
}

static void until(struct town *town, int32_t at)
{
    while (town_now(town) < at) {
        town_advance(town, MIN(MAX(town_next_at(town), town_now(town)), at), NULL);
        if (town_next_at(town) > at) town_advance(town, at, NULL);
        town_forget_effects(town);
    }
}

/* --- the world's laws --- */

static void invariants_hold_after_every_event_of_three_days(void **state)
{
    (void)state;
    struct town *town = found(1, RESIDENTS);
    while (town_now(town) < TOWN_START_MIN + 3 * DAY) {
        town_advance(town, town_next_at(town), NULL);
        town_check(town);
        town_forget_effects(town);
    }
    town_free(town);
}

/* A month: everybody's memories are full by then, ties are given up, the phone's posts forgotten.
 * A change of settings in its middle leaves a town that is as sound. */
static void invariants_hold_through_a_month(void **state)
{
    (void)state;
    struct town *town = found(11, 150);
    for (int day = 1; day <= 30; day++) {
        until(town, TOWN_START_MIN + day * DAY);
        town_check(town);
        if (day != 15) continue;
        struct town_settings other = *town_settings(town);
        other.seed = 12;
        other.memory_slots = MEMORY_SLOTS_MIN;
        other.relation_slots = 4;
        other.feed_slots = 64;
        town_change(town, &other, (const int8_t[TRAIT_COUNT]){[EXTRAVERSION] = 120});
        town_check(town);
    }
    size_t most = 0;
    for (uint32_t who = 0; who < 150; who++) {
        size_t count;
        (void)town_relations(town, who, &count);
        assert_in_range(count, 1, 4);
        (void)town_memories(town, who, &count);
        most = MAX(most, count);
        assert_in_range(town_resident(town, who)->trait[EXTRAVERSION], 20, 100);
    }
    assert_int_equal(most, MEMORY_SLOTS_MIN);
    town_free(town);
    /* And with everything a town has room for. */
    town = found(13, 100);
    for (int day = 1; day <= 30; day++) {
        until(town, TOWN_START_MIN + day * DAY);
        town_check(town);
    }
    town_free(town);
}

/*
 * The same number on every compiler, at every optimisation, with every sanitizer: this test is
 * built by all of them. When the rules of the world change it changes too, on purpose, here.
 */
static void a_seed_gives_the_same_world_everywhere(void **state)
{
    (void)state;
    struct town *town = found(42, 2500);
    until(town, TOWN_START_MIN + DAY);
    uint64_t hash = town_hash(town);
    town_free(town);
    assert_int_equal(hash, GOLDEN);
    struct town *other = found(43, 2500);
    until(other, TOWN_START_MIN + DAY);
    uint64_t other_hash = town_hash(other);
    town_free(other);
    assert_int_not_equal(other_hash, GOLDEN);
}

/* Else what is told in that minute would come before it happens, and after it in a replay. */
static void nothing_is_due_in_the_minute_in_which_a_town_is_founded(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct town *town = found(seed, 30);
        int32_t next = town_next_at(town), now = town_now(town);
        town_free(town);
        assert_true(next > now);
    }
}

/* A runner with threads of its own for every minute, taking quarters as they come. */
struct crew {
    pthread_mutex_t lock;
    uint32_t next, count;
    town_job *job;
    void *job_ctx;
};

static void *crew_work(void *ctx)
{
    struct crew *crew = ctx;
    for (;;) {
        pthread_mutex_lock(&crew->lock);
        uint32_t number = crew->next++;
        pthread_mutex_unlock(&crew->lock);
        if (number >= crew->count) return NULL;
        crew->job(crew->job_ctx, number);
    }
}

static void crew_run(void *ctx, uint32_t count, town_job *job, void *job_ctx)
{
    int *threads = ctx;
    struct crew crew = {.count = count, .job = job, .job_ctx = job_ctx};
    pthread_mutex_init(&crew.lock, NULL);
    pthread_t handles[8];
    for (int i = 0; i < *threads; i++)
        assert_int_equal(pthread_create(&handles[i], NULL, crew_work, &crew), 0);
    for (int i = 0; i < *threads; i++) pthread_join(handles[i], NULL);
    pthread_mutex_destroy(&crew.lock);
}

static void threads_do_not_change_what_happens(void **state)
{
    (void)state;
    uint64_t hashes[3];
    for (int threads = 0; threads < 3; threads++) {
        struct town *town = found(5, 3000);
        int crew = threads * 2;
        struct town_runner runner = {crew_run, &crew};
        town_advance(town, TOWN_START_MIN + 10 * 60, threads ? &runner : NULL);
        hashes[threads] = town_hash(town);
        town_free(town);
    }
    assert_int_equal(hashes[0], hashes[1]);
    assert_int_equal(hashes[0], hashes[2]);
}

static void steps_of_any_size_come_to_the_same(void **state)
{
    (void)state;
    struct town *one = found(9, RESIDENTS), *many = found(9, RESIDENTS);
    int32_t end = TOWN_START_MIN + DAY;
    town_advance(one, end, NULL);
    for (int32_t at = TOWN_START_MIN; at <= end; at += 7) town_advance(many, at, NULL);
    town_advance(many, end, NULL);
    assert_int_equal(town_hash(one), town_hash(many));
    town_free(one);
    town_free(many);
}

static void a_checkpoint_goes_on_as_the_town_itself(void **state)
{
    (void)state;
    struct town *town = found(11, 1200);
    until(town, TOWN_START_MIN + DAY / 2);
    struct buf bytes;
    buf_init(&bytes, 64 << 20);
    town_write(town, &bytes);
    assert_false(bytes.failed);
    struct town *copy = NULL;
    struct why why = {0};
    assert_int_equal(town_read(buf_str(&bytes), &copy, &why), OK);
    town_check(copy);
    assert_int_equal(town_hash(copy), town_hash(town));
    until(town, TOWN_START_MIN + DAY);
    until(copy, TOWN_START_MIN + DAY);
    assert_int_equal(town_hash(copy), town_hash(town));
    town_free(copy);

    /* Cut short anywhere it is refused, with a sentence and no leak. */
    for (size_t cut = 0; cut < bytes.len; cut += 1 + bytes.len / 23) {
        copy = NULL;
        assert_int_equal(town_read((struct str){bytes.at, cut}, &copy, &why), ERR_CORRUPT);
        assert_null(copy);
        assert_true(why.text[0] != '\0');
    }
    bytes.at[9] ^= 1;
    assert_int_equal(town_read(buf_str(&bytes), &copy, &why), ERR_CORRUPT);
    buf_release(&bytes);
    town_free(town);
}

static struct town *read_back(struct town *town)
{
    struct buf bytes;
    buf_init(&bytes, 64 << 20);
    town_write(town, &bytes);
    assert_false(bytes.failed);
    town_free(town);
    struct why why = {0};
    assert_int_equal(town_read(buf_str(&bytes), &town, &why), OK);
    buf_release(&bytes);
    return town;
}

static struct town *with_rounds(uint8_t minutes)
{
    struct town_settings settings = town_settings_large(17);
    settings.mail_minutes = minutes;
    return town_found(&settings, 2500);
}

/* What is written in the middle of a round waits for its end, wherever the steps and checkpoints
 * fall and whoever runs it; and it is another town than one whose phones fetch every minute. */
static void a_round_of_mail_is_whole_however_it_is_lived(void **state)
{
    (void)state;
    int32_t end = TOWN_START_MIN + 6 * 60;
    struct town *one = with_rounds(15), *many = with_rounds(15), *crewed = with_rounds(15),
                *other = with_rounds(1);
    town_advance(one, end, NULL);
    bool waiting = false;
    for (int32_t at = TOWN_START_MIN; at < end; at += 11) {
        town_advance(many, at, NULL);
        town_check(many);
        waiting |= at % 15 != 14 && town_next_at(many) <= at - at % 15 + 14;
        if (at % 5 == 0) many = read_back(many);
    }
    town_advance(many, end, NULL);
    int crew = 2;
    struct town_runner runner = {crew_run, &crew};
    while (town_now(crewed) < end) town_advance(crewed, MIN(town_next_at(crewed), end), &runner);
    town_advance(other, end, NULL);
    assert_true(waiting);
    assert_int_equal(town_hash(one), town_hash(many));
    assert_int_equal(town_hash(one), town_hash(crewed));
    assert_int_not_equal(town_tally(one).messages, 0);
    assert_int_not_equal(town_effect_count(one), town_effect_count(other));
    town_free(one);
    town_free(many);
    town_free(crewed);
    town_free(other);
}

/* --- inputs --- */

static struct effect find_effect(struct town *town, enum effect_kind kind, uint32_t who,
                                 int32_t end)
{
    while (town_now(town) < end) {
        town_advance(town, MIN(town_next_at(town), end), NULL);
        size_t count;
        const struct effect *effects = town_effects(town, &count);
        for (size_t i = 0; i < count; i++) {
            struct effect effect = effects[i];
            if (effect.kind == kind && effect.who == who) return effect;
        }
        town_forget_effects(town);
    }
    return (struct effect){.kind = EFFECT_KIND_COUNT};
}

static void a_member_is_answered_by_day_and_after_waking(void **state)
{
    (void)state;
    struct why why = {0};
    struct town *town = found(21, 20);
    until(town, TOWN_START_MIN + 4 * 60);
    struct input message = {.kind = INPUT_MESSAGE, .from = MEMBER_BIT | 7, .to = 3};
    assert_int_equal(town_input(town, &message, &why), OK);
    struct effect answer = find_effect(town, EFFECT_MESSAGE, 3, town_now(town) + 180);
    assert_int_equal(answer.kind, EFFECT_MESSAGE);
    assert_int_equal(answer.other, MEMBER_BIT | 7);
    assert_int_equal(answer.ref, 1);

    /* At 3 in the morning it sleeps on; the answer comes when it is up. */
    until(town, TOWN_START_MIN - 5 * 60 + DAY);
    assert_int_equal(town_resident(town, 3)->deed, DEED_SLEEP);
    assert_int_equal(town_input(town, &message, &why), OK);
    answer = find_effect(town, EFFECT_MESSAGE, 3, town_now(town) + DAY);
    assert_int_equal(answer.other, MEMBER_BIT | 7);
    assert_in_range(hour_of(answer.at), 5, 11);
    town_free(town);
}

static void what_a_member_says_below_a_post_is_answered_there_by_day_and_after_waking(void **state)
{
    (void)state;
    struct why why = {0};
    struct town *town = found(21, 20);
    until(town, TOWN_START_MIN + 4 * 60);
    struct input remark = {.kind = INPUT_REMARK, .from = MEMBER_BIT | 7, .to = 3, .ref = 77};
    assert_int_equal(town_input(town, &remark, &why), OK);
    struct effect answer;
    do {
        town_forget_effects(town);
        answer = find_effect(town, EFFECT_COMMENT, 3, town_now(town) + 180);
    } while (answer.kind == EFFECT_COMMENT && answer.other != 3);
    assert_int_equal(answer.ref, 77);

    until(town, TOWN_START_MIN - 5 * 60 + DAY);
    assert_int_equal(town_resident(town, 3)->deed, DEED_SLEEP);
    remark.ref = 78;
    assert_int_equal(town_input(town, &remark, &why), OK);
    do {
        town_forget_effects(town);
        answer = find_effect(town, EFFECT_COMMENT, 3, town_now(town) + DAY);
    } while (answer.kind == EFFECT_COMMENT && answer.other != 3);
    assert_int_equal(answer.ref, 78);
    assert_in_range(hour_of(answer.at), 5, 11);
    town_free(town);
}

/* Whoever speaks to one who reads a member's letter keeps the member waiting, and no more. */
static void every_letter_of_a_member_is_answered_whoever_comes_between(void **state)
{
    (void)state;
    struct why why = {0};
    struct town *town = found(33, 40);
    for (int day = 0; day < 10; day++) {
        until(town, TOWN_START_MIN + day * DAY + 9 * 60);
        town_forget_effects(town);
        for (uint32_t to = 0; to < 40; to++) {
            struct input letter = {
                .kind = INPUT_MESSAGE, .from = MEMBER_BIT | (uint32_t)(day + 1), .to = to};
            assert_int_equal(town_input(town, &letter, &why), OK);
        }
        uint32_t answers = 0;
        int32_t end = town_now(town) + DAY;
        while (town_now(town) < end) {
            size_t count;
            town_advance(town, MIN(town_next_at(town), end), NULL);
            const struct effect *effects = town_effects(town, &count);
            for (size_t i = 0; i < count; i++)
                answers += effects[i].kind == EFFECT_MESSAGE &&
                           effects[i].other == (MEMBER_BIT | (uint32_t)(day + 1));
            town_forget_effects(town);
        }
        assert_int_equal(answers, 40);
    }
    town_free(town);
}

static void who_is_invited_calls_on_its_neighbour(void **state)
{
    (void)state;
    struct why why = {0};
    int came = 0;
    for (uint32_t who = 1; who <= 10; who++) {
        struct town *town = found(50 + who, 12);
        struct input invite = {
            .kind = INPUT_INVITE, .to = who, .from = 0, .minutes = 3 * MINUTES_PER_HOUR};
        assert_int_equal(town_input(town, &invite, &why), OK);
        assert_int_equal(town_resident(town, who)->plan[0].kind, PLAN_MEET);
        struct effect walk;
        do {
            town_forget_effects(town);
            walk = find_effect(town, EFFECT_BEGAN, who, TOWN_START_MIN + 180);
        } while (walk.kind == EFFECT_BEGAN && walk.deed != DEED_MOVE_TO);
        came += walk.kind == EFFECT_BEGAN && walk.other == 0;
        town_check(town);
        town_free(town);
    }
    /* The others have to be at work, or it is on its way itself. */
    assert_true(came >= 5);
}

static void inputs_that_make_no_sense_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct town *town = found(2, 10);
    until(town, TOWN_START_MIN + 100);
    uint64_t before = town_hash(town);
    const struct input bad[] = {
        {.kind = INPUT_MESSAGE, .to = 10, .from = MEMBER_BIT},
        {.kind = INPUT_KIND_COUNT},
        {.kind = INPUT_POST, .subject = SUBJECT_COUNT},
        {.kind = INPUT_LIKE, .ref = 999},
        {.kind = INPUT_ANSWER, .to = 3, .ref = 1},
        {.kind = INPUT_TEXT, .to = 3, .importance = 11},
        {.kind = INPUT_FOLLOW, .to = UINT32_MAX, .from = MEMBER_BIT},
        {.kind = INPUT_POST, .mood = 127},
        {.kind = INPUT_MOVE_OUT, .to = 10},
        {.kind = INPUT_REMARK, .to = 10, .from = MEMBER_BIT | 1},
        {.kind = INPUT_INVITE, .to = 3, .from = 3},
        {.kind = INPUT_INVITE, .to = 3, .from = 10},
        {.kind = INPUT_INVITE, .to = 3, .from = MEMBER_BIT | 1},
        {.kind = INPUT_MOVE_BACK, .to = 3},
        {.kind = INPUT_MOVE_BACK, .to = 10},
        {.kind = INPUT_MOVE_IN, .to = 9},
        {.kind = INPUT_MOVE_IN, .to = 10, .draft.home = NOWHERE},
        {.kind = INPUT_MOVE_IN, .to = 10, .draft.wake_min = MINUTES_PER_DAY},
        {.kind = INPUT_MOVE_IN, .to = 10, .draft.job = JOB_COUNT},
        {.kind = INPUT_MOVE_IN, .to = 10, .draft.trait[0] = -101},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct why why = {0};
        assert_int_not_equal(town_input(town, &bad[i], &why), OK);
        assert_true(why.text[0] != '\0');
    }
    assert_int_equal(town_hash(town), before);
    town_free(town);
}

/* --- who comes and goes --- */

static struct input somebody_new(const struct town *town, struct rng *rng)
{
    struct input input = {.kind = INPUT_MOVE_IN, .to = town_resident_count(town)};
    const struct places *places = town_places(town, town_quarter_of(town, input.to - 1));
    input.draft = resident_draw(rng, 0, JOB_COUNT);
    input.draft.home = (uint16_t)rng_below(rng, places->count);
    if (input.draft.work_until) input.draft.work = (uint16_t)rng_below(rng, places->count);
    return input;
}

/* Whatever the hour it comes at: nothing that is over, in the order of the day. */
static void who_comes_in_the_middle_of_a_day_plans_what_is_left_of_it(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5, 0);
    struct town *town = found(29, 12);
    for (int hour = 1; hour <= 48; hour++) {
        until(town, TOWN_START_MIN + hour * 60 + (int)rng_below(&rng, 59));
        struct input input = somebody_new(town, &rng);
        struct why why;
        assert_int_equal(town_input(town, &input, &why), OK);
        const struct resident *me = town_resident(town, input.to);
        int now = minute_of_day(town_now(town)), before = 0, nights = 0;
        assert_true(me->plan_count > 0);
        for (int i = 0; i < me->plan_count; i++) {
            const struct plan_step *step = &me->plan[i];
            int in = (step->from_min - now + DAY) % DAY;
            assert_true(in >= before && step->quarters > 0);
            before = in;
            nights += step->kind == PLAN_BED;
            if (step->kind == PLAN_BED) continue;
            assert_true(step->from_min >= now);
            if (step->kind == PLAN_BREAKFAST) assert_true(step->from_min < 11 * 60);
        }
        assert_int_equal(nights, 1);
    }
    town_check(town);
    town_free(town);
}

/* Out of those who are gone, or of those who are not; NOBODY: there is none. */
static uint32_t somebody(const struct town *town, struct rng *rng, bool gone)
{
    uint32_t count = town_resident_count(town), from = rng_below(rng, count);
    for (uint32_t i = 0; i < count; i++)
        if (town_is_gone(town, (from + i) % count) == gone) return (from + i) % count;
    return NOBODY;
}

/* One comes, one goes, one comes back: what the dice say. */
static void move_somebody(struct town *town, struct rng *rng)
{
    struct why why = {0};
    uint32_t living = town_living_count(town), count = town_resident_count(town);
    struct input input = {.kind = INPUT_MOVE_OUT, .to = somebody(town, rng, false)};
    uint32_t back = somebody(town, rng, true), dice = rng_below(rng, 5);
    if (dice < 2) input = somebody_new(town, rng);
    if (dice == 2 && back != NOBODY) input = (struct input){.kind = INPUT_MOVE_BACK, .to = back};
    assert_int_equal(town_input(town, &input, &why), OK);
    assert_int_equal(town_is_gone(town, input.to), input.kind == INPUT_MOVE_OUT);
    assert_int_equal(town_living_count(town), living + (input.kind == INPUT_MOVE_OUT ? -1 : 1));
    assert_int_equal(town_resident_count(town), count + (input.kind == INPUT_MOVE_IN));
    assert_true(town_next_at(town) > town_now(town));
}

/* Nobody who is gone does anything, and nothing is done to it. */
static void expect_only_the_living(struct town *town)
{
    size_t count;
    const struct effect *effects = town_effects(town, &count);
    for (size_t i = 0; i < count; i++) {
        const struct effect *effect = &effects[i];
        if (effect->kind == EFFECT_SKY || effect->kind == EFFECT_LEFT) continue;
        assert_false(town_is_gone(town, effect->who));
        bool reaches = effect->kind == EFFECT_MET || effect->kind == EFFECT_TALK ||
                       effect->kind == EFFECT_LIKE || effect->kind == EFFECT_COMMENT ||
                       effect->kind == EFFECT_MESSAGE || effect->kind == EFFECT_FOLLOW;
        if (reaches && effect->other != NOBODY && !is_member(effect->other))
            assert_false(town_is_gone(town, effect->other));
    }
    town_forget_effects(town);
}

static void invariants_hold_while_people_come_and_go(void **state)
{
    (void)state;
    struct town *town = found(23, RESIDENTS);
    struct rng rng;
    rng_init(&rng, 23, 1);
    int32_t move_at = TOWN_START_MIN + 60;
    while (town_now(town) < TOWN_START_MIN + 4 * DAY) {
        int32_t next = town_next_at(town);
        town_advance(town, MIN(next, move_at), NULL);
        town_check(town);
        expect_only_the_living(town);
        if (town_now(town) < move_at) continue;
        move_at = town_now(town) + 1 + (int32_t)rng_below(&rng, 40);
        move_somebody(town, &rng);
        town_check(town);
        town_forget_effects(town); /* what was broken off is told of who has gone */
    }
    assert_true(town_resident_count(town) > RESIDENTS + 50);
    assert_true(town_living_count(town) < town_resident_count(town) - 50);
    for (uint32_t who = RESIDENTS; who < town_resident_count(town); who++)
        assert_int_equal(town_quarter_of(town, who), 0);
    town_free(town);
}

struct way {
    int threads, step;
    bool read_back;
};

/* A day in which somebody moves twice an hour, lived in some way. */
static uint64_t lived(uint8_t mail_minutes, const struct way *way)
{
    struct town *town = with_rounds(mail_minutes);
    struct rng rng;
    rng_init(&rng, 5, 5);
    int crew = way->threads;
    struct town_runner runner = {crew_run, &crew};
    for (int32_t at = TOWN_START_MIN; at < TOWN_START_MIN + DAY / 2; at += 28) {
        while (town_now(town) < at)
            town_advance(town, MIN(town_now(town) + way->step, at), crew ? &runner : NULL);
        town_advance(town, at, NULL);
        move_somebody(town, &rng);
        if (way->read_back) town = read_back(town);
    }
    town_check(town);
    uint64_t hash = town_hash(town);
    town_free(town);
    return hash;
}

static void who_moves_moves_the_same_way_however_the_town_is_lived(void **state)
{
    (void)state;
    const uint8_t mail_minutes[] = {1, 15};
    for (size_t i = 0; i < COUNT_OF(mail_minutes); i++) {
        uint64_t hash = lived(mail_minutes[i], &(struct way){.step = 28});
        assert_int_equal(lived(mail_minutes[i], &(struct way){.step = 5, .threads = 2}), hash);
        assert_int_equal(lived(mail_minutes[i], &(struct way){.step = 28, .read_back = true}),
                         hash);
    }
}

static void who_comes_back_is_who_it_was_and_hungry_for_nothing_it_missed(void **state)
{
    (void)state;
    struct town *town = found(29, 30);
    struct why why = {0};
    until(town, TOWN_START_MIN + 2 * DAY);
    size_t memories, relations, count;
    (void)town_memories(town, 4, &memories);
    (void)town_relations(town, 4, &relations);
    assert_true(memories > 0 && relations > 0);
    struct resident before = town_body(town, 4);
    struct input out = {.kind = INPUT_MOVE_OUT, .to = 4};
    struct input back = {.kind = INPUT_MOVE_BACK, .to = 4};
    struct input letter = {.kind = INPUT_MESSAGE, .from = MEMBER_BIT | 1, .to = 4};
    assert_int_equal(town_input(town, &back, &why), ERR_CONFLICT);
    assert_int_equal(town_input(town, &out, &why), OK);
    assert_int_equal(town_input(town, &out, &why), ERR_NOT_FOUND);
    assert_int_equal(town_input(town, &letter, &why), ERR_NOT_FOUND);
    until(town, town_now(town) + 3 * DAY);
    (void)town_relations(town, 4, &count);
    assert_int_equal(count, relations); /* nobody has met it */
    assert_int_equal(town_input(town, &back, &why), OK);
    struct resident now = town_body(town, 4);
    assert_int_equal(now.need[HUNGER], before.need[HUNGER]);
    assert_int_equal(now.place, now.home);
    (void)town_memories(town, 4, &count);
    assert_int_equal(count, memories);
    town_forget_effects(town);
    /* It begins to do something a minute later. */
    struct effect began = find_effect(town, EFFECT_BEGAN, 4, town_now(town) + 1);
    assert_int_equal(began.kind, EFFECT_BEGAN);
    assert_int_equal(town_input(town, &letter, &why), OK);
    town_free(town);
}

static void a_town_can_be_left_by_all_and_lived_in_again(void **state)
{
    (void)state;
    struct town *town = found(31, 5);
    struct why why = {0};
    struct rng rng;
    rng_init(&rng, 1, 1);
    until(town, TOWN_START_MIN + 100);
    for (uint32_t who = 0; who < 5; who++)
        assert_int_equal(town_input(town, &(struct input){.kind = INPUT_MOVE_OUT, .to = who}, &why),
                         OK);
    town_check(town);
    assert_int_equal(town_living_count(town), 0);
    until(town, TOWN_START_MIN + 2 * DAY);
    town = read_back(town);
    struct input in = somebody_new(town, &rng);
    assert_int_equal(town_input(town, &in, &why), OK);
    assert_int_equal(in.to, 5);
    until(town, TOWN_START_MIN + 3 * DAY);
    town_check(town);
    assert_true(town_resident(town, 5)->days_lived > 0);
    town_free(town);
}

/* A house has as many rooms as it needs, to its last; numbers are used up one by one. */
static void homes_grow_with_who_moves_in(void **state)
{
    (void)state;
    struct town *town = found(37, 3);
    struct why why = {0};
    struct rng rng;
    rng_init(&rng, 2, 2);
    until(town, TOWN_START_MIN + 100);
    uint16_t home = town_resident(town, 0)->home;
    enum err err = OK;
    for (int i = 0; i <= SEATS_MAX && err == OK; i++) {
        struct input in = somebody_new(town, &rng);
        in.draft.home = home;
        err = town_input(town, &in, &why);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_in_range(town_resident_count(town), SEATS_MAX - 3, SEATS_MAX + 3);
    assert_int_equal(town_places(town, 0)->place[home].seats, SEATS_MAX);
    until(town, town_now(town) + 60);
    town_check(town);
    town_free(town);
}

static void a_journal_holds_inputs_as_long_as_they_are(void **state)
{
    (void)state;
    struct input input = {.kind = INPUT_MOVE_IN, .to = 7, .draft.age = 30}, copy;
    assert_int_equal(input_bytes(&input), sizeof(input));
    assert_true(input_read((struct str){(const char *)&input, sizeof(input)}, &copy));
    assert_int_equal(copy.draft.age, 30);
    assert_false(input_read((struct str){(const char *)&input, 20}, &copy));
    input.kind = INPUT_MESSAGE;
    assert_int_equal(input_bytes(&input), 20);
    assert_true(input_read((struct str){(const char *)&input, 20}, &copy));
    assert_int_equal(copy.draft.age, 0);
    assert_false(input_read((struct str){(const char *)&input, sizeof(input)}, &copy));
    assert_false(input_read((struct str){(const char *)&input, 19}, &copy));
    assert_false(input_read(STR(""), &copy));
}

/* Before anybody could move, checkpoints said 2, and nothing else was different. */
static void a_checkpoint_of_the_version_before_is_read(void **state)
{
    (void)state;
    struct town *town = found(41, RESIDENTS), *copy = NULL;
    struct why why = {0};
    struct buf bytes;
    until(town, TOWN_START_MIN + DAY);
    buf_init(&bytes, 64 << 20);
    town_write(town, &bytes);
    assert_int_equal(bytes.at[8], 3);
    bytes.at[8] = 2;
    assert_int_equal(town_read(buf_str(&bytes), &copy, &why), OK);
    assert_int_equal(town_hash(copy), town_hash(town));
    town_free(copy);
    const char others[] = {1, 4};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        bytes.at[8] = others[i];
        assert_int_equal(town_read(buf_str(&bytes), &copy, &why), ERR_CORRUPT);
        assert_non_null(strstr(why.text, "another version"));
    }
    buf_release(&bytes);
    town_free(town);
}

/* --- models --- */

static struct town *with_model(void)
{
    struct town_settings settings = town_settings_default(31);
    settings.ask_share = 100;
    settings.asks_a_day = 200;
    return town_found(&settings, 12);
}

static void a_model_can_only_choose_what_was_offered(void **state)
{
    (void)state;
    struct town *town = with_model();
    struct rng rng;
    rng_init(&rng, 1, 1);
    size_t asked = 0, refused = 0;
    while (town_now(town) < TOWN_START_MIN + 2 * DAY) {
        town_advance(town, town_next_at(town), NULL);
        size_t count;
        const struct effect *effects = town_effects(town, &count);
        struct effect asks[64];
        size_t n = 0;
        for (size_t i = 0; i < count && n < COUNT_OF(asks); i++)
            if (effects[i].kind == EFFECT_ASK) asks[n++] = effects[i];
        town_forget_effects(town);
        for (size_t i = 0; i < n; i++) {
            const struct question *question = town_question(town, asks[i].who);
            if (!question || question->number != asks[i].ref) continue;
            asked++;
            struct input answer = {.kind = INPUT_ANSWER, .to = asks[i].who, .ref = asks[i].ref};
            uint32_t count_offered = question->count;
            /* Hostile: any index, any length of time; and some never answer at all. */
            answer.choice = (uint8_t)rng_below(&rng, 256);
            answer.minutes = (uint16_t)rng_below(&rng, 65536);
            if (rng_below(&rng, 4) == 0) continue;
            struct why why = {0};
            enum err err = town_input(town, &answer, &why);
            bool offered = answer.choice < count_offered || answer.choice == 255;
            assert_int_equal(err == OK, offered);
            refused += !offered;
            town_check(town);
        }
    }
    assert_true(asked > 200 && refused > 50);
    struct town_tally tally = town_tally(town);
    assert_true(tally.answers > 10 && tally.answers < asked);
    for (uint32_t who = 0; who < 12; who++) {
        const struct resident *resident = town_resident(town, who);
        assert_true(resident->deed_until - resident->deed_at <= 720);
        assert_true(resident->deed_until > town_now(town) || resident->deed != DEED_IDLE);
    }
    town_free(town);
}

static void an_answer_that_comes_too_late_is_refused(void **state)
{
    (void)state;
    struct town *town = with_model();
    struct effect ask = {.kind = EFFECT_KIND_COUNT};
    for (uint32_t who = 0; who < 12 && ask.kind != EFFECT_ASK; who++)
        ask = find_effect(town, EFFECT_ASK, who, town_now(town) + 60);
    assert_int_equal(ask.kind, EFFECT_ASK);
    town_advance(town, town_now(town) + town_settings(town)->answer_minutes, NULL);
    struct input late = {.kind = INPUT_ANSWER, .to = ask.who, .ref = ask.ref, .choice = 0};
    struct why why = {0};
    assert_int_equal(town_input(town, &late, &why), ERR_NOT_FOUND);
    town_free(town);
}

/* The first who rises on a working day of its own, and waits for a model's plan. */
static uint32_t riser(struct town *town)
{
    uint32_t who[12];
    while (town_now(town) < TOWN_START_MIN + 5 * DAY) {
        town_advance(town, town_next_at(town), NULL);
        town_forget_effects(town);
        uint32_t count = town_planning(town, NULL);
        assert_in_range(count, 0, 12);
        assert_int_equal(town_planning(town, who), count);
        for (uint32_t i = 0; i < count; i++) {
            const struct resident *me = town_resident(town, who[i]);
            bool works = me->work != NOWHERE && me->work_days >> weekday_of(me->woke_at) & 1;
            if (works && me->woke_at == town_now(town)) return who[i];
        }
    }
    fail_msg("nobody rises");
    return NOBODY;
}

static enum err plan(struct town *town, struct input step)
{
    struct why why = {0};
    step.kind = INPUT_PLAN;
    enum err err = town_input(town, &step, &why);
    town_check(town);
    return err;
}

static void a_models_plan_for_a_day_is_lived_and_nonsense_is_refused(void **state)
{
    (void)state;
    struct town *town = with_model();
    uint32_t who = riser(town), friend = who ? 0 : 1;
    const struct resident *me = town_resident(town, who);
    uint32_t rose = (uint32_t)me->woke_at;
    assert_int_equal(me->asks_today, 1);
    uint16_t risen = (uint16_t)minute_of_day(me->woke_at), work = me->work_from;
    uint8_t long_day = (uint8_t)((me->work_until - me->work_from) / 15);
    struct plan_step usual[PLAN_STEPS];
    memcpy(usual, me->plan, sizeof(usual));
    struct input free_now = {
        .to = who, .ref = rose, .minutes = risen, .choice = PLAN_FREE, .importance = 2};
    const struct input nonsense[] = {
        {.to = who, .ref = rose - 1, .minutes = risen, .choice = PLAN_FREE, .importance = 2},
        {.to = who, .ref = rose, .minutes = risen, .choice = PLAN_FREE, .importance = 0},
        {.to = who, .ref = rose, .minutes = risen, .choice = PLAN_KIND_COUNT, .importance = 2},
        {.to = who, .ref = rose, .minutes = DAY, .choice = PLAN_FREE, .importance = 2},
        {.to = who, .ref = rose, .minutes = UINT16_MAX, .choice = PLAN_FREE, .importance = 2},
        {.to = who, .ref = rose, .minutes = risen, .choice = PLAN_FREE, .importance = 255},
        {.to = who, .ref = rose, .minutes = work - 1, .choice = PLAN_WORK, .importance = 2},
        {.to = who, .ref = rose, .minutes = work, .choice = PLAN_WORK, .importance = long_day + 1},
        {.to = who, .ref = rose, .minutes = risen + 300, .choice = PLAN_BED, .importance = 8},
        {.to = who,
         .from = who,
         .ref = rose,
         .minutes = risen,
         .choice = PLAN_MEET,
         .importance = 2},
        {.to = who,
         .from = 12,
         .ref = rose,
         .minutes = risen,
         .choice = PLAN_MEET,
         .importance = 2},
        {.to = who,
         .from = NOBODY,
         .ref = rose,
         .minutes = risen,
         .choice = PLAN_MEET,
         .importance = 2},
        {.to = who,
         .from = MEMBER_BIT | 1,
         .ref = rose,
         .minutes = risen,
         .choice = PLAN_MEET,
         .importance = 2},
        {.to = 12, .ref = rose, .minutes = risen, .choice = PLAN_FREE, .importance = 2},
        {.to = who, .ref = rose, .minutes = work, .choice = PLAN_FREE, .importance = 2, .type = 1},
    };
    uint64_t before = town_hash(town);
    for (size_t i = 0; i < COUNT_OF(nonsense); i++)
        assert_int_not_equal(plan(town, nonsense[i]), OK);
    assert_int_equal(town_hash(town), before);
    assert_memory_equal(usual, me->plan, sizeof(usual));

    assert_int_equal(plan(town, free_now), OK);
    assert_int_equal(plan(town, free_now), ERR_NOT_FOUND); /* it has its plan */
    struct input meet = {.to = who,
                         .from = friend,
                         .ref = rose,
                         .minutes = risen + 60,
                         .choice = PLAN_MEET,
                         .importance = 8,
                         .type = 1};
    assert_int_equal(plan(town, meet), OK);
    struct input again = meet;
    assert_int_equal(plan(town, again), ERR_INVALID); /* begins before the end of the last */
    again.minutes = risen + 180;
    assert_int_equal(plan(town, again), ERR_INVALID); /* one person a day */
    struct input bed = {.to = who,
                        .ref = rose,
                        .minutes = me->bed_min,
                        .choice = PLAN_BED,
                        .importance = 32,
                        .type = 1};
    assert_int_equal(plan(town, bed), OK);
    assert_int_equal(me->plan_count, 3);
    assert_int_equal(me->plan_who, friend);
    assert_int_equal(plan_now(me, me->woke_at + 70)->kind, PLAN_MEET);
    assert_null(plan_now(me, me->woke_at + 200));

    /* A copy that is told nothing more lives the same day; the next morning begins with the rules.
     */
    town = read_back(town);
    me = town_resident(town, who);
    assert_int_equal(me->plan_model, 1);
    while (me->woke_at == (int32_t)rose) town_advance(town, town_next_at(town), NULL);
    assert_int_equal(me->plan_model, 0);
    assert_int_equal(me->planning, 1);
    rose = (uint32_t)me->woke_at;
    town_advance(town, me->woke_at + PLAN_IN_MINUTES + 1, NULL);
    assert_int_equal(plan(town, (struct input){.to = who,
                                               .ref = rose,
                                               .minutes = risen + 240,
                                               .choice = PLAN_FREE,
                                               .importance = 2}),
                     ERR_NOT_FOUND);
    town_free(town);
}

/* Of those who rise, and who are asked what while they work. */
static void who_has_a_models_plan_is_asked_only_when_something_happens(void **state)
{
    (void)state;
    size_t asked[2] = {0};
    for (int planned = 0; planned < 2; planned++) {
        struct town *town = with_model();
        uint32_t who[12];
        while (town_now(town) < TOWN_START_MIN + 5 * DAY) {
            town_advance(town, town_next_at(town), NULL);
            size_t count;
            const struct effect *effects = town_effects(town, &count);
            for (size_t i = 0; i < count; i++) {
                const struct resident *me = town_resident(town, MIN(effects[i].who, 11U));
                bool asks = effects[i].kind == EFFECT_ASK && is_work_time(me, effects[i].at);
                asked[planned] += asks;
                const struct question *question =
                    asks && me->plan_model ? town_question(town, effects[i].who) : NULL;
                if (!question) continue;
                bool open = me->unread > 0;
                for (uint32_t n = 0; n < question->count; n++)
                    open |= question->option[n].deed == DEED_TALK_TO;
                assert_true(open);
            }
            town_forget_effects(town);
            uint32_t rising = town_planning(town, who);
            for (uint32_t i = 0; i < rising; i++) {
                const struct resident *me = town_resident(town, who[i]);
                uint32_t rose = (uint32_t)me->woke_at;
                bool works = me->work != NOWHERE && me->work_days >> weekday_of(me->woke_at) & 1;
                struct input step = {.to = who[i], .ref = rose, .choice = 255};
                if (planned && works) {
                    step.choice = PLAN_WORK;
                    step.minutes = me->work_from;
                    step.importance = (uint8_t)((me->work_until - me->work_from) / 15);
                }
                assert_int_equal(plan(town, step), OK);
            }
            assert_int_equal(town_planning(town, NULL), 0);
        }
        town_free(town);
    }
    assert_true(asked[1] > 0 && asked[1] < asked[0]);
}

/* A model is still thinking for it: the question is gone with it, and so is its answer. */
static void who_moves_out_is_asked_nothing_more(void **state)
{
    (void)state;
    struct town *town = with_model();
    struct effect ask = {.kind = EFFECT_KIND_COUNT};
    for (uint32_t who = 0; who < 12 && ask.kind != EFFECT_ASK; who++)
        ask = find_effect(town, EFFECT_ASK, who, town_now(town) + 60);
    assert_int_equal(ask.kind, EFFECT_ASK);
    uint32_t open = town_questions_open(town);
    struct why why;
    assert_int_equal(town_input(town, &(struct input){.kind = INPUT_MOVE_OUT, .to = ask.who}, &why),
                     OK);
    town_check(town);
    assert_int_equal(town_questions_open(town), open - 1);
    struct input late = {.kind = INPUT_ANSWER, .to = ask.who, .ref = ask.ref, .choice = 0};
    assert_int_equal(town_input(town, &late, &why), ERR_NOT_FOUND);
    town_free(town);
}

/* --- do they live? --- */

struct life {
    uint64_t asleep_night, asleep_day; /* minutes; 0–6, and 10–20 o'clock */
    uint64_t night_posts, posts, talks, moves;
};

static void watch(struct life *life, const struct effect *effect)
{
    if (effect->kind == EFFECT_POST) {
        life->posts++;
        life->night_posts += hour_of(effect->at) < 5;
    }
    if (effect->kind == EFFECT_TALK && effect->deed == DEED_TALK_TO) life->talks++;
    if (effect->kind != EFFECT_DEED) return;
    if (effect->deed == DEED_MOVE_TO && effect->fine) life->moves++;
    if (effect->deed != DEED_SLEEP) return;
    for (int32_t at = effect->at; at < effect->at + effect->minutes; at++) {
        life->asleep_night += hour_of(at) < 6;
        life->asleep_day += hour_of(at) >= 10 && hour_of(at) < 20;
    }
}

/*
 * Fourteen days of forty residents with the rule mind alone. Bounds are those of an ordinary human
 * life, wide enough that no seed misses them.
 */
static void residents_live_believable_days(void **state)
{
    (void)state;
    enum { PEOPLE = 40, DAYS = 14 };
    struct town *town = found(77, PEOPLE);
    struct life life = {0};
    while (town_now(town) < TOWN_START_MIN + DAYS * DAY) {
        town_advance(town, town_next_at(town), NULL);
        size_t count;
        const struct effect *effects = town_effects(town, &count);
        for (size_t i = 0; i < count; i++) watch(&life, &effects[i]);
        town_forget_effects(town);
    }
    uint64_t days = PEOPLE * DAYS; /* of one person each; shares are compared in whole numbers */
    struct town_tally tally = town_tally(town);
    /* They sleep at night: at least 85 % of the hours from 0 to 6, less than half an hour by day.
     */
    assert_true(life.asleep_night * 100 >= 85 * 360 * days);
    assert_true(life.asleep_day < 30 * days);
    /* They eat about three times a day. */
    assert_true(tally.meals * 10 > 25 * days && tally.meals * 10 < 42 * days);
    /* They leave the house, meet and talk every day, and know each other by the end. */
    assert_true(life.moves > 2 * days && life.moves < 20 * days);
    assert_true(tally.meetings * 2 > days && life.talks * 2 > days && life.talks < 12 * days);
    size_t friends = 0, talks_remembered = 0, days_remembered = 0;
    for (uint32_t who = 0; who < PEOPLE; who++) {
        size_t count;
        const struct relation *relations = town_relations(town, who, &count);
        for (size_t i = 0; i < count; i++) friends += relation_bond(&relations[i]) > 30;
        const struct memory *memories = town_memories(town, who, &count);
        for (size_t i = 0; i < count; i++) {
            talks_remembered += memories[i].fact == FACT_TALKED;
            days_remembered += memories[i].fact == FACT_DAY;
        }
        assert_in_range(days_remembered, 1, (who + 1) * DAILY_MAX);
    }
    assert_true(friends >= PEOPLE);
    assert_true(talks_remembered >= 5 * PEOPLE);
    assert_true(days_remembered >= (DAYS - 3) * PEOPLE);
    /* They post, a few times a day at most, and hardly ever in the middle of the night. */
    assert_true(life.posts * 10 > 3 * days && life.posts < 4 * days);
    assert_true(life.night_posts * 20 < life.posts);
    assert_true(tally.likes > 0 && tally.comments > 0 && tally.messages > 0 && tally.follows > 0);
    town_free(town);
}

/* Where one goes one does something: not home because one is tired, to work because it is time,
 * home again. Small towns, where all live near, and people who work in places like a library. */
static void nobody_walks_to_and_fro(void **state)
{
    (void)state;
    enum { PEOPLE = 12, DAYS = 6, IN_A_ROW = 3 };
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct town *town = found(seed, PEOPLE);
        uint8_t row[PEOPLE] = {0};
        while (town_now(town) < TOWN_START_MIN + DAYS * DAY) {
            town_advance(town, town_next_at(town), NULL);
            size_t count;
            const struct effect *effects = town_effects(town, &count);
            for (size_t i = 0; i < count; i++) {
                if (effects[i].kind != EFFECT_DEED) continue;
                uint8_t *moves = &row[effects[i].who];
                *moves = effects[i].deed == DEED_MOVE_TO ? *moves + 1 : 0;
                assert_true(*moves <= IN_A_ROW);
            }
            town_forget_effects(town);
        }
        town_free(town);
    }
}

/* At work, on the way, in talk: what came meanwhile is looked at when that is over. */
static void a_letter_is_read_when_the_deed_it_came_in_is_over(void **state)
{
    (void)state;
    enum { PEOPLE = 40, LATEST = 90 };
    struct why why = {0};
    struct town *town = found(91, PEOPLE);
    for (int day = 0; day < 6; day++) {
        until(town, TOWN_START_MIN + day * DAY + 6 * 60);
        town_forget_effects(town);
        int32_t sent = town_now(town);
        bool awake[PEOPLE], read[PEOPLE] = {0};
        for (uint32_t to = 0; to < PEOPLE; to++) {
            struct input letter = {.kind = INPUT_MESSAGE, .from = MEMBER_BIT | 9, .to = to};
            assert_int_equal(town_input(town, &letter, &why), OK);
            awake[to] = town_resident(town, to)->deed != DEED_SLEEP;
        }
        while (town_now(town) < sent + LATEST) {
            size_t count;
            town_advance(town, MIN(town_next_at(town), sent + LATEST), NULL);
            const struct effect *effects = town_effects(town, &count);
            for (size_t i = 0; i < count; i++) {
                bool slept = effects[i].kind == EFFECT_BEGAN && effects[i].deed == DEED_SLEEP;
                if (slept) awake[effects[i].who] = false;
                if (effects[i].kind == EFFECT_READ && effects[i].other == (MEMBER_BIT | 9))
                    read[effects[i].who] = true;
            }
            town_forget_effects(town);
        }
        for (int i = 0; i < PEOPLE; i++) assert_true(read[i] || !awake[i]);
    }
    town_free(town);
}

/* Two who like each other write each other a few times and then stop. */
static void residents_do_not_answer_each_other_for_ever(void **state)
{
    (void)state;
    struct town *town = found(3, 30);
    uint32_t said[30] = {0};
    while (town_now(town) < TOWN_START_MIN + 7 * DAY) {
        town_advance(town, town_next_at(town), NULL);
        size_t count;
        const struct effect *effects = town_effects(town, &count);
        for (size_t i = 0; i < count; i++)
            if (effects[i].kind == EFFECT_MESSAGE) said[effects[i].who]++;
        town_forget_effects(town);
    }
    for (int i = 0; i < 30; i++) assert_true(said[i] < 7 * 20);
    town_free(town);
}

/* Walks are as long as the map says on every machine: the whole part of the root, exactly. */
static void a_distance_is_the_whole_part_of_the_root(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5, 5);
    for (int i = 0; i < 100000; i++) {
        uint32_t most = UINT32_C(1) << (1 + rng_below(&rng, 30));
        int64_t dx = rng_below(&rng, most), dy = i % 3 ? rng_below(&rng, most) : 0;
        int64_t d = distance_between(0, 0, (int32_t)dx, (int32_t)dy), of = dx * dx + dy * dy;
        assert_true(d * d <= of && of < (d + 1) * (d + 1));
    }
    assert_int_equal(distance_between(7, 7, 7, 7), 0);
    assert_int_equal(distance_between(0, 0, 1 << 30, 1 << 30), 1518500249);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invariants_hold_after_every_event_of_three_days),
        cmocka_unit_test(invariants_hold_through_a_month),
        cmocka_unit_test(a_seed_gives_the_same_world_everywhere),
        cmocka_unit_test(nothing_is_due_in_the_minute_in_which_a_town_is_founded),
        cmocka_unit_test(threads_do_not_change_what_happens),
        cmocka_unit_test(steps_of_any_size_come_to_the_same),
        cmocka_unit_test(a_checkpoint_goes_on_as_the_town_itself),
        cmocka_unit_test(a_round_of_mail_is_whole_however_it_is_lived),
        cmocka_unit_test(a_member_is_answered_by_day_and_after_waking),
        cmocka_unit_test(what_a_member_says_below_a_post_is_answered_there_by_day_and_after_waking),
        cmocka_unit_test(every_letter_of_a_member_is_answered_whoever_comes_between),
        cmocka_unit_test(who_is_invited_calls_on_its_neighbour),
        cmocka_unit_test(inputs_that_make_no_sense_are_refused_and_change_nothing),
        cmocka_unit_test(invariants_hold_while_people_come_and_go),
        cmocka_unit_test(who_comes_in_the_middle_of_a_day_plans_what_is_left_of_it),
        cmocka_unit_test(who_moves_moves_the_same_way_however_the_town_is_lived),
        cmocka_unit_test(who_comes_back_is_who_it_was_and_hungry_for_nothing_it_missed),
        cmocka_unit_test(a_town_can_be_left_by_all_and_lived_in_again),
        cmocka_unit_test(homes_grow_with_who_moves_in),
        cmocka_unit_test(a_journal_holds_inputs_as_long_as_they_are),
        cmocka_unit_test(a_checkpoint_of_the_version_before_is_read),
        cmocka_unit_test(who_moves_out_is_asked_nothing_more),
        cmocka_unit_test(a_model_can_only_choose_what_was_offered),
        cmocka_unit_test(a_models_plan_for_a_day_is_lived_and_nonsense_is_refused),
        cmocka_unit_test(who_has_a_models_plan_is_asked_only_when_something_happens),
        cmocka_unit_test(an_answer_that_comes_too_late_is_refused),
        cmocka_unit_test(residents_live_believable_days),
        cmocka_unit_test(nobody_walks_to_and_fro),
        cmocka_unit_test(a_letter_is_read_when_the_deed_it_came_in_is_over),
        cmocka_unit_test(residents_do_not_answer_each_other_for_ever),
        cmocka_unit_test(a_distance_is_the_whole_part_of_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
