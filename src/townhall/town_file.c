/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/town_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/file.h"

enum { FILE_VERSION = 1, PATH_BYTES = 4096 };
#define FILE_BYTES_MAX ((size_t)8 << 30) /* four million residents of 1 kB, and room */

struct head {
    char magic[8];
    uint32_t version, head_bytes;
    uint64_t state_bytes, checksum; /* of the state */
    struct town_note note;
    char pad[3];
};
static_assert(sizeof(struct head) == 40, "written as it stands");

static const char magic[8] = {'h', 't', 'o', 'w', 'n', '\r', '\n', 26};

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t checksum_of(struct str bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* --- writing --- */

/* Whole, beside it, durable; then in its place. */
static bool put(const char *path, const char *beside, const struct head *head, struct str state)
{
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return false;
    bool fine = file_write(fd, (struct str){(const char *)head, sizeof(*head)}) &&
                file_write(fd, state) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && fine) {
        error = errno;
        fine = false;
    }
    if (fine && rename(beside, path) == 0) {
        char copy[PATH_BYTES];
        snprintf(copy, sizeof(copy), "%s", path);
        return folder_sync(dirname(copy));
    }
    if (fine) error = errno;
    unlink(beside);
    errno = error;
    return false;
}

static enum err name_beside(const char *path, char beside[PATH_BYTES], struct why *why)
{
    int len = snprintf(beside, PATH_BYTES, "%s.%d.part", path, (int)getpid());
    if (len < 0 || len >= PATH_BYTES)
        return why_set(why, ERR_IO, "the path of the town's file is too long");
    return OK;
}

enum err town_file_check(const char *path, struct why *why)
{
    char beside[PATH_BYTES];
    struct stat is;
    enum err err = name_beside(path, beside, why);
    if (err) return err;
    if (stat(path, &is) == 0 && S_ISDIR(is.st_mode))
        return why_set(why, ERR_IO, "cannot write %s: %s", path, strerror(EISDIR));
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return why_set(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    close(fd);
    unlink(beside);
    return OK;
}

enum err town_file_write(const char *path, const struct town *town, const struct town_note *note,
                         struct why *why)
{
    char beside[PATH_BYTES];
    enum err err = name_beside(path, beside, why);
    if (err) return err;
    struct buf state;
    buf_init(&state, FILE_BYTES_MAX);
    town_write(town, &state);
    if (state.failed) {
        err = why_set(why, ERR_LIMIT, "%s would be larger than 8 GiB", path);
    } else {
        struct head head;
        memset(&head, 0, sizeof(head));
        memcpy(head.magic, magic, sizeof(magic));
        head.version = FILE_VERSION;
        head.head_bytes = sizeof(head);
        head.state_bytes = state.len;
        head.checksum = checksum_of(buf_str(&state));
        head.note = *note;
        if (!put(path, beside, &head, buf_str(&state)))
            err = why_set(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    buf_release(&state);
    return err;
}

/* --- reading --- */

enum err town_file_parse(struct str bytes, const char *name, struct town **town_out,
                         struct town_note *note_out, struct why *why)
{
    struct head head;
    *town_out = NULL;
    if (bytes.len < sizeof(head) || memcmp(bytes.at, magic, sizeof(magic)) != 0)
        return why_set(why, ERR_CORRUPT,
                       "%s is no town; `hutong town run --save FILE` writes one, and so does `save "
                       "FILE` in `hutong town`",
                       name);
    memcpy(&head, bytes.at, sizeof(head));
    struct str state = str_from(bytes, sizeof(head));
    if (head.version != FILE_VERSION || head.head_bytes != sizeof(head))
        return why_set(why, ERR_CORRUPT,
                       "%s was written by another version of the program, or on another kind of "
                       "machine",
                       name);
    if (head.state_bytes != state.len)
        return why_set(why, ERR_CORRUPT, "%s is cut short or has grown: %llu bytes expected, %zu",
                       name, (unsigned long long)head.state_bytes, state.len);
    if (head.checksum != checksum_of(state))
        return why_set(why, ERR_CORRUPT, "%s is damaged: its checksum is another one", name);
    for (int i = 0; i < TRAIT_COUNT; i++)
        if (head.note.trait_mean[i] < -100 || head.note.trait_mean[i] > 100)
            return why_set(why, ERR_CORRUPT, "%s is damaged: its head makes no sense", name);
    struct why said;
    enum err err = town_read(state, town_out, &said);
    if (err) return why_set(why, err, "%s: %s", name, said.text);
    *note_out = head.note;
    return OK;
}

static enum err read_whole(int fd, const char *path, struct buf *bytes, struct why *why)
{
    struct stat is;
    if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode))
        return why_set(why, ERR_IO, "%s is no file", path);
    for (;;) {
        char piece[65536];
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return why_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (got == 0) break;
        buf_add(bytes, piece, (size_t)got);
        if (bytes->failed) return why_set(why, ERR_LIMIT, "%s is larger than 8 GiB", path);
    }
    return OK;
}

enum err town_file_read(const char *path, struct town **town_out, struct town_note *note_out,
                        struct why *why)
{
    *town_out = NULL;
    int fd = open(path,
                  O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is no file, and is not waited for */
    if (fd < 0) return why_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct buf bytes;
    buf_init(&bytes, FILE_BYTES_MAX);
    enum err err = read_whole(fd, path, &bytes, why);
    if (!err) err = town_file_parse(buf_str(&bytes), path, town_out, note_out, why);
    buf_release(&bytes);
    close(fd);
    return err;
}
