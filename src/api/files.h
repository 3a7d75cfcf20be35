/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/files.h: pictures in (multipart uploads that go to disk as they come)
 * and out (files with far-future caching and ranges).
 *
 * In UPLOAD_DIR are images/ and avatars/, which are served, and tmp/. All are
 * made when they are first needed. Ours come from community/picture.h; what an
 * older system left in the first two is served as well.
 */
#pragma once

#include "api/call.h"
#include "store/files.h"

/*
 * The head of an upload is in: take a place among those at once, set the
 * exchange's sink. On the loop.
 * ERR_BUSY: too many at once. ERR_INVALID: not multipart, or announced too large.
 */
MUST_USE enum err upload_begin(struct call *call, struct why *why);
/*
 * After upload_begin(), where the caller was not looked up: the body waits until a worker has
 * done it, and is never asked for when the caller is nobody any more. On the loop.
 */
MUST_USE enum err upload_confirm(struct call *call, struct why *why);
/*
 * The request is whole. True: go on. False: a piece is still being written;
 * `go_on` is called on the loop when it is.
 */
MUST_USE bool upload_whole(struct call *call, void (*go_on)(struct call *call));
/*
 * The call is over, wherever it stood: what came is thrown away and the place
 * is free again, at once or when the worker is done with it. Without an upload:
 * nothing.
 */
void upload_free(struct call *call);

handler files_upload_image, files_upload_avatar; /* LANE_SLOW, BODY_UPLOAD */
handler files_get_image, files_get_avatar;       /* LANE_SLOW */

/* At start-up and from time to time: what a crash has left unfinished and nobody has touched for an
 * hour goes. */
void files_sweep(const struct settings *settings);
/* From time to time, on one thread: some of the pictures that nobody shows any more, and that were
 * put down or are older than `upload-unused-days`, go from disk and store. `*at` is {0} at first.
 */
MUST_USE enum err files_collect(const struct settings *settings, struct store *store, struct db *db,
                                struct files_place *at, struct why *why);
