/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What git prints becomes progress, one code and one sentence; what is secret in
 * it does not come through.
 */
#include "wiki/git_said.h"

#include "unit.h"

#include "base/utf8.h"

static enum err judge(const char *lines, const char *secret, struct why *why)
{
    struct wiki_said said;
    wiki_said_init(&said);
    (void)wiki_said_hear(&said, str_of(lines));
    *why = (struct why){.field = NULL};
    enum err err = wiki_said_judge(&said, str_of(secret), why);
    wiki_said_release(&said);
    assert_int_not_equal(err, OK);
    assert_true(why->text[0] != '\0' && utf8_valid(str_of(why->text)));
    return err;
}

static void progress_is_read_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "remote: Enumerating objects: 5, done.\n"
                               "remote: Counting objects:  20% (1/5)   \r"
                               "remote: Counting objects: 100% (5/5), done.\n"
                               "Receiving objects:  42% (4/10), 1.20 MiB | 3.00 MiB/s\r"
                               "Receiving objects:  42% (4/10), 1.30 MiB | 3.00 MiB/s\r"
                               "Receiving objects: 100% (10/10)\n"
                               "Resolving deltas:   7% (1/14)\r";
    static const struct {
        const char *stage;
        int percent;
    } expected[] = {{"preparing", -1}, {"preparing", 20},  {"preparing", 100},
                    {"receiving", 42}, {"receiving", 100}, {"resolving", 7}};
    struct wiki_said said;
    wiki_said_init(&said);
    size_t moved = 0;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        if (!wiki_said_hear(&said, (struct str){text + i, 1})) continue;
        assert_in_range(moved, 0, COUNT_OF(expected) - 1);
        assert_string_equal(said.stage, expected[moved].stage);
        assert_int_equal(said.percent, expected[moved].percent);
        moved++;
    }
    assert_int_equal(moved, COUNT_OF(expected));
    assert_int_equal(said.complaints.len, 0);
    /* what the other side says is not progress of ours, and numbers have bounds */
    assert_false(wiki_said_hear(&said, STR("remote: Receiving objects: 99% (1/1)\n")));
    assert_true(wiki_said_hear(&said, STR("Receiving objects: 900% (1/1)\n")));
    assert_int_equal(said.percent, -1);
    wiki_said_release(&said);
}

static void failures_become_codes(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *secret;
        enum err err;
        const char *said;
    } rows[] = {
        {"fatal: could not read Username for 'https://github.com': terminal prompts disabled\n", "",
         ERR_DENIED, "without a token"},
        {"fatal: could not read Username for 'https://github.com': terminal prompts disabled\n",
         "t", ERR_DENIED, "does not accept this token"},
        {"remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found\n",
         "", ERR_NOT_FOUND, "a private one needs a token"},
        {"ERROR: Repository not found.\nfatal: Could not read from remote repository.\n", "",
         ERR_NOT_FOUND, "no such repository"},
        {"git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.\n",
         "", ERR_DENIED, "key of this server"},
        {"fatal: couldn't find remote ref refs/heads/x\n", "", ERR_NOT_FOUND, "no such branch"},
        {"fatal: write error: No space left on device\nfatal: index-pack failed\n", "", ERR_FULL,
         "no room"},
        {"fatal: Out of memory, malloc failed (tried to allocate 9 bytes)", "", ERR_LIMIT, "large"},
        {"fatal: unable to access 'https://x/': server certificate verification failed.\n", "",
         ERR_UPSTREAM, "certificate"},
        {"fatal: not a git repository: '/srv/x'\n", "", ERR_CORRUPT, "damaged"},
        {"error: something\nfatal: a thing nobody knows\n", "", ERR_UPSTREAM,
         "a thing nobody knows"},
        {"", "", ERR_UPSTREAM, "could not fetch"},
        {"fatal: \xFF\xFE\n", "", ERR_UPSTREAM, "could not fetch"},
        {"fatal: a \x1B[31mred thing\n", "", ERR_UPSTREAM, "could not fetch"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct why why;
        enum err err = judge(rows[i].lines, rows[i].secret, &why);
        if (err != rows[i].err) fail_msg("%s: %s", rows[i].lines, err_name(err));
        assert_contains(why.text, rows[i].said);
    }
    /* the other side cannot put words into git's mouth */
    struct why why;
    assert_int_equal(judge("remote: fatal: No space left on device\nfatal: x\n", "", &why),
                     ERR_UPSTREAM);
}

static void it_is_heard_where_a_host_sends_us(void **state)
{
    (void)state;
    struct wiki_said said;
    struct why why;
    wiki_said_init(&said);
    (void)wiki_said_hear(
        &said, STR("20:13:55 http.c:684   <= Recv header: HTTP/1.1 301 Moved\n"
                   "20:13:55 http.c:684   <= Recv header: location: https://h/new/x.git\r\n"
                   "fatal: unable to access: The requested URL returned error: 301\n"));
    assert_int_equal(wiki_said_judge(&said, STR(""), &why), ERR_UPSTREAM);
    assert_true(said.moved);
    assert_string_equal(said.location, "https://h/new/x.git");
    wiki_said_reset(&said);
    assert_false(said.moved);
    assert_string_equal(said.location, "");
    wiki_said_release(&said);
}

static void places_are_not_repeated(void **state)
{
    (void)state;
    struct why why;
    (void)judge("fatal: strange thing at '/var/lib/hutong/wiki/1' of https://u:p@h/x and git@h:x\n",
                "", &why);
    assert_contains(why.text, "strange thing at");
    assert_null(strstr(why.text, "hutong/wiki"));
    assert_null(strstr(why.text, "u:p"));
    assert_null(strstr(why.text, "git@h"));
}

static void secrets_are_struck_in_every_form(void **state)
{
    (void)state;
    static const char *const users[] = {"", "a:", "ab:", "abc:", "abcd:", "x-access-token:"};
    struct str secret = STR("hunter2+s3cr%t=q~x");
    struct arena arena = {0};
    assert_str_equal(wiki_basic(&arena, STR("")), "Basic ");
    assert_str_equal(wiki_basic(&arena, STR("Aladdin:open sesame")),
                     "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_str_equal(wiki_basic(&arena, STR("\xFF\xFE")), "Basic //4=");
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        struct str plain = arena_printf(&arena, "%s%.*s", users[i], STR_ARGS(secret));
        struct str basic = str_from(wiki_basic(&arena, plain), 6);
        struct str line = arena_printf(&arena, "saw %.*s here", STR_ARGS(basic));
        struct str struck = wiki_strike(&arena, line, secret);
        /* all but what belongs to the user's name and the last bytes */
        struct str middle = {basic.at + 24, 8};
        assert_true(str_find(struck, middle) == struck.len);
        assert_true(str_find(struck, STR("***")) < struck.len);
    }
    static const char *const forms[] = {"hunter2+s3cr%t=q~x", "hunter2%2Bs3cr%25t%3Dq~x",
                                        "hunter2%2bs3cr%25t%3dq~x"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct str line = arena_printf(&arena, "bad %s, bad %s!", forms[i], forms[i]);
        assert_str_equal(wiki_strike(&arena, line, secret), "bad ***, bad ***!");
    }
    /* "user:password" is struck as a whole and as its password */
    assert_str_equal(wiki_strike(&arena, STR("no pass for ann"), STR("ann:pass")),
                     "no *** for ann");
    assert_str_equal(wiki_strike(&arena, STR("a ** b"), STR("*")), "a **** b");
    assert_str_equal(wiki_strike(&arena, STR("as it is"), STR("")), "as it is");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_read_in_pieces),
        cmocka_unit_test(failures_become_codes),
        cmocka_unit_test(it_is_heard_where_a_host_sends_us),
        cmocka_unit_test(places_are_not_repeated),
        cmocka_unit_test(secrets_are_struck_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
