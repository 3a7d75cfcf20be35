/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http/chunk_guard.h"

#include "unit.h"

struct body {
    const char *name, *bytes;
    bool good;
};

static const struct body bodies[] = {
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", true},
    {"nothing", "0\r\n\r\n", true},
    {"leading zeros and capitals", "000A\r\n0123456789\r\n00\r\n\r\n", true},
    {"extensions", "5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", true},
    {"trailers", "0\r\nX-A: b\r\nX-C:\td\r\n\r\n", true},
    {"another request behind it", "0\r\n\r\nGET / HTTP/1.1\n\n", true},
    {"data that looks like framing", "5\r\n\r\n0\r\n\r\n0\r\n\r\n", true},
    {"no size", "\r\n", false},
    {"a sign", "+5\r\nhello\r\n", false},
    {"0x", "0x5\r\nhello\r\n", false},
    {"a blank before the size", " 5\r\nhello\r\n", false},
    {"a blank behind the size", "5 \r\nhello\r\n", false},
    {"17 digits", "00000000000000005\r\nhello\r\n", false},
    {"bare LF behind the size", "5\nhello\r\n", false},
    {"CR and a letter behind the size", "5\rXhello\r\n", false},
    {"bare CR in an extension", "5;a\rb\r\nhello\r\n", false},
    {"bare LF in an extension", "5;a\nb\r\nhello\r\n", false},
    {"a control character in an extension", "5;a\x01\r\nhello\r\n", false},
    {"too much data", "4\r\nhello\r\n", false},
    {"too little data", "6\r\nhello\r\n0\r\n", false},
    {"bare LF behind the data", "5\r\nhello\n0\r\n", false},
    {"CR and a letter behind the data", "5\r\nhello\rX0\r\n", false},
    {"a folded trailer", "0\r\nX-A: b\r\n c\r\n\r\n", false},
    {"a blank before a trailer's colon", "0\r\nX-A : b\r\n\r\n", false},
    {"a trailer without a name", "0\r\n: b\r\n\r\n", false},
    {"a trailer without a colon", "0\r\nnonsense\r\n\r\n", false},
    {"bare LF in a trailer", "0\r\nX-A: b\nX-C: d\r\n\r\n", false},
    {"bare LF at the end", "0\r\n\n", false},
};

/* In two pieces, cut at `cut`. */
static bool look(struct str body, size_t cut)
{
    struct chunk_guard guard = {0};
    return chunk_guard_look(&guard, body.at, cut) &&
           chunk_guard_look(&guard, body.at + cut, body.len - cut);
}

static void framing_is_judged_the_same_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct str body = str_of(bodies[i].bytes);
        for (size_t cut = 0; cut <= body.len; cut++) {
            if (look(body, cut) == bodies[i].good) continue;
            fail_msg("%s, cut at %zu: not %d", bodies[i].name, cut, bodies[i].good);
        }
    }
}

static bool look_at_many(const char *start, char filler, size_t count)
{
    struct chunk_guard guard = {0};
    bool good = chunk_guard_look(&guard, start, strlen(start));
    for (size_t i = 0; i < count && good; i++) good = chunk_guard_look(&guard, &filler, 1);
    return good;
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    assert_true(look_at_many("5;", 'x', CHUNK_EXTENSION_BYTES_MAX));
    assert_false(look_at_many("5;", 'x', CHUNK_EXTENSION_BYTES_MAX + 1));
    assert_true(look_at_many("0\r\nX:", 'x', TRAILER_BYTES_MAX - 2));
    assert_false(look_at_many("0\r\nX:", 'x', TRAILER_BYTES_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_is_judged_the_same_wherever_it_is_cut),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
