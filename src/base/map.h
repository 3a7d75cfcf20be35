/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/map.h: from a run of bytes to a pointer.
 *
 * Open addressing with linear probing, keys borrowed: they live in the value
 * or as long as it. Hashed with SipHash-1-3 under a key drawn at start-up, so
 * strangers cannot choose colliding keys. The order of map_next is not
 * defined; nothing that must repeat (the town) may depend on it.
 * One thread at a time.
 */
#pragma once

#include "base/str.h"

struct map_slot;

struct map {
    struct map_slot *slots; /* owned */
    size_t cap;             /* a power of two, or 0 */
    size_t count;
};

/* A zeroed struct is a ready, empty map. */
void map_release(struct map *map);
void *map_find(const struct map *map, struct str key); /* NULL: not there */
/* The key must not be there yet. `value` is not NULL. */
void map_add(struct map *map, struct str key, void *value);
/* The value that was there, or NULL. */
void *map_remove(struct map *map, struct str key);
/* Walk: *at starts at 0; NULL at the end. Do not change the map meanwhile. */
void *map_next(const struct map *map, size_t *at);
void map_check(const struct map *map); /* asserts the invariants */

/* Keys that are numbers: the eight bytes of `*number`, which must live with the value. */
#define MAP_KEY(number) ((struct str){(const char *)(number), sizeof(*(number))})

/* The hash on its own, for tables made otherwise. */
uint64_t map_hash(struct str key);
