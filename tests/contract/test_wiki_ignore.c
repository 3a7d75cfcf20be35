/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Does git agree? Some hundred folders with the same files and folders, each
 * with .gitignore files made of pieces at random; git is asked once for all, and
 * then our tree of each folder is held against its answer. The seed stands in
 * what a failure says; HUTONG_SEED takes another.
 */
#include "wiki/tree.h"

#include <errno.h>
#include <sys/stat.h>

#include "unit.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

enum { FOLDERS = 300, LINES_MAX = 4 };

static const char *const files[] = {
    "a",         "b",         "ab",    "abc",       "a.c",
    "b-",        "*",         "[",     "]",         "\\",
    "!",         "#",         " a",    "a ",        "\xE4\xB8\xAD",
    ".a",        "-",         "d",     "x/a",       "x/b",
    "x/ab",      "x/a.c",     "x/y/a", "x/y/b",     "x/y/abc",
    "x/y/z/a",   "x/y/z/a.c", "y/a",   "y/x/a",     "y/x/y/b",
    "a b/c d/e", "c/a/b/c",   "c/c/c", "[x]/a",     "x]/b",
    "7/a",       "7/-/b",     "[a/b]", "z/a/x/b/c", "z/b",
    "z/\\/a",    "A/B",
};
static const char *const pieces[] = {
    "a",
    "b",
    "c",
    "x",
    "y",
    "z",
    "ab",
    "d",
    "*",
    "*",
    "**",
    "**/",
    "/**",
    "?",
    "/",
    "/",
    "/",
    "[ab]",
    "[!a]",
    "[^b-d]",
    "[a-",
    "\\",
    "\\a",
    "\\*",
    " ",
    "!",
    "#",
    "[]",
    "[]a]",
    "]",
    "[a-c-e]",
    "[[:alpha:]]",
    "[[:nix:]]",
    "[[:a]",
    "[\\]]",
    "-",
    ".",
    ".c",
    "\\/",
    "[a/b]",
    "\xE4\xB8\xAD",
    "[[:digit:]-]",
    "[x]",
    "\\[",
    "\\ ",
    "7",
    "A",
    "[-x]",
    "[z-a]",
    "***",
    "//",
    "[!]a]",
    "[^]]",
};
static const char *const lines_of_people[] = {
    "*.c",    "!a.c",         "/x/",
    "x/y/**", "!x/y/a",       "**/a",
    "x/**/b", "*\n!*/\n!*.c", "/*\n!/x\n/x/*\n!/x/y",
};

struct place {
    char root[64];
    uint64_t seed;
    struct map ignored; /* what git says; the value is the path itself */
    struct arena arena;
    struct wiki_tree *tree;
};

static void make_folders(const char *root, char *path)
{
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

static void put(const struct place *place, int folder, const char *path, struct str text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s/%d/%s", place->root, folder, path);
    make_folders(place->root, full);
    FILE *file = fopen(full, "wb");
    assert_non_null(file);
    if (text.len > 0) assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    fclose(file);
}

static struct str random_lines(struct rng *rng, struct buf *lines)
{
    buf_reset(lines, SIZE_MAX);
    for (uint32_t n = 1 + rng_below(rng, LINES_MAX); n > 0; n--) {
        if (rng_below(rng, 8) == 0) {
            buf_add_str(lines, str_of(lines_of_people[rng_below(rng, COUNT_OF(lines_of_people))]));
        } else {
            if (rng_below(rng, 5) == 0) buf_add_byte(lines, '!');
            for (uint32_t p = 1 + rng_below(rng, 5); p > 0; p--) {
                buf_add_str(lines, str_of(pieces[rng_below(rng, COUNT_OF(pieces))]));
            }
        }
        buf_add_str(lines, rng_below(rng, 10) == 0 ? STR("\r\n") : STR("\n"));
    }
    return buf_str(lines);
}

static void run(char *const *argv, const char *in, const char *out)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (in) dup2(open(in, O_RDONLY | O_CLOEXEC), 0);
        if (out) dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 1);
        setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
        setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2); /* 1: nothing is ignored */
}

static void write_all(const struct place *place)
{
    struct rng rng;
    struct buf lines;
    char list[96];
    rng_init(&rng, place->seed, 1);
    buf_init(&lines, 4096);
    snprintf(list, sizeof(list), "%s/list", place->root);
    FILE *asked = fopen(list, "wb");
    assert_non_null(asked);
    for (int folder = 0; folder < FOLDERS; folder++) {
        for (size_t i = 0; i < COUNT_OF(files); i++) {
            put(place, folder, files[i], STR(""));
            fprintf(asked, "%d/%s%c", folder, files[i], '\0');
        }
        put(place, folder, ".gitignore", random_lines(&rng, &lines));
        if (rng_below(&rng, 2)) put(place, folder, "x/.gitignore", random_lines(&rng, &lines));
        if (rng_below(&rng, 3) == 0)
            put(place, folder, "x/y/.gitignore", random_lines(&rng, &lines));
    }
    assert_int_equal(fclose(asked), 0);
    buf_release(&lines);
}

static struct str read_whole(struct arena *arena, const char *path)
{
    struct stat is;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &is) == 0);
    char *bytes = arena_alloc(arena, (size_t)is.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)is.st_size), is.st_size);
    close(fd);
    return (struct str){bytes, (size_t)is.st_size};
}

static int place_open(void **state)
{
    struct place *place = NEW(struct place);
    const char *seed = getenv("HUTONG_SEED");
    if (!seed || !str_to_u64(str_of(seed), &place->seed)) place->seed = 20261121;
    str_copy(place->root, sizeof(place->root), STR("/tmp/hutong-wiki-ignore-XXXXXX"));
    if (!mkdtemp(place->root)) return -1;
    write_all(place);

    char list[96], answer[96];
    snprintf(list, sizeof(list), "%s/list", place->root);
    snprintf(answer, sizeof(answer), "%s/answer", place->root);
    char git[] = "git", into[] = "-C", init[] = "init", quiet[] = "-q", check[] = "check-ignore";
    char zero[] = "-z", in[] = "--stdin", all[] = "--no-index";
    run((char *[]){git, into, place->root, init, quiet, NULL}, NULL, NULL);
    run((char *[]){git, into, place->root, check, zero, in, all, NULL}, list, answer);
    struct str rest = read_whole(&place->arena, answer), path;
    while (str_split(&rest, '\0', &path)) {
        if (!map_find(&place->ignored, path)) map_add(&place->ignored, path, place);
    }
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    struct place *place = *state;
    char rm[] = "rm", force[] = "-rf", end[] = "--";
    run((char *[]){rm, force, end, place->root, NULL}, NULL, NULL);
    wiki_tree_close(place->tree);
    map_release(&place->ignored);
    arena_release(&place->arena);
    mem_free(place);
    return 0;
}

/* Is it, or a folder above it, left out in the tree? A folder's entry ends in '/'. */
static bool left_out(const struct wiki_tree *tree, struct str path)
{
    for (size_t i = 0; i < wiki_tree_count(tree); i++) {
        enum wiki_left_out why;
        struct str entry = wiki_tree_file(tree, i, &why)->path;
        if (why != WIKI_LEFT_IGNORED) continue;
        if (str_eq(entry, path) || (str_ends(entry, STR("/")) && str_starts(path, entry)))
            return true;
    }
    return false;
}

static void complain(const struct place *place, int folder, const char *path, bool git_says)
{
    static const char *const levels[] = {"", "x/", "x/y/"};
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s/%d/%s.gitignore", place->root, folder, levels[i]);
        if (access(name, R_OK) != 0) continue;
        print_error("--- %s.gitignore\n%.*s", levels[i], STR_ARGS(read_whole(&arena, name)));
    }
    arena_release(&arena);
    fail_msg("seed %llu: git %s \"%s\", we do not agree", (unsigned long long)place->seed,
             git_says ? "ignores" : "takes", path);
}

static void git_agrees_about_every_path(void **state)
{
    struct place *place = *state;
    size_t ignored = 0;
    for (int folder = 0; folder < FOLDERS; folder++) {
        struct why why;
        char path[128];
        snprintf(path, sizeof(path), "%s/%d", place->root, folder);
        assert_int_equal(wiki_tree_open_folder(path, NULL, NULL, &place->tree, &why), OK);
        for (size_t i = 0; i < COUNT_OF(files); i++) {
            snprintf(path, sizeof(path), "%d/%s", folder, files[i]);
            bool git_says = map_find(&place->ignored, str_of(path)) != NULL;
            if (left_out(place->tree, str_of(files[i])) != git_says) {
                complain(place, folder, files[i], git_says);
            }
            ignored += git_says;
        }
        wiki_tree_close(place->tree);
        place->tree = NULL;
    }
    /* Neither all nor nothing, or there was nothing to agree about. */
    size_t all = FOLDERS * COUNT_OF(files);
    assert_in_range(ignored, all / 10, all * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(git_agrees_about_every_path, place_open, place_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
