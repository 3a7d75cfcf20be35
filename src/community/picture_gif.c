/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_gif.c: GIF through giflib, one frame in memory at a time.
 *
 * DGifSlurp would allocate every frame as large as the file says; the record
 * interface lets us count first and compose on one canvas after. As in
 * browsers the background is transparent, a first frame larger than the screen
 * enlarges it, later frames are clipped, and a delay below 20 ms means 100.
 */
#include "community/picture_codec.h"

#include <gif_lib.h>

#include "base/mem.h"

enum { GIF_DELAY_DEFAULT_MS = 100, GIF_DELAY_SHORTEST_MS = 20 };

struct gif {
    struct str rest; /* of the file, not yet read */
    GifFileType *file;
    WebPPicture canvas;
    uint32_t *kept;    /* owned: the canvas as it was, for DISPOSE_PREVIOUS */
    GifPixelType *row; /* owned: the current frame's */
    GraphicsControlBlock control;
    int loops; /* 0: for ever */
};

static int gif_read(GifFileType *file, GifByteType *to, int bytes)
{
    struct gif *gif = file->UserData;
    if (bytes <= 0) return 0;
    size_t len = MIN((size_t)bytes, gif->rest.len);
    if (len > 0) memcpy(to, gif->rest.at, len);
    gif->rest = str_from(gif->rest, len);
    return (int)len;
}

static bool gif_open(struct gif *gif, struct str file)
{
    *gif = (struct gif){.rest = file, .loops = 1};
    gif->control.TransparentColor = NO_TRANSPARENT_COLOR;
    int error = 0;
    gif->file = DGifOpen(gif, gif_read, &error);
    return gif->file != NULL;
}

static void gif_close(struct gif *gif)
{
    int error = 0;
    if (gif->file != NULL) DGifCloseFile(gif->file, &error);
    WebPPictureFree(&gif->canvas);
    mem_free(gif->kept);
    mem_free(gif->row);
}

/* A block of an extension: its first byte is its length. */
static struct str gif_block(const GifByteType *block)
{
    return (struct str){(const char *)block + 1, block[0]};
}

/* Takes what concerns us: the control of the next frame, how often to repeat. */
static bool gif_read_extension(struct gif *gif)
{
    int code = 0;
    GifByteType *block = NULL;
    if (DGifGetExtension(gif->file, &code, &block) == GIF_ERROR) return false;
    bool netscape = false;
    for (bool first = true; block != NULL; first = false) {
        struct str data = gif_block(block);
        if (first && code == GRAPHICS_EXT_FUNC_CODE) {
            (void)DGifExtensionToGCB(data.len, block + 1, &gif->control); /* a wrong one is none */
        } else if (first) {
            netscape = code == APPLICATION_EXT_FUNC_CODE && str_eq(data, STR("NETSCAPE2.0"));
        } else if (netscape && data.len == 3 && data.at[0] == 1) {
            /* "Repeat n times" after the first; 0 is for ever. */
            int repeats = block[2] | block[3] << 8;
            gif->loops = repeats == 0 ? 0 : MIN(repeats + 1, 65535);
        }
        if (DGifGetExtensionNext(gif->file, &block) == GIF_ERROR) return false;
    }
    return true;
}

/* Go to the next frame's descriptor. False at the end (*whole_out true) or where it is damaged. */
static bool gif_next_frame(struct gif *gif, bool *whole_out)
{
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    *whole_out = false;
    while (DGifGetRecordType(gif->file, &record) == GIF_OK) {
        switch (record) {
        case IMAGE_DESC_RECORD_TYPE: return DGifGetImageDesc(gif->file) == GIF_OK;
        case EXTENSION_RECORD_TYPE:
            if (!gif_read_extension(gif)) return false;
            break;
        case TERMINATE_RECORD_TYPE: *whole_out = true; return false;
        case UNDEFINED_RECORD_TYPE:
        case SCREEN_DESC_RECORD_TYPE: return false;
        }
    }
    return false;
}

static bool gif_skip_pixels(struct gif *gif)
{
    int code_size = 0;
    GifByteType *block = NULL;
    if (DGifGetCode(gif->file, &code_size, &block) == GIF_ERROR) return false;
    while (block != NULL) {
        if (DGifGetCodeNext(gif->file, &block) == GIF_ERROR) return false;
    }
    return true;
}

static enum err gif_probe(struct str file, struct picture_facts *facts_out, struct why *why)
{
    struct gif gif;
    struct picture_facts facts = {.orientation = 1};
    bool whole = false;
    bool good = gif_open(&gif, file);
    while (good && facts.frames <= PICTURE_FRAMES_MAX && gif_next_frame(&gif, &whole)) {
        const GifImageDesc *image = &gif.file->Image;
        if (facts.frames == 0) {
            facts.width = MAX(gif.file->SWidth, image->Left + image->Width);
            facts.height = MAX(gif.file->SHeight, image->Top + image->Height);
        }
        facts.frames++;
        uint64_t pixels = (uint64_t)image->Width * (uint64_t)image->Height;
        facts.pixels_all += MAX(pixels, (uint64_t)facts.width * (uint64_t)facts.height);
        good = gif_skip_pixels(&gif);
    }
    facts.loops = gif.loops;
    gif_close(&gif);
    good = good && facts.frames > 0 && (whole || facts.frames > PICTURE_FRAMES_MAX);
    if (!good) return picture_damaged(why, "GIF");
    *facts_out = facts;
    return OK;
}

static void gif_draw_row(struct gif *gif, const ColorMapObject *colours, int y)
{
    const GifImageDesc *image = &gif->file->Image;
    if (y >= gif->canvas.height) return;
    uint32_t *argb = gif->canvas.argb + (size_t)y * gif->canvas.argb_stride;
    int width = MIN(image->Width, gif->canvas.width - image->Left);
    for (int x = 0; x < width; x++) {
        int index = gif->row[x];
        if (index == gif->control.TransparentColor || index >= colours->ColorCount) continue;
        GifColorType colour = colours->Colors[index];
        argb[image->Left + x] =
            0xFF000000U | (uint32_t)colour.Red << 16 | (uint32_t)colour.Green << 8 | colour.Blue;
    }
}

/* Decode the frame whose descriptor was just read onto the canvas. */
static bool gif_draw_frame(struct gif *gif)
{
    /* GIF89a, appendix E: every 8th row from 0, every 8th from 4, every 4th from 2, the odd ones */
    static const struct {
        int first, step;
    } passes[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, all = {0, 1};

    const GifImageDesc *image = &gif->file->Image;
    const ColorMapObject *colours = image->ColorMap ? image->ColorMap : gif->file->SColorMap;
    if (colours == NULL || image->Width <= 0 || image->Height <= 0) return false;
    mem_free(gif->row);
    gif->row = mem_alloc((size_t)image->Width);
    for (size_t pass = 0; pass < (image->Interlace ? COUNT_OF(passes) : 1); pass++) {
        int first = image->Interlace ? passes[pass].first : all.first;
        int step = image->Interlace ? passes[pass].step : all.step;
        for (int y = first; y < image->Height; y += step) {
            if (DGifGetLine(gif->file, gif->row, image->Width) == GIF_ERROR) return false;
            gif_draw_row(gif, colours, image->Top + y);
        }
    }
    return true;
}

static size_t gif_canvas_bytes(const struct gif *gif)
{
    return (size_t)gif->canvas.argb_stride * (size_t)gif->canvas.height * sizeof(uint32_t);
}

/* After the frame was shown: what the next one finds. */
static void gif_dispose(struct gif *gif)
{
    const GifImageDesc *image = &gif->file->Image;
    if (gif->control.DisposalMode == DISPOSE_PREVIOUS && gif->kept != NULL) {
        memcpy(gif->canvas.argb, gif->kept, gif_canvas_bytes(gif));
    } else if (gif->control.DisposalMode == DISPOSE_BACKGROUND) {
        int width = MIN(image->Width, gif->canvas.width - image->Left);
        int bottom = MIN(image->Top + image->Height, gif->canvas.height);
        for (int y = image->Top; y < bottom && width > 0; y++) {
            uint32_t *row = gif->canvas.argb + (size_t)y * gif->canvas.argb_stride;
            memset(row + image->Left, 0, (size_t)width * sizeof(*row));
        }
    }
    gif->control = (GraphicsControlBlock){.TransparentColor = NO_TRANSPARENT_COLOR};
}

static enum err gif_show_frame(struct gif *gif, picture_frame_func *frame, void *ctx,
                               struct why *why)
{
    int delay_ms = gif->control.DelayTime * 10;
    if (delay_ms < GIF_DELAY_SHORTEST_MS) delay_ms = GIF_DELAY_DEFAULT_MS;
    WebPPicture view;
    if (!WebPPictureView(&gif->canvas, 0, 0, gif->canvas.width, gif->canvas.height, &view)) {
        return picture_damaged(why, "GIF");
    }
    enum err err = frame(&view, delay_ms, ctx, why);
    WebPPictureFree(&view);
    return err;
}

static enum err gif_decode(struct str file, const struct picture_facts *facts,
                           const struct picture_plan *plan, picture_frame_func *frame, void *ctx,
                           struct why *why)
{
    struct gif gif;
    enum err err = gif_open(&gif, file) ? OK : picture_damaged(why, "GIF");
    if (!err) err = picture_alloc(&gif.canvas, facts->width, facts->height, why);
    if (err) goto out;
    memset(gif.canvas.argb, 0, gif_canvas_bytes(&gif));

    int frames = plan->animated ? facts->frames : 1;
    for (int i = 0; i < frames && !err; i++) {
        bool whole = false;
        bool good = gif_next_frame(&gif, &whole);
        if (good && gif.control.DisposalMode == DISPOSE_PREVIOUS) {
            if (gif.kept == NULL) gif.kept = mem_alloc_raw(gif_canvas_bytes(&gif));
            memcpy(gif.kept, gif.canvas.argb, gif_canvas_bytes(&gif));
        }
        good = good && gif_draw_frame(&gif);
        err = good ? gif_show_frame(&gif, frame, ctx, why) : picture_damaged(why, "GIF");
        if (!err) gif_dispose(&gif);
    }
out:
    gif_close(&gif);
    return err;
}

const struct picture_codec picture_codec_gif = {"GIF", gif_probe, gif_decode};
