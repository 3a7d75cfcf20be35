/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/tree_folder.c: a folder as it lies there.
 *
 * Every step is one openat() with O_NOFOLLOW from the descriptor of the folder
 * above, so no link leads out, not even one that is put there while we walk.
 *
 * Nothing is read to know whether a file changed: its id is its inode, size and
 * times. The kernel's clock for these stands still for some milliseconds, so a
 * file written twice in one tick could be taken for the first; therefore whoever
 * opens a tree waits until the newest file is older than a tick. Then what is
 * read later is what the id says, or the next tree has another id.
 */
#include "wiki/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wiki/leave.h"
#include "wiki/walk.h"

/* Twice the slowest tick there is (100 Hz). */
enum { TICK_US = 20 * 1000, ID_DIGITS = 64 };

struct folder_source {
    int top;
    int near;             /* the folder of the last file that was read; -1: none */
    struct str near_path; /* of it: files are read in order */
};

static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

static int open_in(int folder, const char *name, int flags)
{
    int fd;
    do {
        fd =
            openat(folder, name, flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* --- the walk --- */

struct walk {
    struct wiki_tree *tree;
    struct arena scratch; /* names of the folders we are in */
    int64_t newest_us;    /* the last change of a file we saw */
    struct stat closed;   /* a folder that nobody looks into; st_ino 0: none */
    struct buf bytes;
};

struct name {
    struct name *next;
    const char *text;
    unsigned char type; /* of readdir() */
};

/* All of a small file, in the tree's arena; empty when there is none to read. */
static struct str read_small(struct walk *walk, int folder, const char *name)
{
    struct str text = {NULL, 0};
    if (walk->tree->rules > LIMIT_WIKI_RULES_BYTES) return text;
    int fd = open_in(folder, name, 0);
    if (fd < 0) return text;
    struct stat is;
    if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode)) {
        buf_reset(&walk->bytes, SIZE_MAX);
        char *space = buf_space(&walk->bytes, LIMIT_WIKI_IGNORE_BYTES);
        ssize_t got;
        size_t len = 0;
        while ((got = read(fd, space + len, LIMIT_WIKI_IGNORE_BYTES - len)) > 0) len += (size_t)got;
        if (got == 0) text = wiki_tree_keep_rules(walk->tree, (struct str){space, len});
    }
    close(fd);
    return text;
}

static struct name *list_names(struct walk *walk, DIR *dir, struct wiki_level *level)
{
    struct name *names = NULL;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct str text = str_of(entry->d_name);
        if (str_eq(text, STR(".")) || str_eq(text, STR("..")) || str_eq(text, STR(".git")))
            continue;
        struct name *name = ARENA_NEW(&walk->scratch, struct name);
        name->text = arena_copy(&walk->scratch, text).at;
        name->type = entry->d_type;
        name->next = names;
        names = name;
        level->marks |= wiki_leave_marks(text);
        if (str_eq(text, STR(".gitignore"))) {
            struct str lines = read_small(walk, dirfd(dir), entry->d_name);
            level->ignore = wiki_ignore_parse(&walk->tree->arena, lines);
        } else if (str_eq(text, STR(".gitattributes"))) {
            struct str lines = read_small(walk, dirfd(dir), entry->d_name);
            level->attributes = wiki_attributes_parse(&walk->tree->arena, lines);
        }
    }
    return names;
}

/* Inode (with its device), size, and both times: what the kernel changes when the bytes change. */
static struct str id_of(struct walk *walk, const struct stat *is)
{
    uint64_t parts[4] = {
        (uint64_t)is->st_ino + (uint64_t)is->st_dev * UINT64_C(0x9E3779B97F4A7C15),
        (uint64_t)is->st_size,
        (uint64_t)is->st_mtim.tv_sec * 1000000000U + (uint64_t)is->st_mtim.tv_nsec,
        (uint64_t)is->st_ctim.tv_sec * 1000000000U + (uint64_t)is->st_ctim.tv_nsec,
    };
    static_assert(sizeof(parts) * 2 == ID_DIGITS, "two digits a byte");
    char *digits = arena_alloc(&walk->tree->arena, ID_DIGITS + 1);
    hex_write(digits, parts, sizeof(parts));
    return (struct str){digits, ID_DIGITS};
}

static void offer(struct walk *walk, int folder, const struct wiki_level *level,
                  const struct name *name)
{
    struct str text = str_of(name->text), none = {NULL, 0};
    struct stat is;
    if (name->type == DT_LNK) {
        wiki_tree_offer(walk->tree, level, text, WIKI_LEFT_LINK, 0, none);
    } else if (fstatat(folder, name->text, &is, AT_SYMLINK_NOFOLLOW) != 0) {
        wiki_tree_offer(walk->tree, level, text, WIKI_LEFT_UNREADABLE, 0, none);
    } else if (!S_ISREG(is.st_mode)) {
        wiki_tree_offer(walk->tree, level, text, WIKI_LEFT_LINK, 0, none);
    } else {
        int64_t changed_us = (int64_t)is.st_ctim.tv_sec * 1000000 + is.st_ctim.tv_nsec / 1000;
        walk->newest_us = MAX(walk->newest_us, changed_us);
        wiki_tree_offer(walk->tree, level, text, WIKI_TAKEN, (uint64_t)is.st_size,
                        id_of(walk, &is));
    }
}

static bool is_folder(int folder, const struct name *name)
{
    struct stat is;
    if (name->type != DT_UNKNOWN) return name->type == DT_DIR;
    return fstatat(folder, name->text, &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(is.st_mode);
}

static bool is_closed(const struct walk *walk, int folder)
{
    struct stat is;
    if (walk->closed.st_ino == 0) return false;
    return fstat(folder, &is) != 0 ||
           (is.st_dev == walk->closed.st_dev && is.st_ino == walk->closed.st_ino);
}

static void walk_folder(struct walk *walk, DIR *dir, struct wiki_level *level);

static void walk_below(struct walk *walk, int folder, const struct wiki_level *level,
                       const char *name)
{
    struct str text = str_of(name);
    if (!wiki_tree_enter(walk->tree, level, text)) return;
    int fd = open_in(folder, name, O_DIRECTORY);
    DIR *dir = fd < 0 || is_closed(walk, fd) ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0) close(fd);
        wiki_tree_leave_out(walk->tree, level, text, WIKI_LEFT_UNREADABLE);
        return;
    }
    struct wiki_level below = {.above = level, .depth = level->depth + 1};
    below.path = wiki_tree_path(walk->tree, level, text);
    walk_folder(walk, dir, &below);
    closedir(dir);
}

/* At most LIMIT_WIKI_DEPTH calls deep: wiki_tree_enter() says no to more. */
static void walk_folder(struct walk *walk, DIR *dir, struct wiki_level *level)
{
    struct name *names = list_names(walk, dir, level);
    for (const struct name *name = names; name && walk->tree->count <= LIMIT_WIKI_FILES;
         name = name->next) {
        if (is_folder(dirfd(dir), name)) {
            walk_below(walk, dirfd(dir), level, name->text);
        } else {
            offer(walk, dirfd(dir), level, name);
        }
    }
}

/* Until nothing that was seen can change without a new time of change. */
static void wait_for_tick(int64_t newest_us)
{
    int64_t wait_us = newest_us + TICK_US - clock_wall_us();
    if (wait_us <= 0 || wait_us > TICK_US) return; /* a clock that was set back helps nobody */
    struct timespec pause = {0, (long)wait_us * 1000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) continue;
}

/* --- reading --- */

/* Part by part, so that no link on the way is followed. -1 with errno; also of no part at all. */
static int open_below(int top, struct str path)
{
    int at = -1;
    struct str part;
    errno = ENOENT;
    while (str_split(&path, '/', &part)) {
        char name[NAME_MAX + 1];
        if (part.len == 0) continue;
        str_copy(name, sizeof(name), part);
        int next = open_in(at < 0 ? top : at, name, O_DIRECTORY | O_PATH);
        int error = errno;
        if (at >= 0) close(at);
        errno = error;
        if (next < 0) return -1;
        at = next;
    }
    return at;
}

static int open_file(struct folder_source *source, struct str path)
{
    struct str name = wiki_path_name(path);
    struct str folder = str_head(path, path.len > name.len ? path.len - name.len - 1 : 0);
    char text[NAME_MAX + 1];
    str_copy(text, sizeof(text), name);
    if (folder.len == 0) return open_in(source->top, text, 0);
    if (source->near < 0 || !str_eq(folder, source->near_path)) {
        if (source->near >= 0) close(source->near);
        source->near = open_below(source->top, folder);
        source->near_path = folder; /* a part of the file's path, which lives as long as the tree */
        if (source->near < 0) return -1;
    }
    return open_in(source->near, text, 0);
}

static enum err read_all(int fd, struct buf *bytes, enum wiki_left_out *left_out_out,
                         struct why *why)
{
    struct stat is;
    if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode)) {
        *left_out_out = WIKI_LEFT_LINK;
        return OK;
    }
    /* One byte more than it had, to see the end; if it grew meanwhile, on to the ceiling. */
    size_t piece = (size_t)MIN(is.st_size, LIMIT_WIKI_FILE_BYTES) + 1;
    while (bytes->len <= LIMIT_WIKI_FILE_BYTES) {
        piece = MIN(piece, LIMIT_WIKI_FILE_BYTES + 1 - bytes->len);
        ssize_t got = read(fd, buf_space(bytes, piece), piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return why_set(why, ERR_IO, "a file could not be read: %s", strerror(errno));
        if (got == 0) return OK;
        buf_grew(bytes, (size_t)got);
        if ((size_t)got == piece) piece = 64 * (size_t)1024;
    }
    *left_out_out = WIKI_LEFT_HUGE;
    return OK;
}

static enum err folder_read(void *ctx, const struct wiki_file *file, struct buf *bytes,
                            enum wiki_left_out *left_out_out, struct why *why)
{
    struct folder_source *source = ctx;
    int fd = open_file(source, file->path);
    if (fd < 0 && (is_absent(errno) || errno == EACCES || errno == EPERM || errno == ENXIO)) {
        *left_out_out = WIKI_LEFT_UNREADABLE;
        return OK;
    }
    if (fd < 0) return why_set(why, ERR_IO, "a file could not be opened: %s", strerror(errno));
    enum err err = read_all(fd, bytes, left_out_out, why);
    close(fd);
    return err;
}

static void folder_close(void *ctx)
{
    struct folder_source *source = ctx;
    if (source->near >= 0) close(source->near);
    if (source->top >= 0) close(source->top);
    mem_free(source);
}

/* --- opening --- */

/* The path was resolved when it was allowed (wiki_address_allow()): a link anywhere in it is new.
 */
static int open_resolved(const char *folder)
{
    struct str path = str_of(folder);
    while (path.len > 1 && str_ends(path, STR("/"))) path.len--;
    int root =
        open_in(AT_FDCWD, path.len > 0 && path.at[0] == '/' ? "/" : ".", O_DIRECTORY | O_PATH);
    int last = root < 0 ? -1 : open_below(root, path);
    int from = last < 0 && path.len == 1 ? root : last;
    int top = from < 0 ? -1 : open_in(from, ".", O_DIRECTORY);
    int error = errno;
    if (last >= 0) close(last);
    if (root >= 0) close(root);
    errno = error;
    return top;
}

static enum err open_top(const char *folder, int *top_out, struct why *why)
{
    *top_out = open_resolved(folder);
    if (*top_out >= 0) return OK;
    if (is_absent(errno)) return why_set(why, ERR_NOT_FOUND, "there is no such folder");
    if (errno == EACCES) return why_set(why, ERR_DENIED, "this server may not read the folder");
    return why_set(why, ERR_IO, "the folder cannot be opened: %s", strerror(errno));
}

enum err wiki_tree_open_folder(const char *folder, const char *closed,
                               const struct wiki_filters *filters, struct wiki_tree **tree_out,
                               struct why *why)
{
    struct wiki_tree *tree = NULL;
    enum err err = wiki_tree_new(filters, &tree, why);
    if (err) return err;
    struct folder_source *source = NEW(struct folder_source);
    source->near = -1;
    tree->source = source;
    tree->read = folder_read;
    tree->close = folder_close;

    struct walk walk = {.tree = tree};
    if (closed && stat(closed, &walk.closed) != 0) walk.closed.st_ino = 0;
    buf_init(&walk.bytes, LIMIT_WIKI_IGNORE_BYTES);
    DIR *dir = NULL;
    err = open_top(folder, &source->top, why);
    if (err) goto out;
    int again = open_in(source->top, ".", O_DIRECTORY);
    dir = again < 0 ? NULL : fdopendir(again);
    if (!dir) {
        if (again >= 0) close(again);
        err = why_set(why, ERR_IO, "the folder cannot be listed: %s", strerror(errno));
        goto out;
    }
    struct wiki_level top = {0};
    walk_folder(&walk, dir, &top);
    err = wiki_tree_finish(tree, why);
    if (!err) wait_for_tick(walk.newest_us);
out:
    if (dir) closedir(dir);
    arena_release(&walk.scratch);
    buf_release(&walk.bytes);
    if (err) {
        wiki_tree_close(tree);
    } else {
        *tree_out = tree;
    }
    return err;
}
