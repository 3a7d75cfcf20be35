/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/support/git_server.h: repositories for tests, and git over HTTP from a thread of the test.
 *
 * What git itself ships (`git http-backend`) answers; here is only what a web
 * server would do, one connection at a time, and what hosts do besides: ask for
 * a token, say that something has moved, stop in the middle.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"

struct git_server {
    int listener, port;
    pthread_t thread;
    const char *root; /* of the repositories */
    /* May be changed between two requests. */
    const char *user, *password;      /* of basic authentication; NULL: open to all */
    const char *moved_to;             /* every request is sent to this origin … */
    const char *moved_from;           /* … every one that begins so; NULL: all */
    const char *moved_path;           /* … to this path in its place; NULL: the same */
    pthread_mutex_t lock;             /* before these five */
    _Atomic int status;               /* what every request gets; 0: an answer */
    _Atomic int64_t stall_at_bytes;   /* of an answer: so many, then silence; -1: never */
    _Atomic int requests, with_token; /* that came, and how many of them had Authorization */
    _Atomic bool stop;
};

void git_server_open(struct git_server *server, const char *root);
/* Also between requests: who may fetch. */
void git_server_lock(struct git_server *server, const char *user, const char *password);
/* Also between requests: `to` as `moved_to` and so on; it lives as long as the server. */
void git_server_move(struct git_server *server, const char *to, const char *from, const char *path);
void git_server_close(struct git_server *server);

/* Runs a program and waits; its output goes nowhere, or is the answer. Fails the test if it does.
 */
#define RUN(folder, ...) git_run((folder), (const char *const[]){__VA_ARGS__, NULL}, NULL)
#define ASK(folder, answer, ...) git_run((folder), (const char *const[]){__VA_ARGS__, NULL}, answer)
void git_run(const char *folder, const char *const *argv, struct buf *answer);
/* A file of a work tree, with the folders it needs. */
void git_put(const char *folder, const char *path, struct str bytes);
void git_remove_all(const char *folder);
