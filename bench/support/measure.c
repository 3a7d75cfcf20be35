/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "measure.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/resource.h>

#include "base/mem.h"

void samples_release(struct samples *samples)
{
    mem_free(samples->at);
    *samples = (struct samples){0};
}

void samples_add(struct samples *samples, int64_t us)
{
    if (samples->len == samples->cap) {
        samples->cap = samples->cap ? samples->cap * 2 : 4096;
        samples->at = mem_resize(samples->at, samples->cap * sizeof(*samples->at));
    }
    samples->at[samples->len++] = (uint32_t)MAX(0, MIN(us, (int64_t)UINT32_MAX));
}

static int by_size(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Nearest rank: the smallest value that at least this share of all do not exceed. */
static uint32_t rank(const struct samples *samples, unsigned percent)
{
    size_t rank = (samples->len * percent + 99) / 100;
    return samples->at[MAX(rank, (size_t)1) - 1];
}

void samples_write(struct samples *samples, struct json_out *out, const char *key)
{
    static const struct {
        const char *name;
        unsigned percent;
    } wanted[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};

    if (samples->len) qsort(samples->at, samples->len, sizeof(*samples->at), by_size);
    json_open(out, key, '{');
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (samples->len) {
            json_put_u64(out, wanted[i].name, rank(samples, wanted[i].percent));
        } else {
            json_put_null(out, wanted[i].name);
        }
    }
    json_close(out, '}');
}

enum err pids_parse(struct str list, struct pids *pids_out, struct why *why)
{
    struct str piece;
    while (str_split(&list, ',', &piece)) {
        uint64_t pid;
        if (!str_to_u64(piece, &pid) || pid == 0 || pid > INT32_MAX) {
            return why_set(why, ERR_INVALID, "\"%.*s\" is no process id", STR_ARGS(piece));
        }
        if (pids_out->len == MEASURE_PIDS_MAX) {
            return why_set(why, ERR_LIMIT, "at most %d process ids", MEASURE_PIDS_MAX);
        }
        pids_out->at[pids_out->len++] = (pid_t)pid;
    }
    return OK;
}

static int64_t timespec_ns(struct timespec at)
{
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

enum err cpu_read(const struct pids *pids, int64_t *ns_out, struct why *why)
{
    int64_t sum = 0;
    for (size_t i = 0; i < pids->len; i++) {
        clockid_t clock;
        struct timespec used;
        if (clock_getcpuclockid(pids->at[i], &clock) || clock_gettime(clock, &used)) {
            return why_set(why, ERR_NOT_FOUND, "process %d is not there to be measured",
                           (int)pids->at[i]);
        }
        sum += timespec_ns(used);
    }
    *ns_out = sum;
    return OK;
}

int64_t cpu_self_ns(void)
{
    struct timespec used;
    int failed = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    ASSERT(!failed);
    return timespec_ns(used);
}

static void memory_add_line(struct memory_use *memory, const char *line)
{
    char name[32];
    long long kb;
    if (sscanf(line, "%31[^:]: %lld kB", name, &kb) != 2) return;
    struct str key = str_of(name);
    if (str_eq(key, STR("Rss"))) memory->rss_bytes += kb * 1024;
    if (str_eq(key, STR("Pss"))) memory->pss_bytes += kb * 1024;
    if (str_starts(key, STR("Private_"))) memory->private_bytes += kb * 1024;
}

enum err memory_read(const struct pids *pids, struct memory_use *memory_out, struct why *why)
{
    struct memory_use sum = {0};
    for (size_t i = 0; i < pids->len; i++) {
        char path[64], line[256];
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pids->at[i]);
        FILE *file = fopen(path, "re");
        if (!file) return why_set(why, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
        while (fgets(line, sizeof(line), file)) {
            memory_add_line(&sum, line);
        }
        fclose(file);
    }
    if (sum.rss_bytes == 0) return why_set(why, ERR_IO, "the kernel shows no memory figures");
    *memory_out = sum;
    return OK;
}

enum err descriptors_raise(size_t needed, struct why *why)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return why_set(why, ERR_IO, "%s", strerror(errno));
    if (limit.rlim_cur >= needed) return OK;
    limit.rlim_cur = needed;
    limit.rlim_max = MAX(limit.rlim_max, (rlim_t)needed);
    if (setrlimit(RLIMIT_NOFILE, &limit)) {
        return why_set(why, ERR_LIMIT, "%zu open files are not allowed here (ulimit -Hn): %s",
                       needed, strerror(errno));
    }
    return OK;
}

void put_ratio(struct json_out *out, const char *key, double total, double count)
{
    if (count > 0) {
        char text[40];
        snprintf(text, sizeof(text), "%.3f", total / count);
        json_put_raw(out, key, str_of(text));
    } else {
        json_put_null(out, key);
    }
}

void give_up(const char *program, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}
