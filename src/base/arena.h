/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/arena.h: memory that dies together, with a request, a parse or a step.
 *
 * Bump allocation out of chunks; nothing is freed alone. The arena is the
 * first argument of whoever allocates, so a signature tells the lifetime.
 * One thread at a time; it may travel between threads with its owner.
 */
#pragma once

#include "base/str.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* owned; newest first */
    char *at, *end;             /* free space in the newest chunk */
};

/* A zeroed struct is a ready, empty arena. */
void arena_release(struct arena *arena);
/* Everything handed out is gone; the newest chunk is kept for the next use. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(struct arena *arena, size_t bytes) __attribute__((returns_nonnull));
/* A copy with a NUL behind it. */
struct str arena_copy(struct arena *arena, struct str s);
/* The same, but what has no text (`at` NULL) stays without. */
static inline struct str arena_keep(struct arena *arena, struct str s)
{
    return s.at ? arena_copy(arena, s) : s;
}
struct str arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))
