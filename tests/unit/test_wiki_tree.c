/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A folder as a repository: which files count, which do not and why, and what
 * is written in them. Every case is a folder made for it.
 */
#include "wiki/tree.h"

#include <errno.h>
#include <sys/stat.h>

#include "unit.h"

#include "base/limits.h"
#include "base/mem.h"

struct place {
    char root[64];
    struct wiki_tree *tree;
    struct buf text;
};

static int place_open(void **state)
{
    struct place *place = NEW(struct place);
    str_copy(place->root, sizeof(place->root), STR("/tmp/hutong-wiki-tree-XXXXXX"));
    if (!mkdtemp(place->root)) return -1;
    buf_init(&place->text, LIMIT_WIKI_TEXT_BYTES);
    *state = place;
    return 0;
}

/* Only below what mkdtemp() made. */
static void remove_all(const char *folder)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int place_close(void **state)
{
    struct place *place = *state;
    wiki_tree_close(place->tree);
    buf_release(&place->text);
    remove_all(place->root);
    mem_free(place);
    return 0;
}

/* A file with the folders it needs. */
static void put_bytes(const struct place *place, const char *path, struct str bytes)
{
    char full[2048];
    snprintf(full, sizeof(full), "%s/%s", place->root, path);
    for (char *slash = full + strlen(place->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(full, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.at ? bytes.at : "", 1, bytes.len, file), bytes.len);
    fclose(file);
}

static void put(const struct place *place, const char *path, const char *text)
{
    put_bytes(place, path, str_of(text));
}

static void look(struct place *place, const char *include, const char *exclude)
{
    struct wiki_filters filters = {str_of(include), str_of(exclude)};
    struct why why;
    wiki_tree_close(place->tree);
    place->tree = NULL;
    enum err err = wiki_tree_open_folder(place->root, NULL, &filters, &place->tree, &why);
    if (err) fail_msg("%s: %s", err_name(err), why.text);
}

static const struct wiki_file *find(const struct place *place, const char *path,
                                    enum wiki_left_out *left_out_out)
{
    for (size_t i = 0; i < wiki_tree_count(place->tree); i++) {
        const struct wiki_file *file = wiki_tree_file(place->tree, i, left_out_out);
        if (str_eq(file->path, str_of(path))) return file;
    }
    return NULL;
}

static void assert_left(const struct place *place, const char *path, const char *expected)
{
    enum wiki_left_out why;
    const struct wiki_file *file = find(place, path, &why);
    const char *is = file ? wiki_left_out_name(why) : "absent";
    if (strcmp(is, expected) != 0) fail_msg("%s is %s, expected %s", path, is, expected);
}

/* Why the file is left out once it is read; its text is in `place->text`. */
static const char *read_it(struct place *place, const char *path)
{
    enum wiki_left_out why;
    struct why sentence;
    const struct wiki_file *file = find(place, path, &why);
    assert_non_null(file);
    assert_int_equal(why, WIKI_TAKEN);
    assert_int_equal(wiki_tree_read(place->tree, file, &place->text, &why, &sentence), OK);
    if (why != WIKI_TAKEN) assert_int_equal(place->text.len, 0);
    return wiki_left_out_name(why);
}

static void files_stand_in_the_order_of_their_bytes(void **state)
{
    struct place *place = *state;
    put(place, "a/b.c", "1");
    put(place, "a-b.c", "2");
    put(place, "a.c", "3");
    put(place, "B.c", "4");
    look(place, "", "");
    static const char *const expected[] = {"B.c", "a-b.c", "a.c", "a/b.c"};
    assert_int_equal(wiki_tree_count(place->tree), COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        enum wiki_left_out why;
        const struct wiki_file *file = wiki_tree_file(place->tree, i, &why);
        assert_str_equal(file->path, expected[i]);
        assert_int_equal(file->bytes, 1);
        assert_int_equal(file->blob.len, 64);
    }
}

static void every_folder_may_have_its_gitignore(void **state)
{
    struct place *place = *state;
    put(place, ".gitignore", "*.log\n/out/\nsecret\n");
    put(place, "x.log", "");
    put(place, "out/a.c", "");
    put(place, "src/out/a.c", "");
    put(place, "src/.gitignore", "!keep.log\n*.tmp\n");
    put(place, "src/keep.log", "");
    put(place, "src/x.log", "");
    put(place, "src/deep/x.tmp", "");
    put(place, "src/secret/key", "");
    put(place, "x.tmp", "");
    look(place, "", "");
    assert_left(place, "x.log", "ignored");
    assert_left(place, "out/", "ignored");
    assert_left(place, "out/a.c", "absent");
    assert_left(place, "src/out/a.c", "taken");
    assert_left(place, "src/keep.log", "taken");
    assert_left(place, "src/x.log", "ignored");
    assert_left(place, "src/deep/x.tmp", "ignored");
    assert_left(place, "src/secret/", "ignored");
    assert_left(place, "x.tmp", "taken");
}

static void what_tools_bring_is_left_out_where_they_put_it(void **state)
{
    struct place *place = *state;
    put(place, "web/node_modules/left-pad/index.js", "");
    put(place, "vendor/lib.c", "");
    put(place, "shop/vendor/list.c", "");
    put(place, "svc/go.mod", "");
    put(place, "svc/vendor/lib.go", "");
    put(place, "tool/Cargo.toml", "");
    put(place, "tool/target/debug/x.c", "");
    put(place, "tool/src/bin/main.rs", "");
    put(place, "game/target/range.c", "");
    put(place, "docs/guide.md", "");
    put(place, "bin/run.sh", "");
    put(place, "build/rules.mk", "");
    put(place, "log/write.c", "");
    put(place, "out/page.c", "");
    put(place, "settings/a.py", "");
    put(place, "git/a.py", "");
    look(place, "", "");
    assert_left(place, "web/node_modules/", "vendored");
    assert_left(place, "vendor/", "vendored");
    assert_left(place, "shop/vendor/list.c", "taken");
    assert_left(place, "svc/vendor/", "vendored");
    assert_left(place, "tool/target/", "generated");
    static const char *const taken[] = {
        "tool/src/bin/main.rs", "game/target/range.c", "docs/guide.md",
        "bin/run.sh",           "build/rules.mk",      "log/write.c",
        "out/page.c",           "settings/a.py",       "git/a.py"};
    for (size_t i = 0; i < COUNT_OF(taken); i++) assert_left(place, taken[i], "taken");
}

static void what_an_include_line_names_is_taken_all_the_same(void **state)
{
    struct place *place = *state;
    put(place, "vendor/ours/a.c", "");
    put(place, "vendor/theirs/a.c", "");
    put(place, "node_modules/x/a.c", "");
    put(place, "main.c", "");
    put(place, "x.min.js", "");
    put(place, "yarn.lock", "");
    put(place, "Cargo.lock", "");
    look(place, "*.c\n*.lock\n*.min.js\nCargo.lock\nvendor/ours/", "");
    assert_left(place, "main.c", "taken");
    assert_left(place, "vendor/ours/a.c", "taken");
    assert_left(place, "node_modules/", "vendored");
    assert_left(place, "x.min.js", "taken");
    assert_left(place, "Cargo.lock", "taken");
    assert_left(place, "yarn.lock", "generated");
}

static void filters_speak_gitignore(void **state)
{
    struct place *place = *state;
    put(place, "src/a.c", "");
    put(place, "src/a_test.c", "");
    put(place, "src/old/b.c", "");
    put(place, "README.md", "");
    look(place, "/src/", "*_test.c\nold/");
    assert_left(place, "src/a.c", "taken");
    assert_left(place, "src/a_test.c", "excluded");
    assert_left(place, "src/old/", "excluded");
    assert_left(place, "README.md", "excluded");

    struct why why;
    struct wiki_filters wrong = {STR("src/[a-"), STR("")};
    assert_int_equal(wiki_filters_check(&wrong, &why), ERR_INVALID);
    assert_contains(why.text, "src/[a-");
    struct wiki_filters dotted = {STR(""), STR("ok\n./node_modules/\n")};
    assert_int_equal(wiki_filters_check(&dotted, &why), ERR_INVALID);
    assert_contains(why.text, "./node_modules/");
}

static void attributes_tell_what_was_generated(void **state)
{
    struct place *place = *state;
    put(place, ".gitattributes",
        "*.txt text\nmade/*.c linguist-generated\nvendor/** -linguist-vendored\n"
        "far.js linguist-vendored=true\nyarn.lock linguist-generated=false\n");
    put(place, "made/a.c", "");
    put(place, "made/a.h", "");
    put(place, "vendor/a.c", "");
    put(place, "far.js", "");
    put(place, "yarn.lock", "");
    put(place, "sub/.gitattributes", "far.js -linguist-vendored\n");
    put(place, "sub/far.js", "");
    look(place, "", "");
    assert_left(place, "made/a.c", "ignored");
    assert_left(place, "made/a.h", "taken");
    assert_left(place, "vendor/a.c", "taken");
    assert_left(place, "far.js", "ignored");
    assert_left(place, "sub/far.js", "taken");
    assert_left(place, "yarn.lock", "taken");
}

static void links_and_devices_are_not_followed(void **state)
{
    struct place *place = *state;
    char path[128];
    put(place, "a.c", "x");
    put(place, "sub/b.c", "x");
    snprintf(path, sizeof(path), "%s/passwd", place->root);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/etc", place->root);
    assert_int_equal(symlink("/etc", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", place->root);
    assert_int_equal(mkfifo(path, 0600), 0);
    look(place, "", "");
    assert_left(place, "passwd", "link");
    assert_left(place, "etc", "link");
    assert_left(place, "pipe", "link");

    /* What was a file and a folder when we looked is a link when we read. */
    snprintf(path, sizeof(path), "%s/a.c", place->root);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_string_equal(read_it(place, "a.c"), "unreadable");
    char other[128];
    snprintf(path, sizeof(path), "%s/sub", place->root);
    snprintf(other, sizeof(other), "%s/moved", place->root);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_string_equal(read_it(place, "sub/b.c"), "unreadable");
}

static void names_that_cannot_be_shown_are_left_out(void **state)
{
    struct place *place = *state;
    put(place, "a\nb.c", "");
    put(place, "latin\xE9.c", "");
    put(place, "say \"hi\".c", "");
    put(place, "\xE4\xB8\xAD\xE6\x96\x87.c", "");
    put(place, "dir\x01/a.c", "");
    look(place, "", "");
    assert_left(place, "a\\x0ab.c", "name");
    assert_left(place, "latin\\xe9.c", "name");
    assert_left(place, "dir\\x01/", "name");
    assert_left(place, "say \"hi\".c", "taken");
    assert_left(place, "\xE4\xB8\xAD\xE6\x96\x87.c", "taken");
}

static void folders_have_an_end(void **state)
{
    struct place *place = *state;
    char path[2 * LIMIT_WIKI_DEPTH + 16] = "";
    for (int i = 0; i <= LIMIT_WIKI_DEPTH; i++) memcpy(path + 2 * i, "d/", 3);
    memcpy(path + strlen(path), "x.c", 4);
    put(place, path, "");
    put(place, path + 2, "");
    look(place, "", "");
    assert_left(place, path + 2, "taken");
    path[strlen(path) - 3] = '\0';
    assert_left(place, path, "name");
}

static void git_s_own_folders_are_no_part_of_it(void **state)
{
    struct place *place = *state;
    put(place, ".git/config", "x");
    put(place, "sub/.git/config", "x");
    put(place, "module/.git", "gitdir: ../.git/modules/module\n");
    put(place, "module/a.c", "x");
    look(place, "", "");
    assert_int_equal(wiki_tree_count(place->tree), 1);
    assert_left(place, "module/a.c", "taken");
}

static void large_files_are_left_out(void **state)
{
    struct place *place = *state;
    size_t len = LIMIT_WIKI_FILE_BYTES + 1;
    char *bytes = mem_alloc(len);
    memset(bytes, '\n', len);
    put_bytes(place, "huge.c", (struct str){bytes, len});
    put_bytes(place, "large.c", (struct str){bytes, len - 1});
    put_bytes(place, "large.json", (struct str){bytes, LIMIT_WIKI_DATA_BYTES + 1});
    put_bytes(place, "small.json", (struct str){bytes, LIMIT_WIKI_DATA_BYTES});
    put(place, "grows.c", "x\n");
    look(place, "", "");
    assert_left(place, "huge.c", "huge");
    assert_left(place, "large.json", "huge");
    assert_left(place, "small.json", "taken");
    assert_string_equal(read_it(place, "large.c"), "taken");
    assert_int_equal(place->text.len, LIMIT_WIKI_FILE_BYTES);
    put_bytes(place, "grows.c", (struct str){bytes, len});
    assert_string_equal(read_it(place, "grows.c"), "huge");
    mem_free(bytes);
}

static void a_file_that_went_away_is_left_out(void **state)
{
    struct place *place = *state;
    char path[128];
    put(place, "a.c", "x");
    put(place, "sub/b.c", "x");
    look(place, "", "");
    snprintf(path, sizeof(path), "%s/a.c", place->root);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(read_it(place, "a.c"), "unreadable");
    snprintf(path, sizeof(path), "%s/sub", place->root);
    remove_all(path);
    assert_string_equal(read_it(place, "sub/b.c"), "unreadable");
}

static void an_id_stays_until_the_bytes_change(void **state)
{
    struct place *place = *state;
    enum wiki_left_out why;
    char before[80], stays[80];
    put(place, "a.c", "one");
    put(place, "b.c", "one");
    for (int i = 0; i < 20; i++) {
        look(place, "", "");
        str_copy(before, sizeof(before), find(place, "a.c", &why)->blob);
        str_copy(stays, sizeof(stays), find(place, "b.c", &why)->blob);
        /* at once, of the same length: the clock of the file system may not have moved */
        put(place, "a.c", i % 2 ? "one" : "two");
        look(place, "", "");
        assert_false(str_eq(find(place, "a.c", &why)->blob, str_of(before)));
        assert_str_equal(find(place, "b.c", &why)->blob, stays);
    }
}

static void folders_that_are_not_there_are_told(void **state)
{
    struct place *place = *state;
    char path[128];
    struct why why;
    snprintf(path, sizeof(path), "%s/none", place->root);
    assert_int_equal(wiki_tree_open_folder(path, NULL, NULL, &place->tree, &why), ERR_NOT_FOUND);
    snprintf(path, sizeof(path), "%s/link", place->root);
    assert_int_equal(symlink("/etc", path), 0);
    assert_int_equal(wiki_tree_open_folder(path, NULL, NULL, &place->tree, &why), ERR_NOT_FOUND);
    assert_null(place->tree);
    /* nor is a link followed on the way, and a slash at the end is no name */
    put(place, "real/sub/a.c", "x");
    snprintf(path, sizeof(path), "%s/real", place->root);
    char other[160];
    snprintf(other, sizeof(other), "%s/alias", place->root);
    assert_int_equal(symlink(path, other), 0);
    snprintf(path, sizeof(path), "%s/alias/sub", place->root);
    assert_int_equal(wiki_tree_open_folder(path, NULL, NULL, &place->tree, &why), ERR_NOT_FOUND);
    snprintf(path, sizeof(path), "%s//real/sub/", place->root);
    assert_int_equal(wiki_tree_open_folder(path, NULL, NULL, &place->tree, &why), OK);
    assert_int_equal(wiki_tree_count(place->tree), 1);
}

#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void texts_of_all_ages_become_utf8(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *name;
        struct str bytes;
        const char *text, *left_out;
    } cases[] = {
        {"plain.c", BYTES("int a;\r\nint b;\n"), "int a;\nint b;\n", "taken"},
        {"mac.c", BYTES("a\rb"), "a\rb", "taken"},
        {"bom.c", BYTES("\xEF\xBB\xBFint a;"), "int a;", "taken"},
        {"le.c",
         BYTES("\xFF\xFE"
               "a\0\r\0\n\0\x2D\x4E"),
         "a\n\xE4\xB8\xAD", "taken"},
        {"be.c", BYTES("\xFE\xFF\xD8\x3D\xDE\x00"), "\xF0\x9F\x98\x80", "taken"},
        {"lone.c", BYTES("\xFE\xFF\xD8\x3D\0a"), "", "encoding"},
        {"odd.c",
         BYTES("\xFF\xFE"
               "a\0b"),
         "", "encoding"},
        {"wide_nul.c", BYTES("\xFF\xFE\0\0"), "", "binary"},
        {"latin.c", BYTES("/* na\xEFve caf\xE9 \x93x\x94 */"),
         "/* na\xC3\xAFve caf\xC3\xA9 \xE2\x80\x9Cx\xE2\x80\x9D */", "taken"},
        /* 这是一个中文的注释 in GB 18030 */
        {"gb.c",
         BYTES("// \xD5\xE2\xCA\xC7\xD2\xBB\xB8\xF6\xD6\xD0\xCE\xC4\xB5\xC4\xD7\xA2\xCA\xCD\n"),
         "// 这是一个中文的注释\n", "taken"},
        /* Korean in EUC-KR, Japanese in EUC-JP and Shift_JIS, Russian in KOI8-R: no guessing */
        {"kr.c", BYTES("// \xC7\xD1\xB1\xB9\xBE\xEE \xC1\xD6\xBC\xAE\n"), "", "encoding"},
        {"jp.c", BYTES("// \xA4\xB3\xA4\xEC\xA4\xCF\xC6\xFC\xCB\xDC\xB8\xEC\n"), "", "encoding"},
        {"sjis.c", BYTES("// \x82\xB1\x82\xEA\x82\xCD\x93\xFA\x96\x7B\x8C\xEA\n"), "", "encoding"},
        {"koi.c", BYTES("// \xEB\xCF\xCD\xCD\xC5\xCE\xD4\xC1\xD2\xC9\xCA\n"), "", "encoding"},
        {"nul.c", BYTES("int\0a"), "", "binary"},
        {"empty.c", BYTES(""), "", "taken"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        put_bytes(place, cases[i].name, cases[i].bytes);
    }
    look(place, "", "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *is = read_it(place, cases[i].name);
        if (strcmp(is, cases[i].left_out) != 0) fail_msg("%s is %s", cases[i].name, is);
        assert_str_equal(buf_str(&place->text), cases[i].text);
    }
}

static void generated_and_minified_files_give_themselves_away(void **state)
{
    struct place *place = *state;
    char wide[8000];
    memset(wide, 'x', sizeof(wide));
    put(place, "a.go", "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage a\n");
    put(place, "b.c", "/*\n * Automatically generated from b.y:\n * do not edit.\n */\n");
    put(place, "c.ts", "/**\n * @generated SignedSource<<x>>\n */\n");
    put(place, "d.c",
        "/* A hand-written lexer. */\nconst char *mark = \"@generated do not edit\";\n");
    put(place, "e.md", "# Files\n\nSay \"Code generated by x. DO NOT EDIT.\" in the first line.\n");
    put_bytes(place, "f.js", (struct str){wide, 3000});
    put_bytes(place, "g.js", (struct str){wide, 1000});
    put_bytes(place, "h.md", (struct str){wide, 8000});
    put_bytes(place, "i.c", (struct str){wide, 8000});
    put(place, "j.png", "not even read");
    put(place, "k.min.css", "a{}");
    look(place, "", "");
    static const struct {
        const char *path, *is;
    } cases[] = {{"a.go", "generated"}, {"b.c", "generated"}, {"c.ts", "generated"},
                 {"d.c", "taken"},      {"e.md", "taken"},    {"f.js", "minified"},
                 {"g.js", "taken"},     {"h.md", "taken"},    {"i.c", "minified"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *is = read_it(place, cases[i].path);
        if (strcmp(is, cases[i].is) != 0) fail_msg("%s is %s", cases[i].path, is);
    }
    assert_left(place, "j.png", "binary");
    assert_left(place, "k.min.css", "minified");
    look(place, "a.go\n*.c", "");
    assert_string_equal(read_it(place, "a.go"), "taken"); /* it was named */
    assert_string_equal(read_it(place, "b.c"), "generated");
}

/* Each may have 256 KiB, and a repository a million of them. */
static void rules_have_an_end(void **state)
{
    struct place *place = *state;
    struct wiki_filters filters = {0};
    struct why why;
    struct buf rules;
    buf_init(&rules, LIMIT_WIKI_IGNORE_BYTES);
    while (rules.len + 20 < LIMIT_WIKI_IGNORE_BYTES) buf_add_str(&rules, STR("nothing/of/this\n"));
    for (int i = 0; i < 2 + LIMIT_WIKI_RULES_BYTES / LIMIT_WIKI_IGNORE_BYTES; i++) {
        char path[64];
        snprintf(path, sizeof(path), "folder%d/%s", i, i % 2 ? ".gitattributes" : ".gitignore");
        put_bytes(place, path, buf_str(&rules));
    }
    buf_release(&rules);
    assert_int_equal(wiki_tree_open_folder(place->root, NULL, &filters, &place->tree, &why),
                     ERR_LIMIT);
    assert_non_null(strstr(why.text, ".gitattributes"));
    assert_null(place->tree);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(files_stand_in_the_order_of_their_bytes),
        CASE(every_folder_may_have_its_gitignore),
        CASE(what_tools_bring_is_left_out_where_they_put_it),
        CASE(what_an_include_line_names_is_taken_all_the_same),
        CASE(filters_speak_gitignore),
        CASE(attributes_tell_what_was_generated),
        CASE(links_and_devices_are_not_followed),
        CASE(names_that_cannot_be_shown_are_left_out),
        CASE(folders_have_an_end),
        CASE(git_s_own_folders_are_no_part_of_it),
        CASE(large_files_are_left_out),
        CASE(a_file_that_went_away_is_left_out),
        CASE(an_id_stays_until_the_bytes_change),
        CASE(folders_that_are_not_there_are_told),
        CASE(texts_of_all_ages_become_utf8),
        CASE(generated_and_minified_files_give_themselves_away),
        CASE(rules_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
