/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/tags.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/utf8.h"

/* As web/src/text/parts.ts has it: so much of a word belongs to the tag. */
enum { TAG_CHARS_MAX = 50 };

struct counted {
    struct tag tag;
    uint64_t order; /* the first that was met is the newest */
    uint64_t post;  /* that counted it last: twice in one post is once */
};

struct counting {
    struct arena *arena;
    struct str prefix; /* folded */
    struct map tags;   /* folded → struct counted in the arena */
    uint64_t post, met;
};

static struct str fold(struct arena *arena, struct str text)
{
    char *to = arena_alloc(arena, text.len * 2 + UTF8_POINT_BYTES);
    size_t len = 0;
    while (text.len > 0) len += utf8_put_lower(to + len, utf8_next(&text));
    return (struct str){to, len};
}

static void count(struct counting *counting, struct str text)
{
    struct str key = fold(counting->arena, text);
    if (!str_starts(key, counting->prefix)) return;
    struct counted *counted = map_find(&counting->tags, key);
    if (counted == NULL) {
        counted = ARENA_NEW(counting->arena, struct counted);
        *counted = (struct counted){.tag.text = arena_copy(counting->arena, text),
                                    .order = counting->met++};
        map_add(&counting->tags, key, counted);
    }
    if (counted->post == counting->post) return;
    counted->post = counting->post;
    counted->tag.posts_count++;
}

/* Behind a #: the tag, and what is left of the text. */
static struct str take_tag(struct str *rest)
{
    struct str from = *rest, ahead = *rest;
    for (int chars = 0; ahead.len > 0 && chars < TAG_CHARS_MAX; chars++) {
        if (!utf8_is_word(utf8_next(&ahead))) break;
        *rest = ahead;
    }
    return str_head(from, from.len - rest->len);
}

static void count_tags(struct counting *counting, struct str content)
{
    uint32_t before = ' ';
    while (content.len > 0) {
        uint32_t point = utf8_next(&content);
        bool begins = point == '#' && !utf8_is_word(before) && before != '#' && before != '&' &&
                      before != '/';
        before = point;
        if (!begins) continue;
        struct str tag = take_tag(&content);
        if (tag.len == 0) continue;
        count(counting, tag);
        before = '_'; /* a letter of it stood here */
    }
}

static int by_use(const void *a, const void *b)
{
    const struct counted *one = *(struct counted *const *)a, *other = *(struct counted *const *)b;
    if (one->tag.posts_count != other->tag.posts_count) {
        return one->tag.posts_count < other->tag.posts_count ? 1 : -1;
    }
    return one->order < other->order ? -1 : 1;
}

static size_t choose(struct counting *counting, size_t limit, struct tag *tags)
{
    struct counted **all = ARENA_ARRAY(counting->arena, struct counted *, counting->tags.count + 1);
    size_t count = 0, at = 0;
    for (struct counted *one; (one = map_next(&counting->tags, &at)) != NULL;) all[count++] = one;
    qsort(all, count, sizeof(struct counted *), by_use);
    count = MIN(count, limit);
    for (size_t i = 0; i < count; i++) tags[i] = all[i]->tag;
    return count;
}

enum err tags_find(struct db *db, struct arena *arena, struct str prefix, size_t limit,
                   struct tag tags[TAGS_MAX], size_t *count_out, struct why *why)
{
    ASSERT(limit <= TAGS_MAX);
    struct counting counting = {.arena = arena, .prefix = fold(arena, prefix)};
    struct query *q = db_query(db, SQL_POSTS_NEWEST_TEXTS);
    query_u64(q, TAGS_POSTS);
    while (query_next(q)) {
        counting.post++;
        count_tags(&counting, query_get_str(q, 0));
    }
    enum err err = query_end(q, why);
    *count_out = err ? 0 : choose(&counting, limit, tags);
    map_release(&counting.tags);
    return err;
}
