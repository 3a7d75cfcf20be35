/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_jpeg.c: JPEG through libjpeg-turbo.
 *
 * libjpeg reports failure by a callback that must not return, so setjmp is
 * the only way out; it is met in this file alone, and what must survive the
 * jump lives on the heap, in `struct jpeg`. Warnings that mean missing or wrong picture data
 * are failures too: half a grey picture is no picture.
 */
#include "community/picture_codec.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/mem.h"

enum {
    /* Every scan walks all coefficients again, however little data it has. Encoders make 10. */
    JPEG_SCANS_MAX = 64,
    JPEG_SCALE_DENOMINATOR = 8,
};

struct jpeg {
    struct jpeg_decompress_struct decompress;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    WebPPicture pixels;
    uint8_t *cmyk; /* owned: one row */
    enum err err;
    struct why *why;
};

static struct jpeg *jpeg_of(j_common_ptr common)
{
    return CONTAINER_OF((struct jpeg_decompress_struct *)common, struct jpeg, decompress);
}

static _Noreturn void jpeg_on_error(j_common_ptr common)
{
    struct jpeg *jpeg = jpeg_of(common);
    jpeg->err = common->err->msg_code == JERR_OUT_OF_MEMORY
                    ? why_set(jpeg->why, ERR_BUSY, "not enough memory for this picture, try later")
                    : picture_damaged(jpeg->why, "JPEG");
    longjmp(jpeg->failed, 1);
}

static void jpeg_on_message(j_common_ptr common, int level)
{
    if (level >= 0) return; /* tracing */
    switch (common->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL: jpeg_on_error(common);
    default: /* stray bytes between markers and the like: cameras do that */ break;
    }
}

static void jpeg_on_progress(j_common_ptr common)
{
    if (jpeg_of(common)->decompress.input_scan_number > JPEG_SCANS_MAX) jpeg_on_error(common);
}

static void jpeg_silent(j_common_ptr common)
{
    (void)common;
}

static enum err jpeg_free(struct jpeg *jpeg)
{
    enum err err = jpeg->err;
    jpeg_destroy_decompress(&jpeg->decompress);
    WebPPictureFree(&jpeg->pixels);
    mem_free(jpeg->cmyk);
    mem_free(jpeg);
    return err;
}

/* Up to and including the header. Only after setjmp(jpeg->failed). */
static void jpeg_open(struct jpeg *jpeg, struct str file)
{
    jpeg->decompress.err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = jpeg_on_error;
    jpeg->errors.emit_message = jpeg_on_message;
    jpeg->errors.output_message = jpeg_silent;
    jpeg_create_decompress(&jpeg->decompress);
    jpeg->progress.progress_monitor = jpeg_on_progress;
    jpeg->decompress.progress = &jpeg->progress;
    jpeg_save_markers(&jpeg->decompress, JPEG_APP0 + 1, 0xFFFF);
    jpeg_mem_src(&jpeg->decompress, (const unsigned char *)file.at, file.len);
    jpeg_read_header(&jpeg->decompress, TRUE);
}

static int jpeg_orientation(const struct jpeg *jpeg)
{
    for (jpeg_saved_marker_ptr m = jpeg->decompress.marker_list; m != NULL; m = m->next) {
        struct str data = {(const char *)m->data, m->data_length};
        /* APP1 is XMP's marker too; the name in front tells. */
        if (str_starts(data, STR("Exif\0"))) return picture_exif_orientation(data);
    }
    return 1;
}

static enum err jpeg_probe(struct str file, struct picture_facts *facts_out, struct why *why)
{
    struct jpeg *const jpeg = NEW(struct jpeg);
    jpeg->why = why;
    if (setjmp(jpeg->failed) == 0) {
        jpeg_open(jpeg, file);
        *facts_out = (struct picture_facts){
            .width = (int)jpeg->decompress.image_width,
            .height = (int)jpeg->decompress.image_height,
            .orientation = jpeg_orientation(jpeg),
            .frames = 1,
        };
    }
    return jpeg_free(jpeg);
}

/* The smallest size that the inverse transform gives for free and that is still large enough. */
static void jpeg_choose_scale(struct jpeg_decompress_struct *decompress, int side_max)
{
    unsigned side = MAX(decompress->image_width, decompress->image_height);
    unsigned scale = 1;
    while (scale < JPEG_SCALE_DENOMINATOR &&
           side * scale < (unsigned)side_max * JPEG_SCALE_DENOMINATOR) {
        scale++;
    }
    decompress->scale_num = scale;
    decompress->scale_denom = JPEG_SCALE_DENOMINATOR;
}

/*
 * Ink to light. Adobe's programs store CMYK inverted and say so by their
 * marker; nobody else writes CMYK without following them, but then without
 * the marker the plain reading is what the standard means.
 */
static void jpeg_cmyk_row(const struct jpeg *jpeg, uint32_t *argb)
{
    uint32_t invert = jpeg->decompress.saw_Adobe_marker ? 0 : 255;
    for (size_t x = 0; x < jpeg->decompress.output_width; x++) {
        const uint8_t *at = jpeg->cmyk + 4 * x;
        uint32_t light[4];
        for (int i = 0; i < 4; i++) light[i] = at[i] ^ invert;
        uint32_t red = light[0] * light[3] / 255;
        uint32_t green = light[1] * light[3] / 255;
        uint32_t blue = light[2] * light[3] / 255;
        argb[x] = 0xFF000000U | red << 16 | green << 8 | blue;
    }
}

/* Only after setjmp(jpeg->failed). */
static void jpeg_read_pixels(struct jpeg *jpeg, const struct picture_plan *plan)
{
    struct jpeg_decompress_struct *decompress = &jpeg->decompress;
    bool cmyk =
        decompress->jpeg_color_space == JCS_CMYK || decompress->jpeg_color_space == JCS_YCCK;
    decompress->out_color_space = cmyk ? JCS_CMYK : JCS_EXT_BGRA;
    jpeg_choose_scale(decompress, plan->side_max);
    jpeg_start_decompress(decompress);

    jpeg->err = picture_alloc(&jpeg->pixels, (int)decompress->output_width,
                              (int)decompress->output_height, jpeg->why);
    if (jpeg->err) longjmp(jpeg->failed, 1);
    if (cmyk) jpeg->cmyk = mem_alloc_raw((size_t)decompress->output_width * 4);
    while (decompress->output_scanline < decompress->output_height) {
        uint32_t *argb =
            jpeg->pixels.argb + (size_t)decompress->output_scanline * jpeg->pixels.argb_stride;
        uint8_t *row = cmyk ? jpeg->cmyk : (uint8_t *)argb;
        if (jpeg_read_scanlines(decompress, &row, 1) == 1 && cmyk) jpeg_cmyk_row(jpeg, argb);
    }
}

static enum err jpeg_decode(struct str file, const struct picture_facts *facts,
                            const struct picture_plan *plan, picture_frame_func *frame, void *ctx,
                            struct why *why)
{
    (void)facts;
    struct jpeg *const jpeg = NEW(struct jpeg);
    jpeg->why = why;
    if (setjmp(jpeg->failed) == 0) {
        jpeg_open(jpeg, file);
        jpeg_read_pixels(jpeg, plan);
        /* A progressive picture's coefficients are as large as the pixels: let them go first. */
        jpeg_abort_decompress(&jpeg->decompress);
    }
    if (!jpeg->err) jpeg->err = frame(&jpeg->pixels, 0, ctx, why);
    return jpeg_free(jpeg);
}

const struct picture_codec picture_codec_jpeg = {"JPEG", jpeg_probe, jpeg_decode};
