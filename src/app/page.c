/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "app/page.h"

#include <unistd.h>

#include "base/clock.h"

enum { TELL_EVERY_US = 100 * 1000 };

/* Columns of a text: code points, which is right for all we print but wide characters. */
static size_t columns_of(struct str text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (((unsigned char)text.at[i] & 0xc0) != 0x80) columns++;
    }
    return columns;
}

void page_wrap(struct str text, size_t indent, size_t column)
{
    struct str word;
    bool first = true; /* on its line */
    while (str_split(&text, ' ', &word)) {
        size_t columns = columns_of(word);
        if (!first && column + 1 + columns > PAGE_COLUMNS) {
            printf("\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        printf("%s%.*s", first ? "" : " ", STR_ARGS(word));
        column += columns + (first ? 0 : 1);
        first = false;
    }
    putchar('\n');
}

const char *page_bytes(struct arena *arena, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return page_count(arena, bytes, "byte");
    double value = (double)bytes / 1024;
    size_t unit = 0;
    for (; value >= 1023.95 && unit + 1 < COUNT_OF(units); unit++) value /= 1024;
    return arena_printf(arena, "%.1f %s", value, units[unit]).at;
}

const char *page_number(struct arena *arena, uint64_t number)
{
    char plain[24];
    int len = snprintf(plain, sizeof(plain), "%llu", (unsigned long long)number);
    char *out = arena_alloc(arena, sizeof(plain) * 2), *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) *to++ = ',';
        *to++ = plain[i];
    }
    return out;
}

const char *page_count(struct arena *arena, uint64_t number, const char *thing)
{
    return arena_printf(arena, "%s %s%s", page_number(arena, number), thing, number == 1 ? "" : "s")
        .at;
}

const char *page_duration(struct arena *arena, int64_t us)
{
    long long s = (long long)(us / 1000000);
    if (s >= 60) return arena_printf(arena, "%lld min %lld s", s / 60, s % 60).at;
    return arena_printf(arena, "%.2f s", (double)us / 1e6).at;
}

bool page_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && (no == NULL || no[0] == '\0') && term && strcmp(term, "dumb") != 0;
}

void progress_tell(struct progress *progress, uint64_t done, uint64_t total)
{
    int64_t now_us = clock_mono_us();
    if (now_us - progress->told_us < TELL_EVERY_US || !isatty(STDERR_FILENO)) return;
    progress->told_us = now_us;
    double share = total > 0 ? 100.0 * (double)MIN(done, total) / (double)total : 0;
    fprintf(stderr, "\r%s ... %3.0f %%", progress->what, share);
    fflush(stderr);
}

void progress_end(const struct progress *progress)
{
    if (progress->told_us == 0) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
