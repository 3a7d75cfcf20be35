/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/ask.c: a question and its answer, as a small machine on one loop.
 *
 *     MEANING     the embedder is asked for the question's vector, where there is one
 *     GATHERING   the look-up is on a worker
 *     SPEAKING    the model is asked
 *     OVER        told to end; the memory goes
 *
 * A worker that is away keeps the machine alive: cancelled meanwhile, it is
 * freed when the worker comes home.
 */
#include "wiki/ask.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/workers.h"
#include "llm/site.h"
#include "llm/tokens.h"
#include "wiki/context.h"
#include "wiki/prompt.h"
#include "wiki/query.h"

enum {
    TURNS_MAX = 200,
    TURN_TOKENS = 6000, /* of what was said before, at most */
    ANSWER_BYTES = 1024 * 1024,
    LESS = 3,              /* a third of it, when the model cannot read all */
    QUESTION_TOKENS = 8000 /* more: nothing is looked up, as the older server does */
};

enum step { ALL, SOME, NOTHING };

/* Lives on one loop; while `away` what the look-up writes is the worker's. */
struct wiki_ask {
    struct wiki_desk desk;
    const struct wiki_ask_events *events;
    void *ctx;
    struct arena arena; /* what is asked */
    struct wiki_asking asking;
    struct wiki_reader reader; /* where `asking` names one */
    struct llm_message turns[TURNS_MAX + 2 * WIKI_ROUNDS];
    size_t turn_count;
    int round;
    enum step step;
    bool away, cancelled, paused, spoke;
    bool told_instead;
    bool blind; /* nothing is looked up: the question alone fills the model */

    struct job job;
    struct task back;
    struct arena found; /* what the look-up gave; anew each round */
    struct wiki_query query;
    struct wiki_context_want want;
    struct wiki_context whole, given;
    enum err err;
    struct why why;

    struct llm_call *call;
    struct wiki_cite cite;
    struct buf piece, answer;
    uint64_t cited, removed;
    struct llm_usage used; /* by calls that are over */
};

static void free_ask(struct wiki_ask *ask)
{
    wiki_cite_release(&ask->cite);
    buf_release(&ask->piece);
    buf_release(&ask->answer);
    arena_release(&ask->found);
    arena_release(&ask->arena);
    mem_free(ask);
}

/* --- telling --- */

static void tell_end(struct wiki_ask *ask, const struct llm_result *result, bool complete)
{
    struct wiki_ask_end end = {.result = result,
                               .err = ask->err,
                               .why = ask->why,
                               .used = ask->used,
                               .complete = complete,
                               .rounds = MAX(ask->round, 1)};
    wiki_ask_count(ask, &end.cited, &end.removed);
    ask->events->end(ask->ctx, &end);
    free_ask(ask);
}

static void tell_notice(struct wiki_ask *ask, enum wiki_cause cause, const char *sentence)
{
    if (ask->events->notice) ask->events->notice(ask->ctx, cause, str_of(sentence));
}

static void tell_piece(struct wiki_ask *ask)
{
    if (ask->piece.len == 0) return;
    buf_add_str(&ask->answer, buf_str(&ask->piece));
    ask->events->text(ask->ctx, buf_str(&ask->piece));
    buf_reset(&ask->piece, 4096);
}

/* --- the model --- */

static void next_round(struct wiki_ask *ask);
static void speak(struct wiki_ask *ask);
static void point_out(struct wiki_ask *ask);

static void on_spent(void *ctx, struct str site, struct str model, const struct llm_usage *usage)
{
    struct wiki_ask *ask = ctx;
    if (ask->events->spent) ask->events->spent(ask->ctx, site, model, usage);
}

static void on_instead(void *ctx, struct str sentence)
{
    struct wiki_ask *ask = ctx;
    if (ask->told_instead) return; /* in an earlier round */
    ask->told_instead = true;
    if (ask->events->notice) ask->events->notice(ask->ctx, WIKI_INSTEAD, sentence);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    struct wiki_ask *ask = ctx;
    if (str_eq(site, STR("offline"))) { /* as a fall-back; it cannot read what was found */
        struct llm_usage usage = llm_cancel(ask->call);
        llm_usage_add(&ask->used, &usage);
        ask->call = NULL;
        point_out(ask);
        return;
    }
    if (ask->events->open) ask->events->open(ask->ctx, site, model);
}

static void on_text(void *ctx, struct str piece)
{
    struct wiki_ask *ask = ctx;
    ask->spoke = true;
    wiki_cite_put(&ask->cite, piece, &ask->piece);
    tell_piece(ask);
}

/* Only this may be cited from now on. */
static void give(struct wiki_ask *ask, struct wiki_context context)
{
    ask->given = context;
    wiki_cite_release(&ask->cite);
    wiki_cite_init(&ask->cite, context.sources, context.source_count);
}

/* True: it was too much for the model, and less is asked now. */
static bool ask_for_less(struct wiki_ask *ask, const struct llm_result *result)
{
    bool too_long = result->end == LLM_FAILED && result->fault == LLM_FAULT_TOO_LONG;
    if (!too_long || ask->spoke || ask->step == NOTHING) return false;
    if (ask->step == ALL && ask->given.tokens > 0) {
        ask->step = SOME;
        give(ask, wiki_context_shorter(&ask->whole, ask->whole.tokens / LESS));
        tell_notice(ask, WIKI_LESS,
                    "the model cannot read that much: it is given a third of what was found");
    } else {
        ask->step = NOTHING;
        give(ask, (struct wiki_context){0});
        tell_notice(ask, WIKI_NOTHING,
                    "the model cannot read that much: it answers without the repository");
    }
    speak(ask);
    return true;
}

static bool has_concluded(const struct wiki_ask *ask)
{
    struct str answer = buf_str(&ask->answer);
    return ask->round == WIKI_ROUNDS || str_find(answer, STR("## Final Conclusion")) < answer.len;
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct wiki_ask *ask = ctx;
    ask->call = NULL;
    llm_usage_add(&ask->used, &result->usage);
    if (ask_for_less(ask, result)) return;
    bool complete = result->end == LLM_COMPLETE;
    wiki_cite_end(&ask->cite, &ask->piece);
    tell_piece(ask);
    if (complete && ask->asking.research && !has_concluded(ask)) {
        next_round(ask);
    } else {
        tell_end(ask, result, complete);
    }
}

static const struct llm_events answer_events = {
    .instead = on_instead, .spent = on_spent, .open = on_open, .text = on_text, .end = on_end};

static bool is_offline(struct wiki_ask *ask)
{
    struct llm_choice *plan;
    size_t count = llm_plan(ask->desk.llm, &ask->found, ask->asking.model, true, &plan);
    return count > 0 && llm_is_offline(plan[0].place);
}

/* No model: the places themselves, in one round. */
static void point_out(struct wiki_ask *ask)
{
    struct str text =
        wiki_prompt_places(&ask->found, ask->turns[ask->turn_count - 1].text, &ask->given);
    wiki_cite_put(&ask->cite, text, &ask->piece);
    wiki_cite_end(&ask->cite, &ask->piece);
    tell_piece(ask);
    tell_end(ask, NULL, true);
}

static void speak(struct wiki_ask *ask)
{
    struct wiki_prompt prompt = {.name = ask->asking.name,
                                 .url = ask->asking.url,
                                 .language = ask->asking.language,
                                 .round = ask->round,
                                 .last = ask->round == WIKI_ROUNDS,
                                 .turns = ask->turns,
                                 .turn_count = ask->turn_count,
                                 .context = &ask->given,
                                 .file = ask->asking.file,
                                 .cut = ask->step == NOTHING || ask->blind};
    struct llm_request request = llm_request_plain();
    request.model = ask->asking.model;
    request.messages = wiki_prompt_write(&ask->found, &prompt, &request.message_count);
    request.class = LLM_PERSON;
    ask->call = llm_start(ask->desk.models, &request, &answer_events, ask);
    if (ask->paused) llm_pause(ask->call);
}

/* --- the look-up --- */

/* A research takes its time: meanwhile the wiki may have become others' alone. */
static enum err check_reader(struct wiki_ask *ask, struct db *db, struct why *why)
{
    struct wiki wiki;
    if (!ask->asking.reader) return OK;
    enum err err = wikis_load(db, &ask->found, &ask->reader, ask->asking.wiki, &wiki, why);
    if (err != ERR_NOT_FOUND) return err;
    return why_set(why, err, "this wiki is gone, or is not for you to see any more");
}

static void gather(struct job *job, void *own)
{
    struct wiki_ask *ask = CONTAINER_OF(job, struct wiki_ask, job);
    struct wiki_index *index;
    struct wiki_matrix *matrix = NULL;
    ask->err = check_reader(ask, own, &ask->why);
    if (!ask->err) {
        ask->err = wiki_library_borrow(ask->desk.library, ask->asking.wiki, &index, &ask->why);
    }
    if (!ask->err) {
        if (ask->query.values) matrix = wiki_library_matrix(ask->desk.library, ask->asking.wiki);
        struct wiki_meaning meaning = {matrix, ask->query.values};
        if (matrix && wiki_matrix_dimensions(matrix) == ask->query.dimensions) {
            ask->want.meaning = &meaning;
        }
        ask->err = wiki_context_gather(index, &ask->found, &ask->want, &ask->whole, &ask->why);
        ask->want.meaning = NULL;
        wiki_matrix_release(matrix);
        wiki_library_return(ask->desk.library, ask->asking.wiki, index);
    }
    loop_post(ask->desk.loop, &ask->back);
}

static void tell_context(struct wiki_ask *ask)
{
    give(ask, ask->whole);
    if (ask->events->context) {
        ask->events->context(ask->ctx, ask->given.sources, ask->given.source_count);
    }
    if (ask->blind) {
        tell_notice(ask, WIKI_TOO_LONG,
                    "the question is so long that nothing was looked up in the repository");
    } else if (ask->given.source_count == 0) {
        tell_notice(ask, WIKI_UNFOUND, "nothing in the repository matches the question");
    }
    if (!ask->blind && ask->want.file.len > 0 && ask->whole.file_text.len == 0) {
        tell_notice(
            ask, WIKI_UNFOUND,
            "the file that was named is not there, was left out, or is too large to be read as "
            "a whole; the answer is made without it");
    }
}

static void on_gathered(struct task *task)
{
    struct wiki_ask *ask = CONTAINER_OF(task, struct wiki_ask, back);
    ask->away = false;
    if (ask->cancelled) {
        free_ask(ask);
    } else if (ask->err) {
        tell_end(ask, NULL, false);
    } else {
        tell_context(ask);
        if (is_offline(ask)) {
            point_out(ask);
        } else {
            speak(ask);
        }
    }
}

static void look_up(struct wiki_ask *ask)
{
    ask->away = true;
    if (workers_submit(ask->desk.workers, &ask->job)) return;
    ask->err = why_set(&ask->why, ERR_BUSY, "too many questions at once: try again in a moment");
    loop_post(ask->desk.loop, &ask->back);
}

static void on_meaning(struct wiki_query *query)
{
    look_up(CONTAINER_OF(query, struct wiki_ask, query));
}

static void want_context(struct wiki_ask *ask)
{
    ask->want =
        (struct wiki_context_want){.question = ask->turns[ask->turn_count - 1].text,
                                   .file = ask->asking.file,
                                   .tokens_max = (size_t)ask->desk.settings->wiki_context_tokens};
    for (size_t i = ask->turn_count - 1; i > 0 && ask->want.earlier.len == 0; i--) {
        if (ask->turns[i - 1].role == LLM_USER) ask->want.earlier = ask->turns[i - 1].text;
    }
}

static void begin_round(struct wiki_ask *ask)
{
    ask->step = ALL;
    ask->spoke = false;
    arena_reset(&ask->found);
    ask->whole = ask->given = (struct wiki_context){0};
    if (ask->events->round && ask->round > 0) {
        ask->events->round(ask->ctx, ask->round, ask->round == WIKI_ROUNDS);
    }
    if (ask->blind) {
        ask->away = true;
        loop_post(ask->desk.loop, &ask->back);
        return;
    }
    want_context(ask);
    ask->query =
        (struct wiki_query){.loop = ask->desk.loop, .arena = &ask->found, .done = on_meaning};
    struct str text = wiki_context_search_text(&ask->found, &ask->want);
    if (!wiki_query_start(&ask->query, ask->desk.models, ask->desk.settings, text)) look_up(ask);
}

static void add_turn(struct wiki_ask *ask, enum llm_role role, struct str text)
{
    if (ask->turn_count == COUNT_OF(ask->turns)) return;
    ask->turns[ask->turn_count++] =
        (struct llm_message){.role = role, .text = arena_copy(&ask->arena, text)};
}

/* What was asked first is searched for again, with what the last round says is still open. */
static void next_round(struct wiki_ask *ask)
{
    struct str answer = buf_str(&ask->answer), topic = STR("");
    size_t steps = str_find(answer, STR("## Next Steps"));
    for (size_t i = 0; i < ask->turn_count && topic.len == 0; i++) {
        if (ask->turns[i].role == LLM_USER) topic = ask->turns[i].text;
    }
    struct str open = str_head(str_from(answer, steps), 1000);
    struct str question = arena_printf(&ask->arena, "Continue the research of: %.*s\n%.*s",
                                       (int)topic.len, topic.at, (int)open.len, open.at);
    add_turn(ask, LLM_ASSISTANT, answer);
    add_turn(ask, LLM_USER, question);
    buf_reset(&ask->answer, 4096);
    ask->cited += ask->cite.kept;
    ask->removed += ask->cite.removed;
    wiki_cite_release(&ask->cite);
    wiki_cite_init(&ask->cite, NULL, 0);
    ask->round++;
    begin_round(ask);
}

/* --- life --- */

/* The last turns for which there is room; the question always. */
static void copy_turns(struct wiki_ask *ask, const struct wiki_asking *asking)
{
    size_t from = asking->turn_count - 1, tokens = 0;
    while (from > 0 && asking->turn_count - from < TURNS_MAX) {
        tokens += (size_t)tokens_estimate(asking->turns[from - 1].text);
        if (tokens > TURN_TOKENS) break;
        from--;
    }
    for (size_t i = from; i < asking->turn_count; i++) {
        add_turn(ask, asking->turns[i].role, asking->turns[i].text);
    }
}

struct wiki_ask *wiki_ask_start(const struct wiki_desk *desk, const struct wiki_asking *asking,
                                const struct wiki_ask_events *events, void *ctx)
{
    ASSERT(asking->turn_count > 0);
    ASSERT(asking->round >= 0 && asking->round <= WIKI_ROUNDS);
    struct wiki_ask *ask = NEW(struct wiki_ask);
    ask->desk = *desk;
    ask->events = events;
    ask->ctx = ctx;
    ask->job.work = gather;
    ask->back.run = on_gathered;
    ask->asking = *asking;
    if (asking->reader) ask->reader = *asking->reader;
    ask->asking.name = arena_copy(&ask->arena, asking->name);
    ask->asking.url = arena_copy(&ask->arena, asking->url);
    ask->asking.model = arena_copy(&ask->arena, asking->model);
    ask->asking.language = arena_copy(&ask->arena, asking->language);
    ask->asking.file = arena_copy(&ask->arena, asking->file);
    copy_turns(ask, asking);
    ask->blind = tokens_estimate(ask->turns[ask->turn_count - 1].text) > QUESTION_TOKENS;
    buf_init(&ask->piece, ANSWER_BYTES);
    buf_init(&ask->answer, ANSWER_BYTES);
    wiki_cite_init(&ask->cite, NULL, 0);
    ask->used = (struct llm_usage){-1, -1, -1, -1, false};
    ask->round = asking->research ? 1 : asking->round;
    begin_round(ask);
    return ask;
}

struct llm_usage wiki_ask_cancel(struct wiki_ask *ask)
{
    if (ask->call) {
        struct llm_usage usage = llm_cancel(ask->call);
        llm_usage_add(&ask->used, &usage);
    }
    struct llm_usage used = ask->used;
    ask->call = NULL;
    wiki_query_cancel(&ask->query);
    ask->cancelled = true;
    if (!ask->away) free_ask(ask);
    return used;
}

void wiki_ask_count(const struct wiki_ask *ask, uint64_t *cited_out, uint64_t *removed_out)
{
    *cited_out = ask->cited + ask->cite.kept;
    *removed_out = ask->removed + ask->cite.removed;
}

void wiki_ask_pause(struct wiki_ask *ask)
{
    ask->paused = true;
    if (ask->call) llm_pause(ask->call);
}

void wiki_ask_resume(struct wiki_ask *ask)
{
    ask->paused = false;
    if (ask->call) llm_resume(ask->call);
}
