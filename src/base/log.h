/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/log.h: one line per happening: `time level event key=value …`.
 *
 * error: someone must act · warn: degraded but handled · info: life of the
 * server · debug: each step. Values with blanks are written key="…". Never
 * tokens, bodies, prompts. Any thread; a line is one write(2), so lines of
 * several threads never mix. Control bytes in values become '?'.
 *
 * The sink is one of the few changeable globals: logging must work from the
 * deepest helper without every signature carrying it.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* To standard error until told otherwise. `path` NULL or "-": standard error. Main thread. */
MUST_USE enum err log_open(const char *path, enum log_level level, struct why *why);
/* The same path anew, after the operator moved the file away (SIGHUP). Any thread. */
MUST_USE enum err log_reopen(struct why *why);
bool log_wants(enum log_level level);

void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
/* A finished line or several, each ending in '\n': the access log writes once per loop turn. */
void log_raw(struct str lines);

/* Context every line of this thread carries ("loop=1"), until changed. Copied, at most 95 bytes. */
void log_context(const char *text);

#define log_error(event, ...) log_line(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_line(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)                                                                      \
    (log_wants(LOG_DEBUG) ? log_line(LOG_DEBUG, event, __VA_ARGS__) : (void)0)
