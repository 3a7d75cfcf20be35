/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/wiki_books.h"

/* --- words --- */

static const char *const book_states[] = {"planning", "writing", "stopped", "failed", "done"};
static const char *const page_states[] = {"waiting", "writing", "failed", "done"};
static const char *const accesses[] = {"everyone", "members", "owner"};
static_assert(COUNT_OF(book_states) == WIKI_BOOK_STATES, "each state has its word");
static_assert(COUNT_OF(page_states) == WIKI_PAGE_STATES, "each state has its word");

const char *wiki_book_state_word(enum wiki_book_state state)
{
    ASSERT(state < WIKI_BOOK_STATES);
    return book_states[state];
}

const char *wiki_page_state_word(enum wiki_page_state state)
{
    ASSERT(state < WIKI_PAGE_STATES);
    return page_states[state];
}

/* Where `word` stands; the tables hold no other words, so it stands somewhere. */
static size_t place_of(struct str word, const char *const *words, size_t count)
{
    size_t i = 0;
    while (i + 1 < count && !str_eq(word, str_of(words[i]))) i++;
    return i;
}

/* --- rows --- */

/* A row of BOOK_BRIEF; texts are the row's. */
static struct wiki_book read_brief(struct query *q)
{
    return (struct wiki_book){
        .id = query_get_u64(q, 0),
        .wiki = query_get_u64(q, 1),
        .key = {query_get_str(q, 2), query_get_str(q, 3), query_get_str(q, 4), query_get_str(q, 6)},
        .url = query_get_str(q, 5),
        .comprehensive = query_get_i64(q, 7) != 0,
        .title = query_get_str(q, 8),
        .provider = query_get_str(q, 9),
        .model = query_get_str(q, 10),
        .commit = query_get_str(q, 11),
        .state =
            (enum wiki_book_state)place_of(query_get_str(q, 12), book_states, WIKI_BOOK_STATES),
        .note = query_get_str(q, 13),
        .access =
            (enum wiki_book_access)place_of(query_get_str(q, 14), accesses, COUNT_OF(accesses)),
        .author = {query_get_u64(q, 15)},
        .created_us = query_get_i64(q, 16),
        .finished_us = query_get_i64(q, 17)};
}

/* The one row of BOOK_COLUMNS, kept in `arena`. */
static enum err load_one(struct query *q, struct arena *arena, struct wiki_book *book_out,
                         struct why *why)
{
    bool found = query_next(q);
    if (found) {
        struct wiki_book book = read_brief(q);
        book.description = query_get_str(q, 18);
        book.sections = query_get_str(q, 19);
        book.roots = query_get_str(q, 20);
        struct str *const texts[] = {
            &book.key.kind, &book.key.owner, &book.key.repo, &book.key.language, &book.url,
            &book.title,    &book.provider,  &book.model,    &book.commit,       &book.description,
            &book.sections, &book.roots,     &book.note};
        for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_copy(arena, *texts[i]);
        *book_out = book;
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "没有这个百科 (no such wiki)");
}

static enum err each_book(struct query *q, wiki_book_each *each, void *ctx, struct why *why)
{
    while (query_next(q)) {
        struct wiki_book book = read_brief(q);
        each(ctx, &book);
    }
    return query_end(q, why);
}

static void bind_key(struct query *q, const struct wiki_key *key)
{
    query_str(q, key->kind);
    query_str(q, key->owner);
    query_str(q, key->repo);
    query_str(q, key->language);
}

/* BOOK_SEEN */
static void bind_viewer(struct query *q, const struct wiki_viewer *viewer)
{
    ASSERT(viewer->insider || viewer->user.value == 0);
    query_i64(q, viewer->insider);
    for (int i = 0; i < 4; i++) query_u64(q, viewer->user.value);
}

/* Columns of texts are never NULL. */
static void bind_text(struct query *q, struct str text)
{
    query_str(q, text.at ? text : STR(""));
}

/* --- adding --- */

static enum err add_pages(struct db *db, uint64_t book, const struct wiki_page *pages, size_t count,
                          struct why *why)
{
    for (size_t i = 0; i < count; i++) {
        const struct wiki_page *page = &pages[i];
        struct query *q = db_query(db, SQL_WIKI_PAGE_ADD);
        query_u64(q, book);
        query_u64(q, i);
        bind_text(q, page->slug);
        bind_text(q, page->title);
        bind_text(q, page->importance);
        bind_text(q, page->files);
        bind_text(q, page->related);
        bind_text(q, page->brief);
        bind_text(q, page->content);
        query_str(q, str_of(wiki_page_state_word(page->state)));
        bind_text(q, page->note);
        bind_text(q, page->sources);
        enum err err = query_run(q, why);
        if (err == ERR_CONFLICT) return why_set(why, err, "two pages of the wiki have one id");
        if (err) return err;
    }
    return OK;
}

enum err wiki_books_add(struct db *db, const struct wiki_book *book, const struct wiki_page *pages,
                        size_t count, uint64_t *id_out, struct why *why)
{
    ASSERT(count == 0 || book->state != WIKI_BOOK_PLANNING);
    struct query *q = db_query(db, SQL_WIKI_BOOK_ADD);
    query_id(q, book->wiki);
    bind_text(q, book->key.kind);
    bind_text(q, book->key.owner);
    bind_text(q, book->key.repo);
    bind_text(q, book->url);
    bind_text(q, book->key.language);
    query_i64(q, book->comprehensive);
    bind_text(q, book->title);
    bind_text(q, book->description);
    bind_text(q, book->sections);
    bind_text(q, book->roots);
    bind_text(q, book->provider);
    bind_text(q, book->model);
    bind_text(q, book->commit);
    query_str(q, str_of(wiki_book_state_word(book->state)));
    bind_text(q, book->note);
    query_str(q, str_of(accesses[book->access]));
    query_id(q, book->author.value);
    query_i64(q, book->created_us);
    query_i64(q, book->finished_us);
    enum err err = query_run(q, why);
    if (err) return err;
    *id_out = db_last_id(db);
    return add_pages(db, *id_out, pages, count, why);
}

/* --- looking --- */

enum err wiki_books_load(struct db *db, struct arena *arena, uint64_t id,
                         struct wiki_book *book_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOK_LOAD);
    query_u64(q, id);
    return load_one(q, arena, book_out, why);
}

/* A row of PAGE_BRIEF, and of its contents when they were asked for; texts are the row's. */
static struct wiki_page read_page(struct query *q, bool contents)
{
    return (struct wiki_page){
        .position = query_get_u64(q, 0),
        .slug = query_get_str(q, 1),
        .title = query_get_str(q, 2),
        .importance = query_get_str(q, 3),
        .files = query_get_str(q, 4),
        .related = query_get_str(q, 5),
        .brief = query_get_str(q, 6),
        .state = (enum wiki_page_state)place_of(query_get_str(q, 7), page_states, WIKI_PAGE_STATES),
        .note = query_get_str(q, 8),
        .content = contents ? query_get_str(q, 9) : STR(""),
        .sources = contents ? query_get_str(q, 10) : STR("")};
}

static enum err each_page(struct query *q, bool contents, wiki_page_each *each, void *ctx,
                          struct why *why)
{
    while (query_next(q)) {
        struct wiki_page page = read_page(q, contents);
        each(ctx, &page);
    }
    return query_end(q, why);
}

enum err wiki_pages_list(struct db *db, uint64_t book, wiki_page_each *each, void *ctx,
                         struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PAGES);
    query_u64(q, book);
    return each_page(q, true, each, ctx, why);
}

enum err wiki_pages_list_brief(struct db *db, uint64_t book, wiki_page_each *each, void *ctx,
                               struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PAGES_BRIEF);
    query_u64(q, book);
    return each_page(q, false, each, ctx, why);
}

void wiki_page_keep(struct arena *arena, struct wiki_page *page)
{
    struct str *const texts[] = {&page->slug,    &page->title,   &page->importance,
                                 &page->files,   &page->related, &page->brief,
                                 &page->content, &page->note,    &page->sources};
    for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_copy(arena, *texts[i]);
}

struct gathering {
    struct arena *arena;
    struct wiki_whole_book *whole;
    size_t most;
};

static void gather_page(void *ctx, const struct wiki_page *page)
{
    struct gathering *gathering = ctx;
    struct wiki_whole_book *whole = gathering->whole;
    if (whole->count == gathering->most) return; /* one that came meanwhile */
    whole->pages[whole->count] = *page;
    wiki_page_keep(gathering->arena, &whole->pages[whole->count++]);
}

enum err wiki_books_load_whole(struct db *db, struct arena *arena, uint64_t id,
                               struct wiki_whole_book *whole_out, struct why *why)
{
    uint64_t all, done;
    *whole_out = (struct wiki_whole_book){.count = 0};
    enum err err = wiki_books_load(db, arena, id, &whole_out->book, why);
    if (!err) err = wiki_pages_count(db, id, &all, &done, why);
    if (err) return err;
    whole_out->pages = ARENA_ARRAY(arena, struct wiki_page, (size_t)all + 1);
    struct gathering gathering = {arena, whole_out, (size_t)all};
    return wiki_pages_list(db, id, gather_page, &gathering, why);
}

enum err wiki_pages_load(struct db *db, struct arena *arena, uint64_t book, struct str slug,
                         struct wiki_page *page_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PAGE_LOAD);
    query_u64(q, book);
    query_str(q, slug);
    bool found = query_next(q);
    if (found) {
        *page_out = read_page(q, true);
        wiki_page_keep(arena, page_out);
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "this book has no such page");
}

enum err wiki_pages_count(struct db *db, uint64_t book, uint64_t *all_out, uint64_t *done_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PAGES_COUNT);
    query_u64(q, book);
    *all_out = *done_out = 0;
    if (query_next(q)) {
        *all_out = query_get_u64(q, 0);
        *done_out = query_get_u64(q, 1);
    }
    return query_end(q, why);
}

enum err wiki_books_newest(struct db *db, struct arena *arena, const struct wiki_key *key,
                           const struct wiki_viewer *viewer, struct wiki_book *book_out,
                           struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOK_NEWEST);
    bind_key(q, key);
    bind_viewer(q, viewer);
    return load_one(q, arena, book_out, why);
}

enum err wiki_books_of_wiki(struct db *db, uint64_t wiki, uint64_t before, uint64_t limit,
                            wiki_book_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOKS_OF_WIKI);
    query_u64(q, wiki);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    return each_book(q, each, ctx, why);
}

enum err wiki_projects(struct db *db, const struct wiki_viewer *viewer, uint64_t limit,
                       wiki_book_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PROJECTS);
    bind_viewer(q, viewer);
    query_u64(q, limit);
    return each_book(q, each, ctx, why);
}

enum err wiki_books_of_author(struct db *db, struct user_id author, uint64_t before, uint64_t limit,
                              wiki_book_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOKS_OF_AUTHOR);
    query_u64(q, author.value);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    return each_book(q, each, ctx, why);
}

enum err wiki_books_in_state(struct db *db, enum wiki_book_state state, wiki_book_each *each,
                             void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOKS_IN_STATE);
    query_str(q, str_of(wiki_book_state_word(state)));
    return each_book(q, each, ctx, why);
}

/* --- removing --- */

enum err wiki_books_remove(struct db *db, uint64_t id, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOK_REMOVE);
    query_u64(q, id);
    enum err err = query_run(q, why);
    if (err || db_changes(db) > 0) return err;
    return why_set(why, ERR_NOT_FOUND, "没有这个百科 (no such wiki)");
}

/* Ids that were found, to be removed when the query is over. In `arena`. */
struct found {
    uint64_t id;
    struct found *next;
};

static void add_found(struct found **list, struct arena *arena, uint64_t id)
{
    struct found *found = ARENA_NEW(arena, struct found);
    *found = (struct found){id, *list};
    *list = found;
}

static enum err remove_found(struct db *db, const struct found *found, struct why *why)
{
    for (; found; found = found->next) {
        struct query *q = db_query(db, SQL_WIKI_BOOK_REMOVE);
        query_u64(q, found->id);
        enum err err = query_run(q, why);
        if (err) return err;
    }
    return OK;
}

/* A row of SQL_WIKI_BOOKS_OF_KEY. */
static bool may_remove(struct query *q, const struct wiki_viewer *viewer)
{
    bool of_none = query_is_null(q, 1) && query_is_null(q, 3);
    bool own = viewer->user.value != 0 && (query_get_u64(q, 2) == viewer->user.value ||
                                           query_get_u64(q, 3) == viewer->user.value);
    return of_none || own || viewer->moderates;
}

enum err wiki_books_remove_all(struct db *db, struct arena *arena, const struct wiki_key *key,
                               const struct wiki_viewer *viewer, uint64_t *removed_out,
                               uint64_t *kept_out, struct why *why)
{
    struct found *found = NULL;
    uint64_t removed = 0, kept = 0;
    struct query *q = db_query(db, SQL_WIKI_BOOKS_OF_KEY);
    bind_key(q, key);
    bind_viewer(q, viewer);
    while (query_next(q)) {
        if (!may_remove(q, viewer)) {
            kept++;
            continue;
        }
        add_found(&found, arena, query_get_u64(q, 0));
        removed++;
    }
    enum err err = query_end(q, why);
    if (!err) err = remove_found(db, found, why);
    if (err) return err;
    *removed_out = removed;
    *kept_out = kept;
    return OK;
}

enum err wiki_books_remove_private(struct db *db, struct user_id author, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOKS_REMOVE_PRIVATE);
    query_u64(q, author.value);
    return query_run(q, why);
}

enum err wiki_books_count_guests(struct db *db, uint64_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOKS_GUESTS);
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err wiki_books_trim_guests(struct db *db, struct arena *arena, const struct wiki_key *key,
                                uint64_t keep, struct why *why)
{
    struct found *found = NULL;
    struct query *q = db_query(db, SQL_WIKI_BOOKS_GUESTS_OF_KEY);
    bind_key(q, key);
    query_u64(q, keep);
    while (query_next(q)) add_found(&found, arena, query_get_u64(q, 0));
    enum err err = query_end(q, why);
    return err ? err : remove_found(db, found, why);
}

/* --- writing one --- */

static enum err changed(struct db *db, enum err err, struct why *why)
{
    if (err || db_changes(db) > 0) return err;
    return why_set(why, ERR_CONFLICT, "the writing of this wiki is over, or it is gone");
}

enum err wiki_books_set_plan(struct db *db, const struct wiki_book *plan,
                             const struct wiki_page *pages, size_t count, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOK_SET_PLAN);
    bind_text(q, plan->title);
    bind_text(q, plan->description);
    bind_text(q, plan->sections);
    bind_text(q, plan->roots);
    query_u64(q, plan->id);
    enum err err = changed(db, query_run(q, why), why);
    if (err) return err;
    q = db_query(db, SQL_WIKI_PAGES_REMOVE);
    query_u64(q, plan->id);
    err = query_run(q, why);
    return err ? err : add_pages(db, plan->id, pages, count, why);
}

enum err wiki_pages_set_state(struct db *db, uint64_t book, uint64_t position,
                              enum wiki_page_state state, struct str note, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PAGE_SET_STATE);
    query_str(q, str_of(wiki_page_state_word(state)));
    bind_text(q, note);
    query_u64(q, book);
    query_u64(q, position);
    return changed(db, query_run(q, why), why);
}

enum err wiki_pages_write(struct db *db, uint64_t book, uint64_t position, struct str content,
                          struct str sources, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PAGE_WRITE);
    bind_text(q, content);
    bind_text(q, sources);
    query_u64(q, book);
    query_u64(q, position);
    return changed(db, query_run(q, why), why);
}

enum err wiki_books_end(struct db *db, uint64_t id, enum wiki_book_state state, struct str note,
                        int64_t now_us, struct why *why)
{
    ASSERT(state != WIKI_BOOK_PLANNING && state != WIKI_BOOK_WRITING);
    struct query *q = db_query(db, SQL_WIKI_BOOK_END);
    query_str(q, str_of(wiki_book_state_word(state)));
    bind_text(q, note);
    query_i64(q, now_us);
    query_u64(q, id);
    return changed(db, query_run(q, why), why);
}

enum err wiki_books_continue(struct db *db, uint64_t id, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BOOK_CONTINUE);
    query_u64(q, id);
    return changed(db, query_run(q, why), why);
}
