/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/backup.c: what backups of both engines share: which engine a file is
 * of, the name it has before it is whole, and how it gets the final one.
 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/checksum.h"
#include "store/dump.h"
#include "store/internal.h"

enum err backup_goes_on(const struct backup_job *job, uint64_t done, uint64_t total,
                        struct why *why)
{
    if (job->tell == NULL || job->tell(job->ctx, done, total)) return OK;
    return why_set(why, ERR_CANCELLED, "stopped; nothing was left behind");
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* What SQLite keeps beside a file called so. */
static const char *const sqlite_ends[] = {"", "-wal", "-journal", "-shm"};

static void remove_part(struct arena *arena, const char *part)
{
    for (size_t i = 0; i < COUNT_OF(sqlite_ends); i++) {
        unlink(arena_printf(arena, "%s%s", part, sqlite_ends[i]).at);
    }
    unlink(checksum_path(arena, part));
}

static const char *part_of(struct arena *arena, const char *path)
{
    const char *part = arena_printf(arena, "%s.part-%d", path, (int)getpid()).at;
    remove_part(arena, part); /* of an earlier process with our number */
    return part;
}

/* The folder a path stands in. */
static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return ".";
    return slash == path ? "/" : arena_copy(arena, (struct str){path, (size_t)(slash - path)}).at;
}

/* The name itself must survive a power cut. */
static enum err sync_folder(struct arena *arena, const char *path, struct why *why)
{
    int fd = open(folder_of(arena, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) close(fd);
    if (ok || error == EINVAL) return OK; /* some file systems have nothing to sync there */
    return why_set(why, ERR_IO, "cannot make %s durable: %s", path, strerror(error));
}

/* Give the whole file its name, unless somebody has taken it meanwhile. */
static enum err publish(struct arena *arena, const char *part, const char *path, struct why *why)
{
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return sync_folder(arena, path, why);
    }
    if (errno == EEXIST) return why_set(why, ERR_CONFLICT, "%s exists already", path);
    if (errno == EINVAL && !is_there(path) && rename(part, path) == 0) { /* the file system can't */
        return sync_folder(arena, path, why);
    }
    return why_set(why, ERR_IO, "cannot name the file %s: %s", path, strerror(errno));
}

static enum err check_folder(const char *folder, struct why *why)
{
    struct stat info;
    bool there = stat(folder, &info) == 0;
    if (!there && errno == ENOENT) {
        return why_set(
            why, ERR_INVALID,
            "there is no folder %s; make it first (mkdir -p %s), or name a file elsewhere", folder,
            folder);
    }
    if (there ? !S_ISDIR(info.st_mode) : errno == ENOTDIR) {
        return why_set(why, ERR_INVALID, "%s is no folder; name a file elsewhere", folder);
    }
    if (there && access(folder, W_OK | X_OK) == 0) return OK;
    return why_set(why, ERR_IO, "cannot write into the folder %s: %s", folder, strerror(errno));
}

static enum err check_free(const char *path, struct why *why)
{
    struct stat info;
    if (!is_there(path)) return OK;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        char day[CLOCK_ISO_BYTES];
        clock_iso(clock_wall_us(), day);
        return why_set(why, ERR_CONFLICT,
                       "%s is a folder; name a file in it, like %s/hutong-%.10s.backup", path, path,
                       day);
    }
    return why_set(why, ERR_CONFLICT, "%s exists already; a backup never replaces a file", path);
}

/* Before any work: can there be a backup of that name? */
static enum err check_name(struct arena *arena, const char *path, struct why *why)
{
    enum err err = check_free(path, why);
    if (!err) err = check_free(checksum_path(arena, path), why);
    if (!err && str_ends(str_of(path), STR("/"))) {
        err = why_set(why, ERR_INVALID, "%s names a folder; name a file in one that exists", path);
    }
    return err ? err : check_folder(folder_of(arena, path), why);
}

/* The checksum first: where there is a backup, there is its checksum. */
static enum err publish_pair(struct arena *arena, const char *part, const char *path,
                             struct why *why)
{
    const char *sum_part = checksum_path(arena, part), *sum = checksum_path(arena, path);
    enum err err = checksum_write(part, path, sum_part, why);
    if (!err) err = publish(arena, sum_part, sum, why);
    if (err) return err;
    err = publish(arena, part, path, why);
    if (err) unlink(sum);
    return err;
}

enum err backup_write(struct str url, const char *path, struct backup_info *info_out,
                      struct why *why, backup_tell *tell, void *ctx)
{
    const struct backup_job job = {tell, ctx};
    struct arena arena = {0};
    struct db_url parsed;
    const char *part = part_of(&arena, path);
    *info_out = (struct backup_info){0};
    enum err err = db_url_parse(&arena, url, &parsed, why);
    if (!err) err = check_name(&arena, path, why);
    if (err) goto out;
    switch (parsed.kind) {
    case DB_SQLITE: err = backup_sqlite_copy(parsed.path, part, &job, info_out, why); break;
    case DB_MARIADB: err = backup_mariadb_write(url, part, &job, info_out, why); break;
    }
    if (!err) err = publish_pair(&arena, part, path, why);
    info_out->summed = !err;
out:
    if (err) remove_part(&arena, part);
    arena_release(&arena);
    return err;
}

/* By its first bytes. */
static enum err kind_of(const char *path, enum db_kind *kind_out, struct why *why)
{
    static const struct {
        struct str magic;
        enum db_kind kind;
    } kinds[] = {{{"SQLite format 3", 16}, DB_SQLITE},
                 {{DUMP_MAGIC, sizeof(DUMP_MAGIC) - 1}, DB_MARIADB}};
    char head[16];
    FILE *file = fopen(path, "re");
    if (file == NULL) return why_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    size_t len = fread(head, 1, sizeof(head), file);
    fclose(file);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        *kind_out = kinds[i].kind;
        if (str_starts((struct str){head, len}, kinds[i].magic)) return OK;
    }
    return why_set(why, ERR_CORRUPT, "%s is no backup of a community", path);
}

enum err backup_check(const char *path, struct backup_info *info_out, struct why *why)
{
    enum db_kind kind = DB_SQLITE;
    *info_out = (struct backup_info){0};
    enum err err = kind_of(path, &kind, why);
    bool summed = false;
    if (!err) err = checksum_check(path, &summed, why);
    if (err) return err;
    switch (kind) {
    case DB_SQLITE: err = backup_sqlite_check(path, info_out, why); break;
    case DB_MARIADB: err = backup_mariadb_check(path, info_out, why); break;
    }
    info_out->summed = summed;
    return err;
}

/*
 * Nothing may be there, not even the log of a file that was taken away: SQLite
 * would believe it and write its pages over the restored ones.
 */
static enum err check_empty_place(struct arena *arena, const char *path, struct why *why)
{
    for (size_t i = 0; i < COUNT_OF(sqlite_ends); i++) {
        const char *name = arena_printf(arena, "%s%s", path, sqlite_ends[i]).at;
        if (is_there(name)) {
            return why_set(why, ERR_CONFLICT,
                           "%s exists; a restore needs an empty place: move it away first", name);
        }
    }
    return OK;
}

static enum err restore_file(struct arena *arena, const char *from, const char *to,
                             const struct backup_job *job, struct backup_info *info_out,
                             struct why *why)
{
    enum err err = backup_sqlite_check(from, info_out, why);
    if (err) return err;
    const char *part = part_of(arena, to);
    err = backup_sqlite_copy(from, part, job, info_out, why);
    if (!err) err = publish(arena, part, to, why);
    if (err) remove_part(arena, part);
    return err;
}

enum err backup_restore(const char *path, struct str url, struct backup_info *info_out,
                        struct why *why, backup_tell *tell, void *ctx)
{
    const struct backup_job job = {tell, ctx};
    struct arena arena = {0};
    struct db_url parsed;
    enum db_kind kind = DB_SQLITE;
    *info_out = (struct backup_info){0};
    enum err err = db_url_parse(&arena, url, &parsed, why);
    if (!err) err = kind_of(path, &kind, why);
    if (!err && kind != parsed.kind) {
        err = why_set(why, ERR_INVALID, "%s is a backup of %s and cannot go into %s", path,
                      kind == DB_SQLITE ? "SQLite" : "MariaDB",
                      kind == DB_SQLITE ? "MariaDB" : "SQLite");
    }
    bool summed = false;
    if (!err && kind == DB_SQLITE) err = check_empty_place(&arena, parsed.path, why);
    if (!err) err = checksum_check(path, &summed, why);
    if (!err) {
        err = kind == DB_SQLITE ? restore_file(&arena, path, parsed.path, &job, info_out, why)
                                : backup_mariadb_restore(path, url, &job, info_out, why);
        info_out->summed = summed;
    }
    arena_release(&arena);
    return err;
}
