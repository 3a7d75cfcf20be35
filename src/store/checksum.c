/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/checksum.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum { PIECE_BYTES = 256 * 1024, HEX_BYTES = 2 * crypto_hash_sha256_BYTES };

const char *checksum_path(struct arena *arena, const char *path)
{
    return arena_printf(arena, "%s.sha256", path).at;
}

static enum err cannot(const char *what, const char *path, struct why *why)
{
    if (err_is_full(errno)) return why_set(why, ERR_FULL, "the disk is full");
    return why_set(why, ERR_IO, "cannot %s %s: %s", what, path, strerror(errno));
}

static enum err hash_file(const char *path, unsigned char hash[crypto_hash_sha256_BYTES],
                          struct why *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return cannot("read", path, why);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    unsigned char *piece = mem_alloc(PIECE_BYTES);
    size_t len;
    while ((len = fread(piece, 1, PIECE_BYTES, file)) > 0) {
        crypto_hash_sha256_update(&state, piece, len);
    }
    enum err err = ferror(file) ? cannot("read", path, why) : OK;
    crypto_hash_sha256_final(&state, hash);
    mem_free(piece);
    fclose(file);
    return err;
}

enum err checksum_write(const char *file, const char *path, const char *to, struct why *why)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[HEX_BYTES + 1];
    enum err err = hash_file(file, hash, why);
    if (err) return err;
    hex_write(hex, hash, sizeof(hash));
    FILE *out = fopen(to, "wxe");
    if (out == NULL) return cannot("write", to, why);
    const char *slash = strrchr(path, '/');
    bool ok = fprintf(out, "%s  %s\n", hex, slash ? slash + 1 : path) > 0 && fflush(out) == 0 &&
              fsync(fileno(out)) == 0;
    if (!ok) err = cannot("write", to, why);
    if (fclose(out) != 0 && !err) err = cannot("write", to, why);
    return err;
}

/* The first line's; what it calls the file does not count, that may have been renamed. */
static enum err read_sum(FILE *file, const char *path, unsigned char *hash_out, struct why *why)
{
    char hex[HEX_BYTES];
    size_t len = fread(hex, 1, sizeof(hex), file);
    if (ferror(file)) return cannot("read", path, why);
    if (len == sizeof(hex) &&
        hex_read((struct str){hex, len}, hash_out, crypto_hash_sha256_BYTES)) {
        return OK;
    }
    return why_set(why, ERR_CORRUPT, "%s holds no SHA-256; move it away to go without", path);
}

enum err checksum_check(const char *path, bool *found_out, struct why *why)
{
    unsigned char hash[crypto_hash_sha256_BYTES], noted[crypto_hash_sha256_BYTES];
    struct arena arena = {0};
    const char *sum = checksum_path(&arena, path);
    FILE *file = fopen(sum, "re");
    *found_out = file != NULL;
    enum err err = OK;
    if (file) {
        err = read_sum(file, sum, noted, why);
        fclose(file);
        if (!err) err = hash_file(path, hash, why);
        if (!err && memcmp(hash, noted, sizeof(hash)) != 0) {
            err = why_set(why, ERR_CORRUPT,
                          "%s is not what was backed up: its SHA-256 is not the one in %s. It was "
                          "damaged, or one of the two replaced",
                          path, sum);
        }
    } else if (errno != ENOENT) {
        err = cannot("read", sum, why);
    }
    arena_release(&arena);
    return err;
}
