/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "mariadb.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "store/db.h"

enum { START_TIMEOUT_US = 60 * 1000 * 1000, POLL_US = 20 * 1000, ARGS_MAX = 24 };

/* One server for the process; tests run on one thread. */
static struct {
    pid_t pid;
    pid_t owner; /* a forked child must not stop its parent's server */
    char dir[64];
    struct arena arena;
    struct str admin; /* URL of a database that is always there; empty: nothing started yet */
    unsigned databases;
} server;

static const char template_dir[] = "build/mariadb-template";

_Noreturn static void give_up(const char *what)
{
    fprintf(stderr, "mariadb for tests: %s\n", what);
    if (server.dir[0]) {
        char path[128], line[512];
        snprintf(path, sizeof(path), "%s/log", server.dir);
        FILE *log = fopen(path, "re");
        while (log && fgets(line, sizeof(line), log)) {
            fputs(line, stderr);
        }
        if (log) fclose(log);
    }
    exit(1);
}

/* Start a program with its output in `log`. It dies with us. */
static pid_t start(const char *const *args, const char *log)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) give_up("cannot fork");
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out >= 0) {
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
    }
    union {
        const char *const *in;
        char *const *out;
    } argv = {.in = args}; /* execvp does not change them */
    execvp(args[0], argv.out);
    _exit(127);
}

static void run(const char *const *args, const char *log)
{
    int status = 0;
    pid_t pid = start(args, log);
    if (waitpid(pid, &status, 0) != pid || status != 0) give_up(args[0]);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The system tables, made once for all test programs; two that start at once wait in line. */
static void make_template(void)
{
    char log[128];
    snprintf(log, sizeof(log), "%s/log", server.dir);
    mkdir("build", 0755);
    int lock = open("build/mariadb-template.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX)) give_up("cannot lock build/mariadb-template.lock");
    if (access("build/mariadb-template/ready", F_OK) != 0) {
        remove_tree(template_dir);
        char datadir[PATH_MAX + 64]; /* absolute: the server changes its working directory */
        char *build = realpath("build", NULL);
        if (build == NULL) give_up("cannot find build/");
        snprintf(datadir, sizeof(datadir), "--datadir=%s/mariadb-template", build);
        free(build);
        const char *const install[] = {"mariadb-install-db",
                                       "--no-defaults",
                                       datadir,
                                       "--skip-test-db",
                                       "--auth-root-authentication-method=normal",
                                       "--innodb-log-file-size=8M",
                                       "--innodb-flush-log-at-trx-commit=0",
                                       getuid() == 0 ? "--user=root" : "--skip-name-resolve",
                                       NULL};
        run(install, log);
        int ready = open("build/mariadb-template/ready", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (ready < 0) give_up("cannot finish build/mariadb-template");
        close(ready);
    }
    close(lock);
}

static void wait_until_ready(void)
{
    struct why why = {0};
    int64_t give_up_us = clock_mono_us() + START_TIMEOUT_US;
    while (clock_mono_us() < give_up_us) {
        struct db *db = NULL;
        if (db_open(server.admin, DB_WRITE, &db, &why) == OK) {
            db_close(db);
            return;
        }
        int status = 0;
        if (waitpid(server.pid, &status, WNOHANG) == server.pid) {
            server.pid = 0;
            give_up("the server ended while starting");
        }
        usleep(POLL_US);
    }
    give_up(why.text);
}

static void start_server(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(server.dir, sizeof(server.dir), "%.40s/hutong-db-XXXXXX", tmp ? tmp : "/tmp");
    if (mkdtemp(server.dir) == NULL) give_up("cannot make a temporary folder");
    server.owner = getpid();
    atexit(mariadb_stop);
    make_template();
    char data[96], datadir[128], socket[128], log[128], tmpdir[128], pid_file[128];
    snprintf(data, sizeof(data), "%s/data", server.dir);
    snprintf(datadir, sizeof(datadir), "--datadir=%s", data);
    snprintf(tmpdir, sizeof(tmpdir), "--tmpdir=%s", server.dir);
    snprintf(socket, sizeof(socket), "--socket=%s/s", server.dir);
    snprintf(pid_file, sizeof(pid_file), "--pid-file=%s/pid", server.dir);
    snprintf(log, sizeof(log), "%s/log", server.dir);
    const char *const copy[] = {"cp", "-r", template_dir, data, NULL};
    run(copy, log);
    const char *const serve[] = {"mariadbd",
                                 "--no-defaults",
                                 datadir,
                                 tmpdir,
                                 socket,
                                 pid_file,
                                 "--skip-networking",
                                 "--innodb-flush-log-at-trx-commit=0",
                                 "--innodb-log-file-size=8M",
                                 "--innodb-buffer-pool-size=32M",
                                 "--innodb-doublewrite=0",
                                 "--sync-binlog=0",
                                 "--performance-schema=0",
                                 "--key-buffer-size=1M",
                                 getuid() == 0 ? "--user=root" : "--skip-name-resolve",
                                 NULL};
    static_assert(COUNT_OF(serve) <= ARGS_MAX, "a short command");
    server.pid = start(serve, log);
    server.admin = arena_printf(&server.arena, "mysql://root@/mysql?socket=%s/s", server.dir);
    wait_until_ready();
}

static void admin(const char *text)
{
    struct why why;
    struct db *db = NULL;
    if (db_open(server.admin, DB_WRITE, &db, &why) || db_script(db, str_of(text), &why)) {
        give_up(why.text);
    }
    db_close(db);
}

/* The URL of another database on the same server. */
static struct str sibling(struct arena *arena, struct str url, const char *name)
{
    struct str query = str_from(url, str_find_byte(url, '?'));
    struct str place = str_head(url, url.len - query.len);
    while (place.len > 0 && place.at[place.len - 1] != '/') {
        place.len--;
    }
    return arena_printf(arena, "%.*s%s%.*s", STR_ARGS(place), name, STR_ARGS(query));
}

struct str mariadb_new_database(struct arena *arena)
{
    if (server.admin.len == 0) {
        const char *given = getenv("HUTONG_TEST_MARIADB");
        if (given && given[0]) {
            server.admin = arena_copy(&server.arena, str_of(given));
        } else {
            start_server();
        }
    }
    char name[64], text[160];
    snprintf(name, sizeof(name), "hutong_test_%d_%u_%08x", (int)getpid(), ++server.databases,
             (unsigned)random_u64());
    snprintf(text, sizeof(text), "CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
             name);
    admin(text);
    return sibling(arena, server.admin, name);
}

void mariadb_drop_database(struct str url)
{
    size_t end = str_find_byte(url, '?'), start_at = end;
    while (start_at > 0 && url.at[start_at - 1] != '/') {
        start_at--;
    }
    char text[160];
    snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS %.*s", (int)(end - start_at),
             url.at + start_at);
    admin(text);
}

void mariadb_stop(void)
{
    if (server.owner != getpid()) return;
    if (server.pid > 0) {
        kill(server.pid, SIGKILL); /* its data is thrown away: nothing to save */
        waitpid(server.pid, NULL, 0);
    }
    if (server.dir[0]) remove_tree(server.dir);
    arena_release(&server.arena);
    server.pid = 0;
    server.dir[0] = '\0';
    server.admin = (struct str){0};
}
