/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/listing.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "unit.h"

/* A folder with a root in it, and what lies beside that. */
static char home[64];
static struct arena arena;

static const char *at(const char *path)
{
    return arena_printf(&arena, "%s/%s", home, path).at;
}

static void leave(const char *path, const char *text)
{
    FILE *file = fopen(at(path), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_home(void **state)
{
    (void)state;
    snprintf(home, sizeof(home), "/tmp/hutong-unit-XXXXXX");
    if (mkdtemp(home) == NULL) return -1;
    static const char *const folders[] = {"root",
                                          "root/b",
                                          "root/b/sub",
                                          "root/.git",
                                          "root/node_modules",
                                          "root/a",
                                          "root/a/__pycache__",
                                          "data",
                                          "rooted",
                                          "root/empty",
                                          "root/data2"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) mkdir(at(folders[i]), 0700);
    leave("root/z.c", "z");
    leave("root/b/one.c", "1");
    leave("root/b/sub/README.md", "deep");
    leave("root/b/__init__.py", "");
    leave("root/.hidden", "");
    leave("root/.git/config", "");
    leave("root/node_modules/x.js", "");
    leave("root/a/__pycache__/x.pyc", "");
    leave("root/a/é.txt", "");
    leave("root/bad\xff.txt", "");
    leave("root/bad\nname.txt", "");
    leave("rooted/secret", "");
    leave("data/keys.json", "");
    leave("root/data2/keys.json", "");
    (void)!symlink(at("data"), at("root/link"));
    (void)!symlink(at("data/keys.json"), at("root/file-link"));
    (void)!symlink(at("data/keys.json"), at("root/readme.md"));
    (void)!mkfifo(at("root/pipe"), 0600);
    return 0;
}

static int remove_home(void **state)
{
    (void)state;
    static const char *const paths[] = {"root/z.c",
                                        "root/b/one.c",
                                        "root/b/sub/README.md",
                                        "root/b/__init__.py",
                                        "root/.hidden",
                                        "root/.git/config",
                                        "root/node_modules/x.js",
                                        "root/a/__pycache__/x.pyc",
                                        "root/a/é.txt",
                                        "root/bad\xff.txt",
                                        "root/bad\nname.txt",
                                        "rooted/secret",
                                        "data/keys.json",
                                        "root/data2/keys.json",
                                        "root/link",
                                        "root/file-link",
                                        "root/readme.md",
                                        "root/pipe",
                                        "root/b/sub",
                                        "root/b",
                                        "root/.git",
                                        "root/node_modules",
                                        "root/a/__pycache__",
                                        "root/a",
                                        "root/data2",
                                        "root/empty",
                                        "root",
                                        "data",
                                        "rooted",
                                        "."};
    for (size_t i = 0; i + 1 < COUNT_OF(paths); i++) remove(at(paths[i]));
    int gone = rmdir(home);
    arena_release(&arena);
    return gone;
}

struct asked {
    enum err err;
    struct str tree, readme;
    struct why why;
};

static struct asked ask(const char *roots, const char *data, const char *path)
{
    struct asked asked;
    struct wiki_listing listing;
    asked.err = wiki_listing_read(str_of(roots), str_of(data), str_of(path), &listing, &asked.why);
    asked.tree = arena_copy(&arena, buf_str(&listing.tree));
    asked.readme = arena_copy(&arena, buf_str(&listing.readme));
    wiki_listing_release(&listing);
    return asked;
}

static void files_are_told_in_order_without_what_is_left_out(void **state)
{
    (void)state;
    struct asked asked = ask(at("root"), at("data"), at("root"));
    assert_int_equal(asked.err, OK);
    assert_str_equal(asked.tree, "a/é.txt\nb/one.c\nb/sub/README.md\ndata2/keys.json\nz.c");
    assert_str_equal(asked.readme, "deep"); /* and not what a link pretends to be one */
    asked = ask(at("root"), at("data"), at("root/b"));
    assert_str_equal(asked.tree, "one.c\nsub/README.md");
    asked = ask(at("root"), at("data"), at("root/empty"));
    assert_int_equal(asked.err, OK);
    assert_int_equal(asked.tree.len + asked.readme.len, 0);
}

static void the_uppermost_readme_counts_if_it_is_text(void **state)
{
    (void)state;
    leave("root/b/ReadMe.MD", "# über\n");
    assert_str_equal(ask(at("root"), "", at("root")).readme, "# über\n");
    leave("root/b/ReadMe.MD", "\xff\xfe");
    assert_int_equal(ask(at("root"), "", at("root")).readme.len, 0);
    /* Too long: cut between characters. */
    FILE *file = fopen(at("root/b/ReadMe.MD"), "w");
    assert_non_null(file);
    for (int i = 0; i < WIKI_README_BYTES_MAX / 3 + 10; i++) fputs("字", file);
    fclose(file);
    assert_int_equal(ask(at("root"), "", at("root")).readme.len,
                     WIKI_README_BYTES_MAX - WIKI_README_BYTES_MAX % 3);
    remove(at("root/b/ReadMe.MD"));
}

static void nothing_leads_out_of_the_roots(void **state)
{
    (void)state;
    const char *root = at("root");
    const char *paths[] = {
        "",
        "/",
        "/etc",
        "root",
        "C:\\x",
        at("data"),
        at("rooted"),
        at("root/.."),
        at("root/../data"),
        at("root/b/../../data"),
        at("nowhere"),
        at("root\n"),
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct asked asked = ask(root, "", paths[i]);
        assert_int_equal(asked.err, ERR_DENIED);
        assert_int_equal(asked.tree.len + asked.readme.len, 0);
        assert_non_null(strstr(asked.why.text, "wiki-roots"));
        assert_null(strstr(asked.why.text, home));
    }
    const char *missing[] = {at("root/link"),    at("root/file-link"), at("root/z.c"),
                             at("root/nowhere"), at("root/link/x"),    at("root/pipe")};
    for (size_t i = 0; i < COUNT_OF(missing); i++) {
        assert_int_equal(ask(root, "", missing[i]).err, ERR_NOT_FOUND);
    }
    assert_int_equal(ask("", "", root).err, ERR_DENIED);
    assert_int_equal(ask(":", "", root).err, ERR_DENIED);
    struct str with_nul = {"/tmp\0x", 6};
    struct wiki_listing listing;
    struct why why;
    assert_int_equal(wiki_listing_read(STR("/tmp"), STR(""), with_nul, &listing, &why), ERR_DENIED);
    wiki_listing_release(&listing);
}

static void several_roots_and_other_spellings_are_fine(void **state)
{
    (void)state;
    const char *roots = arena_printf(&arena, "/nowhere:%s//./root/:%s", home, at("rooted")).at;
    assert_int_equal(ask(roots, "", arena_printf(&arena, "%s//root/./b//", home).at).err, OK);
    assert_str_equal(ask(roots, "", at("rooted")).tree, "secret");
    assert_int_equal(ask(roots, "", at("data")).err, ERR_DENIED);
    assert_int_equal(ask(roots, "", "/nowhere/x").err, ERR_NOT_FOUND);
}

static void our_own_data_stays_closed(void **state)
{
    (void)state;
    struct asked asked = ask(at("root"), at("root/data2"), at("root"));
    assert_str_equal(asked.tree, "a/é.txt\nb/one.c\nb/sub/README.md\nz.c");
    assert_int_equal(ask(at("root"), at("root/data2"), at("root/data2")).err, ERR_DENIED);
    assert_int_equal(ask(at("root"), at("root/b"), at("root/b/sub")).err, ERR_DENIED);
    assert_int_equal(ask(at("root"), at("root"), at("root/b")).err, ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_told_in_order_without_what_is_left_out),
        cmocka_unit_test(the_uppermost_readme_counts_if_it_is_text),
        cmocka_unit_test(nothing_leads_out_of_the_roots),
        cmocka_unit_test(several_roots_and_other_spellings_are_fine),
        cmocka_unit_test(our_own_data_stays_closed),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
