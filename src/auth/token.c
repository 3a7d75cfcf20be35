/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/token.c: JWTs by libjwt, behind a gate of our own.
 *
 * libjwt 1.10 is lenient where forgers live: it takes the algorithm from the
 * token and reads its name without case ("hs256"), skips what is not base64url,
 * lets the last of two equal members win, and (before Debian's fix of
 * CVE-2024-25189) compared signatures with strcmp. So the gate looks first:
 * shape, strict base64url, header, then the signature in constant time over the
 * bytes as they came. Only what passes, which is text that a holder of our key
 * has written, reaches libjwt's parser; it checks the signature once more and
 * hands out claims by type (an `exp` that is text or a fraction is no integer
 * to it). Twice the hashing is 1 µs of the few that a verification takes, and
 * the loops keep verified tokens.
 */
#include "auth/token.h"

#include <errno.h>
#include <jwt.h>
#include <sodium.h>

#include "auth/keyring.h"
#include "base/json.h"
#include "base/rng.h"

enum {
    MAC_BYTES = 32, /* HMAC-SHA256 */
    JTI_BYTES = 16,
    REFRESH_FAMILY_BYTES = 16,
    REFRESH_OWN_BYTES = 32,
};

static_assert(MAC_BYTES == crypto_auth_hmacsha256_BYTES, "HS256 is HMAC-SHA256");
static_assert(sizeof(long) == sizeof(int64_t), "libjwt takes whole numbers as long");
static const int64_t number_max = INT64_C(1) << 53; /* what JSON numbers hold exactly */

/* A token cut into its three parts; borrows the token. */
struct parts {
    struct str head, body, mac; /* base64url, as they came */
    struct str signed_text;     /* head "." body */
};

/* The key a token has to be signed with, whatever it says itself. */
struct chosen_key {
    const uint8_t *secret;
    size_t secret_bytes;
    bool legacy;
};

static enum err no(struct why *why, const char *sentence)
{
    return why_set(why, ERR_UNKNOWN_CALLER, "%s", sentence);
}

static bool base64url_write(const void *bytes, size_t len, char *to, size_t to_bytes)
{
    return sodium_bin2base64(to, to_bytes, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING) !=
           NULL;
}

/* Strict: the URL alphabet, no padding, no blanks, no stray bits at the end. */
static bool base64url_read(struct str text, void *to, size_t to_bytes, size_t *len_out)
{
    return sodium_base642bin(to, to_bytes, text.at, text.len, NULL, len_out, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

/* Every claim as an argument of libjwt; false when it had no memory. */
static bool claims_add(jwt_t *jwt, const struct token_claims *claims)
{
    char sub[24], id[TOKEN_ID_BYTES];
    snprintf(sub, sizeof(sub), "%llu", (unsigned long long)claims->user.value);
    str_copy(id, sizeof(id), str_of(claims->id));
    if (id[0] == '\0') {
        uint8_t random[JTI_BYTES];
        random_bytes(random, sizeof(random));
        base64url_write(random, sizeof(random), id, sizeof(id));
    }
    return jwt_add_grant(jwt, "sub", sub) == 0 &&
           jwt_add_grant_int(jwt, "exp", (long)claims->expires_s) == 0 &&
           jwt_add_grant_int(jwt, "iat", (long)claims->issued_s) == 0 &&
           jwt_add_grant(jwt, "jti", id) == 0 &&
           jwt_add_grant_int(jwt, "sid", (long)claims->session) == 0;
}

enum err token_sign(const struct keyring *keyring, const struct token_claims *claims,
                    struct buf *out, struct why *why)
{
    ASSERT(claims->user.value > 0 && claims->user.value <= (uint64_t)number_max);
    ASSERT(claims->session > 0 && claims->session <= (uint64_t)number_max);
    ASSERT(claims->issued_s > 0 && claims->expires_s > claims->issued_s);
    ASSERT(claims->expires_s <= number_max);
    const struct signing_key *key = keyring_newest(keyring);

    jwt_t *jwt = NULL;
    char *text = NULL;
    bool fine = jwt_new(&jwt) == 0 && claims_add(jwt, claims) &&
                jwt_add_header(jwt, "kid", key->kid) == 0 &&
                jwt_set_alg(jwt, JWT_ALG_HS256, key->secret, sizeof(key->secret)) == 0;
    if (fine) text = jwt_encode_str(jwt);
    jwt_free(jwt);
    ASSERT(text != NULL); /* fails without memory only */
    ASSERT(strlen(text) <= TOKEN_BYTES_MAX);
    buf_add(out, text, strlen(text));
    free(text);
    return out->failed ? why_set(why, ERR_LIMIT, "the token does not fit") : OK;
}

/* Exactly three parts, none empty, of nothing but base64url (RFC 7515, 7.1). */
static enum err parts_cut(struct str token, struct parts *parts_out, struct why *why)
{
    if (token.len == 0) return no(why, "the token is empty");
    if (token.len > TOKEN_BYTES_MAX) return no(why, "the token is too long");
    size_t dot1 = str_find_byte(token, '.');
    struct str rest = str_from(token, dot1 + 1);
    size_t dot2 = str_find_byte(rest, '.');
    parts_out->head = str_head(token, dot1);
    parts_out->body = str_head(rest, dot2);
    parts_out->mac = str_from(rest, dot2 + 1);
    parts_out->signed_text = str_head(token, dot1 + 1 + dot2);
    if (parts_out->head.len == 0 || parts_out->body.len == 0 || parts_out->mac.len == 0 ||
        str_find_byte(parts_out->mac, '.') < parts_out->mac.len) {
        return no(why, "the token does not have three parts");
    }
    return OK;
}

/* An object that names no member twice: readers disagree which of the two counts. */
static enum err object_parse(struct str text, struct json **tree_out, struct why *why)
{
    struct json *tree = NULL;
    if (json_parse(text, &tree, NULL, why) != OK) return no(why, "a part of the token is not JSON");
    bool fine = json_kind(tree) == JSON_OBJECT;
    for (const struct json *at = fine ? json_first(tree) : NULL; at && fine; at = json_after(at)) {
        fine = json_get(tree, json_name(at)) == at;
    }
    if (fine) {
        *tree_out = tree;
        return OK;
    }
    json_free(tree);
    return no(why, "a part of the token is no object, or names a member twice");
}

/* The key that `kid` names, or the legacy one where there is no kid at all. */
static enum err key_choose(const struct keyring *keyring, const struct json *head,
                           struct chosen_key *chosen_out, struct why *why)
{
    const struct json *kid = json_get(head, "kid");
    if (kid == NULL) {
        struct str legacy = keyring_legacy(keyring);
        if (legacy.len == 0) return no(why, "the token has no kid and there is no jwt-secret");
        *chosen_out = (struct chosen_key){(const uint8_t *)legacy.at, legacy.len, true};
        return OK;
    }
    struct str name;
    if (!json_as_str(kid, &name)) return no(why, "the kid of the token is no text");
    const struct signing_key *key = keyring_find(keyring, name);
    if (key == NULL) return no(why, "the token is signed with a key that we do not have");
    *chosen_out = (struct chosen_key){key->secret, sizeof(key->secret), false};
    return OK;
}

static enum err head_check(const struct keyring *keyring, struct str base64url,
                           struct chosen_key *chosen_out, struct why *why)
{
    char text[TOKEN_BYTES_MAX];
    size_t len = 0;
    if (!base64url_read(base64url, text, sizeof(text), &len)) {
        return no(why, "the header of the token is not base64url");
    }
    struct json *head = NULL;
    enum err err = object_parse((struct str){text, len}, &head, why);
    if (err) return err;

    struct str alg, typ;
    if (!json_as_str(json_get(head, "alg"), &alg) || !str_eq(alg, STR("HS256"))) {
        err = no(why, "the token is not signed with HS256");
    } else if (json_get(head, "crit")) { /* extensions that must be understood: we know none */
        err = no(why, "the token asks for extensions");
    } else if (json_get(head, "typ") &&
               (!json_as_str(json_get(head, "typ"), &typ) || !str_eq_nocase(typ, STR("JWT")))) {
        err = no(why, "the token is of another type than JWT");
    } else {
        err = key_choose(keyring, head, chosen_out, why);
    }
    json_free(head);
    return err;
}

/* The signature, over the bytes as they came, in constant time. */
static enum err mac_check(const struct chosen_key *key, const struct parts *parts, struct why *why)
{
    uint8_t given[MAC_BYTES], right[MAC_BYTES];
    size_t len = 0;
    if (!base64url_read(parts->mac, given, sizeof(given), &len) || len != sizeof(given)) {
        return no(why, "the signature of the token has the wrong form");
    }
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key->secret, key->secret_bytes);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)parts->signed_text.at,
                                  parts->signed_text.len);
    crypto_auth_hmacsha256_final(&state, right);
    bool same = sodium_memcmp(given, right, sizeof(right)) == 0;
    sodium_memzero(&state, sizeof(state));
    return same ? OK : no(why, "the signature of the token is wrong");
}

static enum err body_check(struct str base64url, struct why *why)
{
    char text[TOKEN_BYTES_MAX];
    size_t len = 0;
    if (!base64url_read(base64url, text, sizeof(text), &len)) {
        return no(why, "the claims of the token are not base64url");
    }
    struct json *body = NULL;
    enum err err = object_parse((struct str){text, len}, &body, why);
    if (!err) json_free(body);
    return err;
}

/* An integer claim of 1 to 2^53. Absent and of another type are negative to libjwt. */
static bool claim_number(jwt_t *jwt, const char *name, int64_t *value_out)
{
    long value = jwt_get_grant_int(jwt, name);
    *value_out = value;
    return value > 0 && value <= number_max;
}

/* Of whatever type it would be: ENOENT is "not there", EINVAL "no integer". */
static bool claim_is_absent(jwt_t *jwt, const char *name)
{
    errno = 0;
    (void)jwt_get_grant_int(jwt, name);
    return errno == ENOENT;
}

/* `sub`: decimal digits, no sign, no leading zero, so that a member has one sub only. */
static enum err subject_read(jwt_t *jwt, struct token_claims *claims, struct why *why)
{
    struct str sub = str_of(jwt_get_grant(jwt, "sub"));
    if (sub.len == 0 || sub.at[0] == '0' || !str_to_u64(sub, &claims->user.value) ||
        claims->user.value > (uint64_t)number_max) {
        return no(why, "the sub of the token is not the number of a member");
    }
    return OK;
}

static enum err times_read(jwt_t *jwt, int64_t now_s, struct token_claims *claims, struct why *why)
{
    if (!claim_number(jwt, "exp", &claims->expires_s)) {
        return no(why, "the token has no exp that is a whole number");
    }
    if (now_s >= claims->expires_s) return no(why, "the token has expired");
    bool optional = claims->legacy && claim_is_absent(jwt, "iat");
    if (!claim_number(jwt, "iat", &claims->issued_s)) {
        if (!optional) return no(why, "the token has no iat that is a whole number");
        claims->issued_s = 0; /* not what libjwt gives for "absent" */
    }
    if (claims->issued_s > now_s + TOKEN_CLOCK_SKEW_S) {
        return no(why, "the token was issued in the future");
    }
    int64_t not_before_s = 0; /* we never write nbf, but who does means it */
    if (!claim_is_absent(jwt, "nbf") &&
        (!claim_number(jwt, "nbf", &not_before_s) || not_before_s > now_s + TOKEN_CLOCK_SKEW_S)) {
        return no(why, "the token is not valid yet");
    }
    return OK;
}

static enum err ids_read(jwt_t *jwt, struct token_claims *claims, struct why *why)
{
    struct str id = str_of(jwt_get_grant(jwt, "jti"));
    bool id_fine = id.len > 0 && id.len < sizeof(claims->id);
    if (!id_fine && !(claims->legacy && claim_is_absent(jwt, "jti"))) {
        return no(why, "the token has no jti of at most 64 bytes");
    }
    str_copy(claims->id, sizeof(claims->id), id);
    if (claims->legacy) return OK; /* sessions of the old system are not ours, whatever it says */

    int64_t session;
    if (!claim_number(jwt, "sid", &session)) return no(why, "the token has no sid");
    claims->session = (uint64_t)session;
    return OK;
}

/* Let libjwt have its say, and read the claims. */
static enum err claims_read(struct str token, const struct chosen_key *key, int64_t now_s,
                            struct token_claims *claims, struct why *why)
{
    char text[TOKEN_BYTES_MAX + 1];
    memcpy(text, token.at, token.len);
    text[token.len] = '\0';

    jwt_t *jwt = NULL;
    claims->legacy = key->legacy;
    enum err err = OK;
    if (jwt_decode(&jwt, text, key->secret, (int)key->secret_bytes) != 0) {
        err = no(why, "libjwt does not accept the token");
    } else if (jwt_get_alg(jwt) != JWT_ALG_HS256) {
        err = no(why, "libjwt reads another algorithm from the token");
    }
    if (!err) err = subject_read(jwt, claims, why);
    if (!err) err = times_read(jwt, now_s, claims, why);
    if (!err) err = ids_read(jwt, claims, why);
    jwt_free(jwt); /* NULL is fine */
    return err;
}

enum err token_verify(const struct keyring *keyring, struct str token, int64_t now_s,
                      struct token_claims *claims_out, struct why *why)
{
    ASSERT(now_s > 0 && now_s <= number_max);
    struct parts parts = {0};
    struct chosen_key key = {0};
    struct token_claims claims = {0};
    enum err err = parts_cut(token, &parts, why);
    if (!err) err = head_check(keyring, parts.head, &key, why);
    if (!err) err = mac_check(&key, &parts, why);
    if (!err) err = body_check(parts.body, why);
    if (!err) err = claims_read(token, &key, now_s, &claims, why);
    if (!err) *claims_out = claims;
    return err;
}

/* `len` random bytes as base64url, NUL-terminated. */
static void random_text(size_t len, char *to, size_t to_bytes)
{
    uint8_t random[REFRESH_OWN_BYTES];
    ASSERT(len <= sizeof(random));
    random_bytes(random, len);
    bool fits = base64url_write(random, len, to, to_bytes);
    ASSERT(fits);
    sodium_memzero(random, sizeof(random));
}

void refresh_new(char text_out[REFRESH_TEXT_BYTES])
{
    random_text(REFRESH_FAMILY_BYTES, text_out, REFRESH_FAMILY_CHARS + 1);
    random_text(REFRESH_OWN_BYTES, text_out + REFRESH_FAMILY_CHARS, REFRESH_OWN_CHARS + 1);
}

void refresh_next(struct str old, char text_out[REFRESH_TEXT_BYTES])
{
    ASSERT(old.len == REFRESH_TEXT_BYTES - 1);
    memcpy(text_out, old.at, REFRESH_FAMILY_CHARS);
    random_text(REFRESH_OWN_BYTES, text_out + REFRESH_FAMILY_CHARS, REFRESH_OWN_CHARS + 1);
}

static void hash_part(struct str part, uint8_t hash_out[REFRESH_HASH_BYTES])
{
    crypto_generichash(hash_out, REFRESH_HASH_BYTES, (const unsigned char *)part.at, part.len, NULL,
                       0);
}

bool refresh_hash(struct str text, struct refresh_hash *hash_out)
{
    if (text.len != REFRESH_TEXT_BYTES - 1) return false;
    hash_part(str_head(text, REFRESH_FAMILY_CHARS), hash_out->family);
    hash_part(str_from(text, REFRESH_FAMILY_CHARS), hash_out->own);
    return true;
}
