/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/measure.h: what the measuring tools read off a process.
 *
 * CPU time comes from the kernel's CPU clock of the whole process
 * (clock_getcpuclockid): nanoseconds, user and system together, all threads,
 * those that have ended too. /proc/PID/stat counts in ticks of 10 ms, and
 * /proc/PID/task/.../schedstat forgets threads that ended and lags a running
 * one by a tick. Memory comes from smaps_rollup.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <sys/types.h>

/* Times in microseconds, all kept, so that percentiles are exact. */
struct samples {
    uint32_t *at; /* owned */
    size_t len, cap;
};

void samples_release(struct samples *samples);
void samples_add(struct samples *samples, int64_t us);
/* `"key":{"p50":…,"p90":…,"p99":…,"max":…}`; nulls when there are none. Sorts. */
void samples_write(struct samples *samples, struct json_out *out, const char *key);

enum { MEASURE_PIDS_MAX = 64 };

/* The processes that make up the server: one, or nginx's workers. */
struct pids {
    pid_t at[MEASURE_PIDS_MAX];
    size_t len;
};

/* "12" or "12,13", added to those already there. */
MUST_USE enum err pids_parse(struct str list, struct pids *pids_out, struct why *why);
/* Sum over all of them. ERR_NOT_FOUND: one has ended. */
MUST_USE enum err cpu_read(const struct pids *pids, int64_t *ns_out, struct why *why);
int64_t cpu_self_ns(void);

struct memory_use {
    int64_t rss_bytes, pss_bytes, private_bytes;
};

MUST_USE enum err memory_read(const struct pids *pids, struct memory_use *memory_out,
                              struct why *why);

/* Make room for `needed` descriptors, as root past the hard limit too. */
MUST_USE enum err descriptors_raise(size_t needed, struct why *why);

/* Null when there is nothing to divide by: a figure is never invented. */
void put_ratio(struct json_out *out, const char *key, double total, double count);

/* For mains: print "program: sentence" to standard error and exit with 2. */
_Noreturn void give_up(const char *program, const char *format, ...) PRINTF_LIKE(2, 3);
