/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* bench/support/options.h: command lines of the measuring tools as tables. `--name value` or
 * `--name=value`. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_COUNT,   /* uint64_t within [min, max] */
    OPTION_DECIMAL, /* double within [min, max] */
    OPTION_TEXT,    /* struct str */
    OPTION_TAKE,    /* handed to `take` */
};

/* Keeps `value`, which is argv's, if it likes. */
typedef enum err option_take_fn(void *to, struct str value, struct why *why);

struct option_row {
    const char *name; /* without the dashes */
    enum option_kind kind;
    void *to;
    double min, max;
    option_take_fn *take;
};

#define ROW_FLAG(name_, to_)                                                                       \
    {                                                                                              \
        .name = (name_), .kind = OPTION_FLAG, .to = (to_)                                          \
    }
#define ROW_COUNT(name_, to_, min_, max_)                                                          \
    {                                                                                              \
        .name = (name_), .kind = OPTION_COUNT, .to = (to_), .min = (min_), .max = (max_)           \
    }
#define ROW_DECIMAL(name_, to_, min_, max_)                                                        \
    {                                                                                              \
        .name = (name_), .kind = OPTION_DECIMAL, .to = (to_), .min = (min_), .max = (max_)         \
    }
#define ROW_TEXT(name_, to_)                                                                       \
    {                                                                                              \
        .name = (name_), .kind = OPTION_TEXT, .to = (to_)                                          \
    }
#define ROW_TAKE(name_, to_, take_)                                                                \
    {                                                                                              \
        .name = (name_), .kind = OPTION_TAKE, .to = (to_), .take = (take_)                         \
    }

/* Fills in what the rows point to. A wrong line ends the program with status 2, --help with 0. */
void options_read(const char *program, const char *help, const struct option_row *rows,
                  size_t row_count, int argc, char **argv);

/* Takes for the usual suspects: struct endpoint, struct request (a header), struct pids, struct
 * tokens. */
option_take_fn option_endpoint, option_header, option_pids, option_tokens;
