/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/wiki_books_command.c: `hutong wiki generate` and `hutong wiki export`: a wiki is written
 * about a repository, and taken along.
 *
 * The book is written by this process, also beside a server on the same data:
 * whoever stops it finds it half written there, which a server goes on with at its
 * next start.
 */
#include <errno.h>
#include <sys/stat.h>

#include "app/wiki_session.h"
#include "base/limits.h"
#include "wiki/book_export.h"
#include "wiki/book_order.h"
#include "wiki/scribe.h"

enum { LOOK_MS = 300 };

/* --- a book with its pages --- */

static void keep_newest(void *ctx, const struct wiki_book *book)
{
    uint64_t *id = ctx;
    if (*id == 0 && book->state == WIKI_BOOK_DONE) *id = book->id;
}

/* Of --book, else the newest that is done. */
static enum err find_book(struct wiki_session *session, const struct wiki *wiki,
                          struct wiki_whole_book *whole, struct why *why)
{
    uint64_t id = 0;
    const char *wanted = args_option(session->args, "book");
    if (wanted && (!str_to_u64(str_of(wanted), &id) || id == 0)) {
        return why_set(why, ERR_INVALID, "--book is the number of a book, not \"%s\"", wanted);
    }
    enum err err = OK;
    if (id == 0) {
        err = wiki_books_of_wiki(session->db, wiki->id, 0, LIMIT_PAGE_SIZE, keep_newest, &id, why);
    }
    if (!err && id == 0) {
        return why_set(why, ERR_NOT_FOUND,
                       "nothing has been written about %.*s; hutong wiki generate %.*s does it",
                       STR_ARGS(wiki->name), STR_ARGS(wiki->name));
    }
    if (!err) err = wiki_books_load_whole(session->db, &session->args->arena, id, whole, why);
    if (!err && whole->book.wiki != wiki->id) err = ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) why_write(why, "this wiki has no book %llu", (unsigned long long)id);
    return err;
}

/* --- generate --- */

struct generating {
    struct wiki_session *session;
    struct wiki_book book;
    struct wiki_whole_book old; /* of one that is renewed; else without pages */
    struct arena arena;         /* of the book as it was last seen */
    uint64_t told;              /* pages */
    enum err err;
    struct why why;
};

static enum err add_book(void *ctx, struct db *db, struct why *why)
{
    struct generating *g = ctx;
    return wiki_books_add(db, &g->book, g->old.pages, g->old.count, &g->book.id, why);
}

static bool is_over(enum wiki_book_state state)
{
    return state != WIKI_BOOK_PLANNING && state != WIKI_BOOK_WRITING;
}

static void look(void *ctx)
{
    struct generating *g = ctx;
    struct wiki_session *session = g->session;
    uint64_t all, done;
    arena_reset(&g->arena);
    g->err = wiki_books_load(session->db, &g->arena, g->book.id, &g->book, &g->why);
    if (!g->err) g->err = wiki_pages_count(session->db, g->book.id, &all, &done, &g->why);
    if (!g->err && all > 0 && done != g->told) {
        fprintf(stderr, "%llu of %llu pages\n", (unsigned long long)done, (unsigned long long)all);
        g->told = done;
    }
    if (!g->err && !is_over(g->book.state)) return;
    timer_free(session->teller); /* it would keep the loop going */
    session->teller = NULL;
    loop_stop(session->loop);
}

static enum err write_it(struct generating *g, struct why *why)
{
    struct wiki_session *session = g->session;
    struct wiki_scribe *scribe = NULL;
    struct wiki_scribe_links links = {.settings = &session->args->settings,
                                      .store = session->store,
                                      .library = session->library,
                                      .llm = session->llm,
                                      .locales = &wiki_locales_usual,
                                      .one = true};
    enum err err = wiki_scribe_open(&links, &scribe, why);
    if (!err) err = store_write(session->store, session->db, add_book, g, why);
    if (!err) {
        wiki_scribe_take_up(scribe, g->book.id);
        session->teller = timer_new(session->loop, look, g);
        timer_start(session->teller, LOOK_MS, LOOK_MS);
        loop_run(session->loop);
        err = g->err;
        if (err) *why = g->why;
    }
    wiki_scribe_close(scribe);
    return err;
}

int run_wiki_generate(struct wiki_session *session)
{
    struct arena *arena = &session->args->arena;
    struct generating g = {.session = session, .told = UINT64_MAX};
    struct wiki wiki;
    struct why why;
    const char *language = args_option(session->args, "language");
    struct wiki_book_wish wish = {.language = language ? str_of(language) : (struct str){0},
                                  .model = str_of(wiki_option(session, "model")),
                                  .comprehensive = args_option(session->args, "concise") == NULL};
    bool renewed = args_option(session->args, "renew") != NULL;
    enum err err = wiki_named(session, &wiki, &why);
    if (!err && renewed) {
        err = find_book(session, &wiki, &g.old, &why);
        if (!err) wiki_book_wish_again(arena, &g.old.book, &wish);
    }
    if (!err) err = wiki_open_models(session, &why);
    if (!err) {
        err =
            wiki_book_order(arena, &wiki, &wish, session->llm, &wiki_locales_usual, &g.book, &why);
    }
    if (!err && renewed) err = wiki_book_renew(session->library, &g.old, &g.book, &why);
    if (!err) err = write_it(&g, &why);
    if (err) {
        arena_release(&g.arena);
        return fail(&why);
    }
    printf("book %llu of %.*s: %s\n", (unsigned long long)g.book.id, STR_ARGS(wiki.name),
           wiki_book_state_word(g.book.state));
    if (g.book.note.len) fprintf(stderr, "hutong: %.*s\n", STR_ARGS(g.book.note));
    arena_release(&g.arena);
    return g.book.state == WIKI_BOOK_DONE ? 0 : 1;
}

/* --- export --- */

static enum err write_file(const char *path, struct str text, struct why *why)
{
    FILE *file = fopen(path, "we");
    bool fine = file && fwrite(text.at ? text.at : "", 1, text.len, file) == text.len;
    int error = errno;
    if (file && fclose(file) != 0) {
        fine = false;
        error = errno;
    }
    return fine ? OK : why_set(why, ERR_IO, "%s: %s", path, strerror(error));
}

/* A file for each page, and README.md with the contents. */
static enum err write_folder(struct arena *arena, const struct wiki_whole_book *whole,
                             const char *folder, struct why *why)
{
    struct buf text, list;
    enum err err = OK;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return why_set(why, ERR_IO, "%s: %s", folder, strerror(errno));
    buf_init(&text, LIMIT_BOOK_REPLY_BYTES);
    buf_init(&list, LIMIT_BOOK_REPLY_BYTES);
    buf_printf(&list, "# %.*s\n\n%.*s\n\n", STR_ARGS(whole->book.title),
               STR_ARGS(whole->book.description));
    for (size_t i = 0; i < whole->count && !err; i++) {
        if (whole->pages[i].content.len == 0) continue;
        const char *name = arena_printf(arena, "%02zu.md", i + 1).at;
        buf_printf(&list, "- [%.*s](%s)\n", STR_ARGS(whole->pages[i].title), name);
        buf_reset(&text, SIZE_MAX);
        wiki_book_export_page(&text, &whole->book, whole->pages[i].content);
        buf_add_byte(&text, '\n');
        err = write_file(arena_printf(arena, "%s/%s", folder, name).at, buf_str(&text), why);
    }
    if (!err) {
        err = write_file(arena_printf(arena, "%s/README.md", folder).at, buf_str(&list), why);
    }
    buf_release(&text);
    buf_release(&list);
    return err;
}

static enum err write_one(struct wiki_session *session, const struct wiki_whole_book *whole,
                          struct why *why)
{
    enum wiki_book_format format = WIKI_BOOK_AS_MARKDOWN;
    const char *word = args_option(session->args, "format");
    const char *output = args_option(session->args, "output");
    if (word && strcmp(word, "folder") == 0) {
        if (output) return write_folder(&session->args->arena, whole, output, why);
        return why_set(why, ERR_INVALID, "--format folder needs --output FOLDER");
    }
    if (word && !wiki_book_format_of(str_of(word), &format)) {
        return why_set(why, ERR_INVALID,
                       "--format is markdown, folder, html, slides or json, not \"%s\"", word);
    }
    struct buf text;
    buf_init(&text, LIMIT_BOOK_REPLY_BYTES);
    enum err err = wiki_book_export(&text, format, whole, why);
    if (!err && output) err = write_file(output, buf_str(&text), why);
    if (!err && !output && (fwrite(text.at, 1, text.len, stdout) != text.len || fflush(stdout)))
        err = why_set(why, ERR_IO, "standard output: %s", strerror(errno));
    buf_release(&text);
    return err;
}

int run_wiki_export(struct wiki_session *session)
{
    struct wiki_whole_book whole;
    struct wiki wiki;
    struct why why;
    enum err err = wiki_named(session, &wiki, &why);
    if (!err) err = find_book(session, &wiki, &whole, &why);
    if (!err) err = write_one(session, &whole, &why);
    return err ? fail(&why) : 0;
}
