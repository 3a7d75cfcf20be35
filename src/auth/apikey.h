/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/apikey.h: the text of a member's key for programs.
 *
 *     sk-hutong-<43 characters of base64url: 256 random bits>
 *
 * The store keeps a hash only. A plain, fast one: nobody guesses 256 random
 * bits, and a slow one would be paid at every request. Any thread.
 */
#pragma once

#include "base/str.h"

enum {
    APIKEY_TEXT_BYTES = 10 + 43 + 1, /* a NUL */
    APIKEY_HASH_BYTES = 32,
    APIKEY_LAST = 4, /* characters that may be shown */
};

/* A new one, NUL-terminated. */
void apikey_new(char text_out[APIKEY_TEXT_BYTES]);
/* BLAKE2b-256. False: not of our form, so nobody's. */
MUST_USE bool apikey_hash(struct str text, uint8_t hash_out[APIKEY_HASH_BYTES]);
