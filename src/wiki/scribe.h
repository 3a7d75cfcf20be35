/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/scribe.h: writes wikis about repositories, page by page.
 *
 * A book is a row (store/wiki_books.h) that says what is to be written; the
 * scribe takes it up, plans it, writes its pages a few at a time and stores
 * each as soon as it is there. So a book outlives the tab that ordered it, a
 * stop, a crash and a restart: what is stored is not written again.
 *
 * With a model: it is asked for a plan of a given shape (llm/ask.h), which is
 * held against the files there are; when it gives none that makes sense, the
 * plan is the outline's. Each page gets what is looked up for it, its citations
 * are held against that (wiki/cite.h), its flowcharts are mended
 * (wiki/diagram.h).
 * Without a model the book is the outline (wiki/outline.h), and says so.
 *
 * A thread with a loop of its own: what it waits for keeps nobody.
 */
#pragma once

#include "llm/llm.h"
#include "wiki/library.h"
#include "wiki/locale.h"

struct wiki_scribe;

struct wiki_scribe_links {
    const struct settings *settings;
    struct store *store;
    struct wiki_library *library;
    struct llm *llm;
    const struct wiki_locales *locales; /* what the codes of books mean */
    bool one; /* only what wiki_scribe_take_up() names: beside a server that has its own scribe */
};

/* Takes up what is planned or half written (unless `one`). All of `links` must outlive it. */
MUST_USE enum err wiki_scribe_open(const struct wiki_scribe_links *links,
                                   struct wiki_scribe **scribe_out, struct why *why);
/* Drops what is under way: the next start goes on with it. NULL is fine. */
void wiki_scribe_close(struct wiki_scribe *scribe);

/* Take up a book in planning or writing, unless it is already. Any thread. */
void wiki_scribe_take_up(struct wiki_scribe *scribe, uint64_t book);
/* Drop it: it was stopped or deleted. Any thread. */
void wiki_scribe_drop(struct wiki_scribe *scribe, uint64_t book);
