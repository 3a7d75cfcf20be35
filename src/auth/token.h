/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/token.h: the short-lived access token and the long-lived refresh token.
 *
 * An access token is a JWT (RFC 7519) in compact form, signed with HS256 by the
 * newest key of the keyring:
 *
 *     {"alg":"HS256","typ":"JWT","kid":"…"}
 *     {"sub":"7","exp":1700000900,"iat":1700000000,"jti":"…","sid":42}
 *
 * Verifying follows RFC 8725: one algorithm, chosen by us and not by the token;
 * `exp` is required; a kid that we do not know is refused, never guessed at.
 * A token without kid comes from the system before this one ({"sub","exp"} is
 * all it has) and verifies with the legacy secret only.
 *
 * A valid token says who signed in when it was signed. Whether the session and
 * the account still stand is for the caller to look up.
 *
 * A refresh token is 256 random bits and means nothing by itself; the store
 * keeps its hash only. Any thread; nothing is kept between calls.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct keyring;

enum {
    TOKEN_BYTES_MAX = 2048,
    TOKEN_ID_BYTES = 65,     /* ours have 22 characters and a NUL, others' at most 64 */
    TOKEN_CLOCK_SKEW_S = 60, /* how far `iat` may be ahead of our clock */
    REFRESH_TEXT_BYTES = 44, /* 43 characters and a NUL */
    REFRESH_HASH_BYTES = 32,
};

/* Open data. */
struct token_claims {
    struct user_id user;     /* sub: 1 to 2^53 */
    uint64_t session;        /* sid: 1 to 2^53; 0 in legacy tokens */
    int64_t issued_s;        /* iat; 0 when a legacy token has none */
    int64_t expires_s;       /* exp: from this second on it is over */
    char id[TOKEN_ID_BYTES]; /* jti; "" when a legacy token has none */
    bool legacy;             /* verified with the legacy secret */
};

/*
 * Append a token to `out`. An empty `id` means: draw one of 128 random bits.
 * `user`, `session` and `expires_s` must be set; `legacy` is not looked at.
 * ERR_LIMIT: it did not fit into `out`.
 */
MUST_USE enum err token_sign(const struct keyring *keyring, const struct token_claims *claims,
                             struct buf *out, struct why *why);

/*
 * OK: one of our keys signed it and it holds at `now_s`. ERR_UNKNOWN_CALLER: no;
 * the sentence says why, for the log at debug level: tell strangers only that
 * they need to sign in. Nothing is written to *claims_out unless OK.
 */
MUST_USE enum err token_verify(const struct keyring *keyring, struct str token, int64_t now_s,
                               struct token_claims *claims_out, struct why *why);

/* A new refresh token, NUL-terminated. */
void refresh_new(char text_out[REFRESH_TEXT_BYTES]);
/* What the store keeps of it: BLAKE2b-256. Any text is taken; a wrong one is just not found. */
void refresh_hash(struct str text, uint8_t hash_out[REFRESH_HASH_BYTES]);
