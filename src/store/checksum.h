/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/checksum.h: the SHA-256 of a file in a small one beside it, FILE.sha256,
 * in the form of sha256sum (coreutils): `sha256sum -c` reads it as well as we.
 *
 * It finds bytes that rotted or were changed, not a forger, who would write
 * both. Sentences are for the operator and name paths.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

const char *checksum_path(struct arena *arena, const char *path);

/* Read `file`, which will be named `path`, and write its checksum to `to`, durably. ERR_FULL. */
MUST_USE enum err checksum_write(const char *file, const char *path, const char *to,
                                 struct why *why);
/* OK without one, too: see *found_out. ERR_CORRUPT: another file, or no checksum in it. */
MUST_USE enum err checksum_check(const char *path, bool *found_out, struct why *why);
