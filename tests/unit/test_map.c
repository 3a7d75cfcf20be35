/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

struct thing {
    uint64_t id;
    char name[24];
    bool is_in;
};

enum { THINGS = 10000 };

static struct thing *make_things(void)
{
    struct thing *things = mem_alloc(THINGS * sizeof(*things));
    for (uint64_t i = 0; i < THINGS; i++) {
        things[i].id = i * 64; /* low bits alike: the hash must spread them */
        snprintf(things[i].name, sizeof(things[i].name), "member-%llu", (unsigned long long)i);
    }
    return things;
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map map = {0};
    size_t at = 0;
    assert_null(map_find(&map, STR("a")));
    assert_null(map_remove(&map, STR("a")));
    assert_null(map_next(&map, &at));
    map_check(&map);
    map_release(&map);
}

static void keys_are_bytes(void **state)
{
    (void)state;
    static int values[5];
    const struct str keys[] = {STR(""), STR("a"), STR("a\0"), STR("a\0b"), STR("A")};
    struct map map = {0};
    for (size_t i = 0; i < COUNT_OF(keys); i++) map_add(&map, keys[i], &values[i]);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_ptr_equal(map_find(&map, keys[i]), &values[i]);
    }
    assert_null(map_find(&map, STR("b")));
    map_check(&map);
    map_release(&map);
}

static void ten_thousand_come_are_found_and_go(void **state)
{
    (void)state;
    struct thing *things = make_things();
    struct map by_id = {0}, by_name = {0};
    for (size_t i = 0; i < THINGS; i++) {
        map_add(&by_id, MAP_KEY(&things[i].id), &things[i]);
        map_add(&by_name, str_of(things[i].name), &things[i]);
    }
    map_check(&by_id);
    map_check(&by_name);
    assert_int_equal(by_id.count, THINGS);
    for (size_t i = 0; i < THINGS; i++) {
        assert_ptr_equal(map_find(&by_id, MAP_KEY(&things[i].id)), &things[i]);
        assert_ptr_equal(map_find(&by_name, str_of(things[i].name)), &things[i]);
    }

    /* Every other one goes; the rest must still be reachable past the holes. */
    for (size_t i = 0; i < THINGS; i += 2) {
        assert_ptr_equal(map_remove(&by_id, MAP_KEY(&things[i].id)), &things[i]);
        assert_null(map_remove(&by_id, MAP_KEY(&things[i].id)));
    }
    map_check(&by_id);
    for (size_t i = 0; i < THINGS; i++) {
        assert_ptr_equal(map_find(&by_id, MAP_KEY(&things[i].id)), i % 2 ? &things[i] : NULL);
    }
    for (size_t i = 1; i < THINGS; i += 2) map_remove(&by_id, MAP_KEY(&things[i].id));
    assert_int_equal(by_id.count, 0);
    map_check(&by_id);
    map_release(&by_id);
    map_release(&by_name);
    mem_free(things);
}

static void a_walk_meets_each_value_once(void **state)
{
    (void)state;
    struct thing *things = make_things();
    struct map map = {0};
    for (size_t i = 0; i < THINGS; i++) map_add(&map, MAP_KEY(&things[i].id), &things[i]);
    size_t at = 0, met = 0;
    for (struct thing *thing; (thing = map_next(&map, &at)) != NULL; met++) {
        assert_false(thing->is_in);
        thing->is_in = true;
    }
    assert_int_equal(met, THINGS);
    assert_null(map_next(&map, &at));
    map_release(&map);
    mem_free(things);
}

/* Against the plainest model there is: a flag in each thing. */
static void a_random_life_keeps_the_invariants(void **state)
{
    (void)state;
    struct thing *things = make_things();
    struct rng rng;
    rng_init(&rng, 42, 1);
    struct map map = {0};
    size_t count = 0;
    for (int round = 0; round < 200000; round++) {
        /* Few keys at first, many later: both crowded and sparse tables. */
        struct thing *thing = &things[rng_below(&rng, round < 50000 ? 12 : 3000)];
        struct str key = MAP_KEY(&thing->id);
        assert_ptr_equal(map_find(&map, key), thing->is_in ? thing : NULL);
        if (thing->is_in) {
            assert_ptr_equal(map_remove(&map, key), thing);
            count--;
        } else {
            map_add(&map, key, thing);
            count++;
        }
        thing->is_in = !thing->is_in;
        assert_int_equal(map.count, count);
        if (round % 1000 == 0) map_check(&map);
    }
    map_check(&map);
    map_release(&map);
    mem_free(things);
}

static void equal_keys_hash_alike_and_others_hardly_ever(void **state)
{
    (void)state;
    char a[] = "same key, other place", b[] = "same key, other place";
    assert_true(map_hash(str_of(a)) == map_hash(str_of(b)));
    /* One changed bit changes about half of the hash's bits, wherever it is. */
    uint64_t before = map_hash(str_of(a));
    for (size_t bit = 0; bit < 8 * (sizeof(a) - 1); bit++) {
        a[bit / 8] ^= (char)(1 << bit % 8);
        uint64_t after = map_hash((struct str){a, sizeof(a) - 1});
        assert_in_range(__builtin_popcountll(before ^ after), 8, 56);
        a[bit / 8] ^= (char)(1 << bit % 8);
    }
    /* Zeros of different lengths differ too. */
    static const char zeros[32];
    for (size_t len = 0; len < sizeof(zeros); len++) {
        for (size_t other = 0; other < len; other++) {
            assert_true(map_hash((struct str){zeros, len}) != map_hash((struct str){zeros, other}));
        }
    }
}

static void add_twice(void)
{
    int value;
    struct map map = {0};
    map_add(&map, STR("a"), &value);
    map_add(&map, STR("a"), &value);
}

static void add_nothing(void)
{
    struct map map = {0};
    map_add(&map, STR("a"), NULL);
}

static void adding_twice_or_nothing_is_our_mistake(void **state)
{
    (void)state;
    assert_true(aborts(add_twice));
    assert_true(aborts(add_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(ten_thousand_come_are_found_and_go),
        cmocka_unit_test(a_walk_meets_each_value_once),
        cmocka_unit_test(a_random_life_keeps_the_invariants),
        cmocka_unit_test(equal_keys_hash_alike_and_others_hardly_ever),
        cmocka_unit_test(adding_twice_or_nothing_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
