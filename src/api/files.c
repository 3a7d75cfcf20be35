/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/files.c: pictures on their way in.
 *
 *   worker   on MariaDB: is the caller still a member? Until then no body is taken
 *   loop     pieces of the body → multipart parser → `filling`
 *   worker   `leaving` → temporary file, each time `filling` was full
 *   worker   the handler: the rest → temporary file → picture_import → store
 *
 * While a worker writes, the next piece is gathered; when that is full as well
 * the peer has to wait (http_body_pause). So an upload costs two pieces of
 * memory however large it is, and no loop waits for a disk. A picture smaller
 * than a piece never leaves the loop before its handler.
 *
 * The temporary file has no name: it is unlinked as soon as it is open, and
 * read through /proc/self/fd. So there is nothing to clean up after a crash.
 *
 * The call and its exchange may end at any moment before the request is whole,
 * because the peer has gone. The upload is therefore an object of its own, and
 * is buried when the call has let go of it and nothing of it is under way.
 */
#include "api/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "community/shelf.h"
#include "http/multipart.h"

enum {
    /* Large enough for the disk, small enough to have two for each upload. */
    PIECE_BYTES = 128 * 1024,
    /* A piece, and what one turn of the loop can bring after we have asked it to pause. */
    FILLING_BYTES_MAX = PIECE_BYTES + LIMIT_READ_AHEAD_BYTES + LIMIT_READ_BYTES + 1024,
    /* Delimiters, heads of parts and other small fields around the file. */
    FRAMING_BYTES_MAX = 64 * 1024,
};

static const int64_t LEFTOVER_S = 3600;

/* One kind of picture: where it is kept, what it is called. */
struct shelf {
    handler *upload;
    const char *folder, *kind;
    size_t bytes_max_at; /* in struct settings */
};

static const struct shelf shelves[] = {
    {files_upload_image, "images", "image", offsetof(struct settings, image_bytes_max)},
    {files_upload_avatar, "avatars", "avatar", offsetof(struct settings, avatar_bytes_max)},
};

/* Lives on its call's loop; a worker has `who`, `leaving` and `fd` while `writing`. */
struct upload {
    struct call *call; /* NULL: over */
    struct api *api;
    struct api_loop *home;
    struct multipart form;
    struct buf filling, leaving; /* bytes of the file; neither after a failure */
    uint64_t bytes, bytes_max;   /* of the file */
    uint64_t body_bytes, body_bytes_max;
    bool in_file, found;
    enum err err; /* what went wrong first; what comes after is dropped */
    struct why why;

    bool whole;      /* the request is */
    bool cut_off;    /* the body goes on and on: its reply is on the way */
    bool writing;    /* a worker has it */
    bool confirming; /* … to look `who` up, before any of the body is taken */
    struct caller who;
    int under_way; /* tasks and jobs that will come back */
    void (*go_on)(struct call *call);
    struct task cut, written;
    struct job job;

    int fd; /* of the temporary file; -1: not yet, or no longer */
    enum err write_err;
    struct why write_why;
};

/* --- the temporary file; on a worker --- */

static enum err open_temporary(struct upload *upload, struct why *why)
{
    char folder[PATH_MAX], path[PATH_MAX + 16];
    enum err err = shelf_folder(upload->api->settings->upload_dir, "tmp", folder, why);
    if (err) return err;
    snprintf(path, sizeof(path), "%s/upload-XXXXXX", folder);
    upload->fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
    if (upload->fd < 0 || unlink(path) < 0) return shelf_failed(why, "cannot keep an upload");
    return OK;
}

static enum err write_piece(struct upload *upload, struct str bytes, struct why *why)
{
    if (upload->fd < 0) {
        enum err err = open_temporary(upload, why);
        if (err) return err;
    }
    while (bytes.len > 0) {
        ssize_t put = write(upload->fd, bytes.at, bytes.len);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return shelf_failed(why, "cannot keep an upload");
        bytes = str_from(bytes, (size_t)put);
    }
    return OK;
}

static void work_write(struct job *job, void *own)
{
    (void)own;
    struct upload *upload = CONTAINER_OF(job, struct upload, job);
    upload->write_err = write_piece(upload, buf_str(&upload->leaving), &upload->write_why);
    loop_post(upload->home->loop, &upload->written);
}

/* --- the end of an upload --- */

static void end_upload(struct upload *upload)
{
    struct api *api = upload->api;
    if (upload->fd >= 0) close(upload->fd);
    buf_release(&upload->filling);
    buf_release(&upload->leaving);
    multipart_release(&upload->form);
    mem_free(upload);
    atomic_fetch_sub(&api->uploads, 1);
}

static void work_end(struct job *job, void *own)
{
    (void)own;
    end_upload(CONTAINER_OF(job, struct upload, job));
}

/*
 * Closing the last descriptor of a large file takes a disk's time: where there
 * is one, on a worker. When the server stops the workers end before the loops.
 */
static void bury(struct upload *upload)
{
    ASSERT(upload->call == NULL);
    if (upload->under_way > 0) return;
    upload->job.work = work_end;
    bool slow = upload->fd >= 0 && !upload->home->api->draining;
    if (slow && workers_submit(upload->api->workers, &upload->job)) return;
    end_upload(upload);
}

void upload_free(struct call *call)
{
    struct upload *upload = call->upload;
    if (upload == NULL) return;
    call->upload = NULL;
    upload->call = NULL;
    bury(upload);
}

/* --- the body, piece by piece; on the loop --- */

static void fail(struct upload *upload, enum err err)
{
    /* ERR_LIMIT is for those who ask too often; here it is one request that is too much. */
    upload->err = err == ERR_LIMIT ? ERR_INVALID : err;
    buf_release(&upload->filling);
}

static enum err too_large(uint64_t bytes_max, struct why *why)
{
    double mib = (double)bytes_max / (1024 * 1024);
    return why_set(why, ERR_INVALID, "文件大小不能超过 %.3gMB (a file may have at most %.3g MB)",
                   mib, mib);
}

static enum err missing(struct why *why)
{
    return why_field(
        why, "file", "missing",
        "请选择要上传的图片 (the part `file` of a multipart/form-data body is missing)");
}

/* Everything in `filling` goes to a worker; nothing else is being written. */
static void start_write(struct upload *upload)
{
    ASSERT(!upload->writing);
    struct buf full = upload->filling;
    upload->filling = upload->leaving;
    upload->leaving = full;
    buf_reset(&upload->filling, SIZE_MAX);
    upload->job.work = work_write;
    upload->writing = workers_submit(upload->api->workers, &upload->job);
    if (upload->writing) {
        upload->under_way++;
        return;
    }
    fail(upload,
         why_set(&upload->why, ERR_BUSY, "服务器繁忙 (the server is busy; try again in a moment)"));
}

/* The request was whole before the last piece was written. */
static void leave_body(struct upload *upload)
{
    struct call *call = upload->call;
    if (call->x->connection == NULL) { /* nobody is there to be told of a picture */
        struct why why;
        call_refuse(call, why_set(&why, ERR_CANCELLED, "the peer has gone"), &why);
        return;
    }
    http_body_resume(call->x); /* for the next request */
    upload->go_on(call);
}

/* A worker has looked the caller up. False: refused, the upload may be gone. */
static bool admit(struct upload *upload)
{
    struct call *call = upload->call;
    upload->confirming = false;
    if (!upload->write_err) {
        call->who = upload->who;
        call->confirmed = true;
        token_remember(call->home->tokens, call);
    } else if (!upload->whole) {
        call_refuse(call, upload->write_err, &upload->write_why);
        return false;
    }
    return true;
}

static void on_written(struct task *task)
{
    struct upload *upload = CONTAINER_OF(task, struct upload, written);
    upload->under_way--;
    upload->writing = false;
    if (upload->call == NULL) {
        bury(upload);
        return;
    }
    struct call *call = upload->call;
    if (upload->confirming && !admit(upload)) return;
    if (upload->write_err && !upload->err) {
        upload->why = upload->write_why;
        fail(upload, upload->write_err);
    }
    if (upload->whole) {
        leave_body(upload);
        return;
    }
    if (upload->filling.len >= PIECE_BYTES) start_write(upload);
    /* Brings what has come meanwhile: perhaps the end of the request, and with it of the upload. */
    if (!upload->cut_off) http_body_resume(call->x);
}

static enum err on_part(void *ctx, const struct multipart_part *part, struct why *why)
{
    struct upload *upload = ctx;
    if (!str_eq(part->name, STR("file"))) return OK;
    if (upload->found) {
        return why_field(why, "file", "value_error",
                         "一次只能上传一个文件 (one file at a time, please)");
    }
    if (part->filename.at == NULL) {
        return why_field(why, "file", "value_error",
                         "file 必须是文件 (the part `file` must be a file, with a filename)");
    }
    upload->found = upload->in_file = true;
    return OK;
}

static enum err on_part_data(void *ctx, struct str bytes, struct why *why)
{
    struct upload *upload = ctx;
    if (!upload->in_file) return OK; /* other fields: passed over */
    upload->bytes += bytes.len;
    if (upload->bytes > upload->bytes_max) return too_large(upload->bytes_max, why);
    buf_add_str(&upload->filling, bytes);
    return OK;
}

static enum err on_part_end(void *ctx, struct why *why)
{
    (void)why;
    struct upload *upload = ctx;
    upload->in_file = false;
    return OK;
}

static const struct multipart_sink form_sink = {on_part, on_part_data, on_part_end};

static void on_cut(struct task *task)
{
    struct upload *upload = CONTAINER_OF(task, struct upload, cut);
    upload->under_way--;
    if (upload->call == NULL) {
        bury(upload);
    } else if (!upload->whole) {
        call_refuse(upload->call, upload->err, &upload->why);
    }
}

/*
 * More body than any good one has: without an announced length it could go on
 * for ever. Answered from a task, since the parser of the connection, which we
 * are called by, does not outlive the reply.
 */
static void cut_off(struct upload *upload, struct http_exchange *x)
{
    if (upload->cut_off) return;
    if (!upload->err) fail(upload, too_large(upload->bytes_max, &upload->why));
    upload->cut_off = true;
    upload->under_way++;
    http_body_pause(x);
    loop_post(upload->home->loop, &upload->cut);
}

static void on_piece(void *ctx, struct http_exchange *x, struct str bytes)
{
    struct upload *upload = ctx;
    upload->body_bytes += bytes.len;
    if (!upload->err) {
        enum err err = multipart_feed(&upload->form, bytes, &upload->why);
        if (err) fail(upload, err);
    }
    ASSERT(!upload->filling.failed);
    if (upload->body_bytes > upload->body_bytes_max) cut_off(upload, x);
    if (upload->filling.len < PIECE_BYTES) return;
    if (upload->writing) {
        http_body_pause(x);
    } else {
        start_write(upload);
    }
}

/* The exchange ends next, and upload_free() is called then. */
static void on_broken(void *ctx, struct http_exchange *x)
{
    (void)ctx, (void)x;
}

static const struct shelf *shelf_of(const struct call *call)
{
    const struct shelf *shelf = shelves;
    while (shelf->upload != call->route->handle) {
        shelf++;
        ASSERT(shelf < shelves + COUNT_OF(shelves)); /* a new kind of upload needs a shelf */
    }
    return shelf;
}

static uint64_t shelf_bytes_max(const struct shelf *shelf, const struct settings *settings)
{
    int64_t value;
    memcpy(&value, (const char *)settings + shelf->bytes_max_at, sizeof(value));
    return (uint64_t)value;
}

enum err upload_begin(struct call *call, struct why *why)
{
    struct api *api = call->api;
    struct header_content_type content;
    uint64_t bytes_max = shelf_bytes_max(shelf_of(call), api->settings);
    bool is_form = header_content_type(http_find_header(call->x, STR("content-type")), &content) &&
                   header_type_is(&content, "multipart/form-data") && content.boundary[0] != '\0';
    if (!is_form) return missing(why);
    if (call->x->content_length > bytes_max + FRAMING_BYTES_MAX) return too_large(bytes_max, why);
    if (atomic_fetch_add(&api->uploads, 1) >= api->settings->uploads_at_once) {
        atomic_fetch_sub(&api->uploads, 1);
        return why_set(
            why, ERR_BUSY,
            "上传人数过多，请稍后再试 (too many uploads at once; try again in a moment)");
    }
    struct upload *upload = NEW(struct upload);
    *upload = (struct upload){.call = call,
                              .api = api,
                              .home = call->home,
                              .bytes_max = bytes_max,
                              .body_bytes_max = bytes_max + FRAMING_BYTES_MAX,
                              .cut = {.run = on_cut},
                              .written = {.run = on_written},
                              .fd = -1};
    buf_init(&upload->filling, FILLING_BYTES_MAX);
    buf_init(&upload->leaving, FILLING_BYTES_MAX);
    multipart_init(&upload->form, str_of(content.boundary), &form_sink, upload);
    call->upload = upload;
    call->x->sink = (struct http_sink){.piece = on_piece, .broken = on_broken, .ctx = upload};
    return OK;
}

static void work_confirm(struct job *job, void *own)
{
    struct upload *upload = CONTAINER_OF(job, struct upload, job);
    bool gone;
    upload->write_err = token_confirm_caller(own, &upload->who, &gone, &upload->write_why);
    loop_post(upload->home->loop, &upload->written);
}

enum err upload_confirm(struct call *call, struct why *why)
{
    struct upload *upload = call->upload;
    upload->who = call->who;
    upload->job.work = work_confirm;
    if (!workers_submit(upload->api->workers, &upload->job)) {
        return why_set(why, ERR_BUSY, "服务器繁忙 (the server is busy; try again in a moment)");
    }
    upload->confirming = upload->writing = true;
    upload->under_way++;
    http_body_pause(call->x);
    return OK;
}

bool upload_whole(struct call *call, void (*go_on)(struct call *call))
{
    struct upload *upload = call->upload;
    upload->whole = true;
    upload->go_on = go_on;
    if (upload->writing) return false;
    http_body_resume(call->x); /* cut off in the very piece that was the last */
    return true;
}

/* --- the handlers; on a worker --- */

/* What picture_import() said, as something that the one who uploaded can use. */
static enum err import_failed(enum err err, struct why *why)
{
    struct why said = *why;
    if (err == ERR_INVALID) {
        return why_field(why, "file", "value_error", "图片无法使用 (%s)", said.text);
    }
    if (err == ERR_LIMIT) return why_set(why, ERR_INVALID, "图片太大 (%s)", said.text);
    if (err != ERR_FULL) return err;
    errno = ENOSPC;
    return shelf_failed(why, "cannot store a picture");
}

/* Everything that came is in the temporary file. */
static enum err take_upload(struct upload *upload, struct why *why)
{
    if (upload->err) {
        *why = upload->why;
        return upload->err;
    }
    if (upload->body_bytes == 0) return missing(why);
    enum err err = multipart_finish(&upload->form, why);
    if (err) return err == ERR_LIMIT ? ERR_INVALID : err;
    if (!upload->found) return missing(why);
    return write_piece(upload, buf_str(&upload->filling), why);
}

static enum err import(struct call *call, const struct shelf *shelf, struct picture *picture_out,
                       struct why *why)
{
    struct upload *upload = call->upload;
    struct picture_limits limits = {.bytes_max = upload->bytes_max,
                                    .pixels_max = (uint64_t)call->api->settings->image_pixels_max};
    char source[32], prefix[PICTURE_PREFIX_BYTES_MAX + 1] = "";
    snprintf(source, sizeof(source), "/proc/self/fd/%d", upload->fd);
    if (strcmp(shelf->kind, "avatar") == 0) {
        snprintf(prefix, sizeof(prefix), "avatar_%llu_", (unsigned long long)call->who.user.value);
    }
    enum err err = shelf_import(source, call->api->settings->upload_dir, shelf->folder, prefix,
                                &limits, picture_out, why);
    close(upload->fd);
    upload->fd = -1;
    return err ? import_failed(err, why) : OK;
}

static enum err add_record(void *ctx, struct act *act, struct why *why)
{
    struct file_record file = *(const struct file_record *)ctx;
    file.created_us = act->now_us;
    return files_add(act->db, &file, why);
}

static void write_picture(struct call *call, const struct shelf *shelf,
                          const struct picture *picture)
{
    static const char *const sizes[] = {"320", "1280"};
    struct arena *arena = call->arena;
    struct str name = str_of(picture->name);
    struct str stem = str_head(name, str_find_byte(name, '.'));
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "url", arena_printf(arena, "/files/%s/%s", shelf->folder, picture->name));
    json_put_str(&out, "filename", name);
    /* As it is served now, not as it came. The avatar's answer never had one. */
    if (strcmp(shelf->kind, "image") == 0) json_put_u64(&out, "size", picture->bytes);
    json_put_i64(&out, "width", picture->width);
    json_put_i64(&out, "height", picture->height);
    json_open(&out, "thumbnails", '{');
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        json_put_str(
            &out, sizes[i],
            arena_printf(arena, "/files/%s/%.*s_%s.webp", shelf->folder, STR_ARGS(stem), sizes[i]));
    }
    json_close(&out, '}');
    json_close(&out, '}');
}

static enum err check_room(struct call *call, struct why *why)
{
    uint64_t bytes, most = (uint64_t)call->api->settings->upload_member_bytes;
    if (most == 0) return OK;
    enum err err = files_bytes_of(call->db, call->who.user, &bytes, why);
    if (err || bytes < most) return err;
    return why_set(why, ERR_CONFLICT,
                   "your pictures take %llu MiB of %llu: delete posts with pictures first",
                   (unsigned long long)(bytes >> 20), (unsigned long long)(most >> 20));
}

static enum err store_upload(struct call *call, const struct shelf *shelf, struct why *why)
{
    struct picture picture;
    enum err err = check_room(call, why);
    if (!err) err = take_upload(call->upload, why);
    if (!err) err = import(call, shelf, &picture, why);
    if (err) return err;
    struct file_record record = {.name = str_of(picture.name),
                                 .kind = str_of(shelf->kind),
                                 .owner = call->who.user,
                                 .bytes = picture.bytes,
                                 .width = picture.width,
                                 .height = picture.height};
    /* When this fails the files stay: they may be another member's as well. */
    err = call_write(call, add_record, &record, why);
    if (!err) write_picture(call, shelf, &picture);
    return err;
}

enum err files_upload_image(struct call *call, struct why *why)
{
    return store_upload(call, &shelves[0], why);
}

enum err files_upload_avatar(struct call *call, struct why *why)
{
    return store_upload(call, &shelves[1], why);
}

/* --- leftovers --- */

static void sweep_folder(const struct settings *settings, const char *name, const char *suffix)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.*s/%s", STR_ARGS(settings->upload_dir), name);
    DIR *folder = opendir(path);
    if (folder == NULL) return; /* nothing was ever uploaded */
    int64_t now_s = clock_wall_us() / 1000000, gone = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat about;
        bool leftover = str_ends(str_of(entry->d_name), str_of(suffix)) &&
                        fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISREG(about.st_mode) && about.st_mtime < now_s - LEFTOVER_S;
        if (leftover && unlinkat(dirfd(folder), entry->d_name, 0) == 0) gone++;
    }
    closedir(folder);
    if (gone > 0) log_info("files.swept", "folder=%s files=%lld", name, (long long)gone);
}

struct collecting {
    const struct settings *settings;
    struct arena arena;
    struct files_place *at;
    int64_t before_us;
    size_t seen, gone;
};

/* Within one change: nobody can begin to show what is found unshown. */
static enum err collect(void *ctx, struct db *db, struct why *why)
{
    struct collecting *job = ctx;
    struct stored_file files[STORED_FILES_MAX];
    enum err err = files_older(db, &job->arena, job->at, job->before_us, files, &job->seen, why);
    for (size_t i = 0; i < job->seen && !err; i++) {
        bool down = files[i].created_us == 0;
        if (files[i].shown && down) err = files_leave_up(db, &files[i], why);
        if (files[i].shown || shelf_is_fresh(job->settings->upload_dir, &files[i])) continue;
        /* First from the disk: a file that the table has forgotten would stay for ever. */
        shelf_unlink(job->settings->upload_dir, &files[i]);
        err = files_drop(db, &files[i], why);
        job->gone++;
    }
    return err;
}

enum err files_collect(const struct settings *settings, struct store *store, struct db *db,
                       struct files_place *at, struct why *why)
{
    static const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t days = settings->upload_unused_days;
    struct files_place first = {.created_us = -1};
    struct collecting down = {.settings = settings, .at = &first, .before_us = 1};
    struct collecting old = {
        .settings = settings, .at = at, .before_us = clock_wall_us() - days * day_us};
    enum err err = store_write(store, db, collect, &down, why);
    if (!err && days > 0) err = store_write(store, db, collect, &old, why);
    if (!err && old.seen == 0) *at = (struct files_place){0};
    arena_release(&down.arena);
    arena_release(&old.arena);
    if (down.gone + old.gone > 0) log_info("files.collected", "files=%zu", down.gone + old.gone);
    return err;
}

void files_sweep(const struct settings *settings)
{
    sweep_folder(settings, "tmp", "");
    for (size_t i = 0; i < COUNT_OF(shelves); i++) {
        sweep_folder(settings, shelves[i].folder, ".part");
    }
}
