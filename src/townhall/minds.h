/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/minds.h: models that decide for residents of towns without a community, and of
 * copies of a town that has one.
 *
 *     minds_open(settings, &plan, &minds, why);      // once for the program
 *     run = mind_run_open(minds, town, label);       // once for each town that lives
 *     … after each minute: mind_run_decide(run, town, pulse, ctx);
 *     mind_run_close(run);
 *     minds_close(minds);
 *
 * What residents ask in one game minute is asked at once, the clock waits for all of
 * it, and then the town is told in its own order (town_questions()). So what becomes
 * of a town depends on its seed, its settings and the answers, and not on which
 * answer came first, nor on threads. Where there is none (enum decided_how), the
 * rules decide, and that is written into the journal, too: from that alone the town
 * lives the same life again (townhall/mind_journal.h).
 *
 * The budgets of the settings (town-model-tokens, -money) are of each run, so that a
 * run of an experiment is what it is alone.
 */
#pragma once

#include "base/settings.h"
#include "store/towns.h"
#include "town/town.h"

/* Who has decided in the end: the model, or the rules, and why they had to. */
enum decided_how {
    DECIDED_BY_MODEL,
    DECIDED_UNFIT,   /* what it said is none of what is possible, or not of the wanted shape */
    DECIDED_REFUSED, /* it, or a filter, would not answer */
    DECIDED_LATE,    /* not within its time */
    DECIDED_FAILED,  /* no answer came: an error, nobody there … */
    DECIDED_SPENT,   /* it was not asked: a budget is used up */
    DECIDED_HOWS
};
const char *decided_how_name(enum decided_how how); /* "unfit" */

struct minds;
struct mind_run;

struct minds_plan {
    const char *journal; /* NULL: none */
    int64_t answer_s;    /* so long a model may take for one answer */
};
enum { ANSWER_S_USUAL = 60, ANSWER_S_MAX = 3600 };

/*
 * Who is asked is the standard model of the settings; without one, or where its site is not set
 * up, the journal alone answers. ERR_NOT_FOUND: there is neither; ERR_INVALID: a budget of money
 * and no price; as mind_journal_open().
 */
MUST_USE enum err minds_open(const struct settings *settings, const struct minds_plan *plan,
                             struct minds **minds_out, struct why *why);
void minds_close(struct minds *minds); /* NULL is fine */
/* Who is asked: SITE/MODEL. Good as long as the minds. */
struct str minds_model(const struct minds *minds);
/* They play residents of the community: names and profiles are theirs from now on, for towns with
 * so many numbers. Before the first run. */
MUST_USE enum err minds_meet(struct minds *minds, struct db *db, struct town_id town,
                             uint32_t count, struct why *why);

/* All runs together, while they go on. Any thread. */
struct minds_progress {
    uint32_t under_way, waiting; /* calls; questions without a place yet */
    uint64_t answered, tokens, micro;
    bool priced; /* `micro` is all it cost */
};
struct minds_progress minds_look(const struct minds *minds);

/* What models did in a run. Tokens and money include what the journal's answers took when they were
 * asked for. */
struct mind_figures {
    uint64_t asked, how[DECIDED_HOWS]; /* which add up to it */
    uint64_t from_journal;             /* of them */
    uint64_t repaired;                 /* decided by the model's second answer */
    uint64_t input, output, micro;
    bool estimated, unpriced; /* some of it */
};
void mind_figures_add(struct mind_figures *sum, const struct mind_figures *more);

/* `label`: the run's name in the journal; it must stay. Lives on one thread. */
struct mind_run *mind_run_open(struct minds *minds, const struct town *town, struct str label);
/* Called several times a second while answers are waited for; false ends that. */
typedef bool mind_pulse(void *ctx);
/* Answer everything that residents ask now. ERR_CANCELLED: `pulse` ended it, and the town is as it
 * was; ERR_NOT_FOUND: the journal has no answer and there is nobody to ask; ERR_IO: the journal. */
MUST_USE enum err mind_run_decide(struct mind_run *run, struct town *town, mind_pulse *pulse,
                                  void *ctx, struct why *why);
struct mind_figures mind_run_figures(const struct mind_run *run);
void mind_run_close(struct mind_run *run); /* NULL is fine */
