/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
    char path[512]; /* "" for standard error */
    atomic_int fd;
    atomic_int level;
} sink = {.fd = 2, .level = LOG_INFO};

static _Thread_local char context[96];

enum err log_reopen(struct why *why)
{
    if (sink.path[0] == '\0') {
        int before = atomic_exchange(&sink.fd, 2);
        if (before != 2) close(before);
        return OK;
    }
    int fd = open(sink.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return why_set(why, ERR_IO, "cannot open the log file %s: %s", sink.path, strerror(errno));
    }
    int now = atomic_load(&sink.fd);
    if (now == 2) {
        atomic_store(&sink.fd, fd);
        return OK;
    }
    /* Put the new file behind the old number: a thread in the middle of write() is safe. */
    int moved = dup3(fd, now, O_CLOEXEC);
    close(fd);
    if (moved < 0) return why_set(why, ERR_IO, "cannot switch the log file: %s", strerror(errno));
    return OK;
}

enum err log_open(const char *path, enum log_level level, struct why *why)
{
    atomic_store(&sink.level, (int)level);
    bool to_stderr = path == NULL || path[0] == '\0' || strcmp(path, "-") == 0;
    str_copy(sink.path, sizeof(sink.path), to_stderr ? STR("") : str_of(path));
    return log_reopen(why);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

void log_raw(struct str lines)
{
    while (lines.len > 0) {
        ssize_t written = write(atomic_load(&sink.fd), lines.at, lines.len);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; /* nowhere left to complain */
        lines = str_from(lines, (size_t)written);
    }
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (!log_wants(level)) return;
    char line[2048], when[CLOCK_ISO_BYTES];
    clock_iso(clock_wall_us(), when);
    int head = snprintf(line, sizeof(line), "%s %s %s %s%s", when, names[level], event, context,
                        context[0] ? " " : "");
    size_t start = (size_t)MIN(head, (int)sizeof(line) - 2);
    va_list args;
    va_start(args, format);
    int rest = vsnprintf(line + start, sizeof(line) - 1 - start, format, args);
    va_end(args);
    size_t len = MIN(start + (size_t)MAX(rest, 0), sizeof(line) - 2);
    for (size_t i = start; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F) line[i] = '?';
    }
    line[len] = '\n';
    log_raw((struct str){line, len + 1});
}

void log_context(const char *text)
{
    str_copy(context, sizeof(context), str_of(text));
}
