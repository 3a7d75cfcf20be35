/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_run.c: one lock for each run guards its ring and its readers; all
 * else is the home loop's. Readers are woken by a task to their own loop, at
 * most one under way for each, so tokens that come together leave together.
 */
#include "api/chat_run.h"

#include <pthread.h>

#include "api/chat_frames.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum { RING_BYTES = 256 * 1024, ANSWER_BYTES = 1024 * 1024, READER_BYTES = 256 * 1024 };

struct chat_runs {
    pthread_mutex_t lock;
    struct map by_turn;
};

struct chat_run {
    atomic_uint refs;
    struct api *api;
    struct chat_turn turn; /* texts point into what follows; set when it ends */
    struct arena arena;    /* what is asked */
    struct llm_message *messages;
    size_t message_count;
    struct str model;

    pthread_mutex_t lock;
    struct buf ring;     /* whole events */
    uint64_t ring_start; /* how much was dropped before it */
    bool ended, stop;
    struct list readers;
    int64_t idle_us; /* since when nobody reads; 0: somebody does */

    /* The home loop's. */
    struct list link; /* in home->runs */
    struct api_loop *home;
    struct llm_call *call;
    struct deadline linger;
    struct buf answer, reasoning, frame;
    char site[100], named[200], detail[400], status[16];
    struct change change;
    struct job job;
    struct task back;
    enum err err;
};

/* Lives on its call's loop. */
struct run_reader {
    struct list link; /* in run->readers; under its lock */
    struct task wake;
    bool posted; /* under the run's lock: the task is on its way */
    bool gone, waits_for_end;
    struct chat_run *run; /* a reference */
    struct call *call;
    struct http_exchange *x;
    struct loop *loop;
    uint64_t at;
};

/* --- registry --- */

struct chat_runs *chat_runs_new(void)
{
    struct chat_runs *runs = NEW(struct chat_runs);
    pthread_mutex_init(&runs->lock, NULL);
    return runs;
}

void chat_runs_free(struct chat_runs *runs)
{
    if (runs == NULL) return;
    map_release(&runs->by_turn);
    pthread_mutex_destroy(&runs->lock);
    mem_free(runs);
}

static void forget(struct chat_run *run)
{
    struct chat_runs *runs = run->api->chat_runs;
    pthread_mutex_lock(&runs->lock);
    if (map_find(&runs->by_turn, MAP_KEY(&run->turn.id)) == run) {
        map_remove(&runs->by_turn, MAP_KEY(&run->turn.id));
    }
    pthread_mutex_unlock(&runs->lock);
}

struct chat_run *chat_run_find(struct chat_runs *runs, uint64_t turn)
{
    pthread_mutex_lock(&runs->lock);
    struct chat_run *run = map_find(&runs->by_turn, MAP_KEY(&turn));
    if (run) atomic_fetch_add(&run->refs, 1);
    pthread_mutex_unlock(&runs->lock);
    return run;
}

void chat_run_unref(struct chat_run *run)
{
    if (atomic_fetch_sub(&run->refs, 1) != 1) return;
    pthread_mutex_destroy(&run->lock);
    buf_release(&run->ring);
    buf_release(&run->answer);
    buf_release(&run->reasoning);
    buf_release(&run->frame);
    arena_release(&run->arena);
    mem_free(run);
}

/* --- ring --- */

static void wake_readers(struct chat_run *run)
{
    for (struct list *at = run->readers.next; at != &run->readers; at = at->next) {
        struct run_reader *reader = CONTAINER_OF(at, struct run_reader, link);
        if (reader->posted) continue;
        reader->posted = true;
        loop_post(reader->loop, &reader->wake);
    }
}

/* The older half goes, at the end of an event. */
static void make_room(struct chat_run *run)
{
    struct str half = str_from(buf_str(&run->ring), run->ring.len / 2);
    size_t cut = run->ring.len / 2 + str_find(half, STR("\n\n")) + 2;
    run->ring_start += cut;
    run->ring.len -= cut;
    memmove(run->ring.at, run->ring.at + cut, run->ring.len);
}

static void tell(struct chat_run *run, struct str json, bool last)
{
    pthread_mutex_lock(&run->lock);
    if (run->ring.len > RING_BYTES) make_room(run);
    buf_add_str(&run->ring, STR("data: "));
    buf_add_str(&run->ring, json);
    buf_add_str(&run->ring, STR("\n\n"));
    run->ended = last;
    wake_readers(run);
    pthread_mutex_unlock(&run->lock);
}

/* --- the end --- */

static void on_stored(struct task *task)
{
    struct chat_run *run = CONTAINER_OF(task, struct chat_run, back);
    if (run->err) chat_frame_error(&run->frame, "not_stored", "the answer could not be stored");
    forget(run);
    tell(run, buf_str(&run->frame), true);
    list_remove(&run->link);
    chat_run_unref(run);
}

static enum err apply_end(struct change *change, struct db *db, struct why *why)
{
    return chat_turns_end(db, &CONTAINER_OF(change, struct chat_run, change)->turn, why);
}

static void settled_end(struct change *change, enum err err, const struct why *why)
{
    struct chat_run *run = CONTAINER_OF(change, struct chat_run, change);
    run->err = err;
    if (err) log_error("chat.not_stored", "err=%s reason=\"%s\"", err_name(err), why->text);
    loop_post(run->home->loop, &run->back);
}

static void store_on_worker(struct job *job, void *own)
{
    store_settle_here(own, &CONTAINER_OF(job, struct chat_run, job)->change);
}

/* run->frame is the last event; it is told when the end is durable. */
static void store_end(struct chat_run *run, const char *status, const struct llm_usage *usage)
{
    run->call = NULL;
    deadline_clear(&run->linger);
    str_copy(run->status, sizeof(run->status), str_of(status));
    struct chat_turn *turn = &run->turn;
    turn->status = str_of(run->status);
    turn->content = run->answer.len ? buf_str(&run->answer) : STR("");
    turn->reasoning = run->reasoning.len ? buf_str(&run->reasoning) : STR("");
    turn->site = str_of(run->site);
    turn->model = str_of(run->named);
    turn->detail = str_of(run->detail);
    turn->input_tokens = usage->input;
    turn->output_tokens = usage->output;
    turn->estimated = usage->estimated;
    run->change.apply = apply_end;
    run->change.settled = settled_end;
    run->back.run = on_stored;
    run->job.work = store_on_worker;
    if (run->home->db) {
        store_submit(run->api->store, &run->change);
    } else if (!workers_submit(run->api->workers, &run->job)) {
        struct why why;
        settled_end(&run->change, why_set(&why, ERR_BUSY, "too much waits for a worker"), &why);
    }
}

static void stop_now(struct chat_run *run, const char *status, const char *detail)
{
    struct llm_usage usage = {-1, -1, -1, -1, false};
    if (run->call) usage = llm_cancel(run->call);
    str_copy(run->detail, sizeof(run->detail), str_of(detail));
    chat_frame_interrupted(&run->frame, &usage);
    store_end(run, status, &usage);
}

/* --- the model speaks --- */

static void on_open(void *ctx, struct str site, struct str model)
{
    struct chat_run *run = ctx;
    str_copy(run->site, sizeof(run->site), site);
    str_copy(run->named, sizeof(run->named), model);
    chat_frame_start(&run->frame, site, model);
    tell(run, buf_str(&run->frame), false);
}

static void on_text(void *ctx, struct str piece)
{
    struct chat_run *run = ctx;
    buf_add_str(&run->answer, piece);
    if (run->answer.failed) {
        stop_now(run, "cut_off", "the answer is longer than this server keeps");
        return;
    }
    chat_frame_piece(&run->frame, "delta", piece);
    tell(run, buf_str(&run->frame), false);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct chat_run *run = ctx;
    buf_add_str(&run->reasoning, piece);
    chat_frame_piece(&run->frame, "reasoning", piece);
    tell(run, buf_str(&run->frame), false);
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct chat_run *run = ctx;
    bool cancelled = result->end == LLM_CANCELLED;
    if (result->end != LLM_COMPLETE) {
        str_copy(run->detail, sizeof(run->detail), str_of(result->why.text));
    }
    chat_frame_end(&run->frame, result);
    store_end(run, cancelled ? "interrupted" : llm_end_name(result->end), &result->usage);
}

static const struct llm_events run_events = {
    .open = on_open, .text = on_text, .reasoning = on_reasoning, .end = on_end};

static void on_linger(struct deadline *deadline)
{
    struct chat_run *run = CONTAINER_OF(deadline, struct chat_run, linger);
    int64_t now_us = loop_now_us(run->home->loop);
    pthread_mutex_lock(&run->lock);
    int64_t idle_us = run->idle_us;
    pthread_mutex_unlock(&run->lock);
    int64_t linger_us = run->api->settings->chat_linger_s * 1000000;
    if (idle_us && now_us - idle_us >= linger_us) {
        stop_now(run, "interrupted", "nobody read the answer any more");
    } else {
        deadline_set(run->home->loop, &run->linger, now_us + MAX(linger_us / 4, 1000000));
    }
}

/* --- life --- */

struct chat_run *chat_run_new(struct api *api, const struct chat *chat, uint64_t turn,
                              const struct llm_message *messages, size_t count, struct str model,
                              struct str first)
{
    struct chat_run *run = NEW(struct chat_run);
    atomic_init(&run->refs, 1);
    run->api = api;
    run->turn.id = turn;
    run->turn.chat = chat->id;
    run->model = arena_copy(&run->arena, model);
    run->messages = ARENA_ARRAY(&run->arena, struct llm_message, count);
    run->message_count = count;
    for (size_t i = 0; i < count; i++) {
        run->messages[i].role = messages[i].role;
        run->messages[i].text = arena_copy(&run->arena, messages[i].text);
    }
    pthread_mutex_init(&run->lock, NULL);
    list_init(&run->readers);
    list_init(&run->link);
    list_init(&run->linger.link);
    run->linger.fired = on_linger;
    buf_init(&run->ring, RING_BYTES + 16 * ANSWER_BYTES);
    buf_init(&run->answer, ANSWER_BYTES);
    buf_init(&run->reasoning, ANSWER_BYTES);
    buf_init(&run->frame, 8 * ANSWER_BYTES);
    tell(run, first, false);
    pthread_mutex_lock(&api->chat_runs->lock);
    /* One that was planned in a transaction which was taken back has the number no more. */
    map_remove(&api->chat_runs->by_turn, MAP_KEY(&run->turn.id));
    map_add(&api->chat_runs->by_turn, MAP_KEY(&run->turn.id), run);
    pthread_mutex_unlock(&api->chat_runs->lock);
    return run;
}

void chat_run_drop(struct chat_run *run)
{
    if (run == NULL) return;
    forget(run);
    chat_run_unref(run);
}

void chat_run_begin(struct chat_run *run, struct api_loop *home)
{
    pthread_mutex_lock(&run->lock);
    run->home = home;
    if (list_is_empty(&run->readers)) run->idle_us = loop_now_us(home->loop);
    bool stop = run->stop;
    pthread_mutex_unlock(&run->lock);
    list_add_last(&home->runs, &run->link);
    if (stop || home->draining) {
        stop_now(run, stop ? "interrupted" : "cut_off", stop ? "" : "the server restarts");
        return;
    }
    struct llm_request request = llm_request_plain();
    request.model = run->model;
    request.messages = run->messages;
    request.message_count = run->message_count;
    request.class = LLM_PERSON;
    struct llm_message shorter[2];
    if (run->message_count > 2) { /* too long: the question alone, and what stands before all */
        const struct llm_message *first = &run->messages[0];
        if (first->role == LLM_SYSTEM) shorter[request.shorter_count++] = *first;
        shorter[request.shorter_count++] = run->messages[run->message_count - 1];
        request.shorter = shorter;
    }
    run->call = llm_start(home->llm, &request, &run_events, run);
    deadline_set(home->loop, &run->linger, loop_now_us(home->loop) + 1000000);
}

void chat_run_drain(struct api_loop *home)
{
    for (struct list *at = home->runs.next; at != &home->runs; at = at->next) {
        struct chat_run *run = CONTAINER_OF(at, struct chat_run, link);
        if (run->call) stop_now(run, "cut_off", "the server restarts");
    }
}

/* --- readers --- */

static void leave(struct run_reader *reader)
{
    struct chat_run *run = reader->run;
    pthread_mutex_lock(&run->lock);
    list_remove(&reader->link);
    if (list_is_empty(&run->readers)) run->idle_us = loop_now_us(reader->loop);
    bool posted = reader->posted;
    pthread_mutex_unlock(&run->lock);
    reader->gone = true;
    if (posted) return; /* its task frees it */
    chat_run_unref(run);
    mem_free(reader);
}

static void on_reader_gone(void *ctx)
{
    struct run_reader *reader = ctx;
    http_stream_end(reader->x, false);
    leave(reader);
}

/* What the reader does not have yet, as far as it may wait for it. */
static bool take_news(struct run_reader *reader, struct buf *news, bool *lost_out)
{
    struct chat_run *run = reader->run;
    pthread_mutex_lock(&run->lock);
    *lost_out = reader->at < run->ring_start;
    if (!*lost_out) buf_add_str(news, str_from(buf_str(&run->ring), reader->at - run->ring_start));
    reader->at = run->ring_start + run->ring.len;
    bool ended = run->ended;
    pthread_mutex_unlock(&run->lock);
    return ended;
}

static void pump(struct run_reader *reader)
{
    struct buf news;
    bool lost;
    if (!reader->waits_for_end && http_stream_queued(reader->x) > READER_BYTES) return;
    buf_init(&news, 32 * ANSWER_BYTES);
    bool ended = take_news(reader, &news, &lost);
    if (reader->waits_for_end) {
        if (ended) {
            call_no_content(reader->call);
            call_reply(reader->call);
            leave(reader);
        }
    } else {
        if (lost) buf_add_str(&news, STR("data: {\"type\":\"reload\"}\n\n"));
        http_stream_write(reader->x, buf_str(&news));
        if (ended || lost) {
            http_stream_end(reader->x, true);
            leave(reader);
        }
    }
    buf_release(&news);
}

static void on_wake(struct task *task)
{
    struct run_reader *reader = CONTAINER_OF(task, struct run_reader, wake);
    pthread_mutex_lock(&reader->run->lock);
    reader->posted = false;
    pthread_mutex_unlock(&reader->run->lock);
    if (reader->gone) {
        chat_run_unref(reader->run);
        mem_free(reader);
    } else {
        pump(reader);
    }
}

static void on_drained(void *ctx)
{
    pump(ctx);
}

static struct run_reader *reader_new(struct chat_run *run, struct call *call)
{
    struct run_reader *reader = NEW(struct run_reader);
    atomic_fetch_add(&run->refs, 1);
    reader->run = run;
    reader->call = call;
    reader->x = call->x;
    reader->loop = call->home->loop;
    reader->wake.run = on_wake;
    list_init(&reader->link);
    pthread_mutex_lock(&run->lock);
    list_add_last(&run->readers, &reader->link);
    run->idle_us = 0;
    pthread_mutex_unlock(&run->lock);
    return reader;
}

void chat_run_join(struct chat_run *run, struct call *call)
{
    struct http_exchange *x = call->x;
    struct run_reader *reader = reader_new(run, call);
    http_reset_reply(x);
    x->status = 200;
    x->content_type = "text/event-stream";
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "X-Accel-Buffering", STR("no"));
    call_begin_stream(call, (struct http_stream_events){
                                .drained = on_drained, .gone = on_reader_gone, .ctx = reader});
    if (x->connection == NULL) {
        on_reader_gone(reader);
    } else {
        pump(reader);
    }
}

struct stop_errand {
    struct task task;
    struct chat_run *run; /* a reference */
};

static void on_stop(struct task *task)
{
    struct stop_errand *errand = CONTAINER_OF(task, struct stop_errand, task);
    if (errand->run->call) stop_now(errand->run, "interrupted", "");
    chat_run_unref(errand->run);
    mem_free(errand);
}

void chat_run_stop(struct chat_run *run, struct call *call)
{
    struct run_reader *reader = reader_new(run, call);
    reader->waits_for_end = true;
    pthread_mutex_lock(&run->lock);
    run->stop = true;
    struct api_loop *home = run->home;
    pthread_mutex_unlock(&run->lock);
    if (home) {
        struct stop_errand *errand = NEW(struct stop_errand);
        atomic_fetch_add(&run->refs, 1);
        errand->run = run;
        errand->task.run = on_stop;
        loop_post(home->loop, &errand->task);
    }
    pump(reader); /* it may have ended */
}
