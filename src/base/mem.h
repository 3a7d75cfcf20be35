/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/mem.h: heap memory that is always there.
 *
 * Running out of memory aborts: no caller could do better half-way through a
 * request. Ceilings on buffers and queues are how we avoid meeting it.
 * Any thread.
 */
#pragma once

#include "base/base.h"

/* Zeroed. `bytes` may be 0. Free with mem_free. */
void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));
/* Not zeroed: for large buffers that are filled at once. */
void *mem_alloc_raw(size_t bytes) __attribute__((malloc, returns_nonnull));
void *mem_resize(void *memory, size_t bytes) __attribute__((returns_nonnull));
void *mem_copy(const void *from, size_t bytes) __attribute__((malloc, returns_nonnull));
char *mem_copy_text(const char *text) __attribute__((malloc, returns_nonnull));
void mem_free(void *memory); /* NULL is fine */

/* The same for types that want more than malloc's alignment (libsodium's hash states). */
void *mem_alloc_aligned(size_t bytes, size_t alignment) __attribute__((malloc, returns_nonnull));

#define NEW(type) ((type *)mem_alloc_aligned(sizeof(type), _Alignof(type)))
