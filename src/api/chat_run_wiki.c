/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_run_wiki.c: an answer about a wiki: a run whose words come from
 * wiki/ask.h instead of a plain call.
 *
 * Beside the words there are facts: places that the model is given, notices,
 * rounds of a research. Each reader gets every one of them once and in their
 * order, in front of the words that it has not had (api/chat_readers.c); who
 * comes in the middle over /live gets them together, as they are kept with the
 * answer (api/chat_found.h).
 */
#include "api/chat_frames.h"
#include "api/chat_run_internal.h"
#include "api/wiki_frames.h"

enum { FACTS_BYTES = 8 * 1024 * 1024 };
#define LONG_ANSWER "the answer is longer than this server keeps"

/* run->fact goes to the readers. Under the lock. */
static void tell_fact(struct chat_run *run)
{
    buf_add_str(&run->facts, buf_str(&run->fact));
    buf_add_byte(&run->facts, '\n');
    audience_wake(&run->audience);
}

static void on_waiting(void *ctx, const struct wiki_progress *progress)
{
    struct chat_run *run = ctx;
    /* Once for each stage: facts are kept as long as the answer is written. */
    if (str_eq(str_of(run->stage), str_of(progress->stage))) return;
    str_copy(run->stage, sizeof(run->stage), str_of(progress->stage));
    wiki_frame_waiting(&run->fact, progress);
    pthread_mutex_lock(&run->audience.lock);
    tell_fact(run);
    pthread_mutex_unlock(&run->audience.lock);
}

static void on_round(void *ctx, int round, bool last)
{
    struct chat_run *run = ctx;
    if (run->overlong) return;
    if (run->answer.len) chat_run_said(run, &run->answer, STR("\n\n"));
    wiki_frame_round(&run->fact, round, last);
    pthread_mutex_lock(&run->audience.lock);
    run->found.round = round;
    run->found.last = last;
    tell_fact(run);
    pthread_mutex_unlock(&run->audience.lock);
}

static void on_context(void *ctx, const struct wiki_source *sources, size_t count)
{
    struct chat_run *run = ctx;
    chat_frame_sources(&run->fact, sources, count);
    pthread_mutex_lock(&run->audience.lock);
    chat_found_add(&run->found, sources, count);
    tell_fact(run);
    pthread_mutex_unlock(&run->audience.lock);
}

static void on_notice(void *ctx, enum wiki_cause cause, struct str sentence)
{
    struct chat_run *run = ctx;
    wiki_frame_notice(&run->fact, cause, sentence);
    pthread_mutex_lock(&run->audience.lock);
    chat_found_note(&run->found, buf_str(&run->fact));
    tell_fact(run);
    pthread_mutex_unlock(&run->audience.lock);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    chat_run_named(ctx, site, model);
}

static void on_text(void *ctx, struct str piece)
{
    struct chat_run *run = ctx;
    if (run->overlong) return;
    /* No model is asked: the places themselves are the answer. */
    if (run->site[0] == '\0') chat_run_named(run, STR("offline"), STR(""));
    if (run->answer.len + piece.len <= CHAT_ANSWER_BYTES) {
        chat_run_said(run, &run->answer, piece);
    } else {
        run->overlong = true;
        str_copy(run->detail, sizeof(run->detail), STR(LONG_ANSWER));
        chat_run_end_soon(run, "cut_off", LONG_ANSWER);
    }
}

static void end_with(struct chat_run *run, const char *status, const char *fault,
                     const struct llm_usage *used, int rounds)
{
    struct chat_wiki_end end = {.status = str_of(status),
                                .site = str_of(run->site),
                                .model = str_of(run->named),
                                .fault = fault,
                                .detail = run->detail,
                                .used = *used,
                                .cited = run->found.cited,
                                .removed = run->found.removed,
                                .rounds = rounds};
    run->visit = NULL;
    chat_frame_wiki_end(&run->last, &end);
    chat_run_store_end(run, status, used);
}

static void on_failed(void *ctx, enum err err, const struct why *why)
{
    struct chat_run *run = ctx;
    struct llm_usage spent = wiki_visit_spent(run->visit);
    str_copy(run->detail, sizeof(run->detail), str_of(why->text));
    end_with(run, run->answer.len ? "cut_off" : "failed", err_name(err), &spent, 0);
}

/* Words of earlier rounds are a part of an answer, whatever became of the next. */
static const char *status_of(const struct chat_run *run, const struct wiki_ask_end *end)
{
    if (run->overlong) return "cut_off";
    if (end->complete) return "complete";
    bool failed = end->err || end->result == NULL || end->result->end == LLM_FAILED;
    if (failed) return run->answer.len ? "cut_off" : "failed";
    return end->result->end == LLM_CANCELLED ? "interrupted" : llm_end_name(end->result->end);
}

static void on_end(void *ctx, const struct wiki_ask_end *end)
{
    struct chat_run *run = ctx;
    const struct llm_result *result = end->result;
    if (run->site[0] == '\0' && result) chat_run_named(run, result->site, result->model);
    if (!end->complete && !run->overlong) {
        const char *detail = end->err ? end->why.text : result ? result->why.text : "";
        str_copy(run->detail, sizeof(run->detail), str_of(detail));
    }
    pthread_mutex_lock(&run->audience.lock);
    run->found.cited = end->cited;
    run->found.removed = end->removed;
    pthread_mutex_unlock(&run->audience.lock);
    const char *fault = end->err ? err_name(end->err) : result ? llm_fault_name(result->fault) : "";
    end_with(run, status_of(run, end), fault, &end->used, end->rounds);
}

static const struct wiki_visit_events events = {.waiting = on_waiting,
                                                .failed = on_failed,
                                                .answer = {.round = on_round,
                                                           .context = on_context,
                                                           .notice = on_notice,
                                                           .open = on_open,
                                                           .text = on_text,
                                                           .end = on_end}};

void chat_run_take_wiki(struct chat_run *run, const struct wiki_visit_want *from)
{
    if (from == NULL) return;
    struct wiki_visit_want *want = ARENA_NEW(&run->arena, struct wiki_visit_want);
    *want = *from;
    want->asking.language = arena_copy(&run->arena, from->asking.language);
    want->asking.file = arena_copy(&run->arena, from->asking.file);
    want->asking.model = run->model;
    want->asking.turns = run->messages;
    want->asking.turn_count = run->message_count;
    run->want = want;
    chat_found_init(&run->found);
    buf_init(&run->facts, FACTS_BYTES);
    buf_init(&run->fact, WIKI_FRAME_BYTES);
    buf_init(&run->about, CHAT_FOUND_BYTES * 2);
}

void chat_run_release_wiki(struct chat_run *run)
{
    if (run->want == NULL) return;
    chat_found_release(&run->found);
    buf_release(&run->facts);
    buf_release(&run->fact);
    buf_release(&run->about);
}

void chat_run_ask_wiki(struct chat_run *run)
{
    run->visit = wiki_visit_start(run->home, run->want, &events, run);
}

struct llm_usage chat_run_leave_wiki(struct chat_run *run)
{
    uint64_t cited, removed;
    wiki_visit_count(run->visit, &cited, &removed);
    pthread_mutex_lock(&run->audience.lock);
    run->found.cited = cited;
    run->found.removed = removed;
    pthread_mutex_unlock(&run->audience.lock);
    struct llm_usage used = wiki_visit_cancel(run->visit);
    run->visit = NULL;
    return used;
}

struct str chat_run_about(struct chat_run *run)
{
    if (run->want == NULL) return (struct str){0};
    chat_found_write(&run->found, &run->about);
    return buf_str(&run->about);
}
