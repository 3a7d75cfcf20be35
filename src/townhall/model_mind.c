/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/model_mind.c: residents who put a decision to a model.
 *
 * The town says who asks (EFFECT_ASK) and what is possible; a model is asked for one
 * of that (decision.c). Whatever else it says, late, rubbish or nothing, the town
 * takes as no answer and decides by itself. Answers are inputs of the town, so they
 * are journalled and a replay asks nobody.
 *
 * Who has risen is asked in the same way for the plan of its day (day_plan.c), and nobody waits for
 * that: the rules' plan holds meanwhile.
 *
 * Many are asked at once, each on its own; the clock goes on meanwhile, unless
 * the setting says that it waits. In one minute of a large town hundreds may ask,
 * and each prompt takes a good part of a millisecond: they are written a while at
 * a time, between the town's steps, which so are never kept waiting by them. When the day's budget
 * (budget.h) is used up nobody asks until midnight, UTC.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "llm/ask.h"
#include "llm/site.h"
#include "townhall/internal.h"

enum {
    ANSWER_S = 20,       /* of real time that the pace leaves to a model */
    WAIT_S = 60,         /* the original's decision_timeout: no clock stands longer */
    REASON_CHARS = 200,  /* of its reason */
    ASK_US = 100 * 1000, /* so long prompts are written; then others have a turn on this thread */
};

struct deciding {
    struct list link; /* hall->minds */
    struct hall *hall;
    struct llm_question *call;
    uint32_t who, number, options;
    int32_t asked_at;
    int64_t since_us;
    bool plans; /* the whole day; `number` is then the minute it rose in */
    struct day_frame frame;
    bool asked;        /* false: its prompt is still to be written; it stands behind all asked */
    struct str prompt; /* owned */
    struct budget_hold hold; /* what `call` may take */
};

/* --- settings --- */

bool has_model(const struct hall *hall)
{
    return !llm_is_offline(hall->links.llm->standard.place);
}

bool mind_settings(const struct hall *hall, struct input *input_out)
{
    const struct settings *s = hall->links.settings;
    const struct town_settings *have = town_settings(hall->town);
    int64_t minutes = (int64_t)hall->row.speed * ANSWER_S / 60;
    bool asks = has_model(hall) && budget_for_minds(hall->budget);
    *input_out = (struct input){.kind = INPUT_SET,
                                .choice = asks ? (uint8_t)s->town_model_share : 0,
                                .minutes = (uint16_t)MIN(MAX(minutes, 5), 60),
                                .ref = (uint32_t)s->town_model_calls,
                                .importance = str_eq(s->town_late, STR("skip"))};
    return input_out->choice != have->ask_share || input_out->minutes != have->answer_minutes ||
           input_out->ref != have->asks_a_day || input_out->importance != have->late;
}

/* --- the answer --- */

static struct str kept(struct str text, size_t most)
{
    if (text.len > most) text = str_head(text, utf8_floor(text.at, most));
    char *copy = mem_alloc(text.len + 1);
    if (text.len) memcpy(copy, text.at, text.len);
    return (struct str){copy, text.len};
}

static void deciding_free(struct deciding *deciding)
{
    list_remove(&deciding->link);
    deciding->hall->unasked -= !deciding->asked;
    mem_free((void *)(uintptr_t)deciding->prompt.at);
    mem_free(deciding);
}

/* One line; owned. */
static struct str reason_of(const struct llm_answer *answer)
{
    struct str reason;
    if (answer->err || !json_as_str(json_get(answer->value, "reason"), &reason))
        return kept(STR(""), LOG_PROMPT_BYTES);
    reason = kept(trimmed_words(reason, REASON_CHARS), LOG_PROMPT_BYTES);
    char *at = (char *)(uintptr_t)reason.at;
    for (size_t i = 0; i < reason.len; i++)
        if ((unsigned char)at[i] < ' ') at[i] = ' ';
    return reason;
}

/* Who decided, and what it took; its model is owned. */
static struct log_asked asked_of(const struct llm_answer *answer)
{
    struct arena arena = {0};
    const struct llm_result *result = answer->result;
    struct log_asked asked = {.usage = answer->usage};
    if (result->site.len)
        asked.model =
            kept(arena_printf(&arena, "%.*s/%.*s", STR_ARGS(result->site), STR_ARGS(result->model)),
                 LOG_PROMPT_BYTES);
    arena_release(&arena);
    return asked;
}

static struct telling *telling_add(struct hall *hall, const struct input *input)
{
    if (hall->answer_count == hall->answers_max) {
        hall->answers_max = MAX(hall->answers_max * 2, (size_t)16);
        hall->answers = mem_resize(hall->answers, sizeof(*hall->answers) * hall->answers_max);
    }
    struct telling *telling = &hall->answers[hall->answer_count++];
    *telling = (struct telling){.input = *input};
    return telling;
}

/* Owned. */
static struct str plan_of(const struct deciding *deciding, const struct decided *decided)
{
    struct buf words;
    buf_init(&words, LOG_ANSWER_BYTES);
    day_plan_phrase(&words, &deciding->hall->cast, deciding->who, decided);
    struct str plan = kept(buf_str(&words), LOG_ANSWER_BYTES);
    buf_release(&words);
    return plan;
}

/* To be told at the next step, a plan step for step. `said` by the model, or `wrong` with it.
 * `reason`: owned from here. Its entry in the log; good until the next one. */
static struct telling *answer_add(struct deciding *deciding, const struct decided *decided,
                                  struct str said, struct str reason, struct str wrong)
{
    struct hall *hall = deciding->hall;
    struct input inputs[PLAN_STEPS] = {decided_input(decided, deciding->who, deciding->number)};
    size_t count = 1, first = hall->answer_count;
    if (deciding->plans)
        count = day_plan_inputs(decided, deciding->who, (int32_t)deciding->number, inputs);
    for (size_t i = 0; i < count; i++) (void)telling_add(hall, &inputs[i]);
    struct telling *telling = &hall->answers[first];
    telling->prompt = deciding->prompt.at ? deciding->prompt : kept(STR(""), LOG_PROMPT_BYTES);
    telling->response = kept(said, LOG_ANSWER_BYTES);
    telling->reason = reason;
    telling->wrong = kept(wrong, LOG_PROMPT_BYTES);
    if (decided->steps > 0) telling->plan = plan_of(deciding, decided);
    deciding->prompt = (struct str){0};
    return telling;
}

static void on_answer(void *ctx, const struct llm_answer *answer)
{
    struct deciding *deciding = ctx;
    struct hall *hall = deciding->hall;
    deciding->call = NULL;
    budget_let_go(hall->budget, &deciding->hold);
    budget_spend(hall->budget, PURSE_MINDS, &answer->usage, answer->result->site,
                 answer->result->model);
    struct decided decided = deciding->plans ? day_plan_read(answer, &deciding->frame)
                                             : decision_read(answer, deciding->options);
    struct str wrong = answer->err                    ? str_of(answer->why.text)
                       : decided.how != DECIDED_UNFIT ? STR("")
                       : deciding->plans              ? STR("the steps are no plan for this day")
                                                      : STR("the number is none of the list");
    answer_add(deciding, &decided, answer->text, reason_of(answer), wrong)->asked =
        asked_of(answer);
    deciding_free(deciding);
}

void mind_ask(struct hall *hall, uint32_t who)
{
    const struct question *question = town_question(hall->town, who);
    if (!question) return; /* answered, or too late, within the same step */
    struct deciding *deciding = NEW(struct deciding);
    *deciding = (struct deciding){.hall = hall,
                                  .who = who,
                                  .number = question->number,
                                  .options = question->count,
                                  .asked_at = question->at,
                                  .since_us = clock_mono_us()};
    list_add_last(&hall->minds, &deciding->link);
    hall->unasked++;
}

void mind_ask_plan(struct hall *hall, uint32_t who)
{
    if (!town_is_planning(hall->town, who)) return;
    int32_t woke_at = town_resident(hall->town, who)->woke_at;
    struct deciding *deciding = NEW(struct deciding);
    *deciding = (struct deciding){.hall = hall,
                                  .who = who,
                                  .number = (uint32_t)woke_at,
                                  .plans = true,
                                  .asked_at = woke_at,
                                  .since_us = clock_mono_us()};
    list_add_last(&hall->minds, &deciding->link);
    hall->unasked++;
}

static void write_question(struct deciding *deciding, struct decision *decision)
{
    struct hall *hall = deciding->hall;
    cast_meet_friends(&hall->cast, hall->db, hall->town, deciding->who);
    if (deciding->plans) {
        day_plan_write(decision, &deciding->frame, &hall->cast, hall->town, deciding->who);
        return;
    }
    struct arena arena = {0};
    struct decision_notes notes = {.acts = recall_acts(&arena, hall, deciding->who),
                                   .feed = recall_feed(&arena, hall, deciding->who)};
    decision_write(decision, &hall->cast, hall->town, town_question(hall->town, deciding->who),
                   &notes);
    arena_release(&arena);
}

static void ask_model(struct deciding *deciding)
{
    struct hall *hall = deciding->hall;
    deciding->asked = true;
    hall->unasked--;
    enum budget_state state = budget_state(hall->budget);
    if (!has_model(hall) || state != BUDGET_LEFT) {
        struct decided decided = undecided(state != BUDGET_LEFT ? DECIDED_SPENT : DECIDED_FAILED);
        answer_add(deciding, &decided, STR(""), (struct str){0},
                   state != BUDGET_LEFT ? str_of(budget_state_text(state)) : STR("no model"));
        deciding_free(deciding);
        return;
    }
    struct decision decision;
    write_question(deciding, &decision);
    deciding->prompt = kept(buf_str(&decision.prompt), LOG_PROMPT_BYTES);
    if (budget_reserve(hall->budget, PURSE_MINDS, &decision.request, &deciding->hold)) {
        deciding->call = llm_ask(hall->llm, &decision.request, on_answer, deciding);
    } else {
        struct decided decided = undecided(DECIDED_SPENT);
        answer_add(deciding, &decided, STR(""), (struct str){0},
                   STR("what is left of the day's budget would not do"));
        deciding_free(deciding);
    }
    decision_release(&decision);
}

/* The first of those at the end of the list that are still to be asked; the head: there is none. */
static struct list *first_unasked(struct hall *hall)
{
    struct list *link = &hall->minds;
    while (link->prev != &hall->minds && !CONTAINER_OF(link->prev, struct deciding, link)->asked)
        link = link->prev;
    return link;
}

/* False: the town has decided meanwhile, or the day has gone on without that plan. */
static bool still_asks(const struct deciding *deciding)
{
    const struct town *town = deciding->hall->town;
    if (deciding->plans)
        return town_is_planning(town, deciding->who) &&
               town_resident(town, deciding->who)->woke_at == (int32_t)deciding->number;
    const struct question *question = town_question(town, deciding->who);
    return question && question->number == deciding->number;
}

void minds_go_on(struct hall *hall)
{
    if (hall->unasked == 0) return;
    int64_t began_us = clock_mono_us();
    struct list *next;
    for (struct list *link = first_unasked(hall); link != &hall->minds; link = next) {
        struct deciding *deciding = CONTAINER_OF(link, struct deciding, link);
        next = link->next;
        if (still_asks(deciding))
            ask_model(deciding);
        else
            deciding_free(deciding);
        if (clock_mono_us() - began_us > ASK_US) return;
    }
}

void mind_take_answers(struct hall *hall, struct batch *batch)
{
    struct input set;
    if (mind_settings(hall, &set)) batch->inputs[batch->input_count++].input = set;
    size_t taken = MIN(hall->answer_count, INPUTS_MAX - batch->input_count);
    /* A plan is told whole. */
    while (taken < hall->answer_count && hall->answers[taken].input.kind == INPUT_PLAN &&
           hall->answers[taken].input.type > 0)
        taken--;
    for (size_t i = 0; i < taken; i++) batch->inputs[batch->input_count++] = hall->answers[i];
    hall->answer_count -= taken;
    for (size_t i = 0; i < hall->answer_count; i++) hall->answers[i] = hall->answers[i + taken];
}

static bool waits(const struct hall *hall)
{
    return str_eq(hall->links.settings->town_late, STR("wait"));
}

int32_t mind_reach(const struct hall *hall)
{
    const struct town_settings *settings = town_settings(hall->town);
    if (!waits(hall) || settings->ask_share == 0) return TOWN_END_MIN;
    return town_now(hall->town) + MAX(settings->answer_minutes, 2) - 1;
}

/* Its answer may still come in time. */
static bool is_awaited(const struct deciding *deciding)
{
    return clock_mono_us() - deciding->since_us < INT64_C(1000000) * WAIT_S;
}

bool mind_is_awaited(const struct hall *hall)
{
    for (struct list *link = hall->minds.next; link != &hall->minds; link = link->next)
        if (is_awaited(CONTAINER_OF(link, struct deciding, link))) return true;
    return false;
}

int32_t mind_hold(const struct hall *hall, int32_t until)
{
    if (!waits(hall)) return until;
    uint16_t minutes = town_settings(hall->town)->answer_minutes;
    for (struct list *link = hall->minds.next; link != &hall->minds; link = link->next) {
        const struct deciding *deciding = CONTAINER_OF(link, struct deciding, link);
        if (deciding->plans) continue; /* the rules' plan holds meanwhile */
        if (is_awaited(deciding)) until = MIN(until, deciding->asked_at + minutes - 1);
    }
    return until;
}

static void deciding_end(struct hall *hall, struct deciding *deciding)
{
    if (deciding->call) {
        struct llm_usage usage = llm_ask_cancel(deciding->call);
        budget_let_go(hall->budget, &deciding->hold);
        budget_spend_cancelled(hall->budget, PURSE_MINDS, &usage);
    }
    deciding_free(deciding);
}

void mind_leave(struct hall *hall)
{
    struct list *next;
    for (struct list *link = hall->minds.next; link != &hall->minds; link = next) {
        struct deciding *deciding = CONTAINER_OF(link, struct deciding, link);
        next = link->next;
        if (town_is_gone(hall->town, deciding->who)) deciding_end(hall, deciding);
    }
}

void mind_release(struct hall *hall)
{
    struct list *link;
    while ((link = list_take_first(&hall->minds)))
        deciding_end(hall, CONTAINER_OF(link, struct deciding, link));
    for (size_t i = 0; i < hall->answer_count; i++) telling_release(&hall->answers[i]);
    hall->answer_count = 0;
}
