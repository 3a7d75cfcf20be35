/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/conversation_cache.h: lists of conversations a loop has written lately.
 *
 * A list changes only together with an event in its reader's own topic or with
 * somebody's profile, so the two numbers of struct conversations_version say
 * whether a list written earlier is still the list. A list of another version is
 * dropped when it is asked for; past the ceiling those that nobody asked for the
 * longest go first.
 *
 * Lives on one loop. Not used with MariaDB, whose reads run on workers.
 */
#pragma once

#include "base/buf.h"
#include "store/messages.h"

struct conversation_cache;

enum {
    CONVERSATION_CACHE_BYTES_MAX =
        4 * 1024 * 1024, /* on each loop; some 270 lists of 50 partners */
    CONVERSATION_CACHE_LIST_BYTES_MAX = 256 * 1024, /* a longer one is not kept */
};

/* The question. Its bytes are a key: zero it first, also what lies between the fields. */
struct conversations_query {
    struct user_id reader;
    uint64_t before, limit;
};

struct conversation_cache *conversation_cache_new(void);
void conversation_cache_free(struct conversation_cache *cache); /* NULL is fine */

/* Append the list to `body`; false: not there. */
MUST_USE bool conversation_cache_find(struct conversation_cache *cache,
                                      const struct conversations_query *query,
                                      struct conversations_version version, struct buf *body);
void conversation_cache_keep(struct conversation_cache *cache,
                             const struct conversations_query *query,
                             struct conversations_version version, struct str body);
/* Bytes held, keys and book-keeping included; asserts the invariants. */
size_t conversation_cache_check(const struct conversation_cache *cache);
