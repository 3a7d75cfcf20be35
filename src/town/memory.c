/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/memory.h"

#include "town/gametime.h"
#include "town/place.h"
#include "town/resident.h"

enum {
    THOUSAND = 1000,
    /* 0.995^h falls to a tenth in 460 hours; past this it rounds to little. */
    RECENCY_HOURS = 1024,
    RECENCY_STEP = 32, /* hours between entries of the table */
    RELEVANCE_PERSON = 600,
    RELEVANCE_SUBJECT = 300,
    RELEVANCE_PLACE = 100,
};

const char *memory_type_name(enum memory_type type)
{
    static const char *const names[MEMORY_TYPE_COUNT] = {"common", "daily", "important",
                                                         "knowledge", "relation"};
    return names[type];
}

/* 1000 × 0.995^hours, between entries in a straight line: at most 0.4 % off. */
static int recency(int32_t minutes)
{
    static const uint16_t table[RECENCY_HOURS / RECENCY_STEP + 1] = {
        1000, 852, 726, 618, 526, 448, 382, 325, 277, 236, 201, 171, 146, 124, 106, 90, 77,
        65,   56,  47,  40,  34,  29,  25,  21,  18,  15,  13,  11,  10,  8,   7,   6};
    int hours = minutes / MINUTES_PER_HOUR;
    if (hours >= RECENCY_HOURS) return table[RECENCY_HOURS / RECENCY_STEP];
    int from = table[hours / RECENCY_STEP], until = table[hours / RECENCY_STEP + 1];
    return from - (from - until) * (hours % RECENCY_STEP) / RECENCY_STEP;
}

static int weight(const struct memory *memory, int32_t now)
{
    return recency(now - memory->recalled) + memory->importance * (THOUSAND / 10);
}

int memory_score(const struct memory *memory, const struct cue *cue, int32_t now)
{
    int relevance = 0;
    if (cue->who != NOBODY && cue->who == memory->who) relevance += RELEVANCE_PERSON;
    if (cue->subject != SUBJECT_NONE && cue->subject == memory->subject)
        relevance += RELEVANCE_SUBJECT;
    if (cue->place != NOWHERE && cue->place == memory->place) relevance += RELEVANCE_PLACE;
    return weight(memory, now) + relevance;
}

/* Which one to forget: of a fifteenth day the oldest day, else the weakest. */
static size_t weakest(struct memories memories, const struct memory *coming, int32_t now)
{
    size_t days = 0, oldest_day = 0, worst = 0;
    int worst_weight = INT32_MAX;
    int32_t oldest_at = INT32_MAX;
    for (size_t i = 0; i < *memories.count; i++) {
        const struct memory *memory = &memories.memory[i];
        if (memory->type == MEMORY_DAILY) {
            days++;
            if (memory->at < oldest_at) {
                oldest_at = memory->at;
                oldest_day = i;
            }
        }
        if (memory->type == MEMORY_COMMON || memory->fact == FACT_SELF) continue;
        int w = weight(memory, now);
        if (w >= worst_weight) continue;
        worst = i;
        worst_weight = w;
    }
    return coming->type == MEMORY_DAILY && days >= DAILY_MAX ? oldest_day : worst;
}

static bool too_many_days(struct memories memories, const struct memory *coming)
{
    if (coming->type != MEMORY_DAILY) return false;
    size_t days = 0;
    for (size_t i = 0; i < *memories.count; i++) days += memories.memory[i].type == MEMORY_DAILY;
    return days >= DAILY_MAX;
}

void memory_add(struct memories memories, const struct memory *memory, int32_t now)
{
    ASSERT(memory->importance >= 1 && memory->importance <= 10 && memory->fact < FACT_COUNT);
    ASSERT(memories.slots >= MEMORY_SLOTS_MIN && *memories.count <= memories.slots);
    bool full = *memories.count == memories.slots || too_many_days(memories, memory);
    size_t at = full ? weakest(memories, memory, now) : (*memories.count)++;
    memories.memory[at] = *memory;
    memories.memory[at].recalled = now;
}

void memory_trim(struct memories memories, uint8_t most, int32_t now)
{
    const struct memory none = {.type = MEMORY_COMMON};
    while (*memories.count > most) {
        size_t at = weakest(memories, &none, now), after = --(*memories.count) - at;
        memmove(&memories.memory[at], &memories.memory[at + 1], sizeof(struct memory) * after);
    }
}

enum { RECALL_MAX = 16 };

size_t memory_rank(const struct memory *memories, size_t total, const struct cue *cue, int32_t now,
                   const struct memory **found_out, size_t max)
{
    ASSERT(max > 0 && max <= RECALL_MAX);
    int scores[RECALL_MAX];
    size_t count = 0;
    for (size_t i = 0; i < total; i++) {
        const struct memory *memory = &memories[i];
        int score = memory_score(memory, cue, now);
        size_t at = count;
        while (at > 0 && (scores[at - 1] < score ||
                          (scores[at - 1] == score && found_out[at - 1]->at < memory->at)))
            at--;
        if (at == max) continue;
        if (count < max) count++;
        for (size_t j = count - 1; j > at; j--) {
            scores[j] = scores[j - 1];
            found_out[j] = found_out[j - 1];
        }
        scores[at] = score;
        found_out[at] = memory;
    }
    return count;
}

/* It was there before anything happened. */
static bool was_always_known(const struct memory *memory)
{
    return memory->fact == FACT_COMMON || memory->fact == FACT_SELF;
}

size_t memory_recall(struct memories memories, const struct cue *cue, int32_t now,
                     const struct memory **found_out, size_t max)
{
    size_t known = 0; /* first of all, and they stay where they are */
    while (known < *memories.count && was_always_known(&memories.memory[known])) known++;
    size_t count =
        memory_rank(memories.memory + known, *memories.count - known, cue, now, found_out, max);
    for (size_t i = 0; i < count; i++)
        memories.memory[found_out[i] - memories.memory].recalled = now;
    return count;
}

const struct memory *memory_best_since(struct memories memories, int32_t since)
{
    const struct memory *best = NULL;
    for (size_t i = 0; i < *memories.count; i++) {
        const struct memory *memory = &memories.memory[i];
        if (memory->at < since || memory->fact == FACT_DAY || memory->fact == FACT_THOUGHT ||
            was_always_known(memory))
            continue;
        if (!best || memory->importance > best->importance ||
            (memory->importance == best->importance && memory->at > best->at))
            best = memory;
    }
    return best;
}

/* --- relations --- */

struct relation *relation_find(struct relations relations, uint32_t who)
{
    for (size_t i = 0; i < *relations.count; i++)
        if (relations.relation[i].who == who) return relations.relation + i;
    return NULL;
}

static size_t weakest_tie(struct relations relations, int32_t day)
{
    size_t at = 0;
    int least = INT32_MAX;
    for (size_t i = 0; i < *relations.count; i++) {
        const struct relation *relation = &relations.relation[i];
        int dislike = -relation->liking; /* a strong dislike is a tie too */
        int tie = relation->familiarity * 2 + MAX(relation->liking, dislike) -
                  MIN(day - relation->last_day, 100);
        if (tie >= least) continue;
        least = tie;
        at = i;
    }
    return at;
}

void relation_trim(struct relations relations, uint8_t most, int32_t day)
{
    while (*relations.count > most) {
        size_t at = weakest_tie(relations, day), after = --(*relations.count) - at;
        memmove(&relations.relation[at], &relations.relation[at + 1],
                sizeof(struct relation) * after);
    }
}

struct relation *relation_get(struct relations relations, uint32_t who, int32_t day)
{
    ASSERT(who != NOBODY && relations.slots > 0);
    struct relation *found = relation_find(relations, who);
    if (found) return found;
    size_t at = *relations.count;
    if (at < relations.slots)
        (*relations.count)++;
    else
        at = weakest_tie(relations, day);
    relations.relation[at] =
        (struct relation){.who = who, .last_day = (uint16_t)MIN(day, UINT16_MAX)};
    return relations.relation + at;
}

void relation_meet(struct relation *relation, int32_t day, int pleasant, int closer)
{
    if (relation->last_day != (uint16_t)day) relation->said_today = 0;
    relation->last_day = (uint16_t)MIN(day, UINT16_MAX);
    if (relation->met < UINT16_MAX) relation->met++;
    relation->familiarity = (uint8_t)MIN(relation->familiarity + closer, 100);
    /* A seventh of the way towards how it was this time: one bad evening ends no friendship. */
    int liking = relation->liking + (pleasant - relation->liking) / 7 +
                 (pleasant > relation->liking) - (pleasant < relation->liking);
    relation->liking = (int8_t)MIN(MAX(liking, -100), 100);
}

int relation_bond(const struct relation *relation)
{
    return relation->liking <= 0 ? 0 : (relation->liking + relation->familiarity) / 2;
}
