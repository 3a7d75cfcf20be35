/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_books.c: /wikis/{wiki}/books: what was, and is being, written about a repository
 * (docs/wiki.md).
 *
 * A book is ordered here and written by the scribe (wiki/scribe.h): whoever
 * wants to see how it goes asks again. Who may see the wiki may read its books;
 * who may add wikis may order one; who ordered it, who has the wiki and
 * administrators may stop and delete it.
 */
#include "api/handlers.h"
#include "api/input.h"
#include "api/wiki_access.h"
#include "api/wiki_compat.h"
#include "api/wiki_shapes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "community/shapes.h"
#include "store/wiki_books.h"
#include "wiki/book_export.h"
#include "wiki/book_order.h"
#include "wiki/old_config.h"
#include "wiki/old_export.h"
#include "wiki/scribe.h"

/* --- shapes --- */

static bool may_change(const struct call *call, const struct wiki *wiki,
                       const struct wiki_book *book)
{
    bool ordered = call->who.user.value != 0 && book->author.value == call->who.user.value;
    return ordered || wiki_may_change(call, wiki);
}

/* The object stays open, for who has more to say. */
static enum err put_book(struct call *call, struct json_out *out, const struct wiki *wiki,
                         const struct wiki_book *book, struct why *why)
{
    uint64_t all, done;
    enum err err = wiki_pages_count(call->db, book->id, &all, &done, why);
    json_open(out, NULL, '{');
    json_put_u64(out, "id", book->id);
    json_put_str(out, "language", book->key.language);
    json_put_bool(out, "comprehensive", book->comprehensive);
    json_put_str(out, "title", book->title);
    json_put_str(out, "description", book->description.at ? book->description : STR(""));
    json_put_str(out, "state", str_of(wiki_book_state_word(book->state)));
    json_put_str(out, "note", book->note);
    json_put_str(out, "provider", book->provider);
    json_put_str(out, "model", book->model);
    json_put_str(out, "commit", book->commit);
    json_put_time(out, "created_at", book->created_us);
    if (book->finished_us)
        json_put_time(out, "finished_at", book->finished_us);
    else
        json_put_null(out, "finished_at");
    json_put_u64(out, "pages_done", done);
    json_put_u64(out, "pages_all", all);
    json_put_bool(out, "may_change", may_change(call, wiki, book));
    return err;
}

static void put_page(struct json_out *out, const struct wiki_page *page, bool content)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", page->slug);
    json_put_str(out, "title", page->title);
    json_put_str(out, "importance", page->importance);
    json_put_raw(out, "files", page->files);
    json_put_raw(out, "related", page->related);
    json_put_str(out, "state", str_of(wiki_page_state_word(page->state)));
    json_put_str(out, "note", page->note);
    if (content) json_put_str(out, "content", page->content);
    json_close(out, '}');
}

static void put_brief_page(void *ctx, const struct wiki_page *page)
{
    put_page(ctx, page, false);
}

static enum err answer(struct call *call, const struct wiki *wiki, const struct wiki_book *book,
                       struct why *why)
{
    struct json_out out = call_json(call);
    enum err err = put_book(call, &out, wiki, book, why);
    json_put_raw(&out, "sections", book->sections.len ? book->sections : STR("[]"));
    json_open(&out, "pages", '[');
    if (!err) err = wiki_pages_list_brief(call->db, book->id, put_brief_page, &out, why);
    json_close(&out, ']');
    json_close(&out, '}');
    return err;
}

/* --- finding --- */

static enum err of_path(struct call *call, struct wiki *wiki, struct wiki_book *book,
                        struct why *why)
{
    enum err err = wiki_allow(call, WIKI_READ, why);
    if (!err) err = wiki_of_path(call, wiki, why);
    uint64_t id = input_path_id(call, 1, "book_id");
    if (!err) err = input_check(call, why);
    if (!err) err = wiki_books_load(call->db, call->arena, id, book, why);
    if (err || book->wiki == wiki->id) return err;
    return why_set(why, ERR_NOT_FOUND, "this wiki has no such book (any more)");
}

static enum err of_path_to_change(struct call *call, struct wiki *wiki, struct wiki_book *book,
                                  struct why *why)
{
    enum err err = of_path(call, wiki, book, why);
    if (err || may_change(call, wiki, book)) return err;
    return why_set(
        why, ERR_DENIED,
        "只有订写者、添加者和管理员可以更改 (only who ordered it, who added the wiki and "
        "administrators may change it)");
}

/* --- reading --- */

struct page_list {
    struct call *call;
    struct json_out out;
    const struct wiki *wiki;
    struct wiki_book books[LIMIT_PAGE_SIZE];
    size_t count;
};

/* Kept first: a book's pages are counted by another statement. */
static void keep_book(void *ctx, const struct wiki_book *book)
{
    struct page_list *list = ctx;
    struct wiki_book *kept = &list->books[list->count++];
    struct arena *arena = list->call->arena;
    *kept = *book;
    struct str *const texts[] = {&kept->key.language, &kept->title,  &kept->provider,
                                 &kept->model,        &kept->commit, &kept->note};
    for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_keep(arena, *texts[i]);
    kept->description = STR("");
}

enum err wiki_books_get_list(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct page_list *list = ARENA_NEW(call->arena, struct page_list);
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE);
    enum err err = input_check(call, why);
    if (!err) err = wiki_allow(call, WIKI_READ, why);
    if (!err) err = wiki_of_path(call, &wiki, why);
    if (err) return err;
    list->call = call;
    err = wiki_books_of_wiki(call->db, wiki.id, before, limit, keep_book, list, why);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    for (size_t i = 0; i < list->count && !err; i++) {
        err = put_book(call, &out, &wiki, &list->books[i], why);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    bool more = list->count == limit;
    shape_cursor(&out, "next_before", more, list->count ? list->books[list->count - 1].id : 0);
    json_close(&out, '}');
    return err;
}

enum err wiki_books_get_one(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book book;
    enum err err = of_path(call, &wiki, &book, why);
    return err ? err : answer(call, &wiki, &book, why);
}

enum err wiki_books_get_page(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book book;
    struct wiki_page page;
    struct str slug;
    enum err err = of_path(call, &wiki, &book, why);
    if (!err) err = url_segment_decode(call->arena, call->params[2], &slug, why);
    if (!err) err = wiki_pages_load(call->db, call->arena, book.id, slug, &page, why);
    if (err) return err;
    struct json_out out = call_json(call);
    put_page(&out, &page, true);
    return OK;
}

/* --- taking along --- */

enum err wiki_books_export(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book found;
    struct wiki_whole_book whole;
    enum wiki_book_format format = WIKI_BOOK_AS_MARKDOWN;
    struct str word = input_query_str(call, "format");
    if (word.at && !wiki_book_format_of(word, &format))
        input_fault(call, "query", "format", "enum",
                    "format must be markdown, html, slides or json");
    enum err err = of_path(call, &wiki, &found, why);
    if (!err) err = wiki_books_load_whole(call->db, call->arena, found.id, &whole, why);
    if (err) return err;
    bool tells = !str_eq(whole.book.key.kind, STR("local")) || wiki_may_change(call, &wiki);
    if (!tells) whole.book.url = STR("");
    struct buf body;
    buf_init(&body, LIMIT_BOOK_REPLY_BYTES);
    err = wiki_book_export(&body, format, &whole, why);
    if (err) {
        buf_release(&body);
        return err;
    }
    struct str name = wiki_old_export_name(call->arena, wiki.name, wiki_book_format_ending(format),
                                           clock_wall_us());
    http_add_header(call->x, "Content-Disposition",
                    arena_printf(call->arena, "attachment; filename=\"%.*s\"", STR_ARGS(name)));
    return wiki_reply_large(call, &body, wiki_book_format_type(format), why);
}

/* --- ordering --- */

static enum err read_wish(struct call *call, struct wiki_book_wish *wish, uint64_t *renewed_out,
                          struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str model = input_str(call, "model", false);
    const struct json *all = json_get(call->body, "comprehensive");
    *wish = (struct wiki_book_wish){.language = input_str(call, "language", false),
                                    .model = model.at ? model : STR(""),
                                    .comprehensive = true,
                                    .author = call->who.user};
    if (all && !json_as_bool(all, &wish->comprehensive))
        input_fault(call, "body", "comprehensive", "bool_type",
                    "comprehensive must be true or false");
    *renewed_out = input_id(call, "renew");
    if (*renewed_out && (all || wish->language.at))
        input_fault(call, "body", "renew", "value_error",
                    "a book keeps its language and extent when it is renewed: leave them out");
    return input_check(call, why);
}

struct ordering {
    struct wiki_book book;
    struct wiki_whole_book old; /* of one that is renewed; else without pages */
};

static enum err find_renewed(struct call *call, const struct wiki *wiki, uint64_t id,
                             struct wiki_whole_book *old_out, struct why *why)
{
    enum err err = wiki_books_load_whole(call->db, call->arena, id, old_out, why);
    if (err == ERR_NOT_FOUND || (!err && old_out->book.wiki != wiki->id)) {
        return why_field(why, "renew", "value_error", "this wiki has no such book (any more)");
    }
    return err;
}

static enum err add_book(void *ctx, struct act *act, struct why *why)
{
    struct ordering *ordering = ctx;
    return wiki_books_add(act->db, &ordering->book, ordering->old.pages, ordering->old.count,
                          &ordering->book.id, why);
}

enum err wiki_books_post(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book_wish wish;
    struct ordering *ordering = ARENA_NEW(call->arena, struct ordering);
    uint64_t renewed = 0;
    enum err err = wiki_allow(call, WIKI_ADD, why);
    if (!err) err = wiki_of_path(call, &wiki, why);
    if (!err) err = read_wish(call, &wish, &renewed, why);
    if (!err && renewed) {
        err = find_renewed(call, &wiki, renewed, &ordering->old, why);
        if (!err) wiki_book_wish_again(call->arena, &ordering->old.book, &wish);
    }
    if (!err) {
        err = wiki_book_order(call->arena, &wiki, &wish, call->api->llm,
                              wiki_old_locales(call->api->wiki_config), &ordering->book, why);
    }
    if (!err && renewed)
        err = wiki_book_renew(call->api->wikis, &ordering->old, &ordering->book, why);
    if (!err) err = call_write(call, add_book, ordering, why);
    if (err) return err;
    wiki_scribe_take_up(call->api->scribe, ordering->book.id);
    return answer(call, &wiki, &ordering->book, why);
}

static enum err stop_book(void *ctx, struct act *act, struct why *why)
{
    const struct wiki_book *book = ctx;
    return wiki_books_end(act->db, book->id, WIKI_BOOK_STOPPED, STR(""), act->now_us, why);
}

static enum err continue_book(void *ctx, struct act *act, struct why *why)
{
    const struct wiki_book *book = ctx;
    return wiki_books_continue(act->db, book->id, why);
}

static enum err drop_book(void *ctx, struct act *act, struct why *why)
{
    const struct wiki_book *book = ctx;
    enum err err = wiki_books_remove(act->db, book->id, why);
    if (err || act->me.value == book->author.value) return err;
    return act_audit(act, AUDIT_WIKI_REMOVED, NULL, 0, book->title, why);
}

/* As it is after the change. */
static enum err answer_anew(struct call *call, const struct wiki *wiki, uint64_t id,
                            struct why *why)
{
    struct wiki_book book;
    enum err err = wiki_books_load(call->db, call->arena, id, &book, why);
    return err ? err : answer(call, wiki, &book, why);
}

enum err wiki_books_stop(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book book;
    enum err err = of_path_to_change(call, &wiki, &book, why);
    if (!err) err = call_write(call, stop_book, &book, why);
    if (err) return err;
    wiki_scribe_drop(call->api->scribe, book.id);
    return answer_anew(call, &wiki, book.id, why);
}

enum err wiki_books_go_on(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book book;
    enum err err = of_path_to_change(call, &wiki, &book, why);
    if (!err) err = call_write(call, continue_book, &book, why);
    if (err) return err;
    wiki_scribe_take_up(call->api->scribe, book.id);
    return answer_anew(call, &wiki, book.id, why);
}

enum err wiki_books_delete(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_book book;
    enum err err = of_path_to_change(call, &wiki, &book, why);
    if (!err) err = call_write(call, drop_book, &book, why);
    if (err) return err;
    wiki_scribe_drop(call->api->scribe, book.id);
    call_no_content(call);
    return OK;
}
