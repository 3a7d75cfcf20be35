/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/map.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/rng.h"

struct map_slot {
    uint64_t hash;
    const char *key;
    size_t key_len;
    void *value; /* NULL: free */
};

/* Drawn once per process, never changed afterwards; the only state here. */
static uint64_t hash_key[2];
static atomic_int hash_key_state; /* 0 none, 1 being drawn, 2 ready */

static void draw_hash_key(void)
{
    int none = 0;
    if (atomic_compare_exchange_strong(&hash_key_state, &none, 1)) {
        random_bytes(hash_key, sizeof(hash_key));
        atomic_store(&hash_key_state, 2);
    }
    while (atomic_load(&hash_key_state) != 2) continue;
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

struct sip {
    uint64_t a, b, c, d;
};

static inline void sip_round(struct sip *v)
{
    v->a += v->b, v->b = rotate(v->b, 13) ^ v->a, v->a = rotate(v->a, 32);
    v->c += v->d, v->d = rotate(v->d, 16) ^ v->c;
    v->a += v->d, v->d = rotate(v->d, 21) ^ v->a;
    v->c += v->b, v->b = rotate(v->b, 17) ^ v->c, v->c = rotate(v->c, 32);
}

/* SipHash with one compression and three finalisation rounds (Aumasson, Bernstein 2012). */
uint64_t map_hash(struct str key)
{
    if (atomic_load_explicit(&hash_key_state, memory_order_acquire) != 2) draw_hash_key();
    struct sip v = {
        hash_key[0] ^ UINT64_C(0x736f6d6570736575), hash_key[1] ^ UINT64_C(0x646f72616e646f6d),
        hash_key[0] ^ UINT64_C(0x6c7967656e657261), hash_key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word = 0;
    size_t whole = key.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, key.at + i, 8);
        v.d ^= word;
        sip_round(&v);
        v.a ^= word;
    }
    word = (uint64_t)key.len << 56;
    for (size_t i = whole; i < key.len; i++) {
        word |= (uint64_t)(unsigned char)key.at[i] << (8 * (i - whole));
    }
    v.d ^= word;
    sip_round(&v);
    v.a ^= word;
    v.c ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(&v);
    return v.a ^ v.b ^ v.c ^ v.d;
}

void map_release(struct map *map)
{
    mem_free(map->slots);
    *map = (struct map){0};
}

/* The slot that holds the key, or the free one where it would go. */
static struct map_slot *probe(const struct map *map, uint64_t hash, struct str key)
{
    size_t mask = map->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *slot = &map->slots[i];
        if (slot->value == NULL) return slot;
        if (slot->hash == hash && str_eq((struct str){slot->key, slot->key_len}, key)) return slot;
    }
}

static void grow(struct map *map)
{
    struct map bigger = {.cap = map->cap ? map->cap * 2 : 8, .count = map->count};
    bigger.slots = mem_alloc(bigger.cap * sizeof(struct map_slot));
    for (size_t i = 0; i < map->cap; i++) {
        struct map_slot *slot = &map->slots[i];
        if (slot->value == NULL) continue;
        *probe(&bigger, slot->hash, (struct str){slot->key, slot->key_len}) = *slot;
    }
    mem_free(map->slots);
    *map = bigger;
}

void *map_find(const struct map *map, struct str key)
{
    return map->count == 0 ? NULL : probe(map, map_hash(key), key)->value;
}

void map_add(struct map *map, struct str key, void *value)
{
    ASSERT(value != NULL);
    if ((map->count + 1) * 4 > map->cap * 3) grow(map);
    uint64_t hash = map_hash(key);
    struct map_slot *slot = probe(map, hash, key);
    ASSERT(slot->value == NULL);
    *slot = (struct map_slot){hash, key.at, key.len, value};
    map->count++;
}

void *map_remove(struct map *map, struct str key)
{
    if (map->count == 0) return NULL;
    struct map_slot *slot = probe(map, map_hash(key), key);
    void *value = slot->value;
    if (value == NULL) return NULL;
    map->count--;

    /* Close the hole: move back whatever probed past it. */
    size_t mask = map->cap - 1, hole = (size_t)(slot - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].value; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct map_slot){0};
    return value;
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->cap) {
        struct map_slot *slot = &map->slots[(*at)++];
        if (slot->value) return slot->value;
    }
    return NULL;
}

void map_check(const struct map *map)
{
    size_t count = 0;
    for (size_t i = 0; i < map->cap; i++) {
        const struct map_slot *slot = &map->slots[i];
        if (slot->value == NULL) continue;
        count++;
        ASSERT(probe(map, slot->hash, (struct str){slot->key, slot->key_len}) == slot);
    }
    ASSERT(count == map->count);
    ASSERT(map->cap == 0 || count < map->cap);
}
