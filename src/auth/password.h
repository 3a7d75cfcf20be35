/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/password.h: passwords into hashes, and back into a yes or a no.
 *
 * New hashes are argon2id (libargon2) with the cost in `struct passwords`.
 * Hashes of imported members may be bcrypt ($2a$, $2b$, $2y$); those are
 * accepted and reported as due for a new hash, as are weaker argon2id ones.
 *
 * For a name nobody has, or an account without a password (residents), verify
 * against password_dummy() and then refuse: the answer takes as long as for a
 * wrong password. As long as there are hashes in bcrypt (passwords_expect_bcrypt()),
 * every wrong password costs one of each kind, or the time would tell who was
 * imported. (An argon2id hash of another of OWASP's sets takes up to a third
 * longer, and stays.)
 *
 * Everything here but password_check blocks for tens of milliseconds and takes
 * `memory_bytes`: call it on a worker. Read-only after passwords_open, so any
 * number of workers may share one struct.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum { PASSWORD_HASH_BYTES = 128 /* with the NUL; the longest argon2id text */ };

/* Lanes are always 1: a worker is one thread. */
struct password_cost {
    uint64_t passes;
    uint64_t memory_bytes;
};

/* OWASP Password Storage Cheat Sheet: argon2id with 7 MiB, t=5, p=1; of the five sets it calls
 * equal the one that disturbs others least (docs/decisions/0007-argon2.md). */
#define PASSWORD_COST_OWASP ((struct password_cost){.passes = 5, .memory_bytes = 7 * 1024 * 1024})
/* The least that argon2 allows. For tests only. */
#define PASSWORD_COST_TESTS ((struct password_cost){.passes = 1, .memory_bytes = 8 * 1024})

/* Open data. Any thread reads it after passwords_open. */
struct passwords {
    struct password_cost cost;
    char dummy[PASSWORD_HASH_BYTES];
    char bcrypt[32]; /* the setting of one that nobody has; empty: none are expected */
};

/*
 * Fill `passwords`; makes the dummy hash, so it takes as long as one login.
 * ERR_INVALID: a cost that is too small or too large (as settings may be).
 */
MUST_USE enum err passwords_open(struct passwords *passwords, struct password_cost cost,
                                 struct why *why);

/* There are imported hashes, the dearest of this bcrypt cost (4 to 15; 0: none). Before any other
 * thread has `passwords`. */
void passwords_expect_bcrypt(struct passwords *passwords, uint64_t cost);

/* What a member may choose: valid UTF-8 of 6 to 100 characters, no NUL. Never trimmed. */
MUST_USE enum err password_check(struct str password, struct why *why);

/* ERR_INVALID: a NUL in it. ERR_BUSY: no memory for it just now. */
MUST_USE enum err password_hash(const struct passwords *passwords, struct str password,
                                char hash_out[PASSWORD_HASH_BYTES], struct why *why);

/*
 * OK: it is the password; *rehash_out says that the hash is bcrypt or weaker
 * than `cost` (OWASP's sets are as strong as each other), and that the caller
 * should store a new one.
 * ERR_UNKNOWN_CALLER: it is another password. ERR_BUSY: no memory just now.
 * ERR_CORRUPT: `hash` is no hash that we know, or costs more than we will pay
 * (it comes from the store, but an import may have brought anything).
 * *rehash_out is false unless OK.
 */
MUST_USE enum err password_verify(const struct passwords *passwords, struct str hash,
                                  struct str password, bool *rehash_out, struct why *why);

/* A hash that no password fits, of the same cost. Good as long as `passwords`. */
struct str password_dummy(const struct passwords *passwords);
