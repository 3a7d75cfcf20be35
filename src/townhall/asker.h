/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/asker.h: a thread that asks models for towns that wait for the answers.
 *
 * A town without a community stands while its residents' questions are away. Its
 * thread hands them over here, all of a minute together, and sleeps; this thread has
 * the loop on which calls live. Several towns may ask at once (experiments): they
 * share the places a site has, first come, first served.
 *
 * No more calls are begun than the site takes at once, so that a question's time does
 * not run while it only waits for others; what the gate turns away without having
 * asked anybody (its circuit is open, its queue is full) is tried again within that
 * time, unless nobody has answered since the last one that waited in vain.
 */
#pragma once

#include "base/list.h"
#include "townhall/internal.h"

struct asker;

/* Zeroed but for what who asks sets; that must stay until asker_ask() has returned. */
struct asking {
    const struct llm_request *request;
    uint32_t options;              /* of a decision */
    const struct day_frame *frame; /* of the plan of a day; NULL: a decision is asked for */

    /* What came of it. */
    bool over;              /* false: it was called off before there was an answer */
    bool repaired;          /* the model's second answer was taken */
    struct decided decided; /* DECIDED_SPENT never */
    struct llm_usage usage; /* of all that was asked, whatever came of it; -1: nobody said */
    struct str site, model; /* owned, as what follows: asking_release() */
    struct str said;        /* the answer, or why there is none */

    /* The asker's. */
    struct list link;
    struct asker *asker;
    struct asking_round *round;
    struct llm_question *call;
    struct deadline alarm;
    int64_t until_us;
};
void asking_release(struct asking *asking);

/* `answer_s`: so long a model may take for one answer; then it is late. ERR_IO. */
MUST_USE enum err asker_open(struct llm *llm, int64_t answer_s, struct asker **asker_out,
                             struct why *why);
/* Nobody asks any more. NULL is fine. */
void asker_close(struct asker *asker);

/* Called several times a second by who waits; false calls everything off that is not over. */
typedef bool asker_pulse(void *ctx);
/* Ask all and wait for all. False: it was called off. Any thread but the asker's. */
bool asker_ask(struct asker *asker, struct asking **askings, size_t count, asker_pulse *pulse,
               void *ctx);

/* Calls that are under way, and questions that wait for a place. Any thread. */
void asker_look(const struct asker *asker, uint32_t *under_way_out, uint32_t *waiting_out);
