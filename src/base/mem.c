/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/mem.h"

_Noreturn void assert_failed(const char *condition, const char *file, int line, const char *func)
{
    fprintf(stderr, "error assert.failed condition=\"%s\" at=%s:%d in=%s\n", condition, file, line,
            func);
    abort();
}

static void *there(void *memory, size_t bytes)
{
    if (memory == NULL && bytes > 0) {
        fprintf(stderr, "error memory.exhausted bytes=%zu\n", bytes);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t bytes)
{
    return there(calloc(1, bytes ? bytes : 1), bytes);
}

void *mem_alloc_raw(size_t bytes)
{
    return there(malloc(bytes ? bytes : 1), bytes);
}

void *mem_alloc_aligned(size_t bytes, size_t alignment)
{
    if (alignment <= _Alignof(max_align_t)) return mem_alloc(bytes);
    void *memory = there(aligned_alloc(alignment, bytes), bytes);
    memset(memory, 0, bytes);
    return memory;
}

void *mem_resize(void *memory, size_t bytes)
{
    return there(realloc(memory, bytes ? bytes : 1), bytes);
}

void *mem_copy(const void *from, size_t bytes)
{
    void *copy = mem_alloc_raw(bytes);
    if (bytes > 0) memcpy(copy, from, bytes);
    return copy;
}

char *mem_copy_text(const char *text)
{
    return mem_copy(text, strlen(text) + 1);
}

void mem_free(void *memory)
{
    free(memory);
}
