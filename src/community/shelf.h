/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/shelf.h: the folders in UPLOAD_DIR in which pictures stand, and the one door to them.
 *
 * Whoever sent it, a picture gets in here and nowhere else: decoded, stripped
 * and encoded again (community/picture.h), as many at once as there are
 * processors. Everything but picture_is_made() waits for the disk: on a worker.
 */
#pragma once

#include <limits.h>

#include "community/picture.h"
#include "store/files.h"

/* Names of pictures a machine made begin with it; those of uploads never do. */
#define SHELF_MADE_PREFIX "made_"

/* UPLOAD_DIR/name into `path`, made when it was not there. ERR_FULL, ERR_IO. */
MUST_USE enum err shelf_folder(struct str upload_dir, const char *name, char path[PATH_MAX],
                               struct why *why);
/* What errno says about `what` ("cannot keep an upload"), in words for members. */
MUST_USE enum err shelf_failed(struct why *why, const char *what);
/* picture_import() into the folder UPLOAD_DIR/name. Waits for its turn. */
MUST_USE enum err shelf_import(const char *source_path, struct str upload_dir, const char *name,
                               const char *prefix, const struct picture_limits *limits,
                               struct picture *picture_out, struct why *why);
/* Has it been put there within the last seconds? Whoever did may not have told the store yet. */
bool shelf_is_fresh(struct str upload_dir, const struct stored_file *file);
/* A picture and its two smaller ones; gone already is fine. */
void shelf_unlink(struct str upload_dir, const struct stored_file *file);
/* Whether a machine made the picture at this path ("/files/images/NAME"; .at NULL: none). */
bool picture_is_made(struct str image_path);
