/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_old_cache.c: a file of an older deepwiki-open, its name in the first line.
 * What is read is within its bounds and, written again, read as the same; no token comes out.
 */
#include "base/json.h"
#include "base/limits.h"
#include "wiki/old_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct wiki_old_cache *cache, struct buf *to)
{
    struct wiki_old_writer writer;
    buf_init(to, LIMIT_BOOK_REPLY_BYTES);
    wiki_old_write_begin(&writer);
    for (size_t i = 0; i < cache->count; i++) wiki_old_write_page(&writer, &cache->pages[i]);
    wiki_old_write_end(&writer, &cache->book, to);
    ASSERT(!to->failed);
}

static void check_read(struct arena *arena, struct str name, const struct wiki_old_cache *cache)
{
    struct buf once, twice;
    struct wiki_old_cache again;
    struct json *tree = NULL;
    struct why why = {0};
    ASSERT(cache->count <= 2 * LIMIT_BOOK_PAGES);
    write_again(cache, &once);
    ASSERT(json_parse(buf_str(&once), &tree, NULL, &why) == OK);
    ASSERT(json_kind(json_get(json_get(tree, "repo"), "token")) == JSON_NULL);
    json_free(tree);
    /* Pages of both lists may be more than one list may have. */
    if (wiki_old_cache_file(arena, name, buf_str(&once), &again, &why) == OK) {
        ASSERT(!again.with_token && again.count == cache->count);
        write_again(&again, &twice);
        ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
        buf_release(&twice);
    } else {
        ASSERT(cache->count > LIMIT_BOOK_PAGES);
    }
    buf_release(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, name = STR("");
    struct wiki_old_cache cache;
    struct why why = {0};
    struct arena arena = {0};
    str_split(&rest, '\n', &name);
    enum err err = wiki_old_cache_file(&arena, name, rest, &cache, &why);
    ASSERT(err == OK || (err == ERR_INVALID && why.text[0] != '\0'));
    if (err == OK) check_read(&arena, name, &cache);
    arena_release(&arena);
    return 0;
}
