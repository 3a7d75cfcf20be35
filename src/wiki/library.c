/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/library.c: the wikis of this server.
 *
 * An update is a job on a thread of the library. It is entered under its wiki
 * while it waits and runs, so a second one finds it; it leaves the list before
 * its waiters are told, so whoever asks again then begins another. The index
 * has a transaction of its own (wiki/index.h) and the row is set after it: a
 * crash between the two leaves an index that is newer than its row says, which
 * the next update sets right.
 */
#include "wiki/library.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/workers.h"
#include "wiki/dir.h"
#include "wiki/embedder.h"
#include "wiki/git.h"
#include "wiki/matrices.h"

enum { QUEUE_MAX = 1000, THREADS = 2, OPEN_MAX = 16 };

/* An index that was given back, for the next who wants it. */
struct kept {
    uint64_t id;
    struct wiki_index *index; /* NULL: a free place */
};

struct wiki_library {
    const struct settings *settings;
    struct store *store;
    struct workers *workers; /* owned */
    struct str folder;       /* in `arena` */
    struct arena arena;
    pthread_mutex_t lock; /* over all below, and over what of an update others read */
    pthread_cond_t left;  /* an update has ended */
    struct list updates;  /* of struct update */
    struct kept kept[OPEN_MAX];
    size_t kept_next; /* whose turn it is to make room */

    struct str embedder;             /* in `arena`; empty: none is configured */
    struct wiki_matrices *matrices;  /* owned */
    pthread_mutex_t hooks_lock;      /* while one is called */
    struct wiki_library_hooks hooks; /* NULLs: nobody wants to know */
};

/* Given to a worker, which frees it. */
struct update {
    struct job job;
    struct list link;
    struct wiki_library *library;
    uint64_t id;
    struct buf token; /* wiped at the end */
    atomic_bool stop;
    bool begun; /* a thread is at it; one that still waits will find no row, and touch nothing */
    struct list waiters; /* of struct wiki_waiter */
    struct wiki_progress progress;
};

/* --- folders --- */

static const char *folder_of(struct arena *arena, const struct wiki_library *library, uint64_t id)
{
    return arena_printf(arena, "%.*s/%llu", (int)library->folder.len, library->folder.at,
                        (unsigned long long)id)
        .at;
}

static const char *index_of(struct arena *arena, const struct wiki_library *library, uint64_t id)
{
    return arena_printf(arena, "%s/index.db", folder_of(arena, library, id)).at;
}

struct wiki_files wiki_library_files(struct wiki_library *library, struct arena *arena, uint64_t id)
{
    return (struct wiki_files){
        .index = index_of(arena, library, id),
        .vectors = arena_printf(arena, "%s/vectors.db", folder_of(arena, library, id)).at,
    };
}

static enum err make_folder(const char *path, struct why *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return OK;
    log_error("wiki.folder", "path=%s reason=\"%s\"", path, strerror(errno));
    if (errno == ENOSPC || errno == EDQUOT) return why_set(why, ERR_FULL, "the disk is full");
    return why_set(why, ERR_IO, "cannot make a folder for the wiki: %s", strerror(errno));
}

/* Of that wiki; 0: all. */
static void forget_kept(struct wiki_library *library, uint64_t id)
{
    pthread_mutex_lock(&library->lock);
    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct kept *kept = &library->kept[i];
        if (kept->index == NULL || (id && kept->id != id)) continue;
        wiki_index_close(kept->index);
        kept->index = NULL;
    }
    pthread_mutex_unlock(&library->lock);
}

/* --- who wants to know --- */

void wiki_library_set_hooks(struct wiki_library *library, const struct wiki_library_hooks *hooks)
{
    pthread_mutex_lock(&library->hooks_lock);
    library->hooks = hooks ? *hooks : (struct wiki_library_hooks){0};
    pthread_mutex_unlock(&library->hooks_lock);
}

static void tell_indexed(struct wiki_library *library, uint64_t id)
{
    pthread_mutex_lock(&library->hooks_lock);
    if (library->hooks.indexed) library->hooks.indexed(library->hooks.ctx, id);
    pthread_mutex_unlock(&library->hooks_lock);
}

static void tell_removing(struct wiki_library *library, uint64_t id)
{
    pthread_mutex_lock(&library->hooks_lock);
    if (library->hooks.removing) library->hooks.removing(library->hooks.ctx, id);
    pthread_mutex_unlock(&library->hooks_lock);
}

/* --- updates under way --- */

/* Under the lock. */
static struct update *find_update(struct wiki_library *library, uint64_t id)
{
    for (struct list *at = library->updates.next; at != &library->updates; at = at->next) {
        struct update *update = CONTAINER_OF(at, struct update, link);
        if (update->id == id) return update;
    }
    return NULL;
}

static void set_progress(struct update *update, const char *stage, int percent, uint64_t done,
                         uint64_t all)
{
    pthread_mutex_lock(&update->library->lock);
    update->progress = (struct wiki_progress){true, stage, percent, done, all};
    pthread_mutex_unlock(&update->library->lock);
}

static void on_fetching(void *ctx, const char *stage, int percent)
{
    set_progress(ctx, stage, percent, 0, 0);
}

static void on_indexing(void *ctx, uint64_t done, uint64_t all)
{
    set_progress(ctx, "indexing", all ? (int)(done * 100 / all) : -1, done, all);
}

/* --- the work --- */

static enum err fetch(struct update *update, struct arena *arena, const char *folder,
                      const struct wiki_address *address, struct str pin, struct wiki *wiki,
                      struct wiki_tree **tree_out, struct why *why)
{
    const struct settings *s = update->library->settings;
    const char *repository = arena_printf(arena, "%s/repo.git", folder).at;
    struct wiki_fetched fetched;
    struct wiki_fetch wanted = {.from = address,
                                .pin = pin,
                                .branch = wiki->branch,
                                .token = buf_str(&update->token),
                                .folder = repository,
                                .time_ms = s->wiki_minutes * 60 * 1000,
                                .bytes_max = (uint64_t)s->wiki_megabytes * 1024 * 1024,
                                .stop = &update->stop,
                                .progress = on_fetching,
                                .ctx = update};
    enum err err = wiki_git_fetch(arena, &wanted, &fetched, why);
    if (err) return err;
    wiki->commit = arena_copy(arena, str_of(fetched.commit));
    wiki->branch_name = fetched.branch;
    wiki->committed_s = fetched.committed_s;
    struct wiki_filters filters = {.include = wiki->include, .exclude = wiki->exclude};
    return wiki_tree_open_commit(repository, wiki->commit, &filters, tree_out, why);
}

/* `pin`: where the folder really is; no link is followed on the way there. */
static enum err open_folder(struct str pin, const char *closed, struct wiki *wiki,
                            struct wiki_tree **tree_out, struct why *why)
{
    struct wiki_filters filters = {.include = wiki->include, .exclude = wiki->exclude};
    wiki->commit = STR("");
    wiki->branch_name = STR("");
    wiki->committed_s = 0;
    return wiki_tree_open_folder(pin.at, closed, &filters, tree_out, why);
}

static enum err update_index(struct update *update, const char *file, struct wiki_tree *tree,
                             struct wiki_index_state *state_out, struct why *why)
{
    struct wiki_index *index = NULL;
    struct wiki_update wanted = {
        .tree = tree, .stop = &update->stop, .progress = on_indexing, .ctx = update};
    enum err err = wiki_index_open(file, &index, why);
    if (!err) err = wiki_index_update(index, &wanted, state_out, why);
    wiki_index_close(index);
    return err;
}

static enum err make_index(struct update *update, struct arena *arena, struct wiki_tree *tree,
                           struct wiki *wiki, struct why *why)
{
    const char *file = index_of(arena, update->library, wiki->id);
    struct wiki_index_state state;
    enum err err = update_index(update, file, tree, &state, why);
    if (err == ERR_CORRUPT && wiki_dir_remove_database(file)) { /* it can be made again, so it is */
        log_warn("wiki.index", "wiki=%llu reason=\"%s\" what=\"made anew\"",
                 (unsigned long long)wiki->id, why->text);
        forget_kept(update->library, wiki->id);
        err = update_index(update, file, tree, &state, why);
    }
    if (err) return err;
    wiki->files = state.files;
    wiki->chunks = state.chunks;
    wiki->lines = state.lines;
    wiki->indexed_us = clock_wall_us();
    return OK;
}

static enum err bring_up_to_date(struct update *update, struct arena *arena, struct wiki *wiki,
                                 struct why *why)
{
    struct wiki_library *library = update->library;
    const char *folder = folder_of(arena, library, wiki->id);
    struct wiki_bounds bounds = {.roots = library->settings->wiki_roots,
                                 .hosts = library->settings->wiki_hosts,
                                 .closed = library->settings->data_dir};
    struct wiki_address address;
    struct str pin;
    struct wiki_tree *tree = NULL;
    set_progress(update, "looking", -1, 0, 0);
    enum err err = wiki_address_parse(arena, wiki->url, wiki->kind, &address, why);
    if (!err) err = wiki_address_allow(arena, &address, &bounds, &pin, why);
    if (!err) err = make_folder(library->folder.at, why); /* the first wiki makes it */
    if (!err) err = make_folder(folder, why);
    if (err) return err;
    if (address.scheme.len == 0) { /* a folder as it lies there; file:// is a repository */
        err = open_folder(pin, library->settings->data_dir.at, wiki, &tree, why);
    } else {
        err = fetch(update, arena, folder, &address, pin, wiki, &tree, why);
    }
    if (!err) err = make_index(update, arena, tree, wiki, why);
    wiki_tree_close(tree);
    return err;
}

static enum err write_state(void *ctx, struct db *db, struct why *why)
{
    return wikis_set_state(db, ctx, why);
}

static enum err set_state(struct update *update, struct db *db, struct wiki *wiki,
                          enum wiki_state state, struct why *why)
{
    wiki->state = state;
    return store_write(update->library->store, db, write_state, wiki, why);
}

static void finish(struct update *update, struct db *db, struct wiki *wiki, enum err err,
                   const struct why *why)
{
    struct why writing;
    wiki->fault = str_of(err ? err_name(err) : "");
    wiki->note = str_of(err ? why->text : "");
    enum err failed = set_state(update, db, wiki, err ? WIKI_FAILED : WIKI_READY, &writing);
    if (failed)
        log_error("wiki.state", "wiki=%llu reason=\"%s\"", (unsigned long long)wiki->id,
                  writing.text);
    if (err) {
        log_warn("wiki.update", "wiki=%llu fault=%s reason=\"%s\"", (unsigned long long)wiki->id,
                 err_name(err), why->text);
    } else {
        log_info("wiki.update", "wiki=%llu files=%llu chunks=%llu", (unsigned long long)wiki->id,
                 (unsigned long long)wiki->files, (unsigned long long)wiki->chunks);
        tell_indexed(update->library, wiki->id);
    }
}

static void free_update(struct update *update)
{
    if (update->token.at) sodium_memzero(update->token.at, update->token.len);
    buf_release(&update->token);
    mem_free(update);
}

/* Takes it out of the list, and tells who waits. */
static void leave(struct update *update)
{
    struct wiki_library *library = update->library;
    pthread_mutex_lock(&library->lock);
    list_remove(&update->link);
    while (!list_is_empty(&update->waiters)) {
        struct wiki_waiter *waiter = CONTAINER_OF(update->waiters.next, struct wiki_waiter, link);
        list_remove(&waiter->link);
        loop_post(waiter->loop, &waiter->task); /* theirs from here on */
    }
    pthread_cond_broadcast(&library->left);
    pthread_mutex_unlock(&library->lock);
    free_update(update);
}

static void run_update(struct job *job, void *own)
{
    struct update *update = CONTAINER_OF(job, struct update, job);
    struct db *db = own;
    struct arena arena = {0};
    struct wiki_reader everything = {.admin = true};
    struct wiki wiki;
    struct why why;
    pthread_mutex_lock(&update->library->lock);
    update->begun = true;
    pthread_mutex_unlock(&update->library->lock);
    enum err err = wikis_load(db, &arena, &everything, update->id, &wiki, &why);
    if (!err) {
        err = set_state(update, db, &wiki, WIKI_WORKING, &why);
        if (!err && atomic_load(&update->stop)) err = why_set(&why, ERR_CANCELLED, "stopped");
        if (!err) err = bring_up_to_date(update, &arena, &wiki, &why);
        finish(update, db, &wiki, err, &why);
    }
    arena_release(&arena);
    leave(update);
}

enum err wiki_library_update(struct wiki_library *library, uint64_t id, struct str token,
                             struct why *why)
{
    bool fits = true;
    pthread_mutex_lock(&library->lock);
    if (find_update(library, id) == NULL) {
        struct update *update = NEW(struct update);
        update->job.work = run_update;
        update->library = library;
        update->id = id;
        update->progress = (struct wiki_progress){true, "waiting", -1, 0, 0};
        buf_init(&update->token, 64 * 1024);
        buf_add_str(&update->token, token);
        list_init(&update->waiters);
        list_init(&update->link);
        list_add_last(&library->updates, &update->link);
        fits = workers_submit(library->workers, &update->job);
        if (!fits) {
            list_remove(&update->link);
            free_update(update);
        }
    }
    pthread_mutex_unlock(&library->lock);
    return fits ? OK
                : why_set(why, ERR_BUSY,
                          "%d wikis wait to be brought up to date already: try later", QUEUE_MAX);
}

void wiki_library_stop(struct wiki_library *library, uint64_t id)
{
    pthread_mutex_lock(&library->lock);
    struct update *update = find_update(library, id);
    if (update) atomic_store(&update->stop, true);
    pthread_mutex_unlock(&library->lock);
}

struct wiki_progress wiki_library_progress(struct wiki_library *library, uint64_t id)
{
    struct wiki_progress progress = {.stage = "", .percent = -1};
    pthread_mutex_lock(&library->lock);
    struct update *update = find_update(library, id);
    if (update) progress = update->progress;
    pthread_mutex_unlock(&library->lock);
    return progress;
}

bool wiki_library_wait(struct wiki_library *library, uint64_t id, struct wiki_waiter *waiter)
{
    waiter->id = id;
    list_init(&waiter->link);
    pthread_mutex_lock(&library->lock);
    struct update *update = find_update(library, id);
    if (update) list_add_last(&update->waiters, &waiter->link);
    pthread_mutex_unlock(&library->lock);
    return update != NULL;
}

bool wiki_library_wait_no_more(struct wiki_library *library, struct wiki_waiter *waiter)
{
    pthread_mutex_lock(&library->lock);
    bool waits = !list_is_empty(&waiter->link);
    if (waits) list_remove(&waiter->link);
    pthread_mutex_unlock(&library->lock);
    return waits;
}

/* --- reading --- */

enum err wiki_library_borrow(struct wiki_library *library, uint64_t id,
                             struct wiki_index **index_out, struct why *why)
{
    *index_out = NULL;
    pthread_mutex_lock(&library->lock);
    for (size_t i = 0; i < OPEN_MAX && *index_out == NULL; i++) {
        struct kept *kept = &library->kept[i];
        if (kept->index == NULL || kept->id != id) continue;
        *index_out = kept->index;
        kept->index = NULL;
    }
    pthread_mutex_unlock(&library->lock);
    if (*index_out) return OK;
    struct arena arena = {0};
    enum err err = wiki_index_open_reader(index_of(&arena, library, id), index_out, why);
    arena_release(&arena);
    return err;
}

void wiki_library_return(struct wiki_library *library, uint64_t id, struct wiki_index *index)
{
    pthread_mutex_lock(&library->lock);
    size_t place = 0;
    while (place < OPEN_MAX && library->kept[place].index) place++;
    if (place == OPEN_MAX) { /* no room: one makes some, in turn */
        place = library->kept_next;
        library->kept_next = (place + 1) % OPEN_MAX;
    }
    struct wiki_index *old = library->kept[place].index;
    library->kept[place] = (struct kept){id, index};
    pthread_mutex_unlock(&library->lock);
    wiki_index_close(old);
}

struct wiki_matrix *wiki_library_matrix(struct wiki_library *library, uint64_t id)
{
    if (library->embedder.len == 0) return NULL;
    struct arena arena = {0};
    struct wiki_files files = wiki_library_files(library, &arena, id);
    struct wiki_matrix *matrix =
        wiki_matrices_get(library->matrices, id, files.vectors, files.index, library->embedder);
    arena_release(&arena);
    return matrix;
}

enum err wiki_library_remove(struct wiki_library *library, uint64_t id, struct why *why)
{
    struct arena arena = {0};
    const char *folder = folder_of(&arena, library, id);
    /* An update still writes there until it has seen that it is stopped, which is soon. */
    pthread_mutex_lock(&library->lock);
    for (struct update *update; (update = find_update(library, id)) != NULL && update->begun;) {
        atomic_store(&update->stop, true);
        pthread_cond_wait(&library->left, &library->lock);
    }
    pthread_mutex_unlock(&library->lock);
    tell_removing(library, id);
    forget_kept(library, id);
    wiki_matrices_forget(library->matrices, id);
    bool gone = wiki_dir_remove(folder);
    if (!gone) log_error("wiki.remove", "path=%s", folder);
    arena_release(&arena);
    return gone ? OK : why_set(why, ERR_IO, "the wiki's folder cannot be deleted");
}

/* --- life --- */

static enum err worker_begin(void *ctx, void **own_out, struct why *why)
{
    const struct wiki_library *library = ctx;
    struct db *db;
    enum err err = store_connect(library->store, &db, why);
    if (!err) *own_out = db;
    return err;
}

static void worker_end(void *own)
{
    db_close(own);
}

static enum err cut_off(void *ctx, struct db *db, struct why *why)
{
    (void)ctx;
    return wikis_cut_off(db, STR("the server stopped meanwhile; bring it up to date again"), why);
}

static enum err mark_cut_off(struct wiki_library *library, struct why *why)
{
    struct db *db;
    enum err err = store_connect(library->store, &db, why);
    if (err) return err;
    err = store_write(library->store, db, cut_off, NULL, why);
    db_close(db);
    return err;
}

struct store *wiki_library_store(struct wiki_library *library)
{
    return library->store;
}

enum err wiki_library_open(const struct settings *settings, struct store *store, bool alone,
                           struct wiki_library **library_out, struct why *why)
{
    struct wiki_library *library = NEW(struct wiki_library);
    *library_out = library;
    library->settings = settings;
    library->store = store;
    pthread_mutex_init(&library->lock, NULL);
    pthread_cond_init(&library->left, NULL);
    pthread_mutex_init(&library->hooks_lock, NULL);
    list_init(&library->updates);
    library->matrices = wiki_matrices_new();
    library->embedder = wiki_embedder_name(&library->arena, settings);
    library->folder = arena_printf(&library->arena, "%.*s/wiki", (int)settings->data_dir.len,
                                   settings->data_dir.at);
    enum err err = alone ? mark_cut_off(library, why) : OK;
    struct workers_hooks hooks = {
        .begin = worker_begin, .end = worker_end, .ctx = library, .niceness = 10};
    if (!err) err = workers_open(THREADS, QUEUE_MAX, hooks, &library->workers, why);
    if (err) {
        wiki_library_close(library);
        *library_out = NULL;
    }
    return err;
}

void wiki_library_close(struct wiki_library *library)
{
    if (library == NULL) return;
    pthread_mutex_lock(&library->lock);
    for (struct list *at = library->updates.next; at != &library->updates; at = at->next) {
        atomic_store(&CONTAINER_OF(at, struct update, link)->stop, true);
    }
    pthread_mutex_unlock(&library->lock);
    workers_close(library->workers);
    forget_kept(library, 0);
    wiki_matrices_free(library->matrices);
    pthread_mutex_destroy(&library->hooks_lock);
    pthread_cond_destroy(&library->left);
    pthread_mutex_destroy(&library->lock);
    arena_release(&library->arena);
    mem_free(library);
}

/* --- names --- */

struct str wiki_identity(struct arena *arena, const struct wiki *wiki, struct str scope)
{
    const struct str parts[] = {wiki->url, wiki->branch, wiki->include, wiki->exclude, scope};
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof(digest) + 1];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        uint64_t len = parts[i].len; /* so that "ab","c" is not "a","bc" */
        crypto_hash_sha256_update(&state, (const unsigned char *)&len, sizeof(len));
        crypto_hash_sha256_update(&state, (const unsigned char *)parts[i].at, parts[i].len);
    }
    crypto_hash_sha256_final(&state, digest);
    hex_write(hex, digest, sizeof(digest));
    return arena_copy(arena, str_of(hex));
}
