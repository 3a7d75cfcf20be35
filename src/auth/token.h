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
 * A refresh token means nothing by itself; the store keeps hashes only. It is
 * two random texts in base64url: the family, 128 bits that all tokens of one
 * log-in share, and 256 bits of its own. By the family a token that was replaced
 * long ago still finds its log-in. The family alone opens nothing; who knows it
 * has seen one of the tokens.
 *
 * Any thread; nothing is kept between calls.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct keyring;

enum {
    TOKEN_BYTES_MAX = 2048,
    TOKEN_ID_BYTES = 65,     /* ours have 22 characters and a NUL, others' at most 64 */
    TOKEN_CLOCK_SKEW_S = 60, /* how far `iat` may be ahead of our clock */
    REFRESH_FAMILY_CHARS = 22,
    REFRESH_OWN_CHARS = 43,
    REFRESH_TEXT_BYTES = REFRESH_FAMILY_CHARS + REFRESH_OWN_CHARS + 1, /* a NUL */
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

/* The first refresh token of a new family, NUL-terminated. */
void refresh_new(char text_out[REFRESH_TEXT_BYTES]);
/* The one that replaces `old`, a text that refresh_hash() took. */
void refresh_next(struct str old, char text_out[REFRESH_TEXT_BYTES]);

/* What the store keeps of one: BLAKE2b-256 of either part. */
struct refresh_hash {
    uint8_t family[REFRESH_HASH_BYTES], own[REFRESH_HASH_BYTES];
};
/* false: of another length than ours, so nobody's. What else is wrong with it is just not found. */
bool refresh_hash(struct str text, struct refresh_hash *hash_out);
