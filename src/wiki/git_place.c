/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/git_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "io/file.h"
#include "wiki/dir.h"
#include "wiki/git_remote.h"

#define BESIDE ".new-"

static enum err io_error(struct why *why, const char *what)
{
    if (err_is_full(errno)) {
        return why_set(why, ERR_FULL, "there is no room left for the repository");
    }
    return why_set(why, ERR_IO, "%s: %s", what, strerror(errno));
}

/* ---- locks ---- */

static enum err lock_folder(struct wiki_place *place, struct why *why)
{
    int fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return why_set(why, ERR_NOT_FOUND, "nothing was fetched yet");
    if (fd < 0) return io_error(why, "the folder of the repository cannot be opened");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return why_set(why, ERR_BUSY, "the repository is being fetched already");
    }
    /* Between the two it may have been exchanged for another. */
    struct stat held, named;
    if (fstat(fd, &held) != 0 || stat(place->folder, &named) != 0 || held.st_ino != named.st_ino) {
        close(fd);
        return why_set(why, ERR_BUSY, "the repository is being fetched already");
    }
    place->lock = fd;
    return OK;
}

enum err wiki_place_open(struct wiki_place *place, struct arena *arena, const char *folder,
                         struct why *why)
{
    *place = (struct wiki_place){.folder = arena_copy(arena, str_of(folder)).at};
    return lock_folder(place, why);
}

void wiki_place_close(struct wiki_place *place)
{
    if (place->beside) (void)wiki_dir_remove(place->folder);
    if (place->lock > 0) close(place->lock);
    *place = (struct wiki_place){0};
}

/* ---- beside ---- */

static struct str parent_of(struct arena *arena, const char *folder)
{
    struct str path = str_of(folder);
    while (path.len > 0 && path.at[path.len - 1] != '/') path.len--;
    return path.len > 0 ? arena_copy(arena, path) : STR("./");
}

static bool make_folders(struct arena *arena, struct str path)
{
    char *text = arena_alloc(arena, path.len + 1);
    memcpy(text, path.at, path.len);
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && text[i] != '/') continue;
        text[i] = '\0';
        if (mkdir(text, 0700) != 0 && errno != EEXIST) return false;
        text[i] = i < path.len ? '/' : '\0';
    }
    return true;
}

/* Those whose lock nobody holds. False: somebody is at one. */
static bool remove_left_overs(struct arena *arena, struct str parent, struct str begins)
{
    bool none = true;
    DIR *dir = opendir(parent.at);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (!str_starts(str_of(entry->d_name), begins)) continue;
        struct wiki_place left = {0};
        struct why unused;
        left.folder = arena_printf(arena, "%.*s%s", STR_ARGS(parent), entry->d_name).at;
        enum err err = lock_folder(&left, &unused);
        left.beside = err == OK;
        none = none && err != ERR_BUSY;
        wiki_place_close(&left);
    }
    if (dir) closedir(dir);
    return none;
}

enum err wiki_place_beside(struct wiki_place *place, struct arena *arena, const char *folder,
                           struct why *why)
{
    struct str parent = parent_of(arena, folder);
    struct str name = str_from(str_of(folder), str_eq(parent, STR("./")) ? 0 : parent.len);
    if (!make_folders(arena, parent)) return io_error(why, "no folder can be made");
    struct str begins = arena_printf(arena, "%.*s" BESIDE, STR_ARGS(name));
    if (!remove_left_overs(arena, parent, begins)) {
        return why_set(why, ERR_BUSY, "the repository is being fetched already");
    }
    *place = (struct wiki_place){0};
    place->folder = arena_printf(arena, "%.*s%.*s%016llx", STR_ARGS(parent), STR_ARGS(begins),
                                 (unsigned long long)random_u64())
                        .at;
    if (mkdir(place->folder, 0700) != 0) return io_error(why, "no folder can be made");
    enum err err = lock_folder(place, why);
    place->beside = err == OK;
    return err;
}

/* ---- a repository ---- */

static bool write_file(struct arena *arena, const char *folder, const char *name, const char *text)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name).at;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool fine = file_write(fd, str_of(text));
    return close(fd) == 0 && fine;
}

/* Everything in it, but not the folder, which is locked. */
static void empty_folder(struct arena *arena, const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        struct str name = str_of(entry->d_name);
        if (str_eq(name, STR(".")) || str_eq(name, STR(".."))) continue;
        (void)wiki_dir_remove(arena_printf(arena, "%s/%s", folder, entry->d_name).at);
    }
    if (dir) closedir(dir);
}

static const char serve[] = "[safe]\n\tdirectory = *\n"
                            "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n";

enum err wiki_place_init(struct wiki_place *place, struct wiki_git *git, bool sha256,
                         struct why *why)
{
    empty_folder(git->arena, place->folder);
    const char *const argv[] = {
        "git",    "init",        "--quiet",
        "--bare", "--template=", sha256 ? "--object-format=sha256" : "--object-format=sha1",
        NULL};
    enum err err = wiki_git_run(git, argv, why);
    if (err) return err;
    if (!write_file(git->arena, place->folder, WIKI_GIT_SERVE, serve)) {
        return io_error(why, "a file of the repository cannot be written");
    }
    return OK;
}

/* What is beside from then on is the old one, which wiki_place_close() removes. */
static bool exchange(struct arena *arena, const char *new, const char *folder)
{
    if (renameat2(AT_FDCWD, new, AT_FDCWD, folder, RENAME_EXCHANGE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    /* A file system that cannot: for an instant there is none, which only means to fetch again. */
    const char *old = arena_printf(arena, "%s-old", new).at;
    return rename(folder, old) == 0 && rename(new, folder) == 0 && rename(old, new) == 0;
}

/* A new one takes the name; an old one is exchanged in one step. */
enum err wiki_place_take(struct wiki_place *place, const char *folder, struct why *why)
{
    struct arena arena = {0};
    struct str parent = parent_of(&arena, folder);
    bool fine = rename(place->folder, folder) == 0;
    if (fine) {
        place->beside = false;
    } else if (errno == ENOTEMPTY || errno == EEXIST) {
        fine = exchange(&arena, place->folder, folder);
    }
    enum err err =
        fine && folder_sync(parent.at) ? OK : io_error(why, "a folder cannot be renamed");
    arena_release(&arena);
    return err;
}

/* ---- an older one ---- */

static void sweep(struct arena *arena, const char *folder, const char *begins, const char *ends)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        struct str name = str_of(entry->d_name);
        if (!str_starts(name, str_of(begins)) || !str_ends(name, str_of(ends))) continue;
        if (str_eq(name, STR(".")) || str_eq(name, STR(".."))) continue;
        (void)unlink(arena_printf(arena, "%s/%s", folder, entry->d_name).at);
    }
    if (dir) closedir(dir);
}

void wiki_place_sweep(const struct wiki_place *place)
{
    struct arena arena = {0};
    sweep(&arena, place->folder, "", ".lock");
    sweep(&arena, arena_printf(&arena, "%s/refs/hutong", place->folder).at, "", ".lock");
    sweep(&arena, arena_printf(&arena, "%s/objects/pack", place->folder).at, "tmp_", "");
    sweep(&arena, arena_printf(&arena, "%s/objects", place->folder).at, "tmp_", "");
    arena_release(&arena);
}

bool wiki_place_is_sha256(struct wiki_git *git)
{
    struct why unused;
    const char *const argv[] = {"git", "rev-parse", "--show-object-format", NULL};
    return wiki_git_run(git, argv, &unused) == OK &&
           str_eq(str_trim(buf_str(&git->out)), STR("sha256"));
}

size_t wiki_place_packs(const struct wiki_place *place)
{
    struct arena arena = {0};
    const char *folder = arena_printf(&arena, "%s/objects/pack", place->folder).at;
    size_t packs = wiki_dir_count(folder, ".pack");
    arena_release(&arena);
    return packs;
}
