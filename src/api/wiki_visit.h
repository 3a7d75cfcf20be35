/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_visit.h: a question about a repository that may have to be fetched
 * first, on behalf of one request or socket.
 *
 *     wiki_visit_start() → waiting* → (failed | begun → an answer's events)
 *
 * An older client names a repository by its address: a worker finds its wiki,
 * or adds it where the caller may, and the visit waits until it can be asked.
 * Our own doors name the wiki. Either way the answer is wiki/ask.h's.
 *
 * Lives on one loop.
 */
#pragma once

#include "api/call.h"
#include "store/wikis.h"
#include "wiki/ask.h"

struct wiki_visit;

struct wiki_visit_want {
    struct caller who;
    bool unattended; /* log-ins that end do not end it: whoever asked for it does */
    bool may_add;    /* a repository that is not here yet */
    uint64_t wiki;   /* the one meant; 0: the one of that name, or of the address */
    struct str name; /* also its number; empty: the one of the address */
    struct str url, kind, token, include, exclude;
    struct wiki_asking asking; /* wiki, name and url are filled in here */
};

struct wiki_visit_events {
    /* Before it can be asked, now and then. May be NULL. */
    void (*waiting)(void *ctx, const struct wiki_progress *progress);
    /* It cannot be asked: the last call. Never inside wiki_visit_start(). */
    void (*failed)(void *ctx, enum err err, const struct why *why);
    /* It is being asked. May be NULL. */
    void (*begun)(void *ctx, const struct wiki *wiki);
    struct wiki_ask_events answer; /* its `end` is the last call */
};

/* Copies everything but `events`. */
struct wiki_visit *wiki_visit_start(struct api_loop *home, const struct wiki_visit_want *want,
                                    const struct wiki_visit_events *events, void *ctx);
/* Nothing is told any more. Not inside an event. What it cost as by wiki_ask_cancel(); of unknown
 * numbers (-1) when no model had been asked. */
struct llm_usage wiki_visit_cancel(struct wiki_visit *visit);
/* Citations so far, as by wiki_ask_count(); none before it is being asked. */
void wiki_visit_count(const struct wiki_visit *visit, uint64_t *cited_out, uint64_t *removed_out);
/* What the model it had asked has cost, inside of `failed`; of unknown numbers when none was. */
struct llm_usage wiki_visit_spent(const struct wiki_visit *visit);
void wiki_visit_pause(struct wiki_visit *visit); /* a slow reader */
void wiki_visit_resume(struct wiki_visit *visit);
/* Somebody logged out or was banned: their visits end, with ERR_UNKNOWN_CALLER. On the loop. */
void wiki_visits_notice(struct api_loop *home, const struct hub_notice *notice);
/* The server stops: each visit ends with ERR_BUSY or an answer that failed. On the loop. */
void wiki_visits_abort(struct api_loop *home);
