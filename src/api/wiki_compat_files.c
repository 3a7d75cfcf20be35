/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/wiki_compat_files.c: wikis as files to take along, and folders of this machine. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/input.h"
#include "api/wiki_access.h"
#include "api/wiki_compat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "io/file.h"
#include "wiki/listing.h"
#include "wiki/old_cache.h"
#include "wiki/old_export.h"

/* More than this is not packed by the loop, which has others to serve, nor queued at once. */
enum { PACKED_BYTES_MAX = 1024 * 1024, URL_BYTES_MAX = 4096 };

/* --- large replies --- */

/* The kernel holds the bytes and the loop sends them as the peer takes them. */
static enum err reply_in_pieces(struct http_exchange *x, struct str body, struct why *why)
{
    int fd = memfd_create("reply", MFD_CLOEXEC);
    if (fd < 0 || !file_write(fd, body)) {
        why_write(why, "a large reply cannot be kept: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return ERR_IO;
    }
    x->file = fd;
    x->file_at = 0;
    x->file_len = body.len;
    return OK;
}

enum err wiki_reply_large(struct call *call, struct buf *body, const char *content_type,
                          struct why *why)
{
    struct http_exchange *x = call->x;
    enum err err = OK;
    x->status = call->route->status;
    x->content_type = content_type;
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    if (body->failed) {
        err = why_set(why, ERR_INVALID, "this would become larger than %d MB",
                      LIMIT_BOOK_REPLY_BYTES / 1024 / 1024);
    } else if (body->len > PACKED_BYTES_MAX) {
        err = reply_in_pieces(x, buf_str(body), why);
    } else {
        buf_add_str(&x->reply, buf_str(body));
    }
    buf_release(body);
    return err;
}

/* --- export --- */

static void note_fault(void *ctx, const char *where, const char *type, const char *sentence)
{
    input_fault(ctx, "body", where, type, "%s", sentence);
}

struct wish {
    struct str url;
    bool markdown;
};

/* Of an address that is none of the web: what stands before its '@' may be a secret. */
static struct str without_user(struct str url)
{
    size_t at = str_find_byte(url, '@');
    return at < url.len ? str_from(url, at + 1) : url;
}

static enum err read_wish(struct call *call, struct wish *wish, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str url = input_str(call, "repo_url", true), format = input_str(call, "format", true);
    wish->markdown = str_eq(format, STR("markdown"));
    if (format.at && !wish->markdown && !str_eq(format, STR("json"))) {
        input_fault(call, "body", "format", "enum", "format must be markdown or json");
    }
    if (url.len > URL_BYTES_MAX) {
        input_fault(call, "body", "repo_url", "string_too_long", "repo_url has more than %d bytes",
                    URL_BYTES_MAX);
    }
    err = wiki_old_pages_check(call->arena, call->body, note_fault, call, why);
    if (err || call->fault_count > 0) return input_check(call, why);
    /* What is taken along is passed on: without a token that stands in the address. */
    struct str clean = wiki_old_clean_url(call->arena, url);
    wish->url = clean.len > 0 ? clean : without_user(url);
    return OK;
}

enum err wiki_export(struct call *call, struct why *why)
{
    struct wish wish = {0};
    enum err err = wiki_allow(call, WIKI_READ, why);
    if (!err) err = read_wish(call, &wish, why);
    if (err) return err;
    struct buf body;
    int64_t now_us = clock_wall_us();
    const struct json *pages = json_get(call->body, "pages");
    buf_init(&body, LIMIT_BOOK_REPLY_BYTES);
    if (wish.markdown)
        wiki_old_export_markdown(&body, wish.url, pages, now_us);
    else
        wiki_old_export_json(&body, wish.url, pages, now_us);
    struct str name =
        wiki_old_export_name(call->arena, wish.url, wish.markdown ? ".md" : ".json", now_us);
    http_add_header(call->x, "Content-Disposition",
                    arena_printf(call->arena, "attachment; filename=%.*s", STR_ARGS(name)));
    return wiki_reply_large(
        call, &body, wish.markdown ? "text/markdown; charset=utf-8" : "application/json", why);
}

/* --- folders --- */

enum err wiki_local_structure(struct call *call, struct why *why)
{
    struct wiki_listing listing;
    const struct settings *settings = call->api->settings;
    enum err err = wiki_allow(call, WIKI_ADD, why);
    if (err) return err;
    struct str path = input_query_str(call, "path");
    if (path.len == 0) {
        return why_set(why, ERR_INVALID, "No path provided: which folder? (?path=/…)");
    }
    err = wiki_listing_read(settings->wiki_roots, settings->data_dir, path, &listing, why);
    if (!err) {
        struct buf body;
        buf_init(&body, LIMIT_BOOK_REPLY_BYTES);
        struct json_out out = json_begin(&body);
        json_open(&out, NULL, '{');
        json_put_str(&out, "file_tree", buf_str(&listing.tree));
        json_put_str(&out, "readme", buf_str(&listing.readme));
        json_close(&out, '}');
        http_add_header(call->x, "Cache-Control", STR("no-store"));
        err = wiki_reply_large(call, &body, "application/json", why);
    }
    wiki_listing_release(&listing);
    return err;
}
