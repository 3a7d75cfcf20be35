/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/serve.c: the server's life: open everything, run the loops, wait for
 * signals, stop in order.
 *
 * Starting: the address is taken first, so that a port somebody else has costs
 * nothing, then everything is opened, then the loops listen. A start that fails
 * half-way closes what it opened as a stop does; loops whose threads never
 * started are still the main thread's.
 *
 * Stopping: listeners close, live readers are told to come back, running
 * requests finish (bounded); then the workers and the writer end, which send
 * their last answers to loops that still run; then the loops.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/chat_run.h"
#include "api/files.h"
#include "api/gateway.h"
#include "api/live.h"
#include "api/metrics.h"
#include "app/command.h"
#include "app/dial.h"
#include "app/open.h"
#include "app/seed.h"
#include "app/town_lore.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "hub/redis.h"
#include "io/socket.h"
#include "store/chats.h"
#include "store/events.h"
#include "store/records.h"
#include "store/sessions.h"
#include "townhall/hall.h"
#include "wiki/embedder.h"
#include "wiki/library.h"
#include "wiki/old_config.h"
#include "wiki/scribe.h"

enum { LOOPS_MAX = 256 };

struct server_loop {
    struct api_loop home;
    struct loop *loop;
    pthread_t thread;
    bool running;
};

struct server {
    struct api api;
    struct http_limits limits;
    struct server_loop *loops;
    size_t loop_count;
    struct lore_source lore;
    struct redis *redis;          /* owned; NULL: one instance */
    bool unconnected;             /* another instance was found that nothing connects with this */
    struct files_place collected; /* how far pictures were looked through */
    int reserved_fd;              /* owned; keeps the address until the loops listen */
    char address[128];            /* numeric, with the real port */
};

/* --- talking to loops from the main thread --- */

struct errand {
    struct task task;
    struct server_loop *to;
    void (*run)(struct server_loop *to, void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t done_wake;
    bool done;
};

static void run_errand(struct task *task)
{
    struct errand *errand = CONTAINER_OF(task, struct errand, task);
    errand->run(errand->to, errand->ctx);
    pthread_mutex_lock(&errand->lock);
    errand->done = true;
    pthread_cond_signal(&errand->done_wake);
    pthread_mutex_unlock(&errand->lock);
}

static void send_errand(struct server_loop *to, void (*run)(struct server_loop *, void *),
                        void *ctx)
{
    struct errand errand = {.task.run = run_errand,
                            .to = to,
                            .run = run,
                            .ctx = ctx,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .done_wake = PTHREAD_COND_INITIALIZER};
    loop_post(to->loop, &errand.task);
    pthread_mutex_lock(&errand.lock);
    while (!errand.done) pthread_cond_wait(&errand.done_wake, &errand.lock);
    pthread_mutex_unlock(&errand.lock);
}

/* Run something on every loop, one after the other, and wait for it. */
static void on_each_loop(struct server *server, void (*run)(struct server_loop *, void *),
                         void *ctx)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        struct server_loop *at = &server->loops[i];
        if (at->running) {
            send_errand(at, run, ctx);
        } else {
            run(at, ctx); /* no thread has it */
        }
    }
}

static void drain_loop(struct server_loop *to, void *ctx)
{
    const struct server *server = ctx;
    http_server_drain(to->home.server, (unsigned)server->loop_count);
    api_loop_drain(&to->home);
}

static void count_open(struct server_loop *to, void *ctx)
{
    *(size_t *)ctx +=
        http_server_open_count(to->home.server) + to->home.live_count + to->home.chat_count;
}

static void close_loop(struct server_loop *to, void *ctx)
{
    (void)ctx;
    api_loop_abort(&to->home);
    if (to->home.server) http_server_close(to->home.server);
}

/* --- opening --- */

static enum err worker_begin(void *ctx, void **own_out, struct why *why)
{
    const struct server *server = ctx;
    struct db *db;
    enum err err = store_connect(server->api.store, &db, why);
    if (!err) *own_out = db;
    return err;
}

static void worker_end(void *own)
{
    db_close(own);
}

static int cores(void)
{
    return (int)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

static enum err open_threads(struct server *server, struct why *why)
{
    const struct settings *s = server->api.settings;
    struct workers_hooks hooks = {.begin = worker_begin, .end = worker_end, .ctx = server};
    int workers = s->workers ? (int)s->workers : MAX(cores(), 2);
    /* MariaDB waits on its own disk, not on our processor: more threads then. */
    if (store_kind(server->api.store) == DB_MARIADB && !s->workers) workers = MAX(workers * 4, 8);
    enum err err = workers_open(workers, 4096, hooks, &server->api.workers, why);
    if (err) return err;
    /* Hashing takes a whole processor for as long as it lasts, on purpose: it must not be ours
     * that the loops wait for. Half the processors: most are two halves of one core, where two
     * hashes at once take twice as long each. */
    hooks.niceness = 10;
    return workers_open(MAX(cores() / 2, 1), (size_t)s->password_queue_max, hooks,
                        &server->api.hashers, why);
}

static enum err open_passwords(struct api *api, struct why *why)
{
    struct db *db;
    uint64_t cost = 0;
    enum err err = passwords_open(&api->passwords, PASSWORD_COST_OWASP, why);
    if (!err) err = store_connect(api->store, &db, why);
    if (err) return err;
    err = users_bcrypt_cost(db, &cost, why);
    passwords_expect_bcrypt(&api->passwords, cost);
    db_close(db);
    return err;
}

static enum err open_api(struct server *server, struct why *why)
{
    struct api *api = &server->api;
    const struct settings *s = api->settings;
    api->started_us = clock_wall_us();
    enum err err = header_trusted_parse(s->trusted_proxies, &api->trusted, why);
    if (!err) err = open_database(s, &api->store, why);
    if (!err) err = open_keyring(s, &api->keyring, why);
    if (!err) err = open_passwords(api, why);
    if (!err) err = llm_open(s, &api->llm, why);
    if (err) return err;
    files_sweep(s);
    api->wiki_config = wiki_old_config_new(s->wiki_config, environ);
    if (s->redis.len == 0) err = chat_runs_cut_off(api, true, why); /* else others may be writing */
    if (err) return err;
    api->chat_runs = chat_runs_new();
    api->hub = hub_new();
    if (s->redis.len > 0) err = redis_open(s->redis, api->hub, &server->redis, why);
    if (err) return err;
    api->rate = api_rate_new(s);
    api->tickets = tickets_new(100000, s->live_ticket_s * 1000000);
    api->router = api_router_new();
    err = open_threads(server, why);
    return err ? err : gateway_open(s, api->store, api->workers, &api->gateway, why);
}

static enum err open_loop(struct server *server, size_t index, struct why *why)
{
    struct server_loop *at = &server->loops[index];
    enum err err = loop_open(&at->loop, why);
    if (err) return err;
    server->loop_count = index + 1;
    err = api_loop_open(&at->home, &server->api, at->loop, (int)index, why);
    if (err) return err;
    struct http_app app = api_http_app(&at->home);
    return http_server_open(at->loop, str_of(server->address), &server->limits, &app,
                            &at->home.server, why);
}

static void *loop_main(void *ctx)
{
    struct server_loop *at = ctx;
    char context[32];
    snprintf(context, sizeof(context), "loop=%d", at->home.index);
    log_context(context);
    loop_run(at->loop);
    return NULL;
}

static void close_reserved(struct server *server)
{
    if (server->reserved_fd >= 0) close(server->reserved_fd);
    server->reserved_fd = -1;
}

static enum err open_loops(struct server *server, struct why *why)
{
    const struct settings *s = server->api.settings;
    size_t count = s->loops ? (size_t)s->loops : (size_t)cores();
    server->loops = mem_alloc(count * sizeof(struct server_loop));
    server->api.metrics = metrics_new(count);
    server->limits = (struct http_limits){
        .admission = admission_new(s->connections_max, s->connections_per_address),
        .head_timeout_us = s->head_timeout_s * 1000000,
        .body_timeout_us = s->body_timeout_s * 1000000,
        .idle_timeout_us = s->idle_timeout_s * 1000000,
        .gzip = s->gzip,
        .access_log = s->access_log};
    for (size_t i = 0; i < count; i++) {
        enum err err = open_loop(server, i, why);
        if (err) return err;
    }
    close_reserved(server); /* they have the address now */
    for (size_t i = 0; i < count; i++) {
        int failed = pthread_create(&server->loops[i].thread, NULL, loop_main, &server->loops[i]);
        if (failed) return why_set(why, ERR_IO, "cannot start a thread: %s", strerror(failed));
        server->loops[i].running = true;
    }
    return OK;
}

/* --- while it runs --- */

static enum err maintain(void *ctx, struct db *db, struct why *why)
{
    const struct settings *s = ctx;
    int64_t now_us = clock_wall_us(), day_us = INT64_C(86400) * 1000000;
    uint64_t at = 0;
    enum err err = sessions_purge(db, now_us - 30 * day_us, why);
    if (!err) err = idempotent_purge(db, now_us - day_us, why);
    int64_t before_us = now_us - s->event_retention_h * 3600 * 1000000;
    do {
        if (!err) err = events_trim(db, &at, (uint64_t)s->event_retention, before_us, why);
    } while (!err && at != 0);
    return err;
}

/* Members would miss what others do at the other one, and keys and rates would count twice. */
static void look_for_others(struct server *server)
{
    struct why why;
    bool alone;
    enum err err = store_is_alone(server->api.store, &alone, &why);
    if (err) log_warn("serve.others", "reason=\"%s\"", why.text);
    if (err) return;
    bool unconnected = !alone && server->redis == NULL;
    if (unconnected && !server->unconnected) {
        log_warn(
            "serve.unconnected",
            "reason=\"another instance runs on this database and nothing connects the two: set "
            "redis on both (HUTONG_REDIS=redis://HOST:PORT), or stop one\"");
    }
    server->unconnected = unconnected;
}

static void run_maintenance(struct server *server)
{
    struct db *db;
    struct why why;
    enum err err = store_connect(server->api.store, &db, &why);
    if (!err) {
        err = store_write(server->api.store, db, maintain, (void *)(uintptr_t)server->api.settings,
                          &why);
        if (!err) {
            err = files_collect(server->api.settings, server->api.store, db, &server->collected,
                                &why);
        }
        db_close(db);
    }
    bool alone = server->api.settings->redis.len == 0;
    if (!err && !alone) err = chat_runs_cut_off(&server->api, false, &why);
    if (err) log_warn("maintenance.failed", "reason=\"%s\"", why.text);
    look_for_others(server);
    files_sweep(server->api.settings);
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL); /* threads started later inherit it */
}

static void reopen_log(void)
{
    struct why why;
    if (log_reopen(&why) == OK) {
        log_info("log.reopened", "pid=%d", (int)getpid());
    } else {
        log_error("log.reopen", "%s", why.text);
    }
}

static void wait_for_stop(struct server *server, const sigset_t *signals)
{
    struct timespec period = {.tv_sec = server->api.settings->maintenance_s};
    for (;;) {
        int got = sigtimedwait(signals, NULL, &period);
        if (got == SIGTERM || got == SIGINT) return;
        if (got == SIGHUP) reopen_log();
        if (got < 0) run_maintenance(server);
    }
}

/* --- stopping --- */

/* Until everything is finished, the time is over or somebody asks a second time. */
static void drain(struct server *server, const sigset_t *signals)
{
    server->api.draining = true;
    on_each_loop(server, drain_loop, server);
    int64_t until_us = clock_mono_us() + server->api.settings->drain_timeout_s * 1000000;
    for (;;) {
        size_t open = 0;
        on_each_loop(server, count_open, &open);
        if (open == 0) return;
        if (clock_mono_us() >= until_us) {
            log_warn("serve.drain", "left=%zu", open);
            return;
        }
        struct timespec pause = {.tv_nsec = 10 * 1000000};
        int got = sigtimedwait(signals, NULL, &pause);
        if (got == SIGTERM || got == SIGINT) {
            log_warn("serve.drain", "left=%zu reason=\"asked twice\"", open);
            return;
        }
    }
}

static void close_server(struct server *server)
{
    struct api *api = &server->api;
    bool stored = api->store != NULL;
    close_reserved(server);
    /* Nothing new comes in; then those that still work on something bring it back to loops that
     * run; then the loops. */
    on_each_loop(server, close_loop, NULL);
    if (api->gateway) gateway_flush(api->gateway);
    workers_close(api->workers);
    workers_close(api->hashers);
    /* What the workers still had in hand may have been about these. */
    hall_close(api->hall);
    wiki_scribe_close(api->scribe);
    wiki_embedder_close(api->embedder);
    wiki_library_close(api->wikis);
    store_close(api->store);
    redis_close(server->redis);
    for (size_t i = 0; i < server->loop_count; i++) loop_stop(server->loops[i].loop);
    for (size_t i = 0; i < server->loop_count; i++) {
        if (server->loops[i].running) pthread_join(server->loops[i].thread, NULL);
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        loop_close(server->loops[i].loop);
        api_loop_close(&server->loops[i].home);
    }
    if (stored) store_tidy(api->settings->database);
    mem_free(server->loops);
    gateway_free(api->gateway);
    llm_free(api->llm);
    admission_free(server->limits.admission);
    metrics_free(api->metrics);
    router_free(api->router);
    tickets_free(api->tickets);
    rate_free(api->rate);
    redis_free(server->redis);
    hub_free(api->hub);
    chat_runs_free(api->chat_runs);
    wiki_old_config_free(api->wiki_config);
    keyring_free(api->keyring);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Another process has changed the embedded database: one that stops while this one begins, or a
 * command. It told its own readers and nobody here. On the writer. */
static void on_others(void *ctx)
{
    log_debug("serve.others", "what=\"another process wrote\"");
    hub_resync(ctx);
}

static void greet(struct server *server)
{
    printf("ready http://%s pid=%d\n", server->address, (int)getpid());
    fflush(stdout);
    log_info("serve.ready", "address=%s loops=%zu database=%s", server->address, server->loop_count,
             store_kind(server->api.store) == DB_SQLITE ? "sqlite" : "mariadb");
}

static enum err open_wikis(struct server *server, bool demo, struct why *why)
{
    struct api *api = &server->api;
    /* Instances that share a database have indexes of their own; what another is at is not ours. */
    bool alone = api->settings->redis.len == 0;
    enum err err = wiki_library_open(api->settings, api->store, alone, &api->wikis, why);
    struct wiki_embedder_links links = {
        .settings = api->settings, .store = api->store, .library = api->wikis, .llm = api->llm};
    if (!err) err = wiki_embedder_open(&links, &api->embedder, why);
    if (!err && demo) err = seed_wikis(api, why);
    if (err) return err;
    struct wiki_scribe_links desk = {.settings = api->settings,
                                     .store = api->store,
                                     .library = api->wikis,
                                     .llm = api->llm,
                                     .locales = wiki_old_locales(api->wiki_config)};
    return wiki_scribe_open(&desk, &api->scribe, why);
}

/* In this order: what cannot be had is found out before anything is made. */
static enum err open_server(struct server *server, bool demo, struct why *why)
{
    const struct settings *s = server->api.settings;
    enum err err = listener_reserve(s->listen, &server->reserved_fd, server->address,
                                    sizeof(server->address), why);
    if (!err) err = dial_check(s, why);
    if (!err) err = open_log(s, why);
    if (!err) err = open_api(server, why);
    if (!err && demo) err = seed_demo(&server->api, why);
    if (!err) err = prepare_admin_code(&server->api, why);
    struct hall_links town = {.settings = server->api.settings,
                              .store = server->api.store,
                              .hub = server->api.hub,
                              .llm = server->api.llm,
                              .lore = &server->lore};
    if (!err) err = open_wikis(server, demo, why);
    server->lore = town_lore(server->api.wikis);
    if (!err) err = hall_open(&town, &server->api.hall, why);
    return err ? err : open_loops(server, why);
}

int run_serve(struct args *args)
{
    struct why why;
    sigset_t signals;
    if (args->word_count > 0) {
        return usage_error("serve takes options only, and not \"%s\"", args->words[0]);
    }
    struct server *server = NEW(struct server);
    wiki_old_embedder(&args->settings, &args->arena, environ);
    server->api.settings = &args->settings;
    server->reserved_fd = -1;
    raise_file_limit();
    block_signals(&signals);
    enum err err = open_server(server, args_option(args, "demo") != NULL, &why);
    if (!err) {
        store_watch_others(server->api.store, on_others, server->api.hub);
        look_for_others(server);
        greet(server);
        wait_for_stop(server, &signals);
        log_info("serve.stopping", "pid=%d", (int)getpid());
        drain(server, &signals);
    }
    close_server(server);
    if (!err) log_info("serve.stopped", "pid=%d", (int)getpid());
    mem_free(server);
    if (err) fail(&why);
    return err == ERR_INVALID ? 2 : err ? 1 : 0; /* 2: as of any setting that is wrong */
}
