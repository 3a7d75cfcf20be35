/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_png.c: PNG through libpng's simplified interface, which
 * needs no setjmp and gives 8-bit pixels whatever the file holds.
 *
 * libpng sees only the chunks that pixels need, copied out by the walk below:
 * a thousand compressed text chunks, a few kilobytes each, would otherwise
 * unfold to gigabytes before the first row. An animated PNG keeps its animation
 * in other chunks, so it becomes its default picture.
 */
#include "community/picture_codec.h"

#include <png.h>

#include "base/buf.h"

enum {
    PNG_SIGNATURE_BYTES = 8,
    PNG_CHUNK_EXTRA_BYTES = 12, /* length, type, check sum */
    PNG_IHDR_BYTES = 13,
};

struct png_chunk {
    struct str type, data;
    struct str whole;
};

static uint32_t png_u32(const char *at)
{
    const uint8_t *u = (const uint8_t *)at;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* W3C PNG 5.3: length of the data, type, data, CRC. False at the end and where the file is cut. */
static bool png_next_chunk(struct str *rest, struct png_chunk *chunk_out)
{
    if (rest->len < PNG_CHUNK_EXTRA_BYTES) return false;
    size_t len = png_u32(rest->at);
    if (len > rest->len - PNG_CHUNK_EXTRA_BYTES) return false;
    *chunk_out = (struct png_chunk){
        .type = {rest->at + 4, 4},
        .data = {rest->at + 8, len},
        .whole = {rest->at, len + PNG_CHUNK_EXTRA_BYTES},
    };
    *rest = str_from(*rest, chunk_out->whole.len);
    return true;
}

static bool png_is_for_pixels(struct str type)
{
    static const char wanted[][5] = {"IHDR", "PLTE", "tRNS", "gAMA", "sRGB", "IDAT", "IEND"};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (str_eq(type, str_of(wanted[i]))) return true;
    }
    return false;
}

static enum err png_probe(struct str file, struct picture_facts *facts_out, struct why *why)
{
    struct picture_facts facts = {.orientation = 1, .frames = 1};
    struct str rest = str_from(file, PNG_SIGNATURE_BYTES);
    struct png_chunk chunk;
    if (!png_next_chunk(&rest, &chunk) || !str_eq(chunk.type, STR("IHDR")) ||
        chunk.data.len != PNG_IHDR_BYTES) {
        return picture_damaged(why, "PNG");
    }
    /* Past INT_MAX they become negative, which no picture may be. */
    facts.width = (int)png_u32(chunk.data.at);
    facts.height = (int)png_u32(chunk.data.at + 4);
    while (!str_eq(chunk.type, STR("IEND"))) {
        if (!png_next_chunk(&rest, &chunk)) return picture_damaged(why, "PNG");
        if (str_eq(chunk.type, STR("eXIf"))) {
            facts.orientation = picture_exif_orientation(chunk.data);
        }
    }
    *facts_out = facts;
    return OK;
}

/* The file again without what pixels do not need. The probe has seen that it is whole. */
static void png_copy_for_pixels(struct str file, struct buf *copy)
{
    buf_init(copy, file.len);
    buf_add(copy, file.at, PNG_SIGNATURE_BYTES);
    struct str rest = str_from(file, PNG_SIGNATURE_BYTES);
    struct png_chunk chunk;
    while (png_next_chunk(&rest, &chunk)) {
        if (png_is_for_pixels(chunk.type)) buf_add_str(copy, chunk.whole);
    }
    ASSERT(!copy->failed);
}

static enum err png_decode(struct str file, const struct picture_facts *facts,
                           const struct picture_plan *plan, picture_frame_func *frame, void *ctx,
                           struct why *why)
{
    (void)plan;
    struct buf copy = {0};
    png_copy_for_pixels(file, &copy);
    WebPPicture pixels = {0};
    png_image image = {.version = PNG_IMAGE_VERSION};
    enum err err = OK;
    if (!png_image_begin_read_from_memory(&image, copy.at, copy.len) ||
        image.width != (unsigned)facts->width || image.height != (unsigned)facts->height) {
        err = picture_damaged(why, "PNG");
        goto out;
    }
    err = picture_alloc(&pixels, facts->width, facts->height, why);
    if (err) goto out;
    image.format = PNG_FORMAT_BGRA;
    /* 16 bits without a gamma chunk are sRGB too, not linear light. */
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    if (!png_image_finish_read(&image, NULL, pixels.argb, pixels.argb_stride * 4, NULL)) {
        err = picture_damaged(why, "PNG");
        goto out;
    }
    buf_release(&copy);
    err = frame(&pixels, 0, ctx, why);
out:
    png_image_free(&image);
    WebPPictureFree(&pixels);
    buf_release(&copy);
    return err;
}

const struct picture_codec picture_codec_png = {"PNG", png_probe, png_decode};
