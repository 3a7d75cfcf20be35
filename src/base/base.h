/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/base.h: the words every file uses: integers, assertions, attributes.
 *
 * ASSERT stays on in release builds and means that *we* are wrong. It never
 * judges input from network, store, file or model; those get an enum err.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#ifndef MIN /* <sys/param.h> has the same two, and libraries include it */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

/* Prints where and what to standard error, then aborts. */
_Noreturn void assert_failed(const char *condition, const char *file, int line, const char *func);

/* Ids of different things are different types, so the compiler finds the swapped pair. */
struct user_id {
    uint64_t value;
};
struct post_id {
    uint64_t value;
};
struct comment_id {
    uint64_t value;
};
struct message_id {
    uint64_t value;
};
struct group_id {
    uint64_t value;
};
struct key_id {
    uint64_t value;
};
struct notification_id {
    uint64_t value;
};
