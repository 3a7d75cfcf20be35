/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/blob.h"

#include "base/mem.h"

struct blob *blob_new(size_t len)
{
    struct blob *blob = mem_alloc_raw(sizeof(*blob) + len + 1);
    atomic_init(&blob->refs, 1);
    blob->len = len;
    blob->at[len] = '\0';
    return blob;
}

struct blob *blob_copy(struct str bytes)
{
    struct blob *blob = blob_new(bytes.len);
    if (bytes.len > 0) memcpy(blob->at, bytes.at, bytes.len);
    return blob;
}

void blob_ref_many(struct blob *blob, unsigned count)
{
    unsigned before = atomic_fetch_add_explicit(&blob->refs, count, memory_order_relaxed);
    ASSERT(before > 0);
}

struct blob *blob_ref(struct blob *blob)
{
    blob_ref_many(blob, 1);
    return blob;
}

void blob_unref_many(struct blob *blob, unsigned count)
{
    if (blob == NULL || count == 0) return;
    unsigned before = atomic_fetch_sub_explicit(&blob->refs, count, memory_order_acq_rel);
    ASSERT(before >= count);
    if (before == count) mem_free(blob);
}

void blob_unref(struct blob *blob)
{
    blob_unref_many(blob, 1);
}
