/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/wiki_session.h: what the files of `hutong wiki` share. */
#pragma once

#include "app/command.h"
#include "io/workers.h"
#include "llm/llm.h"
#include "wiki/embedder.h"

struct wiki_session {
    struct args *args;
    struct store *store;
    struct db *db;
    struct wiki_library *library;
    struct loop *loop;
    struct workers *workers; /* NULL: not asking */
    struct llm *llm;
    struct llm_loop *home;
    struct wiki_embedder *embedder; /* NULL: none is configured, or not indexing */
    struct timer *teller;
    struct wiki_waiter waiter;
    uint64_t watched;
    int status; /* of the process */
};

/* Its value, or "". */
const char *wiki_option(const struct wiki_session *session, const char *name);
/* The wiki of the second word, by name or number. */
MUST_USE enum err wiki_named(struct wiki_session *session, struct wiki *wiki_out, struct why *why);
MUST_USE enum err wiki_open_models(struct wiki_session *session, struct why *why);

/* wiki_books_command.c */
int run_wiki_generate(struct wiki_session *session);
int run_wiki_export(struct wiki_session *session);
