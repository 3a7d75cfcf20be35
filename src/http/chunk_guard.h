/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/chunk_guard.h: is a chunked body framed exactly as RFC 9112, 7.1 says?
 *
 * llhttp as distributions have it takes any byte for the LF behind a CR in
 * chunk lines, folded trailers, and blanks before a trailer's colon. A proxy in
 * front of us may read such bytes differently, and then a second request hides in
 * the body of the first. The guard sees the same bytes before llhttp does and
 * refuses what isn't beyond doubt; so both must agree for a body to be taken.
 * It also bounds what llhttp does not: extensions and trailers.
 */
#pragma once

#include "base/str.h"

enum { CHUNK_EXTENSION_BYTES_MAX = 1024, TRAILER_BYTES_MAX = 16 * 1024 };

/* Zeroed: before the first chunk. Open only so that it can be embedded. */
struct chunk_guard {
    uint64_t left;  /* bytes of the chunk still to come */
    uint32_t count; /* digits, bytes of extensions or of trailers so far */
    uint8_t state;
};

/* Look at the next bytes, up to the end of the body. False: they are not framed properly. */
MUST_USE bool chunk_guard_look(struct chunk_guard *guard, const char *bytes, size_t len);
