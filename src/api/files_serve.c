/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/files_serve.c: pictures on their way out.
 *
 * A worker opens the file, decides what the conditions and the range of the
 * request leave of it, and hands the descriptor to the exchange. The order of
 * the questions is that of RFC 9110, 13.2.2.
 *
 * Names that community/picture.c made are digests of what is in the file: such
 * a file never changes, and browsers are told so. Files of an older system had
 * names by chance and are asked for again after an hour. Either way a browser
 * must take a file for what we call it and may run nothing out of it: the old
 * system kept whatever was sent.
 */
#include "api/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/respond.h"
#include "base/clock.h"
#include "community/picture.h"

/* "…<32 hex digits>.webp", also with "_320" or "_1280" before the dot. */
static bool is_digest_name(struct str name)
{
    static const char *const tails[] = {"_320.webp", "_1280.webp", ".webp"};
    unsigned char digest[16];
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        if (!str_ends(name, str_of(tails[i]))) continue;
        struct str stem = str_head(name, name.len - strlen(tails[i]));
        if (stem.len < 32) return false;
        return hex_read(str_from(stem, stem.len - 32), digest, sizeof(digest));
    }
    return false;
}

static enum err not_found(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "文件不存在 (no such file)");
}

/* A plain file of that name in that folder into x->file. */
static enum err open_file(struct call *call, const char *folder, struct str name,
                          struct stat *about_out, struct why *why)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%.*s/%s/%.*s",
                       STR_ARGS(call->api->settings->upload_dir), folder, STR_ARGS(name));
    if (len >= (int)sizeof(path)) return not_found(why);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return not_found(why);
    if (fd < 0) return why_set(why, ERR_IO, "cannot open a picture: %s", strerror(errno));
    call->x->file = fd; /* closed with the reply */
    if (fstat(fd, about_out) < 0) {
        return why_set(why, ERR_IO, "cannot look at a picture: %s", strerror(errno));
    }
    return S_ISREG(about_out->st_mode) ? OK : not_found(why);
}

/* Does the client have this version already (13.1.2, 13.1.3)? */
static bool is_known(struct http_exchange *x, int64_t modified_s)
{
    struct str none_match = http_find_list(x, STR("if-none-match"));
    if (none_match.len > 0) return header_etag_matches(none_match, x->etag);
    return !header_modified_since(http_find_header(x, STR("if-modified-since")), modified_s);
}

static enum header_range_answer asked_range(const struct http_exchange *x, uint64_t size,
                                            int64_t modified_s, struct header_range *range_out)
{
    struct str range = http_find_header(x, STR("range"));
    if (range.len == 0 || x->method != HTTP_GET_) return HEADER_RANGE_WHOLE; /* RFC 9110, 14.2 */
    /* A date is a strong validator only when the file has been at rest since (8.8.2.2). */
    bool at_rest = clock_wall_us() / 1000000 - modified_s > 1;
    struct str condition = http_find_header(x, STR("if-range"));
    if (!header_if_range(condition, x->etag, at_rest ? modified_s : -1)) return HEADER_RANGE_WHOLE;
    return header_range(range, size, range_out);
}

static void add_headers(struct call *call, struct str name, int64_t modified_us)
{
    struct http_exchange *x = call->x;
    char date[CLOCK_HTTP_BYTES];
    clock_http(modified_us, date);
    http_add_header(x, "Last-Modified", str_of(date));
    http_add_header(x, "Cache-Control",
                    is_digest_name(name) ? STR("public, max-age=31536000, immutable")
                                         : STR("public, max-age=3600"));
    http_add_header(x, "Accept-Ranges", STR("bytes"));
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    http_add_header(x, "Content-Security-Policy", STR("default-src 'none'"));
    http_add_header(x, "Content-Disposition", STR("inline"));
    /* A browser keeps it for a year: what it got for an <img> must not answer a script of another
     * origin, which needs leave. With leave respond_common() says the same. */
    if (!call->allowed_origin) http_add_header(x, "Vary", STR("Origin"));
}

/* The open file becomes the reply, or the part of it that was asked for. */
static void reply_file(struct call *call, uint64_t size, int64_t modified_s)
{
    struct http_exchange *x = call->x;
    struct header_range range = {0, size};
    x->status = 200;
    if (!header_precondition(http_find_list(x, STR("if-match")),
                             http_find_header(x, STR("if-unmodified-since")), x->etag,
                             modified_s)) {
        respond_status(x, 412, "this is not the version that was asked for");
        return;
    }
    if (is_known(x, modified_s)) {
        x->status = 304;
    } else {
        switch (asked_range(x, size, modified_s, &range)) {
        case HEADER_RANGE_WHOLE: break;
        case HEADER_RANGE_PART:
            x->status = 206;
            http_add_header(x, "Content-Range",
                            arena_printf(call->arena, "bytes %llu-%llu/%llu",
                                         (unsigned long long)range.first,
                                         (unsigned long long)(range.first + range.count - 1),
                                         (unsigned long long)size));
            break;
        case HEADER_RANGE_OUTSIDE:
            respond_status(x, 416, "the file ends before the range that was asked for");
            http_add_header(x, "Content-Range",
                            arena_printf(call->arena, "bytes */%llu", (unsigned long long)size));
            return;
        }
    }
    x->file_at = range.first;
    x->file_len = range.count;
}

static enum err serve(struct call *call, const char *folder, struct why *why)
{
    struct http_exchange *x = call->x;
    struct str name;
    struct stat about;
    enum err err = url_segment_decode(call->arena, call->params[0], &name, why);
    if (err || !picture_name_is_safe(name)) return not_found(why);
    err = open_file(call, folder, name, &about, why);
    if (err) return err;
    int64_t modified_s = about.st_mtim.tv_sec;
    int64_t modified_us = modified_s * 1000000 + about.st_mtim.tv_nsec / 1000;
    x->content_type = picture_mime(name);
    x->etag = arena_printf(call->arena, "\"%.*s-%llx-%llx\"", STR_ARGS(name),
                           (unsigned long long)about.st_size, (unsigned long long)modified_us);
    add_headers(call, name, modified_us);
    reply_file(call, (uint64_t)about.st_size, modified_s);
    return OK;
}

enum err files_get_image(struct call *call, struct why *why)
{
    return serve(call, "images", why);
}

enum err files_get_avatar(struct call *call, struct why *why)
{
    return serve(call, "avatars", why);
}
