/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/conversation_cache.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

static_assert(sizeof(struct conversations_query) == 3 * sizeof(uint64_t),
              "nothing lies between the fields of a key");

struct kept {
    struct list link; /* in `recent` */
    struct conversations_query query;
    struct conversations_version version;
    struct str body; /* behind the struct */
};

struct conversation_cache {
    struct map lists;   /* of struct kept, owned */
    struct list recent; /* the same, the one asked for the longest ago first */
    size_t bytes;
};

static struct str key_of(const struct conversations_query *query)
{
    return (struct str){(const char *)query, sizeof(*query)};
}

static size_t size_of(const struct kept *kept)
{
    return sizeof(*kept) + kept->body.len;
}

static void drop(struct conversation_cache *cache, struct kept *kept)
{
    map_remove(&cache->lists, key_of(&kept->query));
    list_remove(&kept->link);
    cache->bytes -= size_of(kept);
    mem_free(kept);
}

static struct kept *oldest(const struct conversation_cache *cache)
{
    return CONTAINER_OF(cache->recent.next, struct kept, link);
}

struct conversation_cache *conversation_cache_new(void)
{
    struct conversation_cache *cache = NEW(struct conversation_cache);
    list_init(&cache->recent);
    return cache;
}

void conversation_cache_free(struct conversation_cache *cache)
{
    if (cache == NULL) return;
    while (!list_is_empty(&cache->recent)) drop(cache, oldest(cache));
    map_release(&cache->lists);
    mem_free(cache);
}

bool conversation_cache_find(struct conversation_cache *cache,
                             const struct conversations_query *query,
                             struct conversations_version version, struct buf *body)
{
    struct kept *kept = map_find(&cache->lists, key_of(query));
    if (kept == NULL) return false;
    if (kept->version.events != version.events || kept->version.profiles != version.profiles) {
        drop(cache, kept);
        return false;
    }
    list_remove(&kept->link);
    list_add_last(&cache->recent, &kept->link);
    buf_add_str(body, kept->body);
    return true;
}

void conversation_cache_keep(struct conversation_cache *cache,
                             const struct conversations_query *query,
                             struct conversations_version version, struct str body)
{
    struct kept *old = map_find(&cache->lists, key_of(query));
    if (old) drop(cache, old);
    if (body.len > CONVERSATION_CACHE_LIST_BYTES_MAX) return;
    struct kept *kept = mem_alloc_raw(sizeof(*kept) + body.len);
    char *behind = (char *)(kept + 1);
    memcpy(behind, body.at, body.len);
    *kept =
        (struct kept){.query = *query, .version = version, .body = (struct str){behind, body.len}};
    cache->bytes += size_of(kept);
    while (cache->bytes > CONVERSATION_CACHE_BYTES_MAX) drop(cache, oldest(cache));
    list_init(&kept->link);
    list_add_last(&cache->recent, &kept->link);
    map_add(&cache->lists, key_of(&kept->query), kept);
}

size_t conversation_cache_check(const struct conversation_cache *cache)
{
    size_t bytes = 0, count = 0;
    map_check(&cache->lists);
    for (struct list *at = cache->recent.next; at != &cache->recent; at = at->next) {
        const struct kept *kept = CONTAINER_OF(at, struct kept, link);
        ASSERT(map_find(&cache->lists, key_of(&kept->query)) == kept);
        bytes += size_of(kept);
        count++;
    }
    ASSERT(count == cache->lists.count);
    ASSERT(bytes == cache->bytes && bytes <= CONVERSATION_CACHE_BYTES_MAX);
    return bytes;
}
