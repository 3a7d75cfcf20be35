/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/command.h: sub-commands of the program, one table row each.
 *
 * Every command takes the settings as --NAME VALUE (see `hutong settings`) and
 * what its own manual names. Exit status: 0 done, 1 failed, 2 wrong usage.
 */
#pragma once

#include "base/settings.h"

enum { ARGS_MAX = 128 };

/* A command line, read. */
struct args {
    struct arena arena;
    struct settings settings;
    struct setting_value given[ARGS_MAX]; /* settings of the command line */
    size_t given_count;
    const char *options[ARGS_MAX][2]; /* the command's own: name without --, value or NULL */
    size_t option_count;
    const char *words[ARGS_MAX]; /* what is neither */
    size_t word_count;
};

struct command {
    const char *name;
    const char *usage;   /* what stands behind the name, one line for each way */
    const char *summary; /* one line */
    const char *about;   /* the first part of a manual that is too long for one literal; or NULL */
    const char *manual;  /* the page of `hutong NAME --help`, below usage; 79 columns */
    const char *flags;   /* own options without a value, blank-separated */
    const char *values;  /* own options with a value */
    int (*run)(struct args *args);
    bool vets; /* settings that make no sense stop it (app/vet.h) */
    bool hidden;
};

extern const struct command commands[];
extern const size_t commands_count;

/* The value of an own option, "" for a flag; NULL when absent. */
const char *args_option(const struct args *args, const char *name);
/* One of the blank-separated words. */
bool is_word_of(const char *words, struct str word);
bool args_number(const struct args *args, const char *name, uint64_t initial, uint64_t *value_out);

/* "hutong: …" to standard error; gives 1. */
int fail(const struct why *why);
int usage_error(const char *format, ...) PRINTF_LIKE(1, 2);

int run_serve(struct args *args);
int run_settings(struct args *args);
int run_user(struct args *args);
int run_resident(struct args *args);
int run_db(struct args *args);
int run_llm(struct args *args);
int run_town(struct args *args);
int run_wiki(struct args *args);
int run_doctor(struct args *args);
int run_bench_data(struct args *args);
