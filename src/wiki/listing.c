/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { TREE_BYTES_MAX = 16 * 1024 * 1024, PATH_BYTES = 4096, DEPTH_MAX = 64 };
enum { SEEN_MAX = 4 * WIKI_LISTING_FILES_MAX /* entries looked at, listed or not */ };

struct walk {
    struct arena arena;
    struct str *files; /* owned; the texts are the arena's */
    size_t count, cap, seen;
    dev_t device; /* the folder that stays closed; inode 0: none */
    ino_t inode;
    char path[PATH_BYTES]; /* of the folder that is being read, with its '/' */
    bool too_many;
};

/* --- getting there --- */

static enum err denied(struct why *why)
{
    return why_set(why, ERR_DENIED,
                   "此文件夹未开放 (this folder is not among those whose insides may be read; the "
                   "operator's setting wiki-roots names them)");
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "没有这个文件夹 (there is no such folder)");
}

/* An absolute path without ".." and whatever no path of a person has. */
static bool is_straight(struct str path)
{
    struct str part;
    if (!str_starts(path, STR("/")) || path.len >= PATH_BYTES || !utf8_valid(path)) return false;
    for (size_t i = 0; i < path.len; i++) {
        if ((unsigned char)path.at[i] < 0x20) return false;
    }
    while (str_split(&path, '/', &part)) {
        if (str_eq(part, STR(".."))) return false;
    }
    return true;
}

/* The next part that says something. */
static bool next_part(struct str *path, struct str *part_out)
{
    while (str_split(path, '/', part_out)) {
        if (part_out->len > 0 && !str_eq(*part_out, STR("."))) return true;
    }
    return false;
}

/* Is `path` in `root`? Then what is behind it. */
static bool is_below(struct str path, struct str root, struct str *rest_out)
{
    struct str part, wanted;
    while (next_part(&root, &wanted)) {
        if (!next_part(&path, &part) || !str_eq(part, wanted)) return false;
    }
    *rest_out = path;
    return true;
}

static bool is_closed(const struct walk *walk, int folder)
{
    struct stat is;
    if (walk->inode == 0) return false;
    return fstat(folder, &is) < 0 || (is.st_dev == walk->device && is.st_ino == walk->inode);
}

static int open_below(int folder, const char *name)
{
    return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* `*folder_out` is open and the caller's, also where it is not what was wanted; -1: nothing. */
static enum err open_folder(const struct walk *walk, struct str root, struct str rest,
                            int *folder_out, struct why *why)
{
    char name[PATH_BYTES];
    struct str part;
    str_copy(name, sizeof(name), root);
    *folder_out = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* its links are the operator's */
    while (*folder_out >= 0 && next_part(&rest, &part)) {
        if (is_closed(walk, *folder_out)) return denied(why);
        str_copy(name, sizeof(name), part);
        int next = open_below(*folder_out, name);
        close(*folder_out);
        *folder_out = next;
    }
    if (*folder_out < 0) return not_found(why);
    return is_closed(walk, *folder_out) ? denied(why) : OK;
}

/* --- walking --- */

static bool is_left_out(struct str name)
{
    static const char *const names[] = {"__pycache__", "node_modules", "__init__.py"};
    if (name.len == 0 || name.at[0] == '.' || !utf8_valid(name)) return true;
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.at[i] < 0x20) return true;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_eq(name, str_of(names[i]))) return true;
    }
    return false;
}

/* DT_REG, DT_DIR, or something that is neither. */
static int kind_of(int folder, const struct dirent *entry)
{
    struct stat is;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type;
    if (fstatat(folder, entry->d_name, &is, AT_SYMLINK_NOFOLLOW) < 0) return DT_UNKNOWN;
    return S_ISREG(is.st_mode) ? DT_REG : S_ISDIR(is.st_mode) ? DT_DIR : DT_UNKNOWN;
}

static void add_file(struct walk *walk, size_t path_len, struct str name)
{
    if (walk->count == walk->cap) {
        walk->cap = walk->cap ? 2 * walk->cap : 256;
        walk->files = mem_resize(walk->files, walk->cap * sizeof(struct str));
    }
    walk->files[walk->count++] =
        arena_printf(&walk->arena, "%.*s%.*s", (int)path_len, walk->path, STR_ARGS(name));
}

static void walk_folder(struct walk *walk, int folder, size_t path_len, int depth);

static void walk_entry(struct walk *walk, int folder, size_t path_len, int depth,
                       const struct dirent *entry)
{
    struct str name = str_of(entry->d_name);
    if (is_left_out(name) || path_len + name.len + 2 > sizeof(walk->path)) return;
    int kind = kind_of(folder, entry);
    if (kind == DT_REG) add_file(walk, path_len, name);
    if (kind != DT_DIR || depth == DEPTH_MAX) return;
    int below = open_below(folder, entry->d_name);
    if (below < 0) return; /* gone, or not for us */
    if (is_closed(walk, below)) {
        close(below);
        return;
    }
    memcpy(walk->path + path_len, name.at, name.len);
    walk->path[path_len + name.len] = '/';
    walk_folder(walk, below, path_len + name.len + 1, depth + 1);
}

/* Takes `folder` over. What of it cannot be read is as not there. */
static void walk_folder(struct walk *walk, int folder, size_t path_len, int depth)
{
    DIR *dir = fdopendir(folder);
    if (dir == NULL) {
        close(folder);
        return;
    }
    const struct dirent *entry;
    while (!walk->too_many && (entry = readdir(dir)) != NULL) {
        walk_entry(walk, folder, path_len, depth, entry);
        walk->seen++;
        walk->too_many = walk->count > WIKI_LISTING_FILES_MAX || walk->seen > SEEN_MAX;
    }
    closedir(dir);
}

/* --- what is told --- */

static int by_bytes(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    int order = memcmp(a->at, b->at, MIN(a->len, b->len));
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool is_readme(struct str path)
{
    static const struct str name = {"readme.md", 9};
    size_t at = path.len > name.len ? path.len - name.len : 0;
    return str_eq_nocase(str_from(path, at), name) && (at == 0 || path.at[at - 1] == '/');
}

static size_t depth_of(struct str path)
{
    size_t depth = 0;
    for (size_t i = 0; i < path.len; i++) depth += path.at[i] == '/';
    return depth;
}

/* Opened part by part as well: a link may have been put there since. */
static int open_file(int folder, struct str path)
{
    char name[PATH_BYTES];
    struct str part;
    int at = dup(folder);
    while (at >= 0 && next_part(&path, &part)) {
        bool last = path.len == 0;
        str_copy(name, sizeof(name), part);
        int next = last ? openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                        : open_below(at, name);
        close(at);
        at = next;
    }
    return at;
}

static void read_readme(int folder, const struct walk *walk, struct buf *readme)
{
    const struct str *best = NULL;
    for (size_t i = 0; i < walk->count; i++) {
        const struct str *path = &walk->files[i];
        if (is_readme(*path) && (!best || depth_of(*path) < depth_of(*best))) best = path;
    }
    struct stat is;
    int file = best ? open_file(folder, *best) : -1;
    if (file < 0) return;
    if (fstat(file, &is) == 0 && S_ISREG(is.st_mode)) {
        /* One byte more than is told: then it is known whether the end is the end. */
        size_t most = WIKI_README_BYTES_MAX, room = MIN((size_t)is.st_size, most + 1);
        char *to = buf_space(readme, room);
        ssize_t got = to && room ? pread(file, to, room, 0) : 0;
        if (got > 0) buf_grew(readme, (size_t)got > most ? utf8_floor(to, most) : (size_t)got);
    }
    close(file);
    if (readme->len > 0 && !utf8_valid(buf_str(readme))) buf_reset(readme, 0);
}

static enum err tell(int folder, struct walk *walk, struct wiki_listing *listing, struct why *why)
{
    if (walk->count > 0) qsort(walk->files, walk->count, sizeof(struct str), by_bytes);
    for (size_t i = 0; i < walk->count; i++) {
        if (i > 0) buf_add_byte(&listing->tree, '\n');
        buf_add_str(&listing->tree, walk->files[i]);
    }
    if (walk->too_many || listing->tree.failed) {
        return why_set(why, ERR_INVALID, "the folder has more than %d files",
                       WIKI_LISTING_FILES_MAX);
    }
    read_readme(folder, walk, &listing->readme);
    return OK;
}

/* --- all of it --- */

static void close_data(struct walk *walk, struct str data_dir)
{
    char name[PATH_BYTES];
    struct stat is;
    str_copy(name, sizeof(name), data_dir);
    if (stat(name, &is) < 0) return;
    walk->device = is.st_dev;
    walk->inode = is.st_ino;
}

static enum err walk_all(struct walk *walk, int folder, struct wiki_listing *listing,
                         struct why *why)
{
    int own = open_below(folder, ".");
    if (own < 0) return why_set(why, ERR_IO, "the folder cannot be read: %s", strerror(errno));
    walk_folder(walk, own, 0, 0);
    return tell(folder, walk, listing, why);
}

enum err wiki_listing_read(struct str roots, struct str data_dir, struct str path,
                           struct wiki_listing *listing_out, struct why *why)
{
    struct str root, below;
    enum err err = denied(why);
    buf_init(&listing_out->tree, TREE_BYTES_MAX);
    buf_init(&listing_out->readme, WIKI_README_BYTES_MAX + 1);
    if (!is_straight(path)) return err;
    struct walk *walk = NEW(struct walk);
    close_data(walk, data_dir);
    while (err == ERR_DENIED && str_split(&roots, ':', &root)) {
        int folder = -1;
        if (root.len == 0 || !is_below(path, root, &below)) continue;
        err = open_folder(walk, root, below, &folder, why);
        if (!err) err = walk_all(walk, folder, listing_out, why);
        if (folder >= 0) close(folder);
    }
    mem_free(walk->files);
    arena_release(&walk->arena);
    mem_free(walk);
    return err;
}

void wiki_listing_release(struct wiki_listing *listing)
{
    buf_release(&listing->tree);
    buf_release(&listing->readme);
}
