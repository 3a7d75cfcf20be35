/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/scribe.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/site.h"
#include "wiki/outline.h"
#include "wiki/scribe_internal.h"

enum { BOOKS_AT_ONCE = 2, JSON_BYTES = 1024 * 1024 };

/* --- the store --- */

struct book_change {
    struct writing *job;
    writing_change *change;
    void *ctx;
};

static enum err apply(void *ctx, struct db *db, struct why *why)
{
    struct book_change *change = ctx;
    return change->change(change->job, db, change->ctx, why);
}

enum err writing_store(struct writing *job, writing_change *change, void *ctx, struct why *why)
{
    struct book_change all = {job, change, ctx};
    return store_write(job->scribe->links.store, job->scribe->db, apply, &all, why);
}

struct ending {
    enum wiki_book_state state;
    const char *note;
};

static enum err end_book(struct writing *job, struct db *db, void *ctx, struct why *why)
{
    const struct ending *ending = ctx;
    return wiki_books_end(db, job->id, ending->state, str_of(ending->note), clock_wall_us(), why);
}

static void take_next(struct wiki_scribe *scribe);

static void free_writing(struct writing *job)
{
    list_remove(&job->link);
    if (job->plan) llm_ask_cancel(job->plan);
    for (size_t i = 0; i < SCRIBE_PENS; i++) pen_drop(&job->pens[i]);
    arena_release(&job->arena);
    mem_free(job);
}

struct burial {
    struct task task;
    struct writing *job;
};

static void bury(struct task *task)
{
    struct burial *burial = CONTAINER_OF(task, struct burial, task);
    struct wiki_scribe *scribe = burial->job->scribe;
    free_writing(burial->job);
    mem_free(burial);
    take_next(scribe);
}

static void bury_soon(struct writing *job)
{
    struct burial *burial = NEW(struct burial);
    job->over = true;
    burial->task.run = bury;
    burial->job = job;
    loop_post(job->scribe->loop, &burial->task);
}

void writing_end(struct writing *job, enum wiki_book_state state, const char *note)
{
    struct why why;
    struct ending ending = {state, note};
    if (job->over) return;
    enum err err = writing_store(job, end_book, &ending, &why);
    if (err && err != ERR_CONFLICT && err != ERR_NOT_FOUND)
        log_error("wiki.book", "book=%llu reason=\"%s\"", (unsigned long long)job->id, why.text);
    log_info("wiki.book", "book=%llu state=%s note=\"%s\"", (unsigned long long)job->id,
             wiki_book_state_word(state), note);
    bury_soon(job);
}

struct str writing_language(const struct writing *job)
{
    struct str name = wiki_locale_name(job->scribe->links.locales, job->book.key.language);
    return name.len ? name : STR("English"); /* the operator has taken it out since */
}

/* --- a plan becomes rows --- */

static struct str json_list(struct arena *arena, const struct str *items, size_t count)
{
    struct buf text;
    buf_init(&text, JSON_BYTES);
    struct json_out out = json_begin(&text);
    json_open(&out, NULL, '[');
    for (size_t i = 0; i < count; i++) json_put_str(&out, NULL, items[i]);
    json_close(&out, ']');
    struct str kept = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return kept;
}

static void put_sections(struct arena *arena, const struct book *book, struct wiki_book *to)
{
    struct buf text;
    struct str *roots = ARENA_ARRAY(arena, struct str, book->section_count + 1);
    buf_init(&text, JSON_BYTES);
    struct json_out out = json_begin(&text);
    json_open(&out, NULL, '[');
    for (size_t i = 0; i < book->section_count; i++) {
        const struct book_section *section = &book->sections[i];
        roots[i] = section->slug;
        json_open(&out, NULL, '{');
        json_put_str(&out, "id", section->slug);
        json_put_str(&out, "title", section->title);
        json_open(&out, "pages", '[');
        for (size_t j = 0; j < section->page_count; j++)
            json_put_str(&out, NULL, section->pages[j]);
        json_close(&out, ']');
        json_close(&out, '}');
    }
    json_close(&out, ']');
    to->sections = arena_copy(arena, buf_str(&text));
    to->roots = json_list(arena, roots, book->section_count);
    buf_release(&text);
}

static void put_pages(struct writing *job, const struct book *book)
{
    struct arena *arena = &job->arena;
    job->pages = ARENA_ARRAY(arena, struct wiki_page, book->page_count + 1);
    job->page_count = book->page_count;
    for (size_t i = 0; i < book->page_count; i++) {
        const struct book_page *page = &book->pages[i];
        bool written = page->content.len > 0 && !job->unplanned;
        job->pages[i] = (struct wiki_page){
            .position = i,
            .slug = page->slug,
            .title = page->title,
            .importance = page->importance,
            .files = json_list(arena, page->files, page->file_count),
            .related = json_list(arena, page->related, page->related_count),
            .content = page->content.at ? page->content : STR(""),
            .state = written ? WIKI_PAGE_DONE : WIKI_PAGE_WAITING,
            .brief = page->description.at && !written ? page->description : STR(""),
            .note = STR(""),
            .sources = STR("[]")};
    }
}

static enum err set_plan(struct writing *job, struct db *db, void *ctx, struct why *why)
{
    (void)ctx;
    return wiki_books_set_plan(db, &job->book, job->pages, job->page_count, why);
}

void writing_planned(struct writing *job, const struct book *book)
{
    struct why why;
    job->book.title = book->title;
    job->book.description = book->description;
    put_sections(&job->arena, book, &job->book);
    put_pages(job, book);
    enum err err = writing_store(job, set_plan, NULL, &why);
    if (err == ERR_CONFLICT || err == ERR_NOT_FOUND) {
        bury_soon(job); /* stopped or deleted meanwhile */
    } else if (err) {
        writing_end(job, WIKI_BOOK_FAILED, why.text);
    } else {
        writing_go_on(job);
    }
}

/* --- taking up --- */

static struct str model_of(struct writing *job)
{
    const struct wiki_book *book = &job->book;
    struct str name = wiki_book_model(&job->arena, book);
    struct llm_choice *plan;
    size_t count = llm_plan(job->scribe->links.llm, &job->arena, name, true, &plan);
    bool offline = count > 0 && llm_is_offline(plan[0].place);
    return offline || book->provider.len == 0 ? STR("") : name;
}

static void keep_page(void *ctx, const struct wiki_page *page)
{
    struct writing *job = ctx;
    if (job->page_count == BOOK_PAGES_MAX) return;
    struct wiki_page *kept = &job->pages[job->page_count++];
    *kept = *page;
    wiki_page_keep(&job->arena, kept);
}

static enum err load(struct writing *job, struct why *why)
{
    struct wiki_reader everything = {.admin = true};
    struct db *db = job->scribe->db;
    enum err err = wiki_books_load(db, &job->arena, job->id, &job->book, why);
    if (!err) err = wikis_load(db, &job->arena, &everything, job->book.wiki, &job->wiki, why);
    if (err) return err;
    job->model = model_of(job);
    job->pages = ARENA_ARRAY(&job->arena, struct wiki_page, BOOK_PAGES_MAX);
    return wiki_pages_list_brief(db, job->id, keep_page, job, why);
}

static void begin(struct writing *job)
{
    struct book book;
    struct why why;
    enum err err = load(job, &why);
    bool planning = !err && job->book.state == WIKI_BOOK_PLANNING;
    if (err || (!planning && job->book.state != WIKI_BOOK_WRITING)) {
        bury_soon(job); /* deleted, or stopped meanwhile */
    } else if (!planning) {
        writing_go_on(job);
    } else if (job->model.len > 0) {
        writing_plan(job);
    } else if (writing_outline(job, &book, &why) == OK) {
        writing_planned(job, &book);
    } else {
        writing_end(job, WIKI_BOOK_FAILED, why.text);
    }
}

/* The first few of the list are being written; the others wait. */
static void take_next(struct wiki_scribe *scribe)
{
    size_t at = 0;
    if (scribe->home == NULL) return; /* the server stops */
    for (struct list *link = scribe->jobs.next; link != &scribe->jobs && at < BOOKS_AT_ONCE;
         link = link->next, at++) {
        struct writing *job = CONTAINER_OF(link, struct writing, link);
        if (job->book.id == 0 && !job->over) begin(job);
    }
}

static struct writing *find_job(struct wiki_scribe *scribe, uint64_t book)
{
    for (struct list *at = scribe->jobs.next; at != &scribe->jobs; at = at->next) {
        struct writing *job = CONTAINER_OF(at, struct writing, link);
        if (job->id == book && !job->over) return job;
    }
    return NULL;
}

static void add_job(struct wiki_scribe *scribe, uint64_t book)
{
    if (find_job(scribe, book)) return;
    struct writing *job = NEW(struct writing);
    job->scribe = scribe;
    job->id = book;
    list_init(&job->link);
    list_add_last(&scribe->jobs, &job->link);
}

/* --- orders from other threads --- */

struct order {
    struct task task;
    struct wiki_scribe *scribe;
    uint64_t book;
    bool drop;
};

static void obey(struct task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);
    struct writing *job = find_job(order->scribe, order->book);
    if (order->drop && job) {
        bury_soon(job);
        if (job->plan) llm_ask_cancel(job->plan);
        job->plan = NULL;
        for (size_t i = 0; i < SCRIBE_PENS; i++) pen_drop(&job->pens[i]);
    } else if (!order->drop) {
        add_job(order->scribe, order->book);
        take_next(order->scribe);
    }
    mem_free(order);
}

static void send_order(struct wiki_scribe *scribe, uint64_t book, bool drop)
{
    struct order *order = NEW(struct order);
    *order = (struct order){.task.run = obey, .scribe = scribe, .book = book, .drop = drop};
    loop_post(scribe->loop, &order->task);
}

void wiki_scribe_take_up(struct wiki_scribe *scribe, uint64_t book)
{
    send_order(scribe, book, false);
}

void wiki_scribe_drop(struct wiki_scribe *scribe, uint64_t book)
{
    send_order(scribe, book, true);
}

/* --- life --- */

static void take_up_again(void *ctx, const struct wiki_book *book)
{
    add_job(ctx, book->id);
}

/* What was under way when the server stopped. */
static enum err find_unfinished(struct wiki_scribe *scribe, struct why *why)
{
    enum err err = wiki_books_in_state(scribe->db, WIKI_BOOK_PLANNING, take_up_again, scribe, why);
    if (!err) err = wiki_books_in_state(scribe->db, WIKI_BOOK_WRITING, take_up_again, scribe, why);
    return err;
}

static void first_turn(struct task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);
    take_next(order->scribe);
    mem_free(order);
}

static void last_turn(struct task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);
    struct wiki_scribe *scribe = order->scribe;
    for (struct list *at = scribe->jobs.next; at != &scribe->jobs; at = at->next) {
        struct writing *job = CONTAINER_OF(at, struct writing, link);
        job->over = true;
        if (job->plan) llm_ask_cancel(job->plan);
        job->plan = NULL;
        for (size_t i = 0; i < SCRIBE_PENS; i++) pen_drop(&job->pens[i]);
    }
    llm_loop_close(scribe->home);
    scribe->home = NULL;
    loop_stop(scribe->loop);
    mem_free(order);
}

static void *scribe_main(void *ctx)
{
    struct wiki_scribe *scribe = ctx;
    log_context("wiki=scribe");
    loop_run(scribe->loop);
    return NULL;
}

enum err wiki_scribe_open(const struct wiki_scribe_links *links, struct wiki_scribe **scribe_out,
                          struct why *why)
{
    struct wiki_scribe *scribe = NEW(struct wiki_scribe);
    *scribe_out = scribe;
    scribe->links = *links;
    list_init(&scribe->jobs);
    enum err err = loop_open(&scribe->loop, why);
    if (!err) scribe->home = llm_loop_open(links->llm, scribe->loop);
    if (!err) err = store_connect(links->store, &scribe->db, why);
    if (!err && !links->one) err = find_unfinished(scribe, why);
    if (!err) {
        struct order *order = NEW(struct order);
        *order = (struct order){.task.run = first_turn, .scribe = scribe};
        loop_post(scribe->loop, &order->task);
        int failed = pthread_create(&scribe->thread, NULL, scribe_main, scribe);
        if (failed) err = why_set(why, ERR_IO, "cannot start a thread: %s", strerror(failed));
        scribe->running = !failed;
    }
    if (err) {
        wiki_scribe_close(scribe);
        *scribe_out = NULL;
    }
    return err;
}

void wiki_scribe_close(struct wiki_scribe *scribe)
{
    if (scribe == NULL) return;
    if (scribe->running) {
        struct order *order = NEW(struct order);
        *order = (struct order){.task.run = last_turn, .scribe = scribe};
        loop_post(scribe->loop, &order->task);
        pthread_join(scribe->thread, NULL);
    } else {
        llm_loop_close(scribe->home);
        scribe->home = NULL;
    }
    if (scribe->loop) loop_close(scribe->loop);
    while (!list_is_empty(&scribe->jobs))
        free_writing(CONTAINER_OF(scribe->jobs.next, struct writing, link));
    db_close(scribe->db);
    mem_free(scribe);
}
