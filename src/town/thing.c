/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/thing.h"

static const struct thing_template templates[THING_KIND_COUNT] = {
    [THING_NONE] = {"nothing", "无", "misc", 0, 1, 0},
    [THING_PHONE] = {"phone", "手机", "tool", 200, 1, 100},
    [THING_FOOD] = {"food", "食物", "food", 500, 10, 0},
    [THING_MONEY] = {"coins", "金币", "currency", 0, 255, 0},
    [THING_PHOTO] = {"photo", "照片", "photo", 10, 1, 0},
    [THING_BOOK] = {"book", "书", "document", 400, 5, 0},
    [THING_GIFT] = {"gift", "礼物", "gift", 300, 5, 0},
};

const struct thing_template *thing_template(enum thing_kind kind)
{
    return &templates[kind];
}

uint32_t things_grams(struct things things)
{
    uint32_t grams = 0;
    for (size_t i = 0; i < *things.count; i++)
        grams += templates[things.thing[i].kind].grams * things.thing[i].quantity;
    return grams;
}

int thing_quantity(struct things things, enum thing_kind kind)
{
    int quantity = 0;
    for (size_t i = 0; i < *things.count; i++)
        if (things.thing[i].kind == kind) quantity += things.thing[i].quantity;
    return quantity;
}

bool thing_add(struct things things, enum thing_kind kind, int quantity)
{
    ASSERT(quantity > 0 && kind != THING_NONE && kind < THING_KIND_COUNT);
    const struct thing_template *template = &templates[kind];
    if (things_grams(things) + template->grams * (uint32_t)quantity > CARRY_GRAMS_MAX) return false;
    int room = (THINGS_MAX - *things.count) * template->stack_max;
    for (size_t i = 0; i < *things.count; i++)
        if (things.thing[i].kind == kind) room += template->stack_max - things.thing[i].quantity;
    if (room < quantity) return false;

    for (size_t i = 0; i < THINGS_MAX && quantity > 0; i++) {
        struct thing *thing = &things.thing[i];
        if (i == *things.count) {
            *thing = (struct thing){.kind = (uint8_t)kind, .durability = template->durability};
            (*things.count)++;
        }
        if (thing->kind != kind) continue;
        int more = MIN(quantity, template->stack_max - thing->quantity);
        thing->quantity = (uint8_t)(thing->quantity + more);
        quantity -= more;
    }
    return true;
}

static void drop_stack(struct things things, size_t at)
{
    (*things.count)--;
    for (size_t i = at; i < *things.count; i++) things.thing[i] = things.thing[i + 1];
    things.thing[*things.count] = (struct thing){0};
}

bool thing_take(struct things things, enum thing_kind kind, int quantity)
{
    ASSERT(quantity > 0);
    if (thing_quantity(things, kind) < quantity) return false;
    for (size_t i = *things.count; i-- > 0 && quantity > 0;) {
        struct thing *thing = &things.thing[i];
        if (thing->kind != kind) continue;
        int less = MIN(quantity, thing->quantity);
        thing->quantity = (uint8_t)(thing->quantity - less);
        quantity -= less;
        if (thing->quantity == 0) drop_stack(things, i);
    }
    return true;
}

bool thing_use(struct things things, enum thing_kind kind)
{
    if (kind == THING_FOOD) return thing_take(things, kind, 1);
    for (size_t i = 0; i < *things.count; i++) {
        struct thing *thing = &things.thing[i];
        if (thing->kind != kind) continue;
        if (templates[kind].durability == 0) return true;
        if (thing->durability == 0) continue;
        thing->durability--;
        return true;
    }
    return false;
}

void things_check(struct things things)
{
    ASSERT(*things.count <= THINGS_MAX && things_grams(things) <= CARRY_GRAMS_MAX);
    for (size_t i = 0; i < *things.count; i++) {
        const struct thing *thing = &things.thing[i];
        ASSERT(thing->kind != THING_NONE && thing->kind < THING_KIND_COUNT);
        ASSERT(thing->quantity > 0 && thing->quantity <= templates[thing->kind].stack_max);
        ASSERT(thing->durability <= templates[thing->kind].durability);
    }
}
