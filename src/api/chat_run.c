/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_run.c: one lock for each run guards what it has said and its readers;
 * all else is the home loop's. Who reads is in chat_readers.c.
 */
#include "api/chat_run.h"

#include "api/chat_frames.h"
#include "api/chat_run_internal.h"
#include "api/chat_shapes.h"
#include "api/chat_title.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

static const int64_t SAVE_US = 5 * 1000000, /* between two times that half an answer is stored */
    ALIVE_US = 20 * 1000000,                /* the same when nothing has come */
    SILENT_US = INT64_C(90) * 1000000;      /* who was not heard of for so long is dead */

enum { ANSWER_BYTES = CHAT_ANSWER_BYTES };

/* Kept with the words of the model, where readers of either language find it. */
#define REST_OF_REASONING                                                                          \
    "\n\n[余下的思考太长，没有保存 (the rest of the reasoning is longer than this server keeps)]"

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
    map_release(&runs->by_chat);
    pthread_mutex_destroy(&runs->lock);
    mem_free(runs);
}

/* Under the registry's lock. */
static void link_up(struct chat_runs *runs, struct chat_run *run)
{
    run->sibling = map_remove(&runs->by_chat, MAP_KEY(&run->turn.chat));
    map_add(&runs->by_chat, MAP_KEY(&run->turn.chat), run);
}

static void unlink_run(struct chat_runs *runs, struct chat_run *run)
{
    struct chat_run *newest = map_remove(&runs->by_chat, MAP_KEY(&run->turn.chat));
    struct chat_run **at = &newest;
    while (*at && *at != run) at = &(*at)->sibling;
    if (*at) *at = run->sibling;
    if (newest) map_add(&runs->by_chat, MAP_KEY(&newest->turn.chat), newest);
}

static void remember(struct chat_run *run)
{
    struct chat_runs *runs = run->api->chat_runs;
    pthread_mutex_lock(&runs->lock);
    /* One that was planned in a transaction which was taken back has the number no more. */
    map_remove(&runs->by_turn, MAP_KEY(&run->turn.id));
    map_add(&runs->by_turn, MAP_KEY(&run->turn.id), run);
    link_up(runs, run);
    pthread_mutex_unlock(&runs->lock);
}

static void forget(struct chat_run *run)
{
    struct chat_runs *runs = run->api->chat_runs;
    pthread_mutex_lock(&runs->lock);
    if (map_find(&runs->by_turn, MAP_KEY(&run->turn.id)) == run) {
        map_remove(&runs->by_turn, MAP_KEY(&run->turn.id));
    }
    unlink_run(runs, run);
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
    audience_release(&run->audience);
    buf_release(&run->answer);
    buf_release(&run->reasoning);
    buf_release(&run->last);
    chat_run_release_wiki(run);
    arena_release(&run->arena);
    mem_free(run);
}

/* --- the end --- */

static void tell_end(struct chat_run *run)
{
    pthread_mutex_lock(&run->audience.lock);
    run->ended = true;
    audience_wake(&run->audience);
    pthread_mutex_unlock(&run->audience.lock);
}

/* The offline engine has no opinion on titles. */
static void ask_for_title(struct chat_run *run)
{
    if (!run->wants_title || !str_eq(run->turn.status, STR("complete"))) return;
    if (str_eq(run->turn.site, STR("offline"))) return;
    struct chat_entitled chat = {.owner = run->owner,
                                 .chat = run->turn.chat,
                                 .model = run->model,
                                 .question = run->messages[run->message_count - 1].text,
                                 .answer = run->turn.content};
    chat_title_ask(run->home, &chat);
}

static void on_stored(struct chat_deed *deed, enum err err)
{
    struct chat_run *run = CONTAINER_OF(deed, struct chat_run, end);
    if (err) chat_frame_error(&run->last, "not_stored", "the answer could not be stored");
    forget(run);
    tell_end(run);
    if (!err) ask_for_title(run);
    list_remove(&run->link);
    chat_run_unref(run);
}

static enum err apply_end(struct chat_deed *deed, struct why *why)
{
    struct chat_run *run = CONTAINER_OF(deed, struct chat_run, end);
    bool there;
    enum err err = chat_turns_end(deed->act.db, &run->turn, &there, why);
    if (!err && there) chat_tell_answered(&deed->act, &run->turn);
    return err;
}

void chat_run_store_end(struct chat_run *run, const char *status, const struct llm_usage *usage)
{
    run->call = NULL;
    deadline_clear(&run->linger);
    deadline_clear(&run->save);
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
    turn->about = chat_run_about(run);
    run->end.owner = run->owner;
    run->end.log = "chat.not_stored";
    run->end.apply = apply_end;
    run->end.done = on_stored;
    chat_deed_begin(&run->end, run->home);
}

static bool is_under_way(const struct chat_run *run)
{
    return run->call || run->visit;
}

static void stop_now(struct chat_run *run, const char *status, const char *detail)
{
    struct llm_usage usage = {-1, -1, -1, -1, false};
    if (run->call) usage = llm_cancel(run->call);
    if (run->visit) usage = chat_run_leave_wiki(run);
    str_copy(run->detail, sizeof(run->detail), str_of(detail));
    if (strcmp(status, "interrupted") == 0) {
        chat_frame_interrupted(&run->last, &usage);
    } else { /* as it is stored: nobody stopped it */
        struct llm_result result = {.end = LLM_CUT_OFF,
                                    .site = str_of(run->site),
                                    .model = str_of(run->named),
                                    .usage = usage};
        why_write(&result.why, "%s", detail);
        chat_frame_end(&run->last, &result);
    }
    chat_run_store_end(run, status, &usage);
}

/* --- half an answer --- */

/* What has come goes to the store now and then, so that a crash takes a few seconds of it and not
 * all. It stays `streaming`: only the end knows what it is. */
struct save {
    struct chat_deed deed;
    struct chat_run *run;  /* a reference */
    struct chat_turn turn; /* texts in `arena` */
    struct arena arena;
    size_t bytes;
    bool there; /* it is still to be written; set by the writer */
};

static size_t bytes_said(const struct chat_run *run)
{
    return run->answer.len + run->reasoning.len;
}

static void plan_save(struct chat_run *run, int64_t after_us)
{
    int64_t at_us = loop_now_us(run->home->loop) + after_us;
    if (run->saving || (run->save.at_us && run->save.at_us <= at_us)) return;
    deadline_set(run->home->loop, &run->save, at_us);
}

static void on_saved(struct chat_deed *deed, enum err err)
{
    struct save *save = CONTAINER_OF(deed, struct save, deed);
    struct chat_run *run = save->run;
    run->saving = false;
    if (!err) run->saved = save->bytes;
    /* Deleted, or its owner has left, perhaps through another instance: nobody wants it. */
    if (!err && !save->there && is_under_way(run)) stop_now(run, "interrupted", "");
    if (is_under_way(run)) plan_save(run, bytes_said(run) > run->saved ? SAVE_US : ALIVE_US);
    arena_release(&save->arena);
    mem_free(save);
    chat_run_unref(run);
}

static enum err apply_save(struct chat_deed *deed, struct why *why)
{
    struct save *save = CONTAINER_OF(deed, struct save, deed);
    return chat_turns_save(deed->act.db, &save->turn, deed->act.now_us, &save->there, why);
}

static void on_save_due(struct deadline *deadline)
{
    struct chat_run *run = CONTAINER_OF(deadline, struct chat_run, save);
    struct save *save = NEW(struct save);
    atomic_fetch_add(&run->refs, 1);
    run->saving = true;
    save->run = run;
    save->bytes = bytes_said(run);
    save->turn = (struct chat_turn){
        .id = run->turn.id,
        .content = run->answer.len ? arena_copy(&save->arena, buf_str(&run->answer)) : STR(""),
        .reasoning =
            run->reasoning.len ? arena_copy(&save->arena, buf_str(&run->reasoning)) : STR(""),
        .site = arena_copy(&save->arena, str_of(run->site)),
        .model = arena_copy(&save->arena, str_of(run->named)),
        .about = arena_keep(&save->arena, chat_run_about(run))};
    save->deed.owner = run->owner;
    save->deed.log = "chat.not_saved";
    save->deed.apply = apply_save;
    save->deed.done = on_saved;
    chat_deed_begin(&save->deed, run->home);
}

/* --- the model speaks --- */

void chat_run_named(struct chat_run *run, struct str site, struct str model)
{
    pthread_mutex_lock(&run->audience.lock);
    str_copy(run->site, sizeof(run->site), site);
    str_copy(run->named, sizeof(run->named), model);
    audience_wake(&run->audience);
    pthread_mutex_unlock(&run->audience.lock);
}

static void on_instead(void *ctx, struct str sentence)
{
    struct chat_run *run = ctx;
    pthread_mutex_lock(&run->audience.lock);
    str_copy(run->instead, sizeof(run->instead), sentence);
    pthread_mutex_unlock(&run->audience.lock);
}

static void on_open(void *ctx, struct str site, struct str model)
{
    chat_run_named(ctx, site, model);
}

void chat_run_said(struct chat_run *run, struct buf *kept, struct str piece)
{
    pthread_mutex_lock(&run->audience.lock);
    buf_add_str(kept, piece);
    audience_wake(&run->audience);
    pthread_mutex_unlock(&run->audience.lock);
    plan_save(run, SAVE_US);
}

static void on_text(void *ctx, struct str piece)
{
    struct chat_run *run = ctx;
    if (run->answer.len + piece.len > ANSWER_BYTES) {
        stop_now(run, "cut_off", "the answer is longer than this server keeps");
    } else {
        chat_run_said(run, &run->answer, piece);
    }
}

/* The answer may still come, and is whole without it. */
static void on_reasoning(void *ctx, struct str piece)
{
    struct chat_run *run = ctx;
    if (run->reasoning_cut) return;
    size_t room = ANSWER_BYTES - run->reasoning.len;
    if (piece.len > room) {
        piece = str_head(piece, utf8_floor(piece.at, room));
        run->reasoning_cut = true;
    }
    if (piece.len > 0) chat_run_said(run, &run->reasoning, piece);
    if (run->reasoning_cut) chat_run_said(run, &run->reasoning, STR(REST_OF_REASONING));
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct chat_run *run = ctx;
    bool cancelled = result->end == LLM_CANCELLED;
    /* Without a word nobody has been named. */
    if (run->site[0] == '\0') chat_run_named(run, result->site, result->model);
    bool whole = result->end == LLM_COMPLETE;
    str_copy(run->detail, sizeof(run->detail), whole ? result->instead : str_of(result->why.text));
    chat_frame_end(&run->last, result);
    chat_run_store_end(run, cancelled ? "interrupted" : llm_end_name(result->end), &result->usage);
}

static const struct llm_events run_events = {.instead = on_instead,
                                             .open = on_open,
                                             .text = on_text,
                                             .reasoning = on_reasoning,
                                             .end = on_end};

static void on_linger(struct deadline *deadline)
{
    struct chat_run *run = CONTAINER_OF(deadline, struct chat_run, linger);
    int64_t now_us = loop_now_us(run->home->loop);
    pthread_mutex_lock(&run->audience.lock);
    int64_t idle_us = run->idle_us;
    pthread_mutex_unlock(&run->audience.lock);
    int64_t linger_us = run->api->settings->chat_linger_s * 1000000;
    if (idle_us && now_us - idle_us >= linger_us) {
        stop_now(run, "interrupted", "nobody read the answer any more");
    } else {
        deadline_set(run->home->loop, &run->linger, now_us + MAX(linger_us / 4, 1000000));
    }
}

/* --- life --- */

static void copy_question(struct chat_run *run, const struct chat_plan *plan)
{
    run->model = arena_copy(&run->arena, plan->model);
    run->first = arena_copy(&run->arena, plan->first);
    run->wants_title = plan->wants_title;
    run->messages = ARENA_ARRAY(&run->arena, struct llm_message, plan->count);
    run->message_count = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        run->messages[i].role = plan->messages[i].role;
        run->messages[i].text = arena_copy(&run->arena, plan->messages[i].text);
    }
}

struct chat_run *chat_run_new(struct api *api, const struct chat_plan *plan)
{
    struct chat_run *run = NEW(struct chat_run);
    atomic_init(&run->refs, 1);
    run->api = api;
    run->owner = plan->owner;
    run->turn.id = plan->turn;
    run->turn.chat = plan->chat;
    copy_question(run, plan);
    chat_run_take_wiki(run, plan->wiki);
    audience_init(&run->audience);
    list_init(&run->link);
    list_init(&run->linger.link);
    run->linger.fired = on_linger;
    list_init(&run->save.link);
    run->save.fired = on_save_due;
    buf_init(&run->answer, ANSWER_BYTES);
    buf_init(&run->reasoning, ANSWER_BYTES + sizeof(REST_OF_REASONING));
    buf_init(&run->last, ANSWER_BYTES);
    remember(run);
    return run;
}

void chat_run_drop(struct chat_run *run)
{
    if (run == NULL) return;
    forget(run);
    tell_end(run);
    chat_run_unref(run);
}

static void ask_model(struct chat_run *run)
{
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
    run->call = llm_start(run->home->llm, &request, &run_events, run);
}

void chat_run_begin(struct chat_run *run, struct api_loop *home)
{
    pthread_mutex_lock(&run->audience.lock);
    run->home = home;
    if (list_is_empty(&run->audience.listeners)) run->idle_us = loop_now_us(home->loop);
    bool stop = run->stop;
    pthread_mutex_unlock(&run->audience.lock);
    list_add_last(&home->runs, &run->link);
    if (stop || home->api->draining) {
        stop_now(run, stop ? "interrupted" : "cut_off", stop ? "" : "the server restarts");
        return;
    }
    if (run->want) {
        chat_run_ask_wiki(run);
    } else {
        ask_model(run);
    }
    /* A research takes minutes and is worth its money when it is whole: it ends by itself. */
    bool lingers = run->want == NULL || !run->want->asking.research;
    if (lingers) deadline_set(home->loop, &run->linger, loop_now_us(home->loop) + 1000000);
    plan_save(run, ALIVE_US);
}

void chat_run_notice(struct api_loop *home, const struct hub_notice *notice)
{
    if (notice->what != NOTICE_STOP_ANSWER || home->index != 0) return; /* once is enough */
    struct chat_run *run = chat_run_find(home->api->chat_runs, notice->session);
    if (run == NULL) return;
    if (run->owner.value == notice->user.value) chat_run_stop_soon(run);
    chat_run_unref(run);
}

void chat_run_drain(struct api_loop *home)
{
    for (struct list *at = home->runs.next; at != &home->runs; at = at->next) {
        struct chat_run *run = CONTAINER_OF(at, struct chat_run, link);
        if (is_under_way(run)) stop_now(run, "cut_off", "the server restarts");
    }
}

/* --- stopping --- */

struct stop_errand {
    struct task task;
    struct chat_run *run; /* a reference */
    const char *status, *detail;
};

static void on_stop(struct task *task)
{
    struct stop_errand *errand = CONTAINER_OF(task, struct stop_errand, task);
    if (is_under_way(errand->run)) stop_now(errand->run, errand->status, errand->detail);
    chat_run_unref(errand->run);
    mem_free(errand);
}

void chat_run_end_soon(struct chat_run *run, const char *status, const char *detail)
{
    struct stop_errand *errand = NEW(struct stop_errand);
    atomic_fetch_add(&run->refs, 1);
    errand->run = run;
    errand->status = status;
    errand->detail = detail;
    errand->task.run = on_stop;
    loop_post(run->home->loop, &errand->task);
}

void chat_run_stop_soon(struct chat_run *run)
{
    pthread_mutex_lock(&run->audience.lock);
    run->stop = true;
    struct api_loop *home = run->home;
    pthread_mutex_unlock(&run->audience.lock);
    if (home) chat_run_end_soon(run, "interrupted", ""); /* else chat_run_begin() will see it */
}

void chat_runs_stop(struct chat_runs *runs, uint64_t chat)
{
    pthread_mutex_lock(&runs->lock);
    struct chat_run *run = map_find(&runs->by_chat, MAP_KEY(&chat));
    for (; run; run = run->sibling) chat_run_stop_soon(run);
    pthread_mutex_unlock(&runs->lock);
}

void chat_runs_stop_of(struct chat_runs *runs, struct user_id owner)
{
    pthread_mutex_lock(&runs->lock);
    size_t at = 0;
    for (struct chat_run *run; (run = map_next(&runs->by_turn, &at)) != NULL;) {
        if (run->owner.value == owner.value) chat_run_stop_soon(run);
    }
    pthread_mutex_unlock(&runs->lock);
}

/* --- after a crash --- */

static void tell_cut_off(void *ctx, const struct chat_turn *turn)
{
    chat_tell_answered(ctx, turn);
}

struct cutting {
    struct arena arena;
    struct act act;
    bool alone;
};

static enum err apply_cut_off(void *ctx, struct db *db, struct why *why)
{
    struct cutting *cutting = ctx;
    int64_t now_us = clock_wall_us();
    act_init(&cutting->act, db, &cutting->arena, now_us, (struct user_id){0}, ROLE_MEMBER);
    enum err err = chat_turns_cut_off(db, cutting->alone ? INT64_MAX : now_us - SILENT_US,
                                      STR("the server stopped while it was written"), tell_cut_off,
                                      &cutting->act, why);
    return err ? err : act_store(&cutting->act, why);
}

enum err chat_runs_cut_off(struct api *api, bool alone, struct why *why)
{
    struct db *db;
    struct cutting cutting = {.alone = alone};
    enum err err = store_connect(api->store, &db, why);
    if (err) return err;
    err = store_write(api->store, db, apply_cut_off, &cutting, why);
    /* At start there is no hub, and nobody listens: who comes back finds it in the log. */
    if (!err && api->hub) act_publish(&cutting.act, api->hub);
    arena_release(&cutting.arena);
    db_close(db);
    return err;
}
