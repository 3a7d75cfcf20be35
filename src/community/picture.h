/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture.h: from an upload a stranger sent to pictures we serve.
 *
 * Nothing of the upload itself is ever served. It is read by its content
 * (JPEG, PNG, GIF or WebP; the name counts for nothing), decoded, turned
 * upright, scaled and encoded again as WebP, so that no metadata (place,
 * camera, thumbnails of what was cut off) and no hidden payload survives.
 *
 * One import gives three files beside each other:
 *
 *     <prefix><32 hex digits>.webp         longest side at most side_max
 *     <prefix><32 hex digits>_320.webp     longest side at most 320
 *     <prefix><32 hex digits>_1280.webp    longest side at most 1280
 *
 * Nothing is enlarged: of a small picture all three are the same bytes. The
 * digits are from the SHA-256 of the first file, so what a name stands for
 * never changes and may be cached for ever, and the same picture twice is
 * stored once. An animation keeps moving in the first and the 1280 file (at
 * most 1280 on its longest side); its 320 file is the first frame.
 *
 * Everything here blocks and computes: call it on a worker. No globals; any
 * number of threads at once, also with the same folder and the same picture.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum {
    PICTURE_NAME_BYTES_MAX = 100,
    PICTURE_PREFIX_BYTES_MAX = 40,
    PICTURE_SIDE_DEFAULT = 2560,
    PICTURE_SIDE_CEILING = 16383, /* the format's own */
};

enum picture_type {
    PICTURE_NONE,
    PICTURE_JPEG,
    PICTURE_PNG,
    PICTURE_GIF,
    PICTURE_WEBP,
    PICTURE_TYPE_COUNT
};

struct picture_limits {
    uint64_t bytes_max;  /* of the upload */
    uint64_t pixels_max; /* width x height as the upload's header says */
    int side_max;        /* of what is kept; 0: PICTURE_SIDE_DEFAULT */
};

struct picture {
    char name[PICTURE_NAME_BYTES_MAX + 1]; /* of the main file, without folder */
    uint64_t bytes;                        /* of the main file */
    int width, height;                     /* of the main file, upright */
    bool animated;
};

/*
 * Import the upload at `source_path` into `folder`, which must exist. `prefix`
 * is our own ([A-Za-z0-9_-], may be empty). The upload stays where it is.
 * On OK the three files are durable. After a failure the folder is as before.
 * ERR_INVALID: no picture, damaged, or too many pixels; the sentence says which.
 * ERR_LIMIT: the upload has more than bytes_max bytes.
 * ERR_BUSY: not enough memory for this picture now.
 * ERR_FULL: the disk is. ERR_IO: reading or writing failed.
 */
MUST_USE enum err picture_import(const char *source_path, const char *folder, const char *prefix,
                                 const struct picture_limits *limits, struct picture *picture_out,
                                 struct why *why);

/* What the first bytes of a file (16 are enough) say it is. */
enum picture_type picture_sniff(struct str first_bytes);
/* "image/png"; "application/octet-stream" for PICTURE_NONE. */
const char *picture_type_mime(enum picture_type type);

/*
 * Whether a file of this name may be served out of the uploads folder:
 * [A-Za-z0-9_-]+ and one extension of .webp .jpg .jpeg .png .gif in any case,
 * at most PICTURE_NAME_BYTES_MAX bytes. So no folders, no dot files and none of our own
 * unfinished ones.
 */
bool picture_name_is_safe(struct str name);
/* The type by extension, for files that an older system left; NULL for another extension. */
const char *picture_mime(struct str name);
