/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/book_order.h"

#include "base/clock.h"
#include "llm/site.h"
#include "wiki/book_sources.h"

/* Who is to write: the site and model that answer to that name, or none. */
static enum err choose_model(struct arena *arena, struct llm *llm, struct str name,
                             struct wiki_book *book, struct why *why)
{
    struct llm_choice *plan;
    size_t count = llm_plan(llm, arena, name, true, &plan);
    book->provider = book->model = STR("");
    if (count == 0) {
        return why_field(why, "model", "value_error",
                         "no such model here; GET /chat/models says which there are");
    }
    if (llm_is_offline(plan[0].place)) return OK;
    book->provider = plan[0].place->site.name;
    book->model = plan[0].model;
    return OK;
}

enum err wiki_book_order(struct arena *arena, const struct wiki *wiki,
                         const struct wiki_book_wish *wish, struct llm *llm,
                         const struct wiki_locales *locales, struct wiki_book *book_out,
                         struct why *why)
{
    if (wiki->indexed_us == 0) {
        return why_set(why, ERR_CONFLICT,
                       "this wiki cannot be read yet: it is still being fetched");
    }
    if (wish->language.at && wiki_locale_name(locales, wish->language).len == 0) {
        return why_field(why, "language", "enum",
                         "language must be one of the codes of /lang/config");
    }
    *book_out = (struct wiki_book){
        .wiki = wiki->id,
        .key = {.kind = wiki->kind,
                .owner = wiki->owner,
                .repo = wiki->repo,
                .language = wish->language.at ? wish->language : locales->standard},
        .url = wiki->url,
        .comprehensive = wish->comprehensive,
        .title = wiki->name,
        .description = STR(""),
        .sections = STR("[]"),
        .roots = STR("[]"),
        .commit = wiki->commit,
        .state = WIKI_BOOK_PLANNING,
        .note = STR(""),
        .author = wish->author,
        .created_us = clock_wall_us()};
    return choose_model(arena, llm, wish->model, book_out, why);
}

struct str wiki_book_model(struct arena *arena, const struct wiki_book *book)
{
    if (book->provider.len == 0 || book->model.len == 0) return book->provider;
    return arena_printf(arena, "%.*s/%.*s", STR_ARGS(book->provider), STR_ARGS(book->model));
}

void wiki_book_wish_again(struct arena *arena, const struct wiki_book *old,
                          struct wiki_book_wish *wish)
{
    wish->language = old->key.language;
    wish->comprehensive = old->comprehensive;
    if (wish->model.len == 0) wish->model = wiki_book_model(arena, old);
}

static void renew_pages(struct wiki_index *index, struct wiki_whole_book *old)
{
    for (size_t i = 0; i < old->count; i++) {
        struct wiki_page *page = &old->pages[i];
        bool holds = page->state == WIKI_PAGE_DONE && wiki_book_sources_hold(index, page->sources);
        page->note = STR("");
        if (holds) continue;
        page->state = WIKI_PAGE_WAITING;
        page->content = STR("");
        page->sources = STR("[]");
    }
}

enum err wiki_book_renew(struct wiki_library *library, struct wiki_whole_book *old,
                         struct wiki_book *book, struct why *why)
{
    const struct wiki_book *was = &old->book;
    if (was->state != WIKI_BOOK_DONE || was->provider.len == 0 || book->provider.len == 0) {
        return why_set(why, ERR_CONFLICT,
                       "only a book that is done is brought up to date, and by a model, as it was "
                       "written; order a new one");
    }
    struct wiki_index *index = NULL;
    enum err err = wiki_library_borrow(library, book->wiki, &index, why);
    if (err) return err;
    renew_pages(index, old);
    wiki_library_return(library, book->wiki, index);
    book->title = was->title;
    book->description = was->description;
    book->sections = was->sections;
    book->roots = was->roots;
    book->state = WIKI_BOOK_WRITING;
    return OK;
}
