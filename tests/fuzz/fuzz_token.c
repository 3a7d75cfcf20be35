/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_token.c: access tokens from strangers.
 *
 * The first byte chooses what the rest is: 'r' a whole token as it came; 'n' and
 * 'l' a header, a newline and claims, signed here with the newest key or with
 * the legacy secret, so that the fuzzer gets past the signature and to the claims.
 */
#include <stdint.h>

#include <sodium.h>

#include "auth/keyring.h"
#include "auth/token.h"

enum { NOW = 1700000000 };

static const struct signing_key key = {
    .kid = "new", .secret = "fedcba9876543210fedcba987654321", .created_s = 1};
static const char legacy[] = "the random secret of the old server";

static void add_base64url(struct buf *out, const void *bytes, size_t len)
{
    size_t room = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *space = buf_space(out, room);
    ASSERT(space != NULL);
    sodium_bin2base64(space, room, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_grew(out, room - 1);
}

static void sign(struct buf *out, struct str head, struct str body, struct str secret)
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    add_base64url(out, head.at, head.len);
    buf_add_byte(out, '.');
    add_base64url(out, body.at, body.len);
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret.at, secret.len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)out->at, out->len);
    crypto_auth_hmacsha256_final(&state, mac);
    buf_add_byte(out, '.');
    add_base64url(out, mac, sizeof(mac));
}

static void verify(const struct keyring *keyring, struct str token)
{
    struct token_claims claims = {0};
    struct why why = {0};
    enum err err = token_verify(keyring, token, NOW, &claims, &why);
    if (err) {
        ASSERT(err == ERR_UNKNOWN_CALLER && why.text[0] != '\0');
        ASSERT(claims.user.value == 0 && claims.expires_s == 0);
        return;
    }
    ASSERT(claims.user.value >= 1 && claims.user.value <= UINT64_C(1) << 53);
    ASSERT(claims.expires_s > NOW && claims.issued_s <= NOW + TOKEN_CLOCK_SKEW_S);
    ASSERT(claims.legacy ? claims.session == 0 : claims.session >= 1 && claims.id[0] != '\0');

    /* What we accept we could have issued, and would accept again. */
    if (claims.legacy) return;
    if (claims.issued_s >= claims.expires_s) return;
    struct buf again;
    struct token_claims second;
    buf_init(&again, TOKEN_BYTES_MAX);
    ASSERT(token_sign(keyring, &claims, &again, &why) == OK);
    ASSERT(token_verify(keyring, buf_str(&again), NOW, &second, &why) == OK);
    ASSERT(second.user.value == claims.user.value && second.session == claims.session);
    ASSERT(strcmp(second.id, claims.id) == 0);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keyring *keyring; /* made once; reachable until the process ends */
    if (keyring == NULL) {
        ASSERT(sodium_init() >= 0);
        keyring = keyring_new(&key, 1, str_of(legacy));
    }
    if (size == 0 || size > 4096) return 0;
    struct str rest = {(const char *)data + 1, size - 1};
    if (data[0] == 'r') {
        verify(keyring, rest);
        return 0;
    }
    struct str head;
    if (!str_split(&rest, '\n', &head)) return 0;
    struct str secret = data[0] == 'n' ? (struct str){(const char *)key.secret, sizeof(key.secret)}
                                       : str_of(legacy);
    struct buf token;
    buf_init(&token, 16 * 1024);
    sign(&token, head, rest, secret);
    verify(keyring, buf_str(&token));
    buf_release(&token);
    return 0;
}
