/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/chat_found.h"

#include "api/wiki_frames.h"

void chat_found_init(struct chat_found *found)
{
    buf_init(&found->notices, CHAT_FOUND_BYTES);
}

void chat_found_release(struct chat_found *found)
{
    buf_release(&found->notices);
    arena_release(&found->arena);
}

static bool is_known(const struct chat_found *found, const struct wiki_source *source)
{
    for (size_t i = 0; i < found->source_count; i++) {
        const struct wiki_source *known = &found->sources[i];
        if (known->first == source->first && known->last == source->last &&
            str_eq(known->path, source->path)) {
            return true;
        }
    }
    return false;
}

void chat_found_add(struct chat_found *found, const struct wiki_source *sources, size_t count)
{
    if (found->sources == NULL) {
        found->sources = ARENA_ARRAY(&found->arena, struct wiki_source, CHAT_FOUND_SOURCES_MAX);
    }
    for (size_t i = 0; i < count && found->source_count < CHAT_FOUND_SOURCES_MAX; i++) {
        if (is_known(found, &sources[i])) continue;
        found->sources[found->source_count++] =
            (struct wiki_source){.path = arena_copy(&found->arena, sources[i].path),
                                 .first = sources[i].first,
                                 .last = sources[i].last,
                                 .symbol = arena_copy(&found->arena, sources[i].symbol)};
    }
}

void chat_found_note(struct chat_found *found, struct str notice)
{
    if (found->notices.len + notice.len + 1 > CHAT_FOUND_BYTES) return;
    if (found->notices.len) buf_add_byte(&found->notices, ',');
    buf_add_str(&found->notices, notice);
}

void chat_found_write(const struct chat_found *found, struct buf *to)
{
    buf_reset(to, 4096);
    struct json_out out = json_begin(to);
    json_open(&out, NULL, '{');
    json_put_i64(&out, "round", found->round);
    json_put_bool(&out, "last", found->last);
    wiki_put_sources(&out, found->sources, found->source_count);
    json_open(&out, "notices", '[');
    if (found->notices.len) json_put_raw(&out, NULL, buf_str(&found->notices));
    json_close(&out, ']');
    json_put_u64(&out, "cited", found->cited);
    json_put_u64(&out, "removed", found->removed);
    json_close(&out, '}');
}

static void list_source(const struct json *source, struct buf *to)
{
    struct str path;
    int64_t first, last;
    if (!json_as_str(json_get(source, "path"), &path)) return;
    if (!json_as_i64(json_get(source, "first"), &first)) return;
    if (!json_as_i64(json_get(source, "last"), &last)) return;
    buf_printf(to, "- `%.*s:%lld-%lld`\n", STR_ARGS(path), (long long)first, (long long)last);
}

void chat_found_list(struct str json, struct buf *to)
{
    struct why why;
    struct json *tree;
    if (json.len == 0 || json_parse(json, &tree, NULL, &why) != OK) return;
    const struct json *sources = json_get(tree, "sources");
    for (const struct json *at = json_first(sources); at; at = json_after(at)) list_source(at, to);
    json_free(tree);
}
