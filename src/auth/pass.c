/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/pass.c: EXPIRES.KID.MAC, where MAC is HMAC-SHA256 over everything else
 * that counts.
 *
 * The keyring's keys sign access tokens with the same function. A key of our
 * own is made out of each first, so that no note can be passed off as a token,
 * nor a token as a note, whatever stands in them.
 */
#include "auth/pass.h"

#include <sodium.h>

#include "auth/keyring.h"

enum {
    MAC_BYTES = crypto_auth_hmacsha256_BYTES,
    MAC_TEXT_BYTES = 44, /* base64url of 32 bytes, without padding, and a NUL */
};

static_assert(KEY_SECRET_BYTES == crypto_auth_hmacsha256_KEYBYTES, "a key is an HMAC key");
static_assert(20 + 1 + KEY_ID_BYTES + 1 + MAC_TEXT_BYTES <= PASS_BYTES, "a note fits");

/* A part with its length before it, so that no two lists of parts give the same bytes. */
static void add_part(crypto_auth_hmacsha256_state *mac, struct str part)
{
    uint64_t len = part.len;
    crypto_auth_hmacsha256_update(mac, (const unsigned char *)&len, sizeof(len));
    if (part.len == 0) return;
    crypto_auth_hmacsha256_update(mac, (const unsigned char *)part.at, part.len);
}

static void write_mac(const struct signing_key *key, struct str purpose, struct str secret,
                      struct str expires, char text_out[MAC_TEXT_BYTES])
{
    static const char label[] = "hutong pass";
    uint8_t own[MAC_BYTES], bytes[MAC_BYTES];
    crypto_auth_hmacsha256(own, (const unsigned char *)label, sizeof(label), key->secret);
    crypto_auth_hmacsha256_state mac;
    crypto_auth_hmacsha256_init(&mac, own, sizeof(own));
    add_part(&mac, purpose);
    add_part(&mac, secret);
    add_part(&mac, expires);
    crypto_auth_hmacsha256_final(&mac, bytes);
    sodium_bin2base64(text_out, MAC_TEXT_BYTES, bytes, sizeof(bytes),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(own, sizeof(own));
    sodium_memzero(&mac, sizeof(mac));
}

void pass_sign(const struct keyring *keyring, struct str purpose, struct str secret,
               int64_t expires_s, char text_out[PASS_BYTES])
{
    ASSERT(secret.len > 0);
    ASSERT(expires_s > 0);
    const struct signing_key *key = keyring_newest(keyring);
    char expires[24], mac[MAC_TEXT_BYTES];
    snprintf(expires, sizeof(expires), "%lld", (long long)expires_s);
    write_mac(key, purpose, secret, str_of(expires), mac);
    snprintf(text_out, PASS_BYTES, "%s.%s.%s", expires, key->kid, mac);
}

bool pass_holds(const struct keyring *keyring, struct str purpose, struct str secret,
                struct str text, int64_t now_s)
{
    struct str rest = text, expires, kid;
    int64_t expires_s;
    if (text.len >= PASS_BYTES || secret.len == 0) return false;
    if (!str_split(&rest, '.', &expires) || !str_split(&rest, '.', &kid)) return false;
    if (!str_to_i64(expires, &expires_s) || expires_s <= now_s) return false;
    const struct signing_key *key = keyring_find(keyring, kid);
    if (key == NULL) return false;
    char mac[MAC_TEXT_BYTES];
    write_mac(key, purpose, secret, expires, mac);
    return str_eq_secret(rest, str_of(mac));
}
