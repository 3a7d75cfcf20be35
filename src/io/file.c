/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool file_write(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = write(fd, bytes.at, bytes.len);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return false;
        bytes = str_from(bytes, (size_t)wrote);
    }
    return true;
}

bool folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool fine = fsync(fd) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return fine;
}
