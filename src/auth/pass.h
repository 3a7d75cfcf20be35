/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/pass.h: a signed note that somebody without an account has shown a secret.
 *
 * It says nothing about who they are: only that what it is for (`purpose`) was
 * opened with `secret` and stays open until a moment. Change the secret, and all
 * notes about the older one are worth nothing. Signed by the keyring's newest
 * key, good for as long as that key verifies; nothing is kept of it, so it
 * holds on every instance that has the keys.
 *
 * A note is letters, digits, '.', '-' and '_': it may stand in a cookie.
 *
 * Any thread; nothing is kept between calls.
 */
#pragma once

#include "base/str.h"

struct keyring;

enum { PASS_BYTES = 128 /* a NUL included */ };

/* `expires_s` is wall time. */
void pass_sign(const struct keyring *keyring, struct str purpose, struct str secret,
               int64_t expires_s, char text_out[PASS_BYTES]);
/* Did we sign this for that purpose and secret, and does it hold at `now_s`? */
bool pass_holds(const struct keyring *keyring, struct str purpose, struct str secret,
                struct str text, int64_t now_s);
