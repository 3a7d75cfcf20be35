/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/keyring.h"

/* A folder of its own for each test. */
struct place {
    char folder[64], file[80], next[80];
};

static int place_make(void **state)
{
    static struct place place;
    snprintf(place.folder, sizeof(place.folder), "/tmp/test_keyring.XXXXXX");
    if (mkdtemp(place.folder) == NULL) return -1;
    snprintf(place.file, sizeof(place.file), "%s/keys.json", place.folder);
    snprintf(place.next, sizeof(place.next), "%s/keys.json.new", place.folder);
    *state = &place;
    return 0;
}

static int place_clear(void **state)
{
    struct place *place = *state;
    unlink(place->file);
    unlink(place->next);
    return rmdir(place->folder); /* fails when something unexpected was left in it */
}

static struct keyring *open_ok(const struct place *place, int64_t now_s)
{
    struct keyring *keyring = NULL;
    struct why why = {0};
    enum err err = keyring_open(place->folder, (struct str){0}, now_s, &keyring, &why);
    if (err) print_error("%s\n", why.text);
    assert_int_equal(err, OK);
    keyring_check(keyring);
    return keyring;
}

static struct keyring *rotate_ok(const struct keyring *keyring, int64_t now_s)
{
    struct keyring *next = NULL;
    struct why why = {0};
    assert_int_equal(keyring_rotate(keyring, now_s, &next, &why), OK);
    keyring_check(next);
    return next;
}

static void put_file(const struct place *place, struct str text, mode_t mode)
{
    unlink(place->file);
    int file = open(place->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(file >= 0);
    assert_int_equal(write(file, text.at, text.len), text.len);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

static void the_first_start_makes_a_key_that_only_the_owner_reads(void **state)
{
    const struct place *place = *state;
    mode_t before = umask(0);
    struct keyring *keyring = open_ok(place, 1000);
    umask(before);
    assert_int_equal(keyring_count(keyring), 1);
    assert_int_equal(keyring_newest(keyring)->created_s, 1000);
    assert_int_equal(keyring_legacy(keyring).len, 0);

    struct stat info;
    assert_int_equal(stat(place->file, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(access(place->next, F_OK), -1);

    struct keyring *again = open_ok(place, 2000);
    assert_int_equal(keyring_count(again), 1);
    assert_memory_equal(keyring_newest(again), keyring_newest(keyring), sizeof(struct signing_key));
    keyring_free(again);
    keyring_free(keyring);
}

static void two_communities_never_have_the_same_key(void **state)
{
    const struct place *place = *state;
    struct keyring *one = open_ok(place, 1000);
    unlink(place->file);
    struct keyring *two = open_ok(place, 1000);
    assert_string_not_equal(keyring_newest(one)->kid, keyring_newest(two)->kid);
    assert_memory_not_equal(keyring_newest(one)->secret, keyring_newest(two)->secret,
                            KEY_SECRET_BYTES);
    assert_null(keyring_find(one, str_of(keyring_newest(two)->kid)));
    keyring_free(one);
    keyring_free(two);
}

static void rotating_adds_a_key_that_signs_and_keeps_the_old_ones(void **state)
{
    const struct place *place = *state;
    struct keyring *first = open_ok(place, 1000);
    struct keyring *second = rotate_ok(first, 2000);
    struct keyring *third = rotate_ok(second, 1500); /* the clock was set back */
    assert_int_equal(keyring_count(first), 1);       /* an open keyring never changes */
    assert_int_equal(keyring_count(third), 3);
    assert_int_equal(keyring_newest(third)->created_s, 2000);
    assert_non_null(keyring_find(third, str_of(keyring_newest(first)->kid)));
    assert_non_null(keyring_find(third, str_of(keyring_newest(second)->kid)));
    assert_string_not_equal(keyring_newest(third)->kid, keyring_newest(second)->kid);

    struct keyring *again = open_ok(place, 9000);
    assert_int_equal(keyring_count(again), 3);
    assert_string_equal(keyring_newest(again)->kid, keyring_newest(third)->kid);

    /* Rotating from a stale keyring keeps what others have added since. */
    struct keyring *fourth = rotate_ok(first, 3000);
    assert_int_equal(keyring_count(fourth), 4);
    struct keyring *all[] = {first, second, third, again, fourth};
    for (size_t i = 0; i < COUNT_OF(all); i++) keyring_free(all[i]);
}

static void pruning_drops_keys_by_when_they_stopped_signing(void **state)
{
    (void)state;
    static const struct {
        int64_t older_than_s;
        size_t left;
    } rows[] = {{0, 3}, {1000, 3}, {2000, 3}, {2001, 2}, {3000, 2}, {3001, 1}, {INT64_MAX, 1}};
    static const struct signing_key keys[] = {
        {.kid = "a", .created_s = 1000},
        {.kid = "b", .created_s = 2000},
        {.kid = "c", .created_s = 3000},
    };
    struct keyring *keyring = keyring_new(keys, COUNT_OF(keys), STR("a legacy secret, kept"));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct keyring *next = NULL;
        struct why why = {0};
        assert_int_equal(keyring_prune(keyring, rows[i].older_than_s, &next, &why), OK);
        keyring_check(next);
        assert_int_equal(keyring_count(next), rows[i].left);
        assert_string_equal(keyring_newest(next)->kid, "c");
        assert_true(str_eq(keyring_legacy(next), STR("a legacy secret, kept")));
        keyring_free(next);
    }
    keyring_free(keyring);
}

static void pruning_is_written_to_the_file(void **state)
{
    const struct place *place = *state;
    struct keyring *first = open_ok(place, 1000);
    struct keyring *second = rotate_ok(first, 2000), *pruned = NULL;
    struct why why = {0};
    assert_int_equal(keyring_prune(second, 2001, &pruned, &why), OK);
    struct keyring *again = open_ok(place, 9000);
    assert_int_equal(keyring_count(again), 1);
    assert_string_equal(keyring_newest(again)->kid, keyring_newest(second)->kid);
    assert_int_equal(access(place->next, F_OK), -1);
    struct keyring *all[] = {first, second, pruned, again};
    for (size_t i = 0; i < COUNT_OF(all); i++) keyring_free(all[i]);
}

static void there_is_a_ceiling_on_keys(void **state)
{
    const struct place *place = *state;
    struct keyring *keyring = open_ok(place, 1000), *next = NULL;
    for (int i = 1; i < KEYRING_KEYS_MAX; i++) {
        next = rotate_ok(keyring, 1000 + i);
        keyring_free(keyring);
        keyring = next;
    }
    struct why why = {0};
    next = NULL;
    assert_int_equal(keyring_rotate(keyring, 5000, &next, &why), ERR_LIMIT);
    assert_null(next);
    assert_int_equal(access(place->next, F_OK), -1);
    struct keyring *again = open_ok(place, 9000);
    assert_int_equal(keyring_count(again), KEYRING_KEYS_MAX);
    keyring_free(again);
    keyring_free(keyring);
}

#define GOOD_KEY                                                                                   \
    "{\"kid\":\"k1\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"created\":5}"

static void a_file_that_others_may_read_is_refused_with_the_remedy(void **state)
{
    const struct place *place = *state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666, 0777};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        put_file(place, STR("[" GOOD_KEY "]"), modes[i]);
        struct keyring *keyring = NULL;
        struct why why = {0};
        assert_int_equal(keyring_open(place->folder, (struct str){0}, 1, &keyring, &why),
                         ERR_DENIED);
        assert_non_null(strstr(why.text, "chmod 600 "));
        assert_non_null(strstr(why.text, place->file));
        assert_null(keyring);
    }
    put_file(place, STR("[" GOOD_KEY "]"), 0400);
    keyring_free(open_ok(place, 1));
}

static void a_damaged_file_is_refused_and_left_alone(void **state)
{
    const struct place *place = *state;
    const struct str rows[] = {
        STR(""),
        STR("[]"),
        STR("{}"),
        STR("[" GOOD_KEY),
        STR("[" GOOD_KEY "] x"),
        STR("[" GOOD_KEY "," GOOD_KEY "]"), /* one kid twice */
        STR("[" GOOD_KEY ",7]"),
        STR("[{\"kid\":\"k1\",\"secret\":\"AAAA\",\"created\":5}]"),
        STR("[{\"kid\":\"k1\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
            "\"created\":5}]"),
        STR("[{\"kid\":\"k1\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
            "\"created\":5}]"),
        STR("[{\"kid\":\"\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"created\":"
            "5}]"),
        STR("[{\"kid\":\"k "
            "1\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"created\":5}]"),
        STR("[{\"kid\":\"12345678901234567\",\"secret\":"
            "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
            "\"created\":5}]"),
        STR("[{\"kid\":\"k1\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]"),
        STR("[{\"kid\":\"k1\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
            "\"created\":-1}]"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put_file(place, rows[i], 0600);
        struct keyring *keyring = NULL;
        struct why why = {0};
        enum err err = keyring_open(place->folder, (struct str){0}, 1, &keyring, &why);
        if (err != ERR_CORRUPT) print_error("row %zu: %s\n", i, err_name(err));
        assert_int_equal(err, ERR_CORRUPT);
        assert_non_null(strstr(why.text, place->file));
        assert_null(strstr(why.text, "AAAA")); /* no secrets in sentences */
        struct stat info;
        assert_int_equal(stat(place->file, &info), 0);
        assert_int_equal(info.st_size, rows[i].len);
    }
}

static void keys_sign_by_age_and_not_by_place_in_the_file(void **state)
{
    const struct place *place = *state;
    put_file(place,
             STR("[{\"kid\":\"new\",\"secret\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                 "\"created\":9},\n" GOOD_KEY "]\n"),
             0600);
    struct keyring *keyring = open_ok(place, 1);
    assert_int_equal(keyring_count(keyring), 2);
    assert_string_equal(keyring_newest(keyring)->kid, "new");
    keyring_free(keyring);
}

static void links_and_folders_in_its_place_are_refused(void **state)
{
    const struct place *place = *state;
    struct keyring *keyring = NULL;
    struct why why = {0};
    assert_int_equal(symlink("/etc/passwd", place->file), 0);
    assert_int_equal(keyring_open(place->folder, (struct str){0}, 1, &keyring, &why), ERR_IO);
    unlink(place->file);
    assert_int_equal(mkdir(place->file, 0700), 0);
    assert_int_equal(keyring_open(place->folder, (struct str){0}, 1, &keyring, &why), ERR_CORRUPT);
    rmdir(place->file);
    /* Nor is a link followed when writing. */
    assert_int_equal(symlink("/tmp/test_keyring.elsewhere", place->next), 0);
    assert_int_equal(keyring_open(place->folder, (struct str){0}, 1, &keyring, &why), ERR_IO);
    assert_int_equal(access("/tmp/test_keyring.elsewhere", F_OK), -1);
    assert_int_equal(keyring_open("/nowhere/at/all", (struct str){0}, 1, &keyring, &why), ERR_IO);
    assert_null(keyring);
}

static void what_a_crash_left_behind_is_used_again(void **state)
{
    const struct place *place = *state;
    int file = open(place->next, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_int_equal(write(file, "[{\"kid\":\"half", 13), 13);
    fchmod(file, 0666);
    close(file);
    struct keyring *keyring = open_ok(place, 1);
    struct stat info;
    assert_int_equal(stat(place->file, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(access(place->next, F_OK), -1);
    keyring_free(keyring);
}

/* A limit on file sizes stands for the full disk. */
static void a_disk_that_is_full_changes_nothing(void **state)
{
    const struct place *place = *state;
    struct keyring *keyring = open_ok(place, 1000), *next = NULL;
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 150; /* one key fits, two do not */
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct why why = {0};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum err err = keyring_rotate(keyring, 2000, &next, &why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);

    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(why.text, "cannot write"));
    assert_null(next);
    assert_int_equal(access(place->next, F_OK), -1);
    struct keyring *again = open_ok(place, 3000);
    assert_int_equal(keyring_count(again), 1);
    assert_string_equal(keyring_newest(again)->kid, keyring_newest(keyring)->kid);
    keyring_free(again);
    keyring_free(keyring);
}

struct starter {
    const struct place *place;
    struct keyring *keyring;
};

static void *start_and_rotate(void *ctx)
{
    struct starter *starter = ctx;
    struct why why;
    struct keyring *first = NULL;
    if (keyring_open(starter->place->folder, (struct str){0}, 7, &first, &why) != OK) return NULL;
    if (keyring_rotate(first, 8, &starter->keyring, &why) != OK) starter->keyring = NULL;
    keyring_free(first);
    return NULL;
}

/* flock belongs to the open file, so threads stand for processes here. */
static void servers_that_start_together_agree_on_the_keys(void **state)
{
    const struct place *place = *state;
    struct starter starters[8];
    pthread_t threads[COUNT_OF(starters)];
    for (size_t i = 0; i < COUNT_OF(starters); i++) {
        starters[i] = (struct starter){.place = place};
        assert_int_equal(pthread_create(&threads[i], NULL, start_and_rotate, &starters[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(starters); i++) pthread_join(threads[i], NULL);
    struct keyring *all = open_ok(place, 9);
    assert_int_equal(keyring_count(all), 1 + COUNT_OF(starters)); /* one first key, eight more */
    for (size_t i = 0; i < COUNT_OF(starters); i++) {
        assert_non_null(starters[i].keyring);
        struct str kid = str_of(keyring_newest(starters[i].keyring)->kid);
        assert_non_null(keyring_find(all, kid));
        keyring_free(starters[i].keyring);
    }
    keyring_free(all);
}

static void legacy_secrets_that_the_public_knows_are_refused(void **state)
{
    const struct place *place = *state;
    static const struct {
        const char *secret;
        enum err wanted;
    } rows[] = {
        {"secret", ERR_INVALID},
        {"changeme", ERR_INVALID},
        {"change-me", ERR_INVALID},
        {"CHANGE_ME_CHANGE_ME_CHANGE_ME", ERR_INVALID},
        {"your-secret-key", ERR_INVALID},
        {"your-secret-key-change-in-production", ERR_INVALID},
        {"Your Secret Key, Change In Production!", ERR_INVALID},
        {"your_jwt_secret_key", ERR_INVALID},
        {"your-super-secret-jwt-key", ERR_INVALID},
        {"your-256-bit-secret", ERR_INVALID},
        {"ai-community-secret-key", ERR_INVALID},
        {"ai_community_secret_key_2024", ERR_INVALID},
        {"a-string-secret-at-least-256-bits-long", ERR_INVALID},
        {"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", ERR_INVALID},
        {"please-change-this-in-production", ERR_INVALID},
        {"passwordpassword", ERR_INVALID},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ERR_INVALID},
        {"0123456789abcdef0123456789abcdef", ERR_INVALID},
        {"xxxxxxxxxxxxxxxx", ERR_INVALID},
        {"R4nd0m&Short!15", ERR_INVALID}, /* 15 bytes */
        {"R4nd0m&Short!+16", OK},
        {"kR1pTnJ8m2Qv0yWc5sZb7uXe3hLd9gFa", OK},
        {"b5d1c2b2f7e94f0d8a3e6c7f19d0a4b85566e0f3c1d2a79b", OK},
        {"长长的秘密文字", OK}, /* 21 bytes */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct why why = {0};
        enum err err = legacy_secret_check(str_of(rows[i].secret), &why);
        if (err != rows[i].wanted) print_error("%s: %s\n", rows[i].secret, err_name(err));
        assert_int_equal(err, rows[i].wanted);
        if (err) assert_non_null(strstr(why.text, "jwt-secret"));

        struct keyring *keyring = NULL;
        err = keyring_open(place->folder, str_of(rows[i].secret), 1, &keyring, &why);
        assert_int_equal(err, rows[i].wanted);
        if (!err) assert_true(str_eq(keyring_legacy(keyring), str_of(rows[i].secret)));
        keyring_free(keyring);
    }
    struct why why = {0};
    assert_int_equal(legacy_secret_check(STR("kR1pTnJ8m2Qv0yWc\0sZb7uXe3hLd9gFa"), &why),
                     ERR_INVALID);
}

#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_PLACE(the_first_start_makes_a_key_that_only_the_owner_reads),
        AT_PLACE(two_communities_never_have_the_same_key),
        AT_PLACE(rotating_adds_a_key_that_signs_and_keeps_the_old_ones),
        AT_PLACE(pruning_drops_keys_by_when_they_stopped_signing),
        AT_PLACE(pruning_is_written_to_the_file),
        AT_PLACE(there_is_a_ceiling_on_keys),
        AT_PLACE(a_file_that_others_may_read_is_refused_with_the_remedy),
        AT_PLACE(a_damaged_file_is_refused_and_left_alone),
        AT_PLACE(keys_sign_by_age_and_not_by_place_in_the_file),
        AT_PLACE(links_and_folders_in_its_place_are_refused),
        AT_PLACE(what_a_crash_left_behind_is_used_again),
        AT_PLACE(a_disk_that_is_full_changes_nothing),
        AT_PLACE(servers_that_start_together_agree_on_the_keys),
        AT_PLACE(legacy_secrets_that_the_public_knows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
