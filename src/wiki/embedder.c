/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/embedder.c: one wiki after the other, as a small machine on its loop.
 *
 *     RESTING ⇄ IDLE → (unseen → asked → put)* → IDLE
 *
 * The look-ups and the puts block, which is fine here: the thread is the
 * embedder's own. What others ask of it is behind a lock.
 */
#include "wiki/embedder.h"

#include <pthread.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "llm/embed.h"
#include "llm/site.h"
#include "wiki/vectors.h"

enum {
    BATCH = 64,
    BATCH_BYTES = 128 * 1024,
    HALVINGS = 2,
    PUT_OFF_MAX = 3, /* refused before any was accepted: then it is not the texts */
    REST_MS = 60 * 1000,
    REST_MS_MAX = 3600 * 1000,
};

/* A wiki, for as long as it is there. Its list and state are under the lock. */
struct embedded_wiki {
    struct list link;
    uint64_t id;
    bool wanted; /* to be looked at, (again) from its first chunk on */
    struct wiki_embedding state;
};

struct wiki_embedder {
    struct wiki_embedder_links links;
    struct str name;       /* of whose vectors these are; in `arena` */
    struct loop *loop;     /* owned */
    struct llm_loop *home; /* owned */
    struct timer *timer;   /* owned; while it rests */
    pthread_t thread;
    bool running;
    struct arena arena;

    pthread_mutex_t lock;
    pthread_cond_t let_go;
    struct list wikis; /* of struct embedded_wiki, owned */
    uint64_t at_work;  /* whose files are open; 0: none */
    bool closing;

    /* The loop's own. */
    struct wiki_vectors *vectors; /* of `at_work` */
    struct arena batch_arena;
    uint32_t chunk_at, batch_from;
    struct wiki_unseen *batch;
    struct wiki_vector *list;
    size_t batch_count, batch_max, dimensions;
    int halvings;         /* of the one text that is left of a batch */
    size_t put_off;       /* texts that were refused before any was accepted */
    struct why refusal;   /* of the last one */
    bool resting, worked; /* `worked`: the embedder has given a vector since it rested */
    bool mixed;           /* it has given vectors of several lengths */
    int64_t rest_ms;
    struct llm_embed *asked;
};

/* ---- models that want to be told what a text is ---- */

static const struct {
    const char *model; /* a part of its name */
    const char *question, *chunk;
} prefixes[] = {
    {"nomic-embed", "search_query: ", "search_document: "},
    {"multilingual-e5", "query: ", "passage: "},
    {"e5-small", "query: ", "passage: "},
    {"e5-base", "query: ", "passage: "},
    {"e5-large", "query: ", "passage: "},
    {"mxbai-embed", "Represent this sentence for searching relevant passages: ", ""},
    {"snowflake-arctic-embed", "Represent this sentence for searching relevant passages: ", ""},
    {"bge-large-en", "Represent this sentence for searching relevant passages: ", ""},
    {"bge-base-en", "Represent this sentence for searching relevant passages: ", ""},
    {"bge-small-en", "Represent this sentence for searching relevant passages: ", ""},
    {"qwen3-embedding",
     "Instruct: Given a question about a code repository, retrieve the places that answer it\n"
     "Query: ",
     ""},
};

const char *wiki_embedder_prefix(struct str model, bool question)
{
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        struct str part = str_of(prefixes[i].model);
        for (size_t at = 0; at + part.len <= model.len; at++) {
            if (!str_eq_nocase(str_head(str_from(model, at), part.len), part)) continue;
            return question ? prefixes[i].question : prefixes[i].chunk;
        }
    }
    return "";
}

/* ---- what is told ---- */

/* Under the lock. */
static struct embedded_wiki *find_wiki(struct wiki_embedder *embedder, uint64_t id)
{
    for (struct list *at = embedder->wikis.next; at != &embedder->wikis; at = at->next) {
        struct embedded_wiki *wiki = CONTAINER_OF(at, struct embedded_wiki, link);
        if (wiki->id == id) return wiki;
    }
    return NULL;
}

struct wiki_embedding wiki_embedder_state(struct wiki_embedder *embedder, uint64_t wiki)
{
    struct wiki_embedding state = {0};
    if (!embedder) return state;
    pthread_mutex_lock(&embedder->lock);
    const struct embedded_wiki *found = find_wiki(embedder, wiki);
    if (found) state = found->state;
    pthread_mutex_unlock(&embedder->lock);
    return state;
}

/* Of the wiki at work: `have` more are done, `refused` of them in vain. */
static void tell(struct wiki_embedder *embedder, size_t have, size_t refused, const char *note)
{
    pthread_mutex_lock(&embedder->lock);
    struct embedded_wiki *wiki = find_wiki(embedder, embedder->at_work);
    if (wiki) {
        wiki->state.have += have;
        wiki->state.refused += refused;
        if (note) str_copy(wiki->state.note, sizeof(wiki->state.note), str_of(note));
    }
    pthread_mutex_unlock(&embedder->lock);
}

/* ---- a wiki ---- */

static void go_on(struct wiki_embedder *embedder);

static void close_wiki(struct wiki_embedder *embedder)
{
    wiki_vectors_close(embedder->vectors);
    embedder->vectors = NULL;
    pthread_mutex_lock(&embedder->lock);
    struct embedded_wiki *wiki = find_wiki(embedder, embedder->at_work);
    if (wiki) wiki->state.under_way = wiki->wanted;
    embedder->at_work = 0;
    pthread_cond_broadcast(&embedder->let_go);
    pthread_mutex_unlock(&embedder->lock);
}

/* The next one that is wanted; false: none. */
static bool choose_wiki(struct wiki_embedder *embedder)
{
    bool found = false;
    pthread_mutex_lock(&embedder->lock);
    for (struct list *at = embedder->wikis.next; at != &embedder->wikis && !found; at = at->next) {
        struct embedded_wiki *wiki = CONTAINER_OF(at, struct embedded_wiki, link);
        if (!wiki->wanted) continue;
        wiki->wanted = false;
        embedder->at_work = wiki->id;
        found = true;
    }
    pthread_mutex_unlock(&embedder->lock);
    return found;
}

/* How it stands with the wiki at work, as it is opened. */
static enum err count_it(struct wiki_embedder *embedder, struct why *why)
{
    struct wiki_coverage coverage;
    enum err err = wiki_vectors_coverage(embedder->vectors, &coverage, why);
    if (err) return err;
    pthread_mutex_lock(&embedder->lock);
    struct embedded_wiki *wiki = find_wiki(embedder, embedder->at_work);
    if (wiki) {
        wiki->state = (struct wiki_embedding){.known = true,
                                              .under_way = true,
                                              .chunks = coverage.chunks,
                                              .have = coverage.have,
                                              .refused = coverage.refused};
    }
    pthread_mutex_unlock(&embedder->lock);
    return OK;
}

static bool open_wiki(struct wiki_embedder *embedder)
{
    struct arena arena = {0};
    struct why why;
    struct wiki_files files =
        wiki_library_files(embedder->links.library, &arena, embedder->at_work);
    enum err err =
        wiki_vectors_open(files.vectors, files.index, embedder->name, &embedder->vectors, &why);
    if (!err) err = count_it(embedder, &why);
    if (err && err != ERR_NOT_FOUND) {
        log_warn("wiki.embedder", "wiki=%llu reason=\"%s\"", (unsigned long long)embedder->at_work,
                 why.text);
        tell(embedder, 0, 0, why.text);
    }
    if (err) close_wiki(embedder);
    arena_release(&arena);
    embedder->chunk_at = 0;
    embedder->batch_max = BATCH;
    embedder->put_off = 0;
    return err == OK;
}

static void finish_wiki(struct wiki_embedder *embedder)
{
    struct why why;
    if (wiki_vectors_sweep(embedder->vectors, &why) != OK) {
        log_warn("wiki.embedder", "reason=\"%s\"", why.text);
    }
    struct wiki_embedding state = wiki_embedder_state(embedder, embedder->at_work);
    log_info("wiki.embedder", "wiki=%llu chunks=%llu have=%llu refused=%llu",
             (unsigned long long)embedder->at_work, (unsigned long long)state.chunks,
             (unsigned long long)state.have, (unsigned long long)state.refused);
    close_wiki(embedder);
}

/* ---- rests ---- */

static void on_rested(void *ctx)
{
    struct wiki_embedder *embedder = ctx;
    embedder->resting = false;
    go_on(embedder);
}

/* The wiki at work is taken up again, behind the others: it may be its own fault. */
static void rest(struct wiki_embedder *embedder, const char *sentence, int64_t at_least_ms)
{
    embedder->rest_ms = MIN(MAX(2 * embedder->rest_ms, REST_MS), REST_MS_MAX);
    embedder->rest_ms = MIN(MAX(embedder->rest_ms, at_least_ms), REST_MS_MAX);
    log_warn("wiki.embedder", "wiki=%llu reason=\"%s\" rest_ms=%lld",
             (unsigned long long)embedder->at_work, sentence, (long long)embedder->rest_ms);
    tell(embedder, 0, 0, sentence);
    pthread_mutex_lock(&embedder->lock);
    struct embedded_wiki *wiki = find_wiki(embedder, embedder->at_work);
    if (wiki) {
        wiki->wanted = true;
        list_remove(&wiki->link);
        list_add_last(&embedder->wikis, &wiki->link);
    }
    pthread_mutex_unlock(&embedder->lock);
    close_wiki(embedder);
    embedder->resting = true;
    embedder->worked = false;
    timer_start(embedder->timer, (uint64_t)embedder->rest_ms, 0);
}

/* ---- batches ---- */

static void ask(struct wiki_embedder *embedder);

static void on_vector(void *ctx, size_t index, const float *values, size_t count)
{
    struct wiki_embedder *embedder = ctx;
    if (index >= embedder->batch_count || embedder->list[index].values) return;
    if (embedder->dimensions == 0) embedder->dimensions = count;
    if (embedder->dimensions != count) embedder->mixed = true;
    if (embedder->mixed) return;
    float *copy = ARENA_ARRAY(&embedder->batch_arena, float, count + 1);
    memcpy(copy, values, count * sizeof(*values));
    embedder->list[index].values = copy;
}

static void put_batch(struct wiki_embedder *embedder, size_t refused)
{
    struct why why;
    enum err err = wiki_vectors_put(embedder->vectors, embedder->list, embedder->batch_count,
                                    embedder->dimensions, &why);
    if (err) {
        rest(embedder, why.text, 0); /* a full disk, another number of dimensions */
        return;
    }
    if (refused == 0) {
        embedder->worked = true;
        embedder->rest_ms = 0;
    }
    tell(embedder, embedder->batch_count, refused, "");
    embedder->batch_max = MIN(2 * embedder->batch_max, (size_t)BATCH);
    go_on(embedder);
}

/* Not the embedder but these texts are the fault. */
static bool is_of_the_text(enum llm_fault fault)
{
    return fault == LLM_FAULT_TOO_LONG || fault == LLM_FAULT_REQUEST || fault == LLM_FAULT_FILTER ||
           fault == LLM_FAULT_EMPTY;
}

/* A batch that was refused: half of it, then half of the one text, then without. */
static void ask_for_less(struct wiki_embedder *embedder, const struct llm_result *result)
{
    if (embedder->batch_count > 1) {
        embedder->batch_max = embedder->batch_count / 2;
        embedder->chunk_at = embedder->batch_from;
        go_on(embedder);
    } else if (embedder->halvings < HALVINGS) {
        struct str *text = &embedder->batch[0].text;
        *text = str_head(*text, utf8_floor(text->at, text->len / 2));
        embedder->halvings++;
        ask(embedder);
    } else if (embedder->worked) {
        put_batch(embedder, 1);
    } else { /* is it this text, or does nothing work? The next ones will tell */
        embedder->refusal = result->why;
        if (++embedder->put_off < PUT_OFF_MAX) {
            go_on(embedder);
        } else {
            rest(embedder, embedder->refusal.text, 0);
        }
    }
}

/* Behind the last chunk: those that were put off come again, unless none was ever accepted. */
static void end_pass(struct wiki_embedder *embedder)
{
    if (embedder->put_off == 0) {
        finish_wiki(embedder);
    } else if (embedder->worked) {
        embedder->put_off = 0;
        embedder->chunk_at = 0;
    } else {
        rest(embedder, embedder->refusal.text, 0);
    }
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct wiki_embedder *embedder = ctx;
    embedder->asked = NULL;
    if (embedder->closing) return;
    if (result->end == LLM_COMPLETE && embedder->mixed) {
        rest(embedder, "the embedder gives vectors of several lengths", 0);
    } else if (result->end == LLM_COMPLETE) {
        put_batch(embedder, 0);
    } else if (is_of_the_text(result->fault)) {
        ask_for_less(embedder, result);
    } else {
        rest(embedder, result->why.text, result->retry_after_ms);
    }
}

static void ask(struct wiki_embedder *embedder)
{
    static const struct llm_embed_events events = {on_vector, on_end};
    const struct settings *settings = embedder->links.settings;
    const char *prefix = wiki_embedder_prefix(settings->wiki_embedder, false);
    struct str texts[BATCH];
    embedder->dimensions = 0;
    embedder->mixed = false;
    for (size_t i = 0; i < embedder->batch_count; i++) {
        texts[i] = arena_printf(&embedder->batch_arena, "%s%.*s", prefix,
                                STR_ARGS(embedder->batch[i].text));
        embedder->list[i] = (struct wiki_vector){embedder->batch[i].key, NULL};
    }
    struct llm_embed_request request = {.model = settings->wiki_embedder,
                                        .texts = texts,
                                        .count = embedder->batch_count,
                                        .dimensions = settings->wiki_embedder_dimensions,
                                        .class = LLM_PROGRAM};
    embedder->asked = llm_embed_start(embedder->home, &request, &events, embedder);
}

static bool next_batch(struct wiki_embedder *embedder)
{
    struct why why;
    arena_reset(&embedder->batch_arena);
    embedder->halvings = 0;
    embedder->batch_from = embedder->chunk_at;
    enum err err = wiki_vectors_unseen(embedder->vectors, &embedder->batch_arena,
                                       &embedder->chunk_at, embedder->batch_max, BATCH_BYTES,
                                       &embedder->batch, &embedder->batch_count, &why);
    if (err == ERR_CORRUPT) { /* its index is being made again: then it comes again */
        log_warn("wiki.embedder", "wiki=%llu reason=\"%s\"", (unsigned long long)embedder->at_work,
                 why.text);
        tell(embedder, 0, 0, why.text);
        close_wiki(embedder);
        return false;
    }
    if (err) {
        rest(embedder, why.text, 0);
        return false;
    }
    if (embedder->batch_count == 0) {
        end_pass(embedder);
        return false;
    }
    embedder->list = ARENA_ARRAY(&embedder->batch_arena, struct wiki_vector, embedder->batch_count);
    return true;
}

static bool is_wanted_no_more(struct wiki_embedder *embedder)
{
    pthread_mutex_lock(&embedder->lock);
    const struct embedded_wiki *wiki = find_wiki(embedder, embedder->at_work);
    bool gone = wiki == NULL || wiki->wanted; /* or its index is another now */
    pthread_mutex_unlock(&embedder->lock);
    return gone;
}

static void go_on(struct wiki_embedder *embedder)
{
    while (!embedder->resting && !embedder->asked) {
        if (embedder->vectors && is_wanted_no_more(embedder)) close_wiki(embedder);
        if (!embedder->vectors && !choose_wiki(embedder)) return;
        if (!embedder->vectors && !open_wiki(embedder)) continue;
        if (next_batch(embedder)) ask(embedder);
    }
}

/* ---- orders of others ---- */

struct order {
    struct task task;
    struct wiki_embedder *embedder;
};

static void send_order(struct wiki_embedder *embedder, void (*run)(struct task *task))
{
    struct order *order = NEW(struct order);
    *order = (struct order){.task.run = run, .embedder = embedder};
    loop_post(embedder->loop, &order->task);
}

static void look_again(struct task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);
    if (!order->embedder->closing) go_on(order->embedder);
    mem_free(order);
}

/* Lets go of the wiki at work when it is gone. */
static void let_go(struct task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);
    struct wiki_embedder *embedder = order->embedder;
    mem_free(order);
    if (!embedder->vectors || !is_wanted_no_more(embedder)) return;
    if (embedder->asked) llm_embed_cancel(embedder->asked);
    embedder->asked = NULL;
    close_wiki(embedder);
    go_on(embedder);
}

void wiki_embedder_take_up(struct wiki_embedder *embedder, uint64_t id)
{
    pthread_mutex_lock(&embedder->lock);
    struct embedded_wiki *wiki = find_wiki(embedder, id);
    if (!wiki) {
        wiki = NEW(struct embedded_wiki);
        wiki->id = id;
        list_init(&wiki->link);
        list_add_last(&embedder->wikis, &wiki->link);
    }
    wiki->wanted = true;
    wiki->state.under_way = true;
    pthread_mutex_unlock(&embedder->lock);
    send_order(embedder, look_again);
}

static void on_indexed(void *ctx, uint64_t wiki)
{
    wiki_embedder_take_up(ctx, wiki);
}

/* Waits until none of its files is open. */
static void on_removing(void *ctx, uint64_t id)
{
    struct wiki_embedder *embedder = ctx;
    pthread_mutex_lock(&embedder->lock);
    struct embedded_wiki *wiki = find_wiki(embedder, id);
    if (wiki) {
        list_remove(&wiki->link);
        mem_free(wiki);
    }
    if (embedder->at_work == id) send_order(embedder, let_go);
    while (embedder->at_work == id && embedder->running) {
        pthread_cond_wait(&embedder->let_go, &embedder->lock);
    }
    pthread_mutex_unlock(&embedder->lock);
}

/* ---- life ---- */

static void *embedder_main(void *ctx)
{
    struct wiki_embedder *embedder = ctx;
    log_context("wiki=embedder");
    loop_run(embedder->loop);
    return NULL;
}

static void last_turn(struct task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);
    struct wiki_embedder *embedder = order->embedder;
    mem_free(order);
    embedder->closing = true;
    if (embedder->asked) llm_embed_cancel(embedder->asked);
    embedder->asked = NULL;
    if (embedder->vectors) close_wiki(embedder);
    timer_free(embedder->timer);
    embedder->timer = NULL;
    llm_loop_close(embedder->home);
    embedder->home = NULL;
    loop_stop(embedder->loop);
}

static void take_up_old(void *ctx, const struct wiki *wiki)
{
    if (wiki->indexed_us > 0) wiki_embedder_take_up(ctx, wiki->id);
}

static enum err take_up_all(struct wiki_embedder *embedder, struct why *why)
{
    enum { ALL = 100000 };
    struct wiki_reader everything = {.admin = true};
    struct db *db = NULL;
    enum err err = store_connect(embedder->links.store, &db, why);
    if (!err) err = wikis_list(db, &everything, 0, ALL, take_up_old, embedder, why);
    db_close(db);
    return err;
}

struct str wiki_embedder_name(struct arena *arena, const struct settings *settings)
{
    struct str model = settings->wiki_embedder;
    if (settings->wiki_embedder_dimensions == 0) return arena_copy(arena, model);
    return arena_printf(arena, "%.*s@%lld", STR_ARGS(model),
                        (long long)settings->wiki_embedder_dimensions);
}

enum err wiki_embedder_check(const struct settings *settings, struct llm *llm, struct why *why)
{
    struct str name = settings->wiki_embedder;
    size_t slash = str_find_byte(name, '/');
    struct llm_place *place = llm_find_place(llm, str_head(name, slash));
    if (place == NULL || llm_is_offline(place) || slash + 1 >= name.len) {
        return why_set(why, ERR_INVALID,
                       "wiki-embedder \"%.*s\": SITE/MODEL of a site that is set up, such as "
                       "ollama/nomic-embed-text (hutong llm lists the sites)",
                       STR_ARGS(name));
    }
    if (place->site.provider->write_embedding) return OK;
    return why_set(why, ERR_INVALID, "wiki-embedder \"%.*s\": this site has no embeddings",
                   STR_ARGS(name));
}

static enum err start(struct wiki_embedder *embedder, struct why *why)
{
    enum err err = loop_open(&embedder->loop, why);
    if (err) return err;
    embedder->home = llm_loop_open(embedder->links.llm, embedder->loop);
    embedder->timer = timer_new(embedder->loop, on_rested, embedder);
    if (!embedder->links.one) err = take_up_all(embedder, why);
    if (err) return err;
    int failed = pthread_create(&embedder->thread, NULL, embedder_main, embedder);
    if (failed) return why_set(why, ERR_IO, "cannot start a thread: %s", strerror(failed));
    embedder->running = true;
    struct wiki_library_hooks hooks = {on_indexed, on_removing, embedder};
    wiki_library_set_hooks(embedder->links.library, &hooks);
    return OK;
}

enum err wiki_embedder_open(const struct wiki_embedder_links *links,
                            struct wiki_embedder **embedder_out, struct why *why)
{
    *embedder_out = NULL;
    if (links->settings->wiki_embedder.len == 0) return OK;
    enum err err = wiki_embedder_check(links->settings, links->llm, why);
    if (err && links->settings->wiki_embedder_taken_over) {
        log_warn("wiki.embedder", "reason=\"%s\" what=\"words alone lead to places\"", why->text);
        return OK;
    }
    if (err) return err;
    struct wiki_embedder *embedder = NEW(struct wiki_embedder);
    embedder->links = *links;
    embedder->name = wiki_embedder_name(&embedder->arena, links->settings);
    list_init(&embedder->wikis);
    pthread_mutex_init(&embedder->lock, NULL);
    pthread_cond_init(&embedder->let_go, NULL);
    err = start(embedder, why);
    if (err) {
        wiki_embedder_close(embedder);
        return err;
    }
    *embedder_out = embedder;
    return OK;
}

void wiki_embedder_close(struct wiki_embedder *embedder)
{
    if (embedder == NULL) return;
    if (embedder->running) {
        wiki_library_set_hooks(embedder->links.library, NULL);
        send_order(embedder, last_turn);
        pthread_join(embedder->thread, NULL);
    } else if (embedder->loop) {
        embedder->closing = true; /* orders are still in the loop's box */
        timer_free(embedder->timer);
        llm_loop_close(embedder->home);
    }
    if (embedder->loop) loop_close(embedder->loop);
    while (!list_is_empty(&embedder->wikis)) {
        struct embedded_wiki *wiki = CONTAINER_OF(embedder->wikis.next, struct embedded_wiki, link);
        list_remove(&wiki->link);
        mem_free(wiki);
    }
    arena_release(&embedder->batch_arena);
    arena_release(&embedder->arena);
    pthread_cond_destroy(&embedder->let_go);
    pthread_mutex_destroy(&embedder->lock);
    mem_free(embedder);
}
