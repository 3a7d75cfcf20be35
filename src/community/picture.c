/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/picture.c: names, types, and the way to disk and back.
 *
 * Each file is written whole to a name that is never served, synced, and only
 * then renamed; the main file last. So a main file that is there has its
 * thumbnails beside it, and a crash leaves at worst a ".…part".
 *
 * Decoding is in picture_jpeg.c, _png.c, _gif.c and _webp.c, what is made of
 * the pixels in picture_encode.c.
 */
#include "community/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/mem.h"
#include "base/rng.h"
#include "community/picture_codec.h"
#include "io/file.h"

enum { PICTURE_HASH_BYTES = 16 };

static const struct {
    const char *extension, *mime;
} picture_extensions[] = {
    {".webp", "image/webp"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},
    {".png", "image/png"},   {".gif", "image/gif"},
};

enum picture_type picture_sniff(struct str first_bytes)
{
    static const struct {
        enum picture_type type;
        struct str starts;
    } magics[] = {
        {PICTURE_JPEG, {"\xFF\xD8\xFF", 3}},
        {PICTURE_PNG, {"\x89PNG\r\n\x1A\n", 8}},
        {PICTURE_GIF, {"GIF87a", 6}},
        {PICTURE_GIF, {"GIF89a", 6}},
    };
    for (size_t i = 0; i < COUNT_OF(magics); i++) {
        if (str_starts(first_bytes, magics[i].starts)) return magics[i].type;
    }
    bool webp =
        str_starts(first_bytes, STR("RIFF")) && str_starts(str_from(first_bytes, 8), STR("WEBP"));
    return webp ? PICTURE_WEBP : PICTURE_NONE;
}

const char *picture_type_mime(enum picture_type type)
{
    static const char *const mimes[PICTURE_TYPE_COUNT] = {
        [PICTURE_NONE] = "application/octet-stream",
        [PICTURE_JPEG] = "image/jpeg",
        [PICTURE_PNG] = "image/png",
        [PICTURE_GIF] = "image/gif",
        [PICTURE_WEBP] = "image/webp",
    };
    ASSERT(type >= PICTURE_NONE && type < PICTURE_TYPE_COUNT);
    return mimes[type];
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool is_plain_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_name_byte(s.at[i])) return false;
    }
    return true;
}

const char *picture_mime(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(picture_extensions); i++) {
        struct str extension = str_of(picture_extensions[i].extension);
        if (name.len < extension.len) continue;
        if (str_eq_nocase(str_from(name, name.len - extension.len), extension)) {
            return picture_extensions[i].mime;
        }
    }
    return NULL;
}

bool picture_name_is_safe(struct str name)
{
    if (name.len > PICTURE_NAME_BYTES_MAX || picture_mime(name) == NULL) return false;
    size_t dot = str_find_byte(name, '.');
    return dot > 0 && is_plain_name(str_head(name, dot)) && is_plain_name(str_from(name, dot + 1));
}

static enum err picture_disk_failed(struct why *why, const char *what)
{
    if (err_is_full(errno)) {
        return why_set(why, ERR_FULL, "%s: the disk is full", what);
    }
    return why_set(why, ERR_IO, "%s: %s", what, strerror(errno));
}

/* 0 and a length, or -1 with errno. The file may be shorter than it was a moment ago. */
static int read_whole(int fd, char *to, size_t bytes, size_t *len_out)
{
    size_t len = 0;
    while (len < bytes) {
        ssize_t got = read(fd, to + len, bytes - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        len += (size_t)got;
    }
    *len_out = len;
    return 0;
}

/* The upload into memory of its own; free bytes_out->at. */
static enum err picture_read_upload(const char *path, uint64_t bytes_max, struct str *bytes_out,
                                    struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    if (fd < 0) return picture_disk_failed(why, "cannot read the upload");
    enum err err = OK;
    if (fstat(fd, &about) < 0) {
        err = picture_disk_failed(why, "cannot read the upload");
    } else if (!S_ISREG(about.st_mode)) {
        err = why_set(why, ERR_IO, "cannot read the upload: it is no plain file");
    } else if ((uint64_t)about.st_size > bytes_max) {
        err = why_set(why, ERR_LIMIT, "the picture has %llu bytes, at most %llu are allowed",
                      (unsigned long long)about.st_size, (unsigned long long)bytes_max);
    } else {
        char *bytes = mem_alloc_raw((size_t)about.st_size);
        *bytes_out = (struct str){.at = bytes};
        if (read_whole(fd, bytes, (size_t)about.st_size, &bytes_out->len) < 0) {
            err = picture_disk_failed(why, "cannot read the upload");
            mem_free(bytes);
        }
    }
    close(fd);
    return err;
}

/* One file on its way: `part` is the name it is written under, "" when there is none. */
struct picture_file {
    struct str bytes;
    char name[PICTURE_NAME_BYTES_MAX + 1];
    char part[PICTURE_NAME_BYTES_MAX + 32];
    bool placed; /* this import put it there */
};

static enum err picture_write_part(int folder, struct picture_file *file, struct why *why)
{
    snprintf(file->part, sizeof(file->part), ".%s.%016llx.part", file->name,
             (unsigned long long)random_u64());
    int fd = openat(folder, file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        file->part[0] = '\0';
        return picture_disk_failed(why, "cannot store the picture");
    }
    enum err err = OK;
    if (!file_write(fd, file->bytes) || fsync(fd) < 0) {
        err = picture_disk_failed(why, "cannot store the picture");
    }
    if (close(fd) < 0 && !err) err = picture_disk_failed(why, "cannot store the picture");
    return err;
}

static bool picture_is_there(int folder, const struct picture_file *file)
{
    struct stat about;
    return fstatat(folder, file->name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(about.st_mode) && (size_t)about.st_size == file->bytes.len;
}

static enum err picture_place(int folder, struct picture_file *file, struct why *why)
{
    bool fresh = faccessat(folder, file->name, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    if (renameat(folder, file->part, folder, file->name) < 0) {
        return picture_disk_failed(why, "cannot store the picture");
    }
    file->part[0] = '\0';
    file->placed = fresh;
    return OK;
}

/* All parts first: a full disk shows here, before any name that others can see has changed. */
static enum err picture_store_files(int folder, struct picture_file files[PICTURE_SIZES],
                                    struct why *why)
{
    static const enum picture_size order[PICTURE_SIZES] = {PICTURE_320, PICTURE_1280, PICTURE_MAIN};
    bool all_there = true;
    for (int i = 0; i < PICTURE_SIZES; i++) {
        all_there = all_there && picture_is_there(folder, &files[i]);
    }
    if (all_there) return OK;
    enum err err = OK;
    for (int i = 0; i < PICTURE_SIZES && !err; i++) {
        err = picture_write_part(folder, &files[order[i]], why);
    }
    for (int i = 0; i < PICTURE_SIZES && !err; i++) {
        err = picture_place(folder, &files[order[i]], why);
    }
    if (!err && fsync(folder) < 0) err = picture_disk_failed(why, "cannot store the picture");
    for (int i = 0; i < PICTURE_SIZES && err; i++) {
        if (files[i].part[0] != '\0') unlinkat(folder, files[i].part, 0);
        if (files[i].placed) unlinkat(folder, files[i].name, 0);
    }
    return err;
}

static enum err picture_store(const char *folder, const char *prefix,
                              const struct picture_encoded *encoded, struct picture *picture_out,
                              struct why *why)
{
    static const char *const suffixes[PICTURE_SIZES] = {
        [PICTURE_MAIN] = "", [PICTURE_320] = "_320", [PICTURE_1280] = "_1280"};
    unsigned char hash[crypto_hash_sha256_BYTES];
    char digits[2 * PICTURE_HASH_BYTES + 1];
    struct str bytes = encoded->files[PICTURE_MAIN];
    crypto_hash_sha256(hash, (const unsigned char *)bytes.at, bytes.len);
    hex_write(digits, hash, PICTURE_HASH_BYTES);

    struct picture_file files[PICTURE_SIZES] = {0};
    for (int i = 0; i < PICTURE_SIZES; i++) {
        files[i].bytes = encoded->files[i];
        snprintf(files[i].name, sizeof(files[i].name), "%.*s%s%s.webp", PICTURE_PREFIX_BYTES_MAX,
                 prefix, digits, suffixes[i]);
        ASSERT(picture_name_is_safe(str_of(files[i].name)));
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return picture_disk_failed(why, "cannot store the picture");
    enum err err = picture_store_files(fd, files, why);
    close(fd);
    if (err) return err;
    *picture_out = (struct picture){
        .bytes = bytes.len,
        .width = encoded->width,
        .height = encoded->height,
        .animated = encoded->animated,
    };
    str_copy(picture_out->name, sizeof(picture_out->name), str_of(files[PICTURE_MAIN].name));
    return OK;
}

enum err picture_import(const char *source_path, const char *folder, const char *prefix,
                        const struct picture_limits *limits, struct picture *picture_out,
                        struct why *why)
{
    ASSERT(strlen(prefix) <= PICTURE_PREFIX_BYTES_MAX);
    ASSERT(is_plain_name(str_of(prefix)));
    struct str upload = {0};
    enum err err = picture_read_upload(source_path, limits->bytes_max, &upload, why);
    if (err) return err;
    struct picture_encoded encoded = {0};
    err = picture_encode(upload, limits, &encoded, why);
    mem_free((void *)(uintptr_t)upload.at);
    if (!err) err = picture_store(folder, prefix, &encoded, picture_out, why);
    picture_encoded_release(&encoded);
    return err;
}
