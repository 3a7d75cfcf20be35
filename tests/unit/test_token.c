/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jwt.h>
#include <sodium.h>

#include "auth/keyring.h"
#include "auth/token.h"

enum { NOW = 1700000000 };

#define LEGACY "the random secret of the old server"
static const struct signing_key keys[] = {
    {.kid = "old", .secret = "0123456789abcdef0123456789abcde", .created_s = 1},
    {.kid = "new", .secret = "fedcba9876543210fedcba987654321", .created_s = 2},
};
static struct keyring *ring, *ring_without_legacy;

static int open_rings(void **state)
{
    (void)state;
    if (sodium_init() < 0) return -1;
    ring = keyring_new(keys, COUNT_OF(keys), STR(LEGACY));
    ring_without_legacy = keyring_new(keys, COUNT_OF(keys), (struct str){0});
    return 0;
}

static int free_rings(void **state)
{
    (void)state;
    keyring_free(ring);
    keyring_free(ring_without_legacy);
    return 0;
}

static void add_base64url(struct buf *out, const void *bytes, size_t len)
{
    char text[4096];
    assert_non_null(sodium_bin2base64(text, sizeof(text), bytes, len,
                                      sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    buf_add(out, text, strlen(text));
}

/* A compact JWT of any header and claims, signed by HMAC-SHA256 under any key. */
static void forge(struct buf *out, const char *head, const char *body, struct str key)
{
    buf_init(out, 8192);
    add_base64url(out, head, strlen(head));
    buf_add_byte(out, '.');
    add_base64url(out, body, strlen(body));
    uint8_t mac[32];
    crypto_auth_hmacsha256_state hmac;
    crypto_auth_hmacsha256_init(&hmac, (const uint8_t *)key.at, key.len);
    crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)out->at, out->len);
    crypto_auth_hmacsha256_final(&hmac, mac);
    buf_add_byte(out, '.');
    add_base64url(out, mac, sizeof(mac));
}

static struct str secret_of(const char *kid)
{
    if (kid == NULL) return STR(LEGACY);
    const struct signing_key *key = keyring_find(ring, str_of(kid));
    return (struct str){(const char *)key->secret, sizeof(key->secret)};
}

/* Verify; a refusal must be ERR_UNKNOWN_CALLER, have a sentence and leave the claims alone. */
static bool accepted(const struct keyring *keyring, struct str token, struct token_claims *claims,
                     struct why *why)
{
    memset(claims, 0x5A, sizeof(*claims));
    struct token_claims before = *claims;
    why->text[0] = '\0';
    enum err err = token_verify(keyring, token, NOW, claims, why);
    if (err == OK) return true;
    assert_int_equal(err, ERR_UNKNOWN_CALLER);
    assert_int_not_equal(why->text[0], '\0');
    assert_memory_equal(claims, &before, sizeof(before));
    return false;
}

static struct token_claims some_claims(void)
{
    return (struct token_claims){
        .user = {7}, .session = 42, .issued_s = NOW, .expires_s = NOW + 900};
}

static void sign_ok(const struct token_claims *claims, struct buf *token)
{
    struct why why = {0};
    buf_init(token, TOKEN_BYTES_MAX);
    assert_int_equal(token_sign(ring, claims, token, &why), OK);
}

static void what_was_signed_comes_back(void **state)
{
    (void)state;
    const uint64_t largest = UINT64_C(1) << 53;
    const struct token_claims rows[] = {
        some_claims(),
        {.user = {1}, .session = 1, .issued_s = 1, .expires_s = NOW + 1, .id = "chosen"},
        {.user = {largest}, .session = largest, .issued_s = NOW, .expires_s = (int64_t)largest},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf token;
        struct token_claims claims;
        struct why why;
        sign_ok(&rows[i], &token);
        assert_true(accepted(ring, buf_str(&token), &claims, &why));
        assert_int_equal(claims.user.value, rows[i].user.value);
        assert_int_equal(claims.session, rows[i].session);
        assert_int_equal(claims.issued_s, rows[i].issued_s);
        assert_int_equal(claims.expires_s, rows[i].expires_s);
        assert_false(claims.legacy);
        if (rows[i].id[0]) assert_string_equal(claims.id, rows[i].id);
        assert_int_equal(strlen(claims.id), rows[i].id[0] ? 6 : 22);
        buf_release(&token);
    }
}

static void every_token_has_an_id_of_its_own(void **state)
{
    (void)state;
    struct token_claims claims = some_claims(), one, two;
    struct buf first, second;
    struct why why;
    sign_ok(&claims, &first);
    sign_ok(&claims, &second);
    assert_true(accepted(ring, buf_str(&first), &one, &why));
    assert_true(accepted(ring, buf_str(&second), &two, &why));
    assert_string_not_equal(one.id, two.id);
    buf_release(&first);
    buf_release(&second);
}

static void the_header_names_algorithm_type_and_key(void **state)
{
    (void)state;
    struct token_claims claims = some_claims();
    struct buf token;
    sign_ok(&claims, &token);
    jwt_t *jwt = NULL; /* as another program would read it */
    struct str key = secret_of("new");
    assert_int_equal(jwt_decode(&jwt, token.at, (const uint8_t *)key.at, (int)key.len), 0);
    assert_string_equal(jwt_get_header(jwt, "alg"), "HS256");
    assert_string_equal(jwt_get_header(jwt, "typ"), "JWT");
    assert_string_equal(jwt_get_header(jwt, "kid"), "new");
    assert_string_equal(jwt_get_grant(jwt, "sub"), "7");
    assert_int_equal(jwt_get_grant_int(jwt, "sid"), 42);
    jwt_free(jwt);
    buf_release(&token);
}

static void a_token_that_does_not_fit_is_reported(void **state)
{
    (void)state;
    struct token_claims claims = some_claims();
    struct why why = {0};
    struct buf token;
    buf_init(&token, 50);
    assert_int_equal(token_sign(ring, &claims, &token, &why), ERR_LIMIT);
    buf_release(&token);
}

static void a_token_holds_until_its_second_of_expiry(void **state)
{
    (void)state;
    struct token_claims claims = some_claims(), got;
    struct why why;
    struct buf token;
    sign_ok(&claims, &token);
    struct str text = buf_str(&token);
    assert_int_equal(token_verify(ring, text, NOW + 899, &got, &why), OK);
    assert_int_equal(token_verify(ring, text, NOW + 900, &got, &why), ERR_UNKNOWN_CALLER);
    assert_non_null(strstr(why.text, "expired"));
    assert_int_equal(token_verify(ring, text, NOW - 60, &got, &why), OK);
    assert_int_equal(token_verify(ring, text, NOW - 61, &got, &why), ERR_UNKNOWN_CALLER);
    assert_non_null(strstr(why.text, "future"));
    buf_release(&token);
}

/* Every row is signed correctly, with the key that its header names. */
static void well_signed_tokens_are_judged_by_header_and_claims(void **state)
{
    (void)state;
#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"new\"}"
#define REST ",\"iat\":1700000000,\"jti\":\"x\",\"sid\":42}"
#define BODY "{\"sub\":\"7\",\"exp\":1700000900" REST
#define BODY_WITH(sub, exp) "{\"sub\":" sub ",\"exp\":" exp REST
    static const struct {
        const char *head, *body, *kid;
        const char *refused; /* part of the sentence; NULL: accepted */
    } rows[] = {
        {HEAD, BODY, "new", NULL},
        {"{\"alg\":\"HS256\",\"kid\":\"old\"}", BODY, "old", NULL}, /* rotated, still good */
        {" {\"kid\" : \"new\",\n\"alg\" : \"HS256\"} ", BODY, "new", NULL},
        {"{\"alg\":\"HS256\",\"typ\":\"jwt\",\"kid\":\"new\"}", BODY, "new", NULL},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"admin\":true" REST, "new", NULL},

        /* Algorithms: the key is right, and it is HMAC-SHA256 all the same. */
        {"{\"alg\":\"none\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"None\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"NONE\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"hs256\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"Hs256\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\" HS256\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"HS384\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"HS512\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"RS256\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"ES256\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":null,\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":[\"HS256\"],\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":256,\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"Alg\":\"HS256\",\"kid\":\"new\"}", BODY, "new", "HS256"},
        {"{\"alg\":\"HS256\",\"alg\":\"none\",\"kid\":\"new\"}", BODY, "new", "twice"},
        {"{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"new\"}", BODY, "new", "twice"},

        /* The rest of the header. */
        {"{\"alg\":\"HS256\",\"kid\":\"new\",\"crit\":[\"exp\"]}", BODY, "new", "extensions"},
        {"{\"alg\":\"HS256\",\"kid\":\"new\",\"crit\":null}", BODY, "new", "extensions"},
        {"{\"alg\":\"HS256\",\"kid\":\"new\",\"typ\":\"JWE\"}", BODY, "new", "type"},
        {"{\"alg\":\"HS256\",\"kid\":\"new\",\"typ\":7}", BODY, "new", "type"},
        {"{\"alg\":\"HS256\",\"kid\":\"NEW\"}", BODY, "new", "do not have"},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", BODY, "new", "do not have"},
        {"{\"alg\":\"HS256\",\"kid\":\"../../keys\"}", BODY, "new", "do not have"},
        {"{\"alg\":\"HS256\",\"kid\":null}", BODY, NULL, "no text"},
        {"{\"alg\":\"HS256\",\"kid\":0}", BODY, "new", "no text"},
        {"{\"alg\":\"HS256\",\"kid\":\"new\",\"kid\":\"old\"}", BODY, "new", "twice"},
        {"[\"HS256\"]", BODY, "new", "no object"},
        {"HS256", BODY, "new", "not JSON"},
        {HEAD "x", BODY, "new", "not JSON"},
        {"{\"alg\":\"HS256\",\"kid\":\"new\\u0000\"}", BODY, "new", "not JSON"},

        /* The right kid, the wrong key. */
        {HEAD, BODY, "old", "signature"},
        {HEAD, BODY, NULL, "signature"},
        {"{\"alg\":\"HS256\",\"kid\":\"old\"}", BODY, "new", "signature"},

        /* exp */
        {HEAD, "{\"sub\":\"7\"" REST, "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "\"1700000900\""), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "1700000900.5"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "1700000900.0"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "1.7000009e9"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "null"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "true"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "[1700000900]"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "0"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "-1"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "9007199254740993"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "9223372036854775807"), "new", "no exp"},
        {HEAD, BODY_WITH("\"7\"", "99999999999999999999"), "new", "libjwt"},
        {HEAD, BODY_WITH("\"7\"", "1e999"), "new", "not JSON"},
        {HEAD, BODY_WITH("\"7\"", "1700000000"), "new", "expired"},
        {HEAD, BODY_WITH("\"7\"", "1"), "new", "expired"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1,\"exp\":1700000900" REST, "new", "twice"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"exp\":1" REST, "new", "twice"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"\\u0065xp\":1700000900" REST, "new", "twice"},

        /* sub */
        {HEAD, "{\"exp\":1700000900" REST, "new", "sub"},
        {HEAD, BODY_WITH("7", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("null", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"0\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"-7\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"+7\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"07\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\" 7\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"7 \"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"7.0\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"0x7\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"bob\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"9007199254740992\"", "1700000900"), "new", NULL},
        {HEAD, BODY_WITH("\"9007199254740993\"", "1700000900"), "new", "sub"},
        {HEAD, BODY_WITH("\"18446744073709551623\"", "1700000900"), "new", "sub"}, /* 2^64 + 7 */
        {HEAD, BODY_WITH("\"7\",\"sub\":\"8\"", "1700000900"), "new", "twice"},

        /* iat, nbf, jti, sid */
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"jti\":\"x\",\"sid\":42}", "new", "iat"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000060,\"jti\":\"x\",\"sid\":1}",
         "new", NULL},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000061,\"jti\":\"x\",\"sid\":1}",
         "new", "future"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1.5,\"jti\":\"x\",\"sid\":1}", "new",
         "iat"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"nbf\":1700000000" REST, "new", NULL},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"nbf\":1700000061" REST, "new", "yet"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"nbf\":\"1\"" REST, "new", "yet"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000,\"sid\":42}", "new", "jti"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000,\"jti\":7,\"sid\":42}", "new",
         "jti"},
        {HEAD,
         "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000,\"sid\":42,\"jti\":"
         "\"12345678901234567890123456789012345678901234567890123456789012345\"}",
         "new", "jti"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000,\"jti\":\"x\"}", "new", "sid"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000,\"jti\":\"x\",\"sid\":0}",
         "new", "sid"},
        {HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000,\"jti\":\"x\",\"sid\":\"1\"}",
         "new", "sid"},

        /* The claims as a whole. */
        {HEAD, "[]", "new", "no object"},
        {HEAD, "\"7\"", "new", "no object"},
        {HEAD, "7", "new", "no object"},
        {HEAD, BODY "{}", "new", "not JSON"},
        {HEAD, "{", "new", "not JSON"},
        {HEAD, "{\"sub\":\"7\",\"x\":\"\xFF\",\"exp\":1700000900" REST, "new", "not JSON"},
        {HEAD, " " BODY "\n", "new", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf token;
        struct token_claims claims;
        struct why why;
        forge(&token, rows[i].head, rows[i].body, secret_of(rows[i].kid));
        bool fine = accepted(ring, buf_str(&token), &claims, &why);
        if (fine != (rows[i].refused == NULL) ||
            (!fine && strstr(why.text, rows[i].refused) == NULL)) {
            print_error("row %zu, %s %s: %s\n", i, rows[i].head, rows[i].body,
                        fine ? "accepted" : why.text);
            fail();
        }
        buf_release(&token);
    }
}

static void legacy_tokens_verify_with_the_legacy_secret_only(void **state)
{
    (void)state;
#define OLD_HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
    static const struct {
        const char *head, *body, *kid;
        const char *refused;
    } rows[] = {
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900}", NULL, NULL},
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"sid\":42,\"jti\":\"x\"}", NULL, NULL},
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700000000}", NULL, NULL},
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":1700009999}", NULL, "future"},
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900,\"iat\":\"now\"}", NULL, "iat"},
        {OLD_HEAD, "{\"sub\":\"7\"}", NULL, "exp"}, /* valid for ever in the old system */
        {OLD_HEAD, "{\"sub\":\"bob\",\"exp\":1700000900}", NULL, "sub"},
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1699999999}", NULL, "expired"},
        {OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900}", "new", "signature"},
        {"{\"alg\":\"none\"}", "{\"sub\":\"7\",\"exp\":1700000900}", NULL, "HS256"},
        {"{\"alg\":\"HS256\",\"kid\":\"new\"}", "{\"sub\":\"7\",\"exp\":1700000900}", NULL,
         "signature"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf token;
        struct token_claims claims;
        struct why why;
        forge(&token, rows[i].head, rows[i].body, secret_of(rows[i].kid));
        bool fine = accepted(ring, buf_str(&token), &claims, &why);
        if (fine != (rows[i].refused == NULL)) print_error("row %zu: %s\n", i, why.text);
        assert_int_equal(fine, rows[i].refused == NULL);
        if (fine) {
            assert_true(claims.legacy);
            assert_int_equal(claims.user.value, 7);
            assert_int_equal(claims.session, 0); /* a sid of elsewhere is no session of ours */
            /* 0, not libjwt's -1: it is compared with the time of a log-out everywhere */
            assert_int_equal(claims.issued_s, strstr(rows[i].body, "iat") ? 1700000000 : 0);
        } else {
            assert_non_null(strstr(why.text, rows[i].refused));
        }
        assert_false(accepted(ring_without_legacy, buf_str(&token), &claims, &why));
        buf_release(&token);
    }
}

/* "" as a key would let anyone sign: no legacy secret must mean no legacy tokens. */
static void no_legacy_secret_is_not_an_empty_one(void **state)
{
    (void)state;
    struct buf token;
    struct token_claims claims;
    struct why why;
    forge(&token, OLD_HEAD, "{\"sub\":\"7\",\"exp\":1700000900}", STR(""));
    assert_false(accepted(ring_without_legacy, buf_str(&token), &claims, &why));
    assert_non_null(strstr(why.text, "jwt-secret"));
    buf_release(&token);
}

static void no_byte_of_a_token_can_be_changed(void **state)
{
    (void)state;
    static const char bytes[] = "AQgwZaz059-_=+/. \n%\\\"\x80";
    struct token_claims signed_claims = some_claims(), claims;
    struct why why;
    struct buf token;
    sign_ok(&signed_claims, &token);
    for (size_t i = 0; i < token.len; i++) {
        char before = token.at[i];
        for (size_t b = 0; b < sizeof(bytes); b++) { /* with its NUL */
            if (bytes[b] == before) continue;
            token.at[i] = bytes[b];
            assert_false(accepted(ring, buf_str(&token), &claims, &why));
        }
        token.at[i] = before;
    }
    assert_true(accepted(ring, buf_str(&token), &claims, &why));
    buf_release(&token);
}

static void a_token_cannot_be_cut_or_lengthened(void **state)
{
    (void)state;
    static const char *const tails[] = {"A", "AA", "=",   "==",   ".", ".A",      "..",
                                        " ", "\n", "%20", "&x=1", ",", "\xC2\xA0"};
    struct token_claims signed_claims = some_claims(), claims;
    struct why why;
    struct buf token, changed;
    sign_ok(&signed_claims, &token);
    for (size_t len = 0; len < token.len; len++) {
        /* A copy of just that length, so that reading past it is noticed. */
        char *cut = test_malloc(len + 1);
        memcpy(cut, token.at, len);
        assert_false(accepted(ring, (struct str){cut, len}, &claims, &why));
        assert_false(accepted(ring, str_from(buf_str(&token), len + 1), &claims, &why));
        test_free(cut);
    }
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        buf_init(&changed, 4096);
        buf_add_str(&changed, buf_str(&token));
        buf_add_str(&changed, str_of(tails[i]));
        assert_false(accepted(ring, buf_str(&changed), &claims, &why));
        buf_reset(&changed, 4096);
        buf_add_str(&changed, str_of(tails[i]));
        buf_add_str(&changed, buf_str(&token));
        assert_false(accepted(ring, buf_str(&changed), &claims, &why));
        buf_release(&changed);
    }
    /* With a NUL, which C strings would end at. */
    assert_false(accepted(ring, (struct str){token.at, token.len + 1}, &claims, &why));
    buf_release(&token);
}

static void parts_of_two_tokens_do_not_make_a_third(void **state)
{
    (void)state;
    struct token_claims mine = some_claims(), admin = some_claims(), claims;
    admin.user.value = 1;
    struct why why;
    struct buf one, two, mixed;
    sign_ok(&mine, &one);
    sign_ok(&admin, &two);
    struct str rest = buf_str(&one), other_rest = buf_str(&two);
    struct str head = {0}, body = {0}, mac = {0}, other_body = {0};
    assert_true(str_split(&rest, '.', &head) && str_split(&rest, '.', &body));
    mac = rest;
    assert_true(str_split(&other_rest, '.', &head) && str_split(&other_rest, '.', &other_body));

    const struct str wholes[][3] = {
        {head, other_body, mac}, {head, body, other_rest},    {body, head, mac},
        {head, body, head},      {head, body, STR("")},       {STR(""), body, mac},
        {head, STR(""), mac},    {STR(""), STR(""), STR("")},
    };
    for (size_t i = 0; i < COUNT_OF(wholes); i++) {
        buf_init(&mixed, 4096);
        for (size_t part = 0; part < 3; part++) {
            if (part > 0) buf_add_byte(&mixed, '.');
            buf_add_str(&mixed, wholes[i][part]);
        }
        assert_false(accepted(ring, buf_str(&mixed), &claims, &why));
        buf_release(&mixed);
    }
    buf_release(&one);
    buf_release(&two);
}

static void unsigned_tokens_are_refused_in_every_spelling(void **state)
{
    (void)state;
    static const char *const algs[] = {"none", "None", "NONE", "nOnE", "HS256"};
    static const char *const macs[] = {"", "AA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < COUNT_OF(algs) * COUNT_OF(macs); i++) {
        struct token_claims claims;
        struct why why;
        struct buf token;
        char head[64];
        snprintf(head, sizeof(head), "{\"alg\":\"%s\",\"kid\":\"new\"}", algs[i % COUNT_OF(algs)]);
        buf_init(&token, 4096);
        add_base64url(&token, head, strlen(head));
        buf_add_byte(&token, '.');
        add_base64url(&token, BODY, strlen(BODY));
        assert_false(accepted(ring, buf_str(&token), &claims, &why)); /* two parts */
        buf_add_byte(&token, '.');
        buf_add_str(&token, str_of(macs[i / COUNT_OF(algs)]));
        assert_false(accepted(ring, buf_str(&token), &claims, &why));
        buf_release(&token);
    }
}

static void a_token_may_have_two_kibibytes_and_no_more(void **state)
{
    (void)state;
    for (size_t fill = 1300; fill < 1400; fill++) {
        char body[2048], padding[1400];
        memset(padding, 'x', fill);
        padding[fill] = '\0';
        snprintf(body, sizeof(body), "{\"sub\":\"7\",\"exp\":1700000900,\"x\":\"%s\"" REST,
                 padding);
        struct token_claims claims;
        struct why why;
        struct buf token;
        forge(&token, HEAD, body, secret_of("new"));
        assert_int_equal(accepted(ring, buf_str(&token), &claims, &why),
                         token.len <= TOKEN_BYTES_MAX);
        if (fill == 1300) assert_in_range(token.len, 1, TOKEN_BYTES_MAX);
        if (fill == 1399) assert_true(token.len > TOKEN_BYTES_MAX);
        buf_release(&token);
    }
}

static void nested_json_cannot_exhaust_the_stack(void **state)
{
    (void)state;
    char body[1500] = "{\"x\":";
    memset(body + 5, '[', 1400);
    struct token_claims claims;
    struct why why;
    struct buf token;
    forge(&token, HEAD, body, secret_of("new"));
    assert_false(accepted(ring, buf_str(&token), &claims, &why));
    buf_release(&token);
    forge(&token, body, BODY, secret_of("new"));
    assert_false(accepted(ring, buf_str(&token), &claims, &why));
    buf_release(&token);
}

static void refresh_tokens_are_random_and_stored_as_a_hash(void **state)
{
    (void)state;
    char one[REFRESH_TEXT_BYTES], two[REFRESH_TEXT_BYTES];
    struct refresh_hash hash, again, other;
    refresh_new(one);
    refresh_new(two);
    assert_int_equal(strlen(one), 65);
    assert_memory_not_equal(one, two, 22);
    assert_memory_not_equal(one + 22, two + 22, 43);
    assert_true(refresh_hash(str_of(one), &hash));
    assert_true(refresh_hash(str_of(one), &again));
    assert_true(refresh_hash(str_of(two), &other));
    assert_memory_equal(&hash, &again, sizeof(hash));
    assert_memory_not_equal(hash.family, other.family, REFRESH_HASH_BYTES);
    assert_memory_not_equal(hash.own, other.own, REFRESH_HASH_BYTES);

    /* Stored hashes outlive programs: BLAKE2b-256 (RFC 7693 with 32 bytes), as b2sum says it. */
    char hex[2 * REFRESH_HASH_BYTES + 1];
    assert_true(refresh_hash(
        STR("aaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), &hash));
    hex_write(hex, hash.family, REFRESH_HASH_BYTES);
    assert_string_equal(hex, "36119e7449a6724a3fc623ac3bd4277a4ea653e2578abfade4e242e307688958");
    hex_write(hex, hash.own, REFRESH_HASH_BYTES);
    assert_string_equal(hex, "a18f9c255ff2d16b0431515ee4baa2ba4dea0be495b16439c75d45c067febbb3");
}

static void the_next_refresh_token_is_of_the_same_family(void **state)
{
    (void)state;
    char one[REFRESH_TEXT_BYTES], two[REFRESH_TEXT_BYTES];
    struct refresh_hash first, second;
    refresh_new(one);
    refresh_next(str_of(one), two);
    assert_int_equal(strlen(two), 65);
    assert_memory_equal(one, two, 22);
    assert_true(refresh_hash(str_of(one), &first));
    assert_true(refresh_hash(str_of(two), &second));
    assert_memory_equal(first.family, second.family, REFRESH_HASH_BYTES);
    assert_memory_not_equal(first.own, second.own, REFRESH_HASH_BYTES);
}

static void a_text_of_another_length_is_no_refresh_token(void **state)
{
    (void)state;
    char text[200];
    struct refresh_hash hash;
    memset(text, 'A', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        assert_int_equal(refresh_hash((struct str){text, len}, &hash), len == 65);
    }
    assert_false(refresh_hash((struct str){0}, &hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_comes_back),
        cmocka_unit_test(every_token_has_an_id_of_its_own),
        cmocka_unit_test(the_header_names_algorithm_type_and_key),
        cmocka_unit_test(a_token_that_does_not_fit_is_reported),
        cmocka_unit_test(a_token_holds_until_its_second_of_expiry),
        cmocka_unit_test(well_signed_tokens_are_judged_by_header_and_claims),
        cmocka_unit_test(legacy_tokens_verify_with_the_legacy_secret_only),
        cmocka_unit_test(no_legacy_secret_is_not_an_empty_one),
        cmocka_unit_test(no_byte_of_a_token_can_be_changed),
        cmocka_unit_test(a_token_cannot_be_cut_or_lengthened),
        cmocka_unit_test(parts_of_two_tokens_do_not_make_a_third),
        cmocka_unit_test(unsigned_tokens_are_refused_in_every_spelling),
        cmocka_unit_test(a_token_may_have_two_kibibytes_and_no_more),
        cmocka_unit_test(nested_json_cannot_exhaust_the_stack),
        cmocka_unit_test(refresh_tokens_are_random_and_stored_as_a_hash),
        cmocka_unit_test(the_next_refresh_token_is_of_the_same_family),
        cmocka_unit_test(a_text_of_another_length_is_no_refresh_token),
    };
    return cmocka_run_group_tests(tests, open_rings, free_rings);
}
