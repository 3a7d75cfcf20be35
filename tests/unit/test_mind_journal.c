/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "townhall/mind_journal.h"

struct spot {
    char dir[64], path[96];
};

static int spot_make(void **state)
{
    static struct spot spot;
    snprintf(spot.dir, sizeof(spot.dir), "/tmp/hutong-minds-XXXXXX");
    assert_non_null(mkdtemp(spot.dir));
    snprintf(spot.path, sizeof(spot.path), "%s/a.jsonl", spot.dir);
    *state = &spot;
    return 0;
}

static int spot_clear(void **state)
{
    const struct spot *spot = *state;
    unlink(spot->path);
    return rmdir(spot->dir);
}

static struct mind_journal *opened(const struct spot *spot)
{
    struct mind_journal *journal = NULL;
    struct why why = {0};
    enum err err = mind_journal_open(spot->path, STR("site/model"), &journal, &why);
    if (err) fail_msg("%s", why.text);
    return journal;
}

static const char *key_of(char digit)
{
    static char key[JOURNAL_KEY_BYTES];
    memset(key, digit, sizeof(key) - 1);
    return key;
}

static enum err add(struct mind_journal *journal, char digit, struct why *why)
{
    struct mind_answer answer = {
        .decided = {.how = DECIDED_BY_MODEL, .choice = 2, .minutes = 7}, .input = 9, .output = 4};
    struct mind_line line = {.key = key_of(digit),
                             .who = 1,
                             .at = 500,
                             .answer = &answer,
                             .site = STR("site"),
                             .model = STR("model"),
                             .said = STR("{\"action_index\": 3}")};
    return mind_journal_add(journal, &line, why);
}

static bool has(struct mind_journal *journal, char digit)
{
    struct mind_answer answer;
    return mind_journal_find(journal, key_of(digit), 5, &answer) && answer.decided.choice == 2;
}

static off_t size_of(const struct spot *spot)
{
    struct stat is;
    assert_int_equal(stat(spot->path, &is), 0);
    return is.st_size;
}

/* The disk fills up in the middle of a line, and there is room again for the next. */
static void a_line_that_did_not_fit_spoils_no_other(void **state)
{
    const struct spot *spot = *state;
    struct mind_journal *journal = opened(spot);
    struct why why = {0};
    assert_int_equal(add(journal, 'a', &why), OK);
    off_t whole = size_of(spot);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit tight = {(rlim_t)whole + 20, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum err err = add(journal, 'b', &why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(why.text, "File too large"));
    assert_int_equal(size_of(spot), whole);
    assert_int_equal(add(journal, 'c', &why), OK);
    mind_journal_close(journal);

    journal = opened(spot);
    assert_int_equal(mind_journal_count(journal), 2);
    assert_true(has(journal, 'a'));
    assert_false(has(journal, 'b'));
    assert_true(has(journal, 'c'));
    mind_journal_close(journal);
}

/* As after kill -9. */
static void a_last_line_without_its_end_is_cut_off(void **state)
{
    const struct spot *spot = *state;
    struct mind_journal *journal = opened(spot);
    struct why why = {0};
    assert_int_equal(add(journal, 'a', &why), OK);
    off_t one = size_of(spot);
    assert_int_equal(add(journal, 'b', &why), OK);
    off_t two = size_of(spot);
    mind_journal_close(journal);
    for (off_t size = two - 1; size >= one; size--) {
        assert_int_equal(truncate(spot->path, size), 0);
        journal = opened(spot);
        assert_int_equal(size_of(spot), one);
        assert_true(has(journal, 'a'));
        assert_false(has(journal, 'b'));
        assert_int_equal(add(journal, 'b', &why), OK);
        mind_journal_close(journal);
        assert_int_equal(size_of(spot), two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_that_did_not_fit_spoils_no_other, spot_make,
                                        spot_clear),
        cmocka_unit_test_setup_teardown(a_last_line_without_its_end_is_cut_off, spot_make,
                                        spot_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
