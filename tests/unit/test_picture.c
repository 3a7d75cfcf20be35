/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Pictures: what strangers upload and what we keep of it. Every upload is made
 * here with the codecs themselves, so that each property is chosen, not found.
 */
#include "community/picture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <gif_lib.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "community/picture_codec.h"

enum { FILE_MAX = 256 * 1024 * 1024 };

static const struct picture_limits usual = {
    .bytes_max = 10 * 1024 * 1024, .pixels_max = 50000000, .side_max = 0};

/*
 * The n-th fsync from now says that the disk is full; 0: none does. Takes
 * libc's place, and does not wait for the disk: nobody pulls the plug here.
 */
static int fsync_fails_in;

int fsync(int fd)
{
    (void)fd;
    if (fsync_fails_in > 0 && --fsync_fails_in == 0) {
        errno = ENOSPC;
        return -1;
    }
    return 0;
}

/* A folder for one test: `upload` is the stranger's file, `kept/` what we make of it. */
struct place {
    char root[64], upload[96], kept[96];
};

static int place_open(void **state)
{
    struct place *place = NEW(struct place);
    snprintf(place->root, sizeof(place->root), "/tmp/test_picture.XXXXXX");
    assert_non_null(mkdtemp(place->root));
    /* The name lies, always: it must not matter. */
    snprintf(place->upload, sizeof(place->upload), "%s/upload.txt", place->root);
    snprintf(place->kept, sizeof(place->kept), "%s/kept", place->root);
    assert_int_equal(mkdir(place->kept, 0755), 0);
    *state = place;
    return 0;
}

/* Removes what is kept; the number of files there were. */
static int place_empty(const struct place *place)
{
    DIR *folder = opendir(place->kept);
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (str_eq(str_of(entry->d_name), STR(".")) || str_eq(str_of(entry->d_name), STR(".."))) {
            continue;
        }
        count++;
        unlinkat(dirfd(folder), entry->d_name, 0);
        unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
    closedir(folder);
    return count;
}

static int place_close(void **state)
{
    struct place *place = *state;
    place_empty(place);
    unlink(place->upload);
    rmdir(place->kept);
    assert_int_equal(rmdir(place->root), 0);
    mem_free(place);
    return 0;
}

static void place_upload(const struct place *place, struct str bytes)
{
    FILE *file = fopen(place->upload, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.len ? bytes.at : "", 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static enum err import(const struct place *place, struct str bytes,
                       const struct picture_limits *limits, struct picture *picture,
                       struct why *why)
{
    place_upload(place, bytes);
    return picture_import(place->upload, place->kept, "p-", limits, picture, why);
}

static struct picture import_well(const struct place *place, struct str bytes)
{
    struct picture picture = {0};
    struct why why = {0};
    enum err err = import(place, bytes, &usual, &picture, &why);
    if (err) fail_msg("import failed: %s: %s", err_name(err), why.text);
    return picture;
}

static void assert_refused(const struct place *place, struct str bytes,
                           const struct picture_limits *limits, enum err expected,
                           const char *sentence)
{
    struct picture picture;
    struct why why = {0};
    assert_int_equal(import(place, bytes, limits, &picture, &why), expected);
    assert_string_equal(why.text, sentence);
    assert_int_equal(place_empty(place), 0);
}

/* One of the three files, by its suffix; release the buffer. */
static struct buf kept_file(const struct place *place, const struct picture *picture,
                            const char *suffix)
{
    char path[256];
    struct str stem = str_head(str_of(picture->name), strlen(picture->name) - strlen(".webp"));
    snprintf(path, sizeof(path), "%s/%.*s%s.webp", place->kept, STR_ARGS(stem), suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("%s is not there", path);
    struct buf bytes;
    buf_init(&bytes, FILE_MAX);
    char piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof(piece), file)) > 0;) {
        buf_add(&bytes, piece, got);
    }
    fclose(file);
    return bytes;
}

/* Pixels of one kept file, R, G, B, A. Free with WebPFree. */
static uint8_t *kept_pixels(const struct place *place, const struct picture *picture,
                            const char *suffix, int *width, int *height)
{
    struct buf bytes = kept_file(place, picture, suffix);
    uint8_t *rgba = WebPDecodeRGBA((const uint8_t *)bytes.at, bytes.len, width, height);
    assert_non_null(rgba);
    buf_release(&bytes);
    return rgba;
}

static void assert_near(const uint8_t *rgba, uint32_t expected, int tolerance)
{
    for (int i = 0; i < 4; i++) {
        int want = (int)(expected >> (24 - 8 * i) & 0xFF);
        if (abs(rgba[i] - want) > tolerance) {
            fail_msg("colour %02x%02x%02x%02x, expected %08x", rgba[0], rgba[1], rgba[2], rgba[3],
                     expected);
        }
    }
}

/* ---- Making uploads ---- */

struct canvas {
    int width, height;
    uint8_t *rgba; /* owned */
};

static struct canvas canvas_new(int width, int height)
{
    return (struct canvas){width, height, mem_alloc((size_t)width * (size_t)height * 4)};
}

static uint8_t *canvas_at(const struct canvas *canvas, int x, int y)
{
    return canvas->rgba + 4 * ((size_t)y * (size_t)canvas->width + (size_t)x);
}

static void canvas_set(const struct canvas *canvas, int x, int y, uint32_t rgba)
{
    for (int i = 0; i < 4; i++) canvas_at(canvas, x, y)[i] = (uint8_t)(rgba >> (24 - 8 * i));
}

static uint32_t colour_of(char letter)
{
    switch (letter) {
    case 'R': return 0xFF0000FF;
    case 'G': return 0x00FF00FF;
    case 'B': return 0x0000FFFF;
    case 'W': return 0xFFFFFFFF;
    default: return 0x00000000; /* transparent */
    }
}

/* Four quarters: top left, top right, bottom left, bottom right. */
static struct canvas canvas_quarters(int width, int height, const char letters[4])
{
    struct canvas canvas = canvas_new(width, height);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            canvas_set(&canvas, x, y, colour_of(letters[(y >= height / 2) * 2 + (x >= width / 2)]));
        }
    }
    return canvas;
}

/* Smooth and of very many colours, like a photograph. */
static struct canvas canvas_photo(int width, int height)
{
    struct canvas canvas = canvas_new(width, height);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t red = (uint32_t)(x * 255 / width), green = (uint32_t)(y * 255 / height);
            uint32_t blue = (red + green) / 2 ^ ((uint32_t)(x ^ y) & 7);
            canvas_set(&canvas, x, y, red << 24 | green << 16 | blue << 8 | 0xFF);
        }
    }
    return canvas;
}

static void canvas_release(struct canvas *canvas)
{
    mem_free(canvas->rgba);
    *canvas = (struct canvas){0};
}

struct jpeg_choice {
    J_COLOR_SPACE in, stored; /* 0: RGB in, YCbCr stored */
    bool progressive, no_adobe_marker, scan_for_every_coefficient;
    struct str exif; /* APP1, whole */
};

/* Red, green, blue, or those inverted and inked for CMYK. */
static void jpeg_row(const struct canvas *canvas, int y, const struct jpeg_choice *choice,
                     uint8_t *row)
{
    for (int x = 0; x < canvas->width; x++) {
        const uint8_t *rgba = canvas_at(canvas, x, y);
        if (choice->in == JCS_CMYK) {
            /* Without black: as Adobe stores it, light; else ink. */
            for (int i = 0; i < 3; i++) {
                row[4 * x + i] = choice->no_adobe_marker ? (uint8_t)(255 - rgba[i]) : rgba[i];
            }
            row[4 * x + 3] = choice->no_adobe_marker ? 0 : 255;
        } else if (choice->in == JCS_GRAYSCALE) {
            row[x] = rgba[1];
        } else {
            memcpy(row + 3 * x, rgba, 3);
        }
    }
}

/* One scan of DC, then one for each of the 63 AC coefficients of the first component. */
static void jpeg_script_of_many_scans(struct jpeg_compress_struct *jpeg, jpeg_scan_info *scans)
{
    scans[0] = (jpeg_scan_info){.comps_in_scan = 3, .component_index = {0, 1, 2}};
    for (int i = 1; i < 64; i++) {
        scans[i] = (jpeg_scan_info){.comps_in_scan = 1, .Ss = i, .Se = i};
    }
    for (int i = 1; i < 64; i++) {
        scans[63 + i] =
            (jpeg_scan_info){.comps_in_scan = 1, .component_index = {1}, .Ss = i, .Se = i};
    }
    jpeg->scan_info = scans;
    jpeg->num_scans = 127;
}

static struct buf make_jpeg(const struct canvas *canvas, struct jpeg_choice choice)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg_scan_info scans[127];
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    jpeg.err = jpeg_std_error(&errors); /* its exit() is our failure */
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &len);
    jpeg.image_width = (JDIMENSION)canvas->width;
    jpeg.image_height = (JDIMENSION)canvas->height;
    jpeg.in_color_space = choice.in ? choice.in : JCS_RGB;
    jpeg.input_components = choice.in == JCS_CMYK ? 4 : choice.in == JCS_GRAYSCALE ? 1 : 3;
    jpeg_set_defaults(&jpeg);
    if (choice.stored) jpeg_set_colorspace(&jpeg, choice.stored);
    if (choice.no_adobe_marker) jpeg.write_Adobe_marker = FALSE;
    jpeg_set_quality(&jpeg, 95, TRUE);
    if (choice.progressive) jpeg_simple_progression(&jpeg);
    if (choice.scan_for_every_coefficient) jpeg_script_of_many_scans(&jpeg, scans);
    jpeg_start_compress(&jpeg, TRUE);
    if (choice.exif.len > 0) {
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, (const JOCTET *)choice.exif.at,
                          (unsigned)choice.exif.len);
    }
    uint8_t *row = mem_alloc((size_t)canvas->width * 4);
    for (int y = 0; y < canvas->height; y++) {
        jpeg_row(canvas, y, &choice, row);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    mem_free(row);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    struct buf file;
    buf_init(&file, FILE_MAX);
    buf_add(&file, bytes, len);
    free(bytes);
    return file;
}

static struct buf make_png(const struct canvas *canvas)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)canvas->width,
                       .height = (png_uint_32)canvas->height,
                       .format = PNG_FORMAT_RGBA};
    png_alloc_size_t len = PNG_IMAGE_PNG_SIZE_MAX(image);
    struct buf file;
    buf_init(&file, FILE_MAX);
    void *to = buf_space(&file, len);
    assert_true(png_image_write_to_memory(&image, to, &len, 0, canvas->rgba, 0, NULL));
    buf_grew(&file, len);
    return file;
}

static void buf_add_u32_be(struct buf *buf, uint32_t value)
{
    for (int i = 24; i >= 0; i -= 8) buf_add_byte(buf, (char)(value >> i & 0xFF));
}

/* The PNG again with one chunk more, right behind IHDR. */
static struct buf png_with_chunk(const struct buf *png, const char *type, struct str data)
{
    enum { BEHIND_IHDR = 8 + 12 + 13 };
    struct buf file;
    buf_init(&file, FILE_MAX);
    buf_add(&file, png->at, BEHIND_IHDR);
    buf_add_u32_be(&file, (uint32_t)data.len);
    size_t summed_from = file.len;
    buf_add(&file, type, 4);
    buf_add_str(&file, data);
    uLong sum = crc32(0, (const Bytef *)file.at + summed_from, (uInt)(file.len - summed_from));
    buf_add_u32_be(&file, (uint32_t)sum);
    buf_add_str(&file, str_from(buf_str(png), BEHIND_IHDR));
    return file;
}

static struct buf make_webp(const struct canvas *canvas, bool lossless)
{
    uint8_t *bytes = NULL;
    size_t len = lossless ? WebPEncodeLosslessRGBA(canvas->rgba, canvas->width, canvas->height,
                                                   canvas->width * 4, &bytes)
                          : WebPEncodeRGBA(canvas->rgba, canvas->width, canvas->height,
                                           canvas->width * 4, 95, &bytes);
    assert_true(len > 0);
    struct buf file;
    buf_init(&file, FILE_MAX);
    buf_add(&file, bytes, len);
    WebPFree(bytes);
    return file;
}

static struct buf webp_with_exif(const struct buf *webp, struct str exif)
{
    WebPData image = {(const uint8_t *)webp->at, webp->len}, whole;
    WebPData chunk = {(const uint8_t *)exif.at, exif.len};
    WebPMux *mux = WebPMuxCreate(&image, 0);
    assert_non_null(mux);
    assert_int_equal(WebPMuxSetChunk(mux, "EXIF", &chunk, 0), WEBP_MUX_OK);
    assert_int_equal(WebPMuxAssemble(mux, &whole), WEBP_MUX_OK);
    WebPMuxDelete(mux);
    struct buf file;
    buf_init(&file, FILE_MAX);
    buf_add(&file, whole.bytes, whole.size);
    WebPDataClear(&whole);
    return file;
}

struct gif_frame {
    int left, top, width, height;
    char colour; /* of all its pixels; one not of RGBW is transparent */
    int delay_cs, disposal;
};

struct gif_choice {
    int width, height, frames;
    const struct gif_frame *frame;
    int repeats; /* -1: no word about it */
    bool interlaced;
};

static int gif_put(GifFileType *gif, const GifByteType *bytes, int len)
{
    buf_add(gif->UserData, bytes, (size_t)len);
    return len;
}

static int gif_index(char colour)
{
    return colour == 'R' ? 0 : colour == 'G' ? 1 : colour == 'B' ? 2 : 3;
}

static void gif_put_frame(GifFileType *gif, const struct gif_frame *frame, bool interlaced)
{
    GraphicsControlBlock control = {
        .DisposalMode = frame->disposal, .DelayTime = frame->delay_cs, .TransparentColor = 3};
    GifByteType block[4];
    size_t len = EGifGCBToExtension(&control, block);
    assert_int_equal(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, (int)len, block), GIF_OK);
    assert_int_equal(EGifPutImageDesc(gif, frame->left, frame->top, frame->width, frame->height,
                                      interlaced, NULL),
                     GIF_OK);
    GifPixelType *row = mem_alloc((size_t)frame->width);
    memset(row, gif_index(frame->colour), (size_t)frame->width);
    for (int y = 0; y < frame->height; y++) {
        /* Interlaced: the rows 0, 8, 16 … come first; paint only those, the rest transparent. */
        if (interlaced && y == (frame->height + 7) / 8) memset(row, 3, (size_t)frame->width);
        assert_int_equal(EGifPutLine(gif, row, frame->width), GIF_OK);
    }
    mem_free(row);
}

static struct buf make_gif(struct gif_choice choice)
{
    static const GifColorType colours[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {9, 9, 9}};
    struct buf file;
    buf_init(&file, FILE_MAX);
    int error = 0;
    GifFileType *gif = EGifOpen(&file, gif_put, &error);
    assert_non_null(gif);
    EGifSetGifVersion(gif, true);
    ColorMapObject *map = GifMakeMapObject(4, colours);
    assert_int_equal(EGifPutScreenDesc(gif, choice.width, choice.height, 8, 0, map), GIF_OK);
    GifFreeMapObject(map);
    if (choice.repeats >= 0) {
        GifByteType loop[3] = {1, (GifByteType)(choice.repeats & 0xFF),
                               (GifByteType)(choice.repeats >> 8)};
        EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE);
        EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0");
        EGifPutExtensionBlock(gif, 3, loop);
        EGifPutExtensionTrailer(gif);
    }
    for (int i = 0; i < choice.frames; i++) {
        gif_put_frame(gif, &choice.frame[i], choice.interlaced);
    }
    assert_int_equal(EGifCloseFile(gif, &error), GIF_OK);
    return file;
}

static struct buf make_small_gif(void)
{
    static const struct gif_frame frames[] = {{0, 0, 8, 8, 'R', 10, DISPOSE_DO_NOT},
                                              {2, 2, 4, 4, 'G', 10, DISPOSE_DO_NOT}};
    return make_gif((struct gif_choice){8, 8, 2, frames, 0, false});
}

/* EXIF with one directory: orientation, and a maker's note that no one must find again. */
#define SECRET "52.5200N 13.4050E at home"

static struct buf make_exif(int orientation, bool big_endian, bool with_name)
{
    struct buf exif;
    buf_init(&exif, 1000);
    if (with_name) buf_add(&exif, "Exif\0\0", 6);
    char value = (char)orientation;
    if (big_endian) {
        buf_add(&exif, "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0", 19);
        buf_add(&exif, &value, 1);
    } else {
        buf_add(&exif, "II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0", 18);
        buf_add(&exif, &value, 1);
        buf_add_byte(&exif, 0);
    }
    buf_add(&exif, "\0\0\0\0\0\0", 6);
    buf_add_str(&exif, STR(SECRET));
    return exif;
}

static struct buf make_animated_webp(int width, int height, int frames)
{
    WebPAnimEncoderOptions options;
    WebPAnimEncoderOptionsInit(&options);
    options.anim_params.loop_count = 7;
    WebPAnimEncoder *encoder = WebPAnimEncoderNew(width, height, &options);
    for (int i = 0; i < frames; i++) {
        struct canvas canvas = canvas_quarters(width, height, i % 2 ? "RGBW" : "WBGR");
        WebPPicture picture;
        assert_true(WebPPictureInit(&picture));
        picture.use_argb = 1;
        picture.width = width;
        picture.height = height;
        assert_true(WebPPictureImportRGBA(&picture, canvas.rgba, width * 4));
        assert_true(WebPAnimEncoderAdd(encoder, &picture, i * 150, NULL));
        WebPPictureFree(&picture);
        canvas_release(&canvas);
    }
    WebPData data;
    assert_true(WebPAnimEncoderAdd(encoder, NULL, frames * 150, NULL));
    assert_true(WebPAnimEncoderAssemble(encoder, &data));
    WebPAnimEncoderDelete(encoder);
    struct buf file;
    buf_init(&file, FILE_MAX);
    buf_add(&file, data.bytes, data.size);
    WebPDataClear(&data);
    return file;
}

/* ---- Names and types ---- */

static void type_comes_from_the_first_bytes(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        enum picture_type type;
        const char *mime;
    } cases[] = {
        {{"\xFF\xD8\xFF\xE0", 4}, PICTURE_JPEG, "image/jpeg"},
        {{"\x89PNG\r\n\x1A\n", 8}, PICTURE_PNG, "image/png"},
        {{"GIF87a..", 8}, PICTURE_GIF, "image/gif"},
        {{"GIF89a", 6}, PICTURE_GIF, "image/gif"},
        {{"RIFF\1\0\0\0WEBPVP8 ", 16}, PICTURE_WEBP, "image/webp"},
        {{"RIFF\1\0\0\0WAVEfmt ", 16}, PICTURE_NONE, "application/octet-stream"},
        {{"RIFF", 4}, PICTURE_NONE, "application/octet-stream"},
        {{"<svg xmlns", 10}, PICTURE_NONE, "application/octet-stream"},
        {{"\x89PNG", 4}, PICTURE_NONE, "application/octet-stream"},
        {{"GIF90a", 6}, PICTURE_NONE, "application/octet-stream"},
        {{"", 0}, PICTURE_NONE, "application/octet-stream"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(picture_sniff(cases[i].bytes), cases[i].type);
        assert_string_equal(picture_type_mime(cases[i].type), cases[i].mime);
    }
}

static void only_plain_picture_names_are_safe(void **state)
{
    (void)state;
    static const struct {
        struct str name;
        const char *mime; /* NULL: not safe */
    } cases[] = {
        {{"a.webp", 6}, "image/webp"},
        {{"p-1_320.webp", 12}, "image/webp"},
        {{"OLD.JPG", 7}, "image/jpeg"},
        {{"x.JpEg", 6}, "image/jpeg"},
        {{"0.png", 5}, "image/png"},
        {{"-.gif", 5}, "image/gif"},
        {{".webp", 5}, NULL},
        {{"a", 1}, NULL},
        {{"", 0}, NULL},
        {{"a.svg", 5}, NULL},
        {{"a.html", 6}, NULL},
        {{"a.png.webp", 10}, NULL},
        {{"a..png", 6}, NULL},
        {{"../a.png", 8}, NULL},
        {{"a/b.png", 7}, NULL},
        {{"a\\b.png", 7}, NULL},
        {{"a b.png", 7}, NULL},
        {{"a%2e.png", 8}, NULL},
        {{"a.png\0", 6}, NULL},
        {{"a\0b.png", 7}, NULL},
        {{"\xC3\xA9.png", 6}, NULL},
        {{".p-1.webp.0123.part", 19}, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(picture_name_is_safe(cases[i].name), cases[i].mime != NULL);
        if (cases[i].mime) assert_string_equal(picture_mime(cases[i].name), cases[i].mime);
    }
    assert_null(picture_mime(STR("a.svg")));
    char longest[102];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 96, ".png", 4);
    assert_true(picture_name_is_safe((struct str){longest, 100}));
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 97, ".png", 4);
    assert_false(picture_name_is_safe((struct str){longest, 101}));
}

/* ---- What is kept ---- */

static void assert_quarters(const struct place *place, const struct picture *picture,
                            int width_expected, int height_expected)
{
    int width, height;
    uint8_t *rgba = kept_pixels(place, picture, "", &width, &height);
    assert_int_equal(width, width_expected);
    assert_int_equal(height, height_expected);
    assert_int_equal(picture->width, width);
    assert_int_equal(picture->height, height);
    static const char letters[] = "RGBW";
    for (int i = 0; i < 4; i++) {
        int x = i % 2 ? width - 3 : 2, y = i / 2 ? height - 3 : 2;
        assert_near(rgba + 4 * (y * width + x), colour_of(letters[i]), 12);
    }
    WebPFree(rgba);
}

/* Upright RGBW; how a camera held in each way stores it. TIFF 6.0: row 0 is the visual top,
 * top, bottom, bottom, left, right, right, left; column 0 left, right, right, left, top, top,
 * bottom, bottom. */
static const char stored_as[9][5] = {"",     "RGBW", "GRWB", "WBGR", "BWRG",
                                     "RBGW", "GWRB", "WGBR", "BRWG"};

static void every_exif_orientation_is_turned_upright(void **state)
{
    for (int orientation = 1; orientation <= 8; orientation++) {
        bool lies = orientation > 4;
        struct canvas canvas =
            canvas_quarters(lies ? 32 : 64, lies ? 64 : 32, stored_as[orientation]);
        for (int big_endian = 0; big_endian < 2; big_endian++) {
            struct buf exif = make_exif(orientation, big_endian, true);
            struct buf bare = make_exif(orientation, big_endian, false);
            struct buf png = make_png(&canvas), webp = make_webp(&canvas, true);
            struct buf files[] = {
                make_jpeg(&canvas, (struct jpeg_choice){.exif = buf_str(&exif)}),
                png_with_chunk(&png, "eXIf", buf_str(&bare)),
                webp_with_exif(&webp, buf_str(&bare)),
                webp_with_exif(&webp, buf_str(&exif)),
            };
            for (size_t i = 0; i < COUNT_OF(files); i++) {
                struct picture picture = import_well(*state, buf_str(&files[i]));
                assert_quarters(*state, &picture, 64, 32);
                buf_release(&files[i]);
            }
            buf_release(&png);
            buf_release(&webp);
            buf_release(&exif);
            buf_release(&bare);
        }
        canvas_release(&canvas);
    }
}

static void senseless_exif_counts_as_none(void **state)
{
    (void)state;
    static const struct str cases[] = {
        {"", 0},
        {"Exif\0\0", 6},
        {"II*\0", 4},
        {"XX*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0", 22},        /* no byte order */
        {"II*\0\xFF\xFF\xFF\xFF\1\0\22\1\3\0\1\0\0\0\6\0\0\0", 22}, /* directory outside */
        {"II*\0\10\0\0\0\xFF\xFF\22\2\3\0\1\0\0\0\6\0\0\0", 22},    /* too many entries */
        {"II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\11\0\0\0", 22},       /* 9 */
        {"II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\0\0\0\0", 22},        /* 0 */
        {"II*\0\10\0\0\0\1\0\22\1\4\0\1\0\0\0\6\0\0\0", 22},        /* not a short */
        {"II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0", 20},            /* entry cut off */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(picture_exif_orientation(cases[i]), 1);
    }
    assert_int_equal(
        picture_exif_orientation((struct str){"II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0", 22}),
        6);
}

static void metadata_is_gone(void **state)
{
    struct canvas canvas = canvas_photo(100, 80);
    struct buf exif = make_exif(1, false, true), bare = make_exif(1, false, false);
    struct buf png = make_png(&canvas), webp = make_webp(&canvas, false);
    struct buf files[] = {
        make_jpeg(&canvas, (struct jpeg_choice){.exif = buf_str(&exif)}),
        png_with_chunk(&png, "eXIf", buf_str(&bare)),
        png_with_chunk(&png, "tEXt", STR("Comment\0" SECRET)),
        webp_with_exif(&webp, buf_str(&bare)),
    };
    static const char *const suffixes[] = {"", "_320", "_1280"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        assert_true(str_find(buf_str(&files[i]), STR(SECRET)) < files[i].len);
        struct picture picture = import_well(*state, buf_str(&files[i]));
        for (size_t j = 0; j < COUNT_OF(suffixes); j++) {
            struct buf kept = kept_file(*state, &picture, suffixes[j]);
            static const struct str traces[] = {
                {SECRET, sizeof(SECRET) - 1}, {"EXIF", 4}, {"Exif", 4}, {"XMP ", 4}, {"ICCP", 4}};
            for (size_t k = 0; k < COUNT_OF(traces); k++) {
                assert_int_equal(str_find(buf_str(&kept), traces[k]), kept.len);
            }
            buf_release(&kept);
        }
        buf_release(&files[i]);
    }
    buf_release(&exif);
    buf_release(&bare);
    buf_release(&png);
    buf_release(&webp);
    canvas_release(&canvas);
}

static void transparency_is_kept(void **state)
{
    struct canvas flat = canvas_quarters(400, 200, "R.GW"), photo = canvas_photo(400, 200);
    for (int y = 0; y < 100; y++) {
        for (int x = 200; x < 400; x++) canvas_at(&photo, x, y)[3] = 0;
    }
    struct buf files[] = {make_png(&flat), make_webp(&flat, true), make_png(&photo)};
    static const char *const suffixes[] = {"", "_320"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct picture picture = import_well(*state, buf_str(&files[i]));
        for (size_t j = 0; j < COUNT_OF(suffixes); j++) {
            int width, height;
            uint8_t *rgba = kept_pixels(*state, &picture, suffixes[j], &width, &height);
            assert_int_equal(rgba[4 * (width - 5) + 3], 0);            /* top right */
            assert_int_equal(rgba[4 * 5 + 3], 255);                    /* top left */
            assert_int_equal(rgba[4 * (width * height - 5) + 3], 255); /* bottom right */
            WebPFree(rgba);
        }
        buf_release(&files[i]);
    }
    canvas_release(&flat);
    canvas_release(&photo);
}

static void every_kind_of_jpeg_keeps_its_colours(void **state)
{
    static const struct jpeg_choice kinds[] = {
        {.progressive = false},
        {.progressive = true},
        {.stored = JCS_RGB},
        {.in = JCS_CMYK, .stored = JCS_CMYK},
        {.in = JCS_CMYK, .stored = JCS_YCCK},
        {.in = JCS_CMYK, .stored = JCS_CMYK, .no_adobe_marker = true},
        {.in = JCS_CMYK, .stored = JCS_YCCK, .progressive = true},
    };
    struct canvas canvas = canvas_quarters(48, 32, "RGBW");
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct buf file = make_jpeg(&canvas, kinds[i]);
        struct picture picture = import_well(*state, buf_str(&file));
        assert_quarters(*state, &picture, 48, 32);
        buf_release(&file);
    }
    struct buf grey =
        make_jpeg(&canvas, (struct jpeg_choice){.in = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE});
    struct picture picture = import_well(*state, buf_str(&grey));
    int width, height;
    uint8_t *rgba = kept_pixels(*state, &picture, "", &width, &height);
    assert_near(rgba, 0x000000FF, 8);
    assert_near(rgba + 4 * (width - 1), 0xFFFFFFFF, 8);
    WebPFree(rgba);
    buf_release(&grey);
    canvas_release(&canvas);
}

/* 16-bit, grey, palette: whatever PNG can hold comes out as the same colours. */
static void every_kind_of_png_keeps_its_colours(void **state)
{
    static const png_uint_32 formats[] = {PNG_FORMAT_RGBA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA_COLORMAP,
                                          PNG_FORMAT_LINEAR_RGB_ALPHA};
    enum { WIDTH = 24, HEIGHT = 16 };
    static const png_byte map[4][4] = {
        {255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}};
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        png_image image = {.version = PNG_IMAGE_VERSION,
                           .width = WIDTH,
                           .height = HEIGHT,
                           .format = formats[i],
                           .colormap_entries = 4};
        bool palette = formats[i] & PNG_FORMAT_FLAG_COLORMAP;
        bool wide = formats[i] & PNG_FORMAT_FLAG_LINEAR;
        unsigned channels = palette ? 1 : PNG_IMAGE_SAMPLE_CHANNELS(formats[i]);
        png_uint_16 pixels[WIDTH * HEIGHT * 4];
        for (unsigned at = 0; at < WIDTH * HEIGHT; at++) {
            unsigned quarter = (at / WIDTH >= HEIGHT / 2) * 2 + (at % WIDTH >= WIDTH / 2);
            for (unsigned c = 0; c < channels; c++) {
                unsigned value = palette ? quarter : map[quarter][c];
                if (wide) {
                    pixels[at * channels + c] = (png_uint_16)(value * 257);
                } else {
                    ((png_byte *)pixels)[at * channels + c] = (png_byte)value;
                }
            }
        }
        png_alloc_size_t len = PNG_IMAGE_PNG_SIZE_MAX(image) + 2000;
        char *bytes = mem_alloc(len);
        assert_true(png_image_write_to_memory(&image, bytes, &len, 0, pixels, 0, map));
        struct picture picture = import_well(*state, (struct str){bytes, len});
        assert_quarters(*state, &picture, WIDTH, HEIGHT);
        mem_free(bytes);
    }
}

static void few_colours_stay_exact_and_photographs_become_lossy(void **state)
{
    enum { LOSSY = 1, LOSSLESS = 2 };
    struct canvas flat = canvas_quarters(203, 101, "RGBW"), photo = canvas_photo(300, 200);
    const struct {
        const struct canvas *canvas;
        int format;
    } cases[] = {{&flat, LOSSLESS}, {&photo, LOSSY}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf png = make_png(cases[i].canvas);
        struct picture picture = import_well(*state, buf_str(&png));
        struct buf kept = kept_file(*state, &picture, "");
        WebPBitstreamFeatures features;
        assert_int_equal(WebPGetFeatures((const uint8_t *)kept.at, kept.len, &features),
                         VP8_STATUS_OK);
        assert_int_equal(features.format, cases[i].format);
        assert_int_equal(picture.bytes, kept.len);
        assert_false(picture.animated);
        buf_release(&kept);
        buf_release(&png);
    }
    struct buf png = make_png(&flat);
    struct picture picture = import_well(*state, buf_str(&png));
    int width, height;
    uint8_t *rgba = kept_pixels(*state, &picture, "", &width, &height);
    assert_memory_equal(rgba, flat.rgba, 203 * 101 * 4);
    WebPFree(rgba);
    buf_release(&png);
    canvas_release(&flat);
    canvas_release(&photo);
}

static void assert_size(const struct place *place, const struct picture *picture,
                        const char *suffix, int width_expected, int height_expected)
{
    int width, height;
    WebPFree(kept_pixels(place, picture, suffix, &width, &height));
    assert_int_equal(width, width_expected);
    assert_int_equal(height, height_expected);
}

static void sizes_are_bounded_and_never_enlarged(void **state)
{
    static const struct {
        int width, height, side_max;
        int main[2], large[2], small[2];
    } cases[] = {
        {3000, 1500, 0, {2560, 1280}, {1280, 640}, {320, 160}},
        {700, 350, 500, {500, 250}, {500, 250}, {320, 160}},
        {700, 1400, 1300, {650, 1300}, {640, 1280}, {160, 320}},
        {1280, 20, 0, {1280, 20}, {1280, 20}, {320, 5}},
        {1000, 700, 0, {1000, 700}, {1000, 700}, {320, 224}},
        {320, 320, 0, {320, 320}, {320, 320}, {320, 320}},
        {5000, 1, 0, {2560, 1}, {1280, 1}, {320, 1}},
        {3, 100, 0, {3, 100}, {3, 100}, {3, 100}},
        {1, 1, 0, {1, 1}, {1, 1}, {1, 1}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct canvas canvas = canvas_photo(cases[i].width, cases[i].height);
        struct picture_limits limits = usual;
        limits.side_max = cases[i].side_max;
        struct buf files[] = {make_jpeg(&canvas, (struct jpeg_choice){0}), make_png(&canvas),
                              make_webp(&canvas, false)};
        for (size_t j = 0; j < COUNT_OF(files); j++) {
            struct picture picture;
            struct why why = {0};
            assert_int_equal(import(*state, buf_str(&files[j]), &limits, &picture, &why), OK);
            assert_int_equal(picture.width, cases[i].main[0]);
            assert_int_equal(picture.height, cases[i].main[1]);
            assert_size(*state, &picture, "", cases[i].main[0], cases[i].main[1]);
            assert_size(*state, &picture, "_1280", cases[i].large[0], cases[i].large[1]);
            assert_size(*state, &picture, "_320", cases[i].small[0], cases[i].small[1]);
            assert_int_equal(place_empty(*state), 3);
            buf_release(&files[j]);
        }
        canvas_release(&canvas);
    }
}

static void thumbnails_of_a_small_picture_are_the_picture(void **state)
{
    struct canvas canvas = canvas_photo(200, 100);
    struct buf png = make_png(&canvas);
    struct picture picture = import_well(*state, buf_str(&png));
    struct buf main = kept_file(*state, &picture, "");
    struct buf small = kept_file(*state, &picture, "_320");
    struct buf large = kept_file(*state, &picture, "_1280");
    assert_true(str_eq(buf_str(&main), buf_str(&small)));
    assert_true(str_eq(buf_str(&main), buf_str(&large)));
    buf_release(&main);
    buf_release(&small);
    buf_release(&large);
    buf_release(&png);
    canvas_release(&canvas);
}

static void same_content_has_the_same_name_and_is_written_once(void **state)
{
    const struct place *place = *state;
    struct canvas canvas = canvas_photo(700, 500), other = canvas_photo(700, 501);
    struct buf png = make_png(&canvas), png_other = make_png(&other);
    struct buf with_comment = png_with_chunk(&png, "tEXt", STR("Comment\0another upload"));
    struct picture first = import_well(place, buf_str(&png));
    assert_true(picture_name_is_safe(str_of(first.name)));
    assert_true(str_starts(str_of(first.name), STR("p-")));
    assert_int_equal(strlen(first.name), strlen("p-") + 32 + strlen(".webp"));

    char path[256];
    snprintf(path, sizeof(path), "%s/%s", place->kept, first.name);
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    struct picture second = import_well(place, buf_str(&with_comment));
    assert_string_equal(second.name, first.name);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);

    struct picture third = import_well(place, buf_str(&png_other));
    assert_string_not_equal(third.name, first.name);
    assert_int_equal(place_empty(place), 6);
    buf_release(&png);
    buf_release(&png_other);
    buf_release(&with_comment);
    canvas_release(&canvas);
    canvas_release(&other);
}

static void what_a_crash_left_is_completed_by_the_next_import(void **state)
{
    const struct place *place = *state;
    struct canvas canvas = canvas_photo(700, 500);
    struct buf png = make_png(&canvas);
    struct picture picture = import_well(place, buf_str(&png));
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", place->kept, picture.name);
    assert_int_equal(truncate(path, 10), 0);
    import_well(place, buf_str(&png));
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, picture.bytes);
    assert_int_equal(place_empty(place), 3);
    buf_release(&png);
    canvas_release(&canvas);
}

static void *import_again_and_again(void *arg)
{
    for (int i = 0; i < 20; i++) {
        struct picture picture;
        struct why why = {0};
        const struct place *place = arg;
        enum err err = picture_import(place->upload, place->kept, "p-", &usual, &picture, &why);
        if (err) return (void *)1;
    }
    return NULL;
}

static void threads_may_import_the_same_picture_at_once(void **state)
{
    struct place *place = *state;
    struct canvas canvas = canvas_photo(340, 100);
    struct buf png = make_png(&canvas);
    place_upload(place, buf_str(&png));
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, import_again_and_again, place), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(place_empty(place), 3);
    buf_release(&png);
    canvas_release(&canvas);
}

/* ---- Animations ---- */

struct film {
    int width, height, frames, loops;
    int until_ms[400];
    uint8_t centre[400][4], corner[400][4];
};

static struct film kept_film(const struct place *place, const struct picture *picture,
                             const char *suffix)
{
    struct buf bytes = kept_file(place, picture, suffix);
    WebPData data = {(const uint8_t *)bytes.at, bytes.len};
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    assert_non_null(decoder);
    WebPAnimInfo info;
    assert_true(WebPAnimDecoderGetInfo(decoder, &info));
    struct film film = {.width = (int)info.canvas_width,
                        .height = (int)info.canvas_height,
                        .loops = (int)info.loop_count};
    while (WebPAnimDecoderHasMoreFrames(decoder)) {
        uint8_t *rgba = NULL;
        assert_true(film.frames < 400);
        assert_true(WebPAnimDecoderGetNext(decoder, &rgba, &film.until_ms[film.frames]));
        size_t middle = (size_t)(film.height / 2) * (size_t)film.width + (size_t)film.width / 2;
        memcpy(film.centre[film.frames], rgba + 4 * middle, 4);
        memcpy(film.corner[film.frames], rgba, 4);
        film.frames++;
    }
    WebPAnimDecoderDelete(decoder);
    buf_release(&bytes);
    return film;
}

static void animated_gif_keeps_moving(void **state)
{
    static const struct gif_frame frames[] = {
        {0, 0, 64, 64, 'R', 20, DISPOSE_DO_NOT},
        {16, 16, 32, 32, 'G', 5, DISPOSE_PREVIOUS},
        {0, 0, 8, 8, 'B', 0, DISPOSE_DO_NOT}, /* centre is red again; 0 means 100 ms */
        {16, 16, 32, 32, 'B', 10, DISPOSE_BACKGROUND},
        {0, 0, 8, 8, 'G', 10, DISPOSE_DO_NOT},       /* centre is a hole now */
        {60, 60, 300, 300, 'B', 10, DISPOSE_DO_NOT}, /* sticks out: clipped */
    };
    static const char centre[] = "RGRB..", corner[] = "RRBBGG";
    static const int until_ms[] = {200, 250, 350, 450, 550, 650};
    struct buf gif = make_gif((struct gif_choice){64, 64, COUNT_OF(frames), frames, 2, false});
    struct picture picture = import_well(*state, buf_str(&gif));
    assert_true(picture.animated);
    static const char *const suffixes[] = {"", "_1280"};
    for (size_t j = 0; j < COUNT_OF(suffixes); j++) {
        struct film film = kept_film(*state, &picture, suffixes[j]);
        assert_int_equal(film.width, 64);
        assert_int_equal(film.height, 64);
        assert_int_equal(film.loops, 3); /* repeated twice after the first time */
        assert_int_equal(film.frames, COUNT_OF(frames));
        for (int i = 0; i < film.frames; i++) {
            assert_int_equal(film.until_ms[i], until_ms[i]);
            if (centre[i] == '.') {
                assert_int_equal(film.centre[i][3], 0);
            } else {
                assert_near(film.centre[i], colour_of(centre[i]), 30);
            }
            assert_near(film.corner[i], colour_of(corner[i]), 30);
        }
    }
    struct film small = kept_film(*state, &picture, "_320");
    assert_int_equal(small.frames, 1);
    assert_near(small.centre[0], colour_of('R'), 12);
    buf_release(&gif);
}

static void animated_webp_keeps_moving_and_is_scaled(void **state)
{
    struct buf webp = make_animated_webp(1600, 400, 3);
    struct picture picture = import_well(*state, buf_str(&webp));
    assert_true(picture.animated);
    assert_int_equal(picture.width, 1280);
    assert_int_equal(picture.height, 320);
    struct film film = kept_film(*state, &picture, "");
    assert_int_equal(film.frames, 3);
    assert_int_equal(film.loops, 7);
    assert_int_equal(film.until_ms[2], 450);
    assert_near(film.corner[0], colour_of('W'), 12);
    assert_near(film.corner[1], colour_of('R'), 12);
    assert_size(*state, &picture, "_320", 320, 80);
    buf_release(&webp);
}

static void animation_past_the_bounds_becomes_its_first_frame(void **state)
{
    struct gif_frame frames[PICTURE_FRAMES_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        frames[i] = (struct gif_frame){0, 0, 2, 2, "RGB"[i % 3], 10, DISPOSE_DO_NOT};
    }
    struct buf longest = make_gif((struct gif_choice){2, 2, PICTURE_FRAMES_MAX, frames, 0, false});
    struct buf too_long =
        make_gif((struct gif_choice){2, 2, PICTURE_FRAMES_MAX + 1, frames, 0, false});
    /* 9 canvases of 6 million pixels */
    struct buf too_large = make_gif((struct gif_choice){3000, 2000, 9, frames, 0, false});
    assert_true(import_well(*state, buf_str(&longest)).animated);
    struct picture picture = import_well(*state, buf_str(&too_long));
    assert_false(picture.animated);
    struct film film = kept_film(*state, &picture, "");
    assert_int_equal(film.frames, 1);
    assert_near(film.centre[0], colour_of('R'), 0);
    assert_false(import_well(*state, buf_str(&too_large)).animated);
    buf_release(&longest);
    buf_release(&too_long);
    buf_release(&too_large);
}

static void interlaced_gif_has_its_rows_in_order(void **state)
{
    static const struct gif_frame frame = {0, 0, 4, 17, 'G', 0, DISPOSE_DO_NOT};
    struct buf gif = make_gif((struct gif_choice){4, 17, 1, &frame, -1, true});
    struct picture picture = import_well(*state, buf_str(&gif));
    assert_false(picture.animated);
    int width, height;
    uint8_t *rgba = kept_pixels(*state, &picture, "", &width, &height);
    for (int y = 0; y < 17; y++) {
        assert_int_equal(rgba[4 * width * y + 3], y % 8 == 0 ? 255 : 0);
    }
    WebPFree(rgba);
    buf_release(&gif);
}

/* ---- What is refused ---- */

static void what_is_no_picture_is_refused_with_a_sentence(void **state)
{
    static const struct str cases[] = {
        {"", 0},
        {"five!", 5},
        {"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>", 70},
        {"%PDF-1.7", 8},
        {"BM\0\0\0\0", 6},
        {"\0\0\0\34ftypavif", 12},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_refused(*state, cases[i], &usual, ERR_INVALID,
                       "this file is not a picture we can read (JPEG, PNG, GIF or WebP)");
    }
}

/* Files with whatever size their header says, and little behind it. */
static void header_bombs_are_refused_by_their_header_alone(void **state)
{
    struct canvas canvas = canvas_quarters(16, 16, "RGBW");
    struct buf jpeg = make_jpeg(&canvas, (struct jpeg_choice){0});
    size_t frame_header = str_find(buf_str(&jpeg), STR("\xFF\xC0"));
    assert_true(frame_header < jpeg.len);
    memcpy(jpeg.at + frame_header + 5, "\x4E\x20\x4E\x20", 4);
    struct buf png = make_png(&canvas);
    memcpy(png.at + 16, "\0\0\x4E\x20\0\0\x4E\x20", 8);
    struct buf gif = make_small_gif();
    memcpy(gif.at + 6, "\x20\x4E\x20\x4E", 4);
    struct buf gif_frame = make_small_gif();
    size_t descriptor = str_find(buf_str(&gif_frame), (struct str){",\0\0\0\0\10\0\10\0", 9});
    assert_true(descriptor < gif_frame.len);
    memcpy(gif_frame.at + descriptor + 5, "\x20\x4E\x20\x4E", 4);
    const struct buf *bombs[] = {&jpeg, &png, &gif, &gif_frame};

    for (size_t i = 0; i < COUNT_OF(bombs); i++) {
        assert_refused(*state, buf_str(bombs[i]), &usual, ERR_INVALID,
                       "the picture has 20000 x 20000 pixels, at most 50,000,000 are allowed");
    }
    struct picture_limits few = {.bytes_max = 1000000, .pixels_max = 255};
    struct buf webp = make_webp(&canvas, false), moving = make_animated_webp(16, 16, 2);
    assert_refused(*state, buf_str(&webp), &few, ERR_INVALID,
                   "the picture has 16 x 16 pixels, at most 255 are allowed");
    assert_refused(*state, buf_str(&moving), &few, ERR_INVALID,
                   "the picture has 16 x 16 pixels, at most 255 are allowed");
    memcpy(png.at + 16, "\0\1\0\0\0\0\0\1", 8);
    assert_refused(*state, buf_str(&png), &usual, ERR_INVALID,
                   "the picture has 65536 x 1 pixels, at most 65,535 are allowed on a side");
    memcpy(png.at + 16, "\xFF\xFF\xFF\xFF\0\0\0\1", 8);
    assert_refused(*state, buf_str(&png), &usual, ERR_INVALID,
                   "this PNG file is damaged or cut off");
    buf_release(&jpeg);
    buf_release(&png);
    buf_release(&gif);
    buf_release(&gif_frame);
    buf_release(&webp);
    buf_release(&moving);
    canvas_release(&canvas);
}

static void files_cut_off_anywhere_are_refused(void **state)
{
    struct canvas canvas = canvas_photo(24, 24);
    struct canvas flat = canvas_quarters(24, 24, "RGBW");
    struct {
        struct buf file;
        size_t dispensable; /* bytes at the end that carry no pixels */
    } cases[] = {
        {make_jpeg(&canvas, (struct jpeg_choice){0}), 2},
        {make_jpeg(&canvas, (struct jpeg_choice){.progressive = true}), 2},
        {make_png(&canvas), 0},
        {make_small_gif(), 0},
        {make_webp(&canvas, false), 0},
        {make_webp(&flat, true), 0},
        {make_animated_webp(24, 24, 3), 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str whole = buf_str(&cases[i].file);
        import_well(*state, whole);
        place_empty(*state);
        for (size_t len = 0; len + cases[i].dispensable < whole.len; len++) {
            struct picture picture;
            struct why why = {0};
            /* Its own memory of exactly that size, so that ASan sees a step too far. */
            char *cut = mem_copy(whole.at, len);
            enum err err = import(*state, (struct str){cut, len}, &usual, &picture, &why);
            mem_free(cut);
            if (err != ERR_INVALID) {
                fail_msg("case %zu cut at %zu of %zu: %s", i, len, whole.len, err_name(err));
            }
            assert_int_equal(place_empty(*state), 0);
        }
        buf_release(&cases[i].file);
    }
    canvas_release(&canvas);
    canvas_release(&flat);
}

/* One byte changed: refused or accepted, but never anything in between. */
static void damaged_files_leave_all_or_nothing(void **state)
{
    struct canvas canvas = canvas_quarters(24, 24, "RGBW");
    struct buf files[] = {make_jpeg(&canvas, (struct jpeg_choice){.progressive = true}),
                          make_png(&canvas), make_small_gif(), make_webp(&canvas, true)};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        for (size_t at = 0; at < files[i].len; at++) {
            files[i].at[at] = (char)(files[i].at[at] ^ 0x55);
            struct picture picture;
            struct why why = {0};
            struct picture_limits limits = {.bytes_max = 100000, .pixels_max = 100000};
            enum err err = import(*state, buf_str(&files[i]), &limits, &picture, &why);
            assert_true(err == OK || err == ERR_INVALID);
            assert_int_equal(place_empty(*state), err == OK ? 3 : 0);
            assert_true(err == OK || why.text[0] != '\0');
            files[i].at[at] = (char)(files[i].at[at] ^ 0x55);
        }
        buf_release(&files[i]);
    }
    canvas_release(&canvas);
}

static void too_many_bytes_are_refused(void **state)
{
    struct canvas canvas = canvas_photo(64, 64);
    struct buf png = make_png(&canvas);
    struct picture_limits limits = usual;
    limits.bytes_max = png.len;
    struct picture picture;
    struct why why = {0};
    assert_int_equal(import(*state, buf_str(&png), &limits, &picture, &why), OK);
    place_empty(*state);
    limits.bytes_max = png.len - 1;
    char sentence[200];
    snprintf(sentence, sizeof(sentence), "the picture has %zu bytes, at most %zu are allowed",
             png.len, png.len - 1);
    assert_refused(*state, buf_str(&png), &limits, ERR_LIMIT, sentence);
    buf_release(&png);
    canvas_release(&canvas);
}

static void jpeg_of_a_hundred_scans_is_refused(void **state)
{
    struct canvas canvas = canvas_photo(64, 64);
    struct buf jpeg = make_jpeg(&canvas, (struct jpeg_choice){.scan_for_every_coefficient = true});
    assert_refused(*state, buf_str(&jpeg), &usual, ERR_INVALID,
                   "this JPEG file is damaged or cut off");
    buf_release(&jpeg);
    canvas_release(&canvas);
}

static void unneeded_png_chunks_never_reach_the_decoder(void **state)
{
    struct canvas canvas = canvas_quarters(24, 24, "RGBW");
    struct buf png = make_png(&canvas);
    /* Says it unfolds; is garbage. libpng would warn, or unfold it when it is not garbage. */
    struct buf text = png_with_chunk(&png, "zTXt", STR("Comment\0\0garbage"));
    struct buf profile = png_with_chunk(&text, "iCCP", STR("x\0\0garbage"));
    struct picture picture = import_well(*state, buf_str(&profile));
    assert_quarters(*state, &picture, 24, 24);
    buf_release(&png);
    buf_release(&text);
    buf_release(&profile);
    canvas_release(&canvas);
}

/* ---- When the disk fails ---- */

static void full_disk_is_named_and_nothing_stays(void **state)
{
    struct canvas canvas = canvas_photo(400, 300);
    struct buf png = make_png(&canvas);
    /* Three files and the folder. */
    for (int n = 1; n <= 4; n++) {
        fsync_fails_in = n;
        assert_refused(*state, buf_str(&png), &usual, ERR_FULL,
                       "cannot store the picture: the disk is full");
    }
    fsync_fails_in = 5;
    import_well(*state, buf_str(&png));
    assert_int_equal(fsync_fails_in, 1); /* so there are no more than four */
    fsync_fails_in = 0;
    buf_release(&png);
    canvas_release(&canvas);
}

static void failed_write_leaves_nothing(void **state)
{
    struct canvas canvas = canvas_photo(400, 300);
    struct buf png = make_png(&canvas);
    place_upload(*state, buf_str(&png));
    const struct place *place = *state;
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit tight = {100, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct picture picture;
    struct why why = {0};
    enum err err = picture_import(place->upload, place->kept, "p-", &usual, &picture, &why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, ERR_FULL);
    assert_string_equal(why.text, "cannot store the picture: the disk is full");
    assert_int_equal(place_empty(place), 0);
    buf_release(&png);
    canvas_release(&canvas);
}

static void failed_rename_takes_back_what_was_placed(void **state)
{
    const struct place *place = *state;
    struct canvas canvas = canvas_photo(400, 300);
    struct buf png = make_png(&canvas);
    struct picture picture = import_well(place, buf_str(&png));
    place_empty(place);
    /* A folder stands where the main file wants to go, after both thumbnails. */
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", place->kept, picture.name);
    assert_int_equal(mkdir(path, 0755), 0);
    struct why why = {0};
    assert_int_equal(import(place, buf_str(&png), &usual, &picture, &why), ERR_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(place_empty(place), 0);
    buf_release(&png);
    canvas_release(&canvas);
}

static void missing_upload_or_folder_is_an_io_error(void **state)
{
    const struct place *place = *state;
    struct picture picture;
    struct why why = {0};
    assert_int_equal(picture_import("/nowhere/x", place->kept, "", &usual, &picture, &why), ERR_IO);
    assert_string_equal(why.text, "cannot read the upload: No such file or directory");
    assert_int_equal(picture_import(place->kept, place->kept, "", &usual, &picture, &why), ERR_IO);
    assert_string_equal(why.text, "cannot read the upload: it is no plain file");
    struct buf gif = make_small_gif();
    place_upload(place, buf_str(&gif));
    assert_int_equal(picture_import(place->upload, "/nowhere", "", &usual, &picture, &why), ERR_IO);
    assert_string_equal(why.text, "cannot store the picture: No such file or directory");
    buf_release(&gif);
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_comes_from_the_first_bytes),
        cmocka_unit_test(only_plain_picture_names_are_safe),
        cmocka_unit_test(senseless_exif_counts_as_none),
        IN_A_PLACE(every_exif_orientation_is_turned_upright),
        IN_A_PLACE(metadata_is_gone),
        IN_A_PLACE(transparency_is_kept),
        IN_A_PLACE(every_kind_of_jpeg_keeps_its_colours),
        IN_A_PLACE(every_kind_of_png_keeps_its_colours),
        IN_A_PLACE(few_colours_stay_exact_and_photographs_become_lossy),
        IN_A_PLACE(sizes_are_bounded_and_never_enlarged),
        IN_A_PLACE(thumbnails_of_a_small_picture_are_the_picture),
        IN_A_PLACE(same_content_has_the_same_name_and_is_written_once),
        IN_A_PLACE(what_a_crash_left_is_completed_by_the_next_import),
        IN_A_PLACE(threads_may_import_the_same_picture_at_once),
        IN_A_PLACE(animated_gif_keeps_moving),
        IN_A_PLACE(animated_webp_keeps_moving_and_is_scaled),
        IN_A_PLACE(animation_past_the_bounds_becomes_its_first_frame),
        IN_A_PLACE(interlaced_gif_has_its_rows_in_order),
        IN_A_PLACE(what_is_no_picture_is_refused_with_a_sentence),
        IN_A_PLACE(header_bombs_are_refused_by_their_header_alone),
        IN_A_PLACE(files_cut_off_anywhere_are_refused),
        IN_A_PLACE(damaged_files_leave_all_or_nothing),
        IN_A_PLACE(too_many_bytes_are_refused),
        IN_A_PLACE(jpeg_of_a_hundred_scans_is_refused),
        IN_A_PLACE(unneeded_png_chunks_never_reach_the_decoder),
        IN_A_PLACE(full_disk_is_named_and_nothing_stays),
        IN_A_PLACE(failed_write_leaves_nothing),
        IN_A_PLACE(failed_rename_takes_back_what_was_placed),
        IN_A_PLACE(missing_upload_or_folder_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
