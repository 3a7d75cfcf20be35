/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/ask.h: a question about a repository and its answer, behind every door.
 *
 *     wiki_ask_start() → (round → context → open? → text*)+ → end
 *
 * What says most about the question is looked up on a worker
 * (wiki/context.h), then the model is asked on the loop, so that what it says
 * is told in the turn in which it came. Its citations are held against what it
 * was given (wiki/cite.h). A model that cannot read so much is given less, then
 * nothing, and the reader is told each time. Where there is no model at all,
 * the answer is the places themselves, and says so.
 *
 * Deep research is several rounds: a plan, updates, a conclusion, each with a
 * look-up of its own. The server drives them; or the older clients do, and then
 * each of their requests is one round of which they say the number.
 *
 * Lives on one loop; one answer at a time each.
 */
#pragma once

#include "llm/llm.h"
#include "wiki/cite.h"
#include "wiki/library.h"

struct wiki_ask;
struct workers;

enum { WIKI_ROUNDS = 5 };

struct wiki_asking {
    uint64_t wiki;
    struct str name, url; /* of the repository, for the prompt */
    /* Oldest first; the last is the member's question. System messages do not count. */
    const struct llm_message *turns;
    size_t turn_count;
    struct str model;    /* as in struct llm_request */
    struct str language; /* of the answer, its name for a model; empty: that of the question */
    struct str file;     /* a file whose whole text is wanted; empty: none */
    int round;           /* 1 to WIKI_ROUNDS: one round of a research; 0: none */
    bool research;       /* all rounds, one after the other */
    /* Who asks: may they (still) see the wiki? Looked at before each look-up; the workers' own must
     * be a connection to the store then. NULL: they may. */
    const struct wiki_reader *reader;
};

enum wiki_cause { WIKI_LESS = 1, WIKI_NOTHING, WIKI_TOO_LONG, WIKI_UNFOUND, WIKI_INSTEAD };

struct wiki_ask_end {
    const struct llm_result *result; /* of the last call; NULL: no model was asked */
    enum err err;                    /* the look-up failed; `why` says how */
    struct why why;
    struct llm_usage used;   /* by all calls together; of unknown numbers when there was none */
    uint64_t cited, removed; /* citations */
    bool complete;
    int rounds;
};

/* On the loop; strings are good until the return. All but `text` and `end` may be NULL. */
struct wiki_ask_events {
    /* A round of a research begins: 1 is the plan; `last` the conclusion. */
    void (*round)(void *ctx, int round, bool last);
    /* What the model is given, before it is asked. */
    void (*context)(void *ctx, const struct wiki_source *sources, size_t count);
    /* Something the reader should know: it got less, it got nothing, another than who was asked
     * answers. */
    void (*notice)(void *ctx, enum wiki_cause cause, struct str sentence);
    /* As of struct llm_events. */
    void (*spent)(void *ctx, struct str site, struct str model, const struct llm_usage *usage);
    void (*open)(void *ctx, struct str site, struct str model);
    void (*text)(void *ctx, struct str piece);
    /* The last call, never inside wiki_ask_start(). */
    void (*end)(void *ctx, const struct wiki_ask_end *end);
};

struct wiki_desk { /* where it is done */
    struct wiki_library *library;
    struct workers *workers;
    struct loop *loop;
    struct llm *llm;
    struct llm_loop *models;
    const struct settings *settings;
};

/* Everything in `asking` is copied; `events` must stay. */
struct wiki_ask *wiki_ask_start(const struct wiki_desk *desk, const struct wiki_asking *asking,
                                const struct wiki_ask_events *events, void *ctx);
/* Nothing is told any more; the model's connection closes. Not inside an event. What it cost is
 * given back as by llm_cancel(), of all its calls together. */
struct llm_usage wiki_ask_cancel(struct wiki_ask *ask);
/* How many citations went out so far, and how many were taken out. */
void wiki_ask_count(const struct wiki_ask *ask, uint64_t *cited_out, uint64_t *removed_out);
void wiki_ask_pause(struct wiki_ask *ask); /* a slow reader: see llm_pause() */
void wiki_ask_resume(struct wiki_ask *ask);
