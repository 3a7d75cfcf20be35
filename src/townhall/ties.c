/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/ties.c: who is close to whom, as a graph to draw.
 *
 * A tie is a bond above STUDY_TIE_BOND, as the reports count it, and goes one way:
 * the other may think differently. Of a large town those with the most ties are
 * shown, for more than some hundred circles nobody can read.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "townhall/internal.h"
#include "townhall/study.h"

struct knot {
    uint32_t who, ties;
};

static bool is_tie(const struct hall *hall, const struct relation *relation)
{
    return relation->who < town_resident_count(hall->town) &&
           !town_is_gone(hall->town, relation->who) && relation_bond(relation) > STUDY_TIE_BOND;
}

static int by_ties(const void *a, const void *b)
{
    const struct knot *x = a, *y = b;
    if (x->ties != y->ties) return x->ties < y->ties ? 1 : -1;
    return (x->who > y->who) - (x->who < y->who);
}

static void find_knots(const struct hall *hall, const uint32_t *people, uint32_t count,
                       struct knot *knots)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t known;
        const struct relation *relations = town_relations(hall->town, people[i], &known);
        knots[i] = (struct knot){.who = people[i]};
        for (size_t j = 0; j < known; j++) knots[i].ties += is_tie(hall, &relations[j]);
    }
    qsort(knots, count, sizeof(*knots), by_ties);
}

static void put_ties_of(const struct hall *hall, struct json_out *out, const bool *shown,
                        uint32_t who)
{
    size_t known;
    const struct relation *relations = town_relations(hall->town, who, &known);
    for (size_t i = 0; i < known; i++) {
        if (!is_tie(hall, &relations[i]) || !shown[relations[i].who]) continue;
        json_open(out, NULL, '{');
        json_put_u64(out, "from", cast_user(&hall->cast, who).value);
        json_put_u64(out, "to", cast_user(&hall->cast, relations[i].who).value);
        json_put_i64(out, "bond", relation_bond(&relations[i]));
        json_put_i64(out, "liking", relations[i].liking);
        json_close(out, '}');
    }
}

static void put_graph(const struct hall *hall, struct json_out *out, const struct knot *knots,
                      uint32_t count, const bool *shown)
{
    json_open(out, "residents", '[');
    for (uint32_t i = 0; i < count; i++) {
        if (!shown[knots[i].who]) continue;
        json_open(out, NULL, '{');
        json_put_u64(out, "id", cast_user(&hall->cast, knots[i].who).value);
        json_put_str(out, "name", hall->cast.players[knots[i].who].name);
        json_put_u64(out, "ties", knots[i].ties);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_open(out, "ties", '[');
    for (uint32_t i = 0; i < count; i++)
        if (shown[knots[i].who]) put_ties_of(hall, out, shown, knots[i].who);
    json_close(out, ']');
}

void ties_write(const struct hall *hall, uint32_t most, struct buf *json)
{
    uint32_t living;
    uint32_t *people = needs_people(hall->town, &living);
    struct knot *knots = mem_alloc(sizeof(*knots) * (living + 1));
    bool *shown = mem_alloc(sizeof(*shown) * (town_resident_count(hall->town) + 1));
    find_knots(hall, people, living, knots);
    uint32_t count = MIN(living, most);
    /* Whose account went a moment ago is still in the town, and has no name any more. */
    for (uint32_t i = 0; i < count; i++)
        shown[knots[i].who] = cast_user(&hall->cast, knots[i].who).value != 0;
    struct json_out out = json_begin(json);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "living", living);
    put_graph(hall, &out, knots, count, shown);
    json_close(&out, '}');
    mem_free(shown);
    mem_free(knots);
    mem_free(people);
}
