/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_exif.c: which way is up.
 *
 * Cameras store what the sensor saw and note in EXIF how it was held. We drop
 * EXIF, so the turn must be made in the pixels. Only the one tag is read; a
 * library for all of EXIF would be a second parser of strangers' bytes for
 * two bytes of use.
 */
#include "community/picture_codec.h"

enum {
    TIFF_HEADER_BYTES = 8,
    TIFF_ENTRY_BYTES = 12,
    TIFF_TYPE_SHORT = 3,
    EXIF_TAG_ORIENTATION = 0x0112,
};

static uint32_t tiff_read(const uint8_t *at, int bytes, bool big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[big_endian ? i : bytes - 1 - i];
    }
    return value;
}

/* TIFF 6.0, section 2: header, then a directory of 12-byte entries {tag, type, count, value}. */
int picture_exif_orientation(struct str exif)
{
    if (str_starts(exif, STR("Exif\0\0"))) exif = str_from(exif, 6);
    if (exif.len < TIFF_HEADER_BYTES) return 1;
    bool big_endian = str_starts(exif, STR("MM\0*"));
    if (!big_endian && !str_starts(exif, STR("II*\0"))) return 1;

    const uint8_t *at = (const uint8_t *)exif.at;
    size_t directory = tiff_read(at + 4, 4, big_endian);
    if (directory > exif.len - 2) return 1;
    size_t count = tiff_read(at + directory, 2, big_endian);
    count = MIN(count, (exif.len - directory - 2) / TIFF_ENTRY_BYTES);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = at + directory + 2 + i * TIFF_ENTRY_BYTES;
        if (tiff_read(entry, 2, big_endian) != EXIF_TAG_ORIENTATION) continue;
        if (tiff_read(entry + 2, 2, big_endian) != TIFF_TYPE_SHORT) return 1;
        uint32_t value = tiff_read(entry + 8, 2, big_endian);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Where the pixel at (x, y) of the upright picture stands in the stored one. */
static const struct turn {
    bool swap;           /* x and y change places, */
    bool flip_x, flip_y; /* then the stored x or y counts from the far end */
} turns[9] = {
    [2] = {.flip_x = true},
    [3] = {.flip_x = true, .flip_y = true},
    [4] = {.flip_y = true},
    [5] = {.swap = true},
    [6] = {.swap = true, .flip_y = true},
    [7] = {.swap = true, .flip_x = true, .flip_y = true},
    [8] = {.swap = true, .flip_x = true},
};

enum err picture_turn_upright(WebPPicture *picture, int orientation, struct why *why)
{
    ASSERT(orientation >= 1 && orientation <= 8);
    if (orientation == 1) return OK;
    struct turn turn = turns[orientation];
    WebPPicture upright;
    enum err err = picture_alloc(&upright, turn.swap ? picture->height : picture->width,
                                 turn.swap ? picture->width : picture->height, why);
    if (err) return err;

    for (int y = 0; y < upright.height; y++) {
        for (int x = 0; x < upright.width; x++) {
            int from_x = turn.swap ? y : x, from_y = turn.swap ? x : y;
            if (turn.flip_x) from_x = picture->width - 1 - from_x;
            if (turn.flip_y) from_y = picture->height - 1 - from_y;
            upright.argb[(size_t)y * (size_t)upright.argb_stride + (size_t)x] =
                picture->argb[(size_t)from_y * (size_t)picture->argb_stride + (size_t)from_x];
        }
    }
    WebPPictureFree(picture);
    *picture = upright;
    return OK;
}
