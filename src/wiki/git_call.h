/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git_call.h: git, with an environment we made and nothing else.
 *
 * No configuration of the machine or of whoever runs the server is read, no
 * hook runs, nobody is asked for a password, no protocol works but the one
 * named, and git never fetches on its own what a partial repository lacks.
 * Settings are handed over in the environment (GIT_CONFIG_COUNT), which is also
 * where a token goes: other users cannot read the environment of a process as
 * they can its arguments, and nothing of it is written down.
 *
 *     struct wiki_git git;
 *     wiki_git_init(&git, arena, folder, "https");
 *     wiki_git_config(&git, "http.followRedirects", STR("false"));
 *     err = wiki_git_run(&git, (const char *[]){"git", "rev-parse", "HEAD", NULL}, why);
 *     … buf_str(&git.out) …
 *     wiki_git_release(&git);
 */
#pragma once

#include <stdatomic.h>

#include "wiki/child.h"
#include "wiki/git_said.h"

enum { WIKI_GIT_SETTINGS = 48, WIKI_GIT_VARIABLES = 24 };

struct wiki_git {
    struct arena *arena;
    const char *folder; /* the repository; it need not be there yet */
    const char *variables[WIKI_GIT_VARIABLES];
    size_t variable_count;
    struct {
        const char *name, *value;
    } settings[WIKI_GIT_SETTINGS];
    size_t setting_count;

    int64_t end_us;          /* of the monotonic clock; 0: never */
    const atomic_bool *stop; /* NULL: never */
    uint64_t bytes_max;      /* of the folder, looked at while it runs; 0: any */
    struct str secret;       /* to be struck out */
    void (*progress)(void *ctx, const char *stage, int percent); /* NULL: nobody listens */
    void *ctx;

    struct buf out; /* owned; what the last one printed */
    struct wiki_said said;
};

/* `protocol`: the only one that may be used; "none" for none. */
void wiki_git_init(struct wiki_git *git, struct arena *arena, const char *folder,
                   const char *protocol);
void wiki_git_release(struct wiki_git *git);
/* A variable of the environment, "NAME=VALUE", kept, not copied. */
void wiki_git_variable(struct wiki_git *git, const char *text);
/* A setting as in git's configuration. In the arena. */
void wiki_git_config(struct wiki_git *git, const char *name, struct str value);

/* For a child of one's own (cat-file): with pipes, without waiting. */
MUST_USE enum err wiki_git_start(struct wiki_git *git, const char *const *argv, bool write_to,
                                 struct wiki_child *child_out, struct why *why);
/* Runs to its end. What it says about a failure becomes the error; ERR_CANCELLED, ERR_TIMEOUT and
 * ERR_LIMIT as told by the fields above. */
MUST_USE enum err wiki_git_run(struct wiki_git *git, const char *const *argv, struct why *why);
