/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * io/file.h: files that must be there whole, for callers that may wait for the disk.
 *
 * On any thread but a loop's. Failure is false, with errno.
 */
#pragma once

#include "base/str.h"

/* All of `bytes` to `fd`, through interruptions and short writes. */
bool file_write(int fd, struct str bytes);
/* The names in a folder survive a power cut afterwards. */
bool folder_sync(const char *folder);
