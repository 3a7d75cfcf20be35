/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/password.c: argon2id by libargon2, bcrypt by libcrypt.
 *
 * libsodium has argon2id too, but maps the memory for every hash and gives it
 * back after it: thousands of page faults, and every other thread of the process
 * is interrupted to forget the pages. libargon2 takes its memory from malloc(),
 * where it stays for the next hash (docs/decisions/0007-argon2.md).
 *
 * The parameters of a stored hash are read here: there is a ceiling on what it
 * may cost, and one that is weaker than we make them now is due for a new one.
 */
#include "auth/password.h"

#include <argon2.h>
#include <crypt.h>
#include <sodium.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"

enum {
    BCRYPT_BYTES = 60,          /* "$2b$12$", 22 characters of salt, 31 of hash */
    BCRYPT_PASSWORD_BYTES = 72, /* bcrypt takes no more of a password */
    /* Each step doubles the time: 12 takes about 0.4 s, 15 about 3 s on a worker. */
    BCRYPT_COST_MIN = 4,
    BCRYPT_COST_MAX = 15,
    /* Six times what OWASP asks for, and a gigabyte. */
    ARGON_PASSES_MAX = 12,
    ARGON_KIB_MAX = 1024 * 1024,
    ARGON_LANES_MAX = 16,
    ARGON_SALT_BYTES = 16,
    ARGON_KEY_BYTES = 32,
};

struct argon_cost {
    uint64_t kib, passes, lanes;
};

enum err passwords_open(struct passwords *passwords, struct password_cost cost, struct why *why)
{
    if (cost.passes < ARGON2_MIN_TIME || cost.passes > ARGON_PASSES_MAX) {
        return why_set(why, ERR_INVALID, "passwords can be hashed in %d to %d passes, not %llu",
                       (int)ARGON2_MIN_TIME, ARGON_PASSES_MAX, (unsigned long long)cost.passes);
    }
    if (cost.memory_bytes < UINT64_C(1024) * ARGON2_MIN_MEMORY ||
        cost.memory_bytes > UINT64_C(1024) * ARGON_KIB_MAX) {
        return why_set(why, ERR_INVALID,
                       "passwords can be hashed in 8 KiB to 1 GiB of memory, not in %llu bytes",
                       (unsigned long long)cost.memory_bytes);
    }
    passwords->cost = cost;

    /* The hash of 256 random bits that nobody keeps. */
    uint8_t secret[32];
    char text[2 * sizeof(secret) + 1];
    random_bytes(secret, sizeof(secret));
    hex_write(text, secret, sizeof(secret));
    enum err err = password_hash(passwords, str_of(text), passwords->dummy, why);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
    return err;
}

void passwords_expect_bcrypt(struct passwords *passwords, uint64_t cost)
{
    passwords->bcrypt[0] = '\0';
    if (cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX) return;
    snprintf(passwords->bcrypt, sizeof(passwords->bcrypt), "$2b$%02u$......................",
             (unsigned)cost);
}

static bool has_nul(struct str password)
{
    return str_find_byte(password, '\0') < password.len;
}

enum err password_check(struct str password, struct why *why)
{
    if (!utf8_valid(password))
        return why_field(why, "password", "string_unicode", "password is not valid UTF-8");
    if (has_nul(password)) {
        return why_field(why, "password", "value_error", "password has a NUL character");
    }
    size_t count = utf8_count(password);
    if (count < LIMIT_PASSWORD_MIN) {
        return why_field(why, "password", "string_too_short",
                         "password has %zu characters, at least %d needed", count,
                         LIMIT_PASSWORD_MIN);
    }
    if (count > LIMIT_PASSWORD_MAX) {
        return why_field(why, "password", "string_too_long",
                         "password has %zu characters, at most %d allowed", count,
                         LIMIT_PASSWORD_MAX);
    }
    return OK;
}

enum err password_hash(const struct passwords *passwords, struct str password,
                       char hash_out[PASSWORD_HASH_BYTES], struct why *why)
{
    if (has_nul(password)) return why_set(why, ERR_INVALID, "password has a NUL character");
    uint8_t salt[ARGON_SALT_BYTES];
    random_bytes(salt, sizeof(salt));
    int failed = argon2id_hash_encoded((uint32_t)passwords->cost.passes,
                                       (uint32_t)(passwords->cost.memory_bytes / 1024), 1,
                                       password.at, password.len, salt, sizeof(salt),
                                       ARGON_KEY_BYTES, hash_out, PASSWORD_HASH_BYTES);
    ASSERT(failed == ARGON2_OK || failed == ARGON2_MEMORY_ALLOCATION_ERROR);
    if (failed) return why_set(why, ERR_BUSY, "no memory to hash a password; try again");
    return OK;
}

/* "m=7168,t=5,p=1": the number behind `name`, taken off `*rest` with its separator. */
static bool take_number(struct str *rest, const char *name, char separator, uint64_t *value_out)
{
    struct str piece;
    if (!str_split(rest, separator, &piece)) return false;
    if (!str_starts(piece, str_of(name))) return false;
    return str_to_u64(str_from(piece, strlen(name)), value_out);
}

static bool argon_read(struct str hash, struct argon_cost *cost_out)
{
    struct str rest = hash;
    struct str prefix = STR("$argon2id$v=19$");
    if (!str_starts(rest, prefix)) return false;
    rest = str_from(rest, prefix.len);
    return take_number(&rest, "m=", ',', &cost_out->kib) &&
           take_number(&rest, "t=", ',', &cost_out->passes) &&
           take_number(&rest, "p=", '$', &cost_out->lanes);
}

/* OWASP Password Storage Cheat Sheet: "an equal level of defense". One lane each. */
static const struct argon_cost owasp_sets[] = {
    {47104, 1, 1}, {19456, 2, 1}, {12288, 3, 1}, {9216, 4, 1}, {7168, 5, 1},
};

static bool reaches(struct argon_cost cost, struct argon_cost least)
{
    return cost.kib >= least.kib && cost.passes >= least.passes;
}

/* In both numbers; or, where no more than one of OWASP's sets is asked for, by any other of them.
 */
static bool strong_enough(struct argon_cost made, struct argon_cost wanted)
{
    bool owasp_wanted = false, owasp_made = false;
    for (size_t i = 0; i < COUNT_OF(owasp_sets); i++) {
        owasp_wanted = owasp_wanted || reaches(owasp_sets[i], wanted);
        owasp_made = owasp_made || reaches(made, owasp_sets[i]);
    }
    return reaches(made, wanted) || (owasp_wanted && owasp_made);
}

static enum err argon_verify(const struct passwords *passwords, struct str hash,
                             struct str password, bool *rehash_out, struct why *why)
{
    struct argon_cost cost = {0};
    char text[PASSWORD_HASH_BYTES];
    if (hash.len >= sizeof(text) || has_nul(hash) || !argon_read(hash, &cost)) {
        return why_set(why, ERR_CORRUPT, "the stored password hash is damaged");
    }
    if (cost.kib > ARGON_KIB_MAX || cost.passes > ARGON_PASSES_MAX ||
        cost.lanes > ARGON_LANES_MAX) {
        return why_set(why, ERR_CORRUPT, "the stored password hash is too costly to compute");
    }
    memset(text, 0, sizeof(text));
    memcpy(text, hash.at, hash.len);

    switch (argon2id_verify(text, password.at, password.len)) {
    case ARGON2_OK:
        *rehash_out = !strong_enough(cost, (struct argon_cost){passwords->cost.memory_bytes / 1024,
                                                               passwords->cost.passes, 1});
        return OK;
    case ARGON2_VERIFY_MISMATCH:
        return why_set(why, ERR_UNKNOWN_CALLER, "the password does not match");
    case ARGON2_MEMORY_ALLOCATION_ERROR:
    case ARGON2_THREAD_FAIL:
        return why_set(why, ERR_BUSY, "no memory to check a password; try again");
    default: return why_set(why, ERR_CORRUPT, "the stored password hash is damaged");
    }
}

static bool is_bcrypt(struct str hash)
{
    return str_starts(hash, STR("$2a$")) || str_starts(hash, STR("$2b$")) ||
           str_starts(hash, STR("$2y$"));
}

/* bcrypt of the password with a setting ("$2b$12$", a salt and perhaps more), compared with
 * `wanted`. */
static enum err bcrypt_compare(const char *setting, struct str password, struct str wanted,
                               struct why *why)
{
    /* Not str_copy: bcrypt cuts at byte 72, in the middle of a character if need be. */
    char text[BCRYPT_PASSWORD_BYTES + 1] = "";
    if (password.len > 0) memcpy(text, password.at, MIN(password.len, BCRYPT_PASSWORD_BYTES));

    struct crypt_data *data = NEW(struct crypt_data); /* 32 KiB: too much for a worker's stack */
    const char *got = crypt_r(text, setting, data);
    enum err err = OK;
    if (got == NULL || got[0] == '*') { /* "*0": the setting is no good */
        err = why_set(why, ERR_CORRUPT, "the stored password hash is damaged");
    } else if (!str_eq_secret(str_of(got), wanted)) {
        err = why_set(why, ERR_UNKNOWN_CALLER, "the password does not match");
    }
    sodium_memzero(text, sizeof(text));
    sodium_memzero(data, sizeof(*data));
    mem_free(data);
    return err;
}

static enum err bcrypt_verify(struct str hash, struct str password, bool *rehash_out,
                              struct why *why)
{
    uint64_t cost;
    char setting[BCRYPT_BYTES + 1] = "";
    if (hash.len != BCRYPT_BYTES || has_nul(hash) || hash.at[6] != '$' ||
        !str_to_u64(str_head(str_from(hash, 4), 2), &cost) || cost < BCRYPT_COST_MIN) {
        return why_set(why, ERR_CORRUPT, "the stored password hash is damaged");
    }
    if (cost > BCRYPT_COST_MAX) {
        return why_set(why, ERR_CORRUPT, "the stored password hash is too costly to compute");
    }
    memcpy(setting, hash.at, BCRYPT_BYTES);
    enum err err = bcrypt_compare(setting, password, hash, why);
    *rehash_out = err == OK;
    return err;
}

/* What a wrong password has not cost yet; what comes out is nothing. */
static void spend_other(const struct passwords *passwords, bool was_bcrypt, struct str password)
{
    struct why unused;
    bool unneeded;
    if (was_bcrypt) {
        (void)!argon_verify(passwords, str_of(passwords->dummy), password, &unneeded, &unused);
    } else {
        (void)!bcrypt_compare(passwords->bcrypt, password, STR(""), &unused);
    }
}

enum err password_verify(const struct passwords *passwords, struct str hash, struct str password,
                         bool *rehash_out, struct why *why)
{
    ASSERT(passwords->cost.passes > 0);
    *rehash_out = false;
    /* No hash was ever made of a password with a NUL, and bcrypt would stop there. Not found out
     * sooner for one account than for another, so the time tells nothing. */
    if (has_nul(password)) {
        return why_set(why, ERR_UNKNOWN_CALLER, "the password does not match");
    }
    bool bcrypt = is_bcrypt(hash);
    enum err err = bcrypt ? bcrypt_verify(hash, password, rehash_out, why)
                          : argon_verify(passwords, hash, password, rehash_out, why);
    if (err == ERR_UNKNOWN_CALLER && passwords->bcrypt[0]) spend_other(passwords, bcrypt, password);
    return err;
}

struct str password_dummy(const struct passwords *passwords)
{
    ASSERT(passwords->dummy[0] == '$');
    return str_of(passwords->dummy);
}
