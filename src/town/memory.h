/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/memory.h: what residents remember, and whom they know.
 *
 * A memory is a fact of 24 bytes, not a sentence: that one talked with somebody
 * at a place about a subject, how important it was and how pleasant. Sentences are
 * made of it when somebody wants to read it, so a million residents remember at
 * the cost of a few hundred bytes each. A fact may point to a text that a model
 * or a member wrote.
 *
 * Which memories come to mind: recency + importance + relevance, each from 0 to
 * 1 and equally weighted, as in Park et al. 2023 ("Generative Agents:
 * Interactive Simulacra of Human Behavior", UIST '23, section 4.1): recency is
 * 0.995 to the power of the hours since it last came to mind; importance a
 * tenth of its 1 to 10. Relevance there is the cosine of embeddings; here,
 * without any model, it is the share of what the situation and the fact have in
 * common: person 0.6, subject 0.3, place 0.1.
 *
 * What is forgotten: when there is no room, the fact with the least recency +
 * importance. Of days' summaries 14 are kept, as in the original.
 */
#pragma once

#include "base/base.h"

/* The original's five. */
enum memory_type {
    MEMORY_COMMON,
    MEMORY_DAILY,
    MEMORY_IMPORTANT,
    MEMORY_KNOWLEDGE,
    MEMORY_RELATION,
    MEMORY_TYPE_COUNT
};
const char *memory_type_name(enum memory_type type); /* "common" … "relation" */

enum fact_kind {
    FACT_SELF,   /* who one is */
    FACT_COMMON, /* what all know: `ref`, 1 to COMMON_FACTS */
    FACT_MET,    /* somebody for the first time */
    FACT_TALKED, /* with somebody about a subject */
    FACT_GREETED,
    FACT_ATE_WITH,
    FACT_WROTE_TO,   /* a private message */
    FACT_HEARD_FROM, /* one from somebody */
    FACT_READ,       /* somebody's post */
    FACT_POSTED,
    FACT_LIKED_BY, /* somebody liked one's post */
    FACT_COMMENTED_BY,
    FACT_FOLLOWED_BY,
    FACT_GOT, /* a thing from somebody */
    FACT_GAVE,
    FACT_TURNED_AWAY, /* a place was closed or full */
    FACT_WORKED,
    FACT_ROUGH_SKY, /* the weather turned bad */
    FACT_ILL,
    FACT_THOUGHT, /* a reflection: what somebody or something has come to mean */
    FACT_DAY,     /* a day in one line; `about` is the fact it was about */
    FACT_COUNT
};

enum subject {
    SUBJECT_NONE,
    SUBJECT_WEATHER,
    SUBJECT_FOOD,
    SUBJECT_WORK,
    SUBJECT_STUDY,
    SUBJECT_ART,
    SUBJECT_MUSIC,
    SUBJECT_SPORT,
    SUBJECT_BOOKS,
    SUBJECT_TECH,
    SUBJECT_NATURE,
    SUBJECT_NEIGHBOURS,
    SUBJECT_HEALTH,
    SUBJECT_DREAMS,
    SUBJECT_NEWS,
    SUBJECT_COUNT
};

struct memory {
    int32_t at;         /* when it happened */
    int32_t recalled;   /* when it last came to mind */
    uint32_t who;       /* NOBODY: nobody */
    uint32_t ref;       /* a post's serial, or a text's number; 0: none */
    uint16_t place;     /* NOWHERE: none */
    uint8_t fact;       /* enum fact_kind */
    uint8_t about;      /* FACT_DAY, FACT_THOUGHT: the fact behind it */
    uint8_t subject;    /* enum subject */
    uint8_t type;       /* enum memory_type */
    uint8_t importance; /* 1 to 10 */
    int8_t valence;     /* -100 to 100 */
};
static_assert(sizeof(struct memory) == 24, "a few hundred bytes a resident");

enum { COMMON_FACTS = 2, DAILY_MAX = 14, MEMORY_SLOTS_MIN = 8, MEMORY_SLOTS_MAX = 240 };

/* `slots` of them belong to one resident, `*count` are filled. */
struct memories {
    struct memory *memory;
    uint8_t *count;
    uint8_t slots;
};

/* Remember; forgets the weakest if there is no room. `memory->recalled` is set to `at`. */
void memory_add(struct memories memories, const struct memory *memory, int32_t now);

/* Forget the weakest until there are at most `most`; the others keep their order. */
void memory_trim(struct memories memories, uint8_t most, int32_t now);

/* What is looked for; NOBODY, NOWHERE and SUBJECT_NONE: anything. */
struct cue {
    uint32_t who;
    uint16_t place;
    uint8_t subject;
};
/* Thousandths: recency + importance + relevance, 0 to 3000. */
int memory_score(const struct memory *memory, const struct cue *cue, int32_t now);
/* The best `max` (at most 16), best first, equal ones newest first. How many. */
size_t memory_rank(const struct memory *memories, size_t count, const struct cue *cue, int32_t now,
                   const struct memory **found_out, size_t max);
/* The same of what has happened, not of what it has always known; and they have come to mind now.
 */
size_t memory_recall(struct memories memories, const struct cue *cue, int32_t now,
                     const struct memory **found_out, size_t max);
/* The most important of what happened since `since` but days, thoughts and what was always known;
 * NULL: nothing did. */
const struct memory *memory_best_since(struct memories memories, int32_t since);

/* --- whom one knows --- */

enum { FOLLOWS = 1, FOLLOWED = 2 };

struct relation {
    uint32_t who;
    uint16_t met;        /* how often, stays at its maximum */
    uint16_t last_day;   /* of the last contact */
    int8_t liking;       /* -100 to 100 */
    uint8_t familiarity; /* 0 to 100 */
    uint8_t flags;
    uint8_t said_today; /* messages to it on `last_day`: what keeps two from answering for ever */
};
static_assert(sizeof(struct relation) == 12, "a dozen a resident");

struct relations {
    struct relation *relation;
    uint8_t *count;
    uint8_t slots;
};

struct relation *relation_find(struct relations relations, uint32_t who); /* or NULL */
/* Found, or made on `day`; then the weakest tie is given up if there is no room. */
struct relation *relation_get(struct relations relations, uint32_t who, int32_t day);
/* Give up the weakest ties until there are at most `most`; the others keep their order. */
void relation_trim(struct relations relations, uint8_t most, int32_t day);
/* One more contact on `day` that was so pleasant (-100 to 100). */
void relation_meet(struct relation *relation, int32_t day, int pleasant, int closer);
/* How much one wants to see somebody: 0 strangers to 100. */
int relation_bond(const struct relation *relation);
