/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>

#include "base/mem.h"

/* Chunks double: what is small stays small. */
enum { CHUNK_BYTES_FIRST = 576 - 64, CHUNK_BYTES_MAX = 4096 - 64, ALIGN = alignof(max_align_t) };

struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes;
    size_t step; /* `bytes`, if nothing large had needed more */
    alignas(max_align_t) char space[];
};

static void open_chunk(struct arena *arena, struct arena_chunk *chunk)
{
    arena->chunks = chunk;
    arena->at = chunk->space;
    arena->end = chunk->space + chunk->bytes;
}

static void add_chunk(struct arena *arena, size_t wanted)
{
    const struct arena_chunk *last = arena->chunks;
    size_t step = last ? MIN(2 * last->step, (size_t)CHUNK_BYTES_MAX) : CHUNK_BYTES_FIRST;
    size_t bytes = MAX(wanted, step);
    struct arena_chunk *chunk = mem_alloc_raw(sizeof(*chunk) + bytes);
    chunk->next = arena->chunks;
    chunk->bytes = bytes;
    chunk->step = step;
    open_chunk(arena, chunk);
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *newest = arena->chunks;
    if (newest == NULL) return;
    if (newest->bytes > CHUNK_BYTES_MAX) { /* one large request must not stay for ever */
        arena_release(arena);
        return;
    }
    arena->chunks = newest->next;
    arena_release(arena);
    newest->next = NULL;
    open_chunk(arena, newest);
}

static void *take(struct arena *arena, size_t bytes)
{
    size_t wanted = (bytes + ALIGN - 1) & ~((size_t)ALIGN - 1);
    ASSERT(wanted >= bytes);
    if ((size_t)(arena->end - arena->at) < wanted || arena->at == NULL) {
        add_chunk(arena, wanted);
    }
    void *memory = arena->at;
    arena->at += wanted;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    void *memory = take(arena, bytes);
    memset(memory, 0, bytes);
    return memory;
}

struct str arena_copy(struct arena *arena, struct str s)
{
    char *copy = take(arena, s.len + 1);
    if (s.len > 0) memcpy(copy, s.at, s.len);
    copy[s.len] = '\0';
    return (struct str){copy, s.len};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    size_t room = (size_t)(arena->end - arena->at);
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(arena->at, room, format, args);
    va_end(args);
    ASSERT(len >= 0);
    char *text = take(arena, (size_t)len + 1);
    if ((size_t)len >= room) vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (struct str){text, (size_t)len};
}
