/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/mem.h"
#include "base/rng.h"
#include "town/agenda.h"
#include "town/gametime.h"

static struct item moment(int32_t at, enum priority priority, uint32_t who, uint32_t data)
{
    return (struct item){.at = at, .priority = (uint8_t)priority, .who = who, .data = data};
}

static struct item lasting(int32_t at, uint16_t minutes, uint32_t who)
{
    return (struct item){.at = at, .minutes = minutes, .priority = PRIORITY_NORMAL, .who = who};
}

static void items_come_by_minute_then_priority_then_insertion(void **state)
{
    (void)state;
    struct agenda *agenda = agenda_new(3, 100);
    const struct item items[] = {
        moment(200, PRIORITY_NORMAL, 0, 4),     moment(200, PRIORITY_LOW, 1, 5),
        moment(150, PRIORITY_LOW, 2, 1),        moment(200, PRIORITY_CRITICAL, 2, 2),
        moment(200, PRIORITY_EMERGENCY, 0, 3),  moment(9000, PRIORITY_CRITICAL, 1, 7),
        moment(201, PRIORITY_BACKGROUND, 1, 6),
    };
    for (size_t i = 0; i < COUNT_OF(items); i++) agenda_add(agenda, &items[i]);
    agenda_check(agenda);
    assert_int_equal(agenda_next_at(agenda), 150);
    struct item item;
    for (uint32_t expected = 1; expected <= 6; expected++) {
        assert_true(agenda_pop(agenda, 1000, &item));
        assert_int_equal(item.data, expected);
        agenda_check(agenda);
    }
    assert_false(agenda_pop(agenda, 1000, &item));
    assert_int_equal(agenda_now(agenda), 1000);
    assert_int_equal(agenda_next_at(agenda), 9000);
    assert_true(agenda_pop(agenda, 10000, &item));
    assert_int_equal(item.data, 7);
    assert_int_equal(agenda_count(agenda), 0);
    agenda_free(agenda);
}

static void what_lasts_comes_as_a_start_and_as_an_end(void **state)
{
    (void)state;
    struct agenda *agenda = agenda_new(1, 0);
    struct item plan = lasting(10, 5000, 0), item;
    uint32_t seq = agenda_add(agenda, &plan);
    assert_true(agenda_pop(agenda, 10, &item));
    assert_int_equal(item.status, ITEM_IN_PROGRESS);
    assert_int_equal(item.seq, seq);
    assert_false(agenda_pop(agenda, 5009, &item));
    agenda_check(agenda);
    assert_true(agenda_pop(agenda, 5010, &item));
    assert_int_equal(item.status, ITEM_COMPLETED);
    assert_int_equal(item.seq, seq);
    agenda_free(agenda);
}

static void nobody_does_two_things_at_once(void **state)
{
    (void)state;
    struct agenda *agenda = agenda_new(2, 0);
    struct item first = lasting(60, 30, 0), second = lasting(200, 10, 0), found;
    agenda_add(agenda, &first);
    agenda_add(agenda, &second);
    assert_true(agenda_find_conflict(agenda, 0, 0, 300, &found));
    assert_int_equal(found.at, 60);
    assert_true(agenda_find_conflict(agenda, 0, 89, 90, &found));
    assert_false(agenda_find_conflict(agenda, 0, 90, 200, &found)); /* half-open */
    assert_false(agenda_find_conflict(agenda, 0, 0, 60, &found));
    assert_false(agenda_find_conflict(agenda, 1, 0, 300, &found)); /* somebody else's */
    agenda_free(agenda);
}

/* --- against a list that does the same slowly --- */

enum { OWNERS = 20, STEPS = 20000 };

struct model {
    struct item items[4096];
    size_t count;
};

static int32_t model_edge(const struct item *item)
{
    return item->status == ITEM_IN_PROGRESS ? item->at + item->minutes : item->at;
}

static bool model_before(const struct item *a, const struct item *b)
{
    if (model_edge(a) != model_edge(b)) return model_edge(a) < model_edge(b);
    if (a->priority != b->priority) return a->priority < b->priority;
    return a->seq < b->seq;
}

static bool model_pop(struct model *model, int32_t until, struct item *out)
{
    size_t best = model->count;
    for (size_t i = 0; i < model->count; i++) {
        if (model_edge(&model->items[i]) > until) continue;
        if (best == model->count || model_before(&model->items[i], &model->items[best])) best = i;
    }
    if (best == model->count) return false;
    struct item *item = &model->items[best];
    bool starts = item->minutes > 0 && item->status == ITEM_PENDING;
    item->status = starts ? ITEM_IN_PROGRESS : ITEM_COMPLETED;
    *out = *item;
    if (!starts) *item = model->items[--model->count];
    return true;
}

static void same_item(const struct item *a, const struct item *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->at, b->at);
    assert_int_equal(a->data, b->data);
}

static void it_agrees_with_a_slow_list_whatever_happens(void **state)
{
    (void)state;
    struct model *model = NEW(struct model);
    struct agenda *agenda = agenda_new(OWNERS, 0);
    struct rng rng;
    rng_init(&rng, 7, 7);
    for (int step = 0; step < STEPS; step++) {
        uint32_t dice = rng_below(&rng, 10);
        if (dice < 4 && model->count < COUNT_OF(model->items)) {
            uint32_t far = rng_below(&rng, 20) == 0 ? 9000 : 700;
            struct item item = {.at = agenda_now(agenda) + (int32_t)rng_below(&rng, far),
                                .minutes = (uint16_t)(rng_below(&rng, 2) * rng_below(&rng, 3000)),
                                .priority = (uint8_t)rng_below(&rng, PRIORITY_COUNT),
                                .who = rng_below(&rng, OWNERS),
                                .data = (uint32_t)step};
            item.seq = agenda_add(agenda, &item);
            model->items[model->count++] = item;
        } else if (dice < 5 && model->count > 0) {
            size_t at = rng_below(&rng, (uint32_t)model->count);
            struct item gone;
            assert_true(agenda_cancel(agenda, model->items[at].who, model->items[at].seq, &gone));
            assert_int_equal(gone.status, ITEM_CANCELLED);
            assert_false(agenda_cancel(agenda, model->items[at].who, model->items[at].seq, &gone));
            model->items[at] = model->items[--model->count];
        } else {
            int32_t until = agenda_now(agenda) + (int32_t)rng_below(&rng, 40);
            struct item ours, theirs;
            bool any = agenda_pop(agenda, until, &ours);
            assert_int_equal(any, model_pop(model, until, &theirs));
            if (any) same_item(&ours, &theirs);
        }
        assert_int_equal(agenda_count(agenda), model->count);
        if (step % 97 == 0) agenda_check(agenda);
    }
    agenda_free(agenda);
    mem_free(model);
}

static void an_agenda_read_back_goes_on_in_the_same_order(void **state)
{
    (void)state;
    struct agenda *agenda = agenda_new(OWNERS, 0);
    struct rng rng;
    rng_init(&rng, 3, 3);
    struct item item;
    for (int i = 0; i < 2000; i++) {
        struct item plan =
            moment((int32_t)rng_below(&rng, 9000), (enum priority)rng_below(&rng, PRIORITY_COUNT),
                   rng_below(&rng, OWNERS), (uint32_t)i);
        agenda_add(agenda, &plan);
    }
    for (int i = 0; i < 500; i++) assert_true(agenda_pop(agenda, 9000, &item));
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    agenda_write(agenda, &bytes);
    struct str rest = buf_str(&bytes);
    struct agenda *again = agenda_read(&rest, OWNERS);
    assert_non_null(again);
    assert_int_equal(rest.len, 0);
    agenda_check(again);
    struct item other;
    while (agenda_pop(agenda, 9000, &item)) {
        assert_true(agenda_pop(again, 9000, &other));
        same_item(&item, &other);
    }
    assert_false(agenda_pop(again, 9000, &other));
    agenda_free(again);
    for (size_t cut = 0; cut < bytes.len; cut += 1 + bytes.len / 50) {
        rest = (struct str){bytes.at, cut};
        assert_null(agenda_read(&rest, OWNERS));
    }
    buf_release(&bytes);
    agenda_free(agenda);
}

struct walk {
    struct item last;
    size_t count;
};

static bool walk_on(const struct item *item, void *ctx)
{
    struct walk *walk = ctx;
    if (walk->count) assert_true(model_before(&walk->last, item));
    walk->last = *item;
    walk->count++;
    return true;
}

static bool count_only(const struct item *item, void *ctx)
{
    (void)item;
    ++*(size_t *)ctx;
    return true;
}

static void a_range_is_walked_in_order_and_an_owners_items_alone(void **state)
{
    (void)state;
    struct agenda *agenda = agenda_new(4, 0);
    for (uint32_t i = 0; i < 400; i++) {
        struct item item = moment((int32_t)(i * 37 % 400) * 2, (enum priority)(i % 6), i % 4, i);
        agenda_add(agenda, &item);
    }
    struct walk walk = {0};
    agenda_each(agenda, 100, 600, walk_on, &walk);
    assert_int_equal(walk.count, 250);
    size_t mine = 0;
    agenda_each_of(agenda, 2, count_only, &mine);
    assert_int_equal(mine, 100);
    agenda_free(agenda);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_by_minute_then_priority_then_insertion),
        cmocka_unit_test(what_lasts_comes_as_a_start_and_as_an_end),
        cmocka_unit_test(nobody_does_two_things_at_once),
        cmocka_unit_test(it_agrees_with_a_slow_list_whatever_happens),
        cmocka_unit_test(an_agenda_read_back_goes_on_in_the_same_order),
        cmocka_unit_test(a_range_is_walked_in_order_and_an_owners_items_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
