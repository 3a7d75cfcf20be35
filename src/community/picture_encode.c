/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture_encode.c: from a file's bytes to the bytes of our three files.
 *
 * The codec is chosen by content, its facts are judged against the limits
 * before anything large is allocated, and what it decodes is scaled, turned
 * and encoded at once, frame by frame, so that at most one full picture is
 * in memory. Scaling goes downwards in steps (source, main, 1280, 320): each
 * thumbnail reads only the next larger one. The resampler is libwebp's, an
 * exact area average; we own none.
 *
 * Lossy WebP at quality 82 for photographs; lossless where at most 256 colours
 * occur (screens, diagrams, drawings), where it is both smaller and sharper.
 */
#include "community/picture_codec.h"

#include <webp/mux.h>

#include "base/mem.h"

enum {
    PICTURE_QUALITY = 82,
    /* Of 0 to 6. On a 12-megapixel picture 2 was a third quicker and 4 % larger, 4 no smaller. */
    PICTURE_METHOD = 3,
    PICTURE_ANIMATION_METHOD = 2, /* hundreds of frames */
    PICTURE_LOSSLESS_LEVEL = 4,   /* of 0 to 9 */
    PICTURE_COLOURS_MAX = 256,    /* a palette's */
};

struct picture_work {
    const struct picture_facts *facts;
    struct picture_plan plan;
    struct picture_encoded *encoded;
    WebPAnimEncoder *animation; /* owned */
    int shown_until_ms;
};

enum err picture_damaged(struct why *why, const char *name)
{
    return why_set(why, ERR_INVALID, "this %s file is damaged or cut off", name);
}

static enum err picture_no_memory(struct why *why)
{
    return why_set(why, ERR_BUSY, "not enough memory for this picture, try later");
}

enum err picture_alloc(WebPPicture *picture, int width, int height, struct why *why)
{
    ASSERT(width > 0 && height > 0);
    if (!WebPPictureInit(picture)) return why_set(why, ERR_IO, "libwebp is of another version");
    picture->use_argb = 1;
    picture->width = width;
    picture->height = height;
    return WebPPictureAlloc(picture) ? OK : picture_no_memory(why);
}

/* Keep the shape, bring the longest side down to `side_max`; never up. */
static enum err picture_shrink(WebPPicture *picture, int side_max, struct why *why)
{
    int side = MAX(picture->width, picture->height);
    if (side <= side_max) return OK;
    int64_t half = side / 2;
    int width = (int)(((int64_t)picture->width * side_max + half) / side);
    int height = (int)(((int64_t)picture->height * side_max + half) / side);
    return WebPPictureRescale(picture, MAX(width, 1), MAX(height, 1)) ? OK : picture_no_memory(why);
}

/* Whether a palette can hold the picture: a small hash table of the colours met. */
static bool picture_has_few_colours(const WebPPicture *picture)
{
    enum { SLOTS = 1024 }; /* a power of two, never more than a quarter full */
    struct {
        uint32_t argb;
        bool used;
    } slots[SLOTS] = {0};
    int colours = 0;
    for (int y = 0; y < picture->height; y++) {
        const uint32_t *row = picture->argb + (size_t)y * (size_t)picture->argb_stride;
        for (int x = 0; x < picture->width; x++) {
            if (x > 0 && row[x] == row[x - 1]) continue;
            uint32_t at = (row[x] * 0x9E3779B1U) >> 22;
            while (slots[at].used && slots[at].argb != row[x]) at = (at + 1) % SLOTS;
            if (slots[at].used) continue;
            if (++colours > PICTURE_COLOURS_MAX) return false;
            slots[at].used = true;
            slots[at].argb = row[x];
        }
    }
    return true;
}

/* The fixed choices; false only when the library is of another version than its header. */
static bool picture_config(WebPConfig *config, bool lossless, int method)
{
    if (!WebPConfigPreset(config, WEBP_PRESET_PHOTO, PICTURE_QUALITY)) return false;
    config->method = method;
    return !lossless || WebPConfigLosslessPreset(config, PICTURE_LOSSLESS_LEVEL);
}

static enum err picture_encode_failed(WebPEncodingError error, struct why *why)
{
    if (error == VP8_ENC_ERROR_OUT_OF_MEMORY || error == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY) {
        return picture_no_memory(why);
    }
    return why_set(why, ERR_IO, "the picture cannot be encoded (libwebp error %d)", (int)error);
}

/* One still file. The picture's ARGB words stay as they are. */
static enum err picture_write_still(const WebPPicture *picture, enum picture_size size,
                                    struct picture_encoded *encoded, struct why *why)
{
    WebPConfig config;
    if (!picture_config(&config, picture_has_few_colours(picture), PICTURE_METHOD)) {
        return why_set(why, ERR_IO, "libwebp is of another version");
    }
    WebPMemoryWriter writer;
    WebPMemoryWriterInit(&writer);
    /* The encoder converts in place; a view takes the planes it makes. */
    WebPPicture view;
    if (!WebPPictureView(picture, 0, 0, picture->width, picture->height, &view)) {
        return picture_no_memory(why);
    }
    view.writer = WebPMemoryWrite;
    view.custom_ptr = &writer;
    bool good = WebPEncode(&config, &view);
    if (!good && view.error_code == VP8_ENC_ERROR_PARTITION0_OVERFLOW) {
        /* Very large and busy: coarser prediction modes fit where fine ones do not. */
        config.partition_limit = 100;
        WebPMemoryWriterClear(&writer);
        good = WebPEncode(&config, &view);
    }
    enum err err = good ? OK : picture_encode_failed(view.error_code, why);
    WebPPictureFree(&view);
    if (err) {
        WebPMemoryWriterClear(&writer);
        return err;
    }
    encoded->owned[size] = writer.mem;
    encoded->files[size] = (struct str){(const char *)writer.mem, writer.size};
    return OK;
}

/* `picture` shrinks to `side_max` for this and everything after. */
static enum err picture_write_thumbnail(WebPPicture *picture, int side_max, enum picture_size size,
                                        enum picture_size larger, struct picture_encoded *encoded,
                                        struct why *why)
{
    if (MAX(picture->width, picture->height) <= side_max && encoded->files[larger].len > 0) {
        encoded->files[size] = encoded->files[larger];
        return OK;
    }
    enum err err = picture_shrink(picture, side_max, why);
    return err ? err : picture_write_still(picture, size, encoded, why);
}

/* picture_frame_func for a picture that stands still. */
static enum err picture_take_still(WebPPicture *frame, int duration_ms, void *ctx, struct why *why)
{
    (void)duration_ms;
    struct picture_work *work = ctx;
    struct picture_encoded *encoded = work->encoded;
    enum err err = picture_shrink(frame, work->plan.side_max, why);
    if (!err) err = picture_turn_upright(frame, work->facts->orientation, why);
    if (err) return err;
    encoded->width = frame->width;
    encoded->height = frame->height;
    err = picture_write_still(frame, PICTURE_MAIN, encoded, why);
    if (!err) err = picture_write_thumbnail(frame, 1280, PICTURE_1280, PICTURE_MAIN, encoded, why);
    if (!err) err = picture_write_thumbnail(frame, 320, PICTURE_320, PICTURE_1280, encoded, why);
    return err;
}

static enum err picture_begin_animation(struct picture_work *work, const WebPPicture *frame,
                                        struct why *why)
{
    WebPAnimEncoderOptions options;
    if (!WebPAnimEncoderOptionsInit(&options)) {
        return why_set(why, ERR_IO, "libwebpmux is of another version");
    }
    options.anim_params.loop_count = work->facts->loops;
    options.anim_params.bgcolor = 0;
    work->encoded->width = frame->width;
    work->encoded->height = frame->height;
    work->animation = WebPAnimEncoderNew(frame->width, frame->height, &options);
    return work->animation ? OK : picture_no_memory(why);
}

/* picture_frame_func for a picture that moves. */
static enum err picture_take_moving(WebPPicture *frame, int duration_ms, void *ctx, struct why *why)
{
    struct picture_work *work = ctx;
    WebPConfig config;
    enum err err = picture_shrink(frame, work->plan.side_max, why);
    if (!err && work->animation == NULL) err = picture_begin_animation(work, frame, why);
    if (err) return err;
    if (!picture_config(&config, false, PICTURE_ANIMATION_METHOD) ||
        !WebPAnimEncoderAdd(work->animation, frame, work->shown_until_ms, &config)) {
        return picture_encode_failed(frame->error_code, why);
    }
    work->shown_until_ms += duration_ms;
    if (work->encoded->files[PICTURE_320].len > 0) return OK;
    /* Of the first frame, as a still. */
    return picture_write_thumbnail(frame, 320, PICTURE_320, PICTURE_MAIN, work->encoded, why);
}

static enum err picture_end_animation(struct picture_work *work, struct why *why)
{
    WebPData data;
    WebPDataInit(&data);
    if (!WebPAnimEncoderAdd(work->animation, NULL, work->shown_until_ms, NULL) ||
        !WebPAnimEncoderAssemble(work->animation, &data)) {
        WebPDataClear(&data);
        return picture_no_memory(why);
    }
    struct picture_encoded *encoded = work->encoded;
    encoded->animated = true;
    encoded->owned[PICTURE_MAIN] = (uint8_t *)(uintptr_t)data.bytes;
    encoded->files[PICTURE_MAIN] = (struct str){(const char *)data.bytes, data.size};
    encoded->files[PICTURE_1280] = encoded->files[PICTURE_MAIN];
    return OK;
}

/* "50,000,000" */
static const char *number_with_commas(uint64_t number, char to[32])
{
    char *at = to + 31;
    *at = '\0';
    for (int digits = 0; number > 0 || digits == 0; digits++, number /= 10) {
        if (digits > 0 && digits % 3 == 0) *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

static enum err picture_judge(const struct picture_codec *codec, const struct picture_facts *facts,
                              const struct picture_limits *limits, struct why *why)
{
    char number[32];
    if (facts->width < 1 || facts->height < 1) return picture_damaged(why, codec->name);
    if ((uint64_t)facts->width * (uint64_t)facts->height > limits->pixels_max) {
        return why_set(why, ERR_INVALID, "the picture has %d x %d pixels, at most %s are allowed",
                       facts->width, facts->height, number_with_commas(limits->pixels_max, number));
    }
    if (MAX(facts->width, facts->height) > PICTURE_SOURCE_SIDE_MAX) {
        return why_set(
            why, ERR_INVALID, "the picture has %d x %d pixels, at most %s are allowed on a side",
            facts->width, facts->height, number_with_commas(PICTURE_SOURCE_SIDE_MAX, number));
    }
    return OK;
}

static struct picture_plan picture_make_plan(const struct picture_facts *facts,
                                             const struct picture_limits *limits)
{
    struct picture_plan plan = {
        .side_max = limits->side_max ? limits->side_max : PICTURE_SIDE_DEFAULT,
        .animated = facts->frames > 1 && facts->frames <= PICTURE_FRAMES_MAX &&
                    facts->pixels_all <= PICTURE_ANIMATION_PIXELS_MAX,
    };
    if (plan.animated) plan.side_max = MIN(plan.side_max, PICTURE_ANIMATION_SIDE_MAX);
    return plan;
}

static const struct picture_codec *picture_codec_of(struct str file)
{
    static const struct picture_codec *const codecs[PICTURE_TYPE_COUNT] = {
        [PICTURE_JPEG] = &picture_codec_jpeg,
        [PICTURE_PNG] = &picture_codec_png,
        [PICTURE_GIF] = &picture_codec_gif,
        [PICTURE_WEBP] = &picture_codec_webp,
    };
    return codecs[picture_sniff(file)];
}

enum err picture_encode(struct str file, const struct picture_limits *limits,
                        struct picture_encoded *encoded_out, struct why *why)
{
    ASSERT(limits->pixels_max > 0);
    ASSERT(limits->side_max >= 0 && limits->side_max <= PICTURE_SIDE_CEILING);
    const struct picture_codec *codec = picture_codec_of(file);
    if (codec == NULL) {
        return why_set(why, ERR_INVALID,
                       "this file is not a picture we can read (JPEG, PNG, GIF or WebP)");
    }
    struct picture_facts facts;
    enum err err = codec->probe(file, &facts, why);
    if (!err) err = picture_judge(codec, &facts, limits, why);
    if (err) return err;

    struct picture_encoded encoded = {0};
    struct picture_work work = {
        .facts = &facts,
        .plan = picture_make_plan(&facts, limits),
        .encoded = &encoded,
    };
    picture_frame_func *take = work.plan.animated ? picture_take_moving : picture_take_still;
    err = codec->decode(file, &facts, &work.plan, take, &work, why);
    if (!err && work.animation != NULL) err = picture_end_animation(&work, why);
    WebPAnimEncoderDelete(work.animation);
    if (err) {
        picture_encoded_release(&encoded);
        return err;
    }
    for (int i = 0; i < PICTURE_SIZES; i++) ASSERT(encoded.files[i].len > 0);
    *encoded_out = encoded;
    return OK;
}

void picture_encoded_release(struct picture_encoded *encoded)
{
    for (int i = 0; i < PICTURE_SIZES; i++) WebPFree(encoded->owned[i]);
    *encoded = (struct picture_encoded){0};
}
