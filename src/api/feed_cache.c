/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/feed_cache.h"

#include "base/map.h"
#include "base/mem.h"

struct page {
    struct feed_marks marks;
    struct str key, body; /* behind the struct */
};

struct feed_cache {
    uint64_t head;
    struct map pages; /* of struct page, owned */
};

struct feed_cache *feed_cache_new(void)
{
    return NEW(struct feed_cache);
}

static void clear(struct feed_cache *cache)
{
    size_t at = 0;
    for (struct page *page; (page = map_next(&cache->pages, &at)) != NULL;) mem_free(page);
    map_release(&cache->pages);
}

void feed_cache_free(struct feed_cache *cache)
{
    if (cache == NULL) return;
    clear(cache);
    mem_free(cache);
}

bool feed_cache_find(struct feed_cache *cache, uint64_t head, struct str key, struct buf *body,
                     struct feed_marks *marks_out)
{
    if (cache->head != head) {
        clear(cache);
        cache->head = head;
        return false;
    }
    const struct page *page = map_find(&cache->pages, key);
    if (page == NULL) return false;
    buf_add_str(body, page->body);
    *marks_out = page->marks;
    return true;
}

void feed_cache_keep(struct feed_cache *cache, uint64_t head, struct str key, struct str body,
                     const struct feed_marks *marks)
{
    if (cache->head != head || map_find(&cache->pages, key)) return;
    if (cache->pages.count == FEED_CACHE_PAGES_MAX) clear(cache);
    struct page *page = mem_alloc_raw(sizeof(*page) + key.len + body.len);
    char *behind = (char *)(page + 1);
    memcpy(behind, key.at, key.len);
    memcpy(behind + key.len, body.at, body.len);
    page->marks = *marks;
    page->key = (struct str){behind, key.len};
    page->body = (struct str){behind + key.len, body.len};
    map_add(&cache->pages, page->key, page);
}

void feed_marks_add(struct feed_marks *marks, uint64_t post, const struct buf *body)
{
    /* Behind the heart stand a count and a time: it is among the last bytes. */
    static const char heart[] = "\"is_liked\":false";
    size_t len = sizeof(heart) - 1, at = body->len > len ? body->len - len : 0;
    while (at > 0 && memcmp(body->at + at, heart, len) != 0) at--;
    ASSERT(at > 0 && marks->count < FEED_PAGE_POSTS_MAX);
    marks->ids[marks->count] = post;
    marks->at[marks->count++] = (uint32_t)(at + len - 5);
}

void feed_marks_like(const struct feed_marks *marks, uint64_t post, struct buf *body)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->ids[i] == post) memcpy(body->at + marks->at[i], "true ", 5);
    }
}
