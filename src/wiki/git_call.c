/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/git_call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "wiki/dir.h"

enum {
    TURN_MS = 50,          /* how soon a stop is noticed */
    LOOK_US = 250 * 1000,  /* between two looks at the folder's size */
    OUT_MAX = 1024 * 1024, /* of a command that is run to its end */
    ENV_MAX = WIKI_GIT_VARIABLES + 2 * WIKI_GIT_SETTINGS + 2,
};

/* Found in the environment of the server and handed on, because the machine's operator meant them
 * for every program: where programs are, and whom to trust. */
static const struct {
    const char *ours, *theirs;
} handed_on[] = {
    {"PATH", "PATH"},
    {"SSL_CERT_FILE", "GIT_SSL_CAINFO"},
    {"SSL_CERT_DIR", "GIT_SSL_CAPATH"},
    {"SSH_AUTH_SOCK", "SSH_AUTH_SOCK"},
};

/* What holds for every call. */
static const char *const always[] = {
    "LC_ALL=C", /* its words are understood, see git_said.c */
    "GIT_CONFIG_NOSYSTEM=1",
    "GIT_ATTR_NOSYSTEM=1",
    "GIT_TERMINAL_PROMPT=0",
    "GIT_PROTOCOL_FROM_USER=0",
    "GIT_NO_LAZY_FETCH=1",
    "GIT_LFS_SKIP_SMUDGE=1",
    "GIT_OPTIONAL_LOCKS=0",
    "GIT_SSH_VARIANT=ssh",
};

static const struct {
    const char *name, *value;
} settings[] = {
    {"core.hooksPath", "/dev/null"},
    {"core.fsmonitor", "false"},
    {"core.attributesFile", "/dev/null"},
    {"core.packedGitWindowSize", "32m"}, /* its memory has a ceiling */
    {"core.packedGitLimit", "256m"},
    {"core.deltaBaseCacheLimit", "64m"},
    {"core.bigFileThreshold", "16m"},
    {"pack.windowMemory", "64m"},
    {"protocol.ext.allow", "never"},
    {"credential.helper", ""},
    {"gc.auto", "0"},
    {"maintenance.auto", "false"},
    {"submodule.recurse", "false"},
    {"fetch.recurseSubmodules", "false"},
    {"fetch.writeCommitGraph", "false"},
    {"transfer.unpackLimit", "1"}, /* packs only: thousands of small files help nobody */
    {"transfer.fsckObjects", "true"},
    /* Old programs wrote these, and no harm comes of them. */
    {"fetch.fsck.zeroPaddedFilemode", "ignore"},
    {"fetch.fsck.badTimezone", "ignore"},
    {"fetch.fsck.badDate", "ignore"},
    {"fetch.fsck.badDateOverflow", "ignore"},
    {"fetch.fsck.badEmail", "ignore"},
    {"fetch.fsck.badName", "ignore"},
    {"fetch.fsck.missingEmail", "ignore"},
    {"fetch.fsck.missingNameBeforeEmail", "ignore"},
    {"fetch.fsck.missingSpaceBeforeDate", "ignore"},
    {"fetch.fsck.missingSpaceBeforeEmail", "ignore"},
    {"fetch.fsck.multipleAuthors", "ignore"},
    {"fetch.fsck.missingTaggerEntry", "ignore"},
    {"fetch.fsck.zeroPaddedDate", "ignore"},
};

void wiki_git_variable(struct wiki_git *git, const char *text)
{
    ASSERT(git->variable_count < WIKI_GIT_VARIABLES);
    git->variables[git->variable_count++] = text;
}

void wiki_git_config(struct wiki_git *git, const char *name, struct str value)
{
    ASSERT(git->setting_count < WIKI_GIT_SETTINGS);
    git->settings[git->setting_count].name = name;
    git->settings[git->setting_count++].value = arena_copy(git->arena, value).at;
}

void wiki_git_init(struct wiki_git *git, struct arena *arena, const char *folder,
                   const char *protocol)
{
    *git = (struct wiki_git){.arena = arena, .folder = folder};
    buf_init(&git->out, OUT_MAX);
    wiki_said_init(&git->said);
    for (size_t i = 0; i < COUNT_OF(always); i++) wiki_git_variable(git, always[i]);
    for (size_t i = 0; i < COUNT_OF(handed_on); i++) {
        const char *value = getenv(handed_on[i].ours);
        if (!value) continue;
        wiki_git_variable(git, arena_printf(arena, "%s=%s", handed_on[i].theirs, value).at);
    }
    wiki_git_variable(git, arena_printf(arena, "GIT_DIR=%s", folder).at);
    wiki_git_variable(git, arena_printf(arena, "HOME=%s", folder).at);
    wiki_git_variable(git, arena_printf(arena, "GIT_ALLOW_PROTOCOL=%s", protocol).at);
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        wiki_git_config(git, settings[i].name, str_of(settings[i].value));
    }
}

void wiki_git_release(struct wiki_git *git)
{
    buf_release(&git->out);
    wiki_said_release(&git->said);
}

/* Good as long as the arena. */
static const char *const *environment(struct wiki_git *git)
{
    struct arena *arena = git->arena;
    const char **env = ARENA_ARRAY(arena, const char *, ENV_MAX + 1);
    size_t count = 0;
    bool global = false;
    for (size_t i = 0; i < git->variable_count; i++) {
        env[count++] = git->variables[i];
        global = global || str_starts(str_of(git->variables[i]), STR("GIT_CONFIG_GLOBAL="));
    }
    if (!global) env[count++] = "GIT_CONFIG_GLOBAL=/dev/null";
    env[count++] = arena_printf(arena, "GIT_CONFIG_COUNT=%zu", git->setting_count).at;
    for (size_t i = 0; i < git->setting_count; i++) {
        const char *name = git->settings[i].name, *value = git->settings[i].value;
        env[count++] = arena_printf(arena, "GIT_CONFIG_KEY_%zu=%s", i, name).at;
        env[count++] = arena_printf(arena, "GIT_CONFIG_VALUE_%zu=%s", i, value).at;
    }
    ASSERT(count <= ENV_MAX);
    return env;
}

/* Between two looks a file may grow fast. So much more that the next look sees it for sure. */
static uint64_t file_bytes_max(const struct wiki_git *git)
{
    return git->bytes_max > 0 ? git->bytes_max + 1024 * (uint64_t)1024 : 0;
}

enum err wiki_git_start(struct wiki_git *git, const char *const *argv, bool write_to,
                        struct wiki_child *child_out, struct why *why)
{
    struct wiki_child_setup setup = {.argv = argv,
                                     .env = environment(git),
                                     .write_to = write_to,
                                     .hear_errors = !write_to,
                                     .file_bytes_max = file_bytes_max(git),
                                     .memory_max = LIMIT_WIKI_GIT_MEMORY};
    return wiki_child_start(&setup, child_out, why);
}

/* --- running one to its end --- */

/* What there is to read now. False: no more will come. */
static bool read_some(int fd, struct wiki_git *git, bool errors)
{
    char bytes[16 * 1024];
    for (;;) {
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        struct str piece = {bytes, (size_t)got};
        if (!errors) {
            buf_add_str(&git->out, piece);
        } else if (wiki_said_hear(&git->said, piece) && git->progress) {
            git->progress(git->ctx, git->said.stage, git->said.percent);
        }
    }
}

static bool is_too_large(const struct wiki_git *git)
{
    return git->bytes_max > 0 && wiki_dir_bytes(git->folder) > git->bytes_max;
}

static enum err refuse_size(const struct wiki_git *git, struct why *why)
{
    return why_set(why, ERR_LIMIT, "the repository is larger than the %llu MB that it may have",
                   (unsigned long long)(git->bytes_max >> 20));
}

static enum err check_bounds(struct wiki_git *git, int64_t *looked_us, struct why *why)
{
    int64_t now_us = clock_mono_us();
    if (git->stop && atomic_load(git->stop)) return why_set(why, ERR_CANCELLED, "it was stopped");
    if (git->end_us > 0 && now_us >= git->end_us) {
        return why_set(why, ERR_TIMEOUT, "fetching the repository took too long");
    }
    if (git->bytes_max == 0 || now_us - *looked_us < LOOK_US) return OK;
    *looked_us = now_us;
    return is_too_large(git) ? refuse_size(git, why) : OK;
}

/* Until it has ended. Its helpers may hold the pipes longer; nobody waits for them. */
static enum err listen_to(struct wiki_git *git, struct wiki_child *child, struct why *why)
{
    int64_t looked_us = clock_mono_us();
    bool out = true, errors = true;
    for (;;) {
        struct pollfd fds[2] = {{out ? child->out : -1, POLLIN, 0},
                                {errors ? child->err : -1, POLLIN, 0}};
        bool waits = out || errors; /* else both are closed, and its end is some instants away */
        (void)poll(fds, 2, waits ? TURN_MS : 1);
        bool ended = wiki_child_ended(child);
        if (out) out = read_some(child->out, git, false);
        if (errors) errors = read_some(child->err, git, true);
        if (ended) return OK;
        enum err err = check_bounds(git, &looked_us, why);
        if (err) return err;
    }
}

enum err wiki_git_run(struct wiki_git *git, const char *const *argv, struct why *why)
{
    struct wiki_child child = {0};
    buf_reset(&git->out, OUT_MAX);
    wiki_said_reset(&git->said);
    enum err err = wiki_git_start(git, argv, false, &child, why);
    if (err) return err;
    err = listen_to(git, &child, why);
    wiki_child_close(&child);
    if (err) return err;
    if (git->out.failed) return why_set(why, ERR_LIMIT, "git says more than anybody would read");
    if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0) return OK;
    if (is_too_large(git)) return refuse_size(git, why);
    return wiki_said_judge(&git->said, git->secret, why);
}
