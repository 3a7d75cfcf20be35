/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Longer than a change waits for the writer. */
enum { FRESH_S = 10 };

enum err shelf_failed(struct why *why, const char *what)
{
    if (err_is_full(errno)) {
        log_error("files.disk_full", "doing=\"%s\"", what);
        return why_set(why, ERR_FULL, "现在无法保存 (cannot save now: the server's disk is full)");
    }
    return why_set(why, ERR_IO, "%s: %s", what, strerror(errno));
}

/* A folder that is new is not durable before the one that it stands in. */
static bool make_folder(const char *parent, const char *path)
{
    if (mkdir(path, 0750) < 0) return errno == EEXIST;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

enum err shelf_folder(struct str upload_dir, const char *name, char path[PATH_MAX], struct why *why)
{
    char root[PATH_MAX], above[PATH_MAX + 4];
    snprintf(root, sizeof(root), "%.*s", STR_ARGS(upload_dir));
    snprintf(above, sizeof(above), "%s/..", root);
    int len = snprintf(path, PATH_MAX, "%.*s/%s", STR_ARGS(upload_dir), name);
    if (len >= PATH_MAX) return why_set(why, ERR_IO, "the path of the uploads is too long");
    if (make_folder(root, path)) return OK;
    bool made = errno == ENOENT && mkdir(root, 0750) == 0 && make_folder(above, root) &&
                make_folder(root, path);
    return made ? OK : shelf_failed(why, "cannot make a folder for uploads");
}

/*
 * Decoding a picture takes hundreds of megabytes, so as many at once as there
 * are cores and no more, however many workers the operator wants. Memory is the
 * process's, hence this changeable global.
 */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t left;
    long running;
} imports = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

static void enter_import(void)
{
    long places = MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
    pthread_mutex_lock(&imports.lock);
    while (imports.running >= places) pthread_cond_wait(&imports.left, &imports.lock);
    imports.running++;
    pthread_mutex_unlock(&imports.lock);
}

static void leave_import(void)
{
    pthread_mutex_lock(&imports.lock);
    imports.running--;
    pthread_cond_signal(&imports.left);
    pthread_mutex_unlock(&imports.lock);
}

enum err shelf_import(const char *source_path, struct str upload_dir, const char *name,
                      const char *prefix, const struct picture_limits *limits,
                      struct picture *picture_out, struct why *why)
{
    char folder[PATH_MAX];
    enum err err = shelf_folder(upload_dir, name, folder, why);
    if (err) return err;
    enter_import();
    err = picture_import(source_path, folder, prefix, limits, picture_out, why);
    leave_import();
    return err;
}

/* The main file for "", a smaller one for "_320.webp"; false: no path is that long. */
static bool path_of(struct str upload_dir, const struct stored_file *file, const char *tail,
                    char path[PATH_MAX])
{
    size_t dot = str_find_byte(file->name, '.');
    struct str name = tail[0] ? str_head(file->name, dot) : file->name;
    return snprintf(path, PATH_MAX, "%.*s/%.*s/%.*s%s", STR_ARGS(upload_dir),
                    STR_ARGS(file->folder), STR_ARGS(name), tail) < PATH_MAX;
}

bool shelf_is_fresh(struct str upload_dir, const struct stored_file *file)
{
    char path[PATH_MAX];
    struct stat about;
    return path_of(upload_dir, file, "", path) && stat(path, &about) == 0 &&
           about.st_ctime > clock_wall_us() / 1000000 - FRESH_S;
}

void shelf_unlink(struct str upload_dir, const struct stored_file *file)
{
    static const char *const tails[] = {"", "_320.webp", "_1280.webp"};
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        bool gone =
            path_of(upload_dir, file, tails[i], path) && (unlink(path) == 0 || errno == ENOENT);
        if (!gone) {
            log_warn("files.left", "name=%.*s reason=\"%s\"", STR_ARGS(file->name),
                     strerror(errno));
        }
    }
}

bool picture_is_made(struct str image_path)
{
    return str_starts(image_path, STR("/files/images/" SHELF_MADE_PREFIX));
}
