/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/commit.c: what the size of a commit group does, and what a savepoint
 * around each change costs.
 *
 *     commit [--seconds S] [--dir DIR]
 *
 * Posts (row, words, counters, event) through the functions members use, on
 * one thread, in groups of 1 to 256, each group one transaction and one fsync.
 * Prints posts a second, processor time a post and time a commit.
 */
#include <dirent.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "community/accounts.h"
#include "community/talk.h"
#include "base/embedded.h"
#include "store/migrate.h"

struct bench {
    struct db *db;
    struct arena arena;
    struct user_id author;
    double seconds;
};

static void must(enum err err, const struct why *why)
{
    if (err == OK) return;
    fprintf(stderr, "commit: %s\n", why->text);
    exit(1);
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void post_one(struct bench *bench, uint64_t number, struct why *why)
{
    struct act act;
    act_init(&act, bench->db, &bench->arena, clock_wall_us(), bench->author, ROLE_MEMBER);
    struct str text =
        arena_printf(&bench->arena,
                     "Post number %llu from the bench: 胡同里的邻居们今天都在做什么？ "
                     "A line about tea, rain and the market.",
                     (unsigned long long)number);
    struct post_draft draft = {.content = text};
    struct post post;
    must(talk_post(&act, &draft, &post, why), why);
}

static void run(struct bench *bench, int group, bool savepoints)
{
    struct why why;
    uint64_t posts = 0, commits = 0, pages, left;
    int64_t began_us = clock_mono_us(), cpu_began_us = cpu_us(), commit_us = 0;
    int64_t until_us = began_us + (int64_t)(bench->seconds * 1e6);
    while (clock_mono_us() < until_us) {
        must(db_begin(bench->db, &why), &why);
        for (int i = 0; i < group; i++) {
            if (savepoints) must(db_savepoint(bench->db, &why), &why);
            post_one(bench, posts++, &why);
            if (savepoints) must(db_savepoint_release(bench->db, &why), &why);
        }
        int64_t before_us = clock_mono_us();
        must(db_commit(bench->db, &why), &why);
        commit_us += clock_mono_us() - before_us;
        arena_reset(&bench->arena);
        if (++commits % 64 == 0) must(db_checkpoint(bench->db, &pages, &left, &why), &why);
    }
    double seconds = (double)(clock_mono_us() - began_us) / 1e6;
    printf("| %5d | %-9s | %8.0f | %7.1f | %9.2f |\n", group, savepoints ? "savepoint" : "plain",
           (double)posts / seconds, (double)(cpu_us() - cpu_began_us) / (double)posts,
           (double)commit_us / (double)commits / 1000);
    fflush(stdout);
}

static void fill(struct bench *bench, struct str url)
{
    struct why why;
    must(db_open(url, DB_MAINTAIN, &bench->db, &why), &why);
    must(migrate_run(bench->db, embedded_files, &why), &why);
    db_close(bench->db);
    must(db_open(url, DB_WRITE, &bench->db, &why), &why);
    struct act act;
    struct user user;
    struct account_draft draft = {.username = STR("bench"), .nickname = STR("bench")};
    act_init(&act, bench->db, &bench->arena, clock_wall_us(), (struct user_id){0}, ROLE_MEMBER);
    must(db_begin(bench->db, &why), &why);
    must(accounts_create(&act, &draft, &user, &why), &why);
    must(db_commit(bench->db, &why), &why);
    bench->author = user.brief.id;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *at; folder && (at = readdir(folder)) != NULL;) {
        char name[4096];
        snprintf(name, sizeof(name), "%s/%s", path, at->d_name);
        unlink(name);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

int main(int argc, char **argv)
{
    struct bench bench = {.seconds = 2};
    const char *dir = ".";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0) bench.seconds = strtod(argv[i + 1], NULL);
        if (strcmp(argv[i], "--dir") == 0) dir = argv[i + 1];
    }
    char folder[2048], url[2200];
    snprintf(folder, sizeof(folder), "%s/hutong-commit-XXXXXX", dir);
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    snprintf(url, sizeof(url), "sqlite:%s/bench.db", folder);
    fill(&bench, str_of(url));
    puts("| group | each      |  posts/s | µs CPU | ms commit |\n"
         "| ----- | --------- | -------- | ------- | --------- |");
    static const int groups[] = {1, 4, 16, 64, 256};
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        run(&bench, groups[i], false);
        run(&bench, groups[i], true);
    }
    db_close(bench.db);
    arena_release(&bench.arena);
    remove_folder(folder);
    return 0;
}
