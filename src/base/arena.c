/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>

#include "base/mem.h"

enum { CHUNK_BYTES = 4096 - 64, ALIGN = alignof(max_align_t) };

struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes;
    alignas(max_align_t) char space[];
};

static void add_chunk(struct arena *arena, size_t bytes)
{
    struct arena_chunk *chunk = mem_alloc_raw(sizeof(*chunk) + bytes);
    chunk->next = arena->chunks;
    chunk->bytes = bytes;
    arena->chunks = chunk;
    arena->at = chunk->space;
    arena->end = chunk->space + bytes;
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
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL) return;
    while (chunk->next) {
        struct arena_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
    if (chunk->bytes > CHUNK_BYTES) { /* one large request must not stay for ever */
        mem_free(chunk);
        *arena = (struct arena){0};
        return;
    }
    arena->chunks = chunk;
    arena->at = chunk->space;
    arena->end = chunk->space + chunk->bytes;
}

static void *take(struct arena *arena, size_t bytes)
{
    size_t wanted = (bytes + ALIGN - 1) & ~((size_t)ALIGN - 1);
    ASSERT(wanted >= bytes);
    if ((size_t)(arena->end - arena->at) < wanted || arena->at == NULL) {
        add_chunk(arena, MAX(wanted, (size_t)CHUNK_BYTES));
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
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(len >= 0);
    char *text = take(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (struct str){text, (size_t)len};
}
