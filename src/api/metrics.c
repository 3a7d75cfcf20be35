/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/metrics_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/version.h"
#include "io/loop.h"
#include "store/pictures.h"
#include "townhall/hall.h"

enum { PUBLISH_MS = 1000, TEXT_BYTES_MAX = 8 * 1024 * 1024 };

/* Upper ends of the latency classes, and how Prometheus calls them. */
static const struct {
    int64_t us;
    const char *le;
} latencies[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
};
enum { LATENCIES = COUNT_OF(latencies) };

/* 499: the client left before its answer. 0: any other. */
static const short statuses[] = {0,   101, 200, 201, 202, 204, 206, 304, 307, 400, 401,
                                 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416,
                                 422, 426, 429, 431, 499, 500, 501, 502, 503, 504, 507};
enum { STATUSES = COUNT_OF(statuses), STATUS_MAX = 600 };

/* Of one route on one loop. */
struct tally {
    atomic_ullong status[STATUSES];
    atomic_ullong latency[LATENCIES + 1]; /* not added up; the last: slower than all */
    atomic_ullong timed_us, request_bytes, reply_bytes;
};

/* Of one loop: changed only by it, read by anybody. */
struct loop_metrics {
    struct tally *tallies; /* owned; one for each route, one for none */
    atomic_ullong accepted, open, refused, upgraded, live;
    const struct api_loop *home;
    struct timer *timer; /* owned */
};

struct metrics {
    size_t loop_count;
    struct loop_metrics *loops; /* owned */
    unsigned char status_at[STATUS_MAX];
};

/* --- counting --- */

/* Only one thread adds, so this needs no locked instruction. */
static void add(atomic_ullong *number, uint64_t by)
{
    uint64_t old = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, old + by, memory_order_relaxed);
}

static void put(atomic_ullong *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static uint64_t get(const atomic_ullong *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

struct metrics *metrics_new(size_t loops)
{
    struct metrics *metrics = NEW(struct metrics);
    metrics->loop_count = loops;
    metrics->loops = mem_alloc(loops * sizeof(*metrics->loops));
    for (size_t i = 0; i < loops; i++) {
        metrics->loops[i].tallies = mem_alloc((routes_count + 1) * sizeof(struct tally));
    }
    for (size_t i = 0; i < STATUSES; i++) metrics->status_at[statuses[i]] = (unsigned char)i;
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL) return;
    for (size_t i = 0; i < metrics->loop_count; i++) {
        ASSERT(metrics->loops[i].timer == NULL); /* the loop has left */
        mem_free(metrics->loops[i].tallies);
    }
    mem_free(metrics->loops);
    mem_free(metrics);
}

static void publish(void *ctx)
{
    struct loop_metrics *own = ctx;
    put(&own->live, own->home->live_count);
    if (own->home->server == NULL) return;
    struct http_stats stats = http_server_stats(own->home->server);
    put(&own->accepted, stats.accepted);
    put(&own->open, stats.open);
    put(&own->refused, stats.refused);
    put(&own->upgraded, stats.upgraded);
}

void metrics_attend(struct metrics *metrics, const struct api_loop *home)
{
    struct loop_metrics *own = &metrics->loops[home->index];
    ASSERT((size_t)home->index < metrics->loop_count);
    ASSERT(own->timer == NULL);
    own->home = home;
    own->timer = timer_new(home->loop, publish, own);
    timer_start(own->timer, 0, PUBLISH_MS);
}

void metrics_leave(struct metrics *metrics, int index)
{
    timer_free(metrics->loops[index].timer);
    metrics->loops[index].timer = NULL;
}

/* By address: routes that stand for "none" are not in the table. */
static size_t route_index(const struct route *route)
{
    uintptr_t at = (uintptr_t)route, first = (uintptr_t)routes_table;
    bool listed = at >= first && at < first + routes_count * sizeof(*route);
    return listed ? (at - first) / sizeof(*route) : routes_count;
}

void metrics_count(struct metrics *metrics, int index, const struct route *route,
                   const struct http_exchange *x)
{
    struct tally *tally = &metrics->loops[index].tallies[route_index(route)];
    int status = x->replied && x->status > 0 && x->status < STATUS_MAX ? x->status : 499;
    add(&tally->status[metrics->status_at[status]], 1);
    add(&tally->request_bytes, x->body.len);
    add(&tally->reply_bytes, x->sent_bytes);
    if (x->chunked || status == 101) return; /* a stream's length is no latency */
    int64_t took_us = clock_mono_us() - x->began_us;
    size_t class = 0;
    while (class < LATENCIES && took_us > latencies[class].us) class ++;
    add(&tally->latency[class], 1);
    add(&tally->timed_us, (uint64_t)MAX(took_us, 0));
}

/* --- writing --- */

void metrics_head(struct buf *to, const char *name, const char *type, const char *help)
{
    buf_printf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *to, const char *name, const char *type, const char *help,
                uint64_t value)
{
    metrics_head(to, name, type, help);
    buf_printf(to, "%s %" PRIu64 "\n", name, value);
}

static void seconds(struct buf *to, const char *name, const char *type, const char *help,
                    uint64_t us)
{
    metrics_head(to, name, type, help);
    buf_printf(to, "%s %" PRIu64 ".%06" PRIu64 "\n", name, us / 1000000, us % 1000000);
}

static const char *method_of(size_t route)
{
    static const char *const names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", "(none)"};
    return names[route < routes_count ? routes_table[route].method : HTTP_OTHER_];
}

static const char *path_of(size_t route)
{
    return route < routes_count ? routes_table[route].path : "(none)";
}

/* All loops' numbers of a route, added up. */
struct sum {
    uint64_t status[STATUSES], latency[LATENCIES + 1], timed, timed_us, request_bytes, reply_bytes;
};

static struct sum sum_of(const struct metrics *metrics, size_t route)
{
    struct sum sum = {0};
    for (size_t i = 0; i < metrics->loop_count; i++) {
        const struct tally *tally = &metrics->loops[i].tallies[route];
        for (size_t s = 0; s < STATUSES; s++) sum.status[s] += get(&tally->status[s]);
        for (size_t c = 0; c <= LATENCIES; c++) sum.latency[c] += get(&tally->latency[c]);
        sum.timed_us += get(&tally->timed_us);
        sum.request_bytes += get(&tally->request_bytes);
        sum.reply_bytes += get(&tally->reply_bytes);
    }
    for (size_t c = 0; c <= LATENCIES; c++) sum.timed += sum.latency[c];
    return sum;
}

/* `labels`: method and route, without braces. */
static void write_histogram(struct buf *to, const char *labels, const struct sum *sum)
{
    uint64_t below = 0;
    for (size_t c = 0; c < LATENCIES; c++) {
        below += sum->latency[c];
        buf_printf(to, "hutong_http_request_duration_seconds_bucket{%s,le=\"%s\"} %" PRIu64 "\n",
                   labels, latencies[c].le, below);
    }
    buf_printf(to, "hutong_http_request_duration_seconds_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n",
               labels, sum->timed);
    buf_printf(to, "hutong_http_request_duration_seconds_sum{%s} %" PRIu64 ".%06" PRIu64 "\n",
               labels, sum->timed_us / 1000000, sum->timed_us % 1000000);
    buf_printf(to, "hutong_http_request_duration_seconds_count{%s} %" PRIu64 "\n", labels,
               sum->timed);
}

/* The four families of requests side by side, since a family must stand in one piece. */
static void write_requests(struct buf *to, const struct metrics *metrics)
{
    struct buf times, in, out;
    buf_init(&times, TEXT_BYTES_MAX);
    buf_init(&in, TEXT_BYTES_MAX);
    buf_init(&out, TEXT_BYTES_MAX);
    metrics_head(
        to, "hutong_http_requests_total", "counter",
        "Requests answered, by route and status; 499 when the client left before its answer.");
    metrics_head(
        &times, "hutong_http_request_duration_seconds", "histogram",
        "From the head of a request to the last byte of its answer; streams are left out.");
    metrics_head(&in, "hutong_http_request_bytes_total", "counter",
                 "Bytes of request bodies held.");
    metrics_head(&out, "hutong_http_reply_bytes_total", "counter", "Bytes of reply bodies sent.");
    for (size_t route = 0; route <= routes_count; route++) {
        struct sum sum = sum_of(metrics, route);
        char labels[256];
        snprintf(labels, sizeof(labels), "method=\"%s\",route=\"%s\"", method_of(route),
                 path_of(route));
        uint64_t requests = 0;
        for (size_t s = 0; s < STATUSES; s++) {
            requests += sum.status[s];
            if (sum.status[s] == 0) continue;
            buf_printf(to, "hutong_http_requests_total{%s,status=\"%d\"} %" PRIu64 "\n", labels,
                       statuses[s], sum.status[s]);
        }
        if (requests == 0) continue;
        if (sum.timed) write_histogram(&times, labels, &sum);
        buf_printf(&in, "hutong_http_request_bytes_total{%s} %" PRIu64 "\n", labels,
                   sum.request_bytes);
        buf_printf(&out, "hutong_http_reply_bytes_total{%s} %" PRIu64 "\n", labels,
                   sum.reply_bytes);
    }
    struct buf *parts[] = {&times, &in, &out};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_add_str(to, buf_str(parts[i]));
        buf_release(parts[i]);
    }
}

struct metrics_open metrics_open(const struct metrics *metrics)
{
    struct metrics_open sum = {0};
    for (size_t i = 0; i < metrics->loop_count; i++) {
        sum.http += get(&metrics->loops[i].open);
        sum.live += get(&metrics->loops[i].live);
    }
    return sum;
}

static void write_loops(struct buf *to, const struct metrics *metrics)
{
    static const struct {
        const char *name, *type, *help;
        size_t at;
    } rows[] = {
        {"hutong_http_connections", "gauge", "Connections open, WebSockets not among them.",
         offsetof(struct loop_metrics, open)},
        {"hutong_http_accepted_total", "counter", "Connections accepted.",
         offsetof(struct loop_metrics, accepted)},
        {"hutong_http_refused_total", "counter", "Connections over a limit, closed at once.",
         offsetof(struct loop_metrics, refused)},
        {"hutong_http_upgraded_total", "counter", "Connections that became WebSockets.",
         offsetof(struct loop_metrics, upgraded)},
        {"hutong_live_connections", "gauge", "WebSockets and event streams open.",
         offsetof(struct loop_metrics, live)},
    };
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        metrics_head(to, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < metrics->loop_count; i++) {
            const char *base = (const char *)&metrics->loops[i];
            const atomic_ullong *number = (const void *)(base + rows[r].at);
            buf_printf(to, "%s{loop=\"%zu\"} %" PRIu64 "\n", rows[r].name, i, get(number));
        }
    }
}

static void write_hub(struct buf *to, struct hub *hub)
{
    const struct hub_stats *stats = hub_stats(hub);
    one(to, "hutong_hub_published_total", "counter", "Events published.", get(&stats->published));
    one(to, "hutong_hub_delivered_total", "counter", "Events handed to subscribers.",
        get(&stats->delivered));
    one(to, "hutong_hub_gaps_total", "counter", "Times a subscriber was told to read the log.",
        get(&stats->gaps));
    one(to, "hutong_hub_present", "gauge", "Members with an open live connection.",
        get(&stats->present));
    one(to, "hutong_hub_resyncs_total", "counter",
        "Times every subscriber was told to read the log, since the broker may have lost events.",
        get(&stats->resyncs));
    one(to, "hutong_broker_up", "gauge",
        "1 while this instance tells others and hears them; 0 without a broker.",
        get(&stats->broker_up));
    one(to, "hutong_broker_sent_total", "counter", "Messages told to other instances.",
        get(&stats->broker_sent));
    one(to, "hutong_broker_received_total", "counter", "Messages heard from other instances.",
        get(&stats->broker_received));
    one(to, "hutong_broker_dropped_total", "counter",
        "Messages that others were not told or that made no sense here; a resync mends it.",
        get(&stats->broker_dropped));
}

static void micros(struct buf *to, const char *name, const char *help, uint64_t micro)
{
    seconds(to, name, "gauge", help, micro);
}

static void write_budget(struct buf *to, const struct hall_stats *stats)
{
    one(to, "hutong_town_tokens_today", "gauge",
        "Tokens that residents' decisions and conversations have cost today (UTC).",
        get(&stats->tokens));
    one(to, "hutong_town_tokens_a_day", "gauge",
        "What they may cost (town-model-tokens); 0: no limit.", get(&stats->tokens_most));
    micros(to, "hutong_town_money_today",
           "What everything the town asked of models has cost today (UTC), by llm-prices.",
           get(&stats->micro));
    micros(to, "hutong_town_money_a_day", "What it may cost (town-model-money); 0: no limit.",
           get(&stats->micro_most));
    one(to, "hutong_town_budget_spent", "gauge",
        "1 while residents do without the model: the day's tokens or money are used up, or a model "
        "without a price has answered.",
        atomic_load(&stats->budget) != 0);
}

static void write_town(struct buf *to, const struct hall *hall)
{
    if (!hall) return;
    const struct hall_stats *stats = hall_stats(hall);
    one(to, "hutong_town_running", "gauge",
        "1 while this instance runs the town and its clock goes.", get(&stats->running));
    one(to, "hutong_town_minute", "gauge", "Game minutes since day 1, 00:00, that are committed.",
        (uint64_t)MAX(atomic_load(&stats->minute), 0));
    one(to, "hutong_town_residents", "gauge", "Residents of the town that runs here.",
        get(&stats->residents));
    one(to, "hutong_town_steps_total", "counter", "Steps committed.", get(&stats->steps));
    one(to, "hutong_town_effects_total", "counter", "What happened in the town, all told.",
        get(&stats->effects));
    one(to, "hutong_town_inputs_total", "counter", "What members and models did, told to the town.",
        get(&stats->inputs));
    one(to, "hutong_town_words_total", "counter",
        "Posts, comments and messages of residents written.", get(&stats->words));
    one(to, "hutong_town_words_offline_total", "counter",
        "Those for which the model failed, so that the offline engine wrote them.",
        get(&stats->words_offline));
    one(to, "hutong_town_todo", "gauge", "Deeds that wait for their words.", get(&stats->todo));
    one(to, "hutong_town_questions", "gauge", "Decisions a model has been asked for.",
        get(&stats->questions));
    write_budget(to, stats);
    metrics_head(to, "hutong_town_pictures", "gauge",
                 "Pictures for residents' posts, by their state in the queue.");
    for (int state = 0; state < PICTURE_STATE_COUNT; state++) {
        buf_printf(to, "hutong_town_pictures{state=\"%s\"} %" PRIu64 "\n",
                   picture_state_name((enum picture_state)state), get(&stats->pictures[state]));
    }
}

static void write_group_sizes(struct buf *to, const struct writer_stats *stats)
{
    static const char *const le[WRITER_GROUP_BUCKETS] = {"1",  "2",  "4",  "8",
                                                         "16", "32", "64", "+Inf"};
    const char *name = "hutong_writer_group_size";
    metrics_head(to, name, "histogram", "Changes made durable together.");
    uint64_t below = 0;
    for (size_t i = 0; i < WRITER_GROUP_BUCKETS; i++) {
        below += get(&stats->group_sizes[i]);
        buf_printf(to, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, le[i], below);
    }
    buf_printf(to, "%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n", name, get(&stats->changes), name,
               below);
}

static void write_writer(struct buf *to, const struct writer_stats *stats)
{
    int64_t since_us = atomic_load_explicit(&stats->busy_since_us, memory_order_relaxed);
    int64_t busy_us = since_us ? MAX(clock_mono_us() - since_us, 0) : 0;
    one(to, "hutong_writer_waiting", "gauge", "Changes that wait for the writer.",
        get(&stats->waiting));
    one(to, "hutong_writer_failed_total", "counter", "Changes that failed and were taken back.",
        get(&stats->failed));
    one(to, "hutong_writer_retried_groups_total", "counter",
        "Groups that began again with a savepoint around each change.",
        get(&stats->retried_groups));
    write_group_sizes(to, stats);
    seconds(to, "hutong_writer_commit_seconds_total", "counter",
            "Time spent on groups, from their first change until they were durable.",
            get(&stats->commit_us_total));
    seconds(to, "hutong_writer_busy_seconds", "gauge", "How long the group under way has taken.",
            (uint64_t)busy_us);
}

static void write_workers(struct buf *to, const struct api *api)
{
    const char *name = "hutong_workers_waiting";
    metrics_head(to, name, "gauge", "Jobs that wait for a worker.");
    buf_printf(to, "%s{pool=\"workers\"} %zu\n%s{pool=\"hashers\"} %zu\n", name,
               workers_waiting(api->workers), name, workers_waiting(api->hashers));
}

/* Since Linux 6.2 the folder's size says how many there are; else they are counted. */
static uint64_t open_descriptors(void)
{
    struct stat folder;
    if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) return (uint64_t)folder.st_size;
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) return 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') count++;
    }
    closedir(dir);
    return count - 1; /* without the folder's own */
}

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t timeval_us(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void write_process(struct buf *to, const struct api *api)
{
    struct rusage usage;
    ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
    seconds(to, "process_cpu_seconds_total", "counter", "Processor time, user and system.",
            timeval_us(usage.ru_utime) + timeval_us(usage.ru_stime));
    one(to, "process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
    one(to, "process_open_fds", "gauge", "Open file descriptors.", open_descriptors());
    seconds(to, "process_start_time_seconds", "gauge", "When the process began, since 1970.",
            (uint64_t)api->started_us);
    metrics_head(to, "hutong_build_info", "gauge", "Which Hutong this is.");
    buf_printf(to, "hutong_build_info{version=\"%s\",commit=\"%s\"} 1\n", version_text(),
               version_commit());
}

static bool is_loopback(struct str peer)
{
    if (str_starts(peer, STR("::ffff:"))) peer = str_from(peer, 7);
    return str_starts(peer, STR("127.")) || str_eq(peer, STR("::1"));
}

/* Behind a proxy on this machine every stranger would come from here: so no header of a proxy. */
static bool may_see(const struct call *call)
{
    if (call->who.user.value && call->who.role == ROLE_ADMIN) return true;
    return is_loopback(str_of(call->x->peer)) &&
           http_find_header(call->x, STR("x-forwarded-for")).at == NULL &&
           http_find_header(call->x, STR("forwarded")).at == NULL;
}

enum err metrics_get(struct call *call, struct why *why)
{
    if (!may_see(call)) {
        return why_set(why, ERR_DENIED,
                       "权限不足 (metrics are for administrators, and for this machine itself)");
    }
    const struct api *api = call->api;
    struct buf *to = &call->x->reply;
    call->x->status = 200;
    call->x->content_type = "text/plain; version=0.0.4; charset=utf-8";
    write_requests(to, api->metrics);
    write_loops(to, api->metrics);
    write_hub(to, api->hub);
    write_town(to, api->hall);
    const struct writer_stats *stats = store_writer_stats(api->store);
    if (stats) write_writer(to, stats);
    write_workers(to, api);
    metrics_write_models(to, api);
    write_process(to, api);
    return OK;
}
