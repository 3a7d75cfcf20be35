/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/minds.h"

#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "llm/site.h"
#include "townhall/asker.h"
#include "townhall/extras.h"
#include "townhall/mind_journal.h"

/* Prompts of so many are held at once; a minute with more asks one portion after the other. */
enum { PORTION = 1024, WHO_BYTES = 256 };
#define TOKENS_MOST UINT64_C(1000000000) /* of one answer: what is beyond is no count */

struct minds {
    const struct settings *settings;
    struct minds_plan plan;
    struct llm *llm;              /* owned; NULL: the journal alone answers */
    struct asker *asker;          /* owned; NULL with `llm` */
    struct mind_journal *journal; /* owned; NULL: none */
    struct str model;             /* in `llm` or in the journal */
    struct cast cast;             /* of the community; no players: extras play */
    pthread_mutex_t lock;
    struct minds_progress progress; /* under the lock, but for what the asker knows */
};

/* One question on its way. */
struct pondering {
    uint32_t who, number;
    bool plans; /* it is for the plan of a day */
    struct day_frame frame;
    int32_t at;
    char key[JOURNAL_KEY_BYTES];
    bool from_journal, held_back; /* nobody is asked: it stands there; the budget is used up */
    struct decision decision;
    struct budget_hold hold;
    struct asking asking;
    struct mind_answer answer;
};

/* What the town is to be told. */
struct verdict {
    uint32_t who, number;
    bool plans;
    int32_t woke_at;
    struct decided decided;
};

/* Who asks, and what; NULL: for the plan of its day. */
struct asker_of {
    uint32_t who;
    const struct question *question;
};

struct mind_run {
    struct minds *minds;
    struct str label;
    uint64_t seed;
    struct budget *budget; /* owned; NULL: nobody is asked */
    struct extras extras;
    struct pondering *ponderings; /* owned; PORTION */
    struct asking **askings;      /* owned; PORTION */
    struct mind_figures figures;
};

/* --- opening and closing --- */

static enum err nobody_to_ask(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND,
                   "no model is set up, so nobody could decide with --mind model: start LM Studio "
                   "or Ollama on this machine, or set OPENAI_API_KEY or HUTONG_OPENAI_BASE and "
                   "name a model with --model SITE/MODEL (`hutong llm check`); or name the "
                   "--journal of a run that had one");
}

static enum err open_llm(struct minds *minds, struct why *why)
{
    enum err err = llm_open(minds->settings, &minds->llm, why);
    bool replays = !err && journal_replays(minds->llm->journal);
    bool asks = !err && (replays || !llm_is_offline(minds->llm->standard.place));
    if (asks) {
        minds->model = replays ? STR("llm-replay") : minds->llm->standard_name;
        return budget_check(minds->settings, minds->llm, why);
    }
    if (!err) llm_free(minds->llm);
    minds->llm = NULL;
    /* Its site is not set up here: the journal may have all of it. */
    bool has_journal = minds->plan.journal && access(minds->plan.journal, R_OK) == 0;
    return err == ERR_NOT_FOUND && has_journal ? OK : err;
}

static enum err open_journal(struct minds *minds, struct why *why)
{
    const char *path = minds->plan.journal;
    bool answers = path && (minds->llm || access(path, R_OK) == 0);
    enum err err = OK;
    if (answers) err = mind_journal_open(path, minds->model, &minds->journal, why);
    if (err || minds->llm) return err;
    if (!minds->journal || mind_journal_count(minds->journal) == 0) return nobody_to_ask(why);
    minds->model = mind_journal_model(minds->journal);
    return OK;
}

enum err minds_open(const struct settings *settings, const struct minds_plan *plan,
                    struct minds **minds_out, struct why *why)
{
    struct minds *minds = NEW(struct minds);
    minds->settings = settings;
    minds->plan = *plan;
    minds->progress.priced = true;
    pthread_mutex_init(&minds->lock, NULL);
    enum err err = open_llm(minds, why);
    if (!err) err = open_journal(minds, why);
    if (!err && minds->llm) err = asker_open(minds->llm, plan->answer_s, &minds->asker, why);
    if (err)
        minds_close(minds);
    else
        *minds_out = minds;
    return err;
}

void minds_close(struct minds *minds)
{
    if (!minds) return;
    asker_close(minds->asker);
    mind_journal_close(minds->journal);
    llm_free(minds->llm);
    cast_release(&minds->cast);
    pthread_mutex_destroy(&minds->lock);
    mem_free(minds);
}

struct str minds_model(const struct minds *minds)
{
    return minds->model;
}

enum err minds_meet(struct minds *minds, struct db *db, struct town_id town, uint32_t count,
                    struct why *why)
{
    return cast_load(&minds->cast, db, town, count, why);
}

struct minds_progress minds_look(const struct minds *minds)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&minds->lock;
    pthread_mutex_lock(lock);
    struct minds_progress progress = minds->progress;
    pthread_mutex_unlock(lock);
    if (minds->asker) asker_look(minds->asker, &progress.under_way, &progress.waiting);
    return progress;
}

void mind_figures_add(struct mind_figures *sum, const struct mind_figures *more)
{
    sum->asked += more->asked;
    for (int how = 0; how < DECIDED_HOWS; how++) sum->how[how] += more->how[how];
    sum->from_journal += more->from_journal;
    sum->repaired += more->repaired;
    sum->input += more->input;
    sum->output += more->output;
    sum->micro += more->micro;
    sum->estimated |= more->estimated;
    sum->unpriced |= more->unpriced;
}

struct mind_run *mind_run_open(struct minds *minds, const struct town *town, struct str label)
{
    struct mind_run *run = NEW(struct mind_run);
    run->minds = minds;
    run->label = label;
    run->seed = town_settings(town)->seed;
    if (minds->llm) run->budget = budget_open_run(minds->settings, minds->llm);
    if (minds->cast.count == 0) extras_make(&run->extras, town);
    run->ponderings = mem_alloc(sizeof(*run->ponderings) * PORTION);
    run->askings = mem_alloc(sizeof(struct asking *) * PORTION);
    return run;
}

struct mind_figures mind_run_figures(const struct mind_run *run)
{
    return run->figures;
}

void mind_run_close(struct mind_run *run)
{
    if (!run) return;
    budget_free(run->budget);
    extras_release(&run->extras);
    mem_free(run->ponderings);
    mem_free(run->askings);
    mem_free(run);
}

/* --- a question --- */

static const struct cast *cast_for(struct mind_run *run, const struct town *town, uint32_t who)
{
    const struct cast *own = &run->minds->cast;
    return own->count ? own : extras_scene(&run->extras, town_quarter_of(town, who));
}

/* The key is of all that is asked, and of who asks: that stands where else a model is named. */
static void write_key(const struct mind_run *run, struct pondering *pondering)
{
    struct llm_request asked = pondering->decision.request;
    struct buf who;
    buf_init(&who, WHO_BYTES);
    buf_printf(&who, "%llu %u %u %d ", (unsigned long long)run->seed, pondering->who,
               pondering->number, pondering->at);
    buf_add_str(&who, run->label);
    asked.model = buf_str(&who);
    journal_key(&asked, pondering->key);
    buf_release(&who);
}

static void ponder(struct mind_run *run, const struct town *town, const struct asker_of *asks,
                   struct pondering *pondering)
{
    const struct question *question = asks->question;
    const struct cast *cast = cast_for(run, town, asks->who);
    *pondering = (struct pondering){.who = asks->who, .plans = !question};
    pondering->asking.request = &pondering->decision.request;
    if (question) {
        pondering->number = question->number;
        pondering->at = question->at;
        pondering->asking.options = question->count;
        decision_write(&pondering->decision, cast, town, question, NULL);
    } else {
        day_plan_write(&pondering->decision, &pondering->frame, cast, town, asks->who);
        pondering->at = pondering->frame.woke_at;
        pondering->asking.frame = &pondering->frame;
    }
    write_key(run, pondering);
    pondering->from_journal =
        run->minds->journal && mind_journal_find(run->minds->journal, pondering->key,
                                                 pondering->asking.options, &pondering->answer);
}

static enum err no_answer(const struct mind_run *run, const struct pondering *pondering,
                          struct why *why)
{
    return why_set(why, ERR_NOT_FOUND,
                   "%s has no answer for resident %u at day %d %02d:%02d, and no model is set up "
                   "that could be asked: it is of a run with other settings, or of a shorter one",
                   run->minds->plan.journal, pondering->who, day_of(pondering->at),
                   hour_of(pondering->at), pondering->at % MINUTES_PER_HOUR);
}

/* --- what it took --- */

/* Unknown counts nothing, and no provider's word is taken for more than an answer can have. */
static uint64_t counted(int64_t tokens)
{
    return MIN((uint64_t)MAX(tokens, 0), TOKENS_MOST);
}

static void take_usage(struct mind_run *run, struct pondering *pondering)
{
    const struct asking *asking = &pondering->asking;
    struct mind_answer *answer = &pondering->answer;
    answer->input = counted(asking->usage.input);
    answer->output = counted(asking->usage.output);
    answer->estimated = asking->usage.estimated;
    struct llm_usage usage = {.input = (int64_t)answer->input, .output = (int64_t)answer->output};
    budget_let_go(run->budget, &pondering->hold);
    struct str site = asking->site, model = asking->model;
    struct arena arena = {0};
    if (site.len == 0) {
        site = run->minds->llm->standard.place->site.name;
        model = budget_standard_model(run->budget, &arena);
    }
    answer->priced =
        answer->input + answer->output == 0 ||
        budget_price(run->budget, answer->input, answer->output, site, model, &answer->micro);
    budget_spend(run->budget, PURSE_MINDS, &usage, site, model);
    arena_release(&arena);
}

static void count_cost(struct mind_run *run, const struct mind_answer *answer)
{
    struct mind_figures *figures = &run->figures;
    figures->input += answer->input;
    figures->output += answer->output;
    figures->micro += answer->micro;
    figures->estimated |= answer->estimated;
    figures->unpriced |= !answer->priced;
    struct minds *minds = run->minds;
    pthread_mutex_lock(&minds->lock);
    minds->progress.answered++;
    minds->progress.tokens += answer->input + answer->output;
    minds->progress.micro += answer->micro;
    minds->progress.priced &= answer->priced;
    pthread_mutex_unlock(&minds->lock);
}

static enum err write_down(struct mind_run *run, const struct pondering *pondering, struct why *why)
{
    if (!run->minds->journal || pondering->from_journal) return OK;
    struct mind_line line = {.key = pondering->key,
                             .who = pondering->who,
                             .at = pondering->at,
                             .answer = &pondering->answer,
                             .site = pondering->asking.site,
                             .model = pondering->asking.model,
                             .said = pondering->asking.said};
    return mind_journal_add(run->minds->journal, &line, why);
}

/* Its answer is here: what it took is counted, and it stands in the journal. */
static enum err settle(struct mind_run *run, struct pondering *pondering, struct why *why)
{
    struct mind_answer *answer = &pondering->answer;
    if (pondering->held_back) {
        answer->decided = undecided(DECIDED_SPENT);
        answer->priced = true;
    } else if (!pondering->from_journal) {
        answer->decided = pondering->asking.decided;
        answer->repaired = pondering->asking.repaired;
        take_usage(run, pondering);
    } else if (run->budget) {
        budget_note(run->budget, PURSE_MINDS, answer->input + answer->output, answer->micro);
    }
    count_cost(run, answer);
    bool over = pondering->from_journal || pondering->held_back || pondering->asking.over;
    return over ? write_down(run, pondering, why) : OK;
}

/* --- a portion of what is asked in a minute --- */

static bool is_to_be_asked(struct mind_run *run, struct pondering *pondering)
{
    if (pondering->from_journal) return false;
    bool fits =
        budget_for_minds(run->budget) &&
        budget_reserve(run->budget, PURSE_MINDS, &pondering->decision.request, &pondering->hold);
    pondering->held_back = !fits;
    return fits;
}

static void portion_release(struct mind_run *run, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        decision_release(&run->ponderings[i].decision);
        asking_release(&run->ponderings[i].asking);
    }
}

/* All of it is settled, even when it was called off: it may have cost something. */
static enum err ask_portion(struct mind_run *run, size_t count, mind_pulse *pulse, void *ctx,
                            struct why *why)
{
    enum err err = OK;
    size_t asked = 0;
    for (size_t i = 0; i < count; i++) {
        struct pondering *pondering = &run->ponderings[i];
        if (!run->budget && !pondering->from_journal) return no_answer(run, pondering, why);
        if (is_to_be_asked(run, pondering)) run->askings[asked++] = &pondering->asking;
    }
    bool whole = asked == 0 || asker_ask(run->minds->asker, run->askings, asked, pulse, ctx);
    for (size_t i = 0; i < count; i++) {
        struct why said;
        enum err failed = settle(run, &run->ponderings[i], &said);
        if (failed && !err) {
            err = failed;
            *why = said;
        }
    }
    if (!err && !whole) err = why_set(why, ERR_CANCELLED, "it was ended");
    return err;
}

static enum err decide_portion(struct mind_run *run, const struct town *town,
                               const struct asker_of *asks, size_t count, struct verdict *verdicts,
                               mind_pulse *pulse, void *ctx, struct why *why)
{
    for (size_t i = 0; i < count; i++) ponder(run, town, &asks[i], &run->ponderings[i]);
    enum err err = ask_portion(run, count, pulse, ctx, why);
    for (size_t i = 0; i < count && !err; i++) {
        const struct pondering *pondering = &run->ponderings[i];
        verdicts[i] = (struct verdict){.who = pondering->who,
                                       .number = pondering->number,
                                       .plans = pondering->plans,
                                       .woke_at = pondering->frame.woke_at,
                                       .decided = pondering->answer.decided};
        run->figures.from_journal += pondering->from_journal;
        run->figures.repaired += pondering->answer.repaired;
    }
    portion_release(run, count);
    return err;
}

/* --- a minute --- */

/* It still asks: nothing that others decide answers for it. */
static void tell_plan(struct town *town, const struct verdict *verdict)
{
    struct input inputs[PLAN_STEPS];
    struct why why;
    size_t steps = day_plan_inputs(&verdict->decided, verdict->who, verdict->woke_at, inputs);
    enum err err = OK;
    for (size_t i = 0; i < steps && !err; i++) err = town_input(town, &inputs[i], &why);
    if (!err) return;
    /* A journal can be written by hand. */
    struct decided none = undecided(DECIDED_UNFIT);
    (void)day_plan_inputs(&none, verdict->who, verdict->woke_at, inputs);
    (void)!town_input(town, &inputs[0], &why);
}

static void tell(struct mind_run *run, struct town *town, const struct verdict *verdicts,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct input input =
            decided_input(&verdicts[i].decided, verdicts[i].who, verdicts[i].number);
        struct why why;
        if (verdicts[i].plans) {
            tell_plan(town, &verdicts[i]);
        } else {
            enum err err = town_input(town, &input, &why);
            ASSERT(err == OK); /* as above */
        }
        run->figures.asked++;
        run->figures.how[verdicts[i].decided.how]++;
    }
}

/* Decisions, and then plans; owned. */
static struct asker_of *who_asks(const struct town *town, size_t *count_out)
{
    uint32_t questions = town_questions_open(town), plans = town_planning(town, NULL);
    struct asker_of *asks = mem_alloc(sizeof(*asks) * (questions + plans + 1));
    const struct question **question = mem_alloc(sizeof(*question) * (questions + 1));
    uint32_t *who = mem_alloc(sizeof(*who) * (plans + 1));
    town_questions(town, question);
    if (plans > 0) (void)town_planning(town, who); /* looks at everybody */
    for (uint32_t i = 0; i < questions; i++)
        asks[i] = (struct asker_of){question[i]->who, question[i]};
    for (uint32_t i = 0; i < plans; i++) asks[questions + i] = (struct asker_of){.who = who[i]};
    mem_free((void *)question);
    mem_free(who);
    *count_out = questions + plans;
    return asks;
}

enum err mind_run_decide(struct mind_run *run, struct town *town, mind_pulse *pulse, void *ctx,
                         struct why *why)
{
    size_t count;
    struct asker_of *asks = who_asks(town, &count);
    struct verdict *verdicts = mem_alloc(sizeof(*verdicts) * (count + 1));
    enum err err = OK;
    for (size_t at = 0; at < count && !err; at += PORTION)
        err = decide_portion(run, town, asks + at, MIN(count - at, (size_t)PORTION), verdicts + at,
                             pulse, ctx, why);
    if (!err) tell(run, town, verdicts, count);
    mem_free(verdicts);
    mem_free(asks);
    return err;
}
