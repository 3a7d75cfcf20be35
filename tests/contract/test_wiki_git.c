/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Repositories brought here by the real git, from folders and from a server of
 * the test: what is fetched, what is told when it cannot be, what stays after a
 * failure, and what no hostile repository can do.
 */
#include "wiki/git.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "git_server.h"
#include "unit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wiki/dir.h"
#include "wiki/tree.h"

#define TOKEN "hunter2/s3cr%t+x"

struct place {
    char root[64];
    char work[96], bare[96], here[96]; /* a work tree, what it is pushed to, what we make of it */
    struct git_server server;
    struct arena arena;
    struct wiki_address address;
    struct wiki_fetch fetch;
    struct wiki_fetched fetched;
    struct wiki_tree *tree;
    struct why why;
    atomic_bool stop;
    struct buf text;
};

static void commit_all(const struct place *place, const char *message)
{
    RUN(place->work, "git", "add", "-A", "-f");
    RUN(place->work, "git", "commit", "-q", "--allow-empty", "-m", message);
    RUN(place->work, "git", "push", "-q", "--all", place->bare);
    RUN(place->work, "git", "push", "-q", "--tags", place->bare);
}

static int place_open(void **state)
{
    struct place *place = NEW(struct place);
    str_copy(place->root, sizeof(place->root), STR("/tmp/hutong-wiki-git-XXXXXX"));
    if (!mkdtemp(place->root)) return -1;
    snprintf(place->work, sizeof(place->work), "%s/work", place->root);
    snprintf(place->bare, sizeof(place->bare), "%s/team/repo.git", place->root);
    snprintf(place->here, sizeof(place->here), "%s/data/wiki/1", place->root);
    RUN(NULL, "git", "init", "-q", "-b", "main", place->work);
    RUN(NULL, "git", "init", "-q", "--bare", "-b", "main", place->bare);
    git_put(place->work, "README.md", STR("# One\n"));
    git_put(place->work, "src/a.c", STR("int a;\n"));
    commit_all(place, "one");
    git_server_open(&place->server, place->root);
    buf_init(&place->text, LIMIT_WIKI_TEXT_BYTES);
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    struct place *place = *state;
    wiki_tree_close(place->tree);
    git_server_close(&place->server);
    git_remove_all(place->root);
    buf_release(&place->text);
    arena_release(&place->arena);
    mem_free(place);
    return 0;
}

/* --- what the tests do --- */

static void aim(struct place *place, const char *text)
{
    struct why why;
    if (wiki_address_parse(&place->arena, str_of(text), STR(""), &place->address, &why) != OK) {
        fail_msg("%s: %s", text, why.text);
    }
    struct wiki_bounds bounds = {.roots = str_of(place->root), .hosts = place->address.host};
    place->fetch = (struct wiki_fetch){.from = &place->address,
                                       .folder = place->here,
                                       .time_ms = 60000,
                                       .bytes_max = UINT64_C(1) << 30,
                                       .stop = &place->stop};
    if (wiki_address_allow(&place->arena, &place->address, &bounds, &place->fetch.pin, &why) !=
        OK) {
        fail_msg("%s: %s", text, why.text);
    }
}

static void aim_at_folder(struct place *place)
{
    char text[160];
    snprintf(text, sizeof(text), "file://%s", place->bare);
    aim(place, text);
}

static void aim_at_server(struct place *place, const char *path)
{
    char text[160];
    snprintf(text, sizeof(text), "http://127.0.0.1:%d/%s", place->server.port, path);
    aim(place, text);
}

static enum err fetch(struct place *place)
{
    place->why = (struct why){.field = NULL};
    enum err err = wiki_git_fetch(&place->arena, &place->fetch, &place->fetched, &place->why);
    assert_true((err == OK) || place->why.text[0] != '\0');
    return err;
}

static void must_fetch(struct place *place)
{
    enum err err = fetch(place);
    if (err) fail_msg("%s: %s", err_name(err), place->why.text);
}

static void look(struct place *place)
{
    struct why why;
    wiki_tree_close(place->tree);
    place->tree = NULL;
    enum err err =
        wiki_tree_open_commit(place->here, str_of(place->fetched.commit), NULL, &place->tree, &why);
    if (err) fail_msg("%s: %s", err_name(err), why.text);
}

static const struct wiki_file *find(const struct place *place, const char *path,
                                    enum wiki_left_out *why)
{
    for (size_t i = 0; i < wiki_tree_count(place->tree); i++) {
        const struct wiki_file *file = wiki_tree_file(place->tree, i, why);
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

static void assert_text(struct place *place, const char *path, const char *expected)
{
    enum wiki_left_out left;
    struct why why;
    const struct wiki_file *file = find(place, path, &left);
    assert_non_null(file);
    assert_int_equal(wiki_tree_read(place->tree, file, &place->text, &left, &why), OK);
    assert_int_equal(left, WIKI_TAKEN);
    assert_str_equal(buf_str(&place->text), expected);
}

static void fetched_is_good(struct place *place, const char *readme)
{
    look(place);
    assert_text(place, "README.md", readme);
}

static void put_and_commit(struct place *place, const char *path, const char *text)
{
    git_put(place->work, path, str_of(text));
    commit_all(place, text);
}

static struct str head_of(struct place *place, const char *name)
{
    struct buf out;
    buf_init(&out, 4096);
    ASK(place->work, &out, "git", "rev-parse", name);
    struct str id = arena_copy(&place->arena, str_trim(buf_str(&out)));
    buf_release(&out);
    return id;
}

/* Nothing of ours is left beside the folder. */
static void assert_alone(const struct place *place, size_t names)
{
    char parent[128];
    snprintf(parent, sizeof(parent), "%s/data/wiki", place->root);
    assert_int_equal(wiki_dir_count(parent, NULL), names);
}

/* --- fetching --- */

static void a_folder_is_fetched_with_its_own_branch(void **state)
{
    struct place *place = *state;
    aim_at_folder(place);
    must_fetch(place);
    assert_str_equal(place->fetched.branch, "main");
    assert_str_equal(head_of(place, "HEAD"), place->fetched.commit);
    assert_int_equal(place->fetched.committed_s, 1700000000);
    look(place);
    assert_int_equal(wiki_tree_count(place->tree), 2);
    assert_text(place, "src/a.c", "int a;\n");
    assert_text(place, "README.md", "# One\n");
    enum wiki_left_out why;
    assert_str_equal(find(place, "README.md", &why)->blob, head_of(place, "HEAD:README.md").at);
    assert_alone(place, 1);
}

static void a_server_is_asked_by_the_pinned_address(void **state)
{
    struct place *place = *state;
    char text[160];
    /* No resolver knows the name; only the pin says where it is. */
    snprintf(text, sizeof(text), "http://git.nowhere.invalid:%d/team/repo", place->server.port);
    assert_int_equal(
        wiki_address_parse(&place->arena, str_of(text), STR(""), &place->address, &place->why), OK);
    place->fetch = (struct wiki_fetch){
        .from = &place->address, .folder = place->here, .time_ms = 60000, .pin = STR("127.0.0.1")};
    must_fetch(place);
    fetched_is_good(place, "# One\n");
}

static void branches_tags_and_commits_can_be_named(void **state)
{
    struct place *place = *state;
    struct str first = head_of(place, "HEAD");
    RUN(place->work, "git", "tag", "-a", "-m", "x", "v1");
    RUN(place->work, "git", "tag", "light");
    RUN(place->work, "git", "branch", "feature/x");
    put_and_commit(place, "README.md", "# Two\n");
    RUN(place->work, "git", "branch", "v1"); /* a branch called as a tag comes first */
    RUN(place->work, "git", "checkout", "-q", "feature/x");
    put_and_commit(place, "README.md", "# Feature\n");
    aim_at_folder(place);
    static const struct {
        const char *asked, *branch, *readme;
    } rows[] = {
        {"", "main", "# Two\n"},
        {"feature/x", "feature/x", "# Feature\n"},
        {"refs/heads/feature/x", "feature/x", "# Feature\n"},
        {"light", "light", "# One\n"},
        {"refs/tags/v1", "v1", "# One\n"},
        {"v1", "v1", "# Two\n"},
        {"refs/heads/v1", "v1", "# Two\n"},
        {" main ", "main", "# Two\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        place->fetch.branch = str_of(rows[i].asked);
        must_fetch(place);
        assert_str_equal(place->fetched.branch, rows[i].branch);
        fetched_is_good(place, rows[i].readme);
    }
    place->fetch.branch = first;
    must_fetch(place);
    assert_str_equal(first, place->fetched.commit);
    assert_int_equal(place->fetched.branch.len, 0);
    fetched_is_good(place, "# One\n");
}

static void what_is_no_branch_is_told(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *asked;
        enum err err;
    } rows[] = {
        {"nobody", ERR_NOT_FOUND},
        {"0123456", ERR_NOT_FOUND},
        {"0123456789012345678901234567890123456789", ERR_NOT_FOUND},
        {"--upload-pack=touch x", ERR_INVALID},
        {"-x", ERR_INVALID},
        {"a..b", ERR_INVALID},
        {"a b", ERR_INVALID},
        {"a:b", ERR_INVALID},
        {"*", ERR_INVALID},
        {"a.lock", ERR_INVALID},
        {"@", ERR_INVALID},
        {"x@{1}", ERR_INVALID},
    };
    aim_at_folder(place);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        place->fetch.branch = str_of(rows[i].asked);
        enum err err = fetch(place);
        if (err != rows[i].err)
            fail_msg("%s: %s, %s", rows[i].asked, err_name(err), place->why.text);
    }
    assert_alone(place, 0); /* nothing is made for nothing */
}

static void an_empty_repository_says_so(void **state)
{
    struct place *place = *state;
    git_remove_all(place->bare);
    RUN(NULL, "git", "init", "-q", "--bare", place->bare);
    aim_at_folder(place);
    assert_int_equal(fetch(place), ERR_NOT_FOUND);
    assert_contains(place->why.text, "empty");
}

static void longer_ids_are_fine_too(void **state)
{
    struct place *place = *state;
    git_remove_all(place->work);
    git_remove_all(place->bare);
    RUN(NULL, "git", "init", "-q", "-b", "main", "--object-format=sha256", place->work);
    RUN(NULL, "git", "init", "-q", "--bare", "-b", "main", "--object-format=sha256", place->bare);
    put_and_commit(place, "README.md", "# Long\n");
    aim_at_folder(place);
    must_fetch(place);
    assert_int_equal(strlen(place->fetched.commit), 64);
    fetched_is_good(place, "# Long\n");
    put_and_commit(place, "README.md", "# Longer\n");
    must_fetch(place);
    fetched_is_good(place, "# Longer\n");
}

static void an_update_brings_the_new_commit(void **state)
{
    struct place *place = *state;
    aim_at_server(place, "team/repo");
    must_fetch(place);
    put_and_commit(place, "README.md", "# Two\n");
    must_fetch(place);
    fetched_is_good(place, "# Two\n");
    assert_text(place, "src/a.c", "int a;\n");
    /* A history that was written anew is the history. */
    RUN(place->work, "git", "commit", "-q", "--amend", "-m", "other");
    RUN(place->work, "git", "push", "-q", "-f", place->bare, "main");
    must_fetch(place);
    assert_str_equal(head_of(place, "HEAD"), place->fetched.commit);
    /* Nothing new: nothing is fetched. */
    int before = atomic_load(&place->server.requests);
    must_fetch(place);
    assert_in_range(atomic_load(&place->server.requests) - before, 1, 2);
}

static void many_updates_do_not_grow_for_ever(void **state)
{
    struct place *place = *state;
    char text[32];
    aim_at_folder(place);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "# %d\n", i);
        put_and_commit(place, "README.md", text);
        must_fetch(place);
        char packs[160];
        snprintf(packs, sizeof(packs), "%s/objects/pack", place->here);
        assert_in_range(wiki_dir_count(packs, ".pack"), 1, 17);
    }
    fetched_is_good(place, text);
    assert_alone(place, 1);
}

static void a_damaged_folder_is_made_again(void **state)
{
    struct place *place = *state;
    char path[160];
    aim_at_folder(place);
    must_fetch(place);
    snprintf(path, sizeof(path), "%s/objects", place->here);
    git_remove_all(path);
    must_fetch(place);
    fetched_is_good(place, "# One\n");
    git_remove_all(place->here);
    assert_int_equal(mkdir(place->here, 0700), 0);
    git_put(place->here, "notes", STR("no repository"));
    must_fetch(place);
    fetched_is_good(place, "# One\n");
    assert_alone(place, 1);
}

static void locks_of_a_killed_git_are_no_obstacle(void **state)
{
    struct place *place = *state;
    aim_at_folder(place);
    must_fetch(place);
    put_and_commit(place, "README.md", "# Two\n");
    git_put(place->here, "shallow.lock", STR(""));
    git_put(place->here, "refs/hutong/now.lock", STR(""));
    git_put(place->here, "objects/pack/tmp_pack_AbCdEf", STR("half a pack"));
    git_put(place->root, "data/wiki/1.new-0123/HEAD", STR("half a repository"));
    must_fetch(place);
    fetched_is_good(place, "# Two\n");
    char path[160];
    snprintf(path, sizeof(path), "%s/objects/pack/tmp_pack_AbCdEf", place->here);
    assert_int_not_equal(access(path, F_OK), 0);
}

struct progress {
    char stages[256];
    int last;
};

static void note_progress(void *ctx, const char *stage, int percent)
{
    struct progress *progress = ctx;
    assert_in_range(percent + 1, 0, 101);
    size_t len = strlen(progress->stages), word = strlen(stage);
    bool same = len >= word + 1 && strncmp(progress->stages + len - word - 1, stage, word) == 0;
    if (!same) snprintf(progress->stages + len, sizeof(progress->stages) - len, "%s ", stage);
    progress->last = percent;
}

static void progress_is_told(void **state)
{
    struct place *place = *state;
    struct progress progress = {.last = -2};
    aim_at_server(place, "team/repo");
    place->fetch.progress = note_progress;
    place->fetch.ctx = &progress;
    must_fetch(place);
    assert_contains(progress.stages, "connecting ");
    assert_contains(progress.stages, "receiving ");
    assert_int_equal(progress.last, 100);
}

/* --- refusals --- */

static void failures_have_reasons(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *path;
        int status;
        enum err err;
        const char *said;
    } rows[] = {
        {"team/none", 0, ERR_NOT_FOUND, "private one needs a token"},
        {"team/repo", 401, ERR_DENIED, "without a token"},
        {"team/repo", 403, ERR_DENIED, "without a token"},
        {"team/repo", 404, ERR_NOT_FOUND, "no such repository"},
        {"team/repo", 429, ERR_BUSY, "later"},
        {"team/repo", 500, ERR_UPSTREAM, "trouble of its own"},
        {"team/repo", 503, ERR_UPSTREAM, "trouble of its own"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        aim_at_server(place, rows[i].path);
        atomic_store(&place->server.status, rows[i].status);
        enum err err = fetch(place);
        if (err != rows[i].err)
            fail_msg("%d: %s, %s", rows[i].status, err_name(err), place->why.text);
        assert_contains(place->why.text, rows[i].said);
        assert_null(strstr(place->why.text, place->root));
    }
    atomic_store(&place->server.status, 0);
    char text[128];
    snprintf(text, sizeof(text), "file://%s/team", place->root);
    aim(place, text);
    assert_int_equal(fetch(place), ERR_NOT_FOUND);
    aim(place, "http://127.0.0.1:1/team/repo");
    assert_int_equal(fetch(place), ERR_UPSTREAM);
    assert_contains(place->why.text, "cannot be reached");
    aim(place, "https://127.0.0.1:1/team/repo");
    assert_int_equal(fetch(place), ERR_UPSTREAM);
    assert_alone(place, 0);
}

static void nobody_is_sent_elsewhere(void **state)
{
    struct place *place = *state;
    struct git_server other;
    char to[64];
    git_server_open(&other, place->root);
    snprintf(to, sizeof(to), "http://127.0.0.1:%d", other.port);
    git_server_move(&place->server, to, NULL, NULL);
    aim_at_server(place, "team/repo");
    place->fetch.token = STR(TOKEN);
    assert_int_equal(fetch(place), ERR_UPSTREAM);
    assert_contains(place->why.text, "moved");
    assert_int_equal(atomic_load(&other.requests), 0);
    git_server_close(&other);
}

static void a_repository_with_a_new_name_is_found_on_its_own_host(void **state)
{
    struct place *place = *state;
    char to[64];
    snprintf(to, sizeof(to), "http://127.0.0.1:%d", place->server.port);
    git_server_move(&place->server, to, "/old/name", "/team/repo.git");
    aim_at_server(place, "old/name");
    must_fetch(place);
    fetched_is_good(place, "# One\n");
    /* for ever in a ring is no new name */
    git_server_move(&place->server, to, NULL, "/old/name.git");
    assert_int_equal(fetch(place), ERR_UPSTREAM);
    assert_contains(place->why.text, "moved");
}

/* --- secrets --- */

static void a_token_opens_what_is_private(void **state)
{
    struct place *place = *state;
    git_server_lock(&place->server, "git", TOKEN);
    aim_at_server(place, "team/repo");
    assert_int_equal(fetch(place), ERR_DENIED);
    place->fetch.token = STR("wrong");
    assert_int_equal(fetch(place), ERR_DENIED);
    assert_contains(place->why.text, "does not accept this token");
    place->fetch.token = STR(TOKEN);
    must_fetch(place);
    fetched_is_good(place, "# One\n");
    place->fetch.token = STR("git:" TOKEN);
    must_fetch(place);

    git_server_lock(&place->server, "x-access-token", TOKEN);
    place->fetch.token = STR(TOKEN);
    assert_int_equal(fetch(place), ERR_DENIED);
    place->address.host_kind = WIKI_GITHUB;
    must_fetch(place);
    git_server_lock(&place->server, "oauth2", TOKEN);
    place->address.host_kind = WIKI_GITLAB;
    must_fetch(place);

    char *long_one = arena_alloc(&place->arena, 100001);
    memset(long_one, 'x', 100000);
    place->fetch.token = (struct str){long_one, 100000};
    assert_int_equal(fetch(place), ERR_INVALID);
    aim_at_folder(place);
    place->fetch.token = STR(TOKEN);
    assert_int_equal(fetch(place), ERR_INVALID);
}

/* Does any file below have it, in one of the forms it could take? */
static bool folder_has(const char *folder, const char *const *needles, size_t count)
{
    bool found = false;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[512];
        struct stat is;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (lstat(path, &is) != 0) continue;
        if (S_ISDIR(is.st_mode)) {
            found = folder_has(path, needles, count) || found;
            continue;
        }
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *bytes = mem_alloc((size_t)is.st_size + 1);
        ssize_t got = read(fd, bytes, (size_t)is.st_size);
        struct str all = {bytes, got > 0 ? (size_t)got : 0};
        for (size_t i = 0; i < count; i++) {
            found = found || str_find(all, str_of(needles[i])) < all.len;
        }
        mem_free(bytes);
        close(fd);
    }
    closedir(dir);
    return found;
}

static const char *const token_forms[] = {
    "hunter2", "s3cr", "hunter2%2Fs3cr%25t%2Bx",
    "Z2l0Omh1bnRlcjIvczNjciV0K3g", /* git:TOKEN in base64 */
};

/* All arguments of all processes there are. */
static bool arguments_have(const char *const *needles, size_t count)
{
    bool found = false;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300], bytes[8192];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        ssize_t got = read(fd, bytes, sizeof(bytes));
        close(fd);
        struct str all = {bytes, got > 0 ? (size_t)got : 0};
        for (size_t i = 0; i < count; i++) {
            found = found || str_find(all, str_of(needles[i])) < all.len;
        }
    }
    closedir(dir);
    return found;
}

struct running {
    pthread_t thread;
    struct place *place;
    enum err err;
};

static void *run_fetch(void *ctx)
{
    struct running *running = ctx;
    running->err = fetch(running->place);
    return NULL;
}

static void begin_fetch(struct running *running, struct place *place)
{
    running->place = place;
    assert_int_equal(pthread_create(&running->thread, NULL, run_fetch, running), 0);
}

static void wait_for_requests(struct place *place, int count)
{
    int64_t end_us = clock_mono_us() + 30 * 1000 * 1000;
    while (atomic_load(&place->server.requests) < count) {
        assert_true(clock_mono_us() < end_us);
        (void)usleep(2000);
    }
}

static enum err end_fetch(struct running *running)
{
    pthread_join(running->thread, NULL);
    return running->err;
}

static void a_token_is_nowhere_but_with_the_host(void **state)
{
    struct place *place = *state;
    struct running running;
    git_server_lock(&place->server, "git", TOKEN);
    aim_at_server(place, "team/repo");
    place->fetch.token = STR(TOKEN);
    atomic_store(&place->server.stall_at_bytes, 60);
    begin_fetch(&running, place);
    wait_for_requests(place, 1);
    static const char *const seen[] = {"ls-remote"};
    assert_true(arguments_have(seen, 1)); /* we do look where it would be */
    assert_false(arguments_have(token_forms, COUNT_OF(token_forms)));
    atomic_store(&place->stop, true);
    assert_int_equal(end_fetch(&running), ERR_CANCELLED);
    atomic_store(&place->stop, false);
    git_server_close(&place->server); /* the one that stalls */
    git_server_open(&place->server, place->root);
    git_server_lock(&place->server, "git", TOKEN);
    aim_at_server(place, "team/repo");
    place->fetch.token = STR(TOKEN);
    must_fetch(place);
    assert_true(atomic_load(&place->server.with_token) > 0);
    char data[96];
    snprintf(data, sizeof(data), "%s/data", place->root);
    assert_false(folder_has(data, token_forms, COUNT_OF(token_forms)));
    /* and in no sentence, whatever goes wrong */
    static const int statuses[] = {400, 401, 403, 404, 418, 500};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        atomic_store(&place->server.status, statuses[i]);
        assert_int_not_equal(fetch(place), OK);
        for (size_t f = 0; f < COUNT_OF(token_forms); f++) {
            assert_null(strstr(place->why.text, token_forms[f]));
        }
    }
}

/* --- ends that come early --- */

static void begin_stalled(struct running *running, struct place *place)
{
    char *large = mem_alloc(3 * 1024 * 1024);
    for (size_t i = 0; i < 3 * 1024 * 1024; i++) large[i] = (char)(' ' + (i * i / 7 + i) % 90);
    aim_at_server(place, "team/repo");
    must_fetch(place);
    git_put(place->work, "README.md", STR("# Two\n"));
    git_put(place->work, "large.c", (struct str){large, 3 * 1024 * 1024});
    mem_free(large);
    commit_all(place, "large");
    atomic_store(&place->server.stall_at_bytes, 100000);
    int before = atomic_load(&place->server.requests);
    begin_fetch(running, place);
    wait_for_requests(place, before + 4); /* what it can, the refs, what it can, the pack */
}

/* No process is left that knows the folder, and the commit there is the older one. */
static void assert_older_is_good(struct place *place)
{
    const char *const here[] = {"fetch", place->here};
    assert_false(arguments_have(here + 1, 1));
    struct str old = head_of(place, "HEAD~1");
    str_copy(place->fetched.commit, sizeof(place->fetched.commit), old);
    fetched_is_good(place, "# One\n");
}

static void a_stop_in_the_middle_leaves_the_older_commit(void **state)
{
    struct place *place = *state;
    struct running running;
    begin_stalled(&running, place);
    int64_t begin_us = clock_mono_us();
    atomic_store(&place->stop, true);
    assert_int_equal(end_fetch(&running), ERR_CANCELLED);
    assert_true(clock_mono_us() - begin_us < 5 * 1000 * 1000);
    assert_older_is_good(place);
    atomic_store(&place->stop, false);
    git_server_close(&place->server);
    git_server_open(&place->server, place->root);
    aim_at_server(place, "team/repo");
    must_fetch(place);
    fetched_is_good(place, "# Two\n");
}

static void time_that_is_up_leaves_the_older_commit(void **state)
{
    struct place *place = *state;
    struct running running;
    aim_at_server(place, "team/repo");
    must_fetch(place);
    put_and_commit(place, "README.md", "# Two\n");
    atomic_store(&place->server.stall_at_bytes, 60);
    place->fetch.time_ms = 700;
    begin_fetch(&running, place);
    assert_int_equal(end_fetch(&running), ERR_TIMEOUT);
    assert_older_is_good(place);
}

static void of_two_at_once_one_is_told_to_wait(void **state)
{
    struct place *place = *state;
    struct running running;
    begin_stalled(&running, place);
    struct wiki_fetched fetched;
    struct why why;
    assert_int_equal(wiki_git_fetch(&place->arena, &place->fetch, &fetched, &why), ERR_BUSY);
    atomic_store(&place->stop, true);
    assert_int_equal(end_fetch(&running), ERR_CANCELLED);
}

/* kill -9 of the whole server: its git goes on for a while and knows nothing of it. */
static void a_process_that_is_killed_leaves_the_older_commit(void **state)
{
    struct place *place = *state;
    aim_at_server(place, "team/repo");
    must_fetch(place);
    put_and_commit(place, "README.md", "# Two\n");
    atomic_store(&place->server.stall_at_bytes, 60);
    int before = atomic_load(&place->server.requests);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)fetch(place);
        _exit(0);
    }
    wait_for_requests(place, before + 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    str_copy(place->fetched.commit, sizeof(place->fetched.commit), head_of(place, "HEAD~1"));
    fetched_is_good(place, "# One\n");
    aim_at_folder(place);
    must_fetch(place);
    fetched_is_good(place, "# Two\n");
    assert_alone(place, 1);
}

static void what_is_too_large_is_not_kept(void **state)
{
    struct place *place = *state;
    size_t len = 3 * 1024 * 1024;
    aim_at_folder(place);
    must_fetch(place);
    unsigned char *noise = mem_alloc(len);
    for (uint32_t i = 0, x = 1; i < len; i++)
        noise[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d.c", i);
        noise[0] = (unsigned char)i;
        git_put(place->work, name, (struct str){(const char *)noise, len});
    }
    mem_free(noise);
    commit_all(place, "large");
    place->fetch.bytes_max = 1024 * 1024;
    assert_int_equal(fetch(place), ERR_LIMIT);
    assert_older_is_good(place);
    assert_alone(place, 1);
    assert_true(wiki_dir_bytes(place->here) < 1024 * 1024);
    place->fetch.bytes_max = 64 * 1024 * 1024;
    must_fetch(place);
}

/* --- ssh --- */

/* In place of ssh: notes how it was called, and runs here what it was to run there. */
static void ssh_goes_to_the_pinned_address_and_asks_nobody(void **state)
{
    struct place *place = *state;
    char path[400], text[256];
    git_put(place->root, "bin/ssh",
            STR("#!/bin/sh\n[ \"$1\" = -G ] && exit 1\nfor last; do :; done\n"
                "printf '%s\\n' \"$@\" >\"${0%/bin/ssh}/called\"\nexec sh -c \"$last\"\n"));
    snprintf(path, sizeof(path), "%s/bin/ssh", place->root);
    assert_int_equal(chmod(path, 0700), 0);
    struct str before = arena_copy(&place->arena, str_of(getenv("PATH")));
    snprintf(path, sizeof(path), "%s/bin:%.*s", place->root, STR_ARGS(before));
    setenv("PATH", path, 1);
    snprintf(text, sizeof(text), "ssh://git@git.nowhere.invalid:2222%s", place->bare);
    assert_int_equal(
        wiki_address_parse(&place->arena, str_of(text), STR(""), &place->address, &place->why), OK);
    place->fetch = (struct wiki_fetch){
        .from = &place->address, .folder = place->here, .time_ms = 60000, .pin = STR("127.0.0.9")};
    enum err err = fetch(place);
    setenv("PATH", before.at, 1);
    if (err) fail_msg("%s: %s", err_name(err), place->why.text);
    fetched_is_good(place, "# One\n");

    char called[4096] = "";
    snprintf(path, sizeof(path), "%s/called", place->root);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    called[fread(called, 1, sizeof(called) - 1, file)] = '\0';
    fclose(file);
    static const char *const options[] = {
        "HostName=127.0.0.9\n", "HostKeyAlias=git.nowhere.invalid\n",
        "BatchMode=yes\n",      "StrictHostKeyChecking=accept-new\n",
        "-p\n2222\n",           "git@git.nowhere.invalid\n"};
    for (size_t i = 0; i < COUNT_OF(options); i++) assert_contains(called, options[i]);
    place->fetch.token = STR(TOKEN);
    assert_int_equal(fetch(place), ERR_INVALID);
}

/* --- hostile repositories --- */

static void nothing_of_a_repository_runs_or_leads_out(void **state)
{
    struct place *place = *state;
    char path[192], hook[256];
    /* hooks of the repository itself, at both ends */
    snprintf(hook, sizeof(hook), "#!/bin/sh\ntouch %s/ran\n", place->root);
    static const char *const hooks[] = {"post-checkout", "post-merge",  "reference-transaction",
                                        "pre-receive",   "post-update", "pre-auto-gc"};
    for (size_t i = 0; i < COUNT_OF(hooks); i++) {
        snprintf(path, sizeof(path), "hooks/%s", hooks[i]);
        git_put(place->bare, path, str_of(hook));
        snprintf(path, sizeof(path), "%s/hooks/%s", place->bare, hooks[i]);
        assert_int_equal(chmod(path, 0700), 0);
    }
    /* links out, and a submodule on this machine */
    snprintf(path, sizeof(path), "%s/out", place->work);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/etc", place->work);
    assert_int_equal(symlink("/etc", path), 0);
    snprintf(path, sizeof(path), "[submodule \"x\"]\n\tpath = sub\n\turl = file://%s\n",
             place->bare);
    git_put(place->work, ".gitmodules", str_of(path));
    struct str head = head_of(place, "HEAD");
    snprintf(path, sizeof(path), "160000,%.*s,sub", STR_ARGS(head));
    RUN(place->work, "git", "add", "-A", "-f");
    RUN(place->work, "git", "update-index", "--add", "--cacheinfo", path);
    RUN(place->work, "git", "commit", "-q", "-m", "hostile");
    RUN(place->work, "git", "-c", "core.hooksPath=/dev/null", "push", "-q",
        "--receive-pack=git -c core.hooksPath=/dev/null receive-pack", place->bare, "main");
    aim_at_folder(place);
    must_fetch(place);
    aim_at_server(place, "team/repo");
    must_fetch(place);
    snprintf(path, sizeof(path), "%s/ran", place->root);
    assert_int_not_equal(access(path, F_OK), 0);
    look(place);
    assert_left(place, "out", "link");
    assert_left(place, "etc", "link");
    assert_left(place, "sub", "link");
    assert_left(place, ".gitmodules", "taken");
    snprintf(path, sizeof(path), "%s/hooks", place->here);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void huge_files_stay_where_they_are(void **state)
{
    struct place *place = *state;
    size_t len = 200 * 1024 * 1024;
    char *zeros = mem_alloc(len);
    git_put(place->work, "bomb.c", (struct str){zeros, len});
    git_put(place->work, "large.c", (struct str){zeros, LIMIT_WIKI_FILE_BYTES + 1});
    memset(zeros, '\n', LIMIT_WIKI_FILE_BYTES);
    git_put(place->work, "most.c", (struct str){zeros, LIMIT_WIKI_FILE_BYTES});
    mem_free(zeros);
    commit_all(place, "bomb");
    aim_at_server(place, "team/repo");
    must_fetch(place);
    look(place);
    assert_left(place, "bomb.c", "huge");
    assert_left(place, "large.c", "huge");
    assert_left(place, "most.c", "taken");
    enum wiki_left_out why;
    struct why sentence;
    const struct wiki_file *file = find(place, "most.c", &why);
    assert_int_equal(wiki_tree_read(place->tree, file, &place->text, &why, &sentence), OK);
    assert_int_equal(place->text.len, LIMIT_WIKI_FILE_BYTES);
    assert_true(wiki_dir_bytes(place->here) < 150 * 1024); /* packed they would have 200 kB more */
    /* and an update does not ask for them either */
    put_and_commit(place, "README.md", "# Two\n");
    must_fetch(place);
    fetched_is_good(place, "# Two\n");
    assert_left(place, "bomb.c", "huge");
}

static void strange_names_are_names(void **state)
{
    struct place *place = *state;
    git_put(place->work, "a\nb.c", STR("x"));
    git_put(place->work, "say \"hi\" \\ 'x'.c", STR("x"));
    git_put(place->work, "-rf", STR("x"));
    git_put(place->work, "latin\xE9.c", STR("x"));
    git_put(place->work, "tab\tx.c", STR("x"));
    git_put(place->work, "\xE4\xB8\xAD/\xE6\x96\x87.c", STR("text\n"));
    commit_all(place, "strange");
    aim_at_folder(place);
    must_fetch(place);
    look(place);
    assert_left(place, "a\\x0ab.c", "name");
    assert_left(place, "latin\\xe9.c", "name");
    assert_left(place, "tab\\x09x.c", "name");
    assert_left(place, "say \"hi\" \\ 'x'.c", "taken");
    assert_left(place, "-rf", "taken");
    assert_text(place, "\xE4\xB8\xAD/\xE6\x96\x87.c", "text\n");
}

/* A tree that git itself would not make: entries in raw form. */
static void make_tree(struct place *place, const char *const *entries, size_t count, char id[41])
{
    struct buf tree, out;
    char path[160];
    buf_init(&tree, 65536);
    buf_init(&out, 4096);
    for (size_t i = 0; i < count; i++) {
        unsigned char raw[20];
        const char *entry = entries[i], *digits = entry + strlen(entry) + 1;
        assert_true(hex_read(str_of(digits), raw, sizeof(raw)));
        buf_add(&tree, entry, strlen(entry) + 1);
        buf_add(&tree, raw, sizeof(raw));
    }
    git_put(place->root, "tree", buf_str(&tree));
    snprintf(path, sizeof(path), "%s/tree", place->root);
    ASK(place->bare, &out, "git", "hash-object", "-t", "tree", "-w", "--literally", path);
    str_copy(id, 41, str_trim(buf_str(&out)));
    buf_release(&tree);
    buf_release(&out);
}

static void make_commit(struct place *place, const char *tree)
{
    struct buf out;
    char id[64];
    buf_init(&out, 4096);
    ASK(place->bare, &out, "git", "commit-tree", "-m", "made", tree);
    str_copy(id, sizeof(id), str_trim(buf_str(&out)));
    str_copy(place->fetched.commit, sizeof(place->fetched.commit), str_of(id));
    RUN(place->bare, "git", "update-ref", "refs/heads/main", id);
    buf_release(&out);
}

static void trees_that_climb_are_refused_and_would_do_nothing(void **state)
{
    struct place *place = *state;
    struct str blob = head_of(place, "HEAD:README.md");
    char inner[41], outer[41], entry[8][128];
    const char *entries[8];
    static const char *const names[] = {"..",          ".",      ".git", "a/b",
                                        "../../etc/x", "fine.c", "\xFF", "%s%n"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(entry[i], sizeof(entry[i]), "100644 %s%c%.*s", names[i], '\0', STR_ARGS(blob));
        entries[i] = entry[i];
    }
    make_tree(place, entries, COUNT_OF(names), inner);
    static const char *const folders[] = {"..", "sub"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        snprintf(entry[i], sizeof(entry[i]), "40000 %s%c%s", folders[i], '\0', inner);
    }
    make_tree(place, entries, COUNT_OF(folders), outer);
    make_commit(place, outer);
    char commit[65];
    memcpy(commit, place->fetched.commit, sizeof(commit));

    aim_at_folder(place);
    assert_int_equal(fetch(place), ERR_UPSTREAM);
    assert_contains(place->why.text, "refuses");
    assert_alone(place, 0);

    /* If it came here all the same (an older git), it would be names. */
    memcpy(place->fetched.commit, commit, sizeof(commit));
    memcpy(place->here, place->bare, sizeof(place->here));
    look(place);
    assert_left(place, "sub/fine.c", "taken");
    assert_text(place, "sub/fine.c", "# One\n");
    assert_left(place, "sub/%s%n", "taken");
    assert_left(place, "../", "name");
    for (size_t i = 0; i < wiki_tree_count(place->tree); i++) {
        enum wiki_left_out why;
        const struct wiki_file *file = wiki_tree_file(place->tree, i, &why);
        /* A slash inside of a name is one between names, which does no harm. */
        bool fine = str_eq(file->path, STR("sub/fine.c")) || str_eq(file->path, STR("sub/%s%n")) ||
                    str_eq(file->path, STR("sub/a/b"));
        if (why == WIKI_TAKEN && !fine) fail_msg("%.*s is taken", STR_ARGS(file->path));
    }
}

/* Ten trees of ten entries each, one in the other: ten thousand million files in a few bytes. */
static void a_tree_without_end_has_one(void **state)
{
    struct place *place = *state;
    struct str blob = head_of(place, "HEAD:README.md");
    char below[41], entry[10][128];
    const char *entries[10];
    str_copy(below, sizeof(below), blob);
    for (int level = 0; level < 10; level++) {
        for (int i = 0; i < 10; i++) {
            snprintf(entry[i], sizeof(entry[i]), "%s %c%c%s", level ? "40000" : "100644", 'a' + i,
                     '\0', below);
            entries[i] = entry[i];
        }
        make_tree(place, entries, 10, below);
    }
    make_commit(place, below);
    RUN(place->bare, "git", "repack", "-q", "-a", "-d"); /* or git opens a file for each */
    struct why why;
    assert_int_equal(
        wiki_tree_open_commit(place->bare, str_of(place->fetched.commit), NULL, &place->tree, &why),
        ERR_LIMIT);
}

/* --- trees of commits --- */

static void a_commit_and_its_folder_give_the_same(void **state)
{
    struct place *place = *state;
    git_put(place->work, "vendor/x.c", STR("x"));
    git_put(place->work, "svc/go.mod", STR("module x\n"));
    git_put(place->work, "svc/vendor/y.go", STR("x"));
    git_put(place->work, "deep/a/b/c.c", STR("int c;\n"));
    git_put(place->work, "made.c", STR("x"));
    git_put(place->work, "yarn.lock", STR("x"));
    git_put(place->work, ".gitattributes", STR("made.c linguist-generated\n"));
    git_put(place->work, "docs/guide.md", STR("# Guide\n"));
    commit_all(place, "more");
    aim_at_folder(place);
    must_fetch(place);
    look(place);
    struct wiki_tree *folder = NULL;
    struct why why;
    assert_int_equal(wiki_tree_open_folder(place->work, NULL, NULL, &folder, &why), OK);
    assert_int_equal(wiki_tree_count(folder), wiki_tree_count(place->tree));
    for (size_t i = 0; i < wiki_tree_count(folder); i++) {
        enum wiki_left_out one, other;
        const struct wiki_file *a = wiki_tree_file(folder, i, &one);
        const struct wiki_file *b = wiki_tree_file(place->tree, i, &other);
        assert_str_equal(a->path, arena_copy(&place->arena, b->path).at);
        assert_int_equal(one, other);
        assert_int_equal(a->bytes, b->bytes);
    }
    wiki_tree_close(folder);
    assert_left(place, "svc/vendor/", "vendored");
    assert_left(place, "made.c", "ignored");
    /* but what is tracked is wanted, also where .gitignore would not have it */
    git_put(place->work, ".gitignore", STR("*.md\n"));
    commit_all(place, "ignore");
    must_fetch(place);
    look(place);
    assert_left(place, "docs/guide.md", "taken");
}

static void commits_that_are_not_here_are_told(void **state)
{
    struct place *place = *state;
    struct why why;
    aim_at_folder(place);
    must_fetch(place);
    assert_int_equal(wiki_tree_open_commit(place->here,
                                           STR("0123456789012345678901234567890123456789"), NULL,
                                           &place->tree, &why),
                     ERR_NOT_FOUND);
    assert_int_equal(wiki_tree_open_commit(place->here, STR("HEAD"), NULL, &place->tree, &why),
                     ERR_INVALID);
    assert_int_equal(
        wiki_tree_open_commit("/nonexistent", head_of(place, "HEAD"), NULL, &place->tree, &why),
        ERR_NOT_FOUND);
    assert_null(place->tree);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_folder_is_fetched_with_its_own_branch),
        CASE(a_server_is_asked_by_the_pinned_address),
        CASE(branches_tags_and_commits_can_be_named),
        CASE(what_is_no_branch_is_told),
        CASE(an_empty_repository_says_so),
        CASE(longer_ids_are_fine_too),
        CASE(an_update_brings_the_new_commit),
        CASE(many_updates_do_not_grow_for_ever),
        CASE(a_damaged_folder_is_made_again),
        CASE(locks_of_a_killed_git_are_no_obstacle),
        CASE(progress_is_told),
        CASE(failures_have_reasons),
        CASE(nobody_is_sent_elsewhere),
        CASE(a_repository_with_a_new_name_is_found_on_its_own_host),
        CASE(a_token_opens_what_is_private),
        CASE(a_token_is_nowhere_but_with_the_host),
        CASE(a_stop_in_the_middle_leaves_the_older_commit),
        CASE(time_that_is_up_leaves_the_older_commit),
        CASE(of_two_at_once_one_is_told_to_wait),
        CASE(a_process_that_is_killed_leaves_the_older_commit),
        CASE(what_is_too_large_is_not_kept),
        CASE(ssh_goes_to_the_pinned_address_and_asks_nobody),
        CASE(nothing_of_a_repository_runs_or_leads_out),
        CASE(huge_files_stay_where_they_are),
        CASE(strange_names_are_names),
        CASE(trees_that_climb_are_refused_and_would_do_nothing),
        CASE(a_tree_without_end_has_one),
        CASE(a_commit_and_its_folder_give_the_same),
        CASE(commits_that_are_not_here_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
