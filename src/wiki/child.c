/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/child.c: posix_spawn(), which does not copy the tables of a large process
 * as fork() would, and needs no code of ours between fork and exec.
 */
#include "wiki/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATIENCE_US = 2 * 1000 * 1000 };

struct ends {
    int ours, theirs;
};

static void close_end(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* The child writes, or reads when `child_reads`. */
static bool open_pipe(struct ends *ends, bool child_reads)
{
    int both[2];
    if (pipe2(both, O_CLOEXEC) != 0) return false;
    ends->theirs = both[child_reads ? 0 : 1];
    ends->ours = both[child_reads ? 1 : 0];
    return fcntl(ends->ours, F_SETFL, O_NONBLOCK) == 0;
}

static bool connect_end(posix_spawn_file_actions_t *actions, const struct ends *ends, int fd)
{
    if (ends->theirs >= 0) return posix_spawn_file_actions_adddup2(actions, ends->theirs, fd) == 0;
    return posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0) == 0;
}

/* A group of its own, and signals as they are for a program that a shell starts. */
static bool set_attributes(posix_spawnattr_t *attributes)
{
    static const int usual[] = {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGXFSZ};
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    for (size_t i = 0; i < COUNT_OF(usual); i++) sigaddset(&defaults, usual[i]);
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    return posix_spawnattr_setpgroup(attributes, 0) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &defaults) == 0 &&
           posix_spawnattr_setflags(attributes, flags) == 0;
}

/* 0, or an errno. */
static int spawn(const struct wiki_child_setup *setup, struct ends ends[3], pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    bool fine = set_attributes(&attributes);
    for (int fd = 0; fd < 3; fd++) fine = fine && connect_end(&actions, &ends[fd], fd);
    fine = fine && posix_spawn_file_actions_addclosefrom_np(&actions, 3) == 0;
    /* The interface is older than const; it changes neither list. */
    char *const *argv = (char *const *)(uintptr_t)setup->argv;
    char *const *env = (char *const *)(uintptr_t)setup->env;
    int error = fine ? posix_spawnp(pid_out, argv[0], &actions, &attributes, argv, env) : ENOMEM;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Its helpers inherit these. A core of it would hold its environment. */
static void set_limits(pid_t pid, const struct wiki_child_setup *setup)
{
    struct rlimit none = {0, 0}, file = {setup->file_bytes_max, setup->file_bytes_max};
    struct rlimit memory = {setup->memory_max, setup->memory_max};
    (void)prlimit(pid, RLIMIT_CORE, &none, NULL);
    if (setup->file_bytes_max > 0) (void)prlimit(pid, RLIMIT_FSIZE, &file, NULL);
    if (setup->memory_max > 0) (void)prlimit(pid, RLIMIT_AS, &memory, NULL);
}

enum err wiki_child_start(const struct wiki_child_setup *setup, struct wiki_child *child_out,
                          struct why *why)
{
    struct ends ends[3] = {{-1, -1}, {-1, -1}, {-1, -1}};
    pid_t pid = 0;
    bool open = (!setup->write_to || open_pipe(&ends[0], true)) && open_pipe(&ends[1], false) &&
                (!setup->hear_errors || open_pipe(&ends[2], false));
    int error = open ? spawn(setup, ends, &pid) : errno;
    for (int fd = 0; fd < 3; fd++) close_end(&ends[fd].theirs);
    if (error == 0) {
        set_limits(pid, setup);
        *child_out = (struct wiki_child){pid, ends[0].ours, ends[1].ours, ends[2].ours, 0};
        return OK;
    }
    for (int fd = 0; fd < 3; fd++) close_end(&ends[fd].ours);
    if (error == ENOENT || error == EACCES) {
        return why_set(why, ERR_UPSTREAM, "this server has no program called %s", setup->argv[0]);
    }
    return why_set(why, ERR_BUSY, "%s cannot be started: %s", setup->argv[0], strerror(error));
}

/* Still a zombie then, so its number is nobody else's. */
static bool has_exited(pid_t pid)
{
    siginfo_t info = {0};
    int got;
    do {
        got = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (got < 0 && errno == EINTR);
    return got < 0 || info.si_pid == pid;
}

/* Its helpers first: its group is its own only as long as it is not reaped. */
static void bury(struct wiki_child *child)
{
    (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) continue;
    child->pid = 0;
}

bool wiki_child_ended(struct wiki_child *child)
{
    if (child->pid > 0 && !has_exited(child->pid)) return false;
    if (child->pid > 0) bury(child);
    return true;
}

void wiki_child_close(struct wiki_child *child)
{
    if (child->pid > 0) {
        int64_t end_us = clock_mono_us() + PATIENCE_US;
        (void)kill(-child->pid, SIGTERM);
        while (!has_exited(child->pid) && clock_mono_us() < end_us) (void)poll(NULL, 0, 5);
        bury(child);
    }
    if (child->in > 0) close(child->in);
    if (child->out > 0) close(child->out);
    if (child->err > 0) close(child->err);
    *child = (struct wiki_child){0, -1, -1, -1, child->status};
}
