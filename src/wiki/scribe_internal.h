/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* wiki/scribe_internal.h: between the parts of the scribe. All on its thread. */
#pragma once

#include "base/buf.h"
#include "llm/ask.h"
#include "store/wiki_books.h"
#include "wiki/book.h"
#include "wiki/book_order.h"
#include "wiki/cite.h"
#include "wiki/context.h"
#include "wiki/scribe.h"

enum { SCRIBE_PENS = 16, SCRIBE_TRIES = 2 };

struct wiki_scribe {
    struct wiki_scribe_links links;
    struct loop *loop;     /* owned */
    struct llm_loop *home; /* owned */
    struct db *db;         /* owned */
    struct list jobs;      /* of struct writing, in the order they came */
    pthread_t thread;
    bool running;
};

struct writing;

/* A page being written. */
struct pen {
    struct writing *job; /* NULL: free */
    size_t page;
    int tries;
    struct llm_call *call;
    struct arena arena;
    struct wiki_context context;
    struct str sources; /* of the context, see wiki/book_sources.h */
    struct wiki_cite cite;
    struct buf text;
};

enum { SCRIBE_REQUEST_BYTES = 4 * 1024 * 1024 }; /* what a model is asked with, at most */

/* A book being written. */
struct writing {
    struct list link;
    struct wiki_scribe *scribe;
    uint64_t id;
    struct arena arena;
    struct wiki_book book;
    struct wiki wiki;
    struct str model; /* as it is asked for; empty: none */
    struct llm_question *plan;
    struct wiki_page *pages;
    size_t page_count, next;
    struct pen pens[SCRIBE_PENS];
    size_t failed;
    bool unplanned; /* the model's plan was none: the outline's pages are written by it */
    bool over;
};

/* --- scribe.c --- */

/* The language of the book, by its name. */
struct str writing_language(const struct writing *job);

/* The book is over; the job is freed at the end of the turn. */
void writing_end(struct writing *job, enum wiki_book_state state, const char *note);
/* Its plan is made: store it and go on. `contents`: the pages are written already. */
void writing_planned(struct writing *job, const struct book *book);
/* Change the store, and wait. ERR_CONFLICT or _NOT_FOUND: the book was stopped or deleted. */
typedef enum err writing_change(struct writing *job, struct db *db, void *ctx, struct why *why);
MUST_USE enum err writing_store(struct writing *job, writing_change *change, void *ctx,
                                struct why *why);

/* --- scribe_plan.c --- */

/* Ask the model for a plan; writing_planned() or writing_end() follows. */
void writing_plan(struct writing *job);
/* The outline: a book made without a model. */
MUST_USE enum err writing_outline(struct writing *job, struct book *book_out, struct why *why);

/* --- scribe_page.c --- */

/* Begin as many pages as there are pens; the last one that ends ends the book. */
void writing_go_on(struct writing *job);
/* Nothing is told any more. */
void pen_drop(struct pen *pen);
