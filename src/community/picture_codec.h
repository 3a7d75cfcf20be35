/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_codec.h: what the files picture*.c share. Nobody else includes it.
 *
 * A codec has two steps. `probe` reads the header alone and allocates nothing
 * that grows with the picture; the caller judges the facts against the limits
 * in one place. `decode` then hands every wanted frame, whole and composed,
 * to a function, as libwebp's own picture (ARGB words), which the resampler
 * and the encoder take as it is.
 */
#pragma once

#include <webp/encode.h>

#include "community/picture.h"

/* The codecs write bytes B, G, R, A; those are libwebp's ARGB words only in this order. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pictures need a little-endian machine");

enum {
    /* Longer animations become their first frame. The longest in common use have some 200. */
    PICTURE_FRAMES_MAX = 300,
    /* Pixels of all frames: some seconds of one core's time at most. */
    PICTURE_ANIMATION_PIXELS_MAX = 50000000,
    PICTURE_ANIMATION_SIDE_MAX = 1280,
    /* Of an upload. Keeps the resampler's 32-bit sums from wrapping on needles. */
    PICTURE_SOURCE_SIDE_MAX = 65535,
};

struct picture_facts {
    int width, height;
    int orientation;     /* 1 to 8, as EXIF counts */
    int frames;          /* may stop counting past PICTURE_FRAMES_MAX */
    int loops;           /* 0: for ever */
    uint64_t pixels_all; /* what decoding every frame touches */
};

struct picture_plan {
    int side_max;  /* a decoder that can shrink cheaply may, but not below this */
    bool animated; /* all frames, or the first only */
};

/*
 * The frame is lent: its pixels may be replaced (WebPPictureRescale), never
 * written to; the decoder frees what it holds afterwards.
 */
typedef enum err picture_frame_func(WebPPicture *frame, int duration_ms, void *ctx,
                                    struct why *why);

struct picture_codec {
    const char *name;
    enum err (*probe)(struct str file, struct picture_facts *facts_out, struct why *why);
    enum err (*decode)(struct str file, const struct picture_facts *facts,
                       const struct picture_plan *plan, picture_frame_func *frame, void *ctx,
                       struct why *why);
};

extern const struct picture_codec picture_codec_jpeg, picture_codec_png, picture_codec_gif,
    picture_codec_webp;

/* ERR_INVALID with the sentence for a file that begins as `name` and goes wrong. */
enum err picture_damaged(struct why *why, const char *name);
/* An ARGB picture with memory of its own, not cleared. ERR_BUSY when there is none. */
MUST_USE enum err picture_alloc(WebPPicture *picture, int width, int height, struct why *why);

/* The orientation in EXIF data, with or without its "Exif\0\0"; 1 when there is none to find. */
int picture_exif_orientation(struct str exif);
/* Turn the picture so that `orientation` becomes 1. */
MUST_USE enum err picture_turn_upright(WebPPicture *picture, int orientation, struct why *why);

enum picture_size { PICTURE_MAIN, PICTURE_320, PICTURE_1280, PICTURE_SIZES };

/* What one import makes, before anything is stored. */
struct picture_encoded {
    int width, height;
    bool animated;
    struct str files[PICTURE_SIZES]; /* several may be the same bytes */
    uint8_t *owned[PICTURE_SIZES];   /* libwebp's memory, NULL where a file is shared */
};

/* The whole of an import but the disk. `encoded_out` is filled on OK only; release it then. */
MUST_USE enum err picture_encode(struct str file, const struct picture_limits *limits,
                                 struct picture_encoded *encoded_out, struct why *why);
void picture_encoded_release(struct picture_encoded *encoded);
