/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/wiki_command.c: `hutong wiki`: repositories that can be asked, from a terminal.
 *
 * Works on the same data folder as a server that runs, beside it. The answer
 * goes to standard output as it comes and nothing else does; progress, notices
 * and what the answer cost go to standard error.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "app/wiki_session.h"
#include "auth/username.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wiki/ask.h"
#include "wiki/locale.h"
#include "wiki/old_cache.h"
#include "wiki/old_config.h"

enum { QUESTION_BYTES_MAX = 1024 * 1024, TELL_MS = 500 };

static const struct wiki_reader everything = {.admin = true};

const char *wiki_option(const struct wiki_session *session, const char *name)
{
    const char *value = args_option(session->args, name);
    return value ? value : "";
}

/* The wiki of the second word, by name or number. */
enum err wiki_named(struct wiki_session *session, struct wiki *wiki_out, struct why *why)
{
    struct args *args = session->args;
    if (args->word_count < 2) {
        return why_set(why, ERR_INVALID,
                       "say which wiki: its name or number, see hutong wiki list");
    }
    enum err err =
        wikis_named(session->db, &args->arena, &everything, str_of(args->words[1]), wiki_out, why);
    if (err != ERR_NOT_FOUND) return err;
    return why_set(why, err, "there is no wiki called %s; hutong wiki list shows those there are",
                   args->words[1]);
}

/* --- progress --- */

static void tell(void *ctx)
{
    struct wiki_session *session = ctx;
    struct wiki_progress progress = wiki_library_progress(session->library, session->watched);
    if (!progress.under_way) return;
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r\033[K%s", progress.stage);
    if (progress.percent >= 0) fprintf(stderr, " %d %%", progress.percent);
    if (progress.all) {
        fprintf(stderr, ", %llu of %llu files", (unsigned long long)progress.done,
                (unsigned long long)progress.all);
    }
    fflush(stderr);
}

static void on_updated(struct task *task)
{
    struct wiki_session *session = CONTAINER_OF(task, struct wiki_session, waiter.task);
    timer_free(session->teller);
    session->teller = NULL;
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
    loop_stop(session->loop);
}

static void print_wiki(void *ctx, const struct wiki *wiki)
{
    (void)ctx;
    printf("%-4llu %-24.*s %-8s %8llu files %9llu lines  %.12s  %.*s\n",
           (unsigned long long)wiki->id, STR_ARGS(wiki->name), wiki_state_name(wiki->state),
           (unsigned long long)wiki->files, (unsigned long long)wiki->lines,
           wiki->commit.len ? wiki->commit.at : "-", STR_ARGS(wiki->url));
    if (wiki->state == WIKI_FAILED) printf("     %.*s\n", STR_ARGS(wiki->note));
}

/* Wait for the update that was begun, and say how it went. */
static int wait_for(struct wiki_session *session, uint64_t id)
{
    struct wiki wiki;
    struct why why;
    session->watched = id;
    session->waiter.loop = session->loop;
    session->waiter.task.run = on_updated;
    if (wiki_library_wait(session->library, id, &session->waiter)) {
        session->teller = timer_new(session->loop, tell, session);
        timer_start(session->teller, TELL_MS, TELL_MS);
        loop_run(session->loop);
    }
    enum err err = wikis_load(session->db, &session->args->arena, &everything, id, &wiki, &why);
    if (err) return fail(&why);
    print_wiki(NULL, &wiki);
    return wiki.state == WIKI_READY ? 0 : 1;
}

/* --- vectors --- */

/* Until all are there, or the embedder has failed. */
static void tell_vectors(void *ctx)
{
    struct wiki_session *session = ctx;
    struct wiki_embedding state = wiki_embedder_state(session->embedder, session->watched);
    bool over = !state.under_way || state.note[0];
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K");
        if (!over) {
            fprintf(stderr, "vectors, %llu of %llu", (unsigned long long)state.have,
                    (unsigned long long)state.chunks);
        }
        fflush(stderr);
    }
    if (!over) return;
    timer_free(session->teller); /* it would keep the loop */
    session->teller = NULL;
    loop_stop(session->loop);
}

/* What is new gets its vectors, where there is an embedder. */
static int embed(struct wiki_session *session, uint64_t id)
{
    struct why why;
    struct wiki_embedder_links links = {.settings = &session->args->settings,
                                        .store = session->store,
                                        .library = session->library,
                                        .one = true};
    if (links.settings->wiki_embedder.len == 0) return 0;
    enum err err = llm_open(links.settings, &session->llm, &why);
    links.llm = session->llm;
    if (!err) err = wiki_embedder_open(&links, &session->embedder, &why);
    if (!err && session->embedder == NULL) return 0; /* taken over, and not set up here */
    loop_close(session->loop);                       /* it has run, which a loop does once */
    session->loop = NULL;
    if (!err) err = loop_open(&session->loop, &why);
    if (err) return fail(&why);
    wiki_embedder_take_up(session->embedder, id);
    session->watched = id;
    session->teller = timer_new(session->loop, tell_vectors, session);
    timer_start(session->teller, TELL_MS, TELL_MS);
    loop_run(session->loop);
    struct wiki_embedding state = wiki_embedder_state(session->embedder, id);
    printf("     vectors: %llu of %llu by %.*s\n", (unsigned long long)(state.have - state.refused),
           (unsigned long long)state.chunks, STR_ARGS(links.settings->wiki_embedder));
    if (state.note[0] == '\0') return 0;
    fprintf(stderr, "hutong: %s; words alone lead to the rest until the next index\n", state.note);
    return 1;
}

/* --- add, index, list, delete --- */

static struct str token_of(void)
{
    const char *token = getenv("HUTONG_WIKI_TOKEN");
    return str_of(token ? token : "");
}

static enum err read_draft(struct wiki_session *session, struct wiki *wiki, struct why *why)
{
    struct args *args = session->args;
    struct wiki_address address;
    if (args->word_count < 2) {
        return why_set(why, ERR_INVALID, "say which repository: its address or its folder");
    }
    enum err err = wiki_address_parse(&args->arena, str_of(args->words[1]), STR(""), &address, why);
    if (err) return err;
    *wiki = wiki_draft(&address);
    wiki->name = str_of(wiki_option(session, "name"));
    wiki->branch = str_of(wiki_option(session, "branch"));
    wiki->include = str_of(wiki_option(session, "include"));
    wiki->exclude = str_of(wiki_option(session, "exclude"));
    struct wiki_filters filters = {.include = wiki->include, .exclude = wiki->exclude};
    const char *access = args_option(args, "access");
    if (access && (!wiki_access_of(str_of(access), &wiki->access) || wiki->access > WIKI_MEMBERS)) {
        return why_set(why, ERR_INVALID, "--access is everyone or members, not \"%s\"", access);
    }
    err = wiki->name.len ? wiki_name_check(wiki->name, why) : OK;
    return err ? err : wiki_filters_check(&filters, why);
}

static int bring_up_to_date(struct wiki_session *session, uint64_t id)
{
    int status = wait_for(session, id);
    return status ? status : embed(session, id);
}

static int run_add(struct wiki_session *session)
{
    struct wiki wiki;
    struct why why;
    enum err err = read_draft(session, &wiki, &why);
    if (!err) {
        err = wiki_library_add(session->library, session->db, &session->args->arena, &wiki,
                               token_of(), &why);
    }
    return err ? fail(&why) : bring_up_to_date(session, wiki.id);
}

static int run_index(struct wiki_session *session)
{
    struct wiki wiki;
    struct why why;
    enum err err = wiki_named(session, &wiki, &why);
    if (!err) err = wiki_library_update(session->library, wiki.id, token_of(), &why);
    return err ? fail(&why) : bring_up_to_date(session, wiki.id);
}

static int run_list(struct wiki_session *session)
{
    struct why why;
    enum err err = wikis_list(session->db, &everything, 0, 10000, print_wiki, NULL, &why);
    return err ? fail(&why) : 0;
}

static enum err drop(void *ctx, struct db *db, struct why *why)
{
    const struct wiki *wiki = ctx;
    return wikis_remove(db, wiki->id, why);
}

static int run_delete(struct wiki_session *session)
{
    struct wiki wiki;
    struct why why;
    enum err err = wiki_named(session, &wiki, &why);
    if (!err) err = store_write(session->store, session->db, drop, &wiki, &why);
    if (!err) err = wiki_library_remove(session->library, wiki.id, &why);
    if (err) return fail(&why);
    printf("deleted %.*s\n", STR_ARGS(wiki.name));
    return 0;
}

/* --- import --- */

struct import {
    struct user_id owner;
    struct wiki_old_cache cache;
};

static enum err add_book(void *ctx, struct db *db, struct why *why)
{
    struct import *import = ctx;
    struct wiki_book *book = &import->cache.book;
    uint64_t id;
    book->author = import->owner;
    book->access = import->cache.with_token ? WIKI_BOOK_OWNER : WIKI_BOOK_EVERYONE;
    book->created_us = book->finished_us = clock_wall_us();
    return wiki_books_add(db, book, import->cache.pages, import->cache.count, &id, why);
}

static enum err read_cache(struct arena *arena, const char *folder, const char *name,
                           struct wiki_old_cache *cache, struct why *why)
{
    FILE *file = fopen(arena_printf(arena, "%s/%s", folder, name).at, "re");
    if (file == NULL) return why_set(why, ERR_IO, "%s", strerror(errno));
    char *text = arena_alloc(arena, LIMIT_BOOK_BYTES + 1);
    size_t len = fread(text, 1, LIMIT_BOOK_BYTES + 1, file);
    fclose(file);
    if (len > LIMIT_BOOK_BYTES) return why_set(why, ERR_LIMIT, "it has more than 10 MB");
    return wiki_old_cache_file(arena, str_of(name), (struct str){text, len}, cache, why);
}

/* One that makes no sense does not keep the others. */
static bool import_file(struct wiki_session *session, struct user_id owner, const char *folder,
                        const char *name)
{
    struct import import = {.owner = owner};
    struct arena arena = {0};
    struct why why;
    enum err err = read_cache(&arena, folder, name, &import.cache, &why);
    if (!err) err = store_write(session->store, session->db, add_book, &import, &why);
    printf("%s  %s\n", err ? "no " : "yes", name);
    if (err) printf("     %s\n", why.text);
    arena_release(&arena);
    return err == OK;
}

static int run_import(struct wiki_session *session)
{
    struct args *args = session->args;
    struct user user;
    struct str hash;
    struct why why;
    size_t imported = 0, files = 0;
    const char *as = args_option(args, "as");
    if (args->word_count < 2 || as == NULL)
        return usage_error("wiki import needs a folder, and --as MEMBER: whose they will be");
    struct str key = username_key(&args->arena, str_of(as));
    if (users_load_login(session->db, &args->arena, key, &user, &hash, &why) != OK)
        return fail(&why);
    DIR *dir = opendir(args->words[1]);
    if (dir == NULL) {
        why_write(&why, "%s: %s", args->words[1], strerror(errno));
        return fail(&why);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!str_starts(str_of(entry->d_name), STR("deepwiki_cache_"))) continue;
        files++;
        imported += import_file(session, user.brief.id, args->words[1], entry->d_name);
    }
    closedir(dir);
    printf("%zu of %zu files imported\n", imported, files);
    return imported == files ? 0 : 1;
}

/* --- ask --- */

static void on_context(void *ctx, const struct wiki_source *sources, size_t count)
{
    struct wiki_session *session = ctx;
    if (args_option(session->args, "sources") == NULL) return;
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%.*s:%d-%d %.*s\n", STR_ARGS(sources[i].path), sources[i].first,
                sources[i].last, STR_ARGS(sources[i].symbol));
    }
}

static void on_notice(void *ctx, enum wiki_cause cause, struct str sentence)
{
    (void)ctx;
    (void)cause;
    fprintf(stderr, "hutong: %.*s\n", STR_ARGS(sentence));
}

static void on_open(void *ctx, struct str site, struct str model)
{
    (void)ctx;
    fprintf(stderr, "%.*s/%.*s:\n", STR_ARGS(site), STR_ARGS(model));
}

static void on_text(void *ctx, struct str piece)
{
    (void)ctx;
    fwrite(piece.at, 1, piece.len, stdout);
    fflush(stdout);
}

static void on_end(void *ctx, const struct wiki_ask_end *end)
{
    struct wiki_session *session = ctx;
    putchar('\n');
    if (!end->complete) fail(end->err ? &end->why : &end->result->why);
    fprintf(stderr, "%llu citations", (unsigned long long)end->cited);
    if (end->removed) {
        fprintf(stderr, ", %llu more were not in what was given and were taken out",
                (unsigned long long)end->removed);
    }
    if (end->result) {
        fprintf(stderr, ", %lld + %lld tokens", (long long)end->result->usage.input,
                (long long)end->result->usage.output);
    }
    fputc('\n', stderr);
    session->status = end->complete ? 0 : 1;
    loop_stop(session->loop);
}

static const struct wiki_ask_events asking_events = {
    .context = on_context, .notice = on_notice, .open = on_open, .text = on_text, .end = on_end};

/* The third word, or all of standard input for "-". */
static enum err read_question(struct wiki_session *session, struct str *question_out,
                              struct why *why)
{
    struct args *args = session->args;
    if (args->word_count < 3) return why_set(why, ERR_INVALID, "wiki ask needs a question, or -");
    *question_out = str_of(args->words[2]);
    if (strcmp(args->words[2], "-") == 0) {
        char *text = arena_alloc(&args->arena, QUESTION_BYTES_MAX + 1);
        size_t len = fread(text, 1, QUESTION_BYTES_MAX + 1, stdin);
        *question_out = (struct str){text, len};
    }
    if (question_out->len && question_out->len <= QUESTION_BYTES_MAX && utf8_valid(*question_out))
        return OK;
    return why_set(why, ERR_INVALID, "a question is UTF-8 of at most 1 MiB, and not empty");
}

enum err wiki_open_models(struct wiki_session *session, struct why *why)
{
    enum err err = workers_open(1, 4, (struct workers_hooks){0}, &session->workers, why);
    if (!err) err = llm_open(&session->args->settings, &session->llm, why);
    if (!err) session->home = llm_loop_open(session->llm, session->loop);
    return err;
}

static int run_ask(struct wiki_session *session)
{
    struct wiki wiki;
    struct str question;
    struct why why;
    const char *code = wiki_option(session, "language");
    struct str language = wiki_locale_name(&wiki_locales_usual, str_of(code));
    enum err err = wiki_named(session, &wiki, &why);
    if (!err && wiki.indexed_us == 0) {
        err = why_set(&why, ERR_CONFLICT, "this wiki has no index yet: hutong wiki index %s",
                      session->args->words[1]);
    }
    if (!err) err = read_question(session, &question, &why);
    if (!err && *code && language.len == 0) {
        err = why_set(&why, ERR_INVALID,
                      "--language \"%s\": en, ja, zh, zh-tw, es, kr, vi, pt-br, "
                      "fr or ru",
                      code);
    }
    if (!err) err = wiki_open_models(session, &why);
    if (err) return fail(&why);
    struct llm_message turn = {.role = LLM_USER, .text = question};
    struct wiki_desk desk = {.library = session->library,
                             .workers = session->workers,
                             .loop = session->loop,
                             .llm = session->llm,
                             .models = session->home,
                             .settings = &session->args->settings};
    struct wiki_asking asking = {.wiki = wiki.id,
                                 .name = wiki.name,
                                 .url = wiki.url,
                                 .turns = &turn,
                                 .turn_count = 1,
                                 .model = str_of(wiki_option(session, "model")),
                                 .language = language,
                                 .file = str_of(wiki_option(session, "file")),
                                 .research = args_option(session->args, "research") != NULL};
    wiki_ask_start(&desk, &asking, &asking_events, session);
    loop_run(session->loop);
    return session->status;
}

/* --- the command --- */

static int run_open(struct wiki_session *session)
{
    static const struct {
        const char *name;
        int (*run)(struct wiki_session *session);
    } verbs[] = {{"add", run_add},
                 {"index", run_index},
                 {"list", run_list},
                 {"ask", run_ask},
                 {"generate", run_wiki_generate},
                 {"export", run_wiki_export},
                 {"delete", run_delete},
                 {"import", run_import}};
    const char *what = session->args->words[0];
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (strcmp(what, verbs[i].name) == 0) return verbs[i].run(session);
    }
    return usage_error("wiki has no \"%s\"; there are add, index, list, ask, generate, export, "
                       "delete and import",
                       what);
}

static void close_session(struct wiki_session *session)
{
    wiki_embedder_close(session->embedder);
    if (session->home) llm_loop_close(session->home);
    llm_free(session->llm);
    workers_close(session->workers);
    wiki_library_close(session->library);
    if (session->loop) loop_close(session->loop);
    db_close(session->db);
    store_close(session->store);
}

int run_wiki(struct args *args)
{
    struct wiki_session session = {.args = args};
    struct why why;
    if (args->word_count == 0)
        return usage_error(
            "wiki needs one of add, index, list, ask, generate, export, delete and import");
    wiki_old_embedder(&args->settings, &args->arena, environ);
    enum err err = log_open(NULL, LOG_ERROR, &why); /* what is printed says the rest */
    if (!err) err = open_store(&args->settings, &session.store, &session.db, &why);
    if (!err) err = loop_open(&session.loop, &why);
    if (!err)
        err = wiki_library_open(&args->settings, session.store, false, &session.library, &why);
    int status = err ? fail(&why) : run_open(&session);
    close_session(&session);
    return status;
}
