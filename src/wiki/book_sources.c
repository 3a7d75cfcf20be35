/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/book_sources.h"

#include <sodium.h>

#include "base/json.h"

enum { DIGEST_BYTES = 16, DIGITS = 2 * DIGEST_BYTES + 1, SOURCES_BYTES = 4 * 1024 * 1024 };

static bool digest_of(struct wiki_index *index, struct str path, char digits[DIGITS])
{
    struct arena arena = {0};
    struct str text;
    struct why why;
    int lines;
    unsigned char digest[DIGEST_BYTES];
    bool there = wiki_index_read(index, &arena, path, 1, 0, &text, &lines, &why) == OK;
    if (there) {
        crypto_generichash(digest, sizeof(digest), (const unsigned char *)text.at, text.len, NULL,
                           0);
        hex_write(digits, digest, sizeof(digest));
    }
    arena_release(&arena);
    return there;
}

struct str wiki_book_sources(struct wiki_index *index, struct arena *arena,
                             const struct wiki_source *sources, size_t count)
{
    struct buf text;
    buf_init(&text, SOURCES_BYTES);
    struct json_out out = json_begin(&text);
    json_open(&out, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        char digits[DIGITS];
        struct str path = sources[i].path;
        bool again = i > 0 && str_eq(sources[i - 1].path, path);
        if (again || !digest_of(index, path, digits)) continue;
        json_open(&out, NULL, '{');
        json_put_str(&out, "path", path);
        json_put_str(&out, "digest", str_of(digits));
        json_close(&out, '}');
    }
    json_close(&out, ']');
    struct str kept = text.failed ? STR("[]") : arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return kept;
}

bool wiki_book_sources_hold(struct wiki_index *index, struct str sources)
{
    struct json *list = NULL;
    struct why why;
    if (json_parse(sources, &list, NULL, &why) != OK) return false;
    bool hold = json_first(list) != NULL;
    for (const struct json *at = json_first(list); at && hold; at = json_after(at)) {
        struct str path, digest;
        char now[DIGITS];
        hold = json_as_str(json_get(at, "path"), &path) &&
               json_as_str(json_get(at, "digest"), &digest) && digest_of(index, path, now) &&
               str_eq(digest, str_of(now));
    }
    json_free(list);
    return hold;
}
