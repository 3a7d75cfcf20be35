/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/symbols.h"

#include "unit.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"

struct marks {
    struct arena arena;
    struct wiki_mark *at;
    size_t count;
};

static struct marks ask(struct wiki_tagger *tagger, const char *path, struct str text)
{
    struct marks marks = {.count = 99};
    wiki_tagger_marks(tagger, &marks.arena, str_of(path), text, &marks.at, &marks.count);
    return marks;
}

static const struct wiki_mark *mark_named(const struct marks *marks, const char *name)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (str_eq(marks->at[i].name, str_of(name))) return &marks->at[i];
    }
    fail_msg("no mark is called %s", name);
    return NULL;
}

static const char python[] =
    "class Store:\n    def get(self):\n        return 1\n\n\ndef free():\n    pass\n";

static void expect_python(struct wiki_tagger *tagger)
{
    struct marks marks = ask(tagger, "a/b.py", str_of(python));
    const struct wiki_mark *get = mark_named(&marks, "get");
    assert_str_equal(get->label, "Store.get");
    assert_str_equal(get->scope, "Store");
    assert_int_equal(get->first, 2);
    assert_in_range(get->last, 3, 4);
    assert_str_equal(mark_named(&marks, "Store")->label, "class Store");
    assert_int_equal(mark_named(&marks, "free")->first, 6);
    arena_release(&marks.arena);
}

static void symbols_of_languages(void **state)
{
    (void)state;
    struct wiki_tagger *tagger = wiki_tagger_new(NULL, 20000);
    expect_python(tagger);
    struct marks marks =
        ask(tagger, "it's \"odd\"\n茶.c", STR("int f(void)\n{\n    return 1;\n}\n"));
    assert_int_equal(marks.count, 1);
    assert_str_equal(marks.at[0].kind, "function");
    assert_int_equal(marks.at[0].last, 4);
    arena_release(&marks.arena);
    marks = ask(tagger, "tool", STR("#!/usr/bin/perl\nsub work { 1 }\n"));
    assert_int_equal(mark_named(&marks, "work")->first, 2);
    arena_release(&marks.arena);
    marks = ask(tagger, "a.md", STR("# Heading\n"));
    assert_int_equal(marks.count, 0);
    arena_release(&marks.arena);
    wiki_tagger_free(tagger);
}

static void any_bytes_are_only_bytes(void **state)
{
    (void)state;
    struct wiki_tagger *tagger = wiki_tagger_new(NULL, 20000);
    static const struct str texts[] = {
        {"\0\0\0\0", 4},
        {"{\"command\":\"generate-tags\",\"filename\":\"/etc/passwd\"}\n", 53},
        {"int a\0b(void) {}\n}}}}{{{{", 25},
        {"#define X \\\n\\\n\\", 15},
        {"\xF0\x9F\x8D\xB5 class \xE8\x8C\xB6 {}", 18},
    };
    static const char *const names[] = {"a.c",   "a.py",   "a.js", "a.ts",     "a.rb",
                                        "a.pl",  "a.go",   "a.rs", "Makefile", "a.java",
                                        "a.php", "a.lisp", "a.sql"};
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        for (size_t t = 0; t < COUNT_OF(texts); t++) {
            struct marks marks = ask(tagger, names[n], texts[t]);
            for (size_t i = 0; i < marks.count; i++) assert_true(marks.at[i].first >= 1);
            arena_release(&marks.arena);
        }
    }
    expect_python(tagger);
    wiki_tagger_free(tagger);
}

/* Programs that are no good ctags. Each is a shell script; the file is by lines, in time. */
static struct wiki_tagger *tagger_of(const char *script, char path[64], int64_t time_ms)
{
    str_copy(path, 64, STR("/tmp/hutong-ctags-XXXXXX"));
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    return wiki_tagger_new(path, time_ms);
}

#define HELLO "#!/bin/sh\necho '{\"_type\":\"program\",\"name\":\"Universal Ctags\"}'\n"
#define TAG "{\"_type\":\"tag\",\"name\":\"x\",\"kind\":\"function\",\"line\":1}"

static void programs_that_fail_cost_a_file(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        HELLO "read line\nexit 1\n",             /* dies */
        HELLO "exec sleep 1000\n",               /* hangs without reading */
        HELLO "read line\nexec cat /dev/zero\n", /* never ends a line */
        HELLO "read line\nexec yes nonsense\n",  /* never ends */
        HELLO "read line\necho '{\"_type\":\"error\",\"fatal\":true}'\nexec sleep 1000\n",
        "#!/bin/sh\necho Exuberant Ctags\n", /* is another program */
        "no program at all",
    };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        char path[64];
        struct wiki_tagger *tagger = tagger_of(scripts[i], path, 300);
        for (int again = 0; again < 2; again++) {
            struct marks marks = ask(tagger, "a.c", STR("int f;\n"));
            assert_int_equal(marks.count, 0);
            arena_release(&marks.arena);
        }
        wiki_tagger_free(tagger);
        unlink(path);
    }
}

static void after_a_death_the_next_file_is_asked_again(void **state)
{
    (void)state;
    char path[64];
    struct wiki_tagger *tagger =
        tagger_of(HELLO "read line\ncase $line in *bad.c*) exit 1 ;; esac\necho '" TAG "'\n"
                        "echo '{\"_type\":\"completed\"}'\nexec sleep 1000\n",
                  path, 5000);
    struct marks marks = ask(tagger, "bad.c", STR("x\n"));
    assert_int_equal(marks.count, 0);
    arena_release(&marks.arena);
    marks = ask(tagger, "good.c", STR("x\n"));
    assert_int_equal(marks.count, 1);
    arena_release(&marks.arena);
    wiki_tagger_free(tagger);
    unlink(path);
}

static void what_it_says_is_checked(void **state)
{
    (void)state;
    char path[64];
    struct wiki_tagger *tagger = tagger_of(
        HELLO "read line\n"
              "echo '" TAG "'\n"
              "echo 'no json'\n"
              "echo '[]'\n"
              "echo '{\"_type\":\"error\",\"message\":\"ignoring null tag\",\"warning\":true}'\n"
              "echo '{\"_type\":\"tag\",\"name\":7,\"line\":1}'\n"
              "echo '{\"_type\":\"tag\",\"name\":\"\",\"line\":1}'\n"
              "echo '{\"_type\":\"tag\",\"name\":\"minus\",\"line\":-4}'\n"
              "echo '{\"_type\":\"tag\",\"name\":\"huge\",\"line\":99999999999}'\n"
              "echo '{\"_type\":\"tag\",\"name\":\"text\",\"line\":\"1\"}'\n"
              "echo '{\"_type\":\"tag\",\"name\":\"late\",\"line\":9,\"end\":\"x\"}'\n"
              "echo '{\"_type\":\"completed\"}'\n"
              "exec sleep 1000\n",
        path, 5000);
    struct marks marks = ask(tagger, "a.c", STR("x\n"));
    assert_int_equal(marks.count, 2);
    assert_str_equal(marks.at[0].name, "x");
    assert_str_equal(marks.at[1].name, "late");
    assert_int_equal(marks.at[1].last, 0);
    arena_release(&marks.arena);
    wiki_tagger_free(tagger);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_of_languages),
        cmocka_unit_test(any_bytes_are_only_bytes),
        cmocka_unit_test(programs_that_fail_cost_a_file),
        cmocka_unit_test(after_a_death_the_next_file_is_asked_again),
        cmocka_unit_test(what_it_says_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
