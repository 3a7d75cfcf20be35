/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"

enum { DEPTH_MAX = 64 }; /* ours have four or five levels */

static DIR *open_dir(int above, const char *name)
{
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0) close(fd);
    return dir;
}

static const char *next_name(DIR *dir)
{
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            return entry->d_name;
        }
    }
    return NULL;
}

static uint64_t bytes_of(int above, const char *name, int depth)
{
    struct stat is;
    uint64_t bytes = 0;
    DIR *dir = depth < DEPTH_MAX ? open_dir(above, name) : NULL;
    for (const char *entry; dir && (entry = next_name(dir)) != NULL;) {
        if (fstatat(dirfd(dir), entry, &is, AT_SYMLINK_NOFOLLOW) != 0) continue;
        bytes += S_ISDIR(is.st_mode) ? bytes_of(dirfd(dir), entry, depth + 1)
                                     : (uint64_t)is.st_blocks * 512;
    }
    if (dir) closedir(dir);
    return bytes;
}

uint64_t wiki_dir_bytes(const char *folder)
{
    return bytes_of(AT_FDCWD, folder, 0);
}

static bool remove_below(int above, const char *name, int depth)
{
    if (unlinkat(above, name, 0) == 0 || errno == ENOENT) return true;
    if ((errno != EISDIR && errno != EPERM) || depth == DEPTH_MAX) return false;
    DIR *dir = open_dir(above, name);
    if (!dir) return errno == ENOENT;
    bool fine = true;
    for (const char *entry; (entry = next_name(dir)) != NULL;) {
        fine = remove_below(dirfd(dir), entry, depth + 1) && fine;
    }
    closedir(dir);
    return (unlinkat(above, name, AT_REMOVEDIR) == 0 || errno == ENOENT) && fine;
}

bool wiki_dir_remove(const char *folder)
{
    return remove_below(AT_FDCWD, folder, 0);
}

size_t wiki_dir_count(const char *folder, const char *ending)
{
    size_t count = 0;
    DIR *dir = open_dir(AT_FDCWD, folder);
    for (const char *entry; dir && (entry = next_name(dir)) != NULL;) {
        count += !ending || str_ends(str_of(entry), str_of(ending));
    }
    if (dir) closedir(dir);
    return count;
}

bool wiki_dir_remove_database(const char *file)
{
    static const char *const ends[] = {"-wal", "-shm", ""};
    bool removed = true;
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(ends) && removed; i++) {
        const char *path = arena_printf(&arena, "%s%s", file, ends[i]).at;
        removed = unlink(path) == 0 || errno == ENOENT;
    }
    arena_release(&arena);
    return removed;
}
