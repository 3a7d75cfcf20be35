/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "community/shelf.h"

enum { FLUSH_BYTES = 64 * 1024, PIECE_BYTES_MAX = 32 * 1024 * 1024 };

enum err spool_open(struct spool *spool, struct call *call, struct why *why)
{
    char folder[PATH_MAX], path[PATH_MAX + 16];
    *spool = (struct spool){.fd = -1};
    buf_init(&spool->buf, PIECE_BYTES_MAX);
    enum err err = shelf_folder(call->api->settings->upload_dir, "tmp", folder, why);
    if (err) return err;
    snprintf(path, sizeof(path), "%s/export-XXXXXX", folder);
    spool->fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
    if (spool->fd < 0 || unlink(path) < 0) return shelf_failed(why, "cannot write an export");
    return OK;
}

static void flush(struct spool *spool)
{
    struct str rest = buf_str(&spool->buf);
    if (spool->buf.failed && !spool->err) {
        spool->err = why_set(&spool->why, ERR_LIMIT, "a piece of the export is too large");
    }
    while (rest.len > 0 && !spool->err) {
        ssize_t put = write(spool->fd, rest.at, rest.len);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            spool->err = shelf_failed(&spool->why, "cannot write an export");
            break;
        }
        spool->bytes += (uint64_t)put;
        rest = str_from(rest, (size_t)put);
    }
    buf_reset(&spool->buf, PIECE_BYTES_MAX);
}

void spool_flush_some(struct spool *spool)
{
    if (spool->buf.len >= FLUSH_BYTES || spool->buf.failed) flush(spool);
}

enum err spool_check(const struct spool *spool, enum err err, struct why *why)
{
    if (err || !spool->err) return err;
    *why = spool->why;
    return spool->err;
}

enum err spool_reply(struct spool *spool, struct call *call, const char *type, struct why *why)
{
    struct http_exchange *x = call->x;
    flush(spool);
    enum err err = spool_check(spool, OK, why);
    if (err) return err;
    x->status = 200;
    x->content_type = type;
    x->file = spool->fd;
    x->file_len = spool->bytes;
    spool->fd = -1; /* closed with the reply */
    return OK;
}

void spool_close(struct spool *spool)
{
    if (spool->fd >= 0) close(spool->fd);
    buf_release(&spool->buf);
}
