/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/admin_backups.c: /admin/backups: backups of the database in DATA/backups, for administrators.
 *
 * The same as `hutong db backup` makes: a file with that name is whole and was read again after it
 * was written (store/backup.h), and its checksum lies beside it. One is made at a time, by whatever
 * process: whoever makes one holds a lock on the folder, which the system takes back from the dead.
 * What a dead one left half-written goes with the next backup.
 *
 * The folder is this machine's. Pictures and signing keys are in none of them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handlers.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/backup.h"

enum { NAME_BYTES_MAX = 128, BACKUPS_MAX = 1000, SAME_SECOND_MAX = 100 };

#define SUM_END ".sha256"
#define PART ".part-"

/* A name of a file in the folder that may be a backup, and nowhere else. */
static bool is_name(struct str name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || name.at[0] == '.' || name.at[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '_' || c == '-';
        if (!plain) return false;
    }
    return !str_ends(name, STR(SUM_END)) && str_find(name, STR(PART)) == name.len;
}

/* --- the folder --- */

static const char *folder_path(struct call *call)
{
    return arena_printf(call->arena, "%.*s/backups", STR_ARGS(call->api->settings->data_dir)).at;
}

static enum err failed(struct why *why, const char *what)
{
    if (err_is_full(errno))
        return why_set(why, ERR_FULL, "no room for a backup: the server's disk is full");
    return why_set(why, ERR_IO, "%s: %s", what, strerror(errno));
}

/* -1, with OK: there is none. */
static enum err open_folder(struct call *call, int *fd_out, struct why *why)
{
    *fd_out = open(folder_path(call), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd_out >= 0 || errno == ENOENT) return OK;
    return failed(why, "cannot open the folder of backups");
}

static enum err make_folder(struct call *call, int *fd_out, struct why *why)
{
    if (mkdir(folder_path(call), 0700) < 0 && errno != EEXIST)
        return failed(why, "cannot make the folder of backups");
    enum err err = open_folder(call, fd_out, why);
    if (!err && *fd_out < 0) err = failed(why, "cannot open the folder of backups");
    return err;
}

static enum err no_backup(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "没有这个备份 (there is no such backup)");
}

/* The name in the path; ERR_NOT_FOUND when it can be none. */
static enum err read_name(struct call *call, struct str *name_out, struct why *why)
{
    struct why inner;
    enum err err = url_segment_decode(call->arena, call->params[0], name_out, &inner);
    if (err || !is_name(*name_out)) return no_backup(why);
    *name_out = arena_copy(call->arena, *name_out); /* for the system: with its NUL */
    return OK;
}

/* --- list --- */

struct backup {
    struct str name;
    uint64_t bytes;
    int64_t made_us;
    bool verified;
};

/* False: no backup. */
static bool look_at(struct call *call, int folder, const char *name, struct backup *backup_out)
{
    struct stat info, sum;
    if (!is_name(str_of(name)) || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(info.st_mode))
        return false;
    const char *sum_name = arena_printf(call->arena, "%s%s", name, SUM_END).at;
    *backup_out = (struct backup){
        .name = arena_copy(call->arena, str_of(name)),
        .bytes = (uint64_t)info.st_size,
        .made_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000,
        .verified = fstatat(folder, sum_name, &sum, AT_SYMLINK_NOFOLLOW) == 0};
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const struct backup *x = a, *y = b;
    if (x->made_us != y->made_us) return x->made_us < y->made_us ? 1 : -1;
    size_t len = MIN(x->name.len, y->name.len);
    int order = memcmp(y->name.at, x->name.at, len);
    return order ? order : (x->name.len < y->name.len) - (x->name.len > y->name.len);
}

static size_t read_folder(struct call *call, int fd, struct backup *backups)
{
    DIR *dir = fdopendir(fd); /* takes it over */
    size_t count = 0;
    if (dir == NULL) {
        close(fd);
        return 0;
    }
    struct dirent *entry;
    while (count < BACKUPS_MAX && (entry = readdir(dir)) != NULL)
        if (look_at(call, fd, entry->d_name, &backups[count])) count++;
    closedir(dir);
    qsort(backups, count, sizeof(*backups), newest_first);
    return count;
}

static void put_backup(struct json_out *out, const struct backup *backup,
                       const struct backup_info *info)
{
    json_open(out, NULL, '{');
    json_put_str(out, "name", backup->name);
    json_put_u64(out, "bytes", backup->bytes);
    json_put_time(out, "created_at", backup->made_us);
    json_put_bool(out, "verified", backup->verified);
    if (info) json_put_u64(out, "tables", info->tables);
    if (info) json_put_u64(out, "rows", info->rows);
    json_close(out, '}');
}

enum err admin_get_backups(struct call *call, struct why *why)
{
    int fd;
    enum err err = open_folder(call, &fd, why);
    if (err) return err;
    struct backup *backups = ARENA_ARRAY(call->arena, struct backup, BACKUPS_MAX);
    size_t count = fd >= 0 ? read_folder(call, fd, backups) : 0;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    for (size_t i = 0; i < count; i++) put_backup(&out, &backups[i], NULL);
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

/* --- making one --- */

/* "hutong-2026-11-29T14-44-55Z.backup", with a number behind it when there is one of this second.
 */
static const char *new_path(struct call *call, int folder, struct str *name_out)
{
    char now[CLOCK_ISO_BYTES];
    clock_iso_short(clock_wall_us(), now);
    for (char *at = now; *at; at++)
        if (*at == ':') *at = '-';
    for (int n = 1; n < SAME_SECOND_MAX; n++) {
        struct stat info;
        *name_out = n == 1 ? arena_printf(call->arena, "hutong-%sZ.backup", now)
                           : arena_printf(call->arena, "hutong-%sZ-%d.backup", now, n);
        if (fstatat(folder, name_out->at, &info, AT_SYMLINK_NOFOLLOW) < 0) break;
    }
    return arena_printf(call->arena, "%s/%.*s", folder_path(call), STR_ARGS(*name_out)).at;
}

/* With the lock: nobody alive writes these but a `hutong db backup` into this folder. */
static void remove_halves(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (dir == NULL) return;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        struct str name = str_of(entry->d_name), number;
        size_t at = str_find(name, STR(PART));
        if (at == name.len) continue;
        uint64_t pid = 0;
        struct str rest = str_from(name, at + strlen(PART));
        size_t digits = 0;
        while (digits < rest.len && rest.at[digits] >= '0' && rest.at[digits] <= '9') digits++;
        number = str_head(rest, digits);
        bool known = str_to_u64(number, &pid) && pid > 0 && pid <= INT_MAX;
        if (known && kill((pid_t)pid, 0) < 0 && errno == ESRCH) unlinkat(folder, entry->d_name, 0);
    }
    closedir(dir);
}

/* A server that stops does not wait for a long copy. */
static bool goes_on(void *ctx, uint64_t done, uint64_t total)
{
    const struct call *call = ctx;
    (void)done;
    (void)total;
    return !atomic_load(&call->home->api->draining);
}

/* Sentences of the copying are for the operator's log; these are for who pressed the button. */
static enum err tell_failure(struct call *call, enum err err, struct why *why)
{
    log_error("backup.failed", "id=%s err=%s reason=\"%s\"", call->x->id, err_name(err), why->text);
    if (err == ERR_FULL)
        return why_set(why, ERR_FULL,
                       "磁盘空间不足 (no room for a backup: the server's disk is full; nothing was "
                       "left behind. Delete old backups, or make room)");
    if (err == ERR_CANCELLED)
        return why_set(why, ERR_BUSY, "the server is stopping; nothing was left behind");
    if (err == ERR_CORRUPT)
        return why_set(
            why, ERR_UPSTREAM,
            "the database is damaged, so there is no backup of it; see the server's log, "
            "and `hutong db check`");
    if (err == ERR_INVALID) return why_set(why, ERR_UPSTREAM, "%s", str_of(why->text).at);
    return err;
}

static enum err make_backup(struct call *call, int folder, struct why *why)
{
    struct backup_info info;
    struct backup backup;
    struct str name;
    const char *path = new_path(call, folder, &name);
    remove_halves(folder);
    enum err err = backup_write(call->api->settings->database, path, &info, why, goes_on, call);
    if (err) return tell_failure(call, err, why);
    log_info("backup.made", "name=%.*s bytes=%llu rows=%llu", STR_ARGS(name),
             (unsigned long long)info.bytes, (unsigned long long)info.rows);
    if (!look_at(call, folder, name.at, &backup)) return no_backup(why); /* deleted meanwhile */
    call_audit(call, AUDIT_BACKUP_MADE, "backup", name);
    struct json_out out = call_json(call);
    put_backup(&out, &backup, &info);
    return OK;
}

enum err admin_post_backup(struct call *call, struct why *why)
{
    int folder = -1;
    enum err err = make_folder(call, &folder, why);
    if (err) return err;
    if (flock(folder, LOCK_EX | LOCK_NB) == 0)
        err = make_backup(call, folder, why);
    else if (errno == EWOULDBLOCK)
        err = why_set(why, ERR_CONFLICT, "正在备份 (a backup is being made; wait for its end)");
    else
        err = failed(why, "cannot lock the folder of backups");
    close(folder); /* and the lock */
    return err;
}

/* --- one of them --- */

static enum err open_backup(struct call *call, struct str name, uint64_t *bytes_out,
                            struct why *why)
{
    int folder;
    struct stat info;
    enum err err = open_folder(call, &folder, why);
    if (err || folder < 0) return err ? err : no_backup(why);
    int fd = openat(folder, name.at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int error = errno;
    close(folder);
    errno = error;
    if (fd < 0 && (errno == ENOENT || errno == ELOOP)) return no_backup(why);
    if (fd < 0) return failed(why, "cannot open a backup");
    call->x->file = fd; /* closed with the reply */
    if (fstat(fd, &info) < 0) return failed(why, "cannot look at a backup");
    *bytes_out = (uint64_t)info.st_size;
    return S_ISREG(info.st_mode) ? OK : no_backup(why);
}

enum err admin_get_backup(struct call *call, struct why *why)
{
    struct http_exchange *x = call->x;
    struct str name;
    uint64_t bytes = 0;
    enum err err = read_name(call, &name, why);
    if (!err) err = open_backup(call, name, &bytes, why);
    if (err) return err;
    /* Everybody's messages and password hashes are in it. */
    call_audit(call, AUDIT_BACKUP_TAKEN, "backup", name);
    x->status = 200;
    x->content_type = "application/octet-stream";
    x->file_at = 0;
    x->file_len = bytes;
    x->no_compress = true;
    http_add_header(x, "Content-Disposition",
                    arena_printf(call->arena, "attachment; filename=\"%.*s\"", STR_ARGS(name)));
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    return OK;
}

enum err admin_delete_backup(struct call *call, struct why *why)
{
    struct str name;
    struct backup backup;
    int folder;
    enum err err = read_name(call, &name, why);
    if (!err) err = open_folder(call, &folder, why);
    if (err) return err;
    if (folder < 0) return no_backup(why);
    if (!look_at(call, folder, name.at, &backup)) {
        err = no_backup(why);
    } else if (unlinkat(folder, name.at, 0) < 0) {
        err = errno == ENOENT ? no_backup(why) : failed(why, "cannot delete a backup");
    } else {
        /* The checksum last: a backup without one is whole, but says less. */
        unlinkat(folder, arena_printf(call->arena, "%.*s%s", STR_ARGS(name), SUM_END).at, 0);
        log_info("backup.deleted", "name=%.*s", STR_ARGS(name));
        call_audit(call, AUDIT_BACKUP_DELETED, "backup", name);
        call_no_content(call);
    }
    close(folder);
    return err;
}
