/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "auth/apikey.h"

#include <sodium.h>

#include "base/rng.h"

#define PREFIX "sk-hutong-"

enum { PREFIX_LEN = sizeof(PREFIX) - 1, SECRET_BYTES = 32 };
static_assert(PREFIX_LEN + 43 + 1 == APIKEY_TEXT_BYTES, "prefix, 43 characters and a NUL");

void apikey_new(char text_out[APIKEY_TEXT_BYTES])
{
    uint8_t secret[SECRET_BYTES];
    random_bytes(secret, sizeof(secret));
    memcpy(text_out, PREFIX, PREFIX_LEN);
    sodium_bin2base64(text_out + PREFIX_LEN, APIKEY_TEXT_BYTES - PREFIX_LEN, secret, sizeof(secret),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof(secret));
}

bool apikey_hash(struct str text, uint8_t hash_out[APIKEY_HASH_BYTES])
{
    if (text.len != APIKEY_TEXT_BYTES - 1 || !str_starts(text, STR(PREFIX))) return false;
    crypto_generichash(hash_out, APIKEY_HASH_BYTES, (const unsigned char *)text.at, text.len, NULL,
                       0);
    return true;
}
