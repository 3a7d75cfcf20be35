/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/study.h"

#include <math.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "town/populate.h"

/* --- what can be chosen --- */

enum {
    OPTION_RESIDENTS,
    OPTION_DAYS,
    OPTION_MEMORY,
    OPTION_RELATIONS,
    OPTION_FEED,
    OPTION_EFFECTS,
    OPTION_MAIL,
    OPTION_SHARE,
    OPTION_CALLS,
    OPTION_TRAIT, /* the first of TRAIT_COUNT */
};

const struct study_option study_options[STUDY_OPTIONS] = {
    [OPTION_RESIDENTS] = {"residents", 1, TOWN_RESIDENTS_MAX, ANY_NUMBER},
    [OPTION_DAYS] = {"days", 1, STUDY_DAYS_MAX, ANY_NUMBER},
    [OPTION_MEMORY] = {"memory_slots", MEMORY_SLOTS_MIN, MEMORY_SLOTS_MAX, ANY_NUMBER},
    [OPTION_RELATIONS] = {"relation_slots", 4, MEMORY_SLOTS_MAX, ANY_NUMBER},
    [OPTION_FEED] = {"feed_slots", 64, 1 << 20, POWER_OF_TWO},
    [OPTION_EFFECTS] = {"keep_effects", 0, 1, ANY_NUMBER},
    [OPTION_MAIL] = {"mail_minutes", 1, 60, DIVIDES_60},
    [OPTION_SHARE] = {"model_share", 0, 100, ANY_NUMBER},
    [OPTION_CALLS] = {"model_calls", 0, 250, ANY_NUMBER},
    [OPTION_TRAIT + OPENNESS] = {"openness", -100, 100, ANY_NUMBER},
    [OPTION_TRAIT + CONSCIENTIOUSNESS] = {"conscientiousness", -100, 100, ANY_NUMBER},
    [OPTION_TRAIT + EXTRAVERSION] = {"extraversion", -100, 100, ANY_NUMBER},
    [OPTION_TRAIT + AGREEABLENESS] = {"agreeableness", -100, 100, ANY_NUMBER},
    [OPTION_TRAIT + NEUROTICISM] = {"neuroticism", -100, 100, ANY_NUMBER},
};

int study_option_find(struct str name)
{
    for (int i = 0; i < STUDY_OPTIONS; i++)
        if (str_eq(name, str_of(study_options[i].name))) return i;
    return -1;
}

enum err study_choose(struct study_choices *choices, int option, int64_t value, struct why *why)
{
    ASSERT(option >= 0 && option < STUDY_OPTIONS);
    const struct study_option *row = &study_options[option];
    static const char *const kinds[] = {"a whole number", "a power of two", "a divisor of 60"};
    bool fits = value >= row->least && value <= row->most;
    if (row->kind == POWER_OF_TWO) fits = fits && (value & (value - 1)) == 0;
    if (row->kind == DIVIDES_60) fits = fits && 60 % value == 0;
    if (!fits)
        return why_set(why, ERR_INVALID, "%s is %lld; allowed: %s from %d to %d", row->name,
                       (long long)value, kinds[row->kind], row->least, row->most);
    choices->value[option] = (int32_t)value;
    choices->given[option] = true;
    return OK;
}

enum err study_choose_mind(struct study_choices *choices, struct str mind, struct why *why)
{
    choices->model = str_eq(mind, STR("model"));
    if (choices->model || str_eq(mind, STR("rule"))) return OK;
    return why_set(why, ERR_INVALID, "mind is \"%.*s\"; allowed: rule, model",
                   STR_ARGS(str_head(mind, 40)));
}

bool study_may_change(int option)
{
    return option != OPTION_RESIDENTS && option != OPTION_DAYS;
}

struct study_choices study_days_alone(const struct study_choices *choices)
{
    struct study_choices days = {.model = choices->model,
                                 .usual_share = choices->usual_share,
                                 .usual_calls = choices->usual_calls};
    days.given[OPTION_DAYS] = choices->given[OPTION_DAYS];
    days.value[OPTION_DAYS] = choices->value[OPTION_DAYS];
    return days;
}

bool study_choices_equal(const struct study_choices *a, const struct study_choices *b)
{
    for (int i = 0; i < STUDY_OPTIONS; i++)
        if (a->given[i] != b->given[i] || a->value[i] != b->value[i]) return false;
    return true;
}

/* Of a town whose residents asked before, what held then goes on. */
static void choose_asking(struct town_settings *town, const struct study_choices *choices)
{
    bool asked = town->ask_share > 0;
    if (!choices->model) {
        town->ask_share = 0; /* nobody is here to answer */
        return;
    }
    if (!asked) town->ask_share = (uint8_t)choices->usual_share;
    if (!asked) town->asks_a_day = (uint16_t)choices->usual_calls;
    if (choices->given[OPTION_SHARE]) town->ask_share = (uint8_t)choices->value[OPTION_SHARE];
    if (choices->given[OPTION_CALLS]) town->asks_a_day = (uint16_t)choices->value[OPTION_CALLS];
}

struct study_plan study_plan(uint64_t seed, const struct study_choices *choices)
{
    const int32_t *value = choices->value;
    const bool *given = choices->given;
    struct study_plan plan = {.residents = 100, .days = 7};
    if (given[OPTION_RESIDENTS]) plan.residents = (uint32_t)value[OPTION_RESIDENTS];
    if (given[OPTION_DAYS]) plan.days = (uint32_t)value[OPTION_DAYS];
    plan.town = plan.residents > STUDY_AUDIENCE_MAX ? town_settings_large(seed)
                                                    : town_settings_default(seed);
    if (given[OPTION_MEMORY]) plan.town.memory_slots = (uint8_t)value[OPTION_MEMORY];
    if (given[OPTION_RELATIONS]) plan.town.relation_slots = (uint8_t)value[OPTION_RELATIONS];
    if (given[OPTION_FEED]) plan.town.feed_slots = (uint32_t)value[OPTION_FEED];
    if (given[OPTION_EFFECTS]) plan.town.keep_effects = (uint8_t)value[OPTION_EFFECTS];
    if (given[OPTION_MAIL]) plan.town.mail_minutes = (uint8_t)value[OPTION_MAIL];
    choose_asking(&plan.town, choices);
    for (int i = 0; i < TRAIT_COUNT; i++)
        if (given[OPTION_TRAIT + i]) plan.trait_mean[i] = (int8_t)value[OPTION_TRAIT + i];
    return plan;
}

int32_t study_chosen(const struct study_plan *plan, int option)
{
    switch (option) {
    case OPTION_RESIDENTS: return (int32_t)plan->residents;
    case OPTION_DAYS: return (int32_t)plan->days;
    case OPTION_MEMORY: return plan->town.memory_slots;
    case OPTION_RELATIONS: return plan->town.relation_slots;
    case OPTION_FEED: return (int32_t)plan->town.feed_slots;
    case OPTION_EFFECTS: return plan->town.keep_effects;
    case OPTION_MAIL: return plan->town.mail_minutes;
    case OPTION_SHARE: return plan->town.ask_share;
    case OPTION_CALLS: return plan->town.asks_a_day;
    }
    ASSERT(option >= OPTION_TRAIT && option < STUDY_OPTIONS);
    return plan->trait_mean[option - OPTION_TRAIT];
}

/* --- while it runs --- */

/* What one has written to another. */
struct letters {
    uint64_t pair;     /* from << 32 | to: the key */
    uint32_t open_day; /* the study's day of the opening that waits for an answer; NO_DAY */
    int32_t day;       /* the calendar day of `subjects`, a bit each */
    uint32_t subjects;
};
#define NO_DAY UINT32_MAX

/* What is needed for looking, and gone afterwards. */
struct watching {
    struct study *study;
    struct town *town;
    uint32_t *people; /* owned; numbers of those who live there: plan.residents */
    struct arena arena;
    struct map letters;       /* of struct letters by pair, in the arena */
    struct town_tally before; /* at the beginning of this day */
};

static struct letters *letters_of(struct watching *watching, uint32_t from, uint32_t to)
{
    uint64_t pair = (uint64_t)from << 32 | to;
    struct letters *found = map_find(&watching->letters, MAP_KEY(&pair));
    if (found) return found;
    found = arena_alloc(&watching->arena, sizeof(*found));
    *found = (struct letters){.pair = pair, .open_day = NO_DAY};
    map_add(&watching->letters, MAP_KEY(&found->pair), found);
    return found;
}

static void see_message(struct watching *watching, const struct effect *effect)
{
    struct study *study = watching->study;
    uint32_t today = study->days - 1;
    struct letters *sent = letters_of(watching, effect->who, effect->other);
    if (effect->ref) {
        struct letters *had = letters_of(watching, effect->other, effect->who);
        if (had->open_day != NO_DAY) study->day[had->open_day].answered++;
        had->open_day = NO_DAY;
    } else {
        study->day[today].openings++;
        sent->open_day = today;
    }
    uint32_t subject = 1U << effect->subject;
    if (sent->day != day_of(effect->at)) sent->subjects = 0;
    sent->day = day_of(effect->at);
    study->day[today].repeats += (sent->subjects & subject) != 0;
    sent->subjects |= subject;
}

static void see_effects(struct watching *watching)
{
    static_assert(SUBJECT_COUNT <= 32, "a bit each");
    if (!watching->study->plan.town.keep_effects) return;
    size_t count;
    const struct effect *effects = town_effects(watching->town, &count);
    for (size_t i = 0; i < count; i++)
        if (effects[i].kind == EFFECT_MESSAGE) see_message(watching, &effects[i]);
    town_forget_effects(watching->town);
}

static void see_needs(struct watching *watching)
{
    struct study *study = watching->study;
    needs_look(watching->town, watching->people, study->plan.residents, study->need[study->hours]);
    study->hours++;
}

/* The present day's counters, from the town's of all days. */
static void see_day(struct watching *watching, bool ends)
{
    struct study *study = watching->study;
    struct town_tally now = town_tally(watching->town);
    const struct town_tally *before = &watching->before;
    struct study_day *day = &study->day[study->days - 1];
    day->posts = now.posts - before->posts;
    day->likes = now.likes - before->likes;
    day->comments = now.comments - before->comments;
    day->messages = now.messages - before->messages;
    day->talks = now.talks - before->talks;
    if (ends) watching->before = now;
}

/* --- afterwards --- */

static bool is_tie(const struct town *town, const struct relation *relation)
{
    return !is_member(relation->who) && !town_is_gone(town, relation->who) &&
           relation_bond(relation) > STUDY_TIE_BOND;
}

static bool is_tied_to(const struct town *town, uint32_t who, uint32_t other)
{
    size_t count;
    const struct relation *relations = town_relations(town, who, &count);
    for (size_t i = 0; i < count; i++)
        if (relations[i].who == other) return is_tie(town, &relations[i]);
    return false;
}

static void see_ties(struct watching *watching)
{
    struct study *study = watching->study;
    for (uint32_t i = 0; i < study->plan.residents; i++) {
        uint32_t who = watching->people[i];
        size_t count, degree = 0;
        const struct relation *relations = town_relations(watching->town, who, &count);
        for (size_t j = 0; j < count; j++) {
            if (!is_tie(watching->town, &relations[j])) continue;
            degree++;
            study->mutual += is_tied_to(watching->town, relations[j].who, who);
        }
        study->ties += degree;
        study->degree[degree]++;
    }
}

static void see_cascades(struct watching *watching)
{
    struct study *study = watching->study;
    uint32_t head = town_feed_head(watching->town), slots = study->plan.town.feed_slots;
    for (uint32_t serial = head > slots ? head - slots + 1 : 1; serial <= head; serial++) {
        const struct wire_post *post = town_post(watching->town, serial);
        if (!post) continue;
        uint32_t size = (uint32_t)post->likes + post->comments;
        study->cascade[MIN(size, (uint32_t)STUDY_CASCADE_MAX)]++;
        study->posts_seen++;
        study->reactions += size;
    }
}

/* --- the whole of it --- */

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How it is lived, and who is told. */
struct living {
    const struct town_runner *runner;
    study_watch *watch;
    void *ctx;
    struct mind_run *mind; /* owned; NULL: nobody answers */
    const struct study *study;
};

static bool goes_on(void *ctx)
{
    const struct living *living = ctx;
    const struct study_plan *plan = &living->study->plan;
    return !living->watch || living->watch(living->ctx, living->study->minutes,
                                           (int32_t)plan->days * MINUTES_PER_DAY);
}

/* False: it ends here, and the study knows why. */
static bool decide(struct watching *watching, struct living *living)
{
    struct study *study = watching->study;
    if (!living->mind) return true;
    enum err err = mind_run_decide(living->mind, watching->town, goes_on, living, &study->why);
    if (err != ERR_CANCELLED) study->err = err;
    return err == OK;
}

static bool run_hour(struct watching *watching, struct living *living)
{
    struct study *study = watching->study;
    for (int i = 0; i < MINUTES_PER_HOUR; i++) {
        if (!goes_on(living)) return false;
        study->minutes++;
        town_advance(watching->town, study->from + study->minutes, living->runner);
        if (!decide(watching, living)) return false;
        see_effects(watching);
    }
    return true;
}

/* What was counted between two looks at the counters. */
static struct town_tally tally_since(const struct town_tally *now, const struct town_tally *before)
{
    static_assert(sizeof(*now) % sizeof(uint64_t) == 0, "only counters");
    uint64_t words[sizeof(*now) / sizeof(uint64_t)], less[COUNT_OF(words)];
    memcpy(words, now, sizeof(words));
    memcpy(less, before, sizeof(less));
    for (size_t i = 0; i < COUNT_OF(words); i++) words[i] -= less[i];
    struct town_tally since;
    memcpy(&since, words, sizeof(since));
    return since;
}

struct study *study_run_on(struct town *town, const struct study_plan *plan,
                           const struct town_runner *runner, study_watch *watch, void *ctx,
                           struct minds *minds, struct str label)
{
    ASSERT(town_living_count(town) == plan->residents);
    struct study *study = NEW(struct study);
    study->plan = *plan;
    study->plan.town = *town_settings(town);
    study->from = town_now(town);
    study->sampled = MIN(plan->residents, (uint32_t)NEEDS_SAMPLE_MAX);
    study->need = mem_alloc(sizeof(*study->need) * plan->days * 24);
    study->day = mem_alloc(sizeof(*study->day) * plan->days);
    int64_t began_us = clock_mono_us(), cpu_began_us = cpu_us();
    uint32_t living;
    struct watching watching = {.study = study,
                                .town = town,
                                .people = needs_people(town, &living),
                                .before = town_tally(town)};
    ASSERT(living == plan->residents);
    struct town_tally began = watching.before;
    town_forget_effects(town);
    struct living how = {.runner = runner, .watch = watch, .ctx = ctx, .study = study};
    if (minds) how.mind = mind_run_open(minds, town, label);
    /* What was asked when it was saved, or in the community. */
    bool lives = decide(&watching, &how);
    study->days += !lives;
    while (lives && study->hours < plan->days * 24) {
        bool new_day = study->hours % 24 == 0;
        study->days += new_day;
        lives = run_hour(&watching, &how);
        if (lives) see_needs(&watching);
        see_day(&watching, study->hours % 24 == 0);
    }
    study->whole = lives;
    if (minds) {
        study->mind = mind_run_figures(how.mind);
        study->model = minds_model(minds);
        mind_run_close(how.mind);
    }
    struct town_tally ended = town_tally(town);
    study->tally = tally_since(&ended, &began);
    study->hash = town_hash(watching.town);
    study->bytes = town_bytes(watching.town);
    study->wall_us = clock_mono_us() - began_us;
    study->cpu_us = cpu_us() - cpu_began_us;
    see_ties(&watching);
    see_cascades(&watching);
    map_release(&watching.letters);
    arena_release(&watching.arena);
    mem_free(watching.people);
    return study;
}

struct town *study_found(const struct study_plan *plan)
{
    return town_found_as(&plan->town, plan->residents, plan->trait_mean);
}

struct study *study_run(const struct study_plan *plan, const struct town_runner *runner,
                        study_watch *watch, void *ctx)
{
    struct town *town = study_found(plan);
    struct study *study = study_run_on(town, plan, runner, watch, ctx, NULL, STR(""));
    town_free(town);
    return study;
}

/* --- going on from a town --- */

enum err study_go_on(struct town *town, const struct study_choices *choices, const uint64_t *seed,
                     const int8_t trait_mean[TRAIT_COUNT], struct study_plan *plan_out,
                     struct why *why)
{
    const bool *given = choices->given;
    if (given[OPTION_RESIDENTS])
        return why_set(why, ERR_INVALID,
                       "residents cannot be chosen here: the town has %u and keeps them",
                       town_living_count(town));
    if (town_living_count(town) == 0)
        return why_set(why, ERR_INVALID, "everybody has moved out of this town");
    struct study_plan plan = study_plan(0, choices);
    struct study_plan was = {
        .town = *town_settings(town), .residents = town_living_count(town), .days = plan.days};
    memcpy(was.trait_mean, trait_mean, sizeof(was.trait_mean));
    int64_t left = ((int64_t)TOWN_END_MIN - town_now(town)) / MINUTES_PER_DAY;
    if ((int64_t)plan.days > left)
        return why_set(why, ERR_INVALID, "days is %u; this town can live %lld more", plan.days,
                       (long long)left);
    if (seed) was.town.seed = *seed;
    if (given[OPTION_MEMORY]) was.town.memory_slots = plan.town.memory_slots;
    if (given[OPTION_RELATIONS]) was.town.relation_slots = plan.town.relation_slots;
    if (given[OPTION_FEED]) was.town.feed_slots = plan.town.feed_slots;
    if (given[OPTION_EFFECTS]) was.town.keep_effects = plan.town.keep_effects;
    if (given[OPTION_MAIL]) was.town.mail_minutes = plan.town.mail_minutes;
    choose_asking(&was.town, choices);
    for (int i = 0; i < TRAIT_COUNT; i++)
        was.trait_mean[i] = (int8_t)MIN(MAX(was.trait_mean[i] + plan.trait_mean[i], -100), 100);
    town_change(town, &was.town, plan.trait_mean);
    *plan_out = was;
    return OK;
}

void study_free(struct study *study)
{
    if (!study) return;
    mem_free(study->need);
    mem_free(study->day);
    mem_free(study);
}

/* --- measures --- */

#define A_DAY "per resident and day", "每人每天"
#define HOURS "hours per resident and day", "每人每天小时数"
#define SHARE "%", "%"

enum {
    M_SLEEP = 10,
    M_WORK,
    M_MEAL,
    M_MOVE,
    M_TALK,
    M_PHONE,
    M_NEED, /* the first of NEED_COUNT */
    M_DEGREE = M_NEED + NEED_COUNT,
    M_LONE,
    M_MUTUAL,
    M_CASCADE,
    M_UNSEEN,
    M_UNANSWERED,
    M_REPEATS,
    M_BYTES,
};

const struct measure measures[MEASURES] = {
    {"decisions", A_DAY, "Decisions", "决定"},
    {"failed", A_DAY, "Deeds that came to nothing", "未成的行动"},
    {"meals", A_DAY, "Meals", "用餐"},
    {"meetings", A_DAY, "Encounters", "偶遇"},
    {"talks", A_DAY, "Conversations", "交谈"},
    {"posts", A_DAY, "Posts", "动态"},
    {"likes", A_DAY, "Likes", "点赞"},
    {"comments", A_DAY, "Comments", "评论"},
    {"messages", A_DAY, "Private messages", "私信"},
    {"follows", A_DAY, "Follows", "关注"},
    [M_SLEEP] = {"hours_asleep", HOURS, "Asleep", "睡眠"},
    [M_WORK] = {"hours_work", HOURS, "At work", "工作"},
    [M_MEAL] = {"hours_eating", HOURS, "Eating", "吃饭"},
    [M_MOVE] = {"hours_walking", HOURS, "On the way", "路上"},
    [M_TALK] = {"hours_talking", HOURS, "Talking", "交谈时间"},
    [M_PHONE] = {"hours_phone", HOURS, "On the phone", "看手机"},
    [M_NEED + FATIGUE] = {"fatigue", SHARE, "Mean fatigue", "平均疲劳"},
    [M_NEED + HUNGER] = {"hunger", SHARE, "Mean hunger", "平均饥饿"},
    [M_NEED + LONELINESS] = {"loneliness", SHARE, "Mean loneliness", "平均孤独"},
    [M_NEED + BOREDOM] = {"boredom", SHARE, "Mean boredom", "平均无聊"},
    [M_NEED + DUTY] = {"duty", SHARE, "Mean duty", "平均职责"},
    [M_DEGREE] = {"ties", "per resident", "每人", "Ties (bond above 30)",
                  "亲近的人（亲密度大于 30）"},
    [M_LONE] = {"lone", SHARE, "Residents without a tie", "没有亲近的人的居民"},
    [M_MUTUAL] = {"reciprocity", SHARE, "Ties that are mutual", "互相亲近的比例"},
    [M_CASCADE] = {"reactions", "per post", "每条动态", "Likes and comments", "点赞与评论"},
    [M_UNSEEN] = {"ignored", SHARE, "Posts without a reaction", "无人回应的动态"},
    [M_UNANSWERED] = {"unanswered", SHARE, "Openings without an answer", "没有回信的来信"},
    [M_REPEATS] = {"repeats", SHARE, "Messages that repeat a subject", "重复话题的私信"},
    [M_BYTES] = {"bytes", "bytes per resident", "每人字节", "Memory", "内存"},
};
static_assert(M_BYTES + 1 == MEASURES, "the table is whole");

static double share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : NAN;
}

static double hours_of(const struct study *study, enum deed deed)
{
    uint64_t minutes = 0;
    for (int hour = 0; hour < 24; hour++) minutes += study->tally.by_hour[hour][deed];
    return (double)minutes / MINUTES_PER_HOUR;
}

static void measure_messages(const struct study *study, double *values)
{
    uint64_t openings = 0, answered = 0, repeats = 0;
    for (uint32_t i = 0; i < study->days; i++) {
        openings += study->day[i].openings;
        answered += study->day[i].answered;
        repeats += study->day[i].repeats;
    }
    bool kept = study->plan.town.keep_effects;
    values[M_UNANSWERED] = kept ? share(openings - answered, openings) : NAN;
    values[M_REPEATS] = kept ? share(repeats, study->tally.messages) : NAN;
}

void study_measure(const struct study *study, double values[MEASURES])
{
    const struct town_tally *tally = &study->tally;
    double days = study->minutes * (double)study->plan.residents / MINUTES_PER_DAY;
    if (days <= 0) days = NAN;
    const uint64_t counts[M_SLEEP] = {
        tally->decisions, tally->failed, tally->meals,    tally->meetings, tally->talks,
        tally->posts,     tally->likes,  tally->comments, tally->messages, tally->follows};
    for (int i = 0; i < M_SLEEP; i++) values[i] = (double)counts[i] / days;
    values[M_SLEEP] = hours_of(study, DEED_SLEEP) / days;
    values[M_WORK] = hours_of(study, DEED_WORK) / days;
    values[M_MEAL] = hours_of(study, DEED_EAT) / days;
    values[M_MOVE] = hours_of(study, DEED_MOVE_TO) / days;
    values[M_TALK] = hours_of(study, DEED_TALK_TO) / days;
    double phone = 0;
    for (int deed = 0; deed < DEED_COUNT; deed++)
        if (deed_info((enum deed)deed)->phone) phone += hours_of(study, (enum deed)deed);
    values[M_PHONE] = phone / days;
    for (int need = 0; need < NEED_COUNT; need++) {
        double sum = 0;
        for (uint32_t hour = 0; hour < study->hours; hour++) sum += study->need[hour][need].mean;
        values[M_NEED + need] = study->hours ? sum / study->hours / NEED_PERCENT : NAN;
    }
    values[M_DEGREE] = (double)study->ties / study->plan.residents;
    values[M_LONE] = share(study->degree[0], study->plan.residents);
    values[M_MUTUAL] = share(study->mutual, study->ties);
    values[M_CASCADE] =
        study->posts_seen ? (double)study->reactions / (double)study->posts_seen : NAN;
    values[M_UNSEEN] = share(study->cascade[0], study->posts_seen);
    measure_messages(study, values);
    values[M_BYTES] = (double)study->bytes / study->plan.residents;
}
