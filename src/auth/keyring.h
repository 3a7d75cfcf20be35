/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/keyring.h: the keys that sign access tokens, in a file of the data folder.
 *
 * `keys.json` (mode 0600) is a list of {"kid", "secret", "created"}: the secret
 * is 32 bytes in base64url, `created` is in seconds. The newest key signs, all
 * of them verify. The file is made at the first start; there is no default
 * secret. Every change writes a new file beside it, syncs, and renames, under a
 * lock, so that a crash or a second process leaves one whole file.
 *
 * Tokens without a kid come from the system before this one; they verify with
 * the legacy secret (setting jwt-secret), if there is one.
 *
 * A keyring never changes once it is open: any thread reads it without a lock.
 * Rotating and pruning give a *new* keyring; the caller swaps it in and frees
 * the old one when no thread can be using it any more. Sentences are for
 * operators and name paths, never secrets.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum {
    KEY_SECRET_BYTES = 32,
    KEY_ID_BYTES = 17, /* 16 hex digits when made here, and a NUL */
    KEYRING_KEYS_MAX = 64,
    LEGACY_SECRET_BYTES_MIN = 16,
    LEGACY_SECRET_BYTES_MAX = 512,
};

struct keyring;

/* Open data. */
struct signing_key {
    char kid[KEY_ID_BYTES]; /* letters, digits, '-' and '_' */
    uint8_t secret[KEY_SECRET_BYTES];
    int64_t created_s; /* wall time */
};

/*
 * Read `folder`/keys.json, or make it with one new key. `legacy` may be empty.
 * ERR_INVALID: the legacy secret is known to the public or too short.
 * ERR_DENIED: others than the owner may read the file. ERR_CORRUPT: it is not
 * what we wrote. ERR_IO: the system said no.
 */
MUST_USE enum err keyring_open(const char *folder, struct str legacy, int64_t now_s,
                               struct keyring **keyring_out, struct why *why);
/*
 * A keyring without a file, of copies of `keys`, oldest first: for tests, and
 * for tools that only verify. At least one key, at most KEYRING_KEYS_MAX.
 */
struct keyring *keyring_new(const struct signing_key *keys, size_t count, struct str legacy);
void keyring_free(struct keyring *keyring); /* wipes the secrets; NULL is fine */

/*
 * One more key, which signs from now on. Reads the file anew first, so keys
 * that another process made meanwhile are kept. On failure the file is as it
 * was. ERR_LIMIT: KEYRING_KEYS_MAX keys; prune first. Others as keyring_open.
 */
MUST_USE enum err keyring_rotate(const struct keyring *keyring, int64_t now_s,
                                 struct keyring **next_out, struct why *why);
/*
 * Without the keys that stopped signing before `older_than_s`, that is, whose
 * successor was made before it. Give now minus the longest life of a token, and
 * no token that still holds loses its key. The newest key always stays.
 */
MUST_USE enum err keyring_prune(const struct keyring *keyring, int64_t older_than_s,
                                struct keyring **next_out, struct why *why);

/* All borrowed until keyring_free. */
const struct signing_key *keyring_newest(const struct keyring *keyring);
const struct signing_key *keyring_find(const struct keyring *keyring, struct str kid);
size_t keyring_count(const struct keyring *keyring);
/* Empty when there is none. */
struct str keyring_legacy(const struct keyring *keyring);

/* ERR_INVALID: a secret that is published somewhere, looks like a placeholder, or is too short. */
MUST_USE enum err legacy_secret_check(struct str secret, struct why *why);

void keyring_check(const struct keyring *keyring); /* asserts the invariants */
