/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/library.h: the wikis of this server: brought up to date, opened, removed.
 *
 * A wiki is a row of the store (store/wikis.h) and a folder DATA/wiki/ID with
 * the repository (repo.git, unless it is a folder of this machine), its index
 * (index.db) and the vectors of its chunks when there is an embedder
 * (vectors.db, see wiki/vectors.h). All can be made again out of the row.
 *
 * Updates run on threads of their own, which stand back when others want the
 * processor; the loops never wait for them. One wiki is updated once at a
 * time: who asks for an update that is under way already waits for that one.
 * Whoever reads an index meanwhile has the old one.
 */
#pragma once

#include "base/settings.h"
#include "io/loop.h"
#include "store/store.h"
#include "store/wikis.h"
#include "wiki/address.h"
#include "wiki/index.h"
#include "wiki/matrix.h"

struct wiki_library;

/* `settings` and `store` must outlive it. `alone`: no other process is at work on these wikis, so
 * what a dead one left half-way is marked. */
MUST_USE enum err wiki_library_open(const struct settings *settings, struct store *store,
                                    bool alone, struct wiki_library **library_out, struct why *why);
/* Stops what is under way; before the store closes. NULL is fine. */
void wiki_library_close(struct wiki_library *library);
struct store *wiki_library_store(struct wiki_library *library);

/*
 * What makes two wikis the same: SHA-256 over address, branch, filters and `scope`, in hex.
 * `scope`: empty for a wiki that anyone may share; else whose it is, so that what was fetched with
 * one person's token is never another's. In `arena`.
 */
struct str wiki_identity(struct arena *arena, const struct wiki *wiki, struct str scope);
/* What it is when its filters or its access become others. One that was for others before is found
 * by its address no more, nor one that a token opened: they are known by their names alone. */
struct str wiki_identity_changed(struct arena *arena, const struct wiki *was,
                                 const struct wiki *now);

/* The repository as a wiki to be added: for everyone, of nobody, without filters, under the name
 * that wiki_library_add() finds; added now. Texts are those of `address`. */
struct wiki wiki_draft(const struct wiki_address *address);
/* A name of letters, digits, '-', '_', '.' and '/' between them, and no number. */
MUST_USE enum err wiki_name_check(struct str name, struct why *why);

/*
 * Add `wiki` (its address, filters, access and owner; a name when one was chosen), or find the one
 * that is the same, and fetch it unless it is there. On OK `wiki` has its id. On a thread that may
 * wait, with its connection. ERR_CONFLICT: the name is taken. ERR_BUSY: too many wait.
 */
MUST_USE enum err wiki_library_add(struct wiki_library *library, struct db *db, struct arena *arena,
                                   struct wiki *wiki, struct str token, struct why *why);

/*
 * Fetch what is new and index it. `token` is kept in memory until that is over, and nowhere else;
 * empty: none. Any thread. ERR_BUSY: too many wait.
 */
MUST_USE enum err wiki_library_update(struct wiki_library *library, uint64_t id, struct str token,
                                      struct why *why);
/* Ends soon, as ERR_CANCELLED. Nothing under way is fine. Any thread. */
void wiki_library_stop(struct wiki_library *library, uint64_t id);

struct wiki_progress {
    bool under_way;
    const char *stage;  /* "waiting", "receiving", "indexing" …: a literal */
    int percent;        /* of the stage; -1: nobody knows */
    uint64_t done, all; /* files, while indexing */
};

/* Any thread. */
struct wiki_progress wiki_library_progress(struct wiki_library *library, uint64_t id);

/*
 * Told once, on `loop`, when the update that is under way has ended; embedded in who waits. False:
 * none is under way, and nothing will be told.
 */
struct wiki_waiter {
    struct list link;
    struct task task; /* `run` set by the one who waits */
    struct loop *loop;
    uint64_t id;
};
MUST_USE bool wiki_library_wait(struct wiki_library *library, uint64_t id,
                                struct wiki_waiter *waiter);
/* True: it will not be told. False: it is on its way already, let it come. */
MUST_USE bool wiki_library_wait_no_more(struct wiki_library *library, struct wiki_waiter *waiter);

/* The index of a wiki, for one thread, until it is given back. ERR_NOT_FOUND: it has none yet. */
MUST_USE enum err wiki_library_borrow(struct wiki_library *library, uint64_t id,
                                      struct wiki_index **index_out, struct why *why);
void wiki_library_return(struct wiki_library *library, uint64_t id, struct wiki_index *index);

/* Where they lie; in `arena`. */
struct wiki_files {
    const char *index, *vectors;
};
struct wiki_files wiki_library_files(struct wiki_library *library, struct arena *arena,
                                     uint64_t id);

/* Vectors of the wiki's chunks by the embedder that is configured, held once; NULL: there are none.
 * On a thread that may wait. */
struct wiki_matrix *wiki_library_matrix(struct wiki_library *library, uint64_t id);

/* Who makes the vectors wants to know. Both are called on any thread, one at a time. */
struct wiki_library_hooks {
    void (*indexed)(void *ctx, uint64_t id);  /* its index is new, or as it was */
    void (*removing)(void *ctx, uint64_t id); /* its files go when this has returned */
    void *ctx;
};
/* NULL: nobody any more; none is called after the return. */
void wiki_library_set_hooks(struct wiki_library *library, const struct wiki_library_hooks *hooks);

/* Stop its update, wait until that has ended, and delete its folder; after the row is gone. */
MUST_USE enum err wiki_library_remove(struct wiki_library *library, uint64_t id, struct why *why);
