/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/keyring.c: keys.json and what keeps it whole.
 *
 * The file being written is also the lock: whoever wants to change keys.json
 * opens keys.json.new and locks it (flock), and a rename turns the locked file
 * into keys.json. A lock file of its own would stay behind after a crash and
 * need someone to judge whether it still means anything; this one is simply
 * emptied and used again.
 */
#include "auth/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/file.h"

enum {
    PATH_BYTES = 4096,
    FILE_BYTES_MAX = 64 * 1024,
    SECRET_TEXT_BYTES = 44, /* base64url of 32 bytes, without padding, and a NUL */
};

/* Lives wherever its owner does; never changes after it was made. */
struct keyring {
    char *folder;              /* owned; NULL: lives in memory only */
    char *legacy;              /* owned; NULL: none */
    size_t count;              /* at least 1 */
    struct signing_key keys[]; /* oldest first */
};

/* A list of keys on its way into or out of the file. */
struct key_list {
    size_t count;
    struct signing_key keys[KEYRING_KEYS_MAX];
};

/*
 * Secrets that anyone can read on the internet, or that only stand where one
 * should be. Compared without case and without anything but letters and digits.
 */
static const char *const public_parts[] = {
    "yoursecret",   "yourjwtsecret", "yoursupersecret", "changeme",    "changethis",
    "changeit",     "changein",      "replaceme",       "replacethis", "placeholder",
    "pleasechange", "supersecret",   "topsecret",       "mysecret",    "secretkey",
    "jwtsecret",    "defaultsecret", "examplesecret",   "testsecret",  "devsecret",
    "notasecret",   "keyboardcat",   "djangoinsecure",  "insecure",    "password",
};
static const char *const public_secrets[] = {
    "secret",
    "your256bitsecret",                /* the debugger at jwt.io, for years … */
    "astringsecretatleast256bitslong", /* … and now */
    "aicommunitysecret",               /* the name of the system before this one */
    "0123456789abcdef",                /* its repetitions: is_repetition */
    "1234567890123456",
    "12345678901234567890123456789012",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    /* The tutorial of FastAPI, which many small servers copied whole. */
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
};

/* Lower-case letters and digits of `secret`, cut at the room there is. */
static struct str squeeze(struct str secret, char to[LEGACY_SECRET_BYTES_MAX + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < secret.len && len < LEGACY_SECRET_BYTES_MAX; i++) {
        char c = secret.at[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) to[len++] = c;
    }
    to[len] = '\0';
    return (struct str){to, len};
}

/* "aaaa", "abcabcab": up to 16 bytes, again and again. */
static bool is_repetition(struct str s)
{
    for (size_t period = 1; period <= 16 && period * 2 <= s.len; period++) {
        if (memcmp(s.at, s.at + period, s.len - period) == 0) return true;
    }
    return false;
}

static bool is_public(struct str secret)
{
    char room[LEGACY_SECRET_BYTES_MAX + 1];
    struct str squeezed = squeeze(secret, room);
    bool found = is_repetition(secret);
    for (size_t i = 0; i < COUNT_OF(public_secrets); i++) {
        found |= str_eq(squeezed, str_of(public_secrets[i]));
    }
    for (size_t i = 0; i < COUNT_OF(public_parts); i++) {
        found |= str_find(squeezed, str_of(public_parts[i])) < squeezed.len;
    }
    sodium_memzero(room, sizeof(room));
    return found;
}

enum err legacy_secret_check(struct str secret, struct why *why)
{
    if (secret.len > LEGACY_SECRET_BYTES_MAX) {
        return why_set(why, ERR_INVALID, "jwt-secret has %zu bytes; at most %d are allowed",
                       secret.len, LEGACY_SECRET_BYTES_MAX);
    }
    if (is_public(secret)) {
        return why_set(why, ERR_INVALID,
                       "jwt-secret is a placeholder that anyone can guess, so anyone could sign in "
                       "as anyone; leave it empty, or set the random secret the old server used");
    }
    if (secret.len < LEGACY_SECRET_BYTES_MIN) {
        return why_set(why, ERR_INVALID,
                       "jwt-secret has %zu bytes, at least %d are needed; leave it empty, or set "
                       "the random secret the old server used",
                       secret.len, LEGACY_SECRET_BYTES_MIN);
    }
    if (str_find_byte(secret, '\0') < secret.len) {
        return why_set(why, ERR_INVALID, "jwt-secret has a NUL byte");
    }
    return OK;
}

struct keyring *keyring_new(const struct signing_key *keys, size_t count, struct str legacy)
{
    ASSERT(count > 0 && count <= KEYRING_KEYS_MAX);
    struct keyring *keyring = mem_alloc(sizeof(*keyring) + count * sizeof(keys[0]));
    keyring->count = count;
    memcpy(keyring->keys, keys, count * sizeof(keys[0]));
    if (legacy.len > 0) {
        keyring->legacy = mem_alloc(legacy.len + 1);
        memcpy(keyring->legacy, legacy.at, legacy.len);
    }
    keyring_check(keyring);
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    if (keyring == NULL) return;
    if (keyring->legacy) sodium_memzero(keyring->legacy, strlen(keyring->legacy));
    sodium_memzero(keyring->keys, keyring->count * sizeof(keyring->keys[0]));
    mem_free(keyring->legacy);
    mem_free(keyring->folder);
    mem_free(keyring);
}

static void key_make(struct signing_key *key, int64_t created_s)
{
    uint8_t id[(KEY_ID_BYTES - 1) / 2];
    random_bytes(id, sizeof(id));
    hex_write(key->kid, id, sizeof(id));
    random_bytes(key->secret, sizeof(key->secret));
    key->created_s = created_s;
}

static bool is_kid(struct str kid)
{
    if (kid.len == 0 || kid.len >= KEY_ID_BYTES) return false;
    for (size_t i = 0; i < kid.len; i++) {
        char c = kid.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!fine) return false;
    }
    return true;
}

static bool key_read(const struct json *value, struct signing_key *key_out)
{
    struct str kid, secret;
    size_t got = 0;
    if (json_kind(value) != JSON_OBJECT || !json_as_str(json_get(value, "kid"), &kid) ||
        !is_kid(kid) || !json_as_str(json_get(value, "secret"), &secret) ||
        !json_as_i64(json_get(value, "created"), &key_out->created_s) || key_out->created_s < 0) {
        return false;
    }
    str_copy(key_out->kid, sizeof(key_out->kid), kid);
    return sodium_base642bin(key_out->secret, sizeof(key_out->secret), secret.at, secret.len, NULL,
                             &got, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           got == sizeof(key_out->secret);
}

/* Keep the list in order of age; of two made in the same second the later entry is newer. */
static bool list_insert(struct key_list *list, const struct signing_key *key)
{
    if (list->count == KEYRING_KEYS_MAX) return false;
    size_t at = list->count;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->keys[i].kid, key->kid) == 0) return false;
    }
    for (; at > 0 && list->keys[at - 1].created_s > key->created_s; at--) {
        list->keys[at] = list->keys[at - 1];
    }
    list->keys[at] = *key;
    list->count++;
    return true;
}

static enum err list_parse(struct str text, const char *path, struct key_list *list,
                           struct why *why)
{
    struct json *tree = NULL;
    struct why inner = {0};
    bool fine = json_parse(text, &tree, NULL, &inner) == OK && json_kind(tree) == JSON_ARRAY;
    const struct json *at = fine ? json_first(tree) : NULL;
    for (; at && fine; at = json_after(at)) {
        struct signing_key key = {0};
        fine = key_read(at, &key) && list_insert(list, &key);
        sodium_memzero(&key, sizeof(key));
    }
    json_free(tree);
    if (fine && list->count > 0) return OK;
    return why_set(
        why, ERR_CORRUPT,
        "%s is damaged; restore it from a backup, or move it away to get a new key (then "
        "everyone has to sign in again)",
        path);
}

/* Only the owner may read it, and the owner is us (or root). */
static enum err mode_check(int file, const char *path, struct why *why)
{
    struct stat info;
    if (fstat(file, &info) < 0) {
        return why_set(why, ERR_IO, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) return why_set(why, ERR_CORRUPT, "%s is not a file", path);
    if (info.st_uid != geteuid() && info.st_uid != 0) {
        return why_set(why, ERR_DENIED, "%s belongs to user %u; run: chown %u %s", path,
                       (unsigned)info.st_uid, (unsigned)geteuid(), path);
    }
    if ((info.st_mode & 077) != 0) {
        return why_set(why, ERR_DENIED,
                       "%s may be read by others (mode %04o) and holds the keys that sign people "
                       "in; run: chmod 600 %s",
                       path, (unsigned)(info.st_mode & 07777), path);
    }
    if (info.st_size > FILE_BYTES_MAX) return why_set(why, ERR_CORRUPT, "%s is too long", path);
    return OK;
}

static enum err file_read(int file, const char *path, struct buf *text, struct why *why)
{
    for (;;) {
        char *space = buf_space(text, 4096);
        if (space == NULL) return why_set(why, ERR_CORRUPT, "%s is too long", path);
        ssize_t got = read(file, space, 4096);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return why_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (got == 0) return OK;
        buf_grew(text, (size_t)got);
    }
}

static void buf_wipe(struct buf *buf)
{
    if (buf->at) sodium_memzero(buf->at, buf->cap);
    buf_release(buf);
}

/* ERR_NOT_FOUND: there is no file yet. */
static enum err list_load(const char *path, struct key_list *list, struct why *why)
{
    list->count = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0 && errno == ENOENT) return why_set(why, ERR_NOT_FOUND, "there is no %s", path);
    if (file < 0) return why_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX + 4096);
    enum err err = mode_check(file, path, why);
    if (!err) err = file_read(file, path, &text, why);
    if (!err) err = list_parse(buf_str(&text), path, list, why);
    buf_wipe(&text);
    close(file);
    return err;
}

static void list_write(const struct key_list *list, struct buf *text)
{
    struct json_out out = json_begin(text);
    json_open(&out, NULL, '[');
    for (size_t i = 0; i < list->count; i++) {
        const struct signing_key *key = &list->keys[i];
        char secret[SECRET_TEXT_BYTES];
        sodium_bin2base64(secret, sizeof(secret), key->secret, sizeof(key->secret),
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        json_open(&out, NULL, '{');
        json_put_str(&out, "kid", str_of(key->kid));
        json_put_str(&out, "secret", str_of(secret));
        json_put_i64(&out, "created", key->created_s);
        json_close(&out, '}');
        sodium_memzero(secret, sizeof(secret));
    }
    json_close(&out, ']');
    buf_add_byte(text, '\n');
    ASSERT(!text->failed);
}

/* Put `list` into the locked file `next`, and that in place of `path`. */
static enum err list_save(int next, const char *next_path, const char *path, const char *folder,
                          const struct key_list *list, struct why *why)
{
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    list_write(list, &text);
    bool fine = fchmod(next, 0600) == 0 && ftruncate(next, 0) == 0 &&
                file_write(next, buf_str(&text)) && fsync(next) == 0 &&
                rename(next_path, path) == 0 && folder_sync(folder);
    enum err err = OK;
    if (!fine) err = why_set(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    buf_wipe(&text);
    return err;
}

/* Is `file` still what stands at `path`? */
static bool is_at(int file, const char *path)
{
    struct stat ours, there;
    return fstat(file, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

/* Open and lock the file that will become keys.json. Waits for another process that has it. */
static enum err next_lock(const char *next_path, int *file_out, struct why *why)
{
    for (;;) {
        int file = open(next_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0) {
            return why_set(why, ERR_IO, "cannot make %s: %s", next_path, strerror(errno));
        }
        int failed = 0;
        do failed = flock(file, LOCK_EX);
        while (failed && errno == EINTR);
        if (failed) {
            enum err err = why_set(why, ERR_IO, "cannot lock %s: %s", next_path, strerror(errno));
            close(file);
            return err;
        }
        if (is_at(file, next_path)) {
            *file_out = file;
            return OK;
        }
        close(file); /* whoever had it renamed it meanwhile: that one is keys.json now */
    }
}

/* What to do with the list, between reading and writing it. `*changed_out` starts false. */
typedef enum err list_change(struct key_list *list, int64_t time_s, bool *changed_out,
                             struct why *why);

static enum err change_locked(const char *folder, list_change *change, int64_t time_s,
                              struct key_list *list, struct why *why)
{
    char path[PATH_BYTES], next_path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/keys.json", folder);
    snprintf(next_path, sizeof(next_path), "%s/keys.json.new", folder);
    int next = -1;
    enum err err = next_lock(next_path, &next, why);
    if (err) return err;
    bool changed = false;
    err = list_load(path, list, why);
    if (err == OK || err == ERR_NOT_FOUND) err = change(list, time_s, &changed, why);
    if (!err && changed) err = list_save(next, next_path, path, folder, list, why);
    if (is_at(next, next_path)) unlink(next_path);
    close(next); /* unlocks */
    return err;
}

/* Make the first key, unless another process just did. */
static enum err add_first(struct key_list *list, int64_t now_s, bool *changed_out, struct why *why)
{
    (void)why;
    if (list->count > 0) return OK;
    key_make(&list->keys[0], now_s);
    list->count = 1;
    *changed_out = true;
    return OK;
}

static enum err add_newest(struct key_list *list, int64_t now_s, bool *changed_out, struct why *why)
{
    if (list->count == KEYRING_KEYS_MAX) {
        return why_set(why, ERR_LIMIT, "there are %d signing keys already; prune old ones first",
                       KEYRING_KEYS_MAX);
    }
    /* Newest even when the clock went back since the last one. */
    int64_t newest_s = list->count > 0 ? list->keys[list->count - 1].created_s : 0;
    key_make(&list->keys[list->count], MAX(now_s, newest_s));
    list->count++;
    *changed_out = true;
    return OK;
}

static enum err drop_old(struct key_list *list, int64_t older_than_s, bool *changed_out,
                         struct why *why)
{
    (void)why;
    size_t drop = 0;
    while (drop + 1 < list->count && list->keys[drop + 1].created_s < older_than_s) drop++;
    if (drop == 0) return OK;
    list->count -= drop;
    memmove(list->keys, list->keys + drop, list->count * sizeof(list->keys[0]));
    *changed_out = true;
    return OK;
}

static struct keyring *keyring_of(const struct key_list *list, const char *folder,
                                  struct str legacy)
{
    struct keyring *keyring = keyring_new(list->keys, list->count, legacy);
    if (folder) keyring->folder = mem_copy_text(folder);
    return keyring;
}

enum err keyring_open(const char *folder, struct str legacy, int64_t now_s,
                      struct keyring **keyring_out, struct why *why)
{
    ASSERT(sodium_init() >= 0);
    if (strlen(folder) + sizeof("/keys.json.new") > PATH_BYTES) {
        return why_set(why, ERR_INVALID, "the path of the data folder is too long");
    }
    enum err err = OK;
    if (legacy.len > 0) err = legacy_secret_check(legacy, why);
    if (err) return err;

    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/keys.json", folder);
    struct key_list *list = NEW(struct key_list);
    err = list_load(path, list, why);
    if (err == ERR_NOT_FOUND) err = change_locked(folder, add_first, now_s, list, why);
    if (!err) *keyring_out = keyring_of(list, folder, legacy);
    sodium_memzero(list, sizeof(*list));
    mem_free(list);
    return err;
}

static enum err keyring_change(const struct keyring *keyring, list_change *change, int64_t time_s,
                               struct keyring **next_out, struct why *why)
{
    struct key_list *list = NEW(struct key_list);
    enum err err;
    if (keyring->folder) {
        err = change_locked(keyring->folder, change, time_s, list, why);
    } else {
        bool changed = false;
        list->count = keyring->count;
        memcpy(list->keys, keyring->keys, keyring->count * sizeof(list->keys[0]));
        err = change(list, time_s, &changed, why);
    }
    /* Someone moved the file away meanwhile and there was nothing to prune. */
    if (!err && list->count == 0) err = why_set(why, ERR_NOT_FOUND, "there is no keys.json");
    if (!err) *next_out = keyring_of(list, keyring->folder, keyring_legacy(keyring));
    sodium_memzero(list, sizeof(*list));
    mem_free(list);
    return err;
}

enum err keyring_rotate(const struct keyring *keyring, int64_t now_s, struct keyring **next_out,
                        struct why *why)
{
    return keyring_change(keyring, add_newest, now_s, next_out, why);
}

enum err keyring_prune(const struct keyring *keyring, int64_t older_than_s,
                       struct keyring **next_out, struct why *why)
{
    return keyring_change(keyring, drop_old, older_than_s, next_out, why);
}

const struct signing_key *keyring_newest(const struct keyring *keyring)
{
    return &keyring->keys[keyring->count - 1];
}

const struct signing_key *keyring_find(const struct keyring *keyring, struct str kid)
{
    for (size_t i = keyring->count; i > 0; i--) { /* most tokens are of the newest */
        if (str_eq(str_of(keyring->keys[i - 1].kid), kid)) return &keyring->keys[i - 1];
    }
    return NULL;
}

size_t keyring_count(const struct keyring *keyring)
{
    return keyring->count;
}

struct str keyring_legacy(const struct keyring *keyring)
{
    return str_of(keyring->legacy);
}

void keyring_check(const struct keyring *keyring)
{
    ASSERT(keyring->count > 0 && keyring->count <= KEYRING_KEYS_MAX);
    for (size_t i = 0; i < keyring->count; i++) {
        ASSERT(is_kid(str_of(keyring->keys[i].kid)));
        ASSERT(i == 0 || keyring->keys[i - 1].created_s <= keyring->keys[i].created_s);
        ASSERT(keyring_find(keyring, str_of(keyring->keys[i].kid)) == &keyring->keys[i]);
    }
    ASSERT(keyring->legacy == NULL || keyring->legacy[0] != '\0');
}
