/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/files.h: pictures in (multipart uploads that go to disk as they come)
 * and out (files with far-future caching and ranges).
 */
#pragma once

#include "api/call.h"

/*
 * The head of an upload is in: take a place among those at once, make a
 * temporary file, set the exchange's sink. On the loop.
 * ERR_BUSY: too many at once. ERR_INVALID: not multipart, or announced too large.
 */
MUST_USE enum err upload_begin(struct call *call, struct why *why);
/*
 * The request is whole. True: it is on disk, go on. False: the last piece is
 * still being written; `go_on` is called on the loop when it is.
 */
MUST_USE bool upload_whole(struct call *call, void (*go_on)(struct call *call));
/* The call is over: the temporary file and the place go. Without an upload: nothing. */
void upload_free(struct call *call);

handler files_upload_image, files_upload_avatar; /* LANE_SLOW */
handler files_get_image, files_get_avatar;       /* LANE_SLOW */
