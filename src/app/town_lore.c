/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "app/town_lore.h"

#include "wiki/clue.h"

static struct lore_place place_of(const struct wiki_source *source)
{
    return (struct lore_place){.path = source->path, .first = source->first, .last = source->last};
}

static enum err find(void *ctx, struct arena *arena, const struct lore_want *want,
                     struct lore *lore_out, struct why *why)
{
    struct wiki_context_want asked = {
        .question = want->question, .earlier = want->earlier, .tokens_max = want->tokens_max};
    struct wiki_clue clue;
    *lore_out = (struct lore){0};
    enum err err = wiki_clue_find(ctx, want->wiki, arena, &asked, &clue, why);
    if (err) return err;
    size_t count = clue.context.source_count;
    lore_out->text = clue.context.text;
    lore_out->places = ARENA_ARRAY(arena, struct lore_place, count + 1);
    for (size_t i = 0; i < count; i++)
        lore_out->places[lore_out->place_count++] = place_of(&clue.context.sources[i]);
    static_assert((int)LORE_SURE_MAX >= (int)WIKI_SURE_MAX, "they fit");
    for (size_t i = 0; i < clue.sure_count; i++)
        lore_out->sure[lore_out->sure_count++] = place_of(clue.sure[i]);
    return OK;
}

/* What was taken out has left a blank that nobody would write: two of them, or one before a mark.
 */
static bool is_gap(struct str text, size_t at)
{
    return text.at[at] == ' ' && at + 1 < text.len && strchr(" .,;:!?", text.at[at + 1]);
}

/* `taken`: behind which bytes something was taken out. Other blanks are layout and stay. */
static void add_without_gaps(struct str text, const bool *taken, struct buf *to)
{
    for (size_t i = 0; i < text.len; i++)
        if (!taken[i + 1] || !is_gap(text, i)) buf_add_byte(to, text.at[i]);
}

static void vet(const struct lore *lore, struct str said, bool whole, struct buf *to)
{
    struct arena arena = {0};
    struct buf kept;
    size_t kept_max = 2 * said.len + 1; /* between two places comes a blank */
    buf_init(&kept, kept_max);
    bool *taken = ARENA_ARRAY(&arena, bool, kept_max + 1);
    struct wiki_source *sources = ARENA_ARRAY(&arena, struct wiki_source, lore->place_count + 1);
    for (size_t i = 0; i < lore->place_count; i++) {
        const struct lore_place *place = &lore->places[i];
        sources[i] = (struct wiki_source){
            .path = place->path, .first = place->first, .last = place->last, .symbol = STR("")};
    }
    struct wiki_cite cite;
    wiki_cite_init(&cite, sources, lore->place_count);
    for (size_t i = 0; i < said.len; i++) {
        wiki_cite_put(&cite, str_head(str_from(said, i), 1), &kept);
        taken[kept.len] |= cite.dropped_last;
    }
    if (whole) wiki_cite_end(&cite, &kept);
    add_without_gaps(buf_str(&kept), taken, to);
    wiki_cite_release(&cite);
    buf_release(&kept);
    arena_release(&arena);
}

struct lore_source town_lore(struct wiki_library *library)
{
    return (struct lore_source){.ctx = library, .find = find, .vet = vet};
}
