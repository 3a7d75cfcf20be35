/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/blob.h: immutable, counted bytes that many readers share.
 *
 * An event is built once and waits in the queues of a thousand sockets; the
 * last one out frees it. References may be taken and dropped on any thread.
 */
#pragma once

#include <stdatomic.h>

#include "base/str.h"

struct blob {
    atomic_uint refs;
    size_t len;
    char at[];
};

/* One reference, the caller's. Fill `at` before sharing it. */
struct blob *blob_new(size_t len);
struct blob *blob_copy(struct str bytes);
struct blob *blob_ref(struct blob *blob);
/* Take or drop `count` references with one atomic operation. NULL is fine for unref. */
void blob_ref_many(struct blob *blob, unsigned count);
void blob_unref_many(struct blob *blob, unsigned count);
void blob_unref(struct blob *blob);

static inline struct str blob_str(const struct blob *blob)
{
    return (struct str){blob->at, blob->len};
}
