/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_webp.c: WebP through libwebp, still or moving.
 */
#include "community/picture_codec.h"

#include <webp/decode.h>
#include <webp/demux.h>

static int webp_orientation(const WebPDemuxer *demux)
{
    WebPChunkIterator chunk;
    int orientation = 1;
    if (WebPDemuxGetChunk(demux, "EXIF", 1, &chunk)) {
        orientation = picture_exif_orientation(
            (struct str){(const char *)chunk.chunk.bytes, chunk.chunk.size});
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

static enum err webp_probe(struct str file, struct picture_facts *facts_out, struct why *why)
{
    WebPData data = {(const uint8_t *)file.at, file.len};
    WebPBitstreamFeatures features;
    WebPDemuxer *demux = WebPDemux(&data);
    if (demux == NULL || WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) {
        WebPDemuxDelete(demux);
        return picture_damaged(why, "WebP");
    }
    struct picture_facts facts = {
        .width = features.width,
        .height = features.height,
        .orientation = features.has_animation ? 1 : webp_orientation(demux),
        .frames = (int)MIN(WebPDemuxGetI(demux, WEBP_FF_FRAME_COUNT), PICTURE_FRAMES_MAX + 1U),
        .loops = (int)WebPDemuxGetI(demux, WEBP_FF_LOOP_COUNT),
    };
    facts.pixels_all = (uint64_t)facts.width * (uint64_t)facts.height * (uint64_t)facts.frames;
    WebPDemuxDelete(demux);
    if (facts.frames < 1) return picture_damaged(why, "WebP");
    *facts_out = facts;
    return OK;
}

static enum err webp_decode_still(struct str file, const struct picture_facts *facts,
                                  picture_frame_func *frame, void *ctx, struct why *why)
{
    WebPPicture pixels;
    enum err err = picture_alloc(&pixels, facts->width, facts->height, why);
    if (err) return err;
    size_t row_bytes = (size_t)pixels.argb_stride * sizeof(uint32_t);
    if (WebPDecodeBGRAInto((const uint8_t *)file.at, file.len, (uint8_t *)pixels.argb,
                           row_bytes * (size_t)facts->height, (int)row_bytes)) {
        err = frame(&pixels, 0, ctx, why);
    } else {
        err = picture_damaged(why, "WebP");
    }
    WebPPictureFree(&pixels);
    return err;
}

/* Frames come composed, in the decoder's own memory. */
static enum err webp_show_frames(WebPAnimDecoder *decoder, const struct picture_facts *facts,
                                 int frames, picture_frame_func *frame, void *ctx, struct why *why)
{
    int shown_until_ms = 0;
    for (int i = 0; i < frames; i++) {
        uint8_t *pixels = NULL;
        int until_ms = 0;
        if (!WebPAnimDecoderGetNext(decoder, &pixels, &until_ms)) {
            return picture_damaged(why, "WebP");
        }
        WebPPicture view;
        if (!WebPPictureInit(&view)) return picture_damaged(why, "WebP");
        view.use_argb = 1;
        view.width = view.argb_stride = facts->width;
        view.height = facts->height;
        view.argb = (uint32_t *)(void *)pixels;
        enum err err = frame(&view, until_ms - shown_until_ms, ctx, why);
        WebPPictureFree(&view);
        if (err) return err;
        shown_until_ms = until_ms;
    }
    return OK;
}

static enum err webp_decode(struct str file, const struct picture_facts *facts,
                            const struct picture_plan *plan, picture_frame_func *frame, void *ctx,
                            struct why *why)
{
    WebPData data = {(const uint8_t *)file.at, file.len};
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) {
        return picture_damaged(why, "WebP");
    }
    if (!features.has_animation) return webp_decode_still(file, facts, frame, ctx, why);

    WebPAnimDecoderOptions options;
    if (!WebPAnimDecoderOptionsInit(&options)) return picture_damaged(why, "WebP");
    options.color_mode = MODE_BGRA;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
    if (decoder == NULL) return picture_damaged(why, "WebP");
    enum err err =
        webp_show_frames(decoder, facts, plan->animated ? facts->frames : 1, frame, ctx, why);
    WebPAnimDecoderDelete(decoder);
    return err;
}

const struct picture_codec picture_codec_webp = {"WebP", webp_probe, webp_decode};
