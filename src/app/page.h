/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/page.h: how commands write to a terminal: wrapped at 79 columns, numbers for people. */
#pragma once

#include "base/arena.h"

enum { PAGE_COLUMNS = 79 };

/*
 * Print to standard output, broken at blanks, each further line indented by
 * `indent`. The cursor stands in `column`. A word longer than a line stays
 * whole, so that paths and commands can be copied. Ends with a line end.
 */
void page_wrap(struct str text, size_t indent, size_t column);

/* "1.2 MiB". In `arena`. */
const char *page_bytes(struct arena *arena, uint64_t bytes);
/* "1,234,567". In `arena`. */
const char *page_number(struct arena *arena, uint64_t number);
/* "1 row", "2,345 rows". In `arena`. */
const char *page_count(struct arena *arena, uint64_t number, const char *thing);
/* "0.12 s", "3 min 20 s". In `arena`. */
const char *page_duration(struct arena *arena, int64_t us);

/* Colours go to terminals only, and not where NO_COLOR is set (no-color.org). */
bool page_colour(int fd);

/* One line on standard error that is written over and over while something runs; nothing at all
 * where that is no terminal. Zeroed struct: ready. */
struct progress {
    const char *what; /* "copying" */
    int64_t told_us;
};
void progress_tell(struct progress *progress, uint64_t done, uint64_t total);
/* Take the line away again. */
void progress_end(const struct progress *progress);
